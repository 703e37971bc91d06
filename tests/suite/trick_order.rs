//! A trick that must see the gradients first, behind another one.

use crate::counter::{Counter, counting, learner, weight};
use crate::loss_scaler::{OfGiven, scaler_of};
use burn::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::module::{Module, ParamGroup};
use burn::optim::{GradientsParams, SgdConfig};
use burn::train::TrainStep as _;
use burn_tricks::grad::{
    GradientOrder, GradientTransform as _, LossScaler, LossScalerConfig, NoTransform, Only,
};
use burn_tricks::prelude::*;
use burn_tricks::train::{AsTrick, GradNorm, MeanOfAccumulated, SessionError, Trick};
use std::error::Error as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

fn scaler() -> LossScaler {
    LossScalerConfig::new().init().unwrap()
}

fn of_given() -> OfGiven {
    scaler_of(&LossScalerConfig::new())
}

fn clip() -> burn_tricks::grad::ClipGradNorm {
    ClipGradNormConfig::new(1.0).init().unwrap()
}

/// The error of the launch, and the panic of a step without a session; both empty if the order is accepted.
fn errors<H: Trick<Counter> + 'static>(tricks: impl Fn() -> H) -> [String; 2] {
    let folder = tempfile::tempdir().unwrap();
    let session = counting(folder.path()).num_epochs(1);
    let at_launch = match session.launch(learner(tricks(), 1.0)) {
        Ok(finished) => {
            // Of a gradient that was not scaled and is not longer than 1.
            assert!(weight(&finished.last_model()) > 0.0);
            String::new()
        }
        Err(error) => {
            let said = error.cause.to_string();
            assert!(
                matches!(error.cause, SessionError::GradientOrder(_)),
                "{said}"
            );
            assert!(error.cause.source().is_some());
            assert!(error.partial.is_none(), "nothing was trained");
            said
        }
    };
    let model = Counter::new().with_tricks(tricks());
    let mut optim = SgdConfig::new().init();
    let grads =
        GradientsParams::from_grads((-model.model().weight.val()).backward(), model.model());
    let step = || model.optimize(&mut optim, ModuleLearningRate::from(1.0), grads);
    let at_step = match catch_unwind(AssertUnwindSafe(step)) {
        Ok(_) => String::new(),
        Err(panic) => *panic.downcast::<String>().unwrap(),
    };
    [at_launch, at_step]
}

fn refused<H: Trick<Counter> + 'static>(tricks: impl Fn() -> H, first: &str, before: &str) {
    let [at_launch, at_step] = errors(tricks);
    let text = format!(
        "`{before}` stands before `{first}` and would see gradients that are not yet unscaled"
    );
    assert!(at_launch.starts_with(&text), "{at_launch}");
    assert_eq!(at_launch, at_step);
}

fn accepted<H: Trick<Counter> + 'static>(tricks: impl Fn() -> H) {
    assert_eq!(errors(tricks), ["", ""]);
}

fn boxed(trick: impl Trick<Counter> + 'static) -> Box<dyn Trick<Counter>> {
    Box::new(trick)
}

#[test]
fn a_trick_that_sees_gradients_in_front_of_a_scaler_is_refused() {
    let behind = |first, before| {
        move |tricks: fn() -> Box<dyn Trick<Counter>>| refused(tricks, first, before)
    };
    let behind_clip = behind("LossScaler", "ClipGradNorm");
    behind_clip(|| boxed((clip(), scaler())));
    behind_clip(|| boxed((clip(), (scaler(), clip()))));
    behind_clip(|| boxed(((clip(), ()), scaler())));
    behind_clip(|| boxed(vec![boxed(clip()), boxed(scaler())]));
    behind_clip(|| boxed((Some(clip()), Some(scaler()))));
    behind_clip(|| boxed((clip(), scaler().then(clip()))));
    behind_clip(|| boxed(clip().then(scaler())));
    behind_clip(|| boxed((clip(), Only::new(ParamGroup::all(), scaler()))));
    behind("LossScaler", "GradNorm")(|| boxed((GradNorm::new(), clip(), scaler())));
    behind("LossScaler", "LossScaler")(|| boxed((scaler(), scaler())));
    behind("First", "ClipGradNorm")(|| boxed((clip(), First)));
}

#[test]
fn every_other_order_is_accepted() {
    accepted(|| (AsTrick(of_given()), clip(), GradNorm::new()));
    accepted(|| (None::<LossScaler>, clip(), scaler_that_is_off()));
    accepted(|| {
        (
            None::<GradNorm>,
            Vec::<GradNorm>::new(),
            AsTrick(of_given()),
        )
    });
    // A trick that sees no gradients, and one whose division comes before all tricks.
    accepted(|| (StopNothing, AsTrick(of_given())));
    accepted(|| (NoTransform, AsTrick(of_given())));
    accepted(|| NoTransform.then(of_given()));
    accepted(|| (MeanOfAccumulated::new(), AsTrick(of_given()), clip()));
    accepted(|| (First, clip()));
}

fn scaler_that_is_off() -> LossScaler {
    let config = LossScalerConfig::new().with_enabled(false);
    config.init().unwrap()
}

#[derive(Debug)]
struct StopNothing;

impl<M: Module> Trick<M> for StopNothing {}

/// A trick of a user that must see the gradients first.
#[derive(Debug)]
struct First;

impl<M: Module> Trick<M> for First {
    fn sees_gradients(&self) -> bool {
        true
    }

    fn gradient_order(&self, order: &mut GradientOrder) {
        order.add::<Self>(true);
    }
}
