//! Numbers that are kept as a number of half precision and what it lacks.

#[cfg(feature = "flex")]
use crate::any_tensor::AnyTensor;
use crate::cast::cast;
use crate::precision::accumulation_dtype;
use crate::take_over::take_over_twin;
use burn::tensor::{DType, FloatDType, Tensor};

/// `weight + compensation` in `f32`, and the weight alone wherever the sum, rounded, is not the weight, which shows that other
/// code has made the weight smaller. The inverse of [`split_compensation`].
///
/// A weight that other code has changed otherwise cannot be told from one that it has not: the sum is off the new weight by
/// the old compensation, which is then at most half of the distance from the new weight to the next number.
///
/// On the CPU backend this is one pass.
///
/// # Panics
///
/// If the tensors have different shapes.
pub fn compensated<const D: usize>(weight: &Tensor<D>, compensation: &Tensor<D>) -> Tensor<D> {
    assert_one_shape(weight, compensation);
    #[cfg(feature = "flex")]
    {
        let (weight, compensation) = (weight.clone(), compensation.clone());
        let both = [weight.into(), compensation.into()];
        if let Some(sum) = crate::flex::compensated(both) {
            return sum.into_tensor();
        }
    }
    compensated_twin(weight, compensation)
}

/// [`compensated`] with tensor operations alone: the specification.
pub fn compensated_twin<const D: usize>(weight: &Tensor<D>, compensation: &Tensor<D>) -> Tensor<D> {
    let wide = accumulation_dtype(weight.dtype());
    let sum = weight.clone().cast(wide) + compensation.clone().cast(wide);
    take_over_twin(sum, weight.clone())
}

/// The number in half precision that is nearest to each number of `exact`, and what it lacks, in the same type: Kahan's
/// compensation.
///
/// ```text
/// w ← round(W),   c ← round(W − w),   and once more with W ← w + c
/// ```
///
/// The second time makes `round(w + c) = w`: a difference of just below half of the distance to the next number is rounded
/// to that half, and the sum may be rounded to the next number. So [`compensated`] and this function, in turn, always give
/// the same numbers. Where the rounded number is infinite (in `f16` from 65,520 on, the middle between the largest number and
/// the next power of two) or NaN, `c` is 0, so that [`compensated`] gives that infinity, not NaN. A number just below that
/// middle, such as 65,519.99 in `f16`, is rounded to the largest number at first and to infinity the second time: it gives the
/// largest number, with `c` = 0.
///
/// `into` are two tensors of the type of the result, in whose buffers it is written if nobody else holds them. On the CPU
/// backend this is one pass.
///
/// ```
/// use burn::tensor::{DType, Device, Tensor};
/// use burn_tricks_kernels::{compensated, split_compensation};
///
/// let device = Device::flex();
/// let exact = Tensor::<1>::from_floats([1.0001, -3.0], &device);
/// let into = [(); 2].map(|()| Tensor::zeros([2], (&device, DType::BF16)));
/// let [weight, compensation] = split_compensation(exact, into);
/// assert_eq!(weight.dtype(), DType::BF16);
/// let sum = compensated(&weight, &compensation);
/// assert!((sum.into_data().to_vec::<f32>().unwrap()[0] - 1.0001).abs() < 1e-6);
/// ```
///
/// # Panics
///
/// If the tensors have different shapes.
pub fn split_compensation<const D: usize>(
    exact: Tensor<D>,
    into: [Tensor<D>; 2],
) -> [Tensor<D>; 2] {
    into.iter().for_each(|into| assert_one_shape(into, &exact));
    #[cfg(feature = "flex")]
    let (exact, into) = {
        let (exact, into) = (exact.into(), into.map(AnyTensor::from));
        match crate::flex::split_compensation(exact, into) {
            Ok(split) => return split.map(AnyTensor::into_tensor),
            Err((exact, into)) => (exact.into_tensor(), into.map(AnyTensor::into_tensor)),
        }
    };
    split_compensation_twin(exact, into)
}

/// [`split_compensation`] with tensor operations alone: the specification.
pub fn split_compensation_twin<const D: usize>(
    exact: Tensor<D>,
    into: [Tensor<D>; 2],
) -> [Tensor<D>; 2] {
    let (dtype, wide) = (into[0].dtype(), exact.dtype());
    let split = |exact: Tensor<D>| {
        let rounded = exact.clone().cast(dtype);
        let error = exact - rounded.clone().cast(wide);
        (rounded, error.cast(dtype))
    };
    let (once, error) = split(exact);
    let (twice, error) = split(once.clone().cast(wide) + error.cast(wide));
    let largest = match dtype {
        DType::F16 => 65_504.0,
        _ => f64::from(f32::from_bits(0x7f7f_0000)),
    };
    // False for NaN too.
    let is_finite = twice.clone().abs().lower_equal_elem(largest);
    [
        once.mask_where(is_finite.clone(), twice),
        error.zeros_like().mask_where(is_finite, error),
    ]
}

/// The numbers in the type of `into`, in its buffer if nobody else holds it.
///
/// ```
/// use burn::tensor::{DType, Device, Tensor};
/// use burn_tricks_kernels::cast_into;
///
/// let device = Device::flex();
/// let exact = Tensor::<1>::from_floats([1.0001, -3.0], &device);
/// let rounded = cast_into(&exact, Tensor::zeros([2], (&device, DType::BF16)));
/// assert_eq!(rounded.dtype(), DType::BF16);
/// ```
///
/// # Panics
///
/// If the tensors have different shapes.
pub fn cast_into<const D: usize>(numbers: &Tensor<D>, into: Tensor<D>) -> Tensor<D> {
    assert_one_shape(&into, numbers);
    let dtype = into.dtype();
    #[cfg(feature = "flex")]
    {
        let numbers = numbers.clone().into();
        if let Some(cast) = crate::flex::cast_into(&numbers, into.into()) {
            return cast.into_tensor();
        }
    }
    cast(numbers.clone(), FloatDType::from(dtype))
}

fn assert_one_shape<const D: usize>(one: &Tensor<D>, other: &Tensor<D>) {
    assert_eq!(
        one.dims(),
        other.dims(),
        "the shapes of numbers in half precision and of the exact ones"
    );
}
