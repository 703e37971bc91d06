//! The role of a parameter in the layer that holds it.

use crate::walk::Location;

/// The role of a parameter in the layer that holds it, found by the type of the layer and the name of the
/// field.
///
/// ```
/// use burn::nn::{EmbeddingConfig, LayerNormConfig, LinearConfig};
/// use burn::tensor::Device;
/// use burn_tricks_core::ParamRole;
/// use burn_tricks_core::walk::visit_floats;
///
/// let device = Device::flex();
/// let model = (
///     EmbeddingConfig::new(10, 4).init(&device),
///     LayerNormConfig::new(4).init(&device),
///     LinearConfig::new(4, 2).init(&device),
/// );
/// let mut roles = Vec::new();
/// visit_floats(&model, |at, _param| roles.push(ParamRole::at(at)));
/// use ParamRole::{Bias, Embedding, NormGain, NormOffset, Weight};
/// assert_eq!(roles, [Embedding, NormGain, NormOffset, Weight, Bias]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum ParamRole {
    /// The weight of a linear layer or a convolution, those in the gates of recurrent layers included.
    Weight,
    /// The rows of an embedding.
    Embedding,
    /// A table of learned positions: an embedding, or a parameter of a layer that Burn does not have, with the
    /// word `pos`, `position`, `positions` or `positional` in a part of its path (`pos_embed`).
    Position,
    /// The bias of a linear layer or a convolution, which only shifts its outputs.
    Bias,
    /// A bias whose initial value may matter, as that of a gate, or the bias of a layer that Burn does not
    /// have.
    OtherBias,
    /// The gain of a normalisation layer: the field `gamma`, `weight` or `scale` of any layer whose name ends
    /// in `Norm`.
    NormGain,
    /// The offset of a normalisation layer: `beta`.
    NormOffset,
    /// A factor of whole channels: that of `LayerScale`, that of a parametric ReLU, the norms of weight norm.
    Scale,
    /// None of these.
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

impl ParamRole {
    /// The role of the parameter at this location of a walk.
    pub fn at(at: &Location) -> Self {
        let layer = at.container().strip_prefix("Struct:").unwrap_or("");
        let is_layer = LAYERS.contains(&layer);
        let is_gate = at.is_inside("Struct:GateController");
        match at.field() {
            "weight" if is_layer => Self::Weight,
            "weight" if layer == "Embedding" && is_position(at.path()) => Self::Position,
            "weight" if layer == "Embedding" => Self::Embedding,
            "bias" if is_layer && !is_gate => Self::Bias,
            "gamma" | "weight" | "scale" if layer.ends_with("Norm") => Self::NormGain,
            "beta" if layer.ends_with("Norm") => Self::NormOffset,
            "bias" => Self::OtherBias,
            "gamma" if layer == "LayerScale" => Self::Scale,
            "alpha" if layer == "PRelu" => Self::Scale,
            "g" if layer == "WeightNorm" => Self::Scale,
            _ if !is_layer && is_position(at.path()) => Self::Position,
            _ => Self::Other,
        }
    }
}

/// Whether a part of the path contains a word for positions.
fn is_position(path: &str) -> bool {
    path.split(['.', '_'])
        .any(|word| matches!(word, "pos" | "position" | "positions" | "positional"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::walk::visit_floats;
    use burn::module::{Module, Param};
    use burn::nn::{
        BatchNormConfig, Embedding, EmbeddingConfig, GroupNormConfig, Linear, LinearConfig, Lstm,
        LstmConfig, PRelu, PReluConfig, RmsNormConfig,
    };
    use burn::tensor::{Device, Tensor};

    #[derive(Module, Debug)]
    struct Encoder {
        tokens: Embedding,
        position_embedding: Embedding,
        pos_embed: Param<Tensor<2>>,
        positive: Param<Tensor<2>>,
        pos_head: Linear,
        lstm: Lstm,
        activation: PRelu,
        bias: Param<Tensor<1>>,
    }

    fn roles<M: Module>(model: &M) -> Vec<(String, ParamRole)> {
        let mut roles = Vec::new();
        visit_floats(model, |at, _| {
            roles.push((at.path().to_owned(), ParamRole::at(at)));
        });
        roles
    }

    #[test]
    fn a_role_follows_from_the_layer_the_field_and_the_word_for_positions() {
        let device = Device::flex();
        let rows = || EmbeddingConfig::new(3, 2).init(&device);
        let table = || Param::from_tensor(Tensor::ones([3, 2], &device));
        let model = Encoder {
            tokens: rows(),
            position_embedding: rows(),
            pos_embed: table(),
            positive: table(),
            pos_head: LinearConfig::new(2, 2).init(&device),
            lstm: LstmConfig::new(2, 2, true).init(&device),
            activation: PReluConfig::new().init(&device),
            bias: Param::from_tensor(Tensor::ones([2], &device)),
        };
        let roles = roles(&model);
        let of = |path: &str| {
            let found = roles.iter().find(|(at, _)| at == path);
            found.unwrap_or_else(|| panic!("{path} in {roles:?}")).1
        };
        assert_eq!(of("tokens.weight"), ParamRole::Embedding);
        assert_eq!(of("position_embedding.weight"), ParamRole::Position);
        assert_eq!(of("pos_embed"), ParamRole::Position);
        assert_eq!(of("positive"), ParamRole::Other);
        assert_eq!(of("pos_head.weight"), ParamRole::Weight);
        assert_eq!(of("pos_head.bias"), ParamRole::Bias);
        assert_eq!(
            of("lstm.input_gate.input_transform.weight"),
            ParamRole::Weight
        );
        assert_eq!(
            of("lstm.input_gate.input_transform.bias"),
            ParamRole::OtherBias
        );
        assert_eq!(of("activation.alpha"), ParamRole::Scale);
        assert_eq!(of("bias"), ParamRole::OtherBias);
    }

    #[test]
    fn norms_have_gains_and_offsets_and_their_statistics_are_neither() {
        let device = Device::flex();
        let model = (
            BatchNormConfig::new(2).init(&device),
            GroupNormConfig::new(1, 2).init(&device),
            RmsNormConfig::new(2).init(&device),
        );
        use ParamRole::{NormGain, NormOffset, Other};
        let roles: Vec<_> = roles(&model).into_iter().map(|(_, role)| role).collect();
        assert_eq!(
            roles,
            [
                NormGain, NormOffset, Other, Other, NormGain, NormOffset, NormGain
            ]
        );
    }
}
