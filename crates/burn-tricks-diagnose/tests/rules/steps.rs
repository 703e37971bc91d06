//! Rules about steps, weights and targets that do not belong together.

use crate::{history, severity};
use burn_tricks_diagnose::{
    Closeness, DataHistory, EpochMetrics, FindingKind, History, LossCheck, LossKind, Neighbours,
    Severity, TargetStats,
};

const WARNING: Option<Severity> = Some(Severity::Warning);

/// Accuracies of epochs of ten steps each, of which the nearest rows reach 0.9.
fn of_accuracies(train: f64, valid: &[f64]) -> History {
    let mut of = history(10 * valid.len(), 0.5);
    let mut data = DataHistory::default();
    data.classes = [(0, 100), (1, 100)].into();
    (data.rows, data.distinct_rows) = (200, 200);
    (of.train, of.valid) = (Some(data.clone()), Some(data));
    let mut near = Neighbours::default();
    (near.rows, near.queries) = (200, 200);
    (near.score, near.is_accuracy) = (0.9, true);
    of.neighbours = Some(near);
    of.epochs = valid
        .iter()
        .enumerate()
        .map(|(at, valid)| {
            let mut epoch = EpochMetrics::new()
                .with_train_accuracy(train)
                .with_valid_accuracy(*valid);
            epoch.step = 10 * (at + 1);
            epoch
        })
        .collect();
    of
}

#[test]
fn updates_of_one_size_are_those_of_a_new_optimizer() {
    let check = |size: f64, valid: f64| {
        let mut of = of_accuracies(0.9, &[valid; 4]);
        for param in &mut of.params {
            let root = (param.elements() as f64).sqrt();
            for at in &mut param.steps {
                at.update = Some(1e-3 * root * size);
            }
        }
        severity(&of, FindingKind::LrTooHigh)
    };
    assert_eq!(check(1.0, 0.82), WARNING);
    assert_eq!(
        check(1.0, 0.9),
        Some(Severity::Note),
        "as good as neighbours"
    );
    assert_eq!(check(0.9, 0.82), None);
}

#[test]
fn updates_that_have_nothing_to_do_with_gradients_are_late() {
    let check = |cosine: f64, valid: f64| {
        let mut of = of_accuracies(0.9, &[valid; 4]);
        for at in &mut of.steps[20..] {
            at.update_cosine = Some(cosine);
        }
        severity(&of, FindingKind::LrTooHigh)
    };
    assert_eq!(check(0.04, 0.82), WARNING);
    assert_eq!(
        check(0.04, 0.9),
        Some(Severity::Note),
        "learned all the same"
    );
    assert_eq!(check(0.06, 0.82), None);
}

#[test]
fn epochs_that_begin_with_one_weight_were_reset() {
    let check = |weight: fn(usize) -> f64, update: f64| {
        let mut of = of_accuracies(0.6, &[0.6; 5]);
        for param in &mut of.params {
            for at in &mut param.steps {
                // Steps 11, 21, 31 and 41 begin an epoch.
                at.weight = weight(at.step);
                at.update = Some(update);
            }
        }
        severity(&of, FindingKind::WeightsReset)
    };
    assert_eq!(
        check(|step| (step % 10) as f64, 1e-3),
        Some(Severity::Fault)
    );
    assert_eq!(check(|step| step as f64, 1e-3), None);
    assert_eq!(check(|_| 1.0, 0.0), None, "nothing moves");
}

#[test]
fn a_validation_far_below_what_is_known_is_of_other_weights() {
    let check = |train: f64, valid: &[f64], score: f64| {
        let mut of = of_accuracies(train, valid);
        let mut near = Closeness::default();
        (near.train_score, near.valid_score, near.is_accuracy) = (0.9, score, true);
        near.spread = Some(1.0);
        of.closeness = Some(near);
        severity(&of, FindingKind::StaleValidation)
    };
    assert_eq!(check(0.95, &[0.6, 0.3, 0.5, 0.4], 0.9), WARNING);
    assert_eq!(
        check(0.95, &[0.6, 0.7, 0.8, 0.8, 0.8, 0.4], 0.9),
        None,
        "it was better"
    );
    assert_eq!(check(0.95, &[0.66; 4], 0.9), None, "by 0.24");
    assert_eq!(check(0.8, &[0.4; 4], 0.9), None, "it knows less");
    assert_eq!(check(0.95, &[0.4; 4], 0.7), None, "other data");
}

#[test]
fn an_average_far_behind_the_weights_is_too_slow() {
    let check = |behind: f64, valid: f64| {
        let mut of = of_accuracies(0.9, &[valid; 4]);
        (of.average_moved, of.average_behind) = (Some(0.01), Some(behind));
        severity(&of, FindingKind::AverageNeverStarted)
    };
    assert_eq!(check(0.9, 0.5), Some(Severity::Fault));
    assert_eq!(check(0.9, 0.9), Some(Severity::Note));
    assert_eq!(check(0.4, 0.5), None);
}

fn of_targets(change: impl Fn(&mut DataHistory, &mut DataHistory)) -> History {
    let mut of = of_accuracies(0.8, &[0.6; 4]);
    let mut data = DataHistory::default();
    (data.rows, data.distinct_rows) = (200, 200);
    let mut target = TargetStats::default();
    (target.columns, target.deviation) = (1, 1.0);
    (target.min, target.max) = (-2.0, 2.0);
    data.target = Some(target);
    let mut valid = data.clone();
    change(&mut data, &mut valid);
    (of.train, of.valid) = (Some(data), Some(valid));
    of
}

#[test]
fn cyclic_targets_do_not_fit_and_overflowed_ones_are_wrong() {
    let check = |share: f64, most: f64| {
        let of = of_targets(|train, valid| {
            train.wrapped_target = Some(share);
            let mut target = valid.target.unwrap();
            target.max = most;
            valid.target = Some(target);
        });
        [FindingKind::OutputMismatch, FindingKind::UnrelatedLabels].map(|kind| severity(&of, kind))
    };
    assert_eq!(check(0.7, 2.0), [WARNING, None]);
    assert_eq!(check(0.7, 2.3), [None, WARNING]);
    assert_eq!(check(0.5, 2.3), [None, None]);
}

#[test]
fn targets_that_were_cut_off_are_wrong() {
    let check = |share: f64, most: f64, of_valid: f64| {
        let of = of_targets(|train, valid| {
            train.piled_targets = [0.0, share];
            valid.piled_targets = [0.0, of_valid];
            let mut target = valid.target.unwrap();
            target.max = most;
            valid.target = Some(target);
        });
        severity(&of, FindingKind::UnrelatedLabels)
    };
    assert_eq!(check(0.1, 3.0, 0.0), WARNING);
    assert_eq!(check(0.04, 3.0, 0.0), None, "few");
    assert_eq!(check(0.1, 2.1, 0.0), None, "the same range");
    assert_eq!(check(0.1, 3.0, 0.1), None, "as in the validation");
}

#[test]
fn features_and_places_that_tell_other_things_in_the_training() {
    let leaks = |features: Vec<usize>, train: f64| {
        let mut of = of_accuracies(train, &[0.6; 4]);
        let mut data = of.valid.take().unwrap();
        data.less_told_features = features;
        of.valid = Some(data);
        severity(&of, FindingKind::LeakingInput)
    };
    assert_eq!(leaks(vec![1], 0.8), WARNING);
    assert_eq!(leaks(vec![], 0.8), None);
    assert_eq!(leaks(vec![1], 0.69), None, "no gap");
    let places = |train: f64, valid: f64| {
        let of = of_targets(|of_train, of_valid| {
            (of_train.in_place, of_valid.in_place) = (Some(train), Some(valid));
        });
        severity(&of, FindingKind::UnrelatedLabels)
    };
    assert_eq!(places(0.5, 0.7), WARNING);
    assert_eq!(places(-0.7, 0.7), WARNING);
    assert_eq!(places(0.6, 0.7), None);
    let shares = |ones: usize, follows: f64| {
        let mut of = of_accuracies(0.8, &[0.6; 4]);
        let mut data = of.train.take().unwrap();
        data.classes = [(0, 200 - ones), (1, ones)].into();
        of.train = Some(data);
        let mut data = of.valid.take().unwrap();
        data.shift_with_classes = Some([follows, 0.1]);
        of.valid = Some(data);
        severity(&of, FindingKind::UnrelatedLabels)
    };
    assert_eq!(shares(130, 0.2), WARNING);
    assert_eq!(shares(130, 0.4), None, "within three errors");
    assert_eq!(shares(115, 0.2), None, "hardly more");
}

#[test]
fn a_series_that_is_known_where_it_is_an_input_sees_ahead() {
    let check = |inside: f64, outside: f64| {
        let mut of = of_targets(|_, valid| valid.repeated_targets = vec![0, 1, 2]);
        of.valid_columns = vec![inside, inside, inside, outside];
        severity(&of, FindingKind::LeakingInput)
    };
    assert_eq!(check(0.99, 0.4), Some(Severity::Fault));
    assert_eq!(check(0.99, 0.9), None);
    assert_eq!(check(0.8, 0.4), None);
}

#[test]
fn an_output_far_behind_the_nearest_rows_while_others_have_learned() {
    let check = |own: [f64; 2]| {
        let mut of = of_targets(|_, _| {});
        // Neither behind nor unfinished.
        (of.neighbours, of.losses) = (None, vec![0.1; 40]);
        of.valid_columns = own.to_vec();
        of.neighbour_columns = vec![0.9, 0.9];
        severity(&of, FindingKind::Underfitting)
    };
    assert_eq!(check([0.95, 0.6]), WARNING);
    assert_eq!(check([0.95, 0.75]), None);
    assert_eq!(check([0.6, 0.6]), None, "none has learned");
}

/// A training whose loss is now this many times that of all rows of its batch, and now this part of it.
pub(crate) fn with_uneven_losses(factor: f64) -> History {
    let mut of = of_accuracies(0.8, &[0.8; 4]);
    of.loss_kind = Some(LossKind::CrossEntropyOfScores);
    of.loss_checks = (1..=12)
        .map(|step| {
            let mut check = LossCheck::default();
            (check.step, check.rows, check.columns) = (step, 32, 2);
            let factor = [factor, 1.0, 1.0 / factor][step % 3];
            (check.given, check.own) = (0.5 * factor, 0.5);
            check
        })
        .collect();
    of
}

#[test]
fn a_loss_that_is_now_larger_and_now_smaller_is_that_of_a_part() {
    let check = |factor: f64| severity(&with_uneven_losses(factor), FindingKind::NoisyBatch);
    assert_eq!(check(1.6), WARNING);
    assert_eq!(check(1.4), None);
}

#[test]
fn weights_before_a_function_without_a_slope_have_no_gradient() {
    let check = |first: f64, last: f64| {
        let mut of = history(60, 1.95);
        let count = of.params.len();
        for (at, param) in of.params.iter_mut().enumerate() {
            let gradient = if at + 1 == count { last } else { first };
            param.steps.iter_mut().for_each(|at| at.gradient = gradient);
        }
        severity(&of, FindingKind::VanishingGradient)
    };
    assert_eq!(check(0.0, 1.0), Some(Severity::Fault));
    assert_eq!(check(0.0, 0.0), None);
    assert_eq!(check(0.5, 1.0), None);
}

#[test]
fn a_training_that_ends_while_both_losses_improve_was_cut_short() {
    let check = |fall: f64, valid: f64| {
        let mut of = of_accuracies(0.8, &[valid; 5]);
        for (at, epoch) in of.epochs.iter_mut().enumerate() {
            let loss = Some(fall.powi(at as i32));
            (epoch.train_loss, epoch.valid_loss) = (loss, loss);
        }
        // The losses of the steps have come to their end.
        of.losses = vec![0.3; 50];
        severity(&of, FindingKind::TooFewSteps)
    };
    assert_eq!(check(0.9, 0.82), WARNING);
    assert_eq!(check(0.96, 0.82), None, "hardly");
    assert_eq!(check(0.9, 0.85), None, "as good as neighbours");
}

#[test]
fn a_single_large_loss_of_a_rare_class_is_no_step_too_far() {
    let check = |ones: usize, steps: usize| {
        let mut of = history(60, 1.95);
        of.losses = vec![1.0; 60];
        of.losses[20..20 + steps].fill(12.0);
        let mut data = DataHistory::default();
        data.classes = [(0, 100), (1, ones)].into();
        of.train = Some(data);
        severity(&of, FindingKind::LrTooHigh)
    };
    let fault = Some(Severity::Fault);
    assert_eq!(check(50, 1), fault);
    assert_eq!(check(5, 1), None);
    assert_eq!(check(5, 5), fault);
}
