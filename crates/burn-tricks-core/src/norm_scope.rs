//! Over which numbers a norm is taken.

use serde::{Deserialize, Serialize};

/// Over which numbers of the gradients of a module a norm is taken: each set of them has a norm of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NormScope {
    /// Over every gradient of the module together: the direction of the whole gradient is kept. Not for an
    /// optimizer, which sees one parameter at a time.
    Model,
    /// Over each parameter's gradient by itself, as Burn's own clipping does.
    Tensor,
    /// Over each element by itself, whose norm is its magnitude. Only for an optimizer: see
    /// `NormalizedGradientConfig` of `burn-tricks-optim`.
    Element,
}
