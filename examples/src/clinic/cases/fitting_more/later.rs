//! Faulty ones, with the rules that look at references, copies, columns and calibration.

use super::super::{Case, Kind::*, Seen::*};
use super::FITTED;
use super::data::{convolved, counted, items, narrowed, remembered, signed, surface, two_waves};
use crate::clinic::data::{Dice, Rows, Task};
use crate::clinic::layer::{
    Act, GLOROT, HE, Layer, behind_each_act, dense, ending_in, mlp, normed,
};
use crate::clinic::loss::{CROSS_ENTROPY, POISSON_OF_LOGARITHMS};
use crate::clinic::program::{Program, Rule};
use burn::module::Initializer;

pub(super) const CASES: &[Case] = &[
    FITTED
        .case(
            "jittered-before-the-split",
            "each row of the validation is a row of the training with a little noise",
            Learns(0.9),
            &[&[LeakedValidation]],
            &[Overfitting, TooLargeModel],
            |seed| {
                let mut program = surface(seed);
                let mut dice = Dice::new(seed + 21);
                program.data.valid = program.data.train.first(300);
                for value in program.data.valid.inputs.iter_mut().flatten() {
                    *value += 0.01 * dice.normal();
                }
                program
            },
        )
        .against(surface),
    FITTED
        .case(
            "two-columns-of-the-surface-lost",
            "two of six columns are 0 since a join",
            Fails(0.85),
            &[&[ConstantInputs]],
            &[Underfitting, Overfitting, TooFewSteps, UnrelatedLabels],
            |seed| {
                let program = surface(seed);
                let data = program
                    .data
                    .map_inputs(|at, x| if at < 2 { 0.0 } else { x });
                Program { data, ..program }
            },
        )
        .against(surface),
    FITTED
        .case(
            "a-third-filled-with-the-mean",
            "in three columns a third of the values is missing and was filled with 0, their mean",
            ValidFails(0.85),
            &[&[ConstantInputs]],
            &[Underfitting, Overfitting, TooFewSteps, UnrelatedLabels],
            |seed| {
                let mut program = surface(seed);
                let mut dice = Dice::new(seed + 22);
                for rows in program.data.parts() {
                    for row in &mut rows.inputs {
                        if dice.below(3) == 0 {
                            row[..3].fill(0.0);
                        }
                    }
                }
                program
            },
        )
        .against(surface),
    FITTED
        .case(
            "forty-items-as-a-number",
            "the number of an item, of forty, goes in as a number",
            Fails(0.8),
            &[&[Underfitting]],
            &[TooFewSteps, LrTooLow],
            |seed| items(seed, |item| vec![item as f32]),
        )
        .against(|seed| {
            items(seed, |item| {
                (0..40).map(|at| f32::from(u8::from(at == item))).collect()
            })
        }),
    FITTED
        .case(
            "rates-where-logarithms-go",
            "a softplus before Poisson's loss of logarithms",
            Fails(0.2),
            &[&[OutputMismatch]],
            &[Underfitting, UnscaledTarget],
            |seed| Program {
                loss: POISSON_OF_LOGARITHMS,
                ..counted(seed)
            },
        )
        .against(counted),
    FITTED
        .case(
            "weights-of-one-sign",
            "the weights of all layers are uniform in [0, 0.6)",
            Fails(0.8),
            &[&[InitScale, InitialLoss]],
            &[
                DeadUnits,
                ExplodingGradient,
                LrTooHigh,
                VanishingGradient,
                Oscillation,
                TooFewSteps,
            ],
            |seed| Program {
                layers: mlp(
                    &[6, 40, 40, 40, 1],
                    Act::Tanh,
                    Initializer::Uniform { min: 0.0, max: 0.6 },
                ),
                rule: Rule::Sgd,
                rate: 0.02,
                ..surface(seed)
            },
        )
        .against(|seed| Program {
            layers: mlp(&[6, 40, 40, 40, 1], Act::Tanh, GLOROT),
            rule: Rule::Momentum(0.9),
            rate: 0.02,
            ..surface(seed)
        }),
    FITTED
        .case(
            "a-recurrence-without-zero-grad",
            "the gradients of a recurrent network are never cleared",
            Fails(0.8),
            &[&[AccumulatedGradients]],
            &[
                LrTooHigh,
                ExplodingGradient,
                Oscillation,
                Saturated,
                NonFinite,
            ],
            |seed| Program {
                rule: Rule::Momentum(0.9),
                rate: 0.02,
                clears: false,
                clips: None,
                ..signed(seed)
            },
        )
        .against(signed),
    FITTED
        .case(
            "the-last-six-rows-count",
            "batch norm, whose running statistics are nearly those of the last batch of six",
            ValidFails(0.86),
            &[&[NormStatistics, NoisyBatch, Oscillation, SingleSampleNorm]],
            &[Overfitting, LrTooHigh],
            |seed| Program {
                layers: normed(mlp(&[6, 40, 40, 1], Act::Relu, HE), |width| {
                    Layer::SlowBatchNorm {
                        width,
                        momentum: 0.97,
                    }
                }),
                batch: 6,
                epochs: 12,
                ..surface(seed)
            },
        )
        .against(|seed| Program {
            layers: normed(mlp(&[6, 40, 40, 1], Act::Relu, HE), Layer::BatchNorm),
            epochs: 25,
            ..surface(seed)
        }),
    FITTED
        .case(
            "threes-and-eights-exchanged",
            "half of the threes of the training are labelled 8, and half of the eights 3",
            ValidFails(0.9),
            &[&[UnrelatedLabels]],
            &[Overfitting, Underfitting, TooLittleData, RareClass],
            |seed| {
                let mut program = convolved(seed);
                let mut dice = Dice::new(seed + 23);
                for target in program.data.train.targets.iter_mut().flatten() {
                    let other = if *target == 3.0 { 8.0 } else { 3.0 };
                    if (*target == 3.0 || *target == 8.0) && dice.below(2) == 0 {
                        *target = other;
                    }
                }
                program
            },
        )
        .against(convolved),
    FITTED
        .case(
            "a-decay-of-a-tenth",
            "a decay for AdamW as an L2 penalty of Adam",
            Fails(0.85),
            &[&[OverRegularized]],
            &[Underfitting, TooFewSteps, LrTooLow, ConstantOutput],
            |seed| Program {
                decay: Some(0.1),
                ..surface(seed)
            },
        )
        .against(surface),
    FITTED
        .case(
            "sixty-rows-sixteen-times",
            "the sampler draws sixty rows only",
            ValidFails(0.75),
            &[&[TooLittleData, Overfitting, TooLargeModel]],
            &[UnrelatedLabels],
            |seed| {
                let mut program = surface(seed);
                let few = program.data.train.first(60);
                let times = |rows: &[Vec<f32>]| (0..16).flat_map(|_| rows.to_vec()).collect();
                program.data.train = Rows {
                    inputs: times(&few.inputs),
                    targets: times(&few.targets),
                };
                program
            },
        )
        .against(surface),
    FITTED
        .case(
            "validated-in-another-unit",
            "targets are standardised in the training and as they were in the validation",
            ValidFails(0.5),
            &[&[ScalingDiffers, UnscaledTarget]],
            &[Overfitting, OutputMismatch],
            |seed| {
                let mut program = surface(seed);
                for target in program.data.valid.targets.iter_mut().flatten() {
                    *target = 3.0 * *target + 2.0;
                }
                program
            },
        )
        .against(surface),
    FITTED
        .case(
            "classes-in-another-order",
            "the classes of the validation are numbered in another order",
            ValidFails(0.3),
            &[&[UnrelatedLabels, ScalingDiffers, ValidationClasses]],
            &[Overfitting],
            |seed| {
                let mut program = convolved(seed);
                for target in program.data.valid.targets.iter_mut().flatten() {
                    *target = (7.0 * *target + 3.0) % 10.0;
                }
                program
            },
        )
        .against(convolved),
    FITTED
        .case(
            "seven-of-ten-states-dropped",
            "0.7 was the share to keep of the states of an LSTM",
            Fails(0.93),
            &[&[DropoutTooHigh]],
            &[Underfitting, TooFewSteps, LrTooLow, NoisyBatch],
            |seed| {
                let mut program = remembered(seed, 12);
                program.layers.insert(1, Layer::Dropout(0.75));
                program
            },
        )
        .against(|seed| remembered(seed, 12)),
    FITTED
        .case(
            "clipped-at-a-thousandth",
            "plain gradient descent, and a gradient that is clipped at norm 0.001",
            Fails(0.85),
            &[&[LrTooLow, TooFewSteps]],
            &[Underfitting],
            |seed| Program {
                rule: Rule::Sgd,
                rate: 0.1,
                clips: Some(1e-3),
                ..two_waves(seed)
            },
        )
        .against(two_waves),
    FITTED
        .case(
            "two-units-for-a-surface",
            "a hidden layer of two units",
            Fails(0.8),
            &[&[Underfitting]],
            &[TooFewSteps, LrTooLow, DeadUnits],
            |seed| Program {
                layers: mlp(&[6, 2, 1], Act::Tanh, GLOROT),
                ..surface(seed)
            },
        )
        .against(surface),
    FITTED
        .case(
            "digits-at-a-tenth",
            "Adam at 0.1",
            ValidFails(0.85),
            &[&[LrTooHigh, Oscillation]],
            &[
                DeadUnits,
                ExplodingGradient,
                InitialLoss,
                NoisyBatch,
                Overfitting,
            ],
            |seed| Program {
                rate: 0.1,
                ..convolved(seed)
            },
        )
        .against(convolved),
    FITTED
        .case(
            "most-of-the-waves-dropped",
            "0.8 is dropped behind each activation of a regression",
            Fails(0.8),
            &[&[DropoutTooHigh]],
            &[
                Underfitting,
                TooFewSteps,
                LrTooLow,
                NoisyBatch,
                UnrelatedLabels,
            ],
            |seed| {
                let program = two_waves(seed);
                Program {
                    layers: behind_each_act(program.layers.clone(), || Layer::Dropout(0.8)),
                    ..program
                }
            },
        )
        .against(two_waves),
    FITTED
        .case(
            "a-sigmoid-behind-a-surface",
            "a sigmoid behind the last layer of a regression with targets of both signs",
            Fails(0.8),
            &[&[OutputMismatch]],
            &[Saturated, Underfitting, TooFewSteps],
            |seed| Program {
                layers: ending_in(mlp(&[6, 40, 40, 1], Act::Relu, HE), Act::Sigmoid),
                ..surface(seed)
            },
        )
        .against(surface),
    FITTED
        .case(
            "rounded-to-whole-numbers",
            "an integer conversion leaves one, two or three values of each column",
            ValidFails(0.85),
            &[&[Underfitting, UnrelatedLabels, ConstantInputs]],
            &[Overfitting, TooFewSteps, LeakedValidation, TooLittleData],
            |seed| {
                let program = two_waves(seed);
                let data = program.data.map_inputs(|_, x| (0.5 * x).trunc());
                Program { data, ..program }
            },
        )
        .against(two_waves),
    FITTED
        .case(
            "digits-through-a-single-number",
            "a bottleneck of one number in a classifier",
            Fails(0.8),
            &[&[Underfitting]],
            &[TooFewSteps, LrTooLow, DeadUnits],
            |seed| Program {
                layers: vec![
                    dense(64, 40, HE),
                    Layer::Act(Act::Relu),
                    dense(40, 1, GLOROT),
                    dense(1, 40, GLOROT),
                    Layer::Act(Act::Relu),
                    dense(40, 10, GLOROT),
                ],
                loss: CROSS_ENTROPY,
                epochs: 12,
                ..convolved(seed)
            },
        )
        .against(convolved),
    FITTED
        .case(
            "an-autoencoder-in-a-hurry",
            "two epochs of an autoencoder",
            Fails(0.5),
            &[&[TooFewSteps, LrTooLow]],
            &[Underfitting],
            |seed| Program {
                epochs: 2,
                ..narrowed(seed, 12)
            },
        )
        .against(|seed| narrowed(seed, 12)),
    FITTED
        .case(
            "one-label-of-three-drawn",
            "a third of the training labels are drawn",
            ValidFails(0.93),
            &[&[UnrelatedLabels]],
            &[
                Overfitting,
                Underfitting,
                TooLargeModel,
                NoisyBatch,
                TooFewSteps,
            ],
            |seed| {
                let mut program = signed(seed);
                let mut dice = Dice::new(seed + 24);
                for target in program.data.train.targets.iter_mut().flatten() {
                    if dice.below(10) < 7 {
                        *target = dice.below(2) as f32;
                    }
                }
                program.data.task = Task::Classes(2);
                program
            },
        )
        .against(signed),
];
