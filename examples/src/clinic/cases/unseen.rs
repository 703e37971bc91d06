//! Programs that were written after the last change to a rule of the doctor, and judged once: no rule and no threshold
//! was chosen by them.

use super::{Case, Expect, Kind, Kind::*, Origin, Seen, Seen::*};
use crate::clinic::data::{Data, Dice, Rows, Task, circles, digits, drawn};
use crate::clinic::layer::{
    Act, GLOROT, HE, Layer, batch_normed, behind_each_act, dense, ending_in, mlp, normal, normed,
};
use crate::clinic::loss::{
    BINARY_CROSS_ENTROPY, BINARY_CROSS_ENTROPY_OF_SCORES, CROSS_ENTROPY, Loss, MEAN_SQUARED,
    NEGATED_MEAN_SQUARED, SUMMED_CROSS_ENTROPY,
};
use crate::clinic::program::{Program, Rule, Validation};

const fn unseen(
    name: &'static str,
    story: &'static str,
    seen: Seen,
    causes: &'static [&'static [Kind]],
    fair: &'static [Kind],
    program: fn(u64) -> Program,
) -> Case {
    Case {
        name,
        story,
        source: "made, after questions that are asked again and again on forums",
        origin: Origin::Unseen,
        seen,
        program,
        expect: Expect {
            causes,
            fair,
            not: &[],
            paths: &[],
        },
        twin: None,
    }
}

pub(super) const CASES: &[Case] = &[
    unseen(
        "sum-over-the-batch",
        "the loss is the sum over the rows of a batch of 64, at a rate for their mean",
        Fails(0.5),
        &[&[ScaledLoss, LrTooHigh]],
        &[ExplodingGradient, DeadUnits, NonFinite],
        |seed| Program {
            loss: SUMMED_CROSS_ENTROPY,
            rule: Rule::Momentum(0.9),
            rate: 0.1,
            batch: 64,
            ..on_digits(seed, convolutions())
        },
    ),
    unseen(
        "relu-before-the-loss",
        "the scores go through a ReLU before the cross-entropy",
        LossAbove(0.15),
        &[&[OutputMismatch]],
        &[DeadUnits],
        |seed| {
            on_digits(
                seed,
                ending_in(batch_normed(mlp(&[64, 32, 10], Act::Relu, HE)), Act::Relu),
            )
        },
    ),
    unseen(
        "sigmoid-and-logits",
        "a sigmoid, and a loss that applies one itself",
        LossAbove(0.35),
        &[&[OutputMismatch]],
        &[],
        |seed| {
            let layers = ending_in(mlp(&[6, 24, 24, 1], Act::Tanh, GLOROT), Act::Sigmoid);
            Program {
                loss: BINARY_CROSS_ENTROPY_OF_SCORES,
                rate: 3e-3,
                ..plane(seed, layers)
            }
        },
    ),
    unseen(
        "labels-one-and-two",
        "classes 1 and 2 where a binary cross-entropy wants 0 and 1: the loss falls below 0",
        ValidFails(0.7),
        &[&[OutputMismatch, SingleClass]],
        &[Saturated],
        |seed| {
            let layers = ending_in(mlp(&[6, 16, 1], Act::Relu, HE), Act::Sigmoid);
            let program = plane(seed, layers);
            Program {
                data: program.data.map_targets(|class| class + 1.0),
                ..program
            }
        },
    ),
    unseen(
        "an-autoencoder-uphill",
        "a minus before the reconstruction error",
        Fails(0.0),
        &[&[OutputMismatch, LrInvalid]],
        &[Saturated, LrTooHigh, Underfitting],
        |seed| {
            let mut data = digits(seed);
            for rows in data.parts() {
                rows.targets.clone_from(&rows.inputs);
            }
            data.task = Task::Numbers;
            let layers = ending_in(mlp(&[64, 32, 12, 32, 64], Act::Elu, GLOROT), Act::Sigmoid);
            Program {
                epochs: 8,
                ..Program::new(data, layers, NEGATED_MEAN_SQUARED)
            }
        },
    ),
    unseen(
        "a-schedule-counted-in-epochs",
        "a decay of 0.9 per step that was meant per epoch, and an LSTM",
        Fails(0.5),
        &[&[LrTooLow]],
        &[TooFewSteps],
        |seed| Program {
            schedule: Some(|step| 0.9f64.powi(step as i32)),
            rate: 3e-3,
            epochs: 10,
            ..remembers(
                seed,
                8,
                vec![Layer::Lstm { hidden: 16 }, dense(16, 1, GLOROT)],
            )
        },
    ),
    unseen(
        "a-warm-up-without-end",
        "a warm-up of a million steps and a training of four hundred",
        Fails(0.6),
        &[&[LrTooLow, TooFewSteps]],
        &[],
        |seed| Program {
            warmup: Some(1_000_000),
            ..on_digits(
                seed,
                normed(mlp(&[64, 48, 48, 10], Act::Relu, HE), Layer::LayerNorm),
            )
        },
    ),
    unseen(
        "a-new-model-each-epoch",
        "model and optimizer are made within the loop over the epochs",
        Fails(0.93),
        &[&[WeightsReset]],
        &[],
        |seed| Program {
            resets: true,
            ..on_digits(seed, mlp(&[64, 48, 10], Act::Tanh, GLOROT))
        },
    ),
    unseen(
        "the-first-model-validated",
        "a copy made before the training is validated in each epoch",
        ValidFails(0.4),
        &[&[StaleValidation]],
        &[],
        |seed| Program {
            validation: Validation::FirstNetwork,
            ..on_digits(seed, convolutions())
        },
    ),
    unseen(
        "transposed-validation",
        "the images of the validation are read column by column",
        ValidFails(0.6),
        &[&[ScalingDiffers]],
        &[Overfitting, UnrelatedLabels],
        |seed| {
            let mut program = on_digits(seed, mlp(&[64, 64, 10], Act::Relu, HE));
            for row in &mut program.data.valid.inputs {
                *row = (0..64).map(|at| row[8 * (at % 8) + at / 8]).collect();
            }
            program
        },
    ),
    unseen(
        "validated-on-the-other-half",
        "trained on the digits 0 to 4, and validated on 5 to 9",
        ValidFails(0.2),
        &[&[ValidationClasses]],
        &[ScalingDiffers, Overfitting, UnrelatedLabels],
        |seed| {
            let mut program = on_digits(seed, mlp(&[64, 48, 10], Act::Elu, GLOROT));
            program.data.train = kept(&program.data.train, |class| class < 5.0);
            program.data.valid = kept(&program.data.valid, |class| class >= 5.0);
            program
        },
    ),
    unseen(
        "a-penalty-that-silences",
        "the sum of the activations weighs more than the loss",
        Fails(0.5),
        &[&[OverRegularized, DeadUnits, Underfitting]],
        &[ConstantOutput, VanishingGradient],
        |seed| Program {
            sparsity: Some(1.0),
            ..on_digits(seed, mlp(&[64, 64, 64, 10], Act::Relu, HE))
        },
    ),
    unseen(
        "a-norm-that-remembers-its-start",
        "batch norms in whose running statistics a batch has a share of 0.0001",
        ValidFails(0.6),
        &[&[NormStatistics, WrongMode]],
        &[Overfitting],
        |seed| {
            let norm = |width| Layer::SlowBatchNorm {
                width,
                momentum: 1e-4,
            };
            let mut program = on_digits(seed, normed(mlp(&[64, 32, 32, 10], Act::Relu, HE), norm));
            program.data = program.data.map_inputs(|_, pixel| 3.0 * pixel + 2.0);
            program
        },
    ),
    unseen(
        "what-came-first",
        "a plain recurrent layer is to remember the first of eighty numbers",
        Fails(0.3),
        &[&[VanishingGradient, Underfitting, InitScale]],
        &[TooFewSteps, LrTooLow, Overfitting],
        |seed| {
            let layers = vec![
                Layer::Recurrent {
                    hidden: 24,
                    act: Act::Tanh,
                    recurrent: normal(0.1),
                },
                dense(24, 1, GLOROT),
            ];
            Program {
                epochs: 10,
                ..remembers(seed, 80, layers)
            }
        },
    ),
    unseen(
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
    unseen(
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
    unseen(
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
    unseen(
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
    unseen(
        "four-images-of-a-three",
        "a convolutional network that has seen four images of one class",
        Learns(0.8),
        &[&[RareClass]],
        &[],
        |seed| {
            let mut program = on_digits(seed, convolutions());
            let mut threes = 0;
            program.data.train = kept(&program.data.train, |class| {
                threes += usize::from(class == 3.0);
                class != 3.0 || threes <= 4
            });
            program
        },
    ),
    unseen(
        "frozen-convolutions",
        "both convolutions keep the random numbers they began with",
        Fails(0.97),
        &[&[Frozen, NeverTrained]],
        &[],
        |seed| Program {
            frozen: &["layers.0", "layers.3"],
            epochs: 5,
            ..on_digits(seed, convolutions())
        },
    ),
    unseen(
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
    unseen(
        "weights-from-a-broken-file",
        "weights of size 1e18",
        Fails(0.6),
        &[&[InitScale, ExplodingGradient, NonFinite]],
        &[LrTooHigh, DeadUnits, LogOfZero, ConstantOutput],
        |seed| on_digits(seed, mlp(&[64, 32, 32, 10], Act::Relu, normal(1e18))),
    ),
    unseen(
        "an-lstm-at-rate-one",
        "Adam at 1.0 and an LSTM",
        Fails(0.3),
        &[&[LrTooHigh]],
        &[Saturated, ExplodingGradient, Oscillation, DeadUnits],
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
    unseen(
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
    unseen(
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
    unseen(
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
    unseen(
        "a-late-average-of-convolutions",
        "an average of the weights that is to begin after the last epoch",
        Learns(0.8),
        &[&[AverageNeverStarted]],
        &[],
        |seed| Program {
            averages_after: Some(500_000),
            ..on_digits(seed, convolutions())
        },
    ),
    unseen(
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
    unseen(
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
    unseen(
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
    unseen(
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
    unseen(
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
    unseen(
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
    unseen(
        "normed-convolutions",
        "a batch norm behind the convolution, dropout, momentum",
        Learns(0.85),
        &[],
        &[],
        |seed| {
            let mut layers = convolutions();
            layers.insert(1, Layer::BatchNorm(8 * 64));
            Program {
                rule: Rule::Momentum(0.9),
                rate: 0.02,
                ..on_digits(seed, layers)
            }
        },
    ),
    unseen(
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
    unseen(
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

fn on_digits(seed: u64, layers: Vec<Layer>) -> Program {
    Program {
        epochs: 10,
        ..Program::new(digits(seed), layers, CROSS_ENTROPY)
    }
}

fn convolutions() -> Vec<Layer> {
    let conv = |inputs, outputs, side| Layer::Conv {
        channels: [inputs, outputs],
        side,
        weight: HE,
    };
    vec![
        conv(1, 8, 8),
        Layer::Act(Act::Relu),
        Layer::Pool {
            channels: 8,
            side: 8,
        },
        conv(8, 12, 4),
        Layer::Act(Act::Relu),
        dense(192, 10, GLOROT),
    ]
}

/// On which side of a plane a row of six numbers is.
fn plane(seed: u64, layers: Vec<Layer>) -> Program {
    let data = drawn(seed, 1500, 6, Task::Classes(2), |x, _| {
        f32::from(u8::from(x[0] + x[1] - x[4] > 0.2))
    });
    let loss: Loss = BINARY_CROSS_ENTROPY;
    Program {
        epochs: 12,
        ..Program::new(data, layers, loss)
    }
}

/// The first of so many numbers from N(0, 1).
fn remembers(seed: u64, length: usize, layers: Vec<Layer>) -> Program {
    let data = drawn(seed, 1000, length, Task::Numbers, |x, _| x[0]);
    Program {
        rate: 3e-3,
        ..Program::new(data, layers, MEAN_SQUARED)
    }
}

/// A wave over five numbers.
fn waves(seed: u64) -> Program {
    let data: Data = drawn(seed, 1200, 5, Task::Numbers, |x, _| {
        (1.5 * x[0]).sin() + 0.5 * x[1] - 0.3 * x[2] * x[3]
    });
    Program {
        rate: 3e-3,
        ..Program::new(data, mlp(&[5, 32, 32, 1], Act::Tanh, GLOROT), MEAN_SQUARED)
    }
}

/// Whether two of thirty items are of one kind, of three.
fn items(seed: u64) -> Program {
    let mut pairs: Vec<(usize, usize)> = (0..900).map(|i| (i / 30, i % 30)).collect();
    Dice::new(seed).shuffle(&mut pairs);
    let rows = |pairs: &[(usize, usize)]| Rows {
        inputs: pairs
            .iter()
            .map(|(one, other)| vec![*one as f32, *other as f32])
            .collect(),
        targets: pairs
            .iter()
            .map(|(one, other)| vec![f32::from(u8::from(one % 3 == other % 3))])
            .collect(),
    };
    let data = Data {
        train: rows(&pairs[..700]),
        valid: rows(&pairs[700..]),
        task: Task::Classes(2),
    };
    let layers = vec![
        Layer::Embedding {
            count: 30,
            width: 8,
        },
        dense(16, 24, HE),
        Layer::Act(Act::Relu),
        dense(24, 2, GLOROT),
    ];
    Program {
        rate: 1e-2,
        epochs: 12,
        ..Program::new(data, layers, CROSS_ENTROPY)
    }
}

/// The rows whose class is wanted.
fn kept(rows: &Rows, mut wanted: impl FnMut(f32) -> bool) -> Rows {
    let pairs = rows.inputs.iter().zip(&rows.targets);
    let (inputs, targets) = pairs
        .filter(|(_, target)| wanted(target[0]))
        .map(|(row, target)| (row.clone(), target.clone()))
        .unzip();
    Rows { inputs, targets }
}
