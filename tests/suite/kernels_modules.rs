//! Operations with a backward pass of their own against their twins: outputs and gradients, in every type, rank and layout,
//! under gradient checkpointing, used twice, with inputs that autodiff does not track; finite differences; and the same
//! bits whatever the number of threads.

use crate::devices::training_devices;
use crate::models::{Noise, dtypes, values};
use crate::oracle::{largest, off};
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::kernels::{
    UnitDeviation, fixed_batch_norm, fixed_batch_norm_twin, ghost_batch_norm,
    ghost_batch_norm_twin, spectral_norm, spectral_norm_twin, standardize_units,
    standardize_units_twin, weight_norm, weight_norm_twin,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// An operation on a tensor and some vectors with a number for each unit.
#[derive(Debug, Clone, Copy)]
enum Operation {
    WeightNorm,
    Standardize(UnitDeviation),
    SpectralNorm { rounds: usize },
    GhostBatchNorm { parts: usize },
    FixedBatchNorm,
}

use Operation::*;

const POPULATION: UnitDeviation = UnitDeviation {
    freedom: 0.0,
    inside: 1e-5,
    outside: 0.0,
};
const SAMPLE: UnitDeviation = UnitDeviation {
    freedom: 1.0,
    inside: 0.0,
    outside: 1e-3,
};

const ALL: [Operation; 8] = [
    WeightNorm,
    Standardize(POPULATION),
    Standardize(SAMPLE),
    SpectralNorm { rounds: 0 },
    SpectralNorm { rounds: 2 },
    GhostBatchNorm { parts: 1 },
    GhostBatchNorm { parts: 2 },
    FixedBatchNorm,
];

impl Operation {
    fn is_batch_norm(self) -> bool {
        matches!(self, GhostBatchNorm { .. } | FixedBatchNorm)
    }

    /// Of the kernel, or of the twin. What has no gradient, such as statistics, is appended to `extra`.
    fn apply<const D: usize>(
        self,
        twin: bool,
        x: Tensor<D>,
        [a, b]: [Tensor<1>; 2],
        axis: usize,
        extra: &mut Vec<f64>,
    ) -> Tensor<D> {
        match self {
            WeightNorm if twin => weight_norm_twin(x, a, axis),
            WeightNorm => weight_norm(x, a, axis),
            Standardize(deviation) if twin => standardize_units_twin(deviation, x, axis),
            Standardize(deviation) => standardize_units(deviation, x, axis),
            SpectralNorm { rounds } => {
                let (units, dtype) = (x.dims()[axis], x.dtype());
                let rest = x.shape().num_elements() / units;
                let start = |count: usize, seed| -> Tensor<1> {
                    let numbers = Noise(seed).take(count);
                    let length = numbers.iter().map(|x| x * x).sum::<f64>().sqrt();
                    let numbers: Vec<f64> = numbers.iter().map(|x| x / length).collect();
                    let device = x.device().without_autodiff();
                    Tensor::from_data(numbers.as_slice(), (&device, dtype))
                };
                let (u, v) = (start(units, 5), start(rest, 6));
                let normed = if twin {
                    spectral_norm_twin(x, axis, u, v, rounds)
                } else {
                    spectral_norm(x, axis, u, v, rounds)
                };
                for vector in [normed.u, normed.v, normed.sigma] {
                    assert!(!vector.is_autodiff());
                    extra.extend(values(vector));
                }
                normed.weight
            }
            GhostBatchNorm { parts } => {
                let normed = if twin {
                    ghost_batch_norm_twin(x, a, b, 1e-3, parts)
                } else {
                    ghost_batch_norm(x, a, b, 1e-3, parts)
                };
                for rows in [normed.means, normed.variances] {
                    assert!(!rows.is_autodiff());
                    assert_eq!(rows.dims()[0], parts);
                    extra.extend(values(rows));
                }
                normed.output
            }
            FixedBatchNorm => {
                // Not of `a` and `b`: Burn's `detach` keeps that a gradient is wanted, and then the twin runs.
                let [mean, deviation] = vectors_of(a.dims()[0]).map(|numbers| {
                    Tensor::<1>::from_data(numbers.as_slice(), (&a.device(), a.dtype()))
                });
                let variance = deviation.square();
                if twin {
                    fixed_batch_norm_twin(x, a, b, mean, variance, 1e-3)
                } else {
                    fixed_batch_norm(x, a, b, mean, variance, 1e-3)
                }
            }
        }
    }
}

/// Which inputs have a gradient: the tensor, the vectors.
type Tracked = [bool; 2];

/// The numbers of the two vectors, of so many units.
fn vectors_of(units: usize) -> [Vec<f64>; 2] {
    [7, 8].map(|seed| Noise(seed).take(units).iter().map(|x| x + 1.5).collect())
}

/// Output, what else there is, and the gradients of a loss in which the operation is used `uses` times.
fn made<const D: usize>(
    operation: Operation,
    twin: bool,
    x: &Tensor<D>,
    axis: usize,
    tracked: Tracked,
    uses: usize,
) -> [Vec<f64>; 5] {
    let vectors = vectors_of(x.dims()[axis]);
    made_of(operation, twin, (x, vectors), axis, tracked, uses)
}

/// The same with these vectors.
fn made_of<const D: usize>(
    operation: Operation,
    twin: bool,
    (x, vectors): (&Tensor<D>, [Vec<f64>; 2]),
    axis: usize,
    tracked: Tracked,
    uses: usize,
) -> [Vec<f64>; 5] {
    let (dtype, device) = (x.dtype(), x.device());
    let leaf = x.clone().set_require_grad(tracked[0]);
    let vectors = vectors.map(|numbers| {
        let vector = Tensor::<1>::from_data(numbers.as_slice(), (&device, dtype));
        vector.set_require_grad(tracked[1])
    });
    let mut extra = Vec::new();
    let mut output = Vec::new();
    let loss = (0..uses).map(|i| {
        let y = operation.apply(twin, leaf.clone(), vectors.clone(), axis, &mut extra);
        assert_eq!((y.dims(), y.dtype()), (x.dims(), dtype), "{operation:?}");
        output = values(y.clone());
        let k = Noise(20 + i as u64).take(output.len());
        let k = Tensor::<1>::from_data(k.as_slice(), (&device, dtype)).reshape(x.dims());
        (y * k).sum()
    });
    let loss = loss.reduce(|a, b| a + b).unwrap();
    if !tracked.contains(&true) {
        return [output, extra, Vec::new(), Vec::new(), Vec::new()];
    }
    let grads = loss.backward();
    let of_x = leaf.grad(&grads).map_or(Vec::new(), values);
    let [of_a, of_b] = vectors.map(|vector| vector.grad(&grads).map_or(Vec::new(), values));
    [output, extra, of_x, of_a, of_b]
}

fn tolerance(dtype: DType) -> f64 {
    match dtype {
        DType::F64 => 1e-12,
        DType::F32 => 1e-5,
        DType::F16 => 1e-2,
        _ => 6e-2,
    }
}

/// Near, relative to the largest number of the tensor.
fn assert_near(got: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let largest = largest(expected);
    for (i, (x, y)) in got.iter().zip(expected).enumerate() {
        let is_near = off(*x, *y, largest) <= tolerance;
        assert!(is_near, "{what}, number {i} of {}: {x} and {y}", got.len());
    }
}

fn random<const D: usize>(shape: [usize; D], dtype: DType, device: &Device) -> Tensor<D> {
    let numbers: Vec<f64> = (Noise(3).take(shape.iter().product()).iter())
        .map(|x| x + 0.3)
        .collect();
    Tensor::<1>::from_data(numbers.as_slice(), (device, dtype)).reshape(shape)
}

/// Kernel and twin agree on the output and on every gradient.
fn check<const D: usize>(
    operation: Operation,
    x: &Tensor<D>,
    axis: usize,
    tracked: Tracked,
    uses: usize,
) {
    check_with(operation, [x, x], axis, tracked, uses);
}

/// The same where the twin has an input of its own.
fn check_with<const D: usize>(
    operation: Operation,
    [x, of_twin]: [&Tensor<D>; 2],
    axis: usize,
    tracked: Tracked,
    uses: usize,
) {
    let what = format!(
        "{operation:?} of {:?} by {axis}, {:?}, tracked {tracked:?}, {uses} uses, on {:?}",
        x.dims(),
        x.dtype(),
        x.device()
    );
    let kernel = made(operation, false, x, axis, tracked, uses);
    let twin = made(operation, true, of_twin, axis, tracked, uses);
    let parts = ["output", "extra", "x", "first vector", "second vector"];
    for ((got, expected), part) in kernel.iter().zip(&twin).zip(parts) {
        let what = format!("{what}: {part}");
        assert_near(got, expected, tolerance(x.dtype()), &what);
    }
    let has_gradient = |part: &[f64]| part.iter().any(|x| x.abs() > 1e-6);
    assert_eq!(has_gradient(&kernel[2]), tracked[0], "{what}");
}

fn check_ranks(operation: Operation, dtype: DType, device: &Device) {
    let both = [true, true];
    if operation.is_batch_norm() {
        check(operation, &random([9, 5], dtype, device), 1, both, 1);
        check(operation, &random([7, 1], dtype, device), 1, both, 1);
        check(operation, &random([5, 3, 4], dtype, device), 1, both, 1);
        check(operation, &random([4, 6, 3, 3], dtype, device), 1, both, 1);
        return;
    }
    for axis in [0, 1] {
        check(operation, &random([19, 67], dtype, device), axis, both, 1);
        check(operation, &random([67, 7], dtype, device), axis, both, 1);
        check(operation, &random([4, 6, 5], dtype, device), axis, both, 1);
        check(
            operation,
            &random([6, 4, 3, 3], dtype, device),
            axis,
            both,
            1,
        );
    }
    let last = random([3, 5, 2, 2, 3], dtype, device);
    check(operation, &last, 4, both, 1);
}

#[test]
fn operations_are_their_twins_in_every_type_and_rank() {
    for (_, device) in training_devices() {
        for dtype in dtypes(&device) {
            for operation in ALL {
                // A driver that fails says no more than that.
                println!("{operation:?} in {dtype:?} on {device:?}");
                check_ranks(operation, dtype, &device);
            }
        }
    }
}

#[test]
fn also_used_twice_untracked_in_part_and_under_gradient_checkpointing() {
    for (_, device) in training_devices() {
        for device in [device.clone(), device.gradient_checkpointing()] {
            let x = random([12, 5], DType::F32, &device);
            for operation in ALL {
                for tracked in [[true, true], [true, false], [false, true], [false, false]] {
                    let has_vectors = operation.is_batch_norm() || matches!(operation, WeightNorm);
                    if has_vectors || tracked[0] == tracked[1] {
                        check(operation, &x, 1, tracked, 1);
                        check(operation, &x, 1, tracked, 2);
                    }
                }
            }
        }
    }
}

#[test]
fn in_other_layouts_and_sizes_beyond_one_thread_too() {
    let device = Device::flex().autodiff();
    for operation in ALL {
        let transposed = random([17, 12], DType::F32, &device).transpose();
        check(operation, &transposed, 1, [true, true], 1);
        let narrowed = random([24, 9], DType::F32, &device)
            .narrow(0, 3, 12)
            .detach();
        check(operation, &narrowed, 1, [true, true], 1);
        let large = random([601, 257], DType::F32, &device);
        check(operation, &large, 1, [true, true], 1);
        // The twin of fixed statistics adds up 40,003 numbers in the type of its input.
        let few = random([40_003, 3], DType::F32, &device);
        let wide = few.clone().cast(DType::F64);
        check_with(operation, [&few, &wide], 1, [true, true], 1);
        let filters = random([30, 70, 7, 7], DType::F32, &device);
        check(
            operation,
            &filters,
            usize::from(operation.is_batch_norm()),
            [true, true],
            1,
        );
    }
}

/// Weights in lines so long that threads share each, and in so many slices that threads share them.
#[test]
fn spectral_norm_of_weights_with_long_lines_and_many_slices_is_its_twin() {
    let device = Device::flex().autodiff();
    for dtype in [DType::F32, DType::F64, DType::BF16] {
        let operation = SpectralNorm { rounds: 2 };
        for axis in [0, 1] {
            let wide = random([70, 3_001], dtype, &device);
            check(operation, &wide, axis, [true, true], 1);
            let slices = random([300, 40, 3, 3], dtype, &device);
            check(operation, &slices, axis, [true, true], 1);
            let long = random([3, 7, 5_003], dtype, &device);
            check(operation, &long, axis, [true, true], 1);
        }
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let device = Device::flex().autodiff();
    for device in [device.clone(), device.gradient_checkpointing()] {
        for operation in ALL {
            check_differences(operation, &device);
        }
    }
}

fn check_differences(operation: Operation, device: &Device) {
    let x = random([8, 3], DType::F64, device);
    let k = Noise(20).take(24);
    let [_, extra, gradient, ..] = made(operation, false, &x, 1, [true, true], 1);
    let loss = |x: &Tensor<2>| -> f64 {
        let output = match operation {
            // σ is differentiated with u and v held constant: those after the rounds.
            SpectralNorm { .. } => {
                let plain = device.clone().without_autodiff();
                let vector =
                    |numbers: &[f64]| Tensor::<1>::from_data(numbers, (&plain, DType::F64));
                let (u, v) = (vector(&extra[..3]), vector(&extra[3..11]));
                values(spectral_norm(x.clone(), 1, u, v, 0).weight)
            }
            _ => {
                let [output, ..] = made(operation, false, x, 1, [false, false], 1);
                output
            }
        };
        output.iter().zip(&k).map(|(y, k)| y * k).sum()
    };
    for (place, gradient) in gradient.iter().enumerate() {
        let moved = |h: f64| {
            let mut numbers = vec![0.0; 24];
            numbers[place] = h;
            let step = Tensor::<1>::from_data(numbers.as_slice(), (device, DType::F64));
            loss(&(x.clone() + step.reshape([8, 3])).detach())
        };
        let difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
        let error = (difference - gradient).abs();
        assert!(
            error < 1e-7,
            "{operation:?} at {place}: {difference}, {gradient}"
        );
    }
}

/// Of the lengths of weight norm, and of scale and shift of batch norm.
#[test]
fn gradients_of_vectors_are_those_of_finite_differences() {
    let device = Device::flex().autodiff();
    let x = random([8, 3], DType::F64, &device);
    let k = Noise(20).take(24);
    for (operation, count) in [
        (WeightNorm, 1),
        (GhostBatchNorm { parts: 1 }, 2),
        (GhostBatchNorm { parts: 2 }, 2),
        (FixedBatchNorm, 2),
    ] {
        let [_, _, _, of_a, of_b] = made(operation, false, &x, 1, [true, true], 1);
        for (which, gradient) in [of_a, of_b].iter().enumerate().take(count) {
            assert_eq!(gradient.len(), 3, "{operation:?}");
            for (place, gradient) in gradient.iter().enumerate() {
                let moved = |h: f64| -> f64 {
                    let mut vectors = vectors_of(3);
                    vectors[which][place] += h;
                    let none = [false, false];
                    let [output, ..] = made_of(operation, false, (&x, vectors), 1, none, 1);
                    output.iter().zip(&k).map(|(y, k)| y * k).sum()
                };
                let difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                assert!(
                    (difference - gradient).abs() < 1e-7,
                    "{operation:?}, vector {which} at {place}: {difference}, {gradient}"
                );
            }
        }
    }
}

/// Units of zeros, constant units, and a weight whose singular value is 0.
#[test]
fn units_without_a_direction_or_a_variance_stay_zero() {
    for (name, device) in training_devices() {
        let x = random([6, 3], DType::F32, &device);
        let zero_unit = x.clone() * Tensor::from_floats([[1.0, 0.0, 1.0]], &device);
        for operation in [WeightNorm, Standardize(SAMPLE), Standardize(POPULATION)] {
            let x = zero_unit.clone().detach();
            let kernel = made(operation, false, &x, 1, [true, true], 1);
            let twin = made(operation, true, &x, 1, [true, true], 1);
            for (got, expected) in kernel.iter().zip(&twin) {
                assert_near(got, expected, 1e-5, &format!("{name} {operation:?}"));
            }
            assert!(
                (0..6).all(|row| kernel[0][3 * row + 1] == 0.0),
                "{name} {operation:?}"
            );
        }
        let zeros = Tensor::<2>::zeros([6, 3], &device);
        let operation = SpectralNorm { rounds: 2 };
        let kernel = made(operation, false, &zeros, 1, [true, true], 1);
        let twin = made(operation, true, &zeros, 1, [true, true], 1);
        assert_near(&kernel[1], &twin[1], 1e-6, name);
        assert_near(&kernel[2], &twin[2], 1e-6, name);
        assert!(kernel[0].iter().all(|x| *x == 0.0), "{name}");
    }
}

/// The mean of squares minus the square of the mean would have no digit left.
#[test]
fn variances_far_from_zero_are_exact() {
    let device = Device::flex().autodiff();
    let offset = |dtype| random([500, 4], dtype, &device) + 4096.0;
    for operation in [Standardize(POPULATION), GhostBatchNorm { parts: 2 }] {
        let single = offset(DType::F32);
        let [output, ..] = made(operation, false, &single, 1, [false, false], 1);
        let [exact, ..] = made(
            operation,
            true,
            &single.cast(DType::F64),
            1,
            [false, false],
            1,
        );
        // The mean is rounded to a type with three digits behind its point.
        assert_near(&output, &exact, 1e-3, &format!("{operation:?}"));
    }
}

/// Deviations are counted from the first number of a unit, here far from all others: their squares would cancel.
#[test]
fn variances_do_not_depend_on_where_an_outlier_stands() {
    let device = Device::flex().autodiff();
    for first in [1000.77_f32, 50.123] {
        let mut numbers = vec![0.3_f32; 20_000];
        numbers[0] = first;
        let (n, [one, rest]) = (20_000.0, [first, 0.3].map(f64::from));
        let variance = (one - rest).powi(2) * (n - 1.0) / (n * n);
        let x = Tensor::<1>::from_floats(numbers.as_slice(), &device).reshape([20_000, 1]);
        let x = x.repeat_dim(1, 2);
        let operation = GhostBatchNorm { parts: 1 };
        let [_, statistics, ..] = made(operation, false, &x, 1, [false, false], 1);
        for got in &statistics[2..] {
            assert!(
                (got / variance - 1.0).abs() < 1e-6,
                "{first}: {got}, not {variance}"
            );
        }
    }
}

/// Mean and variance may be calculated from parameters: the kernel, which has no gradient for them, must step back.
#[test]
fn fixed_statistics_that_autodiff_tracks_keep_their_gradient() {
    for (name, device) in training_devices() {
        let gradient = |twin: bool| {
            let leaf = Tensor::<1>::from_floats([0.5, 1.5], &device).require_grad();
            let (mean, variance) = (leaf.clone() * 2.0, leaf.clone().square());
            let (x, ones) = (
                random([6, 2], DType::F32, &device),
                Tensor::<1>::ones([2], &device),
            );
            let batch_norm = if twin {
                fixed_batch_norm_twin::<2>
            } else {
                fixed_batch_norm::<2>
            };
            let y = batch_norm(x, ones.clone(), ones, mean, variance, 1e-3);
            let grads = y.square().sum().backward();
            values(leaf.grad(&grads).expect("a gradient"))
        };
        assert_near(&gradient(false), &gradient(true), 1e-6, name);
    }
}

/// The kernels are for inputs that all belong to autodiff, or none: otherwise the twin runs.
#[test]
fn inputs_of_which_some_are_outside_of_autodiff_have_the_gradients_of_the_twin() {
    for (name, device) in training_devices() {
        let plain = device.clone().without_autodiff();
        let made = |operation: Operation, twin: bool, x_is_plain: bool| {
            let (of_x, of_vectors) = if x_is_plain {
                (&plain, &device)
            } else {
                (&device, &plain)
            };
            let x = random([12, 5], DType::F32, of_x).set_require_grad(!x_is_plain);
            let vectors = vectors_of(5).map(|numbers| {
                let vector = Tensor::<1>::from_data(numbers.as_slice(), (of_vectors, DType::F32));
                vector.set_require_grad(x_is_plain)
            });
            let y = operation.apply(twin, x.clone(), vectors.clone(), 1, &mut Vec::new());
            let grads = y.clone().powi_scalar(3).sum().backward();
            let of_leaf = if x_is_plain {
                vectors[0].grad(&grads).map(values)
            } else {
                x.grad(&grads).map(values)
            };
            [values(y), of_leaf.expect("a gradient")]
        };
        for operation in [WeightNorm, GhostBatchNorm { parts: 2 }, FixedBatchNorm] {
            for x_is_plain in [true, false] {
                let got = made(operation, false, x_is_plain);
                let expected = made(operation, true, x_is_plain);
                let what = format!("{operation:?} on {name}, x without autodiff: {x_is_plain}");
                assert!(expected[1].iter().any(|x| x.abs() > 1e-3), "{what}");
                assert_near(&got[0], &expected[0], 1e-6, &what);
                assert_near(&got[1], &expected[1], 1e-5, &what);
            }
        }
    }
}

/// Burn refuses inputs of which some are under gradient checkpointing and some under plain autodiff. So do the kernels, which
/// leave such inputs to the twin.
#[test]
fn inputs_with_two_strategies_of_checkpointing_are_refused_as_burn_does() {
    let message = |twin: bool| {
        let device = Device::flex().autodiff();
        let x = random([12, 5], DType::F32, &device).require_grad();
        let checkpointing = device.gradient_checkpointing();
        let vectors = vectors_of(5).map(|numbers| {
            let vector = Tensor::<1>::from_data(numbers.as_slice(), (&checkpointing, DType::F32));
            vector.require_grad()
        });
        let apply = || WeightNorm.apply(twin, x, vectors, 1, &mut Vec::new());
        let refused = catch_unwind(AssertUnwindSafe(apply)).expect_err("two strategies");
        refused.downcast_ref::<String>().cloned()
    };
    let of_burn = message(true).expect("a formatted message");
    assert!(
        of_burn.contains("Gradient checkpointing strategy mismatch"),
        "{of_burn}"
    );
    assert_eq!(message(false), Some(of_burn));
}

/// An input in half precision with parameters in `f32`: the result has the input's type, and every gradient that of its
/// tensor, as near to what `f32` gives as the rounding of the input allows.
#[test]
fn inputs_of_several_types_have_the_gradients_of_f32() {
    for (name, device) in training_devices() {
        let Some(half) = dtypes(&device)
            .into_iter()
            .find(|dtype| *dtype == DType::F16)
        else {
            continue;
        };
        let numbers = random([12, 5], half, &device);
        let made = |operation: Operation, dtype: DType| {
            let x = numbers.clone().cast(dtype).detach().require_grad();
            let vectors = vectors_of(5).map(|numbers| {
                let vector = Tensor::<1>::from_data(numbers.as_slice(), (&device, DType::F32));
                vector.require_grad()
            });
            let y = match operation {
                SpectralNorm { rounds } => {
                    let plain = device.clone().without_autodiff();
                    let start = |count: usize| {
                        let ones = Tensor::<1>::ones([count], (&plain, DType::F32));
                        ones / (count as f64).sqrt()
                    };
                    let normed = spectral_norm(x.clone(), 1, start(5), start(12), rounds);
                    for vector in [&normed.u, &normed.v, &normed.sigma] {
                        assert_eq!(vector.dtype(), dtype, "{operation:?} on {name}");
                    }
                    normed.weight
                }
                _ => operation.apply(false, x.clone(), vectors.clone(), 1, &mut Vec::new()),
            };
            assert_eq!(y.dtype(), dtype, "{operation:?} on {name}");
            let grads = y.clone().cast(DType::F32).powi_scalar(3).sum().backward();
            let of_x = x.grad(&grads).expect("a gradient");
            assert_eq!(of_x.dtype(), dtype, "{operation:?} on {name}");
            let of_vectors = vectors.map(|vector| {
                let grad = vector.grad(&grads)?;
                assert_eq!(grad.dtype(), DType::F32, "{operation:?} on {name}");
                Some(values(grad))
            });
            (values(y), values(of_x), of_vectors)
        };
        for operation in [
            WeightNorm,
            SpectralNorm { rounds: 2 },
            GhostBatchNorm { parts: 2 },
            FixedBatchNorm,
        ] {
            let (got, expected) = (made(operation, half), made(operation, DType::F32));
            let what = format!("{operation:?} on {name}");
            assert!(expected.1.iter().any(|x| x.abs() > 1e-3), "{what}");
            assert_near(&got.0, &expected.0, 2e-3, &what);
            assert_near(&got.1, &expected.1, 1e-2, &what);
            for (got, expected) in got.2.iter().zip(&expected.2) {
                assert_eq!(got.is_some(), expected.is_some(), "{what}");
                if let (Some(got), Some(expected)) = (got, expected) {
                    assert_near(got, expected, 1e-2, &what);
                }
            }
        }
    }
}

#[test]
fn singular_vectors_survive_a_weight_that_is_no_number() {
    for (name, device) in training_devices() {
        let start = || Tensor::<1>::from_floats([0.6, 0.8], &device.clone().without_autodiff());
        for number in [f32::NAN, f32::INFINITY] {
            let numbers = [[number, 0.0], [0.0, 4.0]];
            let bad = Tensor::<2>::from_floats(numbers, &device);
            for normed in [
                spectral_norm(bad.clone(), 1, start(), start(), 3),
                spectral_norm_twin(bad, 1, start(), start(), 3),
            ] {
                for vector in [normed.u, normed.v] {
                    let vector = values(vector);
                    let is_unit = vector.iter().map(|x| x * x).sum::<f64>() - 1.0;
                    assert!(is_unit.abs() < 1e-6, "{name}, {number}: {vector:?}");
                }
            }
        }
    }
}

#[test]
fn without_units_there_is_nothing_to_do() {
    let device = Device::flex();
    let (weight, lengths) = (
        Tensor::<2>::zeros([0, 3], &device),
        Tensor::<1>::zeros([0], &device),
    );
    assert_eq!(weight_norm(weight.clone(), lengths, 0).dims(), [0, 3]);
    assert_eq!(standardize_units(POPULATION, weight, 0).dims(), [0, 3]);
}

#[test]
fn units_without_numbers_are_no_panic_forwards_or_backwards() {
    let device = Device::flex().autodiff();
    let x = || Tensor::<3>::zeros([200, 2, 0], &device).require_grad();
    let ones = || Tensor::<1>::ones([2], &device).require_grad();
    let plain = Device::flex();
    for y in [
        weight_norm(x(), ones(), 1),
        standardize_units(POPULATION, x(), 1),
        ghost_batch_norm(x(), ones(), ones(), 1e-3, 1).output,
        fixed_batch_norm(x(), ones(), ones(), ones(), ones(), 1e-3),
        spectral_norm(x(), 1, ones().inner(), Tensor::zeros([0], &plain), 1).weight,
    ] {
        assert_eq!(y.dims(), [200, 2, 0]);
        y.sum().backward();
    }
}

#[test]
fn a_nan_or_an_infinity_marks_its_unit_and_no_other() {
    let device = Device::flex().autodiff();
    for number in [f32::NAN, f32::INFINITY] {
        let mut marked = vec![0.0; 18];
        marked[7] = number; // the second unit
        let marked = Tensor::<1>::from_floats(marked.as_slice(), &device).reshape([6, 3]);
        let x = random([6, 3], DType::F32, &device) + marked;
        for operation in [
            WeightNorm,
            Standardize(POPULATION),
            GhostBatchNorm { parts: 1 },
        ] {
            let [output, ..] = made(operation, false, &x, 1, [false, false], 1);
            for (place, y) in output.iter().enumerate() {
                assert!(y.is_finite() || place % 3 == 1, "{operation:?} {number}");
            }
            assert!(output[7].is_nan(), "{operation:?} {number}: {}", output[7]);
        }
    }
}

#[test]
fn the_bits_of_operations_do_not_depend_on_the_number_of_threads() {
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(|| {
            let device = Device::flex().autodiff();
            let x = random([700, 300], DType::F32, &device);
            let made_of = |operation| made(operation, false, &x, 1, [true, true], 1);
            let mut all = ALL.map(made_of).to_vec();
            let spectral = SpectralNorm { rounds: 1 };
            let wide = random([50, 4_001], DType::F32, &device);
            let slices = random([300, 40, 3, 3], DType::F32, &device);
            for axis in [0, 1] {
                all.push(made(spectral, false, &wide, axis, [true, true], 1));
                all.push(made(spectral, false, &slices, axis, [true, true], 1));
            }
            all
        })
    };
    let one = run(1);
    for threads in [2, 5] {
        assert_eq!(run(threads), one, "{threads} threads");
    }
}
