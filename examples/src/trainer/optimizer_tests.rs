//! The optimizer of each recipe is the one that its row names.

use super::tests::recipes;
use super::*;
use burn::module::{Param, ParamId};
use burn::tensor::Tensor;

#[derive(Module, Debug)]
struct Two {
    weight: Param<Tensor<1>>,
}

const RATE: f64 = 0.1;
const GRADIENTS: [[f64; 2]; 3] = [[0.3, -0.4], [0.6, 0.1], [-0.2, 0.2]];

/// Weights of 1 and -2 after these gradients.
fn stepped(optim: &mut ModuleOptimizer) -> [f64; 2] {
    let device = Device::flex().autodiff();
    let weight = Tensor::<1>::from_data([1.0, -2.0], &device).require_grad();
    let mut model = Two {
        weight: Param::initialized(ParamId::new(), weight),
    };
    for gradient in GRADIENTS {
        let mut grads = GradientsParams::new();
        let gradient = Tensor::<1>::from_data(gradient, &Device::flex());
        grads.register(model.weight.id, gradient);
        model = optim.step(RATE, model, grads);
    }
    let weights: Vec<f64> = model.weight.val().into_data().iter::<f64>().collect();
    [weights[0], weights[1]]
}

/// The same by hand.
fn twin(name: &str) -> [f64; 2] {
    let (mut weights, mut mean, mut square) = ([1.0, -2.0], [0.0; 2], [0.0; 2]);
    for (t, gradient) in (1..).zip(GRADIENTS) {
        for at in 0..2 {
            let (g, m, v) = (gradient[at], &mut mean[at], &mut square[at]);
            weights[at] -= RATE
                * match name {
                    "weight-decay" => g + 1e-3 * weights[at],
                    "momentum" | "lookahead" => {
                        *m = 0.9 * *m + g;
                        *m
                    }
                    "normalized-tensor" => g / gradient[0].hypot(gradient[1]),
                    "adagrad" => {
                        *v += g * g;
                        g / (v.sqrt() + 1e-5)
                    }
                    "rms-prop" => {
                        *v = 0.99 * *v + 0.01 * g * g;
                        g / (v.sqrt() + 1e-5)
                    }
                    "adam" | "burn-adam" => {
                        *m = 0.9 * *m + 0.1 * g;
                        *v = 0.999 * *v + 0.001 * g * g;
                        let (m, v) = (*m / (1.0 - 0.9_f64.powi(t)), *v / (1.0 - 0.999_f64.powi(t)));
                        m / (v.sqrt() + 1e-5)
                    }
                    "schedule-free" => {
                        // z and its mean x; gradients are taken at y, nine tenths of the way from z to x.
                        if t == 1 {
                            (*m, *v) = (weights[at], weights[at]);
                        }
                        *m -= RATE * g;
                        *v += (*m - *v) / f64::from(t);
                        (weights[at] - (0.1 * *m + 0.9 * *v)) / RATE
                    }
                    _ => g,
                };
        }
    }
    weights
}

#[test]
fn optimizers_are_those_of_the_rows() {
    for recipe in recipes() {
        let mut optim = recipe.setup.optimizer().unwrap();
        let (actual, expected) = (stepped(&mut optim), twin(&recipe.name));
        for (a, e) in actual.iter().zip(expected) {
            assert!(
                (a - e).abs() < 1e-5,
                "{}: {actual:?}, expected {expected:?}",
                recipe.name
            );
        }
    }
}
