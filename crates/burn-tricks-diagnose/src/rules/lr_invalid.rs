//! A learning rate that is zero, negative, not finite or absurd.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;

use crate::finding::prescription::short;

/// No optimizer of the library is used with a larger learning rate; AdaDelta's is 1.
const ABSURD: f64 = 100.0;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let is_invalid = |lr: f64| !(0.0..=ABSURD).contains(&lr);
    let all_zero = !history.steps.is_empty() && history.steps.iter().all(|of| of.lr == 0.0);
    let Some(of) = history
        .steps
        .iter()
        .find(|of| is_invalid(of.lr) || all_zero)
    else {
        return Vec::new();
    };
    let what = if of.lr < 0.0 {
        "negative: each step goes uphill"
    } else if of.lr == 0.0 {
        "0 in all steps: nothing changes"
    } else {
        "no usable number"
    };
    let text = format!("The learning rate is {}, which is {what}.", short(of.lr));
    vec![
        Finding::new(FindingKind::LrInvalid, Severity::Fault, text)
            .in_step(of.step)
            .measured(of.lr, 0.0, "learning rate; it must be above 0 and finite")
            .with([Prescription::change(
                "use 1e-3 for Adam, or 1e-2 for SGD, and go on from there",
            )]),
    ]
}
