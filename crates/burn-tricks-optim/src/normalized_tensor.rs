//! The normalised-gradient step where all elements of a tensor share a norm.

use crate::normalized_gradient::NormalizedGradient;
use crate::normalized_gradient_settings::{Epsilon, Memory, MomentumMemory};
use crate::normalized_gradient_state::NormalizedGradientState;
use crate::pending_step::full_wide;
use crate::state_tensor::StateTensor;
use burn::tensor::Tensor;
use burn_tricks_core::accumulation_dtype;
use burn_tricks_kernels::{
    AnyTensor, Number, PlannedStep, Real, SgdStep, Skip, SquareSum, Step as _, StepCount,
    SumOfSquares, TensorList, TensorNumber, WeightDecayTerm, blend_any, descend_any, lerp,
    lerp_any, sum_of_squares, take_together,
};

impl NormalizedGradient {
    /// A step with one norm for all elements: the norm is a number on the device, and needs an extra read.
    pub(crate) fn step_of_tensor(
        &self,
        lr: f64,
        skip: &Skip,
        weight: AnyTensor,
        grad: AnyTensor,
        state: NormalizedGradientState,
    ) -> (AnyTensor, Option<NormalizedGradientState>) {
        if let Some(step) = self.plan_of_tensor(lr, skip, &weight, &grad) {
            drop((weight, grad));
            let (weight, _) = take_together(vec![step]).swap_remove(0);
            return (weight, None);
        }
        let config = &self.config;
        let time = state.time.begun();
        let decay = self.decay.at(lr, weight.rank());
        let grad = match decay {
            WeightDecayTerm::Coupled(_) => {
                let wide = accumulation_dtype(weight.dtype());
                decay.of_grads(grad.cast(wide), &weight.clone().cast(wide))
            }
            _ => grad,
        };
        let mut old_momentum = match (config.momentum, state.momentum) {
            (MomentumMemory::None, _) => None,
            (_, Some(held)) => Some(held.fitted_to(&weight, "momentum")),
            (_, None) => Some(full_wide(0.0, &weight)),
        };
        let old_squares = match (config.memory, state.accumulator) {
            (Memory::None, _) => None,
            (_, Some(held)) => Some(held.one_fitted_to(&weight, "accumulator").flatten()),
            (_, None) => Some(self.first_squares(&weight)),
        };
        // A buffer that is held twice is not changed in place.
        let may_skip = matches!(skip, Skip::OnDevice(_));
        let before = may_skip.then(|| (weight.clone(), old_squares.clone(), old_momentum.clone()));
        let squares = old_squares.map(|old| {
            let now = self.squared_norm(&grad, &weight);
            match config.memory {
                Memory::Decay { beta } => lerp(old, now, 1.0 - beta),
                _ => old + now,
            }
        });

        // What is divided, and by what it must be divided besides: the bias correction.
        let (direction, correction) = match (config.momentum, old_momentum.take()) {
            (MomentumMemory::OfGradient { beta }, Some(old)) => {
                let direction = lerp_any(old, grad, 1.0 - beta);
                (direction, self.correction(beta, &time))
            }
            (_, old) => {
                old_momentum = old;
                (grad, Number::Known(1.0))
            }
        };
        let divisor = match (config.memory, &squares) {
            (Memory::Decay { beta }, Some(squares)) => {
                let correction = self.correction(beta, &time);
                self.divisor_of_squares(over(squares.clone(), &correction))
            }
            (_, Some(squares)) => self.divisor_of_squares(squares.clone()),
            (_, None) => self.divisor_of_norm(over(own_norm(&direction), &correction)),
        };
        // With decoupled decay, first the sum of decay and update, and then the old weight minus that: see `WeightDecayTerm`.
        let (keep, sign, decayed) = match decay {
            WeightDecayTerm::Decoupled(rate) => (rate, 1.0, Some(weight.clone())),
            _ => (1.0, -1.0, None),
        };
        let (weight, momentum) = match (config.momentum, old_momentum) {
            (MomentumMemory::OfUpdate { mu }, Some(old)) => {
                let update = descend_any(old, mu, direction, 1.0, &divisor);
                let weight = blend_any(weight, keep, update.clone(), sign * lr);
                (weight, Some(update))
            }
            (momentum, _) => {
                let (rate, divisor) = match &correction {
                    Number::Known(correction) => (lr / correction, divisor),
                    on_device => (lr, on_device.times(divisor.into()).into_tensor()),
                };
                let kept = (momentum != MomentumMemory::None).then(|| direction.clone());
                let rate = sign * rate;
                (descend_any(weight, keep, direction, rate, &divisor), kept)
            }
        };
        let weight = match decayed {
            Some(old) => blend_any(old, 1.0, weight, -1.0),
            None => weight,
        };

        let (weight, squares, momentum) = match before {
            None => (weight, squares, momentum),
            Some((old_weight, old_squares, old_momentum)) => {
                let chosen = old_squares.zip(squares);
                let squares = chosen.map(|(old, new)| skip.choose(old, new));
                let chosen = old_momentum.zip(momentum);
                let momentum = chosen.map(|(old, new)| skip.choose_any(old, new));
                (skip.choose_any(old_weight, weight), squares, momentum)
            }
        };
        if squares.is_none() && momentum.is_none() {
            return (weight, None);
        }
        let squares =
            squares.map(|squares| AnyTensor::of_flat(squares, &vec![1; weight.rank()].into()));
        let state = NormalizedGradientState {
            time: time.ended(skip),
            accumulator: squares.map(StateTensor::from),
            momentum: momentum.map(StateTensor::from),
        };
        (weight, Some(state))
    }

    /// The step without memory and momentum, for a GPU: its norm takes one read of the gradient, and no operation of its own.
    pub(crate) fn plan_of_tensor(
        &self,
        lr: f64,
        skip: &Skip,
        weight: &AnyTensor,
        grad: &AnyTensor,
    ) -> Option<PlannedStep> {
        let is_plain = matches!(
            (self.config.memory, self.config.momentum, skip),
            (Memory::None, MomentumMemory::None, Skip::Known(false))
        );
        if !is_plain || !weight.is_on_gpu() {
            return None;
        }
        let (coupled, decay) = match self.decay.at(lr, weight.rank()) {
            decay @ WeightDecayTerm::Coupled(_) => (decay, WeightDecayTerm::None),
            decay => (WeightDecayTerm::None, decay),
        };
        let step = SgdStep { lr, decay }.plan(weight, grad, None)?;
        step.with_gradient(DividedGradient {
            epsilon: self.config.epsilon,
            decay: coupled,
        })
    }

    fn correction(&self, beta: f64, time: &StepCount) -> Number {
        if self.config.bias_correction {
            time.bias_correction(beta)
        } else {
            Number::Known(1.0)
        }
    }

    /// The memory before the first step.
    fn first_squares(&self, weight: &AnyTensor) -> Tensor<1> {
        let dtype = accumulation_dtype(weight.dtype());
        let options = (&weight.device(), dtype.into());
        Tensor::full([1], self.config.initial_accumulator, options)
    }

    /// `‖g‖²`, in the type of the state.
    fn squared_norm(&self, grad: &AnyTensor, weight: &AnyTensor) -> Tensor<1> {
        let SumOfSquares { scale, sum } = squares_of(grad);
        // In two steps: the square of the scale may be no `f32`.
        (sum * scale.clone() * scale).cast(accumulation_dtype(weight.dtype()))
    }

    /// `√v + ε` or `√(v + ε)`
    fn divisor_of_squares(&self, squares: Tensor<1>) -> Tensor<1> {
        match self.config.epsilon {
            Epsilon::InsideRoot(epsilon) => (squares + epsilon).sqrt(),
            Epsilon::OutsideRoot(epsilon) => squares.sqrt() + epsilon,
        }
    }

    /// `‖m̂‖ + ε` or `√(‖m̂‖² + ε)`
    fn divisor_of_norm(&self, norm: Tensor<1>) -> Tensor<1> {
        match self.config.epsilon {
            Epsilon::OutsideRoot(epsilon) => norm + epsilon,
            Epsilon::InsideRoot(0.0) => norm,
            Epsilon::InsideRoot(epsilon) => (norm.square() + epsilon).sqrt(),
        }
    }
}

/// The gradient divided by its norm, 0 where the divisor is 0.
#[derive(Debug, Clone, Copy)]
struct DividedGradient {
    epsilon: Epsilon,
    /// The coupled decay.
    decay: WeightDecayTerm,
}

impl TensorNumber<2, 1> for DividedGradient {
    fn terms<T: Real>(self, [weight, grad]: [T; 2]) -> [T; 1] {
        [self.decay.of_grad(grad, weight)]
    }

    fn number<T: Real>(self, [grad]: [SquareSum<T>; 1], _count: T) -> T {
        match self.epsilon {
            Epsilon::OutsideRoot(epsilon) => grad.root + epsilon,
            Epsilon::InsideRoot(0.0) => grad.root,
            Epsilon::InsideRoot(epsilon) => (grad.root * grad.root + epsilon).sqrt(),
        }
    }

    fn element<T: Real>(self, [weight, grad]: [T; 2], divisor: T) -> T {
        let grad = self.decay.of_grad(grad, weight);
        divisor.if_zero(grad.of(0.0), grad / divisor)
    }
}

fn over(number: Tensor<1>, correction: &Number) -> Tensor<1> {
    correction.under(number.into()).into_tensor()
}

/// `‖x‖`, without overflow or underflow of squares.
fn own_norm(tensor: &AnyTensor) -> Tensor<1> {
    let SumOfSquares { scale, sum } = squares_of(tensor);
    sum.sqrt() * scale
}

fn squares_of(tensor: &AnyTensor) -> SumOfSquares {
    let list = TensorList::from(tensor.clone());
    sum_of_squares(&list).expect("a step of an empty tensor ends before")
}
