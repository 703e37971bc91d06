//! The gradient of each output unit clipped by the length of the unit's weights, for many tensors in one launch.
//!
//! A cube takes eight units, each with as many of its threads: they add up the squares of the unit's weights and gradients,
//! and then multiply its gradients. So the second read of a gradient often finds it in the cache.

use super::many::{Shares, address_type, groups, most_buffers, units_of};
use super::squares::{DOWN, DOWN_AGAIN, UP, total, with_squares};
use crate::unit_clip::UnitClip;
use burn::backend::cubecl::dtype_to_storage_type;
use burn_cubecl::cubecl;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

/// How many units a cube takes.
const WIDTH: usize = 8;
/// Below it a number of `f32` is subnormal or 0.
const SMALLEST_NORMAL: f32 = f32::MIN_POSITIVE;

/// A weight, its gradient, and where their units lie.
struct Part {
    weight: CubeTensor,
    grad: CubeTensor,
    /// Where the clipped gradient goes, if not into the buffer of the gradient.
    output: Option<CubeTensor>,
    units: usize,
    /// How many numbers of a unit lie side by side.
    after: usize,
}

impl Part {
    fn new(weight: CubeTensor, grad: CubeTensor, axis: Option<usize>) -> Self {
        let (weight, grad) = (into_contiguous(weight), into_contiguous(grad));
        let shape = grad.meta.shape();
        let numbers = shape.num_elements();
        let (units, after) = match axis {
            None => (1, numbers),
            Some(axis) => (shape[axis], shape.iter().skip(axis + 1).product()),
        };
        let output = (!grad.can_mut()).then(|| {
            let (client, device) = (grad.client.clone(), grad.device.clone());
            empty_device_contiguous_dtype(client, device, shape.clone(), grad.dtype)
        });
        Self {
            weight,
            grad,
            output,
            units,
            after,
        }
    }

    /// How many numbers a unit has.
    fn len(&self) -> usize {
        self.grad.meta.num_elements() / self.units
    }
}

/// The clipped gradients; the tensors are a weight and its gradient, of one shape and type, the next weight, and so on.
pub(super) fn clip_units(
    clip: UnitClip,
    tensors: Vec<CubeTensor>,
    axes: &[Option<usize>],
) -> Vec<CubeTensor> {
    let client = tensors[0].client.clone();
    let threads = units_of(&client);
    let width = WIDTH.min(threads as usize);
    let mut tensors = tensors.into_iter();
    let mut parts = Vec::new();
    for axis in axes {
        let [weight, grad] = [(); 2].map(|()| tensors.next().expect("two for each axis"));
        parts.push(Part::new(weight, grad, *axis));
    }
    let keys = parts.iter().map(|part| {
        let are_columns = part.after == 1;
        (part.grad.dtype, are_columns, part.output.is_none())
    });
    let most = most_buffers(&client);
    let of_one = |in_place| if in_place { 2 } else { 3 };
    let groups = groups(keys, |(_, _, in_place)| (most / of_one(*in_place)).max(1));
    for ((dtype, are_columns, in_place), places) in groups {
        let parts = || places.iter().map(|place| &parts[*place]);
        let cubes = |part: &Part| part.units.div_ceil(width);
        let shares = Shares::new(parts().map(|part| (part.len(), cubes(part))));
        let buffer = |tensor: &CubeTensor| tensor.clone().into_buffer_arg();
        clip_kernel::launch(
            &client,
            shares.cube_count(&client),
            CubeDim::new_1d(threads),
            address_type(parts().map(|part| &part.grad)),
            parts().map(|part| buffer(&part.weight)).collect(),
            parts().map(|part| buffer(&part.grad)).collect(),
            parts().flat_map(|part| &part.output).map(buffer).collect(),
            shares.lens,
            shares.starts,
            parts().map(|part| part.units).collect(),
            parts().map(|part| part.after).collect(),
            clip.clip_factor as f32,
            clip.epsilon as f32,
            DOWN,
            UP,
            DOWN_AGAIN,
            are_columns,
            in_place,
            width,
            threads as usize / width,
            dtype_to_storage_type(dtype),
        );
    }
    let clipped = |part: Part| part.output.unwrap_or(part.grad);
    parts.into_iter().map(clipped).collect()
}

/// Each cube clips some units of a gradient. Threads that are neighbours read numbers that are neighbours: of several units
/// if these are columns, otherwise of one.
#[cube(launch, address_type = "dynamic")]
fn clip_kernel<T: Numeric>(
    weights: &Sequence<Box<[T]>>,
    grads: &mut Sequence<Box<[T]>>,
    outputs: &mut Sequence<Box<[T]>>,
    lens: &Sequence<usize>,
    starts: &Sequence<usize>,
    counts: &Sequence<usize>,
    afters: &Sequence<usize>,
    clip_factor: f32,
    epsilon: f32,
    down: f32,
    up: f32,
    down_again: f32,
    #[comptime] are_columns: bool,
    #[comptime] in_place: bool,
    #[comptime] width: usize,
    #[comptime] lanes: usize,
    #[define(T)] _dtype: ElemType,
) {
    let thread = UNIT_POS as usize;
    let mut in_cube = thread / lanes;
    let mut lane = thread % lanes;
    if comptime!(are_columns) {
        in_cube = thread % width;
        lane = thread / width;
    }
    let mut large_weights = Vector::<f32, Const<1>>::new(0.0);
    let mut weight_sum = Vector::<f32, Const<1>>::new(0.0);
    let mut small_weights = Vector::<f32, Const<1>>::new(0.0);
    let mut large_grads = Vector::<f32, Const<1>>::new(0.0);
    let mut grad_sum = Vector::<f32, Const<1>>::new(0.0);
    let mut small_grads = Vector::<f32, Const<1>>::new(0.0);
    #[unroll]
    for number in 0..lens.len() {
        let begin = starts[number];
        let unit = (CUBE_POS - begin) * width + in_cube;
        if CUBE_POS >= begin && CUBE_POS < starts[number + 1] && unit < counts[number] {
            let after = afters[number];
            let mut nth = lane;
            while nth < lens[number] {
                let at = (nth / after * counts[number] + unit) * after + nth % after;
                let weight = Vector::<f32, Const<1>>::new(f32::cast_from(weights[number][at]));
                let grad = Vector::<f32, Const<1>>::new(f32::cast_from(grads[number][at]));
                let so_far = (large_weights, weight_sum, small_weights);
                let next = with_squares::<Const<1>>(so_far, weight, down, up);
                large_weights = next.0;
                weight_sum = next.1;
                small_weights = next.2;
                let so_far = (large_grads, grad_sum, small_grads);
                let next = with_squares::<Const<1>>(so_far, grad, down, up);
                large_grads = next.0;
                grad_sum = next.1;
                small_grads = next.2;
                nth += lanes;
            }
        }
    }
    let stride = if comptime!(are_columns) {
        width
    } else {
        1usize
    };
    let first = thread - lane * stride;
    let weight = (
        large_weights.extract(0usize),
        weight_sum.extract(0usize),
        small_weights.extract(0usize),
    );
    let weight = over_threads(weight, first, lane, stride, width, lanes);
    let grad = (
        large_grads.extract(0usize),
        grad_sum.extract(0usize),
        small_grads.extract(0usize),
    );
    let grad = over_threads(grad, first, lane, stride, width, lanes);
    let (scale, sum) = total(weight.0, weight.1, weight.2, down, down_again);
    let mut longest = sum.sqrt() * scale;
    // A NaN stays.
    if longest < epsilon {
        longest = epsilon;
    }
    // One by one: the norm itself may overflow.
    let (scale, sum) = total(grad.0, grad.1, grad.2, down, down_again);
    let mut factor = longest * clip_factor / scale / sum.sqrt();
    let clips = factor < 1.0;
    if !clips {
        factor = f32::new(1.0);
    }
    // Many GPUs take a subnormal number for 0: two factors instead. With a smaller scale all numbers would be 0 anyway.
    let mut first_factor = f32::new(1.0);
    if scale >= 1.0 && factor < SMALLEST_NORMAL {
        first_factor = down;
        factor = longest * clip_factor / (scale * down) / sum.sqrt();
    }
    #[unroll]
    for number in 0..lens.len() {
        let begin = starts[number];
        let unit = (CUBE_POS - begin) * width + in_cube;
        let mut is_written = CUBE_POS >= begin && CUBE_POS < starts[number + 1];
        is_written = is_written && unit < counts[number];
        if comptime!(in_place) {
            is_written = is_written && clips;
        }
        if is_written {
            let after = afters[number];
            let mut nth = lane;
            while nth < lens[number] {
                let at = (nth / after * counts[number] + unit) * after + nth % after;
                let clipped =
                    T::cast_from(f32::cast_from(grads[number][at]) * first_factor * factor);
                if comptime!(in_place) {
                    let grad = grads.index_mut(number);
                    grad[at] = clipped;
                } else {
                    let output = outputs.index_mut(number);
                    output[at] = clipped;
                }
                nth += lanes;
            }
        }
    }
}

/// The sums over the threads of a unit, as a tree, for each of them.
#[cube]
fn over_threads(
    sums: (f32, f32, f32),
    first: usize,
    lane: usize,
    stride: usize,
    #[comptime] width: usize,
    #[comptime] lanes: usize,
) -> (f32, f32, f32) {
    let mut larges = Shared::<[f32]>::new_slice(comptime!(width * lanes));
    let mut middles = Shared::<[f32]>::new_slice(comptime!(width * lanes));
    let mut smalls = Shared::<[f32]>::new_slice(comptime!(width * lanes));
    let thread = first + lane * stride;
    larges[thread] = sums.0;
    middles[thread] = sums.1;
    smalls[thread] = sums.2;
    sync_cube();
    let mut half = CUBE_DIM as usize / width / 2;
    while half > 0 {
        if lane < half {
            let other = thread + half * stride;
            let value = larges[thread] + larges[other];
            larges[thread] = value;
            let value = middles[thread] + middles[other];
            middles[thread] = value;
            let value = smalls[thread] + smalls[other];
            smalls[thread] = value;
        }
        sync_cube();
        half /= 2;
    }
    (larges[first], middles[first], smalls[first])
}
