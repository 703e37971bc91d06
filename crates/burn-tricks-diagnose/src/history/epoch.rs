//! The metrics of an epoch.

use serde::{Deserialize, Serialize};

/// The metrics of one epoch, as the program calculates them; all are optional.
///
/// ```
/// use burn_tricks_diagnose::EpochMetrics;
///
/// let metrics = EpochMetrics::new()
///     .with_train_loss(0.31)
///     .with_valid_loss(0.42)
///     .with_valid_accuracy(0.88);
/// # let _ = metrics;
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct EpochMetrics {
    /// The optimizer steps at the end of the epoch. The doctor fills it in.
    pub step: usize,
    /// The mean loss over the training data.
    #[serde(with = "crate::float")]
    pub train_loss: Option<f64>,
    /// The mean loss over the validation data.
    #[serde(with = "crate::float")]
    pub valid_loss: Option<f64>,
    /// The share of training rows that are classified correctly, from 0 to 1.
    #[serde(with = "crate::float")]
    pub train_accuracy: Option<f64>,
    /// The share of validation rows that are classified correctly, from 0 to 1.
    #[serde(with = "crate::float")]
    pub valid_accuracy: Option<f64>,
}

impl EpochMetrics {
    /// No metric yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With the mean loss over the training data.
    #[must_use]
    pub fn with_train_loss(mut self, loss: f64) -> Self {
        self.train_loss = Some(loss);
        self
    }

    /// With the mean loss over the validation data.
    #[must_use]
    pub fn with_valid_loss(mut self, loss: f64) -> Self {
        self.valid_loss = Some(loss);
        self
    }

    /// With the share of training rows that are classified correctly, from 0 to 1.
    #[must_use]
    pub fn with_train_accuracy(mut self, accuracy: f64) -> Self {
        self.train_accuracy = Some(accuracy);
        self
    }

    /// With the share of validation rows that are classified correctly, from 0 to 1.
    #[must_use]
    pub fn with_valid_accuracy(mut self, accuracy: f64) -> Self {
        self.valid_accuracy = Some(accuracy);
        self
    }
}
