//! What the examples share: the handwritten digits, a small network, and the recipes that
//! `compare` compares.

pub mod averaging;
pub mod bench;
pub mod checksum;
pub mod clinic;
pub mod data;
pub mod device;
pub mod idx;
pub mod mlp;
pub mod optimizers;
pub mod plain_renderer;
pub mod rates;
pub mod recipes;
pub mod score;
pub mod trainer;
