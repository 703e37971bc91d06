//! What the recipes predict with: the weights as they are, or averages of them.

use crate::mlp::Mlp;
use burn_tricks::ConfigError;
use burn_tricks::average::{CombineError, Ema, SnapshotEnsemble, SnapshotEnsembleConfig, Swa};
use burn_tricks::prelude::*;
use burn_tricks::schedule::Run;

/// Which average of weights a recipe predicts with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Averaging {
    /// None: the weights as they are.
    None,
    /// An exponential moving average with this decay per step.
    Ema(f64),
    /// The mean of the weights after each epoch, from this fraction of the run on.
    Swa(f64),
    /// The models at the ends of the last so many cycles of the learning rate, predicting together.
    Snapshots(usize),
}

/// An average in the making.
#[derive(Debug)]
pub enum Average {
    /// None.
    None,
    /// An exponential moving average.
    Ema(Box<Ema<Mlp>>),
    /// A mean along the end of the run.
    Swa(Box<Swa<Mlp>>),
    /// Members of an ensemble.
    Snapshots(Box<SnapshotEnsemble<Mlp>>),
}

impl Averaging {
    /// The average of `model`, before its first step.
    ///
    /// # Errors
    ///
    /// If a setting means nothing.
    pub fn init(self, model: &Mlp, run: &Run) -> Result<Average, ConfigError> {
        Ok(match self {
            Self::None => Average::None,
            Self::Ema(decay) => Average::Ema(Box::new(EmaConfig::new(decay).init(model)?)),
            Self::Swa(start) => {
                let swa = SwaConfig::new(run.steps_per_epoch());
                let swa = swa.with_start_after(run.fraction(start)?);
                Average::Swa(Box::new(swa.init(model)?))
            }
            Self::Snapshots(last) => {
                let snapshots = SnapshotEnsembleConfig::new(last).init(model)?;
                Average::Snapshots(Box::new(snapshots))
            }
        })
    }
}

impl Average {
    /// Takes the weights after a step; `is_trough` says whether the learning rate was the lowest of a cycle.
    pub fn update(&mut self, model: &Mlp, is_trough: bool) {
        match self {
            Self::None => {}
            Self::Ema(ema) => ema.update(model),
            Self::Swa(swa) => swa.update(model),
            Self::Snapshots(snapshots) if is_trough => snapshots.collect(model),
            Self::Snapshots(_) => {}
        }
    }

    /// The models to predict with, together; `model` is the one in training.
    ///
    /// # Errors
    ///
    /// None that these models could cause.
    pub fn models(&self, model: &Mlp) -> Result<Vec<Mlp>, CombineError> {
        use burn::module::Module as _;
        Ok(match self {
            Self::None => vec![model.valid()],
            Self::Ema(ema) => vec![ema.model()],
            Self::Swa(swa) => vec![swa.model()],
            // Until the first cycle ends there is nothing but the model.
            Self::Snapshots(snapshots) if snapshots.is_empty() => vec![model.valid()],
            Self::Snapshots(snapshots) => (snapshots.as_ref().clone())
                .into_ensemble(&EnsembleConfig::new())?
                .into_members(),
        })
    }
}
