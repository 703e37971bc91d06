//! What is said of sound trainings: a way of training that costs nothing is a note, and what the inputs do not tell is no fault.

use super::references::{classification, reference};
use super::shortfall::regression;
use super::{severity, weight};
use burn_tricks_diagnose::{
    EpochMetrics, FindingKind, History, LossKind, NormHistory, OutputFit, OutputHistory, Severity,
};

const NOTE: Option<Severity> = Some(Severity::Note);
const WARNING: Option<Severity> = Some(Severity::Warning);
const FAULT: Option<Severity> = Some(Severity::Fault);

/// Two classes, of which the second has `rare` of a hundred rows in training and validation, the validation loss, and what a forest
/// reaches.
fn rare(rare: usize, accuracy: f64, loss: f64, forest: f64) -> History {
    let mut of = classification(accuracy, accuracy);
    let mut data = of.train.take().unwrap();
    (data.rows, data.distinct_rows) = (1000, 1000);
    data.classes = [(0, 1000 - 10 * rare), (1, 10 * rare)].into();
    (of.train, of.valid) = (Some(data.clone()), Some(data));
    of.loss_kind = Some(LossKind::CrossEntropyOfScores);
    let epoch = EpochMetrics::new()
        .with_train_accuracy(accuracy)
        .with_valid_accuracy(accuracy)
        .with_valid_loss(loss);
    of.epochs = vec![epoch; 6];
    of.trees = reference(forest, true);
    of
}

#[test]
fn norms_swings_and_columns_of_one_value_are_notes_where_no_model_is_better() {
    let check = |floor: f64| {
        let mut of = regression(0.2, 0.2, floor);
        let mut norm = NormHistory::default();
        (norm.step, norm.units, norm.values, norm.flat_units) = (60, 10, 32, 6);
        of.norms = vec![norm];
        let train = of.train.as_mut().unwrap();
        (train.constant_features, train.constant_nonzero_features) = (1, 1);
        [FindingKind::NormStatistics, FindingKind::ConstantInputs].map(|kind| severity(&of, kind))
    };
    assert_eq!(check(0.85), [NOTE; 2]);
    assert_eq!(check(0.88), [WARNING; 2], "0.08 behind");
    let swings = |floor: f64| {
        let mut of = classification(0.8, 0.8);
        of.trees = reference(floor, true);
        of.epochs = (0..20)
            .map(|at| {
                let swing = 0.8 + 0.1 * [1.0, -1.0][at % 2];
                EpochMetrics::new()
                    .with_train_accuracy(0.8)
                    .with_valid_accuracy(swing)
            })
            .collect();
        severity(&of, FindingKind::Oscillation)
    };
    assert_eq!(swings(0.72), NOTE);
    assert_eq!(swings(0.80), WARNING, "0.1 behind at the end");
}

#[test]
fn a_rare_class_is_missed_if_the_inputs_tell_it() {
    let check = |told: f64, found: usize, others: usize| {
        let mut of = rare(6, 0.94, 0.15, 0.94);
        let mut outputs = OutputHistory::default();
        outputs.recall = [(0, [940, others]), (1, [60, found])].into();
        of.valid_outputs = Some(outputs);
        of.told_classes = [(0, 0.9), (1, told)].into();
        severity(&of, FindingKind::RareClass)
    };
    assert_eq!(check(0.5, 15, 930), WARNING);
    assert_eq!(check(0.3, 15, 930), NOTE, "0.05 above the recall");
    assert_eq!(check(0.0, 0, 940), WARNING, "only ever the other class");
}

#[test]
fn probabilities_are_learned_where_an_accuracy_cannot_be() {
    // 0.3251 is the loss of a prediction of one in ten, and its standard error over 1,000 rows 0.021.
    let check = |loss: f64| severity(&rare(10, 0.9, loss, 0.9), FindingKind::Underfitting);
    assert_eq!(check(0.25), None);
    assert_eq!(check(0.27), WARNING);
}

#[test]
fn labels_of_which_recalls_tell_something_are_related() {
    let check = |found: [usize; 2]| {
        let mut of = rare(10, 0.99, 0.4, 0.9);
        let epoch = EpochMetrics::new()
            .with_train_accuracy(0.99)
            .with_valid_accuracy(0.92);
        of.epochs = vec![epoch; 6];
        let mut outputs = OutputHistory::default();
        outputs.recall = [(0, [900, found[0]]), (1, [100, found[1]])].into();
        of.valid_outputs = Some(outputs);
        severity(&of, FindingKind::UnrelatedLabels)
    };
    assert_eq!(check([880, 2]), FAULT, "recalls of 0.98 and 0.02");
    assert_eq!(check([880, 40]), None);
}

#[test]
fn a_class_of_a_few_rows_may_be_missing_in_the_training_by_chance() {
    let check = |rows: usize| {
        let mut of = classification(0.8, 0.8);
        of.valid.as_mut().unwrap().classes.insert(3, rows);
        severity(&of, FindingKind::ValidationClasses)
    };
    // Of 300 training rows, each with a chance of 4 in 304: 0.019 to be missing; of 5 in 305: 0.007.
    assert_eq!(check(4), None);
    assert_eq!(check(5), FAULT);
}

#[test]
fn counts_pile_up_at_0_and_their_largest_is_another_one_in_other_rows() {
    let check = |ends: [f64; 2]| {
        let mut of = regression(0.5, 0.5, 0.5);
        for (data, max) in [(&mut of.train, 20.0), (&mut of.valid, 23.0)] {
            let target = data.as_mut().unwrap().target.as_mut().unwrap();
            (target.min, target.max) = (0.0, max);
        }
        of.train.as_mut().unwrap().piled_targets = ends;
        severity(&of, FindingKind::UnrelatedLabels)
    };
    assert_eq!(check([0.12, 0.0]), None);
    assert_eq!(check([0.0, 0.12]), WARNING);
}

#[test]
fn a_quantile_is_scored_by_its_correlation() {
    let check = |correlated: f64| {
        let mut of = regression(0.5, 0.5, 0.7);
        of.loss_kind = Some(LossKind::OtherRegression);
        let mut fit = OutputFit::default();
        (fit.rows, fit.columns, fit.explained) = (300, 1, -0.3);
        fit.correlated = correlated;
        (of.train_fit, of.valid_fit) = (Some(fit), Some(fit));
        severity(&of, FindingKind::Underfitting)
    };
    assert_eq!(check(0.6), None);
    assert_eq!(check(0.5), WARNING);
}

#[test]
fn a_frozen_body_that_serves_well_is_a_note() {
    let check = |floor: f64| {
        let mut of = regression(0.2, 0.2, floor);
        let mut body = weight("layers.0.weight", [8, 16], 0);
        (body.requires_grad, body.changed) = (false, false);
        of.params[0] = body;
        severity(&of, FindingKind::Frozen)
    };
    assert_eq!(check(0.85), NOTE);
    assert_eq!(
        check(0.88),
        WARNING,
        "0.08 behind, and the weights are as drawn"
    );
}

#[test]
fn many_rows_that_are_known_better_harm_if_the_loss_rises_or_others_are_better() {
    let check = |floor: f64, last: f64, rows: usize| {
        let mut of = classification(0.98, 0.8);
        of.trees = reference(floor, true);
        let losses = (0..30).map(|at| {
            if at < 15 {
                1.0 - 0.03 * at as f64
            } else {
                last
            }
        });
        of.epochs = losses
            .map(|loss| {
                EpochMetrics::new()
                    .with_train_accuracy(0.98)
                    .with_valid_accuracy(0.8)
                    .with_train_loss(0.1)
                    .with_valid_loss(loss)
            })
            .collect();
        of.train.as_mut().unwrap().distinct_rows = rows;
        severity(&of, FindingKind::Overfitting)
    };
    assert_eq!(check(0.8, 0.6, 300), NOTE);
    assert_eq!(check(0.8, 0.8, 300), WARNING, "a third above the lowest");
    assert_eq!(check(0.85, 0.6, 300), WARNING, "0.05 behind");
    assert_eq!(check(0.8, 0.6, 90), WARNING, "few rows");
}

#[test]
fn a_jump_from_which_a_training_has_come_back_is_a_note() {
    let check = |floor: f64| {
        let mut of = regression(0.3, 0.3, floor);
        of.losses[0] = 1.0;
        of.losses[5] = 20.0;
        severity(&of, FindingKind::LrTooHigh)
    };
    assert_eq!(check(0.7), NOTE);
    assert_eq!(check(0.8), FAULT);
}
