//! Blocks of layers, and small networks made of such blocks.

pub(crate) mod conv_unit;
pub(crate) mod forward;
pub(crate) mod inception;
pub(crate) mod inception_block;
pub(crate) mod layer_scale;
pub(crate) mod projection;
pub(crate) mod res_net;
pub(crate) mod residual;
pub(crate) mod squeeze_excite;
