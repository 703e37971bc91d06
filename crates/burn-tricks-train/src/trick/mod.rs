//! The trait of tricks.

mod averages;
pub(crate) mod combined;
mod constraints;
#[cfg(feature = "diagnose")]
pub(crate) mod doctor;
pub(crate) mod epoch_context;
pub(crate) mod grad_norm;
pub(crate) mod gradient_transforms;
pub(crate) mod learner_probe;
pub(crate) mod mean_of_accumulated;
mod micro_batches;
mod optimizer_backup;
pub(crate) mod roll_back;
pub(crate) mod save_best;
pub(crate) mod scheduled_dropout;
pub(crate) mod shared;
pub(crate) mod snapshots;
pub(crate) mod step_context;
pub(crate) mod stop_after_marked;
pub(crate) mod stop_after_skips;
mod trained;
pub(crate) mod trick_error;
pub(crate) mod trick_metric;
pub(crate) mod tricked;
pub(crate) mod unfreezing;
pub(crate) mod update_ratio;

use crate::trick::epoch_context::EpochContext;
use crate::trick::step_context::StepContext;
use crate::trick::trick_error::TrickError;
use crate::trick::trick_metric::TrickMetric;
use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn_tricks_core::StateError;
use burn_tricks_grad::{GradientOrder, scale_gradients};
use std::any::Any;
use std::fmt::Debug;

/// A technique that acts before and after every optimizer step, or at the end of an epoch.
///
/// [`Tricked`](crate::Tricked) calls a [`Trick`] at every optimizer step of Burn's `Learner`, and a
/// [`Session`](crate::Session) calls it at the end of every epoch. A tuple of up to eight tricks is a trick, and so are an
/// `Option`, a `Box<dyn Trick<M>>` and a `Vec` of tricks. For more than eight, nest tuples: `((a, b), c)`.
///
/// | trick | before the step | after the step | model to validate |
/// | --- | --- | --- | --- |
/// | [`MeanOfAccumulated`](crate::MeanOfAccumulated) | makes the sum of accumulated gradients their mean | | |
/// | [`LossScaler`] | divides the gradients by the scale of the loss; skips a step whose gradients are not finite | | |
/// | [`StepGuard`] | skips a step whose gradients are not finite | | |
/// | [`Freeze`] | removes the gradients of a part of the model | | |
/// | [`ClipGradNorm`], [`ClipGradValue`], [`Agc`], [`AutoClip`] | clip the gradients: by norm, by value, by the weights of each unit, at a percentile of the norms so far | | |
/// | [`CentralizeGrad`], [`NormalizeGrad`], [`GradNoise`] | centre, normalise, or add noise to the gradients | | |
/// | [`Only`], [`Then`] | apply a transform of gradients to some parameters; two transforms, one after the other | | |
/// | [`AsTrick`](crate::AsTrick) of a [`GradientTransform`] of your own | changes the gradients | | |
/// | [`Prodigy`] | estimates the learning rate of its optimizer | | |
/// | [`StopAfterSkips`](crate::StopAfterSkips) | | counts skipped steps, and stops the training after too many in a row | |
/// | [`StopAfterMarked`](crate::StopAfterMarked) | counts marked steps, and stops the training at the end of the epoch | | |
/// | [`ScheduledDropout`](crate::ScheduledDropout) | | sets the dropout rate of the next step | |
/// | [`TiedWeights`] | | gives all places of a parameter one value | |
/// | [`MaxNorm`], [`UnitNorm`], [`ClampWeights`] | | change the weights | |
/// | [`Ema`], [`Swa`], [`Lawa`], any [`Average`] | | updates the average | the average, once it has started |
/// | [`TrainedAverage`], [`AverageOn`] | | updates the average | the average, once it has started |
/// | [`EmaSet`] | | updates the averages | |
/// | [`Swag`] | | updates mean and covariance | the mean, from the first sample on |
/// | `DoctorTrick` (feature `diagnose`) | measures the gradients | measures how far the weights moved | |
/// | [`GradNorm`](crate::GradNorm), [`NormsByPath`] | measure the gradients | | |
/// | [`UpdateRatio`](crate::UpdateRatio) | notes the weights | measures how far they moved | |
///
/// | trick | at the end of an epoch |
/// | --- | --- |
/// | [`RollBackTrick`](crate::RollBackTrick) | goes back to the best weights when the training diverges |
/// | [`SnapshotTrick`](crate::SnapshotTrick) | collects members of an ensemble |
/// | [`GradualUnfreezing`](crate::GradualUnfreezing) | trains one more group of layers |
/// | [`SaveBest`](crate::SaveBest) | saves the best model to a file |
///
/// In a tuple each trick sees what the tricks before it returned. So list tied weights before constraints, and
/// constraints before averages.
///
/// # Example
///
/// A custom trick: Gaussian noise on the gradients, whose variance shrinks with the steps as
/// `scale / (1 + t)^0.55` at step t = 0, 1, ... (Neelakantan et al., 2015).
///
/// ```
/// use burn::module::{Module, ModuleVisitor, Param};
/// use burn::optim::GradientsParams;
/// use burn::tensor::{Distribution, Tensor};
/// use burn_tricks_train::{StepContext, Trick};
///
/// #[derive(Debug)]
/// struct GradientNoise {
///     scale: f64,
/// }
///
/// impl<M: Module> Trick<M> for GradientNoise {
///     fn sees_gradients(&self) -> bool {
///         true
///     }
///
///     fn before(&mut self, model: &M, grads: GradientsParams, step: &StepContext) -> GradientsParams {
///         // The session saves the number of the step: a resumed run continues with the noise of its step.
///         let variance = self.scale / (step.step() as f64).powf(0.55);
///         let mut noise = Noise { clean: grads, noisy: GradientsParams::new(), deviation: variance.sqrt() };
///         model.visit(&mut noise);
///         noise.noisy
///     }
/// }
///
/// /// Moves each gradient from `clean` to `noisy`. A parameter at two places of the model is visited twice and
/// /// has its gradient in `clean` the first time only.
/// struct Noise {
///     clean: GradientsParams,
///     noisy: GradientsParams,
///     deviation: f64,
/// }
///
/// impl ModuleVisitor for Noise {
///     fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
///         if let Some(grad) = self.clean.remove::<D>(param.id) {
///             let noise = grad.random_like(Distribution::Normal(0.0, self.deviation));
///             self.noisy.register(param.id, grad + noise);
///         }
///     }
/// }
/// # use burn::nn::LinearConfig;
/// # use burn::tensor::Device;
/// # use burn_tricks_train::TrickedExt as _;
/// # let device = Device::flex().autodiff();
/// # let layer = LinearConfig::new(2, 2).with_bias(false).init(&device);
/// # let model = vec![layer.clone(), layer]; // tied
/// # let loss = model[0].forward(Tensor::<2>::ones([1, 2], &device)).sum();
/// # let grads = GradientsParams::from_grads(loss.backward(), &model);
/// # let id = model[0].weight.id;
/// # let before = grads.get::<2>(id).unwrap();
/// # let mut trick = GradientNoise { scale: 1e-4 };
/// # let grads = trick.before(&model, grads, &StepContext::new(1, 0.1));
/// # let noise: Vec<f64> = (grads.get::<2>(id).unwrap() - before).into_data().iter().collect();
/// # assert!(noise.iter().all(|noise| *noise != 0.0 && noise.abs() < 0.06), "{noise:?}");
/// # assert_eq!(grads.len(), 1);
///
/// // `model.with_tricks((GradientNoise { scale: 0.01 }, clip))`
/// # let _ = model.with_tricks((trick, ()));
/// ```
///
/// A trick that acts once per epoch, for which it needs a [`Session`](crate::Session): it stops a training whose
/// validation loss is more than 1.5 times its training loss.
///
/// ```
/// use burn::module::Module;
/// use burn::train::metric::store::Split;
/// use burn_tricks_grad::GradientOrder;
/// use burn_tricks_stop::StopReason;
/// use burn_tricks_train::{EpochContext, Trick, TrickError};
///
/// #[derive(Debug)]
/// struct StopOverfitting;
///
/// impl<M: Module> Trick<M> for StopOverfitting {
///     // It does not look at the gradients.
///     fn gradient_order(&self, _order: &mut GradientOrder) {}
///
///     fn epoch_end(&mut self, model: M, epoch: &mut EpochContext<'_, M>) -> Result<M, TrickError> {
///         let limit = 1.5 * epoch.metric("Loss", &Split::Train)?;
///         if epoch.metric("Loss", &Split::Valid)? > limit {
///             epoch.stop(StopReason::Diverged { limit });
///         }
///         Ok(model)
///     }
/// }
/// # use burn::nn::LinearConfig;
/// # use burn::tensor::Device;
/// # let model = LinearConfig::new(2, 2).init(&Device::flex().autodiff());
/// # for (loss, stops) in [(0.14, false), (0.16, true)] {
/// #     let epoch = EpochContext::new(1, &model).with_metric("Loss", Split::Train, 0.1);
/// #     let mut epoch = epoch.with_metric("Loss", Split::Valid, loss);
/// #     StopOverfitting.epoch_end(model.clone(), &mut epoch).unwrap();
/// #     assert_eq!(epoch.stop_reason().is_some(), stops);
/// # }
/// ```
///
/// # Order
///
/// The tricks of a tuple run from left to right, before the step, after it, and at the end of an epoch: `(grad_norm,
/// clip, ema)` measures the norm before it is clipped. Each trick sees what the trick before it returned. A
/// [`LossScaler`] must be the first trick that sees the gradients; any other order is refused. If several tricks have a
/// model to validate, that of the last one is validated: with `(ema, swa)` that is the EMA until the SWA has started,
/// and the SWA from then on.
///
/// # When a method is called
///
/// | method | called by |
/// | --- | --- |
/// | [`begin`](Trick::begin), [`before`](Trick::before), [`after`](Trick::after) | `TrainStep::optimize` and `optimize_multi` of the tricked model: once per optimizer step, after accumulated gradients have been summed |
/// | [`metrics`](Trick::metrics) | a session at `launch` |
/// | [`validated`](Trick::validated) | `valid()` of the tricked model: Burn calls it before each validation and at the end of the training |
/// | [`epoch_end`](Trick::epoch_end) | a session, after each validation and before the checkpoint of the epoch is written |
/// | [`rolled_back`](Trick::rolled_back) | a session, after `epoch_end` of all tricks, if one of them has replaced the trained weights |
/// | [`roll_back_state`](Trick::roll_back_state) | a session, after `epoch_end` of all tricks, if one of them has called [`EpochContext::keep`] |
/// | [`load_roll_back_state`](Trick::load_roll_back_state) | a session, before `rolled_back` |
/// | [`restart`](Trick::restart) | loading a record into the tricked model, except by a session that resumes |
/// | [`state`](Trick::state), [`load_state`](Trick::load_state) | a resumable session: `state` after each epoch, `load_state` at `launch` |
///
/// A training without a session never calls `epoch_end`.
///
/// # The model of `epoch_end`
///
/// `epoch_end` gets the trained model, in training mode. The model that the last trick returns is trained further,
/// and is saved in the checkpoint of the epoch; the metrics of the epoch are those of the model before `epoch_end`. A
/// trick may change the model on a single device and with Burn's `multi`. With `ddp` each worker has a model of its
/// own, and one worker would train on other weights than the rest: there a session ends with an error if a trick has
/// changed the model.
///
/// # Cost
///
/// The cost of the trick's own work. A trick must not read numbers from the device in `begin`, `before` and `after`,
/// since the step would wait for the device. It may in `epoch_end`.
///
/// [`Agc`]: burn_tricks_grad::Agc
/// [`AutoClip`]: burn_tricks_grad::AutoClip
/// [`CentralizeGrad`]: burn_tricks_grad::CentralizeGrad
/// [`ClipGradNorm`]: burn_tricks_grad::ClipGradNorm
/// [`ClipGradValue`]: burn_tricks_grad::ClipGradValue
/// [`Freeze`]: burn_tricks_grad::Freeze
/// [`GradNoise`]: burn_tricks_grad::GradNoise
/// [`GradientTransform`]: burn_tricks_grad::GradientTransform
/// [`LossScaler`]: burn_tricks_grad::LossScaler
/// [`NormalizeGrad`]: burn_tricks_grad::NormalizeGrad
/// [`NormsByPath`]: burn_tricks_grad::NormsByPath
/// [`Only`]: burn_tricks_grad::Only
/// [`Prodigy`]: burn_tricks_grad::Prodigy
/// [`StepGuard`]: burn_tricks_grad::StepGuard
/// [`Then`]: burn_tricks_grad::Then
/// [`ClampWeights`]: burn_tricks_nn::ClampWeights
/// [`MaxNorm`]: burn_tricks_nn::MaxNorm
/// [`TiedWeights`]: burn_tricks_nn::TiedWeights
/// [`UnitNorm`]: burn_tricks_nn::UnitNorm
/// [`Average`]: burn_tricks_average::Average
/// [`AverageOn`]: burn_tricks_average::AverageOn
/// [`TrainedAverage`]: burn_tricks_average::TrainedAverage
/// [`Ema`]: burn_tricks_average::Ema
/// [`EmaSet`]: burn_tricks_average::EmaSet
/// [`Lawa`]: burn_tricks_average::Lawa
/// [`Swa`]: burn_tricks_average::Swa
/// [`Swag`]: burn_tricks_average::Swag
pub trait Trick<M: Module>: Debug + Send {
    /// Whether [`before`](Self::before) changes or looks at gradients. If no trick does, a sharded optimizer's
    /// gradients are not gathered from their devices, and `before` is not called. A trick with a `before` of its own returns
    /// true. Default: no.
    fn sees_gradients(&self) -> bool {
        false
    }

    /// Adds this trick to `order` if it [sees gradients](Self::sees_gradients); a trick that consists of several adds
    /// each of them, from the first to the last. A trick that must see the gradients before all others says so here. If
    /// another trick comes before it, a [`Session`](crate::Session) refuses to launch, and without a session the first
    /// step panics. Default: this trick, at any place.
    ///
    /// A trick without a `before` of its own overrides this method with an empty one: it states so that it leaves the
    /// gradients as they are. Then the trick behind it can divide [accumulated gradients](Self::micro_batch_weight) in the pass in
    /// which it multiplies them anyway; otherwise they are divided before this trick, in a pass more.
    fn gradient_order(&self, order: &mut GradientOrder) {
        if self.sees_gradients() {
            order.add::<Self>(false);
        } else {
            order.add_undeclared(); // it may have a `before` nevertheless
        }
    }

    /// The weight of a micro-batch in the mean of accumulated gradients, such as its number of samples; `batch` is
    /// the input of `TrainStep::step` of `model`. If a trick returns a weight, [`Tricked`](crate::Tricked) multiplies the
    /// gradients of each micro-batch by its weight, in units of a power of two; those of a weight of 0 are left out. Their sum is
    /// divided by the sum of the weights before a trick looks at it, or by the first trick that looks at it and implements
    /// [`before_scaled`](Self::before_scaled): see [`MeanOfAccumulated`](crate::MeanOfAccumulated). Default: none, which
    /// leaves Burn's sum as it is.
    ///
    /// # Panics
    ///
    /// `TrainStep::step` of [`Tricked`](crate::Tricked) panics if the weight is negative, infinite or NaN.
    fn micro_batch_weight(&self, _model: &M, _batch: &dyn Any) -> Option<f64> {
        None
    }

    /// Is called with the model and the optimizer before a step, whatever the gradients are. It may load a state into
    /// the optimizer, and [scale](StepContext::scale_lr) the learning rate of the step. Default: does nothing.
    fn begin(&mut self, _model: &M, _optimizer: &mut ModuleOptimizer, _step: &mut StepContext) {}

    /// Returns the gradients for the optimizer. `grads` is already accumulated, and summed over devices. Default:
    /// returns `grads`.
    ///
    /// If it gets gradients and returns none at all, the step is skipped: the optimizer changes nothing, and
    /// [`after`](Self::after) sees a skipped step.
    fn before(
        &mut self,
        _model: &M,
        grads: GradientsParams,
        _step: &StepContext,
    ) -> GradientsParams {
        grads
    }

    /// [`before`](Self::before), of `factor` times the gradients. [`Tricked`](crate::Tricked) calls it instead of `before` if
    /// accumulated gradients are to be divided ([`micro_batch_weight`](Self::micro_batch_weight)). A trick that multiplies the
    /// gradients by a factor of its own, such as a clip, implements it to multiply once. Default: multiplies, and then calls
    /// `before`.
    fn before_scaled(
        &mut self,
        model: &M,
        grads: GradientsParams,
        factor: f64,
        step: &StepContext,
    ) -> GradientsParams {
        self.before(model, scale_gradients(model, grads, factor), step)
    }

    /// Gets the model after the optimizer's step and returns it: unchanged, or changed, as a constraint does. The
    /// returned model is the one that the next tricks get, and that is trained further. Default: returns it
    /// unchanged.
    ///
    /// It is also called after a skipped step, which has not changed the model: an average ignores such a step
    /// ([`StepContext::is_skipped`]).
    ///
    /// A changed weight must still be a leaf of autodiff, with its id and its checkpointing strategy. A trick that
    /// only looks at the model, such as an average, must not keep a clone of it: otherwise the next step cannot write
    /// in place.
    fn after(&mut self, model: M, _step: &StepContext) -> M {
        model
    }

    /// Gets the trained model at the end of an epoch, after its validation, and returns it: unchanged or changed. The
    /// returned model is trained further, and is saved in the checkpoint of the epoch. Only a
    /// [`Session`](crate::Session) calls this method. Default: returns the model unchanged.
    ///
    /// A changed weight must keep its id, so that the optimizer's state fits. A copy of the model that a trick keeps
    /// must be a `Snapshot`, since clones share their running statistics. A trick that replaces the trained weights
    /// must call [`EpochContext::roll_back`].
    ///
    /// # Errors
    ///
    /// An error ends the training: `launch` of the session returns the error, with the number and the name of this
    /// trick.
    fn epoch_end(&mut self, model: M, _epoch: &mut EpochContext<'_, M>) -> Result<M, TrickError> {
        Ok(model)
    }

    /// Is called if a trick has replaced the trained weights by those of `model` at the end of an epoch. An average
    /// begins anew with the weights of `model`. Default: does nothing.
    fn rolled_back(&mut self, _model: &M) {}

    /// Gets a model that Burn has rebuilt, and returns it. Burn rebuilds a model when it is copied to a device,
    /// switched to training, or loaded. Each place of the model then holds a new tensor, so a tied parameter is a
    /// separate leaf of autodiff at each of its places. Default: returns the model unchanged.
    fn rebuilt(&self, model: M) -> M {
        model
    }

    /// The model to validate, if it is not the trained one. Default: none.
    fn validated(&self, _model: &M) -> Option<M> {
        None
    }

    /// Begins anew with `model`, whose weights have just been loaded without the state of this trick: an average
    /// forgets the earlier weights. Default: does nothing.
    fn restart(&mut self, _model: &M) {}

    /// The name of this trick in errors. Default: the name of the type, without its path and parameters.
    fn name(&self) -> String {
        let name = std::any::type_name::<Self>();
        let name = name.split('<').next().unwrap_or(name);
        name.rsplit("::").next().unwrap_or(name).to_owned()
    }

    /// The name and the configuration of this trick; one text for each trick if this is a list of tricks. A resumed
    /// [`Session`](crate::Session) refuses a description that differs from the recorded one, so the text must not
    /// depend on the trick's state. Default: the name of the type.
    fn describe(&self) -> Vec<String> {
        vec![std::any::type_name::<Self>().to_owned()]
    }

    /// The name of a trick that obeys the session's criterion ([`EpochContext::decision`]). In a session without such
    /// a criterion `launch` is then an error, before anything is trained. Default: none.
    fn obeys_criterion(&self) -> Option<String> {
        None
    }

    /// The metrics of what the trick measures at each step. A [`Session`](crate::Session) registers them for the
    /// training split. Default: none.
    fn metrics(&self) -> Vec<TrickMetric> {
        Vec::new()
    }

    /// The state that a resumed run needs. A trick that returns a state must also implement
    /// [`load_state`](Self::load_state). This method may wait for the device. Default: no state.
    fn state(&self) -> Option<Vec<u8>> {
        None
    }

    /// Resumes from a saved state.
    ///
    /// # Errors
    ///
    /// If the state is not one of this trick. The default implementation always returns an error.
    fn load_state(&mut self, _state: &[u8]) -> Result<(), StateError> {
        Err(StateError::Stateless { what: "trick" })
    }

    /// The state that belongs to the weights and the optimizer, and goes back with them in a roll-back: the estimate of a
    /// [`Prodigy`](burn_tricks_grad::Prodigy), the history of an `AutoClip`. A session asks for it at the end of an epoch
    /// in which a trick calls [`EpochContext::keep`]. This method may wait for the device. Default: none.
    fn roll_back_state(&self) -> Option<Vec<u8>> {
        None
    }

    /// Goes back to a state of [`roll_back_state`](Self::roll_back_state). A session calls it in a roll-back, before
    /// [`rolled_back`](Self::rolled_back). Default: does nothing.
    ///
    /// # Errors
    ///
    /// If the state is not one of this trick.
    fn load_roll_back_state(&mut self, _state: &[u8]) -> Result<(), StateError> {
        Ok(())
    }
}
