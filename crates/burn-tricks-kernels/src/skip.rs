//! Steps that are not taken.

use crate::any_arithmetic::AnyMask;
use crate::any_tensor::AnyTensor;
use crate::rank::flattened;
use burn::backend::Dispatch;
use burn::backend::ops::FloatTensorOps as _;
use burn::tensor::{Bool, Slice, Tensor};

/// Whether a step is to be skipped.
///
/// A gradient can be marked to say that its step must not be taken: the transforms of `burn-tricks-grad` with
/// `NonFinite::SkipStep` make *every* number of *every* gradient of a model NaN if one was infinite or NaN. An
/// optimizer with `skip_marked` looks for the mark ([`Skip::marked`]), and keeps weight, state and step count
/// as they are, to the bit: [`Step::apply_unless`](crate::Step::apply_unless).
///
/// Nothing waits for the device. On the CPU backend the mark is read directly from memory, and a marked step
/// costs nothing. On other backends the step is computed, and the device selects between old and new values; a
/// backend that fuses operations makes the selection part of the step. The host does not learn whether the step
/// was skipped, so the number of steps taken is on the device too: [`StepCount`](crate::StepCount).
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)] // one per step, never in a list
pub enum Skip {
    /// The host knows.
    Known(bool),
    /// Only the device knows: a tensor of one element.
    OnDevice(Tensor<1, Bool>),
}

impl Skip {
    /// The step is taken.
    pub const NO: Self = Self::Known(false);

    /// Whether the gradient is marked: its first and its last number are NaN. Only these two numbers are
    /// checked: a NaN at another place is not a mark, and shows in the weights.
    pub fn marked<const D: usize>(grad: &Tensor<D>) -> Self {
        Self::marked_any(&grad.clone().into())
    }

    /// [`marked`](Self::marked) for a gradient of any rank.
    pub fn marked_any(grad: &AnyTensor) -> Self {
        if grad.is_empty() {
            return Self::NO;
        }
        let shape = grad.shape();
        let number = |index: &dyn Fn(usize) -> usize| {
            let at = |length: &usize| Slice::from(index(*length)..index(*length) + 1);
            let slices: Vec<_> = shape.iter().map(at).collect();
            flattened(Dispatch::float_slice(grad.0.clone().open(), &slices))
        };
        let (first, last) = (number(&|_| 0), number(&|length| length - 1));
        #[cfg(feature = "flex")]
        {
            let known = |number: &Tensor<1>| crate::flex::scalar(&number.clone().into_dispatch());
            if let (Some(first), Some(last)) = (known(&first), known(&last)) {
                return Self::Known(first.is_nan() && last.is_nan());
            }
        }
        Self::OnDevice(first.is_nan().bool_and(last.is_nan()))
    }

    /// `old` if the step is skipped, otherwise `new`.
    pub fn choose<const D: usize>(&self, old: Tensor<D>, new: Tensor<D>) -> Tensor<D> {
        self.choose_any(old.into(), new.into()).into_tensor()
    }

    /// [`choose`](Self::choose) for tensors of any rank.
    pub fn choose_any(&self, old: AnyTensor, new: AnyTensor) -> AnyTensor {
        match self {
            Self::Known(true) => old,
            Self::Known(false) => new,
            Self::OnDevice(skip) => {
                let skip = skip.clone().to_device(&new.device());
                let skip = AnyMask::everywhere(skip, new.shape());
                new.mask_where(skip, old)
            }
        }
    }
}
