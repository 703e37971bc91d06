#![doc = include_str!("../README.md")]
#![deny(clippy::disallowed_methods)]

pub mod anneal;
pub mod base_rate;
pub mod ceiling;
pub mod cosine;
pub mod cosine_restarts;
pub mod curve;
pub mod cyclic;
pub mod exponential_decay;
pub mod ext;
pub mod floor;
pub mod inverse_sqrt;
pub mod linear;
pub mod multi_step;
pub mod one_cycle;
pub mod per_epoch;
pub mod plateau;
pub mod polynomial;
pub mod reduce_on_plateau;
pub mod run;
pub mod sequence;
pub mod warmup;
pub mod warmup_stable_decay;

pub use anneal::Anneal;
pub use base_rate::BaseRate;
pub use burn_tricks_core::{Goal, MinDelta};
pub use ceiling::Ceiling;
pub use cosine::{Cosine, CosineConfig};
pub use cosine_restarts::{CosineRestarts, CosineRestartsConfig};
pub use curve::Curve;
pub use cyclic::{Cyclic, CyclicConfig, CyclicMode};
pub use exponential_decay::{DecayUnit, ExponentialDecay, ExponentialDecayConfig};
pub use ext::LrSchedulerExt;
pub use floor::Floor;
pub use inverse_sqrt::{InverseSqrt, InverseSqrtConfig};
pub use linear::{Linear, LinearConfig};
pub use multi_step::{MultiStep, MultiStepConfig};
pub use one_cycle::{OneCycle, OneCycleConfig, Peak};
pub use per_epoch::PerEpoch;
pub use plateau::{Patience, Plateau, PlateauConfig, PlateauState};
pub use polynomial::{Polynomial, PolynomialConfig};
pub use reduce_on_plateau::ReduceOnPlateau;
pub use run::Run;
pub use sequence::Sequence;
pub use warmup::{Warmup, WarmupConfig, WarmupMode, WarmupStart};
pub use warmup_stable_decay::{DecayShape, WarmupStableDecay, WarmupStableDecayConfig};
