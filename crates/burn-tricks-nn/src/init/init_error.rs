//! Why a module cannot be given initial weights.

use crate::init::weight_init::WeightInit;
use std::fmt::Display;

/// Why a module cannot be given initial weights.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum InitError {
    /// The model has nothing at or below a path.
    NoSuchPath {
        /// The path.
        path: String,
        /// The most similar paths of the module: at most three.
        similar: Vec<String>,
    },
    /// A distribution needs fans, or a shape, which a parameter does not have.
    Unfit {
        /// The path of the parameter.
        path: String,
        /// Its dimensions.
        shape: Vec<usize>,
        /// The distribution.
        init: WeightInit,
    },
    /// A path leads only to parameters that stay unless a rule gives their own path, or that of the module that
    /// holds them.
    NothingToDraw {
        /// The path; empty for the whole module.
        path: String,
    },
    /// Two of the layers to be scaled share one weight.
    Tied {
        /// The path of the weight of the first.
        path: String,
        /// Its path in the second.
        other: String,
    },
    /// A parameter is reparameterized: the layer does not compute with the stored weight itself.
    Reparameterized {
        /// The path of the parameter.
        path: String,
    },
    /// A path leads to a parameter instead of a layer.
    NotALayer {
        /// The path.
        path: String,
    },
    /// The output of a layer does not vary by more than rounding, or is not finite: no factor makes its
    /// variance 1.
    Output {
        /// The path of the layer.
        path: String,
        /// The variance of its output.
        variance: f64,
    },
}

impl Display for InitError {
    #[inline]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoSuchPath { path, similar } => {
                write!(f, "the module has no weight at `{path}`")?;
                match similar.as_slice() {
                    [] => write!(f, "; `core::params` lists the paths that it has"),
                    similar => write!(f, "; similar paths are `{}`", similar.join("`, `")),
                }
            }
            Self::Unfit { path, shape, init } => {
                let reason = init.unfit(shape).unwrap_or(match shape.len() {
                    0 | 1 => "it has fewer than two dimensions, and so no fans",
                    _ => "an embedding's rows are looked up, which sums nothing: it has no fans",
                });
                write!(
                    f,
                    "`{path}` of shape {shape:?} cannot be drawn by {init:?}: {reason}"
                )
            }
            Self::NothingToDraw { path } => {
                let whose = match path.as_str() {
                    "" => "the module".to_owned(),
                    path => format!("the module at `{path}`"),
                };
                write!(
                    f,
                    "{whose} has no weight of Burn's linear layers, convolutions or embeddings to draw; \
                     give other parameters a rule with their own path"
                )
            }
            Self::Tied { path, other } => write!(
                f,
                "`{path}` and `{other}` are one tied weight, which can be scaled for one layer only"
            ),
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
                "the output of `{path}` must vary by more than rounding and be finite, got a variance of \
                 {variance:e}"
            ),
        }
    }
}

/// Shows the text of `Display`, so that `unwrap` and `main` print it.
impl std::fmt::Debug for InitError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for InitError {}
