//! Mixup and cutmix.

pub(crate) mod cut_box;
pub(crate) mod mix_samples;
pub(crate) mod mixing;
