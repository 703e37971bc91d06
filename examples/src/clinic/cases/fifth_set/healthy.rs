//! Healthy ones.

use super::super::bases::{conv, made};
use super::data::{calls, drying, faces, homes, plots, reviews, transactions};
use super::signals::{arrows, charge, glyphs, load, order, pool};
use super::{Case, SOUND, Seen};
use crate::clinic::data::{Dice, Task};
use crate::clinic::layer::{Act, GLOROT, HE, Layer, dense, mlp, normal};
use crate::clinic::loss::{CROSS_ENTROPY_MORE_OF_ONE, MEAN_ABSOLUTE, MEAN_SQUARED};
use crate::clinic::program::{Program, Rule};

/// A program in which there is nothing to find, and the score that it reaches.
const fn sound(
    name: &'static str,
    story: &'static str,
    score: f64,
    program: fn(seed: u64) -> Program,
) -> Case {
    SOUND.case(name, story, Seen::Learns(score), &[], &[], program)
}

pub(super) const CASES: &[Case] = &[
    sound(
        "order-at-a-small-rate",
        "a transformer at a learning rate of 3e-4, with a warm-up and enough steps",
        0.85,
        |seed| Program {
            rate: 3e-4,
            warmup: Some(100),
            epochs: 50,
            ..order(seed)
        },
    ),
    sound(
        "twenty-blocks",
        "twenty residual blocks of layer norm and two dense layers, the last of small weights",
        0.95,
        |seed| {
            let block = || {
                Layer::Residual(vec![
                    Layer::LayerNorm(24),
                    dense(24, 24, HE),
                    Layer::Act(Act::Relu),
                    dense(24, 24, normal(0.03)),
                ])
            };
            let mut layers = vec![dense(3, 24, HE)];
            layers.extend((0..20).map(|_| block()));
            layers.extend([Layer::LayerNorm(24), dense(24, 1, GLOROT)]);
            Program {
                layers,
                rate: 2e-3,
                epochs: 12,
                ..drying(seed, [0.0, 1.0], [0.0, 1.0])
            }
        },
    ),
    sound(
        "arrows-that-cannot-be-told",
        "a fifth of the images cannot be told for noise, a small network, and a stop in time",
        0.55,
        |seed| {
            let mut program = arrows(seed);
            let mut dice = Dice::new(seed + 5061);
            for rows in program.data.parts() {
                let pixels = rows.inputs.iter_mut().flatten();
                pixels.for_each(|pixel| *pixel = 0.6 * *pixel + 0.75 * dice.normal());
            }
            Program {
                layers: mlp(&[36, 8, 4], Act::Relu, HE),
                decay: Some(2e-3),
                patience: Some(4),
                ..program
            }
        },
    ),
    sound(
        "praise-is-linear",
        "one dense layer, and a label that is the sign of a sum",
        0.85,
        |seed| Program {
            layers: vec![dense(80, 2, GLOROT)],
            rate: 1e-2,
            ..reviews(seed)
        },
    ),
    sound(
        "counts-of-words",
        "inputs of which five in six are 0",
        0.78,
        |seed| Program {
            decay: Some(1e-3),
            epochs: 8,
            ..reviews(seed)
        },
    ),
    sound(
        "plots-from-0-to-1",
        "inputs that are scaled to [0, 1] and not standardised",
        0.82,
        |seed| {
            let mut program = plots(seed);
            for column in 0..6 {
                let values = program.data.train.inputs.iter().map(|row| row[column]);
                let low = values.clone().fold(f32::INFINITY, f32::min);
                let high = values.fold(f32::NEG_INFINITY, f32::max);
                program.data = program.data.map_inputs(|at, value| {
                    if at == column {
                        (value - low) / (high - low)
                    } else {
                        value
                    }
                });
            }
            Program {
                rate: 5e-3,
                epochs: 25,
                ..program
            }
        },
    ),
    sound(
        "frauds-that-weigh-more",
        "a tenth of the rows is fraud, each weighs as much as four others, and most are found",
        0.9,
        |seed| Program {
            loss: CROSS_ENTROPY_MORE_OF_ONE,
            rate: 2e-3,
            epochs: 12,
            decay: Some(2e-3),
            ..transactions(seed)
        },
    ),
    sound(
        "a-charge-in-an-lstm",
        "an LSTM, a regression, and a gradient that is clipped in most steps",
        0.9,
        |seed| Program {
            layers: vec![Layer::Lstm { hidden: 24 }, dense(24, 1, GLOROT)],
            rate: 1e-2,
            clips: Some(0.25),
            epochs: 20,
            ..charge(seed)
        },
    ),
    sound(
        "faces-through-four",
        "an autoencoder whose middle is as wide as it must be, a cosine of the rate",
        0.9,
        |seed| Program {
            schedule: Some(|step| 0.5 + 0.5 * (std::f64::consts::PI * step as f64 / 725.0).cos()),
            ..faces(seed)
        },
    ),
    sound(
        "logarithms-of-homes",
        "prices that differ by a factor of ten, as standardised logarithms, momentum",
        0.9,
        |seed| Program {
            rule: Rule::Momentum(0.9),
            rate: 0.03,
            ..homes(seed)
        },
    ),
    sound(
        "glyphs-with-a-norm",
        "convolutions, a batch norm behind the first dense layer, momentum and a warm-up",
        0.9,
        |seed| Program {
            layers: vec![
                conv(1, 10, 8),
                Layer::Act(Act::LeakyRelu),
                pool(10, 8),
                conv(10, 12, 4),
                Layer::Act(Act::LeakyRelu),
                dense(192, 32, HE),
                Layer::BatchNorm(32),
                Layer::Act(Act::LeakyRelu),
                dense(32, 5, GLOROT),
            ],
            rule: Rule::Momentum(0.9),
            rate: 0.02,
            warmup: Some(40),
            ..glyphs(seed)
        },
    ),
    sound(
        "calls-in-an-hour",
        "counts by Poisson's loss, of rates behind a softplus",
        0.5,
        calls,
    ),
    sound(
        "all-of-eighty-rows",
        "eighty rows that are a line with little noise, all in one batch, two hundred times",
        0.95,
        |seed| {
            let mut dice = Dice::new(seed + 5062);
            let data = made(280, 80, Task::Numbers, || {
                let row: Vec<f32> = (0..4).map(|_| dice.normal()).collect();
                let y = 0.7 * row[0] - 0.5 * row[1] + 0.4 * row[3] + 0.1 * dice.normal();
                (row, vec![y])
            });
            Program {
                rule: Rule::Sgd,
                rate: 0.05,
                batch: 80,
                epochs: 200,
                ..Program::new(data, vec![dense(4, 1, GLOROT)], MEAN_SQUARED)
            }
        },
    ),
    sound(
        "a-load-with-outliers",
        "absolute differences, and a hundredth of the hours that are no load at all",
        0.85,
        |seed| {
            let mut program = load(seed);
            let mut dice = Dice::new(seed + 5063);
            for target in program.data.train.targets.iter_mut().flatten() {
                if dice.below(100) == 0 {
                    *target = 8.0 * dice.normal();
                }
            }
            Program {
                loss: MEAN_ABSOLUTE,
                ..program
            }
        },
    ),
];
