//! Batch norm of few values per channel.
//!
//! A single value equals its mean, so it is normalised to 0; two values are normalised to ±1 whatever they are.
//! In both cases no gradient passes.

use burn::tensor::Tensor;
use burn_tricks_core::batch_statistics;

/// The fewest values per channel whose normalised values depend on more than their order.
pub(crate) const LEAST_VALUES: usize = 3;

/// Samples times positions.
///
/// # Panics
///
/// If `input` has no channels.
pub(crate) fn values_per_channel<const D: usize>(input: &Tensor<D>) -> usize {
    assert!(
        D >= 2,
        "batch norm needs samples and channels, got an input {:?}",
        input.dims()
    );
    input.shape().num_elements() / input.dims()[1].max(1)
}

/// Panics if `input` has one value per channel, unless statistics are being collected, which can use it.
pub(crate) fn refuse_one_value<const D: usize>(input: &Tensor<D>) {
    let dims = input.dims();
    assert!(
        values_per_channel(input) != 1 || batch_statistics::is_collected(),
        "batch norm in training needs at least 2 values per channel, got 1 (input {dims:?}): its output \
         would not depend on the input; leave a last batch of one sample out, take larger batches or \
         `freeze_batch_norms`, and predict with `model.valid()`"
    );
}
