//! The reports that were asked for.

use std::{
    env,
    error::Error,
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
    thread::available_parallelism,
};

use serde::Serialize;
use time::OffsetDateTime;

use crate::{
    ablate::interactions::Interactions,
    comparison::comparison::Comparison,
    program::{
        lab,
        options::Options,
        study::{Study, program},
    },
    report::html::page::PageInfo,
};

/// What `--json` writes: the comparison, as [`Comparison`] is read back, with what the reports tell beside it.
#[derive(Serialize)]
struct Everything<'a> {
    #[serde(flatten)]
    comparison: &'a Comparison,
    #[serde(skip_serializing_if = "Option::is_none")]
    interactions: Option<&'a Interactions>,
    /// Each a heading and a sentence.
    conditions: &'a [(String, String)],
}

/// Refuses a report that cannot be written, before the runs are paid for. What a file holds stays there
/// until then.
pub(crate) fn check(study: &Study, options: &Options) -> Result<(), String> {
    question(study, options)?;
    no_file_twice(options)?;
    let files = [&options.html, &options.svg, &options.answers, &options.json];
    for path in files.into_iter().flatten() {
        let opened = OpenOptions::new().append(true).create(true).open(path);
        opened.map_err(|error| cannot_write(path, &error))?;
    }
    Ok(())
}

/// Prints the table and writes the files.
pub(crate) fn write(
    study: &Study,
    options: &Options,
    comparison: &Comparison,
) -> Result<(), Box<dyn Error>> {
    let title = study.title();
    println!("{title}\n");
    if options.markdown {
        println!("{}\n{}", comparison.markdown(), comparison.method());
    } else {
        print!("{}", comparison.table());
    }
    for (heading, sentence) in &study.conditions {
        println!("{heading}: {sentence}");
    }
    let interactions = lab::interactions(study, options, comparison)?;
    if let Some(interactions) = &interactions {
        println!("\nInteractions\n");
        if options.markdown {
            print!("{}", interactions.markdown());
        } else {
            print!("{}", interactions.table());
        }
    }
    if !comparison.examinations.is_empty() {
        println!(
            "\nExaminations, each of one training with seed {}\n",
            study.protocol.first_seed
        );
        if options.markdown {
            print!("{}", comparison.examinations_markdown());
        } else {
            print!("{}", comparison.examinations_table());
        }
    }
    let page = || comparison.html(&info(study, title, interactions.as_ref()));
    let page = options.html.as_ref().map(|path| write_file(path, &page()));
    let plot = options.svg.as_ref().map(|path| {
        let question = question(study, options)?;
        let plot = comparison.forest_svg(question);
        let plot = plot.ok_or_else(|| {
            let path = path.display();
            format!("`{path}` is not written: no row has an answer to `{question}` to draw")
        });
        write_file(path, &plot?)
    });
    let answers = options.answers.as_ref();
    let answers = answers.map(|path| write_file(path, &comparison.csv()));
    let json = options.json.as_ref().map(|path| {
        let everything = Everything {
            comparison,
            interactions: interactions.as_ref(),
            conditions: &study.conditions,
        };
        let text = serde_json::to_string_pretty(&everything).map_err(|error| error.to_string())?;
        write_file(path, &text)
    });
    // One that cannot be written takes no other with it.
    let written = [page, plot, answers, json].into_iter().flatten();
    let failed: Vec<String> = written.filter_map(Result::err).collect();
    match &failed[..] {
        [] => Ok(()),
        failed => Err(failed.join("; ").into()),
    }
}

/// Refuses one file for two purposes: the later would be written over the earlier.
fn no_file_twice(options: &Options) -> Result<(), String> {
    let files = [
        ("--store", &options.store),
        ("--html", &options.html),
        ("--svg", &options.svg),
        ("--answers", &options.answers),
        ("--json", &options.json),
    ];
    let mut places: Vec<(&str, PathBuf)> = Vec::new();
    for (option, path) in files {
        let Some(path) = path else { continue };
        let place = path.canonicalize().or_else(|_| std::path::absolute(path));
        let place = place.map_err(|error| cannot_write(path, &error))?;
        if let Some((other, _)) = places.iter().find(|(_, other)| *other == place) {
            let path = path.display();
            return Err(format!("`{other}` and `{option}` name one file, `{path}`"));
        }
        places.push((option, place));
    }
    Ok(())
}

/// The question of the forest plot.
fn question<'a>(study: &'a Study, options: &Options) -> Result<&'a str, String> {
    let questions = study.questions();
    let Some(name) = &options.question else {
        return questions
            .first()
            .copied()
            .ok_or_else(|| "nothing is asked".to_owned());
    };
    let asked = questions.iter().copied().find(|question| question == name);
    asked.ok_or_else(|| {
        format!(
            "there is no question `{name}`; there are: {}",
            questions.join(", ")
        )
    })
}

fn info(study: &Study, title: String, interactions: Option<&Interactions>) -> PageInfo {
    let cores = available_parallelism().map_or_else(|_| "?".to_owned(), |cores| cores.to_string());
    let (system, processor) = (env::consts::OS, env::consts::ARCH);
    let arguments: Vec<String> = env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    let fact = |name: &str, text: String| (name.to_owned(), text);
    let mut facts = study.conditions.clone();
    facts.extend(vec![
        fact("command", format!("{} {}", program(), arguments.join(" "))),
        fact("date", OffsetDateTime::now_utc().date().to_string()),
        fact("machine", format!("{system}, {processor}, {cores} cores")),
        fact(
            "version",
            format!("burn-tricks {}", env!("CARGO_PKG_VERSION")),
        ),
    ]);
    let texts = interactions.map(|of| ("Interactions".to_owned(), of.table()));
    PageInfo {
        title,
        facts,
        texts: texts.into_iter().collect(),
    }
}

fn write_file(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| cannot_write(path, &error))
}

fn cannot_write(path: &Path, error: &io::Error) -> String {
    format!("cannot write `{}`: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_not_written_over_the_runs_or_another_report() {
        let study = Study::classification();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.json");
        let options = |store: &Path, json: &Path| Options {
            store: Some(store.to_owned()),
            json: Some(json.to_owned()),
            ..Options::default()
        };
        let same = options(&file, &folder.path().join("./a.json"));
        for is_there in [false, true] {
            let error = check(&study, &same).unwrap_err();
            assert!(error.contains("`--store` and `--json`"), "{error}");
            assert_eq!(file.exists(), is_there);
            fs::write(&file, "").unwrap();
        }
        let other = options(&file, &folder.path().join("b.json"));
        assert_eq!(check(&study, &other), Ok(()));
    }
}
