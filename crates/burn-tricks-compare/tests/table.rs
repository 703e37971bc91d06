//! The printed table. All numbers are made up.

use burn_tricks_compare::{Comparison, FailedRun, Recipe, RunResult, Runs};

fn run(variant: &str, seed: u64, test_accuracy: f64) -> RunResult {
    RunResult {
        variant: variant.to_owned(),
        seed,
        test_accuracy,
        test_loss: 0.3,
        epochs_to_90: Some(3 + seed as usize % 2),
        gap: 0.0213,
        seconds_per_epoch: if variant == "sgd" { 0.5 } else { 0.75 },
    }
}

fn comparison(change: impl FnOnce(&mut Vec<RunResult>)) -> Comparison {
    let (recipes, mut runs) = recipes_and_runs();
    change(&mut runs);
    Comparison::init(&recipes, runs).unwrap()
}

fn recipes_and_runs() -> ([Recipe; 4], Vec<RunResult>) {
    let recipes = [
        ("sgd", None),
        ("label-smoothing", Some("sgd")),
        ("sgd-cosine", Some("sgd")),
        ("cosine-warm-up", Some("sgd-cosine")),
    ]
    .map(|(name, baseline)| Recipe {
        name: name.to_owned(),
        baseline: baseline.map(str::to_owned),
        about: String::new(),
    });
    let mut runs = Vec::new();
    for seed in 0..6 {
        let noise = 0.002 * (seed as f64 - 2.5);
        runs.push(run("sgd", seed, 0.95 + noise));
        runs.push(run("label-smoothing", seed, 0.94 + 1.5 * noise));
        runs.push(run("sgd-cosine", seed, 0.96 + 0.5 * noise));
        runs.push(run("cosine-warm-up", seed, 0.96 - noise));
    }
    (recipes, runs)
}

/// What is expected of [`comparison`], with its rules cut short.
const WHOLE: &str = "\
──
 variant           test accuracy, %    test loss              difference from        verdict                epochs     gap,   time/epoch,
                   [95 % interval]     [95 % interval]        baseline, points                             to 90 %   points    × baseline
                                                              [95 % interval]
──
 sgd               95.0 [94.6, 95.4]   0.300 [0.300, 0.300]   –                      –                         3.5      2.1      500.0 ms
 label-smoothing   94.0 [93.4, 94.6]   0.300 [0.300, 0.300]   -1.00 [-1.20, -0.80]   hurts                     3.5      2.1          1.50
 sgd-cosine        96.0 [95.8, 96.2]   0.300 [0.300, 0.300]   +1.00 [+0.80, +1.20]   helps                     3.5      2.1          1.50
 cosine-warm-up    96.0 [95.6, 96.4]   0.300 [0.300, 0.300]   +0.00 [-0.59, +0.59]   no difference shown       3.5      2.1          1.00
                                                              vs sgd-cosine
──
Means over 6 seeds, with 95 % intervals from Student's t. Differences are paired by seed.
Verdict: paired t-test, p at most 0.05 after Holm's correction over 3 comparisons, from 6 seeds up.
";

/// As [`WHOLE`], where runs failed.
const INCOMPLETE: &str = "\
──
 variant           test accuracy, %    test loss              difference from        verdict       epochs     gap,   time/epoch,
                   [95 % interval]     [95 % interval]        baseline, points                    to 90 %   points    × baseline
                                                              [95 % interval]
──
 sgd               95.0 [94.6, 95.4]   0.300 [0.300, 0.300]   –                      –                3.5      2.1      500.0 ms
 label-smoothing   n/a                 n/a                    n/a                    incomplete       n/a      n/a           n/a
 6 of 6 failed                                                0 of 6 pairs
 sgd-cosine        96.0 [95.7, 96.2]   0.300 [0.300, 0.300]   +1.03 [+0.79, +1.27]   incomplete       3.6      2.1          1.50
 1 of 6 failed                                                5 of 6 pairs
 cosine-warm-up    96.0 [95.6, 96.4]   0.300 [0.300, 0.300]   +0.09 [-0.63, +0.81]   incomplete       3.5      2.1          1.00
                                                              5 of 6 pairs
                                                              vs sgd-cosine
──
Means over 0 to 6 seeds, with 95 % intervals from Student's t. Differences are paired by seed.
Verdict: paired t-test, p at most 0.05 after Holm's correction over 3 comparisons, from 6 seeds up.
7 runs failed:
- label-smoothing, seed 0: the worker ended with signal: 9 (SIGKILL)
- label-smoothing, seed 1: the worker ended with signal: 9 (SIGKILL)
- label-smoothing, seed 2: the worker ended with signal: 9 (SIGKILL)
- label-smoothing, seed 3: the worker ended with signal: 9 (SIGKILL)
- label-smoothing, seed 4: the worker ended with signal: 9 (SIGKILL)
- label-smoothing, seed 5: the worker ended with signal: 9 (SIGKILL)
- sgd-cosine, seed 4: the worker ended with signal: 9 (SIGKILL)
Means are over the other runs, differences over the other pairs. A variant without all of its pairs
is incomplete and gets no verdict: whether a run fails may depend on how good it is.
";

/// The line of the row of a variant.
fn row(table: &str, variant: &str) -> String {
    let start = format!(" {variant} ");
    let line = table.lines().find(|line| line.starts_with(&start));
    line.unwrap_or_else(|| panic!("no row of {variant} in\n{table}"))
        .to_owned()
}

#[test]
fn the_whole_table() {
    let table = comparison(|_| {}).table();
    assert_eq!(table.replace(&"─".repeat(138), "──"), WHOLE, "\n{table}");
}

#[test]
fn a_row_fits_140_columns() {
    let table = comparison(|_| {}).table();
    let widest = table.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(140), "{widest:?} in\n{table}");
}

#[test]
fn what_is_not_known_is_said() {
    let table = comparison(|runs| {
        for run in runs.iter_mut() {
            match (&*run.variant, run.seed) {
                ("label-smoothing", 0) => run.test_loss = f64::NAN,
                ("label-smoothing", _) => run.epochs_to_90 = None,
                ("sgd-cosine", 0) => run.test_accuracy = f64::NAN,
                ("sgd-cosine", _) => run.seconds_per_epoch = f64::NAN,
                ("cosine-warm-up", _) => run.epochs_to_90 = None,
                _ => {}
            }
        }
    })
    .table();
    let cells = |variant: &str| -> Vec<String> {
        let row = row(&table, variant);
        let cells = row
            .split("  ")
            .map(str::trim)
            .filter(|cell| !cell.is_empty());
        cells.map(str::to_owned).collect()
    };
    assert_eq!(cells("label-smoothing")[2], "n/a");
    assert_eq!(cells("label-smoothing")[5], "3.0 (1/6)");
    assert_eq!(cells("sgd-cosine")[1], "n/a");
    assert_eq!(cells("sgd-cosine")[3..5], ["n/a", "no difference shown"]);
    assert_eq!(cells("sgd-cosine")[7], "n/a");
    assert_eq!(cells("cosine-warm-up")[5], "never");
}

#[test]
fn one_seed_has_no_interval() {
    let table = comparison(|runs| runs.retain(|run| run.seed == 0)).table();
    assert!(row(&table, "sgd").contains(" 94.5 [n/a] "), "{table}");
    assert!(
        row(&table, "label-smoothing").contains(" -1.25 [n/a] "),
        "{table}"
    );
    assert!(table.contains("Means over 1 seed,"), "{table}");
}

#[test]
fn what_failed_is_listed_and_left_out_visibly() {
    let (recipes, mut finished) = recipes_and_runs();
    let failed = finished.extract_if(.., |run| {
        (&*run.variant, run.seed) == ("sgd-cosine", 4) || run.variant == "label-smoothing"
    });
    let failed = failed.map(|run| FailedRun {
        variant: run.variant,
        seed: run.seed,
        reason: "the worker ended with signal: 9 (SIGKILL)".to_owned(),
        stderr: "not for the table".to_owned(),
    });
    let failed = failed.collect();
    let comparison = Comparison::init(&recipes, Runs { finished, failed }).unwrap();
    let table = comparison.table();
    assert_eq!(
        table.replace(&"─".repeat(129), "──"),
        INCOMPLETE,
        "\n{table}"
    );
}
