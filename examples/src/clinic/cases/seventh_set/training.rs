//! Optimizers, schedules, precision, batches, and loops that do what nobody meant.

use super::signals::{by_momentum, even_digits, leaves, seventy_points, votes};
use super::tables::{houses, loans, soils};
use super::{ASKED, Case, Kind::*, Seen::*};
use crate::clinic::loss::CROSS_ENTROPY_OF_THE_FIRST;
use crate::clinic::program::{Precision, Program, Rule};

pub(super) const CASES: &[Case] = &[
    ASKED
        .case(
            "betas-exchanged",
            "Adam with 0.999 for the gradient and 0.9 for its square",
            Fails(0.92),
            &[&[LrTooHigh, Oscillation]],
            &[
                ExplodingGradient,
                Saturated,
                NoisyBatch,
                VanishingGradient,
                DeadUnits,
                Underfitting,
                LrTooLow,
                TooFewSteps,
            ],
            |seed| Program {
                rule: Rule::AdamWith {
                    betas: [0.999, 0.9],
                    epsilon: 1e-8,
                },
                ..houses(seed)
            },
        )
        .against(houses),
    ASKED
        .case(
            "an-optimizer-for-each-step",
            "the optimizer is made within the loop over the batches, and remembers nothing",
            Fails(0.92),
            &[&[LrTooHigh, Oscillation, NoisyBatch]],
            &[Underfitting, Saturated, ExplodingGradient],
            |seed| Program {
                forgets: true,
                rate: 0.025,
                ..houses(seed)
            },
        )
        .against(|seed| Program {
            rate: 0.025,
            ..houses(seed)
        }),
    ASKED
        .case(
            "gradients-that-round-to-nothing",
            "a loss is divided by the number of pixels of a picture, ten million, and its gradients are in half precision",
            Fails(0.8),
            &[&[
                ScaledLoss,
                VanishingGradient,
                NoGradients,
                NeverTrained,
                LrTooLow,
                TooFewSteps,
            ]],
            &[Underfitting],
            |seed| Program {
                loss_scale: Some(|_| 1e-7),
                unscales: false,
                ..in_half(seed)
            },
        )
        .against(in_half),
    ASKED
        .case(
            "weights-in-sixteen-bits",
            "weights are stored in bfloat16, and a step is smaller than the distance to the next number",
            Fails(0.75),
            &[&[LrTooLow, TooFewSteps, NeverTrained]],
            &[Underfitting],
            |seed| Program {
                weights: Some(Precision::Bfloat),
                ..patient(seed)
            },
        )
        .against(patient),
    ASKED
        .case(
            "clipped-before-the-scale-is-undone",
            "gradients are clipped at 1 while they are 65,536 times what they are, and divided then",
            Fails(0.6),
            &[&[LrTooLow, TooFewSteps, ScaledLoss, VanishingGradient]],
            &[Underfitting],
            |seed| Program {
                clips_scaled: true,
                ..scaled(seed)
            },
        )
        .against(scaled),
    ASKED
        .case(
            "weights-within-a-hundredth",
            "each weight is cut off at ±0.01 after a step: a line from a critic's loop",
            Fails(0.75),
            &[&[OverRegularized, VanishingGradient, Underfitting]],
            &[ConstantOutput, LrTooLow, TooFewSteps, DeadUnits],
            |seed| Program {
                bound: Some(0.01),
                ..soils(seed)
            },
        )
        .against(soils),
    ASKED
        .case(
            "a-schedule-times-a-thousandth",
            "the rate of the paper's schedule is multiplied by the optimizer's own default, 0.001",
            Fails(0.7),
            &[&[LrTooLow, TooFewSteps]],
            &[Underfitting],
            |seed| Program {
                rate: 0.1 * 1e-3,
                schedule: Some(paper),
                ..votes(seed)
            },
        )
        .against(|seed| Program {
            rate: 0.1,
            schedule: Some(paper),
            ..votes(seed)
        }),
    ASKED
        .case(
            "only-the-first-row-counts",
            "the loss is that of output 0 and label 0 of a batch",
            Fails(0.89),
            &[&[NoisyBatch, TooFewSteps]],
            &[
                Underfitting,
                LrTooHigh,
                LrTooLow,
                Oscillation,
                TooLittleData,
                UnrelatedLabels,
            ],
            |seed| Program {
                loss: CROSS_ENTROPY_OF_THE_FIRST,
                ..soils(seed)
            },
        )
        .against(soils),
    ASKED
        .case(
            "stopped-because-it-got-better",
            "early stopping waits for a larger validation loss, and keeps the weights of the first epoch",
            ValidFails(0.8),
            &[&[TooFewSteps, LrTooLow]],
            &[Underfitting],
            |seed| Program {
                prefers_more: true,
                ..watched(seed)
            },
        )
        .against(watched),
    ASKED
        .case(
            "back-to-the-first-checkpoint",
            "each epoch is a job of its own that loads the checkpoint of the first",
            Fails(0.82),
            &[&[WeightsReset]],
            &[TooFewSteps, LrTooLow, Underfitting],
            |seed| Program {
                reloads: true,
                ..slow_leaves(seed)
            },
        )
        .against(slow_leaves),
    ASKED
        .case(
            "ink-is-nought-and-paper-is-one",
            "a frozen body has learned white digits on black, and gets black ones on white",
            ValidFails(0.91),
            &[&[Frozen, NeverTrained, UnscaledInputs]],
            &[
                Underfitting,
                Overfitting,
                TooLittleData,
                DeadUnits,
                TooFewSteps,
                LrTooLow,
                TooLargeModel,
            ],
            |seed| {
                let program = frozen_body(seed);
                Program {
                    data: program.data.map_inputs(|_, pixel| 1.0 - pixel),
                    ..program
                }
            },
        )
        .against(frozen_body),
    ASKED
        .case(
            "sixty-waves-through-seventy-points",
            "a linear model of sixty sines and cosines, seventy points, and no penalty",
            ValidFails(0.6),
            &[&[Overfitting, TooLargeModel, TooLittleData]],
            &[],
            |seed| seventy_points(seed, 30),
        )
        .against(|seed| seventy_points(seed, 3)),
];

/// The schedule of "Attention is all you need", for tokens of twelve numbers and 60 steps of warm-up.
fn paper(step: usize) -> f64 {
    let step = (step + 1) as f64;
    12.0_f64.powf(-0.5) * step.powf(-0.5).min(step * 60.0_f64.powf(-1.5))
}

/// The leaves with gradients in half precision, and an epsilon that does no harm to small ones.
fn in_half(seed: u64) -> Program {
    Program {
        gradients: Some(Precision::Half),
        rule: Rule::AdamWith {
            betas: [0.9, 0.999],
            epsilon: 1e-12,
        },
        ..leaves(seed)
    }
}

/// The loans at a low rate.
fn patient(seed: u64) -> Program {
    Program {
        rate: 2e-4,
        epochs: 30,
        decay: None,
        ..loans(seed)
    }
}

/// The leaves at a low rate, for longer.
fn slow_leaves(seed: u64) -> Program {
    Program {
        rate: 1e-3,
        epochs: 16,
        ..leaves(seed)
    }
}

/// Momentum, a scale of the loss and a clipped gradient.
fn scaled(seed: u64) -> Program {
    Program {
        loss_scale: Some(|_| 65_536.0),
        clips: Some(1.0),
        ..by_momentum(leaves(seed), 0.03)
    }
}

/// The soils at a low rate, with an early stop.
fn watched(seed: u64) -> Program {
    Program {
        rate: 1e-3,
        epochs: 40,
        patience: Some(4),
        ..soils(seed)
    }
}

/// Even digits by the last layer only.
pub(super) fn frozen_body(seed: u64) -> Program {
    Program {
        frozen: &["layers.0", "layers.2"],
        rate: 1e-2,
        epochs: 30,
        ..even_digits(seed)
    }
}
