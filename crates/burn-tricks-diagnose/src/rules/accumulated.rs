//! Gradients that are never cleared.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::data::DataHistory;
use crate::history::measures::{Outcome, median};
use crate::history::{History, StepHistory};

/// The norm of the eighth sum over that of the first gradient: at most about 8, and less by as much as the gradients
/// differ in direction and the weights have moved. In the clinic it is 2.1 to 5.
const GROWTH: [f64; 2] = [1.8, 9.0];

/// The steps over which the norm grows.
const RISING: usize = 8;

/// The cosine of two sums that differ by one gradient. Gradients of different batches are far from it.
const COSINE: f64 = 0.9;

/// The logarithm of the growth from the fourth step to the eighth, over four thirds of that from the first to the fourth, from
/// which the norm grows by about one factor in each step: that would be 1, and sums of equal gradients have 0.4.
const STEADY: f64 = 0.9;

/// The steps at the beginning, which are all recorded.
const EARLY: usize = 20;

/// The cosine of two sums that swing.
const TURNING: f64 = 0.95;

/// The norm of the twentieth sum over that of the first gradient, where sums swing.
const SUMMED: [f64; 2] = [3.0, 20.0];

/// The logarithm of the factor by which the norm of a sum usually changes in a step.
const SLOWLY: f64 = 0.35;

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
    if !(grows && cosine >= COSINE) {
        return swings(history, &norms).into_iter().collect();
    }
    if cosines.len() < STEPS || leaves_plateau(history, &early) {
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

/// Whether the gradients of a network that learns grow by about the same factor in each of the first steps, as where it leaves a
/// plateau. Those of sums grow by less and less.
fn leaves_plateau(history: &History, norms: &[f64]) -> bool {
    let [first, _, _, fourth, .., last] = norms[..] else {
        return false;
    };
    // Three steps, and four.
    let (begin, end) = ((fourth / first).ln(), (last / fourth).ln());
    history.outcome() == Outcome::Learned && end >= STEADY * begin * 4.0 / 3.0
}

/// Sums that swing: weights that run far beyond their goal get gradients of the other sign, and the sum turns slowly.
fn swings(history: &History, norms: &[(usize, f64)]) -> Option<Finding> {
    let early: Vec<f64> = (norms.iter())
        .take_while(|(step, _)| *step <= EARLY)
        .map(|(_, norm)| *norm)
        .collect();
    let late = |of: &&StepHistory| (RISING..=EARLY).contains(&of.step);
    let cosines = history.steps.iter().filter(late).filter_map(|of| of.cosine);
    let cosine = median(cosines).filter(|cosine| *cosine > TURNING)?;
    let [first, .., last] = early[..] else {
        return None;
    };
    let growth = last / first;
    let [low, high] = SUMMED;
    let changes = early.windows(2).map(|pair| (pair[1] / pair[0]).ln().abs());
    let change = median(changes).filter(|change| *change < SLOWLY)?;
    let severity = match history.outcome() {
        Outcome::Learned => return None,
        // A training that may go well for all that is known.
        Outcome::Unknown => Severity::Note,
        Outcome::Partial | Outcome::Stuck => Severity::Fault,
    };
    if early.len() < EARLY || !(low..=high).contains(&growth) {
        return None;
    }
    let text = format!(
        "Successive gradients have nearly the same direction (cosine {cosine:.2}), and their norm has changed slowly to {growth:.1} times its first value in {EARLY} steps: each step gets the sum of all gradients so far."
    );
    let change_of = Prescription::change(
        "make the gradients of each step anew, and empty an accumulator after each step",
    );
    let source = format!(
        "median cosine of the 8th to the 20th gradient with the one before, whose norm changes by a factor of {:.2} in the usual step; clinic",
        change.exp()
    );
    Some(
        Finding::new(FindingKind::AccumulatedGradients, severity, text)
            .in_step(EARLY)
            .measured(cosine, TURNING, source)
            .with([change_of, Prescription::ScaleLr { factor: 0.1 }]),
    )
}
