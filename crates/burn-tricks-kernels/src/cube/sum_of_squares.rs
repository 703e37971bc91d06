//! The sum of squares in one read of the numbers.
//!
//! One kernel for many tensors leaves a partial sum per cube, and one last kernel adds up the partial sums. So few numbers
//! that one cube does, are added up in a single launch. Which numbers are added in which order depends on the sizes alone,
//! so the result is the same in every run.

use super::many::{
    Shares, address_type, groups, is_flat, most_buffers, most_in_a_row, summed_by_a_cube, units_of,
    vector_sizes,
};
use super::memory_order::{in_memory_order, vector_size};
use super::squares::{
    DOWN, DOWN_AGAIN, UP, last_sum, partial_sums, partial_sums_of_strided, whole_sum,
};
use crate::trace::Trace;
use burn::backend::cubecl::dtype_to_storage_type;
use burn::tensor::{DType, Shape};
use burn_cubecl::cubecl;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

/// So many vectors are added up by a single cube, in one launch.
const ONE_CUBE: usize = 2048;

/// `scale` and `Σ (x/scale)²`, each in a tensor of one number; and the number that a trace makes of `scale` and the root of
/// that sum.
pub(super) fn sum_of_squares(
    tensors: Vec<CubeTensor>,
    trace: Option<&Trace>,
) -> ([CubeTensor; 2], Option<CubeTensor>) {
    let (client, device) = (tensors[0].client.clone(), tensors[0].device.clone());
    let empty = |len: usize| {
        let shape = Shape::new([len]);
        empty_device_contiguous_dtype(client.clone(), device.clone(), shape, DType::F32)
    };
    let units = units_of(&client);
    let parts = Part::of(tensors);
    let vectors: usize = parts.iter().map(Part::vectors).sum();
    let (scale, sum) = (empty(1), empty(1));
    let number = trace.map(|_| empty(1));
    let program = trace.map(|trace| trace.program.clone());
    let constants = trace.iter().flat_map(|trace| &trace.constants);
    let constants = constants.copied().collect();
    let numbers = number.iter().map(|number| number.clone().into_buffer_arg());
    let numbers = numbers.collect();
    let most = most_buffers(&client);
    let groups = groups(parts.iter().map(Part::kind), |kind| match kind {
        Kind::Flat(..) => most,
        Kind::Strided => 1,
    });
    if let [(Kind::Flat(dtype, size), places)] = &*groups
        && vectors <= ONE_CUBE
    {
        let tensors = || places.iter().map(|place| &parts[*place].tensor);
        let lens = places.iter().map(|place| parts[*place].vectors());
        let Shares { lens, .. } = Shares::new(lens.map(|len| (len, 1)));
        whole_sum::launch(
            &client,
            CubeCount::new_single(),
            CubeDim::new_1d(units),
            address_type(tensors()),
            *size,
            tensors()
                .map(|tensor| tensor.clone().into_buffer_arg())
                .collect(),
            lens,
            scale.clone().into_tensor_arg(),
            sum.clone().into_tensor_arg(),
            numbers,
            constants,
            0,
            DOWN,
            UP,
            DOWN_AGAIN,
            program,
            units as usize,
            dtype_to_storage_type(*dtype),
        );
        return ([scale, sum], number);
    }
    let per_cube = summed_by_a_cube(vectors, units as usize, most_in_a_row(&client));
    let cubes = |part: &Part| part.vectors().div_ceil(per_cube);
    let count: usize = parts.iter().map(cubes).sum();
    let partials = empty(3 * count);
    let mut first = 0;
    for (kind, places) in groups {
        let parts = || places.iter().map(|place| &parts[*place]);
        let tensors = || parts().map(|part| &part.tensor);
        let shares = Shares::new(parts().map(|part| (part.vectors(), cubes(part))));
        let (cubes, cube_count) = (shares.cubes, shares.cube_count(&client));
        match kind {
            Kind::Flat(dtype, size) => partial_sums::launch(
                &client,
                cube_count,
                CubeDim::new_1d(units),
                address_type(tensors().chain([&partials])),
                size,
                tensors()
                    .map(|tensor| tensor.clone().into_buffer_arg())
                    .collect(),
                shares.lens,
                shares.starts,
                partials.clone().into_tensor_arg(),
                first,
                count,
                DOWN,
                UP,
                units as usize,
                dtype_to_storage_type(dtype),
            ),
            Kind::Strided => {
                for Part { tensor, size } in parts() {
                    partial_sums_of_strided::launch(
                        &client,
                        cube_count.clone(),
                        CubeDim::new_1d(units),
                        address_type([tensor, &partials]),
                        *size,
                        tensor.clone().into_linear_view(),
                        partials.clone().into_tensor_arg(),
                        first,
                        count,
                        DOWN,
                        UP,
                        units as usize,
                        dtype_to_storage_type(tensor.dtype),
                    );
                }
            }
        }
        first += cubes;
    }
    last_sum::launch(
        &client,
        CubeCount::new_single(),
        CubeDim::new_1d(units),
        partials.into_tensor_arg(),
        scale.clone().into_tensor_arg(),
        sum.clone().into_tensor_arg(),
        numbers,
        constants,
        0,
        count,
        DOWN,
        DOWN_AGAIN,
        program,
        units as usize,
    );
    ([scale, sum], number)
}

/// A tensor, and how many of its numbers are read at once.
struct Part {
    tensor: CubeTensor,
    size: usize,
}

/// What one launch has in common.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Tensors of this type whose numbers lie one after the other, and how many numbers are read at once.
    Flat(DType, usize),
    /// A tensor that lies in memory in another way.
    Strided,
}

impl Part {
    fn of(tensors: Vec<CubeTensor>) -> Vec<Self> {
        let client = tensors[0].client.clone();
        let ordered = tensors.into_iter().map(|tensor| in_memory_order(tensor).0);
        let ordered: Vec<_> = ordered.collect();
        let flat = ordered.iter().filter(|tensor| is_flat(tensor));
        let counts = flat.map(|tensor| (tensor.dtype.size(), tensor.meta.num_elements()));
        let mut sizes = vector_sizes(&client, counts).into_iter();
        let part = |tensor: CubeTensor| Self {
            size: if is_flat(&tensor) {
                sizes.next().expect("one for each")
            } else {
                vector_size(&[&tensor])
            },
            tensor,
        };
        ordered.into_iter().map(part).collect()
    }

    fn vectors(&self) -> usize {
        self.tensor.meta.num_elements() / self.size
    }

    fn kind(&self) -> Kind {
        if is_flat(&self.tensor) {
            Kind::Flat(self.tensor.dtype, self.size)
        } else {
            Kind::Strided
        }
    }
}
