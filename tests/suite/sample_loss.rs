//! The loss of an epoch is the mean over its samples, whatever batches they come in.

use crate::models::{alone, shown};
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataloader::{DataLoader, DataLoaderBuilder, Progress};
use burn::data::dataset::InMemDataset;
use burn::module::{Module, Param, ParamId};
use burn::optim::SgdConfig;
use burn::tensor::{Device, Tensor};
use burn::train::logger::InMemoryMetricLogger;
use burn::train::metric::store::{Aggregate, EventStoreClient, Split};
use burn::train::metric::{
    LossInput, LossMetric, Metric, MetricMetadata, Numeric, NumericEntry, SerializedEntry,
};
use burn::train::{
    EarlyStoppingStrategy, EvaluatorBuilder, ExecutionStrategy, InferenceStep, Learner,
    MultiDeviceOptim, RegressionOutput, SupervisedTraining, TrainOutput, TrainStep,
    TrainingStrategy,
};
use burn_tricks::train::{EpochClock, EpochLoaderConfig, SampleLossMetric};
use std::sync::{Arc, Mutex};

/// The samples are their losses: a batch has their mean.
struct Mean;

impl Batcher<f64, f64> for Mean {
    fn batch(&self, items: Vec<f64>, _device: &Device) -> f64 {
        items.iter().sum::<f64>() / items.len() as f64
    }
}

/// Its loss is what it is given, whatever its weight.
#[derive(Module, Debug)]
struct Echo {
    weight: Param<Tensor<1>>,
}

impl Echo {
    fn new() -> Self {
        let weight = Tensor::<1>::zeros([1], &Device::flex().autodiff()).require_grad();
        Self {
            weight: Param::initialized(ParamId::new(), weight),
        }
    }

    fn loss(&self, loss: f64) -> Tensor<1> {
        self.weight.val() * 0.0 + loss
    }
}

impl TrainStep for Echo {
    type Input = f64;
    type Output = RegressionOutput;

    fn step(&self, loss: f64) -> TrainOutput<RegressionOutput> {
        let loss = self.loss(loss);
        TrainOutput::new(self, loss.backward(), shown(loss))
    }
}

impl InferenceStep for Echo {
    type Input = f64;
    type Output = RegressionOutput;

    fn step(&self, loss: f64) -> RegressionOutput {
        shown(self.loss(loss))
    }
}

/// Losses 0, 0, 0, 0 and 10, whose mean is 2, in batches of four.
fn five() -> InMemDataset<f64> {
    InMemDataset::new(vec![0.0, 0.0, 0.0, 0.0, 10.0])
}

fn ours(data: InMemDataset<f64>, batch_size: usize) -> Arc<dyn DataLoader<f64>> {
    let config = EpochLoaderConfig::new(batch_size, 0).with_shuffle(false);
    config
        .init(data, Mean, &Device::flex(), &EpochClock::new())
        .unwrap()
}

/// What Burn finds of the metric, in training and validation, after each epoch.
#[derive(Clone, Default)]
struct Found(Arc<Mutex<Vec<[f64; 2]>>>);

impl EarlyStoppingStrategy for Found {
    fn should_stop(&mut self, epoch: usize, store: &EventStoreClient) -> bool {
        let mean = |split| store.find_metric("Loss", epoch, Aggregate::Mean, &split);
        let found = [Split::Train, Split::Valid].map(|split| mean(split).unwrap());
        self.0.lock().unwrap().push(found);
        false
    }
}

fn found<Me: Metric<Input = LossInput> + Numeric + 'static>(
    metric: Me,
    train: Arc<dyn DataLoader<f64>>,
    valid: Arc<dyn DataLoader<f64>>,
    prepare: impl FnOnce(SupervisedTraining<Echo>) -> SupervisedTraining<Echo>,
) -> Vec<[f64; 2]> {
    let folder = tempfile::tempdir().unwrap();
    let found = Found::default();
    let training = SupervisedTraining::new(folder.path(), train, valid)
        .metric_train_numeric(metric.clone())
        .metric_valid_numeric(metric)
        .num_epochs(2)
        .with_application_logger(None)
        .early_stopping(found.clone());
    let learner = Learner::new(Echo::new(), SgdConfig::new().init(), 0.1);
    let result = prepare(training).launch(learner);
    assert!(result.error.is_none());
    let found = found.0.lock().unwrap();
    found.clone()
}

#[test]
fn an_epochs_loss_is_the_mean_over_its_samples() {
    let _alone = alone();
    let loaders = || (ours(five(), 4), ours(five(), 4));
    let (train, valid) = loaders();
    let burns = found(LossMetric::new(), train, valid, |training| training);
    assert_eq!(burns, [[5.0, 5.0]; 2], "Burn's is the mean over batches");
    let (train, valid) = loaders();
    let mean = found(SampleLossMetric::new(), train, valid, |training| training);
    assert_eq!(mean, [[2.0, 2.0]; 2]);
    let (train, valid) = loaders();
    let in_memory = found(SampleLossMetric::new(), train, valid, |training| {
        training.with_metric_logger(InMemoryMetricLogger::new())
    });
    assert_eq!(in_memory, [[2.0, 2.0]; 2]);
    for workers in [1, 3] {
        let burns = || {
            DataLoaderBuilder::new(Mean)
                .batch_size(4)
                .num_workers(workers)
                .set_device(Device::flex())
                .build(five())
        };
        let mean = found(SampleLossMetric::new(), burns(), burns(), |training| {
            training
        });
        assert_eq!(mean, [[2.0, 2.0]; 2], "{workers} of Burn's workers");
    }
}

#[test]
fn two_devices_share_the_samples_of_a_step() {
    let _alone = alone();
    // The devices have samples 0 to 5 and 6 to 12, in batches of three: two steps of both, and one of the
    // second device with a single sample.
    let losses: Vec<f64> = (0..13).map(f64::from).collect();
    let train = ours(InMemDataset::new(losses.clone()), 3);
    let valid = ours(InMemDataset::new(losses), 3);
    let mean = found(SampleLossMetric::new(), train, valid, |training| {
        let devices = vec![Device::flex(), Device::flex()];
        let strategy = ExecutionStrategy::multi(devices, MultiDeviceOptim::OptimMainDevice);
        training.with_training_strategy(TrainingStrategy::Default(strategy))
    });
    assert_eq!(mean, [[6.0, 6.0]; 2]);
}

fn metadata(iteration: usize, processed: usize, total: usize) -> MetricMetadata {
    MetricMetadata {
        progress: Progress::new(processed, total, None),
        iteration: Some(iteration),
        lr: None,
    }
}

fn update(metric: &mut SampleLossMetric, losses: &[f64], metadata: MetricMetadata) -> String {
    let tensor = Tensor::<1>::from_floats(losses, &Device::flex());
    let entry = metric.update(&LossInput::new(tensor), &metadata).unwrap();
    let SerializedEntry { serialized, .. } = entry;
    assert_eq!(serialized, metric.value().unwrap().serialize());
    serialized
}

#[test]
fn every_entry_says_of_how_many_samples_it_is_the_mean() {
    let mut metric = SampleLossMetric::new();
    assert!(metric.value().is_none() && metric.running_value().is_none());
    assert_eq!(update(&mut metric, &[0.0], metadata(1, 4, 5)), "0,4");
    assert_eq!(update(&mut metric, &[10.0], metadata(2, 5, 5)), "10,1");
    let running = metric.running_value().unwrap().serialize();
    assert_eq!(running, "2,5");
    let last = metric.compute().unwrap();
    assert_eq!(last.serialized, "2,final");
    assert!(last.formatted.starts_with("epoch 2.00 "), "{last:?}");
    metric.clear();
    assert_eq!(update(&mut metric, &[3.0], metadata(1, 4, 5)), "3,4");
    assert_eq!(metric.final_value().current(), 3.0, "the next epoch");
}

#[test]
fn a_loss_with_a_value_for_each_sample_counts_them() {
    let mut metric = SampleLossMetric::new();
    // In a loader that counts batches.
    let first = update(&mut metric, &[0.0, 0.0, 0.0, 4.0], metadata(1, 1, 2));
    assert_eq!(first, "1,4");
    assert_eq!(update(&mut metric, &[7.0, 7.0], metadata(2, 2, 2)), "7,2");
    assert_eq!(metric.final_value().current(), 3.0);
}

#[test]
fn without_progress_batches_weigh_alike() {
    let mut metric = SampleLossMetric::new();
    update(&mut metric, &[1.0], metadata(1, 0, 0));
    update(&mut metric, &[4.0], metadata(2, 0, 0));
    assert_eq!(metric.final_value().current(), 2.5);
    assert_eq!(metric.running_value().unwrap().current(), 2.5);
}

#[test]
fn a_loss_that_is_not_a_number_is_the_epochs() {
    let mut metric = SampleLossMetric::new();
    update(&mut metric, &[1.0], metadata(1, 4, 5));
    update(&mut metric, &[f64::NAN], metadata(2, 5, 5));
    assert!(metric.final_value().current().is_nan());
}

/// Notes the running mean, which Burn's evaluator shows.
#[derive(Clone)]
struct Noted {
    metric: SampleLossMetric,
    running: Arc<Mutex<Vec<f64>>>,
}

impl Metric for Noted {
    type Input = LossInput;

    fn name(&self) -> burn::train::metric::MetricName {
        self.metric.name()
    }

    fn update(
        &mut self,
        item: &LossInput,
        metadata: &MetricMetadata,
    ) -> Result<SerializedEntry, burn::tensor::TensorReadError> {
        let entry = self.metric.update(item, metadata);
        let running = self.metric.running_value().unwrap().current();
        self.running.lock().unwrap().push(running);
        entry
    }

    fn compute(&mut self) -> Result<SerializedEntry, burn::tensor::TensorReadError> {
        self.metric.compute()
    }

    fn clear(&mut self) {
        self.metric.clear();
    }
}

impl Numeric for Noted {
    fn value(&self) -> Option<NumericEntry> {
        self.metric.value()
    }

    fn running_value(&self) -> Option<NumericEntry> {
        self.metric.running_value()
    }

    fn final_value(&self) -> NumericEntry {
        self.metric.final_value()
    }
}

#[test]
fn burns_evaluator_weighs_samples_too() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let noted = Noted {
        metric: SampleLossMetric::new(),
        running: Arc::default(),
    };
    let evaluator = EvaluatorBuilder::new(folder.path())
        .with_application_logger(None)
        .metric_numeric(noted.clone())
        .build(Echo::new().valid());
    // Burn's evaluator goes on from one data set to the next; both of one batch count as such.
    let one = ours(InMemDataset::new(vec![1.0, 3.0]), 4);
    let other = ours(InMemDataset::new(vec![8.0, 8.0]), 4);
    let result = evaluator.eval_all([("five", ours(five(), 4)), ("one", one), ("other", other)]);
    assert!(result.error.is_none());
    let running = noted.running.lock().unwrap();
    assert_eq!(*running, [0.0, 2.0, 14.0 / 7.0, 30.0 / 9.0]);
}
