//! Roll-back, snapshots, gradual unfreezing, the best model in a file and patience that knows the noise, in the
//! `Learner`, in one run and in one that is interrupted after each epoch.

use crate::models::{Net, alone, numbers};
use crate::net_training::{Batch, Samples, schedule, session, train_loader, valid_loader};
use burn::data::dataloader::{DataLoader, DataLoaderIterator};
use burn::data::dataset::InMemDataset;
use burn::module::{Module, ModuleMapper, Param, ParamGroup};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use burn::train::logger::{FileMetricLogger, MetricLogger};
use burn::train::metric::LearningRateMetric;
use burn::train::metric::store::Split;
use burn::train::{InferenceStep, Learner, TrainOutput, TrainStep};
use burn_tricks::average::Ema;
use burn_tricks::grad::{AutoClipConfig, GradNoiseConfig, LossScalerConfig, ProdigyConfig};
use burn_tricks::prelude::*;
use burn_tricks::schedule::LinearRampConfig;
use burn_tricks::stop::BestWeights;
use burn_tricks::stop::{
    All, Any, CheckLimitConfig, EarlyStopping, NoiseAwareConfig, Observation, RollBackConfig,
    StopReason,
};
use burn_tricks::train::{
    AsTrick, EpochContext, GradualUnfreezingConfig, LaunchError, Outcome, RollBackTrick,
    SampleLossMetric, SaveBest, ScheduledDropout, Session, SessionError, SessionResult,
    SnapshotTrickConfig, StateError, StepContext, Trick, TrickError,
};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
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

/// In one session, whose criterion is `stop`.
fn run_until<H: Trick<Net> + 'static>(
    stop: EarlyStopping,
    tricks: impl FnOnce(&Net) -> H,
    epochs: usize,
) -> SessionResult<Net, H> {
    let folder = tempfile::tempdir().unwrap();
    let session = session(folder.path(), &EpochClock::new());
    let session = session.stop_early(SampleLossMetric::new(), stop);
    launch(session, tricks, epochs).unwrap()
}

/// In one session.
fn run<H: Trick<Net> + 'static>(
    tricks: impl FnOnce(&Net) -> H,
    epochs: usize,
) -> SessionResult<Net, H> {
    run_until(patience(9), tricks, epochs)
}

fn launch<H: Trick<Net> + 'static>(
    session: Session<Net, H>,
    tricks: impl FnOnce(&Net) -> H,
    epochs: usize,
) -> Result<SessionResult<Net, H>, LaunchError<Net, H>> {
    let net = net();
    let tricks = tricks(&net);
    let learner = Learner::new(net.with_tricks(tricks), adam(), schedule());
    session.num_epochs(epochs).launch(learner)
}

/// In one session for each epoch, as if the process had been killed after it.
fn interrupted<H: Trick<Net> + 'static>(
    tricks: impl Fn(&Net) -> H,
    epochs: usize,
) -> SessionResult<Net, H> {
    let folder = tempfile::tempdir().unwrap();
    let resumed = |epochs| {
        let session = session(folder.path(), &EpochClock::new());
        let session = session.stop_early(SampleLossMetric::new(), patience(9));
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
        if step.step() == self.at {
            diverged(model)
        } else {
            model
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

fn patience(checks: usize) -> EarlyStopping {
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
        if let Some(restart) =
            back.after_check(&decision, &best, &model, &mut stop, |by| scale = by)
        {
            (model, optim) = (restart.model, restart.extra);
            ema.restart(&model);
        }
    }
    assert_eq!((back.done(), scale), (1, 0.5));
    let by_hand = [numbers(&model.valid()), numbers(&ema.model())];
    assert!(by_hand[0].iter().all(|number| number.is_finite()));

    let tricks = |net: &Net| {
        let back = RollBackTrick::<Net>::init(&RollBackConfig::new(2));
        // The average stands before the roll-back, and begins anew all the same.
        (Diverges { at: 5 }, self::ema(net), back.unwrap())
    };
    let whole = run(tricks, EPOCHS);
    assert_eq!(whole.model.tricks().2.done(), 1);
    assert_eq!(both(&whole), by_hand);
    let resumed = interrupted(tricks, EPOCHS);
    assert_eq!(both(&resumed), by_hand);
    // The session knows the best epoch.
    for result in [&whole, &resumed] {
        assert!(matches!(result.outcome, Outcome::LastEpoch), "{result}");
        assert_eq!(
            (result.best_epoch, result.best_value),
            (best.check(), stop.best())
        );
        assert_eq!(result.best_epoch, Some(EPOCHS));
    }
    assert_eq!(numbers(&whole.best_model().unwrap()), by_hand[1]);
    // A run that does not diverge is the same with and without it.
    let calm = |net: &Net| (Diverges { at: 99 }, self::ema(net), tricks(net).2);
    let without = |net: &Net| self::ema(net);
    assert_eq!(both(&run(calm, EPOCHS)), both(&run(without, EPOCHS)));
}

#[test]
fn the_rate_of_the_step_is_logged_with_the_factor_of_the_roll_backs() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let session = session(folder.path(), &EpochClock::new())
        .stop_early(SampleLossMetric::new(), patience(9))
        .metric_train_numeric(LearningRateMetric::new());
    let back = |_: &Net| {
        let back = RollBackTrick::<Net>::init(&RollBackConfig::new(2)).unwrap();
        (Diverges { at: 5 }, back)
    };
    launch(session, back, EPOCHS).unwrap();
    let mut log = FileMetricLogger::new(folder.path());
    let mut rates = |metric: &str, epoch| -> Vec<f64> {
        let entries = log.read_numeric(metric, epoch, &Split::Train).unwrap();
        entries.iter().map(|entry| entry.current()).collect()
    };
    for (epoch, factor) in [(1, 1.0), (2, 1.0), (3, 0.5), (4, 0.5)] {
        let of_schedule = rates("Learning Rate", epoch);
        let of_step = rates("Learning Rate after Roll-Backs", epoch);
        assert!(of_step.len() >= 3, "{of_step:?}");
        assert_eq!(of_step.len(), of_schedule.len());
        for (step, schedule) in of_step.into_iter().zip(of_schedule) {
            let expected = schedule * factor;
            assert!(
                (step - expected).abs() < 1e-12,
                "epoch {epoch}: {step}, {expected}"
            );
        }
    }
}

/// The fifth step's gradients are NaN, and then the estimate of the learning rate, which an optimizer's clones share.
#[test]
fn transforms_go_back_with_the_weights() {
    #[derive(Debug)]
    struct Poisons;

    impl<M: Module> Trick<M> for Poisons {
        fn sees_gradients(&self) -> bool {
            true
        }

        fn before(
            &mut self,
            model: &M,
            grads: GradientsParams,
            step: &StepContext,
        ) -> GradientsParams {
            let factor = if step.step() == 5 { f64::NAN } else { 1.0 };
            burn_tricks::grad::scale_gradients(model, grads, factor)
        }
    }

    let _alone = alone();
    // Sessions of one process each, if it is interrupted.
    let run = |sessions: &[usize]| {
        let folder = tempfile::tempdir().unwrap();
        let mut last = None;
        for epochs in sessions {
            let net = net();
            let prodigy = ProdigyConfig::new().with_first_distance(1e-2);
            let prodigy = prodigy.init(&net).unwrap();
            let noise = GradNoiseConfig::new(1e-3).init().unwrap();
            let back = RollBackTrick::<Net>::init(&RollBackConfig::new(2)).unwrap();
            let tricks = (Poisons, Some(noise), vec![prodigy.clone()], Box::new(back));
            let learner = Learner::new(net.with_tricks(tricks), prodigy.optimizer(), 1.0);
            let session = session(folder.path(), &EpochClock::new());
            let session = session.stop_early(SampleLossMetric::new(), patience(9));
            let session = session.resumable(2).unwrap().num_epochs(*epochs);
            let result = session.launch(learner).unwrap();
            assert_eq!(result.model.tricks().3.done(), usize::from(*epochs > 1));
            let distance = prodigy.distance().unwrap().into_scalar::<f64>();
            last = Some((numbers(result.model.model()), distance, result.last_epoch));
        }
        last.unwrap()
    };
    let (weights, distance, epoch) = run(&[EPOCHS]);
    assert_eq!(epoch, Some(EPOCHS));
    assert!(weights.iter().all(|weight| weight.is_finite()));
    assert!(distance.is_finite(), "{distance}");
    assert_eq!(run(&[1, 2, 3, EPOCHS]), (weights, distance, epoch));
}

/// A schedule that repeats its rate after a skipped step compares their number with what it has seen.
#[test]
fn the_number_of_skipped_steps_stays_in_a_roll_back() {
    let guard = || StepGuard::new().then(AutoClipConfig::new().init().unwrap());
    let scaler = LossScalerConfig::new().init().unwrap();
    assert!(Trick::<Net>::roll_back_state(&StepGuard::new()).is_none());
    assert!(Trick::<Net>::roll_back_state(&scaler).is_none());
    let mut tricks = (StepGuard::new(), Some(scaler), AsTrick(guard()));
    let kept = Trick::<Net>::roll_back_state(&tricks).unwrap();
    tricks.0.skips().add();
    tricks.2.0.first().skips().add();
    Trick::<Net>::load_roll_back_state(&mut tricks, &kept).unwrap();
    assert_eq!((tricks.0.skipped(), tricks.2.0.first().skipped()), (1, 1));
}

#[test]
fn a_state_that_cannot_go_back_is_an_error_that_names_the_trick() {
    #[derive(Debug)]
    struct Stubborn;

    impl<M: Module> Trick<M> for Stubborn {
        fn roll_back_state(&self) -> Option<Vec<u8>> {
            Some(Vec::new())
        }

        fn load_roll_back_state(&mut self, _: &[u8]) -> Result<(), StateError> {
            Err("it stays".into())
        }
    }

    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let session = session(folder.path(), &EpochClock::new());
    let session = session.stop_early(SampleLossMetric::new(), patience(9));
    let tricks = |_: &Net| {
        let back = RollBackTrick::<Net>::init(&RollBackConfig::new(1)).unwrap();
        (Diverges { at: 5 }, back, vec![Stubborn])
    };
    let error = launch(session, tricks, EPOCHS).unwrap_err();
    let said = error.cause.to_string();
    let expected = "trick 3 (Stubborn): the saved state does not fit: it stays";
    assert!(said.contains(expected), "{said}");
    // A single trick, and one of a list.
    let kept = Trick::<Net>::roll_back_state(&(Stubborn, Stubborn)).unwrap();
    let noise = || GradNoiseConfig::new(0.1).init().unwrap();
    let put_back = Trick::<Net>::load_roll_back_state(&mut (noise(), noise()), &kept);
    let said = put_back.unwrap_err().to_string();
    assert!(said.starts_with("trick 1 (GradNoise): "), "{said}");
}

#[test]
fn a_run_that_went_back_often_enough_ends() {
    let _alone = alone();
    let tricks = |times| {
        move |_: &Net| {
            let back = RollBackTrick::<Net>::init(&RollBackConfig::new(times));
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
            let back = RollBackTrick::<Net>::init(&RollBackConfig::new(1)).unwrap();
            if goes_back {
                back.on_no_improvement()
            } else {
                back
            }
        }
    };
    let reason = Some(StopReason::NoImprovement { checks: 1 });
    // No loss is smaller than a hundredth of the first.
    let stop = || {
        EarlyStoppingConfig::new(Goal::Minimize)
            .with_patience(1)
            .with_min_delta(burn_tricks::MinDelta::Relative(0.99))
            .init()
            .unwrap()
    };
    let ended = run_until(stop(), impatient(false), EPOCHS);
    assert_eq!(
        (ended.outcome.stop_reason(), ended.last_epoch),
        (reason, Some(2))
    );
    let later = run_until(stop(), impatient(true), EPOCHS);
    assert_eq!(
        (later.outcome.stop_reason(), later.last_epoch),
        (reason, Some(3))
    );
    assert_eq!(later.model.tricks().done(), 1);
    // Also if it stands beside a least number of checks, here of the second epoch.
    for back in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let least = CheckLimitConfig::new(2).init().unwrap();
        let stop = All::init((stop(), least)).unwrap();
        let session = session(folder.path(), &EpochClock::new());
        let session = session.stop_early(SampleLossMetric::new(), stop);
        let ended = launch(session, impatient(back), EPOCHS).unwrap();
        assert_eq!(ended.outcome.stop_reason(), reason);
        assert_eq!(ended.last_epoch, Some(if back { 3 } else { 2 }));
        assert_eq!(ended.model.tricks().done(), usize::from(back));
    }
    // Also if no loss beats the baseline.
    let baseline = || {
        EarlyStoppingConfig::new(Goal::Minimize)
            .with_patience(2)
            .with_baseline(Some(-1.0))
            .init()
            .unwrap()
    };
    let reason = Some(StopReason::BaselineNotBeaten {
        baseline: -1.0,
        checks: 2,
    });
    for (goes_back, last, done) in [(false, 2, 0), (true, 4, 1)] {
        let ended = run_until(baseline(), impatient(goes_back), EPOCHS);
        assert_eq!(
            (ended.outcome.stop_reason(), ended.last_epoch),
            (reason, Some(last))
        );
        assert_eq!(ended.model.tricks().done(), done);
    }
    let config = RollBackConfig::new(1).with_lr_factor(2.0);
    let error = RollBackTrick::<Net>::init(&config).unwrap_err();
    assert!(error.to_string().contains("lr_factor"), "{error}");
}

/// A second criterion, on the training split, and a limit, when the fifth step diverges.
#[test]
fn a_run_goes_back_whatever_else_diverged_and_stops_at_a_limit() {
    let _alone = alone();
    let run = |limit: usize| {
        let folder = tempfile::tempdir().unwrap();
        let session = session(folder.path(), &EpochClock::new());
        let session = session
            .stop_early(SampleLossMetric::new(), patience(9))
            .stop_early_on_train(SampleLossMetric::new(), patience(9));
        let limit = CheckLimitConfig::new(limit).init().unwrap();
        let session = session.stop_early(SampleLossMetric::new(), limit);
        let back = |_: &Net| {
            let back = RollBackTrick::<Net>::init(&RollBackConfig::new(1)).unwrap();
            (Diverges { at: 5 }, back)
        };
        launch(session, back, EPOCHS).unwrap()
    };
    let whole = run(9);
    assert!(matches!(whole.outcome, Outcome::LastEpoch), "{whole}");
    assert_eq!(whole.model.tricks().1.done(), 1);
    let limited = run(2);
    let reason = StopReason::CheckLimit { checks: 2 };
    assert_eq!(limited.outcome.stop_reason(), Some(reason));
    assert_eq!(limited.model.tricks().1.done(), 1);
    // Also of the criterion that it obeys, wherever the limit stands in it.
    let within = |limit, limit_first: bool, times| {
        let folder = tempfile::tempdir().unwrap();
        let session = session(folder.path(), &EpochClock::new());
        let limit = CheckLimitConfig::new(limit).init().unwrap();
        let back = |_: &Net| {
            let back = RollBackTrick::<Net>::init(&RollBackConfig::new(times)).unwrap();
            (Diverges { at: 5 }, back)
        };
        let metric = SampleLossMetric::new();
        let session = if limit_first {
            session.stop_early(metric, Any::init((limit, patience(9))).unwrap())
        } else {
            session.stop_early(metric, Any::init((patience(9), limit)).unwrap())
        };
        launch(session, back, EPOCHS).unwrap()
    };
    for limit_first in [false, true] {
        let whole = within(9, limit_first, 1);
        assert!(matches!(whole.outcome, Outcome::LastEpoch), "{whole}");
        assert_eq!(whole.model.tricks().1.done(), 1);
        let limited = within(2, limit_first, 1);
        assert_eq!(limited.outcome.stop_reason(), Some(reason));
        assert_eq!(
            (limited.last_epoch, limited.model.tricks().1.done()),
            (Some(2), 1)
        );
        let weights = numbers(&limited.last_model());
        assert!(weights.iter().all(|weight| weight.is_finite()));
        // What has failed does not look as if it had come to its end.
        let failed = within(2, limit_first, 0);
        let reason = Some(StopReason::NonFinite);
        assert_eq!(failed.outcome.stop_reason(), reason, "{limit_first}");
        assert_eq!(failed.last_epoch, Some(2));
    }
}

/// Nor does it if the limit is a criterion of its own, which was passed first.
#[test]
fn a_limit_of_another_criterion_does_not_hide_a_divergence() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let limit = CheckLimitConfig::new(2).init().unwrap();
    let session = session(folder.path(), &EpochClock::new())
        .stop_early(SampleLossMetric::new(), limit)
        .stop_early(SampleLossMetric::new(), patience(9));
    let failed = launch(session, |_| Diverges { at: 5 }, EPOCHS).unwrap();
    assert_eq!(failed.last_epoch, Some(2));
    assert_eq!(failed.outcome.stop_reason(), Some(StopReason::NonFinite));
}

/// A trick that goes back whatever the criterion says.
#[test]
fn a_limit_ends_a_run_that_goes_back_for_another_reason() {
    #[derive(Debug)]
    struct Back;

    impl<M: Module> Trick<M> for Back {
        fn epoch_end(
            &mut self,
            model: M,
            epoch: &mut EpochContext<'_, M>,
        ) -> Result<M, TrickError> {
            epoch.roll_back();
            Ok(model)
        }
    }

    let _alone = alone();
    let run = |limit, limit_first: bool| {
        let folder = tempfile::tempdir().unwrap();
        let session = session(folder.path(), &EpochClock::new());
        let limit = CheckLimitConfig::new(limit).init().unwrap();
        // No loss is smaller than a hundredth of the first.
        let tired = EarlyStoppingConfig::new(Goal::Minimize)
            .with_patience(1)
            .with_min_delta(burn_tricks::MinDelta::Relative(0.99))
            .init()
            .unwrap();
        let metric = SampleLossMetric::new();
        let session = if limit_first {
            session.stop_early(metric, Any::init((limit, tired)).unwrap())
        } else {
            session.stop_early(metric, Any::init((tired, limit)).unwrap())
        };
        launch(session, |_| Back, EPOCHS).unwrap()
    };
    for limit_first in [true, false] {
        assert!(matches!(run(9, limit_first).outcome, Outcome::LastEpoch));
        let limited = run(2, limit_first);
        let reason = StopReason::CheckLimit { checks: 2 };
        assert_eq!(limited.outcome.stop_reason(), Some(reason));
        assert_eq!(limited.last_epoch, Some(2));
    }
}

/// Patience that knows the noise has no standard error of a loss that is NaN, and needs none.
#[test]
fn noise_aware_patience_sends_a_run_back() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let session = noise_aware(folder.path(), three_batches());
    let back = RollBackTrick::<Net>::init(&RollBackConfig::new(1)).unwrap();
    let model = net().with_tricks((Diverges { at: 5 }, back));
    let result = session
        .launch(Learner::new(model, adam(), schedule()))
        .unwrap();
    assert_eq!(result.model.tricks().1.done(), 1);
    assert!(
        numbers(result.model.model())
            .iter()
            .all(|number| number.is_finite())
    );
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
    refused(&["las"], "got \"las\"; similar names are \"last\"");
    refused(
        &["norm.running_mean"],
        "name weights that are trained, got \"norm.running_mean\"",
    );
    refused(&["last", "last.weight"], "no group before does");
    let error = config(&["last"]).with_every_epochs(0).init(&begun);
    assert!(error.unwrap_err().to_string().contains("every_epochs"));
    // A star is one part of a path.
    let biases = config(&["*.bias", "last"]).init(&begun).unwrap();
    let biases = biases.apply(begun.clone(), 1);
    assert!(biases.first.bias.unwrap().is_require_grad());
    assert!(biases.last.bias.unwrap().is_require_grad());
    assert!(!biases.last.weight.is_require_grad());
    let trick = tricks(&begun);
    assert_eq!(trick.trained_groups(2), ["last"]);
    assert_eq!(trick.trained_groups(9), ["last", "first.weight"]);
    let late = GradualUnfreezingConfig::for_paths(["last", "norm", "first"]);
    let late = late.with_every_epochs(usize::MAX).init(&begun).unwrap();
    for epoch in [1, 9] {
        assert_eq!(late.trained_groups(epoch), ["last"]);
    }

    // An epoch of its own for each group, in any order.
    let at = |epochs: &[usize]| {
        let config = config(&["first.weight", "last", "norm"]);
        config.with_begin_epochs(Some(epochs.to_vec()))
    };
    let trick = at(&[4, 1, 2]).init(&begun).unwrap();
    assert_eq!(trick.trained_groups(1), ["last"]);
    assert_eq!(trick.trained_groups(3), ["last", "norm"]);
    let trains = |epoch| {
        let net = trick.apply(begun.clone(), epoch);
        [
            net.first.weight.is_require_grad(),
            net.last.weight.is_require_grad(),
            net.norm.gamma.is_require_grad(),
        ]
    };
    assert_eq!(trains(1), [false, true, false]);
    assert_eq!(trains(2), [false, true, true]);
    assert_eq!(trains(4), [true, true, true]);
    // Of two groups with the same weight, the one that begins first.
    let config = GradualUnfreezingConfig::for_paths(["first", "*.bias"]);
    let trick = config.with_begin_epochs(Some(vec![4, 1])).init(&begun);
    let net = trick.unwrap().apply(begun.clone(), 1);
    assert!(net.first.bias.unwrap().is_require_grad());
    assert!(!net.first.weight.is_require_grad());
    for epochs in [&[1, 2][..], &[2, 3, 4], &[0, 1, 1]] {
        let error = at(epochs).init(&begun).unwrap_err().to_string();
        assert!(error.contains(&format!("`begin_epochs` must have an epoch of at least 1 for each group, and 1 for one of them, got {epochs:?}")), "{error}");
    }
}

/// The layer that is trained first has an optimizer without a state, and the others one with a state.
#[test]
fn a_run_that_has_not_unfrozen_what_has_a_state_is_resumed() {
    let _alone = alone();
    let launch = |folder: &Path, epochs, optimizer| {
        let net = net();
        let unfreezing = GradualUnfreezingConfig::for_paths(["last", "first"]);
        let unfreezing = unfreezing.with_every_epochs(2).init(&net).unwrap();
        let learner = Learner::new(net.with_tricks(unfreezing), optimizer, schedule());
        let session = session(folder, &EpochClock::new()).resumable(2).unwrap();
        session.num_epochs(epochs).launch(learner)
    };
    let mixed = || {
        let first = ParamGroup::from_regex("^(first|norm)").unwrap();
        let sgd = burn::optim::SgdConfig::new().init();
        sgd.with_group(first, AdamConfig::new().build(), None)
    };
    let folder = tempfile::tempdir().unwrap();
    let whole = launch(folder.path(), EPOCHS, mixed()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for epochs in 1..=EPOCHS {
        let resumed = launch(folder.path(), epochs, mixed()).unwrap();
        assert_eq!(resumed.resumed_after, (epochs > 1).then_some(epochs - 1));
        if epochs == 1 {
            // Another optimizer of the layer that is trained is a change.
            let error = launch(folder.path(), 2, adam()).unwrap_err();
            assert!(error.to_string().contains("optimizer state"), "{error}");
        }
        if epochs == EPOCHS {
            assert_eq!(both(&resumed), both(&whole));
        }
    }
}

/// Nine steps in three epochs: the rate of the next step, held at the end of the curve.
#[test]
fn a_dropout_rate_follows_its_curve() {
    let _alone = alone();
    let ramp = || LinearRampConfig::new(0.0, 0.5, 5).init().unwrap();
    let scheduled = |_: &Net| {
        ScheduledDropout::init(ramp(), 6, |net: &mut Net, rate| net.dropout.prob = rate).unwrap()
    };
    let rate = |net: &Net| net.dropout.prob;
    // Three steps per epoch, counted in the session.
    for epochs in 1..=3 {
        let result = run(scheduled, epochs);
        let expected = ramp().at((3 * epochs as u64).min(5));
        assert_eq!(
            rate(result.model.model()),
            expected,
            "after {epochs} epochs"
        );
    }
    assert_eq!(both(&interrupted(scheduled, 3)), both(&run(scheduled, 3)));
    // The first step has the first rate of the curve, not the 0.3 that the network was made with.
    let off = |_: &Net| {
        ScheduledDropout::init(0.0, 1, |net: &mut Net, rate| net.dropout.prob = rate).unwrap()
    };
    let made_without = {
        let mut net = net();
        net.dropout.prob = 0.0;
        let folder = tempfile::tempdir().unwrap();
        let session = session(folder.path(), &EpochClock::new());
        let session = session.stop_early(SampleLossMetric::new(), patience(9));
        let learner = Learner::new(net.with_tricks(()), adam(), schedule());
        session.num_epochs(2).launch(learner).unwrap()
    };
    let set_to_zero = run(off, 2);
    assert_eq!(
        numbers(set_to_zero.model.model()),
        numbers(made_without.model.model())
    );
    // Skipped steps count, as they do for a schedule.
    let mut trick = scheduled(&net());
    let skipped = trick.after(net(), &StepContext::new(3, 0.1).with_skipped(true));
    assert_eq!(rate(&skipped), ramp().at(3));
    assert_eq!(
        Trick::<Net>::rebuilt(&trick, net()).dropout.prob,
        ramp().at(3)
    );
    Trick::<Net>::restart(&mut trick, &net());
    assert_eq!(Trick::<Net>::rebuilt(&trick, net()).dropout.prob, 0.0);
    let refused = |curve: f64, steps| {
        let init =
            ScheduledDropout::init(curve, steps, |net: &mut Net, rate| net.dropout.prob = rate);
        init.unwrap_err().to_string()
    };
    assert!(refused(1.0, 3).contains("`rate` must lie in [0, 1), got 1.0"));
    assert!(refused(f64::NAN, 3).contains("got NaN"));
    assert!(refused(0.5, 0).contains("`steps`"));
}

#[test]
fn the_file_holds_the_best_model_as_it_was_validated() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("best.bpk");
    let load = || numbers(&Net::seeded(2, &Device::flex()).load_file(&path).valid());
    // The worst is the first.
    for goal in [Goal::Minimize, Goal::Maximize] {
        let tricks = |net: &Net| (self::ema(net), SaveBest::new(&path));
        let session = |folder: &Path| {
            let stop = EarlyStoppingConfig::new(goal).with_patience(99);
            let session = session(folder, &EpochClock::new());
            session.stop_early(SampleLossMetric::new(), stop.init().unwrap())
        };
        let result = launch(session(folder.path()), tricks, EPOCHS).unwrap();
        assert_eq!(load(), numbers(&result.best_model().unwrap()), "{goal:?}");
        assert_eq!(result.model.tricks().1.best(), result.best_value);
        let (whole, best) = (load(), result.best_value);
        std::fs::remove_file(&path).unwrap();
        let resumed = tempfile::tempdir().unwrap();
        for epochs in 1..=EPOCHS {
            let session = session(resumed.path()).resumable(2).unwrap();
            let result = launch(session, tricks, epochs).unwrap();
            let saved = result.model.tricks().1.best();
            assert!(epochs < EPOCHS || saved == best, "{goal:?}: {saved:?}");
        }
        assert_eq!(load(), whole, "{goal:?}, interrupted");
    }
}

/// The checkpoint of an epoch has what the tricks gave back; its model is the one that was validated.
#[test]
fn the_best_model_is_as_it_was_validated_whatever_became_of_it() {
    let _alone = alone();
    /// Makes every weight NaN at the end of the epoch.
    #[derive(Debug)]
    struct Ruins;

    impl<M: Module> Trick<M> for Ruins {
        fn epoch_end(&mut self, model: M, _: &mut EpochContext<'_, M>) -> Result<M, TrickError> {
            Ok(diverged(model))
        }
    }

    let expected = [
        numbers(run(|_| (), 1).model.model()),
        numbers(&run(self::ema, 1).model.into_validated()),
    ];
    for (average, expected) in [false, true].into_iter().zip(expected) {
        for resumable in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let session = session(folder.path(), &EpochClock::new());
            let session = session.stop_early(SampleLossMetric::new(), patience(9));
            let session = if resumable {
                session.resumable(2).unwrap()
            } else {
                session
            };
            let tricks = |net: &Net| (average.then(|| self::ema(net)), Ruins);
            let result = launch(session, tricks, 1).unwrap();
            let best = result.best_model().unwrap();
            assert_eq!(
                numbers(&best),
                expected,
                "average {average}, resumable {resumable}"
            );
            let trained = numbers(&result.model.into_trained());
            assert!(trained.iter().any(|number| number.is_nan()));
        }
    }
}

#[test]
fn a_session_without_a_criterion_or_a_metric_is_an_error_that_names_the_trick() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("best.bpk");
    // A limit of checks says nothing of the best epoch.
    let limit = CheckLimitConfig::new(3).init().unwrap();
    let limited = session(folder.path(), &EpochClock::new());
    let limited = limited.stop_early(SampleLossMetric::new(), limit);
    let save = || -> Vec<Box<dyn Trick<Net>>> { vec![Box::new(SaveBest::new(&path))] };
    let error = launch(limited, |net| (self::ema(net), Some(save())), 1).unwrap_err();
    assert!(error.partial.is_none());
    assert_eq!(
        error.cause.to_string(),
        "`SaveBest` needs to know which epoch is the best: call `stop_early` with a criterion that looks at its \
         metric, such as `EarlyStopping`"
    );
    let back = |_: &Net| RollBackTrick::<Net>::init(&RollBackConfig::new(1)).unwrap();
    let error = launch(session(folder.path(), &EpochClock::new()), back, 1).unwrap_err();
    assert!(matches!(&error.cause, SessionError::NoCriterion { by } if by == "RollBackTrick"));
    let net = net();
    let by_hand = Trick::epoch_end(
        &mut back(&net),
        net.clone(),
        &mut EpochContext::new(1, &net),
    );
    let error = by_hand.unwrap_err().to_string();
    assert!(
        error.starts_with("the best epoch is unknown, since the session has no criterion"),
        "{error}"
    );
    let error = launch(
        session(folder.path(), &EpochClock::new()),
        |_| Noise::default(),
        1,
    )
    .unwrap_err();
    assert_eq!(
        error.cause.to_string(),
        "trick 1 (Noise): the metric `Loss Standard Error` has no value for the split `valid` of epoch 1: register \
         it with `metrics` of the session"
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

/// Three batches in the first epoch, and one in those after it.
struct Shrinks {
    passes: Arc<AtomicUsize>,
    three: Arc<dyn DataLoader<Batch>>,
    one: Arc<dyn DataLoader<Batch>>,
}

impl DataLoader<Batch> for Shrinks {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<Batch> + 'a> {
        if self.passes.fetch_add(1, Ordering::Relaxed) == 0 {
            self.three.iter()
        } else {
            self.one.iter()
        }
    }

    fn num_items(&self) -> usize {
        self.three.num_items()
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<Batch>> {
        Arc::new(Self {
            passes: self.passes.clone(),
            three: self.three.to_device(device),
            one: self.one.to_device(device),
        })
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<Batch>> {
        self.three.slice(start, end)
    }
}

/// Any difference is within a million standard errors.
fn noise_aware<H: Trick<Net> + 'static>(
    folder: &Path,
    valid: Arc<dyn DataLoader<Batch>>,
) -> Session<Net, H> {
    let clock = EpochClock::new();
    let stop = NoiseAwareConfig::new(Goal::Minimize)
        .with_standard_errors(1e6)
        .with_max_undecided(Some(2))
        .init()
        .unwrap();
    Session::new(folder, train_loader(&clock), valid)
        .with_clock(&clock)
        .configure(|training| training.num_epochs(EPOCHS).with_application_logger(None))
        .stop_early(SampleLossMetric::new(), stop)
}

#[test]
fn patience_knows_the_noise_of_the_metric() {
    let _alone = alone();
    let learner = || Learner::new(net().with_tricks(Noise::default()), adam(), schedule());
    let folder = tempfile::tempdir().unwrap();
    let session = noise_aware(folder.path(), three_batches());
    let result = session.launch(learner()).unwrap();
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
    // One batch has no standard error, without which it is no criterion.
    let folder = tempfile::tempdir().unwrap();
    let session = noise_aware(folder.path(), valid_loader());
    let error = session.resumable(2).unwrap().launch(learner()).unwrap_err();
    let text = "the metric `Loss Standard Error` has no value for epoch 1: a standard error needs at least two \
                validation batches, so validate in smaller batches";
    assert_eq!(error.cause.to_string(), text);
    assert!(matches!(error.cause, SessionError::MissingMetric(_)));
    // The epoch that it could not judge is trained again.
    let session = noise_aware(folder.path(), three_batches());
    let mended = session.resumable(2).unwrap().launch(learner()).unwrap();
    assert_eq!(mended.resumed_after, None);
    // So is the second epoch, if it is that one, and no trick has failed with it.
    let learner = || Learner::new(net().with_tricks(()), adam(), schedule());
    let folder = tempfile::tempdir().unwrap();
    let shrinks = Shrinks {
        passes: Arc::default(),
        three: three_batches(),
        one: valid_loader(),
    };
    let session = noise_aware(folder.path(), Arc::new(shrinks));
    let error = session.resumable(2).unwrap().launch(learner()).unwrap_err();
    assert_eq!(error.cause.to_string(), text.replace("epoch 1", "epoch 2"));
    let session = noise_aware(folder.path(), three_batches());
    let mended = session.resumable(2).unwrap().launch(learner()).unwrap();
    assert_eq!(mended.resumed_after, Some(1));
    assert_eq!(mended.last_epoch, Some(3));
}
