//! Numbers of the wrong size go in, or should come out.

use super::{Case, Expect, Kind::*, Origin, Seen::*};
use crate::clinic::data::{Data, Rows, Task, curve, digits};
use crate::clinic::layer::{Act, GLOROT, HE, Layer, dense, ending_in, mlp};
use crate::clinic::loss::{BINARY_CROSS_ENTROPY, CROSS_ENTROPY, MEAN_SQUARED};
use crate::clinic::program::{Program, Rule};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "targets-of-a-hundred-million",
        story: "x⁴ up to 100 is to be learned as it is: a thousand steps of 0.001 never get there",
        source: "https://stackoverflow.com/questions/52800582",
        origin: Origin::Published,
        seen: Fails(0.0),
        program: fourth_power,
        expect: Expect {
            causes: &[&[UnscaledTarget]],
            fair: &[UnscaledInputs, Saturated, LrTooLow, TooFewSteps],
            not: &[ExplodingGradient],
            paths: &[],
        },
        twin: Some(|seed| {
            let program = fourth_power(seed);
            Program {
                data: program.data.standard_inputs().standard_targets(),
                rate: 1e-2,
                ..program
            }
        }),
    },
    Case {
        name: "three-raw-columns",
        story: "age, income and pixels of a screen go into one sigmoid network as they are",
        source: "https://stackoverflow.com/questions/39525358",
        origin: Origin::Published,
        seen: Fails(0.8),
        program: raw_columns,
        expect: Expect {
            causes: &[&[UnscaledInputs, Saturated]],
            fair: &[
                LrTooLow,
                TooFewSteps,
                NoisyBatch,
                Oscillation,
                InitScale,
                ConstantInit,
                RandomBias,
            ],
            not: &[TooLargeModel, UnrelatedLabels],
            paths: &[],
        },
        twin: Some(|seed| {
            let program = raw_columns(seed);
            Program {
                data: program.data.standard_inputs(),
                ..program
            }
        }),
    },
    Case {
        name: "rooms-and-square-feet",
        story: "a price between 0 and 1 from rooms and square feet: the output is always the same",
        source: "https://github.com/BrainJS/brain.js/issues/195",
        origin: Origin::Published,
        seen: Fails(0.2),
        program: houses,
        expect: Expect {
            causes: &[&[UnscaledInputs, Saturated]],
            fair: &[
                LrTooLow,
                TooFewSteps,
                InitScale,
                ConstantInit,
                RandomBias,
                LrTooHigh,
            ],
            not: &[TooLargeModel, Overfitting],
            paths: &[],
        },
        twin: Some(|seed| {
            let program = houses(seed);
            Program {
                data: program.data.standard_inputs(),
                ..program
            }
        }),
    },
    Case {
        name: "pixels-times-a-thousand",
        story: "tanh units that get pixels up to 1,000",
        source: "made: the digits, times 1,000",
        origin: Origin::Made,
        seen: Fails(0.85),
        program: loud_pixels,
        expect: Expect {
            causes: &[&[UnscaledInputs, Saturated]],
            fair: &[
                InitScale,
                ConstantInit,
                RandomBias,
                LrTooHigh,
                LrTooLow,
                ExplodingGradient,
            ],
            not: &[DeadUnits, TooLittleData],
            paths: &[],
        },
        twin: Some(|seed| Program {
            data: digits(seed),
            ..loud_pixels(seed)
        }),
    },
    Case {
        name: "a-constant-column-of-ten-thousand",
        story: "a column that is 10,000 in every row drowns the other 64",
        source: "made: the digits, with a column",
        origin: Origin::Made,
        seen: Fails(0.2),
        program: constant_column,
        expect: Expect {
            causes: &[&[ConstantInputs, UnscaledInputs]],
            fair: &[ExplodingGradient, LrTooHigh, DeadUnits, Saturated],
            not: &[Overfitting, TooLargeModel],
            paths: &[],
        },
        twin: Some(|seed| {
            let program = constant_column(seed);
            Program {
                data: program.data.standard_inputs(),
                ..program
            }
        }),
    },
];

fn fourth_power(_seed: u64) -> Program {
    let layers = vec![
        dense(1, 50, GLOROT),
        Layer::Act(Act::Sigmoid),
        dense(50, 50, GLOROT),
        Layer::Act(Act::Elu),
        dense(50, 1, GLOROT),
    ];
    Program {
        batch: 401,
        epochs: 400,
        ..Program::new(
            curve(401, -100.0, 100.0, |x| x.powi(4)),
            layers,
            MEAN_SQUARED,
        )
    }
}

fn raw_columns(seed: u64) -> Program {
    let mut dice = crate::clinic::data::Dice::new(seed);
    let mut rows = Rows::default();
    for _ in 0..500 {
        let standard = [dice.normal(), dice.normal(), dice.normal()];
        let class = standard[0] + standard[1] - standard[2] > 0.0;
        rows.inputs.push(vec![
            40.0 + 12.0 * standard[0],
            52_000.0 + 15_000.0 * standard[1],
            1_200.0 + 400.0 * standard[2],
        ]);
        rows.targets.push(vec![f32::from(u8::from(class))]);
    }
    let valid = rows.first(100);
    let train = Rows {
        inputs: rows.inputs[100..].to_vec(),
        targets: rows.targets[100..].to_vec(),
    };
    let data = Data {
        train,
        valid,
        task: Task::Classes(2),
    };
    let layers = ending_in(mlp(&[3, 12, 1], Act::Sigmoid, GLOROT), Act::Sigmoid);
    Program {
        rate: 1e-2,
        ..Program::new(data, layers, BINARY_CROSS_ENTROPY)
    }
}

fn houses(seed: u64) -> Program {
    let mut dice = crate::clinic::data::Dice::new(seed);
    let mut house = || {
        let rooms = 1 + dice.below(8);
        let feet = 300.0 * rooms as f32 + dice.uniform(200.0, 600.0);
        let price = 0.05 * rooms as f32 + 0.0001 * feet + dice.uniform(-0.03, 0.03);
        (vec![rooms as f32, feet], vec![price])
    };
    let mut rows = |count| {
        let (inputs, targets) = (0..count).map(|_| house()).unzip();
        Rows { inputs, targets }
    };
    let data = Data {
        train: rows(200),
        valid: rows(50),
        task: Task::Numbers,
    };
    let layers = ending_in(mlp(&[2, 3, 1], Act::Sigmoid, GLOROT), Act::Sigmoid);
    Program {
        rule: Rule::Momentum(0.1),
        rate: 0.3,
        batch: 1,
        ..Program::new(data, layers, MEAN_SQUARED)
    }
}

fn loud_pixels(seed: u64) -> Program {
    let data = digits(seed).map_inputs(|_, pixel| 1000.0 * pixel);
    Program {
        epochs: 8,
        ..Program::new(data, mlp(&[64, 32, 10], Act::Tanh, GLOROT), CROSS_ENTROPY)
    }
}

fn constant_column(seed: u64) -> Program {
    let mut data = digits(seed);
    for rows in data.parts() {
        rows.inputs.iter_mut().for_each(|row| row.push(10_000.0));
    }
    Program {
        rule: Rule::Sgd,
        rate: 0.1,
        epochs: 8,
        ..Program::new(data, mlp(&[65, 32, 10], Act::Relu, HE), CROSS_ENTROPY)
    }
}
