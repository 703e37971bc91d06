//! Freezes a part of a model by removing its gradients.

use crate::transform::GradientTransform;
use burn::module::{Module, Param, ParamGroup, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn_tricks_core::walk::{Location, Visitor, visit, visit_floats};
use burn_tricks_core::{Config, ConfigError, ParamPaths};
use std::collections::HashSet;

/// Configuration of [`Freeze`], which freezes a part of a model by removing its gradients.
///
/// Burn's optimizers do not change a parameter without a gradient: no step, no weight decay, no state.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::optim::{AdamWConfig, GradientsParams};
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_grad::FreezeConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let mut model: Vec<Linear> = (0..3).map(|_| LinearConfig::new(2, 2).init(&device)).collect();
/// let mut optim = AdamWConfig::new().init();
/// let freeze = FreezeConfig::for_paths(["0", "1", "*.bias"]).init(&model)?;
///
/// let output = (model.iter()).fold(Tensor::<2>::ones([4, 2], &device), |x, layer| layer.forward(x));
/// let grads = GradientsParams::from_grads(output.square().mean().backward(), &model);
/// let grads = freeze.apply(&model, grads);
/// assert_eq!(grads.len(), 1); // that of `2.weight`
/// model = optim.step(1e-3, model, grads);
/// # let _ = model;
/// # Ok(())
/// # }
/// ```
///
/// The same group with Burn's `freeze_group`, which saves the backward pass through the frozen part:
///
/// ```
/// use burn::module::Module;
/// # use burn::nn::LinearConfig;
/// # use burn::tensor::Device;
/// # use burn_tricks_grad::FreezeConfig;
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// # let model = vec![LinearConfig::new(2, 2).init(&Device::flex().autodiff())];
/// let group = FreezeConfig::for_paths(["0"]).init(&model)?.group();
/// let model = model.freeze_group(group);
/// # assert!(!model[0].weight.is_require_grad());
/// # Ok(())
/// # }
/// ```
///
/// # Which of the two
///
/// | | `Freeze` | Burn's `freeze_group` |
/// | --- | --- | --- |
/// | backward pass through the frozen part | computed | ends at the first trained layer |
/// | dropout and batch norm in the frozen part | as in training: running statistics are updated | dropout off, batch norm on its running statistics |
/// | to unfreeze | stop applying the transform | `unfreeze_group`, between two steps; it also switches on what was frozen or off before |
/// | saved with the model | no | no: apply it again after loading |
///
/// # Paths
///
/// A path names a parameter or a module that holds parameters; a `*` stands for one part of a path. Paths are
/// compared at each step, so they remain valid after a record is loaded, which changes parameter ids. A path
/// that fits nothing is an error, which suggests similar names.
///
/// The path of a frozen clone of a trained part, such as the teacher of a distillation, does not freeze that part, though both
/// have the same ids: see [`ParamPaths`]. A place of a tied weight that was frozen by itself, as by Burn's `freeze_group` with
/// the path of that place, looks the same: freeze it with [`Freeze::group`], which holds all its places.
///
/// # Order
///
/// Apply it after unscaling, and before a norm is computed, so that frozen parameters do not count in the norm. If no
/// gradient is left, the step is skipped. In a `Learner` it is counted as skipped, so `StopAfterSkips` of
/// `burn-tricks-train` ends a run that freezes everything for as many steps as it allows.
///
/// # Cost
///
/// Two visits of the module, one of them with its paths. No state.
///
/// # Differences
///
/// PyTorch's `requires_grad_(False)` and Keras's `trainable = False` are Burn's `freeze_group`. optax's
/// `set_to_zero` in a `multi_transform` leaves a gradient of zero, to which later weight decay is still added.
///
/// # Suggested values
///
/// Freeze all but the head for the first epochs of a fine-tuning (Howard and Ruder unfreeze one layer per
/// epoch).
///
/// # References
///
/// - Howard, Ruder, *Universal language model fine-tuning for text classification*, 2018,
///   <https://arxiv.org/abs/1801.06146>
#[derive(Config, Debug, PartialEq)]
pub struct FreezeConfig {
    /// The paths of parameters, or of the modules that hold them.
    pub paths: Vec<String>,
}

impl FreezeConfig {
    /// Like `new`, from a list of strings.
    pub fn for_paths(paths: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::new(paths.into_iter().map(Into::into).collect())
    }

    /// The transform for models like `model`.
    ///
    /// # Errors
    ///
    /// If a path fits no parameter of `model`.
    pub fn init<M: Module>(&self, model: &M) -> Result<Freeze, ConfigError> {
        let paths = ParamPaths::init(model, "paths", &self.paths)?;
        Ok(Freeze { paths })
    }
}

/// Removes the gradients of some parameters. Made by [`FreezeConfig::init`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    paths: ParamPaths,
}

impl Freeze {
    /// The gradients without those of the frozen parameters of `module`. A tied parameter is frozen if one of
    /// its places is named. A frozen clone of it is none of them.
    #[must_use]
    pub fn apply<M: Module>(&self, module: &M, grads: GradientsParams) -> GradientsParams {
        let mut trained = HashSet::new();
        visit_floats(module, |_, param| {
            if param.is_require_grad() {
                trained.insert(param.id());
            }
        });
        let mut removal = Removal {
            paths: &self.paths,
            trained,
            grads,
        };
        visit(module, &mut removal);
        removal.grads
    }

    /// The frozen parameters as a group, for Burn's `freeze_group`.
    pub fn group(&self) -> ParamGroup {
        self.paths.group()
    }
}

struct Removal<'a> {
    paths: &'a ParamPaths,
    /// The ids of which a place is trained: their gradients are not those of frozen clones.
    trained: HashSet<ParamId>,
    grads: GradientsParams,
}

impl Visitor for Removal<'_> {
    fn float<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D>>) {
        let has_grad = param.is_require_grad() || !self.trained.contains(&param.id);
        if has_grad && self.paths.contains(at.path()) {
            self.grads.remove::<D>(param.id);
        }
    }
}

impl GradientTransform for Freeze {
    fn apply<M: Module>(&mut self, model: &M, grads: GradientsParams) -> GradientsParams {
        Self::apply(self, model, grads)
    }

    fn describe(&self) -> Vec<String> {
        vec![format!("{self:?}")]
    }
}
