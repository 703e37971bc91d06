//! Inputs that are unscaled, constant, not finite, or the target.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::measures::Outcome;

use crate::history::data::DataHistory;
use crate::history::outliers::OUTLYING;
use crate::history::parts::EXACT;

/// The size of a mean or a deviation from which inputs are far from standardised.
const FAR: f64 = 10.0;

/// The size from which they are a warning even for a network that learns.
pub(crate) const VERY_FAR: f64 = 100.0;

/// The deviation below which they are.
const TINY: f64 = 1e-2;

/// The sum of |mean| and twice the deviation up to which inputs are standardised, or nearly.
const USUAL: f64 = 3.0;

/// The ratio of the magnitudes of two features from which one of them is hard to learn from, and from which it is lost
/// whatever the network has learned from the others.
const SCALES: [f64; 2] = [200.0, 1e4];

/// The ratio of the deviation of a feature and that of its middle from which the middle is lost.
const DROWNED: f64 = 100.0;

/// The score of the validation from which nothing is missing.
const GOOD: f64 = 0.85;

/// Of fewer different rows a feature tells the target by chance.
const TELLING: usize = 40;

/// More features are pixels, words or categories, of which many are 0.
const TABLE: usize = 40;

const SCALE: &str = "largest of |mean| and deviation of the inputs; LeCun et al., Efficient BackProp (1998), 4.3, asks for mean 0 and deviation 1; threshold chosen by us";

const DEVIATION: &str = "deviation of the inputs; LeCun et al., Efficient BackProp (1998), 4.3, asks for 1; threshold chosen by us";

const REACH: &str = "|mean| plus twice the deviation of the inputs; LeCun et al., Efficient BackProp (1998), 4.3, asks for mean 0 and deviation 1; threshold chosen by us";

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let Some(train) = history.train.as_ref().filter(|train| train.rows > 0) else {
        return Vec::new();
    };
    let found = [
        non_finite("training", train),
        history
            .valid
            .as_ref()
            .and_then(|valid| non_finite("validation", valid)),
        scale(history, train),
        constant(history, train),
        leaking(train),
    ];
    found.into_iter().flatten().collect()
}

fn non_finite(name: &str, data: &DataHistory) -> Option<Finding> {
    let share = data.non_finite_share();
    if share == 0.0 {
        return None;
    }
    let which = if data.non_finite > 0.0 {
        "inputs"
    } else {
        "targets"
    };
    let text = format!("The {which} of the {name} data contain NaN or infinity.");
    let change = "remove these rows, or replace the missing numbers";
    Some(
        Finding::new(FindingKind::NonFiniteData, Severity::Fault, text)
            .measured(share, 0.0, "share of numbers that are not finite")
            .with([Prescription::change(change)]),
    )
}

/// The most serious finding about the scale of the inputs; of equal ones that about all of them.
fn scale(history: &History, train: &DataHistory) -> Option<Finding> {
    let found = [
        outlying(history, train),
        scales(history, train),
        unscaled(history, train),
    ];
    let found = found.into_iter().flatten();
    let mut worst = found.max_by_key(|finding| finding.severity)?;
    if history.begins_with_norm() && history.outcome() == Outcome::Learned {
        worst.severity = Severity::Note;
    }
    Some(worst)
}

fn unscaled(history: &History, train: &DataHistory) -> Option<Finding> {
    let size = train.mean.abs().max(train.deviation);
    let reach = train.mean.abs() + 2.0 * train.deviation;
    let learned = history.outcome() == Outcome::Learned;
    let graded = if learned {
        Severity::Note
    } else {
        Severity::Warning
    };
    let (severity, [value, threshold], source, text) = if size > VERY_FAR {
        (
            if history.costs_nothing() {
                Severity::Note
            } else {
                Severity::Warning
            },
            [size, VERY_FAR],
            SCALE,
            "The inputs are very far from mean 0 and deviation 1.",
        )
    } else if size > FAR {
        (
            graded,
            [size, FAR],
            SCALE,
            "The inputs are far from mean 0 and deviation 1.",
        )
    } else if train.deviation < TINY && train.deviation > 0.0 && train.mean.abs() < FAR * TINY {
        (
            graded,
            [train.deviation, TINY],
            DEVIATION,
            "The inputs are tiny: perhaps they were scaled twice.",
        )
    } else if reach > USUAL {
        let text = "The inputs are not standardised; a network of this size usually copes with it.";
        (Severity::Note, [reach, USUAL], REACH, text)
    } else {
        return None;
    };
    Some(
        Finding::new(FindingKind::UnscaledInputs, severity, text)
            .measured(value, threshold, source)
            .with([Prescription::ScaleInputs]),
    )
}

/// Features whose scales differ, of inputs that all together have a usual one.
fn scales(history: &History, train: &DataHistory) -> Option<Finding> {
    let [hard, lost] = SCALES;
    if train.scale_ratio <= hard {
        return None;
    }
    let severity = match history.outcome() {
        Outcome::Learned if train.scale_ratio <= lost => Severity::Note,
        _ => Severity::Warning,
    };
    let text = "Some input features are far smaller than others: the weights of the small ones would have to grow before they tell anything.";
    Some(
        Finding::new(FindingKind::UnscaledInputs, severity, text)
            .measured(
                train.scale_ratio,
                hard,
                "largest magnitude of the largest feature over that of the smallest; LeCun et al., Efficient BackProp (1998), 4.3, asks for one deviation; threshold chosen by us",
            )
            .with([Prescription::ScaleInputs]),
    )
}

/// Features of which a few rows are far from all others.
fn outlying(history: &History, train: &DataHistory) -> Option<Finding> {
    if train.outlying_features == 0 {
        return None;
    }
    let severity = match history.outcome() {
        Outcome::Learned if train.outlier_ratio <= DROWNED => Severity::Note,
        _ => Severity::Warning,
    };
    let text = format!(
        "In {} of {} input features a few rows have far larger numbers than the others, whose differences are small against them.",
        train.outlying_features, train.features
    );
    let change = "look at the rows with the largest numbers: correct or remove them, or take logarithms or ranks, and scale the inputs after that";
    Some(
        Finding::new(FindingKind::UnscaledInputs, severity, text)
            .measured(
                train.outlier_ratio,
                OUTLYING,
                "deviation of a feature over that of its middle 90 %, 1.3 for a normal distribution; threshold chosen by us",
            )
            .with([Prescription::change(change), Prescription::ScaleInputs]),
    )
}

fn constant(history: &History, train: &DataHistory) -> Option<Finding> {
    if train.constant_features == 0 || train.distinct_rows < 2 && train.rows < 2 {
        return None;
    }
    let share = train.constant_features as f64 / train.features as f64;
    let (severity, text) = if train.constant_features == train.features {
        (
            Severity::Fault,
            "All input rows are equal: the network cannot tell them apart.",
        )
    } else if train.constant_nonzero_features > 0 {
        (
            if history.costs_nothing() {
                Severity::Note
            } else {
                Severity::Warning
            },
            "Input features have one value other than 0 in all rows: they tell nothing, and act as a second bias.",
        )
    } else if share > 0.5 {
        // As in series that are filled up with zeros.
        let is_good = (history.scores()).is_some_and(|scores| scores.valid >= GOOD);
        let is_wide = train.features > TABLE;
        let severity = if is_good || is_wide && history.costs_nothing() {
            Severity::Note
        } else {
            Severity::Warning
        };
        (
            severity,
            "More than half of the input features are 0 in all rows.",
        )
    } else {
        (
            Severity::Note,
            "Some input features have one value in all rows, such as the border of an image.",
        )
    };
    let change = "remove the constant features";
    Some(
        Finding::new(FindingKind::ConstantInputs, severity, text)
            .measured(share, 0.0, "share of constant input features")
            .with([Prescription::change(change)]),
    )
}

fn leaking(train: &DataHistory) -> Option<Finding> {
    if train.leaking_features.is_empty() || train.distinct_rows < TELLING {
        return None;
    }
    let text = format!(
        "The target can be read off the input features {:?} alone: they are the target, or were made from it.",
        train.leaking_features
    );
    let remove = Prescription::RemoveInputs {
        features: train.leaking_features.clone(),
    };
    if let Some(share) = train.leaking_sum {
        let text = format!(
            "The target is a sum, with factors, of the input features {:?}: it was made from them, or they from it.",
            train.leaking_features
        );
        return Some(
            Finding::new(FindingKind::LeakingInput, Severity::Fault, text)
                .measured(
                    share,
                    EXACT,
                    "share of the variance of the target that a linear fit to the inputs explains, of which two or three features carry all; threshold chosen by us",
                )
                .with([remove]),
        );
    }
    Some(
        Finding::new(FindingKind::LeakingInput, Severity::Fault, text)
            .measured(
                train.leaking_features.len() as f64,
                0.0,
                "input features whose variance is at least 0.98 between the classes, or that correlate with the target by 0.9999; or one that tells 0.97 of it where no other tells half, of numbers that are no later values of a series, or of classes if it numbers the rows; clinic",
            )
            .with([remove]),
    )
}
