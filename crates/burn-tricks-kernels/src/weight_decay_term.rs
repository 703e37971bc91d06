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
    /// Like decoupled decay, but not where the weight and the step's direction have opposite signs (cautious
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

    /// What is subtracted from the weight: the update and decoupled decay. `direction` has the sign of the mean gradient.
    ///
    /// `ηλ` is often smaller than what separates 1 from the next number: `1 − ηλ` would be rounded, and a weight that decays
    /// before its update is subtracted would be rounded twice, each time by as much as the decay or more.
    #[inline(always)]
    pub fn of_update<T: Real>(self, update: T, weight: T, direction: T) -> T {
        match self {
            Self::None | Self::Coupled(_) => update,
            Self::Decoupled(rate) => weight * rate + update,
            Self::Cautious(rate) => {
                let along = weight.if_negative(-direction, direction);
                along.if_negative(weight.of(0.0), weight * rate) + update
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

    /// [`of_update`](Self::of_update) for tensors.
    pub fn of_updates(
        self,
        update: AnyTensor,
        weight: &AnyTensor,
        direction: &AnyTensor,
    ) -> AnyTensor {
        match self {
            Self::None | Self::Coupled(_) => update,
            Self::Decoupled(rate) => weight.clone() * rate + update,
            Self::Cautious(rate) => {
                let negative = weight.clone().lower_elem(0.0);
                let along = direction.clone().mask_where(negative, -direction.clone());
                let pull = weight.clone() * rate;
                pull.mask_fill(along.lower_elem(0.0), 0.0) + update
            }
        }
    }
}
