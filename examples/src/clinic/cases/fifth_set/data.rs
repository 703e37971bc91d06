//! Data and programs of the fifth set: tables, and what a table can be made of.

use super::super::bases::made;
use crate::clinic::data::{Data, Dice, Task};
use crate::clinic::layer::{Act, GLOROT, HE, Layer, dense, ending_in, mlp};
use crate::clinic::loss::{CROSS_ENTROPY, MEAN_SQUARED, POISSON};
use crate::clinic::program::Program;
use std::f32::consts::TAU;

/// Which of four trees grow on a plot, of what a survey says in metres, degrees and a shade up to 255.
pub(super) fn surveyed(seed: u64) -> Data {
    let mut dice = Dice::new(seed + 5001);
    made(1600, 1200, Task::Classes(4), || {
        let [height, slope, water, shade] = [(); 4].map(|()| dice.normal());
        let (aspect, road) = (dice.uniform(0.0, 360.0), dice.uniform(0.0, 6.0));
        let tree = if height + 0.5 * aspect.to_radians().cos() > 0.6 {
            0.0
        } else if water + 0.6 * slope * shade > 0.3 {
            1.0
        } else if road > 2.5 + shade {
            2.0
        } else {
            3.0
        };
        let plot = vec![
            2800.0 + 300.0 * height,
            15.0 + 6.0 * slope,
            aspect,
            250.0 * (0.8 * water).exp(),
            210.0 + 20.0 * shade,
            1000.0 * road,
        ];
        (plot, vec![tree])
    })
}

/// The same, standardised.
pub(super) fn plots(seed: u64) -> Program {
    let layers = mlp(&[6, 48, 48, 4], Act::Relu, HE);
    Program {
        rate: 4e-3,
        epochs: 14,
        ..Program::new(surveyed(seed).standard_inputs(), layers, CROSS_ENTROPY)
    }
}

/// What homes were sold for, in thousands of euros: of area, age, distance, floor, garden and noise.
pub(super) fn sold(seed: u64) -> Data {
    let mut dice = Dice::new(seed + 5002);
    made(1300, 1000, Task::Numbers, || {
        let area = 30.0 + 200.0 * dice.uniform(0.0, 1.0).powf(1.5);
        let (age, distance) = (dice.uniform(0.0, 100.0), dice.uniform(0.0, 30.0));
        let (floor, garden) = (dice.below(12) as f32, dice.below(2) as f32);
        let noise = dice.normal();
        let logarithm = 5.6 + 0.9 * (area / 100.0).ln() - 0.03 * distance + 0.02 * floor
            - 0.004 * age
            + 0.03 * garden * (distance - 8.0)
            + 0.08 * noise;
        let home = vec![area, age, distance, floor, garden, dice.normal()];
        (home, vec![logarithm.exp()])
    })
}

/// The logarithms of their prices, standardised as the rest is.
pub(super) fn homes(seed: u64) -> Program {
    let data = sold(seed).map_targets(f32::ln);
    let data = data.standard_inputs().standard_targets();
    let layers = mlp(&[6, 32, 32, 1], Act::Tanh, GLOROT);
    Program {
        rate: 4e-3,
        epochs: 25,
        ..Program::new(data, layers, MEAN_SQUARED)
    }
}

/// Whether a transaction of eight numbers is fraud, as about one in ten is.
pub(super) fn transactions(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 5003);
    let data = made(2000, 1500, Task::Classes(2), || {
        let row: Vec<f32> = (0..8).map(|_| dice.normal()).collect();
        let is_fraud = row[0] + row[1] * row[2] + 0.5 * row[3].abs() > 2.2;
        (row, vec![f32::from(u8::from(is_fraud))])
    });
    Program {
        rate: 4e-3,
        epochs: 20,
        ..Program::new(data, mlp(&[8, 40, 40, 2], Act::Relu, HE), CROSS_ENTROPY)
    }
}

/// How often each of eighty words is in a review of fifteen, and whether the review praises.
pub(super) fn reviews(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 5004);
    let weights: Vec<f32> = (0..80).map(|_| dice.normal()).collect();
    let data = made(1500, 1100, Task::Classes(2), || {
        let mut counts = vec![0.0; 80];
        for _ in 0..15 {
            // Some words are far more frequent than others.
            let word = (80.0 * dice.uniform(0.0, 1.0).powf(1.7)) as usize;
            counts[word.min(79)] += 1.0;
        }
        let praise: f32 = counts.iter().zip(&weights).map(|(n, w)| n * w).sum();
        let mean: f32 = weights.iter().sum::<f32>() * 15.0 / 80.0;
        (counts, vec![f32::from(u8::from(praise > mean))])
    });
    Program {
        rate: 3e-3,
        epochs: 12,
        ..Program::new(data, mlp(&[80, 24, 2], Act::Relu, HE), CROSS_ENTROPY)
    }
}

/// Thirty measures of a face between -1 and 1 that four hidden numbers decide, through four numbers and back.
pub(super) fn faces(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 5005);
    let weights: Vec<[f32; 4]> = (0..30).map(|_| [(); 4].map(|()| dice.normal())).collect();
    let data = made(1200, 900, Task::Numbers, || {
        let factors = [(); 4].map(|()| dice.normal());
        let measure = |weights: &[f32; 4]| {
            let sum: f32 = weights.iter().zip(factors).map(|(w, f)| w * f).sum();
            (0.6 * sum).tanh()
        };
        (weights.iter().map(measure).collect(), vec![0.0])
    });
    let layers = ending_in(mlp(&[30, 40, 4, 40, 30], Act::Tanh, GLOROT), Act::Tanh);
    Program {
        rate: 5e-3,
        epochs: 25,
        ..Program::new(data.reconstructed(), layers, MEAN_SQUARED)
    }
}

/// How thirty people like forty films, as a product of two tastes.
pub(super) fn ratings(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 5006);
    let tastes: Vec<[f32; 2]> = (0..70).map(|_| [dice.normal(), dice.normal()]).collect();
    let mut pairs: Vec<usize> = (0..1200).collect();
    dice.shuffle(&mut pairs);
    let mut pairs = pairs.into_iter();
    let data = made(1200, 1000, Task::Numbers, || {
        let pair = pairs.next().expect("one for each row");
        let (person, film) = (pair % 30, 30 + pair / 30);
        let liking = tastes[person][0] * tastes[film][0] + 0.5 * tastes[film][1];
        let row = vec![person as f32, film as f32];
        (row, vec![liking + 0.1 * dice.normal()])
    });
    let layers = vec![
        Layer::Embedding {
            count: 70,
            width: 4,
        },
        dense(8, 40, HE),
        Layer::Act(Act::Relu),
        dense(40, 1, GLOROT),
    ];
    Program {
        rate: 8e-3,
        epochs: 30,
        ..Program::new(data.standard_targets(), layers, MEAN_SQUARED)
    }
}

/// How many calls come in an hour, drawn from Poisson's distribution: the rate is an exponential.
pub(super) fn calls(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 5007);
    let data = made(1500, 1100, Task::Numbers, || {
        let row = [(); 4].map(|()| dice.uniform(-1.0, 1.0));
        let rate = (1.6 + row[0] + 0.8 * row[1] * row[2]).exp();
        // Knuth's way: so many uniform numbers until their product is below exp(-rate).
        let (mut calls, mut product) = (0.0, dice.uniform(0.0, 1.0));
        while product > (-rate).exp() {
            calls += 1.0;
            product *= dice.uniform(0.0, 1.0);
        }
        (row.to_vec(), vec![calls])
    });
    let layers = ending_in(mlp(&[4, 24, 24, 1], Act::Tanh, GLOROT), Act::Softplus);
    Program {
        rate: 4e-3,
        epochs: 25,
        ..Program::new(data, layers, POISSON)
    }
}

/// How fast a road dries, of the day, the temperature, the wind and the cloud: on days of `train` and of
/// `valid`, from 0 to 1 through the year.
pub(super) fn drying(seed: u64, train: [f32; 2], valid: [f32; 2]) -> Program {
    let mut dice = Dice::new(seed + 5008);
    let mut row = 0;
    let data = made(1400, 1000, Task::Numbers, || {
        row += 1;
        let [low, high] = if row <= 1000 { train } else { valid };
        let day = dice.uniform(low, high);
        let temperature = 10.0 - 12.0 * (TAU * day).cos() + 3.0 * dice.normal();
        let [wind, cloud] = [(); 2].map(|()| dice.normal());
        let warmth = (0.3 * (temperature - 8.0)).exp().ln_1p();
        let speed = warmth * (1.0 + 0.4 * wind.tanh()) - 0.5 * cloud;
        (vec![temperature, wind, cloud], vec![speed])
    });
    let data = data.standard_inputs().standard_targets();
    Program {
        rate: 4e-3,
        epochs: 25,
        ..Program::new(data, mlp(&[3, 32, 32, 1], Act::Tanh, GLOROT), MEAN_SQUARED)
    }
}

/// What a parcel costs, of its post code, one of 25, and two numbers; `code` writes the post code down.
pub(super) fn parcels(seed: u64, code: fn(usize) -> Vec<f32>) -> Program {
    let mut dice = Dice::new(seed + 5009);
    let costs: Vec<f32> = (0..25).map(|_| dice.normal()).collect();
    let data = made(1300, 1000, Task::Numbers, || {
        let place = dice.below(25);
        let [weight, size] = [(); 2].map(|()| dice.normal());
        let mut row = code(place);
        row.extend([weight, size]);
        (row, vec![costs[place] + 0.4 * weight + 0.3 * weight * size])
    });
    let data = data.standard_inputs().standard_targets();
    let width = data.width();
    let layers = mlp(&[width, 24, 1], Act::Relu, HE);
    Program {
        rate: 4e-3,
        epochs: 20,
        ..Program::new(data, layers, MEAN_SQUARED)
    }
}
