//! A checkpoint that was read, from which the parts of a run are loaded.

use crate::change::Change;
use crate::checkpoint_error::CheckpointError;
use crate::damage::Damage;
use crate::json::to_json;
use crate::part::{Entry, PartKind, Record};
use crate::part_error::PartError;
use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::store::RecordError;
use burn::tensor::Bytes;
use burn_pack::{Reader, Scalar};
use burn_tricks_core::load_record;
use burn_tricks_optim::ModuleOptimizerExt as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::cell::RefCell;
use std::path::{Path, PathBuf};

/// A complete checkpoint, in memory. Made by [`Checkpoints::newest`](crate::Checkpoints::newest).
#[derive(Debug)]
pub struct Saved {
    step: usize,
    path: PathBuf,
    entries: Vec<Entry>,
    parts: Vec<Vec<u8>>,
    /// Which parts have not been loaded.
    unread: RefCell<Vec<bool>>,
    damaged: Vec<(usize, Damage)>,
}

impl Saved {
    pub(crate) fn new(
        step: usize,
        path: PathBuf,
        entries: Vec<Entry>,
        parts: Vec<Vec<u8>>,
        damaged: Vec<(usize, Damage)>,
    ) -> Self {
        Self {
            step,
            path,
            unread: RefCell::new(vec![true; entries.len()]),
            entries,
            parts,
            damaged,
        }
    }

    /// The step after which it was saved: the loop resumes with the next one.
    pub fn step(&self) -> usize {
        self.step
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Newer checkpoints that were damaged, the newest first, and what is wrong with each.
    pub fn damaged(&self) -> &[(usize, Damage)] {
        &self.damaged
    }

    /// The names of the parts that have not been loaded. A name that is left after the program has loaded everything
    /// belongs to a part that an earlier version of the program saved, and that this version no longer has.
    pub fn unread(&self) -> Vec<&str> {
        let unread = self.unread.borrow();
        let names = self.entries.iter().map(|entry| entry.name.as_str());
        let unread = names.zip(unread.iter()).filter(|(_, unread)| **unread);
        unread.map(|(name, _)| name).collect()
    }

    /// Returns `module` with the weights, running statistics and parameter ids that were saved. As always in Burn,
    /// clones of the module share running statistics with it.
    ///
    /// # Errors
    ///
    /// If there is no module of that name, or if its record does not fit this one.
    pub fn module<M: Module>(&self, name: &str, module: M) -> Result<M, CheckpointError> {
        let record = self.record(name)?;
        // What a batch did to running statistics, and Burn keeps apart, would overwrite what is loaded.
        let _ = module.valid();
        load_record(module, record).map_err(|error| self.unfit(name, error))
    }

    /// Returns `optimizer` with the moments and counters that were saved. `module` is the model that it steps, which
    /// must be loaded first: its parameters are compared with those of the record. For an optimizer that steps two
    /// modules, pass a tuple of both, or call `optimizer.load_record(saved.record(name)?)`, which compares nothing.
    ///
    /// The settings of an optimizer are not recorded: configure `optimizer` as it was when it was saved. With several
    /// backends compiled in, Burn's optimizers load their state to the default device first, which `BURN_DEVICE`
    /// names.
    ///
    /// # Errors
    ///
    /// If there is no optimizer of that name, or if its state is of another kind of optimizer, of other
    /// parameters or of other shapes: the error names the parameters.
    pub fn optimizer<M: Module>(
        &self,
        name: &str,
        optimizer: ModuleOptimizer,
        module: &M,
    ) -> Result<ModuleOptimizer, CheckpointError> {
        let bytes = self.part(name, PartKind::Optimizer)?.to_vec();
        optimizer
            .try_from_bytes(module, Bytes::from_bytes_vec(bytes))
            .map_err(|error| self.unfit(name, error))
    }

    /// Returns `schedule` at the position of the saved one. The settings of a schedule are not recorded: configure
    /// `schedule` as it was when it was saved, and let [`unchanged`](Self::unchanged) check that.
    ///
    /// # Errors
    ///
    /// If there is no schedule of that name, or if the record is of another kind of schedule or of other wrappers: the error
    /// names both. Wrappers that only change rates (`at_least`, `at_most`, `scaled`) have no state and are not compared.
    /// `schedule.load_record(saved.record(name)?)` compares nothing, and such a schedule would silently begin anew.
    pub fn schedule<S: LrScheduler>(
        &self,
        name: &str,
        mut schedule: S,
    ) -> Result<S, CheckpointError> {
        let recorded: LrSchedulerRecord = self.record(name)?;
        schedule.load_record(recorded.clone());
        self.same_schedule(name, schedule.to_record(), recorded)?;
        Ok(schedule)
    }

    /// As [`schedule`](Self::schedule), for a schedule with groups of parameters, such as one of `GroupLrConfig`.
    ///
    /// # Errors
    ///
    /// As [`schedule`](Self::schedule), and if the record has another number of groups.
    pub fn grouped_schedule(
        &self,
        name: &str,
        schedule: ModuleLrScheduler,
    ) -> Result<ModuleLrScheduler, CheckpointError> {
        let recorded: LrSchedulerRecord = self.record(name)?;
        let schedule = schedule.load_record(recorded.clone());
        self.same_schedule(name, schedule.to_record(), recorded)?;
        Ok(schedule)
    }

    /// Whether a schedule has loaded all of a record.
    fn same_schedule(
        &self,
        name: &str,
        loaded: LrSchedulerRecord,
        recorded: LrSchedulerRecord,
    ) -> Result<(), CheckpointError> {
        let bytes = |record: LrSchedulerRecord| {
            let bytes = record.into_bytes();
            bytes.map_err(|error| self.unfit(name, error))
        };
        let (loaded, recorded) = (bytes(loaded)?, bytes(recorded)?);
        if *loaded == *recorded {
            return Ok(());
        }
        let numbers = |bytes| numbers_of(bytes).map_err(|error| self.unfit(name, error));
        let (recorded, loaded) = (numbers(recorded)?, numbers(loaded)?);
        Err(self.unfit(name, PartError::OtherSchedule { recorded, loaded }))
    }

    /// Checks that a configuration that was saved with [`StepCheckpoint::state`](crate::StepCheckpoint::state) equals
    /// `present`, a value of the same type. Use it for what the records do not hold, such as the settings of the
    /// optimizer and of the schedule, the batch size, or the seed.
    ///
    /// # Errors
    ///
    /// If the configurations differ: the error names each field that differs, with both values. Also if there is no
    /// state of that name, or if `present` cannot be written as JSON.
    pub fn unchanged<T: Serialize + ?Sized>(
        &self,
        name: &str,
        present: &T,
    ) -> Result<(), CheckpointError> {
        let recorded = self.part(name, PartKind::State)?;
        // By way of the text, as what was recorded: an `f32` is a longer number without.
        let present = to_json(present).map_err(|error| self.unfit(name, error))?;
        let value = |json: &[u8]| serde_json::from_slice::<Value>(json);
        let both = value(recorded).and_then(|recorded| Ok((recorded, value(present.as_bytes())?)));
        let (recorded, present) = both.map_err(|error| self.unfit(name, error))?;
        if recorded == present {
            return Ok(());
        }
        let (recorded, present) = (recorded.to_string(), present.to_string());
        Err(CheckpointError::Changed {
            path: self.path.clone(),
            change: Change::new(name, Some(recorded), Some(present)),
        })
    }

    /// Returns one of Burn's records, for example to load an average: `ema.load_record(saved.record("ema")?)`.
    ///
    /// # Errors
    ///
    /// If there is no record of that name and kind, or if Burn cannot read it.
    pub fn record<R: Record>(&self, name: &str) -> Result<R, CheckpointError> {
        let bytes = self.part(name, R::KIND)?.to_vec();
        R::decode(Bytes::from_bytes_vec(bytes)).map_err(|error| self.unfit(name, error))
    }

    /// Returns a value that was saved with [`StepCheckpoint::state`](crate::StepCheckpoint::state):
    /// `stop.with_state(saved.state("stop")?)`.
    ///
    /// # Errors
    ///
    /// If there is no state of that name, or if the state is not of this type.
    pub fn state<T: DeserializeOwned>(&self, name: &str) -> Result<T, CheckpointError> {
        let bytes = self.part(name, PartKind::State)?;
        serde_json::from_slice(bytes).map_err(|error| self.unfit(name, error))
    }

    /// Returns bytes that were saved with [`StepCheckpoint::bytes`](crate::StepCheckpoint::bytes):
    /// `clip.load_state(saved.bytes("clip")?)`.
    ///
    /// # Errors
    ///
    /// If there are no bytes of that name.
    pub fn bytes(&self, name: &str) -> Result<&[u8], CheckpointError> {
        self.part(name, PartKind::Bytes)
    }

    fn part(&self, name: &str, wanted: PartKind) -> Result<&[u8], CheckpointError> {
        let Some(at) = self.entries.iter().position(|entry| entry.name == name) else {
            return Err(CheckpointError::NoPart {
                path: self.path.clone(),
                name: name.to_owned(),
                has: self
                    .entries
                    .iter()
                    .map(|entry| entry.name.clone())
                    .collect(),
            });
        };
        let got = self.entries[at].kind;
        if got != wanted {
            return Err(CheckpointError::OtherKind {
                path: self.path.clone(),
                name: name.to_owned(),
                wanted,
                got,
            });
        }
        self.unread.borrow_mut()[at] = false;
        Ok(&self.parts[at])
    }

    fn unfit(&self, name: &str, error: impl Into<PartError>) -> CheckpointError {
        CheckpointError::Unfit {
            path: self.path.clone(),
            name: name.to_owned(),
            error: Box::new(error.into()),
        }
    }
}

/// Under which the schedules of `burn-tricks-schedule` record their names: `kind.Cosine`, `inner.kind.Cosine`.
const KIND: &str = "kind.";

/// The names of the schedule and of its wrappers in the bytes of a record, from the outermost on, and then the numbers.
fn numbers_of(bytes: Bytes) -> Result<Vec<String>, RecordError> {
    let reader = Reader::from_bytes(bytes)?;
    let shown = |number: &Scalar| match number {
        Scalar::Int(number) => number.to_string(),
        Scalar::UInt(number) => number.to_string(),
        Scalar::Float(number) => number.to_string(),
        Scalar::Bool(value) => value.to_string(),
    };
    let mut kinds = Vec::new();
    let mut numbers = Vec::new();
    for (name, number) in reader.scalars() {
        match name.rsplit_once(KIND) {
            Some(("", kind)) => kinds.push((0, format!("`{kind}`"))),
            Some((path, kind)) if path.ends_with('.') => {
                let path = path.trim_end_matches('.');
                kinds.push((1 + path.matches('.').count(), format!("`{path}`: `{kind}`")));
            }
            _ => numbers.push(format!("`{name}` = {}", shown(number))),
        }
    }
    kinds.sort();
    let kinds = kinds.into_iter().map(|(_, kind)| kind);
    Ok(kinds.chain(numbers).collect())
}
