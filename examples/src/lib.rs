//! What the examples share: the handwritten digits and other samples, small networks, and the recipes that
//! `compare` compares.

pub mod additions;
pub mod averaging;
pub mod bench;
pub mod checksum;
pub mod classifier;
pub mod clinic;
pub mod csv_table;
pub mod data;
pub mod device;
pub mod idx;
pub mod lesson;
pub mod made_up;
pub mod mlp;
pub mod network;
pub mod optimizers;
pub mod plain_renderer;
pub mod problem;
pub mod rates;
pub mod recipes;
pub mod score;
pub mod setup;
pub mod trainer;

/// The README of the repository, whose program is tested too: here, since a published crate does not have the file.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod repository_readme {}
