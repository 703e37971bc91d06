//! The running statistics of norm layers.

use crate::flat::flat;
use crate::numbers::read;
use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn_tricks_core::walk::{Location, Visitor, visit};
use std::collections::HashMap;

/// The running means and variances of a model, by path.
#[derive(Debug, Default)]
pub(crate) struct Running(HashMap<String, Tensor<1>>);

impl Running {
    /// Those of `model`. Nothing is read from the device.
    pub(crate) fn of<M: Module>(model: &M) -> Self {
        let mut running = Self::default();
        visit(model, &mut running);
        running
    }

    /// Mean and variance of the layer at `path`. Waits for the device.
    pub(crate) fn of_layer(&self, path: &str) -> Option<[Vec<f64>; 2]> {
        let value = |field: &str| Some(read(self.0.get(&format!("{path}.{field}"))?));
        Some([value("running_mean")?, value("running_var")?])
    }
}

impl Visitor for Running {
    fn float<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D>>) {
        if matches!(at.field(), "running_mean" | "running_var") {
            self.0.insert(at.path().to_owned(), flat(param.val()));
        }
    }
}
