//! Activity penalty.

use burn::tensor::Tensor;
use burn_tricks_core::{Config, ConfigError, accumulation_dtype};

/// Configuration of [`ActivityPenalty`]: the size of a layer's outputs as a term of the loss.
///
/// ```text
/// Ω = (λ₁ Σ |a| + λ₂ Σ a²) / n     over all activations a of a batch of n samples
/// ```
///
/// The L1 term makes most activations of a sample exactly or nearly 0 (a sparse code), the L2 term keeps them from
/// growing.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::{Device, Tensor, activation::relu};
/// use burn_tricks_nn::ActivityPenaltyConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let (encoder, decoder) = (
///     LinearConfig::new(8, 16).init(&device),
///     LinearConfig::new(16, 8).init(&device),
/// );
/// let sparse = ActivityPenaltyConfig::new().with_l1(1e-3).init()?;
///
/// let input = Tensor::<2>::ones([4, 8], &device);
/// let code = relu(encoder.forward(input.clone()));
/// let loss = (decoder.forward(code.clone()) - input).square().mean();
/// let grads = sparse.add_to(loss, code).backward();
/// # let _ = grads;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// It is part of the loss, before `backward`. The model must return the activations along with its output. If gradients
/// are accumulated over micro-batches, it is divided by the samples of each micro-batch, like a mean loss.
///
/// # Cost
///
/// One or two passes over the activations, and as many for the gradient; sums of half precision in `f32`.
///
/// # Differences
///
/// The numbers are those of Keras's `ActivityRegularization` and `activity_regularizer`, which divide by the number of
/// samples and by nothing else: Ω grows with the width of the layer and the size of a feature map. fastai's `RNNRegularizer`
/// (AR of Merity et al.) takes the mean over all numbers instead: divide λ₂ by the number of activations of one sample.
///
/// # Suggested values
///
/// λ₁ = 1e-5 to 1e-3; for the outputs of an LSTM λ₂ = 2 as a mean over all numbers (Merity et al.).
///
/// # References
///
/// - Merity, McCann, Socher, *Revisiting activation regularization for language RNNs*, 2017,
///   <https://arxiv.org/abs/1708.01009>
/// - Keras, `keras.layers.ActivityRegularization`
#[derive(Config, Debug, PartialEq)]
pub struct ActivityPenaltyConfig {
    /// λ₁, the weight of `Σ |a|`, at least 0. Default: 0.
    #[config(default = 0.0)]
    pub l1: f64,
    /// λ₂, the weight of `Σ a²`, at least 0. Default: 0.
    #[config(default = 0.0)]
    pub l2: f64,
}

impl ActivityPenaltyConfig {
    /// The penalty.
    ///
    /// # Errors
    ///
    /// If `l1` or `l2` is negative or not finite.
    pub fn init(&self) -> Result<ActivityPenalty, ConfigError> {
        ConfigError::non_negative("l1", self.l1)?;
        ConfigError::non_negative("l2", self.l2)?;
        Ok(ActivityPenalty {
            config: self.clone(),
        })
    }
}

/// A penalty on the size of activations. Made by [`ActivityPenaltyConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct ActivityPenalty {
    config: ActivityPenaltyConfig,
}

impl ActivityPenalty {
    /// Ω of `activations`, one number in `f32` (in `f64` for `f64` activations). It is 0 for a batch without samples.
    ///
    /// # Shapes
    ///
    /// `activations`: `[samples, ...]`
    pub fn forward<const D: usize>(&self, activations: Tensor<D>) -> Tensor<1> {
        let ActivityPenaltyConfig { l1, l2 } = self.config;
        let samples = activations.dims()[0].max(1) as f64;
        let wide = accumulation_dtype(activations.dtype());
        let a = activations.cast(wide);
        let size = |sum: Tensor<1>, weight: f64| sum.mul_scalar(weight / samples);
        match (l1 > 0.0, l2 > 0.0) {
            (true, true) => size(a.clone().abs().sum(), l1) + size(a.square().sum(), l2),
            (true, false) => size(a.abs().sum(), l1),
            (false, true) => size(a.square().sum(), l2),
            (false, false) => Tensor::zeros([1], (&a.device(), a.dtype())),
        }
    }

    /// `loss` plus Ω of `activations`, in the type and on the device of `loss`. With λ₁ = λ₂ = 0 it is `loss` itself.
    /// For the outputs of several layers, call it once for each.
    ///
    /// # Shapes
    ///
    /// `activations`: `[samples, ...]`
    pub fn add_to<const D: usize>(&self, loss: Tensor<1>, activations: Tensor<D>) -> Tensor<1> {
        if self.config.l1 == 0.0 && self.config.l2 == 0.0 {
            return loss;
        }
        let penalty = self.forward(activations);
        loss.clone() + penalty.to_device(&loss.device()).cast(loss.dtype())
    }
}
