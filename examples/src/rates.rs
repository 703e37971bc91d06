//! The learning rates of the recipes.

use burn::lr_scheduler::LrScheduler;
use burn_tricks::ConfigError;
use burn_tricks::schedule::{
    CosineConfig, CosineRestartsConfig, Cycles, ExponentialDecayConfig, LrSchedulerExt as _,
    OneCycleConfig, Run,
};
use serde::{Deserialize, Serialize};

/// A schedule that can be asked where its cycles end.
pub trait Schedule: LrScheduler + Cycles {
    /// A copy at the same step.
    fn copy(&self) -> Box<dyn Schedule>;
}

impl<S: LrScheduler + Cycles + Clone + 'static> Schedule for S {
    fn copy(&self) -> Box<dyn Schedule> {
        Box::new(self.clone())
    }
}

/// How the learning rate moves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rate {
    /// Multiplied by this after each epoch; constant for 1.
    Exponential(f64),
    /// A straight line from 0 over so many epochs, then constant.
    Warmup(usize),
    /// Half a cosine over the run, to 0.
    Cosine,
    /// Up and down once; the learning rate of the recipe is the largest.
    OneCycle,
    /// So many cosines one after the other, each to 0.
    Restarts(usize),
}

impl Rate {
    /// The schedule of a run, from `learning_rate`.
    ///
    /// # Errors
    ///
    /// If the run is too short for it.
    pub fn schedule(self, learning_rate: f64, run: &Run) -> Result<Box<dyn Schedule>, ConfigError> {
        Ok(match self {
            Self::Exponential(gamma) => Box::new(
                ExponentialDecayConfig::new(learning_rate)
                    .with_gamma(gamma)
                    .with_steps_per_epoch(run.steps_per_epoch())
                    .init()?,
            ),
            Self::Warmup(epochs) => Box::new(learning_rate.with_warmup(run.epochs(epochs))?),
            Self::Cosine => Box::new(CosineConfig::new(learning_rate, run.steps()).init()?),
            Self::OneCycle => Box::new(OneCycleConfig::torch(learning_rate, run.steps()).init()?),
            Self::Restarts(cycles) => {
                let period = (run.steps() / cycles).max(1);
                Box::new(CosineRestartsConfig::new(learning_rate, period).init()?)
            }
        })
    }
}
