//! Keras's and Lightning's counting, against the callbacks themselves, and what they count wrongly.

use crate::oracle::{case, numbers, read};
use burn_tricks::stop::{
    Counting, Decision, EarlyStoppingConfig, Goal, MinDelta, NonFiniteMetric, StopReason,
};
use serde_json::Value;

fn goal(settings: &Value) -> Goal {
    match settings["mode"].as_str() {
        Some("max") => Goal::Maximize,
        _ => Goal::Minimize,
    }
}

fn keras(settings: &Value) -> EarlyStoppingConfig {
    EarlyStoppingConfig::keras(goal(settings))
        .with_patience(read(&settings["patience"]))
        .with_min_delta(MinDelta::Absolute(read(&settings["min_delta"])))
        .with_baseline(read(&settings["baseline"]))
        .with_warmup_checks(read(&settings["start_from_epoch"]))
}

fn lightning(settings: &Value) -> EarlyStoppingConfig {
    let config = EarlyStoppingConfig::lightning(goal(settings))
        .with_patience(read(&settings["patience"]))
        .with_min_delta(MinDelta::Absolute(read(&settings["min_delta"])))
        .with_target(read(&settings["stopping_threshold"]))
        .with_divergence_limit(read(&settings["divergence_threshold"]));
    if read(&settings["check_finite"]) {
        config
    } else {
        config.with_non_finite(NonFiniteMetric::CountAsNoImprovement)
    }
}

/// The decisions on the values that the library looked at.
fn decisions(config: &EarlyStoppingConfig, case: &Value) -> Vec<Decision> {
    let looked_at = read::<Vec<usize>>(&case["waited"]).len();
    let mut stop = config.init().unwrap();
    let values = numbers(&case["vals"]);
    values[..looked_at]
        .iter()
        .map(|value| stop.observe(*value))
        .collect()
}

fn stop_index(decisions: &[Decision]) -> Option<usize> {
    decisions.iter().position(Decision::should_stop)
}

/// Count, improvements, stop and best of a case are the library's.
fn follows(name: &str, config: &EarlyStoppingConfig, case: &Value) {
    let decisions = decisions(config, case);
    let waited: Vec<_> = decisions.iter().map(|decision| decision.waited).collect();
    assert_eq!(
        waited,
        read::<Vec<usize>>(&case["waited"]),
        "{name}: waited"
    );
    assert_eq!(
        stop_index(&decisions),
        read(&case["stop_index"]),
        "{name}: stop"
    );
    // Lightning's best score misses what reaches the threshold, see below.
    let stopped = decisions.last().unwrap();
    if matches!(stopped.stop, Some(StopReason::TargetReached { .. })) {
        return;
    }
    let improved: Vec<_> = decisions.iter().map(|decision| decision.improved).collect();
    assert_eq!(
        improved,
        read::<Vec<bool>>(&case["improved"]),
        "{name}: improved"
    );
    // What the libraries call the best is the last improvement by more than `min_delta`.
    let last = improved.iter().rposition(|improved| *improved);
    assert_eq!(last, read(&case["best_index"]), "{name}: best");
    let value = last.map(|check| numbers(&case["vals"])[check]);
    assert_eq!(value, read(&case["best_value"]), "{name}: best");
    // Ours is strictly better than that, if it is another.
    let better = decisions.iter().rposition(|decision| decision.is_best);
    assert_eq!(better.map(|check| check + 1), stopped.best_check, "{name}");
    assert!(
        better >= last,
        "{name}: an improvement is the best when it comes"
    );
    if let (Some(value), Some(best)) = (value, stopped.best)
        && better > last
    {
        assert!(config.goal.is_better(best, value), "{name}");
    }
}

#[test]
fn the_keras_preset_counts_as_keras() {
    let scripted = [
        "defaults",
        "patience_1",
        "baseline_never",
        "baseline_wavers",
        "baseline_beaten",
        "baseline_equal",
        "baseline_delta",
        "baseline_max",
        "start_3_baseline",
        "start_beyond",
    ];
    let walks: Vec<_> = (0..40).map(|seed| format!("walk_{seed}")).collect();
    for name in scripted.into_iter().chain(walks.iter().map(String::as_str)) {
        let case = case("keras_stopping", name);
        follows(name, &keras(&case["settings"]), case);
    }
}

#[test]
fn the_lightning_preset_counts_as_lightning() {
    let scripted = [
        "defaults",
        "patience_0",
        "nan_first",
        "nan_first_unchecked",
        "inf_unchecked",
        "threshold_equal",
        "threshold_max",
        "threshold_before_patience",
        "diverged_first",
        "diverged_equal",
        "diverged_goes_on",
        "infinity_diverged",
        "infinity_before_divergence",
    ];
    let walks: Vec<_> = (0..40).map(|seed| format!("walk_{seed}")).collect();
    for name in scripted.into_iter().chain(walks.iter().map(String::as_str)) {
        let case = case("lightning_stopping", name);
        let config = lightning(&case["settings"]);
        follows(name, &config, case);
        let reason = decisions(&config, case)
            .last()
            .and_then(|decision| decision.stop);
        let expected = match case["reason"].as_str().unwrap() {
            "NOT_STOPPED" => reason.is_none(),
            "NON_FINITE_METRIC" => matches!(reason, Some(StopReason::NonFinite)),
            "STOPPING_THRESHOLD" => matches!(reason, Some(StopReason::TargetReached { .. })),
            "DIVERGENCE_THRESHOLD" => matches!(reason, Some(StopReason::Diverged { .. })),
            "PATIENCE_EXHAUSTED" => matches!(reason, Some(StopReason::NoImprovement { .. })),
            other => panic!("{name}: {other}"),
        };
        // The last reason of a run that goes on may be an old one.
        assert!(expected || name == "diverged_goes_on", "{name}: {reason:?}");
    }
}

/// Keras's bug: a first value that is not finite is the best, a NaN for ever, and its weights come back.
#[test]
fn keras_nan_first_is_not_repeated() {
    let case_ = case("keras_stopping", "nan_first");
    assert_eq!(case_["best_value"], "nan", "the bug is there");
    assert_eq!(read::<Option<usize>>(&case_["stop_index"]), Some(3));
    let mut stop = keras(&case_["settings"]).init().unwrap();
    let all: Vec<_> = numbers(&case_["vals"])
        .iter()
        .map(|value| stop.observe(*value))
        .collect();
    assert_eq!(stop_index(&all), None);
    assert_eq!((all[4].best, all[4].best_check), (Some(0.6), Some(5)));
    // At patience 1 too: Keras never stops at the first epoch.
    let mut stop = EarlyStoppingConfig::keras(Goal::Minimize).init().unwrap();
    assert!(!stop.observe(f64::NAN).should_stop());
    assert!(stop.observe(0.9).improved);

    for (name, best) in [("inf_first", 0.9), ("minus_inf", 0.4)] {
        let case = case("keras_stopping", name);
        let mut stop = keras(&case["settings"]).with_patience(9).init().unwrap();
        let last = numbers(&case["vals"])
            .iter()
            .map(|value| stop.observe(*value))
            .last()
            .unwrap();
        assert_eq!(last.best, Some(best), "{name}");
    }
    assert_eq!(case("keras_stopping", "minus_inf")["best_value"], "-inf");
}

/// Lightning's bug: the best score is not that of the check that reached the threshold.
#[test]
fn what_reaches_the_threshold_is_the_best() {
    let case = case("lightning_stopping", "threshold_max");
    assert_eq!(
        read::<Option<usize>>(&case["stop_index"]),
        Some(2),
        "0.91, and not 0.9, which is not better"
    );
    assert_eq!(read::<f64>(&case["best_value"]), 0.9, "the bug is there");
    let last = *decisions(&lightning(&case["settings"]), case)
        .last()
        .unwrap();
    assert_eq!((last.best, last.improved), (Some(0.91), true));
}

/// Lightning looks no further at a value beyond the threshold: neither its count nor its best score changes.
#[test]
fn a_value_beyond_the_target_is_nothing_to_improve_on_in_lightning() {
    let config = EarlyStoppingConfig::lightning(Goal::Minimize)
        .with_patience(2)
        .with_target(Some(0.5));
    let mut stop = config.init().unwrap();
    let told = [1.0, 0.4, 0.9, 0.8].map(|value| {
        let decision = stop.observe(value);
        (decision.waited, decision.should_stop())
    });
    assert_eq!(told, [(0, false), (0, true), (0, false), (0, false)]);
    assert_eq!(stop.best(), Some(0.4));
}

/// Keras's code contradicts its documentation, which says that a run short of the baseline stops.
#[test]
fn our_baseline_is_the_documented_one() {
    let case = case("keras_stopping", "baseline_never");
    let config = keras(&case["settings"]).with_counting(Counting::Documented);
    let decisions = decisions(&config, case);
    assert_eq!(stop_index(&decisions), Some(1));
    assert_eq!(
        decisions[1].stop,
        Some(StopReason::BaselineNotBeaten {
            baseline: 0.5,
            checks: 2
        })
    );
    assert!(decisions[1].improved, "its weights are worth keeping");
    // Once it is beaten, it plays no part.
    let mut beaten = config.init().unwrap();
    let reasons: Vec<_> = [1.0, 0.4, 0.45, 0.42]
        .into_iter()
        .map(|value| beaten.observe(value).stop)
        .collect();
    assert_eq!(
        reasons,
        [
            None,
            None,
            None,
            Some(StopReason::NoImprovement { checks: 2 })
        ]
    );
}

/// Without a baseline, a target, and patience 0 the three agree.
#[test]
fn the_countings_differ_only_where_they_say() {
    for seed in 0..40 {
        let case = case("keras_stopping", &format!("walk_{seed}"));
        let config = keras(&case["settings"])
            .with_patience(2)
            .with_baseline(None);
        let all = [Counting::Documented, Counting::Keras, Counting::Lightning].map(|counting| {
            let mut stop = config.clone().with_counting(counting).init().unwrap();
            numbers(&case["vals"])
                .iter()
                .map(|value| stop.observe(*value))
                .collect::<Vec<_>>()
        });
        assert!(all[0] == all[1] && all[1] == all[2], "walk_{seed}");
    }
}

#[test]
fn a_diverged_value_is_never_the_best() {
    let config = EarlyStoppingConfig::new(Goal::Minimize).with_divergence_limit(Some(10.0));
    for counting in [Counting::Documented, Counting::Keras, Counting::Lightning] {
        let mut stop = config.clone().with_counting(counting).init().unwrap();
        let decision = stop.observe(12.0);
        assert_eq!(decision.stop, Some(StopReason::Diverged { limit: 10.0 }));
        assert_eq!((decision.improved, decision.best), (false, None));
    }
}

#[test]
fn the_presets_have_the_defaults_and_survive_json() {
    let keras = EarlyStoppingConfig::keras(Goal::Maximize);
    let lightning = EarlyStoppingConfig::lightning(Goal::Minimize);
    assert_eq!((keras.patience, lightning.patience), (0, 3));
    for config in [keras.with_baseline(Some(-1.5)), lightning] {
        let json = serde_json::to_string(&config).unwrap();
        let read: EarlyStoppingConfig = serde_json::from_str(&json).unwrap();
        assert_eq!(read, config);
        config.init().unwrap();
        let ours = config.with_patience(0).with_counting(Counting::Documented);
        let error = ours.init().unwrap_err();
        assert_eq!((error.field, error.got.as_str()), ("patience", "0"));
    }
    let config = EarlyStoppingConfig::new(Goal::Minimize).with_baseline(Some(f64::NAN));
    let error = config.init().unwrap_err();
    assert_eq!((error.field, error.got.as_str()), ("baseline", "NaN"));
}
