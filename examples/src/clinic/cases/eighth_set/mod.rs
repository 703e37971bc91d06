//! Programs of the kinds that people publish, about as often as studies of real programs find each kind. They were
//! written after the rules that judged them, by somebody who had seen neither the rules nor what they say of other
//! programs. Each was trained from five seeds, and kept only where the fault is seen in four of them or all while the
//! same program without the fault does well in all five.
//!
//! | theme | programs | kinds of fault | after |
//! |---|---|---|---|
//! | preprocessing | 8 | unscaled inputs 3, unscaled targets 2, another scale in the validation, gaps in the data, categories as numbers | the preprocessing of Humbatova et al.; data bugs, the most frequent ones of Islam et al. |
//! | rate, optimizer, epochs | 8 | rate too high 3, too low 2 (one of them by a wrong optimizer), too few epochs, batch too large, batch too small | the hyperparameters of Humbatova et al.; the learning rate, the optimizer and the iterations of DeepFD; oscillating loss and slow convergence of AUTOTRAINER |
//! | loss and last activation | 7 | softmax twice, wrong last activation 2, one output for several classes 2, log(0), a sum for a mean | the losses and activations of Humbatova et al. and DeepFD; UMLAUT |
//! | network | 6 | no activation, too few units, vanishing gradient, initial weights too large, initial weights of zero, dropout too high | the models and layers of Humbatova et al.; AUTOTRAINER; the structural faults of DEFault |
//! | samples | 6 | overfitting 3, targets beside other rows, wrong labels, a rare class | the quality of training data of Humbatova et al. |
//! | loop and evaluation | 5 | gradients never cleared, training mode in the validation, order of the file, the target among the inputs, rows of the validation in the training | the training process and the validation of Humbatova et al.; questions in forums |
//!
//! The studies count faults by categories of their own, and faults that crash besides; the counts here are a judgement
//! that follows the order of their categories, without those that crash.

mod healthy;
mod preparation;
mod samples;
mod sources;
mod structure;
mod training;

use super::{Case, Kind, Origin, Seen, Series};

const POSTED: Series = Series {
    source: "made, after a question in a forum or an issue that the story names",
    origin: Origin::Late,
};

const ASKED: Series = Series {
    source: "made, after the bugs of Zhang et al. (ISSTA 2018) and Islam et al. (FSE 2019)",
    origin: Origin::Late,
};

const BENCHED: Series = Series {
    source: "made, after the benchmarks of AUTOTRAINER (ICSE 2021), DeepLocalize (ICSE 2021) and DeepFD (ICSE 2022)",
    origin: Origin::Late,
};

const COUNTED: Series = Series {
    source: "made, after the taxonomy of Humbatova et al. (ICSE 2020)",
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
