//! What goes into norm layers.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::prescription::short;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::floor::EVIDENT;
use crate::history::measures::median;
use crate::history::norm::NormHistory;
use crate::rules::initial::initial;

/// The share of flat units from which the input of a norm is constant.
const FLAT: f64 = 0.5;

/// How many deviations of the batch the running mean may be away, and by which factor the variances may differ.
const FAR: [f64; 2] = [1.0, 4.0];

/// Recorded steps below this are the beginning, at which the running statistics have not arrived yet: with a momentum
/// of 0.1, 0.9⁵⁰ = 0.005 of the first ones is left after 50 steps.
const SETTLED: usize = 50;

/// The mean and the variance of fewer numbers say little.
const ENOUGH: usize = 8;

/// The logarithm of the factor between the validation losses of two epochs from which they jump.
const JUMP: f64 = 0.25;

/// Fewer epochs, in the second half, do not show it.
const EPOCHS: usize = 4;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let running = running(history).or_else(|| jumping(history));
    let found = [single(history), flat(history), running];
    found.into_iter().flatten().collect()
}

fn severity(history: &History) -> Severity {
    if history.costs_nothing() {
        Severity::Note
    } else {
        Severity::Warning
    }
}

fn single(history: &History) -> Option<Finding> {
    let single: Vec<&NormHistory> = history
        .norms
        .iter()
        .filter(|norm| norm.values == 1)
        .collect();
    // The rule about the sizes of batches says so already, if it saw them.
    if single.is_empty()
        || history
            .train
            .as_ref()
            .is_some_and(|train| train.batches > 0)
    {
        return None;
    }
    let text = "These batch norms get one number per unit: every number is its own mean, and the output of the norm is constant.";
    Some(
        Finding::new(FindingKind::SingleSampleNorm, Severity::Fault, text)
            .at(single.iter().map(|norm| norm.path.as_str()))
            .measured(
                1.0,
                2.0,
                "numbers per unit in a batch; a variance needs two",
            )
            .with([
                Prescription::BatchSize { size: 32 },
                Prescription::change(
                    "use a layer norm or a group norm, which do not depend on the batch",
                ),
            ]),
    )
}

fn flat(history: &History) -> Option<Finding> {
    let share = |norm: &NormHistory| norm.flat_units as f64 / norm.units.max(1) as f64;
    let is_flat = |norm: &&NormHistory| norm.values > 1 && share(norm) > FLAT;
    let flat: Vec<&NormHistory> = history.norms.iter().filter(is_flat).collect();
    let most = flat.iter().map(|norm| share(norm)).reduce(f64::max)?;
    let text = "What goes into these norms hardly varies over the batch: its variance is below the 1e-5 that a batch norm adds to it, so the norm gives nearly 0 for every row.";
    Some(
        Finding::new(FindingKind::NormStatistics, severity(history), text)
            .at(flat.iter().map(|norm| norm.path.as_str()))
            .measured(most, FLAT, "share of units whose variance over the batch is below 1e-5, the epsilon of Burn's batch norm; threshold chosen by us")
            .with([
                initial(history),
                Prescription::ScaleInputs,
                Prescription::change("see whether the layer before the norm still lets something through"),
            ]),
    )
}

fn running(history: &History) -> Option<Finding> {
    // How many times as far as is allowed.
    let excess = |norm: &NormHistory| {
        let distance = norm.mean_distance.unwrap_or(0.0) / FAR[0];
        distance.max(norm.variance_ratio.unwrap_or(1.0) / FAR[1])
    };
    // The last batch of an epoch may be a few rows, whose statistics are far from any.
    let is_far =
        |norm: &&NormHistory| norm.step >= SETTLED && norm.values >= ENOUGH && excess(norm) > 1.0;
    let far: Vec<&NormHistory> = history.norms.iter().filter(is_far).collect();
    let worst = far.iter().max_by(|a, b| excess(a).total_cmp(&excess(b)))?;
    let text = format!(
        "The running statistics of these norms are far from those of the batch: at the worst the mean by {} deviations, and the variance by a factor of {}. The validation normalises with the running ones.",
        short(worst.mean_distance.unwrap_or(0.0)),
        short(worst.variance_ratio.unwrap_or(1.0))
    );
    Some(
        Finding::new(FindingKind::NormStatistics, severity(history), text)
            .at(far.iter().map(|norm| norm.path.as_str()))
            .in_step(worst.step)
            .measured(
                excess(worst),
                1.0,
                "the larger of the distance of the means in deviations, and a quarter of the factor of the variances; clinic",
            )
            .with([
                Prescription::change("set the momentum of the norms, the share of a new batch in the running statistics, to 0.1"),
                Prescription::change("recalibrate the running statistics before the validation: `RecalibrationConfig` of `burn-tricks-average`"),
            ]),
    )
}

/// A validation loss that jumps while that of the training, which normalises with the batch, does not.
fn jumping(history: &History) -> Option<Finding> {
    let norms = history.structure.batch_norms().filter(|mode| mode.first);
    let norms: Vec<&str> = norms.map(|mode| mode.path.as_str()).collect();
    let half = &history.epochs[history.epochs.len() / 2..];
    let jump = |losses: Vec<f64>| {
        let changes = losses.windows(2).map(|pair| (pair[1] / pair[0]).ln().abs());
        median(changes).filter(|change| change.is_finite())
    };
    let valid = jump(half.iter().filter_map(|of| of.valid_loss).collect())?;
    let train = jump(half.iter().filter_map(|of| of.train_loss).collect())?;
    let is_behind = history.shortfall(EVIDENT).is_some();
    let is_jump = valid > JUMP && train < JUMP / 4.0 && half.len() >= EPOCHS;
    if norms.is_empty() || !is_jump || !is_behind {
        return None;
    }
    let text = format!(
        "The validation loss changes by a factor of {} from epoch to epoch, and the training loss by {}: the validation normalises with running statistics, which follow the last batches.",
        short(valid.exp()),
        short(train.exp())
    );
    Some(
        Finding::new(FindingKind::NormStatistics, Severity::Warning, text)
            .at(norms)
            .measured(valid, JUMP, "median logarithm of the factor between the validation losses of successive epochs, of a training loss that changes by less than a quarter of that; threshold chosen by us")
            .with([
                Prescription::change("set the momentum of the norms, the share of a new batch in the running statistics, to 0.1, and train on batches of 32 or more"),
                Prescription::change("recalibrate the running statistics before the validation: `RecalibrationConfig` of `burn-tricks-average`"),
            ]),
    )
}
