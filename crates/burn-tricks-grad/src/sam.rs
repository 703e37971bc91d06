//! Sharpness-aware minimisation: the gradient at the worst point nearby.
//!
//! SAM looks for weights whose whole neighbourhood has a low loss. It goes ρ uphill along the gradient, and
//! takes for the step the gradient that it finds there:
//!
//! ```text
//! e = ρ g / ‖g‖                     g = ∇L(w), the norm over all gradients of the model      SAM
//! e = ρ T² g / ‖T g‖                T = |w| + η, element by element                          ASAM
//! gradient for the optimizer: ∇L(w + e)
//! ```
//!
//! ρ is the length of the way uphill, in units of the weights; it does not depend on the learning rate. Of ASAM
//! it is measured by the size of each weight, `‖T⁻¹ e‖ = ρ`, so that a layer that is scaled up while the next is
//! scaled down has the same sharpness.
//!
//! # Example
//!
//! ```
//! use burn::module::Module;
//! use burn::nn::LinearConfig;
//! use burn::optim::SgdConfig;
//! use burn::tensor::{Device, Tensor};
//! use burn_tricks_grad::SamConfig;
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! let device = Device::flex().autodiff();
//! let mut model = LinearConfig::new(4, 2).init(&device);
//! let mut optim = SgdConfig::new().init();
//! let sam = SamConfig::new(0.05).init()?;
//! let input = Tensor::<2>::ones([8, 4], &device);
//!
//! for _ in 0..3 {
//!     // The closure is called twice, with the model and with a copy of it that went uphill.
//!     let (grads, loss) = sam.gradients(&model, |model| model.forward(input.clone()).square().mean());
//!     model = optim.step(0.1, model, grads);
//!     # let _ = loss;
//! }
//! # let _ = model.num_params();
//! # Ok(())
//! # }
//! ```
//!
//! ASAM as its authors' program has it:
//!
//! ```
//! use burn_tricks_grad::{Perturbation, SamConfig};
//!
//! let asam = SamConfig::asam();
//! assert_eq!((asam.rho, asam.perturbation), (0.5, Perturbation::AdaptiveWeights { eta: 0.01 }));
//! let sam = asam.with_rho(1.0).init()?;
//! # Ok::<(), burn_tricks_core::ConfigError>(())
//! ```
//!
//! # In a `Learner`
//!
//! In the model's own `TrainStep::step`, with the output of the first pass for the metrics:
//!
//! ```
//! # use burn::module::Module;
//! # use burn::nn::Linear;
//! # use burn::optim::GradientsParams;
//! # use burn::tensor::Tensor;
//! # use burn_tricks_grad::Sam;
//! # struct TrainOutput<T> { grads: GradientsParams, item: T }
//! # struct Batch { input: Tensor<2>, target: Tensor<2> }
//! # type Output = Tensor<2>;
//! #[derive(Module, Debug)]
//! struct Net {
//!     layer: Linear,
//!     #[module(skip)]
//!     sam: Sam,
//! }
//!
//! # impl Net {
//! // of `impl TrainStep for Net`
//! fn step(&self, batch: Batch) -> TrainOutput<Output> {
//!     let (grads, item) = self.sam.gradients_with(self, |net| {
//!         let output = net.layer.forward(batch.input.clone());
//!         let loss = (output.clone() - batch.target.clone()).square().mean();
//!         (loss, output)
//!     });
//!     TrainOutput { grads, item }
//! }
//! # }
//! ```
//!
//! # Order
//!
//! In place of `backward` and `GradientsParams::from_grads`; clipping and all that changes gradients comes after
//! it, as after a plain backward pass. A penalty in the loss belongs into the closure; decay that does not pass
//! through the loss is left to the optimizer, as in the papers' programs.
//!
//! With accumulated gradients, and on several devices, each part of the batch goes uphill on its own. That is the
//! papers' m-sharpness, which generalises better than one perturbation for a large batch.
//!
//! # The two passes
//!
//! - The second runs on an independent copy: the running statistics of batch norm move once per step, by the pass
//!   at the weights themselves, and the gradient at `w + e` is taken with the batch's own statistics.
//! - Dropout draws anew in each pass.
//! - A parameter without a gradient stays where it is, and so does everything when every gradient is zero. A tied
//!   parameter goes uphill once and has one value at all its places: apply
//!   [`TiedWeights`](https://docs.rs/burn-tricks-nn) after each step, as always.
//! - A gradient that is not finite makes the second gradient NaN, which [`NonFinite`](crate::NonFinite) and
//!   [`StepGuard`](crate::StepGuard) see.
//! - With ρ = 0 there is one pass, and the gradients are those of a plain backward pass to the bit.
//!
//! # Cost
//!
//! Two forward and two backward passes, and one more copy of the weights while the second runs: a step takes about
//! twice as long. Of the gradients one read for the norm and one for the perturbation (ASAM: two more). No state,
//! and nothing is read from the device.
//!
//! # Differences
//!
//! - `davda54/sam` for PyTorch, of which [`davda54`](SamConfig::davda54) has the numbers, adds 1e-12 to the norm;
//!   its `adaptive` has no η and takes biases too. There the closure of the second pass moves the
//!   statistics of batch norm a second time, unless the program prevents it.
//! - The authors' program for ASAM leaves biases and the offsets of norms unscaled, T = 1, by the names of the
//!   parameters: [`Perturbation::AdaptiveWeights`] does so by role. The paper's formula scales everything:
//!   [`Perturbation::Adaptive`].
//! - optax's `contrib.sam` gives NaN where every gradient is zero.
//!
//! # Suggested values
//!
//! SAM: ρ = 0.05 (Foret et al. on CIFAR-10 and ImageNet), 0.1 on CIFAR-100, up to 0.2 for vision transformers.
//! ASAM: ρ = 0.5 to 1 with η = 0.01 (Kwon et al.), about ten times that of SAM.
//!
//! # References
//!
//! - Foret, Kleiner, Mobahi, Neyshabur, *Sharpness-aware minimization for efficiently improving generalization*,
//!   2021, <https://arxiv.org/abs/2010.01412>
//! - Kwon, Kim, Park, Choi, *ASAM: adaptive sharpness-aware minimization for scale-invariant learning of deep
//!   neural networks*, 2021, <https://arxiv.org/abs/2102.11600>, and its program,
//!   <https://github.com/SamsungLabs/ASAM>
//! - <https://github.com/davda54/sam>

use crate::norm::{NormKind, gathered_sum};
use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::{FloatDType, Tensor};
use burn_tricks_core::walk::{Location, Mapper, Visitor, map, visit};
use burn_tricks_core::{
    Config, ConfigError, Leaf, ParamRole, accumulation_dtype, independent_copy, tie,
};
use serde::{Deserialize, Serialize};

/// In which units the way uphill is measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Perturbation {
    /// `‖e‖ = ρ`: SAM.
    Euclidean,
    /// Each weight by its own size, `T = |w| + η` with η ≥ 0, biases and offsets by `T = 1`: ASAM, as its authors'
    /// program has it. Vectors of layers that Burn does not have count as biases.
    AdaptiveWeights {
        /// η, which lets weights move that are zero.
        eta: f64,
    },
    /// Each parameter by its own size, `T = |w| + η` with η ≥ 0: ASAM's formula, without exceptions.
    Adaptive {
        /// η, which lets weights move that are zero.
        eta: f64,
    },
}

/// Configuration of [`Sam`].
#[derive(Config, Debug, PartialEq)]
pub struct SamConfig {
    /// ρ ≥ 0, how far uphill. 0 is a plain backward pass.
    pub rho: f64,
    /// In which units. Default: [`Perturbation::Euclidean`], which is SAM.
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

    /// Sets ρ, that of a preset.
    pub fn with_rho(mut self, rho: f64) -> Self {
        self.rho = rho;
        self
    }

    /// The function that takes the gradients.
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

/// Takes gradients at the worst point nearby, by two backward passes. Made by [`SamConfig::init`]; see the
/// [module documentation](self).
#[derive(Debug, Clone, PartialEq)]
pub struct Sam {
    config: SamConfig,
}

impl Sam {
    /// The gradients for the optimizer, and the loss at the weights of `model`.
    ///
    /// `loss` is called twice, with `model` and with a perturbed copy, and has to calculate the loss of the model
    /// that it is given, on the same batch.
    ///
    /// # Panics
    ///
    /// If a loss is not tracked by autodiff, as Burn's `backward` does.
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

    /// As [`gradients`](Self::gradients), where `pass` gives the loss and an output. The output given back is the
    /// one at the weights of `model`, for metrics.
    ///
    /// # Panics
    ///
    /// As there.
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
        (grads, output)
    }

    /// A copy of `model` with the weights `w + e`, for programs that make the two passes themselves; `grads` are
    /// the gradients of the first. It has the ids of `model` and running statistics of its own, and its backward
    /// pass gives the gradients for the optimizer's step on `model`.
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
    /// T of the parameter here; `None` if it is 1.
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

/// Whether ASAM's authors would have called the parameter here a `weight`.
fn is_weight(at: &Location, rank: usize) -> bool {
    match ParamRole::of(at) {
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
            let leaf = Leaf::of(&value);
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
