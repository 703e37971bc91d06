//! Programs whose reported score is not what it seems.

use super::data::{plots, transactions};
use super::signals::{hours, load, windows};
use super::{ASKED, Case, Kind::*, Seen::*};
use crate::clinic::data::{Dice, Rows};
use crate::clinic::layer::{Act, GLOROT, HE, mlp};
use crate::clinic::program::Program;

pub(super) const CASES: &[Case] = &[
    ASKED
        .case(
            "copies-before-the-split",
            "four copies of each plot, with a little noise, before the validation is drawn",
            Learns(0.9),
            &[&[LeakedValidation]],
            &[Overfitting, TooLargeModel],
            |seed| copied(seed, true),
        )
        .against(|seed| copied(seed, false)),
    ASKED
        .case(
            "oversampled-before-the-split",
            "each fraud is taken eight times before the validation is drawn",
            Learns(0.95),
            &[&[LeakedValidation]],
            &[Overfitting, TooLargeModel],
            |seed| oversampled(seed, true),
        )
        .against(|seed| oversampled(seed, false)),
    ASKED
        .case(
            "a-window-of-an-hour-too-many",
            "the window before an hour of load ends with that hour",
            Learns(0.99),
            &[&[LeakingInput]],
            &[],
            |seed| {
                let hours = hours(seed, 1513);
                // A window of thirteen whose target is its own last value.
                let mut late = hours.clone();
                late.rotate_right(1);
                Program {
                    data: windows(&hours, &late, 13),
                    layers: mlp(&[13, 40, 1], Act::Elu, GLOROT),
                    ..load(seed)
                }
            },
        )
        .against(load),
];

/// Four hundred plots, a third of them with a drawn label, and four copies of each.
fn copied(seed: u64, before_the_split: bool) -> Program {
    let mut program = plots(seed);
    let mut dice = Dice::new(seed + 5051);
    let mut rows: Vec<_> = pairs(&program.data.train).into_iter().take(400).collect();
    for (_, target) in &mut rows {
        if dice.below(3) == 0 {
            target[0] = dice.below(4) as f32;
        }
    }
    let copies = |rows: &[(Vec<f32>, Vec<f32>)], dice: &mut Dice| -> Vec<(Vec<f32>, Vec<f32>)> {
        let mut copies = Vec::new();
        for (input, target) in rows {
            for _ in 0..4 {
                let copy = input.iter().map(|x| x + 0.02 * dice.normal()).collect();
                copies.push((copy, target.clone()));
            }
        }
        copies
    };
    let (train, valid) = if before_the_split {
        let mut all = copies(&rows, &mut dice);
        dice.shuffle(&mut all);
        let valid = all.split_off(1280);
        (all, valid)
    } else {
        (copies(&rows[..320], &mut dice), rows[320..].to_vec())
    };
    program.data.train = unzipped(train);
    program.data.valid = unzipped(valid);
    Program {
        layers: mlp(&[6, 128, 128, 4], Act::Relu, HE),
        epochs: 50,
        patience: Some(5),
        ..program
    }
}

/// Nine hundred transactions, and each of the frauds eight times.
fn oversampled(seed: u64, before_the_split: bool) -> Program {
    let mut program = transactions(seed);
    let mut dice = Dice::new(seed + 5052);
    let mut rows: Vec<_> = pairs(&program.data.train).into_iter().take(900).collect();
    let often = |rows: Vec<(Vec<f32>, Vec<f32>)>| -> Vec<(Vec<f32>, Vec<f32>)> {
        let times = |row: (Vec<f32>, Vec<f32>)| {
            let times = if row.1[0] == 1.0 { 8 } else { 1 };
            std::iter::repeat_n(row, times)
        };
        rows.into_iter().flat_map(times).collect()
    };
    let (train, valid) = if before_the_split {
        let mut all = often(rows);
        dice.shuffle(&mut all);
        let valid = all.split_off(all.len() * 4 / 5);
        (all, valid)
    } else {
        let valid = rows.split_off(720);
        (often(rows), often(valid))
    };
    program.data.train = unzipped(train);
    program.data.valid = unzipped(valid);
    Program {
        layers: mlp(&[8, 128, 128, 2], Act::Relu, HE),
        epochs: 50,
        patience: Some(5),
        ..program
    }
}

fn pairs(rows: &Rows) -> Vec<(Vec<f32>, Vec<f32>)> {
    let targets = rows.targets.iter().cloned();
    rows.inputs.iter().cloned().zip(targets).collect()
}

fn unzipped(rows: Vec<(Vec<f32>, Vec<f32>)>) -> Rows {
    let (inputs, targets) = rows.into_iter().unzip();
    Rows { inputs, targets }
}
