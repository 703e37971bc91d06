//! What can be asked of every program that compares.

use std::{num::NonZeroUsize, path::PathBuf};

use clap::{Args, Parser, Subcommand};

use crate::{program::lab::LabOptions, store::shard::Shard};

/// The command line: the options of every such program, and the program's own.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Cli<O: Args> {
    #[command(subcommand)]
    pub(crate) asked: Option<Asked>,
    #[command(flatten)]
    pub(crate) own: O,
    #[command(flatten)]
    pub(crate) options: Options,
}

/// For a program without options of its own.
#[derive(Debug, Args)]
pub(crate) struct NoOptions {}

/// The commands of the program other than a comparison.
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

/// A number that is not 0.
fn at_least_one(text: &str) -> Result<NonZeroUsize, String> {
    let number = text.parse();
    number.map_err(|_| "it must be a whole number from 1 on".to_owned())
}

/// The options of every program that [`main`](crate::main) runs.
#[derive(Debug, Clone, Default, Args)]
pub struct Options {
    /// Compare only these (and the baselines they need), separated by commas.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub only: Vec<String>,
    /// List what can be compared, and stop.
    #[arg(long)]
    pub list: bool,
    /// So many seeds for every row, instead of as many as each needs. The program says before the first
    /// run if they are too few to show a difference.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub seeds: Option<NonZeroUsize>,
    /// Read verdicts at these numbers of seeds, ascending and separated by commas, such as 10,20,40, instead of at
    /// the three that follow from the number of rows.
    #[arg(long, value_name = "N", value_delimiter = ',', conflicts_with_all = ["seeds", "interactions"])]
    pub looks: Vec<usize>,
    /// Epochs per run, if the program declares a number of its own.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub epochs: Option<NonZeroUsize>,
    /// A first impression: shorter runs, if the program declares them, and the fewest seeds that can show a
    /// difference, in one look.
    #[arg(long)]
    pub quick: bool,
    /// Start no further look that would end later than so many minutes after the start.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub minutes: Option<NonZeroUsize>,
    /// Processes at a time [default: one per core, or what the program sets]. The results do not depend on it.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub jobs: Option<NonZeroUsize>,
    /// Stop at the first run that fails. Without it the others go on; the runs that finished are reported
    /// either way.
    #[arg(long)]
    pub fail_fast: bool,
    /// Keep the runs in this file, and do not make again those that it holds: stopped at any time and
    /// started again, the program makes only what is missing. Runs of other settings, data or versions
    /// are other runs.
    #[arg(long, value_name = "FILE")]
    pub store: Option<PathBuf>,
    /// Make the runs that failed again.
    #[arg(long, requires = "store")]
    pub retry_failed: bool,
    /// Make only this part of the runs up to the next look, such as 2/5, into the store; then `merge` the
    /// stores of all parts.
    #[arg(long, value_name = "I/N", requires = "store")]
    pub shard: Option<Shard>,
    /// Print a Markdown table.
    #[arg(long, conflicts_with = "shard")]
    pub markdown: bool,
    /// Write a page with plots, table and learning curves there, which opens offline.
    #[arg(long, conflicts_with = "shard", value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write a forest plot of `--question` there.
    #[arg(long, conflicts_with = "shard", value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// The question of the forest plot: a metric, `speed` or `cost` [default: the first metric].
    #[arg(long, value_name = "NAME", requires = "svg")]
    pub question: Option<String>,
    /// Write a line for each row and question there, as CSV.
    #[arg(long, conflicts_with = "shard", value_name = "FILE")]
    pub answers: Option<PathBuf>,
    /// Write everything there: protocol, recipes, rows, runs, interactions, conditions.
    #[arg(long, conflicts_with = "shard", value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Examine each recipe: one more training with the first seed, in which the program looks for what keeps it
    /// from learning, told below the table and in the reports. The runs that are compared stay as they are.
    #[arg(long, conflicts_with = "shard")]
    pub doctor: bool,
    /// Ablations, interactions, tuned rates.
    #[command(flatten)]
    pub lab: LabOptions,
    /// A worker's task, as JSON: this program starts itself with it.
    #[arg(long, hide = true)]
    pub(crate) worker: Option<String>,
}

impl Options {
    /// Whether this process is a worker, which makes runs for another process of the same program.
    pub fn is_worker(&self) -> bool {
        self.worker.is_some()
    }
}
