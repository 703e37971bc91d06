//! The two passes of Prodigy: the sums of its estimate, and its step.

use crate::any_tensor::AnyTensor;
use crate::number::Number;
use crate::real::Real;
use crate::step::{AnyStep, OfStep, Step, array, of_rank, on_twin, or_initial, stepped};
use burn::tensor::Tensor;

/// What a parameter contributes to Prodigy's estimate, after [`prodigy_sums`].
#[derive(Debug, Clone)]
pub struct ProdigySums {
    /// s, the new decaying sum of gradients.
    pub sum: Tensor<1>,
    /// `⟨g, w₀ − w⟩`, a tensor of one element.
    pub product: Tensor<1>,
    /// `‖s‖₁`, a tensor of one element.
    pub size: Tensor<1>,
}

/// The sums of Prodigy's estimate for one parameter, all of whose tensors are flat, of one type, `f32` or `f64`, and of
/// one length:
///
/// ```text
/// s ← β₃ s + a g
/// ⟨g, w₀ − w⟩        ‖s‖₁
/// ```
///
/// `share` is a, a tensor of one element. On the CPU backend this is one pass, which reads four tensors and writes `sum`
/// in place if its buffer is not shared. The two results are in `f64` there, summed in an order that does not depend on
/// the number of threads; on other backends they have the type of the gradient. Nothing is read from another device.
///
/// # Panics
///
/// If the tensors have different lengths.
pub fn prodigy_sums(
    grad: Tensor<1>,
    weight: Tensor<1>,
    first: Tensor<1>,
    sum: Tensor<1>,
    decay: f64,
    share: &Tensor<1>,
) -> ProdigySums {
    let lengths = [&grad, &weight, &first, &sum].map(|tensor| tensor.dims()[0]);
    assert!(
        lengths.iter().all(|length| *length == lengths[0]),
        "the tensors of a parameter have the lengths {lengths:?}"
    );
    #[cfg(feature = "flex")]
    {
        let dtype = grad.dtype();
        let all = [&grad, &weight, &first, &sum];
        let known = crate::flex::scalar(&share.clone().into_dispatch());
        if let Some(share) = known.filter(|_| all.iter().all(|tensor| tensor.dtype() == dtype)) {
            let [grad, weight, first, sum] = [grad, weight, first, sum].map(Tensor::into_dispatch);
            match crate::flex::prodigy_sums([grad, weight, first], sum, decay, share) {
                Ok((sum, product, size)) => {
                    let sum = Tensor::from_dispatch(sum);
                    return ProdigySums { sum, product, size };
                }
                Err(([grad, weight, first], sum)) => {
                    let [grad, weight, first, sum] =
                        [grad, weight, first, sum].map(Tensor::from_dispatch);
                    let share = Tensor::full([1], share, (&grad.device(), dtype));
                    return prodigy_sums_twin(grad, weight, first, sum, decay, &share);
                }
            }
        }
    }
    prodigy_sums_twin(grad, weight, first, sum, decay, share)
}

/// [`prodigy_sums`] with tensor operations alone: the specification.
pub fn prodigy_sums_twin(
    grad: Tensor<1>,
    weight: Tensor<1>,
    first: Tensor<1>,
    sum: Tensor<1>,
    decay: f64,
    share: &Tensor<1>,
) -> ProdigySums {
    let share = share.clone().to_device(&grad.device()).cast(grad.dtype());
    let product = (grad.clone() * (first - weight)).sum();
    let sum = sum.mul_scalar(decay) + grad * share;
    let size = sum.clone().abs().sum();
    ProdigySums { sum, product, size }
}

/// The settings of Prodigy's step.
///
/// ```text
/// m ← β₁ m + (1 − β₁) d g        v ← β₂ v + (1 − β₂) d² g²
/// w ← w − r (m / (√v + ε) + λ w)
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProdigyStep {
    /// β₁ and β₂
    pub betas: (f64, f64),
    /// λ
    pub weight_decay: f64,
}

/// The numbers of a step of Prodigy, each a tensor of one element.
#[derive(Debug, Clone)]
pub struct ProdigyNumbers {
    /// d
    pub distance: Tensor<1>,
    /// r
    pub rate: Tensor<1>,
    /// ε, with the factor d' that it has in the paper.
    pub epsilon: Tensor<1>,
}

impl ProdigyStep {
    /// Takes the step, like [`Step::apply`]; the state is m and v. Nothing is read from another device than the CPU.
    ///
    /// # Panics
    ///
    /// As [`Step::apply`].
    pub fn apply<const D: usize>(
        self,
        numbers: &ProdigyNumbers,
        weight: Tensor<D>,
        grad: Tensor<D>,
        state: Option<[Tensor<D>; 2]>,
    ) -> (Tensor<D>, [Tensor<D>; 2]) {
        let state = state.map(|state| state.map(AnyTensor::from).into());
        of_rank(self.apply_any(numbers, weight.into(), grad.into(), state))
    }

    /// [`apply`](Self::apply) for tensors of any rank. The state is a list of two tensors.
    ///
    /// # Panics
    ///
    /// As [`Step::apply_unless`].
    pub fn apply_any(
        self,
        numbers: &ProdigyNumbers,
        weight: AnyTensor,
        grad: AnyTensor,
        state: Option<Vec<AnyTensor>>,
    ) -> (AnyTensor, Vec<AnyTensor>) {
        let ProdigyNumbers {
            distance,
            rate,
            epsilon,
        } = numbers;
        let state = or_initial(state, &[0.0; 2], &weight);
        let numbers = [distance, rate, epsilon].map(Number::from_tensor);
        if let [
            Number::Known(distance),
            Number::Known(rate),
            Number::Known(epsilon),
        ] = numbers
        {
            let step = KnownStep {
                step: self,
                distance,
                rate,
                epsilon,
            };
            return stepped(&OfStep(step), weight, grad, state);
        }
        stepped(&OnDevice(self, numbers), weight, grad, state)
    }

    /// [`apply`](Self::apply) with tensor operations alone: the specification.
    ///
    /// # Panics
    ///
    /// As [`Step::apply`].
    pub fn apply_twin<const D: usize>(
        self,
        numbers: &ProdigyNumbers,
        weight: Tensor<D>,
        grad: Tensor<D>,
        state: Option<[Tensor<D>; 2]>,
    ) -> (Tensor<D>, [Tensor<D>; 2]) {
        let ProdigyNumbers {
            distance,
            rate,
            epsilon,
        } = numbers.clone();
        let numbers = [distance, rate, epsilon].map(Number::OnDevice);
        let (weight, grad) = (weight.into(), grad.into());
        let state = state.map(|state| state.map(AnyTensor::from).into());
        let state = or_initial(state, &[0.0; 2], &weight);
        of_rank(on_twin(&OnDevice(self, numbers), weight, grad, state))
    }

    fn twin(
        self,
        [distance, rate, epsilon]: &[Number; 3],
        weight: AnyTensor,
        grad: AnyTensor,
        [m, v]: [AnyTensor; 2],
    ) -> (AnyTensor, [AnyTensor; 2]) {
        let (beta_1, beta_2) = self.betas;
        let grad = distance.times(grad);
        let m = m * beta_1 + grad.clone() * (1.0 - beta_1);
        let v = v * beta_2 + grad.square() * (1.0 - beta_2);
        let direction = m.clone() / epsilon.plus(v.clone().sqrt());
        // The authors' program decays first, and then steps: the same sum.
        let direction = match self.weight_decay {
            0.0 => direction,
            decay => direction + weight.clone() * decay,
        };
        (weight - rate.times(direction), [m, v])
    }
}

/// [`ProdigyStep`] with numbers that only the device knows.
struct OnDevice(ProdigyStep, [Number; 3]);

impl AnyStep for OnDevice {
    fn twin(
        &self,
        weight: AnyTensor,
        grad: AnyTensor,
        state: Vec<AnyTensor>,
    ) -> (AnyTensor, Vec<AnyTensor>) {
        let (weight, state) = self.0.twin(&self.1, weight, grad, array(state));
        (weight, state.into())
    }
}

/// [`ProdigyStep`] with numbers that the host knows.
#[derive(Debug, Clone, Copy, PartialEq)]
struct KnownStep {
    step: ProdigyStep,
    distance: f64,
    rate: f64,
    epsilon: f64,
}

impl Step<2> for KnownStep {
    #[inline(always)]
    fn element<T: Real>(self, weight: T, grad: T, [m, v]: [T; 2]) -> (T, [T; 2]) {
        let (beta_1, beta_2) = self.step.betas;
        let grad = grad * self.distance;
        let m = m * beta_1 + grad * (1.0 - beta_1);
        let v = v * beta_2 + grad * grad * (1.0 - beta_2);
        let direction = m / (v.sqrt() + self.epsilon);
        let direction = match self.step.weight_decay {
            0.0 => direction,
            decay => direction + weight * decay,
        };
        (weight - direction * self.rate, [m, v])
    }

    fn twin(
        self,
        weight: AnyTensor,
        grad: AnyTensor,
        state: [AnyTensor; 2],
    ) -> (AnyTensor, [AnyTensor; 2]) {
        let numbers = [self.distance, self.rate, self.epsilon].map(Number::Known);
        self.step.twin(&numbers, weight, grad, state)
    }
}
