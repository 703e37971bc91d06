//! Burn's records of a checkpoint, loaded on trial.
//!
//! When Burn itself loads the records at the launch of a training, it panics if a record does not fit, or silently
//! drops the parts that do not fit.

use crate::session::checkpoint_fault::CheckpointFault;
use crate::session::learner_view::{LAST_STEP, caught, optimizer_of, rates};
use crate::session::run_description::{OPTIMIZER_STATE, SCHEDULE_POSITION};
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

/// Checks that model, schedule and optimizer can load their records of `epoch`, after which `steps` steps had been taken.
/// `begun` is [`rates`] of the learner. Returns whether the schedule would continue elsewhere, and whether the optimizer keeps another kind of state than the
/// saved one, which is not known before its first step.
pub(crate) fn check_records<M, H>(
    files: &RunFiles,
    epoch: usize,
    steps: u64,
    learner: &Learner<Tricked<M, H>>,
    begun: &str,
) -> Result<Vec<Change>, SessionError>
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

    let not_read = |name: &str, error| {
        let path = files.record(name, epoch);
        unread(CheckpointFault::Record { path, error })
    };
    let record: LrSchedulerRecord = files.load("scheduler", epoch)?;
    let position = position_of(record.clone()).map_err(|error| not_read("scheduler", error))?;
    // What the record does not restore stays as it was before: elsewhere, if the schedule had been stepped.
    let ahead = position.unwrap_or(steps).min(LAST_STEP.into());
    let (mut copy, mut moved) = (learner.clone(), learner.clone());
    caught(|| copy.load_scheduler(record.clone()))
        .map_err(|message| panicked("schedule", message))?;
    let resumed = rates(&copy);
    let has_moved = caught(|| {
        (0..ahead).for_each(|_| moved.lr_step());
        moved.load_scheduler(record);
    });
    // A schedule that is not of this library may go where its record says by steps of its own.
    let is_elsewhere =
        has_moved.is_ok() && rates(&moved) != resumed && (position.is_some() || resumed == begun);
    let mut changes = Vec::new();
    if is_elsewhere {
        let recorded = format!("after {} steps", position.unwrap_or(steps));
        let present = "the record does not hold all of its state".to_owned();
        changes.push(Change::new(
            SCHEDULE_POSITION,
            Some(recorded),
            Some(present),
        ));
    }

    let record: OptimizerRecord = files.load("optim", epoch)?;
    let not_read = |error| not_read("optim", error);
    let bytes = record.into_bytes().map_err(not_read)?.shared();
    check_optimizer_record(&loaded, bytes.clone())
        .map_err(|error| unread(CheckpointFault::Optimizer(error)))?;
    let optimizer = optimizer_of(learner);
    let layouts = || -> Result<_, RecordError> {
        let recorded = layout(bytes.clone())?;
        let present = match recorded.as_str() {
            STATELESS if steps == 0 => return Ok((recorded.clone(), recorded)),
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
    if recorded != present {
        changes.push(Change::new(OPTIMIZER_STATE, Some(recorded), Some(present)));
    }
    Ok(changes)
}

/// The steps that a recorded schedule of `burn-tricks-schedule` had taken, if its rates depend on nothing else. Such a
/// schedule and its wrappers record only their names and their steps: `kind.Warmup`, `steps`, `inner.kind.Cosine`, ...
fn position_of(record: LrSchedulerRecord) -> Result<Option<u64>, RecordError> {
    let pack = Reader::from_bytes(record.into_bytes()?)?;
    let scalars = pack.scalars();
    let has_name = |path: &str| {
        let name = format!("{path}kind.");
        scalars.keys().any(|key| key.starts_with(&name))
    };
    let mut most: Option<u64> = None;
    for (key, number) in scalars {
        if key.contains("kind.") {
            continue;
        }
        match (key.strip_suffix("steps"), u64::try_from(*number)) {
            (Some(path), Ok(steps)) if has_name(path) => most = most.max(Some(steps)),
            _ => return Ok(None),
        }
    }
    Ok(most)
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
