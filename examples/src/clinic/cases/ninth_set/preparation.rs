//! What is done to inputs and targets before the training, or is not.

use super::signals::{batteries, charged};
use super::tables::{census, crabs, descended_incomes, flats, market};
use super::{ASKED, Case, Kind::*, Seen::*};
use crate::clinic::data::{Data, Rows};
use crate::clinic::loss::MEAN_SQUARED;
use crate::clinic::program::Program;

pub(super) const CASES: &[Case] = &[
    ASKED
        .case(
            "a-census-as-it-is-in-the-file",
            "ages, hours and dollars of up to 99,999 go into a network as they are, by momentum: `my network says the \
             larger class for everybody`",
            ValidFails(0.86),
            &[&[UnscaledInputs]],
            &[InitialLoss, LrTooHigh, DeadUnits, ExplodingGradient, Oscillation, Underfitting, NoisyBatch, NonFinite, VanishingGradient, Saturated],
            |seed| Program {
                data: census(seed),
                ..descended_incomes(seed)
            },
        )
        .against(descended_incomes),
    ASKED
        .case(
            "batteries-in-millivolts",
            "an LSTM gets millivolts and milliamperes, and its gates stand at their ends: `LSTM predicts a constant`",
            Fails(0.6),
            &[&[UnscaledInputs]],
            &[Saturated, VanishingGradient, Underfitting, ConstantOutput, DeadUnits, LrTooLow, TooFewSteps],
            |seed| Program {
                data: batteries(seed).standard_targets(),
                ..charged(seed)
            },
        )
        .against(charged),
    ASKED
        .case(
            "flats-in-euros",
            "prices of hundreds of thousands as they are, a squared error, and a loss of twelve digits that hardly falls",
            Fails(0.5),
            &[&[UnscaledTarget]],
            &[InitialLoss, LrTooLow, TooFewSteps, Underfitting, ExplodingGradient],
            |seed| {
                let program = valued(seed);
                let targets = market(seed);
                Program {
                    data: Data {
                        task: targets.task,
                        train: with_targets(&program.data.train, &targets.train),
                        valid: with_targets(&program.data.valid, &targets.valid),
                    },
                    ..program
                }
            },
        )
        .against(valued),
    ASKED
        .case(
            "crabs-standardised-twice",
            "the rows of the validation go through the scaler twice, and those of the training once: `good loss, bad \
             validation loss from the first epoch`",
            ValidFails(0.3),
            &[&[ScalingDiffers]],
            &[Overfitting],
            |seed| {
                let mut program = crabs(seed);
                // Means and deviations of lengths and weights, as the first pass has found them.
                const MOMENTS: [[f32; 2]; 6] = [
                    [0.54, 0.09],
                    [0.43, 0.08],
                    [0.15, 0.03],
                    [0.62, 0.26],
                    [0.27, 0.12],
                    [0.18, 0.09],
                ];
                for row in &mut program.data.valid.inputs {
                    for (value, [mean, deviation]) in row.iter_mut().zip(MOMENTS) {
                        *value = (*value - mean) / deviation;
                    }
                }
                program
            },
        )
        .against(crabs),
];

/// The flats by a squared error.
fn valued(seed: u64) -> Program {
    Program {
        loss: MEAN_SQUARED,
        ..flats(seed)
    }
}

/// The inputs of one, and the targets of the other.
fn with_targets(inputs: &Rows, targets: &Rows) -> Rows {
    Rows {
        inputs: inputs.inputs.clone(),
        targets: targets.targets.clone(),
    }
}
