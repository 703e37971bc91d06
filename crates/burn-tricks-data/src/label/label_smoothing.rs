//! Soft targets, and label smoothing of them.

use crate::augmentation::{Augmentation, MapTargets};
use crate::sample_seeds::SampleSeeds;
use burn::tensor::{Int, Tensor};
use burn_tricks_core::{Config, ConfigError};

/// One-hot targets, `[batch, classes]`, of class indices of any integer type, `[batch]`: 1 for the sample's class, 0 for
/// the others. The row of a label that is not in `0..classes` is NaN, and so is the loss of its batch: a wrong label shows
/// at once, and nothing is read from the device. (With a row of zeros the sample would cost nothing, and nobody would
/// notice.)
///
/// Labels are first converted to the device's integer type, usually `i32`: a number beyond its range may become a class.
///
/// Burn's `one_hot` gives the same numbers, and waits for the device to check the labels. To find out which label is wrong,
/// check them on the host before the training: `labels.iter().position(|label| !(0..classes).contains(label))`.
///
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use burn_tricks_data::soft_targets;
///
/// let labels = Tensor::<1, Int>::from_data([2, 0], &Device::flex());
/// let targets = soft_targets(labels, 3).into_data();
/// assert_eq!(targets.try_to_vec::<f32>().unwrap(), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
/// ```
///
/// To leave out samples without a label, as PyTorch does with the label −100, give them any class, and multiply their rows by
/// 0: `soft_targets(labels, classes) * mask`, where `mask` is `[batch, 1]`. Smoothing leaves such a row at 0. For the mean over
/// the samples that have a label, which PyTorch gives, multiply the mean loss of the batch by its size and divide by their
/// number.
pub fn soft_targets(labels: Tensor<1, Int>, classes: usize) -> Tensor<2> {
    let [batch] = labels.dims();
    let class = Tensor::<1, Int>::arange(0..classes as i64, &labels.device());
    let labels = labels.cast(class.dtype());
    let class = class.unsqueeze::<2>().expand([batch, classes]);
    let labels = labels.unsqueeze_dim::<2>(1).expand([batch, classes]);
    let is_wrong = labels.clone().lower_elem(0);
    let is_wrong = is_wrong.bool_or(labels.clone().greater_equal_elem(classes as i64));
    class.equal(labels).float().mask_fill(is_wrong, f32::NAN)
}

/// Targets, `[batch, classes]`, with a share of their weight spread evenly over all classes: `(1 − ε) y + ε w / classes`,
/// where `w` is the sum of the row.
///
/// Burn's `CrossEntropyLossConfig::smoothing` does this for class indices. For soft targets that sum to 1, such as those of
/// mixup, this is what PyTorch's `cross_entropy(label_smoothing)` does, which takes `w` as 1. A row of zeros, that of a
/// sample which does not count, stays zero.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_data::smooth_targets;
///
/// let targets = Tensor::<2>::from_data([[0.0, 1.0]], &Device::flex());
/// let smoothed = smooth_targets(targets, 0.1).into_data();
/// assert_eq!(smoothed.try_to_vec::<f32>().unwrap(), [0.05, 0.95]);
/// ```
pub fn smooth_targets(targets: Tensor<2>, smoothing: f64) -> Tensor<2> {
    if smoothing == 0.0 {
        return targets;
    }
    let [_, classes] = targets.dims();
    let spread = targets.clone().sum_dim(1) * (smoothing / classes as f64);
    targets * (1.0 - smoothing) + spread
}

/// Configuration of [`LabelSmoothing`]: the targets of training batches are smoothed, those of validation are not.
///
/// ```text
/// y ← (1 − ε) y + ε w / classes          w is the sum of y, usually 1
/// ```
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use burn_tricks_data::{Augmentations, LabelSmoothingConfig, soft_targets};
///
/// # fn main() -> Result<(), burn_tricks_data::ConfigError> {
/// let device = Device::flex();
/// let smoothing = Augmentations::new().with(LabelSmoothingConfig::new(0.1).init()?);
/// let images = Tensor::<4>::ones([2, 1, 8, 8], &device);
/// let targets = soft_targets(Tensor::<1, Int>::from_data([3, 7], &device), 10);
/// let (images, targets) = smoothing.apply((images, targets), &[7, 8]);
/// # let _ = (images, targets);
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// It may stand anywhere among the augmentations: smoothing before mixing gives the same targets as after it.
///
/// # Cost
///
/// Two passes over the targets.
///
/// # Differences
///
/// Targets that sum to 1 become those of PyTorch's `cross_entropy(label_smoothing)`, Keras's `CategoricalCrossentropy` and
/// Burn's `CrossEntropyLossConfig::smoothing`. The latter smooths in every loss that it computes, so that losses of
/// validation are higher, too.
///
/// # Suggested values
///
/// 0.1 (Szegedy et al., section 7).
///
/// # References
///
/// - Szegedy, Vanhoucke, Ioffe, Shlens & Wojna, *Rethinking the Inception architecture for computer vision*, 2016,
///   <https://arxiv.org/abs/1512.00567>
#[derive(Config, Debug, PartialEq)]
pub struct LabelSmoothingConfig {
    /// ε, the share of a target that is spread over all classes, in [0, 1].
    pub smoothing: f64,
}

impl LabelSmoothingConfig {
    /// The augmentation.
    ///
    /// # Errors
    ///
    /// If `smoothing` does not lie in [0, 1].
    pub fn init(&self) -> Result<LabelSmoothing, ConfigError> {
        let smoothing = ConfigError::within("smoothing", self.smoothing, 0.0..=1.0)?;
        Ok(LabelSmoothing { smoothing })
    }
}

/// Smooths the targets of training batches. Made by [`LabelSmoothingConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct LabelSmoothing {
    smoothing: f64,
}

impl<B: MapTargets> Augmentation<B> for LabelSmoothing {
    fn augment(&self, batch: B, _seeds: &SampleSeeds<'_>) -> B {
        batch.map_targets(|targets| smooth_targets(targets, self.smoothing))
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // tests read what they compare
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn the_row_of_a_label_that_is_no_class_is_nan() {
        let labels = Tensor::<1, Int>::from_data([1, 2, -1, 0], &Device::flex());
        let targets: Vec<f32> = soft_targets(labels, 2).into_data().try_to_vec().unwrap();
        assert_eq!(
            (&targets[..2], &targets[6..]),
            (&[0.0, 1.0][..], &[1.0, 0.0][..])
        );
        assert!(
            targets[2..6].iter().all(|target| target.is_nan()),
            "{targets:?}"
        );
    }

    #[test]
    fn a_sample_that_does_not_count_counts_no_more_when_targets_are_smoothed() {
        let targets = Tensor::<2>::from_data([[0.0, 1.0], [0.0, 0.0]], &Device::flex());
        let smoothed = smooth_targets(targets, 0.1).into_data();
        let smoothed: Vec<f32> = smoothed.try_to_vec().unwrap();
        assert_eq!(smoothed, [0.05, 0.95, 0.0, 0.0]);
    }
}
