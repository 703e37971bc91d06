//! A model with tricks around its optimizer step, for Burn's `Learner`.

mod step;

use crate::lock::lock;
use crate::trick::Trick;
use crate::trick::learner_probe::LearnerProbe;
use crate::trick::shared::SharedTricks;
use crate::trick::trained::Trained;
use burn::module::{Module, ModuleMapper, ModuleVisitor};
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::Device;
use burn_tricks_core::load_record;
use std::borrow::Cow;
use std::fmt::{Debug, Display};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard};

/// `with_tricks` for every model.
pub trait TrickedExt: Module {
    /// This model with a trick, or a tuple of tricks, around its optimizer step.
    fn with_tricks<H: Trick<Self>>(self, tricks: H) -> Tricked<Self, H> {
        Tricked::new(self, tricks)
    }
}

impl<M: Module> TrickedExt for M {}

/// A model with tricks around its optimizer step, for Burn's `Learner`.
///
/// `model.with_tricks((clip, ema))` is a module that trains as `model` does, with the tricks in each step: those on
/// gradients before the optimizer, constraints and averages after it. It calls the model's own `TrainStep::optimize`.
///
/// # Example
///
/// See the [crate documentation](crate) for a whole program.
///
/// # Order
///
/// Pass the model with tricks to the `Learner` in place of the model. Paths, parameter groups and records are those of
/// the plain model: a checkpoint of one loads into the other. The state of the tricks is not part of the model's
/// record; a [`Session`](crate::Session) saves it in a separate file.
///
/// A step panics if a trick that sees the gradients comes before a `LossScaler`, since it would see gradients that are
/// not yet unscaled. A [`Session`](crate::Session) refuses to launch instead.
///
/// # Two sets of weights
///
/// If one of the tricks is an average, there are two sets of weights: the trained weights, and the averaged weights
/// for validation and prediction, which [`Trick::validated`] returns. The table says which set a [`Tricked`] model
/// uses.
///
/// | | in training | after `valid()`: in validation, and in the result of Burn's `launch` |
/// | --- | --- | --- |
/// | `InferenceStep`, hence metrics, early stopping, Burn's evaluator | the trained weights | the average |
/// | `into_record`, `save_file`, `visit`, `num_params` | the trained weights | the average |
/// | [`model`](Tricked::model), [`into_trained`](Tricked::into_trained), `train()` | the trained weights | the trained weights |
/// | [`into_validated`](Tricked::into_validated) | the average | the average |
///
/// So `result.model.into_record().save(..)`, as in Burn's guide, saves the weights that were validated, and
/// `result.model.into_trained().into_record()` the trained ones. Burn's checkpoints during the training hold
/// the trained weights, from which training is resumed. `map`, `to_device` and `fork` act on both sets. The result of
/// `valid()` is a snapshot: later steps do not change it. With
/// [`validated_as_trained`](Tricked::validated_as_trained) the trained weights are validated.
///
/// In the average that is validated, batch norms have the average of the running statistics, which usually suffices for an EMA.
/// With SWA, whose copies of the weights are further apart, validate the trained weights, and measure the statistics of the
/// average at the end, by [`RecalibrationConfig`](burn_tricks_average::RecalibrationConfig).
///
/// # Loading weights
///
/// Loading a record into a model in training (`load_record`, `load_file`, Burn's
/// `SupervisedTraining::checkpoint`) restarts the tricks ([`Trick::restart`]): averages begin anew with the loaded
/// weights, since the record does not hold the averages. To resume with the average as it was, use a
/// [`Session`](crate::Session). Loading into the result of `valid()` replaces its weights, and does not change the
/// tricks.
///
/// # Cost
///
/// The cost of the tricks. Burn's `Learner` clones its model at each step; the clones share the tricks, so an average
/// is still updated in place.
///
/// **Clones share the tricks**, which belong to the run, not to one copy of the model. To train two models, call
/// `with_tricks` twice, each time with new tricks.
///
/// # Several devices
///
/// The tricks see the gradients that the optimizer sees: accumulated, and summed over devices. If a trick looks at
/// gradients under `MultiDeviceOptim::OptimSharded`, the gradients are first gathered on the device of the model's
/// first parameter, which then takes the step: see [`several_devices`](crate::several_devices).
///
/// # Differences
///
/// Lightning and Keras swap averaged weights into the model for validation. Here the validated model is a separate
/// value.
#[derive(Debug)]
pub struct Tricked<M, H> {
    model: Trained<M>,
    mode: Mode<M>,
    tricks: SharedTricks<H>,
    /// Whether the next record to be loaded is of the moment of which the tricks' state is.
    resuming: Arc<AtomicBool>,
    probe: LearnerProbe<M>,
    validate_averages: bool,
}

/// What `valid()` and `train()` change.
#[derive(Debug, Clone)]
enum Mode<M> {
    Training,
    /// With the model to validate with, if it is not the one that is trained.
    Validation(Option<M>),
}

impl<M: Clone, H> Clone for Tricked<M, H> {
    fn clone(&self) -> Self {
        self.with(self.model.clone(), self.mode.clone())
    }
}

impl<M: Clone, H> Tricked<M, H> {
    /// The same run with another model.
    fn with(&self, model: Trained<M>, mode: Mode<M>) -> Self {
        Self {
            model,
            mode,
            tricks: self.tricks.clone(),
            resuming: self.resuming.clone(),
            probe: self.probe.clone(),
            validate_averages: self.validate_averages,
        }
    }

    /// The weights that records, visitors and predictions see.
    fn shown(&self) -> Cow<'_, M> {
        match &self.mode {
            Mode::Validation(Some(average)) => Cow::Borrowed(average),
            _ => self.model.current(),
        }
    }

    fn map_models(self, mut work: impl FnMut(M) -> M) -> Self {
        // What is shown comes first, as in `visit`.
        let mode = match self.mode {
            Mode::Training => Mode::Training,
            Mode::Validation(average) => Mode::Validation(average.map(&mut work)),
        };
        Self {
            model: Trained::new(work(self.model.into_current())),
            mode,
            tricks: self.tricks,
            resuming: self.resuming,
            probe: self.probe,
            validate_averages: self.validate_averages,
        }
    }
}

impl<M: Module, H: Trick<M>> Tricked<M, H> {
    /// Wraps `model`, with `tricks` around its optimizer step.
    pub fn new(model: M, tricks: H) -> Self {
        Self {
            model: Trained::new(model),
            mode: Mode::Training,
            tricks: SharedTricks::new(tricks),
            resuming: Arc::default(),
            probe: LearnerProbe::default(),
            validate_averages: true,
        }
    }

    /// Validates the trained weights, even if one of the tricks is an average.
    #[must_use]
    pub fn validated_as_trained(mut self) -> Self {
        self.validate_averages = false;
        self
    }

    /// The model with the trained weights, in training and after `valid()`. A model that a trick returned at the end
    /// of an epoch is visible here after the next step, and in the result of Burn's `launch`.
    pub fn model(&self) -> &M {
        self.model.model()
    }

    /// The model with the trained weights, in training and after `valid()`.
    pub fn into_trained(self) -> M {
        self.model.into_current()
    }

    /// The tricks, which this model and all its clones share. While the returned guard is held, all steps wait, and
    /// so does everything that copies, moves or maps a model or switches its mode: do not call `valid()` or train in
    /// the same expression.
    pub fn tricks(&self) -> MutexGuard<'_, H> {
        lock(self.tricks.tricks())
    }

    /// The model with the trained weights, and the tricks, which the clones of this value still share.
    pub fn into_parts(self) -> (M, Arc<Mutex<H>>) {
        (self.model.into_current(), self.tricks.tricks().clone())
    }

    /// The model as it is validated, for prediction: the average, if a trick has one, else the trained weights.
    pub fn into_validated(self) -> M {
        let Self { model, mode, .. } = self.valid();
        match mode {
            Mode::Validation(Some(average)) => average,
            _ => model.into_current(),
        }
    }

    pub(crate) fn probe(&self) -> LearnerProbe<M> {
        self.probe.clone()
    }

    pub(crate) fn shared_tricks(&self) -> SharedTricks<H> {
        self.tricks.clone()
    }

    /// Says that the state of the tricks is that of the next record to be loaded into this model or a clone
    /// of it, in training: they are not restarted.
    pub(crate) fn resume_with_next_record(&self) {
        self.resuming.store(true, SeqCst);
    }

    /// Burn has given each place of the model a new tensor.
    fn rebuilt(self) -> Self {
        let Mode::Training = self.mode else {
            return self;
        };
        let model = lock(self.tricks.tricks()).rebuilt(self.model.into_current());
        Self {
            model: Trained::new(model),
            ..self
        }
    }
}

impl<M: Module, H: Trick<M>> Module for Tricked<M, H> {
    fn collect_devices(&self, devices: Vec<Device>) -> Vec<Device> {
        self.model.model().collect_devices(devices)
    }

    fn fork(self, device: &Device) -> Self {
        self.map_models(|model| model.fork(device)).rebuilt()
    }

    fn to_device(self, device: &Device) -> Self {
        self.map_models(|model| model.to_device(device)).rebuilt()
    }

    fn train(self) -> Self {
        let model = self.model.current().into_owned().train();
        self.with(Trained::new(model), Mode::Training).rebuilt()
    }

    fn valid(&self) -> Self {
        let trained = self.model.current();
        let model = trained.valid();
        let average = match &self.mode {
            Mode::Validation(average) => average.as_ref().map(Module::valid),
            Mode::Training if self.validate_averages => {
                lock(self.tricks.tricks()).validated(&trained)
            }
            Mode::Training => None,
        };
        // An average may be where the model was at its last step.
        let average = match model.devices().first() {
            Some(device) => average.map(|average| average.to_device(device)),
            None => average,
        };
        if let Mode::Training = self.mode {
            // Burn drops what it has accumulated at the end of an epoch.
            self.tricks.micro_batches().clear();
            let shown = || average.as_ref().unwrap_or(&model).clone();
            self.probe.validates(|| (self.model.clone(), shown()));
        }
        self.with(Trained::new(model), Mode::Validation(average))
    }

    fn materialize(self) -> Self {
        self.map_models(Module::materialize)
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        self.shown().visit(visitor);
    }

    fn map<Mapper: ModuleMapper>(self, mapper: &mut Mapper) -> Self {
        self.tricks.note_mapper::<Mapper>();
        self.map_models(|model| model.map(mapper)).rebuilt()
    }

    fn try_load_record(self, record: ModuleRecord) -> Result<Self, RecordError> {
        let model = self.model.current().into_owned();
        let model = Trained::new(load_record(model, record)?);
        if let Mode::Validation(_) = self.mode {
            return Ok(self.with(model, Mode::Validation(None)));
        }
        let loaded = self.with(model, Mode::Training).rebuilt();
        if loaded.resuming.swap(false, SeqCst) {
            return Ok(loaded);
        }
        loaded.tricks.restart(loaded.model.model());
        // As the tricks that have begun anew want it: which weights are frozen, a dropout rate.
        Ok(loaded.rebuilt())
    }
}

impl<M: Display, H> Display for Tricked<M, H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.model.model().fmt(f)
    }
}
