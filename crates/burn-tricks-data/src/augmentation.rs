//! What changes a batch at random, and what a batch must have.

use crate::sample_seeds::SampleSeeds;
use burn::tensor::{Int, Tensor};
use std::fmt::Debug;

/// A batch with images, which augmentations change.
///
/// Implemented for images alone, and for images with targets: `Tensor<4>`, `(Tensor<4>, Tensor<2>)` and
/// `(Tensor<4>, Tensor<1, Int>)`. A batch of your own:
///
/// ```
/// use burn::tensor::Tensor;
/// use burn_tricks_data::{MapImages, MapTargets};
///
/// struct Digits {
///     images: Tensor<3>,  // [batch, height, width]
///     targets: Tensor<2>, // [batch, classes], one-hot
/// }
///
/// impl MapImages for Digits {
///     fn map_images(self, change: impl FnOnce(Tensor<4>) -> Tensor<4>) -> Self {
///         let images = change(self.images.unsqueeze_dim(1)).squeeze_dim(1); // one channel
///         Self { images, ..self }
///     }
/// }
///
/// // Needed by mixup, cutmix and label smoothing only.
/// impl MapTargets for Digits {
///     fn map_targets(self, change: impl FnOnce(Tensor<2>) -> Tensor<2>) -> Self {
///         Self { targets: change(self.targets), ..self }
///     }
/// }
/// ```
pub trait MapImages: Sized {
    /// The batch with its images changed: `[batch, channels, height, width]` in, the same out, possibly of another
    /// height and width.
    fn map_images(self, change: impl FnOnce(Tensor<4>) -> Tensor<4>) -> Self;
}

/// A batch with soft targets, which mixup, cutmix and label smoothing change: a probability for each class,
/// `[batch, classes]`, made of class indices by [`soft_targets`](crate::soft_targets), or the numbers that a
/// regression predicts.
///
/// The loss of soft targets is Burn's `burn::tensor::loss::cross_entropy_with_logits`; Burn's `CrossEntropyLoss` takes
/// class indices only.
pub trait MapTargets: Sized {
    /// The batch with its targets changed: `[batch, classes]` in, the same out.
    fn map_targets(self, change: impl FnOnce(Tensor<2>) -> Tensor<2>) -> Self;
}

/// A random change of a training batch `B`, one of those in the list of
/// [`Augmentations`](crate::Augmentations#which-there-are), or your own:
///
/// ```
/// use burn::tensor::Tensor;
/// use burn_tricks_data::{Augmentation, MapImages, SampleSeeds};
/// use rand::RngExt as _;
///
/// /// Makes each image darker by up to a half.
/// #[derive(Debug)]
/// struct Darken;
///
/// impl<B: MapImages> Augmentation<B> for Darken {
///     fn augment(&self, batch: B, seeds: &SampleSeeds<'_>) -> B {
///         let light: Vec<f32> = seeds.generators().map(|mut draw| draw.random_range(0.5..1.0)).collect();
///         batch.map_images(|images| {
///             let light = Tensor::<1>::from_floats(light.as_slice(), &images.device());
///             images * light.reshape([-1, 1, 1, 1])
///         })
///     }
/// }
/// ```
pub trait Augmentation<B>: Debug + Send + Sync {
    /// The changed batch. Random numbers come from `seeds` alone, which has a generator for each sample.
    ///
    /// # Panics
    ///
    /// If the batch has another number of images than `seeds` has samples.
    fn augment(&self, batch: B, seeds: &SampleSeeds<'_>) -> B;
}

impl MapImages for Tensor<4> {
    fn map_images(self, change: impl FnOnce(Tensor<4>) -> Tensor<4>) -> Self {
        change(self)
    }
}

impl MapImages for (Tensor<4>, Tensor<2>) {
    fn map_images(self, change: impl FnOnce(Tensor<4>) -> Tensor<4>) -> Self {
        (change(self.0), self.1)
    }
}

impl MapTargets for (Tensor<4>, Tensor<2>) {
    fn map_targets(self, change: impl FnOnce(Tensor<2>) -> Tensor<2>) -> Self {
        (self.0, change(self.1))
    }
}

impl MapImages for (Tensor<4>, Tensor<1, Int>) {
    fn map_images(self, change: impl FnOnce(Tensor<4>) -> Tensor<4>) -> Self {
        (change(self.0), self.1)
    }
}
