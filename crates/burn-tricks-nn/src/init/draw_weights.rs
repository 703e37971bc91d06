//! Drawing weights from the generator of a device.

use crate::init::weight_init::{Draw, WeightInit};
use burn::tensor::{DType, Device, Distribution, Tensor, TensorData};
use burn_tricks_core::UnitAxis;

/// The share of a standard deviation that a normal distribution keeps when it is cut off at two.
const TRUNCATED_AT_TWO: f64 = 0.879_625_661_034_239_8;

/// A device, and the type in which weights are drawn: `f64` for `f64` weights, otherwise `f32`.
type Place<'a> = (&'a Device, DType);

/// Draws weights of this shape. The caller has checked that the shape is right for `init`, and gives the axis of the
/// units if `init` needs fans.
pub(crate) fn draw<const D: usize>(
    init: WeightInit,
    shape: [usize; D],
    unit: Option<UnitAxis>,
    place: Place<'_>,
) -> Tensor<D> {
    let std = || {
        let fans = unit.and_then(|unit| unit.fans(&shape));
        let fans = fans.expect("checked before");
        init.std(fans).expect("a scaled distribution has one")
    };
    let random = |distribution| Tensor::random(shape, distribution, place);
    match init {
        WeightInit::Constant { value } => Tensor::full(shape, value, place),
        WeightInit::Uniform { low, high } => random(Distribution::Uniform(low, high)),
        WeightInit::Normal { std } => random(Distribution::Normal(0.0, std)),
        WeightInit::TruncatedNormal { std, bound } => truncated(shape, std, bound, place),
        WeightInit::InverseFanIn => random(Distribution::Normal(0.0, std())),
        WeightInit::Scaled { draw, .. } => match draw {
            Draw::Normal => random(Distribution::Normal(0.0, std())),
            Draw::Uniform => {
                let bound = 3f64.sqrt() * std();
                random(Distribution::Uniform(-bound, bound))
            }
            Draw::TruncatedNormal => truncated(shape, std() / TRUNCATED_AT_TWO, 2.0, place),
        },
        WeightInit::Orthogonal { gain } => orthogonal(shape, gain, place),
        WeightInit::Identity { gain } => one_to_one(shape, 1, gain, place),
        WeightInit::Dirac { groups } => one_to_one(shape, groups, 1.0, place),
        WeightInit::Sparse { sparsity, std } => {
            sparse(shape, unit.expect("checked before"), sparsity, std, place)
        }
    }
}

/// Standard normal numbers, on the host.
fn normal(count: usize, place: Place<'_>) -> Vec<f64> {
    let drawn = Tensor::<1>::random([count], Distribution::Normal(0.0, 1.0), place);
    #[allow(clippy::disallowed_methods)] // before training
    drawn.into_data().iter::<f64>().collect()
}

fn on_device<const D: usize>(values: Vec<f64>, shape: [usize; D], place: Place<'_>) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), place)
}

/// Draws anew every number that lies outside.
fn truncated<const D: usize>(
    shape: [usize; D],
    std: f64,
    bound: f64,
    place: Place<'_>,
) -> Tensor<D> {
    let count = shape.iter().product();
    let mut values = Vec::with_capacity(count);
    while values.len() < count {
        let drawn = normal((count - values.len()).max(64), place);
        let inside = drawn.into_iter().filter(|value| value.abs() <= bound);
        values.extend(inside.take(count - values.len()).map(|value| value * std));
    }
    on_device(values, shape, place)
}

/// The orthogonal factor of a normal matrix, by Gram and Schmidt: its triangular factor has a positive
/// diagonal, which makes the result uniform among all orthogonal matrices (Mezzadri).
fn orthogonal<const D: usize>(shape: [usize; D], gain: f64, place: Place<'_>) -> Tensor<D> {
    let rows = shape[0];
    let columns: usize = shape[1..].iter().product();
    let (count, length) = (rows.min(columns), rows.max(columns));
    let mut vectors: Vec<Vec<f64>> = Vec::with_capacity(count);
    while vectors.len() < count {
        let drawn = normal((count - vectors.len()) * length, place);
        for mut vector in drawn.chunks(length).map(<[_]>::to_vec) {
            let before = norm(&vector);
            for earlier in &vectors {
                let along: f64 = earlier.iter().zip(&vector).map(|(a, b)| a * b).sum();
                for (value, direction) in vector.iter_mut().zip(earlier) {
                    *value -= along * direction;
                }
            }
            let left = norm(&vector);
            // So close to the others that f64 has lost the direction: the next one, then.
            if left > 1e-6 * before {
                vector.iter_mut().for_each(|value| *value /= left);
                vectors.push(vector);
            }
        }
    }
    let at = |row: usize, column: usize| {
        if rows <= columns {
            vectors[row][column]
        } else {
            vectors[column][row]
        }
    };
    let values = (0..rows)
        .flat_map(|row| (0..columns).map(move |column| (row, column)))
        .map(|(row, column)| gain * at(row, column))
        .collect();
    on_device(values, shape, place)
}

/// `value` in the middle of the kernel from channel i of a group to channel i of the group, 0 elsewhere.
fn one_to_one<const D: usize>(
    shape: [usize; D],
    groups: usize,
    value: f64,
    place: Place<'_>,
) -> Tensor<D> {
    let kernel: usize = shape[2..].iter().product();
    let middle = shape[2..].iter().fold(0, |at, size| at * size + size / 2);
    let (per_group, second) = (shape[0] / groups, shape[1]);
    let mut values = vec![0.0; shape[0] * second * kernel];
    for group in 0..groups {
        for channel in 0..per_group.min(second) {
            let first = group * per_group + channel;
            values[(first * second + channel) * kernel + middle] = value;
        }
    }
    on_device(values, shape, place)
}

/// Normal weights, of which each unit has `sparsity` zeros, at the places of its smallest random numbers.
fn sparse<const D: usize>(
    shape: [usize; D],
    unit: UnitAxis,
    sparsity: f64,
    std: f64,
    place: Place<'_>,
) -> Tensor<D> {
    let count: usize = shape.iter().product();
    let mut values: Vec<f64> = normal(count, place).iter().map(|x| x * std).collect();
    let order = normal(count, place);
    let inner: usize = shape[unit.axis() + 1..].iter().product();
    let units = shape[unit.axis()];
    let mut places = vec![Vec::new(); units];
    for place in 0..count {
        places[place / inner % units].push(place);
    }
    for mut places in places {
        let zeros = (sparsity * places.len() as f64).ceil() as usize;
        places.sort_by(|a, b| order[*a].total_cmp(&order[*b]));
        for place in &places[..zeros] {
            values[*place] = 0.0;
        }
    }
    on_device(values, shape, place)
}

fn norm(vector: &[f64]) -> f64 {
    vector.iter().map(|value| value * value).sum::<f64>().sqrt()
}
