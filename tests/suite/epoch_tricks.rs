//! What tricks do once per epoch, in the `Learner`: as a loop does it, in checkpoints, on several devices.

use crate::counter::{Counter, counting, learner, weight};
use crate::models::{Net, alone, numbers};
use crate::net_training::{EPOCHS, schedule, session, train_loader};
use burn::lr_scheduler::LrScheduler;
use burn::module::{Module, ModuleMapper, Param};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::store::ModuleRecord;
use burn::tensor::{Device, Tensor};
use burn::train::metric::LossMetric;
use burn::train::metric::store::Split;
use burn::train::{
    ExecutionStrategy, Learner, MultiDeviceOptim, TrainOutput, TrainStep, TrainingStrategy,
};
use burn_tricks::average::Ema;
use burn_tricks::prelude::*;
use burn_tricks::stop::StopReason;
use burn_tricks::train::{
    EpochClock, EpochContext, Outcome, SessionError, StateError, StepContext, Trick, TrickError,
};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Halves every weight at the end of each epoch.
#[derive(Debug)]
struct Halve;

impl<M: Module> Trick<M> for Halve {
    fn epoch_end(&mut self, model: M, _: &mut EpochContext<'_, M>) -> Result<M, TrickError> {
        Ok(halved(model))
    }
}

fn halved<M: Module>(model: M) -> M {
    struct Half;

    impl ModuleMapper for Half {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if !param.is_require_grad() {
                return param; // a running statistic
            }
            param.map(|weight| Tensor::from_inner(weight.inner() * 0.5).require_grad())
        }
    }

    model.map(&mut Half)
}

fn flex() -> Device {
    Device::flex().autodiff()
}

fn adam() -> ModuleOptimizer {
    AdamConfig::new().init()
}

fn ema(net: &Net) -> Ema<Net> {
    EmaConfig::new(0.9).init(net).unwrap()
}

/// The epochs in a session, resumable or not. The trained and the validated model.
fn learned<H: Trick<Net> + 'static>(
    folder: Option<&Path>,
    epochs: usize,
    tricks: impl FnOnce(&Net) -> H,
) -> [Vec<f64>; 2] {
    let elsewhere = tempfile::tempdir().unwrap();
    let net = Net::seeded(1, &flex());
    let tricks = tricks(&net);
    let clock = EpochClock::new();
    let session = session(folder.unwrap_or(elsewhere.path()), &clock).num_epochs(epochs);
    let session = match folder {
        Some(_) => session.resumable(2).unwrap(),
        None => session,
    };
    let learner = Learner::new(net.with_tricks(tricks), adam(), schedule());
    let model = session.launch(learner).unwrap().model;
    [numbers(model.model()), numbers(&model.into_validated())]
}

#[test]
fn the_learner_trains_on_with_the_returned_model_as_a_loop_does() {
    let _alone = alone();
    let mut net = Net::seeded(1, &flex());
    let (mut optim, mut schedule, mut ema) = (adam(), schedule(), ema(&net));
    let clock = EpochClock::new();
    let loader = train_loader(&clock).to_device(&flex());
    let mut after_first = Vec::new();
    for epoch in 1..=EPOCHS {
        clock.set(epoch);
        for batch in loader.iter() {
            let TrainOutput { grads, .. } = TrainStep::step(&net, batch.unwrap());
            net = optim.step(schedule.step(), net, grads);
            ema.update(&net);
        }
        net = halved(net);
        if epoch == 1 {
            after_first = numbers(&net.valid());
        }
    }
    let by_hand = [numbers(&net.valid()), numbers(&ema.model())];
    let tricks = |net: &Net| (self::ema(net), Halve);
    assert_eq!(learned(None, EPOCHS, tricks), by_hand);
    // In a resumable session, whose checkpoints hold the returned model.
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(learned(Some(folder.path()), 1, tricks)[0], after_first);
    let file = folder.path().join("checkpoint/model-1.bpk");
    let saved = Net::seeded(2, &Device::flex()).load_record(ModuleRecord::load(file).unwrap());
    assert_eq!(numbers(&saved.valid()), after_first);
    // Resumed after each epoch.
    for epochs in 2..EPOCHS {
        learned(Some(folder.path()), epochs, tricks);
    }
    assert_eq!(learned(Some(folder.path()), EPOCHS, tricks), by_hand);
}

#[test]
fn two_devices_train_on_with_the_returned_model() {
    let _alone = alone();
    for mode in [
        MultiDeviceOptim::OptimMainDevice,
        MultiDeviceOptim::OptimSharded,
    ] {
        let run = |ends: bool| {
            let folder = tempfile::tempdir().unwrap();
            let devices = vec![Device::flex(), Device::flex()];
            let strategy = ExecutionStrategy::multi(devices, mode);
            let session = counting(folder.path()).num_epochs(3).configure(|training| {
                training.with_training_strategy(TrainingStrategy::Default(strategy))
            });
            let tricks = ends.then_some(Halve);
            let session = session.without_clock();
            let finished = session.launch(learner(tricks, 1.0)).unwrap();
            weight(finished.model.model())
        };
        assert_eq!(run(false), 3.0, "{mode:?}");
        // ((0 + 1) / 2 + 1) / 2 + 1, halved
        assert_eq!(run(true), 0.875, "{mode:?}");
    }
}

/// What a trick was told.
#[derive(Debug, Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn tell(&self, what: String) {
        self.0.lock().unwrap().push(what);
    }

    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Trick<Counter> for Told {
    fn sees_gradients(&self) -> bool {
        true
    }

    fn begin(&mut self, _: &Counter, _: &mut ModuleOptimizer, step: &mut StepContext) {
        step.scale_lr(0.5);
    }

    fn before(
        &mut self,
        model: &Counter,
        grads: GradientsParams,
        step: &StepContext,
    ) -> GradientsParams {
        assert_eq!(step.lr_of(model.weight.id, "weight"), step.lr());
        // The third of all steps is skipped.
        match step.step() {
            3 => GradientsParams::new(),
            _ => grads,
        }
    }

    fn after(&mut self, model: Counter, step: &StepContext) -> Counter {
        let (number, lr, skipped) = (step.step(), step.lr(), step.is_skipped());
        self.tell(format!("step {number}, rate {lr}, skipped {skipped}"));
        model
    }

    fn epoch_end(
        &mut self,
        model: Counter,
        epoch: &mut EpochContext<'_, Counter>,
    ) -> Result<Counter, TrickError> {
        let [train, valid] = [Split::Train, Split::Valid].map(|split| epoch.metric("Loss", &split));
        let weights = [weight(&model), weight(epoch.validated())];
        let number = epoch.epoch();
        self.tell(format!(
            "epoch {number}, losses {} and {}, weights {weights:?}",
            train?, valid?
        ));
        Ok(model)
    }
}

/// Resumed after the second epoch.
#[test]
fn tricks_are_told_of_the_step_and_of_the_epoch() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let told = Told::default();
    for epochs in [2, 4] {
        let session = counting(folder.path()).num_epochs(epochs);
        let session = session.without_clock().resumable(2).unwrap();
        let session = session.metrics((LossMetric::new(),));
        let schedule = ExponentialDecayConfig::new(2.0)
            .with_gamma(0.5)
            .with_steps_per_epoch(1)
            .init()
            .unwrap();
        session.launch(learner(told.clone(), schedule)).unwrap();
    }
    assert_eq!(
        told.taken(),
        [
            "step 1, rate 1, skipped false",
            "epoch 1, losses 0 and 2, weights [1.0, 1.0]",
            "step 2, rate 0.5, skipped false",
            "epoch 2, losses -1 and 1.5, weights [1.5, 1.5]",
            "step 3, rate 0.25, skipped true",
            "epoch 3, losses -1.5 and 1.5, weights [1.5, 1.5]",
            "step 4, rate 0.125, skipped false",
            "epoch 4, losses -1.5 and 1.375, weights [1.625, 1.625]",
        ]
    );
}

/// Ends the training, or fails, at the end of an epoch.
#[derive(Debug)]
struct At(usize, Option<StopReason>);

impl Trick<Counter> for At {
    fn epoch_end(
        &mut self,
        model: Counter,
        epoch: &mut EpochContext<'_, Counter>,
    ) -> Result<Counter, TrickError> {
        match self.1 {
            Some(reason) if epoch.epoch() == self.0 => epoch.stop(reason),
            None if epoch.epoch() == self.0 => return Err("no more disk".into()),
            _ => {}
        }
        Ok(model)
    }
}

#[test]
fn a_trick_ends_the_training_and_it_stays_ended() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let reason = StopReason::CheckLimit { checks: 2 };
    let run = |resumable: bool| {
        let session = counting(folder.path()).without_clock();
        let session = if resumable {
            session.resumable(2).unwrap()
        } else {
            session
        };
        let finished = session.launch(learner(At(2, Some(reason)), 1.0)).unwrap();
        assert_eq!(finished.outcome.stop_reason(), Some(reason));
        assert_eq!(finished.last_epoch, Some(2));
        weight(finished.model.model())
    };
    assert_eq!(run(false), 2.0);
    assert_eq!(run(true), 2.0);
    assert_eq!(run(true), 2.0, "resumed");
}

#[test]
fn the_error_of_a_trick_names_it_and_its_place() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let session = counting(folder.path()).without_clock();
    let session = session.resumable(2).unwrap();
    let tricks = ((), ((Halve, ()), Box::new(At(2, None))));
    let error = session.launch(learner(tricks, 1.0)).unwrap_err();
    assert!(matches!(error.cause, SessionError::Trick(_)));
    let text = "trick 4 (At): no more disk";
    assert_eq!(error.cause.to_string(), text);
    let SessionError::Trick(cause) = &error.cause else {
        unreachable!("it is one");
    };
    assert_eq!(
        (format!("{cause:?}").as_str(), cause.position()),
        (text, Some(4))
    );
    let partial = error.partial.unwrap();
    assert!(matches!(partial.outcome, Outcome::Failed));
    assert_eq!(partial.last_epoch, Some(2));
    assert!(folder.path().join("checkpoint/model-1.bpk").exists());
    assert!(!folder.path().join("checkpoint/model-2.bpk").exists());
    // A state that is not of the trick.
    let mut tricks: (Halve, Vec<StepGuard>) = (Halve, vec![StepGuard::new()]);
    let saved = (
        Halve,
        vec![EmaConfig::new(0.9).init(&Counter::new()).unwrap()],
    );
    let state = Trick::<Counter>::state(&saved).unwrap();
    let error = Trick::<Counter>::load_state(&mut tricks, &state).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("trick 2 (StepGuard): "), "{text}");
    assert_eq!(format!("{error:?}"), text);
    assert!(matches!(error, StateError::OfTrick { position: 2, .. }));
}

/// Steps whose rates belong to groups of parameters.
#[test]
fn a_scaled_rate_is_that_of_each_group() {
    use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
    use burn::module::ParamGroup;
    let _alone = alone();
    let group = ParamGroup::from_regex(r"^last\.").unwrap();
    let rates = |scale: f64| {
        ModuleLrScheduler::new(0.1 * scale)
            .with_group(group.clone(), 0.01 * scale)
            .step()
    };
    let stepped = |tricks: Option<Half>, scale| {
        let batch = train_loader(&EpochClock::new())
            .to_device(&flex())
            .iter()
            .next()
            .unwrap();
        let model = Net::seeded(1, &flex()).with_tricks(tricks);
        flex().seed(5); // for dropout
        let TrainOutput { grads, .. } = TrainStep::step(&model, batch.unwrap());
        numbers(model.optimize(&mut adam(), rates(scale), grads).model())
    };
    assert_eq!(stepped(Some(Half), 1.0), stepped(None, 0.5));
    assert_ne!(stepped(Some(Half), 1.0), stepped(None, 1.0));
}

#[derive(Debug)]
struct Half;

impl<M: Module> Trick<M> for Half {
    fn begin(&mut self, _: &M, _: &mut ModuleOptimizer, step: &mut StepContext) {
        step.scale_lr(0.5);
    }
}
