//! What is done to the gradients before the optimizer's step, and to the model after it.
//!
//! [`Tricked`](crate::Tricked) calls a [`Trick`] at every optimizer step of Burn's `Learner`. A tuple of tricks
//! is a trick, and so is a `Box<dyn Trick<M>>`.
//!
//! | trick | before the step | after it | to validate with |
//! | --- | --- | --- | --- |
//! | [`ClipGradNorm`], [`NormalizeGrad`] | changes the gradients | | |
//! | [`StepGuard`] | skips a step that has a gradient that is not finite | | |
//! | [`TiedWeights`] | | gives all places of a parameter one value | |
//! | [`MaxNorm`], [`UnitNorm`] | | rescale the weights | |
//! | [`Ema`], [`Swa`], [`Lawa`] | | updates the average | the average |
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
//! | [`validated`](Trick::validated) | `valid()` of the tricked model: Burn calls it before each validation and at the end of the training |
//! | [`restart`](Trick::restart) | loading a record into the tricked model, except by a [`Session`](crate::Session) that resumes |
//! | [`state`](Trick::state), [`load_state`](Trick::load_state) | a session that is resumable or keeps the best model: the one after each epoch, the other at `launch` and for `best_model` |
//!
//! # Cost
//!
//! That of what it does. A trick must not read numbers from the device in `before` and `after`: the step would
//! wait for it.

pub(crate) mod state_error;
pub mod tricked;

use crate::trick::state_error::StateError;
use burn::module::{Module, ModuleDisplay};
use burn::optim::GradientsParams;
use burn::store::ModuleRecord;
use burn::tensor::Bytes;
use burn_tricks_average::{Ema, EmaSet, Lawa, Swa};
use burn_tricks_grad::{ClipGradNorm, NormalizeGrad, StepGuard};
use burn_tricks_nn::{MaxNorm, TiedWeights, UnitNorm};
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

impl<M: Module> Trick<M> for ClipGradNorm {
    fn sees_gradients(&self) -> bool {
        true
    }

    fn before(&mut self, model: &M, grads: GradientsParams) -> GradientsParams {
        self.apply(model, grads)
    }

    fn describe(&self) -> Vec<String> {
        vec![format!("{self:?}")]
    }
}

impl<M: Module> Trick<M> for NormalizeGrad {
    fn sees_gradients(&self) -> bool {
        true
    }

    fn before(&mut self, model: &M, grads: GradientsParams) -> GradientsParams {
        self.apply(model, grads)
    }

    fn describe(&self) -> Vec<String> {
        vec![format!("{self:?}")]
    }
}

/// A skipped step reaches neither the optimizer nor what the tricks do after it.
impl<M: Module> Trick<M> for StepGuard {
    fn sees_gradients(&self) -> bool {
        true
    }

    fn before(&mut self, model: &M, grads: GradientsParams) -> GradientsParams {
        self.admit(model, grads).unwrap_or_default()
    }

    fn state(&self) -> Option<Vec<u8>> {
        let state = StepGuard::state(self);
        Some(postcard::to_allocvec(&state).expect("numbers can be written to memory"))
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        StepGuard::load_state(self, postcard::from_bytes(state)?);
        Ok(())
    }
}

impl<M: Module> Trick<M> for TiedWeights {
    fn after(&mut self, model: M) -> M {
        self.apply(model)
    }

    fn rebuilt(&self, model: M) -> M {
        self.apply(model)
    }

    fn describe(&self) -> Vec<String> {
        vec![format!("{self:?}")]
    }
}

impl<M: Module> Trick<M> for MaxNorm {
    fn after(&mut self, model: M) -> M {
        self.apply(model)
    }

    fn describe(&self) -> Vec<String> {
        vec![format!("{self:?}")]
    }
}

impl<M: Module> Trick<M> for UnitNorm {
    fn after(&mut self, model: M) -> M {
        self.apply(model)
    }

    fn describe(&self) -> Vec<String> {
        vec![format!("{self:?}")]
    }
}

/// An average of weights, told of each step and recorded as Burn records modules.
macro_rules! average_is_a_trick {
    ($average:ident) => {
        impl<M: Module + ModuleDisplay> Trick<M> for $average<M> {
            fn after(&mut self, model: M) -> M {
                self.update(&model);
                model
            }

            fn validated(&self, _model: &M) -> Option<M> {
                Some(self.model())
            }

            fn restart(&mut self, model: &M) {
                $average::restart(self, model);
            }

            fn describe(&self) -> Vec<String> {
                vec![format!("{:?}", self.config())]
            }

            fn state(&self) -> Option<Vec<u8>> {
                Some(record_bytes(stringify!($average), self.to_record()))
            }

            fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
                let record = record_of(stringify!($average), state)?;
                *self = self.clone().load_record(record)?;
                Ok(())
            }
        }
    };
}

average_is_a_trick!(Ema);
average_is_a_trick!(Swa);
average_is_a_trick!(Lawa);

impl<M: Module + ModuleDisplay> Trick<M> for EmaSet<M> {
    fn after(&mut self, model: M) -> M {
        self.update(&model);
        model
    }

    fn restart(&mut self, model: &M) {
        EmaSet::restart(self, model);
    }

    fn describe(&self) -> Vec<String> {
        let emas: Vec<_> = self.iter().map(Ema::config).collect();
        vec![format!("EmaSet {emas:?}")]
    }

    fn state(&self) -> Option<Vec<u8>> {
        let states: Vec<_> = self.iter().map(Trick::state).collect();
        Some(parts_to_bytes(&states))
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        let mut emas = self.clone().into_inner();
        let states = bytes_to_parts(state, emas.len())?;
        for (ema, state) in emas.iter_mut().zip(states) {
            load_part(ema, state)?;
        }
        *self = Self::of(emas);
        Ok(())
    }
}

impl<M: Module, T: Trick<M> + ?Sized> Trick<M> for Box<T> {
    fn sees_gradients(&self) -> bool {
        (**self).sees_gradients()
    }

    fn before(&mut self, model: &M, grads: GradientsParams) -> GradientsParams {
        (**self).before(model, grads)
    }

    fn after(&mut self, model: M) -> M {
        (**self).after(model)
    }

    fn rebuilt(&self, model: M) -> M {
        (**self).rebuilt(model)
    }

    fn validated(&self, model: &M) -> Option<M> {
        (**self).validated(model)
    }

    fn restart(&mut self, model: &M) {
        (**self).restart(model);
    }

    fn describe(&self) -> Vec<String> {
        (**self).describe()
    }

    fn state(&self) -> Option<Vec<u8>> {
        (**self).state()
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        (**self).load_state(state)
    }
}

/// Nothing to do: for a model that a session only watches.
impl<M: Module> Trick<M> for () {}

/// Tricks one after the other, in both halves of a step. The last that has a model to validate with
/// gives it.
macro_rules! tuple_of_tricks {
    ($($trick:ident $index:tt),+) => {
        impl<M: Module, $($trick: Trick<M>),+> Trick<M> for ($($trick,)+) {
            fn sees_gradients(&self) -> bool {
                false $(|| self.$index.sees_gradients())+
            }

            fn before(&mut self, model: &M, grads: GradientsParams) -> GradientsParams {
                $(let grads = self.$index.before(model, grads);)+
                grads
            }

            fn after(&mut self, model: M) -> M {
                $(let model = self.$index.after(model);)+
                model
            }

            fn rebuilt(&self, model: M) -> M {
                $(let model = self.$index.rebuilt(model);)+
                model
            }

            fn validated(&self, model: &M) -> Option<M> {
                let all = [$(self.$index.validated(model)),+];
                all.into_iter().flatten().next_back()
            }

            fn restart(&mut self, model: &M) {
                $(self.$index.restart(model);)+
            }

            fn describe(&self) -> Vec<String> {
                [$(self.$index.describe()),+].concat()
            }

            fn state(&self) -> Option<Vec<u8>> {
                Some(parts_to_bytes(&[$(self.$index.state()),+]))
            }

            fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
                let mut parts = bytes_to_parts(state, [$($index),+].len())?.into_iter();
                $(load_part(&mut self.$index, parts.next().flatten())?;)+
                Ok(())
            }
        }
    };
}

tuple_of_tricks!(A 0);
tuple_of_tricks!(A 0, B 1);
tuple_of_tricks!(A 0, B 1, C 2);
tuple_of_tricks!(A 0, B 1, C 2, D 3);
tuple_of_tricks!(A 0, B 1, C 2, D 3, E 4);
tuple_of_tricks!(A 0, B 1, C 2, D 3, E 4, F 5);

/// The states of several tricks as one.
fn parts_to_bytes(parts: &[Option<Vec<u8>>]) -> Vec<u8> {
    postcard::to_allocvec(parts).expect("bytes can be written to memory")
}

fn bytes_to_parts(bytes: &[u8], count: usize) -> Result<Vec<Option<Vec<u8>>>, StateError> {
    let parts: Vec<Option<Vec<u8>>> = postcard::from_bytes(bytes)?;
    match parts.len() == count {
        true => Ok(parts),
        false => Err(format!(
            "the state is that of {} tricks, and there are {count}",
            parts.len()
        )
        .into()),
    }
}

/// The state of one trick, if it has one. A trick that has one and gets none is another than was saved,
/// and would silently begin again.
pub(crate) fn load_part<M: Module, T: Trick<M>>(
    trick: &mut T,
    state: Option<Vec<u8>>,
) -> Result<(), StateError> {
    match state {
        Some(state) => trick.load_state(&state),
        None if trick.state().is_some() => Err("no state was saved for this trick".into()),
        None => Ok(()),
    }
}

/// A record, behind the name of its average: the records of all averages look alike.
fn record_bytes(name: &str, record: ModuleRecord) -> Vec<u8> {
    let record = record
        .into_bytes()
        .expect("a record can be written to memory");
    [name.as_bytes(), b"\n", &*record].concat()
}

fn record_of(name: &str, bytes: &[u8]) -> Result<ModuleRecord, StateError> {
    let rest = bytes.strip_prefix(name.as_bytes());
    let record = rest.and_then(|rest| rest.strip_prefix(b"\n"));
    let record = record.ok_or_else(|| format!("it is not the state of `{name}`"))?;
    Ok(ModuleRecord::from_bytes(Bytes::from_bytes_vec(
        record.to_vec(),
    ))?)
}
