//! Healthy ones.

use super::super::bases::{conv, made};
use super::series::{
    along, cloths, gated, heartbeats, movements, river, spectra, waves_apart, words,
};
use super::tables::{bicycles, examined, moons, patients, pendulum, rained};
use super::{Case, SOUND, Seen};
use crate::clinic::data::{Dice, Task, digits};
use crate::clinic::layer::{
    Act, GLOROT, HE, Layer, batch_normed, behind_each_act, dense, ending_in, mlp,
};
use crate::clinic::loss::{CROSS_ENTROPY, CROSS_ENTROPY_MORE_OF_ONE, MEAN_SQUARED};
use crate::clinic::program::{Program, Rule};
use burn::module::Initializer;
use std::f64::consts::PI;

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
        "a-pendulum-at-a-small-rate",
        "Adam at 4e-4, small batches, and as many epochs as that takes",
        0.95,
        |seed| Program {
            rate: 4e-4,
            batch: 8,
            epochs: 45,
            ..pendulum(seed)
        },
    ),
    sound(
        "ten-blocks-of-heartbeats",
        "ten residual blocks of two convolutions of a series, the second of which begins with zeros",
        0.95,
        |seed| Program {
            layers: deep_waves(),
            rate: 1e-3,
            epochs: 6,
            ..heartbeats(seed)
        },
    ),
    sound(
        "patients-left-to-chance",
        "diagnoses that nobody can tell in one case of four, few units, an L2 penalty, a stop in time",
        0.68,
        |seed| Program {
            data: examined(seed, 1.0),
            layers: ending_in(mlp(&[9, 12, 1], Act::Tanh, GLOROT), Act::Sigmoid),
            decay: Some(1e-3),
            patience: Some(5),
            epochs: 40,
            ..patients(seed)
        },
    ),
    sound(
        "six-units-for-two-moons",
        "six units of tanh and a score for each moon",
        0.95,
        |seed| Program {
            layers: mlp(&[2, 6, 2], Act::Tanh, GLOROT),
            loss: CROSS_ENTROPY,
            rate: 3e-2,
            epochs: 60,
            ..moons(seed)
        },
    ),
    sound(
        "ones-among-zeros",
        "four choices out of twenty-four each: ninety-two inputs of ninety-six are 0",
        0.85,
        sparse,
    ),
    sound(
        "heartbeats-from-0-to-1",
        "a series that is scaled to [0, 1], where nothing is below 0",
        0.92,
        |seed| {
            let program = heartbeats(seed);
            let data = program
                .data
                .map_inputs(|_, volt| ((volt + 2.2) / 6.5).clamp(0.0, 1.0));
            Program {
                data,
                layers: waves_apart([1, 8, 12]),
                rate: 4e-3,
                epochs: 14,
                ..program
            }
        },
    ),
    sound(
        "floods-that-weigh-more",
        "one row of fourteen is a flood, weighs as much as four others, and most are found",
        0.94,
        |seed| {
            let mut data = rained(seed, 3000, 2500);
            data.task = Task::Classes(2);
            let is_flood = |rain| f32::from(u8::from(rain > 2.0));
            Program {
                rate: 4e-3,
                epochs: 12,
                ..Program::new(
                    data.map_targets(is_flood),
                    mlp(&[5, 24, 24, 2], Act::Relu, HE),
                    CROSS_ENTROPY_MORE_OF_ONE,
                )
            }
        },
    ),
    sound(
        "a-river-in-an-lstm",
        "fourteen days of rain, an LSTM, a clipped gradient, and a target of deviation 1",
        0.9,
        |seed| Program {
            clips: Some(1.0),
            epochs: 25,
            ..river(seed, [0.0, 1.0])
        },
    ),
    sound(
        "words-in-a-transformer",
        "embeddings, positions, a block of a transformer, a warm-up and a clipped gradient",
        0.75,
        |seed| Program {
            warmup: Some(60),
            ..words(seed)
        },
    ),
    sound(
        "spectra-through-four",
        "an autoencoder with as many numbers in its middle as there are causes",
        0.95,
        spectra,
    ),
    sound(
        "bicycles-by-the-thousand",
        "targets up to 1,500, standardised, and a cosine of the learning rate",
        0.85,
        |seed| Program {
            // Ninety-four batches in an epoch.
            schedule: Some(|step| 0.5 + 0.5 * (PI * step as f64 / 752.0).cos()),
            epochs: 8,
            ..bicycles(seed)
        },
    ),
    sound(
        "movements-in-a-gru",
        "sixteen cells of a GRU, RMSprop",
        0.9,
        |seed| Program {
            layers: gated(16, 4),
            rule: Rule::RmsProp,
            rate: 4e-3,
            ..movements(seed)
        },
    ),
    sound(
        "normed-digits-by-momentum",
        "a convolution, batch norm behind a dense layer, momentum, an L2 penalty of 5e-4",
        0.94,
        |seed| {
            let mut layers = vec![
                conv(1, 8, 8),
                Layer::Act(Act::Relu),
                Layer::Pool {
                    channels: 8,
                    side: 8,
                },
            ];
            layers.extend(batch_normed(mlp(&[128, 32, 10], Act::Relu, HE)));
            Program {
                rule: Rule::Momentum(0.9),
                rate: 0.05,
                batch: 50,
                decay: Some(5e-4),
                epochs: 8,
                ..Program::new(digits(seed), layers, CROSS_ENTROPY)
            }
        },
    ),
    sound(
        "digits-with-half-of-the-units",
        "dropout of 0.5 behind 192 units, 0.1 on the pixels",
        0.94,
        |seed| {
            let hidden = mlp(&[64, 192, 10], Act::Relu, HE);
            let mut layers = vec![Layer::Dropout(0.1)];
            layers.extend(behind_each_act(hidden, || Layer::Dropout(0.5)));
            Program {
                rate: 2e-3,
                epochs: 15,
                ..Program::new(digits(seed), layers, CROSS_ENTROPY)
            }
        },
    ),
    sound(
        "a-plane-through-ninety-rows",
        "ninety rows, seven columns, one layer, and noise of a tenth",
        0.95,
        |seed| {
            let mut dice = Dice::new(seed + 6061);
            let weights = [0.8, -0.5, 0.3, 0.6, -0.2, 0.4, -0.7];
            let data = made(290, 90, Task::Numbers, || {
                let row: Vec<f32> = (0..7).map(|_| dice.normal()).collect();
                let sum: f32 = row.iter().zip(weights).map(|(x, w)| x * w).sum();
                (row, vec![sum + 0.15 * dice.normal()])
            });
            Program {
                rate: 1e-2,
                batch: 15,
                epochs: 80,
                ..Program::new(data, vec![dense(7, 1, GLOROT)], MEAN_SQUARED)
            }
        },
    ),
    sound(
        "cloths-in-a-little-noise",
        "training images with more noise than those of the validation",
        0.9,
        |seed| {
            let mut program = cloths(seed);
            let mut dice = Dice::new(seed + 6062);
            let pixels = program.data.train.inputs.iter_mut().flatten();
            pixels.for_each(|pixel| *pixel += 0.3 * dice.normal());
            program
        },
    ),
];

/// Whether somebody likes a menu of four dishes, each out of twenty-four.
fn sparse(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 6063);
    let likings: Vec<f32> = (0..96).map(|_| dice.normal()).collect();
    let data = made(2600, 2000, Task::Classes(2), || {
        let mut row = vec![0.0; 96];
        let mut liking = 0.0;
        for course in 0..4 {
            let dish = 24 * course + dice.below(24);
            row[dish] = 1.0;
            liking += likings[dish];
        }
        (row, vec![f32::from(u8::from(liking > 0.0))])
    });
    Program {
        rate: 5e-3,
        epochs: 5,
        decay: Some(1e-4),
        ..Program::new(data, mlp(&[96, 12, 2], Act::Relu, HE), CROSS_ENTROPY)
    }
}

/// Ten residual blocks at a quarter of the length.
fn deep_waves() -> Vec<Layer> {
    let pool = || Layer::SeriesPool { channels: 8 };
    let from_zero = || Layer::SeriesConv {
        channels: [8, 8],
        kernel: 5,
        weight: Initializer::Zeros,
    };
    let block = || Layer::Residual(vec![along([8, 8]), Layer::Act(Act::Relu), from_zero()]);
    let mut layers = vec![along([1, 8]), Layer::Act(Act::Relu), pool(), pool()];
    layers.extend((0..10).map(|_| block()));
    layers.push(dense(80, 4, GLOROT));
    layers
}
