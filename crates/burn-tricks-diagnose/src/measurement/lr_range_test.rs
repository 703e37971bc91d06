//! The learning-rate range test.

use crate::measurement::lr_range::{LrCurve, LrRange};
use crate::probe::unrecorded;
use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use burn_tricks_core::{Config, ConfigError, independent_copy, tie};

/// The settings of a learning-rate range test.
///
/// The test trains a copy of a model for some steps at rates that rise exponentially from `lowest` to `highest`, and
/// records the losses. Three rules suggest a learning rate from the curve of losses: the further
/// they disagree, the less they can be trusted.
/// The test leaves the model, the optimizer and the running statistics of batch norms as they were, to the bit.
///
/// The random stream of a device can be neither read nor put back in Burn 0.22: each seed's run seeds the device, and the
/// test ends by seeding it with `reseed`.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::optim::SgdConfig;
/// use burn::tensor::{Device, Distribution, Tensor};
/// use burn_tricks_diagnose::LrRangeTestConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let model = LinearConfig::new(4, 1).init(&device);
/// let inputs = Tensor::<2>::random([64, 4], Distribution::Normal(0.0, 1.0), &device);
/// let targets = inputs.clone().sum_dim(1);
///
/// let test = LrRangeTestConfig::new().with_lowest(1e-4).with_highest(10.0).init()?;
/// let range = test.run(&model, &SgdConfig::new().init(), &device, |model, _seed, _step| {
///     (model.forward(inputs.clone()) - targets.clone()).square().mean()
/// });
/// let lr = range.valley().unwrap().lr;
/// assert!((1e-3..1.0).contains(&lr), "{lr}");
/// # Ok(())
/// # }
/// ```
///
/// # Cost
///
/// `seeds` times `steps` training steps, each with one read of the loss from the device, and a copy of the weights.
///
/// # References
///
/// Smith, Cyclical Learning Rates for Training Neural Networks (2017). The rules are those of fastai: `valley`, `steep`
/// and `minimum`.
#[derive(Config, Debug)]
pub struct LrRangeTestConfig {
    /// The first learning rate. Default: 1e-7.
    #[config(default = 1e-7)]
    pub lowest: f64,
    /// The last learning rate. Default: 10.
    #[config(default = 10.0)]
    pub highest: f64,
    /// The number of steps of each run. Default: 100.
    #[config(default = 100)]
    pub steps: usize,
    /// The number of runs, with the seeds 0, 1, ... for dropout and other random numbers of the device, and for what the loss
    /// makes of its seed. Default: 3.
    #[config(default = 3)]
    pub seeds: usize,
    /// A run ends when its loss exceeds its lowest loss times this number. Default: 4.
    #[config(default = 4.0)]
    pub diverged: f64,
    /// The seed that the device is given after the test. Default: 0.
    #[config(default = 0)]
    pub reseed: u64,
}

/// A learning-rate range test. See [`LrRangeTestConfig`].
#[derive(Debug, Clone)]
pub struct LrRangeTest {
    config: LrRangeTestConfig,
}

impl LrRangeTestConfig {
    /// The test.
    ///
    /// # Errors
    ///
    /// If a rate is not positive, `highest` is not above `lowest`, there are fewer than three steps, no seed, or
    /// `diverged` is not above 1.
    pub fn init(&self) -> Result<LrRangeTest, ConfigError> {
        ConfigError::positive("lowest", self.lowest)?;
        ConfigError::positive("highest", self.highest)?;
        if self.highest <= self.lowest {
            let requirement = format!("be above `lowest`, which is {:?}", self.lowest);
            return Err(ConfigError::new("highest", requirement, self.highest));
        }
        if self.steps < 3 {
            return Err(ConfigError::new("steps", "be at least 3", self.steps));
        }
        ConfigError::at_least_one("seeds", self.seeds)?;
        if ConfigError::finite("diverged", self.diverged)? <= 1.0 {
            return Err(ConfigError::new("diverged", "be above 1", self.diverged));
        }
        Ok(LrRangeTest {
            config: self.clone(),
        })
    }
}

impl LrRangeTest {
    /// Runs the test on copies of `model` and `optimizer`. `loss` gets the copy, the seed of the run and the number of the step,
    /// from 0, and returns the loss of a batch. `device` is the device to seed. Runs differ only by what depends on the seed:
    /// draw the order of the batches from it. If nothing does, neither a batch nor dropout, all curves are equal, and that the
    /// seeds agree then means nothing.
    pub fn run<M: Module>(
        &self,
        model: &M,
        optimizer: &ModuleOptimizer,
        device: &Device,
        mut loss: impl FnMut(&M, u64, usize) -> Tensor<1>,
    ) -> LrRange {
        let curves = (0..self.config.seeds as u64).map(|seed| {
            device.seed(seed);
            let copy = tie(independent_copy(model));
            unrecorded(|| self.curve(seed, copy, optimizer.clone(), &mut loss))
        });
        let curves = curves.collect();
        device.seed(self.config.reseed);
        LrRange { curves }
    }

    fn curve<M: Module>(
        &self,
        seed: u64,
        mut model: M,
        mut optimizer: ModuleOptimizer,
        loss: &mut impl FnMut(&M, u64, usize) -> Tensor<1>,
    ) -> LrCurve {
        let LrRangeTestConfig {
            lowest,
            highest,
            steps,
            diverged,
            ..
        } = self.config;
        let (mut rates, mut losses): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
        let mut best = f64::INFINITY;
        for step in 0..steps {
            let rate = lowest * (highest / lowest).powf(step as f64 / (steps - 1) as f64);
            let loss = loss(&model, seed, step);
            let value = crate::numbers::read(&loss.clone().without_autodiff());
            let value = value.first().copied().unwrap_or(f64::NAN);
            rates.push(rate);
            losses.push(value);
            best = best.min(value);
            let has_diverged = !value.is_finite() || (best > 0.0 && value > diverged * best);
            // One batch alone may be hard: the first tenth only looks.
            if has_diverged && (!value.is_finite() || 10 * step > steps) {
                break;
            }
            let grads = GradientsParams::from_grads(loss.backward(), &model);
            model = tie(optimizer.step(rate, model, grads));
        }
        LrCurve::new(seed, rates, losses)
    }
}
