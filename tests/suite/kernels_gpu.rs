//! The sum of squares and the product with a number on the device where a GPU has kernels of its own for them: sizes,
//! layouts, types, numbers at the edges of the range, against `f64` and against the twins. On a CPU backend the same
//! must hold.

use crate::devices::{devices, is_gpu};
use crate::models::{Noise, dtypes, values};
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::kernels::{
    SumOfSquares, TensorList, safe_divisor, scale, scale_or_nan, scale_or_nan_twin, scale_or_zero,
    scale_or_zero_twin, scale_twin, sum_of_squares, sum_of_squares_twin,
};

/// Around a vector of 4, the 256 units of a cube, the 4,096 numbers that fill a cube, and beyond 1,024 such cubes.
const SIZES: [usize; 16] = [
    1, 2, 3, 4, 5, 64, 255, 256, 257, 1023, 4095, 4096, 4097, 16_385, 300_007, 4_300_003,
];

fn random<const D: usize>(
    shape: [usize; D],
    seed: u64,
    dtype: DType,
    device: &Device,
) -> Tensor<D> {
    let numbers = Noise(seed).take(shape.iter().product());
    Tensor::<1>::from_data(numbers.as_slice(), (device, dtype)).reshape(shape)
}

fn floats(numbers: &[f32], device: &Device) -> Tensor<1> {
    Tensor::from_floats(numbers, device)
}

/// `Σ x²` from the two numbers, which need not fit into one.
fn total(sum: Option<SumOfSquares>) -> f64 {
    let SumOfSquares { scale, sum } = sum.expect("there are numbers");
    values(scale)[0].powi(2) * values(sum)[0]
}

fn in_f64(list: &TensorList) -> f64 {
    let squares = |tensor: Tensor<1>| values(tensor).iter().map(|x| x * x).sum::<f64>();
    list.flattened().map(squares).sum()
}

/// By how much the sum of the list is off, and that of the twin, relative to a sum in `f64`.
fn errors(list: &TensorList) -> (f64, f64) {
    let expected = in_f64(list);
    let off = |sum| (total(sum) / expected - 1.0).abs();
    (off(sum_of_squares(list)), off(sum_of_squares_twin(list)))
}

/// A few roundings of `f32`.
const ROUNDING: f64 = 3e-7;

#[test]
fn the_sum_is_that_in_f64_at_every_size_and_type() {
    for (name, device) in devices() {
        // Burn's sum on `ndarray`, which has no kernel of ours, adds up one number after the other.
        let rounding = if name == "ndarray" { 1e-5 } else { ROUNDING };
        let mut all = TensorList::new();
        for dtype in dtypes(&device) {
            for (seed, size) in SIZES.into_iter().enumerate() {
                // In other types only the loading differs, and without a kernel the error grows with the size.
                if (dtype != DType::F32 || name == "ndarray") && size > 100_000 {
                    continue;
                }
                let tensor = random([size], seed as u64, dtype, &device);
                let (off, twin) = errors(&tensor.clone().into());
                let what = format!("{name}, {dtype:?}, {size}: off by {off}, the twin by {twin}");
                assert!(off <= rounding, "{what}");
                if size < 100_000 {
                    all.push(tensor);
                    all.push(random([0, 3], 1, dtype, &device));
                }
            }
        }
        let (off, twin) = errors(&all);
        assert!(off <= rounding, "{name}, all: {off}, the twin {twin}");
    }
}

/// More tensors than one launch takes, and tensors whose numbers do not lie one after the other.
#[test]
fn the_sum_is_over_all_launches() {
    for (name, device) in devices() {
        let mut list = TensorList::new();
        for seed in 0..150 {
            list.push(random([500 + seed], seed as u64, DType::F32, &device));
            if seed % 50 == 0 {
                let row = random([1, 7], seed as u64, DType::F32, &device);
                list.push(row.expand([300, 7]));
            }
        }
        let (off, twin) = errors(&list);
        assert!(off <= 1e-6, "{name}: off by {off}, the twin by {twin}");
    }
}

#[test]
fn the_sum_does_not_leave_the_range_wherever_the_numbers_lie() {
    let two = |power: i32| 2.0_f32.powi(power);
    let cases: [(&str, &[&[f32]]); 10] = [
        // The reciprocal of the largest is subnormal.
        ("the largest", &[&[3.4e38; 3]]),
        ("large", &[&[3e38, -3e38, 1e30]]),
        ("small", &[&[1e-36, -3e-36, 2e-37]]),
        ("large, middle and small", &[&[3e30, 5.0, 1e-30]]),
        ("middle and small", &[&[5e-19, 1e-20, -2e-20]]),
        (
            "a large tensor and others",
            &[&[2.0, 1e-30], &[4e37], &[1e-35]],
        ),
        ("small tensors", &[&[1e-30, 0.0], &[3e-31], &[0.0]]),
        (
            "at the borders",
            &[
                &[two(47), two(48), -two(47)],
                &[two(-63), two(-64), two(-62)],
            ],
        ),
        ("near 1", &[&[1.0, -1.0, 0.5], &[0.0]]),
        ("many", &[&[2.5e19; 1000]]),
    ];
    for (name, device) in devices() {
        for (case, tensors) in cases {
            let mut list = TensorList::new();
            for numbers in tensors {
                list.push(floats(numbers, &device));
            }
            let (off, twin) = errors(&list);
            assert!(off <= ROUNDING, "{name}, {case}: {off}, the twin {twin}");
            assert!(twin <= 1e-5, "{name}, {case}: {off}, the twin {twin}");
        }
        let zeros = TensorList::from(Tensor::<2>::zeros([3, 5], &device));
        assert_eq!(total(sum_of_squares(&zeros)), 0.0, "{name}");
        let SumOfSquares { scale, .. } = sum_of_squares(&zeros).unwrap();
        assert!(values(scale)[0] > 0.0, "{name}");
        assert!(sum_of_squares(&TensorList::new()).is_none(), "{name}");
        let nothing = TensorList::from(Tensor::<2>::zeros([0, 3], &device));
        assert!(sum_of_squares(&nothing).is_none(), "{name}");
    }
}

/// 33 million numbers that are one number, whose squares are as large as those of one sum may be, and 2²⁵ times as large
/// together.
#[test]
fn the_sum_does_not_leave_the_range_however_many_numbers_there_are() {
    for (name, device) in devices().into_iter().filter(|(name, _)| is_gpu(name)) {
        for number in [1.4e14, 4.5e15, f32::MAX] {
            let row = Tensor::<2>::full([1, 8192], number, &device);
            let sum = sum_of_squares(&row.expand([4096, 8192]).into());
            let expected = 2f64.powi(25) * f64::from(number).powi(2);
            let off = (total(sum) / expected - 1.0).abs();
            assert!(off <= 1e-6, "{name}, {number}: off by {off}");
        }
    }
}

#[test]
fn numbers_are_divided_by_a_normal_number_with_a_normal_reciprocal() {
    for (name, device) in devices() {
        let divisor = |largest| values(safe_divisor(floats(&[largest], &device)))[0];
        for same in [1e-37, 1.0, 8e37] {
            assert_eq!(divisor(same), f64::from(same), "{name}");
        }
        for large in [9e37, 3.4e38] {
            assert_eq!(divisor(large), 2.0_f64.powi(126), "{name}");
        }
        for moot in [f32::NAN, f32::INFINITY] {
            assert_eq!(divisor(moot), 1.0, "{name}: {moot}");
        }
        assert_eq!(divisor(0.0), f64::from(f32::MIN_POSITIVE), "{name}");
    }
}

#[test]
fn a_number_that_is_not_finite_shows_in_the_sum_wherever_it_is() {
    for (name, device) in devices() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for others in [1.0, 1e30, 1e-30, 0.0] {
                for place in [0, 3, 5000, 9999] {
                    let mut numbers = vec![others; 10_000];
                    numbers[place] = bad;
                    let mut list = TensorList::from(floats(&[others; 7], &device));
                    list.push(floats(&numbers, &device));
                    list.push(floats(&[others; 300], &device));
                    let sum = values(sum_of_squares(&list).unwrap().sum)[0];
                    let what = format!("{name}: {bad} at {place} among {others} gave {sum}");
                    assert!(!sum.is_finite(), "{what}");
                }
            }
        }
    }
}

/// The same numbers as views of other buffers.
fn views(dtype: DType, device: &Device) -> Vec<(&'static str, Tensor<3>)> {
    let cube = |shape| random(shape, 5, dtype, device);
    let part = cube([7, 12, 33]).slice([2..5, 1..12, 3..32]);
    vec![
        ("straight", cube([3, 10, 64])),
        ("swapped", cube([3, 10, 64]).swap_dims(1, 2)),
        ("turned", cube([3, 10, 64]).permute([2, 0, 1])),
        ("of one row", cube([1, 10, 64]).permute([2, 0, 1])),
        ("a part", part.clone()),
        ("a part, swapped", part.swap_dims(0, 2)),
        ("repeated", cube([1, 10, 1]).expand([4, 10, 8])),
        ("flipped", cube([3, 5, 9]).flip([0, 2])),
    ]
}

#[test]
fn layouts_do_not_matter() {
    for (name, device) in devices() {
        for dtype in dtypes(&device) {
            for (view, tensor) in views(dtype, &device) {
                let what = format!("{name}, {dtype:?}, {view}");
                let (off, _) = errors(&tensor.clone().into());
                assert!(off <= ROUNDING, "{what}: {off}");
                let factor = floats(&[0.3], &device);
                let expected = values(scale_twin(tensor.clone(), &factor));
                let before = values(tensor.clone());
                // First of a tensor that is held, then of one that is not.
                let scaled = scale(tensor.clone().into(), &factor).pop::<3>().unwrap();
                assert_eq!(scaled.dims(), tensor.dims(), "{what}");
                assert_eq!(values(scaled), expected, "{what}");
                assert_eq!(values(tensor.clone()), before, "{what}: somebody's numbers");
                let scaled = scale(tensor.into(), &factor).pop::<3>().unwrap();
                assert_eq!(values(scaled), expected, "{what}, alone");
            }
        }
    }
}

/// Whether the device computes the twin's product with what was cast to this type, and not with what that was rounded to:
/// `fusion` may merge the cast and the product.
fn keeps_more_than(dtype: DType, device: &Device) -> bool {
    // In half precision it is 0, whose product is 0.
    let tiny = floats(&[1e-37], device).cast(dtype);
    dtype == DType::F16 && values(scale_twin(tiny, &floats(&[1e30], device))) != [0.0]
}

#[test]
fn products_are_those_of_the_twins_for_every_factor() {
    let all_numbers = [
        0.0,
        -0.0,
        1.0,
        -2.5,
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        1e-37,
        3e38,
    ];
    let factors = [1.0, 0.0, 0.5, -3.0, 1e30, f32::INFINITY, f32::NAN];
    for (name, device) in devices() {
        for dtype in dtypes(&device) {
            // The last two are numbers that half precision does not hold.
            let merges = is_gpu(name) && keeps_more_than(dtype, &device);
            let held = all_numbers.len() - if merges { 2 } else { 0 };
            let numbers = &all_numbers[..held];
            for factor in factors {
                let x = || floats(numbers, &device).cast(dtype);
                let number = floats(&[factor], &device);
                let pairs = [
                    (
                        "scale",
                        scale(x().into(), &number),
                        scale_twin(x(), &number),
                    ),
                    (
                        "or zero",
                        scale_or_zero(x().into(), &number),
                        scale_or_zero_twin(x(), &number),
                    ),
                    (
                        "or NaN",
                        scale_or_nan(x().into(), &number),
                        scale_or_nan_twin(x(), &number),
                    ),
                ];
                for (which, mut scaled, twin) in pairs {
                    let scaled = scaled.pop::<1>().unwrap();
                    assert_eq!(scaled.dtype(), dtype, "{name}");
                    let (scaled, twin) = (values(scaled), values(twin));
                    for (a, b) in scaled.iter().zip(&twin) {
                        let what = format!("{name}, {dtype:?}, {which} × {factor}: {scaled:?}");
                        assert!(
                            a == b || (a.is_nan() && b.is_nan()),
                            "{what}, twin {twin:?}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn a_list_of_several_types_and_of_nothing_is_scaled_too() {
    for (name, device) in devices() {
        let half = floats(&[0.5], &device);
        // Of 64 and 12 numbers a vector of half precision may hold more than one of `f32`.
        for size in [5, 12, 64] {
            let mut list = TensorList::from(Tensor::<2>::zeros([0, 3], &device));
            for dtype in dtypes(&device) {
                list.push(random([size], 1, dtype, &device));
            }
            let mut scaled = scale(list, &half);
            assert_eq!(scaled.pop::<2>().unwrap().dims(), [0, 3], "{name}");
            for dtype in dtypes(&device) {
                let expected = scale_twin(random([size], 1, dtype, &device), &half);
                let scaled = scaled.pop::<1>().unwrap();
                assert_eq!(scaled.dtype(), dtype, "{name}");
                assert_eq!(values(scaled), values(expected), "{name}, {dtype:?}");
            }
        }
        assert!(scale(TensorList::new(), &half).is_empty(), "{name}");
    }
}

#[cfg(feature = "gpu")]
mod on_a_gpu {
    use super::{floats, random};
    use crate::devices::{devices, is_gpu};
    use crate::kernels_together::Mixed;
    use crate::models::values;
    use burn::backend::Cube;
    use burn::cubecl::logging::{LaunchObservation, LaunchObserver};
    use burn::optim::Optimizer as _;
    use burn::tensor::{DType, Device, Tensor};
    use burn_cubecl::CubeBackend;
    use burn_tricks::kernels::{
        TensorList, UnitClip, change_together, clip_units_all, lerp_all, scale, sum_of_squares,
        use_gpu_kernels,
    };
    use burn_tricks::optim::{LarsConfig, MomentumForm};
    use std::process::Command;
    use std::sync::{Arc, Mutex};

    #[derive(Default)]
    struct Names(Mutex<Vec<&'static str>>);

    impl LaunchObserver for Names {
        fn launched(&self, kernel: &'static str) {
            self.0.lock().unwrap().push(kernel);
        }
    }

    /// A step whose gradient is rescaled by norms writes the new weight where the old one was.
    #[test]
    fn lars_changes_a_weight_that_nobody_else_holds_in_place() {
        let place = |weight: &Tensor<2>| {
            let weight = weight.clone().try_into_primitive::<Cube>();
            let weight = weight.expect("a tensor of a GPU");
            let client = weight.client.clone();
            let weight = client.resolve_tensor_float::<CubeBackend>(weight);
            weight.handle.memory.descriptor().id
        };
        for (name, device) in devices() {
            if !is_gpu(name) {
                continue;
            }
            let new = |seed| random([30, 20], seed, DType::F32, &device);
            for momentum in [0.0, 0.9] {
                for form in [MomentumForm::OfGradient, MomentumForm::OfUpdate] {
                    let lars = LarsConfig::new()
                        .with_momentum(momentum)
                        .with_momentum_form(form);
                    let lars = lars.build().unwrap();
                    let (weight, state) = lars.step(0.1, new(1), new(2), None);
                    let before = place(&weight);
                    let (weight, state) = lars.step(0.1, weight, new(3), state);
                    assert_eq!(place(&weight), before, "{name}, {momentum}, {form:?}");
                    let held = weight.clone();
                    let (weight, _) = lars.step(0.1, weight, new(4), state);
                    assert_ne!(place(&weight), place(&held), "{name}, {momentum}, {form:?}");
                }
            }
        }
    }

    /// How many kernels `work` launches, and how many of them are of this library.
    fn launches<T>(device: &Device, work: impl Fn() -> T) -> (usize, usize) {
        device.sync().unwrap();
        let names = Arc::new(Names::default());
        let observation = LaunchObservation::new(names.clone());
        let result = work();
        device.sync().unwrap();
        drop(observation);
        drop(result);
        let names = names.0.lock().unwrap();
        let ours = names.iter().filter(|name| name.contains("burn_tricks"));
        (names.len(), ours.count())
    }

    /// In a process of its own, since every launch of the process is counted, and the choice is the process's.
    #[test]
    fn kernels_are_launched_for_many_tensors_together() {
        if std::env::var_os("KERNELS_GPU_CHILD").is_none() {
            let (_, module) = module_path!().split_once("::").unwrap();
            let name = "kernels_are_launched_for_many_tensors_together";
            let child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", &format!("{module}::{name}"), "--nocapture"])
                .env("KERNELS_GPU_CHILD", "1")
                .output()
                .unwrap();
            let output = String::from_utf8_lossy(&child.stdout);
            assert!(child.status.success(), "{output}");
            assert!(output.contains("1 passed"), "{output}");
            return;
        }
        for (name, device) in devices() {
            if !is_gpu(name) {
                continue;
            }
            let of = |count: usize, size: usize| {
                let mut list = TensorList::new();
                for seed in 0..count {
                    list.push(random([size + seed], seed as u64, DType::F32, &device));
                }
                list
            };
            let list = |count| of(count, 100);
            let half = floats(&[0.5], &device);
            let (small, large, many) = (list(3), of(3, 100_000), list(100));
            let sum = |list: &TensorList| sum_of_squares(list);
            assert_eq!(launches(&device, || sum(&small)), (1, 1));
            assert_eq!(launches(&device, || sum(&large)), (2, 2));
            let (all, ours) = launches(&device, || sum(&many));
            assert!(all == ours && (2..=6).contains(&all), "{all}");
            let mut strided = small.clone();
            strided.push(random([20, 1], 1, DType::F32, &device).expand([20, 30]));
            assert_eq!(launches(&device, || sum(&strided)).1, 3);
            assert_eq!(launches(&device, || scale(list(3), &half)), (1, 1));
            let (all, ours) = launches(&device, || scale(list(100), &half));
            assert!(all == ours && (2..=5).contains(&all), "{all}");
            let moved = || lerp_all(list(3), &list(3), 0.3);
            assert_eq!(launches(&device, moved), (1, 1));
            // The sums and the numbers of small tensors are one launch, of large ones two; then there are the elements.
            let pairs = |size: usize| {
                let one = |seed| random([size + 4], seed, DType::F32, &device).into();
                vec![[one(1), one(2)], [one(3), one(4)], [one(5), one(6)]]
            };
            assert_eq!(
                launches(&device, || change_together(Mixed, pairs(100))),
                (2, 2)
            );
            assert_eq!(
                launches(&device, || change_together(Mixed, pairs(100_000))),
                (3, 3)
            );
            let clip = UnitClip {
                clip_factor: 0.1,
                epsilon: 1e-3,
            };
            let clipped = || clip_units_all(clip, list(3), list(3), vec![None; 3]);
            assert_eq!(launches(&device, clipped), (1, 1));
            use_gpu_kernels(false);
            let twin = launches(&device, || sum(&small));
            assert!(twin.0 > 4 && twin.1 == 0, "{twin:?}");
            assert_eq!(launches(&device, || scale(list(3), &half)).1, 0);
            assert_eq!(launches(&device, moved).1, 0);
            assert_eq!(launches(&device, clipped).1, 0);
            use_gpu_kernels(true);
            // The product is in the tensor's own buffer, and in a new one if somebody holds it.
            let held = list(1);
            let mut scaled = scale(held.clone(), &half);
            let scaled = values(scaled.pop::<1>().unwrap());
            let before = values(held.clone().pop::<1>().unwrap());
            let doubled: Vec<f64> = scaled.iter().map(|x| x * 2.0).collect();
            assert_eq!(doubled, before);
        }
    }
}
