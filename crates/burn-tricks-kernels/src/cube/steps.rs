//! The same arithmetic of each element of many tensors in one launch: steps of an optimizer, and means that move.
//!
//! The kernel is made of a [`Program`], in which the Rust code of a step for one element has listed its operations. The
//! numbers of a step, such as the learning rate, are arguments, so that the kernel is compiled once.

use super::many::{
    Shares, address_type, elementwise_cubes, flat_alike, groups, most_buffers, units_of,
    vector_sizes,
};
use crate::trace::{Op, Program, Trace};
use burn::backend::cubecl::dtype_to_storage_type;
use burn::tensor::DType;
use burn_cubecl::cubecl;
use burn_cubecl::ops::{numeric::empty_device_contiguous_dtype, permute};
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

/// Where the new weight goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Target {
    /// Into the buffer of the weight.
    Weight,
    /// Into that of the gradient, which nobody needs any more.
    Grad,
    /// Into a new one.
    New,
}

/// What one launch has in common: the type of weights and gradients, how many numbers are read at once, where the new
/// weights go, and whether the states stay in their buffers.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Kind {
    dtype: DType,
    size: usize,
    target: Target,
    in_place: bool,
}

impl Kind {
    /// How many buffers a weight with so many state tensors needs.
    fn buffers(self, states: usize) -> usize {
        let new_weight = usize::from(self.target == Target::New);
        let new_states = if self.in_place { 0 } else { states };
        2 + states + new_weight + new_states
    }
}

/// One weight, its gradient and its state.
struct Part {
    /// The weight and the gradient.
    pair: [CubeTensor; 2],
    states: Vec<CubeTensor>,
    target: Target,
    new_weight: Option<CubeTensor>,
    /// New buffers for the states, if somebody shares theirs.
    new_states: Option<Vec<CubeTensor>>,
    inverse: Vec<usize>,
}

impl Part {
    fn new(tensors: Vec<CubeTensor>) -> Self {
        let (flat, inverse) = flat_alike(tensors);
        let mut flat = flat.into_iter();
        let mut next = || flat.next().expect("a weight and a gradient");
        let pair = [next(), next()];
        let states: Vec<_> = flat.collect();
        let target = match &pair {
            [weight, _] if weight.can_mut() => Target::Weight,
            [_, grad] if grad.can_mut() => Target::Grad,
            _ => Target::New,
        };
        let new = |like: &CubeTensor| {
            let shape = like.meta.shape().clone();
            let (client, device) = (like.client.clone(), like.device.clone());
            empty_device_contiguous_dtype(client, device, shape, like.dtype)
        };
        let shared = states.iter().any(|state| !state.can_mut());
        Self {
            new_weight: (target == Target::New).then(|| new(&pair[0])),
            new_states: shared.then(|| states.iter().map(new).collect()),
            pair,
            states,
            target,
            inverse,
        }
    }

    fn numbers(&self) -> usize {
        self.pair[0].meta.num_elements()
    }

    /// The weight and the state after the step.
    fn stepped(self) -> impl Iterator<Item = CubeTensor> {
        let [weight, grad] = self.pair;
        let weight = match self.target {
            Target::Weight => weight,
            Target::Grad => grad,
            Target::New => self.new_weight.expect("made above"),
        };
        let states = self.new_states.unwrap_or(self.states);
        let inverse = self.inverse;
        let all = [weight].into_iter().chain(states);
        all.map(move |tensor| permute(tensor, &inverse))
    }
}

/// The step of each weight: the tensors are a weight, its gradient and its states, the next weight, and so on; of the
/// result, the new weight and its states, and so on. The tensors of one weight have one shape, and the states are `f32`.
pub(super) fn steps(trace: &Trace, tensors: Vec<CubeTensor>) -> Vec<CubeTensor> {
    let client = tensors[0].client.clone();
    let units = units_of(&client);
    let states = trace.program.outputs.len() - 1;
    let mut tensors = tensors.into_iter();
    let mut parts = Vec::new();
    while tensors.len() > 0 {
        let of_one: Vec<_> = tensors.by_ref().take(2 + states).collect();
        parts.push(Part::new(of_one));
    }
    let sizes = vector_sizes(&client, size_of::<f32>(), parts.iter().map(Part::numbers));
    let keys = parts.iter().zip(sizes).map(|(part, size)| Kind {
        dtype: part.pair[0].dtype,
        size,
        target: part.target,
        in_place: part.new_states.is_none(),
    });
    let most = most_buffers(&client);
    let groups = groups(keys, |kind| (most / kind.buffers(states)).max(1));
    for (kind, places) in groups {
        let parts = || places.iter().map(|place| &parts[*place]);
        let lens: Vec<_> = parts().map(|part| part.numbers() / kind.size).collect();
        let cubes = elementwise_cubes(&client, units, &lens);
        let shares = Shares::new(lens.into_iter().zip(cubes));
        let buffer = |tensor: &CubeTensor| tensor.clone().into_buffer_arg();
        steps_kernel::launch(
            &client,
            shares.cube_count(),
            CubeDim::new_1d(units),
            address_type(parts().flat_map(|part| &part.pair)),
            kind.size,
            parts().flat_map(|part| &part.pair).map(buffer).collect(),
            parts().flat_map(|part| &part.states).map(buffer).collect(),
            parts()
                .flat_map(|part| &part.new_weight)
                .map(buffer)
                .collect(),
            parts()
                .flat_map(|part| part.new_states.iter().flatten())
                .map(buffer)
                .collect(),
            shares.lens,
            shares.starts,
            trace.constants.iter().copied().collect(),
            0,
            trace.program.clone(),
            kind.target,
            kind.in_place,
            units as usize,
            dtype_to_storage_type(kind.dtype),
        );
    }
    parts.into_iter().flat_map(Part::stepped).collect()
}

/// Each cube takes the step of its part of a weight.
#[cube(launch, address_type = "dynamic")]
fn steps_kernel<T: Numeric, N: Size>(
    pairs: &mut Sequence<Box<[Vector<T, N>]>>,
    states: &mut Sequence<Box<[Vector<f32, N>]>>,
    new_weights: &mut Sequence<Box<[Vector<T, N>]>>,
    new_states: &mut Sequence<Box<[Vector<f32, N>]>>,
    lens: &Sequence<usize>,
    starts: &Sequence<usize>,
    constants: &Sequence<f32>,
    zero: u32,
    #[comptime] program: Program,
    #[comptime] target: Target,
    #[comptime] in_place: bool,
    #[comptime] units: usize,
    #[define(T)] _dtype: ElemType,
) {
    let per_weight = comptime!(program.outputs.len() - 1);
    #[unroll]
    for number in 0..lens.len() {
        let begin = starts[number];
        let end = starts[number + 1];
        if CUBE_POS >= begin && CUBE_POS < end {
            let mut position = (CUBE_POS - begin) * units + UNIT_POS as usize;
            while position < lens[number] {
                let mut values = Sequence::<Vector<f32, N>>::new();
                values.push(Vector::cast_from(pairs[2 * number][position]));
                values.push(Vector::cast_from(pairs[2 * number + 1][position]));
                #[unroll]
                for state in 0..per_weight {
                    values.push(states[per_weight * number + state][position]);
                }
                calculate::<N>(&mut values, constants, zero, comptime!(program.clone()));
                let weight = Vector::cast_from(values[comptime!(program.outputs[0])]);
                match comptime!(target) {
                    Target::Weight => {
                        let old = pairs.index_mut(2 * number);
                        old[position] = weight;
                    }
                    Target::Grad => {
                        let grad = pairs.index_mut(2 * number + 1);
                        grad[position] = weight;
                    }
                    Target::New => {
                        let new = new_weights.index_mut(number);
                        new[position] = weight;
                    }
                }
                #[unroll]
                for state in 0..per_weight {
                    let new = values[comptime!(program.outputs[state + 1])];
                    if comptime!(in_place) {
                        let old = states.index_mut(per_weight * number + state);
                        old[position] = new;
                    } else {
                        let copy = new_states.index_mut(per_weight * number + state);
                        copy[position] = new;
                    }
                }
                position += (end - begin) * units;
            }
        }
    }
}

/// Adds the value of each operation to `values`.
#[cube]
fn calculate<N: Size>(
    values: &mut Sequence<Vector<f32, N>>,
    constants: &Sequence<f32>,
    zero: u32,
    #[comptime] program: Program,
) {
    #[unroll]
    for place in 0..program.ops.len() {
        let op = comptime!(program.ops[place]);
        let value = value_of::<N>(&*values, constants, zero, op);
        values.push(value);
    }
}

#[cube]
fn value_of<N: Size>(
    values: &Sequence<Vector<f32, N>>,
    constants: &Sequence<f32>,
    zero: u32,
    #[comptime] op: Op,
) -> Vector<f32, N> {
    match op {
        Op::Constant(number) => Vector::<f32, N>::new(constants[number]),
        Op::Add(a, b) => values[a] + values[b],
        Op::Sub(a, b) => values[a] - values[b],
        Op::Mul(a, b) => rounded::<N>(values[a] * values[b], zero),
        Op::Div(a, b) => values[a] / values[b],
        Op::Neg(a) => -values[a],
        Op::Sqrt(a) => values[a].sqrt(),
        Op::Abs(a) => values[a].abs(),
        Op::Max(a, b) => {
            let is_larger = values[b].greater_than(&values[a]);
            select_many(is_larger, values[b], values[a])
        }
        Op::IfZero(a, then, otherwise) => {
            let is_zero = values[a].equal(&Vector::new(0.0));
            select_many(is_zero, values[then], values[otherwise])
        }
        Op::IfEqual(a, b, then, otherwise) => {
            let are_equal = values[a].equal(&values[b]);
            select_many(are_equal, values[then], values[otherwise])
        }
        Op::IfLess(a, b, then, otherwise) => {
            let is_less = values[a].less_than(&values[b]);
            select_many(is_less, values[then], values[otherwise])
        }
    }
}

/// The product as a number of its own. A compiler that does not know that `zero` is 0 cannot merge it with a sum that
/// follows, and round once: so the result is that of separate operations.
#[cube]
fn rounded<N: Size>(product: Vector<f32, N>, zero: u32) -> Vector<f32, N> {
    let bits = Vector::<u32, N>::reinterpret(product);
    Vector::<f32, N>::reinterpret(bits ^ Vector::new(zero))
}
