//! Patience that tells a change from noise.

use crate::models::Noise;
use burn_tricks::stop::{
    EarlyStoppingConfig, Goal, NoiseAware, NoiseAwareConfig, NonFiniteMetric, Observation,
    StopCriterion, StopReason,
};

fn config() -> NoiseAwareConfig {
    NoiseAwareConfig::new(Goal::Minimize).with_standard_errors(1.0)
}

fn noisy(value: f64, standard_error: f64) -> Observation {
    Observation::from(value).with_standard_error(standard_error)
}

#[test]
fn within_the_noise_nothing_is_decided() {
    // 3² + 4² = 5²: the noise of the difference from the best is 5.
    let mut stop = config().with_patience(2).init().unwrap();
    assert!(stop.observe(noisy(100.0, 3.0)).improved);
    let script = [
        // value, improved, waited, undecided, stops
        (104.9, false, 0, 1, false),
        (95.1, false, 0, 2, false),
        (105.1, false, 1, 2, false),
        (104.0, false, 1, 3, false), // does not give patience back
        (106.0, false, 2, 3, true),
        (104.0, false, 2, 4, true), // not even when it is used up
        (94.9, true, 0, 0, false),
    ];
    for (i, (value, improved, waited, undecided, stops)) in script.into_iter().enumerate() {
        let decision = stop.observe(noisy(value, 4.0));
        let seen = (decision.improved, decision.waited, stop.undecided());
        assert_eq!(seen, (improved, waited, undecided), "{i}");
        assert_eq!(decision.should_stop(), stops, "{i}");
    }
    let decision = stop.observe(noisy(94.9, 4.0));
    assert_eq!((decision.best, decision.best_check), (Some(94.9), Some(8)));
}

#[test]
fn a_plateau_within_the_noise_goes_on_unless_limited() {
    let plateau: Vec<_> = (0..500)
        .map(|i| noisy(1.0 + 0.1 * f64::from(i % 2), 0.1))
        .collect();
    let first_stop = |config: NoiseAwareConfig| {
        let mut stop = config.init().unwrap();
        plateau.iter().find_map(|o| {
            let decision = stop.observe(*o);
            decision.stop.map(|reason| (decision.check, reason))
        })
    };
    assert_eq!(first_stop(config().with_patience(1)), None);
    assert_eq!(
        first_stop(config().with_max_undecided(Some(20))),
        Some((21, StopReason::Undecided { checks: 20 }))
    );
    assert!(first_stop(config().with_patience(1).with_standard_errors(0.5)).is_some());
}

#[test]
fn a_slow_improvement_adds_up() {
    // Each step is a tenth of the noise; against the best it shows after eleven.
    let mut stop = config().with_patience(1).init().unwrap();
    let error = 1.0 / 2.0f64.sqrt();
    let improved: Vec<_> = (0..=33)
        .map(|i| stop.observe(noisy(-0.1 * f64::from(i), error)).improved)
        .collect();
    let at: Vec<_> = (0..improved.len()).filter(|i| improved[*i]).collect();
    assert_eq!(at.len(), 4, "{at:?}");
    assert!(
        at.windows(2)
            .all(|pair| (10..=11).contains(&(pair[1] - pair[0]))),
        "{at:?}"
    );
}

/// With every value exact, or asked to take it so, it is plain patience.
#[test]
fn without_noise_it_is_early_stopping() {
    for goal in [Goal::Minimize, Goal::Maximize] {
        for non_finite in [
            NonFiniteMetric::Stop,
            NonFiniteMetric::Ignore,
            NonFiniteMetric::CountAsNoImprovement,
        ] {
            let plain = EarlyStoppingConfig::new(goal)
                .with_patience(4)
                .with_non_finite(non_finite);
            let aware = NoiseAwareConfig::new(goal)
                .with_patience(4)
                .with_non_finite(non_finite);
            let mut plain = plain.init().unwrap();
            let mut exact = aware.clone().with_standard_errors(0.0).init().unwrap();
            let mut others = [(); 4].map(|()| aware.init().unwrap());
            let mut noise = Noise(3);
            for i in 0..200 {
                // Coarse, so that values are equal at times.
                let value = match i % 37 {
                    30 => f64::NAN,
                    33 => f64::NEG_INFINITY,
                    _ => (noise.next() * 8.0).round() - f64::from(i / 50),
                };
                let expected = plain.observe(value);
                assert_eq!(exact.observe(noisy(value, 0.5)), expected);
                let useless = [None, Some(0.0), Some(f64::NAN), Some(-1.0)];
                for (other, standard_error) in others.iter_mut().zip(useless) {
                    let observation = Observation {
                        value,
                        standard_error,
                        training: None,
                    };
                    assert_eq!(other.observe(observation), expected, "{standard_error:?}");
                    assert_eq!(other.undecided(), 0);
                }
            }
        }
    }
}

/// A normal draw: the sum of twelve uniform ones.
fn gauss(noise: &mut Noise) -> f64 {
    noise.take(12).iter().sum::<f64>() / 2.0
}

/// The checks until `stop` says so, at most 100, of a metric whose true value at a check is `truth`, in
/// units of its standard error.
fn stopped_at(mut stop: impl StopCriterion, seed: u64, truth: impl Fn(f64) -> f64) -> usize {
    let mut noise = Noise(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    noise.take(8);
    (1..100)
        .find(|check| {
            let value = truth(*check as f64) + gauss(&mut noise);
            stop.observe(noisy(value, 1.0)).should_stop()
        })
        .unwrap_or(100)
}

const RUNS: u64 = 1000;

/// The share of runs stopped before check 100, and the mean check at which they ended.
fn simulate<C: StopCriterion + Clone>(stop: &C, truth: impl Fn(f64) -> f64) -> (f64, f64) {
    let ends: Vec<_> = (0..RUNS)
        .map(|seed| stopped_at(stop.clone(), seed, &truth))
        .collect();
    let stopped = ends.iter().filter(|end| **end < 100).count() as f64;
    let mean = ends.iter().sum::<usize>() as f64 / RUNS as f64;
    (stopped / RUNS as f64, mean)
}

/// A metric that improves slowly, one that stands, and one that improves for 30 checks and then worsens
/// twice as fast.
fn row<C: StopCriterion + Clone>(name: &str, stop: &C) -> [(f64, f64); 3] {
    let improves = simulate(stop, |check| -0.1 * check);
    let stands = simulate(stop, |_| 0.0);
    let turns = simulate(stop, |check| {
        -0.1 * check.min(30.0) + 0.2 * (check - 30.0).max(0.0)
    });
    println!("{name}: improves {improves:?}, stands {stands:?}, turns {turns:?}");
    [improves, stands, turns]
}

/// The figures of the documentation: run with `--nocapture` to see them.
#[test]
fn noise_stops_fewer_runs_that_improve() {
    let plain = |patience| {
        EarlyStoppingConfig::new(Goal::Minimize)
            .with_patience(patience)
            .init()
            .unwrap()
    };
    let aware = |z| config().with_standard_errors(z).init().unwrap();
    let plain_3 = row("plain, patience 3", &plain(3));
    let plain_9 = row("plain, patience 9", &plain(9));
    let aware_1 = row("z = 1, patience 3", &aware(1.0));
    let aware_2 = row("z = 2, patience 3", &aware(2.0));
    let (improving, turning) = (0, 2);
    // More patience of the plain kind does not help, and nor does too narrow a noise.
    for stopped in [plain_3, plain_9, aware_1] {
        assert!(stopped[improving].0 > 0.95, "{stopped:?}");
        assert!(stopped[turning].1 < 30.0, "before it turns: {stopped:?}");
    }
    assert!(aware_2[improving].0 < 0.35, "{aware_2:?}");
    assert_eq!(aware_2[turning].0, 1.0, "a run that worsens stops");
    assert!((30.0..50.0).contains(&aware_2[turning].1), "{aware_2:?}");
    assert_eq!(NoiseAwareConfig::new(Goal::Minimize).standard_errors, 2.0);
}

#[test]
fn meaningless_settings_are_refused_and_the_others_survive_json() {
    let refused = |config: NoiseAwareConfig| {
        let error = config.init().unwrap_err();
        (error.field, error.got)
    };
    assert_eq!(refused(config().with_patience(0)), ("patience", "0".into()));
    for (bad, got) in [(-0.5, "-0.5"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        assert_eq!(
            refused(config().with_standard_errors(bad)),
            ("standard_errors", got.into())
        );
    }
    assert_eq!(
        refused(config().with_max_undecided(Some(0))),
        ("max_undecided", "0".into())
    );
    let config = config()
        .with_patience(usize::MAX)
        .with_standard_errors(1.7)
        .with_max_undecided(Some(3));
    let json = serde_json::to_string(&config).unwrap();
    assert_eq!(
        serde_json::from_str::<NoiseAwareConfig>(&json).unwrap(),
        config
    );
    let _: NoiseAware = config.init().unwrap();
}

#[test]
fn errors_beyond_the_squares_and_beyond_the_numbers() {
    let mut stop = config().init().unwrap();
    stop.observe(noisy(1e250, 1e200));
    assert!(
        stop.observe(noisy(0.0, 1e200)).improved,
        "1e400 is no number"
    );
    for none in [f64::INFINITY, f64::NAN, -1.0] {
        let mut stop = config().init().unwrap();
        stop.observe(noisy(1.0, none));
        assert!(
            stop.observe(noisy(0.9, none)).improved,
            "{none} is not an error"
        );
    }
}
