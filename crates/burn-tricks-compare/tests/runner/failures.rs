//! Workers that fail, and what becomes of the others.

use std::{fs, process::Command, time::Instant};

use burn_tricks_compare::{Comparison, FailedRun, RUN_PREFIX, Recipe, Runs};

use crate::{PROMPTLY, job, print, run, runner};

/// Runs a job of two seeds that fails among others that do not, and returns what became of it.
fn failing(script: &str) -> Runs {
    let start = Instant::now();
    let jobs = vec![
        job("sgd", &[0], &print("sgd", 0)),
        job("ema", &[3, 1], script),
        job("sgd", &[1], &print("sgd", 1)),
    ];
    let mut runs = run(1, jobs);
    assert!(start.elapsed() < PROMPTLY, "took {:?}", start.elapsed());
    let others: Vec<_> = runs
        .finished
        .extract_if(.., |run| run.variant == "sgd")
        .map(|run| run.seed)
        .collect();
    assert_eq!(others, [0, 1], "the other jobs are run");
    assert!(runs.failed.iter().all(|run| run.variant == "ema"));
    runs
}

/// The seeds that finished, and those that failed.
fn seeds(runs: &Runs) -> (Vec<u64>, Vec<u64>) {
    (
        runs.finished.iter().map(|run| run.seed).collect(),
        runs.failed.iter().map(|run| run.seed).collect(),
    )
}

#[test]
fn the_finished_runs_of_a_worker_that_fails_are_kept() {
    let script = print("ema", 3) + "for i in $(seq 100 130); do echo \"line $i\" >&2; done; exit 3";
    let runs = failing(&script);
    assert_eq!(seeds(&runs), (vec![3], vec![1]));
    let tail: Vec<String> = (111..=130).map(|i| format!("line {i}")).collect();
    let expected = FailedRun {
        variant: "ema".to_owned(),
        seed: 1,
        reason: "the worker ended with exit status: 3".to_owned(),
        stderr: tail.join("\n"),
    };
    assert_eq!(runs.failed, [expected]);
    assert_eq!(
        runs.failed[0].to_string(),
        format!(
            "\"ema\" failed with seed 1: the worker ended with exit status: 3\n\
             its standard error ended with:\n{}",
            tail.join("\n")
        )
    );
}

#[test]
fn what_is_kept_of_standard_error_is_bounded() {
    let lines = failing("yes junk | head -c 1000000 >&2; exit 4");
    assert_eq!(seeds(&lines), (vec![], vec![3, 1]));
    assert_eq!(lines.failed[0].stderr.lines().count(), 20);
    let one_line = failing("head -c 1000000 /dev/zero | tr '\\0' 'x' >&2; exit 4");
    assert_eq!(one_line.failed[1].stderr, "x".repeat(500));
}

#[test]
fn a_killed_worker_has_failed() {
    let runs = failing("kill -9 $$");
    assert!(runs.failed[0].reason.contains("signal: 9"), "{runs:?}");
}

#[test]
fn a_worker_that_fails_behind_its_last_result_has_failed_in_the_last_run() {
    let runs = failing(&(print("ema", 1) + &print("ema", 3) + "exit 5"));
    assert_eq!(seeds(&runs), (vec![1], vec![3]));
    assert!(runs.failed[0].reason.contains("exit status: 5"), "{runs:?}");
}

#[test]
fn a_missing_result_is_a_failure() {
    let runs = failing(&print("ema", 3));
    assert_eq!(seeds(&runs), (vec![3], vec![1]));
    assert_eq!(runs.failed[0].reason, "the worker ended without a result");
}

#[test]
fn another_seed_or_variant_is_a_failure_at_once() {
    for (variant, seed) in [("ema", 2), ("sgd", 3)] {
        let runs = failing(&(print(variant, seed) + "exec sleep 60"));
        assert_eq!(seeds(&runs), (vec![], vec![3, 1]));
        let reason = &runs.failed[0].reason;
        let message = format!("not asked for, of {variant:?} with seed {seed}");
        assert!(reason.contains(&message), "{reason}");
    }
    let twice = failing(&(print("ema", 3) + &print("ema", 3) + "exec sleep 60"));
    assert_eq!(seeds(&twice), (vec![], vec![3, 1]));
}

#[test]
fn an_unreadable_result_is_a_failure_at_once() {
    let script = format!("echo '{RUN_PREFIX}not json'\nexec sleep 60");
    let runs = failing(&(print("ema", 3) + &script));
    assert_eq!(seeds(&runs), (vec![3], vec![1]));
    let reason = &runs.failed[0].reason;
    assert!(
        reason.contains("cannot be read") && reason.contains("not json"),
        "{reason}"
    );
}

#[test]
fn a_worker_that_cannot_be_started_has_failed() {
    let mut absent = job("ema", &[3], "");
    absent.command = Command::new("/no/such/program");
    let runs = run(1, vec![absent, job("sgd", &[0], &print("sgd", 0))]);
    assert_eq!(seeds(&runs), (vec![0], vec![3]));
    let reason = &runs.failed[0].reason;
    assert!(reason.contains("could not be started"), "{reason}");
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
    let runs = runner(1).with_fail_fast(true).run(jobs);
    assert!(!folder.path().join("started").exists());
    assert_eq!(runs.finished.len(), 1);
    assert_eq!(runs.finished[0].variant, "sgd");
    let failed: Vec<_> = runs
        .failed
        .iter()
        .map(|run| (&*run.variant, &*run.reason))
        .collect();
    assert_eq!(
        failed,
        [
            ("ema", "the worker ended with exit status: 1"),
            ("later", "not finished, because another run had failed"),
        ]
    );
}

#[test]
fn failing_fast_kills_the_workers_still_running() {
    // The sleeper replaces its shell, so it has the number that the shell has written.
    let folder = tempfile::tempdir().unwrap();
    let mut sleeper = job(
        "sleeper",
        &[0],
        "echo $$ > number.part; mv number.part number; exec sleep 60",
    );
    sleeper.command.current_dir(folder.path());
    let mut ema = job(
        "ema",
        &[0],
        "while [ ! -e number ]; do sleep 0.02; done; exit 1",
    );
    ema.command.current_dir(folder.path());
    let start = Instant::now();
    let runs = runner(2).with_fail_fast(true).run(vec![sleeper, ema]);
    assert!(start.elapsed() < PROMPTLY, "took {:?}", start.elapsed());
    let order: Vec<_> = runs.failed.iter().map(|run| &*run.variant).collect();
    assert_eq!(order, ["sleeper", "ema"]);
    assert!(
        runs.failed[0].reason.contains("not finished"),
        "{:?}",
        runs.failed
    );

    let number = fs::read_to_string(folder.path().join("number")).unwrap();
    let mut probe = Command::new("sh");
    probe.args(["-c", &format!("kill -0 {} 2> /dev/null", number.trim())]);
    assert!(!probe.status().unwrap().success(), "the sleeper still runs");
}

/// Some of it fails: what was checked before can be compared all the same.
#[test]
fn what_cannot_be_compared_is_known_before_the_runs() {
    let recipe = |name: &str, baseline: Option<&str>| Recipe {
        name: name.to_owned(),
        baseline: baseline.map(str::to_owned),
        about: String::new(),
    };
    let jobs = |labels: [&str; 2], seeds: [&[u64]; 2]| {
        let scripts = [print(labels[0], 1), "exit 3".to_owned()];
        let of = |at: usize| job(labels[at], seeds[at], &scripts[at]);
        vec![of(0), of(1)]
    };
    let recipes = [recipe("sgd", None), recipe("ema", Some("sgd"))];
    let good = || jobs(["sgd", "ema"], [&[1, 2], &[1, 2]]);
    assert_eq!(Comparison::check(&recipes, &good()), Ok(()));
    let comparison = Comparison::init(&recipes, run(2, good())).unwrap();
    assert_eq!((comparison.runs.len(), comparison.failed.len()), (1, 3));

    let misspelt = [recipe("sgd", None), recipe("ema", Some("sdg"))];
    for (recipes, jobs) in [
        (&misspelt, good()),
        (&recipes, jobs(["sgd", "emma"], [&[1], &[1]])),
        (&recipes, jobs(["sgd", "ema"], [&[1, 1], &[1]])),
        (&recipes, jobs(["sgd", "ema"], [&[1, 2], &[1]])),
        (&recipes, jobs(["sgd", "ema"], [&[], &[]])),
    ] {
        let error = Comparison::check(recipes, &jobs).unwrap_err();
        assert_eq!(Comparison::init(recipes, run(2, jobs)), Err(error));
    }
}
