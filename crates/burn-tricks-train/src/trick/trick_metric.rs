//! A metric for numbers that a trick measures on the device.

use crate::lock::lock;
use burn::tensor::{Tensor, TensorReadError};
use burn::train::metric::state::{FormatOptions, NumericMetricState};
use burn::train::metric::{
    Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericAttributes, NumericEntry,
    SerializedEntry,
};
use burn_tricks_kernels::numbers;
use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

/// If more numbers than this wait to be read, the oldest are dropped.
const AT_MOST: usize = 4096;

/// A number that a trick measures at each optimizer step, as a metric of Burn's training split.
///
/// The trick holds a `TrickMetric`, pushes its numbers, and returns a clone in
/// [`Trick::metrics`](crate::Trick::metrics), where a [`Session`](crate::Session) finds it. Clones share the pushed
/// numbers, and each number is shown by one of them. If gradients are accumulated over several batches, the last
/// number is shown until there is a new one, and counts once.
#[derive(Clone)]
pub struct TrickMetric {
    name: MetricName,
    description: String,
    /// The numbers that were measured and not yet shown.
    queue: Arc<Mutex<VecDeque<Measured>>>,
    last: Option<f64>,
    state: NumericMetricState,
}

/// A number that a trick measured.
enum Measured {
    OnDevice(Box<Tensor<1>>),
    Known(f64),
}

impl TrickMetric {
    /// A metric of this name, without numbers. Burn would take two metrics of one name for one metric.
    pub fn new(name: impl Into<String>, description: impl Into<String>) -> Self {
        Self {
            name: Arc::new(name.into()),
            description: description.into(),
            queue: Arc::default(),
            last: None,
            state: NumericMetricState::new(),
        }
    }

    /// Adds the number of a step, a tensor of one element. It is read from the device when the metric is shown; if
    /// 4,096 newer numbers wait, it is dropped.
    pub fn push(&self, number: Tensor<1>) {
        self.put(Measured::OnDevice(Box::new(number)));
    }

    /// As [`push`](Self::push), with a number that is not on a device.
    pub fn push_number(&self, number: f64) {
        self.put(Measured::Known(number));
    }

    fn put(&self, number: Measured) {
        let mut queue = lock(&self.queue);
        if queue.len() == AT_MOST {
            queue.pop_front();
        }
        queue.push_back(number);
    }

    /// The next number, if one was measured since the last call. Waits for the device.
    fn next(&self) -> Result<Option<f64>, TensorReadError> {
        // Not under the lock, which the next step wants.
        let number = lock(&self.queue).pop_front();
        let number = match number {
            None => return Ok(None),
            Some(Measured::Known(number)) => return Ok(Some(number)),
            Some(Measured::OnDevice(number)) => number,
        };
        #[allow(clippy::disallowed_methods)] // on the thread of the metrics
        let data = number.try_into_data()?;
        Ok(numbers(&data).first().copied())
    }

    fn format(&self) -> FormatOptions {
        FormatOptions::new(self.name.clone()).precision(3)
    }
}

impl Debug for TrickMetric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("TrickMetric").field(&self.name).finish()
    }
}

impl Metric for TrickMetric {
    type Input = ();

    fn name(&self) -> MetricName {
        self.name.clone()
    }

    fn description(&self) -> Option<String> {
        Some(self.description.clone())
    }

    fn attributes(&self) -> MetricAttributes {
        NumericAttributes {
            unit: None,
            higher_is_better: false,
        }
        .into()
    }

    fn update(
        &mut self,
        _item: &(),
        _metadata: &MetricMetadata,
    ) -> Result<SerializedEntry, TensorReadError> {
        match (self.next()?, self.last) {
            (Some(number), _) => {
                self.last = Some(number);
                self.state.update(number, 1);
            }
            // Shown again, and no part of the epoch's mean.
            (None, Some(last)) => self.state.update(last, 0),
            (None, None) => return Ok(SerializedEntry::not_available(None)),
        }
        Ok(self.state.compute_update(self.format()))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        Ok(self.state.compute_final(self.format()))
    }

    fn clear(&mut self) {
        self.state.reset();
    }
}

impl Numeric for TrickMetric {
    fn value(&self) -> Option<NumericEntry> {
        self.last.map(|_| self.state.current_value())
    }

    fn running_value(&self) -> Option<NumericEntry> {
        self.last.map(|_| self.state.running_value())
    }

    fn final_value(&self) -> NumericEntry {
        self.state.final_value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn what_nobody_reads_is_forgotten() {
        let metric = TrickMetric::new("Number", "A number.");
        let device = Device::flex();
        for number in 0..AT_MOST + 2 {
            metric.push(Tensor::from_floats([number as f32], &device));
        }
        assert_eq!(lock(&metric.queue).len(), AT_MOST);
        assert_eq!(metric.next().unwrap(), Some(2.0));
    }

    #[test]
    fn numbers_are_shown_in_the_order_of_the_steps() {
        let metric = TrickMetric::new("Number", "A number.");
        metric.push_number(0.1); // exact, which an `f32` tensor would not be
        metric.push(Tensor::from_floats([2.0], &Device::flex()));
        assert_eq!(metric.next().unwrap(), Some(0.1));
        assert_eq!(metric.next().unwrap(), Some(2.0));
        assert_eq!(metric.next().unwrap(), None);
    }
}
