//! Batch norm whose running variance is PyTorch's.

use crate::norm::running_norm::RunningNorm;
use burn::module::{Content, DisplaySettings, Flag, ModuleDisplay, Param, RunningState};
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::{Device, Tensor};
use burn_tricks_core::{BatchVariance, Config, ConfigError, InlineModule, display};

/// Configuration of [`TorchBatchNorm`], a batch norm whose running variance is PyTorch's.
///
/// ```text
/// training    y = γ (x − μ_B) / √(σ²_B + ε) + β            σ²_B = Σ(x − μ_B)² / n, of the batch
///             μ ← (1 − m) μ + m μ_B
///             σ² ← (1 − m) σ² + m σ²_B n / (n − 1)         Burn's BatchNorm: without n / (n − 1)
/// inference   y = γ (x − μ) / √(σ² + ε) + β
/// ```
///
/// n is the number of values that a channel has in the batch: samples times positions.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_nn::TorchBatchNormConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let norm = TorchBatchNormConfig::new(1).init(&device)?;
/// norm.forward(Tensor::<2>::from_floats([[1.0], [3.0], [5.0]], &device));
/// let variance: f32 = norm.running_var.value_sync().into_scalar();
/// assert!((variance - (0.9 + 0.1 * 4.0)).abs() < 1e-6); // 8 / 2, where Burn has 8 / 3
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// The layer takes the place of Burn's `BatchNorm`: fields, paths and records are the same, and each loads the
/// other's records. It normalises with the batch only on an autodiff device with the `training` flag set.
///
/// Clones share the running statistics. The update of the last forward pass stays pending until the next one or
/// `valid()` applies it: so save the record of `model.valid()`.
///
/// # Few values
///
/// What the layer does with a batch in training depends on the number n of values per channel:
///
/// - n = 1 (one sample after a linear layer, or one map of 1×1): the output would be β whatever the input, and
///   no gradient would pass. The layer panics, where PyTorch raises an error. Leave out a last batch of one
///   sample (`drop_last` of a data loader), take larger batches, or keep the statistics of a pretrained model
///   with [`freeze_batch_norms`](crate::freeze_batch_norms). To predict, use `model.valid()`, which takes any
///   batch.
/// - n = 2: the outputs are β + γ and β − γ, whatever the values are, and no gradient passes. PyTorch allows it,
///   and so does this layer.
/// - n = 0: the output is the input, and the running statistics stay.
///
/// # Cost
///
/// On Burn's CPU backend the input is read twice, and the output is written into a buffer that was filled with zeros before;
/// backwards input and gradient are read twice, and the gradient is written once, in place: less than Burn's
/// `BatchNorm`, which takes a pass for each tensor operation. Elsewhere the cost of Burn's. The
/// [README](crate#what-it-costs) has measured times.
///
/// # Differences
///
/// - Burn and Keras keep the population variance, PyTorch the sample variance. At n = 32 they differ by 3 %, at
///   n = 2 by a factor of 2. The difference matters for fully connected layers, small batches and ported
///   training recipes.
/// - With n = 1 Burn and Keras return β.
/// - `momentum` is the weight of the new value, as in Burn and PyTorch; Keras's momentum is one minus that.
///   PyTorch's `momentum=None`, the mean over all batches, does not exist here: the recalibration of
///   `burn-tricks-average` measures the statistics anew. It accepts batches of one value per channel.
///
/// # Suggested values
///
/// PyTorch's defaults, which are the defaults here too: momentum 0.1, ε 1e-5.
///
/// # References
///
/// - Ioffe, Szegedy, *Batch normalization*, 2015, <https://arxiv.org/abs/1502.03167>, algorithm 2, which
///   has n / (n − 1)
/// - PyTorch, `torch.nn.BatchNorm2d`
#[derive(Config, Debug, PartialEq)]
pub struct TorchBatchNormConfig {
    /// Channels, at least 1.
    pub num_features: usize,
    /// ε, greater than 0. Default: 1e-5.
    #[config(default = 1e-5)]
    pub epsilon: f64,
    /// The weight of a batch in the running statistics, in [0, 1]. Default: 0.1.
    #[config(default = 0.1)]
    pub momentum: f64,
}

impl TorchBatchNormConfig {
    /// The layer, with γ = 1, β = 0, mean 0 and variance 1.
    ///
    /// # Errors
    ///
    /// If a value lies outside its range.
    #[inline]
    pub fn init(&self, device: &Device) -> Result<TorchBatchNorm, ConfigError> {
        Ok(TorchBatchNorm::from(self.burn()?.init(device)))
    }

    /// The same settings as a configuration of Burn's, which would panic if a value lay outside its range.
    pub(crate) fn burn(&self) -> Result<BatchNormConfig, ConfigError> {
        ConfigError::at_least_one("num_features", self.num_features)?;
        ConfigError::positive("epsilon", self.epsilon)?;
        ConfigError::within("momentum", self.momentum, 0.0..=1.0)?;
        Ok(BatchNormConfig::new(self.num_features)
            .with_epsilon(self.epsilon)
            .with_momentum(self.momentum))
    }
}

/// Batch norm in PyTorch's convention. Made by [`TorchBatchNormConfig::init`], or from Burn's layer.
#[derive(InlineModule, Debug)]
#[module(custom_display)]
pub struct TorchBatchNorm {
    /// Scale γ.
    pub gamma: Param<Tensor<1>>,
    /// Shift β.
    pub beta: Param<Tensor<1>>,
    /// Whether to behave as during training, on an autodiff device.
    pub training: Param<Flag>,
    /// Running mean.
    pub running_mean: RunningState<Tensor<1>>,
    /// Running variance: the sample variance, not the population variance.
    pub running_var: RunningState<Tensor<1>>,
    /// The weight of a batch in the running statistics.
    #[module(skip)]
    pub momentum: f64,
    /// ε.
    #[module(skip)]
    pub epsilon: f64,
}

impl From<BatchNorm> for TorchBatchNorm {
    /// With the parameters and statistics of `norm`, shared as its clones share them.
    fn from(norm: BatchNorm) -> Self {
        Self {
            gamma: norm.gamma,
            beta: norm.beta,
            training: norm.training,
            running_mean: norm.running_mean,
            running_var: norm.running_var,
            momentum: norm.momentum,
            epsilon: norm.epsilon,
        }
    }
}

impl From<TorchBatchNorm> for BatchNorm {
    /// With the parameters and statistics of `norm`, shared as its clones share them.
    fn from(norm: TorchBatchNorm) -> Self {
        Self {
            gamma: norm.gamma,
            beta: norm.beta,
            training: norm.training,
            running_mean: norm.running_mean,
            running_var: norm.running_var,
            momentum: norm.momentum,
            epsilon: norm.epsilon,
        }
    }
}

impl TorchBatchNorm {
    /// The normalised input.
    ///
    /// # Shapes
    ///
    /// - input: `[samples, channels, ...]`
    /// - output: the same
    ///
    /// # Panics
    ///
    /// If the input has rank 1, or another number of channels; in training, if it has one value per channel, or if
    /// `momentum` has been set to a number that does not lie in [0, 1].
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let norm = RunningNorm {
            gamma: &self.gamma,
            beta: &self.beta,
            training: &self.training,
            running_mean: &self.running_mean,
            running_var: &self.running_var,
            momentum: self.momentum,
            epsilon: self.epsilon,
            variance: BatchVariance::Unbiased,
        };
        norm.forward(input, 1)
    }
}

impl ModuleDisplay for TorchBatchNorm {
    fn format(&self, settings: DisplaySettings) -> String {
        display::format(self, settings)
    }

    fn custom_settings(&self) -> Option<DisplaySettings> {
        DisplaySettings::new()
            .with_new_line_after_attribute(false)
            .optional()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        let [num_features] = self.beta.shape().dims();
        let content = display::number(content, "num_features", &num_features);
        let content = display::number(content, "momentum", &self.momentum);
        let content = display::number(content, "epsilon", &self.epsilon);
        if self.training.is_enabled() {
            content.optional()
        } else {
            display::module(content, "training", &self.training).optional()
        }
    }
}
