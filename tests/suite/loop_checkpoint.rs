//! Checkpoints of a hand-written loop: a process that is killed, files that are damaged, parts that do not fit.

use crate::models::{Net, Pair, numbers, values};
use crate::net_training::{Batch, Samples};
use burn::data::dataloader::batcher::Batcher as _;
use burn::lr_scheduler::LrScheduler as _;
use burn::module::Module;
use burn::optim::AdamConfig;
use burn::tensor::{DType, Device};
use burn::train::{InferenceStep, TrainStep};
use burn_tricks::checkpoint::{CheckpointError, Checkpoints, Saved};
use burn_tricks::prelude::*;
use burn_tricks::stop::BestWeights;
use burn_tricks::stop::{Any, CheckLimitConfig, StopReason};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

const EPOCHS: usize = 12;

/// What the loop has come to.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Outcome {
    weights: Vec<f64>,
    average: Vec<f64>,
    best: Vec<f64>,
    best_check: Option<usize>,
    losses: Vec<f64>,
    next_rate: f64,
    stopped: Option<StopReason>,
}

/// The loop, with a network that drops activations and has running statistics. It resumes from `folder`; what
/// it has come to, and after which epoch it was resumed.
fn train(folder: &Path, after_each: impl Fn()) -> (Outcome, Option<usize>) {
    let device = Device::flex().autodiff();
    let mut model = Net::seeded(1, &device);
    let mut optim = AdamConfig::new().init();
    let cosine = CosineConfig::new(0.05, 30).init().unwrap();
    let mut schedule = cosine.with_warmup(WarmupConfig::new(5)).unwrap();
    let mut ema = EmaConfig::new(0.9).init(&model).unwrap();
    let patience = EarlyStoppingConfig::new(Goal::Minimize).with_patience(8);
    let limit = CheckLimitConfig::new(EPOCHS - 1).init().unwrap();
    let mut stop = Any::init((patience.init().unwrap(), limit)).unwrap();
    let mut best = BestWeights::new();
    let mut losses: Vec<f64> = Vec::new();
    let (mut stopped, mut first, mut resumed) = (None, 1, None);

    let mut checkpoints = Checkpoints::open(folder, 2).unwrap();
    if let Some(saved) = checkpoints.newest().unwrap() {
        model = saved.module("model", model).unwrap();
        optim = saved.optimizer("optimizer", optim, &model).unwrap();
        schedule = saved.schedule("schedule", schedule).unwrap();
        ema = ema.load_record(saved.record("ema").unwrap()).unwrap();
        (stop, stopped) = {
            let (state, stopped) = saved.state("stop").unwrap();
            (stop.with_state(state), stopped)
        };
        if let Some(check) = saved.state("best check").unwrap() {
            let kept = saved.module("best", Net::new(0.3, &Device::flex()));
            best = best.with_kept(&kept.unwrap(), check, ());
        }
        losses = saved.state("losses").unwrap();
        assert!(saved.unread().is_empty());
        first = saved.step() + 1;
        resumed = Some(saved.step());
    }
    for epoch in first..=EPOCHS {
        if stopped.is_some() {
            break;
        }
        device.seed(100 + epoch as u64);
        for batch in 0..3 {
            let items = (0..4).map(|item| (7 * epoch + 4 * batch + 3 * item) % 10);
            let batch: Batch = Samples.batch(items.collect(), &device);
            let output = TrainStep::step(&model, batch);
            model = optim.step(schedule.step(), model, output.grads);
            ema.update(&model);
        }
        let loss = loss(&ema.model());
        losses.push(loss);
        let verdict = stop.observe(loss);
        best.keep(&verdict, || ema.model());
        stopped = verdict.stop;
        let mut step = checkpoints
            .step(epoch)
            .module("model", &model)
            .optimizer("optimizer", &optim)
            .schedule("schedule", &schedule)
            .record("ema", ema.to_record())
            .state("stop", &(stop.state(), stopped))
            .state("best check", &best.check())
            .state("losses", &losses);
        if let Some(best) = best.model() {
            step = step.module("best", &best);
        }
        step.save().unwrap();
        after_each();
    }
    let outcome = Outcome {
        weights: numbers(&model.valid()),
        average: numbers(&ema.model()),
        best: numbers(&best.model().unwrap()),
        best_check: best.check(),
        losses,
        next_rate: schedule.step(),
        stopped,
    };
    (outcome, resumed)
}

pub(crate) fn loss(net: &Net) -> f64 {
    let batch: Batch = Samples.batch((10..16).collect(), &Device::flex());
    let output = InferenceStep::step(net, batch);
    values(output.loss)[0]
}

const DIRECTORY: &str = "BURN_TRICKS_LOOP_DIRECTORY";

/// Not a test: the program that the one below starts and kills.
#[test]
#[ignore = "the process of a_loop_that_is_killed_comes_to_the_same_weights"]
fn in_a_process_of_its_own() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let directory = PathBuf::from(directory);
    // Slow enough to be met at any of its epochs.
    let pause = || std::thread::sleep(Duration::from_millis(30));
    let result = train(&directory.join("checkpoint"), pause);
    let text = serde_json::to_string(&result).unwrap();
    std::fs::write(directory.join("result"), text).unwrap();
}

fn start(directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "loop_checkpoint::in_a_process_of_its_own",
            "--ignored",
        ])
        .env(DIRECTORY, directory)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

fn finish(directory: &Path) -> (Outcome, Option<usize>) {
    assert!(start(directory).wait().unwrap().success());
    let text = std::fs::read_to_string(directory.join("result")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The newest checkpoint's step.
fn newest(directory: &Path) -> Option<usize> {
    let files = std::fs::read_dir(directory.join("checkpoint")).ok()?;
    let steps = files.filter_map(|file| {
        let name = file.unwrap().file_name().into_string().unwrap();
        let name = name
            .strip_prefix("step-")?
            .strip_suffix(".checkpoint")?
            .parse();
        name.ok()
    });
    steps.max()
}

/// Kills the loop as soon as it has saved `epoch`, or a little later.
fn kill_at(epoch: usize, later: Duration, directory: &Path) {
    let mut child = start(directory);
    let begun = Instant::now();
    while newest(directory).is_none_or(|newest| newest < epoch) {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        assert!(begun.elapsed() < Duration::from_secs(60), "it hangs");
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(later);
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert!(!status.success(), "killed, it did not end by itself");
    assert!(!directory.join("result").exists());
}

#[test]
fn a_loop_that_is_killed_comes_to_the_same_weights() {
    let alone_and_whole = tempfile::tempdir().unwrap();
    let (expected, resumed) = finish(alone_and_whole.path());
    assert_eq!(resumed, None);
    assert_eq!(expected.losses.len(), EPOCHS - 1);
    assert!(expected.stopped.is_some());

    let killed = tempfile::tempdir().unwrap();
    for (at, epoch) in [1, 3, 4, 7].into_iter().enumerate() {
        kill_at(epoch, Duration::from_millis(9 * at as u64), killed.path());
    }
    // Torn, as by a full disk: the one before it is complete.
    let step = newest(killed.path()).unwrap();
    let file = killed
        .path()
        .join(format!("checkpoint/step-{step}.checkpoint"));
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let (outcome, resumed) = finish(killed.path());
    assert_eq!(resumed, Some(step - 1));
    assert_eq!(outcome, expected);
    // It had stopped, and stays stopped.
    let (outcome, resumed) = finish(killed.path());
    assert_eq!(resumed, Some(EPOCHS - 1));
    assert_eq!(outcome, expected);
}

pub(crate) fn pair() -> Pair {
    Pair::new(&[1.0, 2.0], &[3.0], DType::F32, &Device::flex())
}

pub(crate) fn opened(folder: &Path) -> Checkpoints {
    Checkpoints::open(folder, 2).unwrap()
}

pub(crate) fn save(folder: &Path, step: usize) -> Result<(), CheckpointError> {
    let mut checkpoints = opened(folder);
    let step = checkpoints.step(step).module("model", &pair());
    step.state("numbers", &[0.1f64, 1e300]).save()
}

pub(crate) fn loaded(folder: &Path) -> Saved {
    opened(folder).newest().unwrap().unwrap()
}

fn steps(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name != "lock").collect();
    names.sort();
    names
}

#[test]
fn the_last_ones_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("made/by/open");
    let mut checkpoints = Checkpoints::open(&folder, 3).unwrap();
    assert!(checkpoints.newest().unwrap().is_none());
    for step in [0, 1, 5, 9, 10, 100] {
        checkpoints.step(step).state("step", &step).save().unwrap();
    }
    let kept = [
        "step-10.checkpoint",
        "step-100.checkpoint",
        "step-9.checkpoint",
    ];
    assert_eq!(steps(&folder), kept);
    let saved = checkpoints.newest().unwrap().unwrap();
    assert_eq!(
        (saved.step(), saved.state::<usize>("step").unwrap()),
        (100, 100)
    );
    assert_eq!(saved.path(), folder.join("step-100.checkpoint"));
    let error = Checkpoints::open(&folder, 0).unwrap_err();
    assert_eq!(error.to_string(), "`keep` must be at least 1, got 0");
}

#[test]
fn a_run_that_was_not_resumed_does_not_write_among_anothers_checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    save(folder.path(), 7).unwrap();
    for step in [1, 7] {
        let error = save(folder.path(), step).unwrap_err();
        assert!(matches!(error, CheckpointError::NotAfter { newest: 7, .. }));
        let text = format!("the checkpoint of step {step} cannot be saved");
        assert!(error.to_string().starts_with(&text), "{error}");
        assert!(error.to_string().contains("has one of step 7"), "{error}");
    }
    save(folder.path(), 8).unwrap();
    let mut checkpoints = opened(folder.path());
    assert!(checkpoints.step(8).save().is_err());
    checkpoints.step(9).save().unwrap();
    assert!(checkpoints.step(9).save().is_err(), "twice");
    assert_eq!(loaded(folder.path()).step(), 9);
}

#[test]
fn one_process_at_a_time_saves_and_all_may_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = opened(folder.path());
    let mut second = opened(folder.path());
    first.step(1).save().unwrap();
    assert_eq!(second.newest().unwrap().unwrap().step(), 1);
    std::fs::write(folder.path().join(".unfinished-x"), "of the first").unwrap();
    let error = second.step(2).save().unwrap_err();
    assert!(matches!(error, CheckpointError::InUse { .. }));
    let this = "this program saves checkpoints in ";
    assert!(error.to_string().starts_with(this), "{error}");
    assert!(folder.path().join(".unfinished-x").exists());
    first.step(2).save().unwrap();
    drop(first);
    // What the first did meanwhile is seen.
    let error = second.step(2).save().unwrap_err();
    assert!(matches!(error, CheckpointError::NotAfter { newest: 2, .. }));
    second.step(3).save().unwrap();
    assert_eq!(loaded(folder.path()).step(), 3);
}

/// As after `rm -rf` of the folder of a run that still trains.
#[cfg(unix)]
#[test]
fn a_run_whose_folder_was_removed_does_not_save_in_that_of_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("run");
    let mut first = opened(&folder);
    first.step(1).save().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let mut second = opened(&folder);
    second.step(1).save().unwrap();
    let error = first.step(2).save().unwrap_err();
    assert!(matches!(error, CheckpointError::Io(_)), "{error}");
    let lock = folder.join("lock").display().to_string();
    assert!(error.to_string().contains(&lock), "{error}");
    assert_eq!(steps(&folder), ["step-1.checkpoint"]);
    second.step(2).save().unwrap();
    assert_eq!(loaded(&folder).step(), 2);
}

/// The listed one may be deleted before it is read, since a newer one is complete.
#[test]
fn a_reader_finds_one_while_another_saves() {
    let folder = tempfile::tempdir().unwrap();
    let mut checkpoints = Checkpoints::open(folder.path(), 1).unwrap();
    checkpoints.step(0).save().unwrap();
    let reader = Checkpoints::open(folder.path(), 1).unwrap();
    const STEPS: usize = 200;
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for step in 1..=STEPS {
                checkpoints.step(step).save().unwrap();
            }
        });
        let mut last = 0;
        while last < STEPS && !writer.is_finished() {
            let step = reader.newest().unwrap().expect("one is complete").step();
            assert!(step >= last, "{step} after {last}");
            last = step;
        }
    });
}

#[test]
fn what_a_killed_process_left_is_removed_and_others_files_are_not() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".unfinished-x"), "half").unwrap();
    for other in ["notes.txt", "step-x.checkpoint", "step-1.bpk"] {
        std::fs::write(folder.path().join(other), "mine").unwrap();
    }
    for step in 1..=4 {
        save(folder.path(), step).unwrap();
    }
    let expected = [
        "notes.txt",
        "step-1.bpk",
        "step-3.checkpoint",
        "step-4.checkpoint",
        "step-x.checkpoint",
    ];
    assert_eq!(steps(folder.path()), expected);
}

#[test]
fn any_damage_is_found_and_the_checkpoint_before_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    save(folder, 1).unwrap();
    save(folder, 2).unwrap();
    let file = folder.join("step-2.checkpoint");
    let whole = std::fs::read(&file).unwrap();
    let passed_over = |bytes: &[u8], what: String| {
        std::fs::write(&file, bytes).unwrap();
        let saved = loaded(folder);
        assert_eq!(saved.step(), 1, "{what}");
        let (step, problem) = &saved.damaged()[0];
        assert_eq!((*step, saved.damaged().len()), (2, 1));
        let named = format!("{} is damaged, or is not", file.display());
        assert!(problem.to_string().starts_with(&named), "{problem}");
    };
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        passed_over(&flipped, format!("byte {at}"));
    }
    for length in (0..whole.len()).step_by(7) {
        passed_over(&whole[..length], format!("{length} bytes"));
    }
    passed_over(&[&whole[..], b"\0"].concat(), "one byte more".to_owned());
    let other = std::fs::read(folder.join("step-1.checkpoint")).unwrap();
    passed_over(&other, "of another step".to_owned());

    // It is saved again, and then counts again.
    let mut checkpoints = opened(folder);
    checkpoints.step(2).save().unwrap();
    assert_eq!(loaded(folder).step(), 2);
    checkpoints.step(3).save().unwrap();
    assert_eq!(steps(folder), ["step-2.checkpoint", "step-3.checkpoint"]);

    // One that stays damaged is not kept in place of a complete one.
    drop(checkpoints);
    std::fs::write(folder.join("step-3.checkpoint"), "torn").unwrap();
    let mut checkpoints = opened(folder);
    checkpoints.step(4).save().unwrap();
    assert_eq!(steps(folder), ["step-2.checkpoint", "step-4.checkpoint"]);
}

#[test]
fn a_damaged_one_before_the_newest_is_not_kept_in_place_of_a_complete_one() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut checkpoints = Checkpoints::open(folder, 4).unwrap();
    for step in 1..=4 {
        checkpoints.step(step).save().unwrap();
    }
    drop(checkpoints);
    std::fs::write(folder.join("step-3.checkpoint"), "torn").unwrap();
    let mut checkpoints = Checkpoints::open(folder, 3).unwrap();
    checkpoints.step(5).save().unwrap();
    let kept = [
        "step-2.checkpoint",
        "step-4.checkpoint",
        "step-5.checkpoint",
    ];
    assert_eq!(steps(folder), kept);
}

#[test]
fn if_none_is_complete_nothing_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    for step in [3, 4] {
        let file = folder.path().join(format!("step-{step}.checkpoint"));
        std::fs::write(file, "torn").unwrap();
    }
    let error = opened(folder.path()).newest().unwrap_err();
    assert!(matches!(error, CheckpointError::NoneComplete { .. }));
    let text = error.to_string();
    assert!(
        text.contains("(step 3: ") && text.contains("; step 4: "),
        "{text}"
    );
    assert!(save(folder.path(), 5).is_err(), "nor is anything written");
    assert_eq!(steps(folder.path()).len(), 2);
}

#[test]
fn a_later_version_is_not_taken_for_damage() {
    let folder = tempfile::tempdir().unwrap();
    // The version, the sum of it and of the rest, the rest.
    let file = folder.path().join("step-1.checkpoint");
    let sum = CRC_OF_2_LF_X.to_le_bytes();
    let bytes = [&b"burn-tricks checkpoint 2\n"[..], &sum, b"x"].concat();
    std::fs::write(&file, bytes).unwrap();
    let error = opened(folder.path()).newest().unwrap_err();
    let expected =
        "step-1.checkpoint has version 2 of the file format, and this program reads version 1";
    assert!(error.to_string().contains(expected), "{error}");
}

/// Python: `zlib.crc32(b"2\nx")`.
const CRC_OF_2_LF_X: u32 = 2_090_858_856;

/// What cannot be deleted (here a folder, which is not a file) is left for the next time.
#[test]
fn a_checkpoint_is_saved_even_if_an_outdated_one_cannot_be_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut checkpoints = Checkpoints::open(folder, 1).unwrap();
    let mut save = |step: usize| checkpoints.step(step).state("step", &step).save();
    save(2).unwrap();
    let stuck = folder.join("step-1.checkpoint");
    std::fs::create_dir(&stuck).unwrap();
    save(3).unwrap();
    assert_eq!(loaded(folder).step(), 3);
    assert_eq!(steps(folder), ["step-1.checkpoint", "step-3.checkpoint"]);
    std::fs::remove_dir(&stuck).unwrap();
    std::fs::write(&stuck, "anything").unwrap();
    save(4).unwrap();
    assert_eq!(steps(folder), ["step-4.checkpoint"]);
}
