//! Weight normalisation.

use crate::init::layer_weights::{LayerWeights, layer_weights};
use crate::init::replace_parameters::{Rewrite, rewrite};
use crate::statistics_for_input::beside;
use burn::module::{Module, Param, ParamGroup, ParamId, Reparameterization, Reparameterizer};
use burn::tensor::{Tensor, TensorData};
use burn_tricks_core::walk::{Location, frozen_clones};
use burn_tricks_core::{Config, ConfigError, InlineModule, UnitAxis, accumulation_dtype};
use burn_tricks_kernels::{unit_norms, weight_norm};
use std::collections::{HashMap, HashSet};

/// Configuration of [`WeightNorm`]: the norm and the direction of every unit's weights are learned separately.
///
/// ```text
/// w = g v / ‖v‖     for each unit: v its weights as stored, g a number of its own
/// ```
///
/// The gradient of v is orthogonal to v, so ‖v‖ only grows, and a large ‖v‖ makes the direction change slowly:
/// each unit has its own effective step size.
///
/// # Example
///
/// ```
/// use burn::module::{Module, ParamGroup};
/// use burn::nn::LinearConfig;
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_nn::WeightNormConfig;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let device = Device::flex().autodiff();
/// let model = LinearConfig::new(8, 4).init(&device); // any module, unmodified
/// let input = Tensor::<2>::ones([2, 8], &device);
/// let before = model.forward(input.clone()).into_data();
///
/// let model = WeightNormConfig::new().attach(model)?;
/// assert_eq!(model.forward(input).into_data(), before); // the same function, other parameters
/// assert_eq!(model.num_params(), 8 * 4 + 4 + 4);
///
/// let plain = model.valid().materialize(); // a plain layer again, with the weights it has now
/// assert_eq!(plain.num_params(), 8 * 4 + 4);
/// # Ok(())
/// # }
/// ```
///
/// On some layers only:
///
/// ```
/// # use burn::{module::ParamGroup, nn::LinearConfig, tensor::Device};
/// # use burn_tricks_nn::WeightNormConfig;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let device = Device::flex();
/// let model = vec![LinearConfig::new(8, 8).init(&device), LinearConfig::new(8, 1).init(&device)];
/// let group = ParamGroup::from_regex(r"^0\.").expect("a regular expression");
/// let model = WeightNormConfig::new().with_group(group).attach(model)?;
/// # let _ = model;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Attach it once, after the initial weights are set or loaded and before the optimizer's first step. A unit is
/// an output of the layer; [`UnitAxis`] says on which axis. In a grouped transposed convolution, a unit is one
/// output of every group.
///
/// - **Records.** After attaching, a record holds v under `fc.weight`, and g under `fc.weight.weight_norm.g`.
///   Load a record of the plain model into the plain model, before attaching. To save a record of the plain
///   model, save `model.valid().materialize()`. Into a layer in [column layout](crate#column-layout) load
///   a record with [`load_record`](burn_tricks_core::load_record).
/// - **LoRA.** Burn keeps one reparameterization for each parameter. Attaching to a model with LoRA is an
///   error here; Burn's own `apply_lora` on a model with weight norm freezes its parameters and drops
///   the adapters silently. Materialize first.
/// - **Weight decay** on v only changes how fast its direction moves; on g it has the effect that decay on w
///   had. g has one dimension, so recipes that exempt one-dimensional parameters do not decay it.
///
/// # Cost
///
/// One number for each unit. At every use the weight is read twice, and the normalised weight is written into a buffer that
/// was filled with zeros before; backwards weight and gradient are read twice, and the gradient is written once, in place.
/// This holds on Burn's CPU backend; elsewhere it takes the passes that the backend makes of a dozen tensor operations.
/// After `materialize()` there is no cost. The [README](crate#what-it-costs) has measured times.
///
/// # Differences
///
/// PyTorch's `parametrizations.weight_norm` with its default `dim=0` has the same units in linear layers and
/// convolutions, since it stores their weights as `[out, in, ...]`. The weight of a transposed convolution is
/// `[in, out, ...]` there, so that `dim=0` has one g for each input; `dim=1` has the units that are used here.
///
/// A unit whose weights are all zero becomes NaN in PyTorch. Here such a unit stays
/// zero and can be trained, as the zeroed last layer of a residual block must be: `attach` sets its v to a
/// fixed direction, the same for all such units, and its g to 0. If the weight is tied and one of its places has no weight
/// norm, its v stays zero, since the zeros are used as they are there: then the unit can be trained from the moment when the
/// gradient of that place has moved v. In a frozen clone of a part that is trained v stays as it is. For a unit with one
/// input only g is learned, since v/‖v‖ is a sign. Norms of half-precision weights are computed in `f32`; g has the type of
/// the weight.
///
/// # Suggested values
///
/// There is no setting to choose. Salimans & Kingma set g and the biases from a first batch of data so that the
/// activations have mean 0 and variance 1.
///
/// # References
///
/// - Salimans, Kingma, *Weight normalization: a simple reparameterization to accelerate training of deep
///   neural networks*, 2016, <https://arxiv.org/abs/1602.07868>
/// - <https://github.com/tracel-ai/burn/issues/2738>, the request for it in Burn
#[derive(Config, Debug)]
pub struct WeightNormConfig {
    /// Which weights, by path or id; only those with at least two dimensions count. Default: all.
    #[config(default = "ParamGroup::all()")]
    pub group: ParamGroup,
}

impl WeightNormConfig {
    /// `model` with weight norm on its weights. Its outputs are the same as before, bit for bit unless g is
    /// rounded to half precision. The places of a [tied](crate::TiedWeights) weight get one g,
    /// which is tied too. Each weight of a frozen clone of a part that is trained, such as the teacher of a distillation, gets
    /// a g of its own, which is not trained; in a model without autodiff it cannot be recognised, and counts as tied.
    ///
    /// # Errors
    ///
    /// If the group matches no weight, or a parameter of `model` is reparameterized already.
    pub fn attach<M: Module>(&self, model: M) -> Result<M, ConfigError> {
        let weights = layer_weights(&model, &self.group)?;
        let frozen_clones = frozen_clones(&model);
        let mut directions = GiveDirections {
            weights: &weights,
            frozen_clones: &frozen_clones,
            zeros: HashMap::new(),
        };
        let directed = rewrite(&model, &mut directions);
        let zeros = directions.zeros;
        let model = if zeros.is_empty() { model } else { directed };
        Ok(model.apply_reparameterization(Attach {
            weights,
            frozen_clones,
            zeros,
            attached: HashMap::new(),
        }))
    }
}

/// The norms of the units of a weight. Attached by [`WeightNormConfig::attach`];
/// [`Param::reparameterization`] returns it.
#[derive(InlineModule, Debug)]
pub struct WeightNorm {
    /// The norm of each unit's weights.
    pub g: Param<Tensor<1>>,
    #[module(skip)]
    units: UnitAxis,
}

impl Reparameterization for WeightNorm {
    const NAME: &'static str = "weight_norm";

    fn apply<const D: usize>(&self, base: Tensor<D>) -> Tensor<D> {
        weight_norm(base, self.g.val(), self.units.axis())
    }
}

/// Finds the units of zeros and gives them a direction: without one, neither v nor g would ever have a gradient.
struct GiveDirections<'a> {
    weights: &'a LayerWeights,
    /// The places that are not trained, whose units of zeros stay.
    frozen_clones: &'a HashSet<String>,
    /// The weights that have such units, by path: 0 for each of them, 1 for the others.
    zeros: HashMap<String, Vec<f64>>,
}

impl Rewrite for GiveDirections<'_> {
    fn rewrite<const D: usize>(
        &mut self,
        at: &Location,
        paths: &[String],
        old: &Tensor<D>,
    ) -> Option<Tensor<D>> {
        if self.frozen_clones.contains(at.path()) {
            return None;
        }
        let has_norm = |path: &&String| self.weights.contains_key(*path);
        let with_norm = paths.iter().find(has_norm)?; // the place for which `Attach` makes g
        let units = self.weights[with_norm];
        let wide = old.clone().cast(accumulation_dtype(old.dtype()));
        let is_zero = units.sum_per_unit(wide.abs()).equal_elem(0);
        #[allow(clippy::disallowed_methods)] // before training
        let flags: Vec<bool> = is_zero.clone().into_data().iter().collect();
        if !flags.contains(&true) {
            return None;
        }
        let kept = flags.iter().map(|is_zero| f64::from(u8::from(!is_zero)));
        self.zeros.insert(with_norm.clone(), kept.collect());
        // Zeros that also stand where there is no weight norm are to stay zeros there.
        if !paths.iter().all(|path| has_norm(&path)) {
            return None;
        }
        let mut of_unit = old.dims();
        of_unit[units.axis()] = 1;
        let count: usize = of_unit.iter().product();
        // No pattern that inputs might be orthogonal to, at length 1.
        let values: Vec<f64> = (1..=count).map(|i| (i as f64).cos()).collect();
        let length = values.iter().map(|value| value * value).sum::<f64>().sqrt();
        let values = values.iter().map(|value| value / length).collect();
        let options = (&old.device(), old.dtype());
        let direction = Tensor::<D>::from_data(TensorData::new(values, of_unit), options);
        let (is_zero, direction) = (is_zero.expand(old.dims()), direction.expand(old.dims()));
        Some(old.clone().mask_where(is_zero, direction))
    }
}

struct Attach {
    weights: LayerWeights,
    /// The places that have the id of a parameter that is trained, and need a g of their own.
    frozen_clones: HashSet<String>,
    zeros: HashMap<String, Vec<f64>>,
    attached: HashMap<ParamId, WeightNorm>,
}

impl Reparameterizer for Attach {
    type Reparam = WeightNorm;

    fn reparameterize<const D: usize>(
        &mut self,
        path: &str,
        param: Param<Tensor<D>>,
    ) -> (Param<Tensor<D>>, Option<WeightNorm>) {
        let Some(units) = self.weights.get(path).copied() else {
            return (param, None);
        };
        let is_frozen_clone = self.frozen_clones.contains(path);
        if !is_frozen_clone && let Some(attached) = self.attached.get(&param.id) {
            let norm = attached.clone();
            return (param, Some(norm));
        }
        let v = param.base();
        let dtype = v.dtype();
        let mut g = beside(unit_norms(v.clone(), units.axis()), &v);
        if let Some(kept) = self.zeros.get(path) {
            g = g * Tensor::from_data(kept.as_slice(), (&v.device(), dtype));
        }
        let mut g = Param::from_tensor(g.detach());
        let trains = if v.is_autodiff() {
            v.is_require_grad()
        } else {
            // Without autodiff no tensor requires a gradient; the parameter knows whether it will in training.
            param.clone().train().is_require_grad()
        };
        if !trains {
            g = g.set_require_grad(false); // with the frozen weight it belongs to
        }
        let norm = WeightNorm { g, units };
        if !is_frozen_clone {
            self.attached.insert(param.id, norm.clone());
        }
        (param, Some(norm))
    }
}
