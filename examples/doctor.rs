//! Examines a faulty network of the clinic, or a healthy one, and prints the diagnosis.
//!
//!     cargo run --release --example doctor -- --list
//!     cargo run --release --example doctor -- eight-layers-of-sigmoids
//!     cargo run --release --example doctor -- eight-layers-of-sigmoids --html page.html
//!     cargo run --release --example doctor -- eight-layers-of-sigmoids --verify

use burn_tricks::compare::{Better, QualityMetric};
use burn_tricks::diagnose::{Diagnosis, Finding, Prescription, VerifyConfig};
use burn_tricks_examples::clinic::data::Task;
use burn_tricks_examples::clinic::{CarriedOut, Case, Program, cases, examine, treated};
use clap::Parser;
use std::path::PathBuf;

/// Examines a faulty network of the clinic, or a healthy one, and prints the diagnosis.
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
    /// helped. One in words that only a reader can carry out is not verified: the healthy twin of the network, the same
    /// without the fault, shows what the fault costs.
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
    let carried_out = |(finding, prescription)| {
        let (_, how) = treated(case, 1, finding, prescription)?;
        Some((finding, prescription, how))
    };
    let Some((finding, prescription, how)) = prescribed.into_iter().find_map(carried_out) else {
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
    if how == CarriedOut::ByHand {
        show_twin(case, finding, prescription, &metric.name);
        return Ok(());
    }
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

/// The seeds over which a network is compared with its twin.
const SEEDS: std::ops::RangeInclusive<u64> = 1001..=1003;

/// Prints what the fault costs. It verifies nothing: the twin is what the prescription should lead to, whatever it says.
fn show_twin(case: &Case, finding: &Finding, prescription: &Prescription, metric: &str) {
    let Some(twin) = case.twin else { return };
    let mean = |program: fn(u64) -> Program| {
        let score = |seed| program(seed).run(seed, &mut ()).result().valid_score;
        SEEDS.map(score).sum::<f64>() / SEEDS.count() as f64
    };
    println!(
        "for {}, not verified: {prescription}\n\
         This prescription is a text that a reader has to carry out. Carried out by hand, the network is its healthy twin, \
         the same without the fault: {metric} {:.3} in place of {:.3}, means of {} seeds. That is what the fault costs, and \
         no proof that the prescription helps.",
        finding.kind,
        mean(twin),
        mean(case.program),
        SEEDS.count(),
    );
}
