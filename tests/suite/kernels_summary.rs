//! What describes a tensor at a glance, against its twin and against plain sums.

use crate::devices::devices;
use crate::models::{Noise, dtypes, values};
use crate::oracle::{off, worst};
use crate::own_process::passes_in_a_process_of_its_own;
use burn::tensor::{DType, Device, FloatDType, IntDType, Tensor};
use burn_tricks::kernels::{
    SUMMARY, add_normal_twin, distance, distance_twin, norm, norm_twin, summary, summary_twin,
    unit_ranges, unit_ranges_twin,
};

/// Noise, of which every fifth number is 0, and every seventh far from 0.
fn numbers(size: usize) -> Vec<f64> {
    let mut numbers = Noise(5).take(size);
    numbers.iter_mut().step_by(5).for_each(|x| *x = 0.0);
    numbers
        .iter_mut()
        .skip(3)
        .step_by(7)
        .for_each(|x| *x *= 9.0);
    numbers
}

/// The same by plain sums in `f64`.
fn described(numbers: &[f64]) -> Vec<f64> {
    let count = numbers.len() as f64;
    let mean = numbers.iter().sum::<f64>() / count;
    let squares = |shift: f64| numbers.iter().map(|x| (x - shift).powi(2)).sum::<f64>();
    let share =
        |of: &dyn Fn(f64) -> bool| numbers.iter().filter(|x| of(**x)).count() as f64 / count;
    vec![
        squares(0.0).sqrt(),
        mean,
        (squares(mean) / count).sqrt(),
        numbers.iter().copied().fold(f64::INFINITY, f64::min),
        numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        share(&|x| x == 0.0),
        share(&|x| !x.is_finite()),
        share(&|x| x.abs() > 0.99),
        share(&|x| x < 0.01),
    ]
}

fn assert_near(got: &[f64], expected: &[f64], what: &str) {
    assert_eq!((got.len(), expected.len()), (SUMMARY, SUMMARY), "{what}");
    for (at, (x, y)) in got.iter().zip(expected).enumerate() {
        let off = off(*x, *y, y.abs().max(expected[0].min(1.0)));
        assert!(off <= 2e-5, "{what}, number {at}: {x} and {y}");
    }
}

#[test]
fn a_summary_is_that_of_its_twin_and_of_plain_sums() {
    for (name, device) in devices() {
        for dtype in dtypes(&device) {
            for shape in [[1, 1], [1, 7], [3, 5], [40, 50], [301, 467]] {
                let what = format!("{shape:?} of {dtype:?} on {name}");
                let numbers = numbers(shape[0] * shape[1]);
                let flat = Tensor::<1>::from_data(numbers.as_slice(), (&device, dtype));
                let tensor = flat.reshape(shape);
                let expected = described(&values(tensor.clone()));
                assert_near(&values(summary_twin(&tensor)), &expected, &what);
                assert_near(&values(summary(&tensor)), &expected, &what);
                for norm in [norm(&tensor), norm_twin(&tensor)] {
                    let off = off(values(norm)[0], expected[0], expected[0]);
                    assert!(off <= 2e-5, "{what}: the norm is {off} off");
                }
                let turned = values(summary(&tensor.clone().swap_dims(0, 1)));
                assert_near(&turned, &expected, &format!("{what}, turned"));
                assert_eq!(
                    values(summary(&tensor)),
                    values(summary(&tensor)),
                    "{what}: not the same to the bit"
                );
            }
        }
    }
}

#[test]
fn what_is_not_finite_shows_in_a_summary_as_in_its_twin() {
    let device = Device::flex();
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for size in [2, 9, 70_001] {
            let mut numbers = numbers(size);
            numbers[size - 1] = bad;
            let tensor = Tensor::<1>::from_data(numbers.as_slice(), (&device, DType::F32));
            let what = format!("{bad} at the end of {size}");
            let twin = values(summary_twin(&tensor));
            assert_near(&values(summary(&tensor)), &twin, &what);
            assert!(twin[6] > 0.0 && !twin[0].is_finite(), "{what}: {twin:?}");
        }
    }
    let constant = values(summary(&Tensor::<1>::full([1000], 0.1, &device)));
    assert_eq!(constant[2], 0.0, "the deviation of equal numbers");
    let nothing = Tensor::<2>::zeros([0, 3], &device);
    for none in [summary(&nothing), summary_twin(&nothing)] {
        assert_eq!(values(none), [0.0; SUMMARY]);
    }
    for none in [norm(&nothing), norm_twin(&nothing)] {
        assert_eq!(values(none), [0.0]);
    }
    // Squares that `f32` does not hold.
    let large = values(summary(&Tensor::<1>::full([4], 1e25, &device)));
    assert!((large[0] / 2e25 - 1.0).abs() < 1e-6, "{large:?}");
}

#[test]
fn the_distance_of_two_tensors_is_that_of_its_twin() {
    for (name, device) in devices() {
        for dtype in dtypes(&device) {
            for size in [1, 7, 2000, 140_001] {
                let what = format!("{size} of {dtype:?} on {name}");
                let one = Tensor::<1>::from_data(numbers(size).as_slice(), (&device, dtype));
                let other =
                    Tensor::<1>::from_data(Noise(8).take(size).as_slice(), (&device, dtype));
                let [got, twin] = [distance(&one, &other), distance_twin(&one, &other)];
                let pairs = values(one.clone()).into_iter().zip(values(other));
                let squares: f64 = pairs.map(|(a, b)| (a - b).powi(2)).sum();
                let rough = if dtype == DType::F32 { 1e-5 } else { 1e-2 };
                for number in [got, twin] {
                    let number = values(number)[0];
                    assert!(
                        (number / squares.sqrt() - 1.0).abs() < rough,
                        "{what}: {number}"
                    );
                }
                assert_eq!(values(distance(&one, &one)), [0.0], "{what}");
            }
        }
    }
    let device = Device::flex();
    let nothing = Tensor::<1>::zeros([0], &device);
    assert_eq!(values(distance(&nothing, &nothing)), [0.0]);
    let broken = Tensor::<1>::from_floats([1.0, f32::NAN], &device);
    assert!(values(distance(&broken, &Tensor::ones([2], &device)))[0].is_nan());
}

/// The smallest and the largest number of each unit, by plain loops; NaN for a unit that has one.
fn ranges(numbers: &[f64], shape: &[usize], axis: usize) -> [Vec<f64>; 2] {
    let units = shape[axis];
    let run: usize = shape[axis + 1..].iter().product();
    let (mut low, mut high) = (vec![f64::INFINITY; units], vec![f64::NEG_INFINITY; units]);
    for (at, &x) in numbers.iter().enumerate() {
        let unit = at / run % units;
        if x.is_nan() || low[unit].is_nan() {
            (low[unit], high[unit]) = (f64::NAN, f64::NAN);
        } else {
            (low[unit], high[unit]) = (low[unit].min(x), high[unit].max(x));
        }
    }
    [low, high]
}

/// On each axis. The last unit has a NaN or not.
fn assert_ranges<const D: usize>(tensor: &Tensor<D>, has_nan: bool, name: &str) {
    let (dtype, dims) = (tensor.dtype(), tensor.dims());
    for axis in 0..D {
        let what = format!("axis {axis} of {dims:?} of {dtype:?} on {name}");
        let expected = ranges(&values(tensor.clone()), &dims, axis);
        assert_eq!(expected[0].last().unwrap().is_nan(), has_nan, "{what}");
        for got in [unit_ranges(tensor, axis), unit_ranges_twin(tensor, axis)] {
            for (got, expected) in got.into_iter().zip(&expected) {
                assert_eq!(got.dtype(), dtype, "{what}");
                let worst = worst(&values(got), expected, |_| 1.0);
                assert_eq!(worst, 0.0, "{what}");
            }
        }
    }
}

#[test]
fn the_range_of_each_unit_is_that_of_its_twin_and_of_plain_loops() {
    fn check<const D: usize>(shape: [usize; D]) {
        for (name, device) in devices() {
            for dtype in dtypes(&device) {
                for has_nan in [false, true] {
                    let mut numbers = numbers(shape.iter().product());
                    if has_nan {
                        *numbers.last_mut().unwrap() = f64::NAN;
                    }
                    let flat = Tensor::<1>::from_data(numbers.as_slice(), (&device, dtype));
                    let tensor: Tensor<D> = flat.reshape(shape);
                    assert_ranges(&tensor, has_nan, name);
                    assert_ranges(&tensor.swap_dims(0, D - 1), has_nan, name);
                }
            }
        }
    }
    check([8, 3]);
    check([4, 3, 5, 5]);
    check([2, 5, 3]);
}

/// 257 lies between two numbers of `bf16`, and 80,000 beyond the largest of `f16`.
#[test]
fn halves_are_subtracted_in_f32() {
    for (name, device) in devices() {
        for (dtype, one, other, expected) in [
            (DType::BF16, 256.0, -1.0, 257.0),
            (DType::F16, 4e4, -4e4, 8e4),
        ] {
            if !dtypes(&device).contains(&dtype) {
                continue;
            }
            let number = |number: f64| Tensor::<1>::from_data([number], (&device, dtype));
            let (one, other) = (number(one), number(other));
            for got in [distance(&one, &other), distance_twin(&one, &other)] {
                let got = values(got)[0];
                let off = off(got, expected, expected);
                assert!(off < 1e-5, "{dtype:?} on {name}: {got}");
            }
        }
    }
}

/// A device's types are set once for a process, before its first tensor: this test runs itself in another one.
#[test]
fn what_is_in_f32_is_so_on_a_device_of_other_types() {
    const CHILD: &str = "BURN_TRICKS_DEVICE_OF_OTHER_TYPES";
    if let Ok(expected) = std::env::var(CHILD) {
        return on_a_device_of_other_types(&expected);
    }
    let name = "kernels_summary::what_is_in_f32_is_so_on_a_device_of_other_types";
    passes_in_a_process_of_its_own(
        name,
        CHILD,
        &drawn(&Device::flex()),
        "of other types it was",
    );
}

fn on_a_device_of_other_types(expected: &str) {
    let mut device = Device::flex();
    let types = (FloatDType::BF16, IntDType::I16);
    device.configure(types).unwrap();
    let nothing = Tensor::<1>::zeros([0], &device);
    assert_eq!(nothing.dtype(), DType::BF16);
    println!("of other types it was");
    assert_eq!(drawn(&device), expected);
    for none in [norm(&nothing), norm_twin(&nothing)] {
        assert_eq!(none.dtype(), DType::F32);
        assert_eq!(values(none), [0.0]);
    }
    for none in [summary(&nothing), summary_twin(&nothing)] {
        assert_eq!(none.dtype(), DType::F32);
        assert_eq!(values(none), [0.0; SUMMARY]);
    }
}

/// The bits of normal noise in `f32`, folded into one number.
fn drawn(device: &Device) -> String {
    let zeros = Tensor::<1>::zeros([100_000], (device, DType::F32));
    let noise = values(add_normal_twin(zeros, 1.0, 7));
    assert!(noise.iter().all(|x| x.is_finite()));
    let fold = |bits: u64, x: &f64| bits.rotate_left(7) ^ x.to_bits();
    noise.iter().fold(0u64, fold).to_string()
}
