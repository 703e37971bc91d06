//! Rules about networks that have learned something, and less than models that need no training, or than more steps would
//! teach them.

use crate::{history, severity};
use burn_tricks_diagnose::{
    DataHistory, Diagnosis, EpochMetrics, FindingKind, History, LinearFit, LossKind, Neighbours,
    Severity, TargetStats,
};

const WARNING: Option<Severity> = Some(Severity::Warning);

/// A regression of a target of variance 1, whose loss is level at `train`, with the losses of its last epochs, and with a
/// linear fit that explains `floor` of the validation.
pub(crate) fn regression(train: f64, valid: f64, floor: f64) -> History {
    let mut of = history(300, 0.1);
    of.losses = vec![train; 300];
    of.loss_kind = Some(LossKind::MeanSquaredError);
    let mut target = TargetStats::default();
    (target.columns, target.deviation, target.column_deviation) = (1, 1.0, 1.0);
    target.outlier_ratio = 1.0;
    let mut data = DataHistory::default();
    (data.batches, data.largest_batch) = (30, 20);
    (data.rows, data.distinct_rows, data.features) = (600, 300, 4);
    (data.deviation, data.scale_ratio) = (1.0, 1.0);
    data.target = Some(target);
    (of.train, of.valid) = (Some(data.clone()), Some(data));
    let epoch = EpochMetrics::new()
        .with_train_loss(train)
        .with_valid_loss(valid);
    of.epochs = vec![epoch; 6];
    let mut fit = LinearFit::default();
    (fit.rows, fit.queries, fit.score) = (300, 1000, floor);
    of.linear_fit = Some(fit);
    of
}

/// All updates are `ratio` times their weights.
fn with_updates(mut of: History, ratio: f64) -> History {
    for at in of.params.iter_mut().flat_map(|param| &mut param.steps) {
        at.update = Some(ratio * at.weight);
    }
    of
}

#[test]
fn a_network_far_behind_a_linear_fit_underfits() {
    let kind = FindingKind::Underfitting;
    assert_eq!(severity(&regression(0.4, 0.37, 0.74), kind), WARNING);
    assert_eq!(severity(&regression(0.4, 0.35, 0.74), kind), None);
    // Of numbers that were not kept one is larger by chance.
    let mut of = regression(0.4, 0.37, 0.74);
    of.valid.as_mut().unwrap().has_other_targets = true;
    assert_eq!(severity(&of, kind), WARNING);
    // The better one of the two counts.
    let mut of = regression(0.4, 0.42, 0.1);
    let mut neighbours = Neighbours::default();
    (neighbours.queries, neighbours.score) = (1000, 0.74);
    of.neighbours = Some(neighbours);
    assert_eq!(severity(&of, kind), WARNING);
    // Of few different rows, however often they are handed over, a score tells little.
    let few = |rows: usize| {
        let mut of = regression(0.4, 0.42, 0.74);
        of.valid.as_mut().unwrap().distinct_rows = rows;
        severity(&of, kind)
    };
    assert_eq!(few(39), None);
    // Three standard errors of 0.74 are 0.16 for 68 rows, and the network is 0.16 behind.
    assert_eq!(few(66), None);
    assert_eq!(few(75), WARNING);
    // Three standard errors of a share of explained variance of 0.5 are 0.21 for a hundred rows.
    let noisy = |gap: f64| {
        let mut of = regression(0.5 + gap, 0.5 + gap, 0.5);
        of.valid.as_mut().unwrap().distinct_rows = 100;
        severity(&of, kind)
    };
    assert_eq!(noisy(0.2), None);
    assert_eq!(noisy(0.22), WARNING);
    // Scores of two sorts cannot be compared.
    let mut of = regression(0.4, 0.42, 0.74);
    of.linear_fit.as_mut().unwrap().is_accuracy = true;
    assert_eq!(severity(&of, kind), None);
}

#[test]
fn an_autoencoder_may_be_behind_the_identity_and_not_far_behind_its_neighbours() {
    let check = |valid: f64, floor: f64| {
        let mut of = regression(valid, valid, 1.0);
        let mut neighbours = Neighbours::default();
        (neighbours.queries, neighbours.score) = (1000, floor);
        of.neighbours = Some(neighbours);
        for data in [&mut of.train, &mut of.valid] {
            data.as_mut().unwrap().target.as_mut().unwrap().columns = 4;
        }
        severity(&of, FindingKind::Underfitting)
    };
    assert_eq!(check(0.5, 0.6), None);
    assert_eq!(check(0.51, 0.8), WARNING, "0.31 behind");
    assert_eq!(check(0.49, 0.8), None, "0.29 behind");
}

#[test]
fn of_targets_with_a_few_large_ones_a_score_is_less_certain() {
    let check = |kurtosis: f64| {
        let mut of = regression(0.38, 0.38, 0.8);
        let fit = of.linear_fit.as_mut().unwrap();
        fit.queries = 100;
        let target = of.valid.as_mut().unwrap().target.as_mut().unwrap();
        target.kurtosis = kurtosis;
        severity(&of, FindingKind::Underfitting)
    };
    // 0.18 behind; three standard errors of 100 rows are 0.107 for normal targets, and twice as much for a kurtosis of 9.
    assert_eq!(check(3.0), WARNING);
    assert_eq!(
        check(0.0),
        WARNING,
        "of an earlier history nothing is known"
    );
    assert_eq!(check(9.0), None);
}

#[test]
fn as_good_as_one_of_the_two_is_level() {
    let check = |neighbour: f64| {
        let mut of = regression(0.65, 0.65, 0.36);
        of.losses = (0..300).map(|at| 0.75 - 0.1 * at as f64 / 299.0).collect();
        let mut neighbours = Neighbours::default();
        (neighbours.queries, neighbours.score) = (1000, neighbour);
        of.neighbours = Some(neighbours);
        severity(&of, FindingKind::TooFewSteps)
    };
    assert_eq!(check(0.34), None);
    // Three standard errors of 0.48 over 300 rows are 0.12.
    assert_eq!(check(0.46), None);
    assert_eq!(check(0.48), WARNING);
    // Better than a linear fit, and far behind the neighbours.
    let mut of = regression(0.65, 0.65, 0.2);
    of.losses = (0..300).map(|at| 0.75 - 0.1 * at as f64 / 299.0).collect();
    assert_eq!(severity(&of, FindingKind::TooFewSteps), None);
    let mut neighbours = Neighbours::default();
    (neighbours.queries, neighbours.score) = (1000, 0.6);
    of.neighbours = Some(neighbours);
    assert_eq!(severity(&of, FindingKind::TooFewSteps), WARNING);
}

#[test]
fn a_validation_that_was_best_some_epochs_ago_asks_for_no_more_steps() {
    let check = |after: usize| {
        let mut of = regression(0.65, 0.65, 0.48);
        of.losses = (0..300).map(|at| 0.75 - 0.1 * at as f64 / 299.0).collect();
        let lowest = of.epochs.len() - 1 - after;
        of.epochs[lowest].valid_loss = Some(0.649);
        severity(&of, FindingKind::TooFewSteps)
    };
    assert_eq!(check(3), None);
    assert_eq!(check(2), WARNING);
}

#[test]
fn a_linear_network_ends_at_the_linear_fit() {
    let check = |bend: f64, linear: f64| {
        let mut of = regression(0.26, 0.26, linear);
        of.losses = (0..300)
            .map(|at| 0.26 * (1.0 + 0.8 * (299 - at) as f64 / 299.0))
            .collect();
        of.nonlinearity = Some(bend);
        of.params.truncate(1);
        severity(&of, FindingKind::TooFewSteps)
    };
    assert_eq!(check(1e-6, 0.75), None);
    assert_eq!(check(1e-2, 0.75), None, "as good as the fit");
    assert_eq!(check(1e-2, 0.81), WARNING, "0.07 below the fit");
    assert_eq!(check(1e-6, 0.79), None);
    assert_eq!(check(1e-6, 0.81), WARNING, "0.07 below the fit");
}

#[test]
fn who_is_behind_and_hardly_moves_has_too_low_a_rate() {
    let falling = |valid: f64| {
        let mut of = with_updates(regression(0.4, valid, 0.74), 9e-4);
        of.losses = (0..300).map(|at| 0.6 - 0.2 * at as f64 / 299.0).collect();
        severity(&of, FindingKind::LrTooLow)
    };
    assert_eq!(falling(0.42), WARNING);
    // By itself a network that explains 0.6 has learned.
    let of = with_updates(regression(0.4, 0.35, 0.74), 9e-4);
    assert_eq!(severity(&of, FindingKind::LrTooLow), None);
}

#[test]
fn a_training_that_is_broken_off_while_it_improves_has_too_few_steps() {
    let check = |last: f64, valid: [f64; 3], steps: usize| {
        let mut of = history(steps, last);
        of.epochs = valid
            .map(|loss| EpochMetrics::new().with_valid_loss(loss))
            .to_vec();
        severity(&of, FindingKind::TooFewSteps)
    };
    let falls = [2.0, 1.2, 0.9];
    // From 2 to 0.7: the last losses are 0.38 of the first, by itself enough to have learned.
    assert_eq!(check(0.7, falls, 100), WARNING);
    assert_eq!(check(0.5, falls, 100), None, "0.29 of the first");
    assert_eq!(check(0.7, [2.0, 0.9, 1.2], 100), None, "validation rises");
    // Most of the fall is over.
    let mut of = history(100, 0.7);
    of.losses = (0..100)
        .map(|at| {
            if at < 50 {
                2.0
            } else {
                0.75 - 1e-3 * at as f64
            }
        })
        .collect();
    assert_eq!(severity(&of, FindingKind::TooFewSteps), None);
    // A classification that is nearly as good as its neighbours leaves noise.
    let near = |accuracy: f64, neighbour: Option<f64>| {
        let mut of = history(100, 0.7);
        let mut data = DataHistory::default();
        data.classes = [(0, 50), (1, 50)].into();
        (of.train, of.valid) = (Some(data.clone()), Some(data));
        let epoch = EpochMetrics::new()
            .with_train_accuracy(accuracy)
            .with_valid_accuracy(accuracy);
        of.epochs = vec![epoch; 3];
        of.neighbours = neighbour.map(|score| {
            let mut neighbours = Neighbours::default();
            (neighbours.queries, neighbours.score, neighbours.is_accuracy) = (1000, score, true);
            neighbours
        });
        severity(&of, FindingKind::TooFewSteps)
    };
    assert_eq!(near(0.80, Some(0.94)), None);
    assert_eq!(near(0.80, Some(0.96)), WARNING);
    // Of which nothing is known, a share of 0.85 of the way from chance is nearly all.
    assert_eq!(near(0.92, None), WARNING);
    assert_eq!(near(0.93, None), None);
    // Of a regression the variance tells more.
    let check = |last: f64| {
        let mut of = regression(last, last, 0.0);
        of.losses = (0..300)
            .map(|at| last * (1.0 + 0.8 * (299 - at) as f64 / 299.0))
            .collect();
        severity(&of, FindingKind::TooFewSteps)
    };
    assert_eq!(check(0.21), WARNING);
    assert_eq!(check(0.19), None);
    // With enough steps it is their length.
    let of = with_updates(history(300, 0.7), 9e-4);
    assert_eq!(severity(&of, FindingKind::LrTooLow), WARNING);
    let of = with_updates(history(300, 0.7), 2e-3);
    assert_eq!(severity(&of, FindingKind::TooFewSteps), WARNING);
}

#[test]
fn a_schedule_that_ends_at_once_is_told_of_a_network_that_has_learned_half() {
    let check = |level: f64| {
        let mut of = regression(level, level, 0.0);
        for step in &mut of.steps {
            step.lr = if step.step < 100 { 1e-2 } else { 1e-5 };
        }
        severity(&of, FindingKind::LrTooLow)
    };
    assert_eq!(check(0.21), Some(Severity::Fault));
    assert_eq!(check(0.19), None);
    // One that ends at once is told unless hardly anything is left to learn.
    let at_once = |level: f64, steps: usize| {
        let mut of = regression(level, level, 0.0);
        for step in &mut of.steps {
            step.lr = if step.step <= steps { 1e-2 } else { 1e-5 };
        }
        severity(&of, FindingKind::LrTooLow)
    };
    assert_eq!(at_once(0.06, 59), Some(Severity::Fault));
    assert_eq!(at_once(0.06, 61), None);
    assert_eq!(at_once(0.04, 59), None);
}

#[test]
fn weights_that_have_shrunk_to_half_are_over_regularized_if_the_network_is_behind() {
    let check = |share: f64, valid: f64| {
        let mut of = regression(0.4, valid, 0.74);
        for param in &mut of.params {
            param.last.norm = share * param.initial.norm;
        }
        severity(&of, FindingKind::OverRegularized)
    };
    assert_eq!(check(0.69, 0.35), Some(Severity::Fault));
    assert_eq!(check(0.71, 0.35), None);
    assert_eq!(check(0.69, 0.33), None, "0.07 of 300 rows");
}

#[test]
fn a_loss_that_stays_at_ten_times_its_first_value_for_five_steps_went_too_far() {
    let check = |steps: usize, last: f64| {
        let mut of = history(200, last);
        of.losses[120..120 + steps].fill(20.5);
        severity(&of, FindingKind::LrTooHigh)
    };
    assert_eq!(check(5, 1.95), Some(Severity::Fault));
    assert_eq!(check(4, 1.95), None);
    assert_eq!(check(5, 0.1), None, "it has learned after that");
}

#[test]
fn weights_of_ten_times_the_usual_deviation_have_gone_too_far() {
    let check = |growth: f64, last: f64, initial: f64| {
        let mut of = history(200, last);
        for param in &mut of.params {
            let usual = param.initial.deviation;
            param.initial.deviation *= initial;
            param.last.deviation = growth * usual;
        }
        severity(&of, FindingKind::LrTooHigh)
    };
    assert_eq!(check(10.5, 1.95, 1.0), Some(Severity::Fault));
    assert_eq!(check(9.5, 1.95, 1.0), None);
    assert_eq!(check(10.5, 0.1, 1.0), None, "it has learned");
    assert_eq!(check(10.5, 1.95, 2.0), None, "large from the beginning");
    assert_eq!(check(9.5, 1.95, 1e-3), None, "small at the beginning");
}

#[test]
fn a_regression_that_explains_its_training_rows_far_better_overfits() {
    let kind = FindingKind::Overfitting;
    assert_eq!(severity(&regression(0.05, 0.27, 0.0), kind), WARNING);
    assert_eq!(severity(&regression(0.05, 0.23, 0.0), kind), None);
    assert_eq!(severity(&regression(0.79, 1.6, 0.0), kind), WARNING);
    assert_eq!(severity(&regression(0.81, 1.7, 0.0), kind), None, "0.19");
    // 18 rows are few for any network.
    let few = |rows: usize, valid: f64| {
        let mut of = regression(0.05, valid, 0.0);
        of.train.as_mut().unwrap().distinct_rows = rows;
        severity(&of, FindingKind::TooLittleData)
    };
    assert_eq!(few(18, 0.27), WARNING);
    assert_eq!(few(49, 0.27), WARNING);
    assert_eq!(few(50, 0.27), None);
    assert_eq!(few(18, 0.23), None, "it does not overfit");
}

#[test]
fn a_validation_loss_that_has_risen_overfits_unless_it_costs_little_or_was_low_once() {
    let kind = FindingKind::Overfitting;
    let check = |valid: [f64; 8], train: f64| {
        let mut of = regression(train, 0.0, 0.0);
        of.epochs = valid
            .map(|valid| {
                EpochMetrics::new()
                    .with_train_loss(train)
                    .with_valid_loss(valid)
            })
            .to_vec();
        severity(&of, kind)
    };
    // The shares that are explained are 0.13 apart, and 0.09.
    let risen = |last: f64| [0.3, 0.1, 0.1, 0.1, 0.1, last, last, last];
    assert_eq!(check(risen(0.16), 0.03), WARNING);
    assert_eq!(check(risen(0.14), 0.03), None, "1.4 times the lowest");
    let risen = |last: f64| [0.3, 0.06, 0.06, 0.06, 0.06, last, last, last];
    assert_eq!(check(risen(0.12), 0.03), Some(Severity::Note));
    // One low epoch, or one high one, is chance.
    let low = [0.3, 0.2, 0.2, 0.1, 0.2, 0.2, 0.2, 0.2];
    assert_eq!(check(low, 0.05), None);
    let high = [0.3, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.19];
    assert_eq!(check(high, 0.05), None);
    // A gap of accuracies must be beyond what few rows give by chance.
    let gap = |rows: usize| {
        let mut of = regression(0.1, 0.1, 0.0);
        of.loss_kind = None;
        of.valid.as_mut().unwrap().distinct_rows = rows;
        let epoch = EpochMetrics::new()
            .with_train_accuracy(0.9)
            .with_valid_accuracy(0.74);
        of.epochs = vec![epoch; 6];
        severity(&of, kind)
    };
    // Two standard errors of 0.74 are 0.16 for 30 rows, and less than 0.15 for 40.
    assert_eq!(gap(28), None);
    assert_eq!(gap(45), WARNING);
}

#[test]
fn batches_of_a_few_rows_are_noise_where_a_network_stays_behind() {
    let check = |rows: usize, floor: f64, falls: f64| {
        let mut of = regression(0.2, 0.2, floor);
        of.losses = (0..300)
            .map(|at| if at < 225 { 0.2 / (1.0 - falls) } else { 0.2 })
            .collect();
        of.train.as_mut().unwrap().largest_batch = rows;
        severity(&of, FindingKind::NoisyBatch)
    };
    assert_eq!(check(1, 0.87, 0.0), WARNING);
    assert_eq!(check(4, 0.87, 0.0), WARNING);
    assert_eq!(check(5, 0.87, 0.0), None);
    assert_eq!(check(1, 0.85, 0.0), None, "0.05 behind");
    assert_eq!(check(1, 0.87, 0.09), WARNING);
    assert_eq!(check(1, 0.87, 0.11), None, "on its way");
}

#[test]
fn targets_of_which_nothing_is_explained_are_unrelated() {
    let check = |train: f64, valid: f64, floor: f64| {
        severity(
            &regression(train, valid, floor),
            FindingKind::UnrelatedLabels,
        )
    };
    assert_eq!(check(0.5, 0.972, 0.04), Some(Severity::Fault));
    // Of 300 rows, more than 0.03 is beyond three standard errors of a correlation.
    assert_eq!(check(0.5, 0.965, 0.04), None);
    assert_eq!(check(0.5, 0.94, 0.04), None, "0.06 is explained");
    assert_eq!(check(0.5, 0.97, 0.06), None, "inputs tell something");
    let mut of = regression(0.5, 0.972, 0.04);
    let target = of.train.as_mut().unwrap().target.as_mut().unwrap();
    target.outlier_ratio = 10.5;
    let kind = FindingKind::UnrelatedLabels;
    assert_eq!(
        severity(&of, kind),
        None,
        "a few targets are all that counts"
    );
    // A network that has not learned its training rows either is told so if nothing else is found.
    assert_eq!(check(0.98, 1.0, 0.04), WARNING);
    assert_eq!(check(0.98, 1.0, 0.06), None);
    let diagnosis = Diagnosis::from_history(regression(0.98, 1.0, 0.04));
    assert!(diagnosis.accuses(FindingKind::Underfitting));
}

#[test]
fn a_regression_that_knows_the_validation_better_has_wrong_targets_in_training() {
    let kind = FindingKind::UnrelatedLabels;
    assert_eq!(severity(&regression(0.5, 0.34, 0.6), kind), WARNING);
    assert_eq!(severity(&regression(0.5, 0.36, 0.6), kind), None);
    assert_eq!(severity(&regression(1.2, 0.84, 0.6), kind), WARNING);
    assert_eq!(severity(&regression(1.2, 0.86, 0.6), kind), None, "0.14");
    let mut of = regression(0.5, 0.34, 0.6);
    of.epochs[4] = of.epochs[4].clone().with_train_loss(0.54);
    assert_eq!(severity(&of, kind), WARNING, "in five epochs");
    of.epochs[3] = of.epochs[3].clone().with_valid_loss(0.48);
    assert_eq!(severity(&of, kind), None, "it still learns");
}

#[test]
fn the_numbers_of_classes_are_no_targets_of_a_regression_that_does_not_learn() {
    let check = |classes: usize, loss: f64| {
        let mut of = regression(loss, loss, 0.0);
        let target = of.train.as_mut().unwrap().target.as_mut().unwrap();
        target.class_numbers = classes;
        severity(&of, FindingKind::OutputMismatch)
    };
    assert_eq!(check(3, 0.7), WARNING);
    assert_eq!(check(2, 0.7), None);
    assert_eq!(check(0, 0.7), None);
    assert_eq!(check(3, 0.5), None, "it has learned");
}

#[test]
fn as_good_as_the_best_model_is_learned_however_much_is_noise() {
    let check = |valid: f64, floor: f64| {
        let mut of = regression(valid, valid, floor);
        of.train.as_mut().unwrap().deviation = 11.0;
        severity(&of, FindingKind::UnscaledInputs)
    };
    // By itself a network that explains 0.3 has learned a part.
    assert_eq!(check(0.7, 0.29), Some(Severity::Note));
    // The standard error of 0.34 over 300 rows is 0.044.
    assert_eq!(check(0.7, 0.34), Some(Severity::Note));
    assert_eq!(check(0.7, 0.36), WARNING);
    assert_eq!(check(0.7, 0.04), WARNING, "others learn nothing");
    // Little is left to learn from there on, however the rate is scheduled.
    let ended = |floor: f64| {
        let mut of = regression(0.7, 0.7, floor);
        for step in &mut of.steps {
            step.lr = if step.step < 100 { 1e-2 } else { 1e-5 };
        }
        severity(&of, FindingKind::LrTooLow)
    };
    assert_eq!(ended(0.36), Some(Severity::Fault));
    assert_eq!(ended(0.29), None);
}

#[test]
fn two_linear_maps_that_give_their_inputs_back_are_a_note() {
    let check = |columns: usize| {
        let mut of = regression(0.1, 0.1, 0.0);
        of.nonlinearity = Some(1e-6);
        for data in [&mut of.train, &mut of.valid] {
            data.as_mut().unwrap().target.as_mut().unwrap().columns = columns;
        }
        severity(&of, FindingKind::LinearNetwork)
    };
    assert_eq!(check(1), WARNING);
    assert_eq!(check(4), Some(Severity::Note));
}

#[test]
fn a_series_in_its_order_is_a_note_where_it_was_learned() {
    let check = |valid: f64, floor: Option<f64>| {
        let mut of = regression(valid, valid, floor.unwrap_or(0.0));
        if floor.is_none() {
            of.linear_fit = None;
        }
        of.train.as_mut().unwrap().between_batches = 0.5;
        severity(&of, FindingKind::SortedData)
    };
    assert_eq!(check(0.1, Some(0.95)), Some(Severity::Note));
    assert_eq!(check(0.1, Some(0.97)), WARNING, "0.07 behind");
    assert_eq!(check(0.1, None), WARNING, "nobody knows what is there");
}

#[test]
fn a_few_dozen_steps_below_another_model_are_too_few() {
    let check = |steps: usize, floor: f64, last: f64| {
        let mut of = regression(0.3, 0.3, floor);
        of.steps_taken = steps;
        of.losses = (0..steps)
            .map(|at| 0.4 + (last - 0.4) * at as f64 / (steps - 1) as f64)
            .collect();
        severity(&of, FindingKind::TooFewSteps)
    };
    assert_eq!(check(40, 0.78, 0.3), WARNING, "0.08 behind");
    assert_eq!(check(40, 0.74, 0.3), None);
    assert_eq!(check(60, 0.78, 0.3), None, "and still learning");
    assert_eq!(check(40, 0.78, 0.4), None, "at its end");
}
