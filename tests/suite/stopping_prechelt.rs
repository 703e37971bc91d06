//! The criteria of Prechelt, by his definitions, and a smoothed metric in front of any criterion.

use crate::norms::{assert_json, assert_refused};
use crate::oracle::assert_close;
use burn_tricks::stop::{
    All, Any, Decision, EarlyStoppingConfig, GeneralizationLossConfig, Goal, NoiseAwareConfig,
    Observation, ProgressQuotientConfig, RisingStripsConfig, SmoothedConfig, StopCriterion,
    StopReason,
};

/// A validation error with two minima and a slow rise, and a training error that falls ever more slowly.
fn curves() -> Vec<(f64, f64)> {
    (1..=120)
        .map(|t| {
            let t = f64::from(t);
            let validation = 20.0 + 60.0 / t + 0.0008 * t * t + 0.4 * (t / 4.0).sin();
            let training = 15.0 + 60.0 / t + 0.3 * (-t / 30.0).exp() * (t / 2.0).sin();
            (validation, training)
        })
        .collect()
}

/// GL(t) of the paper, for the errors up to t.
fn generalization_loss(errors: &[f64]) -> f64 {
    let lowest = errors.iter().copied().fold(f64::INFINITY, f64::min);
    100.0 * (errors[errors.len() - 1] / lowest - 1.0)
}

/// P_k(t) of the paper, for the errors up to t.
fn progress(training: &[f64], k: usize) -> f64 {
    let strip = &training[training.len() - k..];
    let lowest = strip.iter().copied().fold(f64::INFINITY, f64::min);
    1000.0 * (strip.iter().sum::<f64>() / (k as f64 * lowest) - 1.0)
}

/// The first check at which the criterion stops.
fn stops(criterion: impl StopCriterion, curves: &[(f64, f64)]) -> Option<(usize, StopReason)> {
    let mut criterion = criterion;
    curves.iter().find_map(|(validation, training)| {
        let observation = Observation::from(*validation).with_training(*training);
        let decision = criterion.observe(observation);
        decision.stop.map(|reason| (decision.check, reason))
    })
}

#[test]
fn each_criterion_stops_where_the_paper_does() {
    let curves = curves();
    let (validation, training): (Vec<f64>, Vec<f64>) = curves.iter().copied().unzip();
    let first = |stop: &dyn Fn(usize) -> bool| (1..=curves.len()).find(|t| stop(*t));
    let mut checks = Vec::new();
    for percent in [1.0, 2.0, 3.0, 5.0] {
        let expected = first(&|t| generalization_loss(&validation[..t]) > percent);
        let criterion = GeneralizationLossConfig::new(percent).init().unwrap();
        let stopped = stops(criterion, &curves);
        let reason = StopReason::GeneralizationLoss { percent };
        assert_eq!(stopped, expected.map(|t| (t, reason)), "GL {percent}");
        checks.push(expected.unwrap());
    }
    for k in [2, 5] {
        for quotient in [0.5, 0.75, 1.0, 2.0, 3.0] {
            let expected = first(&|t| {
                t % k == 0 && {
                    let loss = generalization_loss(&validation[..t]);
                    loss / progress(&training[..t], k) > quotient
                }
            });
            let config = ProgressQuotientConfig::new(quotient).with_strip(k);
            let stopped = stops(config.init().unwrap(), &curves);
            let reason = StopReason::LittleProgress { quotient };
            assert_eq!(stopped, expected.map(|t| (t, reason)), "PQ {quotient} {k}");
            checks.push(expected.unwrap());
        }
        for strips in [1, 2, 3, 4, 6] {
            let rises = |t: usize| t > k && validation[t - 1] > validation[t - 1 - k];
            let expected = first(&|t| {
                t % k == 0 && t > k * strips && (0..strips).all(|back| rises(t - back * k))
            });
            let config = RisingStripsConfig::new(strips).with_strip(k);
            let stopped = stops(config.init().unwrap(), &curves);
            let reason = StopReason::RisingStrips { strips };
            assert_eq!(stopped, expected.map(|t| (t, reason)), "UP {strips} {k}");
            checks.push(expected.unwrap());
        }
    }
    // The curves tell the criteria apart.
    checks.sort_unstable();
    checks.dedup();
    assert!(checks.len() > 10, "{checks:?}");
}

/// The numbers of a strip by hand: GL = 10 against P = 1000 (0.33 / 0.30 − 1) = 100.
#[test]
fn the_quotient_of_a_strip_by_hand() {
    let strip = [(0.5, 0.36), (0.55, 0.30)];
    let stop = |quotient| {
        let config = ProgressQuotientConfig::new(quotient).with_strip(2);
        stops(config.init().unwrap(), &strip).is_some()
    };
    // A hair on either side of 0.1.
    assert!(stop(0.0999));
    assert!(!stop(0.1001));
    // A training error that stands still is no progress, and one of 0 throughout is none either.
    for training in [0.3, 0.0] {
        let strip = [(0.5, training), (0.51, training)];
        let config = ProgressQuotientConfig::new(1e6).with_strip(2);
        assert!(
            stops(config.init().unwrap(), &strip).is_some(),
            "{training}"
        );
    }
    // One that falls to 0 is endless progress. A loss of 0 may have a sign.
    for zero in [0.0, -0.0] {
        let strip = [(0.5, 0.3), (5.0, zero)];
        let config = ProgressQuotientConfig::new(1e-6).with_strip(2);
        assert_eq!(stops(config.init().unwrap(), &strip), None, "{zero:?}");
    }
}

#[test]
fn what_is_no_error_stops_and_says_so() {
    let reason = |mut criterion: Box<dyn FnMut(Observation) -> Option<StopReason>>, value: f64| {
        criterion(Observation::from(0.5).with_training(0.5));
        criterion(Observation::from(value).with_training(0.5))
    };
    fn boxed(
        mut criterion: impl StopCriterion + 'static,
    ) -> Box<dyn FnMut(Observation) -> Option<StopReason>> {
        Box::new(move |observation| criterion.observe(observation).stop)
    }
    let all = || {
        [
            boxed(GeneralizationLossConfig::new(1e9).init().unwrap()),
            boxed(ProgressQuotientConfig::new(1e9).init().unwrap()),
            boxed(RisingStripsConfig::new(100).init().unwrap()),
        ]
    };
    for criterion in all() {
        let negative = StopReason::NegativeError { value: -0.25 };
        assert_eq!(reason(criterion, -0.25), Some(negative));
        assert!(negative.to_string().ends_with("the metric is -0.25"));
    }
    for criterion in all() {
        assert_eq!(reason(criterion, f64::NAN), Some(StopReason::NonFinite));
    }
    for criterion in all() {
        assert_eq!(reason(criterion, 0.5), None);
    }
    let mut quotient = ProgressQuotientConfig::new(1.0).init().unwrap();
    assert!(quotient.needs_training());
    let decision = quotient.observe(0.5);
    assert_eq!(decision.stop, Some(StopReason::NoTrainingError));
    let bad = Observation::from(0.5).with_training(f64::NAN);
    assert_eq!(quotient.observe(bad).stop, Some(StopReason::NonFinite));
    // A first value that is none is never the best.
    let mut loss = GeneralizationLossConfig::new(5.0).init().unwrap();
    assert!(!loss.observe(f64::NAN).is_best);
    assert!(loss.observe(0.5).is_best);
    // Above a lowest error of 0, every error is infinitely larger, also if that 0 has a sign.
    for zero in [0.0, -0.0] {
        let mut loss = loss.clone();
        assert_eq!(loss.observe(zero).stop, None);
        assert!(loss.observe(1e-9).should_stop(), "{zero:?}");
        let rises = [zero, 0.1, 0.1, 0.1, 0.1].map(|error| (error, 0.3));
        assert!(stops(quotient.clone(), &rises).is_some(), "{zero:?}");
    }
}

#[test]
fn a_need_for_the_training_error_is_passed_on() {
    let quotient = || ProgressQuotientConfig::new(1.0).init().unwrap();
    let patience = || EarlyStoppingConfig::new(Goal::Minimize).init().unwrap();
    assert!(!patience().needs_training());
    assert!(
        Any::init((patience(), quotient()))
            .unwrap()
            .needs_training()
    );
    assert!(All::init(vec![quotient()]).unwrap().needs_training());
    let smoothed = SmoothedConfig::new(0.5);
    assert!(smoothed.init(quotient()).unwrap().needs_training());
    assert!(!smoothed.init(patience()).unwrap().needs_training());
}

#[test]
fn rises_are_counted_anew_after_a_roll_back() {
    let mut stop = RisingStripsConfig::new(2).with_strip(1).init().unwrap();
    for error in [1.0, 2.0] {
        assert!(!stop.observe(error).should_stop());
    }
    stop.reset_waiting();
    for error in [3.0, 4.0] {
        assert!(!stop.observe(error).should_stop(), "{error}");
    }
    assert!(stop.observe(5.0).should_stop());
    assert_eq!(stop.best(), Some(1.0));
}

#[test]
fn the_smoothed_metric_is_the_bias_corrected_average() {
    let values = [1.0, 0.4, 0.7, 0.1, 2.0, 0.3];
    for decay in [0.0, 0.5, 0.9] {
        let patience = EarlyStoppingConfig::new(Goal::Minimize).with_patience(usize::MAX);
        let mut stop = SmoothedConfig::new(decay)
            .init(patience.init().unwrap())
            .unwrap();
        assert_eq!(stop.value(), None);
        let mut best = f64::INFINITY;
        for t in 1..=values.len() {
            let decision = stop.observe(values[t - 1]);
            // Σ βᵗ⁻ⁱ xᵢ / Σ βᵗ⁻ⁱ
            let weights = (1..=t).map(|i| f64::powi(decay, (t - i) as i32));
            let sum: f64 = weights.clone().zip(values).map(|(w, x)| w * x).sum();
            let expected = sum / weights.sum::<f64>();
            assert_close(&[stop.value().unwrap()], &[expected], 1e-12, "the mean");
            assert_eq!(decision.is_best, expected < best - 1e-12, "{decay} {t}");
            best = best.min(expected);
            assert_close(&[decision.best.unwrap()], &[best], 1e-12, "the best");
        }
        // A NaN reaches the criterion, and not the average.
        let before = stop.value();
        assert_eq!(stop.observe(f64::NAN).stop, Some(StopReason::NonFinite));
        assert_eq!(stop.value(), before);
    }
}

/// Its average does not wander by rounding errors, each of which would be a new best value.
#[test]
fn a_metric_that_stands_still_is_the_best_once() {
    for decay in [0.5, 0.6, 0.7, 0.8] {
        for value in [0.9, 0.1, 0.98, 0.875] {
            for goal in [Goal::Minimize, Goal::Maximize] {
                let smoothed = |patience| {
                    let config = EarlyStoppingConfig::new(goal).with_patience(patience);
                    SmoothedConfig::new(decay).init(config.init().unwrap())
                };
                let mut endless = smoothed(usize::MAX).unwrap();
                for check in 1..=30 {
                    let decision = endless.observe(value);
                    assert_eq!(decision.is_best, check == 1, "{decay} {value} {check}");
                    assert_eq!(endless.value(), Some(value));
                }
                let stopped = stops(smoothed(3).unwrap(), &[(value, 0.0); 30]);
                let reason = StopReason::NoImprovement { checks: 3 };
                assert_eq!(stopped, Some((4, reason)), "{decay} {value} {goal:?}");
            }
        }
    }
}

/// One lucky check does not count as an improvement once it is smoothed, and the error of a mean is smaller than that of
/// a value.
#[test]
fn patience_on_a_smoothed_metric_ignores_single_checks() {
    let patience = || {
        let config = EarlyStoppingConfig::new(Goal::Minimize).with_patience(3);
        config.init().unwrap()
    };
    let values = [1.0, 1.1, 0.98, 1.2, 1.1, 0.97, 1.2, 1.1, 1.2];
    let first = |mut stop: Box<dyn FnMut(f64) -> bool>| values.iter().position(|x| stop(*x));
    let mut plain = patience();
    let mut smooth = SmoothedConfig::new(0.8).init(patience()).unwrap();
    let without = first(Box::new(move |x| plain.observe(x).should_stop()));
    let with = first(Box::new(move |x| smooth.observe(x).should_stop()));
    assert_eq!((without, with), (Some(8), Some(3)));

    let aware = NoiseAwareConfig::new(Goal::Minimize).init().unwrap();
    let mut smooth = SmoothedConfig::new(0.5).init(aware).unwrap();
    assert!(smooth.needs_standard_error());
    let noisy = |value: f64| Observation::from(value).with_standard_error(0.1);
    smooth.observe(noisy(1.0));
    // √(0.25² + 0.5²) / 0.75 of 0.1 is 0.0745; two of them, twice over: 0.25 is beyond, and 0.2 is not.
    let improved = |drop: f64| {
        let mut smooth = smooth.clone();
        // The smoothed drop is two thirds of the drop.
        smooth.observe(noisy(1.0 - 1.5 * drop)).improved
    };
    let bound = 2.0 * 0.1_f64.hypot(0.1 * 0.3125_f64.sqrt() / 0.75);
    assert!(improved(bound + 1e-6) && !improved(bound - 1e-6), "{bound}");
}

/// A metric of 50 would weigh on the next checks, although the weights are the best ones again.
#[test]
fn a_roll_back_takes_the_smoothed_metric_back_to_the_best_check() {
    fn check(mut stop: impl StopCriterion) {
        for value in [0.5, 0.5] {
            assert!(!stop.observe(value).should_stop());
        }
        assert!(stop.observe(50.0).divergence.is_some());
        let state = serde_json::to_vec(&stop.state()).unwrap();
        let mut stop = stop.with_state(serde_json::from_slice(&state).unwrap());
        stop.reset_waiting();
        let decision = stop.observe(0.4);
        assert_eq!(decision.stop, None);
        // As if it were the second check: (0.25 · 0.5 + 0.5 · 0.4) / 0.75.
        assert_close(
            &[decision.best.unwrap()],
            &[0.325 / 0.75],
            1e-12,
            "the best",
        );
        assert!(decision.is_best);
    }
    let config = EarlyStoppingConfig::new(Goal::Minimize);
    let patience = config.clone().init().unwrap();
    let limit = config.with_divergence_limit(Some(10.0)).init().unwrap();
    let smoothed = SmoothedConfig::new(0.5);
    // The limit of the smoothed metric, and of the metric itself.
    check(smoothed.init(limit.clone()).unwrap());
    check(Any::init((smoothed.init(patience).unwrap(), limit)).unwrap());
}

/// States were saved with the variance of the average, and without the average at the best check.
#[test]
fn a_state_of_before_keeps_the_best_and_the_patience() {
    let patience = EarlyStoppingConfig::new(Goal::Minimize).with_patience(3);
    let smoothed = || {
        let patience = patience.clone().with_divergence_limit(Some(10.0));
        SmoothedConfig::new(0.5).init(patience.init().unwrap())
    };
    let mut now = smoothed().unwrap();
    for value in [0.5, 0.5, 50.0] {
        now.observe(value);
    }
    let mut state = serde_json::to_value(now.state()).unwrap();
    state.as_object_mut().unwrap().remove("best").unwrap();
    let average = state["average"].as_object_mut().unwrap();
    average.remove("standard_error").unwrap();
    average.insert("variance".to_owned(), 0.0.into());
    let mut oldest = state.clone();
    let mut before = smoothed()
        .unwrap()
        .with_state(serde_json::from_value(state).unwrap());
    assert_eq!(before.inner(), now.inner());
    assert_eq!(before.value(), now.value());
    // The average was saved before its division: 0.125 · 0.5 + 0.25 · 0.5 + 0.5 · 50.
    let average = oldest["average"].as_object_mut().unwrap();
    average.remove("value").unwrap();
    average.insert("mean".to_owned(), 25.1875.into());
    let oldest = smoothed()
        .unwrap()
        .with_state(serde_json::from_value(oldest).unwrap());
    let values = [oldest.value().unwrap(), now.value().unwrap()];
    assert_close(&values, &[25.1875 / 0.875; 2], 1e-12, "the average");
    // In a roll-back the average is that of the best check, as far as it is known: its value.
    before.reset_waiting();
    assert_close(&[before.value().unwrap()], &[0.5], 1e-12, "the average");
    let decision = before.observe(0.4);
    assert!(decision.is_best && decision.stop.is_none(), "{decision:?}");
}

#[test]
fn a_standard_error_that_is_none_does_not_spoil_the_smoothed_ones() {
    for bad in [f64::NAN, f64::INFINITY, -0.1] {
        let aware = NoiseAwareConfig::new(Goal::Minimize).init().unwrap();
        let mut stop = SmoothedConfig::new(0.5).init(aware).unwrap();
        let mut observe = |value: f64, error: f64| {
            stop.observe(Observation::from(value).with_standard_error(error));
            let state = serde_json::to_string(&stop.state()).unwrap();
            stop = stop
                .clone()
                .with_state(serde_json::from_str(&state).unwrap());
            stop.inner().undecided()
        };
        assert_eq!(observe(1.0, 0.1), 0, "{bad}");
        // 1.22 with a standard error of 0.033, that of the first alone: worse by more than two standard errors of the
        // difference, and with an error of 0.1 of its own it would not be.
        assert_eq!(observe(1.33, bad), 0, "{bad}");
        // 1.215 with a standard error of 0.059: within two of the difference, and if it were exact it would not be.
        assert_eq!(observe(1.21125, 0.1), 1, "{bad}");
    }
    // Its square would be infinite.
    let aware = NoiseAwareConfig::new(Goal::Minimize).init().unwrap();
    let mut stop = SmoothedConfig::new(0.5).init(aware).unwrap();
    stop.observe(Observation::from(1.0).with_standard_error(1e200));
    let state = serde_json::to_string(&stop.state()).unwrap();
    let state = serde_json::from_str(&state).unwrap();
    assert_eq!(stop.clone().with_state(state), stop);
}

/// The average of a value with a standard error and of an exact one has a standard error.
#[test]
fn an_exact_value_does_not_make_the_smoothed_ones_exact() {
    let aware = NoiseAwareConfig::new(Goal::Minimize).init().unwrap();
    let mut stop = SmoothedConfig::new(0.5).init(aware).unwrap();
    stop.observe(Observation::from(1.0).with_standard_error(0.4));
    // 0.18 with a standard error of 0.133: two of the difference are 0.843, and without it 0.8; the gain is 0.82.
    let decision = stop.observe(-0.23);
    assert!(decision.is_best && !decision.improved, "{decision:?}");
}

/// What is the best is asked of the criterion that decides, which may look at a smoothed metric.
#[test]
fn several_criteria_report_the_best_of_the_one_that_decides() {
    let patience = || EarlyStoppingConfig::new(Goal::Minimize).init().unwrap();
    let smoothed = || SmoothedConfig::new(0.5).init(patience()).unwrap();
    let mut alone = smoothed();
    let mut any = Any::init((smoothed(), patience())).unwrap();
    let mut all = All::init(vec![smoothed()]).unwrap();
    for value in [1.0, 0.4, 0.45, 0.9] {
        let best = |decision: Decision| (decision.is_best, decision.best, decision.best_check);
        let expected = best(alone.observe(value));
        assert_eq!(best(any.observe(value)), expected, "{value}");
        assert_eq!(best(all.observe(value)), expected, "{value}");
        assert_eq!((any.best(), all.best()), (alone.best(), alone.best()));
    }
}

/// Of the rejected check no weights are kept, so that nothing may be measured against it.
#[test]
fn a_check_whose_training_error_is_none_is_not_the_best() {
    for bad in [Some(f64::NAN), Some(-0.5), None] {
        let mut stop = ProgressQuotientConfig::new(1.0).init().unwrap();
        let observation = |value: f64, training| Observation {
            training,
            ..value.into()
        };
        assert!(stop.observe(observation(0.5, Some(0.5))).is_best);
        let decision = stop.observe(observation(0.3, bad));
        assert!(!decision.is_best && decision.should_stop(), "{bad:?}");
        assert_eq!((decision.check, decision.best_check), (2, Some(1)));
        assert_eq!((decision.waited, stop.best()), (1, Some(0.5)), "{bad:?}");
        stop.reset_waiting();
        let decision = stop.observe(observation(0.4, Some(0.4)));
        assert!(decision.is_best && !decision.should_stop(), "{bad:?}");
        assert_eq!((decision.check, decision.best), (3, Some(0.4)));
    }
}

#[test]
fn configs_go_through_json_and_refuse_nonsense() {
    assert_json(&GeneralizationLossConfig::new(5.0));
    assert_json(&ProgressQuotientConfig::new(0.5).with_strip(3));
    assert_json(&RisingStripsConfig::new(2).with_strip(3));
    assert_json(&SmoothedConfig::new(0.9));
    for bad in [-1.0, f64::NAN] {
        let got = format!("{bad:?}");
        assert_refused(GeneralizationLossConfig::new(bad).init(), "percent", &got);
        assert_refused(ProgressQuotientConfig::new(bad).init(), "quotient", &got);
    }
    let strip = ProgressQuotientConfig::new(1.0).with_strip(1);
    assert_refused(strip.init(), "strip", "1");
    assert_refused(RisingStripsConfig::new(0).init(), "strips", "0");
    let strip = RisingStripsConfig::new(1).with_strip(0);
    assert_refused(strip.init(), "strip", "0");
    let patience = || EarlyStoppingConfig::new(Goal::Minimize).init().unwrap();
    for bad in [1.0, -0.1, f64::NAN] {
        let got = format!("{bad:?}");
        assert_refused(SmoothedConfig::new(bad).init(patience()), "decay", &got);
    }
}
