//! Which checkpoints are kept: the last ones and the best.

/// The sets that there are.
#[derive(Debug)]
pub(crate) struct Retention {
    keep: usize,
    /// The epochs whose files there are, oldest first.
    saved: Vec<usize>,
    /// The best epoch before the last one. Until all files of the last are written, a run that is killed
    /// resumes from the one before, and knows no other best.
    best_before: Option<usize>,
}

impl Retention {
    pub(crate) fn new(keep: usize, saved: Vec<usize>, best: Option<usize>) -> Self {
        Self {
            keep,
            saved,
            best_before: best,
        }
    }

    /// The epochs to delete when `epoch` is saved, with which `best` is the best.
    pub(crate) fn outdated_by(&mut self, epoch: usize, best: Option<usize>) -> Vec<usize> {
        self.saved.retain(|saved| *saved != epoch);
        self.saved.push(epoch);
        let old = self.saved.len().saturating_sub(self.keep);
        let outdated: Vec<usize> = (self.saved[..old].iter().copied())
            .filter(|epoch| Some(*epoch) != best && Some(*epoch) != self.best_before)
            .collect();
        self.saved.retain(|epoch| !outdated.contains(epoch));
        self.best_before = best;
        outdated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_stay_and_the_best_until_a_better_one_is_whole() {
        let mut sets = Retention::new(2, vec![1, 2], Some(1));
        assert_eq!(sets.outdated_by(3, Some(1)), [2; 0]);
        assert_eq!(sets.outdated_by(4, Some(1)), [2]);
        // The fifth is the best, and its files are not yet there.
        assert_eq!(sets.outdated_by(5, Some(5)), [3]);
        assert_eq!(sets.outdated_by(6, Some(5)), [1, 4]);
        assert_eq!(sets.outdated_by(6, Some(5)), [6; 0], "trained again");
        assert_eq!(sets.outdated_by(7, None), [6; 0]);
        assert_eq!(sets.outdated_by(8, None), [5, 6]);
    }
}
