//! The cases, one file for each group.

mod capacity;
mod depth;
mod forum;
mod healthy;
mod labels;
mod late;
mod look_alikes;
mod loops;
mod output;
mod rate;
mod recurrent;
mod scale;
mod start;
mod unseen;

use super::case::{Case, Expect, Origin, Seen};
use burn_tricks::diagnose::FindingKind as Kind;

/// All cases.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    [
        scale::CASES,
        rate::CASES,
        depth::CASES,
        recurrent::CASES,
        start::CASES,
        output::CASES,
        labels::CASES,
        loops::CASES,
        capacity::CASES,
        look_alikes::CASES,
        healthy::CASES,
        late::CASES,
    ]
    .into_iter()
    .chain(forum::CASES)
    .chain(unseen::CASES)
    .flatten()
}
