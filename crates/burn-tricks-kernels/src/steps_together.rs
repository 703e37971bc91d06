//! Steps of many weights that a GPU takes together.

use crate::any_tensor::AnyTensor;
use crate::factor::Factor;
use crate::tensor_number::TensorNumber;
#[cfg(feature = "cube")]
use crate::{
    scale::as_f32,
    step::assert_one_shape,
    tensor_list::TensorList,
    trace::{Change, Trace},
};
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
    does: Box<Arithmetic>,
    /// By what the gradient is multiplied before anything else.
    #[cfg(feature = "cube")]
    factor: Option<Factor>,
    /// The weight, the gradient, and the state.
    #[cfg(feature = "cube")]
    tensors: Vec<AnyTensor>,
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
    let mut groups: Vec<(PlannedStep, Vec<usize>)> = Vec::new();
    let count = steps.len();
    for (place, step) in steps.into_iter().enumerate() {
        let group = groups.iter_mut().find(|(other, _)| {
            let one_device = other.tensors.first().into_iter().chain(&step.tensors);
            other.does == step.does
                && other.factor == step.factor
                && crate::cube::are_on_cube(one_device.map(|tensor| &*tensor.0))
        });
        match group {
            Some((all, places)) => {
                places.push(place);
                all.tensors.extend(step.tensors);
            }
            None => groups.push((step, vec![place])),
        }
    }
    let mut taken: Vec<_> = std::iter::repeat_with(|| None).take(count).collect();
    for (all, places) in groups {
        let tensors = all.tensors.into_iter().map(|tensor| tensor.0.open());
        let mut stepped = all.does.take(all.factor, tensors.collect()).into_iter();
        for place in places {
            taken[place] = stepped.next();
        }
    }
    let taken = taken.into_iter();
    taken
        .map(|step| step.expect("each step is in a group"))
        .collect()
}

/// What is done in a step.
#[cfg(feature = "cube")]
#[derive(Debug, Clone, PartialEq)]
struct Arithmetic {
    /// What becomes of the gradient before the step, if that needs a number of the whole tensor.
    gradient: Option<Change>,
    step: Trace,
    /// What becomes of the new weight, of the new and the old one, or of these and the gradient.
    then: Option<Change>,
}

#[cfg(feature = "cube")]
impl Arithmetic {
    /// The steps of these tensors: a weight, its gradient and its state, the next weight, and so on. The gradients are
    /// multiplied by the factor, if there is one.
    fn take(
        self,
        factor: Option<Factor>,
        mut tensors: Vec<DispatchTensor>,
    ) -> Vec<(AnyTensor, Vec<AnyTensor>)> {
        let states = self.step.program.states();
        let factor = factor.and_then(|factor| {
            let value = as_f32(factor.value());
            if self.multiplies(&value, &tensors[0]) {
                return Some((value, factor.special()));
            }
            let list = TensorList::of(std::mem::take(&mut tensors).into());
            let is_no_grad = |place| place % (2 + states) != 1;
            let left: Vec<_> = (0..list.len()).map(is_no_grad).collect();
            tensors = factor.times_but(list, &left).0.open().into();
            None
        });
        let then = self.then.map(|then| {
            // The old weight, and the gradient.
            let kept = then.element.program.tensors - 1;
            let of_each = tensors.chunks(2 + states);
            let kept: Vec<_> = of_each.map(|one| one[..kept].to_vec()).collect();
            (then, kept)
        });
        let stepped = match self.gradient {
            None => crate::cube::steps(self.step, factor, tensors),
            Some(gradient) => crate::cube::steps_with(&gradient, self.step, tensors),
        };
        let mut stepped = stepped.into_iter().map(AnyTensor::new);
        let mut taken = Vec::new();
        while let Some(weight) = stepped.next() {
            taken.push((weight, stepped.by_ref().take(states).collect()));
        }
        let Some((then, kept)) = then else {
            return taken;
        };
        let (weights, states): (Vec<_>, Vec<_>) = taken.into_iter().unzip();
        let items = weights.into_iter().zip(kept);
        let items = items.flat_map(|(weight, kept)| [weight.0.open()].into_iter().chain(kept));
        let changed = crate::cube::change(&then, items.collect()).into_iter();
        changed.map(AnyTensor::new).zip(states).collect()
    }

    /// Whether the kernel of the steps of such weights multiplies the gradients by this factor: if nothing else reads them,
    /// and the device allows so many buffers.
    fn multiplies(&self, factor: &DispatchTensor, weight: &DispatchTensor) -> bool {
        let then_reads = |then: &Change| then.element.program.tensors == 3;
        self.gradient.is_none()
            && !self.then.as_ref().is_some_and(then_reads)
            && crate::cube::fit_times(&self.step.program, weight)
            && crate::cube::are_on_cube([factor, weight])
    }
}

#[cfg(feature = "cube")]
impl PlannedStep {
    /// The step, if there is a kernel for its tensors. The state before the first step has these values.
    pub(crate) fn new(
        trace: &dyn Fn() -> Trace,
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
                [&*weight.0, &grad.0]
                    .into_iter()
                    .chain(states.map(|s| &*s.0)),
            );
        if !fits {
            return None;
        }
        let step = trace();
        if !crate::cube::fit(&step.program, &weight.0) {
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
            does: Box::new(Arithmetic {
                gradient: None,
                step,
                then: None,
            }),
            factor: None,
            tensors: tensors.collect(),
        })
    }

    fn fits(&self, trace: &Trace) -> bool {
        crate::cube::fit(&trace.program, &self.tensors[0].0)
    }
}

impl PlannedStep {
    /// The step with the gradient multiplied by this number, before anything else is done with it. The kernel of the step
    /// multiplies while it reads the gradient; if something else reads it too, such as the norm of a
    /// [`with_gradient`](Self::with_gradient), the gradients are multiplied in a launch before that.
    pub(crate) fn times(self, factor: &Factor) -> Self {
        #[cfg(feature = "cube")]
        {
            Self {
                factor: Some(factor.clone()),
                ..self
            }
        }
        #[cfg(not(feature = "cube"))]
        {
            let _ = factor;
            match self.none {}
        }
    }

    /// The step with another gradient: `change` gets the weight and the gradient. A launch or two come before those of the
    /// step. `None` if the device allows too few buffers in a launch.
    pub fn with_gradient<const R: usize>(self, change: impl TensorNumber<2, R>) -> Option<Self> {
        #[cfg(feature = "cube")]
        {
            const { assert!(R > 0, "a change of a gradient needs a number") };
            let gradient = Change::new(change);
            let step = self
                .does
                .step
                .clone()
                .with_gradient(gradient.element.clone());
            let fits = self.fits(&step);
            fits.then(|| Self {
                does: Box::new(Arithmetic {
                    gradient: Some(gradient),
                    ..*self.does
                }),
                ..self
            })
        }
        #[cfg(not(feature = "cube"))]
        {
            let _ = change;
            match self.none {}
        }
    }

    /// The step, and then a change of the new weight: `change` gets the new and the old weight, and the gradient if it takes
    /// three tensors. Two or three launches come after that of the step.
    ///
    /// # Errors
    ///
    /// With the step as it is, if the device allows too few buffers in a launch.
    pub fn then<const K: usize, const R: usize>(
        self,
        change: impl TensorNumber<K, R>,
    ) -> Result<Self, Self> {
        #[cfg(feature = "cube")]
        {
            const { assert!(K >= 1 && K <= 3, "new weight, old weight, gradient") };
            let then = Change::new(change);
            if !self.fits(&then.element) {
                return Err(self);
            }
            Ok(Self {
                does: Box::new(Arithmetic {
                    then: Some(then),
                    ..*self.does
                }),
                ..self
            })
        }
        #[cfg(not(feature = "cube"))]
        {
            let _ = change;
            match self.none {}
        }
    }
}
