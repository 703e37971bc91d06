//! L1, L2 and elastic net.

use burn::module::{Module, Param, ParamGroup, ParamId};
use burn::tensor::{DType, Tensor};
use burn_tricks_core::walk::{Location, Visitor, has_autodiff, visit};
use burn_tricks_core::{Config, ConfigError, WeightDecayScope, accumulation_dtype};
use std::collections::HashSet;

/// Configuration of [`Penalty`], which is L1, L2 or elastic net: the size of the weights as a term of the loss.
///
/// ```text
/// Ω = λ₁ Σ |w| + λ₂ Σ w²     over the weights of the group
/// ```
///
/// The gradient of λ₁ |w| is λ₁ sign(w), 0 at 0, and drives weights to exactly zero. That of λ₂ w² is 2 λ₂ w,
/// and shrinks weights in proportion to their size.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_nn::PenaltyConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let model = LinearConfig::new(4, 2).init(&device);
/// let penalty = PenaltyConfig::new().with_l1(1e-5).with_l2(1e-4).init()?;
///
/// let loss = model.forward(Tensor::<2>::ones([3, 4], &device)).square().mean();
/// let grads = penalty.add_to(loss, &model).backward();
/// # let _ = grads;
/// # Ok(())
/// # }
/// ```
///
/// For several groups, make several penalties. [`ParamPaths`](burn_tricks_core::ParamPaths) refuses a path that the model does
/// not have:
///
/// ```
/// use burn::module::ParamGroup;
/// use burn_tricks_core::ParamPaths;
/// # use burn::{nn::LinearConfig, tensor::Device};
/// # use burn_tricks_nn::PenaltyConfig;
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// # let device = Device::flex();
/// # let model = vec![LinearConfig::new(4, 4).init(&device), LinearConfig::new(4, 2).init(&device)];
///
/// let head = ParamPaths::init(&model, "head", &["1"])?.group();
/// let sparse_head = PenaltyConfig::new().with_l1(1e-4).with_group(head.clone()).init()?;
/// let body = ParamGroup::all().exclude(head);
/// let ridge_body = PenaltyConfig::elastic_net(1e-3, 0.0)?.with_group(body).init()?;
/// # let _ = (sparse_head, ridge_body);
/// # Ok(())
/// # }
/// ```
///
/// In JSON a group is written in Burn's form:
///
/// ```
/// use burn::config::Config as _;
/// # use burn_tricks_nn::PenaltyConfig;
///
/// let json = r#"{"l1": 1e-4, "group": {"matcher": {"Path": {"Regex": ["^head\\."]}}, "excludes": null}}"#;
/// let penalty = PenaltyConfig::load_binary(json.as_bytes()).expect("a configuration");
/// # assert!(penalty.group.matches(&burn::module::ParamId::new(), Some("head.weight")));
/// # assert!(!penalty.group.matches(&burn::module::ParamId::new(), Some("heads.weight")));
/// ```
///
/// # Order
///
/// The penalty is part of the loss, before `backward`. So an adaptive optimizer rescales its gradient together
/// with that of the loss, and gradient clipping includes it. Weight decay that does not pass through the
/// optimizer's moments is in `burn-tricks-optim`. If gradients are accumulated as a sum, add the penalty once,
/// or a fraction of it to each part.
///
/// A [tied](crate::TiedWeights) parameter counts once, however many places it has.
///
/// **A group that matches nothing adds 0**, without an error: the penalty sees the model only in the loss. So make the group
/// with `ParamPaths`, or look at [`Penalty::paths`], which lists the parameters that count.
///
/// Only trained parameters count: frozen parameters and running statistics are left out. By default, so are
/// parameters of one dimension, such as biases and the gains of normalisation layers ([`WeightDecayScope`]). Of a
/// reparameterized parameter, the parts that are stored and trained are penalised: v of weight norm (where the
/// penalty has no effect on the function), the factors of LoRA.
///
/// # Cost
///
/// One or two passes over the weights and as many for the gradient; sums of half precision in `f32`.
///
/// # Differences
///
/// The λ₂ term has no factor ½, as in Keras's `L2` (and `L1L2`): PyTorch's `weight_decay` λ on plain SGD is λ₂
/// = λ / 2. [`PenaltyConfig::elastic_net`] takes scikit-learn's α and ratio, with scikit-learn's factor ½.
///
/// # Suggested values
///
/// 1e-4 for λ₂ (He et al. train ResNets with weight decay 1e-4, λ₂ = 5e-5).
///
/// # References
///
/// - Tibshirani, *Regression shrinkage and selection via the lasso*, 1996
/// - Zou, Hastie, *Regularization and variable selection via the elastic net*, 2005
/// - Keras, `keras.regularizers.L1L2`; scikit-learn, `sklearn.linear_model.ElasticNet`
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
    /// The penalty of scikit-learn's elastic net, `α r Σ |w| + ½ α (1 − r) Σ w²`. Use it with scikit-learn's
    /// loss, which is half the mean squared error.
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

/// A penalty on the size of a model's weights. Made by [`PenaltyConfig::init`].
#[derive(Debug, Clone)]
pub struct Penalty {
    config: PenaltyConfig,
}

impl Penalty {
    /// Ω of `model`, in `f32` (in `f64` for `f64` weights), on the device of the first penalised weight. Ω is
    /// zero if there is none.
    ///
    /// For a model without autodiff the number is the same, for logging.
    pub fn forward<M: Module>(&self, model: &M) -> Tensor<1> {
        let (walk, has_autodiff) = self.trained(model);
        let sum = walk.sum.unwrap_or_else(|| {
            let device = model.devices().first().cloned().unwrap_or_default();
            Tensor::zeros([1], (&device.autodiff(), DType::F32))
        });
        if has_autodiff {
            sum
        } else {
            sum.without_autodiff()
        }
    }

    /// `loss` plus Ω of `model`, in the type and on the device of `loss`. With λ₁ = λ₂ = 0 it is `loss`
    /// itself.
    ///
    /// The result is on an autodiff device if `loss` or `model` is: for a validation loss without autodiff,
    /// give `model.valid()`.
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

    /// The paths of the parameters that count, to check that a pattern matches what it should. Of a tied
    /// parameter, the first path that the group matches is listed.
    pub fn paths<M: Module>(&self, model: &M) -> Vec<String> {
        self.trained(model).0.paths
    }

    /// The walk over the trained parameters, and whether the model is one with autodiff.
    fn trained<M: Module>(&self, model: &M) -> (Walk<'_>, bool) {
        if has_autodiff(model) {
            (self.walk(model), true)
        } else {
            // Which parameters are trained shows on an autodiff device only.
            (self.walk(&model.valid().train()), false)
        }
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
