//! Criteria and roll-back, for the runs that are resumed in a fresh process.

use crate::models::Pair;
use crate::resume::{Case, STEPS, case, read_json, weights, write_json};
use burn::module::Module;
use burn_tricks::stop::{
    All, Any, BestWeights, CheckLimitConfig, EarlyStopping, EarlyStoppingConfig,
    GeneralizationLossConfig, Goal, NoiseAwareConfig, NonFiniteMetric, Observation,
    ProgressQuotientConfig, RisingStripsConfig, RollBack, RollBackConfig, SmoothedConfig,
    StopCriterion, StopReason, TimeLimitConfig,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Better, worse, NaN, and beyond a limit of -9.
pub(crate) const METRIC: [f64; STEPS] = [
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

/// A criterion of Prechelt, of an error and a training error.
fn prechelt<C: StopCriterion + 'static>(
    name: &str,
    make: impl Fn() -> C + Clone + 'static,
) -> Case {
    case(
        name,
        make,
        |stop, at| {
            let error = 1.0 + 0.3 * (at as f64 - 3.0).abs() + 0.1 * (at % 3) as f64;
            let training = 1.0 / (at + 1) as f64;
            let decision = stop.observe(Observation::from(error).with_training(training));
            vec![
                decision.check as f64,
                decision.best.unwrap_or(0.0),
                decision.waited as f64,
                f64::from(u8::from(decision.should_stop())),
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
            let restart =
                back.after_check(&decision, best, &weights(at), stop, |scale| told = scale);
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

pub(crate) fn criteria() -> Vec<Case> {
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
        prechelt("generalisation loss", || {
            GeneralizationLossConfig::new(40.0).init().unwrap()
        }),
        prechelt("progress quotient", || {
            let config = ProgressQuotientConfig::new(0.5).with_strip(3);
            config.init().unwrap()
        }),
        prechelt("rising strips", || {
            RisingStripsConfig::new(2).with_strip(2).init().unwrap()
        }),
        criterion("smoothed patience", move || {
            SmoothedConfig::new(0.5).init(early_stopping()).unwrap()
        }),
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
