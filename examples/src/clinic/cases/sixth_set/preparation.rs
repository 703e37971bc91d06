//! What is done to inputs and targets before the training, or is not.

use super::series::{heartbeats, river};
use super::tables::{bicycles, concrete, counted, measured, poured, wines};
use super::{ASKED, COUNTED, Case, Kind::*, Seen::*};
use crate::clinic::program::Program;

pub(super) const CASES: &[Case] = &[
    COUNTED
        .case(
            "wines-in-grams-and-milligrams",
            "missing normalisation: sulphur up to 240, and a density that differs in the third decimal",
            Fails(0.8),
            &[&[UnscaledInputs]],
            &[Saturated, Underfitting, InitialLoss, VanishingGradient],
            |seed| Program {
                data: measured(seed),
                ..wines(seed)
            },
        )
        .against(wines),
    COUNTED
        .case(
            "heartbeats-as-converted",
            "missing normalisation: numbers from 0 to 4095, as the converter gives them",
            ValidFails(0.94),
            &[&[UnscaledInputs]],
            &[
                InitialLoss,
                LrTooHigh,
                DeadUnits,
                ExplodingGradient,
                Oscillation,
                Underfitting,
                NoisyBatch,
            ],
            |seed| {
                let program = heartbeats(seed);
                let data = program.data.map_inputs(|_, volt| (2048.0 + 400.0 * volt).round());
                Program { data, ..program }
            },
        )
        .against(heartbeats),
    COUNTED
        .case(
            "a-river-in-cubic-metres",
            "a target as it is: 340 cubic metres in a second, give or take 120, and an LSTM",
            Fails(0.7),
            &[&[UnscaledTarget]],
            &[
                InitialLoss,
                LrTooLow,
                TooFewSteps,
                Underfitting,
                Saturated,
                ExplodingGradient,
            ],
            |seed| river(seed, [340.0, 120.0]),
        )
        .against(|seed| river(seed, [0.0, 1.0])),
    COUNTED
        .case(
            "logarithms-for-the-training-only",
            "another preprocessing of the validation: days, and not their logarithms",
            ValidFails(0.7),
            &[&[ScalingDiffers]],
            &[Overfitting, Saturated],
            |seed| {
                let mut program = concrete(seed);
                let raw = poured(seed).valid.inputs;
                for (row, raw) in program.data.valid.inputs.iter_mut().zip(raw) {
                    // The logarithms of the training days have mean 2.95 and deviation 1.7.
                    row[7] = (raw[7] - 2.95) / 1.7;
                }
                program
            },
        )
        .against(concrete),
    ASKED
        .case(
            "the-root-of-a-temperature",
            "a column is the root of a temperature that is below 0 on some days",
            NotANumber,
            &[&[NonFiniteData]],
            &[NonFinite],
            |seed| {
                let data = counted(seed, false).map_inputs(|column, value| match column {
                    2 => 0.7 * (12.0 + 9.0 * value).sqrt() - 2.3,
                    _ => value,
                });
                Program {
                    data: data.standard_targets(),
                    ..bicycles(seed)
                }
            },
        )
        .against(bicycles),
    ASKED
        .case(
            "a-mixture-in-whole-numbers",
            "seven columns between 0 and 1 are stored as whole numbers, and are 0",
            Fails(0.7),
            &[&[ConstantInputs]],
            &[Underfitting, UnscaledInputs],
            |seed| {
                let mut data = poured(seed);
                const LIMITS: [(f32, f32); 7] = [
                    (120.0, 520.0),
                    (0.0, 300.0),
                    (0.0, 180.0),
                    (130.0, 240.0),
                    (0.0, 25.0),
                    (800.0, 1150.0),
                    (600.0, 950.0),
                ];
                for rows in data.parts() {
                    for row in &mut rows.inputs {
                        for (value, (low, high)) in row.iter_mut().zip(LIMITS) {
                            *value = ((*value - low) / (high - low)).trunc();
                        }
                        row[7] = (row[7].ln() - 3.0) / 1.7;
                    }
                }
                Program {
                    data: data.standard_targets(),
                    ..concrete(seed)
                }
            },
        )
        .against(concrete),
];
