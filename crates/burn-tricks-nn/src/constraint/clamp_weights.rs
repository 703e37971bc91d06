//! Weight clamp.

use burn::module::{Module, ModuleMapper, Param, ParamGroup, ParamId};
use burn::tensor::Tensor;
use burn_tricks_core::walk::visit_floats;
use burn_tricks_core::{Config, ConfigError, Leaf, tie};
use std::collections::HashSet;

/// Configuration of [`ClampWeights`]: after every step, each number of the weights is cut to an interval.
///
/// ```text
/// w ← min(max(w, min), max)     for each number of each weight
/// ```
///
/// It serves for the critic of a Wasserstein GAN, for weights that must not become negative, and for weights
/// that must fit a fixed-point device.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burn_tricks_nn::ClampWeightsConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let clamp = ClampWeightsConfig::new(-0.01, 0.01).init()?;
/// let mut critic = LinearConfig::new(4, 1).init(&Device::flex().autodiff());
/// for _ in 0..3 {
///     // ... critic = optim.step(lr, critic, grads); ...
///     critic = clamp.apply(critic);
/// }
/// assert!(critic.weight.val().abs().max().into_scalar::<f32>() <= 0.01);
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Apply it after the optimizer's step and before an average of weights is updated. In a `Learner` it is a
/// trick: `model.with_tricks((clamp, ema))`. Optimizer states are not changed.
///
/// All trained float parameters that `group` matches are clamped, biases and the gains of normalisation layers too;
/// [`ClampWeights::paths`] lists them. A group that matches nothing changes nothing. Running statistics and frozen
/// weights stay, and so does what is on a plain device in a model that is trained on an autodiff device, such as a scaler. In a
/// model without autodiff none of these can be recognised: they are clamped too, unless `group` leaves them out.
/// Where a reparameterization is attached, its stored factors are clamped. NaN stays NaN.
///
/// # Cost
///
/// One pass over the weights, into new tensors.
///
/// # Differences
///
/// PyTorch's users write `p.data.clamp_(-c, c)` in a loop over `parameters()`; Keras has `NonNeg`, which is
/// `min = 0`, `max = f64::MAX`. `optax.keep_params_nonnegative` changes the update instead.
///
/// # Suggested values
///
/// ±0.01 for the critic of a Wasserstein GAN (Arjovsky et al.), who call it "a clearly terrible way to enforce a
/// Lipschitz constraint": see [`SpectralNormConfig`](crate::SpectralNormConfig).
///
/// # References
///
/// - Arjovsky, Chintala, Bottou, *Wasserstein GAN*, 2017, algorithm 1, <https://arxiv.org/abs/1701.07875>
#[derive(Config, Debug)]
pub struct ClampWeightsConfig {
    /// The smallest value that a weight may have.
    pub min: f64,
    /// The largest value that a weight may have, not less than `min`.
    pub max: f64,
    /// Which weights, by path or id. Default: all.
    #[config(default = "ParamGroup::all()")]
    pub group: ParamGroup,
}

impl ClampWeightsConfig {
    /// The constraint.
    ///
    /// # Errors
    ///
    /// If a bound is not finite, or if `max` is less than `min`.
    pub fn init(&self) -> Result<ClampWeights, ConfigError> {
        ConfigError::finite("min", self.min)?;
        ConfigError::finite("max", self.max)?;
        if self.max < self.min {
            let got = format_args!("{} with `min` {}", self.max, self.min);
            return Err(ConfigError::new("max", "be at least `min`", got));
        }
        Ok(ClampWeights {
            config: self.clone(),
        })
    }
}

/// Cuts each number of the weights to an interval. Made by [`ClampWeightsConfig::init`].
#[derive(Debug, Clone)]
pub struct ClampWeights {
    config: ClampWeightsConfig,
}

impl ClampWeights {
    /// `model` with its weights clamped to the interval. A tied weight is clamped if the group matches one of
    /// its places, and all of them that are trained get the value of the first.
    #[must_use]
    pub fn apply<M: Module>(&self, model: M) -> M {
        let ClampWeightsConfig { min, max, .. } = self.config;
        let Clamped {
            ids, only_trained, ..
        } = self.clamped(&model);
        tie(model.map(&mut Clamp {
            min,
            max,
            ids,
            only_trained,
        }))
    }

    /// The paths of the weights that are clamped, to check that a pattern matches what it should.
    pub fn paths<M: Module>(&self, model: &M) -> Vec<String> {
        self.clamped(model).paths
    }

    fn clamped<M: Module>(&self, model: &M) -> Clamped {
        let (mut found, mut only_trained) = (Vec::new(), false);
        visit_floats(model, |at, param| {
            let (id, is_trained) = (param.id(), param.is_require_grad());
            only_trained |= is_trained || param.is_frozen();
            if self.config.group.matches(&id, Some(at.path())) {
                found.push((id, is_trained, at.path().to_owned()));
            }
        });
        let (mut ids, mut paths) = (HashSet::new(), Vec::new());
        for (id, is_trained, path) in found {
            if (is_trained || !only_trained) && ids.insert(id) {
                paths.push(path);
            }
        }
        Clamped {
            ids,
            paths,
            only_trained,
        }
    }
}

/// The weights of a model that are clamped.
struct Clamped {
    ids: HashSet<ParamId>,
    paths: Vec<String>,
    /// Whether the model is on an autodiff device, so that what requires no gradient stays.
    only_trained: bool,
}

struct Clamp {
    min: f64,
    max: f64,
    ids: HashSet<ParamId>,
    /// Whether a place of such a weight that requires no gradient stays.
    only_trained: bool,
}

impl ModuleMapper for Clamp {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let id = param.id;
        if !self.ids.contains(&id) || self.only_trained && !param.is_require_grad() {
            return param;
        }
        param.map(|weight| {
            let leaf = Leaf::new(&weight);
            leaf.with_value(weight.without_autodiff().clamp(self.min, self.max), id)
        })
    }
}
