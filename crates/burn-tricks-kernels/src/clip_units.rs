//! Clipping the gradient of each output unit by the length of the unit's weights.

use crate::precision::{accumulation_dtype, safe_divisor};
use crate::rank::{flattened, restored};
use crate::tensor_list::TensorList;
use crate::unit_clip::UnitClip;
use burn::backend::{DispatchTensor, TensorMetadata as _};
use burn::tensor::{Shape, Tensor};

/// The gradient with every unit clipped: `gᵤ · min(1, λ max(‖wᵤ‖, ε) / ‖gᵤ‖)`, in the type of the gradient, with
/// norms in `f32` or wider.
///
/// `axis` counts the units: 1 for weights `[in, out]`, 0 for `[out, in, kernel...]`. With `None` the whole tensor is one
/// unit.
///
/// On the CPU backend weight and gradient are read once for the norms. Eight squares at a time (at most 32 where a unit's
/// numbers are so few) are added in the precision of the calculation, and their sums in `f64`, in an order that does not
/// depend on the number of threads. If a unit is clipped, the gradient is multiplied in a second pass, in place if its buffer
/// is not shared; where units are contiguous in memory (`axis` 0), both passes go through one small part of
/// the tensor after the other, which stays in the cache. If no unit is clipped, nothing is written. On a GPU with a feature of
/// this crate for it, one launch does so for dozens of tensors, with all sums in `f32`. Nothing is read from another
/// device; a weight on another device than its gradient is moved there.
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
/// If the tensor has no dimension `axis`, if weight and gradient have different shapes, or if a number of `clip` is
/// negative, infinite or NaN.
pub fn clip_units<const D: usize>(
    clip: UnitClip,
    weight: Tensor<D>,
    grad: Tensor<D>,
    axis: Option<usize>,
) -> Tensor<D> {
    let (weights, grads) = (weight.into(), grad.into());
    let mut clipped = clip_units_all(clip, weights, grads, vec![axis]);
    clipped.pop().expect("a list of one")
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
    clip.assert_possible();
    let count = grads.len();
    assert_eq!(
        (weights.len(), axes.len()),
        (count, count),
        "a weight and an axis for each gradient"
    );
    #[cfg(feature = "flex")]
    let mut grads = grads;
    #[cfg(feature = "flex")]
    {
        let mut pairs = weights.0.iter().zip(&grads.0);
        if pairs.all(|(weight, grad)| has_kernel(weight, grad)) {
            crate::flex::clip_units(clip, &weights.0, grads.0.make_contiguous(), &axes);
            return grads;
        }
    }
    #[cfg(feature = "cube")]
    if grads.0.iter().any(|grad| on_cube::fits([grad])) {
        return on_cube::clip_units(clip, weights, grads, axes);
    }
    let pairs = weights.0.into_iter().zip(grads.0);
    let each = pairs.zip(axes).map(|((weight, grad), axis)| {
        #[cfg(feature = "flex")]
        if has_kernel(&weight, &grad) {
            let mut clipped = [grad];
            crate::flex::clip_units(clip, &[weight].into(), &mut clipped, &[axis]);
            let [clipped] = clipped;
            return clipped;
        }
        twin(clip, weight, grad, axis)
    });
    TensorList::of(each.collect())
}

#[cfg(feature = "flex")]
fn has_kernel(weight: &DispatchTensor, grad: &DispatchTensor) -> bool {
    crate::flex::on_flex([weight, grad]) && weight.dtype() == grad.dtype()
}

/// With the kernel of a GPU.
#[cfg(feature = "cube")]
mod on_cube {
    use super::{assert_fit, twin};
    use crate::cube::are_on_cube;
    use crate::tensor_list::TensorList;
    use crate::unit_clip::UnitClip;
    use burn::backend::{DispatchTensor, TensorMetadata as _};

    /// A few threads add up a unit: for longer ones than this, operations for all of a tensor are faster.
    const LONGEST: usize = 1 << 17;

    /// Whether there is a kernel for these tensors.
    pub(super) fn fits<'a>(tensors: impl IntoIterator<Item = &'a DispatchTensor>) -> bool {
        are_on_cube(tensors)
    }

    fn has_kernel(weight: &DispatchTensor, grad: &DispatchTensor, axis: Option<usize>) -> bool {
        let shape = grad.shape();
        let units = axis.map_or(1, |axis| shape[axis]);
        let numbers = shape.num_elements();
        fits([weight, grad])
            && weight.dtype() == grad.dtype()
            && numbers > 0
            && numbers / units <= LONGEST
    }

    /// Of tensors of which some have the kernel.
    pub(super) fn clip_units(
        clip: UnitClip,
        weights: TensorList,
        grads: TensorList,
        axes: Vec<Option<usize>>,
    ) -> TensorList {
        let mut clipped: Vec<Option<DispatchTensor>> = Vec::with_capacity(axes.len());
        // Those of one device together.
        let (mut pairs, mut pair_axes, mut places) = (Vec::new(), Vec::new(), Vec::new());
        let all = weights.0.into_iter().zip(grads.0).zip(axes);
        for (place, ((weight, grad), axis)) in all.enumerate() {
            assert_fit(&weight.shape(), &grad.shape(), axis);
            if has_kernel(&weight, &grad, axis) && fits(pairs.first().into_iter().chain([&grad])) {
                pairs.extend([weight, grad]);
                pair_axes.push(axis);
                places.push(place);
                clipped.push(None);
            } else {
                clipped.push(Some(twin(clip, weight, grad, axis)));
            }
        }
        if !places.is_empty() {
            let together = crate::cube::clip_units(clip, pairs.into_iter(), &pair_axes);
            for (place, grad) in places.into_iter().zip(together) {
                clipped[place] = Some(grad);
            }
        }
        TensorList::of(clipped.into_iter().flatten().collect())
    }
}

/// Panics unless weight and gradient have the same shape, with this axis.
pub(crate) fn assert_fit(weight: &Shape, grad: &Shape, axis: Option<usize>) {
    assert_eq!(weight, grad, "the shapes of weight and gradient");
    assert!(
        axis.is_none_or(|axis| axis < grad.num_dims()),
        "a tensor of rank {} has no axis {axis:?}",
        grad.num_dims()
    );
}

fn twin(
    clip: UnitClip,
    weight: DispatchTensor,
    grad: DispatchTensor,
    axis: Option<usize>,
) -> DispatchTensor {
    let shape = grad.shape();
    assert_fit(&weight.shape(), &shape, axis);
    if shape.num_elements() == 0 {
        return grad;
    }
    // In three dimensions, whatever the rank is, so that the operations are compiled once.
    let axis = axis.unwrap_or(shape.num_dims());
    let before: usize = shape.iter().take(axis).product();
    let units = shape.get(axis).map_or(1, |units| *units);
    let dims = [before, units, shape.num_elements() / before / units];
    let [weight, grad] = [weight, grad].map(|tensor| flattened(tensor).reshape::<3, _>(dims));
    let weight = weight.to_device(&grad.device());
    restored(
        clip_units_twin(clip, weight, grad, Some(1)).flatten(0, -1),
        shape,
    )
}

/// [`clip_units`] with tensor operations alone: the specification.
///
/// # Panics
///
/// Like [`clip_units`].
pub fn clip_units_twin<const D: usize>(
    clip: UnitClip,
    weight: Tensor<D>,
    grad: Tensor<D>,
    axis: Option<usize>,
) -> Tensor<D> {
    clip.assert_possible();
    assert_fit(&weight.shape(), &grad.shape(), axis);
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
