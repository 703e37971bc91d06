//! Programs that were written by somebody who had not seen the rules of the doctor, which judged them
//! once; those that they missed have led to further rules since then. Their faults are spread as
//! studies of real ones count them, over data of their own. Each was trained as its twin was, from five
//! seeds, and kept only where the twin's score is better by more than 0.05 in four of them or all, or
//! where the score that it reports is wrong.

mod evaluation;
mod healthy;
mod losses;
mod preparation;
mod samples;
mod series;
mod structure;
mod tables;
mod training;

use super::{Case, Kind, Origin, Seen, Series};

const COUNTED: Series = Series {
    source: "made, after the taxonomy of Humbatova et al. (ICSE 2020)",
    origin: Origin::Late,
};

const ASKED: Series = Series {
    source: "made, after the bugs of Zhang et al. (ISSTA 2018) and Islam et al. (FSE 2019)",
    origin: Origin::Late,
};

const MUTATED: Series = Series {
    source: "made, after the operators of DeepCrime (Humbatova et al., ISSTA 2021)",
    origin: Origin::Late,
};

const SOUND: Series = Series {
    source: "made",
    origin: Origin::Late,
};

/// All of them.
pub(super) const CASES: [&[Case]; 7] = [
    training::CASES,
    losses::CASES,
    preparation::CASES,
    samples::CASES,
    structure::CASES,
    evaluation::CASES,
    healthy::CASES,
];
