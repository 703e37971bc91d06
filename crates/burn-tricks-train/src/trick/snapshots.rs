//! A snapshot ensemble, collected in the `Learner`.

use crate::trick::Trick;
use crate::trick::averages::{record_bytes, record_of};
use crate::trick::epoch_context::EpochContext;
use crate::trick::trick_error::TrickError;
use burn::module::{Module, ModuleDisplay};
use burn_tricks_average::{
    CombineError, Ensemble, EnsembleConfig, SnapshotEnsemble, SnapshotEnsembleConfig,
};
use burn_tricks_core::{Config, ConfigError, StateError};
use burn_tricks_grad::GradientOrder;

/// Configuration of [`SnapshotTrick`], a snapshot ensemble, collected in the `Learner`.
///
/// ```text
/// at the end of every n-th epoch:   members ← members + a copy of the trained model
/// ```
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burn_tricks_train::SnapshotTrickConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let model = LinearConfig::new(4, 3).init(&Device::flex().autodiff());
/// // The last 3 members of a schedule whose cycles are 10 epochs long.
/// let snapshots = SnapshotTrickConfig::new(10, 3).init(&model)?;
/// // let finished = session.launch(Learner::new(model.with_tricks((clip, snapshots)), optim, schedule))?;
/// // let ensemble = finished.model.tricks().1.ensemble(&EnsembleConfig::new())?;
/// # assert_eq!(snapshots.members(), 0);
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// After a [`RollBackTrick`](crate::RollBackTrick) if there is one, otherwise anywhere. The members are the trained
/// weights, not an average. The epoch of a snapshot must end together with a cycle of the learning rate, at the
/// lowest rate: give the schedule cycles of `every_epochs` times the number of steps of an epoch.
///
/// # Cost
///
/// A copy of the weights for each member, on the device. A resumable session saves the members with each checkpoint.
///
/// # References
///
/// The same as for [`SnapshotEnsemble`], which this trick uses in place of a
/// hand-written loop.
#[derive(Config, Debug, PartialEq, Eq)]
pub struct SnapshotTrickConfig {
    /// The number of epochs from one member to the next, at least 1: the length of a cycle.
    pub every_epochs: usize,
    /// How many of the newest members are kept, at least 1.
    pub last: usize,
}

impl SnapshotTrickConfig {
    /// The trick for models like `model`, without members.
    ///
    /// # Errors
    ///
    /// If `every_epochs` or `last` is 0.
    pub fn init<M: Module>(&self, model: &M) -> Result<SnapshotTrick<M>, ConfigError> {
        ConfigError::at_least_one("every_epochs", self.every_epochs)?;
        let snapshots = SnapshotEnsembleConfig::new(self.last).init(model)?;
        Ok(SnapshotTrick {
            config: self.clone(),
            empty: snapshots.clone(),
            snapshots,
        })
    }
}

/// Collects the members of an ensemble at the end of cycles. Made by [`SnapshotTrickConfig::init`].
#[derive(Debug, Clone)]
pub struct SnapshotTrick<M: Module> {
    config: SnapshotTrickConfig,
    /// An ensemble without members, for a new run.
    empty: SnapshotEnsemble<M>,
    snapshots: SnapshotEnsemble<M>,
}

impl<M: Module> SnapshotTrick<M> {
    /// How many members there are.
    pub fn members(&self) -> usize {
        self.snapshots.len()
    }
}

impl<M: Module + ModuleDisplay> SnapshotTrick<M> {
    /// The members collected so far, oldest first, as one model.
    ///
    /// # Errors
    ///
    /// If there is no member, or if `config` has another number of member weights than there are members.
    pub fn ensemble(&self, config: &EnsembleConfig) -> Result<Ensemble<M>, CombineError> {
        self.snapshots.clone().into_ensemble(config)
    }
}

impl<M: Module + ModuleDisplay> Trick<M> for SnapshotTrick<M> {
    /// It does not look at the gradients.
    fn gradient_order(&self, _order: &mut GradientOrder) {}

    fn epoch_end(&mut self, model: M, epoch: &mut EpochContext<'_, M>) -> Result<M, TrickError> {
        if epoch.epoch().is_multiple_of(self.config.every_epochs) {
            self.snapshots.collect(&model);
        }
        Ok(model)
    }

    fn restart(&mut self, _model: &M) {
        self.snapshots = self.empty.clone();
    }

    fn describe(&self) -> Vec<String> {
        vec![format!("{:?}", self.config)]
    }

    fn state(&self) -> Option<Vec<u8>> {
        Some(record_bytes("SnapshotTrick", self.snapshots.to_record()))
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        let record = record_of("SnapshotTrick", state)?;
        self.snapshots = self.empty.clone().load_record(record)?;
        Ok(())
    }
}
