//! Gradients that are never cleared.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::measures::median;

/// The norms of the second and the third sum over that of the first gradient: at most about 2 and 3, less by as much
/// as the gradients of the first steps differ in direction. Later the weights have moved, and the sum swings.
const GROWTH: [[f64; 2]; 2] = [[1.1, 2.3], [1.4, 3.4]];

/// The cosine of two sums that differ by one gradient. Gradients of different batches are far from it.
const COSINE: f64 = 0.85;

/// The steps at the beginning, which are all recorded.
const EARLY: usize = 20;

/// Fewer recorded steps do not show that directions stay.
const STEPS: usize = 10;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let norms = history.gradient_norms();
    let [(1, first), (2, second), (3, third), ..] = norms[..] else {
        return Vec::new();
    };
    let early = history.steps.iter().filter(|of| of.step <= EARLY);
    let cosines: Vec<f64> = early.filter_map(|of| of.cosine).collect();
    let growth = [second / first, third / first];
    let grows =
        (growth.iter().zip(GROWTH)).all(|(growth, [low, high])| (low..=high).contains(growth));
    let cosine = median(cosines.iter().copied()).unwrap_or(0.0);
    if !grows || cosine < COSINE || cosines.len() < STEPS {
        return Vec::new();
    }
    let text = format!(
        "The norm of the gradient grew to {:.1} and {:.1} times its first value in two steps, and successive gradients have nearly the same direction (cosine {cosine:.2}): each step gets the sum of all gradients so far.",
        growth[0], growth[1]
    );
    vec![
        Finding::new(FindingKind::AccumulatedGradients, Severity::Fault, text)
            .in_step(3)
            .measured(cosine, COSINE, "median cosine of the first 20 successive gradients, whose norm grows with the number of steps; clinic")
            .with([Prescription::change("make the gradients of each step anew, and empty an accumulator after each step")]),
    ]
}
