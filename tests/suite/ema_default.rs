//! The default moving average in short and in long runs.

use crate::models::Pair;
use burn::tensor::{DType, Device};
use burn_tricks::Run;
use burn_tricks::average::{EmaConfig, EmaWarmup};

/// The average, in a run of that many steps, of weights that are `weights(step)` after each.
fn average(config: &EmaConfig, steps: usize, weights: impl Fn(usize) -> f64) -> f64 {
    let device = Device::flex();
    let model = |value: f64| Pair::new(&[value], &[value], DType::F32, &device);
    let mut ema = config.init(&model(weights(0))).unwrap();
    for step in 1..=steps {
        ema.update(&model(weights(step)));
    }
    ema.model().values().0[0]
}

#[test]
fn the_default_is_not_left_behind_by_a_short_run() {
    // Weights that have learned most after 30 steps, as after the first epoch of a small data set.
    let learn = |step: usize| 1.0 - (-(step as f64) / 15.0).exp();
    for decay in [0.99, 0.999, 0.9999] {
        for (steps, behind) in [(34, 0.1), (170, 0.01), (700, 0.001)] {
            let average = average(&EmaConfig::new(decay), steps, learn);
            let gap = learn(steps) - average;
            assert!(gap < behind, "{decay}, {steps} steps: {gap} behind");
        }
    }
}

#[test]
fn the_default_forgets_the_weights_at_construction() {
    let at_construction = |step: usize| if step == 0 { 1.0 } else { 0.0 };
    for steps in [10, 34, 340] {
        let left = average(&EmaConfig::new(0.9999), steps, at_construction);
        assert!(left < 1e-4, "{left} after {steps} steps");
    }
}

#[test]
fn the_default_ends_with_the_decay_it_was_given() {
    let device = Device::flex();
    let model = Pair::new(&[0.0], &[0.0], DType::F32, &device);
    let mut ema = EmaConfig::new(0.95).init(&model).unwrap();
    let mut decays = Vec::new();
    for _ in 0..200 {
        decays.push(ema.next_decay());
        ema.update(&model);
    }
    let rising = |n: usize| (1.0 + n as f64) / (10.0 + n as f64);
    // (1 + n)/(10 + n) reaches 0.95 at n = 170.
    for (n, decay) in decays.into_iter().enumerate() {
        assert_eq!(decay, if n < 170 { rising(n) } else { 0.95 }, "{n}");
    }
}

#[test]
fn an_average_for_a_run_is_of_its_last_tenth() {
    for steps in [50, 500, 5000] {
        let run = Run::init(1, steps).unwrap();
        let config = EmaConfig::for_run(&run);
        assert_eq!(config.warmup, EmaWarmup::TensorFlow);
        assert!((config.decay - (1.0 - 10.0 / steps as f64)).abs() < 1e-12);
        // The mean age of the weights in it, as a share of the run.
        let newest_is_1 = |step: usize| step as f64 / steps as f64;
        let age = 1.0 - average(&config, steps, newest_is_1);
        assert!((0.07..0.11).contains(&age), "{steps} steps: {age}");
    }
}

#[test]
fn an_average_for_a_run_of_a_few_steps_is_the_weights() {
    for steps in [1, 2, 10] {
        let config = EmaConfig::for_run(&Run::init(steps, 1).unwrap());
        assert_eq!(config.decay, 0.0);
        assert_eq!(average(&config, steps, |step| step as f64), steps as f64);
    }
    let config = EmaConfig::for_run(&Run::init(usize::MAX, 1).unwrap());
    let device = Device::flex();
    let model = Pair::new(&[0.0], &[0.0], DType::F32, &device);
    assert!(config.init(&model).is_ok(), "{config}");
}
