//! The weight decay inside a step.

use crate::any_tensor::AnyTensor;
use crate::real::Real;

/// Weight decay as a part of a [`Step`](crate::Step), without an extra pass.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum WeightDecayTerm {
    /// None.
    None,
    /// `g ← g + λ w`, before everything else: the gradient of an L2 penalty. Holds λ.
    Coupled(f64),
    /// `w ← w − ηλ w`, apart from the gradient. Holds ηλ.
    Decoupled(f64),
    /// Like decoupled decay, but only where the weight and the step's direction have the same sign (cautious
    /// weight decay, <https://arxiv.org/abs/2510.12402>). Holds ηλ.
    Cautious(f64),
}

impl WeightDecayTerm {
    /// The gradient with coupled decay added.
    #[inline(always)]
    pub fn of_grad<T: Real>(self, grad: T, weight: T) -> T {
        match self {
            Self::Coupled(rate) => weight * rate + grad,
            _ => grad,
        }
    }

    /// The weight after decoupled decay; `direction` has the sign of the mean gradient.
    #[inline(always)]
    pub fn of_weight<T: Real>(self, weight: T, direction: T) -> T {
        match self {
            Self::None | Self::Coupled(_) => weight,
            Self::Decoupled(rate) => weight * (1.0 - rate),
            Self::Cautious(rate) => {
                let (pull, none) = (weight * rate, weight.of(0.0));
                let away = direction.if_negative(none, pull);
                let towards = direction.if_negative(pull, none);
                weight - weight.if_negative(towards, away)
            }
        }
    }

    /// [`of_grad`](Self::of_grad) for tensors.
    pub fn of_grads(self, grad: AnyTensor, weight: &AnyTensor) -> AnyTensor {
        match self {
            Self::Coupled(rate) => weight.clone() * rate + grad,
            _ => grad,
        }
    }

    /// [`of_weight`](Self::of_weight) for tensors.
    pub fn of_weights(self, weight: AnyTensor, direction: &AnyTensor) -> AnyTensor {
        match self {
            Self::None | Self::Coupled(_) => weight,
            Self::Decoupled(rate) => weight * (1.0 - rate),
            Self::Cautious(rate) => {
                let against = weight
                    .clone()
                    .greater_equal_elem(0.0)
                    .not_equal(direction.clone().greater_equal_elem(0.0));
                let pull = weight.clone() * rate;
                weight - pull.mask_fill(against, 0.0)
            }
        }
    }
}
