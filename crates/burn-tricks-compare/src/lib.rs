#![doc = include_str!("../README.md")]

mod error;
mod expected;
mod float;
mod paired;
mod progress;
mod run;
mod run_error;
mod runner;
mod stats;
mod summary;
mod table;
mod verdict;
mod worker;

pub use error::CompareError;
pub use paired::{Paired, paired};
pub use run::{RUN_PREFIX, RunResult};
pub use run_error::{RunError, RunErrorKind};
pub use runner::{Job, Runner, worker_command};
pub use stats::{Interval, holm, mean, sample_sd};
pub use summary::{Comparison, EpochsTo90, Recipe, VariantSummary};
pub use verdict::{ALPHA, Difference, MIN_SEEDS, Verdict};
