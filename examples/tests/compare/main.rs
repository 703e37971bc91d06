//! The programs that compare, as a user runs them.

mod clusters;
mod failures;
mod lab;
mod options;
mod recipes;
mod reports;
mod store;
mod your_own;

use burn_tricks::compare::{Comparison, Cost, TrainingRun};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// The program of an example, which `cargo test` builds beside this one: `examples/compare` next to
/// `deps/compare-...`.
fn program(example: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.ancestors().nth(2).expect("target/<profile>");
    let program = profile
        .join("examples")
        .join(example)
        .with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        program.is_file(),
        "no `{}`: run `cargo test` without `--test`, which builds the examples too",
        program.display()
    );
    program
}

fn compare(arguments: &[&str]) -> Output {
    let mut command = Command::new(program("compare"));
    // More than the machine may have, so that a worker that is not told its own number is found out.
    command.args(arguments).env("RAYON_NUM_THREADS", "3");
    command.output().expect("it starts")
}

/// Started with the arguments in `options`, separated by blanks, and with `path` behind them.
fn start(options: &str, path: &Path) -> Child {
    let mut command = Command::new(program("compare"));
    command.args(options.split(' ')).arg(path);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("it starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn read(path: &Path) -> Comparison {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// What was compared with what, and the runs.
type Timeless = (Vec<String>, Vec<TrainingRun>);

/// Both without what depends on the clock and the machine.
fn timeless(comparison: &Comparison) -> Timeless {
    let recipes = comparison.recipes.iter();
    let runs = comparison.runs.iter().cloned().map(|run| TrainingRun {
        cost: Cost::default(),
        ..run
    });
    (
        recipes.map(|recipe| format!("{recipe:?}")).collect(),
        runs.collect(),
    )
}

/// Options for a short comparison of two arms.
const CLIP: &str = "--only clip --seeds 2 --epochs 1";
