//! What gets no verdict, and what is refused.

use burn_tricks_compare::{
    Comparison, Looks, Protocol, QualityMetric, Recipe, TrainingRun, Verdict,
};

/// Seven seeds, from which a row of equal runs would be equivalent.
#[test]
fn a_row_whose_runs_all_failed_has_no_verdict_on_quality() {
    let recipes = [
        Recipe::baseline("sgd", ""),
        Recipe::variant("clip", "sgd", ""),
    ];
    let protocol = Protocol::classification().with_looks(Looks::once(7).unwrap());
    let verdicts = |last_has_run: bool| {
        let mut runs = Vec::new();
        for seed in 1..=7 {
            let failed = |name| TrainingRun::failed(name, seed, "no disk");
            runs.push(failed("sgd"));
            runs.push(match (seed, last_has_run) {
                // It measured something, though no better than no model.
                (7, true) => TrainingRun::new("clip", seed)
                    .with_metric_and_no_model("accuracy", 0.1, 0.1)
                    .with_metric_and_no_model("loss", 2.3, 2.3),
                _ => failed("clip"),
            });
        }
        let comparison = Comparison::init(&protocol, &recipes, &runs).unwrap();
        let answers = comparison.rows[0].quality.iter();
        answers.map(|answer| answer.verdict).collect::<Vec<_>>()
    };
    assert_eq!(verdicts(false), [None, None]);
    assert_eq!(verdicts(true), [Some(Verdict::Equivalent); 2]);
}

#[test]
fn an_undecided_row_needs_more_seeds_than_it_has_and_as_many_as_any_verdict_takes() {
    let recipes = [
        Recipe::baseline("sgd", ""),
        Recipe::variant("clip", "sgd", ""),
    ];
    let protocol = Protocol::new([QualityMetric::loss("loss")]).with_looks(Looks::once(4).unwrap());
    let mut runs = Vec::new();
    for seed in 1..=4 {
        runs.push(TrainingRun::new("sgd", seed).with_metric("loss", 1.0));
        // By the formula three seeds would do.
        runs.push(TrainingRun::new("clip", seed).with_metric("loss", 3.0 + 0.01 * seed as f64));
    }
    let comparison = Comparison::init(&protocol, &recipes, &runs).unwrap();
    let answer = &comparison.rows[0].quality[0];
    assert_eq!(answer.verdict, Some(Verdict::Undecided));
    assert_eq!(answer.need, Some(6));
}

#[test]
fn one_pair_has_no_interval_and_no_number_of_seeds() {
    let recipes = [
        Recipe::baseline("sgd", ""),
        Recipe::variant("clip", "sgd", ""),
    ];
    let protocol = Protocol::new([QualityMetric::share("accuracy")]);
    let protocol = protocol.with_looks(Looks::once(1).unwrap());
    let runs = [
        TrainingRun::new("sgd", 1).with_metric("accuracy", 0.9),
        TrainingRun::new("clip", 1).with_metric("accuracy", 0.932),
    ];
    let comparison = Comparison::init(&protocol, &recipes, &runs).unwrap();
    let answer = &comparison.rows[0].quality[0];
    assert_eq!(
        (answer.verdict, answer.need),
        (Some(Verdict::Undecided), None)
    );
    let adjusted = answer.effect.unwrap().adjusted;
    assert!((adjusted.mean - 0.032).abs() < 1e-12, "{adjusted:?}");
    assert!(
        adjusted.low.is_nan() && adjusted.high.is_nan(),
        "{adjusted:?}"
    );

    let markdown = comparison.markdown();
    assert!(
        markdown.contains("+3.20; **undecided (one pair has no spread)**"),
        "{markdown}"
    );
    let csv = comparison.csv();
    let line: Vec<&str> = csv.lines().nth(1).unwrap().split(',').collect();
    assert_eq!(line[4..6], ["1", "points"]);
    assert_eq!(line[7..11], [""; 4], "no end is known");
    assert!(comparison.forest_svg("accuracy").is_some());
    let json = serde_json::to_string(&comparison).unwrap();
    let read: Comparison = serde_json::from_str(&json).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), json);
}

/// Equivalence takes one seed fewer than a difference.
#[test]
fn what_is_told_of_too_few_seeds_does_not_contradict_equivalence() {
    let recipes = [
        Recipe::baseline("sgd", ""),
        Recipe::variant("clip", "sgd", ""),
    ];
    let protocol = Protocol::new([QualityMetric::share("accuracy")]);
    let protocol = protocol.with_looks(Looks::once(5).unwrap());
    let mut runs = Vec::new();
    for seed in 1..=5 {
        for name in ["sgd", "clip"] {
            runs.push(TrainingRun::new(name, seed).with_metric("accuracy", 0.9));
        }
    }
    let comparison = Comparison::init(&protocol, &recipes, &runs).unwrap();
    let verdict = comparison.rows[0].quality[0].verdict;
    assert_eq!(verdict, Some(Verdict::Equivalent));
    let method = comparison.method();
    let expected =
        "No difference can be shown: 5 seeds cannot show a difference in the row; 6 can.";
    assert!(method.contains(expected), "{method}");
    assert!(!method.contains("undecided"), "{method}");
}

#[test]
fn a_value_that_cannot_be_is_refused() {
    let recipes = [
        Recipe::baseline("sgd", ""),
        Recipe::variant("clip", "sgd", ""),
    ];
    let runs = [TrainingRun::new("clip", 3).with_metric("accuracy", 97.2)];
    let protocol = Protocol::new([QualityMetric::share("accuracy")]);
    let error = Comparison::init(&protocol, &recipes, &runs).unwrap_err();
    let expected = "the run of \"clip\" with seed 3: \"accuracy\" is a share from 0 to 1, not a percentage, and \
                    cannot be 97.2";
    assert_eq!(error.to_string(), expected);
}
