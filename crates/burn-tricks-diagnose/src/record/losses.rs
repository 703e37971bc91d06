//! The losses of the steps.

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

/// The losses, each with the number of its step.
#[derive(Debug, Default)]
pub(crate) struct StepLosses {
    losses: Losses,
    steps: Vec<usize>,
}

impl StepLosses {
    /// Keeps a loss of a step: the mean if it has several elements.
    pub(crate) fn push(&mut self, step: usize, loss: &Tensor<1>) {
        self.losses.push(loss);
        self.steps.push(step);
    }

    /// Waits for the device.
    pub(crate) fn read(&self) -> Vec<f64> {
        self.losses.read()
    }

    /// The step of each loss, after so many steps: none if each step has one loss, be it handed over before the step is taken or
    /// after, or if no step was taken.
    pub(crate) fn steps(&self, taken: usize) -> Vec<usize> {
        let is_one_each = self.steps.first().is_none_or(|first| *first <= 2)
            && self.steps.windows(2).all(|pair| pair[1] == pair[0] + 1);
        if taken == 0 || is_one_each {
            Vec::new()
        } else {
            self.steps.clone()
        }
    }
}
