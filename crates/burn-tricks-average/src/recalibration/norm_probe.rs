//! A copy of a module to send data through, and the batch statistics that its layers show.
//!
//! Burn's batch norm does not report its batches. After a training pass it holds `(1 − m) r + m s`, where r is
//! the running statistic before, s the statistic of the batch and m the momentum. With r = 0 that is `m s`.
//!
//! The initial value is −0: `−0 + s` is never −0 for a variance s, not even for s = 0, so a layer whose
//! variances are still −0 has not seen the batch. The last update of a running statistic stays pending until
//! the next one. So if a statistic without its pending update is no longer −0, the layer has seen two batches.

use crate::recalibration::norm_layers::{NormLayer, Source};
use crate::recalibration::norm_momentum::{far, momentum};
use crate::recalibration::pooled_statistics::Statistics;
use crate::recalibration::recalibration_error::RecalibrationError;
use crate::recalibration::running_statistics::{
    MEAN, RunningStatistics, VARIANCE, last, parent, write,
};
use burn::module::{Module, ParamId};
use burn::tensor::DType;
use burn_tricks_core::batch_statistics::{BatchStatistics, collect};
use burn_tricks_core::walk::map_flags;
use std::collections::BTreeMap;

/// The statistics of a batch that the layers have shown, by path.
pub(crate) type Shown = BTreeMap<String, Statistics>;

/// A copy without gradients, in which only the flags of the batch norms are set, so that batch norm uses its
/// batch and dropout does not drop.
#[derive(Debug)]
pub(crate) struct NormProbe<M> {
    model: M,
    layers: Vec<NormLayer>,
    /// The paths of the layers, by their flags.
    flags: BTreeMap<ParamId, String>,
    /// The momenta of the layers that do not report, by path, once a batch has shown them.
    momenta: Option<BTreeMap<String, f64>>,
}

impl<M: Module> NormProbe<M> {
    pub(crate) fn of(model: &M, layers: Vec<NormLayer>) -> Self {
        let mut flags = BTreeMap::new();
        let copy = model.valid().train().set_require_grad(false);
        let model = map_flags(copy, |at, flag| {
            let path = parent(at.path());
            let is_measured = layers.iter().any(|layer| layer.path == path);
            let mut flag = flag.with_value(is_measured);
            if is_measured {
                // Members of an ensemble may share their ids.
                flag.id = ParamId::new();
                flags.insert(flag.id, path.to_owned());
            }
            flag
        });
        Self {
            model,
            flags,
            layers,
            momenta: None,
        }
    }

    /// Sends batch number `at` through the model by `forward`, which returns its number of samples. A batch
    /// without samples shows nothing.
    pub(crate) fn show<B: Clone>(
        &mut self,
        at: usize,
        batch: B,
        forward: &mut impl FnMut(&M, B) -> usize,
    ) -> Result<Shown, RecalibrationError> {
        let again = self.momenta.is_none().then(|| batch.clone());
        self.fill(|_| -0.0);
        let (samples, reports) = collect(|| forward(&self.model, batch));
        let earlier = RunningStatistics::without_pending(&self.model);
        // Also of a batch without samples: what it leaves must not come into the next.
        let left = RunningStatistics::of(&self.model);
        if samples == 0 {
            return Ok(Shown::new());
        }
        let mut shown = self.reported(reports, &left)?;
        for layer in &mut self.layers {
            check(layer, &shown, [&earlier, &left], at)?;
        }
        if let Some(batch) = again {
            self.momenta = Some(self.measure_momenta(&left, batch, forward)?);
        }
        for (layer, momentum) in self.momenta.iter().flatten() {
            let of_batch = |name| {
                let left = left.values(layer, name).iter();
                left.map(|value| value / momentum).collect()
            };
            let (mean, variance) = (of_batch(MEAN), of_batch(VARIANCE));
            let statistics = Statistics::new(samples as f64, mean, variance);
            shown.insert(layer.clone(), statistics);
        }
        Ok(shown)
    }

    /// All reports of a layer for one batch, pooled: those of its parts, or of several uses.
    fn reported(
        &self,
        reports: Vec<BatchStatistics>,
        held: &RunningStatistics,
    ) -> Result<Shown, RecalibrationError> {
        let mut shown = Shown::new();
        for report in reports {
            let Some(layer) = self.flags.get(&report.layer).cloned() else {
                continue;
            };
            let part = Statistics::from(report);
            let expected = held.values(&layer, MEAN).len();
            let channels = [part.mean.len(), part.variance.len()];
            if let Some(got) = channels.into_iter().find(|got| *got != expected) {
                return Err(RecalibrationError::Channels {
                    layer,
                    expected,
                    got,
                });
            }
            shown.entry(layer).or_default().pool(&part);
        }
        Ok(shown)
    }

    fn measure_momenta<B: Clone>(
        &mut self,
        left: &RunningStatistics,
        batch: B,
        forward: &mut impl FnMut(&M, B) -> usize,
    ) -> Result<BTreeMap<String, f64>, RecalibrationError> {
        if self.layers.iter().all(NormLayer::may_report) {
            return Ok(BTreeMap::new());
        }
        let [above, below] = [1.0, -1.0].map(|sign| {
            self.fill(|dtype| sign * far(dtype));
            collect(|| forward(&self.model, batch.clone()));
            RunningStatistics::of(&self.model)
        });
        let measured = |layer: &NormLayer| {
            let momentum = momentum(&layer.path, left, &above, &below)?;
            Ok((layer.path.clone(), momentum))
        };
        (self.layers.iter().filter(|layer| !layer.may_report()))
            .map(measured)
            .collect()
    }

    /// Fills the running statistics of the layers that do not report.
    fn fill(&mut self, value: impl Fn(DType) -> f64) {
        let layers = &self.layers;
        let is_filled = |path: &str| {
            let is_its = |layer: &NormLayer| !layer.may_report() && layer.path == parent(path);
            [MEAN, VARIANCE].contains(&last(path)) && layers.iter().any(is_its)
        };
        self.model = write(self.model.clone(), |path, dtype| {
            is_filled(path).then(|| vec![value(dtype)])
        });
    }
}

/// An error if `layer` has not shown the batch, or if its rule is not known by now.
fn check(
    layer: &mut NormLayer,
    shown: &Shown,
    [earlier, left]: [&RunningStatistics; 2],
    batch: usize,
) -> Result<(), RecalibrationError> {
    let path = layer.path.clone();
    let untouched = |value: &f64| *value == 0.0 && value.is_sign_negative();
    let holds_zeros = |statistics: &RunningStatistics| {
        let variance = statistics.values(&layer.path, VARIANCE);
        variance.iter().all(untouched)
    };
    match layer.source {
        Source::Left if holds_zeros(left) => {
            Err(RecalibrationError::NotReached { layer: path, batch })
        }
        Source::Left if !holds_zeros(earlier) => {
            Err(RecalibrationError::UsedTwice { layer: path, batch })
        }
        Source::Reports if !shown.contains_key(&path) => {
            Err(RecalibrationError::NotReached { layer: path, batch })
        }
        Source::Unknown if !shown.contains_key(&path) => Err(RecalibrationError::UnknownLayer {
            layer: path,
            name: layer.name.clone(),
        }),
        Source::Unknown => {
            layer.source = Source::Reports;
            Ok(())
        }
        _ => Ok(()),
    }
}
