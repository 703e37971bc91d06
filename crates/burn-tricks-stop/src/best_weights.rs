//! Keeps the best model of a run, and gives it back.
//!
//! ```text
//! at a check that improves:   best ← snapshot of the model
//! ```
//!
//! The snapshot holds weights and running statistics. It is Burn's `model.valid()`, and not a `clone()`:
//! clones of a batch norm share their running statistics, so that a kept clone would go on changing with
//! the training.
//!
//! # Example
//!
//! ```
//! use burn::nn::LinearConfig;
//! use burn::tensor::Device;
//! use burn_tricks_stop::{BestWeights, EarlyStoppingConfig, Goal};
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! let model = LinearConfig::new(2, 2).init(&Device::flex().autodiff());
//! let mut stop = EarlyStoppingConfig::new(Goal::Minimize).init()?;
//! let mut best = BestWeights::new();
//! for loss in [0.5, 0.4, 0.45] {
//!     // ... train for an epoch, validate ...
//!     let verdict = stop.observe(loss);
//!     best.keep(&verdict, || model.clone());
//! }
//! assert_eq!(best.check(), Some(2));
//! let model = best.restore().expect("at least one check was finite"); // to train on
//! let model = best.model().expect("the same"); // to predict with
//! # let _ = model;
//! # Ok(())
//! # }
//! ```
//!
//! # Where it stands
//!
//! Beside early stopping, after each check. With an average of weights, keep the average: it is what was
//! checked.
//!
//! # Cost
//!
//! One copy of the model's weights on its device, shared with the model until its next step. Nothing is
//! read from the device.
//!
//! # Differences
//!
//! Keras's `restore_best_weights` gives back the weights of a NaN first epoch; Burn's result is the last
//! model, and its checkpoints are files.
//!
//! # Suggested values
//!
//! There is nothing to set: it keeps one model, as Lightning's `ModelCheckpoint` does by default
//! (`save_top_k=1`). Goodfellow et al. give back the best parameters, not the last, wherever training
//! stops early.
//!
//! # References
//!
//! - Goodfellow, Bengio, Courville, *Deep Learning*, 2016, section 7.8, algorithm 7.1,
//!   <https://www.deeplearningbook.org/contents/regularization.html>
//! - Keras, `callbacks.EarlyStopping(restore_best_weights=True)`; Lightning, `ModelCheckpoint`

use crate::Verdict;
use burn::module::Module;

/// The model of the best check so far.
#[derive(Debug, Clone)]
pub struct BestWeights<M> {
    best: Option<(M, usize)>,
}

impl<M> Default for BestWeights<M> {
    fn default() -> Self {
        Self { best: None }
    }
}

impl<M: Module> BestWeights<M> {
    /// Holds no model yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps `model()` if the verdict says that it is the best; otherwise does not call it.
    pub fn keep(&mut self, verdict: &Verdict, model: impl FnOnce() -> M) {
        if verdict.improved {
            self.best = Some((model().valid(), verdict.check));
        }
    }

    /// The check whose model is kept; none before the first that counts.
    pub fn check(&self) -> Option<usize> {
        self.best.as_ref().map(|(_, check)| *check)
    }

    /// The best model for prediction: no gradients, dropout off, batch norm on its kept statistics.
    pub fn model(&self) -> Option<M> {
        self.best.as_ref().map(|(model, _)| model.valid())
    }

    /// The best model for training: gradients are tracked, dropout drops and batch norm learns again,
    /// where they did in the kept model. A gradient-checkpointing strategy of the device is not kept.
    pub fn restore(&self) -> Option<M> {
        self.model().map(Module::train)
    }
}
