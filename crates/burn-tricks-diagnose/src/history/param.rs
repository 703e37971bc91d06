//! A parameter over time.

use burn_tricks_core::ParamRole;
use serde::{Deserialize, Serialize};

/// The numbers of a tensor at one time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct TensorStats {
    /// The Euclidean norm.
    #[serde(with = "crate::float")]
    pub norm: f64,
    /// The mean.
    #[serde(with = "crate::float")]
    pub mean: f64,
    /// The standard deviation, with divisor n.
    #[serde(with = "crate::float")]
    pub deviation: f64,
    /// The smallest number.
    #[serde(with = "crate::float")]
    pub min: f64,
    /// The largest number.
    #[serde(with = "crate::float")]
    pub max: f64,
    /// The share of numbers that are exactly 0.
    #[serde(with = "crate::float")]
    pub zeros: f64,
    /// The share of numbers that are NaN or infinite.
    #[serde(with = "crate::float")]
    pub non_finite: f64,
}

impl TensorStats {
    /// Whether all numbers are the same, NaN and NaN too.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let numbers = |of: &Self| {
            [
                of.norm,
                of.mean,
                of.deviation,
                of.min,
                of.max,
                of.zeros,
                of.non_finite,
            ]
        };
        let mut pairs = numbers(self).into_iter().zip(numbers(other));
        let is_same = |(one, other): (f64, f64)| one == other || (one.is_nan() && other.is_nan());
        pairs.all(is_same)
    }
}

/// A parameter over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ParamHistory {
    /// Its path.
    pub path: String,
    /// The type of the layer that holds it, such as `Linear`.
    pub layer: String,
    /// Its role in the layer.
    pub role: ParamRole,
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// The number of inputs that each of its units sums, if it is a weight of rank 2 or more.
    pub fan_in: Option<usize>,
    /// The number of units that each input reaches, if it is a weight of rank 2 or more.
    pub fan_out: Option<usize>,
    /// Whether it required a gradient when the doctor first saw it.
    pub requires_grad: bool,
    /// The path of the first place of the same parameter, if this is another place of a tied parameter.
    pub tied_to: Option<String>,
    /// Its first values.
    pub initial: TensorStats,
    /// Its last values.
    pub last: TensorStats,
    /// The norm of the difference between its last and its first values; NaN if one of them is not finite.
    #[serde(with = "crate::float")]
    pub moved: f64,
    /// Whether the last values differ from the first ones in any bit.
    pub changed: bool,
    /// The output units, if it is a weight of rank 2 or more and no embedding.
    pub units: Option<usize>,
    /// The units of which every recorded gradient among the last ones was exactly 0.
    pub silent_units: Option<usize>,
    /// The recorded steps at which it had a gradient.
    pub steps: Vec<ParamStep>,
}

/// A parameter at one recorded step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ParamStep {
    /// The number of the step, from 1.
    pub step: usize,
    /// The norm of the gradient that the optimizer got.
    #[serde(with = "crate::float")]
    pub gradient: f64,
    /// The share of the gradient that is exactly 0.
    #[serde(with = "crate::float")]
    pub gradient_zeros: f64,
    /// The share of the gradient that is NaN or infinite.
    #[serde(with = "crate::float")]
    pub gradient_non_finite: f64,
    /// The norm of the weight before the step.
    #[serde(with = "crate::float")]
    pub weight: f64,
    /// The norm of the change that the step made to the weight, if `after_step` was called.
    #[serde(with = "crate::float")]
    pub update: Option<f64>,
}

/// A parameter of role `Weight` about which nothing was recorded.
impl Default for ParamHistory {
    fn default() -> Self {
        Self {
            path: String::new(),
            layer: String::new(),
            role: ParamRole::Weight,
            shape: Vec::new(),
            fan_in: None,
            fan_out: None,
            requires_grad: true,
            tied_to: None,
            initial: TensorStats::default(),
            last: TensorStats::default(),
            moved: 0.0,
            changed: true,
            units: None,
            silent_units: None,
            steps: Vec::new(),
        }
    }
}

impl ParamHistory {
    /// The number of elements.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// The ratios of update to weight, step by step, where both are there and the weight is not 0.
    pub fn update_ratios(&self) -> impl Iterator<Item = (usize, f64)> {
        self.steps.iter().filter_map(|at| {
            let ratio = at.update? / at.weight;
            ratio.is_finite().then_some((at.step, ratio))
        })
    }

    pub(crate) fn is_weight(&self) -> bool {
        self.role == ParamRole::Weight
            || (self.role == ParamRole::Other && self.shape.len() >= 2 && self.fan_in.is_some())
    }
}
