//! What can be asked.

use burn_tricks::compare::Shard;
use burn_tricks_examples::device::Backend;
use burn_tricks_examples::recipes::RECIPES;
use clap::builder::PossibleValuesParser;
use clap::{Parser, Subcommand, ValueEnum};
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Compares training tricks on handwritten digits: each a single change from a named baseline, with the
/// same seeds in both arms. By default each row gets 14, 24 or 40 seeds, as many as it needs for verdicts.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) asked: Option<Asked>,
    /// Compare only these (and the baselines they need), separated by commas.
    #[arg(long, value_name = "NAME", value_delimiter = ',', hide_possible_values = true,
        value_parser = PossibleValuesParser::new(RECIPES.iter().map(|recipe| recipe.name)))]
    pub(crate) only: Vec<String>,
    /// List what can be compared, and stop.
    #[arg(long)]
    pub(crate) list: bool,
    /// So many seeds for every row, instead of as many as each needs. The program says before the first
    /// run if they are too few for any verdict.
    #[arg(long, value_name = "N")]
    pub(crate) seeds: Option<NonZeroUsize>,
    /// Epochs per run [default: 100; with --quick 15].
    #[arg(long, value_name = "N")]
    pub(crate) epochs: Option<NonZeroUsize>,
    /// A first impression, in under 40 seconds on two cores: the rows of the small network, 15 epochs, 11
    /// seeds.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Start no further look that would end later than so many minutes after the start.
    #[arg(long, value_name = "N")]
    pub(crate) minutes: Option<NonZeroUsize>,
    /// The backend to run on.
    #[arg(long, value_enum, default_value = "flex")]
    pub(crate) device: Backend,
    /// Processes at a time [default: one per core; on a GPU 1]. The results do not depend on it.
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// Stop at the first run that fails. Without it the others go on; the runs that finished are reported
    /// either way.
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// A folder with MNIST's four IDX files, gzipped or not, instead of the digits.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Keep the runs in this file, and do not make again those that it holds: stopped at any time and
    /// started again, the program makes only what is missing. Runs of other settings, data or versions
    /// are other runs.
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
    /// Make the runs that failed again.
    #[arg(long, requires = "store")]
    pub(crate) retry_failed: bool,
    /// Make only this part of the runs up to the next look, such as 2/5, into the store; then `merge` the
    /// stores of all parts.
    #[arg(long, value_name = "I/N", requires = "store")]
    pub(crate) shard: Option<Shard>,
    /// Print a Markdown table.
    #[arg(long)]
    pub(crate) markdown: bool,
    /// Write a page with plots, table and learning curves there, which opens offline.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Write a forest plot of `--question` there.
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// The question of the forest plot.
    #[arg(long, value_enum, default_value = "accuracy")]
    pub(crate) question: Question,
    /// Write a line for each row and question there.
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,
    /// Write everything there: protocol, recipes, rows, runs.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// A worker's task, as JSON: this program starts itself with it.
    #[arg(long, hide = true)]
    pub(crate) worker: Option<String>,
}

/// What is asked beside a comparison.
#[derive(Debug, Subcommand)]
pub(crate) enum Asked {
    /// Make one store of several, as of those of all shards.
    Merge {
        /// The store to write.
        #[arg(long, value_name = "FILE")]
        into: PathBuf,
        /// The stores to read.
        #[arg(required = true, value_name = "FILE")]
        stores: Vec<PathBuf>,
    },
}

/// A question that has a forest plot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Question {
    /// The accuracy on the test part.
    Accuracy,
    /// The cross-entropy on the test part.
    Loss,
    /// Optimizer steps to 90 % validation accuracy.
    Speed,
    /// Time per step.
    Cost,
}

impl Question {
    /// As the comparison calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::Loss => "loss",
            Self::Speed => "speed",
            Self::Cost => "cost",
        }
    }
}

impl Options {
    /// Epochs per run.
    pub(crate) fn epochs(&self) -> usize {
        let default = if self.quick { 15 } else { 100 };
        self.epochs.map_or(default, NonZeroUsize::get)
    }
}
