//! A process that makes runs of one recipe.

use std::{env, error::Error, io};

use serde::{Deserialize, Serialize};

use crate::{
    outcome::{protocol::Protocol, recipe::Recipe, run::TrainingRun},
    program::{options::Options, reporter::Reporter, study::Study},
    runner::runner::{Job, worker_command},
};

/// What one worker process trains. It gets the options of the program that started it in addition.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Task {
    /// As it is to be trained, which the options alone do not say once it is tuned.
    pub(crate) recipe: Recipe,
    pub(crate) seeds: Vec<u64>,
    pub(crate) is_tuning: bool,
}

/// This program, started with its own arguments and a task.
pub(crate) fn job(
    study: &Study,
    recipe: &Recipe,
    seeds: &[u64],
    is_tuning: bool,
) -> io::Result<Job> {
    let task = Task {
        recipe: recipe.clone(),
        seeds: seeds.to_vec(),
        is_tuning,
    };
    let mut command = worker_command(study.threads)?;
    command.args(env::args_os().skip(1));
    command.arg("--worker").arg(serde_json::to_string(&task)?);
    Ok(Job {
        label: task.recipe.name,
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
    let Task {
        recipe,
        seeds,
        is_tuning,
    } = serde_json::from_str(task)?;
    let tuned = study.tuning.as_ref().filter(|_| is_tuning);
    let asked = match tuned {
        Some(tuning) => Protocol::new([tuning.metric().clone()]),
        None => study.protocol.clone(),
    };
    for seed in seeds {
        let mut reporter = Reporter::new(&recipe.name, seed, study.epochs(options));
        if is_tuning {
            reporter = reporter.for_tuning();
        }
        let trained = train(&recipe, seed, &mut reporter);
        let missing = reporter.missing(&asked);
        let run = match (trained, missing) {
            (Err(error), _) => TrainingRun::failed(&recipe.name, seed, &error.to_string()),
            (Ok(()), Some(missing)) => TrainingRun::failed(&recipe.name, seed, &missing),
            (Ok(()), None) => reporter.into_run(),
        };
        run.emit()?;
    }
    Ok(())
}
