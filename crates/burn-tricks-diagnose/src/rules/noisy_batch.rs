//! Batches whose gradient is mostly noise.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::floor::EVIDENT;
use crate::history::measures::Outcome;

/// How many times the batch the noise scale may be.
const RATIO: f64 = 10.0;

/// Batches of fewer rows are of single rows, nearly.
const FEW: usize = 5;

/// The fall of the loss from the third quarter of the steps to the last from which a training is still on its way.
const FALLING: f64 = 0.1;

/// The largest batch that is prescribed.
const LARGEST: f64 = 4096.0;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let Some(noise) = history.noise_scale else {
        return of_few_rows(history).into_iter().collect();
    };
    let rows = history
        .train
        .as_ref()
        .map_or(0, |train| train.largest_batch);
    let rows = if rows == 0 { noise.rows } else { rows };
    let ratio = noise.scale / rows as f64;
    // A training that ends at its noise floor has a gradient that is nothing but noise.
    if ratio.is_nan() || ratio <= RATIO || history.outcome() == Outcome::Learned {
        return Vec::new();
    }
    let text = format!(
        "The noise of the gradient is that of {:.0} rows, and a batch has {rows}: most of a step is noise.",
        noise.scale
    );
    let size = noise.scale.min(LARGEST).ceil() as usize;
    vec![
        Finding::new(FindingKind::NoisyBatch, Severity::Warning, text)
            .measured(
                ratio,
                RATIO,
                "gradient-noise scale of McCandlish et al. (2018) over the rows of a batch; threshold chosen by us",
            )
            .with([
                Prescription::BatchSize { size },
                Prescription::ScaleLr { factor: 0.1 },
                Prescription::Momentum { momentum: 0.9 },
                Prescription::AverageWeights { decay: 0.99 },
            ]),
    ]
}

/// Batches of a few rows, in a training that has come to its end below a model that needs no network.
fn of_few_rows(history: &History) -> Option<Finding> {
    let rows = history.train.as_ref()?.largest_batch;
    let (floor, scores) = history.compared()?;
    let (gap, room) = history.shortfall(EVIDENT)?;
    let has_ended = history.fall().is_some_and(|fall| fall < FALLING);
    if !(1..FEW).contains(&rows) || !has_ended {
        return None;
    }
    let what = if floor.is_accuracy {
        "accuracy"
    } else {
        "share of explained variance"
    };
    let text = format!(
        "On the validation the network has {what} {:.2}, and {} {:.2}: steps after batches of {rows} follow the noise of single rows.",
        scores.valid, floor.model, floor.score
    );
    Some(
        Finding::new(FindingKind::NoisyBatch, Severity::Warning, text)
            .measured(gap, room, "score of the best of four models that need no network minus that of the network, of batches of fewer than five rows; margin: clinic")
            .with([
                Prescription::BatchSize { size: 32 },
                Prescription::ScaleLr { factor: 0.1 },
                Prescription::Momentum { momentum: 0.0 },
                Prescription::AverageWeights { decay: 0.99 },
            ]),
    )
}
