//! The bound of adaptive gradient clipping.

use crate::refuse::assert_not_negative;

/// The bound of adaptive gradient clipping: `‖gᵤ‖ ≤ λ max(‖wᵤ‖, ε)` for each unit `u`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UnitClip {
    /// λ, finite and not negative.
    pub clip_factor: f64,
    /// ε, finite and not negative.
    pub epsilon: f64,
}

impl UnitClip {
    pub(crate) fn assert_possible(self) {
        assert_not_negative("the factor λ of clipped units", self.clip_factor);
        assert_not_negative("ε of clipped units", self.epsilon);
    }
}
