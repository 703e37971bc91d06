//! Healthy programs that diagnosers accuse.

use super::output::xor;
use super::{Case, Expect, Kind::*, Origin, Seen::*};
use crate::clinic::data::{Task, blobs, digits, drawn};
use crate::clinic::layer::{Act, HE, Layer, dense, mlp};
use crate::clinic::loss::{CROSS_ENTROPY, MEAN_SQUARED};
use crate::clinic::program::{Program, Rule};
use burn::module::Initializer;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "xor-takes-its-time",
        story: "hardly a move for five hundred steps, and solved in the end",
        source: "https://stackoverflow.com/questions/31556268, repaired",
        origin: Origin::Published,
        seen: Learns(0.99),
        program: |_| Program {
            rule: Rule::Momentum(0.9),
            rate: 0.1,
            ..xor(2500)
        },
        expect: Expect {
            not: &[OutputMismatch],
            ..Expect::HEALTHY
        },
        twin: None,
    },
    Case {
        name: "noise-floor",
        story: "batch losses from 0.05 to 7.6, an epoch loss that stays at 2.2: the noise's variance",
        source: "AUTOTRAINER's \"oscillating\" nets, whose repair lost 3 points",
        origin: Origin::Published,
        seen: Learns(0.35),
        program: |seed| {
            let target = |x: &[f32], dice: &mut crate::clinic::data::Dice| {
                x[0] - x[1] + 0.5 * x[2] + 1.5 * dice.normal()
            };
            let data = drawn(seed, 1250, 4, Task::Numbers, target);
            Program {
                rule: Rule::Sgd,
                rate: 1e-2,
                batch: 4,
                epochs: 20,
                ..Program::new(data, mlp(&[4, 16, 1], Act::Relu, HE), MEAN_SQUARED)
            }
        },
        expect: Expect {
            not: &[Underfitting, LrTooHigh, NoisyBatch, Oscillation],
            ..Expect::HEALTHY
        },
        twin: None,
    },
    Case {
        name: "sparse-on-purpose",
        story: "four of five activations are 0, as a penalty asks, and hardly a unit is dead",
        source: "DeepDiagnosis (arXiv 2112.04036) calls 36 of 78 healthy MNIST nets dead",
        origin: Origin::Published,
        seen: Learns(0.95),
        program: |seed| Program {
            sparsity: Some(2e-3),
            epochs: 12,
            ..Program::new(
                digits(seed),
                mlp(&[64, 128, 128, 10], Act::Relu, HE),
                CROSS_ENTROPY,
            )
        },
        expect: Expect {
            not: &[DeadUnits],
            ..Expect::HEALTHY
        },
        twin: None,
    },
    Case {
        name: "plateau-at-the-ceiling",
        story: "classes that overlap: nobody gets more than 0.83",
        source: "AUTOTRAINER's blobs, of which DeepLocalize (arXiv 2103.03376) stops 16 of 39",
        origin: Origin::Published,
        seen: Learns(0.75),
        program: |seed| Program {
            rule: Rule::Momentum(0.9),
            rate: 0.01,
            epochs: 40,
            ..Program::new(blobs(seed), mlp(&[2, 50, 3], Act::Relu, HE), CROSS_ENTROPY)
        },
        expect: Expect {
            not: &[Saturated, Underfitting],
            ..Expect::HEALTHY
        },
        twin: None,
    },
    Case {
        name: "output-layer-of-zeros",
        story: "zeros in the last layer only: a usual start, and a good one",
        source: "arXiv 2412.11304, the look-alike of a first layer of zeros",
        origin: Origin::Published,
        seen: Learns(0.88),
        program: |seed| {
            let layers = vec![
                dense(64, 64, HE),
                Layer::Act(Act::Relu),
                dense(64, 10, Initializer::Zeros),
            ];
            Program {
                epochs: 10,
                ..Program::new(digits(seed), layers, CROSS_ENTROPY)
            }
        },
        expect: Expect {
            not: &[InitScale, ConstantInit, RandomBias, VanishingGradient],
            ..Expect::HEALTHY
        },
        twin: None,
    },
];
