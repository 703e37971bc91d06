//! Reading and writing the running statistics of a module by path.

use burn::module::{Module, Param};
use burn::tensor::{DType, Tensor, TensorData};
use burn_tricks_core::walk::{Location, Mapper, Visitor, map, visit};
use std::collections::BTreeMap;

pub(crate) const MEAN: &str = "running_mean";
pub(crate) const VARIANCE: &str = "running_var";

/// The running statistics of a module, on the host.
#[derive(Debug, Default)]
pub(crate) struct RunningStatistics {
    values: BTreeMap<String, (Vec<f64>, DType)>,
}

impl RunningStatistics {
    /// The statistics with the updates that forward passes left pending.
    pub(crate) fn of<M: Module>(module: &M) -> Self {
        Self::without_pending(&module.valid())
    }

    /// The statistics without the last update on each thread, which stays pending until the next one.
    pub(crate) fn without_pending<M: Module>(module: &M) -> Self {
        let mut read = Self::default();
        visit(module, &mut read);
        read
    }

    pub(crate) fn values(&self, layer: &str, name: &str) -> &[f64] {
        &self.values[&join(layer, name)].0
    }

    pub(crate) fn dtype(&self, layer: &str) -> DType {
        self.values[&join(layer, MEAN)].1
    }
}

impl Visitor for RunningStatistics {
    fn float<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D>>) {
        if [MEAN, VARIANCE].contains(&at.field()) {
            #[allow(clippy::disallowed_methods)] // off the step path
            let data = param.val().into_data();
            let dtype = data.dtype();
            let path = at.path().to_owned();
            self.values.insert(path, (data.iter().collect(), dtype));
        }
    }
}

/// `module` with new values of its float tensors wherever `value` returns some for a path and an element type:
/// one number for all elements, or one for each.
pub(crate) fn write<M: Module>(module: M, value: impl Fn(&str, DType) -> Option<Vec<f64>>) -> M {
    map(module, &mut Write(value))
}

struct Write<F>(F);

impl<F: Fn(&str, DType) -> Option<Vec<f64>>> Mapper for Write<F> {
    fn float<const D: usize>(
        &mut self,
        at: &Location,
        param: Param<Tensor<D>>,
    ) -> Param<Tensor<D>> {
        param.map(|held| {
            let (device, dtype) = (held.device(), held.dtype());
            let Some(mut values) = (self.0)(at.path(), dtype) else {
                return held;
            };
            if let [value] = values[..] {
                values = vec![value; held.shape().num_elements()];
            }
            // As data: a kernel that fills a tensor may know only one zero.
            Tensor::from_data(TensorData::new(values, held.shape()), (&device, dtype))
        })
    }
}

/// The path of the module that holds `path`.
pub(crate) fn parent(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(parent, _)| parent)
}

/// The last part of `path`.
pub(crate) fn last(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(_, last)| last)
}

pub(crate) fn join(layer: &str, name: &str) -> String {
    match layer {
        "" => name.to_owned(),
        layer => format!("{layer}.{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_come_apart_and_together() {
        for (path, expected) in [
            ("a.b.running_mean", ("a.b", "running_mean")),
            ("running_mean", ("", "running_mean")),
            ("a.my_running_mean", ("a", "my_running_mean")),
        ] {
            assert_eq!((parent(path), last(path)), expected);
            assert_eq!(join(parent(path), last(path)), path);
        }
    }
}
