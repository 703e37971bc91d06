//! Spectral norm: two products of the weight with a vector for each round, and one division.

use super::FlexTensor;
use super::any_slice::{AnySlice, AnySliceMut, rounded, vector, zeros};
use super::buffer::{close, dense, open};
use super::matrix::Matrix;
use super::tracked::{self, Operation};
use super::unit_map::Combine;
use super::unit_pass::mapped;
use super::units::Units;
use super::vector::Wide;
use super::weight_norm::Product;
use crate::any_tensor::AnyTensor;
use burn::backend::TensorMetadata as _;
use burn::tensor::DType;

/// `w / σ` with the vectors after the rounds and σ, or the unchanged tensors if there is no kernel for them.
#[allow(clippy::result_large_err, clippy::type_complexity)]
pub(crate) fn spectral_norm(
    weight: AnyTensor,
    axis: usize,
    vectors: [AnyTensor; 2],
    rounds: usize,
) -> Result<(AnyTensor, [AnyTensor; 3]), (AnyTensor, [AnyTensor; 2])> {
    let dtype = weight.dtype();
    let fits = vectors.iter().all(|vector| vector.dtype() == dtype);
    if !fits || !super::on_flex(vectors.iter().map(|vector| &*vector.0)) {
        return Err((weight, vectors));
    }
    let operation = Spectral {
        axis,
        vectors: vectors.clone().map(|vector| open(vector.open())),
        rounds,
    };
    match tracked::run(operation, [weight]) {
        Ok((weight, extra)) => Ok((weight, extra.map(|extra| AnyTensor::new(close(extra))))),
        Err([weight]) => Err((weight, vectors)),
    }
}

struct Spectral {
    axis: usize,
    vectors: [FlexTensor; 2],
    rounds: usize,
}

/// The weight, its vectors, and its largest singular value.
struct Saved {
    weight: FlexTensor,
    u: Vec<f64>,
    v: Vec<f64>,
    sigma: f64,
}

impl Operation<1> for Spectral {
    type Saved = Saved;
    type Extra = [FlexTensor; 3];

    fn forward(&self, [weight]: [FlexTensor; 1]) -> (FlexTensor, Saved, [FlexTensor; 3]) {
        let weight = dense(weight);
        let dtype = weight.dtype();
        let matrix = Matrix::of(AnySlice::of(&weight), &weight.shape(), self.axis);
        let vectors = self.vectors.clone().map(dense);
        let [mut u, mut v] = vectors.map(|vector| AnySlice::of(&vector).widened());
        let mut product = None;
        for _ in 0..self.rounds {
            u = normalized(dtype, &matrix.times(&v), u);
            let transposed = matrix.transposed_times(&u);
            v = normalized(dtype, &transposed, v);
            product = Some(transposed);
        }
        // σ = uᵀ W v
        let product = product.unwrap_or_else(|| matrix.transposed_times(&u));
        let sigma: f64 = product.iter().zip(&v).map(|(a, b)| a * b).sum();
        let sigma = rounded(dtype, sigma);
        let divisor = if sigma == 0.0 { 1.0 } else { sigma };
        let whole = Units::of(&weight.shape(), None);
        let output = mapped(whole, &Divided, &weight, [vec![divisor]]);
        let [new_u, new_v] = match self.rounds {
            0 => self.vectors.clone(),
            _ => [&u, &v].map(|numbers| vector(dtype, numbers)),
        };
        let extra = [new_u, new_v, vector(dtype, &[sigma])];
        let saved = Saved {
            weight,
            u,
            v,
            sigma,
        };
        (output, saved, extra)
    }

    /// ```text
    /// dW = G / σ − u vᵀ (G · W) / σ²
    /// ```
    fn backward(&self, saved: &Saved, grad: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        let Saved {
            weight, v, sigma, ..
        } = saved;
        let mut grad = dense(grad);
        if *sigma == 0.0 {
            return [Some(grad)]; // σ was replaced by 1
        }
        let shape = weight.shape();
        let whole = Units::of(&shape, None);
        let weight = AnySlice::of(weight);
        let [products] = whole.sums(&Product, AnySlice::of(&grad), weight, &[]);
        let slope = -products[0] / sigma / sigma;
        let u: Vec<f64> = saved.u.iter().map(|u| u * slope).collect();
        let matrix = Matrix::of(weight, &shape, self.axis);
        if let Some(numbers) = AnySliceMut::of(&mut grad) {
            matrix.add_outer(numbers, None, *sigma, &u, v);
            return [Some(grad)];
        }
        let mut new = zeros(grad.dtype(), shape);
        let out = AnySliceMut::of_new(&mut new);
        matrix.add_outer(out, Some(AnySlice::of(&grad)), *sigma, &u, v);
        [Some(new)]
    }
}

/// `vector` at norm 1, in the precision of the weight; `old` where the norm is 0, infinite or NaN.
fn normalized(dtype: DType, vector: &[f64], old: Vec<f64>) -> Vec<f64> {
    let norm = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
    if rounded(dtype, norm) == 0.0 || !rounded(dtype, norm).is_finite() {
        return old;
    }
    vector.iter().map(|x| rounded(dtype, x / norm)).collect()
}

/// `a / k`, which may be finite where `1 / k` is not.
#[derive(Clone, Copy)]
struct Divided;

impl Combine<1> for Divided {
    #[inline(always)]
    fn of<T: Wide>(self, a: T, _: T, [k]: [T; 1]) -> T {
        a / k
    }
}

#[cfg(test)]
mod tests {
    use crate::spectral_norm::spectral_norm;
    use burn::tensor::{Device, Tensor};

    #[allow(clippy::disallowed_methods)] // not on the step path
    fn values(x: Tensor<2>) -> Vec<f32> {
        x.into_data().try_into_vec().unwrap()
    }

    fn assert_near(got: &[f32], expected: &[f32], tolerance: f32) {
        let is_near = |(x, y): (&f32, &f32)| (x - y).abs() <= tolerance;
        assert!(
            got.iter().zip(expected).all(is_near),
            "{got:?}, not {expected:?}"
        );
    }

    /// The reciprocal of a singular value below 2.9e-39 is infinite in `f32`.
    #[test]
    fn weights_without_a_finite_reciprocal_are_divided() {
        let device = Device::flex().autodiff();
        let start = || Tensor::<1>::from_floats([1.0, 0.0], &Device::flex());
        for size in [1e-39_f32, 1e-40] {
            let numbers = [[2.0 * size, 0.0], [0.0, size]];
            let weight = Tensor::<2>::from_floats(numbers, &device);
            let normed = spectral_norm(weight, 1, start(), start(), 3);
            assert_near(&values(normed.weight), &[1.0, 0.0, 0.0, 0.5], 1e-4);
        }
        // dW = (G − u vᵀ (G · W) / σ) / σ, with u = v = [1, 0] and σ = 2e-39.
        let numbers = [[2e-39, 0.0], [0.0, 1e-39]];
        let weight = Tensor::<2>::from_floats(numbers, &device).require_grad();
        let normed = spectral_norm(weight.clone(), 1, start(), start(), 3);
        let slope = Tensor::<2>::from_floats([[0.03, 0.01], [0.0, 0.02]], &device);
        let grads = (normed.weight * slope).sum().backward();
        let gradient = values(weight.grad(&grads).unwrap() * 1e-37);
        // G · W / σ = 0.03 + 0.01
        assert_near(&gradient, &[-0.5, 0.5, 0.0, 1.0], 1e-2);
    }
}
