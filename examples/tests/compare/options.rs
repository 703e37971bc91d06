//! What is asked, and what is refused.

use crate::{compare, program, read, start, text, timeless};
use burn_tricks_examples::recipes::BuiltIn;

#[test]
fn a_worker_refuses_to_run_on_several_threads() {
    let task = r#"{"recipe":{"name":"baseline"},"seeds":[1],"purpose":"Compare"}"#;
    let output = compare(&["--epochs", "1", "--worker", task]);
    let line = text(&output.stdout);
    assert!(line.contains("on 1 thread, not on 3"), "{line}");
    assert!(!line.contains("quality\":{\"acc"), "{line}");
}

#[test]
fn a_wrong_name_lists_the_right_ones_and_the_near_ones() {
    let output = compare(&["--only", "clip,clop"]);
    assert!(!output.status.success());
    let error = text(&output.stderr);
    assert!(
        error.contains("there is no recipe `clop` (did you mean `clip`?)"),
        "{error}"
    );
    for task in [BuiltIn::Mlp, BuiltIn::DeepMlp].map(BuiltIn::task) {
        for recipe in task.recipes {
            assert!(error.contains(&recipe.name), "{}: {error}", recipe.name);
        }
    }
    for (options, expected) in [
        (
            vec!["--only", "baseline"],
            "`baseline` is compared with nothing: name a variant too",
        ),
        (
            vec!["--question", "speeed", "--svg", "/nowhere/a.svg"],
            "no question `speeed`; there are: accuracy, loss, speed, cost",
        ),
        (vec!["--question", "loss"], "--svg <FILE>"),
        (vec!["--task", "mlp,cnn"], "compare one after the other"),
        (
            vec!["--task", "mpl"],
            "[possible values: mlp, deep-mlp, cnn",
        ),
        (vec!["--csv", "t.csv"], "--target <COLUMN>"),
        (
            vec!["--csv", "/nowhere.csv", "--target", "y"],
            "`/nowhere.csv`",
        ),
        (vec!["--recipe", "/nowhere.json"], "`/nowhere.json`"),
        (vec!["--task", "cnn", "--seeds", "0"], "'0'"),
    ] {
        let output = compare(&options);
        assert!(!output.status.success(), "{options:?}");
        let error = text(&output.stderr);
        assert!(error.contains(expected), "{options:?}: {error}");
        assert_eq!(text(&output.stdout), "", "{options:?}");
    }
}

#[test]
#[cfg(unix)]
fn an_argument_that_is_no_text_is_refused() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let mut command = std::process::Command::new(program("compare"));
    let output = command.arg(OsStr::from_bytes(b"\xff")).output().unwrap();
    let error = text(&output.stderr);
    assert!(!output.status.success());
    assert!(!error.contains("panicked"), "{error}");
}

#[test]
#[cfg(not(feature = "wgpu"))]
fn a_backend_that_is_not_there_lists_those_that_are() {
    let output = compare(&["--backend", "wgpu", "--list"]);
    assert!(!output.status.success());
    let error = text(&output.stderr);
    assert!(
        error.contains("`wgpu` is not compiled in, only `flex`"),
        "{error}"
    );
}

#[test]
fn one_split_for_all_seeds_is_one_test_part() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.json");
    let runs = |options: &str| {
        let options = format!("--only clip --seeds 2 --epochs 1 {options}");
        let output = start(&options, &path).wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        (timeless(&read(&path)).1, text(&output.stdout))
    };
    let (redrawn, told) = runs("--json");
    assert!(told.contains("each seed with a split of its own"), "{told}");
    let (fixed, told) = runs("--split-seed 2 --json");
    assert!(told.contains("the split of seed 2"), "{told}");
    for (redrawn, fixed) in redrawn.iter().zip(&fixed) {
        assert_eq!(redrawn == fixed, redrawn.seed == 2, "{redrawn:?}");
    }
}

#[test]
fn what_is_compared_with_nothing_is_refused() {
    let output = compare(&["--only", "baseline"]);
    assert!(!output.status.success());
    let error = text(&output.stderr);
    assert!(
        error.contains("`baseline` is compared with nothing"),
        "{error}"
    );
}
