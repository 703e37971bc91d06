//! Batch norms: over parts of a batch, with PyTorch's running variance, with fixed statistics.

pub(crate) mod few_values;
pub mod frozen_batch_norm;
pub mod ghost_batch_norm;
pub mod torch_batch_norm;
