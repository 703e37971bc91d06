//! Which check is the best is one question, and whether patience begins anew is another.

use crate::counter::{Counter, counting, learner, patience, weight};
use crate::models::{Noise, alone};
use burn::module::Param;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use burn::train::metric::LossMetric;
use burn_tricks::prelude::*;
use burn_tricks::stop::BestWeights;
use burn_tricks::stop::{
    All, Any, CheckLimit, CheckLimitConfig, Counting, Decision, MinDelta, NoiseAwareConfig,
    NonFiniteMetric, Observation, RollBackConfig, StopCriterion, StopReason, StopWithBest,
    TimeLimit, TimeLimitConfig,
};
use burn_tricks::train::{SessionError, SessionResult};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

fn by(min_delta: f64) -> EarlyStoppingConfig {
    EarlyStoppingConfig::new(Goal::Minimize).with_min_delta(MinDelta::Absolute(min_delta))
}

fn observe(stop: &mut impl StopCriterion, values: &[f64]) -> Vec<Decision> {
    values.iter().map(|value| stop.observe(*value)).collect()
}

fn is_best(decisions: &[Decision]) -> Vec<bool> {
    decisions.iter().map(|decision| decision.is_best).collect()
}

fn model() -> Linear {
    LinearConfig::new(2, 1).init(&Device::flex().autodiff())
}

#[test]
fn an_improvement_by_less_than_min_delta_is_the_best_and_uses_up_patience() {
    let losses = [0.500, 0.495, 0.7];
    for counting in [Counting::Documented, Counting::Keras, Counting::Lightning] {
        let config = by(0.01).with_patience(2).with_counting(counting);
        let decisions = observe(&mut config.init().unwrap(), &losses);
        assert_eq!(is_best(&decisions), [true, true, false], "{counting:?}");
        let improved: Vec<_> = decisions.iter().map(|decision| decision.improved).collect();
        assert_eq!(improved, [true, false, false], "{counting:?}");
        let last = decisions[2];
        assert_eq!((last.best, last.best_check), (Some(0.495), Some(2)));
        assert_eq!(last.waited, 2);
        assert!(last.should_stop());
    }
}

#[test]
fn small_steps_add_up_to_an_improvement() {
    // Against the last best each is too small, against the last improvement the third is enough.
    let decisions = observe(&mut by(0.01).init().unwrap(), &[0.5, 0.495, 0.491, 0.489]);
    let waited: Vec<_> = decisions.iter().map(|decision| decision.waited).collect();
    assert_eq!(waited, [0, 1, 2, 0]);
    assert_eq!(is_best(&decisions), [true; 4]);
}

#[test]
fn the_kept_weights_are_those_of_the_best_check() {
    let _alone = alone();
    let model = model();
    let mut stop = by(0.01).init().unwrap();
    let mut best = BestWeights::new();
    for loss in [0.500, 0.495, 0.7] {
        best.keep(&stop.observe(loss), || model.clone());
    }
    assert_eq!(best.check(), Some(2));
}

#[test]
fn a_run_that_diverges_goes_back_to_the_best_check() {
    let _alone = alone();
    let model = model();
    let mut stop = by(0.01).with_divergence_limit(Some(0.6)).init().unwrap();
    let (mut best, mut back) = (BestWeights::new(), RollBackConfig::new(1).init().unwrap());
    let mut restarts = Vec::new();
    for loss in [0.500, 0.495, 0.7] {
        let decision = stop.observe(loss);
        best.keep(&decision, || model.clone());
        let restart = back.after_check(&decision, &best, &model, &mut stop, |_| ());
        restarts.push(restart.map(|restart| restart.check));
    }
    assert_eq!(restarts, [None, None, Some(2)]);
    // What counts as an improvement is what it was: 0.495 is none on 0.5, and 0.489 is.
    assert!(!stop.observe(0.495).improved);
    assert!(stop.observe(0.489).improved);
}

/// The best of what counts, once more in plain words.
#[test]
fn the_best_is_the_best_value_that_counts() {
    for seed in 0..60 {
        let values: Vec<f64> = (Noise(seed).take(40).into_iter().enumerate())
            .map(|(i, value)| match (seed + i as u64) % 13 {
                0 => f64::NAN,
                5 => f64::INFINITY,
                9 => f64::NEG_INFINITY,
                _ => (10.0 * value).round() / 10.0,
            })
            .collect();
        let goal = [Goal::Minimize, Goal::Maximize][(seed % 2) as usize];
        let limit = (seed % 3 == 0).then_some(match goal {
            Goal::Minimize => 0.4,
            Goal::Maximize => -0.4,
        });
        let warmup = (seed % 4) as usize;
        let config = EarlyStoppingConfig::new(goal)
            .with_patience(usize::MAX)
            .with_min_delta(MinDelta::Absolute(0.25))
            .with_warmup_checks(warmup)
            .with_divergence_limit(limit)
            .with_baseline((seed % 5 == 0).then_some(0.1))
            .with_target((seed % 7 == 0 && limit.is_none()).then_some(0.3))
            .with_non_finite(match seed % 3 {
                0 => NonFiniteMetric::CountAsNoImprovement,
                1 => NonFiniteMetric::Ignore,
                _ => NonFiniteMetric::Stop,
            });
        let mut stop = config.init().unwrap();
        let mut best: Option<(f64, usize)> = None;
        for (i, value) in values.iter().enumerate() {
            let decision = stop.observe(*value);
            let better = |than: f64| match goal {
                Goal::Minimize => *value < than,
                Goal::Maximize => *value > than,
            };
            let within = limit.is_none_or(|limit| better(limit) || *value == limit);
            let counts = value.is_finite() && within && i >= warmup;
            let is_best = counts && best.is_none_or(|(best, _)| better(best));
            if is_best {
                best = Some((*value, i + 1));
            }
            assert_eq!(decision.is_best, is_best, "{seed}, check {i}: {value}");
            let told = decision.best.zip(decision.best_check);
            assert_eq!(told, best, "{seed}, check {i}: {value}");
            // No improvement of plain patience that is not the best, too.
            assert!(decision.is_best || !decision.improved, "{seed}, check {i}");
        }
    }
}

#[test]
fn within_the_noise_the_best_value_is_kept_and_the_reference_stays() {
    let config = NoiseAwareConfig::new(Goal::Minimize).with_standard_errors(1.0);
    let mut stop = config.init().unwrap();
    let mut look = |value: f64, error: f64| {
        let decision = stop.observe(Observation::from(value).with_standard_error(error));
        (decision.is_best, decision.improved, decision.best_check)
    };
    assert_eq!(look(1.0, 0.1), (true, true, Some(1)));
    assert_eq!(look(0.95, 0.1), (true, false, Some(2)));
    assert_eq!(look(0.97, 0.1), (false, false, Some(2)));
    // 0.13 from the best, and 0.18 from the last improvement: the noise is 0.141.
    assert_eq!(look(0.82, 0.1), (true, true, Some(4)));
    // Luck of a check that knows little; then one that is surely an improvement, and not the best.
    assert_eq!(look(0.5, 9.0), (true, false, Some(5)));
    assert_eq!(look(0.6, 0.0), (false, true, Some(5)));
    for bad in [f64::NAN, f64::NEG_INFINITY] {
        assert_eq!(look(bad, 0.1), (false, false, Some(5)));
    }
}

fn limit(checks: usize) -> CheckLimit {
    CheckLimitConfig::new(checks).init().unwrap()
}

fn time() -> TimeLimit {
    TimeLimitConfig::new(f64::MAX).init().unwrap()
}

/// What `stop` says is the best at each check of these losses.
fn bests(mut stop: impl StopCriterion) -> Vec<bool> {
    assert!(stop.uses_metric());
    let decisions = observe(&mut stop, &[0.5, 0.4, 0.45, 0.3]);
    assert_eq!(
        (decisions[3].best, decisions[3].best_check),
        (Some(0.3), Some(4))
    );
    assert_eq!(decisions[2].waited, 1);
    is_best(&decisions)
}

#[test]
fn the_best_is_known_wherever_the_criterion_stands_that_looks_at_the_metric() {
    let expected = [true, true, false, true];
    let patience = || patience(3);
    assert_eq!(bests(Any::init((patience(), time())).unwrap()), expected);
    assert_eq!(bests(Any::init((time(), patience())).unwrap()), expected);
    assert_eq!(bests(All::init((limit(9), patience())).unwrap()), expected);
    let limits = Any::init((time(), limit(9))).unwrap();
    assert!(!limits.uses_metric());
    let last = Any::init((
        limits,
        limit(8),
        time(),
        All::init((limit(2), patience())).unwrap(),
    ));
    assert_eq!(bests(last.unwrap()), expected);
}

#[test]
fn limits_alone_know_of_no_best() {
    let _alone = alone();
    let model = model();
    let mut best = BestWeights::new();
    let mut stop = Any::init((time(), limit(9))).unwrap();
    for loss in [0.5, 0.4] {
        let decision = stop.observe(loss);
        assert_eq!((decision.best, decision.best_check), (None, None));
        best.keep(&decision, || model.clone());
    }
    assert!(best.model().is_none() && best.check().is_none());
}

#[test]
fn what_one_criterion_calls_diverged_is_no_best_of_several() {
    let noise = NoiseAwareConfig::new(Goal::Minimize).init().unwrap();
    let diverges = by(0.0).with_divergence_limit(Some(10.0)).init().unwrap();
    let mut any = Any::init((noise, diverges)).unwrap();
    let mut told = Vec::new();
    for value in [12.0, 11.0, 9.0, 9.5] {
        // Saved and loaded in between, too.
        let json = serde_json::to_vec(&any.state()).unwrap();
        any = any.with_state(serde_json::from_slice(&json).unwrap());
        let decision = any.observe(value);
        told.push((decision.is_best, decision.improved, decision.best_check));
    }
    let expected = [
        (false, false, None),
        (false, false, None),
        (true, true, Some(3)),
        (false, false, Some(3)),
    ];
    assert_eq!(told, expected);
}

#[test]
fn nor_what_a_criterion_within_another_one_calls_diverged() {
    let noise = NoiseAwareConfig::new(Goal::Minimize).init().unwrap();
    let diverges = by(0.0).with_divergence_limit(Some(10.0)).init().unwrap();
    let late = All::init((diverges, limit(4))).unwrap();
    let decisions = observe(
        &mut Any::init((noise, late)).unwrap(),
        &[12.0, 9.0, 9.5, 11.0],
    );
    let diverged = StopReason::Diverged { limit: 10.0 };
    let stops: Vec<_> = decisions.iter().map(|decision| decision.stop).collect();
    assert_eq!(stops, [None, None, None, Some(diverged)]);
    assert_eq!(is_best(&decisions), [false, true, false, false]);
    assert_eq!(decisions[0].divergence, Some(diverged));
}

/// A run of a [`Counter`](crate::counter::Counter), whose losses are 2, 1, 0, 1, ..., that keeps its best.
fn run<C>(epochs: usize, criterion: C) -> SessionResult<crate::counter::Counter, ()>
where
    C: StopCriterion + Clone + std::fmt::Debug + Send + 'static,
{
    let folder = tempfile::tempdir().unwrap();
    let session = counting(folder.path()).num_epochs(epochs);
    let session = session.stop_early(LossMetric::new(), criterion);
    session.launch(learner((), 1.0)).unwrap()
}

#[test]
fn a_session_keeps_the_best_epoch_whatever_min_delta_says() {
    let _alone = alone();
    // Losses of 2, 1, 0, 1, 2: none improves by more than 5, and the third is the best.
    let finished = run(9, by(5.0).with_patience(4).init().unwrap());
    assert_eq!(
        (finished.last_epoch, finished.best_epoch),
        (Some(5), Some(3))
    );
    assert_eq!(weight(&finished.best_model().unwrap()), 3.0);
}

#[test]
fn a_session_has_its_best_from_whichever_criterion_looks_at_the_metric() {
    let _alone = alone();
    let finished = run(9, Any::init((time(), patience(2))).unwrap());
    assert_eq!(finished.best_epoch, Some(3));
    assert_eq!(weight(&finished.best_model().unwrap()), 3.0);
    // Of two calls of `stop_early` too.
    let folder = tempfile::tempdir().unwrap();
    let session = counting(folder.path()).num_epochs(4);
    let session = session.stop_early(LossMetric::new(), time());
    let session = session.stop_early(LossMetric::new(), patience(2));
    let finished = session.launch(learner((), 1.0)).unwrap();
    assert_eq!(finished.criteria[0].best_epoch, None);
    assert_eq!(weight(&finished.best_model().unwrap()), 3.0);
}

#[test]
fn two_criteria_do_not_take_turns_with_the_best() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let session = counting(folder.path()).num_epochs(3);
    // The first that looks at a metric has seen nothing that counts when the run ends.
    let late = by(0.0).with_warmup_checks(7).init().unwrap();
    let session = session.stop_early(LossMetric::new(), late);
    let session = session.stop_early(LossMetric::new(), patience(2));
    let finished = session.launch(learner((), 1.0)).unwrap();
    assert_eq!(
        (finished.best_epoch, finished.criteria[1].best_epoch),
        (None, Some(3))
    );
}

#[test]
fn a_best_that_is_not_known_is_an_error_that_says_why() {
    let _alone = alone();
    let unknown = |finished: &SessionResult<crate::counter::Counter, ()>| {
        assert_eq!(finished.best_epoch, None);
        assert!(weight(&finished.last_model()) > 0.0, "the last is there");
        match finished.best_model() {
            Err(error @ SessionError::BestUnknown { .. }) => error.to_string(),
            other => panic!("{other:?}"),
        }
    };
    // No criterion, and one that looks at no metric.
    let folder = tempfile::tempdir().unwrap();
    let session = counting(folder.path()).num_epochs(2);
    let error = unknown(&session.launch(learner((), 1.0)).unwrap());
    assert!(error.contains("no `stop_early`"), "{error}");
    let error = unknown(&run(2, Any::init((time(), limit(9))).unwrap()));
    assert!(error.contains("no `stop_early`"), "{error}");
    // One that has seen nothing that counts.
    let error = unknown(&run(2, by(0.0).with_warmup_checks(2).init().unwrap()));
    assert!(
        error.contains("`Loss`") && error.contains("warm-up"),
        "{error}"
    );
    let error = unknown(&run(
        1,
        by(0.0).with_divergence_limit(Some(1.0)).init().unwrap(),
    ));
    assert!(error.contains("`Loss`"), "{error}");
}

#[test]
fn a_criterion_and_its_best_model_in_one() {
    let device = Device::flex().autodiff();
    let model = |weight: f32| {
        let weight = Tensor::<1>::from_floats([weight], &device);
        Counter {
            weight: Param::from_tensor(weight),
        }
    };
    let mut stop = StopWithBest::new(patience(2));
    assert!(stop.best_model().is_none());
    let mut stopped = None;
    for (check, loss) in [3.0f32, 1.0, 2.0, f32::NAN].into_iter().enumerate() {
        let decision = stop.observe(loss, &model(check as f32 + 1.0));
        assert_eq!(stop.best(), decision.best);
        stopped = decision.stop;
    }
    assert_eq!(stopped, Some(StopReason::NonFinite));
    assert_eq!((stop.best(), stop.best_check()), (Some(1.0), Some(2)));
    assert_eq!(weight(&stop.best_model().unwrap()), 2.0);
    assert_eq!(stop.criterion().best(), Some(1.0));
}

#[test]
fn every_criterion_tells_its_best_value_and_its_goal() {
    let limit = || CheckLimitConfig::new(9).init().unwrap();
    fn told(mut criterion: impl StopCriterion) -> (Option<Goal>, Option<f64>, Option<f64>) {
        let before = criterion.best();
        for value in [2.0, 1.0, 3.0] {
            criterion.observe(value);
        }
        (criterion.goal(), before, criterion.best())
    }
    let least = (Some(Goal::Minimize), None, Some(1.0));
    assert_eq!(told(patience(5)), least);
    let noisy = NoiseAwareConfig::new(Goal::Minimize).init().unwrap();
    assert_eq!(told(noisy), least);
    let largest = EarlyStoppingConfig::new(Goal::Maximize).with_patience(5);
    let largest = || largest.init().unwrap();
    assert_eq!(told(largest()), (Some(Goal::Maximize), None, Some(3.0)));
    assert_eq!(told(limit()), (None, None, None));
    assert_eq!(told(time()), (None, None, None));
    assert_eq!(told(Any::init((limit(), patience(5))).unwrap()), least);
    assert_eq!(told(All::init(vec![patience(5)]).unwrap()), least);
}

#[test]
fn a_resumed_run_has_the_best_model_of_the_run_before() {
    let device = Device::flex().autodiff();
    let model = |weight: f32| {
        let weight = Tensor::<1>::from_floats([weight], &device);
        Counter {
            weight: Param::from_tensor(weight),
        }
    };
    let mut stop = StopWithBest::new(patience(9));
    stop.observe(0.4, &model(1.0));
    stop.observe(0.5, &model(2.0));
    let saved = (stop.criterion().state().clone(), stop.best_model().unwrap());
    let criterion = patience(9).with_state(saved.0);
    let mut stop = StopWithBest::new(criterion).with_kept(&saved.1, 1);
    stop.observe(0.6, &model(3.0));
    assert_eq!((stop.best(), stop.best_check()), (Some(0.4), Some(1)));
    assert_eq!(weight(&stop.best_model().unwrap()), 1.0);
    stop.observe(0.3, &model(4.0));
    assert_eq!(stop.best_check(), Some(4));
    assert_eq!(weight(&stop.best_model().unwrap()), 4.0);
}

#[test]
fn a_divergence_limit_on_the_wrong_side_of_the_target_is_quoted_with_it() {
    let config = EarlyStoppingConfig::new(Goal::Minimize)
        .with_target(Some(0.5))
        .with_divergence_limit(Some(0.25));
    assert_eq!(
        config.init().unwrap_err().to_string(),
        "`divergence_limit` must be worse than `target`, 0.5, got 0.25"
    );
}

/// Without a start the first epoch is not counted.
#[test]
fn a_limit_of_time_in_a_stop_with_best_counts_from_its_start() {
    let _alone = alone();
    let minutes = Arc::new(AtomicU32::new(0));
    let read = minutes.clone();
    let clock = move || f64::from(read.load(Ordering::Relaxed));
    let limit = TimeLimitConfig::new(100.0).init_with_clock(clock).unwrap();
    let limit = Any::init((by(0.0).init().unwrap(), limit)).unwrap();
    let (mut stop, model) = (StopWithBest::new(limit), model());
    stop.start();
    for (at, stops) in [(40, false), (80, false), (120, true)] {
        minutes.store(at, Ordering::Relaxed);
        assert_eq!(stop.observe(0.5, &model).should_stop(), stops, "{at}");
    }
}
