//! Runs on disk, and comparisons that are killed and started again.
#![cfg(unix)]

mod campaign;

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

use burn_tricks_compare::{Recipe, Store, TrainingRun, merge};
use serde_json::{Value, json};

fn recipes() -> [Recipe; 2] {
    [
        Recipe::baseline("sgd", ""),
        Recipe::variant("ema", "sgd", "").with_settings(json!({"decay": 0.99})),
    ]
}

fn context() -> Value {
    json!({"data": "digits", "epochs": 100})
}

fn open(path: &Path) -> Store {
    Store::open(path, &recipes(), &context()).unwrap()
}

fn run(variant: &str, seed: u64) -> TrainingRun {
    TrainingRun::new(variant, seed).with_metric("loss", 0.1 * seed as f64)
}

/// A store of three runs.
fn three(path: &Path) -> Vec<TrainingRun> {
    let mut store = open(path);
    let runs = vec![run("sgd", 1), run("ema", 1), run("sgd", 2)];
    for run in &runs {
        store.append(run).unwrap();
    }
    assert_eq!(store.runs(), runs);
    runs
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn runs_are_there_after_it_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.jsonl");
    let runs = three(&path);
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 3);
    let store = open(&path);
    assert_eq!(store.runs(), runs);
    assert_eq!((store.unreadable(), store.others()), (&[][..], 0));
}

#[test]
fn wherever_a_line_breaks_off_the_others_are_kept_and_it_is_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.jsonl");
    let runs = three(&path);
    let whole = fs::read(&path).unwrap();
    let last_start = whole.len()
        - whole
            .split_inclusive(|b| *b == b'\n')
            .next_back()
            .unwrap()
            .len();
    for length in last_start..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let mut store = open(&path);
        match length {
            // Only the end of the line is missing.
            length if length + 1 == whole.len() => {
                assert_eq!(store.runs(), runs);
                assert_eq!(store.unreadable(), []);
            }
            length => {
                assert_eq!(store.runs(), &runs[..2], "cut at {length}");
                assert_eq!(store.unreadable().len(), usize::from(length > last_start));
                assert!(store.unreadable().iter().all(|line| line.line == 3));
                store.append(&runs[2]).unwrap();
            }
        }
        assert_eq!(store.runs(), runs);
        assert_eq!(fs::read(&path).unwrap(), whole, "cut at {length}");
    }
}

#[test]
fn a_broken_line_in_the_middle_is_reported_and_loses_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.jsonl");
    let runs = three(&path);
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let broken = format!("{}\n{}\n\n{}\n", lines[0], &lines[1][..40], lines[2]);
    fs::write(&path, broken).unwrap();
    let store = open(&path);
    assert_eq!(store.runs(), [runs[0].clone(), runs[2].clone()]);
    assert_eq!(store.unreadable().len(), 1);
    let message = store.unreadable()[0].to_string();
    assert!(
        message.starts_with("line 2 cannot be read, and its run is made again: EOF"),
        "{message}"
    );
}

#[test]
fn other_settings_data_or_versions_are_other_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.jsonl");
    three(&path);
    let mut other = recipes();
    other[1].settings = json!({"decay": 0.9});
    let store = Store::open(&path, &other, &context()).unwrap();
    assert_eq!(store.runs().len(), 2);
    assert_eq!(store.others(), 1);
    drop(store);
    let context = json!({"data": "digits", "epochs": 15});
    let mut store = Store::open(&path, &recipes(), &context).unwrap();
    assert_eq!((store.runs().len(), store.others()), (0, 3));
    store.append(&run("sgd", 1)).unwrap();
    drop(store);
    let store = open(&path);
    assert_eq!((store.runs().len(), store.others()), (3, 1));
}

#[test]
fn the_last_line_of_a_run_counts_and_failed_runs_can_be_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.jsonl");
    let runs = three(&path);
    let mut store = open(&path);
    store
        .append(&TrainingRun::failed("ema", 1, "killed"))
        .unwrap();
    assert_eq!(store.runs().len(), 3);
    drop(store);
    let mut store = open(&path);
    assert_eq!(store.runs()[1], TrainingRun::failed("ema", 1, "killed"));
    store.forget_failed();
    assert_eq!(store.runs(), [runs[0].clone(), runs[2].clone()]);
    store.append(&runs[1]).unwrap();
    drop(store);
    let store = open(&path);
    assert_eq!(store.runs(), runs);
}

#[test]
fn what_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing").join("runs.jsonl");
    let error = Store::open(&path, &recipes(), &context()).unwrap_err();
    assert!(error.to_string().contains("missing/runs.jsonl"), "{error}");
    let path = folder.path().join("runs.jsonl");
    let mut store = open(&path);
    let error = Store::open(&path, &recipes(), &context()).unwrap_err();
    assert!(
        error.to_string().contains("another process is using it"),
        "{error}"
    );
    let error = store.append(&run("adam", 1)).unwrap_err();
    assert!(error.to_string().contains("\"adam\""), "{error}");
    for other in ["{\"extends\": \"mlp\"}", "a,b\n1,2\n"] {
        let path = folder.path().join("other");
        fs::write(&path, other).unwrap();
        for error in [
            Store::open(&path, &recipes(), &context()).unwrap_err(),
            merge(std::slice::from_ref(&path), &path).unwrap_err(),
        ] {
            assert!(error.to_string().contains("something else"), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), other);
        }
    }
}

/// Its later runs would go to a file that has no name any more.
#[test]
fn a_store_that_is_in_use_is_not_merged_into() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, part) = (folder.path().join("whole"), folder.path().join("part"));
    open(&part).append(&run("ema", 2)).unwrap();
    let mut store = open(&whole);
    store.append(&run("ema", 1)).unwrap();
    let stores = [whole.clone(), part];
    let error = merge(&stores, &whole).unwrap_err();
    assert!(
        error.to_string().contains("another process is using it"),
        "{error}"
    );
    store.append(&run("ema", 3)).unwrap();
    drop(store);
    assert_eq!(merge(&stores, &whole).unwrap().runs, 3);
    assert_eq!(open(&whole).runs().len(), 3);
}

/// As in the guide's page on clusters: every part has a copy of the runs of the round before.
#[test]
fn a_run_that_was_made_again_is_not_lost_to_copies_of_its_failure() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b, whole) = (
        folder.path().join("a"),
        folder.path().join("b"),
        folder.path().join("whole"),
    );
    let failed = TrainingRun::failed("ema", 1, "killed");
    let (mut of_a, mut of_b) = (open(&a), open(&b));
    of_a.append(&failed).unwrap();
    of_b.append(&failed).unwrap();
    of_a.append(&run("ema", 1)).unwrap();
    drop((of_a, of_b));
    for stores in [[&a, &b], [&b, &a]] {
        let merged = merge(&stores.map(Clone::clone), &whole).unwrap();
        assert_eq!((merged.runs, merged.conflicts), (1, Vec::new()));
        assert_eq!(open(&whole).runs(), [run("ema", 1)]);
        fs::remove_file(&whole).unwrap();
    }
    // Within one store the last line counts, as where a worker fails after its result.
    open(&a).append(&failed).unwrap();
    let merged = merge(&[a, b], &whole).unwrap();
    assert_eq!((merged.runs, merged.conflicts), (1, Vec::new()));
    assert_eq!(open(&whole).runs(), [failed]);
}

#[test]
fn stores_are_merged_and_conflicts_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    let (a, b, whole) = (path("a"), path("b"), path("whole"));
    let runs = three(&a);
    let mut store = open(&b);
    let slower = run("sgd", 1).with_seconds_per_step(9.0);
    let other = run("ema", 1).with_metric("loss", 7.0);
    let new = run("ema", 2).with_metric("loss", f64::NAN);
    for run in [&slower, &other, &new] {
        store.append(run).unwrap();
    }
    drop(store);
    append(&b, "{\"key\":\"0\",\"ru");

    let merged = merge(&[a.clone(), b.clone()], &whole).unwrap();
    assert_eq!(merged.runs, 4);
    assert_eq!(merged.conflicts, [("ema".to_owned(), 1)]);
    assert_eq!(merged.unreadable.len(), 1);
    assert_eq!(
        (&merged.unreadable[0].0, merged.unreadable[0].1.line),
        (&b, 4)
    );
    let store = open(&whole);
    assert_eq!(store.runs()[..3], [slower, other, runs[2].clone()]);
    assert!(store.runs()[3].quality["loss"].value.is_nan());
    drop(store);

    let error = merge(std::slice::from_ref(&a), &whole).unwrap_err();
    let told = "whole` for runs: it exists, and is not among the stores to merge";
    assert!(error.to_string().contains(told), "{error}");
    assert_eq!(merge(&[whole.clone(), a], &whole).unwrap().runs, 4);
    let error = merge(&[path("absent")], &path("new")).unwrap_err();
    assert!(error.to_string().contains("absent"), "{error}");
    assert!(!path("new").exists());
}
