//! Clipping at a norm threshold.

use crate::devices::devices;
use crate::models::{Noise, Pair, dtypes, tensor, values};
use crate::oracle::{assert_close, case, numbers, read};
use burn::module::{Module, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::grad::{
    AgcConfig, AutoClipConfig, ClipGradNorm, ClipGradNormConfig, ClipMode, GradientTransform,
    GradientsExt as _, NonFinite, NormKind, NormScope, check_finite, global_norm, norms_by_path,
};
use burn_tricks::nn::PenaltyConfig;
use burn_tricks::optim::WeightDecayScope;

const A: [f64; 3] = [1.0, 2.0, 2.0];
const B: [f64; 2] = [3.0, 4.0];

fn clip(max_norm: f64) -> ClipGradNormConfig {
    ClipGradNormConfig::new(max_norm)
}

fn apply(
    config: ClipGradNormConfig,
    a: &[f64],
    b: &[f64],
    dtype: DType,
    device: &Device,
) -> (Vec<f64>, Vec<f64>, f64) {
    let (pair, grads) = Pair::with_grads(a, b, dtype, device);
    let (grads, norm) = config.init().unwrap().apply_with_norm(&pair, grads);
    let (a, b) = pair.read_grads(&grads);
    (a, b, values(norm.unwrap())[0])
}

/// The oracle's case, on every device, in f32.
fn check(name: &str, config: ClipGradNormConfig, relative: f64) {
    let case = case("clip", name);
    let (a, b) = (numbers(&case["a"]), numbers(&case["b"]));
    for (device_name, device) in devices() {
        let what = format!("{name} on {device_name}");
        let (clipped_a, clipped_b, norm) = apply(config.clone(), &a, &b, DType::F32, &device);
        assert_close(&clipped_a, &numbers(&case["clipped_a"]), relative, &what);
        assert_close(&clipped_b, &numbers(&case["clipped_b"]), relative, &what);
        assert_close(&[norm], &[read(&case["norm"])], relative, &what);
    }
}

#[test]
fn agrees_with_pytorch_in_every_norm() {
    let torch = ClipGradNormConfig::torch;
    check("torch_l2_max1", torch(1.0), 1e-6);
    check("torch_l1_max1", torch(1.0).with_norm(NormKind::L1), 1e-6);
    check(
        "torch_linf_max1",
        torch(1.0).with_norm(NormKind::LInf),
        1e-6,
    );
    check("torch_l2_max10_noop", torch(10.0), 1e-6);
    // Powers in f32 are good to a few units in the last place.
    check(
        "torch_l3_max1",
        torch(1.0).with_norm(NormKind::Lp(3.0)),
        3e-6,
    );
}

#[test]
fn agrees_with_optax_and_the_to_unit_norm() {
    check("optax_global_max1", clip(1.0), 1e-6);
    check("standard_theta2", clip(2.0), 1e-6);
    let to_unit_norm = ClipGradNormConfig::to_unit_norm;
    check("unit_norm_theta2", to_unit_norm(2.0), 1e-6);
    check("unit_norm_theta0.5", to_unit_norm(0.5), 1e-6);
    check("unit_norm_theta0.5_enlarges", to_unit_norm(0.5), 1e-6);
}

#[test]
fn clips_each_tensor_when_asked_as_burn_does() {
    check(
        "per_tensor_max1",
        clip(1.0).with_scope(NormScope::Tensor),
        1e-6,
    );
}

#[test]
fn huge_gradients_keep_their_direction() {
    check("safe_l2_max1_f32_overflow", clip(1.0), 1e-6);
    // PyTorch loses a gradient whose norm it finds infinite, as the documentation says.
    let torch = case("clip", "torch_l2_max1_f32_overflow");
    let safe = case("clip", "safe_l2_max1_f32_overflow");
    assert_close(&numbers(&torch["a"]), &numbers(&safe["a"]), 1e-7, "a");
    assert_close(&numbers(&torch["b"]), &numbers(&safe["b"]), 0.0, "b");
    assert_eq!(torch["norm"], "inf");
    assert_eq!(numbers(&torch["clipped_a"]), [0.0; 3]);
    assert_eq!(numbers(&torch["clipped_b"]), [0.0; 2]);
    for (name, device) in devices() {
        for size in [2e19, 1e30, 1e-25, 1e-37] {
            let (a, b, norm) = apply(
                clip(1e-30).with_mode(ClipMode::Unit),
                &[size; 3],
                &[-size],
                DType::F32,
                &device,
            );
            let what = format!("{size:e} on {name}");
            if size > 1e-30 {
                assert_close(&a, &[0.5; 3], 1e-6, &what);
                assert_close(&b, &[-0.5], 1e-6, &what);
            }
            assert_close(&[norm / size], &[2.0], 1e-5, &what);
        }
    }
}

#[test]
fn halves_accumulate_in_f32() {
    for (name, device) in devices() {
        for dtype in dtypes(&device) {
            // The squares sum to 4e8, beyond f16; a sum of 4000 ones would stop at 256 in bf16.
            let (a, _, norm) = apply(clip(1.0), &[316.0; 4000], &[0.0], dtype, &device);
            let expected = 316.0 * 4000f64.sqrt();
            let tolerance = match dtype {
                DType::F16 | DType::BF16 => 5e-3,
                _ => 1e-5,
            };
            let what = format!("{dtype:?} on {name}");
            assert_close(&[norm], &[expected], 1e-5, &what);
            assert_close(&a, &vec![4000f64.sqrt().recip(); 4000], tolerance, &what);
        }
    }
}

#[test]
fn a_type_is_preserved_and_the_norm_is_f32_or_f64() {
    for (name, device) in devices() {
        for dtype in dtypes(&device) {
            let (pair, grads) = Pair::with_grads(&A, &B, dtype, &device);
            let (grads, norm) = clip(1.0).init().unwrap().apply_with_norm(&pair, grads);
            let clipped = grads.get::<1>(pair.a.id).unwrap();
            assert_eq!(clipped.dtype(), dtype, "{name}");
            assert_eq!(clipped.device(), device, "{name}");
            let expected = if dtype == DType::F64 {
                DType::F64
            } else {
                DType::F32
            };
            assert_eq!(norm.unwrap().dtype(), expected, "{name}");
        }
    }
}

#[test]
fn below_the_threshold_nothing_changes_not_even_a_bit() {
    let (a, b) = (Noise(1).take(300), Noise(2).take(70));
    for (name, device) in devices() {
        for dtype in dtypes(&device) {
            for scope in [NormScope::Model, NormScope::Tensor] {
                for mode in [ClipMode::Rescale, ClipMode::Unit] {
                    for max_norm in [f64::MAX, 1e4] {
                        let config = clip(max_norm).with_scope(scope).with_mode(mode);
                        let (pair, grads) = Pair::with_grads(&a, &b, dtype, &device);
                        let before = pair.read_grads(&grads);
                        let grads = config.init().unwrap().apply(&pair, grads);
                        assert_eq!(pair.read_grads(&grads), before, "{dtype:?} on {name}");
                    }
                }
            }
        }
    }
}

#[test]
fn an_infinity_or_a_nan_propagates_as_in_pytorch() {
    for (name, case_name) in [
        ("inf", "torch_l2_max1_with_inf"),
        ("nan", "torch_l2_max1_with_nan"),
    ] {
        let case = case("clip", case_name);
        for (device_name, device) in devices() {
            let what = format!("{name} on {device_name}");
            let (a, b) = (numbers(&case["a"]), numbers(&case["b"]));
            let (a, b, norm) = apply(clip(1.0), &a, &b, DType::F32, &device);
            assert_close(&a, &numbers(&case["clipped_a"]), 1e-6, &what);
            assert_close(&b, &numbers(&case["clipped_b"]), 1e-6, &what);
            let expected = read::<String>(&case["norm"]).parse().expect("a number");
            assert_close(&[norm], &[expected], 0.0, &what);
        }
    }
}

#[test]
fn zero_gradient_erases_what_the_norm_covers() {
    for (name, device) in devices() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for norm in [
                NormKind::L1,
                NormKind::L2,
                NormKind::LInf,
                NormKind::Lp(4.0),
            ] {
                let config = clip(1.0)
                    .with_norm(norm)
                    .with_non_finite(NonFinite::ZeroGradient);
                let what = format!("{bad} {norm:?} on {name}");
                let (a, b, _) = apply(config.clone(), &[1.0, bad, 2.0], &B, DType::F32, &device);
                assert_eq!((a, b), (vec![0.0; 3], vec![0.0; 2]), "{what}");
                let (a, b, _) = apply(
                    config.with_scope(NormScope::Tensor),
                    &[1.0, bad, 2.0],
                    &[0.5, 0.0],
                    DType::F32,
                    &device,
                );
                assert_eq!((a, b), (vec![0.0; 3], vec![0.5, 0.0]), "{what}, per tensor");
            }
        }
    }
}

#[test]
fn the_check_names_the_bad_parameters() {
    for (_, device) in devices() {
        let (pair, grads) = Pair::with_grads(&A, &[1.0, f64::NAN], DType::F32, &device);
        let error = check_finite(&pair, &grads).unwrap_err();
        assert_eq!(error.paths, ["b"]);
        assert_eq!(
            error.to_string(),
            "gradients with infinite or NaN elements: `b`"
        );
        let (pair, grads) = Pair::with_grads(&A, &B, DType::F32, &device);
        assert_eq!(grads.check_finite(&pair), Ok(()));
        assert_eq!(check_finite(&pair, &GradientsParams::new()), Ok(()));
    }
}

#[test]
fn zero_gradients_stay_zero() {
    for (name, device) in devices() {
        for scope in [NormScope::Model, NormScope::Tensor] {
            let config = clip(1.0).with_scope(scope);
            let (a, b, norm) = apply(config, &[0.0; 3], &[0.0; 2], DType::F32, &device);
            assert_eq!((a, b, norm), (vec![0.0; 3], vec![0.0; 2], 0.0), "{name}");
        }
    }
}

#[test]
fn no_gradients_have_no_norm() {
    let device = Device::flex();
    let (pair, _) = Pair::with_grads(&A, &B, DType::F32, &device);
    let (grads, norm) = clip(1.0)
        .init()
        .unwrap()
        .apply_with_norm(&pair, GradientsParams::new());
    assert!(grads.is_empty() && norm.is_none());
    // A tensor without elements has none either, and is kept.
    let (empty, grads) = Pair::with_grads(&[], &[], DType::F32, &device);
    let (grads, norm) = clip(1.0).init().unwrap().apply_with_norm(&empty, grads);
    assert!(grads.len() == 2 && norm.is_none());
}

#[test]
fn a_gradient_of_another_module_is_left_alone() {
    let device = Device::flex();
    let (pair, mut grads) = Pair::with_grads(&A, &B, DType::F32, &device);
    let stranger = ParamId::new();
    grads.register(stranger, Tensor::<1>::full([2], 100.0, &device));
    let grads = clip(1.0).init().unwrap().apply(&pair, grads);
    assert_eq!(values(grads.get::<1>(stranger).unwrap()), [100.0, 100.0]);
}

#[derive(Module, Debug)]
struct Ranks {
    one: Param<Tensor<1>>,
    two: Param<Tensor<2>>,
    three: Param<Tensor<3>>,
    four: Param<Tensor<4>>,
    tied: Param<Tensor<1>>,
}

#[test]
fn every_rank_counts_and_a_tied_parameter_counts_once() {
    for (name, device) in devices() {
        let ones = |id| Param::initialized(id, Tensor::ones([2], &device));
        let id = ParamId::new();
        let model = Ranks {
            one: ones(id),
            two: Param::from_tensor(Tensor::ones([2, 3], &device)),
            three: Param::from_tensor(Tensor::ones([2, 1, 2], &device)),
            four: Param::from_tensor(Tensor::ones([1, 2, 1, 2], &device)),
            tied: ones(id),
        };
        let mut grads = GradientsParams::new();
        grads.register(model.one.id, model.one.val());
        grads.register(model.two.id, model.two.val());
        grads.register(model.three.id, model.three.val());
        grads.register(model.four.id, model.four.val());
        let norm = global_norm(&model, &grads, NormKind::L2).unwrap();
        assert_close(&values(norm), &[4.0], 1e-6, name); // √(2 + 6 + 4 + 4)
        let grads = grads.clip_norm(&model, &clip(1.0).init().unwrap());
        let expect = |values: Vec<f64>, shape: Vec<usize>, dims: &[usize]| {
            assert_eq!(shape, dims, "{name}");
            assert_close(&values, &vec![0.25; values.len()], 1e-6, name);
        };
        let one = grads.get::<1>(model.one.id).unwrap();
        expect(values(one.clone()), one.dims().to_vec(), &[2]);
        let two = grads.get::<2>(model.two.id).unwrap();
        expect(values(two.clone()), two.dims().to_vec(), &[2, 3]);
        let three = grads.get::<3>(model.three.id).unwrap();
        expect(values(three.clone()), three.dims().to_vec(), &[2, 1, 2]);
        let four = grads.get::<4>(model.four.id).unwrap();
        expect(values(four.clone()), four.dims().to_vec(), &[1, 2, 1, 2]);
    }
}

/// The algorithm once more, in plain f64.
fn twin(config: &ClipGradNormConfig, tensors: &mut [Vec<f64>]) {
    fn norm(norm: NormKind, values: &[f64]) -> f64 {
        let sum = |p: f64| {
            values
                .iter()
                .map(|v| v.abs().powf(p))
                .sum::<f64>()
                .powf(1.0 / p)
        };
        match norm {
            NormKind::L1 => sum(1.0),
            NormKind::L2 => sum(2.0),
            NormKind::Lp(p) => sum(p),
            NormKind::LInf => values.iter().fold(0.0, |m, v| v.abs().max(m)),
        }
    }
    let clip_one = |tensor: &mut [Vec<f64>]| {
        let norm = norm(config.norm, &tensor.concat());
        if norm + config.epsilon > config.max_norm {
            let goal = match config.mode {
                ClipMode::Rescale => config.max_norm,
                ClipMode::Unit => 1.0,
            };
            for value in tensor.iter_mut().flatten() {
                *value *= goal / (norm + config.epsilon);
            }
        }
    };
    match config.scope {
        NormScope::Model => clip_one(tensors),
        NormScope::Tensor => tensors.chunks_mut(1).for_each(clip_one),
        NormScope::Element => unreachable!("refused"),
    }
}

#[test]
fn equals_its_twin_on_random_gradients() {
    let mut noise = Noise(7);
    for (name, device) in devices() {
        for step in 0..100 {
            let config = clip(10f64.powf(noise.next()))
                .with_mode([ClipMode::Rescale, ClipMode::Unit][step % 2])
                .with_scope([NormScope::Model, NormScope::Tensor][step / 2 % 2])
                .with_norm(
                    [
                        NormKind::L1,
                        NormKind::L2,
                        NormKind::LInf,
                        NormKind::Lp(2.5),
                    ][step / 4 % 4],
                )
                .with_epsilon([0.0, 1e-2][step / 16 % 2]);
            let mut expected = [noise.take(5), noise.take(4)];
            let (a, b, _) = apply(
                config.clone(),
                &expected[0],
                &expected[1],
                DType::F32,
                &device,
            );
            twin(&config, &mut expected);
            let what = format!("{config} on {name}");
            assert_close(&a, &expected[0], 5e-6, &what);
            assert_close(&b, &expected[1], 5e-6, &what);
        }
    }
}

#[test]
fn clipping_twice_is_clipping_once() {
    let device = Device::flex();
    let once = apply(clip(1.0), &A, &B, DType::F32, &device);
    let twice = apply(clip(1.0), &once.0, &once.1, DType::F32, &device);
    assert_close(&twice.0, &once.0, 1e-6, "a");
    assert_close(&twice.1, &once.1, 1e-6, "b");
    assert!(
        twice.2 <= 1.0 + 1e-6,
        "the norm is the threshold: {}",
        twice.2
    );
}

#[test]
fn a_meaningless_configuration_is_refused() {
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = clip(bad).init().unwrap_err();
        assert_eq!(error.field, "max_norm");
        assert!(error.to_string().contains(&format!("{bad:?}")), "{error}");
    }
    let element = clip(1.0).with_scope(NormScope::Element).init().unwrap_err();
    assert_eq!(element.field, "scope");
    assert!(element.to_string().ends_with("got Element"), "{element}");
    for p in [0.5, f64::NAN, f64::INFINITY] {
        assert_eq!(
            clip(1.0)
                .with_norm(NormKind::Lp(p))
                .init()
                .unwrap_err()
                .field,
            "norm"
        );
    }
    assert_eq!(
        clip(1.0).with_epsilon(-1e-6).init().unwrap_err().field,
        "epsilon"
    );
}

#[test]
fn the_configuration_survives_json() {
    let config = clip(f64::MAX)
        .with_mode(ClipMode::Unit)
        .with_norm(NormKind::Lp(3.0))
        .with_scope(NormScope::Tensor)
        .with_non_finite(NonFinite::ZeroGradient)
        .with_epsilon(1e-6);
    let json = serde_json::to_string(&config).unwrap();
    assert_eq!(
        serde_json::from_str::<ClipGradNormConfig>(&json).unwrap(),
        config
    );
}

#[test]
fn the_transform_is_a_value() {
    fn value<T: Clone + Send + Sync + 'static>() {}
    value::<ClipGradNorm>();
    value::<burn_tricks::grad::NormalizeGrad>();
}

#[test]
fn a_large_epsilon_leaves_zero_gradients_zero() {
    for (name, device) in devices() {
        for max_norm in [10.0, f64::MAX] {
            for (a, b) in [([0.0, 0.0], [0.0]), ([1e-39, 0.0], [0.0])] {
                let config = clip(max_norm).with_epsilon(10.0);
                let (clipped_a, clipped_b, _) = apply(config, &a, &b, DType::F32, &device);
                let all = clipped_a.iter().chain(&clipped_b);
                assert!(
                    all.clone().all(|g| g.abs() < 1e-38),
                    "{name}: {clipped_a:?}"
                );
            }
        }
        // Above the threshold ε counts: θ / (‖g‖ + ε), for large gradients too.
        for size in [1.0, 1e19] {
            let config = clip(1.0).with_epsilon(10.0 * size);
            let (a, _, norm) = apply(config, &[3.0 * size], &[4.0 * size], DType::F32, &device);
            assert_close(&[norm / size], &[5.0], 1e-6, name);
            assert_close(&a, &[3.0 / 15.0], 1e-6, name);
        }
    }
}

/// On the CPU backend: in place when something is clipped, and where nothing is, not even that.
#[test]
fn a_gradient_keeps_its_buffer_and_is_not_written_below_the_threshold() {
    let device = Device::flex();
    let (pair, grads) = Pair::with_grads(&A, &B, DType::F32, &device);
    let place = |grads: &GradientsParams| {
        let grad = grads.get::<1>(pair.a.id).expect("a gradient");
        let buffer = grad.try_into_primitive::<burn::backend::Flex>();
        buffer.expect("on the CPU").bytes().as_ptr()
    };
    let before = place(&grads);
    // Held by somebody else, a buffer that is written is copied first: this one is not.
    let held = grads.get::<1>(pair.a.id).expect("a gradient");
    let grads = clip(100.0).init().unwrap().apply(&pair, grads);
    assert_eq!(place(&grads), before);
    drop(held);
    let grads = clip(1.0).init().unwrap().apply(&pair, grads);
    assert_eq!(place(&grads), before);
    assert!(pair.read_grads(&grads).0[0] < 1.0);
}

/// The gradients of two steps, each on the device of its parameter at first, and then on the other one's.
fn two_steps(
    mut transform: impl GradientTransform,
    model: &Pair,
    [of_a, of_b]: [&Device; 2],
) -> Vec<f64> {
    let mut numbers = Vec::new();
    for (size, [a, b]) in [(1.0, [of_a, of_b]), (10.0, [of_b, of_a])] {
        let grads = transform.apply(model, grads_on([a, b], model, size));
        for (param, device) in [(&model.a, a), (&model.b, b)] {
            let grad = grads.get::<1>(param.id).expect("a gradient");
            assert_eq!(&grad.device(), device);
            numbers.extend(values(grad));
        }
    }
    numbers
}

/// Gradients of norm `13 * size`.
fn grads_on([a, b]: [&Device; 2], model: &Pair, size: f64) -> GradientsParams {
    let mut grads = GradientsParams::new();
    let of_a = [3.0 * size, -4.0 * size];
    grads.register(model.a.id, tensor::<1>(&of_a, DType::F32, a));
    grads.register(model.b.id, tensor::<1>(&[12.0 * size], DType::F32, b));
    grads
}

/// Between each two devices, which are several where other backends are compiled in.
#[test]
fn a_model_on_two_devices_is_clipped_checked_and_penalised_as_on_one() {
    for (here_name, here) in devices() {
        for (there_name, there) in devices() {
            let what = format!("on {here_name} and {there_name}");
            let on = |device: &Device| {
                let device = device.clone().autodiff();
                Pair::new(&[3.0, -4.0], &[12.0], DType::F32, &device)
            };
            let one = on(&here);
            let two = Pair {
                a: one.a.clone(),
                b: on(&there).b,
            };
            let both = [&here, &there];
            let same = |got: Vec<f64>, expected: Vec<f64>| {
                assert_close(&got, &expected, 1e-5, &what);
            };
            macro_rules! transformed {
                ($($config:expr),*) => {$(
                    let of = |model: &Pair, places| {
                        two_steps($config.init().unwrap(), model, places)
                    };
                    same(of(&two, both), of(&one, [&here; 2]));
                )*};
            }
            transformed!(
                clip(1.0),
                clip(1.0).with_norm(NormKind::L1),
                AgcConfig::new(),
                AutoClipConfig::new()
            );

            let grads = grads_on(both, &two, 1.0);
            for (norm, expected) in [(NormKind::L1, 19.0), (NormKind::L2, 13.0)] {
                let norm = global_norm(&two, &grads, norm).unwrap();
                same(values(norm), vec![expected]);
            }
            let norms = norms_by_path(&two, &grads, NormKind::L2).unwrap();
            assert_eq!(norms.paths(), ["a", "b"], "{what}");
            same(values(norms.norms()), vec![5.0, 12.0]);
            assert_eq!(check_finite(&two, &grads), Ok(()), "{what}");
            let broken = grads_on(both, &two, f64::NAN);
            let error = check_finite(&two, &broken).unwrap_err();
            assert_eq!(error.paths, ["a", "b"], "{what}");

            // 0.5 · 19 + 0.25 · 169.
            let penalty = PenaltyConfig::new()
                .with_l1(0.5)
                .with_l2(0.25)
                .with_scope(WeightDecayScope::Every)
                .init()
                .unwrap();
            same(values(penalty.forward(&two)), vec![51.75]);
            let loss = tensor::<1>(&[1.0], DType::F32, &there.clone().autodiff());
            same(values(penalty.add_to(loss, &two)), vec![52.75]);
        }
    }
}
