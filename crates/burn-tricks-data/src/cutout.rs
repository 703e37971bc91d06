//! Cutout.

use crate::augmentation::{Augmentation, MapImages};
use crate::erase::{Erasure, erase};
use crate::image_box::ImageBox;
use crate::sample_seeds::SampleSeeds;
use burn_tricks_core::{Config, ConfigError};
use rand::RngExt as _;

/// Configuration of [`Cutout`]: a square of each image is erased.
///
/// The centre of the square is a pixel drawn uniformly from the whole image. What lies beyond the border is cut off,
/// so that some images lose less than a whole square.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_data::{Augmentations, CutoutConfig};
///
/// # fn main() -> Result<(), burn_tricks_data::ConfigError> {
/// let cutout = CutoutConfig::new(16).init()?; // 16×16 of 32×32 pixels
/// let images = Tensor::<4>::ones([2, 3, 32, 32], &Device::flex());
/// let erased = Augmentations::new().with(cutout).apply(images, &[7, 8]);
/// # let _ = erased;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Put it after crops and flips, and apply it to scaled inputs, so that 0 is the mean. See
/// [`Augmentations`](crate::Augmentations#which-there-are).
///
/// # Cost
///
/// A mask of the batch's pixels, which goes to the device, and one pass over the batch.
///
/// # Differences
///
/// The code of the paper makes a square of an odd size one pixel smaller. [`RandomErasingConfig`] draws the size and
/// the aspect ratio, and its boxes are never cut off.
///
/// [`RandomErasingConfig`]: crate::RandomErasingConfig
///
/// # Suggested values
///
/// 16 for CIFAR-10, 8 for CIFAR-100 (DeVries & Taylor, section 4).
///
/// # References
///
/// - DeVries & Taylor, *Improved regularization of convolutional neural networks with cutout*, 2017,
///   <https://arxiv.org/abs/1708.04552>
#[derive(Config, Debug, PartialEq)]
pub struct CutoutConfig {
    /// The side of the square in pixels. 0 erases nothing.
    pub size: usize,
    /// The probability with which an image has a square erased, in [0, 1]. Default: 1.
    #[config(default = 1.0)]
    pub prob: f64,
    /// What the erased pixels become. Default: 0.
    #[config(default = 0.0)]
    pub fill: f32,
}

impl CutoutConfig {
    /// The augmentation.
    ///
    /// # Errors
    ///
    /// If `prob` does not lie in [0, 1], or `fill` is not finite.
    pub fn init(&self) -> Result<Cutout, ConfigError> {
        ConfigError::within("prob", self.prob, 0.0..=1.0)?;
        ConfigError::finite("fill", self.fill)?;
        Ok(Cutout {
            config: self.clone(),
        })
    }
}

/// Erases a square of each image. Made by [`CutoutConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct Cutout {
    config: CutoutConfig,
}

impl Cutout {
    /// The erased square of each sample, in images of `[height, width]`.
    pub fn draw(&self, seeds: &SampleSeeds<'_>, image: [usize; 2]) -> Vec<Option<ImageBox>> {
        let CutoutConfig { size, prob, .. } = self.config;
        let is_empty = size == 0 || image.contains(&0);
        let generators = seeds.generators();
        generators
            .map(|mut generator| {
                let erased = generator.random::<f64>() < prob && !is_empty;
                erased.then(|| {
                    let center = image.map(|side| generator.random_range(0..side));
                    ImageBox::around(center, [size, size], image)
                })
            })
            .collect()
    }
}

impl<B: MapImages> Augmentation<B> for Cutout {
    fn augment(&self, batch: B, seeds: &SampleSeeds<'_>) -> B {
        batch.map_images(|images| {
            let [samples, _, height, width] = images.dims();
            seeds.assert_len(samples);
            let erasure = |area| Erasure {
                area,
                values: vec![self.config.fill],
            };
            let drawn = self.draw(seeds, [height, width]).into_iter();
            let erasures = drawn.map(|area| area.map(erasure).into_iter().collect());
            erase(images, &erasures.collect::<Vec<_>>())
        })
    }
}
