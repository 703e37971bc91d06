//! Samples and labels: too few, or beside others.

use super::tables::{phones, wages};
use super::{ASKED, Case, Kind::*, Seen::*};
use crate::clinic::layer::{Act, HE, mlp};
use crate::clinic::program::Program;

pub(super) const CASES: &[Case] = &[
    ASKED
        .case(
            "eighty-wages-by-heart",
            "eighty people, 256 units twice and two hundred epochs for a wage of which a third can be told",
            ValidLoss(1.1),
            &[&[Overfitting, TooLargeModel, TooLittleData]],
            &[UnrelatedLabels],
            |seed| {
                let program = wages(seed);
                Program {
                    data: program.data.with_train(80),
                    layers: mlp(&[11, 256, 256, 1], Act::Relu, HE),
                    epochs: 200,
                    batch: 32,
                    patience: None,
                    ..program
                }
            },
        )
        .against(wages),
    ASKED
        .case(
            "phones-sorted-without-their-prices",
            "a table is sorted by maker before it is joined with a list of prices, row by row: most phones get the price of \
             another",
            ValidFails(0.3),
            &[&[UnrelatedLabels]],
            &[Underfitting, Overfitting, NoisyBatch, TooLargeModel, TooLittleData],
            |seed| {
                let mut program = phones(seed);
                // The makers are the last six columns.
                (program.data.train.inputs).sort_by(|one, other| other[6..].partial_cmp(&one[6..]).expect("numbers"));
                program
            },
        )
        .against(phones),
];
