//! Simulated families of rows whose truth is known.

use burn_tricks_compare::{Family, Looks, PairedTest, equivalence_p, paired_test_to_level};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::{num::NonZeroUsize, thread};

/// Rows in a family, and how many of them have an effect in a half-null family.
pub(crate) const ROWS: usize = 40;
const PLANTED: usize = 20;
const ALPHA: f64 = 0.05;

/// The looks of a comparison of that many rows.
pub(crate) fn looks() -> Looks {
    Looks::for_rows(ROWS)
}

/// What one run measures. Both runs of a pair draw from it, and all rows of a family share the
/// baseline's runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// A normal variable.
    Normal,
    /// An exponential variable: a long tail to one side.
    Skewed,
    /// Whole numbers, few of them: accuracies on a small test set.
    Tied,
    /// Nearly always the same, and far away with one seed of twenty: runs that fail.
    RareJumps,
    /// Student's t with 3 degrees of freedom.
    HeavyTails,
    /// The logarithm of a number of whole epochs, with one seed of fifty that never arrives.
    Epochs,
    /// Not exchangeable: the baseline always measures 0, and the variant an exponential variable of mean
    /// 0. No test of a mean can promise anything here.
    OneSided,
}

/// All of them.
pub(crate) const SHAPES: [Shape; 7] = [
    Shape::Normal,
    Shape::Skewed,
    Shape::Tied,
    Shape::RareJumps,
    Shape::HeavyTails,
    Shape::Epochs,
    Shape::OneSided,
];

impl Shape {
    /// In words.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Skewed => "of skewed results",
            Self::Tied => "of few whole numbers",
            Self::RareJumps => "rare jumps",
            Self::HeavyTails => "heavy tails (t, 3 degrees)",
            Self::Epochs => "whole epochs, log, 2 % censored",
            Self::OneSided => "one-sided, mean 0: no promise",
        }
    }

    /// Whether a row without an effect has exchangeable runs, as whatever does nothing.
    pub(crate) fn is_exchangeable(self) -> bool {
        !matches!(self, Self::OneSided)
    }

    fn draw(self, random: &mut Random) -> f64 {
        match self {
            Self::Normal => random.normal(),
            Self::Skewed | Self::OneSided => random.exponential() - 1.0,
            Self::Tied => (1.2 * random.normal()).round(),
            Self::RareJumps => {
                let jump = if random.uniform() < 0.05 { 10.0 } else { 0.0 };
                0.1 * random.normal() + jump
            }
            Self::HeavyTails => {
                let squares: f64 = (0..3).map(|_| random.normal().powi(2)).sum();
                random.normal() / (squares / 3.0).sqrt()
            }
            Self::Epochs => match random.uniform() {
                never if never < 0.02 => 100.0_f64.ln(),
                _ => (6.0 + 1.5 * random.normal()).round().max(1.0).ln(),
            },
        }
    }

    fn draw_baseline(self, random: &mut Random) -> f64 {
        match self {
            Self::OneSided => 0.0,
            both => both.draw(random),
        }
    }

    /// The standard deviation of a difference, by a large sample.
    fn sd(self) -> f64 {
        let mut random = Random::new(0);
        let squares: f64 = (0..100_000)
            .map(|_| (self.draw(&mut random) - self.draw_baseline(&mut random)).powi(2))
            .sum();
        (squares / 1e5).sqrt()
    }
}

/// What is true of a family.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Truth {
    /// No row differs: every "helps" or "hurts" is false.
    Null,
    /// Twenty rows differ by 1.5 standard deviations: every "helps" or "hurts" of another is false, and
    /// each of them of the wrong sign.
    HalfNull,
    /// Every row differs by exactly the margin, which is one standard deviation: every "equivalent" is
    /// false.
    AtTheMargin,
}

/// Many families of one kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Simulation {
    pub(crate) shape: Shape,
    pub(crate) truth: Truth,
}

impl Simulation {
    /// The share of families with any false verdict.
    pub(crate) fn false_verdicts(self, families: u32) -> f64 {
        let sd = self.shape.sd();
        let (margin, effect) = match self.truth {
            Truth::Null => (0.0, 0.0),
            Truth::HalfNull => (0.0, 1.5 * sd),
            Truth::AtTheMargin => (sd, sd),
        };
        let is_false = |family: u64| {
            let planted = match self.truth {
                Truth::Null | Truth::AtTheMargin => ROWS,
                Truth::HalfNull => PLANTED,
            };
            // Before the first false verdict, at least so many rows are left in Holm's method: a larger p-value
            // of Student's test needs no sign flips.
            let (test, left): (Test, usize) = match self.truth {
                Truth::Null => (differing, ROWS),
                Truth::HalfNull => (differing, ROWS - PLANTED),
                Truth::AtTheMargin => (equivalent, ROWS),
            };
            let test = |d: &[f64], level: f64| test(d, margin, level / left as f64);
            let rows = simulate(self.shape, family, test, |row| {
                if row < planted { effect } else { 0.0 }
            });
            let family = Family::read(&rows, looks().count());
            let mut readings = family.readings.iter().zip(&rows).enumerate();
            match self.truth {
                Truth::Null => readings.any(|(_, (reading, _))| reading.differs()),
                Truth::HalfNull => readings.any(|(row, (reading, tests))| {
                    let look = reading.difference_look.unwrap_or(0);
                    let is_wrong = row >= planted || tests[look].mean < 0.0;
                    reading.differs() && is_wrong
                }),
                Truth::AtTheMargin => readings.any(|(_, (reading, _))| reading.is_equivalent()),
            }
        };
        let counted = each(families, |family| u32::from(is_false(family)));
        f64::from(counted.iter().sum::<u32>()) / f64::from(families)
    }
}

/// Of twenty rows that differ by `size` standard deviations among forty, the share found by each look.
pub(crate) fn differences_found(size: f64, families: u32) -> [f64; 3] {
    let sd = Shape::Normal.sd();
    let effect = |row: usize| if row < PLANTED { size * sd } else { 0.0 };
    let found = each(families, |family| {
        let rows = simulate(
            Shape::Normal,
            family,
            |d, level| differing(d, 0.0, level),
            effect,
        );
        by_look(&rows, |family, row| {
            row < PLANTED && family.readings[row].differs()
        })
    });
    mean_share(&found, PLANTED)
}

/// Of forty rows that do not differ, the share that is equivalent within `margin` standard deviations by
/// each look.
pub(crate) fn equivalences_found(margin: f64, families: u32) -> [f64; 3] {
    let sd = Shape::Normal.sd();
    let found = each(families, |family| {
        let test = |d: &[f64], level| equivalent(d, margin * sd, level);
        let rows = simulate(Shape::Normal, family, test, |_| 0.0);
        by_look(&rows, |family, row| family.readings[row].is_equivalent())
    });
    mean_share(&found, ROWS)
}

/// The number of rows found with the tests up to each look.
fn by_look(rows: &[Vec<PairedTest>], is_found: impl Fn(&Family, usize) -> bool) -> [usize; 3] {
    [1, 2, 3].map(|looks| {
        let upto = |tests: &Vec<PairedTest>| tests.iter().take(looks).copied().collect();
        let rows: Vec<Vec<PairedTest>> = rows.iter().map(upto).collect();
        let family = Family::read(&rows, 3);
        (0..rows.len())
            .filter(|row| is_found(&family, *row))
            .count()
    })
}

fn mean_share(found: &[[usize; 3]], of: usize) -> [f64; 3] {
    [0, 1, 2].map(|look| {
        let all: usize = found.iter().map(|family| family[look]).sum();
        all as f64 / (found.len() * of) as f64
    })
}

/// One of the two tests, to save the other's time.
type Test = fn(&[f64], f64, f64) -> PairedTest;

fn differing(differences: &[f64], _margin: f64, level: f64) -> PairedTest {
    // Without a margin, nothing is equivalent, and the spread has no floor.
    paired_test_to_level(differences, 0.0, level)
}

fn equivalent(differences: &[f64], margin: f64, level: f64) -> PairedTest {
    PairedTest {
        equivalence_p: equivalence_p(differences, margin, level),
        ..paired_test_to_level(&[0.0; 2], margin, level)
    }
}

/// The tests of a family's rows at all looks.
fn simulate(
    shape: Shape,
    family: u64,
    test: impl Fn(&[f64], f64) -> PairedTest,
    effect: impl Fn(usize) -> f64,
) -> Vec<Vec<PairedTest>> {
    let mut random = Random::new(family + 1);
    let looks = looks();
    let baseline: Vec<f64> = (0..looks.last())
        .map(|_| shape.draw_baseline(&mut random))
        .collect();
    let level = ALPHA / looks.count() as f64;
    let row = |row: usize| {
        let differs = baseline
            .iter()
            .map(|baseline| shape.draw(&mut random) + effect(row) - baseline);
        let differences: Vec<f64> = differs.collect();
        let mut tests: Vec<PairedTest> = Vec::new();
        for &seeds in looks.seeds() {
            tests.push(test(&differences[..seeds], level));
            // Shown whatever the other rows are: nothing further can change that.
            let surely = level / ROWS as f64;
            let last = tests[tests.len() - 1];
            if last.difference_p.min(last.equivalence_p) <= surely {
                break;
            }
        }
        tests
    };
    (0..ROWS).map(row).collect()
}

/// Computes something for each family, on all cores. It does not depend on their number.
fn each<T: Send>(families: u32, of: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get) as u64;
    let families = u64::from(families);
    thread::scope(|scope| {
        let of = &of;
        let part = |thread: u64| {
            let own = move || {
                (thread..families)
                    .step_by(threads as usize)
                    .map(of)
                    .collect()
            };
            scope.spawn(own)
        };
        let parts: Vec<_> = (0..threads).map(part).collect();
        let done = parts.into_iter().map(|part| part.join());
        done.flat_map(|part: thread::Result<Vec<T>>| part.expect("it does not panic"))
            .collect()
    })
}

/// Random numbers that are the same again.
struct Random(ChaCha8Rng);

impl Random {
    fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// From above 0 to 1.
    fn uniform(&mut self) -> f64 {
        ((self.0.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    fn exponential(&mut self) -> f64 {
        -self.uniform().ln()
    }

    /// By Box and Muller.
    fn normal(&mut self) -> f64 {
        let radius = (2.0 * self.exponential()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}
