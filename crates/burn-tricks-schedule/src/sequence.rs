//! Schedules one after the other.
//!
//! Each begins at its milestone, an optimizer step counted from the start of the sequence, with its own
//! first step:
//!
//! ```text
//! η(t) = phaseₙ(t − mₙ),  mₙ the last milestone ≤ t, m₀ = 0
//! ```
//!
//! # Example
//!
//! ```
//! use burn::lr_scheduler::LrScheduler;
//! use burn_tricks_schedule::{CosineConfig, LinearConfig, LrSchedulerExt};
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! let mut schedule = LinearConfig::new(0.5, 1.0, 2)
//!     .init()?
//!     .then(2, CosineConfig::new(1.0, 2).init()?)?
//!     .then(4, 0.25)?; // a number is Burn's constant schedule
//! let rates: Vec<f64> = (0..6).map(|_| schedule.step()).collect();
//! assert_eq!(rates[..3], [0.5, 0.75, 1.0]);
//! assert_eq!(rates[4..], [0.25, 0.25]);
//! # Ok(())
//! # }
//! ```
//!
//! Flat, then a cosine over the last quarter:
//!
//! ```
//! use burn_tricks_schedule::{CosineConfig, LrSchedulerExt, Run};
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! let run = Run::new(20, 100)?;
//! let flat = run.fraction(0.75)?;
//! let schedule = 0.1.then(flat, CosineConfig::new(0.1, run.steps() - flat).init()?)?;
//! # Ok(())
//! # }
//! ```
//!
//! # Where it stands
//!
//! It holds any `LrScheduler`s, and is one itself. Inside [`PerEpoch`](crate::PerEpoch) its milestones
//! are epochs.
//!
//! # Cost
//!
//! A binary search per step. Its state is the number of steps taken, and the states of all phases.
//!
//! # Differences
//!
//! PyTorch's `SequentialLR` lets its schedules write into one optimizer, and so
//!
//! - the first of them may begin at another's rate (#67586; #185872 with a milestone at 0). Here the
//!   phases share nothing, and a phase of no steps is skipped;
//! - a run resumed by `last_epoch` begins at a wrong rate (#162591). Here the record holds each phase.
//! - A milestone after the end of a phase lets it go on, as optax's `join_schedules` does.
//!
//! # Suggested values
//!
//! Milestones from [`Run::fraction`](crate::Run::fraction), so that they move with the length of the run.
//!
//! # References
//!
//! - PyTorch, `SequentialLR`, issues 67586, 162591, 185872; optax, `join_schedules`

use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::optim::LearningRate;
use burn_tricks_core::ConfigError;

/// Schedules one after the other. Made by [`Sequence::new`] and [`Sequence::then`].
#[derive(Clone)]
pub struct Sequence {
    phases: Vec<Box<dyn LrScheduler>>,
    /// Where the phases after the first begin.
    milestones: Vec<u64>,
    /// Steps taken.
    steps: u64,
}

impl Sequence {
    /// A sequence of one schedule, before its first step.
    pub fn new(first: impl LrScheduler + 'static) -> Self {
        Self {
            phases: vec![Box::new(first)],
            milestones: Vec::new(),
            steps: 0,
        }
    }

    /// The sequence with `next` in charge from step `milestone` on, counted from 0 at the start of the
    /// sequence. A milestone equal to the one before leaves the phase between them no step.
    ///
    /// # Errors
    ///
    /// If the milestone is before the last one.
    pub fn then(
        mut self,
        milestone: usize,
        next: impl LrScheduler + 'static,
    ) -> Result<Self, ConfigError> {
        let milestone = milestone as u64;
        if let Some(&last) = self.milestones.last()
            && milestone < last
        {
            let requirement = "not be before the milestone in front of it";
            return Err(ConfigError::new(
                "milestone",
                requirement,
                (milestone, last),
            ));
        }
        self.milestones.push(milestone);
        self.phases.push(Box::new(next));
        Ok(self)
    }

    /// The phase, counted from 0, that gives the rate of the next step.
    pub fn phase(&self) -> usize {
        self.milestones
            .partition_point(|&milestone| milestone <= self.steps)
    }
}

/// Boxed schedules cannot be printed: their number stands for them.
impl std::fmt::Debug for Sequence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sequence")
            .field("phases", &self.phases.len())
            .field("milestones", &self.milestones)
            .field("steps", &self.steps)
            .finish()
    }
}

impl LrScheduler for Sequence {
    fn step(&mut self) -> LearningRate {
        let phase = self.phase();
        self.steps = self.steps.saturating_add(1);
        self.phases[phase].step()
    }

    fn to_record(&self) -> LrSchedulerRecord {
        let mut record = LrSchedulerRecord::new().with_scalar("steps", self.steps);
        for (number, phase) in self.phases.iter().enumerate() {
            record = record.with_record(&number.to_string(), phase.to_record());
        }
        record
    }

    /// Goes on where the recorded sequence was. What the record lacks stays as it is.
    fn load_record(&mut self, record: LrSchedulerRecord) {
        if let Some(steps) = record.scalar("steps") {
            self.steps = steps;
        }
        for (number, phase) in self.phases.iter_mut().enumerate() {
            phase.load_record(record.record(&number.to_string()));
        }
    }
}
