//! Too many layers, and units that are dead or saturated.

use super::{Case, Expect, Kind::*, Origin, Seen::*};
use crate::clinic::data::{circles, digits};
use crate::clinic::layer::{Act, Dense, GLOROT, HE, Layer, dense, ending_in, mlp, normal};
use crate::clinic::loss::{BINARY_CROSS_ENTROPY, CROSS_ENTROPY};
use crate::clinic::program::{Program, Rule};
use burn::module::Initializer;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "twenty-layers-of-five-relus",
        story: "a ReLU layer of five goes silent as a whole, and one of twenty is enough",
        source: "https://github.com/shiningrain/AUTOTRAINER, \"Circle\"; doi 10.1109/ICSE43902.2021.00043",
        origin: Origin::Published,
        seen: Fails(0.83),
        program: |seed| {
            let relus = vec![5; 20];
            tower(seed, &relus, Act::Relu)
        },
        expect: Expect {
            causes: &[&[DeadUnits, VanishingGradient]],
            fair: &[InitScale, ConstantInit, RandomBias],
            not: &[TooFewSteps, LrTooLow, RareClass],
            paths: &["layers"],
        },
        twin: Some(|seed| tower(seed, &[32; 3], Act::Relu)),
    },
    Case {
        name: "eight-layers-of-sigmoids",
        story: "each sigmoid passes back at most a quarter of its gradient: nothing reaches the first layer",
        source: "https://github.com/shiningrain/AUTOTRAINER, demo \"gradient vanish\"",
        origin: Origin::Published,
        seen: Fails(0.6),
        program: |seed| tower(seed, &[5; 8], Act::Sigmoid),
        expect: Expect {
            causes: &[&[VanishingGradient]],
            fair: &[InitScale, ConstantInit, RandomBias],
            not: &[DeadUnits, UnrelatedLabels, NoisyBatch, Oscillation],
            paths: &["layers"],
        },
        twin: Some(|seed| tower(seed, &[32; 2], Act::Relu)),
    },
    Case {
        name: "tower-of-exponentials",
        story: "eight layers of exp(x): the first batch overflows",
        source: "https://github.com/shiningrain/AUTOTRAINER, \"Circle\" with exponential units",
        origin: Origin::Published,
        seen: NotANumber,
        program: |seed| tower(seed, &[8; 8], Act::Exp),
        expect: Expect {
            causes: &[&[ExplodingGradient, NonFinite]],
            fair: &[InitScale, ConstantInit, RandomBias],
            not: &[NonFiniteData, LogOfZero],
            paths: &["layers"],
        },
        twin: Some(|seed| tower(seed, &[32; 3], Act::Relu)),
    },
    Case {
        name: "forty-layers-of-tanh",
        story: "forty plain layers with Burn's default weights: each passes back a third of the gradient",
        source: "made: the digits",
        origin: Origin::Made,
        seen: Fails(0.3),
        program: |seed| deep(seed, 40, normal(0.58 / 32f64.sqrt())),
        expect: Expect {
            causes: &[&[VanishingGradient, InitScale, ConstantInit, RandomBias]],
            fair: &[],
            not: &[DeadUnits, LrTooHigh, UnrelatedLabels],
            paths: &["layers"],
        },
        twin: Some(|seed| deep(seed, 2, GLOROT)),
    },
    Case {
        name: "tanh-at-its-ends",
        story: "weights from N(0, 2²): every tanh gives ±1 and passes nothing back",
        source: "made: the digits",
        origin: Origin::Made,
        seen: Fails(0.6),
        program: |seed| deep(seed, 5, normal(2.0)),
        expect: Expect {
            causes: &[&[Saturated, InitScale, ConstantInit, RandomBias]],
            fair: &[ExplodingGradient, VanishingGradient],
            not: &[DeadUnits, UnscaledInputs, UnrelatedLabels],
            paths: &["layers"],
        },
        twin: Some(|seed| deep(seed, 5, GLOROT)),
    },
    Case {
        name: "sigmoids-at-zero",
        story: "biases of -12: every sigmoid gives 0",
        source: "made: the digits",
        origin: Origin::Made,
        seen: Fails(0.5),
        program: |seed| biased(seed, -12.0, Act::Sigmoid),
        expect: Expect {
            causes: &[&[Saturated, InitScale, ConstantInit, RandomBias, DeadUnits]],
            fair: &[VanishingGradient],
            not: &[UnscaledInputs, UnrelatedLabels, LrTooHigh],
            paths: &["layers.0", "layers.1"],
        },
        twin: Some(|seed| biased(seed, 0.0, Act::Sigmoid)),
    },
    Case {
        name: "relus-born-dead",
        story: "biases of -10: no image reaches a unit of the first layer",
        source: "made: the digits",
        origin: Origin::Made,
        seen: Fails(0.2),
        program: |seed| biased(seed, -10.0, Act::Relu),
        expect: Expect {
            causes: &[&[DeadUnits, InitScale, ConstantInit, RandomBias]],
            fair: &[VanishingGradient],
            not: &[LrTooLow, TooFewSteps, UnrelatedLabels],
            paths: &["layers.0", "layers.1"],
        },
        twin: Some(|seed| biased(seed, 0.0, Act::Relu)),
    },
    Case {
        name: "one-silent-layer-of-four",
        story: "the third layer alone starts with biases of -20: what is before it learns nothing",
        source: "made: the digits",
        origin: Origin::Made,
        seen: Fails(0.2),
        program: |seed| {
            let mut program = deep_relu(seed);
            program.layers[4] = Layer::Dense(Dense {
                inputs: 32,
                outputs: 32,
                weight: HE,
                bias: Some(Initializer::Constant { value: -20.0 }),
                columns: false,
            });
            program
        },
        expect: Expect {
            causes: &[&[DeadUnits, InitScale, ConstantInit, RandomBias]],
            fair: &[VanishingGradient],
            not: &[LrTooLow, TooFewSteps],
            paths: &["layers.4", "layers.5"],
        },
        twin: Some(deep_relu),
    },
];

/// Circles, one probability.
fn tower(seed: u64, hidden: &[usize], act: Act) -> Program {
    let widths = [&[2], hidden, &[1]].concat();
    Program {
        batch: 128,
        epochs: 100,
        ..Program::new(
            circles(seed),
            ending_in(mlp(&widths, act, HE), Act::Sigmoid),
            BINARY_CROSS_ENTROPY,
        )
    }
}

/// Digits, so many hidden layers of 32 tanh units.
fn deep(seed: u64, hidden: usize, weight: Initializer) -> Program {
    let widths = [vec![64], vec![32; hidden], vec![10]].concat();
    Program {
        batch: 64,
        epochs: 6,
        ..Program::new(digits(seed), mlp(&widths, Act::Tanh, weight), CROSS_ENTROPY)
    }
}

fn deep_relu(seed: u64) -> Program {
    Program {
        epochs: 6,
        ..Program::new(
            digits(seed),
            mlp(&[64, 32, 32, 32, 10], Act::Relu, HE),
            CROSS_ENTROPY,
        )
    }
}

/// Digits, one hidden layer with these biases.
fn biased(seed: u64, bias: f64, act: Act) -> Program {
    let first = Layer::Dense(Dense {
        inputs: 64,
        outputs: 32,
        weight: GLOROT,
        bias: Some(Initializer::Constant { value: bias }),
        columns: false,
    });
    Program {
        rule: Rule::Momentum(0.9),
        rate: 0.05,
        epochs: 8,
        ..Program::new(
            digits(seed),
            vec![first, Layer::Act(act), dense(32, 10, GLOROT)],
            CROSS_ENTROPY,
        )
    }
}
