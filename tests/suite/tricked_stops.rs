//! Trainings that end after so many skipped steps in a row.

use crate::models::alone;
use crate::tricked::{Own, Sum};
use burn::data::dataset::InMemDataset;
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{Device, Tensor};
use burn::train::{Interrupter, Learner, SupervisedTraining};
use burn_tricks::prelude::*;
use burn_tricks::stop::StopReason;
use burn_tricks::train::{
    EpochClock, EpochContext, EpochLoaderConfig, StepContext, StopAfterMarked, StopAfterSkips,
    Trick,
};

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
    let epochs: [(&[f64], bool); 5] = [
        (&[bad, bad, good], false),
        (&[good, bad, bad], false),
        // The third in a row, over the end of an epoch.
        (&[bad, good, good], true),
        (&[good, bad, bad, good], false),
        (&[bad, bad, bad, good], true),
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
