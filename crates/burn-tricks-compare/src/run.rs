//! What one training run measured, and the line in which a worker reports it.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

/// What a worker's line on standard output begins with when it holds a [`RunResult`].
pub const RUN_PREFIX: &str = "burn-tricks-run ";

/// What one training run measured: one variant, one seed.
///
/// A run that diverged may hold NaN or infinite values. They are written to JSON as `null`, and
/// read back as NaN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// Name of the variant, as in its [`Recipe`](crate::Recipe).
    pub variant: String,
    /// Seed of the run. Runs of two variants with the same seed are a pair.
    pub seed: u64,
    /// Share of the test set that was classified correctly, from 0 to 1.
    #[serde(with = "crate::float")]
    pub test_accuracy: f64,
    /// Mean loss on the test set.
    #[serde(with = "crate::float")]
    pub test_loss: f64,
    /// Epochs until the validation accuracy first reached 90 %, `None` if it never did.
    pub epochs_to_90: Option<usize>,
    /// Accuracy on the training set minus accuracy on the test set.
    #[serde(with = "crate::float")]
    pub gap: f64,
    /// Mean wall-clock time of an epoch. It depends on whatever else the machine was doing.
    #[serde(with = "crate::float")]
    pub seconds_per_epoch: f64,
}

impl RunResult {
    /// Prints the result on standard output as the line a [`Runner`](crate::Runner) looks for,
    /// [`RUN_PREFIX`] and the result as JSON, and flushes it.
    ///
    /// The line must start at the beginning of a line, so end whatever was printed before.
    ///
    /// # Errors
    ///
    /// If standard output cannot be written to, as when the runner has gone.
    pub fn emit(&self) -> io::Result<()> {
        let line = self.to_line()?;
        let mut stdout = io::stdout().lock();
        stdout.write_all(line.as_bytes())?;
        stdout.flush()
    }

    pub(crate) fn to_line(&self) -> io::Result<String> {
        Ok(format!("{RUN_PREFIX}{}\n", serde_json::to_string(self)?))
    }

    /// The result in a worker's line, or `None` if the line holds something else.
    pub(crate) fn from_line(line: &str) -> Option<serde_json::Result<Self>> {
        line.strip_prefix(RUN_PREFIX).map(serde_json::from_str)
    }
}

#[cfg(test)]
impl RunResult {
    /// A run for tests, in which only these three values matter.
    pub(crate) fn sample(variant: &str, seed: u64, test_accuracy: f64) -> Self {
        Self {
            variant: variant.to_owned(),
            seed,
            test_accuracy,
            test_loss: 0.3,
            epochs_to_90: Some(4),
            gap: 0.02,
            seconds_per_epoch: 1.5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_back_as_the_result_it_was_made_of() {
        let run = RunResult {
            // Values that a float parser which is off by one unit in the last place gets wrong.
            test_loss: 1.0 / 3.0,
            seconds_per_epoch: 31.245_270_191_439_438,
            ..RunResult::sample("ema", u64::MAX, 0.1 + 0.2)
        };
        let line = run.to_line().unwrap();
        assert_eq!(line.matches('\n').count(), 1);
        assert!(line.starts_with("burn-tricks-run {\"variant\":\"ema\""));
        assert_eq!(RunResult::from_line(&line).unwrap().unwrap(), run);
    }

    #[test]
    fn a_value_that_is_not_finite_is_written_as_null_and_read_as_nan() {
        for diverged in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let run = RunResult {
                test_loss: diverged,
                ..RunResult::sample("sgd", 1, 0.1)
            };
            let line = run.to_line().unwrap();
            assert!(line.contains("\"test_loss\":null"), "{line}");
            let read = RunResult::from_line(&line).unwrap().unwrap();
            assert!(read.test_loss.is_nan());
            assert_eq!(read.test_accuracy, 0.1);
        }
    }

    #[test]
    fn a_run_that_never_reached_90_percent_reads_back() {
        let run = RunResult {
            epochs_to_90: None,
            ..RunResult::sample("sgd", 1, 0.1)
        };
        let line = run.to_line().unwrap();
        assert_eq!(RunResult::from_line(&line).unwrap().unwrap(), run);
    }

    #[test]
    fn a_missing_value_is_not_a_nan() {
        let line = RunResult::sample("sgd", 1, 0.1).to_line().unwrap();
        let line = line.replace("\"test_loss\":0.3,", "");
        let error = RunResult::from_line(&line).unwrap().unwrap_err();
        assert!(error.to_string().contains("test_loss"), "{error}");
    }

    #[test]
    fn another_line_is_not_a_result() {
        assert!(RunResult::from_line("epoch 3: accuracy 0.91").is_none());
        assert!(RunResult::from_line(" burn-tricks-run {}").is_none());
        assert!(
            RunResult::from_line("burn-tricks-run junk")
                .unwrap()
                .is_err()
        );
    }
}
