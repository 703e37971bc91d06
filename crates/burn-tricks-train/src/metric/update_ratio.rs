//! How far a step moves the weights, relative to their size, in Burn's dashboard.
//!
//! ```text
//! ‖w' − w‖ / ‖w‖     over all weights, at each optimizer step
//! ```
//!
//! About 1e-3 is healthy (Karpathy); far above it the learning rate is too large, far below too small.
//!
//! # Example
//!
//! ```
//! use burn_tricks_train::UpdateRatio;
//!
//! let (update_ratio, metric) = UpdateRatio::new();
//! // `model.with_tricks(update_ratio)`, `SupervisedTraining::metric_train_numeric(metric)`
//! # let _ = (update_ratio, metric);
//! ```
//!
//! # Order
//!
//! Among the tricks, anywhere.
//!
//! # Cost
//!
//! Two norms over the weights and one subtraction: three passes and the memory of one model for the time
//! of a step. One number read from the device per step, on the thread of the metrics.
//!
//! # References
//!
//! - Karpathy, *CS231n*, "Ratio of weights:updates", <https://cs231n.github.io/neural-networks-3/>

use crate::metric::queued_numbers::{Watched, watched_metric};
use crate::trick::Trick;
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn_tricks_kernels::{TensorList, blend_all, sum_of_squares};
use std::collections::HashSet;

/// Measures the ratio of the update to the weights at each optimizer step.
#[derive(Debug)]
pub struct UpdateRatio {
    watched: Watched,
    before: Option<TensorList>,
}

impl UpdateRatio {
    /// The trick, and the metric that shows what it measures.
    pub fn new() -> (Self, UpdateRatioMetric) {
        let watched = Watched::default();
        let metric = UpdateRatioMetric::of(&watched, "Update Ratio");
        let before = None;
        (Self { watched, before }, metric)
    }
}

impl<M: Module> Trick<M> for UpdateRatio {
    fn sees_gradients(&self) -> bool {
        true // not the gradients, but the weights before the step
    }

    fn before(&mut self, model: &M, grads: GradientsParams) -> GradientsParams {
        self.before = Some(trainable(model));
        grads
    }

    fn after(&mut self, model: M) -> M {
        if let Some(before) = self.before.take() {
            let update = blend_all(trainable(&model), 1.0, before.clone(), -1.0);
            if let (Some(update), Some(weights)) = (norm(&update), norm(&before)) {
                self.watched.push(update / weights);
            }
        }
        model
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

watched_metric!(
    /// The ratio of the update to the weights, as [`UpdateRatio`] measured it. Made with it.
    UpdateRatioMetric,
    "The norm of an optimizer step over the norm of the weights."
);
