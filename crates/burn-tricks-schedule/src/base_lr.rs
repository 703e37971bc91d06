//! Burn's own schedules inside the wrappers of this crate.

use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::module::ParamGroup;
use burn::optim::LearningRate;
use burn_tricks_core::ConfigError;

/// Burn's own schedules inside the wrappers of this crate: the learning rate of a `ModuleLrScheduler`'s base group.
/// Made by [`BaseLr::init`].
///
/// Burn's configurations give a `ModuleLrScheduler`. It is not an `LrScheduler`, since it has a learning rate for
/// each group of parameters. [`ModuleLrSchedulerExt`](crate::ModuleLrSchedulerExt) gives it the wrappers as methods.
/// They wrap a `BaseLr`, which steps the scheduler and returns the rate of its base group: the parameters that no
/// other group matches.
///
/// # Example
///
/// ```
/// use burn::lr_scheduler::LrScheduler;
/// use burn::lr_scheduler::cosine::CosineAnnealingLrSchedulerConfig;
/// use burn_tricks_schedule::{LrSchedulerExt, ModuleLrSchedulerExt, WarmupConfig};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let cosine = CosineAnnealingLrSchedulerConfig::new(0.5, 100).init()?;
/// let mut schedule = cosine.with_warmup(WarmupConfig::new(2))?.at_least(1e-3)?;
/// assert_eq!([schedule.step(), schedule.step(), schedule.step()], [0.001, 0.25, 0.5]);
/// # Ok(())
/// # }
/// ```
///
/// # Groups of parameters
///
/// A wrapper returns a single learning rate, so the rates of the groups would be lost, and their parameters would get
/// the base rate. (The schedules inside a `ModuleLrScheduler` are private to Burn, so the rate of a group
/// cannot be scaled from outside.) Therefore a scheduler with groups is an error. Wrap the schedule of each
/// group, and then make the groups:
///
/// ```
/// use burn::lr_scheduler::cosine::CosineAnnealingLrSchedulerConfig;
/// use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
/// use burn::module::ParamGroup;
/// use burn_tricks_schedule::{ModuleLrSchedulerExt, WarmupConfig};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let warm = |rate| -> Result<_, Box<dyn std::error::Error>> {
///     let cosine = CosineAnnealingLrSchedulerConfig::new(rate, 100).init()?;
///     Ok(cosine.with_warmup(WarmupConfig::new(10))?)
/// };
/// let head = ParamGroup::from_predicate("head");
/// let schedule = ModuleLrScheduler::new(warm(0.01)?).with_group(head.clone(), warm(0.1)?);
///
/// let groups = CosineAnnealingLrSchedulerConfig::new(0.01, 100).init()?.with_group(head, 0.1);
/// let error = groups.with_warmup(WarmupConfig::new(10)).unwrap_err();
/// assert_eq!(error.field, "groups");
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// It is the innermost schedule, inside all wrappers.
///
/// # Cost
///
/// The cost of the wrapped scheduler, which copies its groups at each step. The record is that of the wrapped
/// scheduler.
#[derive(Clone)]
pub struct BaseLr {
    inner: ModuleLrScheduler,
}

impl BaseLr {
    /// The schedule that returns the base rate of `inner`, which must be its only learning rate.
    ///
    /// # Errors
    ///
    /// If `inner` has groups of parameters with schedules of their own: see [Groups of
    /// parameters](Self#groups-of-parameters).
    pub fn init(inner: ModuleLrScheduler) -> Result<Self, ConfigError> {
        if has_groups(&inner) {
            return Err(ConfigError::new(
                "groups",
                "be none in a `ModuleLrScheduler` to wrap, since a wrapper has one rate for all parameters \
                 (wrap each schedule, then make the groups with `ModuleLrScheduler::with_group`)",
                "at least one",
            ));
        }
        Ok(Self { inner })
    }
}

/// Whether a scheduler has a group besides its base. Burn does not say so, but it records each group under its
/// number, with the base group as 0. So if there is no other group, one that is added has number 1.
fn has_groups(scheduler: &ModuleLrScheduler) -> bool {
    const ADDED: &str = "added";

    #[derive(Clone)]
    struct Added;

    impl LrScheduler for Added {
        fn step(&mut self) -> LearningRate {
            0.0
        }

        fn to_record(&self) -> LrSchedulerRecord {
            LrSchedulerRecord::new().with_scalar(ADDED, 1_u64)
        }

        fn load_record(&mut self, _record: LrSchedulerRecord) {}
    }

    let with_one_more = scheduler.clone().with_group(ParamGroup::all(), Added);
    let first_group = with_one_more.to_record().record("1");
    first_group.scalar::<u64>(ADDED).is_none()
}

impl std::fmt::Debug for BaseLr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BaseLr").finish_non_exhaustive()
    }
}

impl LrScheduler for BaseLr {
    fn step(&mut self) -> LearningRate {
        self.inner.step().base()
    }

    fn to_record(&self) -> LrSchedulerRecord {
        self.inner.to_record()
    }

    fn load_record(&mut self, record: LrSchedulerRecord) {
        self.inner = self.inner.clone().load_record(record);
    }
}
