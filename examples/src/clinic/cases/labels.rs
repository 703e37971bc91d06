//! What is wrong is in the data.

use super::{Case, Expect, Kind::*, Origin, Seen::*};
use crate::clinic::data::{Data, Dice, Rows, Task, digits, drawn};
use crate::clinic::layer::{Act, HE, mlp};
use crate::clinic::loss::CROSS_ENTROPY;
use crate::clinic::program::Program;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "labels-scaled-like-pixels",
        story: "training images and labels are divided by 255, test images are not: all labels are 0",
        source: "https://stackoverflow.com/questions/59325381",
        origin: Origin::Published,
        seen: ValidFails(0.2),
        program: |seed| {
            let mut data = digits(seed);
            let targets = data.train.targets.iter_mut().flatten();
            targets.for_each(|label| *label = (*label / 255.0).trunc());
            let pixels = data.valid.inputs.iter_mut().flatten();
            pixels.for_each(|pixel| *pixel *= 255.0);
            on_digits(data)
        },
        expect: Expect {
            causes: &[&[SingleClass]],
            fair: &[ScalingDiffers, ValidationClasses],
            not: &[Overfitting, LrTooHigh, LeakingInput],
            paths: &[],
        },
        twin: Some(|seed| on_digits(digits(seed))),
    },
    Case {
        name: "images-shuffled-labels-not",
        story: "inputs are shuffled once, their labels stay in place",
        source: "https://github.com/DrexelChatbotGroup/DrexelChatbot/issues/15",
        origin: Origin::Published,
        seen: ValidFails(0.2),
        program: |seed| {
            let mut data = digits(seed);
            let mut dice = Dice::new(seed + 1);
            dice.shuffle(&mut data.train.inputs);
            dice.shuffle(&mut data.valid.inputs);
            on_digits(data)
        },
        expect: Expect {
            causes: &[&[UnrelatedLabels]],
            fair: &[Overfitting, NoisyBatch, Oscillation, Underfitting],
            not: &[VanishingGradient, DeadUnits, LrTooLow],
            paths: &[],
        },
        twin: Some(|seed| on_digits(digits(seed))),
    },
    Case {
        name: "test-set-shuffled-after-its-labels",
        story: "training is right; the test images are shuffled after their labels were taken",
        source: "https://github.com/ck37/coral-ordinal/issues/6",
        origin: Origin::Published,
        seen: ValidFails(0.2),
        program: |seed| {
            let mut data = digits(seed);
            Dice::new(seed + 1).shuffle(&mut data.valid.inputs);
            on_digits(data)
        },
        expect: Expect {
            causes: &[&[ScalingDiffers, ValidationClasses, UnrelatedLabels]],
            fair: &[Overfitting, WrongMode],
            not: &[LrTooHigh, LrTooLow, VanishingGradient, Underfitting],
            paths: &[],
        },
        twin: Some(|seed| on_digits(digits(seed))),
    },
    Case {
        name: "validation-is-the-tail-of-sorted-data",
        story: "rows sorted by class, the last fifth held back: two classes are never trained on",
        source: "https://github.com/keras-team/keras/issues/8346",
        origin: Origin::Published,
        seen: ValidFails(0.2),
        program: |seed| {
            let Data { train, valid, task } = digits(seed);
            let mut rows: Vec<_> = (train.inputs.into_iter().chain(valid.inputs))
                .zip(train.targets.into_iter().chain(valid.targets))
                .collect();
            rows.sort_by(|one, other| one.1[0].total_cmp(&other.1[0]));
            let tail = rows.split_off(1440);
            let part = |rows: Vec<_>| {
                let (inputs, targets) = rows.into_iter().unzip();
                Rows { inputs, targets }
            };
            on_digits(Data {
                train: part(rows),
                valid: part(tail),
                task,
            })
        },
        expect: Expect {
            causes: &[&[ScalingDiffers, ValidationClasses]],
            fair: &[Overfitting, RareClass],
            not: &[LrTooHigh, LrTooLow, VanishingGradient, Underfitting],
            paths: &[],
        },
        twin: Some(|seed| on_digits(digits(seed))),
    },
    Case {
        name: "the-target-among-the-inputs",
        story: "a table whose first column is the label: right every time, and worth nothing",
        source: "https://github.com/neurodata/SPORF/issues/355",
        origin: Origin::Published,
        seen: Learns(0.95),
        program: |seed| {
            let mut data = noise(seed);
            for rows in data.parts() {
                for (row, target) in rows.inputs.iter_mut().zip(&rows.targets) {
                    row[0] = target[0];
                }
            }
            on_noise(data)
        },
        expect: Expect {
            causes: &[&[LeakingInput]],
            fair: &[],
            not: &[Overfitting, LrTooHigh, ScalingDiffers, ValidationClasses],
            paths: &[],
        },
        twin: None,
    },
    Case {
        name: "six-percent-of-the-rows",
        story: "6 % of 600 rows are of the class that matters: accuracy 0.93, and none of them is found",
        source: "https://github.com/cgrtml/neural-trees/pull/75",
        origin: Origin::Published,
        seen: Learns(0.88),
        program: rare,
        expect: Expect {
            causes: &[&[RareClass]],
            fair: &[
                TooLittleData,
                NoisyBatch,
                Oscillation,
                Overfitting,
                UnrelatedLabels,
            ],
            not: &[LrTooHigh, VanishingGradient, DeadUnits],
            paths: &[],
        },
        twin: None,
    },
    Case {
        name: "random-labels",
        story: "every label is drawn: the network can only learn them by heart",
        source: "made: the digits; after arXiv 1611.03530",
        origin: Origin::Made,
        seen: ValidFails(0.2),
        program: |seed| {
            let mut data = digits(seed);
            let mut dice = Dice::new(seed + 1);
            for rows in data.parts() {
                dice.shuffle(&mut rows.targets);
            }
            Program {
                layers: mlp(&[64, 256, 10], Act::Relu, HE),
                rate: 3e-3,
                epochs: 40,
                ..on_digits(data)
            }
        },
        expect: Expect {
            causes: &[&[UnrelatedLabels]],
            fair: &[Overfitting, NoisyBatch, Oscillation, Underfitting],
            not: &[VanishingGradient, DeadUnits, LrTooLow],
            paths: &[],
        },
        twin: Some(|seed| on_digits(digits(seed))),
    },
    Case {
        name: "a-column-that-gives-it-away",
        story: "one of 65 columns is the label and a little noise",
        source: "made: the digits, with a column",
        origin: Origin::Made,
        seen: Learns(0.9),
        program: |seed| {
            let mut data = digits(seed);
            let mut dice = Dice::new(seed + 1);
            for rows in data.parts() {
                for (row, target) in rows.inputs.iter_mut().zip(&rows.targets) {
                    row.push(target[0] / 10.0 + 0.005 * dice.normal());
                }
            }
            Program {
                layers: mlp(&[65, 32, 10], Act::Relu, HE),
                ..on_digits(data)
            }
        },
        expect: Expect {
            causes: &[&[LeakingInput]],
            fair: &[],
            not: &[Overfitting, LrTooHigh, UnrelatedLabels],
            paths: &[],
        },
        twin: Some(|seed| on_digits(digits(seed))),
    },
    Case {
        name: "one-pixel-is-not-a-number",
        story: "one missing value among 90,000: the loss is not a number from its batch on",
        source: "made: the digits",
        origin: Origin::Made,
        seen: NotANumber,
        program: |seed| {
            let mut data = digits(seed);
            data.train.inputs[700][20] = f32::NAN;
            on_digits(data)
        },
        expect: Expect {
            causes: &[&[NonFiniteData]],
            fair: &[NonFinite],
            not: &[LogOfZero, LrTooHigh, ExplodingGradient],
            paths: &[],
        },
        twin: Some(|seed| on_digits(digits(seed))),
    },
    Case {
        name: "validation-in-other-units",
        story: "training pixels from 0 to 1, validation pixels from 0 to 255, minus their mean",
        source: "made: the digits",
        origin: Origin::Made,
        seen: ValidLoss(5.0),
        program: |seed| {
            let mut data = digits(seed);
            let pixels = data.valid.inputs.iter_mut().flatten();
            pixels.for_each(|pixel| *pixel = 255.0 * *pixel - 78.0);
            on_digits(data)
        },
        expect: Expect {
            causes: &[&[ScalingDiffers, ValidationClasses]],
            fair: &[UnscaledInputs, Overfitting],
            not: &[LrTooHigh, LrTooLow, UnrelatedLabels],
            paths: &[],
        },
        twin: Some(|seed| on_digits(digits(seed))),
    },
];

fn on_digits(data: Data) -> Program {
    Program {
        epochs: 10,
        ..Program::new(data, mlp(&[64, 64, 10], Act::Relu, HE), CROSS_ENTROPY)
    }
}

/// Twenty columns, the class a coin flip.
fn noise(seed: u64) -> Data {
    drawn(seed, 600, 20, Task::Classes(2), |_, dice| {
        dice.below(2) as f32
    })
}

fn on_noise(data: Data) -> Program {
    Program {
        rate: 1e-2,
        epochs: 30,
        ..Program::new(data, mlp(&[20, 16, 2], Act::Relu, HE), CROSS_ENTROPY)
    }
}

/// A class of 6 % of the rows, hard to tell from the others.
fn rare(seed: u64) -> Program {
    let target = |x: &[f32], dice: &mut Dice| {
        let score = 0.5 * (x[0] + x[1]) + 1.5 * dice.normal();
        f32::from(u8::from(score > 2.6))
    };
    Program {
        rate: 1e-2,
        epochs: 15,
        ..Program::new(
            drawn(seed, 600, 8, Task::Classes(2), target),
            mlp(&[8, 8, 2], Act::Relu, HE),
            CROSS_ENTROPY,
        )
    }
}
