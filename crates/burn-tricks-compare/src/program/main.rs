//! The entry of a program that compares.

use std::{
    error::Error,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, CommandFactory as _, FromArgMatches as _};

use crate::{
    outcome::recipe::Recipe,
    program::{
        compare::compare,
        options::{Asked, Cli, NoOptions, Options},
        reporter::Reporter,
        study::Study,
        worker,
    },
    store::merge,
};

/// Runs a whole program that compares recipes of the caller's own training.
///
/// `train` makes one run: it seeds the device, trains as the recipe says, and reports what it measures. An
/// error that it returns, like a panic, is a run that failed. The program starts itself as worker processes,
/// `--help` lists its options: the choice of recipes and seeds, a store with which it can be killed and
/// resumed, shards for several machines, and reports as text, Markdown, HTML, SVG, CSV and JSON.
///
/// ```no_run
/// use burn_tricks_compare::{Recipe, Reporter, Study};
/// use std::{error::Error, process::ExitCode};
///
/// fn main() -> ExitCode {
///     let study = Study::classification()
///         .baseline("sgd", "plain SGD, learning rate 0.1")
///         .variant("momentum", "sgd", "a momentum of 0.9")
///         .with_epochs(30, 5);
///     burn_tricks_compare::main(study, train)
/// }
///
/// fn train(arm: &Recipe, seed: u64, report: &mut Reporter) -> Result<(), Box<dyn Error>> {
///     let momentum = if arm.name == "momentum" { 0.9 } else { 0.0 };
///     // Seed the device and the data loader, train for `report.epochs()` epochs, measure.
///     # let (accuracy, loss) = (0.9 + momentum / 100.0, 0.3 + seed as f64 / 1000.0);
///     report.metric_and_no_model("accuracy", accuracy, 0.1); // without a model: the commonest class
///     report.metric_and_no_model("loss", loss, 2.3); // without a model: the class frequencies
///     Ok(())
/// }
/// ```
///
/// The exit status is a failure if the study cannot be compared, a run failed, or the program was stopped
/// before the end.
pub fn main<T>(study: Study, train: T) -> ExitCode
where
    T: Fn(&Recipe, u64, &mut Reporter) -> Result<(), Box<dyn Error>>,
{
    let about = format!("{}.", study.title());
    let train = |_: &NoOptions, recipe: &Recipe, seed, reporter: &mut Reporter| {
        train(recipe, seed, reporter)
    };
    main_with(&about, |_, _| Ok(study), train)
}

/// As [`main`], for a program with command-line options of its own, `O`, which derives
/// [`clap::Args`](crate::clap::Args).
///
/// `about` is what `--help` says first. `study` makes the study by the options, in each worker too; `train` gets
/// them as well.
pub fn main_with<O, S, T>(about: &str, study: S, train: T) -> ExitCode
where
    O: Args,
    S: FnOnce(&O, &Options) -> Result<Study, Box<dyn Error>>,
    T: Fn(&O, &Recipe, u64, &mut Reporter) -> Result<(), Box<dyn Error>>,
{
    let command = Cli::<O>::command().about(about.to_owned());
    let cli = Cli::<O>::from_arg_matches(&command.get_matches());
    let cli = cli.unwrap_or_else(|error| error.exit());
    match run(cli, study, train) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run<O, S, T>(cli: Cli<O>, study: S, train: T) -> Result<(), Box<dyn Error>>
where
    O: Args,
    S: FnOnce(&O, &Options) -> Result<Study, Box<dyn Error>>,
    T: Fn(&O, &Recipe, u64, &mut Reporter) -> Result<(), Box<dyn Error>>,
{
    let Cli {
        asked,
        own,
        options,
    } = cli;
    if let Some(Asked::Merge { into, stores }) = asked {
        return merge_stores(&into, &stores);
    }
    let study = study(&own, &options)?;
    if let Some(task) = &options.worker {
        let train =
            |recipe: &Recipe, seed, reporter: &mut Reporter| train(&own, recipe, seed, reporter);
        return worker::work(task, &study, &options, train);
    }
    if options.list {
        list(&study);
        return Ok(());
    }
    compare(&study.asked(&options)?, &options)
}

fn list(study: &Study) {
    let names = study
        .recipes
        .iter()
        .map(|recipe| recipe.name.chars().count());
    let width = names.max().unwrap_or(0);
    for recipe in &study.recipes {
        let Recipe { name, about, .. } = recipe;
        let baseline = recipe.baseline.as_ref();
        let compared = baseline.map_or(String::new(), |with| format!(" (against {with})"));
        println!("{name:width$} {about}{compared}");
    }
}

fn merge_stores(into: &Path, stores: &[PathBuf]) -> Result<(), Box<dyn Error>> {
    let merged = merge::merge(stores, into)?;
    println!("{} runs in `{}`", merged.runs, into.display());
    for (file, line) in &merged.unreadable {
        eprintln!("`{}`, {line}", file.display());
    }
    for (variant, seed) in &merged.conflicts {
        eprintln!(
            "{variant:?} with seed {seed} is there twice with other results; the later one counts"
        );
    }
    Ok(())
}
