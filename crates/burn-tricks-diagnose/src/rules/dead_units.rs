//! Units that are silent for every input.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::{InitScheme, Prescription};
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::measures::Outcome;

/// The share of silent units of a layer from which it is dead.
const SHARE: f64 = 0.7;

/// Fewer inputs than this do not show that a unit is silent for all.
const INPUTS: usize = 100;

/// With more layers than this, a layer of few units falls silent by chance: Lu et al., Dying ReLU (2019).
const DEEP: usize = 6;

/// The share of zeros below which a layer passes something. Half of a ReLU's outputs are 0.
const ALIVE: f64 = 0.9;

const BY_GRADIENT: &str = "share of units whose gradient was exactly 0 in each of the last recorded batches; 0.7 as AUTOTRAINER (2021), but for units and not for numbers";
const BY_PROBE: &str = "share of units that were 0 for every input of the last recorded batches; 0.7 as AUTOTRAINER (2021), but for units and not for numbers";

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    // A saturated unit has no gradient either: where activations were seen, they decide.
    if history.probes.iter().any(|probe| probe.inputs >= INPUTS) {
        return finding(history, probed(history), BY_PROBE);
    }
    finding(history, by_gradient(history), BY_GRADIENT)
}

fn finding(history: &History, silent: Vec<(&str, f64)>, source: &str) -> Vec<Finding> {
    let Some(most) = silent.iter().map(|(_, share)| *share).reduce(f64::max) else {
        return Vec::new();
    };
    let severity = match history.outcome() {
        Outcome::Learned => Severity::Note,
        Outcome::Partial | Outcome::Unknown => Severity::Warning,
        Outcome::Stuck => Severity::Fault,
    };
    let text = "Most units of these layers are silent for every input: nothing passes through them, and no gradient comes back.";
    vec![
        Finding::new(FindingKind::DeadUnits, severity, text)
            .at(silent.into_iter().map(|(path, _)| path))
            .measured(most, SHARE, source)
            .with(prescriptions(history)),
    ]
}

/// What helps depends on when the units fell silent.
fn prescriptions(history: &History) -> Vec<Prescription> {
    let rate = Prescription::ScaleLr { factor: 0.1 };
    let mut prescriptions = vec![
        // Exact zeros for every input are those of a ReLU.
        Prescription::InitWeights {
            scheme: InitScheme::He,
        },
        Prescription::NormLayers,
        Prescription::Activation {
            name: "leaky ReLU".to_owned(),
        },
    ];
    if history.weights().len() > DEEP {
        prescriptions.insert(0, Prescription::Shallower);
    } else if died(history).next().is_some() {
        prescriptions.insert(0, rate);
    } else {
        prescriptions.push(rate);
    }
    prescriptions
}

/// The probes of dead layers whose units passed something at first, by name.
pub(crate) fn died(history: &History) -> impl Iterator<Item = &str> {
    let dead = probed(history).into_iter().map(|(path, _)| path);
    dead.filter(|path| {
        let mut probes = history.probes.iter();
        let first = probes
            .find(|probe| probe.name == *path)
            .and_then(|probe| probe.steps.first());
        first.is_some_and(|first| first.zeros < ALIVE)
    })
}

fn probed(history: &History) -> Vec<(&str, f64)> {
    let seen = history
        .probes
        .iter()
        .filter(|probe| probe.units > 0 && probe.inputs >= INPUTS);
    let share = |probe: &'_ crate::history::probe::ProbeHistory| {
        probe.dead_units as f64 / probe.units as f64
    };
    let dead = seen.map(|probe| (probe.name.as_str(), share(probe)));
    dead.filter(|(_, share)| *share >= SHARE).collect()
}

fn by_gradient(history: &History) -> Vec<(&str, f64)> {
    let weights = history.weights();
    let Some((last, hidden)) = weights.split_last() else {
        return Vec::new();
    };
    // If nothing comes from the loss, the units are not to blame.
    let from_loss = last.steps.iter().rev().take(10).any(|at| at.gradient > 0.0)
        || (history.params.last()).is_some_and(|param| {
            param
                .steps
                .iter()
                .rev()
                .take(10)
                .any(|at| at.gradient > 0.0)
        });
    let rows = history
        .train
        .as_ref()
        .filter(|train| train.batches > 0)
        .map(|train| train.largest_batch);
    let recorded = last.steps.len().min(10);
    if !from_loss || recorded < 5 || rows.is_some_and(|rows| rows * recorded < INPUTS) {
        return Vec::new();
    }
    let share = |param: &crate::history::param::ParamHistory| {
        let (units, silent) = (param.units?, param.silent_units?);
        (units > 0).then(|| silent as f64 / units as f64)
    };
    let shares = hidden
        .iter()
        .filter_map(|param| Some((param.path.as_str(), share(param)?)));
    shares.filter(|(_, share)| *share >= SHARE).collect()
}
