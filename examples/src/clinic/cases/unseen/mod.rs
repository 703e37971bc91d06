//! Programs that were written after the last change to a rule of the doctor, and judged once: no rule and no threshold
//! was chosen by them.

mod data_and_weights;
mod training_and_healthy;

use super::{Case, Expect, Kind, Origin, Seen};
use crate::clinic::data::{Data, Task, digits, drawn};
use crate::clinic::layer::{Act, GLOROT, Layer, dense, ending_in, mlp};
use crate::clinic::loss::{CROSS_ENTROPY, MEAN_SQUARED};
use crate::clinic::program::Program;
use burn::module::Initializer;

/// All of them.
pub(super) const CASES: [&[Case]; 2] = [data_and_weights::CASES, training_and_healthy::CASES];

const fn unseen(
    name: &'static str,
    story: &'static str,
    seen: Seen,
    causes: &'static [&'static [Kind]],
    fair: &'static [Kind],
    program: fn(u64) -> Program,
) -> Case {
    Case {
        name,
        story,
        source: "made, after questions that are asked again and again on forums",
        origin: Origin::Unseen,
        seen,
        program,
        expect: Expect {
            causes,
            fair,
            not: &[],
            paths: &[],
        },
        twin: None,
    }
}

fn on_digits(seed: u64, layers: Vec<Layer>) -> Program {
    Program {
        epochs: 10,
        ..Program::new(digits(seed), layers, CROSS_ENTROPY)
    }
}

fn convolutions(weight: Initializer) -> Vec<Layer> {
    let conv = |inputs, outputs, side| Layer::Conv {
        channels: [inputs, outputs],
        side,
        weight: weight.clone(),
    };
    vec![
        conv(1, 6, 8),
        Layer::Act(Act::Relu),
        Layer::Pool {
            channels: 6,
            side: 8,
        },
        conv(6, 12, 4),
        Layer::Act(Act::Relu),
        dense(192, 10, GLOROT),
    ]
}

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
    let mut data = digits(seed);
    for rows in data.parts() {
        rows.targets.clone_from(&rows.inputs);
    }
    data.task = Task::Numbers;
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

/// A wave over five numbers.
fn waves(seed: u64) -> Program {
    let data: Data = drawn(seed, 1200, 5, Task::Numbers, |x, _| {
        (1.5 * x[0]).sin() + 0.5 * x[1] - 0.3 * x[2] * x[3]
    });
    Program {
        rate: 3e-3,
        ..Program::new(data, mlp(&[5, 32, 32, 1], Act::Tanh, GLOROT), MEAN_SQUARED)
    }
}
