//! Which library's rules of counting early stopping follows.

use serde::{Deserialize, Serialize};

/// The library whose rules to follow where libraries count differently. The choice affects when to stop, never which
/// check is the best. All other rules are the same in every variant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Counting {
    /// The rules that the documentation of Keras and of Lightning states:
    ///
    /// - a run that has not beaten the baseline in `patience` checks stops, whether it improves or not;
    /// - the target is reached by a value equal to it.
    #[default]
    Documented,
    /// What Keras does:
    ///
    /// - patience 0 means 1;
    /// - a check that improves never stops the run, so the baseline has one effect only: an improvement that does not
    ///   beat it does not reset the count;
    /// - the first check never stops the run for lack of improvement, also if it is a NaN that is ignored. The first value
    ///   after it does not either, since it improves.
    Keras,
    /// What Lightning does:
    ///
    /// - patience 0 means 1;
    /// - the target must be exceeded, not only reached;
    /// - a value that exceeds the target or lies beyond the divergence limit changes neither the count nor the value that
    ///   improvements are measured against, which matters if the run continues nevertheless.
    Lightning,
}
