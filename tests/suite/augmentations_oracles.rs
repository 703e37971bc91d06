//! Augmented batches against timm, torchvision and PyTorch, for the same draws.

use crate::devices::devices;
use crate::oracle::{assert_close, case, numbers, read};
use burn::tensor::loss::cross_entropy_with_logits;
use burn::tensor::ops::PadMode;
use burn::tensor::{Device, Int, IntDType, Tensor, TensorData};
use burn_tricks::data::*;
use serde_json::Value;

const SIZE: [usize; 2] = [6, 5];

fn images(batch: usize, device: &Device) -> Tensor<4> {
    let count = batch * 2 * SIZE[0] * SIZE[1];
    let values = (0..count).map(|at| (at * 37 % 101) as f32 / 64.0 - 0.75);
    let values: Vec<f32> = values.collect();
    Tensor::from_data(
        TensorData::new(values, [batch, 2, SIZE[0], SIZE[1]]),
        device,
    )
}

fn flat<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// What the oracle's timm was given: λ, whether to cut, and the centres of boxes one after the other.
fn mixing(case: &Value, batch: usize, corrected: bool) -> Mixing {
    let mut centers = read::<Vec<usize>>(&case["centers"]).into_iter();
    let mut mix = |lambda: f64, cut: bool| {
        if lambda == 1.0 {
            return SampleMix::Keep;
        }
        if !cut {
            return SampleMix::Mixup { lambda };
        }
        let center = [centers.next().unwrap(), centers.next().unwrap()];
        let area = cutmix_box(lambda, center, SIZE);
        let true_share = 1.0 - area.area() as f64 / (SIZE[0] * SIZE[1]) as f64;
        SampleMix::Cutmix {
            area,
            lambda: if corrected { true_share } else { lambda },
        }
    };
    let mixes = match read::<String>(&case["mode"]).as_str() {
        "batch" => vec![mix(read(&case["lam"]), read(&case["cut"])); batch],
        mode => {
            let lambdas: Vec<f64> = read(&case["lam"]);
            let cuts: Vec<bool> = read(&case["cut"]);
            let mut mixes: Vec<_> = lambdas.iter().zip(cuts).map(|(l, c)| mix(*l, c)).collect();
            if mode == "pair" {
                let mirrored: Vec<_> = mixes.iter().rev().cloned().collect();
                mixes.extend(mirrored);
            }
            mixes
        }
    };
    Mixing {
        partners: (0..batch).rev().collect(),
        mixes,
    }
}

#[test]
fn mixed_batches_are_those_of_timm() {
    for (name, device) in devices() {
        for mode in ["mixup_batch", "cutmix_batch", "pair", "elem"] {
            for (suffix, corrected) in [("", true), ("_uncorrected", false)] {
                let key = format!("{mode}{suffix}");
                let expected = case("mix", &key);
                let mixing = mixing(expected, 4, corrected);
                let labels = Tensor::<1, Int>::from_data([2, 0, 1, 2], &device);
                let targets = smooth_targets(soft_targets(labels, 3), 0.1);
                let what = format!("{key} on {name}");
                let mixed = flat(mixing.images(images(4, &device)));
                assert_close(&mixed, &numbers(&expected["images"]), 1e-6, &what);
                let mixed = flat(mixing.targets(targets));
                assert_close(&mixed, &numbers(&expected["targets"]), 1e-6, &what);
            }
        }
    }
}

#[test]
fn mixed_batches_are_those_of_torchvision() {
    for (name, device) in devices() {
        let area = ImageBox {
            rows: 2..6,
            columns: 1..4,
        };
        let lambda = 1.0 - area.area() as f64 / 30.0;
        let mixes = [
            ("torchvision_mixup", SampleMix::Mixup { lambda: 0.3 }),
            ("torchvision_cutmix", SampleMix::Cutmix { area, lambda }),
        ];
        for (key, mix) in mixes {
            let expected = case("mix", key);
            let mixing = Mixing {
                partners: vec![2, 0, 1],
                mixes: vec![mix; 3],
            };
            let labels = Tensor::<1, Int>::from_data([2, 0, 1], &device);
            let what = format!("{key} on {name}");
            let mixed = flat(mixing.images(images(3, &device)));
            assert_close(&mixed, &numbers(&expected["images"]), 1e-6, &what);
            let mixed = flat(mixing.targets(soft_targets(labels, 3)));
            assert_close(&mixed, &numbers(&expected["targets"]), 1e-6, &what);
        }
    }
}

#[test]
fn boxes_of_cutmix_are_those_of_timm() {
    let cases: Vec<Value> = read(case("cutmix_boxes", "all"));
    assert!(cases.len() > 50);
    for case in cases {
        let image: [usize; 2] = read(&case["image"]);
        let area = cutmix_box(read(&case["lam"]), read(&case["center"]), image);
        let [top, bottom]: [usize; 2] = read(&case["rows"]);
        let [left, right]: [usize; 2] = read(&case["columns"]);
        let expected = ImageBox {
            rows: top..bottom,
            columns: left..right,
        };
        assert_eq!(area, expected, "{case}");
        let share = 1.0 - area.area() as f64 / (image[0] * image[1]) as f64;
        assert_eq!(share, read::<f64>(&case["corrected"]), "{case}");
    }
}

#[test]
fn sizes_of_erased_boxes_are_those_of_torchvision_and_timm() {
    let cases: Vec<Value> = read(case("erasing", "sizes"));
    let mut refused = 0;
    for case in &cases {
        let (share, aspect): (f64, f64) = (read(&case["share"]), read(&case["aspect"]));
        let size = RandomErasing::size_of_box(share, aspect, read(&case["image"]));
        let expected: Option<[usize; 2]> = read(&case["size"]);
        assert_eq!(size, expected, "{case}");
        refused += usize::from(expected.is_none());
    }
    assert!(cases.len() > 40 && refused > 0, "{refused} refused");
}

#[test]
fn erased_flipped_and_cropped_images_are_those_of_torchvision() {
    let at = |top: usize, left: usize, height: usize, width: usize, values: Vec<f32>| {
        let area = ImageBox {
            rows: top..top + height,
            columns: left..left + width,
        };
        vec![vec![Erasure { area, values }]]
    };
    let pixels: Vec<f32> = (0..12).map(|at| at as f32 / 8.0).collect();
    for (name, device) in devices() {
        let x = || images(1, &device);
        let pad = |mode: PadMode| x().pad([(2, 2), (2, 2)], mode);
        let constant = pad(PadMode::Constant(0.25));
        let actual = [
            ("constant", erase(x(), &at(1, 2, 3, 2, vec![1.5]))),
            ("channels", erase(x(), &at(1, 2, 3, 2, vec![0.5, -0.25]))),
            ("pixels", erase(x(), &at(3, 1, 2, 3, pixels.clone()))),
            ("flipped", flip_horizontally(x(), &[true])),
            ("crop_constant", crop_at(constant, &[[1, 3]], [6, 5])),
            ("crop_edge", crop_at(pad(PadMode::Edge), &[[4, 0]], [6, 5])),
            (
                "crop_reflect",
                crop_at(pad(PadMode::Reflect), &[[0, 2]], [4, 3]),
            ),
        ];
        for (key, actual) in actual {
            let expected = numbers(case("erasing", key));
            assert_eq!(flat(actual), expected, "{key} on {name}");
        }
    }
}

#[test]
fn labels_of_any_integer_type_become_soft_targets() {
    for dtype in [IntDType::U8, IntDType::I64, IntDType::U32] {
        let labels = Tensor::<1, Int>::from_data([2, 0], &Device::flex()).cast(dtype);
        // More classes than the smallest type has numbers.
        let targets = flat(soft_targets(labels, 300));
        let ones: Vec<usize> = (0..600).filter(|at| targets[*at] == 1.0).collect();
        assert_eq!(ones, [2, 300], "{dtype:?}");
        assert!(targets.iter().all(|target| [0.0, 1.0].contains(target)));
    }
}

#[test]
fn smoothed_soft_targets_have_the_loss_of_pytorch() {
    let case = case("soft_targets", "smoothed");
    for (name, device) in devices() {
        let matrix = |key: &str| {
            let values: Vec<f32> = read(&case[key]);
            Tensor::<2>::from_data(TensorData::new(values, [2, 3]), &device)
        };
        let targets = smooth_targets(matrix("targets"), 0.2);
        let loss = cross_entropy_with_logits(matrix("logits"), targets);
        assert_close(&flat(loss), &[read(&case["loss"])], 1e-6, name);
    }
}
