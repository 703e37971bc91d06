//! Weight decay of some parameters, chosen by their roles in their layers.

use burn::module::{Module, ParamGroup};
use burn_tricks_core::walk::visit_floats;
use burn_tricks_core::{Config, ConfigError, ParamPaths, ParamRole};
use std::collections::HashSet;

/// Configuration of [`SelectiveDecay`]: weight decay of some parameters, chosen by their roles in their layers.
///
/// Biases, the gains and offsets of normalisation layers, embeddings and tables of positions usually do not decay: a
/// gain that decays to 0 switches its layer off, and rarely used rows of an embedding would decay to 0.
/// [`SelectiveDecay`] finds these parameters in a model by the types of their layers, and returns a group of their
/// paths, for a separate optimizer.
///
/// # Example
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig};
/// use burn::tensor::Device;
/// use burn_tricks_optim::{AdamWConfig, SelectiveDecayConfig};
///
/// #[derive(Module, Debug)]
/// struct Net {
///     tokens: Embedding,
///     norm: LayerNorm,
///     head: Linear,
/// }
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// # let device = Device::flex();
/// # let model = Net {
/// #     tokens: EmbeddingConfig::new(10, 4).init(&device),
/// #     norm: LayerNormConfig::new(4).init(&device),
/// #     head: LinearConfig::new(4, 2).init(&device),
/// # };
/// let decay = SelectiveDecayConfig::new().init(&model)?;
/// assert_eq!(decay.decaying_paths(), ["head.weight"]);
/// assert_eq!(decay.spared_paths(), ["tokens.weight", "norm.gamma", "norm.beta", "head.bias"]);
///
/// let adam_w = AdamWConfig::torch().with_weight_decay(0.1);
/// let spared = adam_w.clone().with_weight_decay(0.0).build()?;
/// let optim = adam_w.init()?.with_group(decay.spared_group(), spared, None);
/// # let _ = optim;
/// # Ok(())
/// # }
/// ```
///
/// timm's rule, with one more parameter that does not decay:
///
/// ```
/// use burn_tricks_optim::SelectiveDecayConfig;
///
/// let config = SelectiveDecayConfig::timm().sparing(["temperature"]);
/// # let _ = config;
/// ```
///
/// # Order
///
/// Use it where the optimizer is made. The group matches by path: make it from the model that is trained. If
/// the optimizer has gradient clipping, give `with_group` the same clipping. It may be made before or after a part of
/// the model is frozen or unfrozen: frozen parameters belong to the groups as the others do. For a
/// [tied](https://docs.rs/burn-tricks-nn) parameter the role and the path of its first place count, since Burn steps that
/// place; `spared_paths` may name any of its places.
///
/// [`WeightDecayScope::Matrices`](crate::WeightDecayScope) needs no group, and chooses only by the number of
/// dimensions: biases and normalisation layers do not decay, embeddings and positions do.
///
/// # Cost
///
/// No cost in a step of an optimizer with state; for an optimizer without state, Burn compares the paths at
/// each step.
///
/// # Differences
///
/// | | spares |
/// | --- | --- |
/// | [`new`](SelectiveDecayConfig::new), minGPT | biases, normalisation layers, scales, embeddings, positions, other vectors |
/// | [`timm`](SelectiveDecayConfig::timm) | as `new`, without embeddings of tokens |
/// | [`nano_gpt`](SelectiveDecayConfig::nano_gpt) | everything of fewer than two dimensions |
/// | [`hugging_face`](SelectiveDecayConfig::hugging_face) | biases and normalisation layers |
///
/// timm and Hugging Face choose by the names of parameters; here their roles count ([`ParamRole`]), which
/// follow from the types of the layers.
///
/// # Suggested values
///
/// `new` with λ = 0.1 for language models, `timm` with 0.05 for vision transformers.
///
/// # References
///
/// - Karpathy, minGPT, `configure_optimizers`; nanoGPT, `configure_optimizers`
/// - timm, `optim.param_groups_weight_decay`; Hugging Face, `Trainer.get_decay_parameter_names`
#[derive(Config, Debug, PartialEq)]
pub struct SelectiveDecayConfig {
    /// Which roles do not decay. Default: every one but [`ParamRole::Weight`] and [`ParamRole::Other`].
    #[config(default = "every_role()")]
    pub spared_roles: Vec<ParamRole>,
    /// Whether to exempt all parameters of fewer than two dimensions, whatever their role. Default: yes.
    #[config(default = true)]
    pub spare_vectors: bool,
    /// Paths of parameters that do not decay, or of modules that hold them; a `*` stands for one part of a path.
    /// Default: none.
    #[config(default = "Vec::new()")]
    pub spared_paths: Vec<String>,
}

fn every_role() -> Vec<ParamRole> {
    use ParamRole::{Bias, Embedding, NormGain, NormOffset, OtherBias, Position, Scale};
    vec![
        Bias, OtherBias, NormGain, NormOffset, Scale, Embedding, Position,
    ]
}

impl SelectiveDecayConfig {
    /// timm's rule: like [`new`](Self::new), except that embeddings of tokens decay.
    pub fn timm() -> Self {
        let mut roles = every_role();
        roles.retain(|role| *role != ParamRole::Embedding);
        Self::new().with_spared_roles(roles)
    }

    /// nanoGPT's rule: parameters of fewer than two dimensions do not decay.
    pub fn nano_gpt() -> Self {
        Self::new().with_spared_roles(Vec::new())
    }

    /// The rule of Hugging Face's `Trainer`: biases and normalisation layers do not decay.
    pub fn hugging_face() -> Self {
        use ParamRole::{Bias, NormGain, NormOffset, OtherBias};
        let roles = vec![Bias, OtherBias, NormGain, NormOffset];
        Self::new()
            .with_spared_roles(roles)
            .with_spare_vectors(false)
    }

    /// This configuration, except that parameters at or below these paths do not decay either.
    #[must_use]
    pub fn sparing(mut self, paths: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.spared_paths.extend(paths.into_iter().map(Into::into));
        self
    }

    /// Which parameters of `model` decay. Frozen parameters are on the list of their role, so that they are in the right
    /// group when they are unfrozen later; running statistics are on neither list.
    ///
    /// # Errors
    ///
    /// If one of `spared_paths` fits no parameter of `model`: the error suggests similar names.
    pub fn init<M: Module>(&self, model: &M) -> Result<SelectiveDecay, ConfigError> {
        let spared = ParamPaths::init(model, "spared_paths", &self.spared_paths)?;
        let mut decay = SelectiveDecay::default();
        let mut seen = HashSet::new();
        // A running statistic refuses to become trainable; every parameter obeys, frozen or not.
        let trainable = model.valid().train().set_require_grad(true);
        visit_floats(&trainable, |at, param| {
            let is_parameter = param.is_require_grad() && !at.is_derived();
            // Burn steps the first place of a tied parameter.
            if !is_parameter || !seen.insert(param.id()) {
                return;
            }
            let is_spared = self.spared_roles.contains(&ParamRole::at(at))
                || (self.spare_vectors && param.rank() < 2)
                || spared.contains(at.path());
            let list = if is_spared {
                &mut decay.spared
            } else {
                &mut decay.decaying
            };
            list.push(at.path().to_owned());
        });
        Ok(decay)
    }
}

/// Which parameters of a model decay. Made by [`SelectiveDecayConfig::init`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SelectiveDecay {
    spared: Vec<String>,
    decaying: Vec<String>,
}

impl SelectiveDecay {
    /// The parameters that do not decay, for `ModuleOptimizer::with_group` with an optimizer without decay.
    pub fn spared_group(&self) -> ParamGroup {
        ParamGroup::from_paths(self.spared.clone())
    }

    /// The parameters that decay.
    pub fn decaying_group(&self) -> ParamGroup {
        ParamGroup::from_paths(self.decaying.clone())
    }

    /// The paths of the parameters that do not decay, in the model's order.
    pub fn spared_paths(&self) -> &[String] {
        &self.spared
    }

    /// The paths of the parameters that decay, in the model's order.
    pub fn decaying_paths(&self) -> &[String] {
        &self.decaying
    }
}
