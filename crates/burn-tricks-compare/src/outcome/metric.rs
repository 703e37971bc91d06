//! A metric by which the quality of a run is judged.

use serde::{Deserialize, Serialize};

/// The numbers that a metric can take, which decide how two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// A share from 0 to 1, such as an accuracy. Compared by the difference, reported in percentage
    /// points.
    Share,
    /// A number above 0, such as a loss or an error. Compared by the ratio; its logarithm is tested.
    Positive,
    /// Any number. Compared by the difference, in the metric's own unit.
    Plain,
}

/// Which values of a metric are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Better {
    /// Higher values, as of an accuracy.
    Higher,
    /// Lower values, as of a loss.
    Lower,
}

/// A metric by which the quality of a run is judged, and the margin within which two recipes count as
/// equivalent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QualityMetric {
    /// Its name, as in [`TrainingRun::quality`](crate::TrainingRun::quality).
    pub name: String,
    /// The numbers it can take.
    pub scale: Scale,
    /// Which of them are better.
    pub better: Better,
    /// The largest difference that does not matter: for a share or a plain number a difference, as
    /// 0.005 for half a percentage point; for a positive number a ratio above 1, as 1.1.
    pub margin: f64,
}

impl QualityMetric {
    /// A share from 0 to 1 of which more is better, such as an accuracy; two within half a percentage
    /// point are equivalent.
    pub fn share(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            scale: Scale::Share,
            better: Better::Higher,
            margin: 0.005,
        }
    }

    /// A positive number of which less is better, such as a loss, an RMSE or a Fréchet distance;
    /// two within a factor of 1.1 are equivalent.
    pub fn loss(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            scale: Scale::Positive,
            better: Better::Lower,
            margin: 1.1,
        }
    }

    /// Any number, such as a score or a log-likelihood; two within `margin` are equivalent.
    pub fn plain(name: &str, better: Better, margin: f64) -> Self {
        Self {
            name: name.to_owned(),
            scale: Scale::Plain,
            better,
            margin,
        }
    }

    /// The metric with another margin.
    pub fn with_margin(self, margin: f64) -> Self {
        Self { margin, ..self }
    }

    /// The metric with the other values better.
    pub fn with_better(self, better: Better) -> Self {
        Self { better, ..self }
    }

    /// The margin on the scale of the differences.
    pub(crate) fn margin_of_differences(&self) -> f64 {
        match self.scale {
            Scale::Positive => self.margin.ln(),
            Scale::Share | Scale::Plain => self.margin,
        }
    }

    /// The range of the values themselves.
    pub(crate) fn range(&self) -> (f64, f64) {
        match self.scale {
            Scale::Share => (0.0, 1.0),
            Scale::Positive => (0.0, f64::INFINITY),
            Scale::Plain => (f64::NEG_INFINITY, f64::INFINITY),
        }
    }
}
