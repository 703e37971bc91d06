//! A learning rate that is too high.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::loss_check::LossCheck;
use crate::history::measures::{Outcome, median};
use crate::loss_kind::LossKind;

use crate::finding::prescription::short;
use crate::history::param::ParamHistory;
use crate::rules::dead_units::died;
use crate::rules::exploding;

/// The ratio of update to weight in one step that is a hundred times the usual 1e-3.
const RATIO: f64 = 0.1;

/// How many times the first loss the loss may reach in the first steps.
const JUMP: f64 = 10.0;

/// The first steps.
const EARLY: usize = 50;

/// The steps for which a loss that has risen stays there.
const STAYS: usize = 5;

/// The growth of the usual weight from which it has gone too far.
const LARGE: f64 = 10.0;

/// The share of the rows up to which a class is rare.
const RARE: f64 = 0.1;

/// The kurtosis of targets of which a few are far larger than the others: 9 of an exponential distribution.
const HEAVY: f64 = 9.0;

/// The size of a target that needs larger weights.
const FAR: f64 = 10.0;

/// The last loss over the first from which a training has diverged.
const GREW: f64 = 3.0;

/// The last loss over that of equal probabilities from which a training has made it worse.
const WORSE: f64 = 1.05;

/// The lowest mean loss, as a share of the first, from which something had been learned, and the last mean loss from
/// which it is lost.
const LEARNED: f64 = 0.7;
const BACK: f64 = 0.9;

/// The ratio in one step from which a step can kill units: half of the weight.
const KILLS: f64 = 0.5;

const LARGEST: &str = "largest |update|/|weight| of the first 50 steps; clinic";

const SOURCE: &str = "median over weights and steps of |update|/|weight|; DeepDiagnosis (2022): wrong by a factor 100 from 1e-3";

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let outcome = history.outcome();
    if let Some((step, jump)) = jump(history) {
        let text = format!(
            "The loss rose to {} times its first value within the first steps: a step went too far. What comes after, such as a flat loss or dead units, is a consequence.",
            short(jump)
        );
        // Who has learned all the same has come back from it.
        let severity = if history.costs_nothing() {
            Severity::Note
        } else {
            Severity::Fault
        };
        return vec![
            Finding::new(FindingKind::LrTooHigh, severity, text)
                .in_step(step)
                .measured(
                    jump,
                    JUMP,
                    "largest loss of the first 50 steps over the first loss; clinic",
                )
                .with(prescriptions(0.01)),
        ];
    }
    if outcome != Outcome::Learned
        && let Some((path, ratio)) = killed(history)
    {
        let text = format!(
            "The units of {path} passed something at first, and are silent for every input since a step that changed weights by {} of themselves.",
            short(ratio)
        );
        return vec![
            Finding::new(FindingKind::LrTooHigh, Severity::Fault, text)
                .at([path])
                .measured(ratio, KILLS, LARGEST)
                .with(prescriptions(1e-2 / ratio)),
        ];
    }
    let other = has_other_terms(history);
    let ended = diverged(history)
        .filter(|_| !other)
        .or_else(|| peak(history))
        .or_else(|| lost(history).filter(|_| !other))
        .or_else(|| grown(history))
        .or_else(|| worse(history));
    if let Some(finding) = ended {
        return vec![finding];
    }
    let Some(ratio) = update_ratio(history).filter(|ratio| *ratio > RATIO) else {
        return Vec::new();
    };
    let severity = match outcome {
        Outcome::Learned | Outcome::Unknown => Severity::Note,
        Outcome::Partial => Severity::Warning,
        Outcome::Stuck => Severity::Fault,
    };
    let text = "Each step changes the weights by a large part of themselves.";
    vec![
        Finding::new(FindingKind::LrTooHigh, severity, text)
            .measured(ratio, RATIO, SOURCE)
            .with(prescriptions(1e-2 / ratio)),
    ]
}

/// Whether what is minimised is more than the loss of outputs and targets, and that one has fallen: what has grown is
/// another term, such as a divergence whose factor rises.
fn has_other_terms(history: &History) -> bool {
    let checks: Vec<&LossCheck> = (history.loss_checks.iter())
        .filter(|check| check.own.is_finite() && check.given.is_finite())
        .collect();
    let count = (checks.len() / 4).max(1);
    let mean = |part: &[&LossCheck], of: fn(&LossCheck) -> f64| {
        part.iter().map(|check| of(check)).sum::<f64>() / part.len() as f64
    };
    if checks.len() < 2 * STAYS {
        return false;
    }
    let (first, last) = (&checks[..count], &checks[checks.len() - count..]);
    let growth = |of: fn(&LossCheck) -> f64| mean(last, of) / mean(first, of);
    let (own, given) = (growth(|check| check.own), growth(|check| check.given));
    own < LEARNED && given > own
}

/// A loss that has grown in the course of the training, and is far above where it began.
fn diverged(history: &History) -> Option<Finding> {
    let first = history.untrained_loss().filter(|first| *first > 0.0)?;
    let last = history.last_loss().filter(|last| last.is_finite())?;
    let growth = last / first;
    // A network that only ever predicts a constant has the loss of its first predictions, more or less.
    if growth <= GREW || history.step_losses().len() < EARLY {
        return None;
    }
    let text = format!(
        "The loss has grown to {} times its first value: each step goes further than the one before it, by its learning rate or by a momentum that adds up.",
        short(growth)
    );
    Some(
        Finding::new(FindingKind::LrTooHigh, Severity::Fault, text)
            .measured(growth, GREW, "last losses over the first ones; clinic")
            .with(shorter()),
    )
}

/// A loss that has stayed far above its first value for some steps, in a training that has not learned much.
fn peak(history: &History) -> Option<Finding> {
    let first = history.untrained_loss().filter(|first| *first > 0.0)?;
    let losses = history.step_losses();
    let parts = losses.windows(STAYS).map(lowest);
    let (step, peak) = parts
        .map(|(step, lowest)| (step, lowest / first))
        .filter(|(_, peak)| peak.is_finite())
        .max_by(|(_, one), (_, other)| one.total_cmp(other))?;
    let has_learned = history.outcome() == Outcome::Learned;
    if has_learned || peak <= JUMP {
        return None;
    }
    let text = format!(
        "The loss rose to {} times its first value, and stayed there for {STAYS} steps: the steps went too far, by their learning rate or by a momentum that adds up. What comes after, such as a flat loss or dead units, is a consequence.",
        short(peak)
    );
    Some(
        Finding::new(FindingKind::LrTooHigh, Severity::Fault, text)
            .in_step(step)
            .measured(
                peak,
                JUMP,
                "largest loss that five steps do not fall below, over the first loss; clinic",
            )
            .with(shorter()),
    )
}

/// The first of these steps, and the lowest of their losses.
fn lowest(part: &[(usize, f64)]) -> (usize, f64) {
    let losses = part.iter().map(|(_, loss)| *loss);
    (part[0].0, losses.fold(f64::INFINITY, f64::min))
}

/// Weights that have grown far beyond any initialisation, in a training that has not learned much.
fn grown(history: &History) -> Option<Finding> {
    let usual = |param: &&ParamHistory| {
        let he = (2.0 / param.fan_in? as f64).sqrt();
        let ratio = param.last.deviation / he.max(param.initial.deviation);
        ratio.is_finite().then_some(ratio)
    };
    let growth = median(history.weights().iter().filter_map(usual))?;
    let has_learned = matches!(history.outcome(), Outcome::Learned | Outcome::Unknown);
    // Large targets need large weights.
    let is_needed = history
        .train
        .as_ref()
        .and_then(|train| train.target)
        .is_some_and(|target| target.mean.abs().max(target.deviation) > FAR);
    if has_learned || is_needed || growth <= LARGE {
        return None;
    }
    let text = format!(
        "The weights have grown to {} times the usual deviation, and the network has not learned much: each step goes too far, by its learning rate or by a momentum that adds up.",
        short(growth)
    );
    Some(
        Finding::new(FindingKind::LrTooHigh, Severity::Fault, text)
            .measured(
                growth,
                LARGE,
                "median over the weights of their last deviation over the first one, or that of He et al. (2015) if it is larger; threshold chosen by us",
            )
            .with(shorter()),
    )
}

/// A cross-entropy that ends above that of equal probabilities, and above its beginning.
fn worse(history: &History) -> Option<Finding> {
    let kind = history.loss_kind?;
    let is_cross_entropy = matches!(
        kind,
        LossKind::CrossEntropyOfScores | LossKind::CrossEntropyOfProbabilities
    );
    let columns = history.outputs.as_ref()?.columns;
    let last = history.last_loss().filter(|last| last.is_finite())?;
    let constant = (columns as f64).ln();
    let begin = constant.max(history.first_loss()?);
    // One that has learned nothing may have been worse before its end.
    let losses = history.step_losses();
    let usual = median(losses.iter().map(|(_, loss)| *loss))
        .filter(|usual| usual.is_finite() && history.outcome() == Outcome::Stuck);
    let last = last.max(usual.unwrap_or(last));
    let ratio = last / begin;
    let is_over = is_cross_entropy && columns >= 2 && losses.len() >= EARLY;
    if !is_over || ratio <= WORSE {
        return None;
    }
    let text = format!(
        "The loss is {}, at its end or in most steps, above the {} of equal probabilities and above its beginning: each step undoes more than it learns.",
        short(last),
        short(constant)
    );
    Some(
        Finding::new(FindingKind::LrTooHigh, Severity::Fault, text)
            .measured(
                ratio,
                WORSE,
                "last losses, or the median of all if nothing was learned, over the larger of the first ones and the logarithm of the number of outputs; clinic",
            )
            .with(shorter()),
    )
}

/// A loss that had fallen and has come back to where it began.
fn lost(history: &History) -> Option<Finding> {
    let losses = history.step_losses();
    let width = (losses.len() / 20).clamp(5, 50);
    let mean =
        |part: &[(usize, f64)]| part.iter().map(|(_, loss)| loss).sum::<f64>() / part.len() as f64;
    let means: Vec<f64> = losses.chunks_exact(width).map(mean).collect();
    let first = history.untrained_loss()?;
    let [_, .., last] = means[..] else {
        return None;
    };
    let all = means
        .iter()
        .enumerate()
        .filter(|(_, mean)| mean.is_finite());
    let (at, lowest) = all.min_by(|(_, a), (_, b)| a.total_cmp(b))?;
    let share = lowest / first;
    if share >= LEARNED || last < BACK * first || !last.is_finite() || first <= 0.0 {
        return None;
    }
    let (step, _) = losses[(at + 1) * width - 1];
    let text = format!(
        "The loss had fallen from {} to {} by step {}, and is {} at the end: steps that are too long for a sharper place, or a momentum that carries past it, have lost what was learned.",
        short(first),
        short(*lowest),
        step,
        short(last)
    );
    Some(
        Finding::new(FindingKind::LrTooHigh, Severity::Fault, text)
            .in_step(step)
            .measured(
                share,
                LEARNED,
                "lowest mean loss over the first, of a training that ends above 0.9 of the first; clinic",
            )
            .with(shorter().into_iter().chain([Prescription::Warmup { steps: 100 }])),
    )
}

/// The first layer whose units died in the training, and the largest early change of a weight relative to its norm,
/// if that was large enough to kill them. A first gradient that is huge is another fault.
fn killed(history: &History) -> Option<(&str, f64)> {
    let path = died(history).next()?;
    let norms = history.gradient_norms();
    norms.first().filter(|(_, norm)| *norm < exploding::NORM)?;
    let ratios = |param: &ParamHistory| {
        let early = param.update_ratios().take_while(|(step, _)| *step <= EARLY);
        early.map(|(_, ratio)| ratio).fold(0.0, f64::max)
    };
    let weights = history.weights().into_iter();
    let largest = weights.map(ratios).fold(0.0, f64::max);
    (largest > KILLS).then_some((path, largest))
}

/// For steps that are too long by their rate or by a momentum, which is not known: a higher one than before would do harm.
fn shorter() -> [Prescription; 3] {
    [
        Prescription::ScaleLr { factor: 0.1 },
        Prescription::change("if the optimizer has a momentum above 0.9, set it to 0.9"),
        Prescription::ClipGradNorm { max_norm: 1.0 },
    ]
}

fn prescriptions(factor: f64) -> [Prescription; 3] {
    [
        Prescription::ScaleLr { factor },
        Prescription::ClipGradNorm { max_norm: 1.0 },
        Prescription::Warmup { steps: 100 },
    ]
}

/// The median of the ratios of update to weight, without the first steps, in which small weights grow.
pub(crate) fn update_ratio(history: &History) -> Option<f64> {
    let of_param = |param: &ParamHistory| {
        let skip = (param.steps.len() / 4).min(5);
        median(param.update_ratios().skip(skip).map(|(_, ratio)| ratio))
    };
    median(history.weights().into_iter().filter_map(of_param))
}

/// The step and the size of a jump of the loss in the first steps, from which the training has not recovered. The
/// losses of single samples jump by themselves.
fn jump(history: &History) -> Option<(usize, f64)> {
    let single = history
        .train
        .as_ref()
        .is_some_and(|train| train.batches > 0 && train.largest_batch < 8);
    let losses = history.step_losses();
    let first = if history.begins_trained() {
        history.untrained_loss()?
    } else {
        losses.first()?.1
    };
    if first <= 0.0 || single {
        return None;
    }
    // A row of a rare class makes a single loss large.
    let is_rare = (history.train.as_ref()).is_some_and(|train| {
        let rows: usize = train.classes.values().sum();
        let fewest = train.classes.values().min();
        fewest.is_some_and(|fewest| *fewest as f64 <= RARE * rows as f64)
    });
    // So do a few large targets.
    let has_large = (history.train.as_ref())
        .and_then(|train| train.target)
        .is_some_and(|target| target.kurtosis > HEAVY);
    let width = if is_rare || has_large { STAYS } else { 1 };
    let early = losses.partition_point(|(step, _)| *step <= EARLY);
    let early = losses[..early].windows(width).map(lowest);
    let (step, highest) = early
        .filter(|(_, loss)| loss.is_finite())
        .max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    let recovered = history.last_loss().is_some_and(|last| last < 0.1 * first);
    let jump = highest / first;
    (jump > JUMP && !recovered).then_some((step, jump))
}
