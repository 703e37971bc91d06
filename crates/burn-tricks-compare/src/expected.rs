//! The results that a worker was asked for, as they come in.

use crate::{run::RunResult, run_error::RunErrorKind};

/// The results that a worker was asked for, as they come in.
#[derive(Debug)]
pub(crate) struct Expected {
    label: String,
    /// In the order asked for, whatever the order they come in.
    results: Vec<(u64, Option<RunResult>)>,
}

impl Expected {
    pub(crate) fn new(label: &str, seeds: &[u64]) -> Self {
        Self {
            label: label.to_owned(),
            results: seeds.iter().map(|&seed| (seed, None)).collect(),
        }
    }

    /// Takes a line of the worker's standard output; whether it was a result.
    pub(crate) fn take(&mut self, line: &str) -> Result<bool, RunErrorKind> {
        let Some(run) = RunResult::from_line(line) else {
            return Ok(false);
        };
        let run = run.map_err(|error| RunErrorKind::UnreadableResult {
            line: line.to_owned(),
            error,
        })?;
        let slot = self
            .results
            .iter_mut()
            .find(|(seed, result)| *seed == run.seed && result.is_none())
            .filter(|_| run.variant == self.label);
        match slot {
            Some((_, result)) => {
                *result = Some(run);
                Ok(true)
            }
            None => Err(RunErrorKind::UnexpectedResult {
                variant: run.variant,
                seed: run.seed,
            }),
        }
    }

    /// All results, once the worker has ended.
    pub(crate) fn finish(self) -> Result<Vec<RunResult>, RunErrorKind> {
        let missing = |(seed, result): &(u64, Option<_>)| result.is_none().then_some(*seed);
        let missing: Vec<u64> = self.results.iter().filter_map(missing).collect();
        if missing.is_empty() {
            Ok(self
                .results
                .into_iter()
                .filter_map(|(_, run)| run)
                .collect())
        } else {
            Err(RunErrorKind::MissingResults(missing))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(variant: &str, seed: u64) -> String {
        RunResult::sample(variant, seed, 0.9).to_line().unwrap()
    }

    #[test]
    fn results_are_returned_in_the_order_asked_for() {
        let mut expected = Expected::new("ema", &[3, 1]);
        assert!(expected.take(&line("ema", 1)).unwrap());
        assert!(!expected.take("epoch 1").unwrap());
        assert!(expected.take(&line("ema", 3)).unwrap());
        let seeds: Vec<u64> = expected.finish().unwrap().iter().map(|r| r.seed).collect();
        assert_eq!(seeds, [3, 1]);
    }

    #[test]
    fn only_what_was_asked_for_is_taken_and_only_once() {
        let mut expected = Expected::new("ema", &[3, 1]);
        expected.take(&line("ema", 1)).unwrap();
        for (variant, seed) in [("ema", 1), ("ema", 2), ("sgd", 3)] {
            let error = expected.take(&line(variant, seed)).unwrap_err();
            let quoted = format!("{variant:?} with seed {seed}");
            assert!(error.to_string().contains(&quoted), "{error}");
        }
        let error = expected.finish().unwrap_err();
        assert_eq!(error.to_string(), "gave no result for seed 3");
    }

    #[test]
    fn an_unreadable_result_is_quoted() {
        let error = Expected::new("ema", &[1])
            .take("burn-tricks-run {\"variant\":7}")
            .unwrap_err();
        assert!(error.to_string().contains(r#"{\"variant\":7}"#), "{error}");
    }
}
