//! The results of a capacity test.

use serde::{Deserialize, Serialize};

/// What a trial trains on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum TrialKind {
    /// All training rows.
    Full,
    /// Half of the training rows.
    Half,
    /// A quarter of the training rows.
    Quarter,
    /// The rows of one batch.
    OneBatch,
    /// All training rows, each with the label of another one.
    ShuffledLabels,
    /// All training rows with inputs of 0: the best that a constant prediction can do.
    BlankInputs,
}

impl TrialKind {
    /// What such a trial trains on, as texts name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Full => "all rows",
            Self::Half => "half of the rows",
            Self::Quarter => "a quarter of the rows",
            Self::OneBatch => "one batch",
            Self::ShuffledLabels => "shuffled labels",
            Self::BlankInputs => "inputs of 0",
        }
    }

    /// All kinds, in the order in which they are tried.
    pub const ALL: [Self; 6] = [
        Self::Full,
        Self::Half,
        Self::Quarter,
        Self::OneBatch,
        Self::ShuffledLabels,
        Self::BlankInputs,
    ];
}

/// What became of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TrialResult {
    /// The mean loss over the rows that were trained on, after the training.
    #[serde(with = "crate::float")]
    pub train_loss: f64,
    /// The mean loss over the validation rows, after the training.
    #[serde(with = "crate::float")]
    pub valid_loss: f64,
}

/// The results of a capacity test.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Capacity {
    /// The training rows.
    pub rows: usize,
    /// The results of each kind, in the order of the seeds.
    pub results: Vec<(TrialKind, Vec<TrialResult>)>,
}

impl Capacity {
    /// The results of this kind, in the order of the seeds; none if it was not tried.
    pub fn of(&self, kind: TrialKind) -> &[TrialResult] {
        let found = self.results.iter().find(|(of, _)| *of == kind);
        found.map_or(&[], |(_, results)| results)
    }

    /// The trials of this kind whose losses, as far as they are asked for, are not finite, and all trials of this kind.
    pub(crate) fn failed(&self, kind: TrialKind) -> [usize; 2] {
        let has_failed = |of: &&TrialResult| {
            let (train, valid) = (of.train_loss.is_finite(), of.valid_loss.is_finite());
            match kind {
                // Whoever has learned one batch or wrong labels may have any loss elsewhere.
                TrialKind::OneBatch | TrialKind::ShuffledLabels => !train,
                TrialKind::Half | TrialKind::Quarter => !valid,
                TrialKind::Full | TrialKind::BlankInputs => !train || !valid,
            }
        };
        let all = self.of(kind);
        [all.iter().filter(has_failed).count(), all.len()]
    }

    /// The mean loss over the seeds, on the rows that were trained on.
    pub fn train_loss(&self, kind: TrialKind) -> Option<f64> {
        mean(self.of(kind).iter().map(|result| result.train_loss))
    }

    /// The mean loss over the seeds, on the validation rows.
    pub fn valid_loss(&self, kind: TrialKind) -> Option<f64> {
        mean(self.of(kind).iter().map(|result| result.valid_loss))
    }

    /// How much lower the validation loss is with all rows than with half of them: the mean over seeds, and the ends of
    /// its 95 % interval by Student's t over paired seeds. `None` with fewer than two seeds.
    pub fn gain_of_doubling(&self) -> Option<(f64, [f64; 2])> {
        let pairs = self
            .of(TrialKind::Half)
            .iter()
            .zip(self.of(TrialKind::Full));
        let gains: Vec<f64> = pairs
            .map(|(half, full)| half.valid_loss - full.valid_loss)
            .collect();
        let count = gains.len();
        if count < 2 {
            return None;
        }
        let mean = mean(gains.iter().copied())?;
        let square = gains.iter().map(|gain| (gain - mean).powi(2)).sum::<f64>();
        let error = (square / ((count - 1) * count) as f64).sqrt();
        let room = student_95(count - 1) * error;
        Some((mean, [mean - room, mean + room]))
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.collect();
    let count = values.len();
    (count > 0).then(|| values.into_iter().sum::<f64>() / count as f64)
}

/// The 97.5 % quantile of Student's t with these degrees of freedom, from the usual table; from 10 on rounded up.
fn student_95(freedom: usize) -> f64 {
    const TABLE: [f64; 9] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262,
    ];
    TABLE.get(freedom - 1).copied().unwrap_or(2.23)
}
