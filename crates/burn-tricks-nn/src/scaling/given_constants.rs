//! Scalers of known constants.

use crate::scaling::input_scaler::InputScaler;
use crate::scaling::scaler_config::ScalerConfig;
use crate::scaling::scaler_error::ScalerError;
use burn::tensor::{DType, Device, FloatDType};
use burn_tricks_core::ConfigError;

/// The mean and the standard deviation of the pixels of a set of images, channel by channel, for pixels from 0 to 1.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_nn::ImageStatistics;
///
/// # fn main() -> Result<(), burn_tricks_nn::ScalerError> {
/// let device = Device::flex();
/// let scaler = ImageStatistics::IMAGENET.scaler(255.0, &device)?; // pixels from 0 to 255
/// let images = Tensor::<4>::ones([2, 3, 8, 8], &device) * 124.0;
/// let scaled = scaler.forward(images);
/// # assert!(scaled.abs().max().into_scalar::<f32>() < 0.5);
/// # Ok(())
/// # }
/// ```
///
/// A model that was trained by others expects the constants that it was trained with: those of ImageNet are
/// torchvision's. The standard deviations of CIFAR are those of all pixels of the training part. Many programs have
/// `[0.2023, 0.1994, 0.2010]` for CIFAR-10, the mean of the deviations within single images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ImageStatistics<const CHANNELS: usize> {
    /// The mean of each channel.
    pub mean: [f64; CHANNELS],
    /// The standard deviation of each channel.
    pub std: [f64; CHANNELS],
}

impl ImageStatistics<3> {
    /// ImageNet, red, green and blue.
    pub const IMAGENET: Self = Self {
        mean: [0.485, 0.456, 0.406],
        std: [0.229, 0.224, 0.225],
    };

    /// CIFAR-10, red, green and blue.
    pub const CIFAR10: Self = Self {
        mean: [0.4914, 0.4822, 0.4465],
        std: [0.2470, 0.2435, 0.2616],
    };

    /// CIFAR-100, red, green and blue.
    pub const CIFAR100: Self = Self {
        mean: [0.5071, 0.4865, 0.4409],
        std: [0.2673, 0.2564, 0.2762],
    };
}

impl ImageStatistics<1> {
    /// MNIST.
    pub const MNIST: Self = Self {
        mean: [0.1307],
        std: [0.3081],
    };
}

impl<const CHANNELS: usize> ImageStatistics<CHANNELS> {
    /// The scaler for images, `[batch, channels, height, width]`, whose brightest pixel is `white`: 1, or 255 for
    /// bytes.
    ///
    /// # Errors
    ///
    /// If `white` is not positive and finite.
    pub fn scaler(&self, white: f64, device: &Device) -> Result<InputScaler, ScalerError> {
        let white = ConfigError::positive("white", white)?;
        let [mean, std] = [self.mean, self.std].map(|numbers| numbers.map(|number| number * white));
        ScalerConfig::standard().init_constants(&mean, &std, device)
    }
}

impl ScalerConfig {
    /// A scaler with a given shift and a given scale of each feature, such as the published mean and standard deviation
    /// of a data set. It takes the axis, the clipping and the meaning of a NaN from the configuration; the kind of
    /// scaling only determines the centre of a feature, for missing values.
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use burn_tricks_nn::ScalerConfig;
    ///
    /// # fn main() -> Result<(), burn_tricks_nn::ScalerError> {
    /// let device = Device::flex();
    /// let scaler = ScalerConfig::standard().init_constants(&[120.0, 3.0], &[40.0, 1.0], &device)?;
    /// let house = Tensor::<2>::from_data([[160.0, 2.0]], &device); // square metres, rooms
    /// assert_eq!(scaler.forward(house).into_data().try_to_vec::<f32>().unwrap(), [1.0, -1.0]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the configuration is invalid, if there is not one shift and one scale for each feature (one of each for
    /// [`ScaleBy::Whole`](crate::ScaleBy::Whole)), or if one of them is not finite or a scale not positive in the type
    /// of the statistics.
    pub fn init_constants(
        &self,
        shift: &[f64],
        scale: &[f64],
        device: &Device,
    ) -> Result<InputScaler, ScalerError> {
        let identity = self.init(shift.len(), device)?;
        if shift.len() != scale.len() {
            let requirement = "have as many numbers as `shift`";
            let counts = [scale.len(), shift.len()];
            return Err(ConfigError::new("scale", requirement, counts).into());
        }
        let dtype = match identity.shift().dtype() {
            DType::F64 => FloatDType::F64,
            _ => FloatDType::F32,
        };
        let pairs = shift.iter().copied().zip(scale.iter().copied());
        let pairs: Vec<(f64, f64)> = pairs.collect();
        for (feature, (shift, scale)) in pairs.iter().copied().enumerate() {
            ScalerError::check_range(feature, (shift, scale), dtype)?;
        }
        Ok(InputScaler::new(&pairs, self, (device, dtype)))
    }
}
