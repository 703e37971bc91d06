//! A layer of `LinearLayout::Col` is recorded in another shape than its weight has: its records load also after the weight
//! has been drawn.

use crate::loop_checkpoint::{loaded, opened};
use crate::models::{Net, alone, numbers};
use crate::net_training::{EPOCHS, schedule, session};
use crate::oracle::assert_close;
use burn::module::{Module, ModuleVisitor, Param, ParamGroup};
use burn::nn::{Linear, LinearConfig, LinearLayout};
use burn::optim::{GradientsParams, SgdConfig};
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::{Device, Tensor};
use burn::train::Learner;
use burn::train::metric::LossMetric;
use burn_tricks::average::{
    AverageOn, EmaSet, LawaConfig, SnapshotEnsembleConfig, SwaConfig, SwagConfig,
    average_checkpoints,
};
use burn_tricks::load_record;
use burn_tricks::nn::SpectralNormConfig;
use burn_tricks::prelude::*;
use burn_tricks::stop::RollBackConfig;
use burn_tricks::train::{EpochClock, RollBackTrick, SessionResult};

type Layer = (Linear, Linear);

/// One layer of each layout, not drawn yet.
fn layer(device: &Device) -> Layer {
    let column = LinearConfig::new(3, 2).with_layout(LinearLayout::Col);
    (column.init(device), LinearConfig::new(2, 4).init(device))
}

/// Whether each parameter is trained.
fn trained<M: Module>(module: &M) -> Vec<bool> {
    #[derive(Default)]
    struct Trained(Vec<bool>);

    impl ModuleVisitor for Trained {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.push(param.val().is_require_grad());
        }
    }

    let mut trained = Trained::default();
    module.visit(&mut trained);
    trained.0
}

#[test]
fn a_checkpoint_is_loaded_into_a_fresh_and_into_a_drawn_model() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let device = Device::flex().autodiff();
    let model = layer(&device);
    let mut checkpoints = opened(folder.path());
    checkpoints.step(1).module("model", &model).save().unwrap();
    let saved = loaded(folder.path());
    let (fresh, drawn) = (layer(&device), layer(&device));
    force_init(&drawn);
    let frozen = (drawn.0.clone().freeze(), drawn.1.clone());
    for (other, is_trained) in [(fresh, true), (drawn, true), (frozen, false)] {
        let other = saved.module("model", other).unwrap();
        assert_eq!(numbers(&other), numbers(&model));
        assert_eq!(other.0.weight.dims(), [3, 2]);
        assert_eq!(other.0.weight.id, model.0.weight.id);
        assert_eq!(trained(&other), [is_trained, is_trained, true, true]);
        // And saved again.
        let again = load_record(layer(&device), other.into_record()).unwrap();
        assert_eq!(numbers(&again), numbers(&model));
    }
}

#[test]
fn a_model_with_tricks_is_loaded() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let model = layer(&device);
    let drawn = || {
        let drawn = layer(&device);
        force_init(&drawn);
        drawn.with_tricks(StepGuard::new())
    };
    let loaded = load_record(drawn(), model.clone().into_record());
    assert_eq!(numbers(&loaded.unwrap()), numbers(&model));
    let twice = drawn().with_tricks(StepGuard::new());
    let loaded = load_record(twice, model.clone().into_record());
    assert_eq!(numbers(&loaded.unwrap()), numbers(&model));
    let two = (drawn(), drawn());
    let both = (model.clone(), layer(&device));
    let loaded = load_record(two, both.clone().into_record());
    assert_eq!(numbers(&loaded.unwrap()), numbers(&both));
}

/// Each average of the library, after two models.
#[test]
fn averages_are_resumed() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let models = [layer(&device), layer(&device)];
    let fresh = layer(&device);
    macro_rules! resumed {
        ($make:expr, $update:ident) => {{
            let make = $make;
            let mut average = make(&fresh);
            for model in &models {
                average.$update(model);
            }
            let record = || through_bytes(average.to_record());
            let resumed = make(&layer(&device)).load_record(record()).unwrap();
            assert_eq!(
                numbers_of(resumed.to_record()),
                numbers_of(average.to_record())
            );
            (average, resumed)
        }};
    }
    let ema = |model: &Layer| EmaConfig::new(0.5).init(model).unwrap();
    let (average, resumed) = resumed!(ema, update);
    assert_eq!(numbers(&resumed.model()), numbers(&average.model()));
    assert_eq!(resumed.model().0.weight.dims(), [3, 2]);
    let set = |model: &Layer| EmaSet::init(&[EmaConfig::new(0.5), EmaConfig::new(0.9)], model);
    resumed!(|model| set(model).unwrap(), update);
    resumed!(|model| SwaConfig::new(1).init(model).unwrap(), update);
    resumed!(|model| LawaConfig::new(2, 1).init(model).unwrap(), update);
    resumed!(|model| SwagConfig::new(1).init(model).unwrap(), update);
    let on = |model: &Layer| AverageOn::init(EmaConfig::new(0.5), model, &Device::flex());
    resumed!(|model| on(model).unwrap(), update);
    let (average, resumed) = resumed!(
        |model| SnapshotEnsembleConfig::new(3).init(model).unwrap(),
        collect
    );
    assert_eq!((average.len(), resumed.len()), (2, 2));
}

fn through_bytes(record: ModuleRecord) -> ModuleRecord {
    ModuleRecord::from_bytes(record.into_bytes().unwrap()).unwrap()
}

/// The bytes of a record without the ids of its numbers, which are drawn for each record.
fn numbers_of(record: ModuleRecord) -> Vec<(String, Vec<u8>)> {
    let tensors = burn_pack::Reader::from_bytes(record.into_bytes().unwrap()).unwrap();
    let parts = tensors.into_tensors().unwrap().into_iter();
    parts
        .map(|tensor| {
            let (name, _, _, _, bytes) = tensor.into_parts().unwrap();
            (name, bytes.to_vec())
        })
        .collect()
}

#[test]
fn checkpoint_files_are_averaged() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let device = Device::flex().autodiff();
    let model = layer(&device);
    let file = folder.path().join("model.bpk");
    model.clone().save_file(&file).unwrap();
    let average = average_checkpoints(layer(&device), &[&file, &file]).unwrap();
    assert_eq!(numbers(&average), numbers(&model));
    assert_eq!(trained(&average), [true; 4]);
}

/// What the record of a part has not, and what has another shape, stays as it was.
#[test]
fn a_record_of_a_part_leaves_the_rest() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let (model, other) = (layer(&device), layer(&device));
    force_init(&other);
    let part = ParamGroup::from_regex(r"^1\.").unwrap();
    let record = || {
        let record = model.clone().into_record_group(part.clone());
        record.allow_partial(true)
    };
    assert_eq!(record().len(), 2);
    let loaded = load_record(other.clone(), record()).unwrap();
    assert_eq!(numbers(&loaded.0), numbers(&other.0));
    assert_eq!(numbers(&loaded.1), numbers(&model.1));
    assert_eq!(loaded.0.weight.id, other.0.weight.id);
    assert_eq!(trained(&loaded), [true; 4]);
    let error: RecordError = load_record(other.clone(), record().allow_partial(false)).unwrap_err();
    assert!(error.to_string().contains("0.weight"), "{error}");

    let wide = LinearConfig::new(5, 2).with_layout(LinearLayout::Col);
    let wide = (wide.init(&device), model.1.clone());
    let error = load_record(other, wide.into_record()).unwrap_err();
    assert!(error.to_string().contains("shape mismatch"), "{error}");
}

#[test]
fn a_layer_with_a_norm_of_its_weight_is_loaded_as_it_is() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let spectral = || SpectralNormConfig::new().attach(layer(&device)).unwrap();
    let weight = || WeightNormConfig::new().attach(layer(&device)).unwrap();
    for make in [&spectral as &dyn Fn() -> Layer, &weight] {
        let model = make();
        let input = Tensor::<2>::ones([1, 3], &device);
        let output = |model: &Layer| model.0.forward(input.clone()).into_data();
        let loaded = load_record(make(), model.clone().into_record()).unwrap();
        assert_eq!(numbers(&loaded), numbers(&model));
        assert_eq!(output(&loaded.valid()), output(&model.valid()));
    }
}

/// A run with an average and a roll-back, whose best model is read from its checkpoint.
#[test]
fn a_session_is_resumed() {
    let _alone = alone();
    let run = |folder: &std::path::Path, epochs| {
        let device = Device::flex().autodiff();
        let mut net = Net::seeded(1, &device);
        let column = LinearConfig::new(8, 3).with_layout(LinearLayout::Col);
        net.last = column.init(&device);
        force_init(&net);
        let ema = EmaConfig::new(0.5).init(&net).unwrap();
        let back = RollBackTrick::init(&RollBackConfig::new(1)).unwrap();
        let stop = EarlyStoppingConfig::new(Goal::Minimize).with_patience(9);
        let session = session(folder, &EpochClock::new())
            .configure(|training| training.num_epochs(epochs))
            .stop_early(LossMetric::new(), stop.init().unwrap());
        let session = session.resumable(2).unwrap();
        let model = net.with_tricks((ema, back));
        let learner = Learner::new(model, SgdConfig::new().init(), schedule());
        let finished: SessionResult<Net, _> = session.launch(learner).unwrap();
        let best = numbers(&finished.best_model().unwrap());
        (numbers(finished.model.model()), best)
    };
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let whole = run(folders[0].path(), EPOCHS);
    let first = run(folders[1].path(), 1);
    assert_eq!(run(folders[1].path(), 1), first, "nothing is left to train");
    let resumed = run(folders[1].path(), EPOCHS);
    // A loaded weight is transposed in memory, and products with it are rounded in another order.
    assert_close(&resumed.0, &whole.0, 1e-5, "the last");
    assert_close(&resumed.1, &whole.1, 1e-5, "the best");
}

/// A weight that a step has changed is recorded as one that was drawn.
#[test]
fn a_trained_layer_is_saved_and_loaded() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let model = layer(&device);
    let loss = model.0.forward(Tensor::<2>::ones([1, 3], &device)).sum();
    let grads = GradientsParams::from_grads(loss.backward(), &model);
    let model = SgdConfig::new().init().step(0.1, model, grads);
    let loaded = load_record(layer(&device), model.clone().into_record()).unwrap();
    assert_eq!(numbers(&loaded), numbers(&model));
}
