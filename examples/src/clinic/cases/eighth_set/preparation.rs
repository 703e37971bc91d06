//! What is done to inputs and targets before the training, or is not.

use super::super::bases::made;
use super::sources::{cars, cells, churn, colony, customers, garage, park, penguins, turbine};
use super::{ASKED, Case, Kind::*, POSTED, Seen::*};
use crate::clinic::data::{Dice, Task};
use crate::clinic::layer::{Act, GLOROT, HE, mlp};
use crate::clinic::loss::{CROSS_ENTROPY, MEAN_SQUARED};
use crate::clinic::program::{Program, Rule};

pub(super) const CASES: &[Case] = &[
    POSTED
        .case(
            "churn-with-the-total-in-dollars",
            "a table of customers as it is in the file, with dollars in all up to 8,000 beside a contract of 0, 1 or 2: \
             the forum's `accuracy stays at the share of the larger class`",
            ValidFails(0.84),
            &[&[UnscaledInputs]],
            &[Saturated, Underfitting, InitialLoss, DeadUnits, LrTooHigh, Oscillation, ExplodingGradient, NoisyBatch, VanishingGradient, TooFewSteps, LrTooLow],
            |seed| Program {
                data: customers(seed),
                ..churn(seed)
            },
        )
        .against(churn),
    POSTED
        .case(
            "cells-from-0-to-255",
            "images are not divided by 255, and the loss of a convolutional network jumps: the most frequent answer to \
             questions about a first convolutional network",
            ValidFails(0.75),
            &[&[UnscaledInputs]],
            &[InitialLoss, LrTooHigh, DeadUnits, ExplodingGradient, Oscillation, Underfitting, NoisyBatch, NonFinite, VanishingGradient],
            |seed| {
                let program = by_momentum(seed);
                let data = program.data.map_inputs(|_, pixel| (255.0 * pixel).round());
                Program { data, ..program }
            },
        )
        .against(by_momentum),
    PENGUINS_IN_GRAMS,
    POSTED
        .case(
            "targets-about-minus-2700",
            "targets of -2,700, give or take 60, two layers of ten tanh units, and each prediction is one number: a \
             question in PyTorch's forum about the scale of targets",
            Fails(0.5),
            &[&[UnscaledTarget]],
            &[InitialLoss, LrTooLow, TooFewSteps, Underfitting, Saturated, ExplodingGradient, VanishingGradient],
            |seed| below(seed, [-2700.0, 60.0]),
        )
        .against(|seed| below(seed, [0.0, 1.0])),
    ASKED
        .case(
            "a-turbine-in-kilowatts",
            "a power from 0 to 2,000 as it is, and a mean squared error that falls by little in each epoch: `loss very \
             high in a regression`",
            Fails(0.85),
            &[&[UnscaledTarget, LrTooLow, TooFewSteps]],
            &[InitialLoss, Underfitting, ExplodingGradient],
            |seed| Program {
                data: park(seed).standard_inputs(),
                ..slow_turbine(seed)
            },
        )
        .against(slow_turbine),
    POSTED
        .case(
            "two-image-generators",
            "the generator of the training images rescales, and that of the validation does not: an issue about a \
             validation accuracy at chance",
            ValidFails(0.75),
            &[&[ScalingDiffers]],
            &[Overfitting],
            |seed| {
                let mut program = cells(seed);
                let pixels = program.data.valid.inputs.iter_mut().flatten();
                pixels.for_each(|pixel| *pixel *= 255.0);
                program
            },
        )
        .against(cells),
    ASKED
        .case(
            "a-question-mark-for-horsepower",
            "six rows of a table of cars have a question mark for a number, which was read as NaN: `loss is nan from the \
             first epoch`",
            NotANumber,
            &[&[NonFiniteData]],
            &[NonFinite],
            |seed| {
                let mut program = cars(seed);
                for row in [32, 126, 330, 336, 354, 374] {
                    program.data.train.inputs[row][1] = f32::NAN;
                }
                program
            },
        )
        .against(cars),
    ASKED
        .case(
            "twenty-towns-by-a-label-encoder",
            "a column of twenty towns is numbered and not one-hot: `how to feed categorical data into a network`",
            Fails(0.7),
            &[&[UnscaledInputs, Underfitting]],
            &[TooFewSteps, LrTooLow, InitialLoss, OverRegularized],
            |seed| rents(seed, false),
        )
        .against(|seed| rents(seed, true)),
];

const PENGUINS_IN_GRAMS: Case = ASKED
    .case(
        "penguins-in-grams",
        "millimetres from 15 to 220, grams from 3,000 to 6,000, stochastic gradient descent, a loss of ln(3): `my first \
         network on a table predicts one class`",
        Fails(0.8),
        &[&[UnscaledInputs]],
        &[InitialLoss, LrTooHigh, DeadUnits, ExplodingGradient, Oscillation, Underfitting, NoisyBatch, NonFinite, VanishingGradient, Saturated],
        |seed| Program {
            data: colony(seed),
            ..descended(seed)
        },
    )
    .against(descended);

/// The penguins by gradient descent.
fn descended(seed: u64) -> Program {
    Program {
        rule: Rule::Sgd,
        rate: 0.05,
        ..penguins(seed)
    }
}

/// The turbine at a lower rate, and half as long.
fn slow_turbine(seed: u64) -> Program {
    Program {
        rate: 2e-3,
        epochs: 15,
        ..turbine(seed)
    }
}

/// The cells by momentum.
fn by_momentum(seed: u64) -> Program {
    Program {
        rule: Rule::Momentum(0.9),
        rate: 0.02,
        ..cells(seed)
    }
}

/// Miles of cars, of this mean and deviation.
fn below(seed: u64, [mean, deviation]: [f32; 2]) -> Program {
    let data = garage(seed).standard_inputs().standard_targets();
    Program {
        rate: 5e-3,
        epochs: 30,
        ..Program::new(
            data.map_targets(|value| mean + deviation * value),
            mlp(&[5, 10, 10, 1], Act::Tanh, GLOROT),
            MEAN_SQUARED,
        )
    }
}

/// Whether a rent is high, of the town, the size and the age of a flat.
fn rents(seed: u64, one_hot: bool) -> Program {
    const DEAR: [f32; 20] = [
        1.4, -1.0, 0.9, -1.5, 1.2, -0.4, -1.3, 1.6, -0.9, 1.1, -1.4, 0.8, 1.3, -1.2, 1.5, -1.1,
        -0.7, 1.0, -1.6, 0.7,
    ];
    let mut dice = Dice::new(seed + 8020);
    let data = made(1800, 1400, Task::Classes(2), || {
        let town = dice.below(20);
        let (size, age) = (dice.normal(), dice.normal());
        let rent = DEAR[town] + 0.5 * size - 0.4 * age + 0.2 * dice.normal();
        let mut row = vec![size, age];
        if one_hot {
            row.extend((0..20).map(|other| f32::from(u8::from(other == town))));
        } else {
            row.push(town as f32);
        }
        (row, vec![f32::from(u8::from(rent > 0.0))])
    });
    let width = data.width();
    Program {
        rate: 3e-3,
        epochs: 12,
        ..Program::new(data, mlp(&[width, 24, 2], Act::Relu, HE), CROSS_ENTROPY)
    }
}
