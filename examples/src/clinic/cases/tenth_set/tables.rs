//! Tables of the tenth set, and the programs that learn them.

use super::super::bases::made;
use crate::clinic::data::{Data, Dice, Rows, Task};
use crate::clinic::layer::{
    Act, GLOROT, HE, Layer, batch_normed, behind_each_act, dense, ending_in, mlp, normed,
};
use crate::clinic::loss::{
    BINARY_CROSS_ENTROPY, CROSS_ENTROPY, CROSS_ENTROPY_MORE_OF_ONE, MEAN_SQUARED, POISSON,
};
use crate::clinic::program::{Program, Rule};
use std::f64::consts::PI;

/// 1 for true.
pub(super) fn bit(is: bool) -> f32 {
    f32::from(u8::from(is))
}

/// `count` columns, of which the one at `place` is 1 and the others are 0.
fn one_hot(place: usize, count: usize) -> impl Iterator<Item = f32> {
    (0..count).map(move |other| bit(other == place))
}

/// The probability that belongs to this log-odds.
fn chance(odds: f32) -> f32 {
    1.0 / (1.0 + (-odds).exp())
}

/// True with this log-odds.
pub(super) fn happens(odds: f32, dice: &mut Dice) -> bool {
    dice.uniform(0.0, 1.0) < chance(odds)
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

/// Whether a booking of a room is cancelled, of the days before it, nights, price, guests, wishes and earlier
/// cancellations, a column for each of four ways of booking, and one for a deposit: with the logarithm of the days, AdamW,
/// dropout and an early stop.
pub(super) fn cancelled(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 10_001);
    let data = made(4600, 3600, Task::Classes(2), || {
        let early = dice.normal();
        let lead = (3.5 + 1.1 * early).exp().min(500.0).round();
        let nights = 1.0 + dice.below(10) as f32;
        let price = (100.0 + 35.0 * dice.normal()).max(30.0);
        let (guests, wishes) = (1 + dice.below(4), dice.below(4));
        let before = [0, 0, 0, 0, 0, 0, 0, 1, 1, 3][dice.below(10)] as f32;
        let (way, deposit) = (dice.below(4), bit(dice.below(8) == 0));
        let odds = if way == 3 { -1.2 } else { 1.0 } * early + 1.4 * bit(way == 0)
            - 0.6 * bit(way == 2)
            - 0.7 * (wishes as f32 - 1.5)
            + 0.012 * (price - 100.0)
            + 1.0 * before
            - 2.0 * deposit
            - 0.6;
        let is_cancelled = happens(1.4 * odds, &mut dice);
        let mut row = vec![
            lead.ln_1p(),
            nights,
            price,
            guests as f32,
            wishes as f32,
            before,
        ];
        row.extend(one_hot(way, 4));
        row.push(deposit);
        (row, vec![bit(is_cancelled)])
    });
    Program {
        rule: Rule::AdamW,
        rate: 2e-3,
        decay: Some(0.01),
        batch: 128,
        epochs: 18,
        patience: Some(4),
        ..Program::new(
            standard_first(6, data),
            behind_each_act(mlp(&[11, 48, 24, 2], Act::Relu, HE), || Layer::Dropout(0.1)),
            CROSS_ENTROPY,
        )
    }
}

/// Whether a loan is not paid back, one of eight is not: a missed loan weighs four times as much as another.
pub(super) fn loans(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 10_002);
    let data = made(5000, 3800, Task::Classes(2), || {
        let z: Vec<f32> = (0..4).map(|_| dice.normal()).collect();
        let late = [0, 0, 0, 0, 1, 1, 2, 4][dice.below(8)] as f32;
        let term = dice.below(2);
        let burden = z[1] - 0.7 * z[0];
        let odds = 2.4 * burden + 1.6 * late + 1.2 * term as f32 - 1.0 * z[2]
            + 1.5 * bit(burden > 0.8 && late > 0.0)
            - 7.0;
        let row = vec![
            10.4 + 0.5 * z[0],
            9.2 + 0.6 * z[1],
            z[2],
            z[3],
            late,
            term as f32,
        ];
        (row, vec![bit(happens(2.5 * odds, &mut dice))])
    });
    Program {
        rate: 3e-3,
        batch: 64,
        epochs: 15,
        ..Program::new(
            data.standard_inputs(),
            mlp(&[6, 32, 16, 2], Act::Relu, HE),
            CROSS_ENTROPY_MORE_OF_ONE,
        )
    }
}

/// Which of three kinds a grain of wheat is, of seven measures: a hundred and fifty grains.
pub(super) fn wheat(seed: u64) -> Program {
    const CENTRES: [[f32; 2]; 3] = [[0.0, 1.1], [1.9, -0.5], [-1.9, -0.6]];
    const MIX: [[f32; 2]; 7] = [
        [1.0, 0.1],
        [0.95, 0.0],
        [0.2, 0.9],
        [0.9, -0.2],
        [0.95, 0.3],
        [-0.3, -0.8],
        [0.8, -0.6],
    ];
    let mut dice = Dice::new(seed + 10_003);
    let data = made(650, 150, Task::Classes(3), || {
        let kind = dice.below(3);
        let shape = CENTRES[kind].map(|centre| centre + 0.6 * dice.normal());
        let measure = |mix: [f32; 2]| mix[0] * shape[0] + mix[1] * shape[1] + 0.25 * dice.normal();
        (MIX.map(measure).to_vec(), vec![kind as f32])
    });
    Program {
        rule: Rule::Momentum(0.9),
        rate: 0.01,
        batch: 10,
        epochs: 40,
        decay: Some(1e-3),
        ..Program::new(
            data.standard_inputs(),
            mlp(&[7, 12, 3], Act::Tanh, GLOROT),
            CROSS_ENTROPY,
        )
    }
}

/// Whether the bill of a credit card will not be paid, of twelve columns, in batches of 512.
pub(super) fn cards(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 10_005);
    let data = made(8000, 6500, Task::Classes(2), || {
        let debt = dice.normal();
        let bills: Vec<f32> = (0..4).map(|_| 0.8 * debt + 0.6 * dice.normal()).collect();
        let paid: Vec<f32> = (0..4).map(|_| dice.normal()).collect();
        let delay = [0, 0, 0, 0, 0, 1, 1, 2, 3][dice.below(9)] as f32;
        let (limit, age) = (dice.normal(), dice.uniform(-1.7, 1.7));
        let odds = 1.6 * delay - 0.9 * limit - 0.8 * paid[0] - 0.4 * paid[1]
            + 0.9 * bills[0] * bit(delay > 0.0)
            + 0.5 * age * age
            - 1.8;
        let mut row = bills;
        row.extend(paid);
        row.extend([delay, limit, age, bit(dice.below(2) == 0)]);
        (row, vec![bit(happens(1.5 * odds, &mut dice))])
    });
    Program {
        rate: 5e-3,
        batch: 512,
        epochs: 20,
        ..Program::new(
            data.standard_inputs(),
            ending_in(mlp(&[12, 32, 16, 1], Act::Relu, HE), Act::Sigmoid),
            BINARY_CROSS_ENTROPY,
        )
    }
}

/// Which of five things a connection in a network is: seconds, bytes sent and received, connections to the same machine
/// and to the same service, two shares, and a column for each of three protocols.
pub(super) fn connections(seed: u64) -> Data {
    // Means of the logarithms of five columns, and of two shares.
    const KINDS: [[f32; 7]; 5] = [
        [1.0, 6.5, 8.0, 1.5, 1.5, 0.05, 0.9],
        [0.1, 3.0, 0.5, 5.5, 4.8, 0.8, 0.6],
        [0.2, 2.5, 1.5, 4.5, 1.0, 0.5, 0.1],
        [3.5, 5.5, 6.5, 0.7, 0.7, 0.05, 0.9],
        [2.0, 7.5, 6.5, 1.2, 1.0, 0.3, 0.8],
    ];
    let mut dice = Dice::new(seed + 10_006);
    made(4600, 3600, Task::Classes(5), || {
        let kind = [0, 0, 0, 1, 1, 2, 2, 3, 4, 4][dice.below(10)];
        let mut row: Vec<f32> = (0..7)
            .map(|i| match i {
                0 | 3 | 4 => (KINDS[kind][i] + 0.8 * dice.normal()).exp().round(),
                1 | 2 => (KINDS[kind][i] + 1.3 * dice.normal()).exp().round(),
                _ => (KINDS[kind][i] + 0.2 * dice.normal()).clamp(0.0, 1.0),
            })
            .collect();
        let protocol = match dice.below(4) {
            0 => dice.below(3),
            _ => [0, 1, 0, 0, 2][kind],
        };
        row.extend(one_hot(protocol, 3));
        (row, vec![kind as f32])
    })
}

/// The connections with logarithms of the first five columns and batch norm.
pub(super) fn intrusions(seed: u64) -> Program {
    let data = connections(seed).map_inputs(|column, value| match column {
        0..5 => value.ln_1p(),
        _ => value,
    });
    Program {
        rate: 3e-3,
        batch: 64,
        epochs: 8,
        ..Program::new(
            standard_first(7, data),
            batch_normed(mlp(&[10, 48, 32, 5], Act::Relu, HE)),
            CROSS_ENTROPY,
        )
    }
}

/// The same by momentum and without a norm.
pub(super) fn rolled_intrusions(seed: u64) -> Program {
    Program {
        rule: Rule::Momentum(0.9),
        rate: 0.02,
        layers: mlp(&[10, 48, 32, 5], Act::Relu, HE),
        ..intrusions(seed)
    }
}

/// Whether a subscriber leaves in a month, a row for each month that somebody has stayed: of the month, the plan, the
/// hours and the complaints. One row of seven is the last of somebody.
pub(super) fn leavers(seed: u64) -> Program {
    fn rows(people: usize, dice: &mut Dice) -> Rows {
        let mut rows = Rows::default();
        for _ in 0..people {
            let (plan, loyal) = (dice.below(3), dice.normal());
            for month in 0..12 {
                let hours = 0.7 * loyal + 0.7 * dice.normal();
                let complaints = [0, 0, 0, 0, 1, 2][dice.below(6)] as f32;
                let odds = 1.4 * complaints - 1.2 * hours - 0.8 * plan as f32
                    + 1.8 * bit(month == 5 || month == 11)
                    - 0.08 * month as f32
                    - 2.1;
                let leaves = happens(odds, dice);
                let mut row = vec![hours, complaints - 0.5];
                row.extend(one_hot(plan, 3).chain(one_hot(month, 12)));
                rows.inputs.push(row);
                rows.targets.push(vec![bit(leaves)]);
                if leaves {
                    break;
                }
            }
        }
        rows
    }
    let mut dice = Dice::new(seed + 10_007);
    let data = Data {
        train: rows(900, &mut dice),
        valid: rows(600, &mut dice),
        task: Task::Numbers,
    };
    Program {
        rate: 3e-3,
        batch: 64,
        epochs: 10,
        decay: Some(1e-4),
        ..Program::new(
            data,
            ending_in(mlp(&[17, 12, 1], Act::Tanh, GLOROT), Act::Sigmoid),
            BINARY_CROSS_ENTROPY,
        )
    }
}

/// The probability that belongs to the score of a support vector machine: two numbers for six hundred rows.
pub(super) fn calibration(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 10_008);
    let data = made(2600, 600, Task::Numbers, || {
        let score = 1.2 * dice.normal() + 0.2;
        (
            vec![score],
            vec![bit(happens(2.4 * score - 0.7, &mut dice))],
        )
    });
    Program {
        rule: Rule::Momentum(0.9),
        rate: 0.05,
        batch: 60,
        epochs: 15,
        ..Program::new(
            data,
            ending_in(vec![dense(1, 1, GLOROT)], Act::Sigmoid),
            BINARY_CROSS_ENTROPY,
        )
    }
}

/// Whether a point of light is a star, a galaxy or a quasar, of four colours, a brightness and a redshift; three labels of
/// a hundred are drawn.
pub(super) fn sky(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 10_009);
    let data = made(5400, 4200, Task::Classes(3), || {
        let kind = dice.below(3);
        let warm = dice.normal();
        let shift = match kind {
            0 => 0.02 * dice.normal(),
            1 => (-1.6 + 0.7 * dice.normal()).exp(),
            _ => (-0.2 + 0.6 * dice.normal()).exp(),
        };
        let colours = match kind {
            0 => [1.4 + 0.5 * warm, 0.5 + 0.4 * warm, 0.2 + 0.3 * warm, 0.1],
            1 => [1.6 + 0.4 * shift, 0.9 + 0.6 * shift, 0.4, 0.3],
            _ => [0.4 + 0.3 * (3.0 * shift).sin(), 0.2, 0.15, 0.1],
        };
        let mut row: Vec<f32> = colours.map(|colour| colour + 0.25 * dice.normal()).to_vec();
        row.push(18.0 + 1.2 * dice.normal());
        // A redshift by colours only, which misses it by a tenth.
        row.push((shift + 0.12 * dice.normal()).max(-0.2));
        let label = if dice.below(100) < 3 {
            dice.below(3)
        } else {
            kind
        };
        (row, vec![label as f32])
    });
    Program {
        rule: Rule::Momentum(0.9),
        rate: 0.03,
        batch: 64,
        epochs: 15,
        decay: Some(1e-4),
        // Sixty-six batches in an epoch.
        schedule: Some(|step| [1.0, 0.1][(step / 660).min(1)]),
        ..Program::new(
            data.standard_inputs(),
            mlp(&[6, 48, 48, 3], Act::Relu, HE),
            CROSS_ENTROPY,
        )
    }
}

/// What a power plant gives, of the air's warmth, pressure and humidity and of a vacuum that goes with the warmth:
/// nearly a plane.
pub(super) fn power(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 10_020);
    let data = made(3400, 2500, Task::Numbers, || {
        let warm = dice.uniform(2.0, 36.0);
        let vacuum = 34.0 + 1.2 * warm + 6.0 * dice.normal();
        let pressure = 1013.0 - 0.25 * (warm - 19.0) + 5.0 * dice.normal();
        let humid = (88.0 - 0.8 * warm + 12.0 * dice.normal()).clamp(25.0, 100.0);
        let given = 497.0 - 1.7 * warm - 0.3 * (vacuum - 34.0) + 0.06 * (pressure - 1013.0)
            - 0.14 * humid
            + 6.0 * (-warm / 9.0).exp()
            + 3.8 * dice.normal();
        (vec![warm, vacuum, pressure, humid], vec![given])
    });
    Program {
        rate: 5e-3,
        batch: 64,
        epochs: 12,
        ..Program::new(
            data.standard_inputs().standard_targets(),
            mlp(&[4, 16, 1], Act::Tanh, GLOROT),
            MEAN_SQUARED,
        )
    }
}

/// How many metres a ball flies without air, of its speed, angle and height: nothing is left to chance.
pub(super) fn flights(seed: u64) -> Data {
    let mut dice = Dice::new(seed + 10_021);
    made(2600, 2000, Task::Numbers, || {
        let speed = dice.uniform(5.0, 30.0);
        let angle = dice.uniform(10.0, 80.0);
        let height = dice.uniform(0.0, 20.0);
        let (up, along) = angle.to_radians().sin_cos();
        let (up, along) = (speed * up, speed * along);
        let far = along / 9.81 * (up + (up * up + 2.0 * 9.81 * height).sqrt());
        (vec![speed, angle, height], vec![far])
    })
}

/// The flights, standardised, with a cosine of the rate.
pub(super) fn throws(seed: u64) -> Program {
    Program {
        rate: 5e-3,
        batch: 64,
        epochs: 40,
        // Thirty-two batches in an epoch.
        schedule: Some(|step| 0.5 + 0.5 * (PI * step as f64 / 1280.0).cos()),
        ..Program::new(
            flights(seed).standard_inputs().standard_targets(),
            mlp(&[3, 48, 48, 1], Act::Elu, HE),
            MEAN_SQUARED,
        )
    }
}

/// The same in a network with tanh units.
pub(super) fn bounded_throws(seed: u64) -> Program {
    Program {
        layers: mlp(&[3, 48, 48, 1], Act::Tanh, GLOROT),
        ..throws(seed)
    }
}

/// The logarithm of what holds a hull back, of five ratios of its shape and its speed: 240 runs in a basin.
pub(super) fn hulls(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 10_022);
    let data = made(740, 240, Task::Numbers, || {
        let shape: Vec<f32> = (0..5).map(|_| dice.uniform(-1.0, 1.0)).collect();
        // Fourteen speeds.
        let fast = 0.125 + 0.025 * dice.below(14) as f32;
        let held = 14.0 * (fast - 0.25)
            + 1.2 * ((fast - 0.36) * 25.0).tanh()
            + 0.3 * shape[0] * (fast - 0.28) * 8.0
            + 0.25 * shape[1]
            - 0.2 * shape[2] * shape[3]
            + 0.08 * dice.normal();
        let mut row = shape;
        row.push(fast);
        (row, vec![held])
    });
    Program {
        rate: 1e-2,
        batch: 16,
        epochs: 60,
        decay: Some(1e-4),
        ..Program::new(
            data.standard_inputs().standard_targets(),
            mlp(&[6, 24, 1], Act::Tanh, GLOROT),
            MEAN_SQUARED,
        )
    }
}

/// The same in a network of ReLUs by plain descent.
pub(super) fn descended_hulls(seed: u64) -> Program {
    Program {
        rule: Rule::Sgd,
        rate: 0.02,
        layers: mlp(&[6, 32, 32, 1], Act::Relu, HE),
        ..hulls(seed)
    }
}

/// The logarithm of what a used phone costs, of its price when new, age, storage, memory, battery and screen, and of six
/// makers.
pub(super) fn phones(seed: u64) -> Program {
    const MAKERS: [f32; 6] = [0.35, 0.15, 0.0, -0.1, -0.25, -0.4];
    let mut dice = Dice::new(seed + 10_023);
    let data = made(3200, 2400, Task::Numbers, || {
        let maker = dice.below(6);
        let storage = dice.below(4) as f32;
        let memory = (0.7 * storage + dice.uniform(0.0, 2.0)).round();
        let new = 6.0 + 0.2 * storage + MAKERS[maker] + 0.3 * dice.normal();
        let age = dice.uniform(1.0, 60.0);
        let battery = (100.0 - 0.35 * age + 4.0 * dice.normal()).clamp(60.0, 100.0);
        let screen = 6.1 + 0.4 * dice.normal();
        let cost = 0.9 * new - 0.022 * age * (1.0 - MAKERS[maker])
            + 0.02 * (battery - 90.0)
            + 0.1 * storage
            - 0.5 * bit(battery < 80.0)
            + 0.15 * dice.normal();
        let mut row = vec![new, age, storage, memory, battery, screen];
        row.extend(one_hot(maker, 6));
        (row, vec![cost])
    });
    Program {
        rule: Rule::AdamW,
        rate: 3e-3,
        decay: Some(0.02),
        batch: 64,
        epochs: 20,
        ..Program::new(
            standard_first(6, data).standard_targets(),
            normed(mlp(&[12, 48, 32, 1], Act::Relu, HE), Layer::LayerNorm),
            MEAN_SQUARED,
        )
    }
}

/// How many claims a driver makes in some years, of the age, the power, the town, the bonus and the years; the network
/// gives their logarithm, and its exponential is what Poisson's loss is told.
pub(super) fn claims(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 10_024);
    let data = made(6000, 4800, Task::Numbers, || {
        let age = dice.uniform(-1.7, 1.7);
        let z: Vec<f32> = (0..3).map(|_| dice.normal()).collect();
        let years = dice.uniform(0.5, 3.0);
        let region = dice.below(4);
        let expected = years
            * (0.35 * age * age - 0.3 * age + 0.3 * z[0] + 0.45 * z[1] - 0.5 * z[2]
                + 0.2 * region as f32
                - 1.0)
                .exp();
        // Knuth's way to draw a count.
        let (mut count, mut left) = (0.0, dice.uniform(0.0, 1.0));
        while left > (-expected).exp() && count < 60.0 {
            count += 1.0;
            left *= dice.uniform(0.0, 1.0);
        }
        let mut row = vec![age, z[0], z[1], z[2], years.ln()];
        row.extend(one_hot(region, 4));
        (row, vec![count])
    });
    Program {
        rate: 5e-3,
        batch: 128,
        epochs: 30,
        ..Program::new(
            data,
            ending_in(mlp(&[9, 24, 1], Act::Tanh, GLOROT), Act::Exp),
            POISSON,
        )
    }
}

/// What a driver does with the wheel, from -1 to 1, of the place, the drift, the heading and how fast it turns: for
/// half of the rows it is one of both ends.
pub(super) fn wheel(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 10_025);
    let data = made(3800, 3000, Task::Numbers, || {
        let state: Vec<f32> = (0..4).map(|_| dice.normal()).collect();
        let wanted = 0.9 * state[0] + 0.5 * state[1] - 0.8 * state[2] - 0.4 * state[3];
        let turn = (1.1 * wanted + 0.05 * dice.normal()).clamp(-1.0, 1.0);
        (state, vec![turn])
    });
    Program {
        rate: 3e-3,
        batch: 64,
        epochs: 15,
        ..Program::new(
            data,
            ending_in(mlp(&[4, 32, 32, 1], Act::Tanh, GLOROT), Act::Tanh),
            MEAN_SQUARED,
        )
    }
}

/// How much heating and cooling a house needs, of a compactness that fixes three areas, of a height of one or two floors,
/// of the way it looks, and of the share and the place of its windows: each row is another house.
pub(super) fn houses(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 10_026);
    let mut kinds: Vec<usize> = (0..12 * 4 * 4 * 6).collect();
    dice.shuffle(&mut kinds);
    let mut kinds = kinds.into_iter();
    let data = made(1152, 800, Task::Numbers, || {
        let kind = kinds.next().expect("as many kinds as rows");
        let (form, way) = (kind % 12, kind / 12 % 4);
        let (glass, side) = (kind / 48 % 4, kind / 192);
        let compact = 0.98 - 0.033 * form as f32;
        let surface = 514.5 * 0.98 / compact;
        let is_high = bit(form < 6);
        let roof = if is_high == 1.0 {
            110.0 + form as f32 * 7.0
        } else {
            220.0
        };
        let wall = surface - 2.0 * roof;
        let share = [0.0, 0.1, 0.25, 0.4][glass];
        let heat = 12.0 + 14.0 * is_high + 20.0 * share + 0.04 * (wall - 300.0) * is_high
            - 6.0 * (compact - 0.8)
            + 5.0 * share * bit(side == 1)
            + 0.5 * dice.normal();
        let cold = 15.0
            + 13.0 * is_high
            + 15.0 * share
            + 0.03 * (wall - 300.0) * is_high
            + 1.2 * bit(way == 2)
            + 4.0 * share * bit(side == 3)
            + 1.0 * dice.normal();
        let row = vec![
            compact,
            surface,
            wall,
            roof,
            is_high,
            way as f32,
            share,
            side as f32,
        ];
        (row, vec![heat, cold])
    });
    Program {
        rate: 5e-3,
        epochs: 40,
        ..Program::new(
            data.standard_inputs().standard_targets(),
            mlp(&[8, 32, 32, 2], Act::Relu, HE),
            MEAN_SQUARED,
        )
    }
}

/// The logarithm of a wage, of which less than a third can be told from years of school and work, the sector and the place.
pub(super) fn wages(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 10_027);
    let data = made(5200, 3600, Task::Numbers, || {
        let school = dice.normal();
        let work = dice.uniform(0.0, 40.0);
        let (sector, place, sex) = (dice.below(5), dice.below(3), dice.below(2));
        let years = (work - 20.0) / 11.5;
        let wage = 0.42 * school + 0.35 * years - 0.25 * years * years
            + 0.12 * sector as f32
            + 0.15 * bit(place == 0)
            + 0.2 * sex as f32
            + 1.0 * dice.normal();
        let mut row = vec![school, work];
        row.extend(one_hot(sector, 5).chain(one_hot(place, 3)));
        row.push(sex as f32);
        (row, vec![wage])
    });
    Program {
        rate: 2e-3,
        batch: 64,
        epochs: 20,
        patience: Some(4),
        decay: Some(1e-4),
        ..Program::new(
            standard_first(2, data).standard_targets(),
            behind_each_act(mlp(&[11, 24, 1], Act::Relu, HE), || Layer::Dropout(0.1)),
            MEAN_SQUARED,
        )
    }
}
