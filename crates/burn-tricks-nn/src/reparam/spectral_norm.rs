//! Spectral normalisation.

use crate::init::layer_weights::{LayerWeights, layer_weights};
use crate::statistics_for_input::beside;
use burn::module::{Flag, Module, Param, ParamGroup, Reparameterization, Reparameterizer};
use burn::tensor::{Tensor, TensorData};
use burn_tricks_core::{Config, ConfigError, Derived, InlineModule, UnitAxis, accumulation_dtype};
use burn_tricks_kernels::spectral_norm;

/// The most rounds of power iteration from the fixed vectors.
const MOST_ROUNDS: usize = 1000;
/// Rounds from one look at σ to the next.
const ROUNDS_PER_LOOK: usize = 50;
/// The iteration ends when σ grows by less than this fraction from one look to the next.
const TOLERANCE: f64 = 1e-6;

/// Configuration of [`SpectralNorm`]: a layer's weight is divided by its largest singular value.
///
/// ```text
/// w = W / σ     σ = uᵀ W v     the weight as a matrix [units, the rest]
/// u ← W v / ‖W v‖,  v ← Wᵀ u / ‖Wᵀ u‖     at every use in training
/// ```
///
/// The layer's Lipschitz constant (for the Euclidean norm, for a linear layer) becomes 1. Weights change little
/// from step to step, so one round of power iteration per step keeps u and v close to the leading singular
/// vectors. The gradient passes through σ, with u and v held constant.
///
/// When spectral norm is attached, and in an average of models, the iteration begins from fixed vectors. It
/// stops when 50 rounds raise σ by less than a millionth, and after 1000 rounds at the latest. For random weights
/// up to 1024×1024, σ is then within two millionths of the largest singular value. If the two largest singular
/// values agree to one part in a thousand, σ may lie between them. Except for rounding, σ is never above the
/// largest singular value.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_nn::SpectralNormConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let critic = vec![LinearConfig::new(8, 16).init(&device), LinearConfig::new(16, 1).init(&device)];
/// let critic = SpectralNormConfig::new().attach(critic)?;
/// let score = critic[1].forward(critic[0].forward(Tensor::<2>::ones([2, 8], &device)));
/// # let _ = score;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Attach it once, like [`WeightNorm`](crate::WeightNorm): after the initial weights are set or loaded. The
/// iteration runs where the weight is on an autodiff device and the `training` flag is set; after `valid()` or
/// `freeze()` u and v do not change. Every use of the weight runs a round: a recurrent layer does so at every
/// time step, as in PyTorch without `cached()`.
///
/// - **Records.** `fc.weight` holds the weight before the division; `fc.weight.spectral_norm.u` and `.v` are
///   new. They are recorded and moved with the model, never trained, and shared by its clones, as the running
///   statistics of batch norm are. Into a layer in [column layout](crate#column-layout) load it with
///   [`load_record`](burn_tricks_core::load_record).
/// - **Averages of weights.** The mean of unit vectors is no unit vector. u and v are [`Derived`] state: every
///   average of burn-tricks (moving averages, soups, averaged files) averages the weights and computes the
///   vectors of the averaged weight anew, so that its largest singular value is 1 too. A snapshot of a single
///   model, for example of the best weights, keeps its vectors to the bit.
/// - **LoRA** and other reparameterizations: one for each parameter; see [`WeightNorm`](crate::WeightNorm).
///
/// # Cost
///
/// Two vectors for each weight, and while it is used a few more, with at most half a megabyte for sums on Burn's CPU
/// backend. There, two products of the weight with a vector at every use in training, and one pass for the division, into a
/// buffer that is filled with zeros before; backwards, weight and gradient are read once, and the gradient is read and
/// written once, in place. Elsewhere it takes four products, and the passes that the backend makes of some more tensor
/// operations. The [README](crate#what-it-costs) has measured times. Attaching it, and making the model of an average,
/// takes two products per round, 100 to 200 rounds for a random 64×64 weight and 300 to 800 for 1024×1024, and reads σ
/// from the device every 50 rounds.
///
/// # Differences
///
/// At every use, the update and the result are those of PyTorch's `parametrizations.spectral_norm`. PyTorch's
/// first vectors are random and iterated 15 times, which leaves σ several percent too small for a random
/// 256×256 weight. Here the first vectors are fixed, so that attaching draws no random numbers, and iterated
/// until σ has converged. PyTorch's `AveragedModel` with `use_buffers=True` averages u and v as if they were
/// weights. A weight of zeros becomes NaN in PyTorch, and its vectors stay zero for ever; here it stays zero,
/// and the vectors stay as they are until it changes. Keras's `SpectralNormalization` changes the stored kernel
/// itself.
///
/// # Suggested values
///
/// One iteration, on every layer of the discriminator of a GAN (Miyato et al.).
///
/// # References
///
/// - Miyato, Kataoka, Koyama, Yoshida, *Spectral normalization for generative adversarial networks*,
///   2018, <https://arxiv.org/abs/1802.05957>
/// - PyTorch, `torch.nn.utils.parametrizations.spectral_norm`
#[derive(Config, Debug)]
pub struct SpectralNormConfig {
    /// Rounds of power iteration at every use in training, at least 1. Default: 1.
    #[config(default = 1)]
    pub iterations: usize,
    /// Which weights, by path or id; only those with at least two dimensions count. Default: all.
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

/// The leading singular vectors of a weight. Attached by [`SpectralNormConfig::attach`];
/// [`Param::reparameterization`] returns it.
#[derive(InlineModule, Debug)]
pub struct SpectralNorm {
    /// The left vector: a number for each unit.
    pub u: Derived<1>,
    /// The right vector.
    pub v: Derived<1>,
    /// Whether the vectors follow the weight, on an autodiff device.
    pub training: Param<Flag>,
    #[module(skip)]
    iterations: usize,
    #[module(skip)]
    units: UnitAxis,
}

impl SpectralNorm {
    /// Computes the vectors of a weight from fixed first vectors.
    #[inline]
    fn find(&self, matrix: &Tensor<2>) {
        // The vectors of every multiple are the same, and those of numbers around 1 have squares.
        let largest = matrix.clone().abs().max().reshape([1, 1]);
        let is_zero = largest.clone().equal_elem(0);
        let matrix = &(matrix.clone() / largest.mask_fill(is_zero, 1.0));
        let [rows, columns] = matrix.dims();
        let mut pair = (start(rows, matrix), start(columns, matrix));
        let mut last = f64::NEG_INFINITY;
        for _ in 0..MOST_ROUNDS / ROUNDS_PER_LOOK {
            let normed = spectral_norm(matrix.clone(), 0, pair.0, pair.1, ROUNDS_PER_LOOK);
            pair = (normed.u, normed.v);
            #[allow(clippy::disallowed_methods)] // off the step path: attached, or of a new average
            let sigma: f64 = normed.sigma.into_scalar();
            let grows = sigma - last > TOLERANCE * sigma;
            if !grows {
                break; // a NaN does not either
            }
            last = sigma;
        }
        self.keep(pair);
    }

    /// Stores the vectors in the types that they had.
    #[inline]
    fn keep(&self, (u, v): (Tensor<1>, Tensor<1>)) {
        for (state, vector) in [(&self.u, u), (&self.v, v)] {
            let old = state.value();
            state.set(beside(vector.cast(old.dtype()), &old));
        }
    }
}

impl Reparameterization for SpectralNorm {
    const NAME: &'static str = "spectral_norm";

    fn apply<const D: usize>(&self, base: Tensor<D>) -> Tensor<D> {
        let is_stale = self.u.is_stale() || self.v.is_stale();
        if is_stale {
            self.find(&matrix(self.units, base.clone().detach()));
        }
        let follows = base.device().is_autodiff() && self.training.is_enabled();
        let rounds = if follows && !is_stale {
            self.iterations
        } else {
            0
        };
        let [u, v] = [&self.u, &self.v].map(|vector| {
            let vector = vector.value().to_device(&base.device());
            vector.cast(base.dtype())
        });
        let normed = spectral_norm(base, self.units.axis(), u, v, rounds);
        if rounds > 0 {
            self.keep((normed.u, normed.v));
        }
        normed.weight
    }
}

/// The weight as `[units, the rest]`, in the precision that sums are made in.
fn matrix<const D: usize>(units: UnitAxis, weight: Tensor<D>) -> Tensor<2> {
    let dtype = accumulation_dtype(weight.dtype());
    let weight = weight.cast(dtype).swap_dims(0, units.axis());
    let rows = weight.dims()[0];
    weight.reshape([rows as isize, -1])
}

/// A vector of norm 1, without a pattern that a weight might be orthogonal to.
fn start(count: usize, matrix: &Tensor<2>) -> Tensor<1> {
    let values: Vec<f64> = (1..=count).map(|i| (i as f64).cos()).collect();
    let norm = values.iter().map(|value| value * value).sum::<f64>().sqrt();
    let values: Vec<f64> = values.iter().map(|value| value / norm).collect();
    let vector = TensorData::from(values.as_slice());
    Tensor::from_data(vector, (&matrix.device(), matrix.dtype()))
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
        let dtype = weight.dtype();
        let matrix = matrix(units, weight);
        let [u, v] = matrix
            .dims()
            .map(|count| Derived::new(start(count, &matrix).cast(dtype)));
        let norm = SpectralNorm {
            u,
            v,
            training: Param::from_bool(true),
            iterations: self.iterations,
            units,
        };
        norm.find(&matrix);
        (param, Some(norm))
    }
}
