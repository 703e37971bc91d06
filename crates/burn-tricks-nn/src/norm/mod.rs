//! Batch norms: over parts of a batch, with PyTorch's running variance, with fixed statistics.

pub(crate) mod few_values;
pub(crate) mod frozen_batch_norm;
pub(crate) mod ghost_batch_norm;
pub(crate) mod global_response_norm;
pub(crate) mod running_norm;
pub(crate) mod torch_batch_norm;
