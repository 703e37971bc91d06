//! RMSProp, in one pass.

use crate::optimizer_config::optimizer_config;
use crate::pending_step::{PendingStep, TakenStep};
use crate::rule::{Rule, RuleOptimizer};
use crate::rule_state::RuleState;
use crate::state_tensors::StateField;
use burn::optim::StateSink;
use burn_tricks_core::{Config, ConfigError};
use burn_tricks_kernels::RmsPropStep;

optimizer_config! {
    /// Configuration of [`RmsProp`]: Burn's options and defaults, and a few more options.
    ///
    /// A drop-in replacement for Burn's `RmsPropConfig`: the same options, results and record, several times faster
    /// on the CPU.
    ///
    /// ```text
    /// g ← g + λ w                                coupled weight decay
    /// v ← α v + (1 − α) g²
    /// ḡ ← α ḡ + (1 − α) g                        if centred, else ḡ = 0
    /// u ← g / (√(v − ḡ²) + ε)
    /// b ← μ b + u                                with momentum, and b in place of u below
    /// w ← w − η u
    /// ```
    ///
    /// # Example
    ///
    /// ```
    /// use burn::nn::LinearConfig;
    /// use burn::optim::{GradientsParams, ModuleOptimizer};
    /// use burn::tensor::{Device, Tensor};
    /// use burn_tricks_optim::RmsPropConfig;
    ///
    /// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
    /// let device = Device::flex().autodiff();
    /// let model = LinearConfig::new(4, 2).init(&device);
    /// let mut optim: ModuleOptimizer = RmsPropConfig::torch().init()?;
    ///
    /// let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).square().mean();
    /// let grads = GradientsParams::from_grads(loss.backward(), &model);
    /// let model = optim.step(1e-3, model, grads);
    /// # let _ = model;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Centred, with momentum:
    ///
    /// ```
    /// use burn_tricks_optim::RmsPropConfig;
    ///
    /// let optim = RmsPropConfig::torch().with_alpha(0.95).with_centered(true).with_momentum(0.9).build()?;
    /// # Ok::<(), burn_tricks_core::ConfigError>(())
    /// ```
    ///
    /// # Order
    ///
    /// It is the optimizer, so it comes after all transforms of the gradients: clip before it.
    ///
    /// With `skip_marked` it skips a step whose gradients a transform has marked:
    /// [`skipped_steps`](crate::skipped_steps).
    ///
    /// # Cost
    ///
    /// One tensor of the parameter's size, one more if centred, one more with momentum; on the CPU backend one
    /// pass, which moves 20, 28 or 36 bytes per `f32` weight.
    ///
    /// # Differences
    ///
    /// - Burn's defaults are a momentum of 0.9 and ε = 1e-5, and [`new`](RmsPropConfig::new) has them; PyTorch's
    ///   are 0 and 1e-8: [`torch`](RmsPropConfig::torch).
    /// - If a gradient hardly changes, `v − ḡ²` can be rounded to a negative number: the root in PyTorch and Burn
    ///   is then NaN, here it is 0, and the step is `η g/ε`: see "Centred" below.
    /// - α = 0.99 in PyTorch and Burn, 0.9 in Hinton's lecture, Keras and optax.
    /// - Keras and optax put ε under the root: [`NormalizedGradientConfig::rms_prop`](crate::NormalizedGradientConfig::rms_prop).
    /// - Burn also records a tensor that can be computed from the others (`centered.avg`). The record here holds it
    ///   too, so that Burn can load it, but it is not kept in memory.
    /// - The state of `f16` and `bf16` weights is kept in `f32`.
    /// - A gradient above 1.8e19, whose square overflows in `f32`, makes v infinite, and at the next step v and the weight
    ///   NaN. In PyTorch and Burn v stays infinite, and without momentum the weight stands still from then on.
    /// - A reloaded state goes straight to the parameter's device, not through `Device::default()`.
    ///
    /// # Centred
    ///
    /// Where a gradient hardly changes, its variance `v − ḡ²` falls towards 0, and the step grows. In `f32` with
    /// α = 0.99, a gradient that is always 1 has a variance of 3e-6 after about 1,300 steps, and it stays there: a
    /// step is `580 η`. If the gradient was 2 in the first 100 steps, the variance is rounded to 0 about 1,200 steps
    /// after it became 1, and a step is `η/ε`: `1e8 η` with PyTorch's ε = 1e-8, and `1e5 η` with Burn's 1e-5. (These are
    /// steps without momentum, which adds up several.) No step is longer than `η g/ε`, so choose a larger ε if centred.
    /// Graves adds 1e-4 and Mnih et al. add 0.01 under the root, which bounds the step by `100 η g` and `10 η g`, as
    /// ε = 0.01 and ε = 0.1 do here.
    ///
    /// # Suggested values
    ///
    /// η = 1e-3, α = 0.9 (Hinton); α = 0.95, centred, momentum 0.95 (Mnih et al., DQN).
    ///
    /// # References
    ///
    /// - Tieleman, Hinton, *Lecture 6.5: RMSProp*, 2012
    /// - Graves, *Generating sequences with recurrent neural networks*, 2013,
    ///   <https://arxiv.org/abs/1308.0850> (centred)
    #[derive(Config, Debug)]
    pub struct RmsPropConfig for RmsProp, decay: Burn, clipping: grad_clipping {
        /// α in `[0, 1)`: the share of the old mean square. Default: 0.99.
        #[config(default = 0.99)]
        pub alpha: f64,
        /// μ in `[0, 1)`, the momentum; with 0 there is none. Default: 0.9, as in Burn.
        #[config(default = 0.9)]
        pub momentum: f64,
        /// ε > 0, added to the root. Default: 1e-5, as in Burn.
        #[config(default = 1e-5)]
        pub epsilon: f64,
        /// Whether to divide by the standard deviation instead of the root of the mean square. Default: no.
        #[config(default = false)]
        pub centered: bool,
    }
}

impl RmsPropConfig {
    /// PyTorch's defaults: ε = 1e-8, no momentum.
    pub fn torch() -> Self {
        Self::new().with_epsilon(1e-8).with_momentum(0.0)
    }

    fn rule(&self) -> Result<RmsPropRule, ConfigError> {
        Ok(RmsPropRule {
            alpha: ConfigError::decay_rate("alpha", self.alpha)?,
            momentum: ConfigError::decay_rate("momentum", self.momentum)?,
            epsilon: ConfigError::positive("epsilon", self.epsilon)?,
            centered: self.centered,
        })
    }
}

/// The RMSProp optimizer. Made by [`RmsPropConfig::build`].
pub type RmsProp = RuleOptimizer<RmsPropRule>;

/// The state of [`RmsProp`] for one parameter, in the layout of Burn's own record:
/// `square_avg.square_avg`, `centered.avg`, `centered.grad_avg` if centred, `momentum.buf` with
/// momentum.
pub type RmsPropState = RuleState<RmsPropRule>;

const SQUARE_AVG: StateField = StateField::required("square_avg.square_avg");
const GRAD_AVG: StateField = StateField::optional("centered.grad_avg");
const MOMENTUM: StateField = StateField::optional("momentum.buf");

/// The rule of [`RmsProp`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RmsPropRule {
    alpha: f64,
    momentum: f64,
    epsilon: f64,
    centered: bool,
}

impl RmsPropRule {
    fn numbers<const CENTERED: bool, const MOMENTUM: bool>(
        self,
        pending: &PendingStep,
    ) -> RmsPropStep<CENTERED, MOMENTUM> {
        RmsPropStep {
            lr: pending.lr,
            alpha: self.alpha,
            epsilon: self.epsilon,
            momentum: self.momentum,
            decay: pending.decay,
        }
    }
}

impl Rule for RmsPropRule {
    const STATE: &'static [StateField] = &[SQUARE_AVG, GRAD_AVG, MOMENTUM];

    fn step(&self, pending: PendingStep) -> TakenStep {
        match (self.centered, self.momentum > 0.0) {
            (false, false) => {
                let step = self.numbers::<false, false>(&pending);
                pending.take(step, [SQUARE_AVG])
            }
            (false, true) => {
                let step = self.numbers::<false, true>(&pending);
                pending.take(step, [SQUARE_AVG, MOMENTUM])
            }
            (true, false) => {
                let step = self.numbers::<true, false>(&pending);
                pending.take(step, [SQUARE_AVG, GRAD_AVG])
            }
            (true, true) => {
                let step = self.numbers::<true, true>(&pending);
                pending.take(step, [SQUARE_AVG, GRAD_AVG, MOMENTUM])
            }
        }
    }

    /// Records `v − ḡ²`, which Burn keeps.
    fn record_derived(state: &RuleState<Self>, prefix: &str, out: &mut StateSink) {
        let Some(square_avg) = state.get(SQUARE_AVG) else {
            return;
        };
        match state.get(GRAD_AVG) {
            Some(mean) => square_avg
                .minus_square_of(mean)
                .write(prefix, "centered.avg", out),
            None => square_avg.write(prefix, "centered.avg", out),
        }
    }
}
