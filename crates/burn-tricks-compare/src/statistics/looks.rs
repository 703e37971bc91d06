//! The numbers of seeds at which verdicts are read.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The numbers of seeds at which verdicts are read, ascending: the looks.
///
/// Reading a p-value several times and taking the least finds a difference too often where there is
/// none. So each p-value is multiplied by the number of looks, the correction of Bonferroni, which
/// holds whenever the reading stops (repeated p-values: Jennison & Turnbull, 2000, *Group Sequential
/// Methods*). One look needs no correction, and the fewest seeds for a difference of a given size;
/// with several looks a clear difference is found with few.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Looks(Vec<usize>);

impl Looks {
    /// Three looks for a comparison of `rows` rows, each a variant with its baseline. The first look is at one
    /// seed more than the fewest with which a difference can be shown, the others are at 1.7 times and 2.85
    /// times as many seeds. For 40 rows the looks are at 14, 24 and 40 seeds.
    pub fn for_rows(rows: usize) -> Self {
        let first = least_seeds(rows, 3) + 1;
        let later = [170, 285].map(|percent: usize| (percent * first).div_ceil(100));
        Self(vec![first, later[0], later[1]])
    }

    /// One look, at that many seeds.
    ///
    /// # Errors
    ///
    /// If there are no seeds.
    pub fn once(seeds: usize) -> Result<Self, LooksError> {
        Self::at(vec![seeds])
    }

    /// Looks at these numbers of seeds.
    ///
    /// # Errors
    ///
    /// If there are none, the first is 0, or one is not above the one before.
    pub fn at(seeds: Vec<usize>) -> Result<Self, LooksError> {
        let ascends = seeds.windows(2).all(|pair| pair[0] < pair[1]);
        match seeds.first() {
            Some(1..) if ascends => Ok(Self(seeds)),
            _ => Err(LooksError { seeds }),
        }
    }

    /// The numbers of seeds, ascending.
    pub fn seeds(&self) -> &[usize] {
        &self.0
    }

    /// How many looks there are; each p-value is multiplied by it.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The number of seeds of the first look.
    pub fn first(&self) -> usize {
        self.0[0]
    }

    /// The number of seeds of the last look, which no row exceeds.
    pub fn last(&self) -> usize {
        self.0[self.0.len() - 1]
    }

    /// The fewest seeds with which a difference can be shown in a comparison of `rows` rows.
    ///
    /// # Errors
    ///
    /// If the last look is at fewer seeds. No difference can be shown then, and the error says so before the
    /// first run. One seed fewer may still show equivalence.
    pub fn least_seeds(&self, rows: usize) -> Result<usize, TooFewSeeds> {
        let (last, needed) = (self.last(), least_seeds(rows, self.count()));
        if last < needed {
            Err(TooFewSeeds { last, rows, needed })
        } else {
            Ok(needed)
        }
    }
}

impl fmt::Display for Looks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seeds: Vec<String> = self.0.iter().map(usize::to_string).collect();
        match seeds.as_slice() {
            [before @ .., last] if !before.is_empty() => {
                write!(f, "{} and {last}", before.join(", "))
            }
            _ => f.write_str(&seeds.concat()),
        }
    }
}

/// The fewest seeds with which a difference can be shown in a comparison of that many rows, variants with
/// a baseline, read at that many looks.
///
/// The two-sided sign-flip test of n seeds has no p-value below 2 / 2ⁿ. Multiplied by the looks, and
/// by the rows in Holm's first step, it must be able to fall to 0.05. The tests of equivalence are one-sided,
/// with p-values down to 1 / 2ⁿ: one seed fewer can show it.
pub fn least_seeds(rows: usize, looks: usize) -> usize {
    let tests = looks.max(1) as f64 * rows.max(1) as f64;
    let is_possible = |seeds: &i32| tests * 2.0_f64.powi(1 - seeds) <= ALPHA;
    (1..).find(is_possible).expect("powers of two grow") as usize
}

/// The chance, for each question, of even one false verdict among the rows of a comparison.
pub const ALPHA: f64 = 0.05;

/// Looks that are not ascending numbers of seeds.
#[derive(Clone, PartialEq, Eq)]
pub struct LooksError {
    seeds: Vec<usize>,
}

impl fmt::Display for LooksError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the looks must be ascending numbers of seeds from 1 up, got {:?}",
            self.seeds
        )
    }
}

as_displayed!(LooksError);

impl std::error::Error for LooksError {}

/// The last look is at too few seeds to show a difference.
#[derive(Clone, PartialEq, Eq)]
pub struct TooFewSeeds {
    last: usize,
    rows: usize,
    needed: usize,
}

impl fmt::Display for TooFewSeeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { last, rows, needed } = self;
        match rows {
            0 | 1 => write!(
                f,
                "{last} seeds cannot show a difference in the row; {needed} can"
            ),
            _ => write!(
                f,
                "{last} seeds cannot show a difference in any of {rows} rows; {needed} can"
            ),
        }
    }
}

as_displayed!(TooFewSeeds);

impl std::error::Error for TooFewSeeds {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fewest_seeds_follow_from_rows_and_looks() {
        let cases = [
            (40, 3, 13),
            (40, 1, 11),
            (31, 1, 11),
            (10, 3, 11),
            (4, 3, 9),
            (1, 3, 7),
            (1, 1, 6),
        ];
        for (rows, looks, fewest) in cases {
            assert_eq!(least_seeds(rows, looks), fewest, "{rows} rows, {looks}");
        }
        assert_eq!(least_seeds(0, 0), 6);
    }

    #[test]
    fn default_looks_follow_from_the_rows() {
        for (rows, seeds) in [(40, [14, 24, 40]), (10, [12, 21, 35]), (4, [10, 17, 29])] {
            assert_eq!(Looks::for_rows(rows).seeds(), seeds);
        }
    }

    #[test]
    fn looks_ascend_and_what_they_cannot_show_is_known_before_the_run() {
        for wrong in [vec![], vec![0, 3], vec![5, 5], vec![9, 8]] {
            let error = Looks::at(wrong.clone()).unwrap_err().to_string();
            assert!(error.contains(&format!("{wrong:?}")), "{error}");
        }
        let looks = Looks::once(8).unwrap();
        assert_eq!((looks.first(), looks.last(), looks.count()), (8, 8, 1));
        let error = looks.least_seeds(40).unwrap_err();
        assert_eq!(
            error.to_string(),
            "8 seeds cannot show a difference in any of 40 rows; 11 can"
        );
        assert_eq!(looks.least_seeds(4), Ok(8));
        assert_eq!(Looks::for_rows(40).least_seeds(40), Ok(13));
        assert_eq!(Looks::for_rows(40).to_string(), "14, 24 and 40");
        assert_eq!(looks.to_string(), "8");
    }
}
