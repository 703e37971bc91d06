//! The bound of adaptive gradient clipping.

/// The bound of adaptive gradient clipping: `‖gᵤ‖ ≤ λ max(‖wᵤ‖, ε)` for each unit `u`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UnitClip {
    /// λ
    pub clip_factor: f64,
    /// ε
    pub epsilon: f64,
}
