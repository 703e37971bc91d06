//! What one training run measured, and the line in which a worker reports it.

use std::{
    collections::BTreeMap,
    fmt,
    io::{self, Write},
};

use serde::{Deserialize, Serialize};

use crate::outcome::examination::ExaminationFinding;

/// What a worker's line on standard output begins with when it holds a [`TrainingRun`].
pub const RUN_PREFIX: &str = "burn-tricks-run ";

/// What one training run measured: one variant, one seed.
///
/// A run that diverged may hold NaN or infinite values. They are written to JSON as `null`, and
/// read back as NaN.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingRun {
    /// Name of the variant, as in its [`Recipe`](crate::Recipe).
    pub variant: String,
    /// Seed of the run. Runs of two variants with the same seed are a pair.
    pub seed: u64,
    /// The value of each metric at the end, on the test part.
    #[serde(default)]
    pub quality: BTreeMap<String, Quality>,
    /// Whether and when it arrived at the target; `None` if there is none.
    #[serde(default)]
    pub arrival: Option<Arrival>,
    /// What it cost.
    #[serde(default)]
    pub cost: Cost,
    /// Values on the way, for the learning curves of a report.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub curve: Vec<Point>,
    /// What was found, if the training was one that is examined.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<ExaminationFinding>,
    /// Why it ended without a result, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailedRun>,
}

/// The value of a metric, and what it would be without a model.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quality {
    /// The value.
    #[serde(with = "crate::float")]
    pub value: f64,
    /// What is scored on the test part without a model: by predicting the training part's commonest
    /// class (an accuracy), its class frequencies (a loss) or its mean (an error of a regression).
    ///
    /// A run whose loss is at least 0.99 times this has failed, and a run that failed counts as this.
    /// Without it, a pair with a failed run has no difference in this metric, and then the metric no
    /// verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_model: Option<f64>,
}

/// When a run arrived at its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arrival {
    /// Optimizer steps until the target was first reached, `None` if it never was.
    pub steps: Option<u64>,
    /// Optimizer steps of the whole run, had it not been stopped early.
    pub of: u64,
}

/// What a run cost. What is not known is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Mean wall-clock time of an optimizer step. It depends on whatever else the machine was doing.
    pub seconds_per_step: Option<f64>,
    /// The largest memory in use.
    pub peak_bytes: Option<u64>,
}

/// A value of a metric on the way of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// Optimizer steps until then.
    pub step: u64,
    /// Name of the metric; it need not be one that is compared.
    pub metric: String,
    /// Its value.
    #[serde(with = "crate::float")]
    pub value: f64,
}

/// Why a run gave no result.
///
/// A run that diverged but ended is not one of these: its [`Quality`] is NaN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailedRun {
    /// What went wrong, such as `the worker ended with exit status: 101`.
    pub reason: String,
    /// The last lines, at most 20, of the worker's standard error.
    #[serde(default)]
    pub stderr: String,
}

impl TrainingRun {
    /// A run that has measured nothing yet.
    pub fn new(variant: &str, seed: u64) -> Self {
        Self {
            variant: variant.to_owned(),
            seed,
            ..Self::default()
        }
    }

    /// A run that gave no result.
    pub fn failed(variant: &str, seed: u64, reason: &str) -> Self {
        Self {
            failure: Some(FailedRun {
                reason: reason.to_owned(),
                stderr: String::new(),
            }),
            ..Self::new(variant, seed)
        }
    }

    /// The run with the value of a metric on the test part.
    pub fn with_metric(mut self, name: &str, value: f64) -> Self {
        let no_model = None;
        self.quality
            .insert(name.to_owned(), Quality { value, no_model });
        self
    }

    /// The run with the value of a metric on the test part, and [what is scored without a
    /// model](Quality::no_model).
    pub fn with_metric_and_no_model(mut self, name: &str, value: f64, no_model: f64) -> Self {
        let no_model = Some(no_model);
        self.quality
            .insert(name.to_owned(), Quality { value, no_model });
        self
    }

    /// The run with the optimizer step at which it first reached the target, of the steps of a full
    /// run.
    pub fn with_arrival(mut self, steps: Option<u64>, of: u64) -> Self {
        self.arrival = Some(Arrival { steps, of });
        self
    }

    /// The run with the mean wall-clock time of an optimizer step.
    pub fn with_seconds_per_step(mut self, seconds: f64) -> Self {
        self.cost.seconds_per_step = Some(seconds);
        self
    }

    /// The run with the largest memory in use.
    pub fn with_peak_bytes(mut self, bytes: u64) -> Self {
        self.cost.peak_bytes = Some(bytes);
        self
    }

    /// Adds a value on the way to the learning curve.
    pub fn add_point(&mut self, step: u64, metric: &str, value: f64) {
        self.curve.push(Point {
            step,
            metric: metric.to_owned(),
            value,
        });
    }

    /// Prints the run on standard output as the line a [`Runner`](crate::Runner) looks for,
    /// [`RUN_PREFIX`] and the run as JSON, and flushes it.
    ///
    /// It begins a line of its own, also after a line that was left unfinished.
    ///
    /// # Errors
    ///
    /// If standard output cannot be written to, as when the runner has gone.
    pub fn emit(&self) -> io::Result<()> {
        let line = self.to_line()?;
        let mut stdout = io::stdout().lock();
        // A runner looks for it at the beginning of a line.
        write!(stdout, "\n{line}")?;
        stdout.flush()
    }

    pub(crate) fn to_line(&self) -> io::Result<String> {
        Ok(format!("{RUN_PREFIX}{}\n", serde_json::to_string(self)?))
    }

    /// The run in a worker's line, or `None` if the line holds something else.
    pub(crate) fn from_line(line: &str) -> Option<serde_json::Result<Self>> {
        line.strip_prefix(RUN_PREFIX).map(serde_json::from_str)
    }
}

impl fmt::Display for FailedRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reason, stderr } = self;
        f.write_str(reason)?;
        if !stderr.is_empty() {
            write!(f, "\nits standard error ended with:\n{stderr}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> TrainingRun {
        let mut run = TrainingRun::new("ema", u64::MAX)
            // Values that a float parser which is off by one unit in the last place gets wrong.
            .with_metric_and_no_model("loss", 1.0 / 3.0, 2.302)
            .with_metric("accuracy", 0.1 + 0.2)
            .with_arrival(Some(120), 3300)
            .with_seconds_per_step(31.245_270_191_439_438)
            .with_peak_bytes(1 << 40);
        run.add_point(33, "validation loss", 0.5);
        run
    }

    #[test]
    fn a_line_reads_back_as_the_run_it_was_made_of() {
        let line = run().to_line().unwrap();
        assert_eq!(line.matches('\n').count(), 1);
        assert!(line.starts_with("burn-tricks-run {\"variant\":\"ema\""));
        assert_eq!(TrainingRun::from_line(&line).unwrap().unwrap(), run());
        let failed = TrainingRun::failed("ema", 3, "out of memory").with_arrival(None, 7);
        let line = failed.to_line().unwrap();
        assert_eq!(TrainingRun::from_line(&line).unwrap().unwrap(), failed);
    }

    #[test]
    fn a_value_that_is_not_finite_is_written_as_null_and_read_as_nan() {
        for diverged in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let line = run().with_metric("loss", diverged).to_line().unwrap();
            assert!(line.contains("\"loss\":{\"value\":null}"), "{line}");
            let read = TrainingRun::from_line(&line).unwrap().unwrap();
            assert!(read.quality["loss"].value.is_nan());
            assert_eq!(read.quality["accuracy"].value, 0.1 + 0.2);
        }
    }

    #[test]
    fn a_missing_or_misspelt_value_is_not_a_nan() {
        let line = run().to_line().unwrap();
        for (from, to, named) in [
            ("\"value\":", "\"valeu\":", "valeu"),
            ("\"value\":0.3333333333333333,", "", "value"),
            ("\"of\":", "\"off\":", "off"),
            ("\"cost\":", "\"costs\":", "costs"),
        ] {
            let changed = line.replace(from, to);
            assert_ne!(changed, line);
            let error = TrainingRun::from_line(&changed).unwrap().unwrap_err();
            assert!(error.to_string().contains(named), "{error}");
        }
    }

    #[test]
    fn another_line_is_not_a_run() {
        assert!(TrainingRun::from_line("epoch 3: accuracy 0.91").is_none());
        assert!(TrainingRun::from_line(" burn-tricks-run {}").is_none());
        assert!(
            TrainingRun::from_line("burn-tricks-run junk")
                .unwrap()
                .is_err()
        );
    }
}
