//! Blocks of layers, and small networks made of such blocks.

pub(crate) mod conv_unit;
pub mod forward;
pub mod inception;
pub mod inception_block;
pub mod layer_scale;
pub(crate) mod projection;
pub mod res_net;
pub mod residual;
