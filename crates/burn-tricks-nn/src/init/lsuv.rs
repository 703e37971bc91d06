//! Layer-sequential unit-variance initialisation.

use crate::init::init_error::InitError;
use crate::init::layer_weights::{refuse_reparameterized, reparameterized};
use crate::init::replace_parameters::{Rewrite, rewrite};
use burn::module::{Module, ParamId};
use burn::tensor::Tensor;
use burn_tricks_core::walk::{Location, frozen_clones};
use burn_tricks_core::{Config, ConfigError, ParamInfo, epsilon, is_rounding, near_names, params};
use std::collections::HashMap;

/// Configuration of [`Lsuv`], layer-sequential unit-variance initialisation: each layer's weights are scaled until
/// its outputs on real data have variance 1.
///
/// ```text
/// for each layer, from the first to the last:
///     until |Var(output) - 1| < tolerance, at most max_iterations times:
///         W ← W / √Var(output)
/// ```
///
/// # Example
///
/// The caller's closure runs the model up to a layer, since only the caller knows the forward pass.
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::{Device, Distribution, Tensor, activation::tanh};
/// use burn_tricks_nn::LsuvConfig;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let device = Device::flex();
/// let layers = vec![LinearConfig::new(16, 16).init(&device), LinearConfig::new(16, 4).init(&device)];
/// let batch = Tensor::<2>::random([256, 16], Distribution::Normal(0.0, 1.0), &device);
/// let outcome = LsuvConfig::new().init()?.apply(&layers, &["0", "1"], |layers, path| {
///     let first = layers[0].forward(batch.clone());
///     match path {
///         "0" => first,
///         _ => layers[1].forward(tanh(first)),
///     }
/// })?;
/// assert!(outcome.layers.iter().all(|layer| (layer.variance - 1.0).abs() < 0.1));
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Apply it after an initialisation by [`InitWeightsConfig`](crate::InitWeightsConfig) (orthogonal in the
/// paper, with zero biases), before anything is attached to the weights and before training. The layers are
/// given in the order of the forward pass, and the closure returns a layer's output before its activation.
/// Dropout is off: the closure sees the model without autodiff.
///
/// # Cost
///
/// One or two forward passes over a batch for each layer; each output is read from the device.
///
/// # Differences
///
/// The algorithm is the paper's, with one variance over all outputs of a layer, as in its reference code. An
/// output that varies by no more than rounding is an error here; the paper divides by its standard deviation. A
/// [tied](crate::TiedWeights) weight is divided at all its places; it is an error if two of the
/// given layers hold it. A frozen clone of a part that is trained, such as the teacher of a distillation, has weights of
/// its own: in a model on an autodiff device it keeps them when that part is scaled.
///
/// # Suggested values
///
/// A tolerance of 0.1 and 10 iterations (Mishkin & Matas).
///
/// # References
///
/// - Mishkin & Matas, *All you need is a good init*, 2016, <https://arxiv.org/abs/1511.06422>
#[derive(Config, Debug, PartialEq)]
pub struct LsuvConfig {
    /// How far from 1 the variance of an output may be, above 0. Default: 0.1.
    #[config(default = 0.1)]
    pub tolerance: f64,
    /// How often the weights of a layer are divided, at least once. Default: 10.
    #[config(default = 10)]
    pub max_iterations: usize,
}

impl LsuvConfig {
    /// The initialiser.
    ///
    /// # Errors
    ///
    /// If `tolerance` is not a positive number or `max_iterations` is 0.
    pub fn init(&self) -> Result<Lsuv, ConfigError> {
        ConfigError::positive("tolerance", self.tolerance)?;
        ConfigError::at_least_one("max_iterations", self.max_iterations)?;
        Ok(Lsuv {
            config: self.clone(),
        })
    }
}

/// Divides the weights of each layer by the spread of its output. Made by [`LsuvConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct Lsuv {
    config: LsuvConfig,
}

/// What [`Lsuv::apply`] returns.
#[derive(Debug, Clone)]
pub struct LsuvOutcome<M> {
    /// The model with its new weights.
    pub model: M,
    /// The layers, in the order in which they were given.
    pub layers: Vec<LsuvLayer>,
}

/// The result for one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct LsuvLayer {
    /// Its path.
    pub path: String,
    /// How often its weight was divided.
    pub iterations: usize,
    /// The variance of its output at the end, which may lie outside the tolerance if `max_iterations` was
    /// reached.
    pub variance: f64,
}

impl Lsuv {
    /// Scales the weight of each of the `layers`, given by the paths of the modules that hold a `weight`;
    /// `""` is the model itself. `output(model, path)` returns the output of that layer for a batch of
    /// training data.
    ///
    /// # Errors
    ///
    /// If a layer has no weight of its own or a reparameterized one, if two of the layers share a tied weight,
    /// or if the output of a layer varies by no more than rounding, for example if it has one unit and the
    /// batch has one sample.
    pub fn apply<M: Module, const D: usize>(
        &self,
        model: &M,
        layers: &[&str],
        mut output: impl FnMut(&M, &str) -> Tensor<D>,
    ) -> Result<LsuvOutcome<M>, InitError> {
        let (places, reparameterized) = (params(model), reparameterized(model));
        let is_param = |path: &str| places.iter().any(|param| param.path == path);
        let frozen_clones = frozen_clones(model);
        // Frozen clones have the ids of what is trained, and are parameters of their own.
        let key = |param: &ParamInfo| (param.id, frozen_clones.contains(&param.path));
        let mut scaled_by: HashMap<(ParamId, bool), &str> = HashMap::new();
        for layer in layers {
            let path = weight(layer);
            if is_param(layer) {
                let path = (*layer).to_owned();
                return Err(InitError::NotALayer { path });
            }
            if !is_param(&path) {
                let known: Vec<String> = places.into_iter().map(|param| param.path).collect();
                let similar = near_names(&path, &known);
                return Err(InitError::NoSuchPath { path, similar });
            }
            let scaled = places.iter().find(|param| param.path == path).map(key);
            for place in places.iter().filter(|param| Some(key(param)) == scaled) {
                refuse_reparameterized(&reparameterized, &place.path)?;
            }
            if let Some(scaled) = scaled
                && let Some(first) = scaled_by.insert(scaled, layer)
                && first != *layer
            {
                let (path, other) = (weight(first), path);
                return Err(InitError::Tied { path, other });
            }
        }
        let mut scaled = model.clone();
        let mut report = Vec::with_capacity(layers.len());
        for layer in layers {
            let mut iterations = 0;
            let variance = loop {
                let Spread {
                    variance,
                    is_rounding,
                } = Spread::of(output(&scaled.valid(), layer));
                if is_rounding || !variance.is_finite() {
                    let path = (*layer).to_owned();
                    return Err(InitError::Output { path, variance });
                }
                let close = (variance - 1.0).abs() < self.config.tolerance;
                if close || iterations == self.config.max_iterations {
                    break variance;
                }
                let mut divide = Divide {
                    path: weight(layer),
                    by: variance.sqrt(),
                };
                scaled = rewrite(&scaled, &mut divide);
                iterations += 1;
            };
            report.push(LsuvLayer {
                path: (*layer).to_owned(),
                iterations,
                variance,
            });
        }
        Ok(LsuvOutcome {
            model: scaled,
            layers: report,
        })
    }
}

/// The path of the weight of a layer.
fn weight(layer: &str) -> String {
    match layer {
        "" => "weight".to_owned(),
        layer => format!("{layer}.weight"),
    }
}

/// Of all values of an output together, on the host in `f64`.
struct Spread {
    variance: f64,
    /// Whether it is no more than the rounding of the values: of an output that does not vary.
    is_rounding: bool,
}

impl Spread {
    fn of<const D: usize>(output: Tensor<D>) -> Self {
        let epsilon = epsilon(output.dtype());
        #[allow(clippy::disallowed_methods)] // before training
        let values: Vec<f64> = output.into_data().iter::<f64>().collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let squares = values.iter().map(|value| (value - mean).powi(2));
        let variance = squares.sum::<f64>() / values.len() as f64;
        Self {
            variance,
            is_rounding: is_rounding(variance.sqrt(), mean, epsilon),
        }
    }
}

struct Divide {
    path: String,
    by: f64,
}

impl Rewrite for Divide {
    fn rewrite<const D: usize>(
        &mut self,
        _at: &Location,
        paths: &[String],
        old: &Tensor<D>,
    ) -> Option<Tensor<D>> {
        (paths.contains(&self.path)).then(|| old.clone() / self.by)
    }
}
