//! Batches whose gradient is mostly noise.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::measures::Outcome;

/// How many times the batch the noise scale may be.
const RATIO: f64 = 10.0;

/// The largest batch that is prescribed.
const LARGEST: f64 = 4096.0;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let Some(noise) = history.noise_scale else {
        return Vec::new();
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
