//! Monte Carlo dropout.

use burn::module::Module;
use burn::tensor::Tensor;
use burn_tricks_core::walk::map_flags;
use burn_tricks_core::{Config, ConfigError, accumulation_dtype};
use std::collections::BTreeSet;

/// Layers that draw at random while their flag is set.
const STOCHASTIC: [&str; 8] = [
    "Dropout",
    "GaussianNoise",
    "DropPath",
    "DropBlock",
    "SpatialDropout",
    "AlphaDropout",
    "GaussianDropout",
    "DropConnect",
];

/// Configuration of [`McDropout`]: dropout stays on at inference, and the spread of the predictions says how sure
/// the model is.
///
/// ```text
/// ŷ = 1/T Σ f(x; mₜ)     σ = √(1/T Σ (f(x; mₜ) − ŷ)²)     mₜ: the dropout masks of pass t
/// ```
///
/// # Example
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_nn::{Dropout, DropoutConfig, McDropoutConfig};
///
/// #[derive(Module, Debug)]
/// struct Net {
///     hidden: Linear,
///     dropout: Dropout,
///     out: Linear,
/// }
///
/// # impl Net {
/// #     fn forward(&self, x: Tensor<2>) -> Tensor<2> {
/// #         self.out.forward(self.dropout.forward(self.hidden.forward(x)))
/// #     }
/// # }
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex();
/// let net = Net {
///     hidden: LinearConfig::new(4, 32).init(&device),
///     dropout: DropoutConfig::new(0.5).init()?,
///     out: LinearConfig::new(32, 2).init(&device),
/// };
/// let x = Tensor::<2>::ones([3, 4], &device);
///
/// let mc = McDropoutConfig::new(20).init(&net)?;
/// let (mean, deviation) = mc.moments(|net| net.forward(Tensor::from_inner(x.clone())));
/// assert_eq!((mean.dims(), deviation.dims()), ([3, 2], [3, 2]));
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Use it on a trained model, in place of `valid()`. Dropout acts only on an autodiff device, so the
/// model that the closure gets is moved to one: no parameter requires a gradient, the flags of dropout layers
/// are set, and all other flags are cleared, so that batch norm uses its running statistics and does not update
/// them. The model given to `init` is not changed.
///
/// - Inputs have to be moved to the autodiff device as well, with `Tensor::from_inner`. Outputs come back
///   without autodiff.
/// - The layers that draw are Burn's `Dropout` and `GaussianNoise` and this crate's `Dropout`, `DropPath`,
///   `DropBlock`, `SpatialDropout`, `AlphaDropout`, `GaussianDropout` and `DropConnect`. Add a layer of your own that has a
///   flag by the name of its type, with `with_layers`. A name that the model does not contain is an error, as
///   is a model without a layer that draws. Burn's attention and transformer layers contain a `Dropout`, which
///   is found like any other.
/// - Frozen dropout layers draw here, too. Dropout that does not depend on a flag can be switched neither on
///   nor off.
/// - Masks come from the generator of the device: seed it to get the same samples.
///
/// # Cost
///
/// T forward passes. [`McDropout::samples`] holds all T outputs in memory, [`McDropout::moments`] four. No
/// gradients are computed; the model's tensors are shared, not copied.
///
/// # Differences
///
/// In PyTorch one switches the dropout layers to `train()` by hand. In Keras one passes `training=True`, which
/// also makes batch norm normalise with the batch.
///
/// # Suggested values
///
/// 10 to 100 passes (Gal & Ghahramani). For classification, let the closure end in a softmax, so that
/// probabilities are averaged, not logits.
///
/// # References
///
/// - Gal, Ghahramani, *Dropout as a Bayesian approximation*, 2016, <https://arxiv.org/abs/1506.02142>
#[derive(Config, Debug, PartialEq)]
pub struct McDropoutConfig {
    /// The number of forward passes, at least 2: a single one has no standard deviation.
    pub samples: usize,
    /// Names of further types of layers whose flags are to be set. Default: none.
    #[config(default = "Vec::new()")]
    pub layers: Vec<String>,
}

impl McDropoutConfig {
    /// A copy of `model` whose dropout is on. `model` may be in training or validation mode, on any device.
    ///
    /// # Errors
    ///
    /// If `samples` is less than 2, if the model has no layer that draws (all its predictions would be equal,
    /// which would look like certainty), or if a name in `layers` is that of no layer with a flag.
    pub fn init<M: Module>(&self, model: &M) -> Result<McDropout<M>, ConfigError> {
        let samples = self.samples;
        if samples < 2 {
            let requirement =
                "be at least 2 (one pass has no spread, which would look perfectly sure)";
            return Err(ConfigError::new("samples", requirement, samples));
        }
        // The types of the layers with a flag, and whether one of them draws.
        let (mut flagged, mut some_draw) = (BTreeSet::new(), false);
        let model = map_flags(model.valid().train().no_grad(), |at, flag| {
            let layer = at.layer();
            let draws = STOCHASTIC.contains(&layer) || self.layers.iter().any(|name| name == layer);
            flagged.insert(layer.to_owned());
            some_draw |= draws;
            flag.with_value(draws)
        });
        let is_met = |layer: &&String| flagged.contains(*layer);
        if let Some(unmet) = self.layers.iter().find(|layer| !is_met(layer)) {
            let requirement = "name types of layers with a flag that the model has";
            return Err(ConfigError::new("layers", requirement, unmet));
        }
        if !some_draw {
            let requirement = "have a layer that draws, such as dropout";
            return Err(ConfigError::new("model", requirement, flagged));
        }
        Ok(McDropout { model, samples })
    }
}

/// A model whose dropout is on. Made by [`McDropoutConfig::init`].
#[derive(Debug, Clone)]
pub struct McDropout<M: Module> {
    model: M,
    samples: usize,
}

impl<M: Module> McDropout<M> {
    /// The stochastic model, on an autodiff device.
    pub fn model(&self) -> &M {
        &self.model
    }

    /// The predictions of all passes, without autodiff.
    pub fn samples<const D: usize>(&self, predict: impl Fn(&M) -> Tensor<D>) -> Vec<Tensor<D>> {
        (0..self.samples)
            .map(|_| predict(&self.model).without_autodiff())
            .collect()
    }

    /// Mean and standard deviation (of the population: divided by T) of the predictions, without
    /// autodiff.
    pub fn moments<const D: usize>(
        &self,
        predict: impl Fn(&M) -> Tensor<D>,
    ) -> (Tensor<D>, Tensor<D>) {
        let sample = || predict(&self.model).without_autodiff();
        let first = sample();
        let dtype = first.dtype();
        let mut mean = first.cast(accumulation_dtype(dtype));
        // Welford's sum of squares. Passes that agree to the bit have their mean to the bit, and no spread:
        // a sum of them, divided, would be rounded.
        let mut squares = mean.zeros_like();
        for count in 2..=self.samples {
            let sample = sample().cast(mean.dtype());
            let before = sample.clone() - mean.clone();
            mean = mean + before.clone() / count as f64;
            squares = squares + before * (sample - mean.clone());
        }
        let deviation = (squares / self.samples as f64).sqrt();
        (mean.cast(dtype), deviation.cast(dtype))
    }
}
