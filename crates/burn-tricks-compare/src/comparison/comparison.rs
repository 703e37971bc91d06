//! What the runs of several recipes show.

use serde::{Deserialize, Serialize};

use crate::{
    comparison::{
        answer::{Answer, Asked, Unit},
        arm::Arm,
        error::CompareError,
        pair::Pair,
        pool::Pool,
        stability::Stability,
        stages::Stages,
    },
    outcome::{
        examination::Examination,
        metric::{Better, QualityMetric},
        protocol::Protocol,
        recipe::Recipe,
        run::TrainingRun,
    },
    statistics::{looks::Looks, moments::mean},
};

/// What the runs of several recipes show, finished or not.
///
/// It follows from the protocol, the recipes and the runs; in which order the runs were made, and how
/// many at once, changes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// What was asked.
    pub protocol: Protocol,
    /// The numbers of seeds at which verdicts are read.
    pub looks: Looks,
    /// The recipes.
    pub recipes: Vec<Recipe>,
    /// One for each recipe that is compared with another, in the order of the recipes.
    pub rows: Vec<Row>,
    /// One for each recipe.
    pub arms: Vec<Arm>,
    /// The runs, in the order of the recipes and of the seeds. Those with seeds beyond the last look are left
    /// out.
    pub runs: Vec<TrainingRun>,
    /// What examinations of the recipes found, if they were asked for. No verdict depends on them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examinations: Vec<Examination>,
}

/// What is shown about one variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Name of the variant.
    pub name: String,
    /// Name of the recipe it is compared with.
    pub baseline: String,
    /// A few words on what it does.
    pub about: String,
    /// Number of pairs that are judged: those of the last look that the row came to, or before the first
    /// look all that are there.
    pub seeds: usize,
    /// Number of looks it came to.
    pub looks: usize,
    /// Whether more seeds are wanted: a question of quality or speed is open, and there are looks left.
    pub is_open: bool,
    /// The answers for each metric, in the order of the protocol.
    pub quality: Vec<Answer>,
    /// `None` if the protocol has no target.
    pub speed: Option<Speed>,
    /// How often both failed. `None` before the first look.
    pub stability: Option<Stability>,
    /// The answer for the time per step.
    pub cost: Answer,
    /// Mean ratio of the peak memories. It is not tested.
    pub memory_ratio: Option<f64>,
}

/// How soon the target was reached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Speed {
    /// The answer. Its differences are those of the logarithms of the steps to the target, in which a
    /// run that did not arrive counts as arriving with the last step (of the longer run, if they differ): the effect is a ratio of
    /// geometric means, restricted to the length of a run (Royston & Parmar, 2013, BMC Med. Res.
    /// Methodol. 13:152).
    pub answer: Answer,
    /// With how many seeds the variant arrived.
    pub variant_arrived: usize,
    /// With how many seeds the baseline did.
    pub baseline_arrived: usize,
}

impl Comparison {
    /// Compares each variant with its baseline, paired by seed, by the runs that are there.
    ///
    /// # Errors
    ///
    /// - The protocol makes no sense.
    /// - Two recipes have the same name, or a recipe's baseline is not the name of another.
    /// - A run is of no recipe's variant, two are of the same variant and seed, or one that did not fail
    ///   lacks a metric or its arrival, or has a value that cannot be, such as a share above 1.
    pub fn init(
        protocol: &Protocol,
        recipes: &[Recipe],
        runs: &[TrainingRun],
    ) -> Result<Self, CompareError> {
        let pool = Pool::new(protocol, recipes, runs)?;
        let stages = Stages::of(&pool);
        let of_recipes = 0..recipes.len();
        let sorted = of_recipes.clone().flat_map(|recipe| pool.runs_of(recipe));
        Ok(Self {
            protocol: protocol.clone(),
            looks: pool.looks.clone(),
            recipes: recipes.to_vec(),
            rows: (0..pool.rows.len())
                .map(|row| Row::new(&pool, &stages, row))
                .collect(),
            arms: of_recipes.map(|recipe| Arm::new(&pool, recipe)).collect(),
            runs: sorted.cloned().collect(),
            examinations: Vec::new(),
        })
    }

    /// The runs that ended without a result.
    pub fn failed(&self) -> impl Iterator<Item = &TrainingRun> {
        self.runs.iter().filter(|run| run.failure.is_some())
    }

    /// Whether no more runs are wanted.
    pub fn is_finished(&self) -> bool {
        !self.rows.iter().any(|row| row.is_open)
    }

    /// The row of that variant.
    pub fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }

    /// The summary of the recipe of that name.
    pub fn arm(&self, name: &str) -> Option<&Arm> {
        self.arms.iter().find(|arm| arm.name == name)
    }
}

impl Row {
    fn new(pool: &Pool<'_>, stages: &Stages, row: usize) -> Self {
        let (protocol, tests) = (pool.protocol, &stages.tests[row]);
        let metrics = &protocol.metrics[..];
        let seeds = stages.seeds(pool, row);
        let pairs = pool.pairs(row, seeds.unwrap_or(pool.looks.first()));

        let has_ended = Pair::any_has_ended(&pairs);
        let quality = |(at, metric): (usize, &QualityMetric)| {
            // Two runs that failed are equal, which is no effect where every run failed.
            let differences = pairs
                .iter()
                .filter(|_| has_ended)
                .filter_map(|pair| pair.quality(metric, metrics));
            let differences: Vec<f64> = differences.collect();
            let asked = Asked {
                question: &metric.name,
                unit: Unit::of(metric.scale),
                better: metric.better,
                margin: metric.margin_of_differences(),
                differences: &differences,
                arises: pairs.is_empty() || has_ended,
                can_show: [differences.len() == pairs.len(); 2],
                least: pool.least_seeds(),
            };
            Answer::new(
                &asked,
                &stages.families.quality[at],
                row,
                &tests.quality[at],
            )
        };
        let costs: Vec<f64> = pairs.iter().filter_map(Pair::cost).collect();
        let cost = Asked {
            question: "cost",
            unit: Unit::Ratio,
            better: Better::Lower,
            margin: protocol.cost_margin.ln(),
            differences: &costs,
            arises: !costs.is_empty(),
            can_show: [true; 2],
            least: pool.least_seeds(),
        };
        let memory: Vec<f64> = pairs.iter().filter_map(Pair::memory_ratio).collect();
        let (variant, baseline) = pool.rows[row];
        Self {
            name: pool.recipes[variant].name.clone(),
            baseline: pool.recipes[baseline].name.clone(),
            about: pool.recipes[variant].about.clone(),
            seeds: pairs.len(),
            looks: tests.cost.len(),
            is_open: stages.open[row],
            quality: metrics.iter().enumerate().map(quality).collect(),
            speed: protocol
                .target
                .as_ref()
                .map(|_| Speed::new(pool, stages, row, &pairs)),
            stability: stages.families.stability[row],
            cost: Answer::new(&cost, &stages.families.cost, row, &tests.cost),
            memory_ratio: (!memory.is_empty()).then(|| mean(&memory)),
        }
    }

    /// The answer for the metric of that name.
    pub fn answer(&self, metric: &str) -> Option<&Answer> {
        self.quality.iter().find(|answer| answer.question == metric)
    }
}

impl Speed {
    fn new(pool: &Pool<'_>, stages: &Stages, row: usize, pairs: &[Pair<'_>]) -> Self {
        let (protocol, tests) = (pool.protocol, &stages.tests[row]);
        let metrics = &protocol.metrics[..];
        let arrived: Vec<[bool; 2]> = pairs.iter().map(|pair| pair.arrived(metrics)).collect();
        let count = |arm: usize| arrived.iter().filter(|arrived| arrived[arm]).count();
        let differences = pairs.iter().filter_map(|pair| pair.speed(metrics));
        let reading = &stages.families.speed.readings[row];
        let asked = Asked {
            question: "speed",
            unit: Unit::Ratio,
            better: Better::Lower,
            margin: protocol.speed_margin.ln(),
            differences: &differences.collect::<Vec<f64>>(),
            // What an earlier look has shown stays shown.
            arises: tests.asks_speed
                || tests.speed.is_empty()
                || reading.differs()
                || reading.is_equivalent(),
            // Equivalent they are only if all arrive.
            can_show: [true, arrived.iter().all(|arrived| *arrived == [true; 2])],
            least: pool.least_seeds(),
        };
        Self {
            answer: Answer::new(&asked, &stages.families.speed, row, &tests.speed),
            variant_arrived: count(0),
            baseline_arrived: count(1),
        }
    }
}
