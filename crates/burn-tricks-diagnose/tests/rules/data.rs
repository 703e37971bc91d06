//! Rules about data, labels and targets.

use crate::{history, severity};
use burn_tricks_diagnose::{
    DataHistory, Diagnosis, EpochMetrics, FindingKind, History, LossKind, OutputHistory, Severity,
    TargetStats,
};

/// 100 different rows of 8 features with mean 0 and deviation 1, in batches of 20.
fn data() -> DataHistory {
    let mut data = DataHistory::default();
    (data.batches, data.smallest_batch, data.largest_batch) = (5, 20, 20);
    (data.rows, data.features, data.distinct_rows) = (100, 8, 100);
    (data.min, data.max, data.mean, data.deviation) = (-3.0, 3.0, 0.0, 1.0);
    data
}

fn with(last: f64, change: impl FnOnce(&mut DataHistory)) -> History {
    let mut of = history(60, last);
    let mut train = data();
    change(&mut train);
    of.train = Some(train);
    of
}

#[test]
fn inputs_beyond_10_are_a_warning_unless_the_network_learns() {
    for (last, deviation, expected) in [
        (1.95, 10.1, Some(Severity::Warning)),
        (1.95, 101.0, Some(Severity::Warning)),
        (0.1, 10.1, Some(Severity::Note)),
        (1.95, 2.0, Some(Severity::Note)),
        (1.95, 1.4, None),
    ] {
        let of = with(last, |train| train.deviation = deviation);
        assert_eq!(
            severity(&of, FindingKind::UnscaledInputs),
            expected,
            "{deviation}"
        );
    }
}

#[test]
fn the_number_of_unscaled_inputs_is_the_one_by_which_they_are_judged() {
    let measured = |mean: f64, deviation: f64| {
        let of = with(1.95, |train| {
            (train.mean, train.deviation) = (mean, deviation);
        });
        let diagnosis = Diagnosis::from_history(of);
        let finding = diagnosis.of_kind(FindingKind::UnscaledInputs).next();
        finding.map(|finding| (finding.value, finding.threshold))
    };
    assert_eq!(measured(-1.25, 1.0), Some((3.25, 3.0)));
    assert_eq!(measured(0.0625, 0.0078125), Some((0.0078125, 0.01)));
    assert_eq!(measured(-12.5, 1.0), Some((12.5, 10.0)));
}

#[test]
fn inputs_beyond_100_come_before_the_steps_that_they_make_too_long() {
    let kinds = |ratio: f64, layer: &str, deviation: f64| {
        let mut of = with(1.95, |train| train.deviation = deviation);
        of.params[0].layer = layer.to_owned();
        for at in of.params.iter_mut().flat_map(|param| &mut param.steps) {
            at.update = Some(ratio * at.weight);
        }
        let diagnosis = Diagnosis::from_history(of);
        let found = diagnosis.findings.iter();
        let kinds = found.filter(|finding| finding.severity >= Severity::Warning);
        kinds.map(|finding| finding.kind).collect::<Vec<_>>()
    };
    use FindingKind::{LrTooHigh, LrTooLow, UnscaledInputs};
    assert_eq!(kinds(0.11, "Linear", 101.0), [UnscaledInputs, LrTooHigh]);
    assert_eq!(kinds(0.11, "Linear", 99.0), [LrTooHigh, UnscaledInputs]);
    assert_eq!(kinds(0.11, "BatchNorm", 101.0), [LrTooHigh, UnscaledInputs]);
    // The model may divide them itself: short steps are not by them.
    assert_eq!(kinds(1e-4, "Linear", 101.0), [UnscaledInputs, LrTooLow]);
}

#[test]
fn inputs_beyond_100_come_before_the_gradients_that_they_make_explode() {
    let kinds = |layer: &str, deviation: f64| {
        let mut of = with(1.95, |train| train.deviation = deviation);
        of.params[0].layer = layer.to_owned();
        for at in of.params.iter_mut().flat_map(|param| &mut param.steps) {
            at.gradient = 1e5;
        }
        let diagnosis = Diagnosis::from_history(of);
        let found = diagnosis.findings.iter();
        let kinds = found.filter(|finding| finding.severity >= Severity::Warning);
        kinds.map(|finding| finding.kind).collect::<Vec<_>>()
    };
    use FindingKind::{ExplodingGradient, UnscaledInputs};
    let raised = [UnscaledInputs, ExplodingGradient];
    let usual = [ExplodingGradient, UnscaledInputs];
    assert_eq!(kinds("Linear", 101.0), raised);
    assert_eq!(kinds("Linear", 99.0), usual);
    assert_eq!(kinds("BatchNorm", 101.0), usual);
}

#[test]
fn a_target_of_1e7_is_a_fault_and_explains_the_gradient() {
    let mut of = with(1.95, |train| {
        let mut target = TargetStats::default();
        (target.columns, target.mean, target.deviation, target.max) = (1, 2e7, 3e7, 1e8);
        train.target = Some(target);
    });
    of.params
        .iter_mut()
        .flat_map(|param| &mut param.steps)
        .for_each(|at| at.gradient = 1e8);
    assert_eq!(
        severity(&of, FindingKind::UnscaledTarget),
        Some(Severity::Fault)
    );
    assert_eq!(severity(&of, FindingKind::ExplodingGradient), None);
}

#[test]
fn one_class_and_a_rare_class() {
    let of = with(0.1, |train| train.classes = [(0, 100)].into());
    assert_eq!(
        severity(&of, FindingKind::SingleClass),
        Some(Severity::Fault)
    );
    // 9 of 100 rows in two classes: 0.18 of equal parts.
    let mut of = with(0.5, |train| train.classes = [(0, 91), (1, 9)].into());
    assert_eq!(severity(&of, FindingKind::RareClass), Some(Severity::Note));
    // An accuracy of the larger class: the rare one is ignored.
    of.epochs = vec![EpochMetrics::new().with_train_accuracy(0.91)];
    assert_eq!(
        severity(&of, FindingKind::RareClass),
        Some(Severity::Warning)
    );
    let of = with(0.5, |train| train.classes = [(0, 89), (1, 11)].into());
    assert_eq!(severity(&of, FindingKind::RareClass), None);
}

#[test]
fn a_validation_on_three_times_the_scale_differs() {
    for (deviation, expected) in [
        (3.1, Some(Severity::Fault)),
        (2.9, None),
        (0.3, Some(Severity::Fault)),
    ] {
        let mut of = with(0.1, |_| {});
        let mut valid = data();
        valid.deviation = deviation;
        of.valid = Some(valid);
        assert_eq!(
            severity(&of, FindingKind::ScalingDiffers),
            expected,
            "{deviation}"
        );
    }
}

#[test]
fn five_of_a_hundred_validation_rows_in_the_training_have_leaked() {
    for (rows, expected) in [(5, Some(Severity::Fault)), (4, None)] {
        let mut of = with(0.1, |_| {});
        let mut valid = data();
        valid.rows_in_training = rows;
        of.valid = Some(valid);
        assert_eq!(severity(&of, FindingKind::LeakedValidation), expected);
    }
    // Of few different rows, all recur.
    let mut of = with(0.1, |train| train.distinct_rows = 4);
    let mut valid = data();
    (valid.distinct_rows, valid.rows_in_training) = (4, 4);
    of.valid = Some(valid);
    assert_eq!(severity(&of, FindingKind::LeakedValidation), None);
}

fn outputs(columns: usize, low: f64, high: f64) -> OutputHistory {
    let mut outputs = OutputHistory::default();
    (outputs.rows, outputs.columns, outputs.batches) = (20, columns, 5);
    (outputs.min, outputs.max, outputs.lowest, outputs.highest) = (low, high, low, high);
    outputs.spread = 0.3;
    outputs.sum_error = 0.5;
    outputs
}

#[test]
fn outputs_are_held_against_the_loss() {
    let fault = Some(Severity::Fault);
    let check = |loss: Option<LossKind>, of_outputs: OutputHistory| {
        let mut of = with(1.95, |_| {});
        (of.loss_kind, of.outputs) = (loss, Some(of_outputs));
        severity(&of, FindingKind::OutputMismatch)
    };
    assert_eq!(
        check(None, outputs(1, 1.0, 1.0)),
        fault,
        "softmax of one output"
    );
    let scores = Some(LossKind::CrossEntropyOfScores);
    let mut probabilities = outputs(3, 0.0, 1.0);
    probabilities.sum_error = 1e-6;
    assert_eq!(check(scores, probabilities.clone()), fault, "softmax twice");
    assert_eq!(check(scores, outputs(3, -4.0, 5.0)), None);
    let of_probabilities = Some(LossKind::CrossEntropyOfProbabilities);
    assert_eq!(
        check(of_probabilities, outputs(3, -4.0, 5.0)),
        fault,
        "scores as probabilities"
    );
    assert_eq!(check(of_probabilities, probabilities), None);
}

#[test]
fn a_last_activation_must_reach_the_targets() {
    let check = |low: f64, high: f64, target: [f64; 2]| {
        let mut of = with(1.95, |train| {
            let mut stats = TargetStats::default();
            (stats.columns, stats.min, stats.max, stats.deviation) = (1, target[0], target[1], 1.0);
            train.target = Some(stats);
        });
        of.outputs = Some(outputs(1, low, high));
        severity(&of, FindingKind::OutputMismatch)
    };
    assert_eq!(
        check(0.2, 0.99, [0.0, 3.0]),
        Some(Severity::Fault),
        "sigmoid"
    );
    assert_eq!(check(0.0, 2.0, [-3.0, 3.0]), Some(Severity::Fault), "ReLU");
    assert_eq!(
        check(-0.99, 0.9, [-3.0, 3.0]),
        Some(Severity::Fault),
        "tanh"
    );
    assert_eq!(check(-1.2, 2.0, [-3.0, 3.0]), None, "linear");
}

#[test]
fn a_first_loss_of_three_times_the_logarithm_of_the_classes_is_too_large() {
    // ln 2 = 0.693; the first loss is 2.
    let mut of = with(1.95, |train| train.classes = [(0, 50), (1, 50)].into());
    of.loss_kind = Some(LossKind::CrossEntropyOfScores);
    assert_eq!(severity(&of, FindingKind::InitialLoss), None);
    of.losses[0] = 2.1;
    assert_eq!(
        severity(&of, FindingKind::InitialLoss),
        Some(Severity::Note)
    );
}

#[test]
fn many_columns_of_zeros_are_a_warning_unless_nothing_is_missing() {
    let check = |accuracy: f64, zeros: usize| {
        let mut of = with(0.1, |train| train.constant_features = zeros);
        of.epochs = vec![EpochMetrics::new().with_valid_accuracy(accuracy)];
        severity(&of, FindingKind::ConstantInputs)
    };
    assert_eq!(check(0.84, 5), Some(Severity::Warning));
    assert_eq!(
        check(0.86, 5),
        Some(Severity::Note),
        "a series that is filled up"
    );
    assert_eq!(check(0.86, 4), Some(Severity::Note));
}

#[test]
fn a_norm_in_front_scales_inputs_whatever_they_are() {
    let check = |layer: &str, last: f64| {
        let mut of = with(last, |train| train.deviation = 150.0);
        of.params[0].layer = layer.to_owned();
        severity(&of, FindingKind::UnscaledInputs)
    };
    assert_eq!(check("Linear", 0.1), Some(Severity::Warning));
    assert_eq!(check("BatchNorm", 0.1), Some(Severity::Note));
    assert_eq!(check("BatchNorm", 1.95), Some(Severity::Warning));
}

#[test]
fn other_means_that_cost_the_validation_nothing_are_a_note() {
    let check = |train: f64, valid: f64, deviation: f64, shifted: f64| {
        let mut of = with(0.1, |train| train.classes = [(0, 50), (1, 50)].into());
        let mut data = data();
        (data.deviation, data.shifted_features) = (deviation, shifted);
        of.valid = Some(data);
        let epoch = EpochMetrics::new()
            .with_train_accuracy(train)
            .with_valid_accuracy(valid);
        of.epochs = vec![epoch; 2];
        severity(&of, FindingKind::ScalingDiffers)
    };
    let fault = Some(Severity::Fault);
    let surer = |valid_loss: f64| {
        let mut of = with(0.1, |train| train.classes = [(0, 50), (1, 50)].into());
        let mut data = data();
        data.shifted_features = 0.3;
        of.valid = Some(data);
        let epoch = EpochMetrics::new()
            .with_train_accuracy(0.9)
            .with_valid_accuracy(0.9)
            .with_train_loss(0.3)
            .with_valid_loss(valid_loss);
        of.epochs = vec![epoch; 2];
        severity(&of, FindingKind::ScalingDiffers)
    };
    assert_eq!(surer(0.61), fault, "sure of what is wrong");
    assert_eq!(surer(0.59), Some(Severity::Note));
    assert_eq!(check(0.9, 0.84, 3.1, 0.0), fault);
    assert_eq!(
        check(0.9, 0.86, 3.1, 0.0),
        fault,
        "no season is on three times the scale"
    );
    assert_eq!(check(0.9, 0.84, 1.0, 0.3), fault);
    assert_eq!(check(0.9, 0.86, 1.0, 0.3), Some(Severity::Note));
    assert_eq!(check(0.7, 0.7, 1.0, 0.3), fault, "little was learned");
}

#[test]
fn targets_that_are_all_equal_are_a_fault_whatever_the_loss_is() {
    let check = |value: f64, max: f64| {
        let of = with(0.1, |train| {
            let mut target = TargetStats::default();
            (target.columns, target.mean, target.min, target.max) = (1, value, value, max);
            // What rounding leaves of a mean of equal numbers.
            target.deviation = if max > value { max - value } else { 1e-17 };
            (target.column_deviation, target.outlier_ratio) = (target.deviation, 1.0);
            train.target = Some(target);
        });
        severity(&of, FindingKind::UnscaledTarget)
    };
    assert_eq!(check(0.1, 0.1), Some(Severity::Fault));
    assert_eq!(check(0.0, 0.0), Some(Severity::Fault));
    assert_eq!(check(0.0, 1.0), None);
}

#[test]
fn of_targets_that_are_not_finite_it_is_not_said_that_all_are_equal() {
    let check = |value: f64, share: f64| {
        let of = with(0.1, |train| {
            let mut target = TargetStats::default();
            (target.columns, target.outlier_ratio) = (1, 1.0);
            (target.mean, target.min, target.max) = (value, value, value);
            target.non_finite = share;
            train.target = Some(target);
        });
        [FindingKind::UnscaledTarget, FindingKind::NonFiniteData].map(|kind| severity(&of, kind))
    };
    assert_eq!(check(0.0, 0.0), [Some(Severity::Fault), None]);
    assert_eq!(check(0.0, 1.0), [None, Some(Severity::Fault)]);
    assert_eq!(check(5.0, 0.5), [None, Some(Severity::Fault)]);
}

#[test]
fn a_label_for_which_there_is_no_output_does_not_fit() {
    let check = |label: i64, kind: LossKind| {
        let mut of = with(0.1, |train| {
            train.classes = [(0, 50), (1, 49), (label, 1)].into()
        });
        (of.loss_kind, of.outputs) = (Some(kind), Some(outputs(3, -4.0, 5.0)));
        severity(&of, FindingKind::OutputMismatch)
    };
    let scores = LossKind::CrossEntropyOfScores;
    assert_eq!(check(3, scores), Some(Severity::Fault));
    assert_eq!(check(2, scores), None);
    assert_eq!(check(-1, scores), None, "a label that is left out");
    assert_eq!(check(3, LossKind::MeanSquaredError), None);
}

#[test]
fn inputs_and_targets_of_a_batch_must_belong_together() {
    let mut of = with(0.1, |_| {});
    let kind = FindingKind::UnrelatedLabels;
    assert_eq!(severity(&of, kind), None);
    of.train.as_mut().unwrap().unpaired = Some([50, 30]);
    assert_eq!(severity(&of, kind), Some(Severity::Fault));
    of.train.as_mut().unwrap().unpaired = None;
    let mut valid = data();
    valid.unpaired = Some([50, 49]);
    of.valid = Some(valid);
    assert_eq!(severity(&of, kind), Some(Severity::Fault));
}

#[test]
fn a_layout_in_which_no_batch_has_a_target_for_each_input_is_a_note_unless_nothing_is_learned() {
    let check = |last: f64, batches: usize| {
        let of = with(last, |train| {
            (train.unpaired, train.unpaired_batches) = (Some([50, 32]), batches);
        });
        severity(&of, FindingKind::UnrelatedLabels)
    };
    assert_eq!(check(0.1, 5), Some(Severity::Note));
    assert_eq!(check(0.1, 4), Some(Severity::Fault), "one batch is another");
    assert_eq!(check(1.5, 5), Some(Severity::Note), "learned in part");
    assert_eq!(check(1.95, 5), Some(Severity::Fault), "nothing is learned");
}

#[test]
fn of_targets_that_come_after_the_examined_rows_nothing_is_said() {
    let numbers = |others: bool| {
        with(0.1, |train| {
            let mut target = TargetStats::default();
            target.columns = 1;
            train.target = Some(target);
            train.has_other_targets = others;
        })
    };
    let kind = FindingKind::UnscaledTarget;
    assert_eq!(severity(&numbers(false), kind), Some(Severity::Fault));
    assert_eq!(severity(&numbers(true), kind), None);
    let labels = |others: bool| {
        with(0.1, |train| {
            train.classes = [(0, 100)].into();
            train.has_other_targets = others;
        })
    };
    let kind = FindingKind::SingleClass;
    assert_eq!(severity(&labels(false), kind), Some(Severity::Fault));
    assert_eq!(severity(&labels(true), kind), None);
}

#[test]
fn a_sum_among_the_inputs_is_found_with_its_number() {
    let of = with(0.1, |train| {
        train.leaking_features = vec![5, 6];
        train.leaking_sum = Some(0.99995);
    });
    let diagnosis = Diagnosis::from_history(of);
    let finding = diagnosis.of_kind(FindingKind::LeakingInput).next().unwrap();
    assert_eq!((finding.value, finding.threshold), (0.99995, 0.9999));
    assert!(finding.text.contains("sum") && finding.text.contains("[5, 6]"));
}

#[test]
fn a_normal_draw_of_hes_deviation_is_not_taken_for_swapped_fans() {
    let check = |deviation: f64| {
        let mut of = with(0.1, |_| {});
        let last = &mut of.params[3];
        last.shape = vec![64, 10];
        (last.fan_in, last.fan_out) = (Some(64), Some(10));
        last.initial.deviation = deviation;
        severity(&of, FindingKind::InitScale)
    };
    // He's is 0.1768, within four standard errors of 640 normal draws, and that of a default with swapped fans 0.1826.
    assert_eq!(check(0.1893), None);
    // LeCun's with swapped fans.
    assert_eq!(check(0.3162), Some(Severity::Warning));
}
