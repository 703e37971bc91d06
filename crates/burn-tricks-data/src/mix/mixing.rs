//! Which samples of a batch are mixed, and how.

use crate::image_box::ImageBox;
use burn::tensor::{Bool, DType, Device, Int, Tensor, TensorData};

/// How a sample is mixed with its partner.
#[derive(Debug, Clone, PartialEq)]
pub enum SampleMix {
    /// Not at all.
    Keep,
    /// All pixels: λ of the sample's, 1 − λ of the partner's.
    Mixup {
        /// The share of the sample, in [0, 1].
        lambda: f64,
    },
    /// The pixels of a box are the partner's.
    Cutmix {
        /// The pixels of the partner.
        area: ImageBox,
        /// The share of the sample in the target, in [0, 1].
        lambda: f64,
    },
}

impl SampleMix {
    /// The share of the sample in its target.
    pub fn lambda(&self) -> f64 {
        match self {
            Self::Keep => 1.0,
            Self::Mixup { lambda } | Self::Cutmix { lambda, .. } => *lambda,
        }
    }
}

/// Which samples of a batch are mixed, and how: drawn by [`MixSamples::draw`](crate::MixSamples::draw), or made by
/// hand.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_data::{Mixing, SampleMix};
///
/// let mixing = Mixing {
///     partners: vec![1, 0],
///     mixes: vec![SampleMix::Mixup { lambda: 0.75 }, SampleMix::Keep],
/// };
/// let targets = Tensor::<2>::from_data([[1.0, 0.0], [0.0, 1.0]], &Device::flex());
/// let mixed = mixing.targets(targets).into_data();
/// assert_eq!(mixed.try_to_vec::<f32>().unwrap(), [0.75, 0.25, 0.0, 1.0]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Mixing {
    /// The index in the batch of each sample's partner.
    pub partners: Vec<usize>,
    /// How each sample is mixed with its partner.
    pub mixes: Vec<SampleMix>,
}

impl Mixing {
    /// The images, `[batch, channels, height, width]`, mixed. Those that are kept are unchanged to the bit.
    ///
    /// # Panics
    ///
    /// If the batch has another number of images than this has partners or mixes, if a partner is not one of them, or if a
    /// box leaves its image.
    pub fn images(&self, images: Tensor<4>) -> Tensor<4> {
        let dims = images.dims();
        self.assert_fits(dims[0]);
        if self.keeps_all() {
            return images;
        }
        let device = images.device();
        let partners = images.clone().select(0, self.partners(&device));
        let is_mixup = |mix: &SampleMix| matches!(mix, SampleMix::Mixup { .. });
        let is_cutmix = |mix: &SampleMix| matches!(mix, SampleMix::Cutmix { .. });
        let mut mixed = images.clone();
        if self.mixes.iter().any(is_mixup) {
            let [own, others] = self.shares(images.dtype(), &device);
            let [own, others] = [own, others].map(|share| share.reshape([-1, 1, 1, 1]));
            mixed = images.clone() * own + partners.clone() * others;
            if !self.mixes.iter().all(is_mixup) {
                let here = self.mixes.iter().map(is_mixup).collect();
                let here = TensorData::new::<bool, _>(here, [dims[0], 1, 1, 1]);
                let here = Tensor::<4, Bool>::from_data(here, &device).expand(dims);
                mixed = images.mask_where(here, mixed);
            }
        }
        if self.mixes.iter().any(is_cutmix) {
            mixed = mixed.mask_where(self.boxes(dims, &device), partners);
        }
        mixed
    }

    /// The targets, `[batch, classes]`: λ of the sample's, 1 − λ of the partner's.
    ///
    /// # Panics
    ///
    /// If the batch has another number of targets than this has partners or mixes, or if a partner is not one of them.
    pub fn targets(&self, targets: Tensor<2>) -> Tensor<2> {
        self.assert_fits(targets.dims()[0]);
        if self.keeps_all() {
            return targets;
        }
        let device = targets.device();
        let partners = targets.clone().select(0, self.partners(&device));
        let [own, others] = self.shares(targets.dtype(), &device);
        targets * own.reshape([-1, 1]) + partners * others.reshape([-1, 1])
    }

    fn assert_fits(&self, batch: usize) {
        let Self { partners, mixes } = self;
        let counts = [partners.len(), mixes.len()];
        assert!(
            counts == [batch; 2],
            "a batch of {batch} samples must have as many partners and mixes, got {counts:?}"
        );
        assert!(
            partners.iter().all(|partner| *partner < batch),
            "`partners` must be samples of the batch of {batch}, counted from 0, got {partners:?}"
        );
    }

    fn keeps_all(&self) -> bool {
        self.mixes.iter().all(|mix| *mix == SampleMix::Keep)
    }

    fn partners(&self, device: &Device) -> Tensor<1, Int> {
        let partners: Vec<i32> = self.partners.iter().map(|at| *at as i32).collect();
        let count = partners.len();
        Tensor::from_data(TensorData::new(partners, [count]), (device, DType::I32))
    }

    /// λ and 1 − λ of each sample.
    fn shares(&self, dtype: DType, device: &Device) -> [Tensor<1>; 2] {
        let lambdas: Vec<f64> = self.mixes.iter().map(SampleMix::lambda).collect();
        let rest = lambdas.iter().map(|lambda| 1.0 - lambda).collect();
        [lambdas, rest].map(|shares: Vec<f64>| {
            let count = shares.len();
            Tensor::from_data(TensorData::new(shares, [count]), (device, dtype))
        })
    }

    /// The pixels that are the partners'.
    fn boxes(&self, dims: [usize; 4], device: &Device) -> Tensor<4, Bool> {
        let [batch, _, height, width] = dims;
        let pixels = height * width;
        let mut mask = vec![false; batch * pixels];
        for (mix, mask) in self.mixes.iter().zip(mask.chunks_mut(pixels)) {
            if let SampleMix::Cutmix { area, .. } = mix {
                assert!(
                    area.rows.end <= height && area.columns.end <= width,
                    "{area:?} must lie in an image of {:?}",
                    [height, width]
                );
                area.fill(mask, width, &true);
            }
        }
        let mask = TensorData::new(mask, [batch, 1, height, width]);
        Tensor::<4, Bool>::from_data(mask, device).expand(dims)
    }
}
