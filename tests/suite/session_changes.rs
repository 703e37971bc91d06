//! What a resumed session must know of its run: the clock of the loader, and what the run is made of. And
//! metrics, which are registered once.

use crate::counter::{Counter, counting, learner, patience, weight};
use crate::models::alone;
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::InMemDataset;
use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::module::Module as _;
use burn::optim::{AdamConfig, AdamWConfig, LearningRate, ModuleOptimizer, SgdConfig};
use burn::tensor::Device;
use burn::train::Learner;
use burn::train::metric::LossMetric;
use burn_tricks::average::Ema;
use burn_tricks::prelude::*;
use burn_tricks::schedule::{MultiStepConfig, Patience, SkipCount};
use burn_tricks::train::{
    CheckpointFault, EpochClock, EpochLoader, EpochLoaderConfig, LaunchError, Session,
    SessionError, SessionResult, SharedPlateau, Tricked,
};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Notes the epoch at which each batch is made.
struct Notes(EpochClock, Arc<Mutex<Vec<usize>>>);

impl Batcher<(), ()> for Notes {
    fn batch(&self, _items: Vec<()>, _device: &Device) {
        self.1.lock().unwrap().push(self.0.epoch());
    }
}

type Loader = Arc<EpochLoader<(), ()>>;

/// A loader of two samples, and the epochs of its batches.
fn loader(config: &EpochLoaderConfig) -> (Loader, Arc<Mutex<Vec<usize>>>) {
    let (clock, seen) = (EpochClock::new(), Arc::default());
    let notes = Notes(clock.clone(), Arc::clone(&seen));
    let data = InMemDataset::new(vec![(); 2]);
    let device = Device::flex().autodiff();
    (config.init(data, notes, &device, &clock).unwrap(), seen)
}

pub(crate) fn training<H: Trick<Counter> + 'static>(
    folder: &Path,
    train: Loader,
    epochs: usize,
) -> Session<Counter, H> {
    let (valid, _) = loader(&EpochLoaderConfig::new(2, 0));
    Session::new(folder, train, valid)
        .configure(|training| training.num_epochs(epochs).with_application_logger(None))
}

#[test]
fn a_resumed_session_made_from_a_loader_begins_at_its_epoch() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    for (epochs, expected) in [(2, vec![1, 2]), (4, vec![3, 4])] {
        let (train, seen) = loader(&EpochLoaderConfig::new(2, 1));
        let training = training(folder.path(), train.clone(), epochs);
        let session = training.resumable(2);
        drop(session.unwrap().launch(learner((), 1.0)).unwrap());
        assert_eq!(*seen.lock().unwrap(), expected);
        assert_eq!(train.clock().epoch(), epochs + 1);
    }
}

#[test]
fn a_clock_that_is_added_leaves_that_of_the_loader() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    for (epochs, expected) in [(2, vec![1, 2]), (4, vec![3, 4])] {
        let (train, seen) = loader(&EpochLoaderConfig::new(2, 1));
        let other = EpochClock::new();
        let session = training(folder.path(), train, epochs).with_clock(&other);
        let session = session.resumable(2).unwrap();
        drop(session.launch(learner((), 1.0)).unwrap());
        assert_eq!(*seen.lock().unwrap(), expected);
        assert_eq!(other.epoch(), epochs + 1);
    }
    // And its loaders are recorded.
    let (train, _) = loader(&EpochLoaderConfig::new(2, 7));
    let session = training(folder.path(), train, 5).with_clock(&EpochClock::new());
    let session = session.resumable(2).unwrap();
    let error = session.launch(learner((), 1.0)).unwrap_err().to_string();
    let text = "epoch loader 1: `seed` recorded 1, now 7";
    assert!(error.contains(text), "{error}");
}

#[test]
fn a_session_without_a_sample_does_not_begin() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let clock = EpochClock::new();
    let notes = Notes(clock.clone(), Arc::default());
    let none = InMemDataset::new(Vec::<()>::new());
    let config = EpochLoaderConfig::new(2, 1);
    let train = config.init(none, notes, &Device::flex().autodiff(), &clock);
    let session = training(folder.path(), train.unwrap(), 1);
    let error = session.launch(learner((), 1.0)).unwrap_err();
    assert!(matches!(error.cause, SessionError::NoSamples), "{error}");
    assert!(error.partial.is_none());
    let text = "the training did not begin: the training set has no samples";
    assert!(error.to_string().starts_with(text), "{error}");
}

#[test]
fn a_resumable_session_without_a_clock_does_not_begin() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let session = counting(folder.path());
    let session = session.resumable(2).unwrap();
    let error = session.launch(learner((), 1.0)).unwrap_err();
    assert!(matches!(error.cause, SessionError::NoClock), "{error}");
    assert!(error.partial.is_none());
    let text = error.to_string();
    assert!(text.starts_with("the training did not begin: "), "{text}");
    assert!(text.contains("train with an `EpochLoader`") && text.contains("without_clock()"));
    // One that says that it needs none does, and so does one that cannot be resumed.
    let session = counting(folder.path()).num_epochs(1);
    let session = session.resumable(2).unwrap().without_clock();
    drop(session.launch(learner((), 1.0)).unwrap());
    let session = counting(folder.path()).num_epochs(1);
    drop(session.launch(learner((), 1.0)).unwrap());
}

/// What a run is made of.
#[derive(Clone)]
struct Parts {
    loader: EpochLoaderConfig,
    patience: usize,
    rate: f64,
    decay: f64,
    optimizer: ModuleOptimizer,
    declared: Option<f64>,
    accept: Vec<&'static str>,
    epochs: usize,
}

impl Parts {
    fn new() -> Self {
        Self {
            loader: EpochLoaderConfig::new(1, 1),
            patience: 9,
            rate: 1.0,
            decay: 0.5,
            optimizer: SgdConfig::new().init(),
            declared: Some(0.1),
            accept: Vec::new(),
            epochs: 1,
        }
    }

    fn launch(
        self,
        folder: &Path,
    ) -> Result<SessionResult<Counter, Ema<Counter>>, LaunchError<Counter, Ema<Counter>>> {
        let (train, _) = loader(&self.loader);
        let session = training(folder, train.clone(), self.epochs)
            .stop_early(LossMetric::new(), patience(self.patience));
        let mut session = session.resumable(2)?.accept_changes(self.accept);
        if let Some(declared) = self.declared {
            session = session.declare("weight decay", &declared)?;
        }
        let ema = EmaConfig::new(self.decay).init(&Counter::new()).unwrap();
        let model = Counter::new().with_tricks(ema);
        session.launch(Learner::new(model, self.optimizer, self.rate))
    }
}

type Change = fn(&mut Parts);

#[test]
fn each_difference_from_the_recorded_run_is_refused_by_name() {
    let _alone = alone();
    let changes: [(Change, &str); 9] = [
        (
            |parts| parts.loader.batch_size = 2,
            "epoch loader 1: `batch_size` recorded 1, now 2",
        ),
        (
            |parts| parts.loader.seed = 8,
            "epoch loader 1: `seed` recorded 1, now 8",
        ),
        (
            |parts| parts.patience = 3,
            "criterion on `Loss`: `config.patience` recorded 9, now 3",
        ),
        (
            |parts| parts.rate = 0.5,
            "learning rates: `step 1` recorded 1.0, now 0.5, `step 2` recorded 1.0, now 0.5",
        ),
        (
            |parts| parts.decay = 0.9,
            "trick 1: `decay` recorded 0.5, now 0.9",
        ),
        (
            |parts| parts.declared = Some(0.2),
            "weight decay: recorded 0.1, now 0.2",
        ),
        (
            |parts| parts.declared = None,
            "weight decay: recorded 0.1, now absent",
        ),
        (
            |parts| parts.optimizer = AdamConfig::new().init(),
            "optimizer state: recorded none, now momentum.moment_1 × 1, momentum.moment_2 × 1",
        ),
        (
            |parts| {
                parts.rate = 0.25;
                parts.loader.shuffle = false;
            },
            "epoch loader 1: `shuffle` recorded true, now false; learning rates",
        ),
    ];
    for (change, text) in changes {
        let folder = tempfile::tempdir().unwrap();
        drop(Parts::new().launch(folder.path()).unwrap());
        let before = crate::counter::files(folder.path());
        let mut parts = Parts::new();
        parts.epochs = 2;
        change(&mut parts);
        let error = parts.clone().launch(folder.path()).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(text), "{error}");
        assert!(error.contains("epoch 1"), "{error}");
        assert!(error.contains("accept_changes"), "{error}");
        assert_eq!(crate::counter::files(folder.path()), before, "untouched");
        // The same run goes on.
        let finished = Parts {
            epochs: 2,
            ..Parts::new()
        }
        .launch(folder.path());
        let finished = finished.unwrap();
        assert_eq!(
            (finished.resumed_after, finished.accepted.len()),
            (Some(1), 0)
        );
    }
}

/// The first steps of a warm-up tell little of what comes after it.
#[test]
fn a_schedule_that_differs_only_later_is_a_change() {
    let _alone = alone();
    let launch = |folder: &Path, epochs, steps| {
        let cosine = CosineConfig::new(0.1, steps).init().unwrap();
        let schedule = cosine.with_warmup(WarmupConfig::new(20)).unwrap();
        let session = counting(folder).num_epochs(epochs);
        let session = session.without_clock().resumable(2);
        session.unwrap().launch(learner((), schedule))
    };
    let folder = tempfile::tempdir().unwrap();
    drop(launch(folder.path(), 1, 1000).unwrap());
    let error = launch(folder.path(), 2, 500).unwrap_err().to_string();
    assert!(
        error.contains("learning rates: `step 32` recorded"),
        "{error}"
    );
    assert!(!error.contains("`step 16`"), "{error}");
    let finished = launch(folder.path(), 2, 1000).unwrap();
    assert_eq!(finished.resumed_after, Some(1));
}

#[test]
fn a_schedule_that_would_go_on_elsewhere_in_other_wrappers_is_refused() {
    let _alone = alone();
    let cosine = || CosineConfig::new(0.1, 10).init().unwrap();
    let repeating = || cosine().repeating_skipped(SkipCount::new());
    let floored = || cosine().at_least(0.01).unwrap();
    let warmed = || cosine().with_warmup(WarmupConfig::new(1)).unwrap();
    let watched = || {
        let config = PlateauConfig::new(Goal::Minimize);
        cosine().with_shared_plateau(&config).unwrap()
    };
    let launch = |folder: &Path, epochs, schedule: ModuleLrScheduler| {
        let session = counting(folder).num_epochs(epochs).without_clock();
        let session = session.accept_changes(["learning rates"]).resumable(2);
        session.unwrap().launch(learner((), schedule))
    };
    // A schedule that does not begin at its first step.
    let ahead = || {
        let mut cosine = cosine();
        for _ in 0..3 {
            cosine.step();
        }
        cosine.with_warmup(WarmupConfig::new(1)).unwrap()
    };
    let steps = |at| MultiStepConfig::new(0.1, vec![at]).init().unwrap();
    let changed: [(ModuleLrScheduler, ModuleLrScheduler, bool); 10] = [
        (cosine().into(), cosine().into(), false),
        (cosine().into(), floored().into(), false),
        (cosine().into(), repeating().into(), false),
        (warmed().into(), warmed().into(), false),
        (repeating().into(), repeating().into(), false),
        (ahead().into(), ahead().into(), false),
        (steps(1).into(), steps(20).into(), false),
        (repeating().into(), cosine().into(), true),
        (cosine().into(), warmed().into(), true),
        (cosine().into(), watched().into(), true),
    ];
    for (at, (recorded, present, is_elsewhere)) in changed.into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        drop(launch(folder.path(), 2, recorded.clone()).unwrap());
        let (recorded_again, present_again) = (recorded.clone(), present.clone());
        let resumed = launch(folder.path(), 3, present);
        if is_elsewhere {
            let error = resumed.unwrap_err();
            let SessionError::Changed { changes, .. } = &error.cause else {
                panic!("{at}: {error}");
            };
            let names: Vec<_> = changes.iter().map(|change| &*change.name).collect();
            assert_eq!(names, ["schedule position"], "{at}");
            let text =
                "schedule position: recorded after 2 steps, now the record does not hold all";
            assert!(error.to_string().contains(text), "{error}");
            let finished = launch(folder.path(), 3, recorded).unwrap();
            assert_eq!(finished.resumed_after, Some(2), "{at}");
            // What is accepted once is recorded.
            let folder = tempfile::tempdir().unwrap();
            let session = counting(folder.path()).num_epochs(3).without_clock();
            let names = ["learning rates", "schedule position"];
            let session = session.accept_changes(names).resumable(2).unwrap();
            drop(launch(folder.path(), 2, recorded_again).unwrap());
            drop(session.launch(learner((), present_again.clone())).unwrap());
            let finished = launch(folder.path(), 4, present_again).unwrap();
            assert_eq!(finished.resumed_after, Some(3), "{at}");
        } else {
            assert_eq!(resumed.unwrap().resumed_after, Some(2), "{at}");
        }
    }
}

/// A schedule that has three rates: the last digits of the first are those of another machine.
#[derive(Clone)]
struct Three(u32, f64);

impl LrScheduler for Three {
    fn step(&mut self) -> LearningRate {
        self.0 += 1;
        assert!(self.0 <= 3, "a schedule that has ended");
        self.1
    }

    fn to_record(&self) -> LrSchedulerRecord {
        LrSchedulerRecord::new().with_scalar("step", self.0)
    }

    fn load_record(&mut self, record: LrSchedulerRecord) {
        self.0 = record.scalar("step").unwrap();
    }
}

#[test]
fn a_schedule_is_looked_at_no_further_than_it_goes_nor_too_closely() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let launch = |epochs, rate| {
        let session = counting(folder.path()).num_epochs(epochs);
        let session = session.without_clock().resumable(2);
        session.unwrap().launch(learner((), Three(0, rate)))
    };
    drop(launch(1, 0.1).unwrap());
    drop(launch(2, 0.1 + 1e-16).unwrap());
    let error = launch(3, 0.1 + 1e-10).unwrap_err();
    assert!(error.to_string().contains("learning rates"), "{error}");
    let finished = launch(3, 0.1).unwrap();
    assert_eq!(finished.last_epoch, Some(3));
}

/// A schedule that panics where it is loaded.
#[derive(Clone)]
struct Unloadable;

impl LrScheduler for Unloadable {
    fn step(&mut self) -> LearningRate {
        1.0
    }

    fn to_record(&self) -> LrSchedulerRecord {
        LrSchedulerRecord::new()
    }

    fn load_record(&mut self, _record: LrSchedulerRecord) {
        panic!("there is no step in it")
    }
}

#[test]
fn a_record_that_a_schedule_does_not_take_is_an_error_before_the_training() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let launch = |epochs| {
        let session = counting(folder.path()).num_epochs(epochs);
        let session = session.without_clock().resumable(2);
        session.unwrap().launch(learner((), Unloadable))
    };
    drop(launch(1).unwrap());
    let error = launch(2).unwrap_err();
    assert!(
        matches!(&error.cause, SessionError::Unread {
            epoch: 1,
            fault: CheckpointFault::Panicked { what: "schedule", message },
        } if message.contains("no step in it")),
        "{error}"
    );
    assert!(error.partial.is_none());
}

#[test]
fn what_the_session_records_itself_cannot_be_declared() {
    let _alone = alone();
    for name in [
        "learning rates",
        "optimizer state",
        "schedule position",
        "trick 1",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let session = counting(folder.path()).without_clock();
        let session = session.resumable(2).unwrap();
        let session = session.declare(name, &1).unwrap();
        let clip = ClipGradNormConfig::new(1.0).init().unwrap();
        let error = session.launch(learner(clip, 1.0)).unwrap_err();
        assert!(
            matches!(&error.cause, SessionError::DeclaredNameTaken { name: got } if got == name),
            "{error}"
        );
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn an_optimizer_of_another_state_is_told_from_the_one_that_saved() {
    let _alone = alone();
    use burn_tricks::optim;
    type Make = fn() -> ModuleOptimizer;
    let optimizers: [(&str, Make); 5] = [
        ("none", || SgdConfig::new().init()),
        ("none", || optim::SgdConfig::new().init().unwrap()),
        ("two moments", || AdamConfig::new().init()),
        ("two moments", || AdamWConfig::new().init()),
        ("a sum", || optim::AdaGradConfig::new().init().unwrap()),
    ];
    for (saved, optimizer) in optimizers {
        for (present, other) in optimizers {
            let folder = tempfile::tempdir().unwrap();
            let parts = |optimizer: Make, epochs| Parts {
                optimizer: optimizer(),
                epochs,
                ..Parts::new()
            };
            drop(parts(optimizer, 1).launch(folder.path()).unwrap());
            let resumed = parts(other, 2).launch(folder.path());
            assert_eq!(resumed.is_ok(), saved == present, "{saved}, {present}");
        }
    }
}

#[test]
fn a_change_that_is_accepted_is_resumed_with_and_recorded() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    drop(Parts::new().launch(folder.path()).unwrap());
    let changed = |epochs, accept: &[&'static str]| Parts {
        rate: 0.5,
        optimizer: AdamConfig::new().init(),
        patience: 4,
        accept: accept.to_vec(),
        epochs,
        ..Parts::new()
    };
    let some = changed(2, &["learning rates", "optimizer state"]);
    let error = some.launch(folder.path()).unwrap_err();
    let SessionError::Changed { epoch: 1, changes } = &error.cause else {
        panic!("{error}");
    };
    let names: Vec<_> = changes.iter().map(|change| change.name.as_str()).collect();
    assert_eq!(names, ["criterion on `Loss`"]);
    let all = ["learning rates", "optimizer state", "criterion on `Loss`"];
    let finished = changed(2, &all).launch(folder.path()).unwrap();
    assert_eq!(finished.resumed_after, Some(1));
    assert_eq!(finished.accepted.len(), 3);
    // Two steps of 1, and two of a half: what Adam's is at first, of a constant gradient.
    crate::oracle::assert_close(
        &[weight(finished.model.model())],
        &[3.0],
        1e-5,
        "the weight",
    );
    let finished = changed(3, &[]).launch(folder.path()).unwrap();
    assert_eq!(
        (finished.resumed_after, finished.accepted.len()),
        (Some(2), 0)
    );
}

#[test]
fn what_does_not_matter_is_no_change() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    drop(Parts::new().launch(folder.path()).unwrap());
    let mut parts = Parts::new();
    (parts.loader.workers, parts.epochs) = (2, 2);
    let finished = parts.launch(folder.path()).unwrap();
    assert_eq!(finished.resumed_after, Some(1));
}

#[test]
fn weights_loaded_after_a_resumed_session_restart_the_average() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    drop(Parts::new().launch(folder.path()).unwrap());
    let mut parts = Parts::new();
    parts.epochs = 2;
    let finished = parts.launch(folder.path()).unwrap();
    assert_eq!(finished.resumed_after, Some(1));
    let steps = |model: &Tricked<Counter, Ema<Counter>>| model.tricks().steps();
    let model = finished.model.train();
    assert!(
        steps(&model) > 0,
        "what the session loaded restarted nothing"
    );
    let loaded = model.load_record(Counter::new().into_record());
    assert_eq!(steps(&loaded), 0);
}

#[test]
fn a_schedule_is_where_it_was_before_it_was_looked_at() {
    let _alone = alone();
    let run = |folder: &Path, epochs: usize| {
        let config = PlateauConfig::new(Goal::Minimize).with_patience(Patience::Reached(99));
        let schedule = ExponentialDecayConfig::new(1.0).with_gamma(0.5);
        let schedule = schedule.with_steps_per_epoch(1).init().unwrap();
        let plateau = SharedPlateau::new(schedule.reduced_on_plateau(&config).unwrap());
        let session = counting(folder).num_epochs(epochs).without_clock();
        let session = session.reduce_on_plateau(LossMetric::new(), &plateau);
        let session = session.resumable(2).unwrap();
        let finished = session.launch(learner((), plateau)).unwrap();
        weight(finished.model.model())
    };
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(folder.path(), 3), 1.75, "1 + 1/2 + 1/4");
    assert_eq!(run(folder.path(), 5), 1.9375, "+ 1/8 + 1/16");
}

#[test]
fn what_cannot_be_declared_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let session = counting::<()>(folder.path());
    let part = std::collections::BTreeMap::from([(vec![1], 2)]);
    let error = session.declare("map", &part).err().unwrap();
    assert!(matches!(&error, SessionError::DeclaredNotJson { name, .. } if name == "map"));
    assert!(error.to_string().contains("`map`"), "{error}");
}

#[test]
fn a_declared_number_that_is_not_finite_is_an_error_that_names_the_field() {
    let folder = tempfile::tempdir().unwrap();
    for (number, text) in [
        (f64::INFINITY, "is inf,"),
        (f64::NEG_INFINITY, "is -inf,"),
        (f64::NAN, "is NaN,"),
    ] {
        let config = burn_tricks::nn::ClampWeightsConfig::new(0.0, number);
        let session = counting::<()>(folder.path());
        let error = session.declare("clamp", &config).err().unwrap();
        let text = format!("`clamp` was declared and cannot be recorded: `max` {text}");
        assert!(error.to_string().starts_with(&text), "{error}");
    }
    let config = burn_tricks::nn::ClampWeightsConfig::new(0.0, f64::MAX);
    assert!(
        counting::<()>(folder.path())
            .declare("clamp", &config)
            .is_ok()
    );
}

/// A rate of 1, that trains in the same directory in its first step, in a session that is resumable or not.
#[derive(Clone)]
struct Twice(std::path::PathBuf, bool, Arc<Mutex<Option<SessionError>>>);

fn in_directory(folder: &Path, epochs: usize, resumable: bool) -> Session<Counter, ()> {
    let session = counting(folder).num_epochs(epochs).without_clock();
    if resumable {
        session.resumable(2).unwrap()
    } else {
        session
    }
}

impl LrScheduler for Twice {
    fn step(&mut self) -> LearningRate {
        let mut error = self.2.lock().unwrap();
        if error.is_none() && self.0.join("checkpoint.lock").exists() {
            let session = in_directory(&self.0, 1, self.1);
            *error = session
                .launch(learner((), 1.0))
                .err()
                .map(|error| error.cause);
        }
        1.0
    }

    fn to_record(&self) -> LrSchedulerRecord {
        LrSchedulerRecord::new()
    }

    fn load_record(&mut self, _record: LrSchedulerRecord) {}
}

#[test]
fn a_second_session_in_a_directory_is_refused_while_the_first_trains() {
    let _alone = alone();
    // They share the log, so that it does not matter whether they are resumable.
    for [first, second] in [[true, true], [true, false], [false, true], [false, false]] {
        let folder = tempfile::tempdir().unwrap();
        let error = Arc::default();
        for epochs in [1, 2] {
            let schedule = Twice(folder.path().to_owned(), second, Arc::clone(&error));
            let session = in_directory(folder.path(), epochs, first);
            let finished = session.launch(learner((), schedule)).unwrap();
            let last = Some(epochs);
            assert_eq!(finished.last_epoch, last, "and afterwards it is free");
        }
        let error = error.lock().unwrap().take();
        let error = error.unwrap_or_else(|| panic!("{first} {second}"));
        let this = std::process::id();
        assert!(
            matches!(&error, SessionError::InUse { process: Some(id), .. } if *id == this),
            "{error}"
        );
    }
}

/// A rate of 1. After the first epoch the directory is moved away, and another run is made in its place.
#[cfg(unix)]
#[derive(Clone)]
struct MovedAway(std::path::PathBuf, Arc<Mutex<bool>>);

#[cfg(unix)]
impl LrScheduler for MovedAway {
    fn step(&mut self) -> LearningRate {
        let (folder, mut moved) = (&self.0, self.1.lock().unwrap());
        let checkpoints = folder.join("checkpoint");
        if !*moved && checkpoints.join("tricks-1.state").exists() {
            *moved = true;
            let is_written = |name: &&str| checkpoints.join(name).exists();
            let last = ["model-1.crc32", "optim-1.crc32", "scheduler-1.crc32"];
            let begun = std::time::Instant::now();
            while !last.iter().all(is_written) {
                assert!(begun.elapsed().as_secs() < 60, "it is not written");
                std::thread::yield_now();
            }
            std::fs::rename(folder, folder.with_extension("gone")).unwrap();
            let other = in_directory(folder, 1, true);
            drop(other.launch(learner((), 1.0)).unwrap());
        }
        1.0
    }

    fn to_record(&self) -> LrSchedulerRecord {
        LrSchedulerRecord::new()
    }

    fn load_record(&mut self, _record: LrSchedulerRecord) {}
}

#[cfg(unix)]
#[test]
fn a_run_whose_directory_was_moved_does_not_write_in_that_of_the_next_one() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("run");
    let session = in_directory(&folder, 3, true);
    let schedule = MovedAway(folder.clone(), Arc::default());
    let error = session.launch(learner((), schedule)).unwrap_err();
    assert!(matches!(error.cause, SessionError::Training(_)), "{error}");
    let left = crate::counter::files(&folder);
    assert_eq!(left, crate::counter::sets(&[1]));
}

/// An error of a launch goes where errors go.
#[test]
fn an_error_of_a_launch_can_be_passed_on() {
    fn all<T: std::error::Error + Send + Sync + 'static>() {}
    all::<LaunchError<Counter, Ema<Counter>>>();
}
