#![doc = include_str!("../README.md")]

mod error;
mod expected;
mod failure;
mod float;
mod paired;
mod progress;
mod run;
mod runner;
mod runs;
mod stats;
mod summary;
mod table;
mod verdict;
mod worker;

pub use error::CompareError;
pub use paired::{Paired, paired};
pub use run::{RUN_PREFIX, RunResult};
pub use runner::{Job, Runner, worker_command};
pub use runs::{FailedRun, Runs};
pub use stats::{Interval, holm, mean, sample_sd};
pub use summary::{Comparison, EpochsTo90, Recipe, VariantSummary};
pub use verdict::{ALPHA, Difference, MIN_SEEDS, Verdict};
