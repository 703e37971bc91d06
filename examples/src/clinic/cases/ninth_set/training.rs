//! Learning rates, numbers of epochs, and loops.

use super::pictures::{dials, dropped_digits};
use super::signals::{movers, opinions, syllables};
use super::tables::plant;
use super::{ASKED, Case, Kind::*, Seen::*};
use crate::clinic::program::{Program, Rule, Validation};

pub(super) const CASES: &[Case] = &[
    ASKED
        .case(
            "opinions-at-a-half",
            "an LSTM over words at a rate of 0.5 with Adam: `accuracy of my LSTM stays at 50 %`",
            Fails(0.8),
            &[&[LrTooHigh]],
            &[Saturated, ExplodingGradient, Oscillation, ConstantOutput, Underfitting, NoisyBatch, VanishingGradient, DeadUnits],
            |seed| Program {
                rate: 0.5,
                ..opinions(seed)
            },
        )
        .against(opinions),
    ASKED
        .case(
            "dials-by-momentum-at-a-half",
            "momentum at a rate of 0.5 for pictures: after some steps each angle is the same, or none is a number",
            Fails(0.6),
            &[&[LrTooHigh, ExplodingGradient]],
            &[NonFinite, DeadUnits, Oscillation, ConstantOutput, Underfitting, NoisyBatch, VanishingGradient],
            |seed| Program {
                rate: 0.5,
                ..rolled(seed)
            },
        )
        .against(rolled),
    ASKED
        .case(
            "movers-at-a-rate-for-fine-tuning",
            "Adam at 1e-5, copied from a script for a network that was trained before",
            Fails(0.75),
            &[&[LrTooLow, TooFewSteps]],
            &[Underfitting],
            |seed| Program {
                rate: 1e-5,
                ..movers(seed)
            },
        )
        .against(movers),
    ASKED
        .case(
            "a-plant-for-an-epoch",
            "an autoencoder is stopped after an epoch, when its loss falls fastest",
            Fails(0.7),
            &[&[TooFewSteps, LrTooLow]],
            &[Underfitting],
            |seed| Program {
                rate: 1e-3,
                epochs: 1,
                ..plant(seed)
            },
        )
        .against(|seed| Program {
            rate: 1e-3,
            epochs: 40,
            ..plant(seed)
        }),
    ASKED
        .case(
            "syllables-without-zero-grad",
            "a model of a language whose gradients nobody clears: the loss falls, rises and swings",
            Fails(0.4),
            &[&[AccumulatedGradients]],
            &[LrTooHigh, Oscillation, ExplodingGradient, Underfitting, NoisyBatch, DeadUnits],
            |seed| Program {
                clears: false,
                ..syllables(seed)
            },
        )
        .against(syllables),
    ASKED
        .case(
            "digits-one-by-one-without-eval",
            "validated image by image with batch norm and dropout as in the training: `why is my test accuracy so bad \
             when I test a single image?`",
            ValidFails(0.8),
            &[&[WrongMode, SingleSampleNorm]],
            &[DropoutTooHigh, Overfitting, NoisyBatch, NormStatistics],
            |seed| Program {
                validation: Validation::OneByOneInTraining(60),
                ..dropped_digits(seed)
            },
        )
        .against(dropped_digits),
];

/// The dials by momentum.
fn rolled(seed: u64) -> Program {
    Program {
        rule: Rule::Momentum(0.9),
        rate: 0.01,
        ..dials(seed)
    }
}
