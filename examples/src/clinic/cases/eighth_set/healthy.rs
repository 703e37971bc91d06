//! Healthy ones: what people train every day.

use super::super::bases::made;
use super::sources::{
    bit, boxes, cars, cells, churn, gears, genres, heard, mails, park, passengers, penguins, read,
    sleep, spam, tickets,
};
use super::{Case, SOUND, Seen};
use crate::clinic::data::{Dice, Task};
use crate::clinic::layer::{Act, GLOROT, HE, Layer, batch_normed, dense, ending_in, mlp};
use crate::clinic::loss::{
    BINARY_CROSS_ENTROPY_OF_SCORES, CROSS_ENTROPY, MEAN_ABSOLUTE, MEAN_SQUARED,
};
use crate::clinic::program::{Pretrained, Program, Rule};
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
        "customers-with-batch-norm",
        "a table, two layers with batch norm, a probability; one label of ten is left to chance",
        0.84,
        |seed| Program {
            layers: ending_in(
                batch_normed(mlp(&[5, 24, 24, 1], Act::Relu, HE)),
                Act::Sigmoid,
            ),
            ..churn(seed)
        },
    ),
    sound(
        "cells-by-momentum-and-a-decay",
        "a convolutional network, pixels from 0 to 1, momentum, a decay and a cosine of the rate",
        0.85,
        |seed| Program {
            rule: Rule::Momentum(0.9),
            rate: 0.03,
            decay: Some(1e-4),
            epochs: 16,
            // Thirty-five batches in an epoch.
            schedule: Some(|step| 0.5 + 0.5 * (PI * step as f64 / 560.0).cos()),
            ..cells(seed)
        },
    ),
    sound(
        "passengers-in-a-small-gru",
        "a GRU of ten cells, a clipped gradient, a year of months",
        0.9,
        |seed| passengers(seed, Layer::Gru { hidden: 10 }, 10),
    ),
    sound(
        "tickets-in-a-transformer",
        "a block of a transformer, a warm-up, and texts of which some are for no desk in particular",
        0.8,
        |seed| Program {
            layers: vec![
                Layer::Embedding {
                    count: 60,
                    width: 16,
                },
                Layer::Transformer {
                    width: 16,
                    heads: 2,
                },
                Layer::TokenMean { width: 16 },
                dense(16, 4, GLOROT),
            ],
            rate: 3e-3,
            epochs: 4,
            warmup: Some(40),
            ..tickets(seed)
        },
    ),
    sound(
        "a-gearbox-through-three",
        "an autoencoder with as many numbers in its middle as there are causes",
        0.9,
        gears,
    ),
    sound(
        "tickets-in-four-numbers",
        "vectors of four numbers for each word, and their mean",
        0.8,
        |seed| Program {
            layers: read(4),
            rate: 8e-3,
            ..tickets(seed)
        },
    ),
    sound(
        "cars-by-absolute-error",
        "a regression by the mean absolute error, and a rate that falls by steps",
        0.93,
        |seed| Program {
            loss: MEAN_ABSOLUTE,
            schedule: Some(|step| [1.0, 0.3, 0.1][(step / 250).min(2)]),
            epochs: 25,
            ..cars(seed)
        },
    ),
    sound(
        "four-frauds-in-a-hundred",
        "four rows of a hundred are of the second class, and nearly all of them are found",
        0.98,
        frauds,
    ),
    sound(
        "mails-with-wrong-labels",
        "three labels of twenty are wrong, in the validation too: the accuracy stands still below 0.85 and the loss above 0.4",
        0.78,
        |seed| Program {
            data: mails(seed, 0.15).standard_inputs(),
            layers: ending_in(mlp(&[16, 8, 1], Act::Tanh, GLOROT), Act::Sigmoid),
            decay: Some(3e-3),
            patience: Some(5),
            epochs: 25,
            ..spam(seed)
        },
    ),
    sound(
        "forty-five-penguins",
        "fifteen penguins of each kind, a single layer, an L2 penalty",
        0.93,
        |seed| {
            let program = penguins(seed);
            Program {
                data: program.data.with_train(45),
                layers: vec![dense(4, 3, GLOROT)],
                rate: 0.02,
                decay: Some(3e-3),
                epochs: 60,
                ..program
            }
        },
    ),
    sound(
        "once-through-twelve-thousand-rides",
        "a single epoch of twelve thousand rows",
        0.9,
        rides,
    ),
    sound(
        "a-board-of-squares",
        "nothing is learned for the first epochs, and nearly all of it later",
        0.9,
        board,
    ),
    sound(
        "a-head-for-two-stages",
        "a body that has learned three stages of sleep is frozen on purpose, and a new layer tells one of them from others",
        0.9,
        |seed| {
            let program = sleep(seed);
            let mut layers = heard(8);
            layers.pop();
            layers.push(dense(64, 2, GLOROT));
            Program {
                data: program
                    .data
                    .map_targets(|stage| bit(stage == 1.0))
                    .with_train(400),
                layers,
                pretrained: Some(Pretrained {
                    by: sleep,
                    layers: 6,
                }),
                frozen: &["layers.0", "layers.3"],
                epochs: 15,
                ..program
            }
        },
    ),
    sound(
        "any-of-four-genres",
        "several labels of a row, a score for each, and binary cross-entropies",
        0.6,
        |seed| {
            let mut program = genres(seed, 32);
            program.decay = Some(1e-4);
            program
        },
    ),
    sound(
        "boxes-by-residuals",
        "three residual blocks behind a convolution, and targets between -1.5 and 1.8",
        0.85,
        |seed| {
            let program = boxes(seed);
            let mut layers = program.layers.clone();
            let last = layers.pop().expect("a last layer");
            layers.push(dense(128, 32, HE));
            for _ in 0..3 {
                layers.push(Layer::Residual(vec![
                    Layer::LayerNorm(32),
                    dense(32, 32, HE),
                    Layer::Act(Act::Relu),
                    dense(32, 32, GLOROT),
                ]));
            }
            drop(last);
            layers.push(dense(32, 2, GLOROT));
            Program {
                layers,
                rate: 2e-3,
                ..program
            }
        },
    ),
    sound(
        "a-turbine-by-patient-descent",
        "plain gradient descent, a low rate, sixty epochs of which each is a little better",
        0.93,
        |seed| Program {
            rule: Rule::Sgd,
            rate: 0.05,
            batch: 20,
            epochs: 60,
            ..Program::new(
                park(seed).standard_inputs().standard_targets(),
                mlp(&[3, 32, 32, 1], Act::Relu, HE),
                MEAN_SQUARED,
            )
        },
    ),
];

/// Whether a payment is a fraud: four of a hundred are, and three of seven measures tell.
fn frauds(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 8040);
    let data = made(3500, 2800, Task::Classes(2), || {
        let mut row: Vec<f32> = (0..7).map(|_| dice.normal()).collect();
        let is_fraud = dice.uniform(0.0, 1.0) < 0.04;
        if is_fraud {
            row[1] += 3.0;
            row[4] -= 2.5;
            row[6] += 2.0;
        }
        (row, vec![bit(is_fraud)])
    });
    Program {
        rate: 3e-3,
        epochs: 6,
        ..Program::new(
            data,
            mlp(&[7, 16, 1], Act::Relu, HE),
            BINARY_CROSS_ENTROPY_OF_SCORES,
        )
    }
}

/// How long a ride takes, of two places and the hour.
fn rides(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 8041);
    let data = made(13_000, 12_000, Task::Numbers, || {
        let place: Vec<f32> = (0..4).map(|_| dice.normal()).collect();
        let hour = dice.uniform(-1.7, 1.7);
        let far = ((place[0] - place[2]).powi(2) + (place[1] - place[3]).powi(2)).sqrt();
        let long = 1.0 * (far - 1.77) + 0.4 * (2.0 * hour).sin() + 0.15 * dice.normal();
        let mut row = place;
        row.push(hour);
        (row, vec![long])
    });
    Program {
        rate: 5e-3,
        epochs: 1,
        ..Program::new(data, mlp(&[5, 48, 48, 1], Act::Relu, HE), MEAN_SQUARED)
    }
}

/// Whether a point lies on a dark square of a board of 3 × 3.
fn board(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 8042);
    let data = made(2200, 1800, Task::Classes(2), || {
        let point = [dice.uniform(-1.7, 1.7), dice.uniform(-1.7, 1.7)];
        let square = point
            .map(|x| ((x + 1.7) / 1.134) as usize)
            .iter()
            .sum::<usize>();
        (point.to_vec(), vec![bit(square % 2 == 1)])
    });
    Program {
        rate: 5e-3,
        epochs: 40,
        ..Program::new(data, mlp(&[2, 64, 64, 2], Act::Relu, HE), CROSS_ENTROPY)
    }
}
