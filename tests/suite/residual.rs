//! Residual blocks and residual networks: PyTorch's values, starts as the identity, refusals.

use crate::devices::devices;
use crate::models::{Noise, alone, tensor, values};
use crate::norms::assert_near;
use crate::oracle::{assert_close, case, numbers, read};
use crate::weights_by_path::{Floats, floats, with_floats, with_weights};
use burn::module::Module;
use burn::nn::activation::ActivationConfig;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNormConfig, Linear, LinearConfig, PaddingConfig2d, Relu};
use burn::optim::GradientsParams;
use burn::prelude::Config as _;
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::nn::{
    BranchScale, Forward, LayerScaleConfig, Placement, ResNetConfig, ResNetVersion, ResidualConfig,
    Shortcut,
};
use serde_json::Value;

/// Sums of up to 27 products in f32, a few layers of them, and wgpu's own order.
const TOLERANCE: f64 = 2e-5;

fn input<const D: usize>(case: &Value, shape: [usize; D], device: &Device) -> Tensor<D> {
    tensor::<1>(&numbers(&case["inputs"]), DType::F32, device).reshape(shape)
}

fn assert_output<const D: usize>(case: &Value, output: Tensor<D>, what: &str) {
    let shape: Vec<usize> = read(&case["shape"]);
    assert_eq!(output.dims().as_slice(), shape, "{what}");
    assert_close(&values(output), &numbers(&case["values"]), TOLERANCE, what);
}

fn linear(inputs: usize, outputs: usize, device: &Device) -> Linear {
    LinearConfig::new(inputs, outputs).init(device)
}

/// A convolution of 3×3 without bias, padded.
fn conv(channels: [usize; 2], stride: usize, device: &Device) -> Conv2d {
    Conv2dConfig::new(channels, [3, 3])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
        .with_bias(false)
        .init(device)
}

#[test]
fn blocks_of_linear_layers_are_those_of_pytorch() {
    let _alone = alone();
    for (name, device) in devices() {
        for (case_name, placement, outputs, scale) in [
            ("post", Placement::Post, 3, None),
            ("pre", Placement::Pre, 3, None),
            ("none", Placement::None, 3, None),
            ("post_projection", Placement::Post, 4, None),
            (
                "pre_projection_scaled",
                Placement::Pre,
                4,
                Some(LayerScaleConfig::new(4)),
            ),
            (
                "re_zero",
                Placement::None,
                3,
                Some(LayerScaleConfig::re_zero()),
            ),
        ] {
            let case = case("residual", case_name);
            let shortcut = match outputs {
                3 => Shortcut::Identity,
                outputs => Shortcut::Linear { inputs: 3, outputs },
            };
            let branch = (
                linear(3, 5, &device),
                Relu::new(),
                linear(5, outputs, &device),
            );
            let block = ResidualConfig::new()
                .with_placement(placement)
                .with_activation(ActivationConfig::Tanh)
                .with_shortcut(shortcut)
                .with_scale(scale)
                .init(branch, &device)
                .unwrap();
            let block = with_weights(block, &case["weights"]);
            let x = input(case, [2, 3], &device);
            let what = format!("{name}: {case_name}");
            assert_output(case, block.forward(x.clone()), &what);
            // The same by a closure, and as a part of something larger.
            let by_closure = block.forward_with(x.clone(), |(a, _, b), x| {
                b.forward(a.forward(x).clamp_min(0))
            });
            assert_output(case, by_closure, &what);
            assert_output(case, (block, None::<Relu>).forward(x), &what);
        }
    }
}

#[test]
fn blocks_of_convolutions_are_those_of_pytorch() {
    let _alone = alone();
    for (name, device) in devices() {
        for stride in [1, 2] {
            let case_name = format!("images_stride_{stride}");
            let case = case("residual", &case_name);
            let norm = || BatchNormConfig::new(3).init(&device);
            let branch = (
                conv([2, 3], stride, &device),
                norm(),
                Relu::new(),
                conv([3, 3], 1, &device),
                norm(),
            );
            let shortcut = Shortcut::Conv {
                channels: [2, 3],
                stride,
                batch_norm: true,
            };
            let block = ResidualConfig::new()
                .with_shortcut(shortcut)
                .init(branch, &device)
                .unwrap();
            let block = with_weights(block, &case["weights"]);
            let images = input(case, [1, 2, 5, 4], &device);
            assert_output(case, block.forward(images), &format!("{name}: {case_name}"));
        }
    }
}

fn small_res_net() -> ResNetConfig {
    ResNetConfig::for_8x8(1, 4)
        .with_widths(vec![2, 3])
        .with_blocks(2)
}

#[test]
fn residual_networks_are_those_of_pytorch() {
    let _alone = alone();
    let v2 = small_res_net().with_version(ResNetVersion::V2);
    let without_norm = small_res_net().with_batch_norm(false);
    let cases = [
        ("v1", small_res_net()),
        ("v2", v2.clone()),
        (
            "v1_re_zero_without_norm",
            without_norm.with_scale(BranchScale::ReZero),
        ),
        (
            "v2_layer_scale",
            v2.with_scale(BranchScale::LayerScale(0.5)),
        ),
        (
            "v1_28x28",
            ResNetConfig::for_28x28(1, 4).with_widths(vec![2, 3, 4]),
        ),
    ];
    for (name, device) in devices() {
        for (case_name, config) in &cases {
            let case = case("res_net", case_name);
            let model = with_weights(config.init(&device).unwrap(), &case["weights"]);
            let shape = match *case_name {
                "v1_28x28" => [1, 1, 28, 28],
                _ => [2, 1, 8, 8],
            };
            let images = input(case, shape, &device);
            assert_output(case, model.forward(images), &format!("{name}: {case_name}"));
        }
    }
}

#[test]
fn a_block_with_a_factor_of_zero_is_the_identity_and_its_factor_learns_first() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let x = tensor::<1>(&Noise(3).take(12), DType::F32, &device).reshape([4, 3]);
    let mut blocks = Vec::new();
    for _ in 0..50 {
        let branch = (linear(3, 3, &device), Relu::new(), linear(3, 3, &device));
        blocks.push(ResidualConfig::re_zero().init(branch, &device).unwrap());
    }
    let y = blocks.forward(x.clone());
    assert_eq!(values(y.clone()), values(x), "fifty blocks do nothing");
    let grads = GradientsParams::from_grads(y.powi_scalar(2).sum().backward(), &blocks);
    for block in &blocks {
        let gamma = block.scale().expect("a factor").gamma.id;
        assert!(values(grads.get::<1>(gamma).unwrap())[0] != 0.0, "α learns");
        let weight = block.branch().0.weight.id;
        let branch = values(grads.get::<2>(weight).unwrap());
        assert!(branch.iter().all(|g| *g == 0.0), "the branch waits");
    }
}

#[test]
fn a_factor_of_one_is_no_factor() {
    let _alone = alone();
    let device = Device::flex();
    let branch = linear(3, 3, &device);
    let x = tensor::<1>(&Noise(4).take(6), DType::F32, &device).reshape([2, 3]);
    let plain = ResidualConfig::new().init(branch.clone(), &device).unwrap();
    for channels in [1, 3] {
        let one = LayerScaleConfig::new(channels).with_initial(1.0);
        let scaled = ResidualConfig::new().with_scale(Some(one));
        let scaled = scaled.init(branch.clone(), &device).unwrap();
        let (scaled, plain) = (scaled.forward(x.clone()), plain.forward(x.clone()));
        assert_eq!(values(scaled), values(plain));
    }
}

#[test]
fn factors_lie_on_the_axis_that_was_asked_for() {
    let device = Device::flex();
    for (axis, expected) in [(1, [1.0, 1.0, 2.0, 2.0]), (2, [1.0, 2.0, 1.0, 2.0])] {
        let scale = LayerScaleConfig::new(2).with_axis(axis);
        let scale = scale.init(&device).unwrap();
        let scale = with_floats(scale, |_, _| vec![1.0, 2.0]);
        let ones = Tensor::<3>::ones([1, 2, 2], &device);
        assert_eq!(values(scale.forward(ones)), expected, "axis {axis}");
    }
}

#[test]
#[should_panic(expected = "must have one channel per factor")]
fn a_single_channel_is_not_spread_over_the_factors() {
    let scale = LayerScaleConfig::new(4).init(&Device::flex()).unwrap();
    scale.forward(Tensor::<2>::ones([2, 1], &Device::flex()));
}

#[test]
#[should_panic(expected = "must give the same shape")]
fn a_branch_of_one_feature_is_not_spread_over_the_input() {
    // Burn would add [2, 1] to [2, 4] by repeating it.
    let _alone = alone();
    let device = Device::flex();
    let block = ResidualConfig::new().init(linear(4, 1, &device), &device);
    block.unwrap().forward(Tensor::<2>::ones([2, 4], &device));
}

/// The batch norm of a block against Burn's layer: a convolution that changes nothing in front of it, beside a branch that is
/// multiplied by 0.
#[test]
fn batch_norms_in_blocks_are_burns_up_to_rounding() {
    let _alone = alone();
    let of_norm = |path: &str, held: Vec<f64>| match path.rsplit('.').next() {
        Some("gamma") if held.len() == 3 => vec![0.5, 1.5, 2.0],
        Some("beta") => vec![0.1, -0.2, 0.3],
        Some("weight") => vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        _ => held,
    };
    for (name, device) in devices() {
        let training = device.clone().autodiff();
        let shortcut = Shortcut::Conv {
            channels: [3, 3],
            stride: 1,
            batch_norm: true,
        };
        let config = ResidualConfig::re_zero().with_shortcut(shortcut);
        let block = config.init(Relu::new(), &training).unwrap();
        let block = with_floats(block, of_norm);
        let norm = with_floats(BatchNormConfig::new(3).init(&training), of_norm);
        let batch = |seed| {
            let x: Tensor<1> = tensor(&Noise(seed).take(300), DType::F32, &training);
            (x * 2.0 + 3.0).reshape([4, 3, 5, 5]).detach()
        };
        for seed in [1, 2] {
            let run = |forward: &dyn Fn(Tensor<4>) -> Tensor<4>| {
                let x = batch(seed).require_grad();
                let y = forward(x.clone());
                let grads = (y.clone() * batch(9)).sum().backward();
                [values(y), values(x.grad(&grads).unwrap())]
            };
            let got = run(&|x| block.forward(x));
            let expected = run(&|x| norm.forward(x));
            for (got, expected) in got.iter().zip(&expected) {
                assert_near(got, expected, 1e-5, &format!("{name}, batch {seed}"));
            }
        }
        let (block, norm) = (block.valid(), norm.valid());
        let statistics = |all: Vec<Floats>| -> Vec<Vec<f64>> {
            let running = all.into_iter().filter(|one| one.path.contains("running"));
            running.map(|one| one.values).collect()
        };
        let (got, expected) = (statistics(floats(&block)), statistics(floats(&norm)));
        assert_eq!((got.len(), expected.len()), (2, 2), "{name}");
        for (got, expected) in got.iter().zip(&expected) {
            assert_near(got, expected, 1e-5, &format!("{name}: statistics"));
        }
        let x = batch(3).inner();
        let (got, expected) = (block.forward(x.clone()), norm.forward(x));
        assert_near(&values(got), &values(expected), 1e-5, name);
    }
}

/// Fails unless the variance of what was drawn is within five standard errors of `expected`.
fn assert_variance(values: &[f64], expected: f64, what: &str) {
    let n = values.len() as f64;
    let ratio = values.iter().map(|w| w * w).sum::<f64>() / n / expected;
    assert!(
        (ratio - 1.0).abs() < 5.0 * (2.0 / n).sqrt(),
        "{what}: {ratio}"
    );
}

#[test]
fn weights_start_as_the_docs_say() {
    let _alone = alone();
    let device = Device::flex();
    device.seed(5);
    let config = ResNetConfig::new(3, 10).with_widths(vec![32, 64]);
    let model = config.with_batch_norm(false).init(&device).unwrap();
    let mut drawn = 0;
    for Floats { path, values, .. } in floats(&model) {
        if path.ends_with("conv.bias") {
            assert!(values.iter().all(|value| *value == 0.0), "{path}");
        }
        // One keeps the channels, one makes 64 of 32: then fan-in and fan-out differ.
        for (block, outputs) in [(0, 32.0), (1, 64.0)] {
            if path == format!("blocks.{block}.branch.first.conv.weight") {
                assert_variance(&values, 2.0 / (outputs * 9.0), &path);
                drawn += 1;
            }
        }
    }
    assert_eq!(drawn, 2);

    let (inputs, outputs) = (400, 100);
    let projection = ResidualConfig::new().with_shortcut(Shortcut::Linear { inputs, outputs });
    let block = projection.init(Relu::new(), &device).unwrap();
    let [Floats { path, values, .. }] = &floats(&block)[..] else {
        panic!("one weight");
    };
    assert_variance(values, 1.0 / 400.0, path); // it keeps the variance
}

#[test]
fn networks_are_as_large_as_the_docs_say() {
    let _alone = alone();
    for (config, weights) in [
        (ResNetConfig::for_8x8(1, 10), 19_706),
        (ResNetConfig::for_28x28(1, 10), 77_754),
    ] {
        let floats = floats(&config.init(&Device::flex()).unwrap());
        let trained = floats
            .iter()
            .filter(|floats| !floats.path.contains("running_"));
        assert_eq!(
            trained.map(|floats| floats.values.len()).sum::<usize>(),
            weights
        );
    }
}

#[test]
fn a_stride_needs_a_projection_though_the_widths_are_equal() {
    let _alone = alone();
    let device = Device::flex();
    let config = small_res_net().with_widths(vec![4, 4]).with_blocks(1);
    let model = config.init(&device).unwrap();
    let images = Tensor::<4>::ones([2, 1, 8, 8], &device);
    assert_eq!(model.forward(images).dims(), [2, 4]);
    let projected = |block: &str| {
        let path = format!("blocks.{block}.shortcut.Conv.conv.weight");
        floats(&model).iter().any(|floats| floats.path == path)
    };
    assert_eq!(["0", "1"].map(projected), [false, true]);
}

#[test]
fn factors_start_where_the_papers_have_them() {
    let device = Device::flex();
    let initial = |config: LayerScaleConfig| {
        let gamma = config.init(&device).unwrap().gamma.val();
        values(gamma.cast(DType::F64))
    };
    let rounded = |initial: f64| vec![f64::from(initial as f32); 2];
    assert_eq!(initial(LayerScaleConfig::new(2)), rounded(1e-5), "timm");
    for (depth, expected) in [(1, 0.1), (18, 0.1), (19, 1e-5), (24, 1e-5), (25, 1e-6)] {
        let cait = LayerScaleConfig::cait(2, depth);
        assert_eq!(initial(cait), rounded(expected), "depth {depth}");
    }
}

#[test]
fn configurations_survive_json_and_refusals_quote_the_field() {
    let device = Device::flex();
    let residual = ResidualConfig::pre_activation()
        .with_activation(ActivationConfig::Gelu)
        .with_scale(Some(LayerScaleConfig::cait(3, 30)))
        .with_shortcut(Shortcut::Conv {
            channels: [2, 3],
            stride: 2,
            batch_norm: true,
        });
    let text = residual.to_string();
    let read = ResidualConfig::load_binary(text.as_bytes()).unwrap();
    assert_eq!(read.to_string(), text);
    let config = small_res_net()
        .with_version(ResNetVersion::V2)
        .with_scale(BranchScale::LayerScale(1e-4));
    let text = config.to_string();
    assert_eq!(ResNetConfig::load_binary(text.as_bytes()).unwrap(), config);

    let net = |change: fn(&mut ResNetConfig)| {
        let mut config = small_res_net();
        change(&mut config);
        config.init(&Device::flex()).unwrap_err().to_string()
    };
    let block = |shortcut, scale| {
        let config = ResidualConfig::new()
            .with_shortcut(shortcut)
            .with_scale(scale);
        config.init(Relu::new(), &device).unwrap_err().to_string()
    };
    let conv = |channels, stride| Shortcut::Conv {
        channels,
        stride,
        batch_norm: false,
    };
    let (inputs, outputs) = (2, 0);
    let refused = [
        (net(|c| c.channels = 0), "`channels`", "0"),
        (net(|c| c.classes = 0), "`classes`", "0"),
        (net(|c| c.blocks = 0), "`blocks`", "0"),
        (
            net(|c| (c.widths, c.blocks, c.drop_path) = (vec![2], 1, 0.5)),
            "`drop_path`",
            "0.5",
        ),
        (net(|c| c.widths = vec![]), "`widths`", "[]"),
        (net(|c| c.widths = vec![4, 0]), "`widths`", "[4, 0]"),
        (
            net(|c| c.scale = BranchScale::LayerScale(f64::NAN)),
            "`scale`",
            "NaN",
        ),
        (
            block(Shortcut::Linear { inputs, outputs }, None),
            "`shortcut.outputs`",
            "0",
        ),
        (block(conv([0, 2], 1), None), "`shortcut.channels`", "0"),
        (block(conv([2, 2], 0), None), "`shortcut.stride`", "0"),
        (
            block(Shortcut::Identity, Some(LayerScaleConfig::new(0))),
            "`channels`",
            "0",
        ),
        (
            block(
                Shortcut::Identity,
                Some(LayerScaleConfig::new(2).with_initial(f64::INFINITY)),
            ),
            "`initial`",
            "inf",
        ),
    ];
    for (error, field, got) in refused {
        assert!(error.starts_with(field) && error.ends_with(got), "{error}");
    }
}
