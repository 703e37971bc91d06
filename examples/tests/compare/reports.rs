//! What is reported.

use crate::{CLIP, compare, read, start, text, timeless};
use burn_tricks::compare::{TrainingRun, Verdict};

#[test]
fn one_job_or_two_give_the_same_report_with_the_baseline_that_was_needed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    let report = |jobs: &str| {
        let output = start(&format!("{CLIP} --jobs {jobs} --json"), &path).wait_with_output();
        let output = output.unwrap();
        let told = text(&output.stderr);
        assert!(output.status.success(), "{told}");
        let warning = "2 seeds cannot show a difference in the row; 6 can";
        assert!(told.contains(warning), "{told}");
        read(&path)
    };
    let one = report("1");
    assert_eq!(timeless(&report("2")), timeless(&one)); // written over the first

    let of = |run: &TrainingRun| (run.variant.clone(), run.seed);
    let expected = [("unstable", 1), ("unstable", 2), ("clip", 1), ("clip", 2)]
        .map(|(variant, seed)| (variant.to_owned(), seed));
    assert_eq!(one.runs.iter().map(of).collect::<Vec<_>>(), expected);
    assert_eq!(one.rows.len(), 1);
    let row = &one.rows[0];
    assert_eq!(
        (&*row.name, &*row.baseline, row.seeds),
        ("clip", "unstable", 2)
    );
    for name in ["accuracy", "loss"] {
        let answer = row.answer(name).unwrap();
        assert_eq!(answer.verdict, Some(Verdict::Undecided), "{name}");
    }
    for run in &one.runs {
        let accuracy = run.quality["accuracy"];
        assert!(accuracy.value > 0.0 && accuracy.value <= 1.0, "{run:?}");
        // The digits have ten classes of about the same size.
        assert!((accuracy.no_model.unwrap() - 0.1).abs() < 0.005, "{run:?}");
        let no_model = run.quality["loss"].no_model.unwrap();
        assert!((no_model - 10f64.ln()).abs() < 0.01, "{run:?}");
        let steps = run.arrival.unwrap().of;
        assert_eq!(run.curve.last().unwrap().step, steps, "{run:?}");
        assert!(run.cost.seconds_per_step.unwrap() > 0.0, "{run:?}");
        // The digits alone are 1,797 × 64 numbers.
        assert!(run.cost.peak_bytes.unwrap() > 4 * 64 * 1_797, "{run:?}");
    }
}

#[test]
fn every_report_that_is_asked_for_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let options = format!(
        "--only clip --seeds 2 --epochs 2 --markdown --html {} --answers {} --question loss --svg",
        path("r.html").display(),
        path("r.csv").display()
    );
    let output = start(&options, &path("r.svg")).wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let markdown = text(&output.stdout);
    assert!(
        markdown.contains("| `clip` vs `unstable` | 2 |"),
        "{markdown}"
    );
    let read = |name: &str| std::fs::read_to_string(path(name)).unwrap();
    let html = read("r.html");
    // What the recipe changes, and its learning curves.
    for part in ["<del>", "validation loss", "--question loss"] {
        assert!(html.contains(part), "{part}");
    }
    assert!(read("r.csv").contains("clip"));
    let svg = read("r.svg");
    assert!(svg.starts_with("<svg") && svg.contains("loss"), "{svg}");
}

#[test]
fn examinations_stand_beside_runs_that_they_do_not_change() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let report = |options: &str, name: &str| {
        let output = start(&format!("{CLIP}{options} --json"), &path(name)).wait_with_output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        (read(&path(name)), text(&output.stdout))
    };
    let (without, table) = report("", "without.json");
    assert!(!table.contains("Examinations"), "{table}");
    let html = path("r.html");
    let (with, table) = report(&format!(" --doctor --html {}", html.display()), "with.json");
    assert_eq!(timeless(&with), timeless(&without));
    assert!(without.examinations.is_empty());
    let examined = with.examinations.iter();
    let examined: Vec<(&str, u64)> = examined.map(|of| (&*of.variant, of.seed)).collect();
    assert_eq!(examined, [("unstable", 1), ("clip", 1)]);
    let page = std::fs::read_to_string(html).unwrap();
    for examination in &with.examinations {
        assert!(!examination.findings.is_empty(), "{examination:?}");
        for finding in &examination.findings {
            assert!(
                !finding.severity.is_empty() && !finding.text.is_empty(),
                "{finding:?}"
            );
            assert!(page.contains(&finding.kind), "{finding:?}");
        }
    }
    assert!(
        table.contains("Examinations") && page.contains("id=\"examinations\""),
        "{table}"
    );
}

#[test]
fn a_report_that_cannot_be_written_fails_before_the_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing").join("report");
    for report in ["--json", "--html", "--svg", "--answers"] {
        let arguments = ["--only", "clip", "--seeds", "1", "--epochs", "1", report];
        let output = compare(&[&arguments[..], &[path.to_str().unwrap()]].concat());
        assert!(!output.status.success());
        let error = text(&output.stderr);
        assert!(
            error.contains("cannot write") && error.contains("missing"),
            "{error}"
        );
        assert_eq!(text(&output.stdout), "", "no table");
    }
}
