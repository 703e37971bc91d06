//! Dropouts of values, channels, layers and weights, and dropout at inference.

pub mod alpha_dropout;
pub mod drop_connect;
pub mod drop_path;
pub mod gaussian_dropout;
pub mod mc_dropout;
pub mod spatial_dropout;
