//! Weights with mean 0 and variance 1 in each unit.

use crate::precision::accumulation_dtype;
use crate::refuse::{assert_axis, assert_not_negative};
use crate::weight_norm::sum_per_unit;
use burn::tensor::Tensor;

/// What the centred numbers of a unit are divided by: `√(Σ(w − μ)² / (n − freedom) + inside) + outside`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UnitDeviation {
    /// 0 for the variance of the unit's numbers, 1 for an estimate of the variance of what they are drawn from.
    pub freedom: f64,
    /// Added to the variance.
    pub inside: f64,
    /// Added to the deviation.
    pub outside: f64,
}

impl UnitDeviation {
    fn assert_possible(self, rank: usize, axis: usize) {
        assert_axis(rank, axis);
        assert_not_negative("the degrees of freedom", self.freedom);
        assert_not_negative("what is added to the variance", self.inside);
        assert_not_negative("what is added to the deviation", self.outside);
    }
}

/// `(w − μ) / d` for each unit of n numbers: centred, and divided by its [deviation](UnitDeviation) d. `axis` counts the
/// units: 1 for weights `[in, out]`, 0 for `[out, in, kernel...]`.
///
/// Computed in `f32`, or in `f64` for `f64`; the result has the type of `w`. A unit whose numbers are all equal becomes
/// zero.
///
/// On the CPU backend one read for means and variances and one pass for the weights, whose buffer is filled with zeros
/// first; backwards one read and one pass too, in the buffer of the gradient. Eight terms at a time are added in the
/// precision of the calculation, and their sums in `f64`. Autodiff sees one operation.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_kernels::{UnitDeviation, standardize_units};
///
/// let deviation = UnitDeviation { freedom: 0.0, inside: 0.0, outside: 0.0 };
/// let weight = Tensor::<2>::from_floats([[1.0, 5.0], [3.0, 9.0]], &Device::flex());
/// let weight = standardize_units(deviation, weight, 1);
/// assert_eq!(weight.into_data().to_vec::<f32>().unwrap(), [-1.0, -1.0, 1.0, 1.0]);
/// ```
///
/// # Panics
///
/// If the tensor has no dimension `axis`, or a number of `deviation` is negative, infinite or NaN.
pub fn standardize_units<const D: usize>(
    deviation: UnitDeviation,
    weight: Tensor<D>,
    axis: usize,
) -> Tensor<D> {
    deviation.assert_possible(D, axis);
    #[cfg(feature = "flex")]
    let weight = match crate::flex::standardize_units(deviation, weight.into(), axis) {
        Ok(weight) => return weight.into_tensor(),
        Err(weight) => weight.into_tensor(),
    };
    standardize_units_twin(deviation, weight, axis)
}

/// [`standardize_units`] with tensor operations alone: the specification.
///
/// # Panics
///
/// Like [`standardize_units`].
pub fn standardize_units_twin<const D: usize>(
    deviation: UnitDeviation,
    weight: Tensor<D>,
    axis: usize,
) -> Tensor<D> {
    deviation.assert_possible(D, axis);
    let UnitDeviation {
        freedom,
        inside,
        outside,
    } = deviation;
    let dtype = weight.dtype();
    let w = weight.cast(accumulation_dtype(dtype));
    let dims = w.dims();
    let n = (dims.iter().product::<usize>() / dims[axis].max(1)) as f64;
    // Not divided: the gradient of Burn's division by a scalar has the precision of `f32`.
    let mean = sum_per_unit(w.clone(), axis).mul_scalar(1.0 / n);
    let centred = w - mean;
    let squares = sum_per_unit(centred.clone().square(), axis);
    let variance = squares
        .mul_scalar(1.0 / (n - freedom).max(1.0))
        .add_scalar(inside);
    // The root of an exact zero has no gradient; what it divides is zero, whatever it is.
    let is_zero = variance.clone().equal_elem(0);
    let divisor = variance.mask_fill(is_zero, 1.0).sqrt().add_scalar(outside);
    (centred / divisor).cast(dtype)
}
