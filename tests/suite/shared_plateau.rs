//! A schedule told of its metric elsewhere: what its clones share, and what they do not.

use crate::counter::{counting, learner, weight};
use crate::models::alone;
use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::module::{ParamGroup, ParamId};
use burn::train::metric::LossMetric;
use burn_tricks::prelude::*;
use burn_tricks::schedule::{Boxed, Cosine, Patience, ReduceOnPlateau};
use burn_tricks::train::{SessionError, SharedPlateau};

fn halved() -> PlateauConfig {
    PlateauConfig::new(Goal::Minimize)
        .with_factor(0.5)
        .with_patience(Patience::Reached(1))
}

fn cosine() -> ReduceOnPlateau<Cosine> {
    let cosine = CosineConfig::new(1.0, 8).init().unwrap();
    cosine.reduced_on_plateau(&halved()).unwrap()
}

fn rates(schedule: &mut impl LrScheduler, count: usize) -> Vec<f64> {
    (0..count).map(|_| schedule.step()).collect()
}

#[test]
fn a_warm_up_around_it_does_not_move_it() {
    let plateau = SharedPlateau::new(cosine());
    let mut schedule = plateau.clone().with_warmup(WarmupConfig::new(4)).unwrap();
    let after_one = 0.5 * (1.0 + (std::f64::consts::PI / 8.0).cos());
    assert_eq!(
        rates(&mut schedule, 6),
        [0.0, 0.25, 0.5, 0.75, 1.0, after_one]
    );
    // As one that is not shared, behind every wrapper.
    let wrapped = |schedule: ReduceOnPlateau<Cosine>, shared: bool| {
        let warmup = WarmupConfig::new(2);
        if shared {
            let schedule = SharedPlateau::new(schedule)
                .with_warmup(warmup.clone())
                .unwrap();
            let schedule = schedule.per_epoch(2).unwrap().with_warmup(warmup).unwrap();
            rates(
                &mut schedule.at_least(0.1).unwrap().then(20, 0.3).unwrap(),
                30,
            )
        } else {
            let schedule = schedule.with_warmup(warmup.clone()).unwrap();
            let schedule = schedule.per_epoch(2).unwrap().with_warmup(warmup).unwrap();
            rates(
                &mut schedule.at_least(0.1).unwrap().then(20, 0.3).unwrap(),
                30,
            )
        }
    };
    assert_eq!(wrapped(cosine(), true), wrapped(cosine(), false));
}

#[test]
fn what_is_observed_during_a_warm_up_reduces_its_target() {
    let plateau = SharedPlateau::new(1.0.reduced_on_plateau(&halved()).unwrap());
    let mut schedule = plateau.clone().with_warmup(WarmupConfig::new(4)).unwrap();
    assert_eq!(rates(&mut schedule, 2), [0.0, 0.25]);
    assert!(!plateau.observe(1.0) && plateau.observe(1.0));
    assert_eq!(plateau.scale(), 0.5);
    assert_eq!(rates(&mut schedule, 3), [0.25, 0.375, 0.5]);
}

#[test]
fn clones_share_the_scale_and_not_the_step() {
    let plateau = SharedPlateau::new(cosine());
    let (mut first, mut second) = (plateau.clone(), plateau.clone());
    let plain = rates(&mut cosine(), 8);
    assert_eq!(rates(&mut first, 3), plain[..3]);
    assert_eq!(rates(&mut second, 2), plain[..2], "it has not moved");
    first.observe(1.0);
    second.observe(1.0);
    assert_eq!(plateau.scale(), 0.5);
    assert_eq!(
        (first.step(), second.step()),
        (0.5 * plain[3], 0.5 * plain[2])
    );
}

#[test]
fn two_groups_step_it_once_each() {
    let head = ParamId::new();
    let plateau = SharedPlateau::new(cosine());
    let mut schedule = ModuleLrScheduler::new(plateau.clone())
        .with_group(ParamGroup::from_ids(vec![head]), plateau.clone());
    let plain = rates(&mut cosine(), 4);
    for rate in plain {
        let rates = schedule.step();
        assert_eq!(
            (rates.base(), rates.lr_from_param(head, None)),
            (rate, rate)
        );
    }
}

#[test]
fn its_record_is_that_of_the_schedule_with_what_was_observed() {
    let plateau = SharedPlateau::new(cosine());
    let mut schedule = plateau.clone();
    rates(&mut schedule, 3);
    plateau.observe(1.0);
    plateau.observe(1.0);
    let bytes = schedule.to_record().into_bytes().unwrap();
    let record = || LrSchedulerRecord::from_bytes(bytes.clone()).unwrap();
    let expected = rates(&mut schedule, 4);
    // Into another, of which somebody else holds a clone; and into one that is not shared.
    let other = SharedPlateau::new(cosine());
    let mut loaded = other.clone();
    loaded.load_record(record());
    assert_eq!(other.scale(), 0.5);
    assert_eq!(rates(&mut loaded, 4), expected);
    let mut alone = cosine();
    alone.load_record(record());
    assert_eq!(rates(&mut alone, 4), expected);
    // A record of something else changes nothing.
    other.observe(1.0);
    loaded.load_record(LrSchedulerRecord::new().with_scalar("momentum", 7_u64));
    assert_eq!(other.scale(), 0.25);
}

#[test]
fn a_session_reduces_it_behind_a_warm_up_and_resumes_there() {
    let _alone = alone();
    let run = |folder: &std::path::Path, epochs| {
        let plateau = SharedPlateau::new(1.0.reduced_on_plateau(&halved()).unwrap());
        let schedule = plateau.clone().with_warmup(WarmupConfig::new(2)).unwrap();
        let session = counting(folder).num_epochs(epochs);
        let session = session.without_clock();
        let session = session.reduce_on_plateau(LossMetric::new(), &plateau);
        let session = session.resumable(2).unwrap();
        let finished = session.launch(learner((), schedule)).unwrap();
        (weight(&finished.last_model()), plateau.scale())
    };
    let folder = tempfile::tempdir().unwrap();
    // One step per epoch, at 0, 0.5, 1, 1, 1, whose loss |w - 3| is 3, 2.5, 1.5, 0.5 and then 0.5: no
    // improvement. At half the rate 1, again none: a quarter.
    assert_eq!(run(folder.path(), 5), (3.5, 0.5));
    assert_eq!(run(folder.path(), 6), (4.0, 0.25), "resumed");
    let folder = tempfile::tempdir().unwrap();
    for epochs in 1..6 {
        run(folder.path(), epochs);
    }
    assert_eq!(
        run(folder.path(), 6),
        (4.0, 0.25),
        "killed after each epoch"
    );
}

#[test]
fn a_launch_that_is_refused_leaves_it_alone() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let launch = |batch_size: usize| {
        let plateau = SharedPlateau::new(1.0.reduced_on_plateau(&halved()).unwrap());
        let session = counting(folder.path()).num_epochs(6);
        let session = session.without_clock();
        let session = session.reduce_on_plateau(LossMetric::new(), &plateau);
        let session = session.declare("batch size", &batch_size).unwrap();
        let session = session.resumable(2).unwrap();
        let launched = session.launch(learner((), plateau.clone()));
        (launched.err().map(|error| error.cause), plateau.scale())
    };
    let (error, reduced) = launch(32);
    assert!(error.is_none() && reduced < 1.0);
    // The program that is refused may begin in another directory, with the schedule that it has.
    let (error, scale) = launch(64);
    assert!(matches!(error, Some(SessionError::Changed { .. })));
    assert_eq!(scale, 1.0);
    assert_eq!(launch(32).1, reduced, "what is resumed is loaded");
}

#[test]
fn a_plateau_that_is_not_in_the_learners_schedule_is_an_error() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let launch = |schedule: &dyn Fn(&SharedPlateau<Cosine>) -> Boxed| {
        let plateau = SharedPlateau::new(cosine());
        let schedule = schedule(&plateau);
        let session = counting(folder.path()).num_epochs(1);
        let session = session.reduce_on_plateau(LossMetric::new(), &plateau);
        let launched = session.launch(learner((), schedule));
        launched.err().map(|error| error.to_string())
    };
    let error = launch(&|_| cosine().boxed()).unwrap();
    assert!(
        error.contains("`Loss`") && error.contains("pass the same schedule"),
        "{error}"
    );
    assert!(launch(&|_| SharedPlateau::new(cosine()).boxed()).is_some());
    assert_eq!(launch(&|plateau| plateau.clone().boxed()), None);
    let warm = |plateau: &SharedPlateau<Cosine>| {
        let warm = plateau.clone().with_warmup(WarmupConfig::new(3)).unwrap();
        0.5.then(7, warm.per_epoch(2).unwrap()).unwrap().boxed()
    };
    assert_eq!(launch(&warm), None);
}
