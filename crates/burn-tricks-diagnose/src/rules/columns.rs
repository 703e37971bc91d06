//! One output of several that has learned nothing, where the others have.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;

/// How far an output is below the nearest training rows.
const BELOW: f64 = 0.2;

/// How far the best output may be below them, so that it has learned.
const LEARNED: f64 = 0.05;

/// Fewer rows tell nothing.
const ROWS: usize = 100;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    found(history).into_iter().collect()
}

fn found(history: &History) -> Option<Finding> {
    let (own, near) = (&history.valid_columns, &history.neighbour_columns);
    let is_enough = (history.valid.as_ref()).is_some_and(|valid| valid.distinct_rows >= ROWS);
    if own.len() != near.len() || own.len() < 2 || !is_enough {
        return None;
    }
    let gaps = || own.iter().zip(near).map(|(own, near)| near - own);
    let (worst, gap) = gaps()
        .enumerate()
        .filter(|(_, gap)| gap.is_finite())
        .max_by(|one, other| one.1.total_cmp(&other.1))?;
    let has_learned = gaps().any(|gap| gap < LEARNED);
    // Of noise alone neighbours explain nothing.
    if gap <= BELOW || near[worst] <= BELOW || !has_learned {
        return None;
    }
    let text = format!(
        "Output {worst} explains {:.2} of the variance of its targets, for which the nearest training rows explain {:.2}, and other outputs have learned theirs: it hardly counts in the loss, by its weight or by the scale of its targets, or it does not get what the others get.",
        own[worst], near[worst]
    );
    let change = "look at the loss of each output by itself: weight the losses so that none drowns the others, and scale each column of targets to deviation 1";
    Some(
        Finding::new(FindingKind::Underfitting, Severity::Warning, text)
            .measured(
                gap,
                BELOW,
                "share of the variance of a column of targets that the five nearest training rows explain minus that of the network; threshold chosen by us",
            )
            .with([Prescription::change(change), Prescription::ScaleTargets]),
    )
}
