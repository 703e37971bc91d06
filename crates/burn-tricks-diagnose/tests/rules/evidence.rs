//! Rules that compare what was measured with what is possible: bounds, other predictors, other epochs.

use crate::{history, severity, weight};
use burn_tricks_core::ParamRole;
use burn_tricks_diagnose::{
    DataHistory, Diagnosis, EpochMetrics, FindingKind, History, InitScheme, LossKind, Neighbours,
    NormHistory, OutputHistory, Prescription, ProbeHistory, ProbeStep, Severity, StepHistory,
    TargetStats,
};

fn classes(of: &mut History, rows: &[(i64, usize)]) {
    let mut data = DataHistory::default();
    data.classes = rows.iter().copied().collect();
    of.train = Some(data);
}

fn accuracies(of: &mut History, train: f64, valid: f64) {
    let epoch = EpochMetrics::new()
        .with_train_accuracy(train)
        .with_valid_accuracy(valid);
    of.epochs = vec![epoch; 4];
}

#[test]
fn a_network_far_behind_its_nearest_neighbours_underfits() {
    let check = |train: f64, valid: f64, queries: usize| {
        let mut of = history(60, 1.0);
        // One that still falls asks for more steps first.
        of.losses = vec![1.0; 60];
        classes(&mut of, &[(0, 50), (1, 50)]);
        accuracies(&mut of, train, valid);
        let mut neighbours = Neighbours::default();
        (neighbours.rows, neighbours.queries) = (500, queries);
        (neighbours.score, neighbours.is_accuracy) = (0.9, true);
        of.neighbours = Some(neighbours);
        severity(&of, FindingKind::Underfitting)
    };
    let warning = Some(Severity::Warning);
    assert_eq!(check(0.8, 0.79, 1000), warning);
    assert_eq!(check(0.8, 0.81, 1000), None, "by less than 0.1");
    // Of 16 rows a share of 0.9 has the standard error 0.075: three of them are 0.225.
    assert_eq!(check(0.76, 0.68, 16), None);
    assert_eq!(check(0.76, 0.67, 16), warning);
    assert_eq!(check(0.95, 0.7, 1000), None, "learned by heart");
}

#[test]
fn a_regression_is_compared_by_the_variance_it_explains() {
    let check = |loss: f64, kind: LossKind| {
        let mut of = history(60, 0.1);
        // One that still falls asks for more steps first.
        of.losses = [[4.0; 30], [1.0; 30]].concat();
        let mut data = DataHistory::default();
        let mut target = TargetStats::default();
        (target.columns, target.deviation) = (1, 2.0);
        data.target = Some(target);
        (of.train, of.valid) = (Some(data.clone()), Some(data));
        of.loss_kind = Some(kind);
        let epoch = EpochMetrics::new()
            .with_train_loss(loss)
            .with_valid_loss(loss);
        of.epochs = vec![epoch; 4];
        let mut neighbours = Neighbours::default();
        (neighbours.queries, neighbours.score) = (1000, 0.8);
        of.neighbours = Some(neighbours);
        severity(&of, FindingKind::Underfitting)
    };
    // A loss of 1.24 of a variance of 4 explains 0.69.
    assert_eq!(
        check(1.24, LossKind::MeanSquaredError),
        Some(Severity::Warning)
    );
    assert_eq!(check(1.16, LossKind::MeanSquaredError), None);
    assert_eq!(check(1.44, LossKind::OtherRegression), None);
}

#[test]
fn a_rare_class_is_a_warning_if_the_validation_misses_it() {
    let check = |found: usize| {
        let mut of = history(60, 0.1);
        classes(&mut of, &[(0, 100), (1, 30)]);
        accuracies(&mut of, 0.95, 0.9);
        let mut outputs = OutputHistory::default();
        outputs.recall = [(0, [100, 100]), (1, [20, found])].into();
        of.valid_outputs = Some(outputs);
        severity(&of, FindingKind::RareClass)
    };
    // 30 of 130 are 0.46 of an equal part. With 5 of 20 found the accuracy is 0.875, and at most 0.47 of more are; with 8 of 20
    // at most 0.61 of more, and 0.6 of the accuracy is 0.54.
    assert_eq!(check(5), Some(Severity::Warning));
    assert_eq!(check(8), None);
    // Of a few rows, what may be found of more must be missed too: 2 of 10 may be half of all, and 1 of 10 two fifths.
    let few = |found: usize| {
        let mut of = history(60, 0.1);
        classes(&mut of, &[(0, 100), (1, 30)]);
        accuracies(&mut of, 0.95, 0.9);
        let mut outputs = OutputHistory::default();
        outputs.recall = [(0, [100, 90]), (1, [10, found])].into();
        of.valid_outputs = Some(outputs);
        severity(&of, FindingKind::RareClass)
    };
    assert_eq!(few(1), Some(Severity::Warning));
    assert_eq!(few(3), None);
}

#[test]
fn biases_that_drown_the_signal_are_a_warning() {
    for (deviation, expected) in [(7.2, Severity::Warning), (7.0, Severity::Note)] {
        let mut of = history(60, 0.1);
        let mut bias = weight("layers.1.bias", [16, 1], 60);
        (bias.role, bias.shape) = (ParamRole::Bias, vec![16]);
        (bias.fan_in, bias.fan_out) = (None, None);
        bias.initial.deviation = deviation;
        of.params.insert(2, bias);
        // The signal of 16 inputs through He's weights has deviation √2: five times that is 7.07.
        assert_eq!(severity(&of, FindingKind::RandomBias), Some(expected));
    }
}

#[test]
fn a_gradient_larger_than_that_of_a_mean_loss_is_of_a_scaled_loss() {
    let check = |gradient: f64, kind: LossKind| {
        let mut of = history(60, 1.95);
        of.loss_kind = Some(kind);
        let mut outputs = OutputHistory::default();
        (outputs.columns, outputs.lowest, outputs.highest) = (3, -2.0, 2.0);
        of.outputs = Some(outputs);
        let mut bias = weight("layers.3.bias", [3, 1], 60);
        (bias.role, bias.shape) = (ParamRole::Bias, vec![3]);
        bias.steps.iter_mut().for_each(|at| at.gradient = gradient);
        of.params.push(bias);
        let diagnosis = Diagnosis::from_history(of);
        diagnosis.of_kind(FindingKind::ScaledLoss).next().cloned()
    };
    let finding = check(32.0 * 0.3, LossKind::CrossEntropyOfScores).unwrap();
    assert_eq!(
        (finding.severity, &finding.paths[..]),
        (Severity::Fault, &["layers.3.bias".to_owned()][..])
    );
    assert!(
        finding
            .prescriptions
            .contains(&Prescription::ScaleLr { factor: 1.0 / 32.0 })
    );
    // √2 is the bound, and a tenth more is room.
    assert!(check(1.1 * 2f64.sqrt() + 0.01, LossKind::CrossEntropyOfScores).is_some());
    assert!(check(1.1 * 2f64.sqrt() - 0.01, LossKind::CrossEntropyOfScores).is_none());
    assert!(
        check(100.0, LossKind::MeanSquaredError).is_none(),
        "a square has no bound"
    );
}

#[test]
fn weights_that_have_shrunk_while_nothing_was_learned_are_over_regularized() {
    for (last, share, expected) in [
        (1.95, 0.19, Some(Severity::Fault)),
        (1.95, 0.21, None),
        (0.1, 0.01, None),
    ] {
        let mut of = history(60, last);
        for param in &mut of.params {
            param.last.norm = share * param.initial.norm;
        }
        assert_eq!(severity(&of, FindingKind::OverRegularized), expected);
    }
}

/// Four epochs of 20 steps, in each of which the loss falls from `from` of its number to 0.2.
fn saw(from: impl Fn(usize) -> f64) -> History {
    let mut of = history(80, 0.2);
    let loss = |step: usize| {
        let (epoch, at) = (step / 20, step % 20);
        from(epoch) + (0.2 - from(epoch)) * at as f64 / 19.0
    };
    of.losses = (0..80).map(loss).collect();
    of.epochs = (1..=4)
        .map(|epoch| {
            let mut metrics = EpochMetrics::new().with_train_loss(0.2);
            metrics.step = 20 * epoch;
            metrics
        })
        .collect();
    of
}

#[test]
fn a_loss_that_begins_anew_in_each_epoch_is_that_of_new_weights() {
    let kind = FindingKind::WeightsReset;
    assert_eq!(severity(&saw(|_| 2.0), kind), Some(Severity::Fault));
    assert_eq!(
        severity(&saw(|epoch| if epoch == 0 { 2.0 } else { 1.55 }), kind),
        None
    );
    assert_eq!(
        severity(&saw(|epoch| if epoch == 2 { 0.2 } else { 2.0 }), kind),
        None,
        "two of three"
    );
    // Single rows whose losses are large now and then say nothing.
    let of_rows = |rows: usize| {
        let mut of = saw(|_| 0.2);
        of.losses = vec![1.0; 400];
        for epoch in 1..4 {
            let end = 100 * epoch;
            of.losses[end - 3..end].fill(0.1);
        }
        of.epochs
            .iter_mut()
            .enumerate()
            .for_each(|(at, epoch)| epoch.step = 100 * (at + 1));
        let mut data = DataHistory::default();
        (data.batches, data.largest_batch) = (400, rows);
        of.train = Some(data);
        severity(&of, kind)
    };
    assert_eq!(of_rows(32), Some(Severity::Fault));
    assert_eq!(of_rows(1), None);
}

#[test]
fn a_validation_loss_that_never_changes_is_of_other_weights() {
    let check = |valid: [f64; 3], train: [f64; 3]| {
        let mut of = history(60, 0.1);
        of.epochs = (0..3)
            .map(|at| {
                EpochMetrics::new()
                    .with_valid_loss(valid[at])
                    .with_train_loss(train[at])
            })
            .collect();
        severity(&of, FindingKind::StaleValidation)
    };
    let falls = [2.0, 1.0, 0.5];
    assert_eq!(check([2.3, 2.3, 2.3], falls), Some(Severity::Fault));
    assert_eq!(check([2.3, 2.3, 2.3 - 1e-12], falls), None);
    assert_eq!(
        check([2.3, 2.3, 2.3], [2.0, 2.0, 1.99]),
        None,
        "nothing has moved"
    );
    assert_eq!(check([f64::NAN; 3], falls), None);
}

#[test]
fn norms_are_asked_for_flat_inputs_and_running_statistics() {
    let check = |change: &dyn Fn(&mut NormHistory)| {
        let mut of = history(60, 0.1);
        let mut norm = NormHistory::default();
        (norm.path, norm.step, norm.units, norm.values) = ("norm".to_owned(), 60, 10, 32);
        (norm.mean_distance, norm.variance_ratio) = (Some(0.2), Some(1.2));
        change(&mut norm);
        of.norms = vec![norm];
        severity(&of, FindingKind::NormStatistics)
    };
    let warning = Some(Severity::Warning);
    assert_eq!(check(&|_| {}), None);
    assert_eq!(check(&|norm| norm.flat_units = 6), warning);
    assert_eq!(check(&|norm| norm.flat_units = 5), None);
    assert_eq!(check(&|norm| norm.mean_distance = Some(1.01)), warning);
    assert_eq!(check(&|norm| norm.mean_distance = Some(0.99)), None);
    assert_eq!(check(&|norm| norm.variance_ratio = Some(4.1)), warning);
    let early = |norm: &mut NormHistory| (norm.step, norm.variance_ratio) = (49, Some(4.1));
    assert_eq!(check(&early), None, "they have not arrived yet");
    let few = |norm: &mut NormHistory| (norm.values, norm.variance_ratio) = (7, Some(4.1));
    assert_eq!(check(&few), None, "the last batch of an epoch");
    let mut of = history(60, 0.1);
    let mut norm = NormHistory::default();
    (norm.path, norm.units, norm.values) = ("norm".to_owned(), 10, 1);
    of.norms = vec![norm];
    assert_eq!(
        severity(&of, FindingKind::SingleSampleNorm),
        Some(Severity::Fault)
    );
}

/// `layers` sigmoids in a row whose gradients shrink by `factor` in each, with weights of ordinary gradients.
fn sigmoids(layers: usize, factor: f64, last: f64) -> History {
    let mut of = history(60, last);
    of.probes = (0..layers)
        .map(|layer| {
            let mut probe = ProbeHistory::default();
            (probe.name, probe.units, probe.inputs) = (format!("act {layer}"), 8, 500);
            let mut step = ProbeStep::default();
            // The slope a(1 - a) has mean 0.24.
            (step.step, step.mean, step.deviation, step.min, step.max) = (1, 0.5, 0.1, 0.2, 0.8);
            step.gradient = Some(factor.powi((layers - 1 - layer) as i32));
            probe.steps = vec![step; 5];
            probe
        })
        .collect();
    of
}

#[test]
fn a_gradient_is_compared_with_what_depth_and_activations_predict() {
    let finding = |of: &History| {
        let diagnosis = Diagnosis::from_history(of.clone());
        diagnosis
            .of_kind(FindingKind::VanishingGradient)
            .next()
            .cloned()
    };
    // Six slopes of 0.24 make 1.9e-4, and the gradient shrinks as they say.
    let found = finding(&sigmoids(7, 0.24, 1.95)).unwrap();
    assert!(
        found
            .text
            .contains("predict 1.9e-4: the activations alone explain it"),
        "{}",
        found.text
    );
    assert_eq!(found.prescriptions[0], Prescription::NormLayers);
    // It shrinks by 0.1 in each layer, to 1e-6: the weights take the rest.
    let found = finding(&sigmoids(7, 0.1, 1.95)).unwrap();
    assert!(
        found
            .text
            .contains("the weights between them shrink it further"),
        "{}",
        found.text
    );
    let scheme = InitScheme::Xavier;
    assert_eq!(
        found.prescriptions[0],
        Prescription::InitWeights { scheme },
        "sigmoids"
    );
    assert!((found.value / (1e-6 / 0.24f64.powi(6)) - 1.0).abs() < 1e-6);
    assert_eq!(found.threshold, 1e-2);
    // Four slopes make 3.3e-3, which still arrives; a network that learns is not asked.
    assert_eq!(finding(&sigmoids(5, 0.24, 1.95)), None);
    assert_eq!(finding(&sigmoids(7, 0.1, 0.1)), None);
}

#[test]
fn a_state_that_gets_no_gradient_through_time_vanishes() {
    let check = |first: f64| {
        let mut of = history(60, 1.95);
        of.probes = (0..20)
            .map(|at| {
                let mut probe = ProbeHistory::default();
                probe.name = if at == 0 {
                    "cell".to_owned()
                } else {
                    format!("cell[{at}]")
                };
                let mut step = ProbeStep::default();
                (step.step, step.min, step.max) = (1, -5.0, 5.0);
                step.gradient = Some(if at == 0 { first } else { 1.0 });
                probe.steps = vec![step];
                probe
            })
            .collect();
        severity(&of, FindingKind::VanishingGradient)
    };
    assert_eq!(check(0.9e-6), Some(Severity::Warning));
    assert_eq!(check(1.1e-6), None);
}

#[test]
fn what_was_learned_and_lost_is_a_learning_rate_too_high() {
    let check = |lowest: f64, last: f64| {
        let mut of = history(200, 1.0);
        let loss = |at: usize| match at {
            0..20 => 2.0,
            20..100 => lowest,
            _ => last,
        };
        of.losses = (0..200).map(loss).collect();
        severity(&of, FindingKind::LrTooHigh)
    };
    assert_eq!(check(1.3, 1.9), Some(Severity::Fault));
    assert_eq!(check(1.5, 1.9), None, "hardly learned");
    assert_eq!(check(1.3, 1.7), None, "not lost");
}

#[test]
fn a_schedule_that_ends_in_the_first_half_is_named() {
    let check = |last_step: usize, last: f64| {
        let mut of = history(100, last);
        let lr = |step: usize| if step <= last_step { 0.1 } else { 0.0009 };
        of.steps = (1..=100)
            .map(|step| {
                let mut at = StepHistory::default();
                (at.step, at.lr) = (step, lr(step));
                at
            })
            .collect();
        severity(&of, FindingKind::LrTooLow)
    };
    assert_eq!(check(50, 1.95), Some(Severity::Fault));
    assert_eq!(check(51, 1.95), None);
    assert_eq!(check(30, 0.1), None, "it has learned");
}

#[test]
fn a_second_phase_with_a_small_rate_is_no_schedule_that_has_ended() {
    let check = |losses: fn(usize) -> f64, decay: f64| {
        let mut of = history(120, 0.5);
        classes(&mut of, &[(0, 50), (1, 50)]);
        accuracies(&mut of, 0.93, 0.92);
        for at in &mut of.steps {
            at.lr = match at.step {
                ..=20 => 1e-2,
                step => 5e-5 * decay.powi(step as i32 - 21),
            };
        }
        of.losses = (1..=120).map(losses).collect();
        severity(&of, FindingKind::LrTooLow)
    };
    let falls = |step: usize| 2.0 - step as f64 / 80.0;
    let flat = |step: usize| 2.0 - step.min(20) as f64 / 80.0;
    let fault = Some(Severity::Fault);
    assert_eq!(check(falls, 1.0), None);
    assert_eq!(check(flat, 1.0), fault, "nothing is learned");
    assert_eq!(check(falls, 0.9), fault, "a schedule that goes on to 0");
}

fn mismatch(
    kind: LossKind,
    change: impl FnOnce(&mut History, &mut OutputHistory),
) -> Option<Severity> {
    let mut of = history(60, 1.95);
    of.loss_kind = Some(kind);
    let mut outputs = OutputHistory::default();
    (outputs.columns, outputs.rows, outputs.batches) = (1, 20, 60);
    (outputs.min, outputs.max, outputs.lowest, outputs.highest) = (-2.0, 2.0, -2.0, 2.0);
    outputs.spread = 1.0;
    change(&mut of, &mut outputs);
    of.outputs = Some(outputs);
    severity(&of, FindingKind::OutputMismatch)
}

#[test]
fn outputs_and_losses_that_cannot_be_are_named() {
    let fault = Some(Severity::Fault);
    let scores = LossKind::BinaryCrossEntropyOfScores;
    assert_eq!(mismatch(scores, |_, _| {}), None);
    let inside = |_: &mut History, outputs: &mut OutputHistory| {
        (outputs.lowest, outputs.highest) = (0.01, 0.99);
    };
    assert_eq!(mismatch(scores, inside), fault, "a sigmoid twice");
    for (low, high, expected) in [(0.21, 0.6, fault), (0.01, 0.81, fault), (0.01, 0.79, None)] {
        let of = |_: &mut History, outputs: &mut OutputHistory| {
            (outputs.lowest, outputs.highest) = (low, high);
        };
        assert_eq!(mismatch(scores, of), expected, "{low} {high}");
    }
    let rectified = |_: &mut History, outputs: &mut OutputHistory| outputs.lowest = 0.0;
    assert_eq!(
        mismatch(LossKind::CrossEntropyOfScores, rectified),
        fault,
        "a ReLU behind the scores"
    );
    assert_eq!(mismatch(LossKind::MeanSquaredError, rectified), None);
    let negative = |of: &mut History, _: &mut OutputHistory| of.losses[50] = -0.2;
    assert_eq!(
        mismatch(LossKind::CrossEntropyOfScores, negative),
        fault,
        "below zero"
    );
    assert_eq!(mismatch(LossKind::OtherRegression, negative), None);
    let labels = |of: &mut History, _: &mut OutputHistory| classes(of, &[(1, 50), (2, 50)]);
    assert_eq!(mismatch(scores, labels), fault, "labels 1 and 2");
    let labels = |of: &mut History, _: &mut OutputHistory| classes(of, &[(0, 50), (1, 50)]);
    assert_eq!(mismatch(scores, labels), None);
}

#[test]
fn scores_that_are_dropped_or_squashed_are_named() {
    let scores = LossKind::CrossEntropyOfScores;
    let fault = Some(Severity::Fault);
    for (zeros, expected) in [(0.11, fault), (0.09, None)] {
        let dropped = |_: &mut History, outputs: &mut OutputHistory| outputs.zeros = zeros;
        assert_eq!(mismatch(scores, dropped), expected, "{zeros}");
        let of_squares = mismatch(LossKind::MeanSquaredError, dropped);
        assert_eq!(of_squares, expected, "{zeros} of a regression");
    }
    // What is masked is masked in the validation, too, where nothing is dropped.
    for (zeros, expected) in [(0.0, fault), (0.3, None)] {
        let masked = |of: &mut History, outputs: &mut OutputHistory| {
            outputs.zeros = 0.3;
            let mut valid = outputs.clone();
            valid.zeros = zeros;
            of.valid_outputs = Some(valid);
        };
        let of_squares = mismatch(LossKind::MeanSquaredError, masked);
        assert_eq!(of_squares, expected, "{zeros} in the validation");
    }
    let died = |_: &mut History, outputs: &mut OutputHistory| outputs.zeros = 1.0;
    assert_eq!(mismatch(scores, died), None);
    for (reached, expected) in [(0.99, fault), (0.97, None)] {
        let squashed = |_: &mut History, outputs: &mut OutputHistory| {
            (outputs.lowest, outputs.highest) = (-reached, reached);
        };
        assert_eq!(mismatch(scores, squashed), expected, "{reached}");
    }
}

#[test]
fn a_loss_that_ends_far_above_its_beginning_has_diverged() {
    let check = |last: f64, steps: usize| {
        let mut of = history(steps, 1.0);
        of.losses = (0..steps)
            .map(|at| if at < steps / 2 { 1.0 } else { last })
            .collect();
        severity(&of, FindingKind::LrTooHigh)
    };
    assert_eq!(check(3.1, 60), Some(Severity::Fault));
    assert_eq!(check(2.9, 60), None);
    assert_eq!(check(3.1, 40), None, "too few steps to tell");
}

#[test]
fn a_cross_entropy_that_ends_above_that_of_equal_probabilities_is_a_rate_too_high() {
    let check = |last: f64, kind: LossKind| {
        let mut of = history(200, 1.0);
        of.losses = vec![1.0; 10];
        of.losses.extend(vec![last; 190]);
        of.loss_kind = Some(kind);
        let mut outputs = OutputHistory::default();
        (outputs.columns, outputs.lowest, outputs.highest) = (3, -2.0, 2.0);
        of.outputs = Some(outputs);
        severity(&of, FindingKind::LrTooHigh)
    };
    // The logarithm of 3 is 1.0986.
    assert_eq!(
        check(1.16, LossKind::CrossEntropyOfScores),
        Some(Severity::Fault)
    );
    assert_eq!(check(1.15, LossKind::CrossEntropyOfScores), None);
    assert_eq!(check(1.16, LossKind::MeanSquaredError), None);
}

#[test]
fn a_network_as_good_as_its_neighbours_is_not_asked_for_more_steps() {
    let check = |valid: f64, neighbour: f64| {
        let mut of = history(60, 1.2);
        classes(&mut of, &[(0, 50), (1, 50)]);
        of.valid = of.train.clone();
        accuracies(&mut of, 0.62, valid);
        let mut neighbours = Neighbours::default();
        (neighbours.queries, neighbours.score, neighbours.is_accuracy) = (1000, neighbour, true);
        of.neighbours = Some(neighbours);
        severity(&of, FindingKind::TooFewSteps)
    };
    assert_eq!(check(0.61, 0.6), None);
    assert_eq!(check(0.55, 0.6), None);
    assert_eq!(check(0.56, 0.63), Some(Severity::Warning), "0.07 below");
    assert_eq!(
        check(0.61, 0.54),
        Some(Severity::Warning),
        "hardly above chance"
    );
}

#[test]
fn features_of_the_validation_with_other_means_are_named() {
    for (share, expected) in [(0.2, Some(Severity::Fault)), (0.19, None)] {
        let mut of = history(60, 0.1);
        let data = |shifted: f64| {
            let mut data = DataHistory::default();
            (data.rows, data.features, data.deviation) = (100, 8, 1.0);
            data.shifted_features = shifted;
            data
        };
        (of.train, of.valid) = (Some(data(0.0)), Some(data(share)));
        assert_eq!(severity(&of, FindingKind::ScalingDiffers), expected);
    }
}

#[test]
fn the_first_gradient_that_is_not_finite_is_that_of_the_step_that_was_checked() {
    let mut of = history(60, 1.95);
    let mut first = burn_tricks_diagnose::FirstNonFinite::default();
    first.step = 27;
    first.paths = vec!["layers.0.weight".to_owned(), "layers.1.weight".to_owned()];
    of.first_non_finite = Some(first);
    let find = |of: &History| {
        let diagnosis = Diagnosis::from_history(of.clone());
        let finding = diagnosis.of_kind(FindingKind::NonFinite).next().unwrap();
        (
            finding.step,
            finding.paths.clone(),
            finding.prescriptions[0].to_string(),
        )
    };
    let (step, paths, advice) = find(&of);
    assert_eq!(
        (step, paths),
        (Some(27), vec!["layers.1.weight".to_owned()])
    );
    assert!(advice.contains("epsilon"), "{advice}");
    // What spoils the last parameter comes from the loss.
    if let Some(first) = &mut of.first_non_finite {
        first.paths.push("layers.3.weight".to_owned());
    }
    let (_, paths, advice) = find(&of);
    assert_eq!(paths, ["layers.3.weight"]);
    assert!(advice.contains("LossScaler"), "{advice}");
}
