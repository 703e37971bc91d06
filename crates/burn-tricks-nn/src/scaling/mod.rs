//! Scaling of inputs: statistics fitted to training data, applied as a layer and inverted.

pub(crate) mod feature_statistics;
pub(crate) mod given_constants;
pub(crate) mod input_scaler;
pub(crate) mod scaler_config;
pub(crate) mod scaler_error;
pub(crate) mod unfitted_scaler;
