//! The normalised-gradient family with a norm per element.

use crate::{Decay, Real, Step};
use burn::tensor::Tensor;

/// A decaying mean, `β old + (1 − β) new`, and what it is divided by: `1 − βᵗ`, or 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mean {
    /// β
    pub beta: f64,
    /// The bias correction.
    pub correction: f64,
}

impl Mean {
    /// At step `time`, which counts from 1, with bias correction or without.
    pub fn new(beta: f64, bias_correction: bool, time: u64) -> Self {
        let correction = match bias_correction {
            true => 1.0 - beta.powf(time as f64),
            false => 1.0,
        };
        Self { beta, correction }
    }

    #[inline(always)]
    fn next<T: Real>(self, old: T, new: T) -> T {
        old * self.beta + new * (1.0 - self.beta)
    }

    fn next_twin<const D: usize>(self, old: Tensor<D>, new: Tensor<D>) -> Tensor<D> {
        old * self.beta + new * (1.0 - self.beta)
    }
}

/// What the norm of an element remembers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NormMemory {
    /// Nothing: it is the magnitude of what is divided.
    None,
    /// The sum of squares.
    Sum,
    /// A decaying mean of squares.
    Decay(Mean),
}

/// What the update remembers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum UpdateMemory {
    /// Nothing.
    None,
    /// A decaying mean of gradients, which is then divided.
    OfGradient(Mean),
    /// A decaying sum of the quotients, with this share of the old one.
    OfUpdate(f64),
}

/// The family's step where every element has its own norm. State: `v` unless the norm remembers
/// nothing, then `m` (or `u`) unless the update remembers nothing: `S` in all.
///
/// ```text
/// v ← v + g²  |  β v + (1 − β) g²
/// m ← β₁ m + (1 − β₁) g
/// u ← m̂ / (√v̂ + ε)  |  m̂ / √(v̂ + ε)          0 where the divisor is 0
/// u ← μ u' + u
/// w ← w − η u
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormalizedStep {
    /// η
    pub lr: f64,
    /// What the norm remembers.
    pub norm: NormMemory,
    /// What the update remembers.
    pub update: UpdateMemory,
    /// ε under the root.
    pub epsilon_inside: f64,
    /// ε beside it.
    pub epsilon_outside: f64,
    /// What `v` is before the first step.
    pub initial: f64,
    /// Weight decay.
    pub decay: Decay,
}

impl NormalizedStep {
    #[inline(always)]
    fn remembers_norm(self) -> bool {
        !matches!(self.norm, NormMemory::None)
    }

    /// `m̂ / divisor`, from the squared norm.
    #[inline(always)]
    fn quotient<T: Real>(self, mean: T, squares: T) -> T {
        let divisor = (squares + self.epsilon_inside).sqrt() + self.epsilon_outside;
        divide(mean, divisor)
    }

    fn quotients<const D: usize>(self, mean: Tensor<D>, squares: Tensor<D>) -> Tensor<D> {
        let squares = match self.epsilon_inside {
            0.0 => squares,
            epsilon => squares + epsilon,
        };
        self.over(mean, squares.sqrt())
    }

    /// `m̂ / (norm + ε)`
    fn over<const D: usize>(self, mean: Tensor<D>, norm: Tensor<D>) -> Tensor<D> {
        let divisor = match self.epsilon_outside {
            0.0 => norm,
            epsilon => norm + epsilon,
        };
        let zero = divisor.clone().equal_elem(0.0);
        (mean / divisor).mask_fill(zero, 0.0)
    }
}

#[inline(always)]
fn divide<T: Real>(numerator: T, divisor: T) -> T {
    divisor.if_zero(divisor.of(0.0), numerator / divisor)
}

impl<const S: usize> Step<S> for NormalizedStep {
    #[inline(always)]
    fn element<T: Real>(self, weight: T, grad: T, mut state: [T; S]) -> (T, [T; S]) {
        let grad = self.decay.of_grad(grad, weight);
        let last = S.wrapping_sub(1); // of the update's memory, which stands behind the norm's
        let mean = match self.update {
            UpdateMemory::OfGradient(mean) if S > 0 => {
                state[last] = mean.next(state[last], grad);
                state[last] / mean.correction
            }
            _ => grad,
        };
        let mut update = match self.norm {
            NormMemory::Sum if S > 0 => {
                state[0] = state[0] + grad * grad;
                self.quotient(mean, state[0])
            }
            NormMemory::Decay(memory) if S > 0 => {
                state[0] = memory.next(state[0], grad * grad);
                self.quotient(mean, state[0] / memory.correction)
            }
            // Without squaring the large or the small.
            _ if self.epsilon_inside == 0.0 => divide(mean, mean.abs() + self.epsilon_outside),
            _ => self.quotient(mean, mean * mean),
        };
        if let UpdateMemory::OfUpdate(share) = self.update
            && S > 0
        {
            update = state[last] * share + update;
            state[last] = update;
        }
        let weight = self.decay.of_weight(weight, mean);
        (weight - update * self.lr, state)
    }

    fn twin<const D: usize>(
        self,
        weight: Tensor<D>,
        grad: Tensor<D>,
        mut state: [Tensor<D>; S],
    ) -> (Tensor<D>, [Tensor<D>; S]) {
        let grad = self.decay.of_grads(grad, &weight);
        let last = S.wrapping_sub(1);
        let mean = match self.update {
            UpdateMemory::OfGradient(mean) => {
                state[last] = mean.next_twin(state[last].clone(), grad.clone());
                match mean.correction {
                    1.0 => state[last].clone(),
                    correction => state[last].clone() / correction,
                }
            }
            _ => grad.clone(),
        };
        let mut update = match self.norm {
            NormMemory::Sum => {
                state[0] = state[0].clone() + grad.square();
                self.quotients(mean.clone(), state[0].clone())
            }
            NormMemory::Decay(memory) => {
                state[0] = memory.next_twin(state[0].clone(), grad.square());
                self.quotients(mean.clone(), state[0].clone() / memory.correction)
            }
            NormMemory::None if self.epsilon_inside == 0.0 => {
                self.over(mean.clone(), mean.clone().abs())
            }
            NormMemory::None => self.quotients(mean.clone(), mean.clone().square()),
        };
        if let UpdateMemory::OfUpdate(share) = self.update {
            update = state[last].clone() * share + update;
            state[last] = update.clone();
        }
        let weight = self.decay.of_weights(weight, &mean);
        (weight - update * self.lr, state)
    }

    fn initial(self) -> [f64; S] {
        let mut initial = [0.0; S];
        if self.remembers_norm() && S > 0 {
            initial[0] = self.initial;
        }
        initial
    }
}
