//! One step of an optimizer on one tensor, for an element and for whole tensors.

use crate::any_tensor::AnyTensor;
#[cfg(feature = "flex")]
use crate::element_step::ElementStep;
use crate::precision::accumulation_dtype;
use crate::real::Real;
use crate::skip::Skip;
use crate::step_count::StepCount;
use burn::tensor::Tensor;

/// The numbers of one step, and what they do to a weight. `S` is the number of state values per weight: 0 for plain
/// SGD, 2 for Adam. A type has a single `S`; if the settings of a step determine its state, they are part of the
/// type, as in [`NormalizedStep`](crate::NormalizedStep).
///
/// A [`Step`] holds the numbers of one step (learning rates, corrections), and its arithmetic in two forms:
/// [`element`](Step::element) for one weight, and [`twin`](Step::twin) with Burn's tensor operations. The twin
/// is the specification. It runs on every backend, and on a backend that fuses operations it becomes one pass,
/// too. [`apply`](Step::apply) chooses the form.
///
/// # Writing one
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_kernels::{Real, Step};
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
///     fn twin<const D: usize>(
///         self,
///         weight: Tensor<D>,
///         grad: Tensor<D>,
///         _state: [Tensor<D>; 0],
///     ) -> (Tensor<D>, [Tensor<D>; 0]) {
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

    /// The same for whole tensors, all of one shape, in `f32` or `f64`. Tensors of 1 to 5 dimensions come as they are,
    /// those of another rank flattened.
    fn twin<const D: usize>(
        self,
        weight: Tensor<D>,
        grad: Tensor<D>,
        state: [Tensor<D>; S],
    ) -> (Tensor<D>, [Tensor<D>; S]);

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
        let state = state.map(|state| state.map(AnyTensor::from));
        let (weight, state) = self.apply_unless(&Skip::NO, weight.into(), grad.into(), state);
        (weight.into_tensor(), state.map(AnyTensor::into_tensor))
    }

    /// Like [`apply`](Self::apply) for tensors of any rank, except that weight and state stay as they are, to the bit, if
    /// the step is to be skipped.
    ///
    /// # Panics
    ///
    /// As [`apply`](Self::apply).
    fn apply_unless(
        self,
        skip: &Skip,
        weight: AnyTensor,
        grad: AnyTensor,
        state: Option<[AnyTensor; S]>,
    ) -> (AnyTensor, [AnyTensor; S]) {
        let state = or_initial(state, self.initial(), &weight);
        unless(skip, &OfStep(self), weight, grad, state)
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
        let state = state.map(|state| state.map(AnyTensor::from));
        let state = or_initial(state, self.initial(), &weight);
        let (weight, state) = twin_of_rank::<D, S>(&OfStep(self), weight, grad, state);
        (weight.into_tensor(), state.map(AnyTensor::into_tensor))
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
    fn twin_at<const D: usize>(
        self,
        time: &StepCount,
        weight: Tensor<D>,
        grad: Tensor<D>,
        state: [Tensor<D>; S],
    ) -> (Tensor<D>, [Tensor<D>; S]);

    /// Takes the step number `time`, like [`Step::apply_unless`].
    ///
    /// # Panics
    ///
    /// As [`Step::apply`].
    fn apply_unless(
        self,
        skip: &Skip,
        time: &StepCount,
        weight: AnyTensor,
        grad: AnyTensor,
        state: Option<[AnyTensor; S]>,
    ) -> (AnyTensor, [AnyTensor; S]) {
        if let Some(time) = time.known() {
            return self.at(time).apply_unless(skip, weight, grad, state);
        }
        let state = or_initial(state, self.at(1).initial(), &weight);
        unless(skip, &AtTime(self, time), weight, grad, state)
    }
}

/// A weight and its state, of any rank.
type Stepped<const S: usize> = (AnyTensor, [AnyTensor; S]);

// What follows sees a step through a pointer, so that it is not compiled again for every step.

/// A step on whole tensors of one rank.
pub(crate) trait Twin<const D: usize, const S: usize> {
    fn twin(
        &self,
        weight: Tensor<D>,
        grad: Tensor<D>,
        state: [Tensor<D>; S],
    ) -> (Tensor<D>, [Tensor<D>; S]);
}

/// A step on whole tensors of the ranks that weights have.
pub(crate) trait AnyStep<const S: usize>:
    Twin<1, S> + Twin<2, S> + Twin<3, S> + Twin<4, S> + Twin<5, S>
{
    /// The same as a loop over elements, if there is one.
    #[cfg(feature = "flex")]
    fn loops(&self) -> Option<&dyn crate::flex::Loops<S>> {
        None
    }
}

/// A [`Step`].
#[derive(Clone, Copy)]
struct OfStep<R>(R);

impl<R: Step<S>, const D: usize, const S: usize> Twin<D, S> for OfStep<R> {
    fn twin(
        &self,
        weight: Tensor<D>,
        grad: Tensor<D>,
        state: [Tensor<D>; S],
    ) -> (Tensor<D>, [Tensor<D>; S]) {
        self.0.twin(weight, grad, state)
    }
}

impl<R: Step<S>, const S: usize> AnyStep<S> for OfStep<R> {
    #[cfg(feature = "flex")]
    fn loops(&self) -> Option<&dyn crate::flex::Loops<S>> {
        Some(self)
    }
}

#[cfg(feature = "flex")]
impl<R: Step<S>, const S: usize> ElementStep<S> for OfStep<R> {
    #[inline(always)]
    fn element<T: Real>(self, weight: T, grad: T, state: [T; S]) -> (T, [T; S]) {
        self.0.element(weight, grad, state)
    }
}

/// A [`TimedStep`] whose number is on the device.
struct AtTime<'a, R>(R, &'a StepCount);

impl<R: TimedStep<S>, const D: usize, const S: usize> Twin<D, S> for AtTime<'_, R> {
    fn twin(
        &self,
        weight: Tensor<D>,
        grad: Tensor<D>,
        state: [Tensor<D>; S],
    ) -> (Tensor<D>, [Tensor<D>; S]) {
        self.0.twin_at(self.1, weight, grad, state)
    }
}

impl<R: TimedStep<S>, const S: usize> AnyStep<S> for AtTime<'_, R> {}

/// [`Step::apply`] for tensors of any rank, with a state.
pub(crate) fn apply_to<R: Step<S>, const S: usize>(
    step: R,
    weight: AnyTensor,
    grad: AnyTensor,
    state: [AnyTensor; S],
) -> Stepped<S> {
    stepped(&OfStep(step), weight, grad, state)
}

/// The weight and state after `step`, or unchanged if the step is to be skipped.
fn unless<const S: usize>(
    skip: &Skip,
    step: &dyn AnyStep<S>,
    weight: AnyTensor,
    grad: AnyTensor,
    state: [AnyTensor; S],
) -> Stepped<S> {
    match skip {
        Skip::Known(false) => stepped(step, weight, grad, state),
        Skip::Known(true) => (weight, state),
        Skip::OnDevice(_) => {
            let (new_weight, new) = stepped(step, weight.clone(), grad, state.clone());
            let mut old = state.into_iter();
            let state = new.map(|new| match old.next() {
                Some(old) => skip.choose_any(old, new),
                None => new,
            });
            (skip.choose_any(weight, new_weight), state)
        }
    }
}

/// The state, or the one before the first step, with these values.
pub(crate) fn or_initial<const S: usize>(
    state: Option<[AnyTensor; S]>,
    initial: [f64; S],
    weight: &AnyTensor,
) -> [AnyTensor; S] {
    state.unwrap_or_else(|| {
        let dtype = accumulation_dtype(weight.dtype());
        initial.map(|value| AnyTensor::full(weight.shape(), value, &weight.device(), dtype))
    })
}

/// Panics on different shapes. The twin would broadcast a state of another shape silently, and the kernel would
/// refuse it.
fn assert_one_shape(weight: &AnyTensor, grad: &AnyTensor, state: &[AnyTensor]) {
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
pub(crate) fn stepped<const S: usize>(
    step: &dyn AnyStep<S>,
    weight: AnyTensor,
    grad: AnyTensor,
    state: [AnyTensor; S],
) -> Stepped<S> {
    #[cfg(feature = "flex")]
    if let Some(loops) = step.loops() {
        assert_one_shape(&weight, &grad, &state);
        let state = state.map(|tensor| tensor.0);
        return match crate::flex::update(loops, weight.0, grad.0, state) {
            Ok((weight, state)) => (AnyTensor(weight), state.map(AnyTensor)),
            Err((weight, grad, state)) => {
                let (weight, grad) = (AnyTensor(weight), AnyTensor(grad));
                on_twin(step, weight, grad, state.map(AnyTensor))
            }
        };
    }
    on_twin(step, weight, grad, state)
}

/// Takes the step with the twin. A step does the same to every element: tensors of a rank for which the twin is not
/// compiled, which weights seldom have, are flattened before.
fn on_twin<const S: usize>(
    step: &dyn AnyStep<S>,
    weight: AnyTensor,
    grad: AnyTensor,
    state: [AnyTensor; S],
) -> Stepped<S> {
    match weight.rank() {
        1 => twin_of_rank::<1, S>(step, weight, grad, state),
        2 => twin_of_rank::<2, S>(step, weight, grad, state),
        3 => twin_of_rank::<3, S>(step, weight, grad, state),
        4 => twin_of_rank::<4, S>(step, weight, grad, state),
        5 => twin_of_rank::<5, S>(step, weight, grad, state),
        _ => {
            assert_one_shape(&weight, &grad, &state);
            let shape = weight.shape();
            if weight.is_empty() {
                return (weight, state);
            }
            let flat = |tensor: AnyTensor| AnyTensor::from(tensor.flatten());
            let state = state.map(flat);
            let (weight, state) = twin_of_rank::<1, S>(step, flat(weight), flat(grad), state);
            let shaped = |tensor: AnyTensor| AnyTensor::of_flat(tensor.into_tensor(), &shape);
            (shaped(weight), state.map(shaped))
        }
    }
}

/// Takes the step with the twin, that of half-precision weights in `f32`; a tensor without elements is returned as it is.
pub(crate) fn twin_of_rank<const D: usize, const S: usize>(
    step: &dyn Twin<D, S>,
    weight: AnyTensor,
    grad: AnyTensor,
    state: [AnyTensor; S],
) -> Stepped<S> {
    assert_one_shape(&weight, &grad, &state);
    if weight.is_empty() {
        return (weight, state);
    }
    let dtype = weight.dtype();
    let wide = accumulation_dtype(dtype);
    let (weight, grad) = (weight.cast(wide), grad.cast(wide));
    let state = state.map(AnyTensor::into_tensor);
    let (weight, state) = step.twin(weight.into_tensor(), grad.into_tensor(), state);
    let weight = AnyTensor::from(weight).cast(dtype.into());
    (weight, state.map(AnyTensor::from))
}
