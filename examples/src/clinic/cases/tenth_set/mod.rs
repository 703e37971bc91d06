//! Programs by somebody who had seen neither the rules of the doctor nor what they say of other programs: thirty-four
//! healthy ones, of the kinds that users of a framework train, and sixteen with a fault each. Data, networks, losses and
//! settings are others than those of earlier sets. Each was trained from five seeds without the doctor, and chosen by its
//! scores alone. A faulty one was kept only where the fault is seen in all five or four while the same program without the
//! fault does well in all five. A healthy one was kept only where it does well in all five, and comes near to what can be
//! reached: to the score of whoever knows how the data were drawn, or of the same program with three times as many epochs,
//! other rates, Adam, or layers of twice the width.
//!
//! The healthy ones. A third of them look as if something were wrong with them: a single layer, targets of which most is
//! noise, large weights of a class, an activation at its ends, frozen vectors, a bias that gets no gradient, a forecast
//! whose first target is nearly the last number of the inputs.
//!
//! | what is learned | programs |
//! |---|---|
//! | tables, classes | 8 |
//! | tables, numbers | 7 |
//! | pictures | 5 |
//! | series | 5 |
//! | texts | 4 |
//! | vectors of things | 3 |
//! | autoencoders | 2 |
//!
//! The faulty ones, about as often as studies of real programs find each kind:
//!
//! | theme | programs | kinds of fault |
//! |---|---|---|
//! | preprocessing | 3 | unscaled inputs 2, unscaled targets |
//! | rate, optimizer, epochs | 4 | rate too high 2, rate too low by the optimizer, too few epochs |
//! | loss and last activation | 3 | softmax twice, wrong last activation, shapes that broadcast |
//! | network | 2 | vanishing gradient, too few units |
//! | samples | 2 | overfitting, targets beside other rows |
//! | loop and evaluation | 2 | gradients never cleared, training mode in the validation |

mod healthy;
mod pictures;
mod preparation;
mod samples;
mod series;
mod structure;
mod tables;
mod training;
mod words;

use super::{Case, Kind, Origin, Seen, Series};

const ASKED: Series = Series {
    source: "made, after questions in forums and the studies that the eighth set names",
    origin: Origin::Unseen,
};

const SOUND: Series = Series {
    source: "made",
    origin: Origin::Unseen,
};

/// All of them.
pub(super) const CASES: [&[Case]; 5] = [
    preparation::CASES,
    training::CASES,
    structure::CASES,
    samples::CASES,
    healthy::CASES,
];
