//! Rules about the learning rate, the steps and the batch, and the rules of the range test.

use crate::{history, severity};
use burn_tricks_diagnose::{
    Diagnosis, FindingKind, LrCurve, LrRange, NoiseScale, Prescription, Severity, Treatment,
};

#[test]
fn an_update_of_a_tenth_of_the_weight_is_too_high_and_of_1e_5_too_low() {
    let mut of = history(60, 1.95);
    for (ratio, high, low) in [
        (0.11, Some(Severity::Fault), None),
        (0.09, None, None),
        (0.9e-5, None, Some(Severity::Fault)),
        (1.1e-5, None, Some(Severity::Warning)),
        (1.9e-4, None, Some(Severity::Warning)),
        (2.1e-4, None, None),
    ] {
        for at in of.params.iter_mut().flat_map(|param| &mut param.steps) {
            at.update = Some(ratio * at.weight);
        }
        assert_eq!(severity(&of, FindingKind::LrTooHigh), high, "{ratio}");
        assert_eq!(severity(&of, FindingKind::LrTooLow), low, "{ratio}");
    }
}

#[test]
fn a_loss_that_jumps_to_ten_times_its_first_value_was_a_step_too_far() {
    let mut of = history(60, 1.95);
    of.losses[7] = 20.5;
    let diagnosis = Diagnosis::from_history(of.clone());
    let finding = diagnosis.of_kind(FindingKind::LrTooHigh).next().unwrap();
    assert_eq!(finding.step, Some(8));
    of.losses[7] = 19.5;
    assert_eq!(severity(&of, FindingKind::LrTooHigh), None);
}

#[test]
fn no_momentum_is_raised_against_steps_that_go_too_far() {
    // A loss that grows, one that stays far above its beginning, and one that had fallen and comes back.
    let grows: Vec<f64> = (0..60).map(|at| 1.0 + f64::from(at) / 10.0).collect();
    let mut stays = vec![1.0; 60];
    stays[51..].fill(20.0);
    let mut falls = vec![1.0; 60];
    falls[20..40].fill(0.3);
    for losses in [grows, stays, falls] {
        let mut of = history(60, 1.95);
        of.losses = losses;
        let diagnosis = Diagnosis::from_history(of);
        let finding = diagnosis.of_kind(FindingKind::LrTooHigh).next().unwrap();
        let text = "if the optimizer has a momentum above 0.9, set it to 0.9".to_owned();
        assert_eq!(finding.prescriptions[1], Prescription::Change { text });
    }
}

#[test]
fn a_rate_must_be_positive() {
    let mut of = history(60, 1.95);
    for (lr, expected) in [
        (-1e-3, true),
        (f64::NAN, true),
        (0.0, true),
        (101.0, true),
        (1.0, false),
    ] {
        of.steps.iter_mut().for_each(|step| step.lr = lr);
        assert_eq!(
            severity(&of, FindingKind::LrInvalid).is_some(),
            expected,
            "{lr}"
        );
    }
    // A warm-up begins with 0.
    of.steps[0].lr = 0.0;
    assert_eq!(severity(&of, FindingKind::LrInvalid), None);
}

#[test]
fn norms_that_grow_with_the_number_of_steps_are_sums() {
    let mut of = history(60, 1.5);
    of.steps
        .iter_mut()
        .for_each(|step| step.cosine = Some(0.95));
    for param in &mut of.params {
        param
            .steps
            .iter_mut()
            .for_each(|at| at.gradient = 0.8 * at.step as f64);
    }
    assert_eq!(
        severity(&of, FindingKind::AccumulatedGradients),
        Some(Severity::Fault)
    );
    // By the eighth step, to 8 times the first: less if the gradients differ in direction.
    for (growth, expected) in [(0.13, true), (0.10, false), (1.1, true), (1.2, false)] {
        for param in &mut of.params {
            for at in param.steps.iter_mut() {
                at.gradient = 1.0 + growth * (at.step - 1) as f64;
            }
        }
        // 1.91, 1.7, 8.7 and 9.4 times.
        let found = severity(&of, FindingKind::AccumulatedGradients).is_some();
        assert_eq!(found, expected, "{growth}");
    }
    for at in of.params.iter_mut().flat_map(|param| &mut param.steps) {
        at.gradient = at.step as f64;
    }
    // Each in its own direction: not a sum.
    of.steps.iter_mut().for_each(|step| step.cosine = Some(0.3));
    assert_eq!(severity(&of, FindingKind::AccumulatedGradients), None);
    // One direction and one norm, as with a full batch: not a sum.
    let mut of = history(60, 1.5);
    of.steps.iter_mut().for_each(|step| step.cosine = Some(1.0));
    assert_eq!(severity(&of, FindingKind::AccumulatedGradients), None);
}

#[test]
fn norms_that_grow_by_one_factor_are_those_of_a_network_that_leaves_a_plateau() {
    let check = |norm: fn(usize) -> f64| {
        let mut of = history(60, 0.01);
        of.steps.iter_mut().for_each(|step| step.cosine = Some(1.0));
        for at in of.params.iter_mut().flat_map(|param| &mut param.steps) {
            at.gradient = norm(at.step);
        }
        severity(&of, FindingKind::AccumulatedGradients)
    };
    // Both grow to 2.46 times by the eighth step.
    assert_eq!(check(|step| 0.14 * 1.137f64.powi(step as i32 - 1)), None);
    let sums = check(|step| 0.14 * (1.0 + 0.208 * (step as f64 - 1.0)));
    assert_eq!(sums, Some(Severity::Fault));
}

#[test]
fn a_loss_that_still_falls_needs_more_steps_and_a_flat_one_does_not() {
    assert_eq!(
        severity(&history(100, 1.5), FindingKind::TooFewSteps),
        Some(Severity::Warning)
    );
    let mut flat = history(100, 2.0);
    flat.losses = vec![2.0; 100];
    assert_eq!(severity(&flat, FindingKind::TooFewSteps), None);
    assert_eq!(
        severity(&flat, FindingKind::Underfitting),
        Some(Severity::Warning)
    );
    assert_eq!(severity(&history(100, 0.5), FindingKind::TooFewSteps), None);
}

#[test]
fn the_noise_scale_is_that_of_mccandlish() {
    // ‖G‖² = 4 and tr Σ = 32: of 8 rows the expected square is 4 + 32/8 = 8, of 4 such batches 4 + 32/32 = 5.
    let noise = NoiseScale::from_norms(8.0, 5.0, 8, 4);
    assert!((noise.signal - 4.0).abs() < 1e-12 && (noise.noise - 32.0).abs() < 1e-12);
    assert!((noise.scale - 8.0).abs() < 1e-12);
    assert_eq!(NoiseScale::from_norms(8.0, 1.0, 8, 4).scale, f64::INFINITY);
    let mut of = history(60, 1.95);
    of.noise_scale = Some(NoiseScale::from_norms(8.0, 4.1, 1, 4));
    // Signal 2.8, noise 5.2: a scale of 1.857 rows for batches of one.
    assert_eq!(severity(&of, FindingKind::NoisyBatch), None);
    of.noise_scale = Some(NoiseScale::from_norms(8.0, 2.4, 1, 4));
    // Signal 0.533, noise 7.467: a scale of 14 rows.
    assert_eq!(
        severity(&of, FindingKind::NoisyBatch),
        Some(Severity::Warning)
    );
}

/// Losses that fall from the third rate to the sixth and then rise.
fn curve(seed: u64) -> LrCurve {
    let rates = (0..10).map(|at| 10f64.powi(at - 7)).collect();
    let losses = vec![1.0, 1.0, 1.0, 0.5, 0.1, 0.05, 0.2, 3.0, 9.0, f64::NAN];
    LrCurve::new(seed, rates, losses)
}

/// The smoothed losses by the recursion m = 0.9 m + 0.1 x, over 1 - 0.9^k, by hand to four places.
#[test]
fn the_curve_is_smoothed_and_ends_before_it_is_not_finite() {
    let smoothed = curve(0).smoothed();
    let expected = [1.0, 1.0, 1.0, 0.8546, 0.6703, 0.5379];
    assert_eq!(smoothed.len(), 9);
    for (got, expected) in smoothed.iter().zip(expected) {
        assert!((got - expected).abs() < 1e-4, "{smoothed:?}");
    }
}

#[test]
fn the_rules_of_the_range_test() {
    let curve = curve(0);
    // Smoothed: 1, 1, 1, 0.855, 0.670, 0.538, 0.473, ...: the descent is from the third to the seventh point or from an
    // equal one before; the steepest part is from the fourth to the fifth; the minimum is the seventh.
    assert!(
        (curve.steepest().unwrap() - 1e-4).abs() < 1e-12,
        "{:?}",
        curve.steepest()
    );
    assert!(
        (curve.minimum_tenth().unwrap() - 1e-2).abs() < 1e-12,
        "{:?}",
        curve.minimum_tenth()
    );
    let valley = curve.valley().unwrap();
    assert!((1e-4..=1e-3).contains(&valley), "{valley}");
    assert_eq!(LrCurve::new(0, vec![1.0], vec![1.0]).valley(), None);
}

#[test]
fn seeds_agree_or_not() {
    let mut range = LrRange::default();
    assert_eq!(range.valley(), None);
    let mut other = curve(1);
    other.lrs.iter_mut().for_each(|lr| *lr *= 100.0);
    range.curves = vec![curve(0), other];
    let steepest = range.steepest().unwrap();
    assert!((steepest.lr / 1e-3 - 1.0).abs() < 1e-9);
    assert!((steepest.highest / steepest.lowest / 100.0 - 1.0).abs() < 1e-9);
    assert!((range.disagreement().unwrap() / 100.0 - 1.0).abs() < 1e-9);
}

#[test]
fn a_prescription_with_a_trick_gives_its_configuration() {
    let Some(Treatment::Warmup(warmup)) = (Prescription::Warmup { steps: 30 }).treatment() else {
        panic!("a warm-up");
    };
    assert_eq!(warmup.steps, 30);
    assert!(Prescription::Shallower.treatment().is_none());
}
