//! Dropouts of values, channels, layers and weights, and dropout at inference.

pub(crate) mod alpha_dropout;
pub(crate) mod drop_block;
pub(crate) mod drop_connect;
pub(crate) mod drop_path;
pub(crate) mod element_dropout;
pub(crate) mod gaussian_dropout;
pub(crate) mod mc_dropout;
pub(crate) mod spatial_dropout;
mod training_only;
