//! Steps of many weights that a GPU takes together.

use crate::any_tensor::AnyTensor;
#[cfg(feature = "cube")]
use crate::{step::assert_one_shape, trace::Trace};
#[cfg(feature = "cube")]
use burn::{backend::DispatchTensor, tensor::DType};

/// A step of an optimizer on one weight that is to be taken together with those of other weights, by [`take_together`]. Made
/// by [`Step::plan`](crate::Step::plan) and [`TimedStep::plan`](crate::TimedStep::plan).
///
/// A GPU works on many small tensors as fast as on a large one, but the launch of a kernel costs time, which for small
/// tensors is longer than the work. The steps of dozens of weights are one launch, if their numbers are the same.
#[derive(Debug)]
pub struct PlannedStep {
    #[cfg(feature = "cube")]
    trace: Trace,
    /// The weight, the gradient, and the state.
    #[cfg(feature = "cube")]
    tensors: Vec<DispatchTensor>,
    /// There is none without a GPU's kernels.
    #[cfg(not(feature = "cube"))]
    none: std::convert::Infallible,
}

/// Takes all these steps. The result is each new weight with its state, in the order of the steps.
///
/// The new weight is in the buffer of the weight, of the gradient, or in a new one, whichever is the first that nobody
/// else holds.
#[cfg(not(feature = "cube"))]
pub fn take_together(steps: Vec<PlannedStep>) -> Vec<(AnyTensor, Vec<AnyTensor>)> {
    steps.into_iter().map(|step| match step.none {}).collect()
}

/// Takes all these steps. The result is each new weight with its state, in the order of the steps.
///
/// The new weight is in the buffer of the weight, of the gradient, or in a new one, whichever is the first that nobody
/// else holds.
#[cfg(feature = "cube")]
pub fn take_together(steps: Vec<PlannedStep>) -> Vec<(AnyTensor, Vec<AnyTensor>)> {
    // Those of the same arithmetic with the same numbers, on one device.
    let mut groups: Vec<(Trace, Vec<usize>, Vec<DispatchTensor>)> = Vec::new();
    let count = steps.len();
    for (place, PlannedStep { trace, tensors }) in steps.into_iter().enumerate() {
        let group = groups.iter_mut().find(|(other, _, others)| {
            *other == trace && crate::cube::are_on_cube(others.first().into_iter().chain(&tensors))
        });
        match group {
            Some((_, places, all)) => {
                places.push(place);
                all.extend(tensors);
            }
            None => groups.push((trace, vec![place], tensors)),
        }
    }
    let mut taken: Vec<_> = std::iter::repeat_with(|| None).take(count).collect();
    for (trace, places, tensors) in groups {
        let states = trace.program.outputs.len() - 1;
        let mut stepped = crate::cube::steps(trace, tensors).map(AnyTensor);
        for place in places {
            let weight = stepped.next().expect("a weight for each step");
            taken[place] = Some((weight, stepped.by_ref().take(states).collect()));
        }
    }
    let taken = taken.into_iter();
    taken
        .map(|step| step.expect("each step is in a group"))
        .collect()
}

#[cfg(feature = "cube")]
impl PlannedStep {
    /// The step, if there is a kernel for its tensors. The state before the first step has these values.
    pub(crate) fn new(
        trace: impl FnOnce() -> Trace,
        weight: &AnyTensor,
        grad: &AnyTensor,
        state: Option<&[AnyTensor]>,
        initial: &[f64],
    ) -> Option<Self> {
        assert_one_shape(weight, grad, state.unwrap_or_default());
        if let Some(state) = state {
            let (count, expected) = (state.len(), initial.len());
            assert_eq!(
                count, expected,
                "tensors in the state (left), and those of this step (right)"
            );
        }
        let states = state.unwrap_or_default().iter();
        let fits = !weight.is_empty()
            && weight.dtype() == grad.dtype()
            && states.clone().all(|state| state.dtype() == DType::F32)
            && crate::cube::are_on_cube(
                [&weight.0, &grad.0].into_iter().chain(states.map(|s| &s.0)),
            );
        if !fits {
            return None;
        }
        let state = match state {
            Some(state) => state.to_vec(),
            None => {
                let full = |value: &f64| {
                    let (shape, device) = (weight.shape(), weight.device());
                    AnyTensor::full(shape, *value, &device, burn::tensor::FloatDType::F32)
                };
                initial.iter().map(full).collect()
            }
        };
        let tensors = [weight.clone(), grad.clone()].into_iter().chain(state);
        Some(Self {
            trace: trace(),
            tensors: tensors.map(|tensor| tensor.0).collect(),
        })
    }
}
