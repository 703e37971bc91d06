//! What is trained: matrices, a multi-layer perceptron, a residual network.

use burn::module::{Module, ModuleMapper, Param};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::GradientsParams;
use burn::tensor::{Device, FloatDType, Int, Tensor};
use burn_tricks::nn::{ResNet, ResNetConfig};
use burn_tricks_examples::additions::{AddedMlp, Addition};

/// A network, or weights that stand for one.
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub(crate) enum Net {
    /// Matrices alone.
    Matrices(Matrices),
    /// A multi-layer perceptron.
    Mlp(AddedMlp),
    /// A residual network.
    ResNet(ResNet),
}

/// Matrices, each with a gradient.
#[derive(Module, Debug)]
pub(crate) struct Matrices {
    weights: Vec<Param<Tensor<2>>>,
}

/// What the gradients come from.
#[derive(Debug)]
enum Batch {
    /// `Σ w²/2 + c Σ w`, whose gradient is `w + c`.
    Parabola,
    /// No loss: each matrix gets a copy of this one.
    Given(Tensor<2>),
    /// Samples and their classes.
    Samples(Tensor<2>, Tensor<1, Int>),
    /// Images and their classes.
    Images(Tensor<4>, Tensor<1, Int>),
}

/// A network and its one batch.
#[derive(Debug)]
pub(crate) struct Problem {
    /// The network, in training.
    pub(crate) net: Net,
    batch: Batch,
}

impl Problem {
    /// Matrices of odd and even sizes, of this type, and their parabola: no operation but those of the tricks, and of one
    /// rounding each. In half precision there are fewer, since a software renderer compiles its kernels slowly.
    pub(crate) fn parabola(dtype: FloatDType, device: &Device) -> Self {
        let shapes: &[_] = match dtype {
            FloatDType::F32 => &[[7, 5], [64, 33], [1, 1], [129, 257], [1000, 3]],
            _ => &[[7, 5], [128, 256]],
        };
        Self {
            net: matrices(shapes.iter().copied(), dtype, device),
            batch: Batch::Parabola,
        }
    }

    /// `count` matrices of one shape, with gradients that cost a copy.
    pub(crate) fn given(count: usize, shape: [usize; 2], device: &Device) -> Self {
        let net = matrices(vec![shape; count], FloatDType::F32, device);
        let [rows, columns] = shape;
        let grad = Tensor::<1>::from_floats(&*noise(rows * columns, 7), device);
        Self {
            net,
            batch: Batch::Given(grad.reshape(shape) * 1e-2),
        }
    }

    /// A multi-layer perceptron, with an addition or without.
    pub(crate) fn mlp(
        addition: Option<Addition>,
        [samples, inputs, width]: [usize; 3],
        device: &Device,
    ) -> Self {
        let training = device.clone().autodiff();
        let net = AddedMlp::new(addition, inputs, width, &training).expect("a valid configuration");
        let values = Tensor::<1>::from_floats(&*noise(samples * inputs, 8), &training);
        Self {
            net: Net::Mlp(net),
            batch: Batch::Samples(
                values.reshape([samples, inputs]),
                classes(samples, &training),
            ),
        }
    }

    /// A residual network for colour images of `size` × `size`.
    pub(crate) fn res_net(
        config: &ResNetConfig,
        [images, size]: [usize; 2],
        device: &Device,
    ) -> Self {
        let training = device.clone().autodiff();
        let shape = [images, config.channels, size, size];
        let values = Tensor::<1>::from_floats(&*noise(shape.iter().product(), 9), &training);
        Self {
            net: Net::ResNet(config.init(&training).expect("a valid configuration")),
            batch: Batch::Images(values.reshape(shape), classes(images, &training)),
        }
    }

    /// The same with weights and samples of this type. Statistics, which are not trained, stay as they are.
    pub(crate) fn cast(self, dtype: FloatDType) -> Self {
        Self {
            net: self.net.map(&mut Cast(dtype)),
            batch: match self.batch {
                Batch::Parabola => Batch::Parabola,
                Batch::Given(grad) => Batch::Given(grad.cast(dtype)),
                Batch::Samples(values, classes) => Batch::Samples(values.cast(dtype), classes),
                Batch::Images(values, classes) => Batch::Images(values.cast(dtype), classes),
            },
        }
    }

    /// The same, on another device.
    pub(crate) fn fork(&self, device: &Device) -> Self {
        let training = &device.clone().autodiff();
        Self {
            net: self.net.clone().fork(training),
            batch: match &self.batch {
                Batch::Parabola => Batch::Parabola,
                Batch::Given(grad) => Batch::Given(grad.clone().to_device(device)),
                Batch::Samples(values, classes) => Batch::Samples(
                    values.clone().to_device(training),
                    classes.clone().to_device(training),
                ),
                Batch::Images(values, classes) => Batch::Images(
                    values.clone().to_device(training),
                    classes.clone().to_device(training),
                ),
            },
        }
    }

    /// The loss of such a network on the batch, in `f32`, as is usual also if the network is in half precision.
    pub(crate) fn loss(&self, net: &Net) -> Tensor<1> {
        let (logits, classes) = match (net, &self.batch) {
            (Net::Matrices(matrices), Batch::Parabola) => {
                let loss = |weight: &Param<Tensor<2>>| {
                    let weight = weight.val().cast(FloatDType::F32);
                    (weight.clone().square() * 0.5 + weight * 0.3).sum()
                };
                let losses = matrices.weights.iter().map(loss);
                return losses.reduce(|a, b| a + b).expect("a matrix");
            }
            (Net::Mlp(mlp), Batch::Samples(values, classes)) => {
                (mlp.forward(values.clone()), classes)
            }
            (Net::ResNet(net), Batch::Images(values, classes)) => {
                (net.forward(values.clone()), classes)
            }
            (net, batch) => unreachable!("no loss of {net:?} on {batch:?}"),
        };
        let loss = CrossEntropyLossConfig::new().init(&logits.device());
        loss.forward(logits.cast(FloatDType::F32), classes.clone())
    }

    /// The gradients of such a network on the batch.
    pub(crate) fn grads(&self, net: &Net) -> GradientsParams {
        match (net, &self.batch) {
            (Net::Matrices(matrices), Batch::Given(like)) => {
                let mut grads = GradientsParams::new();
                for weight in &matrices.weights {
                    grads.register(weight.id, like.clone() * 1.0);
                }
                grads
            }
            _ => GradientsParams::from_grads(self.loss(net).backward(), net),
        }
    }
}

/// Makes the weights that are trained tensors of this type.
#[derive(Debug)]
pub(crate) struct Cast(pub(crate) FloatDType);

impl ModuleMapper for Cast {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|weight| {
            if weight.is_require_grad() {
                weight.detach().cast(self.0).detach().require_grad()
            } else {
                weight
            }
        })
    }
}

fn matrices(
    shapes: impl IntoIterator<Item = [usize; 2]>,
    dtype: FloatDType,
    device: &Device,
) -> Net {
    let training = device.clone().autodiff();
    let weight = |(at, [rows, columns]): (usize, [usize; 2])| {
        let values = noise(rows * columns, at as u64);
        let values = Tensor::<1>::from_floats(&*values, &training);
        Param::from_tensor(values.reshape([rows, columns]).cast(dtype))
    };
    let weights = shapes.into_iter().enumerate().map(weight).collect();
    Net::Matrices(Matrices { weights })
}

fn classes(samples: usize, device: &Device) -> Tensor<1, Int> {
    Tensor::arange(0..samples as i64, device) % 10
}

/// Numbers in (-1, 1), the same on every device: Knuth's linear congruential generator.
pub(crate) fn noise(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut draw = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((state >> 11) as f64 / (1u64 << 52) as f64 - 1.0) as f32
    };
    (0..count).map(|_| draw()).collect()
}
