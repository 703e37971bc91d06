//! How inputs and targets are prepared.

use super::super::bases::made;
use super::data::{drying, homes, parcels, plots, reviews, surveyed};
use super::signals::{hours, load, windows};
use super::{ASKED, COUNTED, Case, Kind::*, Seen::*};
use crate::clinic::data::{Dice, Task};
use crate::clinic::layer::{Act, GLOROT, Layer, dense, mlp};
use crate::clinic::loss::MEAN_SQUARED;
use crate::clinic::program::Program;
use burn::module::Initializer;

pub(super) const CASES: &[Case] = &[
    COUNTED
        .case(
            "plots-as-surveyed",
            "missing normalisation: heights in metres, angles in degrees, shades up to 255",
            Fails(0.75),
            &[&[UnscaledInputs]],
            &[
                DeadUnits,
                InitialLoss,
                LrTooHigh,
                ExplodingGradient,
                Underfitting,
                Oscillation,
            ],
            |seed| Program {
                data: surveyed(seed),
                ..plots(seed)
            },
        )
        .against(plots),
    COUNTED
        .case(
            "a-unix-time",
            "missing normalisation: the time in seconds since 1970 beside twelve hours of load",
            Fails(0.8),
            &[&[UnscaledInputs]],
            &[
                InitialLoss,
                LrTooHigh,
                ExplodingGradient,
                DeadUnits,
                Saturated,
                NonFinite,
                Underfitting,
            ],
            |seed| {
                let mut program = load(seed);
                let mut hour = 1_700_000_000.0;
                for rows in program.data.parts() {
                    for row in &mut rows.inputs {
                        hour += 3600.0;
                        row.push(hour);
                    }
                }
                Program {
                    layers: mlp(&[13, 40, 1], Act::Elu, GLOROT),
                    ..program
                }
            },
        )
        .against(load),
    COUNTED
        .case(
            "a-scaler-of-its-own",
            "wrong normalisation: standardised to train on, from 0 to 1 to validate",
            ValidFails(0.75),
            &[&[ScalingDiffers]],
            &[Overfitting],
            |seed| {
                let mut program = plots(seed);
                let valid = &mut program.data.valid.inputs;
                for column in 0..6 {
                    let values = valid.iter().map(|row| row[column]);
                    let low = values.clone().fold(f32::INFINITY, f32::min);
                    let high = values.fold(f32::NEG_INFINITY, f32::max);
                    for row in valid.iter_mut() {
                        row[column] = (row[column] - low) / (high - low);
                    }
                }
                program
            },
        )
        .against(plots),
    ASKED
        .case(
            "post-codes-as-numbers",
            "a post code goes in as a number, and near numbers cost nothing alike",
            Fails(0.8),
            &[&[Underfitting]],
            &[TooFewSteps, LrTooLow],
            |seed| parcels(seed, |place| vec![place as f32]),
        )
        .against(|seed| {
            parcels(seed, |place| {
                (0..25).map(|at| f32::from(u8::from(at == place))).collect()
            })
        }),
    ASKED
        .case(
            "padded-behind-the-end",
            "short series are filled up with zeros behind their ends, and the last state is read",
            Fails(0.8),
            &[&[VanishingGradient, ConstantInputs, Underfitting]],
            &[TooFewSteps, LrTooLow, UnrelatedLabels],
            |seed| padded(seed, false),
        )
        .against(|seed| padded(seed, true)),
    COUNTED
        .case(
            "a-degree-about-310",
            "targets as they are: temperatures of bodies in Kelvin, which differ by a degree",
            Fails(0.5),
            &[&[UnscaledTarget]],
            &[
                LrTooLow,
                TooFewSteps,
                InitialLoss,
                Underfitting,
                Saturated,
                LrTooHigh,
                Oscillation,
            ],
            |seed| {
                let program = homes(seed);
                Program {
                    data: program.data.map_targets(|target| 310.0 + target),
                    ..program
                }
            },
        )
        .against(homes),
    ASKED
        .case(
            "reviews-without-a-word",
            "counts are divided by the number of words, which is 0 for some",
            NotANumber,
            &[&[NonFiniteData]],
            &[NonFinite],
            |seed| {
                let mut program = reviews(seed);
                for rows in program.data.parts() {
                    for (at, row) in rows.inputs.iter_mut().enumerate() {
                        // Every fiftieth is a picture.
                        let is_text = f32::from(u8::from(at % 50 != 7));
                        let words: f32 = row.iter().sum::<f32>() * is_text;
                        row.iter_mut()
                            .for_each(|n| *n = 15.0 * *n * is_text / words);
                    }
                }
                program
            },
        )
        .against(reviews),
    ASKED
        .case(
            "columns-lost-in-a-join",
            "half of the columns did not survive a join, and missing values became 0",
            ValidFails(0.7),
            &[&[ConstantInputs]],
            &[Underfitting, Overfitting, TooFewSteps, UnrelatedLabels],
            |seed| {
                let program = plots(seed);
                let lost = |column: usize, value: f32| if column < 2 { 0.0 } else { value };
                Program {
                    data: program.data.map_inputs(lost),
                    ..program
                }
            },
        )
        .against(plots),
    ASKED
        .case(
            "from-summer-to-winter",
            "trained on the days of summer and validated on those of winter",
            ValidFails(0.7),
            &[&[ScalingDiffers]],
            &[Overfitting],
            |seed| drying(seed, [0.3, 0.7], [0.8, 1.2]),
        )
        .against(|seed| drying(seed, [0.0, 1.0], [0.0, 1.0])),
    ASKED
        .case(
            "the-load-of-another-house",
            "the windows are of the load of one house, and the targets of that of another",
            ValidFails(0.2),
            &[&[UnrelatedLabels]],
            &[Overfitting, TooLargeModel, Underfitting, TooLittleData],
            |seed| Program {
                data: windows(&weekly(seed), &weekly(seed + 77), 12),
                ..load(seed)
            },
        )
        .against(|seed| Program {
            data: windows(&weekly(seed), &weekly(seed), 12),
            ..load(seed)
        }),
];

/// What is left of an hour's load without that of the same hour a week before.
fn weekly(seed: u64) -> Vec<f32> {
    let hours = hours(seed, 1680);
    (168..1680).map(|t| hours[t] - hours[t - 168]).collect()
}

/// The sum of four to ten numbers within a series of sixty, with zeros before or behind them.
fn padded(seed: u64, zeros_first: bool) -> Program {
    let mut dice = Dice::new(seed + 5021);
    let data = made(1000, 800, Task::Numbers, || {
        let length = 4 + dice.below(7);
        let mut series: Vec<f32> = (0..length).map(|_| dice.normal()).collect();
        let sum = series.iter().sum::<f32>() / 2.5;
        series.resize(60, 0.0);
        if zeros_first {
            series.rotate_left(length);
        }
        (series, vec![sum])
    });
    let layers = vec![
        Layer::Recurrent {
            hidden: 16,
            act: Act::Tanh,
            recurrent: Initializer::XavierUniform { gain: 0.8 },
        },
        dense(16, 1, GLOROT),
    ];
    Program {
        rate: 4e-3,
        epochs: 12,
        ..Program::new(data, layers, MEAN_SQUARED)
    }
}
