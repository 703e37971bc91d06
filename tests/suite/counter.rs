//! A model that counts its steps, for sessions whose losses are known.

use crate::models::{numbers, shown};
use burn::data::dataloader::{DataLoader, DataLoaderBuilder, batcher::Batcher};
use burn::data::dataset::InMemDataset;
use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::module::{Module, Param};
use burn::optim::SgdConfig;
use burn::tensor::{Device, Tensor};
use burn::train::{InferenceStep, Learner, RegressionOutput, TrainOutput, TrainStep};
use burn_tricks::prelude::*;
use burn_tricks::stop::EarlyStopping;
use burn_tricks::train::{Session, Trick, Tricked};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// Its weight is the number of steps times the rate, and its validation loss |w − 3|.
#[derive(Module, Debug)]
pub(crate) struct Counter {
    pub(crate) weight: Param<Tensor<1>>,
}

impl Counter {
    pub(crate) fn new() -> Self {
        let device = Device::flex().autodiff();
        Self {
            weight: Param::from_tensor(Tensor::zeros([1], &device)),
        }
    }
}

impl TrainStep for Counter {
    type Input = ();
    type Output = RegressionOutput;

    fn step(&self, (): ()) -> TrainOutput<RegressionOutput> {
        let loss = -self.weight.val();
        TrainOutput::new(self, loss.backward(), shown(loss))
    }
}

impl InferenceStep for Counter {
    type Input = ();
    type Output = RegressionOutput;

    fn step(&self, (): ()) -> RegressionOutput {
        shown((self.weight.val() - 3.0).abs())
    }
}

struct Nothing;

impl Batcher<(), ()> for Nothing {
    fn batch(&self, _items: Vec<()>, _device: &Device) {}
}

pub(crate) fn once() -> Arc<dyn DataLoader<()>> {
    DataLoaderBuilder::new(Nothing)
        .batch_size(1)
        .set_device(Device::flex())
        .build(InMemDataset::new(vec![()]))
}

/// Of at most 20 epochs with one step each.
pub(crate) fn counting<H: Trick<Counter> + 'static>(folder: &Path) -> Session<Counter, H> {
    Session::new(folder, once(), once())
        .configure(|training| training.num_epochs(20).with_application_logger(None))
}

pub(crate) fn learner<H: Trick<Counter> + 'static>(
    tricks: H,
    schedule: impl Into<ModuleLrScheduler>,
) -> Learner<Tricked<Counter, H>> {
    let model = Counter::new().with_tricks(tricks);
    Learner::new(model, SgdConfig::new().init(), schedule)
}

pub(crate) fn weight(model: &Counter) -> f64 {
    numbers(model)[0]
}

pub(crate) fn patience(checks: usize) -> EarlyStopping {
    EarlyStoppingConfig::new(Goal::Minimize)
        .with_patience(checks)
        .init()
        .unwrap()
}

/// The files of a run's folder.
pub(crate) fn files(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder.join("checkpoint")).unwrap();
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
    entries
        .map(|entry| name(entry).into_string().unwrap())
        .collect()
}

pub(crate) fn sets(epochs: &[usize]) -> BTreeSet<String> {
    let set = |epoch: &usize| {
        [
            format!("model-{epoch}.bpk"),
            format!("model-{epoch}.crc32"),
            format!("optim-{epoch}.bpk"),
            format!("optim-{epoch}.crc32"),
            format!("scheduler-{epoch}.bpk"),
            format!("scheduler-{epoch}.crc32"),
            format!("tricks-{epoch}.state"),
        ]
    };
    epochs.iter().flat_map(set).collect()
}

/// Cuts a file in half.
pub(crate) fn tear(path: &Path) {
    let bytes = std::fs::read(path).unwrap();
    std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}
