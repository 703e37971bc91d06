//! Examines a sick network of the clinic, or a healthy one, and prints the diagnosis.
//!
//!     cargo run --release --example doctor -- --list
//!     cargo run --release --example doctor -- eight-layers-of-sigmoids
//!     cargo run --release --example doctor -- eight-layers-of-sigmoids --html page.html

use burn_tricks_examples::clinic::{cases, examine};
use clap::Parser;
use std::path::PathBuf;

/// Examines a sick network, or a healthy one, and prints the diagnosis.
#[derive(Parser)]
struct Options {
    /// The name of the network.
    name: Option<String>,
    /// Lists the networks.
    #[arg(long)]
    list: bool,
    /// The seed of data and weights.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Writes the diagnosis here, as a page.
    #[arg(long)]
    html: Option<PathBuf>,
    /// Writes the diagnosis here, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse();
    let Some(name) = options.name.filter(|_| !options.list) else {
        for case in cases() {
            println!("{:38} {}", case.name, case.story);
        }
        return Ok(());
    };
    let Some(case) = cases().find(|case| case.name == name) else {
        return Err(format!("there is no network `{name}`: see --list").into());
    };
    println!("{}: {} ({})", case.name, case.story, case.source);
    let diagnosis = examine(&(case.program)(options.seed), options.seed).diagnosis;
    println!("{diagnosis}");
    if let Some(path) = options.html {
        std::fs::write(
            path,
            diagnosis.to_html(&format!("{}: {}", case.name, case.story)),
        )?;
    }
    if let Some(path) = options.json {
        std::fs::write(path, diagnosis.to_json())?;
    }
    Ok(())
}
