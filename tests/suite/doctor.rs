//! The doctor on small trainings with one fault each, and on healthy ones.

use crate::models::alone;
use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig, Initializer, Linear, LinearConfig, LinearLayout};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::activation::{log_softmax, relu, sigmoid, softmax, tanh};
use burn::tensor::{Device, Int, Tensor, TensorData};
use burn_tricks::diagnose::{
    Diagnosis, DoctorConfig, EpochMetrics, FindingKind, LossKind, Probe, Severity,
};
use burn_tricks::force_init;

#[derive(Debug, Clone, Copy)]
enum Activation {
    Relu,
    Sigmoid,
    Tanh,
    None,
}

#[derive(Module, Debug)]
struct Mlp {
    layers: Vec<Linear>,
    norm: Option<BatchNorm>,
    probe: Probe,
    #[module(skip)]
    activation: Activation,
}

impl Mlp {
    fn new(widths: &[usize], activation: Activation, device: &Device) -> Self {
        let he = Initializer::KaimingUniform {
            gain: 2f64.sqrt(),
            fan_out_only: false,
        };
        let layer = |pair: &[usize]| {
            LinearConfig::new(pair[0], pair[1])
                .with_initializer(he.clone())
                .init(device)
        };
        Self {
            layers: widths.windows(2).map(layer).collect(),
            norm: None,
            probe: Probe::new(),
            activation,
        }
    }

    fn forward(&self, inputs: Tensor<2>) -> Tensor<2> {
        let last = self.layers.len() - 1;
        let mut signal = inputs;
        for (at, layer) in self.layers[..last].iter().enumerate() {
            signal = layer.forward(signal);
            if at == 0
                && let Some(norm) = &self.norm
            {
                signal = norm.forward(signal);
            }
            signal = match self.activation {
                Activation::Relu => relu(signal),
                Activation::Sigmoid => sigmoid(signal),
                Activation::Tanh => tanh(signal),
                Activation::None => signal,
            };
            signal = self.probe.record(&format!("hidden{at}"), signal);
        }
        self.layers[last].forward(signal)
    }
}

/// Three Gaussian classes in the plane, 300 rows for training and 150 for validation, and what a test changes.
struct Case {
    model: Mlp,
    optim: ModuleOptimizer,
    lr: f64,
    epochs: usize,
    batch: usize,
    inputs: Tensor<2>,
    labels: Tensor<1, Int>,
    valid: (Tensor<2>, Tensor<1, Int>),
    softmax_first: bool,
    accumulate: bool,
    only_last: bool,
}

fn blobs(rows: usize) -> (Vec<f32>, Vec<i64>) {
    // Knuth's multiplicative generator, and a sum of three numbers, which is nearly normal.
    let mut state = 1u64;
    let mut uniform = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let centres = [[-1.5, 0.0], [1.5, 0.0], [0.0, 2.0]];
    let (mut inputs, mut labels) = (Vec::new(), Vec::new());
    for row in 0..rows {
        let class = row % 3;
        labels.push(class as i64);
        for centre in centres[class] {
            let noise: f64 = (0..3).map(|_| uniform()).sum::<f64>() - 1.5;
            inputs.push((centre + 1.2 * noise) as f32);
        }
    }
    (inputs, labels)
}

fn case(device: &Device) -> Case {
    device.seed(7);
    let (inputs, labels) = blobs(450);
    let inputs = Tensor::<2>::from_data(TensorData::new(inputs, [450, 2]), device);
    let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [450]), device);
    let model = Mlp::new(&[2, 32, 32, 3], Activation::Relu, device);
    force_init(&model);
    Case {
        model,
        optim: AdamConfig::new().init(),
        lr: 3e-3,
        epochs: 20,
        batch: 25,
        valid: (
            inputs.clone().narrow(0, 300, 150).inner(),
            labels.clone().narrow(0, 300, 150),
        ),
        inputs: inputs.narrow(0, 0, 300),
        labels: labels.narrow(0, 0, 300),
        softmax_first: false,
        accumulate: false,
        only_last: false,
    }
}

fn accuracy(scores: Tensor<2>, labels: &Tensor<1, Int>) -> f64 {
    let right = scores
        .argmax(1)
        .squeeze_dim::<1>(1)
        .equal(labels.clone().to_device(&labels.device()));
    right.float().mean().into_scalar::<f64>()
}

fn examine(case: Case) -> Diagnosis {
    let Case {
        mut model,
        mut optim,
        lr,
        ..
    } = case;
    let mut doctor = DoctorConfig::new()
        .with_loss(Some(LossKind::CrossEntropyOfScores))
        .init(&model)
        .unwrap();
    doctor.attach(&model.probe);
    let mut sum: Option<GradientsParams> = None;
    for _ in 0..case.epochs {
        for start in (0..300).step_by(case.batch) {
            let inputs = case.inputs.clone().narrow(0, start, case.batch);
            let labels = case.labels.clone().narrow(0, start, case.batch);
            doctor.observe_batch(&inputs, &labels);
            let mut scores = model.forward(inputs);
            if case.softmax_first {
                scores = softmax(scores, 1);
            }
            doctor.observe_outputs(&scores);
            let loss = log_softmax(scores, 1)
                .gather(1, labels.unsqueeze_dim(1))
                .mean()
                .neg();
            doctor.observe_loss(&loss);
            let grads = model.probe.backward(&loss);
            let mut grads = if case.only_last {
                GradientsParams::from_grads(grads, &model.layers[model.layers.len() - 1])
            } else {
                GradientsParams::from_grads(grads, &model)
            };
            if case.accumulate {
                if let Some(sum) = &sum {
                    add(&model, &mut grads, sum);
                }
                sum = Some(copy(&model, &grads));
            }
            doctor.before_step(&model, &grads, lr);
            model = optim.step(lr, model, grads);
            doctor.after_step(&model);
        }
        let (inputs, labels) = &case.valid;
        doctor.observe_validation_batch(inputs, labels);
        let valid = if inputs.is_autodiff() {
            model.clone()
        } else {
            model.valid()
        };
        let of_valid = accuracy(valid.forward(inputs.clone()), labels);
        let of_train = accuracy(
            model.valid().forward(case.inputs.clone().inner()),
            &case.labels,
        );
        doctor.observe_epoch(
            EpochMetrics::new()
                .with_train_accuracy(of_train)
                .with_valid_accuracy(of_valid),
        );
    }
    doctor.observe_text(&format!("{model}"));
    let inference = model.valid();
    doctor.examine_linearity(&case.inputs.clone().inner(), |inputs| {
        inference.forward(inputs)
    });
    doctor.diagnose(&model)
}

fn each(
    model: &Mlp,
    grads: &GradientsParams,
    mut on: impl FnMut(burn::module::ParamId, Tensor<2>),
) {
    for layer in &model.layers {
        if let Some(grad) = grads.get::<2>(layer.weight.id) {
            on(layer.weight.id, grad);
        }
    }
}

fn add(model: &Mlp, grads: &mut GradientsParams, sum: &GradientsParams) {
    each(model, sum, |id, grad| {
        let own = grads.remove::<2>(id).unwrap();
        grads.register(id, own + grad);
    });
}

fn copy(model: &Mlp, grads: &GradientsParams) -> GradientsParams {
    let mut copied = GradientsParams::new();
    each(model, grads, |id, grad| copied.register(id, grad));
    copied
}

#[track_caller]
fn accuses(diagnosis: &Diagnosis, kind: FindingKind) {
    let history = &diagnosis.history;
    assert!(
        diagnosis.accuses(kind),
        "no {kind:?} in\n{diagnosis}\nlosses {:?} ... {:?}, epochs {:?}",
        history.losses.iter().take(20).collect::<Vec<_>>(),
        history.losses.iter().rev().take(5).collect::<Vec<_>>(),
        history.epochs.last(),
    );
}

#[track_caller]
fn accuses_at(diagnosis: &Diagnosis, kind: FindingKind, path: &str) {
    accuses(diagnosis, kind);
    let paths: Vec<_> = diagnosis
        .of_kind(kind)
        .flat_map(|finding| &finding.paths)
        .collect();
    assert!(
        paths.iter().any(|found| *found == path),
        "{path} is not among {paths:?}"
    );
}

fn run(change: impl FnOnce(&mut Case, &Device)) -> Diagnosis {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let mut case = case(&device);
    change(&mut case, &device);
    examine(case)
}

#[test]
fn a_healthy_training_is_not_accused() {
    let diagnosis = run(|_, _| {});
    assert!(diagnosis.is_healthy(), "{diagnosis}");
    assert_eq!(diagnosis.of_kind(FindingKind::Healthy).count(), 1);
    let probe = &diagnosis.history.probes[0];
    assert!(
        probe
            .steps
            .iter()
            .all(|at| at.gradient.is_some_and(|norm| norm > 0.0))
    );
    assert!(
        diagnosis.history.params[0]
            .steps
            .iter()
            .all(|at| at.update.unwrap() > 0.0)
    );
}

#[test]
fn a_healthy_training_with_tanh_and_plain_sgd_is_not_accused() {
    let diagnosis = run(|case, device| {
        case.model = Mlp::new(&[2, 32, 32, 3], Activation::Tanh, device);
        case.optim = SgdConfig::new().init();
        case.lr = 0.1;
    });
    assert!(diagnosis.is_healthy(), "{diagnosis}");
}

#[test]
fn a_tower_of_sigmoids_vanishes() {
    let diagnosis = run(|case, device| {
        let mut widths = vec![2];
        widths.extend([8; 14]);
        widths.push(3);
        case.model = Mlp::new(&widths, Activation::Sigmoid, device);
    });
    accuses_at(
        &diagnosis,
        FindingKind::VanishingGradient,
        "layers.0.weight",
    );
}

#[test]
fn zeros_in_a_hidden_layer_are_named() {
    let diagnosis = run(|case, device| {
        let zeros = LinearConfig::new(32, 32).with_initializer(Initializer::Zeros);
        case.model.layers[1] = zeros.init(device);
    });
    accuses_at(&diagnosis, FindingKind::ConstantInit, "layers.1.weight");
}

#[test]
fn zeros_in_the_output_layer_are_healthy() {
    let diagnosis = run(|case, device| {
        let zeros = LinearConfig::new(32, 3).with_initializer(Initializer::Zeros);
        case.model.layers[2] = zeros.init(device);
    });
    assert!(diagnosis.is_healthy(), "{diagnosis}");
}

#[test]
fn layers_without_a_step_are_named() {
    let diagnosis = run(|case, _| case.only_last = true);
    accuses_at(&diagnosis, FindingKind::NeverTrained, "layers.1.weight");
    let paths: Vec<_> = diagnosis
        .of_kind(FindingKind::NeverTrained)
        .flat_map(|of| &of.paths)
        .collect();
    assert!(
        !paths.iter().any(|path| path.starts_with("layers.2")),
        "{paths:?}"
    );
}

#[test]
fn gradients_that_are_never_cleared_are_seen() {
    let diagnosis = run(|case, _| {
        case.accumulate = true;
        case.optim = SgdConfig::new().init();
        case.lr = 0.01;
    });
    accuses(&diagnosis, FindingKind::AccumulatedGradients);
}

#[test]
fn a_negative_rate_is_called_one() {
    let diagnosis = run(|case, _| case.lr = -1e-2);
    accuses(&diagnosis, FindingKind::LrInvalid);
}

#[test]
fn a_rate_a_hundred_times_too_high_and_too_low() {
    let diagnosis = run(|case, device| {
        case.model = Mlp::new(&[2, 32, 32, 3], Activation::Relu, device);
        case.optim = SgdConfig::new().init();
        case.lr = 30.0;
    });
    accuses(&diagnosis, FindingKind::LrTooHigh);
    let diagnosis = run(|case, _| case.lr = 1e-7);
    accuses(&diagnosis, FindingKind::LrTooLow);
}

#[test]
fn labels_of_one_class_are_seen() {
    let diagnosis = run(|case, _| case.labels = case.labels.clone().div_scalar(255));
    accuses(&diagnosis, FindingKind::SingleClass);
    assert!(!diagnosis.accuses(FindingKind::Overfitting), "{diagnosis}");
}

#[test]
fn a_validation_on_another_scale_is_seen() {
    let diagnosis = run(|case, _| case.valid.0 = case.valid.0.clone() * 255.0);
    accuses(&diagnosis, FindingKind::ScalingDiffers);
}

#[test]
fn validation_rows_of_the_training_are_seen() {
    let diagnosis = run(|case, _| {
        let rows = case.inputs.clone().inner().narrow(0, 0, 150);
        case.valid = (rows, case.labels.clone().narrow(0, 0, 150));
    });
    accuses(&diagnosis, FindingKind::LeakedValidation);
}

#[test]
fn a_validation_in_training_mode_is_seen() {
    let diagnosis = run(|case, device| {
        case.model.norm = Some(BatchNormConfig::new(32).init(device));
        case.valid.0 = Tensor::from_inner(case.valid.0.clone());
    });
    accuses_at(&diagnosis, FindingKind::WrongMode, "norm");
}

#[test]
fn a_batch_norm_over_single_samples_is_seen() {
    let diagnosis = run(|case, device| {
        case.model.norm = Some(BatchNormConfig::new(32).init(device));
        case.batch = 1;
        case.epochs = 1;
    });
    accuses_at(&diagnosis, FindingKind::SingleSampleNorm, "norm");
}

#[test]
fn a_softmax_before_the_cross_entropy_is_seen() {
    let diagnosis = run(|case, _| case.softmax_first = true);
    accuses(&diagnosis, FindingKind::OutputMismatch);
}

#[test]
fn a_linear_network_is_seen() {
    let diagnosis = run(|case, _| case.model.activation = Activation::None);
    accuses(&diagnosis, FindingKind::LinearNetwork);
}

#[test]
fn unscaled_inputs_are_no_more_than_a_note_if_the_network_learns() {
    let diagnosis = run(|case, _| {
        case.inputs = case.inputs.clone() * 20.0;
        case.valid.0 = case.valid.0.clone() * 20.0;
    });
    let finding = diagnosis
        .of_kind(FindingKind::UnscaledInputs)
        .next()
        .unwrap();
    assert_eq!(finding.severity, Severity::Note, "{diagnosis}");
}

#[test]
fn swapped_fans_of_a_column_layout_are_found_before_the_first_step() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let column = LinearConfig::new(1000, 10).with_layout(LinearLayout::Col);
    let model = vec![column.init(&device)];
    let diagnosis = DoctorConfig::new().init(&model).unwrap().diagnose(&model);
    accuses_at(&diagnosis, FindingKind::InitScale, "0.weight");
    let finding = diagnosis.of_kind(FindingKind::InitScale).next().unwrap();
    assert!(finding.text.contains("fans are swapped"), "{diagnosis}");
    let model = vec![LinearConfig::new(1000, 10).init(&device)];
    let diagnosis = DoctorConfig::new().init(&model).unwrap().diagnose(&model);
    assert!(diagnosis.is_healthy(), "{diagnosis}");
}

#[test]
fn a_weight_that_is_not_finite_is_named() {
    let diagnosis = run(|case, device| {
        let nan = Initializer::Constant { value: f64::NAN };
        case.model.layers[1] = LinearConfig::new(32, 32)
            .with_initializer(nan)
            .with_bias(false)
            .init(device);
        case.epochs = 1;
    });
    accuses_at(&diagnosis, FindingKind::NonFinite, "layers.1.weight");
}

#[test]
fn a_model_without_parameters_and_a_training_without_gradients_are_findings() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let empty: Vec<Linear> = Vec::new();
    let mut doctor = DoctorConfig::new().init(&empty).unwrap();
    doctor.before_step(&empty, &GradientsParams::new(), 0.1);
    doctor.after_step(&empty);
    accuses(&doctor.diagnose(&empty), FindingKind::NoParameters);

    let model = vec![LinearConfig::new(2, 2).init(&device)];
    let mut doctor = DoctorConfig::new().init(&model).unwrap();
    doctor.observe_batch(
        &Tensor::<2>::zeros([0, 2], &device),
        Tensor::<1, Int>::zeros([0], &device),
    );
    doctor.observe_batch(
        &Tensor::<2>::full([1, 2], f32::NAN, &device),
        Tensor::<1, Int>::zeros([1], &device),
    );
    doctor.before_step(&model, &GradientsParams::new(), 0.1);
    doctor.after_step(&model);
    let diagnosis = doctor.diagnose(&model);
    accuses(&diagnosis, FindingKind::NoGradients);
    accuses(&diagnosis, FindingKind::NonFiniteData);
}

#[test]
fn a_diagnosis_survives_json() {
    let diagnosis = run(|case, _| {
        case.lr = f64::NAN;
        case.epochs = 1;
    });
    let json = diagnosis.to_json();
    let back: Diagnosis = serde_json::from_str(&json).unwrap();
    assert_eq!(back.to_json(), json);
    assert_eq!(back.findings.len(), diagnosis.findings.len());
}

#[test]
fn settings_without_sense_are_refused() {
    let _alone = alone();
    let model = vec![LinearConfig::new(2, 2).init(&Device::flex())];
    let error = DoctorConfig::new().with_every(0).init(&model).unwrap_err();
    assert_eq!(error.to_string(), "`every` must be at least 1, got 0");
}
