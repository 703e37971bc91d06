//! Limits of time and of checks, several criteria at once, and the laws of every criterion.

use crate::models::Noise;
use burn_tricks::stop::{
    All, Any, CheckLimit, CheckLimitConfig, Decision, EarlyStopping, EarlyStoppingConfig, Goal,
    NoiseAware, NoiseAwareConfig, NonFiniteMetric, Observation, StopCriterion, StopReason,
    TimeLimit, TimeLimitConfig,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A clock that a test sets, in seconds.
#[derive(Clone, Default)]
struct Clock(Arc<AtomicU64>);

impl Clock {
    fn set(&self, seconds: u64) {
        self.0.store(seconds, Ordering::Relaxed);
    }

    fn limit(&self, seconds: f64) -> TimeLimit {
        let clock = self.0.clone();
        TimeLimitConfig::new(seconds)
            .init_with_clock(move || clock.load(Ordering::Relaxed) as f64)
            .unwrap()
    }
}

fn patience(checks: usize) -> EarlyStopping {
    EarlyStoppingConfig::new(Goal::Minimize)
        .with_patience(checks)
        .with_non_finite(NonFiniteMetric::CountAsNoImprovement)
        .init()
        .unwrap()
}

fn checks(limit: usize) -> CheckLimit {
    CheckLimitConfig::new(limit).init().unwrap()
}

fn noise_aware() -> NoiseAware {
    NoiseAwareConfig::new(Goal::Minimize)
        .with_patience(2)
        .with_max_undecided(Some(4))
        .with_non_finite(NonFiniteMetric::CountAsNoImprovement)
        .init()
        .unwrap()
}

fn reasons(mut criterion: impl StopCriterion, values: &[f64]) -> Vec<Option<StopReason>> {
    values
        .iter()
        .map(|value| criterion.observe(*value).stop)
        .collect()
}

/// The check of the first reason, and the reason.
fn first(criterion: impl StopCriterion, values: &[f64]) -> Option<(usize, StopReason)> {
    let reasons = reasons(criterion, values);
    let index = reasons.iter().position(Option::is_some)?;
    Some((index + 1, reasons[index]?))
}

#[test]
fn the_time_limit_counts_from_the_first_check_or_from_the_start() {
    let clock = Clock::default();
    let mut limit = clock.limit(10.0);
    let reason = Some(StopReason::TimeLimit { seconds: 10.0 });
    clock.set(100);
    assert_eq!(limit.observe(1.0).stop, None, "the clock starts now");
    clock.set(109);
    assert_eq!(limit.observe(1.0).stop, None);
    clock.set(110);
    let decision = limit.observe(1.0);
    assert_eq!((decision.stop, decision.check), (reason, 3));
    assert_eq!(
        (decision.is_best, decision.best, decision.waited),
        (false, None, 0)
    );

    let mut limit = clock.limit(10.0);
    limit.start();
    clock.set(115);
    limit.start(); // once is enough
    clock.set(120);
    assert_eq!(limit.observe(1.0).stop, reason);
}

#[test]
fn a_resumed_run_has_the_rest_of_the_time() {
    let clock = Clock::default();
    let mut limit = clock.limit(10.0);
    limit.start();
    clock.set(6);
    limit.observe(1.0);
    let json = serde_json::to_string(&limit.state()).unwrap();
    clock.set(1_000_000); // The program was not running.
    let mut resumed = clock
        .limit(10.0)
        .with_state(serde_json::from_str(&json).unwrap());
    assert_eq!(resumed.seconds_spent(), 6.0);
    resumed.start();
    clock.set(1_000_003);
    assert_eq!(resumed.observe(1.0).stop, None);
    clock.set(1_000_004);
    let decision = resumed.observe(1.0);
    assert_eq!(decision.check, 3);
    assert_eq!(decision.stop, Some(StopReason::TimeLimit { seconds: 10.0 }));
    // A clock that runs already runs on from the saved time.
    let mut running = clock.limit(10.0);
    running.start();
    clock.set(1_000_500);
    let mut running = running.with_state(serde_json::from_str(&json).unwrap());
    assert_eq!(running.seconds_spent(), 6.0);
    clock.set(1_000_504);
    assert!(running.observe(1.0).should_stop());
    // One that goes back adds nothing.
    clock.set(3);
    assert_eq!(running.seconds_spent(), 6.0);
}

#[test]
fn the_system_clock_runs() {
    let mut limit = TimeLimitConfig::new(1e-9).init().unwrap();
    limit.start();
    while limit.seconds_spent() <= 0.0 {
        std::hint::spin_loop();
    }
    assert!(limit.observe(1.0).should_stop());
    let mut never = TimeLimitConfig::new(f64::MAX).init().unwrap();
    assert!((0..99).all(|_| !never.observe(1.0).should_stop()));
}

#[test]
fn any_stops_for_the_first_reason_in_order() {
    let falls = [5.0, 4.0, 3.0, 2.0];
    let any = Any::init((patience(1), checks(3))).unwrap();
    let limit = StopReason::CheckLimit { checks: 3 };
    assert_eq!(first(any.clone(), &falls), Some((3, limit)));
    let tired = StopReason::NoImprovement { checks: 1 };
    assert_eq!(first(any.clone(), &[1.0, 2.0]), Some((2, tired)));
    assert_eq!(
        first(any, &[2.0, 1.0, 3.0]),
        Some((3, tired)),
        "both: the first"
    );
    let turned = Any::init((checks(3), patience(1))).unwrap();
    assert_eq!(first(turned, &[2.0, 1.0, 3.0]), Some((3, limit)));
}

/// A run whose metric is NaN in its last check has failed, and is at its end all the same.
#[test]
fn a_limit_does_not_hide_a_divergence() {
    fn at_the_second_check(mut stop: impl StopCriterion) -> Decision {
        stop.observe(1.0);
        stop.observe(f64::NAN)
    }
    let diverges = || EarlyStoppingConfig::new(Goal::Minimize).init().unwrap();
    let late = || All::init((diverges(), checks(9))).unwrap();
    let limit = Some(StopReason::CheckLimit { checks: 2 });
    for decision in [
        at_the_second_check(Any::init((diverges(), checks(2))).unwrap()),
        at_the_second_check(Any::init((checks(2), diverges())).unwrap()),
        at_the_second_check(Any::init((late(), checks(2))).unwrap()),
        at_the_second_check(Any::init((checks(2), late())).unwrap()),
        at_the_second_check(
            Any::init((
                Any::init((diverges(), checks(2))).unwrap(),
                All::init((checks(1), checks(2))).unwrap(),
            ))
            .unwrap(),
        ),
        at_the_second_check(
            Any::init((
                All::init((checks(2), checks(1))).unwrap(),
                Any::init((diverges(), checks(2))).unwrap(),
            ))
            .unwrap(),
        ),
    ] {
        assert_eq!(decision.stop, Some(StopReason::NonFinite));
        assert_eq!(decision.limit, limit);
    }
    // Here the limit is a least number of checks.
    for least in [2, 9] {
        let all = at_the_second_check(All::init((diverges(), checks(least))).unwrap());
        assert_eq!(all.limit, None);
    }
    let all = at_the_second_check(All::init((checks(2), checks(1))).unwrap());
    assert_eq!(all.limit, limit);
    // Another reason than a limit counts in the order of the criteria.
    let target = EarlyStoppingConfig::new(Goal::Minimize).with_target(Some(0.5));
    let diverges = target
        .clone()
        .with_target(None)
        .with_divergence_limit(Some(0.1));
    let [target, diverges] = [target, diverges].map(|config| config.init().unwrap());
    let mut any = Any::init((target, diverges)).unwrap();
    let reached = StopReason::TargetReached { target: 0.5 };
    assert_eq!(any.observe(0.4).stop, Some(reached));
    // A decision that was saved without the limit.
    let saved = serde_json::to_value(any.observe(0.4)).unwrap();
    let mut before = saved.clone();
    before.as_object_mut().unwrap().remove("limit").unwrap();
    let [saved, before]: [Decision; 2] =
        [saved, before].map(|json| serde_json::from_value(json).unwrap());
    assert_eq!(saved, before);
}

#[test]
fn all_stops_when_all_ask_at_one_check() {
    // Patience is used up at check 2; the metric improves; at check 4, the least number, it still does.
    let all = All::init((patience(1), checks(4))).unwrap();
    let tired = |checks| StopReason::NoImprovement { checks };
    assert_eq!(first(all.clone(), &[3.0, 4.0, 2.0, 1.0, 0.5]), None);
    assert_eq!(
        first(all.clone(), &[3.0, 4.0, 2.0, 1.0, 1.5]),
        Some((5, tired(1)))
    );
    // Used up, and not made good.
    assert_eq!(first(all, &[3.0, 4.0, 4.0, 4.0]), Some((4, tired(3))));
    // Of several reasons none is the only one; of limits alone it is the first.
    let reason = StopReason::All { criteria: 2 };
    let two = All::init((patience(1), patience(2))).unwrap();
    assert_eq!(first(two, &[3.0, 4.0, 4.0]), Some((3, reason)));
    let limits = All::init((checks(1), checks(2))).unwrap();
    let limit = StopReason::CheckLimit { checks: 1 };
    assert_eq!(first(limits, &[3.0, 2.0]), Some((2, limit)));
    let clock = Clock::default();
    let mut all = All::init((patience(1), clock.limit(60.0))).unwrap();
    all.observe(1.0);
    assert!(!all.observe(2.0).should_stop(), "too early");
    clock.set(60);
    assert!(all.observe(2.0).should_stop());
}

/// What is used up before the least number of checks stays used up, whatever the check is at which that is reached.
#[test]
fn a_check_of_the_other_kind_does_not_give_patience_for_noise_back() {
    let stops = |config: &NoiseAwareConfig, losses: [f64; 4]| {
        let mut all = All::init((config.init().unwrap(), checks(4))).unwrap();
        losses.map(|loss| {
            let observation = Observation::from(loss).with_standard_error(0.1);
            all.observe(observation).stop
        })
    };
    // The noise of a difference is 0.141.
    let config = NoiseAwareConfig::new(Goal::Minimize).with_standard_errors(1.0);
    let worse = stops(&config.clone().with_patience(2), [1.0, 1.2, 1.2, 1.05]);
    let tired = StopReason::NoImprovement { checks: 2 };
    assert_eq!(worse, [None, None, None, Some(tired)]);
    let config = config.with_patience(9).with_max_undecided(Some(2));
    let within = stops(&config, [1.0, 1.05, 1.05, 1.2]);
    let undecided = StopReason::Undecided { checks: 2 };
    assert_eq!(within, [None, None, None, Some(undecided)]);
}

#[test]
fn the_first_criterion_tells_of_the_metric() {
    for values in [[3.0, 2.0, 2.5, 1.0], [1.0, 2.0, 3.0, 4.0]] {
        let mut alone = patience(9);
        let mut any = Any::init((patience(9), checks(99), patience(1))).unwrap();
        let mut all = All::init((patience(9), checks(99))).unwrap();
        for value in values {
            let decision = alone.observe(value);
            for other in [any.observe(value), all.observe(value)] {
                let metric = |mut decision: Decision| {
                    decision.stop = None;
                    decision
                };
                assert_eq!(metric(other), metric(decision));
            }
        }
    }
}

#[test]
fn every_member_sees_every_check() {
    // The second member has seen the checks at which the first asked to stop.
    let mut any = Any::init((patience(1), checks(4))).unwrap();
    for value in [1.0, 2.0, 2.0] {
        any.observe(value);
    }
    assert_eq!(
        any.observe(0.5).stop,
        Some(StopReason::CheckLimit { checks: 4 })
    );
    // And what is needed for a comparison reaches it.
    let noise_aware = NoiseAwareConfig::new(Goal::Minimize).with_patience(1);
    let mut any = Any::init((patience(9), noise_aware.init().unwrap())).unwrap();
    for value in [1.0, 1.1] {
        let observation = Observation::from(value).with_standard_error(0.2);
        assert!(!any.observe(observation).should_stop());
    }
}

#[test]
fn they_nest_and_count_to_four() {
    let nested = Any::init((
        All::init((patience(1), checks(3))).unwrap(),
        checks(9),
        Any::init(vec![checks(7), checks(6)]).unwrap(),
        checks(8),
    ))
    .unwrap();
    let limit = StopReason::CheckLimit { checks: 6 };
    assert_eq!(
        first(nested.clone(), &[9.0, 8.0, 7.0, 6.0, 5.0, 4.0]),
        Some((6, limit))
    );
    let tired = StopReason::NoImprovement { checks: 2 };
    assert_eq!(first(nested, &[1.0, 2.0, 2.0]), Some((3, tired)));
    let three = All::init((patience(1), patience(1), checks(2))).unwrap();
    assert_eq!(
        first(three, &[1.0, 2.0]),
        Some((2, StopReason::All { criteria: 3 }))
    );
}

#[test]
fn one_of_one_is_the_bare_criterion() {
    let values = Noise(4).take(30);
    let bare =
        |value: &mut EarlyStopping| values.iter().map(|v| value.observe(*v)).collect::<Vec<_>>();
    let expected = bare(&mut patience(3));
    assert!(expected.iter().any(Decision::should_stop));
    let mut any = Any::init(vec![patience(3)]).unwrap();
    let mut all = All::init(vec![patience(3)]).unwrap();
    let mut neutral = Any::init((
        patience(3),
        checks(usize::MAX),
        TimeLimitConfig::new(f64::MAX).init().unwrap(),
    ))
    .unwrap();
    let mut least_one = All::init((patience(3), checks(1))).unwrap();
    for (value, expected) in values.iter().zip(expected) {
        assert_eq!(any.observe(*value), expected);
        assert_eq!(all.observe(*value), expected);
        assert_eq!(neutral.observe(*value), expected);
        let stops = least_one.observe(*value).should_stop();
        assert_eq!(stops, expected.should_stop());
    }
}

/// Saved, loaded and resumed before every check, it is the run that was never interrupted.
fn resumes<C: StopCriterion>(name: &str, new: impl Fn() -> C) {
    let mut noise = Noise(11);
    let observations: Vec<_> = (0..24)
        .map(|i| {
            let value = match i {
                5 => f64::NAN,
                9 => f64::INFINITY,
                _ => 1.0 / f64::from(i + 1) + 0.3 * noise.next(),
            };
            Observation::from(value).with_standard_error(0.1 * f64::from(i % 3))
        })
        .collect();
    let mut whole = new();
    let expected: Vec<_> = observations.iter().map(|o| whole.observe(*o)).collect();
    assert!(
        expected.iter().any(Decision::should_stop),
        "{name}: it stops somewhere"
    );
    for at in 0..observations.len() {
        let mut first = new();
        for observation in &observations[..at] {
            first.observe(*observation);
        }
        let json = serde_json::to_vec(&first.state()).unwrap();
        let mut second = new().with_state(serde_json::from_slice(&json).unwrap());
        let rest: Vec<_> = observations[at..]
            .iter()
            .map(|o| second.observe(*o))
            .collect();
        assert_eq!(rest, expected[at..], "{name}: saved before check {at}");
    }
}

#[test]
fn every_criterion_goes_on_where_it_was_saved() {
    // Of a clock that stands still, time is spent by no one.
    let clock = Clock::default();
    resumes("patience", || patience(2));
    resumes("baseline", || {
        EarlyStoppingConfig::keras(Goal::Minimize)
            .with_baseline(Some(0.05))
            .with_patience(3)
            .init()
            .unwrap()
    });
    resumes("noise aware", noise_aware);
    resumes("checks", || checks(7));
    resumes("any", || {
        Any::init((patience(4), checks(9), clock.limit(1.0))).unwrap()
    });
    resumes("all", || {
        All::init((patience(1), noise_aware(), checks(5))).unwrap()
    });
    resumes("any of many", || {
        Any::init(vec![patience(5), patience(3)]).unwrap()
    });
    resumes("nested", || {
        let inner = All::init((patience(1), checks(6))).unwrap();
        Any::init((inner, checks(20), patience(7), noise_aware())).unwrap()
    });
}

#[test]
fn a_state_of_other_members_does_not_panic() {
    let mut saved = Any::init(vec![checks(5), checks(5)]).unwrap();
    saved.observe(1.0);
    let two = saved.state();
    let three = Any::init(vec![checks(2), checks(9), checks(9)]).unwrap();
    let mut three = three.with_state(two.clone());
    assert!(three.observe(1.0).should_stop(), "the first went on from 1");
    let mut one = Any::init(vec![checks(2)]).unwrap().with_state(two);
    assert!(one.observe(1.0).should_stop());
}

/// Patience counts anew, from the same best value.
fn forgets_waiting<C: StopCriterion>(name: &str, mut criterion: C) {
    let waited: Vec<_> = [1.0, 2.0].map(|v| criterion.observe(v).waited).into();
    assert_eq!(waited, [0, 1], "{name}");
    criterion.reset_waiting();
    let decision = criterion.observe(2.0);
    assert_eq!((decision.waited, decision.best), (1, Some(1.0)), "{name}");
}

#[test]
fn waiting_can_be_forgotten() {
    forgets_waiting("patience", patience(5));
    forgets_waiting("noise aware", noise_aware());
    forgets_waiting("any", Any::init((patience(5), checks(9))).unwrap());
    forgets_waiting("all", All::init(vec![patience(5)]).unwrap());
    // What is spent stays spent, of limits.
    let mut limits = Any::init((checks(3), checks(9))).unwrap();
    limits.observe(1.0);
    limits.observe(1.0);
    limits.reset_waiting();
    assert!(limits.observe(1.0).should_stop());
    // Not only of the first member.
    let mut any = Any::init((patience(9), patience(2))).unwrap();
    any.observe(1.0);
    any.observe(2.0);
    any.reset_waiting();
    assert!(!any.observe(2.0).should_stop());
}

#[test]
fn the_standard_error_of_samples() {
    let of = Observation::of_samples;
    assert_eq!(of(&[2.0, 4.0]).value, 3.0);
    assert_eq!(of(&[2.0, 4.0]).standard_error, Some(1.0));
    assert_eq!(of(&[7.0]), Observation::from(7.0));
    assert!(of(&[]).value.is_nan() && of(&[]).standard_error.is_none());
    // Of zeros and ones: √(p (1 − p) / (n − 1)).
    let right: Vec<f64> = (0..100).map(|i| f64::from(u8::from(i < 80))).collect();
    let expected = (0.8f64 * 0.2 / 99.0).sqrt();
    assert!((of(&right).standard_error.unwrap() - expected).abs() < 1e-15);
}

#[test]
fn meaningless_settings_are_refused_and_quoted() {
    let quoted = |error: burn_tricks::ConfigError| (error.field, error.got);
    for (seconds, got) in [
        (0.0, "0.0"),
        (-1.0, "-1.0"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "inf"),
    ] {
        let error = TimeLimitConfig::new(seconds).init().unwrap_err();
        assert_eq!(quoted(error), ("seconds", got.into()));
    }
    let error = CheckLimitConfig::new(0).init().unwrap_err();
    assert_eq!(quoted(error), ("checks", "0".into()));
    let none: Vec<CheckLimit> = Vec::new();
    assert_eq!(
        quoted(Any::init(none.clone()).unwrap_err()),
        ("criteria", "0".into())
    );
    assert_eq!(
        quoted(All::init(none).unwrap_err()),
        ("criteria", "0".into())
    );
}

#[test]
fn they_are_values_and_say_themselves() {
    fn value<T: Clone + Send + Sync + std::fmt::Debug + 'static>() {}
    value::<TimeLimit>();
    value::<CheckLimit>();
    value::<NoiseAware>();
    value::<Any<(EarlyStopping, TimeLimit)>>();
    value::<All<Vec<CheckLimit>>>();
    let text = |reason: StopReason| reason.to_string();
    assert_eq!(
        text(StopReason::TimeLimit { seconds: 90.0 }),
        "the limit of 90 s is reached"
    );
    assert_eq!(
        text(StopReason::CheckLimit { checks: 7 }),
        "the limit of 7 checks is reached"
    );
    assert_eq!(
        text(StopReason::All { criteria: 2 }),
        "all 2 criteria ask to stop"
    );
    assert_eq!(
        text(StopReason::Undecided { checks: 9 }),
        "9 checks within the noise of the best one"
    );
    let (baseline, checks) = (0.5, 3);
    assert_eq!(
        text(StopReason::BaselineNotBeaten { baseline, checks }),
        "the baseline 0.5 is not beaten in 3 checks"
    );
    let config = TimeLimitConfig::new(0.1 + 0.2);
    let json = serde_json::to_string(&config).unwrap();
    assert_eq!(
        serde_json::from_str::<TimeLimitConfig>(&json).unwrap(),
        config
    );
    let config = CheckLimitConfig::new(usize::MAX);
    let json = serde_json::to_string(&config).unwrap();
    assert_eq!(
        serde_json::from_str::<CheckLimitConfig>(&json).unwrap(),
        config
    );
}

#[test]
fn several_criteria_start_together() {
    let clock = Clock::default();
    let reason = Some(StopReason::TimeLimit { seconds: 9.0 });
    let mut any = Any::init((patience(5), clock.limit(9.0))).unwrap();
    let mut all = All::init(vec![clock.limit(9.0), clock.limit(9.0)]).unwrap();
    any.start();
    all.start();
    clock.set(9);
    assert_eq!(any.observe(0.0).stop, reason);
    assert!(all.observe(0.0).should_stop());
}
