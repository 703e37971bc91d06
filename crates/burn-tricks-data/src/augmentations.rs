//! Augmentations one after the other.

use crate::augmentation::Augmentation;
use crate::sample_seeds::SampleSeeds;
use std::fmt::Debug;

/// Random changes of training batches, one after the other, on the batch's device.
///
/// # Example
///
/// In a loader, which gives each sample its seed (with the feature `dataset`, which the feature `train` of `burn-tricks`
/// turns on):
///
/// ```
/// use burn::data::dataloader::batcher::Batcher;
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_data::{
///     Augmentations, HorizontalFlipConfig, MixSamplesConfig, RandomCropConfig, RandomErasingConfig, Seeded,
/// };
///
/// type Batch = (Tensor<4>, Tensor<2>); // images and soft targets
///
/// #[derive(Clone)]
/// struct Images;
///
/// impl Batcher<f32, Batch> for Images {
///     fn batch(&self, items: Vec<f32>, device: &Device) -> Batch {
///         // ...
///         # let images = Tensor::<1>::from_floats(items.as_slice(), device).reshape([-1, 1, 1, 1]);
///         # let images = images.repeat(&[1, 3, 32, 32]);
///         # let targets = Tensor::ones([items.len(), 10], device) / 10.0;
///         (images, targets)
///     }
/// }
///
/// # fn main() -> Result<(), burn_tricks_data::ConfigError> {
/// let train = Augmentations::<Batch>::new()
///     .with(RandomCropConfig::new([32, 32]).with_padding(4).init()?)
///     .with(HorizontalFlipConfig::new().init()?)
///     .with(RandomErasingConfig::torchvision().init()?)
///     .with(MixSamplesConfig::mixup_or_cutmix(0.8, 1.0).init()?)
///     .batcher(Images);
/// // With burn-tricks-train: `EpochLoaderConfig::new(128, 42).init_seeded(dataset, train, &device, &clock)`,
/// // which calls
/// let items = (0..4).map(|index| Seeded::new(0.5, 42, 1, index)); // loader's seed 42, epoch 1
/// let (images, targets) = train.batch(items.collect(), &Device::flex());
/// # assert_eq!((images.dims(), targets.dims()), ([4, 3, 32, 32], [4, 10]));
/// # Ok(())
/// # }
/// ```
///
/// In a loop that makes its batches itself:
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_data::{Augmentations, HorizontalFlipConfig, sample_seed};
///
/// # fn main() -> Result<(), burn_tricks_data::ConfigError> {
/// let flips = Augmentations::new().with(HorizontalFlipConfig::new().init()?);
/// let (seed, epoch, indices) = (42, 1, [17, 3, 8]);
/// let images = Tensor::<4>::ones([3, 1, 8, 8], &Device::flex()); // the samples at `indices`
/// let images = flips.apply(images, &indices.map(|index| sample_seed(seed, epoch, index)));
/// # let _ = images;
/// # Ok(())
/// # }
/// ```
///
/// # Which there are
///
/// | augmentation | changes | the usual place |
/// | --- | --- | --- |
/// | [`RandomCropConfig`](crate::RandomCropConfig) | images | first |
/// | [`HorizontalFlipConfig`](crate::HorizontalFlipConfig) | images | |
/// | [`RandomErasingConfig`](crate::RandomErasingConfig), [`CutoutConfig`](crate::CutoutConfig) | images | after the inputs are scaled, so that 0 is the mean |
/// | [`LabelSmoothingConfig`](crate::LabelSmoothingConfig) | targets | anywhere |
/// | [`MixSamplesConfig`](crate::MixSamplesConfig): mixup and cutmix | images and targets | last |
///
/// # Reproducible
///
/// Every random number is drawn on the host, from the seed of the sample that it belongs to. This seed depends on the
/// loader's seed, the epoch and the index of the sample in the dataset, or the number of the draw where samples are drawn by
/// weight. So a resumed run augments each sample as the
/// uninterrupted run does, with any number of workers, and a sample is augmented alike in a batch of any size on any
/// device. Only mixup and cutmix depend on the batch, since they mix a sample with another of its batch.
///
/// # Never in validation
///
/// [`Augmented`](crate::Augmented) takes [`Seeded`](crate::Seeded) samples. A validation loader, which
/// `EpochLoaderConfig::init` or Burn's `DataLoaderBuilder` makes, gives samples without a seed, and this program does
/// not compile:
///
/// ```compile_fail,E0277
/// # use burn::data::dataloader::batcher::Batcher;
/// # use burn::tensor::{Device, Tensor};
/// # use burn_tricks_data::Augmentations;
/// # struct Images;
/// # impl Batcher<f32, Tensor<4>> for Images {
/// #     fn batch(&self, items: Vec<f32>, device: &Device) -> Tensor<4> {
/// #         Tensor::zeros([items.len(), 1, 1, 1], device)
/// #     }
/// # }
/// fn validation_loader(batcher: impl Batcher<f32, Tensor<4>>) {
///     // ...
/// }
///
/// let augmented = Augmentations::<Tensor<4>>::new().batcher(Images);
/// validation_loader(augmented); // it is no `Batcher<f32, _>`
/// ```
///
/// Validate with the batcher itself, `Images` of the example above.
pub struct Augmentations<B> {
    list: Vec<Box<dyn Augmentation<B>>>,
}

impl<B> Augmentations<B> {
    /// None yet.
    pub fn new() -> Self {
        Self { list: Vec::new() }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// One more, after the others.
    #[must_use]
    pub fn with(mut self, augmentation: impl Augmentation<B> + 'static) -> Self {
        self.list.push(Box::new(augmentation));
        self
    }

    /// The batch of samples with these seeds, changed by all augmentations in their order.
    ///
    /// # Panics
    ///
    /// If the batch has another number of images than there are seeds, or where an augmentation does not fit the
    /// images.
    pub fn apply(&self, batch: B, seeds: &[u64]) -> B {
        let placed = self.list.iter().enumerate();
        placed.fold(batch, |batch, (place, augmentation)| {
            augmentation.augment(batch, &SampleSeeds::new(seeds, place))
        })
    }
}

impl<B> Default for Augmentations<B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<B> Debug for Augmentations<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.list).finish()
    }
}
