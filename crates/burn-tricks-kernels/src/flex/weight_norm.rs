//! Weight norm: each unit's sum of squares in one read, and its weights at their new length in a second one.

use super::FlexTensor;
use super::buffer::{close, dense, from_numbers, numbers, on_flex, open};
use super::element_type::{Stored, with_element_type};
use super::term_sums::Terms;
use super::tracked::{self, Operation};
use super::unit_map::Combine;
use super::unit_pass::{combined, mapped};
use super::units::Units;
use super::vector::Wide;
use burn::backend::{DispatchTensor, TensorMetadata as _};

/// `g v / ‖v‖`, or the unchanged tensors if there is no kernel for them.
#[allow(clippy::result_large_err)]
pub(crate) fn weight_norm(
    v: DispatchTensor,
    g: DispatchTensor,
    axis: usize,
) -> Result<DispatchTensor, [DispatchTensor; 2]> {
    if v.dtype() != g.dtype() {
        return Err([v, g]);
    }
    tracked::run(WeightNorm { axis }, [v, g]).map(|(weight, ())| weight)
}

#[derive(Debug, Clone)]
struct WeightNorm {
    axis: usize,
}

/// The direction, the lengths to have, and the norms.
#[derive(Debug, Clone)]
struct Saved {
    v: FlexTensor,
    g: Vec<f64>,
    norms: Vec<f64>,
}

impl Operation<2> for WeightNorm {
    type Saved = Saved;
    type Extra = ();

    fn forward(&self, [v, g]: [FlexTensor; 2]) -> (FlexTensor, Saved, ()) {
        with_element_type!(v.dtype(), E => forward::<E>(self.axis, dense(v), &g))
    }

    fn backward(
        self,
        saved: Saved,
        grad: FlexTensor,
        [of_v, of_g]: [bool; 2],
    ) -> [Option<FlexTensor>; 2] {
        with_element_type!(grad.dtype(), E => backward::<E>(self.axis, &saved, grad, of_v, of_g))
    }
}

fn forward<E: Stored>(axis: usize, v: FlexTensor, g: &FlexTensor) -> (FlexTensor, Saved, ()) {
    let units = Units::of(&v.shape(), Some(axis));
    let stored = v.storage::<E>();
    let norms = norms::<E>(units, stored);
    let g = widened::<E>(&numbers::<E>(g));
    let ratios = (g.iter().zip(&norms)).map(|(g, norm)| E::Wide::of(g / norm));
    let weight = mapped::<E, _, 1>(units, Scaled, &v, &[ratios.collect()]);
    (weight, Saved { v, g, norms }, ())
}

/// The norm of each unit, in the precision of the weight.
fn norms<E: Stored>(units: Units, v: &[E]) -> Vec<f64> {
    let [squares] = units.sums(Square, v, v, &[]);
    // A unit of zeros has no direction; what is divided is zero, whatever divides it.
    let norm = |square: f64| if square == 0.0 { 1.0 } else { square.sqrt() };
    let norms = squares.into_iter().map(norm);
    norms.map(|norm| E::Wide::of(norm).to_f64()).collect()
}

/// `‖v‖` of each unit, or the unchanged tensor if there is no kernel for it.
#[allow(clippy::result_large_err)]
pub(crate) fn unit_norms(v: DispatchTensor, axis: usize) -> Result<DispatchTensor, DispatchTensor> {
    if !on_flex([&v]) {
        return Err(v);
    }
    let v = dense(open(v));
    let units = Units::of(&v.shape(), Some(axis));
    let norms = with_element_type!(v.dtype(), E => {
        vector::<E>(norms::<E>(units, v.storage()).into_iter())
    });
    Ok(close(norms))
}

/// ```text
/// dg = (G · v) / ‖v‖     dv = g / ‖v‖ (G − v (G · v) / ‖v‖²)
/// ```
fn backward<E: Stored>(
    axis: usize,
    Saved { v, g, norms }: &Saved,
    grad: FlexTensor,
    of_v: bool,
    of_g: bool,
) -> [Option<FlexTensor>; 2] {
    let units = Units::of(&v.shape(), Some(axis));
    let grad = dense(grad);
    let [products] = units.sums(Product, grad.storage::<E>(), v.storage::<E>(), &[]);
    let of_lengths = of_g.then(|| {
        let each = products
            .iter()
            .zip(norms)
            .map(|(product, norm)| product / norm);
        vector::<E>(each)
    });
    let of_directions = of_v.then(|| {
        let each = || g.iter().zip(norms).zip(&products);
        let of_grad = each().map(|((g, norm), _)| E::Wide::of(g / norm));
        let of_v = each().map(|((g, norm), product)| {
            // One by one: the cube of a norm may overflow or vanish.
            E::Wide::of(-(g / norm) * (product / norm / norm))
        });
        let coefs = [of_grad.collect(), of_v.collect()];
        combined::<E, _, 2>(units, Both, grad, v, &coefs)
    });
    [of_directions, of_lengths]
}

/// The numbers in `f64`.
pub(super) fn widened<E: Stored>(stored: &[E]) -> Vec<f64> {
    let mut wide = vec![E::Wide::ZERO; stored.len()];
    E::load(stored, &mut wide);
    wide.into_iter().map(Wide::to_f64).collect()
}

/// A tensor of one dimension.
pub(super) fn vector<E: Stored>(numbers: impl Iterator<Item = f64>) -> FlexTensor {
    let wide: Vec<E::Wide> = numbers.map(E::Wide::of).collect();
    let mut stored = vec![E::zeroed(); wide.len()];
    E::store(&wide, &mut stored);
    let shape = [stored.len()].into();
    from_numbers(stored, shape)
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
