//! The small model with which the laws are checked.

use burn::module::{Module, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Tensor};

/// A model of three parameters: a vector and a matrix that are trained, and a vector that is frozen.
#[derive(Module, Debug)]
pub struct Weights {
    /// A trained vector of 3 numbers.
    pub vector: Param<Tensor<1>>,
    /// A trained matrix of 2 × 3 numbers.
    pub matrix: Param<Tensor<2>>,
    /// A frozen vector of 2 numbers.
    pub frozen: Param<Tensor<1>>,
}

impl Weights {
    /// A model whose values, in (-1, 1), depend only on `seed`, with type `dtype` on `device`.
    pub fn new(seed: u64, dtype: DType, device: &Device) -> Self {
        let mut noise = Noise(seed);
        let trained = device.is_autodiff();
        Self {
            vector: param(tensor(&mut noise, [3], dtype, device), trained),
            matrix: param(tensor(&mut noise, [2, 3], dtype, device), trained),
            frozen: param(tensor(&mut noise, [2], dtype, device), false),
        }
    }

    /// Gradients of the trained parameters, whose values, in (-1, 1), depend only on `seed`.
    pub fn grads(&self, seed: u64) -> GradientsParams {
        let mut noise = Noise(seed ^ 0x9e37_79b9_7f4a_7c15);
        let like = self.vector.val();
        let (dtype, device) = (like.dtype(), like.device().without_autodiff());
        let mut grads = GradientsParams::new();
        grads.register(self.vector.id, tensor::<1>(&mut noise, [3], dtype, &device));
        grads.register(
            self.matrix.id,
            tensor::<2>(&mut noise, [2, 3], dtype, &device),
        );
        grads
    }

    /// The same model with `shift` added to each number; ids stay, and so does which parameters are trained.
    pub fn shifted(self, shift: f64) -> Self {
        fn add<const D: usize>(param: Param<Tensor<D>>, shift: f64) -> Param<Tensor<D>> {
            let trained = param.is_require_grad();
            param.map(|value| value.add_scalar(shift).detach().set_require_grad(trained))
        }
        Self {
            vector: add(self.vector, shift),
            matrix: add(self.matrix, shift),
            frozen: add(self.frozen, shift),
        }
    }

    /// Every number of the model, in the order of its fields.
    pub fn numbers(&self) -> Vec<f64> {
        let mut numbers = read(self.vector.val());
        numbers.extend(read(self.matrix.val()));
        numbers.extend(read(self.frozen.val()));
        numbers
    }

    /// The ids of the parameters, in the order of the fields.
    pub(crate) fn ids(&self) -> [ParamId; 3] {
        [self.vector.id, self.matrix.id, self.frozen.id]
    }

    /// The shapes of the parameters, in the order of the fields.
    pub(crate) fn shapes(&self) -> [Vec<usize>; 3] {
        [
            self.vector.val().dims().to_vec(),
            self.matrix.val().dims().to_vec(),
            self.frozen.val().dims().to_vec(),
        ]
    }

    /// Which parameters are trained, in the order of the fields.
    pub(crate) fn trained(&self) -> [bool; 3] {
        [
            self.vector.is_require_grad(),
            self.matrix.is_require_grad(),
            self.frozen.is_require_grad(),
        ]
    }
}

/// The numbers of a tensor, flattened.
pub(crate) fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// Numbers in (-1, 1).
pub(crate) fn tensor<const D: usize>(
    noise: &mut Noise,
    shape: [usize; D],
    dtype: DType,
    device: &Device,
) -> Tensor<D> {
    let numbers: Vec<f64> = (0..shape.iter().product()).map(|_| noise.next()).collect();
    Tensor::<1>::from_data(numbers.as_slice(), (device, dtype)).reshape(shape)
}

/// The float types in which a device computes.
pub(crate) fn dtypes(device: &Device) -> Vec<DType> {
    [DType::F64, DType::F32, DType::F16, DType::BF16]
        .into_iter()
        .filter(|dtype| device.supports_dtype(*dtype))
        .collect()
}

fn param<const D: usize>(value: Tensor<D>, trained: bool) -> Param<Tensor<D>> {
    Param::initialized(ParamId::new(), value.set_require_grad(trained))
}

/// Knuth's linear congruential generator, of which the high bits are good enough here.
#[derive(Debug)]
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}
