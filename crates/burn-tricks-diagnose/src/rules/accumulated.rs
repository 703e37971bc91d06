//! Gradients that are never cleared.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::data::DataHistory;
use crate::history::measures::median;

/// The norm of the eighth sum over that of the first gradient: at most about 8, and less by as much as the gradients
/// differ in direction and the weights have moved. In the clinic it is 2.1 to 5.
const GROWTH: [f64; 2] = [1.8, 9.0];

/// The steps over which the norm grows.
const RISING: usize = 8;

/// The cosine of two sums that differ by one gradient. Gradients of different batches are far from it.
const COSINE: f64 = 0.9;

/// The steps at the beginning, which are all recorded.
const EARLY: usize = 20;

/// Fewer recorded steps do not show that directions stay.
const STEPS: usize = 10;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    // Of a full batch, successive gradients have one direction anyway.
    let is_full =
        |train: &DataHistory| train.distinct_rows > 0 && train.distinct_rows <= train.largest_batch;
    if history.train.as_ref().is_some_and(is_full) {
        return Vec::new();
    }
    let norms = history.gradient_norms();
    let early = norms
        .iter()
        .enumerate()
        .take_while(|(at, (step, _))| at + 1 == *step);
    let early: Vec<f64> = early.map(|(_, (_, norm))| *norm).take(RISING).collect();
    let [first, .., last] = early[..] else {
        return Vec::new();
    };
    let of_directions = history.steps.iter().filter(|of| of.step <= EARLY);
    let cosines: Vec<f64> = of_directions.filter_map(|of| of.cosine).collect();
    let cosine = median(cosines.iter().copied()).unwrap_or(0.0);
    let growth = last / first;
    let rises = early.windows(2).all(|pair| pair[1] > 0.97 * pair[0]);
    let [low, high] = GROWTH;
    let grows = early.len() == RISING && rises && (low..=high).contains(&growth);
    if !grows || cosine < COSINE || cosines.len() < STEPS {
        return Vec::new();
    }
    let text = format!(
        "The norm of the gradient grew to {growth:.1} times its first value in the first {RISING} steps, and successive gradients have nearly the same direction (cosine {cosine:.2}): each step gets the sum of all gradients so far."
    );
    vec![
        Finding::new(FindingKind::AccumulatedGradients, Severity::Fault, text)
            .in_step(RISING)
            .measured(cosine, COSINE, "median cosine of the first 20 successive gradients, whose norm grows with the number of steps; clinic")
            .with([Prescription::change("make the gradients of each step anew, and empty an accumulator after each step")]),
    ]
}
