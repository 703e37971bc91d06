//! The numbers that tricks measure and Burn's dashboard shows.

use crate::models::{Net, alone, numbers, values};
use crate::net_training::session;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{GradientsAccumulator, GradientsParams, SgdConfig};
use burn::tensor::{Device, Tensor};
use burn::train::logger::{FileMetricLogger, MetricLogger as _};
use burn::train::metric::NumericEntry;
use burn::train::metric::store::Split;
use burn::train::{Learner, TrainStep};
use burn_tricks::grad::ClipGradNorm;
use burn_tricks::prelude::*;
use burn_tricks::train::{EpochClock, GradNorm, Trick, UpdateRatio};
use std::path::Path;

const RATE: f64 = 0.1;

fn clip() -> ClipGradNorm {
    ClipGradNormConfig::new(0.5).init().unwrap()
}

/// What an epoch logged of a metric: batch by batch, and its mean.
fn logged(folder: &Path, metric: &str, epoch: usize) -> (Vec<f64>, f64) {
    let entries = FileMetricLogger::new(folder).read_numeric(metric, epoch, &Split::Train);
    let (mut batches, mut mean) = (Vec::new(), f64::NAN);
    for entry in entries.unwrap() {
        match entry {
            NumericEntry::Value(value) => batches.push(value),
            NumericEntry::Aggregated {
                aggregated_value, ..
            } => batches.push(aggregated_value),
            NumericEntry::Final(value) => mean = value,
        }
    }
    (batches, mean)
}

/// Two epochs of three batches, measured or not. The weights at the end.
fn run(folder: &Path, measured: bool, accumulation: Option<usize>) -> Vec<f64> {
    let net = Net::seeded(1, &Device::flex().autodiff());
    let clock = EpochClock::new();
    let mut session = session(folder, &clock).num_epochs(2);
    if let Some(accumulation) = accumulation {
        session = session.configure(|training| training.grads_accumulation(accumulation));
    }
    let mut tricks: Box<dyn Trick<Net>> = Box::new(clip());
    if measured {
        tricks = Box::new((GradNorm::new(), clip(), UpdateRatio::new()));
    }
    let learner = Learner::new(net.with_tricks(tricks), SgdConfig::new().init(), RATE);
    numbers(session.launch(learner).unwrap().model.model())
}

/// The same run in plain numbers: the norm of each step's gradient, and the ratio of its update.
fn by_hand(accumulation: usize) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let device = Device::flex().autodiff();
    let mut net = Net::seeded(1, &device);
    let clock = EpochClock::new();
    let loader = crate::net_training::train_loader(&clock).to_device(&device);
    let mut optim = SgdConfig::new().init();
    let (mut norms, mut ratios) = (Vec::new(), Vec::new());
    for epoch in 1..=2 {
        clock.set(epoch);
        let batches: Vec<_> = loader.iter().map(Result::unwrap).collect();
        for batches in batches.chunks(accumulation) {
            let mut sum = GradientsAccumulator::new();
            for batch in batches {
                sum.accumulate(&net, TrainStep::step(&net, batch.clone()).grads);
            }
            let grads = sum.grads();
            norms.push(norm(&flat(&net, &grads)));
            let before = weights(&net);
            let grads = clip().apply(&net, grads);
            net = optim.step(RATE, net, grads);
            let update: Vec<f64> = weights(&net)
                .iter()
                .zip(&before)
                .map(|(after, before)| after - before)
                .collect();
            ratios.push(norm(&update) / norm(&before));
        }
    }
    (norms, ratios, numbers(&net.valid()))
}

/// What is trained, flat: weights, or their gradients.
struct Flat<'a>(Option<&'a GradientsParams>, Vec<f64>);

impl ModuleVisitor for Flat<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        match self.0 {
            Some(grads) => {
                let grad = grads.get::<D>(param.id);
                self.1.extend(grad.map(values).unwrap_or_default());
            }
            None if param.is_require_grad() => self.1.extend(values(param.val())),
            None => {}
        }
    }
}

fn flat(net: &Net, grads: &GradientsParams) -> Vec<f64> {
    let mut flat = Flat(Some(grads), Vec::new());
    net.visit(&mut flat);
    flat.1
}

fn weights(net: &Net) -> Vec<f64> {
    let mut flat = Flat(None, Vec::new());
    net.visit(&mut flat);
    flat.1
}

fn norm(numbers: &[f64]) -> f64 {
    numbers.iter().map(|x| x * x).sum::<f64>().sqrt()
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

const NORM: &str = "Gradient Norm";
const RATIO: &str = "Update Ratio";

#[test]
fn what_is_logged_is_what_was_measured() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let trained = run(folder.path(), true, None);
    let (norms, ratios, expected) = by_hand(1);
    assert_eq!(trained, expected, "the same run");
    for epoch in [1, 2] {
        let steps = (epoch - 1) * 3..epoch * 3;
        for (name, expected) in [
            (NORM, &norms[steps.clone()]),
            (RATIO, &ratios[steps.clone()]),
        ] {
            let (batches, of_epoch) = logged(folder.path(), name, epoch);
            crate::oracle::assert_close(&batches, expected, 1e-5, name);
            crate::oracle::assert_close(&[of_epoch], &[mean(expected)], 1e-5, name);
        }
    }
    assert!(
        norms.iter().any(|norm| *norm > 0.5),
        "some were clipped after"
    );
}

#[test]
fn two_of_them_have_names() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let clock = EpochClock::new();
    let (before, after) = (GradNorm::named("Before"), GradNorm::named("After"));
    let session = session(folder.path(), &clock).num_epochs(2);
    let net = Net::seeded(1, &Device::flex().autodiff());
    let tricks = (before, clip(), after);
    let learner = Learner::new(net.with_tricks(tricks), SgdConfig::new().init(), RATE);
    drop(session.launch(learner).unwrap());
    let (norms, ..) = by_hand(1);
    let clipped: Vec<f64> = norms.iter().map(|norm| norm.min(0.5)).collect();
    for (name, expected) in [("Before", &norms[3..]), ("After", &clipped[3..])] {
        let (batches, _) = logged(folder.path(), name, 2);
        crate::oracle::assert_close(&batches, expected, 1e-5, name);
    }
}

#[test]
fn with_accumulation_the_last_number_is_repeated() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), true, Some(2));
    let (norms, ..) = by_hand(2);
    assert_eq!(norms.len(), 4, "3 batches are two steps");
    for epoch in [1, 2] {
        let mine = &norms[(epoch - 1) * 2..epoch * 2];
        let (batches, of_epoch) = logged(folder.path(), NORM, epoch);
        // Metrics are read on another thread, later than the step or not: what is certain is that the
        // numbers come in order, that none is missing, and that there is a number as soon as there was one.
        assert!(
            batches.iter().all(|number| number.is_finite()),
            "{batches:?}"
        );
        assert!(
            batches.len() >= if epoch == 1 { 2 } else { 3 },
            "{batches:?}"
        );
        let mut distinct = batches.clone();
        distinct.dedup();
        let known = &norms[..epoch * 2];
        crate::oracle::assert_close(
            &distinct,
            &known[known.len() - distinct.len()..],
            1e-5,
            NORM,
        );
        crate::oracle::assert_close(&[of_epoch], &[mean(mine)], 1e-5, "each counts once");
    }
}

#[test]
fn measuring_changes_nothing() {
    let _alone = alone();
    for accumulation in [None, Some(2)] {
        let folder = tempfile::tempdir().unwrap();
        let measured = run(folder.path(), true, accumulation);
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(run(folder.path(), false, accumulation), measured);
    }
}
