//! Losses, the last layer before them, and the network.

use super::sources::{
    boxes, cars, churn, garage, gears, genres, passengers, penguins, sleep, spam, turbine,
};
use super::{ASKED, BENCHED, Case, Kind::*, POSTED, Seen::*};
use crate::clinic::layer::{Act, GLOROT, HE, Layer, ending_in, mlp, normal};
use crate::clinic::loss::{
    BINARY_CROSS_ENTROPY, CROSS_ENTROPY_OF_SOFTMAX, MEAN_SQUARED, SUMMED_SQUARES,
    UNBOUNDED_BINARY_CROSS_ENTROPY,
};
use crate::clinic::program::{Program, Rule};
use burn::module::Initializer;

pub(super) const CASES: &[Case] = &[
    POSTED
        .case(
            "a-softmax-before-the-cross-entropy",
            "PyTorch's loss applies a softmax, and the network of sleep has one already: a question of every week",
            LossAbove(0.5),
            &[&[OutputMismatch]],
            &[Underfitting, LrTooLow, TooFewSteps, VanishingGradient, Saturated],
            |seed| {
                let program = sleep(seed);
                Program {
                    layers: ending_in(program.layers.clone(), Act::Softmax),
                    loss: CROSS_ENTROPY_OF_SOFTMAX,
                    ..program
                }
            },
        )
        .against(sleep),
    ASKED
        .case(
            "passengers-behind-a-relu",
            "a ReLU behind the last layer of an LSTM, copied from those before it, and targets of mean 0",
            Fails(0.8),
            &[&[OutputMismatch]],
            &[DeadUnits, Underfitting, VanishingGradient],
            |seed| {
                let program = remembered(seed);
                Program {
                    layers: ending_in(program.layers.clone(), Act::Relu),
                    ..program
                }
            },
        )
        .against(remembered),
    ASKED
        .case(
            "a-sigmoid-for-tens-of-miles",
            "a regression that ends in the sigmoid of the tutorial on classification, and targets from 0.5 to 5",
            Fails(0.4),
            &[&[OutputMismatch]],
            &[UnscaledTarget, Saturated, Underfitting, VanishingGradient, LrTooLow, TooFewSteps],
            |seed| {
                let program = tens(seed);
                Program {
                    layers: ending_in(program.layers.clone(), Act::Sigmoid),
                    ..program
                }
            },
        )
        .against(tens),
    POSTED
        .case(
            "a-softmax-over-one-customer",
            "one output with a softmax, which is 1 whatever comes: the accuracy is the share of a class, in every epoch",
            Fails(0.75),
            &[&[OutputMismatch]],
            &[Underfitting, InitialLoss, NoGradients, NeverTrained, VanishingGradient],
            |seed| Program {
                layers: ending_in(mlp(&[5, 24, 24, 1], Act::Relu, HE), Act::Softmax),
                ..churn(seed)
            },
        )
        .against(churn),
    POSTED
        .case(
            "one-sigmoid-for-three-penguins",
            "labels 0, 1 and 2, one output with a sigmoid and a binary cross-entropy, whose loss falls below 0: a \
             question about ten digits",
            Fails(0.75),
            &[&[OutputMismatch]],
            &[Saturated, Underfitting, ExplodingGradient, VanishingGradient],
            |seed| Program {
                layers: ending_in(mlp(&[4, 16, 1], Act::Relu, HE), Act::Sigmoid),
                loss: BINARY_CROSS_ENTROPY,
                ..penguins(seed)
            },
        )
        .against(penguins),
    BENCHED
        .case(
            "a-logarithm-by-hand",
            "a binary cross-entropy written by hand, and a probability that becomes 1: `loss becomes nan after some epochs`",
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
            "a-sum-in-place-of-a-mean",
            "`reduction='sum'` at a rate for means: gradients are thirty-two times as large",
            Fails(0.6),
            &[&[ScaledLoss, LrTooHigh, ExplodingGradient]],
            &[NonFinite, Oscillation, DeadUnits, InitialLoss, Underfitting],
            |seed| Program {
                loss: SUMMED_SQUARES,
                ..rolled(seed)
            },
        )
        .against(rolled),
    BENCHED
        .case(
            "a-turbine-without-activations",
            "dense layers in a row and no activation between them, `the network learns a straight line`",
            Fails(0.93),
            &[&[LinearNetwork, Underfitting]],
            &[],
            |seed| Program {
                layers: mlp(&[3, 32, 32, 1], Act::Identity, GLOROT),
                ..turbine(seed)
            },
        )
        .against(turbine),
    BENCHED
        .case(
            "genres-through-two-units",
            "a hidden layer of two units for four labels",
            Fails(0.45),
            &[&[Underfitting]],
            &[DeadUnits, LrTooLow, TooFewSteps],
            |seed| genres(seed, 2),
        )
        .against(|seed| genres(seed, 32)),
    BENCHED
        .case(
            "seven-sigmoids-of-customers",
            "seven hidden layers with a sigmoid each, and the accuracy does not leave the share of a class",
            Fails(0.75),
            &[&[VanishingGradient]],
            &[LrTooLow, TooFewSteps, Underfitting, Saturated, InitScale],
            |seed| Program {
                layers: deep(Act::Sigmoid, GLOROT),
                ..momentous(seed)
            },
        )
        .against(|seed| Program {
            layers: deep(Act::Relu, HE),
            ..momentous(seed)
        }),
    BENCHED
        .case(
            "gauges-from-randn",
            "weights from a normal distribution of deviation 1 for an autoencoder of tanh units",
            Fails(0.8),
            &[&[InitScale, Saturated]],
            &[VanishingGradient, ExplodingGradient, InitialLoss, Underfitting, LrTooLow, TooFewSteps],
            |seed| Program {
                layers: mlp(&[16, 24, 3, 24, 16], Act::Tanh, normal(2.0)),
                ..gears(seed)
            },
        )
        .against(gears),
    ASKED
        .case(
            "cars-from-zeros",
            "weights begin at zero, as in an exercise on linear regression, in a network of ReLUs",
            Fails(0.7),
            &[&[ConstantInit, InitScale]],
            &[DeadUnits, NoGradients, NeverTrained, VanishingGradient, Underfitting],
            |seed| Program {
                layers: mlp(&[5, 32, 16, 1], Act::Relu, Initializer::Zeros),
                ..cars(seed)
            },
        )
        .against(cars),
    POSTED
        .case(
            "boxes-with-dropout-of-eighty-percent",
            "dropout behind each layer, 0.8 each, in a convolutional network of six channels",
            Fails(0.75),
            &[&[DropoutTooHigh]],
            &[Underfitting, NoisyBatch, LrTooLow, TooFewSteps, WrongMode],
            |seed| {
                let program = boxes(seed);
                let mut layers = Vec::new();
                for layer in program.layers.clone() {
                    let is_act = matches!(layer, Layer::Act(_));
                    layers.push(layer);
                    if is_act {
                        layers.push(Layer::Dropout(0.8));
                    }
                }
                Program { layers, ..program }
            },
        )
        .against(boxes),
];

/// The passengers in an LSTM.
fn remembered(seed: u64) -> Program {
    passengers(seed, Layer::Lstm { hidden: 12 }, 12)
}

/// Miles divided by ten.
fn tens(seed: u64) -> Program {
    let data = garage(seed).standard_inputs();
    Program {
        data: data.map_targets(|miles| miles / 10.0),
        ..cars(seed)
    }
}

/// Mails that can be told for certain, for long.
fn certain(seed: u64) -> Program {
    Program {
        rule: Rule::Momentum(0.9),
        rate: 0.3,
        epochs: 30,
        ..spam(seed)
    }
}

/// The cars by momentum.
fn rolled(seed: u64) -> Program {
    Program {
        rule: Rule::Momentum(0.9),
        rate: 0.01,
        loss: MEAN_SQUARED,
        ..cars(seed)
    }
}

/// The customers by momentum.
fn momentous(seed: u64) -> Program {
    Program {
        rule: Rule::Momentum(0.9),
        rate: 0.02,
        ..churn(seed)
    }
}

/// Seven hidden layers.
fn deep(act: Act, weight: Initializer) -> Vec<Layer> {
    let widths = [5, 20, 20, 20, 20, 20, 20, 20, 1];
    ending_in(mlp(&widths, act, weight), Act::Sigmoid)
}
