//! Learning rates, optimizers, and how long they run.

use super::data::{homes, plots, ratings};
use super::signals::{glyphs, order, walks};
use super::{ASKED, COUNTED, Case, Kind::*, Seen::*};
use crate::clinic::program::{Program, Rule};

pub(super) const CASES: &[Case] = &[
    COUNTED
        .case(
            "plots-by-momentum-at-one",
            "a learning rate too high: momentum of 0.9 and a rate of 1",
            Fails(0.8),
            &[&[LrTooHigh, Oscillation]],
            &[DeadUnits, ExplodingGradient, NonFinite, NoisyBatch],
            |seed| Program {
                rule: Rule::Momentum(0.9),
                rate: 1.0,
                ..plots(seed)
            },
        )
        .against(|seed| Program {
            rule: Rule::Momentum(0.9),
            rate: 0.02,
            ..plots(seed)
        }),
    ASKED
        .case(
            "a-step-of-the-schedule-per-batch",
            "a schedule that divides the rate by ten every thirty steps, and not epochs",
            Fails(0.8),
            &[&[LrTooLow, TooFewSteps]],
            &[Underfitting],
            |seed| Program {
                rule: Rule::Momentum(0.9),
                rate: 0.02,
                schedule: Some(|step| 0.1_f64.powi(step as i32 / 30)),
                ..glyphs(seed)
            },
        )
        .against(|seed| Program {
            rule: Rule::Momentum(0.9),
            rate: 0.02,
            ..glyphs(seed)
        }),
    COUNTED
        .case(
            "fine-tuned-from-nothing",
            "a learning rate too low: 2e-5, as for a trained transformer, and the weights are new",
            Fails(0.8),
            &[&[LrTooLow, TooFewSteps]],
            &[Underfitting],
            |seed| Program {
                rate: 2e-5,
                ..order(seed)
            },
        )
        .against(order),
    COUNTED
        .case(
            "ratings-by-rms-prop-at-a-fifth",
            "a learning rate too high: RMSprop at 0.2 and embeddings",
            Fails(0.6),
            &[&[LrTooHigh, Oscillation]],
            &[DeadUnits, ExplodingGradient, VanishingGradient, NoisyBatch],
            |seed| Program {
                rule: Rule::RmsProp,
                rate: 0.2,
                ..ratings(seed)
            },
        )
        .against(|seed| Program {
            rule: Rule::RmsProp,
            rate: 8e-3,
            ..ratings(seed)
        }),
    ASKED
        .case(
            "a-memory-without-zero-grad",
            "an LSTM whose gradients nobody clears",
            Fails(0.75),
            &[&[AccumulatedGradients]],
            &[
                LrTooHigh,
                ExplodingGradient,
                Oscillation,
                Saturated,
                NonFinite,
            ],
            |seed| Program {
                rule: Rule::Momentum(0.9),
                rate: 0.05,
                clears: false,
                ..walks(seed)
            },
        )
        .against(|seed| Program {
            rule: Rule::Momentum(0.9),
            rate: 0.05,
            ..walks(seed)
        }),
    ASKED
        .case(
            "an-accumulation-divided-twice",
            "a mean loss that is divided by the number of rows once more",
            Fails(0.85),
            &[&[ScaledLoss, LrTooLow, TooFewSteps]],
            &[Underfitting, VanishingGradient],
            |seed| Program {
                rule: Rule::Momentum(0.9),
                rate: 0.02,
                loss_scale: Some(|_| 1e-3),
                unscales: false,
                ..homes(seed)
            },
        )
        .against(|seed| Program {
            rule: Rule::Momentum(0.9),
            rate: 0.02,
            ..homes(seed)
        }),
    COUNTED
        .case(
            "two-epochs-of-glyphs",
            "too few epochs: two, in batches of 100",
            Fails(0.7),
            &[&[TooFewSteps, LrTooLow]],
            &[Underfitting],
            |seed| Program {
                epochs: 2,
                ..in_hundreds(seed)
            },
        )
        .against(in_hundreds),
    COUNTED
        .case(
            "stopped-at-the-first-bump",
            "too few epochs: early stopping without patience, and a validation loss that jumps",
            ValidFails(0.88),
            &[&[TooFewSteps, Oscillation, NoisyBatch, LrTooHigh]],
            &[Underfitting],
            |seed| Program {
                patience: Some(1),
                ..jumping(seed)
            },
        )
        .against(jumping),
    ASKED
        .case(
            "a-decay-meant-for-adamw",
            "a decay of 0.1, right for AdamW, as an L2 penalty of Adam",
            Fails(0.92),
            &[&[OverRegularized]],
            &[Underfitting, TooFewSteps, LrTooLow],
            |seed| Program {
                decay: Some(0.1),
                ..homes(seed)
            },
        )
        .against(homes),
];

/// Glyphs in batches of 100.
fn in_hundreds(seed: u64) -> Program {
    Program {
        rate: 3e-3,
        batch: 100,
        epochs: 40,
        ..glyphs(seed)
    }
}

/// Plots by a momentum at a rate at which the validation loss jumps, with the patience for that.
fn jumping(seed: u64) -> Program {
    Program {
        rule: Rule::Momentum(0.9),
        rate: 0.04,
        batch: 16,
        epochs: 25,
        patience: Some(6),
        ..plots(seed)
    }
}
