//! Every state, saved to a file at every phase of its cycle, is resumed in a process that never saw it as
//! if nothing had been.

use crate::averages_laws::{net, weight_and_statistic};
use crate::loss_scaler::scaler_of;
use crate::models::{Pair, alone};
use crate::resume_criteria::{METRIC, criteria};
use crate::resume_optimizers::optimizers;
use crate::resume_transforms;
use burn::lr_scheduler::cosine::CosineAnnealingLrSchedulerConfig;
use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::module::Module;
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, DType, Device};
use burn_tricks::average::{
    Buffers, EmaConfig, EmaSet, EmaWarmup, EnsembleConfig, LawaConfig, SnapshotEnsembleConfig,
    SwaConfig, SwagConfig,
};
use burn_tricks::grad::{
    AutoClipConfig, GradNoiseConfig, GradientTransform, LossScalerConfig, StepGuard,
};
use burn_tricks::schedule::{
    BaseLr, CosineConfig, CosineRestartsConfig, CyclicConfig, ExponentialDecayConfig,
    InverseSqrtConfig, LinearRampConfig, LrSchedulerExt as _, MultiStepConfig, OneCycleConfig,
    Patience, PlateauConfig, PolynomialConfig, WarmupConfig, WarmupMode, WarmupStableDecayConfig,
};
use burn_tricks::stop::Goal;
use serde::{Serialize, de::DeserializeOwned};
use std::path::Path;
use std::process::Command;

pub(crate) const STEPS: usize = 12;
const DIRECTORY: &str = "BURN_TRICKS_RESUME_DIRECTORY";

/// What each step shows.
type Trace = Vec<Vec<f64>>;

type Save = Box<dyn Fn(usize, &Path)>;
type Resume = Box<dyn Fn(usize, &Path) -> Trace>;

/// Something with a state.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) whole: Box<dyn Fn() -> Trace>,
    /// Saves the state before step `at`.
    pub(crate) save: Save,
    /// Loads it and takes the rest of the steps.
    pub(crate) resume: Resume,
}

pub(crate) fn case<S: 'static>(
    name: impl Into<String>,
    make: impl Fn() -> S + Clone + 'static,
    step: impl Fn(&mut S, usize) -> Vec<f64> + Clone + 'static,
    save: impl Fn(&S, &Path) + 'static,
    load: impl Fn(S, &Path) -> S + 'static,
) -> Case {
    let run = move |state: &mut S, from: usize, to: usize| -> Trace {
        (from..to).map(|at| step(state, at)).collect()
    };
    let (make_whole, make_saved) = (make.clone(), make.clone());
    let (run_whole, run_saved) = (run.clone(), run.clone());
    Case {
        name: name.into(),
        whole: Box::new(move || run_whole(&mut make_whole(), 0, STEPS)),
        save: Box::new(move |at, file| {
            let mut state = make_saved();
            run_saved(&mut state, 0, at);
            save(&state, file);
        }),
        resume: Box::new(move |at, file| run(&mut load(make(), file), at, STEPS)),
    }
}

/// The weights after step `at`.
pub(crate) fn weights(at: usize) -> Pair {
    let value = (at as f64 * 1.7).sin();
    Pair::new(&[value, 1.0], &[-value], DType::BF16, &Device::flex())
}

fn shown(model: &Pair, counts: [u64; 2]) -> Vec<f64> {
    let (a, b) = model.values();
    let counts = counts.map(|count| count as f64);
    a.into_iter().chain(b).chain(counts).collect()
}

/// A case for a type with `update`, `model`, `steps`, `updates` or `len`, and records.
macro_rules! average {
    ($name:expr, $config:expr, $count:ident) => {{
        let config = $config;
        case(
            $name,
            move || config.init(&weights(99)).unwrap(),
            |average, at| {
                average.update(&weights(at));
                shown(&average.model(), [average.steps(), average.$count() as u64])
            },
            |average, file| average.to_record().save(file).unwrap(),
            |average, file| {
                let record = ModuleRecord::load(file).unwrap();
                average.load_record(record).unwrap()
            },
        )
    }};
}

/// As [`average!`], of a model with batch norm whose weights and statistics differ.
macro_rules! average_of_net {
    ($name:expr, $config:expr) => {{
        let config = $config;
        let at = |at: usize| {
            let statistics = net((at as f64 * 0.9).cos(), DType::BF16);
            let mut net = net((at as f64 * 1.7).sin(), DType::BF16);
            net.norm = statistics.norm;
            net
        };
        case(
            $name,
            move || config.init(&at(99)).unwrap(),
            move |average, step| {
                average.update(&at(step));
                let [weight, statistic] = weight_and_statistic(&average.model());
                vec![weight, statistic, average.updates() as f64]
            },
            |average, file| average.to_record().save(file).unwrap(),
            |average, file| {
                let record = ModuleRecord::load(file).unwrap();
                average.load_record(record).unwrap()
            },
        )
    }};
}

fn averages() -> Vec<Case> {
    let mut cases = Vec::new();
    for warmup in [
        EmaWarmup::None,
        EmaWarmup::FirstUpdateCopies,
        EmaWarmup::TensorFlow,
        EmaWarmup::Timm {
            gamma: 1.0,
            power: 0.75,
        },
        EmaWarmup::BiasCorrected,
    ] {
        for (every, start) in [(1, 0), (3, 2)] {
            let config = EmaConfig::new(0.9)
                .with_warmup(warmup)
                .with_update_every(every)
                .with_start_after(start)
                .with_buffers(Buffers::Copy);
            let name = format!("EMA {warmup:?} every {every} after {start}");
            cases.push(average!(name, config, updates));
        }
    }
    for buffers in [Buffers::Average, Buffers::Copy] {
        let ema = EmaConfig::new(0.9)
            .with_update_every(2)
            .with_buffers(buffers);
        let ema = ema.with_start_after(2);
        cases.push(average_of_net!(
            format!("EMA of batch norm, {buffers:?}"),
            ema
        ));
        let swa = SwaConfig::new(2).with_start_after(3).with_buffers(buffers);
        cases.push(average_of_net!(
            format!("SWA of batch norm, {buffers:?}"),
            swa
        ));
        let lawa = LawaConfig::new(3, 2).with_buffers(buffers);
        cases.push(average_of_net!(
            format!("LAWA of batch norm, {buffers:?}"),
            lawa
        ));
    }
    cases.push(case(
        "a set of EMAs",
        || {
            let configs = [(0.5, 1), (0.9, 3)].map(|(decay, every)| {
                let config = EmaConfig::new(decay).with_update_every(every);
                config.with_warmup(EmaWarmup::BiasCorrected)
            });
            EmaSet::init(&configs, &weights(99)).unwrap()
        },
        |set, at| {
            set.update(&weights(at));
            let each = set
                .iter()
                .map(|ema| shown(&ema.model(), [ema.steps(), ema.updates()]));
            each.flatten().collect()
        },
        |set, file| set.to_record().save(file).unwrap(),
        |set, file| set.load_record(ModuleRecord::load(file).unwrap()).unwrap(),
    ));
    let swa = SwaConfig::new(2).with_start_after(3);
    cases.push(average!("SWA", swa, updates));
    let lawa = LawaConfig::new(3, 2).with_start_after(1);
    cases.push(average!("LAWA", lawa, len));
    cases.push(case(
        "SWAG",
        || {
            let config = SwagConfig::new(2).with_start_after(1).with_rank(3);
            config.init(&weights(99)).unwrap()
        },
        |swag, at| {
            swag.update(&weights(at));
            let counts = [swag.steps(), swag.updates()];
            [shown(&swag.model(), counts), shown(&swag.sample(7), counts)].concat()
        },
        |swag, file| swag.to_record().save(file).unwrap(),
        |swag, file| swag.load_record(ModuleRecord::load(file).unwrap()).unwrap(),
    ));
    cases.push(case(
        "snapshot ensemble",
        || SnapshotEnsembleConfig::new(2).init(&weights(99)).unwrap(),
        |members, at| {
            if at % 3 == 2 {
                members.collect(&weights(at));
            }
            let mut shown = vec![members.collected() as f64];
            if let Ok(ensemble) = members.clone().into_ensemble(&EnsembleConfig::new()) {
                for member in ensemble.members() {
                    shown.extend(member.values().0);
                }
            }
            shown
        },
        |members, file| members.to_record().save(file).unwrap(),
        |members, file| {
            let record = ModuleRecord::load(file).unwrap();
            members.load_record(record).unwrap()
        },
    ));
    cases
}

fn schedules() -> Vec<Case> {
    type Make = fn() -> Box<dyn LrScheduler>;
    let list: [(&str, Make); 16] = [
        ("exponential decay", || {
            let config = ExponentialDecayConfig::new(1.0).with_steps_per_epoch(3);
            Box::new(config.init().unwrap())
        }),
        ("linear", || {
            Box::new(LinearRampConfig::new(1.0, 0.1, 8).init().unwrap())
        }),
        ("multi-step", || {
            Box::new(MultiStepConfig::new(1.0, vec![2, 5]).init().unwrap())
        }),
        ("polynomial", || {
            let config = PolynomialConfig::new(1.0, 8).with_power(2.0);
            Box::new(config.init().unwrap())
        }),
        ("inverse square root", || {
            Box::new(
                InverseSqrtConfig::new(1.0)
                    .with_timescale(3)
                    .init()
                    .unwrap(),
            )
        }),
        ("cosine", || {
            Box::new(CosineConfig::new(1.0, 8).init().unwrap())
        }),
        ("cosine with restarts", || {
            let config = CosineRestartsConfig::new(1.0, 2).with_multiplier(2);
            Box::new(config.init().unwrap())
        }),
        ("one-cycle", || {
            Box::new(OneCycleConfig::torch(1.0, 10).init().unwrap())
        }),
        ("cyclic", || {
            Box::new(CyclicConfig::new(0.1, 1.0, 2).init().unwrap())
        }),
        ("warm-up, stable, decay", || {
            let config = WarmupStableDecayConfig::new(1.0, 10, 4).with_warmup_steps(2);
            Box::new(config.init().unwrap())
        }),
        ("warm-up before a cosine", || {
            let cosine = CosineConfig::new(1.0, 6).init().unwrap();
            Box::new(cosine.with_warmup(WarmupConfig::new(4)).unwrap())
        }),
        ("warm-up over a cosine", || {
            let cosine = CosineConfig::new(1.0, 10).init().unwrap();
            let warmup = WarmupConfig::new(4).with_mode(WarmupMode::Over);
            Box::new(cosine.with_warmup(warmup).unwrap())
        }),
        ("per epoch", || {
            let cosine = CosineConfig::new(1.0, 4).init().unwrap();
            Box::new(cosine.per_epoch(3).unwrap())
        }),
        ("sequence", || {
            let linear = LinearRampConfig::new(0.1, 1.0, 3).init().unwrap();
            let cosine = CosineConfig::new(1.0, 4).init().unwrap();
            Box::new(linear.then(4, cosine).unwrap().then(9, 0.05).unwrap())
        }),
        ("floor and ceiling", || {
            let cosine = CosineConfig::new(1.0, 8).init().unwrap();
            Box::new(cosine.at_least(0.2).unwrap().at_most(0.9).unwrap())
        }),
        ("Burn's cosine behind a warm-up", || {
            let cosine = CosineAnnealingLrSchedulerConfig::new(1.0, 6);
            let cosine = BaseLr::init(cosine.init().unwrap()).unwrap();
            Box::new(cosine.with_warmup(WarmupConfig::new(3)).unwrap())
        }),
    ];
    let mut cases: Vec<Case> = list
        .into_iter()
        .map(|(name, make)| {
            case(
                name,
                make,
                |schedule, _| vec![schedule.step()],
                |schedule, file| write_record(schedule.to_record(), file),
                |mut schedule, file| {
                    schedule.load_record(read_record(file));
                    schedule
                },
            )
        })
        .collect();
    cases.push(case(
        "plateau",
        || {
            let plateau = PlateauConfig::new(Goal::Maximize).with_factor(0.5);
            plateau
                .with_patience(Patience::Reached(2))
                .with_cooldown(1)
                .init()
                .unwrap()
        },
        |plateau, at| {
            let reduced = plateau.observe(METRIC[at]);
            vec![f64::from(u8::from(reduced)), plateau.scale()]
        },
        |plateau, file| write_json(plateau.state(), file),
        |plateau, file| plateau.with_state(read_json(file)),
    ));
    cases.push(case(
        "reduced on a plateau",
        || {
            let plateau = PlateauConfig::new(Goal::Maximize)
                .with_patience(Patience::Reached(2))
                .with_factor(0.5)
                .with_cooldown(1);
            let cosine = CosineConfig::new(1.0, 20).init().unwrap();
            cosine.reduced_on_plateau(&plateau).unwrap()
        },
        |schedule, at| {
            let reduced = schedule.observe(METRIC[at]);
            vec![f64::from(u8::from(reduced)), schedule.step()]
        },
        |schedule, file| write_record(schedule.to_record(), file),
        |mut schedule, file| {
            schedule.load_record(read_record(file));
            schedule
        },
    ));
    cases
}

pub(crate) fn write_json(state: &impl Serialize, file: &Path) {
    std::fs::write(file, serde_json::to_string(state).unwrap()).unwrap();
}

pub(crate) fn read_json<T: DeserializeOwned>(file: &Path) -> T {
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

fn write_record(record: LrSchedulerRecord, file: &Path) {
    std::fs::write(file, &*record.into_bytes().unwrap()).unwrap();
}

fn read_record(file: &Path) -> LrSchedulerRecord {
    let bytes = std::fs::read(file).unwrap();
    LrSchedulerRecord::from_bytes(Bytes::from_bytes_vec(bytes)).unwrap()
}

/// A transform of gradients, of which every fifth is not finite.
fn transform<T: GradientTransform + 'static>(
    name: &str,
    init: impl Fn() -> T + Clone + 'static,
) -> Case {
    case(
        name,
        init,
        |transform, at| {
            let pair = weights(at);
            let size = if at % 5 == 3 {
                f64::INFINITY
            } else {
                1.0 + at as f64
            };
            let grads = transform.apply(&pair, pair.grads(&[size, -0.5], &[0.25]));
            let read = |(a, b): (Vec<f64>, Vec<f64>)| [a, b].concat();
            let shown = (!grads.is_empty()).then(|| read(pair.read_grads(&grads)));
            // The trace has finite numbers alone.
            let shown = shown.unwrap_or_default().into_iter();
            shown
                .map(|x| if x.is_finite() { x } else { -1e9 })
                .collect()
        },
        |transform, file| std::fs::write(file, transform.state().expect("a state")).unwrap(),
        |mut transform, file| {
            let state = std::fs::read(file).unwrap();
            transform.load_state(&state).unwrap();
            transform
        },
    )
}

fn transforms() -> Vec<Case> {
    let noise = || GradNoiseConfig::new(0.3).with_seed(3).init().unwrap();
    let clip = || {
        let config = AutoClipConfig::new().with_percentile(70.0);
        config.with_history(4).init().unwrap()
    };
    let scaler = || scaler_of(&LossScalerConfig::new().with_growth_interval(2));
    vec![
        transform("gradient noise", noise),
        transform("AutoClip", clip),
        transform("loss scale", scaler),
        transform("a chain of transforms", move || {
            scaler()
                .then(StepGuard::new())
                .then((clip(), Some(noise())))
        }),
    ]
}

fn cases() -> Vec<Case> {
    let mut cases = averages();
    cases.extend(schedules());
    cases.extend(criteria());
    cases.extend(optimizers());
    cases.extend(transforms());
    cases.extend(resume_transforms::transforms());
    cases
}

#[test]
fn every_state_goes_on_in_a_fresh_process() {
    let _alone = alone();
    let directory = tempfile::tempdir().unwrap();
    let cases = cases();
    for (index, case) in cases.iter().enumerate() {
        for at in 0..=STEPS {
            (case.save)(at, &directory.path().join(format!("{index}-{at}.state")));
        }
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "resume::in_the_fresh_process", "--ignored"])
        .env(DIRECTORY, directory.path())
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{output}");
    for (index, case) in cases.iter().enumerate() {
        let whole = (case.whole)();
        assert!(
            whole.windows(2).any(|two| two[0] != two[1]),
            "{}",
            case.name
        );
        for at in 0..=STEPS {
            let file = directory.path().join(format!("{index}-{at}.json"));
            let text = std::fs::read_to_string(file).unwrap();
            let rest: Trace = serde_json::from_str(&text).unwrap();
            assert_eq!(rest, whole[at..], "{}, saved before step {at}", case.name);
        }
    }
}

/// Not a test: what the one above starts.
#[test]
#[ignore = "the other half of every_state_goes_on_in_a_fresh_process"]
fn in_the_fresh_process() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let directory = Path::new(&directory);
    for (index, case) in cases().iter().enumerate() {
        for at in 0..=STEPS {
            let rest = (case.resume)(at, &directory.join(format!("{index}-{at}.state")));
            let text = serde_json::to_string(&rest).unwrap();
            std::fs::write(directory.join(format!("{index}-{at}.json")), text).unwrap();
        }
    }
}

#[test]
fn a_record_of_something_else_is_refused_and_changes_nothing() {
    let device = Device::flex();
    let model = Pair::new(&[1.0], &[2.0], DType::F32, &device);
    let wide = Pair::new(&[1.0, 2.0], &[3.0], DType::F32, &device);
    let mut ema = EmaConfig::new(0.5)
        .with_warmup(EmaWarmup::None)
        .init(&model)
        .unwrap();
    ema.update(&Pair::new(&[3.0], &[4.0], DType::F32, &device));
    for record in [
        model.clone().into_record(),
        EmaConfig::new(0.5).init(&wide).unwrap().to_record(),
        SnapshotEnsembleConfig::new(1)
            .init(&model)
            .unwrap()
            .to_record(),
    ] {
        assert!(ema.clone().load_record(record).is_err());
        assert_eq!(ema.model().values(), (vec![2.0], vec![3.0]));
    }
}
