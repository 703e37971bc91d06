//! Factors with a special effect.

/// The special effect of a factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum SpecialFactor {
    /// Nothing.
    None,
    /// A factor of 0 makes everything 0.
    ZeroErases,
    /// A factor of NaN makes everything NaN.
    NanMarks,
}
