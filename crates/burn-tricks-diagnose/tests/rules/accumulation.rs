//! Gradients that are accumulated over several batches: a step has several losses.

use crate::{history, severity};
use burn::nn::LinearConfig;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use burn_tricks_diagnose::{
    Diagnosis, Doctor, DoctorConfig, EpochMetrics, FindingKind, History, LossCheck, LossKind,
    OutputHistory, Severity,
};

/// The losses of a step, from 1.
const LOSSES: usize = 4;

/// What a doctor is told in `steps` steps: `hand_over` gets the number of each before and after its `before_step`. Gradients
/// are NaN from step 11 on.
fn observed(steps: usize, hand_over: impl Fn(&mut Doctor, usize, bool)) -> Diagnosis {
    let device = Device::flex().autodiff();
    let model = LinearConfig::new(2, 1).init(&device);
    let mut doctor = DoctorConfig::new().init(&model).unwrap();
    for step in 1..=steps {
        hand_over(&mut doctor, step, false);
        let factor = if step < 11 { 1.0 } else { f32::NAN };
        let outputs = model.forward(Tensor::<2>::ones([3, 2], &device));
        let grads = GradientsParams::from_grads((outputs * factor).sum().backward(), &model);
        doctor.observe_position(1, LOSSES * step);
        doctor.before_step(&model, &grads, 1e-3);
        doctor.after_step(&model);
        hand_over(&mut doctor, step, true);
    }
    doctor.diagnose(&model)
}

fn loss(value: f32) -> Tensor<1> {
    Tensor::from_floats([value], &Device::flex())
}

#[test]
fn the_first_bad_loss_is_found_in_its_step_and_before_its_gradient() {
    let diagnosis = observed(20, |doctor, step, is_taken| {
        for at in (0..LOSSES).filter(|_| !is_taken) {
            let is_bad = step > 11 || (step == 11 && at > 0);
            doctor.observe_loss(&loss(if is_bad { f32::NAN } else { at as f32 }));
        }
    });
    let finding = diagnosis.of_kind(FindingKind::NonFinite).next().unwrap();
    let text = "The loss is not finite; the losses before it were 2, 3, 0.";
    assert_eq!((finding.step, &*finding.text), (Some(11), text));
    assert!(finding.paths.is_empty(), "{diagnosis}");
    assert_eq!(finding.position.unwrap().batch, 4 * 11);
    let steps = &diagnosis.history.loss_steps;
    assert_eq!(
        (steps.len(), steps[40], steps[43], steps[44]),
        (80, 11, 11, 12)
    );
}

#[test]
fn one_loss_for_each_step_needs_no_steps() {
    let steps = |hand_over: fn(&mut Doctor, usize, bool)| {
        let history = observed(20, hand_over).history;
        let json = serde_json::to_string(&history).unwrap();
        assert_eq!(json.contains("loss_steps"), !history.loss_steps.is_empty());
        assert_eq!(
            serde_json::from_str::<History>(&json).unwrap().loss_steps,
            history.loss_steps
        );
        history.loss_steps
    };
    let before = steps(|doctor, _, is_taken| {
        if !is_taken {
            doctor.observe_loss(&loss(1.0));
        }
    });
    let after = steps(|doctor, _, is_taken| {
        if is_taken {
            doctor.observe_loss(&loss(1.0));
        }
    });
    assert!(before.is_empty() && after.is_empty());
    let some = steps(|doctor, step, is_taken| {
        if step % 10 == 5 && !is_taken {
            doctor.observe_loss(&loss(1.0));
        }
    });
    assert_eq!(some, [5, 15]);
    // Of a program that hands over losses alone, each is a step.
    let model = LinearConfig::new(2, 1).init(&Device::flex());
    let mut doctor = DoctorConfig::new().init(&model).unwrap();
    (0..3).for_each(|_| doctor.observe_loss(&loss(1.0)));
    assert!(doctor.history(&model).loss_steps.is_empty());
}

/// So many steps of four losses each.
fn accumulated(steps: usize, loss: impl Fn(usize) -> f64) -> History {
    let mut of = history(steps, 1.95);
    of.loss_steps = (1..=steps).flat_map(|step| [step; LOSSES]).collect();
    of.losses = of.loss_steps.iter().map(|step| loss(*step)).collect();
    of
}

#[test]
fn a_logarithm_of_zero_is_found_in_the_step_of_its_batch() {
    let mut of = accumulated(20, |step| if step < 12 { 1.0 } else { f64::NAN });
    of.losses[41] = f64::NAN;
    let mut outputs = OutputHistory::default();
    (outputs.rows, outputs.columns, outputs.batches) = (10, 3, 80);
    (outputs.lowest, outputs.highest, outputs.spread) = (-80.0, 90.0, 10.0);
    // Those of the next step come from spoiled weights.
    outputs.first_non_finite = Some(12);
    of.outputs = Some(outputs);
    let diagnosis = Diagnosis::from_history(of);
    let finding = diagnosis.of_kind(FindingKind::LogOfZero).next().unwrap();
    assert_eq!(finding.step, Some(11));
}

#[test]
fn a_rate_that_is_too_high_is_found_in_the_step_of_the_losses() {
    let step = |of: &History| {
        let diagnosis = Diagnosis::from_history(of.clone());
        let mut found = diagnosis.of_kind(FindingKind::LrTooHigh);
        found.next().and_then(|finding| finding.step)
    };
    // A jump in an early step, one that stays for five steps, and a loss that had fallen and comes back.
    let jump = |at: usize| accumulated(60, move |step| if step == at { 10.5 } else { 1.0 });
    assert_eq!(
        [8, 50, 51].map(|at| step(&jump(at))),
        [Some(8), Some(50), None]
    );
    let high = |last: usize| {
        let is_high = move |step: usize| (60..=last).contains(&step);
        accumulated(80, move |step| if is_high(step) { 20.0 } else { 1.0 })
    };
    assert_eq!([63, 64].map(|last| step(&high(last))), [None, Some(60)]);
    let falls = |step: usize| if (21..=40).contains(&step) { 0.3 } else { 1.0 };
    assert_eq!(step(&accumulated(60, falls)), Some(25));
    // One batch of a step that jumps is no step that went too far.
    let mut of = accumulated(60, |_| 1.0);
    of.losses[29] = 20.0;
    assert_eq!(severity(&of, FindingKind::LrTooHigh), None);
    of.losses[29] = 38.0;
    assert_eq!(severity(&of, FindingKind::LrTooHigh), Some(Severity::Fault));
}

#[test]
fn fifty_steps_are_needed_whatever_the_number_of_losses() {
    let check = |of: &History| severity(of, FindingKind::LrTooHigh);
    let fault = Some(Severity::Fault);
    // A loss that grows.
    let grows = |steps: usize| {
        accumulated(steps, move |step| match step {
            1 => 0.5,
            _ if step + 5 <= steps => 1.0,
            _ => 1.6,
        })
    };
    assert_eq!(grows(13).losses.len(), 52);
    let found = [13, 49, 50].map(|steps| check(&grows(steps)));
    assert_eq!(found, [None, None, fault]);
    // A cross-entropy above that of equal probabilities.
    let worse = |steps: usize| {
        let mut of = accumulated(steps, |step| if step == 1 { 1.0 } else { 1.3 });
        of.loss_kind = Some(LossKind::CrossEntropyOfScores);
        let mut outputs = OutputHistory::default();
        (outputs.rows, outputs.columns, outputs.batches) = (10, 3, 80);
        (outputs.lowest, outputs.highest, outputs.spread) = (-2.0, 3.0, 1.0);
        of.outputs = Some(outputs);
        of
    };
    let found = [13, 49, 50].map(|steps| check(&worse(steps)));
    assert_eq!(found, [None, None, fault]);
}

#[test]
fn a_loss_that_begins_anew_in_each_epoch_is_found_by_the_steps_of_the_epochs() {
    let check = |begin: f64| {
        let falls = move |step: usize| {
            let from = if step <= 20 { 2.0 } else { begin };
            from - 0.05 * ((step - 1) % 20) as f64
        };
        let mut of = accumulated(80, falls);
        let epoch = |epoch: usize| {
            let mut metrics = EpochMetrics::new();
            metrics.step = 20 * epoch;
            metrics
        };
        of.epochs = (1..=4).map(epoch).collect();
        severity(&of, FindingKind::WeightsReset)
    };
    assert_eq!(check(2.0), Some(Severity::Fault));
    assert_eq!(check(1.55), None);
}

#[test]
fn losses_that_are_divided_by_their_number_in_a_step_are_not_scaled() {
    let check = |part: f64| {
        let mut of = accumulated(60, |_| 1.0);
        let checked = |step: usize| {
            let mut check = LossCheck::default();
            (check.step, check.rows, check.columns) = (step, 32, 1);
            (check.own, check.given) = (4.0, 4.0 / part);
            check
        };
        of.loss_checks = (1..=60).map(checked).collect();
        severity(&of, FindingKind::ScaledLoss)
    };
    assert_eq!(check(LOSSES as f64), None);
    assert_eq!(check(8.0), Some(Severity::Fault));
}
