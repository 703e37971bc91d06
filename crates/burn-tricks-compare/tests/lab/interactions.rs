use burn_tricks_compare::{
    Interactions, InteractionsError, Looks, Protocol, QualityMetric, Recipe, TrainingRun, Verdict,
    factorial,
};
use serde_json::json;

use crate::noise;

const SEEDS: u64 = 14;

fn recipes() -> Vec<Recipe> {
    let base =
        Recipe::baseline("sgd", "").with_settings(json!({"clip": null, "warm-up": 0, "drop": 0}));
    let part = |name: &str| {
        let mut settings = base.settings.clone();
        settings[name] = json!(1);
        Recipe::variant(name, "sgd", name).with_settings(settings)
    };
    let parts = ["clip", "warm-up", "drop"].map(part);
    let parts: Vec<(&Recipe, &Recipe)> = parts.iter().map(|part| (part, &base)).collect();
    factorial(&base, &parts).unwrap()
}

/// Each of clip and warm-up makes the loss 20 % lower, both together 30 %: worse than 36 %. Warm-up and
/// dropout multiply exactly. Clipping and dropout help only together, by half.
fn run(recipe: &Recipe, seed: u64) -> TrainingRun {
    let has = |name: &str| f64::from(u8::from(recipe.settings[name] == json!(1)));
    let (clip, warm_up, drop) = (has("clip"), has("warm-up"), has("drop"));
    let mut log = 0.8_f64.ln() * (clip + warm_up) + 0.9_f64.ln() * drop;
    log += clip * warm_up * (0.7_f64 / 0.64).ln() + clip * drop * 0.5_f64.ln();
    log += 0.5 * noise(seed, 0) + 0.03 * noise(seed, recipe.name.len() as u64);
    let steps = (1000.0 * (-0.5 * clip).exp()) as u64;
    TrainingRun::new(&recipe.name, seed)
        .with_metric_and_no_model("loss", 0.3 * log.exp(), 2.3)
        .with_arrival((drop == 0.0).then_some(steps), 3000)
}

fn protocol() -> Protocol {
    Protocol::new([QualityMetric::loss("loss")])
        .with_target("90 %")
        .with_looks(Looks::once(SEEDS as usize).unwrap())
}

fn runs() -> Vec<TrainingRun> {
    let of = |recipe: Recipe| (1..=SEEDS).map(move |seed| run(&recipe, seed));
    recipes().into_iter().flat_map(of).collect()
}

fn read(runs: &[TrainingRun]) -> Result<Interactions, InteractionsError> {
    Interactions::init(&protocol(), "sgd", &["clip", "warm-up", "drop"], runs)
}

#[test]
fn planted_interactions_are_found_with_their_size() {
    let names: Vec<String> = recipes().into_iter().map(|recipe| recipe.name).collect();
    let expected = [
        "sgd",
        "clip",
        "warm-up",
        "drop",
        "clip + warm-up",
        "clip + drop",
        "warm-up + drop",
    ];
    assert_eq!(names, expected);

    let interactions = read(&runs()).unwrap();
    let found = |at: usize| {
        let loss = &interactions.pairs[at].answers[0];
        let interval = loss.effect.unwrap().interval;
        (
            loss.verdict.unwrap(),
            interval.mean.exp(),
            [interval.low.exp(), interval.high.exp()],
        )
    };
    // By hand: 0.7 / 0.64 = 1.094, a half, and 1.
    for (at, verdict, truth) in [(0, Verdict::Hurts, 0.7 / 0.64), (1, Verdict::Helps, 0.5)] {
        let (found, ratio, [low, high]) = found(at);
        assert_eq!(found, verdict, "{}", interactions.table());
        assert!(
            low <= truth && truth <= high && (ratio / truth - 1.0).abs() < 0.04,
            "{ratio}"
        );
    }
    let (none, ratio, _) = found(2);
    assert!(
        none.is_equivalent() && (ratio - 1.0).abs() < 0.04,
        "{none} {ratio}"
    );

    // Speed: clip and warm-up add up; with dropout no run arrives.
    let speed = |at: usize| interactions.pairs[at].answers[1].verdict;
    assert!(speed(0).unwrap().is_equivalent());
    assert_eq!((speed(1), speed(2)), (None, None));

    let table = interactions.table();
    assert!(
        table.contains("clip × warm-up, 14 seeds\n  loss: ×1."),
        "{table}"
    );
    assert!(
        table.contains("worse together than apart") && table.contains("better together than apart")
    );
    assert!(
        table.contains("together as apart, within ×1.10")
            && table.contains("not reached often enough")
    );
    assert_eq!(interactions.markdown().lines().count(), 2 + 3);
}

#[test]
fn a_failed_run_counts_as_no_model_in_all_four() {
    let mut all = runs();
    let failed = all
        .iter_mut()
        .find(|run| run.variant == "clip + warm-up" && run.seed == 3)
        .unwrap();
    *failed = TrainingRun::failed("clip + warm-up", 3, "out of memory");
    let interactions = read(&all).unwrap();
    let effect = interactions.pairs[0].answers[0].effect.unwrap();
    assert_eq!(effect.pairs, SEEDS as usize);
    assert!(effect.sd > 0.3, "one seed is far off: {}", effect.sd);
}

#[test]
fn runs_without_a_result_are_not_together_as_apart() {
    let mut all = runs();
    for run in &mut all {
        *run = TrainingRun::failed(&run.variant, run.seed, "no disk");
    }
    let interactions = read(&all).unwrap();
    for pair in &interactions.pairs {
        assert!(pair.answers.iter().all(|answer| answer.verdict.is_none()));
    }
    let table = interactions.table();
    assert!(
        table.contains("; no run gave a result\n  speed: "),
        "{table}"
    );

    // One that failed, and nothing says what that scores.
    let mut all = runs();
    for run in &mut all {
        for quality in run.quality.values_mut() {
            quality.no_model = None;
        }
    }
    let failed = all.iter_mut().find(|run| run.variant == "clip + warm-up");
    let failed = failed.unwrap();
    *failed = TrainingRun::failed("clip + warm-up", failed.seed, "killed");
    let interactions = read(&all).unwrap();
    assert_eq!(interactions.pairs[0].answers[0].verdict, None);
    let table = interactions.table();
    assert!(
        table.contains("; a failed run, and no `no_model`\n"),
        "{table}"
    );
}

/// When a run that did not arrive would have is not known.
#[test]
fn speeds_of_runs_that_did_not_arrive_are_not_together_as_apart() {
    let read = |last: u64| {
        let arrival = move |seed: u64| (seed <= last).then_some(100);
        let runs = recipes().into_iter().flat_map(|recipe| {
            let run = move |seed| run(&recipe, seed).with_arrival(arrival(seed), 3000);
            (1..=24).map(run)
        });
        let runs: Vec<TrainingRun> = runs.collect();
        let protocol = protocol().with_looks(Looks::once(24).unwrap());
        let parts = ["clip", "warm-up", "drop"];
        let interactions = Interactions::init(&protocol, "sgd", &parts, &runs).unwrap();
        interactions.pairs[0].answers[1].clone()
    };
    assert!(read(24).verdict.unwrap().is_equivalent());
    for last in [12, 23] {
        let speed = read(last);
        assert_eq!(speed.verdict, Some(Verdict::Undecided));
        assert_eq!((speed.equivalence_p, speed.need), (1.0, None));
    }
}

#[test]
fn what_is_missing_is_named() {
    let mut some = runs();
    some.retain(|run| !(run.variant == "warm-up + drop" && run.seed == 5));
    let error = read(&some).unwrap_err().to_string();
    assert_eq!(
        error,
        "an interaction needs the run of \"warm-up + drop\" with seed 5, which is missing"
    );
    let several = protocol().with_looks(Looks::at(vec![8, 14]).unwrap());
    let error = Interactions::init(&several, "sgd", &["clip", "warm-up"], &runs()).unwrap_err();
    assert!(error.to_string().ends_with("looks at 8 and 14"), "{error}");
}
