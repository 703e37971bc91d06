//! Multiplication by a number on the device, in place.

use super::memory_order::{in_memory_order, vector_size};
use crate::special_factor::SpecialFactor;
use burn::backend::cubecl::dtype_to_storage_type;
use burn_cubecl::cubecl;
use burn_cubecl::ops::{numeric::empty_device_contiguous_dtype, permute};
use burn_cubecl::tensor::CubeTensor;
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;
use cubecl::std::tensor::layout::linear::{LinearView, LinearViewMut};

/// The tensor times `factor`, in its own buffer where no other tensor shares that.
pub(super) fn scale(tensor: CubeTensor, factor: CubeTensor, special: SpecialFactor) -> CubeTensor {
    let in_place = tensor.can_mut() && tensor.is_nonoverlapping();
    let (input, inverse) = in_memory_order(tensor);
    let output = (!in_place).then(|| {
        let shape = input.meta.shape().clone();
        empty_device_contiguous_dtype(
            input.client.clone(),
            input.device.clone(),
            shape,
            input.dtype,
        )
    });
    let client = input.client.clone();
    let size = vector_size(&[&input, output.as_ref().unwrap_or(&input)]);
    let vectors = input.meta.num_elements() / size;
    let cube_dim = CubeDim::new(&client, vectors);
    let address = input
        .required_address_type()
        .max(output.as_ref().unwrap_or(&input).required_address_type());
    scale_kernel::launch(
        &client,
        calculate_cube_count_elemwise(&client, vectors, cube_dim),
        cube_dim,
        address,
        size,
        input.clone().into_linear_view(),
        match &output {
            Some(output) => output.clone().into_linear_view(),
            None => input.as_linear_view_alias(0),
        },
        factor.into_tensor_arg(),
        special,
        in_place,
        dtype_to_storage_type(input.dtype),
    );
    permute(output.unwrap_or(input), &inverse)
}

/// One unit multiplies one vector of numbers.
#[cube(launch, address_type = "dynamic")]
fn scale_kernel<T: Numeric, N: Size>(
    input: LinearView<'_, Vector<T, N>>,
    mut output: LinearViewMut<'_, Vector<T, N>>,
    factor: &Tensor<f32>,
    #[comptime] special: SpecialFactor,
    #[comptime] in_place: bool,
    #[define(T)] _dtype: ElemType,
) {
    if !output.is_in_bounds(ABSOLUTE_POS) {
        terminate!();
    }
    let factor = factor[0];
    if comptime!(in_place) {
        // Nothing to be read or written.
        if factor == 1.0 {
            terminate!();
        }
    }
    let wide = Vector::<f32, N>::cast_from(input.read(ABSOLUTE_POS));
    let factors = Vector::<f32, N>::new(factor);
    let mut product = wide * factors;
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
    output.write(ABSOLUTE_POS, Vector::cast_from(product));
}
