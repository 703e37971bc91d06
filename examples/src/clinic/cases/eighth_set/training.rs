//! Learning rates, optimizers, batches, numbers of epochs, and loops.

use super::sources::{boxes, cars, cells, churn, garage, genres, passengers, sleep, spam, tickets};
use super::{ASKED, BENCHED, Case, Kind::*, POSTED, Seen::*};
use crate::clinic::layer::{Act, HE, Layer, mlp};
use crate::clinic::program::{Program, Rule, Validation};

pub(super) const CASES: &[Case] = &[
    POSTED
        .case(
            "sleep-at-a-rate-of-one",
            "of ten networks of a search the two with the highest learning rate learn nothing: an issue of a library \
             for series",
            Fails(0.7),
            &[&[LrTooHigh]],
            &[DeadUnits, ExplodingGradient, Oscillation, ConstantOutput, Underfitting, NoisyBatch, VanishingGradient],
            |seed| Program {
                rate: 1.0,
                ..sleep(seed)
            },
        )
        .against(sleep),
    BENCHED
        .case(
            "cars-gone-to-infinity",
            "gradient descent at a rate of 0.6 and a squared error: `loss: nan` in the second epoch",
            NotANumber,
            &[&[LrTooHigh, ExplodingGradient]],
            &[NonFinite, Oscillation],
            |seed| Program {
                rule: Rule::Sgd,
                rate: 0.6,
                ..cars(seed)
            },
        )
        .against(|seed| Program {
            rule: Rule::Sgd,
            rate: 0.02,
            epochs: 40,
            ..cars(seed)
        }),
    POSTED
        .case(
            "each-box-in-the-middle",
            "a convolutional network should say where a box is, and says the middle: Adam at a rate that is too high \
             for it",
            Fails(0.6),
            &[&[LrTooHigh]],
            &[DeadUnits, ExplodingGradient, Oscillation, ConstantOutput, Underfitting, NoisyBatch, VanishingGradient],
            |seed| Program {
                rate: 0.3,
                ..boxes(seed)
            },
        )
        .against(boxes),
    BENCHED
        .case(
            "genres-at-a-hundred-thousandth",
            "Adam at 1e-5, a rate for fine-tuning, in a network that begins at nothing",
            Fails(0.4),
            &[&[LrTooLow, TooFewSteps]],
            &[Underfitting],
            |seed| Program {
                rate: 1e-5,
                ..genres(seed, 32)
            },
        )
        .against(|seed| genres(seed, 32)),
    BENCHED
        .case(
            "tickets-by-plain-descent",
            "a wrong optimizer: SGD at its default of 0.01 for embeddings, where Adam is wanted",
            Fails(0.6),
            &[&[LrTooLow, TooFewSteps]],
            &[Underfitting, VanishingGradient],
            |seed| Program {
                rule: Rule::Sgd,
                rate: 0.01,
                ..tickets(seed)
            },
        )
        .against(tickets),
    BENCHED
        .case(
            "cells-for-an-epoch",
            "the number of epochs of a tutorial on sixty thousand images, for a thousand",
            Fails(0.7),
            &[&[TooFewSteps, LrTooLow]],
            &[Underfitting],
            |seed| Program {
                epochs: 1,
                rate: 1e-3,
                ..cells(seed)
            },
        )
        .against(|seed| Program {
            epochs: 25,
            rate: 1e-3,
            ..cells(seed)
        }),
    BENCHED
        .case(
            "a-batch-of-850-customers",
            "a batch as large as memory allows: twenty steps in ten epochs",
            ValidFails(0.84),
            &[&[TooFewSteps, LrTooLow]],
            &[Underfitting],
            |seed| Program {
                batch: 850,
                rate: 1e-3,
                ..churn(seed)
            },
        )
        .against(|seed| Program {
            rate: 1e-3,
            ..churn(seed)
        }),
    BENCHED
        .case(
            "two-mails-at-a-time",
            "batches of two with momentum at a rate for batches of sixty-four: the accuracy jumps",
            ValidFails(0.88),
            &[&[NoisyBatch, Oscillation, LrTooHigh]],
            &[DeadUnits, Underfitting, Saturated, ExplodingGradient, VanishingGradient],
            |seed| Program {
                batch: 2,
                ..stirred(seed)
            },
        )
        .against(|seed| Program {
            batch: 64,
            ..stirred(seed)
        }),
    ASKED
        .case(
            "passengers-without-zero-grad",
            "a loop that never clears the gradients: the first thing that answers in a forum ask about",
            Fails(0.7),
            &[&[AccumulatedGradients]],
            &[LrTooHigh, Oscillation, ExplodingGradient, Saturated, Underfitting, NoisyBatch],
            |seed| Program {
                clears: false,
                ..gated(seed)
            },
        )
        .against(gated),
    POSTED
        .case(
            "cells-without-eval",
            "validated one by one with dropout and batch norm as in training: `good training accuracy, bad test accuracy, \
             I forgot eval()`",
            ValidFails(0.8),
            &[&[WrongMode, SingleSampleNorm]],
            &[DropoutTooHigh, Overfitting, NoisyBatch, NormStatistics],
            |seed| Program {
                validation: Validation::OneByOneInTraining(60),
                ..dropped(seed)
            },
        )
        .against(dropped),
    ASKED
        .case(
            "the-cost-of-the-fuel",
            "a column of the table is the cost of a hundred miles, and nobody knows it before the car has run",
            Learns(0.985),
            &[&[LeakingInput]],
            &[],
            |seed| {
                let mut data = garage(seed);
                for rows in data.parts() {
                    for (row, target) in rows.inputs.iter_mut().zip(&rows.targets) {
                        row.push(2.9 * target[0]);
                    }
                }
                Program {
                    data: data.standard_inputs().standard_targets(),
                    layers: mlp(&[6, 32, 16, 1], Act::Relu, HE),
                    ..cars(seed)
                }
            },
        )
        .against(cars),
    ASKED
        .case(
            "cells-folder-by-folder",
            "images are read folder by folder, a class each, and `shuffle=False`",
            ValidFails(0.8),
            &[&[SortedData]],
            &[Oscillation, LrTooHigh, NoisyBatch, Underfitting],
            |seed| {
                let mut program = cells(seed);
                let rows = &program.data.train;
                let mut order: Vec<usize> = (0..rows.len()).collect();
                order.sort_by(|a, b| rows.targets[*a][0].total_cmp(&rows.targets[*b][0]));
                program.data.train = rows.at(&order);
                Program {
                    shuffles: false,
                    ..program
                }
            },
        )
        .against(cells),
];

/// The mails by momentum.
fn stirred(seed: u64) -> Program {
    Program {
        rule: Rule::Momentum(0.9),
        rate: 0.1,
        ..spam(seed)
    }
}

/// The passengers in a GRU.
fn gated(seed: u64) -> Program {
    passengers(seed, Layer::Gru { hidden: 12 }, 12)
}

/// The cells with dropout and a batch norm.
fn dropped(seed: u64) -> Program {
    let mut program = Program {
        epochs: 6,
        ..cells(seed)
    };
    let last = program.layers.pop().expect("a last layer");
    program.layers.push(Layer::BatchNorm(192));
    program.layers.push(Layer::Dropout(0.4));
    program.layers.push(last);
    program
}
