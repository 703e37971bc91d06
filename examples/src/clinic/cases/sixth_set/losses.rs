//! Losses, and the last layer before them.

use super::series::river;
use super::tables::{moons, patients, pendulum, rain, wines};
use super::{ASKED, COUNTED, Case, Kind::*, Seen::*};
use crate::clinic::data::digits;
use crate::clinic::layer::{Act, GLOROT, HE, Layer, ending_in, mlp};
use crate::clinic::loss::{
    CROSS_ENTROPY_BY_COUNTS, LIKELIHOOD_OF_PROBABILITIES, MEAN_ABSOLUTE, MEAN_PROBABILITY,
    MEAN_SHARE, UNBOUNDED_BINARY_CROSS_ENTROPY,
};
use crate::clinic::program::{Program, Rule};

pub(super) const CASES: &[Case] = &[
    ASKED
        .case(
            "class-weights-as-counts",
            "each row weighs as much as the other classes have rows, some hundreds, and nobody divides",
            Fails(0.75),
            &[&[ScaledLoss, LrTooHigh, Oscillation]],
            &[ExplodingGradient, Saturated, VanishingGradient, InitialLoss],
            |seed| Program {
                loss: CROSS_ENTROPY_BY_COUNTS,
                rule: Rule::Momentum(0.9),
                rate: 0.05,
                ..wines(seed)
            },
        )
        .against(|seed| Program {
            rule: Rule::Momentum(0.9),
            rate: 0.05,
            ..wines(seed)
        }),
    COUNTED
        .case(
            "a-softmax-for-two-changes",
            "a wrong last activation: a softmax behind a regression of two numbers",
            Fails(0.6),
            &[&[OutputMismatch]],
            &[Underfitting, Saturated, VanishingGradient],
            |seed| {
                let program = pendulum(seed);
                Program {
                    layers: ending_in(program.layers.clone(), Act::Softmax),
                    ..program
                }
            },
        )
        .against(pendulum),
    COUNTED
        .case(
            "a-tanh-for-a-probability",
            "a wrong last activation: a tanh where the loss takes the logarithm of a probability",
            Fails(0.9),
            &[&[OutputMismatch]],
            &[Underfitting, LogOfZero, InitialLoss, VanishingGradient, Saturated],
            |seed| Program {
                layers: ending_in(mlp(&[9, 24, 24, 1], Act::Relu, HE), Act::Tanh),
                ..patients(seed)
            },
        )
        .against(patients),
    ASKED
        .case(
            "likelihood-without-its-logarithm",
            "the mean negative probability of the right class: probabilities where their logarithms are expected",
            Fails(0.7),
            &[&[OutputMismatch, ScaledLoss]],
            &[Underfitting, LrTooLow, TooFewSteps, VanishingGradient],
            |seed| Program {
                loss: MEAN_PROBABILITY,
                ..digits_in_probabilities(seed)
            },
        )
        .against(digits_in_probabilities),
    COUNTED
        .case(
            "a-layer-norm-of-one-number",
            "a norm behind a single output, which it makes 0",
            Fails(0.4),
            &[&[ConstantOutput, NormStatistics]],
            &[Underfitting, VanishingGradient, NoGradients, NeverTrained, OutputMismatch],
            |seed| {
                let mut program = river(seed, [0.0, 1.0]);
                program.layers.push(Layer::LayerNorm(1));
                program
            },
        )
        .against(|seed| river(seed, [0.0, 1.0])),
    ASKED
        .case(
            "a-cross-entropy-by-hand",
            "the logarithms of p and of 1 - p, until a probability is 1",
            NotANumber,
            &[&[LogOfZero]],
            &[NonFinite, LrTooHigh, ExplodingGradient, Saturated],
            |seed| Program {
                loss: UNBOUNDED_BINARY_CROSS_ENTROPY,
                ..eager_moons(seed)
            },
        )
        .against(eager_moons),
    ASKED
        .case(
            "percent-of-no-rain",
            "the mean absolute difference in per cent of a target that is 0 in half of the hours",
            NotANumber,
            &[&[NonFinite]],
            &[ExplodingGradient, UnscaledTarget, ScaledLoss],
            |seed| Program {
                loss: MEAN_SHARE,
                ..rain(seed)
            },
        )
        .against(|seed| Program {
            loss: MEAN_ABSOLUTE,
            ..rain(seed)
        }),
];

/// The digits, a softmax, plain gradient descent, and the logarithm of a probability.
fn digits_in_probabilities(seed: u64) -> Program {
    let layers = ending_in(mlp(&[64, 32, 32, 10], Act::Relu, GLOROT), Act::Softmax);
    Program {
        rule: Rule::Sgd,
        rate: 0.1,
        epochs: 8,
        ..Program::new(digits(seed), layers, LIKELIHOOD_OF_PROBABILITIES)
    }
}

/// The moons at five times the rate, for twice as long.
fn eager_moons(seed: u64) -> Program {
    Program {
        rate: 5e-2,
        epochs: 60,
        ..moons(seed)
    }
}
