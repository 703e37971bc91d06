//! Losses, the last layer before them, and the network.

use super::pictures::signs;
use super::signals::counted;
use super::tables::{beans, charges, mushrooms, scooters, wings};
use super::{ASKED, Case, Kind::*, Seen::*};
use crate::clinic::layer::{Act, GLOROT, HE, Layer, dense, ending_in, mlp, normal};
use crate::clinic::loss::{CROSS_ENTROPY_OF_SOFTMAX, UNBOUNDED_BINARY_CROSS_ENTROPY};
use crate::clinic::program::{Program, Rule};
use burn::module::Initializer;

pub(super) const CASES: &[Case] = &[
    ASKED
        .case(
            "signs-through-two-softmaxes",
            "a softmax at the end of a convolutional network, and a loss that has one: the loss does not fall below 0.74",
            LossAbove(0.7),
            &[&[OutputMismatch]],
            &[Underfitting, LrTooLow, TooFewSteps, VanishingGradient, Saturated, DropoutTooHigh],
            |seed| {
                let program = signs(seed);
                Program {
                    layers: ending_in(program.layers.clone(), Act::Softmax),
                    loss: CROSS_ENTROPY_OF_SOFTMAX,
                    ..program
                }
            },
        )
        .against(signs),
    ASKED
        .case(
            "charges-behind-a-relu",
            "a ReLU behind every layer, the last one too, and standardised targets of which half are below 0",
            Fails(0.7),
            &[&[OutputMismatch]],
            &[DeadUnits, Underfitting, VanishingGradient],
            |seed| {
                let program = charges(seed);
                Program {
                    layers: ending_in(program.layers.clone(), Act::Relu),
                    ..program
                }
            },
        )
        .against(charges),
    ASKED
        .case(
            "scooters-behind-a-sigmoid",
            "a network for probabilities is taken for numbers of mean 0, and its sigmoid stays: no number is below 0 or above 1",
            Fails(0.7),
            &[&[OutputMismatch]],
            &[Saturated, Underfitting, VanishingGradient, LrTooLow, TooFewSteps],
            |seed| {
                let program = scooters(seed);
                Program {
                    layers: ending_in(program.layers.clone(), Act::Sigmoid),
                    ..program
                }
            },
        )
        .against(scooters),
    ASKED
        .case(
            "mushrooms-until-a-logarithm-of-zero",
            "a binary cross-entropy as in the textbook, and a rule without exceptions: a probability becomes 1, and the loss \
             no number",
            NotANumber,
            &[&[LogOfZero]],
            &[NonFinite, LrTooHigh, Saturated, ExplodingGradient, Oscillation],
            |seed| Program {
                loss: UNBOUNDED_BINARY_CROSS_ENTROPY,
                ..certain(seed)
            },
        )
        .against(certain),
    ASKED
        .case(
            "wings-without-a-bend",
            "three dense layers in a row, and nobody has told that an activation belongs between them",
            Fails(0.75),
            &[&[LinearNetwork, Underfitting]],
            &[],
            |seed| Program {
                layers: mlp(&[5, 48, 48, 1], Act::Identity, GLOROT),
                ..wings(seed)
            },
        )
        .against(wings),
    ASKED
        .case(
            "beans-from-a-deviation-of-0-05",
            "nine hidden layers of tanh whose weights are drawn with a deviation of 0.05, as an old tutorial has it: the \
             loss stays at ln(7)",
            Fails(0.5),
            &[&[VanishingGradient, InitScale]],
            &[LrTooLow, TooFewSteps, Underfitting, ConstantOutput],
            |seed| deep(seed, normal(0.05)),
        )
        .against(|seed| deep(seed, GLOROT)),
    ASKED
        .case(
            "headlines-with-nineteen-of-twenty-dropped",
            "dropout of 0.95, where the paper's 0.95 is what is kept",
            Fails(0.6),
            &[&[DropoutTooHigh]],
            &[Underfitting, NoisyBatch, LrTooLow, TooFewSteps, WrongMode],
            |seed| Program {
                layers: vec![
                    Layer::Dropout(0.95),
                    dense(150, 32, HE),
                    Layer::Act(Act::Relu),
                    Layer::Dropout(0.95),
                    dense(32, 5, GLOROT),
                ],
                ..counted(seed)
            },
        )
        .against(counted),
];

/// Mushrooms in a network that becomes sure of them.
fn certain(seed: u64) -> Program {
    Program {
        rate: 2e-2,
        epochs: 25,
        ..mushrooms(seed)
    }
}

/// Beans through nine hidden layers.
fn deep(seed: u64, weight: Initializer) -> Program {
    Program {
        layers: mlp(
            &[10, 32, 32, 32, 32, 32, 32, 32, 32, 32, 7],
            Act::Tanh,
            weight,
        ),
        rule: Rule::Momentum(0.9),
        rate: 0.02,
        decay: None,
        epochs: 25,
        ..beans(seed)
    }
}
