//! What the model predicts for each class.

use crate::history::outputs::OutputHistory;
use crate::loss_kind::LossKind;
use burn::tensor::{Int, Tensor};
use burn_tricks_kernels::numbers;
use std::collections::{BTreeMap, VecDeque};

/// Predictions and labels of the last pass through the validation data, or of its last rows, on the device.
#[derive(Debug, Default)]
pub(crate) struct Recall {
    batches: VecDeque<[Tensor<1, Int>; 2]>,
    rows: usize,
    has_ended: bool,
}

impl Recall {
    /// Keeps what `outputs` `[rows, columns]` predict for rows with these labels, and at most `limit` rows.
    pub(crate) fn push(
        &mut self,
        outputs: &Tensor<2>,
        labels: &Tensor<1, Int>,
        loss: Option<LossKind>,
        limit: usize,
    ) {
        let [rows, columns] = outputs.dims();
        if rows == 0 || columns == 0 || labels.dims() != [rows] {
            return;
        }
        let outputs = outputs.clone().without_autodiff();
        let predicted = match (columns, loss) {
            (1, Some(LossKind::BinaryCrossEntropyOfScores)) => outputs.greater_elem(0.0).int(),
            (1, Some(LossKind::BinaryCrossEntropyOfProbabilities)) => {
                outputs.greater_elem(0.5).int()
            }
            // Where a single output is cut, nobody knows.
            (1, _) => return,
            _ => outputs.argmax(1),
        };
        if std::mem::take(&mut self.has_ended) {
            self.batches.clear();
            self.rows = 0;
        }
        self.batches
            .push_back([predicted.reshape([rows]), labels.clone()]);
        self.rows += rows;
        while self.rows > limit && self.batches.len() > 1 {
            let dropped = self.batches.pop_front();
            self.rows -= dropped.map_or(0, |[_, labels]| labels.dims()[0]);
        }
    }

    /// The next outputs are those of another pass.
    pub(crate) fn end(&mut self) {
        self.has_ended = true;
    }

    /// For each class how often each class was predicted for its rows. Waits for the device.
    fn read(&self) -> BTreeMap<i64, BTreeMap<i64, usize>> {
        let mut counts: BTreeMap<i64, BTreeMap<i64, usize>> = BTreeMap::new();
        for batch in &self.batches {
            #[allow(clippy::disallowed_methods)] // a diagnosis was asked for
            let [predicted, labels] = batch.each_ref().map(|classes| numbers(&classes.to_data()));
            for (predicted, label) in predicted.into_iter().zip(labels) {
                let of_class = counts.entry(label as i64).or_default();
                *of_class.entry(predicted as i64).or_default() += 1;
            }
        }
        counts
    }

    /// Writes what was predicted into a history. Waits for the device.
    pub(crate) fn write(&self, outputs: &mut OutputHistory) {
        for (label, predicted) in self.read() {
            let right = predicted.get(&label).copied().unwrap_or(0);
            outputs
                .recall
                .insert(label, [predicted.values().sum(), right]);
            let others = predicted.into_iter().filter(|(class, _)| *class != label);
            if let Some((class, count)) = others.max_by_key(|(_, count)| *count) {
                outputs.mistaken.insert(label, (class, count));
            }
        }
    }
}
