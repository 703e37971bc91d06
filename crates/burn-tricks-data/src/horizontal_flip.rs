//! Horizontal flips.

use crate::augmentation::{Augmentation, MapImages};
use crate::sample_seeds::SampleSeeds;
use burn::tensor::{Bool, Tensor, TensorData};
use burn_tricks_core::{Config, ConfigError};
use rand::RngExt as _;

/// Configuration of [`HorizontalFlip`]: each image is mirrored left to right with a probability.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_data::{Augmentations, HorizontalFlipConfig};
///
/// # fn main() -> Result<(), burn_tricks_data::ConfigError> {
/// let always = HorizontalFlipConfig::new().with_prob(1.0).init()?;
/// let image = Tensor::<4>::from_data([[[[1.0, 2.0, 3.0]]]], &Device::flex());
/// let flipped = Augmentations::new().with(always).apply(image, &[7]);
/// assert_eq!(flipped.into_data().try_to_vec::<f32>().unwrap(), [3.0, 2.0, 1.0]);
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// It may stand anywhere before mixup and cutmix. See [`Augmentations`](crate::Augmentations#which-there-are).
///
/// # Cost
///
/// A flipped copy of the batch, and one pass over it.
///
/// # Differences
///
/// The images are those of torchvision's `RandomHorizontalFlip`.
///
/// # Suggested values
///
/// 0.5 for photographs. None for digits, letters and whatever has a direction: a mirrored 2 is not a 2.
#[derive(Config, Debug, PartialEq)]
pub struct HorizontalFlipConfig {
    /// The probability with which an image is flipped, in [0, 1]. Default: 0.5.
    #[config(default = 0.5)]
    pub prob: f64,
}

impl HorizontalFlipConfig {
    /// The augmentation.
    ///
    /// # Errors
    ///
    /// If `prob` does not lie in [0, 1].
    pub fn init(&self) -> Result<HorizontalFlip, ConfigError> {
        let prob = ConfigError::within("prob", self.prob, 0.0..=1.0)?;
        Ok(HorizontalFlip { prob })
    }
}

/// Mirrors images at random. Made by [`HorizontalFlipConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct HorizontalFlip {
    prob: f64,
}

impl HorizontalFlip {
    /// Which of the samples are flipped.
    pub fn draw(&self, seeds: &SampleSeeds<'_>) -> Vec<bool> {
        let generators = seeds.generators();
        generators
            .map(|mut generator| generator.random::<f64>() < self.prob)
            .collect()
    }
}

impl<B: MapImages> Augmentation<B> for HorizontalFlip {
    fn augment(&self, batch: B, seeds: &SampleSeeds<'_>) -> B {
        let flipped = self.draw(seeds);
        batch.map_images(|images| flip_horizontally(images, &flipped))
    }
}

/// Mirrors those of the images, `[batch, channels, height, width]`, for which `flipped` says so.
///
/// # Panics
///
/// If `flipped` has another number of values than the batch has images.
pub fn flip_horizontally(images: Tensor<4>, flipped: &[bool]) -> Tensor<4> {
    let dims = images.dims();
    let samples = flipped.len();
    assert_eq!(dims[0], samples, "one value for each of the images");
    if !flipped.contains(&true) {
        return images;
    }
    let mirrored = images.clone().flip([3]);
    if !flipped.contains(&false) {
        return mirrored;
    }
    let mask = TensorData::new(flipped.to_vec(), [samples, 1, 1, 1]);
    let mask = Tensor::<4, Bool>::from_data(mask, &images.device());
    images.mask_where(mask.expand(dims), mirrored)
}
