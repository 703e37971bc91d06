//! Which checkpoints are kept: the last ones and the best.

/// The sets of checkpoint files on the disk.
#[derive(Debug)]
pub(crate) struct Retention {
    keep: usize,
    /// The epochs that have files: the remains of sets, then the complete sets, oldest first.
    saved: Vec<usize>,
    /// The best epochs as of the epoch before the last. Until all files of the last epoch are written, a run that is
    /// killed resumes from the epoch before, which knows only these.
    best_before: Vec<usize>,
}

impl Retention {
    pub(crate) fn new(keep: usize, saved: Vec<usize>, best: Vec<usize>) -> Self {
        Self {
            keep,
            saved,
            best_before: best,
        }
    }

    /// The epochs to delete when `epoch` is saved, if `best` are the best epochs then.
    pub(crate) fn outdated_by(&mut self, epoch: usize, best: Vec<usize>) -> Vec<usize> {
        self.saved.retain(|saved| *saved != epoch);
        self.saved.push(epoch);
        let old = self.saved.len().saturating_sub(self.keep);
        let outdated: Vec<usize> = (self.saved[..old].iter().copied())
            .filter(|epoch| !best.contains(epoch) && !self.best_before.contains(epoch))
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
        let mut sets = Retention::new(2, vec![1, 2], vec![1]);
        assert_eq!(sets.outdated_by(3, vec![1]), [2; 0]);
        assert_eq!(sets.outdated_by(4, vec![1]), [2]);
        // The fifth is the best, and its files are not yet there.
        assert_eq!(sets.outdated_by(5, vec![5]), [3]);
        assert_eq!(sets.outdated_by(6, vec![5]), [1, 4]);
        assert_eq!(sets.outdated_by(6, vec![5]), [6; 0], "trained again");
        assert_eq!(sets.outdated_by(7, vec![]), [6; 0]);
        assert_eq!(sets.outdated_by(8, vec![]), [5, 6]);
    }

    #[test]
    fn several_best_ones_stay() {
        let mut sets = Retention::new(2, vec![1, 2, 3], vec![1, 2]);
        assert_eq!(sets.outdated_by(4, vec![2, 1]), [0; 0]);
        // The fifth takes the place of the first, which stays until the fifth is whole.
        assert_eq!(sets.outdated_by(5, vec![5, 2]), [3]);
        assert_eq!(sets.outdated_by(6, vec![5, 2]), [1, 4]);
        assert_eq!(sets.outdated_by(7, vec![5, 2]), [0; 0]);
        assert_eq!(sets.outdated_by(8, vec![5, 2]), [6]);
    }
}
