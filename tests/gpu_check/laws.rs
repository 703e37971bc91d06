//! The oracles and laws of the suite on the device: a program of its own, whose tests are chosen by name.
//!
//! They run without fusion, unless asked otherwise. Laws such as "a resumed run is the whole run" hold to the last bit, and
//! Burn's `fusion` may merge the operations of the two runs into different kernels, whose products and sums a GPU rounds
//! differently.

use crate::report::Row;
use crate::run::{Deadline, Ended, NO_FUSION, run};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

/// With what the names of the tests begin that a software renderer, too, runs in a few minutes.
const SUITES: &str = include_str!("suites.txt");

/// Runs the tests that `suites.txt` names, or `all` of them, in the program `suite`, or where there is none in one that is
/// built now.
pub(crate) fn check(
    (suite, all): (Option<&Path>, bool),
    device: &str,
    fusion: bool,
    deadline: Deadline,
    mut row: impl FnMut(Row),
) -> Result<(), Box<dyn Error>> {
    let suite = match suite {
        Some(suite) => suite.to_owned(),
        None => built()?,
    };
    let mut command = Command::new(suite);
    if !all {
        command.args(SUITES.split_whitespace());
    }
    command.env("TEST_BACKENDS", device);
    if !fusion {
        command.env(NO_FUSION.0, NO_FUSION.1);
    }
    let mut modules = BTreeMap::<String, usize>::new();
    let section = if fusion { "laws-fused" } else { "laws" };
    let mut finished = false;
    let ended = run(command, deadline, |line| {
        let test = line
            .strip_prefix("test ")
            .and_then(|rest| rest.split_once(" ... "));
        match test {
            Some((name, "ok")) => {
                let module = name.split("::").next().unwrap_or(name);
                *modules.entry(module.to_owned()).or_default() += 1;
            }
            // An ignored test may say why.
            Some((name, result)) if !result.starts_with("ignored") => {
                let (module, test) = name.split_once("::").unwrap_or(("", name));
                row(Row::new(section, module, test).failed(result));
                eprintln!("laws: {line}");
            }
            _ => {
                finished |= line.starts_with("test result: ok");
                eprintln!("laws: {line}");
            }
        }
    })?;
    finished &= !modules.is_empty(); // no test is no success
    for (module, passed) in modules {
        row(Row::new(section, &module, &format!("{passed} passed")));
    }
    let whole = Row::new(section, "suite", "all of them");
    row(match ended {
        Ended::Well if finished => whole,
        ended => whole.failed(ended.to_string()),
    });
    Ok(())
}

/// The suite, built with the features and the profile of this program.
fn built() -> Result<PathBuf, Box<dyn Error>> {
    let features = [
        (cfg!(feature = "autotune"), "autotune"),
        (cfg!(feature = "cuda"), "cuda"),
        (cfg!(feature = "metal"), "metal"),
        (cfg!(feature = "ndarray"), "ndarray"),
        (cfg!(feature = "rocm"), "rocm"),
        (cfg!(feature = "vulkan"), "vulkan"),
        (cfg!(feature = "wgpu"), "wgpu"),
    ];
    let features = features.iter().filter(|(is_on, _)| *is_on);
    let features: Vec<_> = features
        .map(|(_, name)| format!("burn-tricks-tests/{name}"))
        .collect();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args([
        "test",
        "--no-run",
        "-p",
        "burn-tricks-tests",
        "--test",
        "suite",
    ]);
    build.args(["--message-format", "json-render-diagnostics"]);
    build.args(["--features", &features.join(",")]);
    build.current_dir(env!("CARGO_MANIFEST_DIR"));
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    #[derive(Deserialize)]
    struct Message {
        executable: Option<PathBuf>,
    }
    let mut suite = None;
    let ended = run(build, Deadline::never(), |line| {
        if let Ok(message) = serde_json::from_str::<Message>(line) {
            suite = message.executable.or(suite.take());
        }
    })?;
    match (ended, suite) {
        (Ended::Well, Some(suite)) => Ok(suite),
        (ended, _) => Err(format!("the suite cannot be built: {ended}").into()),
    }
}
