//! Samples and labels: too few, of one class, wrong, or known already.

use super::sources::{cars, churn, mails, sleep, spam, tickets};
use super::{ASKED, COUNTED, Case, Kind::*, Seen::*};
use crate::clinic::data::Dice;
use crate::clinic::layer::{Act, HE, Layer, dense, ending_in, mlp};
use crate::clinic::program::Program;

pub(super) const CASES: &[Case] = &[
    COUNTED
        .case(
            "twenty-five-customers-by-heart",
            "too few samples: twenty-five customers, 128 units twice, 150 epochs",
            ValidLoss(0.45),
            &[&[Overfitting, TooLittleData, TooLargeModel]],
            &[],
            |seed| {
                let program = churn(seed);
                Program {
                    data: program.data.with_train(25),
                    layers: ending_in(mlp(&[5, 128, 128, 1], Act::Relu, HE), Act::Sigmoid),
                    epochs: 150,
                    ..program
                }
            },
        )
        .against(churn),
    COUNTED
        .case(
            "mails-by-heart",
            "no regularisation and no early stop: 192 units twice learn 250 mails with wrong labels among them, and the \
             validation loss rises for most of the training",
            ValidLoss(1.0),
            &[&[Overfitting, TooLargeModel, TooLittleData]],
            &[UnrelatedLabels],
            |seed| Program {
                layers: ending_in(mlp(&[16, 192, 192, 1], Act::Relu, HE), Act::Sigmoid),
                epochs: 80,
                ..few_mails(seed)
            },
        )
        .against(|seed| Program {
            layers: ending_in(vec![dense(16, 1, HE)], Act::Sigmoid),
            decay: Some(0.01),
            patience: Some(8),
            epochs: 80,
            ..few_mails(seed)
        }),
    COUNTED
        .case(
            "thirty-five-tickets",
            "thirty-five texts and a vector of 64 numbers for each word: a training accuracy of 1 within minutes",
            ValidFails(0.8),
            &[&[Overfitting, TooLittleData, TooLargeModel]],
            &[],
            |seed| {
                let program = tickets(seed);
                let width = 64;
                Program {
                    data: program.data.with_train(35),
                    layers: vec![
                        Layer::Embedding { count: 60, width },
                        Layer::TokenMean { width },
                        dense(width, 64, HE),
                        Layer::Act(Act::Relu),
                        dense(64, 4, HE),
                    ],
                    epochs: 60,
                    ..program
                }
            },
        )
        .against(tickets),
    ASKED
        .case(
            "rows-dropped-from-one-table",
            "rows with gaps were dropped from the inputs and not from the targets, and most rows are beside another's target",
            ValidFails(0.6),
            &[&[UnrelatedLabels]],
            &[Overfitting, Underfitting, NoisyBatch, TooLargeModel, TooLittleData],
            |seed| {
                let mut program = cars(seed);
                let targets = &mut program.data.train.targets;
                let tail = targets.split_off(120);
                let count = tail.len();
                for i in 0..count {
                    let gap = 1 + i / 100;
                    targets.push(tail[(i + gap) % count].clone());
                }
                program
            },
        )
        .against(cars),
    COUNTED
        .case(
            "stages-by-the-crowd",
            "wrong labels: three of four stages of sleep were clicked at random",
            ValidFails(0.92),
            &[&[UnrelatedLabels]],
            &[Underfitting, Overfitting, NoisyBatch, TooLargeModel, TooLittleData],
            |seed| {
                let mut program = sleep(seed);
                let mut dice = Dice::new(seed + 8030);
                for target in program.data.train.targets.iter_mut().flatten() {
                    if dice.below(4) > 0 {
                        *target = dice.below(3) as f32;
                    }
                }
                program
            },
        )
        .against(sleep),
    COUNTED
        .case(
            "hardly-any-deep-sleep",
            "unbalanced data: four rows are of the second stage, and some 330 of each other one, and the validation has as many of each",
            ValidFails(0.82),
            &[&[RareClass]],
            &[Overfitting, TooLittleData, TooLargeModel],
            |seed| {
                let mut program = sleep(seed);
                let rows = &program.data.train;
                let mut count = 0;
                let kept: Vec<usize> = (0..rows.len())
                    .filter(|i| {
                        let is_rare = rows.targets[*i][0] == 1.0;
                        count += usize::from(is_rare);
                        !is_rare || count <= 4
                    })
                    .collect();
                program.data.train = rows.at(&kept);
                program
            },
        )
        .against(sleep),
    ASKED
        .case(
            "mails-forwarded-before-the-split",
            "each mail was forwarded twice and is three times in the file, and the rows were drawn to train or to \
             validate: a score that nobody reaches on new mails",
            Learns(0.82),
            &[&[LeakedValidation]],
            &[Overfitting, TooLargeModel, TooLittleData, UnrelatedLabels],
            |seed| forwarded(seed, true),
        )
        .against(|seed| forwarded(seed, false)),
];

/// Two hundred and fifty mails, a quarter of which has a wrong label.
fn few_mails(seed: u64) -> Program {
    Program {
        data: mails(seed, 0.2).standard_inputs().with_train(250),
        ..spam(seed)
    }
}

/// Five hundred mails, a fifth with a wrong label, each three times.
fn forwarded(seed: u64, before_the_split: bool) -> Program {
    let mut data = mails(seed, 0.2).standard_inputs();
    let all = data.train.first(500);
    let mut order: Vec<usize> = (0..1500).map(|i| i / 3).collect();
    if before_the_split {
        Dice::new(seed + 8031).shuffle(&mut order);
    }
    data.train = all.at(&order[..1125]);
    data.valid = all.at(&order[1125..]);
    Program {
        data,
        layers: ending_in(mlp(&[16, 128, 128, 1], Act::Relu, HE), Act::Sigmoid),
        rate: 2e-3,
        epochs: 60,
        patience: Some(6),
        ..spam(seed)
    }
}
