//! Any set of tricks does in the `Learner` what it does in a loop by hand.

use crate::models::{Net, alone, numbers};
use crate::net_training::{Batch, EPOCHS, schedule, session, train_loader};
use burn::lr_scheduler::LrScheduler as _;
use burn::module::Module as _;
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::Device;
use burn::train::{Learner, TrainStep};
use burn_tricks::average::{EmaSet, LawaConfig};
use burn_tricks::nn::WeightNormConfig;
use burn_tricks::prelude::*;
use burn_tricks::train::GradNorm;

fn net() -> Net {
    Net::seeded(1, &Device::flex().autodiff())
}

/// Trains in a loop. The weights at the end.
fn by_hand(
    net: Net,
    before: impl Fn(&Net, GradientsParams) -> GradientsParams,
    mut after: impl FnMut(&Net),
) -> Vec<f64> {
    let mut model = net;
    let (mut optim, mut schedule, clock) =
        (AdamConfig::new().init(), schedule(), EpochClock::new());
    let loader = train_loader(&clock).to_device(&Device::flex().autodiff());
    for epoch in 1..=EPOCHS {
        clock.set(epoch);
        for batch in loader.iter() {
            let batch: Batch = batch.unwrap();
            let grads = before(&model, TrainStep::step(&model, batch).grads);
            model = optim.step(schedule.step(), model, grads);
            after(&model);
        }
    }
    numbers(&model.valid())
}

/// Trains in Burn's `Learner`. The weights at the end, and the tricks.
fn learned<H: Trick<Net> + Clone + 'static>(net: Net, tricks: H) -> (Vec<f64>, H) {
    let folder = tempfile::tempdir().unwrap();
    let clock = EpochClock::new();
    let session = session(folder.path(), &clock);
    let learner = Learner::new(
        net.with_tricks(tricks),
        AdamConfig::new().init(),
        schedule(),
    );
    let finished = session.launch(learner);
    let (model, tricks) = finished.unwrap().model.into_parts();
    let tricks = tricks.lock().unwrap().clone();
    (numbers(&model), tricks)
}

fn same(_: &Net, grads: GradientsParams) -> GradientsParams {
    grads
}

#[test]
fn averages() {
    let _alone = alone();
    let swa = || SwaConfig::new(3).with_start_after(3).init(&net()).unwrap();
    let lawa = || LawaConfig::new(3, 2).init(&net()).unwrap();
    let ema = || EmaConfig::new(0.8).init(&net()).unwrap();
    let configs = [EmaConfig::new(0.5), EmaConfig::new(0.9)];
    let set = || EmaSet::init(&configs, &net()).unwrap();
    let (mut a, mut b, mut c, mut d) = (swa(), lawa(), ema(), set());
    let trained = by_hand(net(), same, |net| {
        a.update(net);
        b.update(net);
        c.update(net);
        d.update(net);
    });
    let (learned, (swa, lawa, ema, set)) = learned(net(), (swa(), lawa(), ema(), set()));
    assert_eq!(learned, trained);
    assert_eq!(numbers(&swa.model()), numbers(&a.model()), "SWA");
    assert_eq!(numbers(&lawa.model()), numbers(&b.model()), "LAWA");
    assert_eq!(numbers(&ema.model()), numbers(&c.model()), "EMA");
    for (ema, by_hand) in set.iter().zip(d.iter()) {
        assert_eq!(numbers(&ema.model()), numbers(&by_hand.model()), "a set");
        assert_ne!(numbers(&ema.model()), trained, "which moves");
    }
}

#[test]
fn gradients() {
    let _alone = alone();
    let clip = || ClipGradNormConfig::new(0.3).init().unwrap();
    let normalize = || NormalizeGradConfig::new().init().unwrap();
    let plain = by_hand(net(), same, |_| ());
    let trained = by_hand(net(), |net, grads| clip().apply(net, grads), |_| ());
    assert_ne!(trained, plain);
    assert_eq!(learned(net(), clip()).0, trained, "a clip");
    let trained = by_hand(net(), |net, grads| normalize().apply(net, grads), |_| ());
    assert_ne!(trained, plain);
    assert_eq!(learned(net(), normalize()).0, trained, "a normalisation");
    let both = |net: &Net, grads| clip().apply(net, normalize().apply(net, grads));
    let trained = by_hand(net(), both, |_| ());
    let (learned, _) = learned(net(), (normalize(), clip()));
    assert_eq!(learned, trained, "one after the other");
}

#[test]
fn measurements_change_nothing() {
    let _alone = alone();
    let plain = by_hand(net(), same, |_| ());
    assert_eq!(learned(net(), GradNorm::new()).0, plain);
}

#[test]
fn the_state_of_a_set_of_averages_is_theirs() {
    let _alone = alone();
    let configs = [EmaConfig::new(0.5), EmaConfig::new(0.9)];
    let start = net();
    let mut set = EmaSet::init(&configs, &start).unwrap();
    by_hand(start.clone(), same, |net| set.update(net));
    let mut other = EmaSet::init(&configs, &start).unwrap();
    let models = |set: &EmaSet<Net>| set.iter().map(|ema| numbers(&ema.model())).collect();
    let expected: Vec<_> = models(&set);
    let begun: Vec<_> = models(&other);
    assert_ne!(begun, expected);
    other
        .load_state(&Trick::<Net>::state(&set).unwrap())
        .unwrap();
    let loaded: Vec<_> = models(&other);
    assert_eq!(loaded, expected);
}

#[test]
fn an_average_begins_with_loaded_weights_whether_it_was_made_before_or_after() {
    let _alone = alone();
    let loaded = Net::seeded(2, &Device::flex().autodiff());
    let record = || loaded.clone().into_record();
    let ema = EmaConfig::new(0.9).init(&net()).unwrap();
    let late = net().with_tricks((ema,)).load_record(record());
    assert_eq!(numbers(late.model()), numbers(&loaded));
    assert_eq!(numbers(&late.into_validated()), numbers(&loaded));
    let early = net().load_record(record());
    let ema = EmaConfig::new(0.9).init(&early).unwrap();
    let early = early.with_tricks((ema,));
    assert_eq!(numbers(&early.into_validated()), numbers(&loaded));
}

#[test]
fn a_materialised_model_is_that_of_the_tricked_one() {
    let _alone = alone();
    let normed = WeightNormConfig::new().attach(net()).unwrap();
    let ema = EmaConfig::new(0.5).init(&normed).unwrap();
    let materialised = normed.clone().with_tricks((ema,)).valid().materialize();
    assert_eq!(
        numbers(materialised.model()),
        numbers(&normed.valid().materialize())
    );
    assert_ne!(numbers(materialised.model()), numbers(&normed));
}

#[test]
#[cfg(feature = "ndarray")]
fn the_average_is_validated_where_the_model_is() {
    use burn::tensor::Tensor;
    use burn::train::InferenceStep;
    let _alone = alone();
    let ema = EmaConfig::new(0.5).init(&net()).unwrap();
    #[allow(deprecated)] // its users still exist
    let elsewhere = Device::ndarray();
    let moved = net()
        .with_tricks((ema,))
        .to_device(&elsewhere.clone().autodiff());
    let valid = moved.valid();
    let input = Tensor::<2>::zeros([1, 4], &elsewhere);
    let target = Tensor::<2>::zeros([1, 3], &elsewhere);
    let output = InferenceStep::step(&valid, Batch { input, target });
    assert_eq!(output.loss.device(), elsewhere);
}
