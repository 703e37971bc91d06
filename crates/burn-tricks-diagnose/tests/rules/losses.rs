//! Rules about what the loss is calculated from.

use crate::{history, severity, weight};
use burn_tricks_core::ParamRole;
use burn_tricks_diagnose::{
    DataHistory, Diagnosis, FindingKind, History, LossCheck, LossKind, OutputHistory, Prescription,
    Severity, TargetStats,
};

/// Sixty checked steps of batches of 32 rows with `columns` outputs, and the loss that was handed over in each.
fn checked(last: f64, columns: usize, given: impl Fn(&LossCheck) -> f64) -> History {
    let mut of = history(60, last);
    of.loss_kind = Some(LossKind::MeanSquaredError);
    of.loss_checks = (1..=60)
        .map(|step| {
            let mut check = LossCheck::default();
            (check.step, check.rows, check.columns) = (step, 32, columns);
            check.own = 2.0 / step as f64;
            check.gradient = 0.1;
            check.crossed = (columns == 1).then_some(check.own + 0.5);
            check.given = given(&check);
            check
        })
        .collect();
    of
}

#[test]
fn a_sum_over_the_rows_is_a_scaled_loss_and_half_a_square_is_none() {
    let kind = FindingKind::ScaledLoss;
    let fault = Some(Severity::Fault);
    assert_eq!(severity(&checked(1.95, 1, |of| 32.0 * of.own), kind), fault);
    assert_eq!(
        severity(&checked(1.95, 4, |of| 128.0 * of.own), kind),
        fault
    );
    assert_eq!(severity(&checked(1.95, 1, |of| of.own / 32.0), kind), fault);
    assert_eq!(severity(&checked(1.95, 1, |of| 3.1 * of.own), kind), fault);
    let note = Some(Severity::Note);
    assert_eq!(severity(&checked(0.1, 1, |of| 32.0 * of.own), kind), note);
    assert_eq!(severity(&checked(1.95, 1, |of| of.own), kind), None);
    assert_eq!(severity(&checked(1.95, 1, |of| 0.5 * of.own), kind), None);
    // The sum over the columns of a row is as usual as their mean.
    assert_eq!(severity(&checked(1.95, 64, |of| 64.0 * of.own), kind), None);
    // With a penalty the factor is another in each step.
    assert_eq!(severity(&checked(1.95, 1, |of| of.own + 5.0), kind), None);
    let of = Diagnosis::from_history(checked(1.95, 1, |of| 32.0 * of.own));
    let finding = of.of_kind(kind).next().unwrap();
    let lower = Prescription::ScaleLr { factor: 1.0 / 32.0 };
    assert!(finding.prescriptions.contains(&lower), "{of}");
}

#[test]
fn the_gradient_of_the_last_bias_tells_that_another_loss_is_differentiated() {
    let check = |gradient: fn(usize) -> f64, change: fn(&mut OutputHistory)| {
        let mut of = checked(1.95, 3, |of| of.own);
        let mut bias = weight("layers.3.bias", [1, 3], 60);
        (bias.role, bias.shape, bias.fan_in) = (ParamRole::Bias, vec![3], None);
        let steps = bias.steps.iter_mut();
        steps.for_each(|at| at.gradient = gradient(at.step));
        of.params.push(bias);
        let mut outputs = OutputHistory::default();
        (outputs.columns, outputs.rows, outputs.batches) = (3, 32, 60);
        (outputs.lowest, outputs.highest, outputs.spread) = (-2.0, 2.0, 1.0);
        change(&mut outputs);
        of.outputs = Some(outputs);
        let diagnosis = Diagnosis::from_history(of);
        let finding = diagnosis.of_kind(FindingKind::ScaledLoss).next();
        finding.map(|finding| (finding.severity, finding.paths.clone()))
    };
    let found = Some((Severity::Fault, vec!["layers.3.bias".to_owned()]));
    assert_eq!(check(|_| 1.6, |_| {}), found);
    assert_eq!(check(|_| 0.1, |_| {}), None);
    assert_eq!(check(|_| 0.3, |_| {}), None, "as many times as columns");
    assert_eq!(
        check(|step| 0.1 * step as f64, |_| {}),
        None,
        "a growing sum"
    );
    // The slope of an exponential has no bound.
    assert_eq!(check(|_| 1.6, |of| of.lowest = 0.1), None);
}

#[test]
fn a_loss_of_all_pairs_of_outputs_and_targets_is_named() {
    let kind = FindingKind::OutputMismatch;
    let crossed = checked(1.95, 1, |of| of.crossed.unwrap());
    assert_eq!(severity(&crossed, kind), Some(Severity::Fault));
    assert_eq!(severity(&checked(1.95, 1, |of| of.own), kind), None);
    // Outputs that are one number tell nothing: both losses are one.
    let mut constant = crossed.clone();
    let checks = constant.loss_checks.iter_mut();
    checks.for_each(|of| of.own = of.given);
    assert_eq!(severity(&constant, kind), None);
    // A tenth of the steps may have another loss, and not more.
    for (others, expected) in [(6, Some(Severity::Fault)), (7, None)] {
        let mut mixed = crossed.clone();
        let checks = mixed.loss_checks.iter_mut().take(others);
        checks.for_each(|of| of.given *= 2.0);
        assert_eq!(severity(&mixed, kind), expected);
    }
}

fn with_outputs(
    last: f64,
    kind: LossKind,
    change: impl FnOnce(&mut History, &mut OutputHistory),
) -> Option<Severity> {
    let mut of = history(60, last);
    of.loss_kind = Some(kind);
    let mut outputs = OutputHistory::default();
    (outputs.columns, outputs.rows, outputs.batches) = (3, 32, 60);
    (outputs.lowest, outputs.highest, outputs.spread) = (0.01, 0.9, 0.3);
    (outputs.sum_error, outputs.column_sum_error) = (0.5, Some(0.7));
    change(&mut of, &mut outputs);
    of.outputs = Some(outputs);
    severity(&of, FindingKind::OutputMismatch)
}

#[test]
fn probabilities_must_add_up_to_one_over_the_classes() {
    let (kind, fault) = (LossKind::CrossEntropyOfProbabilities, Some(Severity::Fault));
    assert_eq!(with_outputs(1.95, kind, |_, _| {}), fault, "sigmoids");
    let right = |of: &mut OutputHistory| of.sum_error = 1e-6;
    assert_eq!(with_outputs(1.95, kind, |_, of| right(of)), None);
    assert_eq!(with_outputs(0.1, kind, |_, _| {}), Some(Severity::Note));
    let over_rows = |of: &mut OutputHistory| of.column_sum_error = Some(1e-6);
    let (scores, warning) = (LossKind::CrossEntropyOfScores, Some(Severity::Warning));
    assert_eq!(with_outputs(1.95, scores, |_, of| over_rows(of)), fault);
    assert_eq!(with_outputs(0.1, scores, |_, of| over_rows(of)), warning);
    // Scores between 0 and 0.5 may be anything.
    let low = |of: &mut OutputHistory| of.highest = 0.4;
    assert_eq!(with_outputs(1.95, scores, |_, of| low(of)), None);
}

#[test]
fn outputs_that_are_never_negative_do_not_fit_targets_that_are() {
    let check = |negative: f64, low: f64, spread: f64| {
        with_outputs(1.95, LossKind::MeanSquaredError, |of, outputs| {
            let mut stats = TargetStats::default();
            (stats.columns, stats.min, stats.max) = (1, -2.0, 2.0);
            (stats.deviation, stats.negative) = (1.0, negative);
            let mut train = DataHistory::default();
            (train.rows, train.target) = (100, Some(stats));
            of.train = Some(train);
            (outputs.columns, outputs.lowest, outputs.highest) = (1, low, 2.5);
            outputs.spread = spread;
        })
    };
    assert_eq!(check(0.5, 0.01, 0.3), Some(Severity::Fault));
    assert_eq!(check(0.09, 0.01, 0.3), None, "hardly any is negative");
    assert_eq!(check(0.5, -0.01, 0.3), None, "an output is negative");
    assert_eq!(check(0.5, 0.01, 0.04), None, "outputs hardly vary");
}

/// With these training and validation data, as those of a training that ends at this loss.
fn with_data(last: f64, change: impl FnOnce(&mut DataHistory, &mut DataHistory)) -> History {
    let mut of = history(60, last);
    let mut data = DataHistory::default();
    (data.batches, data.smallest_batch, data.largest_batch) = (5, 20, 20);
    (data.rows, data.features, data.distinct_rows) = (100, 8, 100);
    (data.deviation, data.scale_ratio) = (1.0, 3.0);
    let (mut train, mut valid) = (data.clone(), data);
    change(&mut train, &mut valid);
    (of.train, of.valid) = (Some(train), Some(valid));
    of
}

#[test]
fn batches_of_similar_targets_are_sorted() {
    for (share, expected) in [(0.31, Some(Severity::Warning)), (0.3, None)] {
        let of = with_data(1.95, |train, _| train.between_batches = share);
        assert_eq!(severity(&of, FindingKind::SortedData), expected);
    }
}

#[test]
fn features_of_other_scales_are_named() {
    let (warning, note) = (Some(Severity::Warning), Some(Severity::Note));
    for (last, ratio, expected) in [
        (1.95, 201.0, warning),
        (0.1, 201.0, note),
        (1.95, 200.0, None),
    ] {
        let of = with_data(last, |train, _| train.scale_ratio = ratio);
        assert_eq!(severity(&of, FindingKind::UnscaledInputs), expected);
    }
    for (last, share, expected) in [(1.95, 0.2, warning), (0.1, 0.2, note), (1.95, 0.19, None)] {
        let of = with_data(last, |_, valid| valid.rescaled_features = share);
        assert_eq!(severity(&of, FindingKind::ScalingDiffers), expected);
    }
}

#[test]
fn a_network_that_knows_the_validation_better_than_its_training_has_wrong_labels() {
    let check = |train: f64, valid: f64, change: fn(&mut History)| {
        let mut of = with_data(0.5, |train, valid| {
            for data in [train, valid] {
                data.classes = [(0, 50), (1, 50)].into();
            }
        });
        of.epochs = (0..4)
            .map(|_| {
                burn_tricks_diagnose::EpochMetrics::new()
                    .with_train_accuracy(train)
                    .with_valid_accuracy(valid)
            })
            .collect();
        change(&mut of);
        severity(&of, FindingKind::UnrelatedLabels)
    };
    assert_eq!(check(0.70, 0.86, |_| {}), Some(Severity::Warning));
    assert_eq!(check(0.72, 0.86, |_| {}), None);
    // It is still learning, or something makes its training harder.
    let learning = |of: &mut History| of.epochs[2].train_accuracy = Some(0.6);
    assert_eq!(check(0.70, 0.86, learning), None);
    let noisy = |of: &mut History| of.valid.as_mut().unwrap().rescaled_features = 0.1;
    assert_eq!(check(0.70, 0.86, noisy), None);
}

/// A training of ten equal classes with these losses, each of which is handed over as so much of the mean cross-entropy of its
/// outputs and targets.
fn of_ten_classes(losses: Vec<f64>, scale: f64) -> History {
    let mut of = history(60, 1.95);
    of.loss_kind = Some(LossKind::CrossEntropyOfScores);
    let check = |(at, loss): (usize, &f64)| {
        let mut check = LossCheck::default();
        (check.step, check.rows, check.columns) = (at + 1, 20, 10);
        (check.given, check.own) = (*loss, loss / scale);
        check
    };
    of.loss_checks = losses.iter().enumerate().map(check).collect();
    of.losses = losses;
    let mut train = DataHistory::default();
    train.classes = (0..10).map(|class| (class, 10)).collect();
    of.train = Some(train);
    of
}

#[test]
fn a_loss_that_is_scaled_down_is_not_that_of_weights_that_were_trained_before() {
    // A quarter of the logarithm of 10, which is 2.303.
    let of = of_ten_classes(vec![0.576; 60], 0.25);
    let fault = Some(Severity::Fault);
    assert_eq!(severity(&of, FindingKind::ScaledLoss), fault);
    // The same part of a loss that is small from the beginning.
    let of = of_ten_classes(vec![0.1; 60], 0.25);
    let note = Some(Severity::Note);
    assert_eq!(severity(&of, FindingKind::ScaledLoss), note);
}

#[test]
fn a_classifier_that_comes_down_to_equal_probabilities_has_learned_nothing() {
    let check = |last: f64| {
        let mut losses = vec![last; 60];
        losses[..3].copy_from_slice(&[40.0, 20.0, 5.0]);
        let mut of = of_ten_classes(losses, 1.0);
        of.params[1].silent_units = Some(16);
        severity(&of, FindingKind::DeadUnits)
    };
    // The logarithm of 10 is 2.3026, and 0.98 of it 2.2565.
    assert_eq!(check(2.303), Some(Severity::Fault));
    assert_eq!(check(2.26), Some(Severity::Fault));
    assert_eq!(check(2.25), Some(Severity::Note));
}
