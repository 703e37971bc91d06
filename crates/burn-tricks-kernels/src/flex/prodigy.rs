//! The sums of Prodigy's estimate in one pass.

use super::FlexTensor;
use super::ahead;
use super::any_slice::{Computed, is_computed_in_f32, with_wide_type};
use super::buffer::{close, dense, look, open, tensor_of};
use super::threads::{self, Threads};
use super::vector::Wide;
use burn::backend::DispatchTensor;
use burn::tensor::{DType, Element, Tensor};
use pulp::NullaryFnOnce;

/// The new sum, the product and the size.
type Sums = (DispatchTensor, Tensor<1>, Tensor<1>);
/// The tensors that are read, and the sum, unchanged.
type NotOurs = ([DispatchTensor; 3], DispatchTensor);

/// How many numbers are summed as a whole; the sums are then added in order.
const STRETCH: usize = 1 << 14;

/// Running sums side by side.
const LANES: usize = 16;

/// The sums over gradient, weight and initial weight, or the unchanged arguments if this backend has no kernel for them.
/// All must be of one type and length.
#[allow(clippy::result_large_err)]
pub(crate) fn prodigy_sums(
    read: [DispatchTensor; 3],
    sum: DispatchTensor,
    decay: f64,
    share: f64,
) -> Result<Sums, NotOurs> {
    let is_ours = |tensor: &DispatchTensor| {
        look(tensor).is_some_and(|buffer| match buffer.dtype() {
            DType::F32 => is_computed_in_f32(DType::F32),
            dtype => dtype == DType::F64,
        })
    };
    if !read.iter().chain([&sum]).all(is_ours) {
        return Err((read, sum));
    }
    let (read, mut sum) = (read.map(open).map(dense), dense(open(sum)));
    let [product, size] = with_wide_type!(sum.dtype(), T => {
        total::<T>(&read, &mut sum, decay, share)
    });
    Ok((close(sum), tensor_of(vec![product]), tensor_of(vec![size])))
}

fn total<T: Computed + Element>(
    read: &[FlexTensor; 3],
    sum: &mut FlexTensor,
    decay: f64,
    share: f64,
) -> [f64; 2] {
    let [grad, weight, first] = read.each_ref().map(FlexTensor::storage::<T>);
    // A sum that somebody else holds too is copied here.
    let sum = sum.storage_mut::<T>();
    let stretch = |(((sum, grad), weight), first)| {
        T::run(Stretch::<T> {
            grad,
            weight,
            first,
            sum,
            decay,
            share,
        })
    };
    let add = |[a, b]: [f64; 2], [c, d]: [f64; 2]| [a + c, b + d];
    // The caller holds the lock of the estimate, for which the steps of the other parameters wait.
    let threads = if ahead::is_among_others() {
        Threads::One
    } else {
        Threads::for_len(sum.len())
    };
    let sums = sum.chunks_mut(STRETCH).zip(grad.chunks(STRETCH));
    let all = sums.zip(weight.chunks(STRETCH)).zip(first.chunks(STRETCH));
    let sums = threads::map_items(threads, all.collect(), &stretch);
    sums.into_iter().fold([0.0; 2], add)
}

struct Stretch<'a, T> {
    grad: &'a [T],
    weight: &'a [T],
    first: &'a [T],
    sum: &'a mut [T],
    decay: f64,
    share: f64,
}

impl<T: Wide> NullaryFnOnce for Stretch<'_, T> {
    type Output = [f64; 2];

    #[inline(always)]
    fn call(self) -> [f64; 2] {
        let Self {
            grad,
            weight,
            first,
            ..
        } = self;
        let (mut products, mut sizes) = ([0.0; LANES], [0.0; LANES]);
        let mut at = 0;
        for sum in self.sum.chunks_mut(LANES) {
            let to = at + sum.len();
            let numbers = grad[at..to].iter().zip(&weight[at..to]).zip(&first[at..to]);
            let lanes = products.iter_mut().zip(&mut sizes);
            for ((sum, ((grad, weight), first)), (product, size)) in
                sum.iter_mut().zip(numbers).zip(lanes)
            {
                let grad = grad.to_f64();
                *product += grad * (first.to_f64() - weight.to_f64());
                *sum = T::of(sum.to_f64() * self.decay + grad * self.share);
                *size += sum.to_f64().abs();
            }
            at = to;
        }
        [products.iter().sum(), sizes.iter().sum()]
    }
}
