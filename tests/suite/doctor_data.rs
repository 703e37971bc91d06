//! What the doctor measures of rows: a linear fit, nearest neighbours, outliers and numbers of classes.

use crate::models::alone;
use burn::nn::LinearConfig;
use burn::tensor::{Device, Distribution, Int, Tensor};
use burn_tricks::diagnose::{DoctorConfig, History, Targets};

/// What a doctor measures of training rows and validation rows.
fn measured<T: Into<Targets>>(train: (Tensor<2>, T), valid: (Tensor<2>, T)) -> History {
    let model = LinearConfig::new(3, 2).init(&Device::flex().autodiff());
    let mut doctor = DoctorConfig::new().init(&model).unwrap();
    doctor.observe_batch(&train.0, train.1);
    doctor.observe_validation_batch(&valid.0, valid.1);
    doctor.history(&model)
}

/// Standard normal rows, the third column in millionths.
fn inputs(rows: usize) -> Tensor<2> {
    let device = Device::flex();
    let inputs = Tensor::<2>::random([rows, 3], Distribution::Normal(0.0, 1.0), &device);
    inputs * Tensor::<2>::from_floats([[1.0, 1.0, 1e-6]], &device)
}

/// Two targets of a row: the first input, and twice the second plus a million times the third.
fn two_lines(inputs: &Tensor<2>) -> Tensor<2> {
    let column = |at: usize| inputs.clone().narrow(1, at, 1);
    let second = column(1) * 2.0 + column(2) * 1e6;
    Tensor::cat(vec![column(0) + 100.0, second], 1)
}

#[test]
fn several_targets_have_a_linear_fit_and_neighbours() {
    let _alone = alone();
    Device::flex().seed(3);
    let (train, valid) = (inputs(700), inputs(200));
    let targets = [two_lines(&train), two_lines(&valid)];
    let [of_train, of_valid] = targets;
    let history = measured((train, of_train), (valid, of_valid));
    let fit = history.linear_fit.unwrap();
    assert!(fit.score > 0.9999 && !fit.is_accuracy, "{fit:?}");
    assert_eq!((fit.rows, fit.queries), (700, 200));
    let neighbours = history.neighbours.unwrap();
    assert!(
        (0.8..0.99).contains(&neighbours.score) && !neighbours.is_accuracy,
        "{neighbours:?}"
    );
    // Variances 1 and 5: of all numbers about 100 and 0 the deviation is 50.
    let target = history.train.unwrap().target.unwrap();
    assert!((target.column_deviation - 3f64.sqrt()).abs() < 0.1);
    assert!(target.deviation > 49.0);
    assert!((1.1..1.5).contains(&target.outlier_ratio), "{target:?}");
}

#[test]
fn classes_have_a_linear_fit() {
    let _alone = alone();
    Device::flex().seed(4);
    let labelled = |rows: usize| {
        let inputs = inputs(rows);
        let sum = inputs.clone().narrow(1, 0, 1) + inputs.clone().narrow(1, 2, 1) * 1e6;
        let labels: Tensor<1, Int> = sum.greater_elem(0.0).int().reshape([rows]);
        (inputs, labels * 3 + 4)
    };
    let fit = measured(labelled(600), labelled(200)).linear_fit.unwrap();
    assert!(fit.score > 0.95 && fit.is_accuracy, "{fit:?}");
}

#[test]
fn rows_that_do_not_fit_together_have_no_fit() {
    let _alone = alone();
    Device::flex().seed(5);
    let rows = |count: usize| {
        let inputs = inputs(count);
        let targets = two_lines(&inputs);
        (inputs, targets)
    };
    assert!(measured(rows(39), rows(200)).linear_fit.is_none());
    assert!(measured(rows(200), rows(39)).linear_fit.is_none());
    let one_column = || {
        let (inputs, targets) = rows(200);
        (inputs, targets.narrow(1, 0, 1))
    };
    assert!(measured(rows(200), one_column()).linear_fit.is_none());
    assert!(measured(one_column(), one_column()).linear_fit.is_some());
    let broken = || {
        let (inputs, targets) = rows(200);
        let nan = Tensor::<2>::full([1, 3], f32::NAN, &Device::flex());
        (inputs.slice_assign([0..1, 0..3], nan), targets)
    };
    assert!(measured(broken(), rows(200)).linear_fit.is_none());
    assert!(measured(rows(200), broken()).linear_fit.is_none());
    let constant = || (Tensor::<2>::ones([200, 3], &Device::flex()), rows(200).1);
    let fit = measured(constant(), constant()).linear_fit.unwrap();
    assert!(fit.score.abs() < 0.1, "{fit:?}");
}

#[test]
fn outliers_are_told_from_tails_and_from_what_is_seldom_on() {
    let _alone = alone();
    Device::flex().seed(6);
    let of = |inputs: Tensor<2>| {
        let targets = two_lines(&inputs);
        measured((inputs.clone(), targets.clone()), (inputs, targets))
            .train
            .unwrap()
    };
    let normal = inputs(400);
    let data = of(normal.clone());
    assert_eq!(data.outlying_features, 0);
    assert!((1.2..1.45).contains(&data.outlier_ratio), "{data:?}");
    let tails = of(normal.clone().exp());
    assert_eq!(tails.outlying_features, 0, "{tails:?}");
    let far = Tensor::<2>::full([2, 1], 1e4, &Device::flex());
    let with_far = normal.slice_assign([0..2, 1..2], far);
    let data = of(with_far.clone());
    assert_eq!(data.outlying_features, 1);
    assert!(data.outlier_ratio > 100.0, "{data:?}");
    assert!(data.target.unwrap().outlier_ratio > 100.0);
    // A switch that is on in two rows of 400.
    assert_eq!(
        of(with_far.greater_elem(100.0).float()).outlying_features,
        0
    );
}

#[test]
fn whole_numbers_without_a_gap_may_number_classes() {
    let _alone = alone();
    let classes = |values: &[f32]| {
        let rows = values.len();
        let device = Device::flex();
        let targets = Tensor::<1>::from_floats(values, &device).reshape([rows, 1]);
        let inputs = Tensor::<2>::ones([rows, 3], &device);
        let history = measured((inputs.clone(), targets.clone()), (inputs, targets));
        history.train.unwrap().target.unwrap().class_numbers
    };
    assert_eq!(classes(&[0.0, 2.0, 1.0, 0.0]), 3);
    assert_eq!(classes(&[1.0, 2.0, 3.0]), 3);
    assert_eq!(classes(&[0.0, 2.0]), 0, "a gap");
    assert_eq!(classes(&[2.0, 3.0]), 0, "from 2 on");
    assert_eq!(classes(&[0.0, 1.0, 1.5]), 0);
    assert_eq!(classes(&[0.0, 1.0, f32::NAN]), 0);
    assert_eq!(classes(&[-1.0, 0.0, 1.0]), 0);
    let many: Vec<f32> = (0..21u8).map(f32::from).collect();
    assert_eq!(classes(&many), 0);
}

#[test]
fn rows_that_are_validated_in_each_epoch_tell_no_more_than_once() {
    let _alone = alone();
    Device::flex().seed(7);
    let targets = |inputs: &Tensor<2>| two_lines(inputs);
    let train = inputs(300);
    // Fifteen rows of half the deviation, or of another mean, may be by chance; six hundred are not.
    let valid = |rows: usize, times: usize| {
        let rows = inputs(rows) * 0.5 + 0.6;
        let all = Tensor::cat(vec![rows; times], 0);
        let of_all = targets(&all);
        let history = measured((train.clone(), targets(&train)), (all, of_all));
        let valid = history.valid.unwrap();
        (valid.shifted_features, valid.rescaled_features)
    };
    let (shifted, rescaled) = valid(600, 1);
    assert!(shifted > 0.5 && rescaled > 0.5, "{shifted} {rescaled}");
    let (shifted, rescaled) = valid(15, 40);
    assert!(shifted < 0.5 && rescaled < 0.5, "{shifted} {rescaled}");
}
