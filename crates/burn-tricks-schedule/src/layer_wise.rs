//! Layer-wise learning rates: the further from the output, the smaller.
//!
//! Fine-tuning changes the layers that know most in general, those near the input, the least:
//!
//! ```text
//! η(layer i of n) = η · γ^(n − 1 − i)        i = 0 is nearest to the input
//! ```
//!
//! # Example
//!
//! ```
//! use burn::module::Module;
//! use burn::nn::{Linear, LinearConfig};
//! use burn::tensor::Device;
//! use burn_tricks_schedule::{CosineConfig, LayerWiseLrConfig};
//!
//! #[derive(Module, Debug)]
//! struct Net {
//!     embedding: Linear,
//!     blocks: Vec<Linear>,
//!     head: Linear,
//! }
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! # let device = Device::flex();
//! # let layer = || LinearConfig::new(2, 2).init(&device);
//! # let model = Net { embedding: layer(), blocks: vec![layer(), layer()], head: layer() };
//! let layers = LayerWiseLrConfig::over(0.5, ["embedding", "blocks.*", "head"]);
//! let mut schedule = layers.init(&model, CosineConfig::new(0.1, 1_000).init()?)?;
//!
//! let rates = schedule.step(); // for `optim.step(rates, model, grads)`, or the schedule for a `Learner`
//! let rate = |path| rates.lr_from_param(model.head.weight.id, Some(path));
//! assert_eq!(rate("head.weight"), 0.1);
//! assert_eq!(rate("blocks.1.weight"), 0.05);
//! assert_eq!(rate("blocks.0.weight"), 0.025);
//! assert_eq!(rate("embedding.weight"), 0.0125);
//! # Ok(())
//! # }
//! ```
//!
//! # Layers
//!
//! A layer is named by the path of a module or of a parameter. A name with `*` is as many layers as there are values
//! for it in the model, numbers in their order: `blocks.*` is one layer for each block. What no name fits has the
//! schedule's own rate, as the last layer has. Where two names fit one parameter, the later counts. A name that
//! fits nothing is an error with near names.
//!
//! Paths are those of the model that is trained: the wrapper of `burn-tricks-train` changes none, a struct of
//! your own around the model puts its field's name in front. They stay when a record is loaded, where parameter ids
//! do not.
//!
//! # Order
//!
//! Around the finished schedule, warm-up and floor included: every layer has the whole curve, scaled. What
//! reads "the" rate of a `ModuleLrScheduler`, Burn's log among it, gets the schedule's own.
//!
//! Weight decay that is decoupled is multiplied by the rate, and gets smaller with it.
//!
//! # Cost
//!
//! A copy of the schedule for each layer. Burn looks the rate up by path for each parameter at each step, one
//! regular expression for each layer. The records are those of the copies: a run resumes with the same number of
//! layers.
//!
//! # Differences
//!
//! - timm's `layer_decay` and BEiT's program find the layers by the names of known models, and give norms and
//!   biases of a block the block's rate, as here.
//! - fast.ai's discriminative rates, `slice(lr / 100, lr)`, are evenly spaced on a logarithmic scale: γ =
//!   0.01^(1 / (n − 1)).
//!
//! # Suggested values
//!
//! γ = 0.65 (BEiT, base models) to 0.8 (ELECTRA); 0.95 for ULMFiT-like text classifiers; 1 is no decay.
//!
//! # References
//!
//! - Howard, Ruder, *Universal language model fine-tuning for text classification*, 2018,
//!   <https://arxiv.org/abs/1801.06146>
//! - Clark et al., *ELECTRA*, 2020, <https://arxiv.org/abs/2003.10555>
//! - Bao et al., *BEiT*, 2021, <https://arxiv.org/abs/2106.08254>

use crate::scaled::Scaled;
use burn::lr_scheduler::LrScheduler;
use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::module::Module;
use burn_tricks_core::{Config, ConfigError, ParamPaths};

/// Configuration of layer-wise learning rates; see the [module documentation](self).
#[derive(Config, Debug, PartialEq)]
pub struct LayerWiseLrConfig {
    /// γ in (0, 1], from one layer to the next towards the input.
    pub factor: f64,
    /// The layers by their paths, from the input to the output.
    pub layers: Vec<String>,
}

/// One layer, and the factor of its rate.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerRate {
    /// The path of the layer.
    pub path: String,
    /// By what the schedule's rate is multiplied.
    pub factor: f64,
}

impl LayerWiseLrConfig {
    /// As `new`, with the layers as a list of texts.
    pub fn over(factor: f64, layers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::new(factor, layers.into_iter().map(Into::into).collect())
    }

    /// The rates of `schedule` for `model`, layer by layer. For `ModuleOptimizer::step` and the `Learner`.
    ///
    /// # Errors
    ///
    /// If γ does not lie in (0, 1], or a layer's name fits no parameter of `model`.
    pub fn init<M, S>(&self, model: &M, schedule: S) -> Result<ModuleLrScheduler, ConfigError>
    where
        M: Module,
        S: LrScheduler + Clone + 'static,
    {
        let mut rates = ModuleLrScheduler::new(schedule.clone());
        for LayerRate { path, factor } in self.rates(model)? {
            let group = ParamPaths::init(model, "layers", &[path])?.group();
            rates = rates.with_group(group, Scaled::init(schedule.clone(), factor)?);
        }
        Ok(rates)
    }

    /// The layers that the names stand for in `model`, and the factors of their rates, to see whether they are
    /// what they should be.
    ///
    /// # Errors
    ///
    /// As [`init`](Self::init).
    pub fn rates<M: Module>(&self, model: &M) -> Result<Vec<LayerRate>, ConfigError> {
        if !(self.factor > 0.0 && self.factor <= 1.0) {
            return Err(ConfigError::new("factor", "lie in (0, 1]", self.factor));
        }
        let mut paths = Vec::new();
        for name in &self.layers {
            let name = ParamPaths::init(model, "layers", &[name])?;
            paths.extend(name.expanded(model));
        }
        let last = paths.len().saturating_sub(1);
        let rate = |(at, path)| LayerRate {
            path,
            factor: self.factor.powi((last - at) as i32),
        };
        Ok(paths.into_iter().enumerate().map(rate).collect())
    }
}
