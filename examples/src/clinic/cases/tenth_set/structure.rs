//! Losses, the last layer before them, and the network.

use super::series::{bearings, rolled_bearings};
use super::tables::{houses, power, sky};
use super::{ASKED, Case, Kind::*, Seen::*};
use crate::clinic::layer::{Act, GLOROT, HE, ending_in, mlp};
use crate::clinic::loss::{CROSS_ENTROPY_OF_SOFTMAX, CROSSED_SQUARES};
use crate::clinic::program::Program;
use burn::module::Initializer;

pub(super) const CASES: &[Case] = &[
    ASKED
        .case(
            "bearings-through-two-softmaxes",
            "a softmax at the end, before a loss that has one: `accuracy is fine, but the loss stays at 0.9`",
            LossAbove(0.85),
            &[&[OutputMismatch]],
            &[Underfitting, LrTooLow, TooFewSteps, VanishingGradient, Saturated],
            |seed| {
                let program = rolled_bearings(seed);
                Program {
                    layers: ending_in(program.layers.clone(), Act::Softmax),
                    loss: CROSS_ENTROPY_OF_SOFTMAX,
                    ..program
                }
            },
        )
        .against(rolled_bearings),
    ASKED
        .case(
            "houses-behind-a-softmax",
            "the last layer of a tutorial on classes stays for two numbers: both are above 0 and add up to 1",
            Fails(0.6),
            &[&[OutputMismatch]],
            &[Saturated, Underfitting, VanishingGradient, LrTooLow, TooFewSteps],
            |seed| {
                let program = houses(seed);
                Program {
                    layers: ending_in(program.layers.clone(), Act::Softmax),
                    ..program
                }
            },
        )
        .against(houses),
    ASKED
        .case(
            "power-broadcast-against-itself",
            "outputs of shape [64, 1] minus targets of shape [64]: the framework takes all pairs, and the network learns the \
             mean",
            Fails(0.3),
            &[&[OutputMismatch]],
            &[Underfitting, ConstantOutput, UnrelatedLabels],
            |seed| Program {
                loss: CROSSED_SQUARES,
                ..power(seed)
            },
        )
        .against(power),
    ASKED
        .case(
            "stars-through-eight-sigmoids",
            "eight hidden layers with a sigmoid each: `accuracy is one third in every epoch`",
            ValidFails(0.6),
            &[&[VanishingGradient]],
            &[LrTooLow, TooFewSteps, Underfitting, Saturated, InitScale, ConstantOutput],
            |seed| deep(seed, Act::Sigmoid, GLOROT),
        )
        .against(|seed| deep(seed, Act::Relu, HE)),
    ASKED
        .case(
            "bearings-through-two-units",
            "a hidden layer of two units for five classes",
            Fails(0.8),
            &[&[Underfitting]],
            &[DeadUnits, LrTooLow, TooFewSteps],
            |seed| Program {
                layers: mlp(&[32, 2, 5], Act::Relu, HE),
                ..bearings(seed)
            },
        )
        .against(bearings),
];

/// Stars through eight hidden layers.
fn deep(seed: u64, act: Act, weight: Initializer) -> Program {
    Program {
        layers: mlp(&[6, 24, 24, 24, 24, 24, 24, 24, 24, 3], act, weight),
        ..sky(seed)
    }
}
