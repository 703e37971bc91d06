//! Batches whose gradient is mostly noise.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::{Prescription, short};
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::data::DataHistory;
use crate::history::floor::EVIDENT;
use crate::history::loss_check::LossCheck;
use crate::history::measures::{Outcome, median};
use crate::measurement::noise_scale::NoiseScale;

/// How many times the batch the noise scale may be.
const RATIO: f64 = 10.0;

/// Batches of fewer rows are of single rows, nearly.
const FEW: usize = 5;

/// The fall of the loss from the third quarter of the steps to the last from which a training is still on its way.
const FALLING: f64 = 0.1;

/// The deviation of the logarithm of the loss over that of its whole batch, and the steps that tell it.
const PART: f64 = 0.4;
const CHECKS: usize = 10;

/// What averages gradients without longer steps.
const AVERAGED: &str = "average the gradients over steps: give plain gradient descent a momentum of 0.9, and a tenth of its rate";

/// The largest batch that is prescribed.
const LARGEST: usize = 4096;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let failed = history.noise_scale.filter(|noise| noise.scale.is_nan());
    let found = of_noise_scale(history)
        .or_else(|| of_a_part(history))
        .or_else(|| of_few_rows(history));
    found.into_iter().chain(failed.map(self::failed)).collect()
}

/// A noise scale of many times the batch.
fn of_noise_scale(history: &History) -> Option<Finding> {
    let noise = history.noise_scale?;
    let rows = history
        .train
        .as_ref()
        .map_or(0, |train| train.largest_batch);
    let rows = if rows == 0 { noise.rows } else { rows };
    let ratio = noise.scale / rows as f64;
    // A training that ends at its noise floor has a gradient that is nothing but noise.
    let has_learned = history.outcome() == Outcome::Learned;
    if ratio.is_nan() || ratio <= RATIO || noise.noise <= 0.0 || has_learned {
        return None;
    }
    let text = if noise.scale.is_finite() {
        format!(
            "The noise of the gradient is that of {:.0} rows, and a batch has {rows}: most of a step is noise.",
            noise.scale
        )
    } else {
        format!(
            "The mean gradient of {} batches of {} rows cannot be told from 0: a step after a batch of {rows} rows is nothing but noise. More batches would tell by how much it is too small.",
            noise.batches, noise.rows
        )
    };
    // More rows than there are, or than are in a batch by now, are no advice.
    let known = history.train.as_ref().and_then(all_rows);
    let known = known.unwrap_or(usize::MAX);
    let size = (noise.scale.ceil() as usize).min(known).min(LARGEST);
    let larger = (size > rows).then_some(Prescription::BatchSize { size });
    let others = [
        Prescription::ScaleLr { factor: 0.1 },
        Prescription::change(AVERAGED),
        Prescription::AverageWeights { decay: 0.99 },
    ];
    Some(
        Finding::new(FindingKind::NoisyBatch, Severity::Warning, text)
            .measured(
                ratio,
                RATIO,
                "gradient-noise scale of McCandlish et al. (2018) over the rows of a batch; threshold chosen by us",
            )
            .with(larger.into_iter().chain(others)),
    )
}

/// How many training rows there are, if that is known: each has come twice on average, or at most half of those after the first
/// epoch were new. A single row that is equal to another may be so by chance.
fn all_rows(train: &DataHistory) -> Option<usize> {
    let different = train.distinct_rows;
    let later = train.rows.saturating_sub(train.first_epoch_rows);
    let new = different.saturating_sub(train.first_epoch_distinct);
    let is_known = train.rows / 2 >= different || later > 0 && later / 2 >= new;
    (different > 0 && is_known).then_some(different)
}

/// A noise scale that is NaN, as of gradients with such numbers.
fn failed(noise: NoiseScale) -> Finding {
    let text = format!(
        "The gradient-noise scale over {} batches of {} rows is NaN: a gradient contains NaN or infinity.",
        noise.batches, noise.rows
    );
    Finding::new(FindingKind::ExaminationFailed, Severity::Warning, text)
        .measured(
            noise.scale,
            RATIO,
            "gradient-noise scale of McCandlish et al. (2018)",
        )
        .with([Prescription::change(
            "look at the loss and the gradients of each of these batches, and for NaN in the data",
        )])
}

/// A loss that is now larger and now smaller than that of the whole batch: that of a part of its rows.
fn of_a_part(history: &History) -> Option<Finding> {
    let logarithm = |check: &LossCheck| (check.given / check.own).ln();
    let several = history.loss_checks.iter().filter(|check| check.rows >= FEW);
    let ratios: Vec<f64> = several
        .map(logarithm)
        .filter(|ratio| ratio.is_finite())
        .collect();
    let usual = median(ratios.iter().copied())?;
    let spread = median(ratios.iter().map(|ratio| (ratio - usual).abs()))?;
    if ratios.len() < CHECKS || spread <= PART {
        return None;
    }
    // Rows of a rare class may weigh more, so that batches with one and without have other losses.
    let is_uneven = history.train.as_ref().is_some_and(|train| {
        let rows: usize = train.classes.values().sum();
        let fewest = train.classes.values().min().copied().unwrap_or(0);
        2 * fewest * train.classes.len() < rows
    });
    let is_harmed = history.has_something_left() && !history.costs_nothing();
    let severity = if is_harmed && !is_uneven {
        Severity::Warning
    } else {
        Severity::Note
    };
    let factor = spread.exp();
    let text = format!(
        "The loss differs from the mean loss of the outputs and the targets of its batch by a factor of {} to either side, another one in each step: it is that of a few of the rows, such as the first one, or the rows are weighted very unevenly.",
        short(factor)
    );
    let change = "take the mean of the loss over all rows of a batch, and look at the axis that is indexed or reduced";
    Some(
        Finding::new(FindingKind::NoisyBatch, severity, text)
            .measured(
                spread,
                PART,
                "median deviation of the logarithm of the loss over the mean loss of its batch from the median; threshold chosen by us",
            )
            .with([
                Prescription::change(change),
                Prescription::ScaleLr { factor: 0.1 },
            ]),
    )
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
