//! The laws of augmentations: shapes, types and devices stay, nothing happens with probability 0, targets sum to 1,
//! and what is drawn for a sample depends on nothing but its seed.

use crate::devices::devices;
use burn::data::dataloader::DataLoader;
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::InMemDataset;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use burn_tricks::data::*;
use burn_tricks::train::{EpochClock, EpochLoaderConfig};
use std::collections::HashSet;

type Batch = (Tensor<4>, Tensor<2>);
type Made = Result<Augmentations<Batch>, ConfigError>;

const BATCH: usize = 12;
const CLASSES: usize = 4;

fn one(augmentation: impl Augmentation<Batch> + 'static) -> Augmentations<Batch> {
    Augmentations::new().with(augmentation)
}

fn cutmix() -> MixSamplesConfig {
    MixSamplesConfig::cutmix(1.0)
}

/// Every augmentation, with this probability, under which it changes a sample.
fn all(prob: f64) -> Vec<(&'static str, Made)> {
    let mix = || MixSamplesConfig::mixup_or_cutmix(0.8, 1.0).with_prob(prob);
    let erasing = || RandomErasingConfig::timm().with_prob(prob);
    let flip = HorizontalFlipConfig::new().with_prob(prob);
    let cutout = CutoutConfig::new(3).with_prob(prob);
    vec![
        ("flip", flip.init().map(one)),
        ("cutout", cutout.init().map(one)),
        ("erasing", erasing().init().map(one)),
        (
            "erasing, pixels",
            erasing()
                .with_fill(ErasingFill::RandomPixels)
                .with_boxes([1, 3])
                .init()
                .map(one),
        ),
        (
            "erasing, colour",
            erasing()
                .with_fill(ErasingFill::RandomColor)
                .init()
                .map(one),
        ),
        ("mix, batch", mix().init().map(one)),
        ("mix, pair", mix().with_unit(MixUnit::Pair).init().map(one)),
        (
            "mix, sample",
            mix().with_unit(MixUnit::Sample).init().map(one),
        ),
        (
            "mix, roll",
            mix()
                .with_unit(MixUnit::Sample)
                .with_pairing(Pairing::Roll)
                .init()
                .map(one),
        ),
        (
            "mix, shuffle",
            mix().with_pairing(Pairing::Shuffle).init().map(one),
        ),
        (
            "cutmix by sides",
            cutmix()
                .with_prob(prob)
                .with_cut_sides(Some([0.3, 0.8]))
                .init()
                .map(one),
        ),
    ]
}

/// Augmentations without a probability.
fn certain() -> Vec<(&'static str, Made)> {
    let crop = |fill| {
        RandomCropConfig::new([8, 6])
            .with_padding(2)
            .with_fill(fill)
    };
    vec![
        ("crop", crop(CropPadding::Constant(0.5)).init().map(one)),
        ("crop, edge", crop(CropPadding::Edge).init().map(one)),
        ("crop, reflect", crop(CropPadding::Reflect).init().map(one)),
        ("smoothing", LabelSmoothingConfig::new(0.1).init().map(one)),
    ]
}

/// Sample `at` has the same pixels and target in every batch.
fn batch_of(samples: &[usize], device: &Device, dtype: DType) -> Batch {
    let pixels = samples.iter().flat_map(|sample| {
        let pixel = move |at: usize| ((sample * 31 + at * 7) % 97) as f32 / 32.0 + 0.125;
        (0..2 * 8 * 6).map(pixel)
    });
    let pixels = TensorData::new(pixels.collect::<Vec<_>>(), [samples.len(), 2, 8, 6]);
    let labels = samples.iter().map(|sample| (sample % CLASSES) as i32);
    let labels = TensorData::new(labels.collect::<Vec<_>>(), [samples.len()]);
    let targets = soft_targets(Tensor::<1, Int>::from_data(labels, device), CLASSES);
    (
        Tensor::from_data(pixels, (device, dtype)),
        targets.cast(dtype),
    )
}

fn seeds(samples: &[usize]) -> Vec<u64> {
    samples.iter().map(|at| sample_seed(42, 3, *at)).collect()
}

fn flat<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.to_data().iter::<f32>().collect()
}

fn samples() -> Vec<usize> {
    (0..BATCH).collect()
}

#[test]
fn shapes_types_and_devices_stay() {
    for (name, device) in devices() {
        for dtype in [DType::F32, DType::F16]
            .into_iter()
            .filter(|dtype| device.supports_dtype(*dtype))
        {
            for (what, augmentations) in all(0.7).into_iter().chain(certain()) {
                let batch = batch_of(&samples(), &device, dtype);
                let (images, targets) = augmentations.unwrap().apply(batch, &seeds(&samples()));
                assert_eq!(images.dims(), [BATCH, 2, 8, 6], "{what} on {name}");
                assert_eq!(targets.dims(), [BATCH, CLASSES], "{what} on {name}");
                assert_eq!([images.dtype(), targets.dtype()], [dtype; 2], "{what}");
                assert_eq!(
                    [images.device(), targets.device()],
                    [(); 2].map(|()| device.clone())
                );
                assert!(
                    flat(&images).iter().all(|pixel| pixel.is_finite()),
                    "{what}"
                );
            }
        }
    }
}

#[test]
fn with_probability_zero_nothing_changes_to_the_bit() {
    for (name, device) in devices() {
        for (what, augmentations) in all(0.0) {
            let (mut images, targets) = batch_of(&samples(), &device, DType::F32);
            // What no arithmetic leaves as it is.
            let infinite = Tensor::full([1, 1, 1, 1], f32::INFINITY, &device);
            images = images.slice_assign([0..1, 0..1, 0..1, 0..1], infinite);
            let before = [flat(&images), flat(&targets)];
            let after = augmentations
                .unwrap()
                .apply((images, targets), &seeds(&samples()));
            assert_eq!([flat(&after.0), flat(&after.1)], before, "{what} on {name}");
        }
    }
}

#[test]
fn with_probability_one_every_sample_changes() {
    let device = Device::flex();
    for (what, augmentations) in all(1.0) {
        let before = batch_of(&samples(), &device, DType::F32).0;
        let augmentations = augmentations.unwrap();
        let mut changed = [false; BATCH];
        // A drawn box may be empty, or the pixel that it erases 0.
        for epoch in 0..8 {
            let seeds: Vec<_> = samples()
                .iter()
                .map(|at| sample_seed(1, epoch, *at))
                .collect();
            let batch = batch_of(&samples(), &device, DType::F32);
            let after = augmentations.apply(batch, &seeds).0;
            for (at, changed) in changed.iter_mut().enumerate() {
                let [a, b] = [&before, &after].map(|x| flat(&x.clone().narrow(0, at, 1)));
                *changed |= a != b;
            }
        }
        assert_eq!(changed, [true; BATCH], "{what}");
    }
}

#[test]
fn samples_that_are_not_mixed_stay_to_the_bit() {
    let device = Device::flex();
    let mixing = Mixing {
        partners: vec![1, 0, 2],
        mixes: vec![
            SampleMix::Keep,
            SampleMix::Mixup { lambda: 0.5 },
            SampleMix::Keep,
        ],
    };
    let (images, _) = batch_of(&[0, 1, 2], &device, DType::F32);
    // Multiplied by 0 it would be NaN.
    let infinite = Tensor::full([1, 1, 1, 1], f32::INFINITY, &device);
    let images = images.slice_assign([1..2, 0..1, 0..1, 0..1], infinite);
    let mixed = mixing.images(images.clone());
    for at in [0, 2] {
        let [a, b] = [&images, &mixed].map(|x| flat(&x.clone().narrow(0, at, 1)));
        assert_eq!(a, b);
    }
}

#[test]
fn targets_sum_to_one() {
    let device = Device::flex();
    for (what, augmentations) in all(0.7).into_iter().chain(certain()) {
        let batch = batch_of(&samples(), &device, DType::F32);
        let (_, targets) = augmentations.unwrap().apply(batch, &seeds(&samples()));
        for sum in flat(&targets.sum_dim(1)) {
            assert!((sum - 1.0).abs() < 1e-6, "{what}: {sum}");
        }
    }
}

/// The share of a sample in its target is the share of its pixels in its image.
#[test]
fn the_target_of_cutmix_has_the_true_share_of_the_box() {
    let device = Device::flex();
    let mixes = [cutmix(), cutmix().with_cut_sides(Some([0.2, 0.9]))];
    for config in mixes.map(|config| config.with_unit(MixUnit::Sample)) {
        let mix = one(config.init().unwrap());
        // Sample 0 is white and of class 0, sample 1 is black and of class 1.
        for seed in 0..50 {
            let images = Tensor::<1>::from_floats([1.0, 0.0], &device);
            let images = images.reshape([2, 1, 1, 1]).repeat(&[1, 1, 8, 6]);
            let labels = Tensor::<1, Int>::from_data([0, 1], &device);
            let (images, targets) = mix.apply((images, soft_targets(labels, 2)), &[seed, seed]);
            let white = flat(&images.mean_dims(&[1, 2, 3]));
            let of_class = flat(&targets.slice([0..2, 0..1]));
            for (white, share) in white.iter().zip(of_class) {
                assert!((white - share).abs() < 1e-6, "{white} and {share}");
            }
        }
    }
}

#[test]
fn what_is_drawn_for_a_sample_does_not_depend_on_its_batch() {
    let device = Device::flex();
    let alone = [
        "flip",
        "cutout",
        "erasing",
        "erasing, pixels",
        "erasing, colour",
    ];
    let of_one_sample = all(0.5)
        .into_iter()
        .filter(|(what, _)| alone.contains(what));
    for (what, augmentations) in of_one_sample.chain(certain()) {
        let augmentations = augmentations.unwrap();
        let apply = |samples: &[usize]| {
            let batch = batch_of(samples, &device, DType::F32);
            flat(&augmentations.apply(batch, &seeds(samples)).0)
        };
        let whole = apply(&samples());
        for cut in [1, 3, 5] {
            let parts: Vec<f32> = samples().chunks(cut).flat_map(apply).collect();
            assert_eq!(parts, whole, "{what} in batches of {cut}");
        }
    }
    // λ and the choice of a sample, in a batch of any size.
    let config = MixSamplesConfig::mixup_or_cutmix(0.8, 1.0).with_unit(MixUnit::Sample);
    let mix = config.with_prob(0.7).init().unwrap();
    let draw = |samples: &[usize]| {
        mix.draw(&SampleSeeds::new(&seeds(samples), 0), [8, 6])
            .mixes
    };
    let whole = draw(&samples());
    for cut in [2, 4] {
        let parts: Vec<_> = samples().chunks(cut).flat_map(draw).collect();
        assert_eq!(parts, whole, "in batches of {cut}");
    }
}

#[test]
fn units_and_pairings_share_what_they_say() {
    let seeds = seeds(&samples()[..5]);
    let seeds = SampleSeeds::new(&seeds, 0);
    let config = || MixSamplesConfig::mixup_or_cutmix(0.8, 1.0);
    let draw = |config: MixSamplesConfig| config.init().unwrap().draw(&seeds, [8, 6]);
    let different = |mixing: &Mixing| {
        let lambdas = mixing.mixes.iter().map(|mix| mix.lambda().to_bits());
        lambdas.collect::<HashSet<_>>().len()
    };
    let flip = [4, 3, 2, 1, 0];
    let batch = draw(config());
    assert_eq!(batch.partners, flip);
    // The sample in the middle is its own partner.
    assert_eq!(batch.mixes[2], SampleMix::Keep);
    assert_eq!(different(&batch), 2);
    let pair = draw(config().with_unit(MixUnit::Pair));
    assert_eq!(
        [&pair.mixes[0], &pair.mixes[1]],
        [&pair.mixes[4], &pair.mixes[3]]
    );
    assert_eq!(different(&pair), 3);
    let sample = config().with_unit(MixUnit::Sample);
    assert_eq!(different(&draw(sample.clone())), 5);
    let roll = draw(sample.clone().with_pairing(Pairing::Roll));
    assert_eq!(roll.partners, [4, 0, 1, 2, 3]);
    let shuffled = draw(sample.with_pairing(Pairing::Shuffle));
    let mut sorted = shuffled.partners.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [0, 1, 2, 3, 4]);
    assert_ne!(shuffled.partners, sorted);
}

#[test]
fn probabilities_and_ranges_are_those_of_the_configuration() {
    let seeds: Vec<u64> = (0..4000).map(|at| sample_seed(5, 1, at)).collect();
    let seeds = SampleSeeds::new(&seeds, 2);
    let flips = HorizontalFlipConfig::new().with_prob(0.3).init().unwrap();
    let share = |count: usize| count as f64 / 4000.0;
    let flipped = flips.draw(&seeds).into_iter().filter(|flip| *flip).count();
    assert!((share(flipped) - 0.3).abs() < 0.03, "{flipped}");

    let config = MixSamplesConfig::mixup_or_cutmix(0.4, 1.0).with_unit(MixUnit::Sample);
    let mix = config.with_prob(0.5).with_switch_prob(0.25).init().unwrap();
    let mixes = mix.draw(&seeds, [32, 32]).mixes;
    let cut = mixes
        .iter()
        .filter(|mix| matches!(mix, SampleMix::Cutmix { .. }));
    let cut = share(cut.count());
    let lambdas: Vec<f64> = mixes
        .iter()
        .filter(|mix| matches!(mix, SampleMix::Mixup { .. }))
        .map(SampleMix::lambda)
        .collect();
    let mixup = share(lambdas.len());
    assert!(
        (cut - 0.125).abs() < 0.02 && (mixup - 0.375).abs() < 0.03,
        "{cut} {mixup}"
    );
    // Beta(α, α) has the mean 1/2 and the variance 1 / (4 (2 α + 1)).
    let mean = lambdas.iter().sum::<f64>() / lambdas.len() as f64;
    let squares = lambdas.iter().map(|lambda| (lambda - mean).powi(2));
    let variance = squares.sum::<f64>() / lambdas.len() as f64;
    assert!((mean - 0.5).abs() < 0.03, "{mean}");
    assert!((variance - 1.0 / 7.2).abs() < 0.01, "{variance}");

    let erasing = RandomErasingConfig::torchvision()
        .with_prob(0.4)
        .init()
        .unwrap();
    let erased: Vec<_> = erasing.draw(&seeds, [3, 64, 64]).concat();
    assert!((share(erased.len()) - 0.4).abs() < 0.03, "{}", erased.len());
    for Erasure { area, .. } in &erased {
        let aspect = area.rows.len() as f64 / area.columns.len() as f64;
        let of_image = area.area() as f64 / 4096.0;
        assert!(
            (0.015..0.34).contains(&of_image) && (0.25..3.8).contains(&aspect),
            "{area:?}"
        );
        assert!(area.rows.end <= 64 && area.columns.end <= 64, "{area:?}");
    }
    let boxes = RandomErasingConfig::timm()
        .with_prob(1.0)
        .with_boxes([2, 3]);
    let counts = boxes.init().unwrap().draw(&seeds, [3, 64, 64]);
    let counts: HashSet<_> = counts.iter().map(Vec::len).collect();
    assert_eq!(counts, HashSet::from([2, 3]));

    let crop = RandomCropConfig::new([4, 5]).init().unwrap();
    let corners: HashSet<_> = crop.draw(&seeds, [6, 6]).into_iter().collect();
    assert_eq!(corners.len(), 3 * 2, "every place");
}

#[test]
fn augmentations_of_a_chain_draw_apart() {
    let seeds = seeds(&samples());
    let flips = HorizontalFlipConfig::new().init().unwrap();
    let at = |place| flips.draw(&SampleSeeds::new(&seeds, place));
    assert_eq!(at(0), at(0));
    assert_ne!(at(0), at(1));
}

/// Numbers as images of 4×4 pixels.
#[derive(Clone)]
struct Numbers;

impl Batcher<usize, Batch> for Numbers {
    fn batch(&self, items: Vec<usize>, device: &Device) -> Batch {
        batch_of(&items, device, DType::F32)
    }
}

/// The batches of an epoch, each with its images.
fn epoch(epoch: usize, workers: usize) -> Vec<Vec<f32>> {
    let erasing = RandomErasingConfig::timm().with_fill(ErasingFill::RandomPixels);
    let mix = MixSamplesConfig::mixup_or_cutmix(0.8, 1.0);
    let train = Augmentations::new()
        .with(
            RandomCropConfig::new([8, 6])
                .with_padding(2)
                .init()
                .unwrap(),
        )
        .with(erasing.init().unwrap())
        .with(mix.init().unwrap());
    let clock = EpochClock::new();
    let dataset = InMemDataset::new((0..23).collect());
    let loader = EpochLoaderConfig::new(4, 42)
        .with_workers(workers)
        .with_reseed_device(false)
        .init_seeded(dataset, train.batcher(Numbers), &Device::flex(), &clock)
        .unwrap();
    clock.set(epoch);
    loader.iter().map(|batch| flat(&batch.unwrap().0)).collect()
}

#[test]
fn a_resumed_run_augments_as_the_uninterrupted_one() {
    let second = epoch(2, 0);
    assert_eq!(second, epoch(2, 0));
    assert_eq!(second, epoch(2, 3), "with any number of workers");
    assert_ne!(second, epoch(1, 0));
}

#[test]
fn bad_settings_are_refused_by_name() {
    let refused = |made: Result<(), ConfigError>, text: &str| {
        let error = made.unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    };
    let mix = MixSamplesConfig::mixup_or_cutmix;
    refused(
        mix(0.0, 0.0).init().map(drop),
        "`mixup_alpha` must be greater than 0",
    );
    refused(
        mix(-1.0, 0.0).init().map(drop),
        "`mixup_alpha` must be a finite",
    );
    refused(mix(0.0, f64::NAN).init().map(drop), "`cutmix_alpha`");
    // Of which every λ would be NaN.
    refused(mix(f64::MAX, 0.0).init().map(drop), "got 1.79");
    refused(mix(1.0, 1.0).with_prob(1.5).init().map(drop), "got 1.5");
    let sides = mix(1.0, 1.0).with_cut_sides(Some([0.9, 0.2]));
    refused(sides.init().map(drop), "`cut_sides` must be two ascending");
    let sides = mix(1.0, 0.0).with_cut_sides(Some([0.2, 0.9]));
    refused(sides.init().map(drop), "`cutmix_alpha` greater than 0");
    let pair = mix(1.0, 1.0)
        .with_unit(MixUnit::Pair)
        .with_pairing(Pairing::Roll);
    refused(pair.init().map(drop), "`pairing` must be `Flip`");
    let erasing = RandomErasingConfig::new;
    refused(
        erasing([0.5, 0.1], [1.0, 1.0]).init().map(drop),
        "`area` must be the least",
    );
    refused(erasing([0.1, 1.5], [1.0, 1.0]).init().map(drop), "got 1.5");
    refused(erasing([0.1, 0.5], [0.0, 1.0]).init().map(drop), "`aspect`");
    let none = erasing([0.1, 0.5], [1.0, 1.0]).with_boxes([0, 1]);
    refused(none.init().map(drop), "`boxes` must be at least 1");
    refused(RandomCropConfig::new([0, 4]).init().map(drop), "`size`");
    refused(
        HorizontalFlipConfig::new().with_prob(-0.1).init().map(drop),
        "`prob`",
    );
    refused(
        CutoutConfig::new(4).with_fill(f32::NAN).init().map(drop),
        "`fill`",
    );
    refused(
        LabelSmoothingConfig::new(1.1).init().map(drop),
        "`smoothing`",
    );
}

#[test]
fn an_empty_batch_has_the_shape_of_others() {
    for (name, device) in devices() {
        let empty = || {
            let images = Tensor::<4>::zeros([0, 2, 10, 7], &device);
            (images, Tensor::<2>::zeros([0, CLASSES], &device))
        };
        for (what, augmentations) in all(1.0).into_iter().chain(certain()) {
            let (images, targets) = augmentations.unwrap().apply(empty(), &[]);
            let size = if what.starts_with("crop") {
                [8, 6]
            } else {
                [10, 7]
            };
            assert_eq!(images.dims(), [0, 2, size[0], size[1]], "{what} on {name}");
            assert_eq!(targets.dims(), [0, CLASSES], "{what} on {name}");
        }
    }
}

#[test]
#[should_panic(expected = "a batch of 3 samples must have one image each, got 2 images")]
fn a_batcher_that_loses_samples_is_found_out() {
    let batch = batch_of(&[0, 1], &Device::flex(), DType::F32);
    one(cutmix().init().unwrap()).apply(batch, &[1, 2, 3]);
}

#[test]
#[should_panic(expected = "a crop of [9, 6] pixels must fit into the padded images, got [8, 6]")]
fn a_crop_larger_than_the_image_is_refused() {
    let batch = batch_of(&[0, 1], &Device::flex(), DType::F32);
    one(RandomCropConfig::new([9, 6]).init().unwrap()).apply(batch, &[1, 2]);
}
