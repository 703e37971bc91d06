//! Ghost batch norm.

use crate::norm::few_values::{LEAST_VALUES, values_per_channel};
use crate::norm::running_norm::RunningNorm;
use crate::norm::torch_batch_norm::TorchBatchNormConfig;
use burn::module::{Content, DisplaySettings, Flag, ModuleDisplay, Param, RunningState};
use burn::nn::BatchNorm;
use burn::tensor::{Device, Tensor};
use burn_tricks_core::{BatchVariance, Config, ConfigError, InlineModule, display};

/// Configuration of [`GhostBatchNorm`]: a large batch is normalised in small parts.
///
/// ```text
/// training    the batch is cut into ⌈N / size⌉ parts; batch norm on each, with its own mean and variance
///             (fewer, larger parts where a channel would have less than three values in one)
/// inference   batch norm with the running statistics
/// ```
///
/// Noise in the batch statistics regularises, and a large batch has little of it. Small ghost batches keep the
/// noise, while the hardware works on the large batch.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_nn::GhostBatchNormConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let norm = GhostBatchNormConfig::new(16, 32).init(&device)?; // 16 channels, 32 samples
/// let output = norm.forward(Tensor::<2>::ones([100, 16], &device)); // parts of 25
/// # let _ = output;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// The layer takes the place of batch norm: its fields, paths and records are those of Burn's `BatchNorm`, and
/// each loads the other's records. With a `ghost_size` of at least the batch size it is plain batch norm:
/// [`TorchBatchNorm`](crate::TorchBatchNorm)'s output bit for bit, and Burn's up to rounding. Clones share the running
/// statistics. The last update stays pending until the next forward pass or `valid()` applies it.
///
/// # Few values
///
/// If a channel has one value in a part, that value is normalised to β; if it has two, they are normalised to
/// β + γ and β − γ, whatever they are. Neither passes a gradient. So every part has at least three values per
/// channel (samples times places): where ⌈N / size⌉ parts would have fewer, the batch is cut into fewer parts,
/// which then have more than `ghost_size` samples.
///
/// - After a linear layer, a `ghost_size` of 1 or 2 gives parts of three samples or more. Parts of size 3 can
///   grow too: 4 samples stay whole, since two parts of 2 would be too small.
/// - With feature maps of 2×2 or larger, a part may be a single sample.
/// - A whole batch of two values per channel is normalised to β ± γ, and one of a single value panics in
///   training, as in [`TorchBatchNorm`](crate::TorchBatchNormConfig#few-values).
///
/// # Cost
///
/// On Burn's CPU backend, whatever the number of parts: the input is read twice, and the output is written into a buffer that
/// was filled with zeros before; backwards input and gradient are read twice, and the gradient is written once, in
/// place. Elsewhere the cost of batch norm, in ⌈N / size⌉ calls, and one concatenation. The
/// [README](crate#what-it-costs) has measured times.
///
/// # Differences
///
/// - Each part updates the running statistics in turn, as in the paper and in Composer: a step with k parts
///   moves them as far as one part would with a momentum of 1 − (1 − m)^k.
/// - Composer cuts as `torch.chunk` does, which can leave a last part of a single sample; here the sizes differ
///   by at most one: with `ghost_size` 4, ten samples are cut into 3, 3 and 4.
/// - Composer wraps PyTorch's batch norm, so its running variance is unbiased: [`BatchVariance`].
///
/// # Suggested values
///
/// 16 to 128 samples a part (Hoffer et al.; Summers & Dinneen find 16 to 32 best for small images).
///
/// # References
///
/// - Hoffer, Hubara, Soudry, *Train longer, generalize better*, 2017, <https://arxiv.org/abs/1705.08741>
/// - Summers, Dinneen, *Four things everyone should know to improve batch normalization*, 2020,
///   <https://arxiv.org/abs/1906.03548>
/// - Composer, `composer.algorithms.GhostBatchNorm`
#[derive(Config, Debug, PartialEq)]
pub struct GhostBatchNormConfig {
    /// Channels, at least 1.
    pub num_features: usize,
    /// The most samples in a part, at least 1; more where a channel would have less than three values in
    /// a part.
    pub ghost_size: usize,
    /// ε, greater than 0. Default: 1e-5.
    #[config(default = 1e-5)]
    pub epsilon: f64,
    /// The weight of a part in the running statistics, in [0, 1]. Default: 0.1.
    #[config(default = 0.1)]
    pub momentum: f64,
    /// Which variance of a part the running variance follows. Default: [`BatchVariance::Unbiased`], since the
    /// parts are small and inference normalises with the running variance.
    #[config(default = "BatchVariance::Unbiased")]
    pub variance: BatchVariance,
}

impl GhostBatchNormConfig {
    /// The layer, with γ = 1, β = 0, mean 0 and variance 1.
    ///
    /// # Errors
    ///
    /// If a value lies outside its range.
    #[inline]
    pub fn init(&self, device: &Device) -> Result<GhostBatchNorm, ConfigError> {
        let ghost_size = ConfigError::at_least_one("ghost_size", self.ghost_size)?;
        let norm = TorchBatchNormConfig::new(self.num_features)
            .with_epsilon(self.epsilon)
            .with_momentum(self.momentum)
            .burn()?
            .init(device);
        Ok(GhostBatchNorm {
            gamma: norm.gamma,
            beta: norm.beta,
            training: norm.training,
            running_mean: norm.running_mean,
            running_var: norm.running_var,
            momentum: self.momentum,
            epsilon: self.epsilon,
            ghost_size,
            variance: self.variance,
        })
    }
}

/// Batch norm of parts of the batch. Made by [`GhostBatchNormConfig::init`].
#[derive(InlineModule, Debug)]
#[module(custom_display)]
pub struct GhostBatchNorm {
    /// Scale γ.
    pub gamma: Param<Tensor<1>>,
    /// Shift β.
    pub beta: Param<Tensor<1>>,
    /// Whether to behave as during training, on an autodiff device.
    pub training: Param<Flag>,
    /// Running mean.
    pub running_mean: RunningState<Tensor<1>>,
    /// Running variance.
    pub running_var: RunningState<Tensor<1>>,
    /// The weight of a part in the running statistics.
    #[module(skip)]
    pub momentum: f64,
    /// ε.
    #[module(skip)]
    pub epsilon: f64,
    /// The most samples in a part, unless a part needs more to have three values per channel.
    #[module(skip)]
    pub ghost_size: usize,
    /// Which variance the running variance follows.
    #[module(skip)]
    pub variance: BatchVariance,
}

impl GhostBatchNorm {
    /// The normalised input.
    ///
    /// # Shapes
    ///
    /// - input: `[samples, channels, ...]`
    /// - output: the same
    ///
    /// # Panics
    ///
    /// If the input has rank 1, or another number of channels, or if `ghost_size` has been set to 0; in training, if the
    /// input has one value per channel, or if `momentum` has been set to a number that does not lie in [0, 1].
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let norm = RunningNorm {
            gamma: &self.gamma,
            beta: &self.beta,
            training: &self.training,
            running_mean: &self.running_mean,
            running_var: &self.running_var,
            momentum: self.momentum,
            epsilon: self.epsilon,
            variance: self.variance,
        };
        let parts = self.parts(&input).max(1);
        norm.forward(input, parts)
    }

    /// The number of parts to cut the input into.
    fn parts<const D: usize>(&self, input: &Tensor<D>) -> usize {
        assert!(
            self.ghost_size >= 1,
            "`ghost_size`, the most samples in a part, must be at least 1, got 0"
        );
        let samples = input.dims()[0];
        let places = values_per_channel(input) / samples.max(1);
        let fewest = LEAST_VALUES.div_ceil(places.max(1)); // samples in a part
        let wanted = samples.div_ceil(self.ghost_size);
        wanted.min(samples / fewest)
    }

    /// Burn's layer, with these parameters and statistics.
    pub(crate) fn burn(&self) -> BatchNorm {
        BatchNorm {
            gamma: self.gamma.clone(),
            beta: self.beta.clone(),
            training: self.training.clone(),
            running_mean: self.running_mean.clone(),
            running_var: self.running_var.clone(),
            momentum: self.momentum,
            epsilon: self.epsilon,
        }
    }
}

impl ModuleDisplay for GhostBatchNorm {
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
        let content = display::number(content, "ghost_size", &self.ghost_size);
        let content = display::number(content, "momentum", &self.momentum);
        let content = display::number(content, "epsilon", &self.epsilon);
        let content = display::debug(content, "variance", &self.variance);
        if self.training.is_enabled() {
            content.optional()
        } else {
            display::module(content, "training", &self.training).optional()
        }
    }
}
