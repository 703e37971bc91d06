//! A process that makes runs of one recipe.

use std::{env, error::Error, io};

use serde::{Deserialize, Serialize};

use crate::{
    outcome::{protocol::Protocol, recipe::Recipe, run::TrainingRun},
    program::{options::Options, peak_memory, reporter::Reporter, study::Study},
    runner::runner::{Job, worker_command},
};

/// What one worker process trains. It gets the options of the program that started it in addition.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Task {
    /// As it is to be trained, which the options alone do not say once it is tuned.
    pub(crate) recipe: Recipe,
    pub(crate) seeds: Vec<u64>,
    pub(crate) purpose: Purpose,
}

/// What a training is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Purpose {
    /// To be compared.
    Compare,
    /// To tune a recipe.
    Tune,
    /// To be examined.
    Examine,
}

/// This program, started with its own arguments and a task.
pub(crate) fn job(
    study: &Study,
    recipe: &Recipe,
    seeds: &[u64],
    purpose: Purpose,
) -> io::Result<Job> {
    let task = Task {
        recipe: recipe.clone(),
        seeds: seeds.to_vec(),
        purpose,
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
        purpose,
    } = serde_json::from_str(task)?;
    let asked = match &study.tuning {
        Some(tuning) if purpose == Purpose::Tune => Protocol::new([tuning.metric().clone()]),
        _ => study.protocol.clone(),
    };
    for seed in seeds {
        let mut reporter =
            Reporter::new(&recipe.name, seed, study.epochs(options)).for_purpose(purpose);
        peak_memory::reset();
        let trained = train(&recipe, seed, &mut reporter);
        // On a GPU most of the memory is not the process's.
        if !study.is_one_job_per_recipe {
            reporter.peak_of_process(peak_memory::bytes());
        }
        let wrong = reporter.wrong(&asked);
        let run = match (trained, wrong) {
            (Err(error), _) => TrainingRun::failed(&recipe.name, seed, &error.to_string()),
            (Ok(()), Some(wrong)) => TrainingRun::failed(&recipe.name, seed, &wrong),
            (Ok(()), None) => reporter.into_run(),
        };
        run.emit()?;
    }
    Ok(())
}
