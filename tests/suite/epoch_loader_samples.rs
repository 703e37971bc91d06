//! Which samples an epoch has, and what is drawn for each of them.

use crate::models::{alone, values};
use burn::data::dataloader::DataLoader;
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataloader::split::split_dataloader;
use burn::data::dataset::InMemDataset;
use burn::module::{Module, Param, ParamId};
use burn::optim::SgdConfig;
use burn::tensor::{Device, Distribution, Tensor};
use burn::train::{
    InferenceStep, Learner, RegressionOutput, SupervisedTraining, TrainOutput, TrainStep,
};
use burn_tricks::prelude::*;
use burn_tricks::train::{EpochClock, EpochLoaderConfig, Seeded};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

const SAMPLES: usize = 23;
const WORKERS: [usize; 3] = [0, 1, 3];

/// The batch as it is.
struct Same;

impl<T: Send + Sync> Batcher<T, Vec<T>> for Same {
    fn batch(&self, items: Vec<T>, _device: &Device) -> Vec<T> {
        items
    }
}

fn data(samples: usize) -> InMemDataset<usize> {
    InMemDataset::new((0..samples).collect())
}

fn config(workers: usize) -> EpochLoaderConfig {
    EpochLoaderConfig::new(4, 5)
        .with_workers(workers)
        .with_reseed_device(false)
}

type Loader<T> = Arc<dyn DataLoader<Vec<T>>>;

fn dropping(workers: usize, clock: &EpochClock) -> Loader<usize> {
    config(workers)
        .with_drop_last(true)
        .init(data(SAMPLES), Same, &Device::flex(), clock)
        .unwrap()
}

fn epoch<T, L>(loader: &Arc<L>) -> Vec<Vec<T>>
where
    L: DataLoader<Vec<T>> + ?Sized,
{
    loader.iter().map(Result::unwrap).collect()
}

#[test]
fn a_short_last_batch_can_be_left_out() {
    let clock = EpochClock::new();
    for workers in WORKERS {
        let loader = dropping(workers, &clock);
        let mut seen = HashSet::new();
        for number in 1..=20 {
            clock.set(number);
            let batches = epoch(&loader);
            let sizes: Vec<_> = batches.iter().map(Vec::len).collect();
            assert_eq!(sizes, [4; 5], "{workers} workers");
            let samples: HashSet<_> = batches.concat().into_iter().collect();
            assert_eq!(samples.len(), 20, "each at most once");
            seen.extend(samples);
        }
        assert_eq!(seen.len(), SAMPLES, "other samples are left out each time");
        assert_eq!(loader.num_items(), 20);
        let mut iter = loader.iter();
        let mut progress = Vec::new();
        while iter.next().is_some() {
            assert_eq!(iter.progress().items_total, 20);
            progress.push(iter.progress().is_completed());
        }
        assert_eq!(progress, [false, false, false, false, true]);
    }
    let run = Run::of_batches(3, dropping(0, &clock).num_items(), 4, 2).unwrap();
    assert_eq!(run.steps_per_epoch(), 3);
    // Without shuffling it is always the same samples that are left out.
    let plain = config(0).with_shuffle(false).with_drop_last(true);
    let plain = plain
        .init(data(SAMPLES), Same, &Device::flex(), &clock)
        .unwrap();
    assert_eq!(epoch(&plain).concat(), Vec::from_iter(0..20));
    // What divides evenly is left whole.
    let even = config(0).with_drop_last(true);
    let even = even.init(data(8), Same, &Device::flex(), &clock).unwrap();
    assert_eq!((even.num_items(), epoch(&even).len()), (8, 2));
}

#[test]
fn the_orders_of_whole_batches_are_the_ones_without_dropping() {
    let clock = EpochClock::new();
    let all = config(0)
        .init(data(SAMPLES), Same, &Device::flex(), &clock)
        .unwrap();
    for number in 1..=3 {
        clock.set(number);
        assert_eq!(epoch(&dropping(0, &clock)), epoch(&all)[..5]);
    }
}

#[test]
fn every_sample_is_in_some_slice() {
    let clock = EpochClock::new();
    let loader = dropping(0, &clock);
    let devices = [Device::flex(), Device::flex(), Device::flex()];
    let slices = split_dataloader(loader, &devices); // 6, 6 and 8 of 20 as Burn counts
    let mut seen = HashSet::new();
    for number in 1..=30 {
        clock.set(number);
        for slice in &slices {
            let samples = epoch(slice).concat();
            assert_eq!(samples.len() % 4, 0);
            assert_eq!(samples.len(), slice.num_items());
            seen.extend(samples);
        }
    }
    assert_eq!(seen.len(), SAMPLES);
}

#[test]
fn a_device_with_fewer_samples_than_a_batch_is_refused() {
    let split = |devices: usize| {
        let loader = dropping(0, &EpochClock::new());
        split_dataloader(loader, &vec![Device::flex(); devices])
    };
    // 23 samples, of which batches of 4 keep 20: 4 for each, and 7 for the last.
    for slice in split(5) {
        assert_eq!(slice.num_items(), 4);
    }
    let panic = std::panic::catch_unwind(|| split(6)).err().unwrap();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(
        text.starts_with("a slice of 3 samples has no batch of 4"),
        "{text}"
    );
    // A device without samples loses none.
    let empty = dropping(0, &EpochClock::new()).slice(0, 0);
    assert_eq!(empty.num_items(), 0);
}

#[test]
fn fewer_samples_than_a_batch_are_refused() {
    let config = config(0).with_drop_last(true);
    let error = match config.init(data(3), Same, &Device::flex(), &EpochClock::new()) {
        Ok(_) => panic!("an epoch without a batch"),
        Err(error) => error,
    };
    assert_eq!(
        error.to_string(),
        "`batch_size` must be at most the number of samples with `drop_last`, or no batch is left, got 4 \
         of 3 samples"
    );
    let json = serde_json::to_string(&config).unwrap();
    let back: EpochLoaderConfig = serde_json::from_str(&json).unwrap();
    assert_eq!(back, config);
}

/// Its gradient is minus the number of samples, of which batches of one are refused.
#[derive(Module, Debug)]
struct Counts {
    weight: Param<Tensor<1>>,
}

impl TrainStep for Counts {
    type Input = Vec<usize>;
    type Output = RegressionOutput;

    fn step(&self, batch: Vec<usize>) -> TrainOutput<RegressionOutput> {
        assert!(batch.len() > 1, "a batch of one sample");
        let loss = self.weight.val() * -(batch.len() as f64);
        TrainOutput::new(self, loss.backward(), crate::models::shown(loss))
    }
}

impl InferenceStep for Counts {
    type Input = Vec<usize>;
    type Output = RegressionOutput;

    fn step(&self, _batch: Vec<usize>) -> RegressionOutput {
        crate::models::shown(self.weight.val())
    }
}

#[test]
fn the_learner_steps_with_the_last_accumulated_batches() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let weight = Tensor::<1>::zeros([1], &Device::flex().autodiff()).require_grad();
    let weight = Param::initialized(ParamId::new(), weight);
    // 9 samples in batches of 4: without `drop_last`, the third would be a batch of one.
    let loader = || {
        config(0)
            .with_drop_last(true)
            .init(data(9), Same, &Device::flex(), &EpochClock::new())
            .unwrap()
    };
    // One step after two batches of two: the second is the last that is kept.
    let training = SupervisedTraining::new(folder.path(), loader(), loader())
        .num_epochs(2)
        .grads_accumulation(4)
        .with_application_logger(None);
    let learner = Learner::new(Counts { weight }, SgdConfig::new().init(), 1.0);
    let result = training.launch(learner);
    assert!(result.error.is_none());
    assert_eq!(values(result.model.weight.val()), [16.0]);
}

#[test]
fn slices_do_not_draw_alike() {
    let _alone = alone();
    let device = Device::flex();
    let clock = EpochClock::new();
    clock.set(3);
    let loader: Loader<usize> = config(0)
        .with_reseed_device(true)
        .init(data(SAMPLES), Same, &device, &clock)
        .unwrap();
    // What dropout would draw, slice after slice.
    let drawn = |loader: &Loader<usize>| {
        let _iter = loader.iter();
        values(Tensor::<1>::random(
            [8],
            Distribution::Bernoulli(0.5),
            &device,
        ))
    };
    let slices: Vec<_> = (0..4).map(|at| loader.slice(5 * at, 5 * at + 5)).collect();
    let masks: Vec<_> = slices.iter().map(drawn).collect();
    for (at, mask) in masks.iter().enumerate() {
        assert_eq!(drawn(&slices[at]), *mask, "the same again");
        assert!(!masks[at + 1..].contains(mask), "slice {at}");
    }
    assert_eq!(drawn(&loader.slice(0, SAMPLES)), drawn(&loader));
}

#[test]
fn each_sample_has_a_seed_of_its_epoch() {
    let clock = EpochClock::new();
    let seeded = |seed: u64, workers: usize| -> Loader<Seeded<usize>> {
        EpochLoaderConfig::new(4, seed)
            .with_workers(workers)
            .with_reseed_device(false)
            .init_seeded(data(SAMPLES), Same, &Device::flex(), &clock)
            .unwrap()
    };
    let seeds = |loader: &Loader<Seeded<usize>>| -> HashMap<usize, u64> {
        let samples = epoch(loader).into_iter().flatten();
        samples.map(|sample| (sample.item, sample.seed)).collect()
    };
    let mut all = HashSet::new();
    for number in 1..=4 {
        clock.set(number);
        let expected = seeds(&seeded(5, 0));
        assert_eq!(expected.len(), SAMPLES);
        all.extend(expected.values().copied());
        for workers in WORKERS {
            assert_eq!(seeds(&seeded(5, workers)), expected, "{workers} workers");
        }
        // In a slice, in another batch, unshuffled: a sample's seed is its own.
        let slice = seeds(&seeded(5, 0).slice(7, 15));
        assert_eq!(slice.len(), 8);
        for (sample, seed) in slice {
            assert_eq!(seed, expected[&sample]);
        }
        let unshuffled = EpochLoaderConfig::new(3, 5).with_shuffle(false);
        let unshuffled: Loader<Seeded<usize>> = unshuffled
            .init_seeded(data(SAMPLES), Same, &Device::flex(), &clock)
            .unwrap();
        assert_eq!(seeds(&unshuffled), expected);
        // The samples come in the order in which they come without seeds.
        let plain = config(0).init(data(SAMPLES), Same, &Device::flex(), &clock);
        let items = epoch(&seeded(5, 0)).into_iter().flatten();
        let items: Vec<_> = items.map(|sample| sample.item).collect();
        assert_eq!(items, epoch(&plain.unwrap()).concat());
    }
    all.extend(seeds(&seeded(6, 0)).into_values());
    assert_eq!(all.len(), 5 * SAMPLES, "no two alike");
}

#[test]
fn the_seeds_stay_what_they_are() {
    // A run resumed by a later version would augment otherwise if this changed.
    let clock = EpochClock::new();
    let loader = EpochLoaderConfig::new(2, 42)
        .with_shuffle(false)
        .init_seeded(data(2), Same, &Device::flex(), &clock)
        .unwrap();
    clock.set(1);
    let first = epoch(&loader).remove(0);
    assert_eq!(
        first.iter().map(|item| item.seed).collect::<Vec<_>>(),
        PINNED
    );
}

/// Of the first two samples of seed 42 in epoch 1.
const PINNED: [u64; 2] = [6_034_383_862_109_345_978, 5_695_722_177_796_551_238];
