//! Exponential learning-rate decay.

use crate::oracle::{assert_close, case, numbers, read};
use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn_tricks::schedule::{ExponentialDecay, ExponentialDecayConfig, LrDecayUnit};

fn rates(config: &ExponentialDecayConfig, count: usize) -> Vec<f64> {
    let mut schedule = config.init().unwrap();
    (0..count).map(|_| schedule.step()).collect()
}

fn every_config() -> Vec<ExponentialDecayConfig> {
    let mut configs = Vec::new();
    for unit in [
        LrDecayUnit::Steps,
        LrDecayUnit::Epochs { steps: 3 },
        LrDecayUnit::SmoothEpochs { steps: 3 },
    ] {
        for floor in [None, Some(0.0), Some(0.35)] {
            let config = ExponentialDecayConfig::new(0.7).with_gamma(0.5);
            configs.push(config.with_unit(unit).with_floor(floor));
        }
    }
    configs
}

#[test]
fn agrees_with_the_formula_and_pytorch() {
    for name in ["power", "torch_exponential"] {
        let case = case("decay", name);
        let config = ExponentialDecayConfig::new(read(&case["settings"]["lr"]))
            .with_gamma(read(&case["settings"]["gamma"]));
        assert_close(&rates(&config, 5), &numbers(&case["values"]), 1e-12, name);
    }
}

#[test]
fn agrees_with_optax_in_stairs_and_smoothly() {
    for name in [
        "optax_staircase",
        "optax_continuous",
        "optax_staircase_end_value",
        "optax_continuous_end_value",
    ] {
        let case = case("decay", name);
        let settings = &case["settings"];
        let steps = read(&settings["transition_steps"]);
        let unit = if read(&settings["staircase"]) {
            LrDecayUnit::Epochs { steps }
        } else {
            LrDecayUnit::SmoothEpochs { steps }
        };
        let config = ExponentialDecayConfig::new(read(&settings["init_value"]))
            .with_gamma(read(&settings["decay_rate"]))
            .with_unit(unit)
            .with_floor(read(&settings["end_value"]));
        assert_close(&rates(&config, 10), &numbers(&case["values"]), 1e-7, name);
    }
}

#[test]
fn the_first_value_is_the_initial_one_exactly() {
    for initial in [1e-300, 1.0 / 3.0, 0.1, 1.0, 7.3, f64::MAX] {
        for unit in [LrDecayUnit::Steps, LrDecayUnit::SmoothEpochs { steps: 7 }] {
            let config = ExponentialDecayConfig::new(initial).with_unit(unit);
            assert_eq!(rates(&config, 1), [initial]);
        }
    }
}

#[test]
fn a_rate_of_one_is_constant_and_a_floor_holds() {
    let constant = ExponentialDecayConfig::new(0.3).with_gamma(1.0);
    assert_eq!(rates(&constant, 1000), vec![0.3; 1000]);
    let config = ExponentialDecayConfig::new(1.0)
        .with_gamma(0.5)
        .with_floor(Some(0.2));
    assert_eq!(rates(&config, 5), [1.0, 0.5, 0.25, 0.2, 0.2]);
}

#[test]
fn nothing_drifts_or_overflows_in_a_long_run() {
    let config = ExponentialDecayConfig::new(0.1).with_gamma(0.999_999);
    let schedule = config.init().unwrap();
    let expected = 0.1 * (10_000_000.0 * 0.999_999f64.ln()).exp();
    assert_close(
        &[schedule.at(10_000_000)],
        &[expected],
        1e-9,
        "ten million steps",
    );
    assert_eq!(schedule.at(u64::MAX), 0.0);
}

#[test]
fn a_saved_schedule_goes_on_where_it_was_at_every_step() {
    for config in every_config() {
        let whole = rates(&config, 12);
        for at in 0..12 {
            let mut first = config.init().unwrap();
            for _ in 0..at {
                first.step();
            }
            let bytes = first.to_record().into_bytes().unwrap();
            let mut second = config.init().unwrap();
            second.load_record(LrSchedulerRecord::from_bytes(bytes).unwrap());
            let rest: Vec<_> = (at..12).map(|_| second.step()).collect();
            assert_eq!(rest, whole[at..], "{config}, saved before step {at}");
        }
    }
}

#[test]
fn it_is_one_of_burns_schedulers() {
    let schedule = ExponentialDecayConfig::new(0.1).init().unwrap();
    let mut of_module = ModuleLrScheduler::from(schedule);
    assert_eq!(of_module.step().base(), 0.1);
    assert_close(&[of_module.step().base()], &[0.098], 1e-12, "second");
}

#[test]
fn a_foreign_record_changes_nothing() {
    let mut schedule = ExponentialDecayConfig::new(0.1).init().unwrap();
    schedule.step();
    schedule.load_record(LrSchedulerRecord::new().with_scalar("current_iter", 7u64));
    assert_close(&[schedule.step()], &[0.098], 1e-12, "second step");
}

#[test]
fn a_meaningless_configuration_is_refused() {
    let field = |config: ExponentialDecayConfig| config.init().unwrap_err().field;
    for bad in [0.0, -0.1, f64::NAN, f64::INFINITY] {
        assert_eq!(field(ExponentialDecayConfig::new(bad)), "initial_lr");
    }
    for bad in [0.0, 1.01, -1.0, f64::NAN] {
        assert_eq!(
            field(ExponentialDecayConfig::new(0.1).with_gamma(bad)),
            "gamma"
        );
    }
    for bad in [-1e-9, 0.2, f64::NAN] {
        let config = ExponentialDecayConfig::new(0.1).with_floor(Some(bad));
        assert_eq!(field(config), "floor");
    }
    let config = ExponentialDecayConfig::new(0.1).with_steps_per_epoch(0);
    assert_eq!(field(config), "steps_per_epoch");
}

#[test]
fn it_survives_json_and_is_a_value() {
    fn value<T: Clone + Send + Sync + 'static>() {}
    value::<ExponentialDecay>();
    for config in every_config() {
        let json = serde_json::to_string(&config).unwrap();
        let read: ExponentialDecayConfig = serde_json::from_str(&json).unwrap();
        assert_eq!(read, config);
    }
}
