//! Worker processes, played by shell scripts.
#![cfg(unix)]

mod failures;

use std::{
    env,
    num::NonZeroUsize,
    process::Command,
    time::{Duration, Instant},
};

use burn_tricks_compare::{Job, JobResults, RUN_PREFIX, Runner, TrainingRun, worker_command};

/// Far below what the sleeping workers would take, far above what a busy machine adds.
const PROMPTLY: Duration = Duration::from_secs(15);

fn job(label: &str, seeds: &[u64], script: &str) -> Job {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    Job {
        label: label.to_owned(),
        seeds: seeds.to_vec(),
        command,
    }
}

fn result(variant: &str, seed: u64) -> TrainingRun {
    TrainingRun::new(variant, seed)
        .with_metric("accuracy", 0.9)
        .with_metric("loss", f64::NAN)
        .with_seconds_per_step(1.5)
}

/// A line of a script that prints a result.
fn print(variant: &str, seed: u64) -> String {
    let run = result(variant, seed);
    format!(
        "echo '{RUN_PREFIX}{}'\n",
        serde_json::to_string(&run).unwrap()
    )
}

fn runner(parallel: usize) -> Runner {
    Runner::new(NonZeroUsize::new(parallel).unwrap())
}

fn run(parallel: usize, jobs: Vec<Job>) -> JobResults {
    runner(parallel).run(jobs)
}

/// The runs of jobs of which none fails.
fn finished(parallel: usize, jobs: Vec<Job>) -> Vec<TrainingRun> {
    let ran = run(parallel, jobs);
    assert!(ran.runs.iter().all(|run| run.failure.is_none()), "{ran:?}");
    assert_eq!(ran.stopped, []);
    ran.runs
}

#[test]
fn results_come_in_the_order_of_the_jobs_and_seeds() {
    let jobs = || {
        // The first job ends last, and prints its seeds the other way round.
        let first = format!(
            "sleep 0.5\n{}echo junk\n{}",
            print("sgd", 1),
            print("sgd", 7)
        );
        vec![
            job("sgd", &[7, 1], &first),
            job("ema", &[2], &print("ema", 2)),
            job("sgd", &[0], &print("sgd", 0)),
        ]
    };
    for parallel in [1, 2, 8] {
        let runs = finished(parallel, jobs());
        let order: Vec<_> = runs.iter().map(|run| (&*run.variant, run.seed)).collect();
        assert_eq!(order, [("sgd", 7), ("sgd", 1), ("ema", 2), ("sgd", 0)]);
        assert!(runs.iter().all(|run| run.quality["loss"].value.is_nan()));
    }
}

/// What the next test runs as a worker. Among the other tests, it does nothing.
#[test]
fn worker() {
    if env::var_os("BURN_TRICKS_WORKER").is_some() {
        assert_eq!(env::var("RAYON_NUM_THREADS").as_deref(), Ok("1"));
        result("ema", 3).emit().unwrap();
        println!("junk");
        // A line that is left unfinished, as by a training that prints a dot for each epoch.
        print!("...");
        result("ema", 4).emit().unwrap();
    }
}

#[test]
fn this_executable_can_be_the_worker() {
    let mut command = worker_command(Some(1)).unwrap();
    command.args(["--exact", "worker", "--quiet", "--nocapture"]);
    command.env("BURN_TRICKS_WORKER", "");
    let worker = Job {
        label: "ema".to_owned(),
        seeds: vec![3, 4],
        command,
    };
    let runs = finished(1, vec![worker]);
    assert_eq!(runs.len(), 2);
    assert_eq!((runs[1].seed, runs[1].quality["accuracy"].value), (4, 0.9));
}

#[test]
fn workers_run_at_once() {
    // Each waits for the other's file, and fails if it does not come.
    let folder = tempfile::tempdir().unwrap();
    let meet = |mine: &str, other: &str| {
        let script = format!(
            "touch {mine}\n\
             i=0\n\
             while [ ! -e {other} ]; do\n\
             i=$((i + 1))\n\
             [ $i -lt 1000 ] || exit 1\n\
             sleep 0.02\n\
             done\n"
        );
        let mut job = job(mine, &[0], &(script + &print(mine, 0)));
        job.command.current_dir(folder.path());
        job
    };
    assert_eq!(finished(2, vec![meet("a", "b"), meet("b", "a")]).len(), 2);
}

#[test]
fn no_more_than_allowed_run_at_once() {
    // A worker that finds the folder of another fails.
    let folder = tempfile::tempdir().unwrap();
    let alone = |seed| {
        let script = format!(
            "mkdir alone || exit 1\nsleep 0.1\n{}rmdir alone",
            print("a", seed)
        );
        let mut job = job("a", &[seed], &script);
        job.command.current_dir(folder.path());
        job
    };
    assert_eq!(finished(1, (0..4).map(alone).collect()).len(), 4);
}

#[test]
fn nothing_to_do_gives_no_results() {
    assert_eq!(finished(3, Vec::new()), []);
    assert_eq!(finished(3, vec![job("a", &[], "true")]), []);
}

#[test]
fn much_output_and_junk_block_nothing() {
    // `read` fails, because standard input is empty.
    let script = "yes junk | head -c 1000000\n\
                  yes junk | head -c 1000000 >&2\n\
                  printf '\\377\\376 not UTF-8\\n'\n\
                  read line && exit 5\n";
    let runs = finished(
        1,
        vec![job("ema", &[3], &(script.to_owned() + &print("ema", 3)))],
    );
    assert_eq!(runs.len(), 1);
}

#[test]
fn a_process_left_behind_by_a_worker_is_not_waited_for() {
    let start = Instant::now();
    let runs = finished(
        1,
        vec![job(
            "ema",
            &[3],
            &("sleep 30 &\n".to_owned() + &print("ema", 3)),
        )],
    );
    assert_eq!(runs.len(), 1);
    assert!(start.elapsed() < PROMPTLY, "took {:?}", start.elapsed());
}

#[test]
fn a_progress_bar_changes_no_result() {
    let jobs = || {
        vec![
            job("ema", &[3], &print("ema", 3)),
            job("sgd", &[1], "exit 1"),
        ]
    };
    let shown = runner(1).with_progress(true).run(jobs());
    let plain = run(1, jobs());
    assert_eq!(shown.runs.len(), 2);
    assert_eq!(shown.runs[1], plain.runs[1]);
}
