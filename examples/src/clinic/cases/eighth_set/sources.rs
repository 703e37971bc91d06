//! The data of the eighth set, and programs that work on them.

use super::super::bases::{conv, made};
use crate::clinic::data::{Data, Dice, Task};
use crate::clinic::layer::{Act, GLOROT, HE, Layer, dense, ending_in, mlp};
use crate::clinic::loss::{BINARY_CROSS_ENTROPY, CROSS_ENTROPY, MEAN_SQUARED};
use crate::clinic::program::Program;
use std::f32::consts::TAU;

/// 1 for true.
pub(super) fn bit(is: bool) -> f32 {
    f32::from(u8::from(is))
}

/// Whether a customer leaves, of months, dollars in a month, dollars in all, calls, and the kind of contract.
pub(super) fn customers(seed: u64) -> Data {
    let mut dice = Dice::new(seed + 8001);
    made(2200, 1700, Task::Classes(2), || {
        let months = dice.uniform(1.0, 72.0).round();
        let monthly = dice.uniform(18.0, 118.0);
        let calls = dice.below(10) as f32;
        let contract = dice.below(3) as f32;
        let risk = 0.5 * (calls - 4.0) - 1.4 * (contract - 0.8) + 0.03 * (monthly - 60.0)
            - 0.03 * (months - 30.0);
        let chance = 1.0 / (1.0 + (-2.5 * risk).exp());
        let row = vec![months, monthly, months * monthly, calls, contract];
        (row, vec![bit(dice.uniform(0.0, 1.0) < chance)])
    })
}

/// The customers with columns of deviation 1, and the probability that one leaves.
pub(super) fn churn(seed: u64) -> Program {
    Program {
        rate: 3e-3,
        epochs: 10,
        ..Program::new(
            customers(seed).standard_inputs(),
            ending_in(mlp(&[5, 24, 24, 1], Act::Relu, HE), Act::Sigmoid),
            BINARY_CROSS_ENTROPY,
        )
    }
}

/// Miles per gallon, of weight in pounds, horsepower, cubic inches, seconds to sixty miles an hour, and the year.
pub(super) fn garage(seed: u64) -> Data {
    let mut dice = Dice::new(seed + 8002);
    made(1100, 800, Task::Numbers, || {
        let size = dice.normal();
        let weight = 2970.0 + 720.0 * size + 350.0 * dice.normal();
        let power = (104.0 + 30.0 * size + 15.0 * dice.normal()).max(46.0);
        let inches = (194.0 + 90.0 * size + 30.0 * dice.normal()).max(68.0);
        let seconds = 15.5 - 1.5 * size + 2.0 * dice.normal();
        let year = 70.0 + dice.below(13) as f32;
        let heavy = (weight - 2970.0) / 850.0;
        let miles = 22.0 - 6.0 * heavy + 1.8 * heavy * heavy - 0.03 * (power - 104.0)
            + 0.75 * (year - 76.0)
            - 0.2 * heavy * (year - 76.0)
            + dice.normal();
        (vec![weight, power, inches, seconds, year], vec![miles])
    })
}

/// The cars, standardised.
pub(super) fn cars(seed: u64) -> Program {
    Program {
        rate: 4e-3,
        epochs: 20,
        ..Program::new(
            garage(seed).standard_inputs().standard_targets(),
            mlp(&[5, 32, 16, 1], Act::Relu, HE),
            MEAN_SQUARED,
        )
    }
}

/// One, two or three round cells on 8 × 8 pixels that do not touch.
pub(super) fn cells(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 8003);
    let data = made(1400, 1100, Task::Classes(3), || {
        let count = dice.below(3);
        let mut places: Vec<[f32; 2]> = Vec::new();
        while places.len() <= count {
            let place = [dice.uniform(0.8, 6.2), dice.uniform(0.8, 6.2)];
            let is_free = |other: &[f32; 2]| {
                (place[0] - other[0]).powi(2) + (place[1] - other[1]).powi(2) > 6.5
            };
            if places.iter().all(is_free) {
                places.push(place);
            }
        }
        let pixels = (0..64).map(|i| {
            let light = |place: &[f32; 2]| {
                let (x, y) = ((i % 8) as f32 - place[0], (i / 8) as f32 - place[1]);
                (-(x * x + y * y) / 1.3).exp()
            };
            let light: f32 = places.iter().map(light).sum();
            (0.1 + 0.75 * light + 0.06 * dice.normal()).clamp(0.0, 1.0)
        });
        (pixels.collect(), vec![count as f32])
    });
    Program {
        rate: 3e-3,
        epochs: 10,
        ..Program::new(data, seen([8, 12], 3), CROSS_ENTROPY)
    }
}

/// Two convolutions of 8 × 8 pixels with a pool between them, and so many outputs.
pub(super) fn seen([first, second]: [usize; 2], outputs: usize) -> Vec<Layer> {
    vec![
        conv(1, first, 8),
        Layer::Act(Act::Relu),
        Layer::Pool {
            channels: first,
            side: 8,
        },
        conv(first, second, 4),
        Layer::Act(Act::Relu),
        dense(16 * second, outputs, GLOROT),
    ]
}

/// Where on 8 × 8 pixels a bright box lies: across and down, with mean 0.
pub(super) fn boxes(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 8004);
    let data = made(1300, 1000, Task::Numbers, || {
        let (right, down) = (dice.below(6), dice.below(6));
        let (width, height) = (1 + dice.below(3), 1 + dice.below(3));
        let pixels = (0..64).map(|i| {
            let (x, y) = (i % 8, i / 8);
            let is_box = (right..right + width).contains(&x) && (down..down + height).contains(&y);
            2.0 * bit(is_box) - 0.3 + 0.4 * dice.normal()
        });
        let centre = |from: usize, size: usize| (from as f32 + size as f32 / 2.0 - 3.5) / 1.8;
        (
            pixels.collect(),
            vec![centre(right, width), centre(down, height)],
        )
    });
    Program {
        rate: 3e-3,
        epochs: 10,
        ..Program::new(data, seen([6, 8], 2), MEAN_SQUARED)
    }
}

/// Which of four desks a ticket of ten words is for: a fifth of sixty words is of each desk, and a fifth of none.
pub(super) fn tickets(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 8005);
    let data = made(2000, 1600, Task::Classes(4), || {
        let desk = dice.below(4);
        let words = (0..10).map(|_| {
            let word = if dice.uniform(0.0, 1.0) < 0.45 {
                desk + 5 * dice.below(12)
            } else {
                dice.below(60)
            };
            word as f32
        });
        (words.collect(), vec![desk as f32])
    });
    Program {
        rate: 5e-3,
        epochs: 6,
        ..Program::new(data, read(8), CROSS_ENTROPY)
    }
}

/// Vectors of so many numbers for sixty words, their mean, and four scores.
pub(super) fn read(width: usize) -> Vec<Layer> {
    vec![
        Layer::Embedding { count: 60, width },
        Layer::TokenMean { width },
        dense(width, 16, HE),
        Layer::Act(Act::Relu),
        dense(16, 4, GLOROT),
    ]
}

/// Twelve months of passengers that come and go with the half year, and the next month.
pub(super) fn passengers(seed: u64, memory: Layer, width: usize) -> Program {
    let mut dice = Dice::new(seed + 8006);
    let data = made(1100, 800, Task::Numbers, || {
        let height = dice.uniform(0.6, 1.6);
        let (phase, slope) = (dice.uniform(0.0, TAU), 0.08 * dice.normal());
        let mut at = |month: f32| {
            height * (TAU * month / 6.0 + phase).sin() + slope * (month - 6.0) + 0.1 * dice.normal()
        };
        let months = (0..12).map(|month| at(month as f32)).collect();
        (months, vec![at(12.0)])
    });
    Program {
        rate: 8e-3,
        epochs: 10,
        clips: Some(1.0),
        ..Program::new(data, vec![memory, dense(width, 1, GLOROT)], MEAN_SQUARED)
    }
}

/// Which of three waves thirty-two moments of sleep hold.
pub(super) fn sleep(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 8007);
    let data = made(1300, 1000, Task::Classes(3), || {
        let stage = dice.below(3);
        let cycles = [2.0, 5.0, 9.0][stage] + dice.uniform(-0.7, 0.7);
        let phase = dice.uniform(0.0, TAU);
        let moments = (0..32)
            .map(|t| 1.2 * (TAU * cycles * t as f32 / 32.0 + phase).sin() + 0.7 * dice.normal());
        (moments.collect(), vec![stage as f32])
    });
    Program {
        rate: 4e-3,
        epochs: 8,
        ..Program::new(data, heard(8), CROSS_ENTROPY)
    }
}

/// Two convolutions of thirty-two moments with pools, and three scores.
pub(super) fn heard(channels: usize) -> Vec<Layer> {
    let along = |channels| Layer::SeriesConv {
        channels,
        kernel: 5,
        weight: HE,
    };
    vec![
        along([1, channels]),
        Layer::Act(Act::Relu),
        Layer::SeriesPool { channels },
        along([channels, channels]),
        Layer::Act(Act::Relu),
        Layer::SeriesPool { channels },
        dense(8 * channels, 3, GLOROT),
    ]
}

/// Length and depth of the bill and of the flipper in millimetres, weight in grams, and one of three penguins.
pub(super) fn colony(seed: u64) -> Data {
    const CENTRES: [[f32; 4]; 3] = [
        [38.8, 18.3, 190.0, 3700.0],
        [48.8, 18.4, 196.0, 3730.0],
        [47.5, 15.0, 217.0, 5080.0],
    ];
    const SPREADS: [f32; 4] = [2.7, 1.1, 6.5, 430.0];
    let mut dice = Dice::new(seed + 8008);
    made(540, 340, Task::Classes(3), || {
        let kind = dice.below(3);
        let size = dice.normal();
        let measure = |i: usize| CENTRES[kind][i] + SPREADS[i] * (0.6 * size + 0.8 * dice.normal());
        ((0..4).map(measure).collect(), vec![kind as f32])
    })
}

/// The penguins, standardised.
pub(super) fn penguins(seed: u64) -> Program {
    Program {
        rate: 5e-3,
        epochs: 30,
        batch: 16,
        ..Program::new(
            colony(seed).standard_inputs(),
            mlp(&[4, 16, 3], Act::Relu, HE),
            CROSS_ENTROPY,
        )
    }
}

/// Which of four genres a film has, of eight measures: any number of them, and a probability for each.
pub(super) fn genres(seed: u64, hidden: usize) -> Program {
    let mut dice = Dice::new(seed + 8009);
    let data = made(3400, 2800, Task::Numbers, || {
        let z: Vec<f32> = (0..8).map(|_| dice.normal()).collect();
        let has = |i: usize| bit(z[2 * i] + 0.8 * z[2 * i + 1] * z[(2 * i + 3) % 8] > 0.1);
        let genres = (0..4).map(has).collect();
        (z, genres)
    });
    Program {
        rate: 5e-3,
        epochs: 12,
        ..Program::new(
            data,
            ending_in(mlp(&[8, hidden, hidden, 4], Act::Relu, HE), Act::Sigmoid),
            BINARY_CROSS_ENTROPY,
        )
    }
}

/// The kilowatts of a turbine, of wind in metres a second, the density of air, and the angle to the wind.
pub(super) fn park(seed: u64) -> Data {
    let mut dice = Dice::new(seed + 8010);
    made(1300, 1000, Task::Numbers, || {
        let wind = dice.uniform(0.0, 24.0);
        let density = 1.2 + 0.05 * dice.normal();
        let angle = dice.uniform(-30.0, 30.0);
        let full = 1.1 * density * (wind * (angle / 40.0).cos()).powi(3);
        let power = match wind {
            wind if wind < 3.0 => 0.0,
            _ => full.min(2000.0),
        };
        (
            vec![wind, density, angle],
            vec![power + 30.0 * dice.normal()],
        )
    })
}

/// The turbine, standardised.
pub(super) fn turbine(seed: u64) -> Program {
    Program {
        rate: 5e-3,
        epochs: 30,
        ..Program::new(
            park(seed).standard_inputs().standard_targets(),
            mlp(&[3, 32, 32, 1], Act::Relu, HE),
            MEAN_SQUARED,
        )
    }
}

/// Whether a mail is spam, of the logarithms of how often sixteen words occur; a share of the labels is wrong.
pub(super) fn mails(seed: u64, wrong: f32) -> Data {
    let mut dice = Dice::new(seed + 8011);
    made(1500, 1100, Task::Classes(2), || {
        let often: Vec<f32> = (0..16)
            .map(|_| bit(dice.below(3) > 0) * dice.uniform(0.0, 3.0))
            .collect();
        let sum = |from: usize| often[from..from + 4].iter().sum::<f32>();
        let is_spam = sum(0) + 0.3 * often[8] * often[9] > sum(4) + 0.3;
        let is_wrong = dice.uniform(0.0, 1.0) < wrong;
        (often, vec![bit(is_spam != is_wrong)])
    })
}

/// The mails, and a probability.
pub(super) fn spam(seed: u64) -> Program {
    Program {
        rate: 4e-3,
        epochs: 10,
        ..Program::new(
            mails(seed, 0.0).standard_inputs(),
            ending_in(mlp(&[16, 24, 1], Act::Relu, HE), Act::Sigmoid),
            BINARY_CROSS_ENTROPY,
        )
    }
}

/// Sixteen gauges of a gearbox, which three causes move.
pub(super) fn gears(seed: u64) -> Program {
    let mut dice = Dice::new(8012);
    let mix: Vec<f32> = (0..48).map(|_| dice.normal()).collect();
    let mut dice = Dice::new(seed + 8012);
    let data = made(1100, 800, Task::Numbers, || {
        let cause = [dice.normal(), dice.normal(), dice.normal()];
        let gauge = |i: usize| {
            let sum: f32 = (0..3).map(|k| mix[3 * i + k] * cause[k]).sum();
            0.8 * sum + 0.15 * dice.normal()
        };
        ((0..16).map(gauge).collect(), vec![0.0])
    });
    Program {
        rate: 5e-3,
        epochs: 25,
        ..Program::new(
            data.standard_inputs().reconstructed(),
            mlp(&[16, 24, 3, 24, 16], Act::Tanh, GLOROT),
            MEAN_SQUARED,
        )
    }
}
