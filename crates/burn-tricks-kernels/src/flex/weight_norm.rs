//! Weight norm: each unit's sum of squares in one read, and its weights at their new length in a second one.

use super::FlexTensor;
use super::any_slice::{AnySlice, rounded, vector};
use super::buffer::{close, dense, on_flex, open};
use super::term_sums::Terms;
use super::tracked::{self, Operation};
use super::unit_map::Combine;
use super::unit_pass::{combined, mapped};
use super::units::Units;
use super::vector::Wide;
use crate::any_tensor::AnyTensor;
use burn::backend::TensorMetadata as _;
use burn::tensor::DType;

/// `g v / ‖v‖`, or the unchanged tensors if there is no kernel for them.
#[allow(clippy::result_large_err)]
pub(crate) fn weight_norm(
    v: AnyTensor,
    g: AnyTensor,
    axis: usize,
) -> Result<AnyTensor, [AnyTensor; 2]> {
    tracked::run(WeightNorm { axis }, [v, g]).map(|(weight, ())| weight)
}

struct WeightNorm {
    axis: usize,
}

/// The direction, the lengths to have and their type, and the norms.
struct Saved {
    v: FlexTensor,
    g: Vec<f64>,
    dtype: DType,
    norms: Vec<f64>,
}

impl Operation<2> for WeightNorm {
    type Saved = Saved;
    type Extra = ();

    fn forward(&self, [v, g]: [FlexTensor; 2]) -> (FlexTensor, Saved, ()) {
        let (v, g) = (dense(v), dense(g));
        let units = Units::of(&v.shape(), Some(self.axis));
        let norms = norms(units, &v);
        let (dtype, g) = (g.dtype(), AnySlice::of(&g).widened());
        let ratios = g.iter().zip(&norms).map(|(g, norm)| g / norm).collect();
        let weight = mapped(units, &Scaled, &v, [ratios]);
        let saved = Saved { v, g, dtype, norms };
        (weight, saved, ())
    }

    /// ```text
    /// dg = (G · v) / ‖v‖     dv = g / ‖v‖ (G − v (G · v) / ‖v‖²)
    /// ```
    fn backward(
        &self,
        Saved { v, g, dtype, norms }: &Saved,
        grad: FlexTensor,
        [of_v, of_g]: [bool; 2],
    ) -> [Option<FlexTensor>; 2] {
        let units = Units::of(&v.shape(), Some(self.axis));
        let grad = dense(grad);
        let [products] = units.sums(&Product, AnySlice::of(&grad), AnySlice::of(v), &[]);
        let of_lengths = of_g.then(|| {
            let each = products.iter().zip(norms);
            let each: Vec<_> = each.map(|(product, norm)| product / norm).collect();
            vector(*dtype, &each)
        });
        let of_directions = of_v.then(|| {
            let each = || g.iter().zip(norms).zip(&products);
            let of_grad = each().map(|((g, norm), _)| g / norm).collect();
            let of_v = each().map(|((g, norm), product)| {
                // One by one: the cube of a norm may overflow or vanish.
                -(g / norm) * (product / norm / norm)
            });
            combined(units, &Both, grad, v, [of_grad, of_v.collect()])
        });
        [of_directions, of_lengths]
    }
}

/// The norm of each unit, in the precision of the weight.
fn norms(units: Units, v: &FlexTensor) -> Vec<f64> {
    let numbers = AnySlice::of(v);
    let [squares] = units.sums(&Square, numbers, numbers, &[]);
    let norm = |square: f64| match square {
        // A unit of zeros has no direction; what is divided is zero, whatever divides it.
        0.0 => 1.0,
        square => rounded(v.dtype(), square.sqrt()),
    };
    squares.into_iter().map(norm).collect()
}

/// `‖v‖` of each unit, or the unchanged tensor if there is no kernel for it.
#[allow(clippy::result_large_err)]
pub(crate) fn unit_norms(v: AnyTensor, axis: usize) -> Result<AnyTensor, AnyTensor> {
    if !on_flex([&*v.0]) {
        return Err(v);
    }
    let v = dense(open(v.open()));
    let units = Units::of(&v.shape(), Some(axis));
    Ok(AnyTensor::new(close(vector(v.dtype(), &norms(units, &v)))))
}

/// `a²`
#[derive(Clone, Copy)]
struct Square;

impl Terms<1> for Square {
    #[inline(always)]
    fn of<T: Wide>(self, a: T, _: T, _: T) -> [T; 1] {
        [a * a]
    }
}

/// `a b`
#[derive(Clone, Copy)]
pub(super) struct Product;

impl Terms<1> for Product {
    #[inline(always)]
    fn of<T: Wide>(self, a: T, b: T, _: T) -> [T; 1] {
        [a * b]
    }
}

/// `k a`
#[derive(Clone, Copy)]
pub(super) struct Scaled;

impl Combine<1> for Scaled {
    #[inline(always)]
    fn of<T: Wide>(self, a: T, _: T, [k]: [T; 1]) -> T {
        a * k
    }
}

/// `k a + l b`
#[derive(Clone, Copy)]
struct Both;

impl Combine<2> for Both {
    #[inline(always)]
    fn of<T: Wide>(self, a: T, b: T, [k, l]: [T; 2]) -> T {
        a * k + b * l
    }
}
