//! Ensembles: several models of one architecture predict together.

pub(crate) mod combine;
pub(crate) mod member;
pub(crate) mod new_ids;
pub(crate) mod snapshot_ensemble;
pub(crate) mod test_time_augmentation;
pub(crate) mod uncertainty;

use crate::combine_error::CombineError;
use crate::ensemble::combine::Combine;
use crate::ensemble::member::seeded_members;
use burn::module::{Module, ModuleDisplay, ParamId};
use burn::tensor::{Device, Tensor};
use burn_tricks_core::{Config, ConfigError, InlineModule, Mismatch, ValueKind, params, places};
use std::collections::HashMap;

/// A model that predicts scores of classes.
pub trait Predict {
    /// The input: a batch of samples. It is cloned for each member of an ensemble.
    type Input: Clone;

    /// Scores of shape `[batch, classes]`: logits, not yet probabilities. For a regression, the
    /// predicted values, to be combined by [`Combine::MeanLogits`].
    fn predict(&self, input: Self::Input) -> Tensor<2>;
}

/// Configuration of [`Ensemble`]: several models of one architecture predict together.
///
/// ```text
/// p = Σₖ wₖ softmax(zₖ)         Combine::MeanProbabilities
/// z = Σₖ wₖ zₖ                  Combine::MeanLogits
/// p = Σₖ wₖ onehot(argmax zₖ)   Combine::MajorityVote
/// ```
///
/// `zₖ` is the output of member k. The weights `wₖ` sum to 1 and are equal by default. A value on which all
/// members agree is returned unchanged, to the bit. Models trained from different initial weights make
/// different errors, so their mean has less variance than any of them.
///
/// # Example
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_average::{EnsembleConfig, Predict};
///
/// #[derive(Module, Debug)]
/// struct Classifier {
///     layer: Linear,
/// }
///
/// impl Predict for Classifier {
///     type Input = Tensor<2>;
///
///     fn predict(&self, images: Tensor<2>) -> Tensor<2> {
///         self.layer.forward(images)
///     }
/// }
///
/// # fn main() -> Result<(), burn_tricks_average::CombineError> {
/// let device = Device::flex();
/// let ensemble = EnsembleConfig::new().init_seeded(5, &device, 42, |device| Classifier {
///     layer: LinearConfig::new(64, 10).init(device),
/// })?;
/// // `EnsembleConfig::train` makes and trains them in one call, with bagging if wanted.
/// let probabilities = ensemble.predict(Tensor::ones([8, 64], &device));
/// assert_eq!(probabilities.dims(), [8, 10]);
/// # Ok(())
/// # }
/// ```
///
/// A weighted mean of logits:
///
/// ```
/// # use burn::{module::Module, nn::{Linear, LinearConfig}, tensor::{Device, Tensor}};
/// # use burn_tricks_average::Predict;
/// # #[derive(Module, Debug)]
/// # struct Classifier { layer: Linear }
/// # impl Predict for Classifier {
/// #     type Input = Tensor<2>;
/// #     fn predict(&self, images: Tensor<2>) -> Tensor<2> { self.layer.forward(images) }
/// # }
/// # let init = || Classifier { layer: LinearConfig::new(64, 10).init(&Device::flex()) };
/// # let (strong, weak) = (init(), init());
/// use burn_tricks_average::{Combine, EnsembleConfig};
///
/// let ensemble = EnsembleConfig::new()
///     .with_combine(Combine::MeanLogits)
///     .with_weights(Some(vec![2.0, 1.0])) // normalised to a sum of 1
///     .init(vec![strong, weak])?;
/// # Ok::<(), burn_tricks_average::CombineError>(())
/// ```
///
/// # Order
///
/// Make the ensemble after the trainings. Each member can be an average of weights or the best weights of its
/// own run.
///
/// # Cost
///
/// K models to train, to store and to run. A prediction holds one member's output at a time, besides the
/// running mean.
///
/// # Differences
///
/// The mean of probabilities and that of logits (a geometric mean of probabilities) can name different classes:
/// for logits `[4, 0, 0]`, `[0, 1.5, 0]`, `[0, 1.5, 0]` the mean of probabilities predicts class 1 and the mean
/// of logits class 0. scikit-learn's `VotingClassifier` calls the mean of probabilities "soft" voting; its
/// "hard" voting breaks a tie, as here, towards the lower class.
///
/// # Suggested values
///
/// Five members from different seeds, mean of probabilities (Lakshminarayanan et al.).
///
/// # References
///
/// - Hansen, Salamon, *Neural network ensembles*, 1990, <https://doi.org/10.1109/34.58871>
/// - Lakshminarayanan, Pritzel, Blundell, *Simple and scalable predictive uncertainty estimation using
///   deep ensembles*, 2017, <https://arxiv.org/abs/1612.01474>
#[derive(Config, Debug, PartialEq)]
pub struct EnsembleConfig {
    /// How the outputs of the members are combined. Default: [`Combine::MeanProbabilities`].
    #[config(default = "Combine::MeanProbabilities")]
    pub combine: Combine,
    /// One weight of at least 0 per member; only their ratios matter. Default: equal.
    #[config(default = "None")]
    pub weights: Option<Vec<f64>>,
}

impl EnsembleConfig {
    /// The ensemble of models trained elsewhere.
    ///
    /// # Errors
    ///
    /// If there is no member, if two members share a parameter (by its id), if a member's parameters
    /// differ from those of the first in path, shape or element type, or if the weights are not one
    /// finite number of at least 0 per member with a positive sum.
    pub fn init<M: Module + ModuleDisplay>(
        &self,
        members: Vec<M>,
    ) -> Result<Ensemble<M>, CombineError> {
        check_architecture(&members)?;
        check_distinct(&members)?;
        let weights = self.normalized_weights(members.len())?;
        Ok(Ensemble {
            members,
            combine: self.combine,
            weights,
        })
    }

    /// The ensemble of `count` models made by `model`, each with its own initial weights.
    ///
    /// Before each member is made, the device is seeded, and the member's weights are drawn at once: Burn would
    /// otherwise draw them at their first use, and the same for every clone. Member 0 has `seed` itself, and
    /// the others have seeds far from it, so that ensembles with the seeds 1 and 2 have no member in common.
    /// Other threads of the process may share the device's random generator.
    ///
    /// # Errors
    ///
    /// Those of [`init`](Self::init). A `model` that returns clones of one model is an error.
    pub fn init_seeded<M: Module + ModuleDisplay>(
        &self,
        count: usize,
        device: &Device,
        seed: u64,
        model: impl FnMut(&Device) -> M,
    ) -> Result<Ensemble<M>, CombineError> {
        self.init(seeded_members(count, seed, device, model))
    }

    fn normalized_weights(&self, count: usize) -> Result<Vec<f64>, CombineError> {
        let weights = match &self.weights {
            Some(weights) => weights.clone(),
            None => vec![1.0; count],
        };
        let sum: f64 = weights.iter().sum();
        let valid = weights.len() == count
            && weights.iter().all(|weight| *weight >= 0.0)
            && sum.is_finite()
            && sum > 0.0;
        if !valid {
            return Err(CombineError::Config(ConfigError::new(
                "weights",
                "be one finite number of at least 0 per member, with a positive sum",
                format_args!("{weights:?} for {count} members"),
            )));
        }
        Ok(weights.into_iter().map(|weight| weight / sum).collect())
    }
}

/// Several models that predict together. Made by [`EnsembleConfig`].
///
/// It is a Burn module: one record holds all members (`members.0...`), `to_device` moves them all, and `valid`
/// puts them all in validation mode. The record does not hold how they are combined; the configuration does.
#[derive(InlineModule, Debug)]
pub struct Ensemble<M: Module + ModuleDisplay> {
    members: Vec<M>,
    #[module(skip)]
    combine: Combine,
    #[module(skip)]
    weights: Vec<f64>,
}

impl<M: Module + ModuleDisplay> Ensemble<M> {
    /// The members, in their order.
    pub fn members(&self) -> &[M] {
        &self.members
    }

    /// The members, to train them.
    pub fn into_members(self) -> Vec<M> {
        self.members
    }
}

impl<M: Module + ModuleDisplay + Predict> Ensemble<M> {
    /// The output of each member, of shape `[batch, classes]`, for example to compute their
    /// [`disagreement`](crate::disagreement).
    pub fn predict_each(&self, input: M::Input) -> Vec<Tensor<2>> {
        let members = self.members.iter();
        members
            .map(|member| member.predict(input.clone()))
            .collect()
    }
}

impl<M: Module + ModuleDisplay + Predict> Predict for Ensemble<M> {
    type Input = M::Input;

    /// The combined output, of shape `[batch, classes]`. Members of weight 0 are not run.
    fn predict(&self, input: M::Input) -> Tensor<2> {
        let members = self.members.iter().zip(&self.weights);
        let outputs = members
            .filter(|(_, weight)| **weight > 0.0)
            .map(|(member, weight)| (member.predict(input.clone()), *weight));
        self.combine.outputs(outputs)
    }
}

fn check_architecture<M: Module>(members: &[M]) -> Result<(), CombineError> {
    let (first, rest) = members.split_first().ok_or(CombineError::Empty)?;
    let expected = places(first);
    for (model, module) in (1..).zip(rest) {
        if let Some(mismatch) = Mismatch::between(&expected, &places(module)) {
            return Err(CombineError::DifferentArchitecture { model, mismatch });
        }
    }
    Ok(())
}

/// Running statistics are left out: no optimizer reaches them, and their ids cannot be changed.
fn check_distinct<M: Module>(members: &[M]) -> Result<(), CombineError> {
    let mut owners: HashMap<ParamId, usize> = HashMap::new();
    for (second, module) in members.iter().enumerate() {
        let kinds = places(module).into_iter().map(|place| place.kind);
        let floats = kinds.filter(|kind| kind.is_float());
        for (param, kind) in params(module).into_iter().zip(floats) {
            if kind != ValueKind::Weight {
                continue;
            }
            let first = *owners.entry(param.id).or_insert(second);
            if first != second {
                return Err(CombineError::SharedParameter {
                    path: param.path,
                    first,
                    second,
                });
            }
        }
    }
    Ok(())
}
