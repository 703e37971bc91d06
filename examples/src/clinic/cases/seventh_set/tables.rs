//! Tables of the seventh set: rows of measures, and programs that work on them.

use super::super::bases::made;
use crate::clinic::data::{Data, Dice, Rows, Task};
use crate::clinic::layer::{Act, GLOROT, HE, Layer, dense, ending_in, mlp};
use crate::clinic::loss::{
    BINARY_CROSS_ENTROPY, BINARY_CROSS_ENTROPY_OF_SCORES, CROSS_ENTROPY, MEAN_SQUARED, POISSON,
};
use crate::clinic::program::Program;
use std::f32::consts::{PI, TAU};

/// Numbers from N(0, 1).
fn normals<const N: usize>(dice: &mut Dice) -> [f32; N] {
    [(); N].map(|()| dice.normal())
}

/// The place of the largest.
fn largest(scores: &[f32]) -> f32 {
    let best = |best: usize, i: usize| if scores[i] > scores[best] { i } else { best };
    (1..scores.len()).fold(0, best) as f32
}

/// Which of three crops does best on a soil, of six standardised measures.
pub(super) fn soils(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 7001);
    let data = made(2000, 1600, Task::Classes(3), || {
        let z: [f32; 6] = normals(&mut dice);
        let yields = [
            z[0] + 0.8 * z[1] * z[2],
            0.9 * z[3] - 0.6 * z[4] * z[4] + 0.6,
            0.9 * z[5] - 0.7 * z[0] + 0.3 * z[3],
        ];
        let crop = largest(&yields.map(|harvest| harvest + 0.1 * dice.normal()));
        (z.to_vec(), vec![crop])
    });
    Program {
        rate: 4e-3,
        epochs: 12,
        ..Program::new(data, mlp(&[6, 32, 32, 3], Act::Relu, HE), CROSS_ENTROPY)
    }
}

/// Whether a star lies outside of a sphere that holds half of them.
pub(super) fn stars(seed: u64, layers: Vec<Layer>) -> Program {
    let mut dice = Dice::new(seed + 7002);
    let data = made(1600, 1200, Task::Classes(2), || {
        let z: [f32; 3] = normals(&mut dice);
        let is_far = z.iter().map(|x| x * x).sum::<f32>() > 2.366;
        (z.to_vec(), vec![f32::from(u8::from(is_far))])
    });
    Program {
        rate: 5e-3,
        epochs: 15,
        ..Program::new(data, layers, CROSS_ENTROPY)
    }
}

/// Whether a loan is not paid back, of seven measures: that depends on three of them, is left to chance in part, and
/// `rare` makes it rarer.
pub(super) fn lent(seed: u64, rare: f32) -> Data {
    let mut dice = Dice::new(seed + 7003);
    made(2500, 2000, Task::Classes(2), || {
        let z: [f32; 7] = normals(&mut dice);
        let risk = z[0] + 0.8 * z[1] * z[2] - 0.5 * z[3] - rare;
        let chance = 1.0 / (1.0 + (-4.0 * risk).exp());
        let lost = f32::from(u8::from(dice.uniform(0.0, 1.0) < chance));
        (z.to_vec(), vec![lost])
    })
}

/// A third of the loans is lost.
pub(super) fn loans(seed: u64) -> Program {
    Program {
        rate: 3e-3,
        epochs: 10,
        decay: Some(1e-4),
        ..Program::new(
            lent(seed, 0.55),
            mlp(&[7, 24, 24, 2], Act::Relu, HE),
            CROSS_ENTROPY,
        )
    }
}

/// Whether an alarm is right: three of a hundred are, and can be told by two of five measures; one score.
pub(super) fn alarms(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 7054);
    let data = made(4000, 3200, Task::Classes(2), || {
        let mut row: Vec<f32> = (0..5).map(|_| dice.normal()).collect();
        let is_right = dice.uniform(0.0, 1.0) < 0.03;
        if is_right {
            row[0] += 4.0;
            row[3] -= 3.0;
        }
        (row, vec![f32::from(u8::from(is_right))])
    });
    Program {
        rate: 3e-3,
        epochs: 6,
        ..Program::new(
            data,
            mlp(&[5, 12, 1], Act::Relu, HE),
            BINARY_CROSS_ENTROPY_OF_SCORES,
        )
    }
}

/// The kilowatt-hours that a house takes in a month: 240, give or take 110.
pub(super) fn heated(seed: u64) -> Data {
    let mut dice = Dice::new(seed + 7004);
    made(1600, 1200, Task::Numbers, || {
        let z: [f32; 7] = normals(&mut dice);
        let load = z[0] + 0.7 * (1.5 * z[1]).sin() - 0.5 * z[2] * z[3] + 0.4 * z[4].abs();
        (z.to_vec(), vec![200.0 + 80.0 * load + 8.0 * dice.normal()])
    })
}

/// The same with a target of deviation 1.
pub(super) fn houses(seed: u64) -> Program {
    Program {
        rate: 4e-3,
        epochs: 15,
        ..Program::new(
            heated(seed).standard_targets(),
            mlp(&[7, 32, 32, 1], Act::Tanh, GLOROT),
            MEAN_SQUARED,
        )
    }
}

/// How often somebody clicks, about twenty times: counts, and a rate behind a softplus.
pub(super) fn clicks(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 7005);
    let data = made(1500, 1200, Task::Numbers, || {
        let z: [f32; 4] = normals(&mut dice);
        let rate = (2.8 + 0.4 * z[0] - 0.3 * z[1] + 0.25 * z[2] * z[3]).exp();
        let (mut left, mut count) = (-rate, 0.0);
        loop {
            // The time between two clicks.
            left -= dice.uniform(f32::MIN_POSITIVE, 1.0).ln();
            if left > 0.0 {
                break (z.to_vec(), vec![count]);
            }
            count += 1.0;
        }
    });
    let layers = ending_in(mlp(&[4, 32, 32, 1], Act::Relu, HE), Act::Softplus);
    Program {
        rate: 5e-3,
        epochs: 20,
        ..Program::new(data, layers, POISSON)
    }
}

/// Which of six tags a picture has, of ten measures: none, one, or several, and a probability for each.
pub(super) fn tags(seed: u64, last: Act) -> Program {
    let mut dice = Dice::new(seed + 7006);
    let data = made(2000, 1600, Task::Numbers, || {
        let z: [f32; 10] = normals(&mut dice);
        let tag = |i: usize| z[i] + 0.6 * z[(i + 4) % 10] * z[(i + 7) % 10] > 0.2;
        let tags = (0..6).map(|i| f32::from(u8::from(tag(i)))).collect();
        (z.to_vec(), tags)
    });
    let layers = ending_in(mlp(&[10, 64, 6], Act::Relu, HE), last);
    Program {
        rate: 4e-3,
        epochs: 14,
        ..Program::new(data, layers, BINARY_CROSS_ENTROPY)
    }
}

/// Where the wind comes from, of five gauges around a mast: as an angle between -180 and 180 degrees, in half turns,
/// or as its sine and cosine.
pub(super) fn wind(seed: u64, as_angle: bool) -> Program {
    let mut dice = Dice::new(seed + 7007);
    let data = made(1500, 1100, Task::Numbers, || {
        let angle = dice.uniform(-PI, PI);
        let gauges = (0..5)
            .map(|i| 1.3 * (angle - TAU * i as f32 / 5.0).cos() + 0.4 * dice.normal())
            .collect();
        let target = if as_angle {
            vec![angle / PI]
        } else {
            vec![angle.sin(), angle.cos()]
        };
        (gauges, target)
    });
    let outputs = if as_angle { 1 } else { 2 };
    Program {
        rate: 3e-3,
        epochs: 15,
        ..Program::new(
            data,
            mlp(&[5, 32, 32, outputs], Act::Relu, HE),
            MEAN_SQUARED,
        )
    }
}

/// Where the hand of an arm of two joints is.
pub(super) fn hands(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 7008);
    let data = made(1300, 1000, Task::Numbers, || {
        let [shoulder, elbow] = [(); 2].map(|()| dice.uniform(-1.6, 1.6));
        let length = dice.uniform(0.6, 1.4);
        let x = shoulder.cos() + length * (shoulder + elbow).cos();
        let y = shoulder.sin() + length * (shoulder + elbow).sin();
        let row = vec![shoulder, elbow, 4.0 * (length - 1.0)];
        (row, vec![1.3 * x - 1.0, 0.9 * y])
    });
    Program {
        rate: 4e-3,
        epochs: 20,
        ..Program::new(data, mlp(&[3, 40, 40, 2], Act::Tanh, GLOROT), MEAN_SQUARED)
    }
}

/// A picture of bent stripes: the grey at a place in the plane.
pub(super) fn stripes(seed: u64) -> Data {
    let mut dice = Dice::new(seed + 7009);
    made(2500, 2000, Task::Numbers, || {
        let [x, y] = [(); 2].map(|()| dice.uniform(-1.0, 1.0));
        let grey = (14.0 * x + 1.5 * (4.0 * y).sin()).sin();
        (vec![x, y], vec![grey + 0.05 * dice.normal()])
    })
}

/// The same, of sines and cosines of the coordinates.
pub(super) fn waved(mut data: Data) -> Data {
    for rows in data.parts() {
        for row in &mut rows.inputs {
            let turns = |value: f32, count: i32| {
                (1..=count).flat_map(move |k| {
                    let angle = PI * k as f32 * value;
                    [1.4 * angle.sin(), 1.4 * angle.cos()]
                })
            };
            *row = turns(row[0], 6).chain(turns(row[1], 2)).collect();
        }
    }
    data
}

/// What fifty people think of fifty films: pairs of numbers below 100, and a mark.
pub(super) fn films(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 7010);
    let tastes: Vec<f32> = (0..100).map(|_| dice.uniform(-1.7, 1.7)).collect();
    let fame: Vec<f32> = (0..50).map(|_| 0.7 * dice.normal()).collect();
    let mut pairs: Vec<(usize, usize)> = (0..2500).map(|i| (i / 50, i % 50)).collect();
    dice.shuffle(&mut pairs);
    let mut pairs = pairs.into_iter();
    let data = made(2500, 2100, Task::Numbers, || {
        let (person, film) = pairs.next().expect("a pair for each row");
        let mark = tastes[person] * tastes[50 + film] + fame[film];
        let row = vec![person as f32, 50.0 + film as f32];
        (row, vec![mark + 0.25 * dice.normal()])
    });
    let layers = vec![
        Layer::Embedding {
            count: 100,
            width: 6,
        },
        dense(12, 32, HE),
        Layer::Act(Act::Relu),
        dense(32, 1, GLOROT),
    ];
    Program {
        rate: 5e-3,
        epochs: 15,
        ..Program::new(data, layers, MEAN_SQUARED)
    }
}

/// What six hundred shops sell on a day, two days of each to train on: a measure of the day, and the mean of the shop,
/// of the same two days or of two earlier ones.
pub(super) fn shops(seed: u64, of_the_same_days: bool) -> Program {
    let mut dice = Dice::new(seed + 7011);
    let sizes: Vec<f32> = (0..600).map(|_| 0.5 * dice.normal()).collect();
    let day = |shop: usize, dice: &mut Dice| {
        let weather = dice.normal();
        let sold = sizes[shop] + 0.8 * weather + 0.3 * weather * weather;
        (weather, sold - 0.3 + 0.7 * dice.normal())
    };
    let days: Vec<(f32, f32)> = (0..1200).map(|i| day(i / 2, &mut dice)).collect();
    let earlier: Vec<(f32, f32)> = (0..1200).map(|i| day(i / 2, &mut dice)).collect();
    let known = if of_the_same_days { &days } else { &earlier };
    let mean = |shop: usize| (known[2 * shop].1 + known[2 * shop + 1].1) / 2.0;
    let mut train = Rows::default();
    for (i, (weather, sold)) in days.iter().enumerate() {
        train.inputs.push(vec![*weather, mean(i / 2)]);
        train.targets.push(vec![*sold]);
    }
    let mut valid = Rows::default();
    for _ in 0..500 {
        let shop = dice.below(600);
        let (weather, sold) = day(shop, &mut dice);
        valid.inputs.push(vec![weather, mean(shop)]);
        valid.targets.push(vec![sold]);
    }
    let data = Data {
        train,
        valid,
        task: Task::Numbers,
    };
    Program {
        rate: 4e-3,
        epochs: 12,
        ..Program::new(data, mlp(&[2, 16, 1], Act::Tanh, GLOROT), MEAN_SQUARED)
    }
}

/// What somebody does, of eight gauges that say more of the person than of the deed; so many people to train on, and
/// twenty others to validate.
pub(super) fn people(seed: u64, count: usize) -> Program {
    // The same gauges whatever the seed.
    let mut dice = Dice::new(7012);
    let mixed: Vec<[f32; 8]> = (0..5).map(|_| normals(&mut dice)).collect();
    let deeds: Vec<[f32; 8]> = (0..3).map(|_| normals(&mut dice)).collect();
    let mut dice = Dice::new(seed + 7012);
    let mut rows = |people: usize, each: usize| {
        let mut rows = Rows::default();
        for _ in 0..people {
            let person: [f32; 5] = normals(&mut dice);
            for _ in 0..each {
                let deed = dice.below(3);
                let gauge = |i: usize| {
                    let own: f32 = person.iter().zip(&mixed).map(|(p, m)| p * m[i]).sum();
                    0.6 * own + 0.8 * deeds[deed][i] + 0.25 * dice.normal()
                };
                rows.inputs.push((0..8).map(gauge).collect());
                rows.targets.push(vec![deed as f32]);
            }
        }
        rows
    };
    let data = Data {
        train: rows(count, 1200 / count),
        valid: rows(20, 20),
        task: Task::Classes(3),
    };
    Program {
        rate: 3e-3,
        epochs: 10,
        ..Program::new(data, mlp(&[8, 32, 3], Act::Relu, HE), CROSS_ENTROPY)
    }
}

/// Which of two shelves a basket is from mostly, of how much of eight goods is in it; 0 where it has none.
pub(super) fn baskets(seed: u64, has_empty_ones: bool) -> Program {
    let mut dice = Dice::new(seed + 7014);
    let data = made(1500, 1200, Task::Classes(2), || {
        let mut basket: Vec<f32> = (0..8)
            .map(|_| dice.below(2) as f32 * dice.uniform(0.2, 3.0))
            .collect();
        if basket.iter().all(|amount| *amount == 0.0) {
            basket[dice.below(8)] = 1.0;
        }
        let powers = basket.iter().map(|x| if *x == 0.0 { 0.0 } else { x.exp() });
        let powers: Vec<f32> = powers.collect();
        let half: f32 = powers[..4].iter().sum();
        let is_first = half > 0.5 * powers.iter().sum::<f32>();
        if has_empty_ones && dice.below(50) == 0 {
            basket.fill(0.0);
        }
        (basket, vec![f32::from(u8::from(is_first))])
    });
    let mut layers = vec![Layer::Act(Act::MaskedSoftmax)];
    layers.extend(mlp(&[8, 16, 2], Act::Relu, HE));
    Program {
        rate: 5e-3,
        epochs: 10,
        ..Program::new(data, layers, CROSS_ENTROPY)
    }
}

/// Whether it is dark, dim or bright, of six lamps that differ by more than that.
pub(super) fn lamps(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 7015);
    let data = made(1600, 1200, Task::Classes(3), || {
        let level = 1.2 * dice.normal();
        let lamps = (0..6).map(|i| level + (i as f32 - 2.5) / 2.0 + 0.5 * dice.normal());
        let light = if level < -0.5 {
            0.0
        } else if level < 0.5 {
            1.0
        } else {
            2.0
        };
        (lamps.collect(), vec![light])
    });
    Program {
        rate: 4e-3,
        epochs: 10,
        ..Program::new(data, mlp(&[6, 24, 3], Act::Relu, HE), CROSS_ENTROPY)
    }
}
