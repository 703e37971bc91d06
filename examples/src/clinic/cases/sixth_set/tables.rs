//! Tables of the sixth set: rows of measures, and programs that work on them.

use super::super::bases::made;
use crate::clinic::data::{Data, Dice, Task};
use crate::clinic::layer::{Act, GLOROT, HE, ending_in, mlp};
use crate::clinic::loss::{BINARY_CROSS_ENTROPY, CROSS_ENTROPY, MEAN_SQUARED};
use crate::clinic::program::Program;
use std::f32::consts::{PI, TAU};

/// Which of three grades a wine got, of eight measures in the units of a laboratory: grams and milligrams in a
/// litre, a density about 1, per cent.
pub(super) fn measured(seed: u64) -> Data {
    let mut dice = Dice::new(seed + 6001);
    made(2800, 2400, Task::Classes(3), || {
        let z: [f32; 8] = [(); 8].map(|()| dice.normal());
        let liking = z[7] - 0.8 * z[1] + 0.7 * z[0] * z[6] + 0.5 - 0.5 * z[4] * z[4];
        let liking = liking + 0.15 * dice.normal();
        let grade = if liking < -0.5 {
            0.0
        } else if liking < 0.6 {
            1.0
        } else {
            2.0
        };
        let wine = vec![
            7.0 + 1.5 * z[0],
            0.5 + 0.18 * z[1],
            (0.9 + 0.5 * z[2]).exp(),
            0.08 * (0.3 * z[3]).exp(),
            120.0 + 40.0 * z[4],
            0.997 + 0.002 * z[5],
            3.3 + 0.15 * z[6],
            10.4 + 1.1 * z[7],
        ];
        (wine, vec![grade])
    })
}

/// The same, standardised.
pub(super) fn wines(seed: u64) -> Program {
    let layers = mlp(&[8, 32, 32, 3], Act::Tanh, GLOROT);
    Program {
        rate: 5e-3,
        epochs: 12,
        ..Program::new(measured(seed).standard_inputs(), layers, CROSS_ENTROPY)
    }
}

/// Whether a patient falls ill, of nine findings, of which some are yes or no; `clear` says how little is left
/// to chance.
pub(super) fn examined(seed: u64, clear: f32) -> Data {
    let mut dice = Dice::new(seed + 6002);
    let data = made(2800, 2400, Task::Classes(2), || {
        let age = dice.uniform(30.0, 80.0);
        let [pressure, cholesterol, pulse, lead] = [(); 4].map(|()| dice.normal());
        let [woman, angina, sugar] = [(); 3].map(|()| dice.below(2) as f32);
        let vessels = dice.below(4) as f32;
        let risk = 0.06 * (age - 55.0) + 1.2 * (angina - 0.5) - 0.8 * (woman - 0.5)
            + 0.7 * (vessels - 1.5)
            + 0.8 * lead * pulse
            + 0.4 * cholesterol;
        let chance = 1.0 / (1.0 + (-clear * risk).exp());
        let ill = f32::from(u8::from(dice.uniform(0.0, 1.0) < chance));
        let patient = vec![
            age,
            woman,
            angina,
            130.0 + 18.0 * pressure,
            240.0 + 50.0 * cholesterol,
            sugar,
            150.0 + 23.0 * pulse,
            lead,
            vessels,
        ];
        (patient, vec![ill])
    });
    data.standard_inputs()
}

/// Clear cases of it, with one probability.
pub(super) fn patients(seed: u64) -> Program {
    let layers = ending_in(mlp(&[9, 24, 24, 1], Act::Relu, HE), Act::Sigmoid);
    Program {
        rate: 2e-3,
        epochs: 10,
        ..Program::new(examined(seed, 6.0), layers, BINARY_CROSS_ENTROPY)
    }
}

/// How many bicycles are hired in an hour: the hour as an angle, temperature, humidity, wind, a working day or
/// not. The last two numbers are how many of them casual and registered riders hire.
fn hired(dice: &mut Dice) -> ([f32; 6], [f32; 2]) {
    let hour = dice.uniform(0.0, 24.0);
    let [temperature, humidity, wind] = [(); 3].map(|()| dice.normal());
    let working = f32::from(u8::from(dice.below(7) < 5));
    let peak = |at: f32, width: f32| (-((hour - at) / width).powi(2)).exp();
    let comfort = 1.0 + 0.4 * temperature - 0.15 * humidity.max(0.0) - 0.05 * wind;
    let to_work = 380.0 * (peak(8.0, 1.8) + 1.2 * peak(17.5, 2.2));
    let at_leisure = 300.0 * peak(14.0, 4.0);
    let registered = 20.0 + working * to_work + 0.2 * (1.0 - working) * at_leisure;
    let casual = 5.0 + (1.0 - 0.7 * working) * at_leisure;
    let noise = [(); 2].map(|()| 1.0 + 0.15 * dice.normal());
    let riders = [casual * noise[0], registered * noise[1]].map(|riders| {
        let riders = riders * comfort.max(0.1);
        riders.max(0.0).round()
    });
    let angle = TAU * hour / 24.0;
    let weather = [
        angle.sin(),
        angle.cos(),
        temperature,
        humidity,
        wind,
        working,
    ];
    (weather, riders)
}

/// The number of bicycles, of the hour and the weather, and with the two numbers of riders if `by_rider`.
pub(super) fn counted(seed: u64, by_rider: bool) -> Data {
    let mut dice = Dice::new(seed + 6003);
    made(3500, 3000, Task::Numbers, || {
        let (weather, riders) = hired(&mut dice);
        let mut row = weather.to_vec();
        if by_rider {
            row.extend(riders);
        }
        (row, vec![riders[0] + riders[1]])
    })
}

/// The same, standardised.
pub(super) fn bicycles(seed: u64) -> Program {
    let data = counted(seed, false).standard_inputs().standard_targets();
    Program {
        rate: 5e-3,
        epochs: 8,
        ..Program::new(data, mlp(&[6, 40, 40, 1], Act::Relu, HE), MEAN_SQUARED)
    }
}

/// The strength of concrete in megapascals, of seven parts of the mixture in kilograms and the age in days.
pub(super) fn poured(seed: u64) -> Data {
    let mut dice = Dice::new(seed + 6004);
    made(1200, 900, Task::Numbers, || {
        let cement = dice.uniform(120.0, 520.0);
        let slag = dice.uniform(0.0, 300.0);
        let ash = dice.uniform(0.0, 180.0);
        let water = dice.uniform(130.0, 240.0);
        let plasticiser = dice.uniform(0.0, 25.0);
        let coarse = dice.uniform(800.0, 1150.0);
        let fine = dice.uniform(600.0, 950.0);
        let age = (dice.uniform(0.0, 1.0) * 365.0_f32.ln()).exp().round();
        let binder = (cement + 0.7 * slag + 0.4 * ash) / water;
        let ripe = age / (age + 9.0);
        let strength = 19.0 * binder * ripe + 0.5 * plasticiser * (1.0 - 0.01 * (coarse - 950.0));
        let mix = vec![cement, slag, ash, water, plasticiser, coarse, fine, age];
        (mix, vec![strength + 1.5 * dice.normal()])
    })
}

/// The same with the logarithm of the age, standardised.
pub(super) fn concrete(seed: u64) -> Program {
    let data = poured(seed).map_inputs(|column, value| match column {
        7 => value.ln(),
        _ => value,
    });
    let data = data.standard_inputs().standard_targets();
    Program {
        rate: 4e-3,
        epochs: 25,
        ..Program::new(data, mlp(&[8, 32, 32, 1], Act::Tanh, GLOROT), MEAN_SQUARED)
    }
}

/// How the speed and the angle of a driven pendulum change in three tenths of a second.
pub(super) fn pendulum(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 6005);
    let data = made(1300, 1000, Task::Numbers, || {
        let (start, torque) = (dice.uniform(-PI, PI), dice.uniform(-4.0, 4.0));
        let first = 2.0 * dice.normal();
        let (mut angle, mut speed) = (start, first);
        for _ in 0..6 {
            speed += 0.05 * (torque - 9.8 * angle.sin() - 0.2 * speed);
            angle += 0.05 * speed;
        }
        let change = vec![speed - first, 2.0 * (angle - start)];
        (vec![start / 1.8, first / 2.0, torque / 2.3], change)
    });
    Program {
        rate: 4e-3,
        epochs: 25,
        ..Program::new(
            data.standard_targets(),
            mlp(&[3, 32, 32, 2], Act::Tanh, GLOROT),
            MEAN_SQUARED,
        )
    }
}

/// Two half moons that hold each other, and one probability.
pub(super) fn moons(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 6006);
    let data = made(900, 600, Task::Classes(2), || {
        let class = dice.below(2) as f32;
        let angle = dice.uniform(0.0, PI);
        let (x, y) = match class {
            0.0 => (angle.cos(), angle.sin()),
            _ => (1.0 - angle.cos(), 0.5 - angle.sin()),
        };
        let point = vec![
            x - 0.5 + 0.12 * dice.normal(),
            y - 0.25 + 0.12 * dice.normal(),
        ];
        (point, vec![class])
    });
    let layers = ending_in(mlp(&[2, 16, 16, 1], Act::Relu, HE), Act::Sigmoid);
    Program {
        rate: 1e-2,
        epochs: 30,
        ..Program::new(data, layers, BINARY_CROSS_ENTROPY)
    }
}

/// How much it rains in an hour, of five measures: in six hours of ten not at all.
pub(super) fn rained(seed: u64, count: usize, train: usize) -> Data {
    let mut dice = Dice::new(seed + 6007);
    made(count, train, Task::Numbers, || {
        let z: [f32; 5] = [(); 5].map(|()| dice.normal());
        let wet = 1.2 * z[0] + 0.8 * z[1] * z[2] - 0.5 * z[3] - 0.4;
        (z.to_vec(), vec![wet.max(0.0)])
    })
}

/// The same, and a ReLU behind the last layer.
pub(super) fn rain(seed: u64) -> Program {
    let data = rained(seed, 1200, 900);
    let layers = ending_in(mlp(&[5, 32, 32, 1], Act::Relu, HE), Act::Relu);
    Program {
        rate: 3e-3,
        epochs: 20,
        ..Program::new(data, layers, MEAN_SQUARED)
    }
}
