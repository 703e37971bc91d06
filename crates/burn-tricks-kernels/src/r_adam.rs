//! RAdam: Adam whose first steps use plain momentum, until the variance of the mean square is small enough.

use crate::adam::{AdamStep, TimedAdam};
use crate::any_tensor::AnyTensor;
use crate::number::Number;
use crate::real::Real;
use crate::step::{Step, TimedStep};
use crate::step_count::{StepCount, bias_correction, one_minus_exp};
use burn::tensor::Tensor;

/// RAdam. State: `m`, `v`, as in [`AdamStep`].
///
/// ```text
/// ρₜ = ρ∞ − 2 t β₂ᵗ / (1 − β₂ᵗ),   ρ∞ = 2 / (1 − β₂) − 1
/// w ← w − η rₜ m̂ / (√v̂ + ε)        if ρₜ > 5,   rₜ² = (ρₜ − 4)(ρₜ − 2) ρ∞ / ((ρ∞ − 4)(ρ∞ − 2) ρₜ)
/// w ← w − η m̂                      else
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RAdamStep {
    adam: AdamStep,
    /// Whether `ρₜ > 5`.
    rectified: bool,
    /// η c₂ rₜ / (1 − β₁ᵗ) with c₂ = √(1 − β₂ᵗ), or η / (1 − β₁ᵗ).
    rate: f64,
    epsilon: f64,
}

impl RAdamStep {
    /// The new weight, from new moments.
    #[inline(always)]
    pub(crate) fn weight<T: Real>(self, weight: T, m: T, v: T) -> T {
        let update = if self.rectified {
            m * self.rate / (v.sqrt() + self.epsilon)
        } else {
            m * self.rate
        };
        weight - self.adam.decay.of_update(update, weight, m)
    }

    pub(crate) fn weight_twin(self, weight: AnyTensor, m: &AnyTensor, v: AnyTensor) -> AnyTensor {
        let update = m.clone() * self.rate;
        let update = if self.rectified {
            update / (v.sqrt() + self.epsilon)
        } else {
            update
        };
        let update = self.adam.decay.of_updates(update, &weight, m);
        weight - update
    }
}

impl Step<2> for RAdamStep {
    #[inline(always)]
    fn element<T: Real>(self, weight: T, grad: T, [m, v]: [T; 2]) -> (T, [T; 2]) {
        let grad = self.adam.decay.of_grad(grad, weight);
        let (m, v) = self.adam.moments(grad, m, v);
        (self.weight(weight, m, v), [m, v])
    }

    fn twin(
        self,
        weight: AnyTensor,
        grad: AnyTensor,
        [m, v]: [AnyTensor; 2],
    ) -> (AnyTensor, [AnyTensor; 2]) {
        let grad = self.adam.decay.of_grads(grad, &weight);
        let (m, v) = self.adam.moments_twin(grad, m, v);
        (self.weight_twin(weight, &m, v.clone()), [m, v])
    }
}

/// [`RAdamStep`] for any number of steps taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimedRAdam {
    /// η, β₁, β₂, ε and the decay.
    pub adam: TimedAdam,
    /// Whether ε is added to `√v̂`. Otherwise it is added to `√v`, as in PyTorch, where ε has more weight in
    /// the first steps.
    pub epsilon_beside_corrected: bool,
}

/// Steps whose ρ is not greater than this are not rectified.
const THRESHOLD: f64 = 5.0;

impl TimedRAdam {
    /// ρ∞
    fn longest(self) -> f64 {
        2.0 / (1.0 - self.adam.betas.1) - 1.0
    }

    /// rₜ, if ρₜ is large enough.
    fn rectification(self, t: u64) -> Option<f64> {
        let (longest, correction) = (self.longest(), bias_correction(self.adam.betas.1, t));
        let rho = longest - 2.0 * t as f64 * (1.0 - correction) / correction;
        let variance = |rho: f64| (rho - 4.0) * (rho - 2.0) / rho;
        (rho > THRESHOLD).then(|| (variance(rho) / variance(longest)).sqrt())
    }

    /// rₜ, and 0 where ρₜ is not large enough.
    fn rectification_of(self, time: &StepCount) -> Number {
        let longest = self.longest();
        if longest <= THRESHOLD {
            return Number::Known(0.0);
        }
        let variance_of_longest = (longest - 4.0) * (longest - 2.0) / longest;
        time.number(
            |t| self.rectification(t).unwrap_or(0.0),
            |t| {
                let rho = self.rho_twin(t);
                let variance = (rho.clone() - 4.0) * (rho.clone() - 2.0) / rho.clone();
                let short = rho.lower_equal_elem(THRESHOLD);
                (variance.mask_fill(short, 0.0) / variance_of_longest).sqrt()
            },
        )
    }

    /// The new weight, from new moments, after as many steps as the device may have to be asked for.
    pub(crate) fn weight_twin_at(
        self,
        time: &StepCount,
        weight: AnyTensor,
        m: &AnyTensor,
        v: AnyTensor,
    ) -> AnyTensor {
        let Self { adam, .. } = self;
        let update = time
            .bias_correction(adam.betas.0)
            .under(m.clone() * adam.lr);
        let root = time.number(
            |t| bias_correction(adam.betas.1, t).sqrt(),
            |t| one_minus_exp(t * adam.betas.1.ln()).sqrt(),
        );
        // √v̂ + ε, or c₂ ⁻¹ (√v + ε)
        let size = v.sqrt();
        let size = if self.epsilon_beside_corrected {
            root.under(size) + adam.epsilon
        } else {
            root.under(size + adam.epsilon)
        };
        // 0 if the step is not rectified. (The reciprocal of an infinite size is 0 as well.)
        let rectification = self.rectification_of(time).on_device(&size.device());
        let rectification = size.fitted(&rectification);
        let plain = rectification.clone().equal_elem(0.0).expand(size.shape());
        let factor = size.recip() * rectification;
        let update = update * factor.mask_fill(plain, 1.0);
        let update = adam.decay.of_updates(update, &weight, m);
        weight - update
    }

    /// ρₜ on the device. With `x = t L`, `L = −ln β₂`, it is `2/L (1 − x / (eˣ − 1)) + ρ∞ − 2/L`, which avoids
    /// a difference of large numbers and so loses no digits.
    fn rho_twin(self, t: Tensor<1>) -> Tensor<1> {
        let log = -self.adam.betas.1.ln();
        let x = t * log;
        // 1 − x / (eˣ − 1) = x/2 − x²/12 + x⁴/720 − x⁶/30240 + x⁸/1209600 − …
        let square = x.clone().square();
        let near = square.clone() / 1_209_600.0 - 1.0 / 30_240.0;
        let near = square.clone() * near + 1.0 / 720.0;
        let near = square.clone() * near - 1.0 / 12.0;
        let near = square * near + x.clone() * 0.5;
        let share = one_minus_exp(x.clone().neg());
        let far = x.clone() * (share.clone() - 1.0) / share + 1.0;
        let rho = near.mask_where(x.greater_elem(0.5), far) * (2.0 / log);
        rho + (self.longest() - 2.0 / log)
    }
}

impl TimedStep<2> for TimedRAdam {
    type At = RAdamStep;

    fn at(self, time: u64) -> RAdamStep {
        let Self { adam, .. } = self;
        let root = bias_correction(adam.betas.1, time).sqrt();
        let rate = adam.lr / bias_correction(adam.betas.0, time);
        let rectification = self.rectification(time);
        RAdamStep {
            adam: adam.at(time),
            rectified: rectification.is_some(),
            rate: rectification.map_or(rate, |r| rate * root * r),
            epsilon: if self.epsilon_beside_corrected {
                adam.epsilon * root
            } else {
                adam.epsilon
            },
        }
    }

    fn twin_at(
        self,
        time: &StepCount,
        weight: AnyTensor,
        grad: AnyTensor,
        state: [AnyTensor; 2],
    ) -> (AnyTensor, [AnyTensor; 2]) {
        let (adam, [m, v]) = (self.adam, state);
        let grad = adam.decay.of_grads(grad, &weight);
        let (m, v) = adam.at(1).moments_twin(grad, m, v);
        (self.weight_twin_at(time, weight, &m, v.clone()), [m, v])
    }
}
