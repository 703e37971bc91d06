//! All that distinguishes one way of training from another.

use crate::averaging::{Averages, Averaging};
use crate::mlp::{HiddenNorm, Init, Skip};
use crate::network::{Architecture, Network};
use crate::optimizers::{Optim, SlowWeights};
use crate::rates::Rate;
use burn::module::{Module, ParamGroup};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn_tricks::ConfigError;
use burn_tricks::grad::{
    Agc, AgcConfig, CentralizeGrad, CentralizeGradConfig, ClipGradNorm, NormalizeGrad, Sam,
    SamConfig,
};
use burn_tricks::nn::{MaxNorm, MaxNormConfig};
use burn_tricks::prelude::*;
use burn_tricks::schedule::Run;
use serde::{Deserialize, Serialize};

/// Every choice of a run. In a file of recipes it is a JSON object of these fields; an absent one that may be
/// `null` is `null`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// The kind of network.
    pub network: Architecture,
    /// Whether inputs are scaled, by the training part: pixels to [0, 1], columns of a table to mean 0 and
    /// variance 1. Other inputs stay as they are.
    pub scale_inputs: bool,
    /// How the weights start.
    pub init: Init,
    /// Sizes of the hidden layers: units, channels of a convolution, or the width of a transformer once for
    /// each of its layers.
    pub hidden: Vec<usize>,
    /// What follows each hidden layer's weights.
    pub norm: HiddenNorm,
    /// What each hidden layer's signal is added to.
    pub skip: Skip,
    /// Channels per squeezed channel of the gate at the end of each block with a skip (squeeze-and-excitation); for
    /// convolutions.
    pub squeeze_excite: Option<usize>,
    /// The share of hidden activations dropped.
    pub dropout: f64,
    /// The share of samples for which the last of the layers with skips is dropped.
    pub drop_path: f64,
    /// Whether weights have a length and a direction of their own (weight norm).
    pub weight_norm: bool,
    /// The largest length of a unit's weights.
    pub max_norm: Option<f64>,
    /// The share of a target that is spread over all classes, for images.
    pub label_smoothing: Option<f64>,
    /// The α of mixup, for images; with `cutmix` one of the two is drawn for each batch.
    pub mixup: Option<f64>,
    /// The α of cutmix, for images.
    pub cutmix: Option<f64>,
    /// The probability with which a box of an image is erased.
    pub erasing: Option<f64>,
    /// The pixels by which images are moved up, down, to the left and to the right at test time; the mean of the five
    /// predictions counts.
    pub test_time_shift: Option<usize>,
    /// The optimizer.
    pub optimizer: Optim,
    /// Slow weights around it (Lookahead).
    pub lookahead: Option<SlowWeights>,
    /// Schedule-free learning with this β around it: gradients are taken between its weights and their
    /// average, and the average predicts.
    pub schedule_free: Option<f64>,
    /// Samples in a batch.
    pub batch_size: usize,
    /// The number of parts of a batch whose gradients are accumulated to their mean.
    pub micro_batches: usize,
    /// The learning rate, its first value, or its largest.
    pub learning_rate: f64,
    /// How it moves.
    pub rate: Rate,
    /// The ρ of sharpness-aware minimisation (SAM).
    pub sam: Option<f64>,
    /// Whether the gradients of a unit's weights are made to have mean 0.
    pub centralize: bool,
    /// The largest length of a unit's gradient, as a share of the length of its weights (AGC); the output
    /// layer is left out.
    pub agc: Option<f64>,
    /// The threshold of clipping over the whole model.
    pub clip: Option<f64>,
    /// Whether the gradient of the whole model is normalised.
    pub normalize: bool,
    /// The checks without improvement after which to stop and take the best weights.
    pub patience: Option<usize>,
    /// The number of models trained from weights of their own, which predict together.
    pub members: usize,
    /// Which average of weights predicts.
    pub averaging: Averaging,
    /// The number of models that start from the weights at half of the run, and whose weights are
    /// then averaged, greedily by validation loss.
    pub soup: usize,
}

/// What works on the gradients of a step, and on the weights behind it.
#[derive(Debug)]
pub struct StepTricks {
    /// Computes the gradients uphill.
    pub sam: Option<Sam>,
    pub(crate) centralize: Option<CentralizeGrad>,
    pub(crate) agc: Option<Agc>,
    pub(crate) clip: Option<ClipGradNorm>,
    pub(crate) normalize: Option<NormalizeGrad>,
    pub(crate) max_norm: Option<MaxNorm>,
}

impl Setup {
    /// Whether the settings go with each other. What each of them must be is checked where it is used.
    ///
    /// # Errors
    ///
    /// If two of them do not, or a batch is empty.
    pub fn check(&self) -> Result<(), ConfigError> {
        ConfigError::at_least_one("batch_size", self.batch_size)?;
        ConfigError::at_least_one("members", self.members)?;
        ConfigError::at_least_one("soup", self.soup)?;
        ConfigError::positive("learning_rate", self.learning_rate)?;
        if let Some(patience) = self.patience {
            ConfigError::at_least_one("patience", patience)?;
        }
        if let Some(reduction) = self.squeeze_excite {
            ConfigError::at_least_one("squeeze_excite", reduction)?;
            if self.network != Architecture::Cnn || self.skip == Skip::None {
                let requirement = "be null but for blocks of convolutions with skips";
                return Err(ConfigError::new("squeeze_excite", requirement, reduction));
            }
        }
        if !(1..=self.batch_size).contains(&self.micro_batches) {
            let requirement = format!("be from 1 to the batch size, {}", self.batch_size);
            return Err(ConfigError::new(
                "micro_batches",
                requirement,
                self.micro_batches,
            ));
        }
        if self.sam.is_some() && self.micro_batches > 1 {
            let requirement = "be 1 with `sam`, whose two passes are over one batch";
            return Err(ConfigError::new(
                "micro_batches",
                requirement,
                self.micro_batches,
            ));
        }
        let has_averaging = self.averaging != Averaging::None;
        if self.schedule_free.is_some() && has_averaging {
            let requirement = "be \"none\" with `schedule_free`, which has an average of its own";
            return Err(ConfigError::new("averaging", requirement, self.averaging));
        }
        if self.soup > 1 && (self.schedule_free.is_some() || has_averaging || self.members > 1) {
            let requirement = "be 1 with `averaging`, `schedule_free` or several `members`";
            return Err(ConfigError::new("soup", requirement, self.soup));
        }
        Ok(())
    }

    /// The average of `model`'s weights, before its first step.
    ///
    /// # Errors
    ///
    /// If a setting means nothing.
    pub fn averages(&self, model: &Network, run: &Run) -> Result<Averages, ConfigError> {
        match self.schedule_free {
            Some(beta) => Averages::schedule_free(beta, model),
            None => self.averaging.init(model, run),
        }
    }

    /// The optimizer with its wrappers.
    ///
    /// # Errors
    ///
    /// If a setting means nothing.
    pub fn optimizer(&self) -> Result<ModuleOptimizer, ConfigError> {
        self.optimizer.init(self.lookahead, self.schedule_free)
    }

    /// What works on a step.
    ///
    /// # Errors
    ///
    /// If a setting means nothing.
    pub fn step_tricks(&self) -> Result<StepTricks, ConfigError> {
        let body = ParamGroup::all().exclude(ParamGroup::from_predicate("output"));
        let agc = |factor| AgcConfig::new().with_clip_factor(factor).with_group(body);
        Ok(StepTricks {
            sam: self.sam.map(|rho| SamConfig::new(rho).init()).transpose()?,
            centralize: (self.centralize)
                .then(|| CentralizeGradConfig::new().init())
                .transpose()?,
            agc: self.agc.map(|factor| agc(factor).init()).transpose()?,
            clip: (self.clip)
                .map(|norm| ClipGradNormConfig::new(norm).init())
                .transpose()?,
            normalize: (self.normalize)
                .then(|| NormalizeGradConfig::new().init())
                .transpose()?,
            max_norm: (self.max_norm)
                .map(|norm| MaxNormConfig::new(norm).init())
                .transpose()?,
        })
    }
}

impl StepTricks {
    /// The gradients that the optimizer gets.
    pub fn before<M: Module>(&self, model: &M, mut grads: GradientsParams) -> GradientsParams {
        if let Some(centralize) = &self.centralize {
            grads = centralize.apply(model, grads);
        }
        if let Some(agc) = &self.agc {
            grads = agc.apply(model, grads);
        }
        if let Some(clip) = &self.clip {
            grads = clip.apply(model, grads);
        }
        if let Some(normalize) = &self.normalize {
            grads = normalize.apply(model, grads);
        }
        grads
    }

    /// The model behind the step.
    pub fn after<M: Module>(&self, model: M) -> M {
        match &self.max_norm {
            Some(max_norm) => max_norm.apply(model),
            None => model,
        }
    }
}
