//! Schedules one after the other.

use crate::constant_rate;
use crate::curve::Curve;
use crate::cycles::Cycles;
use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::optim::LearningRate;
use burn_tricks_core::ConfigError;

/// Schedules one after the other. Made by [`Sequence::new`] and [`Sequence::then`].
///
/// Each schedule begins, with its own first step, at its milestone. A milestone is an optimizer step, counted
/// from the start of the sequence:
///
/// ```text
/// η(t) = phaseₙ(t − mₙ),  mₙ the last milestone ≤ t, m₀ = 0
/// ```
///
/// # Example
///
/// ```
/// use burn::lr_scheduler::LrScheduler;
/// use burn_tricks_schedule::{CosineConfig, LinearRampConfig, LrSchedulerExt};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let mut schedule = LinearRampConfig::new(0.5, 1.0, 2)
///     .init()?
///     .then(2, CosineConfig::new(1.0, 2).init()?)?
///     .then(4, 0.25)?; // a number is Burn's constant schedule
/// let rates: Vec<f64> = (0..6).map(|_| schedule.step()).collect();
/// assert_eq!(rates[..3], [0.5, 0.75, 1.0]);
/// assert_eq!(rates[4..], [0.25, 0.25]);
/// # Ok(())
/// # }
/// ```
///
/// A constant learning rate, then a cosine over the last quarter:
///
/// ```
/// use burn_tricks_schedule::{CosineConfig, LrSchedulerExt, Run};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let run = Run::init(20, 100)?;
/// let flat = run.fraction(0.75)?;
/// let schedule = 0.1.then(flat, CosineConfig::new(0.1, run.steps() - flat).init()?)?;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// A sequence holds two `LrScheduler`s, and is an `LrScheduler` itself: a sequence of three phases holds a
/// sequence of two and a schedule. Inside [`PerEpoch`](crate::PerEpoch) its milestones are epochs.
///
/// If the number of phases is known only at run time, add them in a loop, as [`Boxed`](crate::Boxed) schedules:
///
/// ```
/// use burn_tricks_schedule::{CosineConfig, LrSchedulerExt, WarmupConfig};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let cycle = |peak| CosineConfig::new(peak, 90).init()?.with_warmup(WarmupConfig::new(10));
/// let mut schedule = cycle(1.0)?.boxed();
/// for number in 1..5 {
///     schedule = schedule.then(100 * number, cycle(0.5_f64.powi(number as i32))?)?.boxed();
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Cost
///
/// A comparison per step and phase. Its state is the number of steps taken, and the states of both phases.
///
/// # Differences
///
/// PyTorch's `SequentialLR` lets its schedules write into one optimizer, and so
///
/// - the first of them may begin at another's learning rate (#67586; #185872 with a milestone at 0). Here the phases
///   share no state, and a phase of no steps is skipped;
/// - a run resumed by `last_epoch` begins at a wrong learning rate (#162591). Here the record holds each phase.
/// - a milestone after the end of a phase lets that phase continue, here as in optax's `join_schedules`.
///
/// # Suggested values
///
/// Milestones from [`Run::fraction`](crate::Run::fraction), so that they move with the length of the run.
///
/// # References
///
/// - PyTorch, `SequentialLR`, issues 67586, 162591, 185872; optax, `join_schedules`
#[derive(Debug, Clone, PartialEq)]
pub struct Sequence<A, B> {
    first: A,
    next: B,
    /// Where `next` begins.
    milestone: u64,
    /// Steps taken.
    steps: u64,
}

impl<A, B> Sequence<A, B> {
    /// `first`, and from step `milestone` on `next`; the sequence is before its first step. Steps count from 0
    /// at the start of the sequence. With a milestone of 0, `first` has no steps.
    pub fn new(first: A, milestone: usize, next: B) -> Self {
        Self {
            first,
            next,
            milestone: milestone as u64,
            steps: 0,
        }
    }

    /// This sequence, followed by `next` from step `milestone` on. If the milestone equals the one before, the
    /// phase between them has no steps.
    ///
    /// # Errors
    ///
    /// If the milestone is before the last one, or `next` is a constant rate that is negative or not finite.
    pub fn then<C: LrScheduler + Clone + 'static>(
        self,
        milestone: usize,
        next: C,
    ) -> Result<Sequence<Self, C>, ConfigError> {
        constant_rate::check(&next)?;
        let last = self.milestone;
        if (milestone as u64) < last {
            let requirement = "not be before the milestone in front of it";
            return Err(ConfigError::new(
                "milestone",
                requirement,
                (milestone, last),
            ));
        }
        Ok(Sequence::new(self, milestone, next))
    }

    /// The schedule up to the milestone. For three phases, it is the sequence of the first two.
    pub fn first(&self) -> &A {
        &self.first
    }

    /// The schedule up to the milestone, mutably.
    pub fn first_mut(&mut self) -> &mut A {
        &mut self.first
    }

    /// The schedule from the milestone on.
    pub fn next(&self) -> &B {
        &self.next
    }

    /// The schedule from the milestone on, mutably.
    pub fn next_mut(&mut self) -> &mut B {
        &mut self.next
    }

    /// Whether the schedule from the milestone on gives the learning rate of the next step.
    pub fn is_in_next(&self) -> bool {
        self.steps >= self.milestone
    }
}

impl<A: Curve, B: Curve> Curve for Sequence<A, B> {
    fn at(&self, step: u64) -> LearningRate {
        match step.checked_sub(self.milestone) {
            Some(step) => self.next.at(step),
            None => self.first.at(step),
        }
    }
}

impl<A: Cycles, B: Cycles> Cycles for Sequence<A, B> {
    fn is_cycle_end(&self, step: u64) -> bool {
        match step.checked_sub(self.milestone) {
            Some(step) => self.next.is_cycle_end(step),
            None => self.first.is_cycle_end(step),
        }
    }

    fn is_trough(&self, step: u64) -> bool {
        match step.checked_sub(self.milestone) {
            Some(step) => self.next.is_trough(step),
            None => self.first.is_trough(step),
        }
    }
}

impl<A, B> LrScheduler for Sequence<A, B>
where
    A: LrScheduler + Clone + 'static,
    B: LrScheduler + Clone + 'static,
{
    fn step(&mut self) -> LearningRate {
        let in_next = self.is_in_next();
        self.steps = self.steps.saturating_add(1);
        if in_next {
            self.next.step()
        } else {
            self.first.step()
        }
    }

    fn to_record(&self) -> LrSchedulerRecord {
        LrSchedulerRecord::new()
            .with_scalar("kind.Sequence", true)
            .with_scalar("steps", self.steps)
            .with_record("first", self.first.to_record())
            .with_record("next", self.next.to_record())
    }

    /// Resumes the recorded sequence. State that the record does not hold stays as it is.
    ///
    /// A record of another schedule of this library is taken for that of the first one alone, in a run that is resumed with
    /// phases after it: the sequence is where that schedule was. If the record holds no `steps` of its own, as that of a
    /// `ReduceOnPlateau`, the milestone is counted from the resume.
    ///
    /// A record of another scheduler, such as one of Burn's, is not recognised: load it into
    /// [`first_mut`](Self::first_mut) instead. Nor is that of a sequence with fewer phases: load it into `first_mut` of a
    /// sequence to which phases were added, which then counts its own milestone from the resume.
    fn load_record(&mut self, record: LrSchedulerRecord) {
        if let Some(steps) = record.scalar("steps") {
            self.steps = steps;
        }
        let kind = record.record("kind");
        if !kind.is_empty() && kind.scalar::<bool>("Sequence").is_none() {
            self.first.load_record(record); // of a run without this wrapper
            return;
        }
        self.first.load_record(record.record("first"));
        self.next.load_record(record.record("next"));
    }
}
