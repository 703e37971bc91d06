//! Healthy ones.

use super::super::{Case, Seen::*};
use super::SOUND;
use super::data::{arm, bars, friedman, spirals, tails, tones};
use crate::clinic::data::Dice;
use crate::clinic::layer::{
    Act, GLOROT, HE, Layer, batch_normed, behind_each_act, ending_in, mlp, normed,
};
use crate::clinic::loss::HALVED_SQUARES;
use crate::clinic::program::{Program, Rule};

pub(super) const CASES: &[Case] = &[
    SOUND.case(
        "three-arms",
        "spirals, tanh, Adam",
        Learns(0.9),
        &[],
        &[],
        spirals,
    ),
    SOUND.case(
        "bars",
        "one convolution, two dense layers",
        Learns(0.85),
        &[],
        &[],
        bars,
    ),
    SOUND.case(
        "normed-tones",
        "batch norm, momentum, a cosine of the learning rate",
        Learns(0.9),
        &[],
        &[],
        |seed| Program {
            layers: batch_normed(mlp(&[24, 56, 56, 3], Act::Relu, HE)),
            rule: Rule::Momentum(0.9),
            rate: 0.03,
            schedule: Some(|step| 0.5 + 0.5 * (std::f64::consts::PI * step as f64 / 720.0).cos()),
            ..tones(seed)
        },
    ),
    SOUND.case(
        "friedman-by-rms-prop",
        "ten numbers of which five matter, layer norm",
        Learns(0.85),
        &[],
        &[],
        |seed| Program {
            layers: normed(mlp(&[10, 44, 44, 1], Act::Relu, HE), Layer::LayerNorm),
            rule: Rule::RmsProp,
            rate: 2e-3,
            ..friedman(seed)
        },
    ),
    SOUND.case(
        "an-arm-by-half-squares",
        "two outputs, half of the mean of the squares, momentum",
        Learns(0.9),
        &[],
        &[],
        |seed| Program {
            loss: HALVED_SQUARES,
            rule: Rule::Momentum(0.9),
            rate: 0.1,
            ..arm(seed)
        },
    ),
    SOUND.case(
        "tails",
        "an LSTM and two classes, clipped",
        Learns(0.85),
        &[],
        &[],
        |seed| Program {
            clips: Some(1.0),
            ..tails(seed)
        },
    ),
    SOUND.case(
        "dropped-bars",
        "dropout of 0.3, an L2 penalty, a warm-up",
        Learns(0.8),
        &[],
        &[],
        |seed| {
            let program = bars(seed);
            let layers = behind_each_act(mlp(&[36, 80, 80, 4], Act::Elu, GLOROT), || {
                Layer::Dropout(0.3)
            });
            Program {
                layers,
                decay: Some(5e-4),
                warmup: Some(50),
                epochs: 25,
                ..program
            }
        },
    ),
    SOUND.case(
        "a-softplus-for-distances",
        "targets that are never negative, and a softplus that fits them",
        Learns(0.85),
        &[],
        &[],
        |seed| {
            let mut program = arm(seed);
            for rows in program.data.parts() {
                let distance = |hand: &Vec<f32>| vec![hand[0].hypot(hand[1])];
                rows.targets = rows.targets.iter().map(distance).collect();
            }
            Program {
                layers: ending_in(mlp(&[2, 36, 36, 1], Act::Tanh, GLOROT), Act::Softplus),
                ..program
            }
        },
    ),
    SOUND.case(
        "friedman-with-noise",
        "a third of the variance of the target is noise",
        Learns(0.45),
        &[],
        &[],
        |seed| {
            let mut program = friedman(seed);
            let mut dice = Dice::new(seed + 4201);
            for rows in program.data.parts() {
                for target in rows.targets.iter_mut().flatten() {
                    *target += 0.7 * dice.normal();
                }
            }
            Program {
                layers: mlp(&[10, 20, 1], Act::Tanh, GLOROT),
                epochs: 15,
                ..program
            }
        },
    ),
];
