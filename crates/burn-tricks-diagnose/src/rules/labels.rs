//! Labels of one class, and rare classes.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::floor::EVIDENT;

/// The share of rows below which a class is rare, as a share of equal parts.
const RARE: f64 = 0.2;

/// The share of rows, as a share of equal parts, from which a class that is seldom found is not called rare.
const RARE_AND_MISSED: f64 = 0.5;

/// The recall of a class over the accuracy below which the class is missed.
const MISSED: f64 = 0.6;

/// By how much the share of the class that the inputs tell is above the recall.
const TOLD: f64 = 0.15;

/// Standard errors by which the recall must be below that, and those of the interval of a recall.
const ERRORS: f64 = 3.0;
const INTERVAL: f64 = 2.0;

/// Fewer validation rows of a class do not tell its recall.
const FEW: usize = 8;

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
    if let [(class, _)] = train.classes.iter().collect::<Vec<_>>()[..] {
        // The others come after the rows that were kept.
        if train.has_other_targets {
            return Vec::new();
        }
        let text = format!("All {rows} labels that were handed over are of class {class}.");
        let change =
            "look at how the labels are read and converted: integer labels must not be scaled";
        return vec![
            Finding::new(FindingKind::SingleClass, Severity::Fault, text)
                .measured(1.0, 2.0, "classes; a classification needs two")
                .with([Prescription::change(change)]),
        ];
    }
    rare(history, rows).into_iter().collect()
}

/// A rare class that the network seldom finds in the validation.
fn missed(history: &History, rows: usize) -> Option<Finding> {
    let classes = &history.train.as_ref()?.classes;
    let recall = &history.valid_outputs.as_ref()?.recall;
    let (all, right) = recall.values().fold((0, 0), |(all, right), [of, found]| {
        (all + of, right + found)
    });
    let accuracy = right as f64 / all.max(1) as f64;
    let share = |class: &i64| {
        let count = classes.get(class).copied().unwrap_or(0);
        count as f64 * classes.len() as f64 / rows as f64
    };
    let found = |[of, found]: [usize; 2]| found as f64 / of as f64;
    let is_missed = |(class, counts): &(&i64, &[usize; 2])| {
        let [of, _] = **counts;
        let is_seldom_found = at_most(**counts) < MISSED * accuracy;
        // Of one without training rows the rule of classes of the validation speaks: a few may be missing by chance.
        classes.contains_key(class)
            && of >= FEW
            && share(class) < RARE_AND_MISSED
            && is_seldom_found
    };
    let missed = recall.iter().filter(is_missed);
    let (class, counts) = missed.min_by(|(_, a), (_, b)| found(**a).total_cmp(&found(**b)))?;
    // Where the inputs do not tell it from others, those are the better guess.
    let error = (0.25 / counts[0] as f64).sqrt();
    let is_told = match history.told_classes.get(class) {
        Some(told) => *told > found(*counts) + f64::max(TOLD, ERRORS * error),
        None => share(class) < RARE,
    };
    // Of a validation of too few different rows for other models, nothing is known.
    let has_rows = (history.valid.as_ref()).is_some_and(|valid| valid.distinct_rows > 0);
    let is_below = match history.compared() {
        Some(_) => history.below(EVIDENT).is_some(),
        None => !has_rows,
    };
    // A network that only ever predicts another class has learned nothing.
    let most = recall.values().map(|[rows, _]| *rows).max().unwrap_or(0) as f64;
    let is_ignored = counts[1] == 0 && accuracy <= most / all as f64 + 0.01;
    let severity = if is_told || is_below || is_ignored {
        Severity::Warning
    } else {
        Severity::Note
    };
    let text = format!(
        "Class {class} has {} of {rows} training rows, and {} of its {} validation rows are recognised, where {:.0} % of all are.",
        classes.get(class).copied().unwrap_or(0),
        counts[1],
        counts[0],
        100.0 * accuracy
    );
    Some(
        Finding::new(FindingKind::RareClass, severity, text)
            .measured(
                found(*counts) / accuracy,
                MISSED,
                "recall of the class over the accuracy, of a class with less than half of an equal part of the rows; clinic",
            )
            .with(rare_prescriptions()),
    )
}

/// The share that is found of a class, at most: the upper end of Wilson's (1927) interval of two standard errors.
fn at_most([of, found]: [usize; 2]) -> f64 {
    let (of, share) = (of as f64, found as f64 / of as f64);
    let error = (share * (1.0 - share) / of + (INTERVAL / (2.0 * of)).powi(2)).sqrt();
    let square = INTERVAL * INTERVAL / of;
    (share + 0.5 * square + INTERVAL * error) / (1.0 + square)
}

fn rare_prescriptions() -> [Prescription; 2] {
    [
        Prescription::change("weight the loss of a class by the inverse of its rows"),
        Prescription::change("draw the rare class more often"),
    ]
}

fn rare(history: &History, rows: usize) -> Option<Finding> {
    let classes = &history.train.as_ref()?.classes;
    let (class, count) = classes.iter().min_by_key(|(_, count)| **count)?;
    let share = *count as f64 / rows as f64;
    let relative = share * classes.len() as f64;
    if let Some(finding) = missed(history, rows) {
        return Some(finding);
    }
    if relative >= RARE {
        return None;
    }
    // A network that only ever predicts the most frequent class has its share as accuracy.
    let accuracy = history.last_accuracy();
    let ignores = accuracy
        .zip(history.chance())
        .is_some_and(|(accuracy, chance)| accuracy <= chance + 0.01);
    let told = history.told_classes.get(class);
    let severity = if ignores && told.is_none_or(|told| *told > TOLD) {
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
            .with(rare_prescriptions()),
    )
}
