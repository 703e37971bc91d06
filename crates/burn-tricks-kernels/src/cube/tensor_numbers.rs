//! A number of each of many tensors, from sums of squares of its elements: one launch for dozens of tensors leaves partial
//! sums, and a second one adds up those of each tensor. Small tensors need one launch.
//!
//! What is squared, and what number the sums give, are [`Program`]s: the Rust code of both has listed its operations. Which
//! numbers are added in which order depends on the sizes alone, so the result is the same in every run.

use super::many::{
    Shares, address_type, flat_alike, groups, most_buffers, most_in_a_row, summed_by_a_cube,
    units_of, vector_sizes,
};
use super::squares::{DOWN, DOWN_AGAIN, UP, of_cube, over_lanes, total, with_squares};
use super::steps::calculate;
use crate::trace::{NumberTrace, Program};
use burn::backend::cubecl::dtype_to_storage_type;
use burn::tensor::{DType, Shape};
use burn_cubecl::cubecl;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

/// If no tensor has more vectors than this, a single cube does each, and there is one launch.
const ONE_CUBE: usize = 2048;

/// The number of each item, in one tensor of `f32`: the tensors are those of the first item, which all have one shape and
/// type, of the next, and so on.
pub(super) fn tensor_numbers(trace: &NumberTrace, tensors: Vec<CubeTensor>) -> CubeTensor {
    let (client, device) = (tensors[0].client.clone(), tensors[0].device.clone());
    let empty = |len: usize| {
        let shape = Shape::new([len]);
        empty_device_contiguous_dtype(client.clone(), device.clone(), shape, DType::F32)
    };
    let units = units_of(&client);
    let (per_item, sums) = (trace.terms.program.tensors, trace.sums());
    let mut tensors = tensors.into_iter();
    let mut items: Vec<Vec<CubeTensor>> = Vec::new();
    while tensors.len() > 0 {
        items.push(flat_alike(tensors.by_ref().take(per_item).collect()).0);
    }
    let elements = |item: &[CubeTensor]| item[0].meta.num_elements();
    let counts = items
        .iter()
        .map(|item| (item[0].dtype.size(), elements(item)));
    let sizes = vector_sizes(&client, counts);
    let keys = items
        .iter()
        .zip(sizes)
        .map(|(item, size)| (item[0].dtype, size));
    // The results are a buffer, too.
    let most = (most_buffers(&client) - 1) / per_item;
    let numbers = empty(items.len());
    for ((dtype, size), places) in groups(keys, |_| most.max(1)) {
        let items = || places.iter().map(|place| &*items[*place]);
        let lens: Vec<_> = items().map(|item| elements(item) / size).collect();
        let vectors: usize = lens.iter().sum();
        let is_whole = lens.iter().all(|len| *len <= ONE_CUBE);
        let per_cube = summed_by_a_cube(vectors, units as usize, most_in_a_row(&client));
        let cubes = |len: usize| {
            if is_whole { 1 } else { len.div_ceil(per_cube) }
        };
        let shares = || Shares::new(lens.iter().map(|len| (*len, cubes(*len))));
        let (first, then) = (shares(), shares());
        let counts = || items().map(|item| elements(item) as f32).collect();
        let constants = || trace.number.constants.iter().copied().collect();
        let (cube_count, partial) = (first.cube_count(&client), first.cubes);
        let results = if is_whole {
            numbers.clone()
        } else {
            empty(3 * sums * partial)
        };
        sums_kernel::launch(
            &client,
            cube_count,
            CubeDim::new_1d(units),
            address_type(items().flatten()).max(address_type([&results])),
            size,
            items()
                .flatten()
                .map(|tensor| tensor.clone().into_buffer_arg())
                .collect(),
            first.lens,
            first.starts,
            places.iter().copied().collect(),
            counts(),
            trace.terms.constants.iter().copied().collect(),
            constants(),
            0,
            results.clone().into_tensor_arg(),
            partial,
            DOWN,
            UP,
            DOWN_AGAIN,
            trace.terms.program.clone(),
            trace.number.program.clone(),
            is_whole,
            units as usize,
            dtype_to_storage_type(dtype),
        );
        if is_whole {
            continue;
        }
        numbers_kernel::launch(
            &client,
            CubeCount::new_1d(places.len() as u32),
            CubeDim::new_1d(units),
            results.into_tensor_arg(),
            then.starts,
            places.iter().copied().collect(),
            counts(),
            constants(),
            0,
            numbers.clone().into_tensor_arg(),
            partial,
            DOWN,
            DOWN_AGAIN,
            trace.number.program.clone(),
            sums,
            units as usize,
        );
    }
    numbers
}

/// Each cube writes the sums of its part of an item, at its place in each part of `results`; if a cube does a whole item, it
/// writes the number of that item.
#[cube(launch, address_type = "dynamic")]
fn sums_kernel<T: Numeric, N: Size>(
    tensors: &Sequence<Box<[Vector<T, N>]>>,
    lens: &Sequence<usize>,
    starts: &Sequence<usize>,
    places: &Sequence<usize>,
    counts: &Sequence<f32>,
    term_constants: &Sequence<f32>,
    number_constants: &Sequence<f32>,
    zero: u32,
    results: &mut Tensor<f32>,
    partial: usize,
    down: f32,
    up: f32,
    down_again: f32,
    #[comptime] terms: Program,
    #[comptime] program: Program,
    #[comptime] is_whole: bool,
    #[comptime] units: usize,
    #[define(T)] _dtype: ElemType,
) {
    let per_item = comptime!(terms.tensors);
    let sums = comptime!(terms.outputs.len());
    // Of each sum the large numbers, the middle and the small ones.
    let mut parts = Array::<Vector<f32, N>>::new(comptime!(3 * terms.outputs.len()));
    #[unroll]
    for sum in 0..comptime!(3 * terms.outputs.len()) {
        parts[sum] = Vector::new(0.0);
    }
    #[unroll]
    for number in 0..lens.len() {
        let begin = starts[number];
        let end = starts[number + 1];
        if CUBE_POS >= begin && CUBE_POS < end {
            let mut position = (CUBE_POS - begin) * units + UNIT_POS as usize;
            while position < lens[number] {
                let mut values = Sequence::<Vector<f32, N>>::new();
                #[unroll]
                for tensor in 0..per_item {
                    values.push(Vector::cast_from(
                        tensors[per_item * number + tensor][position],
                    ));
                }
                calculate::<N>(&mut values, term_constants, zero, comptime!(terms.clone()));
                #[unroll]
                for sum in 0..sums {
                    let term = values[comptime!(terms.outputs[sum])];
                    let so_far = (parts[3 * sum], parts[3 * sum + 1], parts[3 * sum + 2]);
                    let next = with_squares::<N>(so_far, term, down, up);
                    parts[3 * sum] = next.0;
                    parts[3 * sum + 1] = next.1;
                    parts[3 * sum + 2] = next.2;
                }
                position += (end - begin) * units;
            }
        }
    }
    let mut totals = Array::<f32>::new(comptime!(3 * terms.outputs.len()));
    #[unroll]
    for sum in 0..sums {
        let of_unit = over_lanes::<N>(parts[3 * sum], parts[3 * sum + 1], parts[3 * sum + 2]);
        let of_all = of_cube(of_unit.0, of_unit.1, of_unit.2, units);
        totals[3 * sum] = of_all.0;
        totals[3 * sum + 1] = of_all.1;
        totals[3 * sum + 2] = of_all.2;
    }
    if UNIT_POS == 0 {
        if comptime!(is_whole) {
            #[unroll]
            for number in 0..lens.len() {
                if CUBE_POS == starts[number] {
                    results[places[number]] = number_of(
                        &totals,
                        counts[number],
                        number_constants,
                        zero,
                        down,
                        down_again,
                        comptime!(program.clone()),
                        sums,
                    );
                }
            }
        } else {
            #[unroll]
            for part in 0..comptime!(3 * terms.outputs.len()) {
                results[part * partial + CUBE_POS] = totals[part];
            }
        }
    }
}

/// Each cube adds up the partial sums of an item, and writes its number.
#[cube(launch)]
fn numbers_kernel(
    partials: &Tensor<f32>,
    starts: &Sequence<usize>,
    places: &Sequence<usize>,
    counts: &Sequence<f32>,
    constants: &Sequence<f32>,
    zero: u32,
    numbers: &mut Tensor<f32>,
    partial: usize,
    down: f32,
    down_again: f32,
    #[comptime] program: Program,
    #[comptime] sums: usize,
    #[comptime] units: usize,
) {
    let mut begin = 0usize;
    let mut end = 0usize;
    let mut place = 0usize;
    let mut count = f32::new(0.0);
    #[unroll]
    for number in 0..places.len() {
        if CUBE_POS == number {
            begin = starts[number];
            end = starts[number + 1];
            place = places[number];
            count = counts[number];
        }
    }
    let mut totals = Array::<f32>::new(comptime!(3 * sums));
    #[unroll]
    for sum in 0..sums {
        let mut large = f32::new(0.0);
        let mut middle = f32::new(0.0);
        let mut small = f32::new(0.0);
        let mut position = begin + UNIT_POS as usize;
        while position < end {
            large += partials[3 * sum * partial + position];
            middle += partials[(3 * sum + 1) * partial + position];
            small += partials[(3 * sum + 2) * partial + position];
            position += units;
        }
        let of_all = of_cube(large, middle, small, units);
        totals[3 * sum] = of_all.0;
        totals[3 * sum + 1] = of_all.1;
        totals[3 * sum + 2] = of_all.2;
    }
    if UNIT_POS == 0 {
        numbers[place] = number_of(
            &totals, count, constants, zero, down, down_again, program, sums,
        );
    }
}

/// The number of an item: the program gets the root of each sum and the sum itself, and then how many elements there are.
#[cube]
fn number_of(
    totals: &Array<f32>,
    count: f32,
    constants: &Sequence<f32>,
    zero: u32,
    down: f32,
    down_again: f32,
    #[comptime] program: Program,
    #[comptime] sums: usize,
) -> f32 {
    let mut values = Sequence::<Vector<f32, Const<1>>>::new();
    #[unroll]
    for sum in 0..sums {
        let (scale, scaled) = total(
            totals[3 * sum],
            totals[3 * sum + 1],
            totals[3 * sum + 2],
            down,
            down_again,
        );
        values.push(Vector::new(scaled.sqrt() * scale));
        values.push(Vector::new(scaled * scale * scale));
    }
    values.push(Vector::new(count));
    calculate::<Const<1>>(&mut values, constants, zero, comptime!(program.clone()));
    values[comptime!(program.outputs[0])].extract(0usize)
}
