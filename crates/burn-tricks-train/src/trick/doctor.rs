//! The doctor in Burn's `Learner`.

use crate::data::batch_samples::LastBatch;
use crate::data::epoch_loader::EpochLoader;
use crate::lock::lock;
use crate::trick::Trick;
use crate::trick::epoch_context::EpochContext;
use crate::trick::step_context::StepContext;
use crate::trick::trick_error::TrickError;
use crate::trick::trick_metric::TrickMetric;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::train::metric::store::Split;
use burn_tricks_core::ConfigError;
use burn_tricks_diagnose::{Diagnosis, Doctor, DoctorConfig, EpochMetrics, Severity};
use std::sync::{Arc, Mutex};

/// Examines a training in Burn's `Learner`: a [`Doctor`] among the tricks.
///
/// It records weights, gradients and updates around each optimizer step, and at the end of each epoch of a
/// [`Session`](crate::Session) it takes the session's metrics "Loss" and "Accuracy" and makes a diagnosis. The metric
/// "Findings" shows the number of warnings and faults of the last diagnosis, in the dashboard as well: in the first epoch
/// those that the initial weights show.
///
/// Clones are handles to one doctor: keep one, and put the other among the tricks. A trick sees no batch: to give the
/// doctor batches, outputs or the loss, keep a clone in the model and call [`observe`](Self::observe) in the model's
/// `TrainStep::step`, or in a loop over the loader before the training.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burn_tricks_diagnose::DoctorConfig;
/// use burn_tricks_train::{DoctorTrick, TrickedExt as _};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let model = LinearConfig::new(4, 2).init(&Device::flex().autodiff());
/// let doctor = DoctorTrick::init(&DoctorConfig::new(), &model)?;
/// let tricked = model.with_tricks((doctor.clone(), ()));
/// // After the training:
/// if let Some(diagnosis) = doctor.diagnosis() {
///     println!("{diagnosis}");
/// }
/// # let _ = tricked;
/// # Ok(())
/// # }
/// ```
///
/// With [`with_loader`](Self::with_loader) a finding names the epoch and the batch of the [`EpochLoader`], such as the
/// first batch whose gradients are NaN.
///
/// What was recorded is not saved. The doctor of a session that is resumed begins anew: its step 1 is the first step after
/// the resumption, and its initial weights are those that the model had in [`init`](Self::init), before the checkpoint was
/// loaded. So examine a run from its beginning to its end.
///
/// # Order
///
/// A skipped step is not recorded, wherever among the tricks it is skipped. Put the doctor before a clip to measure the
/// gradients of the loss, and after the clip to measure those that the optimizer gets.
///
/// # Cost
///
/// The cost of a [`Doctor`], and one diagnosis per epoch, which waits for the device.
#[derive(Debug, Clone)]
pub struct DoctorTrick {
    shared: Arc<Mutex<Shared>>,
    metric: TrickMetric,
}

#[derive(Debug)]
struct Shared {
    doctor: Doctor,
    diagnosis: Option<Diagnosis>,
    /// Where the loader of the training is.
    last_batch: Option<LastBatch>,
}

impl DoctorTrick {
    /// A doctor for `model`, before its first step. Its first diagnosis is of the initial weights.
    ///
    /// # Errors
    ///
    /// If the configuration is invalid.
    pub fn init<M: Module>(config: &DoctorConfig, model: &M) -> Result<Self, ConfigError> {
        let shared = Shared {
            doctor: config.init(model)?,
            diagnosis: None,
            last_batch: None,
        };
        let description = "The warnings and faults of the doctor's last diagnosis.";
        let metric = TrickMetric::new("Findings", description);
        metric.push_number(serious(&shared.doctor.diagnose(model)));
        Ok(Self {
            shared: Arc::new(Mutex::new(shared)),
            metric,
        })
    }

    /// Names the epoch and the batch of `loader` at which something was found: the batch that the loader has given last
    /// when the step is taken. If gradients are accumulated over several batches, it is the last of them; with several
    /// devices, it is the batch of one of them.
    #[must_use]
    pub fn with_loader<I, O>(self, loader: &EpochLoader<I, O>) -> Self {
        lock(&self.shared).last_batch = Some(loader.last());
        self
    }

    /// Calls a method of the doctor: `trick.observe(|doctor| doctor.observe_loss(&loss))`.
    pub fn observe(&self, hand_over: impl FnOnce(&mut Doctor)) {
        hand_over(&mut lock(&self.shared).doctor);
    }

    /// The diagnosis of the last epoch; `None` before the end of the first.
    pub fn diagnosis(&self) -> Option<Diagnosis> {
        lock(&self.shared).diagnosis.clone()
    }

    /// The metric of the trick, for Burn's training split.
    pub fn metric(&self) -> TrickMetric {
        self.metric.clone()
    }
}

/// The number of warnings and faults.
fn serious(diagnosis: &Diagnosis) -> f64 {
    let findings = diagnosis.findings.iter();
    let serious = findings.filter(|finding| finding.severity >= Severity::Warning);
    serious.count() as f64
}

impl<M: Module> Trick<M> for DoctorTrick {
    fn sees_gradients(&self) -> bool {
        true
    }

    fn before(&mut self, model: &M, grads: GradientsParams, step: &StepContext) -> GradientsParams {
        let mut shared = lock(&self.shared);
        let position = shared.last_batch.as_ref().and_then(LastBatch::get);
        let doctor = &mut shared.doctor;
        if let Some((epoch, batch)) = position {
            doctor.observe_position(epoch, batch);
        }
        doctor.before_step(model, &grads, step.lr());
        grads
    }

    fn after(&mut self, model: M, step: &StepContext) -> M {
        let doctor = &mut lock(&self.shared).doctor;
        if step.is_skipped() {
            doctor.skip_step();
        } else {
            doctor.after_step(&model);
        }
        model
    }

    fn epoch_end(&mut self, model: M, epoch: &mut EpochContext<'_, M>) -> Result<M, TrickError> {
        // A metric that the session does not have is not shown to the doctor.
        let metric = |name: &str, split: &Split| epoch.metric(name, split).ok();
        let share = |split: &Split| metric("Accuracy", split).map(|percent| percent / 100.0);
        let mut metrics = EpochMetrics::new();
        metrics.train_loss = metric("Loss", &Split::Train);
        metrics.valid_loss = metric("Loss", &Split::Valid);
        metrics.train_accuracy = share(&Split::Train);
        metrics.valid_accuracy = share(&Split::Valid);
        let mut shared = lock(&self.shared);
        shared.doctor.observe_epoch(metrics);
        let diagnosis = shared.doctor.diagnose(&model);
        self.metric.push_number(serious(&diagnosis));
        shared.diagnosis = Some(diagnosis);
        Ok(model)
    }

    fn metrics(&self) -> Vec<TrickMetric> {
        vec![self.metric()]
    }
}
