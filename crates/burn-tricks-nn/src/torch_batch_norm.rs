//! Batch norm whose running variance is PyTorch's.
//!
//! ```text
//! training    y = γ (x − μ_B) / √(σ²_B + ε) + β            σ²_B = Σ(x − μ_B)² / n, of the batch
//!             μ ← (1 − m) μ + m μ_B
//!             σ² ← (1 − m) σ² + m σ²_B n / (n − 1)         Burn's BatchNorm: without n / (n − 1)
//! inference   y = γ (x − μ) / √(σ² + ε) + β
//! ```
//!
//! n counts the numbers that a channel has in the batch: samples times places.
//!
//! # Example
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use burn_tricks_nn::TorchBatchNormConfig;
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! let device = Device::flex().autodiff();
//! let norm = TorchBatchNormConfig::new(1).init(&device)?;
//! norm.forward(Tensor::<2>::from_floats([[1.0], [3.0], [5.0]], &device));
//! let variance: f32 = norm.running_var.value_sync().into_scalar();
//! assert!((variance - (0.9 + 0.1 * 4.0)).abs() < 1e-6); // 8 / 2, where Burn has 8 / 3
//! # Ok(())
//! # }
//! ```
//!
//! # Where it stands
//!
//! In place of Burn's `BatchNorm`: fields, paths and records are the same, and each loads the other's.
//! Training behaviour needs an autodiff device and the `training` flag.
//!
//! Running statistics are shared by clones, and the update of the last forward pass is folded in by the
//! next one or by `valid()`: record `model.valid()`.
//!
//! # Cost
//!
//! As Burn's `BatchNorm`.
//!
//! # Differences
//!
//! - Burn and Keras keep the population variance, PyTorch the sample variance. At n = 32 they are 3 %
//!   apart, at n = 2 a factor of 2: it matters for fully connected layers, small batches and ported
//!   training recipes.
//! - With n = 1 PyTorch raises an error. Here, as in Burn, y = β; the running variance stays as it is,
//!   since one number has no sample variance.
//! - `momentum` is the weight of the new value, as in Burn and PyTorch; Keras's is one minus it.
//!   PyTorch's `momentum=None`, the mean over all batches, is not here: `recalibrate` of
//!   `burn-tricks-average` measures statistics anew.
//!
//! # Suggested values
//!
//! PyTorch's defaults, which are ours: momentum 0.1, ε 1e-5.
//!
//! # References
//!
//! - Ioffe, Szegedy, *Batch normalization*, 2015, <https://arxiv.org/abs/1502.03167>, algorithm 2, which
//!   has n / (n − 1)
//! - PyTorch, `torch.nn.BatchNorm2d`

use burn::module::{Content, DisplaySettings, Flag, Module, ModuleDisplay, Param, RunningState};
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::module::{batch_norm, batch_norm_train};
use burn::tensor::{Device, Tensor};
use burn_tricks_core::{Config, ConfigError};

/// Configuration of [`TorchBatchNorm`].
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
    pub fn init(&self, device: &Device) -> Result<TorchBatchNorm, ConfigError> {
        Ok(TorchBatchNorm::from(self.burn()?.init(device)))
    }

    /// The same values as Burn's configuration, which would panic outside of their ranges.
    pub(crate) fn burn(&self) -> Result<BatchNormConfig, ConfigError> {
        ConfigError::at_least_one("num_features", self.num_features)?;
        ConfigError::positive("epsilon", self.epsilon)?;
        if !(0.0..=1.0).contains(&self.momentum) {
            return Err(ConfigError::new("momentum", "lie in [0, 1]", self.momentum));
        }
        Ok(BatchNormConfig::new(self.num_features)
            .with_epsilon(self.epsilon)
            .with_momentum(self.momentum))
    }
}

/// Batch norm in PyTorch's convention. Made by [`TorchBatchNormConfig::init`], or from Burn's layer.
#[derive(Module, Debug)]
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
    /// Running variance: of a sample, not of a population.
    pub running_var: RunningState<Tensor<1>>,
    /// The weight of a batch in the running statistics.
    pub momentum: f64,
    /// ε.
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
    /// If the input has rank 1, or another number of channels.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let device = input.device();
        if !device.is_autodiff() || !self.training.is_enabled() {
            let mean = self.running_mean.value().to_device(&device);
            let variance = self.running_var.value().to_device(&device);
            let (gamma, beta) = (self.gamma.val(), self.beta.val());
            return batch_norm(input, gamma, beta, mean, variance, self.epsilon);
        }
        let n = input.shape().num_elements() / input.dims()[1].max(1);
        let batch = batch_norm_train(input, self.gamma.val(), self.beta.val(), self.epsilon);
        self.follow(&self.running_mean, batch.mean);
        if n > 1 {
            let correction = n as f64 / (n - 1) as f64;
            self.follow(&self.running_var, batch.variance.mul_scalar(correction));
        }
        batch.output
    }

    /// `state ← (1 − m) state + m batch`
    fn follow(&self, state: &RunningState<Tensor<1>>, batch: Tensor<1>) {
        let old = state.value_sync().to_device(&batch.device());
        let batch = batch.detach().mul_scalar(self.momentum);
        state.update((old.mul_scalar(1.0 - self.momentum) + batch).detach());
    }
}

impl ModuleDisplay for TorchBatchNorm {
    fn custom_settings(&self) -> Option<DisplaySettings> {
        DisplaySettings::new()
            .with_new_line_after_attribute(false)
            .optional()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        let [num_features] = self.beta.shape().dims();
        let content = content
            .add("num_features", &num_features)
            .add("momentum", &self.momentum)
            .add("epsilon", &self.epsilon);
        match self.training.is_enabled() {
            true => content.optional(),
            false => content.add("training", &self.training).optional(),
        }
    }
}
