//! Runs that fail or are stopped.

#![cfg(target_os = "linux")]

use crate::{read, start, text};
use burn_tricks::compare::TrainingRun;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

/// Ctrl-C keeps what is done, and prints the table so far.
#[test]
fn interrupted_it_reports_what_is_done_and_can_be_continued() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("runs.jsonl");
    let options = "--only clip --seeds 40 --epochs 2 --jobs 1 --store";
    let mut running = start(options, &store);
    let has_runs = || std::fs::read_to_string(&store).is_ok_and(|text| text.lines().count() >= 3);
    while !has_runs() {
        assert_eq!(running.try_wait().unwrap(), None, "it ended early");
        sleep(Duration::from_millis(5));
    }
    send("-INT", &running.id().to_string());
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let (table, told) = (text(&output.stdout), text(&output.stderr));
    assert!(table.contains("clip"), "{table}");
    assert!(told.contains("stopped before the end"), "{told}");
    let runs = std::fs::read_to_string(&store).unwrap().lines().count();
    assert!(runs < 80, "{runs}");
    assert!(told.contains(&format!("{runs} runs are kept")), "{told}");
    assert!(
        !told.contains("failed"),
        "a run that was stopped is none: {told}"
    );
}

/// The runs of the others are kept when the system kills a worker, as it does when memory runs out.
#[test]
fn a_killed_worker_is_a_failed_run_among_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    let store = folder.path().join("runs.jsonl");
    let options = format!(
        "--only clip --seeds 2 --epochs 2 --jobs 1 --store {} --json",
        store.display()
    );
    let mut running = start(&options, &path);
    let worker = loop {
        if let Some(worker) = child_of(running.id()) {
            break worker;
        }
        assert_eq!(running.try_wait().unwrap(), None, "it has a worker");
        sleep(Duration::from_millis(1));
    };
    send("-KILL", &worker);

    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains("error: 1 of 4 runs failed"), "{error}");
    let reason = "the worker ended with signal: 9 (SIGKILL)";
    assert!(error.contains(reason), "{error}");
    let table = text(&output.stdout);

    let comparison = read(&path);
    let failed: Vec<&TrainingRun> = comparison.failed().collect();
    assert_eq!((comparison.runs.len(), failed.len()), (4, 1));
    assert_eq!(failed[0].failure.as_ref().unwrap().reason, reason);
    let line = format!("- {}, seed {}: {reason}", failed[0].variant, failed[0].seed);
    assert!(table.contains(&line), "{table}");

    // It is a result, until it is asked for again.
    let output = start(&options, &path).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let output = start(&format!("--retry-failed {options}"), &path).wait_with_output();
    assert!(output.unwrap().status.success());
    assert_eq!(read(&path).failed().count(), 0);
}

fn send(signal: &str, process: &str) {
    let sent = Command::new("kill").args([signal, process]).status();
    assert!(sent.unwrap().success());
}

/// The number of a process that `parent` has started.
fn child_of(parent: u32) -> Option<String> {
    for entry in std::fs::read_dir("/proc").unwrap() {
        let entry = entry.unwrap();
        // The parent's number is the second field behind the name, which is in parentheses.
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        let behind = stat.rsplit(')').next().unwrap_or_default();
        if behind.split_whitespace().nth(1) == Some(&parent.to_string()) {
            return entry.file_name().into_string().ok();
        }
    }
    None
}
