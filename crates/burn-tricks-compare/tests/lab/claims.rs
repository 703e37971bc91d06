use std::collections::BTreeMap;

use burn_tricks_compare::{
    Claim, ClaimRow, Comparison, Conclusion, Expected, Looks, Protocol, QualityMetric, Recipe,
    TrainingRun,
};
use serde_json::json;

use crate::noise;

/// Of a classification and of a regression: a variant that is better, one that is the same, one that is
/// worse, and one whose results vary less. In the second task the better one is worse.
fn tasks() -> BTreeMap<String, Comparison> {
    let names = ["base", "good", "same", "bad", "calm"];
    let recipes = names.map(|name| match name {
        "base" => Recipe::baseline(name, ""),
        _ => Recipe::variant(name, "base", ""),
    });
    let comparison = |metric: QualityMetric, good: f64| {
        let protocol = Protocol::new([metric.clone()])
            .with_target("target")
            .with_looks(Looks::once(14).unwrap());
        let runs = recipes.iter().zip(0..).flat_map(|(recipe, at)| {
            let metric = metric.name.clone();
            (1..=14).map(move |seed| {
                let common = 0.05 * noise(seed, 0);
                let own = 0.001 * noise(seed, at + 10);
                let value = match &*recipe.name {
                    "good" => common + own + good,
                    "bad" => common + own - good,
                    "calm" => 0.2 * common,
                    _ => common + own,
                };
                let steps = (&*recipe.name != "bad").then_some(if recipe.name == "good" {
                    100
                } else {
                    300
                });
                TrainingRun::new(&recipe.name, seed)
                    .with_metric(&metric, 0.8 + value)
                    .with_arrival(steps.filter(|_| metric == "accuracy"), 1000)
            })
        });
        let runs: Vec<TrainingRun> = runs.collect();
        Comparison::init(&protocol, &recipes, &runs).unwrap()
    };
    BTreeMap::from([
        (
            "digits".to_owned(),
            comparison(QualityMetric::share("accuracy"), 0.04),
        ),
        // Of an error, more is worse.
        (
            "table".to_owned(),
            comparison(QualityMetric::loss("RMSE"), 0.1),
        ),
    ])
}

fn claim(expected: Expected, rows: &[(&str, &str)]) -> Claim {
    let rows = rows.iter().map(|(task, variant)| ClaimRow {
        task: (*task).to_owned(),
        variant: (*variant).to_owned(),
    });
    Claim {
        sentence: "it is so".to_owned(),
        questions: vec!["accuracy".to_owned(), "RMSE".to_owned()],
        expected,
        rows: rows.collect(),
        note: String::new(),
    }
}

#[test]
fn a_claim_is_what_was_shown_of_it() {
    let tasks = tasks();
    let conclusion =
        |expected, rows: &[(&str, &str)]| claim(expected, rows).check(&tasks).unwrap().conclusion;
    use Conclusion::{Confirmed, Corrected, NotConfirmed, Refuted};
    use Expected::{Better, LessSpread, NotWorse, Worse};
    for (expected, rows, verdict) in [
        (Better, &[("digits", "good")][..], Confirmed),
        (Better, &[("digits", "same")], Refuted),
        (Better, &[("digits", "bad")], Refuted),
        (Better, &[("digits", "good"), ("table", "good")], Corrected),
        (Worse, &[("digits", "bad"), ("table", "good")], Confirmed),
        (
            NotWorse,
            &[("digits", "good"), ("digits", "same")],
            Confirmed,
        ),
        (NotWorse, &[("digits", "bad")], Refuted),
        (Better, &[("digits", "calm")], NotConfirmed),
        // What is undecided leaves the others to decide.
        (Better, &[("digits", "calm"), ("digits", "good")], Confirmed),
        (LessSpread, &[("digits", "calm")], Confirmed),
        (LessSpread, &[("digits", "same")], NotConfirmed),
        (Better, &[], NotConfirmed),
    ] {
        assert_eq!(conclusion(expected, rows), verdict, "{expected:?} {rows:?}");
    }
}

#[test]
fn the_measurement_and_the_places_are_told() {
    let tasks = tasks();
    let finding = claim(Expected::Better, &[("digits", "good"), ("table", "good")])
        .check(&tasks)
        .unwrap();
    assert_eq!(finding.places(), "holds: digits; does not hold: table");
    let told = &finding.rows[0].told;
    assert!(
        told.starts_with("+4.") && told.ends_with("], helps"),
        "{told}"
    );
    assert_eq!(finding.rows[1].question, "RMSE");

    let speed = Claim {
        questions: vec!["speed".to_owned()],
        ..claim(Expected::Better, &[("digits", "good"), ("table", "good")])
    };
    let finding = speed.check(&tasks).unwrap();
    // No run arrives in the second task.
    assert_eq!(finding.conclusion, Conclusion::Confirmed);
    assert_eq!(finding.rows[1].conclusion, None);
    assert_eq!(finding.places(), "holds: digits; cannot be asked: table");
    let text = Claim::markdown(&[finding]);
    assert_eq!(text.lines().count(), 3);
    assert!(
        text.contains("| it is so | ")
            && text.contains("×3.0 [3.0, 3.0], helps")
            && text.contains("| **confirmed** |"),
        "{text}"
    );

    let spread = claim(Expected::LessSpread, &[("digits", "calm")])
        .check(&tasks)
        .unwrap();
    assert!(
        spread.rows[0]
            .told
            .starts_with("standard deviation over seeds ×0.2"),
        "{:?}",
        spread.rows
    );
}

#[test]
fn the_spread_of_a_variant_of_which_runs_fail_is_not_told_by_the_others() {
    let recipes = [
        Recipe::baseline("base", ""),
        Recipe::variant("calm", "base", ""),
    ];
    let protocol =
        Protocol::new([QualityMetric::loss("RMSE")]).with_looks(Looks::once(14).unwrap());
    let runs = |failed: u64| -> Vec<TrainingRun> {
        let runs = recipes.iter().flat_map(|recipe| {
            (1..=14).map(move |seed| {
                let is_calm = recipe.name == "calm";
                let scale = if is_calm { 0.005 } else { 0.05 };
                let value = if is_calm && seed <= failed {
                    f64::NAN
                } else {
                    0.5 + scale * noise(seed, u64::from(is_calm))
                };
                TrainingRun::new(&recipe.name, seed).with_metric("RMSE", value)
            })
        });
        runs.collect()
    };
    for (failed, conclusion) in [(0, Some(Conclusion::Confirmed)), (8, None)] {
        let comparison = Comparison::init(&protocol, &recipes, &runs(failed)).unwrap();
        let tasks = BTreeMap::from([("table".to_owned(), comparison)]);
        let finding = claim(Expected::LessSpread, &[("table", "calm")]).check(&tasks);
        let row = &finding.unwrap().rows[0];
        assert_eq!(row.conclusion, conclusion, "{}", row.told);
        assert_eq!(row.told == "8 of 28 runs failed", failed == 8);
    }
}

#[test]
fn two_that_learn_nothing_say_nothing_of_what_is_worse() {
    let recipes = [
        Recipe::baseline("base", ""),
        Recipe::variant("same", "base", ""),
    ];
    let protocol =
        Protocol::new([QualityMetric::loss("RMSE")]).with_looks(Looks::once(14).unwrap());
    let run = |recipe: &Recipe, seed| {
        TrainingRun::new(&recipe.name, seed).with_metric_and_no_model("RMSE", 1.0, 1.0)
    };
    let runs = recipes
        .iter()
        .flat_map(|recipe| (1..=14).map(move |seed| run(recipe, seed)));
    let comparison = Comparison::init(&protocol, &recipes, &runs.collect::<Vec<_>>()).unwrap();
    let tasks = BTreeMap::from([("deep".to_owned(), comparison)]);
    let rows = [("deep", "same"), ("deep", "same")];
    let finding = |expected| claim(expected, &rows).check(&tasks).unwrap();
    for expected in [Expected::Worse, Expected::NotWorse] {
        let finding = finding(expected);
        assert_eq!(finding.conclusion, Conclusion::NotConfirmed);
        assert_eq!(finding.rows[0].told, "neither is better than no model");
        assert_eq!(finding.places(), "cannot be asked: deep");
    }
    // What is to make it learn does not.
    assert_eq!(finding(Expected::Better).conclusion, Conclusion::Refuted);
}

#[test]
fn a_claim_about_what_was_not_compared_is_refused() {
    let tasks = tasks();
    let error = |task, variant| {
        claim(Expected::Better, &[(task, variant)])
            .check(&tasks)
            .unwrap_err()
            .to_string()
    };
    assert!(error("text", "good").ends_with("there is no task \"text\""));
    assert!(error("table", "best").ends_with("there is no variant \"best\" in \"table\""));
    let unknown = Claim {
        questions: vec!["F1".to_owned()],
        ..claim(Expected::Better, &[("table", "good")])
    };
    assert!(
        unknown
            .check(&tasks)
            .unwrap_err()
            .to_string()
            .contains("[\"F1\"] in \"table\"")
    );
    let read: Result<Claim, _> = serde_json::from_value(json!({
        "sentence": "", "questions": [], "expected": "beter", "rows": []
    }));
    assert!(
        read.unwrap_err()
            .to_string()
            .contains("`better`, `worse`, `not-worse`, `less-spread`")
    );
}
