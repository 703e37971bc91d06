//! The kernels of Burn's CPU backend: the access to its buffers, and the loops.
//!
//! All code is safe Rust. A buffer is changed in place if it is not shared.

mod ahead;
mod any_slice;
mod batch_norm;
mod behind;
mod bfloat;
mod buffer;
mod cast;
mod cautious;
mod clamp;
mod clip_units;
mod compensation;
mod drop_blocks;
mod element_type;
mod gauss;
mod lanes;
mod map;
mod matrix;
mod noise;
mod normal;
mod pair;
mod philox;
mod prefetch;
mod prodigy;
mod scale;
mod share;
mod spare;
mod spectral_norm;
mod standardize_units;
mod step_loop;
mod sum_of_squares;
mod summary;
mod take_over;
mod term_sums;
mod threads;
mod tracked;
mod unit_map;
mod unit_pass;
mod unit_sums;
mod units;
mod update;
mod vector;
mod vectorized;
mod weight_norm;

use buffer::look;

pub(crate) use ahead::ahead;
pub(crate) use batch_norm::{fixed_batch_norm, ghost_batch_norm};
pub(crate) use behind::behind;
pub(crate) use buffer::{is_free, on_flex, scalar, shape};
pub(crate) use cast::cast;
pub(crate) use cautious::cautious;
pub(crate) use clamp::clamp;
pub(crate) use clip_units::clip_units;
pub(crate) use compensation::{cast_into, compensated, split_compensation};
pub(crate) use drop_blocks::drop_blocks;
pub(crate) use noise::noise;
pub(crate) use normal::add_normal;
pub(crate) use prodigy::prodigy_sums;
pub(crate) use scale::scale;
pub(crate) use spare::keep as keep_buffer;
pub(crate) use spectral_norm::spectral_norm;
pub(crate) use standardize_units::standardize_units;
pub(crate) use step_loop::Loops;
pub(crate) use sum_of_squares::sum_of_squares;
pub(crate) use summary::{distance, norm, summary, unit_ranges};
pub(crate) use take_over::{take_over, takes_over};
pub(crate) use threads::{Threads, map_items};
pub(crate) use update::{update, update_all};
pub(crate) use weight_norm::{unit_norms, weight_norm};

use burn::backend::{DispatchTensor, TensorMetadata as _};

/// The backend's tensor.
type FlexTensor = <burn::backend::Flex as burn::backend::BackendTypes>::FloatTensorPrimitive;

/// Work on at most this many elements is not split between threads: to wake a thread takes about as long as a
/// core needs for them.
const GRAIN: usize = 1 << 16;

/// How many elements the tensors have together.
pub(crate) fn elements<'a>(tensors: impl IntoIterator<Item = &'a DispatchTensor>) -> usize {
    let sizes = tensors.into_iter().map(|tensor| match look(tensor) {
        Some(buffer) => buffer.layout().num_elements(),
        None => tensor.shape().num_elements(),
    });
    sizes.sum()
}

/// Whether all tensors together have at most [`GRAIN`] elements.
pub(crate) fn is_little<'a>(tensors: impl IntoIterator<Item = &'a DispatchTensor>) -> bool {
    elements(tensors) <= GRAIN
}
