//! The roles of parameters that an initialisation distinguishes.

use burn::module::Module;
use burn_tricks_core::ParamRole;
use burn_tricks_core::walk::{Location, visit_floats};

/// What a parameter is to an initialisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The weight of a linear layer or a convolution.
    Weight,
    /// The weight of an embedding.
    Rows,
    /// The bias of a linear layer or a convolution, which only shifts its outputs.
    Bias,
    /// A bias whose first value may matter, as that of a gate, or about which nothing is known.
    OtherBias,
    /// Neither.
    Other,
}

impl Role {
    /// The role of the parameter at this location.
    pub(crate) fn of(at: &Location) -> Self {
        match ParamRole::at(at) {
            ParamRole::Weight => Self::Weight,
            ParamRole::Embedding => Self::Rows,
            ParamRole::Position if at.layer() == "Embedding" => Self::Rows,
            ParamRole::Bias => Self::Bias,
            ParamRole::OtherBias => Self::OtherBias,
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
