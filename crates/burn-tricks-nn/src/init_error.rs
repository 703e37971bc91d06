//! Why a module cannot be given first weights.

use crate::weight_init::WeightInit;
use std::fmt::Display;

/// Why a module cannot be given first weights.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum InitError {
    /// Nothing stands at or below a path.
    NoSuchPath {
        /// The path.
        path: String,
    },
    /// A distribution needs fans, or two dimensions, that a parameter does not have.
    Unfit {
        /// The path of the parameter.
        path: String,
        /// Its dimensions.
        shape: Vec<usize>,
        /// The distribution.
        init: WeightInit,
    },
    /// The output of a layer does not vary, or is not finite: no factor makes its variance 1.
    Output {
        /// The path of the layer.
        path: String,
        /// The variance of its output.
        variance: f64,
    },
}

impl Display for InitError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoSuchPath { path } => write!(f, "the module has no weight at `{path}`"),
            Self::Unfit { path, shape, init } => {
                write!(f, "`{path}` of shape {shape:?} cannot be drawn by {init:?}")
            }
            Self::Output { path, variance } => write!(
                f,
                "the output of `{path}` must have a positive and finite variance, got {variance}"
            ),
        }
    }
}

impl std::error::Error for InitError {}
