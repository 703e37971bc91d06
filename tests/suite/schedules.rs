//! Learning-rate schedules against PyTorch, optax, Keras and the papers' formulas.

use crate::oracle::{assert_close, case, numbers, read};
use burn::lr_scheduler::LrScheduler;
use burn_tricks::schedule::*;

fn rates(mut schedule: impl LrScheduler, count: usize) -> Vec<f64> {
    (0..count).map(|_| schedule.step()).collect()
}

/// Compares as many steps as the case has.
fn agrees(schedule: impl LrScheduler, name: &str, tolerance: f64) {
    let expected = numbers(&case("schedules", name)["values"]);
    assert_close(&rates(schedule, expected.len()), &expected, tolerance, name);
}

#[test]
fn multi_step_polynomial_linear_and_cosine_agree() {
    let settings = &case("schedules", "torch_multistep")["settings"];
    let multi_step = MultiStepConfig::new(1.0, read(&settings["milestones"]))
        .with_gamma(read(&settings["gamma"]))
        .init()
        .unwrap();
    agrees(multi_step, "torch_multistep", 1e-12);

    let poly = PolynomialConfig::new(1.0, 5).with_power(2.0);
    agrees(poly.init().unwrap(), "torch_poly", 1e-12);
    let optax = poly.with_final_lr(0.1);
    agrees(optax.init().unwrap(), "optax_poly", 1e-7);
    let keras = PolynomialConfig::new(1.0, 6)
        .with_power(0.5)
        .with_final_lr(0.2);
    agrees(keras.init().unwrap(), "keras_poly", 1e-6);

    let line = |from, to| LinearRampConfig::new(from, to, 5).init().unwrap();
    agrees(line(0.1, 1.0), "torch_linear", 1e-12);
    agrees(line(1.0, 0.1), "torch_swalr_linear", 1e-12);
    let cosine = CosineConfig::new(1.0, 5).with_min_lr(0.1).init().unwrap();
    agrees(cosine, "torch_swalr_cos", 1e-12);
    let optax = CosineConfig::new(0.7, 6).with_min_lr(0.07).init().unwrap();
    agrees(optax, "optax_cosine", 1e-7);
}

#[test]
fn the_cosine_holds_its_end_where_pytorch_rises_again() {
    let torch = numbers(&case("schedules", "torch_cosine")["values"]);
    let cosine = CosineConfig::new(1.0, 5).with_min_lr(0.1).init().unwrap();
    let ours = rates(cosine, 10);
    assert_close(&ours[..6], &torch[..6], 1e-12, "until the end");
    assert!(torch[9] > 0.9);
    assert_eq!(ours[5..], [0.1; 5]);
}

#[test]
fn restarts_agree() {
    let doubling = CosineRestartsConfig::new(1.0, 3).with_multiplier(2);
    agrees(doubling.init().unwrap(), "torch_restarts", 1e-12);
    let equal = CosineRestartsConfig::new(1.0, 4).with_min_lr(0.2);
    agrees(equal.init().unwrap(), "torch_restarts_equal_min", 1e-12);
    let lower = doubling.with_min_lr(0.1).with_peak_decay(0.5);
    agrees(lower.init().unwrap(), "keras_restarts", 1e-5);
    let snapshot = CosineRestartsConfig::new(1.0, 10_usize.div_ceil(2));
    agrees(snapshot.init().unwrap(), "snapshot_cosine", 1e-12);
}

#[test]
fn the_ends_of_cycles_are_the_steps_before_a_restart() {
    for config in [
        CosineRestartsConfig::new(1.0, 1),
        CosineRestartsConfig::new(1.0, 5),
        CosineRestartsConfig::new(1.0, 1).with_multiplier(2),
        CosineRestartsConfig::new(1.0, 3).with_multiplier(3),
    ] {
        let schedule = config.init().unwrap();
        for step in 0..200 {
            let restarts = schedule.at(step + 1) == 1.0;
            assert_eq!(schedule.is_cycle_end(step), restarts, "{config}, {step}");
        }
    }
    let wave = CyclicConfig::new(0.1, 1.0, 2).with_steps_down(Some(3));
    let wave = wave.init().unwrap();
    for step in 0..50 {
        assert_eq!(wave.is_cycle_end(step), wave.at(step + 1) == 0.1, "{step}");
        assert_eq!(wave.is_trough(step + 1), wave.at(step + 1) == 0.1, "{step}");
    }
    assert!(!wave.is_trough(0));
}

#[test]
fn one_cycle_agrees_with_both_libraries() {
    let torch = |steps| OneCycleConfig::torch(1.0, steps);
    agrees(torch(10).init().unwrap(), "torch_onecycle", 1e-12);
    let longer = torch(37).with_rise(0.27);
    agrees(longer.init().unwrap(), "torch_onecycle_37", 1e-12);
    let three = |config: OneCycleConfig| {
        let back = 2.0 * config.rise;
        config
            .with_back_at(Some(back))
            .with_anneal(Anneal::Linear)
            .init()
            .unwrap()
    };
    agrees(three(torch(10)), "torch_onecycle_three", 1e-12);
    agrees(three(longer), "torch_onecycle_three_37", 1e-12);

    let optax = OneCycleConfig::optax(1.0, 10).init().unwrap();
    agrees(optax, "optax_onecycle", 1e-7);
    let optax = OneCycleConfig::optax(1.0, 37).with_rise(0.27);
    agrees(optax.init().unwrap(), "optax_onecycle_37", 1e-7);
    let linear = OneCycleConfig::optax_linear(1.0, 10).init().unwrap();
    agrees(linear, "optax_onecycle_linear", 1e-7);
    let linear = OneCycleConfig::optax_linear(1.0, 37).with_rise(0.27);
    agrees(linear.init().unwrap(), "optax_onecycle_linear_37", 1e-7);
}

#[test]
fn the_peaks_of_the_one_cycles_differ_by_a_step_and_both_ends_are_exact() {
    for steps in [10, 37, 1000, 12_345] {
        let torch = OneCycleConfig::torch(0.3, steps).init().unwrap();
        let optax = OneCycleConfig::optax(0.3, steps).init().unwrap();
        let (end, last) = (0.3 / 25.0 / 1e4, steps as u64 - 1);
        assert_eq!((torch.at(0), torch.at(last)), (0.3 / 25.0, end));
        assert_eq!((optax.at(0), optax.at(last + 1)), (0.3 / 25.0, end));
        assert!(optax.at(last) > end);
        // PyTorch issue 42376: an error past the end. Here the end is held.
        assert_eq!([last + 1, u64::MAX].map(|step| torch.at(step)), [end, end]);
    }
    let peak = |config: OneCycleConfig| {
        let schedule = config.init().unwrap();
        (0..10).find(|&step| schedule.at(step) == 1.0)
    };
    assert_eq!(peak(OneCycleConfig::torch(1.0, 10)), Some(2));
    assert_eq!(peak(OneCycleConfig::optax(1.0, 10)), Some(3));
}

#[test]
fn cyclic_agrees() {
    let wave = CyclicConfig::new(0.1, 1.0, 2);
    let init = |config: CyclicConfig| config.init().unwrap();
    agrees(init(wave.clone()), "torch_cyclic", 1e-12);
    let halving = wave.clone().with_mode(CyclicMode::Triangular2);
    agrees(init(halving), "torch_cyclic2", 1e-12);
    let falling = wave.with_mode(CyclicMode::ExpRange { gamma: 0.9 });
    agrees(init(falling), "torch_cyclic_exp", 1e-12);
    let wide = CyclicConfig::new(0.2, 0.8, 2).with_steps_down(Some(3));
    agrees(init(wide), "torch_cyclic_wide", 1e-12);

    let fge = init(CyclicConfig::new(0.05, 1e-4, 2));
    assert!(fge.is_trough(2) && fge.is_trough(6) && !fge.is_trough(4));
    agrees(fge, "fge", 1e-12);
}

#[test]
fn warmup_stable_decay_agrees() {
    for (shape, name) in [
        (LrDecayShape::Linear, "wsd_linear"),
        (LrDecayShape::OneMinusSqrt, "wsd_sqrt"),
        (LrDecayShape::Cosine, "wsd_cosine"),
    ] {
        let config = WarmupStableDecayConfig::new(1.0, 10, 4)
            .with_warmup_steps(2)
            .with_shape(shape);
        agrees(config.init().unwrap(), name, 1e-12);
    }
}

#[test]
fn warm_ups_agree() {
    let cosine = CosineConfig::new(1.0, 5).with_min_lr(0.1).init().unwrap();
    let warm = cosine.with_warmup(WarmupConfig::new(3)).unwrap();
    agrees(warm, "optax_warmup_cosine", 1e-7);

    let noam = InverseSqrtConfig::new((512.0 * 4.0_f64).powf(-0.5))
        .with_timescale(4)
        .init()
        .unwrap()
        .with_warmup(WarmupConfig::new(3).with_start(WarmupStart::Factor(0.25)))
        .unwrap();
    agrees(noam, "noam", 1e-12);
}

#[test]
fn a_warm_up_over_multiplies_what_runs_underneath() {
    let cosine = CosineConfig::new(1.0, 8).init().unwrap();
    for start in [0.0, 0.25, 1.0] {
        let over = WarmupConfig::new(4)
            .with_start(WarmupStart::Factor(start))
            .with_mode(WarmupMode::Over);
        let expected: Vec<f64> = (0..10_u64)
            .map(|t| cosine.at(t) * (start + (1.0 - start) * (t as f64 / 4.0).min(1.0)))
            .collect();
        let over = cosine.clone().with_warmup(over).unwrap();
        assert_close(&rates(over, 10), &expected, 1e-12, "over");
    }
    let rate = WarmupConfig::new(2)
        .with_start(WarmupStart::Rate(0.2))
        .with_shape(Anneal::Cosine);
    let warm = rates(1.0.with_warmup(rate).unwrap(), 3);
    assert_close(&warm, &[0.2, 0.6, 1.0], 1e-12, "from a rate");
}

#[test]
fn sequences_agree_with_pytorch_and_optax() {
    let rise = |steps| LinearRampConfig::new(0.1, 1.0, steps).init().unwrap();
    let fall = CosineConfig::new(1.0, 5).init().unwrap();
    let sequence = rise(5).then(5, fall.clone()).unwrap();
    agrees(sequence, "torch_sequence", 1e-12);
    agrees(rise(4).then(6, fall).unwrap(), "optax_join", 1e-7);

    // A cycle of optax's lasts 5 steps, its warm-up included; the second one begins at 0 again.
    let cycle = |peak| {
        CosineConfig::new(peak, 4)
            .init()
            .unwrap()
            .with_warmup(WarmupConfig::new(1))
            .unwrap()
    };
    let expected = numbers(&case("schedules", "optax_sgdr")["values"]);
    let sgdr = rates(cycle(1.0).then(5, cycle(0.5)).unwrap(), 10);
    // Its joint takes the last rate of the first cycle for the first of the second: both are 0.
    assert_close(&sgdr[..5], &expected[..5], 1e-7, "first cycle");
    assert_eq!((sgdr[5], expected[5]), (0.0, 0.0), "the joint");
    assert_close(&sgdr[6..], &expected[6..], 1e-7, "second cycle");
}

/// PyTorch issue 67586: the first schedule began at the rate of another one.
#[test]
fn the_first_rate_of_a_sequence_is_that_of_its_first_phase() {
    let sequence = 5e-4.then(2, 0.1).unwrap().then(4, 0.5).unwrap();
    assert_eq!(rates(sequence, 6), [5e-4, 5e-4, 0.1, 0.1, 0.5, 0.5]);
}

#[test]
fn what_a_schedule_wraps_can_be_changed() {
    let mut sequence = 1.0_f64.then(1, 2.0_f64).unwrap();
    *sequence.first_mut() = 3.0;
    *sequence.next_mut() = 4.0;
    assert!(!sequence.is_in_next());
    assert_eq!(sequence.step(), 3.0);
    assert!(sequence.is_in_next(), "from the step of the milestone on");
    assert_eq!(sequence.step(), 4.0);
    let config = PlateauConfig::new(Goal::Minimize)
        .with_patience(Patience::Reached(1))
        .with_factor(0.5);
    let mut reduced = ReduceOnPlateau::init(1.0_f64, &config).unwrap();
    assert!(!reduced.plateau_mut().observe(1.0), "the first");
    assert!(reduced.plateau_mut().observe(1.0), "no better");
    *reduced.inner_mut() = 8.0;
    assert_eq!(reduced.step(), 4.0);
    let mut floor = Floor::init(1.0_f64, 2.0).unwrap();
    *floor.inner_mut() = 5.0;
    assert_eq!(floor.step(), 5.0);
}

/// PyTorch issue 185872: a milestone at 0 gave the first schedule's rate, and all later ones were wrong.
#[test]
fn a_phase_without_steps_is_skipped_and_the_next_begins_at_its_own_start() {
    let line = || LinearRampConfig::new(1.0, 0.0, 4).init().unwrap();
    let expected = rates(line(), 6);
    let sequence = 7.0.then(0, line()).unwrap();
    assert_eq!(rates(sequence, 6), expected);
    let sequence = 7.0.then(0, 8.0).unwrap().then(0, line()).unwrap();
    assert_eq!(rates(sequence, 6), expected);
    let sequence = 7.0.then(1, 8.0).unwrap().then(1, line()).unwrap();
    assert_eq!(rates(sequence, 6)[1..], expected[..5]);
}

#[test]
fn a_run_counts_steps() {
    let run = Run::of_batches(3, 100, 32, 1).unwrap();
    assert_eq!((run.steps_per_epoch(), run.steps()), (4, 12));
    let accumulated = Run::of_batches(3, 100, 32, 3).unwrap();
    assert_eq!((accumulated.steps_per_epoch(), accumulated.steps()), (2, 6));
    assert_eq!(accumulated.epochs(2), 4);
    let run = Run::init(1, 100).unwrap();
    for percent in 0..=100 {
        assert_eq!(run.fraction(percent as f64 / 100.0), Ok(percent));
    }
    let ten = Run::init(2, 5).unwrap();
    for (fraction, steps) in [(0.04, 0), (0.05, 1), (0.149, 1), (0.999, 10)] {
        assert_eq!(ten.fraction(fraction), Ok(steps), "{fraction} of ten steps");
    }
    for bad in [-0.1, 1.1, f64::NAN] {
        assert_eq!(run.fraction(bad).unwrap_err().field, "fraction");
    }
    let field = |run: Result<Run, burn_tricks::ConfigError>| run.unwrap_err().field;
    assert_eq!(field(Run::init(0, 1)), "epochs");
    assert_eq!(field(Run::init(1, 0)), "steps_per_epoch");
    assert_eq!(field(Run::init(usize::MAX, 2)), "epochs");
    assert_eq!(field(Run::of_batches(1, 0, 1, 1)), "samples");
    assert_eq!(field(Run::of_batches(1, 1, 0, 1)), "batch_size");
    assert_eq!(field(Run::of_batches(1, 1, 1, 0)), "accumulate");
}

#[test]
fn a_run_that_is_none_is_refused_when_read_too() {
    for (text, field) in [
        (r#"{"epochs":0,"steps_per_epoch":3}"#, "`epochs`"),
        (r#"{"epochs":3,"steps_per_epoch":0}"#, "`steps_per_epoch`"),
        (
            r#"{"epochs":18446744073709551615,"steps_per_epoch":3}"#,
            "`epochs`",
        ),
    ] {
        let error = serde_json::from_str::<Run>(text).unwrap_err().to_string();
        assert!(error.contains(field), "{error}");
    }
    let run: Run = serde_json::from_str(r#"{"epochs":2,"steps_per_epoch":3}"#).unwrap();
    assert_eq!(run, Run::init(2, 3).unwrap());
}
