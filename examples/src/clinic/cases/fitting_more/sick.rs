//! Faulty ones.

use super::super::{Case, Kind::*, Seen::*};
use super::FITTED;
use super::data::{convolved, narrowed, remembered, signed, surface, two_waves};
use crate::clinic::data::Dice;
use crate::clinic::program::{Program, Rule};

pub(super) const CASES: &[Case] = &[
    FITTED.case(
        "a-rate-for-epochs-in-steps",
        "the learning rate falls by a twentieth in each step, in place of each epoch",
        Fails(0.85),
        &[&[LrTooLow, TooFewSteps]],
        &[],
        |seed| Program {
            schedule: Some(|step| 0.95f64.powi(step.min(100_000) as i32)),
            ..surface(seed)
        },
    ),
    FITTED.case(
        "a-warm-up-without-an-end",
        "a warm-up of 10,000 steps in a training of 750",
        Fails(0.85),
        &[&[LrTooLow, TooFewSteps]],
        &[],
        |seed| Program {
            warmup: Some(10_000),
            ..two_waves(seed)
        },
    ),
    FITTED.case(
        "one-epoch-of-two-waves",
        "thirty steps",
        Fails(0.85),
        &[&[TooFewSteps, LrTooLow]],
        &[],
        |seed| Program {
            epochs: 1,
            ..two_waves(seed)
        },
    ),
    FITTED.case(
        "a-rate-by-thirty",
        "Adam at a thirtieth of the learning rate",
        Fails(0.85),
        &[&[LrTooLow, TooFewSteps]],
        &[],
        |seed| {
            let program = surface(seed);
            Program {
                rate: program.rate / 30.0,
                ..program
            }
        },
    ),
    FITTED.case(
        "decayed-waves",
        "an L2 penalty of 0.05 on a network that has to be steep",
        Fails(0.8),
        &[&[OverRegularized]],
        &[Underfitting],
        |seed| Program {
            decay: Some(0.05),
            ..two_waves(seed)
        },
    ),
    FITTED.case(
        "a-decayed-memory",
        "an L2 penalty of 0.5 on an LSTM",
        Fails(0.8),
        &[&[OverRegularized]],
        &[Underfitting, ConstantOutput],
        |seed| Program {
            decay: Some(0.5),
            ..remembered(seed, 20)
        },
    ),
    FITTED.case(
        "momentum-of-nearly-one",
        "a momentum of 0.999 at a learning rate for 0.9",
        Fails(0.5),
        &[&[LrTooHigh]],
        &[DeadUnits, Saturated, ConstantOutput, Overfitting],
        |seed| Program {
            rule: Rule::Momentum(0.999),
            rate: 0.02,
            ..surface(seed)
        },
    ),
    FITTED.case(
        "five-targets-of-three-hundred",
        "five targets of 960 were read wrongly",
        ValidFails(0.5),
        &[&[UnscaledTarget]],
        &[LrTooHigh, Overfitting, Saturated, DeadUnits],
        |seed| {
            let mut program = surface(seed);
            for row in 0..5 {
                program.data.train.targets[7 * row][0] = 300.0;
            }
            program
        },
    ),
    FITTED.case(
        "three-broken-sensors",
        "three rows of 10,000 are in the data when it is standardised",
        ValidFails(0.5),
        &[&[UnscaledInputs]],
        &[ScalingDiffers, Underfitting, LrTooLow, TooFewSteps],
        |seed| {
            let mut program = two_waves(seed);
            for row in 3..6 {
                program.data.train.inputs[row].fill(1e4);
            }
            program.data = program.data.standard_inputs();
            program
        },
    ),
    FITTED.case(
        "a-column-in-another-unit",
        "the first of six columns is a ten-thousandth of what it should be",
        Fails(0.85),
        &[&[UnscaledInputs]],
        &[Underfitting, LrTooLow, TooFewSteps],
        |seed| {
            let program = surface(seed);
            let data = program.data.map_inputs(|column, value| match column {
                0 => 1e-4 * value,
                _ => value,
            });
            Program { data, ..program }
        },
    ),
    FITTED.case(
        "targets-one-row-late",
        "each row of a regression has the target of the row before",
        ValidFails(0.3),
        &[&[UnrelatedLabels]],
        &[Overfitting, TooLargeModel, Underfitting],
        |seed| {
            let mut program = surface(seed);
            for rows in program.data.parts() {
                rows.targets.rotate_right(1);
            }
            program
        },
    ),
    FITTED.case(
        "seven-targets-of-ten-exchanged",
        "most targets of the training are those of other rows",
        Fails(0.6),
        &[&[UnrelatedLabels]],
        &[Overfitting, Underfitting],
        |seed| {
            let mut program = two_waves(seed);
            let mut dice = Dice::new(seed + 11);
            let targets = &mut program.data.train.targets;
            for row in 0..targets.len() {
                if dice.below(10) < 7 {
                    targets[row] = targets[dice.below(row + 1)].clone();
                }
            }
            program
        },
    ),
    FITTED.case(
        "twenty-rows-of-a-surface",
        "twenty rows are left",
        ValidFails(0.6),
        &[&[Overfitting, TooLittleData, TooLargeModel]],
        &[],
        |seed| {
            let mut program = surface(seed);
            program.data = program.data.with_train(20);
            Program {
                batch: 5,
                epochs: 200,
                ..program
            }
        },
    ),
    FITTED.case(
        "columns-in-another-order",
        "the validation has its columns the other way round",
        ValidFails(0.5),
        &[&[UnrelatedLabels, ScalingDiffers]],
        &[Overfitting],
        |seed| {
            let mut program = surface(seed);
            let rows = program.data.valid.inputs.iter_mut();
            rows.for_each(|row| row.reverse());
            program
        },
    ),
    FITTED.case(
        "a-small-frozen-memory",
        "an LSTM of four units is frozen, and only its last layer learns",
        Fails(0.9),
        &[&[Frozen]],
        &[Underfitting, LrTooLow, TooFewSteps],
        |seed| Program {
            frozen: &["layers.0"],
            ..remembered(seed, 4)
        },
    ),
    FITTED.case(
        "part-of-a-memory-frozen",
        "two of the four gates of an LSTM are frozen",
        Fails(0.97),
        &[&[Frozen]],
        &[Underfitting, LrTooLow, TooFewSteps],
        |seed| Program {
            frozen: &["forget_gate", "cell_gate"],
            ..remembered(seed, 12)
        },
    ),
    FITTED.case(
        "digits-through-one-number",
        "an autoencoder whose middle is a single number",
        Fails(0.6),
        &[&[Underfitting, DeadUnits]],
        &[TooFewSteps, ConstantOutput],
        |seed| narrowed(seed, 1),
    ),
    FITTED.case(
        "half-an-epoch-of-convolutions",
        "eleven steps of four times as many rows, at a low learning rate",
        Fails(0.8),
        &[&[TooFewSteps, LrTooLow]],
        &[],
        |seed| Program {
            batch: 128,
            epochs: 1,
            rate: 2e-3,
            ..convolved(seed)
        },
    ),
    FITTED.case(
        "a-recurrence-in-slow-motion",
        "plain gradient descent at a learning rate for Adam",
        Fails(0.85),
        &[&[LrTooLow, TooFewSteps]],
        &[],
        |seed| Program {
            rule: Rule::Sgd,
            rate: 3e-3,
            ..signed(seed)
        },
    ),
];
