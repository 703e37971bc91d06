//! Laws of every schedule and every wrapper: resume, neutral settings, ends, refusals, JSON.

use crate::oracle::assert_close;
use burn::lr_scheduler::cosine::CosineAnnealingLrSchedulerConfig;
use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn_tricks::Goal;
use burn_tricks::schedule::*;
use burn_tricks::train::SharedPlateau;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

const STEPS: usize = 40;

fn rates(schedule: &dyn LrScheduler, count: usize) -> Vec<f64> {
    let mut schedule = schedule.clone_box();
    (0..count).map(|_| schedule.step()).collect()
}

/// A schedule that is closed-form, what it is as one of Burn's, and what it says of its cycles.
trait Closed: Curve + LrScheduler + Cycles {}
impl<S: Curve + LrScheduler + Cycles> Closed for S {}

/// Every closed-form schedule, with cycles and ends within the first steps, beginning at 0.7.
fn curves() -> Vec<(&'static str, Box<dyn Closed>)> {
    let restarts = CosineRestartsConfig::new(0.7, 3).with_multiplier(2);
    let wave = CyclicConfig::new(0.7, 0.9, 2).with_steps_down(Some(3));
    let cycle = |config: OneCycleConfig| config.with_div_factor(1.0).init().unwrap();
    vec![
        (
            "exponential",
            Box::new(ExponentialDecayConfig::new(0.7).init().unwrap()),
        ),
        (
            "linear",
            Box::new(LinearRampConfig::new(0.7, 0.1, 9).init().unwrap()),
        ),
        (
            "multi-step",
            Box::new(MultiStepConfig::new(0.7, vec![3, 8]).init().unwrap()),
        ),
        (
            "polynomial",
            Box::new(
                PolynomialConfig::new(0.7, 9)
                    .with_power(0.9)
                    .with_final_lr(0.3)
                    .init()
                    .unwrap(),
            ),
        ),
        (
            "inverse sqrt",
            Box::new(
                InverseSqrtConfig::new(0.7)
                    .with_timescale(5)
                    .init()
                    .unwrap(),
            ),
        ),
        (
            "cosine",
            Box::new(CosineConfig::new(0.7, 9).with_min_lr(0.3).init().unwrap()),
        ),
        (
            "restarts",
            Box::new(
                restarts
                    .with_min_lr(0.3)
                    .with_peak_decay(0.8)
                    .init()
                    .unwrap(),
            ),
        ),
        (
            "one-cycle torch",
            Box::new(cycle(OneCycleConfig::torch(0.7, 20))),
        ),
        (
            "one-cycle optax",
            Box::new(cycle(OneCycleConfig::optax_linear(0.7, 20))),
        ),
        (
            "REX",
            Box::new(RexConfig::new(0.7, 9).with_final_lr(0.1).init().unwrap()),
        ),
        ("cyclic", Box::new(wave.clone().init().unwrap())),
        (
            "cyclic2",
            Box::new(
                wave.clone()
                    .with_mode(CyclicMode::Triangular2)
                    .init()
                    .unwrap(),
            ),
        ),
        (
            "cyclic exp",
            Box::new(
                wave.with_mode(CyclicMode::ExpRange { gamma: 0.9 })
                    .init()
                    .unwrap(),
            ),
        ),
        (
            "warm-up, stable, decay",
            Box::new(
                WarmupStableDecayConfig::new(0.7, 20, 5)
                    .with_final_lr(0.1)
                    .init()
                    .unwrap(),
            ),
        ),
    ]
}

fn cosine() -> Cosine {
    CosineConfig::new(0.7, 9).with_min_lr(0.3).init().unwrap()
}

fn of_burn() -> BaseLr {
    let cosine = CosineAnnealingLrSchedulerConfig::new(0.7, 9);
    BaseLr::init(cosine.init().unwrap()).unwrap()
}

fn plateau() -> PlateauConfig {
    PlateauConfig::new(Goal::Minimize)
        .with_patience(Patience::Reached(2))
        .with_factor(0.5)
}

/// Every wrapper, and wrappers of wrappers.
fn wrapped() -> Vec<(&'static str, Box<dyn LrScheduler>)> {
    let warmup = WarmupConfig::new(4).with_start(WarmupStart::Factor(0.1));
    let over = warmup.clone().with_mode(WarmupMode::Over);
    let sequence = cosine()
        .then(5, of_burn())
        .unwrap()
        .then(12, cosine())
        .unwrap();
    vec![
        (
            "warm-up",
            Box::new(cosine().with_warmup(warmup.clone()).unwrap()),
        ),
        (
            "warm-up over",
            Box::new(cosine().with_warmup(over.clone()).unwrap()),
        ),
        ("per epoch", Box::new(cosine().per_epoch(3).unwrap())),
        ("floor", Box::new(cosine().at_least(0.5).unwrap())),
        ("ceiling", Box::new(cosine().at_most(0.5).unwrap())),
        ("scaled", Box::new(cosine().scaled(0.5).unwrap())),
        (
            "plateau",
            Box::new(cosine().reduced_on_plateau(&plateau()).unwrap()),
        ),
        (
            "repeating skipped steps",
            Box::new(cosine().repeating_skipped(SkipCount::default())),
        ),
        ("sequence", Box::new(sequence.clone())),
        ("of burn", Box::new(of_burn())),
        ("boxed", Box::new(sequence.clone().boxed())),
        (
            "shared plateau",
            Box::new(SharedPlateau::new(
                cosine().reduced_on_plateau(&plateau()).unwrap(),
            )),
        ),
        (
            "warm-up of burn",
            Box::new(of_burn().with_warmup(warmup.clone()).unwrap()),
        ),
        (
            "warm-up over burn",
            Box::new(of_burn().with_warmup(over).unwrap()),
        ),
        (
            "all",
            Box::new(
                sequence
                    .per_epoch(2)
                    .unwrap()
                    .with_warmup(warmup)
                    .unwrap()
                    .at_least(0.1)
                    .unwrap()
                    .at_most(0.6)
                    .unwrap()
                    .reduced_on_plateau(&plateau())
                    .unwrap()
                    .then(30, 0.05)
                    .unwrap(),
            ),
        ),
    ]
}

pub(crate) fn everything() -> Vec<(&'static str, Box<dyn LrScheduler>)> {
    let mut all = wrapped();
    for (name, curve) in curves() {
        all.push((name, curve.clone_box()));
    }
    all
}

fn through_bytes(record: LrSchedulerRecord) -> LrSchedulerRecord {
    LrSchedulerRecord::from_bytes(record.into_bytes().unwrap()).unwrap()
}

/// PyTorch issue 162591: a sequence resumed at step N began at another rate.
#[test]
fn a_saved_schedule_goes_on_where_it_was_at_every_step() {
    for (name, fresh) in everything() {
        let whole = rates(&*fresh, STEPS);
        for at in 0..STEPS {
            let mut first = fresh.clone();
            for _ in 0..at {
                first.step();
            }
            let mut second = fresh.clone();
            second.load_record(through_bytes(first.to_record()));
            assert_eq!(rates(&*second, STEPS - at), whole[at..], "{name}, {at}");
        }
    }
}

/// A run is resumed with another phase after its schedule.
#[test]
fn a_sequence_takes_up_the_record_of_its_first_schedule_alone() {
    fn check<S: LrScheduler + Clone + 'static>(fresh: S) {
        let mut alone = fresh.clone();
        for _ in 0..5 {
            alone.step();
        }
        let mut expected = rates(&alone, 5);
        expected.extend([0.05, 0.05]);
        let mut sequence = Sequence::new(fresh, 10, 0.05_f64);
        sequence.load_record(through_bytes(alone.to_record()));
        assert_eq!(rates(&sequence, 7), expected);
        // Behind a phase that was added before, too.
        let mut longer = sequence.then(12, 0.01).unwrap();
        longer.load_record(through_bytes(alone.to_record()));
        expected.push(0.01);
        assert_eq!(rates(&longer, 8), expected);
    }
    check(cosine());
    check(cosine().with_warmup(WarmupConfig::new(3)).unwrap());
    check(cosine().per_epoch(3).unwrap());
}

/// A wrapper looks ahead with a clone.
#[test]
fn a_clone_that_is_stepped_leaves_the_schedule_where_it_is() {
    for (name, mut schedule) in everything() {
        for _ in 0..3 {
            let expected = rates(&*schedule, STEPS);
            let mut clone = schedule.clone();
            for _ in 0..5 {
                clone.step();
            }
            assert_eq!(rates(&*schedule, STEPS), expected, "{name}");
            schedule.step();
        }
    }
}

#[test]
fn a_plateau_is_saved_with_its_schedule_at_every_check() {
    let config = plateau().with_cooldown(1).with_floor(0.01);
    let fresh = cosine().reduced_on_plateau(&config).unwrap();
    let metric = |step: usize| [2.0, 1.0, 1.0, 1.5, f64::NAN, 1.0, 0.5][step % 7];
    let run = |mut schedule: ReduceOnPlateau<Cosine>, steps: std::ops::Range<usize>| {
        let mut rates = Vec::new();
        for step in steps {
            rates.push(schedule.step());
            schedule.observe(metric(step));
        }
        (rates, schedule)
    };
    let (whole, _) = run(fresh.clone(), 0..STEPS);
    assert!(whole[STEPS - 1] < 0.3 / 4.0, "several reductions");
    for at in 0..STEPS {
        let (_, first) = run(fresh.clone(), 0..at);
        let mut second = fresh.clone();
        second.load_record(through_bytes(first.to_record()));
        assert_eq!(second.plateau().state(), first.plateau().state());
        assert_eq!(run(second, at..STEPS).0, whole[at..], "saved before {at}");
    }
}

#[test]
fn a_foreign_record_changes_nothing() {
    for (name, mut schedule) in everything() {
        schedule.step();
        let expected = rates(&*schedule, 10);
        schedule.load_record(LrSchedulerRecord::new().with_scalar("momentum", 7u64));
        assert_eq!(rates(&*schedule, 10), expected, "{name}");
    }
}

#[test]
fn stepping_follows_the_curve_and_begins_at_the_configured_rate() {
    for (name, curve) in curves() {
        let along: Vec<f64> = (0..STEPS as u64).map(|step| curve.at(step)).collect();
        assert_eq!(along[0], 0.7, "{name}");
        let mut stepped = curve.clone_box();
        let stepped: Vec<f64> = (0..STEPS).map(|_| stepped.step()).collect();
        assert_eq!(stepped, along, "{name}");
    }
    // min + (initial − min) is not always initial.
    for initial in [0.1, 0.3, 0.7, 1.0 / 3.0, 7.3, 1e-300, 1e300] {
        for part in [0.0, 0.1, 0.3, 0.9, 1.0] {
            let min = initial * part;
            let cosine = CosineConfig::new(initial, 7)
                .with_min_lr(min)
                .init()
                .unwrap();
            let poly = PolynomialConfig::new(initial, 7)
                .with_final_lr(min)
                .init()
                .unwrap();
            let restarts = CosineRestartsConfig::new(initial, 7)
                .with_min_lr(min)
                .init()
                .unwrap();
            let wave = CyclicConfig::new(min, initial, 7).init().unwrap();
            assert_eq!([cosine.at(0), poly.at(0), restarts.at(0)], [initial; 3]);
            assert_eq!([cosine.at(7), poly.at(7), cosine.at(u64::MAX)], [min; 3]);
            assert_eq!(
                (restarts.at(7), wave.at(7), wave.at(14)),
                (initial, initial, min)
            );
        }
    }
}

#[test]
fn wrappers_of_curves_are_curves() {
    fn same<S: Curve + LrScheduler>(mut schedule: S) {
        let along: Vec<f64> = (0..STEPS as u64).map(|step| schedule.at(step)).collect();
        let stepped: Vec<f64> = (0..STEPS).map(|_| schedule.step()).collect();
        assert_eq!(stepped, along);
    }
    let warmup = WarmupConfig::new(4).with_start(WarmupStart::Factor(0.1));
    same(cosine().with_warmup(warmup.clone()).unwrap());
    same(
        cosine()
            .with_warmup(warmup.clone().with_mode(WarmupMode::Over))
            .unwrap(),
    );
    same(cosine().per_epoch(3).unwrap().with_warmup(warmup).unwrap());
    same(cosine().at_least(0.4).unwrap().at_most(0.6).unwrap());
    same(cosine().scaled(0.3).unwrap());
    let wave = CyclicConfig::new(0.1, 1.0, 3).init().unwrap();
    let phases = cosine().then(5, wave).unwrap().then(5, cosine()).unwrap();
    same(phases.then(17, cosine()).unwrap());
}

/// Neutral settings give the plain schedule, bit for bit.
#[test]
fn neutral_wrappers_change_no_bit() {
    fn check<S: LrScheduler + Clone + 'static>(name: &str, plain: S) {
        let expected = rates(&plain, STEPS);
        let factor = |factor| WarmupConfig::new(5).with_start(WarmupStart::Factor(factor));
        let over = factor(1.0).with_mode(WarmupMode::Over);
        let never = PlateauConfig::new(Goal::Minimize)
            .with_patience(Patience::Exceeded(0))
            .with_factor(1.0)
            .with_floor(0.4);
        let mut plateau = plain.clone().reduced_on_plateau(&never).unwrap();
        for _ in 0..5 {
            assert!(!plateau.observe(1.0));
        }
        let neutral: Vec<Box<dyn LrScheduler>> = vec![
            Box::new(plain.clone().with_warmup(WarmupConfig::new(0)).unwrap()),
            Box::new(plain.clone().with_warmup(over).unwrap()),
            Box::new(plain.clone().per_epoch(1).unwrap()),
            Box::new(plain.clone().at_least(0.0).unwrap()),
            Box::new(plain.clone().at_most(f64::MAX).unwrap()),
            Box::new(plain.clone().scaled(1.0).unwrap()),
            Box::new(plain.clone().boxed()),
            Box::new(plain.clone().then(usize::MAX, 9.0).unwrap()),
            Box::new(9.0.then(0, plain.clone()).unwrap()),
            Box::new(BaseLr::init(ModuleLrScheduler::new(plain.clone())).unwrap()),
            Box::new(plateau),
        ];
        for (number, schedule) in neutral.iter().enumerate() {
            assert_eq!(rates(&**schedule, STEPS), expected, "{name}, {number}");
        }
    }
    check("cosine", cosine());
    check("of burn", of_burn());
    check("constant", 0.1);
    check("cyclic", CyclicConfig::new(0.1, 1.0, 3).init().unwrap());
    check("one-cycle", OneCycleConfig::torch(1.0, 20).init().unwrap());
    check("sequence", cosine().then(5, of_burn()).unwrap());
}

#[test]
fn neutral_schedules_are_constant() {
    let constant: Vec<Box<dyn LrScheduler>> = vec![
        Box::new(LinearRampConfig::new(0.3, 0.3, 5).init().unwrap()),
        Box::new(MultiStepConfig::new(0.3, vec![]).init().unwrap()),
        Box::new(
            MultiStepConfig::new(0.3, vec![2])
                .with_gamma(1.0)
                .init()
                .unwrap(),
        ),
        Box::new(
            PolynomialConfig::new(0.3, 5)
                .with_final_lr(0.3)
                .init()
                .unwrap(),
        ),
        Box::new(CosineConfig::new(0.3, 5).with_min_lr(0.3).init().unwrap()),
        Box::new(
            CosineRestartsConfig::new(0.3, 5)
                .with_min_lr(0.3)
                .init()
                .unwrap(),
        ),
        Box::new(CyclicConfig::new(0.3, 0.3, 5).init().unwrap()),
        Box::new(WarmupStableDecayConfig::new(0.3, 5, 0).init().unwrap()),
    ];
    for schedule in &constant {
        assert_eq!(rates(&**schedule, STEPS), [0.3; STEPS]);
    }
}

#[test]
fn long_runs_are_exact_and_finite() {
    use std::f64::consts::PI;
    let far = 10_000_000_u64;
    let t = far as f64;
    let line = LinearRampConfig::new(1.0, 0.0, 40_000_000).init().unwrap();
    let poly = PolynomialConfig::new(1.0, 40_000_000)
        .with_power(0.9)
        .init()
        .unwrap();
    let cosine = CosineConfig::new(1.0, 30_000_000).init().unwrap();
    let sqrt = InverseSqrtConfig::new(1.0)
        .with_timescale(1000)
        .init()
        .unwrap();
    let restarts = CosineRestartsConfig::new(1.0, 3_000_000).init().unwrap();
    let doubling = CosineRestartsConfig::new(1.0, 1_000_000)
        .with_multiplier(2)
        .init()
        .unwrap();
    let cosine_at = |p: f64| 0.5 * (1.0 + (PI * p).cos());
    assert_close(
        &[
            line.at(far),
            poly.at(far),
            cosine.at(far),
            sqrt.at(far),
            restarts.at(far),
            doubling.at(far),
        ],
        &[
            0.75,
            0.75_f64.powf(0.9),
            cosine_at(1.0 / 3.0),
            (1000.0 / (1000.0 + t)).sqrt(),
            cosine_at(1.0 / 3.0),
            cosine_at(3.0 / 8.0), // the cycle of 8 million steps begins at 7 million
        ],
        1e-12,
        "ten million steps",
    );
    for (name, curve) in curves() {
        for step in [u64::MAX - 1, u64::MAX] {
            let rate = curve.at(step);
            assert!((0.0..=0.9).contains(&rate), "{name} at {step}: {rate}");
        }
        let mut last = curve.clone_box();
        last.load_record(LrSchedulerRecord::new().with_scalar("steps", u64::MAX));
        assert!(last.step().is_finite() && last.step().is_finite(), "{name}");
    }
    let endless = CosineRestartsConfig::new(1.0, usize::MAX).with_multiplier(usize::MAX);
    assert!(endless.init().unwrap().at(u64::MAX).is_finite());
    let endless = CyclicConfig::new(0.1, 1.0, usize::MAX);
    assert!(endless.init().unwrap().at(u64::MAX).is_finite());
    let saturated = 1.0.with_warmup(WarmupConfig::new(usize::MAX)).unwrap();
    assert!(saturated.clone().step().is_finite());
}

#[test]
fn burns_cosine_behind_a_warm_up() {
    let warm = of_burn().with_warmup(WarmupConfig::new(2)).unwrap();
    let plain = rates(&of_burn(), 10);
    let warm = rates(&warm, 12);
    assert_eq!(warm[..2], [0.0, 0.35]);
    assert_eq!(warm[2..], plain);
}

#[test]
fn the_wrappers_are_burns_schedulers() {
    let schedule = cosine().with_warmup(WarmupConfig::new(2)).unwrap();
    let mut of_module = ModuleLrScheduler::from(schedule);
    assert_eq!(of_module.step().base(), 0.0);
    assert_eq!(of_module.step().base(), 0.35);
}

#[test]
fn a_floor_does_not_hide_a_nan() {
    // A plain NaN is refused, and so is one in a `Boxed`.
    let nan = || Boxed::from(Box::new(f64::NAN) as Box<dyn LrScheduler>);
    assert!(rates(&nan().at_least(0.1).unwrap(), 1)[0].is_nan());
    assert!(rates(&nan().at_most(0.1).unwrap(), 1)[0].is_nan());
}

#[test]
fn everything_is_a_value() {
    fn value<T: Clone + Send + Sync + Debug + 'static>() {}
    value::<LinearRamp>();
    value::<MultiStep>();
    value::<Polynomial>();
    value::<InverseSqrt>();
    value::<Cosine>();
    value::<CosineRestarts>();
    value::<OneCycle>();
    value::<Cyclic>();
    value::<WarmupStableDecay>();
    value::<Warmup<BaseLr>>();
    value::<PerEpoch<Cosine>>();
    value::<Floor<Cosine>>();
    value::<Ceiling<Cosine>>();
    value::<ReduceOnPlateau<Sequence<Boxed, f64>>>();
    value::<Plateau>();
}

#[test]
fn configurations_survive_json() {
    fn round<T: Serialize + DeserializeOwned + PartialEq + Debug>(config: T) {
        let json = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<T>(&json).unwrap(), config);
    }
    round(LinearRampConfig::new(0.1, 0.2, 3));
    round(MultiStepConfig::new(0.1, vec![1, 5]).with_gamma(0.3));
    round(
        PolynomialConfig::new(0.1, 3)
            .with_power(0.9)
            .with_final_lr(0.01),
    );
    round(InverseSqrtConfig::new(0.1).with_timescale(7));
    round(CosineConfig::new(0.1, 3).with_min_lr(0.01));
    round(
        CosineRestartsConfig::new(0.1, 3)
            .with_multiplier(2)
            .with_peak_decay(0.5),
    );
    round(OneCycleConfig::optax_linear(0.1, 30));
    round(CyclicConfig::new(0.1, 0.2, 3).with_mode(CyclicMode::ExpRange { gamma: 0.9 }));
    round(WarmupStableDecayConfig::new(0.1, 30, 3).with_shape(LrDecayShape::OneMinusSqrt));
    round(
        WarmupConfig::new(3)
            .with_start(WarmupStart::Rate(1e-6))
            .with_mode(WarmupMode::Over),
    );
    round(PlateauConfig::torch(Goal::Maximize).with_floor(f64::MAX));
    round(Run::init(3, 4).unwrap());
}

#[test]
fn nonsense_is_refused_by_the_name_of_its_field() {
    macro_rules! refused {
        ($($config:expr => $field:literal),* $(,)?) => {
            $(assert_eq!($config.init().unwrap_err().field, $field, "{}", stringify!($config));)*
        };
    }
    for bad in [0.0, -0.1, f64::NAN, f64::INFINITY] {
        refused! {
            MultiStepConfig::new(bad, vec![]) => "initial_lr",
            PolynomialConfig::new(bad, 3) => "initial_lr",
            PolynomialConfig::new(0.1, 3).with_power(bad) => "power",
            InverseSqrtConfig::new(bad) => "initial_lr",
            CosineConfig::new(bad, 3) => "initial_lr",
            CosineRestartsConfig::new(bad, 3) => "initial_lr",
            CosineRestartsConfig::new(0.1, 3).with_peak_decay(bad) => "peak_decay",
            OneCycleConfig::torch(bad, 30) => "max_lr",
            OneCycleConfig::torch(0.1, 30).with_rise(bad) => "rise",
            OneCycleConfig::torch(0.1, 30).with_back_at(Some(bad)) => "back_at",
            OneCycleConfig::torch(0.1, 30).with_div_factor(bad) => "div_factor",
            OneCycleConfig::torch(0.1, 30).with_final_div_factor(bad) => "final_div_factor",
            CyclicConfig::new(0.1, 1.0, 2).with_mode(CyclicMode::ExpRange { gamma: bad }) => "gamma",
            MultiStepConfig::new(0.1, vec![]).with_gamma(bad) => "gamma",
            WarmupStableDecayConfig::new(bad, 3, 1) => "peak_lr",
        }
    }
    for bad in [-0.1, f64::NAN, f64::INFINITY] {
        refused! {
            LinearRampConfig::new(bad, 0.1, 3) => "initial_lr",
            LinearRampConfig::new(0.1, bad, 3) => "final_lr",
            PolynomialConfig::new(0.1, 3).with_final_lr(bad) => "final_lr",
            CosineConfig::new(0.1, 3).with_min_lr(bad) => "min_lr",
            CosineRestartsConfig::new(0.1, 3).with_min_lr(bad) => "min_lr",
            CyclicConfig::new(bad, 1.0, 2) => "base_lr",
            CyclicConfig::new(0.1, bad, 2) => "max_lr",
            WarmupStableDecayConfig::new(0.1, 3, 1).with_final_lr(bad) => "final_lr",
        }
        let field = |start| {
            WarmupConfig::new(3)
                .with_start(start)
                .init(0.1)
                .unwrap_err()
                .field
        };
        assert_eq!(field(WarmupStart::Factor(bad)), "start");
        assert_eq!(field(WarmupStart::Rate(bad)), "start");
        assert_eq!(0.1.at_least(bad).unwrap_err().field, "floor");
        assert_eq!(0.1.scaled(bad).unwrap_err().field, "factor");
        assert_eq!(0.1.at_most(bad).unwrap_err().field, "ceiling");
    }
    refused! {
        LinearRampConfig::new(0.1, 0.2, 0) => "steps",
        PolynomialConfig::new(0.1, 0) => "steps",
        CosineConfig::new(0.1, 0) => "steps",
        CosineConfig::new(0.1, 3).with_min_lr(0.2) => "min_lr",
        InverseSqrtConfig::new(0.1).with_timescale(0) => "timescale",
        CosineRestartsConfig::new(0.1, 0) => "period",
        CosineRestartsConfig::new(0.1, 3).with_multiplier(0) => "multiplier",
        MultiStepConfig::new(0.1, vec![3, 3]) => "milestones",
        MultiStepConfig::new(0.1, vec![3, 2]) => "milestones",
        MultiStepConfig::new(0.1, vec![0, 2]) => "milestones",
        CyclicConfig::new(0.1, 1.0, 0) => "steps_up",
        CyclicConfig::new(0.1, 1.0, 2).with_steps_down(Some(0)) => "steps_down",
        OneCycleConfig::torch(0.1, 3) => "rise",
        OneCycleConfig::optax(0.1, 3) => "rise",
        OneCycleConfig::torch(0.1, 10).with_rise(0.9).with_back_at(Some(0.95)) => "back_at",
        OneCycleConfig::torch(0.1, 10).with_back_at(Some(0.3)) => "back_at",
        OneCycleConfig::optax(0.1, 1).with_rise(0.999) => "steps",
        OneCycleConfig::torch(0.1, 0) => "steps",
        OneCycleConfig::torch(0.1, 1) => "steps",
        WarmupStableDecayConfig::new(0.1, 0, 0) => "steps",
        WarmupStableDecayConfig::new(0.1, 5, 6) => "decay_steps",
        WarmupStableDecayConfig::new(0.1, 5, 3).with_warmup_steps(3) => "decay_steps",
        WarmupStableDecayConfig::new(0.1, 5, 3).with_warmup_steps(usize::MAX) => "decay_steps",
    }
    assert_eq!(0.1.per_epoch(0).unwrap_err().field, "steps_per_epoch");
    let early = 0.1.then(5, 0.2).unwrap().then(4, 0.3).unwrap_err();
    assert_eq!(early.field, "milestone");
    assert!(early.to_string().contains("(4, 5)"), "{early}");
}

/// A plain number is a constant schedule.
#[test]
fn a_constant_rate_is_checked_where_it_is_wrapped() {
    let device = burn::tensor::Device::flex();
    let model = burn::nn::LinearConfig::new(2, 2).init(&device);
    let groups = GroupLrConfig::of([LrGroup::new(["weight"], 0.5)]);
    let skips = SkipCount::default();
    let plateau = PlateauConfig::new(Goal::Minimize);
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        let constant = burn::lr_scheduler::constant::ConstantLr::new(bad);
        let errors = [
            bad.with_warmup(2).err(),
            constant.clone().with_warmup(2).err(),
            bad.reduced_on_plateau(&plateau).err(),
            bad.at_least(0.1).err(),
            bad.at_most(0.1).err(),
            bad.scaled(0.5).err(),
            bad.per_epoch(3).err(),
            bad.then(5, 0.1).err(),
            0.1.then(5, bad).err(),
            0.1.then(5, 0.2).unwrap().then(6, bad).err(),
            groups.init(&model, bad).err(),
            groups.init_repeating_skipped(&model, bad, &skips).err(),
            LayerWiseLrConfig::new(0.5, Vec::new())
                .init(&model, bad)
                .err(),
            // Also in a box.
            bad.boxed().with_warmup(2).err(),
            constant.boxed().boxed().at_least(0.1).err(),
            groups.init(&model, bad.boxed()).err(),
        ];
        for (at, error) in errors.into_iter().enumerate() {
            let error = error.unwrap_or_else(|| panic!("{bad}, {at}"));
            let text = format!("`lr` must be a finite number of at least 0, got {bad:?}");
            assert_eq!(error.to_string(), text, "{at}");
        }
    }
    assert!(0.1.then(5, 0.0).is_ok());
    assert!(0.1.boxed().with_warmup(2).is_ok());
}

#[test]
fn steps_that_cannot_be_counted_further_stay_at_the_end() {
    let record = || LrSchedulerRecord::new().with_scalar("steps", u64::MAX);
    let mut sequence = 0.1.then(5, 0.2).unwrap();
    sequence.load_record(record());
    assert_eq!(rates(&sequence, 3), [0.2; 3]);
    let mut epochs = LinearRampConfig::new(1.0, 0.1, 9)
        .init()
        .unwrap()
        .per_epoch(2)
        .unwrap();
    epochs.load_record(record().with_scalar("rate", 0.7));
    assert_eq!(rates(&epochs, 3), [0.7; 3]);
}
