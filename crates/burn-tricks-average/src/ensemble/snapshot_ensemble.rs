//! Snapshot ensemble: several models for the price of one training.
//!
//! A cyclic learning rate lets the model settle in one minimum after the other; a copy is kept at the
//! bottom of each cycle, and the copies predict together.
//!
//! # Example
//!
//! ```
//! # use burn::{module::Module, nn::{Linear, LinearConfig}, tensor::{Device, Tensor}};
//! # use burn_tricks_average::Predict;
//! # #[derive(Module, Debug)]
//! # struct Classifier { layer: Linear }
//! # impl Predict for Classifier {
//! #     type Input = Tensor<2>;
//! #     fn predict(&self, images: Tensor<2>) -> Tensor<2> { self.layer.forward(images) }
//! # }
//! use burn_tricks_average::{EnsembleConfig, SnapshotEnsembleConfig};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let model = Classifier { layer: LinearConfig::new(4, 3).init(&Device::flex().autodiff()) };
//! // Steps. With a schedule of `burn-tricks-schedule`: after the step for which `Cycles::is_trough` of the
//! // whole schedule, its warm-up included, is true, the one with the lowest rate.
//! let cycle = 100;
//! let mut snapshots = SnapshotEnsembleConfig::new(3).init(&model)?;
//! for step in 0..500 {
//!     // ... model = optim.step(schedule.step(), model, grads); ...
//!     if (step + 1) % cycle == 0 {
//!         snapshots.collect(&model);
//!     }
//! }
//! let ensemble = snapshots.into_ensemble(&EnsembleConfig::new())?; // of the last 3 cycles
//! assert_eq!(ensemble.members().len(), 3);
//! # Ok(())
//! # }
//! ```
//!
//! # Order
//!
//! After the optimizer's step that took the last rate of a cycle. The members are those of an
//! [`Ensemble`](crate::ensemble).
//!
//! # Cost
//!
//! No training beyond the one run; a copy of the weights per member. Prediction costs as many forward
//! passes as there are members.
//!
//! # Differences
//!
//! From a run's checkpoints loaded by hand: the members get parameter ids of their own, so that they
//! can also be trained on together.
//!
//! # Suggested values
//!
//! Cycles of 40 to 50 epochs, from a large rate down to 0 along a cosine; the last 3 to 5 of 5 to 8
//! cycles (Huang et al.).
//!
//! # References
//!
//! - Huang et al., *Snapshot ensembles: train 1, get M for free*, 2017,
//!   <https://arxiv.org/abs/1704.00109>
//! - Garipov et al., *Loss surfaces, mode connectivity, and fast ensembling of DNNs*, 2018,
//!   <https://arxiv.org/abs/1802.10026>, for shorter cycles

use crate::average_record::{AverageKind, read_members, record_members};
use crate::combine_error::CombineError;
use crate::ensemble::{Ensemble, EnsembleConfig};
use burn::module::{Module, ModuleDisplay, ModuleMapper, Param, ParamId};
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::{Bool, Int, Tensor};
use burn_tricks_core::{Config, ConfigError, Snapshot};
use std::collections::{HashMap, VecDeque};

/// Configuration of [`SnapshotEnsemble`].
#[derive(Config, Debug, PartialEq)]
pub struct SnapshotEnsembleConfig {
    /// How many of the newest members are kept, at least 1.
    pub last: usize,
}

impl SnapshotEnsembleConfig {
    /// A collection for models like `model`, without members.
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
    /// Names the places. Lets go of its weights at the first member.
    like: Snapshot<M>,
    members: VecDeque<Snapshot<M>>,
    collected: u64,
}

impl<M: Module> SnapshotEnsemble<M> {
    /// Keeps the model as it is now; the oldest member leaves when there are too many.
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

    /// The members there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is none.
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
    /// As [`EnsembleConfig::init`]: if there is no member, or the weights do not fit their number.
    pub fn into_ensemble(self, config: &EnsembleConfig) -> Result<Ensemble<M>, CombineError> {
        let members = self.members.iter();
        config.init(
            members
                .map(|member| member.model().map(&mut NewIds::default()))
                .collect(),
        )
    }

    /// What to save with a checkpoint: the members.
    pub fn to_record(&self) -> ModuleRecord {
        let members = self.members.iter().map(Snapshot::held_model).collect();
        record_members(AverageKind::SNAPSHOT_ENSEMBLE, members, &[self.collected])
    }

    /// Goes on where the recorded collection was. Of more members than `last`, the newest are kept.
    ///
    /// # Errors
    ///
    /// Burn's, if the record is not that of a collection of such models.
    pub fn load_record(mut self, record: ModuleRecord) -> Result<Self, RecordError> {
        let recorded = read_members(AverageKind::SNAPSHOT_ENSEMBLE, &self.like, 1, record)?;
        let surplus = recorded.members.len().saturating_sub(self.last);
        self.members = recorded.members.into_iter().skip(surplus).collect();
        self.collected = recorded.counters[0];
        if let Some(newest) = self.members.back() {
            self.like = newest.clone();
        }
        Ok(self)
    }
}

/// Parameter ids of its own for each member. Running statistics keep theirs: no optimizer reaches them.
/// What was one parameter at several places is so again.
#[derive(Default)]
struct NewIds(HashMap<ParamId, ParamId>);

impl NewIds {
    fn of(&mut self, id: ParamId) -> ParamId {
        *self.0.entry(id).or_default()
    }
}

impl ModuleMapper for NewIds {
    fn map_float<const D: usize>(&mut self, mut param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.id = self.of(param.id);
        param
    }

    fn map_int<const D: usize>(
        &mut self,
        mut param: Param<Tensor<D, Int>>,
    ) -> Param<Tensor<D, Int>> {
        param.id = self.of(param.id);
        param
    }

    fn map_bool<const D: usize>(
        &mut self,
        mut param: Param<Tensor<D, Bool>>,
    ) -> Param<Tensor<D, Bool>> {
        param.id = self.of(param.id);
        param
    }
}
