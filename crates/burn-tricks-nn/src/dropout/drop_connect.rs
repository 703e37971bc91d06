//! DropConnect.

use crate::dropout::training_only::acts;
use crate::init::layer_weights::{LayerWeights, layer_weights};
use burn::module::{Flag, Module, Param, ParamGroup, Reparameterization, Reparameterizer};
use burn::tensor::Tensor;
use burn_tricks_core::{Config, ConfigError, InlineModule};
use burn_tricks_kernels::{Noise, noise};

/// Configuration of [`DropConnect`]: during training weights are dropped, not activations.
///
/// ```text
/// ŵ = w m / (1 − p)     m ~ Bernoulli(1 − p), one for each weight, new at every use
/// ```
///
/// # Example
///
/// ```
/// use burn::module::{Module, ParamGroup};
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burn_tricks_nn::DropConnectConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let model = LinearConfig::new(8, 4).init(&device);
/// let model = DropConnectConfig::new(0.5).attach(model)?;
/// assert_ne!(model.weight.val().into_data(), model.weight.val().into_data()); // drawn anew
/// assert_eq!(model.valid().weight.val().into_data(), model.weight.base().into_data());
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Attach it to the weights that `group` chooses; biases are not dropped. Attach it once, like
/// [`WeightNorm`](crate::WeightNorm): after the initial weights are set or loaded. It drops weights on an
/// autodiff device while the `training` flag is set: `valid()` and `freeze()` switch it off. Masks depend on
/// the generator of the weight's device: see [`DropPath`](crate::DropPath) for what a seed gives.
///
/// - **Records** hold w under its old path, and nothing more: records of the plain model load into this one,
///   and the other way round.
/// - **LoRA** and other reparameterizations: one for each parameter; see [`WeightNorm`](crate::WeightNorm).
/// - **Recurrent layers** use their weights at every time step, and so draw a mask at each time step. AWD-LSTM
///   draws one mask for the whole sequence.
/// - `materialize()` of a model in training fixes the weights with one random mask: call it after `valid()`.
///
/// # Cost
///
/// On Burn's CPU backend one pass over the weight at every use, in which the mask is made from a key and a counter, and one
/// over the gradient, in which it is made again: no mask is stored. Elsewhere a mask of the size of the weight, and two
/// passes. All samples of a batch share it. The [README](crate#what-it-costs) has measured times.
///
/// # Differences
///
/// The paper draws a mask for each sample and approximates inference by a Gaussian; here, as in fastai's
/// `WeightDropout`, one mask serves the whole batch, weights are scaled up in training, and inference uses w.
///
/// # Suggested values
///
/// p = 0.5 for fully connected layers (Wan et al., Merity et al.).
///
/// # References
///
/// - Wan, Zeiler, Zhang, LeCun, Fergus, *Regularization of neural networks using DropConnect*, 2013,
///   <https://proceedings.mlr.press/v28/wan13.html>
/// - Merity, Keskar, Socher, *Regularizing and optimizing LSTM language models*, 2017,
///   <https://arxiv.org/abs/1708.02182>
/// - fastai, `WeightDropout`
#[derive(Config, Debug)]
pub struct DropConnectConfig {
    /// Probability p of dropping a weight, in [0, 1). 0 is the plain layer.
    pub prob: f64,
    /// Which weights, by path or id; only those with at least two dimensions count. Default: all.
    #[config(default = "ParamGroup::all()")]
    pub group: ParamGroup,
}

impl DropConnectConfig {
    /// `model`, whose weights are dropped in training.
    ///
    /// # Errors
    ///
    /// If `prob` does not lie in [0, 1), the group matches no weight, or a parameter of `model` is
    /// reparameterized already.
    pub fn attach<M: Module>(&self, model: M) -> Result<M, ConfigError> {
        let prob = ConfigError::within("prob", self.prob, 0.0..1.0)?;
        let weights = layer_weights(&model, &self.group)?;
        Ok(model.apply_reparameterization(Attach { weights, prob }))
    }
}

/// Drops weights. Attached by [`DropConnectConfig::attach`]; [`Param::reparameterization`] returns it.
#[derive(InlineModule, Debug)]
pub struct DropConnect {
    /// Probability of dropping a weight. A `forward` with a value outside [0, 1) panics.
    #[module(skip)]
    pub prob: f64,
    /// Whether to drop, on an autodiff device.
    pub training: Param<Flag>,
}

impl Reparameterization for DropConnect {
    const NAME: &'static str = "drop_connect";

    fn apply<const D: usize>(&self, base: Tensor<D>) -> Tensor<D> {
        if !acts(&self.training, self.prob, &base) {
            return base;
        }
        let dropout = Noise::Dropout {
            prob: self.prob,
            kept: 1.0 / (1.0 - self.prob),
        };
        noise(base, dropout, 0)
    }
}

struct Attach {
    weights: LayerWeights,
    prob: f64,
}

impl Reparameterizer for Attach {
    type Reparam = DropConnect;

    fn reparameterize<const D: usize>(
        &mut self,
        path: &str,
        param: Param<Tensor<D>>,
    ) -> (Param<Tensor<D>>, Option<DropConnect>) {
        let reparameterization = self.weights.contains_key(path).then(|| DropConnect {
            prob: self.prob,
            training: Param::from_bool(true),
        });
        (param, reparameterization)
    }
}
