//! Models in `f64` keep their digits where a constant or a number of ours takes part.

use crate::devices::devices;
use crate::models::{Pair, alone, dtypes, tensor, values};
use crate::oracle::assert_close;
use burn::module::Param;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::average::Temperature;
use burn_tricks::grad::AutoClipConfig;
use burn_tricks::nn::{ChannelGate, InitWeightsConfig, SqueezeExciteConfig, WeightInit};

/// The devices, with autodiff, that have `f64`.
fn in_f64() -> impl Iterator<Item = (&'static str, Device)> {
    let devices = devices().into_iter();
    let wide = devices.filter(|(_, device)| dtypes(device).contains(&DType::F64));
    wide.map(|(name, device)| (name, device.autodiff()))
}

fn linear(inputs: usize, outputs: usize, device: &Device) -> Linear {
    let mut layer = LinearConfig::new(inputs, outputs).init(device);
    let options = (device, DType::F64);
    layer.weight = Param::from_tensor(Tensor::zeros([inputs, outputs], options));
    layer.bias = Some(Param::from_tensor(Tensor::zeros([outputs], options)));
    layer
}

#[test]
fn weights_are_drawn_with_all_digits() {
    let _alone = alone();
    for (name, device) in in_f64() {
        let layer = linear(3, 3, &device);
        let init = |weights| {
            let layer = InitWeightsConfig::new(weights)
                .init()
                .unwrap()
                .apply(&layer);
            values(layer.unwrap().weight.val())
        };
        assert_eq!(
            init(WeightInit::Constant { value: 0.1 }),
            [0.1; 9],
            "{name}"
        );
        let identity = init(WeightInit::Identity { gain: 0.1 });
        assert_eq!(
            identity,
            [0.1, 0.0, 0.0, 0.0, 0.1, 0.0, 0.0, 0.0, 0.1],
            "{name}"
        );
        let rows = init(WeightInit::Orthogonal { gain: 1.0 });
        for (i, row) in rows.chunks(3).enumerate() {
            for (j, other) in rows.chunks(3).enumerate() {
                let product: f64 = row.iter().zip(other).map(|(a, b)| a * b).sum();
                let expected = f64::from(u8::from(i == j));
                assert!((product - expected).abs() < 1e-14, "{name}: {product}");
            }
        }
    }
}

#[test]
fn a_hard_sigmoid_has_the_slope_of_a_sixth() {
    let _alone = alone();
    for (name, device) in in_f64() {
        let config = SqueezeExciteConfig::new(2, 1).with_gate(ChannelGate::HardSigmoid);
        let mut gate = config.init(&device).unwrap();
        (gate.squeeze, gate.excite) = (linear(2, 1, &device), linear(1, 2, &device));
        let input = Tensor::<3>::from_data([[[1.0, 2.0], [0.1, 0.2]]], (&device, DType::F64));
        let grads = gate.forward(input).sum().backward();
        let slopes = gate.excite.bias.unwrap().val().grad(&grads).unwrap();
        assert_close(&values(slopes), &[3.0 / 6.0, 0.3 / 6.0], 1e-15, name);
    }
}

#[test]
fn a_temperature_divides_gradients_by_itself() {
    for (name, device) in in_f64() {
        let logits = tensor::<2>(&[1.0, -2.0], DType::F64, &device).require_grad();
        let grads = Temperature::of(0.7)
            .unwrap()
            .apply(logits.clone())
            .sum()
            .backward();
        let slopes = values(logits.grad(&grads).unwrap());
        assert_close(&slopes, &[1.0 / 0.7; 2], 1e-15, name);
    }
}

#[test]
fn auto_clip_remembers_norms_with_all_digits() {
    for (name, device) in in_f64() {
        let device = device.without_autodiff();
        let config = AutoClipConfig::new().with_percentile(50.0);
        let mut clip = config.init().unwrap();
        let mut clipped = |number: f64| {
            let (pair, grads) = Pair::with_grads(&[number], &[0.0], DType::F64, &device);
            let clipped = pair.read_grads_a(&clip.apply(&pair, grads));
            let state = clip.state();
            clip = config.init().unwrap();
            clip.load_state(&state).unwrap();
            clipped[0]
        };
        assert_eq!(clipped(0.1), 0.1, "{name}");
        assert_close(&[clipped(0.7)], &[0.4], 1e-14, name);
        // Norms that `f32` cannot hold are numbers like others.
        assert_close(&[clipped(1e60)], &[0.7], 1e-14, name);
    }
}
