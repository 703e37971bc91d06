//! Programs after faults that are asked about on forums, written when the doctor had its second rules, and judged once;
//! those that it missed have led to further rules since then.

mod loops_and_losses;
mod networks_and_healthy;

use super::bases::{embedded, pairs};
use super::{Case, Origin, Series};
use crate::clinic::data::{Rows, Task, drawn};
use crate::clinic::layer::Layer;
use crate::clinic::loss::{BINARY_CROSS_ENTROPY, CROSS_ENTROPY, Loss, MEAN_SQUARED};
use crate::clinic::program::Program;

const SET: Series = Series {
    source: "made, after questions that are asked again and again on forums",
    origin: Origin::Late,
};

/// All of them.
pub(super) const CASES: [&[Case]; 2] = [loops_and_losses::CASES, networks_and_healthy::CASES];

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

/// Whether two of thirty items are of one kind, of three.
fn items(seed: u64) -> Program {
    Program {
        rate: 1e-2,
        epochs: 12,
        ..Program::new(pairs(seed, 30, 3, 700), embedded(30, 24), CROSS_ENTROPY)
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
