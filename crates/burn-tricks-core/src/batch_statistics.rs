//! Passes the statistics of a batch from the layer that computes them to the code that measures a model.
//!
//! Each batch norm mixes the mean and the variance of a batch into its running statistics by its own rule. The
//! result does not show the share of the batch, whether its variance was divided by n or n − 1, or into how
//! many parts the batch was cut. A layer that calls [`report`] in its forward pass passes the statistics of the
//! batch on, and `RecalibrationConfig` of `burn-tricks-average` [collects](collect) them.
//!
//! A layer of your own that reports its statistics; how it updates its running statistics does not matter:
//!
//! ```
//! use burn::module::{Flag, Module, Param, RunningState};
//! use burn::tensor::{Device, Tensor};
//! use burn_tricks_core::batch_statistics::{self, BatchStatistics};
//!
//! #[derive(Module, Debug)]
//! struct Centre {
//!     training: Param<Flag>,
//!     running_mean: RunningState<Tensor<1>>,
//!     running_var: RunningState<Tensor<1>>,
//! }
//!
//! impl Centre {
//!     fn forward(&self, input: Tensor<2>) -> Tensor<2> {
//!         if !input.device().is_autodiff() || !self.training.is_enabled() {
//!             return input - self.running_mean.value().unsqueeze();
//!         }
//!         let (variance, mean) = input.clone().var_mean_bias(0);
//!         batch_statistics::report(|| BatchStatistics {
//!             layer: self.training.id,
//!             mean: mean.clone().squeeze_dim(0),
//!             variance: variance.squeeze_dim(0),
//!             count: input.dims()[0],
//!         });
//!         input - mean // and whatever becomes of the running statistics
//!     }
//! }
//!
//! let device = Device::flex().autodiff();
//! let layer = Centre {
//!     training: Param::from_bool(true),
//!     running_mean: RunningState::new(Tensor::zeros([1], &device)),
//!     running_var: RunningState::new(Tensor::ones([1], &device)),
//! };
//! let batch = Tensor::from_floats([[1.0], [3.0]], &device);
//! let (_output, reports) = batch_statistics::collect(|| layer.forward(batch));
//! assert_eq!(reports[0].layer, layer.training.id);
//! assert_eq!(reports[0].count, 2);
//! ```
//!
//! # Cost
//!
//! While no code collects statistics, [`report`] reads one thread-local variable and does nothing else.
//! [`collect`] receives only the reports of its own thread.

use burn::module::ParamId;
use burn::tensor::Tensor;
use std::cell::RefCell;

/// The statistics that a layer computed of a batch, or of a part of a batch.
#[derive(Debug, Clone)]
pub struct BatchStatistics {
    /// The id of the layer's `training` flag, which identifies the layer.
    pub layer: ParamId,
    /// The mean of each channel.
    pub mean: Tensor<1>,
    /// The variance of each channel, divided by `count`.
    pub variance: Tensor<1>,
    /// The number of values of each channel: samples times positions.
    pub count: usize,
}

thread_local! {
    static COLLECTOR: RefCell<Option<Vec<BatchStatistics>>> = const { RefCell::new(None) };
}

/// Reports `statistics` to the [`collect`] that runs on this thread. If there is none, the closure is not
/// called.
pub fn report(statistics: impl FnOnce() -> BatchStatistics) {
    if is_collected() {
        let statistics = statistics();
        COLLECTOR.with_borrow_mut(|reports| reports.get_or_insert_default().push(statistics));
    }
}

/// Whether statistics are collected on this thread.
pub fn is_collected() -> bool {
    COLLECTOR.with_borrow(Option::is_some)
}

/// Calls `run`, and returns its result and the reports that layers made on this thread meanwhile, in order.
pub fn collect<R>(run: impl FnOnce() -> R) -> (R, Vec<BatchStatistics>) {
    /// Puts the outer collector back, also when `run` panics.
    struct Restore(Option<Vec<BatchStatistics>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            COLLECTOR.set(self.0.take());
        }
    }
    let _outer = Restore(COLLECTOR.replace(Some(Vec::new())));
    let result = run();
    (result, COLLECTOR.take().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    fn statistics(count: usize) -> BatchStatistics {
        let device = Device::flex();
        BatchStatistics {
            layer: ParamId::from(1),
            mean: Tensor::zeros([1], &device),
            variance: Tensor::ones([1], &device),
            count,
        }
    }

    fn counts(reports: &[BatchStatistics]) -> Vec<usize> {
        reports.iter().map(|report| report.count).collect()
    }

    #[test]
    fn reports_reach_the_innermost_collector_in_order() {
        let (inner, outer) = collect(|| {
            report(|| statistics(1));
            let ((), inner) = collect(|| report(|| statistics(2)));
            report(|| statistics(3));
            inner
        });
        assert_eq!(counts(&inner), [2]);
        assert_eq!(counts(&outer), [1, 3]);
    }

    #[test]
    fn without_a_collector_nothing_is_computed() {
        report(|| unreachable!("nobody asked"));
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            collect(|| panic!("in the forward pass"))
        }));
        assert!(panicked.is_err());
        assert!(!is_collected());
    }

    #[test]
    fn other_threads_are_not_heard() {
        let ((), reports) = collect(|| {
            std::thread::spawn(|| report(|| statistics(1)))
                .join()
                .unwrap();
        });
        assert!(reports.is_empty());
    }
}
