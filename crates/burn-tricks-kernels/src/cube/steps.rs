//! The same arithmetic of each element of many tensors in one launch: steps of an optimizer, and means that move.
//!
//! The kernel is made of a [`Program`], in which the Rust code of a step for one element has listed its operations. The
//! numbers of a step, such as the learning rate, are arguments, so that the kernel is compiled once.

use super::many::{
    Shares, address_type, elementwise_cubes, flat_alike, groups, most_buffers_beside, units_of,
    vector_sizes,
};
use super::scale::times;
use crate::special_factor::SpecialFactor;
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
    /// How many buffers a weight needs.
    fn buffers(self, program: &Program) -> usize {
        let states = program.states();
        let new_weight = usize::from(self.target == Target::New);
        let new_states = if self.in_place { 0 } else { states };
        program.tensors + states + new_weight + new_states
    }
}

/// Whether a device with so many buffers for the tensors of a launch takes the steps of this program, also if somebody holds
/// the weight, the gradient and the states. The numbers of the weights are a buffer, too.
pub(super) fn fit(program: &Program, most: usize) -> bool {
    let numbers = usize::from(program.needs_number());
    program.tensors + 1 + 2 * program.states() + numbers <= most
}

/// One weight, its gradient and its state.
struct Part {
    /// The weight and the gradient, and what else there is of their type.
    tensors: Vec<CubeTensor>,
    states: Vec<CubeTensor>,
    target: Target,
    new_weight: Option<CubeTensor>,
    /// New buffers for the states, if somebody shares theirs.
    new_states: Option<Vec<CubeTensor>>,
    inverse: Vec<usize>,
}

impl Part {
    fn new(tensors: Vec<CubeTensor>, program: &Program) -> Self {
        let (mut tensors, inverse) = flat_alike(tensors);
        let states = tensors.split_off(program.tensors);
        let target = match &*tensors {
            [weight, ..] if weight.can_mut() => Target::Weight,
            [_, grad, ..] if grad.can_mut() => Target::Grad,
            _ => Target::New,
        };
        let new = |like: &CubeTensor| {
            let shape = like.meta.shape().clone();
            let (client, device) = (like.client.clone(), like.device.clone());
            empty_device_contiguous_dtype(client, device, shape, like.dtype)
        };
        let shared = states.iter().any(|state| !state.can_mut());
        Self {
            new_weight: (target == Target::New).then(|| new(&tensors[0])),
            new_states: shared.then(|| states.iter().map(new).collect()),
            tensors,
            states,
            target,
            inverse,
        }
    }

    fn numbers(&self) -> usize {
        self.tensors[0].meta.num_elements()
    }

    /// The weight and the state after the step.
    fn stepped(self) -> impl Iterator<Item = CubeTensor> {
        let mut tensors = self.tensors.into_iter();
        let weight = match self.target {
            Target::Weight => tensors.next(),
            Target::Grad => tensors.nth(1),
            Target::New => self.new_weight,
        };
        let states = self.new_states.unwrap_or(self.states);
        let inverse = self.inverse;
        let all = weight.into_iter().chain(states);
        all.map(move |tensor| permute(tensor, &inverse))
    }
}

/// The step of each weight: the tensors are a weight, its gradient and its states, the next weight, and so on; of the
/// result, the new weight and its states, and so on. The tensors of one weight have one shape, and the states are `f32`. If
/// the step needs a number of each weight, these are the numbers of one more tensor. If there is a factor, the gradients are
/// multiplied by it first, and rounded to their type, as `scale` does.
pub(super) fn steps(
    trace: &Trace,
    factor: Option<(CubeTensor, SpecialFactor)>,
    mut tensors: Vec<CubeTensor>,
) -> Vec<CubeTensor> {
    let client = tensors[0].client.clone();
    let units = units_of(&client);
    let program = &trace.program;
    let numbers = program.needs_number().then(|| tensors.pop()).flatten();
    let mut tensors = tensors.into_iter();
    let mut parts = Vec::new();
    while tensors.len() > 0 {
        let of_one = tensors.by_ref().take(program.tensors + program.states());
        parts.push(Part::new(of_one.collect(), program));
    }
    let counts = parts.iter().map(|part| (size_of::<f32>(), part.numbers()));
    let sizes = vector_sizes(&client, counts);
    let keys = parts.iter().zip(sizes).map(|(part, size)| Kind {
        dtype: part.tensors[0].dtype,
        size,
        target: part.target,
        in_place: part.new_states.is_none(),
    });
    let (factor, special) = factor.unzip();
    let others = numbers.iter().chain(&factor).count();
    let most = most_buffers_beside(&client, others as u32);
    let groups = groups(keys, |kind| most / kind.buffers(program));
    for (kind, places) in groups {
        let parts = || places.iter().map(|place| &parts[*place]);
        let lens: Vec<_> = parts().map(|part| part.numbers() / kind.size).collect();
        let cubes = elementwise_cubes(&client, units, &lens);
        let shares = Shares::new(lens.into_iter().zip(cubes));
        let buffer = |tensor: &CubeTensor| tensor.clone().into_buffer_arg();
        steps_kernel::launch(
            &client,
            shares.cube_count(&client),
            CubeDim::new_1d(units),
            address_type(parts().flat_map(|part| &part.tensors)),
            kind.size,
            parts().flat_map(|part| &part.tensors).map(buffer).collect(),
            parts().flat_map(|part| &part.states).map(buffer).collect(),
            parts()
                .flat_map(|part| &part.new_weight)
                .map(buffer)
                .collect(),
            parts()
                .flat_map(|part| part.new_states.iter().flatten())
                .map(buffer)
                .collect(),
            numbers.iter().map(buffer).collect(),
            factor.iter().map(buffer).collect(),
            places.iter().copied().collect(),
            shares.lens,
            shares.starts,
            trace.constants.iter().copied().collect(),
            0,
            program.clone(),
            special,
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
    tensors: &mut Sequence<Box<[Vector<T, N>]>>,
    states: &mut Sequence<Box<[Vector<f32, N>]>>,
    new_weights: &mut Sequence<Box<[Vector<T, N>]>>,
    new_states: &mut Sequence<Box<[Vector<f32, N>]>>,
    numbers: &Sequence<Box<[f32]>>,
    factors: &Sequence<Box<[f32]>>,
    places: &Sequence<usize>,
    lens: &Sequence<usize>,
    starts: &Sequence<usize>,
    constants: &Sequence<f32>,
    zero: u32,
    #[comptime] program: Program,
    #[comptime] special: Option<SpecialFactor>,
    #[comptime] target: Target,
    #[comptime] in_place: bool,
    #[comptime] units: usize,
    #[define(T)] _dtype: ElemType,
) {
    let given = comptime!(program.tensors);
    let per_weight = comptime!(program.states());
    let mut factor = f32::new(1.0);
    if comptime!(special.is_some()) {
        factor = factors[0][0];
    }
    #[unroll]
    for number in 0..lens.len() {
        let begin = starts[number];
        let end = starts[number + 1];
        if CUBE_POS >= begin && CUBE_POS < end {
            let mut of_tensor = f32::new(0.0);
            if comptime!(program.needs_number()) {
                of_tensor = numbers[0][places[number]];
            }
            let mut position = (CUBE_POS - begin) * units + UNIT_POS as usize;
            while position < lens[number] {
                let mut values = Sequence::<Vector<f32, N>>::new();
                #[unroll]
                for tensor in 0..given {
                    let mut value = Vector::cast_from(tensors[given * number + tensor][position]);
                    // The gradient.
                    if comptime!(tensor == 1 && special.is_some()) {
                        let special = comptime!(special.unwrap_or(SpecialFactor::None));
                        let product = rounded::<N>(times::<N>(value, factor, special), zero);
                        value = Vector::cast_from(Vector::<T, N>::cast_from(product));
                    }
                    values.push(value);
                }
                #[unroll]
                for state in 0..per_weight {
                    values.push(states[per_weight * number + state][position]);
                }
                if comptime!(program.needs_number()) {
                    values.push(Vector::new(of_tensor));
                }
                calculate::<N>(&mut values, constants, zero, comptime!(program.clone()));
                let weight = Vector::cast_from(values[comptime!(program.outputs[0])]);
                match comptime!(target) {
                    Target::Weight => {
                        let old = tensors.index_mut(given * number);
                        old[position] = weight;
                    }
                    Target::Grad => {
                        let grad = tensors.index_mut(given * number + 1);
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
pub(super) fn calculate<N: Size>(
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

#[cfg(test)]
mod tests {
    use super::super::many::buffers_for_tensors;
    use super::*;

    /// WebGPU allows 8 buffers at least, of which half are for tensors.
    #[test]
    fn steps_that_need_more_buffers_than_the_device_allows_do_not_fit() {
        let plain = Trace::of_step(|weight, grad, []| (weight - grad, []));
        let adam = Trace::of_step(|weight, grad, [m, v]| (weight - grad, [m, v]));
        let fits = |trace: &Trace, bindings| fit(&trace.program, buffers_for_tensors(bindings));
        assert!(fits(&plain, 8));
        assert!(!fits(&adam, 8));
        assert!(!fits(&adam, 10));
        assert!(fits(&adam, 11));
        let rescaled = Trace::new(2, 1, |values| vec![values[1] * values[2]]);
        let rescaled = plain.with_gradient(rescaled);
        assert!(!fits(&rescaled, 7));
        assert!(fits(&rescaled, 8));
    }

    /// A GPU of this build. Without an adapter there is none, and where `REQUIRE_GPU` is set, that is a failure.
    fn gpu() -> Option<burn::tensor::Device> {
        #[cfg(any(feature = "wgpu", feature = "vulkan", feature = "metal"))]
        let device = burn::tensor::Device::wgpu_options().init();
        #[cfg(not(any(feature = "wgpu", feature = "vulkan", feature = "metal")))]
        let device = {
            use burn::tensor::{Device, DeviceIndex};
            #[cfg(feature = "cuda")]
            let device = Device::cuda(DeviceIndex::Default);
            #[cfg(not(feature = "cuda"))]
            let device = Device::rocm(DeviceIndex::Default);
            Ok::<_, std::convert::Infallible>(device)
        };
        let is_required = std::env::var_os("REQUIRE_GPU").is_some();
        match device {
            Ok(device) => Some(device),
            Err(error) if is_required => panic!("REQUIRE_GPU is set, and {error}"),
            Err(_) => None,
        }
    }

    /// Only the buffer of a gradient that nobody holds, or none, is new.
    #[test]
    fn steps_reuse_the_buffers_that_nobody_holds() {
        let Some(device) = gpu() else {
            return;
        };
        let any = burn::tensor::Tensor::<1>::zeros([1], &device);
        let device = super::super::dispatch::device_of(&any.into_dispatch());
        let new = || {
            let (client, device) = (device.client(), device.clone());
            empty_device_contiguous_dtype(client, device, [6, 5].into(), DType::F32)
        };
        let adam = Trace::of_step(|weight, grad, [m, v]| (weight - grad, [m + grad, v + grad]));
        let place = |tensor: &CubeTensor| tensor.handle.memory.descriptor().id;
        let stepped = |tensors: Vec<CubeTensor>| -> Vec<_> {
            steps(&adam, None, tensors).iter().map(place).collect()
        };
        let tensors = || vec![new(), new(), new(), new()];
        let places = |tensors: &[CubeTensor]| -> Vec<_> { tensors.iter().map(place).collect() };

        let alone = tensors();
        let before = places(&alone);
        let after = stepped(alone);
        assert_eq!(after, [before[0], before[2], before[3]]);

        let held = tensors();
        let (before, weight) = (places(&held), held[0].clone());
        let after = stepped(held);
        assert_eq!(
            after,
            [before[1], before[2], before[3]],
            "in the gradient's"
        );
        drop(weight);

        let held = tensors();
        let (before, kept) = (places(&held), held.clone());
        let after = stepped(held);
        assert!(
            after.iter().all(|place| !before.contains(place)),
            "{after:?}"
        );
        drop(kept);
    }
}
