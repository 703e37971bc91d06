//! Programs after faults that are asked about on forums, written when the doctor had its second rules, and judged once;
//! those that it missed have led to further rules since then.

mod loops_and_losses;
mod networks_and_healthy;

use super::{Case, Expect, Kind, Origin, Seen};
use crate::clinic::data::{Data, Dice, Rows, Task, digits, drawn};
use crate::clinic::layer::{Act, GLOROT, HE, Layer, dense, mlp};
use crate::clinic::loss::{BINARY_CROSS_ENTROPY, CROSS_ENTROPY, Loss, MEAN_SQUARED};
use crate::clinic::program::Program;

/// All of them.
pub(super) const CASES: [&[Case]; 2] = [loops_and_losses::CASES, networks_and_healthy::CASES];

const fn asked(
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
        origin: Origin::Late,
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

fn convolutions() -> Vec<Layer> {
    let conv = |inputs, outputs, side| Layer::Conv {
        channels: [inputs, outputs],
        side,
        weight: HE,
    };
    vec![
        conv(1, 8, 8),
        Layer::Act(Act::Relu),
        Layer::Pool {
            channels: 8,
            side: 8,
        },
        conv(8, 12, 4),
        Layer::Act(Act::Relu),
        dense(192, 10, GLOROT),
    ]
}

/// On which side of a plane a row of six numbers is.
fn plane(seed: u64, layers: Vec<Layer>) -> Program {
    let data = drawn(seed, 1500, 6, Task::Classes(2), |x, _| {
        f32::from(u8::from(x[0] + x[1] - x[4] > 0.2))
    });
    let loss: Loss = BINARY_CROSS_ENTROPY;
    Program {
        epochs: 12,
        ..Program::new(data, layers, loss)
    }
}

/// The first of so many numbers from N(0, 1), which is therefore a column of the inputs.
fn remembers(seed: u64, length: usize, layers: Vec<Layer>) -> Program {
    let data = drawn(seed, 1000, length, Task::Numbers, |x, _| x[0]);
    Program {
        rate: 3e-3,
        ..Program::new(data, layers, MEAN_SQUARED)
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

/// Whether two of thirty items are of one kind, of three.
fn items(seed: u64) -> Program {
    let mut pairs: Vec<(usize, usize)> = (0..900).map(|i| (i / 30, i % 30)).collect();
    Dice::new(seed).shuffle(&mut pairs);
    let rows = |pairs: &[(usize, usize)]| Rows {
        inputs: pairs
            .iter()
            .map(|(one, other)| vec![*one as f32, *other as f32])
            .collect(),
        targets: pairs
            .iter()
            .map(|(one, other)| vec![f32::from(u8::from(one % 3 == other % 3))])
            .collect(),
    };
    let data = Data {
        train: rows(&pairs[..700]),
        valid: rows(&pairs[700..]),
        task: Task::Classes(2),
    };
    let layers = vec![
        Layer::Embedding {
            count: 30,
            width: 8,
        },
        dense(16, 24, HE),
        Layer::Act(Act::Relu),
        dense(24, 2, GLOROT),
    ];
    Program {
        rate: 1e-2,
        epochs: 12,
        ..Program::new(data, layers, CROSS_ENTROPY)
    }
}

/// The rows whose class is wanted.
fn kept(rows: &Rows, mut wanted: impl FnMut(f32) -> bool) -> Rows {
    let pairs = rows.inputs.iter().zip(&rows.targets);
    let (inputs, targets) = pairs
        .filter(|(_, target)| wanted(target[0]))
        .map(|(row, target)| (row.clone(), target.clone()))
        .unzip();
    Rows { inputs, targets }
}
