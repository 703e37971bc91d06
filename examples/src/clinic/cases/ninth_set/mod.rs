//! Programs that were written after the rules that judged them, by somebody who had seen neither the rules nor what
//! they say of other programs: thirty healthy ones, of the kinds that users of a framework train, and twenty with a
//! fault each. Each was trained from five seeds without the doctor. A faulty one was kept only where the fault is seen in
//! all of them or four while the same program without the fault does well in all five; a healthy one only where it does
//! well in all five, and comes near to what it reaches with three times as many epochs, at other rates, by Adam, or with
//! layers of twice the width.
//!
//! The healthy ones:
//!
//! | what is learned | programs |
//! |---|---|
//! | tables, classes | 7 |
//! | tables, numbers | 4 |
//! | pictures | 6 |
//! | series | 5 |
//! | texts | 5 |
//! | autoencoders | 2 |
//! | vectors of things | 1 |
//!
//! The faulty ones:
//!
//! | theme | programs | kinds of fault |
//! |---|---|---|
//! | preprocessing | 4 | unscaled inputs 2, unscaled targets, another scale in the validation |
//! | rate, optimizer, epochs | 4 | rate too high 2, rate too low, too few epochs |
//! | loss and last activation | 4 | softmax twice, wrong last activation 2, log(0) |
//! | network | 3 | no activation, vanishing signal and gradient, dropout too high |
//! | samples | 3 | overfitting, targets beside other rows, a rare class |
//! | loop and evaluation | 2 | gradients never cleared, training mode in the validation |

mod healthy;
mod pictures;
mod preparation;
mod samples;
mod signals;
mod structure;
mod tables;
mod training;

use super::{Case, Kind, Origin, Seen, Series};

const ASKED: Series = Series {
    source: "made, after questions in forums and the studies that the eighth set names",
    origin: Origin::Late,
};

const SOUND: Series = Series {
    source: "made",
    origin: Origin::Late,
};

/// All of them.
pub(super) const CASES: [&[Case]; 5] = [
    preparation::CASES,
    training::CASES,
    structure::CASES,
    samples::CASES,
    healthy::CASES,
];
