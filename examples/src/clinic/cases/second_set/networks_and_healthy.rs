//! Of data and networks, and healthy ones.

use super::super::bases::{convolutions, on_digits, waves};
use super::super::{Case, Kind::*, Seen::*};
use super::{SET, items, kept, remembers};
use crate::clinic::data::{Dice, Task, circles, drawn};
use crate::clinic::layer::{
    Act, GLOROT, HE, Layer, behind_each_act, dense, ending_in, mlp, normal, normed,
};
use crate::clinic::loss::{
    BINARY_CROSS_ENTROPY, BINARY_CROSS_ENTROPY_OF_SCORES, CROSS_ENTROPY, MEAN_SQUARED,
};
use crate::clinic::program::{Program, Rule};

pub(super) const CASES: &[Case] = &[
    SET.case(
        "every-item-is-number-zero",
        "the numbers of items are lost on their way, and all are 0",
        Fails(0.9),
        &[&[ConstantInputs]],
        &[RareClass, Underfitting, LeakedValidation, ConstantOutput],
        |seed| {
            let mut program = items(seed);
            for rows in program.data.parts() {
                rows.inputs.iter_mut().for_each(|row| row.fill(0.0));
            }
            program
        },
    ),
    SET.case(
        "a-bottleneck-of-one",
        "one unit between 64 pixels and ten classes",
        Fails(0.75),
        &[&[Underfitting, DeadUnits]],
        &[TooFewSteps],
        |seed| Program {
            epochs: 25,
            rate: 3e-3,
            ..on_digits(seed, mlp(&[64, 1, 10], Act::Relu, HE))
        },
    ),
    SET.case(
        "a-line-for-a-bowl",
        "a single linear layer is to learn a sum of squares",
        Fails(0.3),
        &[&[Underfitting, LinearNetwork]],
        &[],
        |seed| {
            let bowl = drawn(seed, 1500, 3, Task::Numbers, |x, _| {
                0.5 * (x[0] * x[0] + x[1] * x[1]) - 1.0
            });
            Program {
                rate: 1e-2,
                ..Program::new(bowl, vec![dense(3, 1, GLOROT)], MEAN_SQUARED)
            }
        },
    ),
    SET.case(
        "momentum-without-friction",
        "a momentum of 0.999 in a regression",
        Fails(0.5),
        &[&[LrTooHigh, Oscillation]],
        &[ExplodingGradient, NonFinite, Saturated, DeadUnits],
        |seed| Program {
            rule: Rule::Momentum(0.999),
            rate: 0.05,
            epochs: 12,
            ..waves(seed)
        },
    ),
    SET.case(
        "four-images-of-a-three",
        "a convolutional network that has seen four images of one class",
        Learns(0.8),
        &[&[RareClass]],
        &[],
        |seed| {
            let mut program = on_digits(seed, convolutions([8, 12], HE));
            let mut threes = 0;
            program.data.train = kept(&program.data.train, |class| {
                threes += usize::from(class == 3.0);
                class != 3.0 || threes <= 4
            });
            program
        },
    ),
    SET.case(
        "frozen-convolutions",
        "both convolutions keep the random numbers they began with",
        Fails(0.97),
        &[&[Frozen, NeverTrained]],
        &[],
        |seed| Program {
            frozen: &["layers.0", "layers.3"],
            epochs: 5,
            ..on_digits(seed, convolutions([8, 12], HE))
        },
    ),
    SET.case(
        "dropout-behind-the-scores",
        "half of the scores are dropped before the loss",
        LossAbove(0.5),
        &[&[DropoutTooHigh, OutputMismatch]],
        &[],
        |seed| {
            let mut layers = mlp(&[64, 48, 10], Act::LeakyRelu, HE);
            layers.push(Layer::Dropout(0.7));
            on_digits(seed, layers)
        },
    ),
    SET.case(
        "weights-from-a-broken-file",
        "weights of size 1e18",
        Fails(0.6),
        &[&[InitScale, ExplodingGradient, NonFinite]],
        &[LrTooHigh, DeadUnits, LogOfZero, ConstantOutput],
        |seed| on_digits(seed, mlp(&[64, 32, 32, 10], Act::Relu, normal(1e18))),
    ),
    SET.case(
        "an-lstm-at-rate-one",
        "Adam at 1.0 and an LSTM",
        Fails(0.3),
        &[&[LrTooHigh]],
        &[
            Saturated,
            ExplodingGradient,
            Oscillation,
            DeadUnits,
            LeakingInput,
        ],
        |seed| Program {
            rate: 1.0,
            epochs: 6,
            ..remembers(
                seed,
                6,
                vec![Layer::Lstm { hidden: 16 }, dense(16, 1, GLOROT)],
            )
        },
    ),
    SET.case(
        "divided-twice-by-255",
        "pixels that were divided by 255 when they were read, and once more in the loader",
        Fails(0.7),
        &[&[UnscaledInputs]],
        &[LrTooLow, TooFewSteps, VanishingGradient],
        |seed| {
            let program = on_digits(seed, mlp(&[64, 48, 10], Act::Sigmoid, GLOROT));
            Program {
                data: program.data.map_inputs(|_, pixel| pixel / 255.0),
                rule: Rule::Sgd,
                rate: 0.1,
                ..program
            }
        },
    ),
    SET.case(
        "clipped-at-a-hundred-thousandth",
        "gradients are clipped at a norm of 1e-5",
        Fails(0.5),
        &[&[LrTooLow, TooFewSteps]],
        &[],
        |seed| Program {
            clips: Some(1e-5),
            rule: Rule::Sgd,
            rate: 0.1,
            ..on_digits(seed, mlp(&[64, 48, 10], Act::Relu, HE))
        },
    ),
    SET.case(
        "forty-blocks-of-a-half",
        "residual blocks without a norm, and weights from N(0, 0.5²)",
        Fails(0.6),
        &[&[InitScale, ExplodingGradient]],
        &[LrTooHigh, NonFinite, ConstantOutput, DeadUnits],
        |seed| {
            let mut layers = vec![dense(64, 16, HE)];
            for _ in 0..40 {
                layers.push(Layer::Residual(mlp(&[16, 16, 16], Act::Relu, normal(0.5))));
            }
            layers.push(dense(16, 10, GLOROT));
            Program {
                rule: Rule::Momentum(0.9),
                rate: 0.01,
                epochs: 4,
                ..on_digits(seed, layers)
            }
        },
    ),
    SET.case(
        "a-late-average-of-convolutions",
        "an average of the weights that is to begin after the last epoch",
        Learns(0.8),
        &[&[AverageNeverStarted]],
        &[],
        |seed| Program {
            averages_after: Some(500_000),
            ..on_digits(seed, convolutions([8, 12], HE))
        },
    ),
    SET.case(
        "the-answer-in-a-column",
        "the target with a little noise is one of the inputs of a regression",
        Learns(0.97),
        &[&[LeakingInput]],
        &[],
        |seed| {
            let mut program = waves(seed);
            let mut dice = Dice::new(seed + 3);
            for rows in program.data.parts() {
                for (row, target) in rows.inputs.iter_mut().zip(&rows.targets) {
                    row.push(2.0 * target[0] + 1e-3 * dice.normal());
                }
            }
            program.layers[0] = dense(6, 32, GLOROT);
            program
        },
    ),
    SET.case(
        "an-average-of-the-second-half",
        "weights averaged from the middle of the training on",
        Learns(0.9),
        &[],
        &[],
        |seed| Program {
            averages_after: Some(220),
            ..on_digits(
                seed,
                normed(mlp(&[64, 48, 48, 10], Act::Relu, HE), Layer::LayerNorm),
            )
        },
    ),
    SET.case(
        "a-cosine-to-zero",
        "a learning rate that falls to 0 at the last step",
        Learns(0.9),
        &[],
        &[],
        |seed| Program {
            schedule: Some(|step| 0.5 + 0.5 * (std::f64::consts::PI * step as f64 / 440.0).cos()),
            rate: 3e-3,
            ..on_digits(seed, mlp(&[64, 64, 10], Act::Elu, GLOROT))
        },
    ),
    SET.case(
        "hardly-better-than-a-coin",
        "two classes that nobody can tell apart better than in two cases of three",
        Learns(0.58),
        &[],
        &[],
        |seed| {
            let faint = drawn(seed, 4000, 4, Task::Classes(2), |x, dice| {
                f32::from(u8::from(x[0] + 1.6 * dice.normal() > 0.0))
            });
            Program {
                epochs: 6,
                rate: 3e-3,
                ..Program::new(faint, mlp(&[4, 8, 2], Act::Tanh, GLOROT), CROSS_ENTROPY)
            }
        },
    ),
    SET.case(
        "counts-behind-a-relu",
        "targets that are never negative, and a ReLU that fits them",
        Learns(0.8),
        &[],
        &[],
        |seed| {
            let counts = drawn(seed, 2000, 4, Task::Numbers, |x, _| {
                (x[0] + 0.5 * x[1]).abs()
            });
            Program {
                epochs: 20,
                rate: 3e-3,
                ..Program::new(
                    counts,
                    ending_in(mlp(&[4, 32, 32, 1], Act::LeakyRelu, HE), Act::Relu),
                    MEAN_SQUARED,
                )
            }
        },
    ),
    SET.case(
        "logits-of-two-circles",
        "a single score and the loss that applies the sigmoid",
        Learns(0.72),
        &[],
        &[],
        |seed| Program {
            rate: 1e-2,
            epochs: 30,
            ..Program::new(
                circles(seed),
                mlp(&[2, 32, 32, 1], Act::Relu, HE),
                BINARY_CROSS_ENTROPY_OF_SCORES,
            )
        },
    ),
    SET.case(
        "normed-convolutions",
        "a batch norm behind the convolution, dropout, momentum",
        Learns(0.85),
        &[],
        &[],
        |seed| {
            let mut layers = convolutions([8, 12], HE);
            layers.insert(1, Layer::BatchNorm(8 * 64));
            Program {
                rule: Rule::Momentum(0.9),
                rate: 0.02,
                ..on_digits(seed, layers)
            }
        },
    ),
    SET.case(
        "three-to-one",
        "a quarter of the rows are of the second class",
        Learns(0.85),
        &[],
        &[],
        |seed| {
            let layers = ending_in(mlp(&[6, 24, 1], Act::Relu, HE), Act::Sigmoid);
            let data = drawn(seed, 2000, 6, Task::Classes(2), |x, dice| {
                f32::from(u8::from(x[0] - x[2] + 0.3 * dice.normal() > 1.0))
            });
            Program {
                rate: 3e-3,
                epochs: 15,
                ..Program::new(data, layers, BINARY_CROSS_ENTROPY)
            }
        },
    ),
    SET.case(
        "noisy-labels",
        "every tenth label is wrong, dropout",
        Learns(0.8),
        &[],
        &[],
        |seed| {
            let layers = mlp(&[64, 64, 10], Act::Relu, HE);
            let mut program = on_digits(seed, behind_each_act(layers, || Layer::Dropout(0.3)));
            let mut dice = Dice::new(seed + 5);
            for target in &mut program.data.train.targets {
                if dice.below(10) == 0 {
                    target[0] = dice.below(10) as f32;
                }
            }
            program
        },
    ),
];
