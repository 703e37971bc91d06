//! Clipping the gradient of each output unit by the length of the unit's weights.

use crate::precision::{accumulation_dtype, safe_divisor};
use crate::rank::{flattened, restored};
use crate::tensor_list::TensorList;
use crate::unit_clip::UnitClip;
use burn::backend::{DispatchTensor, TensorMetadata as _};
use burn::tensor::Tensor;

/// The gradient with every unit clipped: `gᵤ · min(1, λ max(‖wᵤ‖, ε) / ‖gᵤ‖)`, in the type of the gradient, with
/// norms in `f32` or wider.
///
/// `axis` counts the units: 1 for weights `[in, out]`, 0 for `[out, in, kernel...]`. With `None` the whole tensor is one
/// unit.
///
/// On the CPU backend weight and gradient are read once for the norms. Eight squares at a time are added in the type of
/// the numbers, and their sums in `f64`, in an order that does not depend on the number of threads. If a unit is clipped, the gradient is multiplied in a second pass, in place if
/// its buffer is not shared; where units are contiguous in memory (`axis` 0), both passes go through one small part of
/// the tensor after the other, which stays in the cache. If no unit is clipped, nothing is written. Nothing is read from
/// another device.
///
/// Norms do not overflow. A unit whose gradient or weights hold a NaN is not clipped. An infinity in a gradient becomes
/// NaN, and the other numbers of its unit become 0.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_kernels::{UnitClip, clip_units};
///
/// let device = Device::flex();
/// // Two units of a linear layer, with weights of lengths 5 and 1.
/// let weight = Tensor::<2>::from_floats([[3.0, 0.6], [4.0, 0.8]], &device);
/// let grad = Tensor::<2>::from_floats([[3.0, 3.0], [4.0, 4.0]], &device);
/// let clip = UnitClip { clip_factor: 1.0, epsilon: 1e-3 };
/// let clipped = clip_units(clip, weight, grad, Some(1));
/// assert_eq!(clipped.into_data().to_vec::<f32>().unwrap(), [3.0, 0.6, 4.0, 0.8]);
/// ```
///
/// # Panics
///
/// If the tensor has no dimension `axis`, or if weight and gradient have different shapes.
pub fn clip_units<const D: usize>(
    clip: UnitClip,
    weight: Tensor<D>,
    grad: Tensor<D>,
    axis: Option<usize>,
) -> Tensor<D> {
    let all = grad.shape().num_elements();
    let item = Item(weight.into_dispatch(), grad.into_dispatch(), axis);
    Tensor::from_dispatch(clipped(clip, item, all))
}

/// [`clip_units`] of each gradient, small ones in parallel.
///
/// # Panics
///
/// Like [`clip_units`], and if the lists have different lengths.
pub fn clip_units_all(
    clip: UnitClip,
    weights: TensorList,
    grads: TensorList,
    axes: Vec<Option<usize>>,
) -> TensorList {
    let count = grads.len();
    assert_eq!(
        (weights.len(), axes.len()),
        (count, count),
        "a weight and an axis for each gradient"
    );
    let pairs = weights.0.into_iter().zip(grads.0);
    let items = pairs.zip(axes);
    let items = items.map(|((weight, grad), axis)| Item(weight, grad, axis));
    let items: Vec<_> = items.collect();
    let all = items.iter().map(|item| item.1.shape().num_elements()).sum();
    TensorList::map_all(items, move |item| clipped(clip, item, all))
}

/// Weight, gradient, axis.
struct Item(DispatchTensor, DispatchTensor, Option<usize>);

impl crate::tensor_list::OnOneBackend for Item {
    #[cfg(feature = "flex")]
    fn is_on_flex(&self) -> bool {
        crate::flex::on_flex([&self.0, &self.1])
    }

    #[cfg(feature = "flex")]
    fn first(&self) -> &DispatchTensor {
        &self.1
    }
}

/// One of gradients that have `all` elements together.
fn clipped(
    clip: UnitClip,
    Item(weight, grad, axis): Item,
    #[cfg_attr(not(feature = "flex"), allow(unused_variables))] all: usize,
) -> DispatchTensor {
    assert_eq!(
        weight.shape(),
        grad.shape(),
        "the shapes of weight and gradient"
    );
    assert!(
        axis.is_none_or(|axis| axis < grad.rank()),
        "a tensor of rank {} has no axis {axis:?}",
        grad.rank()
    );
    #[cfg(feature = "flex")]
    if weight.dtype() == grad.dtype() && crate::flex::on_flex([&weight, &grad]) {
        let threads = crate::flex::Threads::for_share(grad.shape().num_elements(), all);
        return crate::flex::clip_units(clip, weight, grad, axis, threads);
    }
    let shape = grad.shape();
    if shape.num_elements() == 0 {
        return grad;
    }
    // In three dimensions, whatever the rank is, so that the operations are compiled once.
    let axis = axis.unwrap_or(shape.num_dims());
    let before: usize = shape.iter().take(axis).product();
    let units = shape.get(axis).map_or(1, |units| *units);
    let dims = [before, units, shape.num_elements() / before / units];
    let [weight, grad] = [weight, grad].map(|tensor| flattened(tensor).reshape::<3, _>(dims));
    restored(
        clip_units_twin(clip, weight, grad, Some(1)).flatten(0, -1),
        shape,
    )
}

/// [`clip_units`] with tensor operations alone: the specification.
pub fn clip_units_twin<const D: usize>(
    clip: UnitClip,
    weight: Tensor<D>,
    grad: Tensor<D>,
    axis: Option<usize>,
) -> Tensor<D> {
    if grad.dims().contains(&0) {
        return grad;
    }
    let dtype = grad.dtype();
    let wide = accumulation_dtype(dtype);
    let weight = UnitNorm::of(weight.cast(wide), axis);
    let grad = grad.cast(wide);
    let norm = UnitNorm::of(grad.clone(), axis);
    let longest = (weight.scale * weight.root).clamp_min(clip.epsilon);
    // One by one: the norm itself may overflow, and so may the factor, which is cut at 1.
    let factor = longest * clip.clip_factor / norm.scale / norm.root;
    let clips = factor.clone().lower_elem(1.0);
    let factor = factor.mask_fill(clips.bool_not(), 1.0);
    (grad * factor).cast(dtype)
}

/// The norm of each unit as the product `scale · root`, in tensors that broadcast against the weight.
struct UnitNorm<const D: usize> {
    scale: Tensor<D>,
    root: Tensor<D>,
}

impl<const D: usize> UnitNorm<D> {
    fn of(tensor: Tensor<D>, axis: Option<usize>) -> Self {
        let others: Vec<usize> = (0..D).filter(|dim| Some(*dim) != axis).collect();
        let largest = others
            .iter()
            .fold(tensor.clone().abs(), |largest, dim| largest.max_dim(*dim));
        // With an infinite or NaN element the scale is moot: the root shows it.
        let scale = safe_divisor(largest);
        let squares = (tensor / scale.clone()).square();
        let sum = others
            .iter()
            .fold(squares, |squares, dim| squares.sum_dim(*dim));
        Self {
            scale,
            root: sum.sqrt(),
        }
    }
}
