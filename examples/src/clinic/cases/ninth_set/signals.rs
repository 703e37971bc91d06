//! Series and texts of the ninth set, and the programs that read them.

use super::super::bases::made;
use super::tables::bit;
use crate::clinic::data::{Data, Dice, Rows, Task};
use crate::clinic::layer::{Act, GLOROT, HE, Layer, dense, mlp};
use crate::clinic::loss::{CROSS_ENTROPY, MEAN_SQUARED};
use crate::clinic::program::{Program, Rule};
use std::f32::consts::TAU;
use std::f64::consts::PI;

/// Two convolutions of a series of so many channels and moments with pools, and so many scores.
fn heard(inputs: usize, moments: usize, channels: usize, outputs: usize) -> Vec<Layer> {
    let along = |channels| Layer::SeriesConv {
        channels,
        kernel: 5,
        weight: HE,
    };
    vec![
        along([inputs, channels]),
        Layer::Act(Act::Relu),
        Layer::SeriesPool { channels },
        along([channels, channels]),
        Layer::Act(Act::Relu),
        Layer::SeriesPool { channels },
        dense(channels * moments / 4, outputs, GLOROT),
    ]
}

/// Whether somebody sits, walks, runs or rides a bicycle, of an accelerometer with three axes and twenty-four moments.
pub(super) fn movers(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 9030);
    let data = made(1600, 1200, Task::Classes(4), || {
        let deed = dice.below(4);
        let (pace, phase) = (dice.uniform(0.85, 1.15), dice.uniform(0.0, TAU));
        let tilt = [(); 3].map(|()| 0.4 * dice.normal());
        let height = [0.0, 0.9, 1.5, 0.7][deed] * dice.uniform(0.7, 1.3);
        let cycles = pace * [1.0, 2.5, 4.0, 2.5][deed];
        let mut row = Vec::new();
        for (axis, tilt) in tilt.into_iter().enumerate() {
            let share = match (deed, axis) {
                (3, 0) => 1.0,
                (3, 1) => 0.8,
                (3, _) => 0.1,
                (_, 2) => 1.0,
                _ => 0.5,
            };
            for t in 0..24 {
                let turn = TAU * cycles * t as f32 / 24.0 + phase + axis as f32;
                row.push(tilt + share * height * turn.sin() + 0.35 * dice.normal());
            }
        }
        (row, vec![deed as f32])
    });
    Program {
        rate: 2e-3,
        epochs: 12,
        ..Program::new(data, heard(3, 24, 8, 4), CROSS_ENTROPY)
    }
}

/// Whether thirty-two moments of a voltage are as they should be, sag, swell, are interrupted or hold harmonics; the
/// rate rises for a third of the steps and falls again.
pub(super) fn voltages(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 9031);
    let data = made(2000, 1500, Task::Classes(5), || {
        let kind = dice.below(5);
        let phase = dice.uniform(0.0, TAU);
        let (from, long) = (4 + dice.below(8), 10 + dice.below(8));
        let inside = match kind {
            1 => dice.uniform(0.35, 0.7),
            2 => dice.uniform(1.35, 1.7),
            3 => 0.05,
            _ => 1.0,
        };
        let third = bit(kind == 4) * dice.uniform(0.25, 0.5);
        let moments = (0..32).map(|t| {
            let turn = TAU * t as f32 / 8.0 + phase;
            let height = if (from..from + long).contains(&t) {
                inside
            } else {
                1.0
            };
            1.3 * (height * turn.sin() + third * (3.0 * turn).sin()) + 0.15 * dice.normal()
        });
        (moments.collect(), vec![kind as f32])
    });
    Program {
        rate: 8e-3,
        epochs: 12,
        // Forty-seven batches in an epoch.
        schedule: Some(|step| {
            let done = step as f64 / 564.0;
            let height = if done < 0.3 {
                done / 0.3
            } else {
                (1.0 - done) / 0.7
            };
            0.04 + 0.96 * height
        }),
        ..Program::new(data, heard(1, 32, 10, 5), CROSS_ENTROPY)
    }
}

/// Windows of so many numbers from a series and the number behind each, the first `train` of them to train on.
fn windows(series: &[f32], length: usize, train: usize) -> Data {
    let rows = |range: std::ops::Range<usize>| Rows {
        inputs: range
            .clone()
            .map(|i| series[i..i + length].to_vec())
            .collect(),
        targets: range.map(|i| vec![series[i + length]]).collect(),
    };
    Data {
        train: rows(0..train),
        // No window of the validation overlaps one of the training.
        valid: rows(train + length..series.len() - length),
        task: Task::Numbers,
    }
}

/// What a town will draw in the next hour, of the last twenty-four, which nearly tell it already.
pub(super) fn load(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 9032);
    let (mut weather, mut offset) = (0.0, 0.0);
    let series: Vec<f32> = (0..1548)
        .map(|hour| {
            weather = 0.98 * weather + 0.06 * dice.normal();
            offset = 0.7 * offset + 0.12 * dice.normal();
            let turn = TAU * hour as f32 / 24.0;
            (1.0 + 0.5 * weather) * (turn.sin() + 0.5 * (2.0 * turn + 0.8).sin()) + weather + offset
        })
        .collect();
    Program {
        rate: 6e-3,
        batch: 64,
        epochs: 15,
        clips: Some(1.0),
        ..Program::new(
            windows(&series, 24, 1000),
            vec![Layer::Gru { hidden: 16 }, dense(16, 1, GLOROT)],
            MEAN_SQUARED,
        )
    }
}

/// How many people visit a museum tomorrow, standardised, of the last seven days and of the day of the week: most of
/// it cannot be told.
pub(super) fn visitors(seed: u64) -> Program {
    const DAYS: [f32; 7] = [-0.5, -0.3, -0.2, 0.0, 0.2, 0.5, 0.4];
    let mut dice = Dice::new(seed + 9033);
    let mut last = 0.0;
    let series: Vec<f32> = (0..3207)
        .map(|day| {
            last = 0.5 * last + 0.75 * dice.normal();
            DAYS[day % 7] + last
        })
        .collect();
    let mut data = windows(&series, 7, 2400);
    let mut begin = 0;
    for rows in data.parts() {
        for (i, row) in rows.inputs.iter_mut().enumerate() {
            row.extend((0..7).map(|day| bit((begin + i) % 7 == day)));
        }
        begin = 2400 + 7;
    }
    Program {
        rate: 1e-3,
        batch: 64,
        epochs: 15,
        decay: Some(1e-3),
        ..Program::new(data, mlp(&[14, 16, 1], Act::Tanh, GLOROT), MEAN_SQUARED)
    }
}

/// The charge of a battery in percent, of ten moments of millivolts and milliamperes.
pub(super) fn batteries(seed: u64) -> Data {
    let mut dice = Dice::new(seed + 9034);
    made(1500, 1100, Task::Numbers, || {
        let mut charge: f32 = dice.uniform(0.35, 1.0);
        let mut drawn: f32 = dice.uniform(0.2, 1.8);
        let mut row = Vec::new();
        for _ in 0..10 {
            drawn = (drawn + 0.5 * dice.normal()).clamp(0.0, 2.5);
            charge -= 0.012 * drawn;
            let open = 3.3 + 0.75 * charge + 0.12 * (charge - 0.5).powi(3);
            let volts = open - 0.16 * drawn + 0.03 * dice.normal();
            row.extend([1000.0 * volts, 1000.0 * drawn]);
        }
        (row, vec![100.0 * charge])
    })
}

/// The batteries with columns of deviation 1 in an LSTM.
pub(super) fn charged(seed: u64) -> Program {
    let layers = vec![
        Layer::TokenLstm {
            width: 2,
            hidden: 16,
        },
        dense(16, 1, GLOROT),
    ];
    Program {
        rate: 6e-3,
        epochs: 12,
        clips: Some(1.0),
        ..Program::new(
            batteries(seed).standard_inputs().standard_targets(),
            layers,
            MEAN_SQUARED,
        )
    }
}

/// A word of so many, where one is rarer the larger its number.
fn word(count: usize, dice: &mut Dice) -> usize {
    let share = dice.uniform(0.0, 1.0);
    (count as f32 * share * share) as usize
}

/// From which of five pages a headline is, of up to twelve words: every fifth word belongs to a page, and a third of the
/// words of a headline are of its own. Number 0 stands behind its end.
fn headlines(seed: u64, count: usize, train: usize) -> Data {
    let mut dice = Dice::new(seed);
    made(count, train, Task::Classes(5), || {
        let page = dice.below(5);
        let length = 6 + dice.below(7);
        let words = (0..12).map(|place| match place {
            place if place >= length => 0.0,
            _ if dice.below(3) == 0 => (1 + page + 5 * word(30, &mut dice)) as f32,
            _ => (1 + word(150, &mut dice)) as f32,
        });
        (words.collect(), vec![page as f32])
    })
}

/// The headlines as vectors and their mean, with dropout.
pub(super) fn pages(seed: u64) -> Program {
    let layers = vec![
        Layer::Embedding {
            count: 151,
            width: 16,
        },
        Layer::TokenMean { width: 16 },
        Layer::Dropout(0.2),
        dense(16, 32, HE),
        Layer::Act(Act::Relu),
        dense(32, 5, GLOROT),
    ];
    Program {
        rate: 4e-3,
        epochs: 12,
        patience: Some(3),
        ..Program::new(headlines(seed + 9040, 3200, 2600), layers, CROSS_ENTROPY)
    }
}

/// The headlines as 150 columns that are 1 where a word occurs.
pub(super) fn counted(seed: u64) -> Program {
    let mut data = headlines(seed + 9041, 3200, 2600);
    for rows in data.parts() {
        for row in &mut rows.inputs {
            let mut columns = vec![0.0; 151];
            row.iter().for_each(|word| columns[*word as usize] = 1.0);
            *row = columns.split_off(1);
        }
    }
    let layers = vec![
        dense(150, 32, HE),
        Layer::Act(Act::Relu),
        Layer::Dropout(0.4),
        dense(32, 5, GLOROT),
    ];
    Program {
        rate: 2e-3,
        epochs: 12,
        patience: Some(2),
        ..Program::new(data, layers, CROSS_ENTROPY)
    }
}

/// Whether eight words praise: words that praise or blame, of which the one behind a `not` means the opposite, among
/// others that mean nothing.
pub(super) fn opinions(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 9042);
    let data = made(2200, 1800, Task::Classes(2), || {
        let praises = dice.below(2) == 1;
        let mut words: Vec<f32> = (0..8).map(|_| (14 + dice.below(16)) as f32).collect();
        let place = 2 * dice.below(4);
        let is_turned = dice.below(2) == 1;
        if is_turned {
            words[place] = dice.below(2) as f32;
        }
        let first = if praises != is_turned { 2 } else { 8 };
        words[place + 1] = (first + dice.below(6)) as f32;
        // A `not` that stands before no word of this kind.
        if dice.below(3) == 0 {
            words[(place + 4) % 8] = dice.below(2) as f32;
        }
        (words, vec![bit(praises)])
    });
    let layers = vec![
        Layer::Embedding {
            count: 30,
            width: 12,
        },
        Layer::TokenLstm {
            width: 12,
            hidden: 20,
        },
        dense(20, 2, GLOROT),
    ];
    Program {
        rate: 1e-2,
        batch: 64,
        epochs: 12,
        clips: Some(1.0),
        ..Program::new(data, layers, CROSS_ENTROPY)
    }
}

/// The next of twelve syllables, of the last three: two in five times nobody can tell it.
pub(super) fn syllables(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 9043);
    let next: Vec<[usize; 2]> = (0..144).map(|_| [(); 2].map(|()| dice.below(12))).collect();
    let mut last = [0, 1];
    let series: Vec<f32> = (0..13_006)
        .map(|_| {
            let likely = next[12 * last[0] + last[1]];
            let syllable = match dice.uniform(0.0, 1.0) {
                share if share < 0.55 => likely[0],
                share if share < 0.8 => likely[1],
                _ => dice.below(12),
            };
            last = [last[1], syllable];
            syllable as f32
        })
        .collect();
    let data = Data {
        task: Task::Classes(12),
        ..windows(&series, 3, 12_000)
    };
    let layers = vec![
        Layer::Embedding {
            count: 12,
            width: 12,
        },
        dense(36, 64, HE),
        Layer::Act(Act::Relu),
        dense(64, 12, GLOROT),
    ];
    Program {
        rate: 4e-3,
        batch: 64,
        epochs: 15,
        // A hundred and eighty-eight batches in an epoch.
        schedule: Some(|step| 0.5 + 0.5 * (PI * step as f64 / 2820.0).cos()),
        ..Program::new(data, layers, CROSS_ENTROPY)
    }
}

/// What somebody asks a loudspeaker for, of seven words: a verb and a thing among others, of which each pair is a wish;
/// in a block of a transformer.
pub(super) fn wishes(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 9044);
    let data = made(2400, 2000, Task::Classes(4), || {
        let (verb, thing) = (dice.below(2), dice.below(2));
        let mut words: Vec<f32> = (0..7).map(|_| (16 + dice.below(24)) as f32).collect();
        let mut places: Vec<usize> = (0..7).collect();
        dice.shuffle(&mut places);
        words[places[0]] = (4 * verb + dice.below(4)) as f32;
        words[places[1]] = (8 + 4 * thing + dice.below(4)) as f32;
        (words, vec![(2 * verb + thing) as f32])
    });
    let width = 16;
    let layers = vec![
        Layer::Embedding { count: 40, width },
        Layer::Positions { width },
        Layer::Transformer { width, heads: 2 },
        Layer::TokenMean { width },
        dense(width, 4, GLOROT),
    ];
    Program {
        rule: Rule::AdamW,
        rate: 3e-3,
        decay: Some(0.01),
        batch: 64,
        epochs: 6,
        warmup: Some(30),
        ..Program::new(data, layers, CROSS_ENTROPY)
    }
}
