//! Rules about the flow of signals and gradients.

use crate::{at, history, severity};
use burn_tricks_diagnose::{
    Diagnosis, FindingKind, History, InitScheme, Prescription, ProbeHistory, ProbeStep, Severity,
};

#[test]
fn a_first_layer_with_less_than_a_thousandth_of_the_last_gradient_vanishes() {
    let mut of = history(60, 1.95);
    for (gradient, expected) in [(9e-4, Some(Severity::Fault)), (1.1e-3, None)] {
        of.params[0]
            .steps
            .iter_mut()
            .for_each(|at| at.gradient = gradient);
        assert_eq!(severity(&of, FindingKind::VanishingGradient), expected);
    }
    // Whoever learns is not accused.
    of = history(60, 0.1);
    of.params[0]
        .steps
        .iter_mut()
        .for_each(|at| at.gradient = 1e-5);
    assert_eq!(severity(&of, FindingKind::VanishingGradient), None);
}

#[test]
fn a_gradient_norm_of_more_than_100_per_size_of_the_inputs_explodes() {
    let mut of = history(60, 1.95);
    // sqrt(4 * 50²) = 100 exactly is not above the threshold.
    for (gradient, expected) in [(51.0, Some(Severity::Fault)), (50.0, None)] {
        of.params
            .iter_mut()
            .flat_map(|param| &mut param.steps)
            .for_each(|at| at.gradient = gradient);
        assert_eq!(
            severity(&of, FindingKind::ExplodingGradient),
            expected,
            "{gradient}"
        );
    }
}

#[test]
fn a_layer_is_dead_from_70_percent_of_silent_units_on() {
    let mut of = history(60, 1.95);
    of.params[1].units = Some(10);
    for (silent, expected) in [(7, Some(Severity::Fault)), (6, None)] {
        of.params[1].silent_units = Some(silent);
        assert_eq!(severity(&of, FindingKind::DeadUnits), expected);
    }
    // Nothing comes from the loss: the units are not to blame.
    of.params[1].silent_units = Some(10);
    of.params[3]
        .steps
        .iter_mut()
        .for_each(|at| at.gradient = 0.0);
    assert_eq!(severity(&of, FindingKind::DeadUnits), None);
    // A network that learns with silent units may be sparse on purpose.
    of = history(60, 0.1);
    of.params[1].silent_units = Some(16);
    assert_eq!(severity(&of, FindingKind::DeadUnits), Some(Severity::Note));
}

fn probe(units: usize, dead: usize) -> ProbeHistory {
    let mut probe = ProbeHistory::default();
    (probe.name, probe.units, probe.dead_units, probe.inputs) = ("cell".into(), units, dead, 256);
    let mut step = ProbeStep::default();
    (step.step, step.min, step.max) = (1, -1.0, 1.0);
    probe.steps = vec![step];
    probe
}

#[test]
fn where_activations_were_seen_they_say_whether_units_are_dead() {
    let mut of = history(60, 1.95);
    // By their gradients they would be dead; a saturated unit has no gradient either.
    of.params[1].silent_units = Some(16);
    of.probes = vec![probe(16, 0)];
    assert_eq!(severity(&of, FindingKind::DeadUnits), None);
    of.probes = vec![probe(16, 12)];
    assert_eq!(severity(&of, FindingKind::DeadUnits), Some(Severity::Fault));
}

#[test]
fn units_that_fell_silent_in_training_were_killed_by_a_step() {
    let mut of = history(60, 1.95);
    of.probes = vec![probe(16, 16)];
    let first = |of: &History| {
        let diagnosis = Diagnosis::from_history(of.clone());
        let dead = diagnosis.of_kind(FindingKind::DeadUnits).next().unwrap();
        dead.prescriptions[0].clone()
    };
    // They passed something at first, and no step was large.
    of.probes[0].steps[0].zeros = 0.5;
    assert_eq!(first(&of), Prescription::ScaleLr { factor: 0.1 });
    assert_eq!(severity(&of, FindingKind::LrTooHigh), None);
    // One step changed a weight by 0.51 of itself.
    let at = &mut of.params[2].steps[1];
    at.update = Some(0.51 * at.weight);
    let diagnosis = Diagnosis::from_history(of.clone());
    let rate = diagnosis.of_kind(FindingKind::LrTooHigh).next().unwrap();
    assert_eq!(
        (rate.severity, &rate.paths[..]),
        (Severity::Fault, &["cell".to_owned()][..])
    );
    // Born silent: no step was to blame.
    of.probes[0].steps[0].zeros = 1.0;
    assert_eq!(severity(&of, FindingKind::LrTooHigh), None);
    let scheme = InitScheme::He;
    assert_eq!(first(&of), Prescription::InitWeights { scheme });
}

#[test]
fn a_tanh_is_saturated_with_more_than_half_of_its_values_at_the_ends() {
    let mut of = history(60, 1.95);
    of.probes = vec![probe(16, 0)];
    for (share, expected) in [(0.51, Some(Severity::Fault)), (0.5, None)] {
        of.probes[0].steps[0].beyond_one = share;
        assert_eq!(severity(&of, FindingKind::Saturated), expected);
    }
    of.probes[0].steps[0].beyond_one = 0.51;
    let diagnosis = Diagnosis::from_history(of.clone());
    let finding = diagnosis.of_kind(FindingKind::Saturated).next().unwrap();
    let scheme = InitScheme::Xavier;
    assert_eq!(
        finding.prescriptions[0],
        Prescription::InitWeights { scheme }
    );
    // Values beyond 1 are not those of a tanh.
    of.probes[0].steps[0].beyond_one = 0.9;
    of.probes[0].steps[0].max = 1.5;
    assert_eq!(severity(&of, FindingKind::Saturated), None);
}

#[test]
fn weights_on_three_times_hes_scale_are_too_large_and_on_a_fifth_of_the_smallest_usual_one_too_small()
 {
    let mut of = history(60, 1.7);
    // 16 inputs: He 0.354, Burn's default 0.144.
    for (deviation, expected) in [
        (1.07, Some(Severity::Warning)),
        (1.05, None),
        (0.0288, Some(Severity::Warning)),
        (0.0290, None),
    ] {
        of.params[1].initial.deviation = deviation;
        assert_eq!(
            severity(&of, FindingKind::InitScale),
            expected,
            "{deviation}"
        );
    }
}

#[test]
fn equal_weights_in_a_hidden_layer_are_a_fault_and_zeros_in_the_last_layer_are_not() {
    let constant = |of: &mut burn_tricks_diagnose::ParamHistory, value: f64| {
        (of.initial.min, of.initial.max, of.initial.deviation) = (value, value, 0.0);
    };
    let mut of = history(60, 1.95);
    constant(&mut of.params[1], 0.05);
    assert_eq!(
        severity(&of, FindingKind::ConstantInit),
        Some(Severity::Fault)
    );
    of = history(60, 0.1);
    constant(&mut of.params[3], 0.0);
    assert_eq!(severity(&of, FindingKind::ConstantInit), None);
    // A hidden zero that gets a gradient moves, as the last layer of a residual branch does.
    constant(&mut of.params[1], 0.0);
    assert_eq!(severity(&of, FindingKind::ConstantInit), None);
    of.params[1]
        .steps
        .iter_mut()
        .for_each(|at| at.gradient = 0.0);
    assert_eq!(
        severity(&of, FindingKind::ConstantInit),
        Some(Severity::Fault)
    );
}

#[test]
fn the_first_gradient_that_is_not_finite_is_the_last_parameter_of_its_step() {
    let mut of = history(60, 1.9);
    let weight = of.params[0].initial.norm;
    for param in 0..2 {
        of.params[param].steps[29] = at(30, f64::NAN, weight);
        of.params[param].steps[29].gradient_non_finite = 1.0;
    }
    let diagnosis = burn_tricks_diagnose::Diagnosis::from_history(of);
    let finding = diagnosis.of_kind(FindingKind::NonFinite).next().unwrap();
    assert_eq!(
        (finding.step, &finding.paths[..]),
        (Some(30), &["layers.1.weight".to_owned()][..])
    );
}

#[test]
fn a_loss_of_nan_from_finite_outputs_is_a_logarithm_of_zero() {
    let mut of = history(60, 1.0);
    of.losses[40] = f64::NAN;
    let mut outputs = burn_tricks_diagnose::OutputHistory::default();
    (outputs.rows, outputs.columns, outputs.batches) = (10, 3, 60);
    (outputs.lowest, outputs.highest, outputs.spread) = (-80.0, 90.0, 10.0);
    of.outputs = Some(outputs.clone());
    assert_eq!(severity(&of, FindingKind::LogOfZero), Some(Severity::Fault));
    // The gradient of a step that was not recorded has spoiled loss and outputs at once.
    outputs.first_non_finite = Some(41);
    of.outputs = Some(outputs.clone());
    assert_eq!(severity(&of, FindingKind::LogOfZero), Some(Severity::Fault));
    // Scores of a range of 86 do not underflow.
    (outputs.lowest, outputs.highest) = (-40.0, 46.0);
    of.outputs = Some(outputs.clone());
    assert_eq!(severity(&of, FindingKind::LogOfZero), None);
    assert_eq!(severity(&of, FindingKind::NonFinite), Some(Severity::Fault));
    // Outputs that were spoiled before the loss are another fault.
    (outputs.lowest, outputs.highest) = (-80.0, 90.0);
    outputs.first_non_finite = Some(40);
    of.outputs = Some(outputs);
    assert_eq!(severity(&of, FindingKind::LogOfZero), None);
}

#[test]
fn weights_that_a_gradient_passes_in_every_time_step_are_drawn_orthogonal() {
    let scheme = |passes: usize, columns: usize| {
        let mut of = history(60, 1.95);
        of.probes = (0..passes)
            .map(|pass| {
                let mut state = probe(16, 0);
                // Those of a ReLU.
                (state.steps[0].min, state.steps[0].zeros) = (0.0, 0.5);
                state.name = format!("state[{pass}]");
                state
            })
            .collect();
        of.params[1].fan_out = Some(columns);
        of.params[1]
            .steps
            .iter_mut()
            .for_each(|at| at.gradient = 1e6);
        let diagnosis = Diagnosis::from_history(of);
        let mut found = diagnosis.of_kind(FindingKind::ExplodingGradient);
        found.next().unwrap().prescriptions[0].clone()
    };
    let drawn = |scheme| Prescription::InitWeights { scheme };
    assert_eq!(scheme(10, 16), drawn(InitScheme::Orthogonal));
    assert_eq!(scheme(9, 16), drawn(InitScheme::He), "few time steps");
    assert_eq!(
        scheme(10, 8),
        drawn(InitScheme::He),
        "not from state to state"
    );
}

#[test]
fn weights_are_drawn_for_a_tanh_where_values_come_near_its_ends() {
    let scheme = |most: f64| {
        let mut of = history(60, 1.95);
        of.params[0].initial.deviation *= 30.0;
        of.probes = vec![probe(16, 0)];
        (of.probes[0].steps[0].min, of.probes[0].steps[0].max) = (-most, 0.5);
        let diagnosis = Diagnosis::from_history(of);
        let found = diagnosis.of_kind(FindingKind::InitScale).next().unwrap();
        found.prescriptions[0].clone()
    };
    let drawn = |scheme| Prescription::InitWeights { scheme };
    assert_eq!(scheme(0.95), drawn(InitScheme::Xavier));
    assert_eq!(scheme(0.8), drawn(InitScheme::He), "any small values");
}
