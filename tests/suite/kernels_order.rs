//! The n-th smallest number: kernel and twin against a sort, to the bit.

use crate::devices::devices;
use crate::models::{Noise, dtypes, tensor, values};
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::kernels::{nth_smallest, nth_smallest_twin};

fn check(numbers: &Tensor<1>, what: &str) {
    let mut sorted = values(numbers.clone());
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len();
    let places = [0, count / 10, count / 2, count - 1 - count / 10, count - 1];
    let expected = places.map(|place| sorted[place]);
    for (how, got) in [
        ("the kernel", nth_smallest(numbers, places)),
        ("the twin", nth_smallest_twin(numbers, places)),
    ] {
        assert!(
            got.iter()
                .all(|one| one.dims() == [1] && one.dtype() == numbers.dtype())
        );
        assert_eq!(got.map(|one| values(one)[0]), expected, "{how}, {what}");
    }
}

#[test]
fn it_is_what_a_sort_puts_there() {
    for (name, device) in devices() {
        for dtype in dtypes(&device) {
            for count in [1, 2, 3, 10, 257] {
                let numbers = Noise(7).take(count);
                let what = format!("{count} of {dtype:?} on {name}");
                check(&tensor(&numbers, dtype, &device), &what);
                // Numbers that are there several times.
                let few: Vec<f64> = numbers.iter().map(|x| (x * 3.0).round()).collect();
                check(&tensor(&few, dtype, &device), &what);
            }
        }
    }
}

/// The largest number of a type is what `AutoClip` remembers of a norm that is not finite.
#[test]
fn extreme_numbers_have_their_place() {
    for (name, device) in devices() {
        let extreme = [
            f64::from(f32::MAX),
            0.0,
            1e-38,
            f64::from(f32::MIN),
            f64::from(f32::MAX),
        ];
        check(&tensor(&extreme, DType::F32, &device), name);
    }
}

#[test]
fn numbers_beyond_those_of_f32_have_their_place() {
    for (name, device) in devices() {
        if dtypes(&device).contains(&DType::F64) {
            let numbers = [-1e300, -1e299, -1e200, 1.0, -1e250];
            check(&tensor(&numbers, DType::F64, &device), name);
        }
    }
}

#[test]
fn numbers_that_do_not_lie_one_after_the_other_have_their_place() {
    for (name, device) in devices() {
        let numbers: Tensor<1> = tensor(&Noise(5).take(60), DType::F32, &device);
        let table = numbers.reshape([12, 5]);
        // Every fifth number of the buffer, and a part of it.
        let column = table.clone().narrow(1, 3, 1).reshape([12]);
        check(&column, name);
        let turned = table.transpose().narrow(0, 2, 1).reshape([12]);
        check(&turned, name);
        let part = Noise(6).take(40);
        let part: Tensor<1> = tensor(&part, DType::F32, &device);
        check(&part.narrow(0, 7, 20), name);
    }
}

/// More numbers than are compared each with each.
#[test]
fn of_many_numbers_too() {
    let numbers = Noise(9).take(5000);
    check(&tensor(&numbers, DType::F32, &Device::flex()), "5000");
}

#[test]
#[should_panic(expected = "of 3 numbers none is at position 3")]
fn a_position_behind_the_last_is_refused() {
    let numbers = tensor::<1>(&[1.0, 2.0, 3.0], DType::F32, &Device::flex());
    let _ = nth_smallest(&numbers, [3]);
}
