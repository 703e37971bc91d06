//! Snapshot ensemble.

use crate::average_record::{AverageKind, device_of, read_members, record_members};
use crate::combine_error::CombineError;
use crate::ensemble::new_ids::NewIds;
use crate::ensemble::{Ensemble, EnsembleConfig};
use burn::module::{Module, ModuleDisplay};
use burn::store::{ModuleRecord, RecordError};
use burn_tricks_core::{Config, ConfigError, Snapshot};
use std::collections::VecDeque;

/// Configuration of [`SnapshotEnsemble`]: several models for the cost of one training run.
///
/// A cyclic learning rate lets the model settle in one minimum after another. A copy of the model is kept at
/// the end of each cycle, where the rate is lowest, and the copies predict together.
///
/// # Example
///
/// ```
/// # use burn::{module::Module, nn::{Linear, LinearConfig}, tensor::{Device, Tensor}};
/// # use burn_tricks_average::Predict;
/// # #[derive(Module, Debug)]
/// # struct Classifier { layer: Linear }
/// # impl Predict for Classifier {
/// #     type Input = Tensor<2>;
/// #     fn predict(&self, images: Tensor<2>) -> Tensor<2> { self.layer.forward(images) }
/// # }
/// use burn_tricks_average::{EnsembleConfig, SnapshotEnsembleConfig};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let model = Classifier { layer: LinearConfig::new(4, 3).init(&Device::flex().autodiff()) };
/// // Steps. With a schedule of `burn-tricks-schedule`: after the step for which `Cycles::is_trough` of the
/// // whole schedule, its warm-up included, is true, the one with the lowest rate.
/// let cycle = 100;
/// let mut snapshots = SnapshotEnsembleConfig::new(3).init(&model)?;
/// for step in 0..500 {
///     // ... model = optim.step(schedule.step(), model, grads); ...
///     if (step + 1) % cycle == 0 {
///         snapshots.collect(&model);
///     }
/// }
/// let ensemble = snapshots.into_ensemble(&EnsembleConfig::new())?; // of the last 3 cycles
/// assert_eq!(ensemble.members().len(), 3);
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Call `collect` after the optimizer step that used the last learning rate of a cycle. The collected members become
/// an [`Ensemble`](crate::EnsembleConfig).
///
/// # Cost
///
/// One training run, and a copy of the weights per member. A prediction takes as many forward passes as there
/// are members.
///
/// # Differences
///
/// Checkpoints of a run that are loaded by hand share their parameter ids. Here each member gets its own
/// parameter ids, so that the members can also be trained further together.
///
/// # Suggested values
///
/// Cycles of 40 to 50 epochs, from a large learning rate down to 0 along a cosine; the last 3 to 5 of 5 to 8
/// cycles (Huang et al.).
///
/// # References
///
/// - Huang et al., *Snapshot ensembles: train 1, get M for free*, 2017,
///   <https://arxiv.org/abs/1704.00109>
/// - Garipov et al., *Loss surfaces, mode connectivity, and fast ensembling of DNNs*, 2018,
///   <https://arxiv.org/abs/1802.10026>, for shorter cycles
#[derive(Config, Debug, PartialEq)]
pub struct SnapshotEnsembleConfig {
    /// The number of newest members to keep, at least 1.
    pub last: usize,
}

impl SnapshotEnsembleConfig {
    /// An empty collection for models like `model`.
    ///
    /// # Errors
    ///
    /// If `last` is 0.
    pub fn init<M: Module>(&self, model: &M) -> Result<SnapshotEnsemble<M>, ConfigError> {
        ConfigError::at_least_one("last", self.last)?;
        Ok(SnapshotEnsemble {
            last: self.last,
            like: Snapshot::new(model),
            members: VecDeque::new(),
            collected: 0,
        })
    }
}

/// Members of an ensemble, collected during one training. Made by [`SnapshotEnsembleConfig::init`].
#[derive(Debug, Clone)]
pub struct SnapshotEnsemble<M: Module> {
    last: usize,
    /// A model that gives the paths of the parameters. Its weights are released at the first member.
    like: Snapshot<M>,
    members: VecDeque<Snapshot<M>>,
    collected: u64,
}

impl<M: Module> SnapshotEnsemble<M> {
    /// Adds a copy of the model as it is now; if there are then too many members, the oldest is dropped.
    ///
    /// # Panics
    ///
    /// If `model` has another architecture than the one that the collection was made for.
    pub fn collect(&mut self, model: &M) {
        (self.like.replace(model)).unwrap_or_else(|mismatch| panic!("{mismatch}"));
        let member = self.like.clone();
        if self.members.len() == self.last {
            self.members.pop_front();
        }
        self.members.push_back(member);
        self.collected += 1;
    }

    /// The number of members.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// How often [`collect`](Self::collect) was called.
    pub fn collected(&self) -> u64 {
        self.collected
    }
}

impl<M: Module + ModuleDisplay> SnapshotEnsemble<M> {
    /// The members, oldest first, as one model.
    ///
    /// # Errors
    ///
    /// Those of [`EnsembleConfig::init`]: if there is no member, or if there are not as many weights as
    /// members.
    pub fn into_ensemble(self, config: &EnsembleConfig) -> Result<Ensemble<M>, CombineError> {
        let members = self.members.iter();
        config.init(
            members
                .map(|member| member.model().map(&mut NewIds::default()))
                .collect(),
        )
    }

    /// The record to save with a checkpoint: the members.
    pub fn to_record(&self) -> ModuleRecord {
        let members = self.members.iter().map(Snapshot::held_model).collect();
        record_members(
            AverageKind::SNAPSHOT_ENSEMBLE,
            &[],
            members,
            &[self.collected],
            &device_of(&self.like.held_model()),
        )
    }

    /// Resumes the recorded collection. If it has more members than `last`, the newest are kept.
    ///
    /// # Errors
    ///
    /// Burn's error, if the record does not hold a collection of such models.
    pub fn load_record(mut self, record: ModuleRecord) -> Result<Self, RecordError> {
        let recorded = read_members(AverageKind::SNAPSHOT_ENSEMBLE, &[], &self.like, 1, record)?;
        let surplus = recorded.members.len().saturating_sub(self.last);
        self.members = recorded.members.into_iter().skip(surplus).collect();
        self.collected = recorded.counters[0];
        if let Some(newest) = self.members.back() {
            self.like = newest.clone();
        }
        Ok(self)
    }
}
