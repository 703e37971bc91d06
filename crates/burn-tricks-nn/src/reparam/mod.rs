//! Weights that are calculated from other parameters: weight norm, spectral norm, weight standardisation.

pub mod spectral_norm;
pub mod weight_norm;
pub mod weight_standardization;
