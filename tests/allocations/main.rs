//! What modules allocate in a step, forward and backward, in units of a tensor that passes through them: no copy but those
//! that the arithmetic needs.
//!
//! A program of its own, since it counts all memory that the process takes.

use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::MaxPool2dConfig;
use burn::nn::{Linear, LinearConfig, PaddingConfig2d, Relu};
use burn::tensor::activation::relu;
use burn::tensor::{DType, Device, Distribution, Tensor};
use burn_tricks::kernels::{spectral_norm, weight_norm};
use burn_tricks::nn::{
    AlphaDropoutConfig, DropBlockConfig, DropConnectConfig, DropPathConfig, DropPathUnit,
    DropoutConfig, FrozenBatchNorm, GaussianDropoutConfig, GhostBatchNormConfig,
    InceptionBlockConfig, LayerScaleConfig, Placement, ResNetConfig, ResidualConfig, Shortcut,
    SpatialDropoutConfig, SpectralNormConfig, TorchBatchNorm, TorchBatchNormConfig,
    WeightNormConfig, WeightStandardizationConfig,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static MEMORY: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const SHAPE: [usize; 4] = [8, 16, 32, 32];
/// Bytes of a tensor of this shape.
const TENSOR: f64 = (8 * 16 * 32 * 32 * 4) as f64;

/// What everything small takes together, such as the graph: a tenth of a tensor.
const SMALL: f64 = 0.1;

/// What forward and backward allocate in the second step.
fn taken(device: &Device, forward: impl Fn(Tensor<4>) -> Tensor<4>) -> f64 {
    taken_of(SHAPE, device, forward)
}

/// The same with an input of this shape.
fn taken_of<const D: usize, const E: usize>(
    shape: [usize; D],
    device: &Device,
    forward: impl Fn(Tensor<D>) -> Tensor<E>,
) -> f64 {
    let x = Tensor::random(shape, Distribution::Default, device).require_grad();
    taken_by(|| forward(x.clone()))
}

fn taken_by<const D: usize>(forward: impl Fn() -> Tensor<D>) -> f64 {
    let step = || {
        let memory = Region::new(MEMORY);
        let _grads = forward().sum().backward();
        memory.change().bytes_allocated as f64 / TENSOR
    };
    step();
    step()
}

/// What is still allocated after the forward pass of the second step.
fn kept(device: &Device, forward: impl Fn(Tensor<4>) -> Tensor<4>) -> f64 {
    let x = Tensor::random(SHAPE, Distribution::Default, device).require_grad();
    let step = || {
        let memory = Region::new(MEMORY);
        let output = forward(x.clone());
        let change = memory.change();
        output.sum().backward();
        (change.bytes_allocated as f64 - change.bytes_deallocated as f64) / TENSOR
    };
    step();
    step()
}

fn assert_about(got: f64, expected: f64, what: &str) {
    println!("{what}: {got:.3}");
    let is_about = (expected - SMALL..expected + SMALL).contains(&got);
    assert!(is_about, "{what}: {got} tensors, expected {expected}");
}

/// An output and a gradient, as for any operation; the graph begins with a gradient of ones for the output, in which the
/// gradient of the input is computed.
fn modules(device: &Device) {
    let about = |what: &str, tensors: f64, forward: &dyn Fn(Tensor<4>) -> Tensor<4>| {
        assert_about(taken(device, forward), tensors, what);
    };
    about("a product", 2.0, &|x| x * 2.0);
    let ghost = GhostBatchNormConfig::new(16, 2).init(device).unwrap();
    about("ghost batch norm", 2.0, &|x| ghost.forward(x));
    let norm = TorchBatchNormConfig::new(16).init(device).unwrap();
    about("batch norm", 2.0, &|x| norm.forward(x));
    let dropout = DropoutConfig::new(0.2).init().unwrap();
    about("dropout", 2.0, &|x| dropout.forward(x));
    about("dropout of a product", 2.0, &|x| dropout.forward(x * 2.0));
    let alpha = AlphaDropoutConfig::new(0.2).init().unwrap();
    about("alpha dropout", 2.0, &|x| alpha.forward(x));
    let gaussian = GaussianDropoutConfig::new(0.2).init().unwrap();
    about("Gaussian dropout", 2.0, &|x| gaussian.forward(x));
    let spatial = SpatialDropoutConfig::new(0.2).init().unwrap();
    about("spatial dropout", 2.0, &|x| spatial.forward(x));
    let small_maps = taken_of([256, 256, 2], device, |x: Tensor<3>| spatial.forward(x));
    assert_about(small_maps, 2.0, "spatial dropout of maps of two numbers");
    for unit in [DropPathUnit::Sample, DropPathUnit::Batch] {
        let path = DropPathConfig::new(0.2).with_unit(unit).init().unwrap();
        about("drop-path", 2.0, &|x| path.forward(x));
        about("drop-path of a product", 2.0, &|x| path.forward(x * 2.0));
    }
    // A mask of a byte for each number, both ways.
    let blocks = DropBlockConfig::new(0.2).init().unwrap();
    about("DropBlock", 2.5, &|x| blocks.forward(x));
}

/// An input in half precision, which takes half a tensor, beside parameters of `f32`: no copy in `f32`.
fn mixed_precision(device: &Device) {
    let x = Tensor::<4>::random(SHAPE, Distribution::Default, device);
    let x = x.cast(DType::F16).detach().require_grad();
    let about = |what: &str, forward: &dyn Fn(Tensor<4>) -> Tensor<4>| {
        assert_about(taken_by(|| forward(x.clone())), 1.0, what);
    };
    about("a product in f16", &|x| x * 2.0);
    let ghost = GhostBatchNormConfig::new(16, 2).init(device).unwrap();
    about("ghost batch norm of f16", &|x| ghost.forward(x));
    let norm = TorchBatchNormConfig::new(16).init(device).unwrap();
    about("batch norm of f16", &|x| norm.forward(x));
    let frozen = FrozenBatchNorm::from(&norm);
    about("frozen batch norm of f16", &|x| frozen.forward(x));
    let lengths = Tensor::<1>::ones([8], device).require_grad();
    about("weight norm of f16", &|x| {
        weight_norm(x, lengths.clone(), 0)
    });
}

/// The weight that is made, and the gradient of ones, in which the gradient is computed.
/// The sums of the units take a part of a weight.
fn reparameterizations(device: &Device) {
    let about = |what: &str, attach: &dyn Fn(Linear) -> Linear| {
        // As many weights as a tensor has numbers.
        let plain = LinearConfig::new(256, 512).with_bias(false).init(device);
        let layer = attach(plain);
        let taken = taken_by(|| layer.weight.val());
        println!("{what}: {taken:.3}");
        assert!((2.0..2.4).contains(&taken), "{what}: {taken} weights");
    };
    about("weight norm", &|layer| {
        WeightNormConfig::new().attach(layer).unwrap()
    });
    about("weight standardisation", &|layer| {
        WeightStandardizationConfig::new().attach(layer).unwrap()
    });
    about("DropConnect", &|layer| {
        DropConnectConfig::new(0.2).attach(layer).unwrap()
    });
    about("spectral norm", &|layer| {
        SpectralNormConfig::new().attach(layer).unwrap()
    });
}

/// Vectors, and no sums for each line: in weights with long lines, and in those with many slices.
fn spectral_norm_of_large_weights(device: &Device) {
    fn check<const D: usize>(shape: [usize; D], axis: usize, device: &Device) {
        let numbers: usize = shape.iter().product();
        let (units, plain) = (shape[axis], device.clone().without_autodiff());
        let [u, v] = [units, numbers / units]
            .map(|len| Tensor::<1>::ones([len], &plain) / (len as f64).sqrt());
        let taken = taken_of(shape, device, |weight: Tensor<D>| {
            spectral_norm(weight, axis, u.clone(), v.clone(), 1).weight
        });
        let bytes = (taken * TENSOR) as usize;
        // The output and the gradient; a dozen vectors of `f64`; the sums.
        let most = 2 * 4 * numbers + 12 * 8 * (units + numbers / units) + (1 << 19);
        println!(
            "spectral norm of {shape:?} by {axis}: {:.3}",
            bytes as f64 / numbers as f64 / 4.0
        );
        assert!(
            bytes < most,
            "{shape:?} by {axis}: {bytes} bytes, not {most}"
        );
    }
    for axis in [0, 1] {
        check([64, 50_257], axis, device);
        check([256, 8_192], axis, device);
        check([256, 256, 3, 3], axis, device);
    }
}

fn residual_blocks(device: &Device) {
    // The branch's output, in which the sum is computed; the gradient of ones; the branch's share of the gradient, in which
    // both shares are added.
    let branch = |_: &Relu, x: Tensor<4>| x * 2.0;
    let block = |config: ResidualConfig| {
        let block = config.init(Relu::new(), device).unwrap();
        taken(device, |x| block.forward_with(x, branch))
    };
    let plain = ResidualConfig::new().with_placement(Placement::None);
    assert_about(block(plain.clone()), 3.0, "a residual block");
    let pre = plain.clone().with_placement(Placement::Pre);
    assert_about(block(pre), 3.0, "with an activation in front");
    // Of a tensor that is computed, Burn's ReLU takes one more.
    let of_product = taken(device, |x| relu(x * 2.0)) - taken(device, |x| x * 2.0);
    let post = plain.clone().with_placement(Placement::Post);
    assert_about(block(post), 3.0 + of_product, "with an activation behind");
    // The branch's output is kept for the gradient of the factors, whose sums take a part of a tensor.
    for scale in [LayerScaleConfig::re_zero(), LayerScaleConfig::new(16)] {
        let scaled = block(plain.clone().with_scale(Some(scale)));
        println!("with a factor: {scaled:.3}");
        assert!((4.0..4.4).contains(&scaled), "{scaled} tensors");
    }
}

/// A convolution and a batch norm.
type Normed = (Conv2d, TorchBatchNorm);

fn normed(channels: [usize; 2], size: usize, stride: usize, device: &Device) -> Normed {
    let mut conv = conv(channels, size, device);
    conv.stride = [stride, stride];
    conv.bias = None;
    let norm = TorchBatchNormConfig::new(channels[1]).init(device).unwrap();
    (conv, norm)
}

fn linear(layers: &Normed, x: Tensor<4>) -> Tensor<4> {
    layers.1.forward(layers.0.forward(x))
}

fn post(layers: &Normed, x: Tensor<4>) -> Tensor<4> {
    relu(linear(layers, x))
}

/// Branch and shortcut, and nothing for their sum.
fn conv_shortcuts(device: &Device) {
    for stride in [1, 2] {
        let branch = normed([16, 16], 3, stride, device);
        let shortcut = normed([16, 16], 1, stride, device);
        let parts = [&branch, &shortcut].map(|layers| taken(device, |x| linear(layers, x)));
        let config = ResidualConfig::new()
            .with_placement(Placement::None)
            .with_shortcut(Shortcut::Conv {
                channels: [16, 16],
                stride,
                batch_norm: true,
            });
        let block = config.init(Relu::new(), device).unwrap();
        let block = taken(device, |x| {
            block.forward_with(x, |_, x: Tensor<4>| linear(&branch, x))
        });
        println!("a shortcut of stride {stride}: {block:.3}, branch and shortcut {parts:.3?}");
        let parts: f64 = parts.iter().sum();
        assert!(block < parts + SMALL, "{block} tensors, parts {parts}");
    }
}

/// Each part, without its gradient of ones, but in a block one for the share of the gradient that goes through the shortcut.
fn res_net(device: &Device) {
    let images = [8, 3, 32, 32];
    let config = ResNetConfig::new(3, 10).with_widths(vec![16, 32]);
    let net = config.init(device).unwrap();
    let net = taken_of(images, device, |x| net.forward(x));
    let layers = |channels, size, stride| normed(channels, size, stride, device);
    let stem = layers([3, 16], 3, 1);
    let first = [layers([16, 16], 3, 1), layers([16, 16], 3, 1)];
    let second = [layers([16, 32], 3, 2), layers([32, 32], 3, 1)];
    let shortcut = layers([16, 32], 1, 2);
    let output = LinearConfig::new(32, 10).init(device);
    let branch = |layers: &[Normed; 2]| taken(device, |x| linear(&layers[1], post(&layers[0], x)));
    let behind = |shape: [usize; 4]| {
        taken_of(shape, device, |x: Tensor<4>| relu(x * 2.0))
            - taken_of(shape, device, |x: Tensor<4>| x * 2.0)
    };
    let small = [8, 32, 16, 16]; // half a tensor
    let parts = [
        taken_of(images, device, |x| post(&stem, x)) - 1.0,
        branch(&first),
        behind(SHAPE),
        branch(&second),
        taken(device, |x| linear(&shortcut, x)) - 0.5,
        behind(small),
        taken_of(small, device, |x: Tensor<4>| {
            output.forward(x.flatten::<3>(2, 3).mean_dim(2).squeeze_dim::<2>(2))
        }),
    ];
    println!("a residual network: {net:.3}, its parts: {parts:.3?}");
    let parts: f64 = parts.iter().sum();
    assert!(net < parts + SMALL, "{net} tensors, parts {parts}");
}

/// A convolution that keeps height and width.
fn conv(channels: [usize; 2], size: usize, device: &Device) -> Conv2d {
    let half = size / 2;
    Conv2dConfig::new(channels, [size, size])
        .with_padding(PaddingConfig2d::Explicit(half, half, half, half))
        .init(device)
}

/// The concatenation takes a tensor, and the gradients of its parts take one. All else is in the parts.
fn inception_block(device: &Device) {
    let config = InceptionBlockConfig::google_net(16, 4);
    let pool = MaxPool2dConfig::new([3, 3])
        .with_strides([1, 1])
        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
        .init();
    let unit = |channels, size| normed(channels, size, 1, device);
    let (one, reduce, three) = (unit([16, 4], 1), unit([16, 6], 1), unit([6, 8], 3));
    let (few, five, project) = (unit([16, 1], 1), unit([1, 2], 5), unit([16, 2], 1));
    let parts = [
        taken(device, |x| post(&one, x)),
        taken(device, |x| post(&three, post(&reduce, x))),
        taken(device, |x| post(&five, post(&few, x))),
        taken(device, |x| post(&project, pool.forward(x))),
    ];
    let parts: f64 = parts.iter().sum();
    let block = config.init(device).unwrap();
    let block = taken(device, |x| block.forward(x));
    println!("an Inception block with batch norm: {block:.2}, its parts: {parts:.2}");
    assert!(
        block < parts + 2.0 + SMALL,
        "{block} tensors, parts {parts}"
    );
    let block = config.with_batch_norm(false).init(device).unwrap();
    let (one, reduce, three) = (
        conv([16, 4], 1, device),
        conv([16, 6], 1, device),
        conv([6, 8], 3, device),
    );
    let (few, five, project) = (
        conv([16, 1], 1, device),
        conv([1, 2], 5, device),
        conv([16, 2], 1, device),
    );
    let pool = MaxPool2dConfig::new([3, 3])
        .with_strides([1, 1])
        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
        .init();
    let parts = [
        taken(device, |x| relu(one.forward(x))),
        taken(device, |x| relu(three.forward(relu(reduce.forward(x))))),
        taken(device, |x| relu(five.forward(relu(few.forward(x))))),
        taken(device, |x| relu(project.forward(pool.forward(x)))),
    ];
    let parts: f64 = parts.iter().sum();
    let block = taken(device, |x| block.forward(x));
    println!("an Inception block: {block:.2}, its parts: {parts:.2}");
    assert!(
        block < parts + 2.0 + SMALL,
        "{block} tensors, parts {parts}"
    );
}

/// A product keeps both factors, which are computed again: only the output stays. Without checkpointing the noise is kept.
fn checkpointing(device: &Device) {
    let dropout = DropoutConfig::new(0.2).init().unwrap();
    let blocks = DropBlockConfig::new(0.2).init().unwrap();
    let square = |x: Tensor<4>| x.clone() * x;
    let dropped = |x: Tensor<4>| square(dropout.forward(x * 2.0));
    assert_about(kept(device, dropped), 2.0, "kept of dropout");
    let device = device.clone().gradient_checkpointing();
    assert_about(kept(&device, dropped), 1.0, "with checkpointing");
    let without_blocks = |x: Tensor<4>| square(blocks.forward(x * 2.0));
    assert_about(kept(&device, without_blocks), 1.0, "the same of DropBlock");
}

#[test]
fn nothing_is_copied_that_the_arithmetic_does_not_need() {
    let device = Device::flex().autodiff();
    modules(&device);
    mixed_precision(&device);
    reparameterizations(&device);
    spectral_norm_of_large_weights(&device);
    residual_blocks(&device);
    conv_shortcuts(&device);
    res_net(&device);
    inception_block(&device);
    checkpointing(&device);
}
