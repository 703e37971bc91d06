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
        let state = state.unwrap_or_else(|| initial_state(self, &weight));
        let (weight, state) = apply_to(
            self,
            weight.into_dispatch(),
            grad.into_dispatch(),
            state.map(Tensor::into_dispatch),
        );
        (
            Tensor::from_dispatch(weight),
            state.map(Tensor::from_dispatch),
        )
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
        match skip {
            Skip::Known(false) => self.apply(weight, grad, state),
            Skip::Known(true) => {
                let state = state.unwrap_or_else(|| initial_state(self, &weight));
                (weight, state)
            }
            Skip::OnDevice(_) => {
                let state = state.unwrap_or_else(|| initial_state(self, &weight));
                let new = self.apply(weight.clone(), grad, Some(state.clone()));
                choose(skip, (weight, state), new)
            }
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
        let state = state.unwrap_or_else(|| initial_state(self, &weight));
        let shapes = state.each_ref().map(|state| state.shape());
        assert_one_shape(weight.shape(), grad.shape(), shapes);
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
        let state = state.unwrap_or_else(|| initial_state(self.at(1), &weight));
        if let Skip::Known(true) = skip {
            return (weight, state);
        }
        let shapes = state.each_ref().map(|state| state.shape());
        assert_one_shape(weight.shape(), grad.shape(), shapes);
        let old = (weight.clone(), state.clone());
        let new = in_wide(weight, grad, state, |weight, grad, state| {
            self.twin_at(time, weight, grad, state)
        });
        choose(skip, old, new)
    }
}

/// A weight and its state.
type Stepped<const D: usize, const S: usize> = (Tensor<D>, [Tensor<D>; S]);

fn choose<const D: usize, const S: usize>(
    skip: &Skip,
    (old_weight, old): Stepped<D, S>,
    (new_weight, new): Stepped<D, S>,
) -> Stepped<D, S> {
    let mut old = old.into_iter();
    let state = new.map(|new| match old.next() {
        Some(old) => skip.choose(old, new),
        None => new,
    });
    (skip.choose(old_weight, new_weight), state)
}

fn initial_state<R: Step<S>, const S: usize, const D: usize>(
    step: R,
    weight: &Tensor<D>,
) -> [Tensor<D>; S] {
    let (shape, dtype) = (weight.dims(), accumulation_dtype(weight.dtype()).into());
    step.initial().map(|value| match value {
        0.0 => Tensor::zeros(shape, (&weight.device(), dtype)),
        value => Tensor::full(shape, value, (&weight.device(), dtype)),
    })
}

/// Panics on different shapes. The twin would broadcast a state of another shape silently, and the kernel would
/// refuse it.
fn assert_one_shape(weight: Shape, grad: Shape, state: impl IntoIterator<Item = Shape>) {
    assert_eq!(
        weight, grad,
        "the weight (left) and its gradient (right) must have one shape"
    );
    for (number, state) in state.into_iter().enumerate() {
        assert_eq!(
            weight, state,
            "the weight (left) and tensor {number} of its state (right) must have one shape"
        );
    }
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
) -> (DispatchTensor, [DispatchTensor; S]) {
    let shapes = state.each_ref().map(|state| state.shape());
    assert_one_shape(weight.shape(), grad.shape(), shapes);
    #[cfg(feature = "flex")]
    let (weight, grad, state) = match crate::flex::update(ElementOf(step), weight, grad, state) {
        Ok(done) => return done,
        Err(not_ours) => not_ours,
    };
    with_rank!(weight.rank(), D => {
        let (weight, state) = on_twin::<R, S, D>(
            step,
            Tensor::from_dispatch(weight),
            Tensor::from_dispatch(grad),
            state.map(Tensor::from_dispatch),
        );
        (weight.into_dispatch(), state.map(Tensor::into_dispatch))
    })
}

fn on_twin<R: Step<S>, const S: usize, const D: usize>(
    step: R,
    weight: Tensor<D>,
    grad: Tensor<D>,
    state: [Tensor<D>; S],
) -> (Tensor<D>, [Tensor<D>; S]) {
    in_wide(weight, grad, state, |weight, grad, state| {
        step.twin(weight, grad, state)
    })
}

/// Takes the step of `twin`, whose numbers may be on the device; a state is zero before the first step.
pub(crate) fn apply_with<const D: usize, const S: usize>(
    weight: Tensor<D>,
    grad: Tensor<D>,
    state: Option<[Tensor<D>; S]>,
    twin: impl FnOnce(Tensor<D>, Tensor<D>, [Tensor<D>; S]) -> Stepped<D, S>,
) -> Stepped<D, S> {
    let zeros = || {
        let dtype = accumulation_dtype(weight.dtype()).into();
        [(); S].map(|()| Tensor::zeros(weight.dims(), (&weight.device(), dtype)))
    };
    let state = state.unwrap_or_else(zeros);
    let shapes = state.each_ref().map(|state| state.shape());
    assert_one_shape(weight.shape(), grad.shape(), shapes);
    in_wide(weight, grad, state, twin)
}

/// Takes a step of half-precision weights in `f32`; a tensor without elements is returned as it is.
fn in_wide<const D: usize, const S: usize>(
    weight: Tensor<D>,
    grad: Tensor<D>,
    state: [Tensor<D>; S],
    twin: impl FnOnce(Tensor<D>, Tensor<D>, [Tensor<D>; S]) -> Stepped<D, S>,
) -> Stepped<D, S> {
    if weight.dims().contains(&0) {
        return (weight, state);
    }
    let dtype = weight.dtype();
    let wide = accumulation_dtype(dtype);
    let (weight, state) = twin(weight.cast(wide), grad.cast(wide), state);
    (weight.cast(dtype), state)
}
