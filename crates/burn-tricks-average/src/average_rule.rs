//! What makes one average of weights differ from another: when it takes them, and how much of itself it
//! keeps.
//!
//! [`EmaConfig`](crate::EmaConfig), [`SwaConfig`](crate::SwaConfig) and [`LawaConfig`](crate::LawaConfig)
//! are rules. [`Average`](crate::Average) does the rest: it holds the weights, in `f32` where they are `f16`
//! or `bf16`, counts, restarts, hands out models, and is recorded. A rule of your own has all of that, and
//! is a `Trick` in Burn's `Learner`.
//!
//! # Example
//!
//! The mean of the weights of all steps, each counted as the square of its learning rate, as in
//! schedule-free learning (Defazio et al., 2024):
//!
//! ```
//! use burn::nn::LinearConfig;
//! use burn::tensor::Device;
//! use burn_tricks_average::{Average, AverageRule, AverageKind, Update};
//!
//! #[derive(Debug, Clone)]
//! struct RateWeighted;
//!
//! impl AverageRule for RateWeighted {
//!     fn kind(&self) -> AverageKind {
//!         AverageKind::new(1000, "RateWeighted")
//!     }
//!
//!     fn memory(&self) -> usize {
//!         1 // the sum of the weights so far
//!     }
//!
//!     fn keep(&self, update: &Update, memory: &mut [f64]) -> f64 {
//!         let before = memory[0];
//!         memory[0] += update.rate.powi(2);
//!         if memory[0] == 0.0 { 0.0 } else { before / memory[0] }
//!     }
//! }
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! let model = LinearConfig::new(2, 2).init(&Device::flex().autodiff());
//! let mut average = Average::init(RateWeighted, &model)?;
//! for rate in [0.1, 0.2, 0.1] {
//!     // ... model = optim.step(rate, model, grads); ...
//!     average.update_at(&model, rate);
//! }
//! let to_validate_with = average.model();
//! # let _ = to_validate_with;
//! # Ok(())
//! # }
//! ```

use crate::average_record::AverageKind;
use burn_tricks_core::{Buffers, ConfigError};
use std::fmt::Debug;
use std::sync::Arc;

/// Which optimizer steps an average takes the weights of. The default is every step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampling {
    /// Optimizer steps at the start that do not count.
    pub start_after: usize,
    /// After that, one step in this many counts, the first of them at step `start_after + every`; at
    /// least 1.
    pub every: usize,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            start_after: 0,
            every: 1,
        }
    }
}

impl Sampling {
    /// Whether step `step`, from 1, comes before the first that may count.
    pub(crate) fn is_before_start(self, step: u64) -> bool {
        step <= self.start_after as u64
    }

    pub(crate) fn counts(self, step: u64) -> bool {
        !self.is_before_start(step)
            && (step - self.start_after as u64).is_multiple_of(self.every as u64)
    }
}

/// An update of an average, as its rule sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Update {
    /// Which update it is, from 0.
    pub number: u64,
    /// The learning rate of the optimizer's step before it; 1 where the average is not told.
    pub rate: f64,
}

/// How an average takes weights. See the [module documentation](self).
pub trait AverageRule: Debug + Send + Sync {
    /// Whose records its averages load, and nobody else's.
    fn kind(&self) -> AverageKind;

    /// The share of itself, in [0, 1], that the average keeps in an update; the rest is the new weights'. With
    /// 0 it becomes the new weights.
    ///
    /// `memory` has as many numbers as [`memory`](Self::memory) says, all 0 at first; what is written there is
    /// there at the next update, in a resumed run too. A rule whose first share is 0 is asked for it at each
    /// step until the first update, and what it writes then is forgotten.
    fn keep(&self, update: &Update, memory: &mut [f64]) -> f64;

    /// How many numbers it remembers from update to update. Default: none.
    fn memory(&self) -> usize {
        0
    }

    /// How many samples are held, if the average is the plain mean of the newest ones; [`keep`](Self::keep) is
    /// not asked then. Default: none are, the average moves.
    fn samples(&self) -> Option<usize> {
        None
    }

    /// At which steps weights are taken. Default: at every step.
    fn sampling(&self) -> Sampling {
        Sampling::default()
    }

    /// What becomes of running statistics. Default: averaged.
    fn buffers(&self) -> Buffers {
        Buffers::Average
    }

    /// Whether its settings mean something. Default: they do.
    ///
    /// # Errors
    ///
    /// The first that does not.
    fn check(&self) -> Result<(), ConfigError> {
        Ok(())
    }
}

/// A rule chosen at run time: `Average<M, Arc<dyn AverageRule>>`.
impl<R: AverageRule + ?Sized> AverageRule for Arc<R> {
    fn kind(&self) -> AverageKind {
        (**self).kind()
    }

    fn keep(&self, update: &Update, memory: &mut [f64]) -> f64 {
        (**self).keep(update, memory)
    }

    fn memory(&self) -> usize {
        (**self).memory()
    }

    fn samples(&self) -> Option<usize> {
        (**self).samples()
    }

    fn sampling(&self) -> Sampling {
        (**self).sampling()
    }

    fn buffers(&self) -> Buffers {
        (**self).buffers()
    }

    fn check(&self) -> Result<(), ConfigError> {
        (**self).check()
    }
}
