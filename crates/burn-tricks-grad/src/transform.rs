//! The trait of all transforms, and how transforms are combined.

use crate::gradient_order::GradientOrder;
use crate::rescale::scale_gradients;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn_tricks_core::{ListTransform, StateError, bytes_to_parts, parts_to_bytes};
use burn_tricks_kernels::{Factor, TensorList};
use std::fmt::Debug;

/// A change of the gradients between `backward` and the optimizer's step: the trait of all transforms.
///
/// Transforms can be combined: `a.then(b)`, tuples of up to six, `Option` (for a setting that may be off) and
/// `Vec` are transforms. For more than six, chain them by `then` or nest tuples.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::optim::{GradientsParams, SgdConfig};
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_grad::{ClipGradNormConfig, GradientTransform as _, StepGuard};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let mut model = LinearConfig::new(4, 2).init(&device);
/// let mut optim = SgdConfig::new().init();
/// let mut transform = StepGuard::new().then(ClipGradNormConfig::new(1.0).init()?);
///
/// for size in [1.0, f32::NAN, 2.0] {
///     let loss = model.forward(Tensor::<2>::full([8, 4], size, &device)).square().mean();
///     let grads = GradientsParams::from_grads(loss.backward(), &model);
///     let grads = transform.apply(&model, grads);
///     if grads.is_empty() {
///         continue; // the guard has skipped the step
///     }
///     model = optim.step(0.1, model, grads);
/// }
/// assert_eq!(transform.first().skipped(), 1);
/// # Ok(())
/// # }
/// ```
///
/// A transform of your own, which returns the signs of the gradients:
///
/// ```
/// use burn::module::{Module, ModuleVisitor, Param, ParamId};
/// use burn::optim::GradientsParams;
/// use burn::tensor::Tensor;
/// use burn_tricks_grad::GradientTransform;
/// use std::collections::HashSet;
///
/// #[derive(Debug)]
/// struct Sign;
///
/// impl GradientTransform for Sign {
///     fn apply<M: Module>(&mut self, model: &M, grads: GradientsParams) -> GradientsParams {
///         let mut signs = Signs { grads, seen: HashSet::new() };
///         model.visit(&mut signs);
///         signs.grads // with those of other networks, as they were
///     }
/// }
///
/// struct Signs {
///     grads: GradientsParams,
///     seen: HashSet<ParamId>,
/// }
///
/// impl ModuleVisitor for Signs {
///     fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
///         // A tied parameter is met at each of its places, and its gradient is to be changed once.
///         if self.seen.insert(param.id)
///             && let Some(grad) = self.grads.remove::<D>(param.id)
///         {
///             self.grads.register(param.id, grad.sign());
///         }
///     }
/// }
/// # let _ = Sign.then(Sign);
/// ```
///
/// # Order
///
/// The order is: accumulate → unscale → check for numbers that are not finite → freeze → centralise → clip → noise →
/// normalise → Prodigy's estimate → optimizer. A combination in which a [`LossScaler`](crate::LossScaler) is not the
/// first panics at its first step; no other order is refused, and a wrong one shows only in the numbers.
///
/// # In a `Learner`
///
/// Every transform of this crate is a `Trick` of `burn-tricks-train`, and `AsTrick` makes a trick of your own
/// transform: `model.with_tricks((clip.then(noise), ema))`.
pub trait GradientTransform: Debug + Send {
    /// The changed gradients of the parameters of `model`, each with the type, shape and device that it had.
    /// Gradients of parameters that `model` does not have stay as they are.
    ///
    /// If it returns no gradients at all although there were some, the step is to be skipped.
    #[must_use]
    fn apply<M: Module>(&mut self, model: &M, grads: GradientsParams) -> GradientsParams;

    /// [`apply`](Self::apply) to `factor` times the gradients. A transform that multiplies the gradients by a factor of its own,
    /// such as a clip, implements it to multiply once (twice if `factor` is negative). Default: multiplies, and then applies.
    #[must_use]
    fn apply_scaled<M: Module>(
        &mut self,
        model: &M,
        grads: GradientsParams,
        factor: f64,
    ) -> GradientsParams {
        self.apply(model, scale_gradients(model, grads, factor))
    }

    /// Whether this transform marks gradients that are not finite for an optimizer with `skip_marked`, as with
    /// [`NonFinite::SkipStep`](crate::NonFinite::SkipStep). [`Only`](crate::Only) then carries the mark to the gradients of the
    /// other parameters. Default: no.
    fn marks_non_finite(&self) -> bool {
        false
    }

    /// The name and configuration of this transform, as one text, or as several texts for a combination of
    /// transforms. The texts must not depend on the gradients seen, because a resumed session compares them.
    /// Default: the name of the type.
    fn describe(&self) -> Vec<String> {
        vec![std::any::type_name::<Self>().to_owned()]
    }

    /// Adds this transform to `order`; a combination adds each of its transforms, from the first to the last. A
    /// transform that must see the gradients before all others, because they would see gradients that it has yet to
    /// unscale, says so here: a combination in which it is not the first panics in [`apply`](Self::apply), and a
    /// session of `burn-tricks-train` refuses to launch. A transform whose result depends on earlier steps,
    /// such as one with a state, adds itself by [`GradientOrder::add_memory`]: Burn's `ddp` cannot use
    /// it. Default: this transform, at any place, without a memory.
    fn gradient_order(&self, order: &mut GradientOrder) {
        order.add::<Self>(false);
    }

    /// Resets the transform, as needed for weights that were loaded without a state. Default: nothing.
    fn restart(&mut self) {}

    /// The state that a resumed run needs. A transform that returns one must implement
    /// [`load_state`](Self::load_state) too, and, if the gradients that it returns depend on its state,
    /// [`gradient_order`](Self::gradient_order), where it says that it has a memory. Waits for the device. Default: none.
    fn state(&self) -> Option<Vec<u8>> {
        None
    }

    /// Continues from the saved state.
    ///
    /// # Errors
    ///
    /// If the state is not that of such a transform. Default: always an error.
    fn load_state(&mut self, _state: &[u8]) -> Result<(), StateError> {
        Err(StateError::Stateless { what: "transform" })
    }

    /// The part of the state that belongs to the weights, and must go back with them when a training that has diverged
    /// returns to earlier weights: the estimate of a [`Prodigy`](crate::Prodigy), the history of an
    /// [`AutoClip`](crate::AutoClip). Waits for the device. Default: the whole [`state`](Self::state).
    ///
    /// A [`StepGuard`](crate::StepGuard) and a [`LossScaler`](crate::LossScaler) have none: a schedule that repeats its
    /// learning rate after a skipped step compares their number of skipped steps with the number it has seen, and a
    /// roll-back does not reset the schedule. A combination returns the states of its transforms, or none if none of
    /// them has one.
    fn roll_back_state(&self) -> Option<Vec<u8>> {
        self.state()
    }

    /// Returns to a state of [`roll_back_state`](Self::roll_back_state). The rest of the transform's state stays as it
    /// is. A transform whose `roll_back_state` returns only a part of its state must implement this method too.
    /// Default: [`load_state`](Self::load_state).
    ///
    /// # Errors
    ///
    /// If the state is not that of such a transform.
    fn load_roll_back_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        self.load_state(state)
    }

    /// This transform, followed by `next` on its result. If this transform skips a step, `next` is not called.
    /// [`apply`](Self::apply) panics if `next` [must be the first](Self::gradient_order).
    #[must_use]
    fn then<T: GradientTransform>(self, next: T) -> Then<Self, T>
    where
        Self: Sized,
    {
        Then {
            first: self,
            second: next,
        }
    }
}

/// Returns the gradients as they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NoTransform;

impl GradientTransform for NoTransform {
    fn apply<M: Module>(&mut self, _model: &M, grads: GradientsParams) -> GradientsParams {
        grads
    }

    /// It does not look at the gradients, so that it may stand at any place.
    fn gradient_order(&self, _order: &mut GradientOrder) {}
}

impl ListTransform for NoTransform {
    fn apply_to_list(&mut self, grads: TensorList) -> TensorList {
        grads
    }

    fn is_identity(&self) -> bool {
        true
    }
}

/// Two transforms, one after the other. Made by [`GradientTransform::then`].
#[derive(Debug, Clone, PartialEq)]
pub struct Then<A, B> {
    first: A,
    second: B,
}

impl<A, B> Then<A, B> {
    /// The first transform.
    pub fn first(&self) -> &A {
        &self.first
    }

    /// The second transform.
    pub fn second(&self) -> &B {
        &self.second
    }
}

impl<A: ListTransform, B: ListTransform> ListTransform for Then<A, B> {
    fn apply_to_list(&mut self, grads: TensorList) -> TensorList {
        let grads = self.first.apply_to_list(grads);
        self.second.apply_to_list(grads)
    }

    fn apply_up_to_factor(&mut self, grads: TensorList) -> (TensorList, Option<Factor>) {
        let grads = self.first.apply_to_list(grads);
        self.second.apply_up_to_factor(grads)
    }

    fn is_identity(&self) -> bool {
        self.first.is_identity() && self.second.is_identity()
    }
}

/// An optional transform. `None` changes nothing.
impl<T: GradientTransform> GradientTransform for Option<T> {
    fn apply<M: Module>(&mut self, model: &M, grads: GradientsParams) -> GradientsParams {
        match self {
            Some(transform) => transform.apply(model, grads),
            None => grads,
        }
    }

    fn apply_scaled<M: Module>(
        &mut self,
        model: &M,
        grads: GradientsParams,
        factor: f64,
    ) -> GradientsParams {
        match self {
            Some(transform) => transform.apply_scaled(model, grads, factor),
            None => scale_gradients(model, grads, factor),
        }
    }

    fn marks_non_finite(&self) -> bool {
        self.as_ref()
            .is_some_and(GradientTransform::marks_non_finite)
    }

    fn gradient_order(&self, order: &mut GradientOrder) {
        self.iter().for_each(|some| some.gradient_order(order));
    }

    fn describe(&self) -> Vec<String> {
        self.as_ref()
            .map(GradientTransform::describe)
            .unwrap_or_default()
    }

    fn restart(&mut self) {
        self.iter_mut().for_each(GradientTransform::restart);
    }

    fn state(&self) -> Option<Vec<u8>> {
        self.as_ref().and_then(GradientTransform::state)
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        match self {
            Some(transform) => transform.load_state(state),
            None => Err(StateError::Absent { what: "transform" }),
        }
    }

    fn roll_back_state(&self) -> Option<Vec<u8>> {
        self.as_ref().and_then(GradientTransform::roll_back_state)
    }

    fn load_roll_back_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        match self {
            Some(transform) => transform.load_roll_back_state(state),
            None => Err(StateError::Absent { what: "transform" }),
        }
    }
}

/// Transforms of one type, applied one after the other, whose number is known only at run time.
impl<T: GradientTransform> GradientTransform for Vec<T> {
    fn apply<M: Module>(&mut self, model: &M, grads: GradientsParams) -> GradientsParams {
        assert_order(self);
        self.iter_mut()
            .fold(grads, |grads, each| apply_next(each, model, grads))
    }

    fn apply_scaled<M: Module>(
        &mut self,
        model: &M,
        grads: GradientsParams,
        factor: f64,
    ) -> GradientsParams {
        assert_order(self);
        let mut each = self.iter_mut();
        let grads = match each.next() {
            Some(first) => first.apply_scaled(model, grads, factor),
            None => scale_gradients(model, grads, factor),
        };
        each.fold(grads, |grads, each| apply_next(each, model, grads))
    }

    fn marks_non_finite(&self) -> bool {
        self.iter().any(GradientTransform::marks_non_finite)
    }

    fn gradient_order(&self, order: &mut GradientOrder) {
        self.iter().for_each(|each| each.gradient_order(order));
    }

    fn describe(&self) -> Vec<String> {
        self.iter().flat_map(GradientTransform::describe).collect()
    }

    fn restart(&mut self) {
        self.iter_mut().for_each(GradientTransform::restart);
    }

    fn state(&self) -> Option<Vec<u8>> {
        let states: Vec<_> = self.iter().map(GradientTransform::state).collect();
        Some(parts_to_bytes(&states))
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        let states = bytes_to_parts(state, self.len(), TRANSFORMS)?;
        let mut each = self.iter_mut().zip(states);
        each.try_for_each(|(transform, state)| load_part(transform, state))
    }

    fn roll_back_state(&self) -> Option<Vec<u8>> {
        let states: Vec<_> = self.iter().map(T::roll_back_state).collect();
        parts_that_go_back(&states)
    }

    fn load_roll_back_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        let states = bytes_to_parts(state, self.len(), TRANSFORMS)?;
        let mut each = self.iter_mut().zip(states);
        each.try_for_each(|(transform, state)| put_back_part(transform, state))
    }
}

/// Transforms of several types, applied one after the other.
macro_rules! transforms_in_order {
    ($list:ty: $($transform:ident $field:tt),+) => {
        impl<$($transform: GradientTransform),+> GradientTransform for $list {
            fn apply<M: Module>(&mut self, model: &M, grads: GradientsParams) -> GradientsParams {
                assert_order(self);
                $(let grads = apply_next(&mut self.$field, model, grads);)+
                grads
            }

            fn apply_scaled<M: Module>(
                &mut self,
                model: &M,
                grads: GradientsParams,
                factor: f64,
            ) -> GradientsParams {
                assert_order(self);
                let mut factor = Some(factor);
                $(let grads = match factor.take() {
                    Some(factor) => self.$field.apply_scaled(model, grads, factor),
                    None => apply_next(&mut self.$field, model, grads),
                };)+
                grads
            }

            fn marks_non_finite(&self) -> bool {
                false $(|| self.$field.marks_non_finite())+
            }

            fn gradient_order(&self, order: &mut GradientOrder) {
                $(self.$field.gradient_order(order);)+
            }

            fn describe(&self) -> Vec<String> {
                [$(self.$field.describe()),+].concat()
            }

            fn restart(&mut self) {
                $(self.$field.restart();)+
            }

            fn state(&self) -> Option<Vec<u8>> {
                Some(parts_to_bytes(&[$(self.$field.state()),+]))
            }

            fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
                let count = [$(stringify!($field)),+].len();
                let mut parts = bytes_to_parts(state, count, TRANSFORMS)?.into_iter();
                $(load_part(&mut self.$field, parts.next().flatten())?;)+
                Ok(())
            }

            fn roll_back_state(&self) -> Option<Vec<u8>> {
                parts_that_go_back(&[$(self.$field.roll_back_state()),+])
            }

            fn load_roll_back_state(&mut self, state: &[u8]) -> Result<(), StateError> {
                let count = [$(stringify!($field)),+].len();
                let mut parts = bytes_to_parts(state, count, TRANSFORMS)?.into_iter();
                $(put_back_part(&mut self.$field, parts.next().flatten())?;)+
                Ok(())
            }
        }
    };
}

transforms_in_order!(Then<A, B>: A first, B second);
transforms_in_order!((A,): A 0);
transforms_in_order!((A, B): A 0, B 1);
transforms_in_order!((A, B, C): A 0, B 1, C 2);
transforms_in_order!((A, B, C, D): A 0, B 1, C 2, D 3);
transforms_in_order!((A, B, C, D, E): A 0, B 1, C 2, D 3, E 4);
transforms_in_order!((A, B, C, D, E, F): A 0, B 1, C 2, D 3, E 4, F 5);

/// The name of the parts in an error about a saved state.
pub(crate) const TRANSFORMS: &str = "transforms";

/// Panics if a transform that must be the first is not.
fn assert_order(combined: &impl GradientTransform) {
    let mut order = GradientOrder::new();
    combined.gradient_order(&mut order);
    if let Err(error) = order.check() {
        panic!("{error}");
    }
}

/// The result of the next transform of several. After a skipped step there are no gradients, and the transforms behind
/// are not called: noise, for example, is drawn only for steps that are taken.
fn apply_next<T: GradientTransform, M: Module>(
    transform: &mut T,
    model: &M,
    grads: GradientsParams,
) -> GradientsParams {
    if grads.is_empty() {
        grads
    } else {
        transform.apply(model, grads)
    }
}

/// Loads the state of one transform of several. If a transform has a state and none was saved for it, the saved
/// transform was another one: an error, since this transform would silently start anew.
pub(crate) fn load_part<T: GradientTransform>(
    transform: &mut T,
    state: Option<Vec<u8>>,
) -> Result<(), StateError> {
    match state {
        Some(state) => transform.load_state(&state),
        None if transform.state().is_some() => Err(StateError::NotSaved { what: "transform" }),
        None => Ok(()),
    }
}

/// The states of several transforms that go back with the weights, if there is one.
fn parts_that_go_back(parts: &[Option<Vec<u8>>]) -> Option<Vec<u8>> {
    let some = parts.iter().any(Option::is_some);
    some.then(|| parts_to_bytes(parts))
}

/// Returns one transform of several to its state, if it has a part that goes back.
fn put_back_part<T: GradientTransform>(
    transform: &mut T,
    state: Option<Vec<u8>>,
) -> Result<(), StateError> {
    state.map_or(Ok(()), |state| transform.load_roll_back_state(&state))
}
