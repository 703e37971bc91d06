//! Learning rates, numbers of epochs, and loops.

use super::pictures::{dropped_turns, lesions};
use super::series::district;
use super::tables::{descended_hulls, wheel};
use super::words::films;
use super::{ASKED, Case, Kind::*, Seen::*};
use crate::clinic::program::{Program, Rule, Validation};

pub(super) const CASES: &[Case] = &[
    ASKED
        .case(
            "a-wheel-at-a-half",
            "a policy by Adam at a rate of 0.5: its tanh units stand at their ends, and `the agent turns to one side,              whatever it sees`",
            Fails(0.85),
            &[&[LrTooHigh]],
            &[
                Saturated, ExplodingGradient, Oscillation, ConstantOutput, Underfitting, NoisyBatch, VanishingGradient,
                DeadUnits,
            ],
            |seed| Program {
                rate: 0.5,
                ..wheel(seed)
            },
        )
        .against(wheel),
    ASKED
        .case(
            "hulls-by-descent-at-one",
            "gradient descent at a rate of 1 for a regression: the loss grows without end, or all units die",
            Fails(0.5),
            &[&[LrTooHigh, ExplodingGradient]],
            &[NonFinite, Oscillation, DeadUnits, ConstantOutput, Underfitting, NoisyBatch, VanishingGradient],
            |seed| Program {
                rate: 1.0,
                ..descended_hulls(seed)
            },
        )
        .against(descended_hulls),
    ASKED
        .case(
            "lesions-by-descent-at-a-thousandth",
            "plain gradient descent at a rate for Adam: after all epochs hardly a pixel is told",
            Fails(0.4),
            &[&[LrTooLow, TooFewSteps]],
            &[Underfitting],
            |seed| Program {
                rule: Rule::Sgd,
                rate: 1e-3,
                ..lesions(seed)
            },
        )
        .against(lesions),
    ASKED
        .case(
            "films-for-an-epoch",
            "vectors of people and of films are trained for one epoch, in which each of them has moved a few times",
            Fails(0.4),
            &[&[TooFewSteps, LrTooLow]],
            &[Underfitting],
            |seed| Program {
                epochs: 1,
                ..films(seed)
            },
        )
        .against(films),
    ASKED
        .case(
            "heat-without-zero-grad",
            "nobody clears the gradients of a linear forecast: the loss swings and grows",
            Fails(0.5),
            &[&[AccumulatedGradients]],
            &[LrTooHigh, Oscillation, ExplodingGradient, Underfitting, NoisyBatch, DeadUnits],
            |seed| Program {
                clears: false,
                ..district(seed)
            },
        )
        .against(district),
    ASKED
        .case(
            "turns-one-by-one-without-eval",
            "an application shows the network one picture at a time, in the mode of the training: `each image gets the same \
             class`",
            ValidFails(0.8),
            &[&[WrongMode, SingleSampleNorm]],
            &[DropoutTooHigh, Overfitting, NoisyBatch, NormStatistics],
            |seed| Program {
                validation: Validation::OneByOneInTraining(60),
                ..dropped_turns(seed)
            },
        )
        .against(dropped_turns),
];
