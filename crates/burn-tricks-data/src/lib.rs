#![doc = include_str!("../README.md")]
#![deny(clippy::disallowed_methods)]

mod augmentation;
mod augmentations;
#[cfg(feature = "dataset")]
mod augmented;
mod cutout;
mod draws;
mod erase;
mod horizontal_flip;
mod image_box;
mod label;
mod mix;
mod random_crop;
mod random_erasing;
mod sample_seeds;
mod seeded;

pub use augmentation::{Augmentation, MapImages, MapTargets};
pub use augmentations::Augmentations;
#[cfg(feature = "dataset")]
pub use augmented::Augmented;
pub use burn_tricks_core::ConfigError;
pub use cutout::{Cutout, CutoutConfig};
pub use draws::Draws;
pub use erase::{Erasure, erase};
pub use horizontal_flip::{HorizontalFlip, HorizontalFlipConfig, flip_horizontally};
pub use image_box::ImageBox;
pub use label::class_weights::{balanced_class_weights, class_counts};
pub use label::label_smoothing::{
    LabelSmoothing, LabelSmoothingConfig, smooth_targets, soft_targets,
};
pub use mix::cut_box::cutmix_box;
pub use mix::mix_samples::{MixSamples, MixSamplesConfig, MixUnit, Pairing};
pub use mix::mixing::{Mixing, SampleMix};
pub use random_crop::{CropPadding, RandomCrop, RandomCropConfig, crop_at};
pub use random_erasing::{ErasingFill, RandomErasing, RandomErasingConfig};
pub use sample_seeds::SampleSeeds;
pub use seeded::{Seeded, sample_seed};
