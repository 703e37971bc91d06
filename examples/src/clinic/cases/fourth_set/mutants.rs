//! After the operators of DeepCrime: training data, settings, activations, regularisation, weights, loss, optimizer.

use super::super::{Case, Kind::*, Seen::*};
use super::MUTANTS;
use super::data::{arm, bars, friedman, spirals, tails, tones};
use crate::clinic::data::Dice;
use crate::clinic::layer::{Act, GLOROT, HE, Layer, dense, ending_in, mlp, normal};
use crate::clinic::loss::{CROSSED_SQUARES, SUMMED_SQUARES};
use crate::clinic::program::{Program, Rule};
use burn::module::Initializer;

pub(super) const CASES: &[Case] = &[
    MUTANTS.case(
        "most-labels-of-an-arm-drawn",
        "change labels: six of ten training labels are drawn at random",
        Fails(0.75),
        &[&[UnrelatedLabels, Overfitting]],
        &[TooFewSteps, Underfitting],
        |seed| {
            let mut program = spirals(seed);
            let mut dice = Dice::new(seed + 4101);
            for target in &mut program.data.train.targets {
                if dice.below(10) < 6 {
                    target[0] = dice.below(3) as f32;
                }
            }
            program
        },
    ),
    MUTANTS.case(
        "eighteen-rows-of-friedman",
        "remove training data: eighteen rows are left",
        ValidFails(0.6),
        &[&[Overfitting, TooLittleData, TooLargeModel]],
        &[],
        |seed| {
            let mut program = friedman(seed);
            program.data = program.data.with_train(18);
            Program {
                batch: 6,
                epochs: 150,
                ..program
            }
        },
    ),
    MUTANTS.case(
        "seven-blank-images",
        "unbalance training data: seven rows of the fourth class are left",
        ValidFails(0.9),
        &[&[RareClass]],
        &[Overfitting],
        |seed| {
            let mut program = bars(seed);
            let train = &mut program.data.train;
            let mut blank = 0;
            let kept: Vec<usize> = (0..train.len())
                .filter(|at| {
                    let is_blank = train.targets[*at][0] == 3.0;
                    blank += usize::from(is_blank);
                    !is_blank || blank <= 7
                })
                .collect();
            train.inputs = kept.iter().map(|at| train.inputs[*at].clone()).collect();
            train.targets = kept.iter().map(|at| train.targets[*at].clone()).collect();
            program
        },
    ),
    MUTANTS.case(
        "tones-in-a-storm",
        "add noise to training data: noise of deviation 3 on what is trained on",
        ValidFails(0.9),
        &[&[ScalingDiffers, Overfitting, UnrelatedLabels]],
        &[Underfitting, TooLargeModel],
        |seed| {
            let mut program = tones(seed);
            let mut dice = Dice::new(seed + 4102);
            for value in program.data.train.inputs.iter_mut().flatten() {
                *value += 3.0 * dice.normal();
            }
            program
        },
    ),
    MUTANTS.case(
        "friedman-in-two-batches",
        "change batch size: batches of 600 and plain gradient descent",
        Fails(0.6),
        &[&[TooFewSteps, LrTooLow]],
        &[],
        |seed| Program {
            rule: Rule::Sgd,
            rate: 0.02,
            batch: 600,
            ..friedman(seed)
        },
    ),
    MUTANTS.case(
        "an-arm-that-hardly-moves",
        "decrease learning rate: RMSprop at 2e-6",
        Fails(0.5),
        &[&[LrTooLow, TooFewSteps]],
        &[],
        |seed| Program {
            rule: Rule::RmsProp,
            rate: 2e-6,
            ..arm(seed)
        },
    ),
    MUTANTS.case(
        "one-look-at-the-bars",
        "change number of epochs: one, at a tenth of the learning rate",
        Fails(0.8),
        &[&[TooFewSteps, LrTooLow]],
        &[],
        |seed| Program {
            rate: 4e-4,
            epochs: 1,
            ..bars(seed)
        },
    ),
    MUTANTS.case(
        "all-tones-at-once",
        "disable data batching: one step of momentum for each epoch",
        Fails(0.8),
        &[&[TooFewSteps, LrTooLow]],
        &[],
        |seed| Program {
            rule: Rule::Momentum(0.9),
            rate: 0.01,
            batch: 900,
            ..tones(seed)
        },
    ),
    MUTANTS.case(
        "softmax-between-the-layers",
        "change activation function: a softmax behind each of three hidden layers",
        Fails(0.8),
        &[&[VanishingGradient, Saturated, Underfitting, LrTooLow]],
        &[TooFewSteps, ConstantOutput],
        |seed| Program {
            layers: mlp(&[24, 40, 40, 40, 3], Act::Softmax, GLOROT),
            rate: 1e-3,
            epochs: 10,
            ..tones(seed)
        },
    ),
    MUTANTS.case(
        "spirals-without-a-bend",
        "remove activation function: none of three layers has one",
        Fails(0.7),
        &[&[LinearNetwork]],
        &[],
        |seed| Program {
            layers: mlp(&[2, 40, 40, 3], Act::Identity, GLOROT),
            ..spirals(seed)
        },
    ),
    MUTANTS.case(
        "a-softplus-behind-friedman",
        "add activation function: a softplus behind the output, and targets of both signs",
        Fails(0.85),
        &[&[OutputMismatch]],
        &[Underfitting],
        |seed| {
            let program = friedman(seed);
            Program {
                layers: ending_in(program.layers.clone(), Act::Softplus),
                ..program
            }
        },
    ),
    MUTANTS.case(
        "an-arm-in-chains",
        "add weights regularisation: an L2 penalty of 0.2",
        Fails(0.5),
        &[&[OverRegularized, Underfitting]],
        &[ConstantOutput, VanishingGradient, LrTooLow],
        |seed| Program {
            decay: Some(0.2),
            ..arm(seed)
        },
    ),
    MUTANTS.case(
        "one-state-of-ten-kept",
        "change dropout rate: nine of ten numbers of the last state are dropped, twice",
        Fails(0.9),
        &[&[DropoutTooHigh]],
        &[TooFewSteps, Underfitting],
        |seed| {
            let program = bars(seed);
            let layers = vec![
                Layer::Dropout(0.9),
                dense(36, 40, HE),
                Layer::Act(Act::Relu),
                Layer::Dropout(0.9),
                dense(40, 4, GLOROT),
            ];
            Program { layers, ..program }
        },
    ),
    MUTANTS.case(
        "spirals-of-ones",
        "change weights initialisation: every weight is 1",
        Fails(0.7),
        &[&[ConstantInit]],
        &[InitScale, Saturated, Underfitting],
        |seed| Program {
            layers: mlp(&[2, 40, 40, 3], Act::Tanh, Initializer::Ones),
            ..spirals(seed)
        },
    ),
    MUTANTS.case(
        "tones-from-a-whisper",
        "change weights initialisation: N(0, 0.002²) in six layers",
        Fails(0.6),
        &[&[InitScale, VanishingGradient]],
        &[LrTooLow, TooFewSteps, ConstantOutput],
        |seed| Program {
            layers: mlp(&[24, 32, 32, 32, 32, 32, 3], Act::Tanh, normal(0.002)),
            rule: Rule::Momentum(0.9),
            rate: 0.02,
            ..tones(seed)
        },
    ),
    MUTANTS.case(
        "friedman-from-a-shout",
        "change weights initialisation: N(0, 4²), plain gradient descent",
        Fails(0.3),
        &[&[InitScale, ExplodingGradient]],
        &[LrTooHigh, DeadUnits, NonFinite, ConstantOutput],
        |seed| Program {
            layers: mlp(&[10, 44, 44, 1], Act::Relu, normal(4.0)),
            rule: Rule::Sgd,
            rate: 0.01,
            ..friedman(seed)
        },
    ),
    MUTANTS.case(
        "summed-squares-of-friedman",
        "change loss function: the sum of the squares, at a learning rate for their mean",
        Fails(0.3),
        &[&[ScaledLoss, LrTooHigh]],
        &[ExplodingGradient, DeadUnits, NonFinite, ConstantOutput],
        |seed| Program {
            loss: SUMMED_SQUARES,
            rule: Rule::Sgd,
            rate: 0.05,
            ..friedman(seed)
        },
    ),
    MUTANTS.case(
        "a-column-against-a-row",
        "change loss function: outputs [32, 1] minus targets [1, 32]",
        Fails(0.3),
        &[&[OutputMismatch]],
        &[Underfitting, ConstantOutput],
        |seed| Program {
            loss: CROSSED_SQUARES,
            ..friedman(seed)
        },
    ),
    MUTANTS.case(
        "plain-descent-at-adams-rate",
        "change optimisation function: plain gradient descent at a learning rate for Adam",
        Fails(0.8),
        &[&[LrTooLow, TooFewSteps]],
        &[],
        |seed| Program {
            rule: Rule::Sgd,
            rate: 1e-3,
            ..bars(seed)
        },
    ),
    MUTANTS.case(
        "tails-on-a-short-leash",
        "change gradient clip: a norm of 3e-4, momentum",
        Fails(0.8),
        &[&[LrTooLow, TooFewSteps]],
        &[],
        |seed| Program {
            rule: Rule::Momentum(0.9),
            rate: 0.02,
            clips: Some(3e-4),
            ..tails(seed)
        },
    ),
];
