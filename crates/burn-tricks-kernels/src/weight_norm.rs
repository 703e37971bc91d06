//! Weights at a given length in their own direction.

use crate::precision::accumulation_dtype;
use crate::refuse::assert_axis;
use burn::tensor::{Shape, Tensor};

/// `g v / ‖v‖` for each unit: the unit's numbers of `v`, at the length `g`. `axis` counts the units: 1 for weights
/// `[in, out]`, 0 for `[out, in, kernel...]`; `g` has a number for each.
///
/// Computed in `f32`, or in `f64` if `v` is of that type; the result has the type of `v`. A unit of zeros stays zero, and
/// passes no gradient to its length.
///
/// On the CPU backend one read for the norms and one pass for the weights, whose buffer is filled with zeros first;
/// backwards one read and one pass too, in the buffer of the gradient. Eight squares at a time are added in the
/// precision of the calculation, and their sums in `f64`. Autodiff sees one operation.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_kernels::weight_norm;
///
/// let device = Device::flex();
/// let v = Tensor::<2>::from_floats([[3.0, 0.0], [4.0, 2.0]], &device);
/// let g = Tensor::<1>::from_floats([1.0, 7.0], &device);
/// let weight = weight_norm(v, g, 1);
/// let [a, b, c, d]: [f32; 4] = weight.into_data().to_vec().unwrap().try_into().unwrap();
/// assert!((a - 0.6).abs() < 1e-6 && b == 0.0 && (c - 0.8).abs() < 1e-6 && d == 7.0);
/// ```
///
/// # Panics
///
/// If `v` has no dimension `axis`, or another number of units than `g`.
pub fn weight_norm<const D: usize>(v: Tensor<D>, g: Tensor<1>, axis: usize) -> Tensor<D> {
    assert_lengths(&v.dims(), &g, axis);
    #[cfg(feature = "flex")]
    let (v, g) = match crate::flex::weight_norm(v.into(), g.into(), axis) {
        Ok(weight) => return weight.into_tensor(),
        Err([v, g]) => (v.into_tensor(), g.into_tensor()),
    };
    weight_norm_twin(v, g, axis)
}

/// [`weight_norm`] with tensor operations alone: the specification.
///
/// # Panics
///
/// Like [`weight_norm`].
pub fn weight_norm_twin<const D: usize>(v: Tensor<D>, g: Tensor<1>, axis: usize) -> Tensor<D> {
    assert_lengths(&v.dims(), &g, axis);
    let dtype = v.dtype();
    let v = v.cast(accumulation_dtype(dtype));
    let g = g.cast(accumulation_dtype(dtype));
    let mut shape = [1; D];
    shape[axis] = g.dims()[0];
    let norms = norms_twin(v.clone(), axis);
    (v * (g.reshape(Shape::from(shape)) / norms)).cast(dtype)
}

fn assert_lengths(dims: &[usize], g: &Tensor<1>, axis: usize) {
    let lengths = g.dims()[0];
    assert!(
        dims.get(axis) == Some(&lengths),
        "{lengths} lengths for the units on axis {axis} of a weight {dims:?}"
    );
}

/// `‖v‖` of each unit, in the type of `v`; 1 for a unit of zeros. What [`weight_norm`] divides by: with these
/// lengths it returns `v` to the bit in `f32` and `f64`. In half precision the lengths are rounded, and so `v` changes by up to
/// as much. Without gradient.
///
/// # Panics
///
/// If `v` has no dimension `axis`.
pub fn unit_norms<const D: usize>(v: Tensor<D>, axis: usize) -> Tensor<1> {
    assert_axis(D, axis);
    let v = if v.is_autodiff() { v.inner() } else { v };
    #[cfg(feature = "flex")]
    let v = match crate::flex::unit_norms(v.into(), axis) {
        Ok(norms) => return norms.into_tensor(),
        Err(v) => v.into_tensor::<D>(),
    };
    let (dtype, units) = (v.dtype(), v.dims()[axis]);
    let norms = norms_twin(v.cast(accumulation_dtype(dtype)), axis);
    norms.reshape([units]).cast(dtype)
}

/// The norm of each unit; 1 for a unit of zeros, since the norm 0 has no gradient and no reciprocal.
fn norms_twin<const D: usize>(v: Tensor<D>, axis: usize) -> Tensor<D> {
    let squares = sum_per_unit(v.square(), axis);
    let is_zero = squares.clone().equal_elem(0);
    squares.mask_fill(is_zero, 1.0).sqrt()
}

/// The sum over all numbers of each unit, in dimensions of size 1.
pub(crate) fn sum_per_unit<const D: usize>(tensor: Tensor<D>, axis: usize) -> Tensor<D> {
    (0..D)
        .filter(|dim| *dim != axis)
        .fold(tensor, |sum, dim| sum.sum_dim(dim))
}
