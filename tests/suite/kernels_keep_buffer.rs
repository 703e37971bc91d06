//! Buffers that are used again.

use burn::tensor::{DType, Device, FloatDType, Tensor};
use burn_tricks::kernels::{cast, compensated, keep_buffer, split_compensation};

/// So many ones, cast to `f32`.
fn wide_ones(count: usize) -> Tensor<1> {
    let half = Tensor::<1>::ones([count], (&Device::flex(), DType::BF16));
    cast(half, FloatDType::F32)
}

/// Where its numbers lie.
fn address(tensor: &Tensor<1>) -> usize {
    let tensor = tensor
        .clone()
        .try_into_primitive::<burn::backend::Flex>()
        .unwrap();
    tensor.bytes().as_ptr() as usize
}

/// A buffer that is kept is written again, and one that somebody holds is not.
#[test]
fn a_buffer_that_is_held_is_not_used_again() {
    let device = Device::flex();
    let half =
        |number: f32, count: usize| Tensor::<1>::full([count], number, (&device, DType::BF16));
    let wide = |number: f32, count: usize| cast(half(number, count), FloatDType::F32);
    let numbers = |tensor: &Tensor<1>| tensor.to_data().try_to_vec::<f32>().unwrap();

    let held = wide(1.0, 60_000);
    keep_buffer(held.clone());
    let other = wide(2.0, 60_000);
    assert_eq!(numbers(&held), [1.0; 60_000]);
    // Smaller and larger ones than the buffer, from cast and from the sum.
    keep_buffer(other);
    keep_buffer(wide(3.0, 80_000));
    for count in [40_000, 80_000, 60_001, 100_000, 0] {
        let one = wide(4.0, count);
        let [weight, error] = split_compensation(one.clone(), [half(0.0, count), half(0.0, count)]);
        let sum = compensated(&weight, &error);
        assert_eq!(numbers(&one), vec![4.0; count]);
        assert_eq!(numbers(&sum), vec![4.0; count]);
        keep_buffer(one);
        keep_buffer(sum);
    }
    // A part of a larger tensor, another type, and another layout.
    let matrix = Tensor::<2>::ones([400, 200], &device);
    keep_buffer(matrix.clone().slice([0..200, 0..200]));
    keep_buffer(matrix.clone().transpose());
    keep_buffer(matrix.clone().cast(FloatDType::F64));
    assert_eq!(matrix.sum().into_scalar::<f32>(), 80_000.0);
    assert_eq!(numbers(&wide(5.0, 40_000)), [5.0; 40_000]);
}

#[test]
fn a_kept_buffer_is_the_one_that_is_written() {
    let first = wide_ones(1 << 16);
    let at = address(&first);
    keep_buffer(first);
    // What the allocator would give out next.
    let fills: Vec<Vec<f32>> = (0..100).map(|_| vec![0.0; 1 << 16]).collect();
    assert_eq!(address(&wide_ones(1 << 16)), at);
    drop(fills);
}

/// As in the steps of matrices with a bias each.
#[test]
fn small_buffers_do_not_take_the_place_of_a_large_one() {
    let first = wide_ones(1 << 16);
    let at = address(&first);
    keep_buffer(first);
    let small = [wide_ones(1000), wide_ones(1000)];
    small.into_iter().for_each(keep_buffer);
    // What the allocator would give out next.
    let fills: Vec<Vec<f32>> = (0..100).map(|_| vec![0.0; 1 << 16]).collect();
    assert_eq!(address(&wide_ones(1 << 16)), at);
    drop(fills);
}
