//! The mean of accumulated gradients, where Burn's `Learner` gives their sum.
//!
//! `SupervisedTraining::grads_accumulation(n)` adds the gradients of n micro-batches: with SGD the learning rate is
//! silently n times as high, a clip binds n times as often, and the last window of an epoch, which may be shorter, counts
//! for less. With this trick the optimizer and all other tricks get
//!
//! ```text
//! g = Σᵢ nᵢ gᵢ / Σᵢ nᵢ        over the micro-batches i since the last step
//! ```
//!
//! with nᵢ = 1, or the number of samples of micro-batch i: then g is the gradient of the mean loss over all samples
//! of the window, as one large batch has it.
//!
//! # Example
//!
//! ```
//! use burn::tensor::Tensor;
//! use burn_tricks_train::MeanOfAccumulated;
//!
//! struct Batch {
//!     images: Tensor<4>,
//! }
//!
//! let mean = MeanOfAccumulated::weighted(|batch: &Batch| batch.images.dims()[0]);
//! // model.with_tricks((mean, clip, ema)), and training.grads_accumulation(4)
//! # let _ = mean;
//! ```
//!
//! # Order
//!
//! Anywhere: the sum is divided before any trick sees it, so that nothing can be clipped before.
//!
//! # Cost
//!
//! A read and a write of the gradients per step, and with samples that differ from 1 one more per micro-batch.
//!
//! # Several devices
//!
//! With Burn's `multi` the micro-batches of all devices are counted, whose gradients Burn adds. **Not with `ddp`**,
//! whose workers take their steps one by one and share the count: divide the loss there.
//!
//! # Differences
//!
//! In a loop of your own [`GradAccumulator`](burn_tricks_grad::GradAccumulator) does the same by one read and write
//! per micro-batch. Keras and Lightning have the mean over micro-batches, which [`MeanOfAccumulated::new`] is.

use crate::trick::Trick;
use burn::module::Module;
use std::any::{Any, type_name};
use std::fmt::Debug;
use std::sync::Arc;

/// Divides Burn's sum of accumulated gradients by the micro-batches, or by their samples. See the
/// [module](self).
#[derive(Clone)]
pub struct MeanOfAccumulated {
    samples: Option<Arc<Samples>>,
}

type Samples = dyn Fn(&dyn Any) -> usize + Send + Sync;

impl Debug for MeanOfAccumulated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.samples {
            None => "MeanOfAccumulated",
            Some(_) => "MeanOfAccumulated, weighted by samples",
        })
    }
}

impl Default for MeanOfAccumulated {
    fn default() -> Self {
        Self::new()
    }
}

impl MeanOfAccumulated {
    /// The mean over micro-batches, each of the same weight.
    pub fn new() -> Self {
        Self { samples: None }
    }

    /// The mean over samples, whose number `samples` tells of a batch: what the model's `TrainStep::Input` is.
    ///
    /// # Panics
    ///
    /// Not here, but at the first step of a model whose batches are no `B`.
    pub fn weighted<B: 'static>(samples: impl Fn(&B) -> usize + Send + Sync + 'static) -> Self {
        let samples = move |batch: &dyn Any| match batch.downcast_ref::<B>() {
            Some(batch) => samples(batch),
            None => panic!(
                "`MeanOfAccumulated::weighted` counts the samples of `{}`, and the model's batches are of another type",
                type_name::<B>()
            ),
        };
        Self {
            samples: Some(Arc::new(samples)),
        }
    }
}

impl<M: Module> Trick<M> for MeanOfAccumulated {
    fn sees_gradients(&self) -> bool {
        true
    }

    fn micro_batch_weight(&self, batch: &dyn Any) -> Option<f64> {
        Some(match &self.samples {
            None => 1.0,
            Some(samples) => samples(batch) as f64,
        })
    }

    fn describe(&self) -> Vec<String> {
        vec![format!("{self:?}")]
    }
}
