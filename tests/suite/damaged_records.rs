//! Random damage to every kind of record and state file: bits flipped, bytes overwritten, zeros, ends cut
//! off. Nothing panics; and what this library saves or gives a checksum is refused, never loaded damaged.

use crate::counter::{Counter, counting, patience};
use crate::models::{Net, alone, numbers};
use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Device, Tensor};
use burn::train::Learner;
use burn::train::metric::LossMetric;
use burn_tricks::average::{EmaSet, LawaConfig, SwaConfig};
use burn_tricks::nn::{InputScaler, ScalerConfig};
use burn_tricks::optim::ModuleOptimizerExt as _;
use burn_tricks::prelude::*;
use burn_tricks::stop::{Any, CheckLimitConfig, StopCriterion};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Numbers that look random (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }

    /// Bytes that differ from `bytes`.
    fn damaged(&mut self, bytes: &[u8]) -> Vec<u8> {
        loop {
            let mut damaged = bytes.to_vec();
            let at = self.below(bytes.len());
            match self.below(4) {
                0 => damaged[at] ^= 1 << self.below(8),
                1 => damaged[at] = self.below(256) as u8,
                2 => {
                    let end = (at + 1 + self.below(64)).min(bytes.len());
                    damaged[at..end].fill(0);
                }
                _ => damaged.truncate(at),
            }
            if damaged != bytes {
                return damaged;
            }
        }
    }
}

/// Of `times` random damages to `bytes`, how many `load` takes for something else than what it was. It never
/// panics.
fn silent<T: PartialEq + std::fmt::Debug>(
    name: &str,
    bytes: &[u8],
    times: usize,
    load: impl Fn(Vec<u8>) -> Result<T, String>,
) -> usize {
    let expected = load(bytes.to_vec()).unwrap();
    let mut random = Random(7);
    let taken_for_another = |damaged: Vec<u8>| {
        let loaded = catch_unwind(AssertUnwindSafe(|| load(damaged)));
        let loaded = loaded.unwrap_or_else(|_| panic!("{name}: a panic"));
        loaded.is_ok_and(|loaded| loaded != expected)
    };
    (0..times)
        .filter(|_| taken_for_another(random.damaged(bytes)))
        .count()
}

const TIMES: usize = 300;

fn net() -> Net {
    Net::seeded(3, &Device::flex().autodiff())
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn record(bytes: Vec<u8>) -> Result<ModuleRecord, String> {
    ModuleRecord::from_bytes(Bytes::from_bytes_vec(bytes)).map_err(text)
}

#[test]
fn a_damaged_average_is_refused() {
    let _alone = alone();
    let start = net();
    macro_rules! check {
        ($name:literal, $make:expr) => {{
            let make = || $make.unwrap();
            let mut average = make();
            average.update(&start);
            let bytes = average.to_record().into_bytes().unwrap();
            let load = |bytes| {
                let loaded = make().load_record(record(bytes)?).map_err(text)?;
                Ok((numbers(&loaded.model()), loaded.steps(), loaded.updates()))
            };
            assert_eq!(silent($name, &bytes, TIMES, load), 0, "{}", $name);
            // As a session keeps it, behind its name.
            let load = |bytes: Vec<u8>| {
                let mut average = make();
                Trick::<Net>::load_state(&mut average, &bytes).map_err(text)?;
                Ok(numbers(&average.model()))
            };
            let bytes = Trick::<Net>::state(&average).unwrap();
            assert_eq!(silent($name, &bytes, TIMES, load), 0, "{}", $name);
        }};
    }
    check!("Ema", EmaConfig::new(0.5).init(&start));
    check!("Swa", SwaConfig::new(1).init(&start));
    check!("Lawa", LawaConfig::new(1, 2).init(&start));
    let set = || EmaSet::init(&[EmaConfig::new(0.5), EmaConfig::new(0.9)], &start).unwrap();
    let bytes = set().to_record().into_bytes().unwrap();
    let load = |bytes| {
        let loaded = set().load_record(record(bytes)?).map_err(text)?;
        let each = loaded
            .iter()
            .map(|ema| (numbers(&ema.model()), ema.steps()));
        Ok(each.collect::<Vec<_>>())
    };
    assert_eq!(silent("EmaSet", &bytes, TIMES, load), 0);
}

/// An optimizer after a step, and its model.
fn stepped() -> (Net, ModuleOptimizer) {
    let (model, mut optim) = (net(), AdamConfig::new().init());
    let input = Tensor::<2>::ones([2, 4], &Device::flex().autodiff());
    let grads = model.forward(input).mean().backward();
    let grads = GradientsParams::from_grads(grads, &model);
    (optim.step(0.1, model, grads), optim)
}

/// Burn's format has no checksum: numbers that are damaged load silently, unless somebody adds one, as
/// sessions and checkpoints do. But there is no panic.
#[test]
fn a_damaged_record_of_burn_is_an_error_or_is_read_and_never_panics() {
    let _alone = alone();
    let (model, optim) = stepped();
    let bytes = optim.into_bytes().unwrap();
    let load = |bytes| {
        let bytes = Bytes::from_bytes_vec(bytes);
        let loaded = AdamConfig::new().init().try_from_bytes(&model, bytes);
        Ok(loaded.map_err(text)?.into_bytes().unwrap().to_vec())
    };
    assert!(silent("optimizer", &bytes, TIMES, load) > 0);

    let bytes = model.clone().into_record().into_bytes().unwrap();
    let load = |bytes| {
        let loaded = net().try_load_record(record(bytes)?).map_err(text)?;
        Ok(numbers(&loaded))
    };
    assert!(silent("model", &bytes, TIMES, load) > 0);

    let scaler = || ScalerConfig::standard().init(3, &Device::flex()).unwrap();
    let input = Tensor::<2>::from_data([[1.0, 5.0, 2.0], [9.0, 4.0, 2.0]], &Device::flex());
    let fitted: InputScaler = ScalerConfig::standard().fit(&input).unwrap();
    let bytes = fitted.into_record().into_bytes().unwrap();
    let load = |bytes| {
        let loaded = scaler().try_load_record(record(bytes)?).map_err(text)?;
        Ok(numbers(&loaded))
    };
    assert!(silent("scaler", &bytes, TIMES, load) > 0);

    let schedule = || {
        let schedule = CosineConfig::new(0.1, 10).init().unwrap();
        let watch = PlateauConfig::new(Goal::Minimize);
        schedule.reduced_on_plateau(&watch).unwrap()
    };
    let mut one = schedule();
    one.step();
    let bytes = one.to_record().into_bytes().unwrap();
    let load = |bytes| {
        let record = LrSchedulerRecord::from_bytes(Bytes::from_bytes_vec(bytes)).map_err(text)?;
        let mut loaded = schedule();
        loaded.load_record(record);
        Ok(format!("{:?}", loaded.step()))
    };
    assert!(silent("schedule", &bytes, TIMES, load) > 0);

    let criterion = || {
        let limit = CheckLimitConfig::new(9).init().unwrap();
        Any::init((patience(2), limit)).unwrap()
    };
    let mut one = criterion();
    one.observe(0.5);
    let bytes = serde_json::to_vec(&one.state()).unwrap();
    let load = |bytes: Vec<u8>| {
        let state = serde_json::from_slice(&bytes).map_err(text)?;
        let mut loaded = criterion().with_state(state);
        loaded.observe(0.4);
        Ok(loaded)
    };
    assert!(silent("criterion", &bytes, TIMES, load) > 0);
}

/// A resumed run of three epochs: where it resumed, what it passed over, and its weights.
type Resumed = (Option<usize>, usize, Vec<f64>);

fn run(folder: &Path, epochs: usize) -> Result<Resumed, String> {
    let ema = EmaConfig::new(0.5).init(&Counter::new()).unwrap();
    let session = counting(folder).num_epochs(epochs).without_clock();
    let session = session.stop_early(LossMetric::new(), patience(9));
    let session = session.resumable(2).unwrap();
    let optimizer = AdamConfig::new().init();
    let learner = Learner::new(Counter::new().with_tricks((ema,)), optimizer, 1.0);
    let finished = session.launch(learner).map_err(text)?;
    let weights = [
        numbers(finished.model.model()),
        numbers(&finished.last_model()),
    ];
    Ok((
        finished.resumed_after,
        finished.incomplete.len(),
        weights.concat(),
    ))
}

/// Each file of the newest checkpoint, damaged: the run resumes from the one before, to the same weights, or
/// it is refused.
#[test]
fn a_damaged_file_of_a_session_is_passed_over() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let (_, _, expected) = run(folder.path(), 3).unwrap();
    let mut random = Random(3);
    let names = crate::counter::sets(&[2]);
    let mut passed_over = 0;
    for name in &names {
        for _ in 0..6 {
            let folder = tempfile::tempdir().unwrap();
            run(folder.path(), 2).unwrap();
            let path = folder.path().join("checkpoint").join(name);
            let damaged = random.damaged(&std::fs::read(&path).unwrap());
            std::fs::write(&path, damaged).unwrap();
            match run(folder.path(), 3) {
                Ok(resumed) => {
                    assert_eq!(resumed, (Some(1), 1, expected.clone()), "{name}");
                    passed_over += 1;
                }
                Err(error) => assert!(error.contains("version"), "{name}: {error}"),
            }
        }
    }
    let damages = 6 * names.len();
    assert!(
        4 * passed_over > 3 * damages,
        "only {passed_over} of {damages} damages are passed over"
    );
}
