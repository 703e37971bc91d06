//! A model that does not fit its data, without another cause.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::data::DataHistory;
use crate::history::floor::{BEHIND, Floor, INFORMED};
use crate::history::measures::Outcome;
use crate::rules::unrelated_labels;

/// Fewer steps than this say nothing about what a model can fit.
const STEPS: usize = 50;

const SOURCE: &str = "score of the best of four models that need no network (the five nearest training rows, a linear fit, a forest of random trees, a sum of Gaussian bumps), minus that of the network; margin: clinic";

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    if let Some(finding) = behind(history) {
        return vec![finding];
    }
    if history.outcome() != Outcome::Stuck || history.steps_seen() < STEPS {
        return Vec::new();
    }
    let Some((value, threshold, source)) = history.stuck_by() else {
        return Vec::new();
    };
    let text = "The network is no better than a constant prediction, and no other cause was found: it may be too small, or the inputs may say nothing about the targets.";
    let finding = Finding::new(FindingKind::Underfitting, Severity::Warning, text)
        .measured(value, threshold, source)
        .with(prescriptions());
    unrelated_labels::nothing_told(history)
        .into_iter()
        .chain([finding])
        .collect()
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

/// A network that is worse than a model that needs no training, on the validation and on the training data.
pub(crate) fn behind(history: &History) -> Option<Finding> {
    let (floor, scores) = history.compared()?;
    let (gap, room) = history.shortfall(BEHIND)?;
    let valid = scores.valid;
    let what = if floor.is_accuracy {
        "accuracy"
    } else {
        "share of explained variance"
    };
    let mut text = format!(
        "On the validation the network has {what} {valid:.2}, and {} {:.2}: the inputs tell more about the targets than the network has learned, and no other cause was found.",
        floor.model, floor.score
    );
    let mut prescriptions = prescriptions().to_vec();
    let categories = history.train.as_ref();
    let categories = categories.map_or(&[][..], |train| &train.category_features);
    if !categories.is_empty() {
        text += &format!(
            " The columns {categories:?} number categories whose order says nothing, and go in as numbers."
        );
        let change = "give each category a column of its own, or an embedding";
        prescriptions.insert(0, Prescription::change(change));
    }
    Some(
        Finding::new(FindingKind::Underfitting, Severity::Warning, text)
            .measured(gap, room, SOURCE)
            .with(prescriptions),
    )
}

/// Whether the network is as good as a model that needs no training and is better than chance: what is left may be noise.
pub(crate) fn is_level(history: &History) -> bool {
    let Some((_, scores)) = history.compared() else {
        return false;
    };
    let chance = if scores.is_accuracy {
        history.valid.as_ref().and_then(DataHistory::most_frequent)
    } else {
        Some(0.0)
    };
    let is_level = |floor: Floor| {
        let is_informed = chance.is_some_and(|chance| floor.score > chance + INFORMED);
        is_informed && scores.valid >= floor.score
    };
    history.floors().any(is_level) && !history.is_behind() && history.outcome() != Outcome::Stuck
}
