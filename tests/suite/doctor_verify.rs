//! Whether a prescription helped.

use burn_tricks::compare::{Better, QualityMetric, Verdict};
use burn_tricks::diagnose::{Prescription, Treatment, Verification, VerifyConfig, VerifyError};

/// A stand-in for a training: what a seed scores, and what the factor of the learning rate adds.
fn score(prescription: Option<&Prescription>, seed: u64, gain: f64) -> f64 {
    let noise = 0.02 * ((seed * 7919 % 13) as f64 / 13.0 - 0.5);
    let treated = match prescription.and_then(Prescription::treatment) {
        Some(Treatment::LrFactor(factor)) => gain * factor.log10(),
        None => 0.0,
        other => panic!("{other:?}"),
    };
    // A second source of noise, which the pairs do not share.
    let own = 0.004 * ((seed * 104_729 + u64::from(treated != 0.0)) % 7) as f64 / 7.0;
    0.7 + noise + own + treated
}

fn verified(gain: f64) -> (Verification, Vec<(bool, u64)>) {
    let mut calls = Vec::new();
    let prescription = Prescription::ScaleLr { factor: 10.0 };
    let metric = QualityMetric::share("accuracy");
    let verification = VerifyConfig::new().run(&prescription, metric, |prescription, seed| {
        calls.push((prescription.is_some(), seed));
        score(prescription, seed, gain)
    });
    (verification.unwrap(), calls)
}

#[test]
fn the_verdict_is_that_of_the_comparison_over_paired_seeds() {
    let (helped, calls) = verified(0.1);
    assert_eq!(helped.verdict(), Verdict::Helps, "{helped}");
    // The first look decides: eight pairs, with and without the prescription for each seed.
    let expected = (1001..1009).flat_map(|seed| [(false, seed), (true, seed)]);
    assert_eq!(calls, expected.collect::<Vec<_>>());
    assert_eq!(helped.answer().unwrap().effect.unwrap().pairs, 8);
    let text = helped.to_string();
    assert!(
        text.starts_with("multiply the learning rate by 10: helps (better accuracy"),
        "{text}"
    );
    assert!(text.contains("8 seeds"), "{text}");
    let (hurt, _) = verified(-0.1);
    assert_eq!(hurt.verdict(), Verdict::Hurts, "{hurt}");
    let (same, calls) = verified(1e-9);
    assert_ne!(same.verdict(), Verdict::Helps, "{same}");
    assert!(calls.len() >= 16, "no verdict comes before its look");
    // NaN, of what was not measured, is not equal to itself.
    let json = serde_json::to_string(&helped).unwrap();
    let back: Verification = serde_json::from_str(&json).unwrap();
    assert_eq!(serde_json::to_string(&back).unwrap(), json);
}

#[test]
fn a_failed_training_counts_as_no_model() {
    let prescription = Prescription::ScaleLr { factor: 0.1 };
    let metric = QualityMetric::plain("R²", Better::Higher, 0.01);
    let config = VerifyConfig::new().with_no_model(Some(0.0));
    let train = |prescription: Option<&Prescription>, seed: u64| match prescription {
        Some(_) => 0.9 + 1e-3 * (seed % 5) as f64,
        None => f64::NAN,
    };
    let verification = config.run(&prescription, metric, train).unwrap();
    assert_eq!(verification.verdict(), Verdict::Helps, "{verification}");
    let gain = verification.answer().unwrap().effect.unwrap().interval.mean;
    assert!((0.9..0.91).contains(&gain), "{gain}");
}

#[test]
fn without_the_score_of_no_model_a_failed_training_ends_it_undecided() {
    let prescription = Prescription::ScaleLr { factor: 0.1 };
    let metric = QualityMetric::plain("R²", Better::Higher, 0.01);
    let mut calls = 0;
    let train = |prescription: Option<&Prescription>, seed: u64| {
        calls += 1;
        match (prescription, seed) {
            (None, 1003) => f64::NAN,
            (None, _) => 0.1,
            (Some(_), _) => 0.9 + 1e-3 * (seed % 5) as f64,
        }
    };
    let verification = VerifyConfig::new().run(&prescription, metric, train);
    let verification = verification.unwrap();
    assert_eq!(verification.verdict(), Verdict::Undecided, "{verification}");
    assert_eq!(verification.answer().unwrap().need, None);
    let text = verification.to_string();
    assert!(
        text.contains(" (a failed run, and no `no_model`)"),
        "{text}"
    );
    assert_eq!(
        calls,
        2 * 8,
        "the first look shows that no other can decide"
    );
}

#[test]
fn looks_that_can_decide_nothing_are_refused_before_the_first_training() {
    let prescription = Prescription::NormLayers;
    for (looks, expected) in [
        (
            vec![4],
            "4 seeds cannot show a difference in the row; 6 can",
        ),
        (
            vec![8, 8],
            "the looks must be ascending numbers of seeds from 1 up, got [8, 8]",
        ),
    ] {
        let config = VerifyConfig::new().with_looks(Some(looks));
        let metric = QualityMetric::loss("loss");
        let error = config.run(&prescription, metric, |_, _| panic!("nothing is trained"));
        assert_eq!(error.unwrap_err().to_string(), expected);
    }
    let metric = QualityMetric::loss("loss").with_margin(0.5);
    let error = VerifyConfig::new().run(&prescription, metric, |_, _| panic!("nothing is trained"));
    assert!(matches!(error, Err(VerifyError::Compare(_))), "{error:?}");
}
