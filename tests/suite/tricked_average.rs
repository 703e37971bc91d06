//! The model that is validated where a trick has an average.

use crate::models::{Net, alone, numbers, values};
use crate::net_training::{Samples, schedule, session};
use crate::tricked::{Own, clip, ema, flex};
use burn::data::dataloader::batcher::Batcher;
use burn::module::Module;
use burn::optim::AdamConfig;
use burn::tensor::Device;
use burn::train::metric::LossMetric;
use burn::train::{InferenceStep, Learner};
use burn_tricks::average::{Ema, EmaSet};
use burn_tricks::prelude::*;
use burn_tricks::train::{EpochClock, Trick, Tricked};

#[test]
fn validation_uses_the_average() {
    let _alone = alone();
    let observed = |as_trained: bool| {
        let folder = tempfile::tempdir().unwrap();
        let net = Net::seeded(1, &flex());
        let average = ema(0.9, &net);
        let mut model = net.with_tricks((clip(), average));
        if as_trained {
            model = model.validated_as_trained();
        }
        let clock = EpochClock::new();
        let stop = EarlyStoppingConfig::new(Goal::Minimize).init().unwrap();
        let session = session(folder.path(), &clock)
            .num_epochs(1)
            .stop_early(LossMetric::new(), stop);
        let learner = Learner::new(model, AdamConfig::new().init(), schedule());
        let finished = session.launch(learner).unwrap();
        let seen = finished.best_value.unwrap();
        let model = finished.model;
        let loss = |net: &Net| {
            let batch = Samples.batch((10..16).collect(), &Device::flex());
            values(net.loss(batch))[0]
        };
        let (average, trained) = (model.tricks().1.model(), model.model().valid());
        assert_ne!(loss(&average), loss(&trained));
        let validated = model.into_validated();
        assert_eq!(loss(&validated), seen);
        (seen, loss(&average), loss(&trained))
    };
    let (seen, average, _) = observed(false);
    assert_eq!(seen, average);
    let (seen, _, trained) = observed(true);
    assert_eq!(seen, trained);
}

#[test]
fn validation_leaves_the_trained_model_as_it_was() {
    let _alone = alone();
    let net = Net::seeded(1, &flex());
    let average = ema(0.9, &net);
    let model = net.with_tricks(average);
    let batch = || Samples.batch((0..4).collect(), &flex());
    let before = numbers(&model);
    let valid = model.valid();
    let loss = |model: &Tricked<Net, Ema<Net>>| {
        let batch = Samples.batch((0..4).collect(), &Device::flex());
        values(InferenceStep::step(model, batch).loss)
    };
    assert_eq!(loss(&valid), loss(&valid), "nothing is dropped");
    assert_eq!(numbers(&model), before, "nor are statistics moved");
    for (name, model) in [("the model", model), ("back in training", valid.train())] {
        let drawn = |model: &Tricked<Net, _>| values(model.model().forward(batch().input));
        assert_ne!(drawn(&model), drawn(&model), "{name} still drops");
        assert!(model.model().first.weight.is_require_grad(), "{name}");
    }
}

#[test]
fn the_last_trick_with_a_model_gives_the_validated_one() {
    let first = Own::new();
    let average = |value| {
        let own = Own::new().plus(value);
        let mut average = ema(0.9, &own);
        average.update(&own); // before it, there is no average to validate
        average
    };
    let of = |tricks: Box<dyn Trick<Own>>| {
        Own::new()
            .plus(1.0)
            .with_tricks(tricks)
            .into_validated()
            .value()
    };
    assert_eq!(of(Box::new(())), 1.0);
    assert_eq!(of(Box::new(clip())), 1.0);
    assert_eq!(of(Box::new((average(5.0), clip()))), 5.0);
    assert_eq!(of(Box::new((average(5.0), average(6.0), clip()))), 6.0);
    assert_eq!(of(Box::new((clip(), (average(5.0), ())))), 5.0);
    let boxed: Box<dyn Trick<Own>> = Box::new(average(7.0));
    assert_eq!(of(Box::new((average(5.0), boxed))), 7.0);
    // A set of averages has none that is the one.
    let set = EmaSet::init(&[EmaConfig::new(0.5)], &first).unwrap();
    assert_eq!(of(Box::new(set)), 1.0);
}
