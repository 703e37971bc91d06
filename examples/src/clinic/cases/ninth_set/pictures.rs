//! Pictures of the ninth set, and the programs that see them.

use super::super::bases::{conv, made};
use super::tables::bit;
use crate::clinic::data::{Data, Dice, Task, digits};
use crate::clinic::layer::{Act, GLOROT, HE, Layer, dense, ending_in, mlp};
use crate::clinic::loss::{CROSS_ENTROPY, MEAN_SQUARED, SMOOTHED_CROSS_ENTROPY};
use crate::clinic::program::{Pretrained, Program, Rule};
use std::f32::consts::TAU;

/// Two convolutions of square pictures with a pool between them, and a dense layer.
pub(super) fn seen(side: usize, [first, second]: [usize; 2], outputs: usize) -> Vec<Layer> {
    let half = side / 2;
    vec![
        conv(1, first, side),
        Layer::Act(Act::Relu),
        Layer::Pool {
            channels: first,
            side,
        },
        conv(first, second, half),
        Layer::Act(Act::Relu),
        dense(second * half * half, outputs, GLOROT),
    ]
}

/// The same with a batch norm of the channels behind each convolution.
fn seen_with_norms(side: usize, channels: [usize; 2], outputs: usize) -> Vec<Layer> {
    let norm = |layer: Layer| match layer {
        Layer::Conv { channels, side, .. } => {
            let channels = channels[1];
            vec![layer, Layer::ImageBatchNorm { channels, side }]
        }
        layer => vec![layer],
    };
    let layers = seen(side, channels, outputs);
    layers.into_iter().flat_map(norm).collect()
}

/// A digit moved by up to a column, and darker or brighter by up to a seventh.
fn moved(row: &mut [f32], dice: &mut Dice) {
    let light = dice.uniform(0.85, 1.15);
    let right = dice.below(3);
    let before = row.to_vec();
    for (i, pixel) in row.iter_mut().enumerate() {
        let column = i % 8 + right;
        *pixel = if (1..9).contains(&column) {
            light * before[i + right - 1]
        } else {
            0.0
        };
    }
}

/// The digits with batch norm and AdamW, moved by up to a pixel in the training.
pub(super) fn moved_digits(seed: u64) -> Program {
    Program {
        rule: Rule::AdamW,
        rate: 5e-3,
        decay: Some(0.01),
        batch: 64,
        epochs: 12,
        augments: Some(moved),
        ..Program::new(digits(seed), seen_with_norms(8, [8, 16], 10), CROSS_ENTROPY)
    }
}

/// The same with a dense layer, batch norm and dropout before the last layer.
pub(super) fn dropped_digits(seed: u64) -> Program {
    let mut program = moved_digits(seed);
    program.layers.pop();
    program.layers.extend([
        dense(256, 64, HE),
        Layer::BatchNorm(64),
        Layer::Act(Act::Relu),
        Layer::Dropout(0.4),
        dense(64, 10, GLOROT),
    ]);
    program
}

/// Which way the furrows of a field run, from above: along, across or in one of the two diagonals.
pub(super) fn furrows(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 9020);
    let data = made(1500, 1100, Task::Classes(4), || {
        let way = dice.below(4);
        let angle = TAU * way as f32 / 8.0 + 0.12 * dice.normal();
        let (period, phase) = (dice.uniform(2.6, 3.6), dice.uniform(0.0, TAU));
        let depth = dice.uniform(0.5, 1.2);
        let pixels = (0..64).map(|i| {
            let (x, y) = ((i % 8) as f32, (i / 8) as f32);
            let along = x * angle.cos() + y * angle.sin();
            depth * (TAU * along / period + phase).sin() + 0.6 * dice.normal()
        });
        (pixels.collect(), vec![way as f32])
    });
    Program {
        rule: Rule::Momentum(0.9),
        rate: 0.02,
        decay: Some(5e-4),
        epochs: 12,
        // Thirty-five batches in an epoch.
        schedule: Some(|step| [1.0, 0.1][(step / 280).min(1)]),
        ..Program::new(data, seen(8, [8, 12], 4), SMOOTHED_CROSS_ENTROPY)
    }
}

/// A ring, a square, a triangle or a cross of this light in so much noise, on 10 × 10 pixels.
fn boards(seed: u64, [count, train]: [usize; 2], light: f32, noise: f32) -> Data {
    let mut dice = Dice::new(seed);
    made(count, train, Task::Classes(4), || {
        let sign = dice.below(4);
        let size = dice.uniform(2.3, 3.4);
        let centre = [(); 2].map(|()| 4.5 + dice.uniform(-1.1, 1.1));
        let pixels = (0..100).map(|i| {
            let (x, y) = ((i % 10) as f32 - centre[0], (i / 10) as f32 - centre[1]);
            let distance = match sign {
                0 => (x * x + y * y).sqrt() - size,
                1 => x.abs().max(y.abs()) - 0.9 * size,
                2 => (y - 0.6 * size).max(1.8 * x.abs() - y - size) / 1.3,
                _ if x.abs().max(y.abs()) > size => 2.0,
                _ => x.abs().min(y.abs()),
            };
            light * (-2.0 * distance * distance).exp() + noise * dice.normal()
        });
        (pixels.collect(), vec![sign as f32])
    })
}

/// From left to right, or not.
fn mirrored(row: &mut [f32], dice: &mut Dice) {
    if dice.below(2) == 0 {
        row.chunks_mut(10).for_each(<[f32]>::reverse);
    }
}

/// The signs, mirrored or not in the training, with dropout before the last layers.
pub(super) fn signs(seed: u64) -> Program {
    let mut layers = seen(10, [8, 12], 4);
    layers.pop();
    layers.extend([
        Layer::Dropout(0.3),
        dense(300, 32, HE),
        Layer::Act(Act::Relu),
        Layer::Dropout(0.3),
        dense(32, 4, GLOROT),
    ]);
    Program {
        rate: 2e-3,
        epochs: 18,
        augments: Some(mirrored),
        ..Program::new(
            boards(seed + 9021, [1600, 1200], 1.5, 0.35),
            layers,
            CROSS_ENTROPY,
        )
    }
}

/// Three hundred signs in fog for a network that knows signs: its convolutions are frozen, and the rest is trained
/// further at a low rate.
pub(super) fn foggy_signs(seed: u64) -> Program {
    let layers = signs(seed).layers;
    Program {
        rate: 5e-4,
        epochs: 12,
        batch: 16,
        pretrained: Some(Pretrained {
            by: signs,
            layers: layers.len(),
        }),
        frozen: &["layers.0.", "layers.3."],
        augments: Some(mirrored),
        ..Program::new(
            boards(seed + 9022, [800, 300], 1.2, 0.4),
            layers,
            CROSS_ENTROPY,
        )
    }
}

/// Whether a plate of metal has a scratch: one of ten has, and to train on, those are in the list six times.
pub(super) fn plates(seed: u64, often: usize) -> Program {
    let mut dice = Dice::new(seed + 9023);
    let mut data = made(2000, 1300, Task::Classes(2), || {
        let is_scratched = dice.below(10) == 0;
        let angle = dice.uniform(0.0, TAU / 2.0);
        let through = [(); 2].map(|()| dice.uniform(2.0, 5.0));
        let light = bit(is_scratched) * dice.uniform(1.8, 2.6);
        let pixels = (0..64).map(|i| {
            let (x, y) = ((i % 8) as f32 - through[0], (i / 8) as f32 - through[1]);
            let off = x * angle.sin() - y * angle.cos();
            light * (-2.5 * off * off).exp() - 0.1 + 0.5 * dice.normal()
        });
        (pixels.collect(), vec![bit(is_scratched)])
    });
    let rows = &data.train;
    let repeated = (0..rows.len()).flat_map(|i| {
        let count = if rows.targets[i][0] == 1.0 { often } else { 1 };
        std::iter::repeat_n(i, count)
    });
    data.train = rows.at(&repeated.collect::<Vec<_>>());
    Program {
        rate: 3e-3,
        epochs: 8,
        ..Program::new(data, seen(8, [6, 8], 2), CROSS_ENTROPY)
    }
}

/// Where the hand of a dial points, on 8 × 8 pixels: its sine and its cosine.
pub(super) fn dials(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 9024);
    let data = made(1500, 1100, Task::Numbers, || {
        let angle = dice.uniform(0.0, TAU);
        let (sine, cosine) = angle.sin_cos();
        let length = dice.uniform(2.6, 3.6);
        let pixels = (0..64).map(|i| {
            let (x, y) = ((i % 8) as f32 - 3.5, (i / 8) as f32 - 3.5);
            let along = x * cosine + y * sine;
            let off = x * sine - y * cosine;
            let hand = (-1.2 * off * off).exp() * bit(along > -0.5 && along < length);
            1.8 * hand - 0.3 + 0.35 * dice.normal()
        });
        (pixels.collect(), vec![1.4 * sine, 1.4 * cosine])
    });
    Program {
        rate: 3e-3,
        epochs: 20,
        ..Program::new(data, seen(8, [8, 8], 2), MEAN_SQUARED)
    }
}

/// Grey specks on a digit.
fn specked(row: &mut [f32], dice: &mut Dice) {
    for pixel in row {
        *pixel = (*pixel + 0.3 * dice.normal()).clamp(0.0, 1.0);
    }
}

/// Digits without the specks that are drawn on them, other ones each time.
pub(super) fn cleaned_digits(seed: u64) -> Program {
    let mut data = digits(seed).reconstructed();
    let mut dice = Dice::new(seed + 9025);
    let rows = data.valid.inputs.iter_mut();
    rows.for_each(|row| specked(row, &mut dice));
    Program {
        rate: 2e-3,
        epochs: 50,
        augments: Some(specked),
        ..Program::new(
            data,
            ending_in(mlp(&[64, 96, 32, 96, 64], Act::Relu, HE), Act::Sigmoid),
            MEAN_SQUARED,
        )
    }
}
