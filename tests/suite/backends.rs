//! One model, from the same weights, on every backend; and the names by which tests are chosen for a GPU.

use crate::devices::training_devices;
use crate::models::{Noise, alone, values};
use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig, loss::CrossEntropyLossConfig};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, activation::relu};
use burn_tricks::prelude::*;
use std::process::Command;

/// The names by which `gpu_check` and CI choose tests that run on a GPU.
#[test]
fn every_name_that_chooses_tests_for_a_gpu_is_that_of_some_tests() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let listed = command.args(["--list", "--format", "terse"]).output();
    let listed = String::from_utf8(listed.unwrap().stdout).unwrap();
    for name in include_str!("../gpu_check/suites.txt").split_whitespace() {
        // At the start, since `laws::` is also in the name of the module `averages_laws`.
        let is_there = listed.lines().any(|test| test.starts_with(name));
        assert!(is_there, "the name of no test starts with `{name}`");
    }
}

#[derive(Module, Debug)]
struct Mlp {
    hidden: Linear,
    output: Linear,
}

impl Mlp {
    fn new(noise: &mut Noise, device: &Device) -> Self {
        let mut linear = |inputs: usize, outputs: usize| {
            let values = noise.take(inputs * outputs);
            let weight = Tensor::<1>::from_data(values.as_slice(), device);
            let mut linear = LinearConfig::new(inputs, outputs)
                .with_bias(false)
                .init(device);
            linear.weight = Param::from_tensor(weight.reshape([inputs, outputs]) * 0.5);
            linear
        };
        Self {
            hidden: linear(8, 16),
            output: linear(16, 3),
        }
    }

    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        self.output.forward(relu(self.hidden.forward(input)))
    }
}

/// The losses of 20 steps with clipping, a normalised gradient, and decay.
fn losses(device: &Device) -> Vec<f64> {
    let mut noise = Noise(21);
    let mut model = Mlp::new(&mut noise, device);
    let inputs = noise.take(32 * 8);
    let input = Tensor::<1>::from_data(inputs.as_slice(), device).reshape([32, 8]);
    let classes: Vec<i32> = inputs
        .chunks(8)
        .map(|row| i32::from(row[0] > 0.0) + i32::from(row[1] > 0.0))
        .collect();
    let target = Tensor::<1, Int>::from_data(classes.as_slice(), device);
    let loss = CrossEntropyLossConfig::new().init(device);

    let clip = ClipGradNormConfig::new(0.5).init().unwrap();
    let mut optim = NormalizedGradientConfig::adagrad_norm().init().unwrap();
    let mut schedule = ExponentialDecayConfig::new(0.5)
        .with_steps_per_epoch(5)
        .init()
        .unwrap();
    let step = |_| {
        let loss = loss.forward(model.forward(input.clone()), target.clone());
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        let grads = clip.apply(&model, grads);
        let lr = burn::lr_scheduler::LrScheduler::step(&mut schedule);
        model = optim.step(lr, model.clone(), grads);
        values(loss)[0]
    };
    (0..20).map(step).collect()
}

#[test]
fn every_backend_learns_the_same() {
    let _alone = alone();
    let devices = training_devices();
    let (reference, device) = &devices[0];
    let expected = losses(device);
    assert!(
        expected[19] < expected[0] * 0.7,
        "the model learns: {expected:?}"
    );
    for (name, device) in &devices[1..] {
        let actual = losses(device);
        // Sums in another order: 1e-7 per step, grown over 20 steps.
        crate::oracle::assert_close(&actual, &expected, 1e-4, &format!("{name} and {reference}"));
        println!("{name}: {actual:?}");
    }
}
