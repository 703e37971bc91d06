//! The focal loss of classes.

use crate::loss::focal_modulation::modulation;
use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{DType, Device, Int, Tensor};
use burn_tricks_core::{Config, ConfigError, InlineModule};

/// Configuration of [`SoftmaxFocalLoss`]: the cross-entropy of classes, in which samples that are already predicted
/// well count little.
///
/// ```text
/// p = softmax(z)     loss = −α_y (1 − p_y)^γ log p_y
/// ```
///
/// `y` is the sample's class, and `α` has a weight for each class.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use burn_tricks_nn::SoftmaxFocalLossConfig;
///
/// # fn main() -> Result<(), burn_tricks_nn::ConfigError> {
/// let device = Device::flex();
/// let loss = SoftmaxFocalLossConfig::new().init(&device)?;
/// let logits = Tensor::<2>::from_data([[2.0, -1.0, 0.0], [0.5, -3.0, 1.0]], &device);
/// let labels = Tensor::<1, Int>::from_data([0, 2], &device);
/// let mean = loss.forward(logits, labels);
/// # let _ = mean;
/// # Ok(())
/// # }
/// ```
///
/// With a weight for each class, such as those of `burn_tricks_data::balanced_class_weights`:
///
/// ```
/// # fn main() -> Result<(), burn_tricks_nn::ConfigError> {
/// use burn::tensor::Device;
/// use burn_tricks_nn::SoftmaxFocalLossConfig;
///
/// let config = SoftmaxFocalLossConfig::new().with_class_weights(Some(vec![0.5, 1.0, 4.0]));
/// let loss = config.init(&Device::flex())?;
/// # let _ = loss;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// It takes the place of the cross-entropy.
///
/// # Cost
///
/// A softmax and a log-softmax of the logits, and seven passes over numbers or booleans of their size.
///
/// # Differences
///
/// The mean is over samples, also with class weights, as in kornia's `focal_loss`; the weighted cross-entropy of
/// PyTorch and Burn divides by the sum of the weights. `1 − p_y` is the sum of the other probabilities, so that a sample
/// that is predicted well keeps its digits.
///
/// The loss of a sample whose label is not in `0..classes` is NaN, and so is the mean: a wrong label shows at once, and
/// nothing is read from the device. PyTorch leaves out samples with the label −100; here, take them out of the batch, or give
/// them any class and multiply [`SoftmaxFocalLoss::forward_no_reduction`] by a mask of zeros and ones.
///
/// # Suggested values
///
/// γ = 2 (Lin et al.). It helps where easy samples outnumber the hard ones by far, as in detection.
///
/// # References
///
/// - Lin, Goyal, Girshick, He & Dollár, *Focal loss for dense object detection*, 2017,
///   <https://arxiv.org/abs/1708.02002>
#[derive(Config, Debug, PartialEq)]
pub struct SoftmaxFocalLossConfig {
    /// γ, at least 0. 0 is the cross-entropy. Default: 2.
    #[config(default = 2.0)]
    pub gamma: f64,
    /// α, a weight of at least 0 for each class. Default: none, every class counts 1.
    #[config(default = "None")]
    pub class_weights: Option<Vec<f32>>,
}

impl SoftmaxFocalLossConfig {
    /// The loss, with its class weights on a device.
    ///
    /// # Errors
    ///
    /// If `gamma` is negative or not finite, or a class weight is.
    #[inline]
    pub fn init(&self, device: &Device) -> Result<SoftmaxFocalLoss, ConfigError> {
        let gamma = ConfigError::non_negative("gamma", self.gamma)?;
        for weight in self.class_weights.iter().flatten() {
            ConfigError::non_negative("class_weights", *weight)?;
        }
        let weights = self.class_weights.as_deref();
        Ok(SoftmaxFocalLoss {
            gamma,
            class_weights: weights.map(|weights| Tensor::from_data(weights, (device, DType::F32))),
        })
    }
}

/// The focal loss of classes. Made by [`SoftmaxFocalLossConfig::init`].
#[derive(InlineModule, Debug)]
pub struct SoftmaxFocalLoss {
    #[module(skip)]
    gamma: f64,
    class_weights: Option<Tensor<1>>,
}

impl SoftmaxFocalLoss {
    /// The mean over the samples.
    ///
    /// # Shapes
    ///
    /// - logits: `[batch, classes]`
    /// - labels: `[batch]`, class indices; the loss of a label that is no class is NaN
    ///
    /// # Panics
    ///
    /// If there are class weights, but not one for each class.
    #[inline]
    pub fn forward(&self, logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
        self.forward_no_reduction(logits, labels).mean()
    }

    /// The loss of each sample, `[batch]`.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    #[inline]
    pub fn forward_no_reduction(&self, logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
        let [batch, classes] = logits.dims();
        let (dtype, device) = (logits.dtype(), logits.device());
        let class = Tensor::<1, Int>::arange(0..classes as i64, &device);
        let labels = labels.cast(class.dtype());
        let class = class.unsqueeze::<2>().expand([batch, classes]);
        let column = labels.clone().unsqueeze_dim::<2>(1);
        let is_label = class.equal(column.expand([batch, classes]));
        let is_wrong = labels.clone().lower_elem(0);
        let is_wrong = is_wrong.bool_or(labels.clone().greater_equal_elem(classes as i64));
        // All columns of a label that is no class, so that NaN reaches the gradients of all its logits.
        let column = is_wrong.clone().unsqueeze_dim::<2>(1);
        let counts = is_label.clone().bool_or(column.expand([batch, classes]));
        let entropy = -log_softmax(logits.clone(), 1).mask_fill(counts.bool_not(), 0.0);
        let entropy = entropy.sum_dim(1);
        // 1 − p_y
        let miss = softmax(logits, 1).mask_fill(is_label, 0.0).sum_dim(1);
        let loss = match modulation(miss, self.gamma) {
            Some(factor) => entropy * factor,
            None => entropy,
        };
        let known = Tensor::<1>::ones([batch], (&device, dtype)).mask_fill(is_wrong, f64::NAN);
        let loss = loss.reshape([batch]) * known;
        match &self.class_weights {
            Some(weights) => {
                let count = weights.dims()[0];
                assert_eq!(
                    count, classes,
                    "the focal loss must have a weight for each of {classes} classes, got {count}"
                );
                let labels = labels.clamp(0, classes as i64 - 1);
                loss * weights.clone().select(0, labels).cast(dtype)
            }
            None => loss,
        }
    }
}
