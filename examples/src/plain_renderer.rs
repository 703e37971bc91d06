//! A Learner's progress in a line per epoch, with a bar while it lasts.

use burn::train::logger::{EvaluationProgressLogger, TrainingProgressLogger};
use burn::train::metric::{MetricDefinition, MetricId};
use burn::train::renderer::{
    EvaluationName, MetricState, MetricsRenderer, MetricsRendererEvaluation,
    MetricsRendererTraining,
};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::HashMap;

/// In place of Burn's dashboard, for logs and narrow terminals: after each epoch the epoch's value of each
/// metric. The bar goes to standard error, and only if that is a terminal.
#[derive(Debug)]
pub struct PlainRenderer {
    bar: ProgressBar,
    epochs: usize,
    /// Which part of the data is looked at: `train` or `valid`.
    split: String,
    names: HashMap<MetricId, String>,
    /// By name and split, in the order in which they came.
    values: Vec<(String, String)>,
}

impl Default for PlainRenderer {
    fn default() -> Self {
        Self {
            bar: ProgressBar::hidden(),
            epochs: 0,
            split: String::new(),
            names: HashMap::new(),
            values: Vec::new(),
        }
    }
}

impl PlainRenderer {
    fn keep(&mut self, split: &str, state: MetricState) {
        let (MetricState::Generic(entry) | MetricState::Numeric(entry, _)) = state;
        let name = self.names.get(&entry.metric_id).map_or("?", String::as_str);
        let name = format!("{split} {}", name.to_lowercase());
        // "epoch 0.25 - batch 0.31"
        let text = entry.serialized_entry.formatted;
        let value = text.split(" - ").next().unwrap_or_default();
        let value = value.trim_start_matches("epoch ").to_owned();
        match self.values.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.values.push((name, value)),
        }
    }
}

impl MetricsRendererTraining for PlainRenderer {
    fn update_train(&mut self, state: MetricState) {
        self.keep("train", state);
    }

    fn update_valid(&mut self, state: MetricState) {
        self.keep("valid", state);
    }
}

impl TrainingProgressLogger for PlainRenderer {
    fn start(
        &mut self,
        total_epochs: usize,
        _starting_epoch: usize,
        _total_items: Option<usize>,
        _label: Option<&str>,
    ) {
        self.epochs = total_epochs;
    }

    fn start_split(&mut self, split: &str, total_items: usize) {
        split.clone_into(&mut self.split);
        self.bar = ProgressBar::new(total_items as u64);
        let style = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len}");
        self.bar.set_style(style.expect("a template"));
        self.bar.set_message(self.split.clone());
    }

    fn update_split(&mut self, items_processed: usize) {
        self.bar.set_position(items_processed as u64);
    }

    fn end_split(&mut self) {
        self.bar.finish_and_clear();
    }

    fn update_epoch(&mut self, epoch: usize) {
        let values = self.values.iter();
        let values: Vec<_> = values
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        println!("epoch {epoch:3} of {}: {}", self.epochs, values.join(", "));
    }

    fn end(&mut self) {}

    /// Burn reports each iteration here.
    fn log_event_training(&mut self, _event: String) {}
}

impl EvaluationProgressLogger for PlainRenderer {
    fn start_global_progress(&mut self, _total_tests: usize) {}

    fn start_test(&mut self, name: &str, total_items: usize) {
        self.start_split(name, total_items);
    }

    fn update_test_progress(&mut self, items_processed: usize) {
        self.update_split(items_processed);
    }

    fn end_test(&mut self) {
        self.end_split();
    }

    fn end_global_progress(&mut self) {}

    fn log_event_evaluation(&mut self, _event: String) {}
}

impl MetricsRendererEvaluation for PlainRenderer {
    fn update_test(&mut self, _name: EvaluationName, state: MetricState) {
        self.keep("test", state);
    }
}

impl MetricsRenderer for PlainRenderer {
    fn manual_close(&mut self) {}

    fn register_metric(&mut self, definition: MetricDefinition) {
        self.names
            .insert(definition.metric_id, definition.name.to_string());
    }
}
