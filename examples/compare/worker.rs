//! A process that makes runs of one recipe.

use crate::MEMORY;
use burn_tricks::compare::{Job, worker_command};
use burn_tricks_examples::data::Source;
use burn_tricks_examples::device::Backend;
use burn_tricks_examples::{idx, recipes, trainer};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

/// So that the results do not depend on the machine or on the number of workers.
const WORKER_THREADS: usize = 1;

/// What one process does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) variant: String,
    pub(crate) seeds: Vec<u64>,
    pub(crate) epochs: usize,
    pub(crate) device: Backend,
    pub(crate) data: Option<PathBuf>,
}

/// This program, started with a task.
pub(crate) fn job(task: Task) -> io::Result<Job> {
    let mut command = worker_command(Some(WORKER_THREADS))?;
    command.arg("--worker").arg(serde_json::to_string(&task)?);
    Ok(Job {
        label: task.variant,
        seeds: task.seeds,
        command,
    })
}

/// The samples of a folder, or the digits.
pub(crate) fn source(data: Option<&Path>) -> Result<Source, Box<dyn Error>> {
    match data {
        Some(folder) => Ok(idx::read_folder(folder)?),
        None => Ok(Source::digits()),
    }
}

/// Does a task, and prints its runs.
pub(crate) fn work(task: &str) -> Result<(), Box<dyn Error>> {
    // The backends on the CPU compute on Rayon's threads, and how many there are changes how sums are
    // rounded.
    let threads = rayon::current_num_threads();
    if threads != WORKER_THREADS {
        return Err(format!("a worker runs on {WORKER_THREADS} thread, not on {threads}").into());
    }
    let task: Task = serde_json::from_str(task)?;
    let recipe = recipes::find(&task.variant).ok_or("no such variant")?;
    let (source, device) = (source(task.data.as_deref())?, task.device.device()?);
    for seed in task.seeds {
        MEMORY.reset_peak_usage();
        let mut run = trainer::run(recipe, seed, task.epochs, &source, &device)?;
        if !task.device.is_gpu() {
            run = run.with_peak_bytes(MEMORY.peak_usage() as u64);
        }
        run.emit()?;
    }
    Ok(())
}
