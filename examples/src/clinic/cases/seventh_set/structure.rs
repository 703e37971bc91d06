//! Layers: missing, wrong, or in the wrong place.

use super::signals::pedals;
use super::tables::{lamps, soils, stars};
use super::{ASKED, Case, Kind::*, Seen::*};
use crate::clinic::layer::{Act, Dense, HE, Layer, mlp, normed};
use crate::clinic::program::Program;

pub(super) const CASES: &[Case] = &[
    ASKED
        .case(
            "no-bias-anywhere",
            "no layer has a bias, and a star that is twice as far away gets twice the scores",
            Fails(0.75),
            &[&[Underfitting]],
            &[LinearNetwork, TooFewSteps, LrTooLow, UnrelatedLabels],
            |seed| stars(seed, without_bias(mlp(&[3, 24, 24, 2], Act::Relu, HE))),
        )
        .against(|seed| stars(seed, mlp(&[3, 24, 24, 2], Act::Relu, HE))),
    ASKED
        .case(
            "signs-without-a-gradient",
            "hidden units are -1 or 1, and nothing stands for the gradient of a sign",
            Fails(0.75),
            &[&[NoGradients, NeverTrained, VanishingGradient, Frozen]],
            &[Underfitting, Saturated],
            |seed| signs(seed, Act::Sign),
        )
        .against(|seed| signs(seed, Act::Tanh)),
    ASKED
        .case(
            "norms-from-zero",
            "the scales of layer norms begin at 0, as in a residual branch, and there is no branch",
            Fails(0.6),
            &[&[
                ConstantOutput,
                NoGradients,
                NeverTrained,
                VanishingGradient,
                DeadUnits,
                ConstantInit,
                NormStatistics,
                InitScale,
            ]],
            &[Underfitting],
            |seed| normed_soils(seed, Layer::LayerNormFromZero),
        )
        .against(|seed| normed_soils(seed, Layer::LayerNorm)),
    ASKED
        .case(
            "a-norm-of-what-is-asked",
            "a layer norm of the inputs takes away how bright it is, and that is the question",
            ValidFails(0.6),
            &[&[Underfitting, UnrelatedLabels, NormStatistics]],
            &[Overfitting, LrTooLow, TooFewSteps, NoisyBatch],
            |seed| {
                let mut program = lamps(seed);
                program.layers.insert(0, Layer::LayerNorm(6));
                program
            },
        )
        .against(lamps),
    ASKED
        .case(
            "rows-for-time",
            "a GRU that expects the time first gets the batch first, and goes from row to row",
            Fails(0.88),
            &[&[Underfitting, UnrelatedLabels]],
            &[NoisyBatch, LrTooLow, TooFewSteps, VanishingGradient],
            |seed| pedals(seed, Layer::GruOverRows { hidden: 12 }),
        )
        .against(|seed| pedals(seed, Layer::Gru { hidden: 12 })),
];

/// `layers` without a bias.
fn without_bias(layers: Vec<Layer>) -> Vec<Layer> {
    let bare = |layer: Layer| match layer {
        Layer::Dense(dense) => Layer::Dense(Dense {
            bias: None,
            ..dense
        }),
        layer => layer,
    };
    layers.into_iter().map(bare).collect()
}

/// The soils through two layers of sixteen units.
fn signs(seed: u64, act: Act) -> Program {
    Program {
        layers: mlp(&[6, 16, 16, 3], act, HE),
        ..soils(seed)
    }
}

/// The soils with norms before the activations.
fn normed_soils(seed: u64, norm: fn(usize) -> Layer) -> Program {
    Program {
        layers: normed(mlp(&[6, 32, 32, 3], Act::Relu, HE), norm),
        ..soils(seed)
    }
}
