//! How often the verdicts of a comparison are false, and how often they find what is there, over
//! simulated families of rows whose truth is known.
//!
//! `cargo run --release -p burn-tricks-compare --example aa` prints the tables of the README, in some
//! minutes; `-- --families 100` coarser ones. It ends with a failure if a rate is above what is promised.

mod simulation;

use simulation::{SHAPES, Simulation, Truth};
use std::{env, process::ExitCode};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let families = match &arguments[..] {
        [] => Some(1000),
        [flag, number] if flag == "--families" => number.parse().ok(),
        _ => None,
    };
    let Some(families) = families.filter(|families| *families > 0) else {
        eprintln!("usage: aa [--families N]");
        return ExitCode::FAILURE;
    };
    let looks = simulation::looks();
    println!(
        "{families} families of {} rows, read at {looks} seeds. Families with any false verdict, in %:\n",
        simulation::ROWS
    );
    let holds = false_verdicts(families);
    println!(
        "\nRows found by each look, in %, of {} families:\n",
        families.div_ceil(40)
    );
    power(families.div_ceil(40));
    match holds {
        true => ExitCode::SUCCESS,
        false => {
            eprintln!("a rate is above 5 % and twice its standard error");
            ExitCode::FAILURE
        }
    }
}

/// Prints the rates, and returns whether each is at most 5 %, up to chance.
fn false_verdicts(families: u32) -> bool {
    println!("| differences within a pair | A/A | half null | at the margin |");
    println!("| --- | --- | --- | --- |");
    let most = 0.05 + 2.0 * (0.05 * 0.95 / f64::from(families)).sqrt();
    let mut holds = true;
    for shape in SHAPES {
        let rates = [Truth::Null, Truth::HalfNull, Truth::AtTheMargin].map(|truth| {
            let simulation = Simulation { shape, truth };
            simulation.false_verdicts(families)
        });
        let cells = rates.map(|rate| format!("{:.1}", 100.0 * rate));
        println!("| {} | {} |", shape.name(), cells.join(" | "));
        holds &= !shape.is_exchangeable() || rates.iter().all(|rate| *rate <= most);
    }
    holds
}

fn power(families: u32) {
    println!("| truth | 14 | 24 | 40 |");
    println!("| --- | --- | --- | --- |");
    let line = |what: String, found: [f64; 3]| {
        let cells = found.map(|share| format!("{:.0}", 100.0 * share));
        println!("| {what} | {} |", cells.join(" | "));
    };
    for size in [0.5, 0.75, 1.0, 1.5, 2.0] {
        let found = simulation::differences_found(size, families);
        line(format!("20 of 40 rows differ by {size} sd: found"), found);
    }
    for margin in [0.75, 1.0, 1.5, 2.0] {
        let found = simulation::equivalences_found(margin, families);
        line(
            format!("no row differs, margin {margin} sd: equivalent"),
            found,
        );
    }
}
