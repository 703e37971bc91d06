//! Trains the same network without and with each trick, and says what each trick did.
//!
//! `cargo run --release --example compare` compares all of them on handwritten digits, on the CPU;
//! `-- --help` tells the rest. If a run fails, the others are reported, and the exit status is not 0.

mod options;

use burn_tricks::compare::{self, Options, Protocol, QualityMetric, Reporter, Study, Tuning};
use burn_tricks_examples::lesson;
use burn_tricks_examples::problem::Problem;
use burn_tricks_examples::recipes::{BuiltIn, Task};
use burn_tricks_examples::setup::Setup;
use burn_tricks_examples::trainer::Training;
use options::Own;
use peak_alloc::PeakAlloc;
use serde_json::json;
use std::error::Error;
use std::process::ExitCode;

/// Counts memory, for what a run costs.
#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// So that the results do not depend on the machine or on the number of workers.
const WORKER_THREADS: usize = 1;

const ABOUT: &str = "Compares training tricks: each a single change from a named baseline, with the same seeds in both \
    arms. By default each row gets as many seeds as it needs for verdicts, at most 40. With --lesson it \
    holds the sentences of a lesson against measurements: see `--lesson --help`.";

fn main() -> ExitCode {
    if lesson::is_asked() {
        return lesson::main();
    }
    compare::main_with(ABOUT, study, train)
}

/// What is trained on what.
fn task(own: &Own, is_quick: bool) -> Result<Task, Box<dyn Error>> {
    if let Some(file) = &own.recipe {
        return Ok(Task::read(file)?);
    }
    let tasks: &[BuiltIn] = match own.task.as_slice() {
        [] if is_quick => &[BuiltIn::Mlp],
        [] => &[BuiltIn::Mlp, BuiltIn::DeepMlp],
        asked => asked,
    };
    let mut tasks = tasks.iter().map(|built_in| built_in.task());
    let mut all = tasks.next().ok_or("no task")?;
    for other in tasks {
        let asks = |task: &Task| (task.data, task.target, task.margins, task.epochs);
        if asks(&other) != asks(&all) {
            let (one, other) = (all.about, other.about);
            let what =
                "have other samples, epochs, targets or margins: compare one after the other";
            return Err(format!("{one} and {other} {what}").into());
        }
        if let Some(twice) = other
            .recipes
            .iter()
            .find(|recipe| all.find(&recipe.name).is_some())
        {
            return Err(format!(
                "two tasks have a recipe `{}`: compare one after the other",
                twice.name
            )
            .into());
        }
        all.recipes.extend(other.recipes);
    }
    Ok(all)
}

fn problem(own: &Own, task: &Task) -> Result<Problem, Box<dyn Error>> {
    match (&own.data, &own.csv, &own.target) {
        (Some(folder), _, _) => Problem::idx(folder),
        (None, Some(file), Some(target)) => Problem::csv(file, target, own.predict),
        _ => Ok(Problem::of(task.data)),
    }
}

/// The recipes of the tasks, or of a file.
fn study(own: &Own, options: &Options) -> Result<Study, Box<dyn Error>> {
    // Rows that only a longer comparison has can be named in a short one too.
    let task = task(
        own,
        options.quick && options.only.is_empty() && !options.is_worker(),
    )?;
    let problem = problem(own, &task)?;
    let device = own.backend.device()?;
    if !options.is_worker() && !options.list {
        // What would fail in every worker fails here, once.
        for recipe in &task.recipes {
            let training = Training {
                setup: &recipe.setup,
                problem: &problem,
                seed: 1,
                split_seed: 1,
                target: task.target,
                device: &device,
            };
            let checked = training.check();
            checked.map_err(|error| format!("recipe `{}`: {error}", recipe.name))?;
        }
    }
    let margins = task.margins;
    let loss = |name: &str| QualityMetric::loss(name).with_margin(margins.loss);
    let (metrics, target) = if problem.is_regression {
        let share = 100.0 * task.target.share_of_rmse;
        let target = format!("{share} % of the RMSE of predicting the mean");
        (vec![loss("RMSE")], target)
    } else {
        let metrics = vec![
            QualityMetric::share("accuracy").with_margin(margins.accuracy),
            loss("loss"),
        ];
        (
            metrics,
            format!("{} % validation accuracy", 100.0 * task.target.accuracy),
        )
    };
    if options.lab.tune && own.split_seed.is_none() && problem.redraws_test_part() {
        let why = "each seed has a split of its own, and so the validation data of the tuning would be test data of \
                   other seeds";
        return Err(format!(
            "`--tune` needs one split for all seeds, such as `--split-seed 1`: {why}"
        )
        .into());
    }
    let loss = metrics.last().cloned().ok_or("no metric")?;
    let redraws = match (own.split_seed, problem.redraws_test_part()) {
        (Some(seed), _) => {
            format!("the training; the split is that of seed {seed} for all, test part included")
        }
        (None, true) => "the training and the split, test part included".to_owned(),
        (None, false) => {
            "the training and its validation part; the test part is a file of its own".to_owned()
        }
    };
    let described = task.recipes.iter().map(|recipe| recipe.described());
    let [epochs, quick] = task.epochs;
    let protocol = Protocol {
        speed_margin: margins.speed,
        cost_margin: margins.cost,
        ..Protocol::new(metrics).with_target(&target)
    };
    let mut study = Study::new(protocol)
        .with_recipes(described.collect::<Result<Vec<_>, _>>()?)
        .with_epochs(epochs, quick)
        .with_threads(Some(WORKER_THREADS))
        .with_tuning(Tuning::new("learning_rate", loss))
        .with_doctor()
        .with_condition("a seed redraws", redraws)
        // The sources of this program and of the workspace's crates, and the versions of all others.
        .with_code(env!("BURN_TRICKS_CODE"))
        .with_title(title(own, options, &task, &problem))
        .with_context(json!({
            "data": (!options.is_worker()).then(|| problem.checksum()),
            "task": task.data,
            "target": task.target,
            "split": own.split_seed,
            "backend": own.backend,
        }));
    if own.backend.is_gpu() {
        study = study.with_one_job_per_recipe();
    }
    Ok(study)
}

fn title(own: &Own, options: &Options, task: &Task, problem: &Problem) -> String {
    let redrawn = match own.split_seed {
        Some(seed) => format!(", the split of seed {seed}"),
        None if problem.redraws_test_part() => ", each seed with a split of its own".to_owned(),
        None => String::new(),
    };
    let [full, quick] = task.epochs;
    let default = if options.quick { quick } else { full };
    let epochs = match options.epochs.map_or(default, usize::from) {
        1 => "1 epoch".to_owned(),
        several => format!("{several} epochs"),
    };
    let (data, about) = (&problem.about, &task.about);
    if options.quick {
        format!(
            "A first impression of training tricks on {data}{redrawn}: {about}, {epochs}; with {full} epochs \
             verdicts may differ"
        )
    } else {
        format!("Training tricks on {data}{redrawn}: {about}, {epochs}")
    }
}

/// One run.
fn train(
    own: &Own,
    recipe: &compare::Recipe,
    seed: u64,
    report: &mut Reporter,
) -> Result<(), Box<dyn Error>> {
    // The backends on the CPU compute on Rayon's threads, and how many there are changes how sums are
    // rounded.
    let threads = rayon::current_num_threads();
    if threads != WORKER_THREADS {
        return Err(format!("a worker runs on {WORKER_THREADS} thread, not on {threads}").into());
    }
    let setup: Setup = serde_json::from_value(recipe.settings.clone())?;
    let task = task(own, false)?;
    let problem = problem(own, &task)?;
    MEMORY.reset_peak_usage();
    let training = Training {
        setup: &setup,
        problem: &problem,
        seed,
        split_seed: own.split_seed.unwrap_or(seed),
        target: task.target,
        device: &own.backend.device()?,
    };
    training.run(report)?;
    if !own.backend.is_gpu() {
        report.peak_bytes(MEMORY.peak_usage() as u64);
    }
    Ok(())
}
