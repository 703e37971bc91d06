//! Each setting of an augmentation reaches the batch: sizes, fills, padding, smoothing, the λ of targets.

use burn::tensor::ops::PadMode;
use burn::tensor::{Device, Int, Tensor};
use burn_tricks::data::*;
use std::collections::HashSet;

type Batch = (Tensor<4>, Tensor<2>);

const SAMPLES: usize = 600;

fn seeds() -> Vec<u64> {
    (0..SAMPLES).map(|at| sample_seed(3, 1, at)).collect()
}

/// Different pixels, above 1, so that no erased one has its old value.
fn images(count: usize, side: usize) -> Tensor<4> {
    let device = Device::flex();
    let pixels = Tensor::<1, Int>::arange(0..(count * 2 * side * side) as i64, &device);
    pixels.float().reshape([count, 2, side, side]) + 10.0
}

fn targets(count: usize) -> Tensor<2> {
    let labels = Tensor::<1, Int>::arange(0..count as i64, &Device::flex());
    soft_targets(labels.remainder_scalar(4), 4)
}

fn flat<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

fn apply(augmentation: impl Augmentation<Batch> + 'static, batch: Batch) -> [Vec<f32>; 2] {
    let seeds = &seeds()[..batch.0.dims()[0]];
    let (images, targets) = Augmentations::new().with(augmentation).apply(batch, seeds);
    [flat(images), flat(targets)]
}

#[test]
fn cutout_erases_a_square_that_the_border_may_clip() {
    let seeds = seeds();
    let seeds = SampleSeeds::new(&seeds, 0);
    for size in [8, 5] {
        let cutout = CutoutConfig::new(size).init().unwrap();
        let boxes: Vec<ImageBox> = cutout
            .draw(&seeds, [32, 24])
            .into_iter()
            .flatten()
            .collect();
        assert_eq!(boxes.len(), SAMPLES);
        let mut sizes = HashSet::new();
        for area in &boxes {
            for (side, length) in [(&area.rows, 32), (&area.columns, 24)] {
                let is_clipped = side.start == 0 || side.end == length;
                assert!(side.len() == size || is_clipped, "{area:?}");
                assert!(side.len() <= size && side.len() >= size / 2, "{area:?}");
                assert!(side.end <= length, "{area:?}");
            }
            sizes.insert([area.rows.len(), area.columns.len()]);
        }
        // Each clipping of either side, and whole squares.
        let lengths = size - size / 2 + 1;
        assert!(sizes.contains(&[size, size]) && sizes.len() > lengths * lengths / 2);
    }
    // What is drawn is what is erased.
    let cutout = CutoutConfig::new(3).with_prob(0.5).with_fill(-2.0);
    let cutout = cutout.init().unwrap();
    let seeds = &self::seeds()[..8];
    let boxes = cutout.draw(&SampleSeeds::new(seeds, 0), [6, 6]);
    let expected = boxes.into_iter().map(|area| {
        let values = vec![-2.0];
        area.map(|area| Erasure { area, values })
            .into_iter()
            .collect()
    });
    let expected = erase(images(8, 6), &expected.collect::<Vec<_>>());
    let [erased, _] = apply(cutout, (images(8, 6), targets(8)));
    assert_eq!(erased, flat(expected));
}

#[test]
fn several_boxes_share_the_area() {
    let seeds = seeds();
    let seeds = SampleSeeds::new(&seeds, 0);
    let erasing = RandomErasingConfig::timm().with_prob(1.0);
    let share = |boxes: usize| {
        let erasing = erasing.clone().with_boxes([boxes, boxes]).init().unwrap();
        let erased = erasing.draw(&seeds, [1, 64, 64]).concat();
        let pixels = erased.iter().map(|erasure| erasure.area.area());
        pixels.sum::<usize>() as f64 / 4096.0 / SAMPLES as f64
    };
    // The mean of 2 % and a third, less the boxes that do not fit into the image, which are few if they are small.
    let [one, four] = [1, 4].map(share);
    assert!((0.16..0.18).contains(&one), "{one}");
    assert!((0.17..0.183).contains(&four), "{four}");
}

#[test]
fn random_fills_are_normal_by_channel_or_by_pixel() {
    let seeds = seeds();
    let seeds = SampleSeeds::new(&seeds, 0);
    let drawn = |fill: ErasingFill| {
        let erasing = RandomErasingConfig::timm().with_prob(1.0).with_fill(fill);
        erasing.init().unwrap().draw(&seeds, [3, 16, 16]).concat()
    };
    let (colors, pixels) = (
        drawn(ErasingFill::RandomColor),
        drawn(ErasingFill::RandomPixels),
    );
    assert!(colors.iter().all(|erasure| erasure.values.len() == 3));
    for erasure in &pixels {
        assert_eq!(erasure.values.len(), 3 * erasure.area.area());
    }
    for erasures in [colors, pixels] {
        let values: Vec<f64> = erasures
            .iter()
            .flat_map(|erasure| erasure.values.iter().copied().map(f64::from))
            .collect();
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|value| value * value).sum::<f64>() / count;
        assert!(mean.abs() < 5.0 / count.sqrt(), "{mean}");
        assert!((variance - 1.0).abs() < 8.0 / count.sqrt(), "{variance}");
    }
    let channels = drawn(ErasingFill::Channels(vec![0.5, 1.0, 2.0]));
    assert!(
        channels
            .iter()
            .all(|erasure| erasure.values == [0.5, 1.0, 2.0])
    );
}

#[test]
fn crops_are_padded_as_the_configuration_says() {
    let fills = [
        (CropPadding::Constant(0.5), PadMode::Constant(0.5)),
        (CropPadding::Edge, PadMode::Edge),
        (CropPadding::Reflect, PadMode::Reflect),
    ];
    for (fill, mode) in fills {
        let crop = RandomCropConfig::new([5, 4])
            .with_padding(2)
            .with_fill(fill);
        let crop = crop.init().unwrap();
        let seeds = &seeds()[..8];
        let corners = crop.draw(&SampleSeeds::new(seeds, 0), [10, 10]);
        let padded = images(8, 6).pad([(2, 2), (2, 2)], mode);
        let expected = flat(crop_at(padded, &corners, [5, 4]));
        assert_eq!(
            apply(crop, (images(8, 6), targets(8)))[0],
            expected,
            "{fill:?}"
        );
    }
}

#[test]
fn targets_are_smoothed_whether_they_are_mixed_or_not() {
    let smoothed = || smooth_targets(targets(6), 0.2);
    let smoothing = LabelSmoothingConfig::new(0.2).init().unwrap();
    let [_, got] = apply(smoothing, (images(6, 6), targets(6)));
    assert_eq!(got, flat(smoothed()));
    let mix = MixSamplesConfig::mixup_or_cutmix(0.8, 1.0)
        .with_label_smoothing(0.2)
        .with_unit(MixUnit::Sample);
    for prob in [0.0, 0.5, 1.0] {
        let mix = mix.clone().with_prob(prob).init().unwrap();
        let mixing = mix.draw(&SampleSeeds::new(&seeds()[..6], 0), [6, 6]);
        let expected = [
            flat(mixing.images(images(6, 6))),
            flat(mixing.targets(smoothed())),
        ];
        assert_eq!(apply(mix, (images(6, 6), targets(6))), expected, "{prob}");
    }
}

/// A clipped box leaves more of a sample than λ says.
#[test]
fn the_lambda_of_cutmix_is_the_drawn_one_if_it_is_not_corrected() {
    let seeds = seeds();
    let lambdas = |corrected: bool| -> Vec<f64> {
        let cutmix = MixSamplesConfig::cutmix(1.0)
            .with_unit(MixUnit::Sample)
            .with_correct_lambda(corrected);
        let mixing = cutmix.init().unwrap();
        let mixing = mixing.draw(&SampleSeeds::new(&seeds, 0), [32, 32]);
        mixing.mixes.iter().map(SampleMix::lambda).collect()
    };
    let (drawn, corrected) = (lambdas(false), lambdas(true));
    let mean = |lambdas: &[f64]| lambdas.iter().sum::<f64>() / SAMPLES as f64;
    // λ is uniform. The box is rounded down and clipped, never enlarged.
    assert!((mean(&drawn) - 0.5).abs() < 0.05, "{}", mean(&drawn));
    assert!(mean(&corrected) > 0.6, "{}", mean(&corrected));
    assert!(
        drawn
            .iter()
            .zip(&corrected)
            .all(|(drawn, true_share)| drawn <= true_share)
    );
}

/// timm's bounds: the second is not reached.
#[test]
fn sides_of_cut_boxes_are_drawn_between_the_shares() {
    for (shares, expected) in [
        ([0.25, 0.5], HashSet::from([2, 3])),
        ([0.9, 1.0], HashSet::from([7])),
        ([0.5, 0.6], HashSet::from([4])),
    ] {
        let config = MixSamplesConfig::cutmix(1.0).with_unit(MixUnit::Sample);
        let mix = config.with_cut_sides(Some(shares)).init().unwrap();
        let mixing = mix.draw(&SampleSeeds::new(&seeds(), 0), [8, 8]);
        for side in [0, 1] {
            let sides = mixing.mixes.iter().map(|mix| match mix {
                SampleMix::Cutmix { area, .. } => [area.rows.len(), area.columns.len()][side],
                mix => panic!("no box: {mix:?}"),
            });
            assert_eq!(sides.collect::<HashSet<_>>(), expected, "{shares:?}");
        }
    }
}

/// On a GPU nothing checks an index.
#[test]
#[should_panic(
    expected = "`partners` must be samples of the batch of 2, counted from 0, got [1, 5]"
)]
fn partners_of_images_are_samples_of_the_batch() {
    with_partners(vec![1, 5]).images(images(2, 3));
}

#[test]
#[should_panic(
    expected = "`partners` must be samples of the batch of 2, counted from 0, got [2, 0]"
)]
fn partners_of_targets_are_samples_of_the_batch() {
    with_partners(vec![2, 0]).targets(targets(2));
}

fn with_partners(partners: Vec<usize>) -> Mixing {
    let mixes = vec![SampleMix::Mixup { lambda: 0.5 }; 2];
    Mixing { partners, mixes }
}

/// Its second column would be in the next row.
fn beyond() -> ImageBox {
    ImageBox {
        rows: 0..1,
        columns: 2..4,
    }
}

fn erased(area: ImageBox, values: Vec<f32>) {
    let _ = erase(images(1, 3), &[vec![Erasure { area, values }]]);
}

#[test]
#[should_panic(expected = "columns: 2..4 } must lie in an image of [3, 3]")]
fn an_erased_box_lies_in_its_image() {
    erased(beyond(), vec![0.0]);
}

#[test]
#[should_panic(expected = "a box of 2 pixels and 2 channels must have 1, 2 or 4 values, got 3")]
fn an_erased_box_has_values_for_its_pixels() {
    let area = ImageBox {
        rows: 0..1,
        columns: 0..2,
    };
    erased(area, vec![0.0; 3]);
}

#[test]
#[should_panic(expected = "columns: 2..4 } must lie in an image of [3, 3]")]
fn a_mixed_box_lies_in_its_image() {
    let (area, lambda) = (beyond(), 0.5);
    let mixing = Mixing {
        partners: vec![1, 0],
        mixes: vec![SampleMix::Cutmix { area, lambda }; 2],
    };
    let _ = mixing.images(images(2, 3));
}

#[test]
#[should_panic(expected = "crops of [2, 2] pixels at [[1, 2]] must lie in images of [3, 3]")]
fn a_crop_lies_in_its_image() {
    let _ = crop_at(images(1, 3), &[[1, 2]], [2, 2]);
}
