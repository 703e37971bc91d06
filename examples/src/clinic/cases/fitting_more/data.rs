//! Programs that work.

use super::super::bases::{conv, made};
use crate::clinic::data::{Data, Dice, Rows, Task, digits, drawn, sequences};
use crate::clinic::layer::{Act, GLOROT, HE, Layer, dense, ending_in, mlp};
use crate::clinic::loss::{CROSS_ENTROPY, MEAN_SQUARED, POISSON};
use crate::clinic::program::Program;
use burn::module::Initializer;

/// A surface over six numbers with a little noise, one of which has no part in it.
pub(super) fn surface(seed: u64) -> Program {
    let data = drawn(seed + 77, 1200, 6, Task::Numbers, |x, dice| {
        (1.2 * x[0]).sin()
            + 0.6 * x[1] * x[2]
            + 0.4 * (x[3].abs() - 0.8)
            + 0.2 * x[4]
            + 0.05 * dice.normal()
    });
    Program {
        rate: 4e-3,
        epochs: 25,
        ..Program::new(data, mlp(&[6, 40, 40, 1], Act::Relu, HE), MEAN_SQUARED)
    }
}

/// Two numbers of three.
pub(super) fn two_waves(seed: u64) -> Program {
    let mut data = drawn(seed + 79, 1200, 3, Task::Numbers, |_, _| 0.0);
    for Rows { inputs, targets } in data.parts() {
        for (x, target) in inputs.iter().zip(targets) {
            *target = vec![(1.3 * x[0] + x[1]).sin(), x[2] * x[0].cos()];
        }
    }
    Program {
        rate: 5e-3,
        epochs: 25,
        ..Program::new(data, mlp(&[3, 40, 40, 2], Act::Tanh, GLOROT), MEAN_SQUARED)
    }
}

/// The digits, and one convolution.
pub(super) fn convolved(seed: u64) -> Program {
    let layers = vec![
        conv(1, 8, 8),
        Layer::Act(Act::Relu),
        Layer::Pool {
            channels: 8,
            side: 8,
        },
        dense(128, 32, HE),
        Layer::Act(Act::Relu),
        dense(32, 10, GLOROT),
    ];
    Program {
        rate: 4e-3,
        epochs: 6,
        ..Program::new(digits(seed), layers, CROSS_ENTROPY)
    }
}

/// The digits through `neck` numbers.
pub(super) fn narrowed(seed: u64, neck: usize) -> Program {
    let data = digits(seed).reconstructed();
    Program {
        rate: 5e-3,
        epochs: 30,
        ..Program::new(
            data,
            mlp(&[64, 40, neck, 40, 64], Act::Tanh, GLOROT),
            MEAN_SQUARED,
        )
    }
}

/// The sum of the last five of sixteen numbers, by an LSTM.
pub(super) fn remembered(seed: u64, hidden: usize) -> Program {
    Program {
        rate: 1e-2,
        epochs: 10,
        ..Program::new(
            sequences(seed + 5, 16),
            vec![Layer::Lstm { hidden }, dense(hidden, 1, GLOROT)],
            MEAN_SQUARED,
        )
    }
}

/// Whether that sum is positive, by a plain recurrent layer.
pub(super) fn signed(seed: u64) -> Program {
    let mut data: Data = sequences(seed + 6, 14).map_targets(|sum| f32::from(u8::from(sum > 0.0)));
    data.task = Task::Classes(2);
    let layers = vec![
        Layer::Recurrent {
            hidden: 20,
            act: Act::Tanh,
            recurrent: Initializer::Orthogonal { gain: 1.0 },
        },
        dense(20, 2, GLOROT),
    ];
    Program {
        rate: 5e-3,
        epochs: 10,
        clips: Some(1.0),
        ..Program::new(data, layers, CROSS_ENTROPY)
    }
}

/// What an item, of forty, costs, which `code` writes down, with two numbers that matter less.
pub(super) fn items(seed: u64, code: fn(usize) -> Vec<f32>) -> Program {
    let mut dice = Dice::new(seed + 25);
    let costs: Vec<f32> = (0..40).map(|_| dice.normal()).collect();
    let data = made(1500, 1200, Task::Numbers, || {
        let item = dice.below(40);
        let mut row = code(item);
        let [size, age] = [(); 2].map(|()| dice.normal());
        row.extend([size, age]);
        (row, vec![costs[item] + 0.3 * size - 0.2 * size * age])
    });
    let data = data.standard_inputs().standard_targets();
    let layers = mlp(&[data.width(), 32, 1], Act::Relu, HE);
    Program {
        rate: 5e-3,
        epochs: 20,
        ..Program::new(data, layers, MEAN_SQUARED)
    }
}

/// Counts, whose rate is an exponential of three numbers, by Poisson's loss of rates.
pub(super) fn counted(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 26);
    let data = made(1400, 1100, Task::Numbers, || {
        let row = [(); 3].map(|()| dice.uniform(-1.0, 1.0));
        let rate = f32::exp(1.2 + row[0] - row[1] * row[2]);
        // The arrivals of a Poisson process in a unit of time.
        let (mut count, mut time) = (0.0, 0.0);
        loop {
            time -= dice.uniform(f32::MIN_POSITIVE, 1.0).ln() / rate;
            if time > 1.0 {
                break;
            }
            count += 1.0;
        }
        (row.to_vec(), vec![count])
    });
    let layers = ending_in(mlp(&[3, 24, 24, 1], Act::Tanh, GLOROT), Act::Softplus);
    Program {
        rate: 5e-3,
        epochs: 20,
        ..Program::new(data, layers, POISSON)
    }
}
