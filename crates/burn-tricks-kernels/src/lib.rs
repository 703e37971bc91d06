#![doc = include_str!("../README.md")]
#![deny(clippy::disallowed_methods)]

pub mod ada_grad;
pub mod adam;
pub mod blend;
pub mod decay;
pub mod descend;
#[cfg(feature = "flex")]
mod flex;
pub mod normalized;
mod precision;
mod rank;
mod real;
pub mod rms_prop;
pub mod scale;
pub mod sgd;
pub mod step;
pub mod sum_of_squares;
mod tensor_list;

pub use ada_grad::AdaGradStep;
pub use adam::{AdamStep, AmsGradStep};
pub use blend::{blend, blend_all};
pub use decay::Decay;
pub use descend::descend;
pub use normalized::{Mean, NormMemory, NormalizedStep, UpdateMemory};
pub use precision::accumulation_dtype;
pub use real::Real;
pub use rms_prop::RmsPropStep;
pub use scale::{scale, scale_or_zero};
pub use sgd::{MomentumStep, SgdStep, UpdateMomentumStep};
pub use step::Step;
pub use sum_of_squares::{SumOfSquares, sum_of_squares};
pub use tensor_list::TensorList;
