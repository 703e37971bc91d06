//! What a step of the normalised-gradient family remembers.

use crate::any_tensor::AnyTensor;
use crate::lerp::{towards, towards_twin};
use crate::real::Real;
use crate::step_count;

/// A decaying mean, `β old + (1 − β) new`, and its divisor: `1 − βᵗ`, or 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mean {
    /// β
    pub beta: f64,
    /// The bias correction.
    pub correction: f64,
}

impl Mean {
    /// The mean at step `time`, which counts from 1, with bias correction or without.
    pub fn new(beta: f64, bias_correction: bool, time: u64) -> Self {
        let correction = if bias_correction {
            step_count::bias_correction(beta, time)
        } else {
            1.0
        };
        Self { beta, correction }
    }

    #[inline(always)]
    pub(crate) fn next<T: Real>(self, old: T, new: T) -> T {
        towards(old, new, 1.0 - self.beta)
    }

    pub(crate) fn next_twin(self, old: AnyTensor, new: AnyTensor) -> AnyTensor {
        towards_twin(old, new, 1.0 - self.beta)
    }
}

/// What the norm of an element remembers. If `norm` of [`NormalizedStep`](crate::NormalizedStep) is `()`, the norm has
/// no memory: it is the magnitude of the divided number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NormMemory {
    /// The sum of squares.
    Sum {
        /// The sum before the first step.
        initial: f64,
    },
    /// A decaying mean of squares.
    Decay {
        /// The mean.
        mean: Mean,
        /// The mean before the first step.
        initial: f64,
    },
}

impl NormMemory {
    pub(crate) fn initial(self) -> f64 {
        match self {
            Self::Sum { initial } | Self::Decay { initial, .. } => initial,
        }
    }
}

/// What the update remembers. If `update` of [`NormalizedStep`](crate::NormalizedStep) is `()`, it remembers nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum UpdateMemory {
    /// A decaying mean of gradients, which is then divided.
    OfGradient(Mean),
    /// A decaying sum of the quotients, in which the old sum has this factor.
    OfUpdate(f64),
}

/// A memory with the bias correction of another step.
pub(crate) trait AtTime: Copy {
    fn at(self, time: u64) -> Self;
}

impl AtTime for () {
    fn at(self, _time: u64) -> Self {}
}

impl AtTime for Mean {
    fn at(self, time: u64) -> Self {
        Self::new(self.beta, self.correction != 1.0, time)
    }
}

impl AtTime for NormMemory {
    fn at(self, time: u64) -> Self {
        match self {
            Self::Decay { mean, initial } => Self::Decay {
                mean: mean.at(time),
                initial,
            },
            sum => sum,
        }
    }
}

impl AtTime for UpdateMemory {
    fn at(self, time: u64) -> Self {
        match self {
            Self::OfGradient(mean) => Self::OfGradient(mean.at(time)),
            sum => sum,
        }
    }
}
