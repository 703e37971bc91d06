//! What all dropouts have in common: when they act, and how they are displayed.

use burn::module::{Content, DisplaySettings, Flag, Param};
use burn::tensor::Tensor;
use burn_tricks_core::display;

/// Whether a dropout acts on `input`: on an autodiff device, while its flag is set, with a probability above 0.
///
/// # Panics
///
/// If the probability, a public field that may have been set to anything, does not lie in [0, 1).
pub(crate) fn acts<const D: usize>(training: &Param<Flag>, prob: f64, input: &Tensor<D>) -> bool {
    assert!(
        (0.0..1.0).contains(&prob),
        "`prob`, the probability of dropping, must lie in [0, 1), got {prob:?}"
    );
    prob != 0.0 && training.is_enabled() && input.device().is_autodiff()
}

/// Everything on one line.
pub(crate) fn one_line() -> Option<DisplaySettings> {
    DisplaySettings::new()
        .with_new_line_after_attribute(false)
        .optional()
}

/// The content, and the flag where it is not set.
pub(crate) fn with_flag(content: Content, training: &Param<Flag>) -> Option<Content> {
    if training.is_enabled() {
        content.optional()
    } else {
        display::module(content, "training", training).optional()
    }
}
