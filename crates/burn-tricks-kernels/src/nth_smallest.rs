//! The n-th smallest of some numbers.

use burn::tensor::Tensor;

/// Up to this many numbers are compared each with each: more would take too much memory.
const FEW: usize = 4096;

/// The numbers that would be at these positions, counted from 0, if the numbers were sorted, each as a tensor of one
/// element. Nothing is read from a device.
///
/// On the CPU backend they are selected in linear time. The twin compares each number with each and counts, for each, the
/// smaller ones; of more than 4,096 numbers it takes the `k` largest or smallest by Burn's `topk`, with the smaller `k`. On
/// GPU backends `topk` compiles a kernel for every `k`, which holds `k` numbers per thread, so that a `k` above about 100 does
/// not run there.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_kernels::nth_smallest;
///
/// let numbers = Tensor::<1>::from_floats([3.0, 1.0, 2.0, 2.0], &Device::flex());
/// let [first, last] = nth_smallest(&numbers, [0, 3]);
/// assert_eq!((first.into_scalar::<f32>(), last.into_scalar::<f32>()), (1.0, 3.0));
/// ```
///
/// # Panics
///
/// If there are not so many numbers. They must be finite.
pub fn nth_smallest<const N: usize>(numbers: &Tensor<1>, positions: [usize; N]) -> [Tensor<1>; N] {
    check(numbers, &positions);
    #[cfg(feature = "flex")]
    {
        let tensor = numbers.clone().into_dispatch();
        if crate::flex::on_flex([&tensor]) {
            let mut found = crate::flex::nth_smallest(tensor, &positions).into_iter();
            return positions
                .map(|_| Tensor::from_dispatch(found.next().expect("a number for each position")));
        }
    }
    nth_smallest_twin(numbers, positions)
}

/// [`nth_smallest`] with tensor operations alone: the specification.
///
/// # Panics
///
/// As [`nth_smallest`].
pub fn nth_smallest_twin<const N: usize>(
    numbers: &Tensor<1>,
    positions: [usize; N],
) -> [Tensor<1>; N] {
    check(numbers, &positions);
    let [count] = numbers.dims();
    if count > FEW {
        return positions.map(|position| by_top_k(numbers, position));
    }
    let all = [count, count];
    let others = numbers.clone().reshape([1, count]).expand(all);
    let smaller = others.lower(numbers.clone().reshape([count, 1]).expand(all));
    let smaller = smaller.int().sum_dim(1).reshape([count]);
    let smallest = numbers.clone().min().expand([count]);
    // The largest of those that have at most so many smaller ones.
    positions.map(|position| {
        let beyond = smaller.clone().greater_elem(position as i64);
        numbers.clone().mask_where(beyond, smallest.clone()).max()
    })
}

fn check(numbers: &Tensor<1>, positions: &[usize]) {
    let [count] = numbers.dims();
    for position in positions {
        assert!(
            *position < count,
            "of {count} numbers none is at position {position}"
        );
    }
}

/// Of the `k` largest or the `k` smallest numbers, whichever are fewer, the last.
fn by_top_k(numbers: &Tensor<1>, position: usize) -> Tensor<1> {
    let [count] = numbers.dims();
    // Not the first of them, because backends select them in different orders.
    let largest = |numbers: Tensor<1>, k: usize| numbers.topk(k, 0).min();
    if 2 * position > count {
        largest(numbers.clone(), count - position)
    } else {
        largest(numbers.clone().neg(), position + 1).neg()
    }
}
