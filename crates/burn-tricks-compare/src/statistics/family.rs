//! One question, asked for every row of a comparison at several looks.

use serde::{Deserialize, Serialize};

use crate::statistics::{holm::holm, interval::Interval, looks::ALPHA, paired_test::PairedTest};

/// What the tests of one question show about one row, among all rows of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// The p-value of "no difference", adjusted for the looks and, by Holm, for the rows.
    pub difference_p: f64,
    /// The p-value of "beyond the margin", adjusted in the same way.
    pub equivalence_p: f64,
    /// Index of the look with the least p-value of "no difference"; `None` before the first look.
    pub difference_look: Option<usize>,
    /// Index of the look with the least p-value of "beyond the margin".
    pub equivalence_look: Option<usize>,
}

impl Reading {
    /// Whether the two differ.
    pub fn differs(&self) -> bool {
        self.difference_p <= ALPHA
    }

    /// Whether the two are equivalent within the margin.
    pub fn is_equivalent(&self) -> bool {
        self.equivalence_p <= ALPHA
    }
}

/// The readings of one question for all rows, and what their intervals follow from.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// For each row, in the order given.
    pub readings: Vec<Reading>,
    /// The level of a row's test of "no difference" that Holm's method has come to.
    pub difference_level: f64,
    /// The level of a row's test of "beyond the margin" that Holm's method has come to.
    pub equivalence_level: f64,
}

impl Family {
    /// Reads one question for all rows. Each row has its tests at the looks that it reached, of `looks`
    /// planned ones.
    ///
    /// A row's p-values are the least of its looks, times the number of planned looks; Holm's method
    /// adjusts them over all rows, for differences and for equivalences apart. Least p-values only
    /// fall as looks are added, and Holm's method is monotone: what was shown once stays shown.
    pub fn read(rows: &[Vec<PairedTest>], looks: usize) -> Self {
        let (difference_looks, difference_q) = least(rows, looks, |test| test.difference_p);
        let (equivalence_looks, equivalence_q) = least(rows, looks, |test| test.equivalence_p);
        let (differences, equivalences) = (holm(&difference_q), holm(&equivalence_q));
        let level = |adjusted: &[f64]| {
            let rejected = adjusted.iter().filter(|p| **p <= ALPHA).count();
            let left = rows.len().saturating_sub(rejected).max(1);
            ALPHA / (left * looks.max(1)) as f64
        };
        let reading = |row: usize| Reading {
            difference_p: differences[row],
            equivalence_p: equivalences[row],
            difference_look: difference_looks[row],
            equivalence_look: equivalence_looks[row],
        };
        Self {
            readings: (0..rows.len()).map(reading).collect(),
            difference_level: level(&differences),
            equivalence_level: level(&equivalences),
        }
    }

    /// The interval that the verdict on a row reads: it excludes zero exactly if the row differs, and
    /// lies within the margin exactly if the two are equivalent.
    ///
    /// It is Student's, with the [floored](PairedTest::floored_sd) standard deviation and the level
    /// to which Holm's method has come. Where the sign-flip test withholds what Student's alone would
    /// show, the interval is widened to zero or to the margin. Fewer than two pairs have no interval: its
    /// ends are NaN.
    pub fn interval(&self, row: usize, tests: &[PairedTest], margin: f64) -> Interval {
        let reading = &self.readings[row];
        let Some(last) = tests.last() else {
            return Interval::UNKNOWN;
        };
        if last.pairs < 2 || !last.mean.is_finite() {
            return Interval {
                mean: last.mean,
                ..Interval::UNKNOWN
            };
        }
        let at = |look: Option<usize>, tail: f64| {
            let test = look.and_then(|look| tests.get(look)).unwrap_or(last);
            Interval {
                mean: last.mean,
                ..Interval::student(test.mean, test.floored_sd, test.pairs, tail)
            }
        };
        let for_difference = || {
            let look = reading.difference_look.filter(|_| reading.differs());
            at(look, self.difference_level / 2.0)
        };
        let for_equivalence = || at(reading.equivalence_look, self.equivalence_level);
        match (reading.differs(), reading.is_equivalent()) {
            (true, true) => meet(for_difference(), for_equivalence(), margin),
            (false, true) => with_zero(for_equivalence()),
            (true, false) => past_the_margin(for_difference(), margin),
            (false, false) => past_the_margin(with_zero(for_difference()), margin),
        }
    }
}

/// For each row, the look with the least p-value, and that value times the number of looks.
fn least(
    rows: &[Vec<PairedTest>],
    looks: usize,
    p: fn(&PairedTest) -> f64,
) -> (Vec<Option<usize>>, Vec<f64>) {
    let of_row = |tests: &Vec<PairedTest>| {
        let by_p = (0..tests.len()).min_by(|a, b| p(&tests[*a]).total_cmp(&p(&tests[*b])));
        let q = by_p.map_or(1.0, |look| (looks as f64 * p(&tests[look])).min(1.0));
        (by_p, q)
    };
    rows.iter().map(of_row).unzip()
}

/// Both at once; each covers, so both do.
fn meet(difference: Interval, equivalence: Interval, margin: f64) -> Interval {
    if difference.high < 0.0 {
        return meet(difference.negated(), equivalence.negated(), margin).negated();
    }
    let low = difference.low.max(equivalence.low);
    let high = difference.high.min(equivalence.high);
    let mean = equivalence.mean;
    if low <= high {
        Interval { mean, low, high }
    } else if equivalence.low > 0.0 {
        equivalence
    } else {
        // Two looks that contradict each other, one of them by chance: what lies between them.
        let low = equivalence.high.max(f64::MIN_POSITIVE);
        let within = margin * (1.0 - f64::EPSILON);
        let high = difference.low.min(within).max(low);
        Interval { mean, low, high }
    }
}

fn with_zero(interval: Interval) -> Interval {
    Interval {
        low: interval.low.min(0.0),
        high: interval.high.max(0.0),
        ..interval
    }
}

/// Widened to the nearer end of the margin, if it lies within.
fn past_the_margin(interval: Interval, margin: f64) -> Interval {
    let Interval { low, high, .. } = interval;
    let lies_within = low > -margin && high < margin;
    if lies_within && high >= -low {
        Interval {
            high: margin,
            ..interval
        }
    } else if lies_within {
        Interval {
            low: -margin,
            ..interval
        }
    } else {
        interval
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::paired_test::paired_test;

    fn with_p(difference_p: f64, equivalence_p: f64) -> PairedTest {
        PairedTest {
            difference_p,
            equivalence_p,
            ..paired_test(&[0.001, 0.002, -0.001, 0.002], 0.005)
        }
    }

    #[test]
    fn a_row_keeps_the_least_p_of_its_looks_times_their_number() {
        let p = [0.0040, 0.0002, 0.0100];
        for (looks, expected) in [(1, 0.012), (2, 0.0006), (3, 0.0006)] {
            let tests: Vec<PairedTest> = p[..looks].iter().map(|p| with_p(*p, 1.0)).collect();
            let family = Family::read(&[tests], 3);
            assert!((family.readings[0].difference_p - expected).abs() < 1e-12);
            assert_eq!(family.readings[0].equivalence_p, 1.0);
        }
        let family = Family::read(&[vec![]], 3);
        assert_eq!(family.readings[0].difference_p, 1.0);
        assert_eq!(family.readings[0].difference_look, None);
    }

    #[test]
    fn holm_runs_over_differences_and_equivalences_apart() {
        let rows = [
            (0.0004, 0.9),
            (0.01, 0.001),
            (0.03, 0.9),
            (0.0005, 0.9),
            (0.6, 0.2),
        ];
        let rows: Vec<_> = rows.iter().map(|(d, e)| vec![with_p(*d, *e)]).collect();
        let family = Family::read(&rows, 1);
        let differs: Vec<bool> = family.readings.iter().map(Reading::differs).collect();
        assert_eq!(differs, [true, true, false, true, false]);
        let equivalent: Vec<bool> = family.readings.iter().map(Reading::is_equivalent).collect();
        assert_eq!(equivalent, [false, true, false, false, false]);
        assert!((family.difference_level - 0.05 / 2.0).abs() < 1e-15);
        assert!((family.equivalence_level - 0.05 / 4.0).abs() < 1e-15);
    }

    /// The first look shows a difference, the second equivalence, and their intervals have nothing in common.
    #[test]
    fn looks_that_contradict_each_other_do_not_contradict_the_verdict() {
        for (sign, late) in [(1.0, -0.4), (-1.0, -0.4), (1.0, -0.6), (-1.0, -0.6)] {
            let value = |at: i32| sign * if at < 12 { 0.9 } else { late };
            let differences: Vec<f64> = (0..40).map(value).collect();
            let tests = [12, 40]
                .map(|n| paired_test(&differences[..n], 1.0))
                .to_vec();
            let family = Family::read(std::slice::from_ref(&tests), 2);
            let reading = family.readings[0];
            assert!(reading.differs() && reading.is_equivalent());
            let Interval { low, high, .. } = family.interval(0, &tests, 1.0);
            assert!(0.0 < sign * low && 0.0 < sign * high && low <= high);
            assert!(-1.0 < low && high < 1.0);
        }
    }

    /// Whatever the differences are, picture and verdict say the same.
    #[test]
    fn the_interval_never_contradicts_the_verdict() {
        let margin = 1.0;
        let mut seen = [0; 4];
        for case in 0..400_u32 {
            // Shapes with ties, jumps, outliers and shifts, by a multiplicative hash.
            let row = |row: u32| -> Vec<f64> {
                let value = |at: u32| {
                    let hash = (case * 97 + row * 31 + at + 1).wrapping_mul(2_654_435_761) >> 16;
                    let size = f64::from(hash % 1000) / 1000.0 - 0.5;
                    let jump = if case % 5 == 0 && at == 3 { 4.0 } else { 0.0 };
                    let shift = f64::from(case % 7) * 0.2 - 0.4;
                    let coarse = if case % 3 == 0 { size.round() } else { size };
                    coarse * f64::from(1 + case % 4) + jump + shift
                };
                (0..21).map(value).collect()
            };
            let rows: Vec<Vec<PairedTest>> = (0..4)
                .map(|at| {
                    let differences = row(at);
                    let looks = [12, 21];
                    looks
                        .map(|n| paired_test(&differences[..n], margin))
                        .to_vec()
                })
                .collect();
            let family = Family::read(&rows, 2);
            for (at, reading) in family.readings.iter().enumerate() {
                let Interval { low, high, .. } = family.interval(at, &rows[at], margin);
                let excludes_zero = low > 0.0 || high < 0.0;
                let within = low > -margin && high < margin;
                assert_eq!(excludes_zero, reading.differs(), "{case}: {low} {high}");
                assert_eq!(within, reading.is_equivalent(), "{case}: {low} {high}");
                seen[usize::from(excludes_zero) + 2 * usize::from(within)] += 1;
            }
        }
        assert!(seen.iter().all(|count| *count > 20), "{seen:?}");
    }
}
