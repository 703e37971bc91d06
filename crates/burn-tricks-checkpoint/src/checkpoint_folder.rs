//! The folder of checkpoints: what is read, written and deleted there.

use crate::checkpoint_error::CheckpointError;
use crate::damage::Damage;
use crate::file;
use crate::lock::{Lock, LockError};
use crate::part::Entry;
use crate::saved::Saved;
use burn_tricks_core::ConfigError;
use std::path::{Path, PathBuf};

/// What a file begins with: this, and the version of what follows.
const MAGIC: &[u8] = b"burn-tricks checkpoint ";
const VERSION: &[u8] = b"1\n";

/// The folder of a run's checkpoints, one file for each step that was saved.
#[derive(Debug)]
pub(crate) struct CheckpointFolder {
    folder: PathBuf,
    keep: usize,
    /// Taken when the first is saved. From then on the files are as this value left them.
    writing: Option<Writing>,
}

#[derive(Debug)]
struct Writing {
    lock: Lock,
    /// The newest complete one.
    newest: Option<usize>,
    /// Those that are damaged.
    damaged: Vec<usize>,
}

impl CheckpointFolder {
    pub(crate) fn open(folder: &Path, keep: usize) -> Result<Self, CheckpointError> {
        ConfigError::at_least_one("keep", keep)?;
        let folder = folder.to_owned();
        std::fs::create_dir_all(&folder).map_err(|error| file::named(&folder, &error))?;
        Ok(Self {
            folder,
            keep,
            writing: None,
        })
    }

    /// The newest complete checkpoint, if there is one.
    pub(crate) fn newest(&self) -> Result<Option<Saved>, CheckpointError> {
        self.newest_of(|| files(&self.folder))
    }

    /// The newest complete one of those that `list` gives.
    fn newest_of(
        &self,
        mut list: impl FnMut() -> Result<Vec<(usize, PathBuf)>, CheckpointError>,
    ) -> Result<Option<Saved>, CheckpointError> {
        let mut listed = list()?;
        loop {
            let (mut whole, mut damaged) = (None, Vec::new());
            for (step, path) in listed.iter().rev() {
                match read(*step, path)? {
                    Found::Whole(entries, parts) => {
                        whole = Some((*step, path.clone(), entries, parts));
                        break;
                    }
                    Found::Damaged(problem) => damaged.push((*step, problem)),
                }
            }
            let is_gone =
                |(_, problem): &(usize, Damage)| matches!(problem, Damage::Missing { .. });
            if whole.is_none() || damaged.iter().any(is_gone) {
                // Another process may have saved a newer one and deleted the listed ones meanwhile.
                let now = list()?;
                if now != listed {
                    listed = now;
                    continue;
                }
            }
            if let Some((step, path, entries, parts)) = whole {
                return Ok(Some(Saved::new(step, path, entries, parts, damaged)));
            }
            if damaged.is_empty() {
                return Ok(None);
            }
            damaged.reverse();
            let folder = self.folder.clone();
            return Err(CheckpointError::NoneComplete { folder, damaged });
        }
    }

    /// Begins to write: alone, and with what there is now.
    fn begin(&self) -> Result<Writing, CheckpointError> {
        let lock = Lock::take(&self.folder.join("lock")).map_err(|error| match error {
            LockError::Held { process } => CheckpointError::InUse {
                folder: self.folder.clone(),
                process,
            },
            LockError::File(error) => error.into(),
        })?;
        file::remove_unfinished(&self.folder)?;
        let (newest, mut damaged) = match self.newest()? {
            Some(saved) => {
                let damaged: Vec<_> = saved.damaged().iter().map(|(step, _)| *step).collect();
                (Some(saved.step()), damaged)
            }
            None => (None, Vec::new()),
        };
        // Of those before, too, a damaged one is not to be kept in place of a complete one.
        let mut whole = usize::from(newest.is_some());
        for (step, path) in files(&self.folder)?.into_iter().rev() {
            if whole >= self.keep - 1 {
                break;
            }
            if newest.is_some_and(|newest| step < newest) {
                match read(step, &path) {
                    Ok(Found::Damaged(_)) => damaged.push(step),
                    _ => whole += 1,
                }
            }
        }
        Ok(Writing {
            lock,
            damaged,
            newest,
        })
    }

    /// Writes the checkpoint of `step`, and then deletes those that are not to be kept. What cannot be deleted is left to
    /// the next time: this checkpoint is saved.
    pub(crate) fn write(
        &mut self,
        step: usize,
        entries: &[Entry],
        parts: &[Vec<u8>],
    ) -> Result<(), CheckpointError> {
        if self.writing.is_none() {
            self.writing = Some(self.begin()?);
        }
        let writing = self.writing.as_mut().expect("it was just begun");
        writing.lock.check()?;
        if let Some(newest) = writing.newest
            && step <= newest
        {
            return Err(CheckpointError::NotAfter {
                folder: self.folder.clone(),
                step,
                newest,
            });
        }
        let table = serde_json::to_vec(&(step, entries)).expect("names and numbers survive JSON");
        let length = (table.len() as u64).to_le_bytes();
        let mut sum = crc32fast::Hasher::new();
        sum.update(VERSION);
        let body = || {
            [&length[..], &table]
                .into_iter()
                .chain(parts.iter().map(Vec::as_slice))
        };
        body().for_each(|bytes| sum.update(bytes));
        let sum = sum.finalize().to_le_bytes();
        let all: Vec<&[u8]> = [MAGIC, VERSION, &sum].into_iter().chain(body()).collect();

        let path = self.folder.join(format!("step-{step}.checkpoint"));
        file::write(&path, &all)?;
        writing.newest = Some(step);
        writing.damaged.retain(|damaged| *damaged != step);
        let (damaged, whole): (Vec<_>, Vec<_>) =
            (files(&self.folder).unwrap_or_default().into_iter())
                .filter(|(before, _)| *before < step)
                .partition(|(before, _)| writing.damaged.contains(before));
        let outdated = whole.into_iter().rev().skip(self.keep - 1);
        for (_, path) in damaged.into_iter().chain(outdated) {
            let _ = file::remove(&path);
        }
        Ok(())
    }
}

/// The file of each step that has one, in the order of the steps.
fn files(folder: &Path) -> Result<Vec<(usize, PathBuf)>, CheckpointError> {
    let step = |path: &PathBuf| {
        let name = path.file_name()?.to_str()?.strip_prefix("step-")?;
        name.strip_suffix(".checkpoint")?.parse().ok()
    };
    let mut files = Vec::new();
    for path in file::contents(folder)? {
        if let Some(step) = step(&path) {
            files.push((step, path));
        }
    }
    files.sort();
    files.dedup_by_key(|(step, _)| *step);
    Ok(files)
}

/// What a file of a checkpoint turns out to be.
enum Found {
    /// A checkpoint: what its parts are, and the parts.
    Whole(Vec<Entry>, Vec<Vec<u8>>),
    /// None, and why.
    Damaged(Damage),
}

fn read(step: usize, path: &Path) -> Result<Found, CheckpointError> {
    let Some(bytes) = file::read(path)? else {
        let path = path.to_owned();
        return Ok(Found::Damaged(Damage::Missing { path }));
    };
    let damaged = || {
        let path = path.to_owned();
        Found::Damaged(Damage::NotWhole { path })
    };
    let Some((version, body)) = bytes.strip_prefix(MAGIC).and_then(checked) else {
        return Ok(damaged());
    };
    if version != VERSION {
        let got = String::from_utf8_lossy(version).trim_end().to_owned();
        let path = path.to_owned();
        return Err(CheckpointError::Version { path, got });
    }
    Ok(unpacked(body, step).unwrap_or_else(damaged))
}

/// The version, a line, and what follows its checksum, if that is the sum of both.
fn checked(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = bytes.iter().position(|byte| *byte == b'\n')?;
    let (version, rest) = bytes.split_at(line + 1);
    let (expected, body) = rest.split_first_chunk::<4>()?;
    let mut sum = crc32fast::Hasher::new();
    sum.update(version);
    sum.update(body);
    (u32::from_le_bytes(*expected) == sum.finalize()).then_some((version, body))
}

/// From what follows the checksum.
fn unpacked(body: &[u8], step: usize) -> Option<Found> {
    let (length, rest) = body.split_first_chunk::<8>()?;
    let (table, mut rest) = rest.split_at_checked(u64::from_le_bytes(*length).try_into().ok()?)?;
    let (saved, entries): (usize, Vec<Entry>) = serde_json::from_slice(table).ok()?;
    let mut parts = Vec::with_capacity(entries.len());
    for entry in &entries {
        let (part, after) = rest.split_at_checked(entry.bytes.try_into().ok()?)?;
        parts.push(part.to_vec());
        rest = after;
    }
    (saved == step && rest.is_empty()).then_some(Found::Whole(entries, parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A writer that keeps fewer than before deletes the newest of the old ones first.
    #[test]
    fn a_reader_does_not_take_an_old_one_while_the_newest_are_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let open = || CheckpointFolder::open(folder.path(), 9).unwrap();
        let (reader, mut writer) = (open(), open());
        for step in 1..=3 {
            writer.write(step, &[], &[]).unwrap();
        }
        let saved = reader.newest_of(|| {
            let listed = files(folder.path())?;
            if let [.., (3, newest)] = &listed[..] {
                writer.write(4, &[], &[])?;
                file::remove(newest)?;
            }
            Ok(listed)
        });
        let saved = saved.unwrap().expect("one is complete");
        assert_eq!((saved.step(), saved.damaged()), (4, &[][..]));
    }
}
