//! Transforms of gradients against PyTorch, optax and timm, and how they compose.

use crate::devices::{devices, training_devices};
use crate::loss_scaler::scaler_of;
use crate::models::{Noise, Pair, alone, dtypes, tensor, values};
use crate::oracle::{assert_close, case, numbers, read};
use burn::module::{Module, Param, ParamGroup, ParamId};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::grad::{
    AgcConfig, AutoClip, AutoClipConfig, CentralizeGradConfig, ClipGradNormConfig,
    ClipGradValueConfig, GradNoiseConfig, GradientTransform, GradientsExt as _, LossScalerConfig,
    NoTransform, NonFinite, NormKind, NormScope, NormalizeGradConfig, NormsByPath, Only,
    ParamPaths, StepGuard, norms_by_path, scale_gradients,
};
use burn_tricks::kernels::{UnitClip, add_normal, add_normal_twin, clip_units, clip_units_twin};
use burn_tricks::optim::AdamConfig;

/// A layer of each layout.
#[derive(Module, Debug)]
struct Layers {
    linear: Linear,
    conv: Conv2d,
    embedding: Embedding,
    /// The linear layer's weight once more, under its id.
    tied: Param<Tensor<2>>,
}

fn layers(device: &Device) -> Layers {
    let param = |dims: &[usize], seed| -> Param<Tensor<2>> {
        let numbers = Noise(seed).take(dims.iter().product());
        let value: Tensor<1> = tensor(&numbers, DType::F32, device);
        Param::initialized(ParamId::new(), value.reshape([dims[0], dims[1]]))
    };
    let mut linear = LinearConfig::new(4, 3).init(device);
    linear.weight = param(&[4, 3], 1);
    linear.bias = linear.bias.map(|bias| bias.map(|bias| bias.zeros_like()));
    let mut conv = Conv2dConfig::new([2, 3], [2, 2])
        .with_bias(false)
        .init(device);
    conv.weight = conv.weight.map(|weight| {
        let numbers: Tensor<1> = tensor(&Noise(2).take(24), DType::F32, device);
        numbers.reshape(weight.dims())
    });
    let mut embedding = EmbeddingConfig::new(5, 2).init(device);
    embedding.weight = param(&[5, 2], 3);
    let tied = linear.weight.clone();
    Layers {
        linear,
        conv,
        embedding,
        tied,
    }
}

/// A gradient for each parameter.
fn grads(model: &Layers, size: f64) -> GradientsParams {
    fn add<const D: usize>(
        grads: &mut GradientsParams,
        param: &Param<Tensor<D>>,
        seed: u64,
        size: f64,
    ) {
        let value = param.val();
        let numbers = Noise(seed).take(value.dims().iter().product());
        let grad: Tensor<1> = tensor(&numbers, DType::F32, &value.device());
        grads.register(param.id, grad.reshape(value.dims()) * size);
    }
    let mut grads = GradientsParams::new();
    add(&mut grads, &model.linear.weight, 11, size);
    add(&mut grads, model.linear.bias.as_ref().unwrap(), 12, size);
    add(&mut grads, &model.conv.weight, 13, size);
    add(&mut grads, &model.embedding.weight, 14, size);
    grads
}

fn group(model: &Layers, paths: &[&str]) -> ParamGroup {
    ParamPaths::init(model, "group", paths).unwrap().group()
}

/// All gradients, in the module's order.
fn all(model: &Layers, grads: &GradientsParams) -> Vec<Vec<f64>> {
    vec![
        values(grads.get::<2>(model.linear.weight.id).unwrap()),
        values(
            grads
                .get::<1>(model.linear.bias.as_ref().unwrap().id)
                .unwrap(),
        ),
        values(grads.get::<4>(model.conv.weight.id).unwrap()),
        values(grads.get::<2>(model.embedding.weight.id).unwrap()),
    ]
}

/// A case of the oracle, as a model of one linear or one convolutional layer.
fn one<const D: usize>(
    case: &serde_json::Value,
    transform: &mut impl GradientTransform,
    (dtype, device): (DType, &Device),
) -> Vec<f64> {
    let shape: Vec<usize> = read(&case["shape"]);
    let shape: [usize; D] = shape.try_into().expect("the case's rank");
    let number = |field: &str| -> Tensor<D> {
        let flat: Tensor<1> = tensor(&numbers(&case[field]), dtype, device);
        flat.reshape(shape)
    };
    let weight = if case["weight"].is_null() {
        number("grad")
    } else {
        number("weight")
    };
    let param = Param::initialized(ParamId::new(), weight);
    let mut grads = GradientsParams::new();
    grads.register(param.id, number("grad"));
    // The rank tells the layout: what is not one of Burn's layers is linear at rank 2, a convolution above.
    let grads = transform.apply(&vec![param.clone()], grads);
    values(grads.get::<D>(param.id).unwrap())
}

#[test]
fn one_backward_pass_serves_several_modules() {
    let _alone = alone();
    for (_, device) in devices() {
        let model = layers(&device);
        let given = all(&model, &grads(&model, 1.0));
        let bias = model.linear.bias.as_ref().unwrap().id;
        // Two modules share the linear layer's weight: it goes to the first, and once.
        let mut rest = grads(&model, 1.0);
        let first = rest.take(&vec![model.linear.weight.clone(), model.tied.clone()]);
        let second = rest.take(&model.linear);
        assert_eq!((first.len(), second.len(), rest.len()), (1, 1, 2));
        assert_eq!(values(first.get::<2>(model.tied.id).unwrap()), given[0]);
        assert_eq!(values(second.get::<1>(bias).unwrap()), given[1]);
        let conv = rest.get::<4>(model.conv.weight.id).unwrap();
        assert_eq!(values(conv), given[2]);
        // All of the rest, then nothing; and a module without gradients changes nothing.
        let last = rest.take(&model);
        assert_eq!((last.len(), rest.len(), rest.take(&model).len()), (2, 0, 0));
        let embedding = last.get::<2>(model.embedding.weight.id).unwrap();
        assert_eq!(values(embedding), given[3]);
        let mut others = grads(&model, 1.0);
        assert_eq!(others.take(&layers(&device)).len(), 0);
        assert_eq!(all(&model, &others), given);
    }
}

#[test]
fn agc_agrees_with_optax_and_timm_unit_by_unit() {
    let _alone = alone();
    for (name, device) in devices() {
        let mut agc = AgcConfig::new().with_clip_factor(0.1).init().unwrap();
        let (linear, conv, bias) = (
            case("agc", "linear"),
            case("agc", "conv"),
            case("agc", "bias"),
        );
        let got = one::<2>(linear, &mut agc, (DType::F32, &device));
        assert_close(
            &got,
            &numbers(&linear["clipped"]),
            1e-6,
            &format!("linear on {name}"),
        );
        let got = one::<4>(conv, &mut agc, (DType::F32, &device));
        assert_close(
            &got,
            &numbers(&conv["clipped"]),
            1e-6,
            &format!("conv on {name}"),
        );
        let got = one::<1>(bias, &mut agc, (DType::F32, &device));
        assert_close(
            &got,
            &numbers(&bias["clipped"]),
            1e-6,
            &format!("bias on {name}"),
        );
    }
}

#[test]
fn agc_clips_large_and_small_parameters_alike_and_a_tied_one_once() {
    for (name, device) in devices() {
        let training = device.clone().autodiff();
        let mut noise = Noise(8);
        let mut random = |rows: usize, columns, device: &Device| -> Tensor<2> {
            let flat: Tensor<1> = tensor(&noise.take(rows * columns), DType::F32, device);
            flat.reshape([rows, columns])
        };
        let shapes = [[300, 250], [3, 5]];
        let weights = shapes.map(|[rows, columns]| {
            let weight = random(rows, columns, &training).require_grad();
            Param::initialized(ParamId::new(), weight)
        });
        let [large, small] = &weights;
        let model = vec![large.clone(), small.clone(), large.clone(), small.clone()];
        let of_weights = shapes.map(|[rows, columns]| random(rows, columns, &device));
        let mut grads = GradientsParams::new();
        for (weight, grad) in weights.iter().zip(&of_weights) {
            grads.register(weight.id, grad.clone());
        }
        let (clip_factor, epsilon) = (0.5, 1e-3);
        let clip = UnitClip {
            clip_factor,
            epsilon,
        };
        let agc = AgcConfig::new()
            .with_clip_factor(clip_factor)
            .init()
            .unwrap();
        let got = agc.apply(&model, grads);
        for (weight, grad) in weights.iter().zip(of_weights) {
            let expected = clip_units_twin(clip, weight.val().inner(), grad.clone(), Some(1));
            let got = values(got.get::<2>(weight.id).unwrap());
            assert_close(&got, &values(expected), 1e-5, name);
            assert_ne!(got, values(grad), "{name}");
        }
    }
}

/// Small ones are clipped on another thread while the walk goes on.
#[test]
fn agc_of_many_tensors_is_that_of_each() {
    let device = Device::flex();
    let random = |shape: [usize; 2], seed| -> Tensor<2> {
        let numbers = Noise(seed).take(shape[0] * shape[1]);
        let numbers: Tensor<1> = tensor(&numbers, DType::F32, &device);
        numbers.reshape(shape)
    };
    let shapes = (0..90).map(|at| if at % 40 == 7 { [300, 250] } else { [64, 16] });
    let shapes: Vec<_> = shapes.collect();
    let weights = shapes.iter().enumerate().map(|(seed, shape)| {
        let weight = Tensor::from_inner(random(*shape, seed as u64)).require_grad();
        Param::initialized(ParamId::new(), weight)
    });
    let model: Vec<Param<Tensor<2>>> = weights.collect();
    let grad = |at: usize| random(shapes[at], 1000 + at as u64);
    let (clip_factor, epsilon) = (0.97, 1e-3);
    let clip = UnitClip {
        clip_factor,
        epsilon,
    };
    let config = AgcConfig::new().with_clip_factor(clip_factor);
    let agc = config.init().unwrap();
    let test = || {
        let mut grads = GradientsParams::new();
        for (at, param) in model.iter().enumerate() {
            grads.register(param.id, grad(at));
        }
        let got = agc.apply(&model, grads);
        let mut changed = 0;
        for (at, param) in model.iter().enumerate() {
            let expected = clip_units(clip, param.val().inner(), grad(at), Some(1));
            let got = values(got.get::<2>(param.id).unwrap());
            assert_eq!(got, values(expected), "tensor {at}");
            changed += usize::from(got != values(grad(at)));
        }
        assert!(changed > 80, "{changed} are clipped");
        assert_eq!(got.len(), model.len());
    };
    test();
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(test);
    }
}

/// The tensors that are handed to another thread together have several ranks.
#[test]
fn agc_of_many_filters_and_vectors_is_that_of_each() {
    #[derive(Module, Debug)]
    struct Ranks {
        filters: Vec<Param<Tensor<4>>>,
        vectors: Vec<Param<Tensor<1>>>,
    }
    fn random<const D: usize>(shape: [usize; D], seed: u64) -> Tensor<D> {
        let numbers = Noise(seed).take(shape.iter().product());
        tensor::<1>(&numbers, DType::F32, &Device::flex()).reshape(shape)
    }
    fn params<const D: usize>(shape: [usize; D], count: u64) -> Vec<Param<Tensor<D>>> {
        let weights = (0..count).map(|seed| Tensor::from_inner(random(shape, seed)));
        let params =
            weights.map(|weight| Param::initialized(ParamId::new(), weight.require_grad()));
        params.collect()
    }
    let (filter, vector) = ([16, 16, 2, 2], [700]);
    // 75 filters leave the third part open for the first vectors.
    let model = Ranks {
        filters: params(filter, 75),
        vectors: params(vector, 75),
    };
    let mut grads = GradientsParams::new();
    for (seed, param) in (1000..).zip(&model.filters) {
        grads.register(param.id, random(filter, seed));
    }
    for (seed, param) in (2000..).zip(&model.vectors) {
        grads.register(param.id, random(vector, seed));
    }
    let (clip_factor, epsilon) = (0.9, 1e-3);
    let clip = UnitClip {
        clip_factor,
        epsilon,
    };
    let config = AgcConfig::new().with_clip_factor(clip_factor);
    let got = config.init().unwrap().apply(&model, grads);
    for (seed, param) in (1000..).zip(&model.filters) {
        let (given, weight) = (random(filter, seed), param.val().inner());
        let expected = values(clip_units(clip, weight, given.clone(), Some(0)));
        assert_ne!(expected, values(given));
        assert_eq!(values(got.get::<4>(param.id).unwrap()), expected, "{seed}");
    }
    for (seed, param) in (2000..).zip(&model.vectors) {
        let (given, weight) = (random(vector, seed), param.val().inner());
        let expected = values(clip_units(clip, weight, given.clone(), None));
        assert_ne!(expected, values(given));
        assert_eq!(values(got.get::<1>(param.id).unwrap()), expected, "{seed}");
    }
    assert_eq!(got.len(), 150);
}

#[test]
fn agc_bounds_rows_of_embeddings_leaves_the_head_and_moves_zeros() {
    let _alone = alone();
    for (name, device) in devices() {
        let model = layers(&device);
        let group = ParamGroup::all().exclude(group(&model, &["conv"]));
        let agc = AgcConfig::new()
            .with_clip_factor(0.5)
            .with_group(group)
            .init()
            .unwrap();
        let given = all(&model, &grads(&model, 100.0));
        let got = all(&model, &agc.apply(&model, grads(&model, 100.0)));
        assert_eq!(got[2], given[2], "{name}: the convolution is left out");
        let length = |row: &[f64]| row.iter().map(|x| x * x).sum::<f64>().sqrt();
        let embedding = values(model.embedding.weight.val());
        for (row, weight) in got[3].chunks(2).zip(embedding.chunks(2)) {
            assert_close(&[length(row)], &[0.5 * length(weight)], 1e-6, name);
        }
        // The bias is zero: its gradient is as long as the floor allows.
        assert_close(&[length(&got[1])], &[0.5e-3], 1e-6, name);
    }
}

#[test]
fn agc_keeps_the_direction_of_what_overflows_and_counts_in_f32() {
    for (name, device) in devices() {
        let mut agc = AgcConfig::new().with_clip_factor(1.0).init().unwrap();
        for dtype in dtypes(&device) {
            let size = match dtype {
                DType::F16 => 3e4,
                _ => 2e38,
            };
            let pair = Pair::new(&[3.0, 4.0], &[1.0], dtype, &device);
            let grads = agc.apply(&pair, pair.grads(&[size, size], &[0.5]));
            let (a, b) = pair.read_grads(&grads);
            let expected = 5.0 / 2f64.sqrt();
            let tolerance = if matches!(dtype, DType::F16 | DType::BF16) {
                4e-3
            } else {
                1e-6
            };
            assert_close(
                &a,
                &[expected; 2],
                tolerance,
                &format!("{dtype:?} on {name}"),
            );
            assert_eq!(b, [0.5], "{dtype:?} on {name}");
            GradientTransform::restart(&mut agc);
        }
    }
}

#[test]
fn clipping_by_value_agrees_with_pytorch() {
    let case = case("clip_value", "half");
    for (name, device) in devices() {
        let clip = ClipGradValueConfig::new(0.5).init().unwrap();
        let (pair, grads) = Pair::with_grads(&numbers(&case["grad"]), &[0.5], DType::F32, &device);
        let (a, b) = pair.read_grads(&clip.apply(&pair, grads));
        assert_close(&a, &numbers(&case["clipped"]), 1e-7, name);
        assert_eq!(b, [0.5]);
        // Beyond the largest number of a type nothing is cut.
        let clip = ClipGradValueConfig::new(7e4).init().unwrap();
        for dtype in dtypes(&device) {
            let (pair, grads) = Pair::with_grads(&[f64::INFINITY], &[1.0], dtype, &device);
            let (a, _) = pair.read_grads(&clip.apply(&pair, grads));
            let expected = match dtype {
                DType::F16 => f64::INFINITY,
                DType::BF16 => 70144.0,
                _ => 7e4,
            };
            assert_eq!(a, [expected], "{dtype:?} on {name}");
        }
    }
}

#[test]
fn centralisation_agrees_with_optax_in_every_layout() {
    let _alone = alone();
    for (name, device) in devices() {
        let mut centralize = CentralizeGradConfig::new().init().unwrap();
        for dtype in [DType::F64, DType::F32] {
            if !dtypes(&device).contains(&dtype) {
                continue;
            }
            for layer in ["linear", "conv"] {
                let case = case("centralize", layer);
                let got = match layer {
                    "linear" => one::<2>(case, &mut centralize, (dtype, &device)),
                    _ => one::<4>(case, &mut centralize, (dtype, &device)),
                };
                let expected = numbers(&case["centralized"]);
                let what = format!("{layer} in {dtype:?} on {name}");
                if dtype == DType::F64 {
                    assert_close(&got, &expected, 1e-12, &what);
                    continue;
                }
                // A centred number is a difference of gradients of up to 2, whose rounding to `f32` it has: one of 0.008 is
                // off by 2.6e-6 of itself.
                for (got, expected) in got.iter().zip(&expected) {
                    assert!(
                        (got - expected).abs() < 1e-6,
                        "{what}: {got} and {expected}"
                    );
                }
                assert_close(&got, &expected, 1e-5, &what);
            }
        }
        let model = layers(&device);
        let given = all(&model, &grads(&model, 1.0));
        let got = all(&model, &centralize.apply(&model, grads(&model, 1.0)));
        assert_eq!(got[1], given[1], "{name}: a bias has no units");
        for row in got[3].chunks(2) {
            assert!(
                (row[0] + row[1]).abs() < 1e-6,
                "{name}: a row of the embedding"
            );
        }
        let of_convolutions = CentralizeGradConfig::new().with_min_rank(3).init().unwrap();
        let got = all(&model, &of_convolutions.apply(&model, grads(&model, 1.0)));
        assert_eq!((&got[0], &got[3]), (&given[0], &given[3]), "{name}");
        assert_ne!(got[2], given[2], "{name}");
    }
}

#[test]
fn auto_clip_clips_at_numpys_percentile() {
    for (device_name, device) in devices() {
        for name in ["p10", "p50", "p90", "p35_of_5", "p100"] {
            let case = case("auto_clip", name);
            let settings = &case["settings"];
            let config = AutoClipConfig::new()
                .with_percentile(read(&settings["percentile"]))
                .with_history(read(&settings["window"]));
            let mut clip = config.init().unwrap();
            let mut resumed = config.init().unwrap();
            let mut thresholds = Vec::new();
            let mut clipped = Vec::new();
            for norm in numbers(&case["norms"]) {
                let gradient = [norm * 0.6, norm * 0.8];
                let (pair, grads) = Pair::with_grads(&gradient, &[0.0], DType::F32, &device);
                let (a, _) = pair.read_grads(&clip.apply(&pair, grads));
                clipped.push((a[0] * a[0] + a[1] * a[1]).sqrt());
                thresholds.extend(values(clip.threshold().unwrap()));
                // Saved and loaded after each step, it clips the same.
                let grads = pair.grads(&gradient, &[0.0]);
                assert_eq!(pair.read_grads(&resumed.apply(&pair, grads)).0, a, "{name}");
                let state = GradientTransform::state(&resumed).unwrap();
                resumed = config.init().unwrap();
                resumed.load_state(&state).unwrap();
            }
            let what = format!("{name} on {device_name}");
            assert_close(&thresholds, &numbers(&case["thresholds"]), 1e-6, &what);
            assert_close(&clipped, &numbers(&case["clipped_norms"]), 1e-6, &what);
        }
    }
}

/// The threshold is a norm of the sorted history, on every device, whatever the length of the history: here that of a run
/// of more than 5,000 steps, which goes on.
#[test]
fn the_percentile_of_a_long_history_is_that_of_a_sort() {
    const HISTORY: usize = 5001;
    // Of 5,001 norms the 1,500th, without interpolation; and between that and the next.
    for (percentile, share) in [(30.0, 0.0), (30.005, 0.25)] {
        let config = AutoClipConfig::new()
            .with_percentile(percentile)
            .with_history(HISTORY)
            .with_norm(NormKind::LInf);
        // With equal ones among them.
        let norms = Noise(3).take(HISTORY + 20).into_iter();
        let norms: Vec<f32> = norms.map(|x| (x.abs() * 2000.0).round() as f32).collect();
        let push = |clip: &mut AutoClip, norm: f32, device: &Device| {
            let (pair, grads) = Pair::with_grads(&[f64::from(norm)], &[0.0], DType::F32, device);
            let clipped = pair.read_grads_a(&clip.apply(&pair, grads))[0];
            (clipped, values(clip.threshold().unwrap())[0])
        };
        let mut filled = config.init().unwrap();
        for norm in &norms[..HISTORY + 10] {
            push(&mut filled, *norm, &Device::flex());
        }
        let state = GradientTransform::state(&filled).unwrap();
        for (name, device) in devices() {
            let mut clip = config.init().unwrap();
            clip.load_state(&state).unwrap();
            for step in HISTORY + 10..norms.len() {
                let got = push(&mut clip, norms[step], &device);
                let mut sorted = norms[step + 1 - HISTORY..=step].to_vec();
                sorted.sort_by(f32::total_cmp);
                let [low, high] = [1500, 1501].map(|at| f64::from(sorted[at]));
                let threshold = low + share * (high - low);
                assert_close(&[got.1], &[threshold], 1e-6, name);
                let clipped = f64::from(norms[step]).min(threshold);
                assert_close(&[got.0], &[clipped], 1e-6, name);
            }
        }
    }
}

#[test]
fn a_norm_that_is_not_finite_lies_above_the_percentile() {
    for (name, device) in devices() {
        let mut clip = AutoClipConfig::new()
            .with_percentile(50.0)
            .with_non_finite(NonFinite::ZeroGradient)
            .init()
            .unwrap();
        let mut step = |number: f64| {
            let (pair, grads) = Pair::with_grads(&[number], &[0.0], DType::F32, &device);
            pair.read_grads(&clip.apply(&pair, grads)).0[0]
        };
        assert_eq!(step(f64::NAN), 0.0, "{name}");
        assert_eq!(step(f64::INFINITY), 0.0, "{name}");
        assert_eq!(step(2.0), 2.0, "{name}");
        assert_eq!(step(1.0), 1.0, "{name}");
        assert_eq!(
            step(-4.0),
            -4.0,
            "{name}: the median of 1, 2, 4, and two that are not finite"
        );
        assert_close(&[step(1.0)], &[1.0], 1e-6, name);
        assert_close(&[step(8.0)], &[4.0], 1e-6, name);
    }
    let mut small = AutoClipConfig::new().with_history(1).init().unwrap();
    let state = {
        let mut large = AutoClipConfig::new().init().unwrap();
        for _ in 0..3 {
            let (pair, grads) = Pair::with_grads(&[1.0], &[1.0], DType::F32, &Device::flex());
            let _ = large.apply(&pair, grads);
        }
        GradientTransform::state(&large).unwrap()
    };
    let error = small.load_state(&state).unwrap_err().to_string();
    assert!(
        error.contains("it has 3 norms, and the history holds at most 1"),
        "{error}"
    );
}

/// Which steps are skipped only the device knows.
#[test]
fn with_skipped_steps_auto_clip_clips_as_without_their_batches() {
    // A skipped step at first; one before, and several after the history is full; one at the end.
    let plan = [0_u64, 1, 2, 0, 3, 4, 0, 0, 0, 0, 5, 6, 7, 8, 0];
    for (name, device) in training_devices() {
        for (history, percentile, norm) in [
            (1, 50.0, NormKind::L2),
            (3, 60.0, NormKind::L2),
            (4, 35.0, NormKind::LInf),
            (100, 40.0, NormKind::L2),
        ] {
            let what = format!("the {percentile}th of {history} on {name}");
            let config = AutoClipConfig::new()
                .with_percentile(percentile)
                .with_history(history)
                .with_norm(norm)
                .with_non_finite(NonFinite::SkipStep);
            let run = |plan: &[u64], saves: bool| {
                let adam = AdamConfig::torch().with_skip_marked(true);
                let (mut clip, mut optim) = (config.init().unwrap(), adam.init().unwrap());
                let mut pair = Pair::new(&[1.0, 2.0], &[3.0], DType::F32, &device);
                let mut seen = Vec::new();
                for step in plan {
                    let mut numbers = Noise(*step).take(3);
                    if *step == 0 {
                        numbers[1] = f64::INFINITY;
                    }
                    let grads = clip.apply(&pair, pair.grads(&numbers[..2], &numbers[2..]));
                    if *step > 0 {
                        let threshold = values(clip.threshold().unwrap());
                        seen.push((pair.read_grads(&grads), threshold));
                    }
                    pair = optim.step(0.1, pair, grads);
                    if saves {
                        let state = clip.state();
                        clip = config.init().unwrap();
                        clip.load_state(&state).unwrap();
                    }
                }
                (seen, clip.state(), pair.values())
            };
            let good: Vec<u64> = plan.iter().copied().filter(|step| *step > 0).collect();
            let (seen, state, (a, b)) = run(&plan, false);
            let (alone, state_alone, (a_alone, b_alone)) = run(&good, false);
            assert_eq!(seen, alone, "{what}");
            assert_eq!(state, state_alone, "{what}");
            assert_close(&a, &a_alone, 1e-6, &what);
            assert_close(&b, &b_alone, 1e-6, &what);
            let resumed = run(&plan, true);
            assert_eq!(resumed.0, alone, "{what}, saved after each step");
        }
    }
}

#[test]
fn a_state_with_what_is_no_norm_is_refused() {
    let mut clip = AutoClipConfig::new().init().unwrap();
    let (pair, grads) = Pair::with_grads(&[1.0], &[0.0], DType::F32, &Device::flex());
    let mut other = AutoClipConfig::new().init().unwrap();
    let _ = other.apply(&pair, grads);
    let state = other.state();
    for bad in [-1.0_f64, f64::NAN] {
        // The norm of 1 is in the state as it is in memory.
        let one = 1.0_f64.to_le_bytes();
        let at = (0..state.len() - 7).find(|at| state[*at..at + 8] == one);
        let at = at.expect("on the CPU the norm is in `f64`");
        let mut damaged = state.clone();
        damaged[at..at + 8].copy_from_slice(&bad.to_le_bytes());
        let error = clip.load_state(&damaged).unwrap_err().to_string();
        assert!(
            error.ends_with(&format!("it has a norm of {bad}")),
            "{error}"
        );
    }
}

#[test]
fn a_longer_history_forgets_the_oldest_norm_first() {
    for (name, device) in devices() {
        // As good as the smallest norm of the history.
        let config = |history| {
            AutoClipConfig::new()
                .with_percentile(1e-9)
                .with_history(history)
        };
        let push = |clip: &mut AutoClip, norm: f64| {
            let (pair, grads) = Pair::with_grads(&[norm], &[0.0], DType::F32, &device);
            let _ = clip.apply(&pair, grads);
            values(clip.threshold().unwrap())[0]
        };
        let mut short = config(3).init().unwrap();
        for norm in [1.0, 2.0, 3.0, 4.0, 5.0] {
            push(&mut short, norm);
        }
        let state = GradientTransform::state(&short).unwrap();
        let mut long = config(4).init().unwrap();
        long.load_state(&state).unwrap();
        let smallest: Vec<_> = [6.0, 7.0, 8.0, 9.0]
            .map(|norm| push(&mut long, norm))
            .into();
        assert_close(&smallest, &[3.0, 4.0, 5.0, 6.0], 1e-6, name);
    }
}

/// On the CPU the Euclidean norm is in `f64`, and the largest magnitude in `f32`, as all norms are on most GPUs.
#[test]
fn norms_in_f64_are_continued_in_f32() {
    for (name, device) in devices() {
        let config = AutoClipConfig::new().with_percentile(90.0);
        let push = |clip: &mut AutoClip, norm: f64| {
            let (pair, grads) = Pair::with_grads(&[norm], &[0.0], DType::F32, &device);
            let _ = clip.apply(&pair, grads);
        };
        let mut wide = config.init().unwrap();
        for norm in [f64::INFINITY, 1.0, f64::INFINITY] {
            push(&mut wide, norm);
        }
        let state = GradientTransform::state(&wide).unwrap();
        let mut narrow = config.with_norm(NormKind::LInf).init().unwrap();
        narrow.load_state(&state).unwrap();
        push(&mut narrow, 2.0);
        // Between two that were not finite.
        let threshold = values(narrow.threshold().unwrap());
        assert_eq!(threshold, [f64::from(f32::MAX)], "{name}");
    }
}

#[test]
fn noise_has_its_variance_and_depends_on_seed_step_and_place() {
    let _alone = alone();
    let case = case("grad_noise", "eta0.3");
    let sigmas = numbers(&case["sigmas"]);
    for (name, device) in devices() {
        let zeros = vec![0.0; 20_000];
        let (pair, _) = Pair::with_grads(&zeros, &zeros, DType::F32, &device);
        let config = GradNoiseConfig::new(0.3).with_seed(5);
        let mut noise = config.init().unwrap();
        let draw = |noise: &mut burn_tricks::grad::GradNoise| {
            pair.read_grads(&noise.apply(&pair, pair.grads(&zeros, &zeros)))
        };
        let mut first = Vec::new();
        for sigma in &sigmas[..3] {
            assert!((noise.sigma() - sigma).abs() < 1e-12);
            let (a, b) = draw(&mut noise);
            for drawn in [&a, &b] {
                let count = drawn.len() as f64;
                let mean = drawn.iter().sum::<f64>() / count;
                let variance = drawn.iter().map(|x| x * x).sum::<f64>() / count;
                let fourth = drawn.iter().map(|x| x.powi(4)).sum::<f64>() / count;
                assert!(
                    mean.abs() < 4.0 * sigma / count.sqrt(),
                    "{name}: mean {mean}"
                );
                let deviation = (variance.sqrt() / sigma - 1.0).abs();
                assert!(deviation < 4.0 / (2.0 * count).sqrt(), "{name}: {variance}");
                assert!(
                    (fourth / sigma.powi(4) - 3.0).abs() < 4.0 * (96.0 / count).sqrt(),
                    "{name}"
                );
            }
            let product: f64 = a.iter().zip(&b).map(|(x, y)| x * y).sum();
            let correlation = product / 20_000.0 / sigma / sigma;
            assert!(
                correlation.abs() < 4.0 / 20_000f64.sqrt(),
                "{name}: two parameters"
            );
            first.push(a);
        }
        let scaled = |step: usize| {
            first[step]
                .iter()
                .map(|x| x / sigmas[step])
                .collect::<Vec<_>>()
        };
        let (one, two) = (scaled(0), scaled(1));
        let product: f64 = one.iter().zip(&two).map(|(x, y)| x * y).sum();
        assert!(
            (product / 20_000.0).abs() < 4.0 / 20_000f64.sqrt(),
            "{name}: two steps"
        );
        // The same seed draws the same, another seed something else.
        assert_eq!(draw(&mut config.init().unwrap()).0, first[0], "{name}");
        let other = config.clone().with_seed(6);
        assert_ne!(draw(&mut other.init().unwrap()).0, first[0], "{name}");
        // Resumed after a step, it draws what the second would have drawn.
        let mut saved = config.init().unwrap();
        draw(&mut saved);
        let mut resumed = config.init().unwrap();
        resumed
            .load_state(&GradientTransform::state(&saved).unwrap())
            .unwrap();
        assert_eq!(draw(&mut resumed).0, first[1], "{name}");
        // No noise is no change.
        let mut none = GradNoiseConfig::new(0.0).init().unwrap();
        assert_eq!(draw(&mut none).0, zeros, "{name}");
    }
}

/// On the CPU backend the noise is that of another generator: `kernels_noise` looks at it.
#[test]
fn noise_of_other_backends_is_that_of_the_tensor_operations() {
    for (name, device) in devices() {
        if name == "flex" {
            continue;
        }
        for dtype in dtypes(&device) {
            for count in [0, 1, 2, 7, 200_001] {
                let given: Tensor<1> = tensor(&vec![0.25; count], dtype, &device);
                let kernel = values(add_normal(given.clone(), 0.5, 9));
                let twin = values(add_normal_twin(given.clone(), 0.5, 9));
                assert_eq!(kernel.len(), count);
                let tolerance = match dtype {
                    DType::F16 => 2e-3,
                    DType::BF16 => 2e-2,
                    _ => 2e-6,
                };
                for (a, b) in kernel.iter().zip(&twin) {
                    let close = (a - b).abs() <= tolerance * b.abs().max(1.0);
                    assert!(close, "{dtype:?} on {name}: {a} and {b}");
                }
                // What somebody else holds is not changed.
                assert!(values(given).iter().all(|x| *x == 0.25));
            }
        }
    }
}

/// GPUs have no logarithm, sine and cosine in `f64`: every number of the noise is one of `f32`.
#[test]
fn noise_of_f64_is_computed_in_f32() {
    for (name, device) in devices() {
        if !device.supports_dtype(DType::F64) {
            continue;
        }
        let zeros: Tensor<1> = tensor(&[0.0; 1001], DType::F64, &device);
        for noise in [
            add_normal_twin(zeros.clone(), 1.0, 9),
            add_normal(zeros, 1.0, 9),
        ] {
            assert_eq!(noise.dtype(), DType::F64);
            for number in values(noise) {
                assert_eq!(number, f64::from(number as f32), "{name}");
            }
        }
    }
}

#[test]
fn a_transform_of_some_parameters_leaves_the_others() {
    let _alone = alone();
    for (name, device) in devices() {
        let model = layers(&device);
        let given = all(&model, &grads(&model, 1.0));
        let clip = |max_norm| ClipGradNormConfig::new(max_norm).init().unwrap();
        let mut groups = Only::new(group(&model, &["linear"]), clip(1.0))
            .then(Only::new(group(&model, &["conv"]), clip(0.25)));
        let got = all(&model, &groups.apply(&model, grads(&model, 1.0)));
        let norm = |parts: &[&Vec<f64>]| {
            let squares = parts.iter().flat_map(|part| part.iter()).map(|x| x * x);
            squares.sum::<f64>().sqrt()
        };
        assert_close(&[norm(&[&got[0], &got[1]])], &[1.0], 1e-6, name);
        assert_close(&[norm(&[&got[2]])], &[0.25], 1e-6, name);
        assert_eq!(got[3], given[3], "{name}");
        // A step that is skipped for a group is skipped for all.
        let mut guard = Only::new(group(&model, &["conv"]), StepGuard::new());
        let bad = grads(&model, f64::INFINITY);
        assert!(guard.apply(&model, bad).is_empty(), "{name}");
        let mut guard = Only::new(group(&model, &[]), StepGuard::new());
        assert_eq!(
            guard.apply(&model, grads(&model, f64::INFINITY)).len(),
            4,
            "{name}"
        );
    }
}

#[test]
fn norms_have_the_paths_of_records() {
    let _alone = alone();
    for (name, device) in devices() {
        let model = layers(&device);
        let measured = NormsByPath::init(NormKind::L2).unwrap();
        assert!(measured.last().is_none());
        let mut transform = measured
            .clone()
            .then(ClipGradNormConfig::new(1e-3).init().unwrap());
        let given = all(&model, &grads(&model, 2.0));
        let _ = transform.apply(&model, grads(&model, 2.0));
        let norms = measured.last().unwrap().read();
        let paths: Vec<_> = norms.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "linear.weight",
                "linear.bias",
                "conv.weight",
                "embedding.weight"
            ]
        );
        let expected = given
            .iter()
            .map(|part| part.iter().map(|x| x * x).sum::<f64>().sqrt());
        let got: Vec<_> = norms.iter().map(|(_, norm)| *norm).collect();
        assert_close(&got, &expected.collect::<Vec<_>>(), 1e-6, name);
        let none = norms_by_path(&model, &GradientsParams::new(), NormKind::L1);
        assert!(none.is_none());
    }
    assert!(NormsByPath::init(NormKind::Lp(0.5)).is_err());
}

#[test]
fn all_ways_to_compose_are_one_and_a_skip_ends_the_chain() {
    let _alone = alone();
    let device = Device::flex();
    let model = layers(&device);
    let noise = || GradNoiseConfig::new(0.01).init().unwrap();
    let clip = || ClipGradNormConfig::new(0.5).init().unwrap();
    let mut chain = StepGuard::new().then(clip()).then(noise());
    let mut tuple = (
        StepGuard::new(),
        NoTransform,
        clip(),
        None::<StepGuard>,
        Some(noise()),
    );
    for size in [1.0, f64::NAN, 3.0] {
        let one = chain.apply(&model, grads(&model, size));
        let other = tuple.apply(&model, grads(&model, size));
        assert_eq!(one.is_empty(), size.is_nan());
        assert_eq!(other.is_empty(), size.is_nan());
        if !one.is_empty() {
            assert_eq!(all(&model, &one), all(&model, &other));
        }
    }
    // The noise of the skipped step was not drawn.
    let mut list = vec![noise(), noise()];
    let _ = list.apply(&model, grads(&model, 1.0));
    let state = GradientTransform::state(&chain).unwrap();
    let mut again = StepGuard::new().then(clip()).then(noise());
    again.load_state(&state).unwrap();
    assert_eq!(again.second().sigma(), chain.second().sigma());
    assert!((chain.second().sigma() - (0.01 / 3f64.powf(0.55)).sqrt()).abs() < 1e-12);
    assert_eq!(again.first().first().skipped(), 1);
    // A state of another chain is refused.
    let state = list.state().unwrap();
    let error = vec![noise()].load_state(&state).unwrap_err().to_string();
    assert!(
        error.contains("that of 2 transforms, and there are 1"),
        "{error}"
    );
    let error = (noise(),)
        .load_state(&vec![clip()].state().unwrap())
        .unwrap_err();
    assert!(error.to_string().contains("no state was saved"), "{error}");
    let error = None::<StepGuard>.load_state(&[0]).unwrap_err().to_string();
    assert!(error.contains("not there now"), "{error}");
    assert!(NoTransform.load_state(&[]).is_err());
    // Begun anew.
    chain.restart();
    assert_eq!(chain.second().sigma(), 0.1);
    assert_eq!(chain.describe().len(), 3);
}

/// A subnormal number has few digits, and many GPUs take it for 0.
#[test]
fn a_factor_below_the_normal_numbers_of_f32_is_exact() {
    for (name, device) in devices() {
        let (pair, grads) = Pair::with_grads(&[1e30, -2e30], &[3e30], DType::F32, &device);
        let (a, b) = pair.read_grads(&scale_gradients(&pair, grads, 1e-44));
        assert_close(&a, &[1e-14, -2e-14], 1e-6, name);
        assert_close(&b, &[3e-14], 1e-6, name);
    }
}

/// `factor` times the gradients, in the pass of the transform itself: to the bit what two passes give for a power of two, and
/// nearly so for another factor.
#[test]
fn a_factor_of_the_gradients_is_one_of_the_transform() {
    fn check<T: GradientTransform>(on: &(&'static str, Device), make: impl Fn() -> T) {
        let (pair, _) = Pair::with_grads(&[3.0, -4.0], &[0.5], DType::F32, &on.1);
        for factor in [0.25, 4.0, 1.0 / 3.0, 1.0, 0.0, -1.0, -0.25] {
            let (mut once, mut twice) = (make(), make());
            for step in 1..5 {
                let step = f64::from(step);
                let grads = || pair.grads(&[3.0 * step, -4.0], &[0.5 / step]);
                let of_once = once.apply_scaled(&pair, grads(), factor);
                let scaled = scale_gradients(&pair, grads(), factor);
                let of_twice = twice.apply(&pair, scaled);
                let what = format!("{factor} times, {once:?} on {}", on.0);
                assert_eq!(of_once.len(), of_twice.len(), "{what}");
                if of_once.is_empty() {
                    continue;
                }
                let (one, other) = (pair.read_grads(&of_once), pair.read_grads(&of_twice));
                if factor != 1.0 / 3.0 && on.0 == "flex" {
                    assert_eq!(one, other, "{what}");
                }
                assert_close(&one.0, &other.0, 1e-6, &what);
                assert_close(&one.1, &other.1, 1e-6, &what);
            }
            if factor != 1.0 / 3.0 && on.0 == "flex" {
                assert_eq!(once.state(), twice.state(), "{factor}: {once:?}");
            }
        }
    }
    let clip = |max_norm| ClipGradNormConfig::new(max_norm).init().unwrap();
    let auto_clip = || {
        let config = AutoClipConfig::new().with_percentile(40.0);
        config.with_history(3).init().unwrap()
    };
    let noise = || GradNoiseConfig::new(0.1).init().unwrap();
    for on in &devices() {
        check(on, || clip(1.5));
        check(on, || clip(10.0));
        check(on, || clip(1e6));
        let each = ClipGradNormConfig::new(1.5).with_scope(NormScope::Tensor);
        check(on, || each.init().unwrap());
        check(on, || ClipGradNormConfig::to_unit_norm(1.0).init().unwrap());
        check(on, || ClipGradNormConfig::torch(0.5).init().unwrap());
        check(on, auto_clip);
        check(on, || NormalizeGradConfig::new().init().unwrap());
        check(on, || scaler_of(&LossScalerConfig::new()));
        check(on, StepGuard::new);
        check(on, || clip(1.5).then(noise()));
        check(on, || (clip(1.5), noise(), auto_clip()));
        check(on, || vec![auto_clip(), auto_clip()]);
        check(on, Vec::<AutoClip>::new);
        check(on, || (None::<AutoClip>, Some(clip(1.5))));
    }
}

/// A mark of one group is one of the whole step, which an optimizer takes or skips for all parameters alike.
#[test]
fn a_mark_of_a_group_is_a_mark_of_all() {
    let marks = |config: ClipGradNormConfig| config.with_non_finite(NonFinite::SkipStep);
    let clip = || marks(ClipGradNormConfig::new(1.0)).init().unwrap();
    let each = || {
        let config = marks(ClipGradNormConfig::keras(1.0));
        config.init().unwrap()
    };
    let normalize = NormalizeGradConfig::new().with_non_finite(NonFinite::SkipStep);
    let normalize = || normalize.init().unwrap();
    let noise = || GradNoiseConfig::new(0.1).init().unwrap();
    let of_b = || ParamGroup::from_path("b");
    fn check<T: GradientTransform>(on: &(&'static str, Device), make: impl Fn() -> T) {
        let what = format!("{:?} on {}", make(), on.0);
        let apply = |a: f64, b: f64| {
            let (pair, grads) = Pair::with_grads(&[a, 1.0], &[b], DType::F32, &on.1);
            pair.read_grads(&make().apply(&pair, grads))
        };
        for bad in [f64::NAN, f64::INFINITY] {
            let (a, b) = apply(0.25, bad);
            assert!([a, b].concat().iter().all(|x| x.is_nan()), "{what}");
        }
        let (a, b) = apply(0.25, 0.125);
        assert_eq!(a, [0.25, 1.0], "{what}");
        assert!(b[0].is_finite(), "{what}");
        // Of others nothing is known.
        let (a, b) = apply(f64::INFINITY, 0.125);
        assert_eq!(a, [f64::INFINITY, 1.0], "{what}");
        assert!(b[0].is_finite(), "{what}");
    }
    for on in &devices() {
        check(on, || Only::new(of_b(), clip()));
        check(on, || Only::new(of_b(), each()));
        check(on, || Only::new(of_b(), normalize()));
        check(on, || Only::new(of_b(), (clip(), noise())));
        check(on, || Only::new(of_b(), vec![clip()]));
        check(on, || Only::new(of_b(), Some(clip().then(noise()))));
        check(on, || Only::new(of_b(), Only::new(of_b(), clip())));
        check(on, || (Only::new(of_b(), clip()), NoTransform));
    }
    // One that does not mark leaves the others as they are.
    let propagates = ClipGradNormConfig::new(1.0).init().unwrap();
    let (pair, grads) = Pair::with_grads(&[0.25], &[f64::NAN], DType::F32, &Device::flex());
    let grads = Only::new(of_b(), propagates).apply(&pair, grads);
    assert_eq!(pair.read_grads_a(&grads), [0.25]);
}

#[test]
fn auto_clip_propagates_what_is_not_finite_also_in_the_first_step() {
    for (name, device) in devices() {
        for bad in [f64::NAN, f64::INFINITY] {
            let mut clip = AutoClipConfig::new().init().unwrap();
            let (pair, grads) = Pair::with_grads(&[bad, 1.0], &[2.0], DType::F32, &device);
            let (a, b) = pair.read_grads(&clip.apply(&pair, grads));
            assert!(a[0].is_nan(), "{name}: {a:?}");
            for other in [a[1], b[0]] {
                // Of a NaN all are NaN; where there is an infinity the others are 0.
                let propagates = if bad.is_nan() {
                    other.is_nan()
                } else {
                    other == 0.0
                };
                assert!(propagates, "{name}, {bad}: {other}");
            }
        }
    }
}
