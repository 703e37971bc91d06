//! Small modules for the tests, and their gradients.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Tensor, activation::relu};
use burn::train::RegressionOutput;
use burn_tricks::average::Predict;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// To be held by every test that seeds a device or draws from it: random weights, which are drawn at
/// their first use, dropout, noise. Burn's generators are global to the process, and another test's draw
/// would change what comes after a seed.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static GENERATORS: Mutex<()> = Mutex::new(());
    // A test that failed has spoiled nothing: whoever needs a state seeds it.
    GENERATORS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Two parameters, named `a` and `b`.
#[derive(Module, Debug)]
pub(crate) struct Pair {
    pub(crate) a: Param<Tensor<1>>,
    pub(crate) b: Param<Tensor<1>>,
}

impl Pair {
    pub(crate) fn new(a: &[f64], b: &[f64], dtype: DType, device: &Device) -> Self {
        let param = |values: &[f64]| {
            let value = tensor(values, dtype, device).set_require_grad(device.is_autodiff());
            Param::initialized(ParamId::new(), value)
        };
        Self {
            a: param(a),
            b: param(b),
        }
    }

    /// Of zeros, with gradients `a` and `b`.
    pub(crate) fn with_grads(
        a: &[f64],
        b: &[f64],
        dtype: DType,
        device: &Device,
    ) -> (Self, GradientsParams) {
        let pair = Self::new(&vec![0.0; a.len()], &vec![0.0; b.len()], dtype, device);
        let grads = pair.grads(a, b);
        (pair, grads)
    }

    /// Gradients of the type and on the device of the parameters.
    pub(crate) fn grads(&self, a: &[f64], b: &[f64]) -> GradientsParams {
        let value = self.a.val().inner();
        let mut grads = GradientsParams::new();
        grads.register(self.a.id, tensor::<1>(a, value.dtype(), &value.device()));
        grads.register(self.b.id, tensor::<1>(b, value.dtype(), &value.device()));
        grads
    }

    pub(crate) fn read_grads(&self, grads: &GradientsParams) -> (Vec<f64>, Vec<f64>) {
        let read = |param: &Param<Tensor<1>>| values(grads.get::<1>(param.id).expect("a gradient"));
        (read(&self.a), read(&self.b))
    }

    /// Of the first parameter alone.
    pub(crate) fn read_grads_a(&self, grads: &GradientsParams) -> Vec<f64> {
        values(grads.get::<1>(self.a.id).expect("a gradient"))
    }

    pub(crate) fn values(&self) -> (Vec<f64>, Vec<f64>) {
        (values(self.a.val()), values(self.b.val()))
    }
}

/// A network with every kind of state: weights, running statistics, and dropout, which has none but
/// a mode.
#[derive(Module, Debug)]
pub(crate) struct Net {
    pub(crate) first: Linear,
    pub(crate) norm: BatchNorm,
    pub(crate) dropout: Dropout,
    pub(crate) last: Linear,
}

impl Net {
    pub(crate) fn new(dropout: f64, device: &Device) -> Self {
        Self {
            first: LinearConfig::new(4, 8).init(device),
            norm: BatchNormConfig::new(8).init(device),
            dropout: DropoutConfig::new(dropout).init(),
            last: LinearConfig::new(8, 3).init(device),
        }
    }

    pub(crate) fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let hidden = relu(self.norm.forward(self.first.forward(input)));
        self.last.forward(self.dropout.forward(hidden))
    }
}

impl Predict for Net {
    type Input = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        self.forward(input)
    }
}

/// A tensor of rank D whose first dimension holds all the values.
pub(crate) fn tensor<const D: usize>(values: &[f64], dtype: DType, device: &Device) -> Tensor<D> {
    let mut shape = [1; D];
    shape[0] = values.len();
    Tensor::<1>::from_data(values, (device, dtype)).reshape(shape)
}

/// The values of a tensor, flat.
pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// The float types that a device computes in.
pub(crate) fn dtypes(device: &Device) -> Vec<DType> {
    [DType::F64, DType::F32, DType::F16, DType::BF16]
        .into_iter()
        .filter(|dtype| device.supports_dtype(*dtype))
        .collect()
}

/// A deterministic sequence of numbers in (-1, 1).
#[derive(Debug)]
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn next(&mut self) -> f64 {
        // Knuth's linear congruential generator; the high bits are good enough here.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    pub(crate) fn take(&mut self, count: usize) -> Vec<f64> {
        (0..count).map(|_| self.next()).collect()
    }
}

/// An output that shows its loss.
pub(crate) fn shown(loss: Tensor<1>) -> RegressionOutput {
    let none = Tensor::zeros([1, 1], &loss.device());
    RegressionOutput::new(loss, none.clone(), none)
}

/// Every number of a module: weights and running statistics.
pub(crate) fn numbers<M: Module>(module: &M) -> Vec<f64> {
    struct Numbers(Vec<f64>);

    impl ModuleVisitor for Numbers {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.extend(values(param.val()));
        }
    }

    let mut numbers = Numbers(Vec::new());
    module.visit(&mut numbers);
    numbers.0
}
