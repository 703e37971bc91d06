//! Programs that were written by somebody who had seen neither the rules of the doctor, which judged
//! them once, nor what they say of other programs; those that they missed have led to further rules
//! since then. Their faults are those that people ask about in forums and report in issue trackers.
//! Each was trained from five seeds, and kept only where the fault is seen in four of them or all while
//! the same program without the fault does well in all five.

mod evaluation;
mod healthy;
mod labels;
mod losses;
mod preparation;
mod signals;
mod structure;
mod tables;
mod training;

use super::{Case, Kind, Origin, Seen, Series};

const ASKED: Series = Series {
    source: "made, after questions in forums and issue trackers",
    origin: Origin::Late,
};

const SOUND: Series = Series {
    source: "made",
    origin: Origin::Late,
};

/// All of them.
pub(super) const CASES: [&[Case]; 7] = [
    losses::CASES,
    labels::CASES,
    preparation::CASES,
    training::CASES,
    structure::CASES,
    evaluation::CASES,
    healthy::CASES,
];
