//! Series, sequences and images of the sixth set, and programs that work on them.

use super::super::bases::{conv, made};
use crate::clinic::data::{Dice, Task};
use crate::clinic::layer::{Act, GLOROT, HE, Layer, dense, mlp};
use crate::clinic::loss::{CROSS_ENTROPY, MEAN_SQUARED};
use crate::clinic::program::{Program, Rule};
use std::f32::consts::TAU;

/// Which of four kinds a heartbeat of forty samples is: as it should be, early and wide, with its last wave
/// upside down, or with a raised line behind the peak.
pub(super) fn heartbeats(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 6021);
    let data = made(1200, 900, Task::Classes(4), || {
        let kind = dice.below(4);
        let shift = dice.uniform(-4.0, 4.0);
        let height = dice.uniform(0.8, 1.2);
        let bump = |t: f32, at: f32, width: f32| (-((t - at - shift) / width).powi(2)).exp();
        let beat = (0..40).map(|t| {
            let t = t as f32;
            let wave = match kind {
                0 => 0.2 * bump(t, 10.0, 2.0) + bump(t, 18.0, 1.0) + 0.3 * bump(t, 29.0, 3.0),
                1 => 0.9 * bump(t, 15.0, 2.2) + 0.25 * bump(t, 29.0, 3.0),
                2 => 0.2 * bump(t, 10.0, 2.0) + bump(t, 18.0, 1.0) - 0.3 * bump(t, 29.0, 3.0),
                _ => 0.2 * bump(t, 10.0, 2.0) + bump(t, 18.0, 1.0) + 0.25 * bump(t, 24.0, 6.0),
            };
            2.5 * height * wave - 0.4 + 0.2 * dice.normal()
        });
        (beat.collect(), vec![kind as f32])
    });
    Program {
        rate: 2e-3,
        epochs: 10,
        ..Program::new(data, waves_apart([1, 6, 12]), CROSS_ENTROPY)
    }
}

/// Two convolutions of heartbeats, to so many channels, each with a pool, and a dense layer.
pub(super) fn waves_apart([first, second, third]: [usize; 3]) -> Vec<Layer> {
    vec![
        along([first, second]),
        Layer::Act(Act::Relu),
        Layer::SeriesPool { channels: second },
        along([second, third]),
        Layer::Act(Act::Relu),
        Layer::SeriesPool { channels: third },
        dense(10 * third, 4, GLOROT),
    ]
}

/// A convolution over five neighbours in a series, with He's weights.
pub(super) fn along(channels: [usize; 2]) -> Layer {
    Layer::SeriesConv {
        channels,
        kernel: 5,
        weight: HE,
    }
}

/// What somebody does, of eighteen accelerations: sits, walks, runs, or rides.
pub(super) fn movements(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 6022);
    let data = made(900, 600, Task::Classes(4), || {
        let kind = dice.below(4);
        let (period, size) = [(9.0, 0.15), (9.0, 1.0), (4.0, 1.3), (16.0, 0.9)][kind];
        let period = period * dice.uniform(0.85, 1.15);
        let (size, phase) = (size * dice.uniform(0.8, 1.2), dice.uniform(0.0, TAU));
        let at = |t: usize| size * (TAU * t as f32 / period + phase).sin();
        let row = (0..18).map(|t| at(t) + 0.15 * dice.normal());
        (row.collect(), vec![kind as f32])
    });
    Program {
        rate: 1e-2,
        epochs: 14,
        ..Program::new(data, gated(12, 4), CROSS_ENTROPY)
    }
}

/// A GRU of so many cells, and so many outputs.
pub(super) fn gated(hidden: usize, outputs: usize) -> Vec<Layer> {
    vec![Layer::Gru { hidden }, dense(hidden, outputs, GLOROT)]
}

/// How high a river stands after fourteen days of rain, of which each runs off by a quarter in a day; the level
/// is `shift` + `scale` times a number of mean 0 and deviation 1.
pub(super) fn river(seed: u64, [shift, scale]: [f32; 2]) -> Program {
    let mut dice = Dice::new(seed + 6023);
    let data = made(1000, 700, Task::Numbers, || {
        let rains: Vec<f32> = (0..14)
            .map(|_| (0.8 * dice.normal()).exp() * dice.below(2) as f32)
            .collect();
        let level = rains
            .iter()
            .fold(0.0, |level, rain| 0.75 * level + rain * (1.0 + 0.1 * level));
        let rows = rains.iter().map(|rain| rain - 0.7);
        (rows.collect(), vec![level + 0.1 * dice.normal()])
    });
    let data = data.standard_inputs().standard_targets();
    Program {
        rate: 1e-2,
        epochs: 15,
        ..Program::new(
            data.map_targets(|level| shift + scale * level),
            vec![Layer::Lstm { hidden: 12 }, dense(12, 1, GLOROT)],
            MEAN_SQUARED,
        )
    }
}

/// In which of three languages a word of ten letters out of twelve is: they follow each other differently.
pub(super) fn words(seed: u64) -> Program {
    // The same languages whatever the seed.
    let mut dice = Dice::new(6025);
    let habits: Vec<Vec<f32>> = (0..36)
        .map(|_| (0..12).map(|_| (2.0 * dice.normal()).exp()).collect())
        .collect();
    let mut dice = Dice::new(seed + 6024);
    let data = made(3000, 2500, Task::Classes(3), || {
        let language = dice.below(3);
        let mut letter = dice.below(12);
        let mut word = vec![letter as f32];
        while word.len() < 10 {
            let shares = &habits[12 * language + letter];
            let mut left = dice.uniform(0.0, shares.iter().sum());
            letter = shares
                .iter()
                .position(|share| {
                    left -= share;
                    left < 0.0
                })
                .unwrap_or(11);
            word.push(letter as f32);
        }
        (word, vec![language as f32])
    });
    Program {
        rate: 4e-3,
        epochs: 7,
        clips: Some(1.0),
        ..Program::new(data, attentive(8), CROSS_ENTROPY)
    }
}

/// Embeddings of this width with positions, a block of a transformer, and the mean of the tokens.
pub(super) fn attentive(width: usize) -> Vec<Layer> {
    vec![
        Layer::Embedding { count: 12, width },
        Layer::Positions { width },
        Layer::Transformer { width, heads: 2 },
        Layer::TokenMean { width },
        dense(width, 3, GLOROT),
    ]
}

/// Which way the threads of a cloth on 8 × 8 pixels go: across, down, aslant, or both across and down.
pub(super) fn cloths(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 6025);
    let data = made(1300, 1000, Task::Classes(4), || {
        let kind = dice.below(4);
        let period = dice.uniform(2.6, 4.2);
        let [one, other] = [(); 2].map(|()| dice.uniform(0.0, TAU));
        let pixels = (0..64).map(|i| {
            let (x, y) = ((i % 8) as f32 * TAU / period, (i / 8) as f32 * TAU / period);
            let thread = match kind {
                0 => (y + one).sin(),
                1 => (x + one).sin(),
                2 => ((x + y) / 1.4 + one).sin(),
                _ => 0.7 * ((x + one).sin() + (y + other).sin()),
            };
            1.2 * thread + 0.5 * dice.normal()
        });
        (pixels.collect(), vec![kind as f32])
    });
    Program {
        rate: 2e-3,
        epochs: 8,
        ..Program::new(data, looked_at([6, 12]), CROSS_ENTROPY)
    }
}

/// Two convolutions of 8 × 8 pixels to so many channels, each with a pool, and four scores.
pub(super) fn looked_at([first, second]: [usize; 2]) -> Vec<Layer> {
    vec![
        conv(1, first, 8),
        Layer::Act(Act::Relu),
        Layer::Pool {
            channels: first,
            side: 8,
        },
        conv(first, second, 4),
        Layer::Act(Act::Relu),
        Layer::Pool {
            channels: second,
            side: 4,
        },
        dense(4 * second, 4, GLOROT),
    ]
}

/// The cloths by momentum.
pub(super) fn cloths_by_momentum(seed: u64) -> Program {
    Program {
        rule: Rule::Momentum(0.9),
        rate: 0.03,
        ..cloths(seed)
    }
}

/// Spectra of twenty-four channels, three lines of which shift together, through four numbers and back.
pub(super) fn spectra(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 6026);
    let data = made(1200, 900, Task::Numbers, || {
        let heights = [(); 3].map(|()| dice.uniform(0.2, 1.0));
        let shift = dice.uniform(-1.3, 1.3);
        let spectrum = (0..24).map(|channel| {
            let lines = [5.0, 12.0, 18.0].into_iter().zip(heights);
            let sum: f32 = lines
                .map(|(at, height)| height * (-((channel as f32 - at - shift) / 1.8).powi(2)).exp())
                .sum();
            sum + 0.02 * dice.normal()
        });
        (spectrum.collect(), vec![0.0])
    });
    Program {
        rate: 8e-3,
        epochs: 40,
        ..Program::new(
            data.reconstructed(),
            mlp(&[24, 40, 4, 40, 24], Act::Tanh, GLOROT),
            MEAN_SQUARED,
        )
    }
}
