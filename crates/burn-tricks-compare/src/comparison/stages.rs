//! Which looks the rows have come to, what they show, and which runs are wanted next.

use crate::{
    comparison::{pair::Pair, pool::Pool, stability::Stability},
    statistics::{
        family::Family,
        looks::ALPHA,
        paired_test::{PairedTest, paired_test_to_level},
    },
};

/// The tests of one row at the looks it has come to.
#[derive(Debug, Clone, Default)]
pub(crate) struct RowTests {
    /// Metric by metric, look by look.
    pub(crate) quality: Vec<Vec<PairedTest>>,
    /// Metric by metric, whether every difference is known at the last of these looks, and some run gave a result. One that
    /// is not never will be, and then no later look shows anything; where all runs of a look have failed, those of the next
    /// are not made.
    pub(crate) is_known: Vec<bool>,
    /// Look by look; nothing is shown at a look at which the question does not arise.
    pub(crate) speed: Vec<PairedTest>,
    pub(crate) cost: Vec<PairedTest>,
    pub(crate) stability: Vec<Stability>,
    /// Whether the question of speed arises at the last of these looks.
    pub(crate) asks_speed: bool,
}

/// What the tests of all rows show.
#[derive(Debug)]
pub(crate) struct Families {
    /// Metric by metric.
    pub(crate) quality: Vec<Family>,
    pub(crate) speed: Family,
    pub(crate) cost: Family,
    pub(crate) stability: Vec<Option<Stability>>,
}

/// How far the rows have come.
#[derive(Debug)]
pub(crate) struct Stages {
    /// Row by row.
    pub(crate) tests: Vec<RowTests>,
    /// Whether more seeds are wanted of a row.
    pub(crate) open: Vec<bool>,
    pub(crate) families: Families,
    /// The runs wanted next, as recipe and place of the seed: every recipe of a seed before the next
    /// seed.
    pub(crate) wanted: Vec<(usize, usize)>,
    /// Index of the look for which they are wanted.
    pub(crate) look: usize,
}

impl Stages {
    /// Goes from look to look. At each, the rows still open are tested, and those whose questions are
    /// answered close. It ends at the first look for which runs are missing.
    ///
    /// It follows from the runs alone, not from the order in which they came. Runs beyond the look at
    /// which a row closed are not looked at.
    pub(crate) fn of(pool: &Pool<'_>) -> Self {
        let looks = pool.looks.seeds();
        let mut tests = vec![RowTests::new(pool.protocol.metrics.len()); pool.rows.len()];
        let mut open = vec![true; pool.rows.len()];
        for (look, &seeds) in looks.iter().enumerate() {
            let wanted = wanted(pool, &open, look, seeds);
            for (row, tests) in tests.iter_mut().enumerate() {
                let pairs = pool.pairs(row, seeds);
                if open[row] && pairs.len() == seeds {
                    tests.look(pool, &pairs);
                }
            }
            let families = Families::read(pool, &tests);
            let is_last = look + 1 == looks.len();
            if wanted.is_empty() {
                for (row, open) in open.iter_mut().enumerate() {
                    *open &= !is_last && families.is_open(row, &tests[row]);
                }
            }
            if is_last || !wanted.is_empty() || open.iter().all(|open| !open) {
                return Self {
                    tests,
                    open,
                    families,
                    wanted,
                    look,
                };
            }
        }
        unreachable!("there is a last look")
    }

    /// The number of seeds up to the last look that a row has come to, if it came to one.
    pub(crate) fn seeds(&self, pool: &Pool<'_>, row: usize) -> Option<usize> {
        let looks = self.tests[row].cost.len();
        Some(pool.looks.seeds()[looks.checked_sub(1)?])
    }
}

impl RowTests {
    fn new(metrics: usize) -> Self {
        Self {
            quality: vec![Vec::new(); metrics],
            is_known: vec![true; metrics],
            ..Self::default()
        }
    }

    /// Tests these pairs.
    fn look(&mut self, pool: &Pool<'_>, pairs: &[Pair<'_>]) {
        let protocol = pool.protocol;
        let metrics = &protocol.metrics[..];
        // Beyond it, no number of rows leaves anything shown.
        let level = ALPHA / pool.looks.count() as f64;
        let test = |differences: &[f64], margin| paired_test_to_level(differences, margin, level);

        let tests = self.quality.iter_mut().zip(&mut self.is_known);
        for (metric, (tests, is_known)) in metrics.iter().zip(tests) {
            let differences = pairs.iter().map(|pair| pair.quality(metric, metrics));
            let known: Vec<f64> = differences.flatten().collect();
            let tested = test(&known, metric.margin_of_differences());
            // Why a run fails can have to do with how good it is: the other pairs do not stand for all.
            *is_known = known.len() == pairs.len() && Pair::any_has_ended(pairs);
            tests.push(shown_if(tested, *is_known, *is_known));
        }
        if protocol.target.is_some() {
            let arrived: Vec<[bool; 2]> = pairs.iter().map(|pair| pair.arrived(metrics)).collect();
            let count = |arm: usize| arrived.iter().filter(|arrived| arrived[arm]).count();
            let most = count(0).max(count(1));
            self.asks_speed = 2 * most >= pairs.len();
            let all = arrived.iter().all(|arrived| *arrived == [true, true]);
            let differences = pairs.iter().filter_map(|pair| pair.speed(metrics));
            let differences: Vec<f64> = differences.collect();
            let tested = test(&differences, protocol.speed_margin.ln());
            self.speed
                .push(shown_if(tested, self.asks_speed, self.asks_speed && all));
        }
        let costs: Vec<f64> = pairs.iter().filter_map(Pair::cost).collect();
        self.cost.push(test(&costs, protocol.cost_margin.ln()));
        self.stability
            .push(Stability::count(pairs, metrics, protocol.target.is_some()));
    }
}

/// The test, which shows a difference or equivalence only if that may be asked.
pub(crate) fn shown_if(test: PairedTest, difference: bool, equivalence: bool) -> PairedTest {
    PairedTest {
        difference_p: if difference { test.difference_p } else { 1.0 },
        equivalence_p: if equivalence { test.equivalence_p } else { 1.0 },
        ..test
    }
}

impl Families {
    fn read(pool: &Pool<'_>, tests: &[RowTests]) -> Self {
        let looks = pool.looks.count();
        let read = |of: &dyn Fn(&RowTests) -> Vec<PairedTest>| {
            Family::read(&tests.iter().map(of).collect::<Vec<_>>(), looks)
        };
        let metrics = 0..pool.protocol.metrics.len();
        let counts: Vec<_> = tests.iter().map(|row| row.stability.clone()).collect();
        Self {
            quality: metrics
                .map(|metric| read(&|row| row.quality[metric].clone()))
                .collect(),
            speed: read(&|row| row.speed.clone()),
            cost: read(&|row| row.cost.clone()),
            stability: Stability::judge(&counts, looks),
        }
    }

    /// Whether a question of quality or speed about a row is still to be answered, and can be. Cost and
    /// stability keep no row going.
    fn is_open(&self, row: usize, tests: &RowTests) -> bool {
        let is_undecided = |family: &Family| {
            let reading = &family.readings[row];
            !reading.differs() && !reading.is_equivalent()
        };
        let mut quality = self.quality.iter().zip(&tests.is_known);
        quality.any(|(family, is_known)| *is_known && is_undecided(family))
            || tests.asks_speed && is_undecided(&self.speed)
    }
}

/// The runs that the open rows lack up to that many seeds. A recipe without a row runs for the first
/// look.
fn wanted(pool: &Pool<'_>, open: &[bool], look: usize, seeds: usize) -> Vec<(usize, usize)> {
    let mut needed = vec![false; pool.recipes.len()];
    let mut in_a_row = needed.clone();
    for ((variant, baseline), open) in pool.rows.iter().zip(open) {
        for recipe in [*variant, *baseline] {
            needed[recipe] |= open;
            in_a_row[recipe] = true;
        }
    }
    let is_needed = |recipe: &usize| needed[*recipe] || look == 0 && !in_a_row[*recipe];
    let recipes: Vec<usize> = (0..needed.len()).filter(is_needed).collect();
    let all = (0..seeds).flat_map(|place| recipes.iter().map(move |recipe| (*recipe, place)));
    all.filter(|(recipe, place)| pool.run(*recipe, *place).is_none())
        .collect()
}
