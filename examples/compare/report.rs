//! The reports that were asked for.

use crate::options::Options;
use burn_tricks::compare::{Comparison, PageInfo};
use std::error::Error;
use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::thread::available_parallelism;
use time::OffsetDateTime;

/// Refuses a report that cannot be written, before the runs are paid for. What a file holds stays there
/// until then.
pub(crate) fn check(options: &Options) -> Result<(), String> {
    let files = [&options.html, &options.svg, &options.csv, &options.json];
    for path in files.into_iter().flatten() {
        let opened = OpenOptions::new().append(true).create(true).open(path);
        opened.map_err(|error| cannot_write(path, &error))?;
    }
    Ok(())
}

/// Prints the table and writes the files.
pub(crate) fn write(
    options: &Options,
    comparison: &Comparison,
    title: &str,
) -> Result<(), Box<dyn Error>> {
    println!("{title}\n");
    if options.markdown {
        println!("{}\n{}", comparison.markdown(), comparison.method());
    } else {
        print!("{}", comparison.table());
    }
    if let Some(path) = &options.html {
        write_file(path, &comparison.html(&info(title)))?;
    }
    if let Some(path) = &options.svg {
        let plot = comparison.forest_svg(options.question.name());
        write_file(path, &plot.ok_or("there is no row to draw")?)?;
    }
    if let Some(path) = &options.csv {
        write_file(path, &comparison.csv())?;
    }
    if let Some(path) = &options.json {
        write_file(path, &serde_json::to_string_pretty(comparison)?)?;
    }
    Ok(())
}

fn info(title: &str) -> PageInfo {
    let cores = available_parallelism().map_or_else(|_| "?".to_owned(), |cores| cores.to_string());
    let (system, processor) = (std::env::consts::OS, std::env::consts::ARCH);
    let command: Vec<String> = std::env::args().skip(1).collect();
    let fact = |name: &str, text: String| (name.to_owned(), text);
    PageInfo {
        title: title.to_owned(),
        facts: vec![
            fact("command", format!("compare {}", command.join(" "))),
            fact("date", OffsetDateTime::now_utc().date().to_string()),
            fact("machine", format!("{system}, {processor}, {cores} cores")),
            fact(
                "version",
                format!("burn-tricks {}", env!("CARGO_PKG_VERSION")),
            ),
        ],
    }
}

fn write_file(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| cannot_write(path, &error))
}

fn cannot_write(path: &Path, error: &io::Error) -> String {
    format!("cannot write `{}`: {error}", path.display())
}
