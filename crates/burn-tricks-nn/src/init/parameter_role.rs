//! What a parameter is to the layer that holds it.

use burn::module::Module;
use burn_tricks_core::walk::{Location, visit_floats};

/// What a parameter is to the layer that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The weight of a linear layer or a convolution.
    Weight,
    /// The weight of an embedding.
    Rows,
    /// The bias of a linear layer or a convolution, which only shifts its outputs.
    Bias,
    /// A bias whose value means something, as that of a gate may, or of which nothing is known.
    OtherBias,
    /// Neither.
    Other,
}

/// Burn's layers that multiply by a weight.
const LAYERS: [&str; 8] = [
    "Linear",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "DeformConv2d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
];

impl Role {
    /// That of the parameter here.
    pub(crate) fn of(at: &Location) -> Self {
        let layer = at.container().strip_prefix("Struct:").unwrap_or("");
        let is_layer = LAYERS.contains(&layer);
        let is_gate = at.is_inside("Struct:GateController");
        match at.field() {
            "weight" if is_layer => Self::Weight,
            "weight" if layer == "Embedding" => Self::Rows,
            "bias" if is_layer && !is_gate => Self::Bias,
            "bias" => Self::OtherBias,
            _ => Self::Other,
        }
    }
}

/// The paths of the weights of `model`'s linear layers, convolutions and embeddings.
pub(crate) fn weight_paths<M: Module>(model: &M) -> Vec<String> {
    let mut paths = Vec::new();
    visit_floats(model, |at, _param| {
        if let Role::Weight | Role::Rows = Role::of(at) {
            paths.push(at.path().to_owned());
        }
    });
    paths
}
