//! Reductions on plateaus against PyTorch, Keras and optax.

use crate::oracle::{assert_close, case, numbers, read};
use burn::lr_scheduler::LrScheduler;
use burn_tricks::schedule::*;
use burn_tricks::{Goal, MinDelta};

/// The rate after each check, of a constant rate of 1.
fn rates(config: &PlateauConfig, metrics: &[f64]) -> Vec<f64> {
    let mut schedule = 1.0.reduced_on_plateau(config).unwrap();
    let mut last = 1.0;
    let check = |&metric: &f64| {
        let reduced = schedule.observe(metric);
        let rate = schedule.step();
        // At the floor the scale still falls.
        let told = reduced == (rate < last) || (reduced && rate == config.floor);
        assert!(told, "what `observe` says of {metric}");
        last = rate;
        rate
    };
    metrics.iter().map(check).collect()
}

/// The preset of the library, with the settings of the case.
fn config(name: &str) -> PlateauConfig {
    let settings = &case("plateau", name)["settings"];
    let number = |key: &str| settings.get(key).map(read::<f64>);
    let count = |key: &str| settings.get(key).map(read::<usize>);
    let goal = match settings.get("mode").and_then(|mode| mode.as_str()) {
        Some("max") => Goal::Maximize,
        _ => Goal::Minimize,
    };
    let mut config = match name.split('_').next() {
        Some("torch") => PlateauConfig::torch(goal),
        Some("keras") => PlateauConfig::keras(goal),
        _ => PlateauConfig::optax(),
    };
    config.factor = number("factor").unwrap_or(config.factor);
    config.floor = number("min_lr").unwrap_or(config.floor);
    config.min_scale = number("min_scale").unwrap_or(config.min_scale);
    if let Some(patience) = count("patience") {
        config.patience = match config.patience {
            Patience::Exceeded(_) => Patience::Exceeded(patience),
            Patience::Reached(_) => Patience::Reached(patience),
        };
    }
    // Keras looks at the last check of a cooldown.
    let looked_at = usize::from(name.starts_with("keras"));
    config.cooldown = count("cooldown").map_or(0, |cooldown| cooldown - looked_at);
    if let Some(delta) = number("min_delta") {
        config.min_delta = MinDelta::Absolute(delta);
    }
    if let Some(threshold) = number("threshold").or(number("rtol")) {
        config.min_delta = MinDelta::Relative(threshold);
    }
    if settings.get("threshold_mode").is_some() {
        config.min_delta = MinDelta::Absolute(number("threshold").unwrap_or(1e-4));
    }
    config
}

#[test]
fn presets_agree_with_their_libraries() {
    for name in [
        "torch_constant",
        "torch_cooldown",
        "torch_falling",
        "torch_default",
        "torch_min_lr",
        "torch_max",
        "torch_nan",
        "torch_absolute",
        "torch_negative_absolute",
        "keras_constant",
        "keras_cooldown",
        "keras_falling",
        "keras_default",
        "optax_constant",
        "optax_cooldown",
        "optax_falling",
        "optax_min_scale",
        "optax_default",
    ] {
        let case = case("plateau", name);
        let actual = rates(&config(name), &numbers(&case["metrics"]));
        // Keras keeps the rate in f32.
        assert_close(&actual, &numbers(&case["values"]), 1e-6, name);
    }
}

/// PyTorch issue 38622, optax pull request 1767: `best · (1 − δ)` is worse than a negative best, so every
/// repetition of it was an improvement and the rate never fell.
#[test]
fn a_negative_metric_that_stands_still_is_a_plateau() {
    for (name, expected) in [
        (
            "torch_negative_relative_bug",
            [1.0, 0.5, 0.25, 0.125, 0.0625],
        ),
        ("optax_negative_bug", [1.0, 0.5, 0.25, 0.125, 0.0625]),
    ] {
        let case = case("plateau", name);
        assert_eq!(numbers(&case["values"]), [1.0; 5], "what the library does");
        let actual = rates(&config(name), &numbers(&case["metrics"]));
        assert_eq!(actual, expected, "{name}");
    }
    let maximize = PlateauConfig::torch(Goal::Maximize)
        .with_patience(Patience::Exceeded(0))
        .with_factor(0.5);
    assert_eq!(rates(&maximize, &[-1.0, -1.0, -0.5]), [1.0, 0.5, 0.5]);
}

#[test]
fn what_is_not_finite_is_never_the_best() {
    let config = PlateauConfig::new(Goal::Minimize).with_patience(Patience::Reached(1));
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut plateau = config.init().unwrap();
        assert!(plateau.observe(bad), "it counts as no improvement");
        assert_eq!(plateau.state().best, None);
        assert!(!plateau.observe(3.0_f32), "the first finite value improves");
        assert!(plateau.observe(bad));
        assert_eq!(plateau.state().best, Some(3.0));
    }
}

#[test]
fn it_multiplies_a_schedule_and_its_floor_never_lifts_one() {
    let line = LinearRampConfig::new(1.0, 0.0, 4).init().unwrap();
    let config = PlateauConfig::new(Goal::Minimize)
        .with_patience(Patience::Reached(1))
        .with_factor(0.5)
        .with_floor(0.3);
    let mut schedule = line.reduced_on_plateau(&config).unwrap();
    assert_eq!(schedule.step(), 1.0);
    schedule.observe(1.0);
    schedule.observe(1.0);
    let rest: Vec<f64> = (0..4).map(|_| schedule.step()).collect();
    assert_eq!(rest, [0.375, 0.3, 0.25, 0.0]);
}

#[test]
fn reductions_do_not_drift_and_end() {
    let config = PlateauConfig::new(Goal::Minimize)
        .with_patience(Patience::Reached(1))
        .with_factor(0.9);
    let mut plateau = config.init().unwrap();
    plateau.observe(1.0);
    for _ in 0..300 {
        plateau.observe(1.0);
    }
    assert_eq!(plateau.scale(), 0.9_f64.powf(300.0));
    for _ in 0..100_000 {
        plateau.observe(1.0);
    }
    assert!(!plateau.observe(1.0), "no scale is left to reduce");
    assert!(plateau.scale() < f64::MIN_POSITIVE);
}

#[test]
fn a_saved_plateau_goes_on_through_json_at_every_check() {
    let metrics = numbers(&case("plateau", "torch_falling")["metrics"]);
    let config = config("torch_falling");
    let mut whole = config.init().unwrap();
    let verdicts: Vec<bool> = metrics.iter().map(|&m| whole.observe(m)).collect();
    for at in 0..metrics.len() {
        let mut first = config.init().unwrap();
        for &metric in &metrics[..at] {
            first.observe(metric);
        }
        let json = serde_json::to_string(first.state()).unwrap();
        let state = serde_json::from_str(&json).unwrap();
        let mut second = config.init().unwrap().with_state(state);
        let rest: Vec<bool> = metrics[at..].iter().map(|&m| second.observe(m)).collect();
        assert_eq!(rest, verdicts[at..], "saved before check {at}");
    }
}

#[test]
fn nonsense_is_refused() {
    let new = || PlateauConfig::new(Goal::Minimize);
    let field = |config: PlateauConfig| config.init().unwrap_err().field;
    for bad in [0.0, 1.1, -0.5, f64::NAN] {
        assert_eq!(field(new().with_factor(bad)), "factor");
    }
    for bad in [-0.1, 1.1, f64::NAN] {
        assert_eq!(field(new().with_min_scale(bad)), "min_scale");
    }
    for bad in [-0.1, f64::NAN, f64::INFINITY] {
        assert_eq!(field(new().with_floor(bad)), "floor");
        assert_eq!(
            field(new().with_min_delta(MinDelta::Absolute(bad))),
            "min_delta"
        );
    }
    assert_eq!(field(new().with_patience(Patience::Reached(0))), "patience");
    assert!(new().with_patience(Patience::Exceeded(0)).init().is_ok());
}

#[test]
fn it_does_not_hide_a_nan() {
    let config = PlateauConfig::new(Goal::Minimize).with_floor(0.5);
    // A plain NaN is refused, and so is one in a `Boxed`.
    let nan = Box::new(f64::NAN) as Box<dyn LrScheduler>;
    let nan = burn_tricks::schedule::Boxed::from(nan);
    let mut schedule = nan.reduced_on_plateau(&config).unwrap();
    assert!(schedule.step().is_nan());
}
