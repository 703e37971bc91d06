//! Weights divided by their largest singular value.

#[cfg(feature = "flex")]
use crate::any_tensor::AnyTensor;
use crate::precision::accumulation_dtype;
use burn::tensor::Tensor;

/// A weight divided by its largest singular value, and the singular vectors.
#[derive(Debug, Clone)]
pub struct SpectralNormed<const D: usize> {
    /// `w / σ`, with the gradient of both.
    pub weight: Tensor<D>,
    /// The left vector after the rounds, without autodiff: a number for each unit.
    pub u: Tensor<1>,
    /// The right vector after the rounds, without autodiff.
    pub v: Tensor<1>,
    /// σ, a tensor of one number without autodiff.
    pub sigma: Tensor<1>,
}

/// `w / σ` with `σ = uᵀ W v`, after some `rounds` of power iteration: `u ← W v / ‖W v‖`, `v ← Wᵀ u / ‖Wᵀ u‖`. W is the
/// weight as a matrix `[units, the rest]`; `axis` counts the units: 1 for weights `[in, out]`, 0 for
/// `[out, in, kernel...]`.
///
/// The gradient passes through σ with u and v held constant. A vector stays as it was where its new norm would be 0,
/// infinite or NaN, and a weight with σ = 0 is divided by 1. Computed in `f32`, or in `f64` for `f64`; all three have the type
/// of `w`.
///
/// On the CPU backend two reads of the weight for each round and one pass for the division, into a buffer that is filled
/// with zeros first; backwards one read of weight and gradient and one pass, in the buffer of the gradient. Beside the
/// output it takes memory for a few vectors and for sums of at most half a megabyte. Autodiff sees one operation.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_kernels::spectral_norm;
///
/// let device = Device::flex();
/// let weight = Tensor::<2>::from_floats([[2.0, 0.0], [0.0, 4.0]], &device);
/// let start = Tensor::<1>::from_floats([0.6, 0.8], &device);
/// let normed = spectral_norm(weight, 1, start.clone(), start, 20);
/// let [a, _, _, d]: [f32; 4] = normed.weight.into_data().to_vec().unwrap().try_into().unwrap();
/// assert!((a - 0.5).abs() < 1e-5 && (d - 1.0).abs() < 1e-5);
/// ```
///
/// # Panics
///
/// If the weight has no dimension `axis`, or the vectors do not have the lengths of its matrix.
pub fn spectral_norm<const D: usize>(
    weight: Tensor<D>,
    axis: usize,
    u: Tensor<1>,
    v: Tensor<1>,
    rounds: usize,
) -> SpectralNormed<D> {
    assert_vectors(&weight.dims(), axis, &u, &v);
    #[cfg(feature = "flex")]
    let (weight, u, v) = {
        let vectors = [u, v].map(|vector| untracked(vector).into());
        match crate::flex::spectral_norm(weight.into(), axis, vectors, rounds) {
            Ok((weight, extra)) => {
                let [u, v, sigma] = extra.map(AnyTensor::into_tensor);
                return SpectralNormed {
                    weight: weight.into_tensor(),
                    u,
                    v,
                    sigma,
                };
            }
            Err((weight, vectors)) => {
                let [u, v] = vectors.map(AnyTensor::into_tensor);
                (weight.into_tensor(), u, v)
            }
        }
    };
    spectral_norm_twin(weight, axis, u, v, rounds)
}

/// [`spectral_norm`] with tensor operations alone: the specification.
///
/// # Panics
///
/// Like [`spectral_norm`].
pub fn spectral_norm_twin<const D: usize>(
    weight: Tensor<D>,
    axis: usize,
    u: Tensor<1>,
    v: Tensor<1>,
    rounds: usize,
) -> SpectralNormed<D> {
    assert_vectors(&weight.dims(), axis, &u, &v);
    let dtype = weight.dtype();
    let wide = accumulation_dtype(dtype);
    let w = weight.cast(wide);
    let mut axes = std::array::from_fn(|dim| dim);
    axes[..=axis].rotate_right(1);
    let matrix = w.clone().permute(axes);
    let units = matrix.dims()[0];
    let matrix: Tensor<2> = matrix.reshape([units as isize, -1]);
    let mut pair = [u, v].map(|vector| untracked(vector).cast(wide).unsqueeze_dim::<2>(1));
    let constant = untracked(matrix.clone());
    for _ in 0..rounds {
        let [u, v] = pair;
        let u = normalized(constant.clone().matmul(v.clone()), u);
        let v = normalized(constant.clone().transpose().matmul(u.clone()), v);
        pair = [u, v];
    }
    // Constants, which mix with a tensor that has autodiff.
    let [u, v] = pair.clone();
    let sigma = u.transpose().matmul(matrix.matmul(v)).reshape([1; D]);
    let is_zero = sigma.clone().equal_elem(0);
    let [u, v] = pair.map(|vector| vector.squeeze_dim::<1>(1).cast(dtype));
    SpectralNormed {
        sigma: untracked(sigma.clone().reshape([1])).cast(dtype),
        weight: (w / sigma.mask_fill(is_zero, 1.0)).cast(dtype),
        u,
        v,
    }
}

fn assert_vectors(dims: &[usize], axis: usize, u: &Tensor<1>, v: &Tensor<1>) {
    let ([units], [rest]) = (u.dims(), v.dims());
    assert!(
        dims.get(axis) == Some(&units) && units * rest == dims.iter().product::<usize>(),
        "a weight {dims:?} with units on axis {axis} has no vectors of {units} and {rest} numbers"
    );
}

/// The tensor without autodiff.
fn untracked<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    if tensor.is_autodiff() {
        tensor.inner()
    } else {
        tensor
    }
}

/// `vector` at norm 1; `old` where the norm is 0, infinite or NaN.
fn normalized(vector: Tensor<2>, old: Tensor<2>) -> Tensor<2> {
    let norm = vector.clone().square().sum_dim(0).sqrt();
    let is_none = norm
        .clone()
        .equal_elem(0)
        .bool_or(norm.clone().is_finite().bool_not());
    let unit = vector / norm.mask_fill(is_none.clone(), 1.0);
    unit.mask_where(is_none.expand(old.dims()), old)
}
