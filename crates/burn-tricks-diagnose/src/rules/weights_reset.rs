//! Weights that begin anew in each epoch.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::param::ParamHistory;

/// The loss at the beginning of an epoch, as a share of the first loss, from which the weights are those of the start.
const BACK: f64 = 0.8;

/// The loss at the end of the epoch before it, as a share of the first loss, from which something had been learned.
const LEARNED: f64 = 0.85;

/// The loss at the beginning of an epoch over that at the end of the epoch before it, from which it has jumped.
const JUMP: f64 = 1.2;

/// The losses over which a mean is taken on either side, and the rows that they are of, at least.
const MEAN: usize = 5;
const ROWS: usize = 160;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    match returned(history) {
        Some(finding) => vec![finding],
        None => by_loss(history),
    }
}

/// Weights that have the same norms at the beginning of most epochs, to the bit, though they move within each.
fn returned(history: &History) -> Option<Finding> {
    let begins: Vec<usize> = history.epochs.iter().map(|of| of.step + 1).collect();
    let moving: Vec<&ParamHistory> = (history.weights().into_iter())
        .filter(|param| param.changed)
        .collect();
    let norms = |step: usize| -> Option<Vec<u64>> {
        let at = |param: &&ParamHistory| {
            let at = param.steps.binary_search_by_key(&step, |at| at.step).ok()?;
            let at = &param.steps[at];
            at.update
                .is_some_and(|update| update > 0.0)
                .then_some(at.weight.to_bits())
        };
        moving.iter().map(at).collect()
    };
    let known: Vec<(usize, Vec<u64>)> = begins
        .iter()
        .filter_map(|step| Some((*step, norms(*step)?)))
        .collect();
    let again = |pair: &&[(usize, Vec<u64>)]| pair[0].0 < pair[1].0 && pair[0].1 == pair[1].1;
    let varies = |param: &&ParamHistory| {
        let mut norms = param.steps.iter().map(|at| at.weight);
        let first = norms.next();
        norms.any(|norm| Some(norm) != first)
    };
    let count = known.windows(2).filter(again).count();
    let step = known.windows(2).find(again).map(|pair| pair[1].0)?;
    if !moving.iter().any(varies) || count < 2 || 5 * count < 4 * (known.len() - 1) {
        return None;
    }
    let text = "Each epoch begins with the same weights as the one before it, to the bit, though they change within it: they are loaded or made anew each time, and what an epoch learns is lost.";
    let change = "load a checkpoint once, before the first epoch, and the latest one; carry the model that `step` returns into the next epoch";
    Some(
        Finding::new(FindingKind::WeightsReset, Severity::Fault, text)
            .in_step(step)
            .measured(
                count as f64 / (known.len() - 1) as f64,
                0.8,
                "share of epochs that begin with the weights with which the one before it began",
            )
            .with([Prescription::change(change)]),
    )
}

fn by_loss(history: &History) -> Vec<Finding> {
    let losses = history.step_losses();
    let losses: Vec<f64> = losses.into_iter().map(|(_, loss)| loss).collect();
    let ends: Vec<usize> = history.epochs.iter().map(|of| of.step).collect();
    // A network that is good at first is as good at the beginning of each epoch.
    if history.begins_trained()
        || ends.len() < 3
        || ends.last() != Some(&losses.len())
        || ends[0] < 2
    {
        return Vec::new();
    }
    // The loss of a few rows says little.
    let batch = history
        .train
        .as_ref()
        .map_or(0, |train| train.largest_batch);
    let steps = ROWS.checked_div(batch).unwrap_or(MEAN).max(MEAN);
    let count = steps.min(ends[0] / 4).max(1);
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let first = mean(&losses[..count]);
    let is_reset = |end: &usize| {
        let after = &losses[*end..(end + count).min(losses.len())];
        let before = &losses[end.saturating_sub(count)..*end];
        let (after, before) = (mean(after), mean(before));
        after > BACK * first && before < LEARNED * first && after > JUMP * before
    };
    let inner = &ends[..ends.len() - 1];
    let resets = inner.iter().filter(|end| is_reset(end)).count();
    if first <= 0.0 || resets < 2 || 5 * resets < 4 * inner.len() {
        return Vec::new();
    }
    let text = "The loss falls within an epoch, and begins each epoch where it began the first: the weights are initialised anew, or the trained model is not the one that the next epoch trains.";
    let change = "make the model and the optimizer once, before the first epoch, and carry the model that `step` returns into the next one";
    vec![
        Finding::new(FindingKind::WeightsReset, Severity::Fault, text)
            .in_step(inner[0] + 1)
            .measured(
                resets as f64 / inner.len() as f64,
                0.8,
                "share of epochs that begin at 0.8 of the first loss or above, after ends below 0.85 of it; clinic",
            )
            .with([Prescription::change(change)]),
    ]
}
