//! The files of a run that can be resumed.
//!
//! The set of epoch E is `model-E.bpk`, `optim-E.bpk` and `scheduler-E.bpk`, which are Burn's checkpoints,
//! each with its checksum in a `.crc32`, and `tricks-E.state`, the state of the tricks and of what watches
//! the epochs. Burn writes each of its three on a thread of its own. A set is complete when all four are
//! there and have the checksums they were written with.

use crate::SessionError;
use crate::epoch_end::Witness;
use burn::store::ModuleRecord;
use burn::train::checkpoint::{Checkpoint, Checkpointer, CheckpointerError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

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
pub(crate) struct RunFiles {
    folder: PathBuf,
    /// Whether a file could not be written: then none is deleted any more.
    failed: Arc<AtomicBool>,
}

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
        Ok(Self {
            folder,
            failed: Arc::default(),
        })
    }

    fn record(&self, name: &str, epoch: usize) -> PathBuf {
        self.folder.join(format!("{name}-{epoch}.bpk"))
    }

    fn checksum(&self, name: &str, epoch: usize) -> PathBuf {
        self.folder.join(format!("{name}-{epoch}.crc32"))
    }

    fn state_file(&self, epoch: usize) -> PathBuf {
        self.folder.join(format!("tricks-{epoch}.state"))
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
        let written = self.try_put(path, parts);
        if written.is_err() {
            self.failed.store(true, SeqCst);
        }
        written
    }

    fn try_put(&self, path: &Path, parts: &[&[u8]]) -> std::io::Result<()> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(UNFINISHED);
        #[cfg(unix)] // as other files, less what the process's mask takes away
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = builder.tempfile_in(&self.folder)?;
        for part in parts {
            file.write_all(part)?;
        }
        file.as_file().sync_all()?;
        file.persist(path)?;
        #[cfg(unix)] // the new name, too
        std::fs::File::open(&self.folder)?.sync_all()?;
        Ok(())
    }

    /// Writes the state.
    pub(crate) fn write(&self, state: &RunState) -> std::io::Result<()> {
        let payload = postcard::to_allocvec(state).map_err(std::io::Error::other)?;
        let sum = crc32fast::hash(&payload).to_le_bytes();
        let path = self.state_file(state.epoch);
        self.put(&path, &[MAGIC, VERSION, &sum, &payload])
    }

    /// The state of an epoch, whole or what is wrong with it.
    ///
    /// # Errors
    ///
    /// If the file is there and cannot be read, or is of another version.
    pub(crate) fn state(&self, epoch: usize) -> Result<Result<RunState, String>, SessionError> {
        let path = self.state_file(epoch);
        let bytes = match whole(&path)? {
            Ok(bytes) => bytes,
            Err(problem) => return Ok(Err(problem)),
        };
        let damaged = || {
            format!(
                "{} is damaged or not a state of burn-tricks",
                path.display()
            )
        };
        let Some(rest) = bytes.strip_prefix(MAGIC) else {
            return Ok(Err(damaged()));
        };
        let Some(rest) = rest.strip_prefix(VERSION) else {
            let line = rest.iter().position(|byte| *byte == b'\n');
            let version = line.map(|end| String::from_utf8_lossy(&rest[..end]).into_owned());
            return match version {
                Some(got) => Err(SessionError::Version { path, got }),
                None => Ok(Err(damaged())),
            };
        };
        Ok(RunState::unpacked(rest, epoch).ok_or_else(damaged))
    }

    /// The model of an epoch, whole or what is wrong with it.
    pub(crate) fn model(&self, epoch: usize) -> Result<Result<ModuleRecord, String>, SessionError> {
        Ok(self.check("model", epoch)?.and_then(|()| {
            let path = self.record("model", epoch);
            let failed = |error| format!("{}: {error}", path.display());
            ModuleRecord::load(&path).map_err(failed)
        }))
    }

    /// Looks through all sets.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, if a state is of another version, or if there are sets of several epochs
    /// and none is complete: to begin anew would be to overwrite them.
    pub(crate) fn find(&self) -> Result<Found, SessionError> {
        let mut found = Found {
            newest: None,
            complete: Vec::new(),
            incomplete: Vec::new(),
        };
        for epoch in self.sets()?.into_keys() {
            let mut set = self.state(epoch)?;
            for name in RECORDS {
                let record = self.check(name, epoch)?;
                set = set.and_then(|state| record.map(|()| state));
            }
            match set {
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
                folder: self.folder.clone(),
                incomplete: found.incomplete,
            }),
            _ => Ok(found),
        }
    }

    /// Deletes what is left of the sets after the newest complete one: a new file of theirs must not meet an
    /// old one.
    pub(crate) fn clean(&self, found: &Found) -> std::io::Result<()> {
        let newest = found.newest.as_ref().map_or(0, |state| state.epoch);
        for (_, files) in self.sets()?.split_off(&(newest + 1)) {
            files.into_iter().try_for_each(remove)?;
        }
        for entry in std::fs::read_dir(&self.folder)? {
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
                sets.entry(epoch).or_default().push(path);
            }
        }
        Ok(sets)
    }

    /// Whether one of Burn's files of a set has its checksum, or what is wrong with it.
    fn check(&self, name: &str, epoch: usize) -> std::io::Result<Result<(), String>> {
        let path = self.record(name, epoch);
        let sum = whole(&self.checksum(name, epoch))?;
        let bytes = whole(&path)?;
        Ok(
            sum.and_then(|sum| match sum == crc32fast::hash(&bytes?).to_le_bytes() {
                true => Ok(()),
                false => Err(format!("{} is damaged", path.display())),
            }),
        )
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

/// All of a file, or that it is not there. Any other error is one of reading.
fn whole(path: &Path) -> std::io::Result<Result<Vec<u8>, String>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Ok(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Ok(Err(format!("{} is not there", path.display())))
        }
        Err(error) => Err(error),
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
    /// this may be the only complete set, and it is if one of them could not be written.
    fn delete(&self, epoch: usize) -> Result<(), CheckpointerError> {
        if self.files.failed.load(SeqCst) {
            return Ok(());
        }
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
        let entries = std::fs::read_dir(&files.folder).unwrap();
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
        tear(&files.record("model", 13));
        std::fs::remove_file(files.record("optim", 12)).unwrap();
        tear(&files.state_file(11));
        std::fs::write(files.record("scheduler", 10), b"").unwrap();
        std::fs::write(files.folder.join("notes-2024.txt"), b"not ours").unwrap();
        std::fs::write(files.folder.join(format!("{UNFINISHED}x")), b"").unwrap();
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
        // An older one is left alone: its model may be the best, and whole.
        std::fs::remove_file(files.record("optim", 2)).unwrap();
        let found = files.find().unwrap();
        files.clean(&found).unwrap();
        assert_eq!(files.find().unwrap().incomplete.len(), 1);
        assert!(files.model(2).unwrap().is_ok() && files.state(2).unwrap().is_ok());
        write_set(&files, 2);
        let names = names(&files);
        assert_eq!(names.len(), 3 * 7 + 1, "{names:?}");
        assert!(names.contains(&"notes-2024.txt".to_owned()));
        assert!(files.model(9).unwrap().is_ok());
        assert!(files.model(10).unwrap().is_err(), "it is deleted");
    }

    #[test]
    fn what_would_be_overwritten_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let files = RunFiles::new(directory.path()).unwrap();
        // A first epoch that was not saved whole is trained again.
        write_set(&files, 1);
        tear(&files.record("model", 1));
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
        write_set(&files, 3);
        assert_eq!(files.state(3).unwrap(), Ok(state(3)));
        let path = files.state_file(3);
        std::fs::copy(&path, files.state_file(4)).unwrap();
        assert!(files.state(4).unwrap().unwrap_err().contains("is damaged"));
        flip(&path);
        assert!(files.state(3).unwrap().unwrap_err().contains("is damaged"));
        flip(&files.record("model", 3));
        assert!(files.model(3).unwrap().is_err());
        assert!(
            files
                .state(5)
                .unwrap()
                .unwrap_err()
                .contains("is not there")
        );
    }

    #[test]
    fn what_cannot_be_read_is_not_incomplete() {
        let directory = tempfile::tempdir().unwrap();
        let files = RunFiles::new(directory.path()).unwrap();
        write_set(&files, 1);
        write_set(&files, 2);
        // A folder in its place is there and cannot be read, by whatever user.
        let path = files.record("optim", 2);
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(matches!(files.find(), Err(SessionError::Io(_))));
    }

    #[test]
    fn nothing_is_deleted_after_a_file_could_not_be_written() {
        let directory = tempfile::tempdir().unwrap();
        let files = RunFiles::new(directory.path()).unwrap();
        write_set(&files, 1);
        let blocked = files.record("optim", 2);
        std::fs::create_dir_all(blocked.join("not empty")).unwrap();
        let record = AdamConfig::new().init().to_record();
        assert!(files.checkpointer("optim").save(2, record).is_err());
        for name in RECORDS {
            Checkpointer::<ModuleRecord>::delete(&files.checkpointer(name), 1).unwrap();
        }
        std::fs::remove_dir_all(blocked).unwrap();
        assert_eq!(files.find().unwrap().complete, [1]);
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
