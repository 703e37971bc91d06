//! DropConnect: weights drop, in training only.

use crate::devices::training_devices;
use crate::dropouts::{assert_moments, inverted};
use crate::models::{alone, dtypes, values};
use crate::norms::{assert_near, cast};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::Device;
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
