//! The loss of a step against the one that its outputs and targets have.

use crate::history::loss_check::LossCheck;
use crate::loss_kind::LossKind;
use crate::numbers::{join, norm, read};
use crate::record::pairs::Pairs;
use crate::targets::Targets;
use burn::tensor::activation::{log_softmax, sigmoid, softmax};
use burn::tensor::{DType, FloatDType, Int, Tensor};

/// The smallest probability whose logarithm is taken, as in Keras.
const SMALLEST: f64 = 1e-7;

/// The rows of training whose outputs are kept.
const PAIRS: usize = 512;

/// The numbers of a check on the device.
const NUMBERS: usize = 4;

/// What the present step has handed over, and the checks of the steps before it.
#[derive(Debug, Default)]
pub(crate) struct LossChecks {
    targets: Option<Targets>,
    outputs: Option<Tensor<2>>,
    loss: Option<Tensor<1>>,
    /// Those of the last recorded steps.
    pub(crate) pairs: Pairs,
    done: Vec<(LossCheck, Tensor<1>)>,
}

impl LossChecks {
    /// The targets of the last batch.
    pub(crate) fn targets(&mut self, targets: &Targets) {
        self.targets = Some(targets.clone());
    }

    /// The outputs for the last batch.
    pub(crate) fn outputs(&mut self, outputs: &Tensor<2>) {
        self.outputs = Some(outputs.clone().without_autodiff());
    }

    /// The loss of the last batch.
    pub(crate) fn loss(&mut self, loss: &Tensor<1>) {
        self.loss = Some(loss.clone().without_autodiff());
    }

    /// Ends a step: checks its loss if the step is recorded, has a number, and targets, outputs and loss were handed over.
    /// Nothing is read from the device.
    pub(crate) fn end(&mut self, recorded: Option<usize>, kind: Option<LossKind>) {
        let handed = (self.targets.take(), self.outputs.take(), self.loss.take());
        if let ((Some(Targets::Values(targets)), Some(outputs), _), Some(_)) = (&handed, recorded) {
            self.pairs.push(outputs, targets, PAIRS);
        }
        if let ((Some(targets), Some(outputs), Some(loss)), Some(step), Some(kind)) =
            (handed, recorded, kind)
        {
            self.done.extend(check(step, kind, targets, outputs, &loss));
        }
    }

    /// Waits for the device.
    pub(crate) fn read(&self) -> Vec<LossCheck> {
        let numbers = self.done.iter().map(|(_, numbers)| numbers.clone());
        let numbers = join(numbers.collect()).map_or_else(Vec::new, |all| read(&all));
        let numbers = numbers.chunks_exact(NUMBERS);
        let checks = self.done.iter().zip(numbers);
        let check = |((check, _), numbers): (&(LossCheck, _), &[f64])| LossCheck {
            own: numbers[0],
            gradient: numbers[1],
            crossed: check.crossed.map(|_| numbers[2]),
            given: numbers[3],
            ..*check
        };
        checks.map(check).collect()
    }
}

/// The loss of a step against the one that its outputs and targets have: the numbers are to come from the device.
fn check(
    step: usize,
    kind: LossKind,
    targets: Targets,
    outputs: Tensor<2>,
    loss: &Tensor<1>,
) -> Option<(LossCheck, Tensor<1>)> {
    let [rows, columns] = outputs.dims();
    if rows == 0 || columns == 0 {
        return None;
    }
    let outputs = outputs.cast(FloatDType::F32);
    let wanted = wanted(targets, &outputs)?;
    let (own, gradient) = mean_loss(kind, outputs.clone(), wanted.clone())?;
    let crossed = if columns == 1 {
        let mean = wanted.clone().mean_dim(0).expand([rows, 1]);
        let (loss, _) = mean_loss(kind, outputs, mean.clone())?;
        // A cross-entropy is linear in the target, and a square is not.
        Some(match kind {
            LossKind::MeanSquaredError => loss + (wanted - mean).square().mean(),
            _ => loss,
        })
    } else {
        None
    };
    let check = LossCheck {
        step,
        rows,
        columns,
        crossed: crossed.as_ref().map(|_| f64::NAN),
        ..LossCheck::default()
    };
    let crossed = crossed.unwrap_or_else(|| own.clone());
    let numbers = join(vec![own, gradient, crossed, loss.clone().mean()])?;
    Some((check, numbers))
}

/// The targets as `[rows, columns]` on the device of `outputs`, classes as rows that are 1 at the class or, for a single
/// output, as the number of the class; `None` if they are of another shape.
fn wanted(targets: Targets, outputs: &Tensor<2>) -> Option<Tensor<2>> {
    let [rows, columns] = outputs.dims();
    let device = outputs.device();
    let wanted = match targets {
        Targets::Values(values) if values.dims() == [rows, columns] => values.without_autodiff(),
        Targets::Classes(classes) if classes.dims() == [rows] => {
            let classes = classes.reshape([rows, 1]);
            if columns == 1 {
                // `float` would give the device's own type, and half precision rounds large numbers.
                classes.cast(FloatDType::F32).without_autodiff()
            } else {
                let options = (&classes.device(), DType::I32);
                let numbers = Tensor::<1, Int>::arange(0..columns as i64, options);
                let classes = classes.cast(numbers.dtype());
                let numbers = numbers.reshape([1, columns]).expand([rows, columns]);
                // A class without an output becomes a row of zeros.
                let is_class = classes.expand([rows, columns]).equal(numbers);
                is_class.float().without_autodiff()
            }
        }
        _ => return None,
    };
    Some(wanted.cast(FloatDType::F32).to_device(&device))
}

/// The mean loss, and the norm of its gradient with respect to a bias of the outputs.
fn mean_loss(
    kind: LossKind,
    outputs: Tensor<2>,
    wanted: Tensor<2>,
) -> Option<(Tensor<1>, Tensor<1>)> {
    let [_, columns] = outputs.dims();
    let per_row = |losses: Tensor<2>| losses.sum_dim(1).mean();
    let (loss, slopes) = match kind {
        LossKind::MeanSquaredError => {
            let error = outputs - wanted;
            let slopes = error.clone() * (2.0 / columns as f64);
            (error.square().mean(), slopes)
        }
        LossKind::CrossEntropyOfScores if columns >= 2 => {
            let slopes = softmax(outputs.clone(), 1) - wanted.clone();
            (per_row(-wanted * log_softmax(outputs, 1)), slopes)
        }
        LossKind::CrossEntropyOfProbabilities if columns >= 2 => {
            let logs = outputs.clone().clamp(SMALLEST, 1.0).log();
            (per_row(-wanted.clone() * logs), outputs - wanted)
        }
        LossKind::BinaryCrossEntropyOfScores => {
            let rest = outputs.clone().abs().neg().exp().log1p();
            let losses = outputs.clone().clamp_min(0.0) - outputs.clone() * wanted.clone() + rest;
            let slopes = (sigmoid(outputs) - wanted) / columns as f64;
            (losses.mean(), slopes)
        }
        LossKind::BinaryCrossEntropyOfProbabilities => {
            let yes = outputs.clone().clamp(SMALLEST, 1.0 - SMALLEST);
            let no = yes.clone().neg() + 1.0;
            let losses = wanted.clone() * yes.log() + (wanted.clone().neg() + 1.0) * no.log();
            (-losses.mean(), (outputs - wanted) / columns as f64)
        }
        _ => return None,
    };
    Some((loss, norm(&slopes.mean_dim(0))))
}
