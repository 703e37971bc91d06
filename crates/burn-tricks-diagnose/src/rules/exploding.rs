//! Gradients that explode.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::{InitScheme, Prescription, short};
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::measures::{Outcome, median};
use crate::history::param::ParamHistory;
use crate::rules::initial::{initial, is_recurrent};

/// The norm of all gradients in the first steps, for inputs of size 1.
pub(crate) const NORM: f64 = 100.0;

/// The ratio of the gradient norms of the first and the last layer.
const RATIO: f64 = 70.0;

/// The first steps.
const EARLY: usize = 5;

/// The gradients of two layers are of one size if their norms differ by no more than this factor: the shapes of the layers make
/// them differ so much where the signal keeps its size.
const ALIKE: f64 = 2.0;

/// Gradients that are large before the first update: what comes after, such as steps that go too far, is a consequence.
pub(crate) fn from_the_first(history: &History) -> Vec<Finding> {
    found(history)
        .filter(|_| is_first(history))
        .into_iter()
        .collect()
}

/// Gradients that have grown with the first updates.
pub(crate) fn after_the_first(history: &History) -> Vec<Finding> {
    found(history)
        .filter(|_| !is_first(history))
        .into_iter()
        .collect()
}

/// The norm of all gradients of the first step is beyond the limit, or not finite.
fn is_first(history: &History) -> bool {
    let norms = history.gradient_norms();
    let first = norms.first().map(|(_, norm)| norm / size(history));
    first.is_some_and(|first| first > NORM || !first.is_finite())
}

/// Raw inputs make the gradient of the first layer larger by their size.
fn size(history: &History) -> f64 {
    let train = history.train.as_ref();
    train.map_or(1.0, |train| train.mean.abs().max(train.deviation).max(1.0))
}

fn found(history: &History) -> Option<Finding> {
    if history.outcome() == Outcome::Learned {
        return None;
    }
    let norms = history.gradient_norms();
    let early = norms.iter().take(EARLY).map(|(_, norm)| *norm);
    let size = size(history);
    let norm = median(early.filter(|norm| norm.is_finite()))? / size;
    let weights = history.weights();
    let ratio = match weights[..] {
        [first, .., last] => {
            let both = first.steps.iter().zip(&last.steps).take(EARLY);
            let ratios = both.map(|(first, last)| first.gradient / last.gradient);
            median(ratios.filter(|ratio| ratio.is_finite())).unwrap_or(0.0)
        }
        _ => 0.0,
    };
    let (value, threshold, source) = if norm > NORM {
        (
            norm,
            NORM,
            "norm of all gradients in the first 5 steps over the size of the inputs; clinic",
        )
    } else if ratio > RATIO && norm > NORM / 10.0 {
        (
            ratio,
            RATIO,
            "norm of the gradient of the first layer over that of the last; 70 as AUTOTRAINER (2021)",
        )
    } else {
        return None;
    };
    let norm_of = |param: &ParamHistory| {
        let early = param.steps.iter().take(EARLY);
        early.map(|at| at.gradient).fold(0.0, f64::max)
    };
    let largest = weights
        .iter()
        .max_by(|a, b| norm_of(a).total_cmp(&norm_of(b)));
    let last = weights.last();
    let grows = match (largest, last) {
        (Some(largest), Some(last)) if largest.path != last.path => {
            norm_of(largest) > ALIKE * norm_of(last)
        }
        // Within a single layer it grows through the time steps.
        _ => weights.len() == 1 && is_recurrent(history),
    };
    let at = if grows { largest } else { last };
    // A signal passes a recurrent weight in each time step: only an orthogonal one lets it neither grow nor shrink.
    let is_square = at.is_some_and(|param| param.fan_in == param.fan_out);
    let weights_anew = if is_recurrent(history) && is_square {
        Prescription::InitWeights {
            scheme: InitScheme::Orthogonal,
        }
    } else {
        initial(history)
    };
    let where_from = if grows {
        "it grows on its way back through the layers, or through the time steps of a recurrent layer"
    } else {
        "it is as large in the last layer as in any other, so it comes large from the loss: outputs or targets are large, or the loss is a sum over the rows"
    };
    let text = format!(
        "The gradient has norm {} from the first steps on: {where_from}.",
        short(norm * size)
    );
    Some(
        Finding::new(FindingKind::ExplodingGradient, Severity::Fault, text)
            .at(at.map(|param| param.path.as_str()))
            .measured(value, threshold, source)
            .with([
                // The first gradients are large, so it is not the training that made them so.
                weights_anew,
                Prescription::ClipGradNorm { max_norm: 1.0 },
                Prescription::Activation {
                    name: "tanh".to_owned(),
                },
                Prescription::NormLayers,
                Prescription::ScaleLr { factor: 0.1 },
            ]),
    )
}
