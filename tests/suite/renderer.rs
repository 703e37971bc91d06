//! A renderer in place of Burn's terminal dashboard, which tells a test what it is told.

use burn::train::LearnerSummary;
use burn::train::logger::{EvaluationProgressLogger, TrainingProgressLogger};
use burn::train::metric::{MetricDefinition, MetricId, NumericEntry};
use burn::train::renderer::{
    EvaluationName, MetricState, MetricsRenderer, MetricsRendererEvaluation,
    MetricsRendererTraining,
};

type OnNumber = Box<dyn FnMut(&str, f64) + Send + Sync>;

pub(crate) struct TestRenderer {
    names: Vec<(MetricId, String)>,
    on_number: OnNumber,
    on_end: Box<dyn FnMut() + Send + Sync>,
}

impl TestRenderer {
    /// It gives `on_number` the name and each number of every metric of the training data.
    pub(crate) fn of_numbers(on_number: impl FnMut(&str, f64) + Send + Sync + 'static) -> Self {
        Self {
            names: Vec::new(),
            on_number: Box::new(on_number),
            on_end: Box::new(|| {}),
        }
    }

    /// It calls `on_end` when the training is over.
    pub(crate) fn at_end(on_end: impl FnMut() + Send + Sync + 'static) -> Self {
        Self {
            on_end: Box::new(on_end),
            ..Self::of_numbers(|_, _| {})
        }
    }
}

impl MetricsRendererTraining for TestRenderer {
    fn update_train(&mut self, state: MetricState) {
        let MetricState::Numeric(entry, Some(number)) = state else {
            return;
        };
        let number = match number {
            NumericEntry::Value(number) | NumericEntry::Final(number) => number,
            NumericEntry::Aggregated {
                aggregated_value, ..
            } => aggregated_value,
        };
        let mut names = self.names.iter();
        if let Some((_, name)) = names.find(|(id, _)| *id == entry.metric_id) {
            (self.on_number)(name, number);
        }
    }

    fn update_valid(&mut self, _state: MetricState) {}

    fn on_train_end(
        &mut self,
        _summary: Option<LearnerSummary>,
    ) -> Result<(), Box<dyn std::error::Error>> {
        (self.on_end)();
        Ok(())
    }
}

impl TrainingProgressLogger for TestRenderer {
    fn start(&mut self, _: usize, _: usize, _: Option<usize>, _: Option<&str>) {}

    fn start_split(&mut self, _split: &str, _total_items: usize) {}

    fn update_split(&mut self, _items_processed: usize) {}

    fn end_split(&mut self) {}

    fn update_epoch(&mut self, _epoch: usize) {}

    fn end(&mut self) {}

    fn log_event_training(&mut self, _event: String) {}
}

impl EvaluationProgressLogger for TestRenderer {
    fn start_global_progress(&mut self, _total_tests: usize) {}

    fn start_test(&mut self, _name: &str, _total_items: usize) {}

    fn update_test_progress(&mut self, _items_processed: usize) {}

    fn end_test(&mut self) {}

    fn end_global_progress(&mut self) {}

    fn log_event_evaluation(&mut self, _event: String) {}
}

impl MetricsRendererEvaluation for TestRenderer {
    fn update_test(&mut self, _name: EvaluationName, _state: MetricState) {}
}

impl MetricsRenderer for TestRenderer {
    fn manual_close(&mut self) {}

    fn register_metric(&mut self, definition: MetricDefinition) {
        self.names
            .push((definition.metric_id, definition.name.to_string()));
    }
}
