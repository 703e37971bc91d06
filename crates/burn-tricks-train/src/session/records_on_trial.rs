//! Burn's records of a checkpoint, loaded on trial.
//!
//! When Burn itself loads the records at the launch of a training, it panics if a record does not fit, or silently
//! drops the parts that do not fit.

use crate::session::checkpoint_fault::CheckpointFault;
use crate::session::learner_view::{caught, optimizer_of};
use crate::session::run_description::OPTIMIZER_STATE;
use crate::session::run_files::RunFiles;
use crate::session::session_error::SessionError;
use crate::trick::Trick;
use crate::trick::tricked::Tricked;
use burn::lr_scheduler::LrSchedulerRecord;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{GradientsParams, ModuleOptimizer, OptimizerRecord};
use burn::store::RecordError;
use burn::tensor::{Bytes, Tensor};
use burn::train::{Learner, LearnerModel};
use burn_pack::Reader;
use burn_tricks_checkpoint::Change;
use burn_tricks_core::load_record;
use burn_tricks_optim::check_optimizer_record;

/// Checks that model, schedule and optimizer can load their records of `epoch`. Returns whether the optimizer keeps
/// another kind of state than the saved one, which is not known before its first step: `has_stepped` says whether it had
/// taken one.
pub(crate) fn check_records<M, H>(
    files: &RunFiles,
    epoch: usize,
    has_stepped: bool,
    learner: &Learner<Tricked<M, H>>,
) -> Result<Option<Change>, SessionError>
where
    M: Module,
    H: Trick<M>,
    Tricked<M, H>: LearnerModel,
{
    let unread = |fault| SessionError::Unread { epoch, fault };
    let panicked = |what, message| unread(CheckpointFault::Panicked { what, message });
    let record = files.load("model", epoch)?;
    // In place: the model of `valid` has running statistics of its own.
    let loaded = load_record(learner.model().model().valid(), record);
    let loaded = loaded.map_err(|error| SessionError::State {
        epoch,
        error: error.into(),
    })?;

    let record: LrSchedulerRecord = files.load("scheduler", epoch)?;
    let mut copy = learner.clone();
    caught(|| copy.load_scheduler(record)).map_err(|message| panicked("schedule", message))?;

    let record: OptimizerRecord = files.load("optim", epoch)?;
    let not_read = |error| {
        let path = files.record("optim", epoch);
        unread(CheckpointFault::Record { path, error })
    };
    let bytes = record.into_bytes().map_err(not_read)?.shared();
    check_optimizer_record(&loaded, bytes.clone())
        .map_err(|error| unread(CheckpointFault::Optimizer(error)))?;
    let optimizer = optimizer_of(learner);
    let layouts = || -> Result<_, RecordError> {
        let recorded = layout(bytes.clone())?;
        let present = match recorded.as_str() {
            STATELESS if !has_stepped => return Ok((recorded.clone(), recorded)),
            // Also an optimizer that has a state takes none. Tricks freeze the model as at the beginning of the run: a
            // parameter of another group, which has one, may not be trained yet.
            STATELESS => {
                let model = learner.model();
                let begun = model.tricks().rebuilt(model.model().clone());
                stepped(optimizer, begun)
            }
            _ => optimizer.load_record(OptimizerRecord::from_bytes(bytes)?),
        };
        Ok((recorded, layout(present.into_bytes()?)?))
    };
    let layouts = caught(layouts).map_err(|message| panicked("optimizer", message))?;
    let (recorded, present) = layouts.map_err(not_read)?;
    Ok((recorded != present).then(|| Change::new(OPTIMIZER_STATE, Some(recorded), Some(present))))
}

const STATELESS: &str = "none";

/// The contents of an optimizer's record: the names of its tensors and numbers, and the number of parameters.
fn layout(record: Bytes) -> Result<String, RecordError> {
    let pack = Reader::from_bytes(record)?;
    let scalars = pack.scalars().keys().map(String::as_str);
    let mut names = Vec::new();
    // `<parameter>.<name>`
    for name in pack.tensor_names().into_iter().chain(scalars) {
        let name = name.split_once('.').map_or(name, |(_, name)| name);
        // Burn's own is also there for optimizers that have no state.
        if name != "__rank" {
            names.push(name);
        }
    }
    names.sort_unstable();
    let same = names.chunk_by(|one, other| one == other);
    let parts: Vec<_> = same
        .map(|same| format!("{} × {}", same[0], same.len()))
        .collect();
    Ok(if parts.is_empty() {
        STATELESS.to_owned()
    } else {
        parts.join(", ")
    })
}

/// The optimizer after a step with zero gradients on `model`.
fn stepped<M: Module>(mut optimizer: ModuleOptimizer, model: M) -> ModuleOptimizer {
    struct Zeros(GradientsParams);

    impl ModuleVisitor for Zeros {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let weight = param.val();
            if weight.is_require_grad() {
                self.0.register(param.id, weight.inner().zeros_like());
            }
        }
    }

    let mut zeros = Zeros(GradientsParams::new());
    model.visit(&mut zeros);
    optimizer.step(0.0, model, zeros.0);
    optimizer
}
