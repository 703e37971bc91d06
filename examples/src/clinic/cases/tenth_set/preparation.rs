//! What is done to inputs and targets before the training, or is not.

use super::series::{engines, readings};
use super::tables::{bounded_throws, connections, flights, rolled_intrusions};
use super::{ASKED, Case, Kind::*, Seen::*};
use crate::clinic::program::Program;

pub(super) const CASES: &[Case] = &[
    ASKED
        .case(
            "intrusions-with-bytes-as-they-are",
            "bytes by the thousand beside shares from 0 to 1, neither as logarithms nor scaled, by momentum: `accuracy stays \
             at 30 %`",
            ValidFails(0.85),
            &[&[UnscaledInputs]],
            &[
                InitialLoss, LrTooHigh, DeadUnits, ExplodingGradient, Oscillation, Underfitting, NoisyBatch, NonFinite,
                VanishingGradient, ConstantOutput,
            ],
            |seed| Program {
                data: connections(seed),
                ..rolled_intrusions(seed)
            },
        )
        .against(rolled_intrusions),
    ASKED
        .case(
            "engines-with-sensors-as-they-are-read",
            "an LSTM gets turns a minute and degrees as they are: each prediction is the mean",
            Fails(0.4),
            &[&[UnscaledInputs]],
            &[
                Saturated, VanishingGradient, Underfitting, ConstantOutput, DeadUnits, LrTooLow, TooFewSteps, InitialLoss,
            ],
            |seed| Program {
                data: readings(seed),
                ..engines(seed)
            },
        )
        .against(engines),
    ASKED
        .case(
            "a-throw-in-centimetres",
            "targets of thousands of centimetres behind weights for numbers about 1: `my regression always predicts \
             something small`",
            Fails(0.5),
            &[&[UnscaledTarget]],
            &[InitialLoss, LrTooLow, TooFewSteps, Underfitting, ExplodingGradient],
            |seed| Program {
                data: flights(seed)
                    .standard_inputs()
                    .map_targets(|metres| 100.0 * metres),
                ..bounded_throws(seed)
            },
        )
        .against(bounded_throws),
];
