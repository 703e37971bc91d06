//! Metrics that a session registers, each name once for each split.

use crate::session::Session;
use crate::session::session_error::SessionError;
use crate::trick::Trick;
use crate::trick::tricked::Tricked;
use burn::module::Module;
use burn::train::logger::{FileMetricLogger, MetricLogger as _};
use burn::train::metric::store::{Aggregate, EventStoreClient, Split};
use burn::train::metric::{Adaptor, Metric, MetricName, Numeric, NumericEntry};
use burn::train::{InferenceStep, LearnerModel, TrainStep};
use std::path::Path;

/// A tuple of up to six numeric metrics, for [`Session::metrics`].
pub trait SessionMetrics<M, H>
where
    Tricked<M, H>: LearnerModel,
{
    /// Registers each for training and for validation.
    fn register(self, session: Session<M, H>) -> Session<M, H>;
}

macro_rules! tuple_of_metrics {
    ($($metric:ident),+) => {
        impl<M, H, $($metric),+> SessionMetrics<M, H> for ($($metric,)+)
        where
            M: Module,
            H: Trick<M> + 'static,
            Tricked<M, H>: LearnerModel,
            $(
                $metric: Metric + Numeric + 'static,
                <Tricked<M, H> as TrainStep>::Output: Adaptor<$metric::Input>,
                <Tricked<M, H> as InferenceStep>::Output: Adaptor<$metric::Input>,
            )+
        {
            #[allow(non_snake_case)]
            fn register(self, session: Session<M, H>) -> Session<M, H> {
                let ($($metric,)+) = self;
                $(let session = session
                    .metric_train_numeric($metric.clone())
                    .metric_valid_numeric($metric);)+
                session
            }
        }
    };
}

tuple_of_metrics!(A);
tuple_of_metrics!(A, B);
tuple_of_metrics!(A, B, C);
tuple_of_metrics!(A, B, C, D);
tuple_of_metrics!(A, B, C, D, E);
tuple_of_metrics!(A, B, C, D, E, F);

/// A metric that a session registered.
#[derive(Debug)]
pub(crate) struct Registered {
    split: Split,
    name: MetricName,
    /// Its type.
    pub(crate) metric: &'static str,
}

impl Registered {
    pub(crate) fn new<Me: Metric>(split: Split, metric: &Me) -> Self {
        Self {
            split,
            name: metric.name(),
            metric: std::any::type_name::<Me>(),
        }
    }

    /// Whether Burn would log both under one name.
    pub(crate) fn names_the_same(&self, other: &Self) -> bool {
        self.split == other.split && self.name == other.name
    }

    /// Why `other` cannot be registered as well.
    pub(crate) fn clashes_with(&self, other: &Self) -> SessionError {
        SessionError::SameMetricName {
            name: self.name.to_string(),
            first: self.metric,
            second: other.metric,
        }
    }
}

/// Which of the metrics Burn's log in `directory` has twice for an epoch: a metric that is registered once
/// ends an epoch with one value.
pub(crate) fn logged_twice(
    directory: &Path,
    epoch: usize,
    metrics: &[Registered],
    store: &EventStoreClient,
) -> Vec<String> {
    let mut log = FileMetricLogger::new(directory);
    let mut twice = Vec::new();
    for Registered {
        split,
        name: metric,
        ..
    } in metrics
    {
        // Burn's store and its log write on threads of their own: an answer comes after all that was logged.
        store.find_metric(metric, epoch, Aggregate::Mean, split);
        let values = log.read_numeric(metric, epoch, split).unwrap_or_default();
        let ends = values
            .iter()
            .filter(|value| matches!(value, NumericEntry::Final(_)));
        if ends.count() > 1 && !twice.contains(&**metric) {
            twice.push(metric.to_string());
        }
    }
    twice
}
