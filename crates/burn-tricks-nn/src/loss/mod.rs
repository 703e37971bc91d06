//! Losses.

pub(crate) mod focal_modulation;
pub(crate) mod sigmoid_focal_loss;
pub(crate) mod softmax_focal_loss;
