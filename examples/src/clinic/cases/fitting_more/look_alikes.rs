//! Healthy ones that look as if they had the faults that the rules of [`later`](super::later) are about.

use super::super::{Case, Seen::*};
use super::FITTED;
use super::data::{counted, items, surface, two_waves};
use crate::clinic::data::{Data, Dice, Rows, Task};
use crate::clinic::layer::{Act, GLOROT, HE, Layer, behind_each_act, mlp};
use crate::clinic::loss::{CROSS_ENTROPY, MEAN_SQUARED};
use crate::clinic::program::{Program, Rule};

pub(super) const CASES: &[Case] = &[
    FITTED.case(
        "between-the-points-of-a-grid",
        "a grid of the plane, and points of it that lie near to those of the training",
        Learns(0.9),
        &[],
        &[],
        |seed| {
            let mut dice = Dice::new(seed + 31);
            let row = |x: f32, y: f32| (vec![x, y], vec![(2.0 * x).sin() * y.cos()]);
            let at = |place: usize| 3.2 * (place as f32 / 31.0 - 0.5);
            let grid = (0..1024).map(|place| row(at(place % 32), at(place / 32)));
            let (inputs, targets) = grid.unzip();
            let train = Rows { inputs, targets };
            let points = (0..300).map(|_| row(dice.uniform(-1.6, 1.6), dice.uniform(-1.6, 1.6)));
            let (inputs, targets) = points.unzip();
            let data = Data {
                train,
                valid: Rows { inputs, targets },
                task: Task::Numbers,
            };
            Program {
                rate: 5e-3,
                epochs: 20,
                ..Program::new(data, mlp(&[2, 32, 32, 1], Act::Tanh, GLOROT), MEAN_SQUARED)
            }
        },
    ),
    FITTED.case(
        "all-pairs-of-thirty",
        "two numbers of thirty values each: rows of the validation are equal to training rows by chance",
        Learns(0.85),
        &[],
        &[],
        |seed| {
            let mut dice = Dice::new(seed + 32);
            let mut rows = |count: usize| {
                let row = |_| {
                    let [one, other] = [(); 2].map(|()| dice.below(30) as f32 / 15.0 - 1.0);
                    let target = (2.0 * one).sin() - one * other + 0.2 * dice.normal();
                    (vec![one, other], vec![target])
                };
                let (inputs, targets) = (0..count).map(row).unzip();
                Rows { inputs, targets }
            };
            let data = Data {
                train: rows(1000),
                valid: rows(300),
                task: Task::Numbers,
            };
            Program {
                rate: 5e-3,
                epochs: 20,
                ..Program::new(data, mlp(&[2, 32, 32, 1], Act::Tanh, GLOROT), MEAN_SQUARED)
            }
        },
    ),
    FITTED.case(
        "two-columns-that-nobody-needs",
        "two of eight columns are 0 in all rows, and the others say enough",
        Learns(0.86),
        &[],
        &[],
        |seed| {
            let mut program = surface(seed);
            for rows in program.data.parts() {
                rows.inputs.iter_mut().for_each(|row| row.extend([0.0, 0.0]));
            }
            Program {
                layers: mlp(&[8, 40, 40, 1], Act::Relu, HE),
                epochs: 30,
                ..program
            }
        },
    ),
    FITTED.case(
        "rain-or-none",
        "two columns are 0 for half of the rows, as the rain of a day is, and the rest of the target is noise",
        Learns(0.5),
        &[],
        &[],
        |seed| {
            let mut program = surface(seed);
            let mut dice = Dice::new(seed + 33);
            for rows in program.data.parts() {
                for (row, target) in rows.inputs.iter_mut().zip(&mut rows.targets) {
                    row[4] = row[4].max(0.0);
                    row[5] = row[5].max(0.0);
                    target[0] = (1.2 * row[0]).sin() + row[4] - 0.5 * row[5] + 0.6 * dice.normal();
                }
            }
            program
        },
    ),
    FITTED.case(
        "months-in-their-order",
        "a whole number of 24 values that follow a curve",
        Learns(0.8),
        &[],
        &[],
        |seed| {
            let mut program = items(seed, |item| vec![item as f32 % 24.0]);
            for rows in program.data.parts() {
                for (row, target) in rows.inputs.iter().zip(&mut rows.targets) {
                    target[0] = (1.5 * row[0]).cos() + 0.5 * row[1];
                }
            }
            program
        },
    ),
    FITTED.case(
        "counted",
        "counts by Poisson's loss, of rates behind a softplus",
        Learns(0.4),
        &[],
        &[],
        counted,
    ),
    FITTED.case(
        "stopped-in-time",
        "early stopping with a patience of three, long after the fall is over",
        Learns(0.9),
        &[],
        &[],
        |seed| Program {
            epochs: 60,
            patience: Some(3),
            ..two_waves(seed)
        },
    ),
    FITTED.case(
        "often-the-rare-ones",
        "the rows of a rare class are drawn four times each",
        Learns(0.85),
        &[],
        &[],
        |seed| {
            let mut program = surface(seed);
            for rows in program.data.parts() {
                for target in rows.targets.iter_mut().flatten() {
                    *target = f32::from(u8::from(*target > 1.0));
                }
            }
            program.data.task = Task::Classes(2);
            let train = &mut program.data.train;
            for row in 0..train.len() {
                if train.targets[row][0] == 1.0 {
                    for _ in 0..3 {
                        let (input, target) = (train.inputs[row].clone(), train.targets[row].clone());
                        train.inputs.push(input);
                        train.targets.push(target);
                    }
                }
            }
            Program {
                layers: mlp(&[6, 32, 2], Act::Relu, HE),
                loss: CROSS_ENTROPY,
                epochs: 12,
                decay: Some(1e-3),
                ..program
            }
        },
    ),
    FITTED.case(
        "a-tenth-dropped-of-a-surface",
        "dropout of 0.1 and batches of 16",
        Learns(0.75),
        &[],
        &[],
        |seed| {
            let program = surface(seed);
            Program {
                layers: behind_each_act(mlp(&[6, 80, 80, 1], Act::Relu, HE), || Layer::Dropout(0.1)),
                batch: 16,
                epochs: 40,
                rate: 2e-3,
                ..program
            }
        },
    ),
    FITTED.case(
        "a-high-momentum-at-a-low-rate",
        "momentum of 0.97 and a rate that fits it: successive gradients are alike at first",
        Learns(0.85),
        &[],
        &[],
        |seed| Program {
            rule: Rule::Momentum(0.97),
            rate: 0.02,
            batch: 64,
            epochs: 40,
            ..two_waves(seed)
        },
    ),
];
