//! A probe over time.

use serde::{Deserialize, Serialize};

/// The share of zeros from which values without a negative one are those of a ReLU.
const ZEROS: f64 = 0.05;

/// The activations that passed a probe, and the gradients that came back.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ProbeHistory {
    /// The name that the program gave.
    pub name: String,
    /// The units: the size of the last axis, or of the second one from four dimensions on.
    pub units: usize,
    /// The units that were exactly 0 for every input of the last recorded batches.
    pub dead_units: usize,
    /// The units that had one value for every input of the last recorded batches.
    pub constant_units: usize,
    /// The inputs of those batches.
    pub inputs: usize,
    /// The recorded steps.
    pub steps: Vec<ProbeStep>,
}

/// A probe at one recorded step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ProbeStep {
    /// The number of the step, from 1.
    pub step: usize,
    /// The mean of the activations.
    #[serde(with = "crate::float")]
    pub mean: f64,
    /// Their standard deviation.
    #[serde(with = "crate::float")]
    pub deviation: f64,
    /// The smallest one.
    #[serde(with = "crate::float")]
    pub min: f64,
    /// The largest one.
    #[serde(with = "crate::float")]
    pub max: f64,
    /// The share of activations that are exactly 0.
    #[serde(with = "crate::float")]
    pub zeros: f64,
    /// The share of activations that are NaN or infinite.
    #[serde(with = "crate::float")]
    pub non_finite: f64,
    /// The share of activations beyond ±0.99.
    #[serde(with = "crate::float")]
    pub beyond_one: f64,
    /// The share of activations below 0.01.
    #[serde(with = "crate::float")]
    pub near_zero: f64,
    /// The norm of the gradient that flowed back through the probe, if `backward` of the probe was used.
    #[serde(with = "crate::float")]
    pub gradient: Option<f64>,
    /// The share of that gradient that is exactly 0.
    #[serde(with = "crate::float")]
    pub gradient_zeros: Option<f64>,
    /// The share of that gradient that is NaN or infinite.
    #[serde(with = "crate::float")]
    pub gradient_non_finite: Option<f64>,
}

/// A function whose values a probe has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    Relu,
    Sigmoid,
    Tanh,
}

impl ProbeHistory {
    /// The function that has such values as those of the first step; `None` if they are not those of a ReLU, a sigmoid or a
    /// hyperbolic tangent.
    pub(crate) fn activation(&self) -> Option<Activation> {
        let first = self.steps.first()?;
        if first.min >= 0.0 && first.zeros > ZEROS {
            Some(Activation::Relu)
        } else if first.min > 0.0 && first.max < 1.0 {
            Some(Activation::Sigmoid)
        } else if first.min >= -1.0 && first.min < 0.0 && first.max <= 1.0 {
            Some(Activation::Tanh)
        } else {
            None
        }
    }
}
