//! Early stopping.

use crate::oracle::{case, numbers, read};
use burn_tricks::stop::{
    Decision, EarlyStopping, EarlyStoppingConfig, EarlyStoppingState, Goal, MinDelta,
    NonFiniteMetric, StopReason,
};

fn minimize() -> EarlyStoppingConfig {
    EarlyStoppingConfig::new(Goal::Minimize)
}

/// The decisions up to the one that stops.
fn observe(config: &EarlyStoppingConfig, values: &[f64]) -> Vec<Decision> {
    let mut stop = config.init().unwrap();
    let mut decisions = Vec::new();
    for value in values {
        let decision = stop.observe(*value);
        decisions.push(decision);
        if decision.should_stop() {
            break;
        }
    }
    decisions
}

fn last(config: &EarlyStoppingConfig, values: &[f64]) -> Decision {
    *observe(config, values).last().unwrap()
}

#[test]
fn follows_keras_traces() {
    for name in [
        "p0",
        "p2",
        "delta.1_p2",
        "start1_p2",
        "nan_mid_p3",
        "finishes",
    ] {
        let case = case("early_stopping", name);
        let settings = &case["settings"];
        // In Keras patience 0 means 1.
        let patience = read::<usize>(&settings["patience"]).max(1);
        let config = minimize()
            .with_patience(patience)
            .with_min_delta(MinDelta::Absolute(read(&settings["min_delta"])))
            .with_warmup_checks(read(&settings["start_from_epoch"]))
            .with_non_finite(NonFiniteMetric::CountAsNoImprovement);
        let decision = last(&config, &numbers(&case["vals"]));
        let stopped = decision.should_stop().then_some(decision.check - 1);
        assert_eq!(
            stopped,
            read::<Option<usize>>(&case["stop_index"]),
            "{name}"
        );
        // What Keras calls the best is the last improvement by more than `min_delta`.
        let values = numbers(&case["vals"]);
        let decisions = observe(&config, &values);
        let improved = decisions.iter().rposition(|decision| decision.improved);
        assert_eq!(improved, read(&case["best_index"]), "{name}");
        let value = improved.map(|check| values[check]);
        assert_eq!(value, read(&case["best_value"]), "{name}");
    }
}

#[test]
fn patience_counts_checks_in_a_row() {
    let decisions = observe(
        &minimize().with_patience(2),
        &[1.0, 1.1, 0.9, 1.0, 1.0, 0.1],
    );
    let waited: Vec<_> = decisions.iter().map(|decision| decision.waited).collect();
    assert_eq!(waited, [0, 1, 0, 1, 2]);
    assert_eq!(
        decisions[4].stop,
        Some(StopReason::NoImprovement { checks: 2 })
    );
    assert_eq!(
        (decisions[4].best, decisions[4].best_check),
        (Some(0.9), Some(3))
    );
    let never = minimize().with_patience(usize::MAX);
    assert_eq!(observe(&never, &[1.0; 500]).len(), 500);
}

#[test]
fn a_nan_is_never_best() {
    let config = minimize().with_patience(3);
    let nan_first = [f64::NAN, 0.9, 0.8, 0.7, 0.6];
    for policy in [
        NonFiniteMetric::CountAsNoImprovement,
        NonFiniteMetric::Ignore,
    ] {
        // Keras gives back the weights of the NaN.
        let decision = last(&config.clone().with_non_finite(policy), &nan_first);
        assert_eq!(
            (decision.stop, decision.best_check),
            (None, Some(5)),
            "{policy:?}"
        );
    }
    let decision = last(&config, &nan_first);
    assert_eq!(
        (decision.stop, decision.best),
        (Some(StopReason::NonFinite), None)
    );
}

#[test]
fn the_non_finite_policies_differ_in_patience() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let config = minimize().with_patience(2);
        let values = [1.0, bad, bad, 1.0, 1.0];
        let check = |policy| last(&config.clone().with_non_finite(policy), &values).check;
        assert_eq!(check(NonFiniteMetric::Stop), 2, "{bad}");
        assert_eq!(check(NonFiniteMetric::CountAsNoImprovement), 3, "{bad}");
        assert_eq!(check(NonFiniteMetric::Ignore), 5, "{bad}");
    }
}

#[test]
fn min_delta_is_right_for_negative_metrics() {
    let relative = minimize()
        .with_patience(2)
        .with_min_delta(MinDelta::Relative(0.01));
    // PyTorch's rule calls each of these an improvement.
    assert_eq!(last(&relative, &[-1.0; 9]).check, 3);
    assert_eq!(last(&relative, &[-1.0, -1.005, -1.008, -2.0]).check, 3);
    assert_eq!(
        last(&relative, &[-1.0, -1.02, -1.05, -2.0]).best_check,
        Some(4)
    );
    let maximize = EarlyStoppingConfig::new(Goal::Maximize)
        .with_patience(1)
        .with_min_delta(MinDelta::Absolute(0.5));
    assert_eq!(last(&maximize, &[-3.0, -2.4, -2.0]).check, 3);
}

#[test]
fn the_target_stops_and_is_the_best() {
    let config = EarlyStoppingConfig::new(Goal::Maximize).with_target(Some(0.9));
    let decision = last(&config, &[0.5, 0.9, 1.0]);
    assert_eq!(
        decision.stop,
        Some(StopReason::TargetReached { target: 0.9 })
    );
    assert_eq!((decision.check, decision.best_check), (2, Some(2)));
}

#[test]
fn an_infinity_does_not_reach_the_target() {
    // Of a goal: a value short of the target, the target, and a limit.
    for (goal, start, target, limit, infinity) in [
        (Goal::Maximize, 0.5, 0.9, 0.1, f64::INFINITY),
        (Goal::Minimize, 0.5, 0.1, 0.9, f64::NEG_INFINITY),
    ] {
        let config = EarlyStoppingConfig::new(goal)
            .with_patience(2)
            .with_target(Some(target))
            .with_divergence_limit(Some(limit))
            .with_non_finite(NonFiniteMetric::CountAsNoImprovement);
        let decision = last(&config, &[start, infinity, infinity, target]);
        assert_eq!(
            decision.stop,
            Some(StopReason::NoImprovement { checks: 2 }),
            "{goal:?}"
        );
        assert_eq!(
            (decision.check, decision.best),
            (3, Some(start)),
            "{goal:?}"
        );
        let diverged = last(&config, &[-infinity]).stop;
        assert_eq!(diverged, Some(StopReason::Diverged { limit }), "{goal:?}");
    }
}

#[test]
fn divergence_stops_at_once() {
    let config = minimize()
        .with_patience(9)
        .with_divergence_limit(Some(10.0));
    let decision = last(&config, &[3.0, 10.0, 10.1, 1.0]);
    assert_eq!(decision.stop, Some(StopReason::Diverged { limit: 10.0 }));
    assert_eq!((decision.check, decision.best_check), (3, Some(1)));
}

#[test]
fn warm_up_looks_only_for_what_is_not_finite() {
    let config = minimize()
        .with_patience(1)
        .with_warmup_checks(2)
        .with_target(Some(0.0))
        .with_divergence_limit(Some(100.0));
    let decision = last(&config, &[-1.0, 1e9, 5.0, 4.0]);
    assert_eq!((decision.stop, decision.best_check), (None, Some(4)));
    assert_eq!(
        last(&config, &[1.0, f64::NAN]).stop,
        Some(StopReason::NonFinite)
    );
}

#[test]
fn reasons_say_themselves() {
    let text = |reason: StopReason| reason.to_string();
    assert_eq!(
        text(StopReason::NoImprovement { checks: 4 }),
        "no improvement in 4 checks"
    );
    assert_eq!(
        text(StopReason::TargetReached { target: 0.9 }),
        "the target 0.9 is reached"
    );
    assert_eq!(
        text(StopReason::Diverged { limit: 8.5 }),
        "worse than the divergence limit 8.5"
    );
    assert_eq!(text(StopReason::NonFinite), "the metric is not finite");
}

#[test]
fn a_resumed_run_is_the_same_run_at_every_check() {
    let config = minimize()
        .with_patience(3)
        .with_warmup_checks(1)
        .with_non_finite(NonFiniteMetric::CountAsNoImprovement);
    let values = [
        0.1,
        5.0,
        4.0,
        f64::NAN,
        4.5,
        3.9,
        4.0,
        f64::INFINITY,
        4.0,
        1.0,
    ];
    let whole = observe(&config, &values);
    assert_eq!(whole.len(), 9, "the run stops");
    for at in 0..whole.len() {
        let mut first = config.init().unwrap();
        for value in &values[..at] {
            first.observe(*value);
        }
        let json = serde_json::to_string(first.state()).unwrap();
        let state: EarlyStoppingState = serde_json::from_str(&json).unwrap();
        let mut second = config.init().unwrap().with_state(state);
        let rest: Vec<_> = values[at..whole.len()]
            .iter()
            .map(|value| second.observe(*value))
            .collect();
        assert_eq!(rest, whole[at..], "saved before check {at}");
    }
}

#[test]
fn a_run_that_goes_on_is_judged_by_the_same_rules() {
    let mut stop = minimize().with_patience(1).init().unwrap();
    stop.observe(1.0);
    assert!(stop.observe(2.0).should_stop());
    assert!(stop.observe(2.0).should_stop());
    assert!(!stop.observe(0.5).should_stop());
}

#[test]
fn a_meaningless_configuration_is_refused() {
    let field = |config: EarlyStoppingConfig| config.init().unwrap_err().field;
    assert_eq!(field(minimize().with_patience(0)), "patience");
    let delta = MinDelta::Relative(-0.1);
    assert_eq!(field(minimize().with_min_delta(delta)), "min_delta");
    assert_eq!(field(minimize().with_target(Some(f64::NAN))), "target");
    let limit = Some(f64::INFINITY);
    assert_eq!(
        field(minimize().with_divergence_limit(limit)),
        "divergence_limit"
    );
    let crossed = minimize()
        .with_target(Some(1.0))
        .with_divergence_limit(Some(0.5));
    assert_eq!(field(crossed), "divergence_limit");
}

#[test]
fn it_survives_json_and_is_a_value() {
    fn value<T: Clone + Send + Sync + 'static>() {}
    value::<EarlyStopping>();
    let config = minimize()
        .with_patience(usize::MAX)
        .with_min_delta(MinDelta::Relative(0.5))
        .with_target(Some(-1.0))
        .with_divergence_limit(Some(f64::MAX))
        .with_non_finite(NonFiniteMetric::Ignore);
    let json = serde_json::to_string(&config).unwrap();
    let read: EarlyStoppingConfig = serde_json::from_str(&json).unwrap();
    assert_eq!(read, config);
}
