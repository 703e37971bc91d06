//! The capacity test.

use crate::capacity::capacity::{Capacity, TrialKind, TrialResult};
use burn_tricks_core::{Config, ConfigError};
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

/// The settings of a capacity test: the same model is trained anew on other data, over seeds.
///
/// | trial | the question |
/// | --- | --- |
/// | a quarter, half and all of the rows | does more data help? |
/// | one batch | can the model fit anything at all? |
/// | shuffled labels | can it remember all rows? |
/// | inputs of 0 | does it use its inputs? |
///
/// The test plans the trials, and a closure of the program trains and validates: it knows its model, its data and its
/// loss. Hand the result to [`Doctor::observe_capacity`](crate::Doctor::observe_capacity).
///
/// # Example
///
/// ```
/// use burn_tricks_diagnose::{CapacityTestConfig, TrialKind, TrialResult};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// // A stand-in for a training: the mean of the targets of the trial.
/// let targets: Vec<f64> = (0..100).map(|row| f64::from(row % 7)).collect();
/// let test = CapacityTestConfig::new(targets.len()).with_seeds(2).init()?;
/// let capacity = test.run(|trial| {
///     let of_trial: Vec<f64> = trial.labels.iter().map(|row| targets[*row]).collect();
///     let mean = of_trial.iter().sum::<f64>() / of_trial.len() as f64;
///     let loss = |targets: &[f64]| {
///         targets.iter().map(|target| (target - mean).powi(2)).sum::<f64>() / targets.len() as f64
///     };
///     TrialResult { train_loss: loss(&of_trial), valid_loss: loss(&targets) }
/// });
/// assert_eq!(capacity.of(TrialKind::Half).len(), 2);
/// # Ok(())
/// # }
/// ```
///
/// # Cost
///
/// Six trainings for each seed; those of parts of the data are shorter if the closure trains for a number of epochs.
///
/// # References
///
/// Zhang et al., Understanding Deep Learning Requires Rethinking Generalization (2017): shuffled labels. Karpathy, A
/// Recipe for Training Neural Networks (2019): one batch, an input-independent baseline.
#[derive(Config, Debug)]
pub struct CapacityTestConfig {
    /// The training rows.
    pub rows: usize,
    /// The rows of the one batch. Default: 32.
    #[config(default = 32)]
    pub batch: usize,
    /// How often each trial is run, with the seeds 0, 1, ...: a seed chooses the rows of parts and the order of
    /// shuffled labels, and the closure should seed the weights with it. Default: 3.
    #[config(default = 3)]
    pub seeds: usize,
}

/// A capacity test. See [`CapacityTestConfig`].
#[derive(Debug, Clone)]
pub struct CapacityTest {
    config: CapacityTestConfig,
}

/// One training of a capacity test.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trial {
    /// What it trains on.
    pub kind: TrialKind,
    /// The seed.
    pub seed: u64,
    /// The training rows to use, by their place in the training data.
    pub rows: Vec<usize>,
    /// For each of these rows, the row whose label to use: the row itself, except with shuffled labels.
    pub labels: Vec<usize>,
}

impl Trial {
    /// Whether to replace all inputs by 0, also those of the validation.
    pub fn blanks_inputs(&self) -> bool {
        self.kind == TrialKind::BlankInputs
    }
}

impl CapacityTestConfig {
    /// The test.
    ///
    /// # Errors
    ///
    /// If there are fewer than eight rows, or `batch` or `seeds` is 0.
    pub fn init(&self) -> Result<CapacityTest, ConfigError> {
        if self.rows < 8 {
            return Err(ConfigError::new("rows", "be at least 8", self.rows));
        }
        ConfigError::at_least_one("batch", self.batch)?;
        ConfigError::at_least_one("seeds", self.seeds)?;
        Ok(CapacityTest {
            config: self.clone(),
        })
    }
}

impl CapacityTest {
    /// The trials, kind by kind and seed by seed.
    pub fn trials(&self) -> impl Iterator<Item = Trial> {
        let seeds = self.config.seeds as u64;
        (TrialKind::ALL.into_iter())
            .flat_map(move |kind| (0..seeds).map(move |seed| (kind, seed)))
            .map(|(kind, seed)| self.trial(kind, seed))
    }

    fn trial(&self, kind: TrialKind, seed: u64) -> Trial {
        let CapacityTestConfig {
            rows: all, batch, ..
        } = self.config;
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut rows: Vec<usize> = (0..all).collect();
        rows.shuffle(&mut random);
        // The rows of a quarter are among those of the half.
        rows.truncate(match kind {
            TrialKind::Half => all / 2,
            TrialKind::Quarter => all / 4,
            TrialKind::OneBatch => batch.min(all),
            TrialKind::Full | TrialKind::ShuffledLabels | TrialKind::BlankInputs => all,
        });
        let mut labels = rows.clone();
        if kind == TrialKind::ShuffledLabels {
            labels.shuffle(&mut random);
        }
        Trial {
            kind,
            seed,
            rows,
            labels,
        }
    }

    /// Runs all trials: `train` trains a new model as the trial says, and validates it.
    pub fn run(&self, mut train: impl FnMut(&Trial) -> TrialResult) -> Capacity {
        let mut results: Vec<(TrialKind, Vec<TrialResult>)> = Vec::new();
        for trial in self.trials() {
            let result = train(&trial);
            match results.last_mut().filter(|(kind, _)| *kind == trial.kind) {
                Some((_, of_kind)) => of_kind.push(result),
                None => results.push((trial.kind, vec![result])),
            }
        }
        Capacity {
            rows: self.config.rows,
            results,
        }
    }
}
