//! Reparameterizations of weights: their first state, units without spread, half precision.

use crate::devices::training_devices;
use crate::models::{alone, dtypes, values};
use crate::norms::{assert_near, assert_refused, grid};
use burn::module::{Module, Param, ParamGroup, Reparameterization};
use burn::nn::conv::{Conv2dConfig, ConvTranspose1dConfig, ConvTranspose3dConfig};
use burn::nn::{EmbeddingConfig, Linear, LinearConfig};
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::nn::{
    Deviation, SpectralNormConfig, TiedWeights, WeightNorm, WeightNormConfig,
    WeightStandardization, WeightStandardizationConfig,
};

/// A layer of this weight, `[in, out]`.
fn layer(weight: Tensor<2>) -> Linear {
    let weight = if weight.is_autodiff() {
        weight.detach().require_grad()
    } else {
        weight
    };
    Linear {
        weight: Param::from_tensor(weight), // nothing is drawn
        bias: None,
    }
}

#[test]
fn a_unit_of_a_transposed_convolution_is_an_output_at_every_rank() {
    let _alone = alone();
    let device = Device::flex();
    let count = |norm: &Param<Tensor<1>>| norm.dims()[0];
    let one = ConvTranspose1dConfig::new([2, 5], 3).init(&device);
    let one = WeightNormConfig::new().attach(one).unwrap();
    let norm: &WeightNorm = one.weight.reparameterization().unwrap();
    assert_eq!(count(&norm.g), 5);
    let three = ConvTranspose3dConfig::new([2, 7], [3, 1, 2]).init(&device);
    let three = WeightNormConfig::new().attach(three).unwrap();
    let norm: &WeightNorm = three.weight.reparameterization().unwrap();
    assert_eq!(count(&norm.g), 7);
}

/// A weight whose singular values are 2, 1.6 and 0.1: turned by angles that no start is at right ones to.
fn known(device: &Device) -> Tensor<2> {
    let turn = |angle: f64| {
        let (s, c) = angle.sin_cos();
        let (t, d) = (0.7 * angle).sin_cos();
        let [a, b] = [
            [[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]],
            [[1.0, 0.0, 0.0], [0.0, d, -t], [0.0, t, d]],
        ]
        .map(|matrix| Tensor::<2>::from_data(matrix, device));
        a.matmul(b)
    };
    let values =
        Tensor::<2>::from_data([[2.0, 0.0, 0.0], [0.0, 1.6, 0.0], [0.0, 0.0, 0.1]], device);
    turn(0.6).matmul(values).matmul(turn(1.1))
}

#[test]
fn spectral_norm_knows_the_largest_singular_value_when_attached() {
    for (name, device) in training_devices() {
        let plain = layer(known(&device));
        let model = SpectralNormConfig::new().attach(plain.clone()).unwrap();
        let expected: Vec<f64> = values(plain.weight.val()).iter().map(|w| w / 2.0).collect();
        assert_near(&values(model.valid().weight.val()), &expected, 1e-6, name);
    }
}

#[test]
fn a_unit_without_spread_is_zero_and_has_a_gradient() {
    for (name, device) in training_devices() {
        let weight = Tensor::<2>::from_data([[0.5, 1.0], [0.5, -2.0], [0.5, 0.3]], &device);
        for deviation in [
            Deviation::Population,
            Deviation::PopulationPlus,
            Deviation::SamplePlus,
        ] {
            let config = WeightStandardizationConfig::new().with_deviation(deviation);
            let model = config.attach(layer(weight.clone())).unwrap();
            let norm: &WeightStandardization = model.weight.reparameterization().unwrap();
            let w = weight.clone().require_grad();
            let standard = norm.apply(w.clone());
            let what = format!("{name} {deviation:?}");
            let units = values(standard.clone().transpose());
            assert_eq!(units[..3], [0.0; 3], "{what}");
            assert!(
                units[3..].iter().all(|w| w.abs() > 0.1),
                "{what}: {units:?}"
            );
            let k = grid([3, 2], 0.9, 1.0, (&device, DType::F32));
            let grads = (standard * k).sum().backward();
            let gradient = values(w.grad(&grads).unwrap());
            assert!(
                gradient.iter().all(|x| x.is_finite()),
                "{what}: {gradient:?}"
            );
        }
    }
}

/// As the last layer of a residual block, which starts from zero weights.
#[test]
fn a_unit_of_zeros_can_be_trained_with_weight_norm() {
    let mut devices = training_devices();
    devices.push((
        "checkpointing",
        Device::flex().autodiff().gradient_checkpointing(),
    ));
    for (name, device) in devices {
        for dtype in dtypes(&device) {
            let some = [[0.5, 0.0, 1.0], [-0.5, 0.0, 2.0]];
            for weight in [some, [[0.0; 3]; 2]] {
                let what = format!("{name} {dtype:?} {weight:?}");
                let plain = layer(Tensor::<2>::from_data(weight, (&device, dtype)));
                let id = plain.weight.id;
                let mut model = WeightNormConfig::new().attach(plain.clone()).unwrap();
                assert_eq!(model.weight.id, id, "{what}");
                let before = values(plain.weight.val());
                assert_near(&values(model.weight.val()), &before, 1e-2, &what);
                let mut optim = SgdConfig::new().init();
                let x = Tensor::<2>::from_data([[1.0, 2.0], [-1.0, 3.0]], (&device, dtype));
                let y = Tensor::<2>::from_data([[1.0, -3.0, 2.0]; 2], (&device, dtype));
                for _ in 0..3 {
                    let loss = (model.forward(x.clone()) - y.clone()).square().sum();
                    let grads = GradientsParams::from_grads(loss.backward(), &model);
                    model = optim.step(0.01, model, grads);
                }
                let norm: &WeightNorm = model.weight.reparameterization().unwrap();
                let g = values(norm.g.val());
                assert!(g.iter().all(|g| g.abs() > 1e-3), "{what}: {g:?}");
                let after = values(model.weight.val());
                let moved = after.iter().zip(&before).all(|(a, b)| (a - b).abs() > 1e-4);
                assert!(moved, "{what}: {after:?}");
            }
        }
    }
}

#[test]
fn a_tied_unit_of_zeros_has_one_direction_and_one_length() {
    for (name, device) in training_devices() {
        let zeros = || Tensor::<2>::zeros([3, 3], &device);
        let first = layer(zeros());
        let model = vec![first.clone(), first];
        let both = WeightNormConfig::new().attach(model.clone()).unwrap();
        let stored = |layer: &Linear| values(layer.weight.base());
        assert_eq!(stored(&both[0]), stored(&both[1]), "{name}");
        assert!(stored(&both[0]).iter().all(|v| v.abs() > 0.1), "{name}");
        for layer in &both {
            let norm: &WeightNorm = layer.weight.reparameterization().unwrap();
            assert_eq!(values(norm.g.val()), [0.0; 3], "{name}");
            assert_eq!(values(layer.weight.val()), [0.0; 9], "{name}");
        }
        // Where one of its places is left out, the zeros stay what they are there.
        let group = ParamGroup::from_path("1.weight");
        let one = WeightNormConfig::new()
            .with_group(group)
            .attach(model)
            .unwrap();
        for layer in &one {
            assert_eq!(values(layer.weight.val()), [0.0; 9], "{name}");
        }
    }
}

/// As the padding row of an embedding that is tied with the output layer.
#[test]
fn a_unit_of_zeros_that_is_also_used_without_weight_norm_starts_from_zero() {
    for (name, device) in training_devices() {
        for with_norm in [0, 1] {
            let what = format!("{name}, norm at {with_norm}");
            let weight = [[0.5, 0.0, 1.0], [-0.5, 0.0, 2.0]];
            let first = layer(Tensor::<2>::from_data(weight, &device));
            let group = ParamGroup::from_path(["0.weight", "1.weight"][with_norm]);
            let mut model = WeightNormConfig::new()
                .with_group(group)
                .attach(vec![first.clone(), first])
                .unwrap();
            let norm: &WeightNorm = model[with_norm].weight.reparameterization().unwrap();
            assert_eq!(values(norm.g.val())[1], 0.0, "{what}");
            for layer in &model {
                assert_near(&values(layer.weight.val()), &weight.concat(), 1e-6, &what);
            }
            let length = |model: &Vec<Linear>| {
                let weight = values(model[with_norm].weight.val());
                weight[1].hypot(weight[4])
            };
            let mut optim = SgdConfig::new().init();
            let x = Tensor::<2>::from_data([[1.0, 2.0], [-1.0, 3.0]], &device);
            let y = Tensor::<2>::from_data([[1.0, -3.0, 2.0]; 2], &device);
            let loss = |layer: &Linear| (layer.forward(x.clone()) - y.clone()).square().sum();
            for step in 0..4 {
                let loss = match step {
                    0 => loss(&model[with_norm]), // which cannot tell a direction
                    _ => loss(&model[0]) + loss(&model[1]),
                };
                let grads = GradientsParams::from_grads(loss.backward(), &model);
                model = TiedWeights.apply(optim.step(1e-3, model, grads));
                if step == 0 {
                    assert!(length(&model) < 0.1, "{what}: {}", length(&model));
                }
            }
            let length = length(&model);
            assert!(length > 1e-3 && length < 0.5, "{what}: {length}");
        }
    }
}

/// One input is its own mean, and two are ±1 whatever they are: neither could learn.
#[test]
fn units_of_one_or_two_inputs_are_refused_by_their_path() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let linear = |inputs| LinearConfig::new(inputs, 4).init(&device);
    let conv = |channels: usize, kernel| {
        let config = Conv2dConfig::new([channels, channels], [kernel, 1]);
        config.with_groups(channels).init(&device)
    };
    let standard = WeightStandardizationConfig::new;
    let model = || {
        let (one, two) = (linear(1), linear(2));
        (
            vec![one, two],
            [conv(2, 1), conv(2, 2)],
            EmbeddingConfig::new(5, 1).init(&device),
        )
    };
    for (path, got) in [
        ("0.0.weight", "[1, 4]"),
        ("0.1.weight", "[2, 4]"),
        ("1.0.weight", "[2, 1, 1, 1]"),
        ("1.1.weight", "[2, 1, 2, 1]"),
        ("2.weight", "[5, 1]"),
    ] {
        let config = standard().with_group(ParamGroup::from_path(path));
        assert_refused(
            config.attach(model()),
            "group",
            &format!("{:?}", format!("{path} {got}")),
        );
        assert!(WeightNormConfig::new().attach(model()).is_ok());
    }
    // Of a grouped transposed convolution a unit is one output of every group.
    let transposed = ConvTranspose1dConfig::new([2, 2], 1)
        .with_groups(2)
        .init(&device);
    let result = standard().attach(transposed);
    assert_refused(result, "group", r#""weight [2, 1, 1]""#);
    // The group is not at fault where there is nothing to match.
    let bare = burn::nn::LayerNormConfig::new(3).init(&device);
    let got = r#"the parameters ["gamma", "beta"]"#;
    assert_refused(WeightNormConfig::new().attach(bare), "model", got);

    // Left out, they stay as they are, and the rest is standardised.
    let mixed = (linear(1), linear(3), conv(3, 1), conv(3, 3));
    let group = ParamGroup::all().exclude(ParamGroup::from_paths(vec!["0.weight", "2.weight"]));
    let attached = standard().with_group(group).attach(mixed.clone()).unwrap();
    assert_eq!(
        values(attached.0.weight.val()),
        values(mixed.0.weight.val())
    );
    assert_ne!(
        values(attached.1.weight.val()),
        values(mixed.1.weight.val())
    );
    assert_ne!(
        values(attached.3.weight.val()),
        values(mixed.3.weight.val())
    );
    let error = standard()
        .attach(mixed)
        .map(|_| ())
        .unwrap_err()
        .to_string();
    assert!(error.contains("at least 3 inputs"), "{error}");
}

/// Weights of a thousand, whose squares are beyond f16.
#[test]
fn statistics_of_half_precision_weights_are_taken_in_single() {
    for (name, device) in training_devices() {
        for dtype in dtypes(&device) {
            let large = grid([4, 3], 0.7, 1000.0, (&device, dtype));
            let single = layer(large.clone().cast(burn::tensor::FloatDType::F32));
            let standard = WeightStandardizationConfig::new();
            let weight = |model: Linear| values(model.valid().weight.val());
            let what = format!("{name} {dtype:?}");
            let tolerance = match dtype {
                DType::F16 => 1e-3,
                DType::BF16 => 8e-3,
                _ => 1e-6,
            };
            for config in [
                standard.clone(),
                standard.with_deviation(Deviation::SamplePlus),
            ] {
                let expected = weight(config.attach(single.clone()).unwrap());
                let got = weight(config.attach(layer(large.clone())).unwrap());
                assert_near(&got, &expected, tolerance, &what);
            }
            let config = SpectralNormConfig::new();
            let expected = weight(config.attach(single.clone()).unwrap());
            let got = weight(config.attach(layer(large.clone())).unwrap());
            // Its vectors are kept in the type of the weight.
            assert_near(&got, &expected, 4.0 * tolerance, &what);
        }
    }
}
