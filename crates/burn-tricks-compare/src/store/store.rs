//! Runs on disk, one line each.

use std::{
    collections::HashMap,
    fmt,
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::{
    outcome::{recipe::Recipe, run::TrainingRun},
    store::{
        key::key,
        lines::{Line, Lines, UnreadableLine},
    },
};

/// Runs on disk: one JSON line for each, written through to the disk before the next run counts.
///
/// Whatever stops the process, the runs whose lines are whole are kept. Each line has a key, a hash of
/// the recipe's name and settings and of a *context*, which names all else that a run depends on, such as
/// the data, the number of epochs and the version of the program. A run of another key is another run:
/// it stays in the file, and is not used.
///
/// If there are several lines of one run, the last counts.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    file: File,
    /// The keys of the recipes, by name.
    keys: HashMap<String, String>,
    /// The runs of these keys, in the order of their first lines.
    runs: Vec<TrainingRun>,
    places: HashMap<(String, u64), usize>,
    others: usize,
    unreadable: Vec<UnreadableLine>,
}

impl Store {
    /// Opens the file, or makes it, for the runs of these recipes in that context.
    ///
    /// A last line that breaks off is cut off; it and other lines that cannot be read are
    /// [`unreadable`](Self::unreadable), and their runs are made again.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or written, holds something other than runs, or another process has it open as
    /// a store.
    pub fn open(path: &Path, recipes: &[Recipe], context: &Value) -> Result<Self, StoreError> {
        let failed = |error| StoreError {
            path: path.to_owned(),
            error,
        };
        let is_new = !path.exists();
        let mut file = open_locked(path).map_err(failed)?;
        // Of this handle: some systems let no other one read a locked file.
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let lines = Lines::of(&bytes).map_err(failed)?;
        let mut store = Self {
            path: path.to_owned(),
            file,
            keys: recipes
                .iter()
                .map(|recipe| (recipe.name.clone(), key(recipe, context)))
                .collect(),
            runs: Vec::new(),
            places: HashMap::new(),
            others: 0,
            unreadable: lines.unreadable,
        };
        for line in lines.read {
            if store.keys.get(&line.run.variant) == Some(&line.key) {
                store.keep(line.run)
            } else {
                store.others += 1
            }
        }
        store.file.set_len(lines.sound_length).map_err(failed)?;
        store.file.seek(SeekFrom::End(0)).map_err(failed)?;
        if lines.needs_newline {
            store.file.write_all(b"\n").map_err(failed)?;
        }
        store.file.sync_all().map_err(failed)?;
        if is_new {
            sync_folder(path).map_err(failed)?;
        }
        Ok(store)
    }

    /// The runs of the recipes and the context with which it was opened.
    pub fn runs(&self) -> &[TrainingRun] {
        &self.runs
    }

    /// The lines that could not be read.
    pub fn unreadable(&self) -> &[UnreadableLine] {
        &self.unreadable
    }

    /// The number of lines of other recipes, settings or contexts.
    pub fn others(&self) -> usize {
        self.others
    }

    /// Writes a run through to the disk. It takes the place of a run of the same variant and seed.
    ///
    /// # Errors
    ///
    /// If it cannot be written, or is of none of the recipes with which the store was opened.
    pub fn append(&mut self, run: &TrainingRun) -> io::Result<()> {
        let Some(key) = self.keys.get(&run.variant) else {
            let message = format!("the store is not for runs of {:?}", run.variant);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        };
        let line = Line {
            key: key.clone(),
            run: run.clone(),
        };
        let written = self
            .file
            .write_all(&line.to_bytes()?)
            .and_then(|()| self.file.sync_data());
        written.map_err(|error| {
            let message = format!("cannot write `{}`: {error}", self.path.display());
            io::Error::new(error.kind(), message)
        })?;
        self.keep(line.run);
        Ok(())
    }

    /// Takes the runs that failed out of those that count, so that they are made again. Their lines stay
    /// in the file until the new ones follow.
    pub fn forget_failed(&mut self) {
        self.runs.retain(|run| run.failure.is_none());
        let identity = |run: &TrainingRun| (run.variant.clone(), run.seed);
        self.places = self.runs.iter().map(identity).zip(0..).collect();
    }

    fn keep(&mut self, run: TrainingRun) {
        let identity = (run.variant.clone(), run.seed);
        match self.places.get(&identity) {
            Some(&place) => self.runs[place] = run,
            None => {
                self.places.insert(identity, self.runs.len());
                self.runs.push(run);
            }
        }
    }
}

/// The file of that path, locked.
fn open_locked(path: &Path) -> io::Result<File> {
    loop {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(path)?;
        lock(&file)?;
        if is_still(&file, path)? {
            return Ok(file);
        }
    }
}

/// Whether the path still leads to the file, and not to one that was put in its place before the lock was free.
fn is_still(file: &File, path: &Path) -> io::Result<bool> {
    #[cfg(unix)]
    {
        use std::{fs, os::unix::fs::MetadataExt as _};
        let place = |of: fs::Metadata| (of.dev(), of.ino());
        match fs::metadata(path) {
            Ok(now) => Ok(place(now) == place(file.metadata()?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
    #[cfg(not(unix))]
    {
        let _ = (file, path);
        Ok(true)
    }
}

/// Waits a moment for another process: a worker that is being started has the files of this one for an
/// instant.
pub(crate) fn lock(file: &File) -> io::Result<()> {
    let mut patience = 25;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if patience > 0 => {
                patience -= 1;
                thread::sleep(Duration::from_millis(20));
            }
            Err(TryLockError::WouldBlock) => {
                let busy = "another process is using it";
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, busy));
            }
            // Some network file systems know no locks.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                return Ok(());
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Writes the entry of a new file in its folder through to the disk.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    // Only Unix opens a folder as a file.
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        File::open(folder)?.sync_all()?;
    }
    let _ = path;
    Ok(())
}

/// A file of a store that cannot be used.
pub struct StoreError {
    pub(crate) path: PathBuf,
    pub(crate) error: io::Error,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, error } = self;
        write!(f, "cannot use `{}` for runs: {error}", path.display())
    }
}

as_displayed!(StoreError);

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}
