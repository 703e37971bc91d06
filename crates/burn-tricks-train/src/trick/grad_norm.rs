//! The norm of the gradient, in Burn's dashboard.

use crate::trick::Trick;
use crate::trick::step_context::StepContext;
use crate::trick::trick_metric::TrickMetric;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn_tricks_grad::{GradientsExt as _, NormKind};

/// Measures the Euclidean norm over all gradients at each optimizer step, for Burn's dashboard.
///
/// [`GradNorm`] is a trick that measures and changes nothing. A [`Session`](crate::Session) registers its metric;
/// without a session, register [`GradNorm::metric`] with Burn's `SupervisedTraining`. The norm is computed on the
/// device and read on the thread of the metrics, not in the step.
///
/// # Example
///
/// ```
/// use burn_tricks_grad::ClipGradNormConfig;
/// use burn_tricks_train::GradNorm;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let clip = ClipGradNormConfig::new(1.0).init()?;
/// let tricks = (GradNorm::new(), clip); // measures before clipping
/// // `model.with_tricks(tricks)`: a `Session` shows what they measure.
/// # let _ = tricks;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Before a clipper among the tricks, it measures the norm before clipping; after the clipper, the clipped norm. To
/// measure both, name them with [`GradNorm::named`]. Put it after a [`StepGuard`](burn_tricks_grad::StepGuard), so
/// that skipped steps are not measured: their norm is NaN or infinite, and would make the epoch's mean so.
///
/// # Cost
///
/// One pass over all gradients for the norm, and one number read from the device per step, on the thread of the
/// metrics.
#[derive(Debug, Clone)]
pub struct GradNorm {
    metric: TrickMetric,
}

impl GradNorm {
    /// The trick whose metric is named "Gradient Norm".
    pub fn new() -> Self {
        Self::named("Gradient Norm")
    }

    /// The trick with a name of your own for its metric. Burn would take two metrics of one name for one metric.
    pub fn named(name: &str) -> Self {
        let description = "The Euclidean norm over all gradients of an optimizer step.";
        Self {
            metric: TrickMetric::new(name, description),
        }
    }

    /// The metric of the trick, for Burn's training split.
    pub fn metric(&self) -> TrickMetric {
        self.metric.clone()
    }
}

impl Default for GradNorm {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Module> Trick<M> for GradNorm {
    fn sees_gradients(&self) -> bool {
        true
    }

    fn before(&mut self, model: &M, grads: GradientsParams, _: &StepContext) -> GradientsParams {
        if let Some(norm) = grads.global_norm(model, NormKind::L2) {
            self.metric.push(norm);
        }
        grads
    }

    fn metrics(&self) -> Vec<TrickMetric> {
        vec![self.metric()]
    }
}
