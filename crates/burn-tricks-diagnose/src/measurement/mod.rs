//! Examinations of the learning rate and the batch size.

pub(crate) mod lr_range;
pub(crate) mod lr_range_test;
pub(crate) mod noise_scale;
