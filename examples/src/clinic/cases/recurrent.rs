//! Networks that go through a sequence step by step.

use super::{Case, Expect, Kind::*, Origin, Seen::*};
use crate::clinic::data::sequences;
use crate::clinic::layer::{Act, GLOROT, Layer, dense, normal};
use crate::clinic::loss::MEAN_SQUARED;
use crate::clinic::program::{Program, Rule};
use burn::module::Initializer;

const ORTHOGONAL: Initializer = Initializer::Orthogonal { gain: 1.0 };

pub(super) const CASES: &[Case] = &[
    Case {
        name: "recurrent-relu-explodes",
        story: "recurrent weights of spectral radius 1.7 and sixty steps of ReLU: not a number in epoch 1",
        source: "https://github.com/keras-team/keras/issues/2194; arXiv 1211.5063",
        origin: Origin::Published,
        seen: NotANumber,
        program: |seed| over_time(seed, Act::Relu, normal(0.3)),
        expect: Expect {
            causes: &[&[ExplodingGradient, InitScale, ConstantInit, RandomBias]],
            fair: &[LrTooHigh, NonFinite, Saturated],
            not: &[NonFiniteData, LogOfZero],
            paths: &["layers.0"],
        },
        twin: Some(tame),
    },
    Case {
        name: "recurrent-weights-of-one",
        story: "a recurrent matrix that is 1 everywhere, behind a ReLU: each step multiplies by the width",
        source: "made: the sum of the last five of sixty numbers",
        origin: Origin::Made,
        seen: NotANumber,
        program: |seed| over_time(seed, Act::Relu, Initializer::Ones),
        expect: Expect {
            causes: &[&[ExplodingGradient, InitScale, ConstantInit, RandomBias]],
            fair: &[LrTooHigh, NonFinite],
            not: &[NonFiniteData, LrTooLow],
            paths: &["layers.0"],
        },
        twin: Some(tame),
    },
];

fn over_time(seed: u64, act: Act, recurrent: Initializer) -> Program {
    let layers = vec![
        Layer::Recurrent {
            hidden: 32,
            act,
            recurrent,
        },
        dense(32, 1, GLOROT),
    ];
    Program {
        rule: Rule::Sgd,
        rate: 0.01,
        epochs: 8,
        ..Program::new(sequences(seed, 60), layers, MEAN_SQUARED)
    }
}

fn tame(seed: u64) -> Program {
    Program {
        clips: Some(1.0),
        ..over_time(seed, Act::Tanh, ORTHOGONAL)
    }
}
