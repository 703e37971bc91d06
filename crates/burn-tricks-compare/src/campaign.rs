//! A comparison from its first run to its last.

use std::{
    fmt, io,
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use crate::{
    comparison::{
        comparison::Comparison,
        error::CompareError,
        plan::{Plan, PlannedRun},
    },
    outcome::{protocol::Protocol, recipe::Recipe, run::TrainingRun},
    runner::runner::{Job, Runner},
    store::{shard::Shard, store::Store},
};

/// A comparison from its first run to its last: plans, runs, stores and looks again, until every
/// question is answered or the last look is over.
#[derive(Debug)]
pub struct Campaign<'a> {
    protocol: &'a Protocol,
    recipes: &'a [Recipe],
    runner: Runner,
    store: Option<Store>,
    shard: Option<Shard>,
    seeds_per_job: NonZeroUsize,
    deadline: Option<Duration>,
}

impl<'a> Campaign<'a> {
    /// A comparison whose runs are kept in memory.
    pub fn new(protocol: &'a Protocol, recipes: &'a [Recipe], runner: Runner) -> Self {
        Self {
            protocol,
            recipes,
            runner,
            store: None,
            shard: None,
            seeds_per_job: NonZeroUsize::MIN,
            deadline: None,
        }
    }

    /// Keeps the runs in this store, and does not make those that it holds.
    pub fn with_store(mut self, store: Store) -> Self {
        self.store = Some(store);
        self
    }

    /// Makes only the runs of this part, up to the next look; [`merge`](crate::merge) joins the stores of all parts.
    pub fn with_shard(mut self, shard: Shard) -> Self {
        self.shard = Some(shard);
        self
    }

    /// Makes up to that many runs of one recipe in one worker process, as on a GPU, where each process
    /// compiles its kernels first. The default is 1. If a worker fails, the run that it was making has failed, and
    /// another worker makes those it did not come to.
    pub fn with_seeds_per_job(mut self, seeds: NonZeroUsize) -> Self {
        self.seeds_per_job = seeds;
        self
    }

    /// Starts no runs for a further look that, at the speed so far, would end later than this after the
    /// start; where only some of the rows can be continued, those that need the fewest seeds are.
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Makes the runs that are wanted, look by look. `job` makes the worker for a variant and its seeds; `looked` is
    /// called after each look with the comparison as it is known by then.
    ///
    /// It ends early, with the comparison as it is known, if the runner was stopped, or if a run failed and the runner
    /// [fails fast](Runner::with_fail_fast).
    ///
    /// # Errors
    ///
    /// If the recipes or the runs cannot be compared, which for the recipes is found out before the first
    /// run; if a run cannot be stored; if `job` fails.
    pub fn run(
        mut self,
        mut job: impl FnMut(&str, &[u64]) -> io::Result<Job>,
        mut looked: impl FnMut(&Comparison),
    ) -> Result<Comparison, CampaignError> {
        let start = Instant::now();
        let mut made = 0;
        let mut look = 0;
        let mut runs: Vec<TrainingRun> = match &self.store {
            Some(store) => store.runs().to_vec(),
            None => Vec::new(),
        };
        loop {
            let comparison = Comparison::init(self.protocol, self.recipes, &runs)?;
            let mut plan = Plan::init(self.protocol, self.recipes, &runs)?;
            if let Some(shard) = &self.shard {
                plan.wanted.retain(|run| shard.holds(run));
            }
            if let Some(deadline) = self.deadline
                && made > 0
            {
                let left = deadline.saturating_sub(start.elapsed()).as_secs_f64();
                let per_second = f64::from(made) / start.elapsed().as_secs_f64();
                let fit = (left * per_second) as usize;
                plan = match fit {
                    0 => return Ok(comparison),
                    fit => plan.within(fit, &comparison),
                };
            }
            // Not if only runs that a failed worker did not come to are left.
            let is_next_look = made > 0 && plan.look != look;
            // A part ends with its look: the runs after it follow from the results of all parts.
            if plan.wanted.is_empty() || self.shard.is_some() && is_next_look {
                return Ok(comparison);
            }
            if is_next_look {
                looked(&comparison);
            }
            look = plan.look;
            let closed = comparison.rows.iter().filter(|row| !row.is_open).count();
            let headline = match comparison.rows.len() {
                0 => String::new(),
                rows => format!("{closed} of {rows} rows closed, "),
            };
            let jobs = jobs(&plan.wanted, self.seeds_per_job, &mut job)?;
            let store = &mut self.store;
            let runner = self.runner.clone().with_headline(headline);
            let ran = runner.run_each(jobs, |run| match store {
                Some(store) => store.append(run),
                None => Ok(()),
            })?;
            made += ran.runs.len() as u32;
            let has_failed = ran.runs.iter().any(|run| run.failure.is_some());
            let is_over = !ran.stopped.is_empty() || has_failed && runner.fails_fast();
            runs.extend(ran.runs);
            if is_over {
                return Ok(Comparison::init(self.protocol, self.recipes, &runs)?);
            }
        }
    }
}

/// The jobs that make these runs, in their order as far as several of one recipe are not in one job.
fn jobs(
    wanted: &[PlannedRun],
    seeds_per_job: NonZeroUsize,
    job: &mut impl FnMut(&str, &[u64]) -> io::Result<Job>,
) -> io::Result<Vec<Job>> {
    let mut groups: Vec<(&str, Vec<u64>)> = Vec::new();
    for run in wanted {
        let is_open = |(variant, seeds): &&mut (&str, Vec<u64>)| {
            *variant == run.variant && seeds.len() < seeds_per_job.get()
        };
        match groups.iter_mut().rev().find(is_open) {
            Some((_, seeds)) => seeds.push(run.seed),
            None => groups.push((&run.variant, vec![run.seed])),
        }
    }
    let jobs = groups.iter().map(|(variant, seeds)| job(variant, seeds));
    jobs.collect()
}

/// Why a comparison ended without a result.
#[non_exhaustive]
pub enum CampaignError {
    /// The recipes or runs cannot be compared.
    Compare(CompareError),
    /// A worker's command could not be made, or a run not be stored.
    Io(io::Error),
}

impl fmt::Display for CampaignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compare(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
        }
    }
}

as_displayed!(CampaignError);

impl std::error::Error for CampaignError {}

impl From<CompareError> for CampaignError {
    fn from(error: CompareError) -> Self {
        Self::Compare(error)
    }
}

impl From<io::Error> for CampaignError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
