//! Programs that were written when the doctor had its third rules, and judged once; those that it missed have led to
//! further rules since then.

mod data_and_weights;
mod training_and_healthy;

use super::{Case, Origin, Series};
use crate::clinic::data::{Task, digits, drawn};
use crate::clinic::layer::{Act, GLOROT, Layer, dense, ending_in, mlp};
use crate::clinic::loss::{CROSS_ENTROPY, MEAN_SQUARED};
use crate::clinic::program::Program;
use burn::module::Initializer;

const SET: Series = Series {
    source: "made, after questions that are asked again and again on forums",
    origin: Origin::Late,
};

/// All of them.
pub(super) const CASES: [&[Case]; 2] = [data_and_weights::CASES, training_and_healthy::CASES];

fn transformer() -> Vec<Layer> {
    vec![
        dense(64, 96, GLOROT),
        Layer::Transformer {
            width: 12,
            heads: 2,
        },
        Layer::LayerNorm(96),
        dense(96, 10, GLOROT),
    ]
}

fn recurrent(recurrent: Initializer, act: Act) -> Vec<Layer> {
    vec![
        Layer::Recurrent {
            hidden: 24,
            act,
            recurrent,
        },
        dense(24, 1, GLOROT),
    ]
}

/// The pixels through twelve numbers.
fn autoencoder(seed: u64) -> Program {
    let data = digits(seed).reconstructed();
    let layers = ending_in(mlp(&[64, 40, 12, 40, 64], Act::Tanh, GLOROT), Act::Sigmoid);
    Program {
        epochs: 10,
        ..Program::new(data, layers, MEAN_SQUARED)
    }
}

/// The mean of so many numbers, times the root of how many they are.
fn sums(seed: u64, length: usize, layers: Vec<Layer>) -> Program {
    let data = drawn(seed, 1000, length, Task::Numbers, |x, _| {
        x.iter().sum::<f32>() / (x.len() as f32).sqrt()
    });
    Program {
        rate: 3e-3,
        epochs: 12,
        ..Program::new(data, layers, MEAN_SQUARED)
    }
}

/// On which side of a bent surface a row of six numbers is.
fn sides(seed: u64, layers: Vec<Layer>) -> Program {
    let data = drawn(seed, 1800, 6, Task::Classes(2), |x, _| {
        f32::from(u8::from(x[0] + 0.7 * x[1] * x[2] - x[4] > 0.1))
    });
    Program {
        rate: 3e-3,
        epochs: 15,
        ..Program::new(data, layers, CROSS_ENTROPY)
    }
}
