//! Scalers, batch norms and reparameterizations: from one device to another and back, in every float type,
//! under gradient checkpointing.

use crate::devices::training_devices;
use crate::models::{alone, dtypes, values};
use crate::norms::{assert_near, cast, grid, recorded};
use burn::module::{Module, RunningState};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::nn::{
    DropConnectConfig, Forward, FrozenBatchNorm, GhostBatchNorm, GhostBatchNormConfig, InputScaler,
    ScalerConfig, SpectralNorm, SpectralNormConfig, TorchBatchNorm, TorchBatchNormConfig,
    WeightNormConfig, WeightStandardizationConfig,
};

fn input(device: &Device) -> Tensor<2> {
    grid([6, 3], 0.3, 2.0, (device, DType::F32))
}

/// Batch norms that have seen a batch.
fn norms(device: &Device) -> (BatchNorm, TorchBatchNorm, GhostBatchNorm, FrozenBatchNorm) {
    let burn = BatchNormConfig::new(3).init(device);
    let torch = TorchBatchNormConfig::new(3).init(device).unwrap();
    let ghost = GhostBatchNormConfig::new(3, 3).init(device).unwrap();
    burn.forward(input(device));
    torch.forward(input(device));
    ghost.forward(input(device));
    let frozen = FrozenBatchNorm::from(&burn);
    (burn, torch, ghost, frozen)
}

fn scaler(device: &Device) -> InputScaler {
    ScalerConfig::standard().fit(&input(device)).unwrap()
}

fn reparameterized(device: &Device) -> Vec<(&'static str, Linear)> {
    let plain = || {
        let layer = LinearConfig::new(3, 4).init(device);
        let weight = grid([3, 4], 0.7, 1.0, (device, DType::F32));
        Linear {
            weight: layer.weight.map(|_| weight.detach().require_grad()),
            bias: None,
        }
    };
    let standard = WeightStandardizationConfig::new();
    vec![
        (
            "weight norm",
            WeightNormConfig::new().attach(plain()).unwrap(),
        ),
        (
            "spectral norm",
            SpectralNormConfig::new().attach(plain()).unwrap(),
        ),
        ("standardisation", standard.attach(plain()).unwrap()),
        (
            "DropConnect",
            DropConnectConfig::new(0.3).attach(plain()).unwrap(),
        ),
    ]
}

/// What a layer computes in inference, on the device that it is on.
fn inferred<M: Forward<2> + Module>(layer: &M, device: &Device) -> Vec<f64> {
    let layer = layer.valid();
    values(layer.forward(input(device).inner()))
}

/// There and back; and the original, whose clone went, goes on where it is.
fn travels<M: Forward<2> + Module>(make: impl Fn() -> M, home: &Device, to: &Device, what: &str) {
    let expected = inferred(&make(), home);
    let moved = make().fork(to);
    assert!(moved.devices().iter().all(|at| at == to), "{what}: gone");
    assert_near(&inferred(&moved, to), &expected, 1e-5, what);
    let leaf = input(to).require_grad();
    let grads = moved.forward(leaf.clone()).square().sum().backward();
    assert!(leaf.grad(&grads).is_some(), "{what}: it trains there");
    let back = make().fork(to).fork(home);
    assert!(back.devices().iter().all(|at| at == home), "{what}: back");
    assert_near(&inferred(&back, home), &expected, 1e-5, what);

    // Running statistics are shared by clones, and go along: those of the original too.
    for trains in [false, true] {
        let original = make();
        let clone = original.clone().fork(to);
        if trains {
            let step = |layer: &M, device| {
                let leaf = input(device).require_grad();
                layer.forward(leaf).sum().backward()
            };
            step(&original, home);
            step(&clone, to);
            step(&original, home);
        } else {
            let y = inferred(&original, home);
            assert_near(&y, &expected, 1e-5, what);
        }
    }
}

#[test]
fn every_layer_goes_to_every_device_and_back() {
    let _alone = alone();
    let devices = training_devices();
    let (_, home) = &devices[0];
    for (name, to) in &devices {
        let what = |layer: &str| format!("{layer} to {name}");
        travels(|| scaler(home), home, to, &what("scaler"));
        travels(|| norms(home).1, home, to, &what("torch"));
        travels(|| norms(home).2, home, to, &what("ghost"));
        travels(|| norms(home).3, home, to, &what("frozen"));
        for at in 0..4 {
            let (which, _) = reparameterized(home).swap_remove(at);
            let make = || reparameterized(home).swap_remove(at).1;
            travels(make, home, to, &what(which));
        }
    }
}

/// A state that was left on another device is fetched, wherever a layer computes with one.
#[test]
fn statistics_on_another_device_are_fetched() {
    let _alone = alone();
    let devices = training_devices();
    let (_, home) = &devices[0];
    for (name, other) in &devices {
        let away = |states: [&RunningState<Tensor<1>>; 2]| {
            for state in states {
                state.value_sync();
                let _ = state.clone().to_device(other); // shared by clones
                assert_eq!(state.value().device(), *other, "{name}");
            }
        };
        let (_, torch, ghost, frozen) = norms(home);
        let expected = [
            inferred(&torch, home),
            inferred(&ghost, home),
            inferred(&frozen, home),
        ];
        // In inference, and in the step after it.
        let torch = torch.valid().train();
        away([&torch.running_mean, &torch.running_var]);
        let still = torch.clone().valid();
        assert_near(
            &values(still.forward(input(home).inner())),
            &expected[0],
            1e-5,
            name,
        );
        torch.forward(input(home));
        assert_eq!(torch.running_var.value_sync().device(), *home, "{name}");
        let ghost = ghost.valid();
        away([&ghost.running_mean, &ghost.running_var]);
        assert_near(
            &values(ghost.forward(input(home).inner())),
            &expected[1],
            1e-5,
            name,
        );
        away([&frozen.running_mean, &frozen.gamma]);
        assert_near(
            &values(frozen.forward(input(home))),
            &expected[2],
            1e-5,
            name,
        );

        let (_, model) = reparameterized(home).swap_remove(1);
        let norm: &SpectralNorm = model.weight.reparameterization().unwrap();
        let expected = inferred(&model, home);
        let away = || {
            for state in [&norm.u, &norm.v] {
                let _ = state.clone().to_device(other);
                assert_eq!(state.value().device(), *other, "{name}");
            }
        };
        away();
        assert_near(&values(model.forward(input(home))), &expected, 1e-5, name);
        away();
        assert_near(&inferred(&model, home), &expected, 1e-5, name);
    }
}

#[test]
fn every_batch_norm_keeps_the_type_of_its_input() {
    let _alone = alone();
    for (name, device) in training_devices() {
        let (_, torch, ghost, frozen) = norms(&device);
        let expected = [
            inferred(&torch, &device),
            inferred(&ghost, &device),
            inferred(&frozen, &device),
        ];
        for dtype in dtypes(&device) {
            let what = format!("{name} {dtype:?}");
            let tolerance = match dtype {
                DType::F16 => 5e-3,
                DType::BF16 => 4e-2,
                _ => 1e-5,
            };
            let x = grid([6, 3], 0.3, 2.0, (&device, dtype));
            let near = |y: Tensor<2>, expected: &[f64]| {
                assert_eq!(y.dtype(), dtype, "{what}");
                assert_near(&values(y), expected, tolerance, &what);
            };
            let (torch, ghost) = (
                cast(torch.clone().valid(), dtype),
                cast(ghost.valid(), dtype),
            );
            near(torch.forward(x.clone().inner()), &expected[0]);
            near(ghost.forward(x.clone().inner()), &expected[1]);
            // Frozen statistics serve inputs of every type, whatever theirs.
            near(frozen.forward(x.clone()), &expected[2]);
            for own in dtypes(&device) {
                let frozen = cast(frozen.valid(), own);
                let y = frozen.forward(x.clone().inner());
                assert_eq!(y.dtype(), dtype, "{what} {own:?}");
                assert_near(&values(y), &expected[2], 4e-2, &what);
            }
            // It trains in its type, statistics and all.
            let ghost = ghost.train();
            assert_eq!(ghost.forward(x.clone()).dtype(), dtype, "{what}");
            assert_eq!(ghost.running_var.value_sync().dtype(), dtype, "{what}");
        }
    }
}

/// As under mixed precision: the output has the input's type, the gradients and the statistics that of the parameters.
#[test]
fn parameters_in_f32_serve_inputs_of_every_type() {
    let _alone = alone();
    for (name, device) in training_devices() {
        let train = |dtype| {
            let (_, torch, ghost, _) = norms(&device);
            let x = || grid([6, 3], 0.3, 2.0, (&device, dtype));
            let trained = [torch.forward(x()), ghost.forward(x())];
            let [of_torch, of_ghost] = trained.clone().map(|y| y.square().mean().backward());
            let gradients = [
                torch.gamma.val().grad(&of_torch).unwrap(),
                ghost.gamma.val().grad(&of_ghost).unwrap(),
            ];
            let statistics = [&torch.running_var, &ghost.running_var].map(|s| s.value_sync());
            let (torch, ghost) = (torch.valid(), ghost.valid());
            let x = x().inner();
            let inferred = [torch.forward(x.clone()), ghost.forward(x)];
            (trained.map(Tensor::inner), inferred, gradients, statistics)
        };
        let expected = train(DType::F32);
        for dtype in dtypes(&device) {
            let what = format!("{name} {dtype:?}");
            let tolerance = if dtype == DType::BF16 { 4e-2 } else { 5e-3 };
            let (trained, inferred, gradients, statistics) = train(dtype);
            for i in 0..2 {
                assert_eq!(trained[i].dtype(), dtype, "{what}");
                assert_eq!(inferred[i].dtype(), dtype, "{what}");
                assert_eq!(gradients[i].dtype(), DType::F32, "{what}");
                assert_eq!(statistics[i].dtype(), DType::F32, "{what}");
                let near = |got: &[f64], want: &[f64]| assert_near(got, want, tolerance, &what);
                near(&values(trained[i].clone()), &values(expected.0[i].clone()));
                near(&values(inferred[i].clone()), &values(expected.1[i].clone()));
                near(
                    &values(gradients[i].clone()),
                    &values(expected.2[i].clone()),
                );
                near(
                    &values(statistics[i].clone()),
                    &values(expected.3[i].clone()),
                );
            }
        }
    }
}

/// A variance that is no f16: beside half-precision inputs it stays the f32 it is.
#[test]
fn a_frozen_variance_beyond_half_precision_still_divides() {
    for (name, device) in training_devices() {
        if !device.supports_dtype(DType::F16) {
            continue;
        }
        let frozen = FrozenBatchNorm::from(&BatchNormConfig::new(1).init(&device));
        let wide = frozen.running_var.value() * 1e6;
        frozen.running_var.update(wide);
        frozen.running_var.value_sync();
        let x = Tensor::<2>::from_data([[2000.0]], (&device, DType::F16));
        assert_near(&values(frozen.forward(x)), &[2.0], 1e-3, name);
    }
}

/// Outputs and gradients of every layer.
fn trained(device: &Device) -> Vec<(String, Vec<f64>)> {
    let mut all = Vec::new();
    let mut run = |what: &str, layer: &dyn Fn(Tensor<2>) -> Tensor<2>| {
        let x = input(device).require_grad();
        // Between operations that are computed anew on the way back.
        let y = layer(x.clone().tanh()).tanh();
        let grads = y.clone().sum().backward();
        let gradient = x.grad(&grads).expect("a gradient");
        all.push((what.to_owned(), [values(y), values(gradient)].concat()));
    };
    let scaler = scaler(device);
    run("scaler", &|x| scaler.forward(x));
    run("inverse", &|x| scaler.inverse(x));
    let again = scaler.valid().train();
    run("scaler, again", &|x| again.forward(x));
    let loaded = recorded(scaler, ScalerConfig::standard().init(3, device).unwrap());
    run("scaler, loaded", &|x| loaded.forward(x));
    let (burn, torch, ghost, frozen) = norms(device);
    run("burn", &|x| burn.forward(x));
    run("torch", &|x| torch.forward(x));
    run("ghost", &|x| ghost.forward(x));
    run("frozen", &|x| frozen.forward(x));
    for (what, frozen) in [
        ("of torch", FrozenBatchNorm::from(&torch)),
        ("of ghost", FrozenBatchNorm::from(&ghost)),
        ("again", frozen.valid().train()),
        (
            "loaded",
            recorded(frozen.clone(), FrozenBatchNorm::from(&burn)),
        ),
    ] {
        run(&format!("frozen, {what}"), &|x| frozen.forward(x));
    }
    for (which, model) in reparameterized(device) {
        device.seed(5); // DropConnect draws
        run(which, &|x| model.forward(x));
    }
    all
}

/// Tensors of two strategies do not mix: a layer that makes its own, or keeps some of before, would panic.
#[test]
fn every_layer_trains_under_gradient_checkpointing() {
    let _alone = alone();
    for (name, device) in training_devices() {
        let plain = trained(&device);
        let checkpointed = trained(&device.gradient_checkpointing());
        assert_eq!(plain.len(), checkpointed.len());
        for ((what, plain), (_, checkpointed)) in plain.iter().zip(&checkpointed) {
            assert_near(checkpointed, plain, 1e-6, &format!("{name} {what}"));
        }
    }
}
