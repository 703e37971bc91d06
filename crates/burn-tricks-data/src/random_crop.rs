//! Random crops.

use crate::augmentation::{Augmentation, MapImages};
use crate::sample_seeds::SampleSeeds;
use burn::tensor::ops::PadMode;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use burn_tricks_core::{Config, ConfigError};
use rand::RngExt as _;
use serde::{Deserialize, Serialize};

/// What pixels beyond the border of an image are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum CropPadding {
    /// This number.
    Constant(f32),
    /// The nearest pixel of the image.
    Edge,
    /// The image mirrored at its border pixel, which is not repeated.
    Reflect,
}

/// Configuration of [`RandomCrop`]: each image is padded, and cropped at a random place.
///
/// # Example
///
/// CIFAR's images of 32×32 are shifted by up to four pixels:
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_data::{Augmentations, RandomCropConfig};
///
/// # fn main() -> Result<(), burn_tricks_data::ConfigError> {
/// let crop = RandomCropConfig::new([32, 32]).with_padding(4).init()?;
/// let images = Tensor::<4>::ones([2, 3, 32, 32], &Device::flex());
/// let shifted = Augmentations::new().with(crop).apply(images, &[7, 8]);
/// assert_eq!(shifted.dims(), [2, 3, 32, 32]);
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Put it first, so that erased boxes keep their size. See [`Augmentations`](crate::Augmentations#which-there-are).
///
/// # Cost
///
/// A padded copy of the batch, and two passes over it that select rows and columns. Two numbers per row of an image
/// go to the device.
///
/// # Differences
///
/// The images are those of torchvision's `RandomCrop`, whose default pads with 0 too.
///
/// # Suggested values
///
/// Padding 4 for 32×32 pixels (He et al., section 4.2).
///
/// # References
///
/// - He, Zhang, Ren & Sun, *Deep residual learning for image recognition*, 2016, <https://arxiv.org/abs/1512.03385>
#[derive(Config, Debug, PartialEq)]
pub struct RandomCropConfig {
    /// The height and the width of the crop, at least 1.
    pub size: [usize; 2],
    /// Pixels that are added at each border before the image is cropped. Default: 0.
    #[config(default = 0)]
    pub padding: usize,
    /// What the added pixels are. Default: 0.
    #[config(default = "CropPadding::Constant(0.0)")]
    pub fill: CropPadding,
}

impl RandomCropConfig {
    /// The augmentation.
    ///
    /// # Errors
    ///
    /// If the height or the width is 0, or the constant of the padding is not finite.
    pub fn init(&self) -> Result<RandomCrop, ConfigError> {
        if self.size.contains(&0) {
            let requirement = "be a height and a width of at least 1";
            return Err(ConfigError::new("size", requirement, self.size));
        }
        if let CropPadding::Constant(value) = self.fill {
            ConfigError::finite("fill", value)?;
        }
        Ok(RandomCrop {
            config: self.clone(),
        })
    }
}

/// Crops images at random places. Made by [`RandomCropConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct RandomCrop {
    config: RandomCropConfig,
}

impl RandomCrop {
    /// The top row and the left column of each sample's crop, in padded images of `[height, width]`.
    ///
    /// # Panics
    ///
    /// If the crop is larger than the padded image.
    pub fn draw(&self, seeds: &SampleSeeds<'_>, padded: [usize; 2]) -> Vec<[usize; 2]> {
        let size = self.config.size;
        assert!(
            size[0] <= padded[0] && size[1] <= padded[1],
            "a crop of {size:?} pixels must fit into the padded images, got {padded:?}"
        );
        let corner = |axis: usize| 0..=padded[axis] - size[axis];
        let generators = seeds.generators();
        generators
            .map(|mut generator| [0, 1].map(|axis| generator.random_range(corner(axis))))
            .collect()
    }

    fn padded(&self, images: Tensor<4>) -> Tensor<4> {
        let mode = match self.config.fill {
            _ if self.config.padding == 0 => return images,
            CropPadding::Constant(value) => PadMode::Constant(value),
            CropPadding::Edge => PadMode::Edge,
            CropPadding::Reflect => PadMode::Reflect,
        };
        let [batch, channels, height, width] = images.dims();
        let padding = self.config.padding;
        if batch == 0 {
            // Burn mirrors no empty batch.
            let padded = [0, channels, height + 2 * padding, width + 2 * padding];
            return Tensor::zeros(padded, (&images.device(), images.dtype()));
        }
        let both = (padding, padding);
        images.pad([both, both], mode)
    }
}

impl<B: MapImages> Augmentation<B> for RandomCrop {
    /// # Panics
    ///
    /// If the crop is larger than the padded image, or if an image is mirrored over more pixels than it has.
    fn augment(&self, batch: B, seeds: &SampleSeeds<'_>) -> B {
        batch.map_images(|images| {
            seeds.assert_len(images.dims()[0]);
            let images = self.padded(images);
            let [_, _, height, width] = images.dims();
            let corners = self.draw(seeds, [height, width]);
            crop_at(images, &corners, self.config.size)
        })
    }
}

/// A crop of `[height, width]` of each image, `[batch, channels, height, width]`, whose top row and left column are
/// in `corners`.
///
/// # Panics
///
/// If `corners` has another number of values than the batch has images, or if a crop leaves its image.
pub fn crop_at(images: Tensor<4>, corners: &[[usize; 2]], size: [usize; 2]) -> Tensor<4> {
    let [batch, channels, height, width] = images.dims();
    assert_eq!(batch, corners.len(), "one corner for each of the images");
    let fits = |corner: &[usize; 2]| corner[0] + size[0] <= height && corner[1] + size[1] <= width;
    assert!(
        corners.iter().all(fits),
        "crops of {size:?} pixels at {corners:?} must lie in images of {:?}",
        [height, width]
    );
    if size == [height, width] {
        return images;
    }
    let device = images.device();
    if batch == 0 {
        let [height, width] = size;
        return Tensor::zeros([0, channels, height, width], (&device, images.dtype()));
    }
    let rows = lines(corners, 0, size[0], height, &device);
    let columns = lines(corners, 1, size[1], width, &device);
    // The rows of all images as the first axis of a matrix, of which some are selected; then the columns.
    let images = images.permute([0, 2, 1, 3]);
    let images = images.reshape([batch * height, channels * width]);
    let images = images.select(0, rows);
    let images = images.reshape([batch, size[0], channels, width]);
    let images = images.permute([0, 3, 2, 1]);
    let images = images.reshape([batch * width, channels * size[0]]);
    let images = images.select(0, columns);
    let images = images.reshape([batch, size[1], channels, size[0]]);
    images.permute([0, 2, 3, 1])
}

/// Which of the lines of all images, one image after the other, the crops have.
fn lines(
    corners: &[[usize; 2]],
    axis: usize,
    length: usize,
    of_image: usize,
    device: &Device,
) -> Tensor<1, Int> {
    let lines = corners.iter().enumerate().flat_map(|(image, corner)| {
        let first = image * of_image + corner[axis];
        (first..first + length).map(|line| line as i32)
    });
    let lines: Vec<i32> = lines.collect();
    let count = lines.len();
    Tensor::from_data(TensorData::new(lines, [count]), (device, DType::I32))
}
