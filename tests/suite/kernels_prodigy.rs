//! The two passes of Prodigy against their twins: types, sizes around the boundaries of the loops, buffers that others
//! hold; and the same bits whatever the number of threads.

use crate::devices::devices;
use crate::models::{Noise, dtypes, values};
use crate::oracle::off;
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::kernels::{
    ProdigyNumbers, ProdigyStep, ProdigySums, accumulation_dtype, prodigy_sums, prodigy_sums_twin,
};

fn random<const D: usize>(
    shape: [usize; D],
    seed: u64,
    dtype: DType,
    device: &Device,
) -> Tensor<D> {
    let numbers = Noise(seed).take(shape.iter().product());
    Tensor::<1>::from_data(numbers.as_slice(), (device, dtype)).reshape(shape)
}

fn number(value: f64, dtype: DType, device: &Device) -> Tensor<1> {
    Tensor::from_data([value], (device, accumulation_dtype(dtype).into()))
}

fn assert_near<const D: usize>(got: Tensor<D>, twin: Tensor<D>, relative: f64, what: &str) {
    assert_eq!(
        (got.dims(), got.dtype()),
        (twin.dims(), twin.dtype()),
        "{what}"
    );
    for (i, (x, y)) in values(got).into_iter().zip(values(twin)).enumerate() {
        // What is added is of the size of 1, and may cancel.
        let is_near = off(x, y, y.abs().max(0.1)) <= relative;
        assert!(is_near, "{what}, number {i}: {x} and {y}");
    }
}

#[test]
fn the_sums_of_the_estimate_are_those_of_the_twin_at_every_size() {
    for (name, device) in devices() {
        for dtype in [DType::F32, DType::F64] {
            if !dtypes(&device).contains(&dtype) {
                continue;
            }
            for size in [1, 15, 16, 17, 1000, 16_384, 16_385, 140_001] {
                let new = |seed| random([size], seed, dtype, &device);
                let share = number(0.3, dtype, &device);
                let twin = prodigy_sums_twin(new(1), new(2), new(3), new(4), 0.9, &share);
                let held = new(4);
                for sum in [new(4), held.clone()] {
                    let got = prodigy_sums(new(1), new(2), new(3), sum, 0.9, &share);
                    let what = format!("{size} of {dtype:?} on {name}");
                    let near = if dtype == DType::F64 { 1e-12 } else { 2e-6 };
                    assert_near(got.sum, twin.sum.clone(), near, &what);
                    // A sum of numbers of both signs errs by a share of their magnitudes.
                    let near = near * (size as f64).sqrt();
                    for (got, twin) in [(got.product, &twin.product), (got.size, &twin.size)] {
                        let wide = |tensor: &Tensor<1>| tensor.clone().cast(DType::F64);
                        if name == "flex" {
                            assert_near(wide(&got), wide(twin), near, &what);
                        } else {
                            assert_near(got, twin.clone(), near, &what);
                        }
                    }
                }
                assert_eq!(values(held), values(new(4)), "somebody's sum on {name}");
            }
        }
    }
}

#[test]
fn prodigys_step_is_its_twin_in_every_type_and_whoever_holds_the_weight() {
    for (name, device) in devices() {
        for dtype in dtypes(&device) {
            for weight_decay in [0.0, 0.1] {
                let rule = ProdigyStep {
                    betas: (0.9, 0.99),
                    weight_decay,
                };
                let numbers = ProdigyNumbers {
                    distance: number(0.5, dtype, &device),
                    rate: number(0.01, dtype, &device),
                    epsilon: number(1e-3, dtype, &device),
                };
                let mut twin = (random([5, 7], 1, dtype, &device), None);
                let mut kernel = (random([5, 7], 1, dtype, &device), None);
                for step in 0..4 {
                    let grad = || random([5, 7], 10 + step, dtype, &device);
                    let held = (step % 2 == 1).then(|| kernel.0.clone());
                    let before = held.clone().map(values);
                    let (weight, state) = rule.apply(&numbers, kernel.0, grad(), kernel.1);
                    kernel = (weight, Some(state));
                    let (weight, state) = rule.apply_twin(&numbers, twin.0, grad(), twin.1);
                    twin = (weight, Some(state));
                    assert_eq!(held.map(values), before, "{name}: somebody's weight");
                    let what = format!("{dtype:?} on {name}, step {step}");
                    let near = match dtype {
                        DType::F64 => 1e-13,
                        DType::F32 if name == "flex" => 2e-6,
                        DType::F32 => 1e-5,
                        _ => 1e-2,
                    };
                    assert_near(kernel.0.clone(), twin.0.clone(), near, &what);
                    let states = kernel.1.clone().zip(twin.1.clone()).expect("states");
                    for (kernel, twin) in states.0.into_iter().zip(states.1) {
                        assert_near(kernel, twin, near, &what);
                    }
                }
            }
        }
    }
}

#[test]
fn the_bits_of_the_estimate_do_not_depend_on_the_number_of_threads() {
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let device = Device::flex();
            let new = |seed| random([200_001], seed, DType::F32, &device);
            let share = number(0.3, DType::F32, &device);
            let ProdigySums { sum, product, size } =
                prodigy_sums(new(1), new(2), new(3), new(4), 0.9, &share);
            (values(sum), values(product), values(size))
        })
    };
    let one = run(1);
    for threads in [2, 3, 8] {
        assert!(run(threads) == one, "{threads} threads");
    }
}

#[test]
#[should_panic(expected = "have the lengths [2, 2, 3, 2]")]
fn tensors_of_other_lengths_are_refused() {
    let ones = |size| Tensor::<1>::ones([size], &Device::flex());
    prodigy_sums(ones(2), ones(2), ones(3), ones(2), 0.9, &ones(1));
}
