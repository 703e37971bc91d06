//! Labels, augmentation, splits, and what a row should not know.

use super::signals::{causal, centred, lakes, leaves, sounds, tides};
use super::tables::{heated, houses, lent, loans, people, shops, soils};
use super::{ASKED, Case, Kind::*, Seen::*};
use crate::clinic::data::{Dice, Rows};
use crate::clinic::layer::{Act, HE, mlp};
use crate::clinic::program::Program;

pub(super) const CASES: &[Case] = &[
    ASKED
        .case(
            "not-labelled-yet",
            "six training rows of ten have no label yet, and were filled up with 0, which is a class",
            ValidFails(0.75),
            &[&[UnrelatedLabels]],
            &[RareClass, Overfitting, Underfitting, NoisyBatch, TooLargeModel],
            |seed| {
                let mut program = soils(seed);
                let mut dice = Dice::new(seed + 7041);
                for target in program.data.train.targets.iter_mut().flatten() {
                    if dice.below(10) < 6 {
                        *target = 0.0;
                    }
                }
                program
            },
        )
        .against(soils),
    ASKED
        .case(
            "eight-bits-of-a-target",
            "training targets went through a type of eight bits: 260 is 4",
            ValidFails(0.5),
            &[&[UnrelatedLabels]],
            &[Underfitting, Overfitting, ScalingDiffers, NoisyBatch, TooLargeModel],
            |seed| {
                let mut data = heated(seed);
                for target in data.train.targets.iter_mut().flatten() {
                    *target = target.rem_euclid(256.0).floor();
                }
                Program {
                    data: data.map_targets(|load| (load - 220.0) / 100.0),
                    ..houses(seed)
                }
            },
        )
        .against(|seed| Program {
            data: heated(seed).map_targets(|load| (load - 220.0) / 100.0),
            ..houses(seed)
        }),
    ASKED
        .case(
            "labelled-by-the-lesser-half",
            "training images are mixed in pairs, and the label is that of the one with the smaller share",
            ValidFails(0.92),
            &[&[UnrelatedLabels]],
            &[Overfitting, Underfitting, ScalingDiffers, NoisyBatch, OutputMismatch],
            |seed| mixed(seed, true),
        )
        .against(|seed| mixed(seed, false)),
    ASKED
        .case(
            "lakes-that-do-not-turn",
            "half of the training pictures are mirrored, and the masks that belong to them are not",
            ValidFails(0.85),
            &[&[UnrelatedLabels]],
            &[Underfitting, Overfitting, NoisyBatch, LrTooLow, TooFewSteps],
            |seed| lakes(seed, false),
        )
        .against(|seed| lakes(seed, true)),
    ASKED
        .case(
            "noise-that-is-its-own-target",
            "an autoencoder that is to take noise away gets the noisy sounds as targets",
            ValidFails(0.75),
            &[&[
                Overfitting,
                LeakingInput,
                UnrelatedLabels,
                TooLargeModel,
                ScalingDiffers,
            ]],
            &[TooLittleData, Underfitting],
            |seed| sounds(seed, true),
        )
        .against(|seed| sounds(seed, false)),
    ASKED
        .case(
            "a-mean-of-its-own-target",
            "a shop goes in as the mean of its targets, of the same two days that are trained on",
            ValidFails(0.46),
            &[&[LeakingInput, Overfitting]],
            &[TooLargeModel, TooLittleData, ScalingDiffers],
            |seed| shops(seed, true),
        )
        .against(|seed| shops(seed, false)),
    ASKED
        .case(
            "the-line-in-the-file",
            "the number of the line is a column, and the file is sorted by what is asked",
            Learns(0.97),
            &[&[LeakingInput]],
            &[],
            |seed| numbered(seed, true),
        )
        .against(|seed| numbered(seed, false)),
    ASKED
        .case(
            "a-filter-that-sees-tomorrow",
            "each hour is forecast by convolutions that see as many hours before as behind",
            Learns(0.9),
            &[&[LeakingInput]],
            &[],
            |seed| tides(seed, centred),
        )
        .against(|seed| tides(seed, causal)),
    ASKED
        .case(
            "four-people",
            "twelve hundred rows are of four people, and what is asked of are others",
            ValidFails(0.88),
            &[&[TooLittleData, Overfitting, ScalingDiffers]],
            &[TooLargeModel, UnrelatedLabels],
            |seed| people(seed, 4),
        )
        .against(|seed| people(seed, 200)),
    ASKED
        .case(
            "a-buffer-of-sixteen",
            "a file that is sorted by class is shuffled in a buffer of sixteen rows",
            ValidFails(0.83),
            &[&[SortedData]],
            &[Oscillation, LrTooHigh, NoisyBatch, Underfitting, RareClass],
            |seed| {
                let mut program = quick(seed);
                program.data.train = buffered(&program.data.train, 16, seed);
                program.shuffles = false;
                program
            },
        )
        .against(quick),
];

/// Leaves that are mixed with a smaller share of others, and the label of either of the two.
fn mixed(seed: u64, by_the_lesser: bool) -> Program {
    let mut program = leaves(seed);
    let mut dice = Dice::new(seed + 7042);
    let Rows { inputs, targets } = program.data.train.clone();
    let count = inputs.len();
    program.data.train = Rows::default();
    for i in 0..count {
        let (other, share) = (dice.below(count), dice.uniform(0.55, 0.9));
        let pairs = inputs[i].iter().zip(&inputs[other]);
        let image = pairs.map(|(one, other)| share * one + (1.0 - share) * other);
        program.data.train.inputs.push(image.collect());
        let label = if by_the_lesser { other } else { i };
        program.data.train.targets.push(targets[label].clone());
    }
    program
}

/// Uncertain loans and, perhaps, the number of the line in a file that is sorted by them.
fn numbered(seed: u64, with_number: bool) -> Program {
    let mut program = loans(seed);
    let mut data = lent(seed, 0.0);
    let mut dice = Dice::new(seed + 7043);
    for rows in data.parts() {
        for (row, target) in rows.inputs.iter_mut().zip(&rows.targets) {
            let number = if with_number {
                3.4 * (0.5 * dice.uniform(0.0, 1.0) + 0.5 * target[0]) - 1.7
            } else {
                dice.uniform(-1.7, 1.7)
            };
            row.push(number);
        }
    }
    program.layers = mlp(&[8, 24, 24, 2], Act::Relu, HE);
    Program { data, ..program }
}

/// The soils at a high rate, for fewer epochs.
fn quick(seed: u64) -> Program {
    Program {
        rate: 0.015,
        epochs: 6,
        ..soils(seed)
    }
}

/// Rows in the order of their targets, each drawn from a buffer of so many.
fn buffered(rows: &Rows, size: usize, seed: u64) -> Rows {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|one, other| rows.targets[*one][0].total_cmp(&rows.targets[*other][0]));
    let mut dice = Dice::new(seed + 7044);
    let (mut buffer, rest) = (order[..size].to_vec(), &order[size..]);
    let mut drawn = Vec::new();
    for next in rest {
        let place = dice.below(size);
        drawn.push(std::mem::replace(&mut buffer[place], *next));
    }
    drawn.extend(buffer);
    rows.at(&drawn)
}
