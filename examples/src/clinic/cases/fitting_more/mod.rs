//! Programs that were written together with the rules of their kinds: faults of data, learning rate, penalties and length
//! in regressions, recurrent networks, convolutions and autoencoders, and healthy ones that too eager a rule accuses.

mod data;
mod healthy;
mod later;
mod look_alikes;
mod sick;

use super::{Case, Origin, Series};

const FITTED: Series = Series {
    source: "made",
    origin: Origin::Fitted,
};

/// All of them.
pub(super) const CASES: [&[Case]; 4] = [
    sick::CASES,
    healthy::CASES,
    later::CASES,
    look_alikes::CASES,
];
