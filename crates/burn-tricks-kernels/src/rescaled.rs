//! A step with a multiple of the gradient.

use crate::any_tensor::AnyTensor;
use crate::real::Real;
use crate::step::{Step, TimedStep};
use crate::step_count::StepCount;

/// Another step, with the gradient multiplied by a number: in the same pass, and not in one before it.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_kernels::{Rescaled, SgdStep, Step, WeightDecayTerm};
///
/// let device = Device::flex();
/// let (weight, grad) = (Tensor::<1>::ones([2], &device), Tensor::<1>::ones([2], &device));
/// let sgd = SgdStep { lr: 0.5, decay: WeightDecayTerm::None };
/// let (weight, []) = Rescaled { step: sgd, factor: 0.5 }.apply(weight, grad, None);
/// assert_eq!(weight.into_data().to_vec::<f32>().unwrap(), [0.75, 0.75]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rescaled<S> {
    /// The step.
    pub step: S,
    /// By what the gradient is multiplied, rounded to the type of the arithmetic. A number that is infinite there makes NaN
    /// of a gradient's zeros.
    pub factor: f64,
}

impl<R: Step<S>, const S: usize> Step<S> for Rescaled<R> {
    #[inline(always)]
    fn element<T: Real>(self, weight: T, grad: T, state: [T; S]) -> (T, [T; S]) {
        self.step.element(weight, grad * self.factor, state)
    }

    fn twin(
        self,
        weight: AnyTensor,
        grad: AnyTensor,
        state: [AnyTensor; S],
    ) -> (AnyTensor, [AnyTensor; S]) {
        self.step.twin(weight, grad * self.factor, state)
    }

    fn initial(self) -> [f64; S] {
        self.step.initial()
    }
}

impl<R: TimedStep<S>, const S: usize> TimedStep<S> for Rescaled<R> {
    type At = Rescaled<R::At>;

    fn at(self, time: u64) -> Self::At {
        Rescaled {
            step: self.step.at(time),
            factor: self.factor,
        }
    }

    fn twin_at(
        self,
        time: &StepCount,
        weight: AnyTensor,
        grad: AnyTensor,
        state: [AnyTensor; S],
    ) -> (AnyTensor, [AnyTensor; S]) {
        self.step.twin_at(time, weight, grad * self.factor, state)
    }
}
