//! Layers, their initial weights, norms and dropout.

use super::super::bases::made;
use super::data::{drying, plots};
use super::signals::{attention, glyphs, order, pool, recurrent};
use super::{ASKED, COUNTED, Case, Kind::*, Seen::*};
use crate::clinic::data::{Dice, Task, digits};
use crate::clinic::layer::{
    Act, GLOROT, HE, Layer, batch_normed, behind_each_act, dense, mlp, normed,
};
use crate::clinic::loss::{CROSS_ENTROPY, MEAN_SQUARED};
use crate::clinic::program::{Program, Rule};
use burn::module::Initializer;

/// Uniform in [0, 1), as a generator without arguments gives it.
const RAND: Initializer = Initializer::Uniform { min: 0.0, max: 1.0 };

pub(super) const CASES: &[Case] = &[
    ASKED
        .case(
            "weights-by-rand",
            "weights uniform in [0, 1)",
            Fails(0.8),
            &[&[InitScale, InitialLoss]],
            &[
                DeadUnits,
                ExplodingGradient,
                LrTooHigh,
                VanishingGradient,
                Oscillation,
            ],
            |seed| digits_by(seed, mlp(&[64, 48, 48, 48, 10], Act::Relu, RAND)),
        )
        .against(|seed| digits_by(seed, mlp(&[64, 48, 48, 48, 10], Act::Relu, HE))),
    COUNTED
        .case(
            "one-filter-ten-times",
            "wrong initial weights: every weight of both convolutions is 0.1",
            Fails(0.8),
            &[&[ConstantInit]],
            &[Underfitting, TooFewSteps, LrTooLow, InitScale],
            |seed| {
                let mut program = glyphs(seed);
                for layer in &mut program.layers {
                    if let Layer::Conv { weight, .. } = layer {
                        *weight = Initializer::Constant { value: 0.1 };
                    }
                }
                program
            },
        )
        .against(glyphs),
    COUNTED
        .case(
            "sigmoids-between-convolutions",
            "a wrong activation: sigmoids behind five convolutions",
            Fails(0.7),
            &[&[VanishingGradient]],
            &[Saturated, TooFewSteps, LrTooLow, Underfitting],
            |seed| deep_glyphs(seed, Act::Sigmoid, GLOROT),
        )
        .against(|seed| deep_glyphs(seed, Act::Relu, HE)),
    COUNTED
        .case(
            "pooled-to-a-pixel",
            "a wrong order of layers: all pools come first, and one pixel is left",
            Fails(0.6),
            &[&[Underfitting]],
            &[LinearNetwork, TooFewSteps, LrTooLow, UnrelatedLabels],
            |seed| Program {
                layers: vec![
                    pool(1, 8),
                    pool(1, 4),
                    pool(1, 2),
                    dense(1, 32, HE),
                    Layer::Act(Act::Relu),
                    dense(32, 5, GLOROT),
                ],
                ..glyphs(seed)
            },
        )
        .against(glyphs),
    ASKED
        .case(
            "no-positions",
            "a transformer is to tell which symbol comes first, and does not see where they are",
            Fails(0.8),
            &[&[Underfitting]],
            &[UnrelatedLabels, TooFewSteps, LrTooLow],
            |seed| Program {
                layers: attention(false),
                ..order(seed)
            },
        )
        .against(order),
    COUNTED
        .case(
            "a-sigmoid-through-time",
            "a wrong activation: a recurrent sigmoid is to carry four numbers over twenty steps",
            Fails(0.6),
            &[&[VanishingGradient]],
            &[Underfitting, TooFewSteps, LrTooLow, Saturated],
            |seed| {
                early(
                    seed,
                    vec![
                        Layer::Recurrent {
                            hidden: 16,
                            act: Act::Sigmoid,
                            recurrent: GLOROT,
                        },
                        dense(16, 1, GLOROT),
                    ],
                )
            },
        )
        .against(|seed| early(seed, recurrent(Act::Tanh))),
    ASKED
        .case(
            "kept-instead-of-dropped",
            "0.85 was the share to keep, and is the share that is dropped",
            Fails(0.9),
            &[&[DropoutTooHigh]],
            &[Underfitting, TooFewSteps, LrTooLow, NoisyBatch],
            |seed| drying_with(seed, 0.85),
        )
        .against(|seed| drying_with(seed, 0.02)),
    ASKED
        .case(
            "the-momentum-of-another-framework",
            "batch norm: 0.99 is the share of the past elsewhere, and that of a batch here",
            ValidFails(0.8),
            &[&[NormStatistics, NoisyBatch, Oscillation]],
            &[Overfitting, LrTooHigh, SingleSampleNorm],
            |seed| Program {
                layers: normed(mlp(&[6, 48, 48, 4], Act::Relu, HE), |width| {
                    Layer::SlowBatchNorm {
                        width,
                        momentum: 0.99,
                    }
                }),
                rate: 2e-3,
                batch: 6,
                epochs: 10,
                ..plots(seed)
            },
        )
        .against(|seed| Program {
            layers: batch_normed(mlp(&[6, 48, 48, 4], Act::Relu, HE)),
            rate: 2e-3,
            batch: 6,
            epochs: 10,
            ..plots(seed)
        }),
];

fn digits_by(seed: u64, layers: Vec<Layer>) -> Program {
    Program {
        rule: Rule::Momentum(0.9),
        rate: 0.02,
        epochs: 8,
        ..Program::new(digits(seed), layers, CROSS_ENTROPY)
    }
}

/// Five convolutions, and two pools between them.
fn deep_glyphs(seed: u64, act: Act, weight: Initializer) -> Program {
    let another = |inputs: usize, side: usize| Layer::Conv {
        channels: [inputs, 8],
        side,
        weight: weight.clone(),
    };
    let mut layers = Vec::new();
    for (inputs, side) in [(1, 8), (8, 8), (8, 4), (8, 4), (8, 2)] {
        layers.extend([another(inputs, side), Layer::Act(act)]);
        if layers.len() == 4 || layers.len() == 9 {
            layers.push(pool(8, side));
        }
    }
    layers.push(dense(32, 5, GLOROT));
    Program {
        layers,
        rate: 3e-3,
        ..glyphs(seed)
    }
}

/// The sum of the first four of twenty numbers.
fn early(seed: u64, layers: Vec<Layer>) -> Program {
    let mut dice = Dice::new(seed + 5041);
    let data = made(1000, 800, Task::Numbers, || {
        let row: Vec<f32> = (0..20)
            .map(|at| {
                if at < 4 {
                    dice.normal()
                } else {
                    0.3 * dice.normal()
                }
            })
            .collect();
        let sum = row[..4].iter().sum::<f32>() / 2.0;
        (row, vec![sum])
    });
    Program {
        rate: 5e-3,
        epochs: 25,
        clips: Some(1.0),
        ..Program::new(data, layers, MEAN_SQUARED)
    }
}

fn drying_with(seed: u64, share: f64) -> Program {
    let layers = mlp(&[3, 32, 32, 1], Act::Elu, GLOROT);
    Program {
        layers: behind_each_act(layers, || Layer::Dropout(share)),
        ..drying(seed, [0.0, 1.0], [0.0, 1.0])
    }
}
