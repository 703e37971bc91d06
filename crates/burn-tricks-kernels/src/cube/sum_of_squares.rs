//! The sum of squares in one read of the numbers.
//!
//! One kernel per tensor leaves a partial sum per cube, one last kernel adds up the partial sums of all tensors.
//! Which numbers are added in which order depends on the sizes alone, so the result is the same in every run.
//!
//! Squares of `f32` leave the range of `f32`, on both sides. So three sums are kept, as in Blue's algorithm (ACM
//! TOMS 4, 1978): of large numbers, scaled down, of small ones, scaled up, and of all others. The factors are
//! powers of two, which round nothing.

use super::memory_order::{in_memory_order, vector_size};
use burn::backend::cubecl::dtype_to_storage_type;
use burn::tensor::{DType, Shape};
use burn_cubecl::cubecl;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;
use cubecl::std::tensor::layout::linear::LinearView;

/// Numbers above this are large: 2⁵².
const LARGE: f32 = 4_503_599_627_370_496.0;
/// By which large numbers are multiplied, 2⁻⁷⁶, and its inverse. The kernels get this and [`UP`] as arguments: a
/// compiler that knew them would fold `(x · DOWN) · DOWN` into `x · 0`.
const DOWN: f32 = 1.0 / UP_AGAIN;
const UP_AGAIN: f32 = 75_557_863_725_914_323_419_136.0;
/// Numbers below this are small: 2⁻⁶³.
const SMALL: f32 = 1.0 / 9_223_372_036_854_775_808.0;
/// By which small numbers are multiplied, 2⁷⁵, and its inverse.
const UP: f32 = 37_778_931_862_957_161_709_568.0;
const DOWN_AGAIN: f32 = 1.0 / UP;

/// The most cubes, and so partial sums, of one tensor: enough to fill a large GPU.
const MOST_CUBES: usize = 1024;

/// How many vectors of numbers a unit adds up at least, if there are so many.
const VECTORS_PER_UNIT: usize = 4;

/// `scale` and `Σ (x/scale)²`, each in a tensor of one number.
pub(super) fn sum_of_squares(tensors: Vec<CubeTensor>) -> [CubeTensor; 2] {
    let (client, device) = (tensors[0].client.clone(), tensors[0].device.clone());
    let empty = |len: usize| {
        let shape = Shape::new([len]);
        empty_device_contiguous_dtype(client.clone(), device.clone(), shape, DType::F32)
    };
    // A power of two, for the tree of sums.
    let units = 1
        << client
            .properties()
            .hardware
            .max_units_per_cube
            .clamp(1, 256)
            .ilog2();
    let plans: Vec<Plan> = tensors
        .into_iter()
        .map(|tensor| Plan::new(tensor, units as usize))
        .collect();
    let count: usize = plans.iter().map(|plan| plan.cubes).sum();
    let partials = empty(3 * count);
    let mut first = 0;
    for Plan {
        tensor,
        size,
        cubes,
    } in plans
    {
        partial_sums::launch(
            &client,
            CubeCount::new_1d(cubes as u32),
            CubeDim::new_1d(units),
            tensor.required_address_type(),
            size,
            tensor.clone().into_linear_view(),
            partials.clone().into_tensor_arg(),
            first,
            count,
            DOWN,
            UP,
            units as usize,
            dtype_to_storage_type(tensor.dtype),
        );
        first += cubes;
    }
    let (scale, sum) = (empty(1), empty(1));
    last_sum::launch(
        &client,
        CubeCount::new_single(),
        CubeDim::new_1d(units),
        partials.into_tensor_arg(),
        scale.clone().into_tensor_arg(),
        sum.clone().into_tensor_arg(),
        count,
        DOWN,
        DOWN_AGAIN,
        units as usize,
    );
    [scale, sum]
}

/// How the numbers of one tensor are shared out.
struct Plan {
    tensor: CubeTensor,
    size: usize,
    cubes: usize,
}

impl Plan {
    fn new(tensor: CubeTensor, units: usize) -> Self {
        let (tensor, _) = in_memory_order(tensor);
        let size = vector_size(&[&tensor]);
        let vectors = tensor.meta.num_elements() / size;
        let cubes = vectors
            .div_ceil(units * VECTORS_PER_UNIT)
            .clamp(1, MOST_CUBES);
        Self {
            tensor,
            size,
            cubes,
        }
    }
}

/// Each cube writes the sums of large, middle and small numbers that it has read, at its place in each third of
/// `partials`.
#[cube(launch, address_type = "dynamic")]
fn partial_sums<T: Numeric, N: Size>(
    input: LinearView<'_, Vector<T, N>>,
    partials: &mut Tensor<f32>,
    first: usize,
    count: usize,
    down: f32,
    up: f32,
    #[comptime] units: usize,
    #[define(T)] _dtype: ElemType,
) {
    let mut large = Vector::<f32, N>::new(0.0);
    let mut middle = Vector::<f32, N>::new(0.0);
    let mut small = Vector::<f32, N>::new(0.0);
    let step = CUBE_COUNT * units;
    let mut position = ABSOLUTE_POS;
    while position < input.shape() {
        let number = Vector::<f32, N>::cast_from(input.read(position)).abs();
        let zero = Vector::<f32, N>::new(0.0);
        let is_large = number.greater_than(&Vector::new(LARGE));
        let is_small = number.less_than(&Vector::new(SMALL));
        let lowered = number * Vector::new(down);
        let raised = number * Vector::new(up);
        large += select_many(is_large, lowered * lowered, zero);
        small += select_many(is_small, raised * raised, zero);
        // A NaN is neither, and so in this sum.
        middle += select_many(is_large.or(is_small), zero, number * number);
        position += step;
    }
    let mut of_unit_large = f32::new(0.0);
    let mut of_unit_middle = f32::new(0.0);
    let mut of_unit_small = f32::new(0.0);
    #[unroll]
    for lane in 0..N::value() {
        of_unit_large += large.extract(lane);
        of_unit_middle += middle.extract(lane);
        of_unit_small += small.extract(lane);
    }
    let (large, middle, small) = of_cube(of_unit_large, of_unit_middle, of_unit_small, units);
    if UNIT_POS == 0 {
        let place = first + CUBE_POS;
        partials[place] = large;
        partials[count + place] = middle;
        partials[2 * count + place] = small;
    }
}

/// One cube adds up all partial sums, and puts the three totals together.
#[cube(launch)]
fn last_sum(
    partials: &Tensor<f32>,
    scale: &mut Tensor<f32>,
    sum: &mut Tensor<f32>,
    count: usize,
    down: f32,
    down_again: f32,
    #[comptime] units: usize,
) {
    let mut large = f32::new(0.0);
    let mut middle = f32::new(0.0);
    let mut small = f32::new(0.0);
    let mut position = UNIT_POS as usize;
    while position < count {
        large += partials[position];
        middle += partials[count + position];
        small += partials[2 * count + position];
        position += units;
    }
    let (large, middle, small) = of_cube(large, middle, small, units);
    if UNIT_POS == 0 {
        // In two steps: the square of a factor is no `f32`.
        if large > 0.0 {
            scale[0] = f32::new(UP_AGAIN);
            sum[0] = large + middle * down * down;
        } else if middle == 0.0 {
            scale[0] = f32::new(DOWN_AGAIN);
            sum[0] = small;
        } else {
            scale[0] = f32::new(1.0);
            sum[0] = middle + small * down_again * down_again;
        }
    }
}

/// The sums over all units of a cube, as a tree. Only those that unit 0 gets are whole.
#[cube]
fn of_cube(large: f32, middle: f32, small: f32, #[comptime] units: usize) -> (f32, f32, f32) {
    let mut larges = Shared::<[f32]>::new_slice(units);
    let mut middles = Shared::<[f32]>::new_slice(units);
    let mut smalls = Shared::<[f32]>::new_slice(units);
    let unit = UNIT_POS as usize;
    larges[unit] = large;
    middles[unit] = middle;
    smalls[unit] = small;
    sync_cube();
    // Not `units`, which is known when the kernel is compiled, and would make `half` a constant.
    let mut half = CUBE_DIM / 2;
    while half > 0 {
        if UNIT_POS < half {
            let other = (UNIT_POS + half) as usize;
            let value = larges[unit] + larges[other];
            larges[unit] = value;
            let value = middles[unit] + middles[other];
            middles[unit] = value;
            let value = smalls[unit] + smalls[other];
            smalls[unit] = value;
        }
        sync_cube();
        half /= 2;
    }
    (larges[0], middles[0], smalls[0])
}
