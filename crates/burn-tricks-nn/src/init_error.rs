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
    /// A parameter is reparameterized: what is written there is not what the layer computes with.
    Reparameterized {
        /// The path of the parameter.
        path: String,
    },
    /// A path leads to a parameter, where a layer is asked for.
    NotALayer {
        /// The path.
        path: String,
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
                let reason = match (shape.len(), init) {
                    (0 | 1, WeightInit::Orthogonal { .. }) => {
                        "a matrix has two dimensions and more"
                    }
                    (0 | 1, _) => "it has fewer than two dimensions, and so no fans",
                    _ => "an embedding's rows are looked up, which sums nothing: it has no fans",
                };
                write!(
                    f,
                    "`{path}` of shape {shape:?} cannot be drawn by {init:?}: {reason}"
                )
            }
            Self::Reparameterized { path } => write!(
                f,
                "`{path}` must have no reparameterization (initialise before attaching, or materialize \
                 first)"
            ),
            Self::NotALayer { path } => write!(
                f,
                "`{path}` is a parameter, give the path of the layer that holds it (`{}`)",
                path.rsplit_once('.').map_or("", |(layer, _)| layer)
            ),
            Self::Output { path, variance } => write!(
                f,
                "the output of `{path}` must have a positive and finite variance, got {variance}"
            ),
        }
    }
}

impl std::error::Error for InitError {}
