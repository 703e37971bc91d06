//! The learning rate, the batch, and how long it goes on.

use super::{Case, Expect, Kind::*, Origin, Seen::*};
use crate::clinic::data::{Data, Dice, Rows, Task, blobs, circles, curve, digits};
use crate::clinic::layer::{Act, GLOROT, HE, Layer, dense, mlp, normal};
use crate::clinic::loss::{CROSS_ENTROPY, MEAN_SQUARED, MEAN_SQUARED_OF_CLASSES};
use crate::clinic::program::{Program, Rule};
use burn::module::Initializer;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "one-step-into-the-flat",
        story: "a parabola up to 120 at rate 0.1: one huge step kills the units, and the loss is flat for good",
        source: "https://stackoverflow.com/questions/48934338",
        origin: Origin::Published,
        seen: Fails(0.1),
        program: parabola,
        expect: Expect {
            causes: &[&[LrTooHigh, UnscaledTarget]],
            fair: &[DeadUnits, ExplodingGradient, UnscaledInputs],
            not: &[LrTooLow, TooFewSteps, Underfitting],
            paths: &[],
        },
        twin: Some(|seed| Program {
            rate: 1e-4,
            ..parabola(seed)
        }),
    },
    Case {
        name: "thirty-five-steps",
        story: "two easy clusters, a rate of 0.001 and 35 steps: the loss has hardly begun to fall",
        source: "https://stackoverflow.com/questions/50306988",
        origin: Origin::Published,
        seen: Fails(0.75),
        program: two_clusters,
        expect: Expect {
            causes: &[&[LrTooLow, TooFewSteps]],
            fair: &[UnscaledInputs],
            not: &[Underfitting, UnrelatedLabels, DeadUnits],
            paths: &[],
        },
        twin: Some(|seed| Program {
            rate: 0.1,
            epochs: 30,
            ..two_clusters(seed)
        }),
    },
    Case {
        name: "one-sample-at-a-time-with-momentum",
        story: "batches of one with momentum 0.9 at rate 0.01: accuracy jumps up and down, far below what can be reached",
        source: "https://github.com/shiningrain/AUTOTRAINER, demo \"oscillating loss\"",
        origin: Origin::Published,
        seen: ValidFails(0.7),
        program: jumping_blobs,
        expect: Expect {
            causes: &[&[NoisyBatch, Oscillation, LrTooHigh, UnscaledInputs]],
            fair: &[],
            not: &[Overfitting, Underfitting],
            paths: &[],
        },
        twin: Some(|seed| Program {
            batch: 32,
            epochs: 40,
            ..jumping_blobs(seed)
        }),
    },
    Case {
        name: "uphill",
        story: "a linear network, a rate of -1,000, and validation on training samples",
        source: "https://doi.org/10.1145/3411764.3445538, program B",
        origin: Origin::Published,
        seen: Fails(0.7),
        program: uphill,
        expect: Expect {
            causes: &[&[LrInvalid, LrTooHigh, LinearNetwork, LeakedValidation]],
            fair: &[ExplodingGradient],
            not: &[TooLittleData],
            paths: &[],
        },
        twin: Some(|seed| Program {
            data: circles(seed),
            layers: mlp(&[2, 32, 32, 32, 2], Act::Relu, HE),
            rate: 1e-2,
            ..uphill(seed)
        }),
    },
    Case {
        name: "everything-at-once",
        story: "normal weights, no activation, squared error and a rate of 3: not a number",
        source: "https://stackoverflow.com/questions/48385830",
        origin: Origin::Published,
        seen: NotANumber,
        program: everything,
        expect: Expect {
            causes: &[&[
                LrTooHigh,
                InitScale,
                ConstantInit,
                RandomBias,
                LinearNetwork,
            ]],
            fair: &[ExplodingGradient, OutputMismatch, NonFinite],
            not: &[LrTooLow, NonFiniteData],
            paths: &[],
        },
        twin: Some(|seed| Program {
            layers: mlp(&[64, 30, 10], Act::Sigmoid, GLOROT),
            loss: CROSS_ENTROPY,
            rate: 0.5,
            ..everything(seed)
        }),
    },
    Case {
        name: "five-steps",
        story: "the whole training set in one batch, five times: five steps",
        source: "https://stackoverflow.com/questions/48594888",
        origin: Origin::Published,
        seen: Fails(0.4),
        program: five_steps,
        expect: Expect {
            causes: &[&[TooFewSteps, LrTooLow]],
            fair: &[],
            not: &[Underfitting, UnrelatedLabels, VanishingGradient],
            paths: &[],
        },
        twin: Some(|seed| Program {
            batch: 32,
            ..five_steps(seed)
        }),
    },
    Case {
        name: "rate-times-a-hundred",
        story: "momentum at a rate a hundred times what is right",
        source: "made: the digits",
        origin: Origin::Made,
        seen: Fails(0.6),
        program: |seed| Program {
            rate: 2.0,
            ..momentum(seed)
        },
        expect: Expect {
            causes: &[&[LrTooHigh]],
            fair: &[ExplodingGradient, DeadUnits],
            not: &[LrTooLow, TooFewSteps, Underfitting],
            paths: &[],
        },
        twin: Some(momentum),
    },
    Case {
        name: "rate-by-a-hundred",
        story: "Adam at a rate a hundred times below what is right",
        source: "made: the digits",
        origin: Origin::Made,
        seen: Fails(0.4),
        program: |seed| Program {
            rate: 1e-5,
            ..adam(seed)
        },
        expect: Expect {
            causes: &[&[LrTooLow, TooFewSteps]],
            fair: &[],
            not: &[LrTooHigh, Underfitting, VanishingGradient],
            paths: &[],
        },
        twin: Some(adam),
    },
    Case {
        name: "rate-below-zero",
        story: "a minus sign: every step climbs",
        source: "made: the digits",
        origin: Origin::Made,
        seen: Fails(0.2),
        program: |seed| Program {
            rule: Rule::Sgd,
            rate: -0.1,
            ..momentum(seed)
        },
        expect: Expect {
            causes: &[&[LrInvalid]],
            fair: &[ExplodingGradient, LrTooHigh, NonFinite],
            not: &[LrTooLow, TooFewSteps, Underfitting],
            paths: &[],
        },
        twin: Some(|seed| Program {
            rule: Rule::Sgd,
            rate: 0.1,
            ..momentum(seed)
        }),
    },
    Case {
        name: "adam-at-one",
        story: "Adam moves every weight by the rate, here by 1, in every step",
        source: "made: the digits",
        origin: Origin::Made,
        seen: Fails(0.6),
        program: |seed| Program {
            rate: 1.0,
            ..adam(seed)
        },
        expect: Expect {
            causes: &[&[LrTooHigh]],
            fair: &[ExplodingGradient, DeadUnits],
            not: &[LrTooLow, TooFewSteps, Underfitting],
            paths: &[],
        },
        twin: Some(adam),
    },
];

fn parabola(seed: u64) -> Program {
    let mut dice = Dice::new(seed);
    let noisy = |x: f32| 5.0 * x * x + dice.normal().powi(3);
    let small = Initializer::Uniform {
        min: -0.05,
        max: 0.05,
    };
    let layers = vec![
        dense(1, 50, GLOROT),
        Layer::Act(Act::Relu),
        dense(50, 30, small),
        Layer::Act(Act::Relu),
        dense(30, 1, GLOROT),
    ];
    Program {
        rule: Rule::Sgd,
        rate: 0.1,
        epochs: 300,
        ..Program::new(curve(50, 0.0, 4.9, noisy), layers, MEAN_SQUARED)
    }
}

fn two_clusters(seed: u64) -> Program {
    let mut dice = Dice::new(seed);
    let mut rows = |count: usize| {
        let mut rows = Rows::default();
        for i in 0..count {
            let (low, high) = [(0.2, 0.4), (0.5, 0.7)][i % 2];
            rows.inputs
                .push(vec![dice.uniform(low, high), dice.uniform(low, high)]);
            rows.targets.push(vec![(i % 2) as f32]);
        }
        rows
    };
    let data = Data {
        train: rows(200),
        valid: rows(200),
        task: Task::Classes(2),
    };
    Program {
        epochs: 5,
        ..Program::new(data, mlp(&[2, 2, 2], Act::Sigmoid, GLOROT), CROSS_ENTROPY)
    }
}

fn jumping_blobs(seed: u64) -> Program {
    Program {
        rule: Rule::Momentum(0.9),
        rate: 0.01,
        batch: 1,
        epochs: 20,
        ..Program::new(blobs(seed), mlp(&[2, 50, 3], Act::Relu, HE), CROSS_ENTROPY)
    }
}

fn uphill(seed: u64) -> Program {
    let mut data = circles(seed);
    data.valid = data.train.first(300);
    let layers = mlp(&[2, 32, 32, 32, 2], Act::Identity, HE);
    Program {
        rate: -1000.0,
        batch: 64,
        ..Program::new(data, layers, CROSS_ENTROPY)
    }
}

fn everything(seed: u64) -> Program {
    let layers = mlp(&[64, 30, 10], Act::Identity, normal(1.0));
    Program {
        rule: Rule::Sgd,
        rate: 3.0,
        batch: 10,
        epochs: 5,
        ..Program::new(digits(seed), layers, MEAN_SQUARED_OF_CLASSES)
    }
}

fn five_steps(seed: u64) -> Program {
    Program {
        batch: 1400,
        epochs: 5,
        ..Program::new(
            digits(seed),
            mlp(&[64, 64, 10], Act::Relu, HE),
            CROSS_ENTROPY,
        )
    }
}

fn momentum(seed: u64) -> Program {
    Program {
        rule: Rule::Momentum(0.9),
        rate: 0.02,
        epochs: 8,
        ..Program::new(
            digits(seed),
            mlp(&[64, 32, 10], Act::Relu, HE),
            CROSS_ENTROPY,
        )
    }
}

fn adam(seed: u64) -> Program {
    Program {
        epochs: 10,
        ..Program::new(
            digits(seed),
            mlp(&[64, 64, 10], Act::Relu, HE),
            CROSS_ENTROPY,
        )
    }
}
