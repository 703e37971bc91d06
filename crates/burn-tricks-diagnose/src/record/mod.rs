//! What is recorded during training: numbers queued on the device, read when a diagnosis is asked for.

pub(crate) mod first_non_finite;
pub(crate) mod gradients;
pub(crate) mod linearity;
pub(crate) mod loss_checks;
pub(crate) mod losses;
pub(crate) mod modes;
pub(crate) mod outputs;
pub(crate) mod pairs;
pub(crate) mod params;
pub(crate) mod recall;
pub(crate) mod rows;
pub(crate) mod running;
pub(crate) mod steps;
pub(crate) mod text;
pub(crate) mod valid_outputs;
