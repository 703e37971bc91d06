//! Frozen batch norm.

use crate::norm::ghost_batch_norm::GhostBatchNorm;
use crate::norm::torch_batch_norm::TorchBatchNorm;
use crate::statistics_for_input::constant_beside;
use burn::module::{Flag, Module, Param, RunningState};
use burn::nn::BatchNorm;
use burn::tensor::Tensor;
use burn_tricks_core::walk::{Location, Mapper, map};
use burn_tricks_core::{InlineModule, Snapshot, accumulation_dtype};
use burn_tricks_kernels::fixed_batch_norm;

/// What happens to scale and shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Affine {
    /// They continue to be trained, unless they are frozen already. This unfreezes nothing, not even what
    /// [`Fixed`](Affine::Fixed) has frozen (use `unfreeze_group` for that).
    Trainable,
    /// They are frozen.
    Fixed,
}

/// The layers whose running statistics are kept fixed.
const BATCH_NORMS: [&str; 3] = ["BatchNorm", "TorchBatchNorm", "GhostBatchNorm"];

/// Whether a walk is in a layer of batch norm.
pub(crate) fn is_batch_norm(at: &Location) -> bool {
    BATCH_NORMS.contains(&at.layer())
}

/// `model`, whose batch norms all normalise with their present running statistics and do not update them. The statistics
/// are its own: a clone of `model` that is trained further does not change them.
#[must_use]
pub fn freeze_batch_norms<M: Module>(model: M, affine: Affine) -> M {
    // Clones share their statistics, and inference reads them without the updates that are pending.
    let copy = Snapshot::new(&model)
        .restore(&model)
        .expect("a model has the places of its own snapshot");
    map(copy, &mut Freeze(affine))
}

struct Freeze(Affine);

impl Mapper for Freeze {
    fn float<const D: usize>(
        &mut self,
        at: &Location,
        param: Param<Tensor<D>>,
    ) -> Param<Tensor<D>> {
        if self.0 == Affine::Fixed && is_batch_norm(at) {
            param.set_require_grad(false)
        } else {
            param
        }
    }

    fn flag(&mut self, at: &Location, flag: Param<Flag>) -> Param<Flag> {
        if is_batch_norm(at) {
            flag.with_value(false)
        } else {
            flag
        }
    }
}

/// Batch norm with nothing to train: running statistics, scale and shift do not change. Made from a [`BatchNorm`],
/// a [`TorchBatchNorm`] or a [`GhostBatchNorm`].
///
/// ```text
/// y = γ (x − μ) / √(σ² + ε) + β     in training too
/// ```
///
/// When a pretrained network is fine-tuned with batches of one or two images, the statistics of such a batch
/// are too noisy to normalise with, and they spoil the running statistics.
///
/// # Example
///
/// In an existing model, by the flags of its layers:
///
/// ```
/// use burn::module::Module;
/// use burn::nn::BatchNormConfig;
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_nn::{Affine, freeze_batch_norms};
///
/// let device = Device::flex().autodiff();
/// let backbone = vec![BatchNormConfig::new(3).init(&device)]; // any module
/// let backbone = freeze_batch_norms(backbone, Affine::Trainable);
/// let x = Tensor::<2>::from_floats([[1.0, 2.0, 3.0]], &device);
/// let y = backbone[0].forward(x.clone()); // mean 0 and variance 1, as the layer was made with
/// assert!((y - x).abs().max().into_scalar::<f32>() < 1e-4);
/// ```
///
/// As a layer made from Burn's batch norm or this crate's, which cannot be trained or unfrozen:
///
/// ```
/// use burn::nn::BatchNormConfig;
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_nn::FrozenBatchNorm;
///
/// let device = Device::flex().autodiff();
/// let norm = BatchNormConfig::new(3).init(&device);
/// let frozen = FrozenBatchNorm::from(&norm);
/// let output = frozen.forward(Tensor::<4>::ones([2, 3, 5, 5], &device));
/// # let _ = output;
/// ```
///
/// # Order
///
/// Call [`freeze_batch_norms`] after the pretrained record is loaded, and before the optimizer's first step. It
/// finds Burn's `BatchNorm` and this crate's layers by the names of their types, and leaves all other flags
/// alone. It does not find a batch norm of your own: freeze that with Burn's `freeze_group`, by its path.
/// Burn's `unfreeze()`, and its `unfreeze_group` of a group with a batch norm in it, undo both: freeze the batch norms
/// again afterwards. An update of the statistics that the last training step left pending is applied first. To get a
/// fixed teacher of a model that is trained on, freeze a clone:
/// `freeze_batch_norms(student.clone(), Affine::Fixed)` has the statistics that the student has now, and keeps them.
///
/// [`FrozenBatchNorm`] has the fields of `BatchNorm`, and each loads the other's record. All four tensors are
/// running states of Burn: recorded and moved with the model, never trained, and not changed by `unfreeze()`.
/// To load a record, make a frozen layer from a new `BatchNorm` and load the record into it. Inputs may have
/// any float type, and come from devices with or without gradient checkpointing.
///
/// # Cost
///
/// Less than batch norm in training: the batch's statistics are not computed, and on Burn's CPU backend it takes one pass
/// over the input and one over the gradient. Inputs of half precision are normalised in `f32` and rounded once, in the same
/// pass; elsewhere they are converted before and after. The output has the type of the input.
///
/// # Differences
///
/// [`FrozenBatchNorm`] is torchvision's `FrozenBatchNorm2d`, for every rank. Its ε is that of the layer it is
/// made from, by default 1e-5. Keras's `trainable = False` is [`freeze_batch_norms`] with [`Affine::Fixed`]. In
/// PyTorch `norm.eval()` leaves γ and β as trainable as they are, [`Affine::Trainable`], and the next
/// `model.train()` undoes it.
///
/// # Suggested values
///
/// [`Affine::Fixed`] for detection from a pretrained backbone, as in torchvision.
///
/// # References
///
/// - Ren, He, Girshick, Sun, *Faster R-CNN*, 2015, <https://arxiv.org/abs/1506.01497>, whose code freezes batch
///   norm
/// - torchvision, `torchvision.ops.FrozenBatchNorm2d`
#[derive(InlineModule, Debug)]
pub struct FrozenBatchNorm {
    /// Scale γ.
    pub gamma: RunningState<Tensor<1>>,
    /// Shift β.
    pub beta: RunningState<Tensor<1>>,
    /// Mean μ.
    pub running_mean: RunningState<Tensor<1>>,
    /// Variance σ².
    pub running_var: RunningState<Tensor<1>>,
    /// ε.
    #[module(skip)]
    pub epsilon: f64,
}

impl From<&BatchNorm> for FrozenBatchNorm {
    /// The layer with the present values of `norm`; later changes to `norm` do not affect it.
    fn from(norm: &BatchNorm) -> Self {
        let gamma = norm.gamma.val();
        // `valid` and `train` fold pending updates in and give statistics of its own.
        let mut copy = norm.valid();
        if gamma.is_autodiff() {
            copy = copy.train();
        }
        Self {
            gamma: RunningState::with_id(norm.gamma.id, copy.gamma.val().set_require_grad(false)),
            beta: RunningState::with_id(norm.beta.id, copy.beta.val().set_require_grad(false)),
            running_mean: copy.running_mean,
            running_var: copy.running_var,
            epsilon: norm.epsilon,
        }
    }
}

impl From<&TorchBatchNorm> for FrozenBatchNorm {
    /// As from Burn's layer.
    fn from(norm: &TorchBatchNorm) -> Self {
        Self::from(&BatchNorm::from(norm.clone()))
    }
}

impl From<&GhostBatchNorm> for FrozenBatchNorm {
    /// As from Burn's layer.
    fn from(norm: &GhostBatchNorm) -> Self {
        Self::from(&norm.burn())
    }
}

impl FrozenBatchNorm {
    /// The normalised input, in the input's type.
    ///
    /// # Shapes
    ///
    /// - input: `[samples, channels, ...]`
    /// - output: the same
    ///
    /// # Panics
    ///
    /// If the input has rank 1, or another number of channels.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let wide = accumulation_dtype(input.dtype());
        let [gamma, beta, mean, variance] = [
            &self.gamma,
            &self.beta,
            &self.running_mean,
            &self.running_var,
        ]
        .map(|state| constant_beside(state, wide, &input));
        fixed_batch_norm(input, gamma, beta, mean, variance, self.epsilon)
    }
}
