//! Trains the same network without and with each trick, and says what each trick did.
//!
//! `cargo run --release --example compare` compares all of them on handwritten digits, on the CPU;
//! `-- --help` tells the rest. If a run fails, the others are reported, and the exit status is not 0.

use burn_tricks::compare::{Comparison, Job, Runner, worker_command};
use burn_tricks_examples::data::Source;
use burn_tricks_examples::device::Backend;
use burn_tricks_examples::recipes::{self, RECIPES, Recipe};
use burn_tricks_examples::{idx, trainer};
use clap::Parser;
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::fs::OpenOptions;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::available_parallelism;

/// Compares training tricks on handwritten digits: each a single change from a named baseline, with the
/// same seeds in both arms.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// Compare only these (and the baselines they need), separated by commas.
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = recipe)]
    only: Vec<String>,
    /// List what can be compared, and stop.
    #[arg(long)]
    list: bool,
    /// Seeds per variant. Fewer than 6 can show no difference [default: 6; with --quick 3].
    #[arg(long, value_name = "N")]
    seeds: Option<NonZeroUsize>,
    /// Epochs per run [default: 100; with --quick 15].
    #[arg(long, value_name = "N")]
    epochs: Option<NonZeroUsize>,
    /// A first impression, in under half a minute on two cores.
    #[arg(long)]
    quick: bool,
    /// The backend to run on.
    #[arg(long, value_enum, default_value = "flex")]
    device: Backend,
    /// Processes at a time [default: one per core; on a GPU 1]. The results do not depend on it.
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Stop at the first run that fails. Without it the others go on; the runs that finished are reported
    /// either way.
    #[arg(long)]
    fail_fast: bool,
    /// A folder with MNIST's four IDX files, gzipped or not, instead of the digits.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Write the runs, finished and failed, and the summary of each variant there.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// A worker's task, as JSON: this program starts itself with it.
    #[arg(long, hide = true)]
    worker: Option<String>,
}

/// So that the results do not depend on the machine or on the number of workers.
const WORKER_THREADS: usize = 1;

/// What one process does.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Task {
    variant: String,
    seeds: Vec<u64>,
    epochs: usize,
    device: Backend,
    data: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match &options.worker {
        Some(task) => work(task),
        None if options.list => {
            list();
            Ok(())
        }
        None => compare(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn recipe(name: &str) -> Result<String, String> {
    match recipes::find(name) {
        Some(_) => Ok(name.to_owned()),
        None => {
            let names: Vec<_> = RECIPES.iter().map(|recipe| recipe.name).collect();
            Err(format!("no such variant; there are {}", names.join(", ")))
        }
    }
}

fn list() {
    for Recipe {
        name,
        baseline,
        about,
        ..
    } in RECIPES
    {
        let compared = baseline.map_or(String::new(), |with| format!(" (against {with})"));
        println!("{name:18} {about}{compared}");
    }
}

fn source(data: Option<&PathBuf>) -> Result<Source, Box<dyn Error>> {
    match data {
        Some(folder) => Ok(idx::read_folder(folder)?),
        None => Ok(Source::digits()),
    }
}

/// Every chosen recipe, and the baselines of the chosen, to the first.
fn chosen(only: &[String]) -> Vec<&'static Recipe> {
    let named = |name: &str| only.is_empty() || only.iter().any(|chosen| chosen == name);
    let needed = |name: &str| {
        let of_chosen =
            |r: &Recipe| named(r.name) && r.baselines().any(|baseline| baseline == name);
        RECIPES.iter().any(of_chosen)
    };
    RECIPES
        .iter()
        .filter(|recipe| named(recipe.name) || needed(recipe.name))
        .collect()
}

fn compare(options: &Options) -> Result<(), Box<dyn Error>> {
    let epochs = options
        .epochs
        .map_or(if options.quick { 15 } else { 100 }, NonZeroUsize::get);
    let seeds = options
        .seeds
        .map_or(if options.quick { 3 } else { 6 }, NonZeroUsize::get);
    let seeds: Vec<u64> = (1..=seeds as u64).collect();
    // What would fail in every worker fails here, once.
    options.device.device()?;
    source(options.data.as_ref())?;
    // And a report that cannot be written before the runs. What a file holds stays there until then.
    if let Some(path) = &options.json {
        let opened = OpenOptions::new().append(true).create(true).open(path);
        opened.map_err(|error| cannot_write(path, &error))?;
    }

    let recipes = chosen(&options.only);
    let mut jobs = Vec::new();
    for recipe in &recipes {
        // A process on a GPU compiles its shaders first: one for all seeds.
        let per_process = if options.device.is_gpu() {
            seeds.len()
        } else {
            1
        };
        for seeds in seeds.chunks(per_process) {
            jobs.push(job(recipe, seeds, epochs, options)?);
        }
    }
    let parallel = match (options.jobs, options.device.is_gpu()) {
        (Some(jobs), _) => jobs,
        (None, true) => NonZeroUsize::MIN,
        (None, false) => available_parallelism().unwrap_or(NonZeroUsize::MIN),
    };
    let described = |recipe: &&Recipe| burn_tricks::compare::Recipe {
        name: recipe.name.to_owned(),
        baseline: recipe.baseline.map(str::to_owned),
        about: recipe.about.to_owned(),
    };
    let recipes: Vec<_> = recipes.iter().map(described).collect();
    Comparison::check(&recipes, &jobs)?;
    let runs = Runner::new(parallel)
        .with_fail_fast(options.fail_fast)
        .with_progress(true)
        .run(jobs);
    let comparison = Comparison::init(&recipes, runs)?;
    print!("{}", comparison.table());
    if let Some(path) = &options.json {
        let json = serde_json::to_string_pretty(&comparison)?;
        std::fs::write(path, json).map_err(|error| cannot_write(path, &error))?;
    }
    let (failed, finished) = (&comparison.failed, comparison.runs.len());
    if failed.is_empty() {
        return Ok(());
    }
    for run in failed {
        eprintln!("{run}");
    }
    Err(format!(
        "{} of {} runs failed",
        failed.len(),
        finished + failed.len()
    )
    .into())
}

fn cannot_write(path: &Path, error: &io::Error) -> String {
    format!("cannot write `{}`: {error}", path.display())
}

fn job(
    recipe: &Recipe,
    seeds: &[u64],
    epochs: usize,
    options: &Options,
) -> Result<Job, Box<dyn Error>> {
    let task = Task {
        variant: recipe.name.to_owned(),
        seeds: seeds.to_vec(),
        epochs,
        device: options.device,
        data: options.data.clone(),
    };
    let mut command = worker_command(Some(WORKER_THREADS))?;
    command.arg("--worker").arg(serde_json::to_string(&task)?);
    Ok(Job {
        label: task.variant,
        seeds: task.seeds,
        command,
    })
}

fn work(task: &str) -> Result<(), Box<dyn Error>> {
    // The backends on the CPU compute on Rayon's threads, and how many there are changes how sums are
    // rounded.
    let threads = rayon::current_num_threads();
    if threads != WORKER_THREADS {
        return Err(format!("a worker runs on {WORKER_THREADS} thread, not on {threads}").into());
    }
    let task: Task = serde_json::from_str(task)?;
    let recipe = recipes::find(&task.variant).ok_or("no such variant")?;
    let (source, device) = (source(task.data.as_ref())?, task.device.device()?);
    for seed in task.seeds {
        trainer::run(recipe, seed, task.epochs, &source, &device)?.emit()?;
    }
    Ok(())
}
