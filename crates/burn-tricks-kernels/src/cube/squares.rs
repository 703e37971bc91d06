//! The kernels that add up squares.
//!
//! Squares of `f32` leave the range of `f32`, on both sides. So three sums are kept, as in Blue's algorithm (ACM
//! TOMS 4, 1978): of large numbers, scaled down, of small ones, scaled up, and of all others. The factors are
//! powers of two, which round nothing. The limits are such that no sum of up to 2³² squares leaves the range.

use super::steps::calculate;
use crate::trace::Program;
use burn_cubecl::cubecl;
use cubecl::prelude::*;
use cubecl::std::tensor::layout::linear::LinearView;

/// Numbers above this are large: 2⁴⁷.
const LARGE: f32 = 140_737_488_355_328.0;
/// By which large numbers are multiplied, 2⁻⁸¹, and its inverse. The kernels get this and [`UP`] as arguments: a
/// compiler that knew them would fold `(x · DOWN) · DOWN` into `x · 0`.
pub(super) const DOWN: f32 = 1.0 / UP_AGAIN;
const UP_AGAIN: f32 = 2_417_851_639_229_258_349_412_352.0;
/// Numbers below this are small: 2⁻⁶³.
const SMALL: f32 = 1.0 / 9_223_372_036_854_775_808.0;
/// By which small numbers are multiplied, 2⁷⁵, and its inverse.
pub(super) const UP: f32 = 37_778_931_862_957_161_709_568.0;
pub(super) const DOWN_AGAIN: f32 = 1.0 / UP;

/// The sums of the squares of large, middle and small numbers of a vector, added to those so far.
#[cube]
pub(super) fn with_squares<N: Size>(
    sums: (Vector<f32, N>, Vector<f32, N>, Vector<f32, N>),
    numbers: Vector<f32, N>,
    down: f32,
    up: f32,
) -> (Vector<f32, N>, Vector<f32, N>, Vector<f32, N>) {
    let number = numbers.abs();
    let zero = Vector::<f32, N>::new(0.0);
    let is_large = number.greater_than(&Vector::new(LARGE));
    let is_small = number.less_than(&Vector::new(SMALL));
    let lowered = number * Vector::new(down);
    let raised = number * Vector::new(up);
    let large = sums.0 + select_many(is_large, lowered * lowered, zero);
    let small = sums.2 + select_many(is_small, raised * raised, zero);
    // A NaN is neither, and so in this sum.
    let middle = sums.1 + select_many(is_large.or(is_small), zero, number * number);
    (large, middle, small)
}

/// The sums over the squares of every `step`th vector from `from` on.
#[cube]
fn squares_of<T: Numeric, N: Size>(
    tensor: &[Vector<T, N>],
    len: usize,
    from: usize,
    step: usize,
    down: f32,
    up: f32,
) -> (f32, f32, f32) {
    let mut large = Vector::<f32, N>::new(0.0);
    let mut middle = Vector::<f32, N>::new(0.0);
    let mut small = Vector::<f32, N>::new(0.0);
    let mut position = from;
    while position < len {
        let numbers = Vector::<f32, N>::cast_from(tensor[position]);
        let sums = with_squares::<N>((large, middle, small), numbers, down, up);
        large = sums.0;
        middle = sums.1;
        small = sums.2;
        position += step;
    }
    over_lanes::<N>(large, middle, small)
}

#[cube]
pub(super) fn over_lanes<N: Size>(
    large: Vector<f32, N>,
    middle: Vector<f32, N>,
    small: Vector<f32, N>,
) -> (f32, f32, f32) {
    let mut sum_of_large = f32::new(0.0);
    let mut sum_of_middle = f32::new(0.0);
    let mut sum_of_small = f32::new(0.0);
    #[unroll]
    for lane in 0..N::value() {
        sum_of_large += large.extract(lane);
        sum_of_middle += middle.extract(lane);
        sum_of_small += small.extract(lane);
    }
    (sum_of_large, sum_of_middle, sum_of_small)
}

/// Each cube writes the sums of large, middle and small numbers of its part of a tensor, at its place in each third of
/// `partials`.
#[cube(launch, address_type = "dynamic")]
pub(super) fn partial_sums<T: Numeric, N: Size>(
    tensors: &Sequence<Box<[Vector<T, N>]>>,
    lens: &Sequence<usize>,
    starts: &Sequence<usize>,
    partials: &mut Tensor<f32>,
    first: usize,
    count: usize,
    down: f32,
    up: f32,
    #[comptime] units: usize,
    #[define(T)] _dtype: ElemType,
) {
    let mut large = f32::new(0.0);
    let mut middle = f32::new(0.0);
    let mut small = f32::new(0.0);
    #[unroll]
    for number in 0..tensors.len() {
        let begin = starts[number];
        let end = starts[number + 1];
        if CUBE_POS >= begin && CUBE_POS < end {
            let from = (CUBE_POS - begin) * units + UNIT_POS as usize;
            let step = (end - begin) * units;
            let sums = squares_of::<T, N>(&tensors[number], lens[number], from, step, down, up);
            large = sums.0;
            middle = sums.1;
            small = sums.2;
        }
    }
    put_partial(partials, first, count, (large, middle, small), units);
}

/// The same of one tensor whose numbers do not lie one after the other.
#[cube(launch, address_type = "dynamic")]
pub(super) fn partial_sums_of_strided<T: Numeric, N: Size>(
    tensor: LinearView<'_, Vector<T, N>>,
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
    while position < tensor.shape() {
        let numbers = Vector::<f32, N>::cast_from(tensor.read(position));
        let sums = with_squares::<N>((large, middle, small), numbers, down, up);
        large = sums.0;
        middle = sums.1;
        small = sums.2;
        position += step;
    }
    let (large, middle, small) = over_lanes::<N>(large, middle, small);
    put_partial(partials, first, count, (large, middle, small), units);
}

/// One cube adds up everything.
#[cube(launch, address_type = "dynamic")]
pub(super) fn whole_sum<T: Numeric, N: Size>(
    tensors: &Sequence<Box<[Vector<T, N>]>>,
    lens: &Sequence<usize>,
    scale: &mut Tensor<f32>,
    sum: &mut Tensor<f32>,
    numbers: &mut Sequence<Box<[f32]>>,
    constants: &Sequence<f32>,
    zero: u32,
    down: f32,
    up: f32,
    down_again: f32,
    #[comptime] program: Option<Program>,
    #[comptime] units: usize,
    #[define(T)] _dtype: ElemType,
) {
    let mut large = f32::new(0.0);
    let mut middle = f32::new(0.0);
    let mut small = f32::new(0.0);
    #[unroll]
    for number in 0..tensors.len() {
        let from = UNIT_POS as usize;
        let sums = squares_of::<T, N>(&tensors[number], lens[number], from, units, down, up);
        large += sums.0;
        middle += sums.1;
        small += sums.2;
    }
    let of_unit = (large, middle, small);
    let total = total_of(of_unit, down, down_again, units);
    put_total(scale, sum, total);
    if comptime!(program.is_some()) {
        let program = comptime!(program.clone().unwrap());
        put_number(numbers.index_mut(0), total, constants, zero, program);
    }
}

/// One cube adds up all partial sums, and puts the three totals together.
#[cube(launch)]
pub(super) fn last_sum(
    partials: &Tensor<f32>,
    scale: &mut Tensor<f32>,
    sum: &mut Tensor<f32>,
    numbers: &mut Sequence<Box<[f32]>>,
    constants: &Sequence<f32>,
    zero: u32,
    count: usize,
    down: f32,
    down_again: f32,
    #[comptime] program: Option<Program>,
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
    let of_unit = (large, middle, small);
    let total = total_of(of_unit, down, down_again, units);
    put_total(scale, sum, total);
    if comptime!(program.is_some()) {
        let program = comptime!(program.clone().unwrap());
        put_number(numbers.index_mut(0), total, constants, zero, program);
    }
}

/// Writes the sums of the cube at its place in each third of `partials`.
#[cube]
fn put_partial(
    partials: &mut Tensor<f32>,
    first: usize,
    count: usize,
    of_unit: (f32, f32, f32),
    #[comptime] units: usize,
) {
    let (large, middle, small) = of_cube(of_unit.0, of_unit.1, of_unit.2, units);
    if UNIT_POS == 0 {
        let place = first + CUBE_POS;
        partials[place] = large;
        partials[count + place] = middle;
        partials[2 * count + place] = small;
    }
}

/// The scale and the scaled sum of the whole, which this cube has, for its unit 0.
#[cube]
fn total_of(
    of_unit: (f32, f32, f32),
    down: f32,
    down_again: f32,
    #[comptime] units: usize,
) -> (f32, f32) {
    let (large, middle, small) = of_cube(of_unit.0, of_unit.1, of_unit.2, units);
    total(large, middle, small, down, down_again)
}

/// Writes the scale and the scaled sum.
#[cube]
fn put_total(scale: &mut Tensor<f32>, sum: &mut Tensor<f32>, total: (f32, f32)) {
    if UNIT_POS == 0 {
        scale[0] = total.0;
        sum[0] = total.1;
    }
}

/// Writes what the program makes of the scale and the root of the scaled sum.
#[cube]
fn put_number(
    number: &mut Box<[f32]>,
    total: (f32, f32),
    constants: &Sequence<f32>,
    zero: u32,
    #[comptime] program: Program,
) {
    if UNIT_POS == 0 {
        let mut values = Sequence::<Vector<f32, Const<1>>>::new();
        values.push(Vector::new(total.0));
        values.push(Vector::new(total.1.sqrt()));
        calculate::<Const<1>>(&mut values, constants, zero, comptime!(program.clone()));
        number[0] = values[comptime!(program.outputs[0])].extract(0usize);
    }
}

/// The scale and the scaled sum.
#[cube]
pub(super) fn total(large: f32, middle: f32, small: f32, down: f32, down_again: f32) -> (f32, f32) {
    // In two steps: the square of a factor is no `f32`.
    let mut scale = f32::new(1.0);
    let mut sum = middle + small * down_again * down_again;
    if large > 0.0 {
        scale = f32::new(UP_AGAIN);
        sum = large + middle * down * down;
    } else if middle == 0.0 {
        scale = f32::new(DOWN_AGAIN);
        sum = small;
    }
    (scale, sum)
}

/// The sums over all units of a cube, as a tree. Only those that unit 0 gets are whole.
#[cube]
pub(super) fn of_cube(
    large: f32,
    middle: f32,
    small: f32,
    #[comptime] units: usize,
) -> (f32, f32, f32) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_four_billion_squares_stay_in_the_range_of_normal_numbers() {
        let most = 2f64.powi(32);
        // The least and the largest number of each sum, and what they are multiplied by.
        for (least, largest, factor) in [
            (LARGE, f32::MAX, DOWN),
            (SMALL, LARGE, 1.0),
            (f32::MIN_POSITIVE, SMALL, UP),
        ] {
            let square = |number: f32| (f64::from(number) * f64::from(factor)).powi(2);
            assert!(square(least) >= f32::MIN_POSITIVE.into(), "{least}");
            assert!(most * square(largest) < f32::MAX.into(), "{largest}");
        }
    }
}
