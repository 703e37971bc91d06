//! How often the verdicts of a comparison are false, and how often they find what is there, over
//! families of rows whose truth is known.
//!
//! `cargo run --release -p burn-tricks-compare --example aa` simulates them and prints the tables of the
//! README, in some minutes; `-- --families 100` coarser ones. `-- --pool FILE` redraws families from real runs
//! instead: those of a store that holds, for each of many splits, runs of a recipe with several seeds, as the
//! loop in the README makes. It ends with a failure if a rate is above what is promised.

mod pool;
mod simulation;

use simulation::{SHAPES, Simulation, Truth};
use std::{env, error::Error, path::Path, process::ExitCode};

/// Families where the arguments do not say how many.
const FAMILIES: u32 = 1000;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let families = |number: &str| match number.parse() {
        Ok(families @ 1..) => Ok(families),
        _ => Err(format!("--families takes a number from 1 up, got {number:?}").into()),
    };
    let holds = match arguments[..] {
        [] => Ok(simulate(FAMILIES)),
        ["--families", number] => families(number).map(simulate),
        ["--pool", file] => redraw(Path::new(file), FAMILIES),
        ["--pool", file, "--families", number] => {
            families(number).and_then(|families| redraw(Path::new(file), families))
        }
        _ => Err("usage: aa [--pool FILE] [--families N]".into()),
    };
    match holds {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("a rate is above 5 % and twice its standard error");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// 5 %, and twice the standard error of such a rate.
fn most(families: u32) -> f64 {
    0.05 + 2.0 * (0.05 * 0.95 / f64::from(families)).sqrt()
}

fn redraw(file: &Path, families: u32) -> Result<bool, Box<dyn Error>> {
    let pools = pool::read(file)?;
    println!(
        "Of {families} families redrawn from each recipe's runs, those with any false verdict, in %:\n"
    );
    println!("| recipe | splits | rows | accuracy | loss | speed | time per step |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    let mut holds = true;
    for pool in pools {
        let rates = pool.false_verdicts(families.into())?;
        let cells = ["accuracy", "loss", "speed", "cost"].map(|question| {
            let rate = rates.get(question);
            rate.map_or("–".to_owned(), |rate| format!("{:.1}", 100.0 * rate))
        });
        let (name, splits) = (&pool.name, pool.splits.len());
        println!(
            "| {name} | {splits} | {} | {} |",
            pool.rows(),
            cells.join(" | ")
        );
        holds &= rates.values().all(|rate| *rate <= most(families));
    }
    Ok(holds)
}

/// Prints the tables, and returns whether each rate is at most 5 %, up to chance.
fn simulate(families: u32) -> bool {
    println!(
        "{families} families of {} rows, read at {} seeds. Families with any false verdict, in %:\n",
        simulation::ROWS,
        simulation::looks()
    );
    println!("| results of a run | A/A | half null | at the margin |");
    println!("| --- | --- | --- | --- |");
    let mut holds = true;
    for shape in SHAPES {
        let rates = [Truth::Null, Truth::HalfNull, Truth::AtTheMargin].map(|truth| {
            let simulation = Simulation { shape, truth };
            simulation.false_verdicts(families)
        });
        let cells = rates.map(|rate| format!("{:.1}", 100.0 * rate));
        println!("| {} | {} |", shape.name(), cells.join(" | "));
        holds &= !shape.is_exchangeable() || rates.iter().all(|rate| *rate <= most(families));
    }
    power(families.div_ceil(40));
    holds
}

fn power(families: u32) {
    println!("\nRows found by each look, in %, of {families} families of normal results:\n");
    println!("| truth | 14 | 24 | 40 |");
    println!("| --- | --- | --- | --- |");
    let line = |what: String, found: [f64; 3]| {
        let cells = found.map(|share| format!("{:.0}", 100.0 * share));
        println!("| {what} | {} |", cells.join(" | "));
    };
    for size in [0.5, 0.75, 1.0, 1.5, 2.0] {
        let found = simulation::differences_found(size, families);
        line(format!("20 of 40 rows differ by {size} sd"), found);
    }
    for margin in [0.75, 1.0, 1.5, 2.0] {
        let found = simulation::equivalences_found(margin, families);
        line(
            format!("no row differs, the margin is {margin} sd: equivalent"),
            found,
        );
    }
}
