//! Series of the tenth set, and the programs that hear them.

use super::super::bases::made;
use super::tables::bit;
use crate::clinic::data::{Data, Dice, Rows, Task};
use crate::clinic::layer::{Act, GLOROT, HE, Layer, behind_each_act, dense, mlp};
use crate::clinic::loss::{CROSS_ENTROPY, MEAN_SQUARED};
use crate::clinic::program::{Program, Rule};
use std::f32::consts::TAU;

/// Which of four gestures a hand makes, of its place on two axes at twenty-four moments: causal convolutions with a skip
/// connection.
pub(super) fn gestures(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 10_060);
    let data = made(1600, 1200, Task::Classes(4), || {
        let gesture = dice.below(4);
        let (pace, phase) = (dice.uniform(0.8, 1.2), dice.uniform(0.0, TAU));
        let size = dice.uniform(0.7, 1.3);
        let turn = |t: usize| TAU * pace * t as f32 / 12.0 + phase;
        let axis = |axis: usize, t: usize| match (gesture, axis) {
            (_, 0) => turn(t).sin(),
            // To the left, to the right, along a slope, and in an eight.
            (0, _) => turn(t).cos(),
            (1, _) => -turn(t).cos(),
            (2, _) => turn(t).sin(),
            _ => (2.0 * turn(t)).sin(),
        };
        let row = (0..48).map(|i| 1.3 * size * axis(i / 24, i % 24) + 0.6 * dice.normal());
        (row.collect(), vec![gesture as f32])
    });
    let along = |inputs: usize| Layer::CausalConv {
        channels: [inputs, 10],
        kernel: 5,
        weight: HE,
    };
    let layers = vec![
        along(2),
        Layer::Act(Act::Relu),
        Layer::Residual(vec![along(10), Layer::Act(Act::Relu)]),
        Layer::SeriesPool { channels: 10 },
        Layer::SeriesPool { channels: 10 },
        dense(60, 4, GLOROT),
    ];
    Program {
        rate: 3e-3,
        epochs: 10,
        ..Program::new(data, layers, CROSS_ENTROPY)
    }
}

/// What is wrong with a bearing, of the logarithms of a spectrum of thirty-two frequencies: nothing, one of its two rings,
/// a ball, or the way it stands.
pub(super) fn bearings(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 10_061);
    let data = made(2600, 2000, Task::Classes(5), || {
        let fault = dice.below(5);
        let (speed, height) = (dice.uniform(0.95, 1.05), dice.uniform(0.4, 0.8));
        let own = speed * [0.0, 5.2, 7.8, 10.3, 6.2][fault];
        let phases = [(); 3].map(|()| dice.uniform(0.0, TAU));
        let sound: Vec<f32> = (0..64)
            .map(|t| {
                let turn = TAU * t as f32 / 64.0;
                let shaft = (3.1 * speed * turn + phases[0]).sin();
                let first = (own * turn + phases[1]).sin();
                let second = 0.6 * (2.0 * own * turn + phases[2]).sin();
                shaft + bit(fault > 0) * height * (first + second) + 0.45 * dice.normal()
            })
            .collect();
        let strength = |frequency: usize| {
            let part = |shift: f32| -> f32 {
                let turns = (0..64).map(|t| TAU * (frequency * t) as f32 / 64.0 + shift);
                turns
                    .zip(&sound)
                    .map(|(turn, sound)| turn.sin() * sound)
                    .sum()
            };
            (part(0.0).powi(2) + part(TAU / 4.0).powi(2) + 1.0).ln()
        };
        ((1..33).map(strength).collect(), vec![fault as f32])
    });
    Program {
        rate: 2e-3,
        epochs: 12,
        ..Program::new(
            data.standard_inputs(),
            behind_each_act(mlp(&[32, 32, 5], Act::Relu, HE), || Layer::Dropout(0.2)),
            CROSS_ENTROPY,
        )
    }
}

/// The same by momentum, without dropout.
pub(super) fn rolled_bearings(seed: u64) -> Program {
    Program {
        rule: Rule::Momentum(0.9),
        rate: 0.02,
        epochs: 8,
        decay: Some(1e-3),
        layers: mlp(&[32, 32, 5], Act::Relu, HE),
        ..bearings(seed)
    }
}

/// What twenty shops sell tomorrow, of the last fourteen days, as logarithms from which the mean of the fourteen is taken;
/// the validation is later than the training. An LSTM.
pub(super) fn shops(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 10_062);
    let mut data = Data {
        train: Rows::default(),
        valid: Rows::default(),
        task: Task::Numbers,
    };
    for _ in 0..20 {
        let (size, peak) = (5.0 + dice.normal(), dice.uniform(0.0, TAU));
        let (height, mut mood) = (dice.uniform(0.3, 0.6), 0.0);
        let sold: Vec<f32> = (0..194)
            .map(|day| {
                mood = 0.8 * mood + 0.12 * dice.normal();
                let week = height * (TAU * day as f32 / 7.0 + peak).sin();
                size + week + mood + 0.1 * dice.normal()
            })
            .collect();
        for day in 14..194 {
            let last = &sold[day - 14..day];
            let mean = last.iter().sum::<f32>() / 14.0;
            let rows = match day {
                ..140 => &mut data.train,
                140..154 => continue,
                _ => &mut data.valid,
            };
            rows.inputs
                .push(last.iter().map(|x| 2.0 * (x - mean)).collect());
            rows.targets.push(vec![2.0 * (sold[day] - mean)]);
        }
    }
    Program {
        rate: 5e-3,
        batch: 64,
        epochs: 10,
        clips: Some(1.0),
        ..Program::new(
            data,
            vec![Layer::Lstm { hidden: 16 }, dense(16, 1, GLOROT)],
            MEAN_SQUARED,
        )
    }
}

/// The heat that a district takes in each of the next six hours, of the last twenty-four: one layer, and a validation
/// that is later than the training.
pub(super) fn district(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 10_063);
    let (mut frost, mut noise) = (0.0, 0.0);
    let series: Vec<f32> = (0..2400)
        .map(|hour| {
            frost = 0.985 * frost + 0.1 * dice.normal();
            noise = 0.5 * noise + 0.1 * dice.normal();
            let turn = TAU * hour as f32 / 24.0;
            0.8 * turn.sin() + 0.4 * (2.0 * turn + 1.0).sin() + frost + noise
        })
        .collect();
    let rows = |hours: std::ops::Range<usize>| Rows {
        inputs: hours.clone().map(|i| series[i..i + 24].to_vec()).collect(),
        targets: hours.map(|i| series[i + 24..i + 30].to_vec()).collect(),
    };
    let data = Data {
        train: rows(0..1600),
        // No window of the validation overlaps one of the training.
        valid: rows(1630..2370),
        task: Task::Numbers,
    };
    Program {
        rate: 5e-3,
        epochs: 30,
        ..Program::new(data, vec![dense(24, 6, GLOROT)], MEAN_SQUARED)
    }
}

/// How long an engine still runs, as a share of 125 flights, of four sensors at twelve moments, as they are read.
pub(super) fn readings(seed: u64) -> Data {
    const SENSORS: [[f32; 2]; 4] = [[642.0, 4.0], [1590.0, 40.0], [47.5, 1.6], [8140.0, -90.0]];
    let mut dice = Dice::new(seed + 10_064);
    made(1900, 1400, Task::Numbers, || {
        let left = dice.uniform(0.0, 160.0);
        let own = [(); 4].map(|()| 0.1 * dice.normal());
        let worn = |flights: f32| (-(flights.max(0.0)) / 55.0).exp();
        let mut row = Vec::new();
        for moment in 0..12 {
            let wear = worn(left + 5.0 * (11 - moment) as f32);
            for ([level, step], own) in SENSORS.iter().zip(own) {
                row.push(level + step * (wear + own + 0.1 * dice.normal()));
            }
        }
        (row, vec![left.min(125.0) / 125.0])
    })
}

/// The engines, standardised, in an LSTM over four sensors.
pub(super) fn engines(seed: u64) -> Program {
    let layers = vec![
        Layer::TokenLstm {
            width: 4,
            hidden: 16,
        },
        dense(16, 1, GLOROT),
    ];
    Program {
        rate: 5e-3,
        batch: 64,
        epochs: 20,
        clips: Some(1.0),
        ..Program::new(readings(seed).standard_inputs(), layers, MEAN_SQUARED)
    }
}
