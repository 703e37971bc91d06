//! Measuring two ways of doing the same, in one process, turn by turn.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Distribution, Tensor};
use rayon::prelude::*;
use std::time::{Duration, Instant};

/// For an option of the command line: a number that is at least one.
pub fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("0 is less than one".to_owned()),
        Ok(count) => Ok(count),
        Err(error) => Err(format!("{error}")),
    }
}

/// Times two closures in turn, `rounds` times after two of warm-up, and gives their medians in
/// milliseconds. Each closure returns the time of the part that counts.
pub fn in_turn(
    rounds: usize,
    mut ours: impl FnMut() -> Duration,
    mut other: impl FnMut() -> Duration,
) -> (f64, f64) {
    let mut times = (Vec::new(), Vec::new());
    for round in 0..rounds + 2 {
        // The first of a pair finds the caches as the second left them: change places.
        let (a, b) = if round % 2 == 0 {
            let a = ours();
            (a, other())
        } else {
            let b = other();
            (ours(), b)
        };
        if round >= 2 {
            times.0.push(a.as_secs_f64() * 1e3);
            times.1.push(b.as_secs_f64() * 1e3);
        }
    }
    (median(times.0), median(times.1))
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The time of `work`, the device's share of it included.
pub fn timed<T>(device: &Device, work: impl FnOnce() -> T) -> (T, Duration) {
    device.sync().expect("the device works");
    let start = Instant::now();
    let result = work();
    device.sync().expect("the device works");
    (result, start.elapsed())
}

/// GB/s of an in-place triad over 28 bytes per element, as many as Adam moves: four arrays read,
/// three of them written, on all threads. The median of `rounds`.
pub fn triad(elements: usize, rounds: usize) -> f64 {
    const STRETCH: usize = 1 << 14;
    let mut arrays = [
        vec![1.0_f32; elements],
        vec![1.0; elements],
        vec![1.0; elements],
    ];
    let gradient = vec![1e-3_f32; elements];
    let times = (0..rounds + 2).map(|_| {
        let [w, m, v] = &mut arrays;
        let start = Instant::now();
        w.par_chunks_mut(STRETCH)
            .zip(m.par_chunks_mut(STRETCH))
            .zip(v.par_chunks_mut(STRETCH))
            .zip(gradient.par_chunks(STRETCH))
            .for_each(|(((w, m), v), g)| {
                for (((w, m), v), g) in w.iter_mut().zip(m).zip(v).zip(g) {
                    *m = *m * 0.5 + g;
                    *v = *v * 0.5 + g;
                    *w = *w * 0.5 + *m;
                }
            });
        start.elapsed().as_secs_f64()
    });
    let times = times.skip(2).collect();
    28.0 * elements as f64 / median(times) / 1e9
}

/// Lets autodiff forget the tensors that nobody holds any more, as it does in each backward pass. Each new weight is
/// registered there; without a backward pass now and then the register only grows, and becomes slower.
pub fn forget_dropped(device: &Device) {
    let tracked = Tensor::<1>::ones([1], &device.clone().autodiff()).require_grad();
    drop(tracked.sum().backward());
}

/// Some weights of one shape, and nothing else.
#[derive(Module, Debug)]
pub struct Weights<const D: usize> {
    weights: Vec<Param<Tensor<D>>>,
}

impl<const D: usize> Weights<D> {
    /// `count` weights of this shape, in training on `device`.
    pub fn new(count: usize, shape: [usize; D], device: &Device) -> Self {
        let device = &device.clone().autodiff();
        let weight = |_| {
            let weight = Tensor::random(shape, Distribution::Uniform(-0.1, 0.1), device);
            Param::from_tensor(weight)
        };
        Self {
            weights: (0..count).map(weight).collect(),
        }
    }

    /// A gradient for each, in a buffer of its own, as after a backward pass.
    pub fn grads(&self, like: &Tensor<D>) -> GradientsParams {
        forget_dropped(&like.device());
        let mut grads = GradientsParams::new();
        for weight in &self.weights {
            grads.register(weight.id, like.clone() * 1.0);
        }
        grads
    }

    /// Gradients in buffers that stay in use, as PyTorch's do.
    pub fn kept_grads(&self, kept: &[Tensor<D>]) -> GradientsParams {
        forget_dropped(&kept[0].device());
        let mut grads = GradientsParams::new();
        for (weight, grad) in self.weights.iter().zip(kept) {
            grads.register(weight.id, grad.clone());
        }
        grads
    }

    /// A gradient to copy from.
    pub fn like(&self, device: &Device) -> Tensor<D> {
        let weight = self.weights[0].val();
        let like = Distribution::Uniform(-1e-2, 1e-2);
        let like: Tensor<D> = Tensor::random(weight.dims(), like, device);
        like.cast(weight.dtype())
    }

    /// The same weights in buffers of their own, as parameters of their own.
    pub fn copy(&self) -> Self {
        self.copy_as(self.weights[0].val().dtype())
    }

    /// The same weights in this type, as parameters of their own.
    pub fn copy_as(&self, dtype: DType) -> Self {
        let copy = |weight: &Param<Tensor<D>>| {
            let copy = (weight.val().inner() * 1.0).cast(dtype);
            Param::from_tensor(Tensor::from_inner(copy))
        };
        Self {
            weights: self.weights.iter().map(copy).collect(),
        }
    }

    /// How many weights there are.
    pub fn count(&self) -> usize {
        self.weights.len()
    }

    /// How many numbers there are.
    pub fn elements(&self) -> usize {
        self.weights
            .iter()
            .map(|weight| weight.val().shape().num_elements())
            .sum()
    }
}

/// The float parameters of a module, without autodiff, in its own order.
pub fn live_weights<M: Module>(module: &M) -> burn_tricks::kernels::TensorList {
    struct Collect(burn_tricks::kernels::TensorList);
    impl ModuleVisitor for Collect {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.push_without_autodiff(param.val());
        }
    }
    let mut collect = Collect(Default::default());
    module.visit(&mut collect);
    collect.0
}
