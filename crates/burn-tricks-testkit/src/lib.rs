#![doc = include_str!("../README.md")]

mod average;
mod criterion;
mod optimizer;
mod report;
mod schedule;
mod transform;
mod trick;
mod weights;

pub use average::AverageLaws;
pub use criterion::{CriterionDecision, CriterionLaws};
pub use optimizer::OptimizerLaws;
pub use report::{Broken, Report};
pub use schedule::ScheduleLaws;
pub use transform::TransformLaws;
pub use trick::{TrickLaws, TrickStep};
pub use weights::Weights;
