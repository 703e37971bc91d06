//! Runs that stop and say why, that reduce their rate, and that are killed and resumed.

use crate::counter::{Counter, counting, files, learner, patience, sets, tear, weight};
use crate::models::{Net, alone, numbers};
use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::optim::{AdamConfig, LearningRate};
use burn::tensor::Device;
use burn::train::Learner;
use burn::train::logger::InMemoryMetricLogger;
use burn::train::metric::LossMetric;
use burn::train::metric::store::Split;
use burn_tricks::MinDelta;
use burn_tricks::average::Ema;
use burn_tricks::grad::ClipGradNorm;
use burn_tricks::prelude::*;
use burn_tricks::schedule::{Patience, ReduceOnPlateau};
use burn_tricks::stop::{Any, CheckLimitConfig, StopReason};
use burn_tricks::train::{
    EpochClock, Outcome, Session, SessionError, SessionResult, SharedPlateau, Trick,
};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// A rate of 1, halved after two epochs in a row without improvement.
fn plateau() -> SharedPlateau<f64> {
    let config = PlateauConfig::new(Goal::Minimize)
        .with_factor(0.5)
        .with_patience(Patience::Reached(2));
    SharedPlateau::new(ReduceOnPlateau::init(1.0, &config).unwrap())
}

#[test]
fn a_stopped_run_says_why_and_when_and_which_was_the_best() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let session = counting(folder.path()).without_clock();
    let session = session.stop_early(LossMetric::new(), patience(2));
    let finished = session.launch(learner((), 1.0)).unwrap();
    assert_eq!(
        finished.outcome.stop_reason(),
        Some(StopReason::NoImprovement { checks: 2 })
    );
    assert_eq!(
        finished.outcome.to_string(),
        "stopped: no improvement in 2 checks"
    );
    assert_eq!(
        (finished.last_epoch, finished.best_epoch),
        (Some(5), Some(3))
    );
    assert_eq!(finished.resumed_after, None);
    assert!(finished.incomplete.is_empty());
    assert_eq!(
        finished.to_string(),
        "stopped: no improvement in 2 checks; epoch 5 was the last, epoch 3 the best"
    );
    assert_eq!(finished.best_value, Some(0.0));
    let [of_loss] = &finished.criteria[..] else {
        panic!("{finished:?}")
    };
    assert_eq!((&*of_loss.metric, &of_loss.split), ("Loss", &Split::Valid));
    assert_eq!(
        (of_loss.best_epoch, of_loss.best_value),
        (Some(3), Some(0.0))
    );
    assert_eq!(of_loss.decision.unwrap().best_check, Some(3));
    assert_eq!(weight(&finished.last_model()), 5.0);
    assert!(
        !folder.path().join("checkpoint").exists(),
        "nothing was saved"
    );
}

#[test]
fn a_run_that_was_not_stopped_says_nothing() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let session = counting(folder.path()).num_epochs(4).without_clock();
    let session = session.stop_early(LossMetric::new(), patience(2));
    let finished = session.launch(learner((), 1.0)).unwrap();
    assert!(matches!(finished.outcome, Outcome::LastEpoch));
    assert_eq!(finished.outcome.to_string(), "ran to its last epoch");
    assert_eq!(
        finished.to_string(),
        "ran to its last epoch; epoch 4 was the last, epoch 3 the best"
    );
    assert!(finished.renderer.is_none());
    assert_eq!(
        (finished.last_epoch, finished.best_epoch),
        (Some(4), Some(3))
    );
    assert_eq!(weight(&finished.best_model().unwrap()), 3.0);
    // Unless it is told not to keep it.
    let folder = tempfile::tempdir().unwrap();
    let session = counting(folder.path()).num_epochs(4);
    let session = session.stop_early(LossMetric::new(), patience(2));
    let finished = session.without_best().launch(learner((), 1.0)).unwrap();
    let error = finished.best_model().unwrap_err();
    assert!(
        matches!(error, SessionError::NotKept { epoch: 3 }),
        "{error}"
    );
}

#[test]
fn any_of_several_criteria_stops_it() {
    let _alone = alone();
    let run = |limit| {
        let folder = tempfile::tempdir().unwrap();
        let limit = CheckLimitConfig::new(limit).init().unwrap();
        let any = Any::init((patience(2), limit)).unwrap();
        let session = counting(folder.path()).without_clock();
        let session = session.stop_early(LossMetric::new(), any);
        let finished = session.launch(learner((), 1.0)).unwrap();
        let reason = finished.outcome.stop_reason();
        assert_eq!(finished.criteria[0].decision.unwrap().stop, reason);
        (reason.unwrap(), finished.last_epoch)
    };
    assert_eq!(run(4), (StopReason::CheckLimit { checks: 4 }, Some(4)));
    assert_eq!(run(9), (StopReason::NoImprovement { checks: 2 }, Some(5)));
}

#[test]
fn a_plateau_reduces_the_rate_of_the_run() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let plateau = plateau();
    let session = counting(folder.path()).num_epochs(7).without_clock();
    let session = session.reduce_on_plateau(LossMetric::new(), &plateau);
    let finished = session.launch(learner((), plateau.clone())).unwrap();
    // 2, 1, 0, 1, 2: the fifth is the second without improvement.
    assert_eq!(plateau.scale(), 0.25);
    assert_eq!(weight(&finished.last_model()), 6.0);
}

#[test]
fn two_hooks_see_each_epoch_once() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let (plateau, clock) = (plateau(), EpochClock::new());
    let session = counting(folder.path()).with_clock(&clock);
    let session = session.reduce_on_plateau(LossMetric::new(), &plateau);
    let session = session.stop_early(LossMetric::new(), patience(3));
    let session = session.resumable(2).unwrap();
    let finished = session.launch(learner((), plateau.clone())).unwrap();
    // Checkpoints are asked for before stopping, and neither asks a second time.
    assert_eq!(finished.criteria[0].decision.unwrap().check, 6);
    assert_eq!((finished.last_epoch, clock.epoch()), (Some(6), 7));
    assert_eq!(plateau.scale(), 0.5);
}

#[test]
fn a_session_whose_metric_logger_knows_nothing_ends_with_the_name_of_the_metric() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let run = |epochs| {
        let session = counting(folder.path())
            .num_epochs(epochs)
            .configure(|training| training.with_metric_logger(InMemoryMetricLogger::new()))
            .without_clock()
            .stop_early(LossMetric::new(), patience(9));
        let session = session.resumable(2).unwrap();
        session.launch(learner((), 1.0))
    };
    drop(run(2).unwrap());
    // Burn's logger in memory counts epochs from the resumed one, and is asked for the third.
    let error = run(9).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("the training failed after epoch 3: {}", error.cause)
    );
    let finished = error.partial.unwrap();
    assert_eq!(finished.last_epoch, Some(3));
    assert!(matches!(finished.outcome, Outcome::Failed));
    assert_eq!(
        weight(&finished.last_model()),
        3.0,
        "what was trained is there"
    );
    let SessionError::MissingMetric(missing) = error.cause else {
        panic!("{}", error.cause);
    };
    assert_eq!((missing.metric.as_str(), missing.epoch), ("Loss", 3));
    assert!(
        missing.to_string().contains("`Loss` has no value"),
        "{missing}"
    );
}

pub(crate) type Tricks = (ClipGradNorm, Ema<Net>);

/// What a run was, to compare.
#[derive(Debug, PartialEq)]
pub(crate) struct Ran {
    pub(crate) trained: Vec<f64>,
    pub(crate) validated: Vec<f64>,
    scale: f64,
    stop: String,
    last_epoch: Option<usize>,
    pub(crate) best_epoch: Option<usize>,
    stopped: Option<StopReason>,
}

/// A run with everything on, of new objects: dropout, batch norm, clip, EMA, accumulation, plateau, and
/// stopping.
pub(crate) fn everything(
    folder: &Path,
    epochs: usize,
    patience: usize,
) -> (Ran, SessionResult<Net, Tricks>) {
    let device = Device::flex().autodiff();
    let net = Net::seeded(1, &device);
    let clip = ClipGradNormConfig::new(0.5).init().unwrap();
    let ema = EmaConfig::new(0.5).init(&net).unwrap();
    let clock = EpochClock::new();
    let schedule = ExponentialDecayConfig::new(0.1).with_gamma(0.9);
    let schedule = schedule.with_steps_per_epoch(2).init().unwrap();
    let watch = PlateauConfig::new(Goal::Minimize)
        .with_factor(0.7)
        .with_min_delta(MinDelta::Absolute(10.0)) // nothing counts as better
        .with_patience(Patience::Reached(2));
    let plateau = SharedPlateau::new(ReduceOnPlateau::init(schedule, &watch).unwrap());
    // Of a loss that falls the first is the best.
    let stop = EarlyStoppingConfig::new(Goal::Maximize)
        .with_min_delta(MinDelta::Absolute(10.0))
        .with_patience(patience)
        .init()
        .unwrap();
    let limit = CheckLimitConfig::new(50).init().unwrap();
    let session = crate::net_training::session(folder, &clock)
        .configure(|training| training.num_epochs(epochs).grads_accumulation(2));
    let session = session.reduce_on_plateau(LossMetric::new(), &plateau);
    let session = session.stop_early(LossMetric::new(), Any::init((stop, limit)).unwrap());
    let session = session.resumable(2).unwrap();
    device.seed(99); // another process would not be where this one is
    let model = net.with_tricks((clip, ema));
    let learner = Learner::new(model, AdamConfig::new().init(), plateau.clone());
    let finished = session.launch(learner).unwrap();
    let model = finished.model.clone();
    let ran = Ran {
        trained: numbers(model.model()),
        validated: numbers(&model.into_validated()),
        scale: plateau.scale(),
        stop: format!("{:?}", finished.criteria),
        last_epoch: finished.last_epoch,
        best_epoch: finished.best_epoch,
        stopped: finished.outcome.stop_reason(),
    };
    (ran, finished)
}

#[test]
fn a_resumed_run_is_the_run() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let (whole, _) = everything(folder.path(), 6, 20);
    assert_ne!(whole.trained, whole.validated);
    assert!(whole.scale < 0.7, "reduced more than once: {}", whole.scale);
    for cuts in [vec![3], vec![1], vec![2, 4, 5], vec![5]] {
        let folder = tempfile::tempdir().unwrap();
        for epochs in &cuts {
            let (_, finished) = everything(folder.path(), *epochs, 20);
            assert_eq!(finished.last_epoch, Some(*epochs));
        }
        let (resumed, finished) = everything(folder.path(), 6, 20);
        assert_eq!(finished.resumed_after, cuts.last().copied());
        assert_eq!(resumed, whole, "after {cuts:?}");
    }
}

#[test]
fn a_run_stops_where_it_would_have_and_stays_ended() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let (whole, _) = everything(folder.path(), 9, 3);
    assert_eq!(whole.stopped, Some(StopReason::NoImprovement { checks: 3 }));
    assert_eq!(whole.last_epoch, Some(4));
    let (again, finished) = everything(folder.path(), 9, 3);
    assert_eq!(again, whole, "nothing was trained");
    assert_eq!(finished.resumed_after, Some(4));
    let folder = tempfile::tempdir().unwrap();
    drop(everything(folder.path(), 2, 3));
    let (resumed, _) = everything(folder.path(), 9, 3);
    assert_eq!(resumed, whole, "resumed after 2");
    // One that came to its last epoch, too.
    let folder = tempfile::tempdir().unwrap();
    let (whole, _) = everything(folder.path(), 3, 20);
    let (again, finished) = everything(folder.path(), 3, 20);
    assert_eq!((again, finished.resumed_after), (whole, Some(3)));
}

#[test]
fn a_torn_set_is_passed_over_and_reported() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let (whole, _) = everything(folder.path(), 5, 20);
    type Harm = fn(&Path);
    let harms: [(&str, Harm); 4] = [
        ("model-3.bpk", tear),
        ("optim-3.bpk", |path| std::fs::remove_file(path).unwrap()),
        ("scheduler-3.bpk", |path| std::fs::write(path, b"").unwrap()),
        ("tricks-3.state", tear),
    ];
    for (name, harm) in harms {
        let folder = tempfile::tempdir().unwrap();
        drop(everything(folder.path(), 3, 20));
        harm(&folder.path().join("checkpoint").join(name));
        let (resumed, finished) = everything(folder.path(), 5, 20);
        assert_eq!(finished.resumed_after, Some(2), "{name}");
        let (epoch, problem) = &finished.incomplete[0];
        assert_eq!((*epoch, finished.incomplete.len()), (3, 1));
        assert!(problem.to_string().contains(name), "{problem}");
        assert_eq!(resumed, whole, "{name}");
    }
}

/// A session on the loss with a given set of things, of one epoch more than was saved.
fn fresh(folder: &Path) -> Session<Counter, ()> {
    counting(folder).num_epochs(1).without_clock()
}

#[test]
fn other_tricks_or_hooks_than_were_saved_are_an_error() {
    let _alone = alone();
    let average = || EmaConfig::new(0.5).init(&Counter::new()).unwrap();
    let clip = || ClipGradNormConfig::new(0.5).init().unwrap();
    fn launch<H: Trick<Counter> + 'static>(folder: &Path, tricks: H) -> Result<(), String> {
        let session = counting(folder).num_epochs(1).without_clock();
        let session = session.resumable(2).unwrap();
        let finished = session.launch(learner(tricks, 1.0));
        finished.map(drop).map_err(|error| error.to_string())
    }
    let folder = tempfile::tempdir().unwrap();
    launch(folder.path(), (clip(), average())).unwrap();
    launch(folder.path(), (clip(), average())).unwrap();
    let error = launch(folder.path(), (clip(),)).unwrap_err();
    assert!(error.contains("epoch 1"), "{error}");
    let recorded = "trick 1: recorded ClipGradNorm";
    let absent = "trick 2: recorded EmaConfig";
    assert!(
        error.contains(recorded) || error.contains(absent),
        "{error}"
    );
    assert!(error.contains(", now absent"), "{error}");
    assert!(launch(folder.path(), (average(), clip())).is_err());
    assert!(launch(folder.path(), average()).is_err());
    let folder = tempfile::tempdir().unwrap();
    launch(folder.path(), clip()).unwrap();
    let error = launch(folder.path(), average()).unwrap_err();
    assert!(error.contains("now EmaConfig"), "{error}");

    // The hooks of the epochs: their number, their order, the metric, the kind of criterion.
    type Make = fn(&Path, &SharedPlateau<f64>) -> Session<Counter, ()>;
    let stop: Make = |folder, _| fresh(folder).stop_early(LossMetric::new(), patience(2));
    let reduce: Make =
        |folder, plateau| fresh(folder).reduce_on_plateau(LossMetric::new(), plateau);
    let none: Make = |folder, _| fresh(folder);
    let other: Make = |folder, _| {
        let limit = CheckLimitConfig::new(4).init().unwrap();
        let any = Any::init((patience(2), limit)).unwrap();
        fresh(folder).stop_early(LossMetric::new(), any)
    };
    let renamed: Make = |folder, _| fresh(folder).stop_early(Renamed::new(), patience(2));
    let launch = |folder: &Path, make: Make| -> Result<(), String> {
        let plateau = plateau();
        let session = make(folder, &plateau).resumable(2).unwrap();
        let finished = session.launch(learner((), plateau));
        finished.map(drop).map_err(|error| error.to_string())
    };
    for (saved, resumed, text) in [
        (stop, none, "criterion on `Loss`: recorded EarlyStopping"),
        (none, stop, "criterion on `Loss`: not recorded"),
        (stop, reduce, "plateau on `Loss`: not recorded"),
        (reduce, stop, "plateau on `Loss`: recorded Plateau"),
        (stop, other, "now Any"),
        (stop, renamed, "criterion on `Other`: not recorded"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        launch(folder.path(), saved).unwrap();
        launch(folder.path(), saved).unwrap();
        let error = launch(folder.path(), resumed).unwrap_err();
        assert!(error.contains(text), "{error}");
    }
}

/// The loss under another name.
#[derive(Clone)]
struct Renamed(LossMetric);

impl Renamed {
    fn new() -> Self {
        Self(LossMetric::new())
    }
}

impl burn::train::metric::Metric for Renamed {
    type Input = <LossMetric as burn::train::metric::Metric>::Input;

    fn name(&self) -> burn::train::metric::MetricName {
        Arc::new("Other".to_owned())
    }

    fn update(
        &mut self,
        item: &Self::Input,
        metadata: &burn::train::metric::MetricMetadata,
    ) -> Result<burn::train::metric::SerializedEntry, burn::tensor::TensorReadError> {
        self.0.update(item, metadata)
    }

    fn compute(
        &mut self,
    ) -> Result<burn::train::metric::SerializedEntry, burn::tensor::TensorReadError> {
        self.0.compute()
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

impl burn::train::metric::Numeric for Renamed {
    fn value(&self) -> Option<burn::train::metric::NumericEntry> {
        self.0.value()
    }

    fn running_value(&self) -> Option<burn::train::metric::NumericEntry> {
        self.0.running_value()
    }

    fn final_value(&self) -> burn::train::metric::NumericEntry {
        self.0.final_value()
    }
}

#[test]
fn fewer_than_two_checkpoints_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for keep in [0, 1] {
        let error = fresh(folder.path()).resumable(keep);
        let error = error.err().unwrap();
        assert!(matches!(error, SessionError::Config(_)));
        assert_eq!(
            error.to_string(),
            format!("`keep` must be at least 2, got {keep}")
        );
    }
    let file = folder.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let error = fresh(&file).resumable(2).err().unwrap();
    assert!(matches!(error, SessionError::Io(_)), "{error}");
}

#[test]
fn the_last_sets_and_the_best_one_are_left() {
    let _alone = alone();
    let run = |folder: &Path, epochs, keep| {
        let session = counting(folder).num_epochs(epochs).without_clock();
        let session = session.stop_early(LossMetric::new(), patience(99));
        let session = session.resumable(keep).unwrap();
        session.launch(learner((), 1.0)).unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    drop(run(folder.path(), 8, 2));
    assert_eq!(files(folder.path()), sets(&[3, 7, 8]));
    drop(run(folder.path(), 10, 2));
    assert_eq!(
        files(folder.path()),
        sets(&[3, 9, 10]),
        "and of a resumed run"
    );
    let folder = tempfile::tempdir().unwrap();
    drop(run(folder.path(), 2, 3));
    assert_eq!(files(folder.path()), sets(&[1, 2]));
    drop(run(folder.path(), 4, 3));
    assert_eq!(
        files(folder.path()),
        sets(&[2, 3, 4]),
        "the best is among them"
    );
}

/// A rate of 1 that looks, when it is saved, at which files there are.
#[derive(Clone)]
struct Looks {
    folder: PathBuf,
    seen: Arc<Mutex<Vec<BTreeSet<String>>>>,
}

impl LrScheduler for Looks {
    fn step(&mut self) -> LearningRate {
        1.0
    }

    fn to_record(&self) -> LrSchedulerRecord {
        self.seen.lock().unwrap().push(files(&self.folder));
        LrSchedulerRecord::new()
    }

    fn load_record(&mut self, _record: LrSchedulerRecord) {}
}

/// Burn may still be writing the schedule of the epoch before: a state that is deleted with the new one
/// about to be written would leave no complete set for a moment.
#[test]
fn there_is_a_complete_set_at_any_moment() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let looks = Looks {
        folder: folder.path().to_owned(),
        seen: Arc::default(),
    };
    let session = counting(folder.path()).num_epochs(6).without_clock();
    let session = session.resumable(2).unwrap();
    let finished = session.launch(learner((), looks.clone())).unwrap();
    assert!(matches!(finished.outcome, Outcome::LastEpoch));
    let seen = looks.seen.lock().unwrap();
    assert_eq!(seen.len(), 6);
    for (saved, seen) in seen.iter().enumerate().skip(2) {
        let before = sets(&[saved - 1]);
        assert!(before.is_subset(seen), "epoch {}: {seen:?}", saved + 1);
    }
    assert_eq!(files(folder.path()), sets(&[5, 6]));
}
