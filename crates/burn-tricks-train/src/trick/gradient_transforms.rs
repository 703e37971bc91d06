//! Gradient transforms as tricks.
//!
//! One rule, written out type by type: a blanket `impl<M, T: GradientTransform> Trick<M> for T` would forbid every
//! other `Trick` of a type that is not of this crate (averages, constraints, `Option`, `Box`, tuples), since
//! their crates might make it a transform one day. A transform of yours joins through [`AsTrick`].

use crate::trick::Trick;
use crate::trick::step_context::StepContext;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn_tricks_core::StateError;
use burn_tricks_grad::{
    Agc, AutoClip, CentralizeGrad, ClipGradNorm, ClipGradValue, Freeze, GradNoise, GradientOrder,
    GradientTransform, LossScaler, NoTransform, NormalizeGrad, NormsByPath, Only, Prodigy,
    StepGuard, Then,
};

/// Makes a [`GradientTransform`] of your own a [`Trick`]: `model.with_tricks((AsTrick(mine), ema))`. The transforms
/// of this library do not need it. As behind [`then`](GradientTransform::then), it is not called in a step that an
/// earlier trick skips.
#[derive(Debug, Clone)]
pub struct AsTrick<T>(
    /// The transform.
    pub T,
);

macro_rules! transform_is_a_trick {
    ($transform:ty $(where $($part:ident),+)?; $this:ident => $inner:expr) => {
        impl<M: Module, $($($part: GradientTransform),+)?> Trick<M> for $transform {
            fn sees_gradients(&self) -> bool {
                true
            }

            fn gradient_order(&self, order: &mut GradientOrder) {
                let $this = self;
                GradientTransform::gradient_order(&$inner, order);
            }

            fn before(
                &mut self,
                model: &M,
                grads: GradientsParams,
                _: &StepContext,
            ) -> GradientsParams {
                if grads.is_empty() {
                    return grads; // an earlier trick skips the step
                }
                let $this = self;
                GradientTransform::apply(&mut $inner, model, grads)
            }

            fn before_scaled(
                &mut self,
                model: &M,
                grads: GradientsParams,
                factor: f64,
                _: &StepContext,
            ) -> GradientsParams {
                if grads.is_empty() {
                    return grads;
                }
                let $this = self;
                GradientTransform::apply_scaled(&mut $inner, model, grads, factor)
            }

            fn restart(&mut self, _model: &M) {
                let $this = self;
                GradientTransform::restart(&mut $inner);
            }

            fn describe(&self) -> Vec<String> {
                let $this = self;
                GradientTransform::describe(&$inner)
            }

            fn state(&self) -> Option<Vec<u8>> {
                let $this = self;
                GradientTransform::state(&$inner)
            }

            fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
                let $this = self;
                GradientTransform::load_state(&mut $inner, state)
            }

            fn roll_back_state(&self) -> Option<Vec<u8>> {
                let $this = self;
                GradientTransform::roll_back_state(&$inner)
            }

            fn load_roll_back_state(&mut self, state: &[u8]) -> Result<(), StateError> {
                let $this = self;
                GradientTransform::load_roll_back_state(&mut $inner, state)
            }
        }
    };
}

transform_is_a_trick!(Agc; this => *this);
transform_is_a_trick!(AutoClip; this => *this);
transform_is_a_trick!(CentralizeGrad; this => *this);
transform_is_a_trick!(ClipGradNorm; this => *this);
transform_is_a_trick!(ClipGradValue; this => *this);
transform_is_a_trick!(GradNoise; this => *this);
transform_is_a_trick!(Freeze; this => *this);
transform_is_a_trick!(NoTransform; this => *this);
transform_is_a_trick!(LossScaler; this => *this);
transform_is_a_trick!(NormalizeGrad; this => *this);
transform_is_a_trick!(NormsByPath; this => *this);
transform_is_a_trick!(Only<T> where T; this => *this);
transform_is_a_trick!(Prodigy; this => *this);
transform_is_a_trick!(StepGuard; this => *this);
transform_is_a_trick!(Then<A, B> where A, B; this => *this);
transform_is_a_trick!(AsTrick<T> where T; this => this.0);
