//! Running jobs in worker processes, some at a time.

use std::{
    env, io,
    num::NonZeroUsize,
    process::Command,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

use crate::{
    outcome::run::TrainingRun,
    runner::{
        expected::{Expected, Results},
        failure::Failure,
        progress::Progress,
        worker::{Event, Worker},
    },
};

/// A worker process to run, and the results it is to print with [`TrainingRun::emit`].
#[derive(Debug)]
pub struct Job {
    /// The variant whose runs it makes.
    pub label: String,
    /// The seeds of these runs, in the order in which it makes them.
    pub seeds: Vec<u64>,
    /// How to start it; for one of this executable, see [`worker_command`].
    pub command: Command,
}

/// What became of jobs, ordered by job and then by seed as given, whatever the order in which they
/// ended.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobResults {
    /// The runs that ended, those that failed among them.
    pub runs: Vec<TrainingRun>,
    /// The variant and seed of each run that was stopped, or not started, because another failed or
    /// because the [flag](Runner::with_stop) was raised.
    pub stopped: Vec<(String, u64)>,
    /// The variant and seed of each run that a worker did not come to, because it failed in an earlier run of the
    /// same job. They are neither finished nor failed: run them in another job.
    pub not_begun: Vec<(String, u64)>,
}

/// Runs jobs in worker processes, some at a time.
///
/// A worker prints one line on standard output for each run, with [`TrainingRun::emit`]. What else it prints
/// there is ignored; of its standard error the last lines are kept for a
/// [`FailedRun`](crate::FailedRun). Its standard input is empty.
#[derive(Debug, Clone)]
pub struct Runner {
    parallel: NonZeroUsize,
    fail_fast: bool,
    progress: bool,
    headline: String,
    stop: Option<Arc<AtomicBool>>,
}

impl Runner {
    /// A runner that has up to `parallel` workers running at once.
    pub fn new(parallel: NonZeroUsize) -> Self {
        Self {
            parallel,
            fail_fast: false,
            progress: false,
            headline: String::new(),
            stop: None,
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

    /// What stands before the progress bar, such as `12 of 40 rows closed, `.
    pub fn with_headline(mut self, headline: impl Into<String>) -> Self {
        self.headline = headline.into();
        self
    }

    /// A flag that stops everything when it is raised, as by a handler of Ctrl-C: no further jobs are
    /// started, and the workers still running are killed. Their runs are neither finished nor failed.
    ///
    /// On Unix, the workers then have process groups of their own, so that Ctrl-C reaches this process
    /// alone.
    pub fn with_stop(mut self, stop: Arc<AtomicBool>) -> Self {
        self.stop = Some(stop);
        self
    }

    /// Whether it stops at the first failure.
    pub(crate) fn fails_fast(&self) -> bool {
        self.fail_fast
    }

    /// Runs all jobs, and returns what became of every run that they were asked for.
    ///
    /// A job fails if its worker cannot be started, ends with a failure or without a result for each
    /// seed, or prints a result that cannot be read or was not asked for; in the last two cases the
    /// worker is killed. The runs of the job whose results it had printed before are kept, the first of the
    /// others, in the order of [`Job::seeds`], has failed, and those after it are
    /// [not begun](JobResults::not_begun). If none were left, the one whose result came last has failed, since
    /// its worker did not end well; if it printed two results for one run, neither counts.
    pub fn run(&self, jobs: Vec<Job>) -> JobResults {
        let ran = self.run_each(jobs, |_| Ok(()));
        ran.expect("nothing is done with a run that could fail")
    }

    /// As [`run`](Self::run), calling `ended` with each run as soon as its result is there: one at a time,
    /// in the order in which they end. If a worker fails later in a way that makes a result worthless, it
    /// is called again with the failure.
    ///
    /// # Errors
    ///
    /// The first error of `ended`. Everything is stopped then, as by [`with_stop`](Self::with_stop).
    pub fn run_each(
        &self,
        jobs: Vec<Job>,
        ended: impl FnMut(&TrainingRun) -> io::Result<()> + Send,
    ) -> io::Result<JobResults> {
        let runs = jobs.iter().map(|job| job.seeds.len()).sum();
        let threads = self.parallel.get().min(jobs.len());
        let queue = Mutex::new(jobs.into_iter().enumerate());
        let all = Mutex::new(Vec::new());
        let shared = Shared {
            runner: self,
            progress: Progress::new(runs, self.progress, &self.headline),
            ended: Mutex::new(Box::new(ended)),
            error: Mutex::new(None),
            is_over: AtomicBool::new(false),
        };

        let work_off_the_queue = || {
            while let Some((index, job)) = next(&queue) {
                let label = job.label.clone();
                let ended = shared.work(job);
                lock(&all).push((index, label, ended));
            }
        };
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(work_off_the_queue);
            }
        });

        if let Some(error) = lock(&shared.error).take() {
            return Err(error);
        }
        let mut all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
        all.sort_by_key(|(index, ..)| *index);
        let mut ran = JobResults::default();
        for (_, label, ended) in all {
            let named = |seed| (label.clone(), seed);
            ran.runs.extend(ended.runs);
            ran.stopped.extend(ended.stopped.into_iter().map(named));
            ran.not_begun.extend(ended.not_begun.into_iter().map(named));
        }
        Ok(ran)
    }
}

/// What is called with each run.
type OnEnd<'a> = Box<dyn FnMut(&TrainingRun) -> io::Result<()> + Send + 'a>;

/// What the threads of one call share.
struct Shared<'a> {
    runner: &'a Runner,
    progress: Progress,
    ended: Mutex<OnEnd<'a>>,
    error: Mutex<Option<io::Error>>,
    is_over: AtomicBool,
}

impl Shared<'_> {
    /// Runs one job.
    fn work(&self, job: Job) -> Results {
        let Job {
            label,
            seeds,
            command,
        } = job;
        let mut expected = Expected::new(label.clone(), &seeds);
        if self.is_stopped() {
            return expected.finish(Err(Failure::Stopped), "");
        }
        let _running = self.progress.start(&label);
        let own_group = self.runner.stop.is_some();
        let ended = match Worker::start(command, own_group) {
            Ok(mut worker) => {
                let outcome = self.watch(&mut worker, &mut expected);
                expected.finish(outcome, &worker.stderr_tail())
            }
            Err(error) => expected.finish(Err(Failure::Start(error)), ""),
        };
        for run in &ended.lost {
            self.has_ended(run);
        }
        ended
    }

    /// Takes what the worker prints until it ends, fails or is to stop.
    fn watch(&self, worker: &mut Worker, expected: &mut Expected) -> Result<(), Failure> {
        while !self.is_stopped() {
            match worker.next().map_err(Failure::Wait)? {
                Event::Idle => {}
                Event::Line(line) => {
                    if let Some(run) = expected.take(&line)? {
                        self.has_ended(run);
                        self.progress.run_ended();
                    }
                }
                Event::Exited(status) if status.success() => return Ok(()),
                // Not for a fault of its own.
                Event::Exited(_) if self.is_stopped() => break,
                Event::Exited(status) => return Err(Failure::Exited(status)),
            }
        }
        Err(Failure::Stopped)
    }

    fn has_ended(&self, run: &TrainingRun) {
        if run.failure.is_some() {
            self.progress.run_failed(run);
        }
        if run.failure.is_some() && self.runner.fail_fast {
            self.is_over.store(true, Relaxed);
        }
        if let Err(error) = lock(&self.ended)(run) {
            lock(&self.error).get_or_insert(error);
            self.is_over.store(true, Relaxed);
        }
    }

    fn is_stopped(&self) -> bool {
        let stop = self.runner.stop.as_ref();
        self.is_over.load(Relaxed) || stop.is_some_and(|stop| stop.load(Relaxed))
    }
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
