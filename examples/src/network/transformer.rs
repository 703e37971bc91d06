//! A small transformer.

use crate::setup::Setup;
use burn::module::Module;
use burn::nn::attention::generate_autoregressive_mask;
use burn::nn::transformer::{
    TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput,
};
use burn::nn::{Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Int, Tensor};

const HEADS: usize = 4;

/// See [`Architecture::Transformer`](super::Architecture::Transformer).
#[derive(Module, Debug)]
pub struct Transformer {
    tokens: Embedding,
    positions: Embedding,
    encoder: TransformerEncoder,
    norm: LayerNorm,
    output: Linear,
}

impl Transformer {
    pub(super) fn init(setup: &Setup, [steps, vocabulary]: [usize; 2], device: &Device) -> Self {
        let (layers, width) = (setup.hidden.len(), setup.hidden[0]);
        Self {
            tokens: EmbeddingConfig::new(vocabulary, width).init(device),
            positions: EmbeddingConfig::new(steps, width).init(device),
            encoder: TransformerEncoderConfig::new(width, 4 * width, HEADS, layers)
                .with_dropout(setup.dropout)
                .with_norm_first(true)
                .init(device),
            norm: LayerNormConfig::new(width).init(device),
            output: LinearConfig::new(width, vocabulary).init(device),
        }
    }

    /// Tokens `[batch, steps]`, as numbers, to logits `[batch · steps, vocabulary]` of what follows each.
    pub(super) fn forward(&self, tokens: Tensor<2>) -> Tensor<2> {
        let ([batch, steps], device) = (tokens.dims(), tokens.device());
        let positions = Tensor::<1, Int>::arange(0..steps as i64, &device).unsqueeze();
        let signal = self.tokens.forward(tokens.int()) + self.positions.forward(positions);
        let mask = generate_autoregressive_mask(batch, steps, &device);
        let input = TransformerEncoderInput::new(signal).mask_attn(mask);
        let signal = self.norm.forward(self.encoder.forward(input));
        self.output.forward(signal).flatten(0, 1)
    }
}
