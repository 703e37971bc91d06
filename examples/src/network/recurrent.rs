//! A recurrent network.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

/// See [`Architecture::Rnn`](super::Architecture::Rnn).
#[derive(Module, Debug)]
pub struct Recurrent {
    input: Linear,
    state: Linear,
    output: Linear,
    steps: usize,
    channels: usize,
}

impl Recurrent {
    pub(super) fn init(
        units: usize,
        [steps, channels]: [usize; 2],
        outputs: usize,
        device: &Device,
    ) -> Self {
        Self {
            input: LinearConfig::new(channels, units).init(device),
            state: LinearConfig::new(units, units)
                .with_bias(false)
                .init(device),
            output: LinearConfig::new(units, outputs).init(device),
            steps,
            channels,
        }
    }

    /// `[batch, steps · channels]` to `[batch, outputs]`.
    pub(super) fn forward(&self, sequences: Tensor<2>) -> Tensor<2> {
        let [batch, _] = sequences.dims();
        let signal = sequences.reshape([batch, self.steps, self.channels]);
        let mut inputs = self.input.forward(signal).split(1, 1).into_iter();
        let first = inputs.next().expect("a sequence has steps");
        let mut state = first.squeeze_dim::<2>(1).tanh();
        for input in inputs {
            state = (input.squeeze_dim::<2>(1) + self.state.forward(state)).tanh();
        }
        self.output.forward(state)
    }
}
