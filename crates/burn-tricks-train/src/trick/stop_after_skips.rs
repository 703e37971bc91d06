//! Stops a training that skips too many steps in a row.

use crate::trick::Trick;
use crate::trick::epoch_context::EpochContext;
use crate::trick::step_context::StepContext;
use crate::trick::trick_error::TrickError;
use burn::module::Module;
use burn::train::Interrupter;
use burn_tricks_core::{ConfigError, StateError, state_from_bytes, state_to_bytes};
use burn_tricks_grad::GradientOrder;
use burn_tricks_stop::StopReason;
use std::fmt::Debug;

/// Stops a training that skips too many steps in a row.
///
/// A [`StepGuard`](burn_tricks_grad::StepGuard) or a [`LossScaler`](burn_tricks_grad::LossScaler) skips a step whose
/// gradients are not finite. A few skipped steps are normal. Many in a row mean that the weights are beyond repair, and
/// the run would continue through all its epochs without taking a step.
///
/// # Example
///
/// ```
/// use burn::train::Interrupter;
/// use burn_tricks_grad::StepGuard;
/// use burn_tricks_train::StopAfterSkips;
///
/// # fn main() -> Result<(), burn_tricks_train::ConfigError> {
/// let interrupter = Interrupter::new(); // in a real program: `training.interrupter()`
/// let tricks = (StepGuard::new(), StopAfterSkips::init(10, &interrupter)?);
/// // model.with_tricks(tricks)
/// # let _ = tricks;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Anywhere among the tricks.
///
/// # Cost
///
/// No cost.
///
/// # Stopping at once, or at the end of the epoch
///
/// [`init`](StopAfterSkips::init) stops in the middle of the epoch, before a checkpoint is written: a program that starts
/// the run again whenever it ends repeats that epoch for ever. [`at_end_of_epoch`](StopAfterSkips::at_end_of_epoch) goes
/// through the rest of the epoch, and a [`Session`](crate::Session) then saves
/// [`StopReason::NonFinite`](burn_tricks_stop::StopReason): a run that is resumed ends at once.
///
/// # With a roll-back
///
/// If a [`RollBackTrick`](crate::RollBackTrick) goes back at the end of the same epoch, the roll-back wins over
/// [`at_end_of_epoch`](StopAfterSkips::at_end_of_epoch): the weights that led to the skips are gone, so the run
/// continues from the best epoch, and the skipped steps are counted anew. Once the roll-backs are used up, this trick
/// ends the run. [`init`](StopAfterSkips::init) stops before the end of the epoch, at which a trick could go back, so
/// its stop wins.
///
/// # Several devices
///
/// Under Burn's `ddp` the workers share this trick, which counts each step once per worker: with k workers, give it k
/// times the limit.
///
/// # Differences
///
/// optax's `apply_if_finite` does not stop: after the given number of skipped steps it takes the bad step. An
/// optimizer with `skip_marked` skips steps without the host knowing, so they are not counted here:
/// [`StopAfterMarked`](crate::StopAfterMarked) counts them. In a loop of your own, use
/// [`skipped_in_a_row`](burn_tricks_grad::StepGuard::skipped_in_a_row).
#[derive(Clone)]
pub struct StopAfterSkips {
    limit: u64,
    in_a_row: u64,
    /// Whether the limit was reached in this epoch.
    reached: bool,
    /// None if the training is to stop at the end of the epoch.
    interrupter: Option<Interrupter>,
}

impl Debug for StopAfterSkips {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StopAfterSkips")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl StopAfterSkips {
    /// Stops the training of `interrupter` after `limit` skipped steps in a row.
    ///
    /// # Errors
    ///
    /// If `limit` is 0.
    pub fn init(limit: u64, interrupter: &Interrupter) -> Result<Self, ConfigError> {
        let trick = Self::at_end_of_epoch(limit)?;
        Ok(Self {
            interrupter: Some(interrupter.clone()),
            ..trick
        })
    }

    /// Stops the training of a [`Session`](crate::Session) at the end of an epoch in which `limit` steps in a row were
    /// skipped. The session saves the reason, as for [`StopAfterMarked`](crate::StopAfterMarked).
    ///
    /// # Errors
    ///
    /// If `limit` is 0.
    pub fn at_end_of_epoch(limit: u64) -> Result<Self, ConfigError> {
        if limit == 0 {
            return Err(ConfigError::new("limit", "be at least 1", limit));
        }
        Ok(Self {
            limit,
            in_a_row: 0,
            reached: false,
            interrupter: None,
        })
    }
}

impl<M: Module> Trick<M> for StopAfterSkips {
    /// It does not look at the gradients.
    fn gradient_order(&self, _order: &mut GradientOrder) {}

    fn after(&mut self, model: M, step: &StepContext) -> M {
        self.in_a_row = if step.is_skipped() {
            self.in_a_row + 1
        } else {
            0
        };
        // Also in a run that is resumed where it was stopped.
        if self.in_a_row >= self.limit {
            self.reached = true;
            if let Some(interrupter) = &self.interrupter {
                let reason = format!("{} optimizer steps in a row were skipped", self.in_a_row);
                interrupter.stop(Some(&reason));
            }
        }
        model
    }

    fn epoch_end(&mut self, model: M, epoch: &mut EpochContext<'_, M>) -> Result<M, TrickError> {
        if std::mem::take(&mut self.reached) {
            epoch.stop(StopReason::NonFinite);
        }
        Ok(model)
    }

    fn rolled_back(&mut self, _model: &M) {
        (self.in_a_row, self.reached) = (0, false);
    }

    fn restart(&mut self, _model: &M) {
        (self.in_a_row, self.reached) = (0, false);
    }

    fn describe(&self) -> Vec<String> {
        vec![format!("{self:?}")]
    }

    fn state(&self) -> Option<Vec<u8>> {
        Some(state_to_bytes(&self.in_a_row))
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        (self.in_a_row, self.reached) = (state_from_bytes(state)?, false);
        Ok(())
    }
}
