//! Several tensors in one launch: a GPU works on many small tensors as fast as on a large one, but each launch costs the
//! same, and on small tensors it costs more than the work.
//!
//! A kernel cannot choose its buffers while it runs. So it is compiled for a number of tensors, and each of its cubes looks
//! up to which of them it belongs. A model has the same tensors at every step, so that there are few such kernels.

use super::memory_order::in_memory_order;
use burn_cubecl::cubecl;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::client::Client;
use cubecl::ir::VectorSize;
use cubecl::prelude::*;
use cubecl::tensor_vector_size_parallel;

/// The most buffers of one launch. A GPU may take thousands, but the kernel is as long as its list of buffers.
const MOST_BUFFERS: usize = 64;

/// So few numbers are read one by one, if some of the tensors cannot be read in vectors: a launch for each kind of tensor
/// would cost more.
const FEW_NUMBERS: usize = 1 << 22;

/// How many cubes fill a large GPU. More are of use only where a unit would add up too many numbers.
const ENOUGH_CUBES: usize = 1024;

/// How many vectors of numbers a unit adds up, if there are so many: fewer are not worth a unit, and sums of more lose
/// digits.
const LEAST_PER_UNIT: usize = 4;
const MOST_PER_UNIT: usize = 64;

/// How many buffers a launch can have for the tensors, apart from a few for what the kernel itself needs.
pub(super) fn most_buffers(client: &Client) -> usize {
    most_buffers_beside(client, 0)
}

/// The same of a kernel that needs so many buffers more.
pub(super) fn most_buffers_beside(client: &Client, others: u32) -> usize {
    let bindings = client.properties().hardware.max_bindings;
    buffers_for_tensors(bindings.saturating_sub(others))
}

/// The same of a device that allows so many buffers.
pub(super) fn buffers_for_tensors(bindings: u32) -> usize {
    (bindings as usize).saturating_sub(4).clamp(1, MOST_BUFFERS)
}

/// Units of a cube, a power of two.
pub(super) fn units_of(client: &Client) -> u32 {
    let most = client.properties().hardware.max_units_per_cube;
    1 << most.clamp(1, 256).ilog2()
}

/// Whether the numbers of the tensor lie one after the other in memory, in some order of its dimensions.
pub(super) fn is_flat(in_memory_order: &CubeTensor) -> bool {
    in_memory_order.is_contiguous()
}

/// Tensors of one shape whose numbers lie in the same order in memory, one after the other, as a kernel reads them that
/// does the same to each number; and the permutation that undoes this. A tensor that lies otherwise is copied.
pub(super) fn flat_alike(tensors: Vec<CubeTensor>) -> (Vec<CubeTensor>, Vec<usize>) {
    let first = tensors[0].meta.strides().clone();
    let alike = tensors.iter().all(|tensor| *tensor.meta.strides() == first);
    if alike && !tensors[0].is_contiguous() {
        let (ordered, _) = in_memory_order(tensors[0].clone());
        if is_flat(&ordered) {
            let ordered = tensors.into_iter().map(in_memory_order);
            let (tensors, mut inverses): (Vec<_>, Vec<_>) = ordered.unzip();
            return (tensors, inverses.swap_remove(0));
        }
    }
    let rank = tensors[0].meta.num_dims();
    let tensors = tensors.into_iter().map(into_contiguous);
    (tensors.collect(), (0..rank).collect())
}

/// For tensors with so many bytes per number and so many numbers, how many numbers are read at once.
pub(super) fn vector_sizes(
    client: &Client,
    tensors: impl Iterator<Item = (usize, usize)> + Clone,
) -> Vec<VectorSize> {
    let widest = |bytes: usize| {
        let sizes = client.io_optimized_vector_sizes(bytes);
        tensor_vector_size_parallel(sizes, &[1 << 16].into(), &[1].into(), 0)
    };
    sizes_up_to(&widest, FEW_NUMBERS, tensors)
}

/// The same where numbers of so many bytes are read up to `widest` at once, and fewer than `few` in all one by one if some
/// tensor cannot be read so.
fn sizes_up_to(
    widest: &dyn Fn(usize) -> VectorSize,
    few: usize,
    tensors: impl Iterator<Item = (usize, usize)> + Clone,
) -> Vec<VectorSize> {
    let of_each = |(bytes, count): (usize, usize)| match widest(bytes) {
        widest if count.is_multiple_of(widest) => widest,
        _ => 1,
    };
    let sizes: Vec<_> = tensors.clone().map(of_each).collect();
    let mut all = tensors.clone().zip(&sizes);
    let all_are_wide = all.all(|((bytes, _), size)| *size == widest(bytes));
    let numbers: usize = tensors.map(|(_, count)| count).sum();
    if !all_are_wide && numbers < few {
        return vec![1; sizes.len()];
    }
    sizes
}

/// The places of what has one key, in groups of `most` at most, in the order of their first places.
pub(super) fn groups<K: PartialEq>(
    keys: impl IntoIterator<Item = K>,
    most: impl Fn(&K) -> usize,
) -> Vec<(K, Vec<usize>)> {
    let mut groups: Vec<(K, Vec<usize>)> = Vec::new();
    for (place, key) in keys.into_iter().enumerate() {
        let open = groups
            .iter_mut()
            .rev()
            .find(|(other, _)| *other == key)
            .filter(|(_, places)| places.len() < most(&key));
        match open {
            Some((_, places)) => places.push(place),
            None => groups.push((key, vec![place])),
        }
    }
    groups
}

/// Which cubes of a launch belong to which tensor.
pub(super) struct Shares {
    /// The vectors of each tensor.
    pub(super) lens: SequenceArg<usize>,
    /// The first cube of each tensor, and the number of cubes.
    pub(super) starts: SequenceArg<usize>,
    pub(super) cubes: usize,
}

impl Shares {
    /// Of tensors of so many vectors, with so many cubes each.
    pub(super) fn new(tensors: impl Iterator<Item = (usize, usize)>) -> Self {
        let (mut lens, mut starts) = (SequenceArg::new(), SequenceArg::new());
        let mut next = 0;
        for (len, cubes) in tensors {
            lens.push(len);
            starts.push(next);
            next += cubes;
        }
        starts.push(next);
        Self {
            lens,
            starts,
            cubes: next,
        }
    }

    /// In rows, if a device does not take so many in one. The cubes at the end of the last row belong to no tensor.
    pub(super) fn cube_count(&self, client: &Client) -> CubeCount {
        let (most, _, _) = client.properties().hardware.max_cube_count;
        let [columns, rows] = in_rows(self.cubes, most as usize);
        CubeCount::new_2d(columns as u32, rows as u32)
    }
}

/// Equal rows of at most `most` for `count`: how long they are, and how many.
fn in_rows(count: usize, most: usize) -> [usize; 2] {
    let rows = count.div_ceil(most).max(1);
    [count.div_ceil(rows), rows]
}

/// For kernels that leave a number of each cube, how many cubes can be in one row with a cube more for each tensor.
pub(super) fn most_in_a_row(client: &Client) -> usize {
    client.properties().hardware.max_cube_count.0 as usize / 2
}

/// How many cubes work on each of these numbers of vectors, if all do the same to each number.
pub(super) fn elementwise_cubes(client: &Client, units: u32, lens: &[usize]) -> Vec<usize> {
    shared_among(units as usize, most_in_a_row(client), lens)
}

/// The same with at most `most` cubes, and one more for each of the numbers: as few vectors for a unit as that allows.
fn shared_among(units: usize, most: usize, lens: &[usize]) -> Vec<usize> {
    let vectors: usize = lens.iter().sum();
    let per_cube = units * vectors.div_ceil(units * most).max(1);
    lens.iter().map(|len| len.div_ceil(per_cube)).collect()
}

/// How many of so many vectors a cube of `units` adds up, so that there are at most `most` cubes, and one more for each
/// tensor.
pub(super) fn summed_by_a_cube(vectors: usize, units: usize, most: usize) -> usize {
    let per_unit = (vectors / (units * ENOUGH_CUBES)).clamp(LEAST_PER_UNIT, MOST_PER_UNIT);
    units * per_unit.max(vectors.div_ceil(units * most))
}

/// The address type with which every number of these tensors can be addressed.
pub(super) fn address_type<'a>(tensors: impl IntoIterator<Item = &'a CubeTensor>) -> AddressType {
    let of_each = tensors.into_iter().map(CubeTensor::required_address_type);
    of_each.max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As on a device that takes 16 cubes in a row.
    const MOST: usize = 8;
    const UNITS: usize = 4;
    /// Vectors of tensors: all together need one, two and three vectors for each unit.
    const SETS: [&[usize]; 5] = [&[1], &[32], &[33], &[20, 1, 20], &[64, 3, 1, 5]];

    #[test]
    fn elementwise_cubes_are_as_many_as_fit_into_a_row() {
        let cubes = SETS.map(|lens| shared_among(UNITS, MOST, lens));
        assert_eq!(cubes[0], [1]);
        assert_eq!(cubes[1], [8], "a vector for each unit");
        assert_eq!(cubes[2], [5], "two for each: 33 vectors, 8 for a cube");
        assert_eq!(cubes[3], [3, 1, 3]);
        assert_eq!(cubes[4], [6, 1, 1, 1], "three for each");
    }

    #[test]
    fn cubes_that_add_up_are_never_more_than_fit_into_a_row() {
        for lens in SETS.into_iter().chain([&[1 << 20, 7, 1 << 18][..]]) {
            let vectors: usize = lens.iter().sum();
            let per_cube = summed_by_a_cube(vectors, UNITS, MOST);
            let cubes: usize = lens.iter().map(|len| len.div_ceil(per_cube)).sum();
            assert!(cubes <= MOST + lens.len(), "{lens:?}: {cubes} cubes");
            assert!(per_cube >= UNITS * LEAST_PER_UNIT, "{lens:?}: {per_cube}");
        }
    }

    #[test]
    fn a_unit_adds_up_4_to_64_vectors_and_more_only_where_a_row_is_full() {
        let units = 256;
        let per_unit = |vectors, most| summed_by_a_cube(vectors, units, most) / units;
        let fill = units * ENOUGH_CUBES;
        assert_eq!(per_unit(1, 1 << 15), 4);
        assert_eq!(per_unit(20 * fill, 1 << 15), 20);
        assert_eq!(per_unit(100 * fill, 1 << 15), 64);
        // 100 · 1024 cubes' worth of vectors in 1000 cubes.
        assert_eq!(per_unit(100 * fill, 1000), 103);
    }

    #[test]
    fn rows_are_equal_and_short_enough_and_hold_all_cubes() {
        assert_eq!(in_rows(0, MOST), [0, 1]);
        assert_eq!(in_rows(8, MOST), [8, 1]);
        assert_eq!(in_rows(9, MOST), [5, 2]);
        for count in 1..200 {
            let [columns, rows] = in_rows(count, MOST);
            assert!(columns <= MOST, "{count}: {columns} in a row");
            let all = columns * rows;
            assert!((count..count + rows).contains(&all), "{count}: {all}");
        }
    }

    #[test]
    fn shares_begin_where_those_before_end() {
        let shares = Shares::new([(10, 3), (1, 1), (7, 2)].into_iter());
        assert_eq!(shares.lens.values.as_slice(), [10, 1, 7]);
        assert_eq!(shares.starts.values.as_slice(), [0, 3, 4, 6]);
        assert_eq!(shares.cubes, 6);
    }

    #[test]
    fn few_numbers_are_read_one_by_one_if_some_do_not_fit_into_vectors() {
        let sizes = |few, tensors: &[(usize, usize)]| {
            sizes_up_to(&|bytes| 16 / bytes, few, tensors.iter().copied())
        };
        assert_eq!(sizes(100, &[(4, 8), (2, 16)]), [4, 8]);
        assert_eq!(sizes(100, &[(4, 8), (4, 7)]), [1, 1], "15 numbers");
        assert_eq!(sizes(15, &[(4, 8), (4, 7)]), [4, 1], "no longer few");
        assert_eq!(sizes(0, &[(2, 12)]), [1]);
    }
}
