//! The files of a run that can be resumed.
//!
//! The set of epoch E is `model-E.bpk`, `optim-E.bpk` and `scheduler-E.bpk`, which are Burn's checkpoints,
//! each with its checksum in a `.crc32`, and `tricks-E.state`, the state of the tricks and of what watches
//! the epochs. Burn writes each of its three on a thread of its own. A set is complete when all four are
//! there and have the checksums they were written with.

use crate::SessionError;
use crate::epoch_end::Witness;
use burn::train::checkpoint::{Checkpoint, Checkpointer, CheckpointerError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// What a state begins with: this, and the version of what follows.
const MAGIC: &[u8] = b"burn-tricks state ";
const VERSION: &[u8] = b"1\n";

/// Burn's part of a set.
const RECORDS: [&str; 3] = ["model", "optim", "scheduler"];

/// What files are called while they are written.
const UNFINISHED: &str = ".unfinished-";

/// What Burn's checkpoint does not hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunState {
    pub(crate) epoch: usize,
    pub(crate) tricks: Option<Vec<u8>>,
    pub(crate) hooks: Vec<Option<Vec<u8>>>,
}

/// The folder of checkpoints.
#[derive(Debug, Clone)]
pub(crate) struct RunFiles(PathBuf);

/// What there is to resume from.
#[derive(Debug)]
pub(crate) struct Found {
    /// The state of the newest complete set.
    pub(crate) newest: Option<RunState>,
    /// The epochs of all complete sets, oldest first.
    pub(crate) complete: Vec<usize>,
    /// Sets that are not complete, and what is wrong with them.
    pub(crate) incomplete: Vec<(usize, String)>,
}

impl RunFiles {
    pub(crate) fn new(directory: &Path) -> std::io::Result<Self> {
        let folder = directory.join("checkpoint");
        std::fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }

    pub(crate) fn model(&self, epoch: usize) -> PathBuf {
        self.record("model", epoch)
    }

    fn record(&self, name: &str, epoch: usize) -> PathBuf {
        self.0.join(format!("{name}-{epoch}.bpk"))
    }

    fn checksum(&self, name: &str, epoch: usize) -> PathBuf {
        self.0.join(format!("{name}-{epoch}.crc32"))
    }

    fn state_file(&self, epoch: usize) -> PathBuf {
        self.0.join(format!("tricks-{epoch}.state"))
    }

    /// The checkpointer of one of Burn's files.
    pub(crate) fn checkpointer(&self, name: &'static str) -> RecordFile {
        RecordFile {
            files: self.clone(),
            name,
            _witness: None,
        }
    }

    /// Writes a file so that there is either all of it, on the disk, or nothing.
    fn put(&self, path: &Path, parts: &[&[u8]]) -> std::io::Result<()> {
        let mut file = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempfile_in(&self.0)?;
        for part in parts {
            file.write_all(part)?;
        }
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    }

    /// Writes the state.
    pub(crate) fn write(&self, state: &RunState) -> std::io::Result<()> {
        let payload = postcard::to_allocvec(state).map_err(std::io::Error::other)?;
        let sum = crc32fast::hash(&payload).to_le_bytes();
        let path = self.state_file(state.epoch);
        self.put(&path, &[MAGIC, VERSION, &sum, &payload])
    }

    /// The state of an epoch, whole or why not.
    pub(crate) fn read(&self, epoch: usize) -> Result<RunState, String> {
        let path = self.state_file(epoch);
        let name = path.display();
        let bytes = std::fs::read(&path).map_err(|error| format!("{name}: {error}"))?;
        let damaged = || format!("{name} is damaged or not a state of burn-tricks");
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(damaged)?;
        let rest = rest.strip_prefix(VERSION).ok_or_else(damaged)?;
        let (sum, payload) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
        if u32::from_le_bytes(*sum) != crc32fast::hash(payload) {
            return Err(damaged());
        }
        let state: RunState =
            postcard::from_bytes(payload).map_err(|error| format!("{name}: {error}"))?;
        match state.epoch == epoch {
            true => Ok(state),
            false => Err(format!("{name} is that of epoch {}", state.epoch)),
        }
    }

    /// Looks through all sets.
    ///
    /// # Errors
    ///
    /// If a state is of another version, or if there are sets of several epochs and none is complete:
    /// to begin anew would be to overwrite them.
    pub(crate) fn find(&self) -> Result<Found, SessionError> {
        let mut found = Found {
            newest: None,
            complete: Vec::new(),
            incomplete: Vec::new(),
        };
        for epoch in self.sets()?.into_keys() {
            self.check_version(epoch)?;
            match self.check(epoch) {
                Ok(state) => {
                    found.complete.push(epoch);
                    found.newest = Some(state);
                }
                Err(problem) => found.incomplete.push((epoch, problem)),
            }
        }
        match (&found.newest, found.incomplete.last()) {
            // After the first epoch there is always a complete set, unless something else harmed it.
            (None, Some((epoch, _))) if *epoch > 1 => Err(SessionError::NoneComplete {
                folder: self.0.clone(),
                incomplete: found.incomplete,
            }),
            _ => Ok(found),
        }
    }

    /// Deletes what is left of sets that are not complete: a new file of theirs must not meet an old one.
    pub(crate) fn clean(&self, found: &Found) -> std::io::Result<()> {
        for (epoch, files) in self.sets()? {
            if !found.complete.contains(&epoch) {
                files.into_iter().try_for_each(remove)?;
            }
        }
        for entry in std::fs::read_dir(&self.0)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                remove(entry.path())?;
            }
        }
        Ok(())
    }

    /// The files of each epoch of which there is one.
    fn sets(&self) -> std::io::Result<BTreeMap<usize, Vec<PathBuf>>> {
        let mut sets: BTreeMap<usize, Vec<PathBuf>> = BTreeMap::new();
        for entry in std::fs::read_dir(&self.0)? {
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
                sets.entry(epoch).or_default().push(path);
            }
        }
        Ok(sets)
    }

    fn check_version(&self, epoch: usize) -> Result<(), SessionError> {
        let path = self.state_file(epoch);
        let bytes = std::fs::read(&path).unwrap_or_default();
        let version = bytes.strip_prefix(MAGIC).unwrap_or(VERSION);
        let version = version.split(|byte| *byte == b'\n').next();
        match version.and_then(|version| std::str::from_utf8(version).ok()) {
            Some(version) if !version.is_empty() && version != "1" => Err(SessionError::Version {
                path,
                got: version.to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// The state of a set, if it is complete.
    fn check(&self, epoch: usize) -> Result<RunState, String> {
        let state = self.read(epoch)?;
        for name in RECORDS {
            let read = |path: PathBuf| {
                std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
            };
            let sum = read(self.checksum(name, epoch))?;
            let path = self.record(name, epoch);
            if sum != crc32fast::hash(&read(path.clone())?).to_le_bytes() {
                return Err(format!("{} is damaged", path.display()));
            }
        }
        Ok(state)
    }
}

fn remove(path: PathBuf) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Writes and deletes one of Burn's files of a set.
pub(crate) struct RecordFile {
    files: RunFiles,
    name: &'static str,
    _witness: Option<Witness>,
}

impl RecordFile {
    /// With one who notes what became of the last file, which is written while the training ends.
    pub(crate) fn with_witness(mut self, witness: &Witness) -> Self {
        self._witness = Some(witness.clone());
        self
    }
}

impl<R: Checkpoint> Checkpointer<R> for RecordFile {
    fn save(&self, epoch: usize, record: R) -> Result<(), CheckpointerError> {
        let bytes = record
            .checkpoint_into_bytes()
            .map_err(CheckpointerError::Record)?;
        let sum = crc32fast::hash(&bytes).to_le_bytes();
        let record = self.files.record(self.name, epoch);
        let checksum = self.files.checksum(self.name, epoch);
        self.files
            .put(&record, &[&bytes])
            .and_then(|()| self.files.put(&checksum, &[&sum]))
            .map_err(CheckpointerError::IOError)
    }

    /// With the model goes the state. Not before: until Burn has written its files of the epoch before,
    /// this may be the only complete set.
    fn delete(&self, epoch: usize) -> Result<(), CheckpointerError> {
        let mut files = vec![
            self.files.record(self.name, epoch),
            self.files.checksum(self.name, epoch),
        ];
        if self.name == "model" {
            files.push(self.files.state_file(epoch));
        }
        files
            .into_iter()
            .try_for_each(remove)
            .map_err(CheckpointerError::IOError)
    }

    fn restore(&self, epoch: usize) -> Result<R, CheckpointerError> {
        R::load(self.files.record(self.name, epoch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::lr_scheduler::LrSchedulerRecord;
    use burn::module::Module;
    use burn::nn::LinearConfig;
    use burn::optim::AdamConfig;
    use burn::store::ModuleRecord;
    use burn::tensor::Device;

    fn state(epoch: usize) -> RunState {
        RunState {
            epoch,
            tricks: Some(vec![1, 2, 3]),
            hooks: vec![None, Some(vec![4])],
        }
    }

    fn write_set(files: &RunFiles, epoch: usize) {
        let model = LinearConfig::new(2, 2).init(&Device::flex()).into_record();
        files.checkpointer("model").save(epoch, model).unwrap();
        let optim = AdamConfig::new().init().to_record();
        files.checkpointer("optim").save(epoch, optim).unwrap();
        let schedule = LrSchedulerRecord::new().with_scalar("steps", 3u64);
        files
            .checkpointer("scheduler")
            .save(epoch, schedule)
            .unwrap();
        files.write(&state(epoch)).unwrap();
    }

    fn tear(path: &Path) {
        let bytes = std::fs::read(path).unwrap();
        std::fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
    }

    fn flip(path: &Path) {
        let mut bytes = std::fs::read(path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(path, bytes).unwrap();
    }

    fn names(files: &RunFiles) -> Vec<String> {
        let entries = std::fs::read_dir(&files.0).unwrap();
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> = entries
            .map(|entry| name(entry).into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_newest_complete_set_is_found_among_harmed_ones() {
        let directory = tempfile::tempdir().unwrap();
        let files = RunFiles::new(directory.path()).unwrap();
        assert!(files.find().unwrap().newest.is_none());
        for epoch in [1, 2, 9, 10, 11, 12, 13, 14, 15] {
            write_set(&files, epoch);
        }
        let whole = files.find().unwrap();
        assert_eq!(whole.newest, Some(state(15)), "by number, not by name");
        assert_eq!(whole.complete, [1, 2, 9, 10, 11, 12, 13, 14, 15]);

        std::fs::remove_file(files.checksum("scheduler", 15)).unwrap();
        flip(&files.record("optim", 14));
        tear(&files.model(13));
        std::fs::remove_file(files.record("optim", 12)).unwrap();
        tear(&files.state_file(11));
        std::fs::write(files.record("scheduler", 10), b"").unwrap();
        std::fs::write(files.0.join("notes-2024.txt"), b"not ours").unwrap();
        std::fs::write(files.0.join(format!("{UNFINISHED}x")), b"").unwrap();
        let found = files.find().unwrap();
        assert_eq!(found.newest, Some(state(9)));
        assert_eq!(found.complete, [1, 2, 9]);
        let incomplete: Vec<_> = found.incomplete.iter().map(|(epoch, _)| *epoch).collect();
        assert_eq!(incomplete, [10, 11, 12, 13, 14, 15]);
        assert!(found.incomplete[1].1.contains("tricks-11.state is damaged"));
        assert!(found.incomplete[4].1.contains("optim-14.bpk is damaged"));

        files.clean(&found).unwrap();
        let found = files.find().unwrap();
        assert_eq!((found.complete, found.incomplete), (vec![1, 2, 9], vec![]));
        let names = names(&files);
        assert_eq!(names.len(), 3 * 7 + 1, "{names:?}");
        assert!(names.contains(&"notes-2024.txt".to_owned()));
        ModuleRecord::load(files.model(9)).unwrap();
    }

    #[test]
    fn what_would_be_overwritten_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let files = RunFiles::new(directory.path()).unwrap();
        // A first epoch that was not saved whole is trained again.
        write_set(&files, 1);
        tear(&files.model(1));
        let found = files.find().unwrap();
        assert!(found.newest.is_none());
        assert_eq!(found.incomplete.len(), 1);
        // Two epochs, and none whole: somebody else's checkpoints, say.
        write_set(&files, 2);
        std::fs::remove_file(files.state_file(2)).unwrap();
        let error = files.find().unwrap_err();
        assert!(
            matches!(&error, SessionError::NoneComplete { incomplete, .. } if incomplete.len() == 2),
            "{error}"
        );
        assert!(error.to_string().contains("tricks-2.state"), "{error}");
        // A later version, though there is a complete set.
        write_set(&files, 2);
        let bytes = [MAGIC, b"23\n", b"whatever"].concat();
        std::fs::write(files.state_file(3), bytes).unwrap();
        let error = files.find().unwrap_err();
        assert!(
            matches!(&error, SessionError::Version { got, .. } if got == "23"),
            "{error}"
        );
        // One that is torn in front of the version is damaged.
        std::fs::write(files.state_file(3), MAGIC).unwrap();
        assert_eq!(files.find().unwrap().complete, [2]);
    }

    #[test]
    fn a_flipped_bit_and_a_renamed_file_are_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let files = RunFiles::new(directory.path()).unwrap();
        files.write(&state(3)).unwrap();
        assert_eq!(files.read(3), Ok(state(3)));
        let path = files.state_file(3);
        std::fs::copy(&path, files.state_file(4)).unwrap();
        assert!(files.read(4).unwrap_err().contains("epoch 3"));
        flip(&path);
        assert!(files.read(3).unwrap_err().contains("is damaged"));
    }

    #[test]
    fn the_state_goes_with_the_model() {
        let directory = tempfile::tempdir().unwrap();
        let files = RunFiles::new(directory.path()).unwrap();
        write_set(&files, 1);
        for (name, left) in [("optim", 5), ("scheduler", 3), ("model", 0)] {
            for _twice in 0..2 {
                Checkpointer::<ModuleRecord>::delete(&files.checkpointer(name), 1).unwrap();
            }
            assert_eq!(names(&files).len(), left, "{name}");
        }
    }
}
