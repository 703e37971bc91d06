//! Comparisons whose workers are shell scripts, killed and started again.

use std::{
    fs, io,
    num::NonZeroUsize,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
};

use burn_tricks_compare::{
    Campaign, Comparison, Job, Looks, Protocol, QualityMetric, RUN_PREFIX, Recipe, Runner, Shard,
    Store, TrainingRun, merge,
};
use serde_json::json;

fn protocol() -> Protocol {
    let looks = Looks::at(vec![8, 10]).unwrap();
    Protocol::new([QualityMetric::share("accuracy")]).with_looks(looks)
}

fn recipes() -> [Recipe; 3] {
    [
        Recipe::baseline("plain", ""),
        Recipe::variant("better", "plain", ""),
        Recipe::variant("noisy", "plain", ""),
    ]
}

fn run(variant: &str, seed: u64) -> TrainingRun {
    let accuracy = match variant {
        "better" => 0.95 + 0.001 * (seed % 3) as f64,
        "noisy" => 0.9 + 0.02 * (seed % 2) as f64 - 0.01,
        _ => 0.9,
    };
    match (variant, seed) {
        ("noisy", 4) => TrainingRun::failed("noisy", 4, "out of memory"),
        _ => TrainingRun::new(variant, seed).with_metric_and_no_model("accuracy", accuracy, 0.1),
    }
}

fn job(variant: &str, seeds: &[u64]) -> io::Result<Job> {
    let mut script = String::new();
    for seed in seeds {
        let json = serde_json::to_string(&run(variant, *seed))?;
        script += &format!("echo '{RUN_PREFIX}{json}'\n");
    }
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    Ok(Job {
        label: variant.to_owned(),
        seeds: seeds.to_vec(),
        command,
    })
}

fn runner() -> Runner {
    Runner::new(NonZeroUsize::new(3).unwrap())
}

fn store(path: &Path) -> Store {
    Store::open(path, &recipes(), &json!("test")).unwrap()
}

/// As text, so that NaN equals NaN.
fn text(comparison: &Comparison) -> String {
    serde_json::to_string(comparison).unwrap()
}

fn whole() -> String {
    let campaign = Campaign::new(&protocol(), &recipes(), runner()).run(job, |_| ());
    text(&campaign.unwrap())
}

#[test]
fn a_comparison_runs_until_every_row_is_answered_or_at_its_last_look() {
    let mut looks = Vec::new();
    let looked = |comparison: &Comparison| {
        looks.push(comparison.rows.iter().filter(|row| row.is_open).count());
    };
    let (protocol, recipes) = (protocol(), recipes());
    let campaign = Campaign::new(&protocol, &recipes, runner());
    let seeds = NonZeroUsize::new(4).unwrap();
    let comparison = campaign.with_seeds_per_job(seeds).run(job, looked).unwrap();
    assert_eq!(looks, [1], "of the rows, `noisy` went on");
    // Three recipes with eight seeds, and two of them with two more.
    assert_eq!(comparison.runs.len(), 3 * 8 + 2 * 2);
    assert!(comparison.is_finished());
    assert!(
        text(&comparison) == whole(),
        "jobs of several seeds change nothing"
    );
    assert_eq!(comparison.arm("noisy").unwrap().failed, 1);
}

#[test]
fn a_worker_of_several_runs_that_dies_loses_the_run_it_was_making() {
    let dies = |variant: &str, seeds: &[u64]| {
        let made = seeds
            .iter()
            .position(|seed| (variant, *seed) == ("better", 3));
        let mut job = job(variant, &seeds[..made.unwrap_or(seeds.len())])?;
        if made.is_some() {
            let script = job.command.get_args().last().unwrap().to_string_lossy();
            let script = format!("{script}\nkill -9 $$");
            job.command = Command::new("sh");
            job.command.args(["-c", &script]);
        }
        job.seeds = seeds.to_vec();
        Ok(job)
    };
    let mut looks = 0;
    let (protocol, recipes) = (protocol(), recipes());
    let comparison = Campaign::new(&protocol, &recipes, runner())
        .with_seeds_per_job(NonZeroUsize::new(8).unwrap())
        .run(dies, |_| looks += 1)
        .unwrap();
    let failed: Vec<_> = comparison
        .failed()
        .map(|run| (&*run.variant, run.seed))
        .collect();
    assert_eq!(failed, [("better", 3), ("noisy", 4)]);
    assert!(comparison.is_finished());
    assert_eq!(looks, 1, "making the rest is no look");
}

#[test]
fn killed_anywhere_and_started_again_it_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let expected = whole();
    let (protocol, recipes) = (protocol(), recipes());
    for stop_after in 1..=12 {
        let path = folder.path().join(format!("{stop_after}.jsonl"));
        let started = Arc::new(AtomicUsize::new(0));
        let mut again = 0;
        let comparison = loop {
            // Stopped after some more runs each time.
            let stop = Arc::new(AtomicBool::new(false));
            let campaign = Campaign::new(&protocol, &recipes, runner().with_stop(stop.clone()));
            let mut left: usize = stop_after;
            let counted = |variant: &str, seeds: &[u64]| {
                started.fetch_add(1, Relaxed);
                left = left.saturating_sub(1);
                // Each job is made before any is run.
                if left == 0 && again < 3 {
                    let (stop, path) = (stop.clone(), path.clone());
                    std::thread::spawn(move || {
                        // Once something is on disk.
                        while fs::metadata(&path).map_or(0, |file| file.len()) < 60 {
                            std::thread::yield_now();
                        }
                        stop.store(true, Relaxed);
                    });
                }
                job(variant, seeds)
            };
            let comparison = campaign
                .with_store(store(&path))
                .run(counted, |_| ())
                .unwrap();
            // What a kill leaves of the last line.
            let bytes = fs::read(&path).unwrap();
            if again < 3 {
                fs::write(&path, &bytes[..bytes.len() - stop_after.min(bytes.len())]).unwrap();
                again += 1;
                continue;
            }
            break comparison;
        };
        assert!(text(&comparison) == expected, "stopped after {stop_after}");
        assert!(started.load(Relaxed) >= comparison.runs.len());
    }
}

#[test]
fn shards_and_their_merge_are_the_same_as_one_machine() {
    let folder = tempfile::tempdir().unwrap();
    let whole_store = folder.path().join("whole.jsonl");
    drop(store(&whole_store));
    let (protocol, recipes) = (protocol(), recipes());
    let comparison = loop {
        let mut parts = vec![whole_store.clone()];
        let before = store(&whole_store).runs().len();
        for index in 1..=3 {
            let path = folder.path().join(format!("{index}.jsonl"));
            fs::copy(&whole_store, &path).unwrap();
            Campaign::new(&protocol, &recipes, runner())
                .with_store(store(&path))
                .with_shard(Shard::init(index, 3).unwrap())
                .run(job, |_| ())
                .unwrap();
            parts.push(path);
        }
        let merged = merge(&parts, &whole_store).unwrap();
        assert_eq!(merged.conflicts, []);
        if merged.runs == before {
            break Comparison::init(&protocol, &recipes, store(&whole_store).runs()).unwrap();
        }
    };
    assert!(text(&comparison) == whole());
}

#[test]
fn a_part_ends_with_its_look_even_if_it_is_the_only_one() {
    let (protocol, recipes) = (protocol(), recipes());
    let only = Shard::init(1, 1).unwrap();
    let campaign = Campaign::new(&protocol, &recipes, runner()).with_shard(only);
    let comparison = campaign.run(job, |_| panic!("a second look")).unwrap();
    assert_eq!(comparison.runs.len(), 3 * 8);
    assert!(!comparison.is_finished());
}

#[test]
fn recipes_that_do_not_fit_are_refused_before_the_first_run() {
    let mut recipes = recipes();
    recipes[1].baseline = Some("plane".to_owned());
    let protocol = protocol();
    let campaign = Campaign::new(&protocol, &recipes, runner());
    let error = campaign
        .run(|_, _| panic!("a job is made"), |_| ())
        .unwrap_err();
    assert!(error.to_string().contains("\"plane\""), "{error}");
}

#[test]
fn a_deadline_ends_with_the_look_that_fits() {
    let (protocol, recipes) = (protocol(), recipes());
    let campaign = Campaign::new(&protocol, &recipes, runner());
    let none = std::time::Duration::ZERO;
    let comparison = campaign.with_deadline(none).run(job, |_| ()).unwrap();
    assert_eq!(
        comparison.runs.len(),
        3 * 8,
        "the first look is always made"
    );
    assert!(!comparison.is_finished());
}

#[test]
fn failing_fast_ends_with_what_is_known() {
    let (protocol, recipes) = (protocol(), recipes());
    // The last run of the first look fails, and nothing is left to stop.
    let job = |variant: &str, seeds: &[u64]| {
        let fine = TrainingRun::new(variant, seeds[0]).with_metric("accuracy", 0.9);
        let json = serde_json::to_string(&fine)?;
        let mut command = match (variant, seeds[0]) {
            ("noisy", 8) => Command::new("false"),
            _ => Command::new("echo"),
        };
        command.arg(format!("{RUN_PREFIX}{json}"));
        let (label, seeds) = (variant.to_owned(), seeds.to_vec());
        Ok(Job {
            label,
            seeds,
            command,
        })
    };
    let one = Runner::new(NonZeroUsize::MIN).with_fail_fast(true);
    let campaign = Campaign::new(&protocol, &recipes, one);
    let comparison = campaign.run(job, |_| panic!("a second look")).unwrap();
    assert_eq!(comparison.runs.len(), 3 * 8);
    assert_eq!(comparison.failed().count(), 1);
}
