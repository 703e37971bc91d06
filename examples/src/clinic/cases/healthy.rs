//! Healthy programs of many kinds.

use super::bases::{conv, embedded, pairs};
use super::{Case, Expect, Origin, Seen, Seen::*};
use crate::clinic::data::{Task, circles, digits, drawn, sequences};
use crate::clinic::layer::{
    Act, GLOROT, HE, Layer, batch_normed, behind_each_act, dense, ending_in, mlp, normed,
};
use crate::clinic::loss::{BINARY_CROSS_ENTROPY, CROSS_ENTROPY, MEAN_SQUARED};
use crate::clinic::program::{Program, Rule};

const fn healthy(
    name: &'static str,
    story: &'static str,
    seen: Seen,
    program: fn(u64) -> Program,
) -> Case {
    Case {
        name,
        story,
        source: "made",
        origin: Origin::Made,
        seen,
        program,
        expect: Expect::HEALTHY,
        twin: None,
    }
}

pub(super) const CASES: &[Case] = &[
    healthy("mlp", "two hidden layers, Adam", Learns(0.92), |seed| {
        on_digits(seed, mlp(&[64, 64, 64, 10], Act::Relu, HE))
    }),
    healthy(
        "mlp-sgd",
        "one hidden layer, momentum",
        Learns(0.92),
        |seed| Program {
            rule: Rule::Momentum(0.9),
            rate: 0.02,
            ..on_digits(seed, mlp(&[64, 64, 10], Act::Relu, HE))
        },
    ),
    healthy(
        "softmax-regression",
        "a single layer",
        Learns(0.9),
        |seed| Program {
            rate: 1e-2,
            ..on_digits(seed, vec![dense(64, 10, GLOROT)])
        },
    ),
    healthy(
        "cnn",
        "two convolutions, each with a pool",
        Learns(0.85),
        |seed| Program {
            epochs: 6,
            rate: 1e-2,
            ..on_digits(
                seed,
                vec![
                    conv(1, 8, 8),
                    Layer::Act(Act::Relu),
                    Layer::Pool {
                        channels: 8,
                        side: 8,
                    },
                    conv(8, 16, 4),
                    Layer::Act(Act::Relu),
                    Layer::Pool {
                        channels: 16,
                        side: 4,
                    },
                    dense(64, 10, GLOROT),
                ],
            )
        },
    ),
    healthy("resnet", "eight residual blocks", Learns(0.9), |seed| {
        let mut layers = vec![dense(64, 32, HE), Layer::Act(Act::Relu)];
        for _ in 0..8 {
            layers.push(Layer::Residual(vec![
                Layer::LayerNorm(32),
                dense(32, 32, HE),
                Layer::Act(Act::Relu),
                dense(32, 32, GLOROT),
            ]));
        }
        layers.extend([Layer::LayerNorm(32), dense(32, 10, GLOROT)]);
        on_digits(seed, layers)
    }),
    healthy(
        "lstm",
        "the sum of the last five of twenty numbers",
        Learns(0.9),
        |seed| Program {
            rate: 1e-2,
            epochs: 12,
            ..Program::new(
                sequences(seed, 20),
                vec![Layer::Lstm { hidden: 24 }, dense(24, 1, GLOROT)],
                MEAN_SQUARED,
            )
        },
    ),
    healthy(
        "recurrent-tanh",
        "orthogonal weights and clipping",
        Learns(0.9),
        |seed| Program {
            rate: 3e-3,
            clips: Some(1.0),
            epochs: 12,
            ..Program::new(
                sequences(seed, 20),
                vec![
                    Layer::Recurrent {
                        hidden: 24,
                        act: Act::Tanh,
                        recurrent: burn::module::Initializer::Orthogonal { gain: 1.0 },
                    },
                    dense(24, 1, GLOROT),
                ],
                MEAN_SQUARED,
            )
        },
    ),
    healthy(
        "transformer",
        "the rows of an image are tokens",
        Learns(0.9),
        |seed| {
            Program {
                rate: 3e-3,
                epochs: 8,
                ..on_digits(
                    seed,
                    vec![
                        // The same for every row would need positions; this gives each its own.
                        dense(64, 128, GLOROT),
                        Layer::Transformer {
                            width: 16,
                            heads: 2,
                        },
                        Layer::LayerNorm(128),
                        dense(128, 10, GLOROT),
                    ],
                )
            }
        },
    ),
    healthy(
        "regression",
        "a smooth function of four numbers",
        Learns(0.9),
        |seed| Program {
            rate: 3e-3,
            epochs: 40,
            ..Program::new(
                drawn(seed, 1000, 4, Task::Numbers, |x, _| {
                    x[0].sin() + 0.5 * x[1] * x[2] - 0.3 * x[3]
                }),
                mlp(&[4, 32, 32, 1], Act::Relu, HE),
                MEAN_SQUARED,
            )
        },
    ),
    healthy(
        "noisy-regression",
        "half of the variance is noise",
        Learns(0.4),
        |seed| Program {
            rate: 3e-3,
            epochs: 20,
            ..Program::new(
                drawn(seed, 2000, 4, Task::Numbers, |x, dice| {
                    x[0] - 0.5 * x[1] + 1.1 * dice.normal()
                }),
                mlp(&[4, 16, 1], Act::Tanh, GLOROT),
                MEAN_SQUARED,
            )
        },
    ),
    healthy(
        "autoencoder",
        "64 pixels through 16 numbers",
        Learns(0.75),
        |seed| {
            let data = digits(seed).reconstructed();
            let layers = mlp(&[64, 48, 16, 48, 64], Act::Relu, HE);
            Program {
                rate: 2e-3,
                epochs: 20,
                ..Program::new(data, ending_in(layers, Act::Sigmoid), MEAN_SQUARED)
            }
        },
    ),
    healthy(
        "sigmoid-shallow",
        "one hidden layer of sigmoids",
        Learns(0.9),
        |seed| Program {
            rate: 1e-2,
            ..on_digits(seed, mlp(&[64, 48, 10], Act::Sigmoid, GLOROT))
        },
    ),
    healthy("tanh", "three hidden layers of tanh", Learns(0.9), |seed| {
        on_digits(seed, mlp(&[64, 48, 48, 48, 10], Act::Tanh, GLOROT))
    }),
    healthy(
        "batch-norm",
        "eight layers with batch norm",
        Learns(0.88),
        |seed| Program {
            rate: 3e-3,
            ..on_digits(
                seed,
                batch_normed(mlp(
                    &[64, 32, 32, 32, 32, 32, 32, 32, 32, 10],
                    Act::Relu,
                    HE,
                )),
            )
        },
    ),
    healthy(
        "layer-norm",
        "four layers with layer norm",
        Learns(0.9),
        |seed| Program {
            rate: 2e-3,
            ..on_digits(
                seed,
                normed(
                    mlp(&[64, 32, 32, 32, 32, 10], Act::Relu, HE),
                    Layer::LayerNorm,
                ),
            )
        },
    ),
    healthy("dropout", "a fifth dropped", Learns(0.92), |seed| {
        let layers = mlp(&[64, 96, 96, 10], Act::Relu, HE);
        on_digits(seed, behind_each_act(layers, || Layer::Dropout(0.2)))
    }),
    healthy(
        "small-data",
        "300 images, dropout and an L2 penalty",
        Learns(0.8),
        |seed| {
            let layers = mlp(&[64, 32, 10], Act::Relu, HE);
            Program {
                decay: Some(1e-3),
                epochs: 40,
                ..Program::new(
                    digits(seed).with_train(300),
                    behind_each_act(layers, || Layer::Dropout(0.3)),
                    CROSS_ENTROPY,
                )
            }
        },
    ),
    healthy(
        "embedding",
        "which of forty items are alike",
        Learns(0.9),
        |seed| Program {
            rate: 1e-2,
            epochs: 15,
            ..Program::new(pairs(seed, 40, 4, 1300), embedded(40, 32), CROSS_ENTROPY)
        },
    ),
    healthy(
        "binary-sigmoid",
        "one probability and its cross-entropy",
        Learns(0.75),
        |seed| Program {
            rate: 1e-2,
            epochs: 30,
            ..Program::new(
                circles(seed),
                ending_in(mlp(&[2, 32, 32, 1], Act::Relu, HE), Act::Sigmoid),
                BINARY_CROSS_ENTROPY,
            )
        },
    ),
    healthy(
        "wide",
        "40,000 parameters for 1,400 images, which do it no harm",
        Learns(0.92),
        |seed| on_digits(seed, mlp(&[64, 512, 10], Act::Relu, HE)),
    ),
    healthy(
        "dropout-of-half",
        "half of the units dropped, as in 2012",
        Learns(0.9),
        |seed| {
            let layers = mlp(&[64, 128, 128, 10], Act::Relu, HE);
            on_digits(seed, behind_each_act(layers, || Layer::Dropout(0.5)))
        },
    ),
    healthy(
        "rare-and-found",
        "one row of ten is of the second class, and easy to tell",
        Learns(0.95),
        |seed| Program {
            rate: 1e-2,
            epochs: 15,
            ..Program::new(
                drawn(seed, 1500, 6, Task::Classes(2), |x, _| {
                    f32::from(u8::from(x[0] + x[1] > 1.8))
                }),
                mlp(&[6, 16, 2], Act::Relu, HE),
                CROSS_ENTROPY,
            )
        },
    ),
    healthy(
        "sparse-inputs",
        "a hundred columns of zeros and few ones",
        Learns(0.9),
        |seed| {
            let data = drawn(seed, 2000, 100, Task::Classes(2), |x, _| {
                let some = x[..40].iter().filter(|value| **value > 1.3).count();
                f32::from(u8::from(some >= 4))
            });
            Program {
                epochs: 15,
                ..Program::new(
                    data.map_inputs(|_, value| f32::from(u8::from(value > 1.3))),
                    mlp(&[100, 32, 2], Act::Relu, HE),
                    CROSS_ENTROPY,
                )
            }
        },
    ),
    healthy(
        "single-samples-without-a-norm",
        "batches of one at a rate that is low enough",
        Learns(0.9),
        |seed| Program {
            rule: Rule::Sgd,
            rate: 0.01,
            batch: 1,
            epochs: 3,
            ..on_digits(seed, mlp(&[64, 32, 10], Act::Relu, HE))
        },
    ),
    healthy(
        "linear-regression",
        "a line through noise is all there is",
        Learns(0.95),
        |seed| Program {
            rate: 3e-2,
            epochs: 15,
            ..Program::new(
                drawn(seed, 800, 6, Task::Numbers, |x, dice| {
                    2.0 * x[0] - x[1] + 0.5 * x[5] + 0.3 * dice.normal()
                }),
                vec![dense(6, 1, GLOROT)],
                MEAN_SQUARED,
            )
        },
    ),
];

fn on_digits(seed: u64, layers: Vec<Layer>) -> Program {
    Program {
        epochs: 8,
        ..Program::new(digits(seed), layers, CROSS_ENTROPY)
    }
}
