//! What is trained on what, and what is refused.

use super::tests::{alone, loss, on, setup};
use super::*;
use crate::averaging::Averaging;
use crate::mlp::HiddenNorm;
use crate::network::Architecture;
use crate::optimizers::Optim;
use crate::problem::DataSet;
use crate::recipes::BuiltIn;
use burn_tricks::average::Predict as _;

/// Every task that is built in learns, by every recipe that its setup allows.
#[test]
fn every_built_in_task_learns_and_every_recipe_can_be_made() {
    let _alone = alone();
    for built_in in [
        BuiltIn::Cnn,
        BuiltIn::Resnet,
        BuiltIn::Adding,
        BuiltIn::Characters,
        BuiltIn::Tabular,
    ] {
        let task = built_in.task();
        let problem = Problem::of(task.data);
        let train = problem.first(160);
        for recipe in &task.recipes {
            let device = Device::flex();
            let training = Training {
                setup: &recipe.setup,
                problem: &problem,
                seed: 1,
                split_seed: 1,
                target: task.target,
                device: &device,
            };
            training
                .check()
                .unwrap_or_else(|error| panic!("{built_in:?}, {}: {error}", recipe.name));
        }
        let mut setup = task.recipes[0].setup.clone();
        setup.optimizer = Optim::Adam;
        setup.learning_rate = match built_in {
            BuiltIn::Adding => 0.002, // its gradients explode
            _ => 0.01,
        };
        let mut trainer = on(&problem, &setup, 1, &train, 60);
        let without = (trainer.pass.objective.without_model(&train, &train)).loss;
        let wanted = 0.8 * without.min(loss(&trainer, &train));
        // Some learn slowly.
        for epoch in 1..=60 {
            trainer.train(&train, epoch, (0, 1));
            if loss(&trainer, &train) < wanted {
                break;
            }
        }
        let reached = loss(&trainer, &train);
        assert!(
            reached < wanted,
            "{built_in:?}: {reached}, not below {wanted}"
        );
    }
}

#[test]
fn what_does_not_go_together_or_does_not_fit_is_refused() {
    let _alone = alone();
    let device = Device::flex();
    let refused = |data, change: fn(&mut Setup)| {
        let mut setup = setup("baseline");
        change(&mut setup);
        let training = Training {
            setup: &setup,
            problem: &Problem::of(data),
            seed: 1,
            split_seed: 1,
            target: BuiltIn::Mlp.task().target,
            device: &device,
        };
        training.check().unwrap_err().to_string()
    };
    type Change = fn(&mut Setup);
    let cases: [(DataSet, Change, &str); 20] = [
        (
            DataSet::Digits,
            |s| s.learning_rate = -0.1,
            "`learning_rate` must be",
        ),
        (DataSet::Digits, |s| s.batch_size = 0, "batch_size"),
        (
            DataSet::Digits,
            |s| s.squeeze_excite = Some(4),
            "`squeeze_excite` must be null but for blocks of convolutions with skips, got 4",
        ),
        (
            DataSet::Digits,
            |s| {
                (s.network, s.skip) = (Architecture::Cnn, crate::mlp::Skip::Residual);
                s.squeeze_excite = Some(0);
            },
            "`squeeze_excite` must be at least 1, got 0",
        ),
        (
            DataSet::Digits,
            |s| s.mixup = Some(-0.5),
            "`mixup_alpha` must be",
        ),
        (
            DataSet::Digits,
            |s| s.test_time_shift = Some(0),
            "`test_time_shift` must be at least 1",
        ),
        (
            DataSet::Friedman,
            |s| s.cutmix = Some(1.0),
            "got \"a table of 10 columns\"",
        ),
        (
            DataSet::Friedman,
            |s| s.test_time_shift = Some(1),
            "must be images with classes",
        ),
        (
            DataSet::Digits,
            |s| s.micro_batches = 33,
            "from 1 to the batch size, 32, got 33",
        ),
        (
            DataSet::Digits,
            |s| (s.micro_batches, s.sam) = (2, Some(0.1)),
            "`sam`",
        ),
        (
            DataSet::Digits,
            |s| (s.averaging, s.schedule_free) = (Averaging::Ema(0.9), Some(0.9)),
            "`schedule_free`",
        ),
        (
            DataSet::Digits,
            |s| (s.soup, s.members) = (3, 5),
            "`soup` must be 1",
        ),
        (
            DataSet::Digits,
            |s| s.dropout = 1.0,
            "`dropout` must lie in [0, 1), got 1",
        ),
        (DataSet::Digits, |s| s.clip = Some(-1.0), "max_norm"),
        (
            DataSet::Digits,
            |s| s.network = Architecture::Rnn,
            "does not take images of 8×8 pixels",
        ),
        (
            DataSet::Characters,
            |_| {},
            "Mlp does not take sequences of 32",
        ),
        (
            DataSet::Friedman,
            |s| s.network = Architecture::Cnn,
            "does not take a table of 10 columns",
        ),
        (
            DataSet::Adding,
            |s| s.network = Architecture::Rnn,
            "must be one size, got [64, 64]",
        ),
        (
            DataSet::Characters,
            |s| (s.network, s.hidden) = (Architecture::Transformer, vec![30, 30]),
            "divisible by the 4 heads",
        ),
        (
            DataSet::Characters,
            |s| (s.network, s.norm) = (Architecture::Transformer, HiddenNorm::Batch),
            "`norm` is not for a network Transformer",
        ),
    ];
    for (data, change, expected) in cases {
        let error = refused(data, change);
        assert!(error.contains(expected), "{error}, not {expected}");
    }
}

/// Two batches in an epoch, and a target that every model has reached.
#[test]
fn no_run_arrives_before_its_first_step() {
    let _alone = alone();
    let mut setup = setup("baseline");
    setup.batch_size = 600;
    let training = Training {
        setup: &setup,
        problem: &Problem::of(DataSet::Digits),
        seed: 1,
        split_seed: 1,
        target: Target {
            accuracy: 0.0,
            ..BuiltIn::Mlp.task().target
        },
        device: &Device::flex(),
    };
    let mut report = Reporter::new("baseline", 1, 1);
    training.run(&mut report).unwrap();
    let arrival = report.into_run().arrival.unwrap();
    assert_eq!((arrival.steps, arrival.of), (Some(1), 2));
}

#[test]
fn an_error_of_a_regression_is_in_the_unit_of_its_numbers() {
    let _alone = alone();
    let problem = Problem::of(DataSet::Friedman);
    let train = problem.first(200);
    let trainer = on(
        &problem,
        &BuiltIn::Tabular.task().recipes[0].setup,
        1,
        &train,
        1,
    );
    let mean = train.numbers.iter().sum::<f32>() / 200.0;
    let square = train
        .numbers
        .iter()
        .map(|number| (number - mean).powi(2))
        .sum::<f32>();
    let without = trainer.pass.objective.without_model(&train, &train).loss;
    assert!(
        (without - f64::from(square / 200.0).sqrt()).abs() < 1e-3,
        "{without}"
    );
    // By hand, from the network's outputs in units of the deviation.
    let network = &trainer.members[0].model;
    let outputs = network
        .predict(train.images(&Device::flex().autodiff()))
        .into_data();
    let squares = outputs
        .iter::<f64>()
        .zip(&train.numbers)
        .map(|(output, number)| (f64::from(mean) + without * output - f64::from(*number)).powi(2));
    let by_hand = (squares.sum::<f64>() / 200.0).sqrt();
    let measured = loss(&trainer, &train);
    assert!(
        (measured - by_hand).abs() < 1e-4 * by_hand,
        "{measured}, {by_hand}"
    );
}
