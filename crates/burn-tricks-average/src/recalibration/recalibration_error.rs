//! Why batch-norm statistics cannot be measured.

use burn::tensor::DType;
use std::fmt::Display;

/// Why batch-norm statistics cannot be measured. Layers are named by their path, which is empty for a
/// layer that is the model itself.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum RecalibrationError {
    /// There was no batch, or none with a sample.
    NoSamples,
    /// The model has layers with running statistics, and the group matches none of them.
    NoLayer,
    /// A layer is neither Burn's batch norm nor reports the statistics of its batches, so they are not known.
    UnknownLayer {
        /// The layer.
        layer: String,
        /// The name of its type.
        name: String,
    },
    /// A layer that looks like Burn's batch norm does not update its statistics by Burn's rule.
    UnknownRule {
        /// The layer.
        layer: String,
    },
    /// An unbiased variance is asked for, and a layer does not report its number of values.
    UnknownCount {
        /// The layer.
        layer: String,
    },
    /// A layer did not compute statistics of a batch: the forward pass left it out, or its input was not on an
    /// autodiff device.
    NotReached {
        /// The layer.
        layer: String,
        /// The batch, counted from 0.
        batch: usize,
    },
    /// A layer reported statistics of another number of channels than its running statistics have.
    Channels {
        /// The layer.
        layer: String,
        /// The channels of its running statistics.
        expected: usize,
        /// The channels that it reported, of its mean or its variance.
        got: usize,
    },
    /// The forward pass used a layer twice, so its statistics are a mixture of both uses.
    UsedTwice {
        /// The layer.
        layer: String,
        /// The batch, counted from 0.
        batch: usize,
    },
    /// A layer's momentum is too small to be measured in the type of its statistics.
    NoMomentum {
        /// The layer.
        layer: String,
        /// The type of its statistics.
        dtype: DType,
    },
    /// An unbiased variance needs two values per channel: in each batch, or pooled in all.
    OneValue {
        /// The layer.
        layer: String,
    },
    /// A layer's mean or variance is NaN or infinite.
    NonFinite {
        /// The layer.
        layer: String,
        /// The first such statistic.
        got: f64,
    },
}

impl Display for RecalibrationError {
    #[inline]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoSamples => write!(f, "batch-norm statistics need samples, got none"),
            Self::NoLayer => write!(
                f,
                "`group` must match the running mean of a layer that the model has"
            ),
            Self::UnknownLayer { layer, name } => write!(
                f,
                "{} is a `{name}`, which did not report the statistics of its batch, and whose rule for its \
                 running statistics is not known: call `batch_statistics::report` in its forward pass, or \
                 leave the layer out of `group`",
                named(layer)
            ),
            Self::UnknownRule { layer } => write!(
                f,
                "{} does not mix batches into its running statistics as Burn's batch norm does, though it \
                 has its name and fields: call `batch_statistics::report` in its forward pass, or leave the \
                 layer out of `group`",
                named(layer)
            ),
            Self::UnknownCount { layer } => write!(
                f,
                "{} does not report its number of values per channel, which an unbiased variance needs: take \
                 `TorchBatchNorm`, or `BatchVariance::UnbiasedPerSample` if every batch norm sees one value \
                 per sample and channel",
                named(layer)
            ),
            Self::NotReached { layer, batch } => write!(
                f,
                "{} saw nothing of batch {batch}: is the input on an autodiff device, and does `forward` \
                 use the whole model that it is given?",
                named(layer)
            ),
            Self::Channels {
                layer,
                expected,
                got,
            } => write!(
                f,
                "{} reported statistics of {got} channels, and its running statistics have {expected}",
                named(layer)
            ),
            Self::UsedTwice { layer, batch } => write!(
                f,
                "{} was used more than once for batch {batch}, and its running statistics are a mixture: \
                 give each use a layer of its own",
                named(layer)
            ),
            Self::NoMomentum { layer, dtype } => write!(
                f,
                "the momentum of {} rounds to 0 in {dtype:?}, the type of its statistics: cast the model to \
                 `f32`, or take a larger momentum",
                named(layer)
            ),
            Self::OneValue { layer } => write!(
                f,
                "an unbiased variance needs at least 2 values per channel (cumulative: in each batch), got 1 \
                 in {}",
                named(layer)
            ),
            Self::NonFinite { layer, got } => {
                write!(f, "a statistic of {} is {got}", named(layer))
            }
        }
    }
}

fn named(layer: &str) -> String {
    match layer {
        "" => "the model, which is itself a normalisation layer,".to_owned(),
        layer => format!("the normalisation layer `{layer}`"),
    }
}

/// Shows the text of `Display`, so that `unwrap` and `main` print it.
impl std::fmt::Debug for RecalibrationError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for RecalibrationError {}
