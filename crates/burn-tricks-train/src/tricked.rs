//! A model with tricks around its optimizer step, for Burn's `Learner`.
//!
//! `model.with_tricks((clip, ema))` is a module that trains as `model` does, with the tricks in each
//! step: those on gradients before the optimizer, constraints and averages after it. The model's own
//! `TrainStep::optimize` is respected.
//!
//! # Example
//!
//! See the [crate documentation](crate) for a whole program.
//!
//! # Where it stands
//!
//! Between the model and the `Learner`. Paths, parameter groups and records are those of the plain
//! model: a checkpoint of either loads into the other. What the tricks remember is no part of the
//! model's record; [`Session`](crate::Session) saves it beside. An average is made of the weights that a model
//! has then: load a record first, and make the average and the tricked model of what was loaded.
//!
//! Validation uses the model that [`Trick::validated`] gives, an average of weights if there is one, so
//! that metrics, early stopping and the best checkpoint speak of it;
//! [`validated_as_trained`](Tricked::validated_as_trained) turns this off.
//!
//! # Cost
//!
//! That of the tricks. Burn's `Learner` clones its model at each step; clones share the tricks, so that
//! an average is still updated in place.
//!
//! **Clones share the tricks**: they belong to the run, not to the copy. To train two models, make two.
//!
//! # Several devices
//!
//! The tricks see what the optimizer sees: gradients accumulated and summed over devices. Under
//! `MultiDeviceOptim::OptimSharded` the gradients are first gathered on the device of the model's first
//! parameter if a trick looks at them, and stepped there: see [`several_devices`](crate::several_devices).
//!
//! # Differences
//!
//! Lightning and Keras swap averaged weights into the model for validation. Here the validated model is
//! another value.

use crate::Trick;
use burn::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::{GradientsParams, ModuleOptimizer, MultiGradientsParams};
use burn::tensor::{Device, Tensor};
use burn::train::{InferenceStep, TrainOutput, TrainStep};
use std::fmt::{Debug, Display};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// `with_tricks` for every model.
pub trait TrickedExt: Module {
    /// This model with a trick, or a tuple of tricks, around its optimizer step.
    fn with_tricks<H: Trick<Self>>(self, tricks: H) -> Tricked<Self, H> {
        Tricked::new(self, tricks)
    }
}

impl<M: Module> TrickedExt for M {}

/// A model with tricks around its optimizer step. See the [module documentation](self).
#[derive(Debug)]
pub struct Tricked<M, H> {
    model: M,
    tricks: Arc<Mutex<H>>,
    /// In validation, the model to use, if not the one that is trained.
    validated: Option<M>,
    validate_averages: bool,
}

impl<M: Clone, H> Clone for Tricked<M, H> {
    fn clone(&self) -> Self {
        Self {
            model: self.model.clone(),
            tricks: self.tricks.clone(),
            validated: self.validated.clone(),
            validate_averages: self.validate_averages,
        }
    }
}

impl<M: Module, H: Trick<M>> Tricked<M, H> {
    /// `model` with `tricks` around its optimizer step.
    pub fn new(model: M, tricks: H) -> Self {
        Self {
            model,
            tricks: Arc::new(Mutex::new(tricks)),
            validated: None,
            validate_averages: true,
        }
    }

    /// Validates with the weights that are trained, whatever averages there are.
    pub fn validated_as_trained(mut self) -> Self {
        self.validate_averages = false;
        self
    }

    /// The model, as it is trained.
    pub fn model(&self) -> &M {
        &self.model
    }

    /// The tricks, of this model and all its clones. While the guard is held, steps and validation wait: do
    /// not call `valid()` or train in the same expression.
    pub fn tricks(&self) -> MutexGuard<'_, H> {
        lock(&self.tricks)
    }

    /// The model as it is trained, and the tricks, which its clones still share.
    pub fn into_parts(self) -> (M, Arc<Mutex<H>>) {
        (self.model, self.tricks)
    }

    /// The model as it is validated: the average, if a trick has one, else the trained weights. To
    /// predict with.
    pub fn into_validated(self) -> M {
        let valid = self.valid();
        valid.validated.unwrap_or(valid.model)
    }

    pub(crate) fn shared_tricks(&self) -> Arc<Mutex<H>> {
        self.tricks.clone()
    }

    /// The same with another model.
    fn around(&self, model: M) -> Self {
        Self {
            model,
            tricks: self.tricks.clone(),
            validated: None,
            validate_averages: self.validate_averages,
        }
    }

    fn map_models(self, work: impl Fn(M) -> M) -> Self {
        Self {
            model: work(self.model),
            tricks: self.tricks,
            validated: self.validated.map(&work),
            validate_averages: self.validate_averages,
        }
    }
}

impl<M: Module, H: Trick<M>> Module for Tricked<M, H> {
    fn collect_devices(&self, devices: Vec<Device>) -> Vec<Device> {
        self.model.collect_devices(devices)
    }

    fn fork(self, device: &Device) -> Self {
        self.map_models(|model| model.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        self.map_models(|model| model.to_device(device))
    }

    fn train(self) -> Self {
        let model = self.model.clone().train();
        self.around(model)
    }

    fn valid(&self) -> Self {
        let model = self.model.valid();
        let mut validated = None;
        if self.validate_averages {
            validated = lock(&self.tricks).validated(&self.model);
        }
        // An average may be where the model was at its last step.
        if let Some(device) = model.devices().first() {
            validated = validated.map(|average| average.to_device(device));
        }
        Self {
            validated,
            ..self.around(model)
        }
    }

    fn materialize(self) -> Self {
        self.map_models(Module::materialize)
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        self.model.visit(visitor);
    }

    fn map<Mapper: ModuleMapper>(self, mapper: &mut Mapper) -> Self {
        let Self {
            model,
            tricks,
            validated,
            validate_averages,
        } = self;
        Self {
            model: model.map(mapper),
            tricks,
            validated,
            validate_averages,
        }
    }
}

impl<M: Display, H> Display for Tricked<M, H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.model.fmt(f)
    }
}

impl<M: TrainStep + Module, H: Trick<M>> TrainStep for Tricked<M, H> {
    type Input = M::Input;
    type Output = M::Output;

    fn step(&self, item: M::Input) -> TrainOutput<M::Output> {
        TrainStep::step(&self.model, item)
    }

    fn optimize(
        self,
        optim: &mut ModuleOptimizer,
        lr_module: ModuleLearningRate,
        grads: GradientsParams,
    ) -> Self {
        self.stepped(|model, tricks| {
            let grads = tricks.before(&model, grads);
            model.optimize(optim, lr_module, grads)
        })
    }

    fn optimize_multi(
        self,
        optim: &mut ModuleOptimizer,
        lr_module: ModuleLearningRate,
        grads: MultiGradientsParams,
    ) -> Self {
        self.stepped(|model, tricks| {
            if !tricks.sees_gradients() {
                return model.optimize_multi(optim, lr_module, grads);
            }
            let grads = tricks.before(&model, gathered(&model, grads));
            let devices = model.devices();
            let main = devices.first().cloned().unwrap_or_default();
            let grads = MultiGradientsParams {
                grads: vec![(grads, main.without_autodiff())],
            };
            model.optimize_multi(optim, lr_module, grads)
        })
    }
}

impl<M: Module, H: Trick<M>> Tricked<M, H> {
    fn stepped(self, step: impl FnOnce(M, &mut H) -> M) -> Self {
        let mut tricks = lock(&self.tricks);
        let model = step(self.model, &mut tricks);
        let model = tricks.after(model);
        drop(tricks);
        Self {
            model,
            tricks: self.tricks,
            validated: None,
            validate_averages: self.validate_averages,
        }
    }
}

impl<M: InferenceStep + Module, H: Trick<M>> InferenceStep for Tricked<M, H> {
    type Input = M::Input;
    type Output = M::Output;

    fn step(&self, item: M::Input) -> M::Output {
        InferenceStep::step(self.validated.as_ref().unwrap_or(&self.model), item)
    }
}

/// The gradients of several devices, summed, where the model's first parameter is.
fn gathered<M: Module>(model: &M, grads: MultiGradientsParams) -> GradientsParams {
    struct Gather {
        from: MultiGradientsParams,
        to: GradientsParams,
        device: Device,
    }

    impl ModuleVisitor for Gather {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some((grad, _)) = self.from.remove::<D>(param.id) {
                self.to.register(param.id, grad.to_device(&self.device));
            }
        }
    }

    let devices = model.devices();
    let mut gather = Gather {
        from: grads,
        to: GradientsParams::new(),
        device: devices
            .first()
            .cloned()
            .unwrap_or_default()
            .without_autodiff(),
    };
    model.visit(&mut gather);
    gather.to
}

/// The data is whole after every statement that holds the lock, so a panic elsewhere does not spoil it.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
