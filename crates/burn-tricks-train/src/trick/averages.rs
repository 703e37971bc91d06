//! Averages of weights as tricks.

use crate::trick::Trick;
use crate::trick::combined::{TRICKS, load_part};
use crate::trick::step_context::StepContext;
use burn::module::{Module, ModuleDisplay};
use burn::store::ModuleRecord;
use burn::tensor::Bytes;
use burn_tricks_average::{Average, AverageOn, AverageRule, Ema, EmaSet, Swag, TrainedAverage};
use burn_tricks_core::{StateError, bytes_to_parts, parts_to_bytes};
use burn_tricks_grad::GradientOrder;

/// An average of weights, with any rule, is updated after each step, and is saved as a Burn record. Before its first update
/// the trained model is validated. A [roll-back](crate::RollBackTrick) begins it anew, with its count of steps: a `start_after`
/// counts from the roll-back on, so that one late in the run may not be reached again. This holds for all averages.
impl<M: Module + ModuleDisplay, R: AverageRule + Clone> Trick<M> for Average<M, R> {
    /// It does not look at the gradients.
    fn gradient_order(&self, _order: &mut GradientOrder) {}

    fn after(&mut self, model: M, step: &StepContext) -> M {
        if !step.is_skipped() {
            self.update_at(&model, step.lr());
        }
        model
    }

    fn validated(&self, _model: &M) -> Option<M> {
        self.has_started().then(|| self.model())
    }

    fn restart(&mut self, model: &M) {
        Average::restart(self, model);
    }

    fn rolled_back(&mut self, model: &M) {
        Average::restart(self, model);
    }

    fn name(&self) -> String {
        self.config().kind().name().to_owned()
    }

    fn describe(&self) -> Vec<String> {
        vec![format!("{:?}", self.config())]
    }

    fn state(&self) -> Option<Vec<u8>> {
        let name = self.config().kind().name();
        Some(record_bytes(name, self.to_record()))
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        let record = record_of(self.config().kind().name(), state)?;
        *self = self.clone().load_record(record)?;
        Ok(())
    }
}

impl<M: Module + ModuleDisplay> Trick<M> for EmaSet<M> {
    /// It does not look at the gradients.
    fn gradient_order(&self, _order: &mut GradientOrder) {}

    fn after(&mut self, model: M, step: &StepContext) -> M {
        if !step.is_skipped() {
            self.update(&model);
        }
        model
    }

    fn rolled_back(&mut self, model: &M) {
        EmaSet::restart(self, model);
    }

    fn restart(&mut self, model: &M) {
        EmaSet::restart(self, model);
    }

    fn describe(&self) -> Vec<String> {
        let emas: Vec<_> = self.iter().map(Ema::config).collect();
        vec![format!("EmaSet {emas:?}")]
    }

    fn state(&self) -> Option<Vec<u8>> {
        let states: Vec<_> = self.iter().map(Trick::state).collect();
        Some(parts_to_bytes(&states))
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        let mut emas = self.clone().into_inner();
        let states = bytes_to_parts(state, emas.len(), TRICKS)?;
        for (ema, state) in emas.iter_mut().zip(states) {
            load_part(ema, state)?;
        }
        *self = Self::from(emas);
        Ok(())
    }
}

/// The model to validate is the mean, from the first sample on.
impl<M: Module + ModuleDisplay> Trick<M> for Swag<M> {
    /// It does not look at the gradients.
    fn gradient_order(&self, _order: &mut GradientOrder) {}

    fn after(&mut self, model: M, step: &StepContext) -> M {
        if !step.is_skipped() {
            self.update(&model);
        }
        model
    }

    fn validated(&self, _model: &M) -> Option<M> {
        self.has_started().then(|| self.model())
    }

    fn restart(&mut self, model: &M) {
        Swag::restart(self, model);
    }

    fn rolled_back(&mut self, model: &M) {
        Swag::restart(self, model);
    }

    fn describe(&self) -> Vec<String> {
        vec![format!("{:?}", self.config())]
    }

    fn state(&self) -> Option<Vec<u8>> {
        Some(record_bytes("Swag", self.to_record()))
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        *self = self.clone().load_record(record_of("Swag", state)?)?;
        Ok(())
    }
}

/// An average of the trained weights alone. Before its first update the trained model is validated.
impl<M: Module, R: AverageRule + Clone> Trick<M> for TrainedAverage<R> {
    /// It does not look at the gradients.
    fn gradient_order(&self, _order: &mut GradientOrder) {}

    fn after(&mut self, model: M, step: &StepContext) -> M {
        if !step.is_skipped() {
            self.update_at(&model, step.lr());
        }
        model
    }

    fn validated(&self, model: &M) -> Option<M> {
        self.has_started().then(|| self.model(model))
    }

    fn restart(&mut self, model: &M) {
        TrainedAverage::restart(self, model);
    }

    fn rolled_back(&mut self, model: &M) {
        TrainedAverage::restart(self, model);
    }

    fn describe(&self) -> Vec<String> {
        vec![format!(
            "TrainedAverage {:?} {:?}",
            self.config(),
            self.paths()
        )]
    }

    fn state(&self) -> Option<Vec<u8>> {
        Some(record_bytes("TrainedAverage", self.to_record()))
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        *self = self
            .clone()
            .load_record(record_of("TrainedAverage", state)?)?;
        Ok(())
    }
}

/// The model to validate is moved to the device of the trained one. Before the first update the trained model is
/// validated: the average has not looked at the weights until then.
impl<M: Module + ModuleDisplay, R: AverageRule + Clone> Trick<M> for AverageOn<M, R> {
    /// It does not look at the gradients.
    fn gradient_order(&self, _order: &mut GradientOrder) {}

    fn after(&mut self, model: M, step: &StepContext) -> M {
        if !step.is_skipped() {
            self.update_at(&model, step.lr());
        }
        model
    }

    fn validated(&self, model: &M) -> Option<M> {
        if !self.average().has_started() {
            return None;
        }
        let average = self.model();
        Some(match model.devices().first() {
            Some(device) => average.to_device(&device.clone().inner()),
            None => average,
        })
    }

    fn restart(&mut self, model: &M) {
        AverageOn::restart(self, model);
    }

    fn rolled_back(&mut self, model: &M) {
        AverageOn::restart(self, model);
    }

    fn name(&self) -> String {
        self.average().config().kind().name().to_owned()
    }

    fn describe(&self) -> Vec<String> {
        vec![format!(
            "{:?} on {:?}",
            self.average().config(),
            self.device()
        )]
    }

    fn state(&self) -> Option<Vec<u8>> {
        Some(record_bytes("AverageOn", self.to_record()))
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        *self = self.clone().load_record(record_of("AverageOn", state)?)?;
        Ok(())
    }
}

/// A record, behind the name of its average: the records of all averages look alike.
pub(super) fn record_bytes(name: &str, record: ModuleRecord) -> Vec<u8> {
    let record = record
        .into_bytes()
        .expect("a record can be written to memory");
    [name.as_bytes(), b"\n", &*record].concat()
}

pub(super) fn record_of(name: &str, bytes: &[u8]) -> Result<ModuleRecord, StateError> {
    let rest = bytes.strip_prefix(name.as_bytes());
    let record = rest.and_then(|rest| rest.strip_prefix(b"\n"));
    let record = record.ok_or_else(|| StateError::NotOf {
        name: name.to_owned(),
    })?;
    Ok(ModuleRecord::from_bytes(Bytes::from_bytes_vec(
        record.to_vec(),
    ))?)
}
