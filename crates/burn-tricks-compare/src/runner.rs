//! Running jobs in worker processes, some at a time.

use std::{
    env, io,
    num::NonZeroUsize,
    process::Command,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

use crate::expected::Expected;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::runs::Runs;
use crate::worker::{Event, Worker};

/// A worker process to run, and the results it is to print with
/// [`RunResult::emit`](crate::RunResult::emit).
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
/// A worker prints one line on standard output for each run, with
/// [`RunResult::emit`](crate::RunResult::emit). What else it prints there is ignored; of its standard
/// error the last lines are kept for a [`FailedRun`](crate::FailedRun). Its standard input is empty.
#[derive(Debug, Clone)]
pub struct Runner {
    parallel: NonZeroUsize,
    fail_fast: bool,
    progress: bool,
}

impl Runner {
    /// A runner that has up to `parallel` workers running at once.
    pub fn new(parallel: NonZeroUsize) -> Self {
        Self {
            parallel,
            fail_fast: false,
            progress: false,
        }
    }

    /// Whether to stop at the first failure: no further jobs are started then, and the workers still
    /// running are killed. Processes that a worker started itself are not killed. The default is to
    /// run the other jobs to their end, because they do not depend on the one that failed.
    pub fn with_fail_fast(mut self, fail_fast: bool) -> Self {
        self.fail_fast = fail_fast;
        self
    }

    /// Whether to show a progress bar, and failures as they happen, on standard error while it is a
    /// terminal. The default is not to.
    pub fn with_progress(mut self, progress: bool) -> Self {
        self.progress = progress;
        self
    }

    /// Runs all jobs, and returns what became of every run that they were asked for. Both the finished
    /// and the failed ones are ordered by job and then by seed as given, whatever the order in which
    /// they ended.
    ///
    /// A job fails if its worker cannot be started, ends with a failure or without a result for each
    /// seed, or prints a result that cannot be read or was not asked for; in the last two cases the
    /// worker is killed. The runs of the job whose results it had printed before are kept, and the
    /// others have failed. If none were left, the one whose result came last has failed, since its
    /// worker did not end well; if it printed two results for one run, that run has.
    ///
    /// A job of one seed loses one run if it fails, a job of several may lose more.
    pub fn run(&self, jobs: Vec<Job>) -> Runs {
        let runs = jobs.iter().map(|job| job.seeds.len()).sum();
        let progress = Progress::new(runs, self.progress);
        let threads = self.parallel.get().min(jobs.len());
        let queue = Mutex::new(jobs.into_iter().enumerate());
        let ended = Mutex::new(Vec::new());
        let any_failed = AtomicBool::new(false);
        let stopped = || self.fail_fast && any_failed.load(Relaxed);

        let work_off_the_queue = || {
            while let Some((index, job)) = next(&queue) {
                let runs = work(job, &progress, &stopped);
                if !runs.failed.is_empty() {
                    any_failed.store(true, Relaxed);
                }
                lock(&ended).push((index, runs));
            }
        };
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(work_off_the_queue);
            }
        });

        let mut ended = ended.into_inner().unwrap_or_else(PoisonError::into_inner);
        ended.sort_by_key(|(index, _)| *index);
        let mut all = Runs::default();
        for (_, runs) in ended {
            all.finished.extend(runs.finished);
            all.failed.extend(runs.failed);
        }
        all
    }
}

/// Runs one job.
fn work(job: Job, progress: &Progress, stopped: &dyn Fn() -> bool) -> Runs {
    let Job {
        label,
        seeds,
        command,
    } = job;
    let mut expected = Expected::new(label.clone(), &seeds);
    if stopped() {
        return expected.finish(Err(Failure::Stopped), "");
    }
    let _running = progress.start(&label);
    let runs = match Worker::start(command) {
        Ok(mut worker) => {
            let outcome = watch(&mut worker, &mut expected, progress, stopped);
            expected.finish(outcome, &worker.stderr_tail())
        }
        Err(error) => expected.finish(Err(Failure::Start(error)), ""),
    };
    if !stopped() {
        runs.failed.iter().for_each(|run| progress.run_failed(run));
    }
    runs
}

/// Takes what the worker prints until it ends, fails or is to stop.
fn watch(
    worker: &mut Worker,
    expected: &mut Expected,
    progress: &Progress,
    stopped: &dyn Fn() -> bool,
) -> Result<(), Failure> {
    while !stopped() {
        match worker.next().map_err(Failure::Wait)? {
            Event::Idle => {}
            Event::Line(line) => {
                if expected.take(&line)? {
                    progress.run_finished();
                }
            }
            Event::Ended(status) if status.success() => return Ok(()),
            Event::Ended(status) => return Err(Failure::Ended(status)),
        }
    }
    Err(Failure::Stopped)
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
