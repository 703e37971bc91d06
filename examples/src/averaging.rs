//! What the recipes predict with: the weights as they are, or averages of them.

use crate::network::Network;
use burn_tricks::ConfigError;
use burn_tricks::average::{
    Average, AverageRule, CombineError, ScheduleFreeAverageConfig, SnapshotEnsemble,
    SnapshotEnsembleConfig, Swag, SwagConfig,
};
use burn_tricks::prelude::*;
use burn_tricks::schedule::Run;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Which average of weights a recipe predicts with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Averaging {
    /// None: the weights as they are.
    None,
    /// An exponential moving average with this decay per step.
    Ema(f64),
    /// The mean of the weights after each epoch, from this fraction of the run on.
    Swa(f64),
    /// Models drawn from the distribution of the weights after each epoch, from a fraction of the run on, predicting
    /// together.
    Swag {
        /// The fraction of the run.
        start: f64,
        /// How many models.
        models: usize,
    },
    /// The models at the ends of the last so many cycles of the learning rate, predicting together.
    Snapshots(usize),
}

/// What is in the making for a model: an average of its weights, members of an ensemble, or neither.
#[derive(Debug, Default)]
pub struct Averages {
    weights: Option<Average<Network, Arc<dyn AverageRule>>>,
    members: Option<SnapshotEnsemble<Network>>,
    /// A distribution of the weights, and how many models are drawn from it.
    swag: Option<(Swag<Network>, usize)>,
}

impl Averaging {
    /// The averages of `model`, before its first step.
    ///
    /// # Errors
    ///
    /// If a setting means nothing.
    pub fn init(self, model: &Network, run: &Run) -> Result<Averages, ConfigError> {
        let mut averages = Averages::default();
        let rule: Arc<dyn AverageRule> = match self {
            Self::None => return Ok(averages),
            Self::Ema(decay) => Arc::new(EmaConfig::new(decay)),
            Self::Swa(start) => {
                let swa = SwaConfig::new(run.steps_per_epoch());
                Arc::new(swa.with_start_after(run.fraction(start)?))
            }
            Self::Swag { start, models } => {
                ConfigError::at_least_one("models", models)?;
                let swag = SwagConfig::new(run.steps_per_epoch());
                let swag = swag.with_start_after(run.fraction(start)?).init(model)?;
                averages.swag = Some((swag, models));
                return Ok(averages);
            }
            Self::Snapshots(last) => {
                averages.members = Some(SnapshotEnsembleConfig::new(last).init(model)?);
                return Ok(averages);
            }
        };
        averages.weights = Some(Average::init(rule, model)?);
        Ok(averages)
    }
}

impl Averages {
    /// The average of schedule-free learning.
    ///
    /// # Errors
    ///
    /// If β lies outside `[0, 1)`.
    pub fn schedule_free(beta: f64, model: &Network) -> Result<Self, ConfigError> {
        let rule: Arc<dyn AverageRule> = Arc::new(ScheduleFreeAverageConfig::new().with_beta(beta));
        Ok(Self {
            weights: Some(Average::init(rule, model)?),
            ..Self::default()
        })
    }

    /// Takes the weights after a step with this learning rate; `is_trough` says whether the learning rate was the
    /// lowest of a cycle.
    pub fn update(&mut self, model: &Network, learning_rate: f64, is_trough: bool) {
        if let Some(average) = &mut self.weights {
            average.update_at(model, learning_rate);
        }
        if let Some((swag, _)) = &mut self.swag {
            swag.update(model);
        }
        if let Some(members) = self.members.as_mut().filter(|_| is_trough) {
            members.collect(model);
        }
    }

    /// The models to predict with, together; `model` is the one in training.
    ///
    /// # Errors
    ///
    /// None that these models could cause.
    pub fn models(&self, model: &Network) -> Result<Vec<Network>, CombineError> {
        use burn::module::Module as _;
        if let Some(average) = &self.weights {
            return Ok(vec![average.model()]);
        }
        // Until two models have been seen there is nothing to draw from.
        if let Some((swag, models)) = self.swag.as_ref().filter(|(swag, _)| swag.updates() > 1) {
            return Ok(swag.samples(*models, 0));
        }
        match &self.members {
            Some(members) if !members.is_empty() => {
                let ensemble = members.clone().into_ensemble(&EnsembleConfig::new())?;
                Ok(ensemble.into_members())
            }
            // Until the first cycle ends there is nothing but the model.
            _ => Ok(vec![model.valid()]),
        }
    }
}
