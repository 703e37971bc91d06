//! What is done to the gradients before the optimizer's step, and to the model after it.
//!
//! [`Tricked`](crate::Tricked) calls a [`Trick`] at every optimizer step of Burn's `Learner`. A tuple of tricks
//! is a trick, and so are an `Option`, a `Box<dyn Trick<M>>` and a `Vec` of tricks.
//!
//! | trick | before the step | after it | to validate with |
//! | --- | --- | --- | --- |
//! | [`ClipGradNorm`], [`NormalizeGrad`] | changes the gradients | | |
//! | [`StepGuard`] | skips a step that has a gradient that is not finite | | |
//! | [`TiedWeights`] | | gives all places of a parameter one value | |
//! | [`MaxNorm`], [`UnitNorm`] | | rescale the weights | |
//! | [`Ema`], [`Swa`], [`Lawa`], any [`Average`] | | updates the average | the average |
//! | [`EmaSet`] | | updates the averages | |
//! | [`GradNorm`](crate::GradNorm) | measures the gradients | | |
//! | [`UpdateRatio`](crate::UpdateRatio) | notes the weights | measures how far they moved | |
//!
//! In a tuple each trick sees what those before it gave back: ties before constraints before averages.
//!
//! # Example
//!
//! A custom trick: Gaussian noise on the gradients, whose variance shrinks with the steps as
//! `scale / (1 + step)^0.55` (Neelakantan et al., 2015).
//!
//! ```
//! use burn::module::{Module, ModuleVisitor, Param};
//! use burn::optim::GradientsParams;
//! use burn::tensor::{Distribution, Tensor};
//! use burn_tricks_train::{StateError, Trick};
//!
//! #[derive(Debug)]
//! struct GradientNoise {
//!     scale: f64,
//!     step: u64,
//! }
//!
//! impl<M: Module> Trick<M> for GradientNoise {
//!     fn sees_gradients(&self) -> bool {
//!         true
//!     }
//!
//!     fn before(&mut self, model: &M, grads: GradientsParams) -> GradientsParams {
//!         let variance = self.scale / (1.0 + self.step as f64).powf(0.55);
//!         self.step += 1;
//!         let mut noisy = Noisy { grads, deviation: variance.sqrt() };
//!         model.visit(&mut noisy);
//!         noisy.grads
//!     }
//!
//!     fn restart(&mut self, _model: &M) {
//!         self.step = 0;
//!     }
//!
//!     // With these two, a resumed run continues with the noise of its step.
//!     fn state(&self) -> Option<Vec<u8>> {
//!         Some(self.step.to_le_bytes().to_vec())
//!     }
//!
//!     fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
//!         let bytes = state.try_into().map_err(|_| "eight bytes were expected")?;
//!         self.step = u64::from_le_bytes(bytes);
//!         Ok(())
//!     }
//! }
//!
//! struct Noisy {
//!     grads: GradientsParams,
//!     deviation: f64,
//! }
//!
//! impl ModuleVisitor for Noisy {
//!     fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
//!         if let Some(grad) = self.grads.remove::<D>(param.id) {
//!             let noise = grad.random_like(Distribution::Normal(0.0, self.deviation));
//!             self.grads.register(param.id, grad + noise);
//!         }
//!     }
//! }
//! # use burn::nn::LinearConfig;
//! # use burn::tensor::Device;
//! # use burn_tricks_train::TrickedExt as _;
//! # let model = LinearConfig::new(2, 1).init(&Device::flex().autodiff());
//! # let loss = model.forward(Tensor::<2>::ones([1, 2], &Device::flex().autodiff())).sum();
//! # let grads = GradientsParams::from_grads(loss.backward(), &model);
//! # let before = grads.get::<2>(model.weight.id).unwrap().into_data();
//! # let mut noise = GradientNoise { scale: 0.01, step: 0 };
//! # let grads = noise.before(&model, grads);
//! # assert_ne!(grads.get::<2>(model.weight.id).unwrap().into_data(), before);
//! # assert_eq!(noise.step, 1);
//!
//! // `model.with_tricks((GradientNoise { scale: 0.01, step: 0 }, clip))`
//! # let _ = model.with_tricks((noise, ()));
//! ```
//!
//! # Order
//!
//! The tricks of a tuple run from left to right, before the step and after it: `(grad_norm, clip, ema)` measures
//! the norm before it is clipped. Each sees what the one before it gave back. Of several that have a model to
//! validate with, the last gives it.
//!
//! # When a method is called
//!
//! | | by |
//! | --- | --- |
//! | [`before`](Trick::before), [`after`](Trick::after) | `TrainStep::optimize` and `optimize_multi` of the tricked model: once per optimizer step, after accumulated gradients have been summed |
//! | [`metrics`](Trick::metrics) | a session at `launch` |
//! | [`validated`](Trick::validated) | `valid()` of the tricked model: Burn calls it before each validation and at the end of the training |
//! | [`restart`](Trick::restart) | loading a record into the tricked model, except by a [`Session`](crate::Session) that resumes |
//! | [`state`](Trick::state), [`load_state`](Trick::load_state) | a session that is resumable or keeps the best model: the one after each epoch, the other at `launch` and for `best_model` |
//!
//! # Cost
//!
//! That of what it does. A trick must not read numbers from the device in `before` and `after`: the step would
//! wait for it.
//!
//! [`ClipGradNorm`]: burn_tricks_grad::ClipGradNorm
//! [`NormalizeGrad`]: burn_tricks_grad::NormalizeGrad
//! [`StepGuard`]: burn_tricks_grad::StepGuard
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
pub(crate) mod gradient_transforms;
pub(crate) mod sight;
pub(crate) mod trick_metric;
pub mod tricked;

use crate::trick::trick_metric::TrickMetric;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn_tricks_core::StateError;
use std::fmt::Debug;

/// Something to do at every optimizer step. See the [module documentation](self).
pub trait Trick<M: Module>: Debug + Send {
    /// Whether [`before`](Self::before) changes or looks at gradients. If it does not, they are not
    /// gathered from several devices of a sharded optimizer, and `before` is not called there. Default: no.
    fn sees_gradients(&self) -> bool {
        false
    }

    /// The gradients for the optimizer, accumulated and summed over devices. Default: as they are.
    ///
    /// With none at all, where there were some, the step is skipped: the optimizer leaves everything as it is,
    /// and [`after`](Self::after) is not called.
    fn before(&mut self, _model: &M, grads: GradientsParams) -> GradientsParams {
        grads
    }

    /// Sees the model after the optimizer's step, and gives it back: as it is, or changed, as a constraint
    /// does. What it gives back is trained on, and is what the tricks behind it see. Default: as it is.
    ///
    /// A changed weight must still be a leaf of autodiff, with its id and its checkpointing strategy; a trick
    /// that only looks, such as an average, keeps no clone of the model, or the next step cannot write in place.
    fn after(&mut self, model: M) -> M {
        model
    }

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

    /// Goes on where the saved state was.
    ///
    /// # Errors
    ///
    /// If the state is not one of this trick. Default: always.
    fn load_state(&mut self, _state: &[u8]) -> Result<(), StateError> {
        Err("this trick has no state".into())
    }
}
