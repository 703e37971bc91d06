//! L1, L2 and elastic net: the size of the weights as a term of the loss.
//!
//! ```text
//! Ω = λ₁ Σ |w| + λ₂ Σ w²     over the weights of the group
//! ```
//!
//! The gradient of λ₁ |w| is λ₁ sign(w), 0 at 0, and pulls weights to exactly zero; that of λ₂ w² is
//! 2 λ₂ w, and pulls in proportion.
//!
//! # Example
//!
//! ```
//! use burn::nn::LinearConfig;
//! use burn::tensor::{Device, Tensor};
//! use burn_tricks_nn::PenaltyConfig;
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! let device = Device::flex().autodiff();
//! let model = LinearConfig::new(4, 2).init(&device);
//! let penalty = PenaltyConfig::new().with_l1(1e-5).with_l2(1e-4).init()?;
//!
//! let loss = model.forward(Tensor::<2>::ones([3, 4], &device)).square().mean();
//! let grads = penalty.add_to(loss, &model).backward();
//! # let _ = grads;
//! # Ok(())
//! # }
//! ```
//!
//! Several groups are several penalties:
//!
//! ```
//! # use burn::module::ParamGroup;
//! # use burn_tricks_nn::PenaltyConfig;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let head = ParamGroup::from_regex(r"^head\.").expect("a regular expression");
//! let sparse_head = PenaltyConfig::new().with_l1(1e-4).with_group(head.clone()).init()?;
//! let body = ParamGroup::all().exclude(head);
//! let ridge_body = PenaltyConfig::elastic_net(1e-3, 0.0)?.with_group(body).init()?;
//! # let _ = (sparse_head, ridge_body);
//! # Ok(())
//! # }
//! ```
//!
//! # Order
//!
//! In the loss, before `backward`: an adaptive optimizer divides the penalty's gradient by what it divides
//! the others by, and a clip counts it. Weight decay that does not pass through the optimizer's moments
//! is in `burn-tricks-optim`. With accumulated gradients that are summed, add it once, or a share of it
//! to each part.
//!
//! A [tied](crate::constraint::tied_weights) parameter counts once, however many places it stands in.
//!
//! Only what is trained counts: frozen parameters and running statistics are left out, and by default so
//! is everything of one dimension, biases and the gains of norms: [`WeightDecayScope`]. Of a reparameterized
//! parameter the parts are penalised that are stored and trained: v of weight norm (where the penalty has
//! no effect on the function), the factors of LoRA.
//!
//! # Cost
//!
//! One or two passes over the weights and as many for the gradient; sums of half precision in `f32`.
//!
//! # Differences
//!
//! λ₂ has no ½, as in Keras's `L2` (and `L1L2`): PyTorch's `weight_decay` λ on plain SGD is λ₂ = λ / 2.
//! [`PenaltyConfig::elastic_net`] has scikit-learn's α and ratio, and its ½.
//!
//! # Suggested values
//!
//! 1e-4 for λ₂ (He et al. train ResNets with weight decay 1e-4, λ₂ = 5e-5).
//!
//! # References
//!
//! - Tibshirani, *Regression shrinkage and selection via the lasso*, 1996
//! - Zou, Hastie, *Regularization and variable selection via the elastic net*, 2005
//! - Keras, `keras.regularizers.L1L2`; scikit-learn, `sklearn.linear_model.ElasticNet`

use burn::module::{Module, Param, ParamGroup, ParamId};
use burn::tensor::{Device, Tensor};
use burn_tricks_core::walk::{Location, Visitor, visit};
use burn_tricks_core::{Config, ConfigError, WeightDecayScope, accumulation_dtype};
use std::collections::HashSet;

/// Configuration of [`Penalty`].
#[derive(Config, Debug)]
pub struct PenaltyConfig {
    /// λ₁, the weight of `Σ |w|`, at least 0. Default: 0.
    #[config(default = 0.0)]
    pub l1: f64,
    /// λ₂, the weight of `Σ w²`, at least 0. Default: 0.
    #[config(default = 0.0)]
    pub l2: f64,
    /// Which weights of the group are penalised. Default: [`WeightDecayScope::Matrices`].
    #[config(default = "WeightDecayScope::Matrices")]
    pub scope: WeightDecayScope,
    /// Which parameters, by path or id. Default: all.
    #[config(default = "ParamGroup::all()")]
    pub group: ParamGroup,
}

impl PenaltyConfig {
    /// scikit-learn's elastic net, `α r Σ |w| + ½ α (1 − r) Σ w²`: its penalty, for a loss that is
    /// scikit-learn's, half the mean squared error.
    ///
    /// # Errors
    ///
    /// If `alpha` is negative or not finite, or if `l1_ratio` does not lie in [0, 1].
    pub fn elastic_net(alpha: f64, l1_ratio: f64) -> Result<Self, ConfigError> {
        ConfigError::non_negative("alpha", alpha)?;
        ConfigError::within("l1_ratio", l1_ratio, 0.0..=1.0)?;
        Ok(Self::new()
            .with_l1(alpha * l1_ratio)
            .with_l2(0.5 * alpha * (1.0 - l1_ratio)))
    }

    /// The penalty.
    ///
    /// # Errors
    ///
    /// If `l1` or `l2` is negative or not finite.
    pub fn init(&self) -> Result<Penalty, ConfigError> {
        ConfigError::non_negative("l1", self.l1)?;
        ConfigError::non_negative("l2", self.l2)?;
        Ok(Penalty {
            config: self.clone(),
        })
    }
}

/// The size of a model's weights. Made by [`PenaltyConfig::init`].
#[derive(Debug, Clone)]
pub struct Penalty {
    config: PenaltyConfig,
}

impl Penalty {
    /// Ω of `model`, in `f32` (of `f64` weights `f64`), on the device of the first of them. Zero if there
    /// are none.
    ///
    /// Of a model without autodiff it is the same number, for a log.
    pub fn forward<M: Module>(&self, model: &M) -> Tensor<1> {
        let devices = model.devices();
        let walk = if devices.iter().any(Device::is_autodiff) {
            self.walk(model)
        } else {
            // Which parameters are trained shows on an autodiff device only.
            self.walk(&model.valid().train())
        };
        let sum = walk.sum.unwrap_or_else(|| {
            let device = devices.first().cloned().unwrap_or_default();
            Tensor::zeros([1], &device)
        });
        if devices.iter().any(Device::is_autodiff) {
            sum
        } else {
            sum.without_autodiff()
        }
    }

    /// `loss` plus Ω of `model`, in the type and on the device of `loss`. With λ₁ = λ₂ = 0 it is `loss`
    /// itself.
    ///
    /// With autodiff if either has it: for a plain validation loss, give the model's `valid()`.
    pub fn add_to<M: Module>(&self, loss: Tensor<1>, model: &M) -> Tensor<1> {
        if self.config.l1 == 0.0 && self.config.l2 == 0.0 {
            return loss;
        }
        let penalty = self
            .forward(model)
            .to_device(&loss.device())
            .cast(loss.dtype());
        loss + penalty
    }

    /// The paths of the parameters that count, to see whether a pattern means what it should. Of a tied
    /// parameter the first that the group matches.
    pub fn paths<M: Module>(&self, model: &M) -> Vec<String> {
        self.walk(&model.valid().train()).paths
    }

    fn walk<M: Module>(&self, model: &M) -> Walk<'_> {
        let mut walk = Walk {
            config: &self.config,
            seen: HashSet::new(),
            paths: Vec::new(),
            sum: None,
        };
        visit(model, &mut walk);
        walk
    }
}

struct Walk<'a> {
    config: &'a PenaltyConfig,
    /// A tied parameter is visited at each of its places and counts once.
    seen: HashSet<ParamId>,
    paths: Vec<String>,
    sum: Option<Tensor<1>>,
}

impl Visitor for Walk<'_> {
    fn float<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D>>) {
        let PenaltyConfig { l1, l2, .. } = *self.config;
        let is_spared = !self.config.scope.includes(D);
        if is_spared || !self.config.group.matches(&param.id, Some(at.path())) {
            return;
        }
        let w = param.val();
        if !w.is_require_grad() || !self.seen.insert(param.id) {
            return;
        }
        self.paths.push(at.path().to_owned());
        let w = w.clone().cast(accumulation_dtype(w.dtype()));
        if l1 > 0.0 {
            self.add(w.clone().abs().sum().mul_scalar(l1));
        }
        if l2 > 0.0 {
            self.add(w.square().sum().mul_scalar(l2));
        }
    }
}

impl Walk<'_> {
    fn add(&mut self, term: Tensor<1>) {
        self.sum = Some(match self.sum.take() {
            Some(sum) => {
                let term = term.to_device(&sum.device()).cast(sum.dtype());
                sum + term
            }
            None => term,
        });
    }
}
