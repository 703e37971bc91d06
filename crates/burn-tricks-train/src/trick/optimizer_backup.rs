//! The state of an optimizer, kept at the end of an epoch and put back at the end of another.
//!
//! A trick has access to the optimizer only in a step. The optimizer does not change between the last step of an
//! epoch and the first step of the next, so a request at the end of an epoch is carried out at the next step.

use burn::optim::{ModuleOptimizer, OptimizerRecord};
use burn::tensor::Bytes;
use burn_tricks_core::{StateError, state_from_bytes, state_to_bytes};
use serde::{Deserialize, Serialize};
use std::fmt::Debug;

/// Keeps an optimizer's state, and puts it back.
#[derive(Default)]
pub(crate) struct OptimizerBackup {
    kept: Option<Backup>,
    keep: bool,
    put_back: bool,
}

enum Backup {
    Optimizer(ModuleOptimizer),
    /// Of a run that is resumed.
    Record(Vec<u8>),
}

#[derive(Serialize, Deserialize)]
struct State {
    kept: Option<Vec<u8>>,
    keep: bool,
    put_back: bool,
}

impl Debug for OptimizerBackup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OptimizerBackup")
            .field("keep", &self.keep)
            .field("put_back", &self.put_back)
            .finish_non_exhaustive()
    }
}

impl OptimizerBackup {
    /// Keeps the optimizer's present state, at the beginning of the next step.
    pub(crate) fn keep_at_next_step(&mut self) {
        self.keep = true;
    }

    /// Puts the kept state back, at the beginning of the next step.
    pub(crate) fn put_back_at_next_step(&mut self) {
        self.put_back = true;
    }

    /// Carries out what was requested. Called at the beginning of a step with its optimizer.
    pub(crate) fn meet(&mut self, optimizer: &mut ModuleOptimizer) {
        if std::mem::take(&mut self.keep) {
            self.kept = Some(Backup::Optimizer(optimizer.clone()));
        }
        if !std::mem::take(&mut self.put_back) {
            return;
        }
        match &self.kept {
            Some(Backup::Optimizer(kept)) => *optimizer = kept.clone(),
            Some(Backup::Record(bytes)) => {
                let record = read(bytes).expect("it was read before");
                *optimizer = optimizer.clone().load_record(record);
            }
            None => {}
        }
    }

    /// What a resumed run needs. Waits for the device.
    pub(crate) fn state(&self) -> Vec<u8> {
        let state = State {
            kept: self.kept.as_ref().map(|kept| match kept {
                Backup::Optimizer(optimizer) => {
                    let bytes = optimizer.to_record().into_bytes();
                    bytes.expect("a record can be written to memory").to_vec()
                }
                Backup::Record(bytes) => bytes.clone(),
            }),
            keep: self.keep,
            put_back: self.put_back,
        };
        state_to_bytes(&state)
    }

    pub(crate) fn with_state(state: &[u8]) -> Result<Self, StateError> {
        let State {
            kept,
            keep,
            put_back,
        } = state_from_bytes(state)?;
        if let Some(bytes) = &kept {
            read(bytes)?;
        }
        Ok(Self {
            kept: kept.map(Backup::Record),
            keep,
            put_back,
        })
    }
}

fn read(bytes: &[u8]) -> Result<OptimizerRecord, StateError> {
    let bytes = Bytes::from_bytes_vec(bytes.to_vec());
    Ok(OptimizerRecord::from_bytes(bytes)?)
}
