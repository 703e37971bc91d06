//! A mean of weights that moves with the training: the one engine of [`Ema`](crate::Ema) and
//! [`Swa`](crate::Swa).

use burn::module::{Module, ModuleDisplay};
use burn::store::{ModuleRecord, RecordError};
use burn_tricks_core::{Buffers, ConfigError, Mismatch, SharedWeights, Snapshot};

use crate::recorded::{Kind, read_members, record_members};

/// Which of the steps count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sampling {
    /// Steps at the start that do not count.
    pub(crate) start_after: usize,
    /// After that, one step in this many counts.
    pub(crate) every: usize,
}

impl Sampling {
    pub(crate) fn validated(self) -> Result<Self, ConfigError> {
        ConfigError::at_least_one("update_every", self.every)?;
        Ok(self)
    }

    /// Whether step `step`, from 1, comes before the first that may count.
    pub(crate) fn is_before_start(self, step: u64) -> bool {
        step <= self.start_after as u64
    }

    pub(crate) fn counts(self, step: u64) -> bool {
        !self.is_before_start(step)
            && (step - self.start_after as u64).is_multiple_of(self.every as u64)
    }
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

    fn seen_by(&mut self, mean: &Snapshot<M>) -> Result<&SharedWeights<M>, Mismatch> {
        let weights = match self.weights.take() {
            Some(weights) => weights,
            None => mean.look_at(self.model)?,
        };
        Ok(self.weights.insert(weights))
    }
}

/// The mean, and how far it has come.
#[derive(Debug, Clone)]
pub(crate) struct Running<M: Module> {
    mean: Snapshot<M>,
    steps: u64,
    updates: u64,
}

impl<M: Module> Running<M> {
    pub(crate) fn new(model: &M) -> Self {
        Self {
            mean: Snapshot::new(model).widened(),
            steps: 0,
            updates: 0,
        }
    }

    /// Takes the weights after a step. `keep(n)` is the share of the mean that update n, from 0,
    /// keeps; the rest is the new weights'.
    pub(crate) fn update(
        &mut self,
        live: &mut Live<'_, M>,
        sampling: Sampling,
        buffers: Buffers,
        keep: impl FnOnce(u64) -> f64,
    ) -> Result<(), Mismatch> {
        let step = self.steps + 1;
        let counts = sampling.counts(step);
        match keep(self.updates) {
            // Also between the start and a first update that keeps nothing of what was before.
            share
                if sampling.is_before_start(step)
                    || share == 0.0 && (counts || self.updates == 0) =>
            {
                let weights = live.seen_by(&self.mean)?;
                self.mean.replace_weights(weights)?;
            }
            share if counts => {
                let weights = live.seen_by(&self.mean)?;
                self.mean.lerp_weights(weights, 1.0 - share, buffers)?;
            }
            _ => {}
        }
        self.steps = step;
        self.updates += u64::from(counts);
        Ok(())
    }

    pub(crate) fn model(&self) -> M {
        self.mean.model()
    }

    pub(crate) fn restore_into(&self, model: &M) -> Result<M, Mismatch> {
        self.mean.restore(model)
    }

    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }

    pub(crate) fn updates(&self) -> u64 {
        self.updates
    }
}

impl<M: Module + ModuleDisplay> Running<M> {
    /// Several as one record.
    pub(crate) fn to_record<'a>(
        kind: Kind,
        averages: impl Iterator<Item = &'a Self> + Clone,
    ) -> ModuleRecord
    where
        M: 'a,
    {
        let means = averages.clone().map(|average| average.mean.held_model());
        let counters = averages.flat_map(|average| [average.steps, average.updates]);
        record_members(kind, means.collect(), &counters.collect::<Vec<_>>())
    }

    /// As many as were recorded together, in their order, each with the shares that its updates keep.
    pub(crate) fn load_record<'a>(
        kind: Kind,
        averages: impl ExactSizeIterator<Item = (&'a mut Self, impl Fn(u64) -> f64)>,
        like: &Snapshot<M>,
        record: ModuleRecord,
    ) -> Result<(), RecordError>
    where
        M: 'a,
    {
        let recorded = read_members(kind, like, 2 * averages.len(), record)?;
        if recorded.members.len() != averages.len() {
            return Err(RecordError::Validation(format!(
                "the record holds {} averages, expected {}",
                recorded.members.len(),
                averages.len()
            )));
        }
        let counters = recorded.counters.chunks(2);
        for (((average, keep), mean), counters) in averages.zip(recorded.members).zip(counters) {
            (average.steps, average.updates) = (counters[0], counters[1]);
            // An update that keeps nothing of what was before leaves the weights of one model.
            let is_mean = average
                .updates
                .checked_sub(1)
                .is_some_and(|n| keep(n) > 0.0);
            average.mean = match is_mean {
                true => mean.as_mean(),
                false => mean,
            };
        }
        Ok(())
    }

    /// For records of such averages.
    pub(crate) fn like(&self) -> Snapshot<M> {
        self.mean.clone()
    }
}
