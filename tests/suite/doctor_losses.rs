//! The loss of a step against the one that its outputs and targets have.

use crate::models::alone;
use crate::own_process::passes_in_a_process_of_its_own;
use burn::module::Initializer;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::activation::{sigmoid, softmax};
use burn::tensor::{DType, Device, Distribution, FloatDType, Int, Tensor};
use burn_tricks::diagnose::{Diagnosis, DoctorConfig, FindingKind, LossCheck, LossKind, Targets};
use burn_tricks::force_init;

const ROWS: usize = 6;

/// One step of a layer of three inputs whose outputs are `outputs` of its scores; the loss is half of what is handed over.
fn checked(
    kind: LossKind,
    columns: usize,
    outputs: fn(Tensor<2>) -> Tensor<2>,
    targets: impl Into<Targets>,
) -> (LossCheck, Vec<f64>) {
    let device = Device::flex().autodiff();
    device.seed(9);
    let model: Linear = LinearConfig::new(3, columns).init(&device);
    force_init(&model);
    let mut doctor = DoctorConfig::new()
        .with_loss(Some(kind))
        .init(&model)
        .unwrap();
    let inputs = Tensor::<2>::random([ROWS, 3], Distribution::Normal(0.0, 1.0), &device);
    let outputs = outputs(model.forward(inputs.clone()));
    doctor.observe_batch(&inputs, targets);
    doctor.observe_outputs(&outputs);
    // Two elements, whose mean is 2.5.
    doctor.observe_loss(&Tensor::from_floats([2.0, 3.0], &device));
    let grads = GradientsParams::from_grads(outputs.clone().sum().backward(), &model);
    doctor.before_step(&model, &grads, 0.1);
    let checks = doctor.history(&model).loss_checks;
    assert_eq!(checks.len(), 1);
    (checks[0], outputs.into_data().iter().collect())
}

fn close(one: f64, other: f64) {
    assert!(
        (one - other).abs() < 1e-5 * other.abs().max(1.0),
        "{one} {other}"
    );
}

/// The mean over the rows, and the norm of the mean slope of each column.
fn plain(
    outputs: &[f64],
    columns: usize,
    loss: impl Fn(usize, &[f64]) -> f64,
    slope: impl Fn(usize, &[f64], usize) -> f64,
) -> [f64; 2] {
    let rows: Vec<&[f64]> = outputs.chunks(columns).collect();
    let count = rows.len() as f64;
    let mean = rows
        .iter()
        .enumerate()
        .map(|(at, row)| loss(at, row))
        .sum::<f64>()
        / count;
    let of_column = |column: usize| {
        let slopes = rows
            .iter()
            .enumerate()
            .map(|(at, row)| slope(at, row, column));
        slopes.sum::<f64>() / count
    };
    [
        mean,
        (0..columns)
            .map(|at| of_column(at).powi(2))
            .sum::<f64>()
            .sqrt(),
    ]
}

const CLASSES: [i64; ROWS] = [0, 2, 1, 1, 0, 2];
const BITS: [i64; ROWS] = [0, 1, 1, 0, 1, 1];
const NUMBERS: [f64; ROWS] = [0.5, -1.0, 2.0, 0.0, 1.5, -0.5];

fn labels(of: [i64; ROWS]) -> Tensor<1, Int> {
    Tensor::from_ints(of, &Device::flex().autodiff())
}

#[test]
fn the_own_loss_of_a_step_is_that_of_its_outputs_and_targets() {
    let _alone = alone();
    let one = |class: i64, column: usize| f64::from(u8::from(class == column as i64));
    let exps = |row: &[f64]| row.iter().map(|score| score.exp()).sum::<f64>();
    let check = |(check, outputs): (LossCheck, Vec<f64>), [own, gradient]: [f64; 2]| {
        close(check.own, own);
        close(check.gradient, gradient);
        close(check.given, 2.5);
        assert_eq!((check.step, check.rows), (1, ROWS));
        assert_eq!(outputs.len(), check.rows * check.columns);
    };

    let scores = checked(
        LossKind::CrossEntropyOfScores,
        3,
        |scores| scores,
        labels(CLASSES),
    );
    let own = plain(
        &scores.1,
        3,
        |at, row| exps(row).ln() - row[CLASSES[at] as usize],
        |at, row, column| row[column].exp() / exps(row) - one(CLASSES[at], column),
    );
    check(scores, own);

    let soft = |scores| softmax(scores, 1);
    let of_softmax = checked(
        LossKind::CrossEntropyOfProbabilities,
        3,
        soft,
        labels(CLASSES),
    );
    let own = plain(
        &of_softmax.1,
        3,
        |at, row| -row[CLASSES[at] as usize].ln(),
        |at, row, column| row[column] - one(CLASSES[at], column),
    );
    check(of_softmax, own);

    let binary = checked(
        LossKind::BinaryCrossEntropyOfScores,
        1,
        |scores| scores,
        labels(BITS),
    );
    let own = plain(
        &binary.1,
        1,
        |at, row| row[0].exp().ln_1p() - row[0] * BITS[at] as f64,
        |at, row, _| 1.0 / (1.0 + (-row[0]).exp()) - BITS[at] as f64,
    );
    check(binary, own);

    let of_sigmoid = checked(
        LossKind::BinaryCrossEntropyOfProbabilities,
        1,
        sigmoid,
        labels(BITS),
    );
    let own = plain(
        &of_sigmoid.1,
        1,
        |at, row| {
            if BITS[at] == 1 {
                -row[0].ln()
            } else {
                -(1.0 - row[0]).ln()
            }
        },
        |at, row, _| row[0] - BITS[at] as f64,
    );
    check(of_sigmoid, own);

    let targets = Tensor::<1>::from_floats(NUMBERS, &Device::flex());
    let squares = checked(LossKind::MeanSquaredError, 1, |outputs| outputs, targets);
    let crossed = squares
        .1
        .iter()
        .flat_map(|output| NUMBERS.map(|target| (output - target).powi(2)));
    close(
        squares.0.crossed.unwrap(),
        crossed.sum::<f64>() / (ROWS * ROWS) as f64,
    );
    let own = plain(
        &squares.1,
        1,
        |at, row| (row[0] - NUMBERS[at]).powi(2),
        |at, row, _| 2.0 * (row[0] - NUMBERS[at]),
    );
    check(squares, own);

    // Of classes, the squares of the distance from rows that are 1 at the class.
    let of_classes = checked(
        LossKind::MeanSquaredError,
        3,
        |outputs| outputs,
        labels(CLASSES),
    );
    let distance = |at: usize, row: &[f64], column: usize| row[column] - one(CLASSES[at], column);
    let own = plain(
        &of_classes.1,
        3,
        |at, row| {
            (0..3)
                .map(|column| distance(at, row, column).powi(2))
                .sum::<f64>()
                / 3.0
        },
        |at, row, column| 2.0 / 3.0 * distance(at, row, column),
    );
    assert_eq!(of_classes.0.crossed, None);
    check(of_classes, own);
}

/// 257 lies between two numbers of `bf16`. A device's float type is set once for a process, before its first tensor: this test
/// runs itself in another one.
#[test]
fn large_class_numbers_are_not_rounded_on_a_device_of_half() {
    const CHILD: &str = "BURN_TRICKS_DOCTOR_OF_HALF";
    if std::env::var_os(CHILD).is_some() {
        return on_a_device_of_half();
    }
    let name = "doctor_losses::large_class_numbers_are_not_rounded_on_a_device_of_half";
    passes_in_a_process_of_its_own(name, CHILD, "1", "half precision it was");
}

fn on_a_device_of_half() {
    let mut device = Device::flex();
    device.configure(FloatDType::BF16).unwrap();
    assert_eq!(Tensor::<1>::zeros([1], &device).dtype(), DType::BF16);
    println!("half precision it was");
    let classes = Tensor::<1, Int>::from_ints([257; ROWS], &device);
    let device = device.autodiff();
    let model: Linear = LinearConfig::new(3, 1)
        .with_initializer(Initializer::Zeros)
        .init(&device);
    let mut doctor = DoctorConfig::new()
        .with_loss(Some(LossKind::MeanSquaredError))
        .init(&model)
        .unwrap();
    let inputs = Tensor::<2>::ones([ROWS, 3], &device);
    let outputs = model.forward(inputs.clone());
    doctor.observe_batch(&inputs, classes);
    doctor.observe_outputs(&outputs);
    doctor.observe_loss(&Tensor::ones([1], &device));
    let grads = GradientsParams::from_grads(outputs.sum().backward(), &model);
    doctor.before_step(&model, &grads, 0.1);
    let checks = doctor.history(&model).loss_checks;
    assert_eq!(checks.len(), 1);
    close(checks[0].own, 257.0 * 257.0);
}

#[test]
fn what_is_not_handed_over_or_does_not_fit_is_not_checked() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let model: Linear = LinearConfig::new(3, 2).init(&device);
    let inputs = Tensor::<2>::ones([4, 3], &device);
    let grads =
        || GradientsParams::from_grads(model.forward(inputs.clone()).sum().backward(), &model);
    let loss = Tensor::<1>::ones([1], &device);
    let kind = Some(LossKind::MeanSquaredError);
    let of = |kind: Option<LossKind>, targets: Tensor<2>, hands_outputs: bool| {
        let mut doctor = DoctorConfig::new().with_loss(kind).init(&model).unwrap();
        doctor.observe_batch(&inputs, targets);
        if hands_outputs {
            doctor.observe_outputs(&model.forward(inputs.clone()));
        }
        doctor.observe_loss(&loss);
        doctor.before_step(&model, &grads(), 0.1);
        doctor.history(&model).loss_checks.len()
    };
    let targets = |columns: usize| Tensor::<2>::zeros([4, columns], &device);
    assert_eq!(of(kind, targets(2), true), 1);
    assert_eq!(of(kind, targets(1), true), 0, "another shape");
    assert_eq!(of(kind, targets(2), false), 0, "no outputs");
    assert_eq!(of(None, targets(2), true), 0, "an unknown loss");
    assert_eq!(of(Some(LossKind::OtherRegression), targets(2), true), 0);
}

/// Forty steps of a line through noise, with this loss.
fn trained(lr: f64, loss: fn(Tensor<2>, Tensor<1>) -> Tensor<1>) -> Diagnosis {
    let device = Device::flex().autodiff();
    device.seed(3);
    let mut model: Linear = LinearConfig::new(4, 1)
        .with_initializer(Initializer::Normal {
            mean: 0.0,
            std: 0.5,
        })
        .init(&device);
    let mut optim = SgdConfig::new().init();
    let config = DoctorConfig::new().with_loss(Some(LossKind::MeanSquaredError));
    let mut doctor = config.init(&model).unwrap();
    for _ in 0..60 {
        let inputs = Tensor::<2>::random([32, 4], Distribution::Normal(0.0, 1.0), &device);
        let targets: Tensor<1> = inputs.clone().sum_dim(1).reshape([32]);
        doctor.observe_batch(&inputs, &targets);
        let outputs = model.forward(inputs);
        doctor.observe_outputs(&outputs);
        let loss = loss(outputs, targets);
        doctor.observe_loss(&loss);
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        doctor.before_step(&model, &grads, lr);
        model = optim.step(lr, model, grads);
        doctor.after_step(&model);
    }
    doctor.diagnose(&model)
}

#[test]
fn targets_that_are_broadcast_against_the_outputs_are_seen() {
    let _alone = alone();
    let right = |outputs: Tensor<2>, targets: Tensor<1>| {
        (outputs - targets.unsqueeze_dim(1)).square().mean()
    };
    // `unsqueeze` makes a row of a vector, and 32 rows of one output are subtracted from it.
    let crossed = |outputs: Tensor<2>, targets: Tensor<1>| {
        (outputs - targets.unsqueeze::<2>()).square().mean()
    };
    let diagnosis = trained(0.05, right);
    assert!(diagnosis.is_healthy(), "{diagnosis}");
    let diagnosis = trained(0.05, crossed);
    let finding = diagnosis.of_kind(FindingKind::OutputMismatch).next();
    let finding = finding.unwrap_or_else(|| panic!("{diagnosis}"));
    assert!(finding.text.contains("32 × 32 pairs"), "{diagnosis}");
}

#[test]
fn a_summed_square_is_seen() {
    let _alone = alone();
    let summed = |outputs: Tensor<2>, targets: Tensor<1>| {
        (outputs - targets.unsqueeze_dim(1)).square().sum()
    };
    let diagnosis = trained(0.05, summed);
    let finding = diagnosis.of_kind(FindingKind::ScaledLoss).next();
    let finding = finding.unwrap_or_else(|| panic!("{diagnosis}"));
    assert!(
        finding.text.contains("the sum over the rows"),
        "{diagnosis}"
    );
}
