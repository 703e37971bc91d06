//! Rules about what is trained and how it is validated.

use crate::{history, severity};
use burn_tricks_diagnose::{EpochMetrics, FindingKind, History, Severity};

#[test]
fn a_parameter_without_a_gradient_was_never_trained_and_one_with_gradient_zero_has_another_fault() {
    let mut of = history(60, 1.95);
    of.params[1].changed = false;
    assert_eq!(
        severity(&of, FindingKind::NeverTrained),
        Some(Severity::Fault),
        "not stepped"
    );
    of.params[1]
        .steps
        .iter_mut()
        .for_each(|at| at.gradient = 0.0);
    assert_eq!(severity(&of, FindingKind::NeverTrained), None);
    of.params[1].steps.clear();
    assert_eq!(
        severity(&of, FindingKind::NeverTrained),
        Some(Severity::Fault),
        "no gradient"
    );
}

#[test]
fn a_frozen_layer_is_a_warning_if_the_network_does_not_learn_or_the_layer_was_never_trained() {
    // Its deviation is He's, to the digit, or another one; 256 draws tell it within 18 %.
    for (last, factor, expected) in [
        (1.95, 1.2, Severity::Warning),
        (0.1, 1.2, Severity::Note),
        (0.1, 1.15, Severity::Warning),
    ] {
        let mut of = history(60, last);
        of.params[0].shape = vec![16, 16];
        of.params[0].fan_in = Some(16);
        of.params[0].initial.deviation = factor * (2.0f64 / 16.0).sqrt();
        of.params[0].requires_grad = false;
        of.params[0].changed = false;
        of.params[0].steps.clear();
        assert_eq!(severity(&of, FindingKind::Frozen), Some(expected));
        assert_eq!(severity(&of, FindingKind::NeverTrained), None);
    }
}

#[test]
fn a_layer_that_requires_no_gradient_and_moves_is_not_frozen() {
    // It follows another one as an average, or is let go in a later epoch.
    for (changed, is_frozen) in [(false, true), (true, false)] {
        let mut of = history(60, 0.1);
        of.losses.clear();
        of.params[0].requires_grad = false;
        of.params[0].changed = changed;
        of.params[0].steps.clear();
        assert_eq!(severity(&of, FindingKind::Frozen).is_some(), is_frozen);
    }
}

#[test]
fn tied_places_with_other_numbers_are_stale() {
    let mut of = history(60, 0.1);
    of.params[2].tied_to = Some("layers.1.weight".to_owned());
    assert_eq!(severity(&of, FindingKind::TiedStale), None);
    of.params[2].last.norm *= 1.01;
    assert_eq!(severity(&of, FindingKind::TiedStale), Some(Severity::Fault));
    // NaN at one place alone is another number, and NaN at both is the same.
    of.params[2].last.norm = f64::NAN;
    assert_eq!(severity(&of, FindingKind::TiedStale), Some(Severity::Fault));
    of.params[1].last.norm = f64::NAN;
    assert_eq!(severity(&of, FindingKind::TiedStale), None);
}

fn epochs(of: &mut History, valid: impl Fn(usize) -> f64, train: f64) {
    of.epochs = (0..20)
        .map(|epoch| {
            EpochMetrics::new()
                .with_train_accuracy(train)
                .with_valid_accuracy(valid(epoch))
        })
        .collect();
}

#[test]
fn a_swing_is_the_deviation_around_the_trend() {
    let mut of = history(60, 0.5);
    // Differences of ±0.2 have deviation 0.2; over the root of two, 0.141.
    epochs(&mut of, |epoch| 0.6 + 0.1 * [1.0, -1.0][epoch % 2], 0.7);
    assert_eq!(
        severity(&of, FindingKind::Oscillation),
        Some(Severity::Warning)
    );
    // ±0.06: 0.0424 is below the threshold.
    epochs(&mut of, |epoch| 0.6 + 0.03 * [1.0, -1.0][epoch % 2], 0.7);
    assert_eq!(severity(&of, FindingKind::Oscillation), None);
    // Of 40 rows the standard error is 0.076 at 0.63: one and a half of them are 0.114.
    let few = |rows: usize| {
        let mut of = history(60, 0.5);
        let mut data = burn_tricks_diagnose::DataHistory::default();
        data.distinct_rows = rows;
        of.valid = Some(data);
        epochs(&mut of, |epoch| 0.63 + 0.075 * [1.0, -1.0][epoch % 2], 0.7);
        severity(&of, FindingKind::Oscillation)
    };
    assert_eq!(few(40), None);
    assert_eq!(few(60), Some(Severity::Warning));
    // A steady rise is no swing.
    epochs(&mut of, |epoch| 0.04 * epoch as f64, 0.8);
    assert_eq!(severity(&of, FindingKind::Oscillation), None);
}

#[test]
fn a_gap_of_more_than_15_points_is_overfitting() {
    let mut of = history(60, 0.1);
    epochs(&mut of, |_| 0.84, 1.0);
    assert_eq!(
        severity(&of, FindingKind::Overfitting),
        Some(Severity::Warning)
    );
    epochs(&mut of, |_| 0.86, 1.0);
    assert_eq!(severity(&of, FindingKind::Overfitting), None);
}

#[test]
fn an_average_that_equals_the_initial_weights_never_started() {
    let mut of = history(60, 0.1);
    of.average_moved = Some(0.0);
    assert_eq!(
        severity(&of, FindingKind::AverageNeverStarted),
        Some(Severity::Fault)
    );
    of.average_moved = Some(1e-3);
    assert_eq!(severity(&of, FindingKind::AverageNeverStarted), None);
    of.average_is_model = Some(true);
    assert_eq!(
        severity(&of, FindingKind::AverageNeverStarted),
        Some(Severity::Fault),
        "it is the trained weights"
    );
    of.steps_taken = 1;
    assert_eq!(severity(&of, FindingKind::AverageNeverStarted), None);
}

#[test]
fn labels_that_are_learned_and_say_nothing_of_the_validation_are_unrelated_to_the_inputs() {
    let check = |train: f64, valid: f64| {
        let mut of = history(60, 1.9);
        let mut data = burn_tricks_diagnose::DataHistory::default();
        data.classes = (0..10).map(|class| (class, 10)).collect();
        of.train = Some(data);
        epochs(&mut of, |_| valid, train);
        severity(&of, FindingKind::UnrelatedLabels)
    };
    // Chance is 0.1.
    assert_eq!(check(0.2, 0.14), Some(Severity::Fault));
    assert_eq!(check(0.2, 0.16), None, "better than chance");
    assert_eq!(check(0.14, 0.05), None, "nothing learned");
    assert_eq!(check(0.16, 0.12), None, "no gap");
}

#[test]
fn an_accuracy_that_is_beyond_chance_is_told_from_it_however_frequent_a_class_is() {
    let check = |rows: [usize; 2]| {
        let mut of = history(60, 0.1);
        let mut data = burn_tricks_diagnose::DataHistory::default();
        data.classes = [(0, rows[0]), (1, rows[1])].into();
        data.distinct_rows = rows[0] + rows[1];
        (of.train, of.valid) = (Some(data.clone()), Some(data));
        epochs(&mut of, |_| 0.94, 0.995);
        severity(&of, FindingKind::UnrelatedLabels)
    };
    // Chance is 0.90. Three standard errors of 2,048 rows are 0.016, and of 205 rows 0.050.
    assert_eq!(check([1843, 205]), None);
    assert_eq!(check([184, 21]), Some(Severity::Fault));
}
