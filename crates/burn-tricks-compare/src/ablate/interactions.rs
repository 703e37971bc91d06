//! Whether two changes do together what they do apart.

use std::{collections::HashMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{
    ablate::combine::{CombineRecipesError, check, combine},
    comparison::{
        answer::{Answer, Asked, Unit},
        error::CompareError,
        pair::Pair,
        stages::shown_if,
    },
    outcome::{
        metric::{Better, QualityMetric},
        protocol::Protocol,
        recipe::Recipe,
        run::TrainingRun,
    },
    statistics::{
        family::Family,
        looks::{ALPHA, least_seeds},
        paired_test::paired_test_to_level,
    },
};

/// The recipes of two-way interactions: `base`, `base` with each change, and with each two of them.
///
/// # Errors
///
/// As those of [`ablation`](crate::ablation).
pub fn factorial(
    base: &Recipe,
    parts: &[(&Recipe, &Recipe)],
) -> Result<Vec<Recipe>, CombineRecipesError> {
    check(parts)?;
    let mut recipes =
        vec![Recipe::baseline(&base.name, &base.about).with_settings(base.settings.clone())];
    for part in parts {
        let (Recipe { name, about, .. }, _) = part;
        let settings = combine(base, &[*part])?;
        if settings == base.settings {
            let (part, whole) = (name.clone(), base.name.clone());
            return Err(CombineRecipesError::AlreadyThere { part, whole });
        }
        recipes.push(Recipe::variant(name, &base.name, about).with_settings(settings));
    }
    for (first, second) in pairs(parts.len()) {
        let two = [parts[first], parts[second]];
        let name = joint(&two[0].0.name, &two[1].0.name);
        let about = format!("{} and {}", two[0].0.about, two[1].0.about);
        let settings = combine(base, &two)?;
        // Behind the base, the changes alone stand in their order.
        for (part, whole) in [(first, second), (second, first)] {
            if settings == recipes[1 + whole].settings {
                let whole = format!("{} with {}", base.name, parts[whole].0.name);
                let part = parts[part].0.name.clone();
                return Err(CombineRecipesError::AlreadyThere { part, whole });
            }
        }
        let recipe = Recipe::variant(&name, &base.name, &about);
        recipes.push(recipe.with_settings(settings));
    }
    Ok(recipes)
}

fn pairs(count: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..count).flat_map(move |first| (first + 1..count).map(move |second| (first, second)))
}

fn joint(first: &str, second: &str) -> String {
    format!("{first} + {second}")
}

/// For each two of several changes, whether their joint effect is the sum of their separate effects.
///
/// For each seed, the interaction of A and B is (AB − A) − (B − base), on the scale on which the question
/// is tested: for a loss the logarithm, so that "apart" means that the ratios multiply. It is read once, at
/// the one look that the protocol declares; Holm's method is over the pairs, question by question. The
/// sign-flip test is exact if the interaction is distributed symmetrically about zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Interactions {
    /// One for each two changes.
    pub pairs: Vec<Interaction>,
}

/// What is shown about two changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Interaction {
    /// Name of the first change.
    pub first: String,
    /// Name of the second.
    pub second: String,
    /// Number of seeds with which all four recipes ran.
    pub seeds: usize,
    /// The answers for each metric, and last for speed, if the protocol has a target. A verdict of *helps* says that
    /// the two changes do more good, or less harm, together than apart.
    pub answers: Vec<Answer>,
}

impl Interactions {
    /// The interactions that the runs of the recipes of [`factorial`] show. `parts` are the names of the
    /// changes.
    ///
    /// # Errors
    ///
    /// If the protocol makes no sense or has several looks, or a run is missing.
    pub fn init(
        protocol: &Protocol,
        base: &str,
        parts: &[&str],
        runs: &[TrainingRun],
    ) -> Result<Self, InteractionsError> {
        protocol.check().map_err(CompareError::from)?;
        let looks = protocol.looks(parts.len());
        if looks.count() > 1 {
            return Err(InteractionsError::SeveralLooks {
                looks: looks.to_string(),
            });
        }
        let by_name: HashMap<(&str, u64), &TrainingRun> = runs
            .iter()
            .map(|run| ((&*run.variant, run.seed), run))
            .collect();
        let find = |name: &str, seed: u64| {
            let found = by_name.get(&(name, seed)).copied();
            found.ok_or_else(|| InteractionsError::MissingRun {
                variant: name.to_owned(),
                seed,
            })
        };
        let names: Vec<(&str, &str)> = pairs(parts.len())
            .map(|(a, b)| (parts[a], parts[b]))
            .collect();
        let mut all: Vec<Vec<[Pair<'_>; 2]>> = Vec::new();
        for (first, second) in &names {
            let both = joint(first, second);
            let seeds = (0..looks.last()).map(|place| protocol.seed(place));
            let squares = seeds.map(|seed| {
                Ok([
                    Pair {
                        variant: find(&both, seed)?,
                        baseline: find(first, seed)?,
                    },
                    Pair {
                        variant: find(second, seed)?,
                        baseline: find(base, seed)?,
                    },
                ])
            });
            all.push(squares.collect::<Result<_, InteractionsError>>()?);
        }
        let questions = questions(protocol);
        let columns: Vec<Vec<Answer>> = questions
            .iter()
            .map(|question| question.answer(protocol, &all))
            .collect();
        let pairs = names
            .iter()
            .enumerate()
            .map(|(at, (first, second))| Interaction {
                first: (*first).to_owned(),
                second: (*second).to_owned(),
                seeds: looks.last(),
                answers: columns.iter().map(|column| column[at].clone()).collect(),
            });
        Ok(Self {
            pairs: pairs.collect(),
        })
    }
}

enum Question<'a> {
    Quality(&'a QualityMetric),
    Speed,
}

fn questions(protocol: &Protocol) -> Vec<Question<'_>> {
    let metrics = protocol.metrics.iter().map(Question::Quality);
    metrics
        .chain(protocol.target.iter().map(|_| Question::Speed))
        .collect()
}

impl Question<'_> {
    /// The answers for all pairs of changes.
    fn answer(&self, protocol: &Protocol, all: &[Vec<[Pair<'_>; 2]>]) -> Vec<Answer> {
        let metrics = &protocol.metrics[..];
        let (question, unit, better, margin) = match self {
            Self::Quality(metric) => {
                let unit = Unit::of(metric.scale);
                (
                    &*metric.name,
                    unit,
                    metric.better,
                    metric.margin_of_differences(),
                )
            }
            Self::Speed => (
                "speed",
                Unit::Ratio,
                Better::Lower,
                protocol.speed_margin.ln(),
            ),
        };
        let rows = all.iter().map(|squares| {
            let differences = squares.iter().map(|square| {
                let [with, without] = square.map(|pair| match self {
                    Self::Quality(metric) => pair.quality(metric, metrics),
                    Self::Speed => pair.speed(metrics),
                });
                Some(with? - without?)
            });
            let differences: Vec<f64> = differences.flatten().collect();
            let arises = differences.len() == squares.len() && self.arises(metrics, squares);
            // Nothing is shown where the question does not arise.
            let tested = if arises { &differences[..] } else { &[] };
            let test = paired_test_to_level(tested, margin, ALPHA);
            let can_equal = self.can_be_equivalent(metrics, squares);
            let can_show = [true, can_equal];
            (
                differences,
                arises,
                can_show,
                vec![shown_if(test, true, can_equal)],
            )
        });
        let rows: Vec<_> = rows.collect();
        let tests = rows.iter().map(|(_, _, _, tests)| tests.clone());
        let family = Family::read(&tests.collect::<Vec<_>>(), 1);
        let answers = rows.iter().enumerate();
        let answers = answers.map(|(row, (differences, arises, can_show, tests))| {
            let asked = Asked {
                question,
                unit,
                better,
                margin,
                differences,
                arises: *arises,
                can_show: *can_show,
                least: least_seeds(all.len(), 1),
            };
            Answer::new(&asked, &family, row, tests)
        });
        answers.collect()
    }

    /// Quality is asked if any run gave a result. Speed is asked if at least half of the runs of each of the four
    /// recipes arrive: a double difference of runs that never arrive is made of the length of a run.
    fn arises(&self, metrics: &[QualityMetric], squares: &[[Pair<'_>; 2]]) -> bool {
        let Self::Speed = self else {
            return Pair::any_has_ended(squares.as_flattened());
        };
        let arrived = arrived(metrics, squares);
        (0..4).all(|arm| 2 * arrived.iter().filter(|arrived| arrived[arm]).count() >= arrived.len())
    }

    /// Whether it can be shown that the changes do together what they do apart: not of speed if a run did not arrive, since it is
    /// not known when it would have.
    fn can_be_equivalent(&self, metrics: &[QualityMetric], squares: &[[Pair<'_>; 2]]) -> bool {
        match self {
            Self::Quality(_) => true,
            Self::Speed => arrived(metrics, squares)
                .as_flattened()
                .iter()
                .all(|arrived| *arrived),
        }
    }
}

/// Which of the four runs of each square arrived.
fn arrived(metrics: &[QualityMetric], squares: &[[Pair<'_>; 2]]) -> Vec<[bool; 4]> {
    let of_square = |square: &[Pair<'_>; 2]| {
        let [[a, b], [c, d]] = square.map(|pair| pair.arrived(metrics));
        [a, b, c, d]
    };
    squares.iter().map(of_square).collect()
}

/// Why interactions could not be read.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum InteractionsError {
    /// The protocol has several looks.
    SeveralLooks {
        /// The looks.
        looks: String,
    },
    /// A run is missing.
    MissingRun {
        /// The recipe.
        variant: String,
        /// The seed.
        seed: u64,
    },
    /// The protocol makes no sense.
    Compare(CompareError),
}

impl fmt::Display for InteractionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SeveralLooks { looks } => write!(
                f,
                "interactions are read once, at one number of seeds, and the protocol has looks at {looks}"
            ),
            Self::MissingRun { variant, seed } => {
                write!(
                    f,
                    "an interaction needs the run of {variant:?} with seed {seed}, which is missing"
                )
            }
            Self::Compare(error) => error.fmt(f),
        }
    }
}

as_displayed!(InteractionsError);

impl std::error::Error for InteractionsError {}

impl From<CompareError> for InteractionsError {
    fn from(error: CompareError) -> Self {
        Self::Compare(error)
    }
}
