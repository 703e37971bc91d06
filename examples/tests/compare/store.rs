//! Runs that are kept.

use crate::{CLIP, read, start, text, timeless};
#[cfg(unix)]
use std::thread::sleep;
#[cfg(unix)]
use std::time::Instant;

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
