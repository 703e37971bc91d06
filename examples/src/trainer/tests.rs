//! Recipes differ in nothing but what they change.

use super::*;
use crate::averaging::Averaging;
use crate::mlp::{HiddenNorm, Init};
use crate::rates::Rate;
use crate::recipes::{self, BATCH_SIZE, RECIPES};
use burn::module::{ModuleVisitor, Param};
use burn::tensor::Tensor;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The process's generators, for one test at a time.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static GENERATORS: Mutex<()> = Mutex::new(());
    GENERATORS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The weights and biases of each member.
fn weights(trainer: &Trainer) -> Vec<Vec<f64>> {
    struct Read(Vec<f64>);
    impl ModuleVisitor for Read {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.extend(param.val().into_data().iter::<f64>());
        }
    }
    let read = |member: &Member| {
        let mut read = Read(Vec::new());
        member.model.visit(&mut read);
        read.0
    };
    trainer.members.iter().map(read).collect()
}

/// The weights at the start and after an epoch.
pub(super) fn first_epoch(setup: &Setup, seed: u64, train: &Samples) -> [Vec<Vec<f64>>; 2] {
    let run = Run::of_batches(10, train.len(), BATCH_SIZE, 1).unwrap();
    let device = Device::flex();
    let mut trainer = Trainer::new(setup, seed, train.features, run, &device).unwrap();
    let start = weights(&trainer);
    trainer.train(train, 1, (0, 1));
    [start, weights(&trainer)]
}

pub(super) fn setup(name: &str) -> Setup {
    recipes::find(name).unwrap().setup()
}

/// A seventh of the training part, in batches of which the last is smaller.
pub(super) fn samples() -> Samples {
    let mut train = Source::digits().split(1).scaled().train;
    let count = 5 * BATCH_SIZE - 7;
    train.pixels.truncate(count * train.features);
    train.labels.truncate(count);
    train
}

#[test]
fn recipes_that_keep_the_network_start_from_the_same_weights() {
    let _alone = alone();
    let start = |setup: &Setup, seed| {
        let run = Run::init(10, 34).unwrap();
        let trainer = Trainer::new(setup, seed, 64, run, &Device::flex()).unwrap();
        weights(&trainer)
    };
    let baseline = start(&setup("baseline"), 3);
    assert_eq!(
        baseline[0].len(),
        64 * 64 + 64 + 64 * 64 + 64 + 64 * 10 + 10
    );
    let mut compared = Vec::new();
    for recipe in RECIPES {
        let setup = recipe.setup();
        let same_start = setup.init == Init::Default && setup.norm == HiddenNorm::None;
        if same_start && setup.hidden == [64, 64] && !setup.weight_norm {
            // An ensemble's other members have seeds of their own.
            assert_eq!(start(&setup, 3)[0], baseline[0], "{}", recipe.name);
            compared.push(recipe.name);
        }
    }
    for name in [
        "unstable", "clip", "max-norm", "decay", "dropout", "adam", "ensemble",
    ] {
        assert!(compared.contains(&name), "{name}");
    }
    assert_ne!(start(&setup("baseline"), 4), baseline);
    assert_ne!(start(&setup("init-xavier"), 3), baseline);
}

#[test]
fn a_change_without_effect_is_its_baseline_bit_for_bit() {
    // Weights are equal after an epoch only if every batch was.
    let _alone = alone();
    let train = samples();
    let baseline = first_epoch(&setup("baseline"), 3, &train);
    assert_ne!(baseline[0], baseline[1], "it trains");
    type Change = fn(&mut Setup);
    let neutral: [(&str, Change); 10] = [
        ("the same again", |_| {}),
        ("a threshold that nothing reaches", |setup| {
            setup.clip = Some(f64::MAX);
        }),
        // It draws a mask, in which no element is 0, and divides by 1 − 1e-12, which is 1 in f32.
        ("dropout that drops nothing", |setup| setup.dropout = 1e-12),
        ("a length that nothing reaches", |setup| {
            setup.max_norm = Some(f64::MAX);
        }),
        ("patience", |setup| setup.patience = Some(9)),
        ("an ensemble of one", |setup| setup.members = 1),
        // Averages are beside the training, and a soup parts at half-time.
        ("EMA", |setup| setup.averaging = Averaging::Ema(0.99)),
        ("SWA", |setup| setup.averaging = Averaging::Swa(0.0)),
        ("a soup", |setup| setup.soup = 3),
        ("no warm-up", |setup| setup.rate = Rate::Warmup(0)),
    ];
    for (what, change) in neutral {
        let mut setup = setup("baseline");
        change(&mut setup);
        assert_eq!(first_epoch(&setup, 3, &train), baseline, "{what}");
    }
    // The rate does not fall before the second epoch.
    assert_eq!(first_epoch(&setup("decay"), 3, &train), baseline);
    // What has an effect is seen.
    assert_ne!(first_epoch(&setup("dropout"), 3, &train), baseline);
    assert_ne!(first_epoch(&setup("baseline"), 4, &train), baseline);
}

#[test]
fn looking_for_the_target_within_an_epoch_changes_nothing() {
    let _alone = alone();
    let train = samples();
    for name in ["dropout", "ensemble", "decay", "ema"] {
        let setup = setup(name);
        let run = Run::of_batches(10, train.len(), BATCH_SIZE, 1).unwrap();
        let device = Device::flex();
        let mut trainer = Trainer::new(&setup, 3, train.features, run, &device).unwrap();
        // Five batches in four parts.
        for part in 0..EARLY_CHECKS {
            trainer.train(&train, 1, (part, EARLY_CHECKS));
            trainer.predictor(&train).unwrap();
        }
        assert_eq!(trainer.steps, 5);
        let [_, whole] = first_epoch(&setup, 3, &train);
        assert_eq!(weights(&trainer), whole, "{name}");
    }
}

#[test]
fn averages_predict_with_other_weights_and_soups_part_at_half_time() {
    let _alone = alone();
    let train = samples();
    let trained = |change: fn(&mut Setup), epochs: usize| {
        let mut setup = setup("baseline");
        change(&mut setup);
        let run = Run::of_batches(epochs, train.len(), BATCH_SIZE, 1).unwrap();
        let mut trainer = Trainer::new(&setup, 3, train.features, run, &Device::flex()).unwrap();
        let mut counts = Vec::new();
        for epoch in 1..=epochs {
            trainer.train(&train, epoch, (0, 1));
            let predictor = trainer.predictor(&train).unwrap();
            counts.push((trainer.members.len(), predictor.members().len()));
        }
        let loss = score(&trainer.predictor(&train).unwrap(), &train, &Device::flex()).loss;
        (counts, loss)
    };
    let (counts, plain) = trained(|_| {}, 4);
    assert_eq!(counts, [(1, 1); 4]);
    let (_, ema) = trained(|setup| setup.averaging = Averaging::Ema(0.9), 4);
    let (_, swa) = trained(|setup| setup.averaging = Averaging::Swa(0.5), 4);
    assert!(ema != plain && swa != plain && ema != swa);
    let (counts, soup) = trained(|setup| setup.soup = 3, 4);
    assert_eq!(counts, [(1, 1), (1, 1), (3, 1), (3, 1)]);
    assert!(soup != plain);
    let cycles = |setup: &mut Setup| {
        setup.rate = Rate::Restarts(4);
        setup.averaging = Averaging::Snapshots(3);
    };
    let (counts, _) = trained(cycles, 4);
    assert_eq!(counts, [(1, 1), (1, 2), (1, 3), (1, 3)]);
}

#[test]
fn a_run_is_the_same_again() {
    let _alone = alone();
    let source = Source::digits();
    let run = || {
        let recipe = recipes::find("dropout").unwrap();
        let result = run(recipe, 2, 1, &source, &Device::flex()).unwrap();
        compare::Run {
            cost: compare::Cost::default(),
            ..result
        }
    };
    assert_eq!(run(), run());
}
