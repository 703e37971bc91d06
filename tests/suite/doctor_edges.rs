//! The doctor on what is not a training: no parameters, no gradients, one sample, one class, NaN; and its number in
//! the dashboard.

use crate::models::{Net, alone};
use crate::net_training::{EPOCHS, schedule, session};
use crate::renderer::TestRenderer;
use burn::module::Module;
use burn::nn::{Initializer, Linear, LinearConfig};
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Distribution, Int, IntDType, Tensor};
use burn::train::Learner;
use burn_tricks::diagnose::{
    Diagnosis, DoctorConfig, EpochMetrics, FindingKind, LossKind, LrRangeTestConfig, NoiseScale,
    Probe, Severity,
};
use burn_tricks::force_init;
use burn_tricks::train::{DoctorTrick, EpochClock, TrickedExt as _};
use std::sync::{Arc, Mutex};

/// Trains a layer on these rows for twenty steps while a doctor sees everything.
fn trained(inputs: &Tensor<2>, labels: &Tensor<1, Int>) -> Diagnosis {
    let device = inputs.device();
    device.seed(1);
    let probe = Probe::new();
    let mut model = LinearConfig::new(2, 3).init(&device);
    force_init(&model);
    let mut optim = SgdConfig::new().init();
    let config = DoctorConfig::new().with_loss(Some(LossKind::CrossEntropyOfScores));
    let mut doctor = config.init(&model).unwrap();
    doctor.attach(&probe);
    for _ in 0..20 {
        doctor.observe_batch(inputs, labels);
        let inputs = probe.record_norm_input("norm", inputs.clone());
        let scores = probe.record("scores", model.forward(inputs));
        doctor.observe_outputs(&scores);
        let loss = log_softmax(scores, 1)
            .gather(1, labels.clone().unsqueeze_dim(1))
            .mean()
            .neg();
        doctor.observe_loss(&loss);
        let grads = GradientsParams::from_grads(probe.backward(&loss), &model);
        doctor.before_step(&model, &grads, 0.1);
        model = optim.step(0.1, model, grads);
        doctor.after_step(&model);
    }
    doctor.observe_validation_batch(&inputs.clone().inner(), labels);
    doctor.observe_validation_outputs(&model.valid().forward(inputs.clone().inner()));
    doctor.observe_epoch(EpochMetrics::new().with_train_loss(f64::NAN));
    doctor.observe_text(&format!("{model}"));
    doctor.examine_linearity(inputs, |inputs| model.forward(inputs));
    let diagnosis = doctor.diagnose(&model);
    // It can be shown in every form.
    assert!(!diagnosis.to_string().is_empty() && diagnosis.to_html("edge").contains("</html>"));
    let json = diagnosis.to_json();
    assert_eq!(
        serde_json::from_str::<Diagnosis>(&json).unwrap().to_json(),
        json
    );
    diagnosis
}

#[test]
fn one_sample_one_class_and_nan_are_findings_and_no_panic() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let normal =
        |rows: usize| Tensor::<2>::random([rows, 2], Distribution::Normal(0.0, 1.0), &device);
    let class = |rows: usize| Tensor::<1, Int>::ones([rows], &device);
    // One sample, again and again.
    let diagnosis = trained(&normal(1), &class(1));
    assert!(
        diagnosis.accuses(FindingKind::ConstantInputs),
        "{diagnosis}"
    );
    let diagnosis = trained(&normal(30), &class(30));
    assert!(diagnosis.accuses(FindingKind::SingleClass), "{diagnosis}");
    let diagnosis = trained(&(normal(30) * f32::NAN), &class(30));
    assert!(diagnosis.accuses(FindingKind::NonFiniteData), "{diagnosis}");
    let diagnosis = trained(&(normal(30) * f32::INFINITY), &class(30));
    assert!(diagnosis.accuses(FindingKind::NonFiniteData), "{diagnosis}");
    let diagnosis = trained(&Tensor::zeros([30, 2], &device), &class(30));
    assert!(
        diagnosis.accuses(FindingKind::ConstantInputs),
        "{diagnosis}"
    );
}

/// As a dataset has them: the doctor compares them with class numbers of the device's own type.
#[test]
fn class_labels_may_be_of_any_integer_type() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let inputs = Tensor::<2>::random([30, 2], Distribution::Normal(0.0, 1.0), &device);
    for dtype in [IntDType::U8, IntDType::I64, IntDType::U32] {
        let labels = Tensor::<1, Int>::ones([30], &device).cast(dtype);
        let diagnosis = trained(&inputs, &labels);
        assert!(diagnosis.accuses(FindingKind::SingleClass), "{diagnosis}");
    }
}

#[test]
fn a_model_without_parameters_or_gradients_is_a_finding_in_the_learners_trick_too() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let empty: Vec<Linear> = Vec::new();
    let trick = DoctorTrick::init(&DoctorConfig::new(), &empty).unwrap();
    trick.observe(|doctor| {
        doctor.before_step(&empty, &GradientsParams::new(), 0.1);
        doctor.after_step(&empty);
        doctor.observe_average(&empty);
        let diagnosis = doctor.diagnose(&empty);
        assert!(diagnosis.accuses(FindingKind::NoParameters), "{diagnosis}");
    });
    let model = LinearConfig::new(2, 2).init(&device);
    let mut doctor = DoctorConfig::new().init(&model).unwrap();
    for _ in 0..3 {
        doctor.before_step(&model, &GradientsParams::new(), 0.1);
        doctor.after_step(&model);
    }
    assert!(doctor.diagnose(&model).accuses(FindingKind::NoGradients));
}

#[test]
fn examinations_of_nan_have_no_suggestion_and_a_finding() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let model = LinearConfig::new(2, 1).init(&device);
    let nan = |model: &Linear| model.weight.val().sum() * f32::NAN;
    let test = LrRangeTestConfig::new().with_steps(5).init().unwrap();
    let range = test.run(&model, &SgdConfig::new().init(), &device, |model, _, _| {
        nan(model)
    });
    assert_eq!(
        (range.valley(), range.steepest(), range.minimum_tenth()),
        (None, None, None)
    );
    let noise = NoiseScale::measure(&model, 2, 1, |model, _| nan(model));
    assert!(noise.scale.is_nan(), "{noise:?}");
    let mut doctor = DoctorConfig::new().init(&model).unwrap();
    doctor.observe_lr_range(range);
    doctor.observe_noise_scale(noise);
    let diagnosis = doctor.diagnose(&model);
    let failed = diagnosis.of_kind(FindingKind::ExaminationFailed);
    let texts: Vec<&str> = failed.map(|finding| finding.text.as_str()).collect();
    let begins = |text: &str| texts.iter().any(|found| found.starts_with(text));
    assert!(
        begins("In 3 of 3 runs of the range test the first loss, before any step, is NaN"),
        "{diagnosis}"
    );
    assert!(
        begins("The gradient-noise scale over 2 batches of 1 rows is NaN"),
        "{diagnosis}"
    );
    assert!(!diagnosis.is_healthy() && !diagnosis.to_html("nan").is_empty());
}

#[test]
fn the_dashboard_of_the_learner_shows_the_number_of_findings() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    // A fault of the initial weights, so that there is something to show from the first epoch on.
    let mut model = Net::seeded(1, &device);
    model.first.weight = Initializer::Zeros.init([4, 8], &device);
    let serious = |diagnosis: &Diagnosis| {
        let findings = diagnosis.findings.iter();
        let serious = findings.filter(|finding| finding.severity >= Severity::Warning);
        serious.count() as f64
    };
    let initial = DoctorConfig::new().init(&model).unwrap().diagnose(&model);
    let initial = serious(&initial);
    let doctor = DoctorTrick::init(&DoctorConfig::new(), &model).unwrap();
    let folder = tempfile::tempdir().unwrap();
    // What is shown, and how much the diagnosis of the epoch before has found.
    let shown: Arc<Mutex<Vec<[f64; 2]>>> = Arc::default();
    let (pairs, of_trick) = (shown.clone(), doctor.clone());
    let renderer = Box::new(TestRenderer::of_numbers(move |name, number| {
        if name == "Findings" {
            let found = of_trick.diagnosis().map_or(initial, |of| serious(&of));
            pairs.lock().unwrap().push([number, found]);
        }
    }));
    let session = session(folder.path(), &EpochClock::new())
        .configure(|training| training.renderer(renderer));
    let tricked = model.with_tricks((doctor.clone(), ()));
    session
        .launch(Learner::new(tricked, SgdConfig::new().init(), schedule()))
        .unwrap();
    let shown = shown.lock().unwrap();
    // In each of the three steps of an epoch, and at its end.
    assert_eq!(shown.len(), 4 * EPOCHS, "{shown:?}");
    assert!(
        shown
            .iter()
            .all(|[number, found]| number == found && *found > 0.0),
        "{shown:?}"
    );
    let last = shown.last().map(|[number, _]| *number);
    assert_ne!(last, Some(initial), "the training adds to it: {shown:?}");
}
