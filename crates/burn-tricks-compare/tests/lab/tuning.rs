use std::{cell::RefCell, io, num::NonZeroUsize, process::Command};

use burn_tricks_compare::{
    Job, Looks, Protocol, QualityMetric, RUN_PREFIX, Recipe, Runner, Store, TrainingRun, Tuned,
    Tuning, TuningError,
};
use serde_json::{Value, json};

use crate::noise;

/// Plain SGD, whose best rate is four times its own; Adam, whose rate is the best; a recipe that wants a
/// far larger one; and one that never works.
fn recipes() -> Vec<Recipe> {
    let settings = |best: f64| json!({"optim": {"rate": 0.1}, "best": best});
    vec![
        Recipe::baseline("sgd", "plain SGD").with_settings(settings(0.4)),
        Recipe::variant("adam", "sgd", "Adam").with_settings(settings(0.1)),
        Recipe::variant("slow", "sgd", "wants more").with_settings(settings(6.4)),
        Recipe::variant("broken", "sgd", "").with_settings(settings(f64::MAX)),
    ]
}

fn protocol() -> Protocol {
    Protocol::new([QualityMetric::loss("loss")]).with_looks(Looks::once(8).unwrap())
}

/// The validation loss is a parabola over the logarithm of the rate, with noise that the seed shares and
/// noise of its own; far above the best rate the training diverges.
fn run(candidate: &Recipe, seed: u64) -> TrainingRun {
    let number = |place: &str| candidate.settings.pointer(place).unwrap().as_f64().unwrap();
    let (rate, best) = (number("/optim/rate"), number("/best"));
    let off = (rate / best).log2();
    let own = noise(seed, rate.to_bits());
    let loss = match best {
        f64::MAX => f64::NAN,
        _ if off > 2.5 => f64::NAN,
        _ => 0.2 * (0.3 * off * off + 0.5 * noise(seed, 0) + 0.1 * own).exp(),
    };
    TrainingRun::new(&candidate.name, seed).with_metric_and_no_model("loss", loss, 2.3)
}

fn job(candidate: &Recipe, seeds: &[u64]) -> io::Result<Job> {
    job_of(run, candidate, seeds)
}

/// A job of runs that `run` makes up.
fn job_of(
    run: fn(&Recipe, u64) -> TrainingRun,
    candidate: &Recipe,
    seeds: &[u64],
) -> io::Result<Job> {
    let mut script = String::new();
    for seed in seeds {
        let json = serde_json::to_string(&run(candidate, *seed))?;
        script += &format!("echo '{RUN_PREFIX}{json}'\n");
    }
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    Ok(Job {
        label: candidate.name.clone(),
        seeds: seeds.to_vec(),
        command,
    })
}

fn runner() -> Runner {
    Runner::new(NonZeroUsize::new(4).unwrap())
}

fn tuning() -> Tuning {
    Tuning::new("optim.rate", QualityMetric::loss("loss"))
}

fn tuned() -> (Tuned, Vec<(String, u64)>) {
    let asked = RefCell::new(Vec::new());
    let tuned = tuning().run(
        &protocol(),
        &recipes(),
        &runner(),
        None,
        |candidate, seeds| {
            asked
                .borrow_mut()
                .extend(seeds.iter().map(|seed| (candidate.name.clone(), *seed)));
            job(candidate, seeds)
        },
    );
    (tuned.unwrap(), asked.into_inner())
}

#[test]
fn each_recipe_gets_its_best_rate_by_the_same_budget() {
    let (tuned, asked) = tuned();
    let chosen: Vec<f64> = tuned.arms.iter().map(|arm| arm.chosen).collect();
    assert_eq!(chosen, [0.4, 0.1, 1.6, 0.1]);
    // Eight with two seeds, four with four, two with eight.
    assert_eq!(tuning().runs_per_recipe(), 8 * 2 + 4 * 2 + 2 * 4);
    let three = tuning().with_first_seeds(NonZeroUsize::new(3).unwrap());
    assert_eq!(three.runs_per_recipe(), 8 * 3 + 4 * 3 + 2 * 6);
    for recipe in recipes() {
        let of_recipe = asked
            .iter()
            .filter(|(name, _)| name.starts_with(&format!("{} at", recipe.name)));
        assert_eq!(of_recipe.count(), 32, "{}", recipe.name);
    }
    let seeds: Vec<usize> = tuned.arms[0]
        .candidates
        .iter()
        .map(|candidate| candidate.seeds)
        .collect();
    assert_eq!(seeds.iter().sum::<usize>(), 32);
    assert_eq!(
        tuned.arms[0].candidates[5].seeds, 8,
        "the best stays to the end"
    );
    assert!(tuned.arms[2].is_at_edge && !tuned.arms[0].is_at_edge);
    assert!(tuned.arms[3].has_failed && !tuned.arms[3].is_at_edge);

    // The recipes are as they were but for the rate.
    for (tuned, recipe) in tuned.recipes.iter().zip(recipes()) {
        assert_eq!(
            (&tuned.name, &tuned.baseline),
            (&recipe.name, &recipe.baseline)
        );
        assert_eq!(tuned.settings["best"], recipe.settings["best"]);
    }
    assert_eq!(tuned.recipes[0].settings["optim"]["rate"], json!(0.4));

    let method = tuned.method();
    assert!(
        method.contains("of 8 values by successive halving on validation loss, 32 runs each"),
        "{method}"
    );
    assert!(
        method.contains("further out may be better: slow.") && method.contains("stays: broken.")
    );
    assert_eq!(tuned.table().lines().count(), 5);
}

/// No model scores more than any candidate that works, as among classes of which one is common.
#[test]
fn a_rate_with_which_every_run_fails_never_wins() {
    fn run(candidate: &Recipe, seed: u64) -> TrainingRun {
        let accuracy = match candidate.settings["rate"].as_f64() {
            Some(rate) if rate > 0.15 => f64::NAN,
            Some(rate) if rate > 0.075 => 0.88,
            Some(rate) if rate > 0.04 => 0.89,
            Some(rate) if rate > 0.02 => 0.87,
            _ => 0.85,
        };
        TrainingRun::new(&candidate.name, seed).with_metric_and_no_model("accuracy", accuracy, 0.9)
    }
    let accuracy = QualityMetric::share("accuracy");
    let protocol = Protocol::new([accuracy.clone()]).with_looks(Looks::once(8).unwrap());
    let sgd = [Recipe::baseline("sgd", "").with_settings(json!({"rate": 0.1}))];
    let job = |candidate: &Recipe, seeds: &[u64]| job_of(run, candidate, seeds);
    let tuning = Tuning::new("rate", accuracy);
    let tuned = tuning.run(&protocol, &sgd, &runner(), None, job);
    let arm = &tuned.unwrap().arms[0];
    assert_eq!((arm.candidates.len(), arm.chosen), (8, 0.05));
    assert!(!arm.has_failed);
}

#[test]
fn no_seed_of_the_tuning_is_compared() {
    let (_, asked) = tuned();
    let protocol = protocol();
    let compared: Vec<u64> = (0..8).map(|place| protocol.seed(place)).collect();
    assert!(asked.iter().all(|(_, seed)| !compared.contains(seed)));
    let at = |first: u64| {
        let tuning = tuning().with_first_seed(first);
        tuning.run(&protocol, &recipes(), &runner(), None, job)
    };
    for first in [1, 8, 0, u64::MAX - 5] {
        let error = at(first).unwrap_err().to_string();
        let expected = format!("from {first} on, are among those that are compared, from 1 on");
        assert!(error.contains(&expected), "{error}");
    }
    assert!(at(9).is_ok() && at(u64::MAX - 6).is_ok());
}

#[test]
fn a_stopped_tuning_continues_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.jsonl");
    let candidates = tuning().candidates(&recipes()).unwrap();
    let open = || Store::open(&path, &candidates, &json!("validation")).unwrap();

    // It stops in the middle of the first round.
    let made = RefCell::new(0);
    let stopped = tuning().run(
        &protocol(),
        &recipes(),
        &runner().with_fail_fast(true),
        Some(&mut open()),
        |candidate, seeds| {
            *made.borrow_mut() += 1;
            match *made.borrow() {
                20 => Ok(Job {
                    command: Command::new("false"),
                    ..job(candidate, seeds)?
                }),
                _ => job(candidate, seeds),
            }
        },
    );
    assert!(matches!(stopped, Err(TuningError::Stopped { .. })));
    let mut store = open();
    store.forget_failed();
    let kept = store.runs().len();
    assert!((1..64).contains(&kept), "{kept}");
    let mut again = 0;
    let continued = tuning().run(
        &protocol(),
        &recipes(),
        &runner(),
        Some(&mut store),
        |candidate, seeds| {
            again += 1;
            job(candidate, seeds)
        },
    );
    assert_eq!(again, 4 * 32 - kept);
    let text = |tuned: &Tuned| serde_json::to_string(tuned).unwrap();
    assert_eq!(text(&continued.unwrap()), text(&tuned().0));
    let from_the_store = tuning().run(
        &protocol(),
        &recipes(),
        &runner(),
        Some(&mut store),
        |_, _| unreachable!("every run is there"),
    );
    assert_eq!(text(&from_the_store.unwrap()), text(&tuned().0));
}

#[test]
fn what_ends_without_a_result_is_told() {
    let fails = |candidate: &Recipe, seeds: &[u64]| {
        let job = job(candidate, seeds)?;
        Ok(match candidate.settings["optim"]["rate"].as_f64() {
            Some(rate) if rate > 0.3 => Job {
                command: Command::new("false"),
                ..job
            },
            _ => job,
        })
    };
    let sgd = &recipes()[..1];
    let tuned = tuning().run(&protocol(), sgd, &runner(), None, fails);
    let tuned = tuned.unwrap();
    // Rates of 0.4, 0.8 and 1.6 with two seeds each.
    let failed: Vec<&str> = tuned.failed.iter().map(|run| &*run.variant).collect();
    assert_eq!((failed.len(), failed[0]), (6, "sgd at optim.rate = 0.4"));
    assert_eq!(tuned.arms[0].chosen, 0.2);
    let table = tuned.table();
    assert!(table.contains("0.400: 2 (2 failed)"), "{table}");
    let method = tuned.method();
    assert!(
        method.ends_with(" 6 runs ended without a result, and count as no model."),
        "{method}"
    );

    let fast = runner().with_fail_fast(true);
    let stopped = tuning().run(&protocol(), sgd, &fast, None, fails);
    let told = stopped.unwrap_err().to_string();
    assert!(
        told.contains(" failed: the worker ended with exit status: 1"),
        "{told}"
    );
}

#[test]
fn a_whole_number_stays_one() {
    let of = |settings| Recipe::baseline("sgd", "").with_settings(settings);
    let whole = [of(json!({"batch": 32})), of(json!({"batch": u64::MAX}))];
    let tuning = |factors: &[f64]| {
        let tuning = Tuning::new("batch", QualityMetric::loss("loss"));
        tuning.with_factors(factors).unwrap()
    };
    let own = tuning(&[]).run(&protocol(), &whole, &runner(), None, |_, _| unreachable!());
    assert_eq!(own.unwrap().recipes, whole);
    let candidates = |recipe: &Recipe| {
        let tuning = tuning(&[0.125, 0.5, 2.0]);
        let candidates = tuning.candidates(std::slice::from_ref(recipe)).unwrap();
        let values = candidates.iter().map(|of| of.settings["batch"].clone());
        values.collect::<Vec<Value>>()
    };
    let expected = [4, 16, 32, 64].map(Value::from);
    assert_eq!(candidates(&whole[0]), expected);
    // A rate may be written as 1, and one that is not stays as it is.
    let expected = [json!(0.125), json!(0.5), json!(1), json!(2)];
    assert_eq!(candidates(&of(json!({"batch": 1}))), expected);
    let expected = [4.0, 16.0, 32.0, 64.0].map(Value::from);
    assert_eq!(candidates(&of(json!({"batch": 32.0}))), expected);
}

#[test]
fn what_cannot_be_tuned_is_refused_with_its_value() {
    let error = |setting: &str, recipes: &[Recipe]| {
        let tuning = Tuning::new(setting, QualityMetric::loss("loss"));
        tuning.candidates(recipes).unwrap_err().to_string()
    };
    let absent = error("rate", &recipes());
    assert_eq!(absent, "\"sgd\" has no setting `rate` to tune");
    let zero = Recipe::baseline("zero", "").with_settings(json!({"rate": 0.0}));
    let expected = "`rate` of \"zero\" must be a positive number to be tuned, got 0.0";
    assert_eq!(error("rate", &[zero]), expected);
    let error = tuning().with_factors(&[2.0, -1.0]).unwrap_err().to_string();
    assert!(error.ends_with("got -1"), "{error}");
    let only_its_own = tuning().with_factors(&[]).unwrap();
    assert_eq!(only_its_own.runs_per_recipe(), 0);
}
