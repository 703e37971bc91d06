//! The laws of every block and network: records, devices, types, modes, gradients.

use crate::devices::{devices, is_gpu, training_devices};
use crate::models::{Noise, alone, dtypes, tensor, values};
use crate::oracle::{assert_close, largest, worst};
use crate::weights_by_path::{Floats, cast, floats, with_floats};
use burn::module::Module;
use burn::nn::activation::ActivationConfig;
use burn::nn::{Linear, LinearConfig, Relu};
use burn::optim::GradientsParams;
use burn::store::ModuleRecord;
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::nn::{
    BranchScale, Inception, InceptionBlock, InceptionBlockConfig, InceptionConfig, LayerScale,
    LayerScaleConfig, Placement, ResNet, ResNetConfig, ResNetVersion, Residual, ResidualConfig,
    Shortcut,
};

/// Images of two channels through a model, flat.
pub(crate) trait Model: Module + Sync {
    fn outputs(&self, images: Tensor<4>) -> Tensor<2>;
}

const SHAPE: [usize; 4] = [3, 2, 5, 4];

type LinearBlock = Residual<(Linear, Relu, Linear)>;

impl Model for LinearBlock {
    fn outputs(&self, images: Tensor<4>) -> Tensor<2> {
        self.forward(images.flatten(1, 3))
    }
}

impl Model for Residual<InceptionBlock> {
    fn outputs(&self, images: Tensor<4>) -> Tensor<2> {
        self.forward(images).flatten(1, 3)
    }
}

impl Model for LayerScale {
    fn outputs(&self, images: Tensor<4>) -> Tensor<2> {
        self.forward(images).flatten(1, 3)
    }
}

impl Model for InceptionBlock {
    fn outputs(&self, images: Tensor<4>) -> Tensor<2> {
        self.forward(images).flatten(1, 3)
    }
}

impl Model for ResNet {
    fn outputs(&self, images: Tensor<4>) -> Tensor<2> {
        self.forward(images)
    }
}

impl Model for Inception {
    fn outputs(&self, images: Tensor<4>) -> Tensor<2> {
        self.forward(images)
    }
}

/// What is tested on a model of any type.
trait Law {
    fn holds<M: Model>(&self, name: &str, make: impl Fn(&Device) -> M);
}

fn for_every_model(law: &impl Law) {
    let linear_block = |config: ResidualConfig| {
        move |device: &Device| {
            let branch = (
                LinearConfig::new(40, 6).init(device),
                Relu::new(),
                LinearConfig::new(6, 5).init(device),
            );
            let shortcut = Shortcut::Linear {
                inputs: 40,
                outputs: 5,
            };
            let config = config.clone().with_activation(ActivationConfig::Tanh);
            config.with_shortcut(shortcut).init(branch, device).unwrap()
        }
    };
    let scale = |channels| Some(LayerScaleConfig::new(channels).with_initial(0.5));
    law.holds("post", linear_block(ResidualConfig::new()));
    law.holds("pre", linear_block(ResidualConfig::pre_activation()));
    let scaled = ResidualConfig::new().with_placement(Placement::None);
    law.holds("scaled", linear_block(scaled.with_scale(scale(5))));
    law.holds("layer scale", |device| {
        scale(2).unwrap().init(device).unwrap()
    });
    // Two channels at least: see `one_channel`.
    let block = InceptionBlockConfig::new(2, 2, [2, 3], [2, 2], 2);
    law.holds("inception block", |device| block.init(device).unwrap());
    law.holds("residual inception block", |device| {
        let shortcut = Shortcut::Conv {
            channels: [2, 9],
            stride: 1,
            batch_norm: true,
        };
        let config = ResidualConfig::new().with_shortcut(shortcut);
        let branch = block.clone().with_batch_norm(false).init(device).unwrap();
        config.init(branch, device).unwrap()
    });
    let res_net = ResNetConfig::new(2, 3).with_widths(vec![2, 3]);
    law.holds("v1", |device| res_net.init(device).unwrap());
    law.holds("v2 scaled", |device| {
        let config = res_net.clone().with_version(ResNetVersion::V2);
        let config = config.with_scale(BranchScale::LayerScale(0.5));
        config.init(device).unwrap()
    });
    law.holds("inception", |device| {
        let config = InceptionConfig::for_8x8(2, 3);
        config.init(device).unwrap()
    });
}

/// Weights from `seed`, the same on every device.
pub(crate) fn drawn<M: Model>(make: &impl Fn(&Device) -> M, seed: u64, device: &Device) -> M {
    let mut noise = Noise(seed);
    with_floats(make(device), |path, held| {
        // Variances and the factors of norms must stay away from 0.
        let around = f64::from(path.ends_with("running_var") || path.ends_with("gamma"));
        let drawn = noise.take(held.len());
        drawn.iter().map(|value| around + 0.5 * value).collect()
    })
}

pub(crate) fn images(dtype: DType, device: &Device) -> Tensor<4> {
    let pixels = Noise(77).take(SHAPE.iter().product());
    tensor::<1>(&pixels, dtype, device).reshape(SHAPE)
}

struct Records;

impl Law for Records {
    fn holds<M: Model>(&self, name: &str, make: impl Fn(&Device) -> M) {
        for (device_name, device) in devices() {
            let what = format!("{device_name}: {name}");
            let x = images(DType::F32, &device);
            let model = drawn(&make, 1, &device);
            let expected = values(model.outputs(x.clone()));
            let bytes = model.into_record().into_bytes().unwrap();
            let other = drawn(&make, 2, &device);
            assert_ne!(values(other.outputs(x.clone())), expected, "{what}");
            let loaded = other.load_record(ModuleRecord::from_bytes(bytes).unwrap());
            assert_eq!(values(loaded.outputs(x)), expected, "{what}");
        }
    }
}

#[test]
fn a_record_holds_all_of_a_model() {
    let _alone = alone();
    for_every_model(&Records);
}

struct Moves;

impl Law for Moves {
    fn holds<M: Model>(&self, name: &str, make: impl Fn(&Device) -> M) {
        let flex = Device::flex();
        let model = drawn(&make, 3, &flex);
        let expected = values(model.outputs(images(DType::F32, &flex)));
        for (device_name, device) in devices() {
            let what = format!("{device_name}: {name}");
            let moved = model.clone().fork(&device);
            assert_eq!(moved.devices(), vec![device.clone()], "{what}");
            let output = moved.outputs(images(DType::F32, &device));
            assert_close(&values(output), &expected, 1e-4, &what);
            for dtype in dtypes(&device) {
                if is_gpu(device_name) && dtype == DType::F64 {
                    // On wgpu Burn's tanh is off in the second digit, and its GELU gives what ReLU gives.
                    continue;
                }
                let what = format!("{what} in {dtype:?}");
                let model = cast(drawn(&make, 3, &device), dtype);
                let output = model.outputs(images(dtype, &device));
                assert_eq!(output.dtype(), dtype, "{what}");
                for Floats {
                    path, dtype: held, ..
                } in floats(&model)
                {
                    assert_eq!(held, dtype, "{what}: {path}");
                }
                // A few roundings of each type on numbers of about 1.
                let tolerance = match dtype {
                    DType::F64 | DType::F32 => 1e-4,
                    DType::F16 => 2e-2,
                    _ => 1e-1,
                };
                let far = worst(&values(output), &expected, |e| 1.0 + e.abs());
                assert!(far < tolerance, "{what}: {far}");
            }
        }
    }
}

#[test]
fn models_move_to_other_devices_and_types() {
    let _alone = alone();
    for_every_model(&Moves);
}

struct Modes;

impl Law for Modes {
    fn holds<M: Model>(&self, name: &str, make: impl Fn(&Device) -> M) {
        for (device_name, device) in training_devices() {
            let what = format!("{device_name}: {name}");
            let model = drawn(&make, 4, &device);
            let x = images(DType::F32, &device);
            let plain = x.clone().inner();
            let before = floats(&model.valid());
            let evaluated = values(model.valid().outputs(plain.clone()));
            model.outputs(x.clone()); // in training, which moves running statistics
            let statistics = |path: &str| path.contains("running_");
            let moved = floats(&model.valid());
            for (before, after) in before.iter().zip(&moved) {
                let same = before.values == after.values;
                assert_eq!(same, !statistics(&after.path), "{what}: {}", after.path);
            }
            // The mode comes back.
            let again = model.valid().train();
            let trained = values(again.outputs(x.clone()));
            assert_close(&trained, &values(model.outputs(x)), 1e-5, &what);
            let has_norms = moved.iter().any(|floats| statistics(&floats.path));
            assert_eq!(
                values(model.valid().outputs(plain)) != evaluated,
                has_norms,
                "{what}"
            );
            for floats in floats(&again) {
                assert_eq!(floats.trained, !statistics(&floats.path), "{what}");
            }
        }
    }
}

#[test]
fn training_and_evaluation_are_modes_that_come_back() {
    let _alone = alone();
    for_every_model(&Modes);
}

#[test]
fn dropout_drops_in_training_only() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let config = InceptionConfig::for_8x8(2, 3).with_dropout(0.5);
    let model = config.init(&device).unwrap().valid().train();
    let x = images(DType::F32, &device);
    let outputs = |model: &Inception, x: &Tensor<4>| values(model.forward(x.clone()));
    assert_ne!(outputs(&model, &x), outputs(&model, &x));
    let (model, x) = (model.valid(), x.inner());
    assert_eq!(outputs(&model, &x), outputs(&model, &x));
}

struct Gradients;

/// A loss that sees every output differently.
fn loss<M: Model>(model: &M, x: Tensor<4>) -> Tensor<1> {
    let y = model.outputs(x);
    let weights = Noise(5).take(y.dims().iter().product());
    let weights = tensor::<1>(&weights, y.dtype(), &y.device()).reshape(y.dims());
    (y.clone() * weights + y.powi_scalar(2) * 0.5).sum()
}

/// Of each trained tensor, by path.
pub(crate) type Gradient = Vec<(String, Vec<f64>)>;

pub(crate) fn gradients<M: Model>(model: &M, x: Tensor<4>) -> Gradient {
    let mut grads = GradientsParams::from_grads(loss(model, x).backward(), model);
    let ids = burn::module::list_param_ids(model);
    let trained = floats(model).into_iter().zip(ids);
    let mut read = Vec::new();
    for (floats, id) in trained.filter(|(floats, _)| floats.trained) {
        let values = match floats.rank {
            1 => grads.remove::<1>(id).map(values),
            2 => grads.remove::<2>(id).map(values),
            _ => grads.remove::<4>(id).map(values),
        };
        read.push((floats.path, values.expect("a gradient")));
    }
    read
}

impl Law for Gradients {
    fn holds<M: Model>(&self, name: &str, make: impl Fn(&Device) -> M) {
        let mut reference = Gradient::new();
        for (device_name, device) in training_devices() {
            let what = format!("{device_name}: {name}");
            let model = drawn(&make, 6, &device);
            if is_gpu(device_name) {
                // In f32 differences are too coarse: as those that were checked by them.
                if reference.is_empty() {
                    let cpu = Device::flex().autodiff();
                    let model = cast(drawn(&make, 6, &cpu), DType::F64);
                    reference = gradients(&model, images(DType::F64, &cpu));
                }
                let of_device = gradients(&model, images(DType::F32, &device));
                let sizes = |gradients: &Gradient| -> Vec<(String, usize)> {
                    let size = |(path, values): &(String, Vec<f64>)| (path.clone(), values.len());
                    gradients.iter().map(size).collect()
                };
                assert_eq!(sizes(&of_device), sizes(&reference), "{what}");
                for ((path, actual), (_, expected)) in of_device.iter().zip(&reference) {
                    let size = largest(expected).max(1.0);
                    let far = worst(actual, expected, |_| size);
                    assert!(far < 1e-3, "{what}: {path}: {far}");
                }
                continue;
            }
            let model = cast(model, DType::F64);
            let x = images(DType::F64, &device);
            let analytic = gradients(&model, x.clone());
            assert!(!analytic.is_empty(), "{what}");
            for (path, gradient) in &analytic {
                for at in [0, gradient.len() - 1] {
                    let nudged = |by: f64| {
                        let nudged = with_floats(model.valid().train(), |other, mut held| {
                            if other == path {
                                held[at] += by;
                            }
                            held
                        });
                        values(loss(&nudged, x.clone()))[0]
                    };
                    let h = 1e-6;
                    let numeric = (nudged(h) - nudged(-h)) / (2.0 * h);
                    let far = (numeric - gradient[at]).abs() / (1.0 + numeric.abs());
                    assert!(
                        far < 1e-6,
                        "{what}: {path}[{at}]: {numeric}, {}",
                        gradient[at]
                    );
                }
            }
            reference = analytic;
        }
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let _alone = alone();
    for_every_model(&Gradients);
}

#[test]
fn everything_can_be_sent_shared_and_cloned() {
    fn check<T: Send + Sync + Clone>() {}
    check::<LinearBlock>();
    check::<Residual<Vec<InceptionBlock>>>();
    check::<LayerScale>();
    check::<ResNet>();
    check::<Inception>();
    check::<ResNetConfig>();
    check::<InceptionConfig>();
    check::<InceptionBlockConfig>();
    check::<ResidualConfig>();
}
