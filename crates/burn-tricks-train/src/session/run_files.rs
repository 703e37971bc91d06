//! The files of a run that can be resumed.
//!
//! The set of epoch E is `model-E.bpk`, `optim-E.bpk` and `scheduler-E.bpk`, which are Burn's checkpoints,
//! each with its checksum in a `.crc32` file, and `tricks-E.state`, the state of the tricks, the criteria and the
//! plateaus. Burn writes each of its three on a thread of its own. A set is complete when all four are there and have
//! the checksums they were written with.

use crate::session::checkpoint_fault::CheckpointFault;
use crate::session::run_description::Setup;
use crate::session::session_error::SessionError;
use burn::store::ModuleRecord;
use burn::tensor::Bytes;
use burn::train::checkpoint::Checkpoint;
use burn_tricks_checkpoint::{Damage, Lock, file};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Weak};

/// The first bytes of a state file, before the version of its format.
const MAGIC: &[u8] = b"burn-tricks state ";
/// The version of the format, which a line feed ends.
const VERSION: &str = "4";

/// Burn's part of a set.
const RECORDS: [&str; 3] = ["model", "optim", "scheduler"];

/// The state of a run that is not in Burn's checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunState {
    pub(crate) epoch: usize,
    /// The configuration of the run.
    pub(crate) setup: Setup,
    /// The steps taken, and the state of the tricks.
    pub(crate) tricks: Vec<u8>,
    /// The states of the hooks, by name.
    pub(crate) hooks: BTreeMap<String, Vec<u8>>,
    /// The record of the model as it was validated, if it has other weights than the checkpoint's.
    pub(crate) validated: Option<Vec<u8>>,
}

/// The folder of checkpoints.
#[derive(Debug, Clone)]
pub(crate) struct RunFiles {
    /// The directory of the run, in which Burn's log is by default.
    directory: PathBuf,
    folder: PathBuf,
    /// Whether a file could not be written. If so, no file is deleted any more.
    failed: Arc<AtomicBool>,
    /// The lock on the directory, as long as the run holds it.
    lock: Weak<Lock>,
}

/// The checkpoints that a run can resume from.
#[derive(Debug)]
pub(crate) struct Found {
    /// The state of the newest complete set.
    pub(crate) newest: Option<RunState>,
    /// The epochs of all complete sets, oldest first.
    pub(crate) complete: Vec<usize>,
    /// Sets that are not complete, and what is wrong with them.
    pub(crate) incomplete: Vec<(usize, CheckpointFault)>,
}

impl RunFiles {
    pub(crate) fn new(directory: &Path) -> std::io::Result<Self> {
        let folder = directory.join("checkpoint");
        std::fs::create_dir_all(&folder)?;
        Ok(Self {
            directory: directory.to_owned(),
            folder,
            failed: Arc::default(),
            lock: Weak::new(),
        })
    }

    /// The same files, of which none is written if the locked file is no longer in its place: the directory may be another
    /// run's.
    pub(crate) fn locked_by(&self, lock: &Arc<Lock>) -> Self {
        Self {
            lock: Arc::downgrade(lock),
            ..self.clone()
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn record(&self, name: &str, epoch: usize) -> PathBuf {
        self.folder.join(format!("{name}-{epoch}.bpk"))
    }

    pub(crate) fn checksum(&self, name: &str, epoch: usize) -> PathBuf {
        self.folder.join(format!("{name}-{epoch}.crc32"))
    }

    pub(crate) fn state_file(&self, epoch: usize) -> PathBuf {
        self.folder.join(format!("tricks-{epoch}.state"))
    }

    /// Whether a file could not be written.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(SeqCst)
    }

    /// Writes a file to the disk completely or not at all.
    pub(crate) fn put(&self, path: &Path, parts: &[&[u8]]) -> std::io::Result<()> {
        let checked = (self.lock.upgrade()).map_or(Ok(()), |lock| lock.check());
        let written = checked.and_then(|()| file::write(path, parts));
        if written.is_err() {
            self.failed.store(true, SeqCst);
        }
        written
    }

    /// Writes the state.
    pub(crate) fn write(&self, state: &RunState) -> std::io::Result<()> {
        let payload = postcard::to_allocvec(state).map_err(std::io::Error::other)?;
        let sum = crc32fast::hash(&payload).to_le_bytes();
        let path = self.state_file(state.epoch);
        self.put(&path, &[MAGIC, VERSION.as_bytes(), b"\n", &sum, &payload])
    }

    /// The state of an epoch.
    ///
    /// # Errors
    ///
    /// [`SessionError::Unread`] if the file is missing or damaged; another error if it is there and cannot be
    /// read, or is of another version.
    pub(crate) fn state(&self, epoch: usize) -> Result<RunState, SessionError> {
        let path = self.state_file(epoch);
        let bytes = whole(&path, epoch)?;
        let damaged = || damaged(path.clone(), epoch);
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(damaged)?;
        let end = rest.iter().position(|byte| *byte == b'\n');
        let (version, rest) = rest.split_at(end.ok_or_else(damaged)?);
        if version != VERSION.as_bytes() {
            return Err(SessionError::Version {
                path,
                got: String::from_utf8_lossy(version).into_owned(),
                expected: VERSION,
            });
        }
        let rest = &rest[1..];
        RunState::unpacked(rest, epoch).ok_or_else(damaged)
    }

    /// One of Burn's records of an epoch. It is read from the bytes whose checksum was right: one that Burn
    /// reads from the file, it reads when it uses it.
    ///
    /// # Errors
    ///
    /// [`SessionError::Unread`] if the file is missing or damaged, or no such record; another error if it is
    /// there and cannot be read.
    pub(crate) fn load<R: Checkpoint>(&self, name: &str, epoch: usize) -> Result<R, SessionError> {
        let bytes = self.whole_record(name, epoch)?;
        let record = R::checkpoint_from_bytes(Bytes::from_bytes_vec(bytes));
        record.map_err(|error| {
            let path = self.record(name, epoch);
            let fault = CheckpointFault::Record { path, error };
            SessionError::Unread { epoch, fault }
        })
    }

    /// The record of the model of an epoch as it was validated, and the file that it is in.
    ///
    /// # Errors
    ///
    /// As [`state`](Self::state).
    pub(crate) fn validated(&self, epoch: usize) -> Result<(PathBuf, ModuleRecord), SessionError> {
        let Some(bytes) = self.state(epoch)?.validated else {
            return Ok((self.record("model", epoch), self.load("model", epoch)?));
        };
        let path = self.state_file(epoch);
        match ModuleRecord::from_bytes(Bytes::from_bytes_vec(bytes)) {
            Ok(record) => Ok((path, record)),
            Err(error) => {
                let fault = CheckpointFault::Record { path, error };
                Err(SessionError::Unread { epoch, fault })
            }
        }
    }

    /// Looks through all sets.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, if a state is of another version, if there are sets of several epochs and none is
    /// complete, or if no session wrote the set of an epoch after the newest complete one: the run would delete or
    /// overwrite them. A run that was killed before the first set was complete begins anew.
    pub(crate) fn find(&self) -> Result<Found, SessionError> {
        let mut found = Found {
            newest: None,
            complete: Vec::new(),
            incomplete: Vec::new(),
        };
        let mut epochs: Vec<_> = self.files()?.into_iter().map(|(epoch, _)| epoch).collect();
        epochs.dedup();
        for epoch in epochs {
            let mut set = self.state(epoch);
            for name in RECORDS {
                let passed_over = |error: &_| matches!(error, SessionError::Unread { .. });
                match self.whole_record(name, epoch) {
                    // One of reading is graver than one for which a set is passed over.
                    Err(error) if set.is_ok() || !passed_over(&error) => set = Err(error),
                    _ => (),
                }
            }
            match set {
                Ok(state) => {
                    found.complete.push(epoch);
                    found.newest = Some(state);
                }
                Err(SessionError::Unread { fault, .. }) => found.incomplete.push((epoch, fault)),
                Err(error) => return Err(error),
            }
        }
        let newest = found.newest.as_ref().map_or(0, |state| state.epoch);
        let mut newer = (found.incomplete.iter()).filter(|(epoch, _)| *epoch > newest);
        let foreign = newer.any(|(epoch, _)| !self.is_ours(*epoch));
        let last = found.incomplete.last().map_or(0, |(epoch, _)| *epoch);
        // From the second epoch on there is always a complete set, unless something else harmed it, or the run was
        // killed at the end of the second epoch while files of the first were still being written.
        let harmed =
            found.newest.is_none() && (last > 2 || last == 2 && !self.first_is_being_written());
        if foreign || harmed {
            return Err(SessionError::NoneComplete {
                folder: self.folder.clone(),
                incomplete: found.incomplete,
            });
        }
        Ok(found)
    }

    /// Whether an epoch has a checksum or a state, which only a session writes. Of what a session leaves of a set newer
    /// than the newest complete one, the state is always there: it is written first and removed last.
    fn is_ours(&self, epoch: usize) -> bool {
        let mut checksums = RECORDS.iter().map(|name| self.checksum(name, epoch));
        self.state_file(epoch).exists() || checksums.any(|path| path.exists())
    }

    /// Whether one of Burn's threads has not yet written its file of the first epoch, and so none of the second.
    fn first_is_being_written(&self) -> bool {
        let is_written = |name: &&str| {
            let later = [self.record(name, 2), self.checksum(name, 2)];
            self.checksum(name, 1).exists() || later.iter().any(|path| path.exists())
        };
        !RECORDS.iter().all(is_written)
    }

    /// The epochs whose files stay when a run is resumed. Those that are to be deleted first come first: what is left of
    /// older sets, whose deletion was interrupted. Files without a checksum and a state are not the session's.
    pub(crate) fn saved(&self, found: &Found) -> Vec<usize> {
        let newest = found.newest.as_ref().map_or(0, |state| state.epoch);
        let incomplete = found.incomplete.iter().map(|(epoch, _)| *epoch);
        let remains = incomplete.filter(|epoch| *epoch < newest && self.is_ours(*epoch));
        remains.chain(found.complete.iter().copied()).collect()
    }

    /// Deletes the remains of sets newer than the newest complete one, so that a set never mixes old and new files.
    pub(crate) fn clean(&self, found: &Found) -> std::io::Result<()> {
        let newest = found.newest.as_ref().map_or(0, |state| state.epoch);
        for (epoch, path) in self.files()? {
            if epoch > newest {
                file::remove(&path)?;
            }
        }
        file::remove_unfinished(&self.folder)
    }

    /// All files, with their epochs, in the order of these.
    fn files(&self) -> std::io::Result<Vec<(usize, PathBuf)>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let Some((stem, ending)) = name.and_then(|name| name.split_once('.')) else {
                continue;
            };
            let Some((kind, Ok(epoch))) = stem
                .rsplit_once('-')
                .map(|(kind, epoch)| (kind, epoch.parse()))
            else {
                continue;
            };
            let ours = match ending {
                "bpk" | "crc32" => RECORDS.contains(&kind),
                "state" => kind == "tricks",
                _ => false,
            };
            if ours {
                files.push((epoch, path));
            }
        }
        files.sort();
        Ok(files)
    }

    /// One of Burn's files of a set, if it has its checksum.
    fn whole_record(&self, name: &str, epoch: usize) -> Result<Vec<u8>, SessionError> {
        let path = self.record(name, epoch);
        let sum = whole(&self.checksum(name, epoch), epoch)?;
        let bytes = whole(&path, epoch)?;
        if sum == crc32fast::hash(&bytes).to_le_bytes() {
            Ok(bytes)
        } else {
            Err(damaged(path, epoch))
        }
    }
}

impl RunState {
    /// From what follows the version.
    fn unpacked(bytes: &[u8], epoch: usize) -> Option<Self> {
        let (sum, payload) = bytes.split_first_chunk::<4>()?;
        if u32::from_le_bytes(*sum) != crc32fast::hash(payload) {
            return None;
        }
        let state: Self = postcard::from_bytes(payload).ok()?;
        (state.epoch == epoch).then_some(state)
    }
}

/// All of a file of a set. That it is not there is another error than that it cannot be read.
fn whole(path: &Path, epoch: usize) -> Result<Vec<u8>, SessionError> {
    file::read(path)?.ok_or_else(|| {
        let path = path.to_owned();
        let fault = CheckpointFault::Damage(Damage::Missing { path });
        SessionError::Unread { epoch, fault }
    })
}

fn damaged(path: PathBuf, epoch: usize) -> SessionError {
    let fault = CheckpointFault::Damage(Damage::NotWhole { path });
    SessionError::Unread { epoch, fault }
}

#[cfg(test)]
mod tests;
