//! The layers that the rules know.

use serde::{Deserialize, Serialize};

/// The layers of the model that the rules know.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Structure {
    /// The training flags of dropout and normalisation layers.
    pub modes: Vec<Mode>,
    /// The dropout layers with their probabilities, if the doctor was given the text of the model.
    pub dropout: Vec<DropoutLayer>,
}

/// The training flag of a layer that behaves differently in training and in inference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Mode {
    /// The path of the layer.
    pub path: String,
    /// Its type, such as `BatchNorm`.
    pub layer: String,
    /// Whether the flag was set when the doctor first saw the model.
    pub first: bool,
    /// The first recorded step at which the flag was not set although it had been set at first.
    pub switched_off: Option<usize>,
}

/// A dropout layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DropoutLayer {
    /// Its path, or its name in the model's text if the two could not be matched.
    pub name: String,
    /// The probability of dropping a value, in thousandths.
    pub per_mille: u32,
}

impl Structure {
    pub(crate) fn batch_norms(&self) -> impl Iterator<Item = &Mode> {
        self.modes
            .iter()
            .filter(|mode| mode.layer.contains("BatchNorm"))
    }
}
