//! Reading and writing the running statistics of the batch-norm layers in any module.
//!
//! After a training pass such a layer holds `(1 − m) r + m s`, with r what it held before, s the
//! statistic of the batch and m its momentum. With r = 0 that is `m s`, and with r far beyond s it is
//! `(1 − m) r`, which gives m.
//!
//! The 0 is a negative one: `−0 + s` is never −0 for a variance s, not even for s = 0, so that a layer
//! whose variances are still −0 has not looked at the batch.

use crate::recalibrate::{BatchRule, BatchVariance};
use crate::recalibration_error::RecalibrationError;
use burn::module::{Flag, Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, Tensor, TensorData};
use burn_tricks_core::{PathTracker, PlaceKind, places};
use std::collections::BTreeMap;

const MEAN: &str = "running_mean";
const VARIANCE: &str = "running_var";

/// The layers of a module, by path.
#[derive(Debug)]
pub(crate) struct NormStatistics(BTreeMap<String, Layer>);

#[derive(Debug, Default)]
struct Layer {
    momentum: f64,
    /// Samples, or batches, by the rule.
    weight: f64,
    mean: Vec<f64>,
    variance: Vec<f64>,
}

impl NormStatistics {
    pub(crate) fn of<M: Module>(module: &M) -> Self {
        let places = places(module);
        let is_buffer =
            |path: &str| (places.iter()).any(|at| at.kind == PlaceKind::Buffer && at.path == path);
        let layers = places.iter().filter_map(|place| {
            let layer = parent(&place.path, MEAN)?;
            let pair = is_buffer(&place.path) && is_buffer(&join(layer, VARIANCE));
            pair.then(|| (layer.to_owned(), Layer::default()))
        });
        Self(layers.collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `probe` with statistics so far out that a batch does not show beside them.
    pub(crate) fn prepare_to_measure_momentum<M: Module>(&self, probe: M) -> M {
        self.fill(probe, far)
    }

    pub(crate) fn measure_momentum(&mut self, after: &Read) -> Result<(), RecalibrationError> {
        for (path, layer) in &mut self.0 {
            let (values, dtype) = after.values(path, MEAN);
            let kept = values.first().map_or(0.0, |value| value / far(dtype));
            if !kept.is_finite() {
                let (layer, got) = (path.clone(), kept);
                return Err(RecalibrationError::NonFinite { layer, got });
            }
            if kept == 1.0 {
                let layer = path.clone();
                return Err(RecalibrationError::NoMomentum { layer, dtype });
            }
            // As the layer multiplies by it, in its type.
            layer.momentum = rounded(1.0 - shortest_decimal(kept, dtype), dtype);
        }
        Ok(())
    }

    /// `probe` with statistics of −0, so that a batch leaves nothing but itself.
    pub(crate) fn prepare<M: Module>(&self, probe: M) -> M {
        self.fill(probe, |_| -0.0)
    }

    /// Whether every layer looked at batch number `batch`, after [`prepare`](Self::prepare).
    pub(crate) fn check_reached(
        &self,
        after: &Read,
        batch: usize,
    ) -> Result<(), RecalibrationError> {
        let untouched = |value: &f64| *value == 0.0 && value.is_sign_negative();
        let left_out = |path: &&String| after.values(path, VARIANCE).0.iter().all(untouched);
        match self.0.keys().find(left_out) {
            Some(layer) => Err(RecalibrationError::NotReached {
                layer: layer.clone(),
                batch,
            }),
            None => Ok(()),
        }
    }

    /// Takes in what one batch of `count` samples left.
    pub(crate) fn add(
        &mut self,
        after: &Read,
        count: usize,
        rule: BatchRule,
        variance: BatchVariance,
    ) -> Result<(), RecalibrationError> {
        let n = count as f64;
        let bessel = match rule {
            BatchRule::Pooled => 1.0, // when all are pooled
            BatchRule::Cumulative => variance.correction(n)?,
        };
        for (path, layer) in &mut self.0 {
            let of_batch = |name, factor: f64| -> Result<Vec<f64>, RecalibrationError> {
                let scale = factor / layer.momentum;
                let (values, _) = after.values(path, name);
                let values: Vec<f64> = values.iter().map(|value| value * scale).collect();
                match values.iter().find(|value| !value.is_finite()) {
                    Some(got) => Err(RecalibrationError::NonFinite {
                        layer: path.clone(),
                        got: *got,
                    }),
                    None => Ok(values),
                }
            };
            let (mean, variance) = (of_batch(MEAN, 1.0)?, of_batch(VARIANCE, bessel)?);
            match rule {
                BatchRule::Pooled => layer.pool(n, &mean, &variance),
                BatchRule::Cumulative => layer.average(&mean, &variance),
            }
        }
        Ok(())
    }

    /// `module` with the statistics measured.
    pub(crate) fn write_into<M: Module>(
        self,
        module: M,
        rule: BatchRule,
        variance: BatchVariance,
    ) -> Result<M, RecalibrationError> {
        let mut values = BTreeMap::new();
        for (path, layer) in self.0 {
            let bessel = match rule {
                BatchRule::Pooled => variance.correction(layer.weight)?,
                BatchRule::Cumulative => 1.0,
            };
            let variance = layer.variance.iter().map(|value| value * bessel).collect();
            values.insert(join(&path, MEAN), layer.mean);
            values.insert(join(&path, VARIANCE), variance);
        }
        Ok(module.map(&mut Write {
            at: PathTracker::default(),
            value: |path: &str, _| values.get(path).cloned(),
        }))
    }

    fn fill<M: Module>(&self, module: M, value: impl Fn(DType) -> f64) -> M {
        module.map(&mut Write {
            at: PathTracker::default(),
            value: |path: &str, dtype| {
                let layer = parent(path, MEAN).or_else(|| parent(path, VARIANCE))?;
                self.0.contains_key(layer).then(|| vec![value(dtype)])
            },
        })
    }
}

impl BatchVariance {
    /// What a variance divided by `n` is multiplied with.
    fn correction(self, n: f64) -> Result<f64, RecalibrationError> {
        match self {
            Self::Biased => Ok(1.0),
            Self::Unbiased if n < 2.0 => Err(RecalibrationError::OneSample),
            Self::Unbiased => Ok(n / (n - 1.0)),
        }
    }
}

impl Layer {
    /// Chan, Golub, LeVeque: two samples of unequal size as one.
    fn pool(&mut self, n: f64, mean: &[f64], variance: &[f64]) {
        self.start(mean.len());
        let total = self.weight + n;
        for at in 0..mean.len() {
            let apart = mean[at] - self.mean[at];
            let within = self.weight * self.variance[at] + n * variance[at];
            let between = apart * apart * self.weight * n / total;
            self.variance[at] = (within + between) / total;
            self.mean[at] += apart * n / total;
        }
        self.weight = total;
    }

    fn average(&mut self, mean: &[f64], variance: &[f64]) {
        self.start(mean.len());
        self.weight += 1.0;
        for at in 0..mean.len() {
            self.mean[at] += (mean[at] - self.mean[at]) / self.weight;
            self.variance[at] += (variance[at] - self.variance[at]) / self.weight;
        }
    }

    fn start(&mut self, channels: usize) {
        self.mean.resize(channels, 0.0);
        self.variance.resize(channels, 0.0);
    }
}

/// A copy of `model` to send data through: no gradients, and of all flags only those beside running
/// statistics up, so that batch norm looks at its batch and dropout does not drop.
pub(crate) fn with_training_norms<M: Module>(model: &M) -> M {
    let statistics = places(model)
        .into_iter()
        .filter(|place| place.kind == PlaceKind::Buffer)
        .filter_map(|place| parent(&place.path, MEAN).map(str::to_owned))
        .collect();
    let probe = model.valid().train().set_require_grad(false);
    probe.map(&mut Flags {
        at: PathTracker::default(),
        layers: statistics,
    })
}

struct Flags {
    at: PathTracker,
    layers: Vec<String>,
}

impl ModuleMapper for Flags {
    fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
        let path = self.at.path();
        let layer = path.rsplit_once('.').map_or("", |(layer, _)| layer);
        let up = self.layers.iter().any(|at| at == layer);
        flag.with_value(up)
    }

    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.at.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.at.exit();
    }
}

/// The running statistics of a module by path, on the host.
#[derive(Default)]
pub(crate) struct Read {
    at: PathTracker,
    values: BTreeMap<String, (Vec<f64>, DType)>,
}

impl Read {
    /// With what a forward pass left pending.
    pub(crate) fn of<M: Module>(module: &M) -> Self {
        let mut read = Self::default();
        module.valid().visit(&mut read);
        read
    }

    fn values(&self, layer: &str, name: &str) -> (&[f64], DType) {
        let (values, dtype) = &self.values[&join(layer, name)];
        (values, *dtype)
    }
}

impl ModuleVisitor for Read {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let path = self.at.path();
        if parent(&path, MEAN).is_some() || parent(&path, VARIANCE).is_some() {
            #[allow(clippy::disallowed_methods)] // off the step path
            let data = param.val().into_data();
            let dtype = data.dtype();
            self.values.insert(path, (data.iter().collect(), dtype));
        }
    }

    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.at.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.at.exit();
    }
}

/// Writes floats by path: one number for all, or one each.
struct Write<F> {
    at: PathTracker,
    value: F,
}

impl<F: Fn(&str, DType) -> Option<Vec<f64>>> ModuleMapper for Write<F> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let path = self.at.path();
        param.map(|held| {
            let (device, dtype) = (held.device(), held.dtype());
            let Some(mut values) = (self.value)(&path, dtype) else {
                return held;
            };
            if let [value] = values[..] {
                values = vec![value; held.shape().num_elements()];
            }
            // As data: a kernel that fills a tensor may know only one zero.
            Tensor::from_data(TensorData::new(values, held.shape()), (&device, dtype))
        })
    }

    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.at.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.at.exit();
    }
}

/// A power of two beside which no statistic shows, and which the type holds.
fn far(dtype: DType) -> f64 {
    match dtype {
        DType::F16 => 2f64.powi(15),
        _ => 2f64.powi(100),
    }
}

/// `value`, a number of type `dtype` in [0, 1], as the decimal number it was: the shortest one, of six
/// digits at most, that rounds to it in that type.
fn shortest_decimal(value: f64, dtype: DType) -> f64 {
    let mut decimals = (1..=6).map(|digits| format!("{value:.digits$}").parse().unwrap_or(value));
    let same = |decimal: &f64| rounded(*decimal, dtype) == rounded(value, dtype);
    decimals.find(same).unwrap_or(value)
}

/// `value`, in [0, 1], to the nearest number of the type, ties to even.
fn rounded(value: f64, dtype: DType) -> f64 {
    // Bits after the leading one, and the exponent below which numbers lie evenly.
    let (bits, least) = match dtype {
        DType::BF16 => (7, -126),
        DType::F16 => (10, -14),
        DType::F64 => return value,
        _ => return f64::from(value as f32),
    };
    let exponent = (value.log2().floor() as i32).max(least);
    let spacing = 2f64.powi(exponent - bits);
    (value / spacing).round_ties_even() * spacing
}

/// The path of the module that holds `path`, if the last part of that is `name`.
fn parent<'a>(path: &'a str, name: &str) -> Option<&'a str> {
    match path.strip_suffix(name)? {
        "" => Some(""),
        layer => layer.strip_suffix('.'),
    }
}

fn join(layer: &str, name: &str) -> String {
    match layer {
        "" => name.to_owned(),
        layer => format!("{layer}.{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_momentum_is_recovered_from_its_complement() {
        for (dtype, momenta) in [
            (DType::F64, &[0.1, 0.01, 0.001, 0.0003, 0.5, 0.9, 1.0][..]),
            (DType::F32, &[0.1, 0.01, 0.001, 0.0003, 0.5, 0.9, 1.0]),
            (DType::F16, &[0.1, 0.01, 0.003, 0.001, 0.5, 0.9, 1.0]),
            (DType::BF16, &[0.1, 0.01, 0.03, 0.05, 0.5, 0.9, 1.0]),
        ] {
            for momentum in momenta {
                let kept = rounded(1.0 - momentum, dtype);
                let recovered = 1.0 - shortest_decimal(kept, dtype);
                assert!(
                    (recovered - momentum).abs() < 1e-12,
                    "{momentum} in {dtype:?}: {recovered}"
                );
            }
        }
    }

    #[test]
    fn numbers_round_as_in_their_types() {
        assert_eq!(rounded(0.9, DType::BF16), 0.8984375);
        assert_eq!(rounded(0.999, DType::BF16), 1.0);
        assert_eq!(rounded(0.999, DType::F16), 0.9990234375);
        assert_eq!(rounded(2f64.powi(-24) * 1.4, DType::F16), 2f64.powi(-24));
        assert_eq!(rounded(0.1, DType::F32), f64::from(0.1f32));
    }

    #[test]
    fn paths_come_apart_and_together() {
        assert_eq!(parent("a.b.running_mean", MEAN), Some("a.b"));
        assert_eq!(parent("running_mean", MEAN), Some(""));
        assert_eq!(parent("a.my_running_mean", MEAN), None);
        assert_eq!(parent("a.running_var", MEAN), None);
        assert_eq!(join("", MEAN), MEAN);
        assert_eq!(join("a.b", VARIANCE), "a.b.running_var");
    }
}
