//! What a parameter is to the layer that holds it.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn_tricks_core::PathTracker;

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
    /// That of `field` in the innermost of the modules of types `containers`.
    pub(crate) fn of(containers: &[String], field: &str) -> Self {
        let container = containers.last().map_or("", String::as_str);
        let layer = container.strip_prefix("Struct:").unwrap_or("");
        let is_layer = LAYERS.contains(&layer);
        let is_gate = containers.iter().any(|at| at == "Struct:GateController");
        match field {
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
    let mut weights = Weights::default();
    model.visit(&mut weights);
    weights.paths
}

#[derive(Default)]
struct Weights {
    at: PathTracker,
    containers: Vec<String>,
    paths: Vec<String>,
}

impl ModuleVisitor for Weights {
    fn visit_float<const D: usize>(&mut self, _param: &Param<Tensor<D>>) {
        let path = self.at.path();
        let field = path.rsplit('.').next().unwrap_or(&path);
        if let Role::Weight | Role::Rows = Role::of(&self.containers, field) {
            self.paths.push(path);
        }
    }

    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.at.enter(name);
        self.containers.push(container_type.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.at.exit();
        self.containers.pop();
    }
}
