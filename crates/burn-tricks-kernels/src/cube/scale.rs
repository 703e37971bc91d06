//! Multiplication by a number on the device, in place, of many tensors in one launch.

use super::many::{
    Shares, address_type, elementwise_cubes, flat_alike, groups, most_buffers, units_of,
    vector_sizes,
};
use crate::special_factor::SpecialFactor;
use burn::backend::cubecl::dtype_to_storage_type;
use burn_cubecl::cubecl;
use burn_cubecl::ops::{numeric::empty_device_contiguous_dtype, permute};
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

/// A tensor whose numbers lie one after the other.
struct Part {
    input: CubeTensor,
    /// Where the product goes, if not into the buffer of the tensor.
    output: Option<CubeTensor>,
    inverse: Vec<usize>,
}

impl Part {
    fn new(tensor: CubeTensor) -> Self {
        let (mut flat, inverse) = flat_alike(vec![tensor]);
        let input = flat.swap_remove(0);
        let output = (!input.can_mut()).then(|| {
            let shape = input.meta.shape().clone();
            let (client, device) = (input.client.clone(), input.device.clone());
            empty_device_contiguous_dtype(client, device, shape, input.dtype)
        });
        Self {
            input,
            output,
            inverse,
        }
    }

    fn output(&self) -> &CubeTensor {
        self.output.as_ref().unwrap_or(&self.input)
    }
}

/// The tensors times `factor`, each in its own buffer where no other tensor shares that.
pub(super) fn scale(
    tensors: Vec<CubeTensor>,
    factor: &CubeTensor,
    special: SpecialFactor,
) -> Vec<CubeTensor> {
    let client = factor.client.clone();
    let units = units_of(&client);
    let parts: Vec<_> = tensors.into_iter().map(Part::new).collect();
    let inputs = parts.iter().map(|part| &part.input);
    let counts = inputs.map(|input| (input.dtype.size(), input.meta.num_elements()));
    let sizes = vector_sizes(&client, counts);
    let keys = parts.iter().zip(&sizes).map(|(part, size)| {
        let in_place = part.output.is_none();
        (part.input.dtype, *size, in_place)
    });
    let most = most_buffers(&client);
    let of_one = |in_place| if in_place { 1 } else { 2 };
    let groups = groups(keys, |(_, _, in_place)| (most / of_one(*in_place)).max(1));
    for ((dtype, size, in_place), places) in groups {
        let parts = || places.iter().map(|place| &parts[*place]);
        let lens: Vec<_> = parts()
            .map(|part| part.input.meta.num_elements() / size)
            .collect();
        let cubes = elementwise_cubes(&client, units, &lens);
        let shares = Shares::new(lens.into_iter().zip(cubes));
        let inputs = parts().filter(|_| !in_place).map(|part| &part.input);
        let outputs = || parts().map(Part::output);
        scale_kernel::launch(
            &client,
            shares.cube_count(&client),
            CubeDim::new_1d(units),
            address_type(outputs()),
            size,
            inputs
                .map(|input| input.clone().into_buffer_arg())
                .collect(),
            outputs()
                .map(|output| output.clone().into_buffer_arg())
                .collect(),
            shares.lens,
            shares.starts,
            factor.clone().into_tensor_arg(),
            special,
            in_place,
            units as usize,
            dtype_to_storage_type(dtype),
        );
    }
    let scaled = |part: Part| permute(part.output.unwrap_or(part.input), &part.inverse);
    parts.into_iter().map(scaled).collect()
}

/// Each cube multiplies its part of a tensor. In place, there are no inputs.
#[cube(launch, address_type = "dynamic")]
fn scale_kernel<T: Numeric, N: Size>(
    inputs: &Sequence<Box<[Vector<T, N>]>>,
    outputs: &mut Sequence<Box<[Vector<T, N>]>>,
    lens: &Sequence<usize>,
    starts: &Sequence<usize>,
    factor: &Tensor<f32>,
    #[comptime] special: SpecialFactor,
    #[comptime] in_place: bool,
    #[comptime] units: usize,
    #[define(T)] _dtype: ElemType,
) {
    let factor = factor[0];
    if comptime!(in_place) {
        // Nothing to be read or written.
        if factor == 1.0 {
            terminate!();
        }
    }
    #[unroll]
    for number in 0..lens.len() {
        let begin = starts[number];
        let end = starts[number + 1];
        if CUBE_POS >= begin && CUBE_POS < end {
            let mut position = (CUBE_POS - begin) * units + UNIT_POS as usize;
            while position < lens[number] {
                let old = if comptime!(in_place) {
                    outputs[number][position]
                } else {
                    inputs[number][position]
                };
                let new = times::<N>(Vector::cast_from(old), factor, special);
                let output = outputs.index_mut(number);
                output[position] = Vector::cast_from(new);
                position += (end - begin) * units;
            }
        }
    }
}

/// The products.
#[cube]
#[allow(clippy::collapsible_if)] // one is decided when the kernel is compiled, the other when it runs
pub(super) fn times<N: Size>(
    numbers: Vector<f32, N>,
    factor: f32,
    #[comptime] special: SpecialFactor,
) -> Vector<f32, N> {
    let factors = Vector::<f32, N>::new(factor);
    let mut product = numbers * factors;
    if comptime!(special == SpecialFactor::ZeroErases) {
        // Also of NaN and infinity, whose products with 0 are NaN.
        if factor == 0.0 {
            product = factors;
        }
    }
    if comptime!(special == SpecialFactor::NanMarks) {
        if factor.is_nan() {
            product = factors;
        }
    }
    product
}
