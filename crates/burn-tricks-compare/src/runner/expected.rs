//! The results that a worker was asked for, as they come in.

use crate::{
    outcome::run::{FailedRun, TrainingRun},
    runner::failure::Failure,
};

/// The results that a worker was asked for, as they come in.
#[derive(Debug)]
pub(crate) struct Expected {
    label: String,
    /// In the order asked for, whatever the order they come in.
    results: Vec<(u64, Option<TrainingRun>)>,
    /// Index of the result that came last.
    last: Option<usize>,
}

/// What became of the runs that a worker was asked for, each in the order asked for.
#[derive(Debug, Default)]
pub(crate) struct Results {
    /// Every run that ended, well or as a failure.
    pub(crate) runs: Vec<TrainingRun>,
    /// Those among them that failed for the worker's fault, of which nothing was reported before or
    /// what was reported does not count.
    pub(crate) lost: Vec<TrainingRun>,
    /// The seeds of the runs that were stopped.
    pub(crate) stopped: Vec<u64>,
    /// The seeds of the runs that the worker did not come to.
    pub(crate) not_begun: Vec<u64>,
}

impl Expected {
    pub(crate) fn new(label: String, seeds: &[u64]) -> Self {
        Self {
            label,
            results: seeds.iter().map(|&seed| (seed, None)).collect(),
            last: None,
        }
    }

    /// Takes a line of the worker's standard output, and returns the result if it was one.
    pub(crate) fn take(&mut self, line: &str) -> Result<Option<&TrainingRun>, Failure> {
        let Some(run) = TrainingRun::from_line(line) else {
            return Ok(None);
        };
        let run = run.map_err(|error| Failure::UnreadableResult {
            line: line.to_owned(),
            error,
        })?;
        let is_asked_for = run.variant == self.label;
        let mut slots = self.results.iter_mut();
        let slot =
            slots.position(|(seed, result)| is_asked_for && *seed == run.seed && result.is_none());
        if let Some(index) = slot {
            self.last = Some(index);
            return Ok(Some(self.results[index].1.insert(run)));
        }
        // Of two results of one run, neither is to be trusted.
        for (seed, result) in &mut self.results {
            if is_asked_for && *seed == run.seed {
                *result = None;
            }
        }
        Err(Failure::UnexpectedResult {
            variant: run.variant,
            seed: run.seed,
        })
    }

    /// The runs, once the worker has ended or failed. A failure is that of the first run without a result, since
    /// a worker makes its runs one after the other and did not come to the others, or, if there is none, of the run
    /// whose result came last.
    pub(crate) fn finish(mut self, outcome: Result<(), Failure>, stderr: &str) -> Results {
        let is_complete = self.results.iter().all(|(_, result)| result.is_some());
        let is_stopped = matches!(outcome, Err(Failure::Stopped));
        let is_at_fault = outcome.is_err() && !is_stopped;
        if let Some(last) = self.last.filter(|_| is_complete && is_at_fault) {
            self.results[last].1 = None;
        }
        let failure = FailedRun {
            reason: outcome.err().unwrap_or(Failure::NoResult).to_string(),
            stderr: stderr.to_owned(),
        };
        let mut ended = Results::default();
        for (seed, result) in self.results {
            match result {
                Some(result) => ended.runs.push(result),
                None if is_stopped => ended.stopped.push(seed),
                None if !ended.lost.is_empty() => ended.not_begun.push(seed),
                None => {
                    let lost = TrainingRun {
                        failure: Some(failure.clone()),
                        ..TrainingRun::new(&self.label, seed)
                    };
                    ended.lost.push(lost.clone());
                    ended.runs.push(lost);
                }
            }
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(variant: &str, seed: u64) -> String {
        TrainingRun::new(variant, seed)
            .with_metric("accuracy", 0.9)
            .to_line()
            .unwrap()
    }

    fn expected(seeds: &[u64]) -> Expected {
        Expected::new("ema".to_owned(), seeds)
    }

    #[test]
    fn the_first_run_without_a_result_has_failed_and_the_others_were_not_begun() {
        for outcome in [Ok(()), Err(Failure::Wait(std::io::Error::other("gone")))] {
            let mut expected = expected(&[1, 2, 3, 4]);
            expected.take(&line("ema", 1)).unwrap();
            let runs = expected.finish(outcome, "");
            assert_eq!(seeds(&runs), (vec![1], vec![2]));
            assert_eq!(runs.not_begun, [3, 4]);
        }
    }

    /// The seeds that finished, and those that failed.
    fn seeds(ended: &Results) -> (Vec<u64>, Vec<u64>) {
        let (failed, finished): (Vec<&TrainingRun>, Vec<&TrainingRun>) =
            ended.runs.iter().partition(|run| run.failure.is_some());
        let seeds = |runs: Vec<&TrainingRun>| runs.iter().map(|run| run.seed).collect();
        (seeds(finished), seeds(failed))
    }

    #[test]
    fn results_are_returned_in_the_order_asked_for() {
        let mut expected = expected(&[3, 1]);
        assert!(expected.take(&line("ema", 1)).unwrap().is_some());
        assert!(expected.take("epoch 1").unwrap().is_none());
        assert!(expected.take(&line("ema", 3)).unwrap().is_some());
        let runs = expected.finish(Ok(()), "a warning");
        assert_eq!(seeds(&runs), (vec![3, 1], vec![]));
    }

    #[test]
    fn only_what_was_asked_for_is_taken() {
        let mut expected = expected(&[3, 1]);
        expected.take(&line("ema", 1)).unwrap();
        for (variant, seed) in [("ema", 2), ("sgd", 3)] {
            let failure = expected.take(&line(variant, seed)).unwrap_err();
            let quoted = format!("{variant:?} with seed {seed}");
            assert!(failure.to_string().contains(&quoted), "{failure}");
        }
        let runs = expected.finish(Ok(()), "the end");
        assert_eq!(seeds(&runs), (vec![1], vec![3]));
        let failure = runs.lost[0].failure.as_ref().unwrap();
        assert_eq!(failure.reason, "the worker ended without a result");
        assert_eq!(failure.stderr, "the end");
    }

    #[test]
    fn of_two_results_of_one_run_neither_is_kept() {
        let mut expected = expected(&[3, 1]);
        for seed in [3, 1] {
            expected.take(&line("ema", seed)).unwrap();
        }
        let failure = expected.take(&line("ema", 3)).unwrap_err();
        let runs = expected.finish(Err(failure), "");
        assert_eq!(seeds(&runs), (vec![1], vec![3]));
    }

    #[test]
    fn a_failure_behind_the_last_result_is_that_of_the_last_run() {
        for (failure, fails) in [
            (Failure::Wait(std::io::Error::other("gone")), true),
            (Failure::Stopped, false),
        ] {
            let mut expected = expected(&[3, 1, 2]);
            for seed in [3, 2, 1] {
                expected.take(&line("ema", seed)).unwrap();
            }
            let runs = expected.finish(Err(failure), "");
            let failed = if fails { vec![1] } else { vec![] };
            assert_eq!(seeds(&runs).1, failed);
            assert!(runs.stopped.is_empty());
        }
    }

    #[test]
    fn what_was_stopped_has_not_failed() {
        let mut expected = expected(&[3, 1, 2]);
        expected.take(&line("ema", 1)).unwrap();
        let ended = expected.finish(Err(Failure::Stopped), "");
        assert_eq!(seeds(&ended), (vec![1], vec![]));
        assert_eq!(ended.stopped, [3, 2]);
    }

    #[test]
    fn an_unreadable_result_is_quoted() {
        let failure = expected(&[1])
            .take("burn-tricks-run {\"variant\":7}")
            .unwrap_err();
        assert!(failure.to_string().contains(r#"{\"variant\":7}"#));
    }
}
