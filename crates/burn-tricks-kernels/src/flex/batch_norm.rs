//! Batch norm: the statistics of each part and channel in one read, and the normalised numbers in a second one.

use super::FlexTensor;
use super::buffer::{close, dense, from_numbers, look, numbers, open};
use super::element_type::{Stored, with_element_type};
use super::standardize_units::{CentredBoth, Moments, WithCentred, moments};
use super::threads::{self, Threads};
use super::tracked::{self, Operation};
use super::unit_map::Combine;
use super::unit_pass::{combined, mapped};
use super::units::Units;
use super::vector::Wide;
use super::weight_norm::{Scaled, vector, widened};
use crate::batch_norm::bounds;
use burn::backend::{DispatchTensor, TensorMetadata as _};
use burn::tensor::Shape;

/// The output, with means and variances; or the unchanged tensors if there is no kernel for them.
#[allow(clippy::result_large_err, clippy::type_complexity)]
pub(crate) fn ghost_batch_norm(
    inputs: [DispatchTensor; 3],
    epsilon: f64,
    parts: usize,
) -> Result<(DispatchTensor, [DispatchTensor; 2]), [DispatchTensor; 3]> {
    if !are_of_one_type(&inputs) {
        return Err(inputs);
    }
    let (output, statistics) = tracked::run(Ghost { epsilon, parts }, inputs)?;
    Ok((output, statistics.map(close)))
}

/// The output, or the unchanged tensors if there is no kernel for them.
#[allow(clippy::result_large_err)]
pub(crate) fn fixed_batch_norm(
    inputs: [DispatchTensor; 3],
    statistics: [Option<DispatchTensor>; 2],
    epsilon: f64,
) -> Result<DispatchTensor, [DispatchTensor; 3]> {
    let [Some(mean), Some(variance)] = statistics else {
        return Err(inputs);
    };
    let is_ours = |tensor: &DispatchTensor| {
        look(tensor).is_some_and(|buffer| buffer.dtype() == inputs[0].dtype())
    };
    if !are_of_one_type(&inputs) || ![&mean, &variance].into_iter().all(is_ours) {
        return Err(inputs);
    }
    let statistics = [open(mean), open(variance)];
    tracked::run(
        Fixed {
            epsilon,
            statistics,
        },
        inputs,
    )
    .map(|(output, ())| output)
}

fn are_of_one_type(inputs: &[DispatchTensor; 3]) -> bool {
    inputs
        .iter()
        .all(|input| input.dtype() == inputs[0].dtype())
}

#[derive(Debug, Clone)]
struct Ghost {
    epsilon: f64,
    parts: usize,
}

/// The input, its scale, and the statistics of each part.
#[derive(Debug, Clone)]
struct Saved {
    x: FlexTensor,
    gamma: Vec<f64>,
    parts: Vec<Part>,
}

/// Some samples.
#[derive(Debug, Clone)]
struct Part {
    units: Units,
    /// Where its numbers begin and end.
    range: (usize, usize),
    means: Vec<f64>,
    variances: Vec<f64>,
}

impl Part {
    /// How many numbers a channel has.
    fn count(&self) -> f64 {
        (self.range.1 - self.range.0) as f64 / self.means.len() as f64
    }

    /// `1 / √(σ² + ε)` for each channel.
    fn roots(&self, epsilon: f64) -> impl Iterator<Item = f64> {
        self.variances
            .iter()
            .map(move |variance| 1.0 / (variance + epsilon).sqrt())
    }
}

impl Operation<3> for Ghost {
    type Saved = Saved;
    type Extra = [FlexTensor; 2];

    fn forward(&self, [x, gamma, beta]: [FlexTensor; 3]) -> (FlexTensor, Saved, Self::Extra) {
        with_element_type!(x.dtype(), E => self.forward_in::<E>(dense(x), &gamma, &beta))
    }

    fn backward(
        self,
        saved: Saved,
        grad: FlexTensor,
        needed: [bool; 3],
    ) -> [Option<FlexTensor>; 3] {
        with_element_type!(grad.dtype(), E => self.backward_in::<E>(&saved, grad, needed))
    }
}

impl Ghost {
    fn forward_in<E: Stored>(
        &self,
        x: FlexTensor,
        gamma: &FlexTensor,
        beta: &FlexTensor,
    ) -> (FlexTensor, Saved, [FlexTensor; 2]) {
        let shape = x.shape();
        let read = x.storage::<E>();
        let gamma = widened::<E>(&numbers::<E>(gamma));
        let beta = numbers::<E>(beta);
        let shift = {
            let mut wide = vec![E::Wide::ZERO; beta.len()];
            E::load(&beta, &mut wide);
            wide
        };
        let mut new = vec![E::zeroed(); read.len()];
        let sample = shape[1..].iter().product::<usize>();
        let bounds: Vec<_> = bounds(shape[0], self.parts).collect();
        let pass = |((start, end), out): ((usize, usize), &mut [E])| {
            let units = Units::of(&[end - start, shape[1], sample / shape[1].max(1)], Some(1));
            let range = (start * sample, end * sample);
            let read = &read[range.0..range.1];
            let count = read.len() as f64 / shape[1] as f64;
            let Moments { means, squares } = moments::<E>(units, read, count);
            let part = Part {
                units,
                range,
                means,
                variances: squares.iter().map(|squares| squares / count).collect(),
            };
            let scales = gamma.iter().zip(part.roots(self.epsilon));
            let coefs = [
                part.means.iter().map(|mean| E::Wide::of(*mean)).collect(),
                scales
                    .map(|(gamma, root)| E::Wide::of(gamma * root))
                    .collect(),
                shift.clone(),
            ];
            units.map(CentredShifted, out, Some(read), read, &coefs);
            part
        };
        let outs = cut(
            &mut new,
            bounds.iter().map(|(start, end)| (end - start) * sample),
        );
        let parts = each_part(read.len(), bounds.into_iter().zip(outs).collect(), &pass);
        let output = from_numbers(new, shape.clone());
        let statistics = [
            stacked::<E>(parts.iter().map(|part| &part.means)),
            stacked::<E>(parts.iter().map(|part| &part.variances)),
        ];
        (output, Saved { x, gamma, parts }, statistics)
    }

    /// With `r = 1/√(σ² + ε)` and n numbers in a channel:
    ///
    /// ```text
    /// dγ = r (G · (x − μ))     dβ = Σ G     dx = γ r (G − ΣG / n − (x − μ) r² (G · (x − μ)) / n)
    /// ```
    fn backward_in<E: Stored>(
        &self,
        Saved { x, gamma, parts }: &Saved,
        grad: FlexTensor,
        [of_x, of_gamma, of_beta]: [bool; 3],
    ) -> [Option<FlexTensor>; 3] {
        let mut grad = dense(grad);
        let read = x.storage::<E>();
        let shape = x.shape();
        let sums_of = |part: &Part, grad: &[E]| {
            let shifts: Vec<_> = part.means.iter().map(|mean| E::Wide::of(*mean)).collect();
            let numbers = &read[part.range.0..part.range.1];
            part.units.sums(WithCentred, grad, numbers, &shifts)
        };
        let all: Vec<[Vec<f64>; 2]> = {
            let grad = grad.storage::<E>();
            let pass = |part: &Part| sums_of(part, &grad[part.range.0..part.range.1]);
            each_part(read.len(), parts.iter().collect(), &pass)
        };
        let of_gamma = of_gamma.then(|| {
            let terms = parts.iter().zip(&all).map(|(part, [_, products])| {
                let roots = part.roots(self.epsilon);
                products
                    .iter()
                    .zip(roots)
                    .map(|(product, root)| product * root)
                    .collect()
            });
            total::<E>(gamma.len(), terms)
        });
        let of_beta =
            of_beta.then(|| total::<E>(gamma.len(), all.iter().map(|[sums, _]| sums.clone())));
        let of_x = of_x.then(|| {
            let both = parts.iter().zip(&all);
            let lens = parts.iter().map(|part| part.range.1 - part.range.0);
            let pass = |piece: Piece<'_, E>| piece.write_gradient(self.epsilon, gamma, read);
            if let Some(numbers) = grad.try_storage_mut::<E>() {
                let pieces = both
                    .zip(cut(numbers, lens))
                    .map(|((part, sums), out)| Piece {
                        part,
                        sums,
                        out,
                        grad: None,
                    });
                each_part(read.len(), pieces.collect(), &pass);
                return grad;
            }
            let of = grad.storage::<E>();
            let mut new = vec![E::zeroed(); of.len()];
            let pieces = both
                .zip(cut(&mut new, lens))
                .map(|((part, sums), out)| Piece {
                    part,
                    sums,
                    out,
                    grad: Some(&of[part.range.0..part.range.1]),
                });
            each_part(read.len(), pieces.collect(), &pass);
            from_numbers(new, shape)
        });
        [of_x, of_gamma, of_beta]
    }
}

/// The gradient of a part.
struct Piece<'a, E> {
    part: &'a Part,
    /// ΣG and G · (x − μ).
    sums: &'a [Vec<f64>; 2],
    out: &'a mut [E],
    /// `None`: `out` holds it.
    grad: Option<&'a [E]>,
}

impl<E: Stored> Piece<'_, E> {
    /// Writes the gradient of the input.
    fn write_gradient(self, epsilon: f64, gamma: &[f64], x: &[E]) {
        let (part, [sums, products]) = (self.part, self.sums);
        let n = part.count();
        let roots: Vec<f64> = part.roots(epsilon).collect();
        let of_units = |coef: &dyn Fn(usize) -> f64| -> Vec<E::Wide> {
            (0..gamma.len())
                .map(|unit| E::Wide::of(coef(unit)))
                .collect()
        };
        let coefs = [
            of_units(&|unit| sums[unit] / n),
            of_units(&|unit| gamma[unit] * roots[unit]),
            of_units(&|unit| part.means[unit]),
            of_units(&|unit| -gamma[unit] * roots[unit].powi(3) * products[unit] / n),
        ];
        let x = &x[part.range.0..part.range.1];
        part.units.map(CentredBoth, self.out, self.grad, x, &coefs);
    }
}

/// The parts of a slice, of these lengths.
fn cut<E>(mut numbers: &mut [E], lens: impl Iterator<Item = usize>) -> Vec<&mut [E]> {
    lens.map(|len| {
        let part;
        (part, numbers) = std::mem::take(&mut numbers).split_at_mut(len);
        part
    })
    .collect()
}

/// The pass over each part, by several threads if the tensor is large.
fn each_part<I: Send, O: Send>(
    len: usize,
    parts: Vec<I>,
    pass: &(dyn Fn(I) -> O + Sync),
) -> Vec<O> {
    let threads = match parts.len() {
        1 => Threads::One,
        _ => Threads::for_len(len),
    };
    threads::map_items(threads, parts, pass)
}

/// A row for each part.
fn stacked<'a, E: Stored>(rows: impl ExactSizeIterator<Item = &'a Vec<f64>> + Clone) -> FlexTensor {
    let count = rows.len();
    let row = rows.clone().next().map_or(0, Vec::len);
    let flat = vector::<E>(rows.flatten().copied());
    flat.reshape(Shape::new([count, row]))
}

/// The sum of some vectors.
fn total<E: Stored>(len: usize, vectors: impl Iterator<Item = Vec<f64>>) -> FlexTensor {
    let sum = vectors.fold(vec![0.0; len], |mut sum, more| {
        let each = sum.iter_mut().zip(more);
        each.for_each(|(sum, more)| *sum += more);
        sum
    });
    vector::<E>(sum.into_iter())
}

#[derive(Debug, Clone)]
struct Fixed {
    epsilon: f64,
    /// Means and variances.
    statistics: [FlexTensor; 2],
}

#[derive(Debug, Clone)]
struct SavedFixed {
    x: FlexTensor,
    gamma: Vec<f64>,
    means: Vec<f64>,
    roots: Vec<f64>,
}

impl Operation<3> for Fixed {
    type Saved = SavedFixed;
    type Extra = ();

    fn forward(&self, [x, gamma, beta]: [FlexTensor; 3]) -> (FlexTensor, SavedFixed, ()) {
        with_element_type!(x.dtype(), E => self.forward_in::<E>(dense(x), &gamma, &beta))
    }

    fn backward(
        self,
        saved: SavedFixed,
        grad: FlexTensor,
        needed: [bool; 3],
    ) -> [Option<FlexTensor>; 3] {
        with_element_type!(grad.dtype(), E => backward_of_fixed::<E>(&saved, grad, needed))
    }
}

impl Fixed {
    fn forward_in<E: Stored>(
        &self,
        x: FlexTensor,
        gamma: &FlexTensor,
        beta: &FlexTensor,
    ) -> (FlexTensor, SavedFixed, ()) {
        let [means, variances] =
            (self.statistics.each_ref()).map(|vector| widened::<E>(&numbers::<E>(vector)));
        let [gamma, beta] = [gamma, beta].map(|vector| widened::<E>(&numbers::<E>(vector)));
        let roots: Vec<f64> = (variances.iter())
            .map(|variance| 1.0 / (variance + self.epsilon).sqrt())
            .collect();
        let of = |numbers: &[f64]| numbers.iter().map(|x| E::Wide::of(*x)).collect();
        let scales: Vec<f64> = gamma
            .iter()
            .zip(&roots)
            .map(|(gamma, root)| gamma * root)
            .collect();
        let coefs = [of(&means), of(&scales), of(&beta)];
        let units = Units::of(&x.shape(), Some(1));
        let output = mapped::<E, _, 3>(units, CentredShifted, &x, &coefs);
        let saved = SavedFixed {
            x,
            gamma,
            means,
            roots,
        };
        (output, saved, ())
    }
}

/// ```text
/// dγ = r (G · (x − μ))     dβ = Σ G     dx = γ r G
/// ```
fn backward_of_fixed<E: Stored>(
    saved: &SavedFixed,
    grad: FlexTensor,
    [of_x, of_gamma, of_beta]: [bool; 3],
) -> [Option<FlexTensor>; 3] {
    let SavedFixed {
        x,
        gamma,
        means,
        roots,
    } = saved;
    let units = Units::of(&x.shape(), Some(1));
    let grad = dense(grad);
    let [mut gradient_of_gamma, mut gradient_of_beta] = [None, None];
    if of_gamma || of_beta {
        let shifts: Vec<_> = means.iter().map(|mean| E::Wide::of(*mean)).collect();
        let [sums, products] = units.sums(WithCentred, grad.storage::<E>(), x.storage(), &shifts);
        let scaled = products
            .iter()
            .zip(roots)
            .map(|(product, root)| product * root);
        gradient_of_gamma = of_gamma.then(|| vector::<E>(scaled));
        gradient_of_beta = of_beta.then(|| vector::<E>(sums.into_iter()));
    }
    let of_x = of_x.then(|| {
        let scales = gamma
            .iter()
            .zip(roots)
            .map(|(gamma, root)| E::Wide::of(gamma * root));
        combined::<E, _, 1>(units, Scaled, grad, x, &[scales.collect()])
    });
    [of_x, gradient_of_gamma, gradient_of_beta]
}

/// `(a − m) k + s`
#[derive(Clone, Copy)]
struct CentredShifted;

impl Combine<3> for CentredShifted {
    #[inline(always)]
    fn of<T: Wide>(self, a: T, _: T, [mean, k, shift]: [T; 3]) -> T {
        (a - mean) * k + shift
    }
}
