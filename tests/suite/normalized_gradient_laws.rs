//! What every optimizer owes, for every configuration of the family.

use crate::devices::{is_gpu, training_devices};
use crate::models::{Noise, Pair, alone, dtypes, values};
use crate::normalized_gradient::every_config;
use burn::module::{Param, ParamGroup};
use burn::optim::{GradientsParams, ModuleOptimizer, Optimizer, SgdConfig};
use burn::tensor::{DType, Device, Distribution, Tensor};
use burn_tricks::optim::{
    Memory, MomentumMemory, NormScope, NormalizedGradient, NormalizedGradientConfig,
    WeightDecayMode,
};

/// One configuration per corner, where all would take too long.
fn corners() -> Vec<NormalizedGradientConfig> {
    let mut corners = Vec::new();
    for scope in [NormScope::Element, NormScope::Tensor] {
        for memory in [Memory::None, Memory::Sum, Memory::Decay { beta: 0.9 }] {
            for momentum in [
                MomentumMemory::None,
                MomentumMemory::OfGradient { beta: 0.9 },
            ] {
                corners.push(
                    NormalizedGradientConfig::new()
                        .with_scope(scope)
                        .with_memory(memory)
                        .with_momentum(momentum),
                );
            }
        }
    }
    corners
}

#[test]
fn dtype_device_and_shape_are_preserved_in_every_rank() {
    fn check<const D: usize>(optim: &NormalizedGradient, shape: [usize; D], device: &Device) {
        for dtype in dtypes(device) {
            let tensor = Tensor::<D>::ones(shape, (device, dtype));
            let (tensor, state) = optim.step(0.1, tensor.clone(), tensor, None);
            let (tensor, state) = optim.step(0.1, tensor.clone(), tensor, state);
            let grad = tensor.clone();
            let (tensor, _) = optim.step(0.1, tensor, grad, state);
            assert_eq!(tensor.dims(), shape);
            assert_eq!(tensor.dtype(), dtype);
            assert_eq!(&tensor.device(), device);
        }
    }
    for (_, device) in crate::devices::devices() {
        for config in corners() {
            let optim = config.build().unwrap();
            check(&optim, [3], &device);
            check(&optim, [2, 3], &device);
            check(&optim, [2, 1, 3], &device);
            check(&optim, [2, 1, 3, 2], &device);
        }
    }
}

/// Saves to bytes and reloads before step `at`; gives the weights after six steps.
fn interrupted(
    config: &NormalizedGradientConfig,
    at: Option<usize>,
    dtype: DType,
    device: &Device,
) -> (Vec<f64>, Vec<f64>) {
    let mut noise = Noise(5);
    let mut pair = Pair::new(&noise.take(4), &noise.take(2), dtype, device);
    let mut optim = config.init().unwrap();
    for step in 0..6 {
        if at == Some(step) {
            let bytes = optim.into_bytes().unwrap();
            optim = config.init().unwrap().from_bytes(bytes).unwrap();
        }
        let grads = pair.grads(&noise.take(4), &noise.take(2));
        pair = optim.step(0.1, pair, grads);
    }
    pair.values()
}

#[test]
fn a_resumed_run_is_the_same_run_at_every_step() {
    for (name, device) in training_devices() {
        // A step on a GPU, or on its software renderer, takes too long for all of them.
        let configs = if is_gpu(name) {
            corners()
        } else {
            every_config()
        };
        for config in configs {
            let whole = interrupted(&config, None, DType::F32, &device);
            for at in 1..6 {
                let resumed = interrupted(&config, Some(at), DType::F32, &device);
                assert_eq!(
                    resumed, whole,
                    "{config}, interrupted before step {at}, on {name}"
                );
            }
        }
    }
}

#[test]
fn a_resumed_run_is_the_same_run_on_every_device_and_type() {
    for (name, device) in training_devices() {
        for dtype in dtypes(&device) {
            let config = NormalizedGradientConfig::adam();
            let whole = interrupted(&config, None, dtype, &device);
            let resumed = interrupted(&config, Some(3), dtype, &device);
            assert_eq!(resumed, whole, "{dtype:?} on {name}");
        }
    }
}

#[test]
fn it_can_be_the_optimizer_of_a_group() {
    for (name, device) in training_devices() {
        for config in corners() {
            let pair = Pair::new(&[1.0], &[1.0], DType::F32, &device);
            let bare: NormalizedGradient = config.build().unwrap();
            let group = ParamGroup::from_ids(vec![pair.b.id]);
            let mut optim =
                ModuleOptimizer::from(SgdConfig::new().build()).with_group(group, bare, None);
            let grads = pair.grads(&[4.0], &[4.0]);
            let (a, b) = optim.step(0.1, pair, grads).values();
            assert!(
                (a[0] - 0.6).abs() < 1e-6,
                "SGD moves by the gradient: {a:?} on {name}"
            );
            assert!(
                b[0] < 1.0 && (b[0] - 0.6).abs() > 0.01,
                "{config} on {name}: {b:?}"
            );
        }
    }
}

/// The smallest value of `loss` in so many steps from `start`, with a learning rate that falls.
fn minimum(
    config: &NormalizedGradientConfig,
    start: [f64; 2],
    steps: u32,
    device: &Device,
    loss: impl Fn(Tensor<1>, Tensor<1>) -> Tensor<1>,
) -> f64 {
    // The way that it may go is the same, however many steps.
    let lr = 30.0 / f64::from(steps);
    // F64 where the device has it.
    let mut pair = Pair::new(&start[..1], &start[1..], dtypes(device)[0], device);
    let mut optim = config.init().unwrap();
    let mut smallest: Option<Tensor<1>> = None;
    for step in 0..steps {
        let value = loss(pair.a.val(), pair.b.val());
        let inner = value.clone().inner();
        smallest = Some(match smallest {
            Some(smallest) => smallest.min_pair(inner),
            None => inner,
        });
        let grads = GradientsParams::from_grads(value.backward(), &pair);
        let lr = match config.memory {
            Memory::Sum => lr * 10.0,
            _ => lr * (1.0 - f64::from(step) / f64::from(steps)),
        };
        pair = optim.step(lr, pair, grads);
    }
    values(smallest.expect("a step"))[0]
}

#[test]
fn it_minimises_a_parabola() {
    for (name, device) in training_devices() {
        // A step takes a software renderer some 15 ms: there, the corners whose norm is a reduction.
        let (configs, steps) = if is_gpu(name) {
            (corners().split_off(6), 100)
        } else {
            (corners(), 3000)
        };
        for config in configs {
            let smallest = minimum(&config, [3.0, -2.0], steps, &device, |x, y| {
                x.square() + (y - 1.0).square() * 5.0
            });
            assert!(smallest < 1e-3, "{config} on {name}: {smallest}");
        }
    }
}

#[test]
fn it_minimises_rosenbrocks_function() {
    // Its valley is too long for the few steps that a software renderer takes in a test's time.
    let devices = training_devices().into_iter();
    for (name, device) in devices.filter(|(name, _)| !is_gpu(name)) {
        for config in corners() {
            let smallest = minimum(&config, [-0.5, 0.5], 3000, &device, |x, y| {
                (y - x.clone().square()).square() * 10.0 + (x - 1.0).square()
            });
            assert!(smallest < 2e-2, "{config} on {name}: {smallest}");
        }
    }
}

#[test]
fn the_state_moves_to_a_device() {
    // Every pair of backends, through the trait's own method.
    for (from_name, from) in crate::devices::devices() {
        for (to_name, to) in crate::devices::devices() {
            let optim = NormalizedGradientConfig::adam().build().unwrap();
            let ones = || Tensor::<2>::ones([2, 2], &from);
            let (weight, state) = optim.step(0.1, ones(), ones(), None);
            let state = NormalizedGradient::to_device::<2>(state.unwrap(), &to);
            let (weight, grad) = (weight.to_device(&to), ones().to_device(&to));
            let (moved, _) = optim.step(0.1, weight, grad, Some(state));
            let (weight, state) = optim.step(0.1, ones(), ones(), None);
            let (stayed, _) = optim.step(0.1, weight, ones(), state);
            let what = format!("{from_name} to {to_name}");
            crate::oracle::assert_close(&values(moved), &values(stayed), 1e-6, &what);
        }
    }
}

#[test]
fn without_memory_there_is_no_state() {
    let device = Device::flex();
    let ones = || Tensor::<1>::ones([2], &device);
    for scope in [NormScope::Element, NormScope::Tensor] {
        let bare = NormalizedGradientConfig::new()
            .with_scope(scope)
            .with_weight_decay(0.1)
            .with_weight_decay_mode(WeightDecayMode::Decoupled);
        assert!(
            bare.build()
                .unwrap()
                .step(0.1, ones(), ones(), None)
                .1
                .is_none()
        );
    }
}

#[test]
fn frozen_and_lazy_parameters_are_no_trouble() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let mut pair = Pair::new(&[1.0], &[1.0], DType::F32, &device);
    pair.b = Param::from_tensor(Tensor::random([1], Distribution::Default, &device))
        .set_require_grad(false);
    let before = pair.values().1;
    let grads = GradientsParams::from_grads((pair.a.val() * pair.b.val()).backward(), &pair);
    let mut optim = NormalizedGradientConfig::adam().init().unwrap();
    assert_eq!(optim.step(0.1, pair, grads).values().1, before);
}

#[test]
fn the_optimizer_is_a_value() {
    fn value<T: Clone + Send + Sync + 'static>() {}
    value::<NormalizedGradient>();
}

#[test]
fn the_configuration_survives_json() {
    for config in every_config() {
        let json = serde_json::to_string(&config).unwrap();
        let read: NormalizedGradientConfig = serde_json::from_str(&json).unwrap();
        assert_eq!(read, config);
    }
}
