//! The `compare` example, as a user runs it.

use burn_tricks::compare::{Comparison, Cost, Run, Verdict};
use burn_tricks_examples::recipes::RECIPES;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The example's program, which `cargo test` builds beside this one: `examples/compare` next to
/// `deps/compare-...`.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.ancestors().nth(2).expect("target/<profile>");
    let program = profile
        .join("examples/compare")
        .with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        program.is_file(),
        "no `{}`: run `cargo test` without `--test`, which builds the examples too",
        program.display()
    );
    program
}

fn compare(arguments: &[&str]) -> Output {
    let mut command = Command::new(program());
    // More than the machine may have, so that a worker that is not told its own number is found out.
    command.args(arguments).env("RAYON_NUM_THREADS", "3");
    command.output().expect("it starts")
}

/// Started with the arguments in `options`, separated by blanks, and with `path` behind them.
fn start(options: &str, path: &Path) -> Child {
    let mut command = Command::new(program());
    command.args(options.split(' ')).arg(path);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("it starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn read(path: &Path) -> Comparison {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// What was compared with what, and the runs, without what depends on the clock and the machine.
fn timeless(comparison: &Comparison) -> (Vec<String>, Vec<Run>) {
    let recipes = comparison.recipes.iter();
    let runs = comparison.runs.iter().cloned().map(|run| Run {
        cost: Cost::default(),
        ..run
    });
    (
        recipes.map(|recipe| format!("{recipe:?}")).collect(),
        runs.collect(),
    )
}

const CLIP: &str = "--only clip --seeds 2 --epochs 1";

#[test]
fn one_job_or_two_give_the_same_report_with_the_baseline_that_was_needed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    let report = |jobs: &str| {
        let output = start(&format!("{CLIP} --jobs {jobs} --json"), &path).wait_with_output();
        let output = output.unwrap();
        let told = text(&output.stderr);
        assert!(output.status.success(), "{told}");
        let warning = "2 seeds cannot decide the row; 6 can: every verdict will be undecided";
        assert!(told.contains(warning), "{told}");
        read(&path)
    };
    let one = report("1");
    assert_eq!(timeless(&report("2")), timeless(&one)); // written over the first

    let of = |run: &Run| (run.variant.clone(), run.seed);
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
        "--only clip --seeds 2 --epochs 2 --markdown --html {} --csv {} --question loss --svg",
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
fn a_worker_refuses_to_run_on_several_threads() {
    let task = r#"{"variant":"baseline","seeds":[1],"epochs":1,"device":"flex","data":null}"#;
    let output = compare(&["--worker", task]);
    assert!(!output.status.success());
    let error = text(&output.stderr);
    assert!(error.contains("on 1 thread, not on 3"), "{error}");
}

#[test]
fn a_wrong_name_lists_the_right_ones_and_the_near_ones() {
    let output = compare(&["--only", "clip,clop"]);
    assert!(!output.status.success());
    let error = text(&output.stderr);
    assert!(error.contains("'clop'"), "{error}");
    assert!(
        error.contains("similar values exist: 'clip'")
            || error.contains("similar value exists: 'clip'"),
        "{error}"
    );
    for recipe in RECIPES {
        assert!(error.contains(recipe.name), "{}: {error}", recipe.name);
    }
}

#[test]
fn what_is_compared_with_nothing_is_refused() {
    let output = compare(&["--only", "baseline"]);
    assert!(!output.status.success());
    let error = text(&output.stderr);
    assert!(
        error.contains("`baseline` is compared with nothing"),
        "{error}"
    );
}

#[test]
fn a_report_that_cannot_be_written_fails_before_the_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing").join("report");
    for report in ["--json", "--html", "--svg", "--csv"] {
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

#[test]
fn shards_are_merged_to_what_one_machine_makes() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let whole = path("whole.json");
    let output = start(&format!("{CLIP} --json"), &whole).wait_with_output();
    assert!(output.unwrap().status.success());
    for part in ["1", "2"] {
        let options = format!("{CLIP} --shard {part}/2 --store");
        let output = start(&options, &path(part)).wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains(&format!("part {part}/2")));
    }
    let into = format!(
        "merge {} {} --into",
        path("1").display(),
        path("2").display()
    );
    let output = start(&into, &path("all")).wait_with_output().unwrap();
    assert!(
        text(&output.stdout).contains("4 runs"),
        "{}",
        text(&output.stderr)
    );

    let merged = path("merged.json");
    let options = format!("{CLIP} --store {} --json", path("all").display());
    let output = start(&options, &merged).wait_with_output().unwrap();
    assert!(text(&output.stderr).contains("holds 4 of these runs"));
    assert_eq!(timeless(&read(&merged)), timeless(&read(&whole)));
}

/// Killed by the system at random moments, as by a power cut, and started again.
#[cfg(unix)]
#[test]
fn killed_at_random_moments_it_makes_what_is_missing() {
    use rand::{RngExt as _, SeedableRng as _};
    const KILLS: usize = 20;
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.json");
    let begun = Instant::now();
    let output = start(&format!("{CLIP} --json"), &whole).wait_with_output();
    let duration = begun.elapsed();
    assert!(output.unwrap().status.success());
    let expected = timeless(&read(&whole));

    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let (mut kills, mut rounds) = (0, 0);
    while kills < KILLS {
        rounds += 1;
        let store = folder.path().join(format!("{rounds}.jsonl"));
        let report = folder.path().join(format!("{rounds}.json"));
        let options = format!("{CLIP} --store {} --json", store.display());
        // At most a few kills in one file, or a slow machine would never come to the end.
        for _ in 0..3 {
            let mut running = start(&options, &report);
            sleep(duration.mul_f64(random.random_range(0.0..1.0)));
            running.kill().unwrap();
            kills += usize::from(!running.wait().unwrap().success());
        }
        let output = start(&options, &report).wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(timeless(&read(&report)), expected, "round {rounds}");
        let lines = std::fs::read_to_string(&store).unwrap().lines().count();
        assert_eq!(lines, 4, "no run is made twice");
    }
}

/// Ctrl-C keeps what is done, and prints the table so far.
#[cfg(target_os = "linux")]
#[test]
fn interrupted_it_reports_what_is_done_and_can_be_continued() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("runs.jsonl");
    let options = "--only clip --seeds 40 --epochs 2 --jobs 1 --store";
    let running = start(options, &store);
    let has_runs = || std::fs::read_to_string(&store).is_ok_and(|text| text.lines().count() >= 3);
    while !has_runs() {
        sleep(Duration::from_millis(5));
    }
    send("-INT", &running.id().to_string());
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let (table, told) = (text(&output.stdout), text(&output.stderr));
    assert!(table.contains("clip"), "{table}");
    assert!(told.contains("stopped before the end"), "{told}");
    let runs = std::fs::read_to_string(&store).unwrap().lines().count();
    assert!(runs < 80, "{runs}");
    assert!(told.contains(&format!("{runs} runs are kept")), "{told}");
    assert!(
        !told.contains("failed"),
        "a run that was stopped is none: {told}"
    );
}

/// The runs of the others are kept when the system kills a worker, as it does when memory runs out.
#[cfg(target_os = "linux")]
#[test]
fn a_killed_worker_is_a_failed_run_among_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    let store = folder.path().join("runs.jsonl");
    let options = format!(
        "--only clip --seeds 2 --epochs 2 --jobs 1 --store {} --json",
        store.display()
    );
    let mut running = start(&options, &path);
    let worker = loop {
        if let Some(worker) = child_of(running.id()) {
            break worker;
        }
        assert_eq!(running.try_wait().unwrap(), None, "it has a worker");
        sleep(Duration::from_millis(1));
    };
    send("-KILL", &worker);

    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains("error: 1 of 4 runs failed"), "{error}");
    let reason = "the worker ended with signal: 9 (SIGKILL)";
    assert!(error.contains(reason), "{error}");
    let table = text(&output.stdout);

    let comparison = read(&path);
    let failed: Vec<&Run> = comparison.failed().collect();
    assert_eq!((comparison.runs.len(), failed.len()), (4, 1));
    assert_eq!(failed[0].failure.as_ref().unwrap().reason, reason);
    let line = format!("- {}, seed {}: {reason}", failed[0].variant, failed[0].seed);
    assert!(table.contains(&line), "{table}");

    // It is a result, until it is asked for again.
    let output = start(&options, &path).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let output = start(&format!("--retry-failed {options}"), &path).wait_with_output();
    assert!(output.unwrap().status.success());
    assert_eq!(read(&path).failed().count(), 0);
}

#[cfg(target_os = "linux")]
fn send(signal: &str, process: &str) {
    let sent = Command::new("kill").args([signal, process]).status();
    assert!(sent.unwrap().success());
}

/// The number of a process that `parent` has started.
#[cfg(target_os = "linux")]
fn child_of(parent: u32) -> Option<String> {
    for entry in std::fs::read_dir("/proc").unwrap() {
        let entry = entry.unwrap();
        // The parent's number is the second field behind the name, which is in parentheses.
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        let behind = stat.rsplit(')').next().unwrap_or_default();
        if behind.split_whitespace().nth(1) == Some(&parent.to_string()) {
            return entry.file_name().into_string().ok();
        }
    }
    None
}
