//! Gradients that are never cleared.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::measures::median;

/// The steps at the beginning in which the norm of a sum of gradients grows with their number.
const EARLY: usize = 8;

/// The share of that growth that is expected: the gradients of the first steps point in much the same direction.
const GROWTH: f64 = 0.5;

/// The cosine of two sums that differ by one gradient.
const COSINE: f64 = 0.8;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let norms = history.gradient_norms();
    let early: Vec<f64> = (norms.iter().enumerate())
        .take_while(|(at, (step, _))| at + 1 == *step)
        .map(|(_, (_, norm))| *norm)
        .take(EARLY)
        .collect();
    let Some(first) = early
        .first()
        .copied()
        .filter(|first| *first > 0.0 && early.len() == EARLY)
    else {
        return Vec::new();
    };
    let relative = early.iter().enumerate().skip(1);
    let growth = median(relative.map(|(at, norm)| norm / first / (at + 1) as f64)).unwrap_or(0.0);
    let cosine = median(history.steps.iter().filter_map(|of| of.cosine)).unwrap_or(0.0);
    let rising = early.windows(2).all(|pair| pair[1] > pair[0]);
    if !(GROWTH..=2.0).contains(&growth) || cosine < COSINE || !rising {
        return Vec::new();
    }
    let text = format!(
        "The norm of the gradient grows with the number of steps, and successive gradients have nearly the same direction (cosine {cosine:.2}): each step gets the sum of all gradients so far."
    );
    vec![
        Finding::new(FindingKind::AccumulatedGradients, Severity::Fault, text)
            .in_step(EARLY)
            .measured(growth, GROWTH, "norm of the gradient of step k over k times that of step 1, median of the first 8; 1 for sums of equal gradients")
            .with([Prescription::change("make the gradients of each step anew, and empty an accumulator after each step")]),
    ]
}
