//! An average of the weights of a model in training: what [`Ema`](crate::Ema), [`Swa`](crate::Swa) and
//! [`Lawa`](crate::Lawa) have in common. They differ in their [rules](crate::AverageRule).

use crate::average_record::{Members, device_of, read_members, record_members};
use crate::average_rule::{AverageRule, Update};
use burn::module::{Module, ModuleDisplay};
use burn::store::{ModuleRecord, RecordError};
use burn_tricks_core::{ConfigError, LerpInWalk, Mismatch, SharedWeights, Snapshot, StepAverage};
use std::borrow::Cow;
use std::collections::VecDeque;

/// An average of weights by the rule `R`: an [`Ema`](crate::Ema), a [`Swa`](crate::Swa), a
/// [`Lawa`](crate::Lawa), or one of [your own](crate::AverageRule).
#[derive(Debug, Clone)]
pub struct Average<M: Module, R> {
    rule: R,
    /// The average, or the samples of which it is the mean, the oldest first; never empty. Before the first
    /// sample, the live weights.
    held: VecDeque<Snapshot<M>>,
    memory: Vec<f64>,
    steps: u64,
    updates: u64,
}

/// A model after a step. The first average that takes its weights walks through it, and the others use the
/// result.
pub(crate) struct Live<'a, M: Module> {
    model: &'a M,
    weights: Option<SharedWeights<'a, M>>,
}

impl<'a, M: Module> Live<'a, M> {
    pub(crate) fn new(model: &'a M) -> Self {
        Self {
            model,
            weights: None,
        }
    }

    fn seen_by(&mut self, held: &Snapshot<M>) -> Result<&SharedWeights<'a, M>, Mismatch> {
        let weights = match self.weights.take() {
            Some(weights) => weights,
            None => held.weights_of(self.model)?,
        };
        Ok(self.weights.insert(weights))
    }
}

impl<M: Module, R: AverageRule> Average<M, R> {
    /// The average before the first step, which holds the weights of `model`.
    ///
    /// # Errors
    ///
    /// If a setting of the rule is invalid.
    pub fn init(rule: R, model: &M) -> Result<Self, ConfigError> {
        rule.check()?;
        ConfigError::at_least_one("update_every", rule.sampling().every)?;
        if let Some(last) = rule.samples() {
            ConfigError::at_least_one("last", last)?;
        }
        Ok(Self {
            held: first(&rule, model),
            memory: vec![0.0; rule.memory()],
            rule,
            steps: 0,
            updates: 0,
        })
    }

    /// The rule of this average, which is the configuration that it was made with.
    pub fn config(&self) -> &R {
        &self.rule
    }

    /// Tells the average the weights after an optimizer step. Call it after every step; the rule's sampling
    /// decides which weights are taken.
    ///
    /// # Panics
    ///
    /// If `model` has another architecture than the one that the average was made for, or if the rule returns a
    /// share outside of [0, 1], which no rule of this library does.
    pub fn update(&mut self, model: &M) {
        self.update_at(model, 1.0);
    }

    /// Like [`update`](Self::update), after a step with this learning rate. Some rules give the weights after a step
    /// more influence on the average the higher its learning rate was.
    ///
    /// # Panics
    ///
    /// Those of [`update`](Self::update).
    pub fn update_at(&mut self, model: &M, lr: f64) {
        self.update_from(&mut Live::new(model), lr);
    }

    /// Like [`update_at`](Self::update_at), with a model that several averages share.
    pub(crate) fn update_from(&mut self, live: &mut Live<'_, M>, lr: f64) {
        let step = self.steps + 1;
        let counts = self.rule.sampling().counts(step);
        let taken = match self.rule.samples() {
            None => self.move_towards(live, step, lr),
            Some(last) if counts || self.updates == 0 => self.sample(live, last),
            Some(_) => Ok(()),
        };
        self.taken(taken, counts);
    }

    /// Counts a step.
    fn taken(&mut self, taken: Result<(), Mismatch>, counts: bool) {
        taken.unwrap_or_else(|mismatch| {
            panic!("the average `{}`: {mismatch}", self.rule.kind().name())
        });
        self.steps += 1;
        self.updates += u64::from(counts);
    }

    /// Counts a step whose weights are not taken, without a look at them.
    pub(crate) fn pass_step(&mut self) {
        self.steps += 1;
    }

    fn move_towards(&mut self, live: &mut Live<'_, M>, step: u64, lr: f64) -> Result<(), Mismatch> {
        let sampling = self.rule.sampling();
        let (counts, before_start) = (sampling.counts(step), sampling.is_before_start(step));
        // Until the first update, which may keep nothing of what was before, its share is looked ahead at.
        if !(counts || before_start || self.updates == 0) {
            return Ok(());
        }
        let (kept, memory) = self.kept(lr);
        let mean = self.held.back_mut().expect("it is never empty");
        if before_start || kept == 0.0 {
            mean.replace_weights(live.seen_by(mean)?)?;
        } else if counts {
            let buffers = self.rule.buffers();
            mean.lerp_weights(live.seen_by(mean)?, 1.0 - kept, buffers)?;
        }
        if counts {
            self.memory = memory;
        }
        Ok(())
    }

    /// The share that the next update keeps, and the memory of the rule after it.
    fn kept(&self, lr: f64) -> (f64, Vec<f64>) {
        let mut memory = self.memory.clone();
        let number = self.updates;
        let kept = self.rule.keep(&Update { number, lr }, &mut memory);
        assert!(
            (0.0..=1.0).contains(&kept),
            "the share that an average keeps must lie in [0, 1], `{}` said {kept}",
            self.rule.kind().name()
        );
        (kept, memory)
    }

    fn sample(&mut self, live: &mut Live<'_, M>, last: usize) -> Result<(), Mismatch> {
        let mut sample = self.newest().clone();
        sample.replace_weights(live.seen_by(&sample)?)?;
        if self.held.len() == last || self.updates == 0 {
            self.held.pop_front();
        }
        self.held.push_back(sample);
        Ok(())
    }

    /// Begins the update after the next step, if it moves the average, in a walk that somebody else makes.
    pub(crate) fn begin(&mut self, lr: f64) -> Option<LerpInWalk<M>> {
        if self.rule.samples().is_some() || !self.rule.sampling().counts(self.steps + 1) {
            return None;
        }
        let (kept, memory) = self.kept(lr);
        if kept == 0.0 {
            return None; // it is replaced
        }
        let mean = self.held.back_mut().expect("it is never empty");
        let lerp = mean.begin_lerp(1.0 - kept)?;
        self.memory = memory;
        Some(lerp)
    }

    /// Ends the update that [`begin`](Self::begin) has begun; if it has not, looks at the model.
    pub(crate) fn end(&mut self, lerp: Option<LerpInWalk<M>>, live: &mut Live<'_, M>, lr: f64) {
        let Some(lerp) = lerp else {
            return self.update_from(live, lr);
        };
        let mean = self.held.back_mut().expect("it is never empty");
        let taken = mean.end_lerp(lerp);
        self.taken(taken, true);
    }

    /// Restarts with the weights of `model`, as [`init`](Self::init) would: the old average and the counted
    /// steps are discarded.
    pub fn restart(&mut self, model: &M) {
        self.held = first(&self.rule, model);
        self.memory.fill(0.0);
        (self.steps, self.updates) = (0, 0);
    }

    /// The averaged model, to predict with: no gradients, dropout off.
    ///
    /// Until the average [has started](Self::has_started), the model has the weights of the last `update`. The
    /// average then begins with the weights of its first update; if the rule keeps a share at that update, it
    /// mixes them with the weights of the step before. (With an `update_every` above 1 and no `start_after`, such a rule
    /// has the weights that the average was made with until its first update, and mixes those.)
    ///
    /// To continue training from the average, use [`restore_into`](Self::restore_into) with the model in
    /// training: `model().train()` loses the device's gradient-checkpointing strategy, and Burn panics where
    /// the two meet.
    pub fn model(&self) -> M {
        self.mean().model()
    }

    /// `model` with the averaged weights, to continue training from. Its devices, element types, gradient
    /// requirements, training flags and parameter ids stay; `model` itself and its clones keep their values.
    ///
    /// # Errors
    ///
    /// If the two differ in a path, a kind or a shape; the error names the first difference.
    pub fn restore_into(&self, model: &M) -> Result<M, Mismatch> {
        self.mean().restore(model)
    }

    fn mean(&self) -> Cow<'_, Snapshot<M>> {
        if self.held.len() == 1 {
            return Cow::Borrowed(self.newest());
        }
        let mut samples = self.held.iter();
        let mut mean = samples.next().expect("it is never empty").clone().widened();
        for (n, sample) in (2..).zip(samples) {
            mean.lerp_with(sample, 1.0 / f64::from(n), self.rule.buffers())
                .expect("checked when it was sampled");
        }
        Cow::Owned(mean)
    }

    /// Whether there has been an update. Before the first one, [`model`](Self::model) is not an average.
    pub fn has_started(&self) -> bool {
        self.updates > 0
    }

    /// The number of optimizer steps seen.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The number of steps whose weights were taken.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// The snapshots that it holds.
    pub(crate) fn held(&self) -> &VecDeque<Snapshot<M>> {
        &self.held
    }

    /// The newest snapshot that it holds: the average itself, if it moves.
    pub(crate) fn newest(&self) -> &Snapshot<M> {
        self.held.back().expect("it is never empty")
    }

    /// The numbers that are recorded with the weights: the step counts, and the two halves of each number of
    /// the rule's memory.
    pub(crate) fn counters(&self) -> Vec<u64> {
        let halves = |number: &f64| [number.to_bits() >> 32, number.to_bits() & 0xffff_ffff];
        [self.steps, self.updates]
            .into_iter()
            .chain(self.memory.iter().flat_map(halves))
            .collect()
    }

    /// Restores recorded weights and counters.
    pub(crate) fn resume(&mut self, members: Vec<Snapshot<M>>, counters: &[u64]) {
        (self.steps, self.updates) = (counters[0], counters[1]);
        let halves = counters[2..].chunks(2);
        self.memory = halves
            .map(|half| f64::from_bits((half[0] << 32) | half[1]))
            .collect();
        self.held = members.into();
        // A moving average that kept nothing of what was before is the weights of one model.
        if let (None, Some(number)) = (self.rule.samples(), self.updates.checked_sub(1)) {
            let mut memory = self.memory.clone();
            if number == 0 {
                memory.fill(0.0);
            }
            let last = Update { number, lr: 1.0 };
            if self.rule.keep(&last, &mut memory) > 0.0 {
                self.held = self.held.drain(..).map(Snapshot::as_mean).collect();
            }
        }
    }
}

/// As [`update_at`](Average::update_at).
impl<M: Module, R: AverageRule> StepAverage<M> for Average<M, R> {
    type Update = LerpInWalk<M>;

    fn begin_update(&mut self, lr: f64) -> Option<LerpInWalk<M>> {
        self.begin(lr)
    }

    fn end_update(&mut self, update: Option<LerpInWalk<M>>, model: &M, lr: f64) {
        self.end(update, &mut Live::new(model), lr);
    }
}

/// What an average by `rule` holds before the first step.
fn first<M: Module>(rule: &impl AverageRule, model: &M) -> VecDeque<Snapshot<M>> {
    let mut first = Snapshot::new(model);
    if rule.samples().is_none() {
        first = first.widened();
    }
    [first].into()
}

impl<M: Module + ModuleDisplay, R: AverageRule> Average<M, R> {
    /// The record to save with a checkpoint: the averaged weights and the step counts.
    pub fn to_record(&self) -> ModuleRecord {
        self.to_labelled_record(&[])
    }

    /// [`to_record`](Self::to_record), with labels for what `M` does not name.
    pub(crate) fn to_labelled_record(&self, labels: &[String]) -> ModuleRecord {
        let members: Vec<M> = self.held.iter().map(Snapshot::held_model).collect();
        let device = device_of(&members[0]);
        let counters = self.counters();
        record_members(self.rule.kind(), labels, members, &counters, &device)
    }

    /// Resumes the recorded average. If the record has more samples than the rule holds, the newest are kept.
    ///
    /// # Errors
    ///
    /// Burn's error, if the record does not hold such an average of such a model.
    pub fn load_record(self, record: ModuleRecord) -> Result<Self, RecordError> {
        self.load_labelled_record(&[], record)
    }

    /// [`load_record`](Self::load_record), of a record with these labels.
    pub(crate) fn load_labelled_record(
        mut self,
        labels: &[String],
        record: ModuleRecord,
    ) -> Result<Self, RecordError> {
        let count = self.counters().len();
        let Members {
            mut members,
            counters,
        } = read_members(self.rule.kind(), labels, self.newest(), count, record)?;
        let expected = match self.rule.samples() {
            Some(last) => members.len().clamp(1, last),
            None => 1,
        };
        let surplus = members.len().saturating_sub(expected);
        if members.len() < expected || self.rule.samples().is_none() && surplus > 0 {
            return Err(RecordError::Validation(format!(
                "the record of an average holds {} sets of weights, expected {expected}",
                members.len()
            )));
        }
        members.drain(..surplus);
        self.resume(members, &counters);
        Ok(self)
    }
}
