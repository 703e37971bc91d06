//! Exponential moving average of the weights.

use crate::average::Average;
use crate::average_record::AverageKind;
use crate::average_rule::{AverageRule, Sampling, Update};
use burn::module::Module;
use burn_tricks_core::{Buffers, Config, ConfigError, Run};
use serde::{Deserialize, Serialize};

/// How the decay begins: smaller than `d`, so that the average soon forgets the initial weights. `n` counts
/// updates from 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum EmaWarmup {
    /// `dₙ = d`: the weights at construction fade like all others. A run of fewer than a few times
    /// `1 / (1 − d)` updates ends before they have faded.
    None,
    /// `d₀ = 0`, then `d`: PyTorch's `AveragedModel`.
    FirstUpdateCopies,
    /// `min(d, (1 + n) / (10 + n))`: about the last tenth of the updates so far count. TensorFlow's
    /// `ExponentialMovingAverage(num_updates)`, if `num_updates` is 0 at the first update. Two defaults differ from it in how
    /// they begin: torch-ema's counts updates from 1, so its first decay is 2/11, not 1/10; that of diffusers' `EMAModel` has
    /// `d₀ = 0`, a copy of the weights, and then the same decays as here, from 2/11 on.
    TensorFlow,
    /// `min(d, 1 − (1 + n/γ)^−p)`: timm's `use_warmup`, and diffusers' `use_ema_warmup`.
    Timm {
        /// γ > 0. timm: 1.
        gamma: f64,
        /// p > 0. timm: 2/3, for runs of a million steps or more; 3/4 for shorter ones.
        power: f64,
    },
    /// `d (1 − dⁿ) / (1 − dⁿ⁺¹)`: the weights at construction do not count, as in the bias correction of Adam's
    /// moments and in optax's `ema(debias=True)`.
    BiasCorrected,
}

impl EmaWarmup {
    fn decay(self, d: f64, n: u64) -> f64 {
        let n = n as f64;
        match self {
            Self::None => d,
            Self::FirstUpdateCopies if n == 0.0 => 0.0,
            Self::FirstUpdateCopies => d,
            Self::TensorFlow => d.min((1.0 + n) / (10.0 + n)),
            Self::Timm { gamma, power } => d.min(1.0 - (1.0 + n / gamma).powf(-power)),
            Self::BiasCorrected if d == 0.0 => 0.0,
            Self::BiasCorrected => {
                // 1 − dⁿ, exact also for d near 1.
                let gone = |n: f64| -(n * d.ln()).exp_m1();
                d * gone(n) / gone(n + 1.0)
            }
        }
    }
}

/// Configuration of [`Ema`], the exponential moving average of the weights.
///
/// A second set of weights follows the trained weights smoothly:
///
/// ```text
/// ŵ ← dₙ ŵ + (1 − dₙ) w     at update n = 0, 1, 2, ...
/// ```
///
/// The decay `dₙ` is `d`, or smaller during the warm-up ([`EmaWarmup`]). The trained weights are not changed;
/// the average is a second model, to validate with and to ship. It is computed as `ŵ + (1 − dₙ) (w − ŵ)`: if
/// `dₙ` and `1 − dₙ` were rounded separately, an `f32` average of constant weights would drift.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burn_tricks_average::EmaConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let model = LinearConfig::new(2, 2).init(&Device::flex().autodiff());
/// let mut ema = EmaConfig::new(0.999).init(&model)?;
/// for step in 0..3 {
///     // ... model = optim.step(lr, model, grads); ...
///     ema.update(&model);
/// }
/// let average = ema.model(); // to validate with
/// # let _ = average;
/// # Ok(())
/// # }
/// ```
///
/// A decay that fits the length of the run:
///
/// ```
/// use burn_tricks_average::EmaConfig;
/// use burn_tricks_core::Run;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let run = Run::of_batches(30, 50_000, 128, 1)?;
/// assert_eq!(run.steps(), 11_730);
/// assert!((EmaConfig::for_run(&run).decay - 0.99915).abs() < 1e-5);
/// # Ok(())
/// # }
/// ```
///
/// A half-life of 1000 steps, an update every tenth step, timm's warm-up, and a start after the first epoch;
/// saved and resumed:
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::store::ModuleRecord;
/// use burn::tensor::Device;
/// use burn_tricks_average::{EmaConfig, EmaWarmup};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let file = directory.path().join("ema.bpk");
/// # let model = LinearConfig::new(2, 2).init(&Device::flex().autodiff());
/// let config = EmaConfig::from_half_life(1000.0, 10)?
///     .with_warmup(EmaWarmup::Timm { gamma: 1.0, power: 2.0 / 3.0 })
///     .with_start_after(468);
/// let mut ema = config.init(&model)?;
/// ema.update(&model);
/// ema.to_record().save(&file)?;
///
/// let ema = config.init(&model)?.load_record(ModuleRecord::load(&file)?)?;
/// assert_eq!(ema.steps(), 1);
/// assert!(!ema.has_started(), "until step 468, `model()` is the live weights");
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Call `update` after the optimizer's step, once per step. Use [`model`](crate::Average::model) for validation, early
/// stopping and the best weights, and train with the model itself. Running statistics of batch norm are averaged too,
/// unless the configuration says [`Buffers::Copy`]; where they matter, [recalibrate](crate::RecalibrationConfig) them.
/// State that follows from the weights ([`Derived`](crate::Derived), such as the vectors of spectral norm) is computed
/// anew from the averaged weights when [`model`](crate::Average::model) is called.
///
/// # Cost
///
/// One copy of the weights, in `f32` where they are `f16` or `bf16`, and one pass over both per update, in
/// place. Nothing is read from the device. Before `start_after` the average shares the tensors of the trained
/// weights, so the optimizer cannot update them in place.
///
/// # Differences
///
/// - `d` is a decay per *update*, as in PyTorch, Lightning, Keras and timm; a half-life is given in optimizer
///   steps, whatever `update_every` is (Composer's is in its own units of time).
/// - PyTorch's `AveragedModel` copies the weights at its first update: [`EmaWarmup::FirstUpdateCopies`]. timm's
///   begins with the weights at construction, [`EmaWarmup::None`], unless it is told the step; in that case it
///   copies the weights at its first update, too. optax's `ema(debias=True)` begins with zeros and divides by
///   `1 − dⁿ⁺¹`: [`EmaWarmup::BiasCorrected`] gives the same numbers. Presets: [`EmaConfig::torch`],
///   [`EmaConfig::keras`], [`EmaConfig::timm`], [`EmaConfig::optax`].
/// - All of these libraries average in the type of the weights: with `bf16` weights and `d = 0.999` the average
///   never moves. Here it is held in `f32`.
/// - If PyTorch is told to average buffers, it averages integers, and the vectors of spectral norm as if they
///   were weights. Here integers are copied, and the vectors are computed from the averaged weights.
/// - Lightning and Keras swap the average into the model and out again, and in some cases leave it there. Here
///   nothing is swapped.
///
/// # Suggested values
///
/// [`EmaConfig::for_run`] where the length of the run is known. Otherwise a `d` of 0.999 for thousands of
/// steps and 0.9999 for hundreds of thousands (timm's default). Once it has warmed up, about the last
/// `1 / (1 − d)` updates count.
///
/// The warm-up decides how good the average is early on, and in a run that is short for `d`. Two layers of 64
/// units on the digits, plain SGD at a constant learning rate of 0.5, 34 steps per epoch, means over six seeds; the
/// table shows the accuracy on the validation set, in %, of the average with `d` = 0.999:
///
/// ```text
/// epochs                    1      2      5     20     50    100
/// the weights themselves  45.3   66.1   93.6   98.0   98.0   98.0
/// None                     9.6   15.2   54.6   96.1   98.1   98.0
/// FirstUpdateCopies       13.1   16.1   46.1   96.2   98.1   98.0
/// BiasCorrected           71.2   77.8   91.8   97.3   98.1   98.0
/// Timm, p = 3/4           72.6   80.6   94.0   98.0   97.9   98.0
/// Timm, p = 2/3           72.7   82.0   94.5   98.2   97.9   97.9
/// TensorFlow              67.7   82.8   95.0   98.2   97.9   98.0
/// for_run(epochs)         64.5   83.1   95.1   98.2   97.9   98.0
/// ```
///
/// Without a warm-up the average of a short run is worse than the weights by tens of points, although nothing
/// is wrong with the training. With TensorFlow's warm-up, the default, the average is better than the weights
/// up to the 20th epoch, and has the lowest loss of all warm-ups; after 100 epochs all are alike. At a learning
/// rate of 0.1 the order of the warm-ups is the same. `cargo run --release --example ema_warmups` prints this
/// table with the losses, in a minute.
///
/// The reason is that after `n` updates, the decay `(1 + n) / (10 + n)` averages about the last tenth of them,
/// whatever `n` is. This is one of the power functions of Karras et al., with relative width 0.09, in the range
/// that they found best; and a longer run needs a longer average. Bias correction removes only the weights at
/// construction: as long as `n` is small against `1 / (1 − d)`, all later weights count alike.
///
/// # References
///
/// - Polyak, Juditsky, *Acceleration of stochastic approximation by averaging*, 1992,
///   <https://doi.org/10.1137/0330046>
/// - Morales-Brotons, Vogels, Hendrikx, *Exponential moving average of weights in deep learning:
///   dynamics and benefits*, 2024, <https://arxiv.org/abs/2411.18704>
/// - Karras et al., *Analyzing and improving the training dynamics of diffusion models*, 2024, section 3,
///   <https://arxiv.org/abs/2312.02696>
/// - PyTorch, `torch.optim.swa_utils.AveragedModel`; timm, `ModelEmaV3`; diffusers, `EMAModel`
#[derive(Config, Debug, PartialEq)]
pub struct EmaConfig {
    /// The decay d in `[0, 1)`, per update. With 0 the average equals the weights.
    pub decay: f64,
    /// The warm-up of the decay. Default: [`EmaWarmup::TensorFlow`].
    #[config(default = "EmaWarmup::TensorFlow")]
    pub warmup: EmaWarmup,
    /// Optimizer steps from one update to the next, at least 1. Default: 1.
    #[config(default = 1)]
    pub update_every: usize,
    /// Optimizer steps at the start during which there is no average. Default: 0.
    #[config(default = 0)]
    pub start_after: usize,
    /// What happens to running statistics. Default: they are averaged.
    #[config(default = "Buffers::Average")]
    pub buffers: Buffers,
}

impl EmaConfig {
    /// The numbers of PyTorch's `AveragedModel` with `get_ema_multi_avg_fn(decay)`: the first update copies the
    /// weights, and running statistics are copied.
    pub fn torch(decay: f64) -> Self {
        Self::new(decay)
            .with_warmup(EmaWarmup::FirstUpdateCopies)
            .with_buffers(Buffers::Copy)
    }

    /// The numbers of Keras's `use_ema=True` with `ema_momentum=decay`, which are those of [`torch`](Self::torch).
    pub fn keras(decay: f64) -> Self {
        Self::torch(decay)
    }

    /// The numbers of timm's `ModelEmaV3(decay=decay)`: it begins with the weights at construction, and averages
    /// running statistics too. Its `use_warmup` is [`EmaWarmup::Timm`].
    pub fn timm(decay: f64) -> Self {
        Self::new(decay).with_warmup(EmaWarmup::None)
    }

    /// The numbers of optax's `ema(decay)`, which corrects for the bias of its first steps.
    pub fn optax(decay: f64) -> Self {
        Self::new(decay).with_warmup(EmaWarmup::BiasCorrected)
    }

    /// A half-life of `steps` optimizer steps, with an update every `update_every` steps: weights that are
    /// `steps` steps old count half as much as new ones.
    ///
    /// # Errors
    ///
    /// If `steps` is not finite and positive, or is so large that the decay rounds to 1, or if `update_every`
    /// is 0.
    pub fn from_half_life(steps: f64, update_every: usize) -> Result<Self, ConfigError> {
        ConfigError::positive("half_life", steps)?;
        ConfigError::at_least_one("update_every", update_every)?;
        let decay = (-(update_every as f64) / steps).exp2();
        if decay == 1.0 {
            let requirement = "be so short that the decay, 2^(-update_every/half_life), is below 1";
            return Err(ConfigError::new("half_life", requirement, steps));
        }
        Ok(Self::new(decay).with_update_every(update_every))
    }

    /// The average for a run of that length: at its end, about the last tenth of its steps count. The decay is
    /// `1 − 10 / steps`, updated every step. In a run of up to 10 steps, the average equals the weights.
    pub fn for_run(run: &Run) -> Self {
        // No run is so long that nothing may be forgotten.
        Self::new((1.0 - 10.0 / run.steps() as f64).clamp(0.0, 1.0 - f64::EPSILON))
    }

    /// The average before the first step, which holds the weights of `model`.
    ///
    /// # Errors
    ///
    /// If the decay is not in `[0, 1)`, if `update_every` is 0, or if a number of the warm-up is not finite and
    /// positive.
    pub fn init<M: Module>(&self, model: &M) -> Result<Ema<M>, ConfigError> {
        Average::init(self.clone(), model)
    }
}

impl AverageRule for EmaConfig {
    fn kind(&self) -> AverageKind {
        AverageKind::EMA
    }

    fn keep(&self, update: &Update, _memory: &mut [f64]) -> f64 {
        self.warmup.decay(self.decay, update.number)
    }

    fn sampling(&self) -> Sampling {
        Sampling {
            start_after: self.start_after,
            every: self.update_every,
        }
    }

    fn buffers(&self) -> Buffers {
        self.buffers
    }

    fn check(&self) -> Result<(), ConfigError> {
        ConfigError::decay_rate("decay", self.decay)?;
        if let EmaWarmup::Timm { gamma, power } = self.warmup {
            ConfigError::positive("warmup.gamma", gamma)?;
            ConfigError::positive("warmup.power", power)?;
        }
        Ok(())
    }
}

/// The moving average. Made by [`EmaConfig::init`].
///
/// Before `start_after`, its model has the current trained weights; if the first decay is 0, it has them until
/// the first update.
pub type Ema<M> = Average<M, EmaConfig>;

impl<M: Module> Ema<M> {
    /// The share of the old average that the next update keeps.
    pub fn next_decay(&self) -> f64 {
        let EmaConfig { decay, warmup, .. } = *self.config();
        warmup.decay(decay, self.updates())
    }
}
