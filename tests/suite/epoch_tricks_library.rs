//! Roll-back, snapshots, gradual unfreezing, the best model in a file and patience that knows the noise, in the
//! `Learner`, in one run and in one that is interrupted after each epoch.

use crate::models::{Net, alone};
use crate::tricked::{Batch, Samples, numbers, schedule, session, train_loader, valid_loader};
use burn::data::dataloader::DataLoader;
use burn::data::dataset::InMemDataset;
use burn::module::{Module, ModuleMapper, Param};
use burn::optim::{AdamConfig, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use burn::train::metric::store::Split;
use burn::train::{InferenceStep, Learner, TrainOutput, TrainStep};
use burn_tricks::average::Ema;
use burn_tricks::prelude::*;
use burn_tricks::stop::{NoiseAwareConfig, Observation, RollBackConfig, StopReason};
use burn_tricks::train::{
    EpochContext, GradualUnfreezingConfig, LaunchError, RollBackTrick, SampleLossMetric, SaveBest,
    Session, SessionError, SessionResult, SnapshotTrickConfig, StandardErrorMetric, StepContext,
    Trick, TrickError,
};
use std::path::Path;
use std::sync::{Arc, Mutex};

const EPOCHS: usize = 4;

fn flex() -> Device {
    Device::flex().autodiff()
}

fn adam() -> ModuleOptimizer {
    AdamConfig::new().init()
}

fn net() -> Net {
    Net::seeded(1, &flex())
}

fn ema(net: &Net) -> Ema<Net> {
    EmaConfig::new(0.5).init(net).unwrap()
}

/// In one session.
fn run<H: Trick<Net> + 'static>(
    tricks: impl FnOnce(&Net) -> H,
    epochs: usize,
) -> SessionResult<Net, H> {
    let folder = tempfile::tempdir().unwrap();
    launch(session(folder.path(), &EpochClock::new()), tricks, epochs).unwrap()
}

fn launch<H: Trick<Net> + 'static>(
    session: Session<Net, H>,
    tricks: impl FnOnce(&Net) -> H,
    epochs: usize,
) -> Result<SessionResult<Net, H>, LaunchError<Net, H>> {
    let net = net();
    let tricks = tricks(&net);
    let learner = Learner::new(net.with_tricks(tricks), adam(), schedule());
    let session = session.num_epochs(epochs);
    session.metrics((SampleLossMetric::new(),)).launch(learner)
}

/// In one session for each epoch, as if the process had been killed after it.
fn interrupted<H: Trick<Net> + 'static>(
    tricks: impl Fn(&Net) -> H,
    epochs: usize,
) -> SessionResult<Net, H> {
    let folder = tempfile::tempdir().unwrap();
    let resumed = |epochs| {
        let session = session(folder.path(), &EpochClock::new());
        launch(session.resumable(2).unwrap(), &tricks, epochs).unwrap()
    };
    for epoch in 1..epochs {
        resumed(epoch);
    }
    resumed(epochs)
}

fn both<H: Trick<Net>>(result: &SessionResult<Net, H>) -> [Vec<f64>; 2] {
    [
        numbers(result.model.model()),
        numbers(&result.model.clone().into_validated()),
    ]
}

/// Makes every weight NaN in a step, as a diverging run does.
#[derive(Debug)]
struct Diverges {
    at: u64,
}

impl<M: Module> Trick<M> for Diverges {
    fn after(&mut self, model: M, step: &StepContext) -> M {
        match step.step() == self.at {
            true => diverged(model),
            false => model,
        }
    }
}

fn diverged<M: Module>(model: M) -> M {
    struct Nan;

    impl ModuleMapper for Nan {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if !param.is_require_grad() {
                return param;
            }
            param.map(|weight| Tensor::from_inner(weight.inner() * f32::NAN).require_grad())
        }
    }

    model.map(&mut Nan)
}

fn patience(checks: usize) -> burn_tricks::stop::EarlyStopping {
    let config = EarlyStoppingConfig::new(Goal::Minimize);
    config.with_patience(checks).init().unwrap()
}

fn validation_loss(net: &Net) -> f64 {
    let loader = valid_loader().to_device(&Device::flex());
    let batch = loader.iter().next().unwrap().unwrap();
    let output = InferenceStep::step(&net.valid(), batch);
    output.loss.into_scalar::<f64>()
}

/// The fifth step, in the second epoch, diverges.
#[test]
fn a_run_that_diverges_goes_back_as_in_a_loop() {
    let _alone = alone();
    let mut model = net();
    let (mut optim, mut schedule, mut ema) = (adam(), schedule(), self::ema(&model));
    let (mut stop, mut best) = (patience(9), BestWeights::new());
    let mut back = RollBackConfig::new(2).init().unwrap();
    let (mut scale, mut step) = (1.0, 0);
    let clock = EpochClock::new();
    let loader = train_loader(&clock).to_device(&flex());
    for epoch in 1..=EPOCHS {
        clock.set(epoch);
        for batch in loader.iter() {
            let TrainOutput { grads, .. } = TrainStep::step(&model, batch.unwrap());
            model = optim.step(schedule.step() * scale, model, grads);
            step += 1;
            if step == 5 {
                model = diverged(model);
            }
            ema.update(&model);
        }
        let validated = ema.model();
        let decision = stop.observe(validation_loss(&validated));
        best.keep_with(&decision, || (model.clone(), optim.clone()));
        if let Some(restart) = back.on(&decision, &best, &model, &mut stop, |by| scale = by) {
            (model, optim) = (restart.model, restart.extra);
            ema.restart(&model);
        }
    }
    assert_eq!((back.done(), scale), (1, 0.5));
    let by_hand = [numbers(&model.valid()), numbers(&ema.model())];
    assert!(by_hand[0].iter().all(|number| number.is_finite()));

    let tricks = |net: &Net| {
        let metric = SampleLossMetric::new();
        let back = RollBackTrick::<Net>::init(&metric, patience(9), &RollBackConfig::new(2));
        // The average stands before the roll-back, and begins anew all the same.
        (Diverges { at: 5 }, self::ema(net), back.unwrap())
    };
    let whole = run(tricks, EPOCHS);
    assert_eq!(whole.model.tricks().2.done(), 1);
    assert_eq!(both(&whole), by_hand);
    assert_eq!(both(&interrupted(tricks, EPOCHS)), by_hand);
    // A run that does not diverge is the same with and without it.
    let calm = |net: &Net| (Diverges { at: 99 }, self::ema(net), tricks(net).2);
    let without = |net: &Net| self::ema(net);
    assert_eq!(both(&run(calm, EPOCHS)), both(&run(without, EPOCHS)));
}

#[test]
fn a_run_that_went_back_often_enough_ends() {
    let _alone = alone();
    let tricks = |times| {
        move |_: &Net| {
            let metric = SampleLossMetric::new();
            let back =
                RollBackTrick::<Net>::init(&metric, patience(9), &RollBackConfig::new(times));
            (Diverges { at: 5 }, back.unwrap())
        }
    };
    let ended = run(tricks(0), EPOCHS);
    assert_eq!(ended.outcome.stop_reason(), Some(StopReason::NonFinite));
    assert_eq!(ended.last_epoch, Some(2));
    let resumed = interrupted(tricks(0), EPOCHS);
    assert_eq!(resumed.last_epoch, Some(2), "it stays ended");
    // Patience that is used up ends it too, or has it go back.
    let impatient = |goes_back: bool| {
        move |_: &Net| {
            let metric = SampleLossMetric::new();
            // No loss is smaller than half of the first.
            let stop = EarlyStoppingConfig::new(Goal::Minimize)
                .with_patience(1)
                .with_min_delta(burn_tricks::MinDelta::Relative(0.99))
                .init()
                .unwrap();
            let back = RollBackTrick::<Net>::init(&metric, stop, &RollBackConfig::new(1)).unwrap();
            if goes_back {
                back.on_no_improvement()
            } else {
                back
            }
        }
    };
    let reason = Some(StopReason::NoImprovement { checks: 1 });
    let ended = run(impatient(false), EPOCHS);
    assert_eq!(
        (ended.outcome.stop_reason(), ended.last_epoch),
        (reason, Some(2))
    );
    let later = run(impatient(true), EPOCHS);
    assert_eq!(
        (later.outcome.stop_reason(), later.last_epoch),
        (reason, Some(3))
    );
    assert_eq!(later.model.tricks().done(), 1);
    let limit = burn_tricks::stop::CheckLimitConfig::new(3).init().unwrap();
    let error =
        RollBackTrick::<Net, _>::init(&SampleLossMetric::new(), limit, &RollBackConfig::new(1))
            .unwrap_err();
    assert!(error.to_string().contains("look at the metric"), "{error}");
}

#[test]
fn members_of_an_ensemble_are_collected_at_the_end_of_cycles() {
    let _alone = alone();
    let snapshots = |net: &Net| SnapshotTrickConfig::new(1, 2).init(net).unwrap();
    let plain = |epochs| numbers(run(|_| (), epochs).model.model());
    let expected = [plain(3), plain(4)];
    for result in [run(snapshots, 4), interrupted(snapshots, 4)] {
        assert_eq!(
            numbers(result.model.model()),
            expected[1],
            "nothing is changed"
        );
        let ensemble = result.model.tricks().ensemble(&EnsembleConfig::new());
        let members = ensemble.unwrap();
        let members: Vec<_> = members.members().iter().map(numbers).collect();
        assert_eq!(members, expected);
    }
    let every_third = |net: &Net| SnapshotTrickConfig::new(3, 2).init(net).unwrap();
    let result = run(every_third, 4);
    assert_eq!(result.model.tricks().members(), 1);
    let error = SnapshotTrickConfig::new(0, 2).init(&net()).unwrap_err();
    assert!(error.to_string().contains("every_epochs"), "{error}");
}

#[test]
fn groups_are_unfrozen_one_after_the_other() {
    let _alone = alone();
    let config = |groups: &[&str]| {
        let groups = groups.iter().map(|group| (*group).to_owned());
        GradualUnfreezingConfig::new(groups.collect()).with_every_epochs(2)
    };
    let tricks = |net: &Net| config(&["last", "first.weight"]).init(net).unwrap();
    let begun = net();
    // Which weights have moved: first.weight, first.bias, norm.gamma, last.weight.
    let moved = |net: &Net| {
        let same = |one: &Param<Tensor<1>>, other: &Param<Tensor<1>>| {
            one.val().into_data() != other.val().into_data()
        };
        [
            net.first.weight.val().into_data() != begun.first.weight.val().into_data(),
            same(
                net.first.bias.as_ref().unwrap(),
                begun.first.bias.as_ref().unwrap(),
            ),
            same(&net.norm.gamma, &begun.norm.gamma),
            net.last.weight.val().into_data() != begun.last.weight.val().into_data(),
        ]
    };
    let second = run(tricks, 2);
    assert_eq!(moved(second.model.model()), [false, false, false, true]);
    let third = run(tricks, 3);
    assert_eq!(moved(third.model.model()), [true, false, false, true]);
    assert_eq!(both(&interrupted(tricks, 4)), both(&run(tricks, 4)));
    let all = |_: &Net| config(&["last", "first", "norm"]).with_every_epochs(1);
    let all = run(|net| all(net).init(net).unwrap(), 3);
    assert_eq!(moved(all.model.model()), [true; 4]);

    let refused = |groups: &[&str], text: &str| {
        let error = config(groups).init(&begun).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    };
    refused(&[], "name at least one group");
    refused(&["last", "body"], "\"body\"");
    refused(&["las"], "\"las\"");
    refused(&["norm.running_mean"], "\"norm.running_mean\"");
    refused(&["last", "last.weight"], "no group before does");
    let error = config(&["last"]).with_every_epochs(0).init(&begun);
    assert!(error.unwrap_err().to_string().contains("every_epochs"));
    let trick = tricks(&begun);
    assert_eq!(trick.trained_groups(2), ["last"]);
    assert_eq!(trick.trained_groups(9), ["last", "first.weight"]);
}

#[test]
fn the_file_holds_the_best_model_as_it_was_validated() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("best.bpk");
    let load = || numbers(&Net::seeded(2, &Device::flex()).load_file(&path).valid());
    // The worst is the first.
    for goal in [Goal::Minimize, Goal::Maximize] {
        let tricks = |net: &Net| {
            let save = SaveBest::new(&path, &SampleLossMetric::new(), goal);
            (self::ema(net), save)
        };
        let stop = EarlyStoppingConfig::new(goal)
            .with_patience(99)
            .init()
            .unwrap();
        let session = session(folder.path(), &EpochClock::new());
        let session = session.stop_early(SampleLossMetric::new(), stop);
        let result = launch(session, tricks, EPOCHS).unwrap();
        assert_eq!(load(), numbers(&result.best_model().unwrap()), "{goal:?}");
        assert_eq!(result.model.tricks().1.best(), result.best_value);
        let whole = load();
        std::fs::remove_file(&path).unwrap();
        interrupted(tricks, EPOCHS);
        assert_eq!(load(), whole, "{goal:?}, interrupted");
    }
}

#[test]
fn a_metric_that_is_not_registered_is_an_error_that_names_the_trick() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let net = net();
    let save = SaveBest::new(
        folder.path().join("best.bpk"),
        &SampleLossMetric::new(),
        Goal::Minimize,
    );
    let tricks = (self::ema(&net), save);
    let learner = Learner::new(net.with_tricks(tricks), adam(), schedule());
    let session = session(folder.path(), &EpochClock::new());
    let error = session.launch(learner).unwrap_err();
    assert_eq!(
        error.cause.to_string(),
        "trick 2 (SaveBest): the metric `Loss` has no value for the split `valid` of epoch 1: is it registered \
         with the session's `metrics`?"
    );
}

/// The standard error of the loss, as a trick is told it.
#[derive(Debug, Default)]
struct Noise(Arc<Mutex<Vec<f64>>>);

impl<M: Module> Trick<M> for Noise {
    fn epoch_end(&mut self, model: M, epoch: &mut EpochContext<'_, M>) -> Result<M, TrickError> {
        let error = epoch.standard_error("Loss", &Split::Valid)?;
        self.0.lock().unwrap().push(error);
        Ok(model)
    }
}

/// Six samples in three batches.
fn three_batches() -> Arc<dyn DataLoader<Batch>> {
    let config = EpochLoaderConfig::new(2, 0).with_shuffle(false);
    let config = config.with_reseed_device(false);
    let samples = InMemDataset::new((10..16).collect());
    config
        .init(samples, Samples, &Device::flex(), &EpochClock::new())
        .unwrap()
}

fn noisy(folder: &Path, errors: bool) -> Result<SessionResult<Net, Noise>, SessionError> {
    let clock = EpochClock::new();
    let session = Session::new(folder, train_loader(&clock), three_batches())
        .with_clock(&clock)
        .configure(|training| training.num_epochs(EPOCHS).with_application_logger(None));
    // Any difference is within a million standard errors.
    let stop = NoiseAwareConfig::new(Goal::Minimize)
        .with_standard_errors(1e6)
        .with_max_undecided(Some(2))
        .init()
        .unwrap();
    let session = session.stop_early(SampleLossMetric::new(), stop);
    let session = if errors {
        session.metric_valid_numeric(StandardErrorMetric::new(SampleLossMetric::new()))
    } else {
        session
    };
    let learner = Learner::new(net().with_tricks(Noise::default()), adam(), schedule());
    session.launch(learner).map_err(|error| error.cause)
}

#[test]
fn patience_knows_the_noise_of_the_metric() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let result = noisy(folder.path(), true).unwrap();
    let reason = StopReason::Undecided { checks: 2 };
    assert_eq!(result.outcome.stop_reason(), Some(reason));
    assert_eq!(result.last_epoch, Some(3));
    // Of the last model, batch by batch.
    let model = result.last_model();
    let loader = three_batches().to_device(&Device::flex());
    let losses = loader.iter().map(|batch| {
        let output = InferenceStep::step(&model, batch.unwrap());
        output.loss.into_scalar::<f64>()
    });
    let expected = Observation::of_samples(&losses.collect::<Vec<_>>());
    let told = result.model.tricks().0.lock().unwrap().clone();
    let (got, expected) = (told[2], expected.standard_error.unwrap());
    assert!((got / expected - 1.0).abs() < 1e-6, "{got} {expected}");
    // Without a standard error it is no criterion, and the run ends.
    let folder = tempfile::tempdir().unwrap();
    let error = noisy(folder.path(), false).unwrap_err().to_string();
    assert!(error.contains("`Loss Standard Error`"), "{error}");
}
