//! Workers that fail, and what becomes of the others.

use std::{
    fs, io,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use burn_tricks_compare::{FailedRun, RUN_PREFIX, TrainingRun};

use crate::{PROMPTLY, job, print, run, runner};

/// What became of the runs of one job.
#[derive(Debug, Default)]
struct Ended {
    finished: Vec<u64>,
    failed: Vec<(u64, FailedRun)>,
}

impl Ended {
    fn of(runs: Vec<TrainingRun>) -> Self {
        let mut ended = Self::default();
        for run in runs {
            match run.failure {
                Some(failure) => ended.failed.push((run.seed, failure)),
                None => ended.finished.push(run.seed),
            }
        }
        ended
    }

    fn failure(&self, at: usize) -> &FailedRun {
        &self.failed[at].1
    }
}

/// Runs a job of two seeds that fails among others that do not, and returns what became of it.
fn failing(script: &str) -> Ended {
    let start = Instant::now();
    let jobs = vec![
        job("sgd", &[0], &print("sgd", 0)),
        job("ema", &[3, 1], script),
        job("sgd", &[1], &print("sgd", 1)),
    ];
    let ran = run(1, jobs);
    assert!(start.elapsed() < PROMPTLY, "took {:?}", start.elapsed());
    assert_eq!(ran.stopped, []);
    assert!(
        ran.not_begun
            .iter()
            .all(|run| *run == ("ema".to_owned(), 1))
    );
    let (sgd, ema): (Vec<TrainingRun>, Vec<TrainingRun>) =
        ran.runs.into_iter().partition(|run| run.variant == "sgd");
    let others = Ended::of(sgd);
    assert_eq!(others.finished, [0, 1], "the other jobs are run");
    Ended::of(ema)
}

/// The seeds that finished, and those that failed.
fn seeds(ended: &Ended) -> (Vec<u64>, Vec<u64>) {
    let failed = ended.failed.iter().map(|(seed, _)| *seed);
    (ended.finished.clone(), failed.collect())
}

#[test]
fn the_finished_runs_of_a_worker_that_fails_are_kept() {
    let script = print("ema", 3) + "for i in $(seq 100 130); do echo \"line $i\" >&2; done; exit 3";
    let runs = failing(&script);
    assert_eq!(seeds(&runs), (vec![3], vec![1]));
    let tail: Vec<String> = (111..=130).map(|i| format!("line {i}")).collect();
    let expected = FailedRun {
        reason: "the worker ended with exit status: 3".to_owned(),
        stderr: tail.join("\n"),
    };
    assert_eq!(*runs.failure(0), expected);
    assert_eq!(
        expected.to_string(),
        format!(
            "the worker ended with exit status: 3\nits standard error ended with:\n{}",
            tail.join("\n")
        )
    );
}

#[test]
fn what_is_kept_of_standard_error_is_bounded() {
    let lines = failing("yes junk | head -c 1000000 >&2; exit 4");
    assert_eq!(seeds(&lines), (vec![], vec![3]));
    assert_eq!(lines.failure(0).stderr.lines().count(), 20);
    let one_line = failing("head -c 1000000 /dev/zero | tr '\\0' 'x' >&2; exit 4");
    assert_eq!(one_line.failure(0).stderr, "x".repeat(500));
}

#[test]
fn of_a_panic_the_message_is_kept_and_not_the_backtrace() {
    let script = "echo loading >&2\n\
                  echo \"thread 'main' (7) panicked at src/main.rs:18:38:\" >&2\n\
                  echo 'no such layer' >&2\n\
                  echo 'stack backtrace:' >&2\n\
                  for frame in $(seq 30); do echo \"  $frame: std::panicking\" >&2; done\n\
                  exit 101";
    let runs = failing(script);
    let kept = "thread 'main' (7) panicked at src/main.rs:18:38:\nno such layer";
    assert_eq!(runs.failure(0).stderr, kept);
}

#[test]
fn a_killed_worker_has_failed() {
    let runs = failing("kill -9 $$");
    assert!(runs.failure(0).reason.contains("signal: 9"), "{runs:?}");
}

#[test]
fn a_worker_that_fails_behind_its_last_result_has_failed_in_the_last_run() {
    let runs = failing(&(print("ema", 1) + &print("ema", 3) + "exit 5"));
    assert_eq!(seeds(&runs), (vec![1], vec![3]));
    assert!(
        runs.failure(0).reason.contains("exit status: 5"),
        "{runs:?}"
    );
}

#[test]
fn a_missing_result_is_a_failure() {
    let runs = failing(&print("ema", 3));
    assert_eq!(seeds(&runs), (vec![3], vec![1]));
    assert_eq!(runs.failure(0).reason, "the worker ended without a result");
}

#[test]
fn another_seed_or_variant_is_a_failure_at_once() {
    for (variant, seed) in [("ema", 2), ("sgd", 3)] {
        let runs = failing(&(print(variant, seed) + "exec sleep 60"));
        assert_eq!(seeds(&runs), (vec![], vec![3]));
        let reason = &runs.failure(0).reason;
        let message = format!("not asked for, of {variant:?} with seed {seed}");
        assert!(reason.contains(&message), "{reason}");
    }
    let twice = failing(&(print("ema", 3) + &print("ema", 3) + "exec sleep 60"));
    assert_eq!(seeds(&twice), (vec![], vec![3]));
}

#[test]
fn an_unreadable_result_is_a_failure_at_once() {
    let script = format!("echo '{RUN_PREFIX}not json'\nexec sleep 60");
    let runs = failing(&(print("ema", 3) + &script));
    assert_eq!(seeds(&runs), (vec![3], vec![1]));
    let reason = &runs.failure(0).reason;
    assert!(
        reason.contains("cannot be read") && reason.contains("not json"),
        "{reason}"
    );
}

#[test]
fn a_worker_that_cannot_be_started_has_failed() {
    let mut absent = job("ema", &[3], "");
    absent.command = Command::new("/no/such/program");
    let runs = Ended::of(run(1, vec![absent, job("sgd", &[0], &print("sgd", 0))]).runs);
    assert_eq!(seeds(&runs), (vec![0], vec![3]));
    let reason = &runs.failure(0).reason;
    assert!(reason.contains("could not be started"), "{reason}");
}

#[test]
fn a_worker_may_report_a_failure_of_its_own() {
    let run = TrainingRun::failed("ema", 3, "the loss is NaN at step 12");
    let line = format!(
        "echo '{RUN_PREFIX}{}'\n",
        serde_json::to_string(&run).unwrap()
    );
    let runs = failing(&(line + &print("ema", 1)));
    assert_eq!(seeds(&runs), (vec![1], vec![3]));
    assert_eq!(runs.failure(0).reason, "the loss is NaN at step 12");
}

#[test]
fn failing_fast_starts_no_more_jobs_and_keeps_what_has_finished() {
    let folder = tempfile::tempdir().unwrap();
    let mut later = job(
        "later",
        &[0],
        &("touch started\n".to_owned() + &print("later", 0)),
    );
    later.command.current_dir(folder.path());
    let jobs = vec![
        job("sgd", &[0], &print("sgd", 0)),
        job("ema", &[0], "exit 1"),
        later,
    ];
    let ran = runner(1).with_fail_fast(true).run(jobs);
    assert!(!folder.path().join("started").exists());
    let variants: Vec<_> = ran.runs.iter().map(|run| &*run.variant).collect();
    assert_eq!(variants, ["sgd", "ema"]);
    let failure = ran.runs[1].failure.as_ref().unwrap();
    assert_eq!(failure.reason, "the worker ended with exit status: 1");
    assert_eq!(ran.stopped, [("later".to_owned(), 0)]);
}

/// Runs a worker that sleeps, and another that prints `second` once the first runs; returns whether the
/// sleeper lives on.
fn sleeps_on(second: &str, run: impl FnOnce(Vec<burn_tricks_compare::Job>)) -> bool {
    // The sleeper replaces its shell, so it has the number that the shell has written.
    let folder = tempfile::tempdir().unwrap();
    let mut sleeper = job(
        "sleeper",
        &[0],
        "echo $$ > number.part; mv number.part number; exec sleep 60",
    );
    sleeper.command.current_dir(folder.path());
    let waits = "while [ ! -e number ]; do sleep 0.02; done\n".to_owned();
    let mut ema = job("ema", &[0], &(waits + second));
    ema.command.current_dir(folder.path());
    let start = Instant::now();
    run(vec![sleeper, ema]);
    assert!(start.elapsed() < PROMPTLY, "took {:?}", start.elapsed());
    let number = fs::read_to_string(folder.path().join("number")).unwrap();
    let mut probe = Command::new("sh");
    probe.args(["-c", &format!("kill -0 {} 2> /dev/null", number.trim())]);
    probe.status().unwrap().success()
}

#[test]
fn failing_fast_kills_the_workers_still_running() {
    let lives = sleeps_on("exit 1", |jobs| {
        let ran = runner(2).with_fail_fast(true).run(jobs);
        assert_eq!(ran.runs.len(), 1);
        assert!(ran.runs[0].failure.is_some());
        assert_eq!(ran.stopped, [("sleeper".to_owned(), 0)]);
    });
    assert!(!lives, "the sleeper still runs");
}

#[test]
fn a_raised_flag_stops_everything_and_nothing_has_failed() {
    let lives = sleeps_on(&print("ema", 0), |jobs| {
        let stop = Arc::new(AtomicBool::new(false));
        let runner = runner(2).with_stop(stop.clone());
        let ended = |_: &TrainingRun| {
            stop.store(true, Relaxed);
            Ok(())
        };
        let ran = runner.run_each(jobs, ended).unwrap();
        assert_eq!(Ended::of(ran.runs).finished, [0]);
        assert_eq!(ran.stopped, [("sleeper".to_owned(), 0)]);
    });
    assert!(!lives, "the sleeper still runs");
}

#[test]
fn a_run_that_cannot_be_kept_stops_everything() {
    let lives = sleeps_on(&print("ema", 0), |jobs| {
        let error = runner(2).run_each(jobs, |_| Err(io::Error::other("the disk is full")));
        assert_eq!(error.unwrap_err().to_string(), "the disk is full");
    });
    assert!(!lives, "the sleeper still runs");
}

#[test]
fn each_run_is_told_once_and_again_if_it_turns_out_worthless() {
    let mut told = Vec::new();
    let script = print("ema", 3) + &print("ema", 1) + "exit 5";
    let jobs = vec![job("ema", &[3, 1], &script)];
    let tell = |run: &TrainingRun| {
        told.push((run.seed, run.failure.is_some()));
        Ok(())
    };
    let ran = runner(1).run_each(jobs, tell).unwrap();
    assert_eq!(told, [(3, false), (1, false), (1, true)]);
    assert_eq!(seeds(&Ended::of(ran.runs)), (vec![3], vec![1]));
}

#[test]
fn results_that_are_kept_slowly_are_kept_after_the_worker_has_ended() {
    let all: Vec<u64> = (0..30).collect();
    let script: String = all.iter().map(|seed| print("ema", *seed)).collect();
    let keep = |_: &TrainingRun| {
        thread::sleep(Duration::from_millis(100));
        Ok(())
    };
    let jobs = vec![job("ema", &all, &script)];
    let ran = runner(1).run_each(jobs, keep).unwrap();
    assert_eq!(Ended::of(ran.runs).finished, all);
}
