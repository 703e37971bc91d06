//! What describes a tensor at a glance, against its twin and against plain sums.

use crate::devices::devices;
use crate::models::{Noise, dtypes, values};
use crate::oracle::off;
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::kernels::{SUMMARY, distance, distance_twin, summary, summary_twin};

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
