//! The files of a run that can be resumed.
//!
//! Burn's checkpointers write `model-E.bpk`, `optim-E.bpk` and `scheduler-E.bpk`, each on a thread of its
//! own and each atomically; beside them stands `tricks-E.state`, the state of the tricks and of what
//! watches the epochs. A set is complete when all four can be read.

use burn::lr_scheduler::LrSchedulerRecord;
use burn::optim::OptimizerRecord;
use burn::store::ModuleRecord;
use serde::{Deserialize, Serialize};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// What a file begins with, and the version of what follows.
const MAGIC: &[u8] = b"burn-tricks state 1\n";

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

    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }

    pub(crate) fn model(&self, epoch: usize) -> PathBuf {
        self.burn_file("model", epoch)
    }

    fn burn_file(&self, name: &str, epoch: usize) -> PathBuf {
        self.0.join(format!("{name}-{epoch}.bpk"))
    }

    fn state_file(&self, epoch: usize) -> PathBuf {
        self.0.join(format!("tricks-{epoch}.state"))
    }

    /// Writes the state so that there is either all of it or nothing.
    pub(crate) fn write(&self, state: &RunState) -> std::io::Result<()> {
        let payload = postcard::to_allocvec(state).map_err(std::io::Error::other)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.0)?;
        file.write_all(MAGIC)?;
        file.write_all(&crc32fast::hash(&payload).to_le_bytes())?;
        file.write_all(&payload)?;
        file.as_file().sync_all()?;
        file.persist(self.state_file(state.epoch))?;
        Ok(())
    }

    pub(crate) fn read(&self, epoch: usize) -> Result<RunState, String> {
        let path = self.state_file(epoch);
        let name = path.display();
        let bytes = std::fs::read(&path).map_err(|error| format!("{name}: {error}"))?;
        let damaged = || format!("{name} is damaged or not a state of burn-tricks");
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(damaged)?;
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

    pub(crate) fn delete_state(&self, epoch: usize) -> std::io::Result<()> {
        match std::fs::remove_file(self.state_file(epoch)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Looks through all sets.
    pub(crate) fn find(&self) -> std::io::Result<Found> {
        let mut found = Found {
            newest: None,
            complete: Vec::new(),
            incomplete: Vec::new(),
        };
        for epoch in self.epochs()? {
            match self.check(epoch) {
                Ok(state) => {
                    found.complete.push(epoch);
                    found.newest = Some(state);
                }
                Err(problem) => found.incomplete.push((epoch, problem)),
            }
        }
        Ok(found)
    }

    /// Every epoch of which there is a file, in order.
    fn epochs(&self) -> std::io::Result<Vec<usize>> {
        let mut epochs = Vec::new();
        for entry in std::fs::read_dir(&self.0)? {
            let name = entry?.file_name();
            let stem = name.to_str().and_then(|name| name.split_once('.'));
            let epoch = stem.and_then(|(stem, _)| stem.rsplit_once('-'));
            if let Some(Ok(epoch)) = epoch.map(|(_, epoch)| epoch.parse()) {
                epochs.push(epoch);
            }
        }
        epochs.sort_unstable();
        epochs.dedup();
        Ok(epochs)
    }

    /// The state of a set, if it is complete.
    fn check(&self, epoch: usize) -> Result<RunState, String> {
        let state = self.read(epoch)?;
        let failed = |path: &Path, error: String| format!("{}: {error}", path.display());
        let path = self.model(epoch);
        ModuleRecord::load(&path).map_err(|error| failed(&path, error.to_string()))?;
        let path = self.burn_file("optim", epoch);
        OptimizerRecord::load(&path).map_err(|error| failed(&path, error.to_string()))?;
        let path = self.burn_file("scheduler", epoch);
        LrSchedulerRecord::load(&path).map_err(|error| failed(&path, error.to_string()))?;
        Ok(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Module;
    use burn::nn::LinearConfig;
    use burn::optim::AdamConfig;
    use burn::tensor::Device;

    fn state(epoch: usize) -> RunState {
        RunState {
            epoch,
            tricks: Some(vec![1, 2, 3]),
            hooks: vec![None, Some(vec![4])],
        }
    }

    fn write_set(files: &RunFiles, epoch: usize) {
        let model = LinearConfig::new(2, 2).init(&Device::flex());
        model.save_file(files.model(epoch)).unwrap();
        let optim = AdamConfig::new().init().to_record();
        optim.save(files.burn_file("optim", epoch)).unwrap();
        let schedule = LrSchedulerRecord::new().with_scalar("steps", 3u64);
        schedule.save(files.burn_file("scheduler", epoch)).unwrap();
        files.write(&state(epoch)).unwrap();
    }

    #[test]
    fn the_newest_complete_set_is_found_among_torn_and_missing_files() {
        let directory = tempfile::tempdir().unwrap();
        let files = RunFiles::new(directory.path()).unwrap();
        assert!(files.find().unwrap().newest.is_none());
        for epoch in [1, 2, 9, 10, 11, 12, 13] {
            write_set(&files, epoch);
        }
        let whole = files.find().unwrap();
        assert_eq!(whole.newest, Some(state(13)), "by number, not by name");
        assert_eq!(whole.complete, [1, 2, 9, 10, 11, 12, 13]);

        let tear = |path: PathBuf| {
            let bytes = std::fs::read(&path).unwrap();
            std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        };
        tear(files.model(13));
        std::fs::remove_file(files.burn_file("optim", 12)).unwrap();
        tear(files.state_file(11));
        std::fs::write(files.burn_file("scheduler", 10), b"").unwrap();
        let found = files.find().unwrap();
        assert_eq!(found.newest, Some(state(9)));
        assert_eq!(found.complete, [1, 2, 9]);
        let incomplete: Vec<_> = found.incomplete.iter().map(|(epoch, _)| *epoch).collect();
        assert_eq!(incomplete, [10, 11, 12, 13]);
        assert!(found.incomplete[1].1.contains("tricks-11.state is damaged"));
    }

    #[test]
    fn a_flipped_bit_and_a_renamed_file_are_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let files = RunFiles::new(directory.path()).unwrap();
        files.write(&state(3)).unwrap();
        assert_eq!(files.read(3), Ok(state(3)));
        let path = files.state_file(3);
        let mut bytes = std::fs::read(&path).unwrap();
        std::fs::copy(&path, files.state_file(4)).unwrap();
        assert!(files.read(4).unwrap_err().contains("epoch 3"));
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert!(files.read(3).unwrap_err().contains("is damaged"));
        files.delete_state(3).unwrap();
        files.delete_state(3).unwrap();
        assert!(files.read(3).is_err());
    }
}
