//! Over which numbers a norm is taken.

use serde::{Deserialize, Serialize};

/// Over which numbers of a module's gradients a norm is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NormScope {
    /// One norm over all gradients of the module together, so scaling by it keeps the direction of the whole
    /// gradient. An optimizer cannot use this scope, since it sees one parameter at a time.
    Model,
    /// One norm for each parameter's gradient, as in Burn's own clipping.
    Tensor,
    /// One norm for each element, which is its magnitude. Only optimizers can use this scope: see
    /// `NormalizedGradientConfig` of `burn-tricks-optim`.
    Element,
}
