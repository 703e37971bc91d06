//! Initial weights on the wrong scale for the number of inputs of a unit.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::measures::Outcome;

use crate::finding::prescription::short;
use crate::history::param::ParamHistory;
use crate::rules::initial::initial;

/// How many times larger than He's deviation initial weights may be.
const LARGE: f64 = 3.0;

/// How many times smaller than the smallest of the usual deviations they may be.
const SMALL: f64 = 5.0;

/// The mean over the deviation, times the root of the inputs, from which what all weights share is far larger than in which they
/// differ.
const COMMON: f64 = 4.0;

/// The mean, in deviations, from which most weights have one sign.
const ASIDE: f64 = 1.0;

/// Fewer weights do not tell their mean.
const SIDED: usize = 64;

/// Standard errors of a deviation within which it is that of an initialiser.
const ERRORS: f64 = 4.0;

/// Fewer weights than this do not tell their deviation.
const ENOUGH: usize = 32;

const SOURCE: &str = "deviation of the initial weights over the usual one of He et al. (2015) and Glorot and Bengio (2010); threshold chosen by us";

const SIDED_SOURCE: &str = "mean of the initial weights over their deviation, times the root of the inputs; threshold chosen by us";

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    if history.begins_trained() {
        return Vec::new();
    }
    let of_layers = history.params.iter().filter(|param| param.is_weight());
    let graded = of_layers.filter(|param| param.elements() >= ENOUGH && param.tied_to.is_none());
    graded.filter_map(|param| find(history, param)).collect()
}

fn find(history: &History, param: &ParamHistory) -> Option<Finding> {
    let (fan_in, fan_out) = (param.fan_in? as f64, param.fan_out? as f64);
    let deviation = param.initial.deviation;
    if deviation == 0.0 || !deviation.is_finite() {
        return None;
    }
    let he = (2.0 / fan_in).sqrt();
    let glorot = (2.0 / (fan_in + fan_out)).sqrt();
    let default = (1.0 / (3.0 * fan_in)).sqrt();
    let (large, small) = (deviation / he.max(glorot), deviation / default.min(glorot));
    let is_swapped = is_swapped(param);
    // The sum over n inputs of one sign grows by the root of n more than that of a signal without a mean.
    let common = param.initial.mean.abs() / deviation * fan_in.sqrt();
    let is_common = common > COMMON && param.initial.mean.abs() > ASIDE * deviation;
    let (value, threshold, source, text) = if is_swapped && large > 1.0 {
        let text = format!(
            "The initial weights have deviation {}, that of a layer with {fan_out} inputs, but this layer has {fan_in}: the fans are swapped. Burn 0.22 does so for `LinearLayout::Col`.",
            short(deviation)
        );
        (large, 1.0, SOURCE, text)
    } else if is_common && param.elements() >= SIDED {
        let text = format!(
            "The initial weights have mean {} and deviation {}: nearly all have one sign, and the units of a layer all sum the same thing.",
            short(param.initial.mean),
            short(deviation)
        );
        (common, COMMON, SIDED_SOURCE, text)
    } else if large > LARGE {
        let text = format!(
            "The initial weights have deviation {}; for {fan_in} inputs He's is {}. The signal grows from layer to layer, and saturates or explodes.",
            short(deviation),
            short(he)
        );
        (large, LARGE, SOURCE, text)
    } else if small < 1.0 / SMALL {
        let text = format!(
            "The initial weights have deviation {}; for {fan_in} inputs He's is {}. The signal shrinks from layer to layer.",
            short(deviation),
            short(he)
        );
        (small, 1.0 / SMALL, SOURCE, text)
    } else {
        return None;
    };
    let severity = match history.outcome() {
        Outcome::Learned if !is_swapped => Severity::Note,
        Outcome::Stuck if !(0.1..10.0).contains(&value) => Severity::Fault,
        _ => Severity::Warning,
    };
    let finding = Finding::new(FindingKind::InitScale, severity, text);
    let finding = finding
        .at([param.path.as_str()])
        .measured(value, threshold, source);
    Some(finding.with([initial(history), Prescription::NormLayers]))
}

/// Whether the deviation is, within the error of so many draws, that of one of the usual formulas with the fans
/// swapped, and not that of one with the right fans. The default of Burn and PyTorch, LeCun's and He's.
fn is_swapped(param: &ParamHistory) -> bool {
    let (Some(fan_in), Some(fan_out)) = (param.fan_in, param.fan_out) else {
        return false;
    };
    if param.layer != "Linear" || fan_in < 4 * fan_out {
        return false;
    }
    // The error of the deviation of uniform draws, and the larger one of normal draws.
    let [uniform, normal] =
        [0.2, 0.5].map(|of_one: f64| ERRORS * (of_one / param.elements() as f64).sqrt());
    let both = fan_in + fan_out;
    let is_near =
        |variance: f64, error: f64| (param.initial.deviation / variance.sqrt() - 1.0).abs() < error;
    let fits = |fan: usize, error: f64| {
        let gains = [1.0 / 3.0, 1.0, 2.0];
        gains
            .iter()
            .any(|gain: &f64| is_near(gain / fan as f64, error))
    };
    let is_right = fits(fan_in, normal) || is_near(2.0 / both as f64, normal);
    fits(fan_out, uniform) && !is_right
}
