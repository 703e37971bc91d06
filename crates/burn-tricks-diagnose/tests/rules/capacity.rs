//! The capacity test: its trials, and what the rules make of its results.

use crate::{history, severity};
use burn_tricks_diagnose::{
    Capacity, CapacityTestConfig, FindingKind, Severity, TrialKind, TrialResult,
};
use std::collections::HashSet;

/// The results of two seeds: each kind has one training loss, and a validation loss that differs by 0.02 between seeds.
fn capacity(losses: impl Fn(TrialKind) -> [f64; 2]) -> Capacity {
    let test = CapacityTestConfig::new(64).with_seeds(2).init().unwrap();
    test.run(|trial| {
        let [train_loss, valid_loss] = losses(trial.kind);
        TrialResult {
            train_loss,
            valid_loss: valid_loss + 0.02 * trial.seed as f64,
        }
    })
}

fn healthy(kind: TrialKind) -> [f64; 2] {
    match kind {
        TrialKind::Full => [0.3, 0.35],
        TrialKind::Half => [0.3, 0.352],
        TrialKind::Quarter => [0.3, 0.40],
        TrialKind::OneBatch => [0.01, 2.0],
        TrialKind::ShuffledLabels => [1.9, 2.4],
        _ => [2.0, 2.0],
    }
}

fn check(kind: FindingKind, losses: impl Fn(TrialKind) -> [f64; 2]) -> Option<Severity> {
    let mut of = history(60, 0.1);
    of.capacity = Some(capacity(losses));
    severity(&of, kind)
}

#[test]
fn the_trials_are_nested_and_shuffled_as_they_say() {
    let test = CapacityTestConfig::new(100)
        .with_batch(10)
        .with_seeds(2)
        .init()
        .unwrap();
    let trials: Vec<_> = test.trials().collect();
    assert_eq!(trials.len(), 12);
    let of = |kind: TrialKind, seed: u64| {
        trials
            .iter()
            .find(|trial| trial.kind == kind && trial.seed == seed)
            .unwrap()
    };
    for (kind, rows) in [
        (TrialKind::Full, 100),
        (TrialKind::Half, 50),
        (TrialKind::Quarter, 25),
        (TrialKind::OneBatch, 10),
    ] {
        let trial = of(kind, 0);
        assert_eq!(trial.rows.iter().collect::<HashSet<_>>().len(), rows);
        assert_eq!(trial.rows, trial.labels);
    }
    let half: HashSet<_> = of(TrialKind::Half, 1).rows.iter().collect();
    assert!(
        of(TrialKind::Quarter, 1)
            .rows
            .iter()
            .all(|row| half.contains(row))
    );
    assert_ne!(of(TrialKind::Half, 0).rows, of(TrialKind::Half, 1).rows);
    let shuffled = of(TrialKind::ShuffledLabels, 0);
    let moved = shuffled
        .rows
        .iter()
        .zip(&shuffled.labels)
        .filter(|(row, label)| row != label);
    assert!(moved.count() > 80);
    assert_eq!(shuffled.labels.iter().collect::<HashSet<_>>().len(), 100);
    assert!(of(TrialKind::BlankInputs, 0).blanks_inputs() && !shuffled.blanks_inputs());
}

#[test]
fn the_gain_of_twice_the_data_has_the_interval_of_students_t() {
    let mut results = vec![(TrialKind::Half, Vec::new()), (TrialKind::Full, Vec::new())];
    for (half, full) in [(1.0, 0.9), (1.1, 0.9), (1.2, 0.9)] {
        for (at, valid_loss) in [half, full].into_iter().enumerate() {
            results[at].1.push(TrialResult {
                train_loss: 0.0,
                valid_loss,
            });
        }
    }
    let mut capacity = Capacity::default();
    capacity.results = results;
    // Gains 0.1, 0.2, 0.3: mean 0.2, deviation 0.1, standard error 0.05774, times 4.303.
    let (mean, [low, high]) = capacity.gain_of_doubling().unwrap();
    assert!((mean - 0.2).abs() < 1e-9);
    assert!((low - (0.2 - 0.24843)).abs() < 1e-4 && (high - (0.2 + 0.24843)).abs() < 1e-4);
}

#[test]
fn a_model_that_fits_and_needs_no_more_data_is_not_accused() {
    for kind in [
        FindingKind::Underfitting,
        FindingKind::UnrelatedLabels,
        FindingKind::TooLittleData,
        FindingKind::TooLargeModel,
    ] {
        assert_eq!(check(kind, healthy), None, "{kind:?}");
    }
}

#[test]
fn one_batch_must_be_fitted() {
    for (loss, expected) in [(0.21, Some(Severity::Fault)), (0.19, None)] {
        let losses = |kind| {
            if kind == TrialKind::OneBatch {
                [loss, 2.0]
            } else {
                healthy(kind)
            }
        };
        assert_eq!(check(FindingKind::Underfitting, losses), expected);
    }
}

#[test]
fn the_inputs_must_help_on_the_validation() {
    for (loss, expected) in [(1.95, Some(Severity::Fault)), (1.85, None)] {
        let losses = |kind| {
            if kind == TrialKind::Full {
                [0.3, loss]
            } else {
                healthy(kind)
            }
        };
        assert_eq!(check(FindingKind::UnrelatedLabels, losses), expected);
    }
}

#[test]
fn a_model_that_remembers_shuffled_labels_can_remember_everything() {
    for (loss, expected) in [(0.39, Some(Severity::Note)), (0.41, None)] {
        let losses = |kind| {
            if kind == TrialKind::ShuffledLabels {
                [loss, 2.0]
            } else {
                healthy(kind)
            }
        };
        assert_eq!(check(FindingKind::TooLargeModel, losses), expected);
    }
}

#[test]
fn more_data_helps_if_the_second_half_did() {
    let losses = |train: f64| {
        move |kind| match kind {
            TrialKind::Full => [train, 0.35],
            TrialKind::Half => [train, 0.45],
            other => healthy(other),
        }
    };
    assert_eq!(
        check(FindingKind::TooLittleData, losses(0.1)),
        Some(Severity::Warning)
    );
    assert_eq!(
        check(FindingKind::TooLittleData, losses(0.3)),
        Some(Severity::Note)
    );
}

#[test]
fn a_capacity_test_refuses_too_few_rows() {
    let error = CapacityTestConfig::new(7).init().unwrap_err();
    assert_eq!(error.to_string(), "`rows` must be at least 8, got 7");
    assert!(CapacityTestConfig::new(8).with_seeds(0).init().is_err());
}
