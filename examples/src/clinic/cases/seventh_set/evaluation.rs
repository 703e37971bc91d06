//! Programs that validate something else than what they have trained.

use super::signals::leaves;
use super::tables::soils;
use super::{ASKED, Case, Kind::*, Seen::*};
use crate::clinic::program::{Program, Validation};

pub(super) const CASES: &[Case] = &[
    ASKED
        .case(
            "a-head-that-is-not-in-the-file",
            "the names in a checkpoint differ for the last layer, nobody asks for strict loading, and a new head is validated",
            ValidFails(0.8),
            &[&[StaleValidation]],
            &[Overfitting, UnrelatedLabels, ScalingDiffers],
            |seed| Program {
                validation: Validation::NewHead,
                ..soils(seed)
            },
        )
        .against(soils),
    ASKED
        .case(
            "an-average-for-a-million-steps",
            "a moving average of the weights with a decay of 0.9999, and two hundred and fifty steps",
            ValidFails(0.6),
            &[&[AverageNeverStarted, StaleValidation]],
            &[Overfitting],
            |seed| Program {
                ema: Some(0.9999),
                ..leaves(seed)
            },
        )
        .against(|seed| Program {
            ema: Some(0.95),
            ..leaves(seed)
        }),
];
