//! The `compare` example, as a user runs it.

use burn_tricks::compare::{Comparison, RunResult, Verdict};
use burn_tricks_examples::recipes::RECIPES;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The example's program, which `cargo test` builds beside this one: `examples/compare` next to
/// `deps/compare-...`.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.ancestors().nth(2).expect("target/<profile>");
    let program = profile
        .join("examples/compare")
        .with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        program.is_file(),
        "no `{}`: run `cargo test` without `--test`, which builds the examples too",
        program.display()
    );
    program
}

fn compare(arguments: &[&str]) -> Output {
    let mut command = Command::new(program());
    // More than the machine may have, so that a worker that is not told its own number is found out.
    command.args(arguments).env("RAYON_NUM_THREADS", "3");
    command.output().expect("it starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The report of `--only clip`, two seeds and one epoch.
fn report(jobs: &str, path: &Path) -> String {
    let json = path.to_str().unwrap();
    let output = compare(&[
        "--only", "clip", "--seeds", "2", "--epochs", "1", "--jobs", jobs, "--json", json,
    ]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    std::fs::read_to_string(path).unwrap()
}

/// The runs, without what depends on the clock.
fn runs(report: &str) -> Vec<RunResult> {
    let comparison: Comparison = serde_json::from_str(report).unwrap();
    let timeless = |run| RunResult {
        seconds_per_epoch: 0.0,
        ..run
    };
    comparison.runs.into_iter().map(timeless).collect()
}

#[test]
fn one_job_or_two_give_the_same_report_with_the_baseline_that_was_needed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    let one = report("1", &path);
    let two = report("2", &path); // written over the first
    assert_eq!(runs(&two), runs(&one));

    let report: serde_json::Value = serde_json::from_str(&one).unwrap();
    let variants = report["variants"].as_array().unwrap();
    let name = |variant: &serde_json::Value| (variant["name"].clone(), variant["baseline"].clone());
    let names: Vec<_> = variants.iter().map(name).collect();
    assert_eq!(
        names,
        [
            ("unstable".into(), serde_json::Value::Null),
            ("clip".into(), "unstable".into())
        ]
    );
    for field in ["about", "test_accuracy", "test_loss", "epochs_to_90", "gap"] {
        assert!(!variants[1][field].is_null(), "{field}");
    }
    for field in ["time_ratio", "difference", "verdict"] {
        assert!(variants[0][field].is_null(), "a baseline has no {field}");
        assert!(!variants[1][field].is_null(), "{field}");
    }
    assert_eq!(variants[1]["seeds"], 2);
    let runs = report["runs"].as_array().unwrap();
    let of = |run: &serde_json::Value| (run["variant"].clone(), run["seed"].clone());
    let expected = [("unstable", 1), ("unstable", 2), ("clip", 1), ("clip", 2)]
        .map(|(variant, seed)| (variant.into(), seed.into()));
    assert_eq!(runs.iter().map(of).collect::<Vec<_>>(), expected);
    for run in runs {
        let accuracy = run["test_accuracy"].as_f64().unwrap();
        assert!(accuracy > 0.0 && accuracy <= 1.0, "{run}");
        for field in ["test_loss", "gap", "seconds_per_epoch"] {
            assert!(run[field].is_f64(), "{field} of {run}");
        }
        assert!(run.get("epochs_to_90").is_some(), "{run}");
    }
}

#[test]
fn a_worker_refuses_to_run_on_several_threads() {
    let task = r#"{"variant":"baseline","seeds":[1],"epochs":1,"device":"flex","data":null}"#;
    let output = compare(&["--worker", task]);
    assert!(!output.status.success());
    let error = text(&output.stderr);
    assert!(error.contains("on 1 thread, not on 3"), "{error}");
}

#[test]
fn a_wrong_name_lists_the_right_ones() {
    let output = compare(&["--only", "clip,clop"]);
    assert!(!output.status.success());
    let error = text(&output.stderr);
    assert!(error.contains("'clop'"), "{error}");
    for recipe in RECIPES {
        assert!(error.contains(recipe.name), "{}: {error}", recipe.name);
    }
}

#[test]
fn a_report_that_cannot_be_written_fails_before_the_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing").join("report.json");
    let arguments = ["--only", "clip", "--seeds", "1", "--epochs", "1", "--json"];
    let output = compare(&[&arguments[..], &[path.to_str().unwrap()]].concat());
    assert!(!output.status.success());
    let error = text(&output.stderr);
    assert!(
        error.contains("cannot write") && error.contains("missing"),
        "{error}"
    );
    assert_eq!(text(&output.stdout), "", "no table");
}

/// The runs of the others are kept when the system kills a worker, as it does when memory runs out.
#[cfg(target_os = "linux")]
#[test]
fn a_killed_worker_is_a_failed_run_among_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    let options = "--only clip --seeds 2 --epochs 2 --jobs 1 --json";
    let mut command = Command::new(program());
    command.args(options.split(' ')).arg(&path);
    command.stdout(std::process::Stdio::piped());
    command.stderr(std::process::Stdio::piped());
    let mut running = command.spawn().unwrap();
    let worker = loop {
        if let Some(worker) = child_of(running.id()) {
            break worker;
        }
        assert_eq!(running.try_wait().unwrap(), None, "it has a worker");
        std::thread::sleep(std::time::Duration::from_millis(1));
    };
    let killed = Command::new("kill").args(["-9", &worker]).status();
    assert!(killed.unwrap().success());

    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains("error: 1 of 4 runs failed"), "{error}");
    let reason = "the worker ended with signal: 9 (SIGKILL)";
    assert!(error.contains(reason), "{error}");
    let table = text(&output.stdout);

    let report = std::fs::read_to_string(path).unwrap();
    let comparison: Comparison = serde_json::from_str(&report).unwrap();
    assert_eq!(comparison.runs.len(), 3);
    let failed = &comparison.failed[..];
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].reason, reason);
    let line = format!("- {}, seed {}: {reason}", failed[0].variant, failed[0].seed);
    assert!(table.contains(&line), "{table}");
    assert_eq!(comparison.variants[1].verdict, Some(Verdict::Incomplete));
}

/// The number of a process that `parent` has started.
#[cfg(target_os = "linux")]
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
