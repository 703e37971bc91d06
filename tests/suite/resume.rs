//! Every state, saved to a file at every phase of its cycle, is resumed in a process that never saw it as
//! if nothing had been.

use crate::averages_laws::{net, weight_and_statistic};
use crate::models::{Pair, alone};
use crate::resume_optimizers::optimizers;
use burn::lr_scheduler::cosine::CosineAnnealingLrSchedulerConfig;
use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::module::Module;
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, DType, Device};
use burn_tricks::average::{
    Buffers, EmaConfig, EmaSet, EmaWarmup, EnsembleConfig, LawaConfig, SnapshotEnsembleConfig,
    SwaConfig,
};
use burn_tricks::grad::{
    AutoClipConfig, GradNoiseConfig, GradientTransform, LossScalerConfig, StepGuard,
};
use burn_tricks::schedule::{
    BaseRate, CosineConfig, CosineRestartsConfig, CyclicConfig, ExponentialDecayConfig,
    InverseSqrtConfig, LinearRampConfig, LrSchedulerExt as _, MultiStepConfig, OneCycleConfig,
    Patience, PlateauConfig, PolynomialConfig, WarmupConfig, WarmupMode, WarmupStableDecayConfig,
};
use burn_tricks::stop::{
    All, Any, BestWeights, CheckLimitConfig, EarlyStopping, EarlyStoppingConfig, Goal,
    NoiseAwareConfig, NonFiniteMetric, Observation, RollBack, RollBackConfig, StopCriterion,
    StopReason, TimeLimitConfig,
};
use serde::{Serialize, de::DeserializeOwned};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const STEPS: usize = 12;
const DIRECTORY: &str = "BURN_TRICKS_RESUME_DIRECTORY";

/// What each step shows.
type Trace = Vec<Vec<f64>>;

type Save = Box<dyn Fn(usize, &Path)>;
type Resume = Box<dyn Fn(usize, &Path) -> Trace>;

/// Something with a state.
pub(crate) struct Case {
    name: String,
    whole: Box<dyn Fn() -> Trace>,
    /// Saves the state before step `at`.
    save: Save,
    /// Loads it and takes the rest of the steps.
    resume: Resume,
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
fn weights(at: usize) -> Pair {
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
            let cosine = BaseRate::init(cosine.init().unwrap()).unwrap();
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

fn write_json(state: &impl Serialize, file: &Path) {
    std::fs::write(file, serde_json::to_string(state).unwrap()).unwrap();
}

fn read_json<T: DeserializeOwned>(file: &Path) -> T {
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

fn write_record(record: LrSchedulerRecord, file: &Path) {
    std::fs::write(file, &*record.into_bytes().unwrap()).unwrap();
}

fn read_record(file: &Path) -> LrSchedulerRecord {
    let bytes = std::fs::read(file).unwrap();
    LrSchedulerRecord::from_bytes(Bytes::from_bytes_vec(bytes)).unwrap()
}

/// Better, worse, NaN, and beyond a limit of -9.
const METRIC: [f64; STEPS] = [
    -3.0,
    -2.0,
    -2.5,
    -2.2,
    -2.4,
    -1.0,
    f64::NAN,
    -1.1,
    -10.0,
    -0.5,
    -0.6,
    -0.7,
];

fn criterion<C: StopCriterion + 'static>(
    name: &str,
    make: impl Fn() -> C + Clone + 'static,
) -> Case {
    case(
        name,
        make,
        |stop, at| {
            let metric = Observation::from(METRIC[at]).with_standard_error(0.2);
            let decision = stop.observe(metric);
            let reason = match decision.stop {
                None => 0.0,
                Some(StopReason::NoImprovement { .. }) => 1.0,
                Some(StopReason::Diverged { .. }) => 2.0,
                Some(StopReason::NonFinite) => 3.0,
                Some(StopReason::Undecided { .. }) => 4.0,
                Some(StopReason::CheckLimit { .. }) => 5.0,
                Some(StopReason::All { .. }) => 6.0,
                Some(StopReason::BaselineNotBeaten { .. }) => 7.0,
                Some(reason) => panic!("no case stops for {reason}"),
            };
            vec![
                decision.check as f64,
                decision.best.unwrap_or(0.0),
                decision.waited as f64,
                reason,
            ]
        },
        |stop, file| {
            let text = serde_json::to_string(&stop.state()).unwrap();
            std::fs::write(file, text).unwrap();
        },
        |stop, file| {
            let text = std::fs::read_to_string(file).unwrap();
            stop.with_state(serde_json::from_str(&text).unwrap())
        },
    )
}

/// On a clock that goes on by a second before each check, and starts anew in each process.
fn time_limit() -> Case {
    let make = || {
        let seconds = Arc::new(AtomicU64::new(0));
        let clock = seconds.clone();
        let stop = TimeLimitConfig::new(7.5)
            .init_with_clock(move || clock.load(Relaxed) as f64)
            .unwrap();
        (stop, seconds)
    };
    case(
        "time limit",
        make,
        |(stop, seconds), at| {
            stop.start();
            seconds.fetch_add(1, Relaxed);
            let decision = stop.observe(METRIC[at]);
            vec![
                f64::from(u8::from(decision.should_stop())),
                stop.seconds_spent(),
            ]
        },
        |(stop, _), file| {
            std::fs::write(file, serde_json::to_string(&stop.state()).unwrap()).unwrap();
        },
        |(stop, seconds), file| {
            let text = std::fs::read_to_string(file).unwrap();
            (
                stop.with_state(serde_json::from_str(&text).unwrap()),
                seconds,
            )
        },
    )
}

/// The best weights, with a number as extra state, and the way back to them.
fn kept_and_rolled_back() -> Case {
    type State = (EarlyStopping, BestWeights<Pair, f64>, RollBack);
    let make = || -> State {
        let stop = EarlyStoppingConfig::new(Goal::Maximize).with_divergence_limit(Some(-9.0));
        let back = RollBackConfig::new(2).with_lr_factor(0.5);
        (
            stop.init().unwrap(),
            BestWeights::new(),
            back.init().unwrap(),
        )
    };
    case(
        "best weights and roll-back",
        make,
        |(stop, best, back), at| {
            let decision = stop.observe(METRIC[at]);
            best.keep_with(&decision, || (weights(at), at as f64));
            let mut told = 0.0;
            let restart = back.on(&decision, best, &weights(at), stop, |scale| told = scale);
            let mut seen = vec![told, back.lr_scale(), back.done() as f64];
            if let Some(restart) = restart {
                seen.extend([restart.extra, restart.check as f64]);
                seen.extend(restart.model.values().0);
            }
            seen
        },
        |(stop, best, back), file| {
            write_json(
                &(stop.state(), back.state(), best.check(), best.extra()),
                file,
            );
            if let Some(model) = best.model() {
                model.save_file(file.with_extension("bpk")).unwrap();
            }
        },
        |(stop, mut best, back), file| {
            let (stopped, done, check, extra) = read_json(file);
            let check: Option<usize> = check;
            if let (Some(check), Some(extra)) = (check, extra) {
                let model = weights(99).load_file(file.with_extension("bpk"));
                best = best.with_kept(&model, check, extra);
            }
            (stop.with_state(stopped), best, back.with_state(done))
        },
    )
}

fn criteria() -> Vec<Case> {
    let early_stopping = || {
        EarlyStoppingConfig::new(Goal::Maximize)
            .with_patience(3)
            .with_divergence_limit(Some(-9.0))
            .init()
            .unwrap()
    };
    let keras = || {
        EarlyStoppingConfig::keras(Goal::Maximize)
            .with_patience(2)
            .with_baseline(Some(-0.55))
            .with_warmup_checks(1)
            .init()
            .unwrap()
    };
    let noise_aware = || {
        NoiseAwareConfig::new(Goal::Maximize)
            .with_patience(1)
            .init()
            .unwrap()
    };
    let checks = || CheckLimitConfig::new(5).init().unwrap();
    vec![
        criterion("early stopping", early_stopping),
        criterion("Keras's early stopping", keras),
        criterion("noise-aware", noise_aware),
        criterion(
            "noise-aware, of a limited number of undecided checks",
            || {
                NoiseAwareConfig::new(Goal::Maximize)
                    .with_patience(9)
                    .with_standard_errors(4.0)
                    .with_max_undecided(Some(3))
                    .with_non_finite(NonFiniteMetric::Ignore)
                    .init()
                    .unwrap()
            },
        ),
        criterion("check limit", checks),
        time_limit(),
        criterion("any", move || {
            Any::init((early_stopping(), checks())).unwrap()
        }),
        criterion("any of all and any", move || {
            let all = All::init((early_stopping(), checks())).unwrap();
            let any = Any::init(vec![noise_aware(), noise_aware()]).unwrap();
            Any::init((keras(), all, any)).unwrap()
        }),
        kept_and_rolled_back(),
        criterion("all", move || {
            All::init((early_stopping(), checks(), noise_aware())).unwrap()
        }),
    ]
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
        config.with_window(4).init().unwrap()
    };
    let scaler = || {
        let config = LossScalerConfig::new().with_growth_interval(2);
        config.init().unwrap()
    };
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
