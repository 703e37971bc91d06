//! What is said of sound trainings: a way of training that costs nothing is a note, and what the inputs do not tell is no fault.

use super::references::{classification, reference};
use super::shortfall::regression;
use super::{severity, weight};
use burn_tricks_core::ParamRole;
use burn_tricks_diagnose::{
    Capacity, Closeness, EpochMetrics, FindingKind, History, LossCheck, LossKind, NormHistory,
    OutputFit, OutputHistory, Severity, TrialKind, TrialResult,
};

const NOTE: Option<Severity> = Some(Severity::Note);
const WARNING: Option<Severity> = Some(Severity::Warning);
const FAULT: Option<Severity> = Some(Severity::Fault);

/// Two classes, of which the second has `rare` of a hundred rows in training and validation, the validation loss, and
/// what a forest reaches.
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
    // Each of so many rows of 300 of the validation is one of these and not one of the 300 of the training half of the
    // time: of six rows all are by a chance of 0.0175, and of seven by one of 0.0088.
    assert_eq!(check(6), None);
    assert_eq!(check(7), FAULT);
}

#[test]
fn of_classes_that_come_after_the_kept_labels_nothing_is_said() {
    let kind = FindingKind::ValidationClasses;
    let one = |others: bool| {
        let mut of = classification(0.8, 0.8);
        let valid = of.valid.as_mut().unwrap();
        (valid.classes, valid.has_other_targets) = ([(0, 2048)].into(), others);
        severity(&of, kind)
    };
    assert_eq!(one(false), FAULT);
    assert_eq!(one(true), None);
    let unseen = |others: bool| {
        let mut of = classification(0.8, 0.8);
        of.train.as_mut().unwrap().has_other_targets = others;
        of.valid.as_mut().unwrap().classes.insert(3, 100);
        severity(&of, kind)
    };
    assert_eq!(unseen(false), FAULT);
    assert_eq!(unseen(true), None);
}

#[test]
fn a_class_that_the_training_lacks_by_chance_is_no_rare_one() {
    let check = |rows: usize| {
        let mut of = classification(0.5, 0.5);
        let train = of.train.as_mut().unwrap();
        if rows > 0 {
            train.classes.insert(3, rows);
        }
        of.valid.as_mut().unwrap().classes.insert(3, 12);
        let mut outputs = OutputHistory::default();
        outputs.recall = [(0, [96, 60]), (1, [96, 60]), (2, [96, 60]), (3, [12, 0])].into();
        of.valid_outputs = Some(outputs);
        severity(&of, FindingKind::RareClass)
    };
    assert_eq!(check(0), None, "nobody can know it");
    assert_eq!(check(1), WARNING);
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

#[test]
fn a_loss_of_few_rows_rises_by_chance() {
    let check = |rows: usize| {
        let mut of = classification(0.98, 0.8);
        of.trees = reference(0.8, true);
        let losses = (0..30).map(|at| if at < 15 { 1.0 - 0.03 * at as f64 } else { 0.8 });
        of.epochs = losses
            .map(|loss| {
                EpochMetrics::new()
                    .with_train_accuracy(0.98)
                    .with_valid_accuracy(0.8)
                    .with_train_loss(0.1)
                    .with_valid_loss(loss)
            })
            .collect();
        of.valid.as_mut().unwrap().distinct_rows = rows;
        severity(&of, FindingKind::Overfitting)
    };
    // To 1.29 times the lowest usual one; three standard errors are 0.316 of 90 rows and 0.3 of 100.
    assert_eq!(check(90), NOTE);
    assert_eq!(check(100), WARNING);
}

#[test]
fn the_best_of_four_models_is_better_by_chance() {
    let check = |floor: f64| {
        let mut of = classification(0.98, 0.8);
        of.trees = reference(floor, true);
        of.epochs = vec![
            of.epochs[0]
                .clone()
                .with_train_loss(0.1)
                .with_valid_loss(0.5);
            6
        ];
        severity(&of, FindingKind::Overfitting)
    };
    // Of 300 rows, two standard errors of 0.84 are 0.042.
    assert_eq!(check(0.84), NOTE);
    assert_eq!(check(0.845), WARNING);
}

#[test]
fn what_is_told_of_a_few_rows_of_a_class_is_by_chance() {
    let check = |told: f64| {
        let mut of = rare(6, 0.94, 0.15, 0.94);
        let mut outputs = OutputHistory::default();
        outputs.recall = [(0, [940, 930]), (1, [60, 15])].into();
        of.valid_outputs = Some(outputs);
        of.told_classes = [(0, 0.9), (1, told)].into();
        severity(&of, FindingKind::RareClass)
    };
    // Three standard errors of 60 rows are 0.194.
    assert_eq!(check(0.44), NOTE);
    assert_eq!(check(0.45), WARNING);
    // Of 39 different rows of the validation no model says anything.
    let few = |rows: usize| {
        let mut of = rare(30, 0.7, 0.4, 0.7);
        let mut outputs = OutputHistory::default();
        outputs.recall = [(0, [700, 650]), (1, [300, 50])].into();
        of.valid_outputs = Some(outputs);
        of.valid.as_mut().unwrap().distinct_rows = rows;
        severity(&of, FindingKind::RareClass)
    };
    assert_eq!(few(39), None);
}

#[test]
fn what_makes_a_training_harder_is_no_label() {
    let check = |change: fn(&mut History)| {
        let mut of = classification(0.7, 0.9);
        change(&mut of);
        severity(&of, FindingKind::UnrelatedLabels)
    };
    assert_eq!(check(|_| {}), WARNING);
    let norm = |of: &mut History| {
        let mode = r#"{"path":"norm","layer":"BatchNorm","first":true,"switched_off":null}"#;
        of.structure.modes = vec![serde_json::from_str(mode).unwrap()];
    };
    assert_eq!(check(norm), None);
    assert_eq!(check(|of| of.average_moved = Some(0.5)), None);
}

#[test]
fn a_regression_whose_validation_goes_on_as_a_trend_does_is_no_other_scale() {
    let check = |valid: f64| {
        let mut of = regression(0.05, valid, 0.5);
        of.valid.as_mut().unwrap().shifted_features = 0.3;
        severity(&of, FindingKind::ScalingDiffers)
    };
    assert_eq!(check(0.24), NOTE, "0.95 and 0.76 of the variance");
    assert_eq!(check(0.26), FAULT);
}

#[test]
fn a_few_large_numbers_are_no_other_scale() {
    let check = |middle: f64| {
        let mut of = classification(0.8, 0.8);
        let (train, valid) = (of.train.as_mut().unwrap(), of.valid.as_mut().unwrap());
        (train.deviation, train.middle_deviation) = (1.0, 0.2);
        (valid.deviation, valid.middle_deviation) = (3.2, middle);
        severity(&of, FindingKind::ScalingDiffers)
    };
    assert_eq!(check(0.58), None);
    assert_eq!(check(0.62), FAULT);
}

#[test]
fn rows_of_a_text_repeat_by_themselves() {
    let check = |beside: usize, measured: usize| {
        let mut of = classification(0.9, 0.9);
        let valid = of.valid.as_mut().unwrap();
        (valid.rows_in_training, valid.rows_beside_training) = (60, beside);
        let train = of.train.as_mut().unwrap();
        (train.first_epoch_rows, train.first_epoch_distinct) = (600, 300);
        (
            train.possible_rows,
            train.likely_rows,
            train.measured_features,
        ) = (1e12, 1e12, measured);
        severity(&of, FindingKind::LeakedValidation)
    };
    assert_eq!(check(60, 0), None);
    assert_eq!(check(59, 0), FAULT, "copies");
    assert_eq!(check(60, 1), FAULT, "measurements do not repeat");
}

#[test]
fn smoothed_labels_leave_a_loss() {
    let check = |added: f64| {
        let mut of = classification(0.9, 0.9);
        let mut capacity = Capacity::default();
        let result = |train_loss: f64| TrialResult {
            train_loss,
            valid_loss: 1.0,
        };
        capacity.results = vec![
            (TrialKind::OneBatch, vec![result(0.5)]),
            (TrialKind::BlankInputs, vec![result(2.3)]),
        ];
        of.capacity = Some(capacity);
        let mut check = LossCheck::default();
        (check.own, check.given) = (0.1, 0.1 + added);
        of.loss_checks = vec![check; 10];
        severity(&of, FindingKind::Underfitting)
    };
    // (0.5 - 0.4)/(2.3 - 0.4) is 0.05, and (0.5 - 0.2)/(2.3 - 0.2) is 0.14.
    assert_eq!(check(0.4), None);
    assert_eq!(check(0.2), FAULT);
}

#[test]
fn a_network_that_is_too_sure_uses_its_inputs() {
    let check = |accuracy: f64| {
        let mut of = classification(accuracy, accuracy);
        let mut capacity = Capacity::default();
        let result = |valid_loss: f64| TrialResult {
            train_loss: 0.1,
            valid_loss,
        };
        capacity.results = vec![
            (TrialKind::Full, vec![result(1.5)]),
            (TrialKind::BlankInputs, vec![result(1.4)]),
        ];
        of.capacity = Some(capacity);
        severity(&of, FindingKind::UnrelatedLabels)
    };
    // A third is chance, and three standard errors of 300 rows are 0.085.
    assert_eq!(check(0.43), NOTE);
    assert_eq!(check(0.41), FAULT);
}

#[test]
fn another_term_of_a_loss_may_grow() {
    let check = |own: f64| {
        let mut of = regression(0.3, 0.3, 0.5);
        of.losses = (0..300).map(|at| 0.2 + 0.01 * at as f64).collect();
        of.loss_checks = (0..40)
            .map(|at| {
                let mut check = LossCheck::default();
                check.step = 1 + at;
                check.own = 0.9 + (own - 0.9) * at as f64 / 39.0;
                check.given = 1.0 + 0.1 * at as f64;
                check
            })
            .collect();
        of.epochs.clear();
        severity(&of, FindingKind::LrTooHigh)
    };
    assert_eq!(check(0.3), None);
    assert_eq!(check(0.9), FAULT);
}

#[test]
fn a_network_that_begins_below_a_constant_prediction_was_trained_a_little() {
    // Three equal classes: 1.0986.
    let check = |first: f64, given: f64| {
        let mut of = classification(0.5, 0.5);
        of.loss_kind = Some(LossKind::CrossEntropyOfScores);
        of.losses = vec![first - 0.05; 300];
        of.losses[..6].fill(first);
        of.epochs.clear();
        let mut check = LossCheck::default();
        (check.own, check.given) = (0.8, given);
        of.loss_checks = vec![check; 10];
        severity(&of, FindingKind::Underfitting)
    };
    // It ends at 0.94 of 1.0986, and at 0.80 of it, which is 0.95 of its own beginning.
    assert_eq!(check(1.08, 0.8), WARNING);
    assert_eq!(check(0.93, 0.8), None);
}

#[test]
fn the_last_bias_may_begin_with_logarithms_of_shares() {
    let check = |columns: usize| {
        let mut of = super::history(60, 0.1);
        let mut bias = weight("layers.3.bias", [16, 1], 60);
        (bias.role, bias.shape) = (ParamRole::Bias, vec![16]);
        (bias.fan_in, bias.fan_out) = (None, None);
        bias.initial.deviation = 8.0;
        of.params.push(bias);
        let mut outputs = OutputHistory::default();
        (outputs.rows, outputs.columns, outputs.batches) = (20, columns, 5);
        (outputs.lowest, outputs.highest, outputs.spread) = (-3.0, 3.0, 1.0);
        of.outputs = Some(outputs);
        severity(&of, FindingKind::RandomBias)
    };
    assert_eq!(check(16), None);
    assert_eq!(check(3), WARNING, "that of no output layer");
}

#[test]
fn a_series_in_its_order_without_a_validation_is_a_note_where_it_was_learned() {
    let check = |last: f64, has_classes: bool| {
        let mut of = regression(last, 0.1, 0.5);
        of.epochs.clear();
        (of.linear_fit, of.valid) = (None, None);
        let train = of.train.as_mut().unwrap();
        train.between_batches = 0.5;
        if has_classes {
            train.classes = [(0, 300), (1, 300)].into();
        }
        severity(&of, FindingKind::SortedData)
    };
    assert_eq!(check(0.1, false), NOTE);
    assert_eq!(check(0.1, true), WARNING);
    assert_eq!(check(0.9, false), WARNING);
}

#[test]
fn outputs_of_the_validation_beyond_a_range_show_that_nothing_bounds_them() {
    let check = |highest: f64, floor: f64| {
        let mut of = regression(0.5, 0.5, floor);
        for data in [&mut of.train, &mut of.valid] {
            let target = data.as_mut().unwrap().target.as_mut().unwrap();
            (target.min, target.max) = (0.0, 3.0);
        }
        let mut outputs = OutputHistory::default();
        (outputs.rows, outputs.columns, outputs.batches) = (20, 1, 5);
        (outputs.lowest, outputs.highest, outputs.spread) = (0.1, 0.98, 1.0);
        let mut valid = outputs.clone();
        valid.highest = highest;
        (of.outputs, of.valid_outputs) = (Some(outputs), Some(valid));
        severity(&of, FindingKind::OutputMismatch)
    };
    assert_eq!(check(0.98, 0.7), FAULT);
    assert_eq!(check(1.02, 0.7), None);
    // Of counts that are seldom more than 0 no model says more.
    assert_eq!(check(0.98, 0.5), NOTE);
}

#[test]
fn rates_that_are_too_large_by_a_factor_follow_the_targets() {
    let check = |correlated: f64| {
        let mut of = regression(0.5, 0.5, 0.7);
        of.loss_kind = Some(LossKind::OtherRegression);
        let mut outputs = OutputHistory::default();
        (outputs.rows, outputs.columns, outputs.batches) = (20, 1, 5);
        (outputs.lowest, outputs.highest, outputs.spread) = (-2.0, 3.0, 1.0);
        of.outputs = Some(outputs);
        let mut fit = OutputFit::default();
        (fit.rows, fit.columns, fit.explained) = (300, 1, -0.3);
        (fit.exponential, fit.exponential_correlated) = (-0.2, correlated);
        (of.train_fit, of.valid_fit) = (Some(fit), Some(fit));
        severity(&of, FindingKind::Underfitting)
    };
    assert_eq!(check(0.6), None);
    assert_eq!(check(0.5), WARNING);
}

#[test]
fn training_rows_that_were_changed_at_random_know_their_own_copies() {
    let check = |copies: f64| {
        let mut of = classification(0.9, 0.7);
        let mut near = Closeness::default();
        (near.rows, near.queries, near.is_accuracy) = (1000, 300, true);
        (near.train_score, near.valid_score, near.dimension) = (1.0, 0.65, 4.0);
        (near.near_copies, near.train_copies) = (0.05, copies);
        near.spread = Some(1.0);
        of.closeness = Some(near);
        severity(&of, FindingKind::ScalingDiffers)
    };
    // Three standard errors of the difference of the shares are about 0.05.
    assert_eq!(check(0.09), WARNING);
    assert_eq!(check(0.11), None);
}

#[test]
fn a_loss_that_weighs_a_rare_class_more_differs_from_batch_to_batch() {
    let check = |rare: usize| {
        let mut of = classification(0.8, 0.8);
        let train = of.train.as_mut().unwrap();
        train.classes = [(0, 100), (1, 100), (2, rare)].into();
        of.trees = reference(0.9, true);
        of.loss_checks = (1..=12)
            .map(|step| {
                let mut check = LossCheck::default();
                (check.step, check.rows, check.columns) = (step, 32, 3);
                let factor = [1.6, 1.0, 1.0 / 1.6][step % 3];
                (check.given, check.own) = (0.5 * factor, 0.5);
                check
            })
            .collect();
        severity(&of, FindingKind::NoisyBatch)
    };
    // Half of an equal part of 240 rows is 40.
    assert_eq!(check(41), WARNING);
    assert_eq!(check(38), NOTE);
}

#[test]
fn little_that_is_beyond_chance_is_more_than_nothing() {
    let check = |accuracy: f64| {
        let mut of = classification(accuracy, accuracy);
        of.trees = reference(accuracy + 0.04, true);
        severity(&of, FindingKind::Underfitting)
    };
    // A third is chance; three standard errors of 300 rows are 0.0855, and one is 0.029.
    assert_eq!(check(0.42), None);
    assert_eq!(check(0.41), WARNING);
}
