//! The best model of a run.

use crate::decision::Decision;
use burn::module::Module;
use burn::tensor::Device;
use burn_tricks_core::{Mismatch, Snapshot};

/// Keeps the best model of a run, and returns it, with extra state of type `S`, such as the optimizer.
///
/// ```text
/// at a check that is the best so far:   best ← snapshot of the model
/// ```
///
/// The best check is the one with the best value, by however little ([`Decision::is_best`]): patience and its
/// `min_delta` play no part. A value that is not finite, is beyond the criterion's divergence limit or falls into its
/// warm-up is never the best, and a criterion that ignores the metric reports no best check. As long as no check was
/// the best, nothing is kept, and [`model`](BestWeights::model) is none.
///
/// The [`Snapshot`] holds weights and running statistics. A `clone()` would not do: clones of a batch norm share
/// their running statistics, so a kept clone would change while the model is trained.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burn_tricks_stop::{BestWeights, EarlyStoppingConfig, Goal};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let model = LinearConfig::new(2, 2).init(&Device::flex().autodiff());
/// let mut stop = EarlyStoppingConfig::new(Goal::Minimize).init()?;
/// let mut best = BestWeights::new();
/// for loss in [0.5, 0.4, 0.45] {
///     // ... train for an epoch, validate ...
///     let decision = stop.observe(loss);
///     best.keep(&decision, || model.clone());
/// }
/// assert_eq!(best.check(), Some(2));
/// let model = best.restore().expect("at least one check was finite"); // to train on
/// let model = best.model().expect("the same"); // to predict with
/// # let _ = model;
/// # Ok(())
/// # }
/// ```
///
/// [`StopWithBest`](crate::StopWithBest) is a criterion and a `BestWeights` in one.
///
/// The next example also keeps the optimizer as it was at the best check. Any other value whose clones are
/// independent may be kept with the model, such as a schedule or an average of weights; several values go into a
/// tuple. (Clones of `burn-tricks-train`'s `SharedPlateau` share what was observed: keep its record instead.)
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::optim::{AdamConfig, ModuleOptimizer};
/// use burn::tensor::Device;
/// use burn_tricks_stop::{BestWeights, EarlyStoppingConfig, Goal};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let model = LinearConfig::new(2, 2).init(&Device::flex().autodiff());
/// let optim = AdamConfig::new().init();
/// let mut stop = EarlyStoppingConfig::new(Goal::Minimize).init()?;
/// let mut best = BestWeights::new();
/// best.keep_with(&stop.observe(0.5), || (model.clone(), optim.clone()));
/// let (model, optim): (Linear, ModuleOptimizer) = best.restore_with().expect("it was finite");
/// # let _ = (model, optim);
/// # Ok(())
/// # }
/// ```
///
/// A `clone()` of the optimizer of a `Prodigy` (`burn-tricks-grad`) is no backup: clones share its estimate of the learning
/// rate, which stays NaN after a divergence. Keep the bytes of `prodigy.state()` as well, and restore them by
/// `prodigy.load_state(&bytes)`, which the optimizer sees too. Other transforms with a state, such as `AutoClip`, are kept
/// in the same way, or as clones. In the `Learner` a `RollBackTrick` does so by itself.
///
/// # Order
///
/// Call it after each check, together with early stopping. If an average of the weights was checked, keep the average.
///
/// # Cost
///
/// One copy of the model's weights on its device, or on another one with [`BestWeights::on`]. On the same device it
/// shares memory with the model until the next step, and nothing is read from the device.
///
/// A kept clone of a `ModuleOptimizer` takes as much memory again for each of its moments, on the device, and shares
/// it with the optimizer until the next step. To save device memory, keep `optim.to_record().into_bytes()` instead,
/// which waits for the device and copies the state to the host. `ModuleOptimizer::load_record` then puts the state on
/// `Device::default()` until the next step moves it. In a program with several backends, this may be another device
/// than that of the run, or one that does not exist. A clone stays on its device, and the optimizers of
/// `burn-tricks-optim` hold a loaded state on the host until the next step.
///
/// # Differences
///
/// Keras's `restore_best_weights` gives back the weights of the last improvement by more than `min_delta`, which need
/// not be the best weights, and the weights of the first epoch if its metric was NaN. The `ModelCheckpoint` of Keras
/// and that of Lightning keep the best value, as here. Burn returns the last model, and its checkpoints are files.
///
/// # Suggested values
///
/// There is nothing to set: one model is kept, as by Lightning's `ModelCheckpoint` by default (`save_top_k=1`).
/// Goodfellow et al. always return the best parameters, not the last, when training stops early.
///
/// # References
///
/// - Goodfellow, Bengio, Courville, *Deep Learning*, 2016, section 7.8, algorithm 7.1,
///   <https://www.deeplearningbook.org/contents/regularization.html>
/// - Keras, `callbacks.EarlyStopping(restore_best_weights=True)`; Lightning, `ModelCheckpoint`
#[derive(Debug)]
pub struct BestWeights<M, S = ()> {
    best: Option<(Snapshot<M>, usize)>,
    /// There is one whenever there is a best model.
    extra: Option<S>,
    /// Where the model is kept, if not on its own device.
    device: Option<Device>,
}

impl<M, S> Default for BestWeights<M, S> {
    fn default() -> Self {
        Self {
            best: None,
            extra: None,
            device: None,
        }
    }
}

impl<M: Module, S: Clone> Clone for BestWeights<M, S> {
    fn clone(&self) -> Self {
        Self {
            best: self.best.clone(),
            extra: self.extra.clone(),
            device: self.device.clone(),
        }
    }
}

impl<M: Module> BestWeights<M> {
    /// Keeps `model()` if the decision says that it is the best; otherwise does not call it.
    pub fn keep(&mut self, decision: &Decision, model: impl FnOnce() -> M) {
        self.keep_with(decision, || (model(), ()));
    }
}

impl<M: Module, S> BestWeights<M, S> {
    /// Holds no model yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Holds no model yet, and will keep it on `device`: on the CPU, while a GPU has no room for a second copy. Each check
    /// that is the best then waits for the device of the model, and copies the weights.
    ///
    /// [`restore_into`](Self::restore_into) gives a model on the device of the model in training. The other methods give
    /// one on `device`.
    pub fn on(device: &Device) -> Self {
        Self {
            device: Some(device.clone().inner()),
            ..Self::default()
        }
    }

    /// Keeps the model with extra state, such as a clone of the optimizer, if the decision says that it is the best;
    /// otherwise does not call `model_and_extra`.
    pub fn keep_with(&mut self, decision: &Decision, model_and_extra: impl FnOnce() -> (M, S)) {
        if decision.is_best {
            let (model, extra) = model_and_extra();
            self.hold(&model, decision.check, extra);
        }
    }

    /// Restores what an earlier run kept: the [`model`](Self::model), saved and loaded as any model is, its
    /// [`check`](Self::check), and its extra state, `()` if there is none. Load the state of the stopping criterion
    /// as well.
    #[must_use]
    pub fn with_kept(mut self, model: &M, check: usize, extra: S) -> Self {
        self.hold(model, check, extra);
        self
    }

    pub(crate) fn hold(&mut self, model: &M, check: usize, extra: S) {
        let kept = match &self.device {
            Some(device) => Snapshot::new(&model.valid().to_device(device)),
            None => Snapshot::new(model),
        };
        self.best = Some((kept, check));
        self.extra = Some(extra);
    }

    /// The check whose model is kept; none before the first check that counts.
    pub fn check(&self) -> Option<usize> {
        self.best.as_ref().map(|(_, check)| *check)
    }

    /// The best model for prediction: no gradients, dropout off, batch norm on its kept statistics.
    pub fn model(&self) -> Option<M> {
        self.best.as_ref().map(|(best, _)| best.model())
    }

    /// The best model for training: gradients are tracked, dropout is on and batch norms update their statistics
    /// where they did in the kept model. The device's gradient-checkpointing strategy is not kept:
    /// [`restore_into`](Self::restore_into) takes it from the model in training.
    #[must_use]
    pub fn restore(&self) -> Option<M> {
        self.model().map(Module::train)
    }

    /// `model` with the best weights and statistics. Its devices, gradient requirements, training flags
    /// and parameter ids stay; `model` itself and its clones keep their values. None if no model is kept.
    ///
    /// # Errors
    ///
    /// If the two differ in a path, a kind or a shape: the first such place.
    pub fn restore_into(&self, model: &M) -> Result<Option<M>, Mismatch> {
        let best = self.best.as_ref();
        best.map(|(best, _)| best.restore(model)).transpose()
    }

    /// As [`restore`](Self::restore), with the extra state that was kept with the model.
    pub fn restore_with(&self) -> Option<(M, S)>
    where
        S: Clone,
    {
        self.restore().zip(self.extra.clone())
    }

    /// The extra state that was kept with the model.
    pub fn extra(&self) -> Option<&S> {
        self.extra.as_ref()
    }
}
