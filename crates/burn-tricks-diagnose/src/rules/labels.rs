//! Labels of one class, rare classes, and data that is sorted by class.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;

/// The share of rows below which a class is rare, as a share of equal parts.
const RARE: f64 = 0.2;

/// The share of batches with one class from which the data is sorted.
const SORTED: f64 = 0.5;

/// Fewer rows than this do not show how the classes are distributed.
const ENOUGH: usize = 8;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let Some(train) = &history.train else {
        return Vec::new();
    };
    let rows: usize = train.classes.values().sum();
    if rows < ENOUGH {
        return Vec::new();
    }
    let mut findings = Vec::new();
    if let [(class, _)] = train.classes.iter().collect::<Vec<_>>()[..] {
        let text = format!("All {rows} labels that were handed over are of class {class}.");
        let change =
            "look at how the labels are read and converted: integer labels must not be scaled";
        findings.push(
            Finding::new(FindingKind::SingleClass, Severity::Fault, text)
                .measured(1.0, 2.0, "classes; a classification needs two")
                .with([Prescription::change(change)]),
        );
        return findings;
    }
    if train.single_class_batches > SORTED {
        let text = "Most batches hold rows of one class: the data is sorted, and the network forgets one class while it learns the next.";
        let change = "shuffle the training data before each epoch";
        findings.push(
            Finding::new(FindingKind::SortedData, Severity::Warning, text)
                .measured(
                    train.single_class_batches,
                    SORTED,
                    "share of batches of one class; clinic",
                )
                .with([Prescription::change(change)]),
        );
    }
    findings.extend(rare(history, rows));
    findings
}

fn rare(history: &History, rows: usize) -> Option<Finding> {
    let classes = &history.train.as_ref()?.classes;
    let (class, count) = classes.iter().min_by_key(|(_, count)| **count)?;
    let share = *count as f64 / rows as f64;
    let relative = share * classes.len() as f64;
    if relative >= RARE {
        return None;
    }
    // A network that only ever predicts the most frequent class has its share as accuracy.
    let accuracy = history.last_accuracy();
    let ignores = accuracy
        .zip(history.chance())
        .is_some_and(|(accuracy, chance)| accuracy <= chance + 0.01);
    let severity = if ignores {
        Severity::Warning
    } else {
        Severity::Note
    };
    let text = format!(
        "Class {class} has {count} of {rows} rows. A network that never predicts it loses little accuracy: look at the recall of each class."
    );
    Some(
        Finding::new(FindingKind::RareClass, severity, text)
            .measured(
                relative,
                RARE,
                "rows of the class over rows in equal parts; clinic",
            )
            .with([
                Prescription::change("weight the loss of a class by the inverse of its rows"),
                Prescription::change("draw the rare class more often"),
            ]),
    )
}
