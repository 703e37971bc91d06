//! What is said of a range test, of a noise scale, and of examinations that gave no numbers.

use crate::shortfall::regression;
use crate::steps::with_uneven_losses;
use crate::{history, severity};
use burn_tricks_diagnose::{
    Capacity, CapacityTestConfig, DataHistory, Diagnosis, Finding, FindingKind, History, LrCurve,
    LrRange, NoiseScale, Prescription, Severity, TrialKind, TrialResult,
};

/// The one finding of this kind.
fn only(of: &History, kind: FindingKind) -> Finding {
    let diagnosis = Diagnosis::from_history(of.clone());
    let found: Vec<&Finding> = diagnosis.of_kind(kind).collect();
    assert_eq!(found.len(), 1, "{diagnosis}");
    found[0].clone()
}

/// A sound training with a capacity test of three seeds, whose losses are those of the closure by kind and seed.
fn tested(losses: impl Fn(TrialKind, u64) -> [f64; 2]) -> History {
    let test = CapacityTestConfig::new(64).init().unwrap();
    let mut of = history(60, 0.1);
    let capacity: Capacity = test.run(|trial| {
        let [train_loss, valid_loss] = losses(trial.kind, trial.seed);
        TrialResult {
            train_loss,
            valid_loss,
        }
    });
    of.capacity = Some(capacity);
    of
}

fn sound(kind: TrialKind) -> [f64; 2] {
    match kind {
        TrialKind::OneBatch => [0.01, 2.0],
        TrialKind::ShuffledLabels => [1.9, 2.4],
        TrialKind::BlankInputs => [2.0, 2.0],
        _ => [0.3, 0.35],
    }
}

#[test]
fn trials_that_are_not_finite_are_named_and_accuse_nobody() {
    use FindingKind::{TooLargeModel, TooLittleData, Underfitting, UnrelatedLabels};
    for bad in [f64::NAN, f64::INFINITY] {
        for kind in TrialKind::ALL {
            let of = tested(|of, seed| {
                if of == kind && seed == 1 {
                    [bad; 2]
                } else {
                    sound(of)
                }
            });
            for accused in [Underfitting, UnrelatedLabels, TooLittleData, TooLargeModel] {
                assert_eq!(severity(&of, accused), None, "{accused:?} of {kind:?}");
            }
            let failed = only(&of, FindingKind::ExaminationFailed);
            assert_eq!(failed.severity, Severity::Note);
            // What is examined is not the training, whose rate may be right.
            assert!(
                failed
                    .prescriptions
                    .iter()
                    .all(|of| of.treatment().is_none())
            );
            assert!(
                failed.text.starts_with("In 1 of 18 trials of the capacity test a loss became NaN or infinite (1 of 3 with "),
                "{}",
                failed.text
            );
            // All seeds: a question without an answer.
            let of = tested(|of, _| if of == kind { [bad; 2] } else { sound(of) });
            assert_eq!(
                severity(&of, FindingKind::ExaminationFailed),
                Some(Severity::Warning)
            );
        }
    }
    // The validation of a model that has learned one batch, or wrong labels, is not asked for.
    let of = tested(|kind, _| match kind {
        TrialKind::OneBatch | TrialKind::ShuffledLabels => [sound(kind)[0], f64::INFINITY],
        _ => sound(kind),
    });
    assert_eq!(severity(&of, FindingKind::ExaminationFailed), None);
}

/// A curve that falls from the fourth of ten rates to the sixth; `factor` on all rates.
fn curve(seed: u64, factor: f64) -> LrCurve {
    let lrs = (0..10).map(|at| factor * 10f64.powi(at - 7)).collect();
    let losses = vec![1.0, 1.0, 1.0, 0.5, 0.1, 0.05, 0.2, 3.0, 9.0, f64::NAN];
    LrCurve::new(seed, lrs, losses)
}

fn ranged(curves: Vec<LrCurve>) -> History {
    let mut of = history(60, 0.1);
    let mut range = LrRange::default();
    range.curves = curves;
    of.lr_range = Some(range);
    of
}

#[test]
fn the_rates_of_a_range_test_are_a_note_beside_the_rate_of_the_training() {
    let mut of = ranged(vec![curve(0, 1.0), curve(1, 2.0)]);
    let found = only(&of, FindingKind::LrRange);
    assert_eq!(found.severity, Severity::Note);
    // The steepest descent of one seed is at 1e-4 and of the other at 2e-4, with a mean of √2e-4; a tenth of the
    // minimum is at 0.01 and 0.02.
    for part in [
        "1.4e-4 (1.0e-4 to 2.0e-4 over the seeds) where it falls most steeply",
        "0.0141 (0.01 to 0.02 over the seeds) as a tenth of that of its lowest loss",
        "They differ by a factor of 200: only their order of size can be trusted.",
        "The highest rate of the training, 0.001, is among them.",
    ] {
        assert!(found.text.contains(part), "{part}: {}", found.text);
    }
    assert!((found.value / 200.0 - 1.0).abs() < 1e-9 && found.prescriptions.is_empty());
    assert!(Diagnosis::from_history(of.clone()).is_healthy());
    let valley = of.lr_range.as_ref().unwrap().valley().unwrap().lr;
    for (lr, text) in [
        (0.2, "10 times the largest of them"),
        (1e-6, "1/100 of the smallest of them"),
    ] {
        of.steps.iter_mut().for_each(|step| step.lr = lr);
        let found = only(&of, FindingKind::LrRange);
        assert!(found.text.contains(text), "{}", found.text);
        let factor = valley / lr;
        assert_eq!(found.prescriptions, [Prescription::ScaleLr { factor }]);
    }
    // Of a training of which nothing but a loss was handed over, no rate is known.
    of.steps.clear();
    let found = only(&of, FindingKind::LrRange);
    assert!(!found.text.contains("of the training") && found.prescriptions.is_empty());
}

#[test]
fn a_range_test_without_a_suggestion_is_a_finding() {
    let bad = LrCurve::new(0, vec![1e-7], vec![f64::NAN]);
    let of = ranged(vec![bad.clone(), bad]);
    let found = only(&of, FindingKind::ExaminationFailed);
    assert_eq!((found.severity, found.value), (Severity::Warning, 2.0));
    for curves in [
        vec![],
        vec![LrCurve::new(0, vec![0.1, 0.2], vec![1.0, 0.9])],
        // Rates of which no mean can be taken.
        vec![LrCurve::new(0, vec![0.0; 4], vec![4.0, 3.0, 2.0, 1.0])],
    ] {
        let found = only(&ranged(curves), FindingKind::ExaminationFailed);
        assert_eq!(found.severity, Severity::Note, "{}", found.text);
    }
}

#[test]
fn runs_of_a_range_test_that_fail_are_named_beside_the_rates_of_the_others() {
    let bad = LrCurve::new(1, vec![1e-7], vec![f64::NAN]);
    let of = ranged(vec![curve(0, 1.0), bad]);
    assert_eq!(
        only(&of, FindingKind::LrRange).severity,
        Severity::Note,
        "of the other run"
    );
    let failed = only(&of, FindingKind::ExaminationFailed);
    assert!(failed.text.starts_with("In 1 of 2 runs"), "{}", failed.text);
}

#[test]
fn a_noise_scale_hides_no_other_reason_of_noise_unless_it_is_one() {
    let mut of_few_rows = regression(0.2, 0.2, 0.87);
    of_few_rows.train.as_mut().unwrap().largest_batch = 1;
    for (mut of, text) in [
        (
            with_uneven_losses(1.6),
            "The loss differs from the mean loss",
        ),
        (of_few_rows, "On the validation the network has share"),
    ] {
        // No gradient at all, and a scale of a ninth of a row.
        for [small, large] in [[0.0, 0.0], [8.0, 7.9]] {
            of.noise_scale = Some(NoiseScale::from_norms(small, large, 1, 4));
            let found = only(&of, FindingKind::NoisyBatch);
            assert!(found.text.starts_with(text), "{}", found.text);
        }
    }
    let mut both = history(60, 1.95);
    both.loss_checks = with_uneven_losses(1.6).loss_checks;
    for (noise, text) in [
        (None, "The loss differs from the mean loss"),
        (Some(1.0), "The mean gradient of 4 batches of 8 rows"),
    ] {
        both.noise_scale = noise.map(|large| NoiseScale::from_norms(8.0, large, 8, 4));
        let found = only(&both, FindingKind::NoisyBatch);
        assert!(found.text.starts_with(text), "{}", found.text);
    }
}

#[test]
fn a_run_of_a_range_test_that_breaks_after_a_step_or_two_suggests_nothing() {
    let good = vec![curve(0, 1.0), curve(1, 2.0)];
    let text = only(&ranged(good.clone()), FindingKind::LrRange).text;
    let lrs = || vec![1e-7, 1e-6, 1e-5, 1e-4];
    for (losses, severity, part) in [
        (
            vec![2.3, f64::NAN],
            Severity::Warning,
            "the loss is NaN or infinite after the first or the second step",
        ),
        (
            vec![2.3, 2.3, f64::INFINITY],
            Severity::Warning,
            "the loss is NaN or infinite after the first or the second step",
        ),
        (
            vec![f64::NAN],
            Severity::Warning,
            "the first loss, before any step, is NaN or infinite",
        ),
        (
            vec![2.3, 2.2],
            Severity::Note,
            "there are fewer than three losses with a learning rate",
        ),
    ] {
        let mut curves = good.clone();
        curves.push(LrCurve::new(2, lrs(), losses));
        let of = ranged(curves);
        let failed = only(&of, FindingKind::ExaminationFailed);
        let start = format!("In 1 of 3 runs of the range test {part}");
        assert!(failed.text.starts_with(&start), "{}", failed.text);
        assert_eq!((failed.severity, failed.value), (severity, 1.0));
        // Of the others, as if this one had not been.
        assert_eq!(only(&of, FindingKind::LrRange).text, text);
    }
    // Three losses are enough.
    let mut curves = good;
    curves.push(LrCurve::new(2, lrs(), vec![2.3, 2.2, 2.1, f64::NAN]));
    let of = ranged(curves);
    assert_eq!(severity(&of, FindingKind::ExaminationFailed), None);
    assert_ne!(only(&of, FindingKind::LrRange).text, text);
}

#[test]
fn each_way_in_which_runs_of_a_range_test_fail_has_a_sentence() {
    let run = |losses: &[f64]| LrCurve::new(0, vec![1e-7, 1e-6, 1e-5], losses.to_vec());
    let of = ranged(vec![
        run(&[f64::NAN]),
        run(&[f64::NAN]),
        run(&[1.0, f64::NAN]),
        run(&[1.0]),
    ]);
    let failed = only(&of, FindingKind::ExaminationFailed);
    assert_eq!((failed.severity, failed.value), (Severity::Warning, 4.0));
    for part in [
        "In 2 of 4 runs of the range test the first loss",
        "In 1 of 4 runs of the range test the loss is NaN",
        "In 1 of 4 runs of the range test there are fewer",
    ] {
        assert!(failed.text.contains(part), "{part}: {}", failed.text);
    }
    assert_eq!(severity(&of, FindingKind::LrRange), None);
}

#[test]
fn an_examination_that_failed_hides_nothing() {
    let nan = NoiseScale::from_norms(f64::NAN, f64::NAN, 8, 4);
    let mut stuck = history(60, 1.95);
    stuck.losses = vec![2.3; 60];
    let falls = history(100, 1.5);
    let kinds = [
        FindingKind::Underfitting,
        FindingKind::TooFewSteps,
        FindingKind::NoisyBatch,
    ];
    for (mut of, kind) in [stuck, falls, with_uneven_losses(1.6)]
        .into_iter()
        .zip(kinds)
    {
        for noise in [None, Some(nan)] {
            of.noise_scale = noise;
            assert_eq!(severity(&of, kind), Some(Severity::Warning));
        }
        assert!(severity(&of, FindingKind::ExaminationFailed).is_some());
    }
    let mut sound = history(100, 0.1);
    sound.noise_scale = Some(nan);
    assert!(!Diagnosis::from_history(sound).is_healthy());
}

#[test]
fn a_curve_ends_with_the_shorter_of_its_lists() {
    let whole = curve(0, 1.0);
    let few = LrCurve::new(0, whole.lrs[..5].to_vec(), whole.losses.clone());
    assert_eq!(few.smoothed(), &whole.smoothed()[..5]);
    assert_eq!(few.steepest(), Some(whole.lrs[3]));
    assert_eq!(few.minimum_tenth(), Some(whole.lrs[4] / 10.0));
    assert!(few.valley().is_some_and(|lr| whole.lrs[..5].contains(&lr)));
    let json = r#"{"seed": 1, "lrs": [], "losses": [3.0, 2.0, 1.0, 0.5]}"#;
    let none: LrCurve = serde_json::from_str(json).unwrap();
    let found = [none.valley(), none.steepest(), none.minimum_tenth()];
    assert_eq!(found, [None; 3]);
}

#[test]
fn a_noise_scale_that_is_infinite_has_a_sentence_of_its_own_and_no_more_rows_than_there_are() {
    let mut of = history(60, 1.95);
    of.noise_scale = Some(NoiseScale::from_norms(8.0, 1.0, 8, 4));
    let mut data = DataHistory::default();
    (data.rows, data.distinct_rows) = (400, 200);
    (data.batches, data.largest_batch) = (50, 8);
    of.train = Some(data);
    let size = |of: &History| {
        let found = only(of, FindingKind::NoisyBatch);
        let mut sizes = found.prescriptions.iter().filter_map(|of| match of {
            Prescription::BatchSize { size } => Some(*size),
            _ => None,
        });
        assert!(!found.text.contains("inf"), "{}", found.text);
        sizes.next()
    };
    let found = only(&of, FindingKind::NoisyBatch);
    let text = "The mean gradient of 4 batches of 8 rows cannot be told from 0";
    assert!(found.text.starts_with(text), "{}", found.text);
    assert_eq!(size(&of), Some(200));
    of.train.as_mut().unwrap().largest_batch = 200;
    assert_eq!(size(&of), None, "all rows already");
    // Rows that have not come again: nobody knows how many there are.
    let train = of.train.as_mut().unwrap();
    (train.rows, train.largest_batch) = (200, 8);
    assert_eq!(size(&of), Some(4096));
    // One row is equal to another by chance, of a table of unknown length.
    let train = of.train.as_mut().unwrap();
    (train.rows, train.distinct_rows) = (320, 319);
    assert_eq!(size(&of), Some(4096));
    // After an epoch of 3000 rows come the same ones, up to the last that is looked at, and some that it had left out.
    let train = of.train.as_mut().unwrap();
    (train.first_epoch_rows, train.first_epoch_distinct) = (3000, 3000);
    (train.rows, train.distinct_rows) = (4000, 3000);
    assert_eq!(size(&of), Some(3000));
    of.train.as_mut().unwrap().distinct_rows = 3500;
    assert_eq!(size(&of), Some(3500));
    // Of an epoch that is a part of all rows, the next is another part.
    of.train.as_mut().unwrap().distinct_rows = 3501;
    assert_eq!(size(&of), Some(4096));
    // Nothing has come since the end of the epoch.
    let train = of.train.as_mut().unwrap();
    (train.rows, train.distinct_rows) = (3000, 3000);
    assert_eq!(size(&of), Some(4096));
    of.train = None;
    assert_eq!(size(&of), Some(4096));
    // Signal 0.52 and noise 7.48, in batches of one: a scale of 14.4 rows.
    of.noise_scale = Some(NoiseScale::from_norms(8.0, 2.39, 1, 4));
    assert_eq!(size(&of), Some(15));
    // No gradient at all is no noise.
    of.noise_scale = Some(NoiseScale::from_norms(0.0, 0.0, 8, 4));
    assert_eq!(severity(&of, FindingKind::NoisyBatch), None);
    of.noise_scale = Some(NoiseScale::from_norms(f64::NAN, f64::NAN, 8, 4));
    assert_eq!(
        severity(&of, FindingKind::ExaminationFailed),
        Some(Severity::Warning)
    );
}
