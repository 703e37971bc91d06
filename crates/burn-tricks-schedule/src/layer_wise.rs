//! Layer-wise learning rates.

use crate::constant_rate;
use crate::scaled::Scaled;
use burn::lr_scheduler::LrScheduler;
use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::module::Module;
use burn_tricks_core::{Config, ConfigError, ParamPaths};

/// Configuration of layer-wise learning rates: the further a layer is from the output, the smaller its rate.
///
/// In fine-tuning, layers near the input, whose features are the most general, should change the least:
///
/// ```text
/// η(layer i of n) = η · γ^(n − 1 − i)        i = 0 is nearest to the input
/// ```
///
/// # Example
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::Device;
/// use burn_tricks_schedule::{CosineConfig, LayerWiseLrConfig};
///
/// #[derive(Module, Debug)]
/// struct Net {
///     embedding: Linear,
///     blocks: Vec<Linear>,
///     head: Linear,
/// }
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// # let device = Device::flex();
/// # let layer = || LinearConfig::new(2, 2).init(&device);
/// # let model = Net { embedding: layer(), blocks: vec![layer(), layer()], head: layer() };
/// let layers = LayerWiseLrConfig::over(0.5, ["embedding", "blocks.*", "head"]);
/// let mut schedule = layers.init(&model, CosineConfig::new(0.1, 1_000).init()?)?;
///
/// let rates = schedule.step(); // for `optim.step(rates, model, grads)`, or the schedule for a `Learner`
/// let rate = |path| rates.lr_from_param(model.head.weight.id, Some(path));
/// assert_eq!(rate("head.weight"), 0.1);
/// assert_eq!(rate("blocks.1.weight"), 0.05);
/// assert_eq!(rate("blocks.0.weight"), 0.025);
/// assert_eq!(rate("embedding.weight"), 0.0125);
/// # Ok(())
/// # }
/// ```
///
/// # Layers
///
/// A layer is named by the path of a module or of a parameter. A name with `*` stands for one layer for each match in
/// the model, numbers in their order: `blocks.*` is one layer for each block. Parameters that no name fits have the
/// schedule's own learning rate, like the last layer. If two names fit one parameter, the later counts. A tied parameter,
/// which stands at several places, is in the last layer in which it has a place. A name that
/// fits nothing is an error, which suggests similar names.
///
/// Paths are those of the model that is trained: the wrapper of `burn-tricks-train` does not change them, but a
/// struct of your own around the model puts the name of its field in front. Unlike parameter ids, paths stay
/// the same when a record is loaded.
///
/// # Order
///
/// It goes around the finished schedule, warm-up and floor included: every layer gets the whole curve, scaled. Each layer
/// has a copy of the schedule, so a schedule that observes a metric must share what it observes: `with_shared_plateau` of
/// `burn-tricks-train` does, and a `ReduceOnPlateau` would never be reduced.
/// Code that reads a single learning rate of a `ModuleLrScheduler`, such as Burn's log, gets the schedule's own rate.
///
/// Decoupled weight decay is multiplied by the learning rate, so it is smaller in layers with a smaller rate.
///
/// # Cost
///
/// A copy of the schedule for each layer. At each step Burn looks up the learning rate of each parameter by its path,
/// with one regular expression for each layer. The record holds the records of the copies, so a run must be
/// resumed with the same number of layers.
///
/// # Differences
///
/// - timm's `layer_decay` and BEiT's program find the layers by the names of known models, and give the normalisation
///   layers and biases of a block the learning rate of the block, as here.
/// - fast.ai's discriminative learning rates, `slice(lr / 100, lr)`, are evenly spaced on a logarithmic scale: γ =
///   0.01^(1 / (n − 1)).
///
/// # Suggested values
///
/// γ = 0.65 (BEiT, base models) to 0.8 (ELECTRA); 0.95 for ULMFiT-like text classifiers; 1 is no decay.
///
/// # References
///
/// - Howard, Ruder, *Universal language model fine-tuning for text classification*, 2018,
///   <https://arxiv.org/abs/1801.06146>
/// - Clark et al., *ELECTRA*, 2020, <https://arxiv.org/abs/2003.10555>
/// - Bao et al., *BEiT*, 2021, <https://arxiv.org/abs/2106.08254>
#[derive(Config, Debug, PartialEq)]
pub struct LayerWiseLrConfig {
    /// γ in (0, 1], the factor from one layer to the next towards the input.
    pub factor: f64,
    /// The layers by their paths, from the input to the output.
    pub layers: Vec<String>,
}

/// One layer, and the factor of its learning rate.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerLr {
    /// The path of the layer.
    pub path: String,
    /// The factor by which the schedule's learning rate is multiplied.
    pub factor: f64,
}

impl LayerWiseLrConfig {
    /// Like `new`, with the layers as a list of strings.
    pub fn over(factor: f64, layers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::new(factor, layers.into_iter().map(Into::into).collect())
    }

    /// A scheduler with the learning rates of `schedule` for each layer of `model`, for `ModuleOptimizer::step` and
    /// the `Learner`.
    ///
    /// # Errors
    ///
    /// If γ does not lie in (0, 1], a layer's name fits no parameter of `model`, or `schedule` is a constant rate that is
    /// negative or not finite.
    pub fn init<M, S>(&self, model: &M, schedule: S) -> Result<ModuleLrScheduler, ConfigError>
    where
        M: Module,
        S: LrScheduler + Clone + 'static,
    {
        constant_rate::check(&schedule)?;
        let mut rates = ModuleLrScheduler::new(schedule.clone());
        for LayerLr { path, factor } in self.rates(model)? {
            let group = ParamPaths::init(model, "layers", &[path])?.group();
            rates = rates.with_group(group, Scaled::init(schedule.clone(), factor)?);
        }
        Ok(rates)
    }

    /// The layers that the names stand for in `model`, and the factors of their learning rates, to check that the
    /// names match the intended layers.
    ///
    /// # Errors
    ///
    /// Those of [`init`](Self::init).
    pub fn rates<M: Module>(&self, model: &M) -> Result<Vec<LayerLr>, ConfigError> {
        if !(self.factor > 0.0 && self.factor <= 1.0) {
            return Err(ConfigError::new("factor", "lie in (0, 1]", self.factor));
        }
        let mut paths = Vec::new();
        for name in &self.layers {
            let name = ParamPaths::init(model, "layers", &[name])?;
            paths.extend(name.expanded(model));
        }
        let last = paths.len().saturating_sub(1);
        let rate = |(at, path)| LayerLr {
            path,
            factor: self.factor.powi((last - at) as i32),
        };
        Ok(paths.into_iter().enumerate().map(rate).collect())
    }
}
