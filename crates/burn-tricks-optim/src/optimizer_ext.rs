//! The wrappers as methods of every `Optimizer`.

use crate::cautious::{Cautious, CautiousConfig};
use crate::decoupled_weight_decay::{DecoupledWeightDecay, DecoupledWeightDecayConfig};
use crate::fused_step::FusedStep;
use crate::lookahead::{Lookahead, LookaheadConfig};
use crate::master_weights::{MasterWeights, MasterWeightsConfig};
use crate::schedule_free::{ScheduleFree, ScheduleFreeConfig};
use crate::trust_ratio::{TrustRatio, TrustRatioWrap};
use crate::wrapper_order;
use burn::optim::{ModuleOptimizer, Optimizer};
use burn_tricks_core::ConfigError;

/// The wrappers as methods of every Burn `Optimizer`: of the optimizers that the `build()` of this crate's and
/// of Burn's configurations returns, of your own, and of wrappers.
///
/// Add wrappers to what `build()` returns, before `init()`: the `ModuleOptimizer` that `init()` returns cannot be wrapped. A
/// chain reads from the inside out: the first wrapper is the closest to the optimizer. For the options of a
/// wrapper, use its configuration's `build`. Master weights come last, and schedule-free learning after all wrappers
/// except them. A wrapper around one of these two that belongs inside of it is refused: methods that return a `Result` return
/// a [`ConfigError`] that names both, and the others panic with its text.
///
/// ```
/// use burn_tricks_optim::{AdamConfig, OptimizerExt, SgdConfig};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// // LAMB for half-precision weights.
/// let lamb = AdamConfig::torch()
///     .build()?
///     .decoupled_weight_decay(0.01)?
///     .trust_ratio()
///     .master_weights()
///     .init();
/// // One of Burn's, with slow weights.
/// let optim = burn::optim::LionConfig::new().build().lookahead(6, 0.5)?.init();
/// # let _ = (lamb, optim);
/// # Ok(())
/// # }
/// ```
pub trait OptimizerExt: Optimizer + Sized {
    /// This optimizer with slow weights, which move towards the fast weights by a fraction α of the difference
    /// every `k` steps: see [`LookaheadConfig`](crate::LookaheadConfig).
    ///
    /// # Errors
    ///
    /// If `k` is 0, α lies outside `[0, 1]`, or this optimizer is schedule-free or has master weights.
    fn lookahead(self, k: usize, alpha: f64) -> Result<Lookahead<Self>, ConfigError> {
        LookaheadConfig::new(k).with_alpha(alpha).build(self)
    }

    /// This optimizer with the weight decay `w ← w − η λ w` apart from the gradient: see
    /// [`DecoupledWeightDecayConfig`](crate::DecoupledWeightDecayConfig).
    ///
    /// # Errors
    ///
    /// If λ is negative or not finite, or this optimizer is schedule-free or has master weights.
    fn decoupled_weight_decay(
        self,
        weight_decay: f64,
    ) -> Result<DecoupledWeightDecay<Self>, ConfigError> {
        DecoupledWeightDecayConfig::new(weight_decay).build(self)
    }

    /// This optimizer, without the parts of a step that go up the gradient: see [`CautiousConfig`](crate::CautiousConfig).
    ///
    /// # Panics
    ///
    /// If this optimizer is schedule-free or has master weights.
    #[must_use]
    fn cautious(self) -> Cautious<Self> {
        CautiousConfig::new().build(self)
    }

    /// This optimizer, with each tensor's step in proportion to the norm of the tensor: see
    /// [`TrustRatioConfig`](crate::TrustRatioConfig).
    ///
    /// # Panics
    ///
    /// If this optimizer is schedule-free or has master weights.
    #[must_use]
    fn trust_ratio(self) -> TrustRatio<Self> {
        wrapper_order::check_or_panic::<Self>("trust_ratio");
        TrustRatio::new(TrustRatioWrap::LAMB, self)
    }

    /// This optimizer, with gradients taken between its weights and their average, at the fraction β of the
    /// way: see [`ScheduleFreeConfig`](crate::ScheduleFreeConfig).
    ///
    /// # Errors
    ///
    /// If β lies outside `[0, 1)`, or this optimizer is schedule-free already or has master weights.
    fn schedule_free(self, beta: f64) -> Result<ScheduleFree<Self>, ConfigError> {
        ScheduleFreeConfig::new().with_beta(beta).build(self)
    }

    /// This optimizer, with an `f32` copy of `f16` and `bf16` weights: see
    /// [`MasterWeightsConfig`](crate::MasterWeightsConfig).
    ///
    /// # Panics
    ///
    /// If this optimizer has master weights already.
    #[must_use]
    fn master_weights(self) -> MasterWeights<Self> {
        MasterWeightsConfig::new().build(self)
    }

    /// The step of a whole module with transform and average in one, for hand-written loops: see
    /// [`FusedStep`](crate::FusedStep).
    #[must_use]
    fn fused(self) -> FusedStep {
        FusedStep::new(self)
    }

    /// The optimizer of a whole module.
    #[must_use]
    fn init(self) -> ModuleOptimizer {
        ModuleOptimizer::from(self)
    }
}

impl<O: Optimizer> OptimizerExt for O {}
