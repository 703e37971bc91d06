//! What the model gives in the validation.

use crate::history::output_fit::OutputFit;
use crate::history::outputs::OutputHistory;
use crate::loss_kind::LossKind;
use crate::record::outputs::Outputs;
use crate::record::pairs::Pairs;
use crate::record::recall::Recall;
use crate::targets::Targets;
use burn::tensor::Tensor;

/// The outputs of the validation, and what they should be.
#[derive(Debug, Default)]
pub(crate) struct ValidOutputs {
    outputs: Outputs,
    recall: Recall,
    pairs: Pairs,
}

impl ValidOutputs {
    /// Keeps outputs after a step, and compares them with these targets; of at most `limit` rows.
    pub(crate) fn push(
        &mut self,
        step: usize,
        outputs: &Tensor<2>,
        targets: Option<&Targets>,
        (loss, limit): (Option<LossKind>, usize),
    ) {
        self.outputs.push(step, outputs);
        match targets {
            Some(Targets::Classes(labels)) => self.recall.push(outputs, labels, loss, limit),
            Some(Targets::Values(values)) => self.pairs.push(outputs, values, limit),
            None => {}
        }
    }

    /// The next outputs are those of another pass.
    pub(crate) fn end(&mut self) {
        self.recall.end();
        self.pairs.end();
    }

    /// Waits for the device.
    pub(crate) fn history(&self) -> Option<OutputHistory> {
        let mut outputs = self.outputs.history();
        if let Some(outputs) = &mut outputs {
            self.recall.write(outputs);
        }
        outputs
    }

    /// The share of each column that the outputs explain. Waits for the device.
    pub(crate) fn columns(&self, loss: Option<LossKind>) -> Vec<f64> {
        self.pairs.columns(loss)
    }

    /// Waits for the device.
    pub(crate) fn fit(&self, loss: Option<LossKind>) -> Option<OutputFit> {
        self.pairs.read(loss)
    }
}
