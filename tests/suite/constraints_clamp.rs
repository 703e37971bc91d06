//! A clamp of each number of the weights.

use crate::devices::{devices, training_devices};
use crate::models::{Net, alone, dtypes, tensor, values};
use burn::module::{Module, Param, ParamGroup};
use burn::nn::LinearConfig;
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::Tensor;
use burn_tricks::nn::ClampWeightsConfig;

#[test]
fn each_number_is_cut_to_the_interval() {
    let numbers = [-2.0, -0.5, -0.25, 0.0, 0.25, 0.75, 2.0, f64::NAN];
    let clamp = ClampWeightsConfig::new(-0.5, 0.75).init().unwrap();
    for (name, device) in devices() {
        for dtype in dtypes(&device) {
            let param = Param::from_tensor(tensor::<2>(&numbers, dtype, &device));
            let clamped = clamp.apply(vec![param.clone()]);
            assert_eq!(clamped[0].id, param.id, "{name}");
            assert_eq!(clamped[0].val().dtype(), dtype, "{name}");
            let got = values(clamped[0].val());
            let expected = [-0.5, -0.5, -0.25, 0.0, 0.25, 0.75, 0.75];
            assert_eq!(got[..7], expected, "{name} {dtype:?}");
        }
    }
}

#[test]
fn frozen_weights_statistics_and_other_groups_are_left_alone() {
    let _alone = alone();
    let clamp = ClampWeightsConfig::new(-0.01, 0.01).init().unwrap();
    for (name, device) in training_devices() {
        let mut net = Net::new(0.0, &device);
        net.first = net.first.no_grad();
        let clamped = clamp.apply(net.clone());
        let largest = |weight: Tensor<2>| weight.abs().max().into_scalar::<f32>();
        assert!(largest(clamped.last.weight.val()) <= 0.01, "{name}");
        assert_eq!(
            values(clamped.first.weight.val()),
            values(net.first.weight.val()),
            "{name}: frozen"
        );
        let gamma = |net: &Net| values(net.norm.gamma.val());
        assert_eq!(gamma(&clamped)[0], f64::from(0.01_f32), "{name}");
        let variance = |net: &Net| values(net.valid().norm.running_var.value_sync());
        assert_eq!(variance(&clamped), variance(&net), "{name}: a statistic");
        assert_eq!(
            clamp.paths(&net),
            ["norm.gamma", "norm.beta", "last.weight", "last.bias"],
            "{name}"
        );
        let group = ParamGroup::from_regex(r"^last\.weight$").unwrap();
        let one = ClampWeightsConfig::new(-0.01, 0.01).with_group(group);
        let clamped = one.init().unwrap().apply(net.clone());
        assert!(largest(clamped.last.weight.val()) <= 0.01, "{name}");
        assert_eq!(gamma(&clamped), gamma(&net), "{name}");
    }
}

#[test]
fn a_clamped_model_trains_on() {
    let _alone = alone();
    let clamp = ClampWeightsConfig::new(0.0, f64::MAX).init().unwrap();
    for (name, device) in training_devices() {
        let mut layer = LinearConfig::new(3, 2).with_bias(false).init(&device);
        let mut optim = SgdConfig::new().init();
        for _ in 0..3 {
            let loss = layer.forward(Tensor::<2>::ones([1, 3], &device)).sum();
            let grads = GradientsParams::from_grads(loss.backward(), &layer);
            assert_eq!(grads.len(), 1, "{name}");
            layer = clamp.apply(optim.step(0.4, layer, grads));
        }
        // 1.2 less than it was, or 0.
        assert_eq!(values(layer.weight.val()), [0.0; 6], "{name}");
    }
}

#[test]
fn an_interval_that_is_none_is_refused() {
    let refused = |min, max, text: &str| {
        let error = ClampWeightsConfig::new(min, max).init().unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
    };
    refused(1.0, 0.5, "`max` must be at least `min`");
    refused(f64::NAN, 0.5, "`min`");
    refused(0.0, f64::INFINITY, "`max`");
    let one = ClampWeightsConfig::new(0.5, 0.5).init().unwrap();
    let device = burn::tensor::Device::flex();
    let param = Param::from_tensor(Tensor::<1>::from_floats([0.0, 2.0], &device));
    assert_eq!(values(one.apply(vec![param])[0].val()), [0.5, 0.5]);
}
