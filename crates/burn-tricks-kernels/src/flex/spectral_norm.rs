//! Spectral norm: two products of the weight with a vector for each round, and one division.

use super::FlexTensor;
use super::buffer::{close, dense, from_numbers, numbers, open};
use super::element_type::{Stored, with_element_type};
use super::matrix::Matrix;
use super::tracked::{self, Operation};
use super::unit_pass::mapped;
use super::units::Units;
use super::vector::Wide as _;
use super::weight_norm::{Product, Scaled, vector, widened};
use burn::backend::{DispatchTensor, TensorMetadata as _};

/// `w / σ` with the vectors after the rounds and σ, or the unchanged tensors if there is no kernel for them.
#[allow(clippy::result_large_err, clippy::type_complexity)]
pub(crate) fn spectral_norm(
    weight: DispatchTensor,
    axis: usize,
    vectors: [DispatchTensor; 2],
    rounds: usize,
) -> Result<(DispatchTensor, [DispatchTensor; 3]), (DispatchTensor, [DispatchTensor; 2])> {
    let dtype = weight.dtype();
    let fits = vectors.iter().all(|vector| vector.dtype() == dtype);
    if !fits || !super::on_flex(&vectors) {
        return Err((weight, vectors));
    }
    let operation = Spectral {
        axis,
        vectors: vectors.clone().map(open),
        rounds,
    };
    match tracked::run(operation, [weight]) {
        Ok((weight, extra)) => Ok((weight, extra.map(close))),
        Err([weight]) => Err((weight, vectors)),
    }
}

#[derive(Debug, Clone)]
struct Spectral {
    axis: usize,
    vectors: [FlexTensor; 2],
    rounds: usize,
}

/// The weight, its vectors, and its largest singular value.
#[derive(Debug, Clone)]
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
        with_element_type!(weight.dtype(), E => self.forward_in::<E>(dense(weight)))
    }

    fn backward(self, saved: Saved, grad: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        [Some(
            with_element_type!(grad.dtype(), E => self.backward_in::<E>(&saved, grad)),
        )]
    }
}

impl Spectral {
    fn forward_in<E: Stored>(&self, weight: FlexTensor) -> (FlexTensor, Saved, [FlexTensor; 3]) {
        let matrix = Matrix::<E>::of(weight.storage(), &weight.shape(), self.axis);
        let vectors = self.vectors.each_ref();
        let [mut u, mut v] = vectors.map(|vector| widened::<E>(&numbers::<E>(vector)));
        let mut product = None;
        for _ in 0..self.rounds {
            u = normalized::<E>(matrix.times(&v), u);
            let transposed = matrix.transposed_times(&u);
            v = normalized::<E>(transposed.clone(), v);
            product = Some(transposed);
        }
        // σ = uᵀ W v
        let product = product.unwrap_or_else(|| matrix.transposed_times(&u));
        let sigma: f64 = product.iter().zip(&v).map(|(a, b)| a * b).sum();
        let sigma = E::Wide::of(sigma).to_f64();
        let divisor = if sigma == 0.0 { 1.0 } else { sigma };
        let whole = Units::of(&weight.shape(), None);
        let factor = [vec![E::Wide::of(1.0 / divisor)]];
        let output = mapped::<E, _, 1>(whole, Scaled, &weight, &factor);
        let [new_u, new_v] = match self.rounds {
            0 => self.vectors.clone(),
            _ => [&u, &v].map(|numbers| vector::<E>(numbers.iter().copied())),
        };
        let extra = [new_u, new_v, vector::<E>([sigma].into_iter())];
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
    fn backward_in<E: Stored>(&self, saved: &Saved, grad: FlexTensor) -> FlexTensor {
        let Saved {
            weight, v, sigma, ..
        } = saved;
        let mut grad = dense(grad);
        if *sigma == 0.0 {
            return grad; // σ was replaced by 1
        }
        let shape = weight.shape();
        let whole = Units::of(&shape, None);
        let weight = weight.storage::<E>();
        let [products] = whole.sums(Product, grad.storage::<E>(), weight, &[]);
        let slope = -products[0] / sigma / sigma;
        let u: Vec<f64> = saved.u.iter().map(|u| u * slope).collect();
        let matrix = Matrix::of(weight, &shape, self.axis);
        if let Some(numbers) = grad.try_storage_mut::<E>() {
            matrix.add_outer(numbers, None, 1.0 / sigma, &u, v);
            return grad;
        }
        let mut new = vec![E::zeroed(); weight.len()];
        matrix.add_outer(&mut new, Some(grad.storage()), 1.0 / sigma, &u, v);
        from_numbers(new, shape)
    }
}

/// `vector` at norm 1, in the precision of the weight; `old` where the norm is 0 or infinite.
fn normalized<E: Stored>(vector: Vec<f64>, old: Vec<f64>) -> Vec<f64> {
    let norm = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
    if E::Wide::of(norm).to_f64() == 0.0 || E::Wide::of(norm).to_f64().is_infinite() {
        return old;
    }
    vector
        .iter()
        .map(|x| E::Wide::of(x / norm).to_f64())
        .collect()
}
