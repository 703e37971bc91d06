//! Healthy ones.

use super::super::{Case, Seen::*};
use super::FITTED;
use super::data::{convolved, narrowed, remembered, signed, surface, two_waves};
use crate::clinic::data::{Dice, Task, drawn};
use crate::clinic::layer::{Act, GLOROT, HE, dense, mlp};
use crate::clinic::loss::MEAN_SQUARED;
use crate::clinic::program::{Program, Rule};

pub(super) const CASES: &[Case] = &[
    FITTED.case("surface", "ReLU, Adam", Learns(0.8), &[], &[], surface),
    FITTED.case(
        "two-waves",
        "two targets, tanh",
        Learns(0.9),
        &[],
        &[],
        two_waves,
    ),
    FITTED.case(
        "convolved",
        "one convolution",
        Learns(0.85),
        &[],
        &[],
        convolved,
    ),
    FITTED.case(
        "through-twelve-numbers",
        "an autoencoder with a narrow middle",
        Learns(0.6),
        &[],
        &[],
        |seed| narrowed(seed, 12),
    ),
    FITTED.case(
        "remembered",
        "an LSTM of twenty units",
        Learns(0.9),
        &[],
        &[],
        |seed| remembered(seed, 20),
    ),
    FITTED.case(
        "signed",
        "a plain recurrent layer",
        Learns(0.8),
        &[],
        &[],
        signed,
    ),
    FITTED.case(
        "a-cosine-over-two-waves",
        "the learning rate goes to zero over the training",
        Learns(0.85),
        &[],
        &[],
        |seed| Program {
            schedule: Some(|step| 0.5 + 0.5 * (std::f64::consts::PI * step as f64 / 750.0).cos()),
            ..two_waves(seed)
        },
    ),
    FITTED.case(
        "decayed-a-little",
        "an L2 penalty under which the weights shrink, and which does no harm to a line with noise",
        Learns(0.45),
        &[],
        &[],
        |seed| Program {
            rate: 5e-3,
            decay: Some(3e-2),
            ..Program::new(
                drawn(seed, 1500, 8, Task::Numbers, |x, dice| {
                    0.8 * x[0] - 0.6 * x[1] + 0.7 * dice.normal()
                }),
                mlp(&[8, 32, 1], Act::Relu, HE),
                MEAN_SQUARED,
            )
        },
    ),
    FITTED.case(
        "heavy-tails",
        "inputs that are logarithmically normal, as incomes are",
        Learns(0.8),
        &[],
        &[],
        |seed| {
            let mut program = surface(seed);
            for value in program
                .data
                .parts()
                .into_iter()
                .flat_map(|rows| &mut rows.inputs)
                .flatten()
            {
                *value = (0.8 * *value).exp();
            }
            program.data = program.data.standard_inputs();
            program
        },
    ),
    FITTED.case(
        "sixty-rows-of-a-line",
        "few rows, and enough for a line",
        Learns(0.85),
        &[],
        &[],
        |seed| Program {
            rate: 2e-2,
            batch: 10,
            epochs: 40,
            ..Program::new(
                drawn(seed, 75, 3, Task::Numbers, |x, dice| {
                    x[0] - 0.5 * x[1] + 0.2 * dice.normal()
                }),
                vec![dense(3, 1, GLOROT)],
                MEAN_SQUARED,
            )
        },
    ),
    FITTED.case(
        "noise-against-overfitting",
        "noise of a quarter on the inputs of the training",
        Learns(0.75),
        &[],
        &[],
        |seed| {
            let mut program = surface(seed);
            let mut dice = Dice::new(seed + 12);
            for value in program.data.train.inputs.iter_mut().flatten() {
                *value += 0.25 * dice.normal();
            }
            program
        },
    ),
    FITTED.case(
        "a-plateau-of-noise",
        "two targets of which half of the variance is noise, by momentum",
        Learns(0.35),
        &[],
        &[],
        |seed| {
            let mut program = two_waves(seed);
            let mut dice = Dice::new(seed + 13);
            for rows in program.data.parts() {
                for target in rows.targets.iter_mut().flatten() {
                    *target += 0.7 * dice.normal();
                }
            }
            Program {
                layers: mlp(&[3, 16, 2], Act::Tanh, GLOROT),
                rule: Rule::Momentum(0.9),
                rate: 0.05,
                epochs: 20,
                ..program
            }
        },
    ),
];
