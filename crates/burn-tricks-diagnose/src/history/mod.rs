//! What was measured, as numbers on the host. The rules read nothing else.

pub(crate) mod agreement;
pub(crate) mod closeness;
pub(crate) mod columns;
pub(crate) mod constants;
pub(crate) mod cyclic;
pub(crate) mod data;
pub(crate) mod epoch;
pub(crate) mod features;
pub(crate) mod floor;
pub(crate) mod grouping;
pub(crate) mod least_squares;
pub(crate) mod linear_fit;
pub(crate) mod loss_check;
pub(crate) mod measures;
pub(crate) mod moments;
pub(crate) mod neighbours;
pub(crate) mod norm;
pub(crate) mod outliers;
pub(crate) mod output_fit;
pub(crate) mod outputs;
pub(crate) mod param;
pub(crate) mod parts;
pub(crate) mod position;
pub(crate) mod possible_rows;
pub(crate) mod probe;
pub(crate) mod radial;
pub(crate) mod reference;
pub(crate) mod references;
pub(crate) mod rows;
pub(crate) mod series;
pub(crate) mod step_losses;
pub(crate) mod structure;
pub(crate) mod table;
pub(crate) mod target;
pub(crate) mod told_classes;
pub(crate) mod trees;
pub(crate) mod wanted;

use crate::capacity::capacity::Capacity;
use crate::history::closeness::Closeness;
use crate::history::data::DataHistory;
use crate::history::epoch::EpochMetrics;
use crate::history::linear_fit::LinearFit;
use crate::history::loss_check::LossCheck;
use crate::history::neighbours::Neighbours;
use crate::history::norm::NormHistory;
use crate::history::output_fit::OutputFit;
use crate::history::outputs::OutputHistory;
use crate::history::param::ParamHistory;
use crate::history::position::{BatchPosition, FirstNonFinite};
use crate::history::probe::ProbeHistory;
use crate::history::reference::ReferenceFit;
use crate::history::structure::Structure;
use crate::loss_kind::LossKind;
use crate::measurement::lr_range::LrRange;
use crate::measurement::noise_scale::NoiseScale;
use crate::replay::origin::NonFiniteOrigin;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that a [`Doctor`](crate::Doctor) has measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct History {
    /// The optimizer steps so far.
    pub steps_taken: usize,
    /// The recorded steps, in order.
    pub steps: Vec<StepHistory>,
    /// The loss of every step at which the doctor was given one.
    #[serde(with = "crate::float")]
    pub losses: Vec<f64>,
    /// The number of the optimizer step of each loss, from 1, if the steps do not have one loss each: a step has several when
    /// gradients are accumulated over several batches. Empty if the first loss belongs to the first step, the second to the
    /// second, and so on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub loss_steps: Vec<usize>,
    /// The loss function, if it was declared.
    pub loss_kind: Option<LossKind>,
    /// The loss of each recorded step against the one that its outputs and targets have, where the loss function was
    /// declared and all three were handed over.
    pub loss_checks: Vec<LossCheck>,
    /// The float parameters of the model, without running statistics, in the module's own order.
    pub params: Vec<ParamHistory>,
    /// The layers of the model that the rules know.
    pub structure: Structure,
    /// The epochs whose metrics the doctor was given.
    pub epochs: Vec<EpochMetrics>,
    /// The training data that the doctor was given.
    pub train: Option<DataHistory>,
    /// The validation data that the doctor was given.
    pub valid: Option<DataHistory>,
    /// The outputs of the model in training.
    pub outputs: Option<OutputHistory>,
    /// The outputs of the model in validation.
    pub valid_outputs: Option<OutputHistory>,
    /// The probes, in the order of the forward pass.
    pub probes: Vec<ProbeHistory>,
    /// What went into the norm layers that were recorded.
    pub norms: Vec<NormHistory>,
    /// What the nearest training rows say about the validation rows, if both were handed over.
    pub neighbours: Option<Neighbours>,
    /// What a linear model of the training rows says about the validation rows, if both were handed over.
    pub linear_fit: Option<LinearFit>,
    /// What a forest of 40 extremely randomized trees (Geurts et al., 2006) says about the validation rows, if both were handed
    /// over.
    pub trees: Option<ReferenceFit>,
    /// What a sum of Gaussian bumps (Broomhead and Lowe, 1988) says about them.
    pub radial: Option<ReferenceFit>,
    /// How near validation rows are to training rows, if both were handed over.
    pub closeness: Option<Closeness>,
    /// How well the outputs of the last recorded steps fit targets that are numbers.
    pub train_fit: Option<OutputFit>,
    /// How well the outputs of the last validation do.
    pub valid_fit: Option<OutputFit>,
    /// The share of the variance of each column of targets that the outputs of the last validation explain.
    #[serde(with = "crate::float")]
    pub valid_columns: Vec<f64>,
    /// The share of each that the mean of the five nearest training rows explains, of two to eight columns.
    #[serde(with = "crate::float")]
    pub neighbour_columns: Vec<f64>,
    /// For each class, the share of its validation rows that the nearest training rows tell from the others beyond those of others
    /// that are taken for them, with the threshold at which this is most; of a classification with few classes.
    #[serde(with = "crate::float")]
    pub told_classes: BTreeMap<i64, f64>,
    /// The first step whose gradients were not finite, if there was one.
    pub first_non_finite: Option<FirstNonFinite>,
    /// Where a replay found the first number that is not finite, if one was made.
    pub non_finite_origin: Option<NonFiniteOrigin>,
    /// The batches on which the steps were taken, if the doctor was told.
    pub positions: Vec<BatchPosition>,
    /// How far the average of the weights is from the initial weights, relative to their norm, if an average was
    /// handed over.
    #[serde(with = "crate::float")]
    pub average_moved: Option<f64>,
    /// How far the average of the weights is from the trained weights, relative to how far these are from the initial ones, if an
    /// average was handed over.
    #[serde(with = "crate::float")]
    pub average_behind: Option<f64>,
    /// Whether the average of the weights is the trained weights, to the bit, if an average was handed over.
    pub average_is_model: Option<bool>,
    /// Whether the network is a linear map: the largest deviation from linearity relative to the size of its
    /// outputs, if the network was examined.
    #[serde(with = "crate::float")]
    pub nonlinearity: Option<f64>,
    /// The gradient-noise scale, if it was measured.
    pub noise_scale: Option<NoiseScale>,
    /// The capacity test, if one was made.
    pub capacity: Option<Capacity>,
    /// The learning-rate range test, if one was made.
    pub lr_range: Option<LrRange>,
}

/// One recorded step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct StepHistory {
    /// The number of the step, from 1.
    pub step: usize,
    /// The learning rate.
    #[serde(with = "crate::float")]
    pub lr: f64,
    /// The cosine of the angle between the gradient of this step and that of the step before it, for the first 20
    /// steps, if both were there.
    #[serde(with = "crate::float")]
    pub cosine: Option<f64>,
    /// The cosine of the angle between the change that the step made to all parameters and the negative gradient, of recorded
    /// steps after the first 20, if `after_step` was called: 1 for plain gradient descent.
    #[serde(with = "crate::float")]
    pub update_cosine: Option<f64>,
}
