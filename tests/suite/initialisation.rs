//! First weights: the spread that PyTorch and Keras ask for, moments of what is drawn, paths, seeds.
//!
//! Moments of random numbers are compared within five standard errors: by chance alone, one such check
//! in 1.7 million fails. The seeds are fixed, so a run says what the last one said.

use crate::devices::{devices, training_devices};
use crate::models::{Net, alone, dtypes, values};
use crate::oracle::{assert_close, case, numbers, read};
use burn::module::{Module, Param};
use burn::nn::conv::{Conv1dConfig, Conv2dConfig, Conv3dConfig, ConvTranspose2dConfig};
use burn::nn::{EmbeddingConfig, Linear, LinearConfig, LinearLayout};
use burn::optim::{GradientsParams, SgdConfig};
use burn::store::ModuleRecord;
use burn::tensor::{DType, Device, Distribution, FloatDType, Tensor, activation::tanh};
use burn_tricks::nn::{
    Biases, Draw, Fan, Fans, InitError, InitWeights, InitWeightsConfig, Lsuv, LsuvConfig,
    Nonlinearity, Others, UnitAxis, WeightInit, seeded,
};

fn init<M: Module>(model: &M, weights: WeightInit, seed: u64) -> M {
    InitWeightsConfig::new(weights)
        .with_seed(Some(seed))
        .init()
        .unwrap()
        .apply(model)
        .unwrap()
}

fn mean_and_variance(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares = values.iter().map(|value| (value - mean).powi(2));
    (mean, squares.sum::<f64>() / (values.len() - 1) as f64)
}

/// Mean 0 and this standard deviation, within five standard errors.
fn assert_moments(values: &[f64], std: f64, excess_kurtosis: f64, what: &str) {
    let count = values.len() as f64;
    let (mean, variance) = mean_and_variance(values);
    assert!(
        mean.abs() <= 5.0 * std / count.sqrt(),
        "{what}: mean {mean}"
    );
    let error = std * std * ((excess_kurtosis + 2.0) / count).sqrt();
    assert!(
        (variance - std * std).abs() <= 5.0 * error,
        "{what}: deviation {}, not {std}",
        variance.sqrt()
    );
}

#[test]
fn the_spread_is_that_of_pytorch_and_keras() {
    use WeightInit as W;
    let leaky = Nonlinearity::LeakyRelu { slope: 0.2 };
    let tanh = W::for_nonlinearity(Nonlinearity::Tanh, Fan::Mean, Draw::Uniform);
    let torch = [
        ("xavier_uniform", W::XAVIER_UNIFORM),
        ("xavier_normal", W::XAVIER_NORMAL),
        ("xavier_uniform_tanh", tanh),
        ("he_uniform", W::HE_UNIFORM),
        ("he_normal", W::HE_NORMAL),
        (
            "he_normal_fan_out",
            W::for_nonlinearity(Nonlinearity::Relu, Fan::Out, Draw::Normal),
        ),
        (
            "he_normal_leaky",
            W::for_nonlinearity(leaky, Fan::In, Draw::Normal),
        ),
        ("lecun_normal", W::LECUN_NORMAL),
        ("lecun_uniform", W::LECUN_UNIFORM),
    ];
    let keras = [
        ("he_truncated", Nonlinearity::Relu, Fan::In),
        ("lecun_truncated", Nonlinearity::Linear, Fan::In),
        ("xavier_truncated", Nonlinearity::Linear, Fan::Mean),
    ];
    for (name, container) in [
        ("linear", "Struct:Linear"),
        ("conv1d", "Struct:Conv1d"),
        ("conv2d", "Struct:Conv2d"),
        ("conv3d", "Struct:Conv3d"),
    ] {
        let case = case("init_scales", name);
        let [inputs, outputs]: [usize; 2] =
            ["in", "out"].map(|field| read(&case["settings"][field]));
        let kernel: Vec<usize> = read(&case["settings"]["kernel"]);
        let shape = match name {
            "linear" => vec![inputs, outputs],
            _ => [vec![outputs, inputs], kernel].concat(),
        };
        let unit = UnitAxis::for_weight(container, shape.len()).unwrap();
        let fans = unit.fans(&shape).unwrap();
        let expected: [usize; 2] = read(&case["fans"]);
        assert_eq!([fans.fan_in, fans.fan_out], expected, "{name}");
        for (init, weights) in torch {
            let asked = &case["torch"][init];
            let std = weights.std(fans).unwrap();
            let (got, expected) = if asked["std"].is_null() {
                (3f64.sqrt() * std, &asked["bound"])
            } else {
                (std, &asked["std"])
            };
            assert_close(&[got], &[read(expected)], 1e-12, &format!("{name} {init}"));
        }
        for (init, activation, fan) in keras {
            let weights = W::for_nonlinearity(activation, fan, Draw::TruncatedNormal);
            let asked: f64 = read(&case["keras"][init]["std_before_truncation"]);
            // Keras knows the factor to 16 digits.
            let got = weights.std(fans).unwrap() / 0.879_625_661_034_239_8;
            assert_close(&[got], &[asked], 1e-12, &format!("{name} {init}"));
        }
    }
}

#[test]
fn the_gains_are_pytorchs() {
    let case = case("init_tables", "gains");
    for (name, activation) in [
        ("linear", Nonlinearity::Linear),
        ("sigmoid", Nonlinearity::Sigmoid),
        ("tanh", Nonlinearity::Tanh),
        ("relu", Nonlinearity::Relu),
        ("selu", Nonlinearity::Selu),
        ("leaky_relu_0.2", Nonlinearity::LeakyRelu { slope: 0.2 }),
    ] {
        assert_close(&[activation.gain()], &[read(&case[name])], 1e-15, name);
    }
}

/// The excess kurtosis of a normal and of a uniform distribution, and of a normal cut off at two.
const NORMAL: f64 = 0.0;
const UNIFORM: f64 = -1.2;
const TRUNCATED: f64 = -0.634_463;

#[test]
fn what_is_drawn_has_the_spread_and_the_bounds_asked_for() {
    let _alone = alone();
    // 120,000 weights, in both layouts, whose fans Burn's initialiser mixes up.
    let fans = Fans {
        fan_in: 400,
        fan_out: 300,
    };
    let truncated =
        WeightInit::for_nonlinearity(Nonlinearity::Linear, Fan::In, Draw::TruncatedNormal);
    let cases = [
        (WeightInit::STANDARD_NORMAL, NORMAL, f64::MAX),
        (WeightInit::InverseFanIn, NORMAL, f64::MAX),
        (WeightInit::LECUN_NORMAL, NORMAL, f64::MAX),
        (WeightInit::XAVIER_NORMAL, NORMAL, f64::MAX),
        (WeightInit::HE_NORMAL, NORMAL, f64::MAX),
        (WeightInit::HE_UNIFORM, UNIFORM, 3f64.sqrt()),
        (WeightInit::XAVIER_UNIFORM, UNIFORM, 3f64.sqrt()),
        (
            WeightInit::Uniform {
                low: -0.05,
                high: 0.05,
            },
            UNIFORM,
            3f64.sqrt(),
        ),
        (truncated, TRUNCATED, 2.0 / 0.879_625_66),
    ];
    for (name, device) in devices() {
        for layout in [LinearLayout::Row, LinearLayout::Col] {
            let layer = LinearConfig::new(400, 300)
                .with_layout(layout)
                .init(&device);
            for (weights, kurtosis, bound) in cases {
                let drawn = values(init(&layer, weights, 3).weight.val());
                let std = weights.std(fans).unwrap();
                let what = format!("{name} {layout:?} {weights:?}");
                assert_moments(&drawn, std, kurtosis, &what);
                let largest = drawn.iter().fold(0f64, |a, b| a.max(b.abs()));
                assert!(largest <= bound * std * (1.0 + 1e-6), "{what}: {largest}");
                if bound < f64::MAX {
                    assert!(largest > 0.99 * bound * std, "{what}: {largest}");
                }
            }
        }
    }
}

#[test]
fn a_truncated_normal_has_the_moments_of_scipys() {
    let _alone = alone();
    let case = case("init_tables", "truncated");
    let column = |field: &str| numbers(&case[field]);
    for (name, device) in devices() {
        let layer = LinearConfig::new(300, 300).init(&device);
        for ((bound, factor), kurtosis) in column("bounds")
            .into_iter()
            .zip(column("std"))
            .zip(column("excess_kurtosis"))
        {
            let weights = WeightInit::TruncatedNormal { std: 0.1, bound };
            let drawn = values(init(&layer, weights, 4).weight.val());
            let what = format!("{name} {bound}");
            assert_moments(&drawn, 0.1 * factor, kurtosis, &what);
            assert!(drawn.iter().all(|w| w.abs() <= 0.1 * bound * (1.0 + 1e-6)));
        }
    }
}

/// `gain²` times the identity, from rows or from columns, whichever are fewer.
fn assert_orthogonal<const D: usize>(weight: Tensor<D>, gain: f64, what: &str) {
    let dims = weight.dims();
    let (rows, columns) = (dims[0], dims[1..].iter().product::<usize>());
    let flat = values(weight);
    let (count, length) = (rows.min(columns), rows.max(columns));
    let at = |vector: usize, i: usize| {
        if rows <= columns {
            flat[vector * columns + i]
        } else {
            flat[i * columns + vector]
        }
    };
    for a in 0..count {
        for b in 0..count {
            let dot: f64 = (0..length).map(|i| at(a, i) * at(b, i)).sum();
            let expected = if a == b { gain * gain } else { 0.0 };
            assert!((dot - expected).abs() < 1e-5, "{what} {a} {b}: {dot}");
        }
    }
}

/// With Burn's own initialiser, a linear layer panics at its bias.
#[test]
fn an_orthogonal_weight_is_orthogonal_at_any_rank() {
    let _alone = alone();
    for (name, device) in devices() {
        let model = (
            vec![
                LinearConfig::new(40, 20).init(&device),
                LinearConfig::new(20, 40).init(&device),
                LinearConfig::new(30, 30).init(&device),
                LinearConfig::new(1, 1).init(&device),
            ],
            Conv1dConfig::new(3, 8, 5).init(&device),
            Conv2dConfig::new([3, 40], [3, 3]).init(&device),
            Conv3dConfig::new([2, 5], [2, 2, 2]).init(&device),
            ConvTranspose2dConfig::new([6, 4], [3, 3]).init(&device),
        );
        for gain in [1.0, 1.5] {
            let (linear, one, two, three, back) = init(&model, WeightInit::Orthogonal { gain }, 5);
            for layer in linear {
                assert_orthogonal(layer.weight.val(), gain, name);
                assert!(values(layer.bias.unwrap().val()).iter().all(|b| *b == 0.0));
            }
            assert_orthogonal(one.weight.val(), gain, name);
            assert_orthogonal(two.weight.val(), gain, name);
            assert_orthogonal(three.weight.val(), gain, name);
            assert_orthogonal(back.weight.val(), gain, name);
        }
        // Uniform among all orthogonal matrices: each sign of an entry in half of them. Of 200 fair
        // coins, fewer than 60 or more than 140 show heads with a probability of 6.3e-9.
        let square = LinearConfig::new(3, 3).init(&device);
        let heads = (0..200).filter(|seed| {
            values(init(&square, WeightInit::ORTHOGONAL, *seed).weight.val())[0] > 0.0
        });
        assert!((60..=140).contains(&heads.count()), "{name}");
    }
}

#[test]
fn biases_become_zero_and_norms_embeddings_and_statistics_stay() {
    let _alone = alone();
    for (name, device) in training_devices() {
        let model = (
            Net::new(0.5, &device),
            EmbeddingConfig::new(5, 3).init(&device),
        );
        let (before, embedding) = (model.0.clone(), values(model.1.weight.val()));
        let (net, kept) = init(&model, WeightInit::HE_NORMAL, 6);
        assert_ne!(
            values(net.first.weight.val()),
            values(before.first.weight.val())
        );
        for bias in [net.first.bias, net.last.bias] {
            assert!(values(bias.unwrap().val()).iter().all(|b| *b == 0.0));
        }
        assert_eq!(values(net.norm.gamma.val()), [1.0; 8], "{name}");
        assert_eq!(values(net.norm.running_var.value()), [1.0; 8], "{name}");
        assert_eq!(values(kept.weight.val()), embedding, "{name}");

        // A rule reaches what is not drawn by itself, except running statistics.
        let rules = InitWeightsConfig::new(WeightInit::HE_NORMAL)
            .with_biases(Biases::Keep)
            .with_others(Others::Keep)
            .with_rule("0.norm", WeightInit::Constant { value: 3.0 })
            .with_rule("1", WeightInit::STANDARD_NORMAL)
            .with_rule("0.last.bias", WeightInit::Constant { value: 0.1 });
        let (net, drawn) = rules.init().unwrap().apply(&model).unwrap();
        assert_eq!(values(net.norm.gamma.val()), [3.0; 8], "{name}");
        assert_eq!(values(net.norm.running_var.value()), [1.0; 8], "{name}");
        assert_ne!(values(drawn.weight.val()), embedding, "{name}");
        assert_close(
            &values(net.last.bias.as_ref().unwrap().val()),
            &[0.1; 3],
            1e-6,
            name,
        );
        for (new, old) in [(&net.first, &before.first), (&net.last, &before.last)] {
            assert_eq!(values(new.weight.val()), values(old.weight.val()));
        }
        let bias = |layer: &Linear| values(layer.bias.as_ref().unwrap().val());
        assert_eq!(bias(&net.first), bias(&before.first));
    }
}

#[derive(Module, Debug)]
struct Block {
    first: Linear,
    second: Linear,
}

impl Block {
    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        input.clone() + self.second.forward(tanh(self.first.forward(input)))
    }
}

#[test]
fn a_residual_block_whose_last_layer_is_zero_starts_as_the_identity() {
    let _alone = alone();
    for (name, device) in devices() {
        let linear = || LinearConfig::new(4, 4).init(&device);
        let block = || Block {
            first: linear(),
            second: linear(),
        };
        let blocks = vec![block(), block()];
        let config = InitWeightsConfig::new(WeightInit::HE_NORMAL).with_zero("*.second");
        let blocks = config.init().unwrap().apply(&blocks).unwrap();
        let input = Tensor::<2>::random([3, 4], Distribution::Default, &device);
        let output = blocks
            .iter()
            .fold(input.clone(), |x, block| block.forward(x));
        assert_eq!(values(output), values(input), "{name}");
        assert!(
            values(blocks[0].first.weight.val())
                .iter()
                .all(|w| *w != 0.0)
        );
        // The last rule that fits counts.
        let config = config.with_rule("1", WeightInit::Constant { value: 2.0 });
        let blocks = config.init().unwrap().apply(&blocks).unwrap();
        assert_eq!(values(blocks[0].second.weight.val()), [0.0; 16]);
        assert_eq!(values(blocks[1].second.weight.val()), [2.0; 16]);
    }
}

#[test]
fn everything_but_the_values_stays() {
    let _alone = alone();
    for (name, device) in training_devices() {
        for dtype in dtypes(&device) {
            let mut model = Net::new(0.5, &device);
            model.first = model.first.freeze();
            let cast = |param: Param<Tensor<2>>| {
                param.map(|value| value.inner().cast(FloatDType::from(dtype)))
            };
            model.last.weight =
                cast(model.last.weight).map(|value| Tensor::from_inner(value).require_grad());
            let before = values(model.last.weight.val());
            let new = init(&model, WeightInit::HE_NORMAL, 8);
            assert_eq!(values(model.last.weight.val()), before, "the original");
            assert_ne!(values(new.last.weight.val()), before, "{name}");
            assert_eq!(new.last.weight.id, model.last.weight.id);
            assert_eq!(new.last.weight.val().dtype(), dtype);
            assert_eq!(new.last.weight.val().device(), device);
            assert!(new.last.weight.is_require_grad());
            assert!(!new.first.weight.is_require_grad(), "it is frozen");
            assert!(new.dropout.training.is_enabled(), "it still drops");
            if dtype != DType::F32 {
                continue;
            }
            // The new weights are leaves: they train.
            let input = Tensor::<2>::random([8, 4], Distribution::Default, &device);
            let loss = new.forward(input).powi_scalar(2).sum();
            let grads = GradientsParams::from_grads(loss.backward(), &new);
            let was = values(new.last.weight.val());
            let stepped = SgdConfig::new().init().step(0.1, new, grads);
            assert_ne!(values(stepped.last.weight.val()), was, "{name}");
        }
    }
}

#[test]
fn a_column_layout_keeps_its_record() {
    let _alone = alone();
    for (name, device) in devices() {
        let config = LinearConfig::new(5, 3).with_layout(LinearLayout::Col);
        let layer = init(&config.init(&device), WeightInit::LECUN_NORMAL, 9);
        assert_eq!(layer.weight.dims(), [5, 3]);
        let expected = values(layer.weight.val());
        let bytes = layer.into_record().into_bytes().unwrap();
        let loaded = config
            .init(&device)
            .load_record(ModuleRecord::from_bytes(bytes).unwrap());
        assert_eq!(values(loaded.weight.val()), expected, "{name}");
    }
}

#[test]
fn a_seed_means_the_same_weights() {
    let _alone = alone();
    let all = |net: &Net| {
        let layers = [&net.first, &net.last];
        layers.map(|layer| {
            let bias = values(layer.bias.as_ref().unwrap().val());
            (values(layer.weight.val()), bias)
        })
    };
    for (name, device) in devices() {
        let make = |seed| seeded(&device, seed, || Net::new(0.0, &device));
        let expected = all(&make(7));
        assert_ne!(all(&make(8)), expected, "{name}");
        // Burn alone: whichever layer is used first is drawn first.
        device.seed(7);
        let lazy = Net::new(0.0, &device);
        lazy.last.weight.val();
        assert_ne!(all(&lazy), expected, "{name}: Burn is lazy");
        let used = make(7);
        used.last.forward(Tensor::<2>::zeros([1, 8], &device));
        assert_eq!(all(&used), expected, "{name}");

        // Neither what the model held nor the state of the generator counts.
        let lazy = Net::new(0.0, &device);
        let first = init(&lazy, WeightInit::HE_NORMAL, 7);
        Tensor::<1>::random([5], Distribution::Default, &device).into_data();
        let second = init(&make(3), WeightInit::HE_NORMAL, 7);
        assert_eq!(all(&first), all(&second), "{name}");
        assert_ne!(all(&init(&first, WeightInit::HE_NORMAL, 8)), all(&first));
    }
}

#[test]
fn what_fits_nothing_is_refused() {
    let _alone = alone();
    let (_, device) = &devices()[0];
    let net = Net::new(0.0, device);
    let config = || InitWeightsConfig::new(WeightInit::HE_NORMAL);
    let refused = |config: InitWeightsConfig| config.init().unwrap().apply(&net).unwrap_err();
    for path in ["frist", "first.weigh", "first.weight.0", "*.*.*"] {
        let error = refused(config().with_zero(path));
        assert!(matches!(&error, InitError::NoSuchPath { path: at, .. } if at == path));
        assert!(error.to_string().contains(path));
    }
    let error = refused(config().with_rule("norm.gamma", WeightInit::ORTHOGONAL));
    assert!(error.to_string().starts_with("`norm.gamma` of shape [8]"));
    let error = refused(config().with_rule("norm", WeightInit::LECUN_NORMAL));
    assert!(matches!(error, InitError::Unfit { .. }));

    let invalid = |weights| InitWeightsConfig::new(weights).init().unwrap_err();
    let nan = invalid(WeightInit::Normal { std: f64::NAN });
    assert_eq!(
        nan.to_string(),
        "`std` must be a finite number greater than 0, got NaN"
    );
    let reversed = invalid(WeightInit::Uniform {
        low: 1.0,
        high: -1.0,
    });
    assert_eq!(reversed.field, "low");
    let bound = WeightInit::TruncatedNormal {
        std: 1.0,
        bound: 0.0,
    };
    assert_eq!(invalid(bound).field, "bound");
    assert_eq!(invalid(WeightInit::Orthogonal { gain: -1.0 }).field, "gain");
    assert_eq!(config().with_zero("").init().unwrap_err().field, "path");
    let lsuv = LsuvConfig::new().with_tolerance(0.0).init().unwrap_err();
    assert_eq!(lsuv.field, "tolerance");
    let lsuv = LsuvConfig::new().with_max_iterations(0).init().unwrap_err();
    assert_eq!(lsuv.field, "max_iterations");
}

#[test]
fn configurations_survive_json() {
    let config = InitWeightsConfig::new(WeightInit::for_nonlinearity(
        Nonlinearity::LeakyRelu { slope: 0.1 },
        Fan::Out,
        Draw::TruncatedNormal,
    ))
    .with_biases(Biases::Keep)
    .with_others(Others::Keep)
    .with_seed(Some(u64::MAX))
    .with_rule("a.*.b", WeightInit::ORTHOGONAL)
    .with_zero("c");
    let json = serde_json::to_string(&config).unwrap();
    let read: InitWeightsConfig = serde_json::from_str(&json).unwrap();
    assert_eq!(read, config);
    let config = LsuvConfig::new().with_tolerance(0.02);
    let json = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<LsuvConfig>(&json).unwrap(), config);
    fn assert_all<T: Send + Sync + Clone>() {}
    assert_all::<InitWeights>();
    assert_all::<Lsuv>();
    assert_all::<InitError>();
}

fn stack(count: usize, width: usize, device: &Device) -> Vec<Linear> {
    (0..count)
        .map(|_| LinearConfig::new(width, width).init(device))
        .collect()
}

fn spread<const D: usize>(tensor: Tensor<D>) -> f64 {
    mean_and_variance(&values(tensor)).1.sqrt()
}

/// A signal of n = 400 standard normal numbers through one layer. The output's deviation is √n: n products of
/// variance 1 have a sum of variance n.
#[test]
fn one_layer_lets_the_signal_grow_by_the_root_of_its_inputs() {
    let _alone = alone();
    let width = 400;
    for (name, device) in devices() {
        device.seed(11);
        let input = Tensor::<2>::random([50, width], Distribution::Normal(0.0, 1.0), &device);
        for (weights, expected) in [
            (WeightInit::STANDARD_NORMAL, 20.0),
            (WeightInit::LECUN_NORMAL, 1.0),
            (WeightInit::InverseFanIn, 1.0 / 20.0),
        ] {
            let layer = init(&stack(1, width, &device), weights, 12);
            let growth = spread(layer[0].forward(input.clone())) / spread(input.clone());
            // 50 rows of 400 outputs that share inputs and weights: the deviation of their spread is
            // below 1 %. Five times that.
            assert!((growth / expected - 1.0).abs() < 0.05, "{name}: {growth}");
        }
    }
}

/// The logarithm of the signal's size does a random walk of variance about 1/(2n) per layer, 0.2 over 20
/// layers of 256: a factor of 3 is more than five of its deviations.
#[test]
fn xavier_keeps_signal_and_gradient_over_twenty_layers() {
    let _alone = alone();
    for (name, device) in training_devices() {
        device.seed(13);
        let normal = || Tensor::<2>::random([16, 256], Distribution::Normal(0.0, 1.0), &device);
        let (input, slope) = (normal().require_grad(), normal());
        let through = |weights| {
            let layers = init(&stack(20, 256, &device), weights, 14);
            let output = layers
                .iter()
                .fold(input.clone(), |signal, layer| layer.forward(signal));
            let grads = (output.clone() * slope.clone()).sum().backward();
            (spread(output), spread(input.grad(&grads).unwrap()))
        };
        let (signal, gradient) = through(WeightInit::XAVIER_NORMAL);
        for size in [signal, gradient] {
            assert!(
                size > 1.0 / 3.0 && size < 3.0,
                "{name}: {signal} {gradient}"
            );
        }
        // √256 per layer: 16^20 = 1e24.
        let (signal, gradient) = through(WeightInit::STANDARD_NORMAL);
        assert!(
            signal > 1e23 && gradient > 1e23,
            "{name}: {signal} {gradient}"
        );
    }
}

#[test]
fn lsuv_gives_every_layer_the_variance_of_its_data() {
    let _alone = alone();
    for (name, device) in training_devices() {
        device.seed(15);
        // Far from what the layers expect.
        let input = Tensor::<2>::random([64, 32], Distribution::Normal(3.0, 20.0), &device);
        let layers = init(&stack(10, 32, &device), WeightInit::STANDARD_NORMAL, 16);
        let outputs = |layers: &Vec<Linear>, path: &str| {
            let last: usize = path.parse().unwrap();
            let input = if layers[0].weight.val().is_autodiff() {
                input.clone()
            } else {
                input.clone().inner()
            };
            layers[1..=last]
                .iter()
                .fold(layers[0].forward(input), |signal, layer| {
                    layer.forward(tanh(signal))
                })
        };
        let paths: Vec<String> = (0..10).map(|layer| layer.to_string()).collect();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let lsuv = LsuvConfig::new().with_tolerance(0.01).init().unwrap();
        let outcome = lsuv.apply(&layers, &paths, outputs).unwrap();
        for layer in &outcome.layers {
            let (_, variance) = mean_and_variance(&values(outputs(&outcome.model, &layer.path)));
            assert!(
                (variance - 1.0).abs() < 0.011,
                "{name}: {layer:?} {variance}"
            );
            // A weight enters its own output linearly: one division is enough.
            assert_eq!(layer.iterations, 1, "{name}: {layer:?}");
        }
        assert!(outcome.model[3].weight.is_require_grad());
        assert_eq!(outcome.model[3].weight.id, layers[3].weight.id);
        // Only the layers named, and the original not at all.
        let one = lsuv.apply(&layers, &["2"], outputs).unwrap().model;
        assert_eq!(values(one[1].weight.val()), values(layers[1].weight.val()));
        assert_ne!(values(one[2].weight.val()), values(layers[2].weight.val()));

        let error = lsuv.apply(&layers, &["10"], outputs).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the module has no weight at `10.weight`; similar paths are `0.weight`, `1.weight`, `2.weight`"
        );
        let zeros = init(&layers, WeightInit::ZEROS, 0);
        let error = lsuv.apply(&zeros, &["0"], outputs).unwrap_err();
        assert!(matches!(error, InitError::Output { variance: 0.0, .. }));
    }
}
