//! A loss over all pairs of an output and a target, in place of an output and its own target.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::loss_check::LossCheck;

/// The relative difference from which the loss of all pairs is told from that of the right ones.
const TOLD: f64 = 1e-2;

/// The relative error of the loss that was handed over.
const SAME: f64 = 1e-3;

/// Fewer steps that tell the two apart do not show it.
const STEPS: usize = 5;

/// The share of these steps that must agree.
const SHARE: f64 = 0.9;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let telling = |check: &&LossCheck| {
        let crossed = check.crossed.filter(|_| check.rows >= 2);
        crossed.is_some_and(|crossed| (crossed - check.own).abs() > TOLD * crossed.max(check.own))
    };
    let telling: Vec<&LossCheck> = history.loss_checks.iter().filter(telling).collect();
    let is_crossed = |check: &&&LossCheck| {
        let crossed = check.crossed.unwrap_or(f64::NAN);
        (check.given - crossed).abs() < SAME * crossed
    };
    let Some(first) = telling.iter().find(is_crossed) else {
        return Vec::new();
    };
    let share = telling.iter().filter(is_crossed).count() as f64 / telling.len() as f64;
    if telling.len() < STEPS || share < SHARE {
        return Vec::new();
    }
    let rows = first.rows;
    let text = format!(
        "The loss is that of all {rows} × {rows} pairs of an output and a target: outputs [{rows}, 1] and targets [1, {rows}], or the other way round, were broadcast to [{rows}, {rows}]. The network learns the mean of the targets."
    );
    let change = "give outputs and targets one shape, [rows, 1]: `unsqueeze_dim(1)` adds the last axis, and `unsqueeze` the first";
    vec![
        Finding::new(FindingKind::OutputMismatch, Severity::Fault, text)
            .in_step(first.step)
            .measured(share, SHARE, "share of the steps whose loss is that of all pairs of an output and a target; threshold chosen by us")
            .with([Prescription::change(change)]),
    ]
}
