//! Initial weights that are mostly zero: identity, Dirac, sparse.

use crate::devices::devices;
use crate::models::{alone, values};
use crate::norms::grid;
use crate::oracle::{case, numbers, read};
use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2dConfig};
use burn::nn::{EmbeddingConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::nn::{InitError, InitWeightsConfig, WeightInit};

fn init<M: Module>(model: &M, weights: WeightInit) -> Result<M, InitError> {
    let config = InitWeightsConfig::new(weights).with_seed(Some(7));
    config.init().unwrap().apply(model)
}

fn weight<const D: usize>(weights: WeightInit, shape: [usize; D], device: &Device) -> Vec<f64> {
    let param = vec![Param::from_tensor(Tensor::<D>::ones(shape, device))];
    let rule = InitWeightsConfig::only("0", weights).init().unwrap();
    values(rule.apply(&param).unwrap()[0].val())
}

#[test]
fn identities_are_those_of_pytorch() {
    let _alone = alone();
    for (name, device) in devices() {
        let case_of = |name| case("one_to_one", name);
        let expected = |name| numbers(&case_of(name)["values"]);
        let dirac = |name| WeightInit::Dirac {
            groups: read(&case_of(name)["groups"]),
        };
        let eye = weight(WeightInit::IDENTITY, [3, 5], &device);
        assert_eq!(eye, expected("eye"), "{name}");
        let halves = weight(WeightInit::Identity { gain: 0.5 }, [3, 5], &device);
        let half = |value: f64| 0.5 * value;
        let of_torch: Vec<f64> = expected("eye").into_iter().map(half).collect();
        assert_eq!(halves, of_torch, "{name}");
        let found = [
            weight(dirac("dirac_1d"), [3, 2, 3], &device),
            weight(dirac("dirac_2d"), [4, 3, 3, 5], &device),
            weight(dirac("dirac_2d_groups"), [4, 2, 3, 3], &device),
            weight(dirac("dirac_3d"), [2, 2, 2, 3, 1], &device),
        ];
        let names = ["dirac_1d", "dirac_2d", "dirac_2d_groups", "dirac_3d"];
        assert_eq!(found, names.map(expected), "{name}");
    }
}

fn conv(channels: [usize; 2], groups: usize, device: &Device) -> Conv2d {
    Conv2dConfig::new(channels, [3, 3])
        .with_padding(PaddingConfig2d::Same)
        .with_groups(groups)
        .init(device)
}

#[test]
fn layers_hand_their_input_on() {
    let _alone = alone();
    for (name, device) in devices() {
        let linear: Linear = LinearConfig::new(4, 4).init(&device);
        let linear = init(&linear, WeightInit::IDENTITY).unwrap();
        let x = grid([3, 4], 0.7, 1.0, (&device, DType::F32));
        assert_eq!(values(linear.forward::<2>(x.clone())), values(x), "{name}");

        let images = grid([2, 4, 5, 5], 0.7, 1.0, (&device, DType::F32));
        for groups in [1, 2, 4] {
            let conv = init(&conv([4, 4], groups, &device), WeightInit::Dirac { groups });
            let y = conv.unwrap().forward(images.clone());
            assert_eq!(values(y), values(images.clone()), "{name}: {groups} groups");
        }
        let transposed = ConvTranspose2dConfig::new([4, 4], [3, 3]).with_padding([1, 1]);
        let transposed = init(&transposed.init(&device), WeightInit::DIRAC).unwrap();
        assert_eq!(
            values(transposed.forward(images.clone())),
            values(images),
            "{name}"
        );
    }
}

/// Martens limits the weights that come *into* a unit. PyTorch's `sparse_` counts along the first axis of `[out, in]`,
/// and so limits the weights that leave an input.
#[test]
fn each_unit_has_the_same_number_of_weights_that_are_not_zero() {
    let _alone = alone();
    for (name, device) in devices() {
        let sparse = WeightInit::Sparse {
            sparsity: 0.7,
            std: 0.1,
        };
        let linear: Linear = init(&LinearConfig::new(9, 40).init(&device), sparse).unwrap();
        let values_of = |weight: Tensor<2>| values(weight);
        let weight = values_of(linear.weight.val());
        let in_unit = |unit: usize| (0..9).filter(move |input| weight[input * 40 + unit] != 0.0);
        // ⌈0.7 · 9⌉ = 7 zeros
        let counts: Vec<usize> = (0..40).map(|unit| in_unit.clone()(unit).count()).collect();
        assert_eq!(counts, [2; 40], "{name}");
        let places: Vec<Vec<usize>> = (0..40)
            .map(|unit| in_unit.clone()(unit).collect())
            .collect();
        assert!(places.iter().any(|place| *place != places[0]), "{name}");

        let conv = init(&conv([6, 50], 1, &device), sparse).unwrap();
        let weight = values(conv.weight.val());
        for filter in weight.chunks(54) {
            let held = filter.iter().filter(|weight| **weight != 0.0).count();
            assert_eq!(held, 54 - 38, "{name}: ⌈0.7 · 54⌉ = 38 zeros");
        }
        let held: Vec<f64> = weight.into_iter().filter(|weight| *weight != 0.0).collect();
        let n = held.len() as f64;
        let variance = held.iter().map(|weight| weight * weight).sum::<f64>() / n;
        // The relative error of a variance of n normal numbers is √(2/n).
        let error = 5.0 * (2.0 / n).sqrt();
        assert!((variance / 0.01 - 1.0).abs() < error, "{name}: {variance}");

        let again = init(&LinearConfig::new(9, 40).init(&device), sparse).unwrap();
        assert_eq!(
            values_of(again.weight.val()),
            values_of(linear.weight.val()),
            "{name}: a seed"
        );
    }
}

#[test]
fn what_has_another_shape_is_refused() {
    let _alone = alone();
    let device = Device::flex();
    let sparse = WeightInit::Sparse {
        sparsity: 0.5,
        std: 0.1,
    };
    let refused = |error: InitError, text: &str| {
        assert!(error.to_string().contains(text), "{error}");
    };
    let conv = conv([4, 6], 1, &device);
    refused(
        init(&conv, WeightInit::IDENTITY).unwrap_err(),
        "`weight` of shape [6, 4, 3, 3] cannot be drawn by Identity { gain: 1.0 }: an identity matrix has two dimensions",
    );
    refused(
        init(&conv, WeightInit::Dirac { groups: 4 }).unwrap_err(),
        "`groups` must divide the first dimension",
    );
    let linear = LinearConfig::new(2, 2).init(&device);
    refused(
        init(&linear, WeightInit::DIRAC).unwrap_err(),
        "for a linear layer there is `Identity`",
    );
    let rows = EmbeddingConfig::new(4, 2).init(&device);
    let rule = InitWeightsConfig::only("weight", sparse).init().unwrap();
    refused(rule.apply(&rows).unwrap_err(), "it has no fans");
    for (bad, field) in [
        (WeightInit::Identity { gain: f64::NAN }, "gain"),
        (WeightInit::Dirac { groups: 0 }, "groups"),
        (
            WeightInit::Sparse {
                sparsity: 1.1,
                std: 0.1,
            },
            "sparsity",
        ),
        (
            WeightInit::Sparse {
                sparsity: 0.5,
                std: 0.0,
            },
            "std",
        ),
    ] {
        let error = InitWeightsConfig::new(bad).init().unwrap_err();
        assert_eq!(error.field, field);
    }
}
