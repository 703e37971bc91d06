//! The length of a training run, in optimizer steps.

use crate::config_error::ConfigError;
use serde::{Deserialize, Serialize};

/// The length of a training run in optimizer steps: whole epochs, all of the same number of steps.
///
/// Schedules and averages count in optimizer steps. [`Run`] turns epochs, and fractions of the whole run,
/// into steps:
///
/// ```text
/// steps per epoch = ⌈⌈samples / batch size⌉ / batches accumulated⌉
/// steps           = epochs · steps per epoch
/// ```
///
/// # Example
///
/// ```
/// use burn_tricks_core::Run;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let run = Run::of_batches(30, 1437, 32, 1)?;
/// assert_eq!((run.steps_per_epoch(), run.steps()), (45, 1350));
/// assert_eq!(run.epochs(3), 135); // of warm-up
/// assert_eq!(run.fraction(0.2)?, 270); // of decay
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Make the `Run` before any configuration that counts steps. It holds only numbers and no state.
///
/// # Differences
///
/// - Composer writes `"0.1dur"` and `"5ep"` in each schedule, and resolves them during training; here the
///   numbers of steps are known before the run and can be printed.
/// - PyTorch's one-cycle takes `epochs` and `steps_per_epoch` itself; its other schedules take steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Run {
    epochs: usize,
    steps_per_epoch: usize,
}

/// A run as deserialised, before its numbers are checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    epochs: usize,
    steps_per_epoch: usize,
}

impl TryFrom<Unchecked> for Run {
    type Error = ConfigError;

    fn try_from(run: Unchecked) -> Result<Self, ConfigError> {
        Self::init(run.epochs, run.steps_per_epoch)
    }
}

impl Run {
    /// A run of `epochs` epochs, of `steps_per_epoch` optimizer steps each.
    ///
    /// # Errors
    ///
    /// If either is 0, or their product is too large for a `usize`.
    pub fn init(epochs: usize, steps_per_epoch: usize) -> Result<Self, ConfigError> {
        ConfigError::at_least_one("epochs", epochs)?;
        ConfigError::at_least_one("steps_per_epoch", steps_per_epoch)?;
        if epochs.checked_mul(steps_per_epoch).is_none() {
            let got = (epochs, steps_per_epoch);
            return Err(ConfigError::new(
                "epochs",
                "have a countable number of steps in all",
                got,
            ));
        }
        Ok(Self {
            epochs,
            steps_per_epoch,
        })
    }

    /// A run over `samples` samples in batches of `batch_size`, with one optimizer step after each `accumulate`
    /// batches (1 without accumulation). The last batch of an epoch may be short, and so may its last
    /// accumulation: both count, as they do in Burn's data loader and `Learner`. For a loader that leaves out a
    /// short last batch, give as `samples` the number of samples that it keeps (its `num_items`).
    ///
    /// # Errors
    ///
    /// If any number is 0, or if the number of steps is too large for a `usize`.
    pub fn of_batches(
        epochs: usize,
        samples: usize,
        batch_size: usize,
        accumulate: usize,
    ) -> Result<Self, ConfigError> {
        ConfigError::at_least_one("samples", samples)?;
        ConfigError::at_least_one("batch_size", batch_size)?;
        ConfigError::at_least_one("accumulate", accumulate)?;
        Self::init(epochs, samples.div_ceil(batch_size).div_ceil(accumulate))
    }

    /// Optimizer steps in the whole run.
    pub fn steps(&self) -> usize {
        self.epochs * self.steps_per_epoch
    }

    /// Optimizer steps in one epoch.
    pub fn steps_per_epoch(&self) -> usize {
        self.steps_per_epoch
    }

    /// Optimizer steps in `epochs` epochs, which may be more than the run has.
    pub fn epochs(&self, epochs: usize) -> usize {
        epochs.saturating_mul(self.steps_per_epoch)
    }

    /// Optimizer steps in this fraction of the run, rounded to the nearest number (a half upwards), so
    /// that 0.29 of 100 steps is 29 although the product is 28.999….
    ///
    /// # Errors
    ///
    /// If `fraction` is not in `[0, 1]`.
    pub fn fraction(&self, fraction: f64) -> Result<usize, ConfigError> {
        ConfigError::within("fraction", fraction, 0.0..=1.0)?;
        Ok((self.steps() as f64 * fraction).round() as usize)
    }
}
