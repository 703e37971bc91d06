//! Gradual unfreezing.

use crate::trick::Trick;
use crate::trick::epoch_context::EpochContext;
use crate::trick::trick_error::TrickError;
use burn::module::{Module, Param, ParamId};
use burn::tensor::Tensor;
use burn_tricks_core::walk::{Location, Mapper, map, visit_floats};
use burn_tricks_core::{
    Config, ConfigError, ParamPaths, StateError, state_from_bytes, state_to_bytes,
};
use burn_tricks_grad::GradientOrder;
use std::collections::HashMap;

/// Configuration of [`GradualUnfreezing`]: a pretrained model is trained from its last layers to its first.
///
/// ```text
/// epoch e trains the groups 1 to 1 + (e − 1) / n;  everything else is frozen      (n = every_epochs)
/// epoch e trains the groups that begin at epoch e or before                         (with begin_epochs)
/// ```
///
/// # Example
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::Device;
/// use burn_tricks_train::GradualUnfreezingConfig;
///
/// #[derive(Module, Debug)]
/// struct Classifier {
///     body: Vec<Linear>,
///     head: Linear,
/// }
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let layer = || LinearConfig::new(4, 4).init(&device);
/// let model = Classifier { body: vec![layer(), layer()], head: layer() };
/// // The head in the epochs 1 and 2, then `body.1` too, then `body.0`.
/// let unfreezing = GradualUnfreezingConfig::for_paths(["head", "body.1", "body.0"]);
/// let unfreezing = unfreezing.with_every_epochs(2).init(&model)?;
/// // `model.with_tricks((unfreezing, clip))` does the rest; in a loop, at the beginning of each epoch:
/// let model = unfreezing.apply(model, 3);
/// assert!(model.head.weight.is_require_grad() && model.body[1].weight.is_require_grad());
/// assert!(!model.body[0].weight.is_require_grad());
/// # Ok(())
/// # }
/// ```
///
/// The head alone for ten epochs, then everything, as with Lightning's `BackboneFinetuning`:
///
/// ```
/// use burn_tricks_train::GradualUnfreezingConfig;
///
/// let unfreezing = GradualUnfreezingConfig::for_paths(["head", "body"]).with_begin_epochs(Some(vec![1, 11]));
/// ```
///
/// # Order
///
/// It may stand anywhere among the tricks. A frozen weight gets no gradient, so neither the optimizer's step nor weight
/// decay changes it. The running statistics of batch norms are not weights: they follow the data in frozen layers too.
///
/// A group is the path of a parameter or of a module that holds parameters: `body.1` means the layer `body.1`, not
/// `body.10`. A `*` stands for one part of a path, as in [`ParamPaths`], so `*.bias` is every layer's bias. A weight
/// that no group names stays frozen for the whole run, and so does a weight that was frozen before. A tied weight is
/// trained as soon as one of its places is.
///
/// # Cost
///
/// No cost. The backward pass ends at the earliest layer that is trained.
///
/// # Differences
///
/// - Lightning's `BackboneFinetuning` also gives the backbone a learning rate that begins at a tenth of the head's and
///   rises: use [`GroupLrConfig`](burn_tricks_schedule::GroupLrConfig), whose documentation has such a program.
/// - Lightning keeps the weights of batch norms in a frozen backbone trained (`train_bn=True`). Here they are frozen like
///   the others; name them in the first group (`body.*.norm`) to train them. To hold their statistics as well, use
///   `freeze_batch_norms` of `burn-tricks-nn`.
/// - Composer's layer freezing goes the other way, and freezes the first layers towards the end of the training; in a loop,
///   Burn's `freeze_group` does this, with a group of paths from `FreezeConfig` of `burn-tricks-grad`.
///
/// # Suggested values
///
/// One group per layer or block, one epoch each (Howard and Ruder), with smaller learning rates for earlier
/// groups.
///
/// # References
///
/// - Howard, Ruder, *Universal language model fine-tuning for text classification*, 2018, section 3.3,
///   <https://arxiv.org/abs/1801.06146>
/// - Lightning, `lightning.pytorch.callbacks.BackboneFinetuning`
#[derive(Config, Debug, PartialEq, Eq)]
pub struct GradualUnfreezingConfig {
    /// The groups of weights, each given by the path of a parameter or of a module, in the order in which they are
    /// unfrozen; a `*` stands for one part of a path. At least one.
    pub groups: Vec<String>,
    /// The number of epochs after which the next group is unfrozen, at least 1. Default: 1.
    #[config(default = 1)]
    pub every_epochs: usize,
    /// The epoch, counted from 1, in which each group begins to be trained, in place of `every_epochs`: one number for each
    /// group, and at least one group at epoch 1. Default: none.
    #[config(default = "None")]
    pub begin_epochs: Option<Vec<usize>>,
}

impl GradualUnfreezingConfig {
    /// Like `new`, from a list of strings.
    pub fn for_paths(groups: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::new(groups.into_iter().map(Into::into).collect())
    }

    /// The trick for models like `model`.
    ///
    /// # Errors
    ///
    /// If `every_epochs` is 0, if `begin_epochs` does not have one epoch for each group or has no group at epoch 1, if
    /// there is no group, if a group names no trained weight of `model` (for a name that `model` does not have, the
    /// error suggests similar ones), or if all weights of a group are in groups before it in the list that begin no later,
    /// so that it changes nothing.
    pub fn init<M: Module>(&self, model: &M) -> Result<GradualUnfreezing, ConfigError> {
        ConfigError::at_least_one("every_epochs", self.every_epochs)?;
        let error = |requirement, got: &str| Err(ConfigError::new("groups", requirement, got));
        if self.groups.is_empty() {
            return error("name at least one group of weights", "");
        }
        if let Some(epochs) = &self.begin_epochs
            && (epochs.len() != self.groups.len() || epochs.iter().min() != Some(&1))
        {
            let requirement = "have an epoch of at least 1 for each group, and 1 for one of them";
            return Err(ConfigError::new("begin_epochs", requirement, epochs));
        }
        let mut trained: Vec<(String, ParamId)> = Vec::new();
        visit_floats(model, |at, param| {
            if param.is_require_grad() {
                trained.push((at.path().to_owned(), param.id()));
            }
        });
        // Of each weight the group that begins first, and of those that begin together the first in the list. By its id: a
        // tied weight has several places.
        let mut group_of: HashMap<ParamId, usize> = HashMap::new();
        for (index, group) in self.groups.iter().enumerate() {
            let named = ParamPaths::init(model, "groups", std::slice::from_ref(group))?;
            let places = trained.iter().filter(|(path, _)| named.contains(path));
            let ids: Vec<ParamId> = places.map(|(_, id)| *id).collect();
            if ids.is_empty() {
                return error("name weights that are trained", group);
            }
            let mut new = 0;
            for id in ids {
                let other = group_of.get(&id).copied();
                if other.is_none_or(|other| self.begins(index) < self.begins(other)) {
                    group_of.insert(id, index);
                    new += 1;
                }
            }
            if new == 0 {
                return error("name weights that no group before does", group);
            }
        }
        // By path: a resumed run loads other ids.
        let groups = trained
            .iter()
            .map(|(path, id)| (path.clone(), group_of.get(id).copied()));
        Ok(GradualUnfreezing {
            config: self.clone(),
            groups: groups.collect(),
            epoch: 1,
        })
    }

    /// The epoch in which the group of this index begins to be trained.
    fn begins(&self, group: usize) -> usize {
        match &self.begin_epochs {
            Some(epochs) => epochs[group],
            None => group.saturating_mul(self.every_epochs).saturating_add(1),
        }
    }
}

/// Unfreezes one group of weights after the other. Made by [`GradualUnfreezingConfig::init`].
#[derive(Debug, Clone)]
pub struct GradualUnfreezing {
    config: GradualUnfreezingConfig,
    /// The weights that were trained, by path, and the group of each.
    groups: HashMap<String, Option<usize>>,
    /// The present epoch.
    epoch: usize,
}

impl GradualUnfreezing {
    /// Returns `model` with the right weights frozen for `epoch`, counted from 1.
    #[must_use]
    pub fn apply<M: Module>(&self, model: M, epoch: usize) -> M {
        let trains = |group: usize| self.trains(group, epoch);
        let trains = (0..self.config.groups.len()).map(trains).collect();
        let groups = &self.groups;
        map(model, &mut Freeze { groups, trains })
    }

    /// The groups that are trained in `epoch`, counted from 1, in the order in which they are listed.
    pub fn trained_groups(&self, epoch: usize) -> Vec<&str> {
        let groups = self.config.groups.iter().enumerate();
        let trained = groups.filter(|(group, _)| self.trains(*group, epoch));
        trained.map(|(_, name)| name.as_str()).collect()
    }

    /// Whether the group of this index is trained in `epoch`.
    fn trains(&self, group: usize, epoch: usize) -> bool {
        epoch.max(1) >= self.config.begins(group)
    }
}

impl<M: Module> Trick<M> for GradualUnfreezing {
    /// It does not look at the gradients.
    fn gradient_order(&self, _order: &mut GradientOrder) {}

    fn epoch_end(&mut self, model: M, epoch: &mut EpochContext<'_, M>) -> Result<M, TrickError> {
        self.epoch = epoch.epoch() + 1;
        Ok(self.apply(model, self.epoch))
    }

    /// Is called at the beginning of a run, and when Burn copies the model to other devices.
    fn rebuilt(&self, model: M) -> M {
        self.apply(model, self.epoch)
    }

    fn restart(&mut self, _model: &M) {
        self.epoch = 1;
    }

    fn describe(&self) -> Vec<String> {
        vec![format!("{:?}", self.config)]
    }

    fn state(&self) -> Option<Vec<u8>> {
        Some(state_to_bytes(&self.epoch))
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        self.epoch = state_from_bytes(state)?;
        Ok(())
    }
}

/// Freezes the groups that are not trained, and what is in none.
struct Freeze<'a> {
    groups: &'a HashMap<String, Option<usize>>,
    /// For each group, whether it is trained.
    trains: Vec<bool>,
}

impl Mapper for Freeze<'_> {
    fn float<const D: usize>(
        &mut self,
        at: &Location,
        param: Param<Tensor<D>>,
    ) -> Param<Tensor<D>> {
        let Some(group) = self.groups.get(at.path()) else {
            return param;
        };
        let trains = group.is_some_and(|group| self.trains[group]);
        if trains == param.is_require_grad() {
            return param;
        }
        param.set_require_grad(trains)
    }
}
