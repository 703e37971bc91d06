//! What a finding is about.

use serde::{Deserialize, Serialize};
use std::fmt::Display;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident => $title:literal,)+) => {
        /// What a finding is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum FindingKind {
            $($(#[doc = $doc])+ $name,)+
        }

        impl FindingKind {
            /// All kinds, in the order of the enum.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The kind in a few words, as tables show it.
            pub fn title(self) -> &'static str {
                match self {
                    $(Self::$name => $title,)+
                }
            }
        }
    };
}

kinds! {
    /// Nothing is wrong with what was observed.
    Healthy => "healthy",
    /// The model has no float parameter.
    NoParameters => "no parameters",
    /// No parameter got a gradient in any recorded step.
    NoGradients => "no gradients",
    /// Parameters that require a gradient never got one, or got one and were never changed: the optimizer does not step them, or half
    /// precision rounds its steps away.
    NeverTrained => "never trained",
    /// Parameters are frozen: they require no gradient, and keep their first values.
    Frozen => "frozen",
    /// The places of a tied parameter hold different numbers.
    TiedStale => "tied weights differ",
    /// The gradient shrinks by orders of magnitude from the last layer to the first.
    VanishingGradient => "vanishing gradient",
    /// The gradient grows by orders of magnitude from the last layer to the first, or through time.
    ExplodingGradient => "exploding gradient",
    /// Units that are silent for every input.
    DeadUnits => "dead units",
    /// Activations at the flat ends of a sigmoid or a hyperbolic tangent.
    Saturated => "saturated activation",
    /// A layer, or the network, gives one output for every input.
    ConstantOutput => "constant output",
    /// Initial weights whose standard deviation does not fit the number of inputs of a unit.
    InitScale => "scale at initialisation",
    /// The first loss is far from that of a network that knows nothing.
    InitialLoss => "loss at initialisation",
    /// Initial weights that are all equal, so that the units of a layer cannot become different.
    ConstantInit => "constant initialisation",
    /// Biases that are initialised at random on the scale of the weights.
    RandomBias => "random initial bias",
    /// Inputs far from mean 0 and standard deviation 1.
    UnscaledInputs => "unscaled inputs",
    /// Input features that have one value in all rows.
    ConstantInputs => "constant inputs",
    /// An input feature that is the target.
    LeakingInput => "target among the inputs",
    /// A regression target far from mean 0 and standard deviation 1.
    UnscaledTarget => "unscaled target",
    /// All labels are of one class.
    SingleClass => "labels of one class",
    /// A class with few rows.
    RareClass => "rare class",
    /// Batches hold rows of few classes, or of similar targets, each: the data is sorted and not shuffled.
    SortedData => "data sorted by target",
    /// Training and validation inputs have different scales or means.
    ScalingDiffers => "validation scaled differently",
    /// Validation rows that are training rows.
    LeakedValidation => "validation rows in training",
    /// Validation rows of other classes than the training rows.
    ValidationClasses => "validation has other classes",
    /// The learning rate is too high.
    LrTooHigh => "learning rate too high",
    /// The learning rate is too low.
    LrTooLow => "learning rate too low",
    /// The learning rate is zero, negative or not finite.
    LrInvalid => "learning rate invalid",
    /// The metric of the validation jumps up and down: a small batch with a high learning rate or momentum.
    Oscillation => "oscillating",
    /// Each step uses the sum of all gradients so far.
    AccumulatedGradients => "gradients never cleared",
    /// The gradient of a batch is mostly noise.
    NoisyBatch => "batch too small",
    /// The training has had too few optimizer steps.
    TooFewSteps => "too few steps",
    /// The model fits the training data far better than the validation data.
    Overfitting => "overfitting",
    /// The model does not fit its training data, and no other cause was found.
    Underfitting => "underfitting",
    /// The weights shrink towards 0: a weight decay or a penalty is stronger than the loss.
    OverRegularized => "penalty too strong",
    /// The loss, or its gradient, is not that of the mean loss of the rows: the loss is a sum, or is scaled.
    ScaledLoss => "loss is scaled",
    /// The loss returns to its first value at the beginning of each epoch: the weights are initialised anew.
    WeightsReset => "weights reset",
    /// The validation does not change although the weights do: other weights are validated.
    StaleValidation => "validation never changes",
    /// The labels, or many of them, do not depend on the inputs, as far as training can tell.
    UnrelatedLabels => "labels unrelated to inputs",
    /// More data would help.
    TooLittleData => "too little data",
    /// Far more parameters than training samples.
    TooLargeModel => "model too large for its data",
    /// A batch norm that gets one sample at a time.
    SingleSampleNorm => "norm over one sample",
    /// The signal into a norm hardly varies, or its running statistics are far from those of the batch.
    NormStatistics => "norm statistics",
    /// Dropout and normalisation layers are in the wrong mode for what is computed.
    WrongMode => "wrong mode",
    /// Dropout drops so much that the network cannot learn.
    DropoutTooHigh => "dropout too high",
    /// The last activation and the loss do not fit together, or cannot produce the targets.
    OutputMismatch => "output and loss do not fit",
    /// The loss takes the logarithm of zero.
    LogOfZero => "logarithm of zero",
    /// A number is NaN or infinite.
    NonFinite => "NaN or infinity",
    /// The inputs or targets that the doctor was given contain NaN or infinity.
    NonFiniteData => "NaN in the data",
    /// An examination gave numbers that are NaN or infinite, so that its question has no answer.
    ExaminationFailed => "examination failed",
    /// The learning rates that a range test suggests.
    LrRange => "rates of the range test",
    /// An average of weights still holds the initial weights.
    AverageNeverStarted => "average never started",
    /// The network is a linear map of its inputs.
    LinearNetwork => "no non-linearity",
}

impl Display for FindingKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.title())
    }
}
