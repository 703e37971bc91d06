//! Tricks around a model: in a loop and in the `Learner`, neutral and not, with their states.

use crate::models::{Net, alone, numbers, shown, values};
use crate::net_training::{EPOCHS, Samples, schedule, session, train_loader, training};
use crate::tricked_state::{Counts, Tricks};
use burn::data::dataloader::batcher::Batcher;
use burn::lr_scheduler::LrScheduler;
use burn::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::module::{Module, ModuleVisitor, Param, ParamGroup, ParamId};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer, MultiGradientsParams, SgdConfig};
use burn::store::ModuleRecord;
use burn::tensor::{Device, Tensor};
use burn::train::{InferenceStep, Learner, RegressionOutput, TrainOutput, TrainStep};
use burn_tricks::average::Ema;
use burn_tricks::grad::ClipGradNorm;
use burn_tricks::optim;
use burn_tricks::prelude::*;
use burn_tricks::train::{EpochClock, GradNorm, StepContext, Trick, Tricked, UpdateRatio};
use std::sync::{Arc, Mutex};

pub(crate) fn clip() -> ClipGradNorm {
    ClipGradNormConfig::new(0.5).init().unwrap()
}

pub(crate) fn ema<M: Module>(decay: f64, model: &M) -> Ema<M> {
    EmaConfig::new(decay).init(model).unwrap()
}

pub(crate) fn flex() -> Device {
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

pub(crate) fn bytes(record: ModuleRecord) -> Vec<u8> {
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
    pub(crate) fn new() -> Self {
        let weight = Tensor::<1>::zeros([1], &flex()).require_grad();
        Self {
            weight: Param::initialized(ParamId::new(), weight),
        }
    }

    pub(crate) fn plus(self, more: f64) -> Self {
        Self {
            weight: self
                .weight
                .map(|weight| (weight.inner() + more).autodiff().require_grad()),
        }
    }

    pub(crate) fn value(&self) -> f64 {
        values(self.weight.val())[0]
    }
}

/// The samples themselves.
pub(crate) struct Sum;

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

pub(crate) type Log = Arc<Mutex<Vec<String>>>;

/// Logs what it is told, and doubles the gradient.
#[derive(Debug)]
pub(crate) struct Spy {
    pub(crate) name: &'static str,
    pub(crate) log: Log,
    pub(crate) sees: bool,
}

impl Spy {
    pub(crate) fn new(name: &'static str, log: &Log) -> Self {
        let log = log.clone();
        Self {
            name,
            log,
            sees: true,
        }
    }

    pub(crate) fn tell(&self, what: String) {
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

pub(crate) fn logged(log: &Log) -> Vec<String> {
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

#[test]
fn a_model_with_tricks_can_be_sent_and_shared() {
    fn all<T: Send + Sync + Clone>() {}
    all::<Tricked<Net, (ClipGradNorm, Ema<Net>)>>();
    all::<Tricked<Net, Box<dyn Trick<Net>>>>();
    all::<EpochClock>();
    all::<GradNorm>();
}
