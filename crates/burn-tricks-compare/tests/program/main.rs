//! A program of `main`, as a user runs it. This test starts itself as that program.

use std::{
    env,
    error::Error,
    ffi::OsStr,
    fs,
    path::Path,
    process::{Command, ExitCode, Output, Stdio},
    thread::sleep,
    time::Duration,
};

use burn_tricks_compare::{
    Comparison, ExaminationFinding, Protocol, QualityMetric, Recipe, Reporter, Study, Tuning,
};
use serde_json::{Value, json};

/// Set where this is the program, and not its test.
const IS_PROGRAM: &str = "COMPARE_TEST_IS_PROGRAM";

const TESTS: &[(&str, fn())] = &[
    (
        "a_tuning_whose_runs_fail_says_so",
        a_tuning_whose_runs_fail_says_so,
    ),
    (
        "a_tuning_tells_each_line_that_cannot_be_read_once",
        a_tuning_tells_each_line_that_cannot_be_read_once,
    ),
    (
        "after_a_failure_that_ends_it_nothing_is_examined_and_no_part_is_told_as_made",
        after_a_failure_that_ends_it_nothing_is_examined_and_no_part_is_told_as_made,
    ),
    (
        "a_report_that_has_nothing_to_show_takes_no_other_with_it",
        a_report_that_has_nothing_to_show_takes_no_other_with_it,
    ),
    (
        "what_cannot_be_done_is_found_out_before_the_first_run",
        what_cannot_be_done_is_found_out_before_the_first_run,
    ),
    ("a_merge_tells_conflicts", a_merge_tells_conflicts),
    #[cfg(unix)]
    (
        "an_interrupted_examination_is_no_success",
        an_interrupted_examination_is_no_success,
    ),
];

/// The options of a test program that a value follows.
const WITH_A_VALUE: [&str; 7] = [
    "--color",
    "--format",
    "--logfile",
    "--shuffle-seed",
    "--skip",
    "--test-threads",
    "-Z",
];

fn main() -> ExitCode {
    if env::var_os(IS_PROGRAM).is_some() {
        return program();
    }
    let args: Vec<String> = env::args().skip(1).collect();
    let wanted = TESTS.iter().filter(|(name, _)| is_wanted(name, &args));
    if args.iter().any(|arg| arg == "--list") {
        wanted.for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let mut passed = 0;
    for (name, test) in wanted {
        test();
        println!("test {name} ... ok");
        passed += 1;
    }
    let left_out = TESTS.len() - passed;
    println!(
        "test result: ok. {passed} passed; 0 failed; 0 ignored; 0 measured; {left_out} filtered out"
    );
    ExitCode::SUCCESS
}

/// Whether `cargo test` with these arguments behind `--` runs the test of that name. One that fails ends the program.
fn is_wanted(name: &str, args: &[String]) -> bool {
    let before = |at: usize| at.checked_sub(1).map(|at| &*args[at]);
    let is_name = |(at, arg): &(usize, &String)| {
        !arg.starts_with('-') && before(*at).is_none_or(|option| !WITH_A_VALUE.contains(&option))
    };
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    let is_it = |of: &str| name == of || !has("--exact") && name.contains(of);
    let mut names = args.iter().enumerate().filter(is_name).peekable();
    let is_named = names.peek().is_none() || names.any(|(_, of)| is_it(of));
    let is_left_out = |pair: &[String]| pair[0] == "--skip" && is_it(&pair[1]);
    is_named && !has("--ignored") && !args.windows(2).any(is_left_out)
}

fn program() -> ExitCode {
    let loss = QualityMetric::loss("loss");
    let recipe = |recipe: Recipe| recipe.with_settings(json!({"rate": 1.0}));
    let tuning = Tuning::new("rate", loss.clone()).with_factors(&[4.0]);
    let mut recipes = vec![
        recipe(Recipe::baseline("sgd", "")),
        recipe(Recipe::variant("clip", "sgd", "")),
    ];
    if env::var(IS_PROGRAM).as_deref() == Ok("twice") {
        recipes.push(recipes[1].clone());
    }
    let study = Study::new(Protocol::new([loss]))
        .with_recipes(recipes)
        .with_tuning(tuning.expect("a positive multiple"))
        .with_condition("a seed redraws", "nothing")
        .with_threads(Some(2))
        .with_doctor();
    burn_tricks_compare::main(study, train)
}

fn train(recipe: &Recipe, _: u64, report: &mut Reporter) -> Result<(), Box<dyn Error>> {
    if env::var("RAYON_NUM_THREADS").as_deref() != Ok("2") {
        return Err("it has another number of threads than the study says".into());
    }
    if env::var(IS_PROGRAM).as_deref() == Ok("fails") {
        return Err("no disk".into());
    }
    if report.is_examined() {
        sleep(Duration::from_secs(60));
        report.finding(ExaminationFinding::default());
    }
    if report.is_tuning() && recipe.settings["rate"] != 1.0 {
        return Err("no memory".into());
    }
    report.metric_and_no_model("loss", 0.5, 2.0);
    Ok(())
}

fn start(options: &[impl AsRef<OsStr>], store: &Path) -> std::process::Child {
    command(options, store).spawn().expect("it starts")
}

fn command(options: &[impl AsRef<OsStr>], store: &Path) -> Command {
    let mut command = Command::new(env::current_exe().expect("the path of this test"));
    command.args(options).arg("--store").arg(store);
    command.env(IS_PROGRAM, "1");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What it printed on standard output and on standard error.
fn told(output: &Output) -> [String; 2] {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned())
}

fn a_tuning_whose_runs_fail_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("runs.jsonl");
    // The second time the runs are in the store.
    for _ in 0..2 {
        let running = start(&["--tune", "--seeds", "1"], &store);
        let output = running.wait_with_output().unwrap();
        let [table, told] = told(&output);
        assert_eq!(output.status.code(), Some(1), "{told}");
        for recipe in ["sgd", "clip"] {
            let seeds = "4294967297, 4294967298";
            let line = format!("\"{recipe} at rate = 4\" with seeds {seeds} failed: no memory");
            assert!(told.contains(&line), "{told}");
        }
        assert!(told.contains("4.00: 2 (2 failed)"), "{told}");
        assert!(
            told.contains("error: 4 runs of the tuning failed"),
            "{told}"
        );
        assert!(table.contains("4 runs ended without a result"), "{table}");
    }
}

/// The first of these lines stays in the file, the last is cut off.
fn a_tuning_tells_each_line_that_cannot_be_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("runs.jsonl");
    fs::write(&store, "{\"key\":\"\n{\"key\":\"").unwrap();
    let running = start(&["--tune", "--seeds", "1"], &store);
    let [_, told] = told(&running.wait_with_output().unwrap());
    for line in ["line 1 cannot be read", "line 2 cannot be read"] {
        assert_eq!(told.matches(line).count(), 1, "{told}");
    }
}

fn after_a_failure_that_ends_it_nothing_is_examined_and_no_part_is_told_as_made() {
    let folder = tempfile::tempdir().unwrap();
    for (name, option) in [("examined", "--doctor"), ("part", "--shard=1/1")] {
        let store = folder.path().join(name);
        let mut command = command(&["--fail-fast", "--seeds", "1", option], &store);
        let output = command.env(IS_PROGRAM, "fails").output().unwrap();
        let [printed, told] = told(&output);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("failed: no disk"), "{told}");
        assert!(!told.contains("examination"), "{told}");
        assert!(!printed.contains("part 1/1 is in"), "{printed}");
    }
}

/// The runs of this program report no time.
fn a_report_that_has_nothing_to_show_takes_no_other_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let [store, plot, json] =
        ["runs.jsonl", "a.svg", "a.json"].map(|name| folder.path().join(name));
    let options = [
        "--seeds".as_ref(),
        "1".as_ref(),
        "--question".as_ref(),
        "cost".as_ref(),
        "--svg".as_ref(),
        plot.as_os_str(),
        "--json".as_ref(),
        json.as_os_str(),
    ];
    let output = start(&options, &store).wait_with_output().unwrap();
    let [table, told] = told(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(table.contains("a seed redraws: nothing"), "{table}");
    assert!(
        told.contains("a.svg` is not written: no row has an answer to `cost`"),
        "{told}"
    );
    let written: Comparison = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    assert_eq!(written.runs.len(), 2);
}

fn what_cannot_be_done_is_found_out_before_the_first_run() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("runs.jsonl");
    let json = folder.path().join("a.json");
    let options = [
        "--shard".as_ref(),
        "1/2".as_ref(),
        "--json".as_ref(),
        json.as_os_str(),
    ];
    let output = start(&options, &store).wait_with_output().unwrap();
    assert!(!output.status.success());
    assert!(!json.exists() && !store.exists());
    for (options, expected) in [
        (["--epochs", "3"], "`--epochs` has no effect"),
        (["--shard", "3/2"], "such as 2/5, got \"3/2\""),
    ] {
        let output = start(&options, &store).wait_with_output().unwrap();
        let [_, told] = told(&output);
        assert!(!output.status.success(), "{told}");
        assert!(told.contains(expected), "{told}");
        assert!(!store.exists(), "{told}");
    }
    // Two recipes of one name.
    let mut command = command(&["--tune", "--seeds", "1"], &store);
    command.env(IS_PROGRAM, "twice");
    let output = command.output().unwrap();
    let [_, told] = told(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("\"clip\""), "{told}");
    assert!(!store.exists(), "{told}");
}

fn a_merge_tells_conflicts() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other, whole] = ["one", "other", "whole"].map(|name| folder.path().join(name));
    let output = start(&["--seeds", "1"], &one).wait_with_output().unwrap();
    let runs = fs::read_to_string(&one).unwrap();
    assert_eq!(runs.lines().count(), 2, "{:?}", told(&output));
    // The same runs with another loss.
    let others = runs.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        line["run"]["quality"]["loss"]["value"] = json!(0.25);
        format!("{line}\n")
    });
    fs::write(&other, others.collect::<String>()).unwrap();
    let mut merge = Command::new(env::current_exe().expect("the path of this test"));
    merge.arg("merge").args([&one, &other]);
    merge.arg("--into").arg(&whole).env(IS_PROGRAM, "1");
    let output = merge.output().unwrap();
    let [printed, told] = told(&output);
    assert!(output.status.success(), "{told}");
    assert!(printed.contains("2 runs in "), "{printed}");
    for variant in ["sgd", "clip"] {
        let line = format!("\"{variant}\" with seed 1 is there twice with other results; ");
        assert!(told.contains(&line), "{told}");
    }
}

#[cfg(unix)]
fn an_interrupted_examination_is_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("runs.jsonl");
    let mut running = start(&["--doctor", "--seeds", "1"], &store);
    while fs::read_to_string(&store).map_or(0, |text| text.lines().count()) < 2 {
        assert!(running.try_wait().unwrap().is_none(), "it ended early");
        sleep(Duration::from_millis(5));
    }
    let process = running.id().to_string();
    let sent = Command::new("kill").args(["-INT", &process]).status();
    assert!(sent.unwrap().success());
    let output = running.wait_with_output().unwrap();
    let [table, told] = told(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(table.contains("clip"), "{table}");
    assert!(
        told.contains("stopped before the end: 2 runs are kept"),
        "{told}"
    );
}
