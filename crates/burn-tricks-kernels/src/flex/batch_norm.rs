//! Batch norm: the statistics of each part and channel in one read, and the normalised numbers in a second one.

use super::FlexTensor;
use super::any_slice::{AnySlice, AnySliceMut, vector, zeros};
use super::buffer::{close, dense, on_flex, open};
use super::standardize_units::{CentredBoth, Moments, WithCentred, moments};
use super::threads::{self, Threads};
use super::tracked::{self, Operation};
use super::unit_map::Combine;
use super::unit_pass::{combined, mapped};
use super::units::Units;
use super::vector::Wide;
use super::weight_norm::Scaled;
use crate::any_tensor::AnyTensor;
use crate::batch_norm::bounds;
use crate::precision::accumulation_dtype;
use burn::backend::TensorMetadata as _;
use burn::tensor::{DType, Shape};

/// The output, with means and variances; or the unchanged tensors if there is no kernel for them.
#[allow(clippy::result_large_err, clippy::type_complexity)]
pub(crate) fn ghost_batch_norm(
    inputs: [AnyTensor; 3],
    epsilon: f64,
    parts: usize,
) -> Result<(AnyTensor, [AnyTensor; 2]), [AnyTensor; 3]> {
    let vectors = inputs[1..].iter().map(|vector| vector.dtype());
    if !fit(inputs[0].dtype(), vectors) {
        return Err(inputs);
    }
    let (output, statistics) = tracked::run(Ghost { epsilon, parts }, inputs)?;
    Ok((
        output,
        statistics.map(|statistic| AnyTensor::new(close(statistic))),
    ))
}

/// The output, or the unchanged tensors if there is no kernel for them.
#[allow(clippy::result_large_err)]
pub(crate) fn fixed_batch_norm(
    inputs: [AnyTensor; 3],
    statistics: [Option<AnyTensor>; 2],
    epsilon: f64,
) -> Result<AnyTensor, [AnyTensor; 3]> {
    let [Some(mean), Some(variance)] = statistics else {
        return Err(inputs);
    };
    let vectors = inputs[1..].iter().chain([&mean, &variance]);
    if !fit(inputs[0].dtype(), vectors.map(|vector| vector.dtype()))
        || !on_flex([&*mean.0, &variance.0])
    {
        return Err(inputs);
    }
    let statistics = [open(mean.open()), open(variance.open())];
    tracked::run(
        Fixed {
            epsilon,
            statistics,
        },
        inputs,
    )
    .map(|(output, ())| output)
}

/// Whether the arithmetic for an input of type `x` has the precision of these vectors: all but that of `f64` beside a
/// narrower input.
fn fit(x: DType, mut vectors: impl Iterator<Item = DType>) -> bool {
    x == DType::F64 || vectors.all(|vector| vector != DType::F64)
}

struct Ghost {
    epsilon: f64,
    parts: usize,
}

/// The input, its scale, the types of scale and shift, and the statistics of each part.
struct Saved {
    x: FlexTensor,
    gamma: Vec<f64>,
    dtypes: [DType; 2],
    parts: Vec<Part>,
}

/// Some samples.
struct Part {
    units: Units,
    /// Where its numbers begin and end.
    range: (usize, usize),
    means: Vec<f64>,
    variances: Vec<f64>,
    /// `1 / √(σ² + ε)` for each channel.
    roots: Vec<f64>,
}

impl Part {
    /// How many numbers a channel has.
    fn count(&self) -> f64 {
        (self.range.1 - self.range.0) as f64 / self.means.len() as f64
    }
}

/// `1 / √(σ² + ε)` for each channel.
fn roots_of(variances: &[f64], epsilon: f64) -> Vec<f64> {
    let root = |variance: &f64| 1.0 / (variance + epsilon).sqrt();
    variances.iter().map(root).collect()
}

impl Operation<3> for Ghost {
    type Saved = Saved;
    type Extra = [FlexTensor; 2];

    fn forward(&self, inputs: [FlexTensor; 3]) -> (FlexTensor, Saved, Self::Extra) {
        let [x, gamma, beta] = inputs.map(dense);
        let dtypes = [gamma.dtype(), beta.dtype()];
        let shape = x.shape();
        let read = AnySlice::of(&x);
        let [gamma, shift] = [&gamma, &beta].map(widened);
        let mut new = zeros(x.dtype(), shape.clone());
        let sample = shape[1..].iter().product::<usize>();
        let bounds: Vec<_> = bounds(shape[0], self.parts).collect();
        let pass = |((start, end), out): ((usize, usize), AnySliceMut<'_>)| {
            let units = Units::of(&[end - start, shape[1], sample / shape[1].max(1)], Some(1));
            let range = (start * sample, end * sample);
            let read = read.part(range.0..range.1);
            let count = read.len() as f64 / shape[1] as f64;
            let Moments { means, squares } = moments(units, read, count);
            let variances: Vec<f64> = squares.iter().map(|squares| squares / count).collect();
            let part = Part {
                units,
                range,
                means,
                roots: roots_of(&variances, self.epsilon),
                variances,
            };
            let scales = gamma.iter().zip(&part.roots);
            let scales = scales.map(|(gamma, root)| gamma * root).collect();
            let coefs = [part.means.clone(), scales, shift.clone()];
            units.map(&CentredShifted, out, Some(read), read, coefs);
            part
        };
        let outs = cut(
            AnySliceMut::of_new(&mut new),
            bounds.iter().map(|(start, end)| (end - start) * sample),
        );
        let parts = each_part(read.len(), bounds.into_iter().zip(outs).collect(), &pass);
        // Beside vectors of another type, that of the calculation.
        let of_statistics = if dtypes == [x.dtype(); 2] {
            x.dtype()
        } else {
            accumulation_dtype(x.dtype()).into()
        };
        let statistics = [
            stacked(of_statistics, parts.iter().map(|part| &part.means)),
            stacked(of_statistics, parts.iter().map(|part| &part.variances)),
        ];
        let saved = Saved {
            x,
            gamma,
            dtypes,
            parts,
        };
        (new, saved, statistics)
    }

    /// With `r = 1/√(σ² + ε)` and n numbers in a channel:
    ///
    /// ```text
    /// dγ = r (G · (x − μ))     dβ = Σ G     dx = γ r (G − ΣG / n − (x − μ) r² (G · (x − μ)) / n)
    /// ```
    fn backward(
        &self,
        Saved {
            x,
            gamma,
            dtypes,
            parts,
        }: &Saved,
        grad: FlexTensor,
        [of_x, of_gamma, of_beta]: [bool; 3],
    ) -> [Option<FlexTensor>; 3] {
        let mut grad = dense(grad);
        let read = AnySlice::of(x);
        let all: Vec<[Vec<f64>; 2]> = {
            let grad = AnySlice::of(&grad);
            let pass = |part: &Part| {
                let [grad, x] = [grad, read].map(|all| all.part(part.range.0..part.range.1));
                part.units.sums(&WithCentred, grad, x, &part.means)
            };
            each_part(read.len(), parts.iter().collect(), &pass)
        };
        let of_gamma = of_gamma.then(|| {
            let terms = parts.iter().zip(&all).map(|(part, [_, products])| {
                let products = products.iter().zip(&part.roots);
                products.map(|(product, root)| product * root).collect()
            });
            total(dtypes[0], gamma.len(), terms)
        });
        let of_beta = of_beta.then(|| {
            let terms = all.iter().map(|[sums, _]| sums.clone());
            total(dtypes[1], gamma.len(), terms)
        });
        let of_x = of_x.then(|| {
            let write = |out: AnySliceMut<'_>, grad: Option<AnySlice<'_>>| {
                let lens = parts.iter().map(|part| part.range.1 - part.range.0);
                let both = parts.iter().zip(&all);
                let pieces = both.zip(cut(out, lens)).map(|((part, sums), out)| Piece {
                    part,
                    sums,
                    out,
                    grad: grad.map(|grad| grad.part(part.range.0..part.range.1)),
                });
                let pass = |piece: Piece<'_>| piece.write_gradient(gamma, read);
                each_part(read.len(), pieces.collect(), &pass);
            };
            if let Some(numbers) = AnySliceMut::of(&mut grad) {
                write(numbers, None);
                return grad;
            }
            let mut new = zeros(x.dtype(), x.shape());
            write(AnySliceMut::of_new(&mut new), Some(AnySlice::of(&grad)));
            new
        });
        [of_x, of_gamma, of_beta]
    }
}

/// The gradient of a part.
struct Piece<'a> {
    part: &'a Part,
    /// ΣG and G · (x − μ).
    sums: &'a [Vec<f64>; 2],
    out: AnySliceMut<'a>,
    /// `None`: `out` holds it.
    grad: Option<AnySlice<'a>>,
}

impl Piece<'_> {
    /// Writes the gradient of the input.
    fn write_gradient(self, gamma: &[f64], x: AnySlice<'_>) {
        let (part, [sums, products]) = (self.part, self.sums);
        let n = part.count();
        let roots = &part.roots;
        let of_units =
            |coef: &dyn Fn(usize) -> f64| -> Vec<f64> { (0..gamma.len()).map(coef).collect() };
        let coefs = [
            of_units(&|unit| sums[unit] / n),
            of_units(&|unit| gamma[unit] * roots[unit]),
            part.means.clone(),
            of_units(&|unit| -gamma[unit] * roots[unit].powi(3) * products[unit] / n),
        ];
        let x = x.part(part.range.0..part.range.1);
        part.units.map(&CentredBoth, self.out, self.grad, x, coefs);
    }
}

/// The parts of a slice, of these lengths.
fn cut<'a>(
    mut numbers: AnySliceMut<'a>,
    lens: impl Iterator<Item = usize>,
) -> Vec<AnySliceMut<'a>> {
    lens.map(|len| numbers.take(len)).collect()
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
fn stacked<'a>(
    dtype: DType,
    rows: impl ExactSizeIterator<Item = &'a Vec<f64>> + Clone,
) -> FlexTensor {
    let count = rows.len();
    let row = rows.clone().next().map_or(0, Vec::len);
    let flat: Vec<_> = rows.flatten().copied().collect();
    vector(dtype, &flat).reshape(Shape::new([count, row]))
}

/// The sum of some vectors.
fn total(dtype: DType, len: usize, vectors: impl Iterator<Item = Vec<f64>>) -> FlexTensor {
    let sum = vectors.fold(vec![0.0; len], |mut sum, more| {
        let each = sum.iter_mut().zip(more);
        each.for_each(|(sum, more)| *sum += more);
        sum
    });
    vector(dtype, &sum)
}

struct Fixed {
    epsilon: f64,
    /// Means and variances.
    statistics: [FlexTensor; 2],
}

struct SavedFixed {
    x: FlexTensor,
    gamma: Vec<f64>,
    /// Of scale and shift.
    dtypes: [DType; 2],
    means: Vec<f64>,
    roots: Vec<f64>,
}

impl Operation<3> for Fixed {
    type Saved = SavedFixed;
    type Extra = ();

    fn forward(&self, inputs: [FlexTensor; 3]) -> (FlexTensor, SavedFixed, ()) {
        let [x, gamma, beta] = inputs.map(dense);
        let dtypes = [gamma.dtype(), beta.dtype()];
        let [means, variances] = (self.statistics.clone()).map(|vector| widened(&dense(vector)));
        let [gamma, beta] = [&gamma, &beta].map(widened);
        let roots = roots_of(&variances, self.epsilon);
        let scales = gamma.iter().zip(&roots);
        let scales = scales.map(|(gamma, root)| gamma * root).collect();
        let coefs = [means.clone(), scales, beta];
        let units = Units::of(&x.shape(), Some(1));
        let output = mapped(units, &CentredShifted, &x, coefs);
        let saved = SavedFixed {
            x,
            gamma,
            dtypes,
            means,
            roots,
        };
        (output, saved, ())
    }

    /// ```text
    /// dγ = r (G · (x − μ))     dβ = Σ G     dx = γ r G
    /// ```
    fn backward(
        &self,
        saved: &SavedFixed,
        grad: FlexTensor,
        [of_x, of_gamma, of_beta]: [bool; 3],
    ) -> [Option<FlexTensor>; 3] {
        let SavedFixed {
            x,
            gamma,
            dtypes,
            means,
            roots,
        } = saved;
        let units = Units::of(&x.shape(), Some(1));
        let grad = dense(grad);
        let [mut gradient_of_gamma, mut gradient_of_beta] = [None, None];
        if of_gamma || of_beta {
            let (grad, numbers) = (AnySlice::of(&grad), AnySlice::of(x));
            let [sums, products] = units.sums(&WithCentred, grad, numbers, means);
            let scaled = products.iter().zip(roots);
            let scaled: Vec<_> = scaled.map(|(product, root)| product * root).collect();
            gradient_of_gamma = of_gamma.then(|| vector(dtypes[0], &scaled));
            gradient_of_beta = of_beta.then(|| vector(dtypes[1], &sums));
        }
        let of_x = of_x.then(|| {
            let scales = gamma.iter().zip(roots);
            let scales = scales.map(|(gamma, root)| gamma * root).collect();
            combined(units, &Scaled, grad, x, [scales])
        });
        [of_x, gradient_of_gamma, gradient_of_beta]
    }
}

/// The numbers of a vector.
fn widened(vector: &FlexTensor) -> Vec<f64> {
    AnySlice::of(vector).widened()
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
