//! Accumulated gradients in the `Learner`.

use crate::models::{Net, alone};
use crate::net_training::{schedule, session};
use crate::tricked::{Log, Own, Spy, Sum, logged};
use burn::data::dataset::InMemDataset;
use burn::module::Module;
use burn::optim::SgdConfig;
use burn::tensor::Device;
use burn::train::{Learner, SupervisedTraining, TrainStep};
use burn_tricks::prelude::*;
use burn_tricks::train::{EpochClock, EpochLoaderConfig, MeanOfAccumulated, StepContext, Trick};
use std::sync::{Arc, Mutex};

#[test]
fn gradients_are_seen_once_per_step_after_accumulation() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let log = Log::default();
    let loader = || {
        let data = InMemDataset::new((0..5).map(f64::from).collect());
        let config = EpochLoaderConfig::new(1, 0).with_shuffle(false);
        config
            .init(data, Sum, &Device::flex(), &EpochClock::new())
            .unwrap()
    };
    let training = SupervisedTraining::new(folder.path(), loader(), loader())
        .num_epochs(2)
        .grads_accumulation(2)
        .with_application_logger(None);
    let model = Own::new().with_tricks(Spy::new("spy", &log));
    let learner = Learner::new(model, SgdConfig::new().init(), 0.5);
    training.launch(learner);
    let log = logged(&log);
    let before: Vec<_> = log.iter().filter(|line| line.contains("before")).collect();
    // 0 + 1, 2 + 3, and what is left over.
    let epoch = ["spy before 1", "spy before 5", "spy before 4"];
    assert_eq!(before, [epoch, epoch].concat());
    assert_eq!(log.len(), 12, "and once after each");
}

/// What the tricks see of two epochs of the batches 0 to 4, of which Burn adds two at a time.
fn seen_of_windows(mean: MeanOfAccumulated) -> Vec<f64> {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::default();
    let loader = || {
        let data = InMemDataset::new((0..5).map(f64::from).collect());
        let config = EpochLoaderConfig::new(1, 0).with_shuffle(false);
        config
            .init(data, Sum, &Device::flex(), &EpochClock::new())
            .unwrap()
    };
    let training = SupervisedTraining::new(folder.path(), loader(), loader())
        .num_epochs(2)
        .grads_accumulation(2)
        .with_application_logger(None);
    // Wherever it stands, the others see the mean.
    let model = Own::new().with_tricks((Spy::new("spy", &log), mean));
    training.launch(Learner::new(model, SgdConfig::new().init(), 0.5));
    let log = logged(&log);
    let before = log
        .iter()
        .filter_map(|line| line.strip_prefix("spy before "));
    before.map(|number| number.parse().unwrap()).collect()
}

#[test]
fn accumulated_gradients_are_a_mean_over_windows_of_two_two_and_one() {
    let _alone = alone();
    let epoch = [0.5, 2.5, 4.0];
    let seen = seen_of_windows(MeanOfAccumulated::new());
    assert_eq!(seen, [epoch, epoch].concat());
    // Batch x of x + 1 samples: (0·1 + 1·2)/3, (2·3 + 3·4)/7, 4.
    let seen = seen_of_windows(MeanOfAccumulated::weighted(|batch: &f64| {
        *batch as usize + 1
    }));
    let epoch = [2.0 / 3.0, 18.0 / 7.0, 4.0];
    for (got, expected) in seen.iter().zip([epoch, epoch].concat()) {
        assert!((got - expected).abs() < 1e-6, "{seen:?}");
    }
    assert_eq!(seen.len(), 6);
}

#[test]
#[should_panic(expected = "counts the samples of `u8`")]
fn samples_of_another_type_of_batch_are_refused() {
    let mean = MeanOfAccumulated::weighted(|batch: &u8| usize::from(*batch));
    let boxed: Box<dyn Trick<Own>> = Box::new(Some(vec![mean]));
    TrainStep::step(&Own::new().with_tricks((boxed,)), 1.0);
}
/// Notes the number of each step.
#[derive(Debug, Default, Clone)]
struct Steps(Arc<Mutex<Vec<u64>>>);

impl<M: Module> Trick<M> for Steps {
    fn after(&mut self, model: M, step: &StepContext) -> M {
        self.0.lock().unwrap().push(step.step());
        model
    }
}

#[test]
fn the_number_of_accumulated_batches_may_change_between_launches() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    // Three batches in an epoch: 4, 4 and 2 samples.
    let steps = |epochs, batches| {
        let steps = Steps::default();
        let net = Net::seeded(1, &Device::flex().autodiff());
        let model = net.with_tricks((MeanOfAccumulated::new(), steps.clone()));
        let session = session(folder.path(), &EpochClock::new())
            .configure(|training| training.grads_accumulation(batches))
            .num_epochs(epochs)
            .resumable(2)
            .unwrap();
        let learner = Learner::new(model, SgdConfig::new().init(), schedule());
        session.launch(learner).unwrap();
        std::mem::take(&mut *steps.0.lock().unwrap())
    };
    assert_eq!(steps(1, 1), [1, 2, 3]);
    assert_eq!(steps(2, 3), [4], "a step of three batches");
    assert_eq!(steps(3, 2), [5, 6], "of two batches, and of one");
}
