//! Random erasing.

use crate::augmentation::{Augmentation, MapImages};
use crate::erase::{Erasure, erase};
use crate::image_box::ImageBox;
use crate::sample_seeds::SampleSeeds;
use burn_tricks_core::{Config, ConfigError};
use rand::{Rng, RngExt as _};
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

/// How often a box is drawn until one fits into the image, as in torchvision and timm.
const ATTEMPTS: usize = 10;

/// What the erased pixels become.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ErasingFill {
    /// This number: torchvision's `value`, timm's mode `const` with 0.
    Constant(f32),
    /// One number for each channel: torchvision's `value` with several numbers.
    Channels(Vec<f32>),
    /// One number for each channel and box, drawn from the standard normal distribution: timm's mode `rand`.
    RandomColor,
    /// One number for each channel and pixel, drawn from the standard normal distribution: timm's mode `pixel`,
    /// torchvision's `value="random"`.
    RandomPixels,
}

/// Configuration of [`RandomErasing`]: a box of random size and place is erased in some of the images.
///
/// ```text
/// A = area · H · W / boxes        area ~ U(least, most)
/// r = exp(u)                      u ~ U(ln least, ln most), the aspect ratio
/// h = round(√(A r))               w = round(√(A / r))      rounded half to even, as Python does
/// ```
///
/// A box that is not lower and narrower than the image is drawn again, up to ten times; then nothing is erased.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_data::{Augmentations, ErasingFill, RandomErasingConfig};
///
/// # fn main() -> Result<(), burn_tricks_data::ConfigError> {
/// let erasing = RandomErasingConfig::timm().with_prob(0.25).with_fill(ErasingFill::RandomPixels).init()?;
/// let images = Tensor::<4>::ones([2, 3, 32, 32], &Device::flex());
/// let erased = Augmentations::new().with(erasing).apply(images, &[7, 8]);
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
/// A mask of the batch's pixels, which goes to the device, and one pass over the batch. Random fills are drawn on
/// the host for the erased pixels, so that a sample has the same in every batch, and a second batch of numbers goes to
/// the device.
///
/// # Differences
///
/// The boxes have the sizes and places of torchvision's `RandomErasing` ([`torchvision`](Self::torchvision)) and of
/// timm's ([`timm`](Self::timm)), for the same draws. timm's `num_splits`, which leaves a part of each batch whole,
/// is not there.
///
/// # Suggested values
///
/// Probability 0.25 and [`ErasingFill::RandomPixels`] in timm's recipes for ImageNet; the paper has 0.5 for CIFAR.
///
/// # References
///
/// - Zhong, Zheng, Kang, Li & Yang, *Random erasing data augmentation*, 2020, <https://arxiv.org/abs/1708.04896>
#[derive(Config, Debug, PartialEq)]
pub struct RandomErasingConfig {
    /// The least and the largest share of the image that is erased, in [0, 1].
    pub area: [f64; 2],
    /// The least and the largest ratio of the height of a box to its width, above 0.
    pub aspect: [f64; 2],
    /// The probability with which an image has something erased, in [0, 1]. Default: 0.5.
    #[config(default = 0.5)]
    pub prob: f64,
    /// The least and the largest number of boxes in an image, at least 1. The area is divided among them.
    /// Default: 1.
    #[config(default = "[1, 1]")]
    pub boxes: [usize; 2],
    /// What the erased pixels become. Default: 0.
    #[config(default = "ErasingFill::Constant(0.0)")]
    pub fill: ErasingFill,
}

impl RandomErasingConfig {
    /// The defaults of torchvision's `RandomErasing`: 2 to 33 % of the image, aspect ratios from 0.3 to 3.3.
    pub fn torchvision() -> Self {
        Self::new([0.02, 0.33], [0.3, 3.3])
    }

    /// The defaults of timm's `RandomErasing`: 2 to 33.3 % of the image, aspect ratios from 0.3 to 1 / 0.3.
    pub fn timm() -> Self {
        Self::new([0.02, 1.0 / 3.0], [0.3, 1.0 / 0.3])
    }

    /// The augmentation.
    ///
    /// # Errors
    ///
    /// If a share of the area or `prob` does not lie in [0, 1], if an aspect ratio is not finite and above 0, if one
    /// of the three ranges does not ascend, if an image may have 0 boxes, or if a fill is not finite.
    pub fn init(&self) -> Result<RandomErasing, ConfigError> {
        ConfigError::within("prob", self.prob, 0.0..=1.0)?;
        for share in self.area {
            ConfigError::within("area", share, 0.0..=1.0)?;
        }
        for ratio in self.aspect {
            ConfigError::positive("aspect", ratio)?;
        }
        ConfigError::at_least_one("boxes", self.boxes[0])?;
        ascends("area", self.area)?;
        ascends("aspect", self.aspect)?;
        ascends("boxes", self.boxes)?;
        let fill = match &self.fill {
            ErasingFill::Constant(value) => std::slice::from_ref(value),
            ErasingFill::Channels(values) => values,
            ErasingFill::RandomColor | ErasingFill::RandomPixels => &[],
        };
        for value in fill {
            ConfigError::finite("fill", *value)?;
        }
        Ok(RandomErasing {
            config: self.clone(),
        })
    }
}

fn ascends<T: PartialOrd + std::fmt::Debug>(
    field: &'static str,
    range: [T; 2],
) -> Result<(), ConfigError> {
    if range[0] <= range[1] {
        return Ok(());
    }
    let requirement = "be the least value and the largest, in this order";
    Err(ConfigError::new(field, requirement, range))
}

/// Erases boxes of images at random. Made by [`RandomErasingConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct RandomErasing {
    config: RandomErasingConfig,
}

impl RandomErasing {
    /// The height and the width of a box with this share of an image of `[height, width]` and this aspect ratio,
    /// or none if it is not lower and narrower than the image.
    pub fn size_of_box(share: f64, aspect: f64, image: [usize; 2]) -> Option<[usize; 2]> {
        let area = share * (image[0] * image[1]) as f64;
        let sides = [area * aspect, area / aspect];
        let size = sides.map(|squared| squared.sqrt().round_ties_even() as usize);
        (size[0] < image[0] && size[1] < image[1]).then_some(size)
    }

    /// What is erased of each sample, in images of `[channels, height, width]`.
    pub fn draw(&self, seeds: &SampleSeeds<'_>, image: [usize; 3]) -> Vec<Vec<Erasure>> {
        let generators = seeds.generators();
        generators
            .map(|mut generator| self.draw_for_sample(&mut generator, image))
            .collect()
    }

    fn draw_for_sample(
        &self,
        generator: &mut impl Rng,
        [channels, height, width]: [usize; 3],
    ) -> Vec<Erasure> {
        let RandomErasingConfig { prob, boxes, .. } = self.config;
        if generator.random::<f64>() >= prob {
            return Vec::new();
        }
        let count = generator.random_range(boxes[0]..=boxes[1]);
        let boxes = (0..count).filter_map(|_| {
            let area = self.draw_box(generator, count, [height, width])?;
            let values = self.draw_values(generator, channels, area.area());
            Some(Erasure { area, values })
        });
        boxes.collect()
    }

    fn draw_box(
        &self,
        generator: &mut impl Rng,
        count: usize,
        image: [usize; 2],
    ) -> Option<ImageBox> {
        let RandomErasingConfig { area, aspect, .. } = self.config;
        let size = (0..ATTEMPTS).find_map(|_| {
            let share = generator.random_range(area[0]..=area[1]) / count as f64;
            let [low, high] = aspect.map(f64::ln);
            let aspect = generator.random_range(low..=high).exp();
            Self::size_of_box(share, aspect, image)
        })?;
        let [top, left] = [0, 1].map(|axis| generator.random_range(0..=image[axis] - size[axis]));
        Some(ImageBox {
            rows: top..top + size[0],
            columns: left..left + size[1],
        })
    }

    fn draw_values(&self, generator: &mut impl Rng, channels: usize, pixels: usize) -> Vec<f32> {
        let mut drawn = |count| {
            let draw = |_| generator.sample::<f32, _>(StandardNormal);
            (0..count).map(draw).collect()
        };
        match &self.config.fill {
            ErasingFill::Constant(value) => vec![*value],
            ErasingFill::Channels(values) => values.clone(),
            ErasingFill::RandomColor => drawn(channels),
            ErasingFill::RandomPixels => drawn(channels * pixels),
        }
    }
}

impl<B: MapImages> Augmentation<B> for RandomErasing {
    /// # Panics
    ///
    /// If [`ErasingFill::Channels`] has another number of values than the images have channels.
    fn augment(&self, batch: B, seeds: &SampleSeeds<'_>) -> B {
        batch.map_images(|images| {
            let [samples, channels, height, width] = images.dims();
            seeds.assert_len(samples);
            if let ErasingFill::Channels(values) = &self.config.fill {
                let count = values.len();
                assert_eq!(
                    count, channels,
                    "the fill of erased pixels must have a number for each of {channels} channels, got {count}"
                );
            }
            erase(images, &self.draw(seeds, [channels, height, width]))
        })
    }
}
