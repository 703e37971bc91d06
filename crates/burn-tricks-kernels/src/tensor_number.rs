//! Arithmetic that needs a number of a whole tensor, such as a norm.

use crate::any_tensor::AnyTensor;
use crate::real::Real;
#[cfg(feature = "cube")]
use crate::trace::Change;

/// Arithmetic of an element that needs a number of its whole tensor, such as the ratio of two norms, for a GPU.
///
/// `K` is the number of tensors of one shape and type that go into it, and `R` the number of sums over their elements, 1 or 2
/// (or 0, if no number is needed). For dozens of tensors a GPU takes one launch for all sums, one that adds up the partial
/// sums of large tensors, and one for the elements. The code is called once, with numbers that write down what is done with
/// them, as [`Step::element`](crate::Step::element).
///
/// Where there is no such kernel, use tensor operations: see [`change_together`].
pub trait TensorNumber<const K: usize, const R: usize>: Copy + Send + Sync {
    /// The numbers whose squares are summed over all elements.
    fn terms<T: Real>(self, elements: [T; K]) -> [T; R];

    /// The number of the tensor, from the sums of squares and from how many elements there are.
    fn number<T: Real>(self, sums: [SquareSum<T>; R], count: T) -> T;

    /// The new element.
    fn element<T: Real>(self, elements: [T; K], number: T) -> T;
}

/// A sum of squares over the elements of a tensor.
#[derive(Debug, Clone, Copy)]
pub struct SquareSum<T> {
    /// Its root, the Euclidean norm, which is finite also where the sum leaves the range of the type.
    pub root: T,
    /// The sum itself.
    pub sum: T,
}

/// The new first tensor of each item, in the buffer of the first tensor, of the second, or in a new one, whichever is the
/// first that nobody else holds.
///
/// # Errors
///
/// With the items as they are, if a GPU has no kernel for them: all must be on one GPU, with one of this crate's features for
/// it, not empty, those of an item in one shape and type, `f32`, `f16` or `bf16`.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_kernels::{AnyTensor, Real, SquareSum, TensorNumber, change_together};
///
/// /// x / ‖x‖
/// #[derive(Clone, Copy)]
/// struct UnitNorm;
///
/// impl TensorNumber<1, 1> for UnitNorm {
///     fn terms<T: Real>(self, x: [T; 1]) -> [T; 1] {
///         x
///     }
///
///     fn number<T: Real>(self, [squares]: [SquareSum<T>; 1], _count: T) -> T {
///         squares.root
///     }
///
///     fn element<T: Real>(self, [x]: [T; 1], norm: T) -> T {
///         x / norm
///     }
/// }
///
/// let x = Tensor::<1>::from_floats([3.0, 4.0], &Device::flex());
/// let items = vec![[AnyTensor::from(x)]];
/// let units = change_together(UnitNorm, items).unwrap_or_else(|items| {
///     let divided = |[x]: [AnyTensor; 1]| {
///         let norm = x.clone().flatten().square().sum().sqrt();
///         AnyTensor::from(x.flatten() / norm)
///     };
///     items.into_iter().map(divided).collect()
/// });
/// assert_eq!(units[0].clone().into_data().to_vec::<f32>().unwrap(), [0.6, 0.8]);
/// ```
pub fn change_together<const K: usize, const R: usize>(
    change: impl TensorNumber<K, R>,
    items: Vec<[AnyTensor; K]>,
) -> Result<Vec<AnyTensor>, Vec<[AnyTensor; K]>> {
    #[cfg(feature = "cube")]
    {
        let items_of: Vec<&[AnyTensor]> = items.iter().map(|item| &item[..]).collect();
        if let Some(change) = has_kernel(&items_of, &|| Change::new(change)) {
            return Ok(changed(&change, items.into_iter().flatten().collect()));
        }
    }
    let _ = change;
    Err(items)
}

/// The change, if there is a kernel for it and these items.
#[cfg(feature = "cube")]
fn has_kernel(items: &[&[AnyTensor]], change: &dyn Fn() -> Change) -> Option<Change> {
    let is_alike = |item: &&[AnyTensor]| {
        let (shape, dtype) = (item[0].shape(), item[0].dtype());
        let mut others = item.iter();
        !item[0].is_empty()
            && others.all(|tensor| tensor.shape() == shape && tensor.dtype() == dtype)
    };
    let mut all = items.iter().copied().flatten().map(|tensor| &*tensor.0);
    if !crate::cube::are_on_cube(&mut all) || !items.iter().all(is_alike) {
        return None;
    }
    let change = change();
    let fits = |item: &&[AnyTensor]| crate::cube::fit(&change.element.program, &item[0].0);
    let fit = items.first().is_none_or(fits);
    fit.then_some(change)
}

#[cfg(feature = "cube")]
fn changed(change: &Change, tensors: Vec<AnyTensor>) -> Vec<AnyTensor> {
    let tensors = tensors.into_iter().map(|tensor| tensor.0.open());
    let changed = crate::cube::change(change, tensors.collect());
    changed.into_iter().map(AnyTensor::new).collect()
}
