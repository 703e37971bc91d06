//! Normally distributed noise from a counter.

#[cfg(feature = "flex")]
use crate::any_tensor::AnyTensor;
use crate::normal_keys::{FACTOR, HIGH, Keys, LOW, ROUNDS, SHIFT};
use crate::precision::accumulation_dtype;
use crate::refuse::assert_not_negative;
use burn::tensor::{DType, FloatDType, Int, Tensor};

/// `x + σ z`, where the standard normal `z` depends only on `key` and on each element's place, whatever the number of
/// threads. Use a different key for each tensor. The generator of the device is neither used nor changed.
///
/// On the CPU backend the random numbers are those of a counter-based generator, Philox4x32-10, as in
/// [`noise`](fn@crate::noise): `key` is its key, and the place of an element is its counter, of 64 bits. They are made in the
/// pass that adds them, in the buffer of `x`, or in a copy if another tensor shares that. Every other backend runs
/// [`add_normal_twin`], which draws other numbers from the same distribution. The noise is computed in `f32`, also for
/// `f64`, and rounded to the type of `x`.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_kernels::add_normal;
///
/// let zeros = Tensor::<1>::zeros([10_000], &Device::flex());
/// let noise = add_normal(zeros.clone(), 0.5, 7);
/// let deviation: f32 = noise.clone().square().mean().sqrt().into_scalar();
/// assert!((deviation - 0.5).abs() < 0.02);
/// assert_eq!(noise.into_data(), add_normal(zeros, 0.5, 7).into_data());
/// ```
///
/// # Panics
///
/// If σ is negative, infinite or NaN.
pub fn add_normal<const D: usize>(x: Tensor<D>, sigma: f64, key: u64) -> Tensor<D> {
    assert_not_negative("the deviation of noise", sigma);
    #[cfg(feature = "flex")]
    let x = {
        let x = AnyTensor::from(x);
        if crate::flex::on_flex([&*x.0]) {
            return crate::flex::add_normal(x, sigma, key).into_tensor();
        }
        x.into_tensor()
    };
    add_normal_twin(x, sigma, key)
}

/// [`add_normal`] with tensor operations alone, and with other random numbers: they are the same on every backend, up to the
/// rounding of logarithm and cosine.
///
/// The place of an element in the tensor is encrypted under two keys by a Feistel network on 32 bits. This gives two
/// uniform numbers, which the method of Box and Muller turns into two normal numbers. No product exceeds 31
/// bits, and the integers are `i32`, whatever types the device is configured for. (For 40 keys, with 200,000
/// numbers each, mean, variance, skew, kurtosis, and the correlations between neighbours and between keys lie
/// within 3.2 standard errors.) About seventy operations on half of the numbers, which fusion combines into a few.
///
/// # Panics
///
/// Like [`add_normal`], and if the tensor has more than 2³² numbers.
pub fn add_normal_twin<const D: usize>(x: Tensor<D>, sigma: f64, key: u64) -> Tensor<D> {
    assert_not_negative("the deviation of noise", sigma);
    let shape = x.dims();
    let count: usize = shape.iter().product();
    if count == 0 {
        return x;
    }
    let (dtype, device) = (x.dtype(), x.device());
    let wide = accumulation_dtype(dtype);
    let half = i64::try_from(count.div_ceil(2)).expect("a tensor's size");
    assert!(
        half <= 1 << 31,
        "a tensor of {count} numbers is too large for noise"
    );
    let keys = Keys::new(key);
    let place = Tensor::<1, Int>::arange(0..half, (&device, DType::I32));
    let uniform = |keys: [i32; ROUNDS]| {
        let mut left = place.clone().bitwise_right_shift_scalar(16);
        let mut right = place.clone().bitwise_and_scalar(0xffff);
        for key in keys {
            let mixed = right
                .clone()
                .bitwise_xor_scalar(key)
                .mul_scalar(FACTOR)
                .bitwise_right_shift_scalar(SHIFT)
                .bitwise_and_scalar(0xffff);
            (left, right) = (right, left.bitwise_xor(mixed));
        }
        // In `f32` for every type: GPUs have no logarithm, sine and cosine in `f64`, and some give wrong numbers. `float`
        // would give the device's own type, and half precision rounds numbers of 16 bits.
        let [left, right] = [left, right].map(|half| half.cast(FloatDType::F32));
        left * HIGH + (right + 0.5) * LOW
    };
    let radius = (uniform(keys.radius).log() * -2.0).sqrt();
    let angle = uniform(keys.angle) * std::f32::consts::TAU;
    let both = [radius.clone() * angle.clone().cos(), radius * angle.sin()];
    let noise = Tensor::cat(both.to_vec(), 0)
        .narrow(0, 0, count)
        .reshape(shape)
        .cast(wide);
    (x.cast(wide) + noise * sigma).cast(dtype)
}
