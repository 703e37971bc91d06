//! Examinations of the learning rate and the batch size.

pub(crate) mod gradient_noise;
pub(crate) mod lr_range;
pub(crate) mod lr_range_test;
