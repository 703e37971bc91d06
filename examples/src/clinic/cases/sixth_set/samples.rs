//! Samples and labels: too few, or wrong ones.

use super::series::{cloths, movements, words};
use super::tables::{bicycles, concrete, patients};
use super::{ASKED, COUNTED, Case, Kind::*, MUTATED, Seen::*};
use crate::clinic::data::{Dice, Rows};
use crate::clinic::layer::{Act, GLOROT, HE, mlp};
use crate::clinic::program::Program;

pub(super) const CASES: &[Case] = &[
    COUNTED
        .case(
            "two-annotators-who-disagree",
            "wrong labels: one of two annotators took the second kind of cloth for the third, and the third for the \
             second",
            ValidFails(0.87),
            &[&[UnrelatedLabels]],
            &[Overfitting, Underfitting, NoisyBatch],
            |seed| {
                let mut program = cloths(seed);
                let mut dice = Dice::new(seed + 6041);
                for target in program.data.train.targets.iter_mut().flatten() {
                    if dice.below(2) == 0 && (1.0..=2.0).contains(target) {
                        *target = 3.0 - *target;
                    }
                }
                program
            },
        )
        .against(cloths),
    ASKED
        .case(
            "targets-sorted-without-their-rows",
            "the column of the targets was sorted, and the others were not",
            ValidFails(0.4),
            &[&[UnrelatedLabels]],
            &[
                Underfitting,
                Overfitting,
                TooLargeModel,
                TooLittleData,
                NoisyBatch,
            ],
            |seed| {
                let mut program = bicycles(seed);
                let targets = &mut program.data.train.targets;
                targets.sort_by(|one, other| one[0].total_cmp(&other[0]));
                program
            },
        )
        .against(bicycles),
    ASKED
        .case(
            "one-language-after-the-other",
            "the words are in the order of their languages, and are not shuffled",
            ValidFails(0.8),
            &[&[SortedData]],
            &[Oscillation, LrTooHigh, NoisyBatch, Underfitting],
            |seed| {
                let mut program = words(seed);
                program.data.train = sorted(&program.data.train);
                program.shuffles = false;
                program
            },
        )
        .against(words),
    MUTATED
        .case(
            "four-minutes-of-running",
            "unbalance training data: four rows of the third class are left",
            ValidFails(0.94),
            &[&[RareClass]],
            &[Overfitting, TooLittleData, TooLargeModel],
            |seed| {
                let mut program = movements(seed);
                let mut runs = 0;
                program.data.train = filtered(&program.data.train, |target| {
                    runs += usize::from(target == 2.0);
                    target != 2.0 || runs <= 4
                });
                program
            },
        )
        .against(movements),
    COUNTED
        .case(
            "thirty-patients",
            "too few samples: thirty patients, and nine findings of each",
            ValidFails(0.86),
            &[&[TooLittleData, Overfitting, TooLargeModel]],
            &[],
            |seed| {
                let program = patients(seed);
                Program {
                    data: program.data.with_train(30),
                    batch: 10,
                    epochs: 150,
                    ..program
                }
            },
        )
        .against(patients),
    COUNTED
        .case(
            "concrete-by-heart",
            "no regularisation: wide layers learn 150 strengths by heart, and the noise on them",
            ValidFails(0.7),
            &[&[Overfitting, TooLargeModel, TooLittleData]],
            &[],
            |seed| Program {
                layers: mlp(&[8, 192, 192, 1], Act::Relu, HE),
                epochs: 150,
                ..few_strengths(seed)
            },
        )
        .against(|seed| Program {
            layers: mlp(&[8, 6, 1], Act::Tanh, GLOROT),
            decay: Some(0.04),
            patience: Some(20),
            epochs: 150,
            ..few_strengths(seed)
        }),
    ASKED
        .case(
            "a-blank-behind-each-label",
            "labels are compared with a text that ends in a blank, and no row is ill",
            Learns(0.99),
            &[&[SingleClass]],
            &[],
            |seed| {
                let program = patients(seed);
                Program {
                    data: program.data.map_targets(|_| 0.0),
                    ..program
                }
            },
        )
        .against(patients),
];

/// A hundred and fifty strengths, measured badly.
fn few_strengths(seed: u64) -> Program {
    let program = concrete(seed);
    let mut data = program.data.with_train(150);
    let mut dice = Dice::new(seed + 6042);
    for rows in data.parts() {
        for target in rows.targets.iter_mut().flatten() {
            *target += 0.5 * dice.normal();
        }
    }
    Program {
        data,
        rate: 0.01,
        ..program
    }
}

/// In the order of their first target.
fn sorted(rows: &Rows) -> Rows {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|one, other| rows.targets[*one][0].total_cmp(&rows.targets[*other][0]));
    taken(rows, &order)
}

/// Those whose first target is wanted.
fn filtered(rows: &Rows, mut wanted: impl FnMut(f32) -> bool) -> Rows {
    let all = 0..rows.len();
    let kept: Vec<usize> = all.filter(|i| wanted(rows.targets[*i][0])).collect();
    taken(rows, &kept)
}

fn taken(rows: &Rows, order: &[usize]) -> Rows {
    Rows {
        inputs: order.iter().map(|i| rows.inputs[*i].clone()).collect(),
        targets: order.iter().map(|i| rows.targets[*i].clone()).collect(),
    }
}
