//! Losses, the last layer before them, and targets that do not suit them.

use super::signals::by_momentum;
use super::tables::{alarms, clicks, hands, heated, houses, soils, stripes, tags, waved, wind};
use super::{ASKED, Case, Kind::*, Seen::*};
use crate::clinic::data::Data;
use crate::clinic::layer::{Act, GLOROT, mlp};
use crate::clinic::loss::{
    CROSS_ENTROPY_BY_POSITIVES, LOGARITHM_OF_COSH, MEAN_SQUARED, OVERSMOOTHED_CROSS_ENTROPY,
    SMOOTHED_CROSS_ENTROPY, SQUARES_OF_THE_FIRST,
};
use crate::clinic::program::Program;

pub(super) const CASES: &[Case] = &[
    ASKED
        .case(
            "smoothing-by-nine-tenths",
            "label smoothing gets the share to keep as the share to give away: the right class is the least likely",
            ValidFails(0.4),
            &[&[OutputMismatch, UnrelatedLabels, Underfitting]],
            &[ScaledLoss, InitialLoss, LrTooLow, TooFewSteps],
            |seed| Program {
                loss: OVERSMOOTHED_CROSS_ENTROPY,
                ..soils(seed)
            },
        )
        .against(|seed| Program {
            loss: SMOOTHED_CROSS_ENTROPY,
            ..soils(seed)
        }),
    ASKED
        .case(
            "divided-by-the-positives",
            "a loss is divided by the number of positive rows in a batch, as a detector's is, and some batches have none",
            NotANumber,
            &[&[NonFinite, ScaledLoss]],
            &[RareClass, ExplodingGradient, LrTooHigh, LogOfZero],
            |seed| Program {
                loss: CROSS_ENTROPY_BY_POSITIVES,
                ..alarms(seed)
            },
        )
        .against(alarms),
    ASKED
        .case(
            "a-cosh-that-overflows",
            "the logarithm of a hyperbolic cosine as it is written, of differences in kilowatt-hours",
            NotANumber,
            &[&[NonFinite, UnscaledTarget]],
            &[InitialLoss, ExplodingGradient, LrTooHigh, LogOfZero],
            |seed| Program {
                data: heated(seed),
                loss: LOGARITHM_OF_COSH,
                ..houses(seed)
            },
        )
        .against(|seed| Program {
            loss: LOGARITHM_OF_COSH,
            ..houses(seed)
        }),
    ASKED
        .case(
            "tags-that-share-one",
            "several tags may be right at once, and a softmax shares a probability of 1 among them",
            Fails(0.55),
            &[&[OutputMismatch]],
            &[Underfitting, LrTooLow, TooFewSteps],
            |seed| tags(seed, Act::Softmax),
        )
        .against(|seed| tags(seed, Act::Sigmoid)),
    ASKED
        .case(
            "clicks-below-zero",
            "counts were standardised before Poisson's loss, which has no lower bound where a count is below 0",
            Fails(0.7),
            &[&[OutputMismatch]],
            &[
                Underfitting,
                LrTooHigh,
                ExplodingGradient,
                LogOfZero,
                VanishingGradient,
                DeadUnits,
                Saturated,
                UnscaledTarget,
            ],
            |seed| {
                let program = clicks(seed);
                Program {
                    data: program.data.standard_targets(),
                    ..program
                }
            },
        )
        .against(clicks),
    ASKED
        .case(
            "north-by-south",
            "the direction of a wind as an angle, which jumps from 180 to -180 degrees",
            ValidFails(0.88),
            &[&[Underfitting, OutputMismatch, UnrelatedLabels]],
            &[Overfitting, TooLittleData, NoisyBatch, TooFewSteps, LrTooLow],
            |seed| wind(seed, true),
        )
        .against(|seed| wind(seed, false)),
    ASKED
        .case(
            "stripes-of-bare-coordinates",
            "the grey of fine stripes from two coordinates, without sines and cosines of them",
            ValidFails(0.6),
            &[&[Underfitting, TooFewSteps, LrTooLow]],
            &[UnscaledInputs, InitScale, UnrelatedLabels],
            |seed| painted(stripes(seed)),
        )
        .against(|seed| painted(waved(stripes(seed)))),
    ASKED
        .case(
            "the-second-coordinate-weighs-nothing",
            "two tasks, one of which weighs two thousand times the other",
            Fails(0.95),
            &[&[ScaledLoss, Underfitting, LrTooLow, TooFewSteps]],
            &[VanishingGradient],
            |seed| Program {
                loss: SQUARES_OF_THE_FIRST,
                ..by_momentum(hands(seed), 0.03)
            },
        )
        .against(|seed| by_momentum(hands(seed), 0.03)),
];

/// A network for a grey.
fn painted(data: Data) -> Program {
    let width = data.width();
    Program {
        rate: 4e-3,
        epochs: 15,
        ..Program::new(
            data,
            mlp(&[width, 48, 48, 1], Act::Relu, GLOROT),
            MEAN_SQUARED,
        )
    }
}
