//! DropConnect: weights drop, in training only.

use crate::devices::training_devices;
use crate::dropouts::{assert_moments, inverted};
use crate::models::{alone, dtypes, values};
use crate::norms::{assert_near, cast, grid};
use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::nn::DropConnectConfig;

fn linear(device: &Device) -> Linear {
    LinearConfig::new(200, 100).init(device)
}

#[test]
fn drop_connect_drops_weights_in_training_only() {
    let _alone = alone();
    for (name, device) in training_devices() {
        device.seed(4);
        let plain = linear(&device);
        let (weight, bias) = (
            values(plain.weight.val()),
            values(plain.bias.as_ref().unwrap().val()),
        );
        let p = 0.3;
        let model = DropConnectConfig::new(p).attach(plain).unwrap();
        let factors = |model: &Linear| -> Vec<f64> {
            let dropped = values(model.weight.val());
            dropped.iter().zip(&weight).map(|(y, w)| y / w).collect()
        };
        let first = factors(&model);
        let (variance, fourth) = inverted(p);
        assert_moments(&first, 1.0, variance, fourth, name);
        assert_ne!(factors(&model), first, "{name}: drawn anew at every use");
        let kept_bias = values(model.bias.as_ref().unwrap().val());
        assert_eq!(kept_bias, bias, "{name}: the bias is spared");
        for still in [model.valid(), model.clone().freeze()] {
            assert_eq!(values(still.weight.val()), weight, "{name}");
        }
        assert_ne!(values(model.valid().train().weight.val()), weight, "{name}");
        device.seed(9);
        let seeded = factors(&model);
        device.seed(9);
        assert_eq!(factors(&model), seeded, "{name}");

        // The gradient is the mask, and only what was kept gets one.
        device.seed(9);
        let grads = model.weight.val().sum().backward();
        let gradient = values(model.weight.base().grad(&grads).unwrap());
        assert_near(&gradient, &seeded, 1e-5, name);
        let neutral = DropConnectConfig::new(0.0).attach(linear(&device)).unwrap();
        assert_eq!(
            values(neutral.weight.val()),
            values(neutral.weight.base()),
            "{name}"
        );
    }
}

#[test]
fn drop_connect_keeps_the_type_of_the_weight() {
    let _alone = alone();
    for (name, device) in training_devices() {
        for dtype in dtypes(&device) {
            let model = DropConnectConfig::new(0.5).attach(linear(&device)).unwrap();
            let model = cast(model, dtype);
            assert_eq!(model.weight.val().dtype(), dtype, "{name}");
        }
    }
}

/// A layer that is used twice in one forward pass, each time with a mask of its own. The loss is linear in the weight, so its
/// differences need no limit: with the same seed each is the gradient.
#[test]
fn gradients_of_a_layer_used_twice_are_those_of_finite_differences() {
    let _alone = alone();
    for (name, device) in training_devices() {
        for device in [device.clone(), device.gradient_checkpointing()] {
            let grid = |shape, step| grid::<2>(shape, step, 1.0, (&device, DType::F32));
            let (inputs, others) = (grid([3, 6], 0.7), grid([2, 6], 0.4));
            let (k, l) = (grid([3, 5], 0.9), grid([2, 5], 1.3));
            let loss = |weight: Tensor<2>| {
                let (weight, bias) = (Param::from_tensor(weight), None);
                let layer = DropConnectConfig::new(0.5).attach(Linear { weight, bias });
                let layer = layer.unwrap();
                device.seed(9);
                let first = layer.forward(inputs.clone()) * k.clone();
                let second = layer.forward(others.clone()) * l.clone();
                (layer, first.sum() + second.sum())
            };
            let weight = grid([6, 5], 0.2);
            let (layer, at_weight) = loss(weight.clone());
            let grads = at_weight.clone().backward();
            let gradient = values(layer.weight.base().grad(&grads).unwrap());
            let at_weight = values(at_weight)[0];
            let difference = |place: usize| {
                let mut step = [0.0; 30];
                step[place] = 1.0;
                let step = Tensor::<1>::from_floats(step, &device).reshape([6, 5]);
                let (_, moved) = loss(weight.clone() + step);
                values(moved)[0] - at_weight
            };
            let differences: Vec<f64> = (0..30).map(difference).collect();
            assert_near(&gradient, &differences, 1e-5, name);
            // What both masks drop has none, and with one mask for both uses half of the weights would have none.
            let dropped = gradient.iter().filter(|x| **x == 0.0).count();
            assert!((1..12).contains(&dropped), "{name}: {dropped} of 30");
        }
    }
}
