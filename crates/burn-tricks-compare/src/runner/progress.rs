//! The progress bar of a runner.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::outcome::run::Run;

/// Counts finished runs, and names the jobs that are running.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    running: Mutex<Vec<String>>,
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
    }

    /// Shows a failure above the bar.
    pub(crate) fn run_failed(&self, run: &Run) {
        if let Some(failure) = &run.failure {
            let Run { variant, seed, .. } = run;
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
