//! Programs that were written when the first rules of the doctor were done, and judged once; those that it missed have
//! led to further rules since then.

use super::bases::{convolutions, on_digits};
use super::{Case, Kind::*, Origin, Seen::*, Series};
use crate::clinic::data::{Data, Dice, Rows, Task, circles, digits, drawn, sequences};
use crate::clinic::layer::{Act, GLOROT, HE, Layer, dense, ending_in, mlp, normal, normed};
use crate::clinic::loss::{CROSS_ENTROPY, MEAN_SQUARED};
use crate::clinic::program::{Program, Rule};
use burn::module::Initializer;

const SET: Series = Series {
    source: "made",
    origin: Origin::Late,
};

pub(super) const CASES: &[Case] = &[
    SET.case(
        "convolutions-of-raw-pixels",
        "pixels up to 255 into two convolutions, momentum",
        Fails(0.7),
        &[&[UnscaledInputs, LrTooHigh]],
        &[ExplodingGradient, DeadUnits, NonFinite],
        |seed| Program {
            data: digits(seed).map_inputs(|_, pixel| 255.0 * pixel),
            rule: Rule::Momentum(0.9),
            rate: 0.05,
            epochs: 5,
            ..on_digits(seed, convolutions([6, 12], HE))
        },
    ),
    SET.case(
        "a-sleepy-lstm",
        "an LSTM at a rate of 1e-5",
        Fails(0.5),
        &[&[LrTooLow, TooFewSteps]],
        &[],
        |seed| Program {
            rate: 1e-5,
            epochs: 8,
            ..Program::new(
                sequences(seed, 15),
                vec![Layer::Lstm { hidden: 16 }, dense(16, 1, GLOROT)],
                MEAN_SQUARED,
            )
        },
    ),
    SET.case(
        "targets-of-a-millionth",
        "targets of size 1e-6, and steps of 1e-3",
        Fails(0.3),
        &[&[UnscaledTarget, LrTooHigh]],
        &[Oscillation, NoisyBatch],
        |seed| {
            let data = drawn(seed, 800, 5, Task::Numbers, |x, _| {
                1e-6 * (x[0] - x[1] * x[2])
            });
            Program::new(data, mlp(&[5, 24, 1], Act::Tanh, GLOROT), MEAN_SQUARED)
        },
    ),
    SET.case(
        "thirty-layers-of-relu",
        "thirty layers with the weights of PyTorch's default",
        Fails(0.4),
        &[&[VanishingGradient, DeadUnits, InitScale]],
        &[],
        |seed| {
            let default = Initializer::KaimingUniform {
                gain: 1.0 / 3f64.sqrt(),
                fan_out_only: false,
            };
            let widths = [vec![64], vec![24; 30], vec![10]].concat();
            Program {
                epochs: 6,
                ..on_digits(seed, mlp(&widths, Act::Relu, default))
            }
        },
    ),
    SET.case(
        "a-relu-behind-an-autoencoder",
        "standardised pixels, half of them below 0, behind a ReLU",
        Fails(0.6),
        &[&[OutputMismatch]],
        &[DeadUnits, UnscaledInputs],
        |seed| {
            let data = digits(seed).standard_inputs().reconstructed();
            let layers = ending_in(mlp(&[64, 48, 24, 48, 64], Act::Relu, HE), Act::Relu);
            Program {
                rate: 2e-3,
                epochs: 12,
                ..Program::new(data, layers, MEAN_SQUARED)
            }
        },
    ),
    SET.case(
        "a-transformer-at-a-third",
        "Adam at 0.3 and a transformer",
        LossAbove(4.0),
        &[&[LrTooHigh]],
        &[ExplodingGradient, DeadUnits, Saturated],
        |seed| Program {
            rate: 0.3,
            epochs: 4,
            ..on_digits(
                seed,
                vec![
                    dense(64, 64, GLOROT),
                    Layer::Transformer {
                        width: 16,
                        heads: 2,
                    },
                    dense(64, 10, GLOROT),
                ],
            )
        },
    ),
    SET.case(
        "circles-with-coin-flips",
        "two circles whose labels were drawn",
        ValidFails(0.62),
        &[&[UnrelatedLabels]],
        &[Overfitting, Underfitting, NoisyBatch],
        |seed| {
            let mut data = circles(seed);
            let mut dice = Dice::new(seed + 7);
            for rows in data.parts() {
                dice.shuffle(&mut rows.targets);
            }
            Program {
                rate: 1e-2,
                epochs: 40,
                ..Program::new(data, mlp(&[2, 64, 64, 2], Act::Relu, HE), CROSS_ENTROPY)
            }
        },
    ),
    SET.case(
        "only-the-stem-is-trained",
        "the optimizer gets the first layer of a residual network",
        Fails(0.93),
        &[&[NeverTrained, Frozen]],
        &[],
        |seed| {
            let mut layers = vec![dense(64, 24, HE), Layer::Act(Act::Relu)];
            for _ in 0..3 {
                let block = vec![dense(24, 24, HE), Layer::Act(Act::Relu)];
                layers.push(Layer::Residual(block));
            }
            layers.push(dense(24, 10, GLOROT));
            Program {
                optimizes: Some(&["layers.0."]),
                epochs: 6,
                ..on_digits(seed, layers)
            }
        },
    ),
    SET.case(
        "one-target-is-not-a-number",
        "a regression with one missing target",
        NotANumber,
        &[&[NonFiniteData]],
        &[NonFinite],
        |seed| {
            let mut program = smooth(seed);
            program.data.train.targets[300][0] = f32::NAN;
            program
        },
    ),
    SET.case(
        "validated-on-what-it-knows",
        "the validation rows are training rows",
        Learns(0.9),
        &[&[LeakedValidation]],
        &[],
        |seed| {
            let mut data = digits(seed);
            data.valid = data.train.first(200);
            Program {
                data,
                ..on_digits(seed, mlp(&[64, 48, 10], Act::Relu, HE))
            }
        },
    ),
    SET.case(
        "a-sigmoid-for-a-standard-target",
        "a target of mean 0 behind a sigmoid",
        Fails(0.6),
        &[&[OutputMismatch]],
        &[Saturated],
        |seed| {
            let program = smooth(seed);
            Program {
                layers: ending_in(program.layers.clone(), Act::Sigmoid),
                ..program
            }
        },
    ),
    SET.case(
        "momentum-of-0.99",
        "momentum 0.99 at rate 0.1 in batches of eight",
        Fails(0.7),
        &[&[LrTooHigh, Oscillation]],
        &[ExplodingGradient, DeadUnits, NoisyBatch, NonFinite],
        |seed| Program {
            rule: Rule::Momentum(0.99),
            rate: 0.1,
            batch: 8,
            epochs: 5,
            ..on_digits(seed, mlp(&[64, 32, 10], Act::Relu, HE))
        },
    ),
    SET.case(
        "summed-gradients-with-adam",
        "gradients that are never cleared, and Adam",
        Fails(0.93),
        &[&[AccumulatedGradients]],
        &[LrTooHigh, ExplodingGradient, DeadUnits, Oscillation],
        |seed| Program {
            clears: false,
            rate: 3e-3,
            ..on_digits(seed, mlp(&[64, 48, 10], Act::Relu, HE))
        },
    ),
    SET.case(
        "every-row-alike",
        "a loader that gives the first row again and again",
        Fails(0.7),
        &[&[ConstantInputs]],
        &[UnrelatedLabels, Underfitting, LeakedValidation],
        |seed| {
            let mut data = circles(seed);
            let first = data.train.inputs[0].clone();
            for rows in data.parts() {
                rows.inputs
                    .iter_mut()
                    .for_each(|row| row.clone_from(&first));
            }
            Program::new(data, mlp(&[2, 32, 2], Act::Relu, HE), CROSS_ENTROPY)
        },
    ),
    SET.case(
        "tanh-of-weights-of-ten",
        "a small regression whose weights start at N(0, 10²)",
        Fails(0.8),
        &[&[InitScale, Saturated]],
        &[ExplodingGradient, LrTooHigh],
        |seed| Program {
            layers: mlp(&[4, 32, 32, 1], Act::Tanh, normal(10.0)),
            ..smooth(seed)
        },
    ),
    SET.case(
        "hardly-any-nines",
        "nine digits, and three images of the tenth",
        Learns(0.85),
        &[&[RareClass]],
        &[ValidationClasses, Overfitting],
        |seed| {
            let mut data = digits(seed);
            let mut nines = 0;
            let kept: Vec<bool> = (data.train.targets.iter())
                .map(|target| {
                    nines += usize::from(target[0] == 9.0);
                    target[0] != 9.0 || nines <= 3
                })
                .collect();
            let keep = |rows: &[Vec<f32>]| {
                let rows = rows.iter().zip(&kept).filter(|(_, kept)| **kept);
                rows.map(|(row, _)| row.clone()).collect()
            };
            data.train = Rows {
                inputs: keep(&data.train.inputs),
                targets: keep(&data.train.targets),
            };
            Program {
                data,
                ..on_digits(seed, mlp(&[64, 48, 10], Act::Relu, HE))
            }
        },
    ),
    SET.case(
        "leaky-relu",
        "three layers with a leak of 0.1",
        Learns(0.9),
        &[],
        &[],
        |seed| on_digits(seed, mlp(&[64, 48, 48, 48, 10], Act::LeakyRelu, HE)),
    ),
    SET.case(
        "sixteen-blocks",
        "sixteen residual blocks with layer norm",
        Learns(0.9),
        &[],
        &[],
        |seed| {
            let mut layers = vec![dense(64, 24, HE)];
            for _ in 0..16 {
                let block = mlp(&[24, 24, 24], Act::Relu, GLOROT);
                layers.push(Layer::Residual(normed(block, Layer::LayerNorm)));
            }
            layers.extend([Layer::LayerNorm(24), dense(24, 10, GLOROT)]);
            on_digits(seed, layers)
        },
    ),
    SET.case(
        "elu-regression",
        "a smooth function, ELU, momentum",
        Learns(0.9),
        &[],
        &[],
        |seed| Program {
            layers: mlp(&[4, 32, 32, 1], Act::Elu, GLOROT),
            rule: Rule::Momentum(0.9),
            rate: 0.01,
            ..smooth(seed)
        },
    ),
    SET.case(
        "batches-of-four",
        "circles in batches of four",
        Learns(0.72),
        &[],
        &[],
        |seed| Program {
            batch: 4,
            rate: 3e-3,
            epochs: 30,
            ..Program::new(
                circles(seed),
                mlp(&[2, 32, 32, 2], Act::Relu, HE),
                CROSS_ENTROPY,
            )
        },
    ),
];

/// A smooth function of four numbers, with mean 0.
fn smooth(seed: u64) -> Program {
    let data: Data = drawn(seed, 1000, 4, Task::Numbers, |x, _| {
        x[0].sin() + 0.6 * x[1] * x[2] - 0.4 * x[3]
    });
    Program {
        rate: 3e-3,
        epochs: 30,
        ..Program::new(data, mlp(&[4, 32, 32, 1], Act::Tanh, GLOROT), MEAN_SQUARED)
    }
}
