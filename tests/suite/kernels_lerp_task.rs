//! A mean that moves on another thread has the bits of one that moves on this thread.

use crate::devices::devices;
use crate::models::{Noise, dtypes, tensor, values};
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::kernels::{LerpTask, TensorList, lerp_all};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Tensors of two ranks, one of them of several shares of a thread.
fn list(seed: u64, dtype: DType, device: &Device) -> TensorList {
    let mut noise = Noise(seed);
    let mut of = |rows: usize, columns: usize| {
        let numbers = noise.take(rows * columns);
        tensor::<1>(&numbers, dtype, device).reshape([rows, columns])
    };
    let mut list = TensorList::from(of(300, 500));
    list.push(of(3, 5));
    list.push(of(1, 7).flatten::<1>(0, 1));
    list
}

fn numbers(mut list: TensorList) -> Vec<f64> {
    let mut numbers = values(list.pop::<2>().unwrap());
    numbers.extend(values(list.pop::<2>().unwrap()));
    numbers.extend(values(list.pop::<1>().unwrap()));
    numbers
}

#[test]
fn it_has_the_bits_of_a_lerp_on_this_thread() {
    for (name, device) in devices() {
        for dtype in dtypes(&device) {
            let of = |seed| list(seed, dtype, &device);
            let tasks: Vec<_> = (1..4)
                .map(|seed| LerpTask::begin(of(seed), of(9), 0.3))
                .collect();
            for (seed, task) in (1..4).zip(tasks) {
                let expected = numbers(lerp_all(of(seed), &of(9), 0.3));
                assert_eq!(numbers(task.end()), expected, "{dtype:?} on {name}");
            }
        }
    }
}

/// The only thread of a pool cannot wait for its own next task.
#[test]
fn a_thread_of_the_pool_moves_it_itself() {
    let device = Device::flex();
    let of = |seed| list(seed, DType::F32, &device);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1);
    let moved = pool
        .build()
        .unwrap()
        .install(|| numbers(LerpTask::begin(of(1), of(2), 0.3).end()));
    assert_eq!(moved, numbers(lerp_all(of(1), &of(2), 0.3)));
}

#[test]
fn lists_that_do_not_fit_panic() {
    let of = |count: usize| TensorList::from(Tensor::<1>::ones([count], &Device::flex()));
    let panics = |x: TensorList, y: TensorList| {
        let run = || numbers_of_one(LerpTask::begin(x, y, 0.5).end());
        catch_unwind(AssertUnwindSafe(run)).is_err()
    };
    assert!(panics(of(2), TensorList::new()));
    assert!(panics(of(2), of(3)));
    assert!(!panics(of(2), of(2)));
}

fn numbers_of_one(mut list: TensorList) -> Vec<f64> {
    values(list.pop::<1>().unwrap())
}
