//! Weights that are calculated from other parameters: weight norm, spectral norm, weight standardisation.

pub(crate) mod spectral_norm;
pub(crate) mod weight_norm;
pub(crate) mod weight_standardization;
