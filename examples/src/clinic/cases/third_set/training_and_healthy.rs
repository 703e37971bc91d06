//! Of schedules, outputs and too little training, and healthy ones.

use super::super::bases::{convolutions, on_digits, waves};
use super::super::{Case, Kind::*, Seen::*};
use super::{SET, recurrent, sides, sums, transformer};
use crate::clinic::data::{Data, Task, blobs, circles, drawn};
use crate::clinic::layer::{
    Act, GLOROT, HE, Layer, batch_normed, behind_each_act, ending_in, mlp, normal, normed,
};
use crate::clinic::loss::{
    BINARY_CROSS_ENTROPY, BINARY_CROSS_ENTROPY_OF_SCORES, CROSS_ENTROPY, MEAN_ABSOLUTE,
    MEAN_SQUARED,
};
use crate::clinic::program::{Program, Rule};

pub(super) const CASES: &[Case] = &[
    SET.case(
        "a-rate-that-grows",
        "the schedule multiplies by 1.02 where it should multiply by 0.98",
        Fails(0.6),
        &[&[LrTooHigh, LrInvalid]],
        &[
            DeadUnits,
            NonFinite,
            ExplodingGradient,
            Oscillation,
            ConstantOutput,
        ],
        |seed| Program {
            rule: Rule::Sgd,
            rate: 0.05,
            schedule: Some(|step| 1.02f64.powi(step as i32)),
            ..on_digits(seed, mlp(&[64, 48, 10], Act::Relu, HE))
        },
    ),
    SET.case(
        "a-cycle-with-spikes",
        "every fortieth step takes fifty times the learning rate",
        Fails(0.85),
        &[&[LrTooHigh, Oscillation]],
        &[DeadUnits, ExplodingGradient],
        |seed| Program {
            schedule: Some(|step| if step % 40 == 39 { 50.0 } else { 1.0 }),
            rate: 5e-3,
            ..on_digits(seed, mlp(&[64, 32, 32, 10], Act::Relu, HE))
        },
    ),
    SET.case(
        "states-at-their-ends",
        "recurrent weights from N(0, 2²) behind a tanh",
        Fails(0.5),
        &[&[Saturated, InitScale, ExplodingGradient]],
        &[VanishingGradient, LeakingInput, TooFewSteps, LrTooLow],
        |seed| sums(seed, 30, recurrent(normal(2.0), Act::Tanh)),
    ),
    SET.case(
        "two-of-a-hundred",
        "two rows of a hundred are of the class that matters, and the network never finds them",
        Learns(0.9),
        &[&[RareClass]],
        &[],
        |seed| {
            let data = drawn(seed, 3000, 6, Task::Classes(2), |x, dice| {
                f32::from(u8::from(x[0] + x[1] + 0.8 * dice.normal() > 3.3))
            });
            let layers = ending_in(mlp(&[6, 12, 1], Act::Relu, HE), Act::Sigmoid);
            Program {
                epochs: 4,
                ..Program::new(data, layers, BINARY_CROSS_ENTROPY)
            }
        },
    ),
    SET.case(
        "nine-pixels-of-ten-dropped",
        "dropout of 0.93 on the inputs",
        Fails(0.85),
        &[&[DropoutTooHigh]],
        &[Underfitting, TooFewSteps],
        |seed| {
            let mut layers = vec![Layer::Dropout(0.93)];
            layers.extend(mlp(&[64, 48, 10], Act::Relu, HE));
            on_digits(seed, layers)
        },
    ),
    SET.case(
        "convolutions-in-a-line",
        "two convolutions and a dense layer without an activation",
        Learns(0.8),
        &[&[LinearNetwork]],
        &[],
        |seed| {
            let layers = convolutions([6, 12], HE);
            let without = layers
                .into_iter()
                .filter(|layer| !matches!(layer, Layer::Act(_)));
            on_digits(seed, without.collect())
        },
    ),
    SET.case(
        "thirty-images",
        "a convolutional network and thirty images",
        ValidFails(0.75),
        &[&[Overfitting, TooLittleData, TooLargeModel]],
        &[],
        |seed| {
            let program = on_digits(seed, convolutions([6, 12], HE));
            Program {
                data: program.data.with_train(30),
                epochs: 60,
                batch: 10,
                ..program
            }
        },
    ),
    SET.case(
        "one-batch-of-everything",
        "all images in one batch, twelve times, and batch norm",
        Fails(0.8),
        &[&[TooFewSteps, LrTooLow]],
        &[NormStatistics],
        |seed| Program {
            batch: 1400,
            epochs: 12,
            rate: 1e-4,
            ..on_digits(seed, batch_normed(mlp(&[64, 48, 10], Act::Relu, HE)))
        },
    ),
    SET.case(
        "kelvin",
        "temperatures in Kelvin and pressures in pascal as they are",
        Fails(0.5),
        &[&[UnscaledInputs]],
        &[
            ExplodingGradient,
            LrTooHigh,
            DeadUnits,
            LrTooLow,
            TooFewSteps,
            InitScale,
        ],
        |seed| {
            let program = waves(seed);
            Program {
                data: program.data.map_inputs(|column, value| {
                    if column == 0 {
                        293.0 + 8.0 * value
                    } else {
                        101_300.0 + 900.0 * value
                    }
                }),
                ..program
            }
        },
    ),
    SET.case(
        "an-exponential-for-negative-targets",
        "a regression that ends in exp(x), and targets of mean 0",
        Fails(0.7),
        &[&[OutputMismatch]],
        &[Underfitting, TooFewSteps],
        |seed| {
            let program = waves(seed);
            Program {
                layers: ending_in(program.layers.clone(), Act::Exp),
                ..program
            }
        },
    ),
    SET.case(
        "a-tanh-before-the-loss",
        "the scores of three classes go through a tanh",
        LossAbove(0.45),
        &[&[OutputMismatch]],
        &[Underfitting, Saturated],
        |seed| Program {
            rate: 1e-2,
            epochs: 30,
            ..Program::new(
                blobs(seed).standard_inputs(),
                ending_in(mlp(&[2, 32, 32, 3], Act::Relu, HE), Act::Tanh),
                CROSS_ENTROPY,
            )
        },
    ),
    SET.case(
        "absolute-differences-at-a-crawl",
        "absolute differences at a rate of 1e-6",
        Fails(0.3),
        &[&[LrTooLow, TooFewSteps]],
        &[],
        |seed| Program {
            loss: MEAN_ABSOLUTE,
            rate: 1e-6,
            ..waves(seed)
        },
    ),
    SET.case(
        "half-of-the-rows-twice",
        "the validation is drawn from all rows, and not from those that were held back",
        Learns(0.9),
        &[&[LeakedValidation]],
        &[],
        |seed| {
            let mut program = on_digits(seed, convolutions([6, 12], HE));
            let Data { train, valid, .. } = &mut program.data;
            for at in 0..150 {
                valid.inputs[at].clone_from(&train.inputs[3 * at]);
                valid.targets[at].clone_from(&train.targets[3 * at]);
            }
            program
        },
    ),
    SET.case(
        "a-drop-after-two-thirds",
        "a learning rate that is divided by ten after two thirds",
        Learns(0.9),
        &[],
        &[],
        |seed| Program {
            schedule: Some(|step| if step < 290 { 1.0 } else { 0.1 }),
            rate: 3e-3,
            ..on_digits(seed, convolutions([6, 12], HE))
        },
    ),
    SET.case(
        "squares-of-a-sigmoid",
        "two classes by squared differences, as in 1989",
        Learns(0.85),
        &[],
        &[],
        |seed| {
            let program = sides(
                seed,
                ending_in(mlp(&[6, 16, 1], Act::Tanh, GLOROT), Act::Sigmoid),
            );
            Program {
                loss: MEAN_SQUARED,
                rate: 1e-2,
                ..program
            }
        },
    ),
    SET.case(
        "targets-within-a-tanh",
        "targets between -0.8 and 0.8, and a tanh that fits them",
        Learns(0.8),
        &[],
        &[],
        |seed| {
            let program = waves(seed);
            Program {
                data: program
                    .data
                    .map_targets(|target| 0.8 * (0.7 * target).tanh()),
                layers: ending_in(mlp(&[5, 32, 32, 1], Act::Tanh, GLOROT), Act::Tanh),
                epochs: 40,
                ..program
            }
        },
    ),
    SET.case(
        "a-transformer-with-dropout",
        "a transformer, a warm-up, clipping and dropout",
        Learns(0.85),
        &[],
        &[],
        |seed| {
            let mut layers = transformer();
            layers.insert(2, Layer::Dropout(0.2));
            Program {
                warmup: Some(60),
                clips: Some(1.0),
                rate: 3e-3,
                ..on_digits(seed, layers)
            }
        },
    ),
    SET.case(
        "large-batches",
        "batches of 256 and a learning rate that goes with them",
        Learns(0.88),
        &[],
        &[],
        |seed| Program {
            batch: 256,
            rate: 1e-2,
            epochs: 25,
            ..on_digits(
                seed,
                normed(mlp(&[64, 64, 10], Act::Relu, HE), Layer::LayerNorm),
            )
        },
    ),
    SET.case(
        "a-little-decay",
        "momentum and an L2 penalty of 0.001",
        Learns(0.9),
        &[],
        &[],
        |seed| {
            let layers = mlp(&[64, 96, 96, 10], Act::Relu, HE);
            Program {
                rule: Rule::Momentum(0.9),
                rate: 0.03,
                decay: Some(1e-3),
                ..on_digits(seed, behind_each_act(layers, || Layer::Dropout(0.1)))
            }
        },
    ),
    SET.case(
        "circles-by-rms-prop",
        "RMSprop, ELU, and a score for each circle",
        Learns(0.72),
        &[],
        &[],
        |seed| Program {
            rule: Rule::RmsProp,
            rate: 3e-3,
            epochs: 40,
            ..Program::new(
                circles(seed),
                mlp(&[2, 48, 48, 1], Act::Elu, GLOROT),
                BINARY_CROSS_ENTROPY_OF_SCORES,
            )
        },
    ),
];
