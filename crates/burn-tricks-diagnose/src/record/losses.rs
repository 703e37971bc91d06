//! The loss of every step.

use crate::numbers::{join, read};
use burn::tensor::Tensor;

/// How many losses are joined to one tensor.
const CHUNK: usize = 256;

/// The losses, on the device.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    chunks: Vec<Tensor<1>>,
    single: Vec<Tensor<1>>,
}

impl Losses {
    /// Keeps a loss: the mean if it has several elements.
    pub(crate) fn push(&mut self, loss: &Tensor<1>) {
        let loss = loss.clone().without_autodiff();
        let loss = if loss.dims() == [1] {
            loss
        } else {
            loss.mean()
        };
        self.single.push(loss);
        if self.single.len() == CHUNK {
            self.chunks.extend(join(std::mem::take(&mut self.single)));
        }
    }

    /// Waits for the device.
    pub(crate) fn read(&self) -> Vec<f64> {
        let parts = self.chunks.iter().chain(&self.single).cloned().collect();
        join(parts).map_or_else(Vec::new, |losses| read(&losses))
    }
}
