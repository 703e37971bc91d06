//! An average that is held on another device.

use crate::average::Average;
use crate::average_rule::AverageRule;
use burn::module::{Module, ModuleDisplay};
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::Device;
use burn_tricks_core::{ConfigError, Mismatch, StepAverage};

/// An average of weights that is held on another device than the model in training: usually in the memory of the CPU, while
/// the model is trained on a GPU that has no room for a second copy. Made by [`AverageOn::init`].
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burn_tricks_average::{AverageOn, EmaConfig};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// # let gpu = Device::flex().autodiff();
/// let cpu = Device::flex();
/// let model = LinearConfig::new(2, 2).init(&gpu);
/// let every_100th = EmaConfig::new(0.9).with_update_every(100);
/// let mut ema = AverageOn::init(every_100th, &model, &cpu)?;
/// for _ in 0..1_000 {
///     // ... model = optim.step(lr, model, grads); ...
///     ema.update(&model);
/// }
/// assert_eq!(ema.average().updates(), 10);
/// let averaged = ema.restore_into(&model).expect("the same architecture"); // on the device of `model`
/// # let _ = averaged;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Update it after the optimizer's step, as any average. In a `Learner` it is a trick: the average is validated on the
/// device of the trained model, and before its first update the trained model is validated.
///
/// # Cost
///
/// No memory on the device of the model. Each update whose weights are taken **waits for the device** and copies all
/// weights to the other one: take the weights of one step in many, with `update_every` of the rule. The other steps
/// cost nothing. If only a few weights are trained, use a [`TrainedAverage`](crate::TrainedAverage) instead, which
/// saves memory without these copies.
///
/// # Differences
///
/// timm's `ModelEmaV3(device="cpu")` copies the weights at every step. The averages equal those of [`Average`], except
/// before the first update: there [`model`](Self::model) is the model that the average was made with, or that of the last
/// step before the average starts. Ask [`Average::has_started`] before you predict with it.
#[derive(Debug, Clone)]
pub struct AverageOn<M: Module, R> {
    average: Average<M, R>,
    device: Device,
}

impl<M: Module, R: AverageRule> AverageOn<M, R> {
    /// The average by `rule` before the first step, which holds the weights of `model` on `device`. It waits for the device
    /// of `model`.
    ///
    /// # Errors
    ///
    /// If a setting of the rule is invalid.
    pub fn init(rule: R, model: &M, device: &Device) -> Result<Self, ConfigError> {
        let device = device.clone().inner();
        let average = Average::init(rule, &model.valid().to_device(&device))?;
        Ok(Self { average, device })
    }

    /// The average, whose models are on its own device.
    pub fn average(&self) -> &Average<M, R> {
        &self.average
    }

    /// The device on which the average is held.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Tells the average the weights after an optimizer step. Call it after every step. It waits for the device of `model`
    /// at the steps whose weights are taken, and at the last step before the first of them.
    ///
    /// # Panics
    ///
    /// Those of [`Average::update`].
    pub fn update(&mut self, model: &M) {
        self.update_at(model, 1.0);
    }

    /// Like [`update`](Self::update), after a step with this learning rate.
    ///
    /// # Panics
    ///
    /// Those of [`Average::update`].
    pub fn update_at(&mut self, model: &M, lr: f64) {
        let sampling = self.average.config().sampling();
        let step = self.average.steps() + 1;
        if sampling.counts(step) || step == sampling.start_after as u64 {
            let here = model.valid().to_device(&self.device);
            self.average.update_at(&here, lr);
        } else {
            self.average.pass_step();
        }
    }

    /// The averaged model on the device of the average, to predict with.
    pub fn model(&self) -> M {
        self.average.model()
    }

    /// `model` with the averaged weights, on its own device, to continue training from or to predict with there.
    ///
    /// # Errors
    ///
    /// If the two differ in a path, a kind or a shape; the error names the first difference.
    pub fn restore_into(&self, model: &M) -> Result<M, Mismatch> {
        self.average.restore_into(model)
    }

    /// Restarts with the weights of `model`, for which it waits.
    pub fn restart(&mut self, model: &M) {
        let here = model.valid().to_device(&self.device);
        self.average.restart(&here);
    }
}

/// As [`update_at`](AverageOn::update_at).
impl<M: Module, R: AverageRule> StepAverage<M> for AverageOn<M, R> {
    type Update = ();

    fn begin_update(&mut self, _lr: f64) -> Option<()> {
        None
    }

    fn end_update(&mut self, _update: Option<()>, model: &M, lr: f64) {
        self.update_at(model, lr);
    }
}

impl<M: Module + ModuleDisplay, R: AverageRule> AverageOn<M, R> {
    /// The record to save with a checkpoint, which is that of the [`Average`].
    pub fn to_record(&self) -> ModuleRecord {
        self.average.to_record()
    }

    /// Resumes the recorded average, on the device of this one.
    ///
    /// # Errors
    ///
    /// Burn's error, if the record does not hold such an average of such a model.
    pub fn load_record(self, record: ModuleRecord) -> Result<Self, RecordError> {
        Ok(Self {
            average: self.average.load_record(record)?,
            ..self
        })
    }
}
