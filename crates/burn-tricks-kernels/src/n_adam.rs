//! NAdam: Adam with Nesterov's momentum.

use crate::adam::{AdamStep, TimedAdam};
use crate::any_tensor::AnyTensor;
use crate::number::Number;
use crate::real::Real;
use crate::step::{Step, TimedStep};
use crate::step_count::{StepCount, bias_correction, one_minus_exp};
use burn::tensor::Tensor;
use std::cell::Cell;

/// NAdam. State: `m`, `v`, as in [`AdamStep`].
///
/// ```text
/// w ← w − η ((1 − μₜ) / (1 − Πₜ) g + μₜ₊₁ / (1 − Πₜ₊₁) m) / (√v̂ + ε)         Πₜ = μ₁ μ₂ ⋯ μₜ
/// ```
///
/// The code multiplies by `c₂ = √(1 − β₂ᵗ)` and divides by `√v + ε c₂` instead.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NAdamStep {
    adam: AdamStep,
    /// η c₂ (1 − μₜ) / (1 − Πₜ)
    grad_rate: f64,
    /// η c₂ μₜ₊₁ / (1 − Πₜ₊₁)
    mean_rate: f64,
    /// ε c₂
    epsilon: f64,
}

impl Step<2> for NAdamStep {
    #[inline(always)]
    fn element<T: Real>(self, weight: T, grad: T, [m, v]: [T; 2]) -> (T, [T; 2]) {
        let decay = self.adam.decay;
        let grad = decay.of_grad(grad, weight);
        let (m, v) = self.adam.moments(grad, m, v);
        let update = (grad * self.grad_rate + m * self.mean_rate) / (v.sqrt() + self.epsilon);
        (weight - decay.of_update(update, weight, m), [m, v])
    }

    fn twin(
        self,
        weight: AnyTensor,
        grad: AnyTensor,
        [m, v]: [AnyTensor; 2],
    ) -> (AnyTensor, [AnyTensor; 2]) {
        let numbers = [self.grad_rate, self.mean_rate, self.epsilon].map(Number::Known);
        twin(self.adam, &numbers, weight, grad, [m, v])
    }
}

fn twin(
    adam: AdamStep,
    [grad_rate, mean_rate, epsilon]: &[Number; 3],
    weight: AnyTensor,
    grad: AnyTensor,
    [m, v]: [AnyTensor; 2],
) -> (AnyTensor, [AnyTensor; 2]) {
    let grad = adam.decay.of_grads(grad, &weight);
    let (m, v) = adam.moments_twin(grad.clone(), m, v);
    let update = grad_rate.times(grad) + mean_rate.times(m.clone());
    let update = update / epsilon.plus(v.clone().sqrt());
    let update = adam.decay.of_updates(update, &weight, &m);
    (weight - update, [m, v])
}

/// [`NAdamStep`] for any number of steps taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimedNAdam {
    /// η, β₁, β₂, ε and the decay.
    pub adam: TimedAdam,
    /// ψ in `μₜ = β₁ (1 − ½ 0.96^(t ψ))`; `None` for `μₜ = β₁`.
    pub momentum_decay: Option<f64>,
}

/// The base of the exponent ψ.
const BASE: f64 = 0.96;

/// The number of terms of `Σ ½ᵏ …` that gives the sum to the last bit of an `f64`.
const TERMS: i32 = 54;

impl TimedNAdam {
    /// `ln 0.96^ψ`
    fn log_q(self) -> Option<f64> {
        self.momentum_decay.map(|psi| psi * BASE.ln())
    }

    /// μₜ
    fn momentum(self, t: u64) -> f64 {
        let weak = self.log_q().map_or(0.0, |log_q| (log_q * t as f64).exp());
        self.adam.betas.0 * (1.0 - 0.5 * weak)
    }

    /// `1 − Πₜ`. The product has no closed form, but its logarithm is a series:
    /// `Σᵢ ln(1 − ½ qⁱ) = −Σₖ ½ᵏ/k Σᵢ qⁱᵏ`, whose inner sum is geometric.
    fn one_minus_product(self, t: u64) -> f64 {
        let beta = self.adam.betas.0;
        let Some(log_q) = self.log_q() else {
            return bias_correction(beta, t);
        };
        let terms = (1..=TERMS).map(|k| series_term(log_q, k) * geometric(log_q, k, t as f64));
        -(t as f64 * beta.ln() - terms.sum::<f64>()).exp_m1()
    }

    /// [`momentum`](Self::momentum) on the device.
    fn momentum_twin(self, t: Tensor<1>) -> Tensor<1> {
        let beta = self.adam.betas.0;
        match self.log_q() {
            None => t.ones_like() * beta,
            Some(log_q) => (one_minus_exp(t * log_q) + 1.0) * (0.5 * beta),
        }
    }

    /// [`one_minus_product`](Self::one_minus_product) on the device.
    fn one_minus_product_twin(self, t: Tensor<1>) -> Tensor<1> {
        let log_beta = self.adam.betas.0.ln();
        let log_product = match self.log_q() {
            None => t * log_beta,
            Some(0.0) => t * (log_beta - std::f64::consts::LN_2),
            Some(log_q) => {
                let of_terms = |number: &dyn Fn(i32) -> f64| {
                    let numbers: Vec<f64> = (1..=TERMS).map(number).collect();
                    let dtype = t.dtype();
                    Tensor::<1>::from_data(numbers.as_slice(), (&t.device(), dtype))
                };
                let powers = one_minus_exp(t.clone() * of_terms(&|k| log_q * f64::from(k)));
                let shares =
                    of_terms(&|k| series_term(log_q, k) / -(log_q * f64::from(k)).exp_m1());
                t * log_beta - (powers * shares).sum()
            }
        };
        one_minus_exp(log_product)
    }

    /// The three learning rates of [`NAdamStep`].
    fn numbers(self, time: &StepCount) -> [Number; 3] {
        let Self { adam, .. } = self;
        let (lr, (_, beta_2)) = (adam.lr, adam.betas);
        let root = |t: Tensor<1>| one_minus_exp(t * beta_2.ln()).sqrt();
        let host = |t| self.at(t);
        [
            time.number(
                |t| host(t).grad_rate,
                |t| {
                    let share = self.momentum_twin(t.clone()).neg() + 1.0;
                    root(t.clone()) * share * lr / self.one_minus_product_twin(t)
                },
            ),
            time.number(
                |t| host(t).mean_rate,
                |t| {
                    let next = t.clone() + 1.0;
                    let share = self.momentum_twin(next.clone());
                    root(t) * share * lr / self.one_minus_product_twin(next)
                },
            ),
            time.number(|t| host(t).epsilon, |t| root(t) * adam.epsilon),
        ]
    }
}

/// `½ᵏ/k qᵏ`
fn series_term(log_q: f64, k: i32) -> f64 {
    0.5_f64.powi(k) / f64::from(k) * (log_q * f64::from(k)).exp()
}

/// `(1 − qᵏᵗ) / (1 − qᵏ)`
fn geometric(log_q: f64, k: i32, t: f64) -> f64 {
    if log_q == 0.0 {
        return t;
    }
    let log = log_q * f64::from(k);
    (log * t).exp_m1() / log.exp_m1()
}

impl TimedStep<2> for TimedNAdam {
    type At = NAdamStep;

    fn at(self, time: u64) -> NAdamStep {
        // The series are as much work as a step of a small tensor, and the same for every parameter of a model.
        thread_local! {
            static LAST: Cell<Option<(TimedNAdam, u64, NAdamStep)>> = const { Cell::new(None) };
        }
        match LAST.get() {
            Some((of, at, step)) if (of, at) == (self, time) => step,
            _ => {
                let step = self.computed_at(time);
                LAST.set(Some((self, time, step)));
                step
            }
        }
    }

    fn twin_at(
        self,
        time: &StepCount,
        weight: AnyTensor,
        grad: AnyTensor,
        state: [AnyTensor; 2],
    ) -> (AnyTensor, [AnyTensor; 2]) {
        twin(self.adam.at(1), &self.numbers(time), weight, grad, state)
    }
}

impl TimedNAdam {
    fn computed_at(self, time: u64) -> NAdamStep {
        let Self { adam, .. } = self;
        let root = bias_correction(adam.betas.1, time).sqrt();
        let next = time.saturating_add(1);
        NAdamStep {
            adam: adam.at(time),
            grad_rate: adam.lr * root * (1.0 - self.momentum(time)) / self.one_minus_product(time),
            mean_rate: adam.lr * root * self.momentum(next) / self.one_minus_product(next),
            epsilon: adam.epsilon * root,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nadam(beta_1: f64, momentum_decay: Option<f64>) -> TimedNAdam {
        let decay = crate::weight_decay_term::WeightDecayTerm::None;
        let adam = TimedAdam {
            lr: 0.1,
            betas: (beta_1, 0.999),
            epsilon: 1e-8,
            plain_epsilon: false,
            decay,
        };
        TimedNAdam {
            adam,
            momentum_decay,
        }
    }

    #[test]
    fn a_step_is_that_of_its_own_settings_and_time() {
        let steps = [nadam(0.9, None), nadam(0.9, Some(0.004)), nadam(0.8, None)];
        for time in [1, 1, 2, 1, 3] {
            for step in [0, 1, 1, 2, 0].map(|number| steps[number]) {
                assert_eq!(step.at(time), step.computed_at(time));
            }
        }
    }

    #[test]
    fn the_series_is_the_product() {
        for momentum_decay in [None, Some(0.0), Some(0.004), Some(1.0), Some(50.0)] {
            for beta_1 in [0.0, 0.5, 0.9, 0.999] {
                let step = nadam(beta_1, momentum_decay);
                let mut product = 1.0;
                for t in 1..=200 {
                    product *= step.momentum(t);
                    let (got, right) = (step.one_minus_product(t), 1.0 - product);
                    let close = (got - right).abs() <= 1e-12 * right;
                    assert!(close, "{momentum_decay:?}, {beta_1}, {t}: {got}, {right}");
                }
            }
        }
    }
}
