//! Programs that work.

use super::super::bases::conv;
use crate::clinic::data::{Data, Rows, Task, digits, drawn, sequences};
use crate::clinic::layer::{Act, GLOROT, HE, Layer, dense, mlp};
use crate::clinic::loss::{CROSS_ENTROPY, MEAN_SQUARED};
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
