//! From runs to verdicts, and to the runs that are wanted next. All numbers are made up.

mod limits;
mod plan;

use burn_tricks_compare::{
    Better, CompareError, Comparison, Looks, PageInfo, Plan, Protocol, QualityMetric, Recipe,
    TrainingRun, Unit, Verdict,
};

/// A number from -1 to 1 that follows from its arguments.
pub(crate) fn noise(of: &str, seed: u64) -> f64 {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64 ^ seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    for byte in of.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    }
    hash ^= hash >> 29;
    hash = hash.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (hash >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

/// What a made-up recipe does: its shift in accuracy, the factors of its loss, steps and time, and its
/// noise against the baseline as a share of the margins.
#[derive(Clone, Copy)]
pub(crate) struct Effect {
    pub(crate) points: f64,
    pub(crate) loss: f64,
    pub(crate) steps: f64,
    pub(crate) time: f64,
    pub(crate) noise: f64,
}

pub(crate) const NONE: Effect = Effect {
    points: 0.0,
    loss: 1.0,
    steps: 1.0,
    time: 1.0,
    noise: 0.3,
};

pub(crate) fn protocol() -> Protocol {
    Protocol::classification().with_target("90 %")
}

pub(crate) fn run(variant: &str, seed: u64, effect: Effect) -> TrainingRun {
    let own = |what: &str| effect.noise * noise(&format!("{variant} {what}"), seed);
    let accuracy =
        0.9 + 0.02 * noise("split", seed) + 0.01 * effect.points + 0.005 * own("accuracy");
    let loss = 0.3 * (0.2 * noise("split", seed) + 0.1 * own("loss")).exp() * effect.loss;
    let steps = 900.0 * effect.steps * (0.2 * own("steps")).exp();
    TrainingRun::new(variant, seed)
        .with_metric_and_no_model("accuracy", accuracy, 0.1)
        .with_metric_and_no_model("loss", loss, 2.3)
        .with_arrival(Some(steps.round() as u64), 3300)
        .with_seconds_per_step(0.01 * effect.time * (1.0 + 0.02 * own("time")))
        .with_peak_bytes(1000)
}

/// Three variants of one baseline: one better in all, one that changes nothing, one noisy.
pub(crate) fn recipes() -> Vec<Recipe> {
    vec![
        Recipe::baseline("plain", "the baseline"),
        Recipe::variant("better", "plain", "it is better"),
        Recipe::variant("alike", "plain", "it changes nothing"),
        Recipe::variant("noisy", "plain", "nobody knows"),
    ]
}

pub(crate) fn effect(variant: &str) -> Effect {
    match variant {
        "better" => Effect {
            points: 2.0,
            loss: 0.7,
            steps: 0.4,
            time: 1.5,
            ..NONE
        },
        "noisy" => Effect {
            points: 0.3,
            noise: 4.0,
            ..NONE
        },
        _ => NONE,
    }
}

pub(crate) fn runs(recipes: &[Recipe], seeds: u64) -> Vec<TrainingRun> {
    let of = |recipe: &Recipe| {
        let name = recipe.name.clone();
        (1..=seeds).map(move |seed| run(&name, seed, effect(&name)))
    };
    recipes.iter().flat_map(of).collect()
}

fn compare(runs: &[TrainingRun]) -> Comparison {
    Comparison::init(&protocol(), &recipes(), runs).unwrap()
}

fn verdicts(comparison: &Comparison, name: &str) -> [Verdict; 4] {
    let row = comparison.row(name).unwrap();
    let speed = row.speed.as_ref().unwrap().answer.verdict;
    [
        row.answer("accuracy").unwrap().verdict,
        row.answer("loss").unwrap().verdict,
        speed,
        row.cost.verdict,
    ]
    .map(Option::unwrap)
}

#[test]
fn each_question_gets_its_own_verdict() {
    let comparison = compare(&runs(&recipes(), 40));
    use Verdict::{Helps, Hurts, Undecided};
    assert_eq!(
        verdicts(&comparison, "better"),
        [Helps, Helps, Helps, Hurts]
    );
    let alike = verdicts(&comparison, "alike");
    assert!(
        alike.iter().all(|verdict| verdict.is_equivalent()),
        "{alike:?}"
    );
    let noisy = verdicts(&comparison, "noisy");
    assert_eq!(noisy[..3], [Undecided; 3]);

    let row = comparison.row("better").unwrap();
    assert_eq!((row.looks, row.seeds, row.is_open), (1, 10, false));
    let noisy = comparison.row("noisy").unwrap();
    assert_eq!((noisy.looks, noisy.seeds, noisy.is_open), (3, 29, false));
    assert!(comparison.is_finished());
    assert_eq!(comparison.looks.seeds(), [10, 17, 29]);

    let accuracy = row.answer("accuracy").unwrap().effect.unwrap();
    assert_eq!((accuracy.unit, accuracy.pairs), (Unit::Points, 10));
    let told = accuracy.unit.told(accuracy.interval);
    assert!((told.mean - 2.0).abs() < 0.2, "{told:?}");
    assert!(told.low < told.mean && told.mean < told.high);
    assert_eq!(accuracy.probability_of_improvement.mean, 1.0);
    let speed = row.speed.as_ref().unwrap();
    let sooner = speed.answer.effect.unwrap();
    let told = sooner.unit.told(sooner.interval);
    assert!((told.mean - 0.4).abs() < 0.03, "{told:?}");
    assert_eq!((speed.variant_arrived, speed.baseline_arrived), (10, 10));
    assert_eq!(row.memory_ratio, Some(1.0));

    let need = noisy.answer("accuracy").unwrap().need;
    assert!(need.is_none_or(|seeds| seeds > 29), "{need:?}");
    assert_eq!(row.answer("accuracy").unwrap().need, None);
}

#[test]
fn intervals_and_verdicts_agree_in_every_row() {
    let comparison = compare(&runs(&recipes(), 40));
    for row in &comparison.rows {
        let speed = row.speed.iter().map(|speed| &speed.answer);
        for answer in row.quality.iter().chain(speed).chain([&row.cost]) {
            let (effect, verdict) = (answer.effect.unwrap(), answer.verdict.unwrap());
            let excludes_zero = effect.adjusted.low > 0.0 || effect.adjusted.high < 0.0;
            let within =
                effect.adjusted.low > -effect.margin && effect.adjusted.high < effect.margin;
            let differs = !matches!(verdict, Verdict::Equivalent | Verdict::Undecided);
            assert_eq!(excludes_zero, differs, "{} {answer:?}", row.name);
            assert_eq!(within, verdict.is_equivalent(), "{} {answer:?}", row.name);
        }
    }
}

#[test]
fn better_is_what_the_metric_says() {
    let (low, high) = (Better::Lower, Better::Higher);
    for (better, verdict) in [(high, Verdict::Helps), (low, Verdict::Hurts)] {
        let metric = QualityMetric::plain("score", high, 0.1).with_better(better);
        let protocol = Protocol::new([metric]);
        let recipes = [Recipe::baseline("a", ""), Recipe::variant("b", "a", "")];
        let run = |variant: &str, seed, shift: f64| {
            TrainingRun::new(variant, seed).with_metric("score", shift + 0.1 * noise(variant, seed))
        };
        let runs: Vec<TrainingRun> = (1..=8)
            .flat_map(|seed| [run("a", seed, -5.0), run("b", seed, -4.0)])
            .collect();
        let comparison = Comparison::init(&protocol, &recipes, &runs).unwrap();
        let row = &comparison.rows[0];
        assert_eq!(row.quality[0].verdict, Some(verdict));
        assert_eq!(row.quality[0].effect.unwrap().unit, Unit::Plain);
        assert!(row.speed.is_none(), "no target, no question");
        assert_eq!(row.cost.verdict, None, "no time was reported");
    }
}

#[test]
fn before_the_first_look_there_are_estimates_and_no_verdicts() {
    let comparison = compare(&runs(&recipes(), 9));
    assert_eq!(verdicts(&comparison, "better"), [Verdict::Undecided; 4]);
    let row = comparison.row("better").unwrap();
    assert_eq!((row.looks, row.seeds, row.is_open), (0, 9, true));
    let effect = row.answer("accuracy").unwrap().effect.unwrap();
    assert!(effect.interval.low > 0.0 && effect.pairs == 9);
    assert!(
        effect.adjusted.low.is_nan(),
        "no verdict reads anything yet"
    );
    let nothing = compare(&[]);
    let row = nothing.row("better").unwrap();
    assert_eq!((row.seeds, row.answer("loss").unwrap().effect), (0, None));
}

#[test]
fn failed_runs_are_no_model_and_never_arrive() {
    let mut runs = runs(&recipes(), 29);
    for run in runs.iter_mut().filter(|run| run.variant == "alike") {
        match run.seed {
            seed if seed % 3 == 0 => *run = TrainingRun::failed("alike", seed, "out of memory"),
            seed if seed % 3 == 1 => {
                *run = run.clone().with_metric_and_no_model("loss", f64::NAN, 2.3);
            }
            _ => {}
        }
    }
    let comparison = compare(&runs);
    assert_eq!(verdicts(&comparison, "alike")[..3], [Verdict::Hurts; 3]);
    let row = comparison.row("alike").unwrap();
    let stability = row.stability.unwrap();
    assert_eq!(stability.verdict, Some(Verdict::Hurts), "{stability:?}");
    assert_eq!(stability.baseline, 0);
    assert_eq!(stability.variant, stability.only_variant);
    let arm = comparison.arm("alike").unwrap();
    assert_eq!(arm.failed, 29 - arm.arrived);
    assert!(arm.quality["accuracy"].mean < 0.5);
    assert_eq!(comparison.failed().count(), 9);
    let better = comparison.row("better").unwrap().stability.unwrap();
    assert_eq!((better.verdict, better.variant), (None, 0));
    assert!((better.upper_bound - (1.0 - 0.05_f64.powf(1.0 / 10.0))).abs() < 1e-12);
}

#[test]
fn without_a_value_for_no_model_a_failed_run_leaves_quality_undecided() {
    let mut runs = runs(&recipes(), 29);
    for run in &mut runs {
        for quality in run.quality.values_mut() {
            quality.no_model = None;
        }
        if (&*run.variant, run.seed) == ("better", 4) {
            *run = TrainingRun::failed("better", 4, "killed");
        }
    }
    let comparison = compare(&runs);
    let verdicts = verdicts(&comparison, "better");
    assert_eq!(verdicts[..2], [Verdict::Undecided; 2]);
    let row = comparison.row("better").unwrap();
    assert_eq!(row.quality[0].effect.unwrap().pairs + 1, row.seeds);
    // No more seeds can decide it, and none are made for that.
    let quality = Protocol::classification();
    let comparison = Comparison::init(&quality, &recipes(), &runs).unwrap();
    let row = comparison.row("better").unwrap();
    assert_eq!((row.looks, row.seeds, row.is_open), (1, 10, false));
    for answer in &row.quality {
        assert_eq!(answer.need, None);
    }
    for report in [comparison.markdown(), comparison.html(&PageInfo::default())] {
        let told = report.matches("undecided (a failed run, and no `no_model`)");
        assert!(told.count() >= 2, "{report}");
    }
    let at_first = runs.iter().filter(|run| run.seed <= 10).cloned();
    let plan = Plan::init(&quality, &recipes(), &at_first.collect::<Vec<_>>()).unwrap();
    assert!(!plan.open.contains(&"better".to_owned()), "{plan:?}");

    // Not a single difference is known.
    for run in runs.iter_mut().filter(|run| run.variant == "better") {
        *run = TrainingRun::failed("better", run.seed, "killed");
    }
    let comparison = compare(&runs);
    let (table, line) = (comparison.markdown(), comparison.rows[0].summary());
    assert!(table.contains("| undecided (a failed run"), "{table}");
    assert!(line.contains("loss not known (a failed run"), "{line}");
}

/// Nothing was measured: they are not equal, and take no part in the correction of the others.
#[test]
fn two_arms_of_which_no_run_ended_have_no_quality() {
    let mut runs = runs(&recipes(), 29);
    for run in &mut runs {
        *run = TrainingRun::failed(&run.variant, run.seed, "no disk");
    }
    let comparison = compare(&runs);
    for row in &comparison.rows {
        for answer in &row.quality {
            assert_eq!((answer.verdict, answer.equivalence_p), (None, 1.0));
            assert!(answer.effect.is_none(), "{answer:?}");
        }
        let line = row.summary();
        assert!(line.contains("loss: no run gave a result"), "{line}");
        assert!(!line.contains("0.00") && !line.contains("1.00"), "{line}");
        // Nor would more seeds be worth their time.
        assert!(!row.is_open);
    }
    let quality = Protocol::classification();
    let comparison = Comparison::init(&quality, &recipes(), &runs).unwrap();
    assert!(
        comparison
            .rows
            .iter()
            .all(|row| row.looks == 1 && !row.is_open)
    );
}

#[test]
fn speed_is_asked_if_half_of_one_arm_arrives_and_equivalent_only_if_all_do() {
    let changed = |arrives: fn(&str, u64) -> bool| {
        let mut runs = runs(&recipes(), 29);
        for run in &mut runs {
            if !arrives(&run.variant, run.seed) {
                *run = run.clone().with_arrival(None, 3300);
            }
        }
        compare(&runs)
    };
    let speed = |comparison: &Comparison, name: &str| {
        let row = comparison.row(name).unwrap();
        row.speed.clone().unwrap()
    };
    let few = changed(|_, seed| seed % 5 == 0);
    let answer = speed(&few, "alike");
    assert_eq!(answer.answer.verdict, None);
    assert_eq!((answer.variant_arrived, answer.baseline_arrived), (2, 2));
    assert!(!few.row("alike").unwrap().is_open);
    let one = changed(|variant, seed| (variant, seed) != ("alike", 3));
    assert_eq!(
        speed(&one, "alike").answer.verdict,
        Some(Verdict::Undecided)
    );
    // Only a difference can be shown, and takes more seeds than equivalence would.
    let need = speed(&one, "alike").answer.need;
    assert!(need.is_none_or(|seeds| seeds > 100), "{need:?}");
    let half = changed(|variant, seed| variant == "better" || seed % 3 == 0);
    let speed = speed(&half, "better");
    assert_eq!(speed.answer.verdict, Some(Verdict::Helps));
    assert_eq!((speed.variant_arrived, speed.baseline_arrived), (10, 3));
    let told = |comparison: &Comparison| comparison.row("better").unwrap().summary();
    assert!(told(&half).contains("faster at least ×"), "{}", told(&half));
    // With longer runs the variant's missing one would move the ratio to 1.
    let both = changed(|variant, seed| match variant {
        "better" => seed != 3,
        _ => seed % 3 == 0,
    });
    assert!(told(&both).contains("faster ×"), "{}", told(&both));
}

#[test]
fn a_verdict_on_speed_stays_when_later_seeds_do_not_arrive() {
    let mut runs = runs(&recipes(), 29);
    for run in runs.iter_mut().filter(|run| run.seed > 10) {
        *run = run.clone().with_arrival(None, 3300);
    }
    // The row goes on for its quality.
    for run in runs.iter_mut().filter(|run| run.variant == "better") {
        let accuracy = 0.9 + 0.02 * noise("other", run.seed);
        *run = run
            .clone()
            .with_metric_and_no_model("accuracy", accuracy, 0.1);
    }
    let comparison = compare(&runs);
    let row = comparison.row("better").unwrap();
    let speed = row.speed.as_ref().unwrap();
    assert_eq!((row.looks, speed.variant_arrived), (3, 10));
    assert_eq!(speed.answer.verdict, Some(Verdict::Helps));
}

#[test]
fn intervals_stay_within_what_is_possible() {
    let recipes = [Recipe::baseline("a", ""), Recipe::variant("b", "a", "")];
    let run = |variant: &str, seed: u64| {
        let accuracy = if (variant == "a") == seed.is_multiple_of(2) {
            1.0
        } else {
            0.0
        };
        TrainingRun::new(variant, seed)
            .with_metric("accuracy", accuracy)
            .with_metric("loss", 0.3)
    };
    let runs: Vec<TrainingRun> = (1..=3)
        .flat_map(|seed| [run("a", seed), run("b", seed)])
        .collect();
    let protocol = Protocol::classification().with_looks(Looks::once(3).unwrap());
    let comparison = Comparison::init(&protocol, &recipes, &runs).unwrap();
    let of_arm = comparison.arms[0].quality["accuracy"];
    assert_eq!((of_arm.low, of_arm.high), (0.0, 1.0));
    let effect = comparison.rows[0].quality[0].effect.unwrap();
    assert_eq!((effect.interval.low, effect.interval.high), (-1.0, 1.0));
    assert_eq!((effect.adjusted.low, effect.adjusted.high), (-1.0, 1.0));
}

#[test]
fn the_order_of_the_runs_does_not_matter() {
    let mut runs = runs(&recipes(), 29);
    let before = compare(&runs);
    runs.reverse();
    runs.swap(3, 17);
    assert!(compare(&runs) == before);
}

#[test]
fn a_comparison_survives_json() {
    let mut runs = runs(&recipes(), 10);
    runs[5] = runs[5].clone().with_metric("accuracy", f64::NAN);
    let comparison = compare(&runs);
    let json = serde_json::to_string(&comparison).unwrap();
    let read: Comparison = serde_json::from_str(&json).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), json);
    let nothing = compare(&[]);
    let json = serde_json::to_string(&nothing).unwrap();
    let read: Comparison = serde_json::from_str(&json).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), json);
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let good = runs(&recipes(), 2);
    let error = |recipes: &[Recipe], runs: &[TrainingRun]| {
        Comparison::init(&protocol(), recipes, runs).unwrap_err()
    };
    let mut twice = recipes();
    twice.push(Recipe::baseline("alike", ""));
    let name = "alike".to_owned();
    assert_eq!(error(&twice, &good), CompareError::DuplicateRecipe { name });
    for baseline in ["plan", "better"] {
        let mut recipes = recipes();
        recipes[1].baseline = Some(baseline.to_owned());
        let message = error(&recipes, &good).to_string();
        assert!(message.contains(&format!("{baseline:?}")), "{message}");
    }
    let with = |run: TrainingRun| [&good[..], &[run]].concat();
    for (run, message) in [
        (run("alike", 2, NONE), "\"alike\" has two runs with seed 2"),
        (
            run("other", 2, NONE),
            "the run with seed 2 is of \"other\", which no recipe describes",
        ),
        (
            TrainingRun::new("alike", 3),
            "\"alike\" with seed 3 does not say its \"accuracy\"",
        ),
        (
            TrainingRun::new("alike", 3)
                .with_metric("accuracy", 0.1)
                .with_metric("loss", 0.1),
            "does not say its \"arrival\"",
        ),
    ] {
        let error = error(&recipes(), &with(run)).to_string();
        assert!(error.contains(message), "{error}");
    }
    let wrong = protocol().with_looks(Looks::once(9).unwrap());
    let mut wrong = wrong;
    wrong.metrics[1].margin = 0.1;
    let error = Comparison::init(&wrong, &recipes(), &good).unwrap_err();
    assert!(error.to_string().contains("got 0.1"), "{error}");
}
