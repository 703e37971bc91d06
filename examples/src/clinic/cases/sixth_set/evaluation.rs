//! Programs whose reported score is not what it seems.

use super::tables::{bicycles, concrete, counted, examined, patients};
use super::{ASKED, Case, Kind::*, Seen::*};
use crate::clinic::data::{Dice, Rows};
use crate::clinic::layer::{Act, HE, Layer, ending_in, mlp};
use crate::clinic::program::{Program, Validation};

pub(super) const CASES: &[Case] = &[
    ASKED
        .case(
            "casual-plus-registered",
            "a number of bicycles is the sum of two columns, which nobody has before the hour is over",
            Learns(0.97),
            &[&[LeakingInput]],
            &[],
            |seed| Program {
                data: counted(seed, true).standard_inputs().standard_targets(),
                layers: mlp(&[8, 40, 40, 1], Act::Relu, HE),
                ..bicycles(seed)
            },
        )
        .against(bicycles),
    ASKED
        .case(
            "every-patient-twice",
            "each patient came twice, with the same findings, and the visits were drawn to train or to validate",
            Learns(0.78),
            &[&[LeakedValidation]],
            &[Overfitting, TooLargeModel, TooLittleData],
            |seed| twice(seed, true),
        )
        .against(|seed| twice(seed, false)),
    ASKED
        .case(
            "a-score-while-dropping",
            "nobody calls eval(): an eighth of the columns is still dropped while strengths are predicted",
            ValidFails(0.87),
            &[&[WrongMode]],
            &[DropoutTooHigh, Underfitting, NoisyBatch],
            |seed| Program {
                validation: Validation::OneByOneInTraining(300),
                ..dropping(seed)
            },
        )
        .against(dropping),
];

/// Diagnoses that are uncertain.
fn uncertain(seed: u64) -> Program {
    Program {
        data: examined(seed, 1.2),
        epochs: 5,
        ..patients(seed)
    }
}

/// Five hundred uncertain diagnoses, each twice.
fn twice(seed: u64, before_the_split: bool) -> Program {
    let mut program = uncertain(seed);
    let patients = program.data.train.first(500);
    let visits = |from: usize, to: usize| (from..to).flat_map(|patient| [patient, patient]);
    let (train, valid): (Vec<usize>, Vec<usize>) = if before_the_split {
        let mut all: Vec<usize> = visits(0, 500).collect();
        Dice::new(seed + 6051).shuffle(&mut all);
        let valid = all.split_off(800);
        (all, valid)
    } else {
        (visits(0, 400).collect(), visits(400, 500).collect())
    };
    let taken = |order: Vec<usize>| Rows {
        inputs: order.iter().map(|i| patients.inputs[*i].clone()).collect(),
        targets: order.iter().map(|i| patients.targets[*i].clone()).collect(),
    };
    program.data.train = taken(train);
    program.data.valid = taken(valid);
    Program {
        layers: ending_in(mlp(&[9, 96, 96, 1], Act::Relu, HE), Act::Sigmoid),
        epochs: 60,
        patience: Some(5),
        ..program
    }
}

/// The strength of concrete, and an eighth of the columns dropped.
fn dropping(seed: u64) -> Program {
    let mut program = concrete(seed);
    program.layers.insert(0, Layer::Dropout(0.125));
    program
}
