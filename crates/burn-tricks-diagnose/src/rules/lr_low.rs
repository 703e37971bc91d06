//! A learning rate that is too low, and a training of too few steps.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::floor::EVIDENT;
use crate::history::measures::{Outcome, median};

use crate::finding::prescription::short;
use crate::rules::lr_high::update_ratio;
use crate::rules::{linear, underfitting};

/// The ratio of update to weight that is a hundredth of the usual 1e-3.
const RATIO: f64 = 1e-5;

/// The ratio of update to weight that is a fifth of the usual one.
const SLOW: f64 = 2e-4;

/// The ratio of update to weight that is usual.
const USUAL: f64 = 1e-3;

/// The share of the highest learning rate below which nothing is learned.
const GONE: f64 = 0.01;

/// The share of the steps after which a learning rate that is gone was taken away at once: no schedule is meant to.
const AT_ONCE: f64 = 0.2;

/// The share of the highest learning rate after that which the usual one has if it stays.
const STAYS: f64 = 0.5;

/// The ratio of update to weight that is prescribed: the median of the healthy programs of the clinic's fitting half.
const HEALTHY: f64 = 2.5e-3;

/// The fall of the loss from the third quarter to the end from which it is still falling.
const FALLING: f64 = 0.01;

/// The fall of the loss from which a network that has learned something is still learning.
const BROKEN_OFF: f64 = 0.12;

/// The last mean training loss of an epoch over the one before, below which a training that ends at a rise of the validation loss
/// was still learning.
const STOPPED: f64 = 0.95;

/// The epochs that show that each improves the losses, and up to which a training has hardly begun.
const IMPROVED: [usize; 2] = [4, 12];

/// The share of the loss of an untrained network from which there is something left to learn.
const LEFT: f64 = 0.15;

/// The epochs up to which a training that ends at such a rise has hardly begun.
const BEGUN: usize = 8;

/// The epochs after the lowest validation loss from which more steps would not help: the least patience that is usual.
const TURNED: usize = 3;

/// The fall of the loss from which the end of it is far.
const SLOWLY: f64 = 0.06;

/// By how much the score of a model that needs no network is above that of a network that may not be able to reach it.
const FAR: f64 = 0.2;

/// Fewer steps than this are few for any network.
const FEW: usize = 200;

/// More steps than this are many for a small network.
const MANY: usize = 600;

/// The steps that a small network takes on small data.
const USUAL_STEPS: f64 = 3000.0;

const SOURCE: &str = "median over weights and steps of |update|/|weight|; DeepDiagnosis (2022): wrong by a factor 100 from 1e-3";

const SLOW_SOURCE: &str = "median over weights and steps of |update|/|weight|; clinic";

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let has_much_left = match history.outcome() {
        _ if history.is_level() => false,
        Outcome::Stuck | Outcome::Partial => true,
        Outcome::Learned => history.has_much_left(),
        Outcome::Unknown => false,
    };
    if let Some((finding, share)) = ended_early(history)
        && (has_much_left || share < AT_ONCE && history.has_something_left())
    {
        return vec![finding];
    }
    if !matches!(history.outcome(), Outcome::Stuck | Outcome::Partial) {
        return Vec::new();
    }
    let Some(ratio) = update_ratio(history).filter(|ratio| *ratio < RATIO && *ratio > 0.0) else {
        return Vec::new();
    };
    vec![too_low(ratio, (RATIO, SOURCE), Severity::Fault)]
}

/// A schedule that has taken the learning rate away long before the end.
fn ended_early(history: &History) -> Option<(Finding, f64)> {
    let highest = history.steps.iter().map(|of| of.lr).fold(0.0, f64::max);
    let gone = history
        .steps
        .iter()
        .rposition(|of| of.lr > GONE * highest)?;
    let step = history.steps[gone].step;
    let is_short = history.steps.len() < 20;
    if highest <= 0.0 || 2 * step > history.steps_taken || is_short || goes_on(history, step) {
        return None;
    }
    let text = format!(
        "The learning rate has fallen below a hundredth of its highest value {} after step {step} of {}: nothing is learned since then.",
        short(highest),
        history.steps_taken
    );
    let share = step as f64 / history.steps_taken as f64;
    let finding = Finding::new(FindingKind::LrTooLow, Severity::Fault, text)
        .in_step(step)
        .measured(
            share,
            0.5,
            "share of the steps after which the learning rate stays below a hundredth of its highest value; clinic",
        )
        .with([Prescription::change("let the schedule last as long as the training: count its steps in optimizer steps, not in epochs")]);
    Some((finding, share))
}

/// Whether a second phase of a network that has learned begins after this step, as when the whole network is trained after its last layer: the learning rate
/// is small and stays, and the loss falls from each quarter of the rest to the next, and by much in all.
fn goes_on(history: &History, step: usize) -> bool {
    let rest = history.steps.iter().filter(|of| of.step > step);
    let rates: Vec<f64> = rest.map(|of| of.lr).collect();
    let highest = rates.iter().copied().fold(0.0, f64::max);
    let stays = median(rates).is_some_and(|usual| usual > 0.0 && usual >= STAYS * highest);
    let losses = history.step_losses().into_iter();
    let losses: Vec<f64> = losses
        .filter(|(of, _)| *of > step)
        .map(|(_, loss)| loss)
        .collect();
    let quarter = losses.len().div_ceil(4).max(1);
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let means: Vec<f64> = losses.chunks(quarter).map(mean).collect();
    let [first, .., last] = means[..] else {
        return false;
    };
    let falls = means.windows(2).all(|pair| pair[1] < pair[0]);
    history.outcome() == Outcome::Learned && stays && falls && last < (1.0 - SLOWLY) * first
}

fn too_low(ratio: f64, (threshold, source): (f64, &str), severity: Severity) -> Finding {
    let text = format!(
        "Each step changes the weights by {} of themselves, and the loss falls slowly.",
        short(ratio)
    );
    Finding::new(FindingKind::LrTooLow, severity, text)
        .measured(ratio, threshold, source)
        .with([Prescription::ScaleLr {
            factor: (HEALTHY / ratio).clamp(3.0, 1e4),
        }])
}

/// For a training in which no fault was found, and perhaps a warning: the loss is still falling at its end.
pub(crate) fn unfinished(history: &History, has_warning: bool) -> Vec<Finding> {
    let outcome = history.outcome();
    if let Some(finding) = stopped(history).or_else(|| cut_short(history)) {
        return vec![finding];
    }
    if outcome == Outcome::Learned && !has_warning {
        // As good as other models, by which alone it has learned.
        let is_level = history.by_itself() != Outcome::Learned;
        return broken_off(history)
            .filter(|_| !is_level)
            .into_iter()
            .collect();
    }
    if !matches!(outcome, Outcome::Stuck | Outcome::Partial) {
        return Vec::new();
    }
    if history.is_told() && history.is_at_least(EVIDENT) && !history.gives_back() {
        return Vec::new();
    }
    let steps = history.steps_seen();
    // Slow for a network that has not moved from where it began, whatever its loss does.
    if outcome == Outcome::Stuck
        && let Some(ratio) = update_ratio(history).filter(|ratio| *ratio < SLOW && *ratio > 0.0)
    {
        return vec![too_low(ratio, (SLOW, SLOW_SOURCE), Severity::Warning)];
    }
    let Some(fall) = history
        .fall()
        .filter(|fall| *fall > FALLING || steps < FEW / 4)
    else {
        return Vec::new();
    };
    let ratio = update_ratio(history);
    if steps >= FEW
        && let Some(ratio) = ratio.filter(|ratio| *ratio < USUAL)
    {
        return vec![too_low(ratio, (USUAL, SLOW_SOURCE), Severity::Warning)];
    }
    // Whoever falls this slowly after so many steps has reached what the network can do.
    if !has_warning
        && steps >= MANY
        && fall < 5.0 * FALLING
        && let Some(finding) = underfitting::behind(history)
    {
        return vec![finding];
    }
    let has_turned = steps >= FEW && has_turned(history);
    if underfitting::is_level(history) || has_turned {
        return Vec::new();
    }
    let few = too_few(history, fall, FALLING);
    // The loss falls, and hardly: it may be the network as well as the steps.
    let is_slow = fall < SLOWLY && steps >= FEW || fall < 2.0 * SLOWLY && steps >= MANY;
    let is_far = history.below(FAR).is_some() && steps >= FEW;
    let behind = underfitting::behind(history).filter(|_| (is_slow || is_far) && !has_warning);
    behind.into_iter().chain([few]).collect()
}

/// A training that ends while loss and validation still improve, and there is much left to learn.
fn broken_off(history: &History) -> Option<Finding> {
    // A few dozen steps, below a model that needs no network.
    if history.steps_seen() < FEW / 4
        && history.shortfall(EVIDENT).is_some()
        && let Some(fall) = history.fall().filter(|fall| *fall > FALLING)
    {
        return Some(too_few(history, fall, FALLING));
    }
    // Through a narrow middle much is never learned, and little of it for long.
    let is_slow = history.gives_back() && history.steps_seen() >= FEW;
    let limit = if is_slow {
        2.0 * BROKEN_OFF
    } else {
        BROKEN_OFF
    };
    let fall = history
        .fall()
        .filter(|fall| *fall > limit && history.has_much_left())?;
    let mut losses = history.epochs.iter().filter_map(|of| of.valid_loss);
    let last = history.epochs.last().and_then(|of| of.valid_loss);
    let improves = last.is_none_or(|last| losses.all(|loss| loss >= last));
    // What is nearly as good as a model that needs no training is nearly as good as it can be.
    let is_near = history.compared().is_some_and(|(floor, _)| {
        let is_near = if floor.is_accuracy {
            !history.is_behind()
        } else {
            history.is_told() && history.below(EVIDENT).is_none()
        };
        is_near && !history.gives_back()
    });
    let ratio = update_ratio(history).filter(|ratio| *ratio < USUAL);
    match ratio.filter(|_| history.steps_seen() >= FEW) {
        _ if !improves || is_near || is_best_line(history) => None,
        Some(ratio) => Some(too_low(ratio, (USUAL, SLOW_SOURCE), Severity::Warning)),
        None => Some(too_few(history, fall, BROKEN_OFF)),
    }
}

/// Whether the network is a linear map, and as good as the best one: there is nothing left to learn for it.
fn is_best_line(history: &History) -> bool {
    let is_linear = (history.nonlinearity).is_some_and(|bend| bend < linear::ROUNDING);
    let scores = history.linear_fit.zip(history.scores());
    is_linear
        && scores.is_some_and(|(fit, scores)| {
            fit.is_accuracy == scores.is_accuracy && scores.valid > fit.score - EVIDENT
        })
}

/// Whether the validation loss was at its lowest some epochs before the end: more steps would not help.
fn has_turned(history: &History) -> bool {
    let losses: Vec<f64> = history
        .epochs
        .iter()
        .filter_map(|of| of.valid_loss)
        .collect();
    let all = losses
        .iter()
        .enumerate()
        .filter(|(_, loss)| loss.is_finite());
    let lowest = all
        .rev()
        .min_by(|(_, one), (_, other)| one.total_cmp(other));
    lowest.is_some_and(|(at, _)| at + TURNED < losses.len())
}

/// A training that ends at the first rises of the validation loss, while that of the training falls, below a model that needs no
/// network.
fn stopped(history: &History) -> Option<Finding> {
    let [earlier @ .., before, last] = &history.epochs[..] else {
        return None;
    };
    let losses: Vec<f64> = earlier
        .iter()
        .chain([before])
        .filter_map(|of| of.valid_loss)
        .collect();
    let has_fallen = losses.windows(2).all(|pair| pair[1] <= pair[0]);
    let rises = has_fallen && last.valid_loss? > before.valid_loss?;
    let falls = last.train_loss? / before.train_loss?;
    let left = history.last_loss()? / history.untrained_loss()?;
    let is_learning = falls < STOPPED && left > LEFT;
    let (gap, room) = history.below(EVIDENT)?;
    if !rises || !is_learning || history.epochs.len() > BEGUN {
        return None;
    }
    let text = format!(
        "The training ended after {} epochs, when the validation loss had risen once, while the training loss fell: a model that needs no network is better on the validation.",
        history.epochs.len()
    );
    Some(
        Finding::new(FindingKind::TooFewSteps, Severity::Warning, text)
            .measured(gap, room, "score of the best model that needs no network minus that of the network on the validation; margin: clinic")
            .with([
                Prescription::EarlyStopping { patience: 5 },
                Prescription::TrainLonger { factor: 5.0 },
            ]),
    )
}

/// A training that ends after a few epochs, each of which has improved the losses of training and validation much, below a model
/// that needs no network.
fn cut_short(history: &History) -> Option<Finding> {
    let losses: Vec<(f64, f64)> = (history.epochs.iter())
        .map(|of| Some((of.train_loss?, of.valid_loss?)))
        .collect::<Option<_>>()?;
    let improves = |pair: &[(f64, f64)]| {
        let [before, last] = pair else { return false };
        last.0 > 0.0 && last.0 < STOPPED * before.0 && last.1 > 0.0 && last.1 < STOPPED * before.1
    };
    let (gap, room) = history.below(EVIDENT)?;
    let [fewest, most] = IMPROVED;
    let is_short = (fewest..=most).contains(&losses.len());
    if !is_short || !losses.windows(2).all(improves) {
        return None;
    }
    let text = format!(
        "The training ended after {} epochs, each of which improved the losses of training and validation by a twentieth or more, and a model that needs no network is better on the validation: it was stopped while it learned, as by an early stopping that waits for a larger loss.",
        losses.len()
    );
    Some(
        Finding::new(FindingKind::TooFewSteps, Severity::Warning, text)
            .measured(gap, room, "score of the best model that needs no network minus that of the network on the validation; margin: clinic")
            .with([
                Prescription::TrainLonger { factor: 5.0 },
                Prescription::change("let early stopping take a smaller loss for a better one, and a larger accuracy"),
            ]),
    )
}

fn too_few(history: &History, fall: f64, threshold: f64) -> Finding {
    let steps = history.steps_seen();
    let after = match steps {
        0 => format!("{} epochs", history.epochs.len()),
        _ => format!("{steps} steps"),
    };
    let text = format!("After {after} the loss is still falling, and far from what it could be.");
    Finding::new(FindingKind::TooFewSteps, Severity::Warning, text)
        .measured(
            fall,
            threshold,
            "fall of the mean loss from the third quarter of the steps to the last; clinic",
        )
        .with([
            Prescription::TrainLonger {
                factor: longer(steps),
            },
            Prescription::ScaleLr { factor: 10.0 },
        ])
}

/// How many times as many steps to take as these; of an unknown number ten times.
fn longer(steps: usize) -> f64 {
    match steps {
        0 => 10.0,
        _ => (USUAL_STEPS / steps as f64).max(10.0).ceil(),
    }
}
