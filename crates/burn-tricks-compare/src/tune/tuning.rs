//! Tunes one number of each recipe by sequential halving.

use std::{collections::HashMap, io, num::NonZeroUsize};

use serde_json::Value;

use crate::{
    comparison::pair::Pair,
    outcome::{
        metric::{Better, QualityMetric, Scale},
        protocol::Protocol,
        recipe::Recipe,
        run::TrainingRun,
    },
    runner::runner::{Job, Runner},
    statistics::moments::mean,
    store::store::Store,
    tune::{
        error::TuningError,
        tuned::{Candidate, Tuned, TunedArm},
    },
};

/// The distance from the first compared seed to the first with which is tuned.
const APART: u64 = 1 << 32;

/// Up to this, floats have every whole number.
const MOST_WHOLE: f64 = (1_u64 << 53) as f64;

/// Tunes one number of each recipe, such as its learning rate, with the same budget for each, so that
/// each can be compared at its own best.
///
/// The candidates are multiples of the recipe's own value. If that is written as a whole number, such as a batch size
/// of 32, so are those of its multiples that are whole. All run with a few seeds, the better half with
/// twice as many, and so on until one is left: sequential halving (Karnin, Koren & Somekh, 2013, ICML), which is
/// successive halving with seeds as its budget. Training time would be the other budget: but the rate that is
/// best in a short run is lower or higher than that of a full run, depending on the schedule (Wu et al., 2018,
/// ICLR, "short-horizon bias"). So each run is a full one.
///
/// The program scores these runs on **validation** data, and never looks at test data: the values of
/// [`Tuning::metric`] are those of the validation part. The seeds are far from those that the
/// [`Protocol`] compares. If a seed redraws the test part, the validation data of a tuning seed are test data
/// of another: then keep the split the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Tuning {
    setting: String,
    metric: QualityMetric,
    factors: Vec<f64>,
    first_seeds: NonZeroUsize,
    first_seed: Option<u64>,
}

/// A run that a tuning wants.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WantedRun {
    pub(crate) candidate: Recipe,
    pub(crate) seed: u64,
}

/// Where a tuning stands.
pub(crate) enum Standing {
    /// These runs are wanted, every candidate of a seed before the next seed.
    Wants(Vec<WantedRun>),
    /// It has ended.
    Ended(Tuned),
}

impl Tuning {
    /// Tunes the number at `setting` in the recipes' settings, such as `learning_rate` or
    /// `optimizer.rate`, for the best `metric`. The candidates are 1/8, 1/4, 1/2, 1, 2, 4, 8 and 16 times
    /// the recipe's own, and run with 2, 4 and 8 seeds: 32 runs for each recipe.
    pub fn new(setting: &str, metric: QualityMetric) -> Self {
        Self {
            setting: setting.to_owned(),
            metric,
            factors: (-3..=4).map(|power| 2.0_f64.powi(power)).collect(),
            first_seeds: NonZeroUsize::MIN.saturating_add(1),
            first_seed: None,
        }
    }

    /// Tries these multiples of each recipe's own value; 1 is always among them.
    ///
    /// # Errors
    ///
    /// If one is not a positive number.
    pub fn with_factors(self, factors: &[f64]) -> Result<Self, TuningError> {
        if let Some(&factor) = factors.iter().find(|f| !(f.is_finite() && **f > 0.0)) {
            return Err(TuningError::Factor { factor });
        }
        let mut factors: Vec<f64> = factors.iter().copied().chain([1.0]).collect();
        factors.sort_by(f64::total_cmp);
        factors.dedup();
        Ok(Self { factors, ..self })
    }

    /// Runs each candidate with that many seeds at first. The default is 2.
    pub fn with_first_seeds(self, first_seeds: NonZeroUsize) -> Self {
        Self {
            first_seeds,
            ..self
        }
    }

    /// Counts the seeds of the tuning from this one on. The default is 2³² above the first that is
    /// compared.
    pub fn with_first_seed(self, first_seed: u64) -> Self {
        Self {
            first_seed: Some(first_seed),
            ..self
        }
    }

    /// The setting that is tuned.
    pub fn setting(&self) -> &str {
        &self.setting
    }

    /// The metric by which the candidates are judged.
    pub fn metric(&self) -> &QualityMetric {
        &self.metric
    }

    /// The number of runs for each recipe.
    pub fn runs_per_recipe(&self) -> usize {
        let mut runs = 0;
        let (mut left, mut seeds, mut before) = (self.factors.len(), self.first_seeds.get(), 0);
        while left > 1 {
            runs += left * (seeds - before);
            (left, before) = (left.div_ceil(2), seeds);
            seeds *= 2;
        }
        runs
    }

    /// The candidates of all recipes, each a recipe itself: what a [`Store`] for the runs is opened with.
    ///
    /// # Errors
    ///
    /// If a recipe has no positive number at the setting.
    pub fn candidates(&self, recipes: &[Recipe]) -> Result<Vec<Recipe>, TuningError> {
        let mut all = Vec::new();
        for recipe in recipes {
            let own = self.own_value(recipe)?;
            all.extend(self.factors.iter().map(|f| self.candidate(recipe, own * f)));
        }
        Ok(all)
    }

    /// Makes the runs, and returns the recipes with their tuned settings. `job` makes the worker for a
    /// candidate and its seeds; the candidate's name is the variant that the worker reports.
    ///
    /// # Errors
    ///
    /// If a recipe has no such setting, or a seed of the tuning is one that is compared; if a run cannot be
    /// stored, or `job` fails; if the runner was stopped.
    pub fn run(
        &self,
        protocol: &Protocol,
        recipes: &[Recipe],
        runner: &Runner,
        mut store: Option<&mut Store>,
        mut job: impl FnMut(&Recipe, &[u64]) -> io::Result<Job>,
    ) -> Result<Tuned, TuningError> {
        let mut runs: Vec<TrainingRun> = match &store {
            Some(store) => store.runs().to_vec(),
            None => Vec::new(),
        };
        loop {
            let wanted = match self.standing(protocol, recipes, &runs)? {
                Standing::Wants(wanted) => wanted,
                Standing::Ended(tuned) => return Ok(tuned),
            };
            let jobs = wanted.iter().map(|run| job(&run.candidate, &[run.seed]));
            let jobs = jobs.collect::<io::Result<Vec<Job>>>()?;
            let ran = runner
                .clone()
                .with_headline("tuning, ")
                .run_each(jobs, |run| match &mut store {
                    Some(store) => store.append(run),
                    None => Ok(()),
                })?;
            let failed = ran.runs.iter().find_map(|run| {
                let (candidate, seed) = (&run.variant, run.seed);
                let failure = run.failure.as_ref().filter(|_| runner.fails_fast())?;
                Some(format!("{candidate:?} with seed {seed} failed: {failure}"))
            });
            runs.extend(ran.runs);
            if !ran.stopped.is_empty() || failed.is_some() {
                let runs = runs.len();
                return Err(TuningError::Stopped { runs, failed });
            }
        }
    }

    /// What is wanted next, given these runs: it follows from them alone.
    pub(crate) fn standing(
        &self,
        protocol: &Protocol,
        recipes: &[Recipe],
        runs: &[TrainingRun],
    ) -> Result<Standing, TuningError> {
        let first_seed = self.first_seed(protocol, recipes)?;
        let by_name: HashMap<(&str, u64), &TrainingRun> = runs
            .iter()
            .map(|run| ((&*run.variant, run.seed), run))
            .collect();
        let mut wanted: Vec<(usize, WantedRun)> = Vec::new();
        let mut arms = Vec::new();
        let mut failed = Vec::new();
        for recipe in recipes {
            let own = self.own_value(recipe)?;
            let mut arm: Vec<Candidate> = self
                .factors
                .iter()
                .map(|f| Candidate::new(own, *f))
                .collect();
            let mut seeds = self.first_seeds.get();
            let mut alive: Vec<usize> = (0..arm.len()).collect();
            let mut told = 0;
            while alive.len() > 1 {
                let before = wanted.len();
                for &at in &alive {
                    let candidate = self.candidate(recipe, arm[at].value);
                    let mut found = Vec::new();
                    arm[at].failed = 0;
                    for place in 0..seeds {
                        let seed = first_seed.wrapping_add(place as u64);
                        match by_name.get(&(&*candidate.name, seed)) {
                            Some(&run) => {
                                // Those of the seeds before are there from the last round.
                                if place >= told && run.failure.is_some() {
                                    failed.push(run.clone());
                                }
                                arm[at].failed += usize::from(self.has_failed(run));
                                found.push(self.score(run, runs));
                            }
                            None => {
                                let candidate = candidate.clone();
                                wanted.push((place, WantedRun { candidate, seed }));
                            }
                        }
                    }
                    (arm[at].seeds, arm[at].score) = (found.len(), mean(&found));
                }
                if wanted.len() > before {
                    break;
                }
                // The least score first, and those of which every run failed last; of several, the one nearest to
                // the recipe's own value.
                alive.sort_by(|a, b| arm[*a].order(&arm[*b]));
                alive.truncate(alive.len().div_ceil(2));
                told = seeds;
                seeds *= 2;
            }
            arms.push(TunedArm::new(&recipe.name, arm, alive[0]));
        }
        if !wanted.is_empty() {
            wanted.sort_by_key(|(place, _)| *place);
            return Ok(Standing::Wants(
                wanted.into_iter().map(|(_, run)| run).collect(),
            ));
        }
        let tuned = recipes.iter().zip(&arms).map(|(recipe, arm)| {
            let settings = self.with_value(recipe, arm.chosen);
            recipe.clone().with_settings(settings)
        });
        Ok(Standing::Ended(Tuned {
            setting: self.setting.clone(),
            metric: self.metric.name.clone(),
            recipes: tuned.collect(),
            arms,
            runs_per_recipe: self.runs_per_recipe(),
            failed,
        }))
    }

    /// Checks that no seed is a compared one.
    fn first_seed(&self, protocol: &Protocol, recipes: &[Recipe]) -> Result<u64, TuningError> {
        let compared = protocol.first_seed;
        let first = self.first_seed.unwrap_or(compared.wrapping_add(APART));
        let rows = recipes.iter().filter(|r| r.baseline.is_some()).count();
        let last_look = protocol.looks(rows).last() as u64;
        let halvings = (self.factors.len() as f64).log2().ceil() as u32;
        let most = (self.first_seeds.get() as u64) << halvings.saturating_sub(1);
        // As distances on the circle of all numbers.
        if first.wrapping_sub(compared) < last_look || compared.wrapping_sub(first) < most {
            return Err(TuningError::ComparedSeed { first, compared });
        }
        Ok(first)
    }

    fn own_value(&self, recipe: &Recipe) -> Result<f64, TuningError> {
        let value = recipe.settings.pointer(&self.pointer());
        let number = value.and_then(Value::as_f64);
        number
            .filter(|number| number.is_finite() && *number > 0.0)
            .ok_or_else(|| TuningError::NoNumber {
                recipe: recipe.name.clone(),
                setting: self.setting.clone(),
                got: value.cloned(),
            })
    }

    fn pointer(&self) -> String {
        format!("/{}", self.setting.replace('.', "/"))
    }

    fn with_value(&self, recipe: &Recipe, value: f64) -> Value {
        let mut settings = recipe.settings.clone();
        if let Some(place) = settings.pointer_mut(&self.pointer())
            && place.as_f64() != Some(value)
        {
            // What reads a whole number reads no float.
            let is_whole = !place.is_f64() && value.fract() == 0.0 && value <= MOST_WHOLE;
            *place = if is_whole {
                Value::from(value as u64)
            } else {
                Value::from(value)
            };
        }
        settings
    }

    fn candidate(&self, recipe: &Recipe, value: f64) -> Recipe {
        let name = format!("{} at {} = {value}", recipe.name, self.setting);
        Recipe::baseline(&name, &recipe.about).with_settings(self.with_value(recipe, value))
    }

    fn has_failed(&self, run: &TrainingRun) -> bool {
        Pair::alone(run).failed(std::slice::from_ref(&self.metric))[0]
    }

    /// The score of a run; less is better. A run that failed counts as no model, where any run of its
    /// seed says what that scores.
    fn score(&self, run: &TrainingRun, runs: &[TrainingRun]) -> f64 {
        let quality = |run: &TrainingRun| run.quality.get(&self.metric.name).copied();
        let value = match quality(run).filter(|_| !self.has_failed(run)) {
            Some(quality) => quality.value,
            None => {
                let same_seed = runs.iter().filter(|other| other.seed == run.seed);
                let no_model = same_seed.filter_map(|run| quality(run)?.no_model).next();
                match no_model {
                    Some(no_model) => no_model,
                    None => return f64::INFINITY,
                }
            }
        };
        let scaled = match self.metric.scale {
            Scale::Positive => value.max(f64::MIN_POSITIVE).ln(),
            Scale::Share | Scale::Plain => value,
        };
        match self.metric.better {
            Better::Lower => scaled,
            Better::Higher => -scaled,
        }
    }
}
