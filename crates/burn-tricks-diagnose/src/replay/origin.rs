//! The first number that is not finite.

use crate::finding::prescription::short;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::fmt::Display;

/// How many numbers before and after it are kept.
const AROUND: usize = 3;

/// What a number that is not finite belongs to, in the order in which a step computes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum NonFinitePlace {
    /// A weight at the beginning of a step: the update before made it so, from a finite gradient.
    Weight,
    /// An activation at a probe, in the forward pass.
    Activation,
    /// The loss.
    Loss,
    /// The gradient of an activation at a probe, in the backward pass.
    ActivationGradient,
    /// The gradient of a parameter, in the backward pass.
    Gradient,
}

/// The first NaN or infinity of a training, and the numbers around it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NonFiniteOrigin {
    /// The number of the optimizer step.
    pub step: usize,
    /// What it belongs to.
    pub place: NonFinitePlace,
    /// The path of the parameter, the name of the probe, or `loss`.
    pub path: String,
    /// Its index in the tensor.
    pub index: Vec<usize>,
    /// The number itself.
    #[serde(with = "crate::float")]
    pub value: f64,
    /// Up to three numbers before it and three after it, with itself, in the order of memory.
    #[serde(with = "crate::float")]
    pub around: Vec<f64>,
    /// The numbers of the tensor that are not finite.
    pub non_finite: usize,
    /// The numbers of the tensor.
    pub elements: usize,
    /// The smallest and the largest number of the same tensor one step before, if the replay saw that step.
    #[serde(with = "crate::float")]
    pub before: Option<[f64; 2]>,
    /// The activation before it in the same forward pass, with its smallest and largest number, if there is one.
    #[serde(with = "crate::float")]
    pub fed_by: Option<(String, [f64; 2])>,
    /// All paths with numbers that are not finite at this place of the step, in the module's own order.
    pub paths: Vec<String>,
}

/// A tensor that was looked at.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    /// The smallest and the largest finite number.
    pub(crate) range: [f64; 2],
    /// The first number that is not finite, with the rest unknown yet.
    pub(crate) bad: Option<NonFiniteOrigin>,
}

impl Seen {
    /// Looks at a tensor. Waits for the device.
    pub(crate) fn of<const D: usize>(
        step: usize,
        place: NonFinitePlace,
        path: &str,
        tensor: &Tensor<D>,
    ) -> Self {
        #[allow(clippy::disallowed_methods)] // a replay looks at every number
        let values: Vec<f64> = tensor.clone().without_autodiff().to_data().iter().collect();
        let finite = || values.iter().copied().filter(|value| value.is_finite());
        let range = [
            finite().fold(f64::INFINITY, f64::min),
            finite().fold(f64::NEG_INFINITY, f64::max),
        ];
        let at = values.iter().position(|value| !value.is_finite());
        let bad = at.map(|at| NonFiniteOrigin {
            step,
            place,
            path: path.to_owned(),
            index: index(at, &tensor.dims()),
            value: values[at],
            around: values[at.saturating_sub(AROUND)..(at + AROUND + 1).min(values.len())].to_vec(),
            non_finite: values.len() - finite().count(),
            elements: values.len(),
            before: None,
            fed_by: None,
            paths: vec![path.to_owned()],
        });
        Self { range, bad }
    }
}

/// The index in a tensor of these dimensions of the number at a place in the order of memory.
fn index(mut at: usize, dims: &[usize]) -> Vec<usize> {
    let mut index = vec![0; dims.len()];
    for (place, size) in index.iter_mut().zip(dims).rev() {
        *place = at % size;
        at /= size;
    }
    index
}

impl Display for NonFiniteOrigin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            step, path, value, ..
        } = self;
        let what = match self.place {
            NonFinitePlace::Weight => {
                format!("before the forward pass of step {step}, the weight `{path}`")
            }
            NonFinitePlace::Activation => {
                format!("in the forward pass of step {step}, the activation `{path}`")
            }
            NonFinitePlace::Loss => format!("after the forward pass of step {step}, the loss"),
            NonFinitePlace::ActivationGradient => {
                format!("in the backward pass of step {step}, the gradient at the probe `{path}`")
            }
            NonFinitePlace::Gradient => {
                format!("in the backward pass of step {step}, the gradient of `{path}`")
            }
        };
        write!(f, "{what} is {value} at {:?}", self.index)?;
        write!(f, " ({} of {} numbers)", self.non_finite, self.elements)?;
        let around: Vec<String> = self.around.iter().map(|value| short(*value)).collect();
        write!(f, "; around it: {}", around.join(", "))?;
        if let Some([low, high]) = self.before {
            let (low, high) = (short(low), short(high));
            write!(f, "; one step before it lay between {low} and {high}")?;
        }
        if let Some((name, [low, high])) = &self.fed_by {
            let (low, high) = (short(*low), short(*high));
            write!(f, "; `{name}` before it lies between {low} and {high}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn the_first_number_that_is_not_finite_is_found_with_its_index_and_its_neighbours() {
        let values = [
            [1.0, 2.0, 3.0],
            [4.0, f32::NAN, 6.0],
            [7.0, f32::INFINITY, 9.0],
        ];
        let tensor = Tensor::<2>::from_data(values, &Device::flex());
        let seen = Seen::of(5, NonFinitePlace::Activation, "cell", &tensor);
        let bad = seen.bad.unwrap();
        assert_eq!(seen.range, [1.0, 9.0]);
        assert_eq!(
            (bad.index, bad.non_finite, bad.elements),
            (vec![1, 1], 2, 9)
        );
        assert_eq!(bad.around[..3], [2.0, 3.0, 4.0]);
        assert_eq!(bad.around[4..], [6.0, 7.0, f64::INFINITY]);
        let fine = Tensor::<1>::from_data([0.5, -2.0], &Device::flex());
        let seen = Seen::of(5, NonFinitePlace::Weight, "bias", &fine);
        assert_eq!((seen.range, seen.bad), ([-2.0, 0.5], None));
    }
}
