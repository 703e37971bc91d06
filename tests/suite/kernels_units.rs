//! The clipping of units against its twin: types, layouts, buffers that others hold, ranks, sizes around the boundaries
//! of its loops; numbers that overflow, vanish or are none; and the same bits whatever the number of threads.

use crate::devices::{devices, is_gpu};
use crate::models::{Noise, dtypes, values};
use crate::oracle::off;
use burn::tensor::{DType, Device, FloatDType, Tensor};
use burn_tricks::kernels::{TensorList, UnitClip, clip_units, clip_units_all, clip_units_twin};

fn random<const D: usize>(
    shape: [usize; D],
    seed: u64,
    dtype: DType,
    device: &Device,
) -> Tensor<D> {
    let numbers = Noise(seed).take(shape.iter().product());
    Tensor::<1>::from_data(numbers.as_slice(), (device, dtype)).reshape(shape)
}

/// The bound of the tests: of random gradients about half the units exceed it, see [`grad`].
const CLIP: UnitClip = UnitClip {
    clip_factor: 0.7,
    epsilon: 1e-3,
};

/// Which unit the number at `place` belongs to.
fn unit_of(place: usize, shape: &[usize], axis: Option<usize>) -> usize {
    axis.map_or(0, |axis| {
        let run: usize = shape[axis + 1..].iter().product();
        place / run % shape[axis]
    })
}

/// A gradient whose odd units are three times as large as the others.
fn grad<const D: usize>(
    shape: [usize; D],
    axis: Option<usize>,
    dtype: DType,
    device: &Device,
) -> Tensor<D> {
    let mut numbers = Noise(2).take(shape.iter().product());
    for (place, number) in numbers.iter_mut().enumerate() {
        *number *= [0.5, 1.5][unit_of(place, &shape, axis) % 2];
    }
    Tensor::<1>::from_data(numbers.as_slice(), (device, dtype)).reshape(shape)
}

fn tolerance(dtype: DType, device: &Device) -> f64 {
    match dtype {
        DType::F64 => 1e-13,
        DType::F32 if *device == Device::flex() => 2e-6,
        DType::F32 => 1e-5,
        DType::F16 => 2e-3,
        _ => 8e-3,
    }
}

fn assert_near(got: &[f64], expected: &[f64], relative: f64, what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (i, (x, y)) in got.iter().zip(expected).enumerate() {
        let off = off(*x, *y, y.abs());
        assert!(off <= relative, "{what}, number {i}: {x} and {y}");
    }
}

/// Kernel and twin, with buffers of its own, and with buffers that somebody holds.
fn check<const D: usize>(shape: [usize; D], axis: Option<usize>, dtype: DType, device: &Device) {
    let weight = || random(shape, 1, dtype, device);
    let given = values(grad(shape, axis, dtype, device));
    let twin = clip_units_twin(CLIP, weight(), grad(shape, axis, dtype, device), axis);
    let twin = values(twin);
    let what = format!("{shape:?} by {axis:?}, {dtype:?} on {device:?}");
    let alone = clip_units(CLIP, weight(), grad(shape, axis, dtype, device), axis);
    assert_eq!((alone.dims(), alone.dtype()), (shape, dtype), "{what}");
    let alone = values(alone);
    // Sums of `f32` numbers, which the twin forms in `f32`, err by more than the kernel's.
    let long = 1e-9 * shape.iter().product::<usize>() as f64;
    let near = tolerance(dtype, device).max(if dtype == DType::F64 { 0.0 } else { long });
    assert_near(&alone, &twin, near, &what);
    if *device == Device::flex() {
        let wide = |tensor: Tensor<D>| tensor.cast(FloatDType::F64);
        let grad = wide(grad(shape, axis, dtype, device));
        let exact = clip_units_twin(CLIP, wide(weight()), grad, axis);
        let place = match dtype {
            DType::F32 => 2e-7,
            dtype => tolerance(dtype, device),
        };
        assert_near(&alone, &values(exact), place, &what);
    }
    for (place, (before, after)) in given.iter().zip(&alone).enumerate() {
        // Long random units are nowhere near the bound.
        let length = shape.iter().product::<usize>() / axis.map_or(1, |axis| shape[axis]);
        let is_clipped = unit_of(place, &shape, axis) % 2 == 1;
        if length >= 1000 && before.abs() > 0.1 {
            assert_eq!(before != after, is_clipped, "{what}, number {place}");
        }
    }
    let (held_weight, held_grad) = (weight(), grad(shape, axis, dtype, device));
    let shared = clip_units(CLIP, held_weight.clone(), held_grad.clone(), axis);
    assert_eq!(values(shared), alone, "{what}, held");
    assert_eq!(values(held_weight), values(weight()), "{what}: somebody's");
    assert_eq!(values(held_grad), given, "{what}: somebody's gradient");
}

#[test]
fn clipping_of_units_is_its_twin_in_every_type_rank_and_layout() {
    for (_, device) in devices() {
        for dtype in dtypes(&device) {
            check([7], None, dtype, &device);
            check([1], None, dtype, &device);
            for axis in [None, Some(0), Some(1)] {
                check([19, 67], axis, dtype, &device);
                check([67, 19], axis, dtype, &device);
                check([5, 1], axis, dtype, &device);
                check([1, 5], axis, dtype, &device);
                check([6, 4, 3, 3], axis, dtype, &device);
                check([3, 5, 2, 2, 3], axis, dtype, &device);
            }
            check([4, 6, 300], Some(1), dtype, &device);
        }
    }
}

#[test]
fn clipping_of_units_is_its_twin_at_every_size() {
    let device = Device::flex();
    for dtype in [DType::F32, DType::BF16, DType::F64] {
        check([65_536], None, dtype, &device);
        check([200_001], None, dtype, &device);
        for axis in [Some(0), Some(1)] {
            check([70, 1025], axis, dtype, &device);
            check([1500, 100], axis, dtype, &device);
            check([64, 3001], axis, dtype, &device);
            check([3, 66_000], axis, dtype, &device);
            check([66_000, 3], axis, dtype, &device);
            check([1, 70_001], axis, dtype, &device);
            check([70_001, 1], axis, dtype, &device);
            check([40, 36, 9, 9], axis, dtype, &device);
            check([2, 3, 40_000], axis, dtype, &device);
        }
    }
}

/// A GPU takes 65,535 cubes in a row, and a cube takes eight units: the rows of an embedding can be more.
#[test]
fn as_many_units_are_clipped_as_an_embedding_has_rows() {
    for (_, device) in devices() {
        check([530_000, 2], Some(0), DType::F32, &device);
        check([2, 530_000], Some(1), DType::F32, &device);
    }
}

#[test]
fn tensors_that_are_not_contiguous_are_clipped_as_they_look() {
    let device = Device::flex();
    for dtype in dtypes(&device) {
        let view = |seed| random([40, 30], seed, dtype, &device).transpose();
        for axis in [Some(0), Some(1)] {
            let twin = clip_units_twin(CLIP, view(1), view(2), axis);
            let kernel = clip_units(CLIP, view(1), view(2), axis);
            let what = format!("{dtype:?} by {axis:?}");
            let tolerance = tolerance(dtype, &device);
            assert_near(&values(kernel), &values(twin), tolerance, &what);
        }
    }
}

/// The weights and the gradient of a unit.
type Kind = ([f64; 2], [f64; 2]);

/// Each column and each row of a tensor is a unit with numbers of its own kind.
#[test]
fn numbers_at_the_edge_are_clipped_as_by_the_twin() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let kinds: [Kind; 9] = [
        ([3.0, 4.0], [0.0, 0.0]),
        ([0.0, 0.0], [3.0, 4.0]),
        ([0.0, 0.0], [0.0, 0.0]),
        ([3.0, 4.0], [nan, 1.0]),
        ([3.0, 4.0], [inf, 1.0]),
        ([nan, 4.0], [3.0, 1.0]),
        ([inf, 4.0], [3.0, 1.0]),
        ([inf, 4.0], [inf, 1.0]),
        ([3.0, 4.0], [-inf, nan]),
    ];
    // Squares of these overflow or vanish in the type.
    let extremes = |dtype| match dtype {
        DType::F64 => vec![1e200, 1e-200, 1e300, 1e-310],
        DType::F16 => vec![6e4, 1e-6],
        _ => vec![2e38, 1e-30, 1e-38],
    };
    for (name, device) in devices() {
        for dtype in dtypes(&device) {
            let mut kinds = kinds.to_vec();
            if name == "flex" {
                for size in extremes(dtype) {
                    kinds.push(([size, size], [size, -size]));
                    kinds.push(([3.0, 4.0], [size, 0.0]));
                    kinds.push(([size, 0.0], [3.0, 4.0]));
                }
            } else {
                // Not every backend's comparisons see a NaN.
                kinds.truncate(3);
            }
            let rows = |pick: fn(&Kind) -> [f64; 2]| {
                let numbers: Vec<f64> = kinds.iter().flat_map(pick).collect();
                let flat = Tensor::<1>::from_data(numbers.as_slice(), (&device, dtype));
                flat.reshape([kinds.len(), 2])
            };
            let (weight, grad) = (rows(|kind| kind.0), rows(|kind| kind.1));
            for (axis, turn) in [(0, false), (1, true)] {
                let lie = |rows: &Tensor<2>| {
                    let rows = rows.clone() * 1.0;
                    if turn { rows.transpose() } else { rows }
                };
                let twin = clip_units_twin(CLIP, lie(&weight), lie(&grad), Some(axis));
                let kernel = clip_units(CLIP, lie(&weight), lie(&grad), Some(axis));
                let what = format!("{dtype:?} by {axis} on {name}");
                let tolerance = tolerance(dtype, &device);
                assert_near(&values(kernel), &values(twin), tolerance, &what);
            }
        }
    }
}

/// Squares that vanish in the type, and a floor that does not decide.
#[test]
fn the_smallest_numbers_are_clipped_by_their_own_length() {
    let device = Device::flex();
    for (dtype, size, epsilon) in [
        (DType::F32, 1e-30, 1e-38),
        (DType::F32, 1e-20, 1e-38),
        (DType::BF16, 1e-30, 1e-38),
        (DType::F64, 1e-200, 1e-300),
    ] {
        for shape in [[3, 40], [40, 3]] {
            for axis in [None, Some(0), Some(1)] {
                let new = |numbers: &[f64]| {
                    let numbers: Vec<f64> = numbers.iter().map(|x| x * size).collect();
                    Tensor::<1>::from_data(numbers.as_slice(), (&device, dtype)).reshape(shape)
                };
                let numbers = Noise(5).take(120);
                let clip = UnitClip {
                    clip_factor: 0.25,
                    epsilon,
                };
                let (weight, grad): (Tensor<2>, Tensor<2>) = (new(&numbers), new(&numbers));
                let expected = values(grad.clone()).into_iter().map(|x| x * 0.25);
                let got = values(clip_units(clip, weight, grad, axis));
                let what = format!("{shape:?} by {axis:?}, {size:e} in {dtype:?}");
                let near = tolerance(dtype, &device);
                assert_near(&got, &expected.collect::<Vec<_>>(), near, &what);
            }
        }
    }
}

/// GPUs take numbers below 1.2e-38 for 0. The factor is such a number here, and the clipped gradient is not.
#[test]
fn a_factor_below_the_normal_numbers_leaves_no_zeros() {
    for (name, device) in devices() {
        let clip = UnitClip {
            clip_factor: 1e-30,
            epsilon: 1e-3,
        };
        let weight = Tensor::<2>::zeros([2, 2], &device);
        for size in [1e10, 1e20] {
            let grad = Tensor::<2>::from_floats([[3.0, 6.0], [4.0, 8.0]], &device) * size;
            let clipped = values(clip_units(clip, weight.clone(), grad, Some(1)));
            let expected = [0.6, 0.6, 0.8, 0.8].map(|share| share * 1e-33);
            // Where the CPU multiplies by one number it has three digits.
            let near = if is_gpu(name) { 1e-5 } else { 2e-2 };
            if is_gpu(name) || size < 1e15 {
                assert_near(&clipped, &expected, near, &format!("{name}, {size:e}"));
            }
        }
    }
}

#[test]
fn an_infinite_bound_and_an_empty_tensor_change_nothing() {
    for (name, device) in devices() {
        let never = UnitClip {
            clip_factor: f64::MAX,
            epsilon: 1e-3,
        };
        let weight = || random([5, 7], 1, DType::F32, &device);
        for axis in [None, Some(0), Some(1)] {
            let given = grad([5, 7], axis, DType::F32, &device);
            let got = clip_units(never, weight(), given.clone(), axis);
            assert_eq!(values(got), values(given), "{name}");
            let nothing = || Tensor::<2>::zeros([0, 3], &device);
            assert_eq!(clip_units(CLIP, nothing(), nothing(), axis).dims(), [0, 3]);
        }
    }
}

#[test]
fn a_list_is_clipped_as_its_tensors_and_with_the_same_bits_on_any_number_of_threads() {
    let device = Device::flex();
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let (mut weights, mut grads, mut axes) = (TensorList::new(), TensorList::new(), vec![]);
            for i in 0..200 {
                let axis = [None, Some(0), Some(1)][i % 3];
                weights.push(random([33, 17], i as u64, DType::F32, &device));
                grads.push(grad([33, 17], axis, DType::F32, &device));
                axes.push(axis);
            }
            for axis in [None, Some(0), Some(1)] {
                weights.push(random([300, 1001], 1, DType::F32, &device));
                grads.push(grad([300, 1001], axis, DType::F32, &device));
                axes.push(axis);
            }
            let mut list = clip_units_all(CLIP, weights, grads, axes);
            let mut all = Vec::new();
            while let Some(tensor) = list.pop::<2>() {
                all.push(values(tensor));
            }
            all
        })
    };
    let one = run(1);
    for (i, got) in one.iter().take(200).enumerate() {
        let axis = [None, Some(0), Some(1)][i % 3];
        let weight = random([33, 17], i as u64, DType::F32, &device);
        let alone = clip_units(
            CLIP,
            weight,
            grad([33, 17], axis, DType::F32, &device),
            axis,
        );
        assert_eq!(*got, values(alone), "tensor {i}");
    }
    for threads in [2, 3, 8] {
        assert!(run(threads) == one, "{threads} threads");
    }
}

#[test]
#[should_panic(expected = "no axis Some(2)")]
fn units_of_an_axis_that_is_not_there_are_refused() {
    let tensor = Tensor::<2>::ones([2, 2], &Device::flex());
    clip_units(CLIP, tensor.clone(), tensor, Some(2));
}

#[test]
#[should_panic(expected = "a weight and an axis for each gradient")]
fn lists_of_two_lengths_are_not_clipped() {
    let list = TensorList::from(Tensor::<1>::ones([2], &Device::flex()));
    clip_units_all(CLIP, TensorList::new(), list, vec![None]);
}
