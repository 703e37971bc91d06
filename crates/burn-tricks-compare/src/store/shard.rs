//! A part of the runs, for one of several machines.

use std::{fmt, str::FromStr};

use crate::comparison::plan::PlannedRun;

/// One of several parts of the runs of a look, such as `2/5`, for one job of a cluster's job array.
///
/// Which runs belong to a part depends on the protocol and the recipes alone, so that every machine knows
/// its own. A part is a stretch of the runs in the order of the plan, so that the runs of one seed are
/// on one machine where there are enough seeds for all machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    of: usize,
}

impl Shard {
    /// The part `index` of `of`, counted from 1.
    ///
    /// # Errors
    ///
    /// If `index` is not from 1 to `of`.
    pub fn init(index: usize, of: usize) -> Result<Self, ShardError> {
        if (1..=of).contains(&index) {
            Ok(Self { index, of })
        } else {
            Err(ShardError {
                got: format!("{index}/{of}"),
            })
        }
    }

    /// Whether a run belongs to this part.
    pub fn holds(&self, run: &PlannedRun) -> bool {
        let (place, of) = run.place;
        place * self.of / of.max(1) == self.index - 1
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let wrong = || ShardError {
            got: text.to_owned(),
        };
        let (index, of) = text.split_once('/').ok_or_else(wrong)?;
        let number = |text: &str| text.trim().parse().map_err(|_| wrong());
        Self::init(number(index)?, number(of)?).map_err(|_| wrong())
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

/// A part that is not one.
#[derive(Clone, PartialEq, Eq)]
pub struct ShardError {
    /// What was given.
    pub got: String,
}

impl fmt::Display for ShardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a part is written i/n with i from 1 to n, such as 2/5, got {:?}",
            self.got
        )
    }
}

as_displayed!(ShardError);

impl std::error::Error for ShardError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_is_in_one_part_and_the_parts_are_alike() {
        for (runs, parts) in [(44, 5), (3, 7), (616, 8)] {
            let mut sizes = vec![0; parts];
            for place in 0..runs {
                let run = PlannedRun {
                    variant: String::new(),
                    seed: 0,
                    place: (place, runs),
                };
                let holds = |index: &usize| Shard::init(*index, parts).unwrap().holds(&run);
                let holders: Vec<usize> = (1..=parts).filter(holds).collect();
                assert_eq!(holders.len(), 1, "{place} of {runs}");
                sizes[holders[0] - 1] += 1;
            }
            let (least, most) = (sizes.iter().min(), sizes.iter().max());
            assert!(most.unwrap() - least.unwrap() <= 1, "{sizes:?}");
        }
    }

    #[test]
    fn a_part_is_read_and_written_and_nonsense_is_quoted() {
        let shard: Shard = "2/5".parse().unwrap();
        assert_eq!(shard.to_string(), "2/5");
        for wrong in ["0/5", "6/5", "2", "a/5", "1/0", "-1/3", ""] {
            let error = wrong.parse::<Shard>().unwrap_err().to_string();
            assert!(error.contains(&format!("{wrong:?}")), "{error}");
        }
    }
}
