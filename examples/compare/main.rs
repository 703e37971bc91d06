//! Trains the same network without and with each trick, and says what each trick did.
//!
//! `cargo run --release --example compare` compares all of them on handwritten digits, on the CPU;
//! `-- --help` tells the rest. If a run fails, the others are reported, and the exit status is not 0.

mod campaign;
mod options;
mod report;
mod worker;

use burn_tricks_examples::recipes::{RECIPES, Recipe};
use clap::Parser as _;
use options::{Asked, Options};
use peak_alloc::PeakAlloc;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Counts memory, for what a run costs.
#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match (&options.worker, &options.asked) {
        (Some(task), _) => worker::work(task),
        (None, Some(Asked::Merge { into, stores })) => merge(into, stores),
        (None, None) if options.list => {
            list();
            Ok(())
        }
        (None, None) => campaign::compare(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
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

fn merge(into: &Path, stores: &[PathBuf]) -> Result<(), Box<dyn Error>> {
    let merged = burn_tricks::compare::merge(stores, into)?;
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
