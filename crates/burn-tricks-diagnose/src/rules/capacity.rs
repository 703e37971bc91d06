//! What a capacity test says about data and model.

use crate::capacity::capacity::{Capacity, TrialKind};
use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::measures::median;

/// The loss of one batch, as a share of that of a constant prediction, above which it was not fitted.
const FITTED: f64 = 0.1;

/// The validation loss, as a share of that of a constant prediction, above which the inputs were of no use.
const USED: f64 = 0.95;

/// The loss on shuffled labels, as a share of that of a constant prediction, below which the rows were remembered.
const REMEMBERED: f64 = 0.2;

/// The gain of twice the data, as a share of the loss, from which more data helps.
const GAIN: f64 = 0.02;

/// The checks of the loss at the end of the training.
const LAST: usize = 10;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let Some(capacity) = &history.capacity else {
        return Vec::new();
    };
    let blank = train_loss(capacity, TrialKind::BlankInputs).filter(|loss| *loss > 0.0);
    let unfit = blank.and_then(|blank| one_batch(history, capacity, blank));
    // A model that can fit nothing tells nothing about its data.
    if unfit.is_some() {
        return failed(capacity).into_iter().chain(unfit).collect();
    }
    let found = [
        failed(capacity),
        inputs(history, capacity),
        blank.and_then(|blank| remembered(history, capacity, blank)),
        more_data(capacity),
    ];
    found.into_iter().flatten().collect()
}

/// The mean training loss of the trials of this kind, if all of them are finite.
fn train_loss(capacity: &Capacity, kind: TrialKind) -> Option<f64> {
    capacity.train_loss(kind).filter(|loss| loss.is_finite())
}

/// The mean validation loss of the trials of this kind, if all of them are finite.
fn valid_loss(capacity: &Capacity, kind: TrialKind) -> Option<f64> {
    capacity.valid_loss(kind).filter(|loss| loss.is_finite())
}

/// Trials that ended with a loss that is not finite: what they were to tell is unknown.
fn failed(capacity: &Capacity) -> Option<Finding> {
    let kinds = TrialKind::ALL.map(|kind| (kind, capacity.failed(kind)));
    let [failed, all] = [0, 1].map(|at| kinds.iter().map(|(_, of)| of[at]).sum::<usize>());
    if failed == 0 {
        return None;
    }
    let parts: Vec<String> = (kinds.iter())
        .filter(|(_, [failed, _])| *failed > 0)
        .map(|(kind, [failed, all])| format!("{failed} of {all} with {}", kind.name()))
        .collect();
    let text = format!(
        "In {failed} of {all} trials of the capacity test a loss became NaN or infinite ({}): nothing is said about what these trials were to tell.",
        parts.join(", ")
    );
    // A single seed may diverge; where no trial of a kind is left, a question has no answer.
    let is_whole = kinds
        .iter()
        .any(|(_, [failed, all])| failed == all && *all > 0);
    let severity = if is_whole {
        Severity::Warning
    } else {
        Severity::Note
    };
    Some(
        Finding::new(FindingKind::ExaminationFailed, severity, text)
            .measured(
                failed as f64 / all as f64,
                0.0,
                "share of the trials with a loss that is not finite",
            )
            .with([Prescription::change(
                "in the trials, take a tenth of the learning rate, or clip the gradients",
            )]),
    )
}

fn one_batch(history: &History, capacity: &Capacity, blank: f64) -> Option<Finding> {
    let least = added(history).filter(|least| *least < blank).unwrap_or(0.0);
    let share = (train_loss(capacity, TrialKind::OneBatch)? - least) / (blank - least);
    if share < FITTED {
        return None;
    }
    let text = "The network cannot fit one batch: it is too small, is trained too little, or inputs, loss and outputs do not fit together.";
    Some(
        Finding::new(FindingKind::Underfitting, Severity::Fault, text)
            .measured(
                share,
                FITTED,
                "loss of one batch over that of a constant prediction, both without what label smoothing or a penalty adds, after Karpathy (2019); threshold chosen by us",
            )
            .with([
                Prescription::TrainLonger { factor: 10.0 },
                Prescription::ScaleLr { factor: 10.0 },
                Prescription::Larger,
            ]),
    )
}

/// What the loss of the training ends above the mean loss of its outputs and targets, as that of smoothed labels does, which no
/// network brings to 0.
fn added(history: &History) -> Option<f64> {
    let checks = &history.loss_checks;
    let last = &checks[checks.len() - checks.len().min(LAST)..];
    let more = last.iter().map(|check| check.given - check.own);
    median(more.filter(|more| more.is_finite())).filter(|more| *more > 0.0)
}

fn inputs(history: &History, capacity: &Capacity) -> Option<Finding> {
    let full = valid_loss(capacity, TrialKind::Full)?;
    let blank = valid_loss(capacity, TrialKind::BlankInputs).filter(|loss| *loss > 0.0)?;
    let share = full / blank;
    if share < USED {
        return None;
    }
    let text = "On the validation the network is no better than one that gets no inputs: what it learns of the inputs does not help.";
    let change = "check that inputs and labels belong together";
    // A network that is too sure of what it does not know has such a loss too.
    let severity = if history.is_beyond_chance() {
        Severity::Note
    } else {
        Severity::Fault
    };
    Some(
        Finding::new(FindingKind::UnrelatedLabels, severity, text)
            .measured(
                share,
                USED,
                "validation loss over that with inputs of 0, after Karpathy (2019); threshold chosen by us",
            )
            .with([
                Prescription::change(change),
                Prescription::EarlyStopping { patience: 5 },
            ]),
    )
}

fn remembered(history: &History, capacity: &Capacity, blank: f64) -> Option<Finding> {
    let share = train_loss(capacity, TrialKind::ShuffledLabels)? / blank;
    if share >= REMEMBERED {
        return None;
    }
    let text = format!(
        "The network can remember all {} rows, with {} parameters: a low training loss says nothing about what it has learned.",
        capacity.rows,
        history.elements()
    );
    Some(
        Finding::new(FindingKind::TooLargeModel, Severity::Note, text)
            .measured(
                share,
                REMEMBERED,
                "loss on shuffled labels over that of a constant prediction, after Zhang et al. (2017); threshold chosen by us",
            )
            .with([
                Prescription::EarlyStopping { patience: 5 },
                Prescription::WeightDecay { decay: 1e-2 },
                Prescription::Dropout { prob: 0.3 },
            ]),
    )
}

fn more_data(capacity: &Capacity) -> Option<Finding> {
    let (gain, [low, _]) = capacity.gain_of_doubling()?;
    let half = valid_loss(capacity, TrialKind::Half).filter(|loss| *loss > 0.0)?;
    let (train, valid) = (
        train_loss(capacity, TrialKind::Full)?,
        valid_loss(capacity, TrialKind::Full)?,
    );
    if low <= GAIN * half {
        return None;
    }
    // Without a gap between training and validation, the rest is not for more data to close.
    let severity = if valid > 1.5 * train {
        Severity::Warning
    } else {
        Severity::Note
    };
    let text = format!(
        "Twice the data lowers the validation loss by {:.0} %: more data would help further.",
        100.0 * gain / half
    );
    Some(
        Finding::new(FindingKind::TooLittleData, severity, text)
            .measured(low / half, GAIN, "lower end of the 95 % interval of the gain from half of the rows to all, as a share of the loss; threshold chosen by us")
            .with([
                Prescription::change("collect or augment training data"),
                Prescription::WeightDecay { decay: 1e-2 },
                Prescription::Dropout { prob: 0.3 },
            ]),
    )
}
