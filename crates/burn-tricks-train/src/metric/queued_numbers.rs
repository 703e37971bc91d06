//! Numbers that a trick measures on the device and a metric shows.

use crate::lock::lock;
use burn::tensor::{Tensor, TensorReadError};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// Of more numbers than this, which nobody reads, the oldest are forgotten.
const AT_MOST: usize = 4096;

/// Measured, and not yet read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watched(Arc<Mutex<VecDeque<Tensor<1>>>>);

impl Watched {
    pub(crate) fn push(&self, number: Tensor<1>) {
        let mut queue = lock(&self.0);
        if queue.len() == AT_MOST {
            queue.pop_front();
        }
        queue.push_back(number);
    }

    /// The next number, if one was measured since the last call. Waits for the device.
    pub(crate) fn next(&self) -> Result<Option<f64>, TensorReadError> {
        // Not under the lock, which the next step wants.
        let number = lock(&self.0).pop_front();
        let Some(number) = number else {
            return Ok(None);
        };
        let data = number.try_into_data()?;
        Ok(data.iter::<f64>().next())
    }
}

/// A numeric metric of no input that shows what was watched: with gradients accumulated over several
/// batches, the last number until there is a new one.
macro_rules! watched_metric {
    ($(#[$doc:meta])* $metric:ident, $description:literal) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $metric {
            name: burn::train::metric::MetricName,
            watched: $crate::metric::queued_numbers::Watched,
            last: Option<f64>,
            state: burn::train::metric::state::NumericMetricState,
        }

        impl $metric {
            fn of(watched: &$crate::metric::queued_numbers::Watched, name: &str) -> Self {
                Self {
                    name: std::sync::Arc::new(name.to_owned()),
                    watched: watched.clone(),
                    last: None,
                    state: burn::train::metric::state::NumericMetricState::new(),
                }
            }
        }

        impl std::fmt::Debug for $metric {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($metric)).finish_non_exhaustive()
            }
        }

        impl burn::train::metric::Metric for $metric {
            type Input = ();

            fn name(&self) -> burn::train::metric::MetricName {
                self.name.clone()
            }

            fn description(&self) -> Option<String> {
                Some($description.to_owned())
            }

            fn attributes(&self) -> burn::train::metric::MetricAttributes {
                burn::train::metric::NumericAttributes {
                    unit: None,
                    higher_is_better: false,
                }
                .into()
            }

            fn update(
                &mut self,
                _item: &(),
                _metadata: &burn::train::metric::MetricMetadata,
            ) -> Result<burn::train::metric::SerializedEntry, burn::tensor::TensorReadError> {
                match (self.watched.next()?, self.last) {
                    (Some(number), _) => {
                        self.last = Some(number);
                        self.state.update(number, 1);
                    }
                    // Shown again, and no part of the epoch's mean.
                    (None, Some(last)) => self.state.update(last, 0),
                    (None, None) => {
                        return Ok(burn::train::metric::SerializedEntry::not_available(None));
                    }
                }
                let format = burn::train::metric::state::FormatOptions::new(self.name());
                Ok(self.state.compute_update(format.precision(3)))
            }

            fn compute(
                &mut self,
            ) -> Result<burn::train::metric::SerializedEntry, burn::tensor::TensorReadError> {
                let format = burn::train::metric::state::FormatOptions::new(self.name());
                Ok(self.state.compute_final(format.precision(3)))
            }

            fn clear(&mut self) {
                self.state.reset();
            }
        }

        impl burn::train::metric::Numeric for $metric {
            fn value(&self) -> Option<burn::train::metric::NumericEntry> {
                self.last.map(|_| self.state.current_value())
            }

            fn running_value(&self) -> Option<burn::train::metric::NumericEntry> {
                self.last.map(|_| self.state.running_value())
            }

            fn final_value(&self) -> burn::train::metric::NumericEntry {
                self.state.final_value()
            }
        }
    };
}

pub(crate) use watched_metric;

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn what_nobody_reads_is_forgotten() {
        let watched = Watched::default();
        let device = Device::flex();
        for number in 0..AT_MOST + 2 {
            watched.push(Tensor::from_floats([number as f32], &device));
        }
        assert_eq!(lock(&watched.0).len(), AT_MOST);
        assert_eq!(watched.next().unwrap(), Some(2.0));
    }
}
