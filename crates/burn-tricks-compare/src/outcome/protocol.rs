//! What a comparison asks and how, declared before the first run.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    outcome::metric::{QualityMetric, Scale},
    statistics::looks::{Looks, LooksError},
};

/// The questions of every report that are no metrics. A metric of such a name could not be told from them.
const OTHER_QUESTIONS: [&str; 3] = ["speed", "cost", "stability"];

/// What a comparison asks and how it decides, declared before the first run.
///
/// Margins and looks that are chosen after the results are known make every verdict void.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Protocol {
    /// The metrics of quality, each a question of its own.
    pub metrics: Vec<QualityMetric>,
    /// The target whose arrival is compared, in words, such as `90 % validation accuracy`; `None` if
    /// speed is not asked.
    pub target: Option<String>,
    /// Two numbers of steps to the target within this ratio are equivalent.
    pub speed_margin: f64,
    /// Two times per step within this ratio are equivalent.
    pub cost_margin: f64,
    /// The numbers of seeds at which verdicts are read; `None` for [`Looks::for_rows`].
    pub looks: Option<Looks>,
    /// The first seed; the others follow it.
    pub first_seed: u64,
}

impl Protocol {
    /// A comparison by these metrics, without a target, with the margins ×1.25 for speed and ×1.10 for
    /// cost, the default looks, and seeds from 1 on.
    pub fn new(metrics: impl IntoIterator<Item = QualityMetric>) -> Self {
        Self {
            metrics: metrics.into_iter().collect(),
            target: None,
            speed_margin: 1.25,
            cost_margin: 1.1,
            looks: None,
            first_seed: 1,
        }
    }

    /// Classification: the metrics `accuracy` and `loss`.
    pub fn classification() -> Self {
        Self::new([
            QualityMetric::share("accuracy"),
            QualityMetric::loss("loss"),
        ])
    }

    /// Asks how soon a run arrives at a target, described by a few words. Each run reports an
    /// [`Arrival`](crate::Arrival).
    pub fn with_target(self, target: &str) -> Self {
        Self {
            target: Some(target.to_owned()),
            ..self
        }
    }

    /// Reads the verdicts at these numbers of seeds.
    pub fn with_looks(self, looks: Looks) -> Self {
        Self {
            looks: Some(looks),
            ..self
        }
    }

    /// Counts the seeds from this one on. Seeds with which a recipe was tuned must not be among those
    /// that are compared.
    pub fn with_first_seed(self, first_seed: u64) -> Self {
        Self { first_seed, ..self }
    }

    /// The looks of a comparison of that many rows.
    pub fn looks(&self, rows: usize) -> Looks {
        self.looks.clone().unwrap_or_else(|| Looks::for_rows(rows))
    }

    /// The seed at that place, from 0.
    pub fn seed(&self, place: usize) -> u64 {
        self.first_seed.wrapping_add(place as u64)
    }

    /// Whether every part of it makes sense.
    ///
    /// # Errors
    ///
    /// If there is no metric, two have one name, one has the name of another question (`speed`, `cost` or
    /// `stability`), a margin is not a positive number or, of a ratio, not
    /// above 1, or the looks do not ascend.
    pub fn check(&self) -> Result<(), ProtocolError> {
        if self.metrics.is_empty() {
            return Err(ProtocolError::NoMetric);
        }
        for (at, metric) in self.metrics.iter().enumerate() {
            let name = &metric.name;
            if OTHER_QUESTIONS.contains(&name.as_str()) {
                return Err(ProtocolError::ReservedMetric { name: name.clone() });
            }
            if self.metrics[..at].iter().any(|other| other.name == *name) {
                return Err(ProtocolError::DuplicateMetric { name: name.clone() });
            }
            check_margin(name, metric.margin, metric.scale == Scale::Positive)?;
        }
        check_margin("speed", self.speed_margin, true)?;
        check_margin("cost", self.cost_margin, true)?;
        if let Some(looks) = &self.looks {
            // They may come from a file.
            let seeds = looks.seeds().to_vec();
            Looks::at(seeds).map_err(ProtocolError::Looks)?;
        }
        Ok(())
    }
}

fn check_margin(of: &str, margin: f64, is_ratio: bool) -> Result<(), ProtocolError> {
    let least = if is_ratio { 1.0 } else { 0.0 };
    if margin.is_finite() && margin > least {
        return Ok(());
    }
    Err(ProtocolError::Margin {
        of: of.to_owned(),
        margin: margin.to_string(),
        least: if is_ratio {
            "a ratio above 1"
        } else {
            "above 0"
        },
    })
}

/// Why a protocol makes no sense.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// There is no metric.
    NoMetric,
    /// Two metrics have the same name.
    DuplicateMetric {
        /// The name.
        name: String,
    },
    /// A metric has the name of another question: `speed`, `cost` or `stability`.
    ReservedMetric {
        /// The name.
        name: String,
    },
    /// A margin is not what it must be.
    Margin {
        /// Name of the metric, or `speed` or `cost`.
        of: String,
        /// The margin.
        margin: String,
        /// What it must be.
        least: &'static str,
    },
    /// The looks do not ascend.
    Looks(LooksError),
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMetric => write!(f, "there is no metric to compare by"),
            Self::DuplicateMetric { name } => write!(f, "two metrics are named {name:?}"),
            Self::ReservedMetric { name } => write!(
                f,
                "a metric cannot be named {name:?}, which is a question of every report"
            ),
            Self::Margin { of, margin, least } => {
                write!(f, "the margin of {of:?} must be {least}, got {margin}")
            }
            Self::Looks(error) => error.fmt(f),
        }
    }
}

as_displayed!(ProtocolError);

impl std::error::Error for ProtocolError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Looks(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::metric::Better;

    #[test]
    fn what_makes_no_sense_is_named() {
        assert_eq!(Protocol::classification().check(), Ok(()));
        let message = |protocol: Protocol| protocol.check().unwrap_err().to_string();
        assert_eq!(
            message(Protocol::new([])),
            "there is no metric to compare by"
        );
        let twice = Protocol::new([QualityMetric::loss("loss"), QualityMetric::share("loss")]);
        assert_eq!(message(twice), "two metrics are named \"loss\"");
        for name in ["speed", "cost", "stability"] {
            let told = message(Protocol::new([QualityMetric::loss(name)]));
            assert!(told.contains(&format!("named {name:?}")), "{told}");
        }
        for (metric, expected) in [
            (
                QualityMetric::loss("rmse").with_margin(0.1),
                "\"rmse\" must be a ratio above 1, got 0.1",
            ),
            (
                QualityMetric::share("a").with_margin(0.0),
                "\"a\" must be above 0, got 0",
            ),
            (
                QualityMetric::plain("elo", Better::Higher, f64::NAN),
                "\"elo\" must be above 0, got NaN",
            ),
        ] {
            let error = message(Protocol::new([metric]));
            assert!(error.ends_with(expected), "{error}");
        }
        let mut cost = Protocol::classification();
        cost.cost_margin = 1.0;
        assert!(message(cost).contains("\"cost\""));
        let json = serde_json::to_string(&Protocol::classification()).unwrap();
        let read: Protocol =
            serde_json::from_str(&json.replace("\"looks\":null", "\"looks\":[9,3]")).unwrap();
        assert!(message(read).contains("[9, 3]"));
    }
}
