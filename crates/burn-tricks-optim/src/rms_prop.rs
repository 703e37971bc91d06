//! RMSProp, in one pass.
//!
//! A drop-in for Burn's `RmsPropConfig`: the same options, the same results, the same record, several
//! times faster on the CPU.
//!
//! ```text
//! g ← g + λ w                                coupled weight decay
//! v ← α v + (1 − α) g²
//! ḡ ← α ḡ + (1 − α) g                        if centred, else ḡ = 0
//! u ← g / (√(v − ḡ²) + ε)
//! b ← μ b + u                                with momentum, and b in place of u below
//! w ← w − η u
//! ```
//!
//! # Example
//!
//! ```
//! use burn::nn::LinearConfig;
//! use burn::optim::{GradientsParams, ModuleOptimizer};
//! use burn::tensor::{Device, Tensor};
//! use burn_tricks_optim::RmsPropConfig;
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! let device = Device::flex().autodiff();
//! let model = LinearConfig::new(4, 2).init(&device);
//! let mut optim: ModuleOptimizer = RmsPropConfig::torch().init()?;
//!
//! let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).square().mean();
//! let grads = GradientsParams::from_grads(loss.backward(), &model);
//! let model = optim.step(1e-3, model, grads);
//! # let _ = model;
//! # Ok(())
//! # }
//! ```
//!
//! Centred, with momentum:
//!
//! ```
//! use burn_tricks_optim::RmsPropConfig;
//!
//! let optim = RmsPropConfig::torch().with_alpha(0.95).with_centered(true).with_momentum(0.9).build()?;
//! # Ok::<(), burn_tricks_core::ConfigError>(())
//! ```
//!
//! # Order
//!
//! The optimizer, at the end of the stack: clip before it.
//!
//! `skip_marked` skips the steps that a transform before it has marked: [`skipped_steps`].
//!
//! # Cost
//!
//! One tensor of the parameter's size, one more if centred, one more with momentum; on the CPU
//! backend one pass: 20, 28 or 36 bytes per `f32` weight.
//!
//! # Differences
//!
//! - Burn's momentum is 0.9 and its ε 1e-5 unless told otherwise, and [`new`](RmsPropConfig::new) is
//!   Burn's; PyTorch's are 0 and 1e-8: [`torch`](RmsPropConfig::torch).
//! - `v − ḡ²` can be rounded below 0 where a gradient hardly changes: PyTorch's and Burn's root is a
//!   NaN then, here it is 0.
//! - α = 0.99 in PyTorch and Burn, 0.9 in Hinton's lecture, Keras and optax.
//! - Burn also records what follows from the rest (`centered.avg`); so do we, for its sake, and do
//!   not keep it in memory.
//! - The state of `f16` and `bf16` weights is kept in `f32`.
//! - A reloaded state goes straight to the parameter's device, not through `Device::default()`.
//!
//! # Suggested values
//!
//! η = 1e-3, α = 0.9 (Hinton); α = 0.95, centred, momentum 0.95 (Mnih et al., DQN).
//!
//! # References
//!
//! - Tieleman, Hinton, *Lecture 6.5: RMSProp*, 2012
//! - Graves, *Generating sequences with recurrent neural networks*, 2013,
//!   <https://arxiv.org/abs/1308.0850> (centred)

use crate::held::Held;
use crate::skipped_steps;
use crate::weight_decay::{WeightDecayMode, WeightDecayRule};
use burn::grad_clipping::GradientClippingConfig;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::{
    LearningRate, ModuleOptimizer, Optimizer, RecordState, StateSink, StateSource, join_path,
};
use burn::tensor::{Device, Tensor};
use burn_tricks_core::{Config, ConfigError, WeightDecayScope};
use burn_tricks_kernels::{RmsPropStep, Skip, Step, WeightDecayTerm};

/// Configuration of [`RmsProp`]: Burn's options and defaults, and two of ours.
#[derive(Config, Debug)]
pub struct RmsPropConfig {
    /// α in `[0, 1)`: the share of the old mean square. Default: 0.99.
    #[config(default = 0.99)]
    pub alpha: f64,
    /// μ in `[0, 1)`; 0 is no momentum. Default: 0.9, as in Burn.
    #[config(default = 0.9)]
    pub momentum: f64,
    /// ε > 0, beside the root. Default: 1e-5, as in Burn.
    #[config(default = 1e-5)]
    pub epsilon: f64,
    /// Whether to divide by the deviation instead of the mean square. Default: no.
    #[config(default = false)]
    pub centered: bool,
    /// Weight decay, with λ ≥ 0. Default: none.
    pub weight_decay: Option<WeightDecayConfig>,
    /// Where the decay enters. Default: [`WeightDecayMode::Coupled`], as in Burn.
    #[config(default = "WeightDecayMode::Coupled")]
    pub weight_decay_mode: WeightDecayMode,
    /// Which weights decay. Default: [`WeightDecayScope::Every`], as in Burn.
    #[config(default = "WeightDecayScope::Every")]
    pub weight_decay_scope: WeightDecayScope,
    /// Whether a gradient that is marked as non-finite skips the step: weights, state and step count stay as
    /// they are. Else it makes the weights NaN. For `NonFinite::SkipStep` of `burn-tricks-grad`; see
    /// [`skipped_steps`]. Default: no.
    #[config(default = false)]
    pub skip_marked: bool,
    /// Burn's clipping, tensor by tensor. Default: none.
    pub grad_clipping: Option<GradientClippingConfig>,
}

impl RmsPropConfig {
    /// PyTorch's defaults: ε = 1e-8, no momentum.
    pub fn torch() -> Self {
        Self::new().with_epsilon(1e-8).with_momentum(0.0)
    }

    /// The optimizer of one parameter, for combinators and `ModuleOptimizer::with_group`.
    ///
    /// # Errors
    ///
    /// If α or μ lies outside `[0, 1)`, ε is not finite and positive, or the weight decay is negative
    /// or not finite.
    pub fn build(&self) -> Result<RmsProp, ConfigError> {
        let penalty = self
            .weight_decay
            .as_ref()
            .map_or(0.0, |decay| decay.penalty.into());
        Ok(RmsProp {
            alpha: ConfigError::decay_rate("alpha", self.alpha)?,
            momentum: ConfigError::decay_rate("momentum", self.momentum)?,
            epsilon: ConfigError::positive("epsilon", self.epsilon)?,
            centered: self.centered,
            weight_decay: WeightDecayRule::new(self.weight_decay_mode, penalty).validated()?,
            weight_decay_scope: self.weight_decay_scope,
            skip_marked: self.skip_marked,
        })
    }

    /// The optimizer of a whole module.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build).
    pub fn init(&self) -> Result<ModuleOptimizer, ConfigError> {
        Ok(crate::with_clipping(
            self.build()?,
            self.grad_clipping.as_ref(),
        ))
    }
}

/// The RMSProp optimizer. Made by [`RmsPropConfig::build`].
#[derive(Debug, Clone, PartialEq)]
pub struct RmsProp {
    alpha: f64,
    momentum: f64,
    epsilon: f64,
    centered: bool,
    weight_decay: WeightDecayRule,
    weight_decay_scope: WeightDecayScope,
    skip_marked: bool,
}

/// The state of [`RmsProp`] for one parameter, in the layout of Burn's own record:
/// `square_avg.square_avg`, `centered.avg`, `centered.grad_avg` if centred, `momentum.buf` with
/// momentum.
#[derive(Debug, Clone)]
pub struct RmsPropState<const D: usize> {
    square_avg: Held<D>,
    grad_avg: Option<Held<D>>,
    momentum: Option<Held<D>>,
}

impl RmsProp {
    fn numbers<const CENTERED: bool, const MOMENTUM: bool>(
        &self,
        lr: f64,
        decay: WeightDecayTerm,
    ) -> RmsPropStep<CENTERED, MOMENTUM> {
        RmsPropStep {
            lr,
            alpha: self.alpha,
            epsilon: self.epsilon,
            momentum: self.momentum,
            decay,
        }
    }
}

impl Optimizer for RmsProp {
    type State<const D: usize> = RmsPropState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        weight: Tensor<D>,
        grad: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let skip = skipped_steps::look(self.skip_marked, &grad);
        if let Skip::Known(true) = skip {
            return (weight, state);
        }
        let decay = self.weight_decay.at(lr, self.weight_decay_scope, D);
        // What a record lacks, because it was made with other settings, starts at 0.
        let or_zero = |held: Option<Held<D>>, field, like: &Tensor<D>| match held {
            Some(held) => held.beside(&weight, field),
            None => like.zeros_like(),
        };
        let state = state.map(|state| {
            let v = state.square_avg.beside(&weight, "square_avg");
            let mean = self
                .centered
                .then(|| or_zero(state.grad_avg, "grad_avg", &v));
            let last = (self.momentum > 0.0).then(|| or_zero(state.momentum, "buf", &v));
            (v, mean, last)
        });
        let (weight, v, mean, last) = match (self.centered, self.momentum > 0.0) {
            (false, false) => {
                let state = state.map(|(v, ..)| [v]);
                let (weight, [v]) = self
                    .numbers::<false, false>(lr, decay)
                    .apply_unless(&skip, weight, grad, state);
                (weight, v, None, None)
            }
            (false, true) => {
                let state = state.and_then(|(v, _, last)| Some([v, last?]));
                let (weight, [v, last]) = self
                    .numbers::<false, true>(lr, decay)
                    .apply_unless(&skip, weight, grad, state);
                (weight, v, None, Some(last))
            }
            (true, false) => {
                let state = state.and_then(|(v, mean, _)| Some([v, mean?]));
                let (weight, [v, mean]) = self
                    .numbers::<true, false>(lr, decay)
                    .apply_unless(&skip, weight, grad, state);
                (weight, v, Some(mean), None)
            }
            (true, true) => {
                let state = state.and_then(|(v, mean, last)| Some([v, mean?, last?]));
                let (weight, [v, mean, last]) = self
                    .numbers::<true, true>(lr, decay)
                    .apply_unless(&skip, weight, grad, state);
                (weight, v, Some(mean), Some(last))
            }
        };
        let state = RmsPropState {
            square_avg: v.into(),
            grad_avg: mean.map(Held::from),
            momentum: last.map(Held::from),
        };
        (weight, Some(state))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        RmsPropState {
            square_avg: state.square_avg.moved_to(device),
            grad_avg: state.grad_avg.map(|held| held.moved_to(device)),
            momentum: state.momentum.map(|held| held.moved_to(device)),
        }
    }
}

impl<const D: usize> RecordState for RmsPropState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        self.square_avg
            .write(&join_path(prefix, "square_avg"), "square_avg", out);
        let centered = join_path(prefix, "centered");
        match &self.grad_avg {
            Some(mean) => {
                mean.write(&centered, "grad_avg", out);
                self.square_avg
                    .minus_square_of(mean)
                    .write(&centered, "avg", out);
            }
            None => self.square_avg.write(&centered, "avg", out),
        }
        if let Some(last) = &self.momentum {
            last.write(&join_path(prefix, "momentum"), "buf", out);
        }
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, _default: &Device) -> Option<Self> {
        Some(Self {
            square_avg: Held::read(&join_path(prefix, "square_avg"), "square_avg", source)?,
            grad_avg: Held::read(&join_path(prefix, "centered"), "grad_avg", source),
            momentum: Held::read(&join_path(prefix, "momentum"), "buf", source),
        })
    }
}
