//! The example `24_compare_your_own`: how little a comparison of one's own takes, and what comes with it.

use crate::{program, read, text};
use std::process::{Command, Output};

fn run(options: &[&str]) -> Output {
    let output = Command::new(program("24_compare_your_own"))
        .args(options)
        .output();
    output.expect("it starts")
}

#[test]
fn it_takes_less_than_forty_lines() {
    let lines = include_str!("../../24_compare_your_own.rs").lines().count();
    assert!(lines < 40, "{lines} lines");
}

#[test]
fn it_lists_compares_stores_resumes_and_reports() {
    let listed = text(&run(&["--list"]).stdout);
    assert!(
        listed.contains("ema      a moving average of the weights (against sgd)"),
        "{listed}"
    );

    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (store, json, html, svg) = (
        path("s.jsonl"),
        path("r.json"),
        path("r.html"),
        path("r.svg"),
    );
    let compare = |epochs: &str| {
        let output = run(&[
            "--only",
            "ema",
            "--seeds",
            "2",
            "--epochs",
            epochs,
            "--store",
            &store,
            "--json",
            &json,
            "--html",
            &html,
            "--svg",
            &svg,
            "--markdown",
        ]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        (text(&output.stdout), text(&output.stderr))
    };
    let (table, told) = compare("2");
    assert!(table.contains("| `ema` vs `sgd` | 2 |"), "{table}");
    assert!(
        told.contains("1 row; verdicts are read at 2 seeds: 4 runs"),
        "{told}"
    );
    let comparison = read(json.as_ref());
    assert_eq!(comparison.runs.len(), 4);
    for run in &comparison.runs {
        assert_eq!(run.failure, None);
        let [accuracy, loss] = ["accuracy", "loss"].map(|name| run.quality[name].value);
        assert!(accuracy > 0.3 && loss < 2.2, "it learns: {run:?}");
        // It does not report its memory: the worker's is taken, the weights and the program among it.
        #[cfg(target_os = "linux")]
        assert!(
            run.cost.peak_bytes.is_some_and(|bytes| bytes > 1 << 20),
            "{run:?}"
        );
    }
    // The arms differ, and so do the seeds.
    let losses = comparison
        .runs
        .iter()
        .map(|run| run.quality["loss"].value.to_bits());
    let mut losses: Vec<u64> = losses.collect();
    losses.sort_unstable();
    losses.dedup();
    assert_eq!(losses.len(), 4);
    let written = |path: &str| std::fs::read_to_string(path).unwrap();
    assert!(written(&html).contains("24_compare_your_own --only ema"));
    assert!(written(&svg).starts_with("<svg"));

    // The runs are kept, and those of another length are others.
    let (again, told) = compare("2");
    assert!(told.contains("holds 4 of these runs"), "{told}");
    assert_eq!(again, table);
    let (_, told) = compare("1");
    assert!(!told.contains("holds"), "{told}");
}

#[test]
fn what_this_program_does_not_offer_is_said_before_the_first_run() {
    for (options, expected) in [
        (&["--tune"][..], "`Study::with_tuning`"),
        (&["--doctor"], "`Study::with_doctor`"),
        (
            &["--interactions", "momentum,ema"],
            "`Recipe::with_settings`",
        ),
        (&["--seeds", "0"], "a whole number from 1 on"),
        (&["--only", "momentm"], "did you mean `momentum`?"),
    ] {
        let output = run(options);
        let told = text(&output.stderr);
        assert!(
            !output.status.success() && told.contains(expected),
            "{told}"
        );
        assert!(!told.contains("verdicts are read"), "{told}");
    }
}
