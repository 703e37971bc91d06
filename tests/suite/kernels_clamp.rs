//! The cut of every number against its twin.

use crate::devices::devices;
use crate::models::{Noise, dtypes, values};
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::kernels::{TensorList, clamp, clamp_twin};

fn clamped(tensor: Tensor<1>, bound: f64) -> Vec<f64> {
    let mut list = clamp(TensorList::from(tensor), bound);
    values(list.pop::<1>().unwrap())
}

/// Equal, with every NaN equal to another.
fn assert_same(got: &[f64], expected: &[f64], what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (i, (x, y)) in got.iter().zip(expected).enumerate() {
        assert!(
            x == y || x.is_nan() && y.is_nan(),
            "{what}, number {i}: {x} and {y}"
        );
    }
}

#[test]
fn the_cut_is_that_of_the_twin_in_every_type_and_at_every_size() {
    for (name, device) in devices() {
        for dtype in dtypes(&device) {
            for size in [1, 7, 31, 255, 257, 140_001] {
                let numbers = Noise(3).take(size);
                let new = || Tensor::<1>::from_data(numbers.as_slice(), (&device, dtype));
                let expected = values(clamp_twin(new(), 0.3));
                let what = format!("{size} of {dtype:?} on {name}");
                assert_same(&clamped(new(), 0.3), &expected, &what);
                let held = new();
                assert_same(&clamped(held.clone(), 0.3), &expected, &what);
                assert_eq!(values(held), values(new()), "{what}: somebody's");
                assert!(
                    size < 100 || expected != values(new()),
                    "{what}: nothing is cut"
                );
            }
        }
    }
}

#[test]
fn infinities_are_cut_and_nan_stays() {
    for (name, device) in devices() {
        for dtype in dtypes(&device) {
            let numbers = [
                f64::INFINITY,
                -f64::INFINITY,
                f64::NAN,
                0.0,
                2.0,
                -2.0,
                0.25,
            ];
            // More than a register, so that both loops see each.
            let numbers: Vec<f64> = numbers.repeat(11);
            let new = || Tensor::<1>::from_data(numbers.as_slice(), (&device, dtype));
            let expected = [1.0, -1.0, f64::NAN, 0.0, 1.0, -1.0, 0.25].repeat(11);
            assert_same(
                &clamped(new(), 1.0),
                &expected,
                &format!("{dtype:?} on {name}"),
            );
            let largest = match dtype {
                DType::F64 => f64::MAX,
                DType::F16 => 65_504.0,
                _ => 3.5e38,
            };
            assert_same(
                &clamped(new(), largest),
                &numbers,
                "a bound that nothing exceeds",
            );
        }
    }
}

#[test]
fn lists_are_cut_tensor_by_tensor() {
    let device = Device::flex();
    let mut list = TensorList::new();
    for seed in 0..300 {
        let numbers = Noise(seed).take(501);
        list.push(Tensor::<1>::from_data(
            numbers.as_slice(),
            (&device, DType::F32),
        ));
    }
    let mut list = clamp(list, 0.5);
    for seed in 0..300 {
        let cut: Vec<f64> = Noise(seed).take(501);
        let cut = cut
            .into_iter()
            .map(|x| f64::from((x as f32).clamp(-0.5, 0.5)));
        assert_eq!(values(list.pop::<1>().unwrap()), cut.collect::<Vec<_>>());
    }
}
