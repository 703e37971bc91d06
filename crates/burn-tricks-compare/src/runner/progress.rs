//! The progress bar of a runner.

use std::{
    io::{IsTerminal as _, stderr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::outcome::run::TrainingRun;

/// When to tell how long it will take, where there is no terminal for a bar.
const ESTIMATE_AFTER: Duration = Duration::from_secs(20);

/// Counts finished runs, and names the jobs that are running.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    running: Mutex<Vec<String>>,
    start: Instant,
    /// Whether an estimate is still to be told.
    estimates: Mutex<bool>,
}

impl Progress {
    /// A bar on standard error, which stays hidden if that is not a terminal.
    pub(crate) fn new(runs: usize, visible: bool, headline: &str) -> Self {
        let bar = if visible {
            let style = ProgressStyle::with_template(
                "{prefix}{elapsed_precise} [{bar:30}] {pos}/{len} runs, {eta} left: {wide_msg}",
            )
            .expect("the template is valid")
            .progress_chars("=> ");
            let bar = ProgressBar::new(runs as u64)
                .with_style(style)
                .with_prefix(headline.to_owned());
            // A run can take minutes: the clock goes on between two of them.
            bar.enable_steady_tick(Duration::from_secs(1));
            bar
        } else {
            ProgressBar::hidden()
        };
        Self {
            bar,
            running: Mutex::default(),
            start: Instant::now(),
            estimates: Mutex::new(visible && !stderr().is_terminal()),
        }
    }

    /// Names a job as running until the returned value is dropped.
    pub(crate) fn start<'a>(&'a self, label: &'a str) -> Running<'a> {
        self.change(|running| running.push(label.to_owned()));
        Running {
            progress: self,
            label,
        }
    }

    pub(crate) fn run_ended(&self) {
        self.bar.inc(1);
        let elapsed = self.start.elapsed();
        let mut estimates = self
            .estimates
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (done, all) = (self.bar.position(), self.bar.length().unwrap_or(0));
        if *estimates && elapsed >= ESTIMATE_AFTER && done < all {
            *estimates = false;
            eprintln!("{}", estimate(elapsed, done, all));
        }
    }

    /// Shows a failure above the bar.
    pub(crate) fn run_failed(&self, run: &TrainingRun) {
        if let Some(failure) = &run.failure {
            let TrainingRun { variant, seed, .. } = run;
            self.bar
                .println(format!("{variant:?} failed with seed {seed}: {failure}"));
        }
    }

    fn change(&self, change: impl FnOnce(&mut Vec<String>)) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut running);
        self.bar.set_message(running.join(", "));
    }
}

/// How long the remaining runs will take at the speed so far.
fn estimate(elapsed: Duration, done: u64, all: u64) -> String {
    let left = elapsed.mul_f64(all.saturating_sub(done) as f64 / done.max(1) as f64);
    let seconds = left.as_secs_f64().round();
    let left = if seconds < 90.0 {
        format!("{seconds} s")
    } else {
        format!("{:.0} min", seconds / 60.0)
    };
    format!(
        "{done} of {all} runs in {} s, about {left} left",
        elapsed.as_secs()
    )
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A job that is running.
#[derive(Debug)]
pub(crate) struct Running<'a> {
    progress: &'a Progress,
    label: &'a str,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.progress.change(|running| {
            if let Some(index) = running.iter().position(|label| label == self.label) {
                running.remove(index);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_goes_on_at_the_speed_so_far() {
        let after = |seconds| estimate(Duration::from_secs(seconds), 60, 616);
        assert_eq!(after(20), "60 of 616 runs in 20 s, about 3 min left");
        assert_eq!(after(9), "60 of 616 runs in 9 s, about 83 s left");
    }

    #[test]
    fn the_message_names_the_jobs_that_are_running() {
        let progress = Progress::new(2, false, "");
        let sgd = progress.start("sgd");
        let ema = progress.start("ema");
        let again = progress.start("sgd");
        assert_eq!(progress.bar.message(), "sgd, ema, sgd");
        drop(sgd);
        assert_eq!(progress.bar.message(), "ema, sgd");
        drop((ema, again));
        assert_eq!(progress.bar.message(), "");
        progress.run_ended();
        assert_eq!(progress.bar.position(), 1);
    }
}
