//! Holds the sentences of a lesson against measurements: `compare --lesson`.

mod measured;

use crate::recipes::{BuiltIn, Recipe, Task};
use burn_tricks::compare::clap::{self, Parser};
use burn_tricks::compare::{Claim, ClaimFinding, Comparison};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// Seeds of every row, where the options do not say.
const SEEDS: usize = 14;

/// Where the lesson is.
const LESSON: &str = "https://github.com/microsoft/AI-For-Beginners/blob/main/lessons/4-ComputerVision/08-TransferLearning/TrainingTricks.md";

const CLAIMS: &str = include_str!("claims.json");

/// Holds each checkable sentence of "Deep Learning Training Tricks", a lesson of Microsoft's course AI for Beginners, against
/// measurements on five tasks, and prints a page of Markdown: the sentence, what was measured, whether it is confirmed, not
/// confirmed, refuted or corrected, and where it holds.
#[derive(Debug, Parser)]
#[command(name = "compare --lesson")]
struct Options {
    #[arg(long, hide = true)]
    lesson: bool,
    /// Seeds of every row.
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::new(SEEDS).expect("not 0"))]
    seeds: NonZeroUsize,
    /// Epochs per run [default: those of the task].
    #[arg(long, value_name = "N")]
    epochs: Option<NonZeroUsize>,
    /// Only the sentences about these tasks.
    #[arg(long, value_name = "TASK", value_delimiter = ',')]
    task: Vec<String>,
    /// Keep the runs in this file, and do not make again those that it holds.
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,
    /// Processes at a time [default: one per core].
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

/// The file of claims.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClaimsFile {
    tasks: Vec<ClaimsTask>,
    claims: Vec<Claim>,
}

/// A built-in task, and recipes that it lacks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClaimsTask {
    name: String,
    extends: BuiltIn,
    recipes: Vec<Value>,
}

/// Whether the arguments ask for it.
pub fn is_asked() -> bool {
    std::env::args_os().any(|argument| argument == "--lesson")
}

/// The whole program, if they do.
pub fn main() -> ExitCode {
    match check(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn check(options: &Options) -> Result<(), Box<dyn Error>> {
    let mut file: ClaimsFile = serde_json::from_str(CLAIMS)?;
    let names: Vec<String> = file.tasks.iter().map(|task| task.name.clone()).collect();
    if let Some(wrong) = options.task.iter().find(|task| !names.contains(task)) {
        return Err(format!(
            "no sentence is about a task `{wrong}`; there are: {}",
            names.join(", ")
        )
        .into());
    }
    if !options.task.is_empty() {
        for claim in &mut file.claims {
            claim.rows.retain(|row| options.task.contains(&row.task));
        }
        file.claims.retain(|claim| !claim.rows.is_empty());
        file.tasks.retain(|task| options.task.contains(&task.name));
    }
    let folder = tempfile::tempdir()?;
    let mut comparisons = BTreeMap::new();
    let mut abouts = Vec::new();
    for task in &file.tasks {
        let (about, recipes) = recipes(task, &file.claims, options.epochs)?;
        abouts.push(format!("- `{}`: {about}", task.name));
        eprintln!("{}", task.name);
        let comparison = compare(options, task, &recipes, folder.path())?;
        comparisons.insert(task.name.clone(), comparison);
    }
    let mut findings: Vec<ClaimFinding> = measured::findings()?;
    for claim in &file.claims {
        findings.push(claim.check(&comparisons)?);
    }
    println!("{}", page(options, &abouts, &findings));
    // One that diverged has a result. What gave none, for lack of memory say, is no answer to any sentence.
    let failed = comparisons.iter().filter_map(|(task, comparison)| {
        let failed = comparison.failed().count();
        let of = comparison.runs.len();
        (failed > 0).then(|| format!("{failed} of {of} runs of `{task}`"))
    });
    let failed: Vec<String> = failed.collect();
    match &failed[..] {
        [] => Ok(()),
        failed => Err(format!("{} failed", failed.join(", ")).into()),
    }
}

/// The recipes of a task that the claims are about and their baselines, as a file of recipes, and what the
/// task is.
fn recipes(
    task: &ClaimsTask,
    claims: &[Claim],
    epochs: Option<NonZeroUsize>,
) -> Result<(String, Value), Box<dyn Error>> {
    let of_claims = claims.iter().flat_map(|claim| &claim.rows);
    let of_task = of_claims.filter(|row| row.task == task.name);
    let mut names: BTreeSet<String> = of_task.map(|row| row.variant.clone()).collect();
    let built_in: Task = task.extends.task();
    let mut all = built_in.recipes.clone();
    if !task.recipes.is_empty() {
        let own = json!({"extends": task.extends, "recipes": task.recipes});
        let own = Task::parse(&own.to_string())?;
        all.extend(
            own.recipes
                .into_iter()
                .filter(|recipe| built_in.find(&recipe.name).is_none()),
        );
    }
    // Baselines come before what is compared with them.
    for recipe in all.iter().rev() {
        if names.contains(&recipe.name) {
            names.extend(recipe.baseline.clone());
        }
    }
    let needed = all.iter().filter(|recipe| names.contains(&recipe.name));
    let written = needed.map(|recipe| written(recipe, &all));
    let file = json!({
        "about": built_in.about,
        "data": built_in.data,
        "epochs": built_in.epochs[0],
        "quick_epochs": built_in.epochs[1],
        "target": built_in.target,
        "recipes": written.collect::<Result<Vec<Value>, _>>()?,
    });
    let baselines = all
        .iter()
        .filter(|recipe| names.contains(&recipe.name) && recipe.baseline.is_none());
    let named = baselines.map(|recipe| format!("`{}` ({})", recipe.name, recipe.about));
    let baselines: Vec<String> = named.collect();
    let epochs = epochs.map_or(built_in.epochs[0], NonZeroUsize::get);
    let about = format!(
        "{}, {epochs} epochs; baselines: {}",
        built_in.about,
        baselines.join(", ")
    );
    Ok((about, file))
}

/// A recipe as it is written in a file.
fn written(recipe: &Recipe, all: &[Recipe]) -> Result<Value, Box<dyn Error>> {
    let settings = |recipe: &Recipe| -> Result<Map<String, Value>, Box<dyn Error>> {
        match serde_json::to_value(&recipe.setup)? {
            Value::Object(fields) => Ok(fields),
            other => Err(format!("settings are an object, not {other}").into()),
        }
    };
    let own = settings(recipe)?;
    let Recipe { name, about, .. } = recipe;
    let Some(baseline) = &recipe.baseline else {
        return Ok(json!({"name": name, "about": about, "settings": own}));
    };
    let of = all
        .iter()
        .find(|other| other.name == *baseline)
        .ok_or("a baseline is missing")?;
    let of = settings(of)?;
    let changed = own
        .into_iter()
        .filter(|(field, value)| of.get(field) != Some(value));
    let change: Map<String, Value> = changed.collect();
    Ok(json!({"name": name, "about": about, "baseline": baseline, "change": change}))
}

/// Starts this program with these recipes, and reads what it has found.
fn compare(
    options: &Options,
    task: &ClaimsTask,
    recipes: &Value,
    folder: &Path,
) -> Result<Comparison, Box<dyn Error>> {
    let [file, result] =
        ["recipes", "result"].map(|what| folder.join(format!("{}-{what}.json", task.name)));
    fs::write(&file, recipes.to_string())?;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("--recipe")
        .arg(&file)
        .arg("--json")
        .arg(&result);
    command.arg("--seeds").arg(options.seeds.to_string());
    if let Some(epochs) = options.epochs {
        command.arg("--epochs").arg(epochs.to_string());
    }
    if let Some(store) = &options.store {
        command.arg("--store").arg(store);
    }
    if let Some(jobs) = options.jobs {
        command.arg("--jobs").arg(jobs.to_string());
    }
    // It fails as well if a run has failed, which is told below the page of all tasks.
    let status = command.stdout(Stdio::null()).status()?;
    let text = fs::read_to_string(&result).unwrap_or_default();
    if text.is_empty() {
        return Err(format!("the comparison of `{}` ended with {status}", task.name).into());
    }
    let comparison: Comparison = serde_json::from_str(&text)?;
    let seeds = options.seeds.get();
    if comparison.rows.iter().any(|row| row.seeds < seeds) {
        return Err(format!(
            "the comparison of `{}` is not finished: {status}",
            task.name
        )
        .into());
    }
    Ok(comparison)
}

fn page(options: &Options, abouts: &[String], findings: &[ClaimFinding]) -> String {
    let count = |conclusion: &str| {
        let is = |finding: &&ClaimFinding| finding.conclusion.to_string() == conclusion;
        format!("{} {conclusion}", findings.iter().filter(is).count())
    };
    let counts = ["confirmed", "corrected", "refuted", "not confirmed"]
        .map(count)
        .join(", ");
    let seeds = options.seeds;
    let mut command = "cargo run --release --example compare -- --lesson".to_owned();
    if seeds.get() != SEEDS {
        command += &format!(" --seeds {seeds}");
    }
    if let Some(epochs) = options.epochs {
        command += &format!(" --epochs {epochs}");
    }
    if !options.task.is_empty() {
        command += &format!(" --task {}", options.task.join(","));
    }
    format!(
        "[Deep Learning Training Tricks]({LESSON}), a lesson of Microsoft's course AI for Beginners, recommends most of the \
         tricks of this library. This page holds its checkable sentences against measurements: {counts}. (They are quoted \
         from one of its versions; another has √n in the second sentence.)\n\n\
         `{command}` prints this page, with {seeds} seeds for each row. The first \
         sentences are measured directly; the others are rows of comparisons on these tasks:\n\n\
         {}\n\n\
         An effect is that of the variant against its baseline, over the same seeds, with its 95 % interval: a \
         difference in percentage points, or a ratio (of a loss below 1 is better, of speed above 1). Verdicts are \
         those of the comparison, each question corrected for all rows of the task. *Confirmed*: what the sentence \
         says was shown wherever anything was shown. *Refuted*: its opposite was, or that there is no difference beyond the \
         margin (0.5 points, ×1.10, ×1.25 in speed). *Corrected*: it holds in one place and not in another, or with \
         other words. *Not confirmed*: nothing was shown with so many seeds. Small networks, small data, and rates that were \
         not tuned: another task may say otherwise.\n\n\
         Where neither network learns, the two are equal, and are called equivalent. A sentence that a change helps \
         does not hold there, since the network does not learn with it either; whether a change harms cannot be asked there.\n\n{}",
        abouts.join("\n"),
        Claim::markdown(findings)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_claim_is_about_recipes_that_there_are() {
        let file: ClaimsFile = serde_json::from_str(CLAIMS).unwrap();
        assert!(file.claims.len() >= 20 && file.tasks.len() >= 3);
        for task in &file.tasks {
            let (_, written) = recipes(task, &file.claims, None).unwrap();
            let parsed = Task::parse(&written.to_string()).unwrap();
            for claim in &file.claims {
                for row in claim.rows.iter().filter(|row| row.task == task.name) {
                    let recipe = parsed.find(&row.variant);
                    let recipe = recipe.unwrap_or_else(|| panic!("{row:?}"));
                    let baseline = recipe.baseline.as_deref();
                    let baseline = baseline.and_then(|name| parsed.find(name));
                    // A change that the baseline has already would be equal to it.
                    assert!(
                        baseline.is_some_and(|baseline| baseline.setup != recipe.setup),
                        "{row:?}"
                    );
                    assert!(recipe.setup.optimizer().is_ok(), "{row:?}");
                }
            }
            // A file that was written says what it was written of.
            let built_in = task.extends.task();
            for recipe in &parsed.recipes {
                if let Some(same) = built_in.find(&recipe.name) {
                    assert_eq!(same.setup, recipe.setup, "{}", recipe.name);
                }
            }
        }
        let names: Vec<&str> = file.tasks.iter().map(|task| &*task.name).collect();
        for row in file.claims.iter().flat_map(|claim| &claim.rows) {
            assert!(names.contains(&&*row.task), "{row:?}");
        }
    }
}
