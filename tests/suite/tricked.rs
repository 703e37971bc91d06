//! Tricks around a model: in a loop and in the `Learner`, neutral and not, with their states.

use crate::models::{Net, alone, numbers, shown, values};
use crate::net_training::{EPOCHS, Samples, schedule, session, train_loader, training};
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::InMemDataset;
use burn::lr_scheduler::LrScheduler;
use burn::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::module::{Module, ModuleVisitor, Param, ParamGroup, ParamId};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer, MultiGradientsParams, SgdConfig};
use burn::store::ModuleRecord;
use burn::tensor::{Device, Tensor};
use burn::train::metric::LossMetric;
use burn::train::{
    InferenceStep, Interrupter, Learner, RegressionOutput, SupervisedTraining, TrainOutput,
    TrainStep,
};
use burn_tricks::average::{Ema, EmaSet, LawaConfig};
use burn_tricks::grad::ClipGradNorm;
use burn_tricks::optim;
use burn_tricks::prelude::*;
use burn_tricks::train::{
    EpochClock, EpochContext, EpochLoaderConfig, GradNorm, MeanOfAccumulated, StateError,
    StepContext, StopAfterMarked, StopAfterSkips, Trick, Tricked, UpdateRatio,
};
use std::sync::{Arc, Mutex};

fn clip() -> ClipGradNorm {
    ClipGradNormConfig::new(0.5).init().unwrap()
}

fn ema<M: Module>(decay: f64, model: &M) -> Ema<M> {
    EmaConfig::new(decay).init(model).unwrap()
}

fn flex() -> Device {
    Device::flex().autodiff()
}

/// Trains in Burn's `Learner`, with a session that moves the clock on. The model as it was trained, and
/// as it was validated.
fn learned<H: Trick<Net> + 'static>(
    optim: ModuleOptimizer,
    tricks: impl FnOnce(&Net) -> H,
) -> [Vec<f64>; 2] {
    let folder = tempfile::tempdir().unwrap();
    let net = Net::seeded(1, &flex());
    let tricks = tricks(&net);
    let clock = EpochClock::new();
    let session = session(folder.path(), &clock);
    let learner = Learner::new(net.with_tricks(tricks), optim, schedule());
    let model = session.launch(learner).unwrap().model;
    [numbers(model.model()), numbers(&model.into_validated())]
}

#[test]
fn a_loop_and_the_learner_train_alike() {
    let _alone = alone();
    type Make = fn() -> ModuleOptimizer;
    let optimizers: [(&str, Make); 7] = [
        ("Burn's Adam", || AdamConfig::new().init()),
        ("Adam", || optim::AdamConfig::new().init().unwrap()),
        ("AdamW", || optim::AdamWConfig::new().init().unwrap()),
        ("SGD", || optim::SgdConfig::new().init().unwrap()),
        ("RMSProp", || optim::RmsPropConfig::new().init().unwrap()),
        ("AdaGrad", || optim::AdaGradConfig::new().init().unwrap()),
        ("normalized", || {
            NormalizedGradientConfig::new().init().unwrap()
        }),
    ];
    for (name, make) in optimizers {
        let mut model = Net::seeded(1, &flex());
        let begun = numbers(&model);
        let (clip, mut ema) = (clip(), ema(0.9, &model));
        let (mut optim, mut schedule, clock) = (make(), schedule(), EpochClock::new());
        let loader = train_loader(&clock).to_device(&flex());
        for epoch in 1..=EPOCHS {
            clock.set(epoch);
            for batch in loader.iter() {
                let loss = model.loss(batch.unwrap());
                let grads = GradientsParams::from_grads(loss.backward(), &model);
                let grads = clip.apply(&model, grads);
                model = optim.step(schedule.step(), model, grads);
                ema.update(&model);
            }
        }
        let by_hand = [numbers(&model.valid()), numbers(&ema.model())];
        assert_ne!(by_hand[0], begun, "{name} trains");
        let learned = learned(make(), |net| (self::clip(), self::ema(0.9, net)));
        assert_eq!(learned, by_hand, "{name}");
    }
}

#[test]
fn neutral_tricks_change_nothing() {
    let _alone = alone();
    let optim = || AdamConfig::new().init();
    // Without tricks there is no session either: the clock is moved by the test.
    let plain = {
        let folder = tempfile::tempdir().unwrap();
        let clock = EpochClock::new();
        let training = training(folder.path(), &clock).early_stopping(Mover(clock));
        let learner = Learner::new(Net::seeded(1, &flex()), optim(), schedule());
        numbers(&training.launch(learner).model)
    };
    let twice = [plain.clone(), plain.clone()];
    let no_clip = || ClipGradNormConfig::new(f64::MAX).init().unwrap();
    assert_eq!(learned(optim(), |_| ()), twice);
    assert_eq!(learned(optim(), |_| no_clip()), twice);
    assert_eq!(learned(optim(), |net| ema(0.0, net)), twice);
    assert_eq!(
        learned(optim(), |net| (no_clip(), ((), ema(0.0, net)))),
        twice
    );
    let boxed = |net: &Net| -> Box<dyn Trick<Net>> { Box::new((no_clip(), ema(0.0, net))) };
    assert_eq!(learned(optim(), boxed), twice);
    let [trained, validated] = learned(optim(), |net| (clip(), ema(0.9, net)));
    assert_ne!(trained, plain, "and others do");
    assert_ne!(validated, trained);
}

/// Moves a clock on where Burn asks whether to stop.
#[derive(Clone)]
struct Mover(EpochClock);

impl burn::train::EarlyStoppingStrategy for Mover {
    fn should_stop(
        &mut self,
        epoch: usize,
        _store: &burn::train::metric::store::EventStoreClient,
    ) -> bool {
        self.0.set(epoch + 1);
        false
    }
}

fn bytes(record: ModuleRecord) -> Vec<u8> {
    record.into_bytes().unwrap().to_vec()
}

#[test]
fn records_of_the_plain_model_and_of_the_wrapped_one_are_the_same() {
    let _alone = alone();
    let plain = Net::seeded(1, &flex());
    let tricked = plain
        .clone()
        .with_tricks((clip(), ema(0.9, &plain), Counts(3)));
    assert_eq!(
        bytes(tricked.clone().into_record()),
        bytes(plain.clone().into_record())
    );
    assert_eq!(tricked.num_params(), plain.num_params());
    assert_eq!(tricked.to_string(), plain.to_string());
    assert_eq!(tricked.devices(), plain.devices());

    let folder = tempfile::tempdir().unwrap();
    let file = |name| folder.path().join(name);
    plain.clone().save_file(file("plain")).unwrap();
    let other = Net::seeded(2, &flex());
    let average = ema(0.9, &other);
    let loaded = other.with_tricks(average);
    let loaded = loaded.load_file(file("plain"));
    assert_eq!(numbers(loaded.model()), numbers(&plain));
    loaded.save_file(file("tricked")).unwrap();
    let back = Net::seeded(3, &flex());
    let back = back.load_file(file("tricked"));
    assert_eq!(numbers(&back), numbers(&plain));
}

#[test]
fn parameter_groups_are_those_of_the_plain_model() {
    let _alone = alone();
    // Without a gradient to speak of, only the weight in the group moves: it decays.
    let step = |net: Net, wrap: bool| {
        let decayed = optim::AdamWConfig::new().with_weight_decay(0.5);
        let mut optim = SgdConfig::new().init().with_group(
            ParamGroup::from_regex(r"^last\.weight$").unwrap(),
            decayed.build().unwrap(),
            None,
        );
        let batch = Samples.batch((0..4).collect(), &flex());
        let TrainOutput { grads, .. } = TrainStep::step(&net, batch);
        let zero = scaled(&net, grads, 0.0);
        if wrap {
            let tricked = net.with_tricks(clip());
            tricked
                .optimize(&mut optim, 1.0.into(), zero)
                .into_parts()
                .0
        } else {
            net.optimize(&mut optim, 1.0.into(), zero)
        }
    };
    let net = Net::seeded(1, &flex());
    let before = values(net.last.weight.val());
    let plain = step(net.clone(), false);
    let wrapped = step(net, true);
    let halved: Vec<f64> = before.iter().map(|weight| weight * 0.5).collect();
    crate::oracle::assert_close(&values(plain.last.weight.val()), &halved, 1e-6, "decayed");
    assert_eq!(numbers(&wrapped), numbers(&plain));
}

/// Gradients times a number.
fn scaled<M: Module>(model: &M, grads: GradientsParams, factor: f64) -> GradientsParams {
    struct Scale(GradientsParams, f64);

    impl ModuleVisitor for Scale {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(grad) = self.0.remove::<D>(param.id) {
                self.0.register(param.id, grad * self.1);
            }
        }
    }

    let mut scale = Scale(grads, factor);
    model.visit(&mut scale);
    scale.0
}

/// Its loss is w·Σx, so that its gradient is the sum of the samples; its own `optimize` takes a step and
/// then adds 100, or 1000 with several devices.
#[derive(Module, Debug)]
pub(crate) struct Own {
    pub(crate) weight: Param<Tensor<1>>,
}

impl Own {
    fn new() -> Self {
        let weight = Tensor::<1>::zeros([1], &flex()).require_grad();
        Self {
            weight: Param::initialized(ParamId::new(), weight),
        }
    }

    fn plus(self, more: f64) -> Self {
        Self {
            weight: self
                .weight
                .map(|weight| (weight.inner() + more).autodiff().require_grad()),
        }
    }

    fn value(&self) -> f64 {
        values(self.weight.val())[0]
    }
}

/// The samples themselves.
struct Sum;

impl Batcher<f64, f64> for Sum {
    fn batch(&self, items: Vec<f64>, _device: &Device) -> f64 {
        items.iter().sum()
    }
}

impl TrainStep for Own {
    type Input = f64;
    type Output = RegressionOutput;

    fn step(&self, sum: f64) -> TrainOutput<RegressionOutput> {
        let loss = self.weight.val() * sum;
        TrainOutput::new(self, loss.backward(), shown(loss))
    }

    fn optimize(
        self,
        optim: &mut ModuleOptimizer,
        rate: ModuleLearningRate,
        grads: GradientsParams,
    ) -> Self {
        optim.step(rate, self, grads).plus(100.0)
    }

    fn optimize_multi(
        self,
        optim: &mut ModuleOptimizer,
        rate: ModuleLearningRate,
        grads: MultiGradientsParams,
    ) -> Self {
        optim.step_multi(rate, self, grads).plus(1000.0)
    }
}

impl InferenceStep for Own {
    type Input = f64;
    type Output = RegressionOutput;

    fn step(&self, sum: f64) -> RegressionOutput {
        shown(self.weight.val() * sum)
    }
}

type Log = Arc<Mutex<Vec<String>>>;

/// Logs what it is told, and doubles the gradient.
#[derive(Debug)]
struct Spy {
    name: &'static str,
    log: Log,
    sees: bool,
}

impl Spy {
    fn new(name: &'static str, log: &Log) -> Self {
        let log = log.clone();
        Self {
            name,
            log,
            sees: true,
        }
    }

    fn tell(&self, what: String) {
        self.log.lock().unwrap().push(what);
    }
}

impl Trick<Own> for Spy {
    fn sees_gradients(&self) -> bool {
        self.sees
    }

    fn before(&mut self, model: &Own, grads: GradientsParams, _: &StepContext) -> GradientsParams {
        let grad = grads.get::<1>(model.weight.id).unwrap();
        self.tell(format!("{} before {}", self.name, values(grad)[0]));
        scaled(model, grads, 2.0)
    }

    fn after(&mut self, model: Own, _: &StepContext) -> Own {
        self.tell(format!("{} after {}", self.name, model.value()));
        model
    }
}

fn logged(log: &Log) -> Vec<String> {
    std::mem::take(&mut log.lock().unwrap())
}

#[test]
fn the_users_own_optimize_is_respected_and_tricks_run_in_order() {
    let log = Log::default();
    let tricks = (
        Spy::new("a", &log),
        Spy::new("b", &log),
        Spy::new("c", &log),
    );
    let model = Own::new().with_tricks(tricks);
    let mut optim = SgdConfig::new().init();
    let TrainOutput { grads, .. } = TrainStep::step(&model, 3.0);
    let model = model.optimize(&mut optim, 1.0.into(), grads);
    assert_eq!(model.model().value(), 100.0 - 24.0);
    assert_eq!(
        logged(&log),
        [
            "a before 3",
            "b before 6",
            "c before 12",
            "a after 76",
            "b after 76",
            "c after 76"
        ]
    );
    // With several devices, whose gradients are summed.
    let several = |model: &Tricked<Own, _>| {
        let of = |sum| (TrainStep::step(model, sum).grads, Device::flex());
        MultiGradientsParams {
            grads: vec![of(3.0), of(4.0)],
        }
    };
    let grads = several(&model);
    let model = model.optimize_multi(&mut optim, 1.0.into(), grads);
    assert_eq!(model.model().value(), 76.0 - 56.0 + 1000.0);
    assert_eq!(logged(&log)[..2], ["a before 7", "b before 14"]);
    let blind = Spy {
        sees: false,
        ..Spy::new("a", &log)
    };
    let model = Own::new().with_tricks(blind);
    let of = |sum| (TrainStep::step(&model, sum).grads, Device::flex());
    let grads = MultiGradientsParams {
        grads: vec![of(3.0), of(4.0)],
    };
    let model = model.optimize_multi(&mut optim, 1.0.into(), grads);
    assert_eq!(model.model().value(), 1000.0 - 7.0);
    assert_eq!(logged(&log), ["a after 993"], "not gathered for it");
}

/// A constraint: no weight is larger than this.
#[derive(Debug)]
struct AtMost(f64);

impl Trick<Own> for AtMost {
    fn after(&mut self, model: Own, _: &StepContext) -> Own {
        let excess = (model.value() - self.0).max(0.0);
        model.plus(-excess)
    }
}

#[test]
fn what_a_trick_gives_back_is_trained_on_and_seen_by_the_next() {
    let log = Log::default();
    let tricks: Vec<Box<dyn Trick<Own>>> = vec![
        Box::new((AtMost(5.0), Spy::new("spy", &log))),
        Box::new((AtMost(5.0),)),
        Box::new(AtMost(5.0)),
    ];
    for trick in tricks {
        let model = Own::new().with_tricks(trick);
        let mut optim = SgdConfig::new().init();
        let TrainOutput { grads, .. } = TrainStep::step(&model, 3.0);
        let model = model.optimize(&mut optim, 1.0.into(), grads);
        assert_eq!(model.model().value(), 5.0);
    }
    assert_eq!(logged(&log), ["spy before 3", "spy after 5"]);
}

#[test]
fn gradients_are_seen_once_per_step_after_accumulation() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let log = Log::default();
    let loader = || {
        let data = InMemDataset::new((0..5).map(f64::from).collect());
        let config = EpochLoaderConfig::new(1, 0).with_shuffle(false);
        config
            .init(data, Sum, &Device::flex(), &EpochClock::new())
            .unwrap()
    };
    let training = SupervisedTraining::new(folder.path(), loader(), loader())
        .num_epochs(2)
        .grads_accumulation(2)
        .with_application_logger(None);
    let model = Own::new().with_tricks(Spy::new("spy", &log));
    let learner = Learner::new(model, SgdConfig::new().init(), 0.5);
    training.launch(learner);
    let log = logged(&log);
    let before: Vec<_> = log.iter().filter(|line| line.contains("before")).collect();
    // 0 + 1, 2 + 3, and what is left over.
    let epoch = ["spy before 1", "spy before 5", "spy before 4"];
    assert_eq!(before, [epoch, epoch].concat());
    assert_eq!(log.len(), 12, "and once after each");
}

/// What the tricks see of two epochs of the batches 0 to 4, of which Burn adds two at a time.
fn seen_of_windows(mean: MeanOfAccumulated) -> Vec<f64> {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::default();
    let loader = || {
        let data = InMemDataset::new((0..5).map(f64::from).collect());
        let config = EpochLoaderConfig::new(1, 0).with_shuffle(false);
        config
            .init(data, Sum, &Device::flex(), &EpochClock::new())
            .unwrap()
    };
    let training = SupervisedTraining::new(folder.path(), loader(), loader())
        .num_epochs(2)
        .grads_accumulation(2)
        .with_application_logger(None);
    // Wherever it stands, the others see the mean.
    let model = Own::new().with_tricks((Spy::new("spy", &log), mean));
    training.launch(Learner::new(model, SgdConfig::new().init(), 0.5));
    let log = logged(&log);
    let before = log
        .iter()
        .filter_map(|line| line.strip_prefix("spy before "));
    before.map(|number| number.parse().unwrap()).collect()
}

#[test]
fn accumulated_gradients_are_a_mean_over_windows_of_two_two_and_one() {
    let _alone = alone();
    let epoch = [0.5, 2.5, 4.0];
    let seen = seen_of_windows(MeanOfAccumulated::new());
    assert_eq!(seen, [epoch, epoch].concat());
    // Batch x of x + 1 samples: (0·1 + 1·2)/3, (2·3 + 3·4)/7, 4.
    let seen = seen_of_windows(MeanOfAccumulated::weighted(|batch: &f64| {
        *batch as usize + 1
    }));
    let epoch = [2.0 / 3.0, 18.0 / 7.0, 4.0];
    for (got, expected) in seen.iter().zip([epoch, epoch].concat()) {
        assert!((got - expected).abs() < 1e-6, "{seen:?}");
    }
    assert_eq!(seen.len(), 6);
}

#[test]
#[should_panic(expected = "counts the samples of `u8`")]
fn samples_of_another_type_of_batch_are_refused() {
    let mean = MeanOfAccumulated::weighted(|batch: &u8| usize::from(*batch));
    let boxed: Box<dyn Trick<Own>> = Box::new(Some(vec![mean]));
    TrainStep::step(&Own::new().with_tricks((boxed,)), 1.0);
}

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
    let average = |value| ema(0.9, &Own::new().plus(value));
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

#[test]
fn gradients_are_gathered_for_whoever_looks_before_the_step() {
    let sees = |tricks: Tricks| tricks.sees_gradients();
    let average = || ema(0.9, &Own::new());
    assert!(!sees(Box::new(())));
    assert!(!sees(Box::new((average(), Counts(0)))));
    assert!(sees(Box::new(clip())));
    assert!(sees(Box::new((average(), (Counts(0), clip())))));
    assert!(sees(Box::new(NormalizeGradConfig::new().init().unwrap())));
    assert!(sees(Box::new(GradNorm::new())));
    let ratio = UpdateRatio::new();
    assert!(!sees(Box::new(ratio)), "at the weights, without gradients");
}

#[test]
fn clones_share_the_tricks_and_the_parts_come_back() {
    let model = Own::new().with_tricks((Counts(0), ()));
    let clone = model.clone();
    let mut optim = SgdConfig::new().init();
    let TrainOutput { grads, .. } = TrainStep::step(&clone, 1.0);
    let stepped = clone.optimize(&mut optim, 1.0.into(), grads);
    assert_eq!(model.tricks().0, Counts(1));
    assert_eq!(model.model().value(), 0.0, "the weights are its own");
    let (own, tricks) = stepped.into_parts();
    assert_eq!(own.value(), 99.0);
    tricks.lock().unwrap().0.0 = 9;
    assert_eq!(model.tricks().0, Counts(9));
}

/// A trick of one's own: counts steps.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Counts(u64);

impl<M: Module> Trick<M> for Counts {
    fn after(&mut self, model: M, _: &StepContext) -> M {
        self.0 += 1;
        model
    }

    fn state(&self) -> Option<Vec<u8>> {
        Some(self.0.to_le_bytes().to_vec())
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        let bytes = state.try_into().map_err(|_| "eight bytes were expected")?;
        self.0 = u64::from_le_bytes(bytes);
        Ok(())
    }
}

type Tricks = Box<dyn Trick<Own>>;

type MakeTricks = fn() -> Tricks;

/// Every trick with a state, and tuples of all lengths.
fn with_state() -> Vec<(&'static str, MakeTricks)> {
    fn warm() -> Ema<Own> {
        let config = EmaConfig::new(0.5).with_update_every(2).with_start_after(1);
        config.init(&Own::new()).unwrap()
    }
    vec![
        ("Ema", || Box::new(warm())),
        ("Swa", || {
            Box::new(SwaConfig::new(2).init(&Own::new()).unwrap())
        }),
        ("Lawa", || {
            Box::new(LawaConfig::new(2, 2).init(&Own::new()).unwrap())
        }),
        ("EmaSet", || {
            let configs = [EmaConfig::new(0.5), EmaConfig::new(0.9)];
            Box::new(EmaSet::init(&configs, &Own::new()).unwrap())
        }),
        ("own", || Box::new(Counts(0))),
        ("1", || Box::new((warm(),))),
        ("2", || Box::new((clip(), warm()))),
        ("3", || Box::new((warm(), clip(), Counts(0)))),
        ("4", || Box::new(((), warm(), clip(), Counts(0)))),
        ("5", || Box::new(((), warm(), clip(), Counts(0), warm()))),
        ("6", || {
            let (norm, ratio) = (GradNorm::new(), UpdateRatio::new());
            Box::new((norm, warm(), clip(), Counts(0), (ratio, warm()), ()))
        }),
    ]
}

fn take_steps(tricks: &mut Tricks, steps: std::ops::Range<usize>) {
    for step in steps {
        let value = (step as f64 * 1.7).sin();
        tricks.after(Own::new().plus(value), &StepContext::new(1, 0.1));
    }
}

#[test]
fn a_saved_state_goes_on_as_if_nothing_had_been() {
    for (name, make) in with_state() {
        let mut whole = make();
        take_steps(&mut whole, 0..7);
        let expected = whole.state().unwrap();
        let value = |tricks: &Tricks| tricks.validated(&Own::new()).map(|own| own.value());
        for at in 0..7 {
            let mut saved = make();
            take_steps(&mut saved, 0..at);
            let mut loaded = make();
            take_steps(&mut loaded, 3..4); // what it was does not matter
            loaded.load_state(&saved.state().unwrap()).unwrap();
            assert_eq!(value(&loaded), value(&saved), "{name} at {at}");
            take_steps(&mut loaded, at..7);
            assert_eq!(value(&loaded), value(&whole), "{name} at {at}");
            // Records name parameters, which differ from run to run, so the numbers are compared.
            assert_eq!(loaded.state().unwrap().len(), expected.len(), "{name}");
        }
    }
}

#[test]
fn a_state_of_other_tricks_is_refused() {
    let _alone = alone();
    let refused = |mut tricks: Tricks, state: Tricks, text: &str| {
        let state = state.state().unwrap_or_default();
        let error = tricks.load_state(&state).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    };
    let average = || ema(0.9, &Own::new());
    let clips = || Box::new((clip(), clip(), clip()));
    refused(
        Box::new((clip(), average())),
        clips(),
        "the state is that of 3 tricks, and there are 2",
    );
    refused(
        Box::new((clip(), clip(), clip(), clip())),
        clips(),
        "the state is that of 3 tricks, and there are 4",
    );
    refused(Box::new(clip()), Box::new(average()), "has no state");
    refused(Box::new((clip(),)), Box::new((average(),)), "has no state");
    // Saved without an average, and resumed with one: it would begin again silently.
    refused(
        Box::new((clip(), average())),
        Box::new((clip(), clip())),
        "no state was saved for this trick",
    );
    let swa = SwaConfig::new(2).init(&Own::new()).unwrap();
    refused(Box::new(swa), Box::new(average()), "not the state of `Swa`");
    let set = |count| {
        let configs = vec![EmaConfig::new(0.5); count];
        Box::new(EmaSet::init(&configs, &Own::new()).unwrap())
    };
    refused(set(2), set(3), "3 tricks, and there are 2");
    refused(Box::new(Counts(0)), Box::new(average()), "eight bytes");
    let garbage = |mut tricks: Tricks| tricks.load_state(b"garbage").unwrap_err();
    assert!(matches!(
        garbage(Box::new((clip(),))),
        StateError::Unreadable(_)
    ));
    let other = ema(0.9, &Net::new(0.0, &Device::flex()));
    let mut average = average();
    let state = Trick::<Net>::state(&other).unwrap();
    assert!(matches!(
        average.load_state(&state),
        Err(StateError::Record(_))
    ));
}

#[test]
fn a_model_with_tricks_can_be_sent_and_shared() {
    fn all<T: Send + Sync + Clone>() {}
    all::<Tricked<Net, (ClipGradNorm, Ema<Net>)>>();
    all::<Tricked<Net, Box<dyn Trick<Net>>>>();
    all::<EpochClock>();
    all::<GradNorm>();
}
