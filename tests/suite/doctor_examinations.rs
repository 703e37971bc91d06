//! Probes, the range test, the noise scale, and the doctor in the `Learner`.

use crate::models::alone;
use burn::module::{Flag, Module, ModuleMapper, Param};
use burn::nn::{
    BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Initializer, Linear, LinearConfig,
};
use burn::optim::{AdamConfig, GradientsParams, SgdConfig};
use burn::tensor::activation::{relu, softmax, tanh};
use burn::tensor::{Device, Distribution, Int, Tensor};
use burn::train::metric::store::Split;
use burn_tricks::average::EmaConfig;
use burn_tricks::diagnose::{
    DoctorConfig, FindingKind, LossKind, LrRangeTestConfig, NoiseScale, Probe,
};
use burn_tricks::force_init;
use burn_tricks::train::{DoctorTrick, EpochContext, StepContext, Trick};

#[derive(Module, Debug)]
struct Net {
    first: Linear,
    norm: BatchNorm,
    drop: Dropout,
    second: Linear,
    probe: Probe,
}

impl Net {
    fn new(device: &Device) -> Self {
        let net = Self {
            first: LinearConfig::new(4, 32).init(device),
            norm: BatchNormConfig::new(32).init(device),
            drop: DropoutConfig::new(0.2).init(),
            second: LinearConfig::new(32, 3).init(device),
            probe: Probe::new(),
        };
        force_init(&net);
        net
    }

    fn forward(&self, inputs: Tensor<2>) -> Tensor<2> {
        let hidden = self.norm.forward(self.first.forward(inputs));
        let hidden = self.probe.record("hidden", relu(hidden));
        self.second.forward(self.drop.forward(hidden))
    }

    fn loss(&self, inputs: &Tensor<2>) -> Tensor<1> {
        let targets = inputs.clone().narrow(1, 0, 3);
        (self.forward(inputs.clone()) - targets).square().mean()
    }
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter().collect()
}

fn inputs(rows: usize, device: &Device) -> Tensor<2> {
    Tensor::random([rows, 4], Distribution::Normal(0.0, 1.0), device)
}

#[test]
fn after_a_range_test_everything_is_to_the_bit_what_it_was() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let mut model = Net::new(&device);
    let mut optim = AdamConfig::new().init();
    let batch = inputs(32, &device);
    for _ in 0..3 {
        let grads = GradientsParams::from_grads(model.loss(&batch).backward(), &model);
        model = optim.step(1e-3, model, grads);
    }
    let record = |model: &Net| {
        let model = model.valid();
        [
            numbers(model.first.weight.val()),
            numbers(model.norm.running_mean.value()),
            numbers(model.norm.running_var.value()),
            numbers(model.second.weight.val()),
        ]
    };
    let state = |optim: &burn::optim::ModuleOptimizer| optim.into_bytes().unwrap();
    let (before, state_before) = (record(&model), state(&optim));
    let test = LrRangeTestConfig::new()
        .with_steps(30)
        .with_seeds(2)
        .init()
        .unwrap();
    let range = test.run(&model, &optim, &device, |model, _, _| model.loss(&batch));
    assert_eq!(range.curves.len(), 2);
    // The rates were high enough to change a copy.
    let losses = &range.curves[0].losses;
    assert!(
        losses
            .iter()
            .any(|loss| (loss - losses[0]).abs() > 0.1 * losses[0]),
        "{losses:?}"
    );
    assert_eq!(before, record(&model));
    assert_eq!(state_before, state(&optim));
    // The next step is that of a training without the test.
    let twin = model.clone();
    let mut twin_optim = optim.clone();
    let step = |model: Net, optim: &mut burn::optim::ModuleOptimizer| {
        device.seed(5);
        let grads = GradientsParams::from_grads(model.loss(&batch).backward(), &model);
        optim.step(1e-3, model, grads)
    };
    let after = step(model, &mut optim);
    let expected = step(twin, &mut twin_optim);
    assert_eq!(
        numbers(after.first.weight.val()),
        numbers(expected.first.weight.val())
    );
}

#[test]
fn the_range_test_finds_the_rate_of_a_parabola() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let layer = LinearConfig::new(4, 1)
        .with_bias(false)
        .with_initializer(Initializer::Ones);
    let model = layer.init(&device);
    // Loss ½ w², curvature 1 per number: SGD diverges from rate 2 on.
    let test = LrRangeTestConfig::new()
        .with_lowest(1e-3)
        .with_highest(100.0)
        .init()
        .unwrap();
    let range = test.run(&model, &SgdConfig::new().init(), &device, |model, _, _| {
        model.weight.val().square().sum() * 0.5
    });
    let last = *range.curves[0].lrs.last().unwrap();
    assert!((2.0..100.0).contains(&last), "ended at {last}");
    for of in [range.valley(), range.steepest(), range.minimum_tenth()] {
        let rate = of.unwrap().lr;
        assert!((0.01..2.0).contains(&rate), "{of:?}");
    }
    assert!(range.disagreement().unwrap() >= 1.0);
}

#[test]
fn the_loss_of_a_range_test_gets_the_seed_of_its_run() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let model = LinearConfig::new(4, 1)
        .with_initializer(Initializer::Ones)
        .init(&device);
    let test = LrRangeTestConfig::new()
        .with_steps(4)
        .with_seeds(2)
        .init()
        .unwrap();
    let mut calls = Vec::new();
    let range = test.run(
        &model,
        &SgdConfig::new().init(),
        &device,
        |model, seed, step| {
            calls.push((seed, step));
            model.weight.val().square().sum() * (seed + 1) as f64
        },
    );
    let expected: Vec<(u64, usize)> = (0..2)
        .flat_map(|seed| (0..4).map(move |step| (seed, step)))
        .collect();
    assert_eq!(calls, expected);
    let firsts: Vec<f64> = range.curves.iter().map(|curve| curve.losses[0]).collect();
    assert_eq!(firsts, [4.0, 8.0]);
}

#[test]
fn a_range_test_refuses_rates_without_sense() {
    let _alone = alone();
    let error = LrRangeTestConfig::new()
        .with_lowest(1.0)
        .with_highest(0.5)
        .init()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "`highest` must be above `lowest`, which is 1.0, got 0.5"
    );
    assert!(
        LrRangeTestConfig::new()
            .with_lowest(f64::NAN)
            .init()
            .is_err()
    );
    assert!(LrRangeTestConfig::new().with_seeds(0).init().is_err());
}

/// The gradient of row i is x_i with a known distribution: mean m, covariance σ² per number.
#[test]
fn the_noise_scale_is_the_variance_over_the_squared_mean() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let model = LinearConfig::new(4, 1).with_bias(false).init(&device);
    let mut state = 1u64;
    let mut normal = || {
        let mut uniform = || {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        (0..12).map(|_| uniform()).sum::<f64>() - 6.0
    };
    let batches: Vec<Vec<f32>> = (0..200)
        .map(|_| (0..8 * 4).map(|_| (0.5 + normal()) as f32).collect())
        .collect();
    let noise = NoiseScale::measure(&model, 200, 8, |model, batch| {
        let data = burn::tensor::TensorData::new(batches[batch].clone(), [8, 4]);
        model.forward(Tensor::<2>::from_data(data, &device)).mean()
    });
    // tr Σ = 4, ‖G‖² = 4 · 0.25 = 1.
    assert!((noise.noise / 4.0 - 1.0).abs() < 0.1, "{noise:?}");
    assert!((noise.signal - 1.0).abs() < 0.1, "{noise:?}");
}

#[test]
fn a_probe_measures_activations_and_gradients_and_changes_neither() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    probe_measures(&device);
    // Activations that the backward pass calculates anew.
    probe_measures(&device.gradient_checkpointing());
}

fn probe_measures(device: &Device) {
    let layer = LinearConfig::new(4, 6).init(device);
    force_init(&layer);
    let probe = Probe::new();
    let batch = inputs(16, device);
    let forward = |layer: &Linear| {
        probe
            .record("cell", tanh(layer.forward(batch.clone())))
            .square()
            .sum()
    };
    let plain = forward(&layer);
    let plain_grads = GradientsParams::from_grads(plain.backward(), &layer);
    let mut doctor = DoctorConfig::new().init(&layer).unwrap();
    doctor.attach(&probe);
    let loss = forward(&layer);
    assert_eq!(numbers(loss.clone().inner()), numbers(plain.inner()));
    let grads = GradientsParams::from_grads(probe.backward(&loss), &layer);
    let of = |grads: &GradientsParams| numbers(grads.get::<2>(layer.weight.id).unwrap());
    assert_eq!(of(&grads), of(&plain_grads));
    doctor.before_step(&layer, &grads, 0.1);
    let history = doctor.history(&layer);
    let step = &history.probes[0].steps[0];
    // The loss is Σ a²: its gradient is 2a.
    let activations: Vec<f64> = tanh(layer.forward(batch.clone()))
        .inner()
        .into_data()
        .iter()
        .collect();
    let norm = activations.iter().map(|a| 4.0 * a * a).sum::<f64>().sqrt();
    assert!((step.gradient.unwrap() / norm - 1.0).abs() < 1e-5);
    let mean = activations.iter().sum::<f64>() / activations.len() as f64;
    assert!((step.mean - mean).abs() < 1e-6);
    assert_eq!((step.zeros, step.non_finite), (0.0, 0.0));
}

#[test]
fn a_name_that_is_used_again_is_counted_and_a_validation_is_not_recorded() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let layer = LinearConfig::new(4, 4).init(&device);
    let probe = Probe::new();
    let mut doctor = DoctorConfig::new().init(&layer).unwrap();
    doctor.attach(&probe);
    let mut signal = inputs(8, &device);
    for _ in 0..3 {
        signal = probe.record("cell", tanh(layer.forward(signal)));
    }
    let inference = probe.record("valid", inputs(8, &Device::flex()));
    assert_eq!(inference.dims(), [8, 4]);
    let grads = GradientsParams::from_grads(probe.backward(&signal.sum()), &layer);
    doctor.before_step(&layer, &grads, 0.1);
    let history = doctor.history(&layer);
    let names: Vec<_> = history
        .probes
        .iter()
        .map(|probe| probe.name.as_str())
        .collect();
    assert_eq!(names, ["cell", "cell[1]", "cell[2]"]);
    assert!(
        history
            .probes
            .iter()
            .all(|probe| probe.steps[0].gradient.is_some())
    );
}

#[test]
fn under_gradient_checkpointing_the_doctor_records_what_it_records_without() {
    let _alone = alone();
    let plain = Device::flex().autodiff();
    let [kept, anew] = [plain.clone(), plain.gradient_checkpointing()].map(|device| {
        device.seed(4);
        let mut model = Net::new(&device);
        let mut optim = AdamConfig::new().init();
        let config = DoctorConfig::new().with_loss(Some(LossKind::MeanSquaredError));
        let mut doctor = config.init(&model).unwrap();
        doctor.attach(&model.probe);
        for _ in 0..12 {
            let batch = inputs(32, &device);
            let targets = batch.clone().narrow(1, 0, 3);
            doctor.observe_batch(&batch, &targets);
            let outputs = model.forward(batch);
            doctor.observe_outputs(&outputs);
            let loss = (outputs - targets).square().mean();
            doctor.observe_loss(&loss);
            let grads = GradientsParams::from_grads(model.probe.backward(&loss), &model);
            doctor.before_step(&model, &grads, 1e-2);
            model = optim.step(1e-2, model, grads);
            doctor.after_step(&model);
        }
        let history = doctor.history(&model);
        assert!(history.probes[0].steps[11].gradient.unwrap() > 0.0);
        history
    });
    assert_eq!(kept, anew);
}

#[test]
fn a_unit_that_is_silent_for_all_inputs_is_dead_and_one_that_is_often_silent_is_not() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let layer = LinearConfig::new(1, 2).init(&device);
    let probe = Probe::new();
    let mut doctor = DoctorConfig::new().init(&layer).unwrap();
    doctor.attach(&probe);
    for step in 0..10 {
        // The second unit is active for one of 80 inputs.
        let active = if step == 7 { 1.0 } else { 0.0 };
        let mut values = [[0.0, 0.0]; 8];
        values[3][1] = active;
        let values = Tensor::<2>::from_data(values, &device);
        probe.record("relu", values);
        doctor.before_step(&layer, &GradientsParams::new(), 0.1);
    }
    let history = doctor.history(&layer);
    assert_eq!(
        (history.probes[0].units, history.probes[0].dead_units),
        (2, 1)
    );
}

#[test]
fn units_of_images_are_channels_and_one_with_nan_is_neither_dead_nor_constant() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let layer = LinearConfig::new(1, 2).init(&device);
    let probe = Probe::new();
    let mut doctor = DoctorConfig::new().init(&layer).unwrap();
    doctor.attach(&probe);
    for step in 0..10 {
        // Channels of 10 numbers: one that is 0, one that is 0.5, one that is 0 but for one NaN, and one that varies.
        let number = |at: usize| match at / 10 % 4 {
            0 => 0.0,
            1 => 0.5,
            2 if (step, at) == (7, 25) => f64::NAN,
            2 => 0.0,
            _ => at as f64,
        };
        let numbers: Vec<f64> = (0..3 * 4 * 10).map(number).collect();
        let values = Tensor::<1>::from_data(numbers.as_slice(), &device);
        probe.record("relu", values.reshape::<4, _>([3, 4, 2, 5]));
        doctor.before_step(&layer, &GradientsParams::new(), 0.1);
    }
    let history = doctor.history(&layer);
    let seen = &history.probes[0];
    assert_eq!(seen.units, 4);
    assert_eq!((seen.dead_units, seen.constant_units), (1, 2));
}

/// Switches every flag of a model off, as `valid()` does to a model of layers that have one.
struct Off;

impl ModuleMapper for Off {
    fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
        flag.map(|flag| flag.with(false))
    }
}

#[test]
fn a_training_that_goes_on_in_inference_mode_is_seen_with_its_step() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let mut model = Net::new(&device);
    let mut optim = SgdConfig::new().init();
    let mut doctor = DoctorConfig::new().init(&model).unwrap();
    for step in 1..=20 {
        if step == 12 {
            model = model.map(&mut Off);
        }
        let grads = GradientsParams::from_grads(model.loss(&inputs(8, &device)).backward(), &model);
        doctor.before_step(&model, &grads, 0.05);
        model = optim.step(0.05, model, grads);
        doctor.after_step(&model);
    }
    let diagnosis = doctor.diagnose(&model);
    let finding = diagnosis
        .of_kind(FindingKind::WrongMode)
        .next()
        .expect("a finding");
    assert_eq!(finding.step, Some(12));
    assert_eq!(finding.paths, ["norm", "drop"]);
}

#[test]
fn an_average_that_was_never_updated_is_seen() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let mut model = Net::new(&device);
    let initial = model.valid();
    let mut optim = SgdConfig::new().init();
    let mut doctor = DoctorConfig::new().init(&model).unwrap();
    for _ in 0..5 {
        let grads = GradientsParams::from_grads(model.loss(&inputs(8, &device)).backward(), &model);
        doctor.before_step(&model, &grads, 0.05);
        model = optim.step(0.05, model, grads);
        doctor.after_step(&model);
    }
    doctor.observe_average(&initial);
    assert!(
        doctor
            .diagnose(&model)
            .accuses(FindingKind::AverageNeverStarted)
    );
    // An average that is the trained weights to the bit has not begun either.
    doctor.observe_average(&model.valid());
    assert!(
        doctor
            .diagnose(&model)
            .accuses(FindingKind::AverageNeverStarted)
    );
    let mut average = EmaConfig::new(0.5).init(&model).unwrap();
    let grads = GradientsParams::from_grads(model.loss(&inputs(8, &device)).backward(), &model);
    doctor.before_step(&model, &grads, 0.05);
    model = optim.step(0.05, model, grads);
    doctor.after_step(&model);
    average.update(&model);
    doctor.observe_average(&average.model());
    assert!(
        !doctor
            .diagnose(&model)
            .accuses(FindingKind::AverageNeverStarted)
    );
}

#[test]
fn a_hand_written_cross_entropy_takes_the_logarithm_of_zero() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let mut model = Net::new(&device);
    let mut optim = SgdConfig::new().init();
    let config = DoctorConfig::new().with_loss(Some(LossKind::CrossEntropyOfScores));
    let mut doctor = config.init(&model).unwrap();
    let labels = Tensor::<1, Int>::from_data([0, 1, 2, 0, 1, 2, 0, 1], &device);
    let one_hot = labels.clone().one_hot::<2>(3).float();
    for step in 1..=30 {
        let batch = inputs(8, &device);
        doctor.observe_batch(&batch, &labels);
        // From step 12 on the scores are large.
        let factor = if step < 12 { 1.0 } else { 1e4 };
        let scores = model.forward(batch) * factor;
        doctor.observe_outputs(&scores);
        let loss = (one_hot.clone() * softmax(scores, 1).log())
            .sum_dim(1)
            .mean()
            .neg();
        doctor.observe_loss(&loss);
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        doctor.before_step(&model, &grads, 1e-3);
        model = optim.step(1e-3, model, grads);
        doctor.after_step(&model);
    }
    let diagnosis = doctor.diagnose(&model);
    let finding = diagnosis.of_kind(FindingKind::LogOfZero).next();
    assert_eq!(
        finding.and_then(|finding| finding.step),
        Some(12),
        "{diagnosis}"
    );
    assert!(
        !diagnosis.accuses(FindingKind::ExplodingGradient),
        "{diagnosis}"
    );
}

#[test]
fn the_doctor_among_the_tricks_makes_a_diagnosis_at_the_end_of_an_epoch() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let mut model = Net::new(&device);
    let mut trick = DoctorTrick::init(&DoctorConfig::new(), &model).unwrap();
    let handle = trick.clone();
    let mut optim = SgdConfig::new().init();
    assert!(handle.diagnosis().is_none());
    for step in 1..=10 {
        let grads = GradientsParams::from_grads(model.loss(&inputs(8, &device)).backward(), &model);
        // Only the second layer reaches the optimizer.
        let only = {
            let mut only = GradientsParams::new();
            only.register(
                model.second.weight.id,
                grads.get::<2>(model.second.weight.id).unwrap(),
            );
            only
        };
        let context = StepContext::new(step, 0.05);
        let only = trick.before(&model, only, &context);
        model = optim.step(0.05, model, only);
        model = trick.after(model, &context);
    }
    let valid = model.valid();
    let epoch = EpochContext::new(1, &valid).with_metric("Accuracy", Split::Valid, 40.0);
    let mut epoch = epoch.with_metric("Loss", Split::Train, 1.0);
    trick.epoch_end(model, &mut epoch).unwrap();
    let diagnosis = handle.diagnosis().unwrap();
    assert!(diagnosis.accuses(FindingKind::NeverTrained), "{diagnosis}");
    assert_eq!(diagnosis.history.epochs[0].valid_accuracy, Some(0.4));
    assert_eq!(diagnosis.history.epochs[0].train_loss, Some(1.0));
    assert_eq!(diagnosis.history.epochs[0].train_accuracy, None);
}

#[test]
fn the_doctor_among_the_tricks_records_no_skipped_step() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let mut model = Net::new(&device);
    let mut trick = DoctorTrick::init(&DoctorConfig::new(), &model).unwrap();
    let mut optim = SgdConfig::new().init();
    for step in 1..=6 {
        let grads = GradientsParams::from_grads(model.loss(&inputs(8, &device)).backward(), &model);
        let context = StepContext::new(step, 0.05);
        // Skipped by a trick before the doctor, and by one after it.
        let (before, after) = (step == 2, step == 4);
        let grads = if before {
            GradientsParams::new()
        } else {
            grads
        };
        let grads = trick.before(&model, grads, &context);
        if !(before || after) {
            model = optim.step(0.05, model, grads);
        }
        model = trick.after(model, &context.with_skipped(before || after));
    }
    trick.observe(|doctor| {
        let history = doctor.history(&model);
        assert_eq!(history.steps_taken, 6);
        let recorded: Vec<usize> = history.steps.iter().map(|step| step.step).collect();
        assert_eq!(recorded, [1, 3, 5, 6]);
        for param in &history.params {
            for step in &param.steps {
                assert!(step.update.is_some(), "{}, step {}", param.path, step.step);
            }
        }
    });
}
