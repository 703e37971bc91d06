//! Steps that no optimizer with a state would take.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::{Prescription, short};
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::floor::EVIDENT;
use crate::history::measures::median;
use crate::history::param::ParamHistory;

/// The first steps, in which a state is small.
const FIRST: usize = 10;

/// Fewer recorded steps after them tell nothing.
const ENOUGH: usize = 5;

/// The relative difference of the size of an update from the learning rate up to which they are equal.
const EQUAL: f64 = 5e-3;

/// The median cosine between update and negative gradient below which the present gradient hardly counts. A momentum of β has
/// √((1 − β)/(1 + β)) where gradients are noise: 0.23 for 0.9, 0.07 for 0.99.
const OLD: f64 = 0.05;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    of_one_size(history).into_iter().collect()
}

/// A note for a network that has learned what it can.
fn severity(history: &History) -> Severity {
    let is_short = match history.compared() {
        Some(_) => history.below(EVIDENT).is_some(),
        None => history.has_much_left(),
    };
    if is_short && history.has_something_left() {
        Severity::Warning
    } else {
        Severity::Note
    }
}

/// Updates each of whose numbers is the learning rate, with the sign of the gradient: those of Adam's first step.
fn of_one_size(history: &History) -> Option<Finding> {
    let rate = |step: usize| {
        let at = history.steps.binary_search_by_key(&step, |of| of.step).ok();
        at.map(|at| history.steps[at].lr).filter(|lr| *lr > 0.0)
    };
    let sizes = |param: &ParamHistory| -> Vec<f64> {
        let elements = param.elements() as f64;
        let later = param.steps.iter().filter(|at| at.step > FIRST);
        later
            .filter_map(|at| {
                let moving = elements * (1.0 - at.gradient_zeros);
                Some(at.update? / (rate(at.step)? * moving.sqrt()))
            })
            .filter(|size| size.is_finite())
            .collect()
    };
    let all: Vec<f64> = history.weights().into_iter().flat_map(sizes).collect();
    let equal = all.iter().filter(|size| (**size - 1.0).abs() < EQUAL);
    let share = equal.count() as f64 / all.len().max(1) as f64;
    let has_steps = all.len() >= ENOUGH * history.weights().len().max(1);
    if !has_steps || share < 0.95 {
        return None;
    }
    let text = "Every number of every update is the learning rate itself, as in the first step of Adam: the optimizer is made anew for each step and remembers nothing, so that steps do not become smaller where gradients are noise. An optimizer that takes signs on purpose does the same.";
    let change = "make the optimizer once, before the loop, and keep it";
    Some(
        Finding::new(FindingKind::LrTooHigh, severity(history), text)
            .measured(share, 0.95, "share of updates after the first ten steps whose root mean square is the learning rate within 0.5 %; threshold chosen by us")
            .with([
                Prescription::change(change),
                Prescription::ScaleLr { factor: 0.1 },
            ]),
    )
}

/// For a training without another cause: updates in which the present gradient hardly counts. A strong penalty, or gradients
/// of which a few numbers are far larger than all others, make them so too.
pub(crate) fn late(history: &History) -> Option<Finding> {
    let cosines: Vec<f64> = (history.steps.iter())
        .filter_map(|of| of.update_cosine)
        .collect();
    let usual = median(cosines.iter().copied())?;
    if cosines.len() < 2 * ENOUGH || usual >= OLD {
        return None;
    }
    let text = format!(
        "The steps have nothing to do with the gradients they are taken after (cosine {}): they follow those of long ago, by a momentum near 1 or exchanged betas, and go on past every minimum.",
        short(usual)
    );
    let change = "set the betas of Adam to 0.9 and 0.999 in this order, and a momentum to 0.9";
    Some(
        Finding::new(FindingKind::LrTooHigh, severity(history), text)
            .measured(usual, OLD, "median cosine between the update and the negative gradient of a step; a momentum of β has √((1 − β)/(1 + β)) where gradients are noise, 0.23 for 0.9")
            .with([
                Prescription::change(change),
                Prescription::ScaleLr { factor: 0.1 },
            ]),
    )
}
