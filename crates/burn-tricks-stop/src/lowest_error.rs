//! What the criteria of Prechelt have in common: they watch an error, and know the lowest one.

use crate::decision::{Decision, StopReason};
use serde::{Deserialize, Serialize};

/// The lowest error so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LowestError {
    checks: usize,
    /// The lowest error and its check.
    lowest: Option<(f64, usize)>,
}

impl LowestError {
    pub(crate) fn checks(&self) -> usize {
        self.checks
    }

    pub(crate) fn lowest(&self) -> Option<f64> {
        self.lowest.map(|(lowest, _)| lowest)
    }

    /// Takes the error of the next check; returns whether it is the lowest, or why it is no error.
    pub(crate) fn take(&mut self, error: f64) -> Result<bool, StopReason> {
        self.checks += 1;
        check(error)?;
        let error = positive_zero(error);
        let is_lowest = self.lowest().is_none_or(|lowest| error < lowest);
        if is_lowest {
            self.lowest = Some((error, self.checks));
        }
        Ok(is_lowest)
    }

    /// The decision on a check whose error does not count, for this reason.
    pub(crate) fn skip(&mut self, reason: StopReason) -> Decision {
        self.checks += 1;
        self.decision(false, Some(reason))
    }

    /// By how many percent `error` exceeds the lowest error: Prechelt's GL. It is infinite above a lowest error of 0.
    pub(crate) fn loss(&self, error: f64) -> f64 {
        match self.lowest() {
            Some(lowest) if error > lowest => 100.0 * (error / lowest - 1.0),
            _ => 0.0,
        }
    }

    pub(crate) fn decision(&self, is_best: bool, stop: Option<StopReason>) -> Decision {
        let best_check = self.lowest.map(|(_, check)| check);
        Decision {
            check: self.checks,
            is_best,
            improved: is_best,
            best: self.lowest(),
            best_check,
            waited: self.checks - best_check.unwrap_or(0),
            divergence: stop.filter(|reason| reason.is_divergence()),
            limit: None,
            stop,
        }
    }
}

/// The error itself, but 0 for -0: Burn's cross-entropy of a perfect batch is -0, and a quotient by it would be -∞.
pub(crate) fn positive_zero(error: f64) -> f64 {
    error + 0.0
}

/// An error must be a finite number of at least 0: its ratio to the lowest error is meaningless otherwise.
pub(crate) fn check(error: f64) -> Result<(), StopReason> {
    if !error.is_finite() {
        Err(StopReason::NonFinite)
    } else if error < 0.0 {
        Err(StopReason::NegativeError { value: error })
    } else {
        Ok(())
    }
}
