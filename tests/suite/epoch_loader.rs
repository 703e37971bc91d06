//! A loader whose order is a function of the seed and the epoch, whoever asks.

use crate::models::{alone, values};
use burn::data::dataloader::DataLoader;
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::{Dataset, DatasetError, InMemDataset};
use burn::tensor::{Device, Distribution, Tensor};
use burn_tricks::train::{EpochClock, EpochLoaderConfig};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

const SAMPLES: usize = 23;
const WORKERS: [usize; 5] = [0, 1, 2, 3, 7];

struct Numbers;

impl Batcher<usize, Vec<usize>> for Numbers {
    fn batch(&self, items: Vec<usize>, _device: &Device) -> Vec<usize> {
        // The first batches take longest, so that workers finish out of turn.
        std::thread::sleep(Duration::from_micros(items[0] as u64 * 20));
        items
    }
}

type Loader = Arc<dyn DataLoader<Vec<usize>>>;

fn config(seed: u64, workers: usize) -> EpochLoaderConfig {
    EpochLoaderConfig::new(4, seed)
        .with_workers(workers)
        .with_reseed_device(false)
}

fn loader(config: &EpochLoaderConfig, clock: &EpochClock) -> Loader {
    let data = InMemDataset::new((0..SAMPLES).collect());
    config.init(data, Numbers, &Device::flex(), clock).unwrap()
}

fn epoch(loader: &Loader) -> Vec<Vec<usize>> {
    loader.iter().map(Result::unwrap).collect()
}

#[test]
fn the_order_is_that_of_the_epoch_with_any_number_of_workers() {
    let clock = EpochClock::new();
    let here = loader(&config(42, 0), &clock);
    for workers in WORKERS {
        let ahead = loader(&config(42, workers), &clock);
        for number in [1, 2, 3, 1, 1000] {
            clock.set(number);
            let expected = epoch(&here);
            assert_eq!(epoch(&ahead), expected, "{workers} workers, epoch {number}");
            assert_eq!(epoch(&ahead), expected, "and again");
            let moved = ahead.to_device(&Device::flex().autodiff());
            assert_eq!(epoch(&moved), expected, "on another device");
            let whole = ahead.slice(0, SAMPLES);
            assert_eq!(epoch(&whole), expected, "all of it as a slice");
        }
    }
}

#[test]
fn the_order_stays_what_it_is() {
    // A run resumed by a later version would go on with other samples if this changed.
    let clock = EpochClock::new();
    let loader = loader(&config(42, 0), &clock);
    let first = |epoch: Vec<Vec<usize>>| epoch[0].clone();
    assert_eq!(first(epoch(&loader)), PINNED[0]);
    clock.set(2);
    assert_eq!(first(epoch(&loader)), PINNED[1]);
}

/// The first batches of the first two epochs of seed 42.
const PINNED: [[usize; 4]; 2] = [[13, 16, 19, 18], [9, 22, 13, 11]];

#[test]
fn every_sample_comes_once_and_the_last_batch_is_short() {
    for workers in WORKERS {
        let clock = EpochClock::new();
        let loader = loader(&config(1, workers), &clock);
        assert_eq!(loader.num_items(), SAMPLES);
        let batches = epoch(&loader);
        let sizes: Vec<_> = batches.iter().map(Vec::len).collect();
        assert_eq!(sizes, [4, 4, 4, 4, 4, 3]);
        let mut all = batches.concat();
        all.sort_unstable();
        assert_eq!(all, Vec::from_iter(0..SAMPLES));
    }
}

#[test]
fn epochs_and_seeds_differ() {
    let mut seen = HashSet::new();
    for seed in 0..10 {
        let clock = EpochClock::new();
        let loader = loader(&config(seed, 0), &clock);
        for number in 1..=10 {
            clock.set(number);
            assert!(seen.insert(epoch(&loader)), "seed {seed}, epoch {number}");
        }
    }
}

#[test]
fn while_nobody_sets_the_clock_each_pass_is_an_epoch() {
    let (clock, unset) = (EpochClock::new(), EpochClock::new());
    let (set, counting) = (loader(&config(3, 2), &clock), loader(&config(3, 2), &unset));
    for number in 1..=3 {
        clock.set(number);
        assert_eq!(epoch(&counting), epoch(&set), "pass {number}");
    }
    let slice = counting.slice(0, SAMPLES);
    clock.set(4);
    assert_eq!(epoch(&slice), epoch(&set), "a slice goes on");
    unset.set(1);
    clock.set(1);
    assert_eq!(
        epoch(&counting),
        epoch(&set),
        "from then on it is the clock's"
    );
}

#[test]
fn workers_are_at_most_three_batches_ahead() {
    struct Counts(Arc<AtomicUsize>);

    impl Batcher<usize, usize> for Counts {
        fn batch(&self, items: Vec<usize>, _device: &Device) -> usize {
            self.0.fetch_add(1, SeqCst);
            items.len()
        }
    }

    let made = Arc::new(AtomicUsize::new(0));
    let data = InMemDataset::new((0..400).collect());
    let (batcher, clock) = (Counts(made.clone()), EpochClock::new());
    let config = config(1, 2);
    let loader = config.init(data, batcher, &Device::flex(), &clock).unwrap();
    let mut batches = loader.iter();
    for taken in 1..=20 {
        batches.next().unwrap().unwrap();
        // Long enough for two threads to make all hundred batches.
        std::thread::sleep(Duration::from_millis(5));
        let ahead = made.load(SeqCst) - taken;
        assert!(ahead <= 6, "{ahead} batches ahead after {taken}");
    }
}

#[test]
fn without_shuffling_the_order_is_the_datasets() {
    for workers in WORKERS {
        let clock = EpochClock::new();
        let loader = loader(&config(1, workers).with_shuffle(false), &clock);
        for number in 1..3 {
            clock.set(number);
            assert_eq!(epoch(&loader).concat(), Vec::from_iter(0..SAMPLES));
        }
    }
}

#[test]
fn slices_share_the_samples_among_them() {
    let clock = EpochClock::new();
    let loader = loader(&config(1, 2), &clock);
    let (low, high) = (loader.slice(0, 10), loader.slice(10, 99));
    assert_eq!((low.num_items(), high.num_items()), (10, 13));
    let sorted = |loader: &Loader| {
        let mut all = epoch(loader).concat();
        all.sort_unstable();
        all
    };
    assert_eq!(sorted(&low), Vec::from_iter(0..10));
    assert_eq!(sorted(&high), Vec::from_iter(10..SAMPLES));
    let inner = high.slice(3, 5);
    assert_eq!(sorted(&inner), [13, 14]);
    clock.set(1);
    let first = epoch(&low);
    clock.set(2);
    assert_ne!(epoch(&low), first, "a slice has epochs too");
    let none = loader.slice(30, 40);
    assert_eq!((none.num_items(), epoch(&none).len()), (0, 0));
}

#[test]
fn slices_are_not_shuffled_alike() {
    let clock = EpochClock::new();
    clock.set(1);
    let loader = loader(&config(1, 0), &clock);
    let order = |slice: &Loader, first: usize| -> Vec<usize> {
        let all = epoch(slice).concat();
        all.into_iter().map(|sample| sample - first).collect()
    };
    let (low, high) = (loader.slice(0, 10), loader.slice(10, 20));
    assert_ne!(order(&low, 0), order(&high, 10));
    let (inner, same) = (high.slice(0, 5), loader.slice(10, 15));
    assert_eq!(order(&inner, 10), order(&same, 10), "a slice of a slice");
}

#[test]
fn progress_is_complete_at_the_end_and_not_before() {
    for workers in WORKERS {
        let clock = EpochClock::new();
        let loader = loader(&config(1, workers), &clock);
        let mut iter = loader.iter();
        let mut seen = vec![iter.progress().items_processed];
        while iter.next().is_some() {
            let progress = iter.progress();
            assert_eq!(progress.items_total, SAMPLES);
            assert_eq!(
                progress.is_completed(),
                progress.items_processed == SAMPLES,
                "which is when Burn takes the last accumulated step"
            );
            seen.push(progress.items_processed);
        }
        assert_eq!(seen, [0, 4, 8, 12, 16, 20, 23], "{workers} workers");
        assert!(iter.next().is_none(), "and stays at its end");
    }
}

/// Panics at one sample.
struct Panics(usize);

impl Batcher<usize, Vec<usize>> for Panics {
    fn batch(&self, items: Vec<usize>, _device: &Device) -> Vec<usize> {
        assert!(!items.contains(&self.0), "sample {} is broken", self.0);
        items
    }
}

#[test]
fn a_batcher_that_panics_panics_where_its_batch_is_asked_for() {
    for workers in WORKERS {
        let data = InMemDataset::new((0..SAMPLES).collect());
        let config = config(1, workers).with_shuffle(false);
        let loader = config
            .init(data, Panics(9), &Device::flex(), &EpochClock::new())
            .unwrap();
        let mut iter = loader.iter();
        assert_eq!(iter.next().unwrap().unwrap(), [0, 1, 2, 3]);
        assert_eq!(iter.next().unwrap().unwrap(), [4, 5, 6, 7]);
        let panic = catch_unwind(AssertUnwindSafe(|| iter.next())).unwrap_err();
        let text = panic.downcast_ref::<String>().unwrap();
        assert_eq!(text, "sample 9 is broken", "{workers} workers");
    }
}

/// Has no sample 9.
struct Broken;

impl Dataset<usize> for Broken {
    fn get(&self, index: usize) -> Result<usize, DatasetError> {
        match index {
            9 => Err(DatasetError::new(std::io::Error::other(
                "sample 9 cannot be read",
            ))),
            _ => Ok(index),
        }
    }

    fn len(&self) -> usize {
        SAMPLES
    }
}

#[test]
fn an_error_of_the_dataset_is_passed_on() {
    for workers in WORKERS {
        let config = config(1, workers).with_shuffle(false);
        let loader = config
            .init(Broken, Numbers, &Device::flex(), &EpochClock::new())
            .unwrap();
        let batches: Vec<_> = loader.iter().collect();
        assert_eq!(batches.len(), 6);
        let failed: Vec<_> = batches.iter().map(Result::is_err).collect();
        assert_eq!(failed, [false, false, true, false, false, false]);
        let error = batches[2].as_ref().unwrap_err().to_string();
        assert!(error.contains("sample 9 cannot be read"), "{error}");
    }
}

#[test]
fn an_epoch_that_is_broken_off_does_not_hang() {
    let data = Arc::new(());
    for workers in WORKERS {
        for taken in [0, 1, 3] {
            let held = Held(data.clone());
            let loader = config(1, workers)
                .init(held, Numbers, &Device::flex(), &EpochClock::new())
                .unwrap();
            let mut iter = loader.iter();
            for _ in 0..taken {
                iter.next().unwrap().unwrap();
            }
            drop(iter);
            let whole: Loader = loader;
            assert_eq!(epoch(&whole).concat().len(), SAMPLES, "another goes on");
        }
    }
    // The threads end, and give back what they hold.
    let begun = Instant::now();
    while Arc::strong_count(&data) > 1 {
        assert!(begun.elapsed() < Duration::from_secs(10), "a worker hangs");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Its threads hold its marker.
struct Held(Arc<()>);

impl Dataset<usize> for Held {
    fn get(&self, index: usize) -> Result<usize, DatasetError> {
        Ok(index)
    }

    fn len(&self) -> usize {
        assert!(Arc::strong_count(&self.0) > 1);
        SAMPLES
    }
}

#[test]
fn the_device_draws_the_same_in_the_same_epoch() {
    let _alone = alone();
    let device = Device::flex();
    let draw = || values(Tensor::<1>::random([8], Distribution::Default, &device));
    let drawn = |seed: u64, epoch: usize, reseed: bool| {
        let clock = EpochClock::new();
        let config = config(seed, 2).with_reseed_device(reseed);
        let loader = loader(&config, &clock);
        clock.set(epoch);
        device.seed(5);
        let _ = draw();
        let _iter = loader.iter();
        draw()
    };
    let first = drawn(1, 1, true);
    draw(); // whatever was drawn in between
    assert_eq!(drawn(1, 1, true), first);
    assert_ne!(drawn(1, 2, true), first, "another epoch");
    assert_ne!(drawn(2, 1, true), first, "another seed");
    let kept = drawn(1, 1, false);
    assert_eq!(drawn(1, 2, false), kept, "left alone, it goes on from 5");
    assert_ne!(kept, first);
}

#[test]
fn a_batch_of_nothing_is_refused_and_a_configuration_survives_json() {
    let data = || InMemDataset::new(vec![0usize]);
    let config = EpochLoaderConfig::new(0, 1);
    let error = match config.init(data(), Numbers, &Device::flex(), &EpochClock::new()) {
        Ok(_) => panic!("no samples in a batch"),
        Err(error) => error,
    };
    assert_eq!(error.field, "batch_size");
    assert!(error.to_string().contains("got 0"), "{error}");
    let config = config_of_all();
    let json = serde_json::to_string(&config).unwrap();
    let back: EpochLoaderConfig = serde_json::from_str(&json).unwrap();
    assert_eq!(back, config);
    // The only batch of an empty dataset is none.
    let none = InMemDataset::new(Vec::<usize>::new());
    let loader = config
        .init(none, Numbers, &Device::flex(), &EpochClock::new())
        .unwrap();
    assert_eq!(loader.iter().count(), 0);
}

fn config_of_all() -> EpochLoaderConfig {
    EpochLoaderConfig::new(3, 9)
        .with_shuffle(false)
        .with_workers(2)
        .with_reseed_device(false)
}

#[test]
fn clocks_are_shared_and_begin_at_the_first_epoch() {
    let clock = EpochClock::new();
    let other = clock.clone();
    assert_eq!(EpochClock::default().epoch(), 1);
    clock.set(7);
    assert_eq!(other.epoch(), 7);
    assert_eq!(EpochClock::new().epoch(), 1, "another is another");
}
