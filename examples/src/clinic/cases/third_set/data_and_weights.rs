//! Of data, labels and weights.

use super::super::bases::{convolutions, on_digits, waves};
use super::super::{Case, Kind::*, Seen::*};
use super::{SET, autoencoder, recurrent, sides, sums, transformer};
use crate::clinic::data::Dice;
use crate::clinic::layer::{Act, GLOROT, HE, batch_normed, ending_in, mlp, normal};
use crate::clinic::loss::MEAN_SQUARED_OF_CLASSES;
use crate::clinic::program::{Program, Rule};
use burn::module::Initializer;

pub(super) const CASES: &[Case] = &[
    SET.case(
        "labels-encoded-anew",
        "the classes of the validation are numbered anew, in another order",
        ValidFails(0.3),
        &[&[UnrelatedLabels, ValidationClasses]],
        &[Overfitting],
        |seed| {
            let mut program = on_digits(seed, mlp(&[64, 48, 10], Act::Relu, HE));
            for target in &mut program.data.valid.targets {
                target[0] = (target[0] + 3.0) % 10.0;
            }
            program
        },
    ),
    SET.case(
        "negatives-to-train-on",
        "white on black in the training, black on white in the validation",
        ValidFails(0.5),
        &[&[ScalingDiffers]],
        &[Overfitting, UnrelatedLabels],
        |seed| {
            let mut program = on_digits(seed, convolutions([6, 12], HE));
            for pixel in program.data.valid.inputs.iter_mut().flatten() {
                *pixel = 1.0 - *pixel;
            }
            program
        },
    ),
    SET.case(
        "reshaped-instead-of-transposed",
        "each image gets its pixels in an order of its own",
        ValidFails(0.75),
        &[&[UnrelatedLabels, Overfitting, Underfitting]],
        &[TooLargeModel, TooFewSteps, LrTooLow],
        |seed| {
            let mut program = on_digits(seed, mlp(&[64, 64, 10], Act::Tanh, GLOROT));
            let mut dice = Dice::new(seed + 11);
            for rows in program.data.parts() {
                rows.inputs.iter_mut().for_each(|row| dice.shuffle(row));
            }
            program
        },
    ),
    SET.case(
        "a-price-in-another-currency",
        "targets of a regression between 20,000 and 400,000, plain gradient descent",
        NotANumber,
        &[&[UnscaledTarget]],
        &[NonFinite, LrTooHigh, ExplodingGradient],
        |seed| {
            let program = waves(seed);
            Program {
                data: program.data.map_targets(|target| 2e5 + 6e4 * target),
                layers: mlp(&[5, 32, 1], Act::Relu, HE),
                rule: Rule::Sgd,
                rate: 0.01,
                ..program
            }
        },
    ),
    SET.case(
        "squares-of-probabilities-at-a-crawl",
        "softmax and squared differences, plain gradient descent at 0.001",
        Fails(0.4),
        &[&[LrTooLow, TooFewSteps]],
        &[],
        |seed| {
            let layers = ending_in(mlp(&[64, 48, 10], Act::Relu, HE), Act::Softmax);
            Program {
                loss: MEAN_SQUARED_OF_CLASSES,
                rule: Rule::Sgd,
                rate: 1e-3,
                ..on_digits(seed, layers)
            }
        },
    ),
    SET.case(
        "a-transformer-starved",
        "an L2 penalty of 0.3 on a transformer",
        Fails(0.5),
        &[&[OverRegularized, Underfitting]],
        &[ConstantOutput, VanishingGradient, LrTooLow],
        |seed| Program {
            decay: Some(0.3),
            ..on_digits(seed, transformer())
        },
    ),
    SET.case(
        "batch-norm-of-pairs",
        "batches of two rows through three batch norms",
        Fails(0.8),
        &[&[SingleSampleNorm, NormStatistics, NoisyBatch, Oscillation]],
        &[LrTooHigh, Overfitting],
        |seed| Program {
            batch: 2,
            rate: 1e-2,
            epochs: 4,
            ..on_digits(
                seed,
                batch_normed(mlp(&[64, 24, 24, 24, 10], Act::Relu, HE)),
            )
        },
    ),
    SET.case(
        "an-autoencoder-at-ten",
        "momentum at a rate of 10, and an autoencoder",
        Fails(0.3),
        &[&[LrTooHigh]],
        &[Saturated, DeadUnits, ExplodingGradient, ConstantOutput],
        |seed| Program {
            rule: Rule::Momentum(0.9),
            rate: 10.0,
            ..autoencoder(seed)
        },
    ),
    SET.case(
        "only-the-last-bias",
        "the optimizer gets one vector of ten numbers",
        Fails(0.4),
        &[&[NeverTrained, Frozen]],
        &[],
        |seed| Program {
            optimizes: Some(&["layers.5.Dense.bias"]),
            ..on_digits(seed, convolutions([6, 12], HE))
        },
    ),
    SET.case(
        "a-frozen-recurrence",
        "the weights from state to state need no gradient",
        Fails(0.9),
        &[&[Frozen, NeverTrained]],
        &[
            InitScale,
            VanishingGradient,
            LeakingInput,
            TooFewSteps,
            LrTooLow,
        ],
        |seed| Program {
            frozen: &["layers.0.Recurrent.recurrent"],
            ..sums(seed, 12, recurrent(GLOROT, Act::Tanh))
        },
    ),
    SET.case(
        "convolutions-of-zeros",
        "both convolutions begin with zeros",
        Fails(0.3),
        &[&[ConstantInit, DeadUnits, InitScale]],
        &[VanishingGradient, ConstantOutput],
        |seed| on_digits(seed, convolutions([6, 12], Initializer::Zeros)),
    ),
    SET.case(
        "convolutions-of-size-three",
        "convolutions from N(0, 3²), plain gradient descent",
        Fails(0.6),
        &[&[InitScale, ExplodingGradient]],
        &[LrTooHigh, DeadUnits, ConstantOutput, NonFinite],
        |seed| Program {
            rule: Rule::Sgd,
            rate: 0.05,
            ..on_digits(seed, convolutions([6, 12], normal(3.0)))
        },
    ),
    SET.case(
        "a-missing-value-is-minus-999",
        "one number of ten is missing, and was written as -999",
        Fails(0.85),
        &[&[UnscaledInputs]],
        &[
            Saturated,
            LrTooHigh,
            LrTooLow,
            TooFewSteps,
            ExplodingGradient,
            DeadUnits,
        ],
        |seed| {
            let mut program = sides(seed, mlp(&[6, 16, 16, 2], Act::Tanh, GLOROT));
            let mut dice = Dice::new(seed + 13);
            for rows in program.data.parts() {
                for value in rows.inputs.iter_mut().flatten() {
                    if dice.below(10) == 0 {
                        *value = -999.0;
                    }
                }
            }
            program
        },
    ),
    SET.case(
        "the-logarithm-of-a-count",
        "a column is the logarithm of a count that is sometimes 0",
        NotANumber,
        &[&[NonFiniteData]],
        &[NonFinite],
        |seed| {
            let mut program = sides(seed, mlp(&[6, 16, 2], Act::Relu, HE));
            let mut dice = Dice::new(seed + 17);
            for rows in program.data.parts() {
                rows.inputs
                    .iter_mut()
                    .for_each(|row| row[3] = (dice.below(5) as f32).ln());
            }
            program
        },
    ),
];
