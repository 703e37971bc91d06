//! Data and programs of the fourth set.

use super::super::bases::{conv, made};
use crate::clinic::data::{Data, Dice, Rows, Task};
use crate::clinic::layer::{Act, GLOROT, HE, Layer, dense, mlp};
use crate::clinic::loss::{CROSS_ENTROPY, MEAN_SQUARED};
use crate::clinic::program::Program;
use std::f32::consts::{PI, TAU};

/// Three spiral arms in the plane.
pub(super) fn spirals(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 4001);
    let data = made(1500, 1100, Task::Classes(3), || {
        let arm = dice.below(3);
        let way = dice.uniform(0.1, 1.0);
        let angle = TAU * arm as f32 / 3.0 + 4.0 * way;
        let mut at = |value: f32| 1.7 * way * value + 0.05 * dice.normal();
        (vec![at(angle.cos()), at(angle.sin())], vec![arm as f32])
    });
    Program {
        rate: 8e-3,
        epochs: 40,
        ..Program::new(data, mlp(&[2, 40, 40, 3], Act::Tanh, GLOROT), CROSS_ENTROPY)
    }
}

/// Images of 6 × 6 pixels with noise: a row, a column, a diagonal, or nothing.
pub(super) fn bars(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 4002);
    let data = made(1400, 1000, Task::Classes(4), || {
        let (class, place) = (dice.below(4), dice.below(6));
        let is_lit = |at: usize| match class {
            0 => at / 6 == place,
            1 => at % 6 == place,
            2 => (at / 6 + place) % 6 == at % 6,
            _ => false,
        };
        let mut pixel = |at| f32::from(u8::from(is_lit(at))) + 0.35 * dice.normal();
        ((0..36).map(&mut pixel).collect(), vec![class as f32])
    });
    let layers = vec![
        conv(1, 10, 6),
        Layer::Act(Act::Relu),
        Layer::Pool {
            channels: 10,
            side: 6,
        },
        dense(90, 28, HE),
        Layer::Act(Act::Relu),
        dense(28, 4, GLOROT),
    ];
    Program {
        rate: 4e-3,
        batch: 40,
        epochs: 15,
        ..Program::new(data, layers, CROSS_ENTROPY)
    }
}

/// Which of three tones twenty-four samples of a wave with noise are.
pub(super) fn tones(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 4003);
    let data = made(1300, 900, Task::Classes(3), || {
        let tone = dice.below(3);
        let (start, loud) = (dice.uniform(0.0, TAU), dice.uniform(0.7, 1.6));
        let pitch = [0.55, 0.9, 1.4][tone];
        let mut sample = |at: usize| loud * (start + pitch * at as f32).sin() + 0.3 * dice.normal();
        ((0..24).map(&mut sample).collect(), vec![tone as f32])
    });
    Program {
        rate: 3e-3,
        batch: 25,
        epochs: 20,
        ..Program::new(data, mlp(&[24, 56, 56, 3], Act::Relu, HE), CROSS_ENTROPY)
    }
}

/// Friedman's first function of ten numbers in [-1, 1], of which five matter, with the target standardised.
pub(super) fn friedman(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 4004);
    let data = made(1600, 1200, Task::Numbers, || {
        let x: Vec<f32> = (0..10).map(|_| dice.uniform(0.0, 1.0)).collect();
        let y = 10.0 * (PI * x[0] * x[1]).sin()
            + 20.0 * (x[2] - 0.5).powi(2)
            + 10.0 * x[3]
            + 5.0 * x[4]
            + 0.5 * dice.normal();
        (x.into_iter().map(|x| 2.0 * x - 1.0).collect(), vec![y])
    });
    Program {
        rate: 4e-3,
        epochs: 25,
        ..Program::new(
            data.standard_targets(),
            mlp(&[10, 44, 44, 1], Act::Relu, HE),
            MEAN_SQUARED,
        )
    }
}

/// Where the hand of an arm of two joints is, of their angles.
pub(super) fn arm(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 4005);
    let data = made(1500, 1100, Task::Numbers, || {
        let (one, two) = (dice.uniform(-1.6, 1.6), dice.uniform(-1.6, 1.6));
        let hand = [
            one.cos() + 0.7 * (one + two).cos(),
            one.sin() + 0.7 * (one + two).sin(),
        ];
        (vec![one, two], hand.to_vec())
    });
    Program {
        rate: 5e-3,
        epochs: 25,
        ..Program::new(data, mlp(&[2, 36, 36, 2], Act::Tanh, GLOROT), MEAN_SQUARED)
    }
}

/// Whether the sum of the last six of eighteen numbers is positive.
pub(super) fn tails(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 4006);
    let data = made(1400, 1000, Task::Classes(2), || {
        let row: Vec<f32> = (0..18).map(|_| dice.uniform(-1.0, 1.0)).collect();
        let is_positive = row[12..].iter().sum::<f32>() > 0.0;
        (row, vec![f32::from(u8::from(is_positive))])
    });
    Program {
        rate: 8e-3,
        epochs: 14,
        ..Program::new(
            data,
            vec![Layer::Lstm { hidden: 20 }, dense(20, 2, GLOROT)],
            CROSS_ENTROPY,
        )
    }
}

/// The training rows in the order of their first target.
pub(super) fn sorted(mut data: Data) -> Data {
    let Rows { inputs, targets } = data.train;
    let mut rows: Vec<_> = inputs.into_iter().zip(targets).collect();
    rows.sort_by(|(_, one), (_, other)| one[0].total_cmp(&other[0]));
    let (inputs, targets) = rows.into_iter().unzip();
    data.train = Rows { inputs, targets };
    data
}
