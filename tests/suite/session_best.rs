//! The best model of a session, and sessions that fail.

use crate::counter::{Counter, counting, files, learner, once, patience, sets, tear, weight};
use crate::models::{alone, numbers, shown};
use crate::renderer::TestRenderer;
use crate::session::everything;
use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::module::{Module, Param};
use burn::optim::{LearningRate, SgdConfig};
use burn::tensor::{Device, Tensor};
use burn::train::logger::{FileMetricLogger, MetricLogger as _};
use burn::train::metric::LossMetric;
use burn::train::metric::store::Split;
use burn::train::{
    InferenceStep, Learner, RegressionOutput, TrainOutput, TrainStep, TrainingError,
};
use burn_tricks::average::EmaWarmup;
use burn_tricks::prelude::*;
use burn_tricks::schedule::ReduceOnPlateau;
use burn_tricks::stop::{
    Any, Decision, EarlyStopping, Observation, Smoothed, SmoothedConfig, StopCriterion, StopReason,
    TimeLimitConfig,
};
use burn_tricks::train::{
    GradNorm, Outcome, SessionError, SessionResult, SharedPlateau, StateError, UpdateRatio,
};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

/// The average of e epochs of a [`Counter`]: of the weights 0, 1, ..., e, with a decay of one half.
fn average(epoch: i32) -> f64 {
    f64::from(epoch) - 1.0 + 0.5f64.powi(epoch)
}

#[test]
fn the_best_model_is_the_one_that_was_validated() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let run = || {
        let ema = EmaConfig::new(0.5)
            .with_warmup(EmaWarmup::None)
            .init(&Counter::new())
            .unwrap();
        let session = counting(folder.path())
            .without_clock()
            .stop_early(LossMetric::new(), patience(2));
        let session = session.resumable(2).unwrap();
        session.launch(learner((ema, ()), 1.0)).unwrap()
    };
    // The average is nearest to 3 after the fourth epoch.
    let finished = run();
    assert_eq!(
        (finished.best_epoch, finished.last_epoch),
        (Some(4), Some(6))
    );
    let best = finished.best_value.unwrap();
    crate::oracle::assert_close(&[best], &[average(4) - 3.0], 1e-6, "observed");
    for _twice in 0..2 {
        let model = finished.best_model().unwrap();
        crate::oracle::assert_close(&[weight(&model)], &[average(4)], 1e-6, "the best");
        assert!(!model.weight.is_require_grad(), "it predicts");
        let last = &finished.model;
        assert_eq!(weight(last.model()), 6.0, "the last one stays as it was");
        let last = finished.last_model();
        crate::oracle::assert_close(&[weight(&last)], &[average(6)], 1e-6, "and its average");
    }
    // Also from a run that had ended before.
    let finished = run();
    assert_eq!(finished.best_epoch, Some(4));
    let model = finished.best_model().unwrap();
    crate::oracle::assert_close(&[weight(&model)], &[average(4)], 1e-6, "and again");
    tear(&folder.path().join("checkpoint/tricks-4.state"));
    let error = finished.best_model().unwrap_err();
    assert!(
        matches!(error, SessionError::Unread { epoch: 4, .. }),
        "{error}"
    );
    assert_eq!(weight(finished.model.model()), 6.0, "nothing is lost");
}

#[test]
fn in_memory_too() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let ema = EmaConfig::new(0.5)
        .with_warmup(EmaWarmup::None)
        .init(&Counter::new())
        .unwrap();
    let session = counting(folder.path())
        .without_clock()
        .stop_early(LossMetric::new(), patience(2));
    let finished = session.launch(learner((ema,), 1.0)).unwrap();
    assert_eq!(finished.best_epoch, Some(4));
    let model = finished.best_model().unwrap();
    crate::oracle::assert_close(&[weight(&model)], &[average(4)], 1e-6, "the best");
    let last = finished.last_model();
    crate::oracle::assert_close(&[weight(&last)], &[average(6)], 1e-6, "the last");
    assert!(!folder.path().join("checkpoint").exists(), "no file");
    // A resumable session has the best in its files anyway.
    for without in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let session = counting(folder.path())
            .without_clock()
            .stop_early(LossMetric::new(), patience(2));
        let session = if without {
            session.without_best().resumable(2)
        } else {
            session.resumable(2)
        };
        let session = session.unwrap();
        let finished = session.launch(learner((), 1.0)).unwrap();
        assert_eq!(weight(&finished.best_model().unwrap()), 3.0);
        assert_eq!(files(folder.path()), sets(&[3, 4, 5]));
    }
}

#[test]
fn the_best_model_has_the_running_statistics_of_its_epoch() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    // Nothing is better than the first epoch.
    let (ran, finished) = everything(folder.path(), 4, 20);
    assert_eq!(ran.best_epoch, Some(1));
    let best = numbers(&finished.best_model().unwrap());
    assert_ne!(best, ran.validated);
    let folder = tempfile::tempdir().unwrap();
    let (first, _) = everything(folder.path(), 1, 20);
    assert_eq!(best, first.validated);
}

/// After which the validation losses are 4, 1, 3, 1.25, 1.5, 3 and 3.
#[derive(Clone)]
struct Scripted(u32);

impl LrScheduler for Scripted {
    fn step(&mut self) -> LearningRate {
        let rates = [7.0, -3.0, 2.0, -1.75, 0.25, 1.5];
        let rate = rates.get(self.0 as usize).copied().unwrap_or(0.0);
        self.0 += 1;
        rate
    }

    fn to_record(&self) -> LrSchedulerRecord {
        LrSchedulerRecord::new().with_scalar("step", self.0)
    }

    fn load_record(&mut self, record: LrSchedulerRecord) {
        self.0 = record.scalar("step").unwrap();
    }
}

/// With β = 1/2 the losses are 4, 2, 2.57, 1.87, 1.68, 2.35 and 2.68.
#[test]
fn the_best_epoch_by_a_smoothed_metric_is_the_first_of_the_best() {
    let _alone = alone();
    let session = |folder: &Path| {
        let smoothed = SmoothedConfig::new(0.5).init(patience(2)).unwrap();
        let session = counting(folder).without_clock();
        session.stop_early(LossMetric::new(), smoothed)
    };
    for kept in [1, 2] {
        let folder = tempfile::tempdir().unwrap();
        let session = session(folder.path()).resumable(2).unwrap();
        let session = session.keep_best_checkpoints(kept).unwrap();
        let finished = session.launch(learner((), Scripted(0))).unwrap();
        assert_eq!(
            (finished.best_epoch, finished.last_epoch),
            (Some(5), Some(7))
        );
        // The others by the metric itself.
        assert_eq!(finished.best_epochs, [5, 2][..kept]);
        assert_eq!(weight(&finished.best_model().unwrap()), 4.5);
        for epoch in finished.best_epochs.iter().copied() {
            let model = finished.model_of(epoch).unwrap();
            assert_eq!(weight(&model), if epoch == 5 { 4.5 } else { 4.0 });
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let finished = session(folder.path())
        .launch(learner((), Scripted(0)))
        .unwrap();
    assert_eq!(finished.best_epochs, [5]);
    assert_eq!(weight(&finished.model_of(5).unwrap()), 4.5);
}

/// Saved as it was when the state had the variance of the average and not the average at the best check.
#[derive(Debug, Clone)]
struct Before(Smoothed<EarlyStopping>);

impl StopCriterion for Before {
    type State = serde_json::Value;

    fn goal(&self) -> Option<Goal> {
        self.0.goal()
    }

    fn best(&self) -> Option<f64> {
        self.0.best()
    }

    fn observe(&mut self, observation: impl Into<Observation>) -> Decision {
        self.0.observe(observation)
    }

    fn state(&self) -> serde_json::Value {
        let mut state = serde_json::to_value(self.0.state()).unwrap();
        state.as_object_mut().unwrap().remove("best").unwrap();
        let average = state["average"].as_object_mut().unwrap();
        average.remove("standard_error").unwrap();
        average.insert("variance".to_owned(), 0.0.into());
        state
    }

    fn with_state(self, _state: serde_json::Value) -> Self {
        self
    }

    fn reset_waiting(&mut self) {}
}

/// The smoothed losses are 2, 1.33, 0.57, 0.8, ...
#[test]
fn a_run_with_a_smoothed_metric_of_an_older_version_keeps_its_best_epoch() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let smoothed = || SmoothedConfig::new(0.5).init(patience(9)).unwrap();
    let session = counting(folder.path()).num_epochs(5).without_clock();
    let session = session.stop_early(LossMetric::new(), Before(smoothed()));
    let session = session.resumable(2).unwrap();
    drop(session.launch(learner((), 1.0)).unwrap());
    let session = counting(folder.path()).num_epochs(8).without_clock();
    let session = session.stop_early(LossMetric::new(), smoothed());
    let session = session.resumable(2).unwrap();
    let session = session.accept_changes(["criterion on `Loss`"]);
    let finished = session.launch(learner((), 1.0)).unwrap();
    assert_eq!(
        (finished.resumed_after, finished.best_epoch),
        (Some(5), Some(3))
    );
    assert_eq!(files(folder.path()), sets(&[3, 7, 8]));
    assert_eq!(weight(&finished.best_model().unwrap()), 3.0);
    assert_eq!(finished.criteria[0].decision.unwrap().waited, 5);
}

/// A rate of 1 that does something when it is saved, and tells when it was.
#[derive(Clone)]
struct When<F>(F, Arc<Mutex<usize>>);

impl<F: Fn(usize) + Clone + Send + Sync + 'static> LrScheduler for When<F> {
    fn step(&mut self) -> LearningRate {
        1.0
    }

    fn to_record(&self) -> LrSchedulerRecord {
        let mut saved = self.1.lock().unwrap();
        *saved += 1;
        (self.0)(*saved);
        LrSchedulerRecord::new()
    }

    fn load_record(&mut self, _record: LrSchedulerRecord) {}
}

/// At once, whoever is writing there.
fn move_away(folder: &Path) {
    std::fs::rename(folder, folder.with_extension("gone")).unwrap();
}

#[test]
fn a_checkpoint_that_cannot_be_written_ends_the_run_with_the_error() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let checkpoints: PathBuf = folder.path().join("checkpoint");
    let gone = checkpoints.clone();
    let remove = move |saved| {
        if saved == 3 {
            move_away(&gone);
        }
    };
    let session = counting(folder.path()).without_clock();
    let session = session.resumable(2).unwrap();
    let error = session
        .launch(learner((), When(remove, Arc::default())))
        .unwrap_err();
    assert!(
        matches!(&error.cause, SessionError::Training(error) if matches!(**error, TrainingError::Checkpoint(_))),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .starts_with("the training failed after epoch ")
    );
    let finished = error.partial.unwrap();
    assert!(matches!(finished.outcome, Outcome::Failed));
    assert!(finished.last_epoch.unwrap() < 6);
    assert!(weight(&finished.last_model()) >= 3.0, "nothing is lost");
}

#[test]
fn nothing_is_overwritten_that_cannot_be_read() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let run = |epochs| {
        let session = counting(folder.path()).num_epochs(epochs).without_clock();
        let session = session.resumable(2).unwrap();
        session.launch(learner((), 1.0))
    };
    drop(run(3).unwrap());
    let before = files(folder.path());
    let checkpoints = folder.path().join("checkpoint");
    for epoch in [2, 3] {
        tear(&checkpoints.join(format!("tricks-{epoch}.state")));
    }
    let error = run(4).err().unwrap().cause;
    assert!(
        matches!(&error, SessionError::NoneComplete { incomplete, .. } if incomplete.len() == 2),
        "{error}"
    );
    assert_eq!(files(folder.path()), before);
    // What is left of an epoch that was not saved whole is no part of a later set.
    let folder = tempfile::tempdir().unwrap();
    let run = |epochs, rate| {
        let session = counting(folder.path()).num_epochs(epochs).without_clock();
        let session = session.resumable(2).unwrap();
        let session = session.accept_changes(["learning rates"]);
        session.launch(learner((), rate)).unwrap()
    };
    drop(run(3, 1.0));
    std::fs::remove_file(folder.path().join("checkpoint/tricks-3.state")).unwrap();
    let finished = run(2, 100.0); // nothing is left to train
    assert_eq!(finished.resumed_after, Some(2));
    assert_eq!(finished.incomplete.len(), 1);
    assert_eq!(files(folder.path()), sets(&[2]));
}

/// Killed while a set was deleted, of which Burn's threads delete a file each.
#[test]
fn what_is_left_of_a_deleted_set_goes_with_the_next_one() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let run = |epochs| {
        let session = counting(folder.path()).num_epochs(epochs).without_clock();
        let session = session.resumable(2).unwrap();
        session.launch(learner((), 1.0)).unwrap()
    };
    drop(run(4));
    let checkpoints = folder.path().join("checkpoint");
    for (name, at) in [
        ("optim-4.bpk", "optim-1.bpk"),
        ("optim-4.crc32", "optim-1.crc32"),
        ("tricks-4.state", "tricks-2.state"),
    ] {
        std::fs::copy(checkpoints.join(name), checkpoints.join(at)).unwrap();
    }
    // Without a checksum it is not the session's.
    std::fs::write(checkpoints.join("model-0.bpk"), b"not ours").unwrap();
    let finished = run(5);
    let incomplete: Vec<_> = finished
        .incomplete
        .iter()
        .map(|(epoch, _)| *epoch)
        .collect();
    assert_eq!(incomplete, [0, 1, 2]);
    let mut left = sets(&[4, 5]);
    left.insert("model-0.bpk".to_owned());
    assert_eq!(files(folder.path()), left);
    assert_eq!(run(6).incomplete.len(), 1);
}

/// A rate of 1 at which a step takes an hour.
#[derive(Clone)]
struct Slow(Arc<AtomicU64>);

impl LrScheduler for Slow {
    fn step(&mut self) -> LearningRate {
        self.0.fetch_add(1, Relaxed);
        1.0
    }

    fn to_record(&self) -> LrSchedulerRecord {
        LrSchedulerRecord::new()
    }

    fn load_record(&mut self, _record: LrSchedulerRecord) {}
}

#[test]
fn a_limit_of_time_counts_from_the_launch_and_over_interruptions() {
    let _alone = alone();
    let hours = Arc::new(AtomicU64::new(0));
    let run = |folder: &Path, epochs| {
        let read = hours.clone();
        let limit = TimeLimitConfig::new(2.5)
            .init_with_clock(move || read.load(Relaxed) as f64)
            .unwrap();
        let training = counting(folder).num_epochs(epochs);
        let criteria = Any::init((patience(99), limit)).unwrap();
        let session = training
            .without_clock()
            .stop_early(LossMetric::new(), criteria);
        hours.fetch_add(1000, Relaxed); // the program was not running
        let session = session.resumable(2).unwrap();
        session.launch(learner((), Slow(hours.clone()))).unwrap()
    };
    let stopped = |finished: &SessionResult<Counter, ()>| {
        matches!(
            finished.outcome,
            Outcome::Stopped(StopReason::TimeLimit { .. })
        )
    };
    let folder = tempfile::tempdir().unwrap();
    let finished = run(folder.path(), 20);
    assert!(stopped(&finished), "{}", finished.outcome);
    assert_eq!(finished.last_epoch, Some(3), "after 1, 2 and 3 hours");
    let folder = tempfile::tempdir().unwrap();
    let last = (1..9).find(|epochs| stopped(&run(folder.path(), *epochs)));
    assert_eq!(last, Some(3), "killed after each epoch");
}

/// A trick whose state nothing can be made of.
#[derive(Debug)]
struct Forgets;

impl<M: Module> Trick<M> for Forgets {
    fn state(&self) -> Option<Vec<u8>> {
        Some(vec![1])
    }
}

#[test]
fn a_state_that_no_trick_takes_is_an_error() {
    let _alone = alone();
    fn launch<H: Trick<Counter> + 'static>(folder: &Path, tricks: H) -> Result<(), SessionError> {
        let session = counting(folder).num_epochs(1).without_clock();
        let session = session.resumable(2).unwrap();
        session.launch(learner(tricks, 1.0))?;
        Ok(())
    }
    let folder = tempfile::tempdir().unwrap();
    launch(folder.path(), (Forgets,)).unwrap();
    let error = launch(folder.path(), (Forgets,)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the run cannot be resumed from the checkpoint of epoch 1: trick 1 (Forgets): the saved state does not fit: this trick has no state"
    );
    // An average is not dropped silently, whatever takes its place.
    let folder = tempfile::tempdir().unwrap();
    let ema = EmaConfig::new(0.5)
        .with_warmup(EmaWarmup::None)
        .init(&Counter::new())
        .unwrap();
    launch(folder.path(), (ema,)).unwrap();
    assert!(launch(folder.path(), ((),)).is_err());
    assert!(launch(folder.path(), (UpdateRatio::new(),)).is_err());
    assert!(launch(folder.path(), (GradNorm::new(),)).is_err());
}

#[test]
fn what_ended_a_run_is_known_when_the_dashboard_has_forgotten_it() {
    let _alone = alone();
    let launch = |folder: &Path, at: usize, interrupted: bool| {
        let training = counting(folder).num_epochs(3);
        let interrupter = training.interrupter();
        // What Burn's dashboard does at the end: it has the interrupter forget.
        let forgetful = interrupter.clone();
        let renderer = Box::new(TestRenderer::at_end(move || forgetful.reset()));
        let training = training.configure(|training| training.renderer(renderer));
        let gone = folder.join("checkpoint");
        let work = move |saved| match interrupted {
            true if saved == at => interrupter.stop(Some("enough")),
            false if saved == at => move_away(&gone),
            _ => (),
        };
        let session = training.without_clock().resumable(2).unwrap();
        let schedule = When(work, Arc::default());
        match session.launch(learner((), schedule)) {
            Ok(finished) => finished.outcome,
            Err(error) => error.partial.unwrap().outcome,
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let ended = launch(folder.path(), 2, true);
    assert!(
        matches!(&ended, Outcome::Interrupted { reason: Some(reason) } if reason == "enough"),
        "{ended}"
    );
    // The file of the last epoch is written when the training is over.
    for at in [2, 3] {
        let folder = tempfile::tempdir().unwrap();
        let ended = launch(folder.path(), at, false);
        assert!(matches!(ended, Outcome::Failed), "{ended}");
    }
}

#[test]
fn the_renderer_is_left_to_whoever_asks_for_it() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let session = counting(folder.path()).num_epochs(1).without_clock();
    let finished = session.keep_renderer().launch(learner((), 1.0)).unwrap();
    assert!(finished.renderer.is_some());
}

#[test]
fn a_metric_that_two_things_look_at_is_registered_once() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let config = PlateauConfig::new(Goal::Minimize);
    let plateau = SharedPlateau::new(ReduceOnPlateau::init(1.0, &config).unwrap());
    let training = counting(folder.path()).num_epochs(1);
    let session = training
        .without_clock()
        .reduce_on_plateau(LossMetric::new(), &plateau)
        .stop_early(LossMetric::new(), patience(2));
    drop(session.launch(learner((), plateau.clone())).unwrap());
    let logged = FileMetricLogger::new(folder.path()).read_numeric("Loss", 1, &Split::Valid);
    assert_eq!(logged.unwrap().len(), 2, "one batch, and the epoch");
}

/// With a layer more than a [`Counter`].
#[derive(Module, Debug)]
struct Larger {
    weight: Param<Tensor<2>>,
}

impl TrainStep for Larger {
    type Input = ();
    type Output = RegressionOutput;

    fn step(&self, (): ()) -> TrainOutput<RegressionOutput> {
        let loss = self.weight.val().sum();
        TrainOutput::new(self, loss.backward(), shown(loss))
    }
}

impl InferenceStep for Larger {
    type Input = ();
    type Output = RegressionOutput;

    fn step(&self, (): ()) -> RegressionOutput {
        shown(self.weight.val().sum())
    }
}

#[test]
fn another_model_than_was_saved_is_an_error() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let session = counting(folder.path()).num_epochs(1).without_clock();
    let session = session.resumable(2).unwrap();
    drop(session.launch(learner((), 1.0)).unwrap());
    let before = files(folder.path());
    let weight = Tensor::zeros([2, 3], &Device::flex().autodiff());
    let weight = Param::from_tensor(weight);
    let larger = Larger { weight }.with_tricks(());
    let session = Session::new(folder.path(), once(), once()).without_clock();
    let session = session.num_epochs(2).resumable(2).unwrap();
    let error = session
        .launch(Learner::new(larger, SgdConfig::new().init(), 1.0))
        .unwrap_err()
        .cause;
    assert!(
        matches!(
            &error,
            SessionError::State {
                epoch: 1,
                error: StateError::Record(_)
            }
        ),
        "{error}"
    );
    assert_eq!(files(folder.path()), before);
}
