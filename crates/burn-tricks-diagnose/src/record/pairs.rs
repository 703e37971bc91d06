//! Outputs with the numbers that they should be.

use crate::history::output_fit::OutputFit;
use crate::loss_kind::LossKind;
use burn::tensor::Tensor;
use burn_tricks_kernels::numbers;
use std::collections::VecDeque;

/// The most numbers that are kept: 4 MiB of outputs and of targets each, in `f32`.
const MOST: usize = 1 << 20;

/// Of more columns each is not looked at.
const COLUMNS: usize = 512;

/// The last outputs and targets, on their device.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    batches: VecDeque<[Tensor<2>; 2]>,
    count: usize,
    has_ended: bool,
}

impl Pairs {
    /// Keeps them, and at most `limit` rows.
    pub(crate) fn push(&mut self, outputs: &Tensor<2>, targets: &Tensor<2>, limit: usize) {
        let [rows, columns] = outputs.dims();
        if rows == 0 || columns == 0 || targets.dims() != [rows, columns] {
            return;
        }
        if std::mem::take(&mut self.has_ended) {
            self.batches.clear();
            self.count = 0;
        }
        let [outputs, targets] = [outputs, targets].map(|of| of.clone().without_autodiff());
        let is_alike = |[last, _]: &[Tensor<2>; 2]| last.dims()[1] == columns;
        if !self.batches.back().is_none_or(is_alike) {
            return;
        }
        self.count += rows * columns;
        self.batches.push_back([outputs, targets]);
        let most = limit.saturating_mul(columns).min(MOST);
        while self.count > most && self.batches.len() > 1 {
            let dropped = self.batches.pop_front();
            self.count -= dropped.map_or(0, |[outputs, _]| outputs.shape().num_elements());
        }
    }

    /// The next outputs are those of another pass.
    pub(crate) fn end(&mut self) {
        self.has_ended = true;
    }

    /// Waits for the device.
    pub(crate) fn read(&self, kind: Option<LossKind>) -> Option<OutputFit> {
        let (columns, [outputs, targets]) = self.numbers()?;
        OutputFit::of(columns, &outputs, &targets, kind)
    }

    /// The share of the variance of each column of targets that the outputs explain. Waits for the device.
    pub(crate) fn columns(&self, kind: Option<LossKind>) -> Vec<f64> {
        let few = self.numbers().filter(|(columns, _)| *columns <= COLUMNS);
        let Some((columns, [outputs, targets])) = few else {
            return Vec::new();
        };
        let column = |of: &[f64], at: usize| -> Vec<f64> {
            of.iter().skip(at).step_by(columns).copied().collect()
        };
        (0..columns)
            .map(|at| {
                let fit = OutputFit::of(1, &column(&outputs, at), &column(&targets, at), kind);
                fit.map_or(f64::NAN, |fit| fit.explained)
            })
            .collect()
    }

    /// The columns, and all outputs and targets. Waits for the device.
    fn numbers(&self) -> Option<(usize, [Vec<f64>; 2])> {
        let columns = self.batches.front()?[0].dims()[1];
        let all = |which: usize| -> Vec<f64> {
            let tensors = self.batches.iter().map(|batch| &batch[which]);
            #[allow(clippy::disallowed_methods)] // a diagnosis was asked for
            let values = tensors.flat_map(|tensor| numbers(&tensor.to_data()));
            values.collect()
        };
        Some((columns, [0, 1].map(all)))
    }
}
