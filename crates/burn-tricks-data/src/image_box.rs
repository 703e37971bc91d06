//! A rectangle of pixels.

use std::ops::Range;

/// A rectangle of pixels within an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageBox {
    /// The rows of pixels, from the top.
    pub rows: Range<usize>,
    /// The columns of pixels, from the left.
    pub columns: Range<usize>,
}

impl ImageBox {
    /// The number of pixels.
    pub fn area(&self) -> usize {
        self.rows.len() * self.columns.len()
    }

    /// A box of `[height, width]` around a centre, clipped at the borders of the image: a box of an odd size has one
    /// more row below the centre than above it.
    pub(crate) fn around(center: [usize; 2], size: [usize; 2], image: [usize; 2]) -> Self {
        let clipped = |axis: usize| {
            let low = center[axis].saturating_sub(size[axis] / 2);
            let high = (center[axis] + size[axis].div_ceil(2)).min(image[axis]);
            low.min(high)..high
        };
        Self {
            rows: clipped(0),
            columns: clipped(1),
        }
    }

    /// Sets the pixels of the box in a row-major image of this width.
    pub(crate) fn fill<T: Clone>(&self, image: &mut [T], width: usize, value: &T) {
        for row in self.rows.clone() {
            let start = row * width;
            let columns = start + self.columns.start..start + self.columns.end;
            image[columns].fill(value.clone());
        }
    }
}
