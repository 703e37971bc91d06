//! Numbers that are not finite or were not handed over: they accuse nobody of something else, and a diagnosis with them
//! can be read back.

use crate::{history, severity};
use burn_tricks_diagnose::{
    BatchPosition, Capacity, Closeness, DataHistory, Diagnosis, EpochMetrics, Finding, FindingKind,
    History, LinearFit, LossCheck, LossKind, LrCurve, LrRange, Neighbours, NoiseScale,
    NonFiniteOrigin, NormHistory, OutputFit, OutputHistory, ProbeHistory, ProbeStep, ReferenceFit,
    Severity, TargetStats, TrialKind, TrialResult,
};
use serde_json::{Value, json};

/// A training with a model, of which no step was handed over.
fn without_steps() -> History {
    let mut of = history(60, 1.95);
    (of.steps_taken, of.steps, of.losses) = (0, Vec::new(), Vec::new());
    of.params.iter_mut().for_each(|param| param.steps.clear());
    of
}

#[test]
fn a_training_of_which_only_losses_are_known_has_as_many_steps() {
    let mut of = without_steps();
    // Evenly from 2.3 to 1.84.
    of.losses = (0..400)
        .map(|at| 2.3 - 0.46 * f64::from(at) / 399.0)
        .collect();
    let diagnosis = Diagnosis::from_history(of.clone());
    let few = diagnosis.of_kind(FindingKind::TooFewSteps).next();
    let few = few.unwrap_or_else(|| panic!("{diagnosis}"));
    assert!(few.text.starts_with("After 400 steps"), "{}", few.text);
    assert!(
        few.prescriptions
            .contains(&burn_tricks_diagnose::Prescription::TrainLonger { factor: 10.0 })
    );
    // Losses of batches whose gradients are added are more than steps.
    of.steps_taken = 100;
    let diagnosis = Diagnosis::from_history(of.clone());
    let few = diagnosis.of_kind(FindingKind::TooFewSteps).next().unwrap();
    assert!(few.text.starts_with("After 100 steps"), "{}", few.text);
    of.losses = vec![2.3; 60];
    of.steps_taken = 0;
    assert_eq!(
        severity(&of, FindingKind::Underfitting),
        Some(Severity::Warning)
    );
    of.losses = (0..60).map(|at| 2.3 / f64::from(at + 1)).collect();
    let diagnosis = Diagnosis::from_history(of);
    assert!(
        diagnosis.findings[0].text.contains("in 60 losses"),
        "{diagnosis}"
    );
    let page = diagnosis.to_html("losses");
    assert!(!page.contains("optimizer steps</dt>") && !page.contains("optimizer steps</text>"));
    assert!(page.contains("losses</dt>") && page.contains("losses</text>"));
    assert!(page.contains("The losses, one after another.") && !page.contains("over the steps."));
}

#[test]
fn a_training_of_which_only_epochs_are_known_prescribes_finite_numbers() {
    let mut of = without_steps();
    of.loss_kind = Some(LossKind::MeanSquaredError);
    let mut data = DataHistory::default();
    (data.rows, data.distinct_rows) = (200, 200);
    let mut target = TargetStats::default();
    (target.columns, target.deviation, target.column_deviation) = (1, 1.0, 1.0);
    data.target = Some(target);
    of.train = Some(data);
    of.epochs = (0..8)
        .map(|at| EpochMetrics::new().with_train_loss(1.0 - 0.03 * f64::from(at)))
        .collect();
    let diagnosis = Diagnosis::from_history(of);
    let few = diagnosis.of_kind(FindingKind::TooFewSteps).next();
    let few = few.unwrap_or_else(|| panic!("{diagnosis}"));
    assert!(few.text.starts_with("After 8 epochs"), "{}", few.text);
    let factor = burn_tricks_diagnose::Prescription::TrainLonger { factor: 10.0 };
    assert!(few.prescriptions.contains(&factor), "{few:?}");
}

#[test]
fn nan_in_the_validation_does_not_hide_where_the_training_became_nan() {
    let mut bad = DataHistory::default();
    (bad.rows, bad.distinct_rows, bad.non_finite) = (100, 100, 0.01);
    let mut good = bad.clone();
    good.non_finite = 0.0;
    let found = |train: &DataHistory, valid: &DataHistory, has_origin: bool| {
        let mut of = history(60, 1.95);
        (of.train, of.valid) = (Some(train.clone()), Some(valid.clone()));
        of.params[1].steps[30].gradient_non_finite = 0.5;
        of.non_finite_origin = has_origin.then(origin);
        let kinds = [FindingKind::NonFiniteData, FindingKind::NonFinite];
        kinds.map(|kind| severity(&of, kind).is_some())
    };
    assert_eq!(found(&good, &bad, false), [true, true]);
    assert_eq!(found(&bad, &good, false), [true, false]);
    assert_eq!(
        found(&bad, &bad, true),
        [true, true],
        "a replay has found it"
    );
    assert_eq!(found(&good, &good, false), [false, true]);
}

fn origin() -> NonFiniteOrigin {
    let origin = json!({
        "step": 31, "place": "Activation", "path": "hidden", "index": [0, 1], "value": "NaN", "around": [1.0, "NaN"],
        "non_finite": 1, "elements": 2, "before": [0.5, 1.5], "fed_by": ["inputs", [0.5, 1.5]], "paths": ["hidden"]
    });
    serde_json::from_value(origin).unwrap()
}

/// A diagnosis in which every part of the history is there.
fn whole() -> Diagnosis {
    let mut of = history(60, 1.95);
    of.loss_kind = Some(LossKind::MeanSquaredError);
    of.loss_checks = vec![LossCheck::default()];
    of.loss_checks[0].crossed = Some(0.5);
    of.steps[0].update_cosine = Some(0.5);
    let mut data = DataHistory::default();
    data.target = Some(TargetStats::default());
    data.leaking_sum = Some(0.5);
    data.length_variation = Some(0.5);
    data.ambiguous = Some(0.5);
    data.wrapped_target = Some(0.5);
    data.in_place = Some(0.5);
    data.shift_with_classes = Some([0.5; 2]);
    (of.train, of.valid) = (Some(data.clone()), Some(data));
    let mut outputs = OutputHistory::default();
    outputs.column_sum_error = Some(0.5);
    (of.outputs, of.valid_outputs) = (Some(outputs.clone()), Some(outputs));
    let mut probe = ProbeHistory::default();
    let mut step = ProbeStep::default();
    let parts = [
        &mut step.gradient,
        &mut step.gradient_zeros,
        &mut step.gradient_non_finite,
    ];
    parts.into_iter().for_each(|part| *part = Some(0.5));
    probe.steps = vec![step];
    of.probes = vec![probe];
    let mut norm = NormHistory::default();
    (norm.mean_distance, norm.variance_ratio) = (Some(0.5), Some(0.5));
    of.norms = vec![norm];
    of.epochs = vec![
        EpochMetrics::new()
            .with_train_loss(0.5)
            .with_valid_loss(0.5)
            .with_train_accuracy(0.5)
            .with_valid_accuracy(0.5),
    ];
    of.neighbours = Some(Neighbours::default());
    of.linear_fit = Some(LinearFit::default());
    (of.trees, of.radial) = (Some(ReferenceFit::default()), Some(ReferenceFit::default()));
    let mut near = Closeness::default();
    (near.spread, near.rows_of_class) = (Some(0.5), Some(0.5));
    of.closeness = Some(near);
    (of.train_fit, of.valid_fit) = (Some(OutputFit::default()), Some(OutputFit::default()));
    (of.valid_columns, of.neighbour_columns) = (vec![0.5], vec![0.5]);
    of.told_classes = [(1, 0.5)].into();
    of.non_finite_origin = Some(origin());
    of.positions = vec![BatchPosition::default()];
    (of.average_moved, of.average_behind, of.nonlinearity) = (Some(0.5), Some(0.5), Some(0.5));
    of.noise_scale = Some(NoiseScale::from_norms(8.0, 5.0, 8, 4));
    let mut capacity = Capacity::default();
    let result = TrialResult {
        train_loss: 0.5,
        valid_loss: 0.5,
    };
    capacity.results = vec![(TrialKind::Full, vec![result])];
    of.capacity = Some(capacity);
    let mut range = LrRange::default();
    range.curves = vec![LrCurve::new(0, vec![0.5], vec![0.5])];
    of.lr_range = Some(range);
    let mut diagnosis = Diagnosis::from_history(of);
    let finding: Finding = serde_json::from_value(json!({
        "kind": "LrTooHigh", "severity": "Fault", "paths": [], "step": null, "position": null, "value": 0.5, "threshold": 0.5,
        "source": "", "text": "",
        "prescriptions": [
            {"ScaleLr": {"factor": 0.5}}, {"ClipGradNorm": {"max_norm": 0.5}}, {"Momentum": {"momentum": 0.5}},
            {"TrainLonger": {"factor": 0.5}}, {"Dropout": {"prob": 0.5}}, {"WeightDecay": {"decay": 0.5}},
            {"AverageWeights": {"decay": 0.5}}
        ]
    }))
    .unwrap();
    diagnosis.findings.push(finding);
    diagnosis
}

/// Puts `text` in the place of every number that is not a whole one; returns how many there were.
fn replace(value: &mut Value, text: &str) -> usize {
    match value {
        Value::Number(number) if number.is_f64() => {
            *value = Value::String(text.to_owned());
            1
        }
        Value::Array(values) => values.iter_mut().map(|value| replace(value, text)).sum(),
        Value::Object(values) => values.values_mut().map(|value| replace(value, text)).sum(),
        _ => 0,
    }
}

#[test]
fn every_number_of_a_diagnosis_may_be_infinite_and_is_read_back_from_json() {
    let diagnosis = whole();
    let Value::Object(all) = serde_json::to_value(&diagnosis.history).unwrap() else {
        panic!("a history is a JSON object");
    };
    let empty: Vec<&String> = all
        .iter()
        .filter(|(_, value)| value.is_null() || value.as_array().is_some_and(Vec::is_empty))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(empty, ["average_is_model", "first_non_finite"], "no floats");
    for text in ["NaN", "inf", "-inf"] {
        let mut value = serde_json::to_value(&diagnosis).unwrap();
        assert!(replace(&mut value, text) > 500);
        let json = serde_json::to_string_pretty(&value).unwrap();
        let read: Diagnosis = serde_json::from_str(&json).unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&read.to_json()).unwrap(),
            value
        );
        // Nor do such numbers stop a rule, a table or a page, or become a prescription.
        let again = Diagnosis::from_history(read.history);
        let back: Diagnosis = serde_json::from_str(&again.to_json()).unwrap();
        assert_eq!(back.to_json(), again.to_json());
        assert!(!again.to_string().is_empty() && again.to_html("all").contains("</html>"));
        let of_rules = serde_json::to_string(
            &again
                .findings
                .iter()
                .map(|of| &of.prescriptions)
                .collect::<Vec<_>>(),
        )
        .unwrap();
        assert!(
            !of_rules.contains("\"NaN\"") && !of_rules.contains("inf\""),
            "{of_rules}"
        );
    }
}
