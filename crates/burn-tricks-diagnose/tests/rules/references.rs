//! Rules that compare the network, and training with validation, with what models that need no network say.

use crate::shortfall::regression;
use crate::{history, severity};
use burn_tricks_diagnose::{
    Closeness, DataHistory, Diagnosis, DropoutLayer, EpochMetrics, FindingKind, History, LossKind,
    Mode, OutputFit, OutputHistory, ReferenceFit, Severity, Structure,
};

const NOTE: Option<Severity> = Some(Severity::Note);
const WARNING: Option<Severity> = Some(Severity::Warning);
const FAULT: Option<Severity> = Some(Severity::Fault);

pub(crate) fn reference(score: f64, is_accuracy: bool) -> Option<ReferenceFit> {
    let mut fit = ReferenceFit::default();
    (fit.rows, fit.queries, fit.score, fit.is_accuracy) = (300, 4000, score, is_accuracy);
    Some(fit)
}

/// 300 training rows and 300 of the validation, which say the same.
fn close() -> Closeness {
    let mut close = Closeness::default();
    (close.rows, close.queries) = (1000, 1000);
    (close.train_score, close.valid_score) = (0.8, 0.8);
    close.dimension = 4.0;
    close
}

/// A classification of three classes whose loss is level, with these accuracies.
pub(crate) fn classification(train: f64, valid: f64) -> History {
    let mut of = history(300, 0.5);
    of.losses = vec![0.5; 300];
    of.losses[0] = 1.1;
    let mut data = DataHistory::default();
    (data.batches, data.largest_batch) = (30, 20);
    (data.rows, data.distinct_rows, data.features) = (600, 300, 4);
    (data.deviation, data.scale_ratio, data.possible_rows) = (1.0, 1.0, 1e12);
    data.classes = [(0, 100), (1, 100), (2, 100)].into();
    (of.train, of.valid) = (Some(data.clone()), Some(data));
    let epoch = EpochMetrics::new()
        .with_train_accuracy(train)
        .with_valid_accuracy(valid);
    of.epochs = vec![epoch; 6];
    of
}

#[test]
fn trees_and_bumps_are_floors_whose_margin_widens_with_noise_and_while_the_loss_falls() {
    let kind = FindingKind::Underfitting;
    let check = |score: f64, gap: f64, falls: bool| {
        let loss = 1.0 - (score - gap);
        let mut of = regression(loss, loss, 0.1);
        if falls {
            of.losses = (0..300)
                .map(|at| loss * (1.8 - 0.8 * at as f64 / 299.0))
                .collect();
        }
        of.trees = reference(score, false);
        let found = severity(&of, kind);
        (of.trees, of.radial) = (None, of.trees);
        assert_eq!(severity(&of, kind), found);
        found.or(severity(&of, FindingKind::TooFewSteps))
    };
    assert_eq!(check(0.9, 0.11, false), WARNING);
    assert_eq!(check(0.9, 0.09, false), None);
    assert_eq!(check(0.6, 0.13, false), WARNING, "0.3 of 0.4");
    assert_eq!(check(0.6, 0.11, false), None);
    // The loss falls by 0.15 from its third quarter to the last.
    assert_eq!(check(0.95, 0.16, true), WARNING);
    assert_eq!(check(0.95, 0.14, true), None);
    // A loss that does not aim at the variance has the wide margin too.
    let other = |gap: f64| {
        let mut of = regression(0.1 + gap, 0.1 + gap, 0.9);
        of.loss_kind = Some(LossKind::OtherRegression);
        let mut fit = OutputFit::default();
        (fit.rows, fit.columns) = (300, 1);
        (fit.explained, fit.correlated) = (0.9 - gap, 0.9 - gap);
        (of.train_fit, of.valid_fit) = (Some(fit), Some(fit));
        severity(&of, kind)
    };
    assert_eq!(other(0.16), WARNING);
    assert_eq!(other(0.14), None);
}

#[test]
fn outputs_that_are_no_predictions_are_not_compared() {
    let check = |loss_kind: Option<LossKind>, lowest: f64, exponential: f64| {
        let mut of = regression(0.5, 0.5, 0.9);
        of.loss_kind = loss_kind;
        let mut outputs = OutputHistory::default();
        (outputs.rows, outputs.columns, outputs.batches) = (32, 1, 100);
        (outputs.lowest, outputs.highest, outputs.spread) = (lowest, 3.0, 0.5);
        (outputs.min, outputs.max) = (-2.0, 3.0);
        of.outputs = Some(outputs);
        let mut fit = OutputFit::default();
        (fit.rows, fit.columns, fit.correlated) = (300, 1, 0.7);
        (fit.explained, fit.exponential) = (-0.5, exponential);
        (of.train_fit, of.valid_fit) = (Some(fit), Some(fit));
        let diagnosis = Diagnosis::from_history(of);
        let mut found = diagnosis.of_kind(FindingKind::Underfitting);
        found.any(|finding| finding.text.contains("linear model"))
    };
    let regression = Some(LossKind::OtherRegression);
    assert!(check(regression, -2.0, -0.5));
    assert!(!check(regression, -2.0, 0.85), "logarithms of rates");
    assert!(!check(Some(LossKind::CrossEntropyOfScores), -2.0, -0.5));
    assert!(!check(None, -2.0, -0.5), "an unknown loss");
}

#[test]
fn who_is_behind_on_the_validation_only_knows_the_training_by_heart() {
    let check = |train: f64, valid: f64| {
        let mut of = classification(train, valid);
        of.trees = reference(0.9, true);
        severity(&of, FindingKind::Overfitting)
    };
    assert_eq!(check(0.9, 0.79), WARNING);
    assert_eq!(check(0.9, 0.81), None);
    // Neither.
    assert_eq!(check(0.82, 0.79), None);
}

#[test]
fn a_validation_of_copies_with_noise_has_leaked() {
    let check = |share: f64, rows: usize, change: &dyn Fn(&mut History)| {
        let mut of = history(300, 0.1);
        let mut near = close();
        (near.near_copies, near.queries) = (share, rows);
        of.closeness = Some(near);
        change(&mut of);
        severity(&of, FindingKind::LeakedValidation)
    };
    let nothing = |_: &mut History| {};
    assert_eq!(check(0.21, 300, &nothing), FAULT);
    assert_eq!(check(0.19, 300, &nothing), None);
    assert_eq!(check(0.21, 59, &nothing), None);
    // Of 1,000 training rows and 300 of the validation, three standard errors of a difference from 0.15 are 0.078.
    let near = |change: fn(&mut Closeness)| {
        move |of: &mut History| of.closeness.iter_mut().for_each(change)
    };
    // Rows that come in groups, or that were copied on purpose.
    let grouped = near(|near| near.train_copies = 0.52);
    assert_eq!(check(0.52, 300, &grouped), WARNING);
    // Rows of which a few are alike by themselves have as many in training and validation.
    let alike = near(|near| near.train_copies = 0.49);
    assert_eq!(check(0.49, 300, &alike), NOTE);
    let seldom = near(|near| near.train_copies = 0.15);
    assert_eq!(check(0.24, 300, &seldom), FAULT);
    let by_chance = near(|near| near.train_copies = 0.15);
    assert_eq!(check(0.21, 300, &by_chance), NOTE);
    // Few rows of a class lie near each other.
    let of_class = near(|near| near.rows_of_class = Some(39.0));
    assert_eq!(check(0.21, 300, &of_class), None);
    let of_class = near(|near| near.rows_of_class = Some(41.0));
    assert_eq!(check(0.21, 300, &of_class), FAULT);
    let scaled = |of: &mut History| {
        let mut data = DataHistory::default();
        data.rescaled_features = 0.1;
        of.valid = Some(data);
    };
    assert_eq!(check(0.21, 300, &scaled), None, "rows that were changed");
}

#[test]
fn rows_that_are_equal_by_chance_have_not_leaked() {
    let check = |possible: f64| {
        let mut of = classification(0.9, 0.9);
        of.valid.as_mut().unwrap().rows_in_training = 20;
        of.train.as_mut().unwrap().possible_rows = possible;
        severity(&of, FindingKind::LeakedValidation)
    };
    // 300 training rows of 31,000 or of 29,000 that can be.
    assert_eq!(check(31e3), FAULT);
    assert_eq!(check(29e3), None);
    assert_eq!(check(0.0), FAULT, "a history of an earlier version");
}

#[test]
fn rows_of_one_measured_feature_that_are_equal_have_leaked_beyond_chance() {
    let check = |shared: usize, likely: f64, repeated: usize| {
        let mut of = classification(0.9, 0.9);
        of.valid.as_mut().unwrap().rows_in_training = shared;
        let train = of.train.as_mut().unwrap();
        (train.first_epoch_rows, train.first_epoch_distinct) = (300, 300 - repeated);
        // That of the first epoch counts.
        (train.possible_rows, train.likely_rows) = (1e12, likely);
        severity(&of, FindingKind::LeakedValidation)
    };
    // 300 training rows of 15,000: a fiftieth of the rows meet another one by chance.
    assert_eq!(check(61, 15e3, 0), FAULT, "0.203");
    assert_eq!(check(59, 15e3, 0), None);
    assert_eq!(check(61, 15e3, 16), None, "rows repeat in the training too");
    assert_eq!(check(16, 1e9, 16), FAULT);
    assert_eq!(check(14, 1e9, 16), None);
}

#[test]
fn outputs_whose_exponentials_are_the_targets_are_logarithms() {
    let check = |explained: f64, exponential: f64, lowest: f64| {
        let mut of = regression(0.5, 0.5, 0.0);
        of.loss_kind = Some(LossKind::OtherRegression);
        let mut outputs = OutputHistory::default();
        (outputs.rows, outputs.columns, outputs.batches) = (32, 1, 100);
        (outputs.lowest, outputs.highest, outputs.spread) = (lowest, 3.0, 0.5);
        (outputs.min, outputs.max) = (0.1, 3.0);
        of.outputs = Some(outputs);
        let mut fit = OutputFit::default();
        (fit.rows, fit.columns, fit.correlated) = (300, 1, 0.6);
        (fit.explained, fit.exponential) = (explained, exponential);
        (of.train_fit, of.valid_fit) = (Some(fit), Some(fit));
        let diagnosis = Diagnosis::from_history(of);
        let mut found = diagnosis.of_kind(FindingKind::OutputMismatch);
        found
            .next()
            .map(|finding| finding.text.contains("exponentials"))
    };
    assert_eq!(check(-0.8, 0.65, 0.0), Some(true));
    assert_eq!(check(-0.8, 0.1, 0.0), Some(false), "on another scale");
    assert_eq!(check(0.34, 0.65, 0.0), Some(true));
    assert_eq!(check(0.36, 0.65, 0.0), None, "0.24 below the correlation");
    // Logarithms on purpose begin on either side of 0.
    assert_eq!(check(-0.8, 0.65, -0.1), None);
}

#[test]
fn lost_and_filled_columns_of_a_table_are_told_of_a_network_that_is_short_of_something() {
    let kind = FindingKind::ConstantInputs;
    let note = Some(Severity::Note);
    let check = |valid: f64, floor: f64, change: &dyn Fn(&mut DataHistory)| {
        let mut of = classification(valid, valid);
        of.trees = reference(floor, true);
        change(of.train.as_mut().unwrap());
        severity(&of, kind)
    };
    let lost = |data: &mut DataHistory| (data.features, data.constant_features) = (10, 2);
    assert_eq!(check(0.84, 0.91, &lost), WARNING, "0.07 behind");
    assert_eq!(
        check(0.84, 0.89, &lost),
        note,
        "it has learned what there is"
    );
    assert_eq!(check(0.86, 0.93, &lost), note, "not short of anything");
    let among_measured = |measured: usize| {
        move |data: &mut DataHistory| {
            (data.features, data.constant_features) = (10, 2);
            data.measured_features = measured;
        }
    };
    assert_eq!(check(0.84, 0.89, &among_measured(5)), WARNING);
    assert_eq!(
        check(0.84, 0.89, &among_measured(4)),
        note,
        "others are categories"
    );
    // A third is chance: half of the way to 1 is 0.67.
    assert_eq!(check(0.66, 0.73, &lost), WARNING);
    assert_eq!(check(0.66, 0.6, &lost), note, "as good as the best model");
    assert_eq!(check(0.67, 0.6, &lost), note);
    let of_eleven = |data: &mut DataHistory| (data.features, data.constant_features) = (11, 2);
    assert_eq!(check(0.66, 0.6, &of_eleven), note);
    let picture = |data: &mut DataHistory| (data.features, data.constant_features) = (41, 9);
    assert_eq!(check(0.66, 0.6, &picture), note);
    let filled = |data: &mut DataHistory| {
        data.features = 10;
        data.filled_features = vec![3];
    };
    assert_eq!(check(0.66, 0.73, &filled), WARNING);
    assert_eq!(check(0.67, 0.6, &filled), note);
    assert_eq!(check(0.86, 0.6, &filled), None);
    let imputed = |share: f64| {
        move |data: &mut DataHistory| {
            data.features = 10;
            (data.filled_features, data.imputed) = (vec![3, 5], share);
        }
    };
    assert_eq!(
        check(0.84, 0.6, &imputed(0.11)),
        WARNING,
        "much of the table"
    );
    assert_eq!(check(0.84, 0.6, &imputed(0.09)), note);
}

#[test]
fn an_epoch_of_few_rows_again_and_again_has_too_little_data() {
    let check = |distinct: usize, possible: f64, rows: usize| {
        let mut of = history(300, 1.9);
        let mut data = DataHistory::default();
        (data.batches, data.largest_batch, data.rows) = (30, 20, 600);
        (data.distinct_rows, data.features, data.deviation) = (distinct, 4, 1.0);
        (data.first_epoch_rows, data.first_epoch_distinct) = (rows, distinct);
        (data.possible_rows, data.scale_ratio) = (possible, 1.0);
        of.train = Some(data);
        severity(&of, FindingKind::TooLittleData)
    };
    assert_eq!(check(79, 1e9, 200), WARNING);
    assert_eq!(check(81, 1e9, 200), None);
    assert_eq!(check(79, 3e3, 200), None, "equal by chance");
    assert_eq!(check(20, 1e9, 63), None, "few rows");
    assert_eq!(check(20, 1e9, 79), None, "few batches");
    let one_batch = check(20, 1e9, 200);
    assert_eq!(
        one_batch,
        Some(Severity::Note),
        "one batch is fitted on purpose"
    );
    assert_eq!(check(21, 1e9, 200), WARNING);
}

#[test]
fn a_validation_that_neighbours_do_not_know_is_of_another_thing() {
    let kind = FindingKind::ScalingDiffers;
    let check = |near: f64, network: f64, shares: [usize; 3]| {
        let mut of = classification(0.9, network);
        let mut close = close();
        (close.train_score, close.valid_score, close.is_accuracy) = (0.9, near, true);
        of.closeness = Some(close);
        let [a, b, c] = shares;
        of.valid.as_mut().unwrap().classes = [(0, a), (1, b), (2, c)].into();
        severity(&of, kind)
    };
    let even = [100, 100, 100];
    assert_eq!(check(0.64, 0.79, even), WARNING);
    assert_eq!(check(0.66, 0.79, even), None);
    assert_eq!(check(0.64, 0.81, even), None, "the network carries over");
    assert_eq!(check(0.64, 0.79, [60, 100, 140]), None, "other shares");
    let targets = |mean: f64, deviation: f64, valid: f64| {
        let mut of = regression(0.1, valid, 0.0);
        let data = of.valid.as_mut().unwrap();
        let target = data.target.as_mut().unwrap();
        (target.mean, target.column_deviation) = (mean, deviation);
        severity(&of, kind)
    };
    assert_eq!(targets(0.51, 1.0, 0.3), WARNING);
    assert_eq!(targets(0.49, 1.0, 0.3), None);
    assert_eq!(targets(0.0, 1.75, 1.0), WARNING);
    assert_eq!(targets(0.0, 1.65, 1.0), None);
    assert_eq!(targets(0.51, 1.0, 0.19), None, "it carries over");
}

#[test]
fn labels_that_neighbours_know_in_the_validation_only_are_wrong_in_the_training() {
    let kind = FindingKind::UnrelatedLabels;
    let check = |of_train: f64, network: f64| {
        let mut of = classification(network, 0.78);
        let mut close = close();
        (close.train_score, close.is_accuracy) = (of_train, true);
        of.closeness = Some(close);
        severity(&of, kind)
    };
    // Three standard errors of 0.73 and 0.8 for a thousand rows each are 0.056.
    assert_eq!(check(0.73, 0.8), WARNING);
    assert_eq!(check(0.76, 0.8), None);
    assert_eq!(check(0.73, 0.94), None, "it knows its labels");
    let of_valid = |valid: f64| {
        let mut of = classification(0.8, valid);
        let mut close = close();
        (close.train_score, close.is_accuracy) = (0.73, true);
        of.closeness = Some(close);
        severity(&of, kind)
    };
    assert_eq!(of_valid(0.84), WARNING);
    assert_eq!(of_valid(0.86), Some(Severity::Note), "they cost little");
    let spread = |spread: f64| {
        let mut of = classification(0.8, 0.78);
        let mut close = close();
        (close.train_score, close.is_accuracy, close.spread) = (0.73, true, Some(spread));
        of.closeness = Some(close);
        severity(&of, kind)
    };
    assert_eq!(spread(1.14), WARNING);
    assert_eq!(spread(1.16), None, "training rows were augmented");
}

#[test]
fn labels_of_rows_that_are_alike_are_others_in_the_validation() {
    let check = |valid: f64, spread: f64| {
        let mut of = classification(0.9, valid);
        let mut close = close();
        (close.train_score, close.valid_score, close.is_accuracy) = (0.9, 0.1, true);
        close.spread = Some(spread);
        of.closeness = Some(close);
        [FindingKind::ScalingDiffers, FindingKind::UnrelatedLabels].map(|kind| severity(&of, kind))
    };
    // A third is chance.
    assert_eq!(check(0.3, 1.0), [None, FAULT]);
    assert_eq!(check(0.3, 1.2), [WARNING, None], "the rows lie elsewhere");
    assert_eq!(check(0.3, 0.8), [WARNING, None]);
    assert_eq!(check(0.4, 1.0), [WARNING, None], "better than chance");
}

#[test]
fn two_classes_between_which_lots_are_drawn_have_exchanged_labels() {
    let changed = |recalls: [usize; 3], floor: f64, change: &dyn Fn(&mut History)| {
        let mut of = classification(0.8, 0.62);
        of.trees = reference(floor, true);
        let mut outputs = OutputHistory::default();
        (outputs.rows, outputs.columns, outputs.spread) = (300, 3, 1.0);
        (outputs.min, outputs.max) = (-2.0, 2.0);
        let classes = recalls.into_iter().enumerate();
        let recall = classes.map(|(class, right)| (class as i64, [100, right]));
        outputs.recall = recall.collect();
        outputs.mistaken = [(0, (1, 50)), (1, (0, 50))].into();
        of.valid_outputs = Some(outputs);
        change(&mut of);
        severity(&of, FindingKind::UnrelatedLabels)
    };
    let check = |recalls: [usize; 3], floor: f64| changed(recalls, floor, &|_| {});
    assert_eq!(check([45, 50, 90], 0.62), WARNING);
    let frequent = |count: usize| {
        changed([45, 50, 90], 0.62, &|of| {
            of.train.as_mut().unwrap().classes = [(0, 100), (1, count), (2, 100)].into();
        })
    };
    assert_eq!(frequent(149), WARNING);
    assert_eq!(frequent(151), None, "the other is the better guess");
    let for_a_third = |of: &mut History| {
        let outputs = of.valid_outputs.as_mut().unwrap();
        outputs.mistaken.insert(1, (2, 50));
    };
    assert_eq!(changed([45, 50, 90], 0.62, &for_a_third), None);
    assert_eq!(check([69, 62, 90], 0.62), None, "1.31");
    assert_eq!(check([45, 50, 84], 0.62), None, "and a third");
    assert_eq!(check([5, 95, 97], 0.62), None, "one bad class alone");
    assert_eq!(check([45, 50, 90], 0.69), None, "others tell them");
    // A standard error of the sum of 0.05 and 0.97, of 100 rows each, is 0.029, and of 0.05 and 0.99 it is 0.026.
    assert_eq!(check([5, 97, 90], 0.62), None, "one bad class alone");
    let mixed = |recalls: [usize; 3]| {
        changed(recalls, 0.62, &|of| {
            let outputs = of.valid_outputs.as_mut().unwrap();
            outputs.mistaken = [(0, (1, 90)), (1, (2, 1))].into();
        })
    };
    assert_eq!(mixed([5, 97, 90]), WARNING);
    assert_eq!(mixed([5, 99, 90]), None, "and told a little");
    // Three standard errors of the sum of 0.30 and 0.50 are 0.203.
    assert_eq!(check([29, 49, 90], 0.69), WARNING, "worse than lots");
    assert_eq!(check([30, 51, 90], 0.69), None);
    let taken = |recalls: [usize; 4], class: i64, count: usize| {
        let mut of = classification(0.8, 0.62);
        of.trees = reference(0.62, true);
        let mut outputs = OutputHistory::default();
        (outputs.rows, outputs.columns, outputs.spread) = (400, 4, 1.0);
        (outputs.min, outputs.max) = (-2.0, 2.0);
        let classes = recalls.into_iter().enumerate();
        let recall = classes.map(|(class, right)| (class as i64, [100, right]));
        outputs.recall = recall.collect();
        outputs.mistaken = [(0, (class, count))].into();
        of.valid_outputs = Some(outputs);
        severity(&of, FindingKind::UnrelatedLabels)
    };
    assert_eq!(taken([5, 90, 97, 91], 2, 61), WARNING);
    let mut rare = classification(0.8, 0.62);
    rare.trees = reference(0.62, true);
    rare.train.as_mut().unwrap().classes = [(0, 60), (1, 180), (2, 60)].into();
    let mut outputs = OutputHistory::default();
    (outputs.rows, outputs.columns, outputs.spread) = (300, 3, 1.0);
    (outputs.min, outputs.max) = (-2.0, 2.0);
    outputs.recall = [(0, [60, 6]), (1, [180, 170]), (2, [60, 56])].into();
    outputs.mistaken = [(0, (1, 50)), (1, (0, 8))].into();
    rare.valid_outputs = Some(outputs);
    let kind = FindingKind::UnrelatedLabels;
    assert_eq!(severity(&rare, kind), None, "the larger class is the guess");
    assert_eq!(taken([5, 90, 97, 91], 2, 59), None, "for several others");
    assert_eq!(taken([31, 90, 97, 91], 2, 61), None, "a third is known");
    assert_eq!(taken([5, 84, 97, 91], 2, 61), None, "and another one");
}

#[test]
fn weights_of_one_sign_are_on_the_wrong_scale() {
    let check = |mean: f64, shape: [usize; 2]| {
        let mut of = history(60, 1.95);
        let first = &mut of.params[0];
        first.shape = shape.to_vec();
        (first.fan_in, first.fan_out) = (Some(shape[0]), Some(shape[1]));
        let deviation = (2.0 / shape[0] as f64).sqrt();
        (first.initial.mean, first.initial.deviation) = (mean * deviation, deviation);
        severity(&of, FindingKind::InitScale)
    };
    // Of 16 inputs: four times the deviation is a mean of 1.
    assert_eq!(check(1.01, [20, 16]), WARNING);
    assert_eq!(check(0.99, [20, 16]), None);
    assert_eq!(check(-1.01, [20, 16]), WARNING);
    assert_eq!(check(1.01, [12, 16]), None, "a common part of 3.5");
    assert_eq!(check(1.01, [20, 3]), None, "60 weights");
}

#[test]
fn sums_of_gradients_that_swing_are_told_by_their_direction_and_slow_change() {
    let check = |last: f64, cosine: f64, jumps: f64| {
        let mut of = history(60, 1.95);
        for param in &mut of.params {
            for at in &mut param.steps {
                let step = at.step.min(20) as f64;
                let swing = if at.step % 2 == 0 { jumps } else { 1.0 };
                // Down at first.
                at.gradient = swing
                    * (if step < 6.0 {
                        1.0 - 0.1 * step
                    } else {
                        1.0 + (last - 1.0) * step / 20.0
                    });
            }
            let first = param.steps[0].gradient;
            param.steps.iter_mut().for_each(|at| at.gradient /= first);
        }
        of.steps.iter_mut().for_each(|of| of.cosine = Some(cosine));
        severity(&of, FindingKind::AccumulatedGradients)
    };
    assert_eq!(check(4.0, 0.96, 1.0), FAULT);
    assert_eq!(check(2.2, 0.96, 1.0), None, "2.4 times the first");
    assert_eq!(check(4.0, 0.94, 1.0), None);
    assert_eq!(check(4.0, 0.96, 2.0), None, "it jumps");
    assert_eq!(check(20.0, 0.96, 1.0), None, "more than twenty gradients");
}

#[test]
fn of_a_training_of_which_nothing_is_known_swinging_sums_are_a_note() {
    let mut of = history(60, 1.95);
    for param in &mut of.params {
        for at in &mut param.steps {
            let step = at.step.min(20) as f64;
            // Down at first.
            at.gradient = if step < 6.0 {
                1.1 - 0.1 * step
            } else {
                0.2 * step
            };
        }
    }
    of.steps.iter_mut().for_each(|of| of.cosine = Some(0.96));
    let kind = FindingKind::AccumulatedGradients;
    assert_eq!(severity(&of, kind), FAULT);
    of.losses.clear();
    assert_eq!(severity(&of, kind), Some(Severity::Note));
}

#[test]
fn an_absolute_loss_is_graded_by_what_it_was_trained_on() {
    let check = |train: f64, valid: f64, rows: usize| {
        let mut of = regression(0.3, 0.9, 0.0);
        of.loss_kind = Some(LossKind::OtherRegression);
        let fit = |explained: f64, rows: usize| {
            let mut fit = OutputFit::default();
            (fit.rows, fit.columns, fit.explained, fit.correlated) =
                (rows, 1, explained, explained);
            Some(fit)
        };
        (of.train_fit, of.valid_fit) = (fit(train, rows), fit(valid, 300));
        of
    };
    let stuck = |of: &History| {
        let diagnosis = Diagnosis::from_history(of.clone());
        let mut found = diagnosis.of_kind(FindingKind::Underfitting);
        found
            .next()
            .map(|finding| (finding.value, finding.threshold))
    };
    // It knows its training rows by heart.
    let of = check(0.9, 0.05, 300);
    assert_eq!(stuck(&of), None);
    assert_eq!(severity(&of, FindingKind::Overfitting), WARNING);
    // Of 39 rows the share is not known, and the number is the one that was judged.
    let (value, threshold) = stuck(&check(0.15, 0.05, 39)).unwrap();
    assert_eq!(value, 0.05);
    assert!((threshold - 0.1).abs() < 1e-12, "{threshold}");
    assert_eq!(stuck(&check(0.15, 0.05, 40)), None);
    let (value, _) = stuck(&check(0.04, 0.05, 300)).unwrap();
    assert_eq!(value, 0.04, "of the training");
}

#[test]
fn a_validation_loss_that_jumps_behind_a_batch_norm_is_of_its_running_statistics() {
    let check = |factor: f64, train: f64, score: f64| {
        let mut of = classification(0.8, 0.78);
        let mode: Mode = serde_json::from_str(
            r#"{"path":"norm","layer":"BatchNorm","first":true,"switched_off":null}"#,
        )
        .unwrap();
        of.structure = Structure::default();
        of.structure.modes = vec![mode];
        of.trees = reference(score, true);
        of.epochs = (0..10)
            .map(|at| {
                let swing = |factor: f64| if at % 2 == 0 { factor } else { 1.0 };
                EpochMetrics::new()
                    .with_train_accuracy(0.8)
                    .with_valid_accuracy(0.78)
                    .with_train_loss(0.5 * swing(train))
                    .with_valid_loss(0.5 * swing(factor))
            })
            .collect();
        severity(&of, FindingKind::NormStatistics)
    };
    assert_eq!(check(1.3, 1.05, 0.9), WARNING);
    assert_eq!(check(1.27, 1.05, 0.9), None);
    assert_eq!(check(1.3, 1.07, 0.9), None, "so does the training");
    assert_eq!(check(1.3, 1.05, 0.83), None, "as good as others");
}

#[test]
fn a_training_that_ends_when_the_validation_rises_once_was_stopped_too_soon() {
    let check = |valid: [f64; 3], train: [f64; 3], score: f64| {
        let mut of = regression(0.3, 0.3, 0.1);
        of.epochs = (valid.into_iter().zip(train))
            .map(|(valid, train)| {
                EpochMetrics::new()
                    .with_train_loss(train)
                    .with_valid_loss(valid)
            })
            .collect();
        of.trees = reference(score, false);
        of.valid.as_mut().unwrap().distinct_rows = 4000;
        let diagnosis = Diagnosis::from_history(of);
        let mut found = diagnosis.of_kind(FindingKind::TooFewSteps);
        found
            .next()
            .map(|finding| finding.text.contains("had risen"))
    };
    let (rises, falls) = ([0.5, 0.25, 0.3], [0.6, 0.4, 0.3]);
    assert_eq!(check(rises, falls, 0.77), Some(true));
    assert_eq!(check(rises, falls, 0.75), None, "0.05 behind");
    assert_eq!(check([0.5, 0.35, 0.3], falls, 0.77), None, "it falls");
    assert_eq!(check([0.2, 0.25, 0.3], falls, 0.77), None, "it rose before");
    assert_eq!(check(rises, [0.6, 0.4, 0.39], 0.77), None, "learned");
}

#[test]
fn category_numbers_are_named_where_the_network_is_behind() {
    let mut of = regression(0.6, 0.6, 0.1);
    of.trees = reference(0.9, false);
    of.train.as_mut().unwrap().category_features = vec![2];
    let diagnosis = Diagnosis::from_history(of);
    let mut found = diagnosis.of_kind(FindingKind::Underfitting);
    let finding = found.next().unwrap();
    assert!(
        finding.text.contains("columns [2] number categories"),
        "{finding:?}"
    );
    let first = finding.prescriptions[0].to_string();
    assert!(first.contains("embedding"), "{first}");
}

#[test]
fn much_dropout_is_a_warning_where_something_is_missing() {
    let check = |score: f64| {
        let mut of = regression(0.2, 0.2, 0.0);
        of.trees = reference(score, false);
        let layer: DropoutLayer =
            serde_json::from_str(r#"{"name":"dropout","per_mille":700}"#).unwrap();
        of.structure.dropout = vec![layer];
        severity(&of, FindingKind::DropoutTooHigh)
    };
    assert_eq!(check(0.87), WARNING);
    assert_eq!(check(0.85), Some(Severity::Note));
}

#[test]
fn cut_and_row_scaled_and_rounded_columns_are_told_of_a_network_that_is_short_of_something() {
    let check = |kind: FindingKind, valid: f64, change: &dyn Fn(&mut DataHistory)| {
        let mut of = classification(valid, valid);
        let data = of.train.as_mut().unwrap();
        data.features = 10;
        change(data);
        severity(&of, kind)
    };
    let note = Some(Severity::Note);
    let kind = FindingKind::UnscaledInputs;
    let clipped = |data: &mut DataHistory| data.clipped_features = vec![7];
    assert_eq!(check(kind, 0.66, &clipped), WARNING);
    assert_eq!(check(kind, 0.84, &clipped), note, "it has learned");
    assert_eq!(check(kind, 0.86, &clipped), None);
    let of_eleven = |data: &mut DataHistory| {
        data.features = 11;
        data.clipped_features = vec![7];
    };
    assert_eq!(check(kind, 0.66, &of_eleven), None);
    let length =
        |variation: f64| move |data: &mut DataHistory| data.length_variation = Some(variation);
    assert_eq!(check(kind, 0.66, &length(9e-4)), WARNING);
    assert_eq!(check(kind, 0.84, &length(9e-4)), note);
    assert_eq!(check(kind, 0.66, &length(1.1e-3)), None);
    assert_eq!(check(kind, 0.86, &length(9e-4)), None);
    let kind = FindingKind::Underfitting;
    let few = |different: usize, possible: f64, ambiguous: f64| {
        move |data: &mut DataHistory| {
            (data.first_epoch_rows, data.first_epoch_distinct) = (300, different);
            (data.possible_rows, data.ambiguous) = (possible, Some(ambiguous));
        }
    };
    assert_eq!(check(kind, 0.66, &few(30, 300.0, 0.2)), WARNING);
    assert_eq!(check(kind, 0.84, &few(30, 300.0, 0.2)), note);
    assert_eq!(
        check(kind, 0.66, &few(30, 300.0, 0.1)),
        None,
        "equal rows have one target"
    );
    assert_eq!(check(kind, 0.66, &few(31, 300.0, 0.2)), None);
    assert_eq!(check(kind, 0.66, &few(30, 301.0, 0.2)), None);
    assert_eq!(check(kind, 0.86, &few(30, 300.0, 0.2)), None);
}

#[test]
fn a_softmax_for_targets_of_which_several_can_be_1_does_not_fit() {
    let check = |error: f64, sum: f64| {
        let mut of = regression(0.2, 0.2, 0.0);
        of.loss_kind = Some(LossKind::BinaryCrossEntropyOfProbabilities);
        let target = of.train.as_mut().unwrap().target.as_mut().unwrap();
        (target.columns, target.sum_error) = (3, error);
        let mut outputs = OutputHistory::default();
        (outputs.rows, outputs.columns, outputs.batches) = (32, 3, 100);
        (outputs.lowest, outputs.highest, outputs.spread) = (0.01, 0.9, 0.3);
        outputs.sum_error = sum;
        of.outputs = Some(outputs);
        severity(&of, FindingKind::OutputMismatch)
    };
    assert!(check(1.0, 1e-6) >= WARNING);
    assert_eq!(check(0.4, 1e-6), None);
    assert_eq!(check(1.0, 0.2), None);
}

#[test]
fn labels_that_another_model_learns_depend_on_the_inputs() {
    let check = |score: f64| {
        let mut of = classification(0.45, 0.37);
        of.trees = reference(score, true);
        severity(&of, FindingKind::UnrelatedLabels)
    };
    // A third is chance, and 0.05 above it the limit.
    assert_eq!(check(0.52), FAULT);
    assert_eq!(check(0.54), None);
}
