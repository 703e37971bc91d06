//! The order in which a tensor's numbers lie in memory.

use burn_cubecl::cubecl;
use burn_cubecl::ops::permute;
use burn_cubecl::tensor::CubeTensor;
use cubecl::ir::VectorSize;
use cubecl::tensor_vector_size_parallel;

/// The tensor with its dimensions in the order of memory, the fastest one last, and the permutation that undoes
/// this: a transposed matrix is read along its rows in memory.
pub(super) fn in_memory_order(tensor: CubeTensor) -> (CubeTensor, Vec<usize>) {
    let strides = tensor.meta.strides();
    let shape = tensor.meta.shape();
    let mut axes: Vec<usize> = (0..strides.len()).collect();
    // A dimension of one number may have any stride: it goes to the front.
    let key = |axis: usize| (shape[axis] != 1, std::cmp::Reverse(strides[axis]));
    axes.sort_by_key(|axis| key(*axis));
    let mut inverse = vec![0; axes.len()];
    for (position, axis) in axes.iter().enumerate() {
        inverse[*axis] = position;
    }
    (permute(tensor, &axes), inverse)
}

/// How many numbers of each of these tensors, which have the same shape, can be read at once.
pub(super) fn vector_size(tensors: &[&CubeTensor]) -> VectorSize {
    let of_one = |tensor: &&CubeTensor| match tensor.meta.num_dims() {
        0 => 1,
        rank => tensor_vector_size_parallel(
            tensor.client.io_optimized_vector_sizes(tensor.dtype.size()),
            tensor.meta.shape(),
            tensor.meta.strides(),
            rank - 1,
        ),
    };
    tensors.iter().map(of_one).min().unwrap_or(1)
}
