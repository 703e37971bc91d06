//! Pictures of the tenth set, and the programs that see them.

use super::super::bases::{conv, made};
use super::tables::bit;
use crate::clinic::data::{Data, Dice, Rows, Task, digits};
use crate::clinic::layer::{Act, GLOROT, HE, Layer, dense, ending_in};
use crate::clinic::loss::{BINARY_CROSS_ENTROPY, CROSS_ENTROPY, MEAN_SQUARED};
use crate::clinic::program::{Pretrained, Program, Rule};
use std::f32::consts::TAU;
use std::f64::consts::PI;

/// A convolution, a batch norm of its channels, and a ReLU.
fn normed_conv(inputs: usize, channels: usize, side: usize) -> [Layer; 3] {
    [
        conv(inputs, channels, side),
        Layer::ImageBatchNorm { channels, side },
        Layer::Act(Act::Relu),
    ]
}

/// Two of them with a pool between, for square pictures of so many channels.
fn normed_convs(inputs: usize, [first, second]: [usize; 2], side: usize) -> Vec<Layer> {
    let mut layers = Vec::from(normed_conv(inputs, first, side));
    layers.push(Layer::Pool {
        channels: first,
        side,
    });
    layers.extend(normed_conv(first, second, side / 2));
    layers
}

/// Which pixels of a scan of 10 × 10 belong to a lesion: one or two bright spots in noise, and a probability for each
/// pixel.
pub(super) fn lesions(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 10_040);
    let data = made(1100, 800, Task::Numbers, || {
        let spots: Vec<[f32; 3]> = (0..1 + dice.below(2))
            .map(|_| {
                let radius = dice.uniform(1.3, 2.6);
                [dice.uniform(1.5, 7.5), dice.uniform(1.5, 7.5), radius]
            })
            .collect();
        let tilt = [(); 2].map(|()| 0.05 * dice.normal());
        let is_in: Vec<bool> = (0..100)
            .map(|i| {
                let (x, y) = ((i % 10) as f32, (i / 10) as f32);
                let is_near = |[a, b, radius]: &[f32; 3]| (x - a).hypot(y - b) < *radius;
                spots.iter().any(is_near)
            })
            .collect();
        let pixels = is_in.iter().enumerate().map(|(i, is_in)| {
            let shade = tilt[0] * (i % 10) as f32 + tilt[1] * (i / 10) as f32;
            1.6 * bit(*is_in) - 0.4 + shade + 0.45 * dice.normal()
        });
        (
            pixels.collect(),
            is_in.iter().map(|is_in| bit(*is_in)).collect(),
        )
    });
    let layers = vec![
        conv(1, 8, 10),
        Layer::Act(Act::Relu),
        conv(8, 8, 10),
        Layer::Act(Act::Relu),
        conv(8, 1, 10),
    ];
    Program {
        rate: 1e-2,
        epochs: 12,
        ..Program::new(data, ending_in(layers, Act::Sigmoid), BINARY_CROSS_ENTROPY)
    }
}

/// A digit turned by quarters.
fn turned(image: &[f32], quarters: usize) -> Vec<f32> {
    let turn = |image: Vec<f32>| {
        let pixel = |i: usize| image[8 * (7 - i % 8) + i / 8];
        (0..64).map(pixel).collect()
    };
    (0..quarters).fold(image.to_vec(), |image, _| turn(image))
}

/// By how many quarters a digit was turned: a task for which nobody has to write labels.
pub(super) fn turns(seed: u64) -> Program {
    let digits = digits(seed);
    let mut dice = Dice::new(seed + 10_041);
    let mut rows = |images: &Rows, often: usize| {
        let mut rows = Rows::default();
        for image in &images.inputs {
            let first = dice.below(4);
            for i in 0..often {
                let quarters = (first + i) % 4;
                rows.inputs.push(turned(image, quarters));
                rows.targets.push(vec![quarters as f32]);
            }
        }
        rows
    };
    let data = Data {
        train: rows(&digits.train, 2),
        valid: rows(&digits.valid, 1),
        task: Task::Classes(4),
    };
    let mut layers = normed_convs(1, [8, 16], 8);
    layers.push(dense(256, 4, GLOROT));
    Program {
        rate: 3e-3,
        batch: 64,
        epochs: 10,
        ..Program::new(data, layers, CROSS_ENTROPY)
    }
}

/// The turns with a dense layer, batch norm and dropout before the last layer.
pub(super) fn dropped_turns(seed: u64) -> Program {
    let mut program = turns(seed);
    program.layers.pop();
    program.layers.extend([
        dense(256, 48, HE),
        Layer::BatchNorm(48),
        Layer::Act(Act::Relu),
        Layer::Dropout(0.3),
        dense(48, 4, GLOROT),
    ]);
    program
}

/// Kinds of fruit: a colour, the size, and how long it is.
const FRUIT: [([f32; 3], f32, f32); 8] = [
    ([0.85, 0.15, 0.15], 3.0, 1.1),
    ([0.9, 0.85, 0.2], 2.4, 1.4),
    ([0.3, 0.75, 0.25], 2.4, 1.4),
    ([0.95, 0.85, 0.25], 3.0, 3.0),
    ([0.4, 0.15, 0.45], 2.2, 1.1),
    ([0.95, 0.55, 0.15], 2.9, 1.1),
    ([0.7, 0.75, 0.3], 3.1, 1.7),
    ([0.6, 0.1, 0.15], 1.9, 1.1),
];

/// Pictures of these kinds of fruit on 8 × 8 pixels in three colours, before a bright or dark table.
fn fruit(seed: u64, kinds: &[usize], [count, train]: [usize; 2]) -> Data {
    let mut dice = Dice::new(seed);
    made(count, train, Task::Classes(kinds.len()), || {
        let class = dice.below(kinds.len());
        let (colour, size, long) = FRUIT[kinds[class]];
        let colour = colour.map(|light| light + 0.1 * dice.normal());
        let size = size * dice.uniform(0.85, 1.15);
        let long = long * dice.uniform(0.9, 1.1);
        let angle = dice.uniform(0.0, TAU);
        let (sine, cosine) = angle.sin_cos();
        let centre = [(); 2].map(|()| 3.5 + dice.uniform(-0.8, 0.8));
        let table = dice.uniform(0.2, 0.8);
        let mut pixels = Vec::new();
        for light in colour {
            pixels.extend((0..64).map(|i| {
                let (x, y) = ((i % 8) as f32 - centre[0], (i / 8) as f32 - centre[1]);
                let (along, across) = (x * cosine + y * sine, y * cosine - x * sine);
                let is_in = along.hypot(long * across) < size;
                let value = if is_in { light } else { table };
                (value + 0.12 * dice.normal()).clamp(0.0, 1.0)
            }));
        }
        (pixels, vec![class as f32])
    })
}

/// A picture in three colours, mirrored or not, and darker or brighter.
fn another_view(row: &mut [f32], dice: &mut Dice) {
    let light = dice.uniform(0.85, 1.15);
    let is_mirrored = dice.below(2) == 0;
    for line in row.chunks_mut(8) {
        if is_mirrored {
            line.reverse();
        }
        line.iter_mut().for_each(|pixel| *pixel *= light);
    }
}

/// Five kinds of fruit, batch norm, momentum and a cosine of the rate; other views of each picture.
pub(super) fn basket(seed: u64) -> Program {
    let mut layers = normed_convs(3, [8, 16], 8);
    layers.push(dense(256, 5, GLOROT));
    Program {
        rule: Rule::Momentum(0.9),
        rate: 0.05,
        decay: Some(5e-4),
        epochs: 12,
        // Thirty-eight batches in an epoch.
        schedule: Some(|step| 0.5 + 0.5 * (PI * step as f64 / 456.0).cos()),
        augments: Some(another_view),
        ..Program::new(
            fruit(seed + 10_042, &[0, 1, 2, 3, 4], [1600, 1200]),
            layers,
            CROSS_ENTROPY,
        )
    }
}

/// Three other kinds of fruit and a hundred and twenty pictures of them, for the network that knows five kinds: a new last
/// layer, and a low rate for all of them.
pub(super) fn second_basket(seed: u64) -> Program {
    let mut layers = normed_convs(3, [8, 16], 8);
    layers.push(dense(256, 3, GLOROT));
    Program {
        rate: 1e-3,
        batch: 16,
        epochs: 25,
        decay: Some(1e-4),
        pretrained: Some(Pretrained {
            by: basket,
            layers: 7,
        }),
        augments: Some(another_view),
        ..Program::new(
            fruit(seed + 10_043, &[5, 6, 7], [620, 120]),
            layers,
            CROSS_ENTROPY,
        )
    }
}

/// How many yeasts are in a picture of 10 × 10 pixels, one to seven, standardised.
pub(super) fn yeasts(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 10_044);
    let data = made(2100, 1600, Task::Numbers, || {
        let count = 1 + dice.below(7);
        let centres: Vec<[f32; 3]> = (0..count)
            .map(|_| {
                let light = dice.uniform(0.8, 1.2);
                [dice.uniform(0.5, 8.5), dice.uniform(0.5, 8.5), light]
            })
            .collect();
        let pixels = (0..100).map(|i| {
            let (x, y) = ((i % 10) as f32, (i / 10) as f32);
            let light = |[a, b, light]: &[f32; 3]| {
                light * (-1.2 * ((x - a).powi(2) + (y - b).powi(2))).exp()
            };
            centres.iter().map(light).sum::<f32>() + 0.1 * dice.normal()
        });
        (pixels.collect(), vec![count as f32])
    });
    let layers = vec![
        conv(1, 8, 10),
        Layer::Act(Act::Relu),
        Layer::Pool {
            channels: 8,
            side: 10,
        },
        conv(8, 8, 5),
        Layer::Act(Act::Relu),
        dense(200, 1, GLOROT),
    ];
    Program {
        rate: 2e-3,
        epochs: 12,
        ..Program::new(data.standard_targets(), layers, MEAN_SQUARED)
    }
}

/// Whether a digit is odd, and a moving average of the weights that is validated.
pub(super) fn parity(seed: u64) -> Program {
    let layers = vec![
        conv(1, 12, 8),
        Layer::Act(Act::Relu),
        Layer::Pool {
            channels: 12,
            side: 8,
        },
        conv(12, 16, 4),
        Layer::Act(Act::Relu),
        dense(256, 1, GLOROT),
    ];
    let data = Data {
        task: Task::Classes(2),
        ..digits(seed).map_targets(|digit| digit % 2.0)
    };
    Program {
        rate: 6e-3,
        epochs: 14,
        ema: Some(0.98),
        ..Program::new(data, ending_in(layers, Act::Sigmoid), BINARY_CROSS_ENTROPY)
    }
}

/// Bright spots of any place, width and length on 8 × 8 pixels, through five numbers and back.
pub(super) fn beams(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 10_045);
    let data = made(2300, 1800, Task::Numbers, || {
        let centre = [(); 2].map(|()| dice.uniform(2.0, 5.0));
        let wide = [(); 2].map(|()| dice.uniform(1.2, 2.4));
        let pixels = (0..64).map(|i| {
            let (x, y) = ((i % 8) as f32 - centre[0], (i / 8) as f32 - centre[1]);
            let far = (x / wide[0]).powi(2) + (y / wide[1]).powi(2);
            2.0 * (-0.5 * far).exp() - 0.5 + 0.1 * dice.normal()
        });
        (pixels.collect(), vec![0.0])
    });
    let layers = vec![
        conv(1, 6, 8),
        Layer::Act(Act::Relu),
        Layer::Pool {
            channels: 6,
            side: 8,
        },
        dense(96, 32, HE),
        Layer::Act(Act::Relu),
        dense(32, 5, GLOROT),
        dense(5, 48, HE),
        Layer::Act(Act::Relu),
        dense(48, 64, GLOROT),
    ];
    Program {
        rate: 3e-3,
        epochs: 25,
        // Fifty-seven batches in an epoch.
        schedule: Some(|step| [1.0, 0.2][(step / 1000).min(1)]),
        ..Program::new(data.reconstructed(), layers, MEAN_SQUARED)
    }
}
