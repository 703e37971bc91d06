//! Each kernel and its twin on the CPU backend: `cargo bench -p burn-tricks-kernels --features flex`;
//! each once, to see that it runs: `cargo test --workspace --bench kernels`.

#![allow(missing_docs)] // what criterion's macros make

use burn::tensor::{Device, Distribution, Tensor};
use burn_tricks_kernels::{
    AdaGradStep, AdamStep, MomentumStep, RmsPropStep, SgdStep, Step, TensorList, WeightDecayTerm,
    lerp, lerp_twin, scale, sum_of_squares, sum_of_squares_twin,
};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

/// In the nearest cache, in the last, and in memory.
const SIZES: [usize; 3] = [1 << 10, 1 << 16, 1 << 22];

fn random(size: usize) -> Tensor<1> {
    Tensor::random([size], Distribution::Uniform(0.1, 1.0), &Device::flex())
}

fn step<R: Step<S>, const S: usize>(criterion: &mut Criterion, name: &str, step: R) {
    let mut group = criterion.benchmark_group(name);
    for size in SIZES {
        // Weight and gradient are read, the state is read, weight and state are written.
        group.throughput(Throughput::Bytes((4 * size * (3 + 2 * S)) as u64));
        let inputs = || {
            (
                random(size),
                random(size),
                Some([(); S].map(|()| random(size))),
            )
        };
        group.bench_function(BenchmarkId::new("kernel", size), |bench| {
            let run = |(weight, grad, state)| black_box(step.apply(weight, grad, state));
            bench.iter_batched(inputs, run, BatchSize::LargeInput);
        });
        group.bench_function(BenchmarkId::new("twin", size), |bench| {
            let run = |(weight, grad, state)| black_box(step.apply_twin(weight, grad, state));
            bench.iter_batched(inputs, run, BatchSize::LargeInput);
        });
    }
}

fn steps(criterion: &mut Criterion) {
    let (lr, decay) = (1e-3, WeightDecayTerm::None);
    step(criterion, "sgd", SgdStep { lr, decay });
    let momentum = MomentumStep {
        lr,
        momentum: 0.9,
        dampening: 0.0,
        nesterov: false,
        first: false,
        decay,
    };
    step(criterion, "momentum", momentum);
    let (epsilon, initial) = (1e-8, 0.0);
    step(
        criterion,
        "ada_grad",
        AdaGradStep {
            lr,
            epsilon,
            epsilon_inside: 0.0,
            initial,
            decay,
        },
    );
    let rms_prop = RmsPropStep::<false, false> {
        lr,
        alpha: 0.99,
        epsilon,
        momentum: 0.0,
        decay,
    };
    step(criterion, "rms_prop", rms_prop);
    step(
        criterion,
        "adam",
        AdamStep::new(lr, (0.9, 0.999), epsilon, decay, 10),
    );
}

fn lists(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lists");
    for size in SIZES {
        let list = || {
            let mut list = TensorList::new();
            (0..8).for_each(|_| list.push(random(size / 8)));
            list
        };
        group.throughput(Throughput::Bytes(4 * size as u64));
        let read = list();
        group.bench_function(BenchmarkId::new("sum of squares", size), |bench| {
            bench.iter(|| black_box(sum_of_squares(&read)));
        });
        group.bench_function(BenchmarkId::new("sum of squares, twin", size), |bench| {
            bench.iter(|| black_box(sum_of_squares_twin(&read)));
        });
        group.throughput(Throughput::Bytes(8 * size as u64));
        let factor = Tensor::from_floats([0.5], &Device::flex());
        group.bench_function(BenchmarkId::new("scale", size), |bench| {
            bench.iter_batched(
                list,
                |list| black_box(scale(list, &factor)),
                BatchSize::LargeInput,
            );
        });
        group.throughput(Throughput::Bytes(12 * size as u64));
        let live = random(size);
        group.bench_function(BenchmarkId::new("lerp", size), |bench| {
            let run = |mean| black_box(lerp(mean, live.clone(), 0.001));
            bench.iter_batched(|| random(size), run, BatchSize::LargeInput);
        });
        group.bench_function(BenchmarkId::new("lerp, twin", size), |bench| {
            let run = |mean| black_box(lerp_twin(mean, live.clone(), 0.001));
            bench.iter_batched(|| random(size), run, BatchSize::LargeInput);
        });
    }
}

criterion_group!(benches, steps, lists);
criterion_main!(benches);
