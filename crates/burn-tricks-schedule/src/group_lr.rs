//! Learning rates of groups of parameters.

use crate::constant_rate;
use crate::repeat_skipped::RepeatSkipped;
use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::module::{Module, ParamGroup};
use burn::optim::LearningRate;
use burn_tricks_core::{Config, ConfigError, ParamPaths, SkipCount};
use serde::{Deserialize, Serialize};

/// Parameters of a model, and how their learning rate differs from that of the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LrGroup {
    /// The paths of parameters or of modules that hold some: `head`, `blocks.*.bias`. A `*` stands for one part of a
    /// path.
    pub paths: Vec<String>,
    /// c ≥ 0, the factor of the schedule's learning rate.
    pub factor: f64,
    /// a, the optimizer steps before the warm-up begins. During them the learning rate is that of its start. It must be 0
    /// without a warm-up.
    #[serde(default)]
    pub warmup_after: usize,
    /// W, the length of the warm-up in optimizer steps. With 0 there is no warm-up.
    #[serde(default)]
    pub warmup_steps: usize,
    /// s in [0, 1], where the warm-up starts: a share of the group's learning rate. It must be 0 without a warm-up.
    #[serde(default)]
    pub warmup_start: f64,
}

impl LrGroup {
    /// The parameters at and below `paths`, whose learning rate is `factor` times that of the schedule.
    pub fn new(paths: impl IntoIterator<Item = impl Into<String>>, factor: f64) -> Self {
        Self {
            paths: paths.into_iter().map(Into::into).collect(),
            factor,
            warmup_after: 0,
            warmup_steps: 0,
            warmup_start: 0.0,
        }
    }

    /// The same group with a warm-up of its own of `steps` optimizer steps, from 0 to its full learning rate.
    #[must_use]
    pub fn with_warmup(mut self, steps: usize) -> Self {
        self.warmup_steps = steps;
        self
    }

    /// The same group, whose warm-up begins after this many optimizer steps: those after which a
    /// `GradualUnfreezing` of `burn-tricks-train` unfreezes it, for example. It needs a
    /// [`with_warmup`](Self::with_warmup), which may be of one step.
    #[must_use]
    pub fn with_warmup_after(mut self, steps: usize) -> Self {
        self.warmup_after = steps;
        self
    }

    /// The same group, whose warm-up starts at this share of its learning rate, in [0, 1].
    #[must_use]
    pub fn with_warmup_start(mut self, share: f64) -> Self {
        self.warmup_start = share;
        self
    }

    fn check(&self) -> Result<(), ConfigError> {
        ConfigError::non_negative("factor", self.factor)?;
        ConfigError::within("warmup_start", self.warmup_start, 0.0..=1.0)?;
        if self.warmup_steps == 0 && (self.warmup_after > 0 || self.warmup_start > 0.0) {
            let requirement = "be at least 1 with a `warmup_after` or a `warmup_start` above 0";
            return Err(ConfigError::new("warmup_steps", requirement, 0));
        }
        if self.paths.is_empty() {
            return Err(ConfigError::new("paths", "name parameters", &self.paths));
        }
        Ok(())
    }

    /// c w(t), the factor at a step.
    fn at(&self, step: u64) -> f64 {
        let warm = if self.warmup_steps == 0 {
            1.0
        } else {
            let since = step.saturating_sub(self.warmup_after as u64) as f64;
            (since / self.warmup_steps as f64).min(1.0)
        };
        self.factor * (self.warmup_start + (1.0 - self.warmup_start) * warm)
    }
}

/// Configuration of learning rates by group: some parameters of a model have a multiple of the schedule's learning rate,
/// a warm-up of their own, or both.
///
/// ```text
/// η_g(t) = c · w(t) · η(t)
/// w(t)   = s + (1 − s) · min(max(t − a, 0) / W, 1)          1 without a warm-up
/// ```
///
/// # Example
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::Device;
/// use burn_tricks_schedule::{CosineConfig, GroupLrConfig, LrGroup};
///
/// #[derive(Module, Debug)]
/// struct Net {
///     body: Linear,
///     head: Linear,
/// }
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// # let device = Device::flex();
/// # let layer = || LinearConfig::new(2, 2).init(&device);
/// # let model = Net { body: layer(), head: layer() };
/// // The new head learns ten times as fast; the pretrained body begins slowly.
/// let groups = GroupLrConfig::of([
///     LrGroup::new(["head"], 10.0),
///     LrGroup::new(["body"], 1.0).with_warmup(4),
/// ]);
/// let mut schedule = groups.init(&model, CosineConfig::new(0.1, 1_000).init()?)?;
///
/// let rates = schedule.step(); // for `optim.step(rates, model, grads)`, or the schedule for a `Learner`
/// let rate = |path| rates.lr_from_param(model.head.weight.id, Some(path));
/// assert_eq!((rate("head.weight"), rate("body.weight")), (1.0, 0.0));
/// # Ok(())
/// # }
/// ```
///
/// Lightning's `BackboneFinetuning`: the head alone for 10 epochs; then the body too, from a tenth of the head's learning
/// rate up to the whole over 5 epochs. A `GradualUnfreezing` of `burn-tricks-train`, with the groups `head` and `body`
/// after every 10 epochs, freezes the body until then:
///
/// ```
/// use burn_tricks_schedule::{GroupLrConfig, LrGroup};
///
/// let steps_per_epoch = 200;
/// let groups = GroupLrConfig::of([LrGroup::new(["body"], 1.0)
///     .with_warmup(5 * steps_per_epoch)
///     .with_warmup_after(10 * steps_per_epoch)
///     .with_warmup_start(0.1)]);
/// ```
///
/// # Order
///
/// It goes around the finished schedule, warm-up and floor included. Each group has a copy of the schedule, so a schedule
/// that observes a metric must share what it observes: `with_shared_plateau` of `burn-tricks-train` does, and a
/// `ReduceOnPlateau` would never be reduced. Code that reads a single learning rate of a
/// `ModuleLrScheduler`, such as Burn's log, gets the schedule's own rate. If two groups name one parameter, the later
/// counts, also if they name different places of a tied parameter; parameters of no group have the schedule's own
/// learning rate. [`LayerWiseLrConfig`](crate::LayerWiseLrConfig) is for factors that fall from layer to layer.
/// [`LrPreview`](crate::LrPreview) draws the learning rate of any parameter.
///
/// Where steps may be skipped, [`init_repeating_skipped`](GroupLrConfig::init_repeating_skipped) repeats the learning
/// rates of all groups after a skipped step.
///
/// # Cost
///
/// A copy of the schedule for each group. At each step Burn looks up the learning rate of each parameter by its path, with
/// one regular expression for each group. The record holds the records of the copies, so a run must be resumed with the
/// same number of groups.
///
/// # Differences
///
/// PyTorch's parameter groups have a rate each, which schedulers multiply; a warm-up of a single group needs a
/// `LambdaLR` with one function for each group. Lightning's `BackboneFinetuning` multiplies the rate of the backbone by 2
/// at each epoch until it reaches that of the head; here it rises along a line, step by step.
///
/// # Suggested values
///
/// c = 10 for a new head on a pretrained body; warm-ups of one to five epochs.
///
/// # References
///
/// - PyTorch, `torch.optim`, per-parameter options; Lightning, `BackboneFinetuning`
#[derive(Config, Debug, PartialEq)]
pub struct GroupLrConfig {
    /// The groups.
    pub groups: Vec<LrGroup>,
}

impl GroupLrConfig {
    /// Like `new`, with the groups in any collection.
    pub fn of(groups: impl IntoIterator<Item = LrGroup>) -> Self {
        Self::new(groups.into_iter().collect())
    }

    /// A scheduler with the learning rates of `schedule` for `model`, for `ModuleOptimizer::step` and the `Learner`.
    ///
    /// # Errors
    ///
    /// If a factor is negative or not finite, the start of a warm-up is not in [0, 1], a group has settings of a warm-up
    /// without a length, a group has no path, or a path fits no parameter of `model`: the error suggests similar names.
    /// Also if `schedule` is a constant rate that is negative or not finite.
    pub fn init<M, S>(&self, model: &M, schedule: S) -> Result<ModuleLrScheduler, ConfigError>
    where
        M: Module,
        S: LrScheduler + Clone + 'static,
    {
        let mut rates = ModuleLrScheduler::new(schedule.clone());
        for (params, grouped) in self.grouped(model, &schedule)? {
            rates = rates.with_group(params, grouped);
        }
        Ok(rates)
    }

    /// Like [`init`](Self::init), and repeats all learning rates after a skipped step, those of warm-ups included. It takes
    /// the place of `schedule.repeating_skipped(skips)`, with which the warm-ups of the groups would advance in skipped
    /// steps.
    ///
    /// # Errors
    ///
    /// As [`init`](Self::init).
    pub fn init_repeating_skipped<M, S>(
        &self,
        model: &M,
        schedule: S,
        skips: &SkipCount,
    ) -> Result<ModuleLrScheduler, ConfigError>
    where
        M: Module,
        S: LrScheduler + Clone + 'static,
    {
        let mut rates = ModuleLrScheduler::new(RepeatSkipped::new(schedule.clone(), skips.clone()));
        for (params, grouped) in self.grouped(model, &schedule)? {
            rates = rates.with_group(params, RepeatSkipped::new(grouped, skips.clone()));
        }
        Ok(rates)
    }

    /// The parameters and the schedule of each group.
    fn grouped<M: Module, S: Clone + 'static>(
        &self,
        model: &M,
        schedule: &S,
    ) -> Result<Vec<(ParamGroup, GroupLr<S>)>, ConfigError> {
        constant_rate::check(schedule)?;
        let groups = self.groups.iter().enumerate().map(|(at, group)| {
            let params = group
                .check()
                .and_then(|()| ParamPaths::init(model, "paths", &group.paths));
            // All groups have the same fields.
            let params = params.map_err(|mut error| {
                let requirement = format!("{} in `groups[{at}]`", error.requirement);
                error.requirement = requirement.into();
                error
            })?;
            let grouped = GroupLr {
                inner: schedule.clone(),
                group: group.clone(),
                steps: 0,
            };
            Ok((params.group(), grouped))
        });
        groups.collect()
    }
}

/// The schedule of one group.
#[derive(Debug, Clone)]
struct GroupLr<S> {
    inner: S,
    group: LrGroup,
    /// Steps taken.
    steps: u64,
}

impl<S: LrScheduler + Clone + 'static> LrScheduler for GroupLr<S> {
    fn step(&mut self) -> LearningRate {
        let factor = self.group.at(self.steps);
        self.steps = self.steps.saturating_add(1);
        factor * self.inner.step()
    }

    fn to_record(&self) -> LrSchedulerRecord {
        LrSchedulerRecord::new()
            .with_scalar("kind.GroupLr", true)
            .with_scalar("steps", self.steps)
            .with_record("inner", self.inner.to_record())
    }

    fn load_record(&mut self, record: LrSchedulerRecord) {
        if let Some(steps) = record.scalar("steps") {
            self.steps = steps;
        }
        self.inner.load_record(record.record("inner"));
    }
}
