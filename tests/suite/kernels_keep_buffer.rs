//! Buffers that are used again.

use burn::tensor::{DType, Device, FloatDType, Tensor};
use burn_tricks::kernels::{cast, compensated, keep_buffer, split_compensation};

/// A buffer that is kept is written again, and one that somebody holds is not.
#[test]
fn a_buffer_that_is_held_is_not_used_again() {
    let device = Device::flex();
    let half =
        |number: f32, count: usize| Tensor::<1>::full([count], number, (&device, DType::BF16));
    let wide = |number: f32, count: usize| cast(half(number, count), FloatDType::F32);
    let numbers = |tensor: &Tensor<1>| tensor.to_data().try_to_vec::<f32>().unwrap();

    let held = wide(1.0, 300);
    keep_buffer(held.clone());
    let other = wide(2.0, 300);
    assert_eq!(numbers(&held), [1.0; 300]);
    // Smaller and larger ones than the buffer, from cast and from the sum.
    keep_buffer(other);
    keep_buffer(wide(3.0, 400));
    for count in [200, 400, 301, 500, 0] {
        let one = wide(4.0, count);
        let [weight, error] = split_compensation(one.clone(), [half(0.0, count), half(0.0, count)]);
        let sum = compensated(&weight, &error);
        assert_eq!(numbers(&one), vec![4.0; count]);
        assert_eq!(numbers(&sum), vec![4.0; count]);
        keep_buffer(one);
        keep_buffer(sum);
    }
    // A part of a larger tensor, another type, and another layout.
    let matrix = Tensor::<2>::ones([4, 6], &device);
    keep_buffer(matrix.clone().slice([0..2, 0..6]));
    keep_buffer(matrix.clone().transpose());
    keep_buffer(matrix.clone().cast(FloatDType::F64));
    assert_eq!(matrix.sum().into_scalar::<f32>(), 24.0);
    assert_eq!(numbers(&wide(5.0, 12)), [5.0; 12]);
}

#[test]
fn a_kept_buffer_is_the_one_that_is_written() {
    let device = Device::flex();
    let wide = || {
        let half = Tensor::<1>::ones([1000], (&device, DType::BF16));
        cast(half, FloatDType::F32)
    };
    let address = |tensor: &Tensor<1>| {
        let tensor = tensor
            .clone()
            .try_into_primitive::<burn::backend::Flex>()
            .unwrap();
        tensor.bytes().as_ptr() as usize
    };
    let first = wide();
    let at = address(&first);
    keep_buffer(first);
    // What the allocator would give out next.
    let fills: Vec<Vec<f32>> = (0..100).map(|_| vec![0.0; 1000]).collect();
    assert_eq!(address(&wide()), at);
    drop(fills);
}
