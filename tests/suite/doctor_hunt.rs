//! Where the first NaN comes from: every step is checked, the last good state is kept, the steps are taken again, and
//! in the `Learner` the batch is named.

use crate::models::{Net, alone, numbers};
use crate::net_training::{Batch, EPOCHS, Samples, schedule, valid_loader};
use burn::data::dataloader::DataLoader;
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::InMemDataset;
use burn::module::{Module, Param};
use burn::nn::{BatchNormConfig, Dropout, DropoutConfig, Initializer, Linear, LinearConfig};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::activation::relu;
use burn::tensor::{DType, Device, Distribution, Tensor};
use burn::train::Learner;
use burn_tricks::diagnose::{
    DoctorConfig, EpochMetrics, FindingKind, GoodState, LastGoodConfig, NonFiniteOrigin,
    NonFinitePlace, Probe,
};
use burn_tricks::force_init;
use burn_tricks::train::{
    DoctorTrick, EpochClock, EpochLoaderConfig, Session, StepContext, Trick, TrickedExt as _,
};

/// Two layers with dropout and a function between them that a test chooses.
#[derive(Module, Debug)]
struct Hunted {
    first: Linear,
    drop: Dropout,
    second: Linear,
    probe: Probe,
}

impl Hunted {
    fn new(device: &Device) -> Self {
        let net = Self {
            first: LinearConfig::new(4, 8).init(device),
            drop: DropoutConfig::new(0.5).init(),
            second: LinearConfig::new(8, 2).init(device),
            probe: Probe::new(),
        };
        force_init(&net);
        net
    }

    fn loss(&self, inputs: Tensor<2>, change: impl Fn(Tensor<2>) -> Tensor<2>) -> Tensor<1> {
        let hidden = relu(self.first.forward(inputs));
        let hidden = self.probe.record("hidden", hidden);
        let changed = self
            .probe
            .record("changed", change(self.drop.forward(hidden)));
        self.second.forward(changed).square().mean()
    }
}

/// The batch of a step, by its number.
fn batch(step: usize, device: &Device) -> Tensor<2> {
    let values = (0..32).map(|at| ((at * 7 + step * 13) % 11) as f32 / 5.0 - 1.0);
    let values: Vec<f32> = values.collect();
    Tensor::<1>::from_floats(values.as_slice(), device).reshape([8, 4])
}

/// The step at which `change` begins to spoil what it gets.
const SPOILED: usize = 37;

/// A training whose forward pass is spoiled from step 37 on, and the last good state of it.
fn spoiled(
    optim: impl Fn() -> ModuleOptimizer,
    seed: Option<u64>,
    change: impl Fn(Tensor<2>, usize) -> Tensor<2> + Copy,
    device: &Device,
) -> (Hunted, GoodStateAndLosses) {
    device.seed(3);
    let mut model = Hunted::new(device);
    let mut optim = optim();
    let config = LastGoodConfig::new().with_every(10).with_seed(seed);
    let mut last_good = config.init().unwrap();
    let mut losses = Vec::new();
    for step in 1..=60 {
        if !last_good.keep(step, &model, &optim) {
            break;
        }
        let loss = model.loss(batch(step, device), |hidden| change(hidden, step));
        losses.push(loss.clone().into_scalar::<f64>());
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        model = optim.step(1e-2, model, grads);
    }
    (model, (last_good, losses))
}

type GoodStateAndLosses = (burn_tricks::diagnose::LastGood<Hunted>, Vec<f64>);

fn replayed(
    state: &GoodState<Hunted>,
    probe: &Probe,
    change: impl Fn(Tensor<2>, usize) -> Tensor<2> + Copy,
    device: &Device,
) -> (Option<NonFiniteOrigin>, Vec<f64>) {
    let mut losses = Vec::new();
    let origin = state.replay(
        30,
        Some(probe),
        |model, step| {
            let loss = model.loss(batch(step, device), |hidden| change(hidden, step));
            losses.push(loss.clone().into_scalar::<f64>());
            loss
        },
        |optim, model, grads, _step| optim.step(1e-2, model, grads),
    );
    (origin, losses)
}

#[test]
fn a_forward_fault_is_named_with_its_step_its_index_and_the_numbers_around_it() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    // The logarithm of a number below 0 in one place of the batch.
    let change = |hidden: Tensor<2>, step: usize| {
        let size = if step < SPOILED { 0.0 } else { -1.0 };
        let mut shift = vec![1.0; 64];
        shift[8 * 5 + 3] = size * 100.0 + 1.0;
        let shift = Tensor::<1>::from_floats(shift.as_slice(), &hidden.device()).reshape([8, 8]);
        (hidden + shift).log()
    };
    let (model, (last_good, losses)) =
        spoiled(|| AdamConfig::new().init(), Some(5), change, &device);
    let state = last_good.state().unwrap();
    assert_eq!((state.step(), state.seed()), (31, Some(36)));
    let before = numbers(&state.model());
    let (origin, again) = replayed(state, &model.probe, change, &device);
    let origin = origin.unwrap();
    assert_eq!(
        (origin.step, origin.place),
        (SPOILED, NonFinitePlace::Activation)
    );
    assert_eq!(
        (origin.path.as_str(), &origin.index[..]),
        ("changed", &[5, 3][..])
    );
    assert!(origin.value.is_nan() && origin.non_finite == 1 && origin.elements == 64);
    assert_eq!(origin.around.len(), 7);
    assert!(origin.around[3].is_nan());
    assert!(
        origin.around[..3]
            .iter()
            .chain(&origin.around[4..])
            .all(|value| value.is_finite())
    );
    let [low, high] = origin.before.unwrap();
    assert!(low >= 0.0 && high > low, "{origin}");
    assert_eq!(origin.fed_by.as_ref().unwrap().0, "hidden");
    // Dropout drew the same masks: the losses are those of the training, to the bit.
    assert_eq!(again[..6], losses[30..36]);
    assert_eq!(numbers(&state.model()), before, "a replay changes nothing");
    let text = origin.to_string();
    assert!(text.starts_with("in the forward pass of step 37, the activation `changed` is NaN at [5, 3] (1 of 64 numbers)"), "{text}");
    // Without a seed, other masks are drawn.
    let (model, (last_good, losses)) = spoiled(|| AdamConfig::new().init(), None, change, &device);
    let (_, again) = replayed(last_good.state().unwrap(), &model.probe, change, &device);
    assert_ne!(again[..6], losses[30..36]);
}

#[test]
fn a_backward_fault_is_named_by_the_first_parameter_of_the_backward_pass() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    // A root at 0 has no gradient.
    let change = |hidden: Tensor<2>, step: usize| {
        if step < SPOILED {
            hidden
        } else {
            (hidden * 0.0).sqrt()
        }
    };
    let (model, (last_good, _)) = spoiled(|| SgdConfig::new().init(), Some(1), change, &device);
    let (origin, _) = replayed(last_good.state().unwrap(), &model.probe, change, &device);
    let origin = origin.unwrap();
    // With the probe it is the gradient that comes out of the root.
    assert_eq!(
        (origin.step, origin.place),
        (SPOILED, NonFinitePlace::ActivationGradient)
    );
    assert_eq!(origin.path, "hidden");
    // Without it, the parameter before the root.
    let state = last_good.state().unwrap();
    let origin = state.replay(
        30,
        None,
        |model, step| model.loss(batch(step, &device), |hidden| change(hidden, step)),
        |optim, model, grads, _step| optim.step(1e-2, model, grads),
    );
    let origin = origin.unwrap();
    assert_eq!(
        (origin.step, origin.place),
        (SPOILED, NonFinitePlace::Gradient)
    );
    assert_eq!(origin.path, "first.bias");
    assert_eq!(origin.paths, ["first.weight", "first.bias"]);
    // The doctor's finding says so.
    let mut doctor = DoctorConfig::new().init(&model).unwrap();
    doctor.observe_non_finite(origin);
    let diagnosis = doctor.diagnose(&state.model());
    let finding = diagnosis.of_kind(FindingKind::NonFinite).next().unwrap();
    assert_eq!(
        (finding.step, &finding.paths[..]),
        (Some(SPOILED), &["first.bias".to_owned()][..])
    );
    assert!(
        finding.text.contains("in the backward pass of step 37"),
        "{diagnosis}"
    );
}

#[test]
fn a_sound_training_has_no_origin_and_a_state_is_kept_every_so_many_steps() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let change = |hidden: Tensor<2>, _: usize| hidden;
    let (model, (last_good, losses)) =
        spoiled(|| SgdConfig::new().init(), Some(0), change, &device);
    assert_eq!((last_good.state().unwrap().step(), losses.len()), (51, 60));
    let (origin, again) = replayed(last_good.state().unwrap(), &model.probe, change, &device);
    assert_eq!((origin, again.len()), (None, 30));
    let error = LastGoodConfig::new()
        .with_every(0)
        .init::<Hunted>()
        .unwrap_err();
    assert_eq!(error.to_string(), "`every` must be at least 1, got 0");
    // Weights that are not finite from the start are not a good state.
    let mut none = LastGoodConfig::new().init().unwrap();
    let spoiled = Hunted::new(&device);
    let mut optim = SgdConfig::new().init();
    let loss = spoiled.loss(batch(1, &device), |hidden| hidden * f32::NAN);
    let grads = GradientsParams::from_grads(loss.backward(), &spoiled);
    let spoiled = optim.step(1.0, spoiled, grads);
    assert!(!none.keep(1, &spoiled, &optim));
    assert!(none.state().is_none());
}

#[test]
fn a_weight_that_the_last_step_of_a_replay_spoils_is_found() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let model = Hunted::new(&device);
    let mut last_good = LastGoodConfig::new().init().unwrap();
    assert!(last_good.keep(1, &model, &SgdConfig::new().init()));
    let state = last_good.state().unwrap();
    let replay = |steps: usize| {
        let update = |optim: &mut ModuleOptimizer, model, grads, step| {
            let mut model: Hunted = optim.step(1e-2, model, grads);
            if step == 5 {
                model.second.weight = model.second.weight.map(|weight| weight * f32::INFINITY);
            }
            model
        };
        let loss = |model: &Hunted, step| model.loss(batch(step, &device), |hidden| hidden);
        state.replay(steps, None, loss, update)
    };
    assert_eq!(replay(4), None);
    let origin = replay(5).unwrap();
    assert_eq!((origin.step, origin.place), (6, NonFinitePlace::Weight));
    assert_eq!(origin.paths, ["second.weight"]);
    assert_eq!(replay(6).unwrap().step, 6);
}

/// The norm of each layer, and the sum of both, is more than `f32` can hold.
#[test]
fn finite_numbers_whose_norms_are_infinite_are_finite() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let value = 3e38;
    let layer = LinearConfig::new(2, 1)
        .with_bias(false)
        .with_initializer(Initializer::Constant { value });
    let model = vec![layer.init(&device), layer.init(&device)];
    let mut last_good = LastGoodConfig::new().init().unwrap();
    assert!(last_good.keep(1, &model, &SgdConfig::new().init()));
    // Whose squares `f64` can hold, and `f32` not even the root of their root.
    let wide = Tensor::<1>::full([2], 1e80, (&device, DType::F64));
    let wide = vec![Param::from_tensor(wide)];
    let mut last_good = LastGoodConfig::new().init().unwrap();
    assert!(last_good.keep(1, &wide, &SgdConfig::new().init()));
    let mut doctor = DoctorConfig::new().init(&model).unwrap();
    // After the first 20, steps are not recorded.
    for step in 1..=22 {
        let factor = if step < 22 { value as f32 } else { f32::NAN };
        let input = Tensor::<2>::ones([1, 2], &device);
        let outputs = model[0].forward(input.clone()) + model[1].forward(input) * 0.9;
        let grads = GradientsParams::from_grads((outputs * factor).sum().backward(), &model);
        doctor.before_step(&model, &grads, 1e-3);
        doctor.after_step(&model);
    }
    let first = doctor.history(&model).first_non_finite.unwrap();
    assert_eq!((first.step, first.paths.len()), (22, 2));
}

/// Beyond `f32`, in steps that are recorded and in one that is not.
#[test]
fn finite_gradients_of_f64_are_finite() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let mut layer = LinearConfig::new(2, 1).with_bias(false).init(&device);
    layer.weight = layer
        .weight
        .map(|weight| Tensor::from_inner(weight.inner().cast(DType::F64)).require_grad());
    let mut doctor = DoctorConfig::new().init(&layer).unwrap();
    for step in 1..=22 {
        let factor = if step < 22 { 1e39 } else { f64::NAN };
        let input = Tensor::<2>::ones([1, 2], (&device, DType::F64));
        let loss = (layer.forward(input) * factor).sum();
        let grads = GradientsParams::from_grads(loss.backward(), &layer);
        doctor.before_step(&layer, &grads, 1e-3);
        doctor.after_step(&layer);
    }
    let first = doctor.history(&layer).first_non_finite.unwrap();
    assert_eq!(first.step, 22);
}

/// Its input is NaN, and so is the gradient of each weight.
#[test]
fn a_skipped_step_hides_no_silent_unit() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let layer = LinearConfig::new(2, 2).with_bias(false).init(&device);
    let mut doctor = DoctorConfig::new().init(&layer).unwrap();
    for step in 1..=6 {
        let value = if step < 6 { 1.0 } else { f32::NAN };
        let input = Tensor::<2>::full([1, 2], value, &device);
        let loss = layer.forward(input).narrow(1, 1, 1).sum();
        let grads = GradientsParams::from_grads(loss.backward(), &layer);
        doctor.before_step(&layer, &grads, 1e-3);
        if step < 6 {
            doctor.after_step(&layer);
        } else {
            doctor.skip_step();
        }
    }
    assert_eq!(doctor.history(&layer).params[0].silent_units, Some(1));
}

#[test]
fn a_validation_does_not_replace_the_input_of_a_norm_layer() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let model = vec![BatchNormConfig::new(3).init(&device)];
    let mut doctor = DoctorConfig::new().init(&model).unwrap();
    let probe = Probe::new();
    doctor.attach(&probe);
    let inputs = |rows: usize| Tensor::<2>::ones([rows, 3], &device);
    let outputs = model[0].forward(probe.record_norm_input("0", inputs(8)));
    let grads = GradientsParams::from_grads(outputs.sum().backward(), &model);
    doctor.before_step(&model, &grads, 1e-3);
    doctor.after_step(&model);
    // Two batches of a validation on the same device.
    for rows in [2, 1] {
        let _ = probe.record_norm_input("0", inputs(rows));
    }
    doctor.observe_epoch(EpochMetrics::new());
    assert_eq!(doctor.history(&model).norms[0].values, 8);
}

/// A step that is not recorded: the 27th.
#[test]
fn the_gradients_of_every_step_are_checked() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    for (checks, expected) in [(true, 27), (false, 30)] {
        device.seed(2);
        let mut model = Hunted::new(&device);
        let mut optim = SgdConfig::new().init();
        let config = DoctorConfig::new().with_checks_gradients(checks);
        let mut doctor = config.init(&model).unwrap();
        for step in 1..=40 {
            let root = |hidden: Tensor<2>| {
                if step < 27 {
                    hidden
                } else {
                    (hidden * 0.0).sqrt()
                }
            };
            let loss = model.loss(batch(step, &device), root);
            let grads = GradientsParams::from_grads(loss.backward(), &model);
            doctor.observe_position(1 + step / 20, 1 + step % 20);
            doctor.before_step(&model, &grads, 1e-3);
            model = optim.step(1e-3, model, grads);
            doctor.after_step(&model);
        }
        let diagnosis = doctor.diagnose(&model);
        let finding = diagnosis.of_kind(FindingKind::NonFinite).next().unwrap();
        assert_eq!(finding.step, Some(expected), "{diagnosis}");
        let position = finding.position.unwrap();
        assert_eq!((position.epoch, position.batch), (2, 1 + expected % 20));
        assert!(
            diagnosis
                .to_string()
                .contains(&format!("epoch 2, batch {}", 1 + expected % 20))
        );
        if checks {
            assert_eq!(finding.paths, ["first.bias"]);
            let first = diagnosis.history.first_non_finite.as_ref().unwrap();
            assert_eq!(first.paths, ["first.weight", "first.bias"]);
        }
    }
}

/// The samples of the tests, of which the sixth is NaN in the second epoch.
struct Spoiling(EpochClock);

impl Batcher<usize, Batch> for Spoiling {
    fn batch(&self, items: Vec<usize>, device: &Device) -> Batch {
        let is_spoiled = self.0.epoch() == 2 && items.contains(&6);
        let mut batch = Samples.batch(items, device);
        if is_spoiled {
            batch.input = batch.input * f32::NAN;
        }
        batch
    }
}

#[test]
fn in_the_learner_a_finding_names_epoch_and_batch_of_the_loader() {
    let _alone = alone();
    let clock = EpochClock::new();
    let loader = EpochLoaderConfig::new(2, 7)
        .init(
            InMemDataset::new((0..10).collect()),
            Spoiling(clock.clone()),
            &Device::flex(),
            &clock,
        )
        .unwrap();
    clock.set(2);
    let is_nan = |batch: Batch| batch.input.is_nan().any().into_scalar::<u8>() != 0;
    let spoiled = loader.iter().position(|batch| is_nan(batch.unwrap()));
    let spoiled = spoiled.unwrap() + 1;
    clock.set(1);

    let device = Device::flex().autodiff();
    let model = Net::seeded(1, &device);
    let doctor = DoctorTrick::init(&DoctorConfig::new(), &model)
        .unwrap()
        .with_loader(&loader);
    let folder = tempfile::tempdir().unwrap();
    let session = Session::new(folder.path(), loader, valid_loader())
        .configure(|training| training.num_epochs(EPOCHS).with_application_logger(None));
    let tricked = model.with_tricks((doctor.clone(), ()));
    let learner = Learner::new(tricked, SgdConfig::new().init(), schedule());
    session.launch(learner).unwrap();
    let diagnosis = doctor.diagnosis().unwrap();
    let finding = diagnosis.of_kind(FindingKind::NonFinite).next().unwrap();
    let position = finding.position.unwrap();
    assert_eq!(
        (position.epoch, position.batch),
        (2, spoiled),
        "{diagnosis}"
    );
    assert_eq!(finding.step, Some(5 + spoiled));
}

#[test]
fn a_trick_without_a_loader_names_no_batch() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let model = Hunted::new(&device);
    let mut trick = DoctorTrick::init(&DoctorConfig::new(), &model).unwrap();
    let inputs = Tensor::random([8, 4], Distribution::Normal(0.0, 1.0), &device);
    let loss = model.loss(inputs, |hidden| hidden * f32::NAN);
    let grads = GradientsParams::from_grads(loss.backward(), &model);
    let _ = trick.before(&model, grads, &StepContext::new(1, 0.1));
    trick.observe(|doctor| {
        let diagnosis = doctor.diagnose(&model);
        let finding = diagnosis.of_kind(FindingKind::NonFinite).next().unwrap();
        assert_eq!((finding.step, finding.position), (Some(1), None));
    });
}
