//! What several cases begin with.

use crate::clinic::data::{Data, Dice, Rows, Task, digits, drawn};
use crate::clinic::layer::{Act, GLOROT, HE, Layer, dense, mlp};
use crate::clinic::loss::{CROSS_ENTROPY, MEAN_SQUARED};
use crate::clinic::program::Program;
use burn::module::Initializer;

/// Ten epochs of the digits.
pub(super) fn on_digits(seed: u64, layers: Vec<Layer>) -> Program {
    Program {
        epochs: 10,
        ..Program::new(digits(seed), layers, CROSS_ENTROPY)
    }
}

/// A convolution of square images with He's weights.
pub(super) fn conv(inputs: usize, outputs: usize, side: usize) -> Layer {
    conv_from(inputs, outputs, side, HE)
}

fn conv_from(inputs: usize, outputs: usize, side: usize, weight: Initializer) -> Layer {
    Layer::Conv {
        channels: [inputs, outputs],
        side,
        weight,
    }
}

/// Two convolutions of the digits with a pool between them, to so many channels each, and a dense layer.
pub(super) fn convolutions([first, second]: [usize; 2], weight: Initializer) -> Vec<Layer> {
    vec![
        conv_from(1, first, 8, weight.clone()),
        Layer::Act(Act::Relu),
        Layer::Pool {
            channels: first,
            side: 8,
        },
        conv_from(first, second, 4, weight),
        Layer::Act(Act::Relu),
        dense(16 * second, 10, GLOROT),
    ]
}

/// `count` rows, the first `train` of them to train on.
pub(super) fn made(
    count: usize,
    train: usize,
    task: Task,
    mut row: impl FnMut() -> (Vec<f32>, Vec<f32>),
) -> Data {
    let mut rows = |count: usize| {
        let (inputs, targets) = (0..count).map(|_| row()).unzip();
        Rows { inputs, targets }
    };
    Data {
        train: rows(train),
        valid: rows(count - train),
        task,
    }
}

/// A wave over five numbers.
pub(super) fn waves(seed: u64) -> Program {
    let data: Data = drawn(seed, 1200, 5, Task::Numbers, |x, _| {
        (1.5 * x[0]).sin() + 0.5 * x[1] - 0.3 * x[2] * x[3]
    });
    Program {
        rate: 3e-3,
        ..Program::new(data, mlp(&[5, 32, 32, 1], Act::Tanh, GLOROT), MEAN_SQUARED)
    }
}

/// The layers that see [`pairs`] of so many items.
pub(super) fn embedded(count: usize, hidden: usize) -> Vec<Layer> {
    vec![
        Layer::Embedding { count, width: 8 },
        dense(16, hidden, HE),
        Layer::Act(Act::Relu),
        dense(hidden, 2, GLOROT),
    ]
}

/// Each pair of `count` items once, and whether the two are of one kind, of `kinds`; `train` pairs to train on.
pub(super) fn pairs(seed: u64, count: usize, kinds: usize, train: usize) -> Data {
    let all = 0..count * count;
    let mut pairs: Vec<(usize, usize)> = all.map(|i| (i / count, i % count)).collect();
    Dice::new(seed).shuffle(&mut pairs);
    let rows = |pairs: &[(usize, usize)]| {
        let row = |(one, other): &(usize, usize)| {
            let alike = one % kinds == other % kinds;
            (
                vec![*one as f32, *other as f32],
                vec![f32::from(u8::from(alike))],
            )
        };
        let (inputs, targets) = pairs.iter().map(row).unzip();
        Rows { inputs, targets }
    };
    Data {
        train: rows(&pairs[..train]),
        valid: rows(&pairs[train..]),
        task: Task::Classes(2),
    }
}
