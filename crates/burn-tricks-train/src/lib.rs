#![doc = include_str!("../README.md")]

pub mod stop_early;

pub use stop_early::{
    BestWeightsHandle, MissingMetric, RestoreError, StopHandle, SupervisedTrainingExt,
};
