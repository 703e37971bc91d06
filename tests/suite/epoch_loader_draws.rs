//! Weighted, class-balanced and bootstrap samples of an epoch.

use burn::data::dataloader::DataLoader;
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataloader::split::split_dataloader;
use burn::data::dataset::InMemDataset;
use burn::tensor::Device;
use burn_tricks::data::Draws;
use burn_tricks::train::{EpochClock, EpochLoaderConfig, Seeded};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

const SAMPLES: usize = 40;

/// The batch as it is.
struct Same;

impl<T: Send + Sync> Batcher<T, Vec<T>> for Same {
    fn batch(&self, items: Vec<T>, _device: &Device) -> Vec<T> {
        items
    }
}

type Loader = Arc<dyn DataLoader<Vec<Seeded<usize>>>>;

fn loader(draws: Draws, workers: usize, clock: &EpochClock) -> Loader {
    EpochLoaderConfig::new(4, 5)
        .with_draws(draws)
        .with_workers(workers)
        .with_reseed_device(false)
        .init_seeded(
            InMemDataset::new((0..SAMPLES).collect()),
            Same,
            &Device::flex(),
            clock,
        )
        .unwrap()
}

fn epoch(loader: &Loader) -> Vec<Seeded<usize>> {
    loader.iter().flat_map(Result::unwrap).collect()
}

fn items(samples: &[Seeded<usize>]) -> Vec<usize> {
    samples.iter().map(|sample| sample.item).collect()
}

fn sorted(mut items: Vec<usize>) -> Vec<usize> {
    items.sort_unstable();
    items
}

/// One of class 1 in ten.
fn balanced() -> Draws {
    Draws::class_balanced((0..SAMPLES).map(|at| usize::from(at % 10 == 3)))
}

/// Not a list as long as the largest label, nor a label of -100 that is read as an index.
#[test]
fn labels_are_names_of_any_size() {
    for large in [usize::MAX, -100_i64 as usize, 10_000_000_000] {
        let weights = vec![0.5, 1.0, 0.5];
        let draws = Draws::class_balanced([0, large, 0]);
        assert_eq!(draws, Draws::Weighted { weights }, "{large}");
    }
    let weights = Vec::new();
    assert_eq!(Draws::class_balanced([]), Draws::Weighted { weights });
}

#[test]
fn classes_are_drawn_equally_often_and_samples_of_a_class_too() {
    let clock = EpochClock::new();
    let loader = loader(balanced(), 0, &clock);
    let mut counts: HashMap<usize, usize> = HashMap::new();
    const EPOCHS: usize = 500;
    for number in 1..=EPOCHS {
        clock.set(number);
        let drawn = items(&epoch(&loader));
        assert_eq!(drawn.len(), SAMPLES);
        for item in drawn {
            *counts.entry(item).or_default() += 1;
        }
    }
    for item in 0..SAMPLES {
        let class = if item % 10 == 3 { 4.0 } else { 36.0 };
        let expected = (EPOCHS * SAMPLES) as f64 / 2.0 / class;
        let deviation = (counts[&item] as f64 - expected) / expected.sqrt();
        assert!(
            deviation.abs() < 4.5,
            "{item}: {} of {expected}",
            counts[&item]
        );
    }
}

#[test]
fn a_weight_of_zero_is_never_drawn() {
    let clock = EpochClock::new();
    let weights = (0..SAMPLES).map(|at| if at % 2 == 1 { at as f64 } else { 0.0 });
    let loader = loader(
        Draws::Weighted {
            weights: weights.collect(),
        },
        0,
        &clock,
    );
    for number in 1..=50 {
        clock.set(number);
        assert!(epoch(&loader).iter().all(|sample| sample.item % 2 == 1));
    }
}

#[test]
fn draws_depend_on_seed_and_epoch_only() {
    for draws in [balanced(), Draws::Bootstrap { seed: 3 }] {
        let clock = EpochClock::new();
        let of = |number, workers| {
            clock.set(number);
            epoch(&loader(draws.clone(), workers, &clock))
        };
        let second = of(2, 0);
        assert_eq!(second, of(2, 0));
        assert_eq!(second, of(2, 3), "with any number of workers");
        assert_ne!(items(&second), items(&of(3, 0)));
        let drawn = [2, 3].map(|number| sorted(items(&of(number, 0))));
        let is_fixed = matches!(draws, Draws::Bootstrap { .. });
        assert_eq!(drawn[0] == drawn[1], is_fixed, "{draws:?}");
    }
}

#[test]
fn a_bootstrap_is_one_sample_for_the_whole_run_in_a_new_order() {
    let clock = EpochClock::new();
    let of = |seed, number| {
        clock.set(number);
        items(&epoch(&loader(Draws::Bootstrap { seed }, 0, &clock)))
    };
    assert_eq!(sorted(of(3, 1)), sorted(of(3, 2)));
    assert_ne!(of(3, 1), of(3, 2));
    assert_ne!(sorted(of(3, 1)), sorted(of(4, 1)));
    let different: HashSet<_> = of(3, 1).into_iter().collect();
    assert!((15..35).contains(&different.len()), "{}", different.len());
}

#[test]
fn a_sample_that_is_drawn_twice_has_two_seeds() {
    let clock = EpochClock::new();
    for draws in [balanced(), Draws::Bootstrap { seed: 3 }] {
        clock.set(1);
        let drawn = epoch(&loader(draws, 0, &clock));
        let seeds: HashSet<_> = drawn.iter().map(|sample| sample.seed).collect();
        assert_eq!(seeds.len(), SAMPLES);
        let items: HashSet<_> = drawn.iter().map(|sample| sample.item).collect();
        assert!(items.len() < SAMPLES);
    }
}

/// Two devices together have the draws that one has, each with its seed.
#[test]
fn several_devices_divide_the_draws_among_them() {
    let clock = EpochClock::new();
    let key = |sample: &Seeded<usize>| (sample.item, sample.seed);
    for draws in [balanced(), Draws::Bootstrap { seed: 3 }, Draws::EachOnce] {
        clock.set(2);
        let whole = loader(draws, 0, &clock);
        let slices = split_dataloader(whole.clone(), &[Device::flex(), Device::flex()]);
        let mut of_slices: Vec<_> = slices.iter().flat_map(epoch).map(|s| key(&s)).collect();
        let mut of_whole: Vec<_> = epoch(&whole).iter().map(key).collect();
        of_slices.sort_unstable();
        of_whole.sort_unstable();
        assert_eq!(of_slices, of_whole);
    }
}

#[test]
fn weights_that_do_not_fit_are_refused() {
    let clock = EpochClock::new();
    let refusal = |weights: Vec<f64>| {
        let config = EpochLoaderConfig::new(4, 5).with_draws(Draws::Weighted { weights });
        let dataset = InMemDataset::new(vec![0; 3]);
        let loader = config.init::<i32, Vec<i32>>(dataset, Same, &Device::flex(), &clock);
        loader.unwrap_err().to_string()
    };
    assert!(refusal(vec![1.0; 2]).ends_with("got 2 weights for 3 samples"));
    assert!(refusal(vec![1.0, f64::NAN, 1.0]).ends_with("got NaN for sample 1"));
    assert!(refusal(vec![1.0, 1.0, -1.0]).ends_with("got -1.0 for sample 2"));
    assert!(refusal(vec![0.0; 3]).ends_with("got a sum of 0.0"));
}
