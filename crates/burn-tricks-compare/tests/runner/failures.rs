//! Workers that fail, and what becomes of the others.

use std::{fs, process::Command, time::Instant};

use burn_tricks_compare::{RUN_PREFIX, RunError, RunErrorKind};

use crate::{PROMPTLY, job, print, run};

/// Runs one job beside one that would sleep for a minute, and returns how it failed.
fn failure(script: &str) -> RunError {
    let start = Instant::now();
    let error = run(
        2,
        vec![
            job("sleeper", &[0], "exec sleep 60"),
            job("ema", &[3, 1], script),
        ],
    )
    .unwrap_err();
    assert!(start.elapsed() < PROMPTLY, "took {:?}", start.elapsed());
    assert_eq!(error.label, "ema");
    assert_eq!(error.seeds, [3, 1]);
    error
}

#[test]
fn a_failure_is_told_with_the_end_of_standard_error() {
    let script = print("ema", 3) + "for i in $(seq 100 130); do echo \"line $i\" >&2; done; exit 3";
    let error = failure(&script);
    assert!(matches!(error.kind, RunErrorKind::Failed));
    assert_eq!(error.status.unwrap().code(), Some(3));
    let tail: Vec<String> = (111..=130).map(|i| format!("line {i}")).collect();
    assert_eq!(error.stderr, tail.join("\n"));
    assert_eq!(
        error.to_string(),
        format!(
            "the worker for \"ema\", seeds 3, 1, failed (exit status: 3)\n\
             its standard error ended with:\n{}",
            tail.join("\n")
        )
    );
}

#[test]
fn what_is_kept_of_standard_error_is_bounded() {
    let lines = failure("yes junk | head -c 1000000 >&2; exit 4");
    assert_eq!(lines.stderr.lines().count(), 20);
    let one_line = failure("head -c 1000000 /dev/zero | tr '\\0' 'x' >&2; exit 4");
    assert_eq!(one_line.stderr, "x".repeat(500));
}

#[test]
fn a_killed_worker_is_a_failure() {
    let error = failure("kill -9 $$");
    assert!(matches!(error.kind, RunErrorKind::Failed));
    assert!(error.to_string().contains("signal: 9"), "{error}");
}

#[test]
fn a_missing_result_is_an_error() {
    let error = failure(&print("ema", 3));
    assert!(matches!(&error.kind, RunErrorKind::MissingResults(seeds) if *seeds == [1]));
    let message = "\"ema\", seeds 3, 1, gave no result for seed 1 (exit status: 0)";
    assert!(error.to_string().contains(message), "{error}");
}

#[test]
fn another_seed_or_variant_is_an_error_at_once() {
    for (variant, seed) in [("ema", 2), ("sgd", 3)] {
        let error = failure(&(print(variant, seed) + "exec sleep 60"));
        assert!(error.status.is_none());
        let message = format!("not asked for, of {variant:?} with seed {seed}");
        assert!(error.to_string().contains(&message), "{error}");
    }
    let twice = failure(&(print("ema", 3) + &print("ema", 3) + "exec sleep 60"));
    assert!(matches!(
        twice.kind,
        RunErrorKind::UnexpectedResult { seed: 3, .. }
    ));
}

#[test]
fn an_unreadable_result_is_an_error_at_once() {
    let error = failure(&format!("echo '{RUN_PREFIX}not json'\nexec sleep 60"));
    assert!(matches!(error.kind, RunErrorKind::UnreadableResult { .. }));
    assert!(error.to_string().contains("not json"), "{error}");
}

#[test]
fn a_worker_that_cannot_be_started_is_an_error() {
    let mut absent = job("ema", &[3], "");
    absent.command = Command::new("/no/such/program");
    let error = run(1, vec![absent]).unwrap_err();
    assert!(matches!(error.kind, RunErrorKind::Start(_)));
    assert!(
        error.to_string().contains("could not be started"),
        "{error}"
    );
}

#[test]
fn no_more_jobs_are_started_after_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let mut later = job(
        "later",
        &[0],
        &("touch started\n".to_owned() + &print("later", 0)),
    );
    later.command.current_dir(folder.path());
    run(1, vec![job("ema", &[0], "exit 1"), later]).unwrap_err();
    assert!(!folder.path().join("started").exists());
}

#[test]
fn the_workers_still_running_are_killed() {
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
    let error = run(2, vec![sleeper, ema]).unwrap_err();
    assert_eq!(error.label, "ema");
    assert!(start.elapsed() < PROMPTLY, "took {:?}", start.elapsed());

    let number = fs::read_to_string(folder.path().join("number")).unwrap();
    let mut probe = Command::new("sh");
    probe.args(["-c", &format!("kill -0 {} 2> /dev/null", number.trim())]);
    assert!(!probe.status().unwrap().success(), "the sleeper still runs");
}
