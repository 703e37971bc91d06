//! Dropout and normalisation layers in the wrong mode, and batch norms over one sample.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;

use crate::history::structure::Mode;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let found = [
        validation(history),
        training(history),
        single_sample(history),
    ];
    found.into_iter().flatten().collect()
}

fn paths<'a>(modes: impl Iterator<Item = &'a Mode>) -> Vec<&'a str> {
    modes.map(|mode| mode.path.as_str()).collect()
}

fn validation(history: &History) -> Option<Finding> {
    let valid = history.valid.as_ref().filter(|valid| valid.is_autodiff)?;
    let active = paths(history.structure.modes.iter().filter(|mode| mode.first));
    if active.is_empty() {
        return None;
    }
    let text = "The validation inputs are on a device with autodiff, where these layers behave as in training: dropout drops, and batch norms use the statistics of the batch.";
    let change = "validate `model.valid()` on inputs of a device without autodiff";
    let size = valid.smallest_batch as f64;
    Some(
        Finding::new(FindingKind::WrongMode, Severity::Fault, text)
            .at(active)
            .measured(
                size,
                0.0,
                "rows of the smallest validation batch on a device with autodiff; none is expected",
            )
            .with([Prescription::change(change)]),
    )
}

fn training(history: &History) -> Option<Finding> {
    let modes = &history.structure.modes;
    let off: Vec<&Mode> = modes
        .iter()
        .filter(|mode| mode.switched_off.is_some())
        .collect();
    let step = off.first()?.switched_off?;
    let text = "These layers were in training mode at first and are in inference mode since then: dropout no longer drops, and batch norms no longer update their statistics.";
    let change = "train the model that was in training mode, not the one that `valid()` returned; `train()` switches the layers on again";
    Some(
        Finding::new(FindingKind::WrongMode, Severity::Warning, text)
            .at(off.into_iter().map(|mode| mode.path.as_str()))
            .in_step(step)
            .measured(step as f64, 0.0, "first recorded step in inference mode")
            .with([Prescription::change(change)]),
    )
}

fn single_sample(history: &History) -> Option<Finding> {
    let norms = paths(history.structure.batch_norms().filter(|mode| mode.first));
    let train = history.train.as_ref()?;
    if norms.is_empty() || train.batches == 0 || train.smallest_batch != 1 {
        return None;
    }
    let (severity, text) = if train.largest_batch == 1 {
        let text = "These batch norms get one sample at a time: over one sample, every number is its own mean, and the output of the norm is constant.";
        (Severity::Fault, text)
    } else {
        let text = "The smallest batch has one row, over which a batch norm gives a constant.";
        (Severity::Note, text)
    };
    Some(
        Finding::new(FindingKind::SingleSampleNorm, severity, text)
            .at(norms)
            .measured(
                train.largest_batch as f64,
                2.0,
                "rows of the largest batch; a variance needs two",
            )
            .with([
                Prescription::BatchSize { size: 32 },
                Prescription::change(
                    "use a layer norm or a group norm, which do not depend on the batch",
                ),
            ]),
    )
}
