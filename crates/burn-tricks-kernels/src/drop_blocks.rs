//! Blocks of feature maps that are dropped at random.

use crate::noise::{Noise, noise};
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::{MaxPoolOptions, PadMode};
use burn::tensor::{DType, Tensor};

/// Which blocks of feature maps `[samples, channels, height, width]` are dropped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Blocks {
    /// The probability, in [0, 1), that a block begins at a place.
    pub prob: f64,
    /// Height and width of a block, at least 1 and at most those of a map. Blocks lie inside the map, and may overlap.
    pub size: [usize; 2],
    /// How many masks there are along samples and channels: their number, or 1 if they share theirs.
    pub masks: [usize; 2],
}

impl Blocks {
    fn assert_fit(self, shape: [usize; 4]) {
        let Self { prob, size, masks } = self;
        assert!(
            (0.0..1.0).contains(&prob),
            "the probability that a block begins at a place must lie in [0, 1), got {prob}"
        );
        let fits = |axis: usize| (1..=shape[axis]).contains(&size[axis - 2]);
        assert!(
            fits(2) && fits(3),
            "blocks of {}×{} in maps of {}×{}",
            size[0],
            size[1],
            shape[2],
            shape[3]
        );
        let is_shared_or_own = |axis: usize| [1, shape[axis]].contains(&masks[axis]);
        assert!(
            is_shared_or_own(0) && is_shared_or_own(1),
            "{masks:?} masks for {} samples and {} channels",
            shape[0],
            shape[1]
        );
    }

    /// The shape of the places at which blocks may begin.
    pub(crate) fn begins(self, [_, _, height, width]: [usize; 4]) -> [usize; 4] {
        let [samples, channels] = self.masks;
        let rows = height - self.size[0] + 1;
        [samples, channels, rows, width - self.size[1] + 1]
    }
}

/// `x m / mean(m)`, where the mask m is 0 inside of randomly placed blocks and 1 elsewhere; zeros, if nothing is left.
///
/// On the CPU backend one pass for the random numbers and one over the input, in its own buffer, or in a copy if another
/// tensor shares that; backwards both again, from a key, so that no mask is kept. The random numbers are those of
/// [`noise`] with [`Noise::Dropout`], applied to the places at which blocks may begin. On other backends
/// [`drop_blocks_twin`] makes the mask with a max-pooling.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_kernels::{Blocks, drop_blocks};
///
/// let maps = Tensor::<4>::ones([8, 16, 12, 12], &Device::flex());
/// let blocks = Blocks { prob: 0.02, size: [3, 3], masks: [8, 16] };
/// let dropped = drop_blocks(maps, blocks);
/// let mean: f32 = dropped.mean().into_scalar();
/// assert!((mean - 1.0).abs() < 1e-3);
/// ```
///
/// # Panics
///
/// If the probability does not lie in [0, 1), if a block is empty or larger than a map, or if there are as many masks as
/// neither 1 nor the samples or channels.
pub fn drop_blocks(x: Tensor<4>, blocks: Blocks) -> Tensor<4> {
    blocks.assert_fit(x.dims());
    #[cfg(feature = "flex")]
    let x = match crate::flex::drop_blocks(x.into(), blocks) {
        Ok(x) => return x.into_tensor(),
        Err(x) => x.into_tensor(),
    };
    drop_blocks_twin(x, blocks)
}

/// [`drop_blocks`] with tensor operations alone, behind the random numbers.
///
/// # Panics
///
/// Like [`drop_blocks`].
pub fn drop_blocks_twin(x: Tensor<4>, blocks: Blocks) -> Tensor<4> {
    blocks.assert_fit(x.dims());
    let Blocks { prob, size, .. } = blocks;
    // In `f32`, whatever the input: a mask of a half-precision type has more values than that type can count.
    let options = (&x.device(), DType::F32);
    let places = Tensor::<4>::ones(blocks.begins(x.dims()), options);
    let begin = noise(places, Noise::Dropout { prob, kept: 1.0 }, 0)
        .neg()
        .add_scalar(1.0);
    let (above, left) = (size[0] - 1, size[1] - 1);
    let begin = begin.pad((left, left, above, above), PadMode::Constant(0.0));
    let dropped = max_pool2d(begin, MaxPoolOptions::new(size).with_stride([1, 1]));
    let keep = dropped.neg().add_scalar(1.0);
    let mean = keep.clone().mean();
    let is_all_dropped = mean.clone().equal_elem(0.0);
    let scale = mean.recip().mask_fill(is_all_dropped, 0.0);
    let factors = (keep * scale.reshape([1, 1, 1, 1])).cast(x.dtype());
    x * factors
}
