//! Weight standardisation.

use crate::init::layer_weights::{LayerWeights, layer_weights};
use crate::norm::few_values::LEAST_VALUES;
use burn::module::{Module, Param, ParamGroup, Reparameterization, Reparameterizer};
use burn::tensor::Tensor;
use burn_tricks_core::{Config, ConfigError, InlineModule, ParamInfo, UnitAxis, params};
use burn_tricks_kernels::{UnitDeviation, standardize_units};
use serde::{Deserialize, Serialize};

/// What the centred weights of a unit with n inputs are divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deviation {
    /// `√(Σ(w − μ)²/n + ε)`: timm.
    Population,
    /// `√(Σ(w − μ)²/n) + ε`: Composer.
    PopulationPlus,
    /// `√(Σ(w − μ)²/(n − 1)) + ε`: the code of the paper's authors.
    SamplePlus,
}

impl Deviation {
    fn with(self, epsilon: f64) -> UnitDeviation {
        let (freedom, inside, outside) = match self {
            Self::Population => (0.0, epsilon, 0.0),
            Self::PopulationPlus => (0.0, 0.0, epsilon),
            Self::SamplePlus => (1.0, 0.0, epsilon),
        };
        UnitDeviation {
            freedom,
            inside,
            outside,
        }
    }
}

/// Configuration of [`WeightStandardization`]: the weights of every unit are used with mean 0 and variance 1.
///
/// ```text
/// ŵ = (w − μ) / √(σ² + ε)     for each unit: μ, σ² over its inputs
/// ```
///
/// In front of group norm it takes the place of batch norm where a batch has only one or two images.
///
/// # Example
///
/// ```
/// use burn::module::Module;
/// use burn::nn::conv::Conv2dConfig;
/// use burn::tensor::Device;
/// use burn_tricks_nn::WeightStandardizationConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let model = Conv2dConfig::new([3, 8], [3, 3]).init(&Device::flex().autodiff());
/// let count = model.num_params();
/// let model = WeightStandardizationConfig::new().attach(model)?;
/// assert_eq!(model.num_params(), count); // nothing new to learn or to record
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Attach it to convolutions that are followed by a normalisation, which undoes the change of scale: choose
/// them with `group`, and leave the last layer out. Attach it once, like [`WeightNorm`](crate::WeightNorm):
/// after the initial weights are set or loaded and before the optimizer's first step.
///
/// A unit with one input (in a `Linear(1, n)`, a depthwise 1×1 convolution, an embedding of one column) has a
/// single weight, without variance: its standardised weight would be 0 whatever is learned. The two weights of
/// a unit with two inputs would be 1 and −1, with no gradient. `attach` refuses such weights and names the path
/// of the first. To standardise all others, set the group to
/// `ParamGroup::all().exclude(ParamGroup::from_path("depthwise.weight"))`.
///
/// - **Records** hold w under its old path, and nothing more: records of the plain model load into this one,
///   and the other way round. (The plain model then computes with w itself.)
/// - **LoRA** and other reparameterizations: one for each parameter; see [`WeightNorm`](crate::WeightNorm).
///
/// # Cost
///
/// No memory for state. At every use the weight is read twice, and the standardised weight is written into a buffer that was
/// filled with zeros before; backwards weight and gradient are read twice, and the gradient is written once, in place.
/// This holds on Burn's CPU backend; elsewhere it takes the passes that the backend makes of a dozen tensor operations.
/// After `materialize()` there is no cost. The [README](crate#what-it-costs) has measured times.
///
/// # Differences
///
/// Three implementations divide by three different denominators, and [`Deviation`] has them all: timm's
/// `StdConv2d` (the default here) has ε inside the root of the population variance; Composer adds it to the
/// population deviation; the code of the paper's authors adds it to the sample deviation. timm's ε is 1e-6, the
/// others' 1e-5.
///
/// # Suggested values
///
/// Together with group norm of 32 groups, at any batch size (Qiao et al.).
///
/// # References
///
/// - Qiao, Wang, Liu, Shen, Yuille, *Micro-batch training with batch-channel normalization and weight
///   standardization*, 2019, <https://arxiv.org/abs/1903.10520>
/// - timm, `timm.layers.StdConv2d`; Composer, `composer.algorithms.WeightStandardization`
#[derive(Config, Debug)]
pub struct WeightStandardizationConfig {
    /// ε, greater than 0. Default: 1e-5.
    #[config(default = 1e-5)]
    pub epsilon: f64,
    /// Which standard deviation of a unit's weights divides them. Default: [`Deviation::Population`], with ε
    /// inside the root.
    #[config(default = "Deviation::Population")]
    pub deviation: Deviation,
    /// Which weights, by path or id; only those with at least two dimensions count, and their units must have
    /// at least three inputs. Default: all.
    #[config(default = "ParamGroup::all()")]
    pub group: ParamGroup,
}

impl WeightStandardizationConfig {
    /// `model` with standardised weights. Its function changes, so train it afterwards.
    ///
    /// # Errors
    ///
    /// If `epsilon` is not greater than 0, the group matches no weight or one whose units have fewer than three
    /// inputs, or a parameter of `model` is reparameterized already.
    pub fn attach<M: Module>(&self, model: M) -> Result<M, ConfigError> {
        let epsilon = ConfigError::positive("epsilon", self.epsilon)?;
        let weights = layer_weights(&model, &self.group)?;
        refuse_few_inputs(&model, &weights)?;
        Ok(model.apply_reparameterization(Attach {
            weights,
            epsilon,
            deviation: self.deviation,
        }))
    }
}

/// Standardises the units of a weight. Attached by [`WeightStandardizationConfig::attach`].
#[derive(InlineModule, Debug)]
pub struct WeightStandardization {
    #[module(skip)]
    epsilon: f64,
    #[module(skip)]
    deviation: Deviation,
    #[module(skip)]
    units: UnitAxis,
}

impl Reparameterization for WeightStandardization {
    const NAME: &'static str = "weight_standardization";

    fn apply<const D: usize>(&self, base: Tensor<D>) -> Tensor<D> {
        standardize_units(self.deviation.with(self.epsilon), base, self.units.axis())
    }
}

/// An error if a unit has one input or two: standardised, its weights would be 0 or ±1, whatever they were.
fn refuse_few_inputs<M: Module>(model: &M, weights: &LayerWeights) -> Result<(), ConfigError> {
    let inputs = |param: &ParamInfo| {
        let units = weights.get(&param.path)?;
        Some(param.shape.iter().product::<usize>() / param.shape[units.axis()].max(1))
    };
    let has_few = |param: &ParamInfo| inputs(param).is_some_and(|inputs| inputs < LEAST_VALUES);
    match params(model).into_iter().find(has_few) {
        Some(ParamInfo { path, shape, .. }) => {
            let requirement = "match weights whose units have at least 3 inputs only (1 would be \
                               standardised to 0 and 2 to ±1, whatever is learned)";
            let got = format!("{path} {shape:?}");
            Err(ConfigError::new("group", requirement, got))
        }
        None => Ok(()),
    }
}

struct Attach {
    weights: LayerWeights,
    epsilon: f64,
    deviation: Deviation,
}

impl Reparameterizer for Attach {
    type Reparam = WeightStandardization;

    fn reparameterize<const D: usize>(
        &mut self,
        path: &str,
        param: Param<Tensor<D>>,
    ) -> (Param<Tensor<D>>, Option<WeightStandardization>) {
        let reparameterization = self.weights.get(path).map(|&units| WeightStandardization {
            epsilon: self.epsilon,
            deviation: self.deviation,
            units,
        });
        (param, reparameterization)
    }
}
