//! How far a step moves the weights, relative to their size.

use crate::trick::Trick;
use crate::trick::step_context::StepContext;
use crate::trick::trick_metric::TrickMetric;
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::ModuleOptimizer;
use burn::tensor::Tensor;
use burn_tricks_grad::GradientOrder;
use burn_tricks_kernels::{TensorList, blend_all, sum_of_squares};
use std::collections::HashSet;

/// Measures how far each optimizer step moves the weights, relative to their size, for Burn's dashboard.
///
/// ```text
/// ‖w' − w‖ / ‖w‖     over all weights, at each optimizer step
/// ```
///
/// A ratio of about 1e-3 is healthy (Karpathy). If the ratio is far larger, the learning rate is too large; if it is
/// far smaller, the learning rate is too small.
///
/// # Example
///
/// ```
/// use burn_tricks_train::UpdateRatio;
///
/// let tricks = (UpdateRatio::new(),);
/// // `model.with_tricks(tricks)`: a `Session` shows what they measure.
/// # let _ = tricks;
/// ```
///
/// # Order
///
/// Anywhere among the tricks.
///
/// # Cost
///
/// Two norms over the weights and one subtraction: three passes and the memory of one model for the time
/// of a step. One number read from the device per step, on the thread of the metrics.
///
/// # References
///
/// - Karpathy, *CS231n*, "Ratio of weights:updates", <https://cs231n.github.io/neural-networks-3/>
#[derive(Debug)]
pub struct UpdateRatio {
    metric: TrickMetric,
    before: Option<TensorList>,
}

impl UpdateRatio {
    /// The trick whose metric is named "Update Ratio".
    pub fn new() -> Self {
        let description = "The norm of an optimizer step over the norm of the weights.";
        Self {
            metric: TrickMetric::new("Update Ratio", description),
            before: None,
        }
    }

    /// The metric of the trick, for Burn's training split.
    pub fn metric(&self) -> TrickMetric {
        self.metric.clone()
    }
}

impl Default for UpdateRatio {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Module> Trick<M> for UpdateRatio {
    /// It does not look at the gradients.
    fn gradient_order(&self, _order: &mut GradientOrder) {}

    fn begin(&mut self, model: &M, _: &mut ModuleOptimizer, _: &mut StepContext) {
        self.before = Some(trainable(model));
    }

    fn after(&mut self, model: M, step: &StepContext) -> M {
        let before = self.before.take();
        if let Some(before) = before.filter(|_| !step.is_skipped()) {
            let update = blend_all(trainable(&model), 1.0, &before, -1.0);
            if let (Some(update), Some(weights)) = (norm(&update), norm(&before)) {
                self.metric.push(update / weights);
            }
        }
        model
    }

    fn metrics(&self) -> Vec<TrickMetric> {
        vec![self.metric()]
    }
}

/// The weights that are trained, detached. Running statistics and frozen weights are left out.
fn trainable<M: Module>(model: &M) -> TensorList {
    #[derive(Default)]
    struct List {
        tensors: TensorList,
        /// A tied parameter is visited at each of its places and counts once.
        seen: HashSet<ParamId>,
    }

    impl ModuleVisitor for List {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if param.is_require_grad() && self.seen.insert(param.id) {
                self.tensors.push(param.val().inner());
            }
        }
    }

    let mut list = List::default();
    model.visit(&mut list);
    list.tensors
}

fn norm(tensors: &TensorList) -> Option<Tensor<1>> {
    let squares = sum_of_squares(tensors)?;
    Some(squares.sum.sqrt() * squares.scale)
}
