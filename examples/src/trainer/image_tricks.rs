//! Augmentation of training images, soft targets, and test-time augmentation.

use crate::data::Samples;
use crate::network::Network;
use crate::problem::{Problem, Shape};
use crate::setup::Setup;
use crate::trainer::objective::Forward;
use burn::tensor::loss::cross_entropy_with_logits;
use burn::tensor::ops::PadMode;
use burn::tensor::{Device, Tensor};
use burn_tricks::ConfigError;
use burn_tricks::average::{Combine, Ensemble, Predict as _, TestTimeAugmentationConfig};
use burn_tricks::data::{
    Augmentations, LabelSmoothingConfig, MixSamplesConfig, RandomErasingConfig, crop_at,
    sample_seed, soft_targets,
};

/// Images, `[batch, 1, height, width]`, and soft targets, `[batch, classes]`.
type Batch = (Tensor<4>, Tensor<2>);

/// Changes of the images and targets that a model is trained on.
pub(super) struct ImageTricks {
    augmentations: Augmentations<Batch>,
    size: [usize; 2],
    classes: usize,
}

/// Which random numbers the samples of a batch get.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draw {
    pub(super) seed: u64,
    pub(super) epoch: usize,
}

impl ImageTricks {
    /// Those that the setup asks for, if it asks for any.
    pub(super) fn init(setup: &Setup, problem: &Problem) -> Result<Option<Self>, ConfigError> {
        let mut augmentations = Augmentations::new();
        if let Some(prob) = setup.erasing {
            let erasing = RandomErasingConfig::torchvision().with_prob(prob);
            augmentations = augmentations.with(erasing.init()?);
        }
        if let Some(smoothing) = setup.label_smoothing {
            augmentations = augmentations.with(LabelSmoothingConfig::new(smoothing).init()?);
        }
        if setup.mixup.is_some() || setup.cutmix.is_some() {
            let [mixup, cutmix] = [setup.mixup, setup.cutmix].map(|alpha| alpha.unwrap_or(0.0));
            let mix = MixSamplesConfig::mixup_or_cutmix(mixup, cutmix);
            augmentations = augmentations.with(mix.init()?);
        }
        if augmentations.is_empty() {
            return Ok(None);
        }
        let size = size_of_images(problem)?;
        let classes = problem.outputs;
        Ok(Some(Self {
            augmentations,
            size,
            classes,
        }))
    }

    /// The loss of a model on the samples at `indices`, changed, and what it is of; the targets are the
    /// classes before the change.
    pub(super) fn forward(
        &self,
        model: &Network,
        samples: &Samples,
        indices: &[usize],
        draw: Draw,
        device: &Device,
    ) -> Forward {
        let (images, labels) = samples.batch(indices, device);
        let [batch, _] = images.dims();
        let [height, width] = self.size;
        let images = images.reshape([batch, 1, height, width]);
        let seed = |index: &usize| sample_seed(draw.seed, draw.epoch, *index);
        let seeds: Vec<u64> = indices.iter().map(seed).collect();
        let batch = (images, soft_targets(labels.clone(), self.classes));
        let (images, targets) = self.augmentations.apply(batch, &seeds);
        let inputs = images.flatten(1, 3);
        let outputs = model.predict(inputs.clone());
        Forward {
            loss: cross_entropy_with_logits(outputs.clone(), targets),
            targets: labels.into(),
            inputs,
            outputs,
        }
    }
}

/// Views of an image that are moved by some pixels up, down, to the left and to the right.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shifts {
    pixels: usize,
    size: [usize; 2],
}

impl Shifts {
    /// Those that the setup asks for, if it asks for any.
    pub(super) fn init(setup: &Setup, problem: &Problem) -> Result<Option<Self>, ConfigError> {
        let Some(pixels) = setup.test_time_shift else {
            return Ok(None);
        };
        ConfigError::at_least_one("test_time_shift", pixels)?;
        let size = size_of_images(problem)?;
        Ok(Some(Self { pixels, size }))
    }

    /// The mean of the probabilities for all views of flat images.
    pub(super) fn predict(self, model: &Ensemble<Network>, images: Tensor<2>) -> Tensor<2> {
        let Self { pixels, size } = self;
        // Where the image is cut out of the padded one.
        let corners = [[0, 1], [2, 1], [1, 0], [1, 2]].map(|corner| corner.map(|at| at * pixels));
        let mut views = TestTimeAugmentationConfig::new()
            .with_combine(Combine::MeanLogits) // of probabilities, which the ensemble gives
            .init(model.clone());
        for corner in corners {
            views = views.with_view(move |images: Tensor<2>| {
                let [batch, _] = images.dims();
                let images = images.reshape([batch, 1, size[0], size[1]]);
                let padding = [(pixels, pixels), (pixels, pixels)];
                let images = images.pad(padding, PadMode::Constant(0.0));
                crop_at(images, &vec![corner; batch], size).flatten(1, 3)
            });
        }
        views.predict(images)
    }
}

fn size_of_images(problem: &Problem) -> Result<[usize; 2], ConfigError> {
    match problem.shape {
        Shape::Image { height, width } if !problem.is_regression => Ok([height, width]),
        shape => {
            let requirement = "be images with classes for erasing, mixup, cutmix, label smoothing and shifts at test time";
            Err(ConfigError::new("data", requirement, shape.to_string()))
        }
    }
}
