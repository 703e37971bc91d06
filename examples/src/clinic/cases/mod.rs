//! The cases, one file for each group.

mod bases;
mod capacity;
mod depth;
mod eighth_set;
mod fifth_set;
mod first_set;
mod fitting_more;
mod fourth_set;
mod healthy;
mod labels;
mod look_alikes;
mod loops;
mod ninth_set;
mod output;
mod rate;
mod recurrent;
mod scale;
mod second_set;
mod seventh_set;
mod sixth_set;
mod start;
mod tenth_set;
mod third_set;

use super::case::{Case, Expect, Origin, Seen, Series};
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
        first_set::CASES,
    ]
    .into_iter()
    .chain(second_set::CASES)
    .chain(third_set::CASES)
    .chain(fourth_set::CASES)
    .chain(fitting_more::CASES)
    .chain(fifth_set::CASES)
    .chain(sixth_set::CASES)
    .chain(seventh_set::CASES)
    .chain(eighth_set::CASES)
    .chain(ninth_set::CASES)
    .chain(tenth_set::CASES)
    .flatten()
}
