//! Lets the doctor examine every program of the clinic, and counts what it finds.
//!
//!     cargo run --release --example clinic
//!     cargo run --release --example clinic -- --case softmax-twice --show
//!     cargo run --release --example clinic -- --treat
//!     cargo run --release --example clinic -- --random 100 --seeds-from 1
//!     cargo run --release --example clinic -- --core --require sensitivity=1,specificity=1

mod random;
mod table;

use burn_tricks::diagnose::{Diagnosis, History};
use burn_tricks_examples::clinic::{
    CarriedOut, Case, Floor, Half, Origin, Seen, Tally, TreatmentCounts, Verdict, cases, core_set,
    examine, treated,
};
use clap::Parser;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Lets the doctor examine the programs of the clinic, over seeds, and counts what it finds.
#[derive(Parser)]
struct Options {
    /// Seeds 1 to this.
    #[arg(long, default_value_t = 5)]
    seeds: u64,
    /// Only cases whose name has this in it.
    #[arg(long, default_value = "")]
    case: String,
    /// Only 30 faulty programs, one for each of the usual kinds of fault, and 15 healthy ones, one for each of the usual
    /// kinds of network.
    #[arg(long)]
    core: bool,
    /// Only one half: thresholds are chosen by `fitting`, and `report` is only reported.
    #[arg(long)]
    half: Option<HalfName>,
    /// Only programs that were written after the last rule, or only others.
    #[arg(long)]
    unseen: Option<bool>,
    /// Lists the cases and runs none.
    #[arg(long)]
    list: bool,
    /// Prints each diagnosis.
    #[arg(long)]
    show: bool,
    /// Carries out the first prescription of each diagnosis, and says which programs then train as their
    /// healthy twins do.
    #[arg(long)]
    treat: bool,
    /// Examines the healthy twins of the faulty programs too.
    #[arg(long)]
    twins: bool,
    /// Draws so many programs at random, one for each seed, and examines those of them that are sound: that train as well as
    /// the rule behind their data, or as the best of four other trainings. Those that are accused are listed.
    #[arg(long, value_name = "PROGRAMS", conflicts_with_all = ["case", "core", "half", "unseen", "list", "treat", "twins", "json"])]
    random: Option<u64>,
    /// The first seed of the programs at random. `--random 1 --seeds-from 7 --show` shows the diagnosis of that of seed 7.
    #[arg(long, value_name = "SEED", default_value_t = 1, requires = "random")]
    seeds_from: u64,
    /// Keeps what was measured in each run in this folder, and trains no program again whose run is there: rules can
    /// be tried in seconds. Empty it after a change to what is measured, or to a program.
    #[arg(long)]
    store: Option<PathBuf>,
    /// Writes the verdicts here, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Ends with an error if a measure over all runs is below its floor: `sensitivity` (faulty runs that are accused),
    /// `named` (those whose cause is named), `located` (named causes at the right layer), `specificity` (healthy runs
    /// that are not accused) or `precision` (findings that are right or fair), as in `sensitivity=1,precision=0.8`. With
    /// `--random` the only one is `specificity`, and with `--treat` they are `helped` (runs that train as their twins after a
    /// prescription that is more than a text) and `cured` (programs that do in most seeds, after any prescription that was
    /// carried out without training the twin).
    #[arg(
        long,
        value_name = "MEASURE=SHARE",
        value_delimiter = ',',
        conflicts_with = "list"
    )]
    require: Vec<Floor>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum HalfName {
    Fitting,
    Report,
}

impl Options {
    fn cases(&self) -> impl Iterator<Item = &'static Case> {
        let half = self.half.map(|half| match half {
            HalfName::Fitting => Half::Fitting,
            HalfName::Report => Half::Report,
        });
        cases()
            .filter(|case| case.name.contains(&self.case))
            .filter(|case| !self.core || core_set().any(|(_, of)| of.name == case.name))
            .filter(move |case| half.is_none_or(|half| case.half() == half))
            .filter(|case| {
                let is_unseen = case.origin == Origin::Unseen;
                self.unseen.is_none_or(|wanted| wanted == is_unseen)
            })
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse();
    if let Some(count) = options.random {
        return random::examine_all(count, &options);
    }
    if options.cases().next().is_none() {
        return Err(format!("no case has `{}` in its name: see --list", options.case).into());
    }
    if options.list && options.core {
        let chosen = |name: &str| options.cases().any(|case| case.name == name);
        for (kind, case) in core_set().filter(|(_, case)| chosen(case.name)) {
            println!("{kind:38} {}", case.name);
        }
        return Ok(());
    }
    if options.list {
        for case in options.cases() {
            println!("{:38} {}", case.name, case.story);
        }
        let (healthy, sick): (Vec<&Case>, Vec<&Case>) =
            options.cases().partition(|case| case.is_healthy());
        let published = sick.iter().filter(|case| case.origin == Origin::Published);
        println!(
            "\n{} programs with a known fault, {} of them published, and {} healthy ones",
            sick.len(),
            published.count(),
            healthy.len()
        );
        return Ok(());
    }
    if options.treat {
        return demand(&options.require, &treat(&options)?);
    }
    let start = Instant::now();
    let mut verdicts = Vec::new();
    let twins = options.cases().filter_map(Case::healed);
    let twins = twins.filter(|_| options.twins);
    for case in options.cases().copied().chain(twins) {
        let of_case: Vec<Verdict> = (1..=options.seeds)
            .map(|seed| {
                let (shown, diagnosis) = examined(&case, seed, options.store.as_deref())?;
                if options.show {
                    println!("{} from seed {seed}\n{diagnosis}", case.name);
                }
                Ok(Verdict::of(&case, seed, shown, &diagnosis))
            })
            .collect::<Result<_, Box<dyn std::error::Error>>>()?;
        table::row(&case, &of_case);
        verdicts.extend(of_case);
    }
    table::tallies(&verdicts);
    println!("{:.0} s", start.elapsed().as_secs_f64());
    if let Some(path) = &options.json {
        std::fs::write(path, serde_json::to_string_pretty(&verdicts)?)?;
    }
    demand(&options.require, &Tally::of(&verdicts))
}

/// An error if `tally` is below one of these floors.
fn demand(floors: &[Floor], tally: &Tally) -> Result<(), Box<dyn std::error::Error>> {
    let missed: Vec<String> = floors.iter().filter_map(|of| of.missed(tally)).collect();
    if !missed.is_empty() {
        return Err(missed.join("; ").into());
    }
    Ok(())
}

/// Whether a run shows what its case says, and the diagnosis: of a run that is stored in `store`, or of a new one.
fn examined(
    case: &Case,
    seed: u64,
    store: Option<&Path>,
) -> Result<(bool, Diagnosis), Box<dyn std::error::Error>> {
    // A program and its twin have one name.
    let kind = if case.is_healthy() { "healthy" } else { "sick" };
    let path = store.map(|store| store.join(format!("{}-{kind}-{seed}.json", case.name)));
    if let Some(path) = path.as_ref().filter(|path| path.exists()) {
        let (shown, history): (bool, History) = serde_json::from_slice(&std::fs::read(path)?)?;
        return Ok((shown, Diagnosis::from_history(history)));
    }
    let examined = examine(&(case.program)(seed), seed);
    let shown = case.seen.is_in(&examined.outcome);
    if let Some(path) = path {
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        std::fs::write(
            path,
            serde_json::to_vec(&(shown, &examined.diagnosis.history))?,
        )?;
    }
    Ok((shown, examined.diagnosis))
}

/// How far the score of a treated program may be below that of the healthy twin.
const MARGIN: f64 = 0.05;

/// Trains each faulty program as its first prescription says, and its twin, and counts what then trains as the twin. A
/// prescription that is carried out by training the twin shows nothing, and counts for nothing.
fn treat(options: &Options) -> Result<Tally, Box<dyn std::error::Error>> {
    let mut counts = TreatmentCounts::default();
    for case in options.cases() {
        let Some(twin) = case.twin else { continue };
        // A score that is too good, or a loss that is wrong, cannot be compared with the twin's.
        let by_loss = matches!(
            case.seen,
            Seen::Learns(_) | Seen::ValidLoss(_) | Seen::LossAbove(_)
        );
        let mut seeds = Vec::new();
        let mut first = String::new();
        for seed in 1..=options.seeds {
            let (_, diagnosis) = examined(case, seed, options.store.as_deref())?;
            let mut prescribed = diagnosis.findings.iter().flat_map(|finding| {
                finding
                    .prescriptions
                    .iter()
                    .map(move |prescription| (finding, prescription))
            });
            let Some((finding, prescription)) = prescribed.next() else {
                first = "nothing prescribed".to_owned();
                seeds.push(None);
                continue;
            };
            let carried_out = treated(case, seed, finding, prescription);
            let Some((program, how)) = carried_out else {
                first = format!("not carried out, {}: {prescription}", finding.kind);
                seeds.push(None);
                continue;
            };
            first = format!("{how:?}, {}: {prescription}", finding.kind);
            let healthy = twin(seed).run(seed, &mut ());
            let treated = program.run(seed, &mut ());
            let (healthy, treated) = (healthy.result(), treated.result());
            let as_good = treated.valid_score >= healthy.valid_score - MARGIN;
            let as_low = treated.valid_loss <= 1.5 * healthy.valid_loss + MARGIN;
            seeds.push(Some((how, as_good && (as_low || !by_loss))));
        }
        let of_case = counts.count(&seeds);
        println!("{:38} {of_case} of {}  {first}", case.name, seeds.len());
    }
    let TreatmentCounts {
        with_twins,
        cured,
        not_carried_out,
        ..
    } = counts;
    println!(
        "{with_twins} programs train as their twins in most seeds after the first prescription, {cured} without those whose twin is trained for it"
    );
    println!(
        "\n{:24} {:20} {:20}",
        "carried out", "programs", "runs that train as the twin"
    );
    for (way, text) in WAYS {
        let (programs, runs) = (counts.programs(way), counts.runs(way));
        println!("{text:24} {programs:20} {runs:20}");
    }
    println!("{:24} {:20} {not_carried_out:20}", "not at all", "");
    Ok(counts.tally())
}

/// How a prescription is carried out, in words.
const WAYS: [(CarriedOut, &str); 4] = [
    (CarriedOut::Configured, "by its configuration"),
    (CarriedOut::Rebuilt, "by other layers"),
    (CarriedOut::Edited, "as its text says"),
    (CarriedOut::ByHand, "by training the twin"),
];
