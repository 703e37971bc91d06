//! Of losses, schedules, loops and validations.

use super::super::bases::{convolutions, on_digits};
use super::super::{Case, Kind::*, Seen::*};
use super::{SET, kept, plane, remembers};
use crate::clinic::data::digits;
use crate::clinic::layer::{
    Act, GLOROT, HE, Layer, batch_normed, dense, ending_in, mlp, normal, normed,
};
use crate::clinic::loss::{
    BINARY_CROSS_ENTROPY_OF_SCORES, NEGATED_MEAN_SQUARED, SUMMED_CROSS_ENTROPY,
};
use crate::clinic::program::{Program, Rule, Validation};

pub(super) const CASES: &[Case] = &[
    SET.case(
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
            ..on_digits(seed, convolutions([8, 12], HE))
        },
    ),
    SET.case(
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
    SET.case(
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
    SET.case(
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
    SET.case(
        "an-autoencoder-uphill",
        "a minus before the reconstruction error",
        Fails(0.0),
        &[&[OutputMismatch, LrInvalid]],
        &[Saturated, LrTooHigh, Underfitting],
        |seed| {
            let data = digits(seed).reconstructed();
            let layers = ending_in(mlp(&[64, 32, 12, 32, 64], Act::Elu, GLOROT), Act::Sigmoid);
            Program {
                epochs: 8,
                ..Program::new(data, layers, NEGATED_MEAN_SQUARED)
            }
        },
    ),
    SET.case(
        "a-schedule-counted-in-epochs",
        "a decay of 0.9 per step that was meant per epoch, and an LSTM",
        Fails(0.5),
        &[&[LrTooLow]],
        &[TooFewSteps, LeakingInput],
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
    SET.case(
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
    SET.case(
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
    SET.case(
        "the-first-model-validated",
        "a copy made before the training is validated in each epoch",
        ValidFails(0.4),
        &[&[StaleValidation]],
        &[],
        |seed| Program {
            validation: Validation::FirstNetwork,
            ..on_digits(seed, convolutions([8, 12], HE))
        },
    ),
    SET.case(
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
    SET.case(
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
    SET.case(
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
    SET.case(
        "a-norm-that-remembers-its-start",
        "batch norms in whose running statistics a batch has a share of 0.0001",
        ValidFails(0.6),
        &[&[NormStatistics, WrongMode]],
        &[Overfitting, ConstantInputs],
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
    SET.case(
        "what-came-first",
        "a plain recurrent layer is to remember the first of eighty numbers",
        Fails(0.3),
        &[&[VanishingGradient, Underfitting, InitScale]],
        &[TooFewSteps, LrTooLow, Overfitting, LeakingInput],
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
];
