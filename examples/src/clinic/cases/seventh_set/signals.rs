//! Images, series and sequences of the seventh set, and programs that work on them.

use super::super::bases::{conv, made};
use crate::clinic::data::{Dice, Rows, Task, digits};
use crate::clinic::layer::{Act, GLOROT, HE, Layer, dense, mlp};
use crate::clinic::loss::{BINARY_CROSS_ENTROPY, CROSS_ENTROPY, MEAN_SQUARED};
use crate::clinic::program::{Pretrained, Program, Rule};
use std::f32::consts::TAU;

/// Twenty-four hours of a tide that swings and is pushed about, and at each the next hour, of two convolutions.
pub(super) fn tides(seed: u64, along: fn([usize; 2], usize) -> Layer) -> Program {
    let mut dice = Dice::new(seed + 7022);
    let data = made(1300, 1000, Task::Numbers, || {
        let mut hours = vec![dice.normal(), dice.normal()];
        while hours.len() < 55 {
            let count = hours.len();
            hours.push(0.9 * hours[count - 1] - 0.5 * hours[count - 2] + 0.8 * dice.normal());
        }
        (hours[30..54].to_vec(), hours[31..55].to_vec())
    });
    let layers = vec![along([1, 8], 5), Layer::Act(Act::Tanh), along([8, 1], 3)];
    Program {
        rate: 5e-3,
        epochs: 10,
        ..Program::new(data, layers, MEAN_SQUARED)
    }
}

/// A convolution that sees as much before as behind.
pub(super) fn centred(channels: [usize; 2], kernel: usize) -> Layer {
    Layer::SeriesConv {
        channels,
        kernel,
        weight: GLOROT,
    }
}

/// A convolution that sees what was before.
pub(super) fn causal(channels: [usize; 2], kernel: usize) -> Layer {
    Layer::CausalConv {
        channels,
        kernel,
        weight: GLOROT,
    }
}

/// What a pedal does in the first third of twenty moments: it goes down, comes up, or does one of them for three moments.
pub(super) fn pedals(seed: u64, memory: Layer) -> Program {
    let mut dice = Dice::new(seed + 7023);
    let data = made(1000, 700, Task::Classes(4), || {
        let kind = dice.below(4);
        let start = 1 + dice.below(7);
        let height = dice.uniform(0.9, 1.5) * [1.0, -1.0][kind % 2];
        let end = if kind < 2 { 20 } else { start + 3 };
        let at = |t: usize| {
            if (start..end).contains(&t) {
                height
            } else {
                0.0
            }
        };
        let moments = (0..20).map(|t| at(t) + 0.15 * dice.normal());
        (moments.collect(), vec![kind as f32])
    });
    Program {
        rate: 4e-3,
        epochs: 14,
        clips: Some(1.0),
        ..Program::new(data, vec![memory, dense(12, 4, GLOROT)], CROSS_ENTROPY)
    }
}

/// Which of three candidates most of eleven votes are for; a vote is one of six numbers, three of which are for nobody.
pub(super) fn votes(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 7025);
    let data = made(1800, 1400, Task::Classes(3), || {
        loop {
            let votes: Vec<usize> = (0..11).map(|_| dice.below(6)).collect();
            let count = |candidate| votes.iter().filter(|vote| **vote == candidate).count();
            let counts = [0, 1, 2].map(count);
            let most = (0..3).max_by_key(|i| counts[*i]).expect("one of three");
            if counts
                .iter()
                .filter(|count| **count == counts[most])
                .count()
                == 1
            {
                let row = votes.iter().map(|vote| *vote as f32).collect();
                break (row, vec![most as f32]);
            }
        }
    });
    let width = 12;
    let layers = vec![
        Layer::Embedding { count: 6, width },
        Layer::Transformer { width, heads: 2 },
        Layer::TokenMean { width },
        dense(width, 3, GLOROT),
    ];
    Program {
        rate: 3e-3,
        epochs: 6,
        ..Program::new(data, layers, CROSS_ENTROPY)
    }
}

/// Which of four leaves lies somewhere on 8 × 8 pixels: round, long, a ring, or split.
pub(super) fn leaves(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 7026);
    let data = made(1300, 1000, Task::Classes(4), || {
        let kind = dice.below(4);
        let [right, down] = [(); 2].map(|()| dice.uniform(2.8, 4.2));
        let light = dice.uniform(1.2, 2.0);
        let pixels = (0..64).map(|i| {
            let (x, y) = ((i % 8) as f32 - right, (i / 8) as f32 - down);
            let radius = (x * x + y * y).sqrt();
            let is_leaf = match kind {
                0 => radius < 2.2,
                1 => x.abs() < 1.0 && y.abs() < 3.2,
                2 => (1.7..3.1).contains(&radius),
                _ => (1.0..2.6).contains(&x.abs()) && y.abs() < 2.2,
            };
            light * f32::from(u8::from(is_leaf)) - 0.4 + 0.7 * dice.normal()
        });
        (pixels.collect(), vec![kind as f32])
    });
    Program {
        rate: 3e-3,
        epochs: 8,
        ..Program::new(data, looked_at([6, 10]), CROSS_ENTROPY)
    }
}

/// Two convolutions of 8 × 8 pixels, each with a pool, and four scores.
pub(super) fn looked_at([first, second]: [usize; 2]) -> Vec<Layer> {
    let pool = |channels, side| Layer::Pool { channels, side };
    vec![
        conv(1, first, 8),
        Layer::Act(Act::Relu),
        pool(first, 8),
        conv(first, second, 4),
        Layer::Act(Act::Relu),
        pool(second, 4),
        dense(4 * second, 4, GLOROT),
    ]
}

/// Which of 8 × 8 pixels belong to a dark lake; one picture of two of the training is mirrored, and its lake too if
/// `lakes_too`.
pub(super) fn lakes(seed: u64, lakes_too: bool) -> Program {
    let mut dice = Dice::new(seed + 7027);
    let mut data = made(900, 700, Task::Numbers, || {
        let (right, down) = (dice.uniform(1.0, 6.0), dice.uniform(1.5, 5.5));
        let (wide, high) = (dice.uniform(1.2, 2.6), dice.uniform(1.2, 2.6));
        let lake: Vec<f32> = (0..64)
            .map(|i| {
                let (x, y) = ((i % 8) as f32, (i / 8) as f32);
                let distance = ((x - right) / wide).powi(2) + ((y - down) / high).powi(2);
                f32::from(u8::from(distance < 1.0))
            })
            .collect();
        let picture = lake
            .iter()
            .map(|water| 0.6 - 1.8 * water + 0.5 * dice.normal());
        (picture.collect(), lake)
    });
    let mirrored = |pixels: &Vec<f32>| -> Vec<f32> {
        (0..64).map(|i| pixels[i / 8 * 8 + 7 - i % 8]).collect()
    };
    let Rows { inputs, targets } = &mut data.train;
    for (picture, lake) in inputs.iter_mut().zip(targets) {
        if dice.below(2) == 0 {
            *picture = mirrored(picture);
            if lakes_too {
                *lake = mirrored(lake);
            }
        }
    }
    let layers = vec![
        conv(1, 6, 8),
        Layer::Act(Act::Relu),
        conv(6, 1, 8),
        Layer::Act(Act::Sigmoid),
    ];
    Program {
        rate: 1e-2,
        epochs: 8,
        ..Program::new(data, layers, BINARY_CROSS_ENTROPY)
    }
}

/// Twenty samples of a sound of two tones with as much noise, and the sound without, or with, its noise as the target;
/// that of the validation is always without.
pub(super) fn sounds(seed: u64, with_noise: bool) -> Program {
    let mut dice = Dice::new(seed + 7028);
    let mut data = made(1500, 1200, Task::Numbers, || {
        let waves: [f32; 4] = [(); 4].map(|()| 0.7 * dice.normal());
        let at = |t: usize| {
            let [one, other] = [0.31, 0.83].map(|turn| turn * t as f32);
            let first = waves[0] * one.sin() + waves[1] * one.cos();
            first + waves[2] * other.sin() + waves[3] * other.cos()
        };
        let sound: Vec<f32> = (0..20).map(at).collect();
        let heard = sound.iter().map(|x| x + 0.8 * dice.normal());
        (heard.collect(), sound)
    });
    if with_noise {
        data.train.targets.clone_from(&data.train.inputs);
    }
    Program {
        rate: 3e-3,
        epochs: 15,
        ..Program::new(data, mlp(&[20, 48, 48, 20], Act::Elu, HE), MEAN_SQUARED)
    }
}

/// A thousand digits, which a body of two layers and ten scores learn.
pub(super) fn first_digits(seed: u64) -> Program {
    Program {
        rate: 3e-3,
        epochs: 15,
        ..Program::new(
            digits(seed).with_train(1000),
            mlp(&[64, 64, 48, 10], Act::Relu, HE),
            CROSS_ENTROPY,
        )
    }
}

/// Whether a digit is even, of four hundred others, with the body that has learned digits.
pub(super) fn even_digits(seed: u64) -> Program {
    let mut data = digits(seed);
    data.task = Task::Classes(2);
    let later: Vec<usize> = (1000..1400).collect();
    data.train = data.train.at(&later);
    let data = data.map_targets(|digit| 1.0 - digit % 2.0);
    Program {
        rate: 1e-3,
        batch: 15,
        epochs: 12,
        pretrained: Some(Pretrained {
            by: first_digits,
            layers: 4,
        }),
        ..Program::new(data, mlp(&[64, 64, 48, 2], Act::Relu, HE), CROSS_ENTROPY)
    }
}

/// Seventy points of two slow waves with noise, and so many sines and cosines of the place.
pub(super) fn seventy_points(seed: u64, functions: usize) -> Program {
    let mut dice = Dice::new(seed + 7029);
    let data = made(370, 70, Task::Numbers, || {
        let x = dice.uniform(0.0, TAU);
        let wave = (x + 0.5).sin() + 0.7 * (2.0 * x).cos();
        let waves = (1..=functions).flat_map(|k| {
            let angle = k as f32 * x;
            [1.4 * angle.sin(), 1.4 * angle.cos()]
        });
        (waves.collect(), vec![wave + 0.4 * dice.normal()])
    });
    Program {
        rate: 2e-2,
        batch: 10,
        epochs: 150,
        ..Program::new(data, vec![dense(2 * functions, 1, GLOROT)], MEAN_SQUARED)
    }
}

/// The same by momentum.
pub(super) fn by_momentum(program: Program, rate: f64) -> Program {
    Program {
        rule: Rule::Momentum(0.9),
        rate,
        ..program
    }
}
