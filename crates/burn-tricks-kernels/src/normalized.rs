//! The normalised-gradient family with a norm per element.

use crate::any_tensor::AnyTensor;
use crate::normalized_memory::{AtTime, Mean, NormMemory, UpdateMemory};
use crate::number::Number;
use crate::real::Real;
use crate::step::{Step, TimedStep};
use crate::step_count::StepCount;
use crate::weight_decay_term::WeightDecayTerm;

/// The step of the normalised-gradient family with a norm for every element.
///
/// ```text
/// v ← v + g²  |  β v + (1 − β) g²
/// m ← β₁ m + (1 − β₁) g
/// u ← m̂ / (√v̂ + ε)  |  m̂ / √(v̂ + ε)          0 where the divisor is 0
/// u ← μ u' + u
/// w ← w − η u
/// ```
///
/// The types of `norm` and `update` determine the state at compile time: `v` if `norm` is a [`NormMemory`],
/// then `m` (or `u`) if `update` is an [`UpdateMemory`].
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_kernels::{WeightDecayTerm, NormMemory, NormalizedStep, Step};
///
/// let device = Device::flex();
/// let (weight, grad) = (Tensor::<1>::ones([3], &device), Tensor::<1>::ones([3], &device));
/// let sign_sgd = NormalizedStep::new(0.1, WeightDecayTerm::None);
/// let (weight, []) = sign_sgd.apply(weight, grad.clone(), None);
///
/// let ada_grad = sign_sgd.with_norm(NormMemory::Sum { initial: 0.0 });
/// let (weight, [v]) = ada_grad.apply(weight, grad, None);
/// # let _ = (weight, v);
/// ```
///
/// A norm with memory but without a state for it does not compile:
///
/// ```compile_fail,E0277
/// # use burn::tensor::{Device, Tensor};
/// # use burn_tricks_kernels::{WeightDecayTerm, NormMemory, NormalizedStep, Step};
/// # let device = Device::flex();
/// # let (weight, grad) = (Tensor::<1>::ones([3], &device), Tensor::<1>::ones([3], &device));
/// let ada_grad = NormalizedStep::new(0.1, WeightDecayTerm::None).with_norm(NormMemory::Sum { initial: 0.0 });
/// let (weight, []) = Step::<0>::apply(ada_grad, weight, grad, None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormalizedStep<N = (), U = ()> {
    /// η
    pub lr: f64,
    /// What the norm remembers: a [`NormMemory`], or `()`.
    pub norm: N,
    /// What the update remembers: an [`UpdateMemory`], or `()`.
    pub update: U,
    /// ε under the root.
    pub epsilon_inside: f64,
    /// ε added to the root.
    pub epsilon_outside: f64,
    /// Weight decay.
    pub decay: WeightDecayTerm,
}

impl NormalizedStep {
    /// Sign SGD: no memory, and ε = 0.
    pub fn new(lr: f64, decay: WeightDecayTerm) -> Self {
        Self {
            lr,
            norm: (),
            update: (),
            epsilon_inside: 0.0,
            epsilon_outside: 0.0,
            decay,
        }
    }
}

impl<N, U> NormalizedStep<N, U> {
    /// The same step with this memory of the norm.
    pub fn with_norm(self, norm: NormMemory) -> NormalizedStep<NormMemory, U> {
        NormalizedStep {
            lr: self.lr,
            norm,
            update: self.update,
            epsilon_inside: self.epsilon_inside,
            epsilon_outside: self.epsilon_outside,
            decay: self.decay,
        }
    }

    /// The same step with this memory of the update.
    pub fn with_update(self, update: UpdateMemory) -> NormalizedStep<N, UpdateMemory> {
        NormalizedStep {
            lr: self.lr,
            norm: self.norm,
            update,
            epsilon_inside: self.epsilon_inside,
            epsilon_outside: self.epsilon_outside,
            decay: self.decay,
        }
    }

    /// The new weight; `norm` and `update` are the memories and their numbers.
    #[inline(always)]
    fn new_weight<T: Real>(
        &self,
        weight: T,
        grad: T,
        norm: Option<(NormMemory, &mut T)>,
        update: Option<(UpdateMemory, &mut T)>,
    ) -> T {
        let grad = self.decay.of_grad(grad, weight);
        let (mean, momentum) = match update {
            Some((UpdateMemory::OfGradient(mean), m)) => {
                *m = mean.next(*m, grad);
                (*m / mean.correction, None)
            }
            Some((UpdateMemory::OfUpdate(share), last)) => (grad, Some((share, last))),
            None => (grad, None),
        };
        let mut update = match norm {
            Some((NormMemory::Sum { .. }, v)) => {
                *v = *v + grad * grad;
                self.quotient(mean, *v)
            }
            Some((NormMemory::Decay { mean: memory, .. }, v)) => {
                *v = memory.next(*v, grad * grad);
                self.quotient(mean, *v / memory.correction)
            }
            // Without squaring the large or the small.
            None if self.epsilon_inside == 0.0 => divide(mean, mean.abs() + self.epsilon_outside),
            None => self.quotient(mean, mean * mean),
        };
        if let Some((share, last)) = momentum {
            update = *last * share + update;
            *last = update;
        }
        weight - self.decay.of_update(update * self.lr, weight, mean)
    }

    /// `m̂ / divisor`, from the squared norm.
    #[inline(always)]
    fn quotient<T: Real>(&self, mean: T, squares: T) -> T {
        let divisor = (squares + self.epsilon_inside).sqrt() + self.epsilon_outside;
        divide(mean, divisor)
    }

    /// The numbers without the memories.
    fn bare(self) -> NormalizedStep {
        NormalizedStep {
            lr: self.lr,
            decay: self.decay,
            epsilon_inside: self.epsilon_inside,
            epsilon_outside: self.epsilon_outside,
            norm: (),
            update: (),
        }
    }
}

// Not compiled for each pair of memories.
impl NormalizedStep {
    /// [`new_weight`](Self::new_weight) for tensors, with bias corrections that may be known only to the
    /// device.
    fn new_weights(
        &self,
        weight: AnyTensor,
        grad: AnyTensor,
        correction: &Correction<'_>,
        norm: Option<(NormMemory, &mut AnyTensor)>,
        update: Option<(UpdateMemory, &mut AnyTensor)>,
    ) -> AnyTensor {
        let grad = self.decay.of_grads(grad, &weight);
        let (mean, momentum) = match update {
            Some((UpdateMemory::OfGradient(mean), m)) => {
                *m = mean.next_twin(m.clone(), grad.clone());
                (correction.of(mean).under(m.clone()), None)
            }
            Some((UpdateMemory::OfUpdate(share), last)) => (grad.clone(), Some((share, last))),
            None => (grad.clone(), None),
        };
        let mut update = match norm {
            Some((NormMemory::Sum { .. }, v)) => {
                *v = v.clone() + grad.square();
                self.quotients(mean.clone(), v.clone())
            }
            Some((NormMemory::Decay { mean: memory, .. }, v)) => {
                *v = memory.next_twin(v.clone(), grad.square());
                self.quotients(mean.clone(), correction.of(memory).under(v.clone()))
            }
            None if self.epsilon_inside == 0.0 => self.over(mean.clone(), mean.clone().abs()),
            None => self.quotients(mean.clone(), mean.clone().square()),
        };
        if let Some((share, last)) = momentum {
            update = last.clone() * share + update;
            *last = update.clone();
        }
        let update = self.decay.of_updates(update * self.lr, &weight, &mean);
        weight - update
    }

    fn quotients(&self, mean: AnyTensor, squares: AnyTensor) -> AnyTensor {
        let squares = match self.epsilon_inside {
            0.0 => squares,
            epsilon => squares + epsilon,
        };
        self.over(mean, squares.sqrt())
    }

    /// `m̂ / (norm + ε)`
    fn over(&self, mean: AnyTensor, norm: AnyTensor) -> AnyTensor {
        let divisor = match self.epsilon_outside {
            0.0 => norm,
            epsilon => norm + epsilon,
        };
        let zero = divisor.clone().equal_elem(0.0);
        (mean / divisor).mask_fill(zero, 0.0)
    }
}

/// The source of the bias corrections.
enum Correction<'a> {
    /// The step's own.
    Own,
    /// From the number of steps taken.
    At(&'a StepCount),
}

impl Correction<'_> {
    fn of(&self, mean: Mean) -> Number {
        match self {
            Self::At(time) if mean.correction != 1.0 => time.bias_correction(mean.beta),
            _ => Number::Known(mean.correction),
        }
    }
}

#[inline(always)]
fn divide<T: Real>(numerator: T, divisor: T) -> T {
    divisor.if_zero(divisor.of(0.0), numerator / divisor)
}

/// [`NormalizedStep`] for any number of steps taken. The given step must have the bias corrections of step 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimedNormalized<N = (), U = ()>(pub NormalizedStep<N, U>);

/// For each pair of memories: how many numbers they remember, the numbers' names, and which memory has which.
macro_rules! steps {
    ($($N:ty, $U:ty, $count:literal, [$($slot:ident),*],
       $step:ident => $norm:expr, $update:expr, $initial:expr;)*) => {$(
        impl Step<$count> for NormalizedStep<$N, $U> {
            #[inline(always)]
            fn element<T: Real>(
                self,
                weight: T,
                grad: T,
                [$(mut $slot),*]: [T; $count],
            ) -> (T, [T; $count]) {
                let $step = self;
                let weight = $step.new_weight(weight, grad, $norm, $update);
                (weight, [$($slot),*])
            }

            fn twin(
                self,
                weight: AnyTensor,
                grad: AnyTensor,
                [$(mut $slot),*]: [AnyTensor; $count],
            ) -> (AnyTensor, [AnyTensor; $count]) {
                let $step = self;
                let own = Correction::Own;
                let weight = $step.bare().new_weights(weight, grad, &own, $norm, $update);
                (weight, [$($slot),*])
            }

            fn initial(self) -> [f64; $count] {
                let $step = self;
                let _ = $step;
                $initial
            }
        }

        impl TimedStep<$count> for TimedNormalized<$N, $U> {
            type At = NormalizedStep<$N, $U>;

            fn at(self, time: u64) -> Self::At {
                NormalizedStep {
                    norm: self.0.norm.at(time),
                    update: self.0.update.at(time),
                    ..self.0
                }
            }

            fn twin_at(
                self,
                time: &StepCount,
                weight: AnyTensor,
                grad: AnyTensor,
                [$(mut $slot),*]: [AnyTensor; $count],
            ) -> (AnyTensor, [AnyTensor; $count]) {
                let $step = self.0;
                let at = Correction::At(time);
                let weight = $step.bare().new_weights(weight, grad, &at, $norm, $update);
                (weight, [$($slot),*])
            }
        }
    )*};
}
steps! {
    (), (), 0, [], step => None, None, [];
    NormMemory, (), 1, [v], step => Some((step.norm, &mut v)), None, [step.norm.initial()];
    (), UpdateMemory, 1, [m], step => None, Some((step.update, &mut m)), [0.0];
    NormMemory, UpdateMemory, 2, [v, m],
        step => Some((step.norm, &mut v)), Some((step.update, &mut m)), [step.norm.initial(), 0.0];
}
