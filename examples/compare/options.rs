//! What can be asked of this program beside what every comparison has.

use burn_tricks::compare::clap::{self, Args};
use burn_tricks_examples::csv_table::Kind;
use burn_tricks_examples::device::Backend;
use burn_tricks_examples::recipes::BuiltIn;
use std::path::PathBuf;

/// The options of this program.
#[derive(Debug, Args)]
pub(crate) struct Own {
    /// What to train, on what; several, separated by commas, where they measure the same on the same samples
    /// [default: mlp,deep-mlp; with --quick mlp].
    #[arg(long, value_enum, value_delimiter = ',', value_name = "TASK")]
    pub(crate) task: Vec<BuiltIn>,
    /// A file of recipes instead of those of a task, in JSON: see `examples/compare/recipes`.
    #[arg(long, value_name = "FILE", conflicts_with = "task")]
    pub(crate) recipe: Option<PathBuf>,
    /// Other samples: a folder with MNIST's four IDX files, gzipped or not.
    #[arg(long, value_name = "DIR", conflicts_with = "csv")]
    pub(crate) data: Option<PathBuf>,
    /// Other samples: the rows of a CSV file, whose first line names the columns.
    #[arg(long, value_name = "FILE", requires = "target")]
    pub(crate) csv: Option<PathBuf>,
    /// The column of the CSV file to predict: a class if it holds texts or at most 20 different whole
    /// numbers, otherwise a number.
    #[arg(long, value_name = "COLUMN", requires = "csv")]
    pub(crate) target: Option<String>,
    /// What to predict of that column, whatever it holds.
    #[arg(long, value_enum, requires = "csv")]
    pub(crate) predict: Option<Kind>,
    /// Split the samples as this seed does for every seed, instead of a split for each: verdicts are then
    /// about this split, test part included.
    #[arg(long, value_name = "SEED")]
    pub(crate) split_seed: Option<u64>,
    /// The backend to run on, of those compiled in.
    #[arg(long, value_enum, default_value = "flex")]
    pub(crate) backend: Backend,
}
