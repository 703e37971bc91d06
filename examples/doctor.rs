//! Examines a sick network of the clinic, or a healthy one, and prints the diagnosis.
//!
//!     cargo run --release --example doctor -- --list
//!     cargo run --release --example doctor -- eight-layers-of-sigmoids
//!     cargo run --release --example doctor -- eight-layers-of-sigmoids --html page.html
//!     cargo run --release --example doctor -- eight-layers-of-sigmoids --verify

use burn_tricks::compare::{Better, QualityMetric};
use burn_tricks::diagnose::{Diagnosis, Finding, Prescription, VerifyConfig};
use burn_tricks_examples::clinic::data::Task;
use burn_tricks_examples::clinic::{Case, cases, examine, treated};
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
    /// Trains with and without the first prescription that can be carried out, over other seeds, and says whether it
    /// helped.
    #[arg(long)]
    verify: bool,
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
    if options.verify {
        verify(case, &diagnosis)?;
    }
    Ok(())
}

/// Trains over seeds, as the network is and as the first prescription has it that a program can carry out.
fn verify(case: &Case, diagnosis: &Diagnosis) -> Result<(), Box<dyn std::error::Error>> {
    let prescribed = diagnosis.findings.iter().flat_map(|finding| {
        let prescriptions = finding.prescriptions.iter();
        prescriptions.map(move |prescription| (finding, prescription))
    });
    let is_possible = |(finding, prescription): &(&Finding, &Prescription)| {
        treated(case, 1, finding, prescription).is_some()
    };
    let Some((finding, prescription)) = prescribed.into_iter().find(is_possible) else {
        return Err("no prescription of this diagnosis can be carried out".into());
    };
    let sample = (case.program)(1);
    let targets = sample.data.valid.targets.concat();
    let (metric, no_model) = match sample.data.task {
        Task::Classes(classes) => {
            let count = |class: usize| {
                targets
                    .iter()
                    .filter(|target| **target == class as f32)
                    .count()
            };
            let most = (0..classes).map(count).max().unwrap_or(0);
            (
                QualityMetric::share("accuracy"),
                most as f64 / targets.len() as f64,
            )
        }
        // The share of the variance that is explained: 0 for the mean of the targets.
        Task::Numbers => (QualityMetric::plain("R²", Better::Higher, 0.01), 0.0),
    };
    println!(
        "for {}, training with and without: {prescription}",
        finding.kind
    );
    let config = VerifyConfig::new().with_no_model(Some(no_model));
    let verification = config.run(prescription, metric, |prescription, seed| {
        let with = prescription.and_then(|of| treated(case, seed, finding, of));
        let program = with.map_or_else(|| (case.program)(seed), |(program, _)| program);
        let score = program.run(seed, &mut ()).result().valid_score;
        eprint!(".");
        score
    })?;
    eprintln!();
    println!("{verification}");
    Ok(())
}
