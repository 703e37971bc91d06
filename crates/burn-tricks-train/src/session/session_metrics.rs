//! Metrics that a session registers for both splits.

use crate::session::builder::Session;
use crate::trick::Trick;
use crate::trick::tricked::Tricked;
use burn::module::Module;
use burn::train::metric::{Adaptor, Metric, Numeric};
use burn::train::{InferenceStep, LearnerModel, TrainStep};

impl<M, H> Session<M, H>
where
    M: Module,
    H: Trick<M> + 'static,
    Tricked<M, H>: LearnerModel,
{
    /// Registers a tuple of numeric metrics for training and validation, each name once: a metric that
    /// [`stop_early`](Self::stop_early) or [`reduce_on_plateau`](Self::reduce_on_plateau) has registered is not
    /// registered again. If two metrics of different types have one name, such as Burn's `LossMetric` and
    /// [`SampleLossMetric`](crate::SampleLossMetric), [`launch`](Self::launch) returns an error. The session cannot
    /// see metrics that are registered with the `SupervisedTraining` itself: such a metric would be logged twice.
    pub fn metrics<Ms: SessionMetrics<M, H>>(self, metrics: Ms) -> Self {
        metrics.register(self)
    }
}

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
