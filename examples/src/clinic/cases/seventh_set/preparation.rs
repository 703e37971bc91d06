//! What is done to inputs before the training, or is not.

use super::tables::{baskets, films};
use super::{ASKED, Case, Kind::*, Seen::*};
use crate::clinic::program::Program;

pub(super) const CASES: &[Case] = &[
    ASKED
        .case(
            "all-of-it-masked",
            "a softmax over what is not masked, and of one basket in fifty all is",
            NotANumber,
            &[&[NonFinite]],
            &[LogOfZero, ExplodingGradient, NonFiniteData],
            |seed| baskets(seed, true),
        )
        .against(|seed| baskets(seed, false)),
    ASKED
        .case(
            "a-hundred-names-in-eight-buckets",
            "people and films are hashed into four buckets each",
            ValidFails(0.4),
            &[&[Underfitting, UnrelatedLabels]],
            &[TooFewSteps, LrTooLow, NoisyBatch, ConstantInputs],
            |seed| {
                let program = films(seed);
                let data = program.data.map_inputs(|column, number| {
                    50.0 * column as f32 + (number * 7.0).rem_euclid(4.0)
                });
                Program { data, ..program }
            },
        )
        .against(films),
    ASKED
        .case(
            "a-vocabulary-of-its-own",
            "the films are numbered anew for the validation",
            ValidFails(0.4),
            &[&[UnrelatedLabels, ScalingDiffers]],
            &[Overfitting, TooLargeModel, TooLittleData],
            |seed| {
                let mut program = films(seed);
                for row in &mut program.data.valid.inputs {
                    row[1] = 50.0 + (7.0 * row[1] + 3.0).rem_euclid(50.0);
                }
                program
            },
        )
        .against(films),
];
