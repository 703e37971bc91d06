//! One step of an optimizer on one tensor, for an element and for whole tensors.

use crate::any_tensor::AnyTensor;
use crate::precision::accumulation_dtype;
use crate::real::Real;
use crate::skip::Skip;
use crate::step_count::StepCount;
use crate::steps_together::PlannedStep;
use crate::tensor_list::TensorList;
use burn::tensor::Tensor;

/// The numbers of one step, and what they do to a weight. `S` is the number of state values per weight: 0 for plain
/// SGD, 2 for Adam. A type has a single `S`; if the settings of a step determine its state, they are part of the
/// type, as in [`NormalizedStep`](crate::NormalizedStep).
///
/// A [`Step`] holds the numbers of one step (learning rates, corrections), and its arithmetic in two forms:
/// [`element`](Step::element) for one weight, and [`twin`](Step::twin) with tensor operations. The twin
/// is the specification. It runs on every backend, and on a backend that fuses operations it becomes one pass,
/// too. [`apply`](Step::apply) chooses the form.
///
/// # Writing one
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_kernels::{AnyTensor, Real, Step};
///
/// /// w ← w − η g / (1 + |g|)
/// #[derive(Clone, Copy)]
/// struct SoftSignStep {
///     lr: f64,
/// }
///
/// impl Step<0> for SoftSignStep {
///     #[inline(always)]
///     fn element<T: Real>(self, weight: T, grad: T, _state: [T; 0]) -> (T, [T; 0]) {
///         (weight - grad / (grad.abs() + 1.0) * self.lr, [])
///     }
///
///     fn twin(
///         self,
///         weight: AnyTensor,
///         grad: AnyTensor,
///         _state: [AnyTensor; 0],
///     ) -> (AnyTensor, [AnyTensor; 0]) {
///         (weight - grad.clone() / (grad.abs() + 1.0) * self.lr, [])
///     }
/// }
///
/// let device = Device::flex();
/// let weight = Tensor::<1>::from_floats([1.0, 2.0, 3.0], &device);
/// let grad = Tensor::<1>::from_floats([1.0, -3.0, 0.0], &device);
/// let (weight, []) = SoftSignStep { lr: 1.0 }.apply(weight, grad, None);
/// assert_eq!(weight.into_data().to_vec::<f32>().unwrap(), [0.5, 2.75, 3.0]);
/// ```
pub trait Step<const S: usize>: Copy + Send + Sync {
    /// The new weight and state of one element.
    ///
    /// It is called in the innermost loop, so mark it `#[inline(always)]`, and branch only on values that are
    /// the same for all elements.
    fn element<T: Real>(self, weight: T, grad: T, state: [T; S]) -> (T, [T; S]);

    /// The same for whole tensors, all of one shape, in `f32` or `f64`.
    fn twin(
        self,
        weight: AnyTensor,
        grad: AnyTensor,
        state: [AnyTensor; S],
    ) -> (AnyTensor, [AnyTensor; S]);

    /// The value of each number of the state before the first step. Default: 0.
    fn initial(self) -> [f64; S] {
        [0.0; S]
    }

    /// Takes the step: in one pass over memory if the tensors' backend has a kernel, otherwise with the twin.
    ///
    /// `weight` and `grad` have one shape, type and device and no autodiff, as a Burn `Optimizer`
    /// gets them. The state is of the same shape, in `f32` for half-precision weights; `None` before
    /// the first step. A tensor without elements stays as it is.
    ///
    /// # Panics
    ///
    /// If weight, gradient and state do not have the same shape: nothing is broadcast.
    fn apply<const D: usize>(
        self,
        weight: Tensor<D>,
        grad: Tensor<D>,
        state: Option<[Tensor<D>; S]>,
    ) -> (Tensor<D>, [Tensor<D>; S]) {
        let state = state.map(|state| state.map(AnyTensor::from).into());
        of_rank(self.apply_unless(&Skip::NO, weight.into(), grad.into(), state))
    }

    /// Like [`apply`](Self::apply) for tensors of any rank, except that weight and state stay as they are, to the bit, if
    /// the step is to be skipped. The state is a list of `S` tensors.
    ///
    /// # Panics
    ///
    /// As [`apply`](Self::apply), and if the state does not have `S` tensors.
    fn apply_unless(
        self,
        skip: &Skip,
        weight: AnyTensor,
        grad: AnyTensor,
        state: Option<Vec<AnyTensor>>,
    ) -> Stepped {
        let state = or_initial(state, &self.initial(), &weight);
        unless(skip, &OfStep(self), weight, grad, state)
    }

    /// Prepares the step, so that [`take_together`](crate::take_together) takes it with those of other weights. `None` if
    /// there is no kernel for that: all tensors must be on one GPU, with one of this crate's features for it, weight and
    /// gradient of one type, `f32`, `f16` or `bf16`, and not empty; the state in `f32`.
    ///
    /// # Panics
    ///
    /// As [`apply_unless`](Self::apply_unless).
    fn plan(
        self,
        weight: &AnyTensor,
        grad: &AnyTensor,
        state: Option<&[AnyTensor]>,
    ) -> Option<PlannedStep> {
        #[cfg(feature = "cube")]
        {
            let element = |weight, grad, state: [_; S]| self.element(weight, grad, state);
            let trace = || crate::trace::Trace::of_step(element);
            PlannedStep::new(&trace, weight, grad, state, &self.initial())
        }
        #[cfg(not(feature = "cube"))]
        {
            let _ = (weight, grad, state);
            None
        }
    }

    /// Takes the step with the twin, whatever the backend: the reference for tests and benchmarks.
    ///
    /// # Panics
    ///
    /// As [`apply`](Self::apply).
    fn apply_twin<const D: usize>(
        self,
        weight: Tensor<D>,
        grad: Tensor<D>,
        state: Option<[Tensor<D>; S]>,
    ) -> (Tensor<D>, [Tensor<D>; S]) {
        let (weight, grad) = (weight.into(), grad.into());
        let state = state.map(|state| state.map(AnyTensor::from).into());
        let state = or_initial(state, &self.initial(), &weight);
        of_rank(on_twin(&OfStep(self), weight, grad, state))
    }
}

/// A step whose numbers depend on how many steps were taken before it, as Adam's bias correction does.
///
/// The host knows that number, unless the device has skipped steps without the host's knowledge. If the host
/// knows it, [`at`](Self::at) returns the step; otherwise [`twin_at`](Self::twin_at) takes the step.
pub trait TimedStep<const S: usize>: Copy + Send + Sync {
    /// The step with a known number.
    type At: Step<S>;

    /// The step number `time`, which counts from 1.
    fn at(self, time: u64) -> Self::At;

    /// [`Step::twin`] of the step number `time`, which may be on the device.
    fn twin_at(
        self,
        time: &StepCount,
        weight: AnyTensor,
        grad: AnyTensor,
        state: [AnyTensor; S],
    ) -> (AnyTensor, [AnyTensor; S]);

    /// Takes the step number `time`, like [`Step::apply_unless`].
    ///
    /// # Panics
    ///
    /// As [`Step::apply_unless`].
    fn apply_unless(
        self,
        skip: &Skip,
        time: &StepCount,
        weight: AnyTensor,
        grad: AnyTensor,
        state: Option<Vec<AnyTensor>>,
    ) -> Stepped {
        if let Some(time) = time.known() {
            return self.at(time).apply_unless(skip, weight, grad, state);
        }
        let state = or_initial(state, &self.at(1).initial(), &weight);
        unless(skip, &AtTime(self, time), weight, grad, state)
    }

    /// Prepares the step number `time`, like [`Step::plan`]. `None` also if only the device knows that number.
    ///
    /// # Panics
    ///
    /// As [`Step::apply_unless`].
    fn plan(
        self,
        time: &StepCount,
        weight: &AnyTensor,
        grad: &AnyTensor,
        state: Option<&[AnyTensor]>,
    ) -> Option<PlannedStep> {
        self.at(time.known()?).plan(weight, grad, state)
    }
}

/// A weight and the tensors of its state, of any rank.
type Stepped = (AnyTensor, Vec<AnyTensor>);

// What follows sees a step through a pointer, so that it is not compiled again for every step.

/// A step on whole tensors.
pub(crate) trait AnyStep {
    fn twin(&self, weight: AnyTensor, grad: AnyTensor, state: Vec<AnyTensor>) -> Stepped;

    /// The same as a loop over elements, if there is one.
    #[cfg(feature = "flex")]
    fn loops(&self) -> Option<&dyn crate::flex::Loops> {
        None
    }
}

/// A [`Step`] with `S` numbers in its state.
#[derive(Clone, Copy)]
pub(crate) struct OfStep<R, const S: usize>(pub(crate) R);

impl<R: Step<S>, const S: usize> AnyStep for OfStep<R, S> {
    fn twin(&self, weight: AnyTensor, grad: AnyTensor, state: Vec<AnyTensor>) -> Stepped {
        let (weight, state) = self.0.twin(weight, grad, array(state));
        (weight, state.into())
    }

    #[cfg(feature = "flex")]
    fn loops(&self) -> Option<&dyn crate::flex::Loops> {
        Some(self)
    }
}

/// A [`TimedStep`] whose number is on the device.
struct AtTime<'a, R, const S: usize>(R, &'a StepCount);

impl<R: TimedStep<S>, const S: usize> AnyStep for AtTime<'_, R, S> {
    fn twin(&self, weight: AnyTensor, grad: AnyTensor, state: Vec<AnyTensor>) -> Stepped {
        let (weight, state) = self.0.twin_at(self.1, weight, grad, array(state));
        (weight, state.into())
    }
}

/// The tensors of a state, of which there are `S`.
pub(crate) fn array<const S: usize>(state: Vec<AnyTensor>) -> [AnyTensor; S] {
    let Ok(state) = state.try_into() else {
        panic!("the state was looked at before");
    };
    state
}

/// The weight and its state with their rank.
pub(crate) fn of_rank<const D: usize, const S: usize>(
    (weight, state): Stepped,
) -> (Tensor<D>, [Tensor<D>; S]) {
    let state = array(state);
    (weight.into_tensor(), state.map(AnyTensor::into_tensor))
}

/// [`Step::apply`] of a step without a state, for tensors of any rank.
pub(crate) fn apply_to(step: impl Step<0>, weight: AnyTensor, grad: AnyTensor) -> AnyTensor {
    stepped(&OfStep(step), weight, grad, Vec::new()).0
}

/// [`apply_to`] of each weight with the gradient at the same place, small ones in parallel.
///
/// # Panics
///
/// If the lists have different lengths, or if weight and gradient have different shapes.
pub(crate) fn apply_to_all(
    step: impl Step<0>,
    weights: TensorList,
    grads: &TensorList,
) -> TensorList {
    stepped_all(&OfStep(step), weights, grads)
}

fn stepped_all(step: &dyn AnyStep, weights: TensorList, grads: &TensorList) -> TensorList {
    let (count, of_grads) = (weights.len(), grads.len());
    assert_eq!(count, of_grads, "two lists of tensors of one length");
    #[cfg(feature = "flex")]
    let mut weights = weights;
    #[cfg(feature = "flex")]
    if let Some(loops) = step.loops()
        && crate::flex::update_all(loops, weights.0.make_contiguous(), &grads.0)
    {
        return weights;
    }
    let pairs = weights.0.into_iter().zip(&grads.0);
    let each = pairs.map(|(weight, grad)| {
        let (weight, grad) = (AnyTensor::new(weight), AnyTensor::new(grad.clone()));
        stepped(step, weight, grad, Vec::new()).0.0.open()
    });
    TensorList::of(each.collect())
}

/// The weight and state after `step`, or unchanged if the step is to be skipped.
fn unless(
    skip: &Skip,
    step: &dyn AnyStep,
    weight: AnyTensor,
    grad: AnyTensor,
    state: Vec<AnyTensor>,
) -> Stepped {
    match skip {
        Skip::Known(false) => stepped(step, weight, grad, state),
        Skip::Known(true) => (weight, state),
        Skip::OnDevice(_) => {
            let (new_weight, new) = stepped(step, weight.clone(), grad, state.clone());
            let both = state.into_iter().zip(new);
            let state = both.map(|(old, new)| skip.choose_any(old, new)).collect();
            (skip.choose_any(weight, new_weight), state)
        }
    }
}

/// The state, or the one before the first step, with these values.
pub(crate) fn or_initial(
    state: Option<Vec<AnyTensor>>,
    initial: &[f64],
    weight: &AnyTensor,
) -> Vec<AnyTensor> {
    let Some(state) = state else {
        let dtype = accumulation_dtype(weight.dtype());
        let full = |value| AnyTensor::full(weight.shape(), value, &weight.device(), dtype);
        return initial.iter().map(|value| full(*value)).collect();
    };
    let (count, needed) = (state.len(), initial.len());
    assert!(
        count == needed,
        "the state of this step has {needed} tensors, and {count} are given"
    );
    state
}

/// Panics on different shapes. The twin would broadcast a state of another shape silently, and the kernel would
/// refuse it.
pub(crate) fn assert_one_shape(weight: &AnyTensor, grad: &AnyTensor, state: &[AnyTensor]) {
    if grad.has_shape_of(weight) && state.iter().all(|state| state.has_shape_of(weight)) {
        return;
    }
    let shape = weight.shape();
    assert_eq!(
        shape,
        grad.shape(),
        "the weight (left) and its gradient (right) must have one shape"
    );
    for (number, state) in state.iter().enumerate() {
        assert_eq!(
            shape,
            state.shape(),
            "the weight (left) and tensor {number} of its state (right) must have one shape"
        );
    }
}

/// Takes the step in one pass if all is on the CPU backend, otherwise with the twin.
pub(crate) fn stepped(
    step: &dyn AnyStep,
    weight: AnyTensor,
    grad: AnyTensor,
    state: Vec<AnyTensor>,
) -> Stepped {
    #[cfg(feature = "flex")]
    if let Some(loops) = step.loops() {
        assert_one_shape(&weight, &grad, &state);
        return match crate::flex::update(loops, weight, grad, state) {
            Ok(stepped) => stepped,
            Err((weight, grad, state)) => on_twin(step, weight, grad, state),
        };
    }
    on_twin(step, weight, grad, state)
}

/// Takes the step with the twin, that of half-precision weights in `f32`; a tensor without elements is returned as it is.
pub(crate) fn on_twin(
    step: &dyn AnyStep,
    weight: AnyTensor,
    grad: AnyTensor,
    state: Vec<AnyTensor>,
) -> Stepped {
    assert_one_shape(&weight, &grad, &state);
    if weight.is_empty() {
        return (weight, state);
    }
    let dtype = weight.dtype();
    let wide = accumulation_dtype(dtype);
    let (weight, state) = step.twin(weight.cast(wide), grad.cast(wide), state);
    (weight.cast(dtype.into()), state)
}
