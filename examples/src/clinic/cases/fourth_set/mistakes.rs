//! After lists of common mistakes.

use super::super::{Case, Kind::*, Seen::*};
use super::MISTAKES;
use super::data::{arm, bars, friedman, sorted, spirals, tails, tones};
use crate::clinic::layer::{
    Act, GLOROT, HE, Layer, behind_each_act, dense, ending_in, mlp, normal,
};
use crate::clinic::loss::LIKELIHOOD_OF_PROBABILITIES;
use crate::clinic::program::{Program, Rule, Validation};

pub(super) const CASES: &[Case] = &[
    MISTAKES.case(
        "labels-one-row-late",
        "inputs connected to the labels of the row before",
        ValidFails(0.5),
        &[&[UnrelatedLabels]],
        &[Overfitting, TooLargeModel],
        |seed| {
            let mut program = tones(seed);
            for rows in program.data.parts() {
                rows.targets.rotate_right(1);
            }
            program
        },
    ),
    MISTAKES.case(
        "arm-after-arm",
        "the data is not shuffled: one arm of the spirals after the other",
        Fails(0.9),
        &[&[SortedData]],
        &[Oscillation, LrTooHigh],
        |seed| {
            let program = spirals(seed);
            Program {
                data: sorted(program.data),
                shuffles: false,
                ..program
            }
        },
    ),
    MISTAKES.case(
        "from-the-smallest-to-the-largest",
        "the data is not shuffled: the rows of a regression in the order of their targets",
        Fails(0.8),
        &[&[SortedData]],
        &[Oscillation, LrTooHigh],
        |seed| {
            let program = friedman(seed);
            Program {
                data: sorted(program.data),
                shuffles: false,
                rule: Rule::Momentum(0.9),
                rate: 0.02,
                ..program
            }
        },
    ),
    MISTAKES.case(
        "a-column-in-millions",
        "features are not standardised: the fourth of ten is in millions",
        Fails(0.85),
        &[&[UnscaledInputs]],
        &[Underfitting, TooFewSteps, LrTooLow],
        |seed| {
            let program = friedman(seed);
            let small = |column: usize, value: f32| match column {
                3 => 1e-6 * value,
                _ => value,
            };
            Program {
                data: program.data.map_inputs(small),
                ..program
            }
        },
    ),
    MISTAKES.case(
        "validated-in-degrees",
        "another preprocessing of the validation: degrees in place of radians",
        ValidFails(0.5),
        &[&[ScalingDiffers]],
        &[Overfitting],
        |seed| {
            let mut program = arm(seed);
            for angle in program.data.valid.inputs.iter_mut().flatten() {
                *angle = angle.to_degrees();
            }
            program
        },
    ),
    MISTAKES.case(
        "a-frozen-memory",
        "layers frozen by mistake: those of an LSTM of four units",
        Fails(0.85),
        &[&[Frozen, NeverTrained]],
        &[TooFewSteps, LrTooLow, Underfitting],
        |seed| Program {
            layers: vec![Layer::Lstm { hidden: 4 }, dense(4, 2, GLOROT)],
            frozen: &["layers.0"],
            ..tails(seed)
        },
    ),
    MISTAKES.case(
        "two-units-for-three-arms",
        "a network that is too small: two units for three spiral arms",
        Fails(0.75),
        &[&[Underfitting, DeadUnits]],
        &[TooFewSteps],
        |seed| Program {
            layers: mlp(&[2, 2, 3], Act::Relu, HE),
            ..spirals(seed)
        },
    ),
    MISTAKES.case(
        "validated-while-dropping",
        "dropout stays on in the validation",
        ValidFails(0.85),
        &[&[WrongMode]],
        &[Overfitting, Oscillation],
        |seed| {
            let program = tones(seed);
            let layers = behind_each_act(program.layers.clone(), || Layer::Dropout(0.6));
            Program {
                layers,
                validation: Validation::OneByOneInTraining(300),
                ..program
            }
        },
    ),
    MISTAKES.case(
        "a-well-of-tanh",
        "a network that is too deep: thirty layers of tanh from N(0, 0.08²)",
        Fails(0.6),
        &[&[VanishingGradient, InitScale]],
        &[ConstantOutput, LrTooLow, TooFewSteps],
        |seed| {
            let widths = [vec![24], vec![20; 30], vec![3]].concat();
            Program {
                layers: mlp(&widths, Act::Tanh, normal(0.08)),
                epochs: 8,
                ..tones(seed)
            }
        },
    ),
    MISTAKES.case(
        "an-arm-in-micrometres",
        "outputs are not normalised: metres became micrometres",
        Fails(0.3),
        &[&[UnscaledTarget]],
        &[LrTooLow, TooFewSteps, ExplodingGradient],
        |seed| {
            let program = arm(seed);
            Program {
                data: program.data.map_targets(|target| 1e6 * target),
                ..program
            }
        },
    ),
    MISTAKES.case(
        "momentum-at-six",
        "a learning rate of 6",
        Fails(0.6),
        &[&[LrTooHigh]],
        &[DeadUnits, ExplodingGradient, NonFinite, ConstantOutput],
        |seed| Program {
            rule: Rule::Momentum(0.9),
            rate: 6.0,
            ..tones(seed)
        },
    ),
    MISTAKES.case(
        "a-softmax-over-the-rows",
        "the softmax is taken over the wrong axis",
        Fails(0.85),
        &[&[OutputMismatch]],
        &[Underfitting],
        |seed| {
            let program = bars(seed);
            Program {
                layers: ending_in(program.layers.clone(), Act::SoftmaxOverRows),
                loss: LIKELIHOOD_OF_PROBABILITIES,
                ..program
            }
        },
    ),
    MISTAKES.case(
        "every-class-is-likely",
        "a sigmoid for each of several classes, and a loss that expects a softmax",
        Fails(0.8),
        &[&[OutputMismatch]],
        &[Saturated, Underfitting, ConstantOutput],
        |seed| {
            let program = bars(seed);
            Program {
                layers: ending_in(program.layers.clone(), Act::Sigmoid),
                loss: LIKELIHOOD_OF_PROBABILITIES,
                ..program
            }
        },
    ),
    MISTAKES.case(
        "divided-by-no-deviation",
        "a constant column is standardised: 0/0",
        NotANumber,
        &[&[NonFiniteData]],
        &[NonFinite],
        |seed| {
            let program = arm(seed);
            let mut data = program.data;
            for row in data.parts().into_iter().flat_map(|rows| &mut rows.inputs) {
                row.push(f32::NAN);
            }
            Program {
                data,
                layers: mlp(&[3, 36, 36, 2], Act::Tanh, GLOROT),
                ..program
            }
        },
    ),
];
