//! Any schedule's learning rate, times a factor.

use crate::constant_rate;
use crate::curve::Curve;
use crate::cycles::cycles_of_inner;
use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::optim::LearningRate;
use burn_tricks_core::ConfigError;

/// Any schedule's learning rate, times a factor. Made by [`Scaled::init`].
///
/// ```text
/// η(t) = factor · inner(t)
/// ```
///
/// # Example
///
/// ```
/// use burn::lr_scheduler::LrScheduler;
/// use burn_tricks_schedule::{LinearRampConfig, LrSchedulerExt};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let mut schedule = LinearRampConfig::new(1.0, 0.0, 4).init()?.scaled(0.5)?;
/// let rates: Vec<f64> = (0..5).map(|_| schedule.step()).collect();
/// assert_eq!(rates, [0.5, 0.375, 0.25, 0.125, 0.0]);
/// # Ok(())
/// # }
/// ```
///
/// The linear scaling rule: a learning rate found for batches of 256 is converted to batches of 4,096:
///
/// ```
/// use burn_tricks_schedule::{CosineConfig, LrSchedulerExt};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let schedule = CosineConfig::new(0.1, 10_000).init()?.scaled(4096.0 / 256.0)?;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// It goes around any `LrScheduler`. A floor inside it is scaled too, a floor around it is not.
///
/// # Cost
///
/// One product per step. It has no state: its records are those of the wrapped schedule.
///
/// # Differences
///
/// optax's `scale_by_schedule` and Keras have no such wrapper; PyTorch's `LambdaLR` multiplies the learning rate of
/// the optimizer.
///
/// # Suggested values
///
/// The factor by which the batch is larger (Goyal et al.); for Adam, the square root of that factor (Malladi et
/// al.). Its main use here is [`LayerWiseLrConfig`](crate::LayerWiseLrConfig).
///
/// # References
///
/// - Goyal et al., *Accurate, large minibatch SGD: training ImageNet in 1 hour*, 2017,
///   <https://arxiv.org/abs/1706.02677>
/// - Malladi et al., *On the SDEs and scaling rules for adaptive gradient algorithms*, 2022,
///   <https://arxiv.org/abs/2205.10287>
#[derive(Debug, Clone, PartialEq)]
pub struct Scaled<S> {
    inner: S,
    factor: f64,
}

impl<S> Scaled<S> {
    /// `inner` times `factor`, which is at least 0. With 1 it is `inner` itself.
    ///
    /// # Errors
    ///
    /// If `factor` is negative or not finite. Also if `inner` is a constant rate that is negative or not finite.
    pub fn init(inner: S, factor: f64) -> Result<Self, ConfigError>
    where
        S: 'static,
    {
        constant_rate::check(&inner)?;
        ConfigError::non_negative("factor", factor)?;
        Ok(Self { inner, factor })
    }

    /// The wrapped schedule.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// The wrapped schedule, mutably.
    pub fn inner_mut(&mut self) -> &mut S {
        &mut self.inner
    }
}

impl<S: Curve> Curve for Scaled<S> {
    fn at(&self, step: u64) -> LearningRate {
        self.factor * self.inner.at(step)
    }
}

cycles_of_inner!(Scaled);

impl<S: LrScheduler + Clone + 'static> LrScheduler for Scaled<S> {
    fn step(&mut self) -> LearningRate {
        self.factor * self.inner.step()
    }

    fn to_record(&self) -> LrSchedulerRecord {
        self.inner.to_record()
    }

    fn load_record(&mut self, record: LrSchedulerRecord) {
        self.inner.load_record(record);
    }
}
