//! Learning rates, batches, schedules, penalties, and loops that do what nobody meant.

use super::series::{cloths_by_momentum, heartbeats, movements, spectra, words};
use super::tables::{pendulum, wines};
use super::{ASKED, COUNTED, Case, Kind::*, MUTATED, Seen::*};
use crate::clinic::program::{Program, Rule};

pub(super) const CASES: &[Case] = &[
    COUNTED
        .case(
            "heartbeats-at-a-half",
            "a learning rate too high: Adam at 0.5 and two convolutions of a series",
            Fails(0.8),
            &[&[LrTooHigh, Oscillation]],
            &[
                DeadUnits,
                ExplodingGradient,
                VanishingGradient,
                NonFinite,
                NoisyBatch,
            ],
            |seed| Program {
                rate: 0.5,
                ..heartbeats(seed)
            },
        )
        .against(heartbeats),
    COUNTED
        .case(
            "a-rate-for-batches-of-512",
            "a learning rate too high: scaled for 32 times as many rows as the batch has",
            Fails(0.75),
            &[&[LrTooHigh, Oscillation]],
            &[Saturated, ExplodingGradient, NoisyBatch, VanishingGradient],
            |seed| Program {
                rule: Rule::Momentum(0.9),
                rate: 0.8,
                batch: 16,
                ..wines(seed)
            },
        )
        .against(|seed| Program {
            rule: Rule::Momentum(0.9),
            rate: 0.025,
            batch: 16,
            ..wines(seed)
        }),
    MUTATED
        .case(
            "movements-at-a-ten-thousandth",
            "decrease learning rate: momentum at 1e-4 and a GRU",
            Fails(0.75),
            &[&[LrTooLow, TooFewSteps]],
            &[Underfitting, VanishingGradient],
            |seed| Program {
                rule: Rule::Momentum(0.9),
                rate: 1e-4,
                ..movements(seed)
            },
        )
        .against(|seed| Program {
            rule: Rule::Momentum(0.9),
            rate: 0.1,
            ..movements(seed)
        }),
    MUTATED
        .case(
            "wines-by-the-row",
            "change batch size: one row at a rate for thirty-two",
            Fails(0.83),
            &[&[NoisyBatch, LrTooHigh, Oscillation]],
            &[Saturated, ExplodingGradient, VanishingGradient],
            |seed| Program {
                rate: 0.025,
                batch: 1,
                epochs: 4,
                ..wines(seed)
            },
        )
        .against(|seed| Program {
            rate: 0.025,
            epochs: 4,
            ..wines(seed)
        }),
    ASKED
        .case(
            "a-plateau-watched-the-wrong-way",
            "the rate is divided by ten when the loss has not risen for an epoch: mode \"max\" for a loss",
            Fails(0.9),
            &[&[LrTooLow, TooFewSteps]],
            &[Underfitting],
            |seed| Program {
                // Twenty-nine batches in an epoch.
                schedule: Some(|step| 0.1_f64.powi(step as i32 / 29)),
                ..spectra(seed)
            },
        )
        .against(spectra),
    ASKED
        .case(
            "a-polynomial-past-its-end",
            "a linear decay to 0 for half as many epochs as there are: the rate becomes negative",
            Fails(0.8),
            &[&[LrInvalid]],
            &[LrTooHigh, ExplodingGradient, NonFinite, Saturated, Oscillation],
            |seed| Program {
                // Thirty-two batches in an epoch.
                schedule: Some(|step| 1.0 - step as f64 / 400.0),
                ..pendulum(seed)
            },
        )
        .against(|seed| Program {
            schedule: Some(|step| 1.0 - step as f64 / 800.0),
            ..pendulum(seed)
        }),
    MUTATED
        .case(
            "two-epochs-of-words",
            "change number of epochs: two are enough for a pretrained transformer, and this one is new",
            Fails(0.8),
            &[&[TooFewSteps, LrTooLow]],
            &[Underfitting],
            |seed| Program {
                rate: 1e-3,
                batch: 64,
                epochs: 2,
                ..words(seed)
            },
        )
        .against(|seed| Program {
            rate: 1e-3,
            batch: 64,
            epochs: 25,
            ..words(seed)
        }),
    MUTATED
        .case(
            "a-decay-for-another-rule",
            "add weights regularisation: an L2 penalty of 0.2 beside momentum",
            Fails(0.8),
            &[&[OverRegularized]],
            &[Underfitting, ConstantOutput, VanishingGradient, DeadUnits],
            |seed| Program {
                decay: Some(0.2),
                ..cloths_by_momentum(seed)
            },
        )
        .against(|seed| Program {
            decay: Some(1e-4),
            ..cloths_by_momentum(seed)
        }),
    ASKED
        .case(
            "cloths-without-zero-grad",
            "images, momentum, and gradients that nobody clears",
            Fails(0.8),
            &[&[AccumulatedGradients]],
            &[
                LrTooHigh,
                ExplodingGradient,
                Oscillation,
                DeadUnits,
                VanishingGradient,
                NonFinite,
            ],
            |seed| Program {
                clears: false,
                ..cloths_by_momentum(seed)
            },
        )
        .against(cloths_by_momentum),
];
