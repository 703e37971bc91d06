//! Several stores as one.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use crate::{
    outcome::run::{Cost, TrainingRun},
    store::{
        lines::{Line, Lines, UnreadableLine},
        store::{StoreError, lock, sync_folder},
    },
};

/// What [`merge`] found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Merged {
    /// Number of runs in the merged store.
    pub runs: usize,
    /// The variant and seed of each run that two stores hold with different results, apart from times. The later
    /// result is kept. There are no such runs on a backend that computes the same numbers each time. A run that failed
    /// has no result.
    pub conflicts: Vec<(String, u64)>,
    /// The lines that could not be read, and in which file.
    pub unreadable: Vec<(PathBuf, UnreadableLine)>,
}

/// Writes the runs of several stores into one, as those of the shards of a cluster. `into` appears
/// whole or not at all. It may be one of the stores that are read.
///
/// Where a run is in several lines of one store, the last counts. Where it is in several stores, that of the last of
/// them counts, but a run that failed does not take the place of one with a result: it may have been made again since.
///
/// # Errors
///
/// If a file cannot be read or written, or holds something other than runs; if `into` exists and is not among the
/// stores that are read, or another process has it open as a store.
pub fn merge(stores: &[PathBuf], into: &Path) -> Result<Merged, StoreError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| StoreError { path, error }
    };
    if into.exists() && !stores.iter().any(|store| is_same(store, into)) {
        let message = "it exists, and is not among the stores to merge";
        let error = io::Error::new(io::ErrorKind::AlreadyExists, message);
        return Err(failed(into)(error));
    }
    // Until the new file is in its place: a process that keeps its runs in the old one would lose them.
    let mut locked = None;
    if into.exists() {
        locked = Some(lock_existing(into).map_err(failed(into))?);
    }
    let mut merged = Merged::default();
    let mut lines: Vec<Line> = Vec::new();
    let mut places: HashMap<(String, u64), usize> = HashMap::new();
    for store in stores {
        // An absent store is a mistake here.
        fs::metadata(store).map_err(failed(store))?;
        let read = match &mut locked {
            // Some systems let no other handle read a locked file.
            Some(file) if is_same(store, into) => read_from(file),
            _ => Lines::read(store),
        };
        let read = read.map_err(failed(store))?;
        let unreadable = read.unreadable.into_iter();
        merged
            .unreadable
            .extend(unreadable.map(|line| (store.clone(), line)));
        let numbered = read.read.iter().enumerate();
        let last: HashMap<(String, u64), usize> =
            numbered.map(|(at, line)| (line.identity(), at)).collect();
        for (at, line) in read.read.into_iter().enumerate() {
            if last[&line.identity()] != at {
                continue;
            }
            match places.get(&line.identity()) {
                Some(&place) => {
                    let kept = &lines[place].run;
                    match [kept, &line.run].map(|run| run.failure.is_some()) {
                        [false, true] => continue,
                        [false, false] if without_times(kept) != without_times(&line.run) => {
                            let of = (line.run.variant.clone(), line.run.seed);
                            merged.conflicts.push(of);
                        }
                        _ => {}
                    }
                    lines[place] = line;
                }
                None => {
                    places.insert(line.identity(), lines.len());
                    lines.push(line);
                }
            }
        }
    }
    merged.runs = lines.len();
    // Nor do they let an open file be replaced.
    #[cfg(not(unix))]
    drop(locked);
    write_whole(&lines, into).map_err(failed(into))?;
    Ok(merged)
}

fn lock_existing(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    lock(&file)?;
    Ok(file)
}

fn read_from(file: &mut File) -> io::Result<Lines> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Lines::of(&bytes)
}

fn is_same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// As text, so that NaN equals NaN.
fn without_times(run: &TrainingRun) -> String {
    let run = TrainingRun {
        cost: Cost::default(),
        ..run.clone()
    };
    serde_json::to_string(&run).unwrap_or_default()
}

/// Beside the file first, then in its place.
fn write_whole(lines: &[Line], into: &Path) -> io::Result<()> {
    let mut part = into.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let mut file = File::create(&part)?;
    let mut bytes = Vec::new();
    for line in lines {
        bytes.extend(line.to_bytes()?);
    }
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename(&part, into)?;
    sync_folder(into)
}
