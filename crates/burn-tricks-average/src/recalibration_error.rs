//! Why batch-norm statistics cannot be measured.

use burn::tensor::DType;
use std::fmt::Display;

/// Why batch-norm statistics cannot be measured. Layers are named by their path, which is empty for a
/// batch norm that is the model itself.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum RecalibrationError {
    /// There was no batch, or none with a sample.
    NoSamples,
    /// A layer did not look at a batch: the forward pass left it out, or its input was not on an autodiff
    /// device.
    NotReached {
        /// The layer.
        layer: String,
        /// The batch, counted from 0.
        batch: usize,
    },
    /// A layer mixes so little of a batch into its statistics that their type does not show it.
    NoMomentum {
        /// The layer.
        layer: String,
        /// The type of its statistics.
        dtype: DType,
    },
    /// An unbiased variance needs two samples: in each batch, or pooled in all.
    OneSample,
    /// A layer's mean or variance is NaN or infinite.
    NonFinite {
        /// The layer.
        layer: String,
        /// The first such statistic.
        got: f64,
    },
}

impl Display for RecalibrationError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoSamples => write!(f, "batch-norm statistics need samples, got none"),
            Self::NotReached { layer, batch } => write!(
                f,
                "the batch norm {} did not look at batch {batch}: is the input on an autodiff device, \
                 and does `forward` use the whole model that it is given?",
                named(layer)
            ),
            Self::NoMomentum { layer, dtype } => write!(
                f,
                "the momentum of the batch norm {} cannot be told from 0 in {dtype:?}, the type of its \
                 statistics",
                named(layer)
            ),
            Self::OneSample => write!(
                f,
                "an unbiased variance needs at least 2 samples (cumulative: in each batch), got 1"
            ),
            Self::NonFinite { layer, got } => {
                let layer = named(layer);
                write!(f, "a statistic of the batch norm {layer} is {got}")
            }
        }
    }
}

fn named(layer: &str) -> String {
    match layer {
        "" => "that is the model itself".to_owned(),
        layer => format!("`{layer}`"),
    }
}

impl std::error::Error for RecalibrationError {}
