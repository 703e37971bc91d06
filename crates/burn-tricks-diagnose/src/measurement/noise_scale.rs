//! The gradient-noise scale.

use crate::flat::{Flat, flatten};
use crate::numbers::{join, norm, read};
use crate::probe::unrecorded;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn_tricks_core::{independent_copy, tie};
use serde::{Deserialize, Serialize};

/// The gradient-noise scale `B = tr(Σ)/‖G‖²`, with the covariance Σ of the gradient of one row and the mean gradient G.
///
/// A batch far smaller than B is mostly noise; one far larger than B wastes work. It grows in the course of a training,
/// so it is the scale at the weights at which it is measured.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::{Device, Distribution, Tensor};
/// use burn_tricks_diagnose::NoiseScale;
///
/// let device = Device::flex().autodiff();
/// let model = LinearConfig::new(4, 1).init(&device);
/// let noise = NoiseScale::measure(&model, 8, 16, |model, _batch| {
///     let inputs = Tensor::<2>::random([16, 4], Distribution::Normal(0.0, 1.0), &device);
///     let targets = inputs.clone().sum_dim(1);
///     (model.forward(inputs) - targets).square().mean()
/// });
/// println!("a batch of about {:.0} rows", noise.scale);
/// ```
///
/// # Cost
///
/// One forward and backward pass per batch, a copy of the weights and two of the gradients, and one read at the end.
///
/// # References
///
/// McCandlish et al., An Empirical Model of Large-Batch Training (2018), appendix A.1: the norms of the gradients of
/// small batches and of all batches together give unbiased estimates of both parts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NoiseScale {
    /// The gradient-noise scale, in rows. Infinite if the mean gradient cannot be told from 0.
    #[serde(with = "crate::float")]
    pub scale: f64,
    /// The estimate of `‖G‖²`; it may be negative.
    #[serde(with = "crate::float")]
    pub signal: f64,
    /// The estimate of `tr(Σ)`.
    #[serde(with = "crate::float")]
    pub noise: f64,
    /// The rows of each batch.
    pub rows: usize,
    /// The batches.
    pub batches: usize,
}

impl NoiseScale {
    /// The scale from the mean squared norm of the gradients of `batches` batches of `rows` rows, and the squared norm of
    /// their mean.
    ///
    /// # Panics
    ///
    /// If there are fewer than two batches or no rows.
    pub fn from_norms(small: f64, large: f64, rows: usize, batches: usize) -> Self {
        assert!(
            batches >= 2,
            "the noise scale needs at least 2 batches, got {batches}"
        );
        assert!(
            rows >= 1,
            "the noise scale needs at least 1 row per batch, got 0"
        );
        let (few, many) = (rows as f64, (rows * batches) as f64);
        let signal = (many * large - few * small) / (many - few);
        let noise = (small - large) / (1.0 / few - 1.0 / many);
        let scale = if signal > 0.0 {
            noise / signal
        } else if signal.is_nan() {
            f64::NAN
        } else {
            f64::INFINITY
        };
        Self {
            scale,
            signal,
            noise,
            rows,
            batches,
        }
    }

    /// Measures the scale at the weights of `model` over `batches` batches of `rows` rows each. `loss` gets a model and
    /// the number of the batch, from 0, and returns the mean loss of that batch. `loss` gets a copy, so that the running
    /// statistics of `model` stay what they are. What `loss` draws from the random stream of the device is drawn: see
    /// [`in_child_process`](crate::in_child_process). Waits for the device at the end.
    ///
    /// # Panics
    ///
    /// If there are fewer than two batches or no rows.
    pub fn measure<M: Module>(
        model: &M,
        batches: usize,
        rows: usize,
        mut loss: impl FnMut(&M, usize) -> Tensor<1>,
    ) -> Self {
        let copy = tie(independent_copy(model));
        let model = &copy;
        let mut squares = Vec::new();
        let mut sum: Flat = Flat::new();
        for batch in 0..batches {
            let loss = unrecorded(|| loss(model, batch));
            let grads = flatten(model, &GradientsParams::from_grads(loss.backward(), model));
            squares.extend(square(&grads));
            for (id, grad) in grads {
                let total = match sum.remove(&id) {
                    Some(total) => total + grad,
                    None => grad,
                };
                sum.insert(id, total);
            }
        }
        let mean = |squares: Vec<Tensor<1>>| {
            let numbers = join(squares).map_or_else(Vec::new, |squares| read(&squares));
            numbers.iter().sum::<f64>() / numbers.len().max(1) as f64
        };
        let large = mean(square(&sum).into_iter().collect()) / (batches * batches).max(1) as f64;
        Self::from_norms(mean(squares), large, rows, batches)
    }
}

/// The squared norm of all gradients together.
fn square(grads: &Flat) -> Option<Tensor<1>> {
    let norms = join(
        grads
            .values()
            .filter(|grad| grad.dims() != [0])
            .map(norm)
            .collect(),
    )?;
    Some(norms.square().sum())
}
