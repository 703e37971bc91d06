//! First weights for a module that exists: any model, whole or by path, whatever made it.
//!
//! ```text
//! LeCun    std = 1/√n_in                     keeps the signal's size: linear layers, SELU
//! Xavier   std = √(2/(n_in + n_out))         a compromise between signal and gradient: tanh
//! He       std = √(2/n_in)                   keeps it through ReLU
//! ```
//!
//! The sum of n products of independent inputs and weights, of variances 1 and s², has variance n s²:
//! N(0, 1) weights let a signal grow √n-fold in each layer.
//!
//! # Example
//!
//! ```
//! use burn::nn::LinearConfig;
//! use burn::tensor::Device;
//! use burn_tricks_nn::{InitWeightsConfig, WeightInit};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let device = Device::flex();
//! let layers = vec![LinearConfig::new(8, 8).init(&device); 3];
//! let layers = InitWeightsConfig::new(WeightInit::HE_NORMAL)
//!     .with_seed(Some(7))
//!     .init()?
//!     .apply(&layers)?;
//! assert_eq!(layers[0].bias.as_ref().unwrap().val().sum().into_scalar::<f32>(), 0.0);
//! # Ok(())
//! # }
//! ```
//!
//! Other distributions by path. A rule is for everything at and below its path; `*` stands for one part
//! of it, and the last rule that fits counts. Here the last layer of each residual block starts at zero,
//! so that each block starts as the identity:
//!
//! ```
//! use burn_tricks_nn::{InitWeightsConfig, WeightInit};
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! let init = InitWeightsConfig::new(WeightInit::HE_NORMAL)
//!     .with_rule("output", WeightInit::XAVIER_UNIFORM)
//!     .with_zero("blocks.*.second")
//!     .init()?;
//! # let _ = init;
//! # Ok(())
//! # }
//! ```
//!
//! # What is drawn
//!
//! Weights of two dimensions and more, by the layout of their layer ([`UnitAxis`]): the fans of Burn's
//! linear layers are right in both of their layouts. A grouped transposed convolution is drawn too narrow,
//! by the root of its groups: give it a rule with [`WeightInit::Normal`] (see [`UnitAxis`]). Biases
//! (vectors of this name) become zero, which Burn gives the weight's initialiser. Norms' scales and shifts,
//! embeddings and running statistics stay, unless a rule names them, which running statistics cannot be.
//!
//! # Where it stands
//!
//! After the model is made, before anything is [attached](crate#one-reparameterization-for-each-parameter)
//! to its weights (a reparameterized parameter is refused) and before its optimizer takes a step.
//! Parameter ids, devices, element types, trainability and training flags stay. Together with pretrained
//! parts: rules with the paths of the new parts, and [`others`](InitWeightsConfig::others) as
//! `Others::Keep`. Linear layers in column layout [load no record afterwards](crate#column-layout).
//!
//! # Cost
//!
//! One draw of each weight. An orthogonal matrix of m rows of length n ≥ m takes about 2 m² n operations
//! in `f64` on the host: at 1,000 × 1,000 a second or two optimised, and twenty unoptimised.
//!
//! # Differences
//!
//! Burn's `Initializer` is chosen while a module is made; it swaps the fans of column-major linear
//! layers, and its `Orthogonal` panics at the bias. PyTorch swaps the fans of transposed convolutions.
//! The numbers of the scaled distributions are PyTorch's and Keras's.
//!
//! # Suggested values
//!
//! He with ReLU, Xavier with tanh, LeCun with SELU; gain 1 for the output layer. Zero for the last layer
//! of each residual block (Goyal et al.: the scale of its last batch norm).
//!
//! # References
//!
//! - LeCun, Bottou, Orr & Müller, *Efficient BackProp*, 1998, section 4.6
//! - Glorot & Bengio, *Understanding the difficulty of training deep feedforward neural networks*, 2010
//! - He et al., *Delving deep into rectifiers*, 2015, <https://arxiv.org/abs/1502.01852>
//! - Saxe et al., *Exact solutions to the nonlinear dynamics of learning in deep linear neural networks*,
//!   2013, <https://arxiv.org/abs/1312.6120>
//! - Goyal et al., *Accurate, large minibatch SGD*, 2017, <https://arxiv.org/abs/1706.02677>
//! - Mezzadri, *How to generate random matrices from the classical compact groups*, 2006

use crate::draw_weights::draw;
use crate::init_error::InitError;
use crate::layer_weights::{refuse_reparameterized, reparameterized};
use crate::rewrite::{Rewrite, Site, rewrite};
use crate::weight_init::WeightInit;
use burn::module::Module;
use burn::tensor::Tensor;
use burn_tricks_core::{Config, ConfigError, UnitAxis, force_init, params};
use serde::{Deserialize, Serialize};

/// What becomes of biases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Biases {
    /// They become zero.
    Zero,
    /// They stay.
    Keep,
}

/// What becomes of parameters that no rule names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Others {
    /// Weights are drawn, biases zeroed.
    Draw,
    /// They stay.
    Keep,
}

/// A distribution for a part of a module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InitRule {
    /// The path of the part, as records name it: `blocks.*.second`, where `*` is one part of a path.
    pub path: String,
    /// The distribution of its weights.
    pub weights: WeightInit,
}

/// Configuration of [`InitWeights`].
#[derive(Config, Debug, PartialEq)]
pub struct InitWeightsConfig {
    /// The distribution of all weights that no rule names.
    pub weights: WeightInit,
    /// What becomes of biases. Default: zero.
    #[config(default = "Biases::Zero")]
    pub biases: Biases,
    /// What becomes of parameters that no rule names. Default: drawn.
    #[config(default = "Others::Draw")]
    pub others: Others,
    /// Distributions by path; the last that fits counts. Default: none.
    #[config(default = "Vec::new()")]
    pub rules: Vec<InitRule>,
    /// The seed given to the device before the first weight is drawn, after whatever was lazy. Default:
    /// none, the generator goes on from where it is.
    #[config(default = "None")]
    pub seed: Option<u64>,
}

impl InitWeightsConfig {
    /// Adds a rule: `weights` for everything at and below `path`.
    pub fn with_rule(mut self, path: &str, weights: WeightInit) -> Self {
        let path = path.to_owned();
        self.rules.push(InitRule { path, weights });
        self
    }

    /// Adds a rule of zeros: for the last layer of each residual block, or the scale (`gamma`) of its
    /// last norm.
    pub fn with_zero(self, path: &str) -> Self {
        self.with_rule(path, WeightInit::ZEROS)
    }

    /// The initialiser.
    ///
    /// # Errors
    ///
    /// If a distribution means nothing or a path is empty.
    pub fn init(&self) -> Result<InitWeights, ConfigError> {
        self.weights.validated()?;
        for rule in &self.rules {
            rule.weights.validated()?;
            if rule.path.is_empty() {
                return Err(ConfigError::new("path", "name a part", &rule.path));
            }
        }
        Ok(InitWeights {
            config: self.clone(),
        })
    }
}

/// Gives first weights to modules. Made by [`InitWeightsConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct InitWeights {
    config: InitWeightsConfig,
}

impl InitWeights {
    /// `model` with new weights, drawn in the module's own order from the generator of its device.
    /// `model` itself keeps its values.
    ///
    /// # Errors
    ///
    /// If a rule fits nothing, a distribution needs fans or dimensions that its parameter does not have, or
    /// a parameter that would change is reparameterized.
    pub fn apply<M: Module>(&self, model: &M) -> Result<M, InitError> {
        // Draws what is lazy first: what follows the seed is ours alone.
        force_init(model);
        let params = params(model);
        let fits = |rule: &&InitRule| !params.iter().any(|param| is_below(&rule.path, &param.path));
        if let Some(rule) = self.config.rules.iter().find(fits) {
            return Err(InitError::NoSuchPath {
                path: rule.path.clone(),
            });
        }
        if let Some(seed) = self.config.seed {
            for device in model.devices() {
                device.seed(seed);
            }
        }
        let mut drawing = Drawing {
            config: &self.config,
            reparameterized: reparameterized(model),
            error: None,
        };
        let model = rewrite(model, &mut drawing);
        drawing.error.map_or(Ok(model), Err)
    }
}

/// Whether `path` lies at or below `rule`, part by part.
fn is_below(rule: &str, path: &str) -> bool {
    let mut parts = path.split('.');
    rule.split('.').all(|expected| {
        parts
            .next()
            .is_some_and(|part| expected == "*" || expected == part)
    })
}

struct Drawing<'a> {
    config: &'a InitWeightsConfig,
    reparameterized: Vec<String>,
    error: Option<InitError>,
}

impl Drawing<'_> {
    fn try_draw<const D: usize>(
        &self,
        site: &Site<'_>,
        old: &Tensor<D>,
    ) -> Result<Option<Tensor<D>>, InitError> {
        let rule = self
            .config
            .rules
            .iter()
            .rfind(|rule| is_below(&rule.path, site.path));
        if rule.is_none() && self.config.others == Others::Keep {
            return Ok(None);
        }
        // The rule of a layer is for its weight; only the bias's own path is for the bias.
        let own =
            rule.is_some_and(|rule| rule.path.split('.').count() == site.path.split('.').count());
        if D == 1 && site.path.rsplit('.').next() == Some("bias") && !own {
            return Ok(match self.config.biases {
                Biases::Zero => Some(old.zeros_like()),
                Biases::Keep => None,
            });
        }
        let unit = UnitAxis::of(site.container, D);
        let init = match (rule, unit) {
            (Some(rule), _) => rule.weights,
            (None, None | Some(UnitAxis::Rows)) => return Ok(None),
            (None, Some(_)) => self.config.weights,
        };
        let shape = old.dims();
        let fans = unit.and_then(|unit| unit.fans(&shape));
        let lacks_rank = matches!(init, WeightInit::Orthogonal { .. }) && D < 2;
        if lacks_rank || (init.needs_fans() && fans.is_none()) {
            return Err(InitError::Unfit {
                path: site.path.to_owned(),
                shape: shape.to_vec(),
                init,
            });
        }
        Ok(Some(draw(init, shape, fans, &old.device())))
    }
}

impl Rewrite for Drawing<'_> {
    fn rewrite<const D: usize>(&mut self, site: Site<'_>, old: &Tensor<D>) -> Option<Tensor<D>> {
        if self.error.is_some() {
            return None;
        }
        let drawn = self.try_draw(&site, old).and_then(|new| match new {
            Some(_) => refuse_reparameterized(&self.reparameterized, site.path).map(|()| new),
            None => Ok(None),
        });
        drawn.unwrap_or_else(|error| {
            self.error = Some(error);
            None
        })
    }
}
