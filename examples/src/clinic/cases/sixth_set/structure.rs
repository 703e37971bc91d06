//! Layers: missing, wrong, too many, frozen, or with weights that begin wrongly.

use super::series::words;
use super::tables::{concrete, moons, pendulum, wines};
use super::{ASKED, COUNTED, Case, Kind::*, MUTATED, Seen::*};
use crate::clinic::layer::{Act, GLOROT, HE, Layer, dense, ending_in, mlp};
use crate::clinic::program::Program;
use burn::module::Initializer;

pub(super) const CASES: &[Case] = &[
    MUTATED
        .case(
            "moons-from-a-tenth",
            "change weights initialisation: every weight is 0.1",
            Fails(0.9),
            &[&[ConstantInit]],
            &[InitScale, Underfitting, VanishingGradient],
            |seed| Program {
                layers: ending_in(
                    mlp(&[2, 16, 16, 1], Act::Relu, Initializer::Constant { value: 0.1 }),
                    Act::Sigmoid,
                ),
                ..moons(seed)
            },
        )
        .against(moons),
    COUNTED
        .case(
            "weights-from-minus-one-to-one",
            "wrong initial weights: uniform in [-1, 1) in four layers of 64 tanh",
            ValidFails(0.9),
            &[&[InitScale, Saturated]],
            &[
                InitialLoss,
                ExplodingGradient,
                Overfitting,
                TooLargeModel,
                LrTooHigh,
                RandomBias,
            ],
            |seed| swinging(seed, Initializer::Uniform { min: -1.0, max: 1.0 }),
        )
        .against(|seed| swinging(seed, GLOROT)),
    COUNTED
        .case(
            "a-letter-as-one-number",
            "wrong sizes: embeddings of one number, and two units behind them",
            Fails(0.8),
            &[&[Underfitting]],
            &[DeadUnits, TooFewSteps, LrTooLow],
            |seed| Program {
                layers: spelled(1, 2),
                clips: None,
                epochs: 5,
                ..words(seed)
            },
        )
        .against(|seed| Program {
            layers: spelled(8, 32),
            clips: None,
            epochs: 5,
            ..words(seed)
        }),
    MUTATED
        .case(
            "a-pendulum-in-straight-lines",
            "remove activation function: three layers without one",
            Fails(0.8),
            &[&[LinearNetwork]],
            &[Underfitting],
            |seed| Program {
                layers: mlp(&[3, 32, 32, 2], Act::Identity, GLOROT),
                ..pendulum(seed)
            },
        )
        .against(pendulum),
    COUNTED
        .case(
            "ten-sigmoids-deep",
            "a wrong activation: ten layers of sigmoids",
            Fails(0.75),
            &[&[VanishingGradient]],
            &[
                Saturated,
                ConstantOutput,
                Underfitting,
                InitScale,
                LrTooLow,
                TooFewSteps,
            ],
            |seed| tower(seed, Act::Sigmoid),
        )
        .against(|seed| tower(seed, Act::Elu)),
    ASKED
        .case(
            "through-an-array-and-back",
            "the signal behind the first layer is made an array and a tensor again, and no gradient comes through",
            Fails(0.8),
            &[&[NeverTrained, Frozen, NoGradients]],
            &[Underfitting],
            |seed| Program {
                layers: squeezed(Act::Detach),
                ..concrete(seed)
            },
        )
        .against(|seed| Program {
            layers: squeezed(Act::Identity),
            ..concrete(seed)
        }),
    ASKED
        .case(
            "an-encoder-never-thawed",
            "embeddings and the block of a transformer need no gradient, as if they had been trained before",
            Fails(0.85),
            &[&[Frozen, NeverTrained]],
            &[Underfitting],
            |seed| Program {
                frozen: &["layers.0", "layers.2"],
                ..words(seed)
            },
        )
        .against(words),
    MUTATED
        .case(
            "three-columns-of-four-dropped",
            "change dropout rate: 0.75 on the eight columns of a table",
            Fails(0.8),
            &[&[DropoutTooHigh]],
            &[Underfitting, NoisyBatch, TooFewSteps, LrTooLow],
            |seed| {
                let mut program = concrete(seed);
                program.layers.insert(0, Layer::Dropout(0.75));
                program
            },
        )
        .against(concrete),
];

/// The pendulum through four layers.
fn swinging(seed: u64, weight: Initializer) -> Program {
    Program {
        layers: mlp(&[3, 64, 64, 64, 64, 2], Act::Tanh, weight),
        rate: 1e-3,
        ..pendulum(seed)
    }
}

/// Embeddings of this width, a hidden layer, and three scores.
fn spelled(width: usize, hidden: usize) -> Vec<Layer> {
    vec![
        Layer::Embedding { count: 12, width },
        dense(10 * width, hidden, HE),
        Layer::Act(Act::Relu),
        dense(hidden, 3, GLOROT),
    ]
}

/// The wines through ten layers.
fn tower(seed: u64, act: Act) -> Program {
    let mut widths = [24; 12];
    (widths[0], widths[11]) = (8, 3);
    Program {
        layers: mlp(&widths, act, GLOROT),
        rate: 2e-3,
        ..wines(seed)
    }
}

/// Three units, and two layers behind them.
fn squeezed(between: Act) -> Vec<Layer> {
    let mut layers = vec![dense(8, 3, GLOROT), Layer::Act(Act::Tanh)];
    layers.push(Layer::Act(between));
    layers.extend(mlp(&[3, 32, 1], Act::Tanh, GLOROT));
    layers
}
