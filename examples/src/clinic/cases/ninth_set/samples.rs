//! Samples and labels: too few, of one class, or beside others.

use super::pictures::furrows;
use super::signals::voltages;
use super::tables::crabs;
use super::{ASKED, Case, Kind::*, Seen::*};
use crate::clinic::layer::{Act, HE, mlp};
use crate::clinic::program::Program;

pub(super) const CASES: &[Case] = &[
    ASKED
        .case(
            "eighty-crabs-by-heart",
            "eighty crabs, 256 units twice and two hundred epochs for an age of which a part cannot be told",
            ValidLoss(0.5),
            &[&[Overfitting, TooLargeModel, TooLittleData]],
            &[UnrelatedLabels],
            |seed| {
                let program = crabs(seed);
                Program {
                    data: program.data.with_train(80),
                    layers: mlp(&[9, 256, 256, 1], Act::Relu, HE),
                    epochs: 200,
                    ..program
                }
            },
        )
        .against(crabs),
    ASKED
        .case(
            "furrows-in-the-order-of-another-list",
            "the list of the pictures is sorted by name and that of the labels is not: most pictures get another's label",
            ValidFails(0.6),
            &[&[UnrelatedLabels]],
            &[Underfitting, Overfitting, NoisyBatch, TooLargeModel, TooLittleData],
            |seed| {
                let mut program = furrows(seed);
                // `10.png` comes before `2.png`.
                let mut names: Vec<(String, usize)> = (0..program.data.train.len())
                    .map(|i| (i.to_string(), i))
                    .collect();
                names.sort();
                let order: Vec<usize> = names.into_iter().map(|(_, i)| i).collect();
                program.data.train.inputs = program.data.train.at(&order).inputs;
                program
            },
        )
        .against(furrows),
    ASKED
        .case(
            "hardly-an-interruption",
            "four rows to train on hold an interruption and some three hundred each other kind, and the validation has as \
             many of each",
            ValidFails(0.86),
            &[&[RareClass]],
            &[Overfitting, TooLittleData, TooLargeModel],
            |seed| {
                let mut program = voltages(seed);
                let rows = &program.data.train;
                let mut count = 0;
                let kept: Vec<usize> = (0..rows.len())
                    .filter(|i| {
                        let is_rare = rows.targets[*i][0] == 3.0;
                        count += usize::from(is_rare);
                        !is_rare || count <= 4
                    })
                    .collect();
                program.data.train = rows.at(&kept);
                program
            },
        )
        .against(voltages),
];
