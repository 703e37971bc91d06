//! Trainings that end after so many skipped steps in a row.

use crate::counter::{Counter, counting, learner, patience, weight};
use crate::models::alone;
use crate::tricked::{Own, Sum};
use burn::data::dataset::InMemDataset;
use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams, SgdConfig};
use burn::tensor::{Device, Tensor};
use burn::train::metric::LossMetric;
use burn::train::{Interrupter, Learner, SupervisedTraining};
use burn_tricks::prelude::*;
use burn_tricks::schedule::{GroupLrConfig, LinearRampConfig, LrGroup};
use burn_tricks::stop::{Any, CheckLimitConfig, RollBackConfig, StopReason};
use burn_tricks::train::{
    AsTrick, EpochClock, EpochContext, EpochLoaderConfig, Outcome, RollBackTrick, SessionResult,
    StepContext, StopAfterMarked, StopAfterSkips, Trick, TrickError,
};
use std::path::Path;

#[test]
fn a_training_stops_after_so_many_skipped_steps_in_a_row() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let loader = || {
        let bad = f64::INFINITY;
        let data = InMemDataset::new(vec![1.0, bad, 1.0, bad, bad, 1.0, 1.0]);
        let config = EpochLoaderConfig::new(1, 0).with_shuffle(false);
        config
            .init(data, Sum, &Device::flex(), &EpochClock::new())
            .unwrap()
    };
    let training = SupervisedTraining::new(folder.path(), loader(), loader())
        .num_epochs(2)
        .with_application_logger(None);
    let stop = StopAfterSkips::init(2, &training.interrupter()).unwrap();
    let model = Own::new().with_tricks((StepGuard::new(), stop));
    let result = training.launch(Learner::new(model, SgdConfig::new().init(), 0.5));
    let (guard, _) = &*result.model.tricks();
    assert_eq!((guard.taken(), guard.skipped()), (2, 3));
    let error = StopAfterSkips::init(0, &Interrupter::new()).unwrap_err();
    assert_eq!(error.to_string(), "`limit` must be at least 1, got 0");
    // A resumed run counts on.
    let step = |skipped| StepContext::new(1, 0.1).with_skipped(skipped);
    let interrupter = Interrupter::new();
    let mut first = StopAfterSkips::init(2, &interrupter).unwrap();
    Trick::<Own>::after(&mut first, Own::new(), &step(true));
    let state = Trick::<Own>::state(&first).unwrap();
    let mut resumed = StopAfterSkips::init(2, &interrupter).unwrap();
    Trick::<Own>::load_state(&mut resumed, &state).unwrap();
    assert!(!interrupter.should_stop());
    Trick::<Own>::after(&mut resumed, Own::new(), &step(true));
    assert!(interrupter.should_stop());
    // A run that is resumed where it was stopped, and skips again, is stopped again.
    let state = Trick::<Own>::state(&resumed).unwrap();
    let interrupter = Interrupter::new();
    let mut resumed = StopAfterSkips::init(2, &interrupter).unwrap();
    Trick::<Own>::load_state(&mut resumed, &state).unwrap();
    Trick::<Own>::after(&mut resumed, Own::new(), &step(true));
    assert!(interrupter.should_stop());
}

#[test]
fn marked_steps_in_a_row_stop_a_training_at_the_end_of_the_epoch() {
    let model = Own::new();
    let mut stop = StopAfterMarked::init(3).unwrap();
    let mut resumed = stop.clone();
    let (good, bad) = (1.0, f64::NAN);
    let epochs: [(&[f64], bool); 7] = [
        (&[bad, bad, good], false),
        (&[good, bad, bad], false),
        // The third in a row, over the end of an epoch.
        (&[bad, good, good], true),
        (&[good, bad, bad, good], false),
        (&[bad, bad, bad, good], true),
        (&[bad, bad, bad], true),
        // A run that is resumed although it was stopped.
        (&[good], false),
    ];
    for (at, (epoch, stops)) in epochs.into_iter().enumerate() {
        for trick in [&mut stop, &mut resumed] {
            for number in epoch {
                let mut grads = GradientsParams::new();
                let grad = Tensor::<1>::full([1], *number, &Device::flex());
                grads.register(model.weight.id, grad);
                let grads = trick.before(&model, grads, &StepContext::new(1, 0.1));
                assert_eq!(grads.len(), 1);
            }
            let mut context = EpochContext::new(at, &model);
            trick.epoch_end(model.clone(), &mut context).unwrap();
            assert_eq!(context.stop_reason().is_some(), stops, "epoch {at}");
        }
        // Saved at the end of an epoch and loaded in a new one.
        let state = Trick::<Own>::state(&resumed).unwrap();
        resumed = StopAfterMarked::init(3).unwrap();
        Trick::<Own>::load_state(&mut resumed, &state).unwrap();
    }
    assert!(StopAfterMarked::init(0).is_err());
}

#[test]
fn skipped_steps_in_a_row_stop_a_training_at_the_end_of_the_epoch() {
    let model = Own::new();
    let mut stop = StopAfterSkips::at_end_of_epoch(2).unwrap();
    let epochs: [(&[bool], bool); 4] = [
        (&[true, false, true], false),
        // The second in a row, over the end of an epoch.
        (&[true, false], true),
        (&[true, false], false),
        (&[true, true, false], true),
    ];
    for (at, (epoch, stops)) in epochs.into_iter().enumerate() {
        for skipped in epoch {
            let step = StepContext::new(1, 0.1).with_skipped(*skipped);
            stop.after(model.clone(), &step);
        }
        let mut context = EpochContext::new(at, &model);
        stop.epoch_end(model.clone(), &mut context).unwrap();
        let reason = stops.then_some(StopReason::NonFinite);
        assert_eq!(context.stop_reason(), reason, "epoch {at}");
    }
    // An epoch that is broken off and trained again.
    let state = Trick::<Own>::state(&stop).unwrap();
    for _ in 0..2 {
        stop.after(model.clone(), &StepContext::new(1, 0.1).with_skipped(true));
    }
    Trick::<Own>::load_state(&mut stop, &state).unwrap();
    stop.after(model.clone(), &StepContext::new(1, 0.1));
    let mut context = EpochContext::new(5, &model);
    stop.epoch_end(model.clone(), &mut context).unwrap();
    assert_eq!(context.stop_reason(), None);
    assert!(StopAfterSkips::at_end_of_epoch(0).is_err());
}

#[test]
fn a_guard_does_not_count_a_step_that_was_skipped_before() {
    let model = Own::new();
    let grads = |number: f64| {
        let mut grads = GradientsParams::new();
        let grad = Tensor::<1>::full([1], number, &Device::flex());
        grads.register(model.weight.id, grad);
        grads
    };
    let mut guard = StepGuard::new();
    let step = StepContext::new(1, 0.1);
    for grads in [grads(1.0), grads(f64::NAN), GradientsParams::new()] {
        let _ = guard.before(&model, grads, &step);
    }
    assert_eq!(
        (guard.taken(), guard.skipped(), guard.skipped_in_a_row()),
        (1, 1, 1)
    );
}

/// Makes the gradients of some steps NaN, and the weight of one, of whichever process.
#[derive(Debug)]
struct Bad {
    gradients: &'static [u64],
    weight: u64,
}

impl Trick<Counter> for Bad {
    fn sees_gradients(&self) -> bool {
        true
    }

    fn before(
        &mut self,
        model: &Counter,
        mut grads: GradientsParams,
        step: &StepContext,
    ) -> GradientsParams {
        if self.gradients.contains(&step.step()) {
            let grad = grads.remove::<1>(model.weight.id).unwrap();
            grads.register(model.weight.id, grad * f32::NAN);
        }
        grads
    }

    fn after(&mut self, model: Counter, step: &StepContext) -> Counter {
        if step.step() != self.weight {
            return model;
        }
        let nan = |weight: Tensor<1>| Tensor::from_inner(weight.inner() * f32::NAN).require_grad();
        Counter {
            weight: model.weight.map(nan),
        }
    }
}

/// One step in each epoch, in one session or in one for each epoch.
fn counted<H: Trick<Counter> + 'static>(
    epochs: usize,
    interrupted: bool,
    make: impl Fn() -> (H, ModuleLrScheduler),
) -> SessionResult<Counter, H> {
    let folder = tempfile::tempdir().unwrap();
    let until = |epochs| {
        let (tricks, schedule) = make();
        let session = counting(folder.path()).num_epochs(epochs);
        let session = session.stop_early(LossMetric::new(), patience(20));
        let session = session.without_clock().resumable(2).unwrap();
        session.launch(learner(tricks, schedule)).unwrap()
    };
    if interrupted {
        for epoch in 1..epochs {
            until(epoch);
        }
    }
    until(epochs)
}

fn back(times: usize) -> RollBackTrick<Counter> {
    RollBackTrick::init(&RollBackConfig::new(times)).unwrap()
}

/// The second step diverges in its weight, and its gradients are NaN, as those of the third are.
#[test]
fn a_run_that_goes_back_is_not_stopped_by_what_led_to_it() {
    let _alone = alone();
    fn check<H: Trick<Counter> + 'static>(times: usize, weighs: f64, make: impl Fn() -> H) {
        for interrupted in [false, true] {
            let make = || (make(), ModuleLrScheduler::new(1.0));
            let result = counted(6, interrupted, make);
            if times == 0 {
                // Nothing takes the run back, and the stop stands.
                let reason = Some(StopReason::NonFinite);
                assert_eq!(result.outcome.stop_reason(), reason, "{result}");
                assert_eq!(result.last_epoch, Some(2));
                continue;
            }
            assert!(matches!(result.outcome, Outcome::LastEpoch), "{result}");
            assert_eq!(weight(result.model.model()), weighs, "{result}");
        }
    }
    let skips = |limit| StopAfterSkips::at_end_of_epoch(limit).unwrap();
    let marks = |limit| StopAfterMarked::init(limit).unwrap();
    let bad = || Bad {
        gradients: &[2, 3],
        weight: 2,
    };
    let late = || Bad {
        gradients: &[2],
        weight: 2,
    };
    for times in [0, 1] {
        // At the limit in the epoch of the roll-back, whichever of the two is the first. A step at the rate 1, and four at
        // half of it.
        check(times, 3.0, || {
            (late(), StepGuard::new(), skips(1), back(times))
        });
        check(times, 3.0, || (late(), marks(1), back(times)));
        check(times, 3.0, || (late(), back(times), marks(1)));
    }
    // The step before the roll-back and the one after it are not two in a row.
    check(1, 2.5, || (bad(), StepGuard::new(), back(1), skips(2)));
    check(1, 2.5, || (bad(), marks(2), StepGuard::new(), back(1)));
}

/// A limit of a trick's own ends the run whatever else there is, wherever it stands among the tricks.
#[test]
fn another_reason_of_a_trick_ends_a_run_that_goes_back() {
    #[derive(Debug)]
    struct Limit;

    impl<M: Module> Trick<M> for Limit {
        fn epoch_end(
            &mut self,
            model: M,
            epoch: &mut EpochContext<'_, M>,
        ) -> Result<M, TrickError> {
            if epoch.epoch() == 2 {
                epoch.stop(StopReason::TimeLimit { seconds: 1.0 });
            }
            Ok(model)
        }
    }

    let _alone = alone();
    let stop = || StopAfterMarked::init(1).unwrap();
    let bad = || Bad {
        gradients: &[2],
        weight: 2,
    };
    let reason = Some(StopReason::TimeLimit { seconds: 1.0 });
    let first = counted(6, false, || {
        ((bad(), Limit, stop(), back(1)), ModuleLrScheduler::new(1.0))
    });
    assert_eq!(first.outcome.stop_reason(), reason);
    assert_eq!(
        (first.last_epoch, first.model.tricks().3.done()),
        (Some(2), 1)
    );
    let last = counted(6, true, || {
        ((bad(), stop(), back(1), Limit), ModuleLrScheduler::new(1.0))
    });
    assert_eq!(last.outcome.stop_reason(), reason);
    assert_eq!(
        (last.last_epoch, last.model.tricks().2.done()),
        (Some(2), 1)
    );
    // Of two reasons that are no divergence, the first counts.
    let model = Own::new();
    let mut context = EpochContext::new(1, &model);
    for (reason, counts) in [
        (StopReason::NonFinite, StopReason::NonFinite),
        (StopReason::Diverged { limit: 1.0 }, StopReason::NonFinite),
        (
            StopReason::CheckLimit { checks: 2 },
            StopReason::CheckLimit { checks: 2 },
        ),
        (StopReason::NonFinite, StopReason::CheckLimit { checks: 2 }),
        (
            StopReason::TimeLimit { seconds: 1.0 },
            StopReason::CheckLimit { checks: 2 },
        ),
    ] {
        context.stop(reason);
        assert_eq!(context.stop_reason(), Some(counts));
    }
}

/// Nothing says what an optimizer keeps before its first step.
#[test]
fn a_run_that_skipped_all_steps_so_far_is_resumed() {
    let _alone = alone();
    let launch = |folder: &Path, epochs, optimizer| {
        let bad = Bad {
            gradients: &[1, 2],
            weight: 0,
        };
        let session = counting(folder).num_epochs(epochs).without_clock();
        let session = session.resumable(2).unwrap();
        let model = Counter::new().with_tricks((bad, StepGuard::new()));
        session.launch(Learner::new(model, optimizer, 1.0))
    };
    let adam = || AdamConfig::new().init();
    let folder = tempfile::tempdir().unwrap();
    let whole = launch(folder.path(), 5, adam()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for epochs in 1..=5 {
        let resumed = launch(folder.path(), epochs, adam()).unwrap();
        assert_eq!(resumed.resumed_after, (epochs > 1).then_some(epochs - 1));
        if epochs == 5 {
            let weights = [whole.model.model(), resumed.model.model()].map(weight);
            assert_eq!(weights[0], weights[1]);
        }
    }
    // From its first step on the state of another optimizer is a change.
    let error = launch(folder.path(), 6, SgdConfig::new().init()).unwrap_err();
    assert!(error.to_string().contains("optimizer state"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let sgd = || burn_tricks::optim::SgdConfig::new().init().unwrap();
    for epochs in 1..=3 {
        launch(folder.path(), epochs, sgd()).unwrap();
    }
    let error = launch(folder.path(), 4, adam()).unwrap_err();
    assert!(error.to_string().contains("optimizer state"), "{error}");
}

#[test]
fn a_session_stops_at_the_end_of_an_epoch_with_too_many_skips_and_stays_stopped() {
    let _alone = alone();
    let make = || {
        let bad = Bad {
            gradients: &[2, 3, 5, 6, 7],
            weight: 0,
        };
        let stop = StopAfterSkips::at_end_of_epoch(3).unwrap();
        ((bad, StepGuard::new(), stop), ModuleLrScheduler::new(1.0))
    };
    for interrupted in [false, true] {
        let stopped = counted(9, interrupted, make);
        let reason = Some(StopReason::NonFinite);
        assert_eq!(stopped.outcome.stop_reason(), reason, "{stopped}");
        assert_eq!(stopped.last_epoch, Some(7));
        assert_eq!(weight(stopped.model.model()), 2.0);
    }
}

#[test]
fn a_run_that_a_trick_stopped_goes_on_if_the_trick_has_changed() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let launch = |limit, accepted: &[&str]| {
        let bad = Bad {
            gradients: &[2, 3, 4],
            weight: 0,
        };
        let stop = StopAfterSkips::at_end_of_epoch(limit).unwrap();
        let session = counting(folder.path()).num_epochs(6).without_clock();
        let session = session.resumable(2).unwrap();
        let session = session.accept_changes(accepted.iter().copied());
        session.launch(learner((bad, StepGuard::new(), stop), 1.0))
    };
    for accepted in [&[][..], &["trick 3"]] {
        let stopped = launch(2, accepted).unwrap();
        let reason = Some(StopReason::NonFinite);
        assert_eq!(stopped.outcome.stop_reason(), reason, "{stopped}");
        assert_eq!(stopped.last_epoch, Some(3));
    }
    let error = launch(100, &[]).unwrap_err();
    assert!(error.to_string().contains("trick 3"), "{error}");
    let resumed = launch(100, &["trick 3"]).unwrap();
    assert_eq!(resumed.resumed_after, Some(3));
    assert!(matches!(resumed.outcome, Outcome::LastEpoch), "{resumed}");
    assert_eq!(weight(resumed.model.model()), 3.0, "the steps 1, 5 and 6");
}

/// Makes the weight NaN in some steps.
#[derive(Debug)]
struct Spoils(&'static [u64]);

impl Trick<Counter> for Spoils {
    fn after(&mut self, model: Counter, step: &StepContext) -> Counter {
        let weight = step.step();
        if !self.0.contains(&weight) {
            return model;
        }
        let gradients = &[];
        Bad { gradients, weight }.after(model, step)
    }
}

/// One step in each epoch: those of the epochs 2 and 3 diverge.
#[test]
fn a_run_whose_roll_backs_were_used_up_goes_on_with_more_of_them() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let launch = |times, accepted: &[&str]| {
        let session = counting(folder.path()).num_epochs(6).without_clock();
        let session = session
            .stop_early(LossMetric::new(), patience(20))
            .stop_early(LossMetric::new(), patience(20))
            .resumable(2)
            .unwrap();
        let session = session.accept_changes(accepted.iter().copied());
        session.launch(learner((Spoils(&[2, 3]), back(times)), 1.0))
    };
    for accepted in [&[][..], &["trick 2"]] {
        let ended = launch(1, accepted).unwrap();
        let reason = Some(StopReason::NonFinite);
        assert_eq!(ended.outcome.stop_reason(), reason, "{ended}");
        assert_eq!(ended.last_epoch, Some(3));
    }
    let resumed = launch(3, &["trick 2"]).unwrap();
    assert_eq!(resumed.resumed_after, Some(3));
    assert!(matches!(resumed.outcome, Outcome::LastEpoch), "{resumed}");
    assert_eq!(resumed.model.tricks().1.done(), 2);
    // After the step at the rate 1, and in the fourth epoch back to it, two at a quarter of it.
    assert_eq!(weight(resumed.model.model()), 1.5);
}

/// In the epoch that the roll-backs do not suffice for, the second criterion has reached its limit.
#[test]
fn more_roll_backs_do_not_lift_a_limit() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let launch = |times, accepted: &[&str]| {
        let limit = CheckLimitConfig::new(3).init().unwrap();
        let session = counting(folder.path()).num_epochs(6).without_clock();
        let session = session
            .stop_early(LossMetric::new(), patience(20))
            .stop_early(LossMetric::new(), Any::init((patience(20), limit)).unwrap())
            .resumable(2)
            .unwrap();
        let session = session.accept_changes(accepted.iter().copied());
        let tricks = (Spoils(&[2, 3]), back(times));
        session.launch(learner(tricks, 1.0)).unwrap()
    };
    let ended = launch(1, &[]);
    assert_eq!(ended.last_epoch, Some(3));
    let reason = Some(StopReason::NonFinite);
    assert_eq!(ended.outcome.stop_reason(), reason, "{ended}");
    let resumed = launch(3, &["trick 2"]);
    assert_eq!(resumed.last_epoch, Some(3));
    // Nothing was trained, and the weights are those that diverged.
    assert_eq!(resumed.outcome.stop_reason(), reason, "{resumed}");
}

/// With and without going back for that reason. The losses are 2, 1, 0, 1 and, where it goes back to the third, 0.5.
#[test]
fn more_roll_backs_are_no_more_patience() {
    let _alone = alone();
    for goes_back in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let launch = |times, accepted: &[&str]| {
            let back = back(times);
            let back = if goes_back {
                back.on_no_improvement()
            } else {
                back
            };
            let session = counting(folder.path()).num_epochs(9).without_clock();
            let session = session.stop_early(LossMetric::new(), patience(1));
            let session = session.resumable(2).unwrap();
            let session = session.accept_changes(accepted.iter().copied());
            session.launch(learner(back, 1.0)).unwrap()
        };
        let reason = Some(StopReason::NoImprovement { checks: 1 });
        let ended = launch(1, &[]);
        assert_eq!(ended.outcome.stop_reason(), reason, "{ended}");
        assert_eq!(ended.last_epoch, Some(if goes_back { 5 } else { 4 }));
        let more = launch(2, &["trick 1"]);
        assert_eq!(more.resumed_after, ended.last_epoch);
        assert_eq!(more.outcome.stop_reason(), reason, "{more}");
        let (last, done) = if goes_back { (7, 2) } else { (4, 0) };
        assert_eq!(more.last_epoch, Some(last));
        assert_eq!(more.model.tricks().done(), done);
    }
}

/// The rates of steps that were taken: the line of the schedule, the warm-up of the group, half of it after a roll-back.
#[test]
fn a_session_repeats_the_rate_of_a_skipped_step() {
    let _alone = alone();
    let line = || LinearRampConfig::new(1.0, 0.0, 8).init().unwrap();
    let guard = || StepGuard::new().then(ClipGradNormConfig::new(9.0).init().unwrap());
    let bad = |weight| Bad {
        gradients: &[2, 3, 6],
        weight,
    };
    for interrupted in [false, true] {
        let groups = GroupLrConfig::of([LrGroup::new(["weight"], 1.0).with_warmup(4)]);
        let make = || {
            let guard = guard();
            let skips = guard.first().skips();
            let schedule = groups.init_repeating_skipped(&Counter::new(), line(), &skips);
            ((bad(0), guard), schedule.unwrap())
        };
        let result = counted(8, interrupted, make);
        let taken = 0.0 + 0.25 * 0.875 + 0.5 * 0.75 + 0.75 * 0.625 + 0.5;
        assert_eq!(weight(result.model.model()), taken);
        // The run goes back after the second step, and its skip is one that the schedule has not seen yet.
        let make = || {
            let guard = guard();
            let schedule = line().repeating_skipped(guard.first().skips());
            ((bad(2), AsTrick(guard), back(1)), schedule.into())
        };
        let result = counted(8, interrupted, make);
        assert_eq!(result.model.tricks().1.0.first().skipped(), 3);
        let taken = 1.0 + (0.875 + 0.75 + 0.625 + 0.5) / 2.0;
        assert_eq!(weight(result.model.model()), taken);
    }
}
