//! What a training minimises, and what is measured on samples.

use crate::data::Samples;
use crate::network::Network;
use crate::score::Score;
use crate::trainer::image_tricks::Shifts;
use burn::nn::loss::{CrossEntropyLossConfig, MseLoss, Reduction};
use burn::tensor::{Device, Tensor, TensorData};
use burn_tricks::average::{Combine, Ensemble, Predict as _};
use burn_tricks::diagnose::Targets;

/// Samples predicted at a time, which bounds memory.
const CHUNK: usize = 1024;

/// What a training minimises.
pub(super) enum Objective {
    /// The cross-entropy of classes.
    Classes {
        /// Views of the images that are predicted besides.
        shifts: Option<Shifts>,
    },
    /// The mean squared error of numbers, which the network predicts in units of their deviation in the
    /// training part, from their mean there.
    Numbers {
        /// Of the training part.
        mean: f64,
        /// Of the training part, 1 if there is none.
        deviation: f64,
    },
}

/// A forward pass in training.
pub(super) struct Forward {
    /// `[batch, features]`.
    pub(super) inputs: Tensor<2>,
    /// Classes, or the numbers in the unit of the outputs.
    pub(super) targets: Targets,
    /// `[rows, outputs]`.
    pub(super) outputs: Tensor<2>,
    /// Of the batch.
    pub(super) loss: Tensor<1>,
}

/// What was measured on some samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Measured {
    /// Of classes.
    pub(super) accuracy: Option<f64>,
    /// The cross-entropy of classes, or of numbers the root of the mean squared error (RMSE), in the unit of
    /// the numbers.
    pub(super) loss: f64,
}

impl Measured {
    /// What was measured, by its name.
    pub(super) fn metrics(self) -> Vec<(&'static str, f64)> {
        match self.accuracy {
            Some(accuracy) => vec![("accuracy", accuracy), ("loss", self.loss)],
            None => vec![("RMSE", self.loss)],
        }
    }
}

impl Objective {
    pub(super) fn new(train: &Samples, is_regression: bool, shifts: Option<Shifts>) -> Self {
        if !is_regression {
            return Self::Classes { shifts };
        }
        let count = train.numbers.len() as f64;
        let mean = train.numbers.iter().copied().map(f64::from).sum::<f64>() / count;
        let square = |number: &f32| (f64::from(*number) - mean).powi(2);
        let deviation = (train.numbers.iter().map(square).sum::<f64>() / count).sqrt();
        Self::Numbers {
            mean,
            deviation: if deviation > 0.0 { deviation } else { 1.0 },
        }
    }

    /// How several models predict together.
    pub(super) fn combine(&self) -> Combine {
        match self {
            Self::Classes { .. } => Combine::MeanProbabilities,
            Self::Numbers { .. } => Combine::MeanLogits,
        }
    }

    /// The loss of a model on the samples at `indices`, and what it is of.
    pub(super) fn forward(
        &self,
        model: &Network,
        samples: &Samples,
        indices: &[usize],
        device: &Device,
    ) -> Forward {
        match self {
            Self::Classes { .. } => {
                let (inputs, labels) = samples.batch(indices, device);
                let outputs = model.predict(inputs.clone());
                let cross_entropy = CrossEntropyLossConfig::new().init(device);
                Forward {
                    loss: cross_entropy.forward(outputs.clone(), labels.clone()),
                    targets: labels.into(),
                    inputs,
                    outputs,
                }
            }
            Self::Numbers { mean, deviation } => {
                let number = |at: &usize| (f64::from(samples.numbers[*at]) - mean) / deviation;
                let numbers: Vec<f32> = indices.iter().map(|at| number(at) as f32).collect();
                let numbers = TensorData::new(numbers, [indices.len(), 1]);
                let inputs = samples.inputs(indices, device);
                let outputs = model.predict(inputs.clone());
                let numbers = Tensor::<2>::from_data(numbers, device);
                let mse = MseLoss::new();
                Forward {
                    loss: mse.forward(outputs.clone(), numbers.clone(), Reduction::Mean),
                    targets: numbers.into(),
                    inputs,
                    outputs,
                }
            }
        }
    }

    /// What a model, or several, measure on all samples. Reads the device.
    pub(super) fn measure(
        &self,
        model: &Ensemble<Network>,
        samples: &Samples,
        device: &Device,
    ) -> Measured {
        let indices: Vec<usize> = (0..samples.len()).collect();
        let (mut right, mut loss) = (0.0, 0.0);
        for chunk in indices.chunks(CHUNK) {
            let inputs = samples.inputs(chunk, device);
            let outputs = match self {
                Self::Classes {
                    shifts: Some(shifts),
                } => shifts.predict(model, inputs),
                _ => model.predict(inputs),
            };
            match self {
                Self::Classes { .. } => {
                    let labels: Vec<u8> = samples.labels_of(chunk).collect();
                    let score = Score::of(outputs, &labels);
                    right += score.accuracy * chunk.len() as f64;
                    loss += score.loss * chunk.len() as f64;
                }
                Self::Numbers { mean, deviation } => {
                    let outputs: Vec<f64> = outputs.into_data().iter::<f64>().collect();
                    let error = |(at, output): (&usize, &f64)| {
                        mean + deviation * output - f64::from(samples.numbers[*at])
                    };
                    let errors = chunk.iter().zip(&outputs).map(error);
                    loss += errors.map(|error| error * error).sum::<f64>();
                }
            }
        }
        let count = samples.len() as f64;
        match self {
            Self::Classes { .. } => Measured {
                accuracy: Some(right / count),
                loss: loss / count,
            },
            Self::Numbers { .. } => Measured {
                accuracy: None,
                loss: (loss / count).sqrt(),
            },
        }
    }

    /// What is measured on samples without a model: by the class frequencies of the training part, or its
    /// mean.
    pub(super) fn without_model(&self, train: &Samples, samples: &Samples) -> Measured {
        match self {
            Self::Classes { .. } => {
                let score = Score::without_model(&train.labels, &samples.labels);
                Measured {
                    accuracy: Some(score.accuracy),
                    loss: score.loss,
                }
            }
            Self::Numbers { mean, .. } => {
                let square = |number: &f32| (f64::from(*number) - mean).powi(2);
                let squares: f64 = samples.numbers.iter().map(square).sum();
                Measured {
                    accuracy: None,
                    loss: (squares / samples.len() as f64).sqrt(),
                }
            }
        }
    }
}
