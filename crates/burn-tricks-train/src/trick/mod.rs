//! What is done around the optimizer's step, and once per epoch.
//!
//! [`Tricked`](crate::Tricked) calls a [`Trick`] at every optimizer step of Burn's `Learner`, and a
//! [`Session`](crate::Session) calls it at the end of every epoch. A tuple of tricks is a trick, and so are an
//! `Option`, a `Box<dyn Trick<M>>` and a `Vec` of tricks.
//!
//! | trick | before the step | after it | to validate with |
//! | --- | --- | --- | --- |
//! | [`ClipGradNorm`], [`NormalizeGrad`] | changes the gradients | | |
//! | [`Freeze`] | takes the gradients of a part of the model away | | |
//! | [`Prodigy`] | estimates the rate of its optimizer | | |
//! | [`StepGuard`] | skips a step that has a gradient that is not finite | | |
//! | [`TiedWeights`] | | gives all places of a parameter one value | |
//! | [`MaxNorm`], [`UnitNorm`], [`ClampWeights`] | | change the weights | |
//! | [`Ema`], [`Swa`], [`Lawa`], any [`Average`] | | updates the average | the average |
//! | [`EmaSet`] | | updates the averages | |
//! | [`GradNorm`](crate::GradNorm) | measures the gradients | | |
//! | [`UpdateRatio`](crate::UpdateRatio) | notes the weights | measures how far they moved | |
//!
//! | trick | at the end of an epoch |
//! | --- | --- |
//! | [`RollBackTrick`](crate::RollBackTrick) | goes back to the best weights when the training diverges |
//! | [`SnapshotTrick`](crate::SnapshotTrick) | collects members of an ensemble |
//! | [`GradualUnfreezing`](crate::GradualUnfreezing) | trains one more group of layers |
//! | [`SaveBest`](crate::SaveBest) | saves the best model to a file |
//!
//! In a tuple each trick sees what those before it gave back: ties before constraints before averages.
//!
//! # Example
//!
//! A custom trick: Gaussian noise on the gradients, whose variance shrinks with the steps as
//! `scale / (1 + t)^0.55` at step t = 0, 1, ... (Neelakantan et al., 2015).
//!
//! ```
//! use burn::module::{Module, ModuleVisitor, Param};
//! use burn::optim::GradientsParams;
//! use burn::tensor::{Distribution, Tensor};
//! use burn_tricks_train::{StepContext, Trick};
//!
//! #[derive(Debug)]
//! struct GradientNoise {
//!     scale: f64,
//! }
//!
//! impl<M: Module> Trick<M> for GradientNoise {
//!     fn sees_gradients(&self) -> bool {
//!         true
//!     }
//!
//!     fn before(&mut self, model: &M, grads: GradientsParams, step: &StepContext) -> GradientsParams {
//!         // The session saves the number of the step: a resumed run continues with the noise of its step.
//!         let variance = self.scale / (step.step() as f64).powf(0.55);
//!         let mut noise = Noise { clean: grads, noisy: GradientsParams::new(), deviation: variance.sqrt() };
//!         model.visit(&mut noise);
//!         noise.noisy
//!     }
//! }
//!
//! /// Moves each gradient from `clean` to `noisy`. A parameter at two places of the model is visited twice and
//! /// has its gradient in `clean` the first time only.
//! struct Noise {
//!     clean: GradientsParams,
//!     noisy: GradientsParams,
//!     deviation: f64,
//! }
//!
//! impl ModuleVisitor for Noise {
//!     fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
//!         if let Some(grad) = self.clean.remove::<D>(param.id) {
//!             let noise = grad.random_like(Distribution::Normal(0.0, self.deviation));
//!             self.noisy.register(param.id, grad + noise);
//!         }
//!     }
//! }
//! # use burn::nn::LinearConfig;
//! # use burn::tensor::Device;
//! # use burn_tricks_train::TrickedExt as _;
//! # let device = Device::flex().autodiff();
//! # let layer = LinearConfig::new(2, 2).with_bias(false).init(&device);
//! # let model = vec![layer.clone(), layer]; // tied
//! # let loss = model[0].forward(Tensor::<2>::ones([1, 2], &device)).sum();
//! # let grads = GradientsParams::from_grads(loss.backward(), &model);
//! # let id = model[0].weight.id;
//! # let before = grads.get::<2>(id).unwrap();
//! # let mut trick = GradientNoise { scale: 1e-4 };
//! # let grads = trick.before(&model, grads, &StepContext::new(1, 0.1));
//! # let noise: Vec<f64> = (grads.get::<2>(id).unwrap() - before).into_data().iter().collect();
//! # assert!(noise.iter().all(|noise| *noise != 0.0 && noise.abs() < 0.06), "{noise:?}");
//! # assert_eq!(grads.len(), 1);
//!
//! // `model.with_tricks((GradientNoise { scale: 0.01 }, clip))`
//! # let _ = model.with_tricks((trick, ()));
//! ```
//!
//! One that acts once per epoch, and is run by a [`Session`](crate::Session): it stops a training whose
//! validation loss is 1.5 times its training loss.
//!
//! ```
//! use burn::module::Module;
//! use burn::train::metric::store::Split;
//! use burn_tricks_stop::StopReason;
//! use burn_tricks_train::{EpochContext, Trick, TrickError};
//!
//! #[derive(Debug)]
//! struct StopOverfitting;
//!
//! impl<M: Module> Trick<M> for StopOverfitting {
//!     fn epoch_end(&mut self, model: M, epoch: &mut EpochContext<'_, M>) -> Result<M, TrickError> {
//!         let limit = 1.5 * epoch.metric("Loss", &Split::Train)?;
//!         if epoch.metric("Loss", &Split::Valid)? > limit {
//!             epoch.stop(StopReason::Diverged { limit });
//!         }
//!         Ok(model)
//!     }
//! }
//! # use burn::nn::LinearConfig;
//! # use burn::tensor::Device;
//! # let model = LinearConfig::new(2, 2).init(&Device::flex().autodiff());
//! # for (loss, stops) in [(0.14, false), (0.16, true)] {
//! #     let epoch = EpochContext::new(1, &model).with_metric("Loss", Split::Train, 0.1);
//! #     let mut epoch = epoch.with_metric("Loss", Split::Valid, loss);
//! #     StopOverfitting.epoch_end(model.clone(), &mut epoch).unwrap();
//! #     assert_eq!(epoch.stop_reason().is_some(), stops);
//! # }
//! ```
//!
//! # Order
//!
//! The tricks of a tuple run from left to right, before the step, after it, and at the end of an epoch:
//! `(grad_norm, clip, ema)` measures the norm before it is clipped. Each sees what the one before it gave back.
//! Of several that have a model to validate with, the last gives it.
//!
//! # When a method is called
//!
//! | | by |
//! | --- | --- |
//! | [`begin`](Trick::begin), [`before`](Trick::before), [`after`](Trick::after) | `TrainStep::optimize` and `optimize_multi` of the tricked model: once per optimizer step, after accumulated gradients have been summed |
//! | [`metrics`](Trick::metrics) | a session at `launch` |
//! | [`validated`](Trick::validated) | `valid()` of the tricked model: Burn calls it before each validation and at the end of the training |
//! | [`epoch_end`](Trick::epoch_end) | a session, after each validation and before the checkpoint of the epoch is written |
//! | [`rolled_back`](Trick::rolled_back) | the same, after `epoch_end` of all tricks, if one of them has put other weights in place |
//! | [`restart`](Trick::restart) | loading a record into the tricked model, except by a session that resumes |
//! | [`state`](Trick::state), [`load_state`](Trick::load_state) | a session that is resumable: the one after each epoch, the other at `launch` |
//!
//! A training without a session never calls `epoch_end`.
//!
//! # The model of `epoch_end`
//!
//! It is the one that was trained, in training mode. What the last trick gives back is trained on, and is what
//! the checkpoint of the epoch holds; the metrics of the epoch are those of the model before. It works on a
//! single device and with Burn's `multi`. With `ddp` each worker has a model of its own, and one of them would
//! train on other weights than the rest: a session ends with an error there if a trick has changed the model.
//!
//! # Cost
//!
//! That of what it does. A trick must not read numbers from the device in `begin`, `before` and `after`: the step
//! would wait for it. `epoch_end` may.
//!
//! [`ClipGradNorm`]: burn_tricks_grad::ClipGradNorm
//! [`Freeze`]: burn_tricks_grad::Freeze
//! [`NormalizeGrad`]: burn_tricks_grad::NormalizeGrad
//! [`Prodigy`]: burn_tricks_grad::Prodigy
//! [`StepGuard`]: burn_tricks_grad::StepGuard
//! [`ClampWeights`]: burn_tricks_nn::ClampWeights
//! [`MaxNorm`]: burn_tricks_nn::MaxNorm
//! [`TiedWeights`]: burn_tricks_nn::TiedWeights
//! [`UnitNorm`]: burn_tricks_nn::UnitNorm
//! [`Average`]: burn_tricks_average::Average
//! [`Ema`]: burn_tricks_average::Ema
//! [`EmaSet`]: burn_tricks_average::EmaSet
//! [`Lawa`]: burn_tricks_average::Lawa
//! [`Swa`]: burn_tricks_average::Swa

mod averages;
pub(crate) mod combined;
mod constraints;
pub(crate) mod epoch_context;
pub(crate) mod gradient_transforms;
mod kept_optimizer;
pub mod mean_of_accumulated;
mod micro_batches;
pub mod roll_back;
pub mod save_best;
pub(crate) mod shared;
pub(crate) mod sight;
pub mod snapshots;
pub(crate) mod step_context;
pub mod stop_after_skips;
mod trained;
pub(crate) mod trick_error;
pub(crate) mod trick_metric;
pub mod tricked;
pub mod unfreezing;

use crate::trick::epoch_context::EpochContext;
use crate::trick::step_context::StepContext;
use crate::trick::trick_error::TrickError;
use crate::trick::trick_metric::TrickMetric;
use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn_tricks_core::StateError;
use std::any::Any;
use std::fmt::Debug;

/// Something to do around every optimizer step, or once per epoch. See the [module documentation](self).
pub trait Trick<M: Module>: Debug + Send {
    /// Whether [`before`](Self::before) changes or looks at gradients. If it does not, they are not
    /// gathered from several devices of a sharded optimizer, and `before` is not called there. Default: no.
    fn sees_gradients(&self) -> bool {
        false
    }

    /// The weight of a micro-batch in the mean of accumulated gradients, its number of samples say; `batch` is what
    /// `TrainStep::step` is given. If a trick has one, [`Tricked`](crate::Tricked) multiplies the gradients of each
    /// micro-batch by it, and divides Burn's sum by the sum of the weights before any trick sees it: see
    /// [`MeanOfAccumulated`](crate::MeanOfAccumulated). Default: none, and Burn's sum stays.
    fn micro_batch_weight(&self, _batch: &dyn Any) -> Option<f64> {
        None
    }

    /// Sees the model and the optimizer before a step, whatever the gradients are. It may put back a state of
    /// the optimizer, and [scale](StepContext::scale_lr) the learning rate of the step. Default: nothing.
    fn begin(&mut self, _model: &M, _optimizer: &mut ModuleOptimizer, _step: &mut StepContext) {}

    /// The gradients for the optimizer, accumulated and summed over devices. Default: as they are.
    ///
    /// With none at all, where there were some, the step is skipped: the optimizer leaves everything as it is,
    /// and [`after`](Self::after) is told so.
    fn before(
        &mut self,
        _model: &M,
        grads: GradientsParams,
        _step: &StepContext,
    ) -> GradientsParams {
        grads
    }

    /// Sees the model after the optimizer's step, and gives it back: as it is, or changed, as a constraint
    /// does. What it gives back is trained on, and is what the tricks behind it see. Default: as it is.
    ///
    /// It is called after a skipped step too, in which the model has not moved: an average ignores it
    /// ([`StepContext::is_skipped`]).
    ///
    /// A changed weight must still be a leaf of autodiff, with its id and its checkpointing strategy; a trick
    /// that only looks, such as an average, keeps no clone of the model, or the next step cannot write in place.
    fn after(&mut self, model: M, _step: &StepContext) -> M {
        model
    }

    /// Sees the trained model at the end of an epoch, after its validation, and gives it back: as it is, or
    /// changed. What it gives back is trained on, and is in the checkpoint of the epoch. Only a
    /// [`Session`](crate::Session) calls it. Default: as it is.
    ///
    /// A changed weight must keep its id, so that the optimizer's state fits; a kept copy of the model must be
    /// a `Snapshot`, since clones share their running statistics. Whoever puts other weights in place than those
    /// that were trained says so ([`EpochContext::roll_back`]).
    ///
    /// # Errors
    ///
    /// An error ends the training: `launch` of the session returns it, with the number and the name of this
    /// trick.
    fn epoch_end(&mut self, model: M, _epoch: &mut EpochContext<'_, M>) -> Result<M, TrickError> {
        Ok(model)
    }

    /// A trick has put the weights of `model` in the place of those that were trained, at the end of an epoch:
    /// averages begin anew with them. Default: nothing.
    fn rolled_back(&mut self, _model: &M) {}

    /// Sees a model that Burn has rebuilt, and gives it back: copied to a device, switched to training, or
    /// loaded. Each place of it then holds a new tensor, so that a tied parameter is a leaf of autodiff at
    /// each of its places. Default: as it is.
    fn rebuilt(&self, model: M) -> M {
        model
    }

    /// The model to validate with, if not the one that is trained. Default: none.
    fn validated(&self, _model: &M) -> Option<M> {
        None
    }

    /// Begins anew with `model`, whose weights have just been loaded without the state that this trick had
    /// then: an average forgets what it averaged. Default: nothing.
    fn restart(&mut self, _model: &M) {}

    /// What errors call this trick. Default: the name of the type, without its path and parameters.
    fn name(&self) -> String {
        let name = std::any::type_name::<Self>();
        let name = name.split('<').next().unwrap_or(name);
        name.rsplit("::").next().unwrap_or(name).to_owned()
    }

    /// What this trick is and how it is configured, one text for each trick if it is several. A resumed
    /// [`Session`](crate::Session) refuses another description than was recorded, so it may not depend on
    /// what the trick has seen. Default: the name of the type.
    fn describe(&self) -> Vec<String> {
        vec![std::any::type_name::<Self>().to_owned()]
    }

    /// What it measures at each step, as metrics of the training split, which a
    /// [`Session`](crate::Session) registers. Default: none.
    fn metrics(&self) -> Vec<TrickMetric> {
        Vec::new()
    }

    /// What a resumed run needs, of a trick that implements [`load_state`](Self::load_state) too. Waits for
    /// the device. Default: nothing.
    fn state(&self) -> Option<Vec<u8>> {
        None
    }

    /// Resumes from a saved state.
    ///
    /// # Errors
    ///
    /// If the state is not one of this trick. Default: always.
    fn load_state(&mut self, _state: &[u8]) -> Result<(), StateError> {
        Err("this trick has no state".into())
    }
}
