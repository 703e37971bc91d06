//! The doctor in the hands of a hurried user: examinations of a model with an attached probe, several passes in a step,
//! a validation in training mode, a doctor that is dropped, and models that were trained before.

use crate::models::alone;
use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::optim::{AdamConfig, GradientsParams, SgdConfig};
use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::{Device, Distribution, Int, Tensor};
use burn_tricks::diagnose::{
    Diagnosis, Doctor, DoctorConfig, EpochMetrics, FindingKind, LossKind, LrRangeTestConfig,
    NoiseScale, Probe,
};
use burn_tricks::force_init;

#[derive(Module, Debug)]
struct Net {
    first: Linear,
    norm: Option<BatchNorm>,
    second: Linear,
    last: Linear,
    probe: Probe,
}

impl Net {
    fn new(has_norm: bool, device: &Device) -> Self {
        let net = Self {
            first: LinearConfig::new(8, 64).init(device),
            norm: has_norm.then(|| BatchNormConfig::new(64).init(device)),
            second: LinearConfig::new(64, 64).init(device),
            last: LinearConfig::new(64, 2).init(device),
            probe: Probe::new(),
        };
        force_init(&net);
        net
    }

    fn forward(&self, inputs: Tensor<2>) -> Tensor<2> {
        let mut signal = self.first.forward(inputs);
        if let Some(norm) = &self.norm {
            signal = norm.forward(signal);
        }
        let signal = self.probe.record("first", relu(signal));
        let signal = self
            .probe
            .record("second", relu(self.second.forward(signal)));
        self.last.forward(signal)
    }

    fn loss(&self, (inputs, labels): &Batch) -> Tensor<1> {
        cross_entropy(self.forward(inputs.clone()), labels)
    }
}

type Batch = (Tensor<2>, Tensor<1, Int>);

fn cross_entropy(scores: Tensor<2>, labels: &Tensor<1, Int>) -> Tensor<1> {
    let chosen = log_softmax(scores, 1).gather(1, labels.clone().unsqueeze_dim(1));
    chosen.mean().neg()
}

/// Rows of eight numbers, whose class is the sign of `ab + c`.
fn rows(count: usize, device: &Device) -> Batch {
    let inputs = Tensor::<2>::random([count, 8], Distribution::Normal(0.0, 1.0), device);
    let column = |at: usize| inputs.clone().narrow(1, at, 1);
    let sum = column(0) * column(1) + column(2);
    let labels = sum.greater_elem(0.0).int().squeeze_dim::<1>(1);
    (inputs, labels)
}

fn part((inputs, labels): &Batch, start: usize, count: usize) -> Batch {
    (
        inputs.clone().narrow(0, start, count),
        labels.clone().narrow(0, start, count),
    )
}

fn attached(model: &Net) -> Doctor {
    let config = DoctorConfig::new().with_loss(Some(LossKind::CrossEntropyOfScores));
    let mut doctor = config.init(model).unwrap();
    doctor.attach(&model.probe);
    doctor
}

/// The probes with the number of their passes, and how many of these have a gradient.
fn passes(doctor: &Doctor, model: &Net) -> Vec<(String, usize, usize)> {
    let of = |probe: &burn_tricks::diagnose::ProbeHistory| {
        let with_gradient = probe.steps.iter().filter(|step| step.gradient.is_some());
        (probe.name.clone(), probe.steps.len(), with_gradient.count())
    };
    doctor.history(model).probes.iter().map(of).collect()
}

fn expected(passes: usize) -> Vec<(String, usize, usize)> {
    let of = |name: &str| (name.to_owned(), passes, passes);
    vec![of("first"), of("second")]
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<u32> {
    tensor.into_data().iter::<f32>().map(f32::to_bits).collect()
}

#[test]
fn examinations_of_a_model_with_an_attached_probe_are_not_recorded_and_change_nothing() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    device.seed(1);
    let model = Net::new(true, &device);
    let batch = rows(32, &device);
    let mut doctor = attached(&model);
    let statistics = |model: &Net| {
        let norm = model.norm.as_ref().unwrap();
        [&norm.running_mean, &norm.running_var].map(|of| numbers(of.value_sync().inner()))
    };
    let before = statistics(&model);
    let test = LrRangeTestConfig::new().with_steps(5).init().unwrap();
    test.run(&model, &SgdConfig::new().init(), &device, |model, _, _| {
        model.loss(&batch)
    });
    NoiseScale::measure(&model, 2, 32, |model, _| model.loss(&batch));
    let inference = model.valid().train();
    doctor.examine_linearity(&batch.0, |inputs| inference.forward(inputs));
    assert_eq!(statistics(&model), before);
    assert_eq!(passes(&doctor, &model), []);
    // The training is recorded.
    let grads = GradientsParams::from_grads(model.probe.backward(&model.loss(&batch)), &model);
    doctor.before_step(&model, &grads, 0.1);
    assert_eq!(passes(&doctor, &model), expected(1));
}

#[test]
fn the_passes_of_accumulated_gradients_have_one_name() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    device.seed(1);
    let model = Net::new(false, &device);
    let mut doctor = attached(&model);
    for _ in 0..2 {
        let mut grads = GradientsParams::new();
        for _ in 0..4 {
            let loss = model.loss(&rows(8, &device));
            grads = GradientsParams::from_grads(model.probe.backward(&loss), &model);
        }
        doctor.before_step(&model, &grads, 0.1);
    }
    assert_eq!(passes(&doctor, &model), expected(8));
}

#[test]
fn a_validation_on_a_device_with_autodiff_is_forgotten() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    device.seed(1);
    let model = Net::new(false, &device);
    let mut doctor = attached(&model);
    for epoch in 1..=3 {
        let grads = model.probe.backward(&model.loss(&rows(8, &device)));
        doctor.before_step(&model, &GradientsParams::from_grads(grads, &model), 0.1);
        for _ in 0..70 {
            let (inputs, labels) = rows(8, &device);
            doctor.observe_validation_batch(&inputs, &labels);
            let outputs = model.forward(inputs);
            if epoch != 2 {
                doctor.observe_validation_outputs(&outputs);
            }
        }
        doctor.observe_epoch(EpochMetrics::new().with_valid_accuracy(0.5));
    }
    assert_eq!(passes(&doctor, &model), expected(3));
}

#[test]
fn a_recorded_activation_is_the_same_to_the_bit() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let layer = LinearConfig::new(1, 1).init(&device);
    let probe = Probe::new();
    let mut doctor = DoctorConfig::new().init(&layer).unwrap();
    doctor.attach(&probe);
    let values = [-0.0, 0.0, f32::INFINITY, f32::MIN_POSITIVE, -1.0];
    let recorded = probe.record("a", Tensor::<1>::from_floats(values, &device));
    assert_eq!(numbers(recorded), values.map(f32::to_bits));
    assert_eq!(doctor.history(&layer).probes.len(), 1);
}

#[test]
fn a_probe_without_a_doctor_keeps_nothing() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let layer = LinearConfig::new(1, 1).init(&device);
    let ones = || Tensor::<1>::ones([1], &device);
    let kept = |probe: &Probe| format!("{probe:?}").matches("Leaf").count();
    let (first, second) = (Probe::new(), Probe::new());
    let mut doctor = DoctorConfig::new().init(&layer).unwrap();
    doctor.attach(&first);
    let _ = first.record("a", ones());
    assert_eq!(kept(&first), 1);
    doctor.attach(&second);
    let _ = (first.record("a", ones()), second.record("a", ones()));
    assert_eq!((kept(&first), kept(&second)), (0, 1));
    drop(doctor);
    let _ = second.record("a", ones());
    assert_eq!(kept(&second), 0);
}

/// A network that has learned these rows.
fn pretrained(data: &Batch, device: &Device) -> Net {
    let mut model = Net::new(false, device);
    let mut optim = AdamConfig::new().init();
    for step in 0..900 {
        let loss = model.loss(&part(data, step % 30 * 50, 50));
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        model = optim.step(3e-3, model, grads);
    }
    model
}

/// Trains a network on `data` for five epochs under a doctor, which may see the accuracies.
fn tuned(mut model: Net, data: &Batch, lr: f64, shows_accuracy: bool) -> Diagnosis {
    let mut doctor = attached(&model);
    let mut optim = AdamConfig::new().init();
    for _ in 0..5 {
        for start in (0..1500).step_by(50) {
            let batch = part(data, start, 50);
            doctor.observe_batch(&batch.0, &batch.1);
            let scores = model.forward(batch.0.clone());
            doctor.observe_outputs(&scores);
            let loss = cross_entropy(scores, &batch.1);
            doctor.observe_loss(&loss);
            let grads = GradientsParams::from_grads(model.probe.backward(&loss), &model);
            doctor.before_step(&model, &grads, lr);
            model = optim.step(lr, model, grads);
            doctor.after_step(&model);
        }
        if shows_accuracy {
            let scores = model.valid().forward(data.0.clone().inner());
            let right = scores.argmax(1).squeeze_dim::<1>(1).equal(data.1.clone());
            let accuracy = right.float().mean().into_scalar::<f64>();
            doctor.observe_epoch(EpochMetrics::new().with_train_accuracy(accuracy));
        }
    }
    doctor.diagnose(&model)
}

#[test]
fn fine_tuning_of_a_trained_network_is_healthy_and_one_that_forgets_is_not() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    device.seed(3);
    let data = rows(1500, &device);
    let model = pretrained(&data, &device);
    for (lr, shows_accuracy) in [(1e-5, false), (1e-5, true), (1e-4, false), (1e-4, true)] {
        let diagnosis = tuned(model.clone(), &data, lr, shows_accuracy);
        assert!(
            diagnosis.is_healthy(),
            "{lr} {shows_accuracy} {diagnosis}\n{:?}",
            diagnosis.history.losses
        );
    }
    let diagnosis = tuned(model.clone(), &data, 3.0, false);
    assert!(diagnosis.accuses(FindingKind::LrTooHigh), "{diagnosis}");
    // A new head on trained layers.
    let mut transfer = model;
    transfer.first = transfer.first.no_grad();
    transfer.second = transfer.second.no_grad();
    transfer.last = LinearConfig::new(64, 2).init(&device);
    let diagnosis = tuned(transfer, &data, 1e-2, true);
    assert!(diagnosis.is_healthy(), "{diagnosis}");
}

#[test]
fn of_large_outputs_few_rows_are_kept() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let layer = LinearConfig::new(1, 1).init(&device);
    let mut doctor = DoctorConfig::new().init(&layer).unwrap();
    let rows = |doctor: &Doctor| doctor.history(&layer).outputs.unwrap().rows;
    doctor.observe_outputs(&Tensor::zeros([100, 10], &device));
    assert_eq!(rows(&doctor), 100);
    // 2^21 numbers are 64 rows of these.
    doctor.observe_outputs(&Tensor::zeros([100, 1 << 15], &device));
    assert_eq!(rows(&doctor), 64);
}

/// Trains `steps` steps at rate 3e-3 on rows without a relation to their targets, by the squared error times `scale`.
fn unrelated(seed: u64, scale: f64, steps: usize) -> Diagnosis {
    let lr = 3e-3;
    let device = Device::flex().autodiff();
    device.seed(seed);
    let normal =
        |columns| Tensor::<2>::random([32, columns], Distribution::Normal(0.0, 1.0), &device);
    let mut model = Net::new(false, &device);
    let config = DoctorConfig::new().with_loss(Some(LossKind::MeanSquaredError));
    let mut doctor = config.init(&model).unwrap();
    let mut optim = AdamConfig::new().init();
    for _ in 0..steps {
        let (inputs, targets) = (normal(8), normal(2));
        doctor.observe_batch(&inputs, &targets);
        let loss = (model.forward(inputs) - targets).square().mean() * scale;
        doctor.observe_loss(&loss);
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        doctor.before_step(&model, &grads, lr);
        model = optim.step(lr, model, grads);
        doctor.after_step(&model);
    }
    doctor.diagnose(&model)
}

#[test]
fn the_number_of_an_underfitted_network_is_that_by_which_it_is_stuck() {
    let _alone = alone();
    let diagnosis = unrelated(2, 1.0, 300);
    let finding = diagnosis.of_kind(FindingKind::Underfitting).next();
    let finding = finding.unwrap_or_else(|| panic!("{diagnosis}"));
    assert!(finding.value > finding.threshold, "{diagnosis}");
    assert!(finding.source.contains("variance"), "{diagnosis}");
}

#[test]
fn a_gradient_that_comes_large_from_the_loss_does_not_grow_on_its_way_back() {
    let _alone = alone();
    // With each of the last three, the gradient of the layer before is somewhat larger than that of the last.
    for seed in [2, 3, 0, 20, 25] {
        let diagnosis = unrelated(seed, 1e5, 20);
        let finding = diagnosis.of_kind(FindingKind::ExplodingGradient).next();
        let finding = finding.unwrap_or_else(|| panic!("seed {seed}: {diagnosis}"));
        assert_eq!(finding.paths, ["last.weight"], "seed {seed}");
        assert!(
            finding.text.contains("comes large from the loss"),
            "{diagnosis}"
        );
    }
}
