//! Where cycles end, asked of the whole schedule.

use burn::lr_scheduler::LrScheduler;
use burn_tricks::Goal;
use burn_tricks::schedule::*;
use burn_tricks::train::SharedPlateau;

fn restarts(period: usize) -> CosineRestarts {
    CosineRestartsConfig::new(1.0, period).init().unwrap()
}

/// Base, turn, base, ...: troughs at each base but the first.
fn wave() -> Cyclic {
    CyclicConfig::new(0.1, 1.0, 2)
        .with_steps_down(Some(3))
        .init()
        .unwrap()
}

fn plateau() -> PlateauConfig {
    PlateauConfig::new(Goal::Minimize)
        .with_factor(0.5)
        .with_patience(Patience::Reached(1))
}

fn ends(schedule: &dyn Cycles, steps: u64) -> Vec<u64> {
    (0..steps)
        .filter(|step| schedule.is_cycle_end(*step))
        .collect()
}

fn troughs(schedule: &dyn Cycles, steps: u64) -> Vec<u64> {
    (0..steps)
        .filter(|step| schedule.is_trough(*step))
        .collect()
}

#[test]
fn behind_a_warm_up_they_come_later() {
    let warm = restarts(18).with_warmup(WarmupConfig::new(10)).unwrap();
    assert_eq!(ends(&warm, 50), [27, 45]);
    assert_eq!(troughs(&warm, 50), [27, 45]);
    let over = WarmupConfig::new(10).with_mode(WarmupMode::Over);
    assert_eq!(ends(&restarts(18).with_warmup(over).unwrap(), 50), [17, 35]);
    let warm = wave().with_warmup(WarmupConfig::new(3)).unwrap();
    assert_eq!(ends(&warm, 18), [7, 12, 17]);
    assert_eq!(
        troughs(&warm, 18),
        [8, 13],
        "the base that it warms up to is none"
    );
}

#[test]
fn every_wrapper_answers() {
    let plain = [3, 7, 11];
    assert_eq!(ends(&restarts(4), 12), plain);
    assert_eq!(ends(&restarts(4).at_least(0.2).unwrap(), 12), plain);
    assert_eq!(ends(&restarts(4).at_most(0.8).unwrap(), 12), plain);
    assert_eq!(ends(&restarts(4).scaled(0.5).unwrap(), 12), plain);
    let reduced = restarts(4).reduced_on_plateau(&plateau()).unwrap();
    assert_eq!(ends(&reduced, 12), plain);
    assert_eq!(ends(&SharedPlateau::new(reduced), 12), plain);
    let repeating = restarts(4).repeating_skipped(SkipCount::new());
    assert_eq!(ends(&repeating, 12), plain);
    // And the other question.
    let plain = [5, 10];
    assert_eq!(troughs(&wave(), 12), plain);
    assert_eq!(troughs(&wave().at_least(0.2).unwrap(), 12), plain);
    assert_eq!(troughs(&wave().at_most(0.8).unwrap(), 12), plain);
    assert_eq!(troughs(&wave().scaled(0.5).unwrap(), 12), plain);
    let reduced = wave().reduced_on_plateau(&plateau()).unwrap();
    assert_eq!(troughs(&reduced, 12), plain);
    assert_eq!(troughs(&SharedPlateau::new(reduced), 12), plain);
    assert_eq!(
        troughs(&wave().repeating_skipped(SkipCount::new()), 12),
        plain
    );
}

#[test]
fn in_epochs_they_end_with_the_last_step_of_an_epoch() {
    let epochs = restarts(2).per_epoch(5).unwrap();
    assert_eq!(ends(&epochs, 30), [9, 19, 29]);
    let waves = wave().per_epoch(2).unwrap();
    assert_eq!(ends(&waves, 20), [9, 19]);
    assert_eq!(
        troughs(&waves, 20),
        [11],
        "the last step of epoch 5, from 0"
    );
    let warm = epochs.with_warmup(WarmupConfig::new(3)).unwrap();
    assert_eq!(ends(&warm, 30), [12, 22]);
}

#[test]
fn in_a_sequence_each_phase_has_its_own() {
    let rise = LinearRampConfig::new(0.1, 1.0, 10).init().unwrap();
    let schedule = rise.then(10, restarts(18)).unwrap();
    assert_eq!(ends(&schedule, 50), [27, 45]);
    // A cycle that is cut off has no end: of the first phase only 3 and 7 are.
    let cut = restarts(4)
        .then(10, restarts(3))
        .unwrap()
        .then(14, 0.01)
        .unwrap();
    assert_eq!(ends(&cut, 40), [3, 7, 12]);
    let waves = wave().then(8, wave()).unwrap();
    assert_eq!(troughs(&waves, 20), [5, 13, 18]);
}

#[test]
fn a_schedule_without_cycles_has_no_end_and_one_cycle_has_one() {
    let linear = LinearRampConfig::new(1.0, 0.1, 9).init().unwrap();
    let cosine = CosineConfig::new(1.0, 9).init().unwrap();
    let rex = RexConfig::new(1.0, 9).init().unwrap();
    let none: [&dyn Cycles; 4] = [&linear, &cosine, &rex, &0.1];
    for schedule in none {
        assert!(ends(schedule, 30).is_empty() && troughs(schedule, 30).is_empty());
    }
    let one = OneCycleConfig::torch(1.0, 20).init().unwrap();
    assert_eq!(ends(&one, 60), [19]);
    assert!(!one.is_trough(u64::MAX));
    let warm = one.with_warmup(WarmupConfig::new(4)).unwrap();
    assert_eq!(troughs(&warm, 60), [23]);
}

/// By the rates themselves: a cycle of restarts ends where the next rate is higher, and a trough has the
/// lowest of its cycle.
#[test]
fn the_ends_are_where_the_rate_rises_again() {
    fn check<S: LrScheduler + Curve + Cycles>(name: &str, mut schedule: S, from: u64) {
        let rates: Vec<f64> = (0..200).map(|_| schedule.step()).collect();
        let rises = |step: &u64| rates[*step as usize + 1] > rates[*step as usize] + 1e-12;
        let expected: Vec<u64> = (from..199).filter(rises).collect();
        assert!(expected.len() > 2, "{name}");
        assert_eq!(ends(&schedule, 199), expected, "{name}");
        assert_eq!(troughs(&schedule, 199), expected, "{name}");
    }
    let growing = || {
        CosineRestartsConfig::new(1.0, 5)
            .with_multiplier(2)
            .with_peak_decay(0.9)
            .init()
            .unwrap()
    };
    let warmup = || WarmupConfig::new(11);
    check("restarts", growing(), 0);
    check("warm-up", growing().with_warmup(warmup()).unwrap(), 11);
    check(
        "epochs behind a warm-up",
        restarts(6)
            .per_epoch(4)
            .unwrap()
            .with_warmup(warmup())
            .unwrap(),
        11,
    );
    check(
        "a warm-up of epochs",
        restarts(6)
            .with_warmup(WarmupConfig::new(3))
            .unwrap()
            .per_epoch(4)
            .unwrap(),
        12,
    );
    check(
        "bounds",
        growing().at_least(1e-3).unwrap().at_most(0.7).unwrap(),
        0,
    );
    check(
        "phases",
        0.01.then(7, growing()).unwrap().at_most(0.9).unwrap(),
        7,
    );
}

#[test]
fn the_members_of_a_snapshot_ensemble_are_taken_where_the_rate_is_lowest() {
    let mut schedule = restarts(6)
        .with_warmup(WarmupConfig::new(4))
        .unwrap()
        .at_least(0.01)
        .unwrap();
    let taken: Vec<f64> = (0..22)
        .filter_map(|step| {
            let rate = schedule.step();
            schedule.is_trough(step).then_some(rate)
        })
        .collect();
    // The last rate of a cycle of six: (1 + cos(5π/6)) / 2.
    let lowest = 0.5 * (1.0 + (5.0 * std::f64::consts::PI / 6.0).cos());
    assert_eq!(taken.len(), 3);
    assert!(
        taken.iter().all(|rate| (rate - lowest).abs() < 1e-12),
        "{taken:?}"
    );
}
