//! Initial weights.

use super::{Case, Expect, Kind::*, Origin, Seen::*};
use crate::clinic::data::{Data, Rows, Task, digits};
use crate::clinic::layer::{Act, Dense, HE, Layer, dense, mlp, normal};
use crate::clinic::loss::CROSS_ENTROPY;
use crate::clinic::program::{Program, Rule};
use burn::module::Initializer;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "first-layer-of-zeros",
        story: "a first layer of zeros: its units give nothing, and the second layer passes nothing back",
        source: "arXiv 2412.11304, a mutant of Keras's MNIST example",
        origin: Origin::Published,
        seen: Fails(0.2),
        program: |seed| two_layers(seed, dense(64, 64, Initializer::Zeros), HE),
        expect: Expect {
            causes: &[&[InitScale, ConstantInit, RandomBias, DeadUnits]],
            fair: &[VanishingGradient],
            not: &[LrTooHigh, LrTooLow, UnrelatedLabels, TooFewSteps],
            paths: &["layers.0", "layers.1"],
        },
        twin: Some(healthy),
    },
    Case {
        name: "all-weights-alike",
        story: "0.05 everywhere: the units of a layer start alike and stay alike",
        source: "arXiv 2412.11304, its sibling",
        origin: Origin::Published,
        seen: Fails(0.4),
        program: |seed| {
            let alike = Initializer::Constant { value: 0.05 };
            two_layers(seed, dense(64, 64, alike.clone()), alike)
        },
        expect: Expect {
            causes: &[&[InitScale, ConstantInit, RandomBias]],
            fair: &[Underfitting],
            not: &[LrTooHigh, UnrelatedLabels, DeadUnits],
            paths: &["layers.0", "layers.2"],
        },
        twin: Some(healthy),
    },
    Case {
        name: "weights-of-a-millionth",
        story: "N(0, 1e-6²) in three layers: the signal is gone behind the first",
        source: "made: the digits",
        origin: Origin::Made,
        seen: Fails(0.2),
        program: |seed| four_layers(seed, normal(1e-6)),
        expect: Expect {
            causes: &[&[InitScale, ConstantInit, RandomBias, VanishingGradient]],
            fair: &[LrTooLow],
            not: &[LrTooHigh, UnrelatedLabels, UnscaledInputs],
            paths: &["layers"],
        },
        twin: Some(|seed| four_layers(seed, HE)),
    },
    Case {
        name: "standard-normal-weights",
        story: "N(0, 1) in layers of 64: the signal grows by eight in each, and the first loss is in the hundreds",
        source: "made: the digits",
        origin: Origin::Made,
        seen: Fails(0.6),
        program: |seed| four_layers(seed, normal(1.0)),
        expect: Expect {
            causes: &[&[InitScale, ConstantInit, RandomBias, ExplodingGradient]],
            fair: &[LrTooHigh, DeadUnits],
            not: &[LrTooLow, UnrelatedLabels, UnscaledInputs, VanishingGradient],
            paths: &["layers"],
        },
        twin: Some(|seed| four_layers(seed, HE)),
    },
    Case {
        name: "swapped-fans",
        story: "a head from 1,024 to 10, kept column by column: its weights are scaled for 10 inputs",
        source: "made: Burn 0.22.1's column layout and a Kaiming initialiser",
        origin: Origin::Made,
        seen: Fails(0.8),
        program: |seed| wide(seed, true),
        expect: Expect {
            causes: &[&[InitScale, ConstantInit, RandomBias]],
            fair: &[ExplodingGradient, LrTooHigh],
            not: &[UnrelatedLabels, UnscaledInputs, VanishingGradient],
            paths: &["layers.0"],
        },
        twin: Some(|seed| wide(seed, false)),
    },
    Case {
        name: "biases-from-a-wide-normal",
        story: "biases from N(0, 30²) shout down what the inputs say",
        source: "made: the digits",
        origin: Origin::Made,
        seen: Fails(0.93),
        program: |seed| {
            let first = Layer::Dense(Dense {
                inputs: 64,
                outputs: 64,
                weight: HE,
                bias: Some(normal(30.0)),
                columns: false,
            });
            two_layers(seed, first, HE)
        },
        expect: Expect {
            causes: &[&[InitScale, ConstantInit, RandomBias]],
            fair: &[DeadUnits, LrTooHigh, ExplodingGradient],
            not: &[UnrelatedLabels, UnscaledInputs, VanishingGradient],
            paths: &["layers.0", "layers.1"],
        },
        twin: Some(healthy),
    },
];

fn two_layers(seed: u64, first: Layer, weight: Initializer) -> Program {
    let layers = vec![first, Layer::Act(Act::Relu), dense(64, 10, weight)];
    Program {
        epochs: 8,
        ..Program::new(digits(seed), layers, CROSS_ENTROPY)
    }
}

fn healthy(seed: u64) -> Program {
    two_layers(seed, dense(64, 64, HE), HE)
}

fn four_layers(seed: u64, weight: Initializer) -> Program {
    let layers = mlp(&[64, 64, 64, 64, 10], Act::Relu, weight);
    Program {
        rule: Rule::Sgd,
        rate: 0.05,
        epochs: 6,
        ..Program::new(digits(seed), layers, CROSS_ENTROPY)
    }
}

/// The 64 pixels and their pairwise products: 1,024 numbers in all, and one layer.
fn wide(seed: u64, columns: bool) -> Program {
    let Data { train, valid, .. } = digits(seed);
    let widen = |rows: Rows| Rows {
        inputs: rows
            .inputs
            .iter()
            .map(|row| {
                let products =
                    (1..16).flat_map(|d| (0..64).map(move |i| row[i] * row[(i + d) % 64]));
                row.iter().copied().chain(products).collect()
            })
            .collect(),
        targets: rows.targets,
    };
    let data = Data {
        train: widen(train),
        valid: widen(valid),
        task: Task::Classes(10),
    };
    let head = Layer::Dense(Dense {
        inputs: 1024,
        outputs: 10,
        weight: HE,
        bias: Some(Initializer::Zeros),
        columns,
    });
    Program {
        rule: Rule::Sgd,
        rate: 0.02,
        epochs: 6,
        ..Program::new(data, vec![head], CROSS_ENTROPY)
    }
}
