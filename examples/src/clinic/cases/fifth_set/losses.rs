//! Losses and last activations.

use super::data::{calls, faces};
use super::signals::{glyphs, load};
use super::{ASKED, COUNTED, Case, Kind::*, Seen::*};
use crate::clinic::data::digits;
use crate::clinic::layer::{Act, GLOROT, HE, ending_in, mlp};
use crate::clinic::loss::{
    CROSS_ENTROPY, LIKELIHOOD_OF_PROBABILITIES, NEGATIVE_SCORES, POISSON_OF_LOGARITHMS,
    SQUARED_LOGARITHMS,
};
use crate::clinic::program::Program;

pub(super) const CASES: &[Case] = &[
    ASKED
        .case(
            "negative-scores-of-glyphs",
            "a loss that expects log-probabilities gets scores, and falls without end",
            Fails(0.8),
            &[&[OutputMismatch, ScaledLoss]],
            &[
                LrTooHigh,
                ExplodingGradient,
                InitialLoss,
                NonFinite,
                Oscillation,
                DeadUnits,
            ],
            |seed| Program {
                loss: NEGATIVE_SCORES,
                ..glyphs(seed)
            },
        )
        .against(glyphs),
    COUNTED
        .case(
            "a-sigmoid-behind-centred-faces",
            "a wrong last activation: a sigmoid for measures between -1 and 1",
            Fails(0.7),
            &[&[OutputMismatch]],
            &[Saturated, Underfitting, VanishingGradient],
            |seed| Program {
                layers: ending_in(mlp(&[30, 40, 4, 40, 30], Act::Tanh, GLOROT), Act::Sigmoid),
                ..faces(seed)
            },
        )
        .against(faces),
    ASKED
        .case(
            "the-logarithm-of-a-rate-that-is-a-rate",
            "Poisson's loss of the logarithms of rates, and a network that gives rates",
            Fails(0.5),
            &[&[OutputMismatch]],
            &[Underfitting, UnscaledTarget],
            |seed| Program {
                loss: POISSON_OF_LOGARITHMS,
                ..calls(seed)
            },
        )
        .against(calls),
    ASKED
        .case(
            "a-softmax-as-it-is-written",
            "a softmax by hand, of scores above 88: raw pixels up to 255",
            NotANumber,
            &[&[NonFinite, LogOfZero, UnscaledInputs]],
            &[LrTooHigh, ExplodingGradient, InitialLoss, InitScale],
            |seed| {
                let data = digits(seed).map_inputs(|_, pixel| 255.0 * pixel);
                let layers = mlp(&[64, 40, 40, 10], Act::Relu, HE);
                let layers = ending_in(layers, Act::OverflowingSoftmax);
                Program {
                    epochs: 6,
                    ..Program::new(data, layers, LIKELIHOOD_OF_PROBABILITIES)
                }
            },
        )
        .against(|seed| {
            let layers = mlp(&[64, 40, 40, 10], Act::Relu, HE);
            Program {
                epochs: 6,
                ..Program::new(digits(seed), layers, CROSS_ENTROPY)
            }
        }),
    ASKED
        .case(
            "the-logarithm-of-a-load-below-minus-one",
            "squared logarithms of 1 plus a load, which is standardised and below -1 at night",
            NotANumber,
            &[&[NonFinite, LogOfZero, OutputMismatch]],
            &[NonFiniteData],
            |seed| Program {
                loss: SQUARED_LOGARITHMS,
                ..load(seed)
            },
        )
        .against(load),
];
