//! A doctor in the training of a recipe.

use super::objective::{Forward, Measured, Objective};
use crate::network::Network;
use burn::optim::GradientsParams;
use burn_tricks::ConfigError;
use burn_tricks::compare::{ExaminationFinding, Reporter};
use burn_tricks::diagnose::{Doctor, DoctorConfig, EpochMetrics, Finding, LossKind};

/// A doctor, if the training is examined. Otherwise every method does nothing.
pub(super) struct Examined(Option<Doctor>);

impl Examined {
    /// Nobody.
    pub(super) fn off() -> Self {
        Self(None)
    }

    /// A doctor for `model` before its first step.
    pub(super) fn init(model: &Network, objective: &Objective) -> Result<Self, ConfigError> {
        let loss = match objective {
            Objective::Classes { .. } => LossKind::CrossEntropyOfScores,
            Objective::Numbers { .. } => LossKind::MeanSquaredError,
        };
        let mut doctor = DoctorConfig::new().with_loss(Some(loss)).init(model)?;
        doctor.observe_text(&format!("{model}"));
        Ok(Self(Some(doctor)))
    }

    /// A forward pass of a step.
    pub(super) fn forward(&mut self, forward: &Forward) {
        if let Some(doctor) = &mut self.0 {
            // Of a sequence of characters there is a row for each position, and of the inputs one for each sample.
            let [inputs, outputs] = [forward.inputs.dims()[0], forward.outputs.dims()[0]];
            if inputs == outputs {
                doctor.observe_batch(&forward.inputs, forward.targets.clone());
            } else {
                doctor.observe_targets(forward.targets.clone());
            }
            doctor.observe_outputs(&forward.outputs);
            doctor.observe_loss(&forward.loss);
        }
    }

    /// Before the optimizer's step.
    pub(super) fn before_step(
        &mut self,
        model: &Network,
        grads: &GradientsParams,
        learning_rate: f64,
    ) {
        if let Some(doctor) = &mut self.0 {
            doctor.before_step(model, grads, learning_rate);
        }
    }

    /// After it.
    pub(super) fn after_step(&mut self, model: &Network) {
        if let Some(doctor) = &mut self.0 {
            doctor.after_step(model);
        }
    }

    /// After the validation of an epoch.
    pub(super) fn epoch(&mut self, measured: impl FnOnce() -> [Measured; 2]) {
        let Some(doctor) = &mut self.0 else { return };
        let [train, valid] = measured();
        let mut metrics = EpochMetrics::new()
            .with_train_loss(train.loss)
            .with_valid_loss(valid.loss);
        if let (Some(train), Some(valid)) = (train.accuracy, valid.accuracy) {
            metrics = metrics
                .with_train_accuracy(train)
                .with_valid_accuracy(valid);
        }
        doctor.observe_epoch(metrics);
    }

    /// What was found in the end.
    pub(super) fn report(&self, model: &Network, report: &mut Reporter) {
        let Some(doctor) = &self.0 else { return };
        for finding in doctor.diagnose(model).findings {
            report.finding(told(&finding));
        }
    }
}

fn told(finding: &Finding) -> ExaminationFinding {
    let first = finding.prescriptions.first();
    let advice = first.map_or_else(String::new, |first| format!(" Try: {first}"));
    let number = |value: f64| (!finding.source.is_empty()).then_some(value);
    ExaminationFinding {
        severity: finding.severity.to_string(),
        kind: finding.kind.to_string(),
        paths: finding.paths.clone(),
        value: number(finding.value),
        threshold: number(finding.threshold),
        text: finding.text.clone() + &advice,
    }
}
