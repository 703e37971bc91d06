//! What a learning-rate range test suggests.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::{Prescription, short};
use crate::finding::severity::Severity;
use crate::history::History;
use crate::measurement::lr_range::{LrCurve, LrRange, LrSuggestion};

/// The largest suggestion over the smallest, over rules and seeds, from which they tell hardly more than the order of size.
const FAR: f64 = 10.0;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let Some(range) = &history.lr_range else {
        return Vec::new();
    };
    let suggested = suggested(history, range);
    let has_failed = suggested.is_none() || range.curves.iter().any(is_failed);
    let failed = has_failed.then(|| failed(range));
    suggested.into_iter().chain(failed).collect()
}

/// Whether a run has too few finite losses to suggest a rate.
fn is_failed(curve: &LrCurve) -> bool {
    curve.valley().is_none()
}

/// The suggestions, their disagreement, and the highest rate of the training beside them.
fn suggested(history: &History, range: &LrRange) -> Option<Finding> {
    let rules = [range.valley()?, range.steepest()?, range.minimum_tenth()?];
    let [valley, steepest, minimum] = rules;
    let lowest = rules
        .iter()
        .map(|of| of.lowest)
        .fold(f64::INFINITY, f64::min);
    let highest = rules.iter().map(|of| of.highest).fold(0.0, f64::max);
    let spread = highest / lowest;
    if !spread.is_finite() {
        return None;
    }
    let over_seeds = |of: LrSuggestion| {
        if of.highest > of.lowest {
            let [lowest, highest] = [of.lowest, of.highest].map(short);
            format!("{} ({lowest} to {highest} over the seeds)", short(of.lr))
        } else {
            short(of.lr)
        }
    };
    let mut text = format!(
        "The range test suggests a learning rate of {} where its loss is half-way down, {} where it falls most steeply, and {} as a tenth of that of its lowest loss.",
        over_seeds(valley),
        over_seeds(steepest),
        over_seeds(minimum)
    );
    if spread > FAR {
        let more = format!(
            " They differ by a factor of {}: only their order of size can be trusted.",
            short(spread)
        );
        text.push_str(&more);
    }
    let rates = history.steps.iter().map(|of| of.lr);
    let used = rates.filter(|lr| lr.is_finite()).fold(0.0, f64::max);
    let mut prescriptions = Vec::new();
    if used > 0.0 {
        let beside = if used > highest {
            format!("{} times the largest of them", short(used / highest))
        } else if used < lowest {
            format!("1/{} of the smallest of them", short(lowest / used))
        } else {
            "among them".to_owned()
        };
        let more = format!(
            " The highest rate of the training, {}, is {beside}.",
            short(used)
        );
        text.push_str(&more);
        if !(lowest..=highest).contains(&used) {
            let factor = valley.lr / used;
            prescriptions.extend(
                factor
                    .is_finite()
                    .then_some(Prescription::ScaleLr { factor }),
            );
        }
    }
    Some(
        Finding::new(FindingKind::LrRange, Severity::Note, text)
            .measured(
                spread,
                1.0,
                "largest suggestion of a rule for a seed over the smallest; rules of fastai, after Smith (2017)",
            )
            .with(prescriptions),
    )
}

/// A test with runs that fail in their first steps, or without a suggestion.
fn failed(range: &LrRange) -> Finding {
    let all = range.curves.len();
    let failed: Vec<&LrCurve> = range.curves.iter().filter(|of| is_failed(of)).collect();
    // After how many steps a loss is not finite, if one of the first three is not.
    let broken_after = |of: &&LrCurve| of.losses.iter().take(3).position(|loss| !loss.is_finite());
    let broken: Vec<usize> = failed.iter().filter_map(broken_after).collect();
    let at_once = broken.iter().filter(|steps| **steps == 0).count();
    let counts = [
        (
            at_once,
            "the first loss, before any step, is NaN or infinite: the weights, the data or the loss function are to blame, and not a learning rate.",
        ),
        (
            broken.len() - at_once,
            "the loss is NaN or infinite after the first or the second step, which have the lowest learning rates: the gradients, the data or the loss function are to blame rather than a learning rate.",
        ),
        (
            failed.len() - broken.len(),
            "there are fewer than three losses with a learning rate, so that they suggest none.",
        ),
    ];
    let sentences: Vec<String> = (counts.iter())
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("In {count} of {all} runs of the range test {what}"))
        .collect();
    let text = if sentences.is_empty() {
        format!(
            "The range test suggests no learning rate: its {all} runs have none, or some that are not above 0."
        )
    } else {
        sentences.join(" ")
    };
    let severity = if broken.is_empty() {
        Severity::Note
    } else {
        Severity::Warning
    };
    Finding::new(FindingKind::ExaminationFailed, severity, text)
        .measured(
            failed.len() as f64,
            0.0,
            "runs of the range test with fewer than three finite losses",
        )
        .with([Prescription::change(
            "look at the losses and the gradients of the first batches, and for NaN in the data",
        )])
}
