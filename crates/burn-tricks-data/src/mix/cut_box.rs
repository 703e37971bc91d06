//! The boxes of cutmix.

use crate::image_box::ImageBox;
use rand::{Rng, RngExt as _};

/// The box of cutmix for a λ in [0, 1], around a centre, in an image of `[height, width]`: of the share 1 − λ of the
/// image, clipped at the borders. As in timm, its sides are `√(1 − λ)` of the image's, rounded down.
///
/// ```
/// use burn_tricks_data::cutmix_box;
///
/// let area = cutmix_box(0.75, [1, 7], [8, 8]); // 4×4 around row 1 and column 7
/// assert_eq!((area.rows, area.columns), (0..3, 5..8));
/// ```
pub fn cutmix_box(lambda: f64, center: [usize; 2], image: [usize; 2]) -> ImageBox {
    let share = (1.0 - lambda).sqrt();
    let size = image.map(|side| (side as f64 * share) as usize);
    ImageBox::around(center, size, image)
}

/// A box for this λ around a random pixel.
pub(crate) fn draw_by_lambda(generator: &mut impl Rng, lambda: f64, image: [usize; 2]) -> ImageBox {
    let center = image.map(|side| generator.random_range(0..side));
    cutmix_box(lambda, center, image)
}

/// A box whose sides are random shares of the image's, at a random place.
pub(crate) fn draw_by_sides(
    generator: &mut impl Rng,
    shares: [f64; 2],
    image: [usize; 2],
) -> ImageBox {
    let size = image.map(|side| {
        let [low, high] = shares.map(|share| (side as f64 * share) as usize);
        generator.random_range(low..high.max(low + 1))
    });
    let [top, left] = [0, 1].map(|axis| generator.random_range(0..=image[axis] - size[axis]));
    ImageBox {
        rows: top..top + size[0],
        columns: left..left + size[1],
    }
}

/// The share of the image that is not in the box.
pub(crate) fn share_outside(area: &ImageBox, image: [usize; 2]) -> f64 {
    1.0 - area.area() as f64 / (image[0] * image[1]) as f64
}
