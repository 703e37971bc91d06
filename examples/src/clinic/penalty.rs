//! A penalty that asks for sparse activations.

use super::layer::Act;
use super::net::Block;
use burn::tensor::Tensor;

/// The sum of the ReLUs' outputs, a mean over samples, times a weight.
pub(super) struct Penalty {
    weight: f64,
    sum: Tensor<1>,
}

impl Penalty {
    pub(super) fn new(weight: f64) -> Self {
        let device = burn::tensor::Device::flex().autodiff();
        let sum = Tensor::zeros([1], &device);
        Self { weight, sum }
    }

    /// Adds what this block gives, if it is a ReLU.
    pub(super) fn see(&mut self, block: &Block, output: &Tensor<2>) {
        if matches!(block, Block::Act(activation) if activation.act() == Act::Relu) {
            self.sum = self.sum.clone() + output.clone().sum_dim(1).mean();
        }
    }

    pub(super) fn sum(self) -> Tensor<1> {
        self.sum * self.weight
    }
}
