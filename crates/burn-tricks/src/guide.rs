//! The guide: how to choose, combine, run and write training tricks. Its programs are compiled and run as
//! tests.
//!
//! | page | what it answers |
//! | --- | --- |
//! | [`first_run`] | what a first program looks like |
//! | [`which_trick`] | which trick helps when: does not learn, unstable, overfits, too slow, not reproducible |
//! | `doctor` (feature `diagnose`) | why a network does not learn: a doctor that watches the training |
//! | [`choosing`] | which optimizer, which schedule, which average of the weights |
//! | [`data_and_labels`] | how inputs and targets are scaled, images changed at random, labels softened and samples drawn |
//! | [`order_of_a_step`] | in which order the tricks of a step are applied |
//! | [`programs`] | how the tricks go into programs with two optimizers, a recurrent state or a pretrained body |
//! | `learner` (feature `train`) | how tricks are used in Burn's `Learner` |
//! | `how_much_code` (feature `train`) | how many lines a trick takes, in a loop and in the `Learner` |
//! | [`saving`] | how to save, resume, and train on several devices |
//! | [`from_other_libraries`] | what the functions of PyTorch, Keras, Lightning and optax are called here |
//! | [`sources`] | where libraries give different numbers under one name, and how to get each |
//! | [`backends`] | which backend, and what differs on a GPU |
//! | [`measured_tricks`] | what each trick does for small networks on handwritten digits, all rows of the comparison |
//! | [`checked_claims`] | which sentences of a lesson on training tricks hold, by measurement |
//! | [`clusters`] | how to run a comparison on several machines: Slurm, Kubernetes, GNU parallel |
//! | [`writing`] | how to write an optimizer, a schedule or a trick, and check it |
//! | [`glossary`] | what the words of the documentation mean |
//! | [`tricks`] | which tricks there are, with type and crate |
//! | [`not_here`] | which tricks of other libraries are not here, why, and where they are |

// The names that the pages link to.
#[cfg(all(doc, feature = "train"))]
use crate::train::*;
#[cfg(doc)]
use crate::{average::*, checkpoint::*, grad::*, nn::*, optim::*, schedule::*, stop::*, *};

#[doc = include_str!("guide/first_run.md")]
pub mod first_run {}

#[doc = include_str!("guide/which_trick.md")]
pub mod which_trick {}

#[cfg(feature = "diagnose")]
#[doc = include_str!("guide/doctor.md")]
pub mod doctor {}

#[doc = include_str!("guide/choosing.md")]
pub mod choosing {}

// Its program needs the feature.
#[cfg(any(not(doctest), feature = "dataset", feature = "train"))]
#[doc = include_str!("guide/data_and_labels.md")]
pub mod data_and_labels {}

#[doc = include_str!("guide/order_of_a_step.md")]
pub mod order_of_a_step {}

#[doc = include_str!("guide/programs.md")]
pub mod programs {}

#[cfg(feature = "train")]
#[doc = include_str!("guide/learner.md")]
pub mod learner {}

#[cfg(feature = "train")]
#[doc = include_str!("guide/how_much_code.md")]
pub mod how_much_code {}

#[doc = include_str!("guide/saving.md")]
#[cfg_attr(feature = "train", doc = include_str!("guide/saving_in_the_learner.md"))]
pub mod saving {}

#[doc = include_str!("guide/from_other_libraries.md")]
#[cfg_attr(feature = "train", doc = include_str!("guide/from_lightning.md"))]
pub mod from_other_libraries {}

#[doc = include_str!("guide/sources.md")]
pub mod sources {}

#[doc = include_str!("guide/backends.md")]
pub mod backends {}

#[doc = include_str!("guide/measured_tricks.md")]
pub mod measured_tricks {}

#[doc = include_str!("guide/checked_claims.md")]
pub mod checked_claims {}

#[doc = include_str!("guide/clusters.md")]
pub mod clusters {}

#[doc = include_str!("guide/writing.md")]
#[cfg_attr(feature = "train", doc = include_str!("guide/writing_for_the_learner.md"))]
pub mod writing {}

#[doc = include_str!("guide/glossary.md")]
pub mod glossary {}

#[doc = include_str!("guide/tricks.md")]
pub mod tricks {}

#[doc = include_str!("guide/not_here.md")]
pub mod not_here {}
