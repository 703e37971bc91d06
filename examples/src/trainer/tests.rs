//! What a training must do, whatever the recipe.

use super::*;
use crate::averaging::Averaging;
use crate::mlp::{HiddenNorm, Init};
use crate::optimizers::{Optim, SlowWeights};
use crate::problem::DataSet;
use crate::rates::Rate;

use crate::recipes::{BuiltIn, Recipe};
use burn::module::{ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn_tricks::compare;
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

/// Samples in a batch of the small network.
const BATCH_SIZE: usize = 32;

/// A training of the digits for so many epochs of `train`, and its trainer before the first step.
pub(super) fn trainer(setup: &Setup, seed: u64, train: &Samples, epochs: usize) -> Trainer {
    on(&Problem::of(DataSet::Digits), setup, seed, train, epochs)
}

/// The same on other samples.
pub(super) fn on(
    problem: &Problem,
    setup: &Setup,
    seed: u64,
    train: &Samples,
    epochs: usize,
) -> Trainer {
    let device = Device::flex();
    let training = Training {
        setup,
        problem,
        seed,
        split_seed: seed,
        target: BuiltIn::Mlp.task().target,
        device: &device,
    };
    let objective = training.objective(train).unwrap();
    let run = Run::of_batches(epochs, train.len(), setup.batch_size, 1).unwrap();
    Trainer::new(&training, objective, run).unwrap()
}

/// The weights at the start and after an epoch.
pub(super) fn first_epoch(setup: &Setup, seed: u64, train: &Samples) -> [Vec<Vec<f64>>; 2] {
    let mut trainer = trainer(setup, seed, train, 10);
    let start = weights(&trainer);
    trainer.train(train, 1, (0, 1));
    [start, weights(&trainer)]
}

/// The recipes of both networks on the digits.
pub(super) fn recipes() -> Vec<Recipe> {
    let tasks = [BuiltIn::Mlp, BuiltIn::DeepMlp].map(BuiltIn::task);
    tasks.into_iter().flat_map(|task| task.recipes).collect()
}

pub(super) fn setup(name: &str) -> Setup {
    let recipe = recipes().into_iter().find(|recipe| recipe.name == name);
    recipe.unwrap().setup
}

pub(super) fn loss(trainer: &Trainer, samples: &Samples) -> f64 {
    let predictor = trainer.predictor(samples).unwrap();
    trainer
        .pass
        .objective
        .measure(&predictor, samples, &Device::flex())
        .loss
}

/// A seventh of the training part, in batches of which the last is smaller.
pub(super) fn samples() -> Samples {
    Problem::of(DataSet::Digits).first(5 * BATCH_SIZE - 7)
}

#[test]
fn recipes_that_keep_the_network_start_from_the_same_weights() {
    let _alone = alone();
    let train = samples();
    let start = |setup: &Setup, seed| weights(&trainer(setup, seed, &train, 10));
    let baseline = start(&setup("baseline"), 3);
    assert_eq!(
        baseline[0].len(),
        64 * 64 + 64 + 64 * 64 + 64 + 64 * 10 + 10
    );
    let mut compared = Vec::new();
    for recipe in recipes() {
        let setup = recipe.setup;
        let same_start = setup.init == Init::Default && setup.norm == HiddenNorm::None;
        if same_start && setup.hidden == [64, 64] && !setup.weight_norm {
            // An ensemble's other members have seeds of their own.
            assert_eq!(start(&setup, 3)[0], baseline[0], "{}", recipe.name);
            compared.push(recipe.name);
        }
    }
    for name in [
        "unstable",
        "clip",
        "max-norm",
        "decay",
        "dropout",
        "adam",
        "ensemble",
        "sam",
        "lookahead",
        "schedule-free",
        "accumulate",
    ] {
        assert!(compared.contains(&name.to_owned()), "{name}");
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
    let neutral: [(&str, Change); 15] = [
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
        ("a threshold that no unit reaches", |setup| {
            setup.agc = Some(1e30)
        }),
        ("the loss where it is", |setup| setup.sam = Some(0.0)),
        ("slow weights at the first step behind the epoch", |setup| {
            setup.lookahead = Some(SlowWeights { k: 6, alpha: 0.5 });
        }),
        ("slow weights that go all the way", |setup| {
            setup.lookahead = Some(SlowWeights { k: 2, alpha: 1.0 });
        }),
        ("momentum of 0", |setup| {
            setup.optimizer = Optim::Momentum(0.0)
        }),
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
    for name in ["lookahead", "sam", "schedule-free", "centralize", "agc"] {
        let of = if name == "lookahead" {
            "momentum"
        } else {
            "unstable"
        };
        let mut changed = setup(name);
        changed.learning_rate = setup(of).learning_rate;
        assert_ne!(
            first_epoch(&changed, 3, &train),
            first_epoch(&setup(of), 3, &train),
            "{name}"
        );
    }
}

#[test]
fn accumulated_micro_batches_are_the_large_batch_up_to_rounding() {
    let _alone = alone();
    let train = samples();
    let [start, whole] = first_epoch(&setup("baseline"), 3, &train);
    let [_, parts] = first_epoch(&setup("accumulate"), 3, &train);
    assert_eq!(setup("accumulate").micro_batches, 2);
    let off = |a: &[Vec<f64>], b: &[Vec<f64>]| -> f64 {
        let off = a[0].iter().zip(&b[0]).map(|(a, b)| (a - b).abs());
        off.fold(0.0, f64::max)
    };
    assert!(off(&whole, &parts) < 1e-6, "{}", off(&whole, &parts));
    assert!(off(&whole, &start) > 1e-3, "it trains");
    assert_ne!(whole, parts, "in parts");
}

/// The weights that predict are the average of those in training, which starts as they do.
#[test]
fn schedule_free_learning_predicts_with_its_average() {
    let _alone = alone();
    let train = samples();
    let mut plain = trainer(&setup("baseline"), 3, &train, 10);
    let mut trainer = trainer(&setup("schedule-free"), 3, &train, 10);
    assert_eq!(loss(&trainer, &train), loss(&plain, &train));
    plain.train(&train, 1, (0, 1));
    trainer.train(&train, 1, (0, 1));
    let average = loss(&trainer, &train);
    trainer.members[0].averages = Averages::default();
    let in_training = loss(&trainer, &train);
    assert!(average != in_training && loss(&plain, &train) != in_training);
}

#[test]
fn looking_for_the_target_within_an_epoch_changes_nothing() {
    let _alone = alone();
    let train = samples();
    for name in ["dropout", "ensemble", "decay", "ema"] {
        let setup = setup(name);
        let mut trainer = trainer(&setup, 3, &train, 10);
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
        let mut trainer = trainer(&setup, 3, &train, epochs);
        let mut counts = Vec::new();
        for epoch in 1..=epochs {
            trainer.train(&train, epoch, (0, 1));
            let predictor = trainer.predictor(&train).unwrap();
            counts.push((trainer.members.len(), predictor.members().len()));
        }
        let loss = loss(&trainer, &train);
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
    // Two epochs of the second half make a distribution.
    let drawn = |setup: &mut Setup| {
        let (start, models) = (0.5, 3);
        setup.averaging = Averaging::Swag { start, models };
    };
    let (counts, swag) = trained(drawn, 4);
    assert_eq!(counts, [(1, 1), (1, 1), (1, 1), (1, 3)]);
    assert!(swag != plain && swag != swa);
}

/// A training of the digits with seed 2, without its cost.
fn run(setup: &Setup, epochs: usize) -> compare::TrainingRun {
    let (problem, device) = (Problem::of(DataSet::Digits), Device::flex());
    let training = Training {
        setup,
        problem: &problem,
        seed: 2,
        split_seed: 2,
        target: BuiltIn::Mlp.task().target,
        device: &device,
    };
    let mut report = Reporter::new("a recipe", 2, epochs);
    training.run(&mut report).unwrap();
    compare::TrainingRun {
        cost: compare::Cost::default(),
        ..report.into_run()
    }
}

#[test]
fn a_run_is_the_same_again() {
    let _alone = alone();
    let setup = setup("dropout");
    assert_eq!(run(&setup, 1), run(&setup, 1));
}

#[test]
fn a_soup_that_diverges_has_a_loss_that_is_not_a_number() {
    let _alone = alone();
    let mut setup = setup("baseline");
    (setup.soup, setup.learning_rate) = (3, 1e30);
    // It parts in the second epoch.
    for epochs in [1, 2] {
        assert!(run(&setup, epochs).quality["loss"].value.is_nan());
    }
}
