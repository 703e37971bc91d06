//! One cycle.

use crate::anneal::Anneal;
use crate::curve::steps_along_its_curve;
use crate::cycles::Cycles;
use burn::optim::LearningRate;
use burn_tricks_core::{Config, ConfigError};
use serde::{Deserialize, Serialize};
use std::ops::Bound;

/// The library by whose rule the steps of the peak and of the end are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Peak {
    /// PyTorch's: the peak one step earlier, and the end at the last step of the run.
    Torch,
    /// optax's: the peak at a whole step, and the end one step after the run.
    Optax,
}

/// Configuration of [`OneCycle`]: the learning rate rises to a large value and falls to a very small one.
///
/// With p the peak, the learning rate begins at p/d, rises to p, falls, and ends at p/(d·f). With two phases it falls
/// from the peak to the end in one curve; with three it first falls to p/d. PyTorch and optax place the peak
/// and the end one step apart, see [`Peak`]. With T the length of the run, r the fraction of the run in which
/// the rate rises, and b the fraction at which a third phase begins:
///
/// ```text
///            peak at     back at p/d    end at
/// Torch      r·T − 1     b·T − 2        T − 1      (not rounded)
/// Optax      ⌊r·T⌋       ⌊b·T⌋          T
/// ```
///
/// # Example
///
/// ```
/// use burn_tricks_schedule::OneCycleConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let torch = OneCycleConfig::torch(1.0, 10).init()?;
/// let optax = OneCycleConfig::optax(1.0, 10).init()?;
/// assert_eq!((torch.at(0), torch.at(2), torch.at(9)), (0.04, 1.0, 0.04 / 1e4));
/// assert_eq!((optax.at(0), optax.at(3), optax.at(10)), (0.04, 1.0, 0.04 / 1e4));
/// # Ok(())
/// # }
/// ```
///
/// PyTorch's `three_phase=True` with linear phases:
///
/// ```
/// use burn_tricks_schedule::{Anneal, OneCycleConfig};
///
/// let schedule = OneCycleConfig::torch(0.1, 1000)
///     .with_rise(0.4)
///     .with_back_at(Some(0.8))
///     .with_anneal(Anneal::Linear)
///     .init()?;
/// # Ok::<(), burn_tricks_core::ConfigError>(())
/// ```
///
/// # Order
///
/// It gives the `lr` of `ModuleOptimizer::step`, for a run of exactly T steps.
///
/// # Cost
///
/// One cosine per step. Its state is the number of steps taken.
///
/// # Differences
///
/// - PyTorch raises an error at a step after the last; here the learning rate stays at its last value.
/// - PyTorch and fastai also change the momentum, which falls while the learning rate rises; a schedule here gives
///   only the rate.
/// - fastai's `fit_one_cycle` has r = 0.25 and f = 10⁵.
///
/// # Suggested values
///
/// p found by a range test; r = 0.3, d = 25, f = 10⁴ (PyTorch, optax); three phases of 45 %, 45 % and 10 %
/// (Smith and Topin).
///
/// # References
///
/// - Smith, Topin, *Super-convergence*, 2018, <https://arxiv.org/abs/1708.07120>
/// - PyTorch, `OneCycleLR`; optax, `cosine_onecycle_schedule`, `linear_onecycle_schedule`
#[derive(Config, Debug, PartialEq)]
pub struct OneCycleConfig {
    /// p > 0, the largest learning rate.
    pub max_lr: f64,
    /// T, the optimizer steps of the run.
    pub steps: usize,
    /// Where the peak and the end are. Default: [`Peak::Torch`], where the last step of the run has the final
    /// learning rate.
    #[config(default = "Peak::Torch")]
    pub peak: Peak,
    /// r in `(0, 1)`, the fraction of the run in which the learning rate rises. Default: 0.3.
    #[config(default = 0.3)]
    pub rise: f64,
    /// b in `(r, 1)`, the fraction of the run at which the learning rate is back at its first value and a third
    /// phase begins; 2r in PyTorch, `pct_final` in optax. Default: none, two phases.
    #[config(default = "None")]
    pub back_at: Option<f64>,
    /// The curve of the learning rate in each phase. Default: [`Anneal::Cosine`].
    #[config(default = "Anneal::Cosine")]
    pub anneal: Anneal,
    /// d ≥ 1: the first learning rate is p/d. Default: 25.
    #[config(default = 25.0)]
    pub div_factor: f64,
    /// f ≥ 1: the last learning rate is the first one over f. Default: 1e4.
    #[config(default = 1e4)]
    pub final_div_factor: f64,
}

impl OneCycleConfig {
    /// PyTorch's `OneCycleLR` with its default values.
    pub fn torch(max_lr: f64, steps: usize) -> Self {
        Self::new(max_lr, steps).with_peak(Peak::Torch)
    }

    /// optax's `cosine_onecycle_schedule` with its default values.
    pub fn optax(max_lr: f64, steps: usize) -> Self {
        Self::new(max_lr, steps).with_peak(Peak::Optax)
    }

    /// optax's `linear_onecycle_schedule` with its default values: three phases.
    pub fn optax_linear(max_lr: f64, steps: usize) -> Self {
        Self::optax(max_lr, steps)
            .with_anneal(Anneal::Linear)
            .with_back_at(Some(0.85))
    }

    /// The schedule, before its first step.
    ///
    /// # Errors
    ///
    /// If the peak is not finite and positive, if a divisor is not finite or is below 1, if a fraction is not
    /// in `(0, 1)`, or if the run is so short that a phase would have no length (with fewer than 2 steps it always is).
    pub fn init(&self) -> Result<OneCycle, ConfigError> {
        ConfigError::positive("max_lr", self.max_lr)?;
        for (field, value) in [
            ("div_factor", self.div_factor),
            ("final_div_factor", self.final_div_factor),
        ] {
            if !(value.is_finite() && value >= 1.0) {
                let requirement = "be a finite number of at least 1";
                return Err(ConfigError::new(field, requirement, value));
            }
        }
        for (field, value) in [("rise", Some(self.rise)), ("back_at", self.back_at)] {
            if let Some(value) = value {
                let inside = (Bound::Excluded(0.0), Bound::Excluded(1.0));
                ConfigError::within(field, value, inside)?;
            }
        }
        let ends = self.ends();
        if self.steps < 2 {
            let requirement = "be at least 2, for a rise and a fall";
            return Err(ConfigError::new("steps", requirement, self.steps));
        }
        if ends[0] <= 0.0 {
            let steps = self.steps;
            let requirement = format!("put the peak after the first of the run's {steps} steps");
            return Err(ConfigError::new("rise", requirement, self.rise));
        }
        if ends[1] <= ends[0] {
            let steps = self.steps;
            return Err(match self.back_at {
                Some(back_at) => ConfigError::new(
                    "back_at",
                    format!("lie between the peak and the end of the run's {steps} steps"),
                    back_at,
                ),
                None => ConfigError::new("steps", "leave a step after the peak", steps),
            });
        }
        Ok(OneCycle {
            config: self.clone(),
            steps: 0,
        })
    }

    /// The steps of the peak, of the return to the first learning rate (of the end, without a third phase), and
    /// of the end.
    fn ends(&self) -> [f64; 3] {
        let steps = self.steps as f64;
        let back = self.back_at.map(|back_at| back_at * steps);
        match self.peak {
            Peak::Torch => {
                let end = steps - 1.0;
                [
                    self.rise * steps - 1.0,
                    back.map_or(end, |back| back - 2.0),
                    end,
                ]
            }
            Peak::Optax => [
                (self.rise * steps).floor(),
                back.map_or(steps, f64::floor),
                steps,
            ],
        }
    }
}

/// One rise and one fall of the learning rate. Made by [`OneCycleConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct OneCycle {
    config: OneCycleConfig,
    /// Steps taken.
    steps: u64,
}

impl OneCycle {
    /// The learning rate of step `step`, counted from 0. The schedule does not advance.
    pub fn at(&self, step: u64) -> LearningRate {
        let config = &self.config;
        let [peak, back, end] = config.ends();
        let first = config.max_lr / config.div_factor;
        let last = first / config.final_div_factor;
        let t = step as f64;
        let phase =
            |from, to, begin, end| config.anneal.between(from, to, (t - begin) / (end - begin));
        if t <= peak {
            phase(first, config.max_lr, 0.0, peak)
        } else if config.back_at.is_none() {
            phase(config.max_lr, last, peak, end)
        } else if t <= back {
            phase(config.max_lr, first, peak, back)
        } else {
            phase(first, last, back, end)
        }
    }
}

/// Its one cycle ends with the run, at the lowest learning rate.
impl Cycles for OneCycle {
    fn is_cycle_end(&self, step: u64) -> bool {
        step.checked_add(1) == Some(self.config.steps as u64)
    }
}

steps_along_its_curve!(OneCycle);
