//! The trait of rules of averages.

use crate::average_record::AverageKind;
use burn_tricks_core::{Buffers, ConfigError};
use std::fmt::Debug;
use std::sync::Arc;

/// After which optimizer steps an average takes the weights. The default is after every step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampling {
    /// The number of optimizer steps at the start whose weights are not taken.
    pub start_after: usize,
    /// Afterwards the weights of one step in this many are taken, first at step `start_after + every`; at least
    /// 1.
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
    /// Whether step `step`, from 1, comes before the first step that may count.
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
    /// The number of this update, from 0.
    pub number: u64,
    /// The learning rate of the optimizer's step before this update; 1 if the average does not get the learning rate.
    pub lr: f64,
}

/// The rule of an average of weights: after which steps it takes the weights, and what share of the old average it
/// keeps.
///
/// [`EmaConfig`](crate::EmaConfig), [`SwaConfig`](crate::SwaConfig) and [`LawaConfig`](crate::LawaConfig) are rules.
/// [`Average`](crate::Average) does the rest: it holds the weights, in `f32` if they are `f16` or `bf16`, counts steps,
/// can be restarted, returns models, and is recorded. An average by a rule of your own does all of that, and is a
/// `Trick` in Burn's `Learner`.
///
/// # Example
///
/// The mean of the weights of all steps, each weighted by the square of its learning rate, as in schedule-free
/// learning (Defazio et al., 2024):
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burn_tricks_average::{Average, AverageRule, AverageKind, Update};
///
/// #[derive(Debug, Clone)]
/// struct RateWeighted;
///
/// impl AverageRule for RateWeighted {
///     fn kind(&self) -> AverageKind {
///         AverageKind::new(1000, "RateWeighted")
///     }
///
///     fn memory(&self) -> usize {
///         1 // the sum of the weights so far
///     }
///
///     fn keep(&self, update: &Update, memory: &mut [f64]) -> f64 {
///         let before = memory[0];
///         memory[0] += update.lr.powi(2);
///         if memory[0] == 0.0 { 0.0 } else { before / memory[0] }
///     }
/// }
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let model = LinearConfig::new(2, 2).init(&Device::flex().autodiff());
/// let mut average = Average::init(RateWeighted, &model)?;
/// for rate in [0.1, 0.2, 0.1] {
///     // ... model = optim.step(rate, model, grads); ...
///     average.update_at(&model, rate);
/// }
/// let to_validate_with = average.model();
/// # let _ = to_validate_with;
/// # Ok(())
/// # }
/// ```
pub trait AverageRule: Debug + Send + Sync {
    /// The kind of this rule's records: an average loads only records of its own kind.
    fn kind(&self) -> AverageKind;

    /// The share, in [0, 1], of the old average in the new one; the rest is the share of the new weights. With
    /// 0 the average becomes the new weights.
    ///
    /// `memory` has as many numbers as [`memory`](Self::memory) says, all 0 at first; numbers written there are
    /// kept until the next update, also in a resumed run. Until the first update, a rule is asked for its first
    /// share at each step. What it writes into `memory` then is discarded.
    fn keep(&self, update: &Update, memory: &mut [f64]) -> f64;

    /// How many numbers the rule remembers from update to update. Default: none.
    fn memory(&self) -> usize {
        0
    }

    /// How many samples of the weights are held, for a rule whose average is the plain mean of the newest
    /// samples; [`keep`](Self::keep) is not called then. Default: no samples, the average is updated by `keep`.
    fn samples(&self) -> Option<usize> {
        None
    }

    /// After which steps the weights are taken. Default: after every step.
    fn sampling(&self) -> Sampling {
        Sampling::default()
    }

    /// What happens to running statistics. Default: they are averaged.
    fn buffers(&self) -> Buffers {
        Buffers::Average
    }

    /// Checks the settings of the rule. Default: they are valid.
    ///
    /// # Errors
    ///
    /// The first invalid setting.
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
