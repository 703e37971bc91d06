//! Data and programs of the fifth set: images, series and sequences.

use super::super::bases::{conv, made};
use crate::clinic::data::{Data, Dice, Task};
use crate::clinic::layer::{Act, GLOROT, HE, Layer, dense, mlp};
use crate::clinic::loss::{CROSS_ENTROPY, MEAN_SQUARED};
use crate::clinic::program::Program;
use burn::module::Initializer;
use std::f32::consts::TAU;

/// Shapes of 4 × 4 pixels.
const GLYPHS: [u16; 5] = [
    0b1001_0110_0110_1001,
    0b1111_1001_1001_1111,
    0b1000_1000_1000_1111,
    0b1111_0110_0110_0110,
    0b0110_1111_1111_0110,
];

/// Which of five shapes is somewhere on 8 × 8 pixels, with noise.
pub(super) fn glyphs(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 5011);
    let data = made(1300, 1000, Task::Classes(5), || {
        let glyph = dice.below(5);
        let (right, down) = (dice.below(5), dice.below(5));
        let light = dice.uniform(0.8, 1.4);
        let mut pixels: Vec<f32> = (0..64).map(|_| 0.2 * dice.normal()).collect();
        for at in 0..16 {
            if GLYPHS[glyph] >> (15 - at) & 1 == 1 {
                pixels[8 * (down + at / 4) + right + at % 4] += light;
            }
        }
        (pixels, vec![glyph as f32])
    });
    let layers = vec![
        conv(1, 10, 8),
        Layer::Act(Act::Relu),
        pool(10, 8),
        conv(10, 16, 4),
        Layer::Act(Act::Relu),
        pool(16, 4),
        dense(64, 5, GLOROT),
    ];
    Program {
        rate: 5e-3,
        batch: 40,
        epochs: 15,
        ..Program::new(data, layers, CROSS_ENTROPY)
    }
}

/// The mean over 2 × 2 pixels.
pub(super) fn pool(channels: usize, side: usize) -> Layer {
    Layer::Pool { channels, side }
}

/// To which of four sides a triangle on 6 × 6 pixels points, with noise.
pub(super) fn arrows(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 5012);
    let data = made(1400, 1000, Task::Classes(4), || {
        let side = dice.below(4);
        let pixel = |at: usize| {
            let (x, y) = ((at % 6) as f32, (at / 6) as f32);
            let (along, across) = [(x, y), (5.0 - x, y), (y, x), (5.0 - y, x)][side];
            f32::from(u8::from((across - 2.5).abs() < 0.6 * (5.0 - along)))
        };
        let pixels = (0..36).map(|at| pixel(at) - 0.4 + 0.7 * dice.normal());
        (pixels.collect(), vec![side as f32])
    });
    Program {
        rate: 3e-3,
        epochs: 12,
        ..Program::new(data, mlp(&[36, 32, 4], Act::Relu, HE), CROSS_ENTROPY)
    }
}

/// The load of a grid, hour by hour: days, weeks and a noise that lasts.
pub(super) fn hours(seed: u64, count: usize) -> Vec<f32> {
    let mut dice = Dice::new(seed + 5013);
    let mut noise = 0.0;
    let hour = |t: usize| {
        noise = 0.7 * noise + 0.2 * dice.normal();
        let day = TAU * t as f32 / 24.0;
        day.sin() + 0.5 * (2.0 * day + 1.0).sin() + 0.6 * (day / 7.0).cos() + noise
    };
    (0..count).map(hour).collect()
}

/// Windows of so many values, and of `targets` the one right behind each window; the first 1,200 to train on.
pub(super) fn windows(values: &[f32], targets: &[f32], length: usize) -> Data {
    let count = values.len() - length;
    let mut at = 0..count;
    made(count, 1200, Task::Numbers, || {
        let at = at.next().expect("a window for each row");
        (values[at..at + length].to_vec(), vec![targets[at + length]])
    })
}

/// The next hour of the load, of the twelve before.
pub(super) fn load(seed: u64) -> Program {
    let hours = hours(seed, 1512);
    let layers = mlp(&[12, 40, 1], Act::Elu, GLOROT);
    Program {
        rate: 2e-3,
        batch: 30,
        epochs: 15,
        ..Program::new(windows(&hours, &hours, 12), layers, MEAN_SQUARED)
    }
}

/// The charge that twenty currents leave, of which each step loses a fifth.
pub(super) fn charge(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 5014);
    let data = made(1100, 800, Task::Numbers, || {
        let currents: Vec<f32> = (0..20).map(|_| dice.normal()).collect();
        let charge = currents
            .iter()
            .fold(0.0, |charge, x| 0.8 * charge + 0.6 * x);
        (currents, vec![charge])
    });
    Program {
        rate: 5e-3,
        epochs: 12,
        ..Program::new(data, recurrent(Act::Tanh), MEAN_SQUARED)
    }
}

/// A plain recurrent layer of sixteen units, and one output.
pub(super) fn recurrent(act: Act) -> Vec<Layer> {
    let recurrent = Initializer::Orthogonal { gain: 1.0 };
    vec![
        Layer::Recurrent {
            hidden: 16,
            act,
            recurrent,
        },
        dense(16, 1, GLOROT),
    ]
}

/// Whether a walk of sixteen steps was ever above 3.
pub(super) fn walks(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 5015);
    let data = made(1300, 1000, Task::Classes(2), || {
        let steps: Vec<f32> = (0..16).map(|_| dice.normal()).collect();
        let mut place = 0.0;
        let was_above = steps.iter().any(|step| {
            place += step;
            place > 3.0
        });
        (steps, vec![f32::from(u8::from(was_above))])
    });
    Program {
        rate: 1e-2,
        epochs: 15,
        ..Program::new(data, memory(20), CROSS_ENTROPY)
    }
}

/// An LSTM of so many cells, and two scores.
pub(super) fn memory(hidden: usize) -> Vec<Layer> {
    vec![Layer::Lstm { hidden }, dense(hidden, 2, GLOROT)]
}

/// Of eight symbols, one is a 1 and one a 2: whether the 1 comes first.
pub(super) fn order(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 5016);
    let data = made(1400, 1000, Task::Classes(2), || {
        let mut symbols: Vec<f32> = (0..8)
            .map(|_| [0.0, 3.0, 4.0, 5.0, 6.0][dice.below(5)])
            .collect();
        let (one, two) = (dice.below(8), dice.below(7));
        let two = (one + 1 + two) % 8;
        (symbols[one], symbols[two]) = (1.0, 2.0);
        (symbols, vec![f32::from(u8::from(one < two))])
    });
    Program {
        rate: 4e-3,
        epochs: 20,
        ..Program::new(data, attention(true), CROSS_ENTROPY)
    }
}

/// Embeddings, perhaps with positions, a block of a transformer, and the mean of the tokens.
pub(super) fn attention(has_positions: bool) -> Vec<Layer> {
    let width = 16;
    let positions = has_positions.then_some(Layer::Positions { width });
    let rest = [
        Layer::Transformer { width, heads: 2 },
        Layer::TokenMean { width },
        dense(width, 2, GLOROT),
    ];
    std::iter::once(Layer::Embedding { count: 7, width })
        .chain(positions)
        .chain(rest)
        .collect()
}
