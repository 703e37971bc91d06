//! Mixup, cutmix, and the switch between them.

use crate::augmentation::{Augmentation, MapImages, MapTargets};
use crate::label::label_smoothing::smooth_targets;
use crate::mix::cut_box::{draw_by_lambda, draw_by_sides, share_outside};
use crate::mix::mixing::{Mixing, SampleMix};
use crate::sample_seeds::SampleSeeds;
use burn_tricks_core::{Config, ConfigError};
use rand::seq::SliceRandom as _;
use rand::{Rng, RngExt as _};
use rand_distr::{Beta, Distribution as _};
use serde::{Deserialize, Serialize};

/// For how many samples one λ, and one choice between mixup and cutmix, is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MixUnit {
    /// For the whole batch, from the seed of its first sample.
    Batch,
    /// For two samples that are each other's partners, from the seed of the first.
    Pair,
    /// For each sample, from its own seed.
    Sample,
}

/// The sample of the batch with which a sample is mixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pairing {
    /// The first with the last, the second with the last but one, and so on, as in timm. In a batch of odd size the
    /// sample in the middle has no partner and stays as it is.
    Flip,
    /// With the sample before it, as in torchvision.
    Roll,
    /// With a random one, as in the paper and in Keras, from the seed of the batch's first sample.
    Shuffle,
}

/// Configuration of [`MixSamples`]: mixup and cutmix, which mix a sample and its target with those of another sample
/// of the batch.
///
/// ```text
/// mixup     x ← λ x + (1 − λ) x'          λ ~ Beta(α, α)
/// cutmix    x ← x' in a box, x elsewhere  λ ~ Beta(α, α), a box of the share 1 − λ at a random place
/// both      y ← λ y + (1 − λ) y'
/// ```
///
/// `x'` and `y'` are the partner's. Where the border of the image clips the box of cutmix, the λ of the target is the
/// true share of the sample's pixels.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Int, Tensor, loss::cross_entropy_with_logits};
/// use burn_tricks_data::{Augmentations, MixSamplesConfig, soft_targets};
///
/// # fn main() -> Result<(), burn_tricks_data::ConfigError> {
/// let device = Device::flex();
/// let mixup = Augmentations::new().with(MixSamplesConfig::mixup(0.2).init()?);
/// let images = Tensor::<4>::ones([2, 3, 32, 32], &device);
/// let targets = soft_targets(Tensor::<1, Int>::from_data([3, 7], &device), 10);
/// let (images, targets) = mixup.apply((images, targets), &[7, 8]);
/// # let logits = images.mean_dims(&[1, 2, 3]).reshape([2, 1]).repeat_dim(1, 10);
/// let loss = cross_entropy_with_logits(logits, targets); // `logits` from the model
/// # let _ = loss;
/// # Ok(())
/// # }
/// ```
///
/// timm's recipe for vision transformers, with a λ for each sample:
///
/// ```
/// use burn_tricks_data::{MixSamplesConfig, MixUnit};
///
/// let config = MixSamplesConfig::mixup_or_cutmix(0.8, 1.0)
///     .with_label_smoothing(0.1)
///     .with_unit(MixUnit::Sample);
/// # assert!(config.init().is_ok());
/// ```
///
/// # Order
///
/// Put it last, after everything that changes single images. See
/// [`Augmentations`](crate::Augmentations#which-there-are). The training accuracy is that on mixed images: look at the
/// validation accuracy instead.
///
/// # Cost
///
/// A copy of the batch with the partners in its order, and one or two passes over it.
///
/// # Differences
///
/// For the same λ, box and partners, images and targets are those of timm's `Mixup`, which asks for batches of even
/// size and pairs by [`Pairing::Flip`]. torchvision's `MixUp` and `CutMix` pair by [`Pairing::Roll`]. The boxes of
/// torchvision and of the code of cutmix's paper reach equally far to both sides of their centre, so that a side of 5
/// becomes 4. So did those of earlier versions of timm; those of timm 1.0.31 do not. In the code of cutmix's paper and in
/// timm the box is placed around a random pixel, so that it may be clipped; `cut_sides` is timm's `cutmix_minmax`, whose
/// boxes lie inside.
/// Composer folds λ to at most 0.5 and fastai to at least 0.5, which changes nothing but the names of the two samples.
///
/// # Suggested values
///
/// Mixup with α from 0.1 to 0.4 (Zhang et al. on ImageNet), cutmix with α = 1 (Yun et al.), 0.8 and 1 with equal
/// probability (timm, DeiT). Both need more epochs than training without them.
///
/// # References
///
/// - Zhang, Cisse, Dauphin & Lopez-Paz, *mixup: beyond empirical risk minimization*, 2018,
///   <https://arxiv.org/abs/1710.09412>
/// - Yun et al., *CutMix: regularization strategy to train strong classifiers with localizable features*, 2019,
///   <https://arxiv.org/abs/1905.04899>
/// - timm, `timm.data.Mixup`
#[derive(Config, Debug, PartialEq)]
pub struct MixSamplesConfig {
    /// α of mixup, at least 0. 0 is no mixup.
    pub mixup_alpha: f64,
    /// α of cutmix, at least 0. 0 is no cutmix.
    pub cutmix_alpha: f64,
    /// Two shares of an image's height, and of its width, in [0, 1], between which those of the box of cutmix lie. The box is
    /// then drawn by these shares, inside the image, and not by λ. As in timm, both are rounded down to pixels, and a side is
    /// at least as long as the first and shorter than the second: of 8 pixels, [0.25, 0.5] gives 2 or 3. If both are the same
    /// number of pixels, a side has this length. Default: drawn by λ.
    #[config(default = "None")]
    pub cut_sides: Option<[f64; 2]>,
    /// The probability with which a unit is mixed at all, in [0, 1]. Default: 1.
    #[config(default = 1.0)]
    pub prob: f64,
    /// Where both are on, the probability of cutmix, in [0, 1]. Default: 0.5.
    #[config(default = 0.5)]
    pub switch_prob: f64,
    /// For how many samples one λ is drawn. Default: for the batch.
    #[config(default = "MixUnit::Batch")]
    pub unit: MixUnit,
    /// With which sample a sample is mixed. Default: [`Pairing::Flip`].
    #[config(default = "Pairing::Flip")]
    pub pairing: Pairing,
    /// Whether the λ of cutmix's targets is the share of pixels outside the clipped box. Default: yes.
    #[config(default = true)]
    pub correct_lambda: bool,
    /// Label smoothing of the targets, in [0, 1], whether they are mixed or not. Default: 0, none.
    #[config(default = 0.0)]
    pub label_smoothing: f64,
}

impl MixSamplesConfig {
    /// Mixup alone.
    pub fn mixup(alpha: f64) -> Self {
        Self::new(alpha, 0.0)
    }

    /// Cutmix alone.
    pub fn cutmix(alpha: f64) -> Self {
        Self::new(0.0, alpha)
    }

    /// Mixup or cutmix, each with probability 1/2 until `switch_prob` is set.
    pub fn mixup_or_cutmix(mixup_alpha: f64, cutmix_alpha: f64) -> Self {
        Self::new(mixup_alpha, cutmix_alpha)
    }

    /// The augmentation.
    ///
    /// # Errors
    ///
    /// If an α is negative, not finite or above half of the largest `f64`, if both are 0, if a probability or the
    /// smoothing does not lie in [0, 1], if
    /// the shares of the sides do not ascend in [0, 1] or are there without cutmix, or for pairs without
    /// [`Pairing::Flip`].
    pub fn init(&self) -> Result<MixSamples, ConfigError> {
        for (field, value) in [
            ("prob", self.prob),
            ("switch_prob", self.switch_prob),
            ("label_smoothing", self.label_smoothing),
        ] {
            ConfigError::within(field, value, 0.0..=1.0)?;
        }
        let mixup = beta("mixup_alpha", self.mixup_alpha)?;
        let cutmix = beta("cutmix_alpha", self.cutmix_alpha)?;
        if mixup.is_none() && cutmix.is_none() {
            let requirement = "be greater than 0 unless `cutmix_alpha` is";
            return Err(ConfigError::new("mixup_alpha", requirement, 0.0));
        }
        if let Some(sides) = self.cut_sides {
            let [low, high] = sides;
            if !(0.0 <= low && low <= high && high <= 1.0) || cutmix.is_none() {
                let requirement =
                    "be two ascending shares in [0, 1], with a `cutmix_alpha` greater than 0";
                return Err(ConfigError::new(
                    "cut_sides",
                    requirement,
                    (sides, self.cutmix_alpha),
                ));
            }
        }
        if self.unit == MixUnit::Pair && self.pairing != Pairing::Flip {
            let requirement = "be `Flip` where one λ is drawn for a pair";
            return Err(ConfigError::new("pairing", requirement, self.pairing));
        }
        Ok(MixSamples {
            config: self.clone(),
            mixup,
            cutmix,
        })
    }
}

/// Beta(α, α), or none for 0.
fn beta(field: &'static str, alpha: f64) -> Result<Option<Beta<f64>>, ConfigError> {
    let alpha = ConfigError::non_negative(field, alpha)?;
    if alpha == 0.0 {
        return Ok(None);
    }
    let error = || ConfigError::new(field, "be at most half of the largest `f64`", alpha);
    if !(2.0 * alpha).is_finite() {
        return Err(error());
    }
    Beta::new(alpha, alpha).map(Some).map_err(|_| error())
}

/// Mixes the samples of a batch by mixup and cutmix. Made by [`MixSamplesConfig::init`].
#[derive(Debug, Clone)]
pub struct MixSamples {
    config: MixSamplesConfig,
    mixup: Option<Beta<f64>>,
    cutmix: Option<Beta<f64>>,
}

impl MixSamples {
    /// Which samples are mixed and how, in images of `[height, width]`.
    pub fn draw(&self, seeds: &SampleSeeds<'_>, image: [usize; 2]) -> Mixing {
        let batch = seeds.len();
        let partners: Vec<usize> = match self.config.pairing {
            Pairing::Flip => (0..batch).rev().collect(),
            Pairing::Roll => (0..batch).map(|at| (at + batch - 1) % batch).collect(),
            Pairing::Shuffle => {
                let mut partners: Vec<usize> = (0..batch).collect();
                if let Some(mut generator) = seeds.batch_generator() {
                    partners.shuffle(&mut generator);
                }
                partners
            }
        };
        let draw = |sample: usize| self.draw_one(&mut seeds.generator(sample), image);
        let mut mixes: Vec<SampleMix> = match self.config.unit {
            MixUnit::Batch if batch == 0 => Vec::new(),
            MixUnit::Batch => vec![draw(0); batch],
            MixUnit::Pair => (0..batch).map(|at| draw(at.min(partners[at]))).collect(),
            MixUnit::Sample => (0..batch).map(draw).collect(),
        };
        for (at, mix) in mixes.iter_mut().enumerate() {
            if partners[at] == at {
                *mix = SampleMix::Keep;
            }
        }
        Mixing { partners, mixes }
    }

    fn draw_one(&self, generator: &mut impl Rng, image: [usize; 2]) -> SampleMix {
        let config = &self.config;
        // As many draws in each case, so that one setting does not shift what another draws.
        let is_mixed = generator.random::<f64>() < config.prob;
        let switches = generator.random::<f64>() < config.switch_prob;
        if !is_mixed || image.contains(&0) {
            return SampleMix::Keep;
        }
        match (&self.mixup, &self.cutmix) {
            (Some(beta), cutmix) if cutmix.is_none() || !switches => SampleMix::Mixup {
                lambda: beta.sample(generator),
            },
            (_, Some(beta)) => {
                let drawn = beta.sample(generator);
                let area = match config.cut_sides {
                    Some(shares) => draw_by_sides(generator, shares, image),
                    None => draw_by_lambda(generator, drawn, image),
                };
                let is_corrected = config.correct_lambda || config.cut_sides.is_some();
                let lambda = if is_corrected {
                    share_outside(&area, image)
                } else {
                    drawn
                };
                SampleMix::Cutmix { area, lambda }
            }
            (_, None) => SampleMix::Keep,
        }
    }
}

impl<B: MapImages + MapTargets> Augmentation<B> for MixSamples {
    fn augment(&self, batch: B, seeds: &SampleSeeds<'_>) -> B {
        let mut mixing = None;
        let batch = batch.map_images(|images| {
            let [samples, _, height, width] = images.dims();
            seeds.assert_len(samples);
            mixing = Some(self.draw(seeds, [height, width]));
            match &mixing {
                Some(mixing) => mixing.images(images),
                None => images,
            }
        });
        batch.map_targets(|targets| {
            let targets = smooth_targets(targets, self.config.label_smoothing);
            match &mixing {
                Some(mixing) => mixing.targets(targets),
                None => targets,
            }
        })
    }
}
