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
use std::collections::HashMap;

/// Configuration of [`GradualUnfreezing`]: a pretrained model is trained from its last layers to its first.
///
/// ```text
/// epoch e trains the groups 1 to 1 + (e − 1) / n;  everything else is frozen      (n = every_epochs)
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
/// let groups = ["head", "body.1", "body.0"].map(String::from).to_vec();
/// let unfreezing = GradualUnfreezingConfig::new(groups).with_every_epochs(2).init(&model)?;
/// // `model.with_tricks((unfreezing, clip))` does the rest; in a loop, at the beginning of each epoch:
/// let model = unfreezing.apply(model, 3);
/// assert!(model.head.weight.is_require_grad() && model.body[1].weight.is_require_grad());
/// assert!(!model.body[0].weight.is_require_grad());
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Anywhere among the tricks. A frozen weight gets no gradient, so neither the optimizer's step nor weight decay
/// changes it. The running statistics of batch norms are not weights: they follow the data in frozen layers too.
///
/// A group is the path of a parameter or of a module that holds parameters: `body.1` means the layer `body.1`, not
/// `body.10`. A `*` stands for one part of a path, as in [`ParamPaths`], so `*.bias` is every layer's bias. A weight that no group names stays frozen for the whole run, and so does a weight that was frozen before. A tied
/// weight is trained as soon as one of its places is.
///
/// # Cost
///
/// None. The backward pass ends at the earliest layer that is trained.
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
#[derive(Config, Debug, PartialEq, Eq)]
pub struct GradualUnfreezingConfig {
    /// The groups of weights, each given by the path of a parameter or of a module, in the order in which they are
    /// unfrozen; a `*` stands for one part of a path. At least one.
    pub groups: Vec<String>,
    /// The number of epochs after which the next group is unfrozen, at least 1. Default: 1.
    #[config(default = 1)]
    pub every_epochs: usize,
}

impl GradualUnfreezingConfig {
    /// The trick for models like `model`.
    ///
    /// # Errors
    ///
    /// If `every_epochs` is 0, if there is no group, if a group names no trained weight of `model` (for a name that
    /// `model` does not have, the error suggests similar ones), or if a group lies within an earlier group, and so
    /// changes nothing.
    pub fn init<M: Module>(&self, model: &M) -> Result<GradualUnfreezing, ConfigError> {
        ConfigError::at_least_one("every_epochs", self.every_epochs)?;
        let error = |requirement, got: &str| Err(ConfigError::new("groups", requirement, got));
        if self.groups.is_empty() {
            return error("name at least one group of weights", "");
        }
        let mut trained: Vec<(String, ParamId)> = Vec::new();
        visit_floats(model, |at, param| {
            if param.is_require_grad() {
                trained.push((at.path().to_owned(), param.id()));
            }
        });
        // Of each weight the first group that it is in, by its id: a tied weight has several places.
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
                group_of.entry(id).or_insert_with(|| {
                    new += 1;
                    index
                });
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
    pub fn apply<M: Module>(&self, model: M, epoch: usize) -> M {
        let unfrozen = 1 + (epoch.max(1) - 1) / self.config.every_epochs;
        let groups = &self.groups;
        map(model, &mut Freeze { groups, unfrozen })
    }

    /// The groups that are trained in `epoch`, counted from 1.
    pub fn trained_groups(&self, epoch: usize) -> &[String] {
        let unfrozen = 1 + (epoch.max(1) - 1) / self.config.every_epochs;
        &self.config.groups[..unfrozen.min(self.config.groups.len())]
    }
}

impl<M: Module> Trick<M> for GradualUnfreezing {
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

/// Freezes the groups from `unfrozen` on, and what is in none.
struct Freeze<'a> {
    groups: &'a HashMap<String, Option<usize>>,
    unfrozen: usize,
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
        let trains = group.is_some_and(|group| group < self.unfrozen);
        if trains == param.is_require_grad() {
            return param;
        }
        param.set_require_grad(trains)
    }
}
