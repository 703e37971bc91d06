//! Batch norm with running statistics, whichever layer holds them.

use crate::norm::few_values::{refuse_one_value, values_per_channel};
use crate::statistics_for_input::Kind;
use burn::module::{Flag, Param, RunningState};
use burn::nn::BatchNorm;
use burn::tensor::Tensor;
use burn_tricks_core::BatchVariance;
use burn_tricks_core::batch_statistics::{self, BatchStatistics};
use burn_tricks_kernels::{blend, fixed_batch_norm, ghost_batch_norm};

/// What a layer of batch norm holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunningNorm<'a> {
    pub(crate) gamma: &'a Param<Tensor<1>>,
    pub(crate) beta: &'a Param<Tensor<1>>,
    pub(crate) training: &'a Param<Flag>,
    pub(crate) running_mean: &'a RunningState<Tensor<1>>,
    pub(crate) running_var: &'a RunningState<Tensor<1>>,
    pub(crate) momentum: f64,
    pub(crate) epsilon: f64,
    /// Which variance of a batch the running variance follows.
    pub(crate) variance: BatchVariance,
}

impl<'a> From<&'a BatchNorm> for RunningNorm<'a> {
    /// With Burn's running variance.
    fn from(norm: &'a BatchNorm) -> Self {
        Self {
            gamma: &norm.gamma,
            beta: &norm.beta,
            training: &norm.training,
            running_mean: &norm.running_mean,
            running_var: &norm.running_var,
            momentum: norm.momentum,
            epsilon: norm.epsilon,
            variance: BatchVariance::Biased,
        }
    }
}

/// What Burn's layer computes, as one operation on the CPU backend.
///
/// # Panics
///
/// In training, if there is one value per channel (Burn's layer would return β), or if `momentum` is not in [0, 1].
pub(crate) fn burns_batch_norm<const D: usize>(norm: &BatchNorm, input: Tensor<D>) -> Tensor<D> {
    let is_training = input.device().is_autodiff() && norm.training.is_enabled();
    if is_training && values_per_channel(&input) == 1 {
        refuse_one_value(&input);
        return norm.forward(input); // for who collects statistics from what the layer leaves
    }
    RunningNorm::from(norm).forward(input, 1)
}

impl RunningNorm<'_> {
    /// The normalised input, in training cut into `parts`.
    pub(crate) fn forward<const D: usize>(&self, input: Tensor<D>, parts: usize) -> Tensor<D> {
        if !input.device().is_autodiff() || !self.training.is_enabled() {
            return self.infer(input);
        }
        match values_per_channel(&input) {
            0 => input,
            1 => self.measure_one(input),
            _ => self.normalise(input, parts),
        }
    }

    fn infer<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let device = input.device();
        let mean = self.running_mean.value().to_device(&device);
        let variance = self.running_var.value().to_device(&device);
        let (gamma, beta) = (self.gamma.val(), self.beta.val());
        fixed_batch_norm(input, gamma, beta, mean, variance, self.epsilon)
    }

    /// For at least two values per channel in each part.
    ///
    /// # Panics
    ///
    /// If the momentum, a public field that may have been set to anything, does not lie in [0, 1].
    fn normalise<const D: usize>(&self, input: Tensor<D>, parts: usize) -> Tensor<D> {
        assert!(
            (0.0..=1.0).contains(&self.momentum),
            "`momentum`, the weight of a batch in the running statistics, must lie in [0, 1], got {:?}",
            self.momentum
        );
        let samples = input.dims()[0];
        let places = values_per_channel(&input) / samples;
        let count = |part: usize| ((part + 1) * samples / parts - part * samples / parts) * places;
        let kind = Kind::of(&input);
        let (gamma, beta) = (self.gamma.val(), self.beta.val());
        let batch = ghost_batch_norm(input, gamma, beta, self.epsilon, parts);
        for part in 0..parts {
            let row = |rows: &Tensor<2>| rows.clone().narrow(0, part, 1).squeeze_dim::<1>(0);
            batch_statistics::report(|| BatchStatistics {
                layer: self.training.id,
                mean: kind.lift(row(&batch.means)),
                variance: kind.lift(row(&batch.variances)),
                count: count(part),
            });
        }
        // The weight of each part, after the parts behind it have moved the statistics too.
        let weight =
            |part: usize| self.momentum * (1.0 - self.momentum).powi((parts - 1 - part) as i32);
        let correction = |part: usize| match self.variance {
            BatchVariance::Biased => 1.0,
            BatchVariance::Unbiased | BatchVariance::UnbiasedPerSample => {
                count(part) as f64 / (count(part) - 1) as f64
            }
        };
        self.follow(self.running_mean, batch.means, kind, weight);
        self.follow(self.running_var, batch.variances, kind, |part| {
            weight(part) * correction(part)
        });
        batch.output
    }

    /// For one value per channel, which serves to measure statistics, but not to train.
    fn measure_one<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        refuse_one_value(&input);
        batch_statistics::report(|| {
            let mean = input.clone().reshape([input.dims()[1]]).detach();
            BatchStatistics {
                layer: self.training.id,
                variance: mean.zeros_like(),
                mean,
                count: 1,
            }
        });
        self.infer(input)
    }

    /// `state ← (1 − m) state + m batch` for each part in turn, at once.
    fn follow(
        &self,
        state: &RunningState<Tensor<1>>,
        parts: Tensor<2>,
        kind: Kind,
        weight: impl Fn(usize) -> f64,
    ) {
        let [count, _] = parts.dims();
        let old = state.value_sync();
        let old = if old.is_autodiff() { old.inner() } else { old };
        let old = old.to_device(&parts.device());
        let (batch, share) = match count {
            1 => (parts, weight(0)),
            _ => {
                let weights: Vec<f64> = (0..count).map(weight).collect();
                let options = (&parts.device(), parts.dtype());
                let weights = Tensor::<1>::from_data(weights.as_slice(), options);
                ((parts * weights.unsqueeze_dim(1)).sum_dim(0), 1.0)
            }
        };
        let kept = (1.0 - self.momentum).powi(count as i32);
        let batch = batch.squeeze_dim(0).cast(old.dtype()); // parameters may be wider than inputs
        state.update(kind.lift(blend(old, kept, batch, share)));
    }
}
