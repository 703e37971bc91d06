//! Erased boxes of pixels.

use crate::image_box::ImageBox;
use burn::tensor::{Bool, Tensor, TensorData};

/// A box of an image whose pixels are replaced.
#[derive(Debug, Clone, PartialEq)]
pub struct Erasure {
    /// Which pixels.
    pub area: ImageBox,
    /// What they become: one number for all, one number for each channel, or one for each channel and pixel, row by
    /// row.
    pub values: Vec<f32>,
}

/// Images, `[batch, channels, height, width]`, with boxes of pixels replaced: those of each image in turn, so that of
/// two boxes the later covers the earlier.
///
/// # Panics
///
/// If `erasures` has another number of lists than the batch has images, if a box leaves its image, or if a box has
/// another number of values than one, one per channel, or one per channel and pixel.
pub fn erase(images: Tensor<4>, erasures: &[Vec<Erasure>]) -> Tensor<4> {
    let dims = images.dims();
    let [batch, channels, height, width] = dims;
    assert_eq!(batch, erasures.len(), "one list for each of the images");
    let mut values = erasures.iter().flatten().map(|erasure| &erasure.values);
    let Some(first) = values.next() else {
        return images;
    };
    let device = images.device();
    let pixels = height * width;
    let mut mask = vec![false; batch * pixels];
    for (erasures, mask) in erasures.iter().zip(mask.chunks_mut(pixels)) {
        for Erasure { area, .. } in erasures {
            assert!(
                area.rows.end <= height && area.columns.end <= width,
                "{area:?} must lie in an image of {:?}",
                [height, width]
            );
            area.fill(mask, width, &true);
        }
    }
    let mask = TensorData::new(mask, [batch, 1, height, width]);
    let mask = Tensor::<4, Bool>::from_data(mask, &device).expand(dims);
    if first.len() == 1 && values.all(|other| other == first) {
        return images.mask_fill(mask, first[0]);
    }
    let mut filled = vec![0.0; batch * channels * pixels];
    for (erasures, image) in erasures.iter().zip(filled.chunks_mut(channels * pixels)) {
        for erasure in erasures {
            erasure.write(image, [channels, height, width]);
        }
    }
    let filled = Tensor::from_data(TensorData::new(filled, dims), (&device, images.dtype()));
    images.mask_where(mask, filled)
}

impl Erasure {
    /// Writes the values into an image, channel by channel.
    fn write(&self, image: &mut [f32], [channels, height, width]: [usize; 3]) {
        let Self { area, values } = self;
        let per_pixel = channels * area.area();
        let count = values.len();
        assert!(
            [1, channels, per_pixel].contains(&count),
            "a box of {} pixels and {channels} channels must have 1, {channels} or {per_pixel} values, got {count}",
            area.area()
        );
        for (channel, image) in image.chunks_mut(height * width).enumerate() {
            if count != per_pixel {
                let value = if count == 1 {
                    values[0]
                } else {
                    values[channel]
                };
                area.fill(image, width, &value);
                continue;
            }
            let values = &values[channel * area.area()..(channel + 1) * area.area()];
            for (row, values) in area
                .rows
                .clone()
                .zip(values.chunks(area.columns.len().max(1)))
            {
                let start = row * width + area.columns.start;
                image[start..start + values.len()].copy_from_slice(values);
            }
        }
    }
}
