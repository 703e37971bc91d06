//! The norm of the gradient, in Burn's dashboard.
//!
//! A trick that measures and changes nothing, and a metric that shows what it measured. The norm is queued
//! on the device and read where metrics are read, not in the step.
//!
//! # Example
//!
//! ```
//! use burn_tricks_grad::ClipGradNormConfig;
//! use burn_tricks_train::GradNorm;
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! let (grad_norm, metric) = GradNorm::new();
//! let clip = ClipGradNormConfig::new(1.0).init()?;
//! // `model.with_tricks((grad_norm, clip))` measures before clipping;
//! // `SupervisedTraining::metric_train_numeric(metric)` shows it.
//! # let _ = (grad_norm, clip, metric);
//! # Ok(())
//! # }
//! ```
//!
//! # Order
//!
//! Among the tricks: before a clipper for the norm that there was, after it for the norm that is left. For
//! both, give them names: [`GradNorm::named`]. Behind a [`StepGuard`](burn_tricks_grad::StepGuard) it does not
//! measure the steps that were skipped, whose norm is no number and would be the epoch's mean.
//!
//! # Cost
//!
//! The norm, one read of all gradients; one number read from the device per step, on the thread of the
//! metrics.

use crate::metric::queued_numbers::{Watched, watched_metric};
use crate::trick::Trick;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn_tricks_grad::{GradientsExt as _, NormKind};

/// Measures the Euclidean norm over all gradients at each optimizer step.
#[derive(Debug, Clone)]
pub struct GradNorm {
    watched: Watched,
}

impl GradNorm {
    /// The trick, and the metric that shows what it measures.
    pub fn new() -> (Self, GradNormMetric) {
        Self::named("Gradient Norm")
    }

    /// As [`new`](Self::new), with a name for the metric: two of one name would be one to Burn.
    pub fn named(name: &str) -> (Self, GradNormMetric) {
        let watched = Watched::default();
        let metric = GradNormMetric::of(&watched, name);
        (Self { watched }, metric)
    }
}

impl<M: Module> Trick<M> for GradNorm {
    fn sees_gradients(&self) -> bool {
        true
    }

    fn before(&mut self, model: &M, grads: GradientsParams) -> GradientsParams {
        if let Some(norm) = grads.global_norm(model, NormKind::L2) {
            self.watched.push(norm);
        }
        grads
    }
}

watched_metric!(
    /// The norm of the gradient, as [`GradNorm`] measured it. Made with it.
    GradNormMetric,
    "The Euclidean norm over all gradients of an optimizer step."
);
