//! The last layer and the loss do not go together, or one of them is not a number.

use super::{Case, Expect, Kind::*, Origin, Seen::*};
use crate::clinic::data::{Data, Rows, Task, curve, digits, drawn};
use crate::clinic::layer::{Act, GLOROT, HE, Layer, behind_each_act, ending_in, mlp};
use crate::clinic::loss::{
    BINARY_CROSS_ENTROPY, CROSS_ENTROPY, CROSS_ENTROPY_OF_PROBABILITIES, CROSS_ENTROPY_OF_SOFTMAX,
    MEAN_ABSOLUTE, MEAN_SQUARED, TEXTBOOK_CROSS_ENTROPY,
};
use crate::clinic::program::{Program, Rule};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "scores-where-probabilities-go",
        story: "raw scores into a loss for probabilities, dropout of 0.8 three times, pixels up to 255",
        source: "https://doi.org/10.1145/3411764.3445538, program A",
        origin: Origin::Published,
        seen: Fails(0.3),
        program: umlaut_a,
        expect: Expect {
            causes: &[&[DropoutTooHigh], &[OutputMismatch]],
            fair: &[UnscaledInputs],
            not: &[LrTooHigh, LrTooLow, TooFewSteps],
            paths: &[],
        },
        twin: Some(|seed| Program {
            data: digits(seed),
            layers: behind_each_act(mlp(&[64, 64, 128, 128, 10], Act::Relu, GLOROT), || {
                Layer::Dropout(0.2)
            }),
            loss: CROSS_ENTROPY,
            ..umlaut_a(seed)
        }),
    },
    Case {
        name: "softmax-of-one",
        story: "a softmax over a single output is 1 for every input",
        source: "https://stackoverflow.com/questions/31880720",
        origin: Origin::Published,
        seen: Fails(0.6),
        program: |seed| ones_and_zeros(seed, Act::Softmax),
        expect: Expect {
            causes: &[&[OutputMismatch]],
            fair: &[],
            not: &[LrTooHigh, LrTooLow, DeadUnits, RareClass, VanishingGradient],
            paths: &[],
        },
        twin: Some(|seed| ones_and_zeros(seed, Act::Sigmoid)),
    },
    Case {
        name: "log-of-zero",
        story: "a cross-entropy from the textbook: one probability underflows, and the loss is not a number",
        source: "https://stackoverflow.com/questions/33712178",
        origin: Origin::Published,
        seen: NotANumber,
        program: |seed| textbook(seed, 0.1),
        expect: Expect {
            causes: &[&[LogOfZero]],
            fair: &[LrTooHigh, NonFinite],
            not: &[ExplodingGradient, NonFiniteData],
            paths: &[],
        },
        twin: Some(|seed| Program {
            loss: CROSS_ENTROPY,
            rate: 1e-3,
            ..textbook(seed, 1e-3)
        }),
    },
    Case {
        name: "sigmoid-for-a-hundred",
        story: "targets up to 103 behind a sigmoid, which ends at 1",
        source: "https://stackoverflow.com/questions/48221692",
        origin: Origin::Published,
        seen: Fails(0.0),
        program: |seed| far_targets(seed, Act::Sigmoid, 1.0),
        expect: Expect {
            causes: &[&[OutputMismatch, UnscaledTarget]],
            fair: &[Saturated],
            not: &[LrTooLow, TooFewSteps, UnrelatedLabels],
            paths: &[],
        },
        twin: Some(|seed| {
            let program = far_targets(seed, Act::Identity, 1.0);
            Program {
                data: program.data.standard_targets(),
                ..program
            }
        }),
    },
    Case {
        name: "relu-for-negative-targets",
        story: "targets below 0 behind a ReLU, which starts at 0",
        source: "https://stackoverflow.com/questions/48251943",
        origin: Origin::Published,
        seen: Fails(0.0),
        program: |seed| far_targets(seed, Act::Relu, -0.01),
        expect: Expect {
            causes: &[&[OutputMismatch]],
            fair: &[DeadUnits],
            not: &[LrTooLow, TooFewSteps, UnrelatedLabels, LrTooHigh],
            paths: &[],
        },
        twin: Some(|seed| far_targets(seed, Act::Identity, -0.01)),
    },
    Case {
        name: "gradient-of-a-length-of-zero",
        story: "√Σx² has no gradient where all x are 0: blank images come through forward, and not back",
        source: "https://github.com/pytorch/pytorch/issues/2421",
        origin: Origin::Published,
        seen: NotANumber,
        program: |seed| blank_images(seed, Act::TimesLength),
        expect: Expect {
            causes: &[&[NonFinite]],
            fair: &[],
            not: &[NonFiniteData, LogOfZero, LrTooHigh, ExplodingGradient],
            paths: &["layers"],
        },
        twin: Some(|seed| blank_images(seed, Act::Relu)),
    },
    Case {
        name: "logarithm-within-the-network",
        story: "a layer that takes logarithms gets negative numbers: the first loss is not a number",
        source: "made: the digits",
        origin: Origin::Made,
        seen: NotANumber,
        program: |seed| nan_layer(seed, Act::Log),
        expect: Expect {
            causes: &[&[NonFinite]],
            fair: &[],
            not: &[NonFiniteData, LogOfZero, LrTooHigh, ExplodingGradient],
            paths: &["layers.1"],
        },
        twin: Some(|seed| nan_layer(seed, Act::Relu)),
    },
    Case {
        name: "softmax-twice",
        story: "a network that ends in a softmax, and a loss that takes the softmax again",
        source: "made: the digits",
        origin: Origin::Made,
        seen: LossAbove(1.4),
        program: |seed| Program {
            loss: CROSS_ENTROPY_OF_SOFTMAX,
            layers: ending_in(mlp(&[64, 64, 10], Act::Relu, HE), Act::Softmax),
            ..plain(seed)
        },
        expect: Expect {
            causes: &[&[OutputMismatch]],
            fair: &[LrTooLow, TooFewSteps],
            not: &[Overfitting, UnrelatedLabels, LrTooHigh],
            paths: &[],
        },
        twin: Some(plain),
    },
    Case {
        name: "xor-by-absolute-error",
        story: "XOR with the mean absolute error: one half for every point",
        source: "https://stackoverflow.com/questions/31556268",
        origin: Origin::Published,
        seen: Fails(0.8),
        program: |_| Program {
            loss: MEAN_ABSOLUTE,
            rule: Rule::Momentum(0.11),
            rate: 0.05,
            ..xor(1000)
        },
        expect: Expect {
            causes: &[&[OutputMismatch, LrTooLow, TooFewSteps]],
            fair: &[],
            not: &[DeadUnits, Overfitting, LrTooHigh],
            paths: &[],
        },
        twin: Some(|_| Program {
            rate: 1e-2,
            ..xor(1000)
        }),
    },
];

fn plain(seed: u64) -> Program {
    Program {
        epochs: 10,
        ..Program::new(
            digits(seed),
            mlp(&[64, 64, 10], Act::Relu, HE),
            CROSS_ENTROPY,
        )
    }
}

fn umlaut_a(seed: u64) -> Program {
    let layers = mlp(&[64, 64, 128, 128, 10], Act::Relu, GLOROT);
    Program {
        batch: 64,
        epochs: 10,
        ..Program::new(
            digits(seed).map_inputs(|_, pixel| 255.0 * pixel),
            behind_each_act(layers, || Layer::Dropout(0.8)),
            CROSS_ENTROPY_OF_PROBABILITIES,
        )
    }
}

fn ones_and_zeros(seed: u64, output: Act) -> Program {
    let rows = |count: usize| {
        let class = |i: usize| (i % 2) as f32;
        Rows {
            inputs: (0..count).map(|i| vec![class(i); 128]).collect(),
            targets: (0..count).map(|i| vec![class(i)]).collect(),
        }
    };
    let data = Data {
        train: rows(1000),
        valid: rows(200),
        task: Task::Classes(2),
    };
    let layers = mlp(&[128, 50, 50, 1], Act::Relu, GLOROT);
    let layers = behind_each_act(layers, || Layer::Dropout(0.2));
    let _ = seed;
    Program {
        rule: Rule::RmsProp,
        epochs: 4,
        ..Program::new(data, ending_in(layers, output), BINARY_CROSS_ENTROPY)
    }
}

fn textbook(seed: u64, rate: f64) -> Program {
    Program {
        rate,
        batch: 50,
        epochs: 25,
        ..Program::new(
            digits(seed),
            mlp(&[64, 64, 10], Act::Relu, HE),
            TEXTBOOK_CROSS_ENTROPY,
        )
    }
}

/// A smooth function of four numbers between about 0 and 103, times `scale`.
fn far_targets(seed: u64, output: Act, scale: f32) -> Program {
    let target = move |x: &[f32], _: &mut _| {
        let score = x[0] + x[1] - 0.5 * x[2] * x[3];
        scale * (103.0 / (1.0 + (-score).exp()))
    };
    let data = drawn(seed, 600, 4, Task::Numbers, target);
    Program {
        rate: 1e-2,
        epochs: 30,
        ..Program::new(
            data,
            ending_in(mlp(&[4, 32, 1], Act::Relu, HE), output),
            MEAN_SQUARED,
        )
    }
}

/// The digits behind a layer of `act`.
fn nan_layer(seed: u64, act: Act) -> Program {
    let mut layers = mlp(&[64, 32, 32, 10], Act::Relu, HE);
    layers[1] = Layer::Act(act);
    Program {
        epochs: 5,
        ..Program::new(digits(seed), layers, CROSS_ENTROPY)
    }
}

/// The same without biases in the first layer, and some images are blank.
fn blank_images(seed: u64, act: Act) -> Program {
    let mut program = nan_layer(seed, act);
    for row in program.data.train.inputs.iter_mut().step_by(200) {
        row.fill(0.0);
    }
    if let Layer::Dense(first) = &mut program.layers[0] {
        first.bias = None;
    }
    program
}

/// The four points of XOR as one batch.
pub(super) fn xor(epochs: usize) -> Program {
    let mut data = curve(4, 0.0, 3.0, |_| 0.0);
    for rows in data.parts() {
        rows.inputs = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
            .map(Vec::from)
            .to_vec();
        rows.targets = [0.0, 1.0, 1.0, 0.0].map(|class| vec![class]).to_vec();
    }
    data.task = Task::Classes(2);
    Program {
        batch: 4,
        epochs,
        ..Program::new(
            data,
            ending_in(mlp(&[2, 4, 1], Act::Sigmoid, GLOROT), Act::Sigmoid),
            MEAN_SQUARED,
        )
    }
}
