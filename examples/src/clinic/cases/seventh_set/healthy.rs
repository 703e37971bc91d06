//! Healthy ones, of which each has something that could be taken for a fault.

use super::super::bases::made;
use super::signals::{causal, even_digits, leaves, pedals, tides};
use super::tables::{alarms, houses, stars, stripes};
use super::training::frozen_body;
use super::{Case, SOUND, Seen};
use crate::clinic::data::{Dice, Task};
use crate::clinic::layer::{Act, Dense, GLOROT, HE, Layer, behind_each_act, dense, mlp, normal};
use crate::clinic::loss::{CROSS_ENTROPY, MEAN_SQUARED};
use crate::clinic::program::{Precision, Program, Rule};
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
        "hotels-by-mood",
        "one of five marks that depends on mood more than on the hotel: nobody gets half of them right",
        0.38,
        hotels,
    ),
    sound(
        "half-of-the-leaves-in-the-dark",
        "dropout of 0.3 on the pixels and of 0.5 behind: the training loss stays above that of the validation",
        0.85,
        |seed| {
            let program = leaves(seed);
            let hidden = behind_each_act(mlp(&[64, 128, 4], Act::Relu, HE), || Layer::Dropout(0.5));
            let mut layers = vec![Layer::Dropout(0.3)];
            layers.extend(hidden);
            Program {
                layers,
                rate: 2e-3,
                epochs: 12,
                ..program
            }
        },
    ),
    sound(
        "thirty-six-flowers",
        "thirty-six rows of three kinds that lie far apart, one layer, an L2 penalty",
        0.97,
        flowers,
    ),
    sound(
        "three-in-a-hundred-and-a-prior",
        "three rows of a hundred are of the second class, the last bias begins with the logarithm of the odds, and nearly \
         all are found",
        0.985,
        expected_alarms,
    ),
    sound(
        "plain-descent-until-it-stands",
        "plain gradient descent at a constant rate, for as many epochs as it takes: each is a little better",
        0.95,
        |seed| Program {
            rule: Rule::Sgd,
            rate: 0.03,
            batch: 16,
            epochs: 40,
            ..houses(seed)
        },
    ),
    sound(
        "the-sign-of-a-product-of-three",
        "hardly anything is learned for a quarter of the run, and all of it in the rest",
        0.93,
        parity,
    ),
    sound(
        "stripes-by-sines-of-large-weights",
        "a network of sines whose first weights are forty times as large as usual, as they must be",
        0.9,
        |seed| {
            let mut layers = vec![dense(2, 64, normal(8.0)), Layer::Act(Act::Sin)];
            layers.extend(mlp(&[64, 64, 1], Act::Sin, GLOROT));
            Program {
                rate: 2e-3,
                epochs: 20,
                ..Program::new(stripes(seed), layers, MEAN_SQUARED)
            }
        },
    ),
    sound(
        "a-body-left-alone",
        "a body that has learned digits is frozen on purpose, and only a new head is trained",
        0.9,
        |seed| Program {
            batch: 10,
            epochs: 20,
            ..frozen_body(seed)
        },
    ),
    sound(
        "two-epochs-for-a-trained-body",
        "a body that has learned digits is trained on for fifty-four steps, which is enough",
        0.9,
        |seed| Program {
            epochs: 2,
            rate: 5e-3,
            ..even_digits(seed)
        },
    ),
    sound(
        "pedals-in-an-lstm",
        "an LSTM that has to remember for more than ten moments, and a clipped gradient",
        0.95,
        |seed| Program {
            rate: 8e-3,
            epochs: 18,
            ..pedals(seed, Layer::Lstm { hidden: 12 })
        },
    ),
    sound(
        "once-through-fifteen-thousand",
        "one epoch of fifteen thousand rows",
        0.95,
        once,
    ),
    sound(
        "two-warm-restarts",
        "a cosine of the learning rate that begins anew twice, and the loss jumps each time",
        0.95,
        |seed| Program {
            // Thirty-eight batches in an epoch, six epochs in a period.
            schedule: Some(|step| 0.5 + 0.5 * (PI * (step % 228) as f64 / 228.0).cos()),
            rate: 1e-2,
            epochs: 18,
            ..houses(seed)
        },
    ),
    sound(
        "half-precision-with-a-scale",
        "gradients in half precision, of a loss that is multiplied by 1,024, and divided before they are clipped",
        0.9,
        |seed| Program {
            gradients: Some(Precision::Half),
            loss_scale: Some(|_| 1024.0),
            clips: Some(2.0),
            ..leaves(seed)
        },
    ),
    sound(
        "unshuffled-and-in-no-order",
        "the rows are never shuffled, and need not be: they are in no order",
        0.94,
        |seed| Program {
            shuffles: false,
            epochs: 30,
            ..stars(seed, mlp(&[3, 24, 24, 2], Act::Relu, HE))
        },
    ),
    sound(
        "a-rate-of-one",
        "plain gradient descent at a rate of 1, for a single layer of standardised measures in large batches",
        0.9,
        |seed| {
            let mut dice = Dice::new(seed + 7051);
            let data = made(2400, 2000, Task::Classes(2), || {
                let row: Vec<f32> = (0..8).map(|_| dice.normal()).collect();
                let sum: f32 = row
                    .iter()
                    .enumerate()
                    .map(|(i, x)| x * (i as f32 - 3.3))
                    .sum();
                let chance = 1.0 / (1.0 + (-1.2 * sum).exp());
                let is_one = dice.uniform(0.0, 1.0) < chance;
                (row, vec![f32::from(u8::from(is_one))])
            });
            Program {
                rule: Rule::Sgd,
                rate: 1.0,
                batch: 200,
                epochs: 20,
                ..Program::new(data, vec![dense(8, 2, GLOROT)], CROSS_ENTROPY)
            }
        },
    ),
    sound(
        "tides-as-far-as-they-can-be-told",
        "forecasts of which half is noise: the loss falls fast and then stands still",
        0.42,
        |seed| Program {
            epochs: 14,
            ..tides(seed, causal)
        },
    ),
];

/// Marks of which the hotel decides a part.
fn hotels(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 7052);
    let data = made(4500, 3000, Task::Classes(5), || {
        let z: Vec<f32> = (0..6).map(|_| dice.normal()).collect();
        let liking = z[0] + 0.6 * z[1] - 0.5 * z[2] + 1.1 * dice.normal();
        let mark = [-1.6, -0.5, 0.5, 1.6]
            .iter()
            .filter(|bound| liking > **bound);
        let mark = mark.count() as f32;
        (z, vec![mark])
    });
    Program {
        rate: 3e-3,
        epochs: 10,
        decay: Some(1e-4),
        ..Program::new(data, mlp(&[6, 16, 5], Act::Tanh, GLOROT), CROSS_ENTROPY)
    }
}

/// Four measures of flowers.
fn flowers(seed: u64) -> Program {
    const CENTRES: [[f32; 4]; 3] = [
        [-1.2, 0.6, -1.3, -1.2],
        [0.1, -0.8, 0.3, 0.2],
        [1.1, 0.2, 1.1, 1.2],
    ];
    let mut dice = Dice::new(seed + 7053);
    let data = made(186, 36, Task::Classes(3), || {
        let kind = dice.below(3);
        let row = CENTRES[kind].map(|centre| centre + 0.25 * dice.normal());
        (row.to_vec(), vec![kind as f32])
    });
    Program {
        rate: 2e-2,
        batch: 12,
        epochs: 60,
        decay: Some(1e-2),
        ..Program::new(data, vec![dense(4, 3, GLOROT)], CROSS_ENTROPY)
    }
}

/// The alarms, whose last bias begins with the logarithm of the odds.
fn expected_alarms(seed: u64) -> Program {
    let mut program = alarms(seed);
    program.layers.pop();
    program.layers.push(Layer::Dense(Dense {
        inputs: 12,
        outputs: 1,
        weight: GLOROT,
        bias: Some(Initializer::Constant { value: -3.5 }),
        columns: false,
    }));
    program
}

/// Whether an even number of three measures is below 0.
fn parity(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 7055);
    let data = made(1900, 1500, Task::Classes(2), || {
        let row: Vec<f32> = (0..3)
            .map(|_| (0.4 + dice.uniform(0.0, 1.2)) * [1.0, -1.0][dice.below(2)])
            .collect();
        let is_even = row.iter().product::<f32>() > 0.0;
        (row, vec![f32::from(u8::from(is_even))])
    });
    Program {
        rule: Rule::Momentum(0.9),
        rate: 0.02,
        batch: 50,
        epochs: 24,
        ..Program::new(
            data,
            mlp(&[3, 24, 2], Act::Tanh, normal(0.1)),
            CROSS_ENTROPY,
        )
    }
}

/// Loans that are clear, and many of them.
fn once(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 7056);
    let data = made(16_000, 15_000, Task::Classes(2), || {
        let z: Vec<f32> = (0..7).map(|_| dice.normal()).collect();
        let risk = z[0] + 0.8 * z[1] * z[2] - 0.5 * z[3];
        (z, vec![f32::from(u8::from(risk > 0.3))])
    });
    Program {
        rate: 5e-3,
        epochs: 1,
        ..Program::new(data, mlp(&[7, 32, 32, 2], Act::Relu, HE), CROSS_ENTROPY)
    }
}
