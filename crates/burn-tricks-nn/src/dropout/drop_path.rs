//! Drop-path (stochastic depth).

use crate::dropout::training_only::{acts, one_line, with_flag};
use burn::module::{Content, DisplaySettings, Flag, ModuleDisplay, Param};
use burn::tensor::Tensor;
use burn_tricks_core::{Config, ConfigError, InlineModule, display};
use burn_tricks_kernels::{Noise, noise};
use serde::{Deserialize, Serialize};

/// Whether training or inference applies the scaling that keeps the mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DropPathScale {
    /// In training, a branch that is kept is divided by 1 − p; inference is the identity: timm, torchvision.
    Training,
    /// In training, a branch is kept as it is or dropped; inference multiplies by 1 − p: the paper, Composer.
    Inference,
}

/// What is kept or dropped as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DropPathUnit {
    /// Each sample on its own; samples are the first dimension.
    Sample,
    /// All samples of the batch at once.
    Batch,
}

/// How the probability grows with depth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DepthSchedule {
    /// `p l / (L − 1)` for l = 0, ..., L − 1: the first block is never dropped. timm.
    FromZero,
    /// `p (l + 1) / L`: the first block is dropped with probability p / L. The paper, Composer.
    FromShare,
}

impl DepthSchedule {
    /// The probabilities of the `depth` blocks of a network, from the first block to the last, whose
    /// probability is `max`. A single block has probability 0 with [`FromZero`](Self::FromZero), as in timm.
    ///
    /// # Errors
    ///
    /// If `max` does not lie in [0, 1).
    pub fn probs(self, max: f64, depth: usize) -> Result<Vec<f64>, ConfigError> {
        ConfigError::within("max", max, 0.0..1.0)?;
        let share = |block: usize| match self {
            Self::FromZero => block as f64 / (depth.max(2) - 1) as f64,
            Self::FromShare => (block + 1) as f64 / depth as f64,
        };
        Ok((0..depth).map(|block| max * share(block)).collect())
    }
}

/// Configuration of [`DropPath`] (stochastic depth): during training a residual branch is left out, sample by
/// sample.
///
/// ```text
/// y[i] = x[i] mᵢ / (1 − p)     mᵢ ~ Bernoulli(1 − p), one for each sample
/// ```
///
/// The layer stands at the end of a branch, `x + path(branch(x))`: where m is 0 the block is the
/// identity.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_nn::{DepthSchedule, DropPathConfig};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let probs = DepthSchedule::FromZero.probs(0.1, 5)?; // 0, 0.025, 0.05, 0.075, 0.1
/// let paths = probs
///     .into_iter()
///     .map(|prob| DropPathConfig::new(prob).init())
///     .collect::<Result<Vec<_>, _>>()?;
///
/// let mut x = Tensor::<2>::ones([4, 8], &device);
/// for path in &paths {
///     let branch = x.clone() * 0.1;
///     x = x + path.forward(branch);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// The layer comes last in a residual branch, before the sum. It acts on an autodiff device while its
/// `training` flag is set, like Burn's own `Dropout`; elsewhere it returns its input.
///
/// Masks depend on the generator of the input's device: after `device.seed(s)` the same calls in the same
/// order give the same masks. On Burn's CPU backend a call draws one number from it, the key of a counter-based generator
/// (Philox4x32-10), and the mask does not depend on the number of threads; on other backends a call draws the whole mask. A
/// process has one generator for each backend: if a second thread draws random
/// numbers, as a data loader may, the masks change. A generator can be seeded, but its state cannot be read, and a
/// dropout has no seed and no counter of its own. So a run that must be resumable seeds the generator anew at each epoch,
/// with a number that depends on the run's seed and the epoch; a run that is resumed in the middle of an epoch has other
/// masks, unless it seeds the generator at each step.
///
/// # Cost
///
/// One random number for each sample, and one pass over the branch. The branch is computed before it is
/// dropped: no time is saved.
///
/// # Differences
///
/// - Scaling: timm (`scale_by_keep`) and torchvision divide by 1 − p during training; the paper and Composer
///   multiply by 1 − p at inference instead. [`DropPathScale`] has both.
/// - Probabilities by depth: timm's begin at 0 for the first block, those of the paper and of Composer at p /
///   depth. [`DepthSchedule`] has both.
/// - torchvision's `mode="batch"`, one mask for all samples, is [`DropPathUnit::Batch`].
///
/// # Suggested values
///
/// p = 0.5 in the last block for ResNets of 110 layers (Huang et al.); 0.1 to 0.4, growing with the model's
/// size, for vision transformers (Touvron et al.).
///
/// # References
///
/// - Huang et al., *Deep networks with stochastic depth*, 2016, <https://arxiv.org/abs/1603.09382>
/// - Larsson, Maire, Shakhnarovich, *FractalNet*, 2017, <https://arxiv.org/abs/1605.07648>
/// - Touvron et al., *Going deeper with image transformers*, 2021, <https://arxiv.org/abs/2103.17239>
/// - timm, `timm.layers.DropPath`; torchvision, `torchvision.ops.StochasticDepth`
#[derive(Config, Debug, PartialEq)]
pub struct DropPathConfig {
    /// Probability p of dropping, in [0, 1). 0 is the identity.
    pub prob: f64,
    /// Whether training or inference applies the scaling. Default: [`DropPathScale::Training`].
    #[config(default = "DropPathScale::Training")]
    pub scale: DropPathScale,
    /// What is dropped as a whole. Default: [`DropPathUnit::Sample`].
    #[config(default = "DropPathUnit::Sample")]
    pub unit: DropPathUnit,
}

impl DropPathConfig {
    /// The layer.
    ///
    /// # Errors
    ///
    /// If `prob` does not lie in [0, 1).
    #[inline]
    pub fn init(&self) -> Result<DropPath, ConfigError> {
        Ok(DropPath {
            prob: ConfigError::within("prob", self.prob, 0.0..1.0)?,
            training: Param::from_bool(true),
            scale: self.scale,
            unit: self.unit,
        })
    }
}

/// Leaves out a residual branch at random. Made by [`DropPathConfig::init`].
#[derive(InlineModule, Debug)]
#[module(custom_display)]
pub struct DropPath {
    /// Probability of dropping.
    #[module(skip)]
    pub prob: f64,
    /// Whether to behave as during training, on an autodiff device.
    pub training: Param<Flag>,
    /// Whether training or inference applies the scaling.
    #[module(skip)]
    pub scale: DropPathScale,
    /// What is dropped as a whole.
    #[module(skip)]
    pub unit: DropPathUnit,
}

impl DropPath {
    /// The branch, with samples dropped.
    ///
    /// # Shapes
    ///
    /// - input: `[samples, ...]`
    /// - output: the same
    ///
    /// # Panics
    ///
    /// If `prob` was set to a value outside [0, 1).
    pub fn forward<const D: usize>(&self, branch: Tensor<D>) -> Tensor<D> {
        let keep = 1.0 - self.prob;
        if !acts(&self.training, self.prob, &branch) {
            return match self.scale {
                DropPathScale::Inference if keep < 1.0 => branch.mul_scalar(keep),
                _ => branch,
            };
        }
        let dropout = Noise::Dropout {
            prob: self.prob,
            kept: match self.scale {
                DropPathScale::Training => 1.0 / keep,
                DropPathScale::Inference => 1.0,
            },
        };
        let shared = match self.unit {
            DropPathUnit::Sample => D - 1,
            DropPathUnit::Batch => D,
        };
        noise(branch, dropout, shared)
    }
}

impl ModuleDisplay for DropPath {
    fn format(&self, settings: DisplaySettings) -> String {
        display::format(self, settings)
    }

    fn custom_settings(&self) -> Option<DisplaySettings> {
        one_line()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        let content = display::number(content, "prob", &self.prob);
        let content = display::debug(content, "scale", &self.scale);
        let content = display::debug(content, "unit", &self.unit);
        with_flag(content, &self.training)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_schedules_at_their_ends() {
        let probs = |schedule: DepthSchedule, depth| schedule.probs(0.5, depth).unwrap();
        assert_eq!(probs(DepthSchedule::FromZero, 1), [0.0]);
        assert_eq!(probs(DepthSchedule::FromShare, 1), [0.5]);
        assert_eq!(probs(DepthSchedule::FromZero, 3), [0.0, 0.25, 0.5]);
        assert_eq!(
            probs(DepthSchedule::FromShare, 4),
            [0.125, 0.25, 0.375, 0.5]
        );
        assert!(probs(DepthSchedule::FromZero, 0).is_empty());
        let error = DepthSchedule::FromZero.probs(1.0, 3).unwrap_err();
        assert_eq!(error.to_string(), "`max` must lie in [0, 1), got 1.0");
    }

    #[test]
    fn it_says_what_it_is() {
        let path = DropPathConfig::new(0.1).init().unwrap();
        assert_eq!(
            path.to_string(),
            "DropPath {prob: 0.1, scale: Training, unit: Sample}"
        );
    }
}
