//! A small network that is trained in Burn's `Learner`: its samples, its loaders, its sessions.

use crate::models::{Net, Noise, shown};
use burn::data::dataloader::DataLoader;
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::InMemDataset;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use burn::train::{
    InferenceStep, LearnerModel, RegressionOutput, SupervisedTraining, TrainOutput, TrainStep,
};
use burn_tricks::prelude::*;
use burn_tricks::schedule::ExponentialDecay;
use burn_tricks::train::{EpochClock, EpochLoaderConfig, Session, Trick, Tricked};
use std::path::Path;
use std::sync::Arc;

/// What a network of the tests learns from.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) input: Tensor<2>,
    pub(crate) target: Tensor<2>,
}

/// Sample i, made of its number.
pub(crate) struct Samples;

impl Batcher<usize, Batch> for Samples {
    fn batch(&self, items: Vec<usize>, device: &Device) -> Batch {
        let numbers = |of: u64, count: usize| -> Tensor<2> {
            let each = items.iter().map(|item| Noise(of + *item as u64));
            let numbers: Vec<f64> = each
                .flat_map(|mut noise| {
                    noise.take(3); // the first numbers of neighbouring seeds are alike
                    noise.take(count)
                })
                .collect();
            Tensor::<1>::from_floats(numbers.as_slice(), device).reshape([items.len(), count])
        };
        Batch {
            input: numbers(1, 4),
            target: numbers(1000, 3),
        }
    }
}

impl Net {
    /// Of the same weights each time.
    pub(crate) fn seeded(seed: u64, device: &Device) -> Self {
        device.seed(seed);
        let net = Self::new(0.3, device);
        force_init(&net);
        net
    }

    pub(crate) fn loss(&self, batch: Batch) -> Tensor<1> {
        (self.forward(batch.input) - batch.target).square().mean()
    }
}

impl TrainStep for Net {
    type Input = Batch;
    type Output = RegressionOutput;

    fn step(&self, batch: Batch) -> TrainOutput<RegressionOutput> {
        let loss = self.loss(batch);
        TrainOutput::new(self, loss.backward(), shown(loss))
    }
}

impl InferenceStep for Net {
    type Input = Batch;
    type Output = RegressionOutput;

    fn step(&self, batch: Batch) -> RegressionOutput {
        shown(self.loss(batch))
    }
}

/// Ten samples to train with, in batches of four: 4, 4 and 2.
pub(crate) fn train_loader(clock: &EpochClock) -> Arc<dyn DataLoader<Batch>> {
    EpochLoaderConfig::new(4, 7)
        .with_workers(2)
        .init(samples(0..10), Samples, &Device::flex(), clock)
        .unwrap()
}

/// Six others to validate with, in one batch.
pub(crate) fn valid_loader() -> Arc<dyn DataLoader<Batch>> {
    EpochLoaderConfig::new(6, 0)
        .with_shuffle(false)
        .with_reseed_device(false)
        .init(
            samples(10..16),
            Samples,
            &Device::flex(),
            &EpochClock::new(),
        )
        .unwrap()
}

fn samples(range: std::ops::Range<usize>) -> InMemDataset<usize> {
    InMemDataset::new(range.collect())
}

/// A training of three epochs, without Burn's log.
pub(crate) fn training<M>(folder: &Path, clock: &EpochClock) -> SupervisedTraining<M>
where
    M: LearnerModel + TrainStep<Input = Batch> + InferenceStep<Input = Batch>,
{
    SupervisedTraining::new(folder, train_loader(clock), valid_loader())
        .num_epochs(EPOCHS)
        .with_application_logger(None)
}

/// The same as a session.
pub(crate) fn session<M, H>(folder: &Path, clock: &EpochClock) -> Session<M, H>
where
    M: Module,
    H: Trick<M> + 'static,
    Tricked<M, H>: LearnerModel + TrainStep<Input = Batch> + InferenceStep<Input = Batch>,
{
    Session::new(folder, train_loader(clock), valid_loader())
        .with_clock(clock)
        .configure(|training| training.num_epochs(EPOCHS).with_application_logger(None))
}

pub(crate) const EPOCHS: usize = 3;

pub(crate) fn schedule() -> ExponentialDecay {
    ExponentialDecayConfig::new(0.05)
        .with_gamma(0.9)
        .with_steps_per_epoch(3)
        .init()
        .unwrap()
}
