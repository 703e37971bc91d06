//! Several criteria of a session, on either split; and one that is given more patience.

use crate::counter::{Counter, counting, files, learner, patience, sets, weight};
use crate::models::alone;
use burn::optim::SgdConfig;
use burn::train::Learner;
use burn::train::metric::LossMetric;
use burn::train::metric::store::Split;
use burn_tricks::prelude::*;
use burn_tricks::stop::{
    CheckLimitConfig, Decision, Observation, ProgressQuotientConfig, StopCriterion, StopReason,
};
use burn_tricks::train::{GradNorm, LaunchError, SessionError, SessionResult};
use std::path::Path;

#[test]
fn each_criterion_stops_and_the_first_tells_the_best_epoch() {
    let _alone = alone();
    // The losses are 2, 1, 0, 1, 2: to be made large, the first is the best, and patience is out at the third.
    let large = || {
        EarlyStoppingConfig::new(Goal::Maximize)
            .with_patience(2)
            .init()
            .unwrap()
    };
    let small = || patience(9);
    for (large_first, best) in [(true, 1), (false, 3)] {
        let folder = tempfile::tempdir().unwrap();
        let session = counting(folder.path());
        let session = if large_first {
            session
                .stop_early(LossMetric::new(), large())
                .stop_early(LossMetric::new(), small())
        } else {
            session
                .stop_early(LossMetric::new(), small())
                .stop_early(LossMetric::new(), large())
        };
        let finished = session.launch(learner((), 1.0)).unwrap();
        assert_eq!(finished.last_epoch, Some(3), "the second stops it as well");
        assert_eq!(finished.best_epoch, Some(best));
        assert_eq!(weight(&finished.best_model().unwrap()), best as f64);
        let of = |at: usize| &finished.criteria[at];
        let (large, small) = if large_first {
            (of(0), of(1))
        } else {
            (of(1), of(0))
        };
        assert_eq!((large.best_epoch, large.best_value), (Some(1), Some(2.0)));
        assert_eq!((small.best_epoch, small.best_value), (Some(3), Some(0.0)));
        let reason = StopReason::NoImprovement { checks: 2 };
        assert_eq!(large.decision.unwrap().stop, Some(reason));
        assert_eq!(small.decision.unwrap().stop, None);
        assert_eq!(finished.best_value, of(0).best_value);
    }
}

/// The losses are 4 and 5: the second is no improvement, and lies beyond the limit.
#[test]
fn a_divergence_is_the_reason_wherever_its_criterion_stands() {
    let _alone = alone();
    let limit = || {
        let config = EarlyStoppingConfig::new(Goal::Minimize).with_patience(usize::MAX);
        config.with_divergence_limit(Some(4.5)).init().unwrap()
    };
    for limit_first in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let session = counting(folder.path());
        let session = if limit_first {
            session
                .stop_early(LossMetric::new(), limit())
                .stop_early(LossMetric::new(), patience(1))
        } else {
            session
                .stop_early(LossMetric::new(), patience(1))
                .stop_early(LossMetric::new(), limit())
        };
        let finished = session.launch(learner((), -1.0)).unwrap();
        let reason = StopReason::Diverged { limit: 4.5 };
        assert_eq!(finished.outcome.stop_reason(), Some(reason));
        assert_eq!(finished.last_epoch, Some(2));
    }
}

/// The training loss is 0 in the first epoch and −1 in the second, which is no error.
#[test]
fn a_criterion_gets_the_training_error_if_it_is_registered() {
    let _alone = alone();
    let quotient = || ProgressQuotientConfig::new(1.0).init().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let session = counting(folder.path()).stop_early(LossMetric::new(), quotient());
    let session = session.metric_train_numeric(LossMetric::new());
    let finished = session.launch(learner((), 1.0)).unwrap();
    let negative = StopReason::NegativeError { value: -1.0 };
    assert_eq!(finished.outcome.stop_reason(), Some(negative));
    assert_eq!(finished.last_epoch, Some(2));

    let folder = tempfile::tempdir().unwrap();
    let session = counting(folder.path()).stop_early(LossMetric::new(), quotient());
    let error = session.launch(learner((), 1.0)).unwrap_err().to_string();
    assert!(error.contains("`Loss` has no value for epoch 1"), "{error}");
    assert!(
        error.contains("register it with `metric_train_numeric`"),
        "{error}"
    );
}

#[test]
fn a_criterion_can_read_the_training_split() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    // The training loss is minus the weight before the step: 0, -1, -2, -3.
    let target = EarlyStoppingConfig::new(Goal::Minimize).with_target(Some(-3.0));
    let session = counting(folder.path())
        .stop_early(LossMetric::new(), patience(9))
        .stop_early_on_train(LossMetric::new(), target.init().unwrap())
        .without_clock()
        .resumable(2)
        .unwrap();
    let finished = session.launch(learner((), 1.0)).unwrap();
    let reached = StopReason::TargetReached { target: -3.0 };
    assert_eq!(finished.outcome.stop_reason(), Some(reached));
    assert_eq!(
        (finished.last_epoch, finished.best_epoch),
        (Some(4), Some(3))
    );
    let of_train = &finished.criteria[1];
    assert_eq!(
        (&*of_train.metric, &of_train.split),
        ("Loss", &Split::Train)
    );
    assert_eq!(
        (of_train.best_epoch, of_train.best_value),
        (Some(4), Some(-3.0))
    );
    // A resumed run compares it as a part of its own.
    let session = counting(folder.path())
        .stop_early(LossMetric::new(), patience(9))
        .without_clock()
        .resumable(2)
        .unwrap();
    let error = session.launch(learner((), 1.0)).unwrap_err().to_string();
    assert!(
        error.contains("criterion on `Loss` of the training split"),
        "{error}"
    );
}

fn resumed(
    folder: &Path,
    checks: usize,
    accept: &[&str],
) -> Result<SessionResult<Counter, ()>, LaunchError<Counter, ()>> {
    let session = counting(folder)
        .stop_early(LossMetric::new(), patience(checks))
        .without_clock()
        .accept_changes(accept.iter().copied())
        .resumable(2)?;
    session.launch(learner((), 1.0))
}

#[test]
fn a_stopped_run_goes_on_with_more_patience() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let criterion = "criterion on `Loss`";
    let finished = resumed(folder.path(), 2, &[]).unwrap();
    assert_eq!(finished.last_epoch, Some(5));
    // As it was, it stays stopped, whatever is accepted.
    let finished = resumed(folder.path(), 2, &[criterion]).unwrap();
    assert_eq!(
        (finished.last_epoch, finished.resumed_after),
        (Some(5), Some(5))
    );
    let stopped = Some(StopReason::NoImprovement { checks: 2 });
    assert_eq!(finished.outcome.stop_reason(), stopped);
    assert_eq!(finished.criteria[0].decision.unwrap().stop, stopped);
    // With more patience, which has to be accepted, it counts on.
    let error = resumed(folder.path(), 4, &[]).unwrap_err();
    assert!(
        matches!(error.cause, SessionError::Changed { .. }),
        "{error}"
    );
    let finished = resumed(folder.path(), 4, &[criterion]).unwrap();
    assert_eq!(
        (finished.last_epoch, finished.resumed_after),
        (Some(7), Some(5))
    );
    assert_eq!(
        finished.outcome.stop_reason(),
        Some(StopReason::NoImprovement { checks: 4 })
    );
    assert_eq!(finished.best_epoch, Some(3));
    assert_eq!(weight(&finished.best_model().unwrap()), 3.0);
}

#[test]
fn two_tricks_that_bring_one_metric_are_an_error() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let launch = |tricks: (GradNorm, GradNorm)| {
        let model = Counter::new().with_tricks(tricks);
        let session = counting(folder.path()).num_epochs(1);
        session.launch(Learner::new(model, SgdConfig::new().init(), 1.0))
    };
    let error = launch((GradNorm::new(), GradNorm::new())).unwrap_err();
    assert!(error.partial.is_none());
    assert!(error.to_string().contains("`Gradient Norm`"), "{error}");
    assert!(launch((GradNorm::named("Before"), GradNorm::named("After"))).is_ok());
}

/// A run that keeps this many of the best checkpoints. The losses are 2, 1, 0, 1, 2, 3, ...
fn keeping(folder: &Path, epochs: usize, best: usize) -> SessionResult<Counter, ()> {
    let session = counting(folder)
        .num_epochs(epochs)
        .stop_early(LossMetric::new(), patience(99))
        .without_clock()
        .keep_best_checkpoints(best)
        .unwrap()
        .resumable(2)
        .unwrap();
    session.launch(learner((), 1.0)).unwrap()
}

#[test]
fn the_best_checkpoints_are_kept_and_give_their_models_back() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    // The losses are 2, 1, 0, 1, 2, 3, ...: the best epochs are 3, 2 and 4.
    let run = |epochs, best| keeping(folder.path(), epochs, best);
    drop(run(5, 3));
    let finished = run(9, 3);
    assert_eq!(finished.resumed_after, Some(5));
    assert_eq!(finished.best_epochs, [3, 2, 4]);
    let kept = [2, 3, 4, 8, 9];
    assert_eq!(files(folder.path()), sets(&kept));
    for epoch in kept {
        assert_eq!(weight(&finished.model_of(epoch).unwrap()), epoch as f64);
    }
    let error = finished.model_of(6).unwrap_err();
    assert!(
        matches!(error, SessionError::Unread { epoch: 6, .. }),
        "{error}"
    );

    let error = counting::<()>(folder.path())
        .keep_best_checkpoints(0)
        .err()
        .unwrap();
    let text = "`keep_best_checkpoints` must be at least 1, got 0";
    assert_eq!(error.to_string(), text);
    assert_eq!(format!("{error:?}"), text, "as `unwrap` prints it");

    // Of what is not written, or not ranked, none can be kept.
    let folder = tempfile::tempdir().unwrap();
    let keeping = || {
        counting(folder.path())
            .without_clock()
            .keep_best_checkpoints(2)
            .unwrap()
    };
    let session = keeping().stop_early(LossMetric::new(), patience(99));
    let error = session.launch(learner((), 1.0)).unwrap_err().cause;
    assert!(matches!(error, SessionError::KeepBestOfNone), "{error}");
    let session = keeping().resumable(2).unwrap();
    let error = session.launch(learner((), 1.0)).unwrap_err().cause;
    assert!(
        matches!(&error, SessionError::NoCriterion { by } if by == "keep_best_checkpoints"),
        "{error}"
    );

    // Without files there is the best one.
    let folder = tempfile::tempdir().unwrap();
    let session = counting(folder.path()).num_epochs(4);
    let session = session.stop_early(LossMetric::new(), patience(99));
    let finished = session.launch(learner((), 1.0)).unwrap();
    assert_eq!(finished.best_epochs, [3]);
    assert_eq!(weight(&finished.model_of(3).unwrap()), 3.0);
    assert!(matches!(
        finished.model_of(4),
        Err(SessionError::NotKept { epoch: 4 })
    ));
}

/// The losses are 2, 1, 0, 1, 2, 3, ...: the second epoch is better than the fifth, and its checkpoint is deleted.
#[test]
fn a_run_that_keeps_more_of_the_best_checkpoints_than_before_ranks_those_that_are_left() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let run = |epochs, best| keeping(folder.path(), epochs, best);
    drop(run(5, 1));
    assert_eq!(files(folder.path()), sets(&[3, 4, 5]));
    let finished = run(9, 3);
    assert_eq!(finished.resumed_after, Some(5));
    assert_eq!(finished.best_epochs, [3, 4, 5]);
    assert_eq!(files(folder.path()), sets(&[3, 4, 5, 8, 9]));
    for epoch in finished.best_epochs.iter().copied() {
        assert_eq!(weight(&finished.model_of(epoch).unwrap()), epoch as f64);
    }
}

#[test]
fn epochs_of_a_warm_up_and_those_that_are_not_finite_have_no_rank() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let late = EarlyStoppingConfig::new(Goal::Maximize)
        .with_patience(99)
        .with_warmup_checks(2)
        .init()
        .unwrap();
    // 2, 1 (both warm-up), 0, 1, 2: the largest of the last three first.
    let session = counting(folder.path())
        .num_epochs(5)
        .stop_early(LossMetric::new(), late)
        .without_clock()
        .keep_best_checkpoints(9)
        .unwrap()
        .resumable(2)
        .unwrap();
    let finished = session.launch(learner((), 1.0)).unwrap();
    assert_eq!(finished.best_epochs, [5, 4, 3]);
}

/// A criterion of the caller's, whose best value begins at infinity.
#[derive(Debug, Clone)]
struct Lowest {
    best: f64,
    goal: Option<Goal>,
}

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
struct LowestState {
    best: f64,
}

impl StopCriterion for Lowest {
    type State = LowestState;

    fn goal(&self) -> Option<Goal> {
        self.goal
    }

    fn best(&self) -> Option<f64> {
        None
    }

    fn observe(&mut self, observation: impl Into<Observation>) -> Decision {
        if self.goal.is_some() {
            self.best = self.best.min(observation.into().value);
        }
        // Of another criterion: a `Decision` has no constructor for criteria elsewhere.
        let mut limit = CheckLimitConfig::new(99).init().unwrap();
        limit.observe(0.0)
    }

    fn state(&self) -> LowestState {
        LowestState { best: self.best }
    }

    fn with_state(self, state: LowestState) -> Self {
        let best = state.best;
        Self { best, ..self }
    }

    fn reset_waiting(&mut self) {}
}

#[test]
fn a_state_that_json_cannot_hold_ends_the_run_with_the_name_of_the_field() {
    let _alone = alone();
    let run = |goal| {
        let folder = tempfile::tempdir().unwrap();
        let best = f64::INFINITY;
        let session = counting(folder.path())
            .num_epochs(2)
            .stop_early(LossMetric::new(), Lowest { best, goal })
            .without_clock()
            .resumable(2)
            .unwrap();
        let launched = session.launch(learner((), 1.0));
        let error = launched.err().map(|error| error.to_string());
        (error, files(folder.path()))
    };
    let (error, files) = run(None);
    let error = error.unwrap();
    let text = "the state of the criterion on `Loss` cannot be saved: `stop.best` is inf,";
    assert!(error.contains(text), "{error}");
    assert!(files.is_empty(), "no checkpoint that would not load");
    let (error, files) = run(Some(Goal::Minimize));
    assert_eq!(error, None);
    assert_eq!(files, sets(&[1, 2]));
}
