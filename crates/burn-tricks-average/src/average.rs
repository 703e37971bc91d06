//! An average of the weights of a model in training: what [`Ema`](crate::Ema), [`Swa`](crate::Swa) and
//! [`Lawa`](crate::Lawa) share. Their [rules](crate::average_rule) make the difference.

use crate::average_record::{Members, read_members, record_members};
use crate::average_rule::{AverageRule, Update};
use burn::module::{Module, ModuleDisplay};
use burn::store::{ModuleRecord, RecordError};
use burn_tricks_core::{ConfigError, Mismatch, SharedWeights, Snapshot};
use std::borrow::Cow;
use std::collections::VecDeque;

/// An average of weights by the rule `R`: an [`Ema`](crate::Ema), a [`Swa`](crate::Swa), a
/// [`Lawa`](crate::Lawa), or one of [your own](crate::average_rule).
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

/// A model after a step, looked through at the first average that takes its weights, for all of them.
pub(crate) struct Live<'a, M> {
    model: &'a M,
    weights: Option<SharedWeights<M>>,
}

impl<'a, M: Module> Live<'a, M> {
    pub(crate) fn new(model: &'a M) -> Self {
        let weights = None;
        Self { model, weights }
    }

    fn seen_by(&mut self, held: &Snapshot<M>) -> Result<&SharedWeights<M>, Mismatch> {
        let weights = match self.weights.take() {
            Some(weights) => weights,
            None => held.look_at(self.model)?,
        };
        Ok(self.weights.insert(weights))
    }
}

impl<M: Module, R: AverageRule> Average<M, R> {
    /// The average, before the first step: it is the weights of `model`.
    ///
    /// # Errors
    ///
    /// If a setting of the rule means nothing.
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

    /// The rule, which is the configuration that it was made with.
    pub fn config(&self) -> &R {
        &self.rule
    }

    /// Takes the weights after an optimizer step, if it is time.
    ///
    /// # Panics
    ///
    /// If `model` has another architecture than the one that the average was made for, or the rule keeps a
    /// share outside of [0, 1], which none of this library does.
    pub fn update(&mut self, model: &M) {
        self.update_at(model, 1.0);
    }

    /// [`update`](Self::update) after a step with this learning rate, which some rules weigh the weights by.
    ///
    /// # Panics
    ///
    /// As there.
    pub fn update_at(&mut self, model: &M, rate: f64) {
        self.update_from(&mut Live::new(model), rate);
    }

    /// [`update_at`](Self::update_at) with a model that other averages look at too.
    pub(crate) fn update_from(&mut self, live: &mut Live<'_, M>, rate: f64) {
        let step = self.steps + 1;
        let counts = self.rule.sampling().counts(step);
        let taken = match self.rule.samples() {
            None => self.move_towards(live, step, rate),
            Some(last) if counts || self.updates == 0 => self.sample(live, last),
            Some(_) => Ok(()),
        };
        taken.unwrap_or_else(|mismatch| panic!("{mismatch}"));
        self.steps = step;
        self.updates += u64::from(counts);
    }

    fn move_towards(
        &mut self,
        live: &mut Live<'_, M>,
        step: u64,
        rate: f64,
    ) -> Result<(), Mismatch> {
        let sampling = self.rule.sampling();
        let (counts, before_start) = (sampling.counts(step), sampling.is_before_start(step));
        // Until the first update, which may keep nothing of what was before, its share is looked ahead at.
        if !(counts || before_start || self.updates == 0) {
            return Ok(());
        }
        let mut memory = self.memory.clone();
        let number = self.updates;
        let kept = self.rule.keep(&Update { number, rate }, &mut memory);
        assert!(
            (0.0..=1.0).contains(&kept),
            "the share that an average keeps must lie in [0, 1], `{}` said {kept}",
            self.rule.kind().name()
        );
        let mean = self.held.back_mut().expect("it is never empty");
        if before_start || kept == 0.0 {
            mean.replace_weights(live.seen_by(mean)?)?;
        } else if counts {
            mean.lerp_weights(live.seen_by(mean)?, 1.0 - kept, self.rule.buffers())?;
        }
        if counts {
            self.memory = memory;
        }
        Ok(())
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

    /// Begins anew with the weights of `model`, as [`init`](Self::init) would: what was averaged, and the
    /// steps counted, are forgotten.
    pub fn restart(&mut self, model: &M) {
        self.held = first(&self.rule, model);
        self.memory.fill(0.0);
        (self.steps, self.updates) = (0, 0);
    }

    /// The averaged model, to predict with: no gradients, dropout off.
    ///
    /// Until the average [has started](Self::has_started) these are the weights of the last `update`. Then it
    /// begins with those of its first update, or moves from the last ones before it, if it keeps a share of
    /// them.
    ///
    /// To train on, [`restore_into`](Self::restore_into) a live model: `model().train()` has lost a
    /// gradient-checkpointing strategy of the device, and Burn panics where it meets one.
    pub fn model(&self) -> M {
        self.mean().model()
    }

    /// `model` with the average, to train on. Its devices, element types, gradient requirements, training
    /// flags and parameter ids stay; `model` itself and its clones keep their values.
    ///
    /// # Errors
    ///
    /// If the two differ in a path, a kind or a shape: the first such place.
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

    /// Whether there has been an update. Before that the model is no average.
    pub fn has_started(&self) -> bool {
        self.updates > 0
    }

    /// Optimizer steps seen.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Of those, the ones whose weights were taken.
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

    /// What is recorded with the weights: where it stands, and the halves of each number of its memory.
    pub(crate) fn counters(&self) -> Vec<u64> {
        let halves = |number: &f64| [number.to_bits() >> 32, number.to_bits() & 0xffff_ffff];
        [self.steps, self.updates]
            .into_iter()
            .chain(self.memory.iter().flat_map(halves))
            .collect()
    }

    /// Takes on what was recorded: the weights, and as many counters as it has.
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
            let last = Update { number, rate: 1.0 };
            if self.rule.keep(&last, &mut memory) > 0.0 {
                self.held = self.held.drain(..).map(Snapshot::as_mean).collect();
            }
        }
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
    /// What to save with a checkpoint: the weights and where the average stands.
    pub fn to_record(&self) -> ModuleRecord {
        let members = self.held.iter().map(Snapshot::held_model).collect();
        record_members(self.rule.kind(), members, &self.counters())
    }

    /// Resumes the recorded average. Of more samples than the rule holds, the newest are kept.
    ///
    /// # Errors
    ///
    /// Burn's, if the record is not that of such an average of such a model.
    pub fn load_record(mut self, record: ModuleRecord) -> Result<Self, RecordError> {
        let count = self.counters().len();
        let Members {
            mut members,
            counters,
        } = read_members(self.rule.kind(), self.newest(), count, record)?;
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
