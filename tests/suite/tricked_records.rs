//! Which weights a model with tricks saves, loads and shows.

use crate::models::{Net, alone, numbers, values};
use crate::net_training::{Batch, Samples, schedule, training, valid_loader};
use burn::data::dataloader::batcher::Batcher as _;
use burn::module::{Module, ModuleMapper, Param, list_param_ids};
use burn::optim::AdamConfig;
use burn::store::ModuleRecord;
use burn::tensor::{Device, Tensor, TensorReadError};
use burn::train::metric::store::{Aggregate, EventStoreClient, Split};
use burn::train::metric::{
    LossInput, LossMetric, Metric, MetricMetadata, MetricName, Numeric, NumericEntry,
    SerializedEntry,
};
use burn::train::{
    EarlyStoppingStrategy, EvaluatorBuilder, InferenceStep, Learner, LearningResult, TrainOutput,
    TrainStep,
};
use burn_tricks::average::{Ema, EmaSet, EmaWarmup, LawaConfig};
use burn_tricks::grad::ClipGradNorm;
use burn_tricks::prelude::*;
use burn_tricks::train::{EpochClock, StepContext, Tricked};
use std::path::Path;
use std::sync::{Arc, Mutex};

type Model = Tricked<Net, (ClipGradNorm, Ema<Net>)>;

fn flex() -> Device {
    Device::flex().autodiff()
}

/// With weights of its own for each seed.
fn model(seed: u64) -> Model {
    let net = Net::seeded(seed, &flex());
    let clip = ClipGradNormConfig::new(0.5).init().unwrap();
    let ema = EmaConfig::new(0.9)
        .with_warmup(EmaWarmup::None)
        .init(&net)
        .unwrap();
    net.with_tricks((clip, ema))
}

/// The losses of the validations.
#[derive(Clone, Default)]
struct Losses(Arc<Mutex<Vec<f64>>>);

impl Losses {
    fn last(&self) -> f64 {
        *self.0.lock().unwrap().last().unwrap()
    }
}

impl EarlyStoppingStrategy for Losses {
    fn should_stop(&mut self, epoch: usize, store: &EventStoreClient) -> bool {
        let loss = store.find_metric("Loss", epoch, Aggregate::Mean, &Split::Valid);
        self.0.lock().unwrap().push(loss.unwrap());
        false
    }
}

/// Burn's own training, without a session, with Burn's checkpoints.
fn launched(
    folder: &Path,
    model: Model,
    epochs: usize,
    resume_after: Option<usize>,
) -> (LearningResult<Model>, Losses) {
    let losses = Losses::default();
    let mut training = training(folder, &EpochClock::new())
        .metric_valid_numeric(LossMetric::new())
        .with_default_checkpointers()
        .num_epochs(epochs)
        .early_stopping(losses.clone());
    if let Some(epoch) = resume_after {
        training = training.checkpoint(epoch);
    }
    let learner = Learner::new(model, AdamConfig::new().init(), schedule());
    (training.launch(learner), losses)
}

/// Of the samples that validation has.
fn loss(net: &Net) -> f64 {
    let batch = Samples.batch((10..16).collect(), &Device::flex());
    values(InferenceStep::step(net, batch).loss)[0]
}

fn stepped(model: Model) -> Model {
    let batch: Batch = Samples.batch((0..4).collect(), &flex());
    let TrainOutput { grads, .. } = TrainStep::step(&model, batch);
    model.optimize(&mut AdamConfig::new().init(), 0.1.into(), grads)
}

#[test]
fn burns_own_resume_restarts_the_average_from_the_loaded_weights() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let (result, before) = launched(folder.path(), model(1), 3, None);
    let trained = numbers(result.model.model());
    // Nothing is left to train: what is validated is what was loaded.
    let (resumed, _) = launched(folder.path(), model(2), 3, Some(3));
    assert_eq!(numbers(resumed.model.model()), trained);
    assert_eq!(numbers(&resumed.model.clone().into_validated()), trained);
    assert_eq!(resumed.model.tricks().1.steps(), 0);
    // One epoch more: its validated loss is near the one before.
    let (_, after) = launched(folder.path(), model(2), 4, Some(3));
    let (before, after) = (before.last(), after.last());
    assert!(after < before, "{before}, {after}");
}

#[test]
fn weights_loaded_by_hand_restart_the_average_too() {
    let _alone = alone();
    let saved = Net::seeded(3, &flex());
    let record = || saved.clone().into_record();
    let loaded = stepped(model(1)).load_record(record());
    assert_eq!(numbers(loaded.model()), numbers(&saved));
    assert_eq!(numbers(&loaded.clone().into_validated()), numbers(&saved));
    assert_eq!(loaded.tricks().1.steps(), 0);

    // Into a value of `valid()`: it shows what was loaded, and the run goes on as it was.
    let training = stepped(model(1));
    let average = numbers(&training.tricks().1.model());
    let shown = training.valid().load_record(record());
    assert_eq!(numbers(&shown), numbers(&saved));
    assert_eq!(loss(&shown.clone().into_validated()), loss(&saved.valid()));
    assert_eq!(numbers(shown.train().model()), numbers(&saved));
    assert_eq!(numbers(&training.tricks().1.model()), average);
    assert_ne!(numbers(training.model()), numbers(&saved));

    // What does not fit changes nothing.
    let other = Tricked::new(saved.first.clone(), ()).into_record();
    assert!(training.clone().try_load_record(other).is_err());
    assert_eq!(numbers(&training.tricks().1.model()), average);
}

#[test]
fn every_average_restarts() {
    let _alone = alone();
    let (old, new) = (Net::seeded(1, &flex()), Net::seeded(2, &flex()));
    let step = |tricks: &mut Box<dyn Trick<Net>>, seed| {
        let _ = tricks.after(Net::seeded(seed, &flex()), &StepContext::new(1, 0.1));
    };
    type Make = fn(&Net) -> Box<dyn Trick<Net>>;
    let makes: [Make; 3] = [
        |net| Box::new(EmaConfig::new(0.9).init(net).unwrap()),
        |net| Box::new(SwaConfig::new(1).init(net).unwrap()),
        |net| Box::new(((), (Box::new(LawaConfig::new(2, 1).init(net).unwrap()),))),
    ];
    for make in makes {
        let (mut restarted, mut fresh) = (make(&old), make(&new));
        (3..6).for_each(|seed| step(&mut restarted, seed));
        restarted.restart(&new);
        assert!(restarted.validated(&new).is_none(), "the trained model is");
        let next = [&mut restarted, &mut fresh].map(|tricks| {
            step(tricks, 6);
            numbers(&tricks.validated(&new).unwrap())
        });
        assert_eq!(next[0], next[1]);
    }
    let expected = numbers(&new.valid());
    let ema = EmaConfig::new(0.9).init(&old).unwrap();
    let mut set = EmaSet::from(vec![ema.clone(), ema]);
    let _ = Trick::after(&mut set, Net::seeded(3, &flex()), &StepContext::new(1, 0.1));
    Trick::restart(&mut set, &new);
    for ema in set.iter() {
        assert_eq!(numbers(&ema.model()), expected);
        assert_eq!(ema.steps(), 0);
    }
}

#[test]
fn what_is_saved_of_a_result_is_what_was_validated() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let (result, losses) = launched(folder.path(), model(1), 3, None);
    let average = result.model.tricks().1.model();
    let trained = result.model.model().clone();
    assert_ne!(numbers(&average), numbers(&trained));

    // As in Burn's guide.
    let file = folder.path().join("model.bpk");
    result.model.clone().into_record().save(&file).unwrap();
    let net = Net::seeded(9, &Device::flex()).valid().load_file(&file);
    assert_eq!(numbers(&net), numbers(&average), "statistics too");
    assert_eq!(loss(&net), losses.last());
    result.model.clone().save_file(&file).unwrap();
    let net = Net::seeded(9, &Device::flex()).valid().load_file(&file);
    assert_eq!(numbers(&net), numbers(&average));

    // An optimizer knows the parameters again. (Burn gives running statistics an id of their own in each copy.)
    let ids = |net: &Net| [&net.first, &net.last].map(|linear| linear.weight.id);
    assert_eq!(ids(&net), ids(&trained));
    assert_eq!(net.norm.gamma.id, trained.norm.gamma.id);
    assert_eq!(list_param_ids(&result.model), list_param_ids(&average));
    assert_eq!(result.model.num_params(), trained.num_params());

    // The other one is a choice, and what Burn's checkpoints hold.
    let trained_record = result.model.clone().into_trained().into_record();
    let net = Net::seeded(9, &Device::flex()).load_record(trained_record);
    assert_eq!(numbers(&net), numbers(&trained));
    let checkpoint = ModuleRecord::load(folder.path().join("checkpoint/model-3.bpk")).unwrap();
    let net = Net::seeded(9, &Device::flex()).load_record(checkpoint);
    assert_eq!(numbers(&net), numbers(&trained));
    let back = result.model.train();
    assert_eq!(numbers(&back), numbers(&trained), "in training");
}

/// Notes the losses that an evaluation shows.
#[derive(Clone)]
struct Evaluated {
    metric: LossMetric,
    losses: Losses,
}

impl Metric for Evaluated {
    type Input = LossInput;

    fn name(&self) -> MetricName {
        self.metric.name()
    }

    fn update(
        &mut self,
        item: &LossInput,
        metadata: &MetricMetadata,
    ) -> Result<SerializedEntry, TensorReadError> {
        let entry = self.metric.update(item, metadata);
        let loss = self.metric.value().unwrap().current();
        self.losses.0.lock().unwrap().push(loss);
        entry
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        self.metric.compute()
    }

    fn clear(&mut self) {
        self.metric.clear();
    }
}

impl Numeric for Evaluated {
    fn value(&self) -> Option<NumericEntry> {
        self.metric.value()
    }

    fn running_value(&self) -> Option<NumericEntry> {
        self.metric.running_value()
    }

    fn final_value(&self) -> NumericEntry {
        self.metric.final_value()
    }
}

#[test]
fn burns_evaluator_the_validation_and_the_saved_file_agree() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let (result, validated) = launched(folder.path(), model(1), 2, None);
    let evaluated = |model: Model| {
        let metric = Evaluated {
            metric: LossMetric::new(),
            losses: Losses::default(),
        };
        let evaluator = EvaluatorBuilder::new(folder.path())
            .with_application_logger(None)
            .metric_numeric(metric.clone())
            .build(model);
        let result = evaluator.eval("test", valid_loader());
        assert!(result.error.is_none());
        metric.losses.last()
    };
    let saved = result.model.clone().into_record();
    assert_eq!(evaluated(result.model), validated.last());
    let loaded = model(9).valid().load_record(saved);
    assert_eq!(evaluated(loaded), validated.last());
}

#[test]
fn a_value_in_validation_is_a_snapshot() {
    let _alone = alone();
    let model = stepped(model(1));
    let valid = model.valid();
    let before = numbers(&valid);
    let model = stepped(model);
    assert_eq!(numbers(&valid), before);
    assert_eq!(numbers(&valid.valid()), before, "and of itself");
    assert_eq!(numbers(&valid.clone().into_validated()), before);
    assert_ne!(numbers(&model.into_validated()), before);
    let as_trained = valid.train().validated_as_trained();
    assert_eq!(
        numbers(&as_trained.valid()),
        numbers(&as_trained.model().valid())
    );
}

#[test]
fn mapping_a_value_in_validation_maps_both_sets_of_weights() {
    struct Double;

    impl ModuleMapper for Double {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|tensor| tensor * 2.0)
        }
    }

    let _alone = alone();
    let valid = stepped(model(1)).valid();
    let twice = |numbers: Vec<f64>| -> Vec<f64> { numbers.iter().map(|x| 2.0 * x).collect() };
    let (shown, trained) = (numbers(&valid), numbers(valid.model()));
    let mapped = valid.map(&mut Double);
    assert_eq!(numbers(&mapped), twice(shown));
    assert_eq!(numbers(mapped.model()), twice(trained));
}
