//! Sharpness-aware minimisation.

use crate::norm::{NormKind, gathered_sum};
use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::{FloatDType, Tensor};
use burn_tricks_core::walk::{Location, Mapper, Visitor, map, visit};
use burn_tricks_core::{
    Config, ConfigError, Leaf, ParamRole, accumulation_dtype, independent_copy, tie,
};
use serde::{Deserialize, Serialize};

/// How the length of the perturbation e is measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Perturbation {
    /// `‖e‖ = ρ`: SAM.
    Euclidean,
    /// Relative to the size of each weight, `T = |w| + η` with η ≥ 0; for biases and offsets `T = 1`. This is
    /// ASAM as in its authors' program. Vectors of layers that Burn does not have count as biases.
    AdaptiveWeights {
        /// η, which lets weights move that are zero.
        eta: f64,
    },
    /// Relative to the size of each parameter, `T = |w| + η` with η ≥ 0: ASAM's formula, without exceptions.
    Adaptive {
        /// η, which lets weights move that are zero.
        eta: f64,
    },
}

/// Configuration of [`Sam`], sharpness-aware minimisation: the gradient at the worst point nearby.
///
/// SAM looks for weights whose whole neighbourhood has a low loss. It moves the weights by ρ along the
/// gradient, uphill, and uses the gradient at that point for the step at the original weights:
///
/// ```text
/// e = ρ g / ‖g‖                     g = ∇L(w), the norm over all gradients of the model      SAM
/// e = ρ T² g / ‖T g‖                T = |w| + η, element by element                          ASAM
/// gradient for the optimizer: ∇L(w + e)
/// ```
///
/// ρ is the norm of the perturbation e, in units of the weights; it does not depend on the learning rate. In
/// ASAM it is measured relative to the size of each weight, `‖T⁻¹ e‖ = ρ`, so that the sharpness does not
/// change when one layer is scaled up and the next is scaled down.
///
/// # Example
///
/// ```
/// use burn::module::Module;
/// use burn::nn::LinearConfig;
/// use burn::optim::SgdConfig;
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_grad::SamConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let mut model = LinearConfig::new(4, 2).init(&device);
/// let mut optim = SgdConfig::new().init();
/// let sam = SamConfig::new(0.05).init()?;
/// let input = Tensor::<2>::ones([8, 4], &device);
///
/// for _ in 0..3 {
///     // The closure is called twice, with the model and with a copy of it that went uphill.
///     let (grads, loss) = sam.gradients(&model, |model| model.forward(input.clone()).square().mean());
///     model = optim.step(0.1, model, grads);
///     # let _ = loss;
/// }
/// # let _ = model.num_params();
/// # Ok(())
/// # }
/// ```
///
/// ASAM as in its authors' program:
///
/// ```
/// use burn_tricks_grad::{Perturbation, SamConfig};
///
/// let asam = SamConfig::asam();
/// assert_eq!((asam.rho, asam.perturbation), (0.5, Perturbation::AdaptiveWeights { eta: 0.01 }));
/// let sam = asam.with_rho(1.0).init()?;
/// # Ok::<(), burn_tricks_core::ConfigError>(())
/// ```
///
/// # In a `Learner`
///
/// Use it in the model's own `TrainStep::step`; the metrics get the output of the first pass:
///
/// ```
/// # use burn::module::Module;
/// # use burn::nn::Linear;
/// # use burn::optim::GradientsParams;
/// # use burn::tensor::Tensor;
/// # use burn_tricks_grad::Sam;
/// # struct TrainOutput<T> { grads: GradientsParams, item: T }
/// # struct Batch { input: Tensor<2>, target: Tensor<2> }
/// # type Output = Tensor<2>;
/// #[derive(Module, Debug)]
/// struct Net {
///     layer: Linear,
///     #[module(skip)]
///     sam: Sam,
/// }
///
/// # impl Net {
/// // of `impl TrainStep for Net`
/// fn step(&self, batch: Batch) -> TrainOutput<Output> {
///     let (grads, item) = self.sam.gradients_with(self, |net| {
///         let output = net.layer.forward(batch.input.clone());
///         let loss = (output.clone() - batch.target.clone()).square().mean();
///         (loss, output)
///     });
///     TrainOutput { grads, item }
/// }
/// # }
/// ```
///
/// # Order
///
/// It takes the place of `backward` and `GradientsParams::from_grads`; clipping and other transforms of the
/// gradients come after it, as after a plain backward pass. A penalty in the loss belongs in the closure;
/// weight decay outside of the loss is left to the optimizer, as in the papers' programs.
///
/// A [`GradAccumulator`](crate::GradAccumulator) takes what `backward` returns. For it, run the two passes of each
/// micro-batch yourself, and give it the copy that went uphill, to which the gradients belong:
///
/// ```
/// # use burn::{nn::{Linear, LinearConfig}, optim::GradientsParams, tensor::Device};
/// # let model = LinearConfig::new(4, 2).init(&Device::flex().autodiff());
/// # let sam = burn_tricks_grad::SamConfig::new(0.05).init()?;
/// # let mut accumulator = burn_tricks_grad::GradAccumulatorConfig::new(2).init()?;
/// # let (loss, samples) = (|model: &Linear| model.weight.val().square().mean(), 8);
/// let grads = GradientsParams::from_grads(loss(&model).backward(), &model);
/// let uphill = sam.perturbed(&model, grads);
/// let mean = accumulator.add(&uphill, loss(&uphill).backward(), samples);
/// # Ok::<(), burn_tricks_core::ConfigError>(())
/// ```
///
/// With accumulated gradients, and on several devices whose gradients Burn sums (`ddp` is not tested), each part of
/// the batch has its own perturbation. This is the m-sharpness of Foret et al., which generalises better than one
/// perturbation for a large batch.
///
/// # The two passes
///
/// - The second pass runs on an independent copy. So the running statistics of batch norm are updated once per
///   step, by the pass at the original weights, and the gradient at `w + e` is computed with the statistics of
///   the batch.
/// - Dropout draws anew in each pass.
/// - A parameter without a gradient is not perturbed, and if every gradient is zero, nothing is. A tied
///   parameter is perturbed once and has one value at all its places: apply
///   [`TiedWeights`](https://docs.rs/burn-tricks-nn) after each step, as always.
/// - A gradient that is not finite makes the second gradient NaN, which [`NonFinite`](crate::NonFinite) and
///   [`StepGuard`](crate::StepGuard) handle.
/// - With ρ = 0 there is one pass, and the gradients are those of a plain backward pass to the bit.
///
/// # Cost
///
/// Two forward and two backward passes, and one more copy of the weights while the second runs: a step takes about
/// twice as long, and up to three times as long if the network is so small that copying it and visiting its parameters
/// count. The gradients are read once for the norm and once for the perturbation (ASAM: two more reads). No state, and
/// nothing is read from the device.
///
/// # Precision
///
/// The copy at `w + e` has the type of the weights. Of N weights one moves by about ρ/√N: by 5e-5 with ρ = 0.05 and a
/// million weights. Numbers of `bf16` near 0.05 are 2.4e-4 apart, so that what is below 1.2e-4 is rounded away, and most
/// weights of this size are in the second pass what they were in the first. Numbers of `f16` are 3.1e-5 apart there. Keep
/// the weights in `f32`. Also a forward pass that casts them to `bf16` rounds the perturbation away.
///
/// # Differences
///
/// - `davda54/sam` for PyTorch adds 1e-12 to the norm; its `adaptive` has no η and includes biases.
///   [`davda54`](SamConfig::davda54) has its settings. There the second pass updates the statistics of batch
///   norm a second time, unless the program prevents that.
/// - The authors' program for ASAM leaves biases and the offsets of normalisation layers unscaled, T = 1, by the
///   names of the parameters: [`Perturbation::AdaptiveWeights`] does so by role. The paper's formula scales
///   everything: [`Perturbation::Adaptive`].
/// - optax's `contrib.sam` gives NaN where every gradient is zero.
///
/// # Suggested values
///
/// SAM: ρ = 0.05 (Foret et al. on CIFAR-10 and ImageNet), 0.1 on CIFAR-100, up to 0.2 for vision transformers.
/// ASAM: ρ = 0.5 to 1 with η = 0.01 (Kwon et al.), about ten times that of SAM.
///
/// # References
///
/// - Foret, Kleiner, Mobahi, Neyshabur, *Sharpness-aware minimization for efficiently improving generalization*,
///   2021, <https://arxiv.org/abs/2010.01412>
/// - Kwon, Kim, Park, Choi, *ASAM: adaptive sharpness-aware minimization for scale-invariant learning of deep
///   neural networks*, 2021, <https://arxiv.org/abs/2102.11600>, and its program,
///   <https://github.com/SamsungLabs/ASAM>
/// - <https://github.com/davda54/sam>
#[derive(Config, Debug, PartialEq)]
pub struct SamConfig {
    /// ρ ≥ 0, the length of the perturbation. With 0 there is only a plain backward pass.
    pub rho: f64,
    /// How the length is measured. Default: [`Perturbation::Euclidean`], which is SAM.
    #[config(default = "Perturbation::Euclidean")]
    pub perturbation: Perturbation,
    /// ε ≥ 0, added to the norm. Default: 0.
    #[config(default = 0.0)]
    pub epsilon: f64,
}

impl SamConfig {
    /// ASAM as in its authors' program: ρ = 0.5, η = 0.01, biases and offsets unscaled, ε = 1e-16.
    pub fn asam() -> Self {
        Self::new(0.5)
            .with_perturbation(Perturbation::AdaptiveWeights { eta: 0.01 })
            .with_epsilon(1e-16)
    }

    /// `davda54/sam` for PyTorch: ρ = 0.05, ε = 1e-12. Its `adaptive=True` is
    /// `with_perturbation(Perturbation::Adaptive { eta: 0.0 })`, for which it suggests ρ = 2.
    pub fn davda54() -> Self {
        Self::new(0.05).with_epsilon(1e-12)
    }

    /// Sets ρ, to change that of a preset.
    #[must_use]
    pub fn with_rho(mut self, rho: f64) -> Self {
        self.rho = rho;
        self
    }

    /// The object that computes the gradients.
    ///
    /// # Errors
    ///
    /// If ρ, η or ε is negative or not finite.
    pub fn init(&self) -> Result<Sam, ConfigError> {
        ConfigError::non_negative("rho", self.rho)?;
        if let Perturbation::AdaptiveWeights { eta } | Perturbation::Adaptive { eta } =
            self.perturbation
        {
            ConfigError::non_negative("perturbation.eta", eta)?;
        }
        ConfigError::non_negative("epsilon", self.epsilon)?;
        Ok(Sam {
            config: self.clone(),
        })
    }
}

/// Computes gradients at the worst point nearby, by two backward passes. Made by [`SamConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct Sam {
    config: SamConfig,
}

impl Sam {
    /// The gradients for the optimizer, and the loss at the weights of `model`.
    ///
    /// `loss` is called twice, with `model` and with a perturbed copy, and has to compute the loss of the model
    /// that it is given, on the same batch.
    ///
    /// # Panics
    ///
    /// If a loss is not tracked by autodiff, as in Burn's `backward`, or if `loss` ignores the model that it is given and
    /// computes the loss of another, so that the second pass has no gradients.
    pub fn gradients<M: Module>(
        &self,
        model: &M,
        mut loss: impl FnMut(&M) -> Tensor<1>,
    ) -> (GradientsParams, Tensor<1>) {
        self.gradients_with(model, |model| {
            let loss = loss(model);
            (loss.clone(), loss)
        })
    }

    /// Like [`gradients`](Self::gradients), where `pass` returns the loss and an output. The returned output is
    /// that of the pass at the weights of `model`, for metrics.
    ///
    /// # Panics
    ///
    /// As [`gradients`](Self::gradients).
    pub fn gradients_with<M: Module, O>(
        &self,
        model: &M,
        mut pass: impl FnMut(&M) -> (Tensor<1>, O),
    ) -> (GradientsParams, O) {
        let (loss, output) = pass(model);
        let grads = GradientsParams::from_grads(loss.backward(), model);
        if self.config.rho == 0.0 || grads.is_empty() {
            return (grads, output);
        }
        let uphill = self.perturbed(model, grads);
        let (loss, _) = pass(&uphill);
        let grads = GradientsParams::from_grads(loss.backward(), &uphill);
        assert!(
            !grads.is_empty(),
            "the second pass of `Sam` has no gradients: the closure must compute the loss of the model that it is given, \
             which is a copy that went uphill, and not of another one"
        );
        (grads, output)
    }

    /// A copy of `model` with the weights `w + e`, for programs that run the two passes themselves; `grads` are
    /// the gradients of the first pass. The copy has the ids of `model` and its own running statistics, and its
    /// backward pass gives the gradients for the optimizer's step on `model`.
    #[must_use]
    pub fn perturbed<M: Module>(&self, model: &M, grads: GradientsParams) -> M {
        let copy = independent_copy(model);
        let perturbation = self.config.perturbation;
        let mut scaled = Scaled {
            perturbation,
            grads,
            scaled: GradientsParams::new(),
        };
        visit(model, &mut scaled);
        let grads = scaled.scaled;
        let Some(sum) = gathered_sum(model, &grads, NormKind::L2) else {
            return tie(copy); // no numbers
        };
        let norm = sum.into_norm(NormKind::L2);
        let factor = norm.under(self.config.rho, self.config.epsilon);
        // Infinite over a gradient of zero, of which it would make a NaN.
        let beyond = factor.clone().greater_elem(f32::MAX);
        let factor = factor.mask_fill(beyond, f32::MAX);
        let mut climb = Climb {
            perturbation,
            grads,
            factor,
        };
        tie(map(copy, &mut climb))
    }
}

impl Perturbation {
    /// T of the parameter at this location; `None` if it is 1.
    fn scale<const D: usize>(
        self,
        at: &Location,
        weight: &Tensor<D>,
        dtype: FloatDType,
    ) -> Option<Tensor<D>> {
        let eta = match self {
            Self::Adaptive { eta } => eta,
            Self::AdaptiveWeights { eta } if is_weight(at, D) => eta,
            Self::AdaptiveWeights { .. } | Self::Euclidean => return None,
        };
        Some(weight.clone().cast(dtype).abs().add_scalar(eta))
    }
}

/// Whether the parameter at this location is a `weight` by the rule of ASAM's authors.
fn is_weight(at: &Location, rank: usize) -> bool {
    match ParamRole::at(at) {
        ParamRole::Bias | ParamRole::OtherBias | ParamRole::NormOffset => false,
        ParamRole::Other => rank >= 2,
        _ => true,
    }
}

/// Multiplies each gradient by T.
struct Scaled {
    perturbation: Perturbation,
    grads: GradientsParams,
    scaled: GradientsParams,
}

impl Visitor for Scaled {
    fn float<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D>>) {
        let Some(grad) = self.grads.remove::<D>(param.id) else {
            return;
        };
        let dtype = accumulation_dtype(grad.dtype());
        let weight = param.val().without_autodiff();
        let scaled = match self.perturbation.scale(at, &weight, dtype) {
            Some(scale) => grad.cast(dtype) * scale,
            None => grad,
        };
        self.scaled.register(param.id, scaled);
    }
}

/// Adds e to each weight.
struct Climb {
    perturbation: Perturbation,
    /// T g.
    grads: GradientsParams,
    factor: Tensor<1>,
}

impl Mapper for Climb {
    fn float<const D: usize>(
        &mut self,
        at: &Location,
        param: Param<Tensor<D>>,
    ) -> Param<Tensor<D>> {
        let id = param.id;
        // A tied parameter is perturbed at its first place, and the others take that over.
        let Some(grad) = self.grads.remove::<D>(id) else {
            return param;
        };
        param.map(|value| {
            let leaf = Leaf::new(&value);
            let weight = value.without_autodiff();
            let dtype = accumulation_dtype(weight.dtype());
            let factor = self.factor.clone().to_device(&weight.device()).cast(dtype);
            let grad = match self.perturbation.scale(at, &weight, dtype) {
                Some(scale) => grad.cast(dtype) * scale,
                None => grad.cast(dtype),
            };
            let uphill = weight.cast(dtype) + grad * factor.reshape([1; D]);
            leaf.with_value(uphill, id)
        })
    }
}
