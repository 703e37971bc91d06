//! A process that makes runs of one recipe.

use std::{env, error::Error, io};

use serde::{Deserialize, Serialize};

use crate::{
    outcome::{recipe::Recipe, run::Run},
    program::{options::Options, reporter::Reporter, study::Study},
    runner::runner::{Job, worker_command},
};

/// What one process does, beside the options of the program that started it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) variant: String,
    pub(crate) seeds: Vec<u64>,
}

/// This program, started with its own arguments and a task.
pub(crate) fn job(study: &Study, variant: &str, seeds: &[u64]) -> io::Result<Job> {
    let task = Task {
        variant: variant.to_owned(),
        seeds: seeds.to_vec(),
    };
    let mut command = worker_command(study.threads)?;
    command.args(env::args_os().skip(1));
    command.arg("--worker").arg(serde_json::to_string(&task)?);
    Ok(Job {
        label: task.variant,
        seeds: task.seeds,
        command,
    })
}

/// Does a task, and prints its runs. A training that returns an error is a failed run, and the next seed
/// follows.
pub(crate) fn work(
    task: &str,
    study: &Study,
    options: &Options,
    train: impl Fn(&Recipe, u64, &mut Reporter) -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let task: Task = serde_json::from_str(task)?;
    let named = |recipe: &&Recipe| recipe.name == task.variant;
    let recipe = study.recipes.iter().find(named);
    let recipe = recipe.ok_or_else(|| format!("there is no recipe `{}`", task.variant))?;
    for seed in task.seeds {
        let mut reporter = Reporter::new(&recipe.name, seed, study.epochs(options));
        let trained = train(recipe, seed, &mut reporter);
        let missing = reporter.missing(&study.protocol);
        let run = match (trained, missing) {
            (Err(error), _) => Run::failed(&recipe.name, seed, &error.to_string()),
            (Ok(()), Some(missing)) => Run::failed(&recipe.name, seed, &missing),
            (Ok(()), None) => reporter.into_run(),
        };
        run.emit()?;
    }
    Ok(())
}
