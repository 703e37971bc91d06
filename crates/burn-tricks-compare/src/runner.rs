//! Running jobs in worker processes, some at a time.

use std::{
    env, io,
    num::NonZeroUsize,
    process::Command,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    thread,
};

use crate::{
    expected::Expected,
    progress::Progress,
    run::RunResult,
    run_error::{RunError, RunErrorKind},
    worker::{Event, Worker},
};

/// A worker process to run, and the results it is to print with [`RunResult::emit`].
#[derive(Debug)]
pub struct Job {
    /// The variant whose runs it makes.
    pub label: String,
    /// The seeds of these runs.
    pub seeds: Vec<u64>,
    /// How to start it; for one of this executable, see [`worker_command`].
    pub command: Command,
}

/// Runs jobs in worker processes, some at a time.
///
/// A worker prints one line on standard output for each run, with [`RunResult::emit`]. What else
/// it prints there is ignored; of its standard error the last lines are kept for a [`RunError`].
/// Its standard input is empty.
#[derive(Debug, Clone)]
pub struct Runner {
    parallel: NonZeroUsize,
    progress: bool,
}

impl Runner {
    /// A runner that has up to `parallel` workers running at once.
    pub fn new(parallel: NonZeroUsize) -> Self {
        Self {
            parallel,
            progress: false,
        }
    }

    /// Whether to show a progress bar on standard error while it is a terminal. The default is
    /// not to.
    pub fn with_progress(mut self, progress: bool) -> Self {
        self.progress = progress;
        self
    }

    /// Runs all jobs and returns their results, ordered by job and then by seed as given, whatever
    /// the order in which they finished.
    ///
    /// # Errors
    ///
    /// If a worker cannot be started, fails, or does not print exactly the results it was asked
    /// for. No further jobs are started then, the workers still running are killed, and the first
    /// error is returned. Processes that a worker started itself are not killed.
    pub fn run(&self, jobs: Vec<Job>) -> Result<Vec<RunResult>, RunError> {
        let runs = jobs.iter().map(|job| job.seeds.len()).sum();
        let progress = Progress::new(runs, self.progress);
        let threads = self.parallel.get().min(jobs.len());
        let queue = Mutex::new(jobs.into_iter().enumerate());
        let results = Mutex::new(Vec::new());
        let first_error = OnceLock::new();
        let stopped = || first_error.get().is_some();

        let work_off_the_queue = || {
            while !stopped()
                && let Some((index, job)) = next(&queue)
            {
                match work(job, &progress, &stopped) {
                    Ok(runs) => lock(&results).push((index, runs)),
                    // An error that is not the first is dropped.
                    Err(error) => drop(first_error.set(error)),
                }
            }
        };
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(work_off_the_queue);
            }
        });

        if let Some(error) = first_error.into_inner() {
            return Err(error);
        }
        let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        results.sort_by_key(|(index, _)| *index);
        Ok(results.into_iter().flat_map(|(_, runs)| runs).collect())
    }
}

/// Runs one job. If stopped, the results are not complete.
fn work(
    job: Job,
    progress: &Progress,
    stopped: &dyn Fn() -> bool,
) -> Result<Vec<RunResult>, RunError> {
    let Job {
        label,
        seeds,
        command,
    } = job;
    let _running = progress.start(&label);
    let mut expected = Expected::new(&label, &seeds);
    let failure = |kind, status, stderr| RunError {
        label: label.clone(),
        seeds: seeds.clone(),
        kind,
        status,
        stderr,
    };

    let mut worker = Worker::start(command)
        .map_err(|error| failure(RunErrorKind::Start(error), None, String::new()))?;
    let (outcome, status) = loop {
        if stopped() {
            return Ok(Vec::new());
        }
        match worker.next() {
            Ok(Event::Idle) => {}
            Ok(Event::Line(line)) => match expected.take(&line) {
                Ok(true) => progress.run_finished(),
                Ok(false) => {}
                Err(kind) => break (Err(kind), None),
            },
            Ok(Event::Ended(status)) if status.success() => {
                break (expected.finish(), Some(status));
            }
            Ok(Event::Ended(status)) => break (Err(RunErrorKind::Failed), Some(status)),
            Err(error) => break (Err(RunErrorKind::Wait(error)), None),
        }
    };
    outcome.map_err(|kind| failure(kind, status, worker.stderr_tail()))
}

/// The next of the items; a function, so that the lock is released before the item is used.
fn next<I: Iterator>(items: &Mutex<I>) -> Option<I::Item> {
    lock(items).next()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A command that starts this executable once more, as a worker. Add the arguments that make it
/// one.
///
/// `device_threads`, where given, is the number of threads that [Rayon], and with it a backend
/// that computes on Rayon's threads, may use there. One thread in each worker makes the results
/// independent of how many workers run at once: how a sum is split over threads changes how it is
/// rounded.
///
/// [Rayon]: https://docs.rs/rayon
///
/// # Errors
///
/// If the path of this executable cannot be found out.
pub fn worker_command(device_threads: Option<usize>) -> io::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    if let Some(threads) = device_threads {
        command.env("RAYON_NUM_THREADS", threads.to_string());
    }
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_this_executable_with_that_many_threads() {
        let command = worker_command(Some(3)).unwrap();
        assert_eq!(command.get_program(), env::current_exe().unwrap());
        let set: Vec<_> = command.get_envs().collect();
        assert_eq!(set, [("RAYON_NUM_THREADS".as_ref(), Some("3".as_ref()))]);
        assert_eq!(worker_command(None).unwrap().get_envs().count(), 0);
    }
}
