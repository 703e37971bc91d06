//! Several tricks as one: boxed, optional, in a vector, in a tuple.

use crate::trick::Trick;
use crate::trick::epoch_context::EpochContext;
use crate::trick::step_context::StepContext;
use crate::trick::trick_error::TrickError;
use crate::trick::trick_metric::TrickMetric;
use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn_tricks_core::{StateError, bytes_to_parts, parts_to_bytes};
use burn_tricks_grad::{GradientOrder, scale_gradients};
use std::any::Any;

/// What an error about a saved state calls its parts.
pub(super) const TRICKS: &str = "tricks";

impl<M: Module, T: Trick<M> + ?Sized> Trick<M> for Box<T> {
    fn sees_gradients(&self) -> bool {
        (**self).sees_gradients()
    }

    fn gradient_order(&self, order: &mut GradientOrder) {
        (**self).gradient_order(order);
    }

    fn micro_batch_weight(&self, model: &M, batch: &dyn Any) -> Option<f64> {
        (**self).micro_batch_weight(model, batch)
    }

    fn begin(&mut self, model: &M, optimizer: &mut ModuleOptimizer, step: &mut StepContext) {
        (**self).begin(model, optimizer, step);
    }

    fn before(&mut self, model: &M, grads: GradientsParams, step: &StepContext) -> GradientsParams {
        (**self).before(model, grads, step)
    }

    fn before_scaled(
        &mut self,
        model: &M,
        grads: GradientsParams,
        factor: f64,
        step: &StepContext,
    ) -> GradientsParams {
        (**self).before_scaled(model, grads, factor, step)
    }

    fn after(&mut self, model: M, step: &StepContext) -> M {
        (**self).after(model, step)
    }

    fn epoch_end(&mut self, model: M, epoch: &mut EpochContext<'_, M>) -> Result<M, TrickError> {
        (**self).epoch_end(model, epoch)
    }

    fn rolled_back(&mut self, model: &M) {
        (**self).rolled_back(model);
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

    fn name(&self) -> String {
        (**self).name()
    }

    fn describe(&self) -> Vec<String> {
        (**self).describe()
    }

    fn obeys_criterion(&self) -> Option<String> {
        (**self).obeys_criterion()
    }

    fn metrics(&self) -> Vec<TrickMetric> {
        (**self).metrics()
    }

    fn state(&self) -> Option<Vec<u8>> {
        (**self).state()
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        (**self).load_state(state)
    }

    fn roll_back_state(&self) -> Option<Vec<u8>> {
        (**self).roll_back_state()
    }

    fn load_roll_back_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        (**self).load_roll_back_state(state)
    }
}

/// An optional trick, for example one that a setting of the run turns on. `None` does nothing.
impl<M: Module, T: Trick<M>> Trick<M> for Option<T> {
    fn sees_gradients(&self) -> bool {
        self.as_ref().is_some_and(Trick::sees_gradients)
    }

    fn gradient_order(&self, order: &mut GradientOrder) {
        self.iter().for_each(|trick| trick.gradient_order(order));
    }

    fn micro_batch_weight(&self, model: &M, batch: &dyn Any) -> Option<f64> {
        self.as_ref()
            .and_then(|trick| trick.micro_batch_weight(model, batch))
    }

    fn begin(&mut self, model: &M, optimizer: &mut ModuleOptimizer, step: &mut StepContext) {
        if let Some(trick) = self {
            trick.begin(model, optimizer, step);
        }
    }

    fn before(&mut self, model: &M, grads: GradientsParams, step: &StepContext) -> GradientsParams {
        match self {
            Some(trick) => trick.before(model, grads, step),
            None => grads,
        }
    }

    fn before_scaled(
        &mut self,
        model: &M,
        grads: GradientsParams,
        factor: f64,
        step: &StepContext,
    ) -> GradientsParams {
        match self {
            Some(trick) => trick.before_scaled(model, grads, factor, step),
            None => scale_gradients(model, grads, factor),
        }
    }

    fn after(&mut self, model: M, step: &StepContext) -> M {
        match self {
            Some(trick) => trick.after(model, step),
            None => model,
        }
    }

    fn epoch_end(&mut self, model: M, epoch: &mut EpochContext<'_, M>) -> Result<M, TrickError> {
        match self {
            Some(trick) => trick.epoch_end(model, epoch),
            None => Ok(model),
        }
    }

    fn rolled_back(&mut self, model: &M) {
        self.iter_mut().for_each(|trick| trick.rolled_back(model));
    }

    fn rebuilt(&self, model: M) -> M {
        match self {
            Some(trick) => trick.rebuilt(model),
            None => model,
        }
    }

    fn validated(&self, model: &M) -> Option<M> {
        self.as_ref().and_then(|trick| trick.validated(model))
    }

    fn restart(&mut self, model: &M) {
        self.iter_mut().for_each(|trick| trick.restart(model));
    }

    fn name(&self) -> String {
        self.as_ref().map_or("None".to_owned(), Trick::name)
    }

    fn describe(&self) -> Vec<String> {
        self.as_ref().map(Trick::describe).unwrap_or_default()
    }

    fn obeys_criterion(&self) -> Option<String> {
        self.as_ref().and_then(Trick::obeys_criterion)
    }

    fn metrics(&self) -> Vec<TrickMetric> {
        self.as_ref().map(Trick::metrics).unwrap_or_default()
    }

    fn state(&self) -> Option<Vec<u8>> {
        self.as_ref().and_then(Trick::state)
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        match self {
            Some(trick) => trick.load_state(state),
            None => Err(StateError::Absent { what: "trick" }),
        }
    }

    fn roll_back_state(&self) -> Option<Vec<u8>> {
        self.as_ref().and_then(Trick::roll_back_state)
    }

    fn load_roll_back_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        self.iter_mut()
            .try_for_each(|trick| trick.load_roll_back_state(state))
    }
}

/// No trick: for a model that a session trains without tricks.
impl<M: Module> Trick<M> for () {
    /// It does not look at the gradients.
    fn gradient_order(&self, _order: &mut GradientOrder) {}
}

/// Several tricks, which run one after the other, before the step and after it. If several of them have a model to validate,
/// the last one's is validated.
macro_rules! tricks_in_order {
    ($list:ty where $($trick:ident),+; $this:ident => $each:expr, $each_mut:expr) => {
        impl<M: Module, $($trick: Trick<M>),+> Trick<M> for $list {
            fn sees_gradients(&self) -> bool {
                let $this = self;
                $each.any(|trick| trick.sees_gradients())
            }

            fn gradient_order(&self, order: &mut GradientOrder) {
                let $this = self;
                $each.for_each(|trick| trick.gradient_order(order));
            }

            fn micro_batch_weight(&self, model: &M, batch: &dyn Any) -> Option<f64> {
                let $this = self;
                $each.find_map(|trick| trick.micro_batch_weight(model, batch))
            }

            fn begin(
                &mut self,
                model: &M,
                optimizer: &mut ModuleOptimizer,
                step: &mut StepContext,
            ) {
                let $this = self;
                $each_mut.for_each(|trick| trick.begin(model, optimizer, step));
            }

            fn before(
                &mut self,
                model: &M,
                grads: GradientsParams,
                step: &StepContext,
            ) -> GradientsParams {
                let $this = self;
                $each_mut.fold(grads, |grads, trick| trick.before(model, grads, step))
            }

            fn before_scaled(
                &mut self,
                model: &M,
                grads: GradientsParams,
                factor: f64,
                step: &StepContext,
            ) -> GradientsParams {
                let $this = self;
                let mut left = Some(factor);
                let grads = $each_mut.fold(grads, |grads, trick| {
                    before_by_the_first(trick, model, grads, &mut left, step)
                });
                scale_gradients(model, grads, left.unwrap_or(1.0))
            }

            fn after(&mut self, model: M, step: &StepContext) -> M {
                let $this = self;
                $each_mut.fold(model, |model, trick| trick.after(model, step))
            }

            fn epoch_end(
                &mut self,
                model: M,
                epoch: &mut EpochContext<'_, M>,
            ) -> Result<M, TrickError> {
                let $this = self;
                let mut before = 0;
                $each_mut.try_fold(model, |model, trick| {
                    end_epoch(trick, model, epoch, &mut before)
                })
            }

            fn rolled_back(&mut self, model: &M) {
                let $this = self;
                $each_mut.for_each(|trick| trick.rolled_back(model));
            }

            fn rebuilt(&self, model: M) -> M {
                let $this = self;
                $each.fold(model, |model, trick| trick.rebuilt(model))
            }

            fn validated(&self, model: &M) -> Option<M> {
                let $this = self;
                $each.rev().find_map(|trick| trick.validated(model))
            }

            fn restart(&mut self, model: &M) {
                let $this = self;
                $each_mut.for_each(|trick| trick.restart(model));
            }

            fn describe(&self) -> Vec<String> {
                let $this = self;
                $each.flat_map(|trick| trick.describe()).collect()
            }

            fn obeys_criterion(&self) -> Option<String> {
                let $this = self;
                $each.find_map(|trick| trick.obeys_criterion())
            }

            fn metrics(&self) -> Vec<TrickMetric> {
                let $this = self;
                $each.flat_map(|trick| trick.metrics()).collect()
            }

            fn state(&self) -> Option<Vec<u8>> {
                let $this = self;
                let states: Vec<_> = $each.map(|trick| trick.state()).collect();
                Some(parts_to_bytes(&states))
            }

            fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
                let $this = self;
                let each = $each_mut;
                let states = bytes_to_parts(state, each.len(), TRICKS)?;
                let mut before = 0;
                each.zip(states)
                    .try_for_each(|(trick, state)| load_place(trick, state, &mut before))
            }

            fn roll_back_state(&self) -> Option<Vec<u8>> {
                let $this = self;
                let states: Vec<_> = $each.map(|trick| trick.roll_back_state()).collect();
                Some(parts_to_bytes(&states))
            }

            fn load_roll_back_state(&mut self, state: &[u8]) -> Result<(), StateError> {
                let $this = self;
                let each = $each_mut;
                let states = bytes_to_parts(state, each.len(), TRICKS)?;
                let mut before = 0;
                each.zip(states)
                    .try_for_each(|(trick, state)| put_back(trick, state, &mut before))
            }
        }
    };
}

/// Up to eight tricks.
macro_rules! tuple_of_tricks {
    ($($trick:ident $index:tt),+) => {
        tricks_in_order!(
            ($($trick,)+) where $($trick),+;
            this => [$(&this.$index as &dyn Trick<M>),+].into_iter(),
            [$(&mut this.$index as &mut dyn Trick<M>),+].into_iter()
        );
    };
}

tuple_of_tricks!(A 0);
tuple_of_tricks!(A 0, B 1);
tuple_of_tricks!(A 0, B 1, C 2);
tuple_of_tricks!(A 0, B 1, C 2, D 3);
tuple_of_tricks!(A 0, B 1, C 2, D 3, E 4);
tuple_of_tricks!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple_of_tricks!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple_of_tricks!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
// Tricks whose number is known only at run time, such as a `Vec<Box<dyn Trick<M>>>`.
tricks_in_order!(Vec<T> where T; this => this.iter(), this.iter_mut());

/// [`Trick::before`] of one trick of several, of which the first that may look at the gradients multiplies them by the factor.
fn before_by_the_first<M: Module>(
    trick: &mut (impl Trick<M> + ?Sized),
    model: &M,
    grads: GradientsParams,
    factor: &mut Option<f64>,
    step: &StepContext,
) -> GradientsParams {
    let may_look = || {
        let mut order = GradientOrder::new();
        trick.gradient_order(&mut order);
        !order.is_empty()
    };
    match factor.take_if(|_| may_look()) {
        Some(factor) => trick.before_scaled(model, grads, factor, step),
        None => trick.before(model, grads, step),
    }
}

/// The end of an epoch for one of several tricks, with `before` tricks before it, which is moved on.
fn end_epoch<M: Module, T: Trick<M> + ?Sized>(
    trick: &mut T,
    model: M,
    epoch: &mut EpochContext<'_, M>,
    before: &mut usize,
) -> Result<M, TrickError> {
    let at = *before;
    *before += trick.describe().len();
    let ended = trick.epoch_end(model, epoch);
    ended.map_err(|error| error.of_trick(at, || trick.name()))
}

/// [`load_part`] of one of several tricks, with `before` tricks before it, which is moved on.
fn load_place<M: Module, T: Trick<M> + ?Sized>(
    trick: &mut T,
    state: Option<Vec<u8>>,
    before: &mut usize,
) -> Result<(), StateError> {
    let at = *before;
    *before += trick.describe().len();
    load_part(trick, state).map_err(|error| error.of_trick(at, || trick.name()))
}

/// The state of one trick, if it has one. A trick that has one and gets none is another than was saved,
/// and would silently begin again.
pub(super) fn load_part<M: Module, T: Trick<M> + ?Sized>(
    trick: &mut T,
    state: Option<Vec<u8>>,
) -> Result<(), StateError> {
    match state {
        Some(state) => trick.load_state(&state),
        None if trick.state().is_some() => Err(StateError::NotSaved { what: "trick" }),
        None => Ok(()),
    }
}

/// Puts back the state of one of several tricks, if it has one that goes back, with `before` tricks before it, which is
/// moved on.
fn put_back<M: Module, T: Trick<M> + ?Sized>(
    trick: &mut T,
    state: Option<Vec<u8>>,
    before: &mut usize,
) -> Result<(), StateError> {
    let at = *before;
    *before += trick.describe().len();
    let Some(state) = state else {
        return Ok(());
    };
    let loaded = trick.load_roll_back_state(&state);
    loaded.map_err(|error| error.of_trick(at, || trick.name()))
}
