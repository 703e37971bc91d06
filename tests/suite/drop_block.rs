//! DropBlock: torchvision's masks, what shares a mask, and the modes of a dropout.

use crate::devices::{devices, training_devices};
use crate::models::{alone, dtypes, values};
use crate::norms::{assert_json, assert_near, assert_refused, grid};
use crate::oracle::{assert_close, case, numbers, read};
use burn::module::Module;
use burn::tensor::{DType, Device, Distribution, Tensor};
use burn_tricks::kernels::{Blocks, Noise, drop_blocks, drop_blocks_twin, noise};
use burn_tricks::nn::{DropBlock, DropBlockConfig, DropBlockUnit};

fn layer(prob: f64, block_size: usize) -> DropBlock {
    let config = DropBlockConfig::new(prob).with_block_size(block_size);
    config.init().unwrap()
}

/// `x` times the mask of blocks that begin where `begin` is 1, over the mean of the mask.
fn dropped(x: &[f64], begin: &[f64], shape: [usize; 4], block: usize) -> Vec<f64> {
    let [samples, channels, height, width] = shape;
    let [tall, wide] = [block.min(height), block.min(width)];
    let [rows, columns] = [height - tall + 1, width - wide + 1];
    let mut keep = vec![1.0; x.len()];
    for map in 0..samples * channels {
        for row in 0..rows {
            for column in 0..columns {
                if begin[(map * rows + row) * columns + column] == 0.0 {
                    continue;
                }
                for y in row..row + tall {
                    for x in column..column + wide {
                        keep[(map * height + y) * width + x] = 0.0;
                    }
                }
            }
        }
    }
    let mean = keep.iter().sum::<f64>() / keep.len() as f64;
    let kept = x.iter().zip(&keep);
    kept.map(|(x, keep)| if mean == 0.0 { 0.0 } else { x * keep / mean })
        .collect()
}

/// The random numbers that the layer draws after this seed: where blocks begin.
fn begins(shape: [usize; 4], gamma: f64, device: &Device, seed: u64) -> Vec<f64> {
    device.seed(seed);
    let places = Tensor::<4>::ones(shape, (device, DType::F32));
    let dropout = Noise::Dropout {
        prob: gamma,
        kept: 1.0,
    };
    let stays = values(noise(places, dropout, 0));
    stays.iter().map(|stays| 1.0 - stays).collect()
}

#[test]
fn masks_are_those_of_torchvision() {
    let _alone = alone();
    for name in ["torchvision", "one_pixel", "larger_than_the_map"] {
        let case = case("drop_block", name);
        let settings = &case["settings"];
        let shape: [usize; 4] = read(&settings["shape"]);
        let block: usize = read(&settings["block_size"]);
        let (prob, gamma): (f64, f64) = (read(&settings["prob"]), read(&case["gamma"]));
        let flex = Device::flex();
        let x = values(grid(shape, 0.7, 2.0, (&flex, DType::F64)));
        let expected = numbers(&case["output"]);
        let naive = dropped(&x, &numbers(&case["begin"]), shape, block);
        assert_close(&naive, &expected, 1e-12, name);
        // The layer makes of its own random numbers what torchvision makes of those above.
        for (backend, device) in training_devices() {
            let [samples, channels, height, width] = shape;
            let (rows, columns) = (height - block.min(height) + 1, width - block.min(width) + 1);
            let places = [samples, channels, rows, columns];
            // A seed with which a block begins somewhere.
            let mut seeds = (3..40).map(|seed| (seed, begins(places, gamma, &device, seed)));
            let (seed, begin) = seeds
                .find(|(_, begin)| begin.contains(&1.0))
                .expect("a block");
            device.seed(seed);
            let input = grid(shape, 0.7, 2.0, (&device, DType::F32));
            let got = values(layer(prob, block).forward(input));
            let naive = dropped(&x, &begin, shape, block);
            assert_near(&got, &naive, 2e-6, &format!("{backend} {name}"));
        }
    }
}

/// torchvision refuses an even block, and makes a block on a map of one row one pixel wide.
#[test]
fn even_blocks_and_narrow_maps_have_whole_blocks() {
    let _alone = alone();
    for (name, device) in training_devices() {
        for (shape, block, gamma) in [
            ([3, 2, 6, 6], 4, 0.4 * 36.0 / 16.0 / 9.0),
            ([2, 2, 1, 12], 5, 0.4 * 12.0 / 5.0 / 8.0),
        ] {
            let [samples, channels, height, width] = shape;
            let rows = height - block.min(height) + 1;
            let columns = width - block.min(width) + 1;
            let begin = begins([samples, channels, rows, columns], gamma, &device, 3);
            assert!(
                begin.contains(&1.0) && begin.contains(&0.0),
                "{name} {shape:?}"
            );
            device.seed(3);
            let input = grid(shape, 0.7, 2.0, (&device, DType::F32));
            let got = values(layer(0.4, block).forward(input.clone()));
            let expected = dropped(&values(input), &begin, shape, block);
            assert_near(&got, &expected, 2e-6, &format!("{name} {shape:?}"));
        }
    }
}

#[test]
fn a_mask_belongs_to_a_channel_a_sample_or_the_batch() {
    let _alone = alone();
    for (name, device) in training_devices() {
        device.seed(4);
        let maps = |unit| {
            let layer = DropBlockConfig::new(0.3)
                .with_block_size(2)
                .with_unit(unit)
                .init()
                .unwrap();
            let y = values(layer.forward(Tensor::ones([4, 3, 5, 5], &device)));
            let is_zero: Vec<bool> = y.iter().map(|y| *y == 0.0).collect();
            let maps: Vec<Vec<bool>> = is_zero.chunks(25).map(<[_]>::to_vec).collect();
            assert!(is_zero.contains(&true) && is_zero.contains(&false));
            maps
        };
        let of =
            |maps: &[Vec<bool>], sample: usize, channel: usize| maps[sample * 3 + channel].clone();
        let channel = maps(DropBlockUnit::Channel);
        let sample = maps(DropBlockUnit::Sample);
        let batch = maps(DropBlockUnit::Batch);
        let differ = |a: &[Vec<bool>], along_samples: bool| {
            (0..4).any(|n| {
                (0..3).any(|c| {
                    let first = if along_samples {
                        of(a, 0, c)
                    } else {
                        of(a, n, 0)
                    };
                    of(a, n, c) != first
                })
            })
        };
        let found =
            [channel, sample, batch].map(|maps| (differ(&maps, true), differ(&maps, false)));
        // (do samples differ, do channels differ)
        assert_eq!(
            found,
            [(true, true), (true, false), (false, true)],
            "{name}"
        );
    }
}

/// Output and gradient after this seed. In front are operations that are computed again under gradient checkpointing, and
/// so is the output, which the product needs.
fn made(twin: bool, blocks: Blocks, shape: [usize; 4], options: (&Device, DType)) -> [Vec<f64>; 2] {
    options.0.seed(9);
    let x = grid(shape, 0.7, 2.0, options).detach().require_grad();
    let signal = (x.clone() * 2.0).swap_dims(2, 3).swap_dims(2, 3);
    let y = if twin {
        drop_blocks_twin(signal, blocks)
    } else {
        drop_blocks(signal, blocks)
    };
    let grads = (y.clone() * y.clone()).sum().backward();
    [values(y), values(x.grad(&grads).unwrap())]
}

#[test]
fn kernel_and_tensor_operations_drop_the_same_blocks() {
    let _alone = alone();
    for (name, device) in training_devices() {
        for device in [device.clone(), device.gradient_checkpointing()] {
            for dtype in dtypes(&device) {
                for masks in [[6, 5], [6, 1], [1, 5], [1, 1]] {
                    let blocks = Blocks {
                        prob: 0.05,
                        size: [2, 3],
                        masks,
                    };
                    let options = (&device, dtype);
                    let kernel = made(false, blocks, [6, 5, 9, 11], options);
                    let twin = made(true, blocks, [6, 5, 9, 11], options);
                    let tolerance = match dtype {
                        DType::F64 => 1e-6, // the twin's mask is in `f32`
                        DType::F32 => 2e-6,
                        DType::F16 => 4e-3,
                        _ => 3e-2,
                    };
                    for (got, expected) in kernel.iter().zip(&twin) {
                        let what = format!("{name} {dtype:?} {masks:?}");
                        assert_near(got, expected, tolerance, &what);
                    }
                    assert!(kernel[0].contains(&0.0), "{name} {masks:?}: a block");
                }
            }
        }
    }
}

#[test]
fn blocks_do_not_depend_on_the_number_of_threads() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(|| {
            [[40, 17], [1, 17]].map(|masks| {
                let blocks = Blocks {
                    prob: 0.01,
                    size: [3, 4],
                    masks,
                };
                made(false, blocks, [40, 17, 13, 13], (&device, DType::F32))
            })
        })
    };
    let one = run(1);
    for threads in [2, 5] {
        assert_eq!(run(threads), one, "{threads} threads");
    }
}

#[test]
#[should_panic(expected = "blocks of 3×2 in maps of 2×5")]
fn a_block_larger_than_the_map_is_refused() {
    let blocks = Blocks {
        prob: 0.1,
        size: [3, 2],
        masks: [1, 1],
    };
    drop_blocks(Tensor::zeros([1, 1, 2, 5], &Device::flex()), blocks);
}

#[test]
#[should_panic(expected = "[2, 3] masks for 4 samples and 3 channels")]
fn a_mask_belongs_to_one_sample_or_to_all() {
    let blocks = Blocks {
        prob: 0.1,
        size: [1, 1],
        masks: [2, 3],
    };
    drop_blocks(Tensor::zeros([4, 3, 2, 5], &Device::flex()), blocks);
}

#[test]
fn off_it_is_the_identity_and_draws_nothing() {
    let _alone = alone();
    for (name, device) in devices() {
        let training = device.clone().autodiff();
        let x = grid([4, 3, 5, 5], 0.3, 1.0, (&training, DType::F32));
        let draw = || values(Tensor::<1>::random([4], Distribution::Default, &device));
        device.seed(6);
        let expected = draw();
        device.seed(6);
        let on = layer(0.5, 2);
        for (layer, x) in [
            (layer(0.0, 2), x.clone()),
            (on.clone(), x.clone().inner()),
            (on.valid(), x.clone()),
        ] {
            assert_eq!(values(layer.forward(x.clone())), values(x), "{name}");
        }
        assert_eq!(draw(), expected, "{name}: the generator is where it was");
        let trained = on.valid().train();
        assert_ne!(values(trained.forward(x.clone())), values(x), "{name}");
        let empty = Tensor::<4>::zeros([0, 3, 5, 5], &training);
        assert_eq!(on.forward(empty).dims(), [0, 3, 5, 5], "{name}");
    }
}

/// The whole map is one block, so it is dropped with probability γ = p, and then there is no mean to divide by.
#[test]
fn a_map_that_is_dropped_whole_is_zero() {
    let _alone = alone();
    for (name, device) in training_devices() {
        device.seed(5);
        let layer = layer(0.9, 9);
        let mut seen = [false; 2];
        for _ in 0..40 {
            let x = Tensor::<4>::ones([1, 1, 3, 3], &device).require_grad();
            let y = layer.forward(x.clone());
            let grads = y.clone().sum().backward();
            let (y, gradient) = (values(y), values(x.grad(&grads).unwrap()));
            assert!(y == vec![0.0; 9] || y == vec![1.0; 9], "{name}: {y:?}");
            assert_eq!(gradient, y, "{name}");
            seen[usize::from(y[0] == 0.0)] = true;
        }
        assert_eq!(seen, [true; 2], "{name}");
    }
}

#[test]
fn the_share_of_what_is_dropped_is_p_but_for_overlaps_and_means_stay() {
    let _alone = alone();
    for (name, device) in training_devices() {
        for dtype in dtypes(&device) {
            device.seed(8);
            let x = Tensor::<4>::ones([64, 16, 12, 12], (&device, dtype));
            let y = layer(0.1, 3).forward(x);
            assert_eq!(y.dtype(), dtype, "{name}");
            let y = values(y);
            let n = y.len() as f64;
            let share = y.iter().filter(|y| **y == 0.0).count() as f64 / n;
            // A place is dropped by one of at most 9 blocks, each with probability γ.
            let gamma = 0.1 * 144.0 / 9.0 / 100.0;
            let most = 1.0 - (1.0_f64 - gamma).powi(9);
            assert!(share > 0.08 && share < most, "{name} {dtype:?}: {share}");
            let mean = y.iter().sum::<f64>() / n;
            let error = if dtype == DType::BF16 { 4e-3 } else { 1e-3 };
            assert!((mean - 1.0).abs() < error, "{name} {dtype:?}: {mean}");
        }
    }
}

#[test]
fn configs_go_through_json_and_refuse_nonsense() {
    assert_json(&DropBlockConfig::new(0.1).with_unit(DropBlockUnit::Batch));
    for bad in [-0.1, 1.0, f64::NAN] {
        let got = format!("{bad:?}");
        assert_refused(DropBlockConfig::new(bad).init(), "prob", &got);
    }
    let none = DropBlockConfig::new(0.1).with_block_size(0);
    assert_refused(none.init(), "block_size", "0");
    assert_eq!(
        layer(0.1, 7).to_string(),
        "DropBlock {prob: 0.1, block_size: 7, unit: Channel}"
    );
    fn check<T: Send + Sync + Clone>() {}
    check::<DropBlock>();
}
