//! Spectral normalisation: a layer's weight is divided by its largest singular value.
//!
//! ```text
//! w = W / σ     σ = uᵀ W v     the weight as a matrix [units, the rest]
//! u ← W v / ‖W v‖,  v ← Wᵀ u / ‖Wᵀ u‖     at every use in training
//! ```
//!
//! The layer's Lipschitz constant (for the Euclidean norm, for a linear layer) becomes 1. Weights change
//! little from step to step, so one round of power iteration a step keeps u and v the leading singular
//! vectors. The gradient passes through σ, with u and v held constant.
//!
//! # Example
//!
//! ```
//! use burn::nn::LinearConfig;
//! use burn::tensor::{Device, Tensor};
//! use burn_tricks_nn::SpectralNormConfig;
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! let device = Device::flex().autodiff();
//! let critic = vec![LinearConfig::new(8, 16).init(&device), LinearConfig::new(16, 1).init(&device)];
//! let critic = SpectralNormConfig::new().attach(critic)?;
//! let score = critic[1].forward(critic[0].forward(Tensor::<2>::ones([2, 8], &device)));
//! # let _ = score;
//! # Ok(())
//! # }
//! ```
//!
//! # Where it stands
//!
//! Attached once, as [`WeightNorm`](crate::WeightNorm). The iteration runs where the weight is on an
//! autodiff device and the `training` flag is set; after `valid()` or `freeze()` u and v stand still.
//! Every use iterates: a recurrent layer does so at every time step, as in PyTorch without `cached()`.
//!
//! - **Records.** `fc.weight` holds the weight before the division; `fc.weight.spectral_norm.u` and `.v`
//!   are new. They are running statistics: recorded and moved with the model, never trained, and shared
//!   by its clones, as those of batch norm are. In [column layout](crate#column-layout) no record loads.
//! - **LoRA** and other reparameterizations: one for each parameter; see [`WeightNorm`](crate::WeightNorm).
//!
//! # Cost
//!
//! Two vectors for each weight; three products of the weight with a vector at every use in training.
//!
//! # Differences
//!
//! The numbers are those of PyTorch's `parametrizations.spectral_norm`: 15 iterations when attached, one
//! a use. Its first vectors are random; here they are fixed, so that attaching draws no random numbers.
//! A weight of zeros is NaN there, and its vectors stay zero for ever; here it is left as it is, and the
//! vectors wait. Keras's `SpectralNormalization` changes the stored kernel itself.
//!
//! # Suggested values
//!
//! One iteration (Miyato et al.). For the discriminator of a GAN, on every layer.
//!
//! # References
//!
//! - Miyato, Kataoka, Koyama, Yoshida, *Spectral normalization for generative adversarial networks*,
//!   2018, <https://arxiv.org/abs/1802.05957>
//! - PyTorch, `torch.nn.utils.parametrizations.spectral_norm`

use crate::layer_weights::{LayerWeights, layer_weights};
use burn::module::{
    Flag, Module, Param, ParamGroup, Reparameterization, Reparameterizer, RunningState,
};
use burn::tensor::{Tensor, TensorData};
use burn_tricks_core::{Config, ConfigError, UnitAxis, accumulation_dtype};

/// Rounds of power iteration when attached.
const FIRST_ITERATIONS: usize = 15;

/// Configuration of [`SpectralNorm`].
#[derive(Config, Debug)]
pub struct SpectralNormConfig {
    /// Rounds of power iteration at every use in training, at least 1. Default: 1.
    #[config(default = 1)]
    pub iterations: usize,
    /// Which weights, by path or id; of those only the ones with at least two dimensions. Default: all.
    #[config(default = "ParamGroup::all()")]
    pub group: ParamGroup,
}

impl SpectralNormConfig {
    /// `model` with spectral norm on its weights.
    ///
    /// # Errors
    ///
    /// If `iterations` is 0, the group matches no weight, or a parameter of `model` is reparameterized
    /// already.
    pub fn attach<M: Module>(&self, model: M) -> Result<M, ConfigError> {
        let iterations = ConfigError::at_least_one("iterations", self.iterations)?;
        let weights = layer_weights(&model, &self.group)?;
        Ok(model.apply_reparameterization(Attach {
            weights,
            iterations,
        }))
    }
}

/// The leading singular vectors of a weight. Attached by [`SpectralNormConfig::attach`]; to be found
/// with [`Param::reparameterization`].
#[derive(Module, Debug)]
pub struct SpectralNorm {
    /// The left vector: a number for each unit.
    pub u: RunningState<Tensor<1>>,
    /// The right vector.
    pub v: RunningState<Tensor<1>>,
    /// Whether the vectors follow the weight, on an autodiff device.
    pub training: Param<Flag>,
    iterations: usize,
    #[module(skip)]
    units: UnitAxis,
}

impl SpectralNorm {
    fn iterate(&self, matrix: Tensor<2>, rounds: usize) {
        let (old_u, old_v) = (self.u.value_sync(), self.v.value_sync());
        let stored = old_u.dtype();
        let (mut u, mut v) = (column(old_u, &matrix), column(old_v, &matrix));
        for _ in 0..rounds {
            u = normalized(matrix.clone().matmul(v.clone()), u);
            v = normalized(matrix.clone().transpose().matmul(u.clone()), v);
        }
        for (state, vector) in [(&self.u, u), (&self.v, v)] {
            state.update(vector.squeeze_dim::<1>(1).cast(stored).detach());
            // At once: a record made after this forward pass is to hold this vector.
            state.value_sync();
        }
    }
}

impl Reparameterization for SpectralNorm {
    const NAME: &'static str = "spectral_norm";

    fn apply<const D: usize>(&self, base: Tensor<D>) -> Tensor<D> {
        let dtype = base.dtype();
        let matrix = matrix(self.units, base.clone());
        if base.device().is_autodiff() && self.training.is_enabled() {
            self.iterate(matrix.clone().detach(), self.iterations);
        }
        let u = column(self.u.value_sync(), &matrix);
        let v = column(self.v.value_sync(), &matrix);
        let sigma = u.transpose().matmul(matrix.matmul(v)).reshape([1; D]);
        let is_zero = sigma.clone().equal_elem(0);
        let wide = base.cast(accumulation_dtype(dtype)) / sigma.mask_fill(is_zero, 1.0);
        wide.cast(dtype)
    }
}

/// The weight as `[units, the rest]`, in the precision that sums are made in.
fn matrix<const D: usize>(units: UnitAxis, weight: Tensor<D>) -> Tensor<2> {
    let dtype = accumulation_dtype(weight.dtype());
    let weight = weight.cast(dtype).swap_dims(0, units.axis());
    let rows = weight.dims()[0];
    weight.reshape([rows as isize, -1])
}

/// The vector as a column, in the precision and on the device of `matrix`.
fn column(vector: Tensor<1>, matrix: &Tensor<2>) -> Tensor<2> {
    vector
        .to_device(&matrix.device())
        .cast(matrix.dtype())
        .unsqueeze_dim(1)
}

/// `vector` at length 1; `old` where `vector` is zero and has no direction.
fn normalized(vector: Tensor<2>, old: Tensor<2>) -> Tensor<2> {
    let norm = vector.clone().square().sum_dim(0).sqrt();
    let is_zero = norm.clone().equal_elem(0);
    let unit = vector / norm.mask_fill(is_zero.clone(), 1.0);
    unit.mask_where(is_zero.expand(old.dims()), old)
}

struct Attach {
    weights: LayerWeights,
    iterations: usize,
}

impl Reparameterizer for Attach {
    type Reparam = SpectralNorm;

    fn reparameterize<const D: usize>(
        &mut self,
        path: &str,
        param: Param<Tensor<D>>,
    ) -> (Param<Tensor<D>>, Option<SpectralNorm>) {
        let Some(units) = self.weights.get(path).copied() else {
            return (param, None);
        };
        let weight = param.base().detach();
        let (device, dtype) = (weight.device(), weight.dtype());
        let matrix = matrix(units, weight);
        let start = |count: usize| {
            // No pattern that a weight might be orthogonal to.
            let values: Vec<f64> = (1..=count).map(|i| (i as f64).cos()).collect();
            let norm = values.iter().map(|value| value * value).sum::<f64>().sqrt();
            let values: Vec<f64> = values.iter().map(|value| value / norm).collect();
            let vector = Tensor::from_data(TensorData::from(values.as_slice()), (&device, dtype));
            RunningState::new(vector)
        };
        let [rows, columns] = matrix.dims();
        let norm = SpectralNorm {
            u: start(rows),
            v: start(columns),
            training: Param::from_bool(true),
            iterations: self.iterations,
            units,
        };
        norm.iterate(matrix, FIRST_ITERATIONS);
        (param, Some(norm))
    }
}
