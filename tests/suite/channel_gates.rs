//! Layers that scale whole channels by what the sample says about them: squeeze-and-excitation, and global response
//! normalisation.

use crate::devices::{devices, training_devices};
use crate::models::{alone, dtypes, values};
use crate::norms::{assert_json, assert_near, assert_refused, cast, grid, precise};
use crate::oracle::{case, numbers, read};
use crate::weights_by_path::{Floats, floats, with_floats};
use burn::module::{Module, Param};
use burn::tensor::{DType, Device, Tensor, TensorData};
use burn_tricks::nn::{
    ChannelAxis, ChannelGate, Forward, GlobalResponseNorm, GlobalResponseNormConfig, ResNetConfig,
    ResNetVersion, SqueezeExcite, SqueezeExciteConfig,
};
use serde_json::Value;

/// Output and gradient of `Σ y k` for the numbers k of the oracle.
fn assert_case(
    case: &Value,
    x: Tensor<4>,
    layer: impl Fn(Tensor<4>) -> Tensor<4>,
    error: f64,
    what: &str,
) {
    let x = x.require_grad();
    let y = layer(x.clone());
    assert_near(&values(y.clone()), &numbers(&case["output"]), error, what);
    let k = grid(y.dims(), 0.9, 2.0, (&y.device(), y.dtype()));
    let grads = (y * k).sum().backward();
    let gradient = values(x.grad(&grads).unwrap());
    assert_near(&gradient, &numbers(&case["gradient"]), error, what);
}

fn response_norm(axis: ChannelAxis, dtype: DType, device: &Device) -> GlobalResponseNorm {
    let config = GlobalResponseNormConfig::new(3).with_axis(axis);
    let mut layer = config.init(device).unwrap();
    let vector = |step| Param::from_tensor(grid([3], step, 2.0, (device, dtype)));
    (layer.gamma, layer.beta) = (vector(1.3), vector(0.4));
    layer
}

/// A channel of the first sample is 0 everywhere: the derivative of its norm must not be NaN.
#[test]
fn response_norms_are_those_of_timm() {
    let _alone = alone();
    for (name, device) in training_devices() {
        let (dtype, error) = precise(&device);
        for (case_name, axis, shape) in [
            ("second", ChannelAxis::Second, [2, 3, 4, 2]),
            ("last", ChannelAxis::Last, [2, 4, 2, 3]),
        ] {
            let case = case("global_response_norm", case_name);
            let data = TensorData::new(numbers(&case["input"]), shape);
            let x = Tensor::from_data(data, (&device, dtype));
            let layer = response_norm(axis, dtype, &device);
            let what = format!("{name} {case_name}");
            assert_case(case, x, |x| layer.forward(x), error, &what);
        }
    }
}

#[test]
fn a_new_response_norm_is_the_identity_at_every_rank_and_type() {
    let _alone = alone();
    for (name, device) in devices() {
        let layer = GlobalResponseNormConfig::new(3).init(&device).unwrap();
        for dtype in dtypes(&device) {
            let layer = cast(layer.clone(), dtype);
            let x = grid([2, 3], 0.7, 2.0, (&device, dtype));
            assert_eq!(values(layer.forward::<2>(x.clone())), values(x), "{name}");
            let x = grid([2, 3, 4], 0.7, 2.0, (&device, dtype));
            let y = layer.forward::<3>(x.clone());
            assert_eq!(y.dtype(), dtype, "{name}");
            assert_eq!(values(y), values(x), "{name} {dtype:?}");
        }
    }
}

/// In `f16` the square of 300 is infinite.
#[test]
fn squares_of_half_precision_do_not_overflow() {
    let device = Device::flex();
    let layer = cast(
        response_norm(ChannelAxis::Second, DType::F32, &device),
        DType::F16,
    );
    let x = Tensor::<3>::full([1, 3, 50], 300.0, (&device, DType::F16));
    let y = values(layer.forward(x));
    assert!(y.iter().all(|y| y.is_finite()), "{y:?}");
}

fn gate(config: &SqueezeExciteConfig, dtype: DType, device: &Device) -> SqueezeExcite {
    let mut layer = config.init(device).unwrap();
    // A weight of PyTorch's is [out, in, 1, 1], and one of Burn's [in, out].
    let weight = |shape: [usize; 2], step| {
        let of_torch = grid(shape, step, 0.8, (device, dtype));
        Param::from_tensor(of_torch.transpose())
    };
    let bias = |size, step| Some(Param::from_tensor(grid([size], step, 0.8, (device, dtype))));
    layer.squeeze.weight = weight([2, 6], 0.3);
    layer.squeeze.bias = bias(2, 0.5);
    layer.excite.weight = weight([6, 2], 0.7);
    layer.excite.bias = bias(6, 1.1);
    layer
}

#[test]
fn gates_are_those_of_timm_and_torchvision() {
    let _alone = alone();
    for (name, device) in training_devices() {
        let (dtype, error) = precise(&device);
        for (case_name, kind) in [
            ("timm", ChannelGate::Sigmoid),
            ("torchvision_hard", ChannelGate::HardSigmoid),
        ] {
            let case = case("squeeze_excite", case_name);
            let config = SqueezeExciteConfig::new(6, 2).with_gate(kind);
            let layer = gate(&config, dtype, &device);
            let x = grid([2, 6, 3, 2], 0.7, 2.0, (&device, dtype));
            let what = format!("{name} {case_name}");
            assert_case(case, x.clone(), |x| layer.forward(x), error, &what);
            // Sequences and vectors have channels too.
            let maps = values(layer.forward(x.clone()));
            let sequence = values(layer.forward(x.reshape([2, 6, 6])));
            assert_near(&sequence, &maps, error, &what);
            let vector = layer.forward::<2>(grid([2, 6], 0.7, 2.0, (&device, dtype)));
            assert_eq!(vector.dims(), [2, 6], "{what}");
        }
    }
    let case = case("squeeze_excite", "timm_widths");
    let channels: Vec<usize> = read(&case["channels"]);
    let squeezed = channels.into_iter().map(SqueezeExciteConfig::timm);
    let squeezed: Vec<usize> = squeezed.map(|config| config.squeezed).collect();
    assert_eq!(squeezed, read::<Vec<usize>>(&case["squeezed"]));
}

/// With weights of 0 each gate is σ(0) = 1/2: the branch of a block is halved.
#[test]
fn a_residual_network_has_a_gate_at_the_end_of_each_branch() {
    let _alone = alone();
    for (name, device) in devices() {
        for version in [ResNetVersion::V1, ResNetVersion::V2] {
            let plain = ResNetConfig::for_8x8(1, 4)
                .with_widths(vec![4])
                .with_version(version);
            let count = |config: &ResNetConfig| config.init(&device).unwrap().num_params();
            let gated = plain.clone().with_squeeze_excite(Some(2));
            // 4 · 2 + 2 in, 2 · 4 + 4 out.
            assert_eq!(count(&gated), count(&plain) + 22, "{name} {version:?}");
            // More channels per squeezed one than there are: one is left.
            let narrow = plain.clone().with_squeeze_excite(Some(16));
            assert_eq!(count(&narrow), count(&plain) + 13, "{name} {version:?}");

            let model = gated.init(&device).unwrap();
            let gates = |floats: &[Floats]| {
                floats
                    .iter()
                    .any(|held| held.path.contains(".gate.squeeze."))
            };
            assert!(gates(&floats(&model)), "{name} {version:?}");
            let zeros = with_floats(model, |path, held| {
                if path.contains(".gate.") {
                    vec![0.0; held.len()]
                } else {
                    held
                }
            });
            let halved = with_floats(zeros.clone(), |path, held| {
                let is_branch_end = match version {
                    ResNetVersion::V1 => {
                        path.ends_with("second.norm.gamma") || path.ends_with("second.norm.beta")
                    }
                    ResNetVersion::V2 => {
                        path.ends_with("second.conv.weight") || path.ends_with("second.conv.bias")
                    }
                };
                let half = |x: f64| if is_branch_end { 0.5 * x } else { x };
                held.into_iter().map(half).collect()
            });
            let plain = plain.init(&device).unwrap();
            let mut of_halved = floats(&halved);
            of_halved.retain(|held| !held.path.contains(".gate."));
            let mut held = of_halved.into_iter();
            let plain = with_floats(plain, |path, _| {
                let next = held.next().expect("the same without gates");
                assert_eq!(next.path, path);
                next.values
            });
            let images = grid([2, 1, 8, 8], 0.7, 1.0, (&device, DType::F32));
            let (with, without) = (zeros.forward(images.clone()), plain.forward(images));
            assert_near(&values(with), &values(without), 1e-5, name);
        }
    }
}

#[test]
fn configs_go_through_json_and_refuse_nonsense() {
    assert_json(&GlobalResponseNormConfig::new(3).with_axis(ChannelAxis::Last));
    assert_json(&SqueezeExciteConfig::new(8, 2).with_gate(ChannelGate::HardSigmoid));
    let device = Device::flex();
    let refused = GlobalResponseNormConfig::new(0).init(&device);
    assert_refused(refused, "channels", "0");
    let epsilon = GlobalResponseNormConfig::new(3).with_epsilon(0.0);
    assert_refused(epsilon.init(&device), "epsilon", "0.0");
    let gate = |channels, squeezed| SqueezeExciteConfig::new(channels, squeezed).init(&device);
    assert_refused(gate(0, 1), "channels", "0");
    assert_refused(gate(4, 0), "squeezed", "0");
    let network = ResNetConfig::for_8x8(1, 4).with_squeeze_excite(Some(0));
    assert_refused(network.init(&device), "squeeze_excite", "0");
}

#[test]
fn an_input_with_other_channels_is_refused() {
    let _alone = alone();
    let device = Device::flex();
    let panics = |f: &dyn Fn()| std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).is_err();
    let norm = GlobalResponseNormConfig::new(3).init(&device).unwrap();
    let gate = SqueezeExciteConfig::new(3, 1).init(&device).unwrap();
    let one = || Tensor::<4>::ones([2, 1, 4, 4], &device);
    assert!(panics(&|| drop(Forward::forward(&norm, one()))));
    assert!(panics(&|| drop(Forward::forward(&gate, one()))));
}
