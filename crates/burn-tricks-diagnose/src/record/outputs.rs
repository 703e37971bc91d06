//! The outputs of the model.

use crate::history::outputs::OutputHistory;
use crate::numbers::{Said, said};
use crate::record::losses::Losses;
use burn::tensor::{DType, Tensor};
use std::collections::VecDeque;

/// How many batches of outputs are kept.
const KEPT: usize = 4;

/// The most numbers of a batch of outputs that are kept: 8 MiB in `f32`.
const MOST: usize = 1 << 21;

/// The first and the last outputs that were handed over, and which of all were not finite.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    first: Option<(usize, Tensor<2>)>,
    last: VecDeque<(usize, Tensor<2>)>,
    steps: Vec<usize>,
    non_finite: Losses,
    lowest: Losses,
    highest: Losses,
}

impl Outputs {
    pub(crate) fn push(&mut self, step: usize, outputs: &Tensor<2>) {
        let outputs = outputs.clone().without_autodiff();
        if outputs.dims().contains(&0) {
            return;
        }
        self.steps.push(step);
        let which = [Said::NonFinite, Said::Smallest, Said::Largest];
        let lists = [&mut self.non_finite, &mut self.lowest, &mut self.highest];
        for (list, number) in lists.into_iter().zip(said(&outputs, &which)) {
            list.push(&number);
        }
        let [rows, columns] = outputs.dims();
        let kept = (MOST / columns).max(1);
        let outputs = if rows > kept {
            // A copy: a view would keep the whole batch.
            let first = Tensor::arange(0..kept as i64, (&outputs.device(), DType::I32));
            outputs.select(0, first)
        } else {
            outputs
        };
        if self.first.is_none() {
            self.first = Some((step, outputs.clone()));
        }
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back((step, outputs));
    }

    /// Waits for the device.
    pub(crate) fn history(&self) -> Option<OutputHistory> {
        let read = |(step, outputs): &(usize, Tensor<2>)| {
            #[allow(clippy::disallowed_methods)] // a diagnosis was asked for
            let values: Vec<f64> = outputs.to_data().iter().collect();
            OutputHistory::of(*step, outputs.dims()[1], &values)
        };
        let all: Vec<_> = self.first.iter().chain(&self.last).map(read).collect();
        // Of outputs that are not finite, the last ones tell nothing more.
        let usable = all.iter().rev().find(|outputs| outputs.non_finite == 0.0);
        let mut history = usable.or(all.last())?.clone();
        let finite = |all: &Losses| {
            all.read()
                .into_iter()
                .filter(|value| value.is_finite())
                .collect::<Vec<_>>()
        };
        history.lowest = finite(&self.lowest).into_iter().fold(history.min, f64::min);
        history.highest = finite(&self.highest)
            .into_iter()
            .fold(history.max, f64::max);
        let shares = self.non_finite.read();
        let first = shares.iter().position(|share| *share > 0.0);
        history.first_non_finite = first.map(|at| self.steps[at]);
        history.batches = self.steps.len();
        Some(history)
    }
}
