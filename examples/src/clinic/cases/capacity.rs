//! Too small, too large, or too little left.

use super::{Case, Expect, Kind::*, Origin, Seen::*};
use crate::clinic::data::{Dice, Task, circles, digits, drawn};
use crate::clinic::layer::{Act, HE, Layer, behind_each_act, mlp};
use crate::clinic::loss::CROSS_ENTROPY;
use crate::clinic::program::Program;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "two-units-for-two-circles",
        story: "two ReLU units cannot close a circle: 0.6 however long it trains",
        source: "AUTOTRAINER's circles (doi 10.1109/ICSE43902.2021.00043) with two units",
        origin: Origin::Published,
        seen: Fails(0.75),
        program: |seed| round(seed, &[2, 2, 2], Act::Relu),
        expect: Expect {
            causes: &[&[Underfitting]],
            fair: &[DeadUnits, NoisyBatch, Oscillation],
            not: &[Overfitting, LrTooHigh, UnrelatedLabels, TooLargeModel],
            paths: &[],
        },
        twin: Some(|seed| round(seed, &[2, 32, 32, 2], Act::Relu)),
    },
    Case {
        name: "linear-all-through",
        story: "four layers without an activation are one linear map, and circles are not linear",
        source: "https://doi.org/10.1145/3411764.3445538, program B at a sane rate",
        origin: Origin::Published,
        seen: Fails(0.7),
        program: |seed| round(seed, &[2, 32, 32, 2], Act::Identity),
        expect: Expect {
            causes: &[&[LinearNetwork, Underfitting]],
            fair: &[],
            not: &[Overfitting, LrTooHigh, UnrelatedLabels, TooLargeModel],
            paths: &[],
        },
        twin: Some(|seed| round(seed, &[2, 32, 32, 2], Act::Relu)),
    },
    Case {
        name: "fifty-samples",
        story: "100,000 parameters learn 50 rows by heart",
        source: "made: which side of a plane, a tenth of the labels wrong",
        origin: Origin::Made,
        seen: ValidFails(0.75),
        program: |seed| half_space(seed, 50, 60),
        expect: Expect {
            causes: &[&[Overfitting, TooLittleData, TooLargeModel]],
            fair: &[],
            not: &[Underfitting, LrTooHigh, VanishingGradient],
            paths: &[],
        },
        twin: Some(|seed| half_space(seed, 4000, 2)),
    },
    Case {
        name: "dropout-of-95-percent",
        story: "three units of 64 are left in each layer",
        source: "made: the digits",
        origin: Origin::Made,
        seen: Fails(0.6),
        program: |seed| dropped(seed, 0.95),
        expect: Expect {
            causes: &[&[DropoutTooHigh]],
            fair: &[Underfitting, NoisyBatch, Oscillation],
            not: &[Overfitting, UnrelatedLabels, TooLargeModel, LrTooHigh],
            paths: &["layers.2", "layers.5"],
        },
        twin: Some(|seed| dropped(seed, 0.1)),
    },
    Case {
        name: "decay-of-one",
        story: "an L2 penalty of 1 pulls every weight to 0 faster than it learns",
        source: "made: the digits",
        origin: Origin::Made,
        seen: Fails(0.3),
        program: |seed| Program {
            decay: Some(1.0),
            ..dropped(seed, 0.0)
        },
        expect: Expect {
            causes: &[&[OverRegularized, Underfitting]],
            fair: &[VanishingGradient, DeadUnits],
            not: &[Overfitting, UnrelatedLabels, TooLargeModel, LrTooHigh],
            paths: &[],
        },
        twin: Some(|seed| dropped(seed, 0.0)),
    },
];

fn round(seed: u64, widths: &[usize], act: Act) -> Program {
    Program {
        rate: 1e-2,
        epochs: 30,
        ..Program::new(circles(seed), mlp(widths, act, HE), CROSS_ENTROPY)
    }
}

fn dropped(seed: u64, share: f64) -> Program {
    let layers = mlp(&[64, 64, 64, 10], Act::Relu, HE);
    let layers = behind_each_act(layers, || Layer::Dropout(share));
    Program {
        epochs: 10,
        ..Program::new(digits(seed), layers, CROSS_ENTROPY)
    }
}

/// Forty numbers, the sign of a sum, and a tenth of the labels wrong: so many rows to train on.
fn half_space(seed: u64, count: usize, epochs: usize) -> Program {
    let class = |x: &[f32], dice: &mut Dice| {
        let right = x[..10].iter().sum::<f32>() > 0.0;
        f32::from(u8::from(right != (dice.below(10) == 0)))
    };
    let data = drawn(seed, 5000, 40, Task::Classes(2), class).with_train(count);
    let layers = mlp(&[40, 256, 256, 2], Act::Relu, HE);
    Program {
        batch: 16,
        epochs,
        ..Program::new(data, layers, CROSS_ENTROPY)
    }
}
