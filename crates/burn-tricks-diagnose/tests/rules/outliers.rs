//! Rules about few rows, small weights and first steps that stand out.

use crate::{history, severity, weight};
use burn_tricks_core::ParamRole;
use burn_tricks_diagnose::{
    DataHistory, Diagnosis, FindingKind, History, LossKind, OutputHistory, ParamHistory, Severity,
    TargetStats,
};

const WARNING: Option<Severity> = Some(Severity::Warning);
const NOTE: Option<Severity> = Some(Severity::Note);

fn with(last: f64, change: impl FnOnce(&mut DataHistory)) -> History {
    let mut of = history(60, last);
    let mut train = DataHistory::default();
    (train.batches, train.rows, train.distinct_rows) = (5, 100, 100);
    (train.smallest_batch, train.largest_batch) = (20, 20);
    (train.features, train.deviation, train.scale_ratio) = (8, 1.0, 1.0);
    change(&mut train);
    of.train = Some(train);
    of
}

#[test]
fn features_with_outliers_are_a_warning_unless_the_network_learns() {
    for (last, ratio, expected) in [
        (1.95, 10.5, WARNING),
        (0.1, 10.5, NOTE),
        (0.1, 99.0, NOTE),
        (0.1, 101.0, WARNING),
    ] {
        let of = with(last, |train| {
            (train.outlying_features, train.outlier_ratio) = (1, ratio);
        });
        assert_eq!(severity(&of, FindingKind::UnscaledInputs), expected);
    }
    let of = with(1.95, |train| train.outlier_ratio = 9.0);
    assert_eq!(severity(&of, FindingKind::UnscaledInputs), None);
}

#[test]
fn a_feature_that_is_the_target_is_told_of_enough_rows() {
    for (rows, expected) in [(40, Some(Severity::Fault)), (39, None)] {
        let of = with(0.1, |train| {
            train.leaking_features = vec![3];
            train.distinct_rows = rows;
        });
        assert_eq!(severity(&of, FindingKind::LeakingInput), expected);
    }
}

#[test]
fn a_feature_that_is_lost_is_a_warning_whatever_was_learned_from_the_others() {
    for (last, ratio, expected) in [
        (1.95, 201.0, WARNING),
        (0.1, 201.0, NOTE),
        (0.1, 1.1e4, WARNING),
        (1.95, 199.0, None),
    ] {
        // Not standardised, which is a note of its own, and not the more serious one.
        let of = with(last, |train| train.scale_ratio = ratio);
        assert_eq!(severity(&of, FindingKind::UnscaledInputs), expected);
    }
    let of = with(0.1, |train| {
        (train.deviation, train.scale_ratio) = (2.0, 1.1e4);
    });
    assert_eq!(severity(&of, FindingKind::UnscaledInputs), WARNING);
}

#[test]
fn a_few_large_targets_are_told_before_what_they_lead_to() {
    let check = |ratio: f64, last: f64| {
        let mut of = with(last, |train| {
            let mut target = TargetStats::default();
            (target.columns, target.mean, target.deviation) = (1, 20.0, 300.0);
            target.outlier_ratio = ratio;
            train.target = Some(target);
        });
        of.losses[7] = 1e6;
        Diagnosis::from_history(of)
    };
    let diagnosis = check(10.5, 1.95);
    assert_eq!(diagnosis.findings[0].kind, FindingKind::UnscaledTarget);
    assert!(diagnosis.findings[0].text.starts_with("A few targets"));
    assert!(diagnosis.accuses(FindingKind::LrTooHigh), "{diagnosis}");
    let diagnosis = check(9.5, 1.95);
    assert!(diagnosis.findings[0].text.starts_with("The targets have"));
}

#[test]
fn a_loss_that_may_bear_a_few_large_targets_gets_a_note_and_no_advice_to_take_one() {
    let check = |kind: Option<LossKind>| {
        let mut of = with(1.6, |train| {
            let mut target = TargetStats::default();
            (target.columns, target.mean, target.deviation) = (1, 20.0, 300.0);
            target.outlier_ratio = 10.5;
            train.target = Some(target);
        });
        of.loss_kind = kind;
        let diagnosis = Diagnosis::from_history(of);
        let mut found = diagnosis.of_kind(FindingKind::UnscaledTarget);
        let finding = found.next().unwrap();
        let advice = finding.prescriptions[0].to_string();
        (finding.severity, advice.contains("Huber"))
    };
    assert_eq!(check(None), (Severity::Fault, true));
    let other = Some(LossKind::OtherRegression);
    assert_eq!(check(other), (Severity::Note, false));
}

fn frozen(mut param: ParamHistory) -> ParamHistory {
    param.requires_grad = false;
    param.changed = false;
    param.steps.clear();
    param
}

#[test]
fn small_frozen_weights_tell_together_that_they_were_never_trained() {
    let check = |factor: f64, gates: usize| {
        let mut of = history(60, 0.1);
        let small = |at: usize| frozen(weight(&format!("lstm.{at}.weight"), [4, 4], 60));
        let mut weights: Vec<ParamHistory> = (0..gates).map(small).collect();
        weights
            .iter_mut()
            .for_each(|param| param.initial.deviation *= factor);
        of.params.splice(0..0, weights);
        severity(&of, FindingKind::Frozen)
    };
    // He's deviation to the digit; 128 draws tell it within 25 %.
    assert_eq!(check(1.2, 8), WARNING);
    assert_eq!(check(1.3, 8), NOTE);
    assert_eq!(check(1.2, 3), NOTE, "48 draws tell nothing");
}

#[test]
fn equal_biases_of_a_frozen_layer_show_that_it_was_never_trained() {
    let check = |max: f64, elements: usize| {
        let mut of = history(60, 0.1);
        let mut layer = frozen(weight("layers.0.weight", [8, 16], 60));
        layer.initial.deviation *= 1.5;
        let mut bias = frozen(weight("layers.0.bias", [8, 1], 60));
        (bias.role, bias.shape) = (ParamRole::Bias, vec![elements]);
        (bias.fan_in, bias.fan_out) = (None, None);
        (bias.initial.min, bias.initial.max) = (0.0, max);
        of.params[0] = layer;
        of.params.insert(1, bias);
        severity(&of, FindingKind::Frozen)
    };
    assert_eq!(check(0.0, 16), WARNING);
    assert_eq!(check(0.1, 16), NOTE);
    assert_eq!(check(0.0, 3), NOTE);
}

#[test]
fn gradients_that_are_large_before_the_first_update_come_before_its_length() {
    let check = |first: f64| {
        let mut of = history(60, 1.95);
        for at in of.params.iter_mut().flat_map(|param| &mut param.steps) {
            at.gradient = if at.step == 1 { first } else { 1e3 };
            at.update = Some(0.2 * at.weight);
        }
        let diagnosis = Diagnosis::from_history(of);
        let kinds = diagnosis.findings.iter().map(|finding| finding.kind);
        kinds.collect::<Vec<_>>()
    };
    let [exploding, high] = [FindingKind::ExplodingGradient, FindingKind::LrTooHigh];
    // Four layers: the norm of all is twice as large.
    assert_eq!(check(51.0)[..2], [exploding, high]);
    assert_eq!(check(49.0)[..2], [high, exploding]);
}

#[test]
fn the_outputs_of_a_training_that_diverges_show_no_activation() {
    let check = |first_non_finite: Option<usize>| {
        let mut of = with(1.95, |train| {
            let mut target = TargetStats::default();
            (target.columns, target.min, target.max) = (1, -3.0, 3.0);
            target.deviation = 1.0;
            train.target = Some(target);
        });
        let mut outputs = OutputHistory::default();
        (outputs.rows, outputs.columns, outputs.batches) = (20, 1, 5);
        (outputs.lowest, outputs.highest) = (0.0, 2.0);
        outputs.first_non_finite = first_non_finite;
        of.outputs = Some(outputs);
        severity(&of, FindingKind::OutputMismatch)
    };
    assert_eq!(check(None), Some(Severity::Fault));
    assert_eq!(check(Some(2)), None);
}

#[test]
fn batches_of_a_class_that_is_nearly_all_are_not_sorted() {
    let check = |classes: [usize; 2], share: f64| {
        let of = with(0.1, |train| {
            train.classes = [(0, classes[0]), (1, classes[1])].into();
            train.single_class_batches = share;
        });
        severity(&of, FindingKind::SortedData)
    };
    assert_eq!(check([50, 50], 0.51), WARNING);
    assert_eq!(check([50, 50], 0.49), None);
    // Of batches of twenty rows 0.99^20 = 0.82 hold the first class only, whatever their order.
    assert_eq!(check([99, 1], 0.9), None);
    assert_eq!(check([99, 1], 0.92), WARNING);
}
