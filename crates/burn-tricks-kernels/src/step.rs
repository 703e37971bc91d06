//! One step of an optimizer on one tensor, for an element and for whole tensors.

#[cfg(feature = "flex")]
use crate::element_step::ElementStep;
use crate::precision::accumulation_dtype;
use crate::rank::with_rank;
use crate::real::Real;
use crate::skip::Skip;
use crate::step_count::StepCount;
use burn::backend::{DispatchTensor, TensorMetadata as _};
use burn::tensor::{Shape, Tensor};

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

    /// The same for whole tensors, all of one shape, in `f32` or `f64`.
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
        let state = or_initial(state, self.initial(), &weight);
        let step = |weight, grad, state| apply_to(self, weight, grad, state);
        through_dispatch(weight, grad, state, &step)
    }

    /// Like [`apply`](Self::apply), except that weight and state stay as they are, to the bit, if the step is
    /// to be skipped.
    ///
    /// # Panics
    ///
    /// As [`apply`](Self::apply).
    fn apply_unless<const D: usize>(
        self,
        skip: &Skip,
        weight: Tensor<D>,
        grad: Tensor<D>,
        state: Option<[Tensor<D>; S]>,
    ) -> (Tensor<D>, [Tensor<D>; S]) {
        let state = or_initial(state, self.initial(), &weight);
        let step = |weight, grad, state| apply_to(self, weight, grad, state);
        unless(skip, weight, grad, state, &|weight, grad, state| {
            through_dispatch(weight, grad, state, &step)
        })
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
        let state = or_initial(state, self.initial(), &weight);
        assert_one_shape(&weight, &grad, &state);
        on_twin(self, weight, grad, state)
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
    fn apply_unless<const D: usize>(
        self,
        skip: &Skip,
        time: &StepCount,
        weight: Tensor<D>,
        grad: Tensor<D>,
        state: Option<[Tensor<D>; S]>,
    ) -> (Tensor<D>, [Tensor<D>; S]) {
        if let Some(time) = time.known() {
            return self.at(time).apply_unless(skip, weight, grad, state);
        }
        let state = or_initial(state, self.at(1).initial(), &weight);
        let twin = |weight, grad, state| self.twin_at(time, weight, grad, state);
        unless(skip, weight, grad, state, &|weight, grad, state| {
            assert_one_shape(&weight, &grad, &state);
            in_wide(weight, grad, state, &twin)
        })
    }
}

/// A weight and its state.
type Stepped<const D: usize, const S: usize> = (Tensor<D>, [Tensor<D>; S]);

// A step is compiled for every rank. What follows is therefore generic over as little as possible: what does not depend on
// the step is not compiled again for every step.

/// A step for whole tensors.
type Twin<'a, const D: usize, const S: usize> =
    dyn Fn(Tensor<D>, Tensor<D>, [Tensor<D>; S]) -> Stepped<D, S> + 'a;

/// A weight and its state, of any rank.
type Dispatched<const S: usize> = (DispatchTensor, [DispatchTensor; S]);

/// A step for tensors of any rank.
type DispatchStep<'a, const S: usize> =
    dyn Fn(DispatchTensor, DispatchTensor, [DispatchTensor; S]) -> Dispatched<S> + 'a;

fn through_dispatch<const D: usize, const S: usize>(
    weight: Tensor<D>,
    grad: Tensor<D>,
    state: [Tensor<D>; S],
    step: &DispatchStep<'_, S>,
) -> Stepped<D, S> {
    let (weight, grad) = (weight.into_dispatch(), grad.into_dispatch());
    let (weight, state) = step(weight, grad, into_dispatch(state));
    (Tensor::from_dispatch(weight), from_dispatch(state))
}

/// The weight and state after `step`, or unchanged if the step is to be skipped.
fn unless<const D: usize, const S: usize>(
    skip: &Skip,
    weight: Tensor<D>,
    grad: Tensor<D>,
    state: [Tensor<D>; S],
    step: &Twin<'_, D, S>,
) -> Stepped<D, S> {
    match skip {
        Skip::Known(false) => step(weight, grad, state),
        Skip::Known(true) => (weight, state),
        Skip::OnDevice(_) => {
            let (new_weight, new) = step(weight.clone(), grad, state.clone());
            let mut old = state.into_iter();
            let state = new.map(|new| match old.next() {
                Some(old) => skip.choose(old, new),
                None => new,
            });
            (skip.choose(weight, new_weight), state)
        }
    }
}

/// The state, or the one before the first step, with these values.
fn or_initial<const D: usize, const S: usize>(
    state: Option<[Tensor<D>; S]>,
    initial: [f64; S],
    weight: &Tensor<D>,
) -> [Tensor<D>; S] {
    state.unwrap_or_else(|| initial.map(|value| initial_tensor(value, weight)))
}

fn initial_tensor<const D: usize>(value: f64, weight: &Tensor<D>) -> Tensor<D> {
    let (shape, dtype) = (weight.dims(), accumulation_dtype(weight.dtype()).into());
    match value {
        0.0 => Tensor::zeros(shape, (&weight.device(), dtype)),
        value => Tensor::full(shape, value, (&weight.device(), dtype)),
    }
}

fn into_dispatch<const D: usize, const S: usize>(tensors: [Tensor<D>; S]) -> [DispatchTensor; S] {
    tensors.map(Tensor::into_dispatch)
}

fn from_dispatch<const D: usize, const S: usize>(tensors: [DispatchTensor; S]) -> [Tensor<D>; S] {
    tensors.map(Tensor::from_dispatch)
}

/// Panics on different shapes. The twin would broadcast a state of another shape silently, and the kernel would
/// refuse it.
fn assert_one_shape<const D: usize>(weight: &Tensor<D>, grad: &Tensor<D>, state: &[Tensor<D>]) {
    let shape = weight.shape();
    assert_grad_fits(&shape, &grad.shape());
    for (number, state) in state.iter().enumerate() {
        assert_state_fits(&shape, number, &state.shape());
    }
}

fn assert_grad_fits(weight: &Shape, grad: &Shape) {
    assert_eq!(
        weight, grad,
        "the weight (left) and its gradient (right) must have one shape"
    );
}

fn assert_state_fits(weight: &Shape, number: usize, state: &Shape) {
    assert_eq!(
        weight, state,
        "the weight (left) and tensor {number} of its state (right) must have one shape"
    );
}

/// A [`Step`] in the form that the loop over elements needs.
#[cfg(feature = "flex")]
#[derive(Clone, Copy)]
struct ElementOf<R>(R);

#[cfg(feature = "flex")]
impl<R: Step<S>, const S: usize> ElementStep<S> for ElementOf<R> {
    #[inline(always)]
    fn element<T: Real>(self, weight: T, grad: T, state: [T; S]) -> (T, [T; S]) {
        self.0.element(weight, grad, state)
    }
}

/// [`Step::apply`] for tensors of any rank.
pub(crate) fn apply_to<R: Step<S>, const S: usize>(
    step: R,
    weight: DispatchTensor,
    grad: DispatchTensor,
    state: [DispatchTensor; S],
) -> Dispatched<S> {
    let shape = weight.shape();
    assert_grad_fits(&shape, &grad.shape());
    for (number, state) in state.iter().enumerate() {
        assert_state_fits(&shape, number, &state.shape());
    }
    #[cfg(feature = "flex")]
    let (weight, grad, state) = match crate::flex::update(&ElementOf(step), weight, grad, state) {
        Ok(done) => return done,
        Err(not_ours) => not_ours,
    };
    with_rank!(weight.rank(), D => {
        let (weight, state) = on_twin::<R, S, D>(
            step,
            Tensor::from_dispatch(weight),
            Tensor::from_dispatch(grad),
            from_dispatch(state),
        );
        (weight.into_dispatch(), into_dispatch(state))
    })
}

fn on_twin<R: Step<S>, const S: usize, const D: usize>(
    step: R,
    weight: Tensor<D>,
    grad: Tensor<D>,
    state: [Tensor<D>; S],
) -> (Tensor<D>, [Tensor<D>; S]) {
    let twin = |weight, grad, state| step.twin(weight, grad, state);
    in_wide(weight, grad, state, &twin)
}

/// Takes the step of `twin`, whose numbers may be on the device; a state is zero before the first step.
pub(crate) fn apply_with<const D: usize, const S: usize>(
    weight: Tensor<D>,
    grad: Tensor<D>,
    state: Option<[Tensor<D>; S]>,
    twin: &Twin<'_, D, S>,
) -> Stepped<D, S> {
    let state = or_initial(state, [0.0; S], &weight);
    assert_one_shape(&weight, &grad, &state);
    in_wide(weight, grad, state, twin)
}

/// Takes a step of half-precision weights in `f32`; a tensor without elements is returned as it is.
fn in_wide<const D: usize, const S: usize>(
    weight: Tensor<D>,
    grad: Tensor<D>,
    state: [Tensor<D>; S],
    twin: &Twin<'_, D, S>,
) -> Stepped<D, S> {
    if weight.dims().contains(&0) {
        return (weight, state);
    }
    let dtype = weight.dtype();
    let wide = accumulation_dtype(dtype);
    let (weight, state) = twin(weight.cast(wide), grad.cast(wide), state);
    (weight.cast(dtype), state)
}
