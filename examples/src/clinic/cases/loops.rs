//! The training loop forgets something.

use super::{Case, Expect, Kind::*, Origin, Seen::*};
use crate::clinic::data::digits;
use crate::clinic::layer::{Act, HE, Layer, batch_normed, behind_each_act, mlp};
use crate::clinic::loss::CROSS_ENTROPY;
use crate::clinic::program::{Program, Rule, Validation};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "layers-in-a-plain-list",
        story: "hidden layers in a plain list, where the optimizer does not see them: only the last layer learns",
        source: "https://github.com/pytorch/pytorch/issues/715",
        origin: Origin::Published,
        seen: Fails(0.7),
        program: |seed| Program {
            optimizes: Some(&["layers.6"]),
            ..narrow(seed)
        },
        expect: Expect {
            causes: &[&[NeverTrained, Frozen]],
            fair: &[],
            not: &[VanishingGradient, Underfitting, LrTooLow],
            paths: &["layers.0", "layers.2", "layers.4"],
        },
        twin: Some(narrow),
    },
    Case {
        name: "gradients-never-cleared",
        story: "each step takes the sum of all gradients so far",
        source: "https://github.com/pytorch/pytorch/issues/47175",
        origin: Origin::Published,
        seen: Fails(0.6),
        program: |seed| Program {
            clears: false,
            ..plain_sgd(seed)
        },
        expect: Expect {
            causes: &[&[AccumulatedGradients]],
            fair: &[LrTooHigh, ExplodingGradient, DeadUnits],
            not: &[Overfitting],
            paths: &[],
        },
        twin: Some(plain_sgd),
    },
    Case {
        name: "validation-in-training-mode",
        story: "batch norm and dropout go on in validation, one image at a time: all outputs are alike",
        source: "https://github.com/ando-khachatryan/HiDDeN/issues/13",
        origin: Origin::Published,
        seen: ValidFails(0.2),
        program: |seed| Program {
            validation: Validation::OneByOneInTraining(100),
            ..normed_and_dropped(seed)
        },
        expect: Expect {
            causes: &[&[WrongMode, SingleSampleNorm]],
            fair: &[ScalingDiffers, ValidationClasses],
            not: &[Overfitting, LeakingInput, TooLargeModel],
            paths: &[],
        },
        twin: Some(normed_and_dropped),
    },
    Case {
        name: "freezing-inverted",
        story: "a negation too few: the body is frozen, and what should be frozen is trained",
        source: "https://github.com/wannabeOG/MAS-PyTorch/issues/1",
        origin: Origin::Published,
        seen: Fails(0.7),
        program: |seed| Program {
            frozen: &["layers.0", "layers.2", "layers.4"],
            ..narrow(seed)
        },
        expect: Expect {
            causes: &[&[NeverTrained, Frozen]],
            fair: &[],
            not: &[VanishingGradient, Underfitting, LrTooLow],
            paths: &["layers.0", "layers.2", "layers.4"],
        },
        twin: Some(narrow),
    },
    Case {
        name: "one-part-listed-twice",
        story: "two parts, and the optimizer gets the first one twice: the second is never optimised",
        source: "https://github.com/line/open-universe/issues/5",
        origin: Origin::Published,
        seen: Fails(0.92),
        program: |seed| Program {
            optimizes: Some(&["layers.0", "layers.2"]),
            ..narrow(seed)
        },
        expect: Expect {
            causes: &[&[NeverTrained, Frozen]],
            fair: &[],
            not: &[VanishingGradient, Underfitting, LrTooLow],
            paths: &["layers.4", "layers.6"],
        },
        twin: Some(narrow),
    },
    Case {
        name: "frozen-by-mistake",
        story: "the first layer of a small network needs no gradient",
        source: "made: the digits",
        origin: Origin::Made,
        seen: Fails(0.9),
        program: |seed| Program {
            frozen: &["layers.0"],
            ..narrow(seed)
        },
        expect: Expect {
            causes: &[&[NeverTrained, Frozen]],
            fair: &[],
            not: &[VanishingGradient, Underfitting, LrTooLow],
            paths: &["layers.0"],
        },
        twin: Some(narrow),
    },
    Case {
        name: "optimizer-over-the-wrong-parameters",
        story: "the optimizer gets the biases and not the weights",
        source: "made: the digits",
        origin: Origin::Made,
        seen: Fails(0.7),
        program: |seed| Program {
            optimizes: Some(&["bias"]),
            ..narrow(seed)
        },
        expect: Expect {
            causes: &[&[NeverTrained, Frozen]],
            fair: &[],
            not: &[VanishingGradient, Underfitting],
            paths: &["layers.0", "layers.2", "layers.4", "layers.6"],
        },
        twin: Some(narrow),
    },
    Case {
        name: "batch-norm-of-single-samples",
        story: "batches of one: minus its own mean, every sample is 0",
        source: "made: the digits",
        origin: Origin::Made,
        seen: Fails(0.3),
        program: |seed| Program {
            batch: 1,
            ..batch_norm(seed)
        },
        expect: Expect {
            causes: &[&[SingleSampleNorm]],
            fair: &[NoisyBatch, Oscillation, DeadUnits],
            not: &[UnrelatedLabels, Overfitting, TooLittleData],
            paths: &["layers.1"],
        },
        twin: Some(batch_norm),
    },
    Case {
        name: "loss-scale-never-undone",
        story: "the loss is multiplied by 4,096, and the gradients are not divided by it",
        source: "made: the digits",
        origin: Origin::Made,
        seen: Fails(0.3),
        program: |seed| Program {
            loss_scale: Some(|_| 4096.0),
            unscales: false,
            ..plain_sgd(seed)
        },
        expect: Expect {
            causes: &[&[ScaledLoss, ExplodingGradient, LrTooHigh]],
            fair: &[DeadUnits, NonFinite],
            not: &[LrTooLow, Underfitting, NonFiniteData],
            paths: &[],
        },
        twin: Some(plain_sgd),
    },
    Case {
        name: "loss-scale-without-end",
        story: "a loss scale that doubles every other step and never backs off: its gradients overflow",
        source: "made: the digits",
        origin: Origin::Made,
        seen: NotANumber,
        program: |seed| Program {
            loss_scale: Some(|step| 2f64.powi(16 + step as i32 / 2)),
            epochs: 8,
            ..plain_sgd(seed)
        },
        expect: Expect {
            causes: &[&[ExplodingGradient, NonFinite]],
            fair: &[],
            not: &[LrTooLow, NonFiniteData, LogOfZero],
            paths: &[],
        },
        twin: Some(plain_sgd),
    },
    Case {
        name: "average-that-begins-after-the-end",
        story: "the average of the weights is to begin at step 10,000 of a training of 660 steps",
        source: "made: the digits",
        origin: Origin::Made,
        seen: Learns(0.9),
        program: |seed| Program {
            averages_after: Some(10_000),
            ..averaged(seed)
        },
        expect: Expect {
            causes: &[&[AverageNeverStarted]],
            fair: &[],
            not: &[Underfitting, LrTooLow],
            paths: &[],
        },
        twin: Some(averaged),
    },
];

/// An average of the weights from the second half on.
fn averaged(seed: u64) -> Program {
    Program {
        averages_after: Some(330),
        ..narrow(seed)
    }
}

fn narrow(seed: u64) -> Program {
    let layers = mlp(&[64, 16, 16, 16, 10], Act::Relu, HE);
    Program {
        epochs: 15,
        ..Program::new(digits(seed), layers, CROSS_ENTROPY)
    }
}

fn plain_sgd(seed: u64) -> Program {
    Program {
        rule: Rule::Sgd,
        rate: 0.1,
        epochs: 12,
        ..Program::new(
            digits(seed),
            mlp(&[64, 64, 10], Act::Relu, HE),
            CROSS_ENTROPY,
        )
    }
}

fn batch_norm(seed: u64) -> Program {
    let layers = batch_normed(mlp(&[64, 32, 10], Act::Relu, HE));
    Program {
        epochs: 5,
        ..Program::new(digits(seed), layers, CROSS_ENTROPY)
    }
}

fn normed_and_dropped(seed: u64) -> Program {
    let layers = batch_normed(mlp(&[64, 64, 64, 10], Act::Relu, HE));
    Program {
        rate: 1e-2,
        epochs: 8,
        ..Program::new(
            digits(seed),
            behind_each_act(layers, || Layer::Dropout(0.3)),
            CROSS_ENTROPY,
        )
    }
}
