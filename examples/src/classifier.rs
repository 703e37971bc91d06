//! The network of the examples and its batches, as Burn's Learner wants them. Nothing in them knows of a
//! trick.

use crate::data::Samples;
use crate::mlp::{Mlp, MlpConfig};
use crate::score::Score;
use burn::data::dataloader::batcher::Batcher;
use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Device, Int, Tensor, activation::softmax};
use burn::train::{ClassificationOutput, InferenceStep, TrainOutput, TrainStep};
use burn_tricks::average::Predict as _;

/// The network of the examples.
#[derive(Module, Debug)]
pub struct Classifier {
    /// The network.
    pub mlp: Mlp,
}

impl TrainStep for Classifier {
    type Input = (Tensor<2>, Tensor<1, Int>);
    type Output = ClassificationOutput;

    fn step(&self, batch: Self::Input) -> TrainOutput<ClassificationOutput> {
        let output = InferenceStep::step(self, batch);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for Classifier {
    type Input = (Tensor<2>, Tensor<1, Int>);
    type Output = ClassificationOutput;

    fn step(&self, (images, labels): Self::Input) -> ClassificationOutput {
        let logits = self.mlp.predict(images);
        let loss = CrossEntropyLossConfig::new().init(&logits.device());
        let loss = loss.forward(logits.clone(), labels.clone());
        ClassificationOutput::new(loss, logits, labels)
    }
}

/// Batches of the samples whose numbers it is given.
#[derive(Debug)]
pub struct Digits(pub Samples);

impl Batcher<usize, (Tensor<2>, Tensor<1, Int>)> for Digits {
    fn batch(&self, indices: Vec<usize>, device: &Device) -> (Tensor<2>, Tensor<1, Int>) {
        self.0.batch(&indices, device)
    }
}

impl Classifier {
    /// Two hidden layers of 64 for the digits.
    pub fn init(device: &Device) -> Self {
        let mlp = MlpConfig::new(64).init(device);
        Self { mlp }
    }

    /// The score on some samples. Reads the device.
    pub fn score(&self, samples: &Samples) -> Score {
        let (images, _) = samples.all(&Device::flex());
        Score::of(softmax(self.mlp.predict(images), 1), &samples.labels)
    }
}
