//! From runs to verdicts. All numbers are made up.

use burn_tricks_compare::{
    CompareError, Comparison, FailedRun, Recipe, RunResult, Runs, VariantSummary, Verdict, holm,
    paired,
};

const PLAIN: [f64; 8] = [0.905, 0.903, 0.909, 0.911, 0.908, 0.902, 0.907, 0.910];
const BETTER: [f64; 8] = [0.912, 0.905, 0.918, 0.910, 0.915, 0.908, 0.911, 0.917];
const ALIKE: [f64; 8] = [0.906, 0.902, 0.908, 0.912, 0.909, 0.901, 0.906, 0.911];

fn recipe(name: &str, baseline: Option<&str>) -> Recipe {
    Recipe {
        name: name.to_owned(),
        baseline: baseline.map(str::to_owned),
        about: format!("what {name} does"),
    }
}

fn run(variant: &str, seed: u64, test_accuracy: f64) -> RunResult {
    RunResult {
        variant: variant.to_owned(),
        seed,
        test_accuracy,
        test_loss: 0.25,
        epochs_to_90: Some(4),
        gap: 0.02,
        seconds_per_epoch: 1.5,
    }
}

fn runs(variant: &str, accuracies: &[f64]) -> Vec<RunResult> {
    let seeds = 0..;
    seeds
        .zip(accuracies)
        .map(|(seed, &accuracy)| run(variant, seed, accuracy))
        .collect()
}

fn three() -> (Vec<Recipe>, Vec<RunResult>) {
    let recipes = vec![
        recipe("plain", None),
        recipe("better", Some("plain")),
        recipe("alike", Some("plain")),
    ];
    let runs = [
        runs("plain", &PLAIN),
        runs("better", &BETTER),
        runs("alike", &ALIKE),
    ];
    (recipes, runs.concat())
}

fn summary<'a>(comparison: &'a Comparison, name: &str) -> &'a VariantSummary {
    let mut variants = comparison.variants.iter();
    variants.find(|variant| variant.name == name).unwrap()
}

#[test]
fn each_variant_is_compared_with_its_baseline() {
    let (recipes, runs) = three();
    let comparison = Comparison::init(&recipes, runs).unwrap();

    let plain = summary(&comparison, "plain");
    assert_eq!((plain.difference, plain.verdict), (None, None));
    assert_eq!((plain.time_ratio, plain.seeds), (None, 8));

    let expected = [paired(&BETTER, &PLAIN), paired(&ALIKE, &PLAIN)];
    let p_holm = holm(&expected.map(|paired| paired.t_p));
    for (index, name) in ["better", "alike"].into_iter().enumerate() {
        let variant = summary(&comparison, name);
        let difference = variant.difference.unwrap();
        assert_eq!(difference.mean, expected[index].difference.mean);
        assert_eq!(difference.low, expected[index].difference.low);
        assert_eq!(difference.high, expected[index].difference.high);
        assert_eq!(difference.p, expected[index].t_p);
        assert_eq!(difference.p_holm, p_holm[index]);
        assert_eq!(difference.sign_flip_p, expected[index].sign_flip_p);
        assert_eq!(variant.about, format!("what {name} does"));
    }
    assert_eq!(summary(&comparison, "better").verdict, Some(Verdict::Helps));
    assert_eq!(
        summary(&comparison, "alike").verdict,
        Some(Verdict::NoDifferenceShown)
    );
}

#[test]
fn the_sign_of_the_difference_is_that_of_variant_minus_baseline() {
    let recipes = [recipe("better", None), recipe("plain", Some("better"))];
    let runs = [runs("plain", &PLAIN), runs("better", &BETTER)].concat();
    let comparison = Comparison::init(&recipes, runs).unwrap();
    let plain = summary(&comparison, "plain");
    assert!(plain.difference.unwrap().mean < 0.0);
    assert_eq!(plain.verdict, Some(Verdict::Hurts));
}

#[test]
fn the_verdict_is_corrected_for_the_number_of_variants() {
    // p = 0.003 alone, 0.06 among twenty.
    let verdict = |alike: usize| {
        let mut recipes = vec![recipe("plain", None), recipe("better", Some("plain"))];
        let mut all = [runs("plain", &PLAIN), runs("better", &BETTER)].concat();
        for index in 0..alike {
            let name = format!("alike-{index}");
            all.extend(runs(&name, &ALIKE));
            recipes.push(recipe(&name, Some("plain")));
        }
        let comparison = Comparison::init(&recipes, all).unwrap();
        let better = summary(&comparison, "better");
        assert!(better.difference.unwrap().low > 0.0);
        better.verdict.unwrap()
    };
    assert_eq!(verdict(0), Verdict::Helps);
    assert_eq!(verdict(19), Verdict::NoDifferenceShown);
}

#[test]
fn five_seeds_show_nothing() {
    let recipes = [recipe("plain", None), recipe("better", Some("plain"))];
    let verdict = |seeds: usize| {
        let better: Vec<f64> = PLAIN.iter().map(|accuracy| accuracy + 0.05).collect();
        let runs = [
            runs("plain", &PLAIN[..seeds]),
            runs("better", &better[..seeds]),
        ];
        let comparison = Comparison::init(&recipes, runs.concat()).unwrap();
        summary(&comparison, "better").verdict.unwrap()
    };
    assert_eq!(verdict(5), Verdict::NoDifferenceShown);
    assert_eq!(verdict(6), Verdict::Helps);
}

/// [`three`], but the runs of these variants and seeds failed.
fn three_without(failed: &[(&str, u64)]) -> (Vec<Recipe>, Runs) {
    let (recipes, mut finished) = three();
    finished.retain(|run| !failed.contains(&(&*run.variant, run.seed)));
    let failed = failed.iter().map(|&(variant, seed)| FailedRun {
        variant: variant.to_owned(),
        seed,
        reason: "the worker ended with exit status: 101".to_owned(),
        stderr: "out of memory".to_owned(),
    });
    let failed = failed.collect();
    (recipes, Runs { finished, failed })
}

#[test]
fn a_variant_of_which_a_run_failed_is_incomplete_over_the_pairs_that_are_left() {
    let (recipes, runs) = three_without(&[("better", 2)]);
    let comparison = Comparison::init(&recipes, runs).unwrap();
    let without = |values: [f64; 8]| [&values[..2], &values[3..]].concat();

    let better = summary(&comparison, "better");
    assert_eq!((better.seeds, better.failed), (7, 1));
    let expected = paired(&without(BETTER), &without(PLAIN));
    let difference = better.difference.unwrap();
    assert_eq!(difference.pairs, 7);
    assert_eq!(difference.mean, expected.difference.mean);
    assert_eq!(difference.p, expected.t_p);
    // Its p-value would show it, and counts among those that are corrected.
    assert!(difference.p_holm < 0.05);
    assert_eq!(difference.p_holm, holm(&[expected.t_p, 1.0])[0]);
    assert_eq!(better.verdict, Some(Verdict::Incomplete));

    let whole = Comparison::init(&recipes, three().1).unwrap();
    assert_eq!(summary(&comparison, "plain"), summary(&whole, "plain"));
    let alike = summary(&comparison, "alike");
    assert_eq!((alike.seeds, alike.failed), (8, 0));
    assert_eq!(alike.verdict, Some(Verdict::NoDifferenceShown));
    assert_eq!(comparison.runs.len(), 23);
    assert_eq!(comparison.failed.len(), 1);
}

#[test]
fn all_variants_of_a_baseline_of_which_a_run_failed_are_incomplete() {
    let (recipes, runs) = three_without(&[("plain", 0), ("better", 0), ("better", 7)]);
    let comparison = Comparison::init(&recipes, runs).unwrap();
    for (name, pairs, failed) in [("better", 6, 2), ("alike", 7, 0)] {
        let variant = summary(&comparison, name);
        assert_eq!(variant.difference.unwrap().pairs, pairs);
        assert_eq!(variant.failed, failed);
        assert_eq!(variant.verdict, Some(Verdict::Incomplete));
    }
    assert_eq!(summary(&comparison, "plain").verdict, None);
}

#[test]
fn a_variant_of_which_every_run_failed_is_still_there() {
    let all: Vec<_> = (0..8).map(|seed| ("better", seed)).collect();
    let (recipes, runs) = three_without(&all);
    let comparison = Comparison::init(&recipes, runs).unwrap();
    let better = summary(&comparison, "better");
    assert_eq!((better.seeds, better.failed), (0, 8));
    assert!(better.test_accuracy.mean.is_nan());
    assert_eq!(better.difference.unwrap().pairs, 0);
    assert_eq!(better.verdict, Some(Verdict::Incomplete));
    assert_eq!(summary(&comparison, "alike").difference.unwrap().pairs, 8);

    let json = serde_json::to_string(&comparison).unwrap();
    let read: Comparison = serde_json::from_str(&json).unwrap();
    assert_eq!(read.failed, comparison.failed);
    assert_eq!(serde_json::to_string(&read).unwrap(), json);
}

#[test]
fn a_report_is_completed_by_running_the_failed_seeds_again() {
    let (recipes, runs) = three_without(&[("better", 2), ("plain", 5)]);
    let report = serde_json::to_string(&Comparison::init(&recipes, runs).unwrap()).unwrap();

    let read: Comparison = serde_json::from_str(&report).unwrap();
    let again = read.failed.iter().map(|failed| match &*failed.variant {
        "better" => run("better", failed.seed, BETTER[failed.seed as usize]),
        _ => run("plain", failed.seed, PLAIN[failed.seed as usize]),
    });
    let all: Vec<RunResult> = again.chain(read.runs).collect();
    let (_, never_failed) = three();
    assert_eq!(
        Comparison::init(&recipes, all).unwrap(),
        Comparison::init(&recipes, never_failed).unwrap()
    );
}

#[test]
fn a_run_that_is_neither_finished_nor_failed_is_missing() {
    let error = |change: fn(&mut Runs)| {
        let (recipes, mut runs) = three_without(&[("better", 2)]);
        change(&mut runs);
        Comparison::init(&recipes, runs).unwrap_err().to_string()
    };
    assert_eq!(
        error(|runs| runs.failed.clear()),
        r#""better" has no run with seed 2, but "plain", with which it is paired, has one"#
    );
    assert_eq!(
        error(|runs| runs.failed[0].seed = 3),
        r#""better" has two runs with seed 3"#
    );
    assert_eq!(
        error(|runs| runs.failed[0].variant.push('!')),
        r#"the run with seed 2 is of "better!", which no recipe describes"#
    );
}

#[test]
fn the_order_of_the_runs_does_not_matter() {
    let (recipes, runs) = three();
    let expected = Comparison::init(&recipes, runs.clone()).unwrap();
    let mut shuffled = runs;
    shuffled.reverse();
    shuffled.swap(3, 17);
    shuffled.rotate_left(5);
    let comparison = Comparison::init(&recipes, shuffled).unwrap();
    assert_eq!(comparison, expected);
    let order: Vec<_> = comparison
        .runs
        .iter()
        .map(|run| (&*run.variant, run.seed))
        .collect();
    assert_eq!(
        (order[0], order[8], order[23]),
        (("plain", 0), ("better", 0), ("alike", 7))
    );
}

#[test]
fn epochs_to_90_are_counted_over_the_seeds_that_reached_it() {
    let mut runs = runs("plain", &PLAIN[..3]);
    runs[0].epochs_to_90 = None;
    runs[1].epochs_to_90 = Some(7);
    let comparison = Comparison::init(&[recipe("plain", None)], runs.clone()).unwrap();
    let epochs = comparison.variants[0].epochs_to_90;
    assert_eq!((epochs.epochs.mean, epochs.reached), (5.5, 2));

    runs.iter_mut().for_each(|run| run.epochs_to_90 = None);
    let comparison = Comparison::init(&[recipe("plain", None)], runs).unwrap();
    let epochs = comparison.variants[0].epochs_to_90;
    assert!(epochs.epochs.mean.is_nan());
    assert_eq!(epochs.reached, 0);
}

#[test]
fn time_is_a_ratio_to_the_baseline() {
    let (recipes, mut runs) = three();
    for run in runs.iter_mut().filter(|run| run.variant == "better") {
        run.seconds_per_epoch = 3.0;
    }
    runs[16].seconds_per_epoch = f64::NAN;
    let comparison = Comparison::init(&recipes, runs).unwrap();
    assert_eq!(summary(&comparison, "better").time_ratio, Some(2.0));
    assert_eq!(summary(&comparison, "alike").time_ratio, None);
}

#[test]
fn a_diverged_comparison_survives_json() {
    let (recipes, mut runs) = three();
    runs[8].test_loss = f64::INFINITY;
    runs[16].test_accuracy = f64::NAN;
    let comparison = Comparison::init(&recipes, runs).unwrap();
    let json = serde_json::to_string_pretty(&comparison).unwrap();
    let read: Comparison = serde_json::from_str(&json).unwrap();

    assert!(summary(&read, "better").test_loss.mean.is_nan());
    assert_eq!(summary(&read, "better").verdict, Some(Verdict::Helps));
    let alike = summary(&read, "alike");
    assert!(alike.difference.unwrap().mean.is_nan() && alike.difference.unwrap().p.is_nan());
    assert_eq!(alike.difference.unwrap().p_holm, 1.0);
    assert_eq!(alike.verdict, Some(Verdict::NoDifferenceShown));
    assert!(read.runs[8].test_loss.is_nan());
    assert_eq!(serde_json::to_string_pretty(&read).unwrap(), json);
}

#[test]
fn what_is_finite_survives_json_exactly() {
    let (recipes, runs) = three();
    let comparison = Comparison::init(&recipes, runs).unwrap();
    let json = serde_json::to_string(&comparison).unwrap();
    assert_eq!(
        serde_json::from_str::<Comparison>(&json).unwrap(),
        comparison
    );
}

#[test]
fn recipes_that_do_not_fit_together_are_refused() {
    let error = |recipes: &[Recipe]| Comparison::init(recipes, Runs::default()).unwrap_err();
    assert_eq!(
        error(&[recipe("plain", None), recipe("plain", None)]).to_string(),
        r#"two recipes are named "plain""#
    );
    assert_eq!(
        error(&[recipe("better", Some("plian"))]).to_string(),
        r#"the baseline of "better" is "plian", which is not another recipe"#
    );
    let itself = error(&[recipe("plain", Some("plain"))]);
    assert!(matches!(itself, CompareError::UnknownBaseline { .. }));
}

#[test]
fn runs_that_do_not_fit_the_recipes_are_refused() {
    let error = |change: fn(&mut Vec<RunResult>)| {
        let (recipes, mut runs) = three();
        change(&mut runs);
        Comparison::init(&recipes, runs).unwrap_err().to_string()
    };
    assert_eq!(
        error(|runs| runs.push(run("beter", 3, 0.9))),
        r#"the run with seed 3 is of "beter", which no recipe describes"#
    );
    assert_eq!(
        error(|runs| runs.push(run("better", 3, 0.9))),
        r#""better" has two runs with seed 3"#
    );
    assert_eq!(
        error(|runs| drop(runs.remove(10))),
        r#""better" has no run with seed 2, but "plain", with which it is paired, has one"#
    );
    assert_eq!(
        error(|runs| runs.push(run("better", 8, 0.9))),
        r#""plain" has no run with seed 8, but "better", with which it is paired, has one"#
    );
    assert_eq!(error(|runs| runs.clear()), r#""plain" has no runs"#);
}
