//! Checks this library on a GPU: that every trick and module gives there what it gives on `flex`, that the host reads nothing
//! in a step but what the documentation names, and that the oracles and laws of the test suite hold. It also times what each
//! trick costs.
//!
//! ```text
//! cargo run --release -p burn-tricks-tests --features vulkan,autotune --example gpu_check
//! ```
//!
//! With `cuda`, `metal`, `rocm` or `wgpu` instead of `vulkan` on other machines. `-- --help` prints the rest. Each section is
//! a process of its own (`run.rs`), which prints a row for each check as JSON (`report.rs`); the first process makes a table
//! of them. What does not hold is listed last, and then the exit status is 1.

mod cases;
mod compare;
mod counters;
#[path = "../suite/devices.rs"]
#[allow(dead_code)] // the suite needs more of it
mod devices;
mod laws;
mod models;
mod modules;
#[path = "../../examples/bench_step/pairs.rs"]
#[allow(dead_code)] // and so does the benchmark
mod pairs;
mod problem;
mod reads;
mod recipe;
mod report;
mod run;
mod times;
mod training;

use burn::tensor::Device;
use clap::{Parser, ValueEnum};
use report::{Row, table};
use run::{Deadline, Ended};
use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use times::{On, Timed};

/// A part of the check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Section {
    /// The oracles and laws of the test suite, without Burn's `fusion` of operations.
    Laws,
    /// The same with fusion, where laws that hold to the last bit may fail by a rounding. Only if asked for.
    LawsFused,
    /// Every trick and module against `flex`, in `f32`, `f16` and `bf16`.
    Compare,
    /// Tensors that the host reads in a step, and kernels that a step launches.
    Reads,
    /// Times of AdamW with clipping and averaging, and without.
    Aims,
    /// The same without fusion.
    Unfused,
    /// Times of optimizers that need a number of each tensor, against those that do not.
    Norms,
    /// Times of our optimizers and Burn's.
    Optimizers,
    /// Times with every trick and module, and without.
    Times,
}

/// Checks this library on a GPU.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// The device, by its backend's name. Default: the first GPU of those that are compiled in.
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Only these sections, separated by commas, in this order. Default: all but `laws-fused`.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "SECTION")]
    only: Vec<Section>,
    /// What is timed, separated by commas, in this order. Default: everything.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAME")]
    on: Vec<On>,
    /// Seconds for a section, after which it is cut off and counts as failed.
    #[arg(long, default_value_t = 1800, value_name = "SECONDS")]
    limit: u64,
    /// A file for the rows, one JSON object per line, written as they come.
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
    /// The compiled test suite, for machines without cargo. Default: it is built.
    #[arg(long, value_name = "PATH")]
    suite: Option<PathBuf>,
    /// In `laws`, every test of the suite, not only those of `suites.txt`, for which a software renderer takes minutes.
    #[arg(long)]
    all_laws: bool,
    /// Small tensors and few steps, to see that it runs.
    #[arg(long)]
    quick: bool,
    /// Times every section without fusion, as `unfused` always is.
    #[arg(long)]
    no_fusion: bool,
    /// Only run this section, in this process, and print its rows.
    #[arg(long, value_enum, hide = true)]
    section: Option<Section>,
}

impl Section {
    /// Those that are run if none is chosen.
    const USUAL: [Self; 8] = [
        Self::Compare,
        Self::Reads,
        Self::Aims,
        Self::Unfused,
        Self::Norms,
        Self::Optimizers,
        Self::Times,
        Self::Laws,
    ];

    fn name(self) -> String {
        let value = self.to_possible_value().expect("none is skipped");
        value.get_name().to_owned()
    }

    /// In this process.
    fn run(self, (name, device): (&str, &Device), on: &[On], quick: bool) {
        let on = if on.is_empty() { &On::ALL } else { on };
        match self {
            Self::Laws | Self::LawsFused => unreachable!("it is a program of its own"),
            Self::Compare => compare::run(device),
            Self::Reads => reads::run(device, name),
            Self::Aims => times::run(device, Timed::Aims { fusion: true }, on, quick),
            Self::Unfused => times::run(device, Timed::Aims { fusion: false }, on, quick),
            Self::Norms => times::run(device, Timed::Norms, on, quick),
            Self::Optimizers => times::run(device, Timed::Optimizers, on, quick),
            Self::Times => times::run(device, Timed::Everything, on, quick),
        }
    }
}

/// The device of this name, or the first of a GPU.
fn device(name: Option<&str>) -> Result<(&'static str, Device), Box<dyn Error>> {
    let devices = devices::devices();
    let names: Vec<_> = devices.iter().map(|(name, _)| *name).collect();
    let names = names.join(", ");
    let found = devices.into_iter().find(|(one, _)| match name {
        Some(name) => *one == name,
        None => devices::is_gpu(one),
    });
    found.ok_or_else(|| match name {
        Some(name) => format!("no device `{name}` in this build or machine; there are: {names}").into(),
        None => format!(
            "no GPU; there are: {names}. Add its backend to the cargo command: `--features vulkan,autotune`"
        )
        .into(),
    })
}

/// What the machine calls the device.
fn identity(device: &Device) -> String {
    #[cfg(feature = "gpu")]
    if let Some(identity) = device.identity() {
        return format!("{}, {}", identity.name, identity.fingerprint);
    }
    format!("{device:?}")
}

/// The rows of a run, as they come.
struct Rows {
    all: Vec<Row>,
    file: Option<File>,
}

impl Rows {
    fn write(&mut self, row: &Row) -> Result<(), Box<dyn Error>> {
        if let Some(file) = &mut self.file {
            serde_json::to_writer(&*file, row)?;
            writeln!(file)?;
        }
        Ok(())
    }

    fn push(&mut self, row: Row) -> Result<(), Box<dyn Error>> {
        self.write(&row)?;
        if row.fails() {
            eprintln!(
                "FAIL: {}, {}, {}: {}",
                row.section, row.on, row.name, row.note
            );
        }
        self.all.push(row);
        Ok(())
    }
}

fn section(
    section: Section,
    options: &Options,
    device: &str,
    rows: &mut Rows,
) -> Result<(), Box<dyn Error>> {
    let name = section.name();
    eprintln!("=== {name}");
    let (begin, deadline) = (rows.all.len(), Deadline::seconds(options.limit));
    let mut failure = Ok(());
    let mut keep = |row: Row| {
        if let Err(error) = rows.push(row) {
            failure = Err(error);
        }
    };
    if let Section::Laws | Section::LawsFused = section {
        let fusion = section == Section::LawsFused;
        let suite = (options.suite.as_deref(), options.all_laws);
        if let Err(error) = laws::check(suite, device, fusion, deadline, &mut keep) {
            keep(Row::new(&name, "", "the section").failed(error.to_string()));
        }
    } else {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--section", &name, "--device", device]);
        for on in &options.on {
            let value = on.to_possible_value().expect("none is skipped");
            command.args(["--on", value.get_name()]);
        }
        if options.quick {
            command.arg("--quick");
        }
        if options.no_fusion || section == Section::Unfused {
            command.env(run::NO_FUSION.0, run::NO_FUSION.1);
        }
        let ended = run::run(command, deadline, |line| match serde_json::from_str(line) {
            Ok(row) => keep(row),
            Err(_) => eprintln!("{line}"),
        })?;
        if ended != Ended::Well {
            keep(Row::new(&name, "", "the section").failed(ended.to_string()));
        }
    }
    failure?;
    if rows.all.len() == begin {
        let row = Row::new(&name, "", "the section");
        rows.push(if options.on.is_empty() {
            row.failed("it ended without a row")
        } else {
            row.not_checked("it times nothing on what `--on` names")
        })?;
    }
    println!("\n{name}\n{}", table(&rows.all[begin..]));
    Ok(())
}

/// Says what was not checked, how many checks hold, and which do not.
fn conclude(rows: &[Row], device: &str) -> ExitCode {
    let mut not_checked = BTreeMap::<(&str, &str), usize>::new();
    for row in rows.iter().filter(|row| row.ok.is_none()) {
        *not_checked.entry((&row.section, &row.note)).or_default() += 1;
    }
    for ((section, why), count) in not_checked {
        println!("\nnot checked: {count} of {section}: {why}");
    }
    let failed: Vec<_> = rows.iter().filter(|row| row.fails()).collect();
    let checked = rows.iter().filter(|row| row.ok.is_some()).count();
    if checked == 0 {
        println!("\nnothing was checked on {device}");
        return ExitCode::FAILURE;
    }
    if failed.is_empty() {
        println!("\n{checked} checks hold on {device}");
        return ExitCode::SUCCESS;
    }
    println!("\n{} of {checked} checks fail on {device}:", failed.len());
    for row in failed {
        println!("  {}: {}, {}: {}", row.section, row.on, row.name, row.note);
    }
    ExitCode::FAILURE
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let options = Options::parse();
    let (name, device) = device(options.device.as_deref())?;
    if let Some(section) = options.section {
        section.run((name, &device), &options.on, options.quick);
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = Rows {
        all: Vec::new(),
        file: options.json.as_ref().map(File::create).transpose()?,
    };
    let mut about = Row::new("device", name, &identity(&device));
    about.note = format!(
        "burn-tricks {}, optimised: {}, autotune: {}",
        env!("CARGO_PKG_VERSION"),
        !cfg!(debug_assertions),
        cfg!(feature = "autotune"),
    );
    println!("{}: {}; {}", about.on, about.name, about.note);
    rows.write(&about)?;
    let sections = match &*options.only {
        [] => &Section::USUAL,
        chosen => chosen,
    };
    for one in sections {
        section(*one, &options, name, &mut rows)?;
    }
    Ok(conclude(&rows.all, name))
}
