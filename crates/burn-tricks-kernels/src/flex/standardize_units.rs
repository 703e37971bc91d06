//! Standardisation: each unit's mean and variance in one read, and the standardised numbers in a second one.

use super::FlexTensor;
use super::any_slice::AnySlice;
use super::buffer::dense;
use super::term_sums::Terms;
use super::tracked::{self, Operation};
use super::unit_map::Combine;
use super::unit_pass::{combined, mapped};
use super::units::Units;
use super::vector::Wide;
use crate::any_tensor::AnyTensor;
use crate::standardize_units::UnitDeviation;
use burn::backend::TensorMetadata as _;

/// `(w − μ) / d`, or the unchanged tensor if there is no kernel for it.
#[allow(clippy::result_large_err)]
pub(crate) fn standardize_units(
    deviation: UnitDeviation,
    weight: AnyTensor,
    axis: usize,
) -> Result<AnyTensor, AnyTensor> {
    match tracked::run(Standardize { deviation, axis }, [weight]) {
        Ok((weight, ())) => Ok(weight),
        Err([weight]) => Err(weight),
    }
}

struct Standardize {
    deviation: UnitDeviation,
    axis: usize,
}

struct Saved {
    weight: FlexTensor,
    means: Vec<f64>,
    /// 1 / d of each unit.
    scales: Vec<f64>,
    /// The derivative of d by a number of the unit, divided by its deviation from the mean.
    slopes: Vec<f64>,
}

impl Operation<1> for Standardize {
    type Saved = Saved;
    type Extra = ();

    fn forward(&self, [weight]: [FlexTensor; 1]) -> (FlexTensor, Saved, ()) {
        let weight = dense(weight);
        let shape = weight.shape();
        let units = Units::of(&shape, Some(self.axis));
        let n = shape.num_elements() as f64 / shape[self.axis] as f64;
        let Moments { means, squares } = moments(units, AnySlice::of(&weight), n);
        let UnitDeviation {
            freedom,
            inside,
            outside,
        } = self.deviation;
        let left = (n - freedom).max(1.0);
        let roots = squares.iter().map(|squares| squares / left + inside);
        let of_root = roots.map(|variance| match variance {
            // The root of an exact zero has no gradient; what it divides is zero, whatever it is.
            0.0 => (1.0 / (1.0 + outside), 0.0),
            variance => {
                let root = variance.sqrt();
                (1.0 / (root + outside), 1.0 / (left * root))
            }
        });
        let (scales, slopes): (Vec<f64>, Vec<f64>) = of_root.unzip();
        let coefs = [means.clone(), scales.clone()];
        let output = mapped(units, &CentredScaled, &weight, coefs);
        let saved = Saved {
            weight,
            means,
            scales,
            slopes,
        };
        (output, saved, ())
    }

    /// ```text
    /// dw = (G − mean G) / d − (w − μ) (∂d/∂w / (w − μ)) (G · (w − μ)) / d²
    /// ```
    fn backward(&self, saved: &Saved, grad: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        let Saved {
            weight,
            means,
            scales,
            slopes,
        } = saved;
        let shape = weight.shape();
        let units = Units::of(&shape, Some(self.axis));
        let n = shape.num_elements() as f64 / shape[self.axis] as f64;
        let grad = dense(grad);
        let numbers = (AnySlice::of(&grad), AnySlice::of(weight));
        let [sums, products] = units.sums(&WithCentred, numbers.0, numbers.1, means);
        let of_units =
            |coef: &dyn Fn(usize) -> f64| -> Vec<f64> { (0..shape[self.axis]).map(coef).collect() };
        let coefs = [
            of_units(&|unit| sums[unit] / n),
            scales.clone(),
            means.clone(),
            of_units(&|unit| -slopes[unit] * products[unit] * scales[unit] * scales[unit]),
        ];
        [Some(combined(units, &CentredBoth, grad, weight, coefs))]
    }
}

/// Means, and sums of squared deviations from them.
pub(super) struct Moments {
    pub(super) means: Vec<f64>,
    pub(super) squares: Vec<f64>,
}

/// How many times smaller the squared deviations from the mean may be than those from the number that they are counted
/// from: the square of 8 standard deviations. Beyond it the rounding of `f32` shows.
const CANCELLED: f64 = 64.0;

/// The moments of each unit of `n` numbers, in one read; in two, if the first number of a unit lies far from all others.
pub(super) fn moments(units: Units, numbers: AnySlice<'_>, n: f64) -> Moments {
    if numbers.len() == 0 {
        return Moments {
            means: vec![0.0; units.count],
            squares: vec![0.0; units.count],
        };
    }
    // Counted from a number of the unit, the sums do not cancel where the mean is far from zero.
    let (moments, is_cancelled) = moments_from(units, numbers, n, &units.first_of_each(numbers));
    if !is_cancelled {
        return moments;
    }
    moments_from(units, numbers, n, &numbers.all_rounded(moments.means)).0
}

/// The moments, counted from a number for each unit, and whether in one of them too many digits cancelled.
fn moments_from(units: Units, numbers: AnySlice<'_>, n: f64, shifts: &[f64]) -> (Moments, bool) {
    let [sums, totals] = units.sums(&Shifted, numbers, numbers, shifts);
    let mut is_cancelled = false;
    let each = sums.iter().zip(&totals).zip(shifts);
    let (means, squares) = each
        .map(|((sum, total), shift)| {
            let squares = total - sum * sum / n;
            is_cancelled |= squares * CANCELLED < *total;
            // Rounding may take it below zero, where it is zero; a NaN stays.
            let squares = if squares < 0.0 { 0.0 } else { squares };
            (shift + sum / n, squares)
        })
        .unzip();
    (Moments { means, squares }, is_cancelled)
}

/// `a − s` and its square.
#[derive(Clone, Copy)]
struct Shifted;

impl Terms<2> for Shifted {
    const SHIFTED: bool = true;

    #[inline(always)]
    fn of<T: Wide>(self, a: T, _: T, shift: T) -> [T; 2] {
        let deviation = a - shift;
        [deviation, deviation * deviation]
    }
}

/// `a` and `a (b − s)`.
#[derive(Clone, Copy)]
pub(super) struct WithCentred;

impl Terms<2> for WithCentred {
    const SHIFTED: bool = true;

    #[inline(always)]
    fn of<T: Wide>(self, a: T, b: T, shift: T) -> [T; 2] {
        [a, a * (b - shift)]
    }
}

/// `(a − m) k`
#[derive(Clone, Copy)]
struct CentredScaled;

impl Combine<2> for CentredScaled {
    #[inline(always)]
    fn of<T: Wide>(self, a: T, _: T, [mean, k]: [T; 2]) -> T {
        (a - mean) * k
    }
}

/// `(a − m) k + (b − n) l`
#[derive(Clone, Copy)]
pub(super) struct CentredBoth;

impl Combine<4> for CentredBoth {
    #[inline(always)]
    fn of<T: Wide>(self, a: T, b: T, [mean, k, other, l]: [T; 4]) -> T {
        (a - mean) * k + (b - other) * l
    }
}
