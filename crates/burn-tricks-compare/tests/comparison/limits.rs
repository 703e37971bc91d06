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
