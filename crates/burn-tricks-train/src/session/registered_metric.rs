//! The metrics that a session has registered, each name once for each split.

use crate::session::session_error::SessionError;
use burn::train::logger::{FileMetricLogger, MetricLogger as _};
use burn::train::metric::store::{Aggregate, EventStoreClient, Split};
use burn::train::metric::{Metric, MetricName, NumericEntry};
use std::path::{Path, PathBuf, is_separator};

/// A metric that a session registered.
#[derive(Debug)]
pub(crate) struct RegisteredMetric {
    split: Split,
    name: MetricName,
    /// Its type.
    pub(crate) metric: &'static str,
}

impl RegisteredMetric {
    pub(crate) fn new<Me: Metric>(split: Split, metric: &Me) -> Self {
        Self {
            split,
            name: metric.name(),
            metric: std::any::type_name::<Me>(),
        }
    }

    /// Why it cannot be registered, if its name cannot be that of a file: Burn's thread that logs it there would panic. Whether
    /// another logger is in its place is not known.
    pub(crate) fn cannot_be_logged(&self) -> Option<SessionError> {
        let name = self.name.to_string();
        name.chars()
            .any(is_separator)
            .then_some(SessionError::MetricName { name })
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

/// The metrics that Burn's log in `directory` has twice for an epoch. A metric that is registered once has one value
/// at the end of an epoch.
pub(crate) fn logged_twice(
    directory: &Path,
    epoch: usize,
    metrics: &[RegisteredMetric],
    store: &EventStoreClient,
) -> Vec<String> {
    let mut log = FileMetricLogger::new(directory);
    let mut twice = Vec::new();
    for RegisteredMetric {
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

/// Removes what is logged in `directory` of the epochs after `epoch`, which are yet to come: an earlier run did it. Burn
/// overwrites the logs of the metrics that are registered now; those of others would be read as if they were of this run.
pub(crate) fn remove_logs(directory: &Path, epoch: usize) {
    for split in [Split::Train, Split::Valid] {
        for folder in entries(&directory.join(split.to_string())) {
            let name = folder.file_name().and_then(|name| name.to_str());
            let of = name.and_then(|name| name.strip_prefix("epoch-")?.parse::<usize>().ok());
            if of.is_none_or(|of| of <= epoch) {
                continue;
            }
            for file in entries(&folder) {
                if file.extension().is_some_and(|ending| ending == "log") {
                    // One that cannot be removed does not end the training: its metric is hardly ever read.
                    let _ = std::fs::remove_file(file);
                }
            }
        }
    }
}

/// What a folder holds; nothing if it is none.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect()
}
