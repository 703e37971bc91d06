//! A model that does not fit its data, without another cause.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::data::DataHistory;
use crate::history::measures::Outcome;
use crate::history::neighbours::Neighbours;
use crate::loss_kind::LossKind;

/// Fewer steps than this say nothing about what a model can fit.
const STEPS: usize = 50;

/// By how much the score of the nearest neighbours may be above the network's.
const BEHIND: f64 = 0.15;

/// By how much the score of the nearest neighbours must be above chance to say anything.
const INFORMED: f64 = 0.05;

/// Standard errors of a share by which it must be above it.
const ERRORS: f64 = 3.0;

/// Batches of fewer rows are of single rows, nearly.
const FEW: usize = 5;

const SOURCE: &str = "score of the five nearest training rows minus that of the network; after Cover and Hart (1967); margin: clinic";

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    if let Some(finding) = behind(history) {
        return vec![finding];
    }
    if history.outcome() != Outcome::Stuck || history.steps_taken < STEPS {
        return Vec::new();
    }
    let Some((value, threshold, source)) = history.stuck_by() else {
        return Vec::new();
    };
    let text = "The network is no better than a constant prediction, and no other cause was found: it may be too small, or the inputs may say nothing about the targets.";
    vec![
        Finding::new(FindingKind::Underfitting, Severity::Warning, text)
            .measured(value, threshold, source)
            .with(prescriptions()),
    ]
}

fn prescriptions() -> [Prescription; 4] {
    [
        Prescription::Larger,
        Prescription::ScaleLr { factor: 10.0 },
        Prescription::TrainLonger { factor: 10.0 },
        Prescription::change(
            "see whether the network can fit one batch; if it cannot, look at inputs, loss and outputs",
        ),
    ]
}

/// A network that is worse than the nearest neighbours, on the validation and on the training data.
pub(crate) fn behind(history: &History) -> Option<Finding> {
    let (neighbours, [train, valid]) = scores(history)?;
    let valid = valid?;
    let gap = neighbours.score - valid;
    // What it has learned by heart does not carry over: that is another fault.
    let memorised = train.is_some_and(|train| train - valid > 0.5 * gap);
    if gap <= room(&neighbours) || memorised {
        return None;
    }
    let what = if neighbours.is_accuracy {
        "accuracy"
    } else {
        "share of explained variance"
    };
    // Whoever steps after every few rows steps with the noise of each of them.
    let rows = history
        .train
        .as_ref()
        .map_or(0, |train| train.largest_batch);
    if (1..FEW).contains(&rows) {
        let text = format!(
            "On the validation the network has {what} {valid:.2}, and a vote of the five nearest training rows {:.2}: steps after batches of {rows} follow the noise of single rows.",
            neighbours.score
        );
        return Some(
            Finding::new(FindingKind::NoisyBatch, Severity::Warning, text)
                .measured(gap, room(&neighbours), SOURCE)
                .with([
                    Prescription::BatchSize { size: 32 },
                    Prescription::ScaleLr { factor: 0.1 },
                    Prescription::Momentum { momentum: 0.0 },
                    Prescription::AverageWeights { decay: 0.99 },
                ]),
        );
    }
    let text = format!(
        "On the validation the network has {what} {valid:.2}, and a vote of the five nearest training rows {:.2}: the inputs tell more about the targets than the network has learned, and no other cause was found.",
        neighbours.score
    );
    Some(
        Finding::new(FindingKind::Underfitting, Severity::Warning, text)
            .measured(gap, room(&neighbours), SOURCE)
            .with(prescriptions()),
    )
}

/// Whether the network is as good as nearest neighbours that are better than chance: what is left may be noise.
pub(crate) fn is_level(history: &History) -> bool {
    let Some((neighbours, [_, Some(valid)])) = scores(history) else {
        return false;
    };
    let chance = if neighbours.is_accuracy {
        history.valid.as_ref().and_then(DataHistory::most_frequent)
    } else {
        Some(0.0)
    };
    let is_informed = chance.is_some_and(|chance| neighbours.score > chance + INFORMED);
    is_informed && valid >= neighbours.score && history.outcome() != Outcome::Stuck
}

/// What the nearest neighbours reach, and what the network reaches on the training and the validation data.
fn scores(history: &History) -> Option<(Neighbours, [Option<f64>; 2])> {
    let neighbours = history.neighbours?;
    let last = history.epochs.last()?;
    if neighbours.is_accuracy {
        return Some((neighbours, [last.train_accuracy, last.valid_accuracy]));
    }
    if history.loss_kind != Some(LossKind::MeanSquaredError) {
        return None;
    }
    let explained = |loss: Option<f64>, data: Option<&DataHistory>| {
        let variance = data?.target?.deviation.powi(2);
        Some(1.0 - loss? / variance).filter(|share| share.is_finite())
    };
    let train = explained(last.train_loss, history.train.as_ref());
    let valid = explained(last.valid_loss, history.valid.as_ref())?;
    Some((neighbours, [train, Some(valid)]))
}

fn room(neighbours: &Neighbours) -> f64 {
    let error = (neighbours.score * (1.0 - neighbours.score) / neighbours.queries as f64).sqrt();
    BEHIND.max(ERRORS * error)
}
