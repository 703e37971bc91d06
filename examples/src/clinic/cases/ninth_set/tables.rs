//! Tables of the ninth set, and the programs that learn them.

use super::super::bases::made;
use crate::clinic::data::{Data, Dice, Task};
use crate::clinic::layer::{Act, GLOROT, HE, Layer, batch_normed, dense, ending_in, mlp, normed};
use crate::clinic::loss::{
    BINARY_CROSS_ENTROPY, CROSS_ENTROPY, CROSS_ENTROPY_MORE_OF_ONE, HUBER, MEAN_SQUARED,
};
use crate::clinic::program::{Program, Rule};
use std::f64::consts::PI;

/// 1 for true.
pub(super) fn bit(is: bool) -> f32 {
    f32::from(u8::from(is))
}

/// The place of the largest.
pub(super) fn largest(scores: &[f32]) -> usize {
    let best = |best: usize, i: usize| if scores[i] > scores[best] { i } else { best };
    (1..scores.len()).fold(0, best)
}

/// `count` columns, of which the one at `place` is 1 and the others are 0.
fn one_hot(place: usize, count: usize) -> impl Iterator<Item = f32> {
    (0..count).map(move |other| bit(other == place))
}

/// True with this log-odds.
fn happens(odds: f32, dice: &mut Dice) -> bool {
    dice.uniform(0.0, 1.0) < 1.0 / (1.0 + (-odds).exp())
}

/// The first `count` columns standardised; columns of zeros and ones behind them stay as they are.
fn standard_first(count: usize, data: Data) -> Data {
    let mut raw = data.clone();
    let mut data = data.standard_inputs();
    for (rows, raw) in data.parts().into_iter().zip(raw.parts()) {
        for (row, raw) in rows.inputs.iter_mut().zip(&raw.inputs) {
            row[count..].copy_from_slice(&raw[count..]);
        }
    }
    data
}

/// The first `count` columns from 0, the least of the training part, to 1, the largest.
fn from_0_to_1(count: usize, data: Data) -> Data {
    let bounds: Vec<[f32; 2]> = (0..count)
        .map(|column| {
            let values = data.train.inputs.iter().map(|row| row[column]);
            [
                values.clone().fold(f32::INFINITY, f32::min),
                values.fold(f32::NEG_INFINITY, f32::max),
            ]
        })
        .collect();
    data.map_inputs(|column, value| match bounds.get(column) {
        Some([low, high]) => (value - low) / (high - low),
        None => value,
    })
}

/// Whether a patient has diabetes, of six measures: linear in them, and left to chance in part.
pub(super) fn patients(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 9001);
    let data = made(1500, 700, Task::Classes(2), || {
        let z: Vec<f32> = (0..5).map(|_| dice.normal()).collect();
        let glucose = 120.0 + 30.0 * z[0];
        let mass = 32.0 + 6.5 * (0.3 * z[0] + 0.95 * z[1]);
        let age = 21.0 + (10.0 + 10.0 * z[2]).abs();
        let pressure = 70.0 + 12.0 * (0.4 * z[1] + 0.9 * z[3]);
        let family = (-0.8 + 0.6 * z[4]).exp();
        let births = dice.below(7) as f32;
        let odds = 0.05 * (glucose - 120.0)
            + 0.1 * (mass - 32.0)
            + 0.05 * (age - 33.0)
            + 0.9 * (family - 0.5)
            + 0.1 * (births - 3.0)
            - 1.0;
        let row = vec![glucose, mass, age, pressure, family, births];
        (row, vec![bit(happens(odds, &mut dice))])
    });
    Program {
        rate: 5e-3,
        epochs: 20,
        ..Program::new(
            data.standard_inputs(),
            ending_in(vec![dense(6, 1, GLOROT)], Act::Sigmoid),
            BINARY_CROSS_ENTROPY,
        )
    }
}

/// Whether somebody earns much, a fifth does: age, hours in a week, years of school, dollars gained with stocks,
/// which are 0 for nearly all, and columns of zeros and ones for the sex, the family and the occupation.
pub(super) fn census(seed: u64) -> Data {
    const OCCUPATIONS: [f32; 6] = [1.1, 0.8, 0.1, -0.4, -0.9, -1.3];
    let mut dice = Dice::new(seed + 9002);
    made(3200, 2400, Task::Classes(2), || {
        let age = dice.uniform(17.0, 75.0).round();
        let hours = (41.0 + 11.0 * dice.normal()).clamp(5.0, 99.0).round();
        let school = (10.0 + 2.6 * dice.normal()).clamp(1.0, 16.0).round();
        let has_gain = dice.below(12) == 0;
        let gain = (bit(has_gain) * (8.3 + dice.normal()).exp())
            .round()
            .min(99_999.0);
        let (sex, family, work) = (dice.below(2), dice.below(4), dice.below(6));
        let years = (age - 44.0) / 15.0;
        let odds = 0.9 * years - 0.7 * years * years
            + 0.045 * (hours - 40.0)
            + 0.4 * (school - 10.0)
            + 2.2 * bit(family == 0)
            + 0.3 * bit(sex == 1)
            + OCCUPATIONS[work]
            + 4.0 * bit(gain > 5000.0)
            - 2.4;
        let mut row = vec![age, hours, school, gain, sex as f32];
        row.extend(one_hot(family, 4).chain(one_hot(work, 6)));
        (row, vec![bit(happens(1.5 * odds, &mut dice))])
    })
}

/// The census with the logarithm of the dollars, and measures of deviation 1.
pub(super) fn incomes(seed: u64) -> Program {
    let data = census(seed).map_inputs(|column, value| match column {
        3 => value.ln_1p(),
        _ => value,
    });
    let dropped = |width| {
        [
            dense(width, 32, HE),
            Layer::Act(Act::Relu),
            Layer::Dropout(0.2),
        ]
    };
    let layers = dropped(15).into_iter().chain(dropped(32));
    Program {
        batch: 64,
        rate: 2e-3,
        epochs: 20,
        patience: Some(4),
        ..Program::new(
            standard_first(4, data),
            layers.chain([dense(32, 2, GLOROT)]).collect(),
            CROSS_ENTROPY,
        )
    }
}

/// The census by momentum.
pub(super) fn descended_incomes(seed: u64) -> Program {
    Program {
        rule: Rule::Momentum(0.9),
        rate: 0.02,
        batch: 32,
        epochs: 8,
        patience: None,
        layers: mlp(&[15, 32, 2], Act::Relu, HE),
        ..incomes(seed)
    }
}

/// Which of five kinds of trees stand on a hill, of its height, slope, light and soil.
pub(super) fn forests(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 9003);
    let data = made(6000, 5000, Task::Classes(5), || {
        let z: Vec<f32> = (0..4).map(|_| dice.normal()).collect();
        let (aspect, soil) = (dice.uniform(0.0, std::f32::consts::TAU), dice.below(6));
        let height = 2800.0 + 300.0 * z[0];
        let slope = (14.0 + 7.0 * z[1]).abs();
        let water = 250.0 * (0.6 * z[2]).exp();
        let road = 2000.0 * (0.5 * z[3] + 0.2 * z[0]).exp();
        let north = aspect.cos();
        let trees = [
            1.6 * z[0] + 0.6 * bit(soil < 2),
            0.9 - 0.8 * z[0] * z[0] + 0.8 * z[3],
            -1.2 * z[0] + 0.8 * north * z[1] + 0.7 * bit(soil == 3),
            1.3 * z[2] - 0.5 * z[0] + 0.8 * bit(soil > 3) - 0.2,
            -0.9 * z[2] + 1.1 * z[1] - 0.8 * north - 0.2,
        ];
        let trees = trees.map(|fit| fit + 0.2 * dice.normal());
        let mut row = vec![height, slope, water, road, north, aspect.sin()];
        row.extend(one_hot(soil, 6));
        (row, vec![largest(&trees) as f32])
    });
    Program {
        rule: Rule::Momentum(0.9),
        rate: 0.05,
        batch: 128,
        epochs: 14,
        decay: Some(1e-4),
        // Forty batches in an epoch.
        schedule: Some(|step| 0.5 + 0.5 * (PI * step as f64 / 560.0).cos()),
        ..Program::new(
            data.standard_inputs(),
            batch_normed(mlp(&[12, 64, 64, 5], Act::Relu, HE)),
            CROSS_ENTROPY,
        )
    }
}

/// Who came off a sinking ferry, of the class, the sex, the age in five steps, the family on board and one of three
/// ports: some 800 different rows, of which many are drawn more than once.
pub(super) fn ferry(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 9004);
    let data = made(1500, 700, Task::Classes(2), || {
        let (class, sex, age) = (dice.below(3), dice.below(2), dice.below(5));
        let family = [0, 0, 0, 1, 1, 2][dice.below(6)];
        let port = [0, 0, 0, 1, 2][dice.below(5)];
        let odds = 2.6 * sex as f32 - 1.1 * class as f32 + 1.8 * bit(age == 0)
            - 0.4 * family as f32
            - 1.0 * bit(class == 2 && family == 2)
            + 0.3 * bit(port == 1)
            - 0.3;
        let row = [class, sex, age, family].map(|number| number as f32);
        let row = row.into_iter().chain(one_hot(port, 3));
        (row.collect(), vec![bit(happens(1.3 * odds, &mut dice))])
    });
    Program {
        rate: 3e-3,
        epochs: 40,
        batch: 16,
        decay: Some(1e-3),
        patience: Some(6),
        ..Program::new(
            standard_first(4, data),
            ending_in(mlp(&[7, 16, 1], Act::Relu, HE), Act::Sigmoid),
            BINARY_CROSS_ENTROPY,
        )
    }
}

/// Which of seven beans it is, of ten measures that say nearly the same: two of a shape, and one of a size.
pub(super) fn beans(seed: u64) -> Program {
    const SHAPES: [[f32; 3]; 7] = [
        [0.0, 0.0, 0.0],
        [1.9, 0.4, 0.3],
        [-1.8, 0.6, 0.5],
        [0.3, 1.9, -0.8],
        [-0.2, -1.8, 0.9],
        [1.4, -1.5, -0.7],
        [-1.5, -1.2, -1.6],
    ];
    // The same measures whatever the seed.
    let mut dice = Dice::new(9005);
    let mix: Vec<f32> = (0..30).map(|_| dice.normal()).collect();
    let mut dice = Dice::new(seed + 9005);
    let data = made(3000, 2100, Task::Classes(7), || {
        let bean = dice.below(7);
        let shape = SHAPES[bean].map(|centre| centre + 0.5 * dice.normal());
        let measure = |i: usize| {
            let sum: f32 = (0..3).map(|k| mix[3 * i + k] * shape[k]).sum();
            sum + 0.05 * dice.normal()
        };
        ((0..10).map(measure).collect(), vec![bean as f32])
    });
    Program {
        rule: Rule::AdamW,
        rate: 3e-3,
        decay: Some(0.01),
        epochs: 15,
        batch: 64,
        ..Program::new(
            data.standard_inputs(),
            normed(mlp(&[10, 48, 48, 7], Act::Relu, HE), Layer::LayerNorm),
            CROSS_ENTROPY,
        )
    }
}

/// Whether a machine fails: eight of a hundred do, by heat, by too much power, or by wear; failures weigh four times as
/// much in the loss.
pub(super) fn machines(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 9006);
    let data = made(4200, 3200, Task::Classes(2), || {
        let z: Vec<f32> = (0..4).map(|_| dice.normal()).collect();
        let wear = dice.uniform(0.0, 250.0);
        let torque = 40.0 + 10.0 * z[0];
        let speed = 1540.0 + 180.0 * (0.6 * z[1] - 0.8 * z[0]);
        let warm = 300.0 + 2.0 * z[2];
        let hot = warm + 10.0 + z[3];
        let power = torque * speed / 9550.0;
        let fails = power > 8.0 || (wear > 190.0 && torque > 48.0) || hot - warm < 8.3;
        (vec![torque, speed, warm, hot, wear], vec![bit(fails)])
    });
    Program {
        rate: 6e-3,
        epochs: 50,
        batch: 64,
        // Fifty batches in an epoch.
        schedule: Some(|step| 0.5 + 0.5 * (PI * step as f64 / 2500.0).cos()),
        ..Program::new(
            data.standard_inputs(),
            mlp(&[5, 32, 32, 2], Act::Relu, HE),
            CROSS_ENTROPY_MORE_OF_ONE,
        )
    }
}

/// Whether a mushroom is poisonous, of six marks with two to six values each, a column for each value: no row is left
/// to chance.
pub(super) fn mushrooms(seed: u64) -> Program {
    const VALUES: [usize; 6] = [5, 6, 4, 3, 2, 5];
    let mut dice = Dice::new(seed + 9007);
    let data = made(2000, 1500, Task::Classes(2), || {
        let marks = VALUES.map(|count| dice.below(count));
        let [_, colour, smell, gills, _, place] = marks;
        let is_bad = smell == 3
            || (smell == 0 && (colour == 1 || colour == 4))
            || (gills == 2 && (place == 0 || place == 3));
        let columns = marks.into_iter().zip(VALUES);
        let row = columns.flat_map(|(mark, count)| one_hot(mark, count));
        (row.collect(), vec![bit(is_bad)])
    });
    Program {
        rate: 3e-3,
        epochs: 15,
        ..Program::new(
            data,
            ending_in(mlp(&[25, 32, 1], Act::Relu, HE), Act::Sigmoid),
            BINARY_CROSS_ENTROPY,
        )
    }
}

/// What a flat costs in euros, of its size, rooms, floor, distance, year and district; some prices are far from what
/// these tell.
pub(super) fn market(seed: u64) -> Data {
    const DISTRICTS: [f32; 5] = [0.35, 0.1, 0.0, -0.15, -0.3];
    let mut dice = Dice::new(seed + 9008);
    made(1900, 1400, Task::Numbers, || {
        let size = (4.2 + 0.4 * dice.normal()).exp();
        let rooms = (size / 28.0 + 0.5 * dice.normal()).round().clamp(1.0, 8.0);
        let floor = dice.below(9) as f32;
        let far = 5.0 * (0.6 * dice.normal()).exp();
        let year = dice.uniform(1900.0, 2020.0).round();
        let district = dice.below(5);
        let old = (1960.0 - year) / 60.0;
        let is_odd = dice.below(25) == 0;
        let worth = 8.5 + 0.9 * size.ln() - 0.25 * far.ln()
            + 0.02 * floor
            + 0.25 * old * old
            + DISTRICTS[district]
            + (0.1 + 0.3 * bit(is_odd)) * dice.normal();
        let mut row = vec![size, rooms, floor, far, year];
        row.extend(one_hot(district, 5));
        (row, vec![worth.exp()])
    })
}

/// The flats with standardised logarithms of prices.
pub(super) fn flats(seed: u64) -> Program {
    Program {
        rate: 4e-3,
        epochs: 25,
        // Forty-four batches in an epoch.
        schedule: Some(|step| [1.0, 0.3, 0.1][(step / 400).min(2)]),
        ..Program::new(
            standard_first(5, market(seed))
                .map_targets(f32::ln)
                .standard_targets(),
            mlp(&[10, 32, 32, 1], Act::Relu, HE),
            HUBER,
        )
    }
}

/// How loud a wing is, of the frequency, its angle, its length, the speed and the thickness.
pub(super) fn wings(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 9009);
    let data = made(1500, 1100, Task::Numbers, || {
        let octave = dice.uniform(-2.0, 2.0);
        let z: Vec<f32> = (0..4).map(|_| dice.uniform(-1.7, 1.7)).collect();
        let peak = 0.5 * z[2] - 0.4 * z[1] - 0.5 * z[3];
        let loud = 2.0 - 0.5 * (octave - peak).powi(2) + 0.6 * z[2] + 0.4 * z[0] * z[3];
        let row = vec![
            1600.0 * octave.exp2(),
            7.0 + 5.0 * z[0],
            0.14 + 0.08 * z[1],
            50.0 + 15.0 * z[2],
            0.011 + 0.006 * z[3],
        ];
        (row, vec![124.0 + 6.0 * (loud + 0.1 * dice.normal())])
    });
    let data = data.map_inputs(|column, value| match column {
        0 => value.ln(),
        _ => value,
    });
    Program {
        rate: 4e-3,
        epochs: 40,
        ..Program::new(
            data.standard_inputs().standard_targets(),
            mlp(&[5, 48, 48, 1], Act::Relu, HE),
            MEAN_SQUARED,
        )
    }
}

/// The rings of a crab, of three lengths and three weights that grow together, and its sex: nearly half of it cannot be
/// told.
pub(super) fn crabs(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 9010);
    let data = made(3600, 2600, Task::Numbers, || {
        let age = 9.5 * (0.33 * dice.normal()).exp();
        let grown = 1.0 - (-0.25 * age).exp();
        let length = 0.62 * grown * (0.09 * dice.normal()).exp();
        let width = 0.8 * length * (0.04 * dice.normal()).exp();
        let height = 0.28 * length * (0.1 * dice.normal()).exp();
        let whole = 16.0 * length * width * height * (0.08 * dice.normal()).exp();
        let meat = 0.43 * whole * (0.1 * dice.normal()).exp();
        let shell = 0.28 * whole * (age / 9.5).powf(0.4) * (0.1 * dice.normal()).exp();
        let sex = if age < 6.5 { 2 } else { dice.below(2) };
        let rings = (age + 0.6 * dice.normal()).round();
        let mut row = vec![length, width, height, whole, meat, shell];
        row.extend(one_hot(sex, 3));
        (row, vec![rings])
    });
    Program {
        rate: 2e-3,
        epochs: 15,
        ..Program::new(
            standard_first(6, data).standard_targets(),
            mlp(&[9, 32, 1], Act::Relu, HE),
            MEAN_SQUARED,
        )
    }
}

/// How long a delivery takes, of six measures: a plane, and a hundred rows to find it.
pub(super) fn deliveries(seed: u64) -> Program {
    const MINUTES: [f32; 6] = [6.0, 3.5, -2.0, 1.5, 0.0, 0.8];
    let mut dice = Dice::new(seed + 9011);
    let data = made(500, 100, Task::Numbers, || {
        let z: Vec<f32> = (0..6).map(|_| dice.normal()).collect();
        let late: f32 = z.iter().zip(MINUTES).map(|(z, minutes)| z * minutes).sum();
        let row = vec![
            4.0 + 2.0 * z[0],
            3.0 + z[1],
            25.0 + 8.0 * z[2],
            0.4 + 0.2 * z[3],
            12.0 + 4.0 * z[4],
            (2.0 + z[5]).max(0.0),
        ];
        (row, vec![32.0 + late + 3.0 * dice.normal()])
    });
    Program {
        rate: 2e-2,
        batch: 20,
        epochs: 50,
        decay: Some(1e-3),
        ..Program::new(
            data.standard_inputs().standard_targets(),
            vec![dense(6, 1, GLOROT)],
            MEAN_SQUARED,
        )
    }
}

/// The standardised logarithm of what an insurance pays, of age, mass and children from 0 to 1, and of zeros and ones for
/// smoking, the sex and four regions.
pub(super) fn charges(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 9012);
    let data = made(1900, 1400, Task::Numbers, || {
        let age = dice.uniform(18.0, 64.0).round();
        let mass = (30.5 + 6.0 * dice.normal()).clamp(15.0, 54.0);
        let children = [0, 0, 0, 1, 1, 2, 3, 5][dice.below(8)] as f32;
        let smokes = bit(dice.below(5) == 0);
        let (sex, region) = (dice.below(2), dice.below(4));
        let paid = 0.034 * (age - 40.0)
            + 0.1 * children
            + smokes * (1.3 + 0.9 * bit(mass > 30.0) - 0.02 * (age - 40.0))
            + 0.05 * region as f32
            + 0.3 * dice.normal();
        let mut row = vec![age, mass, children, smokes, sex as f32];
        row.extend(one_hot(region, 4));
        (row, vec![paid])
    });
    Program {
        rate: 4e-3,
        epochs: 25,
        ..Program::new(
            from_0_to_1(3, data).standard_targets(),
            mlp(&[9, 32, 16, 1], Act::Relu, HE),
            MEAN_SQUARED,
        )
    }
}

/// Twenty readings of a plant that five causes move, some of them bent, through five numbers and back.
pub(super) fn plant(seed: u64) -> Program {
    // The same plant whatever the seed.
    let mut dice = Dice::new(9013);
    let mix: Vec<f32> = (0..100).map(|_| dice.normal()).collect();
    let mut dice = Dice::new(seed + 9013);
    let data = made(2000, 1500, Task::Numbers, || {
        let causes: Vec<f32> = (0..5).map(|_| dice.normal()).collect();
        let reading = |i: usize| {
            let sum: f32 = (0..5).map(|k| mix[5 * i + k] * causes[k]).sum();
            let bent = if i.is_multiple_of(2) {
                sum
            } else {
                2.0 * (0.5 * sum).tanh()
            };
            bent + 0.3 * dice.normal()
        };
        ((0..20).map(reading).collect(), vec![0.0])
    });
    Program {
        rate: 3e-3,
        epochs: 25,
        ..Program::new(
            data.standard_inputs().reconstructed(),
            mlp(&[20, 40, 5, 40, 20], Act::Elu, GLOROT),
            MEAN_SQUARED,
        )
    }
}

/// How many scooters are taken in an hour, standardised, of the station, the day and the hour as numbers of vectors.
pub(super) fn scooters(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 9015);
    let sizes: Vec<f32> = (0..20).map(|_| 0.5 * dice.normal()).collect();
    let is_office: Vec<bool> = (0..20).map(|_| dice.below(2) == 0).collect();
    let data = made(5000, 4200, Task::Numbers, || {
        let (station, day, hour) = (dice.below(20), dice.below(7), dice.below(24));
        let at = |peak: f32, width: f32| (-((hour as f32 - peak) / width).powi(2)).exp();
        let rush = if is_office[station] {
            at(17.5, 2.5)
        } else {
            at(8.0, 2.0)
        };
        let taken = sizes[station]
            + if day < 5 {
                2.2 * rush
            } else {
                1.2 * at(14.0, 4.0)
            }
            + 0.4 * at(13.0, 6.0)
            + 0.25 * dice.normal();
        let row = [station, 20 + day, 27 + hour].map(|number| number as f32);
        (row.to_vec(), vec![taken])
    });
    let layers = vec![
        Layer::Embedding {
            count: 51,
            width: 8,
        },
        dense(24, 48, HE),
        Layer::Act(Act::Relu),
        dense(48, 1, GLOROT),
    ];
    Program {
        rate: 4e-3,
        batch: 64,
        epochs: 45,
        ..Program::new(data.standard_targets(), layers, MEAN_SQUARED)
    }
}
