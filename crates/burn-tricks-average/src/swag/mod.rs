//! SWA-Gaussian.

mod flat_weights;

use crate::average_record::{AverageKind, Members, device_of, read_members, record_members};
use crate::average_rule::Sampling;
use crate::ensemble::new_ids::NewIds;
use burn::module::{Module, ModuleDisplay};
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::Tensor;
use burn_tricks_core::{Config, ConfigError, Snapshot, StepAverage};
use burn_tricks_kernels::{add_normal, key_of, lerp};
use flat_weights::FlatWeights;
use std::collections::VecDeque;

/// Configuration of [`Swag`] (SWA-Gaussian): a normal distribution of the weights, fitted to the weights along the end of
/// the training. Models drawn from it predict together, and say how sure they are.
///
/// ```text
/// θ̄ = mean of the sampled weights θᵢ          Σ_diag = mean of (θᵢ − θ̄)²
/// D = the last K of θᵢ − θ̄ᵢ                    θ̄ᵢ: the mean up to sample i
/// θ ~ N(θ̄, s (Σ_diag + D Dᵀ/(K − 1)) / 2)      K ≥ 2
/// θ ~ N(θ̄, s Σ_diag)                            K = 0, SWAG-diagonal
/// ```
///
/// # Example
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_average::{EnsembleConfig, Predict, SwagConfig};
///
/// #[derive(Module, Debug)]
/// struct Classifier {
///     layer: Linear,
/// }
///
/// impl Predict for Classifier {
///     type Input = Tensor<2>;
///
///     fn predict(&self, input: Tensor<2>) -> Tensor<2> {
///         self.layer.forward(input)
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let device = Device::flex();
/// let model = Classifier { layer: LinearConfig::new(4, 3).init(&device.clone().autodiff()) };
/// let (epochs, steps_per_epoch) = (40, 20);
/// let mut swag = SwagConfig::new(steps_per_epoch) // once per epoch
///     .with_start_after(30 * steps_per_epoch)
///     .init(&model)?;
/// for step in 0..epochs * steps_per_epoch {
///     // ... model = optim.step(schedule.step(), model, grads); ...
///     swag.update(&model);
/// }
/// // Each with its own batch-norm statistics if there are batch norms: see `RecalibrationConfig`.
/// let members = swag.samples(30, 42);
/// let ensemble = EnsembleConfig::new().init(members)?;
/// assert_eq!(ensemble.predict(Tensor::ones([5, 4], &device)).dims(), [5, 3]);
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Call `update` after the optimizer's step. As for [`Swa`](crate::SwaConfig), the learning rate must stay high from
/// `start_after` on: the distribution is that of the weights along the way, which hardly move at a small learning rate.
/// [Recalibrate](crate::RecalibrationConfig) the batch norms of [`model`](Swag::model) and of each sample: a sample has
/// the running statistics of the last sampled step, which are those of other weights. In a `Learner` it is a trick, and
/// the model to validate is the mean.
///
/// # Cost
///
/// K + 3 copies of the weights, in `f32` for half precision; steps between two samples cost nothing. Up to the first
/// sample, the distribution shares the tensors of the trained weights, so the optimizer cannot update them in place. A
/// sample of the distribution is one pass over each copy.
///
/// # Differences
///
/// - The authors' program and `torch-uncertainty` keep the mean of the squares, and subtract the square of the mean, in
///   which the variance of a weight that hardly moves is lost in rounding. Here the variance is updated by Welford's
///   formula, whose result is the same in exact arithmetic.
/// - In the authors' program a scale of 0.5 with `cov=True` is what the paper describes; here that is a scale of 1.
/// - They divide D Dᵀ by K − 1 also while fewer than K columns have been collected; here, by the number of columns minus 1.
/// - They draw from the generator of the device; here a sample is a function of its seed, and the generator of the device
///   is neither used nor changed.
///
/// # Suggested values
///
/// K = 20, one sample per epoch, from three quarters of the run on, at a constant learning rate of about half the initial
/// one; 30 models to predict with (Maddox et al.).
///
/// # References
///
/// - Maddox et al., *A simple baseline for Bayesian uncertainty in deep learning*, 2019,
///   <https://arxiv.org/abs/1902.02476>; their program, <https://github.com/wjmaddox/swa_gaussian>
#[derive(Config, Debug, PartialEq)]
pub struct SwagConfig {
    /// Optimizer steps from one sample to the next, at least 1: usually the steps of an epoch.
    pub update_every: usize,
    /// The number of optimizer steps before the weights may be sampled: the first sample is taken at step
    /// `start_after + update_every`. Default: 0.
    #[config(default = 0)]
    pub start_after: usize,
    /// K, the number of deviations that are kept: 0 for a diagonal covariance, else at least 2. Default: 20.
    #[config(default = 20)]
    pub rank: usize,
    /// s ≥ 0, the factor of the covariance. With 0 each sample is the mean. Default: 1.
    #[config(default = 1.0)]
    pub scale: f64,
}

impl SwagConfig {
    /// The distribution before the first step, which holds the weights of `model`.
    ///
    /// # Errors
    ///
    /// If `update_every` is 0, `rank` is 1, or `scale` is negative or not finite.
    pub fn init<M: Module>(&self, model: &M) -> Result<Swag<M>, ConfigError> {
        ConfigError::at_least_one("update_every", self.update_every)?;
        ConfigError::non_negative("scale", self.scale)?;
        if self.rank == 1 {
            return Err(ConfigError::new("rank", "be 0 or at least 2", self.rank));
        }
        Ok(Swag::new(self.clone(), model))
    }
}

/// A normal distribution of the weights of a model. Made by [`SwagConfig::init`].
#[derive(Debug, Clone)]
pub struct Swag<M: Module> {
    config: SwagConfig,
    /// The model at the last sampled step, with half precision in `f32`; before the first sample, at the last step.
    newest: Snapshot<M>,
    mean: FlatWeights,
    variance: FlatWeights,
    /// θᵢ − θ̄ᵢ of the last samples, the oldest first.
    deviations: VecDeque<FlatWeights>,
    steps: u64,
    updates: u64,
}

impl<M: Module> Swag<M> {
    fn new(config: SwagConfig, model: &M) -> Self {
        let newest = Snapshot::new(model).widened();
        let mean = FlatWeights::of(&newest.held_model(), newest.places());
        Self {
            config,
            variance: mean.clone().map(|weight| weight.zeros_like()),
            mean,
            newest,
            deviations: VecDeque::new(),
            steps: 0,
            updates: 0,
        }
    }

    /// The configuration that it was made with.
    pub fn config(&self) -> &SwagConfig {
        &self.config
    }

    /// Tells it the weights after an optimizer step. Call it after every step; `start_after` and `update_every` of the
    /// configuration decide which weights are sampled. If `model` is on another device now, the distribution moves there.
    ///
    /// # Panics
    ///
    /// If `model` has another architecture than the one that it was made for.
    pub fn update(&mut self, model: &M) {
        self.steps += 1;
        let sampling = Sampling {
            start_after: self.config.start_after,
            every: self.config.update_every,
        };
        let counts = sampling.counts(self.steps);
        if !counts && self.updates > 0 {
            return;
        }
        let replaced = self.newest.replace(model);
        replaced.unwrap_or_else(|mismatch| panic!("{mismatch}"));
        let places = self.newest.places();
        let weights = FlatWeights::of(&self.newest.held_model(), places);
        self.follow(&weights);
        if counts {
            self.sampled(weights);
        } else {
            self.mean = weights;
        }
    }

    fn sampled(&mut self, weights: FlatWeights) {
        let share = 1.0 / (self.updates + 1) as f64;
        self.updates += 1;
        if self.updates == 1 {
            self.mean = weights.clone();
        }
        let towards = |mean: Tensor<1>, new: Tensor<1>| lerp(mean, new, share);
        let before = weights.clone().zip(self.mean.clone(), difference);
        self.mean = self.mean.clone().zip(weights.clone(), towards);
        let deviation = weights.zip(self.mean.clone(), difference);
        // Welford: n σₙ² = (n − 1) σₙ₋₁² + (θ − θ̄ₙ₋₁)(θ − θ̄ₙ)
        let square = before.zip(deviation.clone(), |before, after| before * after);
        self.variance = self.variance.clone().zip(square, towards);
        if self.config.rank == 0 {
            return;
        }
        if self.deviations.len() == self.config.rank {
            self.deviations.pop_front();
        }
        self.deviations.push_back(deviation);
    }

    /// Moves to the devices and types of the weights of a model, which may have changed since the last sample.
    fn follow(&mut self, weights: &FlatWeights) {
        for held in [&mut self.mean, &mut self.variance]
            .into_iter()
            .chain(&mut self.deviations)
        {
            *held = held.clone().moved_to(weights);
        }
    }

    /// Restarts with the weights of `model`, as [`SwagConfig::init`] would.
    pub fn restart(&mut self, model: &M) {
        *self = Self::new(self.config.clone(), model);
    }

    /// The model of the mean weights, to predict with: no gradients, dropout off. Before the first sample, the model of
    /// the last step.
    pub fn model(&self) -> M {
        self.model_of(self.mean.clone())
    }

    /// A model drawn from the distribution, to predict with: no gradients, dropout off. One seed always gives the same
    /// model. Before the first two samples the distribution has no width, and each model is [`model`](Self::model).
    pub fn sample(&self, seed: u64) -> M {
        let owners = FlatWeights::owners(&self.newest.held_model(), self.newest.places());
        // A tied parameter gets one number at all of its places.
        let noise = |at: usize, like: Tensor<1>| {
            add_normal(like.zeros_like(), 1.0, key_of(&[seed, owners[at] as u64]))
        };
        let columns = self.deviations.len();
        let halved = if self.config.rank == 0 { 1.0 } else { 0.5 };
        let spread = (self.config.scale * halved).sqrt();
        let drawn = self.variance.clone().enumerate(|at, variance| {
            let noise = noise(at, variance.clone());
            variance.clamp_min(0.0).sqrt() * noise * spread
        });
        let mut weights = self.mean.clone().zip(drawn, moved);
        if columns >= 2 {
            let share = spread / ((columns - 1) as f64).sqrt();
            for (column, deviation) in self.deviations.iter().enumerate() {
                let key = key_of(&[seed, u64::MAX, column as u64]);
                let add = |weight: Tensor<1>, deviation: Tensor<1>| {
                    let one = Tensor::<1>::zeros([1], (&weight.device(), weight.dtype()));
                    moved(weight, deviation * add_normal(one, share, key))
                };
                weights = weights.zip(deviation.clone(), add);
            }
        }
        self.model_of(weights)
    }

    /// `count` models drawn from the distribution, to be [recalibrated](crate::RecalibrationConfig) if there are batch
    /// norms, and to be the members of an [`Ensemble`](crate::Ensemble): each has parameter ids of its own. Models of one
    /// seed are the same, whatever their number.
    pub fn samples(&self, count: usize, seed: u64) -> Vec<M> {
        let member = |at| self.sample(key_of(&[seed, at])).map(&mut NewIds::default());
        (0..count as u64).map(member).collect()
    }

    fn model_of(&self, weights: FlatWeights) -> M {
        let places = self.newest.places();
        let model = weights.write(self.newest.model(), places);
        // State that is computed from the weights belongs to other weights.
        Snapshot::new(&model).as_mean().model()
    }

    /// Whether there has been a sample.
    pub fn has_started(&self) -> bool {
        self.updates > 0
    }

    /// The number of optimizer steps seen.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The number of samples taken.
    pub fn updates(&self) -> u64 {
        self.updates
    }
}

/// `a − b`, and 0 where the two are equal, also where they are infinite.
fn difference(a: Tensor<1>, b: Tensor<1>) -> Tensor<1> {
    let is_same = a.clone().equal(b.clone());
    (a - b).mask_fill(is_same, 0.0)
}

/// `weight + step`, and `weight` itself where the step is 0: the sum of −0 and 0 would be 0.
fn moved(weight: Tensor<1>, step: Tensor<1>) -> Tensor<1> {
    let is_still = step.clone().equal_elem(0.0);
    (weight.clone() + step).mask_where(is_still, weight)
}

/// As [`update`](Swag::update).
impl<M: Module> StepAverage<M> for Swag<M> {
    type Update = ();

    fn begin_update(&mut self, _lr: f64) -> Option<()> {
        None
    }

    fn end_update(&mut self, _update: Option<()>, model: &M, _lr: f64) {
        self.update(model);
    }
}

impl<M: Module + ModuleDisplay> Swag<M> {
    /// The record to save with a checkpoint: mean, variance and deviations of the weights, and the step counts.
    pub fn to_record(&self) -> ModuleRecord {
        let places = self.newest.places();
        let written =
            |weights: &FlatWeights| weights.clone().write(self.newest.held_model(), places);
        let mut members = vec![
            self.newest.held_model(),
            written(&self.mean),
            written(&self.variance),
        ];
        members.extend(self.deviations.iter().map(written));
        let device = device_of(&members[0]);
        let counters = [self.steps, self.updates];
        record_members(AverageKind::SWAG, &[], members, &counters, &device)
    }

    /// Resumes the recorded distribution. If the record has more deviations than the configuration keeps, the newest are
    /// kept.
    ///
    /// # Errors
    ///
    /// Burn's error, if the record does not hold such a distribution of such a model.
    pub fn load_record(mut self, record: ModuleRecord) -> Result<Self, RecordError> {
        let Members {
            mut members,
            counters,
        } = read_members(AverageKind::SWAG, &[], &self.newest, 2, record)?;
        if members.len() < 3 {
            return Err(RecordError::Validation(format!(
                "the record of a SWAG holds {} sets of weights, expected at least 3",
                members.len()
            )));
        }
        let places = self.newest.places();
        let mut flat = members
            .split_off(1)
            .into_iter()
            .map(|member| FlatWeights::of(&member.held_model(), places));
        self.mean = flat.next().expect("counted");
        self.variance = flat.next().expect("counted");
        let surplus = flat.len().saturating_sub(self.config.rank);
        self.deviations = flat.skip(surplus).collect();
        (self.steps, self.updates) = (counters[0], counters[1]);
        self.newest = members.remove(0);
        Ok(self)
    }
}
