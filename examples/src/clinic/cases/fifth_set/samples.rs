//! Samples and labels: too few, or wrong ones.

use super::data::{homes, plots, reviews};
use super::signals::{arrows, glyphs};
use super::{ASKED, COUNTED, Case, Kind::*, Seen::*};
use crate::clinic::data::Dice;
use crate::clinic::layer::{Act, GLOROT, HE, mlp};
use crate::clinic::program::Program;

pub(super) const CASES: &[Case] = &[
    ASKED
        .case(
            "left-becomes-right",
            "training images are mirrored at random, and the label is where an arrow points",
            ValidFails(0.85),
            &[&[UnrelatedLabels]],
            &[
                Underfitting,
                Overfitting,
                NoisyBatch,
                TooLittleData,
                TooLargeModel,
            ],
            |seed| {
                let mut program = arrows(seed);
                let mut dice = Dice::new(seed + 5031);
                for row in &mut program.data.train.inputs {
                    if dice.below(2) == 0 {
                        row.chunks_mut(6).for_each(<[f32]>::reverse);
                    }
                }
                program
            },
        )
        .against(arrows),
    ASKED
        .case(
            "labels-read-as-truth-values",
            "the training labels went through a type of two values: all but the first class are 1",
            ValidFails(0.7),
            &[&[ValidationClasses]],
            &[Overfitting],
            |seed| {
                let mut program = plots(seed);
                for target in &mut program.data.train.targets {
                    target[0] = target[0].min(1.0);
                }
                program
            },
        )
        .against(plots),
    COUNTED
        .case(
            "forty-reviews",
            "too few samples: forty reviews of eighty words",
            ValidFails(0.85),
            &[&[Overfitting, TooLittleData, TooLargeModel]],
            &[],
            |seed| {
                let program = reviews(seed);
                Program {
                    data: program.data.with_train(40),
                    batch: 8,
                    epochs: 60,
                    ..program
                }
            },
        )
        .against(reviews),
    COUNTED
        .case(
            "homes-by-heart",
            "no regularisation: wide layers learn 150 prices by heart, and the noise on them",
            ValidFails(0.65),
            &[&[Overfitting, TooLargeModel, TooLittleData]],
            &[UnrelatedLabels],
            |seed| Program {
                layers: mlp(&[6, 200, 200, 1], Act::Relu, HE),
                epochs: 200,
                ..noisy_homes(seed)
            },
        )
        .against(|seed| Program {
            layers: mlp(&[6, 8, 1], Act::Tanh, GLOROT),
            decay: Some(1e-2),
            epochs: 60,
            ..noisy_homes(seed)
        }),
    COUNTED
        .case(
            "five-ells",
            "unbalanced samples: five images of the third glyph are left",
            ValidFails(0.9),
            &[&[RareClass]],
            &[Overfitting, TooLittleData],
            |seed| {
                let mut program = glyphs(seed);
                let train = &mut program.data.train;
                let mut ells = 0;
                let kept: Vec<bool> = train
                    .targets
                    .iter()
                    .map(|target| {
                        ells += usize::from(target[0] == 2.0);
                        target[0] != 2.0 || ells <= 5
                    })
                    .collect();
                let mut flags = kept.iter();
                train.inputs.retain(|_| *flags.next().unwrap_or(&true));
                let mut flags = kept.iter();
                train.targets.retain(|_| *flags.next().unwrap_or(&true));
                program
            },
        )
        .against(glyphs),
];

/// A hundred and fifty homes, whose prices have noise of deviation 0.8.
fn noisy_homes(seed: u64) -> Program {
    let mut program = homes(seed);
    program.data = program.data.with_train(150);
    let mut dice = Dice::new(seed + 5033);
    for target in program.data.train.targets.iter_mut().flatten() {
        *target += 0.8 * dice.normal();
    }
    program
}
