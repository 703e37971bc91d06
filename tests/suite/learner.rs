//! Early stopping, the best weights, an optimizer and a schedule in real runs of Burn's `Learner`.

use crate::models::{alone, values};
use burn::data::dataloader::{DataLoader, DataLoaderBuilder, batcher::Batcher};
use burn::data::dataset::InMemDataset;
use burn::module::{Module, Param};
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::optim::SgdConfig;
use burn::tensor::{Device, Tensor};
use burn::train::logger::InMemoryMetricLogger;
use burn::train::metric::LossMetric;
use burn::train::{
    InferenceStep, Learner, RegressionOutput, SupervisedTraining, TrainOutput, TrainStep,
};
use burn_tricks::prelude::*;
use burn_tricks::stop::{EarlyStopping, StopReason};
use burn_tricks::train::StopHandle;
use std::sync::Arc;

/// Its weight is the number of epochs trained, its validation loss `(weight − 3)²`, and the batch norm
/// sees the weight.
#[derive(Module, Debug)]
struct Counter {
    weight: Param<Tensor<2>>,
    norm: BatchNorm,
}

impl Counter {
    fn new(device: &Device) -> Self {
        Self {
            weight: Param::from_tensor(Tensor::zeros([1, 1], device)),
            norm: BatchNormConfig::new(1).init(device),
        }
    }

    fn output(&self, loss: Tensor<1>) -> RegressionOutput {
        let device = self.weight.val().device();
        let none = Tensor::zeros([1, 1], &device);
        RegressionOutput::new(loss, none.clone(), none)
    }
}

impl TrainStep for Counter {
    type Input = ();
    type Output = RegressionOutput;

    fn step(&self, (): ()) -> TrainOutput<RegressionOutput> {
        let weight = self.weight.val();
        let _ = self.norm.forward(weight.clone().detach().expand([2, 1]));
        let loss = -weight.sum();
        TrainOutput::new(self, loss.backward(), self.output(loss))
    }
}

impl InferenceStep for Counter {
    type Input = ();
    type Output = RegressionOutput;

    fn step(&self, (): ()) -> RegressionOutput {
        let loss = (self.weight.val() - 3.0).square().sum();
        self.output(loss)
    }
}

struct Nothing;

impl Batcher<(), ()> for Nothing {
    fn batch(&self, _items: Vec<()>, _device: &Device) {}
}

fn loader(batches: usize) -> Arc<dyn DataLoader<()>> {
    DataLoaderBuilder::new(Nothing)
        .batch_size(1)
        .set_device(Device::flex())
        .build(InMemDataset::new(vec![(); batches]))
}

fn training(folder: &tempfile::TempDir, valid_batches: usize) -> SupervisedTraining<Counter> {
    SupervisedTraining::new(folder.path(), loader(1), loader(valid_batches))
        .num_epochs(20)
        .with_application_logger(None)
}

/// Its weight and its running statistics.
fn state(model: &Counter) -> [Vec<f64>; 3] {
    let BatchNorm {
        running_mean,
        running_var,
        ..
    } = &model.norm;
    [
        values(model.weight.val()),
        values(running_mean.value()),
        values(running_var.value()),
    ]
}

fn learner() -> Learner<Counter> {
    let model = Counter::new(&Device::flex().autodiff());
    Learner::new(model, SgdConfig::new().init(), 1.0)
}

fn patience_of_2() -> EarlyStopping {
    EarlyStoppingConfig::new(Goal::Minimize)
        .with_patience(2)
        .init()
        .unwrap()
}

#[test]
fn it_stops_the_run_and_says_why() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let stop = StopHandle::new(patience_of_2());
    let training = training(&folder, 2).stop_early(LossMetric::new(), &stop);
    assert_eq!(stop.decision(), Ok(None));
    let result = training.launch(learner());
    // 4, 1, 0, 1, 4: the third is the best, the fifth the second without improvement.
    assert_eq!(values(result.model.weight.val()), [5.0]);
    let decision = stop.decision().unwrap().unwrap();
    assert_eq!(decision.stop, Some(StopReason::NoImprovement { checks: 2 }));
    assert_eq!((decision.check, decision.best_check), (5, Some(3)));
    assert_eq!(decision.best, Some(0.0));
}

#[test]
fn the_best_weights_come_back() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let model = Counter::new(&Device::flex().autodiff()).with_tricks(());
    let session = Session::new(folder.path(), loader(1), loader(1))
        .configure(|training| {
            let training = training.num_epochs(20).with_application_logger(None);
            training.with_metric_logger(InMemoryMetricLogger::new())
        })
        .stop_early(LossMetric::new(), patience_of_2());
    let learner = Learner::new(model, SgdConfig::new().init(), 1.0);
    let finished = session.launch(learner).unwrap();
    let last = finished.last_model();
    assert_eq!(values(last.weight.val()), [5.0]);
    let before = state(&last);
    let model = finished.best_model().unwrap();
    assert_eq!(state(&last), before, "a clone of it stays as it was");
    assert_eq!(values(model.weight.val()), [3.0]);
    // At epoch e the batch norm saw the weight e − 1: three updates of momentum 0.1.
    let mean = (1..3).fold(0.0, |mean, weight| 0.9 * mean + 0.1 * f64::from(weight));
    let kept = values(model.norm.running_mean.value());
    crate::oracle::assert_close(&kept, &[mean], 1e-6, "running mean");
    let [of_loss] = &finished.criteria[..] else {
        panic!("{finished:?}")
    };
    assert_eq!(of_loss.decision.unwrap().best_check, Some(3));
    assert_eq!(
        (of_loss.best_epoch, of_loss.best_value),
        (Some(3), Some(0.0))
    );
    // It predicts, and is ready to train on.
    assert!(!model.weight.is_require_grad());
    assert!(model.train().weight.is_require_grad());
    let again = finished.best_model().unwrap();
    assert_eq!(values(again.weight.val()), [3.0], "as often as one likes");
    let files = std::fs::read_dir(folder.path()).unwrap();
    let names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    assert_eq!(
        names,
        ["checkpoint.lock"],
        "no file but the lock of the directory"
    );
}

#[test]
fn an_optimizer_and_a_schedule_of_ours_train_and_resume() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let launch = |epochs, checkpoint: Option<usize>| {
        let optim = NormalizedGradientConfig::adagrad_norm().init().unwrap();
        let schedule = ExponentialDecayConfig::new(1.0)
            .with_gamma(0.5)
            .with_steps_per_epoch(2)
            .init()
            .unwrap();
        let model = Counter::new(&Device::flex().autodiff());
        let mut training = SupervisedTraining::new(folder.path(), loader(2), loader(1))
            .num_epochs(epochs)
            .with_application_logger(None)
            .with_default_checkpointers();
        if let Some(epoch) = checkpoint {
            training = training.checkpoint(epoch);
        }
        let model = training.launch(Learner::new(model, optim, schedule)).model;
        values(model.weight.val())
    };
    // The gradient is −1, so that AdaGrad-Norm divides by √t; the rate halves after every two steps.
    let after = |steps: u32| {
        let step = |t: u32| 0.5f64.powi((t / 2) as i32) / f64::from(t + 1).sqrt();
        [(0..steps).map(step).sum::<f64>()]
    };
    let interrupted = launch(2, None);
    crate::oracle::assert_close(&interrupted, &after(4), 1e-6, "two epochs");
    let resumed = launch(3, Some(2));
    crate::oracle::assert_close(&resumed, &after(6), 1e-6, "and one more, resumed");
}

#[test]
fn stopping_alone_leaves_checkpoints_as_they_are() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let training = training(&folder, 1)
        .with_default_checkpointers()
        .stop_early(LossMetric::new(), &StopHandle::new(patience_of_2()));
    training.launch(learner());
    let checkpoints = std::fs::read_dir(folder.path().join("checkpoint")).unwrap();
    assert!(checkpoints.count() >= 3, "model, optimizer and scheduler");
}

#[test]
fn a_resumed_run_stops_where_the_whole_one_does() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let stop = StopHandle::new(patience_of_2());
    let whole = training(&folder, 1)
        .num_epochs(4)
        .with_default_checkpointers()
        .stop_early(LossMetric::new(), &stop);
    whole.launch(learner());
    let state = serde_json::to_string(stop.criterion().state()).unwrap();

    let restored = patience_of_2().with_state(serde_json::from_str(&state).unwrap());
    let stop = StopHandle::new(restored);
    let resumed = training(&folder, 1)
        .checkpoint(4)
        .with_default_checkpointers()
        .stop_early(LossMetric::new(), &stop);
    let result = resumed.launch(learner());
    assert_eq!(values(result.model.weight.val()), [5.0]);
    let decision = stop.decision().unwrap().unwrap();
    assert_eq!((decision.check, decision.best_check), (5, Some(3)));
}

#[test]
fn a_missing_metric_ends_the_run_with_an_error() {
    let _alone = alone();
    // Burn's in-memory logger counts epochs from the resumed one, and is asked for the fifth.
    let folder = tempfile::tempdir().unwrap();
    let whole = training(&folder, 1).num_epochs(4);
    whole.with_default_checkpointers().launch(learner());
    let stop = StopHandle::new(patience_of_2());
    let resumed = training(&folder, 1)
        .checkpoint(4)
        .with_default_checkpointers()
        .with_metric_logger(InMemoryMetricLogger::new())
        .stop_early(LossMetric::new(), &stop);
    let result = resumed.launch(learner());
    assert_eq!(values(result.model.weight.val()), [5.0], "one epoch");
    let error = stop.decision().unwrap_err();
    assert_eq!((error.metric.as_str(), error.epoch), ("Loss", 5));
    assert!(error.to_string().contains("`Loss` has no value"), "{error}");
    // And it does not look like one that came to its end.
    let reason = result.interrupted.unwrap().reason.unwrap();
    assert_eq!(reason, error.to_string());
}

#[test]
fn a_validation_without_data_ends_the_run() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let stop = StopHandle::new(patience_of_2());
    let training = training(&folder, 0).stop_early(LossMetric::new(), &stop);
    let result = training.launch(learner());
    let decision = stop.decision().unwrap().unwrap();
    assert_eq!(
        decision.stop,
        Some(StopReason::NonFinite),
        "a mean of nothing"
    );
    assert_eq!((decision.check, decision.best), (1, None));
    assert_eq!(values(result.model.weight.val()), [1.0]);
}
