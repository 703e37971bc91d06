//! What Burn's own `init()` gives, in this library's wrappers.

use burn::lr_scheduler::LrScheduler;
use burn::lr_scheduler::cosine::CosineAnnealingLrSchedulerConfig;
use burn::lr_scheduler::exponential::ExponentialLrSchedulerConfig;
use burn::lr_scheduler::linear::LinearLrSchedulerConfig;
use burn::lr_scheduler::module_lr_scheduler::{ModuleLrScheduler, ModuleLrSchedulerConfig};
use burn::module::{ParamGroup, ParamId};
use burn_tricks::ConfigError;
use burn_tricks::prelude::*;
use burn_tricks::schedule::{BaseLr, Patience, SkipCount};

/// What `init()` of a configuration of Burn's gives.
fn linear() -> ModuleLrScheduler {
    let config = LinearLrSchedulerConfig::new(1.0, 0.2, 4);
    config.init().unwrap()
}

fn rates(mut schedule: impl LrScheduler, count: usize) -> Vec<f64> {
    (0..count).map(|_| schedule.step()).collect()
}

fn close(actual: &[f64], expected: &[f64]) {
    crate::oracle::assert_close(actual, expected, 1e-12, "rates");
}

#[test]
fn every_wrapper_is_a_method_of_it() {
    let warm = linear().with_warmup(WarmupConfig::new(2)).unwrap();
    close(&rates(warm, 5), &[0.0, 0.5, 1.0, 0.8, 0.6]);
    close(
        &rates(linear().then(2, 0.1).unwrap(), 4),
        &[1.0, 0.8, 0.1, 0.1],
    );
    close(
        &rates(linear().per_epoch(2).unwrap(), 4),
        &[1.0, 1.0, 0.8, 0.8],
    );
    close(
        &rates(linear().at_least(0.7).unwrap(), 4),
        &[1.0, 0.8, 0.7, 0.7],
    );
    close(
        &rates(linear().at_most(0.7).unwrap(), 4),
        &[0.7, 0.7, 0.6, 0.4],
    );
    let plateau = PlateauConfig::new(Goal::Minimize)
        .with_factor(0.5)
        .with_patience(Patience::Reached(1));
    let mut reduced = linear().reduced_on_plateau(&plateau).unwrap();
    reduced.observe(1.0);
    reduced.observe(1.0);
    close(&rates(reduced, 2), &[0.5, 0.4]);
    close(&rates(linear().boxed().unwrap(), 2), &[1.0, 0.8]);
    let skips = SkipCount::new();
    let mut repeating = linear().repeating_skipped(skips.clone()).unwrap();
    let first = repeating.step();
    skips.add();
    close(
        &[first, repeating.step(), repeating.step()],
        &[1.0, 1.0, 0.8],
    );
    // Wrappers of wrappers are this library's.
    let both = linear().with_warmup(WarmupConfig::new(2)).unwrap();
    close(&rates(both.at_least(0.3).unwrap(), 3), &[0.3, 0.5, 1.0]);
    let refused = linear().at_least(-1.0).unwrap_err();
    assert_eq!((refused.field, refused.got.as_str()), ("floor", "-1.0"));
}

/// What each wrapper says to a scheduler.
fn refusals(scheduler: impl Fn() -> ModuleLrScheduler) -> Vec<ConfigError> {
    let plateau = PlateauConfig::new(Goal::Minimize);
    let errors = [
        scheduler().with_warmup(WarmupConfig::new(2)).err(),
        scheduler().then(2, 0.1).err(),
        scheduler().per_epoch(2).err(),
        scheduler().at_least(0.1).err(),
        scheduler().at_most(0.1).err(),
        scheduler().reduced_on_plateau(&plateau).err(),
        scheduler().boxed().err(),
        scheduler().repeating_skipped(SkipCount::new()).err(),
        BaseLr::init(scheduler()).err(),
    ];
    errors
        .into_iter()
        .map(|error| error.expect("it is refused"))
        .collect()
}

#[test]
fn a_groups_own_rate_is_not_dropped_silently() {
    let head = || ParamGroup::from_predicate("head");
    let of_config = || {
        let exponential = ExponentialLrSchedulerConfig::new(0.5, 0.9);
        ModuleLrSchedulerConfig::new(LinearLrSchedulerConfig::new(0.9, 0.1, 7).into())
            .with_group(head(), exponential)
            .init()
            .unwrap()
    };
    // A constant rate, which has no state, and bases without a state.
    let constant = || linear().with_group(head(), 0.1);
    let constants = || {
        ModuleLrScheduler::new(0.3)
            .with_group(head(), 0.1)
            .with_group(head(), 0.2)
    };
    for errors in [refusals(of_config), refusals(constant), refusals(constants)] {
        for error in errors {
            assert_eq!(error.field, "groups");
            assert!(
                error
                    .to_string()
                    .contains("`ModuleLrScheduler::with_group`"),
                "{error}"
            );
        }
    }
    assert!(BaseLr::init(ModuleLrScheduler::new(0.3)).is_ok());
    assert!(BaseLr::init(linear()).is_ok());
}

#[test]
fn groups_of_wrapped_schedules_warm_up_each() {
    let head = ParamId::new();
    let warm = |rate: f64| {
        let config = CosineAnnealingLrSchedulerConfig::new(rate, 100);
        config
            .init()
            .unwrap()
            .with_warmup(WarmupConfig::new(2))
            .unwrap()
    };
    let group = ParamGroup::from_ids(vec![head]);
    let mut schedule = ModuleLrScheduler::new(warm(0.1)).with_group(group, warm(0.4));
    let rates: Vec<(f64, f64)> = (0..3)
        .map(|_| {
            let rates = schedule.step();
            (rates.base(), rates.lr_from_param(head, None))
        })
        .collect();
    assert_eq!(rates, [(0.0, 0.0), (0.05, 0.2), (0.1, 0.4)]);
}
