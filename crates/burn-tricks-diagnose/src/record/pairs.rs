//! Outputs with the numbers that they should be.

use crate::history::output_fit::OutputFit;
use crate::loss_kind::LossKind;
use burn::tensor::Tensor;
use burn_tricks_kernels::numbers;
use std::collections::VecDeque;

/// The most numbers that are kept: 4 MiB of outputs and of targets each, in `f32`.
const MOST: usize = 1 << 20;

/// The last outputs and targets, on their device.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    batches: VecDeque<[Tensor<2>; 2]>,
    numbers: usize,
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
            self.numbers = 0;
        }
        let [outputs, targets] = [outputs, targets].map(|of| of.clone().without_autodiff());
        let is_alike = |[last, _]: &[Tensor<2>; 2]| last.dims()[1] == columns;
        if !self.batches.back().is_none_or(is_alike) {
            return;
        }
        self.numbers += rows * columns;
        self.batches.push_back([outputs, targets]);
        let most = limit.saturating_mul(columns).min(MOST);
        while self.numbers > most && self.batches.len() > 1 {
            let dropped = self.batches.pop_front();
            self.numbers -= dropped.map_or(0, |[outputs, _]| outputs.shape().num_elements());
        }
    }

    /// The next outputs are those of another pass.
    pub(crate) fn end(&mut self) {
        self.has_ended = true;
    }

    /// Waits for the device.
    pub(crate) fn read(&self, kind: Option<LossKind>) -> Option<OutputFit> {
        let columns = self.batches.front()?[0].dims()[1];
        let all = |which: usize| -> Vec<f64> {
            let tensors = self.batches.iter().map(|batch| &batch[which]);
            #[allow(clippy::disallowed_methods)] // a diagnosis was asked for
            let values = tensors.flat_map(|tensor| numbers(&tensor.to_data()));
            values.collect()
        };
        OutputFit::of(columns, &all(0), &all(1), kind)
    }
}
